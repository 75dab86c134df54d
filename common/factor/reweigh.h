/* reweigh - a row source whose rows are those of another, framed and multiplied by the square root of a weight.
 *
 * With it every decomposition becomes a weighted one: sum w y y^T is the plain sum over rows sqrt(w) y. Without Poisson scaling
 * the rows delivered are sqrt(w) y, y as the frame has it (already centred: decompose them with centre NONE). With it they are
 * w x, raw counts, because the scaling that follows takes the square root itself: its row sums become w g and its channel sums
 * sum w x. Rows of weight 0 (and masked ones) are skipped.
 *
 * The source below, the frame and the weights are borrowed. float64. Holds one wave of blocks. */
#ifndef HS_FACTOR_REWEIGH_H
#define HS_FACTOR_REWEIGH_H

#include "math/moments.h"

struct hs_rowsource *hs_reweigh_new(struct hs_rowsource *rows, const struct hs_row_frame *frame, const double *weight,
	struct hs_err *err);
void hs_reweigh_free(struct hs_rowsource *rows);
size_t hs_reweigh_bytes(size_t n_chan, int threads);

/* Weighted mean of y in the frame's coordinates before the shift, over rows of positive weight; *sum is that of the weights. */
int hs_reweigh_mean(struct hs_rowsource *rows, const struct hs_row_frame *frame, const double *weight, double *mean, double *sum,
	struct hs_err *err);

#endif
