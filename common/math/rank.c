#include "math/rank.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"

enum { SAMPLE_ROWS = 4096, SAMPLE_ROWS_WIDE = 2048, WIDE_CHANNELS = 2048, ROUNDS = 20, ROUNDS_AT_ONCE = 8, ELBOW_POINTS = 20 };
#define QUANTILE 0.95

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Eigenvalues that are more than rounding. */
static size_t count_nonzero(const double *eig, size_t n_eig, size_t n, size_t p)
{
	const double floor = n_eig ? eig[0] * (double)(n > p ? n : p) * DBL_EPSILON : 0;
	size_t r = 0;
	while (r < least(n_eig, least(n, p)) && eig[r] > floor)
		r++;
	return r;
}

/* --- Tracy-Widom -------------------------------------------------------------------------------------------------- */

/* Noise variance when k components are signal. The mean of the rest is too small, because each signal eigenvalue has drawn
 * some noise up with it; Kritchman and Nadler's equation 19 gives that part back, by iteration. */
static double noise_behind(const double *eig, size_t k, double rest, double n, double p)
{
	const double free = p - (double)k, plain = rest / free;
	double noise = plain;
	for (int round = 0; round < 20; round++) {
		double drawn = 0;
		for (size_t j = 0; j < k; j++) {
			const double b = eig[j] + noise - noise * free / n, root = b * b - 4 * eig[j] * noise;
			if (root >= 0 && b > 0)
				drawn += eig[j] - (b + sqrt(root)) / 2;
		}
		const double next = plain + drawn / free, step = fabs(next - noise);
		noise = next;
		if (step <= 1e-10 * noise)
			break;
	}
	return noise;
}

size_t hs_rank_tw(const double *eig, size_t n_eig, size_t n, size_t p, double threshold)
{
	const size_t last = count_nonzero(eig, n_eig, n, p);
	double rest = 0;
	for (size_t i = n_eig; i-- > 0;)
		rest += eig[i];
	size_t k = 0;
	for (; k < last && n > 1; rest -= eig[k++]) {
		const double q = (double)(p - k), m = sqrt((double)n - 1) + sqrt(q),
			     spread = m * cbrt(1 / sqrt((double)n - 1) + 1 / sqrt(q));
		if (!((double)n * eig[k] > noise_behind(eig, k, rest, (double)n, (double)p) * (m * m + threshold * spread)))
			break;
	}
	return k;
}

/* --- Gavish and Donoho -------------------------------------------------------------------------------------------- */

/* With t = 1 + beta + 2 sqrt(beta) cos(phi) the law's square-root edges vanish; this is its mass above t, by Simpson's rule. */
static double mass_above(double phi, double beta)
{
	enum { STEPS = 256 };
	const double h = phi / STEPS;
	double sum = 0;
	for (int i = 1; i <= STEPS; i++) {
		const double s = sin(i * h), f = s * s / (1 + beta + 2 * sqrt(beta) * cos(i * h));
		sum += f * (i == STEPS ? 1 : i % 2 ? 4 : 2);
	}
	return sum * h / 3 * 2 / M_PI;
}

double hs_marchenko_pastur_median(double beta)
{
	double low = 0, high = M_PI * (1 - 1e-9);
	for (int i = 0; i < 60; i++) {
		const double middle = (low + high) / 2;
		if (mass_above(middle, beta) < 0.5)
			low = middle;
		else
			high = middle;
	}
	return 1 + beta + 2 * sqrt(beta) * cos(low);
}

size_t hs_rank_gd(const double *eig, size_t n_eig, size_t n, size_t p)
{
	const size_t last = count_nonzero(eig, n_eig, n, p), all = least(n, p);
	if (!last)
		return 0;
	const double beta = (double)all / (double)(n > p ? n : p),
		     lambda = sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + sqrt(beta * beta + 14 * beta + 1))),
		     low = all / 2 < last ? sqrt(eig[all / 2]) : 0, high = (all - 1) / 2 < last ? sqrt(eig[(all - 1) / 2]) : 0,
		     cut = lambda / sqrt(hs_marchenko_pastur_median(beta)) * (low + high) / 2;
	size_t k = 0;
	while (k < last && sqrt(eig[k]) > cut)
		k++;
	return k;
}

/* --- probabilistic PCA -------------------------------------------------------------------------------------------- */

size_t hs_rank_bic(const double *eig, size_t n_eig, size_t n, size_t p)
{
	const size_t last = count_nonzero(eig, n_eig, n, p);
	if (!last)
		return 0;
	const double floor = eig[0] * (double)(n > p ? n : p) * DBL_EPSILON, dn = (double)n, dp = (double)p;
	double rest = 0, logs = 0, best = INFINITY;
	size_t answer = 0;
	for (size_t i = n_eig; i-- > 0;)
		rest += eig[i];
	for (size_t k = 0; k <= last && k < p; k++) {
		const double dk = (double)k, noise = fmax(rest / (dp - dk), floor);
		const double twice_l = -dn * (dp * log(2 * M_PI) + logs + (dp - dk) * log(noise) + dp);
		const double bic = -twice_l + (dp * dk - dk * (dk + 1) / 2 + dk + 1) * log(dn);
		if (bic < best) {
			best = bic;
			answer = k;
		}
		if (k < last) {
			logs += log(eig[k]);
			rest -= eig[k];
		}
	}
	return answer;
}

/* log(lambda_i - lambda_j), with a floor instead of minus infinity for equal eigenvalues. */
static double log_gap(double a, double b, double floor)
{
	return log(fmax(a - b, floor));
}

/* Minka's equation 30 with its double product kept up from one k to the next: O(p) a step instead of O(p k). */
size_t hs_rank_minka(const double *eig, size_t n_eig, size_t n, size_t p)
{
	const size_t last = count_nonzero(eig, n_eig, n, p);
	if (!last)
		return 0;
	const double floor = 1e-15 * eig[0], dn = (double)n, dp = (double)p, log_n = log(dn);
	double rest = 0, logs = 0, volume = 0;
	double inside = 0, outside = 0;       /* log |A_Z| over pairs i < j < k, and log(lambda_i - lambda_j) over i < k <= j */
	for (size_t i = n_eig; i-- > 0;)
		rest += eig[i];
	double best = -INFINITY;
	size_t answer = 0;
	for (size_t k = 1; k <= last && k < p; k++) {
		const double dk = (double)k, added = eig[k - 1];
		for (size_t i = 0; i + 1 < k; i++) {
			const double gap = log_gap(eig[i], added, floor);
			inside += gap + log(fmax(1 / added - 1 / eig[i], floor / (eig[0] * eig[0]))) + log_n;
			outside -= gap;
		}
		for (size_t j = k; j < p; j++)
			outside += log_gap(added, j < n_eig ? eig[j] : 0, floor);
		rest -= added;
		logs += log(added);
		volume += -log(2.0) + lgamma((dp - dk + 1) / 2) - log(M_PI) * (dp - dk + 1) / 2;
		const double noise = fmax(rest / (dp - dk), floor), m = dp * dk - dk * (dk + 1) / 2;
		double hessian = inside + outside + (dp - dk) * dk * log_n;
		for (size_t i = 0; i < k; i++)
			hessian += (dp - dk) * log(fmax(1 / noise - 1 / eig[i], floor / (eig[0] * eig[0])));
		const double evidence = volume - logs * dn / 2 - log(noise) * dn * (dp - dk) / 2 + log(2 * M_PI) * (m + dk) / 2 -
					hessian / 2 - dk * log_n / 2;
		if (evidence > best) {
			best = evidence;
			answer = k;
		}
	}
	return answer;
}

size_t hs_rank_elbow(const double *eig, size_t n_eig)
{
	double total = 0;
	for (size_t i = 0; i < n_eig; i++)
		total += eig[i];
	if (!(total > 0))
		return 0;
	const size_t end = least(ELBOW_POINTS, n_eig - 1);
	const double y0 = log(fmax(eig[0] / total, 1e-30)), slope = end ? log(fmax(eig[end] / total, 1e-30)) - y0 : 0;
	double far = -1;
	size_t elbow = 0;
	for (size_t i = 0; i < end; i++) {
		/* distance from the line, without its constant denominator */
		const double d = fabs((double)end * (y0 - log(fmax(eig[i] / total, 1e-30))) + (double)i * slope);
		if (d > far) {
			far = d;
			elbow = i;
		}
	}
	return elbow + 1;
}

/* --- parallel analysis -------------------------------------------------------------------------------------------- */

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

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
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

/* --- all together ------------------------------------------------------------------------------------------------- */

/* With many spectra the test sees that the noise is not quite the same everywhere (counting noise follows the signal, and no
 * scaling of rows and channels makes it flat): a crowd of components right above the edge. Signal stands apart; one or two
 * weak components may sit at the edge, a crowd of three or more within 10 % of it is noise. */
static size_t crowd_at_edge(const double *eig, size_t n_eig, size_t tw)
{
	size_t crowd = 0;
	while (tw < n_eig && crowd < tw && eig[tw - 1 - crowd] < 1.1 * eig[tw])
		crowd++;
	return crowd > 2 ? crowd : 0;
}

static void judge(struct hs_ranks *r, size_t p)
{
	const size_t crowd = r->crowd;
	const bool hopeless = r->tw > p / 4 && r->tw > 1;
	r->chosen = hopeless ? r->tw : r->tw - crowd;
	r->reason[0] = 0;
	if (hopeless)
		snprintf(r->reason, sizeof r->reason,
			"%zu of %zu channels would be signal: the noise differs between channels (counts want "
			"Poisson scaling) or a few spectra are far outside the rest",
			r->tw, p);
	else if (r->chosen == 0)
		snprintf(r->reason, sizeof r->reason, "no component stands out of the noise");
	else if (r->parallel != HS_RANK_UNKNOWN && r->parallel != r->chosen)
		snprintf(r->reason, sizeof r->reason, "the Tracy-Widom test finds %zu components, parallel analysis %zu", r->chosen,
			r->parallel);
	else if (crowd && r->chosen != r->gd && r->chosen != r->bic)
		snprintf(r->reason, sizeof r->reason, "%zu components stand apart, %zu more lie at the edge of the noise", r->chosen, crowd);
	r->disagree = *r->reason != 0;
}

void hs_ranks_find(struct hs_ranks *r, const double *eig, size_t n_eig, size_t n, size_t p)
{
	*r = (struct hs_ranks){ .tw = hs_rank_tw(eig, n_eig, n, p, HS_TW_1),
		.gd = hs_rank_gd(eig, n_eig, n, p),
		.minka = hs_rank_minka(eig, n_eig, n, p),
		.bic = hs_rank_bic(eig, n_eig, n, p),
		.elbow = hs_rank_elbow(eig, n_eig),
		.parallel = HS_RANK_UNKNOWN };
	r->crowd = crowd_at_edge(eig, n_eig, r->tw);
	judge(r, p);
}

void hs_ranks_set_parallel(struct hs_ranks *r, size_t parallel, size_t p)
{
	r->parallel = parallel;
	judge(r, p);
}
