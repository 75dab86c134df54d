/* loops - fits of band excitation along a sweep of the bias, seen as hysteresis loops.
 *
 * Where the innermost pixel dimension is a sweep that turns (bias, with bias_values beside it), the responses a model found
 * - amplitude cos phase and amplitude sin phase, as "in_phase" and "quadrature" - are turned, sweep by sweep, onto their principal
 * axis (physics/project.h) and written as one more result, (pixels..., bias): loops that the model "loop" fits. The drive's phase,
 * which differs from set-up to set-up, need not be known for it. */
#ifndef HS_CLI_LOOPS_H
#define HS_CLI_LOOPS_H

#include "cli/pixels.h"
#include "physics/fit.h"

/* Writes nothing, and succeeds, where there is no such sweep or no such result. */
int hs_loops_put(struct hs_out *out, const struct hs_pixels *px, const char *name, const struct hs_compound *c,
	const struct hs_fit *fit, struct hs_err *err);

#endif
