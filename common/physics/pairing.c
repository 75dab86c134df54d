#include "physics/pairing.h"

#include <math.h>

#include "base/units.h"
#include "physics/guess.h"
#include "physics/thermal.h"

#define BOLTZMANN_EV (1.380649e-23 / 1.602176634e-19)
enum { MEAN_STEPS = 60 };

/* sqrt(z^2 - gap^2), the branch that goes with z for large |z|: analytic below the real axis. */
static double complex root_of(double complex z, double gap)
{
	const double e = creal(z), g = cimag(z);
	const double complex root = csqrt(CMPLX((e - gap) * (e + gap) - g * g, 2 * e * g));
	return signbit(e) ? -root : root;
}

struct hs_pairing_value hs_pairing_s_wave(double complex z, double gap)
{
	if (!(gap > 0))
		return (struct hs_pairing_value){ .n = 1 };
	const double complex root = root_of(z, gap), n = z / root, steep = gap / (root * root);
	return (struct hs_pairing_value){ .n = n, .by_z = -steep * gap / root, .by_gap = steep * n };
}

static double norm(double complex z)
{
	return creal(z) * creal(z) + cimag(z) * cimag(z);
}

/* M(z, w), w = sqrt(z^2 - gap^2), and its derivatives along the iteration; n = z / M. Of the two square roots the nearer one to
 * the mean: then all stays in one half plane, and M is analytic there. Convergence is quadratic: once two means agree to 1e-8,
 * the next one is exact. */
struct hs_pairing_value hs_pairing_d_wave(double complex z, double gap)
{
	if (!(gap > 0))
		return (struct hs_pairing_value){ .n = 1 };
	if (z == 0)
		return (struct hs_pairing_value){ .n = 0 };
	double complex a = z, b = root_of(z, gap), a_z = 1, b_z = z / b, a_gap = 0, b_gap = -gap / b;
	for (int i = 0; i < MEAN_STEPS && norm(a - b) > 1e-16 * norm(a); i++) {
		const double complex mean = 0.5 * (a + b), z_mean = 0.5 * (a_z + b_z), gap_mean = 0.5 * (a_gap + b_gap), root = csqrt(a * b),
				     product = norm(mean - root) <= norm(mean + root) ? root : -root, half = 0.5 * conj(product) / norm(product);
		b_z = (a_z * b + a * b_z) * half;
		b_gap = (a_gap * b + a * b_gap) * half;
		a_z = z_mean;
		a_gap = gap_mean;
		a = mean;
		b = product;
	}
	a = 0.5 * (a + b);
	a_z = 0.5 * (a_z + b_z);
	a_gap = 0.5 * (a_gap + b_gap);
	return (struct hs_pairing_value){ .n = z / a, .by_z = 1 / a - z * a_z / (a * a), .by_gap = -z * a_gap / (a * a) };
}

double hs_pairing_boltzmann(const struct hs_grid *g)
{
	if (!g->x_unit)
		return 0;
	const double volt = hs_unit_factor(g->x_unit, "V"), unit = volt > 0 ? volt : hs_unit_factor(g->x_unit, "eV");
	return unit > 0 ? BOLTZMANN_EV / unit : 0;
}

/* ------------------------------------------------------------------ one gap */

struct state {
	hs_pairing_density *of;
	double gap, gamma;
};

static void density(const void *ctx, double complex z, double complex *f)
{
	const struct state *s = ctx;
	const struct hs_pairing_value v = s->of(CMPLX(creal(z), cimag(z) - s->gamma), s->gap);
	f[0] = v.n;
	f[1] = v.by_z;
	f[2] = v.by_gap;
	f[3] = CMPLX(cimag(v.by_z), -creal(v.by_z));
}

bool hs_pairing_eval(hs_pairing_density *of, const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const size_t n = g->n, m = dy ? n : 0;        /* without dy nothing is written there */
	const double boltzmann = hs_pairing_boltzmann(g);
	const struct state s = { of, p[HS_PAIRING_GAP], p[HS_PAIRING_GAMMA] };
	const struct hs_broadening b = { boltzmann * p[HS_PAIRING_TEMPERATURE], p[HS_PAIRING_MODULATION] };
	const struct hs_density d = { density, &s, dy ? 4 : 1 };
	double *const by = dy ? dy : y, *plane[] = { y, by + HS_PAIRING_CENTRE * m, by + HS_PAIRING_GAP * m, by + HS_PAIRING_GAMMA * m };
	if (!(s.gap >= 0 && s.gamma >= 0) || (!(boltzmann > 0) && p[HS_PAIRING_TEMPERATURE] > 0))
		return false;
	if (!hs_broaden(&b, g, p[HS_PAIRING_CENTRE], &d, plane, by + HS_PAIRING_TEMPERATURE * m, by + HS_PAIRING_MODULATION * m))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double level = p[HS_PAIRING_SCALE] + p[HS_PAIRING_SLOPE] * g->x[i];
		if (dy) {
			dy[HS_PAIRING_SCALE * n + i] = y[i];
			dy[HS_PAIRING_SLOPE * n + i] = g->x[i] * y[i];
			dy[HS_PAIRING_GAP * n + i] *= level;
			dy[HS_PAIRING_GAMMA * n + i] *= level;
			dy[HS_PAIRING_CENTRE * n + i] *= -level;
			dy[HS_PAIRING_TEMPERATURE * n + i] *= level * boltzmann;
			dy[HS_PAIRING_MODULATION * n + i] *= level;
		}
		y[i] *= level;
	}
	return true;
}

/* ------------------------------------------------------------------ first guesses */

static bool counts(const double *y, const double *weight, size_t i)
{
	return (!weight || weight[i] > 0) && isfinite(y[i]);
}

/* Mean of the point and its neighbours that count. */
static double smooth_at(const struct hs_grid *g, const double *y, const double *weight, size_t i)
{
	double sum = 0, n = 0;
	for (size_t k = i ? i - 1 : 0; k <= i + 1 && k < g->n; k++)
		if (counts(y, weight, k)) {
			sum += y[k];
			n++;
		}
	return sum / n;
}

/* From the bottom to one side: where the level is crossed; NAN when it is not. *top receives the place of the highest point of
 * that side, *height its value. */
static double cross(const struct hs_grid *g, const double *y, const double *weight, size_t bottom, int side, double level,
	double *top, double *height)
{
	double last = smooth_at(g, y, weight, bottom), last_x = g->x[bottom], found = NAN;
	*height = -INFINITY;
	for (size_t i = bottom; side > 0 ? i + 1 < g->n : i > 0;) {
		i = side > 0 ? i + 1 : i - 1;
		if (!counts(y, weight, i))
			continue;
		const double v = smooth_at(g, y, weight, i);
		if (isnan(found) && v >= level)
			found = last_x + (level - last) / (v - last) * (g->x[i] - last_x);
		if (v > *height) {
			*height = v;
			*top = g->x[i];
		}
		last = v;
		last_x = g->x[i];
	}
	return found;
}

bool hs_pairing_find(const struct hs_grid *g, const double *y, const double *weight, struct hs_pairing_guess *guess)
{
	double offset, slope, lowest = INFINITY, top[2] = { 0 }, height[2];
	size_t bottom = 0, n = 0;
	if (!hs_guess_line(g, y, weight, &offset, &slope))
		return false;
	for (size_t i = 0; i < g->n; i++) {
		if (!counts(y, weight, i))
			continue;
		const double v = smooth_at(g, y, weight, i);
		n++;
		if (v < lowest) {
			lowest = v;
			bottom = i;
		}
	}
	const double normal = offset + slope * g->x[bottom];
	if (n < 5 || !(normal > 0) || !isfinite(normal) || !(lowest < normal * (1 - 1e-9)))
		return false;
	const double level = 0.5 * (normal + fmax(lowest, 0)), left = cross(g, y, weight, bottom, -1, level, &top[0], &height[0]),
		     right = cross(g, y, weight, bottom, 1, level, &top[1], &height[1]);
	if (isnan(left) || isnan(right))
		return false;
	*guess = (struct hs_pairing_guess){ .normal = normal, .centre = 0.5 * (left + right), .edge = 0.5 * fabs(right - left),
		.floor = fmax(lowest, 0) / normal };
	const bool stick_out = fmin(height[0], height[1]) > 1.02 * normal;
	guess->peak = stick_out ? fmax(0.5 * fabs(top[1] - top[0]), guess->edge) : guess->edge;
	return guess->edge > 0;
}

double hs_pairing_broadening(double gap, double floor, double kt)
{
	/* what temperature alone leaves at the bottom (Giaever, Megerle, Phys. Rev. 122 (1961) 1101) */
	const double by_heat = kt > 0 ? sqrt(2 * M_PI * gap / kt) * exp(-gap / kt) : 0, left = fmin(fmax(floor - by_heat, 0), 0.9);
	return fmax(gap * left / sqrt(1 - left * left), 0.02 * gap);
}
