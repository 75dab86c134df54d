/* drift - how an energy scale drifts while a scan goes on, from spectra that are each too poor to tell.
 *
 * A spectrum that lies d channels too high differs from the mean m by -d m' to first order, and by what its composition does.
 * Within a line of the scan the drift hardly changes while the composition does: the directions in which spectra differ within
 * lines are those of composition, and m' without its part along them is a matched filter for drift alone (counting noise
 * whitened). What it gives for each pixel is far too noisy, but drift is smooth in time: hs_track_smooth over the pixels in the
 * order of the scan, which is taken to be that of the rows. The spectra are moved by what was found, and what is left is looked
 * for, a few times.
 *
 * All this is done twice, with a filter that is also blind to what parabolas and amounts do within a stretch of channels and
 * without, and what leaves less doubt is kept: what neighbours in a line still have in common is composition. With fewer than
 * some 800000 counts in all (64 x 64 spectra of 200) the path is found in part only, and sigma does not know of composition that
 * got through.
 *
 * Passes: 38. Memory: the means of the lines (lines x channels), a few values a pixel. */
#ifndef HS_PREP_DRIFT_H
#define HS_PREP_DRIFT_H

#include "prep/stage.h"

/* lag (n_pix): where features lie relative to their mean place, in channels, also for skipped pixels; sigma (n_pix) its standard
 * deviation. Channels first .. last take part. HS_BAD_DATA when the spectra have no structure or are not above zero on
 * average. */
int hs_drift_find(const struct hs_stage *before, size_t first, size_t last, double *lag, double *sigma, struct hs_err *err);

/* Bytes it holds at its peak. */
size_t hs_drift_bytes(size_t n_pix, size_t n_lines, size_t n_chan, int threads);

#endif
