/* project - the responses of one sweep, complex numbers, on the line along which they vary: a loop of real values.
 *
 * Pure; any thread. */
#ifndef HS_MATH_PROJECT_H
#define HS_MATH_PROJECT_H

#include <stddef.h>

/* The responses re + i im of a sweep over x (n points) turned so that their principal axis, through their mean, is the real
 * axis: out (n) are their real parts then. Of the two directions the one in which the falling branch lies above the rising one,
 * so that the area between them is positive; without an area, the one in which the value farthest from zero is positive. Points
 * that are not finite stay NaN and are passed over. Returns the angle of the axis, in (-pi, pi]; 0 where the responses do not
 * vary, and NAN where none is finite. */
double hs_project_sweep(const double *re, const double *im, const double *x, size_t n, double *out);

#endif
