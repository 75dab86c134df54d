/* guess - what first guesses of many models need: where the largest peak is, how wide, where a spectrum is flat.
 *
 * Points with weight 0 are not looked at (weight may be NULL). Pure; any thread. */
#ifndef HS_PHYSICS_GUESS_H
#define HS_PHYSICS_GUESS_H

#include "physics/model.h"

struct hs_peak_guess {
	double height;                /* with sign */
	double centre, width;         /* full, at half height; at least the distance of two points */
};

/* The point farthest from zero after a running mean of three, refined by a parabola; half height is looked for on both sides.
 * False when all values are equal or none is finite. */
bool hs_guess_peak(const struct hs_grid *g, const double *y, const double *weight, struct hs_peak_guess *peak);

/* The straight line through the medians of y at the first and the last eighth of the points that count. False when there are
 * fewer than two points. */
bool hs_guess_line(const struct hs_grid *g, const double *y, const double *weight, double *offset, double *slope);

#endif
