/* units - numbers as people write them: parsed to the last character, with the unit they came with.
 *
 * Errors are HS_USAGE and quote the text; a caller that parses a file instead of a command line says so by prepending and
 * setting its own status. "nan", "inf" and hexadecimal are refused. The decimal point is always '.'. */
#ifndef HS_BASE_UNITS_H
#define HS_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int hs_parse_real(const char *text, double *value, struct hs_err *err);
int hs_parse_count(const char *text, uint64_t *value, struct hs_err *err);

/* n whole numbers with x between: "64x48x256". form says in the error what is wanted: "WIDTHxHEIGHT". */
int hs_parse_extent(const char *text, const char *form, size_t n, uint64_t *value, struct hs_err *err);

/* "512M", "2GiB", "64k", "4096": binary multiples, in bytes. */
int hs_parse_bytes(const char *text, uint64_t *bytes, struct hs_err *err);

/* "30", "30s", "500ms", "5min", "2h": in seconds. */
int hs_parse_seconds(const char *text, double *seconds, struct hs_err *err);

/* "-1.2mV" wanted in "V" gives -0.0012; a bare number is taken in the wanted unit. */
int hs_parse_quantity(const char *text, const char *unit, double *value, struct hs_err *err);

/* "LO:HI", lo < hi; a unit after HI alone is meant for both. */
int hs_parse_range(const char *text, const char *unit, double *lo, double *hi, struct hs_err *err);

/* Factor that turns a value in one unit into another (nm -> m: 1e-9); 0 when the two do not measure the same thing.
 * Knows SI prefixes, micro in both spellings, A for angstrom only as "Å" or "angstrom". */
double hs_unit_factor(const char *from, const char *to);

/* The unit in one spelling: "$nm$", "[n_m]", "µm" (both code points), "Angstrom", "" become nm, nm, µm, Å, 1. Caller frees. */
char *hs_unit_clean(const char *unit);

/* The largest SI prefix that leaves value at 1 or more: 4.2e-9 m -> "n", *scaled 4.2. */
const char *hs_si_prefix(double value, double *scaled);

/* "12.3 MiB" into text[16]. */
const char *hs_show_bytes(double bytes, char text[16]);

#endif
