/* activeset - the small quadratic programme behind constrained abundances, solved exactly, millions of times:
 *
 *	least a^T G a / 2 - b^T a   with a >= 0   and, when sum_to_one, a_1 + ... + a_k = 1
 *
 * for one G (k x k, positive semidefinite, the scalar products of the endmembers) and many b (the scalar products of a spectrum
 * with them). Without the sum it is non-negative least squares (Lawson, Hanson, Solving Least Squares Problems, 1974), with it
 * fully constrained least squares (Heinz, Chang, IEEE Trans. Geosci. Remote Sens. 39 (2001) 529).
 *
 * For a given set of positive elements the answer is an affine function of b. Up to table_up_to elements all 2^k such functions
 * are made beforehand; a solution then costs one or two small products: take the largest set, drop what comes out negative, add
 * what pulls hardest, until nothing pulls (principal pivoting: Portugal, Judice, Vicente, Math. Comp. 63 (1994) 625). That may
 * circle in degenerate cases, so after 3 k + 3 exchanges, and always for larger k, the method of Lawson and Hanson goes on, which
 * lowers the objective in each step.
 *
 * A solution is final when the pull g = b - G a (less its common value on the set, when sum_to_one) of every element outside the
 * set is below 1e-12 of the largest magnitude in the problem. Elements of a are exactly zero or positive; their sum is 1 to
 * rounding.
 *
 * Degenerate G. An element that, given the others in the set, adds nothing (its part outside them is below 3e-7 of its length)
 * does not enter a set: of two equal endmembers one gets the abundance, the first when both would do. A zero endmember gets 0
 * without the sum; with it, it is a corner like any other.
 *
 * The struct owns its arrays and is only read by hs_active_set_solve: any number of threads, each with scratch of its own. */
#ifndef HS_UNMIX_ACTIVESET_H
#define HS_UNMIX_ACTIVESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HS_ACTIVE_TABLE = 12 };        /* largest k with a table: 5 MiB then, and 20 ms to make it */

struct hs_active_set {
	size_t k, width;              /* width: k rounded up to a multiple of 4, the stride of gram and table */
	bool sum_to_one;
	double *gram;                 /* k x width */
	double largest;               /* on its diagonal */
	double *table;                /* a map of (k + 1) x width a set: a_i = sum_j map[j][i] b_j + map[k][i]; or NULL */
	uint8_t *kind;                /* of each set: usable, usable with one step of refinement, or singular */
	unsigned start;               /* the largest set to begin with */
};

/* gram is k x k, all of it read. table_up_to: HS_ACTIVE_TABLE, or less to do without. HS_BAD_DATA when gram is not finite.
 * Released by the caller, also after failure. */
int hs_active_set_init(struct hs_active_set *q, const double *gram, size_t k, bool sum_to_one, size_t table_up_to,
	struct hs_err *err);
void hs_active_set_release(struct hs_active_set *q);
size_t hs_active_set_bytes(size_t k);

/* Doubles of scratch that one thread needs. */
size_t hs_active_set_scratch(size_t k);

/* a (k) of b (k), both finite. False when 30 k + 30 exchanges were not enough: a is then feasible, not the best. */
bool hs_active_set_solve(const struct hs_active_set *q, const double *b, double *a, double *scratch);

/* How far a is from the optimum: the largest |g_i| on the set and the largest positive g_i outside it, g as above. */
double hs_active_set_kkt(const struct hs_active_set *q, const double *b, const double *a);

#endif
