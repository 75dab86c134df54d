/* em_pca - principal components of spectra with gaps: single elements that were not measured.
 *
 * Gaps are filled by what the components say (filled.h), components follow from the filled spectra, and so on until neither
 * moves: expectation and maximisation in turn (regularised iterative PCA: J. Josse, F. Husson, J. Soc. Fr. Stat. 153, 2012, 79).
 * The penalty on the scores is what keeps the fill from following the noise. Filled elements carry no noise of their own, so with
 * many gaps small eigenvalues come out a little low.
 *
 * Starts from the mean of each channel (Poisson: that spectrum scaled to the row). Each round costs what the method costs. */
#ifndef HS_FACTOR_EM_PCA_H
#define HS_FACTOR_EM_PCA_H

#include "factor/decompose.h"
#include "factor/filled.h"

struct hs_em_pca {
	struct hs_rowsource *filled;  /* the rows, gaps filled by the final model: for the second passes */
	struct hs_gap_survey gaps;
	size_t k;                     /* components that fill */
	size_t n_iter;
	bool converged;               /* the span moved by less than 1e-6 and the variances by 1e-8 in the last round */
	struct hs_fill_model model;   /* and what it points to: */
	struct hs_row_frame frame;
	double *vector, *variance;
};

/* k = 0: as many as the noise test finds, anew in each of the first rounds. SKETCH is not for this (HS_USAGE). At most 200
 * rounds;
 * stop (or NULL) is asked before each but the first. pca is that of e->filled. HS_BAD_DATA when no row has anything in it. Both
 * are released by the caller, also after failure; rows and gaps->mask must outlive e. */
int hs_em_pca_find(struct hs_em_pca *e, struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_gaps *gaps,
	const struct hs_pca_how *how, size_t k, bool (*stop)(void *), void *stop_ctx, struct hs_err *err);
void hs_em_pca_release(struct hs_em_pca *e);
size_t hs_em_pca_bytes(size_t n_rows, size_t n_chan, enum hs_pca_method method, size_t n_comp, int threads);

#endif
