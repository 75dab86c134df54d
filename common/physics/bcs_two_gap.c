#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "physics/pairing.h"
#include "physics/thermal.h"

#define BROAD 0.04            /* of its gap: a first broadening in whose reach a sharper one is found */

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

/* The spectrum of one gap alone, scale 1, as the rest of p says. */
static bool one_band(const struct hs_grid *g, const double *p, double gap, double floor, double kt, double *y)
{
	double q[N_PARAMS];
	memcpy(q, p, sizeof q);
	q[SCALE] = q[WEIGHT] = 1;
	q[GAP1] = q[GAP2] = gap;
	q[GAMMA1] = q[GAMMA2] = fmax(hs_pairing_broadening(gap, floor, kt), BROAD * gap);
	q[SLOPE] = 0;
	return eval(g, q, y, NULL);
}

/* y as a sum of two bands with positive parts; what it explains of the squares, 0 when one of them is not positive. */
static double explained(const struct hs_grid *g, const double *y, const double *weight, const double *a, const double *b,
	double part[2])
{
	double aa = 0, ab = 0, bb = 0, ay = 0, by = 0;
	for (size_t i = 0; i < g->n; i++)
		if ((!weight || weight[i] > 0) && isfinite(y[i])) {
			const double w = weight ? weight[i] : 1;
			aa += w * a[i] * a[i];
			ab += w * a[i] * b[i];
			bb += w * b[i] * b[i];
			ay += w * a[i] * y[i];
			by += w * b[i] * y[i];
		}
	const double det = aa * bb - ab * ab;
	part[0] = (ay * bb - by * ab) / det;
	part[1] = (by * aa - ay * ab) / det;
	return part[0] > 0 && part[1] > 0 ? part[0] * ay + part[1] * by : 0;
}

static void take(double *p, double gap, double other, const double part[2], double floor, double kt)
{
	const bool first = gap < other;
	p[SCALE] = part[0] + part[1];
	p[WEIGHT] = (first ? part[0] : part[1]) / p[SCALE];
	p[GAP1] = first ? gap : other;
	p[GAP2] = first ? other : gap;
	p[GAMMA1] = fmax(hs_pairing_broadening(p[GAP1], floor, kt), BROAD * p[GAP1]);
	p[GAMMA2] = fmax(hs_pairing_broadening(p[GAP2], floor, kt), BROAD * p[GAP2]);
}

/* The gap that a single one would be, and of some smaller and larger ones that which explains most beside it. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	static const double ratio[] = { 0.3, 0.45, 0.6, 0.75, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3 };
	struct hs_pairing_guess found;
	struct hs_err err = { 0 };
	if (!hs_pairing_find(g, y, weight, &found))
		return false;
	double *alone = hs_alloc(2 * g->n, sizeof *alone, &err), *beside = alone ? alone + g->n : NULL, best = 0, part[2] = { 0 };
	const double kt = hs_pairing_boltzmann(g) * p[TEMPERATURE], seen[] = { found.edge, 0.5 * (found.edge + found.peak) };
	p[CENTRE] = found.centre;
	take(p, 0.8 * found.edge, 1.2 * found.edge, (double[]){ 0.5 * found.normal, 0.5 * found.normal }, found.floor, kt);
	for (size_t k = 0; alone && k < HS_LEN(seen) && one_band(g, p, seen[k], found.floor, kt, alone); k++)
		for (size_t r = 0; r < HS_LEN(ratio) && one_band(g, p, ratio[r] * seen[k], found.floor, kt, beside); r++) {
			const double good = explained(g, y, weight, alone, beside, part);
			if (good > best) {
				best = good;
				take(p, seen[k], ratio[r] * seen[k], part, found.floor, kt);
			}
		}
	free(alone);
	return best > 0;
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
	{ .name = "centre", .what = "middle of the gap", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
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
