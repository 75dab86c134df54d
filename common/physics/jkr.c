/* How it works. With K = 4/3 modulus / (1 - poisson^2) and adhesion F_c, the radius of contact a and u^3 = 1 + sqrt(1 + F / F_c),
 *	a^3 = u^6 R F_c / K,	F = F_c (u^6 - 2 u^3),	indentation = e (u^4 - 4/3 u),	e = (F_c / K)^(2/3) R^(-1/3);
 * u >= 3^(-1/3) is the stable part when the indentation is given, as by a piezo: beyond its end the tip is free. u follows by
 * Newton's method from above, where the quartic is convex, and derivatives from its slope. */
#include <math.h>
#include <string.h>

#include "math/lm.h"
#include "physics/contact.h"

enum { BASELINE, CONTACT, MODULUS, ADHESION, TILT, RADIUS, POISSON, DIRECTION, N_PARAMS };

#define CUBE_ROOT_3 1.4422495703074083
enum { MOST_STEPS = 100, BISECTIONS = 60, AROUND = 3, FEW = 4 };

struct force {
	double value, by_depth, by_log_k, by_log_radius, by_adhesion;
};

/* u^4 - 4/3 u = eta, u >= 3^(-1/3). */
static double quartic(double eta)
{
	double u = 1.2 + sqrt(sqrt(fmax(eta, 0)));
	for (int i = 0; i < MOST_STEPS; i++) {
		const double slope = 4 * u * u * u - 4.0 / 3, next = u - (u * (u * u * u - 4.0 / 3) - eta) / slope;
		if (!(slope > 0) || !(next < u))
			break;
		u = next;
	}
	return fmax(u, 1 / CUBE_ROOT_3);
}

/* In units of grid and data. */
static struct force sphere(double depth, double k, double radius, double adhesion)
{
	const double by_depth = cbrt(radius * (k / adhesion) * (k / adhesion)), eta = depth * by_depth;
	if (!isfinite(eta)) {                                 /* no adhesion: a Hertzian contact */
		const double d = fmax(depth, 0), f = k * sqrt(radius * d) * d;
		return (struct force){ f, 1.5 * k * sqrt(radius * d), f, 0.5 * f, 0 };
	}
	if (eta < -1 / CUBE_ROOT_3)
		return (struct force){ 0 };
	const double u = quartic(eta), u3 = u * u * u, value = u3 * u3 - 2 * u3, slope = 4.5 * u * u * (u3 - 1) / (3 * u3 - 1);
	return (struct force){ adhesion * value, adhesion * slope * by_depth, adhesion * slope * eta * 2 / 3, adhesion * slope * eta / 3,
		value - slope * eta * 2 / 3 };
}

/* K over the modulus, and the radius. */
static bool stiffness(const struct hs_grid *g, const double *p, double *k, double *radius)
{
	double metre, newton;
	if (!hs_contact_units(g, &metre, &newton) || !(p[RADIUS] > 0) || !(fabs(p[POISSON]) < 1))
		return false;
	*k = 4.0 / 3 * (metre * metre / newton) / (1 - p[POISSON] * p[POISSON]);
	*radius = p[RADIUS] * HS_NM / metre;
	return true;
}

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const size_t n = g->n;
	double k, radius;
	if (!stiffness(g, p, &k, &radius) || !(p[MODULUS] > 0 && p[ADHESION] >= 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double x = g->x[i], from = x - p[CONTACT];
		const struct force f = sphere(p[DIRECTION] * from, k * p[MODULUS], radius, p[ADHESION]);
		y[i] = p[BASELINE] + p[TILT] * x + f.value;
		if (!dy)
			continue;
		dy[BASELINE * n + i] = 1;
		dy[CONTACT * n + i] = -p[DIRECTION] * f.by_depth;
		dy[MODULUS * n + i] = f.by_log_k / p[MODULUS];
		dy[ADHESION * n + i] = f.by_adhesion;
		dy[TILT * n + i] = x;
		dy[RADIUS * n + i] = f.by_log_radius / p[RADIUS];
		dy[POISSON * n + i] = 2 * p[POISSON] / (1 - p[POISSON] * p[POISSON]) * f.by_log_k;
		dy[DIRECTION * n + i] = from * f.by_depth;
	}
	return true;
}

/* Indentation where the tip breaks free, < 0. */
static double end_of(double k, double radius, double adhesion)
{
	return -cbrt(adhesion * adhesion / (k * k * radius)) / CUBE_ROOT_3;
}

/* Squares that are left when the tip breaks free at `jump`; and, when step is not NULL, what baseline and the logarithms of
 * modulus and adhesion should change by. Infinite when there is no model. */
static double from_jump(const struct hs_grid *g, const double *y, const double *weight, double jump, double *p, double *step)
{
	double unit, radius, left = 0, h[9] = { 0 };
	if (!stiffness(g, p, &unit, &radius) || !(p[MODULUS] > 0 && p[ADHESION] > 0))
		return INFINITY;
	const double k = unit * p[MODULUS], end = end_of(k, radius, p[ADHESION]);
	p[CONTACT] = jump - p[DIRECTION] * end;
	for (size_t j = 0; step && j < 3; j++)
		step[j] = 0;
	for (size_t i = 0; i < g->n; i++) {
		if ((weight && !(weight[i] > 0)) || !isfinite(y[i]))
			continue;
		const struct force f = sphere(p[DIRECTION] * (g->x[i] - p[CONTACT]), k, radius, p[ADHESION]);
		const double w = weight ? weight[i] : 1, off = y[i] - p[BASELINE] - f.value,
			     by[] = { 1, f.by_log_k - f.by_depth * end * 2 / 3, f.by_adhesion * p[ADHESION] + f.by_depth * end * 2 / 3 };
		left += w * off * off;
		for (size_t a = 0; step && a < 3; a++) {
			step[a] += w * by[a] * off;
			for (size_t b = 0; b <= a; b++)
				h[a * 3 + b] += w * by[a] * by[b];
		}
	}
	return isfinite(left) && (!step || hs_lm_solve(h, 3, step)) ? left : INFINITY;
}

/* Of all moduli that whose force at the innermost points is theirs: it rises with the modulus. */
static bool match_push(const struct hs_grid *g, const struct hs_contact_guess *found, double jump, double *p)
{
	const double deep = p[DIRECTION] * (found->deepest - jump), pull = p[ADHESION];
	double unit, radius;
	if (!(deep > 0) || !stiffness(g, p, &unit, &radius))
		return false;
	double low = log(found->push / (sqrt(radius * deep) * deep)) - 7, high = low + 25;
	for (int i = 0; i < BISECTIONS; i++) {
		const double middle = 0.5 * (low + high), k = exp(middle);
		if (sphere(deep + end_of(k, radius, pull), k, radius, pull).value < found->push)
			low = middle;
		else
			high = middle;
	}
	p[MODULUS] = exp(low) / unit;
	return p[MODULUS] > 0 && isfinite(p[MODULUS]);
}

/* A start whose tip breaks free at `jump`, with few steps towards the least squares of such; the squares left. */
static double try_jump(const struct hs_grid *g, const double *y, const double *weight, const struct hs_contact_guess *found,
	double jump, double *p)
{
	double step[3], q[N_PARAMS], best;
	p[BASELINE] = found->baseline;
	p[ADHESION] = found->pull;
	if (!match_push(g, found, jump, p))
		return INFINITY;
	best = from_jump(g, y, weight, jump, p, step);
	for (int i = 0; i < FEW && best < INFINITY; i++) {
		double next[3];
		memcpy(q, p, sizeof q);
		q[BASELINE] += step[0];
		q[MODULUS] *= exp(fmax(fmin(step[1], 1), -1));
		q[ADHESION] *= exp(fmax(fmin(step[2], 1), -1));
		const double left = from_jump(g, y, weight, jump, q, next);
		if (!(left < best))
			break;
		best = left;
		memcpy(p, q, sizeof q);
		memcpy(step, next, sizeof step);
	}
	return best;
}

/* The adhesion is what the curve falls below its baseline; where it jumps back is where the tip breaks free, or a few points from
 * there: a fit does not cross a jump by itself. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_contact_guess found;
	double unit, radius, factor, best = INFINITY, q[N_PARAMS];
	if (!stiffness(g, p, &unit, &radius) || !hs_contact_find(g, y, weight, p[DIRECTION], &found))
		return false;
	const double step = fabs(g->x[g->n - 1] - g->x[0]) / (double)(g->n - 1);
	memcpy(q, p, sizeof q);
	for (int k = -AROUND; k <= AROUND && found.pull > 4 * found.noise; k++) {
		const double left = try_jump(g, y, weight, &found, found.jump + k * step, q);
		if (left < best)
			memcpy(p, q, sizeof q);
		best = fmin(left, best);
	}
	if (best < INFINITY)
		return isfinite(p[CONTACT]);
	p[BASELINE] = found.baseline;
	p[ADHESION] = fmax(found.pull, 1e-3 * found.push);
	if (!hs_contact_line(g, y, weight, p[DIRECTION], 1.5, found.baseline, &found, &p[CONTACT], &factor))
		return false;
	p[MODULUS] = factor / (unit * sqrt(radius));
	return true;
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	double metre, newton = NAN;
	hs_contact_units(g, &metre, &newton);
	for (size_t j = 0; j < N_PARAMS; j++)
		dd[j] = 0;
	dd[ADHESION] = 2 * newton / (3 * M_PI * q[RADIUS] * HS_NM);
	d[0] = dd[ADHESION] * q[ADHESION];
	dd[RADIUS] = -d[0] / q[RADIUS];
}

static const struct hs_param_spec param[] = { HS_CONTACT_BASELINE, HS_CONTACT_POINT, HS_CONTACT_MODULUS,
	HS_CONTACT_ADHESION("force that pulls the tip off: the lowest below the baseline"), HS_CONTACT_TILT, HS_CONTACT_RADIUS,
	HS_CONTACT_POISSON, HS_CONTACT_DIRECTION };

static const struct hs_derived_spec derived[] = { { .name = "adhesion_energy", .what = "work of adhesion of an area",
	.unit_of = HS_OF_OWN, .unit = "J/m^2" } };

const struct hs_model hs_model_jkr = { .name = "jkr",
	.what = "a soft sphere that sticks to a flat, force against tip position when drawn back",
	.formula = "baseline + tilt x + adhesion (u^6 - 2 u^3), (u^4 - 4/3 u) (adhesion / K)^(2/3) / radius^(1/3) = "
		"direction (x - contact), K = 4/3 modulus / (1 - poisson^2)",
	.source = "Johnson, Kendall, Roberts, Proc. R. Soc. A 324 (1971) 301", .n_params = N_PARAMS, .param = param, .eval = eval,
	.guess = guess, .n_derived = 1, .derived = derived, .derive = derive };
