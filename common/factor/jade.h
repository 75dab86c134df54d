/* jade - joint approximate diagonalisation of fourth-order cumulant matrices.
 *
 * J.-F. Cardoso, A. Souloumiac, "Blind beamforming for non-Gaussian signals", IEE Proc. F 140 (1993) 362; the real case as in
 * J.-F. Cardoso, "High-order contrasts for independent component analysis", Neural Comput. 11 (1999) 157. One pass over the
 * samples for all fourth moments, then rotations plane by plane; nothing is random and there is no starting point.
 *
 * The moments are a matrix of order k (k + 1) / 2: memory and work grow with k^4. */
#ifndef HS_FACTOR_JADE_H
#define HS_FACTOR_JADE_H

#include "factor/turn.h"

enum { HS_JADE_MOST = 50 };

/* z: whitened samples (n x k), k <= HS_JADE_MOST. w (k x k): the result alone; an iteration is a sweep over all planes. HS_USAGE
 * for more signals. */
int hs_jade(const double *z, size_t n, size_t k, double *w, struct hs_turn *turn, struct hs_err *err);

/* Bytes held at the peak. */
size_t hs_jade_bytes(size_t n, size_t k, int threads);

#endif
