/* choose - how many clusters there are: several numbers are tried, each is judged by every index there is, one rule decides.
 *
 * The rule: the largest silhouette among the numbers that are stable; or the smallest BIC, for methods that have a likelihood.
 * Stability: clusters of six random halves of a sample label the whole sample, mean pairwise adjusted Rand index (Ben-Hur,
 * Elisseeff, Guyon, Pac. Symp. Biocomput. 2002, 6). A number that the method does not come back with is never chosen unless
 * it comes back with none. Ties: the smallest.
 *
 * Owner: the caller; hs_k_table_release accepts a zeroed struct. Same bytes for any number of threads. */
#ifndef HS_CLUSTER_CHOOSE_H
#define HS_CLUSTER_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"
#include "cluster/kmeans.h"

/* Mean adjusted Rand index over all pairs of n_sets labellings (n_sets x n) of the same things; 1 for fewer than two. */
int hs_stability(const int32_t *label, size_t n_sets, size_t n, double *ari, struct hs_err *err);

#define HS_STABLE_ARI 0.9

struct hs_k_row {
	size_t k;                     /* asked */
	size_t found;                 /* clusters the method came back with */
	double inertia, silhouette, calinski_harabasz, davies_bouldin, stability;
	double gap, gap_error;        /* of the gap statistic, gap.h; NAN when it was not reached */
	double bic;                   /* NAN for methods without a likelihood */
	size_t n_iter;
	enum hs_kmeans_status status;
};

struct hs_k_table {
	size_t n;
	struct hs_k_row *row;         /* k_min .. k_max, or fewer when stopped */
	size_t best;                  /* index of the chosen row */
	size_t gap_k;                 /* the number the gap statistic would choose; 0: none, or not reached */
	bool unstable;                /* none was stable: best is by silhouette alone */
	bool stopped;
	struct hs_kmeans result;      /* hs_choose_k alone: of the chosen k */
};

/* A way to make k clusters of the rows in question. */
struct hs_k_way {
	/* k clusters: *label (n_rows, borrowed until the next call), and in row what the method knows: found, n_iter, status, bic. */
	int (*make)(void *ctx, size_t k, const int32_t **label, struct hs_k_row *row, struct hs_err *err);
	/* What was made last is the best so far. */
	void (*keep)(void *ctx);
	/* k clusters of the rows of `half` that it does not skip, and the label that each row of `all` has by them. */
	int (*again)(void *ctx, struct hs_rowsource *half, struct hs_rowsource *all, size_t k, int32_t *label, struct hs_err *err);
	void *ctx;
	bool unit;                    /* judged by angles */
	bool by_bic;
	uint64_t seed;
	bool (*stop)(void *ctx);      /* asked after each k; NULL: never */
	void *stop_ctx;
};

/* Tries k_min .. k_max; k_min >= 2, by BIC >= 1. */
int hs_choose(struct hs_rowsource *rows, size_t k_min, size_t k_max, const struct hs_k_way *way, struct hs_k_table *out,
	struct hs_err *err);

/* The same with k-means; opt->k and opt->start are not looked at. */
int hs_choose_k(struct hs_rowsource *rows, size_t k_min, size_t k_max, const struct hs_kmeans_options *opt,
	struct hs_k_table *out, struct hs_err *err);
void hs_k_table_release(struct hs_k_table *table);

/* An `again` from labels that a method gives the rows of `half` (n_rows values below k, -1 for skipped ones): rows of `all`
 * go to the nearest mean. */
int hs_label_by_means(struct hs_rowsource *half, const int32_t *of_half, struct hs_rowsource *all, size_t k, bool unit,
	int32_t *label, struct hs_err *err);

/* Bytes hs_choose holds at its peak beside what the method does. hs_kmeans_bytes has those of hs_choose_k in it. */
double hs_choose_bytes(double n_rows, size_t n_chan, size_t k_max, int threads);

#endif
