#include <math.h>

#include "math/lm.h"
#include "physics/guess.h"

/* h (1 + t / tau)^-m, t the distance from the first point */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], tau = p[1], m = p[2];
	const size_t n = g->n;
	if (!(tau > 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double t = fabs(g->x[i] - g->x[0]), u = log1p(t / tau), fall = exp(-m * u);
		y[i] = height * fall;
		if (!dy)
			continue;
		dy[i] = fall;
		dy[n + i] = y[i] * m * (t / tau) / (tau + t);
		dy[2 * n + i] = -y[i] * u;
	}
	return true;
}

/* (tau + t) y' = -m y, integrated: t y = tau h - tau y - (m - 1) S, S the integral of y so far; linear in all three. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	double h[9] = { 0 }, c[3] = { 0 }, sum = 0, last_t = 0, last_y = NAN, first = NAN, far = 0;
	bool equal = true;
	for (size_t i = 0; i < g->n; i++)
		far = fmax(far, fabs(g->x[i] - g->x[0]));
	for (size_t i = 0; i < g->n && far > 0; i++) {
		const double t = fabs(g->x[i] - g->x[0]) / far;
		if ((weight && !(weight[i] > 0)) || !isfinite(y[i]))
			continue;
		first = isnan(last_y) ? y[i] : first;
		equal &= y[i] == first;
		sum += isnan(last_y) ? t * y[i] : 0.5 * (t - last_t) * (y[i] + last_y);
		last_t = t;
		last_y = y[i];
		const double v = y[i] / first, row[3] = { 1, -v, -sum / first };
		for (size_t j = 0; j < 3; j++) {
			c[j] += row[j] * t * v;
			for (size_t k = 0; k <= j; k++)
				h[3 * j + k] += row[j] * row[k];
		}
	}
	if (isnan(first) || equal)
		return false;
	const bool told = hs_lm_solve(h, 3, c) && c[1] > 1e-6 && c[1] < 1e3 && c[0] > 0;
	p[0] = told ? first * c[0] / c[1] : first;
	p[1] = far * (told ? c[1] : 0.1);
	p[2] = told ? 1 + c[2] : 1;
	return isfinite(p[0]) && isfinite(p[2]) && p[0] != 0;
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the first point of the axis", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY,
		.usual = NAN, .linear = true },
	{ .name = "time", .what = "after which the power law shows", .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN },
	{ .name = "exponent", .what = "of the decay at long times", .low = -INFINITY, .high = INFINITY, .usual = NAN },
};

const struct hs_model hs_model_power_relaxation = { .name = "power_relaxation", .what = "relaxation by a power law of time",
	.formula = "height (1 + (x - x0) / time)^-exponent, x0 the first point of the axis",
	.source = "Jonscher, Nature 267 (1977) 673: the Curie-von Schweidler law, finite at the start", .n_params = 3, .param = param,
	.eval = eval, .guess = guess };
