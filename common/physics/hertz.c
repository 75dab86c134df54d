#include <math.h>

#include "physics/contact.h"

enum { BASELINE, CONTACT, MODULUS, TILT, RADIUS, POISSON, DIRECTION, N_PARAMS };

/* Force over modulus and indentation^1.5, in units of grid and data. */
static bool stiffness(const struct hs_grid *g, const double *p, double *k)
{
	double metre, newton;
	if (!hs_contact_units(g, &metre, &newton) || !(p[RADIUS] > 0) || !(fabs(p[POISSON]) < 1))
		return false;
	*k = 4.0 / 3 * sqrt(p[RADIUS] * HS_NM / metre) * (metre * metre / newton) / (1 - p[POISSON] * p[POISSON]);
	return true;
}

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const size_t n = g->n;
	double k;
	if (!stiffness(g, p, &k))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double x = g->x[i], from = x - p[CONTACT], depth = fmax(p[DIRECTION] * from, 0), root = sqrt(depth),
			     per_modulus = k * root * depth, force = p[MODULUS] * per_modulus, steep = 1.5 * p[MODULUS] * k * root;
		y[i] = p[BASELINE] + p[TILT] * x + force;
		if (!dy)
			continue;
		dy[BASELINE * n + i] = 1;
		dy[CONTACT * n + i] = -p[DIRECTION] * steep;
		dy[MODULUS * n + i] = per_modulus;
		dy[TILT * n + i] = x;
		dy[RADIUS * n + i] = 0.5 * force / p[RADIUS];
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
		!hs_contact_line(g, y, weight, p[DIRECTION], 1.5, found.baseline, &found, &p[CONTACT], &factor))
		return false;
	p[BASELINE] = found.baseline;
	p[MODULUS] = factor / k;
	return true;
}

static const struct hs_param_spec param[] = { HS_CONTACT_BASELINE, HS_CONTACT_POINT, HS_CONTACT_MODULUS, HS_CONTACT_TILT,
	HS_CONTACT_RADIUS, HS_CONTACT_POISSON, HS_CONTACT_DIRECTION };

const struct hs_model hs_model_hertz = { .name = "hertz", .what = "a sphere pressed into a flat, force against tip position",
	.formula = "baseline + tilt x + 4/3 modulus / (1 - poisson^2) sqrt(radius) d^1.5, d = direction (x - contact) > 0",
	.source = "Hertz, J. reine angew. Math. 92 (1882) 156; Johnson, Contact Mechanics (1985), eq. 4.23", .n_params = N_PARAMS,
	.param = param, .eval = eval, .guess = guess };
