#include <math.h>

#include "physics/pairing.h"

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	return hs_pairing_eval(hs_pairing_d_wave, g, p, y, dy);
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_pairing_guess found;
	if (!hs_pairing_find(g, y, weight, &found))
		return false;
	p[HS_PAIRING_SCALE] = found.normal;
	/* the dip is a V: it has risen to the middle at two thirds of the gap */
	p[HS_PAIRING_GAP] = found.peak > found.edge ? found.peak : 1.5 * found.edge;
	p[HS_PAIRING_GAMMA] = p[HS_PAIRING_GAP] * fmin(fmax(0.3 * found.floor, 0.02), 0.3);
	p[HS_PAIRING_CENTRE] = found.centre;
	return true;
}

static const struct hs_param_spec param[] = {
	{ .name = "scale", .what = "conductance far from the gap", .unit_of = HS_OF_Y, .low = 0, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "gap", .what = "largest gap of all directions", .unit_of = HS_OF_X, .low = 0,
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

const struct hs_model hs_model_d_wave = { .name = "d_wave", .what = "a gap with nodes, |cos 2 angle|, dI/dV against bias",
	.formula = "(scale + slope x) Re mean over a of z / sqrt(z^2 - (gap cos 2a)^2), z = x - centre - i gamma; broadened as dynes",
	.source = "Won, Maki, Phys. Rev. B 49 (1994) 1397", .n_params = HS_PAIRING_PARAMS,
	.param = param, .eval = eval, .guess = guess };
