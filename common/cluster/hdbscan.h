/* hdbscan - clusters of any density from the hierarchy of all DBSCAN solutions (Campello, Moulavi, Sander, PAKDD 2013, 160;
 * Campello, Moulavi, Zimek, Sander, ACM Trans. Knowl. Discov. Data 10 (2015) 5).
 *
 * core(a) is the distance to the min_points-th nearest point, a itself being the first; the mutual reachability of a and b is
 * max(core(a), core(b), |a - b|). Components of the graph of all pairs up to a distance, for every distance, are a tree,
 * which the minimum spanning tree holds (spanning.h). Going down from the root at density lambda = 1/distance, a component
 * of min_cluster_size points or more that falls apart into two or more such components ends, and they are born; when one
 * remains it goes on and the rest fall out of it as noise; when none remains it ends and its points fall out. Distances
 * that are equal are undone at once, as in the paper, so the clusters do not depend on which of several minimum spanning
 * trees was found, nor on the order of the points.
 *
 * The stability of a cluster is the sum over its points of (lambda at which the point leaves it - lambda at its birth); the
 * root is born at 0. Clusters that do not overlap are chosen with the largest sum of stabilities ("excess of mass": a
 * cluster wins against those below it when they are equal), or the lowest of the tree ("leaf").
 *
 * Distance 0 (duplicates) has infinite density. It counts as half the smallest positive distance in the tree; when there is
 * none all points are equal and are one cluster, whatever allow_single says (n >= min_cluster_size).
 *
 * Points must be finite. Same bytes for any number of threads. Memory O(n d).
 *
 * Owner: the caller holds the structs; hs_hdbscan_release frees what the result holds and accepts a zeroed struct. */
#ifndef HS_CLUSTER_HDBSCAN_H
#define HS_CLUSTER_HDBSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum hs_hdbscan_choice { HS_HDBSCAN_MASS, HS_HDBSCAN_LEAF };

struct hs_hdbscan_options {
	size_t min_cluster_size;      /* >= 2 */
	size_t min_points;            /* >= 1; smoother density with more */
	enum hs_hdbscan_choice choice;
	bool allow_single;            /* the root, that is everything, may be chosen: the answer is then one cluster without noise */
	bool (*stop)(void *ctx);      /* asked now and then; true ends without clusters. NULL: never */
	void *stop_ctx;
};

/* A cluster of the condensed tree. */
struct hs_branch {
	int32_t parent;               /* -1: the root, which is branch 0; a parent comes before its children */
	size_t size;                  /* points at birth */
	double birth, death;          /* lambda: birth, and the largest at which a point leaves it (for a child, or as noise) */
	double stability;
	int32_t label;                /* of the cluster, when it was chosen; else -1 */
};

struct hs_hdbscan {
	size_t n, k;                  /* points; clusters found, 0 when all is noise */
	int32_t *label;               /* n: 0 .. k-1, or -1; cluster 0 is the largest (ties: the one with the lowest first point) */
	double *strength;             /* n: lambda at which the point leaves / largest of its cluster, 0 .. 1; 0 for noise */
	double *outlier;              /* n: GLOSH, 1 - lambda at which the point leaves / largest below where it leaves, 0 .. 1 */
	size_t *size;                 /* k */
	double *stability;            /* k */
	size_t n_noise, n_branches;
	struct hs_branch *branch;     /* n_branches: the condensed tree; empty for n < min_cluster_size */
	bool stopped;                 /* by the deadline: all labels are -1 */
};

/* min_cluster_size sqrt(n), 5 at least; min_points 10, at most min_cluster_size; excess of mass; not single. */
struct hs_hdbscan_options hs_hdbscan_defaults(size_t n);

/* x: n x d. n < min_cluster_size or n < min_points: all noise, with strength 0 and outlier score 0. Errors: HS_USAGE for sizes
 * out of range; HS_BAD_DATA as hs_neighbours_new; HS_SYSTEM. */
int hs_hdbscan(
	const double *x, size_t n, size_t d, const struct hs_hdbscan_options *opt, struct hs_hdbscan *out, struct hs_err *err);
void hs_hdbscan_release(struct hs_hdbscan *result);

/* Bytes hs_hdbscan holds at its peak, its result included, the points not. */
size_t hs_hdbscan_bytes(size_t n, size_t d, size_t min_points, int threads);

#endif
