/* dbscan - clusters as connected regions of high density (Ester, Kriegel, Sander, Xu, KDD 1996, 226).
 *
 * A point is core when at least min_points points, itself among them, lie within eps of it (<=). Core points within eps of each
 * other are in one cluster. A point that is not core but within eps of a core point is a border point: it goes to the
 * cluster of its nearest core point, of equally near ones that of the lowest number (in the original paper the first cluster
 * found takes it, which depends on the order of the points). What is left is noise, label -1.
 *
 * eps from the data: distances to the (min_points - 1)-th nearest other point, sorted, plotted over their rank, both scaled to
 * 0 .. 1; eps is the distance at the knee, the point farthest below the straight line from first to last (the k-dist graph of
 * the paper, the knee of Satopaa, Albrecht, Irwin, Raghavan, ICDCSW 2011, 166). Flat to 1e-9:
 * the largest distance.
 *
 * Time: about n log n for any eps, since parts of the tree that are known to be in one cluster are not entered again; memory
 * O(n d). Same bytes for any number of threads. Points must be finite: rows to be left out are left out by the caller.
 *
 * Defined corners: all points equal are one cluster (n >= min_points), n < min_points is all noise.
 *
 * Owner: the caller holds the structs; hs_dbscan_release frees what the result holds and accepts a zeroed struct. */
#ifndef HS_CLUSTER_DBSCAN_H
#define HS_CLUSTER_DBSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_dbscan_options {
	double eps;                   /* in the unit of the points; negative: from the data */
	size_t min_points;            /* >= 1 */
	bool (*stop)(void *ctx);      /* asked now and then; true ends without clusters. NULL: never */
	void *stop_ctx;
};

struct hs_dbscan {
	size_t n, k;                  /* points; clusters found, 0 when all is noise */
	int32_t *label;               /* n: 0 .. k-1, or -1; cluster 0 is the largest (ties: the one with the lowest first point) */
	uint8_t *core;                /* n: 1 for core points */
	size_t *size;                 /* k */
	size_t n_core, n_noise;
	double eps;                   /* as given, or as found */
	bool stopped;                 /* by the deadline: all labels are -1 */
};

/* eps from the data, min_points 2d (Sander, Ester, Kriegel, Xu, Data Min. Knowl. Discov. 2 (1998) 169), 5 at least. */
struct hs_dbscan_options hs_dbscan_defaults(size_t d);

/* x: n x d. Errors: HS_USAGE for min_points of 0 or eps not a number; HS_BAD_DATA as hs_neighbours_new; HS_SYSTEM. */
int hs_dbscan(
	const double *x, size_t n, size_t d, const struct hs_dbscan_options *opt, struct hs_dbscan *out, struct hs_err *err);
void hs_dbscan_release(struct hs_dbscan *result);

/* The k-dist graph: distances to the (min_points - 1)-th nearest other point, ascending, n; and where its knee is. For
 * n < min_points all are NAN, and so is the knee. 0, 1 when stopped, -1; options as above, eps is not looked at. */
int hs_dbscan_knee(const double *x, size_t n, size_t d, const struct hs_dbscan_options *opt, double *distance, double *knee,
	struct hs_err *err);

/* Bytes hs_dbscan holds at its peak, its result included, the points not. */
size_t hs_dbscan_bytes(size_t n, size_t d, int threads);

#endif
