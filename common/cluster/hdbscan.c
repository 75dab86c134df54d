#include "cluster/hdbscan.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/neighbours.h"
#include "math/par.h"
#include "cluster/parts.h"
#include "cluster/spanning.h"

#define NONE UINT32_MAX

/* The dendrogram: nodes 0 .. n-1 are the points, then every level at which something falls apart has a node for each component
 * that does, children before parents, with as many children as there are. Densities are in the scaled unit of the tree. */
struct dendrogram {
	size_t n, n_nodes;
	uint32_t *parent;             /* n_nodes, NONE for the root */
	uint32_t *size, *low;         /* of inner nodes, from n on: points, and the lowest of them */
	double *lambda;               /* of inner nodes: density at which it falls apart */
	uint32_t *n_big;              /* of inner nodes: children of min_cluster_size and more */
};

/* A branch on its way to the result. */
struct twig {
	struct hs_branch as;
	uint32_t low;                 /* lowest point at birth */
	size_t number;                /* before they were sorted */
};

struct hs_hdbscan_options hs_hdbscan_defaults(size_t n)
{
	const size_t root = (size_t)sqrt((double)n), least = root > 5 ? root : 5;
	return (struct hs_hdbscan_options){ .min_cluster_size = least, .min_points = least < 10 ? least : 10 };
}

void hs_hdbscan_release(struct hs_hdbscan *result)
{
	free(result->label);
	free(result->strength);
	free(result->outlier);
	free(result->size);
	free(result->stability);
	free(result->branch);
	*result = (struct hs_hdbscan){ 0 };
}

/* ---- the dendrogram ---- */

static void dendrogram_release(struct dendrogram *g)
{
	free(g->parent);
	free(g->size);
	free(g->low);
	free(g->lambda);
	free(g->n_big);
}

static int dendrogram_init(struct dendrogram *g, size_t n, struct hs_err *err)
{
	*g = (struct dendrogram){ .n = n, .n_nodes = n };
	g->parent = hs_alloc(2 * n, sizeof *g->parent, err);
	if (!g->parent || !(g->size = hs_alloc(n, sizeof *g->size, err)) || !(g->low = hs_alloc(n, sizeof *g->low, err)) ||
		!(g->lambda = hs_alloc(n, sizeof *g->lambda, err)) || !(g->n_big = hs_alloc(n, sizeof *g->n_big, err)))
		return -1;
	memset(g->parent, 0xff, 2 * n * sizeof *g->parent);
	return 0;
}

static void adopt(struct dendrogram *g, uint32_t parent, uint32_t child, size_t min_size)
{
	if (g->parent[child] != NONE)
		return;
	const size_t n = g->n, size = child < n ? 1 : g->size[child - n];
	g->parent[child] = parent;
	g->size[parent - n] += (uint32_t)size;
	g->n_big[parent - n] += size >= min_size;
}

/* Edges of one weight: what they connect becomes one node, whatever their order. */
static void join_level(struct dendrogram *g, const struct hs_edge *edge, size_t n_edges, double lambda, size_t min_size,
	uint32_t *part, uint32_t *node, uint32_t *end)
{
	const size_t n = g->n, first = g->n_nodes;
	for (size_t e = 0; e < n_edges; e++) {
		end[2 * e] = node[hs_parts_root(part, edge[e].a)];
		end[2 * e + 1] = node[hs_parts_root(part, edge[e].b)];
	}
	for (size_t e = 0; e < n_edges; e++)
		hs_parts_join(part, edge[e].a, edge[e].b);
	for (size_t e = 0; e < n_edges; e++) {
		const uint32_t root = hs_parts_root(part, edge[e].a);
		if (node[root] < first) {
			g->lambda[g->n_nodes - n] = lambda;
			g->low[g->n_nodes - n] = root;
			node[root] = (uint32_t)g->n_nodes++;
		}
		adopt(g, node[root], end[2 * e], min_size);
		adopt(g, node[root], end[2 * e + 1], min_size);
	}
}

/* Density where distance is 0: half the smallest positive distance is taken for it. 0 when there is none. */
static double density_of_nothing(const struct hs_edge *edge, size_t n_edges)
{
	size_t e = 0;
	while (e < n_edges && !(edge[e].d2 > 0))
		e++;
	return e < n_edges ? 2 / sqrt(edge[e].d2) : 0;
}

static int grow(struct dendrogram *g, const struct hs_edge *edge, size_t min_size, double nothing, struct hs_err *err)
{
	const size_t n = g->n, n_edges = n - 1;
	uint32_t *part = hs_alloc(n, sizeof *part, err);
	uint32_t *node = part ? hs_alloc(n, sizeof *node, err) : NULL;
	uint32_t *end = node ? hs_alloc(2 * n, sizeof *end, err) : NULL;
	if (end) {
		hs_parts_init(part, n);
		hs_parts_init(node, n);
	}
	for (size_t e = 0, level = 0; end && e < n_edges; e = level) {
		while (level < n_edges && edge[level].d2 == edge[e].d2)
			level++;
		join_level(g, edge + e, level - e, edge[e].d2 > 0 ? 1 / sqrt(edge[e].d2) : nothing, min_size, part, node, end);
	}
	free(part);
	free(node);
	free(end);
	return end ? 0 : -1;
}

/* ---- the condensed tree ---- */

/* Where each point leaves, and at what density. */
struct leaving {
	uint32_t *branch;
	double *lambda;
};

/* Upper bound of the number of branches: two of min_size at every split. */
static size_t most_branches(size_t n, size_t min_size)
{
	return 2 * (n / min_size) + 1;
}

/* From the root down. state of a node: the branch it goes on in, or, for what has fallen out, where and when. */
static size_t condense(
	const struct dendrogram *g, size_t min_size, struct twig *twig, struct leaving *node, struct leaving *point)
{
	const size_t n = g->n;
	size_t n_twigs = 1;
	twig[0] = (struct twig){ .as = { .parent = -1, .size = n, .label = -1 } };
	for (size_t v = g->n_nodes; v-- > 0;) {
		const uint32_t up = g->parent[v];
		const size_t size = v < n ? 1 : g->size[v - n];
		uint32_t branch = 0;
		double fell = 0;              /* 0: has not */
		if (up != NONE) {
			branch = node->branch[up - n];
			fell = node->lambda[up - n];
			if (fell == 0 && size < min_size) {
				fell = g->lambda[up - n];
			} else if (fell == 0 && g->n_big[up - n] > 1) {
				twig[n_twigs] = (struct twig){ .as = { .parent = (int32_t)branch, .size = size, .birth = g->lambda[up - n],
					.label = -1 }, .low = g->low[v - n], .number = n_twigs };
				branch = (uint32_t)n_twigs++;
			}
		}
		struct leaving *to = v < n ? point : node;
		to->branch[v < n ? v : v - n] = branch;
		to->lambda[v < n ? v : v - n] = fell;
	}
	return n_twigs;
}

static int by_birth(const void *a, const void *b)
{
	const struct twig *x = a, *y = b;
	return x->as.birth != y->as.birth ? (x->as.birth > y->as.birth) - (x->as.birth < y->as.birth) :
		x->low != y->low ? (x->low > y->low) - (x->low < y->low) : (x->number > y->number) - (x->number < y->number);
}

/* Branches get numbers that do not depend on the spanning tree: by birth, then by their lowest point. Births never fall from
 * parent to child, and when they tie by rounding the numbers from the way down keep the parent first. */
static int put_in_order(struct twig *twig, size_t n_twigs, struct leaving *point, size_t n, struct hs_err *err)
{
	int32_t *name = hs_alloc(n_twigs, sizeof *name, err);
	if (!name)
		return -1;
	qsort(twig, n_twigs, sizeof *twig, by_birth);
	for (size_t b = 0; b < n_twigs; b++)
		name[twig[b].number] = (int32_t)b;
	for (size_t b = 1; b < n_twigs; b++)
		twig[b].as.parent = name[twig[b].as.parent];
	for (size_t i = 0; i < n; i++)
		point->branch[i] = (uint32_t)name[point->branch[i]];
	free(name);
	return 0;
}

static void weigh(struct twig *twig, size_t n_twigs, const struct leaving *point, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct hs_branch *b = &twig[point->branch[i]].as;
		b->stability += point->lambda[i] - b->birth;
		b->death = fmax(b->death, point->lambda[i]);
	}
	for (size_t c = 1; c < n_twigs; c++) {
		struct hs_branch *b = &twig[twig[c].as.parent].as;
		b->stability += (double)twig[c].as.size * (twig[c].as.birth - b->birth);
		b->death = fmax(b->death, twig[c].as.birth);
	}
}

/* ---- the choice ---- */

/* Best sum of stabilities at and below each branch, children first; label 0 marks the chosen. */
static int choose(struct twig *twig, size_t n_twigs, const struct hs_hdbscan_options *opt, struct hs_err *err)
{
	double *below = hs_alloc(n_twigs, sizeof *below, err);
	uint8_t *wins = below ? hs_alloc(n_twigs, 2, err) : NULL, *has_child = wins ? wins + n_twigs : NULL;
	if (!wins) {
		free(below);
		return -1;
	}
	for (size_t b = n_twigs; b-- > 0;) {
		const struct hs_branch *as = &twig[b].as;
		/* the sums below differ in their last bits from one order of the points to another: equal is equal all the same */
		wins[b] = !has_child[b] || (opt->choice == HS_HDBSCAN_MASS && as->stability >= below[b] * (1 - 1e-12));
		if (b == 0 && !opt->allow_single)
			wins[b] = 0;
		if (b == 0)
			break;
		has_child[as->parent] = 1;
		below[as->parent] += wins[b] ? fmax(as->stability, below[b]) : below[b];
	}
	/* from the root down the first that wins is chosen; label is 0 also below it for now, -1 above */
	for (size_t b = 0; b < n_twigs; b++) {
		const bool inside = b && twig[twig[b].as.parent].as.label >= 0;
		twig[b].as.label = inside || wins[b] ? 0 : -1;
	}
	free(below);
	free(wins);
	return 0;
}

/* Labels, strengths and scores of the points. top: the chosen branch that holds a branch, or -1. */
static int label_points(
	struct twig *twig, size_t n_twigs, const struct leaving *point, struct hs_hdbscan *out, struct hs_err *err)
{
	int32_t *top = hs_alloc(n_twigs, sizeof *top, err), *name = top ? hs_alloc(n_twigs, sizeof *name, err) : NULL;
	double *deepest = name ? hs_alloc(n_twigs, sizeof *deepest, err) : NULL;
	int verdict = deepest ? 0 : -1;
	for (size_t b = 0; b < n_twigs && verdict == 0; b++) {
		const bool inside = b && twig[twig[b].as.parent].as.label >= 0;
		top[b] = twig[b].as.label < 0 ? -1 : inside ? top[twig[b].as.parent] : (int32_t)b;
		deepest[b] = twig[b].as.death;
	}
	for (size_t b = n_twigs; b-- > 1 && verdict == 0;)
		deepest[twig[b].as.parent] = fmax(deepest[twig[b].as.parent], deepest[b]);
	for (size_t i = 0; i < out->n && verdict == 0; i++) {
		const uint32_t b = point->branch[i];
		const double lambda = point->lambda[i];
		out->label[i] = top[b];
		out->strength[i] = top[b] < 0 ? 0 : fmin(lambda / twig[top[b]].as.death, 1);
		out->outlier[i] = 1 - lambda / deepest[b];
	}
	if (verdict == 0)
		verdict = hs_parts_settle(out->label, out->n, n_twigs, &out->k, &out->size, name, err);
	if (verdict == 0 && !(out->stability = hs_alloc(out->k, sizeof *out->stability, err)))
		verdict = -1;
	for (size_t b = 0; b < n_twigs && verdict == 0; b++) {
		twig[b].as.label = top[b] == (int32_t)b ? name[b] : -1;
		if (twig[b].as.label >= 0)
			out->stability[twig[b].as.label] = twig[b].as.stability;
	}
	free(top);
	free(name);
	free(deepest);
	return verdict;
}

/* Densities go back to the unit of the points; 1e-300 apart is as dense as numbers can say. */
static int hand_over(const struct twig *twig, size_t n_twigs, double scale, struct hs_hdbscan *out, struct hs_err *err)
{
	if (!(out->branch = hs_alloc(n_twigs, sizeof *out->branch, err)))
		return -1;
	out->n_branches = n_twigs;
	for (size_t b = 0; b < n_twigs; b++) {
		struct hs_branch *to = out->branch + b;
		*to = twig[b].as;
		to->birth = fmin(to->birth * scale, DBL_MAX);
		to->death = fmin(to->death * scale, DBL_MAX);
		to->stability = fmin(to->stability * scale, DBL_MAX);
	}
	for (size_t c = 0; c < out->k; c++)
		out->stability[c] = fmin(out->stability[c] * scale, DBL_MAX);
	return 0;
}

static int settle(const struct dendrogram *g, const struct hs_hdbscan_options *opt, double scale, struct hs_hdbscan *out,
	struct hs_err *err)
{
	const size_t n = g->n;
	struct twig *twig = hs_alloc(most_branches(n, opt->min_cluster_size), sizeof *twig, err);
	struct leaving node = { 0 }, point = { 0 };
	int verdict = -1;
	if (twig && (node.branch = hs_alloc(n, sizeof *node.branch, err)) && (node.lambda = hs_alloc(n, sizeof *node.lambda, err)) &&
		(point.branch = hs_alloc(n, sizeof *point.branch, err)) && (point.lambda = hs_alloc(n, sizeof *point.lambda, err))) {
		const size_t n_twigs = condense(g, opt->min_cluster_size, twig, &node, &point);
		verdict = put_in_order(twig, n_twigs, &point, n, err);
		if (verdict == 0) {
			weigh(twig, n_twigs, &point, n);
			verdict = choose(twig, n_twigs, opt, err);
		}
		if (verdict == 0)
			verdict = label_points(twig, n_twigs, &point, out, err);
		if (verdict == 0)
			verdict = hand_over(twig, n_twigs, scale, out, err);
	}
	free(node.branch);
	free(node.lambda);
	free(point.branch);
	free(point.lambda);
	free(twig);
	return verdict;
}

/* ---- the whole ---- */

/* All points in one place: one cluster of infinite density. */
static int one_place(struct hs_hdbscan *out, struct hs_err *err)
{
	out->k = out->n_branches = 1;
	if (!(out->size = hs_alloc(1, sizeof *out->size, err)) || !(out->stability = hs_alloc(1, sizeof *out->stability, err)) ||
		!(out->branch = hs_alloc(1, sizeof *out->branch, err)))
		return -1;
	for (size_t i = 0; i < out->n; i++) {
		out->label[i] = 0;
		out->strength[i] = 1;
	}
	out->size[0] = out->n;
	out->stability[0] = (double)INFINITY;
	*out->branch = (struct hs_branch){ .parent = -1, .size = out->n, .death = (double)INFINITY, .stability = (double)INFINITY };
	return 0;
}

static int spanning_edges(const struct hs_neighbours *tree, const struct hs_hdbscan_options *opt, struct hs_edge *edge,
	struct hs_err *err)
{
	double *reach2 = hs_alloc(tree->n, sizeof *reach2, err);
	int verdict =
		reach2 ? hs_neighbours_reach(tree, opt->min_points - 1, true, reach2, opt->stop, opt->stop_ctx, err) : -1;
	if (verdict == 0)
		verdict = hs_spanning_tree(tree, reach2, edge, opt->stop, opt->stop_ctx, err);
	free(reach2);
	return verdict;
}

/* Points to spanning tree to dendrogram to clusters; what is done with is let go before the next. */
static int cluster(const double *x, size_t n, size_t d, const struct hs_hdbscan_options *opt, struct hs_hdbscan *out,
	struct hs_err *err)
{
	struct hs_neighbours *tree = hs_neighbours_new(x, n, d, err);
	struct hs_edge *edge = tree ? hs_alloc(n, sizeof *edge, err) : NULL;
	struct dendrogram g = { 0 };
	const double scale = tree ? tree->scale : 1;
	int verdict = -1;
	if (edge)
		verdict = n < opt->min_points || n < opt->min_cluster_size ? 1 : spanning_edges(tree, opt, edge, err);
	hs_neighbours_free(tree);
	if (verdict == 0) {
		const double nothing = density_of_nothing(edge, n - 1);
		if (!(nothing > 0)) {
			verdict = one_place(out, err);
		} else if ((verdict = dendrogram_init(&g, n, err)) == 0 &&
			(verdict = grow(&g, edge, opt->min_cluster_size, nothing, err)) == 0) {
			free(edge);
			edge = NULL;
			verdict = settle(&g, opt, scale, out, err);
		}
	}
	dendrogram_release(&g);
	free(edge);
	return verdict;
}

int hs_hdbscan(
	const double *x, size_t n, size_t d, const struct hs_hdbscan_options *opt, struct hs_hdbscan *out, struct hs_err *err)
{
	*out = (struct hs_hdbscan){ .n = n };
	if (opt->min_cluster_size < 2 || !opt->min_points)
		return hs_fail(err, HS_USAGE, "a cluster needs at least two points, and a density at least one");
	int verdict = -1;
	if ((out->label = hs_alloc(n, sizeof *out->label, err)) && (out->strength = hs_alloc(n, sizeof *out->strength, err)) &&
		(out->outlier = hs_alloc(n, sizeof *out->outlier, err))) {
		for (size_t i = 0; i < n; i++)
			out->label[i] = -1;
		verdict = cluster(x, n, d, opt, out, err);
	}
	if (verdict < 0) {
		hs_hdbscan_release(out);
		return -1;
	}
	out->stopped = verdict > 0 && n >= opt->min_points && n >= opt->min_cluster_size;
	out->n_noise = n;
	for (size_t c = 0; c < out->k; c++)
		out->n_noise -= out->size[c];
	return 0;
}

size_t hs_hdbscan_bytes(size_t n, size_t d, size_t min_points, int threads)
{
	threads = threads > 0 ? threads : hs_par_threads();
	/* the tree with core distances and rounds; then edges with the dendrogram and its sets; then the condensed tree, which has
	 * n + 1 branches when min_cluster_size is 2 */
	const double rows = (double)n, edges = rows * sizeof(struct hs_edge), dendrogram = rows * (8 + 4 + 4 + 8 + 4);
	const double searching = hs_neighbours_bytes(rows, d) + 8 * rows + hs_spanning_bytes(rows, d) +
		threads * (16 * (double)min_points + 8 * (double)d);
	const double growing = edges + dendrogram + 16 * rows;
	const double settling = dendrogram + 24 * rows + (rows + 1) * (sizeof(struct twig) + sizeof(struct hs_branch) + 40 + 60);
	const double bytes = 28 * rows + fmax(edges + searching, fmax(growing, settling)) + 0x1p16;
	return bytes < 0x1p62 ? (size_t)bytes : (size_t)1 << 62;
}
