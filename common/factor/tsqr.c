#include "factor/tsqr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

/* A partial of the tree: a head, mean, scatter, raw sums, and room for rows: two full factors and the row that joins them. */
enum { N, N_EMPTY, N_NEGATIVE, ROW_MEANS, N_R, SPOILT, HEAD };

struct reduce {
	struct hs_row_frame frame;
	size_t p, most;               /* channels; rows a factor has at most */
	struct hs_tree *tree;
};

static struct hs_spread spread_in(double *partial, size_t p)
{
	return (struct hs_spread){ .n = partial[N], .mean = partial + HEAD, .scatter = partial + HEAD + p };
}

static double *rows_in(double *partial, size_t p)
{
	return partial + HEAD + 3 * p;
}

/* n x p rows become their factor, when that is fewer. A matrix that is not finite spoils the result, found at the end. */
static void squeeze(double *partial, size_t n, const struct reduce *q)
{
	const size_t p = q->p;
	struct hs_err err = { 0 };
	double *rows = rows_in(partial, p);
	if (n > p) {
		double *r = hs_must_alloc(p * p, sizeof *r);
		if (hs_la_qr(rows, n, p, false, r, &err) < 0)
			partial[SPOILT] = 1;
		memcpy(rows, r, p * p * sizeof *r);
		free(r);
		n = p;
	}
	partial[N_R] = (double)n;
}

static void join(void *left, const void *right, const void *ctx)
{
	const struct reduce *q = ctx;
	const size_t p = q->p;
	double *l = left, *r = (double *)(uintptr_t)right;
	struct hs_spread a = spread_in(l, p);
	const struct hs_spread b = spread_in(r, p);
	size_t n = (size_t)l[N_R];
	double *at = rows_in(l, p) + n * p;
	memcpy(at, rows_in(r, p), (size_t)r[N_R] * p * sizeof *at);
	n += (size_t)r[N_R];
	at = rows_in(l, p) + n * p;
	const double weight = hs_spread_join(&a, &b, p, at);
	if (weight > 0 && q->frame.centre != HS_CENTRE_NONE) {
		for (size_t j = 0; j < p; j++)
			at[j] *= sqrt(weight);
		n++;
	}
	l[N] = a.n;
	for (size_t i = N_EMPTY; i <= ROW_MEANS; i++)
		l[i] += r[i];
	l[SPOILT] += r[SPOILT];
	for (size_t j = 0; j < p; j++)
		l[HEAD + 2 * p + j] += r[HEAD + 2 * p + j];
	squeeze(l, n, q);
}

/* At most `most` rows are held at a time: a block longer than that is squeezed on the way. */
static int reduce_block(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct reduce *q = ctx;
	(void)thread;
	const size_t p = q->p, row_bytes = p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	double *partial = hs_tree_borrow(q->tree, err), *y = hs_alloc(b->n_rows, p * sizeof *y, err), part;
	if (!partial || !y) {
		free(y);
		free(partial);
		return -1;
	}
	double *raw = partial + HEAD + 2 * p, *rows = rows_in(partial, p);
	size_t n = 0, held = 0;
	for (size_t i = 0; i < b->n_rows; i++) {
		if (b->skip[i])
			continue;
		double *row = y + n++ * p;
		const bool full = hs_row_frame_apply(&q->frame, b->type, (const char *)b->x + i * row_bytes, false, row, &part);
		partial[N_EMPTY] += !full;
		partial[N_NEGATIVE] += !full && part < 0;
		partial[ROW_MEANS] += full && !q->frame.poisson ? part : 0;
		for (size_t j = 0; full && q->frame.poisson && j < p; j++)
			raw[j] += row[j] * part;
	}
	struct hs_spread s = spread_in(partial, p);
	hs_spread_of(&s, y, n, p);
	partial[N] = s.n;
	const double *mean = q->frame.centre == HS_CENTRE_NONE ? NULL : s.mean;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < p; j++)
			rows[held * p + j] = y[i * p + j] - (mean ? mean[j] : 0);
		if (++held == q->most) {
			squeeze(partial, held, q);
			held = (size_t)partial[N_R];
		}
	}
	squeeze(partial, held, q);
	free(y);
	hs_tree_put(q->tree, b->index, partial);
	return 0;
}

/* Twice the channels and one: what joining two full factors needs; fewer when there are not so many rows. Each join of blocks
 * adds a row. */
static size_t most_rows(size_t n_rows, size_t n_chan)
{
	const size_t blocks = (n_rows + hs_block_rows(n_chan) - 1) / hs_block_rows(n_chan), full = 2 * n_chan + 1;
	return n_rows + blocks < full ? n_rows + blocks : full;
}

size_t hs_tsqr_bytes(size_t n_rows, size_t n_chan, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : 1), block = hs_block_rows(n_chan), blocks = (n_rows + block - 1) / block;
	size_t partials = t + 2;
	for (size_t b = blocks; b > 1; b /= 2)
		partials++;
	if (partials > blocks)
		partials = blocks;
	return (partials * (most_rows(n_rows, n_chan) + 3) + t * (block + n_chan + 64) + 3 * n_chan) * n_chan * sizeof(double);
}

/* r out of the root of the tree, channels scaled. */
static int keep_factor(struct hs_tsqr *t, double *root, struct hs_err *err)
{
	const size_t p = t->survey.frame.n_chan;
	const double *root_sum = t->survey.frame.root_sum;
	if (root[SPOILT] > 0)
		return hs_fail(err, HS_BAD_DATA, "values are so large that their norm is beyond float64: divide them by their magnitude first");
	t->n_r = (size_t)root[N_R];
	t->r = hs_alloc(t->n_r, p * sizeof(double), err);
	if (!t->r)
		return -1;
	memcpy(t->r, rows_in(root, p), t->n_r * p * sizeof(double));
	for (size_t i = 0; root_sum && i < t->n_r; i++)
		for (size_t j = 0; j < p; j++)
			t->r[i * p + j] = root_sum[j] > 0 ? t->r[i * p + j] / root_sum[j] : 0;
	return 0;
}

int hs_tsqr_init(struct hs_tsqr *t, struct hs_rowsource *rows, const struct hs_moments_options *o, struct hs_err *err)
{
	const size_t p = rows->n_chan;
	*t = (struct hs_tsqr){ 0 };
	if (hs_survey_begin(&t->survey, rows, o, err) < 0)
		return -1;
	struct reduce q = { .frame = t->survey.frame, .p = p, .most = most_rows(rows->n_rows, p) };
	size_t values;
	if (!hs_product((size_t[]){ q.most + 3, p, sizeof(double) }, 3, &values))
		return hs_fail(err, HS_BAD_DATA, "the factor of %zu channels is out of range", p);
	q.tree = hs_tree_new(values + HEAD * sizeof(double), join, &q, err);
	int verdict = q.tree ? hs_rows_each(rows, "triangular factor", reduce_block, &q, err) : -1;
	double *root = verdict == 0 ? hs_tree_root(q.tree, err) : NULL;
	if (root) {
		const struct hs_spread all = spread_in(root, p);
		t->survey.n_used = (size_t)root[N];
		t->survey.n_empty = (size_t)root[N_EMPTY];
		t->survey.n_negative = (size_t)root[N_NEGATIVE];
		verdict = hs_survey_finish(&t->survey, &all, root + HEAD + 2 * p, root[ROW_MEANS], err);
		if (verdict == 0)
			verdict = keep_factor(t, root, err);
	}
	hs_tree_free(q.tree);
	return root ? verdict : -1;
}

void hs_tsqr_release(struct hs_tsqr *t)
{
	hs_survey_release(&t->survey);
	free(t->r);
	*t = (struct hs_tsqr){ 0 };
}

/* --- rows of an earlier set --------------------------------------------------------------------------------------- */

/* Poisson: the channel sums of both, and what each factor's channels are multiplied by. Returns the mean square of the
 * earlier ones': what was left out of them was noise, even in all channels. */
static double rescale(struct hs_tsqr *t, const struct hs_tsqr_earlier *e, double *f)
{
	struct hs_survey *s = &t->survey;
	const size_t p = s->frame.n_chan;
	const double n = (double)s->n_used, before = (double)e->n;
	double all = 0, squares = 0;
	for (size_t j = 0; j < p; j++) {
		const double now = s->frame.root_sum[j], then = sqrt(fmax(e->mean[j] * before, 0)), both = sqrt(now * now + then * then),
			     a = both > 0 ? now / both : 0, b = both > 0 ? then / both : 0;
		for (size_t i = 0; i < t->n_r; i++)
			t->r[i * p + j] *= a;
		for (size_t i = 0; i < e->k; i++)
			f[i * p + j] *= b;
		s->variance[j] *= n * a * a;
		s->frame.mean[j] = both * both / (n + before);
		s->frame.root_sum[j] = both;
		all += both * both;
		squares += b * b;
	}
	s->noise = all > 0 ? 1 / all : 0;
	return squares / (double)p;
}

static void join_means(struct hs_tsqr *t, const struct hs_tsqr_earlier *e, double *row)
{
	struct hs_row_frame *f = &t->survey.frame;
	const size_t p = f->n_chan;
	const double n = (double)t->survey.n_used, before = (double)e->n, both = n + before;
	double level = 0;
	for (size_t j = 0; j < p; j++)
		level += f->centre == HS_CENTRE_BOTH ? (e->mean[j] - (f->mean[j] - f->shift[j])) / (double)p : 0;
	/* with double centring the level of the spectra is no part of y: shifts sum to zero */
	for (size_t j = 0; j < p; j++) {
		const double d = e->mean[j] - f->mean[j];
		row[j] = (d - level) * sqrt(n * before / both);
		f->mean[j] += d * (before / both);
		if (f->centre != HS_CENTRE_NONE)
			f->shift[j] += (d - level) * (before / both);
	}
}

int hs_tsqr_join(struct hs_tsqr *t, const struct hs_tsqr_earlier *e, struct hs_err *err)
{
	struct hs_survey *s = &t->survey;
	const size_t p = s->frame.n_chan;
	const bool centred = s->frame.centre != HS_CENTRE_NONE;
	double *all = hs_alloc(t->n_r + e->k + 1, p * sizeof *all, err);
	if (!all)
		return -1;
	double *f = all + t->n_r * p, *row = f + e->k * p, lost = e->lost;
	memcpy(f, e->f, e->k * p * sizeof *f);
	for (size_t j = 0; j < p; j++)
		s->variance[j] *= s->frame.poisson ? 1 : s->divisor;
	if (s->frame.poisson)
		lost *= rescale(t, e, f);
	memcpy(all, t->r, t->n_r * p * sizeof *all);
	if (!s->frame.poisson)
		join_means(t, e, row);
	s->n_rows += e->n;
	s->n_used += e->n;
	s->divisor = (double)s->n_used - (centred && s->n_used > 1);
	s->total = lost / s->divisor;
	s->n_flat = 0;
	for (size_t j = 0; j < p; j++) {
		for (size_t i = 0; i < e->k + (centred ? 1 : 0); i++)
			s->variance[j] += f[i * p + j] * f[i * p + j];
		s->variance[j] /= s->divisor;
		s->total += s->variance[j];
		s->n_flat += !(s->variance[j] > 0);
	}
	free(t->r);
	t->r = all;
	t->n_r += e->k + (centred ? 1 : 0);
	return 0;
}

int hs_tsqr_svd(struct hs_tsqr *t, double *s, double *v, struct hs_err *err)
{
	const size_t p = t->survey.frame.n_chan, r = t->n_r < p ? t->n_r : p;
	double *u = hs_alloc(t->n_r, r * sizeof *u, err);
	const int verdict = u ? hs_la_svd(t->r, t->n_r, p, u, s, v, err) : -1;
	free(u);
	return verdict;
}
