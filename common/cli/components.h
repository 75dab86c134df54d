/* components - principal components, written: scores, loadings, mean, variance, and what comes with some methods.
 *
 * Into the step go scores, loadings and mean as factors.h has them, and
 *	variance      (component)    share of the variance, with columns cumulative and eigenvalue; of more components than are kept,
 *	                             so that a scree plot shows where the noise begins
 *	rank          (test)         how many components each test of their number found, in the order of hs_rank_names
 *	spectra_used  (batches)      how many spectra the components are of after so many batches: what a later update must know
 *	weights       (pixels...)    of each spectrum, when they differ
 * and, asked for, the cube rebuilt from the components kept as /entry/data. Everything is borrowed. */
#ifndef HS_CLI_COMPONENTS_H
#define HS_CLI_COMPONENTS_H

#include "cli/pixels.h"
#include "factor/pca.h"
#include "factor/rank.h"

struct hs_components {
	const struct hs_pca *pca;
	size_t k;                     /* components kept */
	struct hs_rowsource *rows;    /* for the passes that scores and denoised cube take */
	bool with_scores, denoise;
	const double *sigma;          /* n_pix x k: of the scores; or NULL */
	const double *weight;         /* n_pix; or NULL */
	const struct hs_ranks *ranks; /* or NULL, when they were not tested */
	size_t n_batches;             /* seen before these spectra: */
	const double *batch;          /* how many were used of each; pca->n_used counts them too */
};

int hs_components_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_components *c, struct hs_err *err);

#endif
