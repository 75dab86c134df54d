#include "data/axis.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

static struct hs_axis blank(const char *name, const char *units, const char *quantity, enum hs_axis_kind kind, size_t n)
{
	return (struct hs_axis){ .name = hs_clean_name(name), .units = hs_unit_clean(units),
		.quantity = hs_must_dup(quantity && *quantity ? quantity : name), .kind = kind, .n = n,
		.value = hs_must_alloc(n, sizeof(double)) };
}

struct hs_axis hs_axis_uniform(const char *name, const char *units, const char *quantity, enum hs_axis_kind kind, size_t n,
	double offset, double step)
{
	struct hs_axis a = blank(name, units, quantity, kind, n);
	for (size_t i = 0; i < n; i++)
		a.value[i] = offset + step * (double)i;
	return a;
}

struct hs_axis hs_axis_values(const char *name, const char *units, const char *quantity, enum hs_axis_kind kind, size_t n,
	const double *value)
{
	struct hs_axis a = blank(name, units, quantity, kind, n);
	memcpy(a.value, value, n * sizeof *value);
	return a;
}

struct hs_axis hs_axis_numbers(const char *name, size_t n)
{
	struct hs_axis a = hs_axis_uniform(name, "1", NULL, HS_AXIS_CHANNEL, n, 1, 1);
	a.integer = true;
	return a;
}

struct hs_axis hs_axis_dup(const struct hs_axis *a)
{
	struct hs_axis b = *a;
	b.name = hs_must_dup(a->name);
	b.units = hs_must_dup(a->units);
	b.quantity = hs_must_dup(a->quantity);
	b.value = hs_must_alloc(a->n, sizeof(double));
	memcpy(b.value, a->value, a->n * sizeof(double));
	return b;
}

void hs_axis_release(struct hs_axis *a)
{
	free(a->name);
	free(a->units);
	free(a->quantity);
	free(a->value);
	*a = (struct hs_axis){ 0 };
}

bool hs_axis_is_uniform(const struct hs_axis *a)
{
	if (a->n < 2)
		return true;
	const double step = a->value[1] - a->value[0];
	for (size_t i = 1; i + 1 < a->n; i++)
		if (!(fabs(a->value[i + 1] - a->value[i] - step) <= 1e-5 * fabs(step)))
			return false;
	return true;
}

bool hs_axis_descends(const struct hs_axis *a)
{
	return a->n > 1 && a->value[a->n - 1] < a->value[0];
}

bool hs_axis_is_monotonic(const struct hs_axis *a)
{
	const double sign = hs_axis_descends(a) ? -1 : 1;
	for (size_t i = 0; i < a->n; i++)
		if (!isfinite(a->value[i]) || (i && !(sign * (a->value[i] - a->value[i - 1]) > 0)))
			return false;
	return true;
}

double hs_axis_step(const struct hs_axis *a)
{
	return a->n > 1 ? (a->value[a->n - 1] - a->value[0]) / (double)(a->n - 1) : 1;
}

size_t hs_axis_nearest(const struct hs_axis *a, double x)
{
	size_t best = 0;
	for (size_t i = 1; i < a->n; i++)
		if (fabs(a->value[i] - x) < fabs(a->value[best] - x))
			best = i;
	return best;
}

const char *hs_axis_what(const struct hs_axis *a)
{
	return a->kind == HS_AXIS_SPATIAL || a->kind == HS_AXIS_RECIPROCAL ? a->name : a->quantity;
}

char *hs_axis_label(const struct hs_axis *a)
{
	const char *what = hs_axis_what(a);
	return strcmp(a->units, "1") ? hs_must_printf("%s (%s)", what, a->units) : hs_must_dup(what);
}

static const char *const kind_name[] = {
	[HS_AXIS_UNKNOWN] = "UNKNOWN", [HS_AXIS_SPATIAL] = "SPATIAL", [HS_AXIS_RECIPROCAL] = "RECIPROCAL",
	[HS_AXIS_SPECTRAL] = "SPECTRAL", [HS_AXIS_TEMPORAL] = "TEMPORAL", [HS_AXIS_CHANNEL] = "CHANNEL", [HS_AXIS_POINT] = "POINT_CLOUD",
};

const char *hs_axis_kind_name(enum hs_axis_kind kind)
{
	return kind_name[kind];
}

enum hs_axis_kind hs_axis_kind_from(const char *name)
{
	for (size_t i = 0; i < HS_LEN(kind_name); i++)
		if (hs_same_word(name, kind_name[i]))
			return (enum hs_axis_kind)i;
	return HS_AXIS_UNKNOWN;
}

enum hs_axis_kind hs_axis_kind_guess(const char *name, const char *units)
{
	static const struct { const char *part; enum hs_axis_kind kind; } known[] = {
		{ "energy", HS_AXIS_SPECTRAL }, { "wavelength", HS_AXIS_SPECTRAL }, { "wavenumber", HS_AXIS_SPECTRAL },
		{ "frequency", HS_AXIS_SPECTRAL }, { "bias", HS_AXIS_SPECTRAL }, { "voltage", HS_AXIS_SPECTRAL },
		{ "raman", HS_AXIS_SPECTRAL }, { "spectr", HS_AXIS_SPECTRAL }, { "channel", HS_AXIS_SPECTRAL }, { "sweep", HS_AXIS_SPECTRAL },
		{ "time", HS_AXIS_TEMPORAL }, { "frame", HS_AXIS_TEMPORAL }, { "position", HS_AXIS_SPATIAL }, { "height", HS_AXIS_SPATIAL },
		{ "width", HS_AXIS_SPATIAL }, { "row", HS_AXIS_SPATIAL }, { "column", HS_AXIS_SPATIAL }, { "xaxis", HS_AXIS_SPATIAL },
		{ "yaxis", HS_AXIS_SPATIAL }, { "component", HS_AXIS_CHANNEL }, { "cluster", HS_AXIS_CHANNEL }, { "point", HS_AXIS_POINT },
	};
	char low[64] = "";
	for (size_t i = 0; i + 1 < sizeof low && name[i]; i++) {
		low[i] = (char)tolower((unsigned char)name[i]);
		low[i + 1] = 0;
	}
	for (size_t i = 0; i < HS_LEN(known); i++)
		if (strstr(low, known[i].part))
			return known[i].kind;
	if (hs_unit_factor(units, "V") || hs_unit_factor(units, "eV") || hs_unit_factor(units, "Hz") || !strcmp(units, "1/cm") ||
	    !strcmp(units, "cm-1"))
		return HS_AXIS_SPECTRAL;
	if (!strcmp(units, "1/nm") || !strcmp(units, "1/Å"))
		return HS_AXIS_RECIPROCAL;
	if (!strcmp(low, "x") || !strcmp(low, "y") || !strcmp(low, "z") || hs_unit_factor(units, "m"))
		return HS_AXIS_SPATIAL;
	return hs_unit_factor(units, "s") ? HS_AXIS_TEMPORAL : HS_AXIS_UNKNOWN;
}
