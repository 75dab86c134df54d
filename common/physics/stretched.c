#include <math.h>

#include "physics/guess.h"

/* h exp(-(t / tau)^b), t the distance from the first point */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], tau = p[1], b = p[2];
	const size_t n = g->n;
	if (!(tau > 0 && b > 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double t = fabs(g->x[i] - g->x[0]), u = log(t / tau), s = t > 0 ? exp(b * u) : 0, fall = exp(-s);
		/* s ln(t / tau) is 0 at both ends: where t is 0, and where the decay is over */
		const double steep = t > 0 && fall > 0 ? height * fall * s : 0;
		y[i] = height * fall;
		if (!dy)
			continue;
		dy[i] = fall;
		dy[n + i] = steep * b / tau;
		dy[2 * n + i] = steep > 0 || steep < 0 ? -steep * u : 0;
	}
	return true;
}

/* ln(-ln(y / h)) is a line in ln t where the decay is between a tenth and nine tenths done, with h from the first points. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	double height = 0, s[5] = { 0 }, half = NAN, far = 0;
	for (size_t i = 0, seen = 0; i < g->n && seen < 3; i++) {
		if ((weight && !(weight[i] > 0)) || !isfinite(y[i]))
			continue;
		height = fabs(y[i]) > fabs(height) ? y[i] : height;
		seen++;
	}
	if (height == 0)
		return false;
	for (size_t i = 0; i < g->n; i++) {
		const double t = fabs(g->x[i] - g->x[0]), v = y[i] / height;
		if ((weight && !(weight[i] > 0)) || !isfinite(v) || !(t > 0))
			continue;
		far = fmax(far, t);
		half = isnan(half) && v < 0.37 ? t : half;
		if (!(v > 0.1 && v < 0.9))
			continue;
		const double u = log(t), z = log(-log(v)), w = v * v * log(v) * log(v),
			     term[5] = { w, w * u, w * u * u, w * z, w * u * z };
		for (int k = 0; k < 5; k++)
			s[k] += term[k];
	}
	const double det = s[0] * s[2] - s[1] * s[1], b = (s[0] * s[4] - s[1] * s[3]) / det;
	p[0] = height;
	p[2] = isfinite(b) ? fmin(fmax(b, 0.2), 3) : 0.7;
	p[1] = det > 0 && b > 0.2 && b < 3 ? exp(s[1] / s[0] - s[3] / s[0] / b) : isnan(half) ? far : half;
	return far > 0 && isfinite(p[1]) && p[1] > 0 && s[0] > 0;
}

/* Digamma function: recurrence up to 8, then the asymptotic series (Abramowitz, Stegun 6.3.5, 6.3.18). */
static double digamma(double x)
{
	double sum = 0;
	for (; x < 8; x++)
		sum -= 1 / x;
	const double q = 1 / (x * x);
	return sum + log(x) - 0.5 / x -
		q * (1 / 12.0 - q * (1 / 120.0 - q * (1 / 252.0 - q * (1 / 240.0 - q * (1 / 132.0 - q * (691 / 32760.0 - q / 12.0))))));
}

/* Mean time: the integral of the decay, tau / b Gamma(1 / b). */
static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	(void)g;
	const double c = 1 / q[2];
	d[0] = q[1] * c * tgamma(c);
	dd[0] = 0;
	dd[1] = d[0] / q[1];
	dd[2] = -d[0] * c * (1 + c * digamma(c));
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the first point of the axis", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY,
		.usual = NAN, .linear = true },
	{ .name = "time", .what = "when it has fallen to 1/e", .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN },
	{ .name = "exponent", .what = "1: exponential; less: a spread of times", .low = 0.05, .high = 5, .usual = NAN },
};

static const struct hs_derived_spec derived[] = { { .name = "mean_time", .what = "integral of the decay over its height",
	.unit_of = HS_OF_X } };

const struct hs_model hs_model_stretched = { .name = "stretched", .what = "stretched exponential relaxation",
	.formula = "height exp(-((x - x0) / time)^exponent), x0 the first point of the axis",
	.source = "Kohlrausch, Ann. Phys. 167 (1854) 56; Williams, Watts, Trans. Faraday Soc. 66 (1970) 80", .n_params = 3,
	.param = param, .eval = eval, .guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
