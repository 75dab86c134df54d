#include <math.h>

#include "physics/guess.h"

#define STEEPEST 600.0                /* exponents beyond this are cut: values stay finite where a point does not count */

/* Where height is meant: the first point; the last when the axis begins at or below zero. */
static double reference(const struct hs_grid *g)
{
	return g->x[0] > 0 ? g->x[0] : g->x[g->n - 1];
}

/* a (x / x0)^-r; 0 where x is not positive */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double from = reference(g);
	if (!(from > 0))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		const bool defined = g->x[i] > 0;
		const double u = defined ? log(g->x[i] / from) : 0, fall = defined ? exp(fmin(fmax(-p[1] * u, -STEEPEST), STEEPEST)) : 0;
		y[i] = p[0] * fall;
		if (!dy)
			continue;
		dy[i] = fall;
		dy[g->n + i] = -u * y[i];
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	const double from = reference(g);
	return from > 0 && hs_guess_decay(g, y, weight, true, from, &p[0], &p[1]);
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the first point of the axis (the last where it begins at or below 0)", .unit_of = HS_OF_Y,
		.low = -INFINITY, .high = INFINITY, .usual = NAN, .linear = true },
	{ .name = "exponent", .what = "of the decay", .low = -INFINITY, .high = INFINITY, .usual = NAN },
};

const struct hs_model hs_model_powerlaw = { .name = "powerlaw", .what = "power law, the background of energy-loss edges",
	.formula = "height (x / x0)^-exponent, x0 the first point of the axis",
	.source = "Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed. (2011), eq. 4.31", .background = true,
	.n_params = 2, .param = param, .eval = eval, .guess = guess };
