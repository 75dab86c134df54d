/* tally - what the values of a signal amount to: how many, how large, and which of them do not count.
 *
 * Values that count are finite, not the fill value, and not in a masked row; each of the others is in exactly one of the
 * counters. Values keep their own unit. Sums are taken value after value in float64 with Neumaier's compensation (Z. angew.
 * Math. Mech. 54, 39, 1974), so they are right to about one rounding and the same for any number of threads. */
#ifndef HS_MATH_TALLY_H
#define HS_MATH_TALLY_H

#include <stdbool.h>

#include "base/rowsource.h"

struct hs_tally {
	size_t n, n_nan, n_infinite, n_fill, n_masked;
	double min, max, mean;        /* NaN when n is 0 */
	double sum;
};

/* One pass over all rows. mask: n_rows, not 0 is masked; or NULL. fill: the value that means "not measured"; or NULL. */
int hs_tally(struct hs_tally *tally, struct hs_rowsource *rows, const uint8_t *mask, const double *fill, struct hs_err *err);

#endif
