#include "factor/robust.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "factor/rank.h"
#include "factor/reweigh.h"

enum { MOST_ROUNDS = 50, FREE_ROUNDS = 8, MEDIAN_ROUNDS = 8 };
#define CUT 4.685
#define TO_SIGMA 1.4826               /* median absolute deviation -> standard deviation of normal numbers */
#define SETTLED 1e-3
#define NEAR 1e-6                     /* of a typical row: differences below are rounding */

struct search {
	struct hs_robust *r;
	struct hs_rowsource *rows;
	const struct hs_pca_how *how;
	struct hs_row_frame frame;    /* of the weighted rows; owns its arrays */
	double sum;                   /* of the weights */
	double typical;               /* median norm of a row about the spatial median */
	double *norm;                 /* n_rows: what is looked at, NaN for rows not used */
	double *sorted;               /* n_rows */
	double *fit;                  /* wave x block_rows x k */
	const double *basis;          /* k vectors; k may be 0 */
	size_t k;
};

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Median of |value - centre| over the rows used. */
static double median_of(struct search *q, const double *value, double centre)
{
	size_t n = 0;
	for (size_t i = 0; i < q->rows->n_rows; i++)
		if (!isnan(value[i]))
			q->sorted[n++] = centre == 0 ? value[i] : fabs(value[i] - centre);
	qsort(q->sorted, n, sizeof *q->sorted, ascending);
	return n ? (q->sorted[n / 2] + q->sorted[(n - 1) / 2]) / 2 : 0;
}

static int norm_wave(void *ctx, struct hs_framed *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	struct search *q = ctx;
	const int p = (int)q->rows->n_chan, k = (int)q->k;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++) {
		const int n = (int)block[b].n;
		double *y = block[b].y, *t = q->fit + b * q->rows->block_rows * q->k;
		if (n && k) {
			cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, k, p, 1, y, p, q->basis, p, 0, t, k);
			cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, p, k, -1, t, k, q->basis, p, 1, y, p);
		}
		for (int i = 0; i < n; i++)
			q->norm[block[b].row[i]] = cblas_dnrm2(p, y + (size_t)i * (size_t)p, 1);
	}
	return 0;
}

/* Norm of what the first k vectors of basis leave of every row. */
static int distances(struct search *q, const double *basis, size_t k, struct hs_err *err)
{
	q->fit = hs_alloc(hs_framed_wave() * q->rows->block_rows, k * sizeof(double), err);
	if (!q->fit)
		return -1;
	q->basis = basis;
	q->k = k;
	for (size_t i = 0; i < q->rows->n_rows; i++)
		q->norm[i] = NAN;
	const int verdict = hs_framed_each(q->rows, &q->frame, "residuals", norm_wave, q, err);
	free(q->fit);
	return verdict;
}

/* The frame that the present weights give: their mean as the shift. Poisson: channel sums of the weighted counts. */
static int centre(struct search *q, struct hs_err *err)
{
	struct hs_row_frame *f = &q->frame;
	const size_t p = f->n_chan;
	const struct hs_row_frame bare = { .n_chan = p };
	double level = 0;
	if (hs_reweigh_mean(q->rows, &bare, q->r->weight, f->mean, &q->sum, err) < 0)
		return -1;
	for (size_t j = 0; j < p; j++)
		level += f->centre == HS_CENTRE_BOTH ? f->mean[j] / (double)p : 0;
	for (size_t j = 0; j < p; j++) {
		f->shift[j] = f->centre == HS_CENTRE_NONE ? 0 : f->mean[j] - level;
		f->root_sum[j] = f->mean[j] > 0 ? sqrt(f->mean[j] * q->sum) : 0;
	}
	return q->sum > 0 ? 0 : hs_fail(err, HS_BAD_DATA, "no usable spectrum: all %zu are masked or hold values that are not finite",
		q->rows->n_rows);
}

/* Weights by direction alone, about the spatial median: each round moves the centre to the mean of rows weighted by 1 / |y|
 * (Weiszfeld). */
static int spherical(struct search *q, struct hs_err *err)
{
	double *w = q->r->weight;
	for (size_t i = 0; i < q->rows->n_rows; i++)
		w[i] = 1;
	const size_t rounds = q->frame.centre == HS_CENTRE_NONE ? 0 : MEDIAN_ROUNDS;
	for (size_t round = 0; round <= rounds; round++) {
		if (centre(q, err) < 0 || distances(q, NULL, 0, err) < 0)
			return -1;
		const double middle = q->typical = median_of(q, q->norm, 0);
		for (size_t i = 0; i < q->rows->n_rows; i++) {
			const double ratio = middle > 0 ? fmax(q->norm[i] / middle, 1e-3) : 1;
			w[i] = isnan(q->norm[i]) ? NAN : round < rounds ? 1 / ratio : 1 / (ratio * ratio);
		}
	}
	return 0;
}

/* Components of the weighted rows, in the frame of the rows themselves. */
static int components(struct search *q, struct hs_pca *pca, struct hs_err *err)
{
	if (centre(q, err) < 0)
		return -1;
	struct hs_pca_how how = *q->how;
	how.options.centre = HS_CENTRE_NONE;
	how.silent = true;
	struct hs_rowsource *weighted = hs_reweigh_new(q->rows, &q->frame, q->r->weight, err);
	if (!weighted)
		return -1;
	if (how.method == HS_PCA_AUTO)        /* rows of weight 0 do not change what suits the size */
		how.method = hs_pca_choose(q->rows->n_rows, q->rows->n_chan, how.n_comp);
	const int verdict = hs_pca_find(pca, weighted, &how, err);
	hs_reweigh_free(weighted);
	if (verdict < 0)
		return -1;
	const bool centred = q->frame.centre != HS_CENTRE_NONE;
	const double scale = (double)pca->n_used / fmax(q->sum - (centred && q->sum > 1), 1e-300);
	for (size_t i = 0; i < pca->n_eig; i++)
		pca->eigenvalue[i] *= scale;
	pca->total *= scale;
	pca->frame.centre = q->frame.centre;
	for (size_t j = 0; j < pca->n_chan; j++) {
		pca->frame.mean[j] = q->frame.mean[j];
		pca->frame.shift[j] = q->frame.shift[j];
	}
	const size_t free_rows = (size_t)fmax(q->sum + 0.5, 1) - (centred && q->sum >= 2);
	pca->n_rows_free = free_rows < pca->n_rows_free ? free_rows : pca->n_rows_free;
	if (q->frame.centre == HS_CENTRE_BOTH && pca->n_chan_free > 1)
		pca->n_chan_free--;
	return 0;
}

static int rank_of(const struct hs_pca *pca, size_t *k, struct hs_err *err)
{
	struct hs_ranks ranks;
	if (hs_ranks_find_among(&ranks, pca->eigenvalue, pca->n_eig, pca->total, pca->floor, pca->n_rows_free, pca->n_chan_free,
		err) < 0)
		return -1;
	*k = ranks.tw > ranks.p / 4 ? ranks.gd : ranks.chosen;
	*k = *k > pca->n_comp ? pca->n_comp : *k;
	return 0;
}

/* New weights from the distances; returns the largest change. */
static double judge(struct search *q)
{
	struct hs_robust *r = q->r;
	const double middle = median_of(q, q->norm, 0), spread = TO_SIGMA * median_of(q, q->norm, middle);
	double moved = 0, size = 0;
	for (size_t j = 0; j < q->frame.n_chan; j++)
		size += q->frame.poisson ? 0 : fabs(q->frame.mean[j]) / (double)q->frame.n_chan;
	/* what rounding leaves of rows that the components describe entirely is no scale to judge by */
	const double digits = q->rows->type == HS_ROW_F32 ? 1e-7 : 1e-15, scale = fmax(fmax(spread, NEAR * q->typical), digits * size);
	r->n_outliers = 0;
	for (size_t i = 0; i < q->rows->n_rows; i++) {
		if (isnan(q->norm[i])) {
			r->weight[i] = NAN;
			continue;
		}
		const double z = scale > 0 ? (q->norm[i] - middle) / (CUT * scale) : 0, w = z <= 0 ? 1 : z < 1 ? (1 - z * z) * (1 - z * z) : 0;
		moved = fmax(moved, fabs(w - r->weight[i]));
		r->weight[i] = w;
		r->n_outliers += w == 0;
	}
	return moved;
}

static int rounds(struct search *q, struct hs_pca *pca, size_t k, bool (*stop)(void *), void *stop_ctx, struct hs_err *err)
{
	struct hs_robust *r = q->r;
	for (r->n_iter = 0; r->n_iter < MOST_ROUNDS && !r->converged; r->n_iter++) {
		if (r->n_iter && stop && stop(stop_ctx))
			break;
		hs_pca_release(pca);
		if (components(q, pca, err) < 0)
			return -1;
		/* while the weights still move, one component more or less would keep them from settling */
		if (!k && r->n_iter < FREE_ROUNDS && rank_of(pca, &r->k, err) < 0)
			return -1;
		if (k)
			r->k = k < pca->n_comp ? k : pca->n_comp;
		if (distances(q, pca->basis, r->k, err) < 0)
			return -1;
		r->converged = judge(q) < SETTLED && (k || r->n_iter >= 2);
		hs_detail("robust, round %zu: %zu components, %zu outliers", r->n_iter + 1, r->k, r->n_outliers);
	}
	return 0;
}

int hs_robust_find(struct hs_robust *r, struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how, size_t k,
	bool (*stop)(void *), void *stop_ctx, struct hs_err *err)
{
	const size_t n = rows->n_rows, p = rows->n_chan;
	*r = (struct hs_robust){ 0 };
	*pca = (struct hs_pca){ 0 };
	if (how->method == HS_PCA_SKETCH)
		return hs_fail(err, HS_USAGE, "weights are found by reading the spectra again and again: not by a sketch");
	if (how->options.poisson && how->options.centre != HS_CENTRE_NONE)
		return hs_fail(err, HS_USAGE, "Poisson scaling does not go with centring: scaled spectra are not centred");
	struct search q = { .r = r, .rows = rows, .how = how, .frame = { .n_chan = p, .centre = how->options.centre,
		.poisson = how->options.poisson, .exact = how->options.exact } };
	bool ok = (r->weight = hs_alloc(n, sizeof(double), err)) && (q.norm = hs_alloc(n, sizeof(double), err)) &&
		(q.sorted = hs_alloc(n, sizeof(double), err)) && (q.frame.mean = hs_alloc(p, sizeof(double), err)) &&
		(q.frame.shift = hs_alloc(p, sizeof(double), err)) && (q.frame.root_sum = hs_alloc(p, sizeof(double), err));
	int verdict = ok ? spherical(&q, err) : -1;
	if (verdict == 0)
		verdict = rounds(&q, pca, k, stop, stop_ctx, err);
	free(q.norm);
	free(q.sorted);
	free(q.frame.mean);
	free(q.frame.shift);
	free(q.frame.root_sum);
	return verdict;
}

void hs_robust_release(struct hs_robust *r)
{
	free(r->weight);
	*r = (struct hs_robust){ 0 };
}

size_t hs_robust_bytes(size_t n_rows, size_t n_chan, enum hs_pca_method method, size_t n_comp, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : 1), wave = 2 * t < 16 ? 2 * t : 16,
		     residual = hs_framed_bytes(n_chan, threads) + wave * hs_block_rows(n_chan) * n_comp * sizeof(double),
		     find = hs_pca_find_bytes(n_rows, n_chan, method, n_comp, threads) + hs_reweigh_bytes(n_chan, threads);
	return (3 * n_rows + (4 + n_comp) * n_chan) * sizeof(double) + (residual > find ? residual : find);
}
