/* loops - fits of band excitation along a sweep of the bias, seen as hysteresis loops.
 *
 * Where the innermost pixel dimension is a sweep that turns (bias, with bias_values beside it), the responses that were found,
 * amplitude cos phase and amplitude sin phase, are turned sweep by sweep onto their principal axis (math/project.h) and
 * written as one more result (pixels..., bias): loops that the model "loop" fits. The drive's phase, which differs from
 * set-up to set-up, need not be known for it. */
#ifndef HS_CLI_LOOPS_H
#define HS_CLI_LOOPS_H

#include "cli/pixels.h"

/* Parts of the response of pixel i are re[i * stride] and im[i * stride], NAN where there is none; borrowed. Writes nothing, and
 * succeeds, where there is no such sweep. */
int hs_loops_put(struct hs_out *out, const struct hs_pixels *px, const char *name, const char *unit, const double *re,
	const double *im, size_t stride, struct hs_err *err);

#endif
