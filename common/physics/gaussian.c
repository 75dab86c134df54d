#include <math.h>

#include "physics/guess.h"

/* h exp(-4 ln 2 ((x - c) / w)^2) */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], centre = p[1], width = p[2], k = 4 * M_LN2 / (width * width);
	if (!(width > 0))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		const double d = g->x[i] - centre, e = exp(-k * d * d);
		y[i] = height * e;
		if (!dy)
			continue;
		dy[i] = e;
		dy[g->n + i] = 2 * k * d * y[i];
		dy[2 * g->n + i] = 2 * k * d * d / width * y[i];
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
	const double shape = sqrt(M_PI / (4 * M_LN2));
	d[0] = shape * q[0] * q[2];
	dd[0] = shape * q[2];
	dd[1] = 0;
	dd[2] = shape * q[0];
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the centre", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "centre", .what = "position", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "width", .what = "full width at half maximum", .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN },
};

static const struct hs_derived_spec derived[] = { { .name = "area", .what = "integral over the axis", .unit_of = HS_OF_AREA } };

const struct hs_model hs_model_gaussian = { .name = "gaussian", .what = "a Gaussian peak",
	.formula = "height exp(-4 ln 2 ((x - centre) / width)^2)", .source = "definition", .n_params = 3, .param = param, .eval = eval,
	.guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
