#include <math.h>

#include "physics/guess.h"

/* h / (1 + u^2), u = 2 (x - c) / w */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], centre = p[1], per = 2 / p[2];
	if (!(p[2] > 0))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		const double u = (g->x[i] - centre) * per, shape = 1 / (1 + u * u);
		y[i] = height * shape;
		if (!dy)
			continue;
		const double steep = y[i] * shape * u * per;
		dy[i] = shape;
		dy[g->n + i] = 2 * steep;
		dy[2 * g->n + i] = steep * u;
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_peak_guess peak;
	if (!hs_guess_peak(g, y, weight, &peak))
		return false;
	p[0] = peak.height;
	p[1] = peak.centre;
	p[2] = peak.width;
	return true;
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	(void)g;
	d[0] = M_PI_2 * q[0] * q[2];
	dd[0] = M_PI_2 * q[2];
	dd[1] = 0;
	dd[2] = M_PI_2 * q[0];
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the centre", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "centre", .what = "position", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "width", .what = "full width at half maximum", .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN },
};

static const struct hs_derived_spec derived[] = { { .name = "area", .what = "integral over the axis", .unit_of = HS_OF_AREA } };

const struct hs_model hs_model_lorentzian = { .name = "lorentzian", .what = "a Lorentzian peak",
	.formula = "height / (1 + (2 (x - centre) / width)^2)", .source = "definition", .n_params = 3, .param = param, .eval = eval,
	.guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
