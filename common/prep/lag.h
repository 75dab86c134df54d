/* lag - spectra moved along their axis by a part of a channel.
 *
 * A lag is where a feature lies, in channels, relative to where it should: moving a spectrum by its lag brings channel k + lag to
 * k. The counts of a channel are thought to be spread evenly over its width, so they are divided between two neighbours: none is
 * lost or made, but at the ends, and none becomes negative. */
#ifndef HS_PREP_LAG_H
#define HS_PREP_LAG_H

#include <stdbool.h>
#include <stddef.h>

/* Channels first .. first + n - 1 of a spectrum of n_chan moved by lag, into out; beyond the ends the spectrum goes on as its
 * last value. False when lag is not finite. */
bool hs_lag_undo(const double *x, size_t n_chan, double lag, size_t first, size_t n, double *out);

/* Median of the finite ones among n values; NAN when there are none. sorted: room for n. */
double hs_lag_median(const double *lag, size_t n, double *sorted);

#endif
