/* weights - spectra whose every channel is a weighted sum of a run of channels of the spectrum before: local polynomials, their
 * derivatives, Gaussian means, interpolation.
 *
 * Rows of weights may be shared: on a uniform axis all channels but those near the ends have the same. The struct owns its
 * arrays. Threads: read by many. */
#ifndef HS_PREP_WEIGHTS_H
#define HS_PREP_WEIGHTS_H

#include <stdbool.h>

#include "base/err.h"
#include "data/axis.h"

struct hs_weights {
	size_t n;                     /* channels of the result */
	size_t *first, *count;        /* n: which old channels */
	size_t *at;                   /* n: their weights begin at weight[at] */
	double *weight;
};

/* Room for n channels and n_weights weights. 0, or -1 with err when memory is short; released by the caller in any case. */
int hs_weights_init(struct hs_weights *w, size_t n, size_t n_weights, struct hs_err *err);
void hs_weights_release(struct hs_weights *w);

/* Derivative number `derivative` (0: the value) of the polynomial of `order` through the `width` channels around each one, by
 * least squares, at the places of axis (Savitzky, Golay, Anal. Chem. 36 (1964) 1627; on an axis that is not uniform each channel
 * has a fit of its own). At the ends the outermost whole window is used, off its middle. derivative <= order < width <= axis->n.
 * */
int hs_weights_local(struct hs_weights *w, const struct hs_axis *axis, size_t width, size_t order, size_t derivative,
	struct hs_err *err);

/* Mean with weights exp(-4 ln 2 (x - x_i)^2 / fwhm^2), cut where they are below 1e-8 of the largest, times what a channel is
 * wide; they sum to one, at the ends over the channels there are. */
int hs_weights_gauss(struct hs_weights *w, const struct hs_axis *axis, double fwhm, struct hs_err *err);

/* An hs_row_fn whose state is a struct hs_weights. */
bool hs_weights_row(const void *state, size_t pixel, const double *in, double *out, double *scratch);

/* What channel i of an axis is wide: half the way to either neighbour; at the ends the whole way to the only one; 1 for a single
 * channel. Always positive. */
double hs_channel_width(const struct hs_axis *axis, size_t i);

#endif
