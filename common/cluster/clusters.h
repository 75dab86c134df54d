/* clusters - what belongs to clusters given by labels: means, spreads, sizes; and labels from given centroids.
 *
 * Labels may come from anywhere: clusters found among principal components have their spectra in the cube. All arrays are
 * the caller's. Everything in float64, same bytes for any number of threads.
 *
 * Errors: HS_BUG for a label of k or more, HS_SYSTEM for memory, what the source reports. */
#ifndef HS_CLUSTER_CLUSTERS_H
#define HS_CLUSTER_CLUSTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"

/* Mean and standard deviation (divisor n) of the rows of each cluster. label: n_rows values below k, negative for none.
 * mean, spread: k x n_chan; size: k, counting usable rows; an empty cluster has zeros. One pass, no cancellation. */
int hs_cluster_means(struct hs_rowsource *rows, const int32_t *label, size_t k, double *mean, double *spread, size_t *size,
	struct hs_err *err);

/* The same with the sum of squared deviations instead of the spread; unit: of the rows divided by their norm (zero rows
 * count for nothing). */
int hs_cluster_moments(struct hs_rowsource *rows, const int32_t *label, size_t k, bool unit, double *mean, double *m2,
	size_t *size, struct hs_err *err);

/* Bytes either of them holds at its peak, at most. */
double hs_cluster_bytes(double n_rows, size_t n_chan, size_t k, int threads);

/* The nearest of k centroids (k x n_chan) for each row: label n_rows, -1 for skipped (unit: and zero) rows. */
int hs_nearest_centroid(
	struct hs_rowsource *rows, const double *centroid, size_t k, bool unit, int32_t *label, struct hs_err *err);

/* The clusters of labels 0 .. k-1 by size, largest first, of equal ones that with the lowest first row: from[c], room for k,
 * is the label whose cluster comes at place c. Returns how many have members at all; labels without any come last. */
size_t hs_order_clusters(const int32_t *label, size_t n_rows, size_t k, size_t *from, struct hs_err *err);

/* A partition and what can be said of it whatever method found it. Owns its arrays; release accepts a zeroed struct.
 * Invariants: cluster 0 is the largest, as above; no cluster is empty. */
struct hs_partition {
	size_t n_rows, n_chan;
	size_t n_used;                /* rows with a label */
	size_t k;
	int32_t *label;               /* n_rows: 0 .. k-1, or -1 */
	size_t n_given, *from;        /* labels there were before the order was made, and which of them came where */
	double *mean, *spread;        /* k x n_chan: of the members as measured; standard deviation with divisor n */
	size_t *size;                 /* k */
};

/* Describes label (n_rows values below k, malloc'ed, taken also on failure), one pass over rows. */
int hs_partition_init(struct hs_partition *part, struct hs_rowsource *rows, int32_t *label, size_t k, struct hs_err *err);
void hs_partition_release(struct hs_partition *part);

/* Bytes hs_partition_init holds at its peak and, a part of them, keeps; at most. */
double hs_partition_bytes(double n_rows, size_t n_chan, size_t k, int threads);

#endif
