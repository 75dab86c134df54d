#include <math.h>

#include "math/lm.h"
#include "physics/guess.h"

/* v + k (x - c)^2 */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	for (size_t i = 0; i < g->n; i++) {
		const double d = g->x[i] - p[1];
		y[i] = p[0] + p[2] * d * d;
		if (!dy)
			continue;
		dy[i] = 1;
		dy[g->n + i] = -2 * p[2] * d;
		dy[2 * g->n + i] = d * d;
	}
	return true;
}

/* The polynomial by least squares, t over -1 .. 1. A straight line has no vertex. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	const double middle = 0.5 * (g->x[0] + g->x[g->n - 1]), half = 0.5 * fabs(g->x[g->n - 1] - g->x[0]);
	double h[9] = { 0 }, c[3] = { 0 }, most = 0;
	for (size_t i = 0; i < g->n; i++) {
		const double w = weight ? weight[i] : 1, t = (g->x[i] - middle) / half, row[3] = { 1, t, t * t };
		if (!(w > 0))
			continue;
		most = fmax(most, fabs(y[i]));
		for (size_t j = 0; j < 3; j++) {
			c[j] += w * row[j] * y[i];
			for (size_t k = 0; k <= j; k++)
				h[3 * j + k] += w * row[j] * row[k];
		}
	}
	if (!(half > 0) || !hs_lm_solve(h, 3, c) || !(fabs(c[2]) > 1e-13 * most))
		return false;
	p[0] = c[0] - 0.25 * c[1] * c[1] / c[2];
	p[1] = middle - 0.5 * half * c[1] / c[2];
	p[2] = c[2] / (half * half);
	return isfinite(p[0]) && isfinite(p[1]) && isfinite(p[2]);
}

static const struct hs_param_spec param[] = {
	{ .name = "vertex", .what = "value at the centre", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "centre", .what = "position of the vertex", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "curvature", .what = "coefficient of the square", .unit_of = HS_OF_CURVATURE, .low = -INFINITY, .high = INFINITY,
		.usual = NAN, .linear = true },
};

const struct hs_model hs_model_parabola = { .name = "parabola", .what = "a parabola by its vertex: frequency shift against bias",
	.formula = "vertex + curvature (x - centre)^2", .source = "definition", .background = true, .n_params = 3, .param = param,
	.eval = eval, .guess = guess };
