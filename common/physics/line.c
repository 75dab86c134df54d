#include <math.h>

#include "physics/guess.h"

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	for (size_t i = 0; i < g->n; i++) {
		y[i] = p[0] + p[1] * g->x[i];
		if (!dy)
			continue;
		dy[i] = 1;
		dy[g->n + i] = g->x[i];
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	if (!hs_guess_line(g, y, weight, &p[0], &p[1]))
		return false;
	if (!isfinite(p[1])) {                /* a sweep that ends where it began: least squares say the rest */
		p[0] = y[0];
		p[1] = 0;
	}
	return true;
}

static const struct hs_param_spec param[] = {
	{ .name = "offset", .what = "value at x = 0", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "slope", .what = "rise per unit of the axis", .unit_of = HS_OF_SLOPE, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
};

const struct hs_model hs_model_line = { .name = "line", .what = "a straight line", .formula = "offset + slope x",
	.source = "definition",
	.sweep = HS_ANY_WAY, .background = true, .n_params = 2, .param = param, .eval = eval, .guess = guess };
