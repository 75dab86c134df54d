#include "unmix/nmf_pass.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/moments.h"
#include "unmix/nmf_sweep.h"
#include "math/vector.h"

enum { STRIP_VALUES = 32768, MAP_SWEEPS = 8, FILL_WAVE = 4 };

size_t hs_nmf_strip_rows(size_t p)
{
	const size_t rows = STRIP_VALUES / p;
	return rows < 16 ? 16 : rows > HS_NMF_TILE ? HS_NMF_TILE : rows;
}

double hs_nmf_pass_bytes(double n_rows, size_t p, size_t k, size_t r, int threads)
{
	const double strip = (double)hs_nmf_strip_rows(p), kd = (double)k, pd = (double)p, rd = (double)r;
	return n_rows + 8 * (n_rows / 64 + threads * strip * (pd * 1.125 + 4 * kd + rd)
		+ hs_partials_alive(n_rows, p, threads) * (kd * (pd + rd + 2 * kd + 1) + 8) + 2 * kd * (rd + kd));
}

static bool missing(const struct hs_nmf_data *data, double x)
{
	return !isfinite(x) || (data->opt->has_fill && x == data->opt->fill);
}

static double value(const struct hs_block *b, size_t i, size_t j)
{
	const size_t at = i * b->n_chan + j;
	return b->type == HS_ROW_F32 ? (double)((const float *)b->x)[at] : ((const double *)b->x)[at];
}

enum hs_nmf_use hs_nmf_use_of(const struct hs_nmf_data *data, const struct hs_block *block, size_t i)
{
	if (data->opt->mask && data->opt->mask[block->first_row + i])
		return HS_NMF_OUT;
	if (!block->skip[i])
		return HS_NMF_WHOLE;
	size_t there = 0;
	for (size_t j = 0; j < block->n_chan; j++)
		there += !missing(data, value(block, i, j));
	return there > 0 && there < block->n_chan ? HS_NMF_GAPS : HS_NMF_OUT;
}

void hs_nmf_row(const struct hs_nmf_data *data, const struct hs_block *block, size_t i, double *x, uint8_t *gap)
{
	hs_block_row(block, i, false, x);
	for (size_t j = 0; gap && j < block->n_chan; j++) {
		gap[j] = missing(data, x[j]);
		x[j] = gap[j] ? 0 : x[j];
	}
}

/* Missing values of a row from the mean spectrum, scaled to the values that are there. */
static void fill_by_mean(const double *mean, const uint8_t *gap, size_t p, double *x)
{
	double xm = 0, mm = 0;
	for (size_t j = 0; j < p; j++)
		if (!gap[j]) {
			xm += x[j] * mean[j];
			mm += mean[j] * mean[j];
		}
	const double scale = mm > 0 && xm > 0 ? xm / mm : 0;
	for (size_t j = 0; j < p; j++)
		if (gap[j])
			x[j] = scale * mean[j];
}

/* ------------------------------------------------------------------ survey */

struct survey {
	struct hs_nmf_data *data;
	struct hs_nmf_low *low;
	struct hs_tree *tree;         /* norm2, negative2, -smallest, n_seen; then sums and counts of p channels */
	size_t width;
	bool means;
	double *x;                    /* strip x p a thread */
	uint8_t *gap;                 /* p a thread */
};

enum { NORM2, NEGATIVE2, DEPTH, SEEN, SURVEY_SUMS };

static void merge_survey(void *left, const void *right, const void *ctx)
{
	double *a = left;
	const double *b = right, depth = a[DEPTH] > b[DEPTH] ? a[DEPTH] : b[DEPTH];
	hs_add(a, b, *(const size_t *)ctx);
	a[DEPTH] = depth;
}

static void survey_row(const struct survey *s, const double *x, const uint8_t *gap, double *sum)
{
	const size_t p = s->data->rows->n_chan;
	double negative = 0, depth = 0;
	for (size_t j = 0; j < p; j++) {
		const double low = x[j] < 0 ? x[j] : 0;
		negative += low * low;
		depth = -low > depth ? -low : depth;
	}
	sum[NORM2] += hs_dot(x, x, p);
	sum[NEGATIVE2] += negative;
	sum[DEPTH] = depth > sum[DEPTH] ? depth : sum[DEPTH];
	sum[SEEN] += (double)p;
	for (size_t j = 0; gap && j < p; j++)
		sum[SEEN] -= gap[j];
	for (size_t j = 0; s->means && j < p; j++) {
		sum[SURVEY_SUMS + j] += x[j];
		sum[SURVEY_SUMS + p + j] += gap ? !gap[j] : 1;
	}
}

/* Z of m packed rows that will be rows `at` of the source. */
static void project(const struct hs_nmf_low *low, const double *x, const size_t *at, size_t m, size_t first_row)
{
	const int ld = (int)low->ld, p = (int)low->p;
	for (size_t from = 0; from < m;) {
		size_t to = from + 1;
		while (to < m && at[to] == at[to - 1] + 1)
			to++;
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)(to - from), (int)low->r, p, 1, x + from * low->p, p, low->v, p,
			0, low->z + (first_row + at[from]) * low->ld, ld);
		from = to;
	}
}

static int survey_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct survey *s = ctx;
	const size_t p = block->n_chan, strip = hs_nmf_strip_rows(p);
	double *sum = hs_tree_borrow(s->tree, err), *x = s->x + (size_t)thread * strip * p;
	uint8_t *gap = s->gap + (size_t)thread * p;
	size_t at[HS_NMF_TILE], m = 0, n_used = 0;
	if (!sum)
		return -1;
	for (size_t i = 0; i < block->n_rows; i++) {
		const enum hs_nmf_use use = hs_nmf_use_of(s->data, block, i);
		s->data->use[block->first_row + i] = (uint8_t)use;
		if (use == HS_NMF_OUT)
			continue;
		double *row = x + m * p;
		hs_nmf_row(s->data, block, i, row, use == HS_NMF_GAPS ? gap : NULL);
		survey_row(s, row, use == HS_NMF_GAPS ? gap : NULL, sum);
		if (use == HS_NMF_GAPS && s->low)
			fill_by_mean(s->data->mean, gap, p, row);
		n_used++;
		at[m++] = i;
		if (m == strip && s->low)
			project(s->low, x, at, m, block->first_row);
		m = m == strip ? 0 : m;
	}
	if (m && s->low)
		project(s->low, x, at, m, block->first_row);
	s->data->start[block->index + 1] = n_used;
	hs_tree_put(s->tree, block->index, sum);
	return 0;
}

/* Rows of Z close ranks. */
static void compact(const struct hs_nmf_data *data, struct hs_nmf_low *low)
{
	size_t to = 0;
	for (size_t i = 0; i < data->rows->n_rows; i++) {
		if (data->use[i] == HS_NMF_OUT)
			continue;
		if (to != i)
			memcpy(low->z + to * low->ld, low->z + i * low->ld, low->ld * sizeof *low->z);
		to++;
	}
	low->n = to;
}

static int survey_take(struct survey *s, struct hs_err *err)
{
	struct hs_nmf_data *data = s->data;
	const size_t n_blocks = (data->rows->n_rows + data->rows->block_rows - 1) / data->rows->block_rows, p = data->rows->n_chan;
	const double *sum = hs_tree_root(s->tree, err);
	if (!sum)
		return -1;
	data->norm2 = sum[NORM2];
	data->negative2 = sum[NEGATIVE2];
	data->smallest = -sum[DEPTH];
	data->n_seen = (size_t)sum[SEEN];
	for (size_t b = 0; b < n_blocks; b++)
		data->start[b + 1] += data->start[b];
	data->n_used = data->start[n_blocks];
	data->n_gaps = 0;
	for (size_t i = 0; i < data->rows->n_rows; i++)
		data->n_gaps += data->use[i] == HS_NMF_GAPS;
	for (size_t j = 0; s->means && j < p; j++)
		data->mean[j] = sum[SURVEY_SUMS + p + j] > 0 ? sum[SURVEY_SUMS + j] / sum[SURVEY_SUMS + p + j] : 0;
	if (!data->n_used)
		return hs_fail(err, HS_BAD_DATA, "no usable spectrum: all %zu are masked or hold no value", data->rows->n_rows);
	if (!isfinite(data->norm2))
		return hs_fail(err, HS_BAD_DATA, "values are too large: their squares overflow");
	return 0;
}

int hs_nmf_survey(struct hs_nmf_data *data, struct hs_nmf_low *low, bool means, struct hs_err *err)
{
	const size_t p = data->rows->n_chan, n = data->rows->n_rows, threads = (size_t)hs_par_threads(),
		     n_blocks = (n + data->rows->block_rows - 1) / data->rows->block_rows;
	struct survey s = { .data = data, .low = low, .means = means, .width = SURVEY_SUMS + (means ? 2 * p : 0) };
	if (!data->use) {
		data->use = hs_alloc(n, 1, err);
		data->start = data->use ? hs_alloc(n_blocks + 1, sizeof *data->start, err) : NULL;
		data->mean = data->start ? hs_alloc(p, sizeof *data->mean, err) : NULL;
		if (!data->mean)
			return -1;
	}
	data->start[0] = 0;
	s.tree = hs_tree_new(s.width * sizeof(double), merge_survey, &s.width, err);
	s.x = s.tree ? hs_alloc(threads, hs_nmf_strip_rows(p) * p * sizeof(double), err) : NULL;
	s.gap = s.x ? hs_alloc(threads, p, err) : NULL;
	int verdict = s.gap ? hs_rows_each(data->rows, low ? "projection" : "survey", survey_block, &s, err) : -1;
	data->n_passes++;
	if (verdict == 0)
		verdict = survey_take(&s, err);
	if (verdict == 0 && low)
		compact(data, low);
	hs_tree_free(s.tree);
	free(s.x);
	free(s.gap);
	return verdict;
}

void hs_nmf_data_release(struct hs_nmf_data *data)
{
	free(data->mean);
	free(data->use);
	free(data->start);
}

/* ------------------------------------------------------------------ the source without gaps */

struct filled {
	struct hs_rowsource base;     /* what others see */
	const struct hs_nmf_data *data;
	struct hs_batch from;         /* the batch that is being handed out, */
	size_t next;                  /* and its first block that was not */
	double *x;
	uint8_t *skip, *gap;
};

static int filled_rewind(struct hs_rowsource *rows, struct hs_err *err)
{
	struct filled *f = (struct filled *)rows;
	f->from = (struct hs_batch){ 0 };
	f->next = 0;
	return f->data->rows->rewind(f->data->rows, err);
}

static int filled_next(struct hs_rowsource *rows, struct hs_batch *batch, struct hs_err *err)
{
	struct filled *f = (struct filled *)rows;
	struct hs_rowsource *source = f->data->rows;
	const size_t p = rows->n_chan, block = rows->block_rows;
	if (f->next == f->from.n_blocks) {
		f->next = 0;
		if (source->next(source, &f->from, err) < 0)
			return -1;
	}
	const size_t left = f->from.n_blocks - f->next, n_blocks = left < FILL_WAVE ? left : FILL_WAVE, skip = f->next * block;
	const size_t rest = f->from.n_blocks ? f->from.n_rows - skip : 0, n_rows = rest < n_blocks * block ? rest : n_blocks * block;
	const struct hs_block all = { .first_row = f->from.first_row, .n_rows = f->from.n_rows, .n_chan = p, .type = source->type,
		.x = f->from.x, .skip = f->from.skip };
	for (size_t i = 0; i < n_rows; i++) {
		const enum hs_nmf_use use = f->data->use[f->from.first_row + skip + i];
		f->skip[i] = use == HS_NMF_OUT;
		if (use == HS_NMF_OUT)
			memset(f->x + i * p, 0, p * sizeof(double));
		else
			hs_nmf_row(f->data, &all, skip + i, f->x + i * p, use == HS_NMF_GAPS ? f->gap : NULL);
		if (use == HS_NMF_GAPS)
			fill_by_mean(f->data->mean, f->gap, p, f->x + i * p);
	}
	*batch = (struct hs_batch){ .first_block = f->from.first_block + f->next, .n_blocks = n_blocks,
		.first_row = f->from.first_row + skip, .n_rows = n_rows, .x = f->x, .skip = f->skip };
	f->next += n_blocks;
	return 0;
}

struct hs_rowsource *hs_nmf_filled_new(const struct hs_nmf_data *data, struct hs_err *err)
{
	struct filled *f = hs_alloc(1, sizeof *f, err);
	const size_t p = data->rows->n_chan, block = data->rows->block_rows;
	if (!f)
		return NULL;
	*f = (struct filled){ .data = data, .base = { .n_rows = data->rows->n_rows, .n_chan = p, .block_rows = block,
		.type = HS_ROW_F64, .rewind = filled_rewind, .next = filled_next } };
	f->x = hs_alloc(FILL_WAVE * block, p * sizeof(double), err);
	f->skip = f->x ? hs_alloc(FILL_WAVE * block, 1, err) : NULL;
	f->gap = f->skip ? hs_alloc(p, 1, err) : NULL;
	if (f->gap)
		return &f->base;
	hs_nmf_filled_free(&f->base);
	return NULL;
}

void hs_nmf_filled_free(struct hs_rowsource *rows)
{
	struct filled *f = (struct filled *)rows;
	if (!f)
		return;
	free(f->x);
	free(f->skip);
	free(f->gap);
	free(f);
}

/* ------------------------------------------------------------------ passes at (W, H) */

struct exact {
	struct hs_nmf_data *data;
	struct hs_nmf_low *low;
	const struct hs_nmf_rules *rules;
	struct hs_nmf_factors *f;
	struct hs_tree *tree;         /* c, g, s, product, then CROSS ... */
	size_t width, tail;
	double *gram, *extra, *linear, *basis;        /* k x k, k, k, k x ld */
	double *residual;             /* n_rows; or NULL */
	double *scratch;              /* a thread: strip x (p + 4 k) values */
	uint8_t *gap;                 /* a thread: strip x p */
	size_t share;
};

enum { CROSS, FILLED2, KKT2, ERROR2, TAIL };

void hs_nmf_load_maps(const struct hs_nmf_factors *f, const struct hs_nmf_strip *t, size_t ld, double *w)
{
	for (size_t j = 0; j < f->k; j++)
		for (size_t i = 0; i < t->m; i++)
			w[j * ld + i] = f->w[hs_nmf_at(f->k, t->first + i, j)];
}

void hs_nmf_store_maps(const struct hs_nmf_factors *f, const struct hs_nmf_strip *t, size_t ld, const double *w)
{
	for (size_t j = 0; j < f->k; j++)
		for (size_t i = 0; i < t->m; i++)
			f->w[hs_nmf_at(f->k, t->first + i, j)] = w[j * ld + i];
}

void hs_nmf_each_strip(const struct hs_nmf_data *data, const struct hs_block *block, double *x, uint8_t *gap, hs_nmf_strip_fn fn,
	const void *ctx, double *room, double *sum)
{
	const size_t p = block->n_chan, most = hs_nmf_strip_rows(p);
	size_t row[HS_NMF_TILE];
	struct hs_nmf_strip t = { .first = data->start[block->index], .x = x, .gap = gap, .row = row };
	for (size_t i = 0; i < block->n_rows; i++) {
		const uint8_t use = data->use[block->first_row + i];
		if (use != HS_NMF_OUT) {
			if (use == HS_NMF_GAPS && !t.gaps)
				memset(gap, 0, t.m * p);
			t.gaps |= use == HS_NMF_GAPS;
			if (t.gaps)
				memset(gap + t.m * p, 0, p);
			hs_nmf_row(data, block, i, x + t.m * p, use == HS_NMF_GAPS ? gap + t.m * p : NULL);
			row[t.m++] = block->first_row + i;
		}
		if (t.m == most || (t.m && i + 1 == block->n_rows)) {
			fn(ctx, &t, room, sum);
			t.first += t.m;
			t.m = 0;
			t.gaps = false;
		}
	}
}

/* A strip with the room that a pass gives it: maps w and products d, k x m, ld apart. */
struct strip {
	size_t first, m, ld;
	bool gaps;
	double *x, *w, *d, *room;
	const uint8_t *gap;
	const size_t *row;
};

static struct strip with_room(const struct exact *e, const struct hs_nmf_strip *s, double *room)
{
	const size_t ld = hs_nmf_strip_rows(e->f->p), share = ld * e->f->k;
	struct strip t = { .first = s->first, .m = s->m, .ld = ld, .gaps = s->gaps, .x = s->x, .w = room, .d = room + share,
		.room = room + 2 * share, .gap = s->gap, .row = s->row };
	hs_nmf_load_maps(e->f, s, ld, t.w);
	return t;
}

/* Missing values become those of the model; returns their sum of squares. */
static double fill_by_model(const struct hs_nmf_factors *f, const struct strip *t)
{
	double sum = 0;
	for (size_t i = 0; i < t->m; i++)
		for (size_t l = 0; l < f->p; l++) {
			if (!t->gap[i * f->p + l])
				continue;
			double y = 0;
			for (size_t j = 0; j < f->k; j++)
				y += t->w[j * t->ld + i] * f->h[j * f->p + l];
			t->x[i * f->p + l] = y;
			sum += y * y;
		}
	return sum;
}

/* min(w, gradient) in the unit of the data, squared and summed; with simplex, the gradient along it. */
static double map_kkt2(const struct exact *e, const struct strip *t)
{
	const size_t k = e->f->k;
	double sum = 0;
	for (size_t i = 0; i < t->m; i++) {
		double mean = 0;
		for (size_t j = 0; j < k; j++) {
			double g = e->linear[j] + e->extra[j] * t->w[j * t->ld + i] - t->d[j * t->ld + i];
			for (size_t c = 0; c < k; c++)
				g += e->gram[j * k + c] * t->w[c * t->ld + i];
			t->room[j] = g;
			mean += e->rules->simplex ? g * t->w[j * t->ld + i] : 0;
		}
		for (size_t j = 0; j < k; j++) {
			const double norm = sqrt(e->gram[j * k + j]), g = norm > 0 ? (t->room[j] - mean) / norm : 0;
			const double r = fmin(t->w[j * t->ld + i] * norm, g);
			sum += r * r;
		}
	}
	return sum;
}

/* d = H X^T of the strip: by way of Z, which gets its new columns, or directly. */
static void strip_products(const struct exact *e, const struct strip *t)
{
	const int k = (int)e->f->k, p = (int)e->f->p, m = (int)t->m, ld = (int)t->ld;
	if (!e->low) {
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, k, m, p, 1, e->f->h, p, t->x, p, 0, t->d, ld);
		return;
	}
	struct hs_nmf_low *low = e->low;
	const int r = (int)low->r, q = (int)low->q, zd = (int)low->ld;
	double *z = low->z + t->first * low->ld;
	if (t->gaps)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, r, p, 1, t->x, p, low->v, p, 0, z, zd);
	if (q)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, q, p, 1, t->x, p, low->v + low->r * low->p, p, 0, z + r, zd);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, k, m, r + q, 1, e->basis, zd, z, zd, 0, t->d, ld);
}

static void strip_sums(const struct exact *e, const struct strip *t, double *sum)
{
	const size_t kk = e->f->k, pp = e->f->p;
	const int k = (int)kk, p = (int)pp, m = (int)t->m, ld = (int)t->ld;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, k, p, m, 1, t->w, ld, t->x, p, 1, sum, p);
	double *g = sum + kk * pp, *s = g + kk * kk, *product = s + kk;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, k, k, m, 1, t->w, ld, t->w, ld, 1, g, k);
	for (size_t j = 0; j < kk; j++)
		for (size_t i = 0; i < t->m; i++) {
			s[j] += t->w[j * t->ld + i];
			sum[e->tail + CROSS] += t->w[j * t->ld + i] * t->d[j * t->ld + i];
		}
	if (e->low)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, k, (int)e->low->ld, m, 1, t->w, ld, e->low->z + t->first * e->low->ld,
			(int)e->low->ld, 1, product, (int)e->low->ld);
}

static void exact_strip(const void *ctx, const struct hs_nmf_strip *s, double *room, double *sum)
{
	const struct exact *e = ctx;
	const struct strip t = with_room(e, s, room);
	if (t.gaps)
		sum[e->tail + FILLED2] += fill_by_model(e->f, &t);
	strip_products(e, &t);
	sum[e->tail + KKT2] += map_kkt2(e, &t);
	if (!e->low) {
		const struct hs_nmf_block q = { .k = e->f->k, .m = t.m, .ld = t.ld, .a = e->gram, .extra = e->extra,
			.linear = e->linear, .b = t.d, .y = t.w };
		if (e->rules->simplex)
			hs_nmf_sweep_simplex(&q, MAP_SWEEPS, t.room);
		else
			hs_nmf_sweep(&q, MAP_SWEEPS);
		hs_nmf_store_maps(e->f, s, t.ld, t.w);
	}
	strip_sums(e, &t, sum);
}

/* x becomes x - w h, then its mean square. */
static void residual_strip(const void *ctx, const struct hs_nmf_strip *s, double *room, double *sum)
{
	const struct exact *e = ctx;
	const struct strip t = with_room(e, s, room);
	const size_t p = e->f->p;
	cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)t.m, (int)p, (int)e->f->k, -1, t.w, (int)t.ld, e->f->h, (int)p, 1,
		t.x, (int)p);
	for (size_t i = 0; i < t.m; i++) {
		size_t n = p;
		for (size_t l = 0; t.gaps && l < p; l++)
			if (t.gap[i * p + l]) {
				t.x[i * p + l] = 0;
				n--;
			}
		const double square = hs_dot(t.x + i * p, t.x + i * p, p);
		e->residual[t.row[i]] = sqrt(square / (double)n);
		sum[e->tail + ERROR2] += square;
	}
}

static int exact_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct exact *e = ctx;
	const size_t values = hs_nmf_strip_rows(block->n_chan) * block->n_chan;
	double *sum = hs_tree_borrow(e->tree, err), *x = e->scratch + (size_t)thread * e->share;
	if (!sum)
		return -1;
	hs_nmf_each_strip(e->data, block, x, e->gap + (size_t)thread * values, e->residual ? residual_strip : exact_strip, e,
		x + values, sum);
	hs_tree_put(e->tree, block->index, sum);
	return 0;
}

static int pass(struct exact *e, const char *task, struct hs_err *err)
{
	const size_t p = e->f->p, k = e->f->k, ld = e->low ? e->low->ld : 0, most = hs_nmf_strip_rows(p),
		     threads = (size_t)hs_par_threads();
	e->tail = e->residual ? 0 : k * p + k * k + k + k * ld;
	e->width = e->tail + TAIL;
	e->share = most * (p + 4 * k);
	e->tree = hs_tree_new(e->width * sizeof(double), hs_merge_sums, &e->width, err);
	e->scratch = e->tree ? hs_alloc(threads, e->share * sizeof(double), err) : NULL;
	e->gap = e->scratch ? hs_alloc(threads, most * p, err) : NULL;
	e->gram = e->gap ? hs_alloc(k, (k + 2 + ld) * sizeof(double), err) : NULL;
	if (!e->gram)
		return -1;
	e->extra = e->gram + k * k;
	e->linear = e->extra + k;
	e->basis = e->linear + k;
	hs_nmf_map_terms(e->rules, k, p, e->f->h, e->gram, e->extra, e->linear);
	if (e->low)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)(e->low->r + e->low->q), (int)p, 1, e->f->h, (int)p,
			e->low->v, (int)p, 0, e->basis, (int)ld);
	e->data->n_passes++;
	return hs_rows_each(e->data->rows, task, exact_block, e, err);
}

static void release(struct exact *e)
{
	hs_tree_free(e->tree);
	free(e->scratch);
	free(e->gap);
	free(e->gram);
}

int hs_nmf_exact_pass(struct hs_nmf_data *data, struct hs_nmf_low *low, const struct hs_nmf_rules *rules,
	struct hs_nmf_factors *f, struct hs_nmf_exact *exact, struct hs_err *err)
{
	const size_t k = f->k, p = f->p;
	struct exact e = { .data = data, .low = low, .rules = rules, .f = f };
	int verdict = pass(&e, "factors", err);
	const double *sum = verdict == 0 ? hs_tree_root(e.tree, err) : NULL;
	if (sum) {
		memcpy(exact->sums.c, sum, k * p * sizeof(double));
		memcpy(exact->sums.g, sum + k * p, k * k * sizeof(double));
		memcpy(exact->sums.s, sum + k * p + k * k, k * sizeof(double));
		if (low)
			memcpy(exact->product, sum + k * p + k * k + k, k * low->ld * sizeof(double));
		exact->cross = sum[e.tail + CROSS];
		exact->filled2 = sum[e.tail + FILLED2];
		exact->kkt2 = sum[e.tail + KKT2];
	}
	release(&e);
	return sum ? 0 : -1;
}

int hs_nmf_residual_pass(struct hs_nmf_data *data, const struct hs_nmf_factors *f, double *residual, double *error2,
	struct hs_err *err)
{
	static const struct hs_nmf_rules none = { 0 };
	struct hs_nmf_factors factors = *f;
	for (size_t i = 0; i < data->rows->n_rows; i++)
		residual[i] = (double)NAN;
	struct exact e = { .data = data, .rules = &none, .f = &factors, .residual = residual };
	const int verdict = pass(&e, "residual", err);
	const double *sum = verdict == 0 ? hs_tree_root(e.tree, err) : NULL;
	if (sum)
		*error2 = sum[e.tail + ERROR2];
	release(&e);
	return sum ? 0 : -1;
}
