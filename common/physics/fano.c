#include <math.h>
#include <string.h>

#include "math/lm.h"
#include "physics/guess.h"

/* a (q + e)^2 / (1 + e^2), e = 2 (x - c) / w */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double level = p[0], centre = p[1], per = 2 / p[2], q = p[3];
	if (!(p[2] > 0))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		const double e = (g->x[i] - centre) * per, lorentz = 1 / (1 + e * e), shape = (q + e) * (q + e) * lorentz;
		y[i] = level * shape;
		if (!dy)
			continue;
		const double by_e = 2 * level * (q + e) * (1 - q * e) * lorentz * lorentz;
		dy[i] = shape;
		dy[g->n + i] = -by_e * per;
		dy[2 * g->n + i] = -by_e * e / p[2];
		dy[3 * g->n + i] = 2 * level * (q + e) * lorentz;
	}
	return true;
}

enum { N_COEFFICIENTS = 5, PASSES = 4 };

/* Weighted least squares of y D = A t^2 + B t + C, D = t^2 + b t + d, for the first k of A B C b d: with k = 3 the denominator is
 * c's. What multiplying by D has weighted is undone with the D of before. t runs over -1 .. 1 of the axis. */
static bool solve_fraction(const struct hs_grid *g, const double *y, const double *weight, size_t k, double *c)
{
	const double middle = 0.5 * (g->x[0] + g->x[g->n - 1]), half = 0.5 * fabs(g->x[g->n - 1] - g->x[0]);
	double h[N_COEFFICIENTS * N_COEFFICIENTS] = { 0 }, r[N_COEFFICIENTS] = { 0 };
	for (size_t i = 0; i < g->n; i++) {
		if (weight && !(weight[i] > 0))
			continue;
		const double t = (g->x[i] - middle) / half, under = (t + c[3]) * t + c[4], w = 1 / (under * under),
			     row[N_COEFFICIENTS] = { t * t, t, 1, -y[i] * t, -y[i] }, wanted = k == 3 ? y[i] * under : y[i] * t * t;
		for (size_t j = 0; j < k; j++) {
			r[j] += w * row[j] * wanted;
			for (size_t e = 0; e <= j; e++)
				h[j * k + e] += w * row[j] * row[e];
		}
	}
	if (!hs_lm_solve(h, k, r) || (k > 3 && !(r[4] - r[3] * r[3] / 4 > 1e-12)))
		return false;
	memcpy(c, r, k * sizeof *c);
	return true;
}

/* The profile is a fraction whose coefficients are found by linear least squares, again and again with the denominator of the
 * pass before (Sanathanan, Koerner, IEEE Trans. Autom. Control 8 (1963) 56); first with that of a plain peak. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	const double middle = 0.5 * (g->x[0] + g->x[g->n - 1]), half = 0.5 * fabs(g->x[g->n - 1] - g->x[0]);
	struct hs_peak_guess peak;
	if (!(half > 0) || !hs_guess_peak(g, y, weight, &peak))
		return false;
	const double t = (peak.centre - middle) / half, wide = fmin(0.5 * peak.width / half, 0.5);
	double c[N_COEFFICIENTS] = { 0, 0, 0, -2 * t, t * t + wide * wide };
	int pass = 0;
	while (pass < PASSES && solve_fraction(g, y, weight, N_COEFFICIENTS, c))
		pass++;
	if (!pass && !solve_fraction(g, y, weight, 3, c))
		return false;
	const double centre = -0.5 * c[3], gamma = sqrt(c[4] - centre * centre), at_centre = (c[0] * centre + c[1]) * centre + c[2],
		     high = at_centre / (gamma * gamma), mixed = (2 * c[0] * centre + c[1]) / gamma;      /* a q^2 and 2 a q */
	p[1] = middle + half * centre;
	p[2] = 2 * half * gamma;
	p[3] = fabs(high) > fabs(c[0]) ? 2 * high / mixed : 0.5 * mixed / c[0];
	p[0] = fabs(high) > fabs(c[0]) ? high / (p[3] * p[3]) : c[0];
	return isfinite(p[0]) && isfinite(p[3]);
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	(void)g;
	d[0] = q[0] * (1 + q[3] * q[3]);
	dd[0] = 1 + q[3] * q[3];
	dd[1] = dd[2] = 0;
	dd[3] = 2 * q[0] * q[3];
}

static const struct hs_param_spec param[] = {
	{ .name = "level", .what = "value far from the resonance", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "centre", .what = "energy of the resonance", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "width", .what = "full width of the resonance", .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN },
	{ .name = "q", .what = "asymmetry: the dip lies q half widths below the resonance", .low = -INFINITY, .high = INFINITY,
		.usual = NAN },
};

static const struct hs_derived_spec derived[] = { { .name = "top", .what = "the largest value, level (1 + q^2)",
	.unit_of = HS_OF_Y } };

const struct hs_model hs_model_fano = { .name = "fano", .what = "Fano resonance of a level with a continuum",
	.formula = "level (q + e)^2 / (1 + e^2), e = 2 (x - centre) / width", .source = "Fano, Phys. Rev. 124 (1961) 1866, eq. 21",
	.n_params = 4, .param = param, .eval = eval, .guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
