#include "unmix/reduce.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "math/par.h"
#include "factor/pca.h"
#include "math/vector.h"

enum { WAVE = 8 };                                /* blocks that are scaled at a time */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- a row source that hands out y --------------------------------------------------------------------------------- */

struct scaled {
	struct hs_rowsource source;           /* first: next and rewind find the rest behind it */
	struct hs_rowsource *raw;
	const struct hs_reduced *r;
	struct hs_batch batch;                /* of raw, and what of it was handed out: */
	size_t done;                          /* blocks */
	double *y;                            /* WAVE blocks */
	uint8_t *skip;
};

static bool as_it_is(const struct hs_reduced *r)
{
	return !r->unit_sum && r->scale == 1 && !r->channel_mean;
}

/* y of one raw row; false when its sum is not positive and it has no y. */
static bool scale_row(const struct hs_reduced *r, const struct hs_block *raw, size_t i, double *y, double *sum)
{
	const size_t p = r->n_chan;
	hs_block_row(raw, i, false, y);
	double s = 0;
	for (size_t j = 0; j < p; j++) {
		y[j] *= r->scale;
		s += y[j];
	}
	*sum = s;
	if (!r->unit_sum) {
		for (size_t j = 0; j < p; j++)
			y[j] *= r->weight[j];
		return true;
	}
	if (!(s > 0)) {
		memset(y, 0, p * sizeof *y);
		return false;
	}
	for (size_t j = 0; j < p; j++)
		y[j] = y[j] / s * r->weight[j];
	return true;
}

static int scaled_rewind(struct hs_rowsource *source, struct hs_err *err)
{
	struct scaled *s = (struct scaled *)source;
	s->batch = (struct hs_batch){ 0 };
	s->done = 0;
	return s->raw->rewind(s->raw, err);
}

static int scaled_next(struct hs_rowsource *source, struct hs_batch *out, struct hs_err *err)
{
	struct scaled *s = (struct scaled *)source;
	if (s->done == s->batch.n_blocks) {
		s->done = 0;
		if (s->raw->next(s->raw, &s->batch, err) < 0)
			return -1;
		if (!s->batch.n_blocks) {
			*out = s->batch;
			return 0;
		}
	}
	const size_t p = source->n_chan, start = s->done * source->block_rows, n_blocks = least(WAVE, s->batch.n_blocks - s->done),
		     n_rows = least(n_blocks * source->block_rows, s->batch.n_rows - start),
		     row_bytes = p * (s->raw->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	const struct hs_block raw = { .n_rows = n_rows, .n_chan = p, .type = s->raw->type,
		.x = (const char *)s->batch.x + start * row_bytes, .skip = s->batch.skip + start };
#pragma omp parallel for schedule(static) num_threads(hs_par_threads())
	for (size_t i = 0; i < n_rows; i++) {
		double sum;
		s->skip[i] = raw.skip[i] || !scale_row(s->r, &raw, i, s->y + i * p, &sum);
	}
	*out = (struct hs_batch){ .first_block = s->batch.first_block + s->done, .n_blocks = n_blocks,
		.first_row = s->batch.first_row + start, .n_rows = n_rows, .x = s->y, .skip = s->skip };
	s->done += n_blocks;
	return 0;
}

/* The rows as y; the source itself where y is x. */
static struct hs_rowsource *scaled_new(const struct hs_reduced *r, struct hs_rowsource *raw, struct hs_err *err)
{
	if (as_it_is(r))
		return raw;
	const size_t room = least(WAVE * raw->block_rows, raw->n_rows);
	struct scaled *s = hs_alloc(1, sizeof *s, err);
	if (!s)
		return NULL;
	*s = (struct scaled){ .source = *raw, .raw = raw, .r = r };
	s->source.type = HS_ROW_F64;
	s->source.rewind = scaled_rewind;
	s->source.next = scaled_next;
	s->y = hs_alloc(room, raw->n_chan * sizeof(double), err);
	s->skip = s->y ? hs_alloc(room, 1, err) : NULL;
	if (s->skip)
		return &s->source;
	free(s->y);
	free(s);
	return NULL;
}

static void scaled_free(struct hs_rowsource *rows, const struct hs_rowsource *raw)
{
	if (!rows || rows == raw)
		return;
	struct scaled *s = (struct scaled *)rows;
	free(s->y);
	free(s->skip);
	free(s);
}

/* --- means, before rows or channels can be scaled ------------------------------------------------------------------ */

enum { N_USED, SUM, LARGEST, CHANNEL };           /* a partial: three numbers, then the sums of the channels */

struct survey {
	const struct hs_reduced *r;
	struct hs_tree *tree;
	double *row;                          /* threads x n_chan */
};

static void merge_survey(void *left, const void *right, const void *ctx)
{
	double *a = left;
	const double *b = right;
	const size_t p = *(const size_t *)ctx;
	const double largest = fmax(a[LARGEST], b[LARGEST]);
	hs_add(a, b, CHANNEL + p);
	a[LARGEST] = largest;
}

static int survey_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct survey *s = ctx;
	const size_t p = s->r->n_chan;
	double *part = hs_tree_borrow(s->tree, err), *y = s->row + (size_t)thread * p;
	if (!part)
		return -1;
	for (size_t i = 0; i < block->n_rows; i++) {
		double sum;
		if (block->skip[i])
			continue;
		hs_block_row(block, i, false, y);
		for (size_t j = 0; j < p; j++)
			part[LARGEST] = fmax(part[LARGEST], fabs(y[j]));
		if (!scale_row(s->r, block, i, y, &sum))
			continue;
		part[N_USED] += 1;
		part[SUM] += sum;
		hs_add(part + CHANNEL, y, p);
	}
	hs_tree_put(s->tree, block->index, part);
	return 0;
}

/* One pass: mean sum, means of the channels (mean: room for n_chan), largest magnitude of the raw values. */
static int survey(struct hs_reduced *r, struct hs_rowsource *rows, double *mean, double *largest, struct hs_err *err)
{
	const size_t p = r->n_chan;
	struct survey s = { .r = r, .row = hs_alloc((size_t)hs_par_threads(), p * sizeof(double), err) };
	s.tree = s.row ? hs_tree_new((CHANNEL + p) * sizeof(double), merge_survey, &p, err) : NULL;
	int verdict = s.tree ? hs_rows_each(rows, "means", survey_block, &s, err) : -1;
	const double *all = verdict == 0 ? hs_tree_root(s.tree, err) : NULL;
	if (all && !(all[N_USED] > 0))
		verdict = hs_fail(err, HS_BAD_DATA, "no spectrum can be used: all are masked, not finite%s",
			r->unit_sum ? ", or without a positive sum" : "");
	if (all && verdict == 0) {
		r->mean_sum = r->unit_sum ? all[SUM] / all[N_USED] : 1;
		*largest = all[LARGEST];
		for (size_t j = 0; j < p; j++)
			mean[j] = all[CHANNEL + j] / all[N_USED];
	}
	hs_tree_free(s.tree);
	free(s.row);
	return all ? verdict : -1;
}

static bool extreme(double largest)
{
	return largest > 0 && (largest > 1e100 || largest < 1e-100);
}

/* Weights and scale from a pass over the data; twice when values are extreme. */
static int prepare(struct hs_reduced *r, struct hs_rowsource *rows, bool poisson, struct hs_err *err)
{
	const size_t p = r->n_chan;
	double largest = 0;
	r->channel_mean = hs_alloc(p, sizeof(double), err);
	if (!r->channel_mean || survey(r, rows, r->channel_mean, &largest, err) < 0)
		return -1;
	if (extreme(largest) && r->scale == 1) {
		int power;
		frexp(largest, &power);
		/* the power itself stays within float64, and one step more than needed does no harm */
		r->scale = ldexp(1, power > 1000 ? -1000 : power < -1000 ? 1000 : -power);
		if (survey(r, rows, r->channel_mean, &largest, err) < 0)
			return -1;
	}
	for (size_t j = 0; poisson && j < p; j++)
		r->weight[j] = r->channel_mean[j] > 0 ? 1 / sqrt(r->channel_mean[j]) : 0;
	return 0;
}

/* --- moments and axes ---------------------------------------------------------------------------------------------- */

/* Axes whose variance is more than the rounding of the largest, and of the mean. */
static size_t count_axes(const struct hs_pca *pca, const double *mean)
{
	const size_t p = pca->n_chan, size = least(pca->n_used, p);
	double power = 0;
	for (size_t j = 0; j < p; j++)
		power += mean[j] * mean[j];
	const double floor = pca->n_eig ? fmax((double)size * 0x1p-50 * pca->eigenvalue[0], 1e-29 * power) : 0;
	size_t n = 0;
	while (n < pca->n_comp && pca->eigenvalue[n] > floor)
		n++;
	return n;
}

static int take_results(struct hs_reduced *r, struct hs_pca *pca, struct hs_err *err)
{
	const size_t p = r->n_chan;
	r->n_used = pca->n_used;
	r->n_eig = pca->n_eig;
	r->n_axes = count_axes(pca, pca->frame.mean);
	r->mean = hs_alloc(p, sizeof(double), err);
	if (!r->mean)
		return -1;
	memcpy(r->mean, pca->frame.mean, p * sizeof(double));
	r->eigenvalue = pca->eigenvalue;
	r->axes = pca->basis;
	pca->eigenvalue = NULL;
	pca->basis = pca->loadings = NULL;    /* the same array: rows are not poisson-scaled by moments.h */
	return 0;
}

static int moments(struct hs_reduced *r, struct hs_rowsource *rows, size_t n_axes, bool with_covariance, struct hs_err *err)
{
	const struct hs_moments_options options = { .centre = HS_CENTRE_CHANNEL, .exact = true };
	const size_t p = r->n_chan;
	struct hs_rowsource *scaled = scaled_new(r, rows, err);
	struct hs_moments m = { 0 };
	struct hs_pca pca = { 0 };
	int verdict = scaled ? hs_moments_init(&m, scaled, &options, err) : -1;
	if (verdict == 0 && with_covariance && !m.gram) {
		r->covariance = hs_alloc(p * p, sizeof(double), err);
		verdict = r->covariance ? 0 : -1;
		if (verdict == 0)
			memcpy(r->covariance, m.matrix, p * p * sizeof(double));
	}
	if (verdict == 0)
		verdict = hs_pca_init(&pca, &m, scaled, n_axes, err);
	hs_moments_release(&m);
	if (verdict == 0)
		verdict = take_results(r, &pca, err);
	hs_pca_release(&pca);
	scaled_free(scaled, rows);
	return verdict;
}

static void forget_moments(struct hs_reduced *r)
{
	free(r->mean);
	free(r->axes);
	free(r->eigenvalue);
	free(r->covariance);
	r->mean = r->axes = r->eigenvalue = r->covariance = NULL;
}

/* Squares of values near the ends of the range overflow, or vanish: seen by what comes out, then looked at closely. */
static int moments_at_any_scale(struct hs_reduced *r, struct hs_rowsource *rows, size_t n_axes, bool with_covariance,
	struct hs_err *err)
{
	struct hs_err first = { 0 };
	const int verdict = moments(r, rows, n_axes, with_covariance, &first);
	const bool suspicious = verdict < 0 ? first.status == HS_BAD_DATA : !(r->n_eig && r->eigenvalue[0] > 1e-200);
	if (suspicious && r->scale == 1 && !r->channel_mean && !r->unit_sum) {
		struct hs_err ignored = { 0 };
		if (prepare(r, rows, false, &ignored) == 0 && r->scale != 1) {
			forget_moments(r);
			return moments(r, rows, n_axes, with_covariance, err);
		}
		free(r->channel_mean);
		r->channel_mean = NULL;
	}
	if (verdict < 0)
		*err = first;
	return verdict;
}

int hs_reduce(struct hs_reduced *r, struct hs_rowsource *rows, size_t n_axes, bool poisson, bool unit_sum, bool with_covariance,
	struct hs_err *err)
{
	const size_t p = rows->n_chan;
	*r = (struct hs_reduced){ .n_rows = rows->n_rows, .n_chan = p, .unit_sum = unit_sum, .scale = 1, .mean_sum = 1 };
	r->weight = hs_alloc(p, sizeof(double), err);
	if (!r->weight)
		return -1;
	for (size_t j = 0; j < p; j++)
		r->weight[j] = 1;
	if ((poisson || unit_sum) && prepare(r, rows, poisson, err) < 0)
		return -1;
	return moments_at_any_scale(r, rows, n_axes, with_covariance, err);
}

void hs_reduced_release(struct hs_reduced *r)
{
	forget_moments(r);
	free(r->weight);
	free(r->channel_mean);
	free(r->z);
	free(r->height);
	free(r->skip);
	*r = (struct hs_reduced){ 0 };
}

/* --- coordinates --------------------------------------------------------------------------------------------------- */

struct coordinates {
	struct hs_reduced *r;
	double *upright;                      /* n_chan: unit vector along the mean's part orthogonal to the axes, or NULL */
	double *y;                            /* threads x block_rows x n_chan */
	size_t block_rows;
};

static int coordinates_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	const struct coordinates *c = ctx;
	struct hs_reduced *r = c->r;
	const size_t p = r->n_chan, d = r->d, n = block->n_rows, first = block->first_row;
	double *y = c->y + (size_t)thread * c->block_rows * p;
	for (size_t i = 0; i < n; i++) {
		r->skip[first + i] = block->skip[i] != 0;
		if (block->skip[i]) {
			memset(y + i * p, 0, p * sizeof *y);
			continue;
		}
		hs_block_row(block, i, false, y + i * p);
		if (r->height)
			r->height[first + i] = hs_dot(y + i * p, c->upright, p);
		hs_subtract(y + i * p, r->mean, p);
	}
	if (d)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)d, (int)p, 1, y, (int)p, r->axes, (int)p, 0,
			r->z + first * d, (int)d);
	return 0;
}

/* The part of the mean that the first d axes do not hold; a zero vector when there is none. */
static void upright_of(const struct hs_reduced *r, double *upright)
{
	const size_t p = r->n_chan;
	memcpy(upright, r->mean, p * sizeof *upright);
	for (size_t twice = 0; twice < 2; twice++)
		for (size_t c = 0; c < r->d; c++)
			cblas_daxpy((int)p, -hs_dot(upright, r->axes + c * p, p), r->axes + c * p, 1, upright, 1);
	const double length = sqrt(hs_dot(upright, upright, p));
	for (size_t j = 0; j < p; j++)
		upright[j] = length > 0 ? upright[j] / length : 0;
}

int hs_reduce_coordinates(struct hs_reduced *r, struct hs_rowsource *rows, size_t d, bool with_height, struct hs_err *err)
{
	const size_t p = r->n_chan, n = r->n_rows;
	struct coordinates c = { .r = r, .block_rows = least(rows->block_rows, n) };
	struct hs_rowsource *scaled = scaled_new(r, rows, err);
	r->d = least(d, r->n_axes);
	r->z = scaled ? hs_alloc(n, r->d * sizeof(double), err) : NULL;
	r->skip = r->z ? hs_alloc(n, 1, err) : NULL;
	r->height = r->skip && with_height ? hs_alloc(n, sizeof(double), err) : NULL;
	c.upright = r->skip && (r->height || !with_height) ? hs_alloc(p, sizeof(double), err) : NULL;
	c.y = c.upright ? hs_alloc((size_t)hs_par_threads(), c.block_rows * p * sizeof(double), err) : NULL;
	int verdict = -1;
	if (c.y) {
		upright_of(r, c.upright);
		verdict = hs_rows_each(scaled, "coordinates", coordinates_block, &c, err);
	}
	free(c.upright);
	free(c.y);
	scaled_free(scaled, rows);
	/* rows that are not used are zero rows less the mean so far */
	for (size_t i = 0; verdict == 0 && i < n; i++)
		if (r->skip[i])
			memset(r->z + i * r->d, 0, r->d * sizeof *r->z);
	return verdict;
}

/* --- means of sets of rows ----------------------------------------------------------------------------------------- */

struct member {
	size_t row, group;
};

struct groups {
	const struct member *member;          /* by row */
	size_t n, n_chan;
	struct hs_tree *tree;
	double *row;                          /* threads x n_chan */
};

static int by_row(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return x->group < y->group ? -1 : x->group > y->group;
}

static int group_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct groups *g = ctx;
	const size_t p = g->n_chan, end = block->first_row + block->n_rows;
	size_t low = 0, high = g->n;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (g->member[middle].row < block->first_row)
			low = middle + 1;
		else
			high = middle;
	}
	double *part = hs_tree_borrow(g->tree, err), *y = g->row + (size_t)thread * p;
	if (!part)
		return -1;
	for (size_t i = low; i < g->n && g->member[i].row < end; i++) {
		hs_block_row(block, g->member[i].row - block->first_row, false, y);
		hs_add(part + g->member[i].group * p, y, p);
	}
	hs_tree_put(g->tree, block->index, part);
	return 0;
}

int hs_reduce_group_means(const struct hs_reduced *r, struct hs_rowsource *rows, const size_t *member, const size_t *n_members,
	size_t n_groups, double *mean, struct hs_err *err)
{
	const size_t p = r->n_chan, n_sums = n_groups * p;
	struct groups g = { .n_chan = p };
	for (size_t i = 0; i < n_groups; i++)
		g.n += n_members[i];
	struct member *list = hs_alloc(g.n, sizeof *list, err);
	struct hs_rowsource *scaled = list ? scaled_new(r, rows, err) : NULL;
	g.member = list;
	g.row = scaled ? hs_alloc((size_t)hs_par_threads(), p * sizeof(double), err) : NULL;
	g.tree = g.row ? hs_tree_new(n_sums * sizeof(double), hs_merge_sums, &n_sums, err) : NULL;
	const double *sum = NULL;
	if (g.tree) {
		for (size_t group = 0, at = 0; group < n_groups; group++)
			for (size_t i = 0; i < n_members[group]; i++, at++)
				list[at] = (struct member){ member[at], group };
		qsort(list, g.n, sizeof *list, by_row);
		if (hs_rows_each(scaled, "purest spectra", group_block, &g, err) == 0)
			sum = hs_tree_root(g.tree, err);
	}
	for (size_t i = 0; sum && i < n_sums; i++)
		mean[i] = sum[i] / (double)n_members[i / p];
	hs_tree_free(g.tree);
	free(g.row);
	scaled_free(scaled, rows);
	free(list);
	return sum ? 0 : -1;
}

/* --- there and back ------------------------------------------------------------------------------------------------ */

void hs_reduce_spectrum(const struct hs_reduced *r, const double *z, double *y)
{
	const size_t p = r->n_chan;
	memcpy(y, r->mean, p * sizeof *y);
	for (size_t c = 0; c < r->d; c++)
		cblas_daxpy((int)p, z[c], r->axes + c * p, 1, y, 1);
}

void hs_reduce_project(const struct hs_reduced *r, const double *y, double *z)
{
	const size_t p = r->n_chan;
	for (size_t c = 0; c < r->d; c++)
		z[c] = hs_dot(y, r->axes + c * p, p) - hs_dot(r->mean, r->axes + c * p, p);
}

void hs_reduce_restore(const struct hs_reduced *r, double *y)
{
	for (size_t j = 0; j < r->n_chan; j++) {
		const double x = r->weight[j] > 0 ? y[j] / r->weight[j] : r->channel_mean[j];
		y[j] = x * r->mean_sum / r->scale;
	}
}

size_t hs_reduce_bytes(size_t n_rows, size_t n_chan, size_t d, bool with_covariance, int threads)
{
	const size_t p = n_chan, t = (size_t)(threads > 0 ? threads : hs_par_threads()), order = least(n_rows, p),
		     block = least(hs_block_rows(p), n_rows);
	const size_t wave = least(WAVE * block, n_rows) * (p * sizeof(double) + 1),
		     alive = (size_t)hs_partials_alive((double)n_rows, p, (int)t) * (d + 1) * p * sizeof(double),
		     kept = (with_covariance ? p * p : 0) * sizeof(double) + (order + (d + 3) * p) * sizeof(double);
	const size_t first = hs_moments_bytes(n_rows, p, (int)t), solve = order * order * sizeof(double)
		+ hs_pca_bytes(n_rows, p, d, (int)t), second = n_rows * ((d + 1) * sizeof(double) + 1)
		+ t * (block + 1) * p * sizeof(double) + alive + n_rows / 10 * sizeof(struct member);
	const size_t most = first > solve ? first : solve;
	return wave + kept + (most > second ? most : second);
}
