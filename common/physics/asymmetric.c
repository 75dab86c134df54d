#include <math.h>

#include "physics/guess.h"

/* h [(1 - f) exp(-ln 2 u^2) + f / (1 + u^2)], u = (x - c) / half width of that side */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], centre = p[1], f = p[4];
	const size_t n = g->n;
	if (!(p[2] > 0 && p[3] > 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		const bool right = g->x[i] > centre;
		const double half = right ? p[3] : p[2], u = (g->x[i] - centre) / half, gauss = exp(-M_LN2 * u * u), lorentz = 1 / (1 + u * u),
			     shape = (1 - f) * gauss + f * lorentz;
		y[i] = height * shape;
		if (!dy)
			continue;
		const double steep = height * 2 * u * ((1 - f) * M_LN2 * gauss + f * lorentz * lorentz) / half;
		dy[i] = shape;
		dy[n + i] = steep;
		dy[2 * n + i] = right ? 0 : steep * u;
		dy[3 * n + i] = right ? steep * u : 0;
		dy[4 * n + i] = height * (lorentz - gauss);
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_peak_guess peak;
	if (!hs_guess_peak(g, y, weight, &peak))
		return false;
	p[0] = peak.height;
	p[1] = peak.top;
	p[2] = peak.below;
	p[3] = peak.above;
	p[4] = isfinite(p[4]) ? p[4] : 0;
	return true;
}

/* Full width, area, and what the right side has more than the left one, over both. */
static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	(void)g;
	const double gauss = sqrt(M_PI / (4 * M_LN2)), lorentz = M_PI_2, shape = (1 - q[4]) * gauss + q[4] * lorentz,
		width = q[2] + q[3];
	for (int i = 0; i < 15; i++)
		dd[i] = 0;
	d[0] = width;
	dd[2] = dd[3] = 1;
	d[1] = shape * q[0] * width;
	dd[5] = shape * width;
	dd[7] = dd[8] = shape * q[0];
	dd[9] = (lorentz - gauss) * q[0] * width;
	d[2] = (q[3] - q[2]) / width;
	dd[12] = -2 * q[3] / (width * width);
	dd[13] = 2 * q[2] / (width * width);
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the centre", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "centre", .what = "position of the top", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "left", .what = "half width at half maximum towards smaller x", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "right", .what = "half width at half maximum towards larger x", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "fraction", .what = "share of the Lorentzian in the height: 0 is a Gaussian", .low = 0, .high = 1, .usual = 0,
		.setting = true },
};

static const struct hs_derived_spec derived[] = { { .name = "width", .what = "full width at half maximum", .unit_of = HS_OF_X },
	{ .name = "area", .what = "integral over the axis", .unit_of = HS_OF_AREA },
	{ .name = "skew", .what = "(right - left) / (right + left)" } };

const struct hs_model hs_model_asymmetric = { .name = "asymmetric",
	.what = "a peak with two half widths, Gaussian unless fraction is freed",
	.formula = "height ((1 - fraction) exp(-ln 2 u^2) + fraction / (1 + u^2)), u = (x - centre) / (left or right)",
	.source = "definition", .n_params = 5, .param = param, .eval = eval, .guess = guess, .n_derived = 3, .derived = derived,
	.derive = derive };
