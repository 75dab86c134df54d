#include "unmix/abundance.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"
#include "math/moments.h"
#include "math/par.h"

enum { STRIP = 256, WAVE = 16 };              /* rows at a time in a thread; blocks whose results wait for their turn */

static const double RANK = 1e-12;             /* LS: singular values below this part of the largest are rounding */

/* --- endmembers as they are worked with --------------------------------------------------------------------------- */

static int scale_of(const double *spectra, size_t n, double *scale, struct hs_err *err)
{
	double most = 0;
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(spectra[i]))
			return hs_fail(err, HS_BAD_DATA, "an endmember holds a value that is not finite");
		most = fmax(most, fabs(spectra[i]));
	}
	const int power = most > 0 ? ilogb(most) : 0;
	*scale = ldexp(1, power > 1000 ? -1000 : power < -1000 ? 1000 : -power);
	return 0;
}

static int weigh(struct hs_abundance *u, const double *weight, struct hs_err *err)
{
	const size_t p = u->n_chan;
	u->probe = u->model;
	if (!weight)
		return 0;
	u->probe = hs_alloc(u->k * p, sizeof(double), err);
	if (!u->probe)
		return -1;
	double most = 0;
	for (size_t c = 0; c < p; c++) {
		if (!(weight[c] >= 0) || !isfinite(weight[c]))
			return hs_fail(err, HS_BAD_DATA, "weight %zu of the channels is negative or not finite", c);
		most = fmax(most, weight[c]);
	}
	for (size_t c = 0; c < p; c++) {
		const double w = most > 0 ? weight[c] / most : 0;
		for (size_t j = 0; j < u->k; j++)
			u->probe[j * p + c] = u->model[j * p + c] * w * w;
	}
	return 0;
}

/* The mean of the endmembers becomes the origin. */
static int centre(struct hs_abundance *u, struct hs_err *err)
{
	const size_t p = u->n_chan;
	u->shift = hs_alloc(p, sizeof(double), err);
	if (!u->shift)
		return -1;
	for (size_t c = 0; c < p; c++) {
		for (size_t j = 0; j < u->k; j++)
			u->shift[c] += u->model[j * p + c] / (double)u->k;
		for (size_t j = 0; j < u->k; j++)
			u->model[j * p + c] -= u->shift[c];
	}
	return 0;
}

/* Endmembers become as long as 1; zero ones stay. Returns the mean of what their squares were. */
static double to_unit_length(struct hs_abundance *u)
{
	const size_t p = u->n_chan;
	double mean = 0;
	for (size_t j = 0; j < u->k; j++) {
		double *e = u->model + j * p, *test = u->probe + j * p, square = cblas_ddot((int)p, e, 1, test, 1);
		mean += square / (double)u->k;
		u->unit[j] = square > 0 ? 1 / sqrt(square) : 1;
		cblas_dscal((int)p, u->unit[j], e, 1);
		if (test != e)
			cblas_dscal((int)p, u->unit[j], test, 1);
	}
	return mean;
}

/* LS: the pseudo-inverse of the endmembers becomes the probe, so that b is the answer. By singular values: scalar products would
 * square the condition. */
static int invert(struct hs_abundance *u, const double *weight, struct hs_err *err)
{
	const size_t k = u->k, p = u->n_chan, r = k < p ? k : p;
	double *e = hs_alloc(k * p, sizeof *e, err), *left = e ? hs_alloc(k * r, sizeof *left, err) : NULL,
	       *value = left ? hs_alloc(r, sizeof *value, err) : NULL, *right = value ? hs_alloc(r * p, sizeof *right, err) : NULL;
	if (right && u->probe == u->model)
		u->probe = hs_alloc(k * p, sizeof *u->probe, err);
	int verdict = right && u->probe ? 0 : -1;
	for (size_t i = 0; verdict == 0 && i < k * p; i++)
		e[i] = weight ? u->model[i] * weight[i % p] : u->model[i];
	if (verdict == 0)
		verdict = hs_la_svd(e, k, p, left, value, right, err);
	for (size_t l = 0; verdict == 0 && l < r; l++) {
		const double factor = value[l] > RANK * value[0] ? 1 / value[l] : 0;
		for (size_t c = 0; c < p; c++)
			right[l * p + c] *= factor * (weight ? weight[c] : 1);
	}
	if (verdict == 0)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)p, (int)r, 1, left, (int)r, right, (int)p, 0, u->probe,
			(int)p);
	free(e);
	free(left);
	free(value);
	free(right);
	return verdict;
}

static int prepare_solver(struct hs_abundance *u, const struct hs_abundance_options *o, struct hs_err *err)
{
	const size_t k = u->k, p = u->n_chan;
	if (u->method == HS_ABUNDANCE_LS)
		return invert(u, o->weight, err);
	double *gram = hs_alloc(k * k, sizeof *gram, err);
	if (!gram)
		return -1;
	/* each element by one scalar product, so that it does not depend on its place among the others */
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j <= i; j++)
			gram[i * k + j] = gram[j * k + i] = cblas_ddot((int)p, u->model + i * p, 1, u->probe + j * p, 1);
	int verdict;
	u->alternating = u->method == HS_ABUNDANCE_SUNSAL && (o->no_table || k > HS_ACTIVE_TABLE);
	if (u->alternating)
		verdict = hs_sunsal_init(&u->sunsal, gram, k, err);
	else
		verdict = hs_active_set_init(
			&u->set, gram, k, u->method == HS_ABUNDANCE_FCLS, o->no_table ? 0 : HS_ACTIVE_TABLE, err);
	free(gram);
	return verdict;
}

int hs_abundance_init(struct hs_abundance *u, const double *spectra, size_t k, size_t n_chan,
	const struct hs_abundance_options *o, struct hs_err *err)
{
	size_t values;
	*u = (struct hs_abundance){ .method = o->method, .k = k, .n_chan = n_chan, .row_sum = o->row_sum };
	if (!k)
		return hs_fail(err, HS_USAGE, "abundances want at least one endmember");
	if (o->method == HS_ABUNDANCE_SUNSAL && !(o->lambda >= 0))
		return hs_fail(err, HS_USAGE, "the weight of sparsity is below zero");
	if (!hs_mul(k, n_chan, &values) || k > INT32_MAX / 8)
		return hs_fail(err, HS_BAD_DATA, "%zu endmembers of %zu channels are too many", k, n_chan);
	if (scale_of(spectra, values, &u->scale, err) < 0)
		return -1;
	u->model = hs_alloc(values, sizeof(double), err);
	u->unit = u->model ? hs_alloc(k, sizeof(double), err) : NULL;
	u->price = u->unit ? hs_alloc(k, sizeof(double), err) : NULL;
	if (!u->price)
		return -1;
	for (size_t i = 0; i < values; i++)
		u->model[i] = spectra[i] * u->scale;
	if ((o->method == HS_ABUNDANCE_FCLS && centre(u, err) < 0) || weigh(u, o->weight, err) < 0)
		return -1;
	for (size_t j = 0; j < k; j++)
		u->unit[j] = 1;
	const double square = o->method == HS_ABUNDANCE_FCLS ? 0 : to_unit_length(u);
	for (size_t j = 0; o->method == HS_ABUNDANCE_SUNSAL && j < k; j++)
		u->price[j] = o->lambda * square * u->unit[j];
	return prepare_solver(u, o, err);
}

void hs_abundance_release(struct hs_abundance *u)
{
	if (u->probe != u->model)
		free(u->probe);
	free(u->model);
	free(u->shift);
	free(u->unit);
	free(u->price);
	hs_active_set_release(&u->set);
	hs_sunsal_release(&u->sunsal);
	*u = (struct hs_abundance){ 0 };
}

/* --- solving ------------------------------------------------------------------------------------------------------ */

size_t hs_abundance_scratch(const struct hs_abundance *u, size_t n)
{
	return u->alternating ? hs_sunsal_scratch(n, u->k) : hs_active_set_scratch(u->k);
}

/* In coordinates of the model. */
static size_t solve(const struct hs_abundance *u, double *b, size_t n, double *a, double *scratch)
{
	const size_t k = u->k;
	size_t unsolved = 0;
	if (u->method == HS_ABUNDANCE_LS) {
		memcpy(a, b, n * k * sizeof *a);
		return 0;
	}
	for (size_t i = 0; u->method == HS_ABUNDANCE_SUNSAL && i < n; i++)
		for (size_t j = 0; j < k; j++)
			b[i * k + j] -= u->price[j];
	if (u->alternating)
		return hs_sunsal_solve(&u->sunsal, b, n, a, scratch);
	for (size_t i = 0; i < n; i++)
		unsolved += !hs_active_set_solve(&u->set, b + i * k, a + i * k, scratch);
	return unsolved;
}

/* ... and in those of the endmembers as given. */
static void finish(const struct hs_abundance *u, size_t n, double *a)
{
	const size_t k = u->k;
	for (size_t i = 0; i < n && u->method != HS_ABUNDANCE_FCLS; i++) {
		double sum = 0;
		for (size_t j = 0; j < k; j++)
			sum += a[i * k + j] *= u->unit[j];
		for (size_t j = 0; u->method == HS_ABUNDANCE_NNLS_SUM && sum > 0 && j < k; j++)
			a[i * k + j] /= sum;
	}
}

size_t hs_abundance_solve(const struct hs_abundance *u, double *b, size_t n, double *a, double *scratch)
{
	const size_t unsolved = solve(u, b, n, a, scratch);
	finish(u, n, a);
	return unsolved;
}

/* --- the pass ----------------------------------------------------------------------------------------------------- */

struct partial {                              /* of one block */
	size_t n_used, n_unsolved;
	double squares;                       /* mean squared residuals of its rows, times scale squared, summed */
	bool too_large;
};

struct pass {
	const struct hs_abundance *u;
	struct hs_abundance_sums *sums;
	double *scratch;                      /* threads x share */
	size_t share, block_rows;
	float *out;                           /* a wave of blocks: rows x k */
	struct partial *partial;              /* a wave */
	double *block_mean;                   /* a wave x k */
	double squares;
	hs_rows_put put;
	void *to;
};

/* Usable rows of a strip as the solver sees them, one after the other; where: their places, undo: what brings a residual back to
 * the unit of the data. */
static size_t pack(const struct hs_abundance *u, const struct hs_block *b, size_t first, size_t n, double *y, size_t *where,
	double *undo)
{
	const size_t p = u->n_chan;
	size_t used = 0;
	for (size_t i = first; i < first + n; i++) {
		const double *wide = (const double *)b->x + i * p;
		const float *narrow = (const float *)b->x + i * p;
		double *row = y + used * p, sum = 0, factor = u->scale;
		if (b->skip[i])
			continue;
		for (size_t c = 0; c < p; c++)
			row[c] = b->type == HS_ROW_F64 ? wide[c] : (double)narrow[c];
		for (size_t c = 0; u->row_sum > 0 && c < p; c++)
			sum += row[c];
		if (u->row_sum > 0 && !(sum > 0))
			continue;
		if (u->row_sum > 0)
			factor *= u->row_sum / sum;
		for (size_t c = 0; c < p; c++)
			row[c] *= factor;
		for (size_t c = 0; u->shift && c < p; c++)
			row[c] -= u->shift[c];
		undo[used] = 1 / factor;
		where[used++] = i;
	}
	return used;
}

static bool all_finite(const double *x, size_t n)
{
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += x[i] * 0;
	return s == 0;
}

/* One strip: abundances, then what they leave of the rows, which are overwritten with it. */
static void do_strip(const struct pass *q, const struct hs_block *block, size_t first, size_t n, double *y, float *out,
	struct partial *part, double *mean)
{
	const struct hs_abundance *u = q->u;
	const size_t k = u->k, p = u->n_chan;
	double *b = y + STRIP * p, *a = b + STRIP * k, *undo = a + STRIP * k;
	size_t *where = (size_t *)(undo + STRIP);
	double *scratch = undo + 2 * STRIP, *residual = q->sums->residual ? q->sums->residual + block->first_row : NULL;
	const size_t used = pack(u, block, first, n, y, where, undo);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)used, (int)k, (int)p, 1, y, (int)p, u->probe, (int)p, 0, b, (int)k);
	if (!all_finite(b, used * k)) {
		part->too_large = true;
		return;
	}
	part->n_used += used;
	part->n_unsolved += solve(u, b, used, a, scratch);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)used, (int)p, (int)k, -1, a, (int)k, u->model, (int)p, 1, y,
		(int)p);
	finish(u, used, a);
	for (size_t i = first; i < first + n; i++) {
		for (size_t j = 0; j < k; j++)
			out[i * k + j] = NAN;
		if (residual)
			residual[i] = (double)NAN;
	}
	for (size_t i = 0; i < used; i++) {
		const double rms = cblas_dnrm2((int)p, y + i * p, 1) / sqrt((double)p) * undo[i];
		part->squares += rms * u->scale * rms * u->scale;
		if (residual)
			residual[where[i]] = rms;
		for (size_t j = 0; j < k; j++) {
			out[where[i] * k + j] = (float)a[i * k + j];
			mean[j] += a[i * k + j];
		}
	}
}

static int do_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	struct pass *q = ctx;
	const size_t k = q->u->k;
	memset(q->partial, 0, n_blocks * sizeof *q->partial);
	memset(q->block_mean, 0, n_blocks * k * sizeof *q->block_mean);
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++)
		for (size_t first = 0; first < block[b].n_rows; first += STRIP) {
			const size_t left = block[b].n_rows - first;
			do_strip(q, &block[b], first, left < STRIP ? left : STRIP,
				q->scratch + (size_t)omp_get_thread_num() * q->share, q->out + b * q->block_rows * k, &q->partial[b],
				q->block_mean + b * k);
		}
	size_t n_rows = 0;
	for (size_t b = 0; b < n_blocks; b++) {
		if (q->partial[b].too_large)
			return hs_fail(err, HS_BAD_DATA, "a spectrum between %zu and %zu is too large for these endmembers: "
				"divide the values by their magnitude first", block[b].first_row, block[b].first_row + block[b].n_rows - 1);
		n_rows += block[b].n_rows;
		q->sums->n_used += q->partial[b].n_used;
		q->sums->n_unsolved += q->partial[b].n_unsolved;
		q->squares += q->partial[b].squares;
		for (size_t j = 0; q->sums->mean && j < k; j++)
			q->sums->mean[j] += q->block_mean[b * k + j];
	}
	return q->put ? q->put(q->to, block[0].first_row, n_rows, q->out, err) : 0;
}

static size_t wave_for(size_t threads)
{
	return threads < 2 ? 1 : 2 * threads < WAVE ? 2 * threads : WAVE;
}

static size_t share_for(size_t n_chan, size_t k, size_t solver)
{
	return STRIP * (n_chan + 2 * k + 2) + solver;
}

size_t hs_abundance_bytes(size_t n_chan, size_t k, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : hs_par_threads()), alternating = hs_sunsal_scratch(STRIP, k),
		     one = hs_active_set_scratch(k), solver = one > alternating ? one : alternating;
	return hs_active_set_bytes(k) + (6 * k * n_chan + 4 * k * k + n_chan + t * share_for(n_chan, k, solver)) * sizeof(double) +
		wave_for(t) * hs_block_rows(n_chan) * k * sizeof(float);
}

int hs_abundance_rows(const struct hs_abundance *u, struct hs_rowsource *rows, hs_rows_put put, void *to,
	struct hs_abundance_sums *sums, struct hs_err *err)
{
	const size_t k = u->k, threads = (size_t)hs_par_threads(), wave = wave_for(threads);
	if (rows->n_chan != u->n_chan)
		return hs_fail(err, HS_BAD_DATA, "endmembers have %zu channels, the spectra %zu", u->n_chan, rows->n_chan);
	struct pass q = { .u = u, .sums = sums, .share = share_for(u->n_chan, k, hs_abundance_scratch(u, STRIP)),
		.block_rows = rows->block_rows, .put = put, .to = to };
	sums->n_used = sums->n_unsolved = 0;
	sums->rms = 0;
	if (sums->mean)
		memset(sums->mean, 0, k * sizeof *sums->mean);
	q.scratch = hs_alloc(threads, q.share * sizeof(double), err);
	q.out = q.scratch ? hs_alloc(wave * rows->block_rows, k * sizeof(float), err) : NULL;
	q.partial = q.out ? hs_alloc(wave, sizeof *q.partial, err) : NULL;
	q.block_mean = q.partial ? hs_alloc(wave * k, sizeof(double), err) : NULL;
	const int verdict = q.block_mean ? hs_waves_each(rows, "abundances", wave, do_wave, &q, err) : -1;
	for (size_t j = 0; sums->mean && sums->n_used && j < k; j++)
		sums->mean[j] /= (double)sums->n_used;
	if (sums->n_used)
		sums->rms = sqrt(q.squares / (double)sums->n_used) / u->scale;
	free(q.scratch);
	free(q.out);
	free(q.partial);
	free(q.block_mean);
	return verdict;
}
