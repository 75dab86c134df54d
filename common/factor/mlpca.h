/* mlpca - principal components when the variance of every element is known: maximum likelihood (P. D. Wentzell, D. T.
 * Andrews, D. C. Hamilton, K. Faber, B. R. Kowalski, J. Chemom. 11, 1997, 339; here for independent errors, their cases A to C).
 *
 * The model x_ij = m_j + sum_c t_ic v_cj minimises sum_ij (x_ij - model)^2 / variance_ij. Scores given spectra and spectra given
 * scores are weighted least squares problems, of rows and of channels, solved in turn; the mean is a component whose scores are
 * 1. At the end the components are turned to be orthonormal, with uncorrelated scores, by variance.
 *
 * An element that is not finite, or whose variance is not positive and finite, has no weight. Rows of which fewer than k + 1
 * elements have weight, and masked ones, take no part. float64 throughout; a round is one pass of n p k^2 flops. */
#ifndef HS_FACTOR_MLPCA_H
#define HS_FACTOR_MLPCA_H

#include "factor/filled.h"
#include "factor/pca.h"

/* Variances: of every element (rows of the same shape, read alongside), or of channels, or of pixels. Exactly one is given. */
struct hs_variances {
	struct hs_rowsource *rows;
	const double *channel;        /* n_chan */
	const double *pixel;          /* n_rows */
	bool deviations;              /* rows are standard deviations, not variances */
};

struct hs_mlpca {
	double *sigma;                /* n_rows x k: standard deviation of the scores, spectra taken as known; owned */
	double chi2;                  /* the minimum, and */
	bool fits;                    /* chi2 is within three standard deviations of freedom */
	double freedom;               /* its degrees of freedom: elements less parameters; chi2 is near it when variances are right */
	size_t n_iter;                /* rounds of the last k */
	bool converged;               /* the objective fell by less than 1e-9 of itself in the last round */
};

/* start: ordinary components of the same rows, centred per channel or not, without Poisson scaling; what they are centred by, pca
 * is too. k from 1 to start->n_comp, or 0: the first k whose chi2 is within three standard deviations of its degrees of freedom
 * (m->fits), else the last. pca keeps its scores: hs_pca_scores reads nothing. At most 500 rounds; stop (or NULL) is asked
 * before each but the first. HS_BAD_DATA when no row has weights enough, HS_USAGE for double centring. Both released by the
 * caller, also after failure. */
int hs_mlpca_find(struct hs_mlpca *m, struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_variances *variances,
	const struct hs_gaps *gaps, const struct hs_pca *start, size_t k, bool (*stop)(void *), void *stop_ctx, struct hs_err *err);
void hs_mlpca_release(struct hs_mlpca *m);
size_t hs_mlpca_bytes(size_t n_rows, size_t n_chan, size_t k, int threads);

#endif
