#include "cluster/dbscan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/neighbours.h"
#include "math/par.h"
#include "cluster/parts.h"

/* A node of which nothing is known yet. */
#define MIXED UINT32_MAX

static const double flat = 1e-9;      /* distances that differ by less of the largest are equal but for rounding */

struct work {
	const struct hs_neighbours *tree;
	double r2;
	const uint8_t *core;          /* by row */
	uint32_t *n_core;             /* by node */
	uint32_t *one;                /* by node: a core point when all core points of the node are known to be together, or MIXED */
	uint32_t *part;               /* by row: disjoint sets of core points */
	int32_t *label;               /* by row */
};

struct hs_dbscan_options hs_dbscan_defaults(size_t d)
{
	return (struct hs_dbscan_options){ .eps = -1, .min_points = d > 2 ? 2 * d : 5 };
}

void hs_dbscan_release(struct hs_dbscan *result)
{
	free(result->label);
	free(result->core);
	free(result->size);
	*result = (struct hs_dbscan){ 0 };
}

/* ---- eps from the data ---- */

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Both axes scaled to 0 .. 1, the diagonal is the line from first to last: the place of the point farthest below it. Where all
 * are equal but for rounding the curve says nothing, and the last is taken. */
static size_t knee_of(const double *square, size_t n)
{
	const double low = sqrt(square[0]), high = sqrt(square[n - 1]);
	size_t knee = n - 1;
	double most = 0;
	for (size_t i = 0; i < n && high - low > flat * high; i++) {
		const double below = (double)i / (double)(n - 1) - (sqrt(square[i]) - low) / (high - low);
		if (below > most) {
			most = below;
			knee = i;
		}
	}
	return knee;
}

/* The root of a square may have been rounded down, and a point would be beyond its own distance: eps takes it in. */
static int find_knee(const struct hs_neighbours *tree, const struct hs_dbscan_options *opt, double *distance, double *knee,
	struct hs_err *err)
{
	const int verdict = hs_neighbours_reach(tree, opt->min_points - 1, true, distance, opt->stop, opt->stop_ctx, err);
	if (verdict)
		return verdict;
	qsort(distance, tree->n, sizeof *distance, by_value);
	const double square = distance[knee_of(distance, tree->n)];
	*knee = sqrt(square) / tree->scale;
	if (hs_neighbours_radius2(tree, *knee) < square)
		*knee = nextafter(*knee, (double)INFINITY);
	for (size_t i = 0; i < tree->n; i++)
		distance[i] = sqrt(distance[i]) / tree->scale;
	return 0;
}

int hs_dbscan_knee(const double *x, size_t n, size_t d, const struct hs_dbscan_options *opt, double *distance, double *knee,
	struct hs_err *err)
{
	*knee = (double)NAN;
	for (size_t i = 0; i < n; i++)
		distance[i] = (double)NAN;
	if (!opt->min_points)
		return hs_fail(err, HS_USAGE, "a core point needs at least one point, itself");
	if (n < opt->min_points)
		return 0;
	struct hs_neighbours *tree = hs_neighbours_new(x, n, d, err);
	const int verdict = tree ? find_knee(tree, opt, distance, knee, err) : -1;
	hs_neighbours_free(tree);
	return verdict;
}

/* ---- core points that belong together ---- */

static uint32_t known_part(const struct work *w, size_t node)
{
	return __atomic_load_n(w->one + node, __ATOMIC_RELAXED);
}

/* Sets only grow together, so what is noted here stays true, whoever notes it first. */
static void note_part(const struct work *w, size_t node, uint32_t row)
{
	__atomic_store_n(w->one + node, row, __ATOMIC_RELAXED);
}

static bool together(const struct work *w, uint32_t a, uint32_t b)
{
	return hs_parts_root(w->part, a) == hs_parts_root(w->part, b);
}

/* All core points of the node are within reach of the core point row. */
static void join_all(const struct work *w, size_t node, uint32_t row)
{
	const struct hs_neighbours *tree = w->tree;
	const uint32_t one = known_part(w, node);
	if (!w->n_core[node])
		return;
	if (one != MIXED) {
		hs_parts_join(w->part, one, row);
		return;
	}
	if (node < tree->n_inner) {
		join_all(w, 2 * node + 1, row);
		join_all(w, 2 * node + 2, row);
	} else {
		for (size_t p = tree->start[node]; p < tree->stop[node]; p++)
			if (w->core[tree->row[p]])
				hs_parts_join(w->part, tree->row[p], row);
	}
	note_part(w, node, row);
}

static void join_leaf(const struct work *w, size_t leaf, const double *q, uint32_t row)
{
	const struct hs_neighbours *tree = w->tree;
	double d2[HS_LEAF];
	uint32_t first = MIXED;
	bool one = true;
	hs_neighbours_leaf2(tree, leaf, q, d2);
	for (size_t p = tree->start[leaf], j = 0; p < tree->stop[leaf]; p++, j++) {
		if (!w->core[tree->row[p]])
			continue;
		if (d2[j] <= w->r2)
			hs_parts_join(w->part, tree->row[p], row);
		if (first == MIXED)
			first = tree->row[p];
		else
			one = one && together(w, first, tree->row[p]);
	}
	if (one && first != MIXED)
		note_part(w, leaf, first);
}

/* Are the core points of an inner node known to be together, from what is known of its children? */
static void sum_up(const struct work *w, size_t node)
{
	const size_t left = 2 * node + 1, right = left + 1;
	const uint32_t a = w->n_core[left] ? known_part(w, left) : known_part(w, right);
	const uint32_t b = w->n_core[right] ? known_part(w, right) : a;
	if (a != MIXED && b != MIXED && together(w, a, b))
		note_part(w, node, a);
}

/* The core point row, at q, with all core points of a node that are within eps. What is with it already is left alone; of a
 * part that is in one piece elsewhere one contact is enough. */
static void join(const struct work *w, size_t node, const double *q, uint32_t row)
{
	const struct hs_neighbours *tree = w->tree;
	const uint32_t one = known_part(w, node);
	if (!w->n_core[node] || (one != MIXED && together(w, one, row)) || hs_neighbours_near2(tree, node, q) > w->r2)
		return;
	if (hs_neighbours_far2(tree, node, q) <= w->r2) {
		join_all(w, node, row);
	} else if (node < tree->n_inner) {
		join(w, 2 * node + 1, q, row);
		if (one != MIXED && together(w, one, row))
			return;
		join(w, 2 * node + 2, q, row);
		sum_up(w, node);
	} else {
		join_leaf(w, node, q, row);
	}
}

static void join_from_leaf(void *ctx, size_t leaf, double *q, void *scratch)
{
	const struct work *w = ctx;
	(void)scratch;
	for (size_t p = w->tree->start[leaf]; p < w->tree->stop[leaf]; p++) {
		if (!w->core[w->tree->row[p]])
			continue;
		hs_neighbours_place(w->tree, p, q);
		join(w, 0, q, w->tree->row[p]);
	}
}

/* ---- border points ---- */

struct contact {
	double d2;
	uint32_t row;                 /* MIXED: none yet */
};

static void nearest_core(const struct work *w, size_t node, const double *q, struct contact *best)
{
	const struct hs_neighbours *tree = w->tree;
	if (!w->n_core[node] || hs_neighbours_near2(tree, node, q) > best->d2)
		return;
	if (node < tree->n_inner) {
		const bool swap = hs_neighbours_near2(tree, 2 * node + 2, q) < hs_neighbours_near2(tree, 2 * node + 1, q);
		nearest_core(w, 2 * node + 1 + swap, q, best);
		nearest_core(w, 2 * node + 2 - swap, q, best);
		return;
	}
	double d2[HS_LEAF];
	hs_neighbours_leaf2(tree, node, q, d2);
	for (size_t p = tree->start[node], j = 0; p < tree->stop[node]; p++, j++) {
		const uint32_t row = tree->row[p];
		if (w->core[row] && (d2[j] < best->d2 || (d2[j] == best->d2 && row < best->row)))
			*best = (struct contact){ d2[j], row };
	}
}

static void label_leaf(void *ctx, size_t leaf, double *q, void *scratch)
{
	const struct work *w = ctx;
	(void)scratch;
	for (size_t p = w->tree->start[leaf]; p < w->tree->stop[leaf]; p++) {
		const uint32_t row = w->tree->row[p];
		struct contact best = { w->r2, MIXED };
		hs_neighbours_place(w->tree, p, q);
		if (w->core[row])
			best.row = row;
		else
			nearest_core(w, 0, q, &best);
		w->label[row] = best.row == MIXED ? -1 : (int32_t)hs_parts_root(w->part, best.row);
	}
}

/* ---- the whole ---- */

static void count_cores(const struct work *w)
{
	const struct hs_neighbours *tree = w->tree;
	for (size_t node = tree->n_nodes; node-- > 0;) {
		w->one[node] = MIXED;
		if (node < tree->n_inner) {
			w->n_core[node] = w->n_core[2 * node + 1] + w->n_core[2 * node + 2];
			continue;
		}
		for (size_t p = tree->start[node]; p < tree->stop[node]; p++)
			w->n_core[node] += w->core[tree->row[p]];
	}
}

static int find_cores(const struct hs_neighbours *tree, const struct hs_dbscan_options *opt, struct hs_dbscan *out,
	struct hs_err *err)
{
	uint32_t *count = hs_alloc(tree->n, sizeof *count, err);
	const int verdict =
		count ? hs_neighbours_count(tree, out->eps, opt->min_points, count, opt->stop, opt->stop_ctx, err) : -1;
	for (size_t i = 0; i < tree->n && verdict == 0; i++)
		out->n_core += out->core[i] = count[i] >= opt->min_points;
	free(count);
	return verdict;
}

static int find_clusters(const struct hs_neighbours *tree, const struct hs_dbscan_options *opt, struct hs_dbscan *out,
	struct hs_err *err)
{
	struct work w = { .tree = tree, .r2 = hs_neighbours_radius2(tree, out->eps), .core = out->core, .label = out->label };
	int verdict = -1;
	if ((w.n_core = hs_alloc(tree->n_nodes, sizeof *w.n_core, err)) && (w.one = hs_alloc(tree->n_nodes, sizeof *w.one, err)) &&
		(w.part = hs_alloc(tree->n, sizeof *w.part, err))) {
		hs_parts_init(w.part, tree->n);
		count_cores(&w);
		verdict = hs_neighbours_each(tree, 0, join_from_leaf, &w, opt->stop, opt->stop_ctx, err);
		if (verdict == 0)
			verdict = hs_neighbours_each(tree, 0, label_leaf, &w, opt->stop, opt->stop_ctx, err);
	}
	free(w.n_core);
	free(w.one);
	free(w.part);
	return verdict;
}

static int eps_of(const struct hs_neighbours *tree, const struct hs_dbscan_options *opt, double *eps, struct hs_err *err)
{
	*eps = opt->eps;
	if (opt->eps >= 0)
		return 0;
	double *distance = hs_alloc(tree->n, sizeof *distance, err);
	const int verdict = distance ? find_knee(tree, opt, distance, eps, err) : -1;
	free(distance);
	return verdict;
}

/* Nothing found: all is noise. */
static void all_noise(struct hs_dbscan *out)
{
	memset(out->core, 0, out->n);
	for (size_t i = 0; i < out->n; i++)
		out->label[i] = -1;
	out->n_core = out->k = 0;
	out->n_noise = out->n;
}

int hs_dbscan(const double *x, size_t n, size_t d, const struct hs_dbscan_options *opt, struct hs_dbscan *out, struct hs_err *err)
{
	*out = (struct hs_dbscan){ .n = n, .eps = opt->eps };
	if (!opt->min_points)
		return hs_fail(err, HS_USAGE, "a core point needs at least one point, itself");
	if (isnan(opt->eps))
		return hs_fail(err, HS_USAGE, "the radius eps is not a number");
	struct hs_neighbours *tree = hs_neighbours_new(x, n, d, err);
	int verdict = -1;
	if (tree && (out->label = hs_alloc(n, sizeof *out->label, err)) && (out->core = hs_alloc(n, 1, err))) {
		all_noise(out);
		verdict = n < opt->min_points ? 0 : eps_of(tree, opt, &out->eps, err);
		if (verdict == 0 && n >= opt->min_points)
			verdict = find_cores(tree, opt, out, err);
		if (verdict == 0 && out->n_core)
			verdict = find_clusters(tree, opt, out, err);
		out->stopped = verdict > 0;
		if (verdict > 0)
			all_noise(out);
		if (verdict >= 0)
			verdict = hs_parts_settle(out->label, n, n, &out->k, &out->size, NULL, err);
	}
	hs_neighbours_free(tree);
	out->n_noise = n;
	for (size_t c = 0; c < out->k; c++)
		out->n_noise -= out->size[c];
	if (verdict < 0)
		hs_dbscan_release(out);
	return verdict;
}

size_t hs_dbscan_bytes(size_t n, size_t d, int threads)
{
	threads = threads > 0 ? threads : hs_par_threads();
	const double rows = (double)n, nodes = 2 * (rows / (HS_LEAF / 2) + 1);
	/* sorting distances takes them twice; so does sorting the parts, of which there are rows before they are named */
	const double knee = 16 * rows, joining = 8 * nodes + 4 * rows, settling = rows * (6 * sizeof(size_t) + 4 + 8);
	const double most = fmax(fmax(knee, joining), settling) + threads * 8 * (double)d;
	const double bytes = hs_neighbours_bytes(rows, d) + 13 * rows + most + 0x1p16;
	return bytes < 0x1p62 ? (size_t)bytes : (size_t)1 << 62;
}
