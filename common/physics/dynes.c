#include <math.h>

#include "physics/pairing.h"

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	return hs_pairing_eval(hs_pairing_s_wave, g, p, y, dy);
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_pairing_guess found;
	if (!hs_pairing_find(g, y, weight, &found))
		return false;
	p[HS_PAIRING_SCALE] = found.normal;
	p[HS_PAIRING_GAP] = 0.5 * (found.edge + found.peak);
	p[HS_PAIRING_GAMMA] = hs_pairing_broadening(p[HS_PAIRING_GAP], found.floor, hs_pairing_boltzmann(g) * p[HS_PAIRING_TEMPERATURE]);
	p[HS_PAIRING_CENTRE] = found.centre;
	return true;
}

static const struct hs_param_spec param[] = {
	{ .name = "scale", .what = "conductance far from the gap", .unit_of = HS_OF_Y, .low = 0, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "gap", .what = "gap: distance of the edges from the centre", .unit_of = HS_OF_X, .low = 0,
		.high = INFINITY, .usual = NAN },
	{ .name = "gamma", .what = "broadening by the lifetime of quasiparticles", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "centre", .what = "middle of the gap", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "slope", .what = "rise of the normal conductance along the axis", .unit_of = HS_OF_SLOPE, .low = -INFINITY,
		.high = INFINITY, .usual = 0, .setting = true },
	{ .name = "temperature", .what = "of the electrons", .unit_of = HS_OF_OWN, .unit = "K", .low = 0, .high = 1e5, .usual = 4.2,
		.setting = true },
	{ .name = "modulation", .what = "amplitude of the lock-in's modulation, peak", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = 0, .setting = true },
};

const struct hs_model hs_model_dynes = { .name = "dynes", .what = "a superconducting gap of finite lifetime, dI/dV against bias",
	.formula = "(scale + slope x) Re(z / sqrt(z^2 - gap^2)), z = x - centre - i gamma; broadened by heat and modulation",
	.source = "Dynes, Narayanamurti, Garno, Phys. Rev. Lett. 41 (1978) 1509", .n_params = HS_PAIRING_PARAMS,
	.param = param, .eval = eval,
	.guess = guess };
