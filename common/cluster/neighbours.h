/* neighbours - who is near whom among n points of d coordinates: a kd-tree in memory.
 *
 * Distances are Euclidean. Squares are summed over the coordinates in their order, in float64, and compared as squares, so that
 * "within r" is what a plain loop finds and equal distances are equal bits; boxes are measured by the same sum, whose rounding
 * is monotone, so nothing that a plain loop finds is pruned. Among equal distances the lowest point number comes first.
 * Duplicates, by the thousand, cost no more than other points.
 *
 * The tree halves the points at the median of the widest side of their box (Friedman, Bentley, Finkel, ACM Trans. Math. Softw. 3
 * (1977) 209; equal coordinates by number) down to leaves of HS_LEAF points at most. It works in the points scaled by a power
 * of two to order 1, which costs no bit and keeps the squares of 1e-300 and of 1e300 within range. Points whose differences
 * are below 1e-150 of the largest coordinate count as equal.
 *
 * Owner: new/free; the points are copied. A tree does not change once made: any threads may ask it. The functions that answer
 * for all points at once are parallel; their answers do not depend on the number of threads.
 *
 * A deadline is asked for on the calling thread, every few thousand points; it makes the answer 1, with results undefined. */
#ifndef HS_CLUSTER_NEIGHBOURS_H
#define HS_CLUSTER_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HS_LEAF = 32 };

/* Inner nodes and leaves in heap order: node i has children 2i+1 and 2i+2. Positions are places in the order of the tree, in
 * which the points of a node are consecutive; rows are the numbers of the points as they were given. Read-only. */
struct hs_neighbours {
	size_t n, d, n_nodes, n_inner;        /* n_inner: leaves are the nodes from there on */
	double scale;                         /* coordinates in the tree = given coordinates x scale, a power of two */
	uint32_t *row;                        /* n: row at a position; ascending within a leaf */
	uint32_t *start;                      /* n_nodes: first position of the node */
	uint32_t *stop;                       /* n_nodes: the position after its last */
	uint32_t *lowest;                     /* n_nodes: its lowest row */
	double *box;                          /* n_nodes x 2d: lower corner, upper corner */
	double *x;                            /* leaf after leaf, HS_LEAF x d each: coordinate c of its point j at c HS_LEAF + j */
};

typedef bool (*hs_stop_fn)(void *ctx);

/* HS_BAD_DATA: a coordinate is not finite or beyond 2^1000; n = 0, d = 0 or n >= 2^31. HS_SYSTEM: memory. */
struct hs_neighbours *hs_neighbours_new(const double *x, size_t n, size_t d, struct hs_err *err);
void hs_neighbours_free(struct hs_neighbours *tree);

/* Bytes a tree holds, making it included. */
double hs_neighbours_bytes(double n, size_t d);

/* The k nearest other points of every point, nearest first: row and distance (in the unit of the points) are n x k, in the order
 * in which the points were given; either may be NULL. k < n, or HS_USAGE. 0, 1 when stopped, -1. */
int hs_neighbours_nearest(const struct hs_neighbours *tree, size_t k, uint32_t *row, double *distance, hs_stop_fn stop,
	void *stop_ctx, struct hs_err *err);

/* The distance of every point to its k-th nearest other point (k = 0: zero), n, as hs_neighbours_nearest has it but without
 * the lists. squared: the square, scaled as the tree is. */
int hs_neighbours_reach(const struct hs_neighbours *tree, size_t k, bool squared, double *reach, hs_stop_fn stop, void *stop_ctx,
	struct hs_err *err);

/* The k nearest points of m other places q (m x d, finite): row and distance are m x k. k <= n, or HS_USAGE. */
int hs_neighbours_of(const struct hs_neighbours *tree, const double *q, size_t m, size_t k, uint32_t *row, double *distance,
	hs_stop_fn stop, void *stop_ctx, struct hs_err *err);

/* How many points, itself among them, every point has within radius (<=), n values; counting ends at `most`. */
int hs_neighbours_count(const struct hs_neighbours *tree, double radius, size_t most, uint32_t *count, hs_stop_fn stop,
	void *stop_ctx, struct hs_err *err);

/* Points within radius (<=) of the place q (d, finite): how many. The rows of the first `room` of them, in ascending order,
 * go to row. HS_SYSTEM (-1) when memory is short. */
ptrdiff_t hs_neighbours_within(const struct hs_neighbours *tree, const double *q, double radius, uint32_t *row, size_t room,
	struct hs_err *err);

/* For modules that walk the tree themselves. fn for every leaf, in parallel, in no particular order, with room for the
 * coordinates of a point and `scratch` bytes of the thread's own. 0, 1 when stopped, -1. */
typedef void (*hs_leaf_fn)(void *ctx, size_t leaf, double *q, void *scratch);
int hs_neighbours_each(const struct hs_neighbours *tree, size_t scratch, hs_leaf_fn fn, void *ctx, hs_stop_fn stop,
	void *stop_ctx, struct hs_err *err);

/* The same modules need, all in scaled coordinates: the coordinates of the point at a position; squared
 * distances of q to the points of a leaf (HS_LEAF values, those beyond its last are undefined), and to the nearest and the
 * farthest place of a node's box. */
void hs_neighbours_place(const struct hs_neighbours *tree, size_t position, double *q);
void hs_neighbours_leaf2(const struct hs_neighbours *tree, size_t leaf, const double *q, double *d2);
double hs_neighbours_near2(const struct hs_neighbours *tree, size_t node, const double *q);
double hs_neighbours_far2(const struct hs_neighbours *tree, size_t node, const double *q);

/* The square, scaled, to compare with for a radius in the unit of the points: radius^2, rounded. */
double hs_neighbours_radius2(const struct hs_neighbours *tree, double radius);

#endif
