/* evidence - what fits say when they are put beside each other: which model where; and which spectra show best how well it went.
 *
 * Owner: the caller; release accepts a zeroed struct. */
#ifndef HS_PHYSICS_EVIDENCE_H
#define HS_PHYSICS_EVIDENCE_H

#include "physics/fit.h"

/* Akaike weights from the corrected criterion: w_m = exp(-d_m / 2) / sum, d_m = AICc_m - the least (Burnham, Anderson, Sociol.
 * Methods Res. 33 (2004) 261). Fits without a criterion have weight 0; NAN and best = -1 where none has one. */
struct hs_evidence {
	size_t n_models, n_rows;
	double *weight;               /* n_rows x n_models */
	int32_t *best;                /* n_rows; ties: the first */
	size_t n_best[HS_MODEL_MOST];
};

int hs_evidence_weigh(const struct hs_fit *const *fit, size_t n_models, struct hs_evidence *out, struct hs_err *err);
void hs_evidence_release(struct hs_evidence *e);

/* Median of the finite values; NAN when there is none. */
double hs_fit_median(const double *value, size_t n);

/* Spectra with their fits: of those that have one, at equal ranks of reduced chi2 from the worst to the best. One pass. */
struct hs_examples {
	size_t n, n_values;
	size_t *row;                  /* n */
	double *measured, *fitted;    /* n x n_values; complex ones as magnitudes, n channels */
	char *text;                   /* "worst: pixel 17, R2 0.31; ..." */
};

int hs_examples_choose(struct hs_rowsource *rows, const struct hs_compound *model, const struct hs_fit *fit,
	const struct hs_grid *grid,
	size_t n, struct hs_examples *out, struct hs_err *err);
void hs_examples_release(struct hs_examples *e);

#endif
