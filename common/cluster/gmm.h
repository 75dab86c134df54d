/* gmm - mixtures of normal distributions over a row source, fitted by expectation maximisation.
 *
 * p(x) = sum_k w_k N(x; m_k, C_k); full or diagonal covariances. EM (Dempster, Laird, Rubin, J. R. Stat. Soc. B 39 (1977) 1)
 * from the clusters of k-means; one pass over the rows an iteration does both steps. Densities are summed by log-sum-exp.
 *
 * Floor: no covariance has an eigenvalue (diagonal: a variance) below floor times the mean variance of a channel. They are
 * raised to it, which is the maximiser of the likelihood under that condition; so the log-likelihood never falls, as it may when
 * a constant is added to the diagonal. A component that no row belongs to (its membership is nowhere the largest) is taken out
 * and the others go on.
 *
 * Works inside in coordinates z = (x - shift) scale of order 1, scale a power of two. The order of components is that of
 * hs_order_clusters: component 0 has most rows.
 *
 * Owner: the caller holds the structs; hs_gmm_release frees what the result holds and accepts a zeroed struct. Passes run in
 * parallel over blocks; same bytes for any number of threads. */
#ifndef HS_CLUSTER_GMM_H
#define HS_CLUSTER_GMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"
#include "cluster/kmeans.h"

enum hs_covariance { HS_COVARIANCE_FULL, HS_COVARIANCE_DIAG };

struct hs_gmm_options {
	size_t k;                     /* components, >= 1 */
	enum hs_covariance covariance;
	size_t restarts;              /* of the k-means it starts from */
	size_t max_iter;              /* >= 1, passes */
	double tol;                   /* ends when the log-likelihood of a row rises by less; 0: never */
	double floor;                 /* > 0 */
	uint64_t seed;
	bool (*stop)(void *ctx);      /* asked after each pass; NULL: never */
	void *stop_ctx;
};

struct hs_gmm {
	size_t n_rows, n_chan, n_used;
	size_t k;                     /* components left: fewer than asked when rows are few or components died */
	enum hs_covariance covariance;
	double *weight;               /* k, sums to 1 */
	double *mean;                 /* k x n_chan */
	double *cov;                  /* k x n_chan x n_chan, or k x n_chan variances */
	int32_t *label;               /* n_rows: the component with the largest membership, -1 for skipped rows */
	double log_likelihood;        /* of all used rows, natural logarithm; NAN when the data have no variance */
	double bic;                   /* n_free ln n - 2 ln L: less is better (Schwarz, Ann. Stat. 6 (1978) 461) */
	size_t n_free;                /* parameters */
	size_t n_iter;
	double *trace;                /* n_iter: the log-likelihood of each pass, never falling while k stays */
	enum hs_kmeans_status status;

	/* what passes over rows need: z = (x - shift) scale; white: C^-1/2 as the inverse of the Cholesky factor (lower), or
	 * 1/standard deviation; log_norm: ln w - (p ln 2 pi + ln det C)/2; all in coordinates z */
	double *shift, scale, *centre, *white, *log_norm;
};

/* k components, full, 10 restarts, 500 passes, tol 1e-6, floor 1e-6, seed 0. */
struct hs_gmm_options hs_gmm_defaults(size_t k);

/* Errors: HS_USAGE for k, max_iter of 0 or a floor that is not positive; what hs_kmeans reports. No usable row is a result
 * with k = 0. */
int hs_gmm(struct hs_rowsource *rows, const struct hs_gmm_options *opt, struct hs_gmm *out, struct hs_err *err);
void hs_gmm_release(struct hs_gmm *result);

/* One pass: the membership of each row in each component (width k, sums to 1), skipped rows NaN. rows may be others than those
 * it was fitted to. */
int hs_gmm_memberships(const struct hs_gmm *gmm, struct hs_rowsource *rows, hs_rows_put put, void *ctx, struct hs_err *err);

/* One pass: label (n_rows) of the largest membership, ties to the lowest; -1 for skipped rows. */
int hs_gmm_labels(const struct hs_gmm *gmm, struct hs_rowsource *rows, int32_t *label, struct hs_err *err);

/* Bytes either holds at its peak, at most. */
double hs_gmm_bytes(size_t n_rows, size_t n_chan, size_t k, enum hs_covariance covariance, size_t restarts, int threads);

#endif
