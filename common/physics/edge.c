#include <math.h>

#include "physics/guess.h"

/* j S((x - e) / s) (x / e)^-r, S the integral of a Gaussian whose full width is w; 0 where x is not positive */
#define PER_WIDTH 1.6651092223153955          /* 2 sqrt(ln 2): 1 / (sqrt(2) s) = this / w */
#define STEEPEST 600.0

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double jump = p[0], onset = p[1], per = PER_WIDTH / p[2];
	const size_t n = g->n;
	if (!(p[2] > 0 && onset > 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		const bool defined = g->x[i] > 0;
		const double d = g->x[i] - onset, u = d * per, step = 0.5 * erfc(-u), far = defined ? log(g->x[i] / onset) : 0,
			     fall = defined ? exp(fmin(fmax(-p[3] * far, -STEEPEST), STEEPEST)) : 0;
		y[i] = jump * step * fall;
		if (!dy)
			continue;
		const double rise = jump * fall * exp(-u * u) * 0.5 * M_2_SQRTPI;      /* dy / du by the step */
		dy[i] = step * fall;
		dy[n + i] = -rise * per + y[i] * p[3] / onset;
		dy[2 * n + i] = -rise * u / p[2];
		dy[3 * n + i] = -far * y[i];
	}
	return true;
}

static double mean(const double *y, const double *weight, size_t from, size_t n)
{
	double sum = 0, count = 0;
	for (size_t i = from; i < from + n; i++)
		if ((!weight || weight[i] > 0) && isfinite(y[i])) {
			sum += y[i];
			count++;
		}
	return sum / count;
}

/* The place where the means of the points behind and before it differ most, along the axis. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	const size_t n = g->n, m = n / 24 < 2 ? 2 : n / 24;
	const bool ascending = g->x[0] < g->x[n - 1];
	double best = 0, last = NAN, last_x = NAN;
	size_t at = 0;
	for (size_t i = m; i + m <= n; i++) {
		const double rise = fabs(mean(y, weight, i, m) - mean(y, weight, i - m, m));
		if (rise > best) {
			best = rise;
			at = i;
		}
	}
	if (!(best > 0))
		return false;
	const size_t behind = ascending ? at : at - m;
	p[0] = mean(y, weight, behind, m);
	p[1] = 0.5 * (g->x[at] + g->x[at - 1]);
	p[2] = (double)m * fabs(g->x[n - 1] - g->x[0]) / (double)(n - 1);
	for (size_t i = m; i-- > 0;) {        /* the end of the axis at large x */
		const size_t e = ascending ? n - 1 - i : i;
		if (weight && !(weight[e] > 0))
			continue;
		last = mean(y, weight, ascending ? n - m : 0, m);
		last_x = g->x[e];
	}
	const double x0 = g->x[behind + m / 2], r = -log(last / p[0]) / log(last_x / x0);
	p[3] = r > 0 && r < 10 ? r : 3;
	return p[1] > 0;
}

static const struct hs_param_spec param[] = {
	{ .name = "jump", .what = "height of the step, before it decays", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY,
		.usual = NAN, .linear = true },
	{ .name = "onset", .what = "where the step has reached half its height", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "width", .what = "full width at half maximum of the Gaussian that rounds the step", .unit_of = HS_OF_X, .low = 0,
		.high = INFINITY, .usual = NAN },
	{ .name = "exponent", .what = "of the decay behind the step", .low = -INFINITY, .high = INFINITY, .usual = NAN },
};

const struct hs_model hs_model_edge = { .name = "edge",
	.what = "core-loss edge: a rounded step that decays; add a lorentzian for a white line",
	.formula = "jump erfc(-2 sqrt(ln 2) (x - onset) / width) / 2 (x / onset)^-exponent",
	.source = "Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed. (2011), ch. 3.6",
	.n_params = 4, .param = param, .eval = eval, .guess = guess };
