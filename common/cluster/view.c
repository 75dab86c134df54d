#include "cluster/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/vector.h"

/* ---- coordinates ---- */

HS_WIDE void hs_view_row(const struct hs_view *view, const struct hs_block *block, size_t i, double *z)
{
	const struct hs_space *s = view->space;
	const double inv = view->inv ? view->inv[block->first_row + i] : 1;
	hs_block_row(block, i, false, z);
	for (size_t j = 0; j < s->p; j++)
		z[j] = (z[j] * inv - s->shift[j]) * s->scale;
}

void hs_view_memory_row(const struct hs_view *view, const void *x, size_t i, double *z)
{
	const struct hs_block all = { .n_rows = view->rows->n_rows, .n_chan = view->space->p, .type = view->rows->type, .x = x };
	hs_view_row(view, &all, i, z);
}

HS_WIDE static void shift_f32(float *y, const float *x, const float *shift, float scale, size_t n)
{
	for (size_t j = 0; j < n; j++)
		y[j] = (x[j] - shift[j]) * scale;
}

HS_WIDE static void shift_mixed(float *y, const float *x, double inv, const double *shift, double scale, size_t n)
{
	for (size_t j = 0; j < n; j++)
		y[j] = (float)(((double)x[j] * inv - shift[j]) * scale);
}

HS_WIDE static void shift_f64(float *y, const double *x, double inv, const double *shift, double scale, size_t n)
{
	for (size_t j = 0; j < n; j++)
		y[j] = (float)((x[j] * inv - shift[j]) * scale);
}

/* Eight running sums, in this order whatever the vector width. */
HS_WIDE static float length(const float *y, size_t n)
{
	float s[8] = { 0 };
	size_t j = 0;
	for (; j + 8 <= n; j += 8)
		for (size_t l = 0; l < 8; l++)
			s[l] += y[j + l] * y[j + l];
	for (; j < n; j++)
		s[0] += y[j] * y[j];
	return sqrtf(((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7])));
}

size_t hs_view_pack(const struct hs_view *view, const struct hs_block *block, size_t from, size_t n, const uint8_t *leave,
	float *y, float *len, size_t *index)
{
	const struct hs_space *s = view->space;
	const size_t p = s->p;
	size_t used = 0;
	for (size_t i = from; i < from + n; i++) {
		if (block->skip[i] || (leave && leave[i - from]))
			continue;
		const double inv = view->inv ? view->inv[block->first_row + i] : 1;
		if (inv == 0)
			continue;
		float *to = y + used * p;
		if (s->narrow)
			shift_f32(to, (const float *)block->x + i * p, s->shift32, (float)s->scale, p);
		else if (block->type == HS_ROW_F32)
			shift_mixed(to, (const float *)block->x + i * p, inv, s->shift, s->scale, p);
		else
			shift_f64(to, (const double *)block->x + i * p, inv, s->shift, s->scale, p);
		float *known = view->len + block->first_row + i;
		if (*known < 0)
			*known = length(to, p);
		len[used] = *known;
		index[used++] = i;
	}
	return used;
}

int hs_view_lengths(struct hs_view *view, struct hs_err *err)
{
	view->len = hs_alloc(view->rows->n_rows, sizeof *view->len, err);
	for (size_t i = 0; view->len && i < view->rows->n_rows; i++)
		view->len[i] = -1;
	return view->len ? 0 : -1;
}

int hs_view_scale(struct hs_view *view, struct hs_space *space, double scatter, struct hs_err *err)
{
	if (!isfinite(scatter))
		return hs_fail(err, HS_BAD_DATA, "values are too large: their squares overflow");
	const double rms = sqrt(scatter / ((double)view->n_used * (double)space->p));
	space->scale = rms > 0 ? ldexp(1, -ilogb(rms)) : 1;
	/* Dividing by the norm leaves proportional spectra different in the last places; float64 data are taken at their word. */
	space->nothing = space->unit ? 0x1p-98 * space->scale * space->scale : 0;
	space->narrow = view->rows->type == HS_ROW_F32 && !space->unit && space->scale > 0x1p-90 && space->scale < 0x1p90;
	view->scatter = scatter * space->scale * space->scale;
	return 0;
}

/* ---- who is usable, where the mean is ---- */

struct survey {
	struct hs_tree *tree;         /* p sums and a count */
	double *row;                  /* p a thread */
	uint8_t *used;
	double *inv;
};

static int survey_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct survey *s = ctx;
	const size_t p = block->n_chan;
	double *sum = hs_tree_borrow(s->tree, err), *x = s->row + (size_t)thread * p;
	if (!sum)
		return -1;
	for (size_t i = 0; i < block->n_rows; i++) {
		const size_t row = block->first_row + i;
		if (block->skip[i])
			continue;
		const double norm = hs_block_row(block, i, s->inv != NULL, x);
		if (norm == 0)
			continue;
		if (s->inv)
			s->inv[row] = 1 / norm;
		s->used[row] = 1;
		sum[p]++;
		hs_add(sum, x, p);
	}
	hs_tree_put(s->tree, block->index, sum);
	return 0;
}

int hs_view_survey(struct hs_view *view, struct hs_space *space, uint8_t *used, struct hs_err *err)
{
	const size_t p = space->p, width = p + 1;
	struct survey s = { .used = used, .inv = view->inv,
		.tree = hs_tree_new(width * sizeof(double), hs_merge_sums, &width, err),
		.row = hs_alloc((size_t)hs_par_threads() * p, sizeof(double), err) };
	const double *sum = NULL;
	if (s.tree && s.row && hs_rows_each(view->rows, "mean", survey_block, &s, err) == 0)
		sum = hs_tree_root(s.tree, err);
	view->n_used = sum ? (size_t)sum[p] : 0;
	/* A shift that is a float32 makes x - shift of float32 rows exact up to one rounding, and exact in float64. */
	for (size_t j = 0; view->n_used && j < p; j++) {
		const double mean = sum[j] / (double)view->n_used;
		space->shift32[j] = (float)mean;
		space->shift[j] = view->rows->type == HS_ROW_F32 && !space->unit ? (double)space->shift32[j] : mean;
	}
	hs_tree_free(s.tree);
	free(s.row);
	return sum ? 0 : -1;
}

/* ---- some rows, and the scatter of all ---- */

struct gather {
	const struct hs_view *view;
	const size_t *row;
	size_t n;
	char *x;
	struct hs_tree *scatter;
	double *z;                    /* p a thread */
};

static int gather_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct gather *g = ctx;
	const size_t p = block->n_chan, bytes = p * (block->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	size_t low = 0, high = g->n;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (g->row[middle] < block->first_row)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < g->n && g->row[low] < block->first_row + block->n_rows; low++)
		memcpy(g->x + low * bytes, (const char *)block->x + (g->row[low] - block->first_row) * bytes, bytes);
	double *sum = hs_tree_borrow(g->scatter, err), *z = g->z + (size_t)thread * p;
	if (!sum)
		return -1;
	for (size_t i = 0; i < block->n_rows; i++) {
		if (block->skip[i] || (g->view->inv && g->view->inv[block->first_row + i] == 0))
			continue;
		hs_view_row(g->view, block, i, z);
		*sum += hs_dot(z, z, p);
	}
	hs_tree_put(g->scatter, block->index, sum);
	return 0;
}

int hs_view_gather(const struct hs_view *view, const size_t *row, size_t n, void *x, double *scatter, struct hs_err *err)
{
	static const size_t one = 1;
	struct gather g = { .view = view, .row = row, .n = n, .x = x,
		.scatter = hs_tree_new(sizeof(double), hs_merge_sums, &one, err),
		.z = hs_alloc((size_t)hs_par_threads() * view->space->p, sizeof(double), err) };
	const double *sum = NULL;
	if (g.scatter && g.z && hs_rows_each(view->rows, "scatter", gather_block, &g, err) == 0)
		sum = hs_tree_root(g.scatter, err);
	if (sum)
		*scatter = *sum;
	hs_tree_free(g.scatter);
	free(g.z);
	return sum ? 0 : -1;
}

double hs_view_bytes(double n_rows, size_t p, int threads)
{
	return 8 * (hs_partials_alive(n_rows, p, threads) + threads) * ((double)p + 1);
}
