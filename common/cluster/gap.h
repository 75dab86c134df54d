/* gap - how many clusters there are, by the gap statistic.
 *
 * W_k is the inertia of k-means with k clusters. Gap(k) is the mean of log W_k over reference data without clusters, less
 * log W_k of the data; the error s_k is the standard deviation over the references times sqrt(1 + 1/B). The number of
 * clusters is the smallest k with Gap(k) >= Gap(k+1) - s_{k+1} (Tibshirani, Walther, Hastie, J. R. Stat. Soc. B 63 (2001) 411).
 * References are uniform in the box of the data along their principal components (choice b of the paper), of which there are
 * HS_GAP_AXES at most; the data are projected on them, too.
 *
 * Meant for samples of some thousand rows. Owner: the caller; hs_gap_release accepts a zeroed struct. Same bytes for any number
 * of threads. */
#ifndef HS_CLUSTER_GAP_H
#define HS_CLUSTER_GAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HS_GAP_AXES = 10 };

struct hs_gap_options {
	size_t k_max;                 /* 1 .. k_max are tried, >= 1 */
	size_t n_reference;           /* B, >= 2 */
	size_t restarts;              /* of each k-means */
	uint64_t seed;
	bool (*stop)(void *ctx);      /* asked after each k; NULL: never */
	void *stop_ctx;
};

struct hs_gap {
	size_t n;                     /* k = 1 .. n were tried: k_max, or fewer when stopped */
	double *gap, *error;          /* n; gap is INFINITY where W_k is 0, NAN where that of the references is, too */
	size_t chosen;                /* 0: none fulfils the condition */
};

/* 10 references, 3 restarts, seed 0. */
struct hs_gap_options hs_gap_defaults(size_t k_max);

/* x: n x p, finite, n >= 1. Errors: HS_USAGE for options out of range, HS_BAD_DATA for squares that overflow, HS_SYSTEM. */
int hs_gap(const double *x, size_t n, size_t p, const struct hs_gap_options *opt, struct hs_gap *out, struct hs_err *err);
void hs_gap_release(struct hs_gap *gap);

#endif
