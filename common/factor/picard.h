/* picard - the orthogonal matrix of best contrast, by preconditioned quasi-Newton steps on the group of rotations.
 *
 * P. Ablin, J.-F. Cardoso, A. Gramfort, "Faster ICA under orthogonal constraint", ICASSP 2018 (Picard-O). Minimises
 * sum_i s_i E f(y_i) over y = w z. Adaptive: s_i = sign(E psi'(y_i) - E psi(y_i) y_i), so that both heavy and light tails are
 * found; these are the fixed points of symmetric FastICA (Hyvarinen 1999), reached in fewer passes and without cycles. Not
 * adaptive: s_i = -1, the contrast itself grows (QUARTIC: the orthomax criterion of white signals).
 *
 * The Hessian in the plane of signals i and j is s_i (E psi'(y_i) y_j^2 - E psi(y_i) y_i) + the same with i and j changed:
 * taken from the same pass as the gradient, its diagonal starts an L-BFGS recursion in the k (k - 1) / 2 angles. A stationary
 * point that is no minimum is left in the planes where that curvature is negative. */
#ifndef HS_FACTOR_PICARD_H
#define HS_FACTOR_PICARD_H

#include <stdbool.h>

#include "factor/contrast.h"
#include "factor/turn.h"

/* w (k x k) is where to begin (orthogonal) and where it ended. */
int hs_picard(const struct hs_contrast *c, bool adaptive, double *w, struct hs_turn *turn, struct hs_err *err);

/* Bytes beside the contrast. */
size_t hs_picard_bytes(size_t k);

#endif
