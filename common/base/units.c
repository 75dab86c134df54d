#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* The number at the start of text; *end is behind it. Programs run in the C locale (nobody calls setlocale), so strtod's
 * decimal point is '.'. */
static int leading_number(const char *text, double *value, const char **end, struct hs_err *err)
{
	const char *digits = text + (*text == '+' || *text == '-');
	if (!(isdigit((unsigned char)*digits) || (*digits == '.' && isdigit((unsigned char)digits[1]))) ||
	    (digits[0] == '0' && (digits[1] | 32) == 'x'))
		return hs_fail(err, HS_USAGE, "'%.60s' is not a number", text);
	char *stop;
	errno = 0;
	*value = strtod(text, &stop);
	if (!isfinite(*value))
		return hs_fail(err, HS_USAGE, "'%.60s' is too large", text);
	*end = stop;
	return 0;
}

int hs_parse_real(const char *text, double *value, struct hs_err *err)
{
	const char *end = text;
	double v = 0;
	if (leading_number(text, &v, &end, err) < 0)
		return -1;
	if (*end)
		return hs_fail(err, HS_USAGE, "'%.60s' is not a number: what is '%.20s'?", text, end);
	*value = v;
	return 0;
}

int hs_parse_count(const char *text, uint64_t *value, struct hs_err *err)
{
	if (!isdigit((unsigned char)*text))
		return hs_fail(err, HS_USAGE, "'%.60s' is not a whole number", text);
	char *end;
	errno = 0;
	const unsigned long long v = strtoull(text, &end, 10);
	if (*end)
		return hs_fail(err, HS_USAGE, "'%.60s' is not a whole number: what is '%.20s'?", text, end);
	if (errno)
		return hs_fail(err, HS_USAGE, "'%.60s' is too large", text);
	*value = v;
	return 0;
}

int hs_parse_extent(const char *text, const char *form, size_t n, uint64_t *value, struct hs_err *err)
{
	const char *p = text;
	for (size_t i = 0; i < n; i++) {
		char *end = NULL;
		errno = 0;
		value[i] = isdigit((unsigned char)*p) ? strtoull(p, &end, 10) : 0;
		if (!end || errno || *end != (i + 1 < n ? 'x' : '\0'))
			return hs_fail(err, HS_USAGE, "'%.60s' is not %s", text, form);
		p = end + 1;
	}
	return 0;
}

int hs_parse_bytes(const char *text, uint64_t *bytes, struct hs_err *err)
{
	static const char prefix[] = "KMGTP";
	const char *end = text;
	double v = 0;
	if (leading_number(text, &v, &end, err) < 0)
		return -1;
	if (*end && strcmp(end, "B")) {
		const char *p = strchr(prefix, toupper((unsigned char)*end));
		if (!p || !(end[1] == 0 || !strcmp(end + 1, "B") || !strcmp(end + 1, "iB")))
			return hs_fail(err, HS_USAGE, "'%.60s' is not a size: write 512M, 2GiB or 4096", text);
		v = ldexp(v, 10 * (int)(p - prefix + 1));
	}
	if (v < 0 || v >= 0x1p63)
		return hs_fail(err, HS_USAGE, "'%.60s' is out of range", text);
	*bytes = (uint64_t)v;
	return 0;
}

int hs_parse_seconds(const char *text, double *seconds, struct hs_err *err)
{
	static const struct { const char *unit; double s; } known[] = {
		{ "", 1 }, { "s", 1 }, { "ms", 1e-3 }, { "min", 60 }, { "h", 3600 }, { "d", 86400 },
	};
	const char *end = text;
	double v = 0;
	if (leading_number(text, &v, &end, err) < 0)
		return -1;
	for (size_t i = 0; i < HS_LEN(known); i++)
		if (!strcmp(end, known[i].unit)) {
			if (v < 0)
				return hs_fail(err, HS_USAGE, "'%.60s': a time cannot be negative", text);
			*seconds = v * known[i].s;
			return 0;
		}
	return hs_fail(err, HS_USAGE, "'%.60s' is not a time: write 30s, 5min or 2h", text);
}

/* Base units whose SI prefixes we understand, and their size in a common base of the same kind. */
static const struct { const char *name, *kind; double size; } base_unit[] = {
	{ "m", "m", 1 }, { "Å", "m", 1e-10 }, { "s", "s", 1 }, { "min", "s", 60 }, { "h", "s", 3600 }, { "Hz", "Hz", 1 },
	{ "V", "V", 1 }, { "A", "A", 1 }, { "eV", "eV", 1 }, { "J", "eV", 1 / 1.602176634e-19 }, { "N", "N", 1 }, { "K", "K", 1 },
	{ "rad", "rad", 1 }, { "deg", "rad", M_PI / 180 }, { "°", "rad", M_PI / 180 }, { "F", "F", 1 }, { "W", "W", 1 },
	{ "Pa", "Pa", 1 }, { "T", "T", 1 }, { "1", "1", 1 }, { "%", "1", 0.01 }, { "count", "count", 1 }, { "counts", "count", 1 },
};

static const struct { const char *name; double factor; } si_prefix[] = {
	{ "", 1 }, { "f", 1e-15 }, { "p", 1e-12 }, { "n", 1e-9 }, { "µ", 1e-6 }, { "u", 1e-6 }, { "m", 1e-3 }, { "c", 1e-2 },
	{ "k", 1e3 }, { "M", 1e6 }, { "G", 1e9 }, { "T", 1e12 },
};

static bool resolve(const char *unit, const char **kind, double *size)
{
	for (size_t p = 0; p < HS_LEN(si_prefix); p++) {
		if (!hs_starts(unit, si_prefix[p].name))
			continue;
		const char *rest = unit + strlen(si_prefix[p].name);
		for (size_t u = 0; u < HS_LEN(base_unit); u++)
			if (!strcmp(rest, base_unit[u].name)) {
				*kind = base_unit[u].kind;
				*size = si_prefix[p].factor * base_unit[u].size;
				return true;
			}
	}
	return false;
}

char *hs_unit_clean(const char *unit)
{
	struct hs_str s = { 0 };
	for (const char *p = unit ? unit : ""; *p; p++) {
		if (strchr("$[]{}\\_ \t", *p))
			continue;
		if (hs_starts(p, "\xce\xbc")) {           /* Greek mu -> micro sign */
			hs_str_add(&s, "µ");
			p++;
		} else if (hs_starts(p, "\xe2\x84\xab")) { /* angstrom sign -> letter */
			hs_str_add(&s, "Å");
			p += 2;
		} else {
			hs_str_add_bytes(&s, p, 1);
		}
	}
	static const struct { const char *seen, *clean; } same[] = {
		{ "", "1" }, { "um", "µm" }, { "Angstrom", "Å" }, { "angstrom", "Å" }, { "Ang", "Å" }, { "None", "1" },
		{ "none", "1" }, { "a.u.", "1" }, { "arb.u.", "1" }, { "<undefined>", "1" }, { "Counts", "count" },
		{ "counts", "count" }, { "nanometers", "nm" }, { "meters", "m" }, { "Volts", "V" }, { "volts", "V" },
	};
	for (size_t i = 0; i < HS_LEN(same); i++)
		if (!strcmp(hs_str_get(&s), same[i].seen)) {
			hs_str_release(&s);
			return hs_must_dup(same[i].clean);
		}
	return hs_str_take(&s);
}

double hs_unit_factor(const char *from, const char *to)
{
	char *a = hs_unit_clean(from), *b = hs_unit_clean(to);
	const char *kind_a, *kind_b;
	double size_a, size_b, factor = 0;
	if (!strcmp(a, b))
		factor = 1;
	else if (resolve(a, &kind_a, &size_a) && resolve(b, &kind_b, &size_b) && !strcmp(kind_a, kind_b))
		factor = size_a / size_b;
	free(a);
	free(b);
	return factor;
}

int hs_parse_quantity(const char *text, const char *unit, double *value, struct hs_err *err)
{
	const char *end = text;
	double v = 0, factor = 1;
	if (leading_number(text, &v, &end, err) < 0)
		return -1;
	if (*end && (factor = hs_unit_factor(end, unit)) == 0)
		return hs_fail(err, HS_USAGE, "'%.60s': the unit must be one of %s", text, unit);
	*value = v * factor;
	return 0;
}

const char *hs_si_prefix(double value, double *scaled)
{
	static const char *const name[] = { "f", "p", "n", "µ", "m", "", "k", "M", "G", "T" };
	const double a = fabs(value);
	int k = a > 0 && isfinite(a) ? (int)floor(log10(a) / 3 + 1e-9) : 0;
	k = k < -5 ? -5 : k > 4 ? 4 : k;
	*scaled = value / pow(10, 3 * k);
	return name[k + 5];
}

const char *hs_show_bytes(double bytes, char text[16])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t k = 0;
	while (bytes >= 1024 && k + 1 < HS_LEN(unit)) {
		bytes /= 1024;
		k++;
	}
	snprintf(text, 16, k && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, unit[k]);
	return text;
}

int hs_parse_range(const char *text, const char *unit, double *lo, double *hi, struct hs_err *err)
{
	const char *colon = strchr(text, ':');
	if (!colon || colon == text || !colon[1])
		return hs_fail(err, HS_USAGE, "'%.60s' is no range LO:HI", text);
	char *first = hs_must_dup(text), *end, *unit_of_hi;
	first[colon - text] = 0;
	strtod(colon + 1, &unit_of_hi);
	strtod(first, &end);
	if (!*end && *unit_of_hi) {
		char *with = hs_must_printf("%s%s", first, unit_of_hi);
		free(first);
		first = with;
	}
	const int verdict = hs_parse_quantity(first, unit, lo, err) < 0 || hs_parse_quantity(colon + 1, unit, hi, err) < 0 ? -1 : 0;
	free(first);
	if (verdict == 0 && !(*lo < *hi))
		return hs_fail(err, HS_USAGE, "'%.60s' is an empty range", text);
	return verdict;
}
