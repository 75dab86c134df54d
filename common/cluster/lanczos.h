/* lanczos - a few of the largest eigenvalues of a large symmetric operator, with their vectors.
 *
 * Block Lanczos with full orthogonalisation and thick restarts: the basis keeps the best Ritz vectors and goes on from the
 * residual block (Wu, Simon, SIAM J. Matrix Anal. Appl. 22 (2000) 602, in blocks of HS_LANCZOS_BLOCK, so that multiple
 * eigenvalues are found with their multiplicity up to that). Eigenvectors that are known beforehand are locked: the basis is
 * kept orthogonal to them.
 *
 * Orders up to HS_LANCZOS_WHOLE, and those that the basis would fill, are made a matrix and solved by hs_la_eigh.
 *
 * The operator is a function of a block of vectors; it may be parallel inside, and must give the same bits for any number of
 * threads. Start vectors are normal random numbers from the seed. */
#ifndef HS_CLUSTER_LANCZOS_H
#define HS_CLUSTER_LANCZOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HS_LANCZOS_BLOCK = 4, HS_LANCZOS_WHOLE = 1000 };

/* y = A x for m vectors of n values each, one after the other. */
typedef void (*hs_operator)(const void *ctx, const double *x, size_t m, double *y);

struct hs_lanczos {
	size_t n, k;                  /* order; eigenpairs wanted, beside the locked ones; n_locked + k <= n */
	hs_operator apply;
	const void *ctx;
	const double *locked;         /* n_locked x n orthonormal eigenvectors; NULL for none */
	size_t n_locked;
	double tol;                   /* done when every residual |A v - e v| is below tol x the largest |e| */
	size_t max_restarts;
	uint64_t seed;
	bool (*stop)(void *ctx);      /* asked at each restart; NULL: never */
	void *stop_ctx;
};

/* value: k, descending; vector: k x n, orthonormal rows. *residual, when not NULL, is the largest residual as the iteration knows
 * it (0 for a matrix). Returns 0, 1 when
 * max_restarts or the deadline ended it (values and vectors are the best there are), -1: HS_BAD_DATA when the operator gives
 * values that are not finite, HS_USAGE for k out of range, HS_SYSTEM. */
int hs_lanczos(const struct hs_lanczos *problem, double *value, double *vector, double *residual, struct hs_err *err);

/* Bytes it holds at its peak, beside value and vector. */
double hs_lanczos_bytes(double n, size_t k, size_t n_locked);

#endif
