/* fitted - models fitted to the pixels of a signal, as hsfit writes them and reads them again.
 *
 * Owner: the caller; release accepts a zeroed struct. */
#ifndef HS_CLI_FITTED_H
#define HS_CLI_FITTED_H

#include "cli/pixels.h"
#include "physics/evidence.h"

enum { HS_FITTED_MOST = 8 };          /* alternatives */

/* One of the competing models and how it fitted. */
struct hs_fitted_model {
	struct hs_compound model;
	struct hs_fit fit;
	double *start;                        /* n_pix x n_params to begin at; or NULL */
};

struct hs_fitted {
	size_t n;
	struct hs_fitted_model candidate[HS_FITTED_MOST];
	struct hs_grid grid;
	double *weight;                       /* of the channels: 0: not looked at; NULL: all */
	struct hs_evidence evidence;          /* two models or more */
	struct hs_examples examples;
};

/* Where each model begins, from an earlier result: maps of as many pixels, or of one spectrum for all. HS_USAGE when a parameter
 * is not there, HS_BAD_DATA for another number of pixels. */
int hs_fitted_read(struct hs_fitted *o, const char *path, const struct hs_pixels *px, struct hs_err *err);

/* All results into the tool's step, parameters first. typed: the models as the user wrote them, with bars between. */
int hs_fitted_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_fitted *o, const char *typed,
	struct hs_err *err);
void hs_fitted_release(struct hs_fitted *o);

#endif
