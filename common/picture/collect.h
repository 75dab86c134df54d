/* collect - what one pass over a signal's pixels brings home: chosen channels as maps, chosen pixels as spectra, the sum image,
 * the mean spectrum. Complex values count by their magnitude, fill values are NaN.
 *
 * Sums are taken in float64, pixel after pixel, so they do not depend on threads. A pixel that is masked or has a value that
 * is not finite is left out of them. The caller owns all arrays. */
#ifndef HS_PICTURE_COLLECT_H
#define HS_PICTURE_COLLECT_H

#include "cli/pixels.h"

/* Arrays are NULL (and their number 0) when not wanted. */
struct hs_collect {
	size_t n_maps;
	const size_t *channel;        /* n_maps */
	double *map;                  /* n_maps x n_pix */
	size_t n_rows;
	const size_t *row;            /* n_rows pixels; NULL: the first n_rows */
	double *rows;                 /* n_rows x n_chan */
	size_t first, end;            /* channels that are summed */
	size_t n_image;               /* values of the sum image; leading pixel dimensions are summed as well */
	double *sum;                  /* n_image; NaN where no pixel was good */
	double *mean;                 /* n_chan, over good pixels; NaN when there is none */
};

/* px was opened with HS_AS_STORED. A pass for spectra alone ends with the last of them. */
int hs_collect(const struct hs_pixels *px, const struct hs_collect *c, struct hs_err *err);

#endif
