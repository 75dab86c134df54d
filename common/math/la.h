/* la - the few dense problems of linear algebra that the other modules share, over LAPACK and BLAS.
 *
 * Matrices are row-major float64. One BLAS thread (par.h sees to it), so results do not depend on the number of threads.
 * Everything here is a pure function; scratch memory is taken and given back inside. */
#ifndef HS_MATH_LA_H
#define HS_MATH_LA_H

#include <stddef.h>

#include "base/err.h"

/* Symmetric eigenproblem of a (n x n, upper triangle read, whole matrix destroyed). value, when not NULL, receives all n
 * eigenvalues, descending. vector receives the unit eigenvectors of the k largest, one a row (k x n); may be NULL for k = 0.
 * One tridiagonal reduction serves both (dsytrd; dsterf for values, dstemr and dormtr for vectors: Dhillon and Parlett,
 * Linear Algebra Appl. 387, 2004). Rows are orthonormal to 1e-13 also inside clusters of equal eigenvalues. Signs are those
 * of LAPACK: see hs_la_fix_sign. HS_BAD_DATA when a holds a value that is not finite, HS_SYSTEM when memory is short. */
int hs_la_eigh(double *a, size_t n, size_t k, double *value, double *vector, struct hs_err *err);

/* Scratch hs_la_eigh takes, in bytes. */
size_t hs_la_eigh_bytes(size_t n, size_t k);

/* Makes the rows of v (k x n, k <= n) orthonormal, from the first on: each keeps the direction it adds to those before it.
 * A row that adds none (its rest is below 1e-10 of the row, or it is zero) becomes a direction of the remaining space,
 * chosen from the coordinate axes in order. */
void hs_la_orthonormalise(double *v, size_t k, size_t n);

/* Largest |<v_i, v_j> - delta_ij| over the rows of v (k x n); HS_SYSTEM when memory is short. */
int hs_la_orthonormality(const double *v, size_t k, size_t n, double *worst, struct hs_err *err);

/* The sign convention of every component spectrum: the element of largest magnitude is positive, the first of them when
 * there are several. Returns +1 or -1, the factor that achieves it; v is only read. */
double hs_la_sign(const double *v, size_t n);

#endif
