/* thermal - a density of states as a tunnelling spectrum shows it: broadened by temperature and by the modulation of a lock-in.
 *
 *	g(E) = Re int ds (2 / pi) sqrt(1 - s^2) int du [-f'(u)] F(E + u + V_m s),	-f'(u) = 1 / (4 kT cosh^2(u / 2 kT)),
 *
 * E = x - centre, V_m the amplitude (peak, not rms) of the sinusoidal modulation whose first harmonic is measured (Klein et al.,
 * Phys. Rev. B 7 (1973) 2336). F is analytic for Im E < 0, as densities of states are, so that the integral over E runs below the
 * real axis: at a distance of pi kT / 2, half way to the first pole of f', where trapezoids converge geometrically (Trefethen,
 * Weideman, SIAM Rev. 56 (2014) 385). Without temperature the modulation is integrated on an arc below the axis, by tanh-sinh.
 * Both hold 1e-10 of the normal state, gaps without any lifetime broadening included; derivatives are those of the sums.
 *
 * Energies are in units of the axis. Axes of equal steps share the values of F between their points. Pure; any thread. */
#ifndef HS_PHYSICS_THERMAL_H
#define HS_PHYSICS_THERMAL_H

#include <complex.h>

#include "physics/model.h"

enum { HS_DENSITY_MOST = 8 };

/* f[0] = F(z), f[1] = dF/dz, f[2] ... f[n - 1] what else is broadened alike (derivatives by parameters); only f[0] is looked
 * at when n is 1. Im z <= 0, with -0.0 on the real axis. */
struct hs_density {
	void (*at)(const void *ctx, double complex z, double complex *f);
	const void *ctx;
	size_t n;
};

struct hs_broadening {
	double kt;                    /* >= 0; below a thousandth of the modulation it counts as 0 */
	double modulation;            /* >= 0 */
};

/* plane[c][i] = f[c] at point i, broadened, real part. With n > 1 also the derivatives of plane[0] by kt and modulation. False
 * when a number is not finite or negative, or memory is short. */
bool hs_broaden(const struct hs_broadening *b, const struct hs_grid *g, double centre, const struct hs_density *density,
	double *const *plane, double *by_kt, double *by_modulation);

#endif
