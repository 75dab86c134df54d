/* vertex - corners of a cloud of points: simplices, their volumes and coordinates, and the methods that pick points as corners.
 *
 * Points z_i of d dimensions lie row after row; those with skip != 0 are not looked at. A simplex has k = d + 1 corners (k x d).
 * Barycentric coordinates of z are the k numbers a with sum_j a_j = 1 and sum_j a_j v_j = z: the abundances.
 *
 * Loops over points run on all threads, in chunks of fixed size; the best point is the one of lowest number among equals, so
 * results do not depend on threads. Everything is float64. */
#ifndef HS_UNMIX_VERTEX_H
#define HS_UNMIX_VERTEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_cloud {
	size_t n, d;
	const double *z;              /* n x d, borrowed; rows with skip may hold anything finite */
	const uint8_t *skip;          /* n; NULL: all points count */
};

/* Matrix of the affine map from points to barycentric coordinates: a_j = map[j][0] + sum_c map[j][1 + c] z_c (k x k). False when
 * the simplex is flat to rounding. *log_volume, when not NULL: ln of its volume, |det| / d!. Row j without its first element is
 * the gradient of coordinate j. */
bool hs_simplex_map(const double *corner, size_t k, double *map, double *log_volume);

/* k coordinates of one point. */
void hs_simplex_coordinates(const double *map, size_t k, const double *z, double *a);

/* Successive projection on the points with one more coordinate, the largest |z|, the same for all: k different points (k <= d +
 * 1), the farthest first. *n_found: fewer when the points have fewer dimensions. pixel: room for k. */
int hs_spa(const struct hs_cloud *cloud, size_t k, size_t *pixel, size_t *n_found, struct hs_err *err);

/* N-FINDR: corners are exchanged for points as long as the volume grows (by more than 1e-12 of it), slot after slot, k = d + 1.
 * pixel holds the start and the result. The volume with point i in slot j is |a_j(i)| times the present one, so a sweep is k
 * products of all points with one vector. *n_sweeps: how many; *log_volume as above. A flat start is HS_BAD_DATA. stop may be
 * NULL. */
int hs_nfindr(const struct hs_cloud *cloud, size_t *pixel, size_t *n_sweeps, double *log_volume, bool (*stop)(void *),
	void *stop_ctx, bool *stopped, struct hs_err *err);

/* Vertex component analysis on y (cloud->n x k, row after row): k points, each the farthest along a random direction orthogonal
 * to those found. Random numbers: HS_STREAM_ENDMEMBER, item `restart`. Fewer than k when y has fewer dimensions. */
int hs_vca(const double *y, const uint8_t *skip, size_t n, size_t k, uint64_t seed, uint64_t restart, size_t *pixel,
	size_t *n_found, struct hs_err *err);

/* Pixel purity index: how often each point is an extreme of n_skewers random directions (item 2^40 + number). vote: n. */
int hs_ppi(const struct hs_cloud *cloud, size_t n_skewers, uint64_t seed, uint32_t *vote, bool (*stop)(void *), void *stop_ctx,
	bool *stopped, struct hs_err *err);

/* The k points with most votes that make a simplex: of the points with votes, the one that adds most of votes x distance to the
 * flat through those taken; the first is the one with most votes. */
int hs_ppi_pick(const struct hs_cloud *cloud, const uint32_t *vote, size_t k, size_t *pixel, size_t *n_found, struct hs_err *err);

#endif
