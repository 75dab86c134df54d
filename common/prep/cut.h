/* cut - a dimension of a signal made shorter: a stretch of it, or groups of neighbours; and what that means for pixels and
 * channels.
 *
 * The signal is changed in place: axis (the mean of a group), coordinates, mask (a group is masked when all of it is). */
#ifndef HS_PREP_CUT_H
#define HS_PREP_CUT_H

#include "base/err.h"
#include "data/signal.h"

struct hs_cut {
	size_t dim, first;
	size_t n;                     /* groups */
	size_t step;                  /* indices of a group; those behind the last whole group are left out */
};

/* For a navigation dimension: the new pixel of each old one, HS_NO_PIXEL for none. Caller frees; NULL with err when memory is
 * short. */
size_t *hs_cut_pixels(struct hs_signal *s, const struct hs_cut *cut, struct hs_err *err);

/* For a signal dimension: the old channels of each new one, step of them each; *n new ones. */
size_t *hs_cut_channels(struct hs_signal *s, const struct hs_cut *cut, size_t *n, struct hs_err *err);

#endif
