#include "math/frame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MOST_WAVE = 16 };

static size_t wave_for(size_t threads)
{
	return threads < 2 ? 1 : 2 * threads < MOST_WAVE ? 2 * threads : MOST_WAVE;
}

/* --- spread ------------------------------------------------------------------------------------------------------- */

void hs_spread_of(struct hs_spread *s, const double *y, size_t n, size_t p)
{
	s->n = (double)n;
	memset(s->mean, 0, p * sizeof(double));
	memset(s->scatter, 0, p * sizeof(double));
	if (!n)
		return;
	/* about the first row, so that a constant channel has no scatter at all */
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < p; j++)
			s->mean[j] += y[i * p + j] - y[j];
	for (size_t j = 0; j < p; j++)
		s->mean[j] = y[j] + s->mean[j] / (double)n;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < p; j++) {
			const double d = y[i * p + j] - s->mean[j];
			s->scatter[j] += d * d;
		}
}

double hs_spread_join(struct hs_spread *left, const struct hs_spread *right, size_t p, double *difference)
{
	if (difference)
		memset(difference, 0, p * sizeof(double));
	if (!(right->n > 0))
		return 0;
	const double both = left->n + right->n, weight = left->n * right->n / both, share = right->n / both;
	for (size_t j = 0; j < p; j++) {
		const double d = right->mean[j] - left->mean[j];
		left->scatter[j] += right->scatter[j] + d * d * weight;
		left->mean[j] += d * share;
		if (difference)
			difference[j] = d;
	}
	left->n = both;
	return weight;
}

/* --- survey ------------------------------------------------------------------------------------------------------- */

int hs_survey_begin(struct hs_survey *s, struct hs_rowsource *rows, const struct hs_moments_options *o, struct hs_err *err)
{
	const size_t n = rows->n_rows, p = rows->n_chan;
	*s = (struct hs_survey){ .n_rows = n };
	if (o->poisson && o->centre != HS_CENTRE_NONE)
		return hs_fail(err, HS_USAGE, "Poisson scaling does not go with centring: scaled spectra are not centred");
	if (!n || !p)
		return hs_fail(err, HS_BAD_DATA, "there are no spectra: %zu rows of %zu channels", n, p);
	if (p > INT32_MAX / 32)
		return hs_fail(err, HS_BAD_DATA, "%zu channels are more than a decomposition can take (%d)", p, INT32_MAX / 32);
	s->frame = (struct hs_row_frame){ .n_chan = p, .centre = o->centre, .poisson = o->poisson, .exact = o->exact };
	s->frame.mean = hs_alloc(p, sizeof(double), err);
	s->frame.shift = s->frame.mean ? hs_alloc(p, sizeof(double), err) : NULL;
	s->variance = s->frame.shift ? hs_alloc(p, sizeof(double), err) : NULL;
	if (s->variance && o->poisson)
		s->frame.root_sum = hs_alloc(p, sizeof(double), err);
	return s->variance && (!o->poisson || s->frame.root_sum) ? 0 : -1;
}

void hs_survey_release(struct hs_survey *s)
{
	free(s->frame.mean);
	free(s->frame.shift);
	free(s->frame.root_sum);
	free(s->variance);
	*s = (struct hs_survey){ 0 };
}

int hs_survey_finish(struct hs_survey *s, const struct hs_spread *spread, const double *raw_sum, double row_means,
	struct hs_err *err)
{
	struct hs_row_frame *f = &s->frame;
	const double n = (double)s->n_used, row_mean = row_means / n;
	double all = 0;
	if (!s->n_used)
		return hs_fail(err, HS_BAD_DATA, "no usable spectrum: all %zu are masked or hold values that are not finite", s->n_rows);
	s->divisor = f->centre == HS_CENTRE_NONE || s->n_used < 2 ? n : n - 1;
	s->total = 0;
	s->n_flat = 0;
	for (size_t j = 0; j < f->n_chan; j++) {
		double v = spread->scatter[j];
		if (f->centre == HS_CENTRE_NONE)
			v += n * spread->mean[j] * spread->mean[j];
		if (f->poisson) {
			f->root_sum[j] = raw_sum[j] > 0 ? sqrt(raw_sum[j]) : 0;
			v = raw_sum[j] > 0 ? v / raw_sum[j] : 0;
			all += raw_sum[j];
		}
		f->mean[j] = f->poisson ? raw_sum[j] / n : f->centre == HS_CENTRE_BOTH ? spread->mean[j] + row_mean : spread->mean[j];
		f->shift[j] = f->centre == HS_CENTRE_NONE ? 0 : spread->mean[j];
		s->variance[j] = v / s->divisor;
		s->total += s->variance[j];
		s->n_flat += f->poisson ? !(raw_sum[j] > 0) : !(v > 0);
	}
	s->noise = all > 0 ? 1 / all : 0;
	if (!isfinite(s->total))
		return hs_fail(err, HS_BAD_DATA,
			"values are so large that their variance is beyond float64: divide them by their magnitude first");
	return 0;
}

/* A partial of the tree: a head of HEAD numbers, then mean, scatter and raw sums. */
enum { N, N_EMPTY, N_NEGATIVE, ROW_MEANS, HEAD };

struct counting {
	struct hs_row_frame frame;
	struct hs_tree *tree;
	double *scratch;              /* threads x block_rows x n_chan */
	size_t block_rows;
};

static struct hs_spread spread_in(double *partial, size_t p)
{
	return (struct hs_spread){ .n = partial[N], .mean = partial + HEAD, .scatter = partial + HEAD + p };
}

static void join(void *left, const void *right, const void *ctx)
{
	const size_t p = *(const size_t *)ctx;
	double *l = left, *r = (double *)(uintptr_t)right;
	struct hs_spread a = spread_in(l, p);
	const struct hs_spread b = spread_in(r, p);
	hs_spread_join(&a, &b, p, NULL);
	for (size_t i = N; i < HEAD; i++)
		l[i] += r[i];
	for (size_t j = 0; j < p; j++)
		l[HEAD + 2 * p + j] += r[HEAD + 2 * p + j];
}

static int count_block(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct counting *c = ctx;
	const size_t p = b->n_chan, row_bytes = p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	double *partial = hs_tree_borrow(c->tree, err), *y = c->scratch + (size_t)thread * c->block_rows * p, part;
	size_t n = 0;
	if (!partial)
		return -1;
	double *raw = partial + HEAD + 2 * p;
	for (size_t i = 0; i < b->n_rows; i++) {
		if (b->skip[i])
			continue;
		double *row = y + n++ * p;
		const bool full = hs_row_frame_apply(&c->frame, b->type, (const char *)b->x + i * row_bytes, false, row, &part);
		if (!full) {
			partial[N_EMPTY]++;
			partial[N_NEGATIVE] += part < 0;
		} else if (c->frame.poisson) {
			for (size_t j = 0; j < p; j++)
				raw[j] += row[j] * part;
		} else {
			partial[ROW_MEANS] += part;
		}
	}
	struct hs_spread s = spread_in(partial, p);
	hs_spread_of(&s, y, n, p);
	partial[N] = s.n;
	hs_tree_put(c->tree, b->index, partial);
	return 0;
}

int hs_survey_init(struct hs_survey *s, struct hs_rowsource *rows, const struct hs_moments_options *o, struct hs_err *err)
{
	const size_t p = rows->n_chan;
	if (hs_survey_begin(s, rows, o, err) < 0)
		return -1;
	struct counting c = { .frame = s->frame, .block_rows = rows->block_rows };
	c.scratch = hs_alloc((size_t)hs_par_threads() * rows->block_rows, p * sizeof(double), err);
	c.tree = c.scratch ? hs_tree_new((HEAD + 3 * p) * sizeof(double), join, &p, err) : NULL;
	int verdict = c.tree ? hs_rows_each(rows, "mean", count_block, &c, err) : -1;
	double *root = verdict == 0 ? hs_tree_root(c.tree, err) : NULL;
	if (root) {
		const struct hs_spread all = spread_in(root, p);
		s->n_used = (size_t)root[N];
		s->n_empty = (size_t)root[N_EMPTY];
		s->n_negative = (size_t)root[N_NEGATIVE];
		verdict = hs_survey_finish(s, &all, root + HEAD + 2 * p, root[ROW_MEANS], err);
	}
	free(c.scratch);
	hs_tree_free(c.tree);
	return root ? verdict : -1;
}

size_t hs_survey_bytes(size_t n_chan, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : 1);
	return (t * hs_block_rows(n_chan) + (t + 40) * 3 + 4) * n_chan * sizeof(double);
}

/* --- framed rows -------------------------------------------------------------------------------------------------- */

struct framing {
	const struct hs_row_frame *frame;
	size_t block_rows;
	struct hs_framed *block;
	hs_framed_fn fn;
	void *ctx;
};

static int frame_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	struct framing *q = ctx;
	const size_t p = q->frame->n_chan;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++) {
		struct hs_framed *to = &q->block[b];
		const size_t row_bytes = p * (block[b].type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
		to->index = block[b].index;
		to->n = 0;
		for (size_t i = 0; i < block[b].n_rows; i++) {
			if (block[b].skip[i])
				continue;
			if (!hs_row_frame_apply(q->frame, block[b].type, (const char *)block[b].x + i * row_bytes, true, to->y + to->n * p,
				&to->part[to->n]))
				to->part[to->n] = 0;
			to->row[to->n++] = block[b].first_row + i;
		}
	}
	return q->fn(q->ctx, q->block, n_blocks, err);
}

size_t hs_framed_wave(void)
{
	return wave_for((size_t)hs_par_threads());
}

size_t hs_framed_bytes(size_t n_chan, int threads)
{
	return wave_for((size_t)(threads > 0 ? threads : 1)) * hs_block_rows(n_chan) * (n_chan + 2) * sizeof(double);
}

int hs_framed_each(struct hs_rowsource *rows, const struct hs_row_frame *frame, const char *task, hs_framed_fn fn, void *ctx,
	struct hs_err *err)
{
	const size_t wave = hs_framed_wave(), p = rows->n_chan, n = rows->block_rows;
	struct hs_framed block[MOST_WAVE] = { 0 };
	struct framing q = { .frame = frame, .block_rows = n, .block = block, .fn = fn, .ctx = ctx };
	if (frame->n_chan != p)
		return hs_fail(err, HS_BAD_DATA, "components have %zu channels, the spectra %zu", frame->n_chan, p);
	bool ok = true;
	for (size_t b = 0; b < wave && ok; b++)
		ok = (block[b].y = hs_alloc(n * p, sizeof(double), err)) && (block[b].row = hs_alloc(n, sizeof(size_t), err)) &&
			(block[b].part = hs_alloc(n, sizeof(double), err));
	const int verdict = ok ? hs_waves_each(rows, task, wave, frame_wave, &q, err) : -1;
	for (size_t b = 0; b < wave; b++) {
		free(block[b].y);
		free(block[b].row);
		free(block[b].part);
	}
	return verdict;
}
