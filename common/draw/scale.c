#include "draw/scale.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

/* ---- how numbers are written ---- */

static void add_superscript(struct hs_str *s, int n)
{
	static const char *const digit[] = { "⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹" };
	char text[16];
	snprintf(text, sizeof text, "%d", n);
	for (const char *p = text; *p; p++)
		hs_str_add(s, *p == '-' ? "⁻" : digit[*p - '0']);
}

static void copy_text(char *out, size_t room, const char *text)
{
	size_t n = strlen(text);
	if (n >= room) {
		n = room - 1;
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out, text, n);
	out[n] = 0;
}

/* "-1.50" with a true minus sign. */
static void write_number(char *out, size_t room, double v, int decimals)
{
	char plain[48];
	if (v == 0)
		v = 0;                            /* no "-0" */
	snprintf(plain, sizeof plain, "%.*f", decimals, v);
	struct hs_str s = { 0 };
	hs_str_add(&s, plain[0] == '-' ? "−" : "");
	hs_str_add(&s, plain + (plain[0] == '-'));
	copy_text(out, room, hs_str_get(&s));
	hs_str_release(&s);
}

/* The unit without its SI prefix, when it is one that takes prefixes: "nm" -> "m". */
static const char *bare_unit(const char *unit)
{
	static const char *const base[] = { "eV", "Hz", "Pa", "m", "s", "V", "A", "N", "J", "F", "W", "T" };
	const size_t n = strlen(unit);
	for (size_t i = 0; i < HS_LEN(base); i++) {
		const size_t m = strlen(base[i]);
		if (n >= m && n - m <= 2 && !strcmp(unit + n - m, base[i]) && hs_unit_factor(unit, base[i]) > 0 && unit[0] != 'c')
			return base[i];
	}
	return NULL;
}

/* Chooses factor and unit so that numbers up to size read well. */
static void choose_unit(double size, const char *unit, double *factor, char *out, size_t room)
{
	char *clean = hs_unit_clean(unit);
	const char *shown = strcmp(clean, "1") ? clean : "";
	*factor = 1;
	copy_text(out, room, shown);
	const char *bare = bare_unit(clean);
	struct hs_str s = { 0 };
	if (bare && size > 0 && !(size >= 0.1 && size < 1e4)) {
		const double to_bare = hs_unit_factor(clean, bare);
		double scaled;
		const char *prefix = hs_si_prefix(size * to_bare, &scaled);
		if (scaled >= 0.1 && scaled < 1e4) {
			hs_str_addf(&s, "%s%s", prefix, bare);
			*factor = 1 / hs_unit_factor(clean, hs_str_get(&s));
			*factor = *factor > 0 && isfinite(*factor) ? pow(10, round(log10(*factor))) : 1;
			copy_text(out, room, hs_str_get(&s));
			goto done;
		}
	}
	if (size > 0 && !(size >= 1e-2 && size < 1e5)) {
		int power = (int)floor(log10(size) / 3) * 3;
		power = power < -306 ? -306 : power;
		*factor = pow(10, power);
		hs_str_add(&s, *shown ? "10" : "×10");
		add_superscript(&s, power);
		if (*shown)
			hs_str_addf(&s, " %s", shown);
		copy_text(out, room, hs_str_get(&s));
	}
done:
	hs_str_release(&s);
	free(clean);
}

#define LEAST 4.9406564584124654e-324     /* the smallest double above 0 */

/* ---- limits ---- */

static double clamp_finite(double v)
{
	return v > DBL_MAX ? DBL_MAX : v < -DBL_MAX ? -DBL_MAX : v;
}

void hs_scale_init(struct hs_scale *s, double lo, double hi, const char *unit, bool log_scale)
{
	*s = (struct hs_scale){ .log = log_scale, .factor = 1 };
	if (isnan(lo) || isnan(hi) || (log_scale && !(lo > 0 && hi > 0))) {
		lo = log_scale && hi > 0 ? fmax(hi / 10, LEAST) : log_scale ? 0.1 : 0;
		hi = log_scale && hi > 0 ? hi : 1;
	}
	lo = clamp_finite(lo);
	hi = clamp_finite(hi);
	if (lo > hi) {
		const double t = lo;
		lo = hi;
		hi = t;
	}
	const double size = fmax(fabs(lo), fabs(hi));
	if (log_scale) {
		if (hi / lo < 1.0001) {
			lo = fmax(lo / 2, LEAST);
			hi = clamp_finite(hi * 2);
		}
	} else if (!(hi / 2 - lo / 2 > 2e-13 * size / 2)) {
		const double widen = size > 0 ? fmax(0.05 * size, DBL_MIN) : 0.5;
		lo = clamp_finite(lo - widen);
		hi = clamp_finite(hi + widen);
	}
	s->lo = lo;
	s->hi = hi;
	if (log_scale) {
		char *clean = hs_unit_clean(unit);
		copy_text(s->unit, sizeof s->unit, strcmp(clean, "1") ? clean : "");
		free(clean);
		return;
	}
	const double range = hi / 2 - lo / 2, top = fmax(fabs(lo), fabs(hi));
	if (range * 2 < 2e-4 * top && range > 0) {
		const double unit_of_offset = pow(10, ceil(log10(range * 2)) + 1);
		s->offset = floor(lo / unit_of_offset) * unit_of_offset;
		if (!isfinite(s->offset))
			s->offset = 0;
	}
	choose_unit(s->offset != 0 ? fmax(fabs(lo - s->offset), fabs(hi - s->offset)) : top, unit, &s->factor, s->unit, sizeof s->unit);
}

double hs_scale_at(const struct hs_scale *s, double value)
{
	if (isnan(value) || (s->log && value <= 0))
		return NAN;
	if (s->log)
		return (log10(value) - log10(s->lo)) / (log10(s->hi) - log10(s->lo));
	return (value / 2 - s->lo / 2) / (s->hi / 2 - s->lo / 2);
}

double hs_nice_below(double x)
{
	const double p = pow(10, floor(log10(x) + 1e-9));
	const double m = x / p * (1 + 1e-9);
	return (m >= 5 ? 5 : m >= 2 ? 2 : 1) * p;
}

static double nice_above(double x)
{
	const double p = pow(10, floor(log10(x)));
	const double m = x / p * (1 - 1e-9);
	return (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10) * p;
}

static void linear_ticks(const struct hs_scale *s, size_t wanted, struct hs_ticks *t)
{
	/* in shown units, where numbers are of ordinary size */
	const double lo = (s->lo - s->offset) / s->factor, hi = (s->hi - s->offset) / s->factor;
	double step = nice_above((hi / 2 - lo / 2) / (double)(wanted ? wanted : 1) * 2);
	if (s->integer)
		step = fmax(1, step);
	if (!(step > 0) || !isfinite(step))
		return;
	const int decimals = (int)fmax(0, fmin(15, -floor(log10(step) + 1e-9)));
	const double slack = 1e-9 * step, first = ceil((lo - slack) / step);
	for (double k = first; t->n < HS_MAX_TICKS && k * step <= hi + slack; k++) {
		const double u = k * step, v = u * s->factor + s->offset;
		t->value[t->n] = v < s->lo ? s->lo : v > s->hi ? s->hi : v;
		write_number(t->text[t->n], sizeof t->text[0], u, decimals);
		t->n++;
		if (k + 1 == k)
			break;
	}
}

static void log_ticks(const struct hs_scale *s, size_t wanted, struct hs_ticks *t)
{
	const double lo = log10(s->lo), hi = log10(s->hi);
	const int first = (int)ceil(lo - 1e-9), last = (int)floor(hi + 1e-9);
	if (last - first < 1) {
		struct hs_scale plain = *s;
		plain.log = false;
		linear_ticks(&plain, wanted, t);
		return;
	}
	int stride = 1;
	const int most = wanted > 1 ? (int)wanted : 2;
	while ((last - first) / stride + 1 > most)
		stride++;
	for (int k = first; k <= last && t->n < HS_MAX_TICKS; k++) {
		if (((k % stride) + stride) % stride)
			continue;
		struct hs_str text = { 0 };
		hs_str_add(&text, "10");
		add_superscript(&text, k);
		t->value[t->n] = pow(10, k);
		copy_text(t->text[t->n], sizeof t->text[0], hs_str_get(&text));
		t->n++;
		hs_str_release(&text);
	}
}

void hs_scale_ticks(const struct hs_scale *s, size_t wanted, struct hs_ticks *ticks)
{
	ticks->n = 0;
	wanted = wanted > HS_MAX_TICKS - 2 ? HS_MAX_TICKS - 2 : wanted;
	if (s->log)
		log_ticks(s, wanted, ticks);
	else
		linear_ticks(s, wanted, ticks);
}

char *hs_scale_label(const struct hs_scale *s, const char *name)
{
	struct hs_str out = { 0 };
	if (name && *name) {
		/* The first letter of the sentence, when it is plain ASCII and not a one-letter symbol, is a capital. */
		const bool raise = name[0] >= 'a' && name[0] <= 'z' && name[1] >= 'a' && name[1] <= 'z';
		const char first[2] = { raise ? (char)(name[0] - 'a' + 'A') : name[0], 0 };
		hs_str_add(&out, first);
		hs_str_add(&out, name + 1);
	}
	if (s->offset != 0) {
		char number[40];
		snprintf(number, sizeof number, "%.12g", fabs(s->offset));
		hs_str_addf(&out, " %s %s", s->offset > 0 ? "−" : "+", number);
	}
	if (*s->unit)
		hs_str_addf(&out, out.len ? " (%s)" : "%s", s->unit);
	return hs_str_take(&out);
}

char *hs_scale_show(double value, int digits, const char *unit)
{
	if (!isfinite(value))
		return hs_must_dup(isnan(value) ? "no value" : value > 0 ? "∞" : "−∞");
	double factor;
	char shown[64];
	choose_unit(fabs(value), unit, &factor, shown, sizeof shown);
	struct hs_str s = { 0 };
	const double u = value / factor;
	char number[64];
	digits = digits > 0 ? digits : 3;
	const int whole = u < 0 || u > 0 ? (int)floor(log10(fabs(u)) + 1e-9) + 1 : 1;        /* digits before the point */
	snprintf(number, sizeof number, "%.*f", digits > whole ? digits - whole : 0, fabs(u));
	if (strchr(number, '.')) {                            /* 2.50 is 2.5 */
		size_t n = strlen(number);
		while (number[n - 1] == '0')
			number[--n] = 0;
		if (number[n - 1] == '.')
			number[n - 1] = 0;
	}
	hs_str_addf(&s, "%s%s", u < 0 ? "−" : "", number);
	if (*shown)
		hs_str_addf(&s, "%s%s", hs_starts(shown, "×") || hs_starts(shown, "°") ? "" : hs_starts(shown, "10") ? "·" : " ", shown);
	return hs_str_take(&s);
}

/* ---- order statistics ---- */

/* Hoare's selection with the median of three: afterwards v[k] is the k-th smallest, none greater before, none smaller behind. */
static void select_kth(double *v, size_t n, size_t k)
{
	size_t lo = 0, hi = n - 1;
	while (lo < hi) {
		const double a = v[lo], b = v[lo + (hi - lo) / 2], c = v[hi];
		const double pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
		size_t i = lo, j = hi;
		for (;;) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i >= j)
				break;
			const double t = v[i];
			v[i++] = v[j];
			v[j--] = t;
		}
		/* v[lo..j] <= pivot <= v[j+1..hi], and j < hi because the pivot is a median */
		if (k <= j)
			hi = j;
		else
			lo = j + 1;
	}
}

double hs_percentile(double *value, size_t n, double p)
{
	const double place = fmin(fmax(p, 0), 100) / 100 * (double)(n - 1);
	const size_t k = (size_t)floor(place);
	select_kth(value, n, k);
	const double below = value[k];
	if (k + 1 >= n || place <= (double)k)
		return below;
	double above = value[k + 1];
	for (size_t i = k + 2; i < n; i++)
		above = fmin(above, value[i]);
	const double part = place - (double)k;
	return below * (1 - part) + above * part;
}

int hs_limits_find(const double *value, const uint8_t *mask, size_t n, enum hs_limits how, bool symmetric, double *lo, double *hi,
	struct hs_err *err)
{
	if (how == HS_LIMITS_GIVEN)
		return 0;
	double least = INFINITY, most = -INFINITY;
	size_t good = 0;
	for (size_t i = 0; i < n; i++)
		if (isfinite(value[i]) && !(mask && mask[i])) {
			least = fmin(least, value[i]);
			most = fmax(most, value[i]);
			good++;
		}
	if (!good) {
		*lo = *hi = NAN;
		return 0;
	}
	*lo = least;
	*hi = most;
	if (how == HS_LIMITS_ROBUST && good > 2) {
		double *copy = hs_alloc(good, sizeof *copy, err);
		if (!copy)
			return -1;
		size_t k = 0;
		for (size_t i = 0; i < n; i++)
			if (isfinite(value[i]) && !(mask && mask[i]))
				copy[k++] = value[i];
		const double a = hs_percentile(copy, good, 0.5), b = hs_percentile(copy, good, 99.5);
		free(copy);
		if (a < b) {
			*lo = a;
			*hi = b;
		}
	}
	if (symmetric) {
		*hi = fmax(fabs(*lo), fabs(*hi));
		*lo = -*hi;
	}
	return 0;
}
