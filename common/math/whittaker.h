/* whittaker - smoothing by a penalty on roughness (Whittaker, Proc. Edinburgh Math. Soc. 41 (1923) 63; Eilers, Anal. Chem. 75
 * (2003) 3631), and the baselines made of it by weights that depend on the side of the curve a value is on.
 *
 * z minimises sum w_i (y_i - z_i)^2 + lambda sum (z_{i-1} - 2 z_i + z_{i+1})^2: (W + lambda D^T D) z = W y, five diagonals,
 * solved by their Cholesky decomposition L D L^T in 20 n operations. Places are channel numbers, whatever the axis says. Beyond
 * the ends the curve would go on straight. A straight line is its own smooth curve; so are spectra of one or two channels.
 *
 * The decomposition loses about log10(lambda) + 1 digits of 16. Pure functions, scratch from the caller, any thread. */
#ifndef HS_MATH_WHITTAKER_H
#define HS_MATH_WHITTAKER_H

#include <stdbool.h>
#include <stddef.h>

/* z (n) from y (n); w: n weights >= 0, at least two of them positive, or NULL for ones. scratch: 3 n. */
#define HS_WHITTAKER_SCRATCH 3
void hs_whittaker(size_t n, double lambda, const double *w, const double *y, double *z, double *scratch);

/* Asymmetric least squares (Eilers, Boelens 2005): w = p above the curve, 1 - p below, until no weight changes (50 times at
 * most). scratch: 4 n. */
void hs_whittaker_als(size_t n, double lambda, double p, const double *y, double *z, double *scratch);

/* Asymmetrically reweighted penalised least squares (Baek, Park, Ahn, Choo, Analyst 140 (2015) 250): w = 1 / (1 + exp(2 (d - (2 s
 * - m)) / s)) with m and s mean and standard deviation of the d = y - z that are negative, until |change of w| < 1e-6 |w| (100
 * times at most). scratch: 4 n. */
void hs_whittaker_arpls(size_t n, double lambda, const double *y, double *z, double *scratch);

#endif
