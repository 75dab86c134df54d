#include <math.h>

#include "physics/contact.h"

#define DEGREE (M_PI / 180)

enum { BASELINE, CONTACT, MODULUS, TILT, ANGLE, POISSON, DIRECTION, N_PARAMS };

/* Force over modulus and indentation^2, in units of grid and data. */
static bool stiffness(const struct hs_grid *g, const double *p, double *k)
{
	double metre, newton;
	if (!hs_contact_units(g, &metre, &newton) || !(p[ANGLE] > 0 && p[ANGLE] < 90) || !(fabs(p[POISSON]) < 1))
		return false;
	*k = M_2_PI * tan(p[ANGLE] * DEGREE) * (metre * metre / newton) / (1 - p[POISSON] * p[POISSON]);
	return true;
}

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const size_t n = g->n;
	double k;
	if (!stiffness(g, p, &k))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double x = g->x[i], from = x - p[CONTACT], depth = fmax(p[DIRECTION] * from, 0), per_modulus = k * depth * depth,
			     force = p[MODULUS] * per_modulus, steep = 2 * p[MODULUS] * k * depth;
		y[i] = p[BASELINE] + p[TILT] * x + force;
		if (!dy)
			continue;
		dy[BASELINE * n + i] = 1;
		dy[CONTACT * n + i] = -p[DIRECTION] * steep;
		dy[MODULUS * n + i] = per_modulus;
		dy[TILT * n + i] = x;
		dy[ANGLE * n + i] = force * 2 * DEGREE / sin(2 * p[ANGLE] * DEGREE);
		dy[POISSON * n + i] = 2 * p[POISSON] / (1 - p[POISSON] * p[POISSON]) * force;
		dy[DIRECTION * n + i] = from * steep;
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_contact_guess found;
	double k, factor;
	if (!stiffness(g, p, &k) || !hs_contact_find(g, y, weight, p[DIRECTION], &found) ||
		!hs_contact_line(g, y, weight, p[DIRECTION], 2, found.baseline, &found, &p[CONTACT], &factor))
		return false;
	p[BASELINE] = found.baseline;
	p[MODULUS] = factor / k;
	return true;
}

static const struct hs_param_spec param[] = { HS_CONTACT_BASELINE, HS_CONTACT_POINT, HS_CONTACT_MODULUS, HS_CONTACT_TILT,
	{ .name = "half_angle", .what = "of the cone, between its axis and its side", .unit_of = HS_OF_OWN, .unit = "deg", .low = 0.1,
		.high = 89.9, .usual = 20, .setting = true },
	HS_CONTACT_POISSON, HS_CONTACT_DIRECTION };

const struct hs_model hs_model_sneddon = { .name = "sneddon",
	.what = "a cone pressed into a flat, force against tip position",
	.formula = "baseline + tilt x + 2/pi modulus / (1 - poisson^2) tan(half_angle) d^2, d = direction (x - contact) > 0",
	.source = "Sneddon, Int. J. Eng. Sci. 3 (1965) 47", .n_params = N_PARAMS, .param = param, .eval = eval, .guess = guess };
