#include "report/show.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"

static void field(struct hs_str *out, const char *name, const char *text)
{
	if (text)
		hs_str_add_plain(out, "  %-9s %s\n", name, text);
}

/* Whole numbers (channels, points) to the last digit, others to six. */
static void add_number(struct hs_str *out, double v)
{
	hs_str_addf(out, v == nearbyint(v) && fabs(v) < 1e15 ? "%.0f" : "%.6g", v);
}

static void show_axis(struct hs_str *out, const struct hs_axis *a)
{
	hs_str_add_plain(out, "    %-12s %6zu  ", a->name, a->n);
	add_number(out, a->value[0]);
	if (a->n > 1) {
		hs_str_add(out, " .. ");
		add_number(out, a->value[a->n - 1]);
	}
	if (strcmp(a->units, "1"))
		hs_str_add_plain(out, " %s", a->units);
	if (a->n > 1 && !hs_axis_is_uniform(a))
		hs_str_add(out, ", non-uniform");
	else if (a->n > 1 && !a->integer)
		hs_str_addf(out, ", step %.6g", hs_axis_step(a));
	hs_str_add(out, "\n");
}

static void show_coord(struct hs_str *out, const struct hs_signal *s, const struct hs_coord *c)
{
	hs_str_add_plain(out, "    with %s (%s) over", c->name, c->units);
	for (size_t d = 0; d < c->n_dims; d++)
		hs_str_add_plain(out, " %s", s->axis[c->dim[d]].name);
	if (c->start)
		hs_str_add_plain(out, ", from %s", c->start);
	hs_str_add(out, "\n");
}

static void show_mask(struct hs_str *out, const struct hs_facts_mask *m)
{
	if (!m->counted) {
		hs_str_addf(out, "    %s are masked\n", m->over);
		return;
	}
	hs_str_addf(out, "    masked %zu of %zu %s", m->n, m->of, m->over);
	for (size_t b = 0, said = 0; b < HS_FACTS_BITS; b++)
		if (m->bit[b])
			hs_str_addf(out, "%s %zu %s", said++ ? "," : ":", m->bit[b], hs_facts_bit[b]);
	hs_str_add(out, "\n");
}

static void show_stored(struct hs_str *out, const struct hs_nx_stored *stored)
{
	char was[16], is[16];
	if (!stored->n_filters || !stored->stored_bytes)
		return;
	hs_str_addf(out, "    %s in %s (%.3g : 1), chunks ", hs_show_bytes((double)stored->bytes, was),
		hs_show_bytes((double)stored->stored_bytes, is), (double)stored->bytes / (double)stored->stored_bytes);
	for (size_t i = 0; i < stored->rank; i++)
		hs_str_addf(out, "%s%zu", i ? "x" : "", stored->chunk[i]);
	for (size_t i = 0; i < stored->n_filters; i++)
		hs_str_add_plain(out, "%s%s", i ? " " : ", ", stored->filter[i]);
	hs_str_add(out, "\n");
}

static void show_tally(struct hs_str *out, const struct hs_tally *t)
{
	if (t->n)
		hs_str_addf(out, "    min %.9g, max %.9g, mean %.9g, sum %.12g\n", t->min, t->max, t->mean, t->sum);
	hs_str_addf(out, "    %zu values, %zu NaN, %zu infinite", t->n, t->n_nan, t->n_infinite);
	if (t->n_fill)
		hs_str_addf(out, ", %zu not measured", t->n_fill);
	if (t->n_masked)
		hs_str_addf(out, ", %zu masked", t->n_masked);
	hs_str_add(out, "\n");
}

static bool same_axes(const struct hs_signal *a, const struct hs_signal *b)
{
	bool same = a && a->rank == b->rank;
	for (size_t i = 0; same && i < a->rank; i++) {
		const struct hs_axis *x = &a->axis[i], *y = &b->axis[i];
		same = x->n == y->n && !strcmp(x->name, y->name) && !strcmp(x->units, y->units) &&
			!memcmp(x->value, y->value, x->n * sizeof *x->value);
	}
	return same;
}

/* before: the signal of the line above; axes are not said twice. */
static void show_signal(struct hs_str *out, const struct hs_facts_signal *f, const struct hs_signal *before)
{
	const struct hs_signal *s = f->signal;
	const bool same = same_axes(before, s);
	hs_str_add_plain(out, "%c %s%s%s  ", f->by_default ? '*' : ' ', f->step ? f->step : "", f->step ? "/" : "", s->name);
	for (size_t d = 0; d < s->rank; d++)
		hs_str_addf(out, "%s%zu", d ? " x " : "", s->axis[d].n);
	hs_str_add_plain(out, " %s, %s%s\n", hs_dtype_name(s->dtype), s->long_name, same ? ", same axes" : "");
	for (size_t d = 0; d < s->rank && !same; d++)
		show_axis(out, &s->axis[d]);
	for (size_t c = 0; c < s->n_coords; c++)
		show_coord(out, s, &s->coord[c]);
	if (f->mask.over)
		show_mask(out, &f->mask);
	if (f->is_stored)
		show_stored(out, &f->stored);
	if (f->tally)
		show_tally(out, f->tally);
}

/* /entry/data, then what lies beside it, then the results of each step, oldest first. */
static int turn_of(const struct hs_facts_signal *s)
{
	return !strcmp(s->path, "/entry/data") ? 0 : s->step ? 2 : 1;
}

static void show_signals(struct hs_str *out, const struct hs_facts *f)
{
	const struct hs_signal *before = NULL;
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < f->n_signals; i++)
			if (turn_of(&f->signal[i]) == turn) {
				show_signal(out, &f->signal[i], before);
				before = f->signal[i].signal;
			}
}

static void show_origin(struct hs_str *out, const struct hs_facts *f)
{
	const struct hs_step *first = f->n_steps ? f->step[0] : NULL;
	const char *file = first && first->n_origins ? first->origin[0].file_name : f->vendor_file;
	char size[16];
	hs_str_add_plain(out, "  %-9s %s%s", "from", file || !first ? "" : "made by ", file ? file : first ? first->program : "");
	if (f->header_bytes)
		hs_str_addf(out, ", vendor header %s", hs_show_bytes((double)f->header_bytes, size));
	hs_str_add(out, "\n");
}

static void show_history(struct hs_str *out, const struct hs_facts *f)
{
	hs_str_add(out, f->n_steps ? "  history\n" : "");
	for (size_t i = 0; i < f->n_steps; i++) {
		const struct hs_step *s = f->step[i];
		hs_str_add_plain(out, "  %3d %s %s, %s\n", s->sequence, s->program, s->version, s->date);
		hs_str_add_plain(out, "      %s\n", s->command);
	}
}

void hs_show_text(struct hs_str *out, const struct hs_facts *f)
{
	char size[16];
	hs_str_add_plain(out, "%s: %s\n", f->file, f->title ? f->title : "untitled");
	show_origin(out, f);
	field(out, "measured", f->start_time);
	field(out, "uuid", f->uuid);
	field(out, "size", f->bytes ? hs_show_bytes((double)f->bytes, size) : NULL);
	show_signals(out, f);
	show_history(out, f);
}
