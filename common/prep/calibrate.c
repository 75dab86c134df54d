/* An axis whose values are put right. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "prep/op.h"

struct width {
	size_t n;
};

static bool keep(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	(void)pixel, (void)scratch;
	memcpy(out, in, ((const struct width *)state)->n * sizeof *out);
	return true;
}

/* "IS:OUGHT" */
static int pair(const char *text, const char *unit, double *is, double *ought, struct hs_err *err)
{
	const char *colon = strchr(text, ':');
	char *first = hs_must_printf("%.*s", (int)(colon - text), text);
	const int verdict = hs_parse_quantity(first, unit, is, err) < 0 || hs_parse_quantity(colon + 1, unit, ought, err) < 0 ? -1 : 0;
	free(first);
	return verdict;
}

/* "OFFSET[,SCALE[,UNIT]]" or "IS:OUGHT[,IS:OUGHT][,UNIT]": x becomes offset + scale x. *unit (caller frees) or NULL. */
static int parse(const char *args, const char *was, double *offset, double *scale, char **unit, struct hs_err *err)
{
	char *part[3] = { hs_op_part(args, 0), hs_op_part(args, 1), hs_op_part(args, 2) };
	char *more = hs_op_part(args, 3);
	double is[2] = { 0, 1 }, ought[2] = { 0, 1 };
	int verdict = more ? hs_fail(err, HS_USAGE, "'%.60s' has too many parts", args) : 0;
	*offset = 0;
	*scale = 1;
	if (verdict == 0 && strchr(part[0], ':')) {
		const bool two = part[1] && strchr(part[1], ':');
		verdict = pair(part[0], was, &is[0], &ought[0], err) < 0 || (two && pair(part[1], was, &is[1], &ought[1], err) < 0) ? -1 : 0;
		if (verdict == 0 && two && is[0] == is[1])
			verdict = hs_fail(err, HS_USAGE, "two places are needed, and both are %g %s", is[0], was);
		*scale = two ? (ought[1] - ought[0]) / (is[1] - is[0]) : 1;
		*offset = ought[0] - *scale * is[0];
		*unit = hs_must_dup(two ? part[2] : part[1]);
		if (verdict == 0 && !two && part[2])
			verdict = hs_fail(err, HS_USAGE, "'%.60s' is no IS:OUGHT", part[1]);
	} else if (verdict == 0) {
		*unit = hs_must_dup(part[2]);
		verdict = hs_parse_quantity(part[0], *unit ? *unit : was, offset, err);
		if (verdict == 0 && part[1])
			verdict = hs_parse_real(part[1], scale, err);
	}
	for (size_t i = 0; i < HS_LEN(part); i++)
		free(part[i]);
	free(more);
	return verdict;
}

static int open_calibrate(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const char *equals = strchr(args, '=');
	char *span = hs_must_printf("%.*s=:", equals ? (int)(equals - args) : 0, args), *unit = NULL;
	size_t dim, first, last;
	double offset, scale;
	int verdict = equals ? hs_op_span(&before->signal, span, &dim, &first, &last, err) : hs_fail(err, HS_USAGE,
		"'%.60s' is not AXIS=OFFSET[,SCALE[,UNIT]] or AXIS=IS:OUGHT[,IS:OUGHT][,UNIT]", args);
	free(span);
	if (verdict == 0)
		verdict = parse(equals + 1, before->signal.axis[dim].units, &offset, &scale, &unit, err);
	if (verdict == 0 && !(scale > 0))
		verdict = hs_fail(err, HS_USAGE, "a scale of %g would turn the axis round", scale);
	if (verdict == 0) {
		struct width *w = hs_must_alloc(1, sizeof *w);
		w->n = before->n_chan;
		hs_stage_begin(stage, before, w, free);
		struct hs_axis *a = &stage->signal.axis[dim];
		for (size_t i = 0; i < a->n; i++)
			a->value[i] = offset + scale * a->value[i];
		a->integer = false;
		if (unit) {
			char *clean = hs_unit_clean(unit);
			hs_signal_set(&a->units, clean);
			free(clean);
		}
		verdict = hs_axis_is_monotonic(a) ? hs_stage_rows(stage, before, 0, keep, err) :
			hs_fail(err, HS_USAGE, "values of %s would no longer differ, or be infinite", a->name);
	}
	free(unit);
	return verdict;
}

const struct hs_op hs_op_calibrate = { .name = "calibrate", .metavar = "AXIS=...",
	.help = "OFFSET[,SCALE[,UNIT]] or IS:OUGHT[,IS:OUGHT]", .open = open_calibrate };
