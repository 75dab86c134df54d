#include <math.h>

#include "physics/pairing.h"
#include "physics/thermal.h"

enum { SCALE, GAP, GAMMA, CENTRE, SLOPE, TEMPERATURE, MODULATION, N_PARAMS };

struct state { double gap, gamma; };

static void density(const void *ctx, double complex z, double complex *f)
{
	const struct state *s = ctx;
	const struct hs_pairing_value v = hs_pairing_s_wave(CMPLX(creal(z), cimag(z) - s->gamma), s->gap);
	f[0] = v.n;
	f[1] = v.by_z;
	f[2] = v.by_gap;
	f[3] = CMPLX(cimag(v.by_z), -creal(v.by_z));
}

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const size_t n = g->n, m = dy ? n : 0;        /* without dy nothing is written there */
	const double boltzmann = hs_pairing_boltzmann(g);
	const struct state s = { p[GAP], p[GAMMA] };
	const struct hs_broadening b = { boltzmann * p[TEMPERATURE], p[MODULATION] };
	const struct hs_density d = { density, &s, dy ? 4 : 1 };
	double *const by = dy ? dy : y, *plane[] = { y, by + CENTRE * m, by + GAP * m, by + GAMMA * m };
	if (!(s.gap >= 0 && s.gamma >= 0) || (!(boltzmann > 0) && p[TEMPERATURE] > 0))
		return false;
	if (!hs_broaden(&b, g, p[CENTRE], &d, plane, by + TEMPERATURE * m, by + MODULATION * m))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double level = p[SCALE] + p[SLOPE] * g->x[i];
		if (dy) {
			dy[SCALE * n + i] = y[i];
			dy[SLOPE * n + i] = g->x[i] * y[i];
			dy[GAP * n + i] *= level;
			dy[GAMMA * n + i] *= level;
			dy[CENTRE * n + i] *= -level;
			dy[TEMPERATURE * n + i] *= level * boltzmann;
			dy[MODULATION * n + i] *= level;
		}
		y[i] *= level;
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_pairing_guess found;
	if (!hs_pairing_find(g, y, weight, &found))
		return false;
	p[SCALE] = found.normal;
	p[GAP] = 0.5 * (found.edge + found.peak);
	p[GAMMA] = hs_pairing_broadening(p[GAP], found.floor, hs_pairing_boltzmann(g) * p[TEMPERATURE]);
	p[CENTRE] = found.centre;
	return true;
}

static const struct hs_param_spec param[] = {
	{ .name = "scale", .what = "conductance far from the gap", .unit_of = HS_OF_Y, .low = 0, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "gap", .what = "gap: distance of the edges from the centre", .unit_of = HS_OF_X, .low = 0,
		.high = INFINITY, .usual = NAN },
	{ .name = "gamma", .what = "broadening by the lifetime of quasiparticles", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "centre", .what = "bias that is no bias", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "slope", .what = "rise of the normal conductance along the axis", .unit_of = HS_OF_SLOPE, .low = -INFINITY,
		.high = INFINITY, .usual = 0, .setting = true },
	{ .name = "temperature", .what = "of the electrons", .unit_of = HS_OF_OWN, .unit = "K", .low = 0, .high = 1e5, .usual = 4.2,
		.setting = true },
	{ .name = "modulation", .what = "amplitude of the lock-in's modulation, peak", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = 0, .setting = true },
};

const struct hs_model hs_model_dynes = { .name = "dynes", .what = "a superconducting gap of finite lifetime, dI/dV against bias",
	.formula = "(scale + slope x) Re(z / sqrt(z^2 - gap^2)), z = x - centre - i gamma; broadened by heat and modulation",
	.source = "Dynes, Narayanamurti, Garno, Phys. Rev. Lett. 41 (1978) 1509", .n_params = N_PARAMS, .param = param, .eval = eval,
	.guess = guess };
