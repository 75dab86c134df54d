#include "factor/reweigh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/frame.h"

struct reweigh {
	struct hs_rowsource base;
	struct hs_rowsource *below;
	const struct hs_row_frame *frame;
	const double *weight;
	size_t wave, done;            /* blocks delivered at a time; blocks of the batch that are done */
	struct hs_batch batch;
	double *y;
	uint8_t *skip;
};

static int rewind_below(struct hs_rowsource *rows, struct hs_err *err)
{
	struct reweigh *q = (struct reweigh *)rows;
	q->batch = (struct hs_batch){ 0 };
	q->done = 0;
	return q->below->rewind(q->below, err);
}

static void weigh_row(struct reweigh *q, size_t from, size_t to)
{
	const size_t p = q->base.n_chan, row_bytes = p * (q->below->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	const double w = q->weight[q->batch.first_row + from];
	double *y = q->y + to * p, part;
	q->skip[to] = q->batch.skip[from] || !(w > 0);
	if (q->skip[to])
		return;
	struct hs_row_frame bare = { .n_chan = p };
	const struct hs_row_frame *f = q->frame->poisson ? &bare : q->frame;
	hs_row_frame_apply(f, q->below->type, (const char *)q->batch.x + from * row_bytes, true, y, &part);
	const double factor = q->frame->poisson ? w : sqrt(w);
	for (size_t j = 0; j < p; j++)
		y[j] *= factor;
}

static int next_wave(struct hs_rowsource *rows, struct hs_batch *batch, struct hs_err *err)
{
	struct reweigh *q = (struct reweigh *)rows;
	if (q->done == q->batch.n_blocks) {
		if (q->below->next(q->below, &q->batch, err) < 0)
			return -1;
		q->done = 0;
	}
	const size_t first = q->done * rows->block_rows, left = q->batch.n_rows - first, most = q->wave * rows->block_rows,
		     n = left < most ? left : most;
	*batch = (struct hs_batch){ .first_block = q->batch.first_block + q->done, .first_row = q->batch.first_row + first,
		.n_blocks = (n + rows->block_rows - 1) / rows->block_rows, .n_rows = n, .x = q->y, .skip = q->skip };
#pragma omp parallel for num_threads(hs_par_threads())
	for (size_t i = 0; i < n; i++)
		weigh_row(q, first + i, i);
	q->done += batch->n_blocks;
	return 0;
}

static size_t wave_for(int threads)
{
	return threads < 2 ? 1 : threads < 8 ? 2 * (size_t)threads : 16;
}

size_t hs_reweigh_bytes(size_t n_chan, int threads)
{
	return wave_for(threads) * hs_block_rows(n_chan) * (n_chan * sizeof(double) + 1);
}

struct hs_rowsource *hs_reweigh_new(struct hs_rowsource *rows, const struct hs_row_frame *frame, const double *weight,
	struct hs_err *err)
{
	struct reweigh *q = hs_alloc(1, sizeof *q, err);
	if (!q)
		return NULL;
	*q = (struct reweigh){ .base = { rows->n_rows, rows->n_chan, rows->block_rows, HS_ROW_F64, rewind_below, next_wave },
		.below = rows, .frame = frame, .weight = weight, .wave = wave_for(hs_par_threads()) };
	q->y = hs_alloc(q->wave * rows->block_rows, rows->n_chan * sizeof(double), err);
	q->skip = q->y ? hs_alloc(q->wave, rows->block_rows, err) : NULL;
	if (!q->skip) {
		hs_reweigh_free(&q->base);
		return NULL;
	}
	return &q->base;
}

void hs_reweigh_free(struct hs_rowsource *rows)
{
	struct reweigh *q = (struct reweigh *)rows;
	if (!q)
		return;
	free(q->y);
	free(q->skip);
	free(q);
}

struct averaging {
	const double *weight;
	size_t p;
	double *sum, total;
};

static int add_wave(void *ctx, struct hs_framed *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	struct averaging *a = ctx;
	/* the first row of each block gathers its sum, blocks are added in order */
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++)
		for (size_t i = 0; i < block[b].n; i++) {
			const double w = a->weight[block[b].row[i]];
			for (size_t j = 0; j < a->p; j++)
				block[b].y[j] = (i ? block[b].y[j] : 0) + (w > 0 ? w * block[b].y[i * a->p + j] : 0);
		}
	for (size_t b = 0; b < n_blocks; b++) {
		for (size_t i = 0; i < block[b].n; i++)
			a->total += fmax(a->weight[block[b].row[i]], 0);
		for (size_t j = 0; block[b].n && j < a->p; j++)
			a->sum[j] += block[b].y[j];
	}
	return 0;
}

int hs_reweigh_mean(struct hs_rowsource *rows, const struct hs_row_frame *frame, const double *weight, double *mean, double *sum,
	struct hs_err *err)
{
	const size_t p = rows->n_chan;
	struct hs_row_frame level = *frame;
	level.shift = hs_alloc(p, sizeof(double), err);
	struct averaging a = { .weight = weight, .p = p, .sum = mean };
	memset(mean, 0, p * sizeof *mean);
	const int verdict = level.shift ? hs_framed_each(rows, &level, "mean", add_wave, &a, err) : -1;
	free(level.shift);
	for (size_t j = 0; j < p; j++)
		mean[j] = a.total > 0 ? mean[j] / a.total : 0;
	*sum = a.total;
	return verdict;
}
