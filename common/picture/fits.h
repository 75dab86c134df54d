/* fits - the picture of a fit: maps of all parameters, how the fits ended, which model is best, and some spectra with their fits.
 *
 * A fit is known by its step: a signal "status" (or "m1_status") with meanings, and "r2" beside it. Parameters are the signals of
 * the shape of its default one that have standard deviations. */
#ifndef HS_PICTURE_FITS_H
#define HS_PICTURE_FITS_H

#include "picture/maker.h"

/* Is the signal one of the parameters of a fit, and nothing asked that only a single map can show? */
bool hs_fit_is_shown(const struct hs_maker *m);
int hs_fit_show(struct hs_maker *m, struct hs_err *err);

/* What the values 0, 1, ... of a coded signal are called (flag_values and flag_meanings, hsdata(5)): *n kept names, of which an
 * entry may be NULL; NULL when it is no coded one. */
const char **hs_meanings(struct hs_plan *plan, struct hs_in *in, size_t signal, size_t *n);

#endif
