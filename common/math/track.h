/* track - a quantity that changes smoothly in time, seen through noise.
 *
 * Model: position and velocity, the velocity a random walk (Wahba's smoothing spline as a state space: Wecker and Ansley, J. Am.
 * Stat. Assoc. 78, 1983, 81); observation i, at time i, is the position plus noise of variance s^2 / weight[i]. How fast the
 * velocity may change, and s, are those of the largest likelihood. Solved by the Kalman filter and the smoother of Rauch, Tung
 * and Striebel (AIAA J. 3, 1965, 1445), in time and memory proportional to n. Pure; any thread. */
#ifndef HS_MATH_TRACK_H
#define HS_MATH_TRACK_H

#include <stddef.h>

#include "base/err.h"

/* value[i] with weight[i] > 0 is seen, others (also values that are not finite) are missing and found between their neighbours.
 * smooth (n) receives the positions, sigma (n, or NULL) their standard deviations. With fewer than three observations: their
 * weighted mean, sigma NaN. *span, when not NULL: observations that share a position, about. HS_BAD_DATA when there are none. */
int hs_track_smooth(const double *value, const double *weight, size_t n, double *smooth, double *sigma, double *span,
	struct hs_err *err);

size_t hs_track_bytes(size_t n);

#endif
