/* ward - Ward's hierarchical clustering: a tree of merges, each the one that raises the inertia least.
 *
 * The height of the merge of clusters a and b with weights w and centroids c is sqrt(2 w_a w_b / (w_a + w_b)) |c_a - c_b|, that
 * is the root of twice the rise of the inertia (Ward, J. Am. Stat. Assoc. 58 (1963) 236): for two single points their
 * distance. This is the height scipy.cluster.hierarchy.linkage gives for "ward", and the tree is numbered as there: leaves are
 * 0 .. n-1, merge i makes cluster n + i, heights ascend, left < right. Points are leaves in their order; with weights a leaf
 * stands for so many points.
 *
 * hs_ward: nearest-neighbour chain (Murtagh, Comput. J. 26 (1983) 354; Mullner, arXiv:1109.2378), time O(n^2 d) in memory
 * O(n d), as clusters are kept by their centroids. Ties: the lowest number.
 *
 * hs_ward_connected: only clusters that touch on a graph of neighbours merge, the cheapest first, from a heap. When no two
 * touch any more the rest is merged by hs_ward. Such merges may cost less than earlier ones inside them; heights are
 * therefore the running maximum, so that they ascend here too.
 *
 * Points are shifted and scaled inside, by powers of two, to order 1. Owner: the caller; hs_dendrogram_release accepts a zeroed
 * struct. Same bytes for any number of threads. */
#ifndef HS_CLUSTER_WARD_H
#define HS_CLUSTER_WARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_merge {
	size_t left, right;
	double height;
	double size;                  /* sum of the weights of its leaves: how many points */
};

struct hs_dendrogram {
	size_t n;                     /* leaves */
	struct hs_merge *merge;       /* n - 1 */
	bool stopped;                 /* by the deadline: there are no merges */
};

struct hs_ward_options {
	const double *weight;         /* n, > 0; NULL: 1 each */
	bool (*stop)(void *ctx);      /* asked now and then; NULL: never */
	void *stop_ctx;
};

/* x: n x d, finite, n >= 1. Errors: HS_BAD_DATA for squares that overflow, HS_SYSTEM for memory. */
int hs_ward(
	const double *x, size_t n, size_t d, const struct hs_ward_options *opt, struct hs_dendrogram *out, struct hs_err *err);

/* edge: n_edges pairs of points that touch, 2 values each; any order, either direction, none twice. */
int hs_ward_connected(const double *x, size_t n, size_t d, const size_t *edge, size_t n_edges, const struct hs_ward_options *opt,
	struct hs_dendrogram *out, struct hs_err *err);

void hs_dendrogram_release(struct hs_dendrogram *tree);

/* Labels 0 .. k-1 of the leaves when the last k - 1 merges are undone; k is cut to what there is: 1 at least, and no merge of
 * height 0 is undone. Returns k, or 0 when memory is short. Clusters are numbered by their lowest leaf. */
size_t hs_dendrogram_cut(const struct hs_dendrogram *tree, size_t k, int32_t *label, struct hs_err *err);

/* Edges between horizontal and vertical neighbours on n_maps maps of n_y x n_x places, of which those with point[i] (the number
 * of the point there) of HS_NO_POINT are none: 2 values an edge, caller frees; *n_edges how many. */
#define HS_NO_POINT SIZE_MAX
size_t *hs_grid_edges(const size_t *point, size_t n_maps, size_t n_y, size_t n_x, size_t *n_edges, struct hs_err *err);

/* Bytes either holds at its peak, its result included, the points not; n_edges 0: hs_ward. */
double hs_ward_bytes(double n, size_t d, double n_edges);

#endif
