/* clusters - what belongs to clusters given by labels: means, spreads, sizes; and labels from given centroids.
 *
 * Labels may come from anywhere: clusters found among principal components have their spectra in the cube. All arrays are
 * the caller's. Everything in float64, same bytes for any number of threads.
 *
 * Errors: HS_BUG for a label of k or more, HS_SYSTEM for memory, what the source reports. */
#ifndef HS_MATH_CLUSTERS_H
#define HS_MATH_CLUSTERS_H

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

#endif
