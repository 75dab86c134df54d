/* robust - principal components that a few spoiled spectra cannot pull away.
 *
 * Spectra are weighted by how far they lie from the span of the components: with r the norm of what the components leave of a
 * spectrum, m the median of all r and s = 1.4826 times the median of |r - m|, the weight is Tukey's (1 - ((r - m) / 4.685 s)^2)^2
 * above m, 1 below it and 0 beyond 4.685 s (the bisquare of A. E. Beaton and J. W. Tukey, Technometrics 16, 1974, 147).
 * Components and weights follow from each other until the weights settle.
 *
 * The start decides where that leads, so it gives no spectrum more weight than another for being large: directions alone,
 * weight 1 / |y|^2 about the spatial median (N. Locantore and others, Test 8, 1999, 1, spherical principal components).
 *
 * Eigenvalues are those of sum w y y^T / (sum w - 1), / sum w when not centred. */
#ifndef HS_FACTOR_ROBUST_H
#define HS_FACTOR_ROBUST_H

#include "factor/decompose.h"

struct hs_robust {
	double *weight;               /* n_rows: 0 .. 1, NaN for rows not used; owned */
	size_t k;                     /* components that the residuals were taken from */
	size_t n_outliers;            /* rows of weight 0 */
	size_t n_iter;
	bool converged;               /* no weight moved by 0.001 in the last round, or stop asked for an end */
};

/* k = 0: as many as the noise test finds, anew in each of the first rounds. SKETCH is not for this: rows are read again and
 * again (HS_USAGE). At most 50 rounds; stop (or NULL) is asked before each. Released by the caller, both, also after failure. */
int hs_robust_find(struct hs_robust *r, struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how, size_t k,
	bool (*stop)(void *), void *stop_ctx, struct hs_err *err);
void hs_robust_release(struct hs_robust *r);
size_t hs_robust_bytes(size_t n_rows, size_t n_chan, enum hs_pca_method method, size_t n_comp, int threads);

#endif
