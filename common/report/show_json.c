/* The JSON half of show.h. Keys never change their meaning and are never left out but where hsinfo(1) says so. */
#include <math.h>

#include "base/mem.h"
#include "report/show.h"

/* Pairs of key and text; the last key is NULL. */
static void texts(struct hs_json *j, const char *const (*pair)[2])
{
	for (; (*pair)[0]; pair++)
		hs_json_text(j, (*pair)[0], (*pair)[1]);
}

static void sizes(struct hs_json *j, const char *key, const size_t *value, size_t n)
{
	hs_json_begin(j, key, '[');
	for (size_t i = 0; i < n; i++)
		hs_json_int(j, NULL, (long long)value[i]);
	hs_json_end(j, ']');
}

static void show_axis(struct hs_json *j, const struct hs_axis *a)
{
	const bool uniform = hs_axis_is_uniform(a);
	hs_json_begin(j, NULL, '{');
	texts(j, (const char *const[][2]){ { "name", a->name }, { "quantity", a->quantity }, { "units", a->units },
		{ "kind", hs_axis_kind_name(a->kind) }, { 0 } });
	hs_json_int(j, "n", (long long)a->n);
	hs_json_real(j, "first", a->value[0]);
	hs_json_real(j, "last", a->value[a->n - 1]);
	hs_json_bool(j, "uniform", uniform);
	hs_json_real(j, "step", uniform && a->n > 1 ? hs_axis_step(a) : NAN);
	hs_json_end(j, '}');
}

static void show_coord(struct hs_json *j, const struct hs_signal *s, const struct hs_coord *c)
{
	hs_json_begin(j, NULL, '{');
	texts(j, (const char *const[][2]){ { "name", c->name }, { "units", c->units }, { 0 } });
	hs_json_int(j, "n", (long long)c->n);
	hs_json_begin(j, "over", '[');
	for (size_t d = 0; d < c->n_dims; d++)
		hs_json_text(j, NULL, s->axis[c->dim[d]].name);
	hs_json_end(j, ']');
	hs_json_text(j, "start", c->start);
	hs_json_end(j, '}');
}

static void show_mask(struct hs_json *j, const struct hs_facts_mask *m)
{
	hs_json_begin(j, "mask", '{');
	hs_json_text(j, "over", m->over);
	if (m->counted) {
		hs_json_int(j, "n", (long long)m->of);
		hs_json_int(j, "masked", (long long)m->n);
		for (size_t b = 0; b < HS_FACTS_BITS; b++)
			hs_json_int(j, hs_facts_bit[b], (long long)m->bit[b]);
	}
	hs_json_end(j, '}');
}

static void show_stored(struct hs_json *j, const struct hs_nx_stored *stored)
{
	hs_json_begin(j, "stored", '{');
	hs_json_int(j, "size_bytes", (long long)stored->bytes);
	hs_json_int(j, "stored_bytes", (long long)stored->stored_bytes);
	hs_json_real(j, "ratio", stored->stored_bytes ? (double)stored->bytes / (double)stored->stored_bytes : NAN);
	sizes(j, "chunk", stored->chunk, stored->rank);
	hs_json_begin(j, "filters", '[');
	for (size_t i = 0; i < stored->n_filters; i++)
		hs_json_text(j, NULL, stored->filter[i]);
	hs_json_end(j, ']');
	hs_json_end(j, '}');
}

static void show_tally(struct hs_json *j, const struct hs_tally *t)
{
	hs_json_begin(j, "statistics", '{');
	hs_json_int(j, "values", (long long)t->n);
	hs_json_int(j, "nan", (long long)t->n_nan);
	hs_json_int(j, "infinite", (long long)t->n_infinite);
	hs_json_int(j, "not_measured", (long long)t->n_fill);
	hs_json_int(j, "masked", (long long)t->n_masked);
	hs_json_real(j, "min", t->min);
	hs_json_real(j, "max", t->max);
	hs_json_real(j, "mean", t->mean);
	hs_json_real(j, "sum", t->sum);
	hs_json_end(j, '}');
}

static void show_signal(struct hs_json *j, const struct hs_facts_signal *f)
{
	const struct hs_signal *s = f->signal;
	size_t shape[HS_MAX_RANK];
	for (size_t d = 0; d < s->rank; d++)
		shape[d] = s->axis[d].n;
	hs_json_begin(j, NULL, '{');
	texts(j, (const char *const[][2]){ { "name", s->name }, { "path", f->path }, { "step", f->step }, { 0 } });
	hs_json_bool(j, "default", f->by_default);
	hs_json_text(j, "dtype", hs_dtype_name(s->dtype));
	sizes(j, "shape", shape, s->rank);
	hs_json_int(j, "signal_dimensions", (long long)s->sig_rank);
	texts(j, (const char *const[][2]){ { "title", s->title }, { "quantity", s->quantity }, { "units", s->units },
		{ "long_name", s->long_name }, { "data_type", s->data_type }, { "modality", s->modality }, { "source", s->source },
		{ "sha256", *s->sha256 ? s->sha256 : NULL }, { 0 } });
	hs_json_begin(j, "axes", '[');
	for (size_t d = 0; d < s->rank; d++)
		show_axis(j, &s->axis[d]);
	hs_json_end(j, ']');
	hs_json_begin(j, "coordinates", '[');
	for (size_t c = 0; c < s->n_coords; c++)
		show_coord(j, s, &s->coord[c]);
	hs_json_end(j, ']');
	if (s->has_fill)
		hs_json_real(j, "fill_value", s->fill);
	if (f->mask.over)
		show_mask(j, &f->mask);
	if (f->is_stored)
		show_stored(j, &f->stored);
	if (f->tally)
		show_tally(j, f->tally);
	hs_json_end(j, '}');
}

static void show_param(struct hs_json *j, const struct hs_param *p)
{
	switch (p->kind) {
	case HS_PARAM_INT: hs_json_int(j, p->name, p->integer); break;
	case HS_PARAM_BOOL: hs_json_bool(j, p->name, p->integer); break;
	case HS_PARAM_REAL: hs_json_real(j, p->name, p->real); break;
	case HS_PARAM_TEXT: hs_json_text(j, p->name, p->text); break;
	}
}

static void show_step(struct hs_json *j, const struct hs_step *s)
{
	char **argv = hs_json_get_strings(s->configuration, "argv");
	hs_json_begin(j, NULL, '{');
	hs_json_int(j, "number", s->sequence);
	texts(j, (const char *const[][2]){ { "program", s->program }, { "version", s->version }, { "date", s->date },
		{ "command", s->command }, { 0 } });
	hs_json_begin(j, "argv", '[');
	for (char **a = argv; a && *a; a++)
		hs_json_text(j, NULL, *a);
	hs_json_end(j, ']');
	hs_json_begin(j, "parameters", '{');
	for (size_t i = 0; i < s->n_params; i++)
		show_param(j, &s->param[i]);
	hs_json_end(j, '}');
	hs_json_begin(j, "inputs", '[');
	for (size_t i = 0; i < s->n_origins; i++) {
		const struct hs_origin *o = &s->origin[i];
		hs_json_begin(j, NULL, '{');
		texts(j, (const char *const[][2]){ { "file_name", o->file_name }, { "type", o->type }, { "uuid", o->uuid },
			{ "path", o->path }, { "sha256", o->checksum }, { 0 } });
		hs_json_end(j, '}');
	}
	hs_json_end(j, ']');
	hs_json_end(j, '}');
	hs_json_free_strings(argv);
}

void hs_show_json(struct hs_json *j, const struct hs_facts *f)
{
	const char *by_default = NULL;
	for (size_t i = 0; i < f->n_signals; i++)
		by_default = f->signal[i].by_default ? f->signal[i].path : by_default;
	hs_json_begin(j, NULL, '{');
	hs_json_text(j, "file", f->file);
	if (f->bytes)
		hs_json_int(j, "size_bytes", (long long)f->bytes);
	texts(j, (const char *const[][2]){ { "title", f->title }, { "start_time", f->start_time }, { "uuid", f->uuid },
		{ "creator", f->creator }, { "hs_version", f->convention }, { "default", by_default }, { 0 } });
	hs_json_begin(j, "signals", '[');
	for (size_t i = 0; i < f->n_signals; i++)
		show_signal(j, &f->signal[i]);
	hs_json_end(j, ']');
	hs_json_begin(j, "history", '[');
	for (size_t i = 0; i < f->n_steps; i++)
		show_step(j, f->step[i]);
	hs_json_end(j, ']');
	hs_json_begin(j, "vendor", '{');
	hs_json_text(j, "file_name", f->vendor_file);
	hs_json_int(j, "header_bytes", (long long)f->header_bytes);
	hs_json_text(j, "header_sha256", f->vendor_sha256);
	hs_json_int(j, "metadata_bytes", (long long)f->metadata_bytes);
	hs_json_end(j, '}');
	hs_json_end(j, '}');
}
