/* picture - what picture a signal gets.
 *
 *	spectrum, component spectra     curves, with a band where there are data_errors
 *	cube                            sum image and mean spectrum (or mean pattern), marks and curves at chosen pixels
 *	component maps                  the maps; beside them, of the same step, spectra, explained variance, residual, choice of k
 *	labels                          label map; beside it, in the same colours, the centroids and the dendrogram of the same step
 *	merges                          a dendrogram
 *	numbers tried                   their figures of merit, the chosen one marked
 *	a fit                           maps of all parameters, of how it ended, and spectra with their fits (fits.h)
 *	codes with meanings             as labels
 *	image, line scan                a map
 *	scattered points                coloured dots where they were measured
 * Complex values are shown by magnitude. Masked pixels and values that are not finite are "no value". Cubes are summed as
 * their rows pass (cli/pixels.h): memory is needed for the drawings alone, and too large ones are refused.
 *
 * The axes of the drawings are the input's, which must outlive the plan. */
#ifndef HS_PICTURE_PICTURE_H
#define HS_PICTURE_PICTURE_H

#include "picture/plan.h"
#include "picture/wish.h"

/* HS_USAGE when the wish does not fit the signal, HS_BAD_DATA when it cannot be drawn, HS_SYSTEM when the picture needs more
 * than --memory. run gives threads, memory and mask. Release the plan in any case. */
int hs_picture_plan(struct hs_plan *plan, struct hs_run *run, struct hs_in *in, size_t signal, const struct hs_wish *wish,
	struct hs_err *err);

#endif
