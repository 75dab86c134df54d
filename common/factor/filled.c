#include "factor/filled.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

struct filled {
	struct hs_rowsource base;
	struct hs_rowsource *below;
	struct hs_gaps gaps;
	const struct hs_fill_model *model;
	size_t wave, done;            /* blocks delivered at a time; blocks of the batch that are done */
	struct hs_batch batch;
	char *x;
	uint8_t *skip;
};

static size_t wave_for(int threads)
{
	return threads < 2 ? 1 : threads < 8 ? 2 * (size_t)threads : 16;
}

size_t hs_filled_bytes(size_t n_chan, size_t k, int threads)
{
	return wave_for(threads) * hs_block_rows(n_chan) * (n_chan * sizeof(double) + 1)
		+ (size_t)(threads > 0 ? threads : 1) * (2 * n_chan + (k + 2) * (k + 2)) * sizeof(double);
}

static double element(const void *x, enum hs_row_type type, size_t j)
{
	return type == HS_ROW_F32 ? (double)((const float *)x)[j] : ((const double *)x)[j];
}

/* Normal equations of the scores over the elements that are there; room: (k + 1)^2 + k + 1. Vector k is the constant one. */
static size_t scores(const struct hs_fill_model *m, size_t p, const double *z, const bool *there, double *room)
{
	const bool level = m->frame->centre == HS_CENTRE_BOTH;
	const size_t k = m->k, n = k + level;
	double *a = room, *t = room + (k + 1) * (k + 1), most = 0;
	memset(room, 0, ((k + 1) * (k + 1) + k + 1) * sizeof *room);
	for (size_t j = 0; j < p; j++) {
		if (!there[j])
			continue;
		for (size_t c = 0; c < n; c++) {
			const double v = c < k ? m->vector[c * p + j] : 1;
			t[c] += v * z[j];
			for (size_t d = 0; d <= c; d++)
				a[c * n + d] += v * (d < k ? m->vector[d * p + j] : 1);
		}
	}
	for (size_t c = 0; c < k; c++) {
		const double signal = fmax(m->variance[c] - m->noise, 1e-9 * m->variance[c]);
		a[c * n + c] += m->noise > 0 && signal > 0 ? m->noise / signal : 0;
	}
	for (size_t c = 0; c < n; c++)
		most = fmax(most, a[c * n + c]);
	/* directions that nothing there can tell stay at zero */
	for (size_t c = 0; c < n; c++)
		a[c * n + c] += fmax(1e-10 * most, 1e-300);
	if (n && !hs_la_cholesky(a, n))
		memset(t, 0, n * sizeof *t);
	else if (n)
		hs_la_cholesky_solve(a, n, t, 1);
	return n;
}

/* One row with gaps; false when nothing of it is there. */
static bool fill_row(const struct filled *q, void *row, double *z, bool *there, double *room)
{
	const struct hs_fill_model *m = q->model;
	const struct hs_row_frame *f = m->frame;
	const enum hs_row_type type = q->base.type;
	const size_t p = q->base.n_chan, k = m->k;
	bool any = false;
	for (size_t j = 0; j < p; j++) {
		const double x = element(row, type, j);
		there[j] = !hs_gap_at(&q->gaps, x);
		any |= there[j];
		z[j] = !there[j] ? 0 : f->poisson ? (f->root_sum[j] > 0 ? x / f->root_sum[j] : 0) : x - f->shift[j];
	}
	if (!any)
		return false;
	const size_t n = scores(m, p, z, there, room);
	const double *t = room + (k + 1) * (k + 1);
	for (size_t j = 0; j < p; j++) {
		if (there[j])
			continue;
		double v = n > k ? t[k] : 0;
		for (size_t c = 0; c < k; c++)
			v += t[c] * m->vector[c * p + j];
		v = f->poisson ? v * f->root_sum[j] : v + f->shift[j];
		if (type == HS_ROW_F32)
			((float *)row)[j] = (float)v;
		else
			((double *)row)[j] = v;
	}
	return true;
}

static int rewind_below(struct hs_rowsource *rows, struct hs_err *err)
{
	struct filled *q = (struct filled *)rows;
	q->batch = (struct hs_batch){ 0 };
	q->done = 0;
	return q->below->rewind(q->below, err);
}

static int next_wave(struct hs_rowsource *rows, struct hs_batch *batch, struct hs_err *err)
{
	struct filled *q = (struct filled *)rows;
	if (q->done == q->batch.n_blocks) {
		if (q->below->next(q->below, &q->batch, err) < 0)
			return -1;
		q->done = 0;
	}
	const size_t first = q->done * rows->block_rows, left = q->batch.n_rows - first, most = q->wave * rows->block_rows,
		     n = left < most ? left : most, p = rows->n_chan, k = q->model->k, threads = (size_t)hs_par_threads(),
		     row_bytes = p * (rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double)), share = p + (k + 1) * (k + 2);
	double *room = hs_alloc(threads, share * sizeof *room, err);
	bool *there = room ? hs_alloc(threads, p * sizeof *there, err) : NULL;
	*batch = (struct hs_batch){ .first_block = q->batch.first_block + q->done, .first_row = q->batch.first_row + first,
		.n_blocks = (n + rows->block_rows - 1) / rows->block_rows, .n_rows = n, .x = q->x, .skip = q->skip };
#pragma omp parallel for schedule(dynamic, 16) num_threads(hs_par_threads())
	for (size_t i = 0; i < (there ? n : 0); i++) {
		const size_t from = first + i, t = (size_t)omp_get_thread_num();
		char *row = q->x + i * row_bytes;
		memcpy(row, (const char *)q->batch.x + from * row_bytes, row_bytes);
		q->skip[i] = q->batch.skip[from];
		if (q->skip[i] && !(q->gaps.mask && q->gaps.mask[q->batch.first_row + from]))
			q->skip[i] = !fill_row(q, row, room + t * share, there + t * p, room + t * share + p);
	}
	q->done += batch->n_blocks;
	free(room);
	free(there);
	return there ? 0 : -1;
}

struct hs_rowsource *hs_filled_new(struct hs_rowsource *rows, const struct hs_gaps *gaps, const struct hs_fill_model *model,
	struct hs_err *err)
{
	struct filled *q = hs_alloc(1, sizeof *q, err);
	if (!q)
		return NULL;
	*q = (struct filled){ .base = { rows->n_rows, rows->n_chan, rows->block_rows, rows->type, rewind_below, next_wave },
		.below = rows, .gaps = *gaps, .model = model, .wave = wave_for(hs_par_threads()) };
	q->x = hs_alloc(q->wave * rows->block_rows, rows->n_chan * (rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double)), err);
	q->skip = q->x ? hs_alloc(q->wave, rows->block_rows, err) : NULL;
	if (!q->skip) {
		hs_filled_free(&q->base);
		return NULL;
	}
	return &q->base;
}

void hs_filled_free(struct hs_rowsource *rows)
{
	struct filled *q = (struct filled *)rows;
	if (!q)
		return;
	free(q->x);
	free(q->skip);
	free(q);
}

/* --- survey ------------------------------------------------------------------------------------------------------- */

/* A partial of the tree: a head, then count and mean of each channel. */
enum { N_ROWS, N_ELEMENTS, N_LOST, HEAD };

struct looking {
	const struct hs_gaps *gaps;
	struct hs_tree *tree;
};

static void join(void *left, const void *right, const void *ctx)
{
	const size_t p = *(const size_t *)ctx;
	double *l = left;
	const double *r = right;
	for (size_t i = 0; i < HEAD; i++)
		l[i] += r[i];
	for (size_t j = 0; j < p; j++) {
		const double b = r[HEAD + j], both = l[HEAD + j] + b;
		if (b > 0)
			l[HEAD + p + j] += (r[HEAD + p + j] - l[HEAD + p + j]) * (b / both);
		l[HEAD + j] = both;
	}
}

static int look(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	(void)thread;
	const struct looking *q = ctx;
	const size_t p = b->n_chan;
	double *partial = hs_tree_borrow(q->tree, err);
	if (!partial)
		return -1;
	double *count = partial + HEAD, *mean = count + p;
	for (size_t i = 0; i < b->n_rows; i++) {
		if (b->skip[i] && q->gaps->mask && q->gaps->mask[b->first_row + i])
			continue;
		const void *row = (const char *)b->x + i * p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
		size_t gone = 0;
		for (size_t j = 0; j < p; j++) {
			const double x = element(row, b->type, j);
			if (b->skip[i] && hs_gap_at(q->gaps, x)) {
				gone++;
				continue;
			}
			count[j]++;
			mean[j] += (x - mean[j]) / count[j];
		}
		partial[N_LOST] += gone == p;
		partial[N_ROWS] += gone && gone < p;
		partial[N_ELEMENTS] += gone < p ? (double)gone : 0;
	}
	hs_tree_put(q->tree, b->index, partial);
	return 0;
}

int hs_gaps_survey(struct hs_rowsource *rows, const struct hs_gaps *gaps, struct hs_gap_survey *s, double *mean,
	struct hs_err *err)
{
	const size_t p = rows->n_chan;
	struct looking q = { .gaps = gaps, .tree = hs_tree_new((HEAD + 2 * p) * sizeof(double), join, &p, err) };
	const int verdict = q.tree ? hs_rows_each(rows, "gaps", look, &q, err) : -1;
	const double *root = verdict == 0 ? hs_tree_root(q.tree, err) : NULL;
	if (root) {
		*s = (struct hs_gap_survey){ (size_t)root[N_ROWS], (size_t)root[N_ELEMENTS], (size_t)root[N_LOST] };
		memcpy(mean, root + HEAD + p, p * sizeof *mean);
	}
	hs_tree_free(q.tree);
	return root ? 0 : -1;
}
