/* sunsal - sparse abundances among many spectra by alternating directions: SUnSAL (Bioucas-Dias, Figueiredo, Proc. WHISPERS,
 * 2010).
 *
 *	least a^T G a / 2 - b^T a   with a >= 0
 *
 * the price of sparsity, lambda sum_j a_j, being a part of b. The same problem as activeset.h without the sum; there the time
 * grows with the cube of the number of spectra that are present, here with the square of all of them, but many pixels go at once.
 * Variables are split, a = u with u >= 0, and each turn is one product of matrices: a <- (G + mu I)^-1 (b + mu (u + d)),
 * u <- max(0, a - d), d <- d - (a - u), with over-relaxation 1.7 and mu the geometric mean of the extreme eigenvalues of G (Boyd
 * et al., Found. Trends Mach. Learn. 3 (2011) 1; Ghadimi et al., IEEE Trans. Autom. Control 60 (2015) 644). A pixel has arrived
 * when |a - u| and |u - u before| are below 1e-8 |u|; it then keeps its u, so its result does not depend on its company.
 *
 * The struct owns its matrix and is only read while it solves: any number of threads, each with scratch of its own. */
#ifndef HS_UNMIX_SUNSAL_H
#define HS_UNMIX_SUNSAL_H

#include <stddef.h>

#include "base/err.h"

struct hs_sunsal {
	size_t k;
	double mu;
	double *inverse;              /* k x k: (G + mu I)^-1 */
};

/* gram: k x k, both triangles. HS_BAD_DATA when it is not finite; HS_SYSTEM. Released by the caller, also after failure. */
int hs_sunsal_init(struct hs_sunsal *s, const double *gram, size_t k, struct hs_err *err);
void hs_sunsal_release(struct hs_sunsal *s);

/* Doubles of scratch for n pixels. */
size_t hs_sunsal_scratch(size_t n, size_t k);

/* a (n x k) of b (n x k), finite. Returns how many pixels did not arrive within 5000 turns; their a is the last u, which is not
 * negative. */
size_t hs_sunsal_solve(const struct hs_sunsal *s, const double *b, size_t n, double *a, double *scratch);

#endif
