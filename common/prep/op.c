#include "prep/op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

static int no_axis(const struct hs_signal *s, const char *name, struct hs_err *err)
{
	struct hs_str there = { 0 };
	for (size_t i = 0; i < s->rank; i++)
		hs_str_addf(&there, "%s%s", i ? ", " : "", s->axis[i].name);
	hs_fail(err, HS_USAGE, "no axis '%.60s': there are %s", name, hs_str_get(&there));
	hs_str_release(&there);
	return -1;
}

/* Values of an axis between lo and hi: they need not ascend, but they are monotonic. */
static int inside(const struct hs_axis *a, double lo, double hi, size_t *first, size_t *last, struct hs_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < a->n; i++)
		if (a->value[i] >= lo && a->value[i] <= hi) {
			*first = n ? *first : i;
			*last = i;
			n++;
		}
	return n ? 0 : hs_fail(err, HS_USAGE, "nothing of %s is between %g and %g %s", a->name, lo, hi, a->units);
}

int hs_op_range(const char *text, const char *unit, double *lo, double *hi, struct hs_err *err)
{
	const char *colon = strchr(text, ':');
	*lo = -INFINITY;
	*hi = INFINITY;
	if (!colon)
		return hs_fail(err, HS_USAGE, "'%.60s' is no range LO:HI", text);
	char *low = hs_must_printf("%.*s", (int)(colon - text), text), *of_low, *of_high;
	strtod(low, &of_low);
	strtod(colon + 1, &of_high);
	if (*low && !*of_low && colon[1]) {           /* a unit behind the second is meant for both */
		char *both = hs_must_printf("%s%s", low, of_high);
		free(low);
		low = both;
	}
	const int verdict = (*low && hs_parse_quantity(low, unit, lo, err) < 0) ||
		(colon[1] && hs_parse_quantity(colon + 1, unit, hi, err) < 0) ? -1 : 0;
	free(low);
	return verdict == 0 && *lo > *hi ? hs_fail(err, HS_USAGE, "'%.60s' is an empty range", text) : verdict;
}

int hs_op_span(const struct hs_signal *s, const char *text, size_t *dim, size_t *first, size_t *last, struct hs_err *err)
{
	const char *equals = strchr(text, '=');
	double lo, hi;
	if (!equals)
		return hs_fail(err, HS_USAGE, "'%.60s' is not AXIS=LO:HI", text);
	char *name = hs_must_printf("%.*s", (int)(equals - text), text);
	const int found = hs_signal_find_axis(s, name);
	int verdict = found < 0 ? no_axis(s, name, err) : 0;
	free(name);
	if (verdict < 0)
		return -1;
	*dim = (size_t)found;
	const struct hs_axis *a = &s->axis[*dim];
	return hs_op_range(equals + 1, a->units, &lo, &hi, err) < 0 ? -1 : inside(a, lo, hi, first, last, err);
}

int hs_op_spectrum(const struct hs_stage *before, const char *op, const struct hs_axis **axis, struct hs_err *err)
{
	const struct hs_signal *s = &before->signal;
	if (s->sig_rank != 1)
		return hs_fail(err, HS_BAD_DATA, "%s is for spectra, and the pixels hold %s", op, s->sig_rank ? "patterns" : "single values");
	*axis = &s->axis[s->rank - 1];
	return 0;
}

int hs_op_window(const struct hs_axis *axis, const char *text, size_t *first, size_t *last, struct hs_err *err)
{
	double lo, hi;
	return hs_op_range(text, axis->units, &lo, &hi, err) < 0 ? -1 : inside(axis, lo, hi, first, last, err);
}

char *hs_op_word(const char *text, const char **rest)
{
	char *word = hs_must_dup(text ? text : ""), *colon = strchr(word, ':');
	*rest = NULL;
	if (colon) {
		*colon = 0;
		*rest = colon + 1;
	}
	return word;
}

char *hs_op_part(const char *text, size_t i)
{
	const char *from = text;
	for (; from && i; i--) {
		from = strchr(from, ',');
		from += from ? 1 : 0;
	}
	const char *comma = from ? strchr(from, ',') : NULL;
	return !from ? NULL : comma ? hs_must_printf("%.*s", (int)(comma - from), from) : hs_must_dup(from);
}

int hs_op_count(char *text, const char *what, size_t least, size_t most, size_t *n, struct hs_err *err)
{
	uint64_t v = 0;
	int verdict = text ? hs_parse_count(text, &v, err) : hs_fail(err, HS_USAGE, "%s is missing", what);
	if (verdict == 0 && (v < least || v > most))
		verdict = hs_fail(err, HS_USAGE, "%s is %.20s: it can be %zu to %zu", what, text, least, most);
	*n = (size_t)v;
	free(text);
	return verdict;
}

int hs_op_positive(char *text, const char *what, const char *unit, double *value, struct hs_err *err)
{
	int verdict = text ? hs_parse_quantity(text, unit, value, err) : hs_fail(err, HS_USAGE, "%s is missing", what);
	if (verdict == 0 && !(*value > 0))
		verdict = hs_fail(err, HS_USAGE, "%s is %.20s: it must be above 0", what, text);
	free(text);
	return verdict;
}
