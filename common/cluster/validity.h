/* validity - how good a partition is. How many clusters there are is in choose.h.
 *
 * Silhouettes need all pairs of rows and are taken on a random sample (Rousseeuw, J. Comput. Appl. Math. 20 (1987) 53);
 * Calinski-Harabasz (Commun. Stat. 3 (1974) 1) and Davies-Bouldin (IEEE PAMI 1 (1979) 224) use all rows. Labels are
 * 0 .. k-1, negative for none; clusters without rows count for nothing. unit: rows are divided by their Euclidean norm
 * first, as spherical k-means sees them (rows of zeros are then left out). Same bytes for any number of threads. */
#ifndef HS_CLUSTER_VALIDITY_H
#define HS_CLUSTER_VALIDITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"
#include "cluster/choose.h"

#define HS_SILHOUETTE_ROWS 2000

/* Rows taken out of a source. Caller owns; release accepts a zeroed struct. */
struct hs_sample {
	size_t n, n_chan;
	size_t *row;                  /* n, ascending: where they come from */
	double *x;                    /* n x n_chan */
};

/* At most `most` of the usable rows (with a label that is not negative, when label is not NULL): all of them when there are
 * no more, else one drawn from each of `most` equal stretches. Two passes at most. */
int hs_sample_rows(
	struct hs_rowsource *rows, const int32_t *label, size_t most, uint64_t seed, struct hs_sample *out, struct hs_err *err);
void hs_sample_release(struct hs_sample *sample);

enum hs_metric { HS_EUCLIDEAN, HS_COSINE };

/* All distances (n x n) between the rows of x (n x p). Cosine: 1 - cos; a zero row is at 1 from all others. */
int hs_distance_matrix(const double *x, size_t n, size_t p, enum hs_metric metric, double *distance, struct hs_err *err);

/* Mean silhouette of n things from their distances, and of each cluster (per_cluster: k, NAN for an empty one; may be
 * NULL). A thing alone in its cluster has 0. *mean is NAN when fewer than two clusters have members. */
int hs_silhouette_from(const double *distance, size_t n, const int32_t *label, size_t k, double *mean, double *per_cluster,
	struct hs_err *err);

/* The same for a row source, on hs_sample_rows of HS_SILHOUETTE_ROWS. */
int hs_silhouette(struct hs_rowsource *rows, const int32_t *label, size_t k, enum hs_metric metric, uint64_t seed, double *mean,
	double *per_cluster, struct hs_err *err);

struct hs_dispersion {
	size_t n, k;                  /* rows with a label, clusters with rows */
	double within, between;       /* sums of squares; within is the inertia */
	double calinski_harabasz;     /* more is better; NAN for k < 2 or k = n, INFINITY for within = 0 */
	double davies_bouldin;        /* less is better; NAN for k < 2 */
};

/* Two passes. */
int hs_dispersion(
	struct hs_rowsource *rows, const int32_t *label, size_t k, bool unit, struct hs_dispersion *out, struct hs_err *err);

#endif
