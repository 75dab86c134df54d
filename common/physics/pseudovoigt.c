#include <math.h>

#include "physics/guess.h"

/* h [(1 - f) exp(-ln 2 u^2) + f / (1 + u^2)], u = 2 (x - c) / w */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], centre = p[1], per = 2 / p[2], f = p[3];
	if (!(p[2] > 0))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		const double u = (g->x[i] - centre) * per, gauss = exp(-M_LN2 * u * u), lorentz = 1 / (1 + u * u),
			     shape = (1 - f) * gauss + f * lorentz;
		y[i] = height * shape;
		if (!dy)
			continue;
		const double steep = height * 2 * u * ((1 - f) * M_LN2 * gauss + f * lorentz * lorentz);       /* - dy / du */
		dy[i] = shape;
		dy[g->n + i] = steep * per;
		dy[2 * g->n + i] = steep * u / p[2];
		dy[3 * g->n + i] = height * (lorentz - gauss);
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
	p[3] = 0.5;
	return true;
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	(void)g;
	const double gauss = sqrt(M_PI / (4 * M_LN2)), lorentz = M_PI_2, shape = (1 - q[3]) * gauss + q[3] * lorentz;
	d[0] = shape * q[0] * q[2];
	dd[0] = shape * q[2];
	dd[1] = 0;
	dd[2] = shape * q[0];
	dd[3] = (lorentz - gauss) * q[0] * q[2];
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the centre", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "centre", .what = "position", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "width", .what = "full width at half maximum", .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN },
	{ .name = "fraction", .what = "share of the Lorentzian in the height", .low = 0, .high = 1, .usual = NAN },
};

static const struct hs_derived_spec derived[] = { { .name = "area", .what = "integral over the axis", .unit_of = HS_OF_AREA } };

const struct hs_model hs_model_pseudovoigt = { .name = "pseudovoigt", .what = "a Gaussian and a Lorentzian of one width, mixed",
	.formula = "height ((1 - fraction) exp(-4 ln 2 d^2) + fraction / (1 + 4 d^2)), d = (x - centre) / width",
	.source = "Wertheim, Butler, West, Buchanan, Rev. Sci. Instrum. 45 (1974) 1369", .n_params = 4, .param = param, .eval = eval,
	.guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
