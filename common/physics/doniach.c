#include <math.h>

#include "physics/guess.h"

/* With u = side (c - x) / half width, t = atan u and b = 1 - a: h cos(pi a / 2 + b t) (1 + u^2)^(-b / 2) / cos(pi a / 2), which
 * is
 * h at the centre; u < 0 is the side of the tail. */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], centre = p[1], per = 2 / p[2], a = p[3], side = p[4], b = 1 - a, at = M_PI_2 * a,
		     scale = height / cos(at);
	if (!(p[2] > 0 && a >= 0 && a < 1))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		const double d = (centre - g->x[i]) * per, u = side * d, t = atan(u), size = log1p(u * u), fall = exp(-0.5 * b * size),
			     c = cos(at + b * t), s = sin(at + b * t);
		y[i] = scale * c * fall;
		if (!dy)
			continue;
		const double by_u = -scale * fall * b * (s + c * u) / (1 + u * u);
		dy[i] = c * fall / cos(at);
		dy[g->n + i] = by_u * side * per;
		dy[2 * g->n + i] = -by_u * u / p[2];
		dy[3 * g->n + i] = scale * fall * (-s * (M_PI_2 - t) + c * (0.5 * size + M_PI_2 * tan(at)));
		dy[4 * g->n + i] = by_u * d;
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_peak_guess peak;
	const double side = isfinite(p[4]) ? p[4] : 1;
	if (!hs_guess_peak(g, y, weight, &peak))
		return false;
	const double tail = side > 0 ? peak.above : peak.below, other = side > 0 ? peak.below : peak.above;
	p[0] = peak.height;
	p[1] = peak.centre;
	p[2] = 2 * fmin(tail, other);
	p[3] = fmin(fmax(0.3 * (tail / other - 1), 0.02), 0.4);
	p[4] = side;
	return true;
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the centre, a little below the largest", .unit_of = HS_OF_Y, .low = -INFINITY,
		.high = INFINITY, .usual = NAN, .linear = true },
	{ .name = "centre", .what = "energy of the level", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "width", .what = "full width of the level by its lifetime", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "asymmetry", .what = "singularity index", .low = 0, .high = 0.9, .usual = NAN },
	{ .name = "side", .what = "1: the tail goes to larger x (binding energy), -1: to smaller x (kinetic energy)", .low = -1,
		.high = 1,
		.usual = 1, .setting = true },
};

const struct hs_model hs_model_doniach = { .name = "doniach", .what = "Doniach-Sunjic line of a core level in a metal",
	.formula = "height cos(pi a / 2 + (1 - a) atan u) / (cos(pi a / 2) (1 + u^2)^((1 - a) / 2)), u = 2 side (centre - x) / width, "
		   "a = asymmetry",
	.source = "Doniach, Sunjic, J. Phys. C 3 (1970) 285, eq. 22", .n_params = 5, .param = param, .eval = eval, .guess = guess };
