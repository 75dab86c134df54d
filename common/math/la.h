/* la - the few dense problems of linear algebra that the other modules share, over LAPACK and BLAS.
 *
 * Matrices are row-major float64. One BLAS thread (par.h sees to it), so results do not depend on the number of threads.
 * Everything here is a pure function; scratch memory is taken and given back inside. */
#ifndef HS_MATH_LA_H
#define HS_MATH_LA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Symmetric eigenproblem of a (n x n, upper triangle read, whole matrix destroyed). value, when not NULL, receives all n
 * eigenvalues, descending. vector receives the unit eigenvectors of the k largest, one a row (k x n); may be NULL for k = 0.
 * One tridiagonal reduction serves both (dsytrd; dsterf for values, dstemr and dormtr for vectors: Dhillon and Parlett,
 * Linear Algebra Appl. 387, 2004). Rows are orthonormal to 1e-13 also inside clusters of equal eigenvalues. Signs are those
 * of LAPACK: see hs_la_sign. HS_BAD_DATA when a holds a value that is not finite, HS_SYSTEM when memory is short. */
int hs_la_eigh(double *a, size_t n, size_t k, double *value, double *vector, struct hs_err *err);

/* Scratch hs_la_eigh takes, in bytes. */
size_t hs_la_eigh_bytes(size_t n, size_t k);

/* Thin singular value decomposition a = u diag(s) v of a (m x n, destroyed), r = min(m, n): u (m x r), s (r, descending),
 * v (r x n), each may not overlap a. By divide and conquer (dgesdd). HS_BAD_DATA when a holds a value that is not finite. */
int hs_la_svd(double *a, size_t m, size_t n, double *u, double *s, double *v, struct hs_err *err);

/* Thin QR decomposition of a (m x n, m >= n): a becomes q with orthonormal columns, r (n x n) is upper triangular, its diagonal
 * may have either sign. Householder (dgelqf). r alone when with_q is false: a is then destroyed. */
int hs_la_qr(double *a, size_t m, size_t n, bool with_q, double *r, struct hs_err *err);

/* Cholesky factor of a (n x n, lower triangle read and replaced by l, l l^T = a). False when a is not positive definite to
 * rounding: the lower triangle is then spoilt. Nothing is allocated. */
bool hs_la_cholesky(double *a, size_t n);

/* Solves (l l^T) x = b for each of the m rows of b (m x n), in place, l from hs_la_cholesky. */
void hs_la_cholesky_solve(const double *l, size_t n, double *b, size_t m);

/* Sum of the logarithms of the diagonal of l, twice: ln det of l l^T. */
double hs_la_cholesky_log_det(const double *l, size_t n);

/* Inverse of a (n x n) in place, by LU with pivots; *log_det, when not NULL, is ln |det a|. False when a is singular or not
 * finite: a is then spoilt. HS_SYSTEM does not occur: scratch that cannot be had ends the program (orders here are small). */
bool hs_la_invert(double *a, size_t n, double *log_det);

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
