/* axes - what the dimensions of a bare array are: said by the user, or by custom.
 *
 * Arrays without calibration (.npy, .rpl, a plain HDF5 dataset) come with --axes "y,x,energy", one name a dimension in the
 * file's own order, or "y=0:0.5:nm,x=0:0.5:nm,energy=-1.2:0.01:V" with the value of the first index, the step and the
 * unit. Kinds follow from name and unit (hs_axis_kind_guess; kx, ky, qx, qy are reciprocal). */
#ifndef HS_FORMATS_AXES_H
#define HS_FORMATS_AXES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "data/signal.h"

/* Fills axis[0 .. rank-1], owned by the caller then, for an array of n[0] x n[1] ... (each at least 1), and *sig_rank: 2 for
 * images (the last two are both spatial or both reciprocal, and no axis is spectral), else 1; 0 when rank is 0.
 * text NULL gives the customary names (channel | y,x | y,x,channel | y,x,ky,kx | dim_1 ...) with indices as values.
 * HS_USAGE when the text is wrong or has not exactly rank names; nothing is owned then. */
int hs_axes_from_text(const char *text, size_t rank, const size_t *n, struct hs_axis *axis, size_t *sig_rank, struct hs_err *err);

/* Puts the channels of a pixel last: when sig_rank is 1 and the innermost spectral axis is not the last one, it moves there
 * and the others keep their order ("energy,y,x" becomes y, x, energy). order is what hs_values_permute wants: new dimension
 * i was dimension order[i]. True when anything moved. */
bool hs_axes_put_last(size_t rank, struct hs_axis *axis, size_t sig_rank, size_t *order);

#endif
