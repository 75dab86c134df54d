/* The spectral axis in another unit: wavelength, photon energy, wavenumber, frequency.
 *
 * All of these are proportional to the energy, or to its reciprocal. So |d old / d new| = old / new, and a density per old unit
 * becomes one per new unit by that factor (Mooney, Kambhampati, J. Phys. Chem. Lett. 4 (2013) 3316). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "prep/op.h"
#include "prep/weights.h"

#define HC_EV_M 1.2398419843320026e-06        /* h c / e and h / e, exact since 2019 */
#define H_EV_S 4.135667696923859e-15

enum kind { WAVELENGTH, ENERGY, WAVENUMBER, FREQUENCY, N_KINDS };
static const char *const kind_name[] = { "wavelength", "energy", "wavenumber", "frequency" };

/* What a unit measures, and the factor to m, eV, 1/m or Hz; false for anything else. */
static bool resolve(const char *unit, enum kind *kind, double *factor)
{
	static const char *const base[] = { "m", "eV", NULL, "Hz" };
	for (int k = 0; k < N_KINDS; k++)
		if (base[k] && (*factor = hs_unit_factor(unit, base[k])) > 0) {
			*kind = (enum kind)k;
			return true;
		}
	static const struct { const char *unit; double factor; } per[] = {
		{ "1/cm", 100 }, { "cm^-1", 100 }, { "cm-1", 100 }, { "1/m", 1 }, { "1/nm", 1e9 }, { "1/µm", 1e6 },
	};
	*kind = WAVENUMBER;
	for (size_t i = 0; i < HS_LEN(per); i++)
		if (!strcmp(unit, per[i].unit)) {
			*factor = per[i].factor;
			return true;
		}
	return false;
}

static double to_ev(enum kind kind, double v)
{
	return kind == WAVELENGTH ? HC_EV_M / v : kind == ENERGY ? v : kind == WAVENUMBER ? HC_EV_M * v : H_EV_S * v;
}

static double from_ev(enum kind kind, double ev)
{
	return kind == WAVELENGTH ? HC_EV_M / ev : kind == ENERGY ? ev : kind == WAVENUMBER ? ev / HC_EV_M : ev / H_EV_S;
}

static void release(void *state)
{
	hs_weights_release(state);
	free(state);
}

struct wish {
	enum kind from, to;
	double from_factor, to_factor;
	char *unit;
	bool values;                  /* they are no densities */
};

static int parse(struct wish *w, const char *args, const struct hs_axis *axis, struct hs_err *err)
{
	char *unit = hs_op_part(args, 0), *word = hs_op_part(args, 1);
	w->unit = hs_unit_clean(unit);
	w->values = word && !strcmp(word, "values");
	int verdict = word && !w->values ? hs_fail(err, HS_USAGE, "'%.60s' is not 'values'", word) : 0;
	if (verdict == 0 && !resolve(w->unit, &w->to, &w->to_factor))
		verdict = hs_fail(err, HS_USAGE, "'%.60s' is no unit of light: write nm, eV, 1/cm or THz", unit);
	if (verdict == 0 && !resolve(axis->units, &w->from, &w->from_factor))
		verdict = hs_fail(err, HS_BAD_DATA, "%s is in %s, which is no unit of light (--calibrate gives it one)", axis->name,
			axis->units);
	for (size_t i = 0; verdict == 0 && i < axis->n; i++)
		if (!(axis->value[i] > 0))
			verdict = hs_fail(err, HS_BAD_DATA, "%s reaches %g %s: it must be above 0", axis->name, axis->value[i], axis->units);
	free(unit);
	free(word);
	return verdict;
}

/* The new axis, ascending, and one weight a channel. */
static int turn(struct hs_weights *w, struct hs_axis *axis, const struct wish *wish, struct hs_err *err)
{
	const size_t n = axis->n;
	double *old = axis->value;
	if (hs_weights_init(w, n, n, err) < 0)
		return -1;
	double *now = hs_alloc(n, sizeof *now, err);
	if (!now)
		return -1;
	const bool down = hs_axis_descends(axis), flip = down != ((wish->from == WAVELENGTH) != (wish->to == WAVELENGTH));
	for (size_t i = 0; i < n; i++) {
		const size_t k = flip ? n - 1 - i : i;
		now[i] = from_ev(wish->to, to_ev(wish->from, old[k] * wish->from_factor)) / wish->to_factor;
		w->first[i] = k;
		w->count[i] = 1;
		w->at[i] = i;
		w->weight[i] = wish->values ? 1 : old[k] / now[i];
	}
	axis->value = now;
	free(old);
	return 0;
}

/* count/nm becomes count/eV */
static void set_units(struct hs_signal *s, const char *from, const char *to)
{
	const size_t n = strlen(s->units), m = strlen(from);
	if (n < m + 2 || s->units[n - m - 1] != '/' || strcmp(s->units + n - m, from) != 0)
		return;
	char *units = hs_must_printf("%.*s%s", (int)(n - m), s->units, to);
	hs_signal_set(&s->units, units);
	free(units);
}

static int open_convert(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	struct wish wish = { 0 };
	if (hs_op_spectrum(before, "a change of the spectral unit", &axis, err) < 0)
		return -1;
	int verdict = parse(&wish, args, axis, err);
	if (verdict == 0) {
		struct hs_weights *w = hs_must_alloc(1, sizeof *w);
		hs_stage_begin(stage, before, w, release);
		struct hs_axis *now = &stage->signal.axis[stage->signal.rank - 1];
		verdict = turn(w, now, &wish, err);
		if (!wish.values)
			set_units(&stage->signal, now->units, wish.unit);
		hs_signal_set(&now->units, wish.unit);
		if (wish.from != wish.to) {
			hs_signal_set(&now->name, kind_name[wish.to]);
			hs_signal_set(&now->quantity, kind_name[wish.to]);
		}
		if (verdict == 0 && !hs_axis_is_monotonic(now))
			verdict = hs_fail(err, HS_BAD_DATA, "channels cannot be told apart in %s", wish.unit);
	}
	free(wish.unit);
	return verdict < 0 ? -1 : hs_stage_rows(stage, before, 0, hs_weights_row, err);
}

const struct hs_op hs_op_convert = { .name = "convert", .metavar = "UNIT",
	.help = "spectral axis in nm, eV, 1/cm, THz; ,values: no densities", .open = open_convert };
