/* minibatch - k-means that learns from small batches: for data too large for many passes, and for data that are still coming.
 *
 * Each row of a batch goes to its nearest centre, then every centre moves towards its rows by 1/count of the way, count being
 * all rows it ever took (Sculley, WWW 2010, 1177): a centre is the running mean of what it was given. Centres begin as those
 * of k-means on a stratified random sample, with the counts they have there. Rows come in a random order within each block.
 *
 * Live: hs_minibatch_new from a first sample, hs_minibatch_feed for what comes, one batch or many at a time; nothing is kept but
 * the centres. Whole: hs_minibatch_run makes passes over a row source until the centres stand still, and labels the rows.
 *
 * Spherical: rows are divided by their Euclidean norm, and the nearest centre is the one of the largest cosine.
 *
 * Distances are |c|^2 - 2 x.c in float64 on rows shifted near their mean; ties: the lowest number. Same bytes for any number of
 * threads. Owner: new/free. */
#ifndef HS_CLUSTER_MINIBATCH_H
#define HS_CLUSTER_MINIBATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"
#include "cluster/kmeans.h"

enum { HS_MINIBATCH_ROWS = 1024, HS_MINIBATCH_SAMPLE = 4096 };

/* The state. Read-only outside. */
struct hs_minibatch {
	size_t k, n_chan;
	bool unit;
	double *centre;               /* k x n_chan: running means, less shift; spherical: of unit rows */
	double *shift;                /* n_chan */
	double *count;                /* k */
	double *aim;                  /* k x n_chan: what rows are compared with: centre, or its direction less shift */
	double *square;               /* k: |aim|^2 */
};

/* From a sample of n rows (n x n_chan, finite) by k-means of opt (k, restarts, seed, spherical, stop). k may come out smaller
 * when there are fewer different rows. HS_BAD_DATA when no row can be used. */
struct hs_minibatch *hs_minibatch_new(const double *x, size_t n, size_t n_chan, const struct hs_kmeans_options *opt,
	struct hs_err *err);
void hs_minibatch_free(struct hs_minibatch *mb);

/* Learns from n more rows (n x n_chan, finite), in their order, HS_MINIBATCH_ROWS at a time. label, when not NULL, receives where
 * each went (-1 for zero rows when spherical). */
int hs_minibatch_feed(struct hs_minibatch *mb, const double *x, size_t n, int32_t *label, struct hs_err *err);

struct hs_minibatch_result {
	size_t n_rows, n_used;
	size_t k;                     /* centres; some may have no row */
	int32_t *label;               /* n_rows: nearest centre, -1 for skipped (spherical: and zero) rows */
	size_t n_iter;                /* passes that learned */
	enum hs_kmeans_status status;
};

/* opt: k, restarts (of the start), max_iter (passes), tol (ends when a pass moves the centres, weighted with their counts, by
 * less than this part of their scatter), seed, spherical, stop. No usable row is a result with k = 0. */
int hs_minibatch_run(
	struct hs_rowsource *rows, const struct hs_kmeans_options *opt, struct hs_minibatch_result *out, struct hs_err *err);
void hs_minibatch_release(struct hs_minibatch_result *result);

/* Bytes hs_minibatch_run holds at its peak, at most. */
double hs_minibatch_bytes(size_t n_rows, size_t n_chan, size_t k, size_t restarts, int threads);

#endif
