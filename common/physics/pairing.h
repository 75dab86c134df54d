/* pairing - what models of superconducting tunnelling spectra share: densities of states, units, first guesses.
 *
 * Energies z and gaps are in units of the axis; Im z <= 0 is minus the broadening by lifetime (Dynes et al., Phys. Rev. Lett. 41
 * (1978) 1509), -0.0 on the real axis. All densities are 1 far from the gap. Pure; any thread. */
#ifndef HS_PHYSICS_PAIRING_H
#define HS_PHYSICS_PAIRING_H

#include <complex.h>

#include "physics/model.h"

struct hs_pairing_value {
	double complex n;             /* density of states: its real part */
	double complex by_z, by_gap;
};

/* z / sqrt(z^2 - gap^2) (Bardeen, Cooper, Schrieffer, Phys. Rev. 108 (1957) 1175). Infinite at z = gap. */
struct hs_pairing_value hs_pairing_s_wave(double complex z, double gap);

/* The mean of that over angles for gap cos(2 angle): 1 / M(1, sqrt(1 - gap^2 / z^2)), M the arithmetic-geometric mean, as it is a
 * complete elliptic integral (Won, Maki, Phys. Rev. B 49 (1994) 1397). At z = 0 its slope, which is infinite, is given as 0. */
struct hs_pairing_value hs_pairing_d_wave(double complex z, double gap);

/* The parameters of a model with one gap, and such a model: (scale + slope x) times a density, broadened (thermal.h). */
enum { HS_PAIRING_SCALE, HS_PAIRING_GAP, HS_PAIRING_GAMMA, HS_PAIRING_CENTRE, HS_PAIRING_SLOPE, HS_PAIRING_TEMPERATURE,
	HS_PAIRING_MODULATION, HS_PAIRING_PARAMS };
typedef struct hs_pairing_value hs_pairing_density(double complex z, double gap);
bool hs_pairing_eval(hs_pairing_density *of, const struct hs_grid *g, const double *p, double *y, double *dy);

/* k_B in units of the axis per kelvin, for axes in volts or electron volts; 0 for others. */
double hs_pairing_boltzmann(const struct hs_grid *g);

struct hs_pairing_guess {
	double normal;                /* level far from the gap */
	double centre;
	double edge;                  /* half the distance of where the spectrum falls to the middle between bottom and normal */
	double peak;                  /* half the distance of the highest points beside the gap; edge when they do not stick out */
	double floor;                 /* bottom over normal: 0 ... 1 */
};

/* False when there is no dip, or points with weight are too few. */
bool hs_pairing_find(const struct hs_grid *g, const double *y, const double *weight, struct hs_pairing_guess *guess);

/* A lifetime broadening that leaves such a floor in an s-wave gap at this temperature; at least a fiftieth of the gap. */
double hs_pairing_broadening(double gap, double floor, double kt);

#endif
