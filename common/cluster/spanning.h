/* spanning - the minimum spanning tree of points under mutual reachability distance, by Boruvka's algorithm on a kd-tree.
 *
 * Each round finds for every component its shortest edge out of it and joins. A node of the tree whose points are all in the
 * asking component is not entered, nor one that cannot beat the component's best edge so far; a point whose own nearest
 * foreign point of an earlier round is too far already is not asked again (the ideas of March, Ram, Gray, KDD 2010, 603,
 * with one tree instead of two). Of several minimum spanning trees, which all have the same weights, any may be returned, but
 * what hangs together up to any given weight is the same in all. */
#ifndef HS_CLUSTER_SPANNING_H
#define HS_CLUSTER_SPANNING_H

#include "cluster/neighbours.h"

struct hs_edge {
	double d2;                    /* weight squared, in the scaled coordinates of the tree */
	uint32_t a, b;                /* rows, a < b */
};

/* n - 1 edges in ascending order of (d2, a, b) to edge. reach2: squared core distance of each row, scaled
 * (hs_neighbours_reach), or NULL for plain Euclidean distance. 0, 1 when stopped, -1. */
int hs_spanning_tree(const struct hs_neighbours *tree, const double *reach2, struct hs_edge *edge, hs_stop_fn stop,
	void *stop_ctx, struct hs_err *err);

/* Bytes it holds at its peak, beside the tree and the edges. */
double hs_spanning_bytes(double n, size_t d);

#endif
