#include <math.h>

#include "physics/contact.h"

enum { BASELINE, CONTACT, MODULUS, ADHESION, TILT, RADIUS, POISSON, DIRECTION, RANGE, N_PARAMS };

/* Force over modulus and indentation^1.5, in units of grid and data. */
static bool stiffness(const struct hs_grid *g, const double *p, double *k, double *metre)
{
	double newton;
	if (!hs_contact_units(g, metre, &newton) || !(p[RADIUS] > 0 && p[RANGE] > 0) || !(fabs(p[POISSON]) < 1))
		return false;
	*k = 4.0 / 3 * sqrt(p[RADIUS] * HS_NM / *metre) * (*metre * *metre / newton) / (1 - p[POISSON] * p[POISSON]);
	return true;
}

/* In contact the adhesion is a constant; outside it falls off as between a sphere and a flat. */
static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const size_t n = g->n;
	double k, metre;
	if (!stiffness(g, p, &k, &metre))
		return false;
	const double range = p[RANGE] * HS_NM / metre;
	for (size_t i = 0; i < n; i++) {
		const double x = g->x[i], from = x - p[CONTACT], depth = fmax(p[DIRECTION] * from, 0),
			     away = fmax(-p[DIRECTION] * from, 0), near = range / (range + away), root = sqrt(depth), per_modulus = k * root * depth,
			     force = p[MODULUS] * per_modulus,
			     steep = 1.5 * p[MODULUS] * k * root - (away > 0 ? 2 * p[ADHESION] * near * near / (range + away) : 0);
		y[i] = p[BASELINE] + p[TILT] * x + force - p[ADHESION] * near * near;
		if (!dy)
			continue;
		dy[BASELINE * n + i] = 1;
		dy[CONTACT * n + i] = -p[DIRECTION] * steep;
		dy[MODULUS * n + i] = per_modulus;
		dy[ADHESION * n + i] = -near * near;
		dy[TILT * n + i] = x;
		dy[RADIUS * n + i] = 0.5 * force / p[RADIUS];
		dy[POISSON * n + i] = 2 * p[POISSON] / (1 - p[POISSON] * p[POISSON]) * force;
		dy[DIRECTION * n + i] = from * steep;
		dy[RANGE * n + i] = -2 * p[ADHESION] * near * away / (range + away) / (range + away) * (HS_NM / metre);
	}
	return true;
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_contact_guess found;
	double k, metre, factor;
	if (!stiffness(g, p, &k, &metre) || !hs_contact_find(g, y, weight, p[DIRECTION], &found) ||
		!hs_contact_line(g, y, weight, p[DIRECTION], 1.5, found.baseline - found.pull, &found, &p[CONTACT], &factor))
		return false;
	p[BASELINE] = found.baseline;
	p[ADHESION] = found.pull;
	p[MODULUS] = factor / k;
	return true;
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	double metre, newton = NAN;
	hs_contact_units(g, &metre, &newton);
	d[0] = q[ADHESION] * newton / (2 * M_PI * q[RADIUS] * HS_NM);
	for (size_t j = 0; j < N_PARAMS; j++)
		dd[j] = 0;
	dd[ADHESION] = newton / (2 * M_PI * q[RADIUS] * HS_NM);
	dd[RADIUS] = -d[0] / q[RADIUS];
}

static const struct hs_param_spec param[] = { HS_CONTACT_BASELINE, HS_CONTACT_POINT, HS_CONTACT_MODULUS,
	HS_CONTACT_ADHESION("attraction in contact: the force that pulls the tip off"), HS_CONTACT_TILT, HS_CONTACT_RADIUS,
	HS_CONTACT_POISSON, HS_CONTACT_DIRECTION,
	{ .name = "range", .what = "distance of the surfaces in contact, scale of the attraction outside", .unit_of = HS_OF_OWN,
		.unit = "nm", .low = 1e-3, .high = 1e6, .usual = 0.165, .setting = true } };

static const struct hs_derived_spec derived[] = { { .name = "adhesion_energy", .what = "work of adhesion of an area",
	.unit_of = HS_OF_OWN, .unit = "J/m^2" } };

const struct hs_model hs_model_dmt = { .name = "dmt", .what = "a stiff sphere that sticks to a flat, force against tip position",
	.formula = "baseline + tilt x + 4/3 modulus / (1 - poisson^2) sqrt(radius) d^1.5 - adhesion (range / (range + away))^2",
	.source = "Derjaguin, Muller, Toporov, J. Colloid Interface Sci. 53 (1975) 314; outside: Hamaker, Physica 4 (1937) 1058",
	.n_params = N_PARAMS, .param = param, .eval = eval, .guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
