#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "physics/pairing.h"
#include "physics/thermal.h"

enum { SCALE, WEIGHT, GAP1, GAMMA1, GAP2, GAMMA2, CENTRE, SLOPE, TEMPERATURE, MODULATION, N_PARAMS };

static void density(const void *ctx, double complex z, double complex *f)
{
	const double *p = ctx, w = p[WEIGHT];
	const struct hs_pairing_value a = hs_pairing_s_wave(CMPLX(creal(z), cimag(z) - p[GAMMA1]), p[GAP1]),
				  b = hs_pairing_s_wave(CMPLX(creal(z), cimag(z) - p[GAMMA2]), p[GAP2]);
	f[0] = w * a.n + (1 - w) * b.n;
	f[1] = w * a.by_z + (1 - w) * b.by_z;
	f[2] = a.n - b.n;
	f[3] = w * a.by_gap;
	f[4] = w * CMPLX(cimag(a.by_z), -creal(a.by_z));
	f[5] = (1 - w) * b.by_gap;
	f[6] = (1 - w) * CMPLX(cimag(b.by_z), -creal(b.by_z));
}

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const size_t n = g->n, m = dy ? n : 0;        /* without dy nothing is written there */
	const double boltzmann = hs_pairing_boltzmann(g);
	const struct hs_broadening b = { boltzmann * p[TEMPERATURE], p[MODULATION] };
	const struct hs_density d = { density, p, dy ? 7 : 1 };
	double *const by = dy ? dy : y, *plane[] = { y, by + CENTRE * m, by + WEIGHT * m, by + GAP1 * m, by + GAMMA1 * m, by + GAP2 * m,
		by + GAMMA2 * m };
	if (!(p[GAP1] >= 0 && p[GAMMA1] >= 0 && p[GAP2] >= 0 && p[GAMMA2] >= 0) || (!(boltzmann > 0) && p[TEMPERATURE] > 0))
		return false;
	if (!hs_broaden(&b, g, p[CENTRE], &d, plane, by + TEMPERATURE * m, by + MODULATION * m))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double level = p[SCALE] + p[SLOPE] * g->x[i];
		for (size_t j = WEIGHT; dy && j < N_PARAMS; j++)
			if (j != SLOPE)
				dy[j * n + i] *= j == CENTRE ? -level : j == TEMPERATURE ? level * boltzmann : level;
		if (dy) {
			dy[SCALE * n + i] = y[i];
			dy[SLOPE * n + i] = g->x[i] * y[i];
		}
		y[i] *= level;
	}
	return true;
}

/* Squares of what the model leaves of y, at the best scale. */
static double misfit(const struct hs_grid *g, const double *y, const double *weight, double *p, double *model)
{
	double yy = 0, ym = 0, mm = 0;
	p[SCALE] = 1;
	if (!eval(g, p, model, NULL))
		return INFINITY;
	for (size_t i = 0; i < g->n; i++)
		if ((!weight || weight[i] > 0) && isfinite(y[i])) {
			const double w = weight ? weight[i] : 1;
			yy += w * y[i] * y[i];
			ym += w * y[i] * model[i];
			mm += w * model[i] * model[i];
		}
	p[SCALE] = ym / mm;
	return yy - ym * ym / mm;
}

/* The better of few pairs of gaps around the one that a single gap would have. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	static const double ratio[][2] = { { 0.9, 1.2 }, { 0.6, 1.1 }, { 0.4, 1 }, { 0.9, 1.8 }, { 0.7, 1.4 }, { 1, 2.5 }, { 1, 3.5 } },
		part[] = { 0.3, 0.7 };
	struct hs_pairing_guess found;
	struct hs_err err = { 0 };
	if (!hs_pairing_find(g, y, weight, &found))
		return false;
	double *model = hs_alloc(g->n, sizeof *model, &err), best = INFINITY, try[N_PARAMS];
	const double kt = hs_pairing_boltzmann(g) * p[TEMPERATURE];
	for (size_t j = SLOPE; j < N_PARAMS; j++)
		try[j] = p[j];
	try[CENTRE] = found.centre;
	for (size_t r = 0; model && r < HS_LEN(ratio) * HS_LEN(part); r++) {
		const double *of = ratio[r / HS_LEN(part)];
		try[WEIGHT] = part[r % HS_LEN(part)];
		try[GAP1] = of[0] * found.edge;
		try[GAP2] = of[1] * found.edge;
		try[GAMMA1] = hs_pairing_broadening(try[GAP1], found.floor, kt);
		try[GAMMA2] = hs_pairing_broadening(try[GAP2], found.floor, kt);
		const double left = misfit(g, y, weight, try, model);
		for (size_t j = 0; left < best && j < SLOPE; j++)
			p[j] = try[j];
		best = fmin(left, best);
	}
	free(model);
	return best < INFINITY;
}

static const struct hs_param_spec param[] = {
	{ .name = "scale", .what = "conductance far from the gaps", .unit_of = HS_OF_Y, .low = 0, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "weight", .what = "part of the conductance that has the first gap", .unit_of = HS_OF_NONE, .low = 0, .high = 1,
		.usual = NAN },
	{ .name = "gap1", .what = "first gap, the smaller one where it is guessed", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "gamma1", .what = "broadening by lifetime in the first band", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "gap2", .what = "second gap", .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN },
	{ .name = "gamma2", .what = "broadening by lifetime in the second band", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "centre", .what = "bias that is no bias", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "slope", .what = "rise of the normal conductance along the axis", .unit_of = HS_OF_SLOPE, .low = -INFINITY,
		.high = INFINITY, .usual = 0, .setting = true },
	{ .name = "temperature", .what = "of the electrons", .unit_of = HS_OF_OWN, .unit = "K", .low = 0, .high = 1e5, .usual = 4.2,
		.setting = true },
	{ .name = "modulation", .what = "amplitude of the lock-in's modulation, peak", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = 0, .setting = true },
};

const struct hs_model hs_model_bcs_two_gap = { .name = "bcs_two_gap", .what = "two superconducting gaps, dI/dV against bias",
	.formula = "(scale + slope x) (weight N(x; gap1, gamma1) + (1 - weight) N(x; gap2, gamma2)), each as dynes",
	.source = "Suhl, Matthias, Walker, Phys. Rev. Lett. 3 (1959) 552; Dynes et al., Phys. Rev. Lett. 41 (1978) 1509",
	.n_params = N_PARAMS, .param = param, .eval = eval, .guess = guess };
