#include <math.h>

#include "base/units.h"
#include "physics/guess.h"

/* Im(-1 / eps) of free electrons, over its value at x = p: h x p w^2 / ((x^2 - p^2)^2 + x^2 w^2) */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], plasmon = p[1], width = p[2];
	const size_t n = g->n;
	if (!(plasmon > 0 && width > 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		/* in units of the plasmon energy, so that nothing overflows */
		const double x = g->x[i] / plasmon, w = width / plasmon, d = (x - 1) * (x + 1), under = d * d + x * x * w * w,
			     shape = x * w * w / under;
		y[i] = height * shape;
		if (!dy)
			continue;
		const double by_x = height * (w * w / under - shape * (4 * x * d + 2 * x * w * w) / under),
			     by_w = height * (2 * x * w / under - shape * 2 * x * x * w / under);
		dy[i] = shape;
		dy[n + i] = -(by_x * x + by_w * w) / plasmon;
		dy[2 * n + i] = by_w / plasmon;
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_peak_guess peak;
	if (!hs_guess_peak(g, y, weight, &peak) || !(peak.centre > 0))
		return false;
	p[0] = peak.height;
	p[1] = peak.centre;
	p[2] = peak.width;
	return true;
}

#define HBAR_EV_FS 0.6582119569                /* hbar in eV fs; CODATA 2018, as the next */
#define DENSITY_PER_EV2 0.72524610           /* eps0 m / hbar^2: electrons per nm^3 for a plasmon energy of 1 eV */

/* NAN where the axis is no energy. */
static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	const double known = g->x_unit ? hs_unit_factor(g->x_unit, "eV") : 0, ev = known > 0 ? known : NAN;
	for (int i = 0; i < 6; i++)
		dd[i] = 0;
	d[0] = HBAR_EV_FS / (q[2] * ev);
	dd[2] = -d[0] / q[2];
	d[1] = DENSITY_PER_EV2 * q[1] * q[1] * ev * ev;
	dd[4] = 2 * d[1] / q[1];
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the plasmon energy", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "plasmon", .what = "plasmon energy", .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN },
	{ .name = "width", .what = "damping: hbar over the lifetime of the electrons", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
};

static const struct hs_derived_spec derived[] = {
	{ .name = "lifetime", .what = "of the free electrons, hbar / width", .unit_of = HS_OF_OWN, .unit = "fs" },
	{ .name = "density", .what = "free electrons per volume, for the mass of a free electron", .unit_of = HS_OF_OWN,
		.unit = "1/nm^3" }
};

const struct hs_model hs_model_drude = { .name = "drude", .what = "volume plasmon of free electrons: the Drude loss function",
	.formula = "height x plasmon width^2 / ((x^2 - plasmon^2)^2 + (x width)^2)",
	.source = "Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed. (2011), eq. 3.43", .n_params = 3,
	.param = param, .eval = eval, .guess = guess, .n_derived = 2, .derived = derived, .derive = derive };
