/* match - which result of one run is which of another: assignment, agreement of partitions, angles between spectra.
 *
 * Plain arrays, no state, float64. Angles are in radians. Nothing here is parallel. */
#ifndef HS_MATH_MATCH_H
#define HS_MATH_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The assignment of rows to columns with the least sum of cost (n_rows x n_cols, row after row, finite): row_to[i] is the
 * column of row i. When there are more rows than columns, the rows left over get -1. *total may be NULL. By shortest
 * augmenting paths, O(min^2 max) (Jonker, Volgenant, Computing 38 (1987) 325); equal costs: lowest column first.
 * Errors: HS_BAD_DATA for a cost that is not finite, HS_SYSTEM. */
int hs_assign(const double *cost, size_t n_rows, size_t n_cols, ptrdiff_t *row_to, double *total, struct hs_err *err);

/* Adjusted Rand index of two labellings of n things (Hubert, Arabie, J. Classification 2 (1985) 193): 1 for equal partitions,
 * 0 expected by chance. Things with a negative label in either are left out; 1 when nothing or no pair is left. */
int hs_adjusted_rand(const int32_t *a, const int32_t *b, size_t n, double *ari, struct hs_err *err);

/* The relabelling of b that agrees with a most often: map[label of b] is a label of a, or -1; n_map > every label of b.
 * *agreement is the share of things that then agree, of those with two labels (1 when there are none). */
int hs_match_labels(
	const int32_t *a, const int32_t *b, size_t n, int32_t *map, size_t n_map, double *agreement, struct hs_err *err);

/* Angle between two vectors, 0 .. pi, accurate also where the cosine is not (near 0 and pi). A zero or non-finite vector is
 * at NAN. */
double hs_spectral_angle(const double *a, const double *b, size_t n);

/* Pairs the rows of a (k1 x p) with rows of b (k2 x p) so that the sum of angles is least: a_to[i] is the row of b or -1,
 * angle[i] the angle (NAN without partner). sign_blind: a vector and its negative are the same (components), angles end at
 * pi/2. A zero vector counts as being at the largest angle from everything. */
int hs_match_spectra(const double *a, size_t k1, const double *b, size_t k2, size_t p, bool sign_blind, ptrdiff_t *a_to,
	double *angle, struct hs_err *err);

/* Largest principal angle between the spaces spanned by the rows of a (k1 x p) and of b (k2 x p), 0 .. pi/2; when their
 * dimensions differ, the angle between the smaller and the larger: 0 when one is inside the other. Rows need not be orthogonal;
 * dependent ones count once. From sine and cosine, so accurate everywhere (Bjorck, Golub, Math. Comp. 27 (1973) 579). A space of
 * dimension 0 is at NAN. */
int hs_subspace_angle(const double *a, size_t k1, const double *b, size_t k2, size_t p, double *angle, struct hs_err *err);

#endif
