#include <math.h>

#include "physics/guess.h"

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	for (size_t i = 0; i < g->n; i++) {
		y[i] = p[0];
		if (dy)
			dy[i] = 1;
	}
	return true;
}

/* The lower of the two ends: a peak may stand on one of them. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	double offset, slope;
	if (!hs_guess_line(g, y, weight, &offset, &slope))
		return false;
	p[0] = fmin(offset + slope * g->x[0], offset + slope * g->x[g->n - 1]);
	return true;
}

static const struct hs_param_spec param[] = { { .name = "offset", .what = "the value everywhere", .unit_of = HS_OF_Y,
	.low = -INFINITY,
	.high = INFINITY, .usual = NAN, .linear = true } };

const struct hs_model hs_model_constant = { .name = "constant", .what = "the same value everywhere", .formula = "offset",
	.source = "definition", .sweep = HS_ANY_WAY, .background = true, .n_params = 1, .param = param, .eval = eval, .guess = guess };
