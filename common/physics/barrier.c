#include <math.h>

#include "base/units.h"
#include "physics/guess.h"

/* hbar^2 / (2 m_e), in eV m^2 */
#define FREE_ELECTRON (1.054571817e-34 * 1.054571817e-34 / (2 * 9.1093837015e-31) / 1.602176634e-19)

enum { CURRENT, DECAY, OFFSET, N_PARAMS };

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	for (size_t i = 0; i < g->n; i++) {
		const double away = g->x[i] - g->x[0], e = exp(-2 * p[DECAY] * away);
		y[i] = p[CURRENT] * e + p[OFFSET];
		if (!dy)
			continue;
		dy[CURRENT * g->n + i] = e;
		dy[DECAY * g->n + i] = -2 * away * p[CURRENT] * e;
		dy[OFFSET * g->n + i] = 1;
	}
	return true;
}

/* A line through the logarithms, each with the square of its value as weight: least squares of the values to first order. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	const double offset = isfinite(p[OFFSET]) ? p[OFFSET] : 0;
	double largest = 0, sw = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
	for (size_t i = 0; i < g->n; i++)
		if ((!weight || weight[i] > 0) && fabs(y[i] - offset) > fabs(largest))
			largest = y[i] - offset;
	if (largest == 0 || !isfinite(largest))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		const double part = (y[i] - offset) / largest, x = g->x[i] - g->x[0];
		if ((weight && !(weight[i] > 0)) || !(part > 1e-6))
			continue;
		const double w = part * part, l = log(part);
		sw += w;
		sx += w * x;
		sy += w * l;
		sxx += w * x * x;
		sxy += w * x * l;
	}
	const double spread = sw * sxx - sx * sx, slope = (sw * sxy - sx * sy) / spread, span = fabs(g->x[g->n - 1] - g->x[0]);
	if (!(spread > 0) || !isfinite(slope) || fabs(slope) * span < 1e-9)
		return false;
	p[CURRENT] = largest * exp((sy - slope * sx) / sw);
	p[DECAY] = -0.5 * slope;
	return true;
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	const double metre = g->x_unit ? hs_unit_factor(g->x_unit, "m") : 0, scale = metre > 0 ? FREE_ELECTRON / (metre * metre) : NAN;
	d[0] = scale * q[DECAY] * q[DECAY];
	dd[CURRENT] = 0;
	dd[DECAY] = 2 * scale * q[DECAY];
	dd[OFFSET] = 0;
}

static const struct hs_param_spec param[] = {
	{ .name = "current", .what = "value at the first point of the axis, less the offset", .unit_of = HS_OF_Y, .low = -INFINITY,
		.high = INFINITY, .usual = NAN, .linear = true },
	{ .name = "decay", .what = "decay constant of the wave function; negative where the axis points to the sample",
		.unit_of = HS_OF_PER_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "offset", .what = "value where nothing tunnels", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = 0,
		.setting = true, .linear = true },
};

static const struct hs_derived_spec derived[] = { { .name = "work_function",
	.what = "apparent height of the barrier, of a free electron; NaN when the axis is no length", .unit_of = HS_OF_OWN,
	.unit = "eV" } };

const struct hs_model hs_model_barrier = { .name = "barrier", .what = "a tunnelling current against the width of the gap",
	.formula = "current exp(-2 decay (x - first x)) + offset; work_function = hbar^2 decay^2 / 2 m",
	.source = "Binnig, Rohrer, Gerber, Weibel, Appl. Phys. Lett. 40 (1982) 178", .n_params = N_PARAMS, .param = param,
	.eval = eval, .guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
