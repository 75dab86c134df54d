/* plural - plural scattering taken out of energy-loss spectra by Fourier transforms (Egerton, Electron Energy-Loss Spectroscopy
 * in the Electron Microscope, chapter 4).
 *
 * Spectra are padded with zeros to twice their length. The zero-loss peak is what a spectrum holds up to an energy; its place
 * does not matter, as it appears in numerator and denominator.
 *
 * Owner: the struct owns its plans, one a thread. Threads: rows from any of hs_par_threads(). */
#ifndef HS_PREP_PLURAL_H
#define HS_PREP_PLURAL_H

#include <stdbool.h>

#include "data/axis.h"
#include "math/fft.h"

struct hs_plural {
	size_t n, n_zero;             /* channels; those of the zero-loss peak */
	size_t n_threads;
	struct hs_fft *fft;
	double *filter;               /* n_u complex numbers: Z/L; NULL for the logarithm */
};

/* Single scattering from a low-loss spectrum that holds the zero-loss peak, up to `until` on axis: z ln(j / z), with the
 * resolution and the place of the zero-loss peak (Johnson, Spence, J. Phys. D 7 (1974) 771). HS_USAGE when no channel, or every
 * one, is below, or the axis is not uniform and ascending. */
int hs_plural_log(struct hs_plural *p, const struct hs_axis *axis, double until, struct hs_err *err);

/* Core losses as the zero-loss peak alone would make them: k z / l, l (on axis low) the low-loss spectrum of the same place, z
 * its zero-loss peak (Swyt, Leapman 1982). HS_BAD_DATA when l holds no such peak. */
int hs_plural_ratio(struct hs_plural *p, size_t n, const struct hs_axis *low, const double *l, double until, struct hs_err *err);

void hs_plural_release(struct hs_plural *p);

/* An hs_row_fn; scratch: hs_plural_scratch values. False where there is no zero-loss peak. */
bool hs_plural_row(const void *state, size_t pixel, const double *in, double *out, double *scratch);
size_t hs_plural_scratch(const struct hs_plural *p);

#endif
