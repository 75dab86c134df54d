/* guess - what first guesses of many models need: where the largest peak is, how wide, where a spectrum is flat.
 *
 * Points with weight 0 are not looked at (weight may be NULL). Pure; any thread. */
#ifndef HS_PHYSICS_GUESS_H
#define HS_PHYSICS_GUESS_H

#include "physics/model.h"

struct hs_peak_guess {
	double height;                /* with sign */
	double centre, width;         /* full, at half height; at least the distance of two points */
	double top;                   /* the highest point; centre lies between it and the middle at half height */
	double below, above;          /* half widths from the top towards smaller and larger x, each at least half a step */
};

/* The point farthest from zero after a running mean of three; half height is looked for on both sides, and where one is not in
 * the
 * window, it is taken to be as far as the other. False when all values are equal or none is finite. */
bool hs_guess_peak(const struct hs_grid *g, const double *y, const double *weight, struct hs_peak_guess *peak);

/* The straight line through the medians of y at the first and the last eighth of the points that count. False when there are
 * fewer than two points. */
bool hs_guess_line(const struct hs_grid *g, const double *y, const double *weight, double *offset, double *slope);

/* The decay y = a exp(-r u), u = x - from, or with log_x u = ln(x / from): of ln |y| against u by least squares with weights y^2
 * over
 * points of the sign that prevails (and x / from > 0), and the line through the medians of both ends, the one that is nearer to
 * y by
 * the sum of |differences|: a peak between the ends shall not be in the way. False when there is neither. */
bool hs_guess_decay(const struct hs_grid *g, const double *y, const double *weight, bool log_x, double from, double *a,
	double *r);

#endif
