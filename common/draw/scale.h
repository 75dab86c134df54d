/* scale - from values to places on a drawn axis: limits, 1-2-5 ticks, and numbers a reader can take in.
 *
 * A scale maps lo..hi to 0..1, linear or logarithmic. It also decides how numbers are written: with another SI prefix when
 * the unit takes one (2e-9 m is shown as 2 nm), as a power of ten otherwise, and as a difference from a rounded offset when
 * the range is a small part of the values. Any finite numbers are allowed, up to the ends of double. */
#ifndef HS_DRAW_SCALE_H
#define HS_DRAW_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hs_scale {
	double lo, hi;                /* data values at 0 and 1; lo < hi; both > 0 when log */
	bool log, integer;            /* integer: ticks at whole numbers only */
	double factor, offset;        /* a tick is written as (value - offset) / factor; linear scales only */
	char unit[64];                /* as shown after scaling: "nm", "10³ count", "" */
};

#define HS_MAX_TICKS 32

struct hs_ticks {
	size_t n;
	double value[HS_MAX_TICKS];
	char text[HS_MAX_TICKS][32];  /* UTF-8, true minus sign, superscript exponents */
};

/* Limits that are equal, swapped, not finite or (log) not positive are repaired: lo == hi is widened about the value. unit may
 * be NULL or "1" (none). */
void hs_scale_init(struct hs_scale *s, double lo, double hi, const char *unit, bool log);

/* Where value lies: 0 at lo, 1 at hi, outside beyond; NaN for NaN, and for value <= 0 on a log scale. */
double hs_scale_at(const struct hs_scale *s, double value);

/* At most about `wanted` ticks within lo..hi, at 1-2-5 steps (decades when log); at least one unless the range holds none. */
void hs_scale_ticks(const struct hs_scale *s, size_t wanted, struct hs_ticks *ticks);

/* "Energy loss (eV)", "Height - 1.2 µm (nm)", "Count (×10³)"; name NULL gives the unit alone. Caller frees. */
char *hs_scale_label(const struct hs_scale *s, const char *name);

/* value written with its unit and a sensible prefix, 3 significant digits by default: "12.5 nm". Caller frees. */
char *hs_scale_show(double value, int digits, const char *unit);

/* The largest of 1, 2, 5 times a power of ten that is not above x; x > 0. */
double hs_nice_below(double x);

enum hs_limits {
	HS_LIMITS_ROBUST,             /* percentiles 0.5 and 99.5; the full range when those coincide */
	HS_LIMITS_FULL,
	HS_LIMITS_GIVEN
};

/* Limits of the finite, unmasked values (mask NULL: all; nonzero = leave out); NaN, NaN when there is none. symmetric: about
 * zero. GIVEN leaves lo and hi as they are. HS_SYSTEM when memory is short. */
int hs_limits_find(const double *value, const uint8_t *mask, size_t n, enum hs_limits how, bool symmetric, double *lo, double *hi,
	struct hs_err *err);

/* Percentile p (0..100) with linear interpolation between order statistics, as numpy's default; reorders value; n > 0, no NaN. */
double hs_percentile(double *value, size_t n, double p);

#endif
