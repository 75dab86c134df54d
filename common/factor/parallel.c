#include "factor/parallel.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"

enum { SAMPLE_ROWS = 4096, SAMPLE_ROWS_WIDE = 2048, WIDE_CHANNELS = 2048, ROUNDS = 20, ROUNDS_AT_ONCE = 8 };
#define QUANTILE 0.95

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct sample {
	const struct hs_row_frame *frame;
	size_t n_strata, n, p;
	size_t *pick;                 /* the row of each stratum, ascending */
	uint8_t *used;
	double *row;                  /* threads x p */
	double *y;                    /* strata x p while reading */
};

static int take_sample(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	(void)err;
	struct sample *s = ctx;
	size_t low = 0, high = s->n_strata;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (s->pick[middle] < b->first_row)
			low = middle + 1;
		else
			high = middle;
	}
	const size_t row_bytes = s->p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	for (; low < s->n_strata && s->pick[low] < b->first_row + b->n_rows; low++) {
		const size_t i = s->pick[low] - b->first_row;
		double part, *row = s->row + (size_t)thread * s->p;
		if (b->skip[i] || !hs_row_frame_apply(s->frame, b->type, (const char *)b->x + i * row_bytes, true, row, &part))
			continue;
		memcpy(s->y + low * s->p, row, s->p * sizeof(double));
		s->used[low] = 1;
	}
	return 0;
}

/* Channels become rows (p x n), rows that were not usable go. */
static double *by_channel(struct sample *s, struct hs_err *err)
{
	double *t = hs_alloc(s->n * s->p, sizeof *t, err);
	for (size_t i = 0, at = 0; t && i < s->n_strata; i++) {
		if (!s->used[i])
			continue;
		for (size_t j = 0; j < s->p; j++)
			t[j * s->n + at] = s->y[i * s->p + j];
		at++;
	}
	return t;
}

static double *read_sample(
	struct hs_rowsource *rows, const struct hs_row_frame *frame, uint64_t seed, size_t *n_used, struct hs_err *err)
{
	const size_t p = rows->n_chan, most = p > WIDE_CHANNELS ? SAMPLE_ROWS_WIDE : SAMPLE_ROWS;
	struct sample s = { .frame = frame, .p = p, .n_strata = least(rows->n_rows, most) };
	double *t = NULL;
	s.pick = hs_alloc(s.n_strata, sizeof(size_t), err);
	s.used = s.pick ? hs_alloc(s.n_strata, 1, err) : NULL;
	s.row = s.used ? hs_alloc((size_t)hs_par_threads(), p * sizeof(double), err) : NULL;
	s.y = s.row ? hs_alloc(s.n_strata, p * sizeof(double), err) : NULL;
	for (size_t i = 0; s.y && i < s.n_strata; i++) {
		const size_t each = rows->n_rows / s.n_strata, longer = rows->n_rows % s.n_strata,
			     first = i * each + least(i, longer);
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_SAMPLE, i);
		s.pick[i] = first + hs_rng_below(&rng, each + (i < longer));
	}
	if (s.y && hs_rows_each(rows, "sample", take_sample, &s, err) == 0) {
		for (size_t i = 0; i < s.n_strata; i++)
			s.n += s.used[i];
		t = by_channel(&s, err);
	}
	*n_used = s.n;
	free(s.pick);
	free(s.used);
	free(s.row);
	free(s.y);
	return t;
}

/* Eigenvalues of t t^T, or of t^T t when that is smaller; first, when not NULL, the leading vector of that side. */
static int spectrum(const double *t, size_t n, size_t p, double *value, double *first, struct hs_err *err)
{
	const size_t size = least(n, p);
	double *a = hs_alloc(size * size, sizeof *a, err);
	if (!a)
		return -1;
	cblas_dsyrk(CblasRowMajor, CblasUpper, n < p ? CblasTrans : CblasNoTrans, (int)size, (int)(n < p ? p : n), 1, t, (int)n,
		0, a, (int)size);
	const int verdict = hs_la_eigh(a, size, first ? 1 : 0, value, first, err);
	free(a);
	return verdict;
}

/* Without centring the first component is mostly the mean, and shuffling within channels leaves the mean alone: it is taken for
 * granted, and removed before the comparison. */
static int remove_first(double *t, size_t n, size_t p, struct hs_err *err)
{
	const size_t size = least(n, p), other = n < p ? p : n;
	double *value = hs_alloc(size, sizeof *value, err), *vector = value ? hs_alloc(size, sizeof *vector, err) : NULL,
	       *across = vector ? hs_alloc(other, sizeof *across, err) : NULL;
	const int verdict = across ? spectrum(t, n, p, value, vector, err) : -1;
	if (verdict == 0) {
		cblas_dgemv(
			CblasRowMajor, n < p ? CblasNoTrans : CblasTrans, (int)p, (int)n, 1, t, (int)n, vector, 1, 0, across, 1);
		cblas_dger(CblasRowMajor, (int)p, (int)n, -1, n < p ? across : vector, 1, n < p ? vector : across, 1, t, (int)n);
	}
	free(value);
	free(vector);
	free(across);
	return verdict;
}

static void remove_means(double *t, size_t n, size_t p)
{
	for (size_t j = 0; j < p; j++) {
		double mean = 0;
		for (size_t i = 0; i < n; i++)
			mean += t[j * n + i];
		mean /= (double)n;
		for (size_t i = 0; i < n; i++)
			t[j * n + i] -= mean;
	}
}

static int shuffled_spectrum(const double *t, size_t n, size_t p, uint64_t seed, size_t round, double *value, struct hs_err *err)
{
	double *copy = hs_alloc(n * p, sizeof *copy, err);
	if (!copy)
		return -1;
	memcpy(copy, t, n * p * sizeof *copy);
	for (size_t j = 0; j < p; j++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_PERMUTE, (uint64_t)round << 32 | j);
		for (size_t i = n - 1; i > 0; i--) {
			const size_t other = hs_rng_below(&rng, i + 1);
			const double keep = copy[j * n + i];
			copy[j * n + i] = copy[j * n + other];
			copy[j * n + other] = keep;
		}
	}
	const int verdict = spectrum(copy, n, p, value, NULL, err);
	free(copy);
	return verdict;
}

static size_t compare(const double *own, const double *shuffled, size_t size)
{
	size_t k = 0;
	for (; k < size; k++) {
		double at[ROUNDS];
		for (size_t b = 0; b < ROUNDS; b++)
			at[b] = shuffled[b * size + k];
		qsort(at, ROUNDS, sizeof *at, ascending);
		const double place = QUANTILE * (ROUNDS - 1);
		const size_t below = (size_t)place;
		if (!(own[k] > at[below] + (place - (double)below) * (at[below + 1] - at[below])))
			break;
	}
	return k;
}

static int against_shuffled(const double *t, size_t n, size_t p, uint64_t seed, size_t *rank, struct hs_err *err)
{
	const size_t size = least(n, p);
	double *own = hs_alloc(size, sizeof *own, err), *shuffled = own ? hs_alloc(ROUNDS * size, sizeof *shuffled, err) : NULL;
	int verdict = shuffled ? spectrum(t, n, p, own, NULL, err) : -1;
	struct hs_err round_err[ROUNDS] = { 0 };
	const int threads = (int)least((size_t)hs_par_threads(), ROUNDS_AT_ONCE);
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (verdict == 0)
	for (size_t b = 0; b < (verdict == 0 ? ROUNDS : 0); b++)
		shuffled_spectrum(t, n, p, seed, b, shuffled + b * size, &round_err[b]);
	for (size_t b = 0; b < ROUNDS && verdict == 0; b++)
		if (hs_failed(&round_err[b])) {
			*err = round_err[b];
			verdict = -1;
		}
	if (verdict == 0)
		*rank = compare(own, shuffled, size);
	free(own);
	free(shuffled);
	return verdict;
}

int hs_rank_parallel(struct hs_rowsource *rows, const struct hs_row_frame *frame, uint64_t seed, size_t *rank, struct hs_err *err)
{
	const size_t p = rows->n_chan;
	const bool centred = frame->centre != HS_CENTRE_NONE;
	size_t n;
	if (frame->n_chan != p)
		return hs_fail(err, HS_BAD_DATA, "components have %zu channels, the spectra %zu", frame->n_chan, p);
	double *t = read_sample(rows, frame, seed, &n, err);
	if (!t)
		return -1;
	*rank = 0;
	double largest = 0;
	for (size_t i = 0; i < n * p; i++)
		largest = fmax(largest, fabs(t[i]));
	int verdict = 0;
	if (n > 1 && largest > 0) {
		if (centred)
			remove_means(t, n, p);
		verdict = centred ? 0 : remove_first(t, n, p, err);
		if (verdict == 0)
			verdict = against_shuffled(t, n, p, seed, rank, err);
		*rank += !centred;
	}
	free(t);
	return verdict;
}
