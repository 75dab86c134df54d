/* hsinfo - what a file holds: shapes, axes, units, results, history. See hsinfo(1). */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/pixels.h"
#include "store/feed.h"
#include "store/nxcheck.h"

struct params {
	bool check, values, history, stats, metadata, header;
};

struct file {
	struct hs_in *in;
	size_t by_default, chosen;            /* signals: the file's own choice; the one of -d, for statistics */
	uint64_t bytes;                       /* 0: not known (standard input) */
	struct stats *stats;                  /* of the chosen signal, or NULL */
};

/* ------------------------------------------------------------------ statistics */

/* Of the values that count: finite, not the fill value, not in a masked pixel. */
struct stats {
	size_t n, n_nan, n_infinite, n_fill, n_masked;
	double min, max, sum, lost;           /* the sum is sum + lost: Neumaier's compensation */
};

static void add_value(struct stats *s, double v)
{
	const double t = s->sum + v;
	s->lost += fabs(s->sum) >= fabs(v) ? s->sum - t + v : v - t + s->sum;
	s->sum = t;
	s->min = s->n == 0 || v < s->min ? v : s->min;
	s->max = s->n == 0 || v > s->max ? v : s->max;
	s->n++;
}

static void add_row(struct stats *s, const struct hs_pixels *px, const struct hs_batch *batch, size_t row)
{
	const size_t n = px->n_chan;
	const float *f = px->source->type == HS_ROW_F32 ? (const float *)batch->x + row * n : NULL;
	const double *d = px->source->type == HS_ROW_F64 ? (const double *)batch->x + row * n : NULL;
	if (px->mask && px->mask[batch->first_row + row]) {
		s->n_masked += n;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const double v = f ? (double)f[i] : d[i];
		if (px->signal->has_fill && v == px->signal->fill)
			s->n_fill++;
		else if (isnan(v))
			s->n_nan++;
		else if (isinf(v))
			s->n_infinite++;
		else
			add_value(s, v);
	}
}

static int find_stats(struct hs_run *run, struct file *file, struct hs_err *err)
{
	struct hs_pixels px;
	struct hs_batch batch;
	uint64_t memory;
	if (hs_session_memory(run, 0, &memory, err) < 0 || hs_pixels_open(&px, run, file->in, file->chosen, HS_AS_AUTO, memory, err) < 0)
		return -1;
	struct stats *s = file->stats = hs_must_alloc(1, sizeof *s);
	int verdict = px.source->rewind(px.source, err);
	while (verdict == 0 && (verdict = px.source->next(px.source, &batch, err)) == 0 && batch.n_blocks)
		for (size_t row = 0; row < batch.n_rows; row++)
			add_row(s, &px, &batch, row);
	hs_pixels_close(&px);
	return verdict;
}

/* ------------------------------------------------------------------ what both forms say */

/* "process_02_hspca" of "/entry/process_02_hspca/scores"; NULL for what lies in the entry itself. Caller frees. */
static char *step_of(const char *path)
{
	const char *name = path + strlen("/entry/"), *slash = strchr(name, '/');
	return slash ? hs_must_printf("%.*s", (int)(slash - name), name) : NULL;
}

struct masked {
	const char *over;                     /* "pixels" or "values" */
	bool counted;                         /* a mask of all values of a large cube is not read for this */
	size_t n, of, bit[4];
};
static const char *const bit_name[] = { "dead", "hot", "saturated", "excluded" };

/* false when the signal has no mask. */
static bool find_masked(const struct file *file, size_t i, struct masked *m)
{
	enum { MOST = 4 << 20 };
	static const struct { const char *name, *over; } masks[] = { { "pixel_mask", "pixels" }, { "data_mask", "values" } };
	struct hs_nx_stored stored;
	*m = (struct masked){ 0 };
	for (size_t k = 0; k < HS_LEN(masks) && !m->over; k++) {
		char *path = hs_h5_join(hs_in_path(file->in, i), masks[k].name);
		if (hs_nx_stored(hs_in_h5(file->in), path, &stored)) {
			m->over = masks[k].over;
			uint8_t *mask = stored.bytes <= MOST ? hs_h5_bytes(hs_in_h5(file->in), path, &m->of) : NULL;
			m->counted = mask != NULL;
			for (size_t p = 0; p < m->of; p++) {
				m->n += mask[p] != 0;
				for (size_t b = 0; b < HS_LEN(m->bit); b++)
					m->bit[b] += mask[p] >> b & 1;
			}
			free(mask);
		}
		free(path);
	}
	return m->over != NULL;
}

static bool stored_of(const struct file *file, size_t i, struct hs_nx_stored *stored)
{
	char *path = hs_h5_join(hs_in_path(file->in, i), "data");
	const bool known = hs_nx_stored(hs_in_h5(file->in), path, stored);
	free(path);
	return known;
}

static const char header_path[] = "/entry/original_metadata/header", json_path[] = "/entry/original_metadata/header_json";

static char *text_below(const struct file *file, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name), *text = hs_h5_text(hs_in_h5(file->in), path);
	free(path);
	return text;
}

static bool header_bytes(const struct file *file, uint64_t *bytes)
{
	struct hs_nx_stored stored;
	char *path = hs_h5_join(header_path, "data");
	const bool there = hs_nx_stored(hs_in_h5(file->in), path, &stored);
	free(path);
	*bytes = stored.bytes;
	return there;
}

/* ------------------------------------------------------------------ as text */

/* Text from a file goes to a terminal: what could steer that becomes a question mark. */
static void add_plain(struct hs_str *out, const char *text)
{
	for (const char *p = text; *p; p++)
		hs_str_add_bytes(out, (unsigned char)*p < ' ' || *p == 127 ? "?" : p, 1);
}

static void field(struct hs_str *out, const char *name, const char *text)
{
	if (!text)
		return;
	hs_str_addf(out, "  %-9s ", name);
	add_plain(out, text);
	hs_str_add(out, "\n");
}

/* Whole numbers (channels, points) to the last digit, others to six. */
static void add_number(struct hs_str *out, double v)
{
	hs_str_addf(out, v == nearbyint(v) && fabs(v) < 1e15 ? "%.0f" : "%.6g", v);
}

static void say_axis(struct hs_str *out, const struct hs_axis *a)
{
	hs_str_addf(out, "    %-12s %6zu  ", a->name, a->n);
	add_number(out, a->value[0]);
	if (a->n > 1) {
		hs_str_add(out, " .. ");
		add_number(out, a->value[a->n - 1]);
	}
	if (strcmp(a->units, "1")) {
		hs_str_add(out, " ");
		add_plain(out, a->units);
	}
	if (a->n > 1 && !hs_axis_is_uniform(a))
		hs_str_add(out, ", non-uniform");
	else if (a->n > 1 && !a->integer)
		hs_str_addf(out, ", step %.6g", hs_axis_step(a));
	hs_str_add(out, "\n");
}

static void say_coord(struct hs_str *out, const struct hs_signal *s, const struct hs_coord *c)
{
	hs_str_addf(out, "    with %s (", c->name);
	add_plain(out, c->units);
	hs_str_add(out, ") over");
	for (size_t d = 0; d < c->n_dims; d++)
		hs_str_addf(out, " %s", s->axis[c->dim[d]].name);
	if (c->start) {
		hs_str_add(out, ", from ");
		add_plain(out, c->start);
	}
	hs_str_add(out, "\n");
}

static void say_masked(struct hs_str *out, const struct masked *m)
{
	if (!m->counted) {
		hs_str_addf(out, "    %s are masked\n", m->over);
		return;
	}
	hs_str_addf(out, "    masked %zu of %zu %s", m->n, m->of, m->over);
	for (size_t b = 0, said = 0; b < HS_LEN(m->bit); b++)
		if (m->bit[b])
			hs_str_addf(out, "%s %zu %s", said++ ? "," : ":", m->bit[b], bit_name[b]);
	hs_str_add(out, "\n");
}

static void say_stored(struct hs_str *out, const struct hs_nx_stored *stored)
{
	char was[16], is[16];
	if (!stored->n_filters || !stored->stored_bytes)
		return;
	hs_str_addf(out, "    %s in %s (%.3g : 1), chunks ", hs_show_bytes((double)stored->bytes, was),
		hs_show_bytes((double)stored->stored_bytes, is), (double)stored->bytes / (double)stored->stored_bytes);
	for (size_t i = 0; i < stored->rank; i++)
		hs_str_addf(out, "%s%zu", i ? "x" : "", stored->chunk[i]);
	for (size_t i = 0; i < stored->n_filters; i++) {
		hs_str_add(out, i ? " " : ", ");
		add_plain(out, stored->filter[i]);
	}
	hs_str_add(out, "\n");
}

static void say_stats(struct hs_str *out, const struct stats *s)
{
	if (s->n)
		hs_str_addf(out, "    min %.9g, max %.9g, mean %.9g, sum %.12g\n", s->min, s->max, (s->sum + s->lost) / (double)s->n,
			s->sum + s->lost);
	hs_str_addf(out, "    %zu values, %zu NaN, %zu infinite", s->n, s->n_nan, s->n_infinite);
	if (s->n_fill)
		hs_str_addf(out, ", %zu not measured", s->n_fill);
	if (s->n_masked)
		hs_str_addf(out, ", %zu masked", s->n_masked);
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
static void say_signal(struct hs_str *out, const struct file *file, size_t i, const struct hs_signal *before)
{
	const struct hs_signal *s = hs_in_signal(file->in, i);
	struct hs_nx_stored stored;
	struct masked masked;
	char *step = step_of(hs_in_path(file->in, i));
	hs_str_addf(out, "%c %s%s%s  ", i == file->by_default ? '*' : ' ', step ? step : "", step ? "/" : "", s->name);
	for (size_t d = 0; d < s->rank; d++)
		hs_str_addf(out, "%s%zu", d ? " x " : "", s->axis[d].n);
	hs_str_addf(out, " %s, ", hs_dtype_name(s->dtype));
	add_plain(out, s->long_name);
	if (same_axes(before, s))
		hs_str_add(out, ", same axes");
	hs_str_add(out, "\n");
	for (size_t d = 0; d < s->rank && !same_axes(before, s); d++)
		say_axis(out, &s->axis[d]);
	for (size_t c = 0; c < s->n_coords; c++)
		say_coord(out, s, &s->coord[c]);
	if (find_masked(file, i, &masked))
		say_masked(out, &masked);
	if (stored_of(file, i, &stored))
		say_stored(out, &stored);
	if (file->stats && i == file->chosen)
		say_stats(out, file->stats);
	free(step);
}

/* /entry/data, then what lies beside it, then the results of each step, oldest first. */
static int turn_of(const char *path)
{
	return !strcmp(path, "/entry/data") ? 0 : strchr(path + strlen("/entry/"), '/') ? 2 : 1;
}

static void say_signals(struct hs_str *out, const struct file *file)
{
	const struct hs_signal *before = NULL;
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < hs_in_count(file->in); i++)
			if (turn_of(hs_in_path(file->in, i)) == turn) {
				say_signal(out, file, i, before);
				before = hs_in_signal(file->in, i);
			}
}

static void say_origin(struct hs_str *out, const struct file *file)
{
	char *vendor = text_below(file, header_path, "file_name"), size[16];
	const struct hs_step *first = hs_in_n_steps(file->in) ? hs_in_step(file->in, 0) : NULL;
	uint64_t bytes;
	struct hs_str from = { 0 };
	if (first && first->n_origins)
		hs_str_add(&from, first->origin[0].file_name);
	else if (vendor)
		hs_str_add(&from, vendor);
	else if (first)
		hs_str_addf(&from, "made by %s", first->program);
	if (header_bytes(file, &bytes))
		hs_str_addf(&from, ", vendor header %s", hs_show_bytes((double)bytes, size));
	field(out, "from", hs_str_get(&from));
	hs_str_release(&from);
	free(vendor);
}

static void say_history(struct hs_str *out, const struct file *file)
{
	hs_str_add(out, "  history\n");
	for (size_t i = 0; i < hs_in_n_steps(file->in); i++) {
		const struct hs_step *s = hs_in_step(file->in, i);
		hs_str_addf(out, "  %3d ", s->sequence);
		add_plain(out, s->program);
		hs_str_add(out, " ");
		add_plain(out, s->version);
		hs_str_add(out, ", ");
		add_plain(out, s->date);
		hs_str_add(out, "\n      ");
		add_plain(out, s->command);
		hs_str_add(out, "\n");
	}
}

static void say_file(const struct file *file)
{
	struct hs_str out = { 0 };
	char *title = hs_in_entry_text(file->in, "title"), *start = hs_in_entry_text(file->in, "start_time"),
	     *uuid = hs_in_entry_text(file->in, "entry_identifier_uuid"), size[16];
	add_plain(&out, hs_in_name(file->in));
	hs_str_add(&out, ": ");
	add_plain(&out, title ? title : "untitled");
	hs_str_add(&out, "\n");
	say_origin(&out, file);
	field(&out, "measured", start);
	field(&out, "uuid", uuid);
	if (file->bytes)
		field(&out, "size", hs_show_bytes((double)file->bytes, size));
	say_signals(&out, file);
	if (hs_in_n_steps(file->in))
		say_history(&out, file);
	hs_say("%s", hs_str_get(&out));
	hs_str_release(&out);
	free(title);
	free(start);
	free(uuid);
}

/* ------------------------------------------------------------------ as JSON */

static void json_axis(struct hs_json *j, const struct hs_axis *a)
{
	const bool uniform = hs_axis_is_uniform(a);
	hs_json_begin(j, NULL, '{');
	hs_json_text(j, "name", a->name);
	hs_json_text(j, "quantity", a->quantity);
	hs_json_text(j, "units", a->units);
	hs_json_text(j, "kind", hs_axis_kind_name(a->kind));
	hs_json_int(j, "n", (long long)a->n);
	hs_json_real(j, "first", a->value[0]);
	hs_json_real(j, "last", a->value[a->n - 1]);
	hs_json_bool(j, "uniform", uniform);
	hs_json_real(j, "step", uniform && a->n > 1 ? hs_axis_step(a) : NAN);
	hs_json_end(j, '}');
}

static void json_coord(struct hs_json *j, const struct hs_signal *s, const struct hs_coord *c)
{
	hs_json_begin(j, NULL, '{');
	hs_json_text(j, "name", c->name);
	hs_json_text(j, "units", c->units);
	hs_json_int(j, "n", (long long)c->n);
	hs_json_begin(j, "over", '[');
	for (size_t d = 0; d < c->n_dims; d++)
		hs_json_text(j, NULL, s->axis[c->dim[d]].name);
	hs_json_end(j, ']');
	hs_json_text(j, "start", c->start);
	hs_json_end(j, '}');
}

static void json_masked(struct hs_json *j, const struct masked *m)
{
	hs_json_begin(j, "mask", '{');
	hs_json_text(j, "over", m->over);
	if (m->counted) {
		hs_json_int(j, "n", (long long)m->of);
		hs_json_int(j, "masked", (long long)m->n);
		for (size_t b = 0; b < HS_LEN(m->bit); b++)
			hs_json_int(j, bit_name[b], (long long)m->bit[b]);
	}
	hs_json_end(j, '}');
}

static void json_stored(struct hs_json *j, const struct hs_nx_stored *stored)
{
	hs_json_begin(j, "stored", '{');
	hs_json_int(j, "size_bytes", (long long)stored->bytes);
	hs_json_int(j, "stored_bytes", (long long)stored->stored_bytes);
	hs_json_real(j, "ratio", stored->stored_bytes ? (double)stored->bytes / (double)stored->stored_bytes : NAN);
	hs_json_begin(j, "chunk", '[');
	for (size_t i = 0; i < stored->rank; i++)
		hs_json_int(j, NULL, (long long)stored->chunk[i]);
	hs_json_end(j, ']');
	hs_json_begin(j, "filters", '[');
	for (size_t i = 0; i < stored->n_filters; i++)
		hs_json_text(j, NULL, stored->filter[i]);
	hs_json_end(j, ']');
	hs_json_end(j, '}');
}

static void json_stats(struct hs_json *j, const struct stats *s)
{
	hs_json_begin(j, "statistics", '{');
	hs_json_int(j, "values", (long long)s->n);
	hs_json_int(j, "nan", (long long)s->n_nan);
	hs_json_int(j, "infinite", (long long)s->n_infinite);
	hs_json_int(j, "not_measured", (long long)s->n_fill);
	hs_json_int(j, "masked", (long long)s->n_masked);
	hs_json_real(j, "min", s->n ? s->min : NAN);
	hs_json_real(j, "max", s->n ? s->max : NAN);
	hs_json_real(j, "mean", s->n ? (s->sum + s->lost) / (double)s->n : NAN);
	hs_json_real(j, "sum", s->sum + s->lost);
	hs_json_end(j, '}');
}

static void json_signal(struct hs_json *j, const struct file *file, size_t i)
{
	const struct hs_signal *s = hs_in_signal(file->in, i);
	const struct { const char *key, *text; } texts[] = { { "title", s->title }, { "quantity", s->quantity }, { "units", s->units },
		{ "long_name", s->long_name }, { "data_type", s->data_type }, { "modality", s->modality }, { "source", s->source },
		{ "sha256", *s->sha256 ? s->sha256 : NULL } };
	struct hs_nx_stored stored;
	struct masked masked;
	char *step = step_of(hs_in_path(file->in, i));
	hs_json_begin(j, NULL, '{');
	hs_json_text(j, "name", s->name);
	hs_json_text(j, "path", hs_in_path(file->in, i));
	hs_json_text(j, "step", step);
	hs_json_bool(j, "default", i == file->by_default);
	hs_json_text(j, "dtype", hs_dtype_name(s->dtype));
	hs_json_begin(j, "shape", '[');
	for (size_t d = 0; d < s->rank; d++)
		hs_json_int(j, NULL, (long long)s->axis[d].n);
	hs_json_end(j, ']');
	hs_json_int(j, "signal_dimensions", (long long)s->sig_rank);
	for (size_t k = 0; k < HS_LEN(texts); k++)
		hs_json_text(j, texts[k].key, texts[k].text);
	hs_json_begin(j, "axes", '[');
	for (size_t d = 0; d < s->rank; d++)
		json_axis(j, &s->axis[d]);
	hs_json_end(j, ']');
	hs_json_begin(j, "coordinates", '[');
	for (size_t c = 0; c < s->n_coords; c++)
		json_coord(j, s, &s->coord[c]);
	hs_json_end(j, ']');
	if (s->has_fill)
		hs_json_real(j, "fill_value", s->fill);
	if (find_masked(file, i, &masked))
		json_masked(j, &masked);
	if (stored_of(file, i, &stored))
		json_stored(j, &stored);
	if (file->stats && i == file->chosen)
		json_stats(j, file->stats);
	hs_json_end(j, '}');
	free(step);
}

static void json_params(struct hs_json *j, const struct hs_step *s)
{
	hs_json_begin(j, "parameters", '{');
	for (size_t i = 0; i < s->n_params; i++) {
		const struct hs_param *p = &s->param[i];
		switch (p->kind) {
		case HS_PARAM_INT: hs_json_int(j, p->name, p->integer); break;
		case HS_PARAM_BOOL: hs_json_bool(j, p->name, p->integer); break;
		case HS_PARAM_REAL: hs_json_real(j, p->name, p->real); break;
		case HS_PARAM_TEXT: hs_json_text(j, p->name, p->text); break;
		}
	}
	hs_json_end(j, '}');
}

static void json_step(struct hs_json *j, const struct hs_step *s)
{
	char **argv = hs_json_get_strings(s->configuration, "argv");
	hs_json_begin(j, NULL, '{');
	hs_json_int(j, "number", s->sequence);
	hs_json_text(j, "program", s->program);
	hs_json_text(j, "version", s->version);
	hs_json_text(j, "date", s->date);
	hs_json_text(j, "command", s->command);
	hs_json_begin(j, "argv", '[');
	for (char **a = argv; a && *a; a++)
		hs_json_text(j, NULL, *a);
	hs_json_end(j, ']');
	json_params(j, s);
	hs_json_begin(j, "inputs", '[');
	for (size_t i = 0; i < s->n_origins; i++) {
		const struct hs_origin *o = &s->origin[i];
		hs_json_begin(j, NULL, '{');
		hs_json_text(j, "file_name", o->file_name);
		hs_json_text(j, "type", o->type);
		hs_json_text(j, "uuid", o->uuid);
		hs_json_text(j, "path", o->path);
		hs_json_text(j, "sha256", o->checksum);
		hs_json_end(j, '}');
	}
	hs_json_end(j, ']');
	hs_json_end(j, '}');
	hs_json_free_strings(argv);
}

static void json_vendor(struct hs_json *j, const struct file *file)
{
	char *name = text_below(file, header_path, "file_name"), *sha = text_below(file, header_path, "checksum"),
	     *parsed = text_below(file, json_path, "data");
	uint64_t bytes;
	const bool there = header_bytes(file, &bytes);
	hs_json_begin(j, "vendor", '{');
	hs_json_text(j, "file_name", name);
	hs_json_int(j, "header_bytes", there ? (long long)bytes : 0);
	hs_json_text(j, "header_sha256", sha);
	hs_json_int(j, "metadata_bytes", parsed ? (long long)strlen(parsed) : 0);
	hs_json_end(j, '}');
	free(name);
	free(sha);
	free(parsed);
}

static void print_json(struct hs_json *j)
{
	char *text = hs_json_take(j);
	hs_say("%s\n", text);
	free(text);
}

static void json_file(const struct file *file)
{
	struct hs_json j = { .one_line = true };
	static const char *const fields[] = { "title", "start_time", "entry_identifier_uuid" };
	static const char *const keys[] = { "title", "start_time", "uuid" };
	char *creator = hs_h5_attr_text(hs_in_h5(file->in), "/", "creator");
	char *convention = hs_h5_attr_text(hs_in_h5(file->in), "/", "hs_version");
	hs_json_begin(&j, NULL, '{');
	hs_json_text(&j, "file", hs_in_name(file->in));
	if (file->bytes)
		hs_json_int(&j, "size_bytes", (long long)file->bytes);
	for (size_t i = 0; i < HS_LEN(fields); i++) {
		char *text = hs_in_entry_text(file->in, fields[i]);
		hs_json_text(&j, keys[i], text);
		free(text);
	}
	hs_json_text(&j, "creator", creator);
	hs_json_text(&j, "hs_version", convention);
	hs_json_text(&j, "default", hs_in_path(file->in, file->by_default));
	hs_json_begin(&j, "signals", '[');
	for (size_t i = 0; i < hs_in_count(file->in); i++)
		json_signal(&j, file, i);
	hs_json_end(&j, ']');
	hs_json_begin(&j, "history", '[');
	for (size_t i = 0; i < hs_in_n_steps(file->in); i++)
		json_step(&j, hs_in_step(file->in, i));
	hs_json_end(&j, ']');
	json_vendor(&j, file);
	hs_json_end(&j, '}');
	print_json(&j);
	free(creator);
	free(convention);
}

/* ------------------------------------------------------------------ the vendor's own words */

static int print_metadata(const struct file *file, struct hs_err *err)
{
	char *text = text_below(file, json_path, "data");
	if (!text)
		return hs_fail(err, HS_NO, "'%s' holds no vendor metadata", hs_in_name(file->in));
	hs_say("%s%s", text, hs_ends(text, "\n") ? "" : "\n");
	free(text);
	return 0;
}

static int print_header(const struct file *file, struct hs_err *err)
{
	uint64_t bytes;
	size_t n = 0;
	char *path = hs_h5_join(header_path, "data");
	uint8_t *header = hs_h5_bytes(hs_in_h5(file->in), path, &n);
	int verdict = 0;
	if (header)
		fwrite(header, 1, n, stdout);         /* a failure stays on the stream, where the porch finds it */
	else if (header_bytes(file, &bytes))
		verdict = hs_fail(err, HS_BAD_DATA, "cannot read '%s': the vendor header is damaged", hs_in_name(file->in));
	else
		verdict = hs_fail(err, HS_NO, "'%s' holds no vendor header", hs_in_name(file->in));
	free(header);
	free(path);
	return verdict;
}

/* ------------------------------------------------------------------ does it obey the convention? */

struct faults {
	const char *file;                     /* in front of each line, when there are several files; or NULL */
	struct hs_json *json;                 /* or NULL */
};

static void say_fault(void *ctx, const char *path, const char *what)
{
	const struct faults *f = ctx;
	if (f->json) {
		hs_json_begin(f->json, NULL, '{');
		hs_json_text(f->json, "path", path);
		hs_json_text(f->json, "fault", what);
		hs_json_end(f->json, '}');
		return;
	}
	struct hs_str line = { 0 };
	if (f->file) {
		add_plain(&line, f->file);
		hs_str_add(&line, ": ");
	}
	add_plain(&line, path);
	hs_str_add(&line, ": ");
	add_plain(&line, what);
	hs_say("%s\n", hs_str_get(&line));
	hs_str_release(&line);
}

/* A file of ours may be broken in any way, but it must say that it is one of ours. */
static int open_ours(struct hs_h5 **h5, const struct hs_feed *feed, struct hs_err *err)
{
	struct hs_err why = { 0 };
	if (!feed->size)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': the file is empty", feed->name);
	if (hs_h5_open(h5, feed->fd, feed->name, &why) < 0)
		return hs_fail(err, why.status, "%s", why.text);
	char *creator = hs_h5_attr_text(*h5, "/", "creator");
	if (!hs_h5_has_attr(*h5, "/", "hs_version") && (!creator || strcmp(creator, "hstools")))
		hs_fail(err, HS_BAD_DATA, "cannot read '%s': HDF5 of another convention (hsload reads it)", feed->name);
	free(creator);
	if (hs_failed(err)) {
		hs_h5_close(*h5);
		*h5 = NULL;
		return -1;
	}
	return 0;
}

static int check(struct hs_run *run, size_t operand, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_feed feed = { .fd = -1 };
	struct hs_json j = { .one_line = true };
	struct hs_h5 *h5 = NULL;
	int verdict = hs_feed_open(&feed, operand < run->n_operands ? run->operand[operand] : NULL, err);
	if (verdict == 0)
		verdict = open_ours(&h5, &feed, err);
	if (verdict == 0) {
		struct faults faults = { .file = run->n_operands > 1 ? feed.name : NULL, .json = run->common.json ? &j : NULL };
		hs_json_begin(&j, NULL, '{');
		hs_json_text(&j, "file", feed.name);
		hs_json_begin(&j, "faults", '[');
		const int n = hs_nx_check(h5, say_fault, &faults, p->values);
		hs_json_end(&j, ']');
		hs_json_bool(&j, "obeys", n == 0);
		hs_json_bool(&j, "values_read", p->values);
		hs_json_end(&j, '}');
		if (run->common.json)
			print_json(&j);
		hs_stage("%s: %d faults", feed.name, n);
		run->answer_no |= n > 0;
	}
	hs_str_release(&j.out);
	if (h5)
		hs_h5_close(h5);
	hs_feed_close(&feed);
	return verdict;
}

/* ------------------------------------------------------------------ the history as a shell script */

static void add_quoted(struct hs_str *out, const char *word)
{
	if (*word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%") == strlen(word)) {
		hs_str_add(out, word);
		return;
	}
	hs_str_add(out, "'");
	for (const char *p = word; *p; p++)
		if (*p == '\'')
			hs_str_add(out, "'\\''");
		else
			hs_str_add_bytes(out, p, 1);
	hs_str_add(out, "'");
}

/* Is this letter one that takes no value? The common ones, and those whose name the step recorded as true or false. */
static bool is_flag_letter(const struct hs_step *step, char letter)
{
	for (size_t i = 0; i < step->n_params; i++)
		if (step->param[i].kind == HS_PARAM_BOOL && step->param[i].name[0] == letter)
			return true;
	return strchr("fnqv", letter) != NULL;
}

/* Where a recorded command line wrote to: the value of -o; NULL for standard output. Borrowed from argv. */
static const char *output_of(const struct hs_step *step, char *const *argv)
{
	const char *output = NULL;
	for (char *const *a = argv; *a && strcmp(*a, "--"); a++) {
		const char *word = *a;
		if (hs_starts(word, "--output="))
			output = word + strlen("--output=");
		else if (!strcmp(word, "--output"))
			output = a[1] ? *++a : NULL;
		else if (word[0] == '-' && word[1] != '-')
			for (const char *p = word + 1; *p; p++) {
				if (*p == 'o')
					output = p[1] ? p + 1 : a[1] ? *++a : NULL;
				if (!is_flag_letter(step, *p))
					break;
			}
	}
	return output && strcmp(output, "-") ? output : NULL;
}

/* Only our own programs are replayed: the file may come from a stranger. */
static bool is_ours(const struct hs_step *step, char *const *argv)
{
	return argv && *argv && !strcmp(*argv, step->program) && hs_starts(*argv, "hs") &&
		strspn(*argv, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(*argv);
}

static bool reads_stdin(const struct hs_step *step)
{
	return step->n_origins && !strcmp(step->origin[0].file_name, "stdin");
}

static void say_remarks(struct hs_str *out, const struct hs_step *step)
{
	hs_str_addf(out, "# step %d: ", step->sequence);
	add_plain(out, step->program);
	hs_str_add(out, " ");
	add_plain(out, step->version);
	hs_str_add(out, ", ");
	add_plain(out, step->date);
	hs_str_add(out, "\n");
	for (size_t i = 0; i < step->n_origins; i++) {
		const struct hs_origin *o = &step->origin[i];
		hs_str_add(out, "#   from ");
		add_plain(out, o->file_name);
		if (o->path) {
			hs_str_add(out, ", ");
			add_plain(out, o->path);
		}
		if (o->checksum) {
			hs_str_add(out, ", sha256 ");
			add_plain(out, o->checksum);
		}
		hs_str_add(out, "\n");
	}
}

/* One command. before: the file the step before has written, NULL for the first step; *made: what this one writes, owned by
 * the caller. The step behind tells what a file was called that came by standard output. */
static int say_command(struct hs_str *out, const struct hs_step *step, const struct hs_step *behind, const char *before,
	char **made, struct hs_err *err)
{
	char **argv = hs_json_get_strings(step->configuration, "argv");
	if (!is_ours(step, argv)) {
		hs_json_free_strings(argv);
		return hs_fail(err, HS_BAD_DATA, "step %d has no command line of ours: it cannot be replayed", step->sequence);
	}
	const char *output = output_of(step, argv);
	if (output)
		*made = hs_must_dup(output);
	else if (behind && behind->n_origins && !reads_stdin(behind))
		*made = hs_must_dup(behind->origin[0].file_name);
	else
		*made = hs_must_printf("step_%02d.nxs", step->sequence);
	if (before && step->n_origins && !reads_stdin(step) && strcmp(before, step->origin[0].file_name)) {
		hs_str_add(out, "cp -- ");                /* it was renamed or moved in between */
		add_quoted(out, before);
		hs_str_add(out, " ");
		add_quoted(out, step->origin[0].file_name);
		hs_str_add(out, "\n");
	}
	for (char **a = argv; *a; a++) {
		hs_str_add(out, a == argv ? "" : " ");
		add_quoted(out, *a);
	}
	if (reads_stdin(step) && before) {
		hs_str_add(out, " < ");
		add_quoted(out, before);
	} else if (reads_stdin(step)) {
		hs_str_addf(out, " < \"${1:?give the file that step %d read from standard input}\"", step->sequence);
	}
	if (!output) {
		hs_str_add(out, " > ");
		add_quoted(out, *made);
	}
	hs_str_add(out, "\n");
	hs_json_free_strings(argv);
	return 0;
}

static int print_history(const struct file *file, struct hs_err *err)
{
	struct hs_str out = { 0 };
	char *before = NULL;
	const size_t n = hs_in_n_steps(file->in);
	int verdict = 0;
	hs_str_add(&out, "#!/bin/sh\n# how ");
	add_plain(&out, hs_in_name(file->in));
	hs_str_add(&out, " was made; run it where its inputs are\nset -eC\n");
	for (size_t i = 0; i < n && verdict == 0; i++) {
		const struct hs_step *step = hs_in_step(file->in, i), *behind = i + 1 < n ? hs_in_step(file->in, i + 1) : NULL;
		char *made = NULL;
		say_remarks(&out, step);
		verdict = say_command(&out, step, behind, before, &made, err);
		free(before);
		before = made;
	}
	if (verdict == 0)
		hs_say("%s", hs_str_get(&out));
	else
		hs_err_prepend(err, "%s", hs_in_name(file->in));
	free(before);
	hs_str_release(&out);
	return verdict;
}

/* ------------------------------------------------------------------ one file after the other */

static int look(struct hs_run *run, size_t operand, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct file file = { 0 };
	struct stat st;
	if (hs_session_input(run, operand, &file.in, &file.chosen, err) < 0)
		return -1;
	if (strcmp(hs_in_name(file.in), "stdin") && stat(hs_in_name(file.in), &st) == 0)
		file.bytes = (uint64_t)st.st_size;
	int verdict = hs_in_find(file.in, NULL, &file.by_default, err);
	if (verdict == 0 && p->stats)
		verdict = find_stats(run, &file, err);
	if (verdict == 0 && p->history)
		verdict = print_history(&file, err);
	else if (verdict == 0 && p->metadata)
		verdict = print_metadata(&file, err);
	else if (verdict == 0 && p->header)
		verdict = print_header(&file, err);
	else if (verdict == 0 && run->common.json)
		json_file(&file);
	else if (verdict == 0)
		say_file(&file);
	free(file.stats);
	hs_in_close(file.in);
	return verdict;
}

/* A file that cannot be read does not keep the others from being looked at; the first failure decides the status. */
static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const size_t n = run->n_operands ? run->n_operands : 1;
	if (p->check + p->history + p->stats + p->metadata + p->header > 1)
		return hs_fail(err, HS_USAGE, "--check, --history, --stats, --metadata and --header exclude each other");
	if ((p->header || p->history) && n > 1)
		return hs_fail(err, HS_USAGE, "--header and --history take one file");
	for (size_t i = 0; i < n; i++) {
		struct hs_err one = { 0 };
		if ((p->check ? check : look)(run, i, &one) == 0)
			continue;
		if (hs_failed(err))
			hs_warn("%s", one.text);
		else
			*err = one;
	}
	return hs_failed(err) ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct params p = { .values = true };
	const struct hs_opt options[] = {
		HS_OPT_FLAG(0, "check", &p.check, "does the file obey the convention? Status 1 and a line a fault if not"),
		HS_OPT_FLAG(0, "values", &p.values, "with --check: compare checksums of values, too (--no-values: do not)"),
		HS_OPT_FLAG(0, "history", &p.history, "print a shell script that makes the file again"),
		HS_OPT_FLAG(0, "stats", &p.stats, "read the values: minimum, maximum, mean, sum, NaN"),
		HS_OPT_FLAG(0, "metadata", &p.metadata, "print the vendor's metadata, as JSON"),
		HS_OPT_FLAG(0, "header", &p.header, "print the vendor's header, byte for byte"),
	};
	const struct hs_tool tool = { .name = "hsinfo", .summary = "what a file holds: shapes, axes, units, results, history",
		.operands = "[FILE]...", .max_operands = 1 << 20, .takes = "any files of ours", .gives = "text or JSON",
		.example = "hsinfo --json *.nxs | jq .title", .uses = HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_JSON, .options = options,
		.n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
