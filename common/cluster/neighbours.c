#include "cluster/neighbours.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/par.h"
#include "math/vector.h"

/* Leaves, or other places, between two questions about the deadline. */
enum { LEAVES_AT_ONCE = 512, PLACES_AT_ONCE = 4096 };

/* A point on its way into a list: nearer is smaller, then the lower row. */
struct near {
	double d2;
	uint32_t row;
};

static bool before(struct near a, struct near b)
{
	return a.d2 < b.d2 || (a.d2 == b.d2 && a.row < b.row);
}

/* ---- measuring ---- */

HS_WIDE static void leaf2(const double *restrict x, const double *restrict q, size_t d, double *restrict d2)
{
	double sum[HS_LEAF] = { 0 };
	for (size_t c = 0; c < d; c++)
		for (size_t j = 0; j < HS_LEAF; j++) {
			const double t = x[c * HS_LEAF + j] - q[c];
			sum[j] += t * t;
		}
	memcpy(d2, sum, sizeof sum);
}

void hs_neighbours_leaf2(const struct hs_neighbours *tree, size_t leaf, const double *q, double *d2)
{
	leaf2(tree->x + (leaf - tree->n_inner) * HS_LEAF * tree->d, q, tree->d, d2);
}

/* The same sum as for a point, of differences that are not larger (rounding is monotone): never more than the distance found
 * for a point inside. */
double hs_neighbours_near2(const struct hs_neighbours *tree, size_t node, const double *q)
{
	const size_t d = tree->d;
	const double *low = tree->box + node * 2 * d, *high = low + d;
	double sum = 0;
	for (size_t c = 0; c < d; c++) {
		const double under = low[c] - q[c], over = q[c] - high[c], out = under > over ? under : over, t = out > 0 ? out : 0;
		sum += t * t;
	}
	return sum;
}

double hs_neighbours_far2(const struct hs_neighbours *tree, size_t node, const double *q)
{
	const size_t d = tree->d;
	const double *low = tree->box + node * 2 * d, *high = low + d;
	double sum = 0;
	for (size_t c = 0; c < d; c++) {
		const double to_low = q[c] - low[c], to_high = high[c] - q[c], t = to_low > to_high ? to_low : to_high;
		sum += t * t;
	}
	return sum;
}

double hs_neighbours_radius2(const struct hs_neighbours *tree, double radius)
{
	const double r = radius * tree->scale;
	return r * r;
}

/* The level of the leaves, and with it everything about the shape of the tree. */
static unsigned depth_of(size_t n)
{
	unsigned depth = 0;
	while ((n + ((size_t)1 << depth) - 1) >> depth > HS_LEAF)
		depth++;
	return depth;
}

/* Node j of a level holds positions j n / 2^level and on: sizes in a level differ by one at most. */
static size_t first_of(size_t n, unsigned level, size_t j)
{
	return (j * n) >> level;
}

static size_t leaf_at(const struct hs_neighbours *tree, size_t position)
{
	/* the last leaf that does not start after the position */
	const size_t n_leaves = tree->n_nodes - tree->n_inner;
	size_t leaf = position * n_leaves / tree->n;
	while (leaf + 1 < n_leaves && tree->start[tree->n_inner + leaf + 1] <= position)
		leaf++;
	return tree->n_inner + leaf;
}

void hs_neighbours_place(const struct hs_neighbours *tree, size_t position, double *q)
{
	const size_t leaf = leaf_at(tree, position), j = position - tree->start[leaf];
	const double *x = tree->x + (leaf - tree->n_inner) * HS_LEAF * tree->d;
	for (size_t c = 0; c < tree->d; c++)
		q[c] = x[c * HS_LEAF + j];
}

/* ---- making the tree ---- */

struct key {
	double at;
	uint32_t row;
};

static bool key_before(struct key a, struct key b)
{
	return a.at < b.at || (a.at == b.at && a.row < b.row);
}

static void key_swap(struct key *a, struct key *b)
{
	const struct key t = *a;
	*a = *b;
	*b = t;
}

/* Median of three places that no input can foresee. */
static struct key pivot_of(const struct key *key, size_t n)
{
	uint64_t h = n * 0x9e3779b97f4a7c15u;
	struct key p[3];
	for (int i = 0; i < 3; i++) {
		h ^= h >> 29;
		h *= 0xbf58476d1ce4e5b9u;
		p[i] = key[(h >> 32) % n];
	}
	if (key_before(p[1], p[0]))
		key_swap(p, p + 1);
	return key_before(p[2], p[0]) ? p[0] : key_before(p[1], p[2]) ? p[1] : p[2];
}

/* The `left` smallest of n keys go first. No two keys are equal. */
static void select_keys(struct key *key, size_t n, size_t left)
{
	size_t low = 0, high = n;
	while (high - low > 1) {
		const struct key pivot = pivot_of(key + low, high - low);
		size_t i = low, j = high;
		for (;;) {                    /* [low, i) before the pivot, [j, high) not */
			while (i < j && key_before(key[i], pivot))
				i++;
			while (i < j && !key_before(key[j - 1], pivot))
				j--;
			if (i >= j)
				break;
			key_swap(key + i, key + j - 1);
		}
		if (left <= i && i > low) {
			high = i;
		} else if (left > i) {        /* the pivot is the smallest of those not before it: it moves on */
			for (j = i; key_before(pivot, key[j]); j++)
				;
			key_swap(key + i, key + j);
			low = i + 1;
		} else {
			return;
		}
		if (left <= low || left >= high)
			return;
	}
}

/* The box of a node, from its points; returns the coordinate in which it is widest, the first of them. */
static size_t measure_box(struct hs_neighbours *tree, const double *x, size_t node)
{
	const size_t d = tree->d;
	double *low = tree->box + node * 2 * d, *high = low + d;
	uint32_t lowest = UINT32_MAX;
	for (size_t p = tree->start[node]; p < tree->stop[node]; p++) {
		const double *at = x + tree->row[p] * d;
		const bool first = p == tree->start[node];
		for (size_t c = 0; c < d; c++) {
			const double v = at[c] * tree->scale;
			low[c] = first || v < low[c] ? v : low[c];
			high[c] = first || v > high[c] ? v : high[c];
		}
		lowest = tree->row[p] < lowest ? tree->row[p] : lowest;
	}
	tree->lowest[node] = lowest;
	size_t widest = 0;
	for (size_t c = 1; c < d; c++)
		if (high[c] - low[c] > high[widest] - low[widest])
			widest = c;
	return widest;
}

static void split(struct hs_neighbours *tree, const double *x, size_t node, size_t coordinate, struct key *key)
{
	const size_t start = tree->start[node], n = tree->stop[node] - start;
	key += start;
	for (size_t i = 0; i < n; i++) {
		const uint32_t row = tree->row[start + i];
		key[i] = (struct key){ x[row * tree->d + coordinate], row };
	}
	select_keys(key, n, tree->start[2 * node + 2] - start);
	for (size_t i = 0; i < n; i++)
		tree->row[start + i] = key[i].row;
}

static void fill_leaf(struct hs_neighbours *tree, const double *x, size_t node)
{
	const size_t start = tree->start[node], n = tree->stop[node] - start;
	uint32_t *row = tree->row + start;
	double *to = tree->x + (node - tree->n_inner) * HS_LEAF * tree->d;
	for (size_t i = 1; i < n; i++) {
		const uint32_t moved = row[i];
		size_t j = i;
		for (; j > 0 && row[j - 1] > moved; j--)
			row[j] = row[j - 1];
		row[j] = moved;
	}
	for (size_t c = 0; c < tree->d; c++)
		for (size_t j = 0; j < n; j++)
			to[c * HS_LEAF + j] = x[row[j] * tree->d + c] * tree->scale;
}

static void grow(struct hs_neighbours *tree, const double *x, struct key *key)
{
	const unsigned depth = depth_of(tree->n);
	for (unsigned level = 0; level <= depth; level++) {
		const size_t width = (size_t)1 << level;
		for (size_t j = 0; j < width; j++) {
			tree->start[width - 1 + j] = (uint32_t)first_of(tree->n, level, j);
			tree->stop[width - 1 + j] = (uint32_t)first_of(tree->n, level, j + 1);
		}
	}
	for (size_t i = 0; i < tree->n; i++)
		tree->row[i] = (uint32_t)i;
	for (unsigned level = 0; level <= depth; level++) {
		const size_t width = (size_t)1 << level;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads()) if (tree->n > 4096)
		for (size_t node = width - 1; node < 2 * width - 1; node++) {
			const size_t widest = measure_box(tree, x, node);
			if (node < tree->n_inner)
				split(tree, x, node, widest, key);
			else
				fill_leaf(tree, x, node);
		}
	}
}

/* Power of two that brings the largest coordinate to order 1; 0 when one cannot be used. */
static double scale_of(const double *x, size_t n)
{
	double largest = 0;
	for (size_t i = 0; i < n; i++) {
		if (!(fabs(x[i]) <= 0x1p1000))
			return 0;
		largest = fmax(largest, fabs(x[i]));
	}
	return largest > 0x1p-1000 ? exp2(-ilogb(largest)) : largest > 0 ? 0x1p1000 : 1;
}

struct hs_neighbours *hs_neighbours_new(const double *x, size_t n, size_t d, struct hs_err *err)
{
	size_t n_x, n_box, n_all;
	if (!n || !d || n >= (size_t)1 << 31) {
		hs_fail(err, HS_BAD_DATA, "%zu points of %zu coordinates cannot be searched for neighbours", n, d);
		return NULL;
	}
	const size_t n_leaves = (size_t)1 << depth_of(n), n_nodes = 2 * n_leaves - 1;
	if (!hs_product((size_t[]){ n_leaves, HS_LEAF, d }, 3, &n_x) || !hs_product((size_t[]){ n_nodes, 2, d }, 3, &n_box) ||
		!hs_mul(n, d, &n_all)) {
		hs_fail(err, HS_SYSTEM, "%zu points of %zu coordinates are more than memory can hold", n, d);
		return NULL;
	}
	const double scale = scale_of(x, n_all);
	if (!(scale > 0)) {
		hs_fail(err, HS_BAD_DATA, "points hold values that are not finite or beyond 1e301");
		return NULL;
	}
	struct hs_neighbours *tree = hs_alloc(1, sizeof *tree, err);
	if (!tree)
		return NULL;
	*tree = (struct hs_neighbours){ .n = n, .d = d, .n_nodes = n_nodes, .n_inner = n_leaves - 1, .scale = scale };
	struct key *key = NULL;
	if ((tree->row = hs_alloc(n, sizeof *tree->row, err)) && (tree->start = hs_alloc(n_nodes, sizeof *tree->start, err)) &&
		(tree->stop = hs_alloc(n_nodes, sizeof *tree->stop, err)) &&
		(tree->lowest = hs_alloc(n_nodes, sizeof *tree->lowest, err)) &&
		(tree->box = hs_alloc(n_box, sizeof *tree->box, err)) && (tree->x = hs_alloc(n_x, sizeof *tree->x, err)) &&
		(key = hs_alloc(n, sizeof *key, err))) {
		grow(tree, x, key);
		free(key);
		return tree;
	}
	hs_neighbours_free(tree);
	return NULL;
}

void hs_neighbours_free(struct hs_neighbours *tree)
{
	if (!tree)
		return;
	free(tree->row);
	free(tree->start);
	free(tree->stop);
	free(tree->lowest);
	free(tree->box);
	free(tree->x);
	free(tree);
}

double hs_neighbours_bytes(double n, size_t d)
{
	const double n_leaves = n < 0x1p31 ? (double)((size_t)1 << depth_of(n < 1 ? 1 : (size_t)n)) : n / 8;
	return sizeof(struct hs_neighbours) + n * (4 + sizeof(struct key)) + 2 * n_leaves * (12 + 16 * (double)d) +
		n_leaves * HS_LEAF * 8 * (double)d;
}

/* ---- the k nearest ---- */

/* One question: the list is a heap with the farthest on top. */
struct search {
	const struct hs_neighbours *tree;
	const double *q;
	uint32_t self;                /* not to be found; UINT32_MAX: nobody */
	size_t k, n;
	struct near *heap;
};

static void sift_down(struct near *heap, size_t n, struct near item)
{
	size_t i = 0;
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= n)
			break;
		if (child + 1 < n && before(heap[child], heap[child + 1]))
			child++;
		if (!before(item, heap[child]))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = item;
}

static void offer(struct search *s, struct near item)
{
	if (s->n == s->k) {
		if (before(item, s->heap[0]))
			sift_down(s->heap, s->n, item);
		return;
	}
	size_t i = s->n++;
	for (; i > 0 && before(s->heap[(i - 1) / 2], item); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = item;
}

/* May a node whose box is at near2 hold something for the list? */
static bool hopeful(const struct search *s, size_t node, double near2)
{
	return s->n < s->k || before((struct near){ near2, s->tree->lowest[node] }, s->heap[0]);
}

static void descend(struct search *s, size_t node)
{
	const struct hs_neighbours *tree = s->tree;
	while (node < tree->n_inner) {
		size_t first = 2 * node + 1, second = first + 1;
		double a = hs_neighbours_near2(tree, first, s->q), b = hs_neighbours_near2(tree, second, s->q);
		if (b < a || (b == a && tree->lowest[second] < tree->lowest[first])) {
			const double t = a;
			a = b;
			b = t;
			second = first;
			first = second + 1;
		}
		if (hopeful(s, first, a))
			descend(s, first);
		if (!hopeful(s, second, b))
			return;
		node = second;
	}
	double d2[HS_LEAF];
	hs_neighbours_leaf2(tree, node, s->q, d2);
	for (size_t p = tree->start[node], j = 0; p < tree->stop[node]; p++, j++)
		if (tree->row[p] != s->self && (s->n < s->k || d2[j] <= s->heap[0].d2))
			offer(s, (struct near){ d2[j], tree->row[p] });
}

/* The list of a place, nearest first, is left in s->heap. */
static void ask(struct search *s)
{
	s->n = 0;
	descend(s, 0);
	for (size_t n = s->n; n > 1; n--) {
		const struct near last = s->heap[n - 1];
		s->heap[n - 1] = s->heap[0];
		sift_down(s->heap, n - 1, last);
	}
}

int hs_neighbours_each(const struct hs_neighbours *tree, size_t scratch, hs_leaf_fn fn, void *ctx, hs_stop_fn stop,
	void *stop_ctx, struct hs_err *err)
{
	const size_t threads = (size_t)hs_par_threads();
	char *mine = hs_alloc(threads, scratch, err);
	double *q = mine ? hs_alloc(threads * tree->d, sizeof *q, err) : NULL;
	int verdict = q ? 0 : -1;
	for (size_t first = tree->n_inner; first < tree->n_nodes && verdict == 0; first += LEAVES_AT_ONCE) {
		const size_t end = first + LEAVES_AT_ONCE < tree->n_nodes ? first + LEAVES_AT_ONCE : tree->n_nodes;
#pragma omp parallel for schedule(dynamic, 8) num_threads((int)threads) if (end - first > 8)
		for (size_t leaf = first; leaf < end; leaf++) {
			const size_t t = (size_t)omp_get_thread_num();
			fn(ctx, leaf, q + t * tree->d, mine + t * scratch);
		}
		verdict = stop && stop(stop_ctx);
	}
	free(mine);
	free(q);
	return verdict;
}

struct lists {
	const struct hs_neighbours *tree;
	size_t k;
	uint32_t *row;
	double *distance, *reach;     /* reach: of the last alone */
	bool squared;
};

static void write_list(const struct lists *l, size_t at, const struct near *list)
{
	for (size_t j = 0; j < l->k && l->row; j++)
		l->row[at * l->k + j] = list[j].row;
	for (size_t j = 0; j < l->k && l->distance; j++)
		l->distance[at * l->k + j] = sqrt(list[j].d2) / l->tree->scale;
	if (l->reach)
		l->reach[at] = l->squared ? list[l->k - 1].d2 : sqrt(list[l->k - 1].d2) / l->tree->scale;
}

static void nearest_in_leaf(void *ctx, size_t leaf, double *q, void *scratch)
{
	const struct lists *l = ctx;
	for (size_t p = l->tree->start[leaf]; p < l->tree->stop[leaf]; p++) {
		struct search s = { .tree = l->tree, .q = q, .self = l->tree->row[p], .k = l->k, .heap = scratch };
		hs_neighbours_place(l->tree, p, q);
		ask(&s);
		write_list(l, s.self, scratch);
	}
}

static int too_many(const struct hs_neighbours *tree, size_t k, struct hs_err *err)
{
	return hs_fail(err, HS_USAGE, "%zu neighbours asked among %zu points", k, tree->n);
}

int hs_neighbours_nearest(const struct hs_neighbours *tree, size_t k, uint32_t *row, double *distance, hs_stop_fn stop,
	void *stop_ctx, struct hs_err *err)
{
	struct lists l = { .tree = tree, .k = k, .row = row, .distance = distance };
	if (k >= tree->n)
		return too_many(tree, k, err);
	return k ? hs_neighbours_each(tree, k * sizeof(struct near), nearest_in_leaf, &l, stop, stop_ctx, err) : 0;
}

int hs_neighbours_reach(const struct hs_neighbours *tree, size_t k, bool squared, double *reach, hs_stop_fn stop, void *stop_ctx,
	struct hs_err *err)
{
	struct lists l = { .tree = tree, .k = k, .reach = reach, .squared = squared };
	if (k >= tree->n)
		return too_many(tree, k, err);
	if (k)
		return hs_neighbours_each(tree, k * sizeof(struct near), nearest_in_leaf, &l, stop, stop_ctx, err);
	memset(reach, 0, tree->n * sizeof *reach);
	return 0;
}

int hs_neighbours_of(const struct hs_neighbours *tree, const double *places, size_t m, size_t k, uint32_t *row, double *distance,
	hs_stop_fn stop, void *stop_ctx, struct hs_err *err)
{
	const size_t threads = (size_t)hs_par_threads(), d = tree->d;
	const struct lists l = { .tree = tree, .k = k, .row = row, .distance = distance };
	if (k > tree->n)
		return too_many(tree, k, err);
	if (!k)
		return 0;
	struct near *scratch = hs_alloc(threads * k, sizeof *scratch, err);
	double *q = scratch ? hs_alloc(threads * d, sizeof *q, err) : NULL;
	int verdict = q ? 0 : -1;
	for (size_t first = 0; first < m && verdict == 0; first += PLACES_AT_ONCE) {
		const size_t end = first + PLACES_AT_ONCE < m ? first + PLACES_AT_ONCE : m;
#pragma omp parallel for schedule(dynamic, 64) num_threads((int)threads) if (end - first > 256)
		for (size_t i = first; i < end; i++) {
			const size_t t = (size_t)omp_get_thread_num();
			struct search s = { .tree = tree, .q = q + t * d, .self = UINT32_MAX, .k = k, .heap = scratch + t * k };
			for (size_t c = 0; c < d; c++)
				q[t * d + c] = places[i * d + c] * tree->scale;
			ask(&s);
			write_list(&l, i, s.heap);
		}
		verdict = stop && stop(stop_ctx);
	}
	free(scratch);
	free(q);
	return verdict;
}

/* ---- within a radius ---- */

static size_t count_below(const struct hs_neighbours *tree, size_t node, const double *q, double r2, size_t most)
{
	if (hs_neighbours_near2(tree, node, q) > r2)
		return 0;
	const size_t size = tree->stop[node] - tree->start[node];
	if (hs_neighbours_far2(tree, node, q) <= r2)
		return size;
	size_t n = 0;
	if (node < tree->n_inner) {
		n = count_below(tree, 2 * node + 1, q, r2, most);
		return n < most ? n + count_below(tree, 2 * node + 2, q, r2, most - n) : n;
	}
	double d2[HS_LEAF];
	hs_neighbours_leaf2(tree, node, q, d2);
	for (size_t j = 0; j < size; j++)
		n += d2[j] <= r2;
	return n;
}

struct counts {
	const struct hs_neighbours *tree;
	double r2;
	size_t most;
	uint32_t *count;
};

static void count_in_leaf(void *ctx, size_t leaf, double *q, void *scratch)
{
	const struct counts *c = ctx;
	(void)scratch;
	for (size_t p = c->tree->start[leaf]; p < c->tree->stop[leaf]; p++) {
		hs_neighbours_place(c->tree, p, q);
		const size_t n = count_below(c->tree, 0, q, c->r2, c->most);
		c->count[c->tree->row[p]] = (uint32_t)(n < c->most ? n : c->most);
	}
}

int hs_neighbours_count(const struct hs_neighbours *tree, double radius, size_t most, uint32_t *count, hs_stop_fn stop,
	void *stop_ctx, struct hs_err *err)
{
	struct counts c = { tree, hs_neighbours_radius2(tree, radius), most, count };
	return hs_neighbours_each(tree, 0, count_in_leaf, &c, stop, stop_ctx, err);
}

struct found {
	uint32_t *row;
	size_t n;
};

static void collect(const struct hs_neighbours *tree, size_t node, const double *q, double r2, struct found *f)
{
	if (hs_neighbours_near2(tree, node, q) > r2)
		return;
	if (node < tree->n_inner) {
		collect(tree, 2 * node + 1, q, r2, f);
		collect(tree, 2 * node + 2, q, r2, f);
		return;
	}
	double d2[HS_LEAF];
	hs_neighbours_leaf2(tree, node, q, d2);
	for (size_t p = tree->start[node], j = 0; p < tree->stop[node]; p++, j++)
		if (d2[j] <= r2)
			f->row[f->n++] = tree->row[p];
}

static int by_row(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

ptrdiff_t hs_neighbours_within(const struct hs_neighbours *tree, const double *q, double radius, uint32_t *row, size_t room,
	struct hs_err *err)
{
	const double r2 = hs_neighbours_radius2(tree, radius);
	double *at = hs_alloc(tree->d, sizeof *at, err);
	if (!at)
		return -1;
	for (size_t c = 0; c < tree->d; c++)
		at[c] = q[c] * tree->scale;
	const size_t n = count_below(tree, 0, at, r2, SIZE_MAX);
	struct found f = { .row = hs_alloc(n, sizeof *f.row, err) };
	if (f.row) {
		collect(tree, 0, at, r2, &f);
		qsort(f.row, f.n, sizeof *f.row, by_row);
		if (room && n)
			memcpy(row, f.row, (room < n ? room : n) * sizeof *row);
	}
	const ptrdiff_t answer = f.row ? (ptrdiff_t)n : -1;
	free(at);
	free(f.row);
	return answer;
}
