/* How it works. Rows are seen in working coordinates z = (x/|x| or x, minus a shift near the mean) times a power of two
 * that brings them to order 1; there float32 products lose nothing that matters. A pass multiplies each block with the
 * stacked centres of all running restarts, and bounds |z|^2 - 2 z.c + |c|^2 from above and below. Where the nearest centre
 * is beyond doubt it is taken; else the rivals are measured in float64. Only rows that change their cluster touch the
 * sums, so passes become cheap as soon as labels settle. */
#include "math/kmeans.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "math/validity.h"

enum { SAMPLE_ROWS_MIN = 1024, SAMPLE_ROWS_MAX = 16384, CANDIDATES_AT_ONCE = 64 };
static const size_t sample_bytes = 32u << 20, chunk_bytes = 512u << 10, centre_bytes = 16u << 20;

/* Element-wise loops get a second copy for CPUs with AVX2, chosen at load time; both give the same bits, as no sum changes
 * its order and products are never fused. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&                         \
	!defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

struct hs_kmeans_options hs_kmeans_defaults(size_t k)
{
	return (struct hs_kmeans_options){ .k = k, .restarts = 10, .max_iter = 300, .tol = 1e-8 };
}

void hs_kmeans_release(struct hs_kmeans *result)
{
	free(result->label);
	free(result->centroid);
	free(result->mean);
	free(result->spread);
	free(result->size);
	free(result->trace);
	*result = (struct hs_kmeans){ 0 };
}

/* ---- rows and their coordinates ---- */

struct space {
	size_t p;
	bool unit;
	bool narrow;                  /* float32 rows that can be shifted and scaled in float32, in one rounding */
	double *shift, scale;
	float *shift32;
	double nothing;               /* squared distance that rounding alone can make: such rows are the same */
};

/* Rows to work on: the whole source, or a sample in memory. */
struct view {
	struct hs_rowsource *rows;
	const struct space *space;
	double *inv;                  /* unit: 1/|x| of each row, 0 for rows not used; else NULL */
	float *len;                   /* |z| of each row, negative until the first pass that meets it */
	size_t n_used;
	double scatter;               /* sum of |z|^2 */
};

static double dot4(const double *a, const double *b, size_t n)
{
	double s[4] = { 0 };
	size_t j = 0;
	for (; j + 4 <= n; j += 4)
		for (size_t l = 0; l < 4; l++)
			s[l] += a[j + l] * b[j + l];
	for (; j < n; j++)
		s[0] += a[j] * b[j];
	return (s[0] + s[1]) + (s[2] + s[3]);
}

static double distance2(const double *a, const double *b, size_t n)
{
	double s[4] = { 0 };
	size_t j = 0;
	for (; j + 4 <= n; j += 4)
		for (size_t l = 0; l < 4; l++)
			s[l] += (a[j + l] - b[j + l]) * (a[j + l] - b[j + l]);
	for (; j < n; j++)
		s[0] += (a[j] - b[j]) * (a[j] - b[j]);
	return (s[0] + s[1]) + (s[2] + s[3]);
}

WIDE static void add(double *to, const double *from, size_t n)
{
	for (size_t j = 0; j < n; j++)
		to[j] += from[j];
}

WIDE static void subtract(double *to, const double *from, size_t n)
{
	for (size_t j = 0; j < n; j++)
		to[j] -= from[j];
}

WIDE static void widen(double *out, const float *x, size_t n)
{
	for (size_t j = 0; j < n; j++)
		out[j] = (double)x[j];
}

/* Row i of a block as measured. */
static void get_row(const struct hs_block *block, size_t i, double *out)
{
	const size_t p = block->n_chan;
	if (block->type == HS_ROW_F64)
		memcpy(out, (const double *)block->x + i * p, p * sizeof *out);
	else
		widen(out, (const float *)block->x + i * p, p);
}

/* Row i of a block in working coordinates. */
WIDE static void get_z(const struct view *view, const struct hs_block *block, size_t i, double *z)
{
	const struct space *s = view->space;
	const double inv = view->inv ? view->inv[block->first_row + i] : 1;
	get_row(block, i, z);
	for (size_t j = 0; j < s->p; j++)
		z[j] = (z[j] * inv - s->shift[j]) * s->scale;
}

WIDE static void shift_f32(float *y, const float *x, const float *shift, float scale, size_t n)
{
	for (size_t j = 0; j < n; j++)
		y[j] = (x[j] - shift[j]) * scale;
}

WIDE static void shift_mixed(float *y, const float *x, double inv, const double *shift, double scale, size_t n)
{
	for (size_t j = 0; j < n; j++)
		y[j] = (float)(((double)x[j] * inv - shift[j]) * scale);
}

WIDE static void shift_f64(float *y, const double *x, double inv, const double *shift, double scale, size_t n)
{
	for (size_t j = 0; j < n; j++)
		y[j] = (float)((x[j] * inv - shift[j]) * scale);
}

/* Eight running sums, in this order whatever the vector width. */
WIDE static float length(const float *y, size_t n)
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

/* Usable rows from .. from+n-1 of a block as float32 working coordinates, their lengths and their places in the block. */
static size_t pack(
	const struct view *view, const struct hs_block *block, size_t from, size_t n, float *y, float *len, size_t *index)
{
	const struct space *s = view->space;
	const size_t p = s->p;
	size_t used = 0;
	for (size_t i = from; i < from + n; i++) {
		if (block->skip[i])
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

static int view_lengths(struct view *view, struct hs_err *err)
{
	view->len = hs_alloc(view->rows->n_rows, sizeof *view->len, err);
	for (size_t i = 0; view->len && i < view->rows->n_rows; i++)
		view->len[i] = -1;
	return view->len ? 0 : -1;
}

static size_t chunk_rows(size_t p)
{
	const size_t n = chunk_bytes / (p * sizeof(float)) & ~(size_t)7;
	return n < 16 ? 16 : n > 1024 ? 1024 : n;
}

/* What each thread works in. */
struct scratch {
	float *y, *len, *dot, *bound;
	size_t *index;
	int32_t *nearest, *rivals;
	double *z;
};

static void scratch_free(struct scratch *list)
{
	for (int t = 0; list && t < hs_par_threads(); t++) {
		free(list[t].y);
		free(list[t].len);
		free(list[t].dot);
		free(list[t].bound);
		free(list[t].index);
		free(list[t].nearest);
		free(list[t].rivals);
		free(list[t].z);
	}
	free(list);
}

static struct scratch *scratch_new(size_t p, size_t n_centres, struct hs_err *err)
{
	const size_t n = chunk_rows(p), threads = (size_t)hs_par_threads();
	struct scratch *list = hs_alloc(threads, sizeof *list, err);
	size_t n_y, n_dot;
	if (!list)
		return NULL;
	if (!hs_mul(n, p, &n_y) || !hs_mul(n, n_centres, &n_dot)) {
		free(list);
		hs_fail(err, HS_SYSTEM, "%zu centres of %zu channels are more than memory can hold", n_centres, p);
		return NULL;
	}
	for (size_t t = 0; t < threads; t++) {
		struct scratch *s = list + t;
		if (!(s->y = hs_alloc(n_y, sizeof(float), err)) || !(s->len = hs_alloc(n, sizeof(float), err)) ||
			!(s->dot = hs_alloc(n_dot, sizeof(float), err)) || !(s->bound = hs_alloc(n, sizeof(float), err)) ||
			!(s->index = hs_alloc(n, sizeof(size_t), err)) || !(s->nearest = hs_alloc(n, sizeof(int32_t), err)) ||
			!(s->rivals = hs_alloc(n, sizeof(int32_t), err)) || !(s->z = hs_alloc(p, sizeof(double), err))) {
			scratch_free(list);
			return NULL;
		}
	}
	return list;
}

/* dot (n_centres x n) = centres (n_centres x p) times y (n x p) transposed; rows innermost, for the loops that follow. */
static void products(const float *centre, size_t n_centres, const float *y, size_t n, size_t p, float *dot)
{
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n_centres, (blasint)n, (blasint)p, 1, centre, (blasint)p, y,
		(blasint)p, 0, dot, (blasint)n);
}

/* Relative error of a float32 dot product of p terms, in terms of the two lengths: rounding walks at random, and the
 * factor leaves it four times its standard deviation and more. */
static double dot_error(size_t p)
{
	return 0x1p-24 * (8 + 2 * sqrt((double)p));
}

/* ---- a row source looked over: who is usable, where the mean is ---- */

struct survey {
	struct hs_tree *tree;
	double *row;                  /* p a thread */
	uint8_t *used;
	double *inv;
};

static void merge_sums(void *left, const void *right, const void *ctx)
{
	add(left, right, *(const size_t *)ctx);
}

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
		get_row(block, i, x);
		if (s->inv) {
			const double norm = sqrt(dot4(x, x, p));
			if (norm == 0)
				continue;
			s->inv[row] = 1 / norm;
			for (size_t j = 0; j < p; j++)
				x[j] *= s->inv[row];
		}
		s->used[row] = 1;
		sum[p]++;
		add(sum, x, p);
	}
	hs_tree_put(s->tree, block->index, sum);
	return 0;
}

static int survey(struct hs_rowsource *rows, struct view *view, struct space *space, uint8_t *used, struct hs_err *err)
{
	const size_t p = space->p, width = p + 1;
	struct survey s = { .used = used, .inv = view->inv, .tree = hs_tree_new(width * sizeof(double), merge_sums, &width, err),
		.row = hs_alloc((size_t)hs_par_threads() * p, sizeof(double), err) };
	int verdict = -1;
	const double *sum = NULL;
	if (s.tree && s.row && hs_rows_each(rows, "mean", survey_block, &s, err) == 0 && (sum = hs_tree_root(s.tree, err)))
		verdict = 0;
	view->n_used = sum ? (size_t)sum[p] : 0;
	/* A shift that is a float32 makes x - shift of float32 rows exact up to one rounding, and exact in float64. */
	for (size_t j = 0; verdict == 0 && view->n_used && j < p; j++) {
		const double mean = sum[j] / (double)view->n_used;
		space->shift32[j] = (float)mean;
		space->shift[j] = rows->type == HS_ROW_F32 && !space->unit ? (double)space->shift32[j] : mean;
	}
	hs_tree_free(s.tree);
	free(s.row);
	return verdict;
}

/* Rows by number (ascending), as they are; and the scatter of all usable rows in the same pass. */
struct gather {
	const struct view *view;
	const size_t *row;
	size_t n;
	char *x;
	struct hs_tree *scatter;      /* NULL: not wanted */
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
	if (!g->scatter)
		return 0;
	double *sum = hs_tree_borrow(g->scatter, err), *z = g->z + (size_t)thread * p;
	if (!sum)
		return -1;
	for (size_t i = 0; i < block->n_rows; i++) {
		if (block->skip[i] || (g->view->inv && g->view->inv[block->first_row + i] == 0))
			continue;
		get_z(g->view, block, i, z);
		*sum += dot4(z, z, p);
	}
	hs_tree_put(g->scatter, block->index, sum);
	return 0;
}

static int gather(const struct view *view, const size_t *row, size_t n, void *x, double *scatter, struct hs_err *err)
{
	static const size_t one = 1;
	struct gather g = { .view = view, .row = row, .n = n, .x = x };
	int verdict = -1;
	if (scatter) {
		g.scatter = hs_tree_new(sizeof(double), merge_sums, &one, err);
		g.z = hs_alloc((size_t)hs_par_threads() * view->space->p, sizeof(double), err);
	}
	if (!scatter || (g.scatter && g.z))
		verdict = hs_rows_each(view->rows, scatter ? "scatter" : NULL, gather_block, &g, err);
	const double *sum = scatter && verdict == 0 ? hs_tree_root(g.scatter, err) : NULL;
	if (sum)
		*scatter = *sum;
	else if (scatter)
		verdict = -1;
	hs_tree_free(g.scatter);
	free(g.z);
	return verdict;
}

/* ---- Lloyd ---- */

struct run {
	size_t restart, k;
	double *centre, *sum;         /* k x p, working coordinates */
	int64_t *count;
	uint8_t *absent;              /* k: no place yet (fewer distinct seeds than clusters) */
	int32_t *label;               /* of the rows of the view it was last run on */
	double within;                /* inertia in working coordinates */
	double *trace;                /* n_iter values, room for the next power of two */
	size_t n_iter;
	enum hs_kmeans_status status;
	bool ended, hopeless;         /* hopeless: an empty cluster found no row away from all centres */
};

struct pass {
	const struct view *view;
	struct run **run;             /* n_runs still running, k centres each */
	size_t n_runs, k, p, n_centres;
	float *centre, *upper, *lower, *reach;
	struct scratch *scratch;
	struct hs_tree *tree;
};

/* What a block changes. */
struct change {
	int64_t *moved;               /* a run: rows with a new label */
	double *far;                  /* a run: |z - centre|^2 of the row farthest from its centre */
	size_t *far_row;
	int64_t *touched, *count;     /* a centre */
	double *sum;                  /* n_centres x p */
};

static size_t change_bytes(const struct pass *p)
{
	return 8 * (3 * p->n_runs + 2 * p->n_centres + p->n_centres * p->p);
}

static struct change change_at(const struct pass *p, void *memory)
{
	struct change c;
	c.moved = memory;
	c.far = (double *)(void *)(c.moved + p->n_runs);
	c.far_row = (size_t *)(void *)(c.far + p->n_runs);
	c.touched = (int64_t *)(void *)(c.far_row + p->n_runs);
	c.count = c.touched + p->n_centres;
	c.sum = (double *)(void *)(c.count + p->n_centres);
	return c;
}

static void merge_change(void *left, const void *right, const void *ctx)
{
	const struct pass *p = ctx;
	union { const void *in; void *out; } same = { right };
	const struct change a = change_at(p, left), b = change_at(p, same.out);
	for (size_t r = 0; r < p->n_runs; r++) {
		a.moved[r] += b.moved[r];
		if (b.far[r] > a.far[r]) {
			a.far[r] = b.far[r];
			a.far_row[r] = b.far_row[r];
		}
	}
	for (size_t c = 0; c < p->n_centres; c++) {
		if (!b.touched[c])
			continue;
		a.touched[c] += b.touched[c];
		a.count[c] += b.count[c];
		add(a.sum + c * p->p, b.sum + c * p->p, p->p);
	}
}

/* For n rows and the k centres of one run: the least upper bound of |z - c|^2 - |z|^2, whose it is, and how many centres
 * cannot be told from it. */
WIDE static void scan(const struct pass *p, size_t first, const float *dot, const float *len, size_t n, float *bound,
	int32_t *nearest, int32_t *rivals)
{
	for (size_t i = 0; i < n; i++) {
		bound[i] = INFINITY;
		nearest[i] = 0;
		rivals[i] = 0;
	}
	for (size_t c = 0; c < p->k; c++) {
		const float *d = dot + (first + c) * n, upper = p->upper[first + c], reach = p->reach[first + c];
		const int32_t name = (int32_t)c;
		for (size_t i = 0; i < n; i++) {
			const float v = upper - 2 * d[i] + reach * len[i];
			nearest[i] = v < bound[i] ? name : nearest[i];
			bound[i] = v < bound[i] ? v : bound[i];
		}
	}
	for (size_t c = 0; c < p->k; c++) {
		const float *d = dot + (first + c) * n, lower = p->lower[first + c], reach = p->reach[first + c];
		for (size_t i = 0; i < n; i++)
			rivals[i] += lower - 2 * d[i] - reach * len[i] <= bound[i];
	}
}

/* Row i of the chunk is too close to call: measure all rivals in float64. */
static int32_t decide(
	const struct pass *p, size_t run, const float *dot, size_t n, size_t i, float len, float bound, const double *z)
{
	double best = INFINITY;
	int32_t nearest = 0;
	for (size_t c = 0; c < p->k; c++) {
		const size_t at = run * p->k + c;
		if (p->run[run]->absent[c] || !(p->lower[at] - 2 * dot[at * n + i] - p->reach[at] * len <= bound))
			continue;
		const double d = distance2(z, p->run[run]->centre + c * p->p, p->p);
		if (d < best) {
			best = d;
			nearest = (int32_t)c;
		}
	}
	return nearest;
}

static void assign_chunk(
	const struct pass *p, struct scratch *s, const struct hs_block *block, size_t n, const struct change *change, size_t run)
{
	int32_t *label = p->run[run]->label + block->first_row;
	scan(p, run * p->k, s->dot, s->len, n, s->bound, s->nearest, s->rivals);
	for (size_t i = 0; i < n; i++) {
		const size_t row = s->index[i];
		bool have_z = false;
		int32_t to = s->nearest[i];
		if (s->rivals[i] != 1) {
			get_z(p->view, block, row, s->z);
			have_z = true;
			to = decide(p, run, s->dot, n, i, s->len[i], s->bound[i], s->z);
		}
		const double d = (double)s->len[i] * (double)s->len[i] + (double)s->bound[i];
		if (d > change->far[run]) {
			change->far[run] = d;
			change->far_row[run] = block->first_row + row;
		}
		const int32_t from = label[row];
		if (to == from)
			continue;
		if (!have_z)
			get_z(p->view, block, row, s->z);
		label[row] = to;
		change->moved[run]++;
		const size_t in = run * p->k + (size_t)to;
		change->touched[in]++;
		change->count[in]++;
		add(change->sum + in * p->p, s->z, p->p);
		if (from < 0)
			continue;
		const size_t out = run * p->k + (size_t)from;
		change->touched[out]++;
		change->count[out]--;
		subtract(change->sum + out * p->p, s->z, p->p);
	}
}

static int assign_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct pass *p = ctx;
	struct scratch *s = p->scratch + thread;
	void *memory = hs_tree_borrow(p->tree, err);
	if (!memory)
		return -1;
	const struct change change = change_at(p, memory);
	const size_t step = chunk_rows(p->p);
	for (size_t from = 0; from < block->n_rows; from += step) {
		const size_t left = block->n_rows - from,
			     n = pack(p->view, block, from, left < step ? left : step, s->y, s->len, s->index);
		if (!n)
			continue;
		products(p->centre, p->n_centres, s->y, n, p->p, s->dot);
		for (size_t run = 0; run < p->n_runs; run++)
			assign_chunk(p, s, block, n, &change, run);
	}
	hs_tree_put(p->tree, block->index, memory);
	return 0;
}

/* Centres as float32, and the bounds that belong to them. A centre without a place is infinitely far. */
static void stack_centres(struct pass *p)
{
	const double error = dot_error(p->p), tiny = (double)p->p * (double)FLT_MIN;
	for (size_t r = 0; r < p->n_runs; r++)
		for (size_t c = 0; c < p->k; c++) {
			const size_t at = r * p->k + c;
			const double *centre = p->run[r]->centre + c * p->p;
			const bool absent = p->run[r]->absent[c];
			for (size_t j = 0; j < p->p; j++)
				p->centre[at * p->p + j] = absent ? 0 : (float)centre[j];
			const double square = dot4(centre, centre, p->p);
			p->upper[at] = absent ? INFINITY : (float)(square + square * error + tiny);
			p->lower[at] = absent ? INFINITY : (float)(square - square * error - tiny);
			p->reach[at] = absent ? 0 : (float)(2 * error * sqrt(square));
		}
}

/* New centre of one cluster from its sum; returns the squared shift. */
static double move_centre(const struct space *s, struct run *run, size_t c, double *fresh)
{
	const double *sum = run->sum + c * s->p, count = (double)run->count[c];
	double *centre = run->centre + c * s->p, norm2 = 0;
	for (size_t j = 0; j < s->p; j++) {
		fresh[j] = s->unit ? sum[j] / s->scale + count * s->shift[j] : sum[j] / count;
		norm2 += fresh[j] * fresh[j];
	}
	if (s->unit && norm2 == 0)
		return 0;             /* members cancel: any direction is as good as the one it has */
	for (size_t j = 0; s->unit && j < s->p; j++)
		fresh[j] = (fresh[j] / sqrt(norm2) - s->shift[j]) * s->scale;
	const double moved = distance2(fresh, centre, s->p);
	memcpy(centre, fresh, s->p * sizeof *centre);
	return moved;
}

/* Inertia about the centres that the sums say. Total minus between: loses 1e-16 of the total, never a pass. */
static double within(const struct view *view, const struct run *run)
{
	const struct space *s = view->space;
	double between = 0, loss = 0;
	for (size_t c = 0; c < run->k; c++) {
		const double *sum = run->sum + c * s->p, count = (double)run->count[c];
		if (!run->count[c])
			continue;
		double norm2 = 0;
		for (size_t j = 0; s->unit && j < s->p; j++)
			norm2 += (sum[j] / s->scale + count * s->shift[j]) * (sum[j] / s->scale + count * s->shift[j]);
		between += s->unit ? 0 : dot4(sum, sum, s->p) / count;
		loss += s->unit ? 2 * (count - sqrt(norm2)) : 0;
	}
	return s->unit ? loss * s->scale * s->scale : view->scatter - between;
}

static bool has_empty(const struct run *run)
{
	for (size_t c = 0; c < run->k; c++)
		if (!run->count[c])
			return true;
	return false;
}

/* The first empty cluster of a run goes to the row farthest from its centre. */
static bool fill_empty(const struct space *s, struct run *run, size_t row, const double *z)
{
	size_t c = 0;
	const size_t from = (size_t)run->label[row];
	while (run->count[c])
		c++;
	run->hopeless = distance2(z, run->centre + from * s->p, s->p) <= s->nothing;
	if (run->hopeless || run->count[from] == 1)
		return false;
	subtract(run->sum + from * s->p, z, s->p);
	run->count[from]--;
	memcpy(run->sum + c * s->p, z, s->p * sizeof *z);
	run->count[c] = 1;
	run->absent[c] = 0;
	run->label[row] = (int32_t)c;
	return true;
}

/* Takes what the pass changed into the runs, and says which of them have ended. */
static int update(struct pass *p, const struct change *change, size_t max_iter, double tol, struct hs_err *err)
{
	const struct space *s = p->view->space;
	const size_t bytes = s->p * (p->view->rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	char *x = hs_alloc(1, bytes, err);
	double *z = x ? hs_alloc(s->p, sizeof *z, err) : NULL;
	int verdict = z ? 0 : -1;
	for (size_t r = 0; r < p->n_runs && verdict == 0; r++) {
		struct run *run = p->run[r];
		for (size_t c = 0; c < p->k; c++) {
			const size_t at = r * p->k + c;
			run->count[c] += change->count[at];
			if (change->touched[at])
				add(run->sum + c * s->p, change->sum + at * s->p, s->p);
			if (!run->count[c])
				memset(run->sum + c * s->p, 0, s->p * sizeof *run->sum);
		}
		bool settled = change->moved[r] == 0;
		if (change->far[r] > 0 && !run->hopeless && has_empty(run)) {
			const size_t row = change->far_row[r];
			const uint8_t no_skip = 0;
			verdict = gather(p->view, &row, 1, x, NULL, err);
			const struct hs_block block = { .first_row = row, .n_rows = 1, .n_chan = s->p,
				.type = p->view->rows->type, .x = x, .skip = &no_skip };
			get_z(p->view, &block, 0, z);
			if (verdict == 0 && fill_empty(s, run, row, z))
				settled = false;
		}
		double moved = 0;
		for (size_t c = 0; c < p->k && !settled; c++)
			if (run->count[c])
				moved += move_centre(s, run, c, z);
		run->within = within(p->view, run);
		if ((run->n_iter & (run->n_iter - 1)) == 0)
			run->trace = hs_must_resize(run->trace, 2 * run->n_iter + 1, sizeof *run->trace);
		run->trace[run->n_iter++] = run->within / (s->scale * s->scale);
		const bool still = settled || moved < tol * p->view->scatter / (double)p->view->n_used;
		run->status = still ? HS_KMEANS_CONVERGED : HS_KMEANS_MAXITER;
		run->ended = still || run->n_iter >= max_iter;
	}
	free(x);
	free(z);
	return verdict;
}

static int one_pass(struct pass *p, const char *task, size_t max_iter, double tol, struct hs_err *err)
{
	stack_centres(p);
	p->tree = hs_tree_new(change_bytes(p), merge_change, p, err);
	int verdict = p->tree ? hs_rows_each(p->view->rows, task, assign_block, p, err) : -1;
	void *root = verdict == 0 ? hs_tree_root(p->tree, err) : NULL;
	if (!root)
		verdict = -1;
	else {
		const struct change change = change_at(p, root);
		verdict = update(p, &change, max_iter, tol, err);
	}
	hs_tree_free(p->tree);
	return verdict;
}

/* Runs a group of restarts to their ends. */
static int lloyd_group(const struct view *view, struct run *runs, size_t n_runs, const struct hs_kmeans_options *opt,
	const char *task, struct hs_err *err)
{
	struct pass p = { .view = view, .k = runs->k, .p = view->space->p };
	const size_t most = n_runs * runs->k;
	int verdict = -1;
	p.scratch = scratch_new(p.p, most, err);
	p.run = hs_must_alloc(n_runs, sizeof *p.run);
	p.centre = hs_alloc(most * p.p, sizeof *p.centre, err);
	p.upper = hs_must_alloc(3 * most, sizeof *p.upper);
	p.lower = p.upper + most;
	p.reach = p.lower + most;
	if (p.scratch && p.centre)
		verdict = 0;
	bool stopped = false;
	while (verdict == 0) {
		p.n_runs = 0;
		for (size_t r = 0; r < n_runs; r++)
			if (!runs[r].ended)
				p.run[p.n_runs++] = runs + r;
		p.n_centres = p.n_runs * p.k;
		if (!p.n_runs || stopped)
			break;
		verdict = one_pass(&p, task, opt->max_iter, opt->tol, err);
		stopped = opt->stop && opt->stop(opt->stop_ctx);
	}
	for (size_t r = 0; r < p.n_runs; r++)
		p.run[r]->status = HS_KMEANS_STOPPED;
	scratch_free(p.scratch);
	free(p.run);
	free(p.centre);
	free(p.upper);
	return verdict;
}

static size_t runs_at_once(size_t p, size_t k)
{
	const size_t fit = centre_bytes / (k * p * sizeof(double));
	return fit ? fit : 1;
}

/* Runs all restarts from their centres on a view, as many at a time as keeps the stacked centres small. */
static int lloyd(const struct view *view, struct run *runs, size_t n_runs, const struct hs_kmeans_options *opt, const char *task,
	struct hs_err *err)
{
	const size_t p = view->space->p, at_once = runs_at_once(p, runs->k);
	for (size_t r = 0; r < n_runs; r++) {
		free(runs[r].label);
		if (!(runs[r].label = hs_alloc(view->rows->n_rows, sizeof(int32_t), err)))
			return -1;
		for (size_t i = 0; i < view->rows->n_rows; i++)
			runs[r].label[i] = -1;
		memset(runs[r].sum, 0, runs->k * p * sizeof(double));
		memset(runs[r].count, 0, runs->k * sizeof(int64_t));
		runs[r].n_iter = 0;
		runs[r].ended = runs[r].hopeless = false;
		runs[r].within = INFINITY;
	}
	for (size_t r = 0; r < n_runs; r += at_once) {
		if (r && opt->stop && opt->stop(opt->stop_ctx))
			break;
		if (lloyd_group(view, runs + r, n_runs - r < at_once ? n_runs - r : at_once, opt, task, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- seeds: greedy k-means++ on rows in memory ---- */

/* Candidate centres for several restarts at once. */
struct seeding {
	const struct view *view;
	const void *x;                /* n x p rows in memory */
	size_t n, n_blocks, n_tries;  /* n_tries candidates a restart */
	size_t n_cand, *row, *owner;  /* which row each candidate is, of which restart */
	float *centre32;              /* n_cand x p */
	double *centre, *square;
	double *old, *fresh;          /* restarts x n, candidates x n: squared distance to the nearest chosen centre */
	double *block_sum;            /* candidates x n_blocks */
	struct scratch *scratch;
};

static struct hs_block memory_block(const struct view *view, const void *x)
{
	return (struct hs_block){ .n_rows = view->rows->n_rows, .n_chan = view->space->p, .type = view->rows->type, .x = x };
}

static int seeding_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	const struct seeding *g = ctx;
	struct scratch *s = g->scratch + thread;
	const size_t p = block->n_chan, step = chunk_rows(p);
	for (size_t c = 0; c < g->n_cand; c++)
		g->block_sum[c * g->n_blocks + block->index] = 0;
	for (size_t from = 0; from < block->n_rows; from += step) {
		const size_t left = block->n_rows - from,
			     n = pack(g->view, block, from, left < step ? left : step, s->y, s->len, s->index);
		if (!n)
			continue;
		products(g->centre32, g->n_cand, s->y, n, p, s->dot);
		for (size_t c = 0; c < g->n_cand; c++) {
			double sum = 0;
			for (size_t i = 0; i < n; i++) {
				const size_t row = block->first_row + s->index[i];
				const double size = (double)s->len[i] * (double)s->len[i] + g->square[c];
				double d = size - 2 * (double)s->dot[c * n + i];
				if (d < 1e-3 * size) { /* cancelled: a row that equals the candidate must come out as exactly 0 */
					get_z(g->view, block, s->index[i], s->z);
					d = distance2(s->z, g->centre + c * p, p);
					if (d <= g->view->space->nothing)
						d = 0;
				}
				const double known = g->old[g->owner[c] * g->n + row];
				sum += g->fresh[c * g->n + row] = d < known ? d : known;
			}
			g->block_sum[c * g->n_blocks + block->index] += sum;
		}
	}
	return 0;
}

/* Measures the candidates; then each of the n_runs restarts takes the one that leaves the smallest potential. */
static int try_candidates(struct seeding *g, struct run *runs, size_t n_runs, size_t seat, double *potential, double *kept_sum,
	struct hs_err *err)
{
	const size_t p = g->view->space->p;
	const struct hs_block all = memory_block(g->view, g->x);
	for (size_t c = 0; c < g->n_cand; c++) {
		double *z = g->centre + c * p;
		get_z(g->view, &all, g->row[c], z);
		g->square[c] = dot4(z, z, p);
		for (size_t j = 0; j < p; j++)
			g->centre32[c * p + j] = (float)z[j];
	}
	if (g->n_cand && hs_rows_each(g->view->rows, NULL, seeding_block, g, err) < 0)
		return -1;
	for (size_t r = 0; r < n_runs; r++) {
		size_t best = g->n_cand;
		double least = INFINITY;
		for (size_t c = 0; c < g->n_cand; c++) {
			double sum = 0;
			for (size_t b = 0; b < g->n_blocks; b++)
				sum += g->block_sum[c * g->n_blocks + b];
			if (g->owner[c] == r && sum < least) {
				least = sum;
				best = c;
			}
		}
		if (best == g->n_cand)
			continue;     /* every row is a centre already */
		potential[r] = least;
		memcpy(g->old + r * g->n, g->fresh + best * g->n, g->n * sizeof(double));
		memcpy(kept_sum + r * g->n_blocks, g->block_sum + best * g->n_blocks, g->n_blocks * sizeof(double));
		memcpy(runs[r].centre + seat * p, g->centre + best * p, p * sizeof(double));
		runs[r].absent[seat] = 0;
	}
	return 0;
}

/* A row drawn with probability proportional to its squared distance from the centres chosen so far. */
static size_t draw(const double *distance, size_t n, size_t block_rows, const double *block_sum, size_t n_blocks, double target)
{
	size_t b = 0, last = n;
	while (b + 1 < n_blocks && target >= block_sum[b])
		target -= block_sum[b++];
	for (size_t i = b * block_rows; i < n; i++) {
		if (distance[i] > 0)
			last = i;
		if (distance[i] > 0 && (target -= distance[i]) < 0)
			return i;
	}
	while (last == n && b > 0)    /* rounding led past the end of the last row that counts */
		for (size_t i = --b * block_rows; i < n && i < (b + 1) * block_rows; i++)
			if (distance[i] > 0)
				last = i;
	return last;
}

static size_t n_tries(size_t k)
{
	return 2 + (size_t)log((double)k);
}

static size_t seeds_at_once(size_t k)
{
	const size_t fit = CANDIDATES_AT_ONCE / n_tries(k);
	return fit ? fit : 1;
}

static int seed_group(const struct view *view, const void *x, struct run *runs, size_t n_runs, uint64_t seed, struct hs_err *err)
{
	const size_t n = view->rows->n_rows, p = view->space->p, k = runs->k, tries = n_tries(k), most = n_runs * tries;
	struct seeding g = { .view = view, .x = x, .n = n, .n_tries = tries,
		.n_blocks = (n + view->rows->block_rows - 1) / view->rows->block_rows };
	struct hs_rng *rng = hs_must_alloc(n_runs, sizeof *rng);
	double *potential = hs_must_alloc(n_runs, sizeof *potential);
	double *kept_sum = hs_alloc(n_runs * g.n_blocks, sizeof *kept_sum, err);
	int verdict = -1;
	if (kept_sum && (g.row = hs_alloc(most, sizeof *g.row, err)) && (g.owner = hs_alloc(most, sizeof *g.owner, err)) &&
		(g.centre32 = hs_alloc(most * p, sizeof(float), err)) && (g.centre = hs_alloc(most * p, sizeof(double), err)) &&
		(g.square = hs_alloc(most, sizeof(double), err)) && (g.old = hs_alloc(n_runs * n, sizeof(double), err)) &&
		(g.fresh = hs_alloc(most * n, sizeof(double), err)) &&
		(g.block_sum = hs_alloc(most * g.n_blocks, sizeof(double), err)) && (g.scratch = scratch_new(p, most, err)))
		verdict = 0;
	for (size_t r = 0; r < n_runs && verdict == 0; r++) {
		hs_rng_init(rng + r, seed, HS_STREAM_SEEDING, runs[r].restart);
		for (size_t i = 0; i < n; i++)
			g.old[r * n + i] = INFINITY;
		g.row[r] = hs_rng_below(rng + r, n);
		g.owner[r] = r;
	}
	g.n_cand = n_runs;
	for (size_t seat = 0; seat < k && verdict == 0; seat++) {
		for (size_t r = seat ? 0 : n_runs; r < n_runs; r++) {
			for (size_t t = 0; t < tries && potential[r] > 0; t++) {
				const size_t row = draw(g.old + r * n, n, view->rows->block_rows, kept_sum + r * g.n_blocks,
					g.n_blocks, hs_rng_uniform(rng + r) * potential[r]);
				if (row == n)
					continue;
				g.row[g.n_cand] = row;
				g.owner[g.n_cand++] = r;
			}
		}
		verdict = try_candidates(&g, runs, n_runs, seat, potential, kept_sum, err);
		g.n_cand = 0;
	}
	free(rng);
	free(potential);
	free(kept_sum);
	free(g.row);
	free(g.owner);
	free(g.centre32);
	free(g.centre);
	free(g.square);
	free(g.old);
	free(g.fresh);
	free(g.block_sum);
	scratch_free(g.scratch);
	return verdict;
}

static int seed_all(const struct view *view, const void *x, struct run *runs, size_t n_runs, uint64_t seed, struct hs_err *err)
{
	const size_t at_once = seeds_at_once(runs->k);
	for (size_t r = 0; r < n_runs; r += at_once)
		if (seed_group(view, x, runs + r, n_runs - r < at_once ? n_runs - r : at_once, seed, err) < 0)
			return -1;
	return 0;
}

/* ---- the whole ---- */

static size_t sample_rows(size_t n, size_t p, size_t k)
{
	size_t fit = sample_bytes / (p * sizeof(float));
	fit = fit < SAMPLE_ROWS_MIN ? SAMPLE_ROWS_MIN : fit > SAMPLE_ROWS_MAX ? SAMPLE_ROWS_MAX : fit;
	if (fit / 8 < k)
		fit = 8 * k;
	return n < fit ? n : fit;
}

/* Ordinals of the sample among the usable rows, turned into row numbers: one from each of n equal stretches. */
static void choose_sample(const uint8_t *used, size_t n_rows, size_t n_used, size_t n, uint64_t seed, size_t *row)
{
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_SAMPLE, 0);
	size_t taken = 0, ordinal = 0, next = 0;
	for (size_t i = 0; i < n_rows && taken < n; i++) {
		if (!used[i])
			continue;
		if (ordinal == 0 || ordinal > next) {
			const size_t low = (size_t)((double)taken * (double)n_used / (double)n);
			const size_t high = taken + 1 == n ? n_used : (size_t)((double)(taken + 1) * (double)n_used / (double)n);
			next = n == n_used ? ordinal : low + hs_rng_below(&rng, high - low);
		}
		if (ordinal++ == next)
			row[taken++] = i;
	}
}

static int by_within(const void *a, const void *b)
{
	const struct run *x = a, *y = b;
	return x->within != y->within ? (x->within > y->within) - (x->within < y->within)
				      : (x->restart > y->restart) - (x->restart < y->restart);
}

static int by_restart(const void *a, const void *b)
{
	const struct run *x = a, *y = b;
	return (x->restart > y->restart) - (x->restart < y->restart);
}

static void run_release(struct run *run)
{
	free(run->centre);
	free(run->sum);
	free(run->count);
	free(run->absent);
	free(run->label);
	free(run->trace);
	*run = (struct run){ 0 };
}

/* Restarts that came to the same inertia are at the same optimum: of those the lowest goes on. Returns how many are left, by
 * number. */
static size_t drop_twins(struct run *runs, size_t n_runs, double scatter)
{
	size_t kept = 0;
	qsort(runs, n_runs, sizeof *runs, by_within);
	for (size_t r = 0; r < n_runs; r++) {
		if (!kept || !(runs[r].within - runs[kept - 1].within <= 1e-9 * scatter)) {
			const struct run moved = runs[r];
			if (kept != r)
				runs[r] = (struct run){ 0 };
			runs[kept++] = moved;
			continue;
		}
		if (runs[r].restart < runs[kept - 1].restart) {
			const struct run other = runs[kept - 1];
			runs[kept - 1] = runs[r];
			runs[r] = other;
		}
		run_release(runs + r);
	}
	qsort(runs, kept, sizeof *runs, by_restart);
	return kept;
}

static int runs_init(struct run *runs, size_t n_runs, size_t k, size_t p, struct hs_err *err)
{
	for (size_t r = 0; r < n_runs; r++) {
		runs[r] = (struct run){ .restart = r, .k = k };
		if (!(runs[r].centre = hs_alloc(k * p, sizeof(double), err)) ||
			!(runs[r].sum = hs_alloc(k * p, sizeof(double), err)) ||
			!(runs[r].count = hs_alloc(k, sizeof(int64_t), err)) || !(runs[r].absent = hs_alloc(k, 1, err)))
			return -1;
		memset(runs[r].absent, 1, k);
	}
	return 0;
}

/* Centroids of the user, into working coordinates. */
static void start_from(const struct space *s, const double *start, struct run *run)
{
	for (size_t c = 0; c < run->k; c++) {
		const double *from = start + c * s->p, norm = s->unit ? sqrt(dot4(from, from, s->p)) : 1;
		for (size_t j = 0; j < s->p; j++)
			run->centre[c * s->p + j] = ((norm > 0 ? from[j] / norm : 0) - s->shift[j]) * s->scale;
		run->absent[c] = 0;
	}
}

struct rank {
	int64_t size;
	size_t first, cluster;
};

static int by_size(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	return x->size != y->size ? (x->size < y->size) - (x->size > y->size) : (x->first > y->first) - (x->first < y->first);
}

/* Labels of the best run in canonical order; row: where the rows of the view are in the source (NULL: the same). */
static int settle_labels(
	const struct run *best, const struct view *view, const size_t *row, struct hs_kmeans *out, struct hs_err *err)
{
	struct rank *rank = hs_alloc(best->k, sizeof *rank, err);
	int32_t *name = rank ? hs_alloc(best->k, sizeof *name, err) : NULL;
	if (!name) {
		free(rank);
		return -1;
	}
	const size_t n = view->rows->n_rows;
	for (size_t c = 0; c < best->k; c++)
		rank[c] = (struct rank){ best->count[c], n, c };
	for (size_t i = n; i-- > 0;)
		if (best->label[i] >= 0)
			rank[best->label[i]].first = i;
	qsort(rank, best->k, sizeof *rank, by_size);
	for (size_t c = 0; c < best->k; c++) {
		name[rank[c].cluster] = (int32_t)c;
		out->k += rank[c].size > 0;
	}
	for (size_t i = 0; i < n; i++)
		if (best->label[i] >= 0)
			out->label[row ? row[i] : i] = name[best->label[i]];
	free(rank);
	free(name);
	return 0;
}

/* Everything about the clusters, from the labels alone. */
static int describe(struct hs_rowsource *rows, bool unit, struct hs_kmeans *out, struct hs_err *err)
{
	const size_t k = out->k, p = rows->n_chan;
	double *grand = NULL, *m2 = NULL;
	int verdict = -1;
	if (!(out->centroid = hs_alloc(k * p, sizeof(double), err)) || !(out->mean = hs_alloc(k * p, sizeof(double), err)) ||
		!(out->spread = hs_alloc(k * p, sizeof(double), err)) || !(out->size = hs_alloc(k, sizeof(size_t), err)) ||
		!(m2 = hs_alloc(k * p, sizeof(double), err)) || !(grand = hs_alloc(p, sizeof(double), err)) ||
		hs_cluster_moments(rows, out->label, k, unit, out->centroid, m2, out->size, err) < 0)
		goto out;
	for (size_t c = 0; c < k; c++) {
		for (size_t j = 0; j < p; j++)
			grand[j] += out->centroid[c * p + j] * ((double)out->size[c] / (double)out->n_used);
	}
	for (size_t c = 0; c < k; c++) {
		double *centroid = out->centroid + c * p, scatter = 0;
		for (size_t j = 0; j < p; j++)
			scatter += m2[c * p + j];
		out->total += scatter + (double)out->size[c] * distance2(centroid, grand, p);
		const double norm = sqrt(dot4(centroid, centroid, p));
		for (size_t j = 0; unit && norm > 0 && j < p; j++)
			centroid[j] /= norm;
		out->inertia += scatter + (unit ? (double)out->size[c] * (1 - norm) * (1 - norm) : 0);
	}
	if (unit) {
		verdict = hs_cluster_means(rows, out->label, k, out->mean, out->spread, out->size, err);
	} else {
		memcpy(out->mean, out->centroid, k * p * sizeof(double));
		for (size_t c = 0; c < k; c++)
			for (size_t j = 0; j < p; j++)
				out->spread[c * p + j] = sqrt(m2[c * p + j] / (double)out->size[c]);
		verdict = 0;
	}
out:
	free(grand);
	free(m2);
	return verdict;
}

/* The coordinates in which rows are of order 1. */
static int scale_space(struct view *full, struct space *space, double scatter, struct hs_err *err)
{
	if (!isfinite(scatter))
		return hs_fail(err, HS_BAD_DATA, "values are too large: their squares overflow");
	const double rms = sqrt(scatter / ((double)full->n_used * (double)space->p));
	space->scale = rms > 0 ? ldexp(1, -ilogb(rms)) : 1;
	/* Dividing by the norm leaves proportional spectra different in the last places; float64 data are taken at their word. */
	space->nothing = space->unit ? 0x1p-98 * space->scale * space->scale : 0;
	space->narrow = full->rows->type == HS_ROW_F32 && !space->unit && space->scale > 0x1p-90 && space->scale < 0x1p90;
	full->scatter = scatter * space->scale * space->scale;
	return 0;
}

/* Best run first: the lowest inertia, of equal ones the lowest restart. */
static const struct run *best_of(const struct run *runs, size_t n_runs, double scatter, size_t *n_optima)
{
	const struct run *best = runs;
	for (size_t r = 1; r < n_runs; r++)
		if (runs[r].within < best->within - 1e-12 * scatter)
			best = runs + r;
	*n_optima = 0;
	for (size_t r = 0; r < n_runs; r++) {
		bool twin = false;
		for (size_t q = 0; q < r && !twin; q++)
			twin = fabs(runs[q].within - runs[r].within) <= 1e-9 * scatter;
		*n_optima += !twin;
	}
	return best;
}

int hs_kmeans(struct hs_rowsource *rows, const struct hs_kmeans_options *opt, struct hs_kmeans *out, struct hs_err *err)
{
	const size_t n = rows->n_rows, p = rows->n_chan;
	*out = (struct hs_kmeans){ .n_rows = n, .n_chan = p };
	if (!opt->k || !opt->restarts || !opt->max_iter)
		return hs_fail(err, HS_USAGE, "k-means needs at least one cluster, one start and one iteration");
	if (opt->k > INT32_MAX || !p)
		return hs_fail(err, HS_USAGE, "k-means cannot make %zu clusters of rows of %zu channels", opt->k, p);
	(void)hs_par_threads();

	struct space space = { .p = p, .unit = opt->spherical, .scale = 1 };
	struct view full = { .rows = rows, .space = &space }, sample = { .space = &space };
	struct run *runs = NULL;
	uint8_t *used = NULL;
	size_t *row = NULL, n_runs = opt->start ? 1 : opt->restarts, fit, kp, n_x;
	void *x = NULL;
	int verdict = -1;
	if (!hs_mul(opt->k, p, &kp) || !hs_mul(kp, n_runs * sizeof(double), &fit)) {
		hs_fail(err, HS_SYSTEM, "%zu clusters of %zu channels are more than memory can hold", opt->k, p);
		goto out;
	}
	if (!(out->label = hs_alloc(n, sizeof(int32_t), err)) || !(used = hs_alloc(n, 1, err)) ||
		!(space.shift = hs_alloc(p, sizeof(double), err)) || !(space.shift32 = hs_alloc(p, sizeof(float), err)) ||
		(space.unit && !(full.inv = hs_alloc(n, sizeof(double), err))))
		goto out;
	for (size_t i = 0; i < n; i++)
		out->label[i] = -1;
	if (survey(rows, &full, &space, used, err) < 0)
		goto out;
	out->n_used = full.n_used;
	if (!full.n_used) {
		verdict = describe(rows, space.unit, out, err);
		goto out;
	}

	const size_t m = sample_rows(full.n_used, p, opt->k);
	const bool whole = m == full.n_used;
	double scatter;
	if (!(row = hs_alloc(m, sizeof *row, err)))
		goto out;
	choose_sample(used, n, full.n_used, m, opt->seed, row);
	if (!hs_mul(m, p, &n_x)) {
		hs_fail(err, HS_SYSTEM, "rows of %zu channels are more than memory can hold", p);
		goto out;
	}
	if (!(x = hs_alloc(n_x, rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double), err)) ||
		gather(&full, row, m, x, &scatter, err) < 0 || scale_space(&full, &space, scatter, err) < 0 ||
		!(sample.rows = hs_array_rows_new(x, rows->type, m, p, NULL, err)) || view_lengths(&sample, err) < 0 ||
		(!whole && view_lengths(&full, err) < 0) ||
		(space.unit && !(sample.inv = hs_alloc(m, sizeof(double), err))))
		goto out;
	sample.n_used = m;
	for (size_t i = 0; space.unit && i < m; i++)
		sample.inv[i] = full.inv[row[i]];
	if (whole)
		sample.scatter = full.scatter;
	else if (gather(&sample, NULL, 0, NULL, &sample.scatter, err) < 0)
		goto out;

	if (!(runs = hs_alloc(n_runs, sizeof *runs, err)) || runs_init(runs, n_runs, opt->k, p, err) < 0)
		goto out;
	if (opt->start)
		start_from(&space, opt->start, runs);
	else if (seed_all(&sample, x, runs, n_runs, opt->seed, err) < 0)
		goto out;
	if (!whole && !opt->start) {
		if (lloyd(&sample, runs, n_runs, opt, NULL, err) < 0)
			goto out;
		n_runs = drop_twins(runs, n_runs, sample.scatter);
	}
	const struct view *view = whole ? &sample : &full;
	if (!whole) {                 /* the sample has done its work; the passes need the room */
		free(x);
		x = NULL;
	}
	if (lloyd(view, runs, n_runs, opt, "k-means", err) < 0)
		goto out;
	const struct run *best = best_of(runs, n_runs, view->scatter, &out->n_optima);
	if (settle_labels(best, view, whole ? row : NULL, out, err) < 0 || describe(rows, space.unit, out, err) < 0)
		goto out;
	out->restart = best->restart;
	out->status = best->status;
	out->n_iter = best->n_iter;
	if (!(out->trace = hs_alloc(best->n_iter, sizeof(double), err)))
		goto out;
	memcpy(out->trace, best->trace, best->n_iter * sizeof(double));
	verdict = 0;
out:
	for (size_t r = 0; runs && r < (opt->start ? 1 : opt->restarts); r++)
		run_release(runs + r);
	free(runs);
	hs_array_rows_free(sample.rows);
	free(sample.inv);
	free(sample.len);
	free(full.inv);
	free(full.len);
	free(space.shift);
	free(space.shift32);
	free(used);
	free(row);
	free(x);
	if (verdict < 0)
		hs_kmeans_release(out);
	return verdict;
}

/* ---- memory, from the allocations above; in double, where nothing wraps ---- */

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* Partials of hs_tree that can be alive at once: one a thread at work, and the complete subtrees that hang beside the paths
 * from the root to those at work and to the end of what is done. */
static double tree_partials(double n_blocks, double threads)
{
	double alive = threads;
	for (double wide = 1; wide < n_blocks; wide *= 2)
		alive += wide < threads + 1 ? wide : threads + 1;
	return alive < n_blocks ? alive : n_blocks;
}

struct shape {
	double n, p, k, runs, threads, blocks;
};

static double scratch_bytes(const struct shape *s, double n_centres)
{
	const double n = (double)chunk_rows((size_t)s->p);
	return s->threads * (n * (4 * s->p + 4 * n_centres + 24) + 8 * s->p + sizeof(struct scratch));
}

static double seeding_bytes(const struct shape *s)
{
	const double tries = (double)n_tries((size_t)s->k), fit = (double)seeds_at_once((size_t)s->k);
	const double runs = s->runs < fit ? s->runs : fit, most = runs * tries;
	return most * (12 * s->p + 24 + 8 * s->n + 8 * s->blocks) + runs * (8 * s->n + 8 * s->blocks + 8 + sizeof(struct hs_rng)) +
		scratch_bytes(s, most);
}

static double lloyd_bytes(const struct shape *s)
{
	const double fit = (double)runs_at_once((size_t)s->p, (size_t)s->k), runs = s->runs < fit ? s->runs : fit, most = runs * s->k;
	return s->runs * 4 * s->n + most * (4 * s->p + 12) + 16 * s->p + scratch_bytes(s, most) +
		tree_partials(s->blocks, s->threads) * 8 * (3 * runs + 2 * most + most * s->p);
}

static double result_bytes(const struct shape *s)
{
	return 4 * s->n + 24 * s->k * s->p + 8 * s->k + 8 * 4096;
}

static double kmeans_bytes(struct shape s)
{
	const double block_rows = (double)hs_block_rows((size_t)s.p), kp = s.k * s.p;
	struct shape part = s;
	part.n = (double)sample_rows((size_t)s.n, (size_t)s.p, (size_t)s.k);
	part.blocks = ceil(part.n / block_rows);
	s.blocks = ceil(s.n / block_rows);
	const bool whole = part.n == s.n;
	const double x = 8 * part.n * s.p, partials = tree_partials(s.blocks, s.threads);
	const double looking = (partials + s.threads) * 8 * (s.p + 1);
	const double sampled = x + larger(seeding_bytes(&part), lloyd_bytes(&part));
	const double describing = s.runs * 4 * s.n + 8 * (kp + s.p) + partials * 8 * (2 * kp + s.k) + s.threads * 8 * s.p;
	const double passes = (whole ? x : 0) + larger(lloyd_bytes(&s), describing);
	return result_bytes(&s) + (1 + 8 + 4) * s.n + (8 + 4 + 1 + 8) * part.n + 12 * s.p +
		s.runs * (16 * kp + 9 * s.k + 16 * 4096 + sizeof(struct run)) + larger(looking, larger(sampled, passes));
}

size_t hs_kmeans_bytes(size_t n_rows, size_t n_chan, size_t k, size_t restarts, int threads)
{
	const size_t n_sample = n_rows < HS_SILHOUETTE_ROWS ? n_rows : HS_SILHOUETTE_ROWS;
	const struct shape all = { .n = (double)n_rows, .p = n_chan ? (double)n_chan : 1, .k = k ? (double)k : 1,
		.runs = (double)restarts, .threads = threads > 0 ? threads : hs_par_threads() };
	static const size_t beyond = (size_t)1 << 62;
	if (all.k * all.p > 0x1p56)   /* the functions above, shared with the real thing, count in size_t */
		return beyond;
	struct shape part = all;
	part.n = (double)n_sample;
	/* hs_choose_k: the sample and its distances, the best result so far; then the distances are made, or k-means runs on all
	 * rows, or on halves of the sample beside the result it judges */
	const double sample = part.n * (8 * all.p + 8), held = sample + 8 * part.n * part.n + all.k * sizeof(struct hs_k_row),
		     stage = larger(kmeans_bytes(all), larger(sample + 8 * part.n + all.n,
								result_bytes(&all) + kmeans_bytes(part) + 27 * part.n));
	const double small = 0x1p20 + all.threads * 0x3p20; /* descriptors; the panels BLAS packs */
	const double bytes = held + result_bytes(&all) + stage + small;
	return bytes < 0x1p62 ? (size_t)bytes : beyond;
}

/* ---- clusters given by labels ---- */

struct moments {
	const int32_t *label;
	size_t k, p;
	bool unit;
	double *row;                  /* p a thread */
	struct hs_tree *tree;
};

/* A partial is k counts, then k x p means, then k x p sums of squared deviations; counts are exact in a double. */
static void merge_moments(void *left, const void *right, const void *ctx)
{
	const struct moments *m = ctx;
	const size_t k = m->k, p = m->p;
	double *na = left, *mean_a = na + k, *m2_a = mean_a + k * p;
	const double *nb = right, *mean_b = nb + k, *m2_b = mean_b + k * p;
	for (size_t c = 0; c < k; c++) {
		if (nb[c] == 0)
			continue;
		const double n = na[c] + nb[c], share = nb[c] / n, weight = na[c] * share;
		for (size_t j = c * p; j < (c + 1) * p; j++) {
			const double d = mean_b[j] - mean_a[j];
			mean_a[j] += d * share;
			m2_a[j] += m2_b[j] + d * d * weight;
		}
		na[c] = n;
	}
}

WIDE static void add_deviations(double *m2, const double *x, const double *mean, size_t n)
{
	for (size_t j = 0; j < n; j++)
		m2[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
}

/* Row i in x, divided by its norm if wanted; false when it does not count. */
static bool member(const struct moments *m, const struct hs_block *block, size_t i, double *x)
{
	if (block->skip[i] || m->label[block->first_row + i] < 0)
		return false;
	get_row(block, i, x);
	if (!m->unit)
		return true;
	const double norm = sqrt(dot4(x, x, m->p));
	for (size_t j = 0; norm > 0 && j < m->p; j++)
		x[j] *= 1 / norm;
	return norm > 0;
}

/* Twice over the block, which is in the cache the second time: means first, then deviations from them. */
static int moments_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct moments *m = ctx;
	const size_t k = m->k, p = m->p;
	const int32_t *label = m->label + block->first_row;
	for (size_t i = 0; i < block->n_rows; i++)
		if (label[i] >= 0 && (size_t)label[i] >= k)
			return hs_fail(err, HS_BUG, "row %zu has label %d of %zu clusters", block->first_row + i, label[i], k);
	double *count = hs_tree_borrow(m->tree, err), *x = m->row + (size_t)thread * p;
	if (!count)
		return -1;
	double *mean = count + k, *m2 = mean + k * p;
	for (size_t i = 0; i < block->n_rows; i++) {
		if (!member(m, block, i, x))
			continue;
		count[label[i]]++;
		add(mean + (size_t)label[i] * p, x, p);
	}
	for (size_t c = 0; c < k; c++)
		for (size_t j = 0; count[c] > 0 && j < p; j++)
			mean[c * p + j] /= count[c];
	for (size_t i = 0; i < block->n_rows; i++)
		if (member(m, block, i, x))
			add_deviations(m2 + (size_t)label[i] * p, x, mean + (size_t)label[i] * p, p);
	hs_tree_put(m->tree, block->index, count);
	return 0;
}

int hs_cluster_moments(struct hs_rowsource *rows, const int32_t *label, size_t k, bool unit, double *mean, double *m2,
	size_t *size, struct hs_err *err)
{
	struct moments m = { .label = label, .k = k, .p = rows->n_chan, .unit = unit };
	size_t kp, bytes;
	if (!hs_mul(k, m.p, &kp) || !hs_mul(kp, 2 * sizeof(double), &bytes) || bytes > SIZE_MAX / 2)
		return hs_fail(err, HS_SYSTEM, "%zu clusters of %zu channels are more than memory can hold", k, m.p);
	m.row = hs_alloc((size_t)hs_par_threads() * m.p, sizeof(double), err);
	m.tree = m.row ? hs_tree_new(bytes + k * sizeof(double), merge_moments, &m, err) : NULL;
	const double *root = NULL;
	if (m.tree && hs_rows_each(rows, "cluster means", moments_block, &m, err) == 0 && (root = hs_tree_root(m.tree, err))) {
		for (size_t c = 0; c < k; c++)
			size[c] = (size_t)root[c];
		memcpy(mean, root + k, kp * sizeof(double));
		memcpy(m2, root + k + kp, kp * sizeof(double));
	}
	hs_tree_free(m.tree);
	free(m.row);
	return root ? 0 : -1;
}

int hs_cluster_means(struct hs_rowsource *rows, const int32_t *label, size_t k, double *mean, double *spread, size_t *size,
	struct hs_err *err)
{
	if (hs_cluster_moments(rows, label, k, false, mean, spread, size, err) < 0)
		return -1;
	for (size_t c = 0; c < k; c++)
		for (size_t j = c * rows->n_chan; j < (c + 1) * rows->n_chan; j++)
			spread[j] = size[c] ? sqrt(spread[j] / (double)size[c]) : 0;
	return 0;
}

struct nearest {
	const double *centroid;
	size_t k;
	bool unit;
	int32_t *label;
	double *row;
};

static int nearest_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	const struct nearest *g = ctx;
	const size_t p = block->n_chan;
	double *x = g->row + (size_t)thread * p;
	for (size_t i = 0; i < block->n_rows; i++) {
		int32_t *label = g->label + block->first_row + i;
		*label = -1;
		if (block->skip[i])
			continue;
		get_row(block, i, x);
		const double norm = g->unit ? sqrt(dot4(x, x, p)) : 1;
		for (size_t j = 0; g->unit && norm > 0 && j < p; j++)
			x[j] *= 1 / norm;
		double best = INFINITY;
		for (size_t c = 0; c < g->k && norm > 0; c++) {
			const double d = distance2(x, g->centroid + c * p, p);
			if (d < best) {
				best = d;
				*label = (int32_t)c;
			}
		}
	}
	return 0;
}

int hs_nearest_centroid(
	struct hs_rowsource *rows, const double *centroid, size_t k, bool unit, int32_t *label, struct hs_err *err)
{
	struct nearest g = { centroid, k, unit, label, hs_alloc((size_t)hs_par_threads() * rows->n_chan, sizeof(double), err) };
	const int verdict = g.row ? hs_rows_each(rows, NULL, nearest_block, &g, err) : -1;
	free(g.row);
	return verdict;
}
