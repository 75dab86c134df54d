/* rsvd - leading components of very large problems from a few random combinations of the channels.
 *
 * l = k + 10 random directions (rows of a l x n_chan matrix v) are sent through y^T y, pass after pass, made orthonormal in
 * between: subspace iteration, the randomized range finder of N. Halko, P. G. Martinsson and J. A. Tropp (SIAM Rev. 53, 2011,
 * 217, algorithms 4.4 and 5.5). The last pass gives z = v y^T y and with it the best approximation of rank l in the range of
 * y v^T (their section 5.5, after Nystroem), so `power` + 1 passes do what power iterations with a separate projection do in
 * 2 power + 2: the error in Frobenius norm is within (1 + k / 9)^(1 / (4 power + 2)) of the optimum in expectation.
 *
 * Eigenvalues are resolved down to 1e-15 of the first, like those of the products. A pass costs 4 n n_chan l flops. */
#ifndef HS_FACTOR_RSVD_H
#define HS_FACTOR_RSVD_H

#include "math/frame.h"

enum { HS_RSVD_SPARE = 10, HS_RSVD_POWER = 2 };

/* The k largest eigenvalues of sum y y^T / divisor (k of survey->total) and their unit vectors (k x n_chan). k at most
 * min(n_used, n_chan). survey is that of rows. Random numbers depend on seed alone. */
int hs_rsvd(struct hs_rowsource *rows, const struct hs_survey *survey, size_t k, size_t power, uint64_t seed, double *eigenvalue,
	double *vector, struct hs_err *err);
size_t hs_rsvd_bytes(size_t n_rows, size_t n_chan, size_t k, int threads);

/* The l x n_chan test matrix: Gaussian, row i from (seed, HS_STREAM_PROJECTION, i). */
void hs_rsvd_directions(double *v, size_t l, size_t n_chan, uint64_t seed);

/* z += w^T y for a block after the other: w (n x l) belongs to block b of the wave. Channels are shared out to threads,
 * blocks are taken in order. */
void hs_rsvd_gather(double *z, size_t l, const struct hs_framed *block, size_t n_blocks, double *const *w, size_t n_chan);

#endif
