#include <math.h>

#include "physics/guess.h"

#define STEEPEST 600.0                /* exponents beyond this are cut: values stay finite where a point does not count */

/* a exp(-r (x - x0)), x0 the first point of the axis */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	for (size_t i = 0; i < g->n; i++) {
		const double d = g->x[i] - g->x[0], fall = exp(fmin(fmax(-p[1] * d, -STEEPEST), STEEPEST));
		y[i] = p[0] * fall;
		if (!dy)
			continue;
		dy[i] = fall;
		dy[g->n + i] = -d * y[i];
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	return hs_guess_decay(g, y, weight, false, g->x[0], &p[0], &p[1]);
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	(void)g;
	d[0] = 1 / q[1];
	dd[0] = 0;
	dd[1] = -1 / (q[1] * q[1]);
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the first point of the axis", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY,
		.usual = NAN, .linear = true },
	{ .name = "rate", .what = "decay per unit of the axis", .unit_of = HS_OF_PER_X, .low = -INFINITY, .high = INFINITY,
		.usual = NAN },
};

static const struct hs_derived_spec derived[] = { { .name = "length", .what = "distance of a decay to 1/e",
	.unit_of = HS_OF_X } };

const struct hs_model hs_model_exponential = { .name = "exponential", .what = "exponential decay or growth",
	.formula = "height exp(-rate (x - x0)), x0 the first point of the axis", .source = "definition", .background = true,
	.n_params = 2, .param = param, .eval = eval, .guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
