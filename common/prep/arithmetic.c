#include "prep/arithmetic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"

enum shape { NUMBER, SPECTRUM, MAP, CUBE };

struct operand {
	enum hs_arithmetic how;
	enum shape shape;
	size_t n;                     /* channels of the cube */
	double factor;                /* to the unit of the cube */
	double number;
	double *value;                /* SPECTRUM, MAP */
	struct hs_other other;        /* CUBE: kept open */
};

static void release(void *state)
{
	struct operand *o = state;
	if (o->other.close)
		o->other.close(o->other.handle);
	free(o->value);
	free(o);
}

static double result(enum hs_arithmetic how, double a, double b)
{
	switch (how) {
	case HS_ADD: return a + b;
	case HS_SUBTRACT: return a - b;
	case HS_MULTIPLY: return a * b;
	case HS_DIVIDE: return a / b;
	}
	return NAN;
}

static bool combine(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct operand *o = state;
	(void)scratch;
	for (size_t i = 0; i < o->n; i++) {
		const double b = o->shape == NUMBER ? o->number : o->shape == MAP ? o->value[pixel] : o->shape == SPECTRUM ? o->value[i] :
			in[o->n + i];
		out[i] = result(o->how, in[i], b * o->factor);
	}
	return true;
}

/* All values of a small source, NaN where it skips. */
static double *read_all(struct hs_rowsource *s, struct hs_err *err)
{
	double *v = hs_alloc(s->n_rows, s->n_chan * sizeof *v, err);
	struct hs_batch b = { .n_blocks = 1 };
	int verdict = v ? s->rewind(s, err) : -1;
	while (verdict == 0 && b.n_blocks) {
		verdict = s->next(s, &b, err);
		for (size_t i = 0; verdict == 0 && b.n_blocks && i < b.n_rows * s->n_chan; i++)
			v[b.first_row * s->n_chan + i] = b.skip[i / s->n_chan] ? (double)NAN : s->type == HS_ROW_F32 ?
				(double)((const float *)b.x)[i] : ((const double *)b.x)[i];
	}
	if (verdict == 0)
		return v;
	free(v);
	return NULL;
}

static int find_shape(struct operand *o, const struct hs_stage *before, const char *path, struct hs_err *err)
{
	const struct hs_rowsource *s = o->other.source;
	const struct hs_signal *signal = o->other.signal;
	const size_t all = hs_signal_count(signal);
	if (signal->sig_rank == before->signal.sig_rank && s->n_rows == before->n_pix && s->n_chan == before->n_chan)
		o->shape = CUBE;
	else if (signal->sig_rank == before->signal.sig_rank && all == before->n_chan)
		o->shape = SPECTRUM;
	else if (all == before->n_pix)
		o->shape = MAP;
	else
		return hs_fail(err, HS_BAD_DATA, "'%s' has %zu values: not the %zu x %zu of the data, nor one a channel, nor one a pixel", path,
			all, before->n_pix, before->n_chan);
	return 0;
}

/* Channels that lie elsewhere are worth a word. */
static void compare_axes(const struct operand *o, const struct hs_stage *before, const char *path)
{
	const struct hs_axis *a = &before->signal.axis[before->signal.rank - 1], *b = &o->other.signal->axis[o->other.signal->rank - 1];
	if (o->shape == MAP || !a->n || before->signal.sig_rank != 1)
		return;
	const double slack = 1e-3 * fabs(hs_axis_step(a));
	const double first = b->value[0], last = b->value[b->n - 1];
	if (strcmp(a->units, b->units) != 0 || fabs(a->value[0] - first) > slack || fabs(a->value[a->n - 1] - last) > slack)
		hs_warn("'%s': channels go from %g to %g %s, those of the data from %g to %g %s", path, first, last, b->units, a->value[0],
			a->value[a->n - 1], a->units);
}

static int open_file(struct operand *o, const struct hs_stage *before, const char *path, struct hs_err *err)
{
	if (!before->files)
		return hs_fail(err, HS_USAGE, "'%.60s' is not a number", path);
	if (before->files->open(before->files->ctx, path, &o->other, err) < 0 || find_shape(o, before, path, err) < 0)
		return -1;
	compare_axes(o, before, path);
	if (o->shape == CUBE)
		return 0;
	if (!(o->value = read_all(o->other.source, err)))
		return -1;
	size_t bad = 0;
	for (size_t i = 0; o->shape == SPECTRUM && i < o->n; i++)
		bad += !isfinite(o->value[i]) || (o->how == HS_DIVIDE && o->value[i] == 0);
	return bad ? hs_fail(err, HS_BAD_DATA, "'%s': %zu of %zu channels are %snot finite: no pixel would be left", path, bad, o->n,
		o->how == HS_DIVIDE ? "0 or " : "") : 0;
}

/* The unit of the result, and the factor to the unit of the data. */
static int set_units(struct operand *o, struct hs_signal *s, const char *other, struct hs_err *err)
{
	const bool bare = !strcmp(other, "1"), sum = o->how == HS_ADD || o->how == HS_SUBTRACT;
	const double same = hs_unit_factor(other, s->units);
	char *units = NULL;
	if (sum && same == 0 && !bare && strcmp(s->units, "1") != 0)
		return hs_fail(err, HS_BAD_DATA, "its unit is %s, that of the data %s", other, s->units);
	o->factor = (sum || o->how == HS_DIVIDE) && same > 0 ? same : 1;
	if (o->how == HS_DIVIDE && same > 0)
		units = hs_must_dup("1");
	else if (!sum && !bare)
		units = o->how == HS_DIVIDE ? hs_must_printf("%s/%s", s->units, other) : !strcmp(s->units, "1") ? hs_must_dup(other) :
			hs_must_printf("%s*%s", s->units, other);
	if (units)
		hs_signal_set(&s->units, units);
	free(units);
	return 0;
}

int hs_arithmetic_open(struct hs_stage *stage, const struct hs_stage *before, const char *args, enum hs_arithmetic how,
	struct hs_err *err)
{
	const bool sum = how == HS_ADD || how == HS_SUBTRACT;
	struct operand *o = hs_must_alloc(1, sizeof *o);
	struct hs_err no_number = { 0 };
	*o = (struct operand){ .how = how, .n = before->n_chan, .factor = 1 };
	hs_stage_begin(stage, before, o, release);
	if (hs_parse_quantity(args, sum ? before->signal.units : "1", &o->number, &no_number) == 0) {
		if (how == HS_DIVIDE && o->number == 0)
			return hs_fail(err, HS_USAGE, "nothing can be divided by 0");
		return hs_stage_rows(stage, before, 0, combine, err);
	}
	if (open_file(o, before, args, err) < 0)
		return -1;
	if (set_units(o, &stage->signal, o->other.signal->units, err) < 0)
		return hs_err_prepend(err, "'%s'", args);
	return hs_stage_rows_with(stage, before, o->shape == CUBE ? o->other.source : NULL, 0, combine, err);
}
