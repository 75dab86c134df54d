/* Derivatives of each spectrum, per unit of its axis. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "prep/op.h"
#include "prep/weights.h"

static void release(void *state)
{
	hs_weights_release(state);
	free(state);
}

/* count and eV -> count/eV, count/eV^2 */
static void set_units(struct hs_signal *s, const char *axis_units, size_t n)
{
	char *power = n > 1 ? hs_must_printf("^%zu", n) : hs_must_dup("");
	char *units = hs_must_printf("%s/%s%s", s->units, axis_units, power), *what = hs_must_printf("derivative of %s", s->quantity);
	if (strcmp(axis_units, "1") != 0)
		hs_signal_set(&s->units, units);
	hs_signal_set(&s->quantity, what);
	free(power);
	free(units);
	free(what);
}

/* Without a window the polynomial goes through the three (or five) nearest channels. */
static int open_derivative(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	size_t n, width, order;
	if (hs_op_spectrum(before, "a derivative", &axis, err) < 0 || hs_op_count(hs_op_part(args, 0), "the derivative", 1, 4, &n,
		err) < 0)
		return -1;
	width = n / 2 * 2 + 1 > n ? n / 2 * 2 + 1 : n + 2;
	order = width - 1;
	if (strchr(args, ',')) {
		if (hs_op_count(hs_op_part(args, 1), "the window", n + 1, axis->n > n ? axis->n : n + 1, &width, err) < 0)
			return -1;
		if (width % 2 == 0)
			return hs_fail(err, HS_USAGE, "a window of %zu channels has no middle: take an odd number", width);
		if (hs_op_count(hs_op_part(args, 2), "the order", n, width - 1 < 10 ? width - 1 : 10, &order, err) < 0)
			return -1;
	}
	if (width > axis->n)
		return hs_fail(err, HS_BAD_DATA, "derivative %zu wants %zu channels, and there are %zu", n, width, axis->n);
	struct hs_weights *w = hs_must_alloc(1, sizeof *w);
	hs_stage_begin(stage, before, w, release);
	set_units(&stage->signal, axis->units, n);
	if (hs_weights_local(w, axis, width, order, n, err) < 0)
		return -1;
	return hs_stage_rows(stage, before, 0, hs_weights_row, err);
}

const struct hs_op hs_op_derivative = { .name = "derivative", .metavar = "N", .help = "per axis unit; N,WINDOW,ORDER smooths",
	.open = open_derivative };
