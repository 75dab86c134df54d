#include "cluster/minibatch.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/moments.h"
#include "math/par.h"
#include "cluster/validity.h"
#include "math/vector.h"

enum { STRIP = 128 };                   /* rows multiplied with the centres at a time; the same for any number of threads */

void hs_minibatch_free(struct hs_minibatch *mb)
{
	if (!mb)
		return;
	free(mb->centre);
	free(mb->shift);
	free(mb->count);
	free(mb->aim);
	free(mb->square);
	free(mb);
}

/* What rows are compared with follows the centre. */
static void take_aim(struct hs_minibatch *mb, size_t c)
{
	const size_t p = mb->n_chan;
	const double *centre = mb->centre + c * p;
	double *aim = mb->aim + c * p, norm2 = 0;
	for (size_t j = 0; j < p; j++)
		norm2 += (centre[j] + mb->shift[j]) * (centre[j] + mb->shift[j]);
	const double norm = mb->unit && norm2 > 0 ? sqrt(norm2) : 1;
	for (size_t j = 0; j < p; j++)
		aim[j] = mb->unit ? (centre[j] + mb->shift[j]) / norm - mb->shift[j] : centre[j];
	mb->square[c] = hs_dot(aim, aim, p);
}

struct hs_minibatch *hs_minibatch_new(const double *x, size_t n, size_t n_chan, const struct hs_kmeans_options *opt,
	struct hs_err *err)
{
	struct hs_minibatch *mb = hs_alloc(1, sizeof *mb, err);
	struct hs_rowsource *rows = mb ? hs_array_rows_new(x, HS_ROW_F64, n, n_chan, NULL, err) : NULL;
	struct hs_kmeans km = { 0 };
	const size_t p = n_chan;
	int verdict = rows ? hs_kmeans(rows, opt, &km, err) : -1;
	hs_array_rows_free(rows);
	if (verdict == 0 && !km.k)
		verdict = hs_fail(err, HS_BAD_DATA, "no row of the first sample can be used");
	if (verdict == 0) {
		*mb = (struct hs_minibatch){ .k = km.k, .n_chan = p, .unit = opt->spherical };
		if (!(mb->centre = hs_alloc(km.k * p, sizeof(double), err)) || !(mb->shift = hs_alloc(p, sizeof(double), err)) ||
			!(mb->count = hs_alloc(km.k, sizeof(double), err)) || !(mb->aim = hs_alloc(km.k * p, sizeof(double), err)) ||
			!(mb->square = hs_alloc(km.k, sizeof(double), err)))
			verdict = -1;
	}
	for (size_t c = 0; verdict == 0 && c < km.k; c++) {
		mb->count[c] = (double)km.size[c];
		for (size_t j = 0; j < p; j++)
			mb->shift[j] += km.centroid[c * p + j] * ((double)km.size[c] / (double)km.n_used);
	}
	for (size_t c = 0; verdict == 0 && c < km.k; c++) {
		for (size_t j = 0; j < p; j++)
			mb->centre[c * p + j] = km.centroid[c * p + j] - mb->shift[j];
		take_aim(mb, c);
	}
	hs_kmeans_release(&km);
	if (verdict < 0) {
		hs_minibatch_free(mb);
		return NULL;
	}
	return mb;
}

/* ---- batches ---- */

/* Rows as they are compared: z = x or x/|x|, less shift. A row without length is NaN in its first value. */
static void prepare_row(const struct hs_minibatch *mb, const double *x, double *z)
{
	const size_t p = mb->n_chan;
	const double norm = mb->unit ? sqrt(hs_dot(x, x, p)) : 1;
	for (size_t j = 0; j < p; j++)
		z[j] = x[j] / norm - mb->shift[j];
	if (!(norm > 0))
		z[0] = NAN;
}

/* Nearest centres of n <= STRIP prepared rows; dot has room for n x k. */
static void nearest(const struct hs_minibatch *mb, const double *z, size_t n, double *dot, int32_t *label)
{
	const size_t k = mb->k, p = mb->n_chan;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n, (blasint)k, (blasint)p, 1, z, (blasint)p, mb->aim, (blasint)p,
		0, dot, (blasint)k);
	for (size_t i = 0; i < n; i++) {
		double best = INFINITY;
		label[i] = -1;
		for (size_t c = 0; c < k && !isnan(z[i * p]); c++) {
			const double d = mb->square[c] - 2 * dot[i * k + c];
			if (d < best) {
				best = d;
				label[i] = (int32_t)c;
			}
		}
	}
}

/* One batch: z (n x n_chan, room for STRIP x k more behind it a strip) is filled; all rows are placed, then the centres move. */
static void learn(struct hs_minibatch *mb, const double *x, size_t n, double *z, double *dot, int32_t *label)
{
	const size_t p = mb->n_chan, k = mb->k;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (n * p * k > 1000000)
	for (size_t from = 0; from < n; from += STRIP) {
		const size_t m = n - from < STRIP ? n - from : STRIP;
		for (size_t i = from; i < from + m; i++)
			prepare_row(mb, x + i * p, z + i * p);
		nearest(mb, z + from * p, m, dot + from * k, label + from);
	}
	for (size_t i = 0; i < n; i++) {
		if (label[i] < 0)
			continue;
		double *centre = mb->centre + (size_t)label[i] * p;
		const double *row = z + i * p, rate = 1 / ++mb->count[label[i]];
		for (size_t j = 0; j < p; j++)
			centre[j] += (row[j] - centre[j]) * rate;
	}
	for (size_t c = 0; c < k; c++)
		take_aim(mb, c);
}

int hs_minibatch_feed(struct hs_minibatch *mb, const double *x, size_t n, int32_t *label, struct hs_err *err)
{
	const size_t p = mb->n_chan;
	double *z = hs_alloc(HS_MINIBATCH_ROWS, p * sizeof *z, err);
	double *dot = z ? hs_alloc(HS_MINIBATCH_ROWS, mb->k * sizeof *dot, err) : NULL;
	int32_t *own = dot ? hs_alloc(HS_MINIBATCH_ROWS, sizeof *own, err) : NULL;
	for (size_t from = 0; own && from < n; from += HS_MINIBATCH_ROWS) {
		const size_t m = n - from < HS_MINIBATCH_ROWS ? n - from : HS_MINIBATCH_ROWS;
		learn(mb, x + from * p, m, z, dot, own);
		if (label)
			memcpy(label + from, own, m * sizeof *own);
	}
	const int verdict = own ? 0 : -1;
	free(z);
	free(dot);
	free(own);
	return verdict;
}

/* ---- passes over a source ---- */

struct passing {
	struct hs_minibatch *mb;
	uint64_t seed, pass;
	double *x;                    /* usable rows of a block, in random order */
	size_t *index;
};

/* Learns from the blocks of a wave one after the other. */
static int learn_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	const struct passing *s = ctx;
	const size_t p = s->mb->n_chan;
	for (size_t b = 0; b < n_blocks; b++) {
		struct hs_rng rng;
		size_t n = 0;
		for (size_t i = 0; i < block[b].n_rows; i++)
			if (!block[b].skip[i])
				s->index[n++] = i;
		hs_rng_init(&rng, s->seed, HS_STREAM_MINIBATCH, s->pass << 40 | block[b].index);
		for (size_t i = n; i > 1; i--) {
			const size_t j = hs_rng_below(&rng, i), kept = s->index[i - 1];
			s->index[i - 1] = s->index[j];
			s->index[j] = kept;
		}
		for (size_t i = 0; i < n; i++)
			hs_block_row(&block[b], s->index[i], false, s->x + i * p);
		if (hs_minibatch_feed(s->mb, s->x, n, NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* Squared movement of the centres since `before`, weighted with their counts, over their weighted scatter. */
static double moved(const struct hs_minibatch *mb, const double *before)
{
	double way = 0, scatter = 0;
	for (size_t c = 0; c < mb->k; c++) {
		way += mb->count[c] * hs_distance2(mb->centre + c * mb->n_chan, before + c * mb->n_chan, mb->n_chan);
		scatter += mb->count[c] * hs_dot(mb->centre + c * mb->n_chan, mb->centre + c * mb->n_chan, mb->n_chan);
	}
	return scatter > 0 ? way / scatter : 0;
}

static int run_passes(struct hs_rowsource *rows, const struct hs_kmeans_options *opt, struct hs_minibatch *mb,
	struct hs_minibatch_result *out, struct hs_err *err)
{
	struct passing s = { .mb = mb, .seed = opt->seed };
	const size_t cells = mb->k * mb->n_chan;
	double *before = hs_alloc(cells, sizeof *before, err);
	int verdict = -1;
	if (before && (s.x = hs_alloc(rows->block_rows, mb->n_chan * sizeof(double), err)) &&
		(s.index = hs_alloc(rows->block_rows, sizeof *s.index, err)))
		verdict = 0;
	out->status = HS_KMEANS_MAXITER;
	while (verdict == 0 && out->status == HS_KMEANS_MAXITER && out->n_iter < opt->max_iter) {
		memcpy(before, mb->centre, cells * sizeof *before);
		s.pass = out->n_iter++;
		verdict = hs_waves_each(rows, "mini-batches", 1, learn_wave, &s, err);
		if (moved(mb, before) <= opt->tol)
			out->status = HS_KMEANS_CONVERGED;
		else if (opt->stop && opt->stop(opt->stop_ctx))
			out->status = HS_KMEANS_STOPPED;
	}
	free(before);
	free(s.x);
	free(s.index);
	return verdict;
}

struct labelling {
	const struct hs_minibatch *mb;
	int32_t *label;
	double *scratch;              /* a thread: STRIP rows, one more, STRIP x k products */
};

static size_t labelling_doubles(size_t p, size_t k)
{
	return STRIP * (p + k) + p;
}

static int label_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	const struct labelling *l = ctx;
	const size_t p = l->mb->n_chan, k = l->mb->k;
	double *z = l->scratch + (size_t)thread * labelling_doubles(p, k), *dot = z + STRIP * p, *row = dot + STRIP * k;
	for (size_t from = 0; from < block->n_rows; from += STRIP) {
		const size_t m = block->n_rows - from < STRIP ? block->n_rows - from : STRIP;
		for (size_t i = 0; i < m; i++) {
			memset(z + i * p, 0, p * sizeof *z);
			z[i * p] = NAN;
			if (block->skip[from + i])
				continue;
			hs_block_row(block, from + i, false, row);
			prepare_row(l->mb, row, z + i * p);
		}
		nearest(l->mb, z, m, dot, l->label + block->first_row + from);
	}
	return 0;
}

static int label_all(struct hs_rowsource *rows, const struct hs_minibatch *mb, struct hs_minibatch_result *out,
	struct hs_err *err)
{
	struct labelling l = { .mb = mb, .label = out->label };
	l.scratch = hs_alloc((size_t)hs_par_threads() * labelling_doubles(mb->n_chan, mb->k), sizeof(double), err);
	const int verdict = l.scratch ? hs_rows_each(rows, "labels", label_block, &l, err) : -1;
	free(l.scratch);
	for (size_t i = 0; verdict == 0 && i < rows->n_rows; i++)
		out->n_used += out->label[i] >= 0;
	return verdict;
}

/* Usable rows, and with `unit` those that have a length, are found among the sample. */
static bool has_direction(const struct hs_sample *s)
{
	for (size_t i = 0; i < s->n * s->n_chan; i++)
		if (s->x[i] != 0)
			return true;
	return false;
}

int hs_minibatch_run(
	struct hs_rowsource *rows, const struct hs_kmeans_options *opt, struct hs_minibatch_result *out, struct hs_err *err)
{
	struct hs_sample sample = { 0 };
	struct hs_minibatch *mb = NULL;
	const size_t want = 8 * opt->k > HS_MINIBATCH_SAMPLE ? 8 * opt->k : HS_MINIBATCH_SAMPLE;
	*out = (struct hs_minibatch_result){ .n_rows = rows->n_rows, .status = HS_KMEANS_CONVERGED };
	if (!opt->k || !opt->max_iter || !opt->restarts)
		return hs_fail(err, HS_USAGE, "mini-batch k-means needs at least one cluster, one start and one pass");
	out->label = hs_alloc(rows->n_rows, sizeof *out->label, err);
	int verdict = out->label ? hs_sample_rows(rows, NULL, want, opt->seed, &sample, err) : -1;
	for (size_t i = 0; verdict == 0 && i < rows->n_rows; i++)
		out->label[i] = -1;
	if (verdict == 0 && sample.n && (!opt->spherical || has_direction(&sample))) {
		mb = hs_minibatch_new(sample.x, sample.n, sample.n_chan, opt, err);
		hs_sample_release(&sample);
		verdict = mb ? run_passes(rows, opt, mb, out, err) : -1;
		if (verdict == 0)
			verdict = label_all(rows, mb, out, err);
		out->k = mb ? mb->k : 0;
	}
	hs_sample_release(&sample);
	hs_minibatch_free(mb);
	if (verdict < 0)
		hs_minibatch_release(out);
	return verdict;
}

void hs_minibatch_release(struct hs_minibatch_result *result)
{
	free(result->label);
	*result = (struct hs_minibatch_result){ 0 };
}

double hs_minibatch_bytes(size_t n_rows, size_t n_chan, size_t k, size_t restarts, int threads)
{
	const double p = (double)n_chan, comps = (double)k, block = (double)hs_block_rows(n_chan);
	const size_t want = 8 * k > HS_MINIBATCH_SAMPLE ? 8 * k : HS_MINIBATCH_SAMPLE, n = n_rows < want ? n_rows : want;
	const double state = 8 * (3 * comps * p + p + 2 * comps), sample = (double)n * (8 * p + 8) + (double)n_rows;
	const double start = sample + (double)hs_kmeans_bytes(n, n_chan, k, restarts, threads);
	const double passes = block * (8 * p + 8) + HS_MINIBATCH_ROWS * (8 * p + 8 * comps + 4),
		     labels = 8.0 * threads * (double)labelling_doubles(n_chan, k), later = passes > labels ? passes : labels;
	return 4 * (double)n_rows + state + (start > later ? start : later);
}
