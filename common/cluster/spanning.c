#include "cluster/spanning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/par.h"
#include "cluster/parts.h"

/* A node with points of several components; a point without a partner. */
#define NONE UINT32_MAX

/* All by row but where it says node. */
struct work {
	const struct hs_neighbours *tree;
	const double *reach2;         /* NULL: zero */
	double *nearest2;             /* weight to the nearest foreign point: a lower bound, exact while partner is foreign */
	uint32_t *partner;
	uint32_t *part, *home;        /* disjoint sets; the root of each row in this round */
	uint64_t *best;               /* by root: bits of the smallest weight out of it so far (positive doubles sort as integers) */
	uint32_t *chosen;             /* by root: the row at the near end of that edge */
	double *node_reach2;          /* by node: smallest reach2 in it */
	uint32_t *node_home;          /* by node: the root all its points have, or NONE */
};

static double weight_of(uint64_t bits)
{
	double weight;
	memcpy(&weight, &bits, sizeof weight);
	return weight;
}

static uint64_t bits_of(double weight)
{
	uint64_t bits;
	memcpy(&bits, &weight, sizeof bits);
	return bits;
}

static double best_of(const struct work *w, uint32_t home)
{
	return weight_of(__atomic_load_n(w->best + home, __ATOMIC_RELAXED));
}

static void tell_best(const struct work *w, uint32_t home, double weight)
{
	const uint64_t bits = bits_of(weight);
	uint64_t known = __atomic_load_n(w->best + home, __ATOMIC_RELAXED);
	while (bits < known &&
		!__atomic_compare_exchange_n(w->best + home, &known, bits, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static double reach_of(const struct work *w, uint32_t row)
{
	return w->reach2 ? w->reach2[row] : 0;
}

/* ---- a point's nearest foreign point ---- */

struct search {
	const struct work *w;
	const double *q;
	uint32_t home, found;
	double reach2, bound;         /* weights of bound and more are of no interest */
};

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static void look_in_leaf(struct search *s, size_t leaf)
{
	const struct work *w = s->w;
	const struct hs_neighbours *tree = w->tree;
	double d2[HS_LEAF];
	hs_neighbours_leaf2(tree, leaf, s->q, d2);
	for (size_t p = tree->start[leaf], j = 0; p < tree->stop[leaf]; p++, j++) {
		const uint32_t row = tree->row[p];
		if (!(d2[j] < s->bound) || w->home[row] == s->home)
			continue;
		const double weight = larger(larger(d2[j], s->reach2), reach_of(w, row));
		if (weight < s->bound) {
			s->bound = weight;
			s->found = row;
		}
	}
}

/* near2: least squared distance to the node's box */
static void look(struct search *s, size_t node, double near2)
{
	const struct hs_neighbours *tree = s->w->tree;
	if (!(larger(larger(near2, s->reach2), s->w->node_reach2[node]) < s->bound) || s->w->node_home[node] == s->home)
		return;
	if (node >= tree->n_inner) {
		look_in_leaf(s, node);
		return;
	}
	const size_t left = 2 * node + 1, right = left + 1;
	const double to_left = hs_neighbours_near2(tree, left, s->q), to_right = hs_neighbours_near2(tree, right, s->q);
	const bool swap = to_right < to_left;
	look(s, swap ? right : left, swap ? to_right : to_left);
	look(s, swap ? left : right, swap ? to_left : to_right);
}

static bool has_partner(const struct work *w, uint32_t row)
{
	return w->partner[row] != NONE && w->home[w->partner[row]] != w->home[row];
}

static void look_from_leaf(void *ctx, size_t leaf, double *q, void *scratch)
{
	const struct work *w = ctx;
	(void)scratch;
	for (size_t p = w->tree->start[leaf]; p < w->tree->stop[leaf]; p++) {
		const uint32_t row = w->tree->row[p], home = w->home[row];
		const double best = best_of(w, home), reach2 = reach_of(w, row);
		if (has_partner(w, row) || !(larger(reach2, w->nearest2[row]) < best))
			continue;
		struct search s = { .w = w, .q = q, .home = home, .found = NONE, .reach2 = reach2, .bound = best };
		hs_neighbours_place(w->tree, p, q);
		look(&s, 0, 0);
		w->nearest2[row] = s.bound;
		w->partner[row] = s.found;
		if (s.found != NONE)
			tell_best(w, home, s.bound);
	}
}

/* ---- rounds ---- */

/* Who belongs where in this round, and the edges that are known from the last one. */
static void begin_round(struct work *w)
{
	const struct hs_neighbours *tree = w->tree;
	const size_t n = tree->n;
	for (size_t i = 0; i < n; i++) {
		w->home[i] = hs_parts_root(w->part, (uint32_t)i);
		w->best[i] = bits_of((double)INFINITY);
		w->chosen[i] = NONE;
	}
	for (size_t i = 0; i < n; i++)
		if (has_partner(w, (uint32_t)i))
			tell_best(w, w->home[i], w->nearest2[i]);
	for (size_t node = tree->n_nodes; node-- > 0;) {
		if (node < tree->n_inner) {
			const uint32_t left = w->node_home[2 * node + 1], right = w->node_home[2 * node + 2];
			w->node_home[node] = left == right ? left : NONE;
			continue;
		}
		uint32_t home = w->home[tree->row[tree->start[node]]];
		for (size_t p = tree->start[node]; p < tree->stop[node]; p++)
			home = w->home[tree->row[p]] == home ? home : NONE;
		w->node_home[node] = home;
	}
}

/* Each component joins at its best edge. A circle of such edges has one weight all around, so whichever of them comes last and
 * finds its ends joined is not missed. */
static size_t end_round(struct work *w, struct hs_edge *edge, size_t n_edges)
{
	const size_t n = w->tree->n;
	for (size_t i = 0; i < n; i++) {
		const uint32_t home = w->home[i];
		if (w->chosen[home] == NONE && has_partner(w, (uint32_t)i) && w->nearest2[i] == weight_of(w->best[home]))
			w->chosen[home] = (uint32_t)i;
	}
	for (size_t i = 0; i < n; i++) {
		const uint32_t a = w->chosen[i], b = a == NONE ? NONE : w->partner[a];
		if (a != NONE && hs_parts_join(w->part, a, b))
			edge[n_edges++] = (struct hs_edge){ w->nearest2[a], a < b ? a : b, a < b ? b : a };
	}
	return n_edges;
}

static void smallest_reach(struct work *w)
{
	const struct hs_neighbours *tree = w->tree;
	for (size_t node = tree->n_nodes; node-- > 0;) {
		double least = (double)INFINITY;
		for (size_t p = tree->start[node]; p < tree->stop[node] && node >= tree->n_inner; p++)
			least = fmin(least, reach_of(w, tree->row[p]));
		w->node_reach2[node] =
			node < tree->n_inner ? fmin(w->node_reach2[2 * node + 1], w->node_reach2[2 * node + 2]) : least;
	}
}

static int by_weight(const void *a, const void *b)
{
	const struct hs_edge *x = a, *y = b;
	return x->d2 != y->d2 ? (x->d2 > y->d2) - (x->d2 < y->d2) :
		x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

static void release(struct work *w)
{
	free(w->nearest2);
	free(w->partner);
	free(w->part);
	free(w->home);
	free(w->best);
	free(w->chosen);
	free(w->node_reach2);
	free(w->node_home);
}

int hs_spanning_tree(const struct hs_neighbours *tree, const double *reach2, struct hs_edge *edge, hs_stop_fn stop,
	void *stop_ctx, struct hs_err *err)
{
	const size_t n = tree->n;
	struct work w = { .tree = tree, .reach2 = reach2 };
	size_t n_edges = 0;
	int verdict = -1;
	if ((w.nearest2 = hs_alloc(n, sizeof *w.nearest2, err)) && (w.partner = hs_alloc(n, sizeof *w.partner, err)) &&
		(w.part = hs_alloc(n, sizeof *w.part, err)) && (w.home = hs_alloc(n, sizeof *w.home, err)) &&
		(w.best = hs_alloc(n, sizeof *w.best, err)) && (w.chosen = hs_alloc(n, sizeof *w.chosen, err)) &&
		(w.node_reach2 = hs_alloc(tree->n_nodes, sizeof *w.node_reach2, err)) &&
		(w.node_home = hs_alloc(tree->n_nodes, sizeof *w.node_home, err))) {
		hs_parts_init(w.part, n);
		memset(w.partner, 0xff, n * sizeof *w.partner);
		smallest_reach(&w);
		verdict = 0;
	}
	while (verdict == 0 && n_edges < n - 1) {
		begin_round(&w);
		verdict = hs_neighbours_each(tree, 0, look_from_leaf, &w, stop, stop_ctx, err);
		if (verdict == 0)
			n_edges = end_round(&w, edge, n_edges);
	}
	if (verdict == 0 && n_edges)
		qsort(edge, n_edges, sizeof *edge, by_weight);
	release(&w);
	return verdict;
}

double hs_spanning_bytes(double n, size_t d)
{
	const double nodes = 2 * (n / (HS_LEAF / 2) + 1);
	return n * (8 + 4 + 4 + 4 + 8 + 4) + nodes * 12 + n * sizeof(struct hs_edge) + 8 * (double)d;
}
