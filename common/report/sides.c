#include "report/sides.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

static bool same_axis(const struct hs_axis *a, const struct hs_axis *b, bool exact)
{
	const double factor = strcmp(a->units, b->units) ? hs_unit_factor(b->units, a->units) : 1;
	const double slack = exact ? 0 : 1e-3 * fabs(hs_axis_step(a));
	if (strcmp(a->name, b->name) || factor == 0 || (exact && factor != 1))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!(fabs(a->value[i] - factor * b->value[i]) <= slack))
			return false;
	return true;
}

int hs_sides_check(const struct hs_side *a, const struct hs_side *b, size_t from_a, size_t from_b, bool exact,
	const struct hs_axis **differs, struct hs_err *err)
{
	const size_t n = a->s->rank - from_a;
	const struct hs_axis *axis_a = a->s->axis + from_a, *axis_b = b->s->axis + from_b;
	bool lengths = n == b->s->rank - from_b;
	for (size_t i = 0; i < n && lengths; i++)
		lengths = axis_a[i].n == axis_b[i].n;
	if (!lengths) {
		char *in_a = hs_signal_shape(a->s), *in_b = hs_signal_shape(b->s);
		hs_fail(err, HS_BAD_DATA, "cannot compare '%s' with '%s': %s is %s, %s is %s", hs_in_name(a->in), hs_in_name(b->in),
			a->s->name, in_a, b->s->name, in_b);
		free(in_a);
		free(in_b);
		return -1;
	}
	*differs = NULL;
	for (size_t i = 0; i < n && !*differs; i++)
		*differs = same_axis(&axis_a[i], &axis_b[i], exact) ? NULL : &axis_a[i];
	return 0;
}

double *hs_side_read(const struct hs_run *run, const struct hs_side *side, struct hs_err *err)
{
	const size_t n = hs_signal_count(side->s);
	char need[16];
	if (hs_dtype_is_complex(side->s->dtype)) {
		hs_fail(err, HS_BAD_DATA, "'%s', %s is complex: only values are compared", hs_in_name(side->in), side->s->name);
		return NULL;
	}
	if (n > hs_run_memory(run) / 4 / sizeof(double)) {
		hs_fail(err, HS_SYSTEM, "%s does not fit: --memory above %s would do", side->s->name,
			hs_show_bytes(4 * (double)n * sizeof(double) + (double)(UINT64_C(64) << 20), need));
		return NULL;
	}
	return hs_in_read(side->in, side->index, err);
}

size_t hs_two_rows_dim(const struct hs_signal *s, bool first_is_channel, size_t i)
{
	return first_is_channel ? (i + 1) % s->rank : i;
}

int hs_two_rows_open(struct hs_two_rows *two, const struct hs_run *run, const struct hs_side *a, const struct hs_side *b,
	bool first_is_channel, enum hs_rows_as as, struct hs_err *err)
{
	const struct hs_rows_options options = { .as = as, .memory = hs_run_memory(run) / 5 * 2, .threads = (int)run->common.threads };
	*two = (struct hs_two_rows){ 0 };
	for (int i = 0; i < 2; i++) {
		const struct hs_side *side = i ? b : a;
		size_t order[HS_MAX_RANK];
		for (size_t d = 0; d < side->s->rank; d++)
			order[d] = hs_two_rows_dim(side->s, first_is_channel, d);
		if (hs_in_values(side->in, side->index, &two->values[i], err) < 0)
			return -1;
		hs_values_permute(&two->values[i], order, side->s->rank > 1);
		if (hs_rows_open(&two->rows[i], &two->values[i], &options, err) < 0)
			return hs_err_prepend(err, "'%s', %s", hs_in_name(side->in), hs_in_path(side->in, side->index));
		two->pair.source[i] = hs_rows_source(two->rows[i]);
		two->pair.row_bytes[i] = two->pair.source[i]->n_chan * hs_rows_element(two->rows[i]);
	}
	return hs_pair_rewind(&two->pair, err);
}

void hs_two_rows_close(struct hs_two_rows *two)
{
	for (int i = 0; i < 2; i++) {
		hs_rows_close(two->rows[i]);
		hs_values_release(&two->values[i]);
	}
}
