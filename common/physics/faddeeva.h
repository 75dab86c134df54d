/* faddeeva - w(z) = exp(-z^2) erfc(-i z), the Faddeeva function, with its derivative: what Voigt profiles are made of.
 *
 * For Im z >= 0, in double precision to a few 1e-15 of |w|, and the real part to 1e-13 of itself wherever it is not exp(-x^2) of
 * a z that is nearly real. Within |z| < 10 by trapezoidal and midpoint rules with the poles taken out (Al Azah, Chandler-Wilde,
 * SIAM J. Numer. Anal. 59 (2021) 2346), outside by the asymptotic series (Abramowitz, Stegun 7.1.23). w' = -2 z w + 2 i /
 * sqrt(pi), outside from the series too, as the two terms cancel there. Pure; any thread. */
#ifndef HS_PHYSICS_FADDEEVA_H
#define HS_PHYSICS_FADDEEVA_H

#include <complex.h>

/* Im z < 0 gives NaN. slope, when not NULL, receives w'(z). */
double complex hs_faddeeva(double complex z, double complex *slope);

#endif
