/* fastica - the fixed-point iteration w_i <- E z psi(w_i z) - E psi'(w_i z) w_i.
 *
 * A. Hyvarinen, "Fast and robust fixed-point algorithms for independent component analysis", IEEE Trans. Neural Netw. 10 (1999)
 * 626. Symmetric: all rows at once, then w <- (w w^T)^(-1/2) w. Deflation: one row after the other, each orthogonal to those
 * before it; errors of the first go into the later ones. Signals near to Gaussian can make the symmetric iteration jump to and
 * fro for ever: it then goes a part of the way. */
#ifndef HS_FACTOR_FASTICA_H
#define HS_FACTOR_FASTICA_H

#include "factor/contrast.h"
#include "factor/turn.h"

/* w (k x k) is where to begin (orthogonal) and where it ended. max_iter of the deflation is for each row. */
int hs_fastica_symmetric(const struct hs_contrast *c, double *w, struct hs_turn *turn, struct hs_err *err);
int hs_fastica_deflation(const struct hs_contrast *c, double *w, struct hs_turn *turn, struct hs_err *err);

/* Bytes beside the contrast. */
size_t hs_fastica_bytes(size_t k);

#endif
