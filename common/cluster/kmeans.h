/* kmeans - k-means and spherical k-means over a row source, all restarts in the same passes.
 *
 * Minimises the inertia, the sum of squared distances of the rows to the centroid of their cluster (Lloyd, IEEE Trans.
 * Inf. Theory 28 (1982) 129), from greedy k-means++ seeds (Arthur, Vassilvitskii, SODA 2007; 2 + ln k candidates a step).
 * Spherical: rows are divided by their Euclidean norm and centroids are unit vectors, so that intensity does not count
 * and the sum of cosines is maximised (Dhillon, Modha, Machine Learning 42 (2001) 143).
 *
 * Up to 16384 rows (fewer when rows are long: 32 MiB of float32) everything is done on all of them. Beyond, seeds are drawn
 * and brought to their local optimum on a stratified random sample of that size; the optima that differ then go on
 * over all rows, whose passes they share: one reading of the source an iteration, for any number of restarts.
 *
 * Invariants of a result: cluster 0 is the largest (ties: the one with the lowest first row); rows that are skipped, and
 * zero rows in the spherical case, have label -1; no cluster is empty; centroids are the means of their members, computed
 * anew in float64. Status CONVERGED by "no label changes" (always, for tol = 0) means each row is nearest its own centroid.
 * Distances are found in float32 on data shifted to their mean, with an error bound; what the bound cannot decide is decided
 * in float64, ties by the lowest number. Same bytes for any number of threads.
 *
 * What else belongs to clusters, for labels from anywhere, is in clusters.h.
 *
 * Owner: the caller holds the structs; hs_kmeans_release frees what the result holds and accepts a zeroed struct. */
#ifndef HS_CLUSTER_KMEANS_H
#define HS_CLUSTER_KMEANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"

enum hs_kmeans_status { HS_KMEANS_CONVERGED, HS_KMEANS_MAXITER, HS_KMEANS_STOPPED };

struct hs_kmeans_options {
	size_t k;                     /* clusters wanted, >= 1 */
	size_t restarts;              /* >= 1 */
	size_t max_iter;              /* >= 1, passes over all rows */
	double tol;                   /* ends when the squared centroid shifts sum to less than tol x total variance; 0: never */
	uint64_t seed;
	bool spherical;
	const double *start;          /* k x n_chan centroids to begin from, instead of seeds and restarts; NULL: seeds */
	bool (*stop)(void *ctx);      /* asked after each pass; true ends with what there is. NULL: never */
	void *stop_ctx;
};

struct hs_kmeans {
	size_t n_rows, n_chan;
	size_t n_used;                /* rows with a label */
	size_t k;                     /* clusters found: fewer than asked when there are fewer distinct rows */
	int32_t *label;               /* n_rows: 0 .. k-1, or -1 */
	double *centroid;             /* k x n_chan: mean of the members; spherical: unit vector along the sum of unit rows */
	double *mean;                 /* k x n_chan: mean of the members as measured (equals centroid unless spherical) */
	double *spread;               /* k x n_chan: standard deviation of the members, divisor n */
	size_t *size;                 /* k */
	double inertia;               /* sum of |x - centroid|^2; spherical: of |x/|x| - centroid|^2 = 2 sum (1 - cos) */
	double total;                 /* sum of |x - grand mean|^2; spherical: of the unit rows */
	size_t n_iter;                /* passes of the best restart over all rows */
	double *trace;                /* n_iter: inertia after each pass, never rising */
	size_t restart;               /* the best, from 0; ties: the lowest */
	size_t n_optima;              /* how many of the restarts ended in different places */
	enum hs_kmeans_status status;
};

/* 10 restarts, 300 iterations, tol 1e-8, seed 0. */
struct hs_kmeans_options hs_kmeans_defaults(size_t k);

/* Errors: HS_USAGE for k, restarts or max_iter of 0; HS_BAD_DATA for values whose squares overflow; HS_SYSTEM for memory;
 * what the source reports. No usable row at all is a result with k = 0. */
int hs_kmeans(struct hs_rowsource *rows, const struct hs_kmeans_options *opt, struct hs_kmeans *out, struct hs_err *err);
void hs_kmeans_release(struct hs_kmeans *result);

/* Bytes that hs_kmeans and hs_choose_k (k: its largest) hold at their peak; the row source's own buffers are not counted. An
 * upper bound: float64 rows, spherical, no two restarts at one optimum, 4096 passes; threads <= 0: hs_par_threads(). For
 * millions of rows the labels decide, 8 bytes a row for each restart: 80 MB a million rows for ten, and 16 MB beside them. */
size_t hs_kmeans_bytes(size_t n_rows, size_t n_chan, size_t k, size_t restarts, int threads);

#endif
