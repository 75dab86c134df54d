/* smooth - Gaussian smoothing of maps over the pixel grid: neighbours share their signal, not their noise.
 *
 * A value becomes the mean of its neighbourhood with weights exp(-(dy^2 + dx^2) / (2 sigma^2)), cut at 4 sigma (rounded to a
 * pixel, one at least); beyond the border the picture goes on as its mirror image (the border pixel counts twice: c b a | a b c).
 * Pixels with skip != 0 give nothing and get nothing; the weights of the others are raised so that they sum to one. A pixel whose
 * neighbours are all left out keeps its value. Separable, so cost is sigma x values. */
#ifndef HS_MATH_SMOOTH_H
#define HS_MATH_SMOOTH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* value: n_frames x n_y x n_x x width, every frame on its own; in place. skip: n_frames x n_y x n_x or NULL. *noise_gain, when
 * not NULL: mean factor by which the standard deviation of independent noise falls. HS_USAGE for sigma that is not above 0 and at
 * most HS_SMOOTH_WIDEST. Holds one copy of the values and of the weights. */
#define HS_SMOOTH_WIDEST 1000.0
int hs_smooth_maps(double *value, size_t n_frames, size_t n_y, size_t n_x, size_t width, const uint8_t *skip, double sigma,
	double *noise_gain, struct hs_err *err);

/* How much neighbours have in common: correlation of the signal of adjacent pixels, all of width taken together, after noise of
 * standard deviation `noise` in each value has been allowed for. 1: smooth; 0: pixels lie in random order; NAN when there are no
 * neighbours or no signal. */
double hs_neighbour_likeness(const double *value, size_t n_frames, size_t n_y, size_t n_x, size_t width, const uint8_t *skip,
	double noise);

#endif
