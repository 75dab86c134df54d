#include "store/nxread.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/feed.h"
#include "store/h5tree.h"

struct hs_in {
	struct hs_feed feed;
	struct hs_h5 *h5;
	size_t n_signals, by_default, n_steps;
	struct hs_signal *signal;
	char **path;
	struct hs_step *step;
};

/* ------------------------------------------------------------------ signals */

static char *attr_or(struct hs_h5 *h5, const char *path, const char *attr, const char *otherwise)
{
	char *text = hs_h5_attr_text(h5, path, attr);
	return text ? text : hs_must_dup(otherwise);
}

static int read_axis(struct hs_signal *s, struct hs_h5 *h5, const char *group, const char *name, size_t length,
	struct hs_err *err)
{
	char *path = hs_h5_join(group, name);
	double *value = hs_h5_reals_n(h5, path, length);
	struct hs_h5_shape shape;
	const bool there = hs_h5_shape(h5, path, &shape);
	if (!value && (!there || shape.count != length)) {
		hs_fail(err, HS_BAD_DATA, "axis '%s' of '%s' is missing or has %zu values for %zu", name, group, there ? shape.count : 0,
			length);
	} else if (!value) {
		hs_fail(err, HS_BAD_DATA, "axis '%s' of '%s' cannot be read", name, group);
	} else {
		char *units = attr_or(h5, path, "units", "1"), *quantity = attr_or(h5, path, "quantity", name),
		     *kind = attr_or(h5, path, "dimension_type", "UNKNOWN");
		struct hs_axis a = hs_axis_values(name, units, quantity, hs_axis_kind_from(kind), length, value);
		if (!hs_axis_is_monotonic(&a))
			hs_fail(err, HS_BAD_DATA, "axis '%s' of '%s' neither rises nor falls throughout", name, group);
		a.integer = !hs_dtype_is_float(shape.dtype);
		hs_signal_add_axis(s, a);
		free(units);
		free(quantity);
		free(kind);
	}
	free(value);
	free(path);
	return hs_failed(err) ? -1 : 0;
}

/* Datasets that have NAME_indices beside them and are no axis: further coordinates of the pixels. */
static void read_coords(struct hs_signal *s, struct hs_h5 *h5, const char *group)
{
	size_t n_child = 0;
	char **child = hs_h5_children(h5, group, &n_child);
	for (size_t i = 0; i < n_child; i++) {
		size_t n_dims = 0, expected = 1;
		char *attr = hs_must_printf("%s_indices", child[i]), *path = hs_h5_join(group, child[i]);
		double *dims = hs_signal_find_axis(s, child[i]) < 0 && strcmp(child[i], "pixel_mask") ?
			hs_h5_attr_reals(h5, group, attr, &n_dims) : NULL;
		bool good = dims && n_dims >= 1 && n_dims <= s->rank;
		for (size_t k = 0; k < n_dims && good; k++) {
			good = dims[k] >= 0 && dims[k] < (double)s->rank;
			expected *= good ? s->axis[(size_t)dims[k]].n : 1;
		}
		double *value = good ? hs_h5_reals_n(h5, path, expected) : NULL;
		if (dims && !value)
			hs_warn("coordinate '%s' of '%s' is left out: it cannot be read as a number a pixel", child[i], group);
		if (value) {
			char *units = attr_or(h5, path, "units", "1");
			struct hs_coord *c = hs_signal_add_coord(s, child[i], units, expected, value);
			c->n_dims = n_dims;
			for (size_t k = 0; k < n_dims; k++)
				c->dim[k] = (size_t)dims[k];
			c->start = hs_h5_attr_text(h5, path, "start");
			free(units);
		}
		free(value);
		free(dims);
		free(attr);
		free(path);
	}
	hs_h5_free_list(child, n_child);
}

/* A mask that is there but cannot be used is an error: without it bad pixels would pass for good ones. */
static int read_mask(struct hs_signal *s, struct hs_h5 *h5, const char *group, struct hs_err *err)
{
	const size_t want = hs_signal_mask_count(s);
	char *path = hs_h5_join(group, "pixel_mask");
	struct hs_h5_shape shape;
	if (hs_h5_kind(h5, path) != HS_H5_DATASET) {
		free(path);
		return 0;
	}
	if (!hs_h5_shape(h5, path, &shape) || shape.class != HS_H5_NUMBER || shape.count != want) {
		hs_fail(err, HS_BAD_DATA, "the mask of '%s' has not one number a pixel", group);
	} else if (shape.dtype == HS_U8) {
		s->mask = hs_h5_values(h5, path, NULL, HS_U8, want, err);
	} else {
		double *value = hs_h5_reals_n(h5, path, want);
		if (!value || !(s->mask = hs_alloc(want, 1, err)))
			hs_fail(err, HS_BAD_DATA, "the mask of '%s' cannot be read", group);
		for (size_t i = 0; s->mask && i < want; i++)
			s->mask[i] = value[i] >= 0 && value[i] < 256 ? (uint8_t)value[i] : HS_MASK_EXCLUDED;
		free(value);
	}
	free(path);
	return hs_failed(err) ? -1 : 0;
}

static int read_signal(struct hs_signal *s, struct hs_h5 *h5, const char *group, struct hs_err *err)
{
	char *data = hs_h5_join(group, "data"), *title_path = hs_h5_join(group, "title");
	struct hs_h5_shape shape;
	size_t n_axes = 0;
	char **axes = hs_h5_attr_texts(h5, group, "axes", &n_axes), *text;
	const char *slash = strrchr(group, '/');
	*s = (struct hs_signal){ 0 };
	if (!hs_h5_shape(h5, data, &shape) || shape.class != HS_H5_NUMBER) {
		hs_fail(err, HS_BAD_DATA, "'%s' has no numbers in it", group);
	} else {
		char *quantity = attr_or(h5, data, "quantity", "intensity"), *units = attr_or(h5, data, "units", "1");
		hs_signal_init(s, slash ? slash + 1 : group, quantity, units, shape.dtype);
		free(quantity);
		free(units);
		struct { const char *attr; char **to; } const fields[] = { { "long_name", &s->long_name }, { "data_type", &s->data_type },
			{ "modality", &s->modality }, { "source", &s->source } };
		for (size_t i = 0; i < HS_LEN(fields); i++)
			if ((text = hs_h5_attr_text(h5, data, fields[i].attr))) {
				hs_signal_set(fields[i].to, text);
				free(text);
			}
		if ((text = hs_h5_text(h5, title_path))) {
			hs_signal_set(&s->title, text);
			free(text);
		}
		if ((text = hs_h5_attr_text(h5, data, "sha256"))) {
			snprintf(s->sha256, sizeof s->sha256, "%s", text);
			free(text);
		}
		if (n_axes != shape.rank)
			hs_fail(err, HS_BAD_DATA, "'%s' has %zu dimensions and %zu axes", group, shape.rank, n_axes);
		for (size_t i = 0; i < shape.rank && !hs_failed(err); i++)
			read_axis(s, h5, group, axes[i], shape.n[i], err);
	}
	if (!hs_failed(err)) {
		text = attr_or(h5, group, "interpretation", shape.rank > 2 ? "spectrum" : "image");
		s->sig_rank = !strcmp(text, "image") ? 2 : 1;
		s->sig_rank = s->sig_rank > s->rank ? s->rank : s->sig_rank;
		free(text);
		s->has_fill = !hs_dtype_is_float(s->dtype) && hs_h5_attr_real(h5, data, "_FillValue", &s->fill);
		text = hs_h5_attr_text(h5, group, "SILX_style");
		s->log_scale = text && strstr(text, "\"log\"");
		free(text);
		read_coords(s, h5, group);
		read_mask(s, h5, group, err);
	}
	if (hs_failed(err))
		hs_signal_release(s);
	hs_h5_free_list(axes, n_axes);
	free(title_path);
	free(data);
	return hs_failed(err) ? -1 : 0;
}

/* A scatter picture has two axes for one dimension; it is for viewers and no signal of ours. */
static bool is_scatter_picture(struct hs_h5 *h5, const char *group)
{
	struct hs_h5_shape shape;
	size_t n_axes = 0;
	char *data = hs_h5_join(group, "data"), **axes = hs_h5_attr_texts(h5, group, "axes", &n_axes);
	const bool yes = hs_h5_shape(h5, data, &shape) && shape.rank == 1 && n_axes == 2;
	hs_h5_free_list(axes, n_axes);
	free(data);
	return yes;
}

static int collect_signals(struct hs_in *in, const char *group, int depth, struct hs_err *err)
{
	size_t n = 0;
	char **child = hs_h5_children(in->h5, group, &n);
	for (size_t i = 0; i < n && !hs_failed(err); i++) {
		char *path = hs_h5_join(group, child[i]), *class = hs_h5_attr_text(in->h5, path, "NX_class");
		if (class && !strcmp(class, "NXdata") && !is_scatter_picture(in->h5, path)) {
			in->signal = hs_must_resize(in->signal, in->n_signals + 1, sizeof *in->signal);
			in->path = hs_must_resize(in->path, in->n_signals + 1, sizeof *in->path);
			if (read_signal(&in->signal[in->n_signals], in->h5, path, err) == 0)
				in->path[in->n_signals++] = hs_must_dup(path);
		} else if (class && !strcmp(class, "NXprocess") && depth == 0) {
			collect_signals(in, path, 1, err);
		}
		free(class);
		free(path);
	}
	hs_h5_free_list(child, n);
	return hs_failed(err) ? -1 : 0;
}

/* ------------------------------------------------------------------ history */

static char *text_at(struct hs_h5 *h5, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name), *text = hs_h5_text(h5, path);
	free(path);
	return text;
}

static void read_params(struct hs_step *step, struct hs_h5 *h5, const char *group)
{
	size_t n = 0;
	char *path = hs_h5_join(group, "parameters"), **child = hs_h5_children(h5, path, &n);
	for (size_t i = 0; i < n; i++) {
		char *one = hs_h5_join(path, child[i]);
		struct hs_h5_shape shape;
		size_t count = 0;
		if (hs_h5_shape(h5, one, &shape) && shape.class == HS_H5_STRING) {
			hs_step_add_param(step, child[i], HS_PARAM_TEXT)->text = hs_h5_text(h5, one);
		} else {
			double *v = hs_h5_reals(h5, one, &count);
			const enum hs_param_kind kind = shape.dtype == HS_U8 ? HS_PARAM_BOOL : hs_dtype_is_float(shape.dtype) ? HS_PARAM_REAL :
				HS_PARAM_INT;
			if (v && count == 1) {
				struct hs_param *p = hs_step_add_param(step, child[i], kind);
				p->real = v[0];
				p->integer = fabs(v[0]) < 9.2e18 ? (int64_t)v[0] : 0;
			}
			free(v);
		}
		free(one);
	}
	hs_h5_free_list(child, n);
	free(path);
}

static void read_origins(struct hs_step *step, struct hs_h5 *h5, const char *group)
{
	for (size_t i = 1; i < 1000; i++) {
		char name[32];
		snprintf(name, sizeof name, "input_%zu", i);
		char *path = hs_h5_join(group, name), *type = text_at(h5, path, "type"), *file_name = text_at(h5, path, "file_name");
		const bool there = hs_h5_kind(h5, path) == HS_H5_GROUP;
		if (there) {
			struct hs_origin *o = hs_step_add_origin(step, type ? type : "application/octet-stream", file_name ? file_name : "unknown");
			o->path = text_at(h5, path, "description");
			o->uuid = text_at(h5, path, "identifier_uuid");
			o->checksum = text_at(h5, path, "checksum");
		}
		free(type);
		free(file_name);
		free(path);
		if (!there)
			break;
	}
}

static void read_history(struct hs_in *in)
{
	size_t n = 0;
	char **child = hs_h5_children(in->h5, "/entry", &n);      /* sorted, and NN has two digits: oldest first */
	for (size_t i = 0; i < n; i++) {
		if (!hs_starts(child[i], "process_"))
			continue;
		in->step = hs_must_resize(in->step, in->n_steps + 1, sizeof *in->step);
		struct hs_step *s = &in->step[in->n_steps++];
		char *group = hs_h5_join("/entry", child[i]), *note = hs_h5_join(group, "configuration");
		static const char unknown[] = "unknown";
		*s = (struct hs_step){ .sequence = atoi(child[i] + strlen("process_")), .program = text_at(in->h5, group, "program"),
			.version = text_at(in->h5, group, "version"), .date = text_at(in->h5, group, "date"),
			.command = text_at(in->h5, note, "description"), .configuration = text_at(in->h5, note, "data") };
		char **const must[] = { &s->program, &s->version, &s->date, &s->command, &s->configuration };
		for (size_t k = 0; k < HS_LEN(must); k++)
			if (!*must[k])
				*must[k] = hs_must_dup(unknown);
		read_params(s, in->h5, group);
		read_origins(s, in->h5, group);
		free(group);
		free(note);
	}
	hs_h5_free_list(child, n);
}

/* ------------------------------------------------------------------ opening */

/* Follows @default from the root to an NXdata. */
static void find_default(struct hs_in *in)
{
	char *path = hs_must_dup("/");
	for (int depth = 0; depth < 8; depth++) {
		char *next = hs_h5_attr_text(in->h5, path, "default");
		if (!next)
			break;
		char *down = hs_h5_join(path, next);
		free(next);
		free(path);
		path = down;
	}
	for (size_t i = 0; i < in->n_signals; i++)
		if (!strcmp(in->path[i], path))
			in->by_default = i;
	free(path);
}

int hs_in_open(struct hs_in **result, const char *path, struct hs_err *err)
{
	struct hs_feed feed;
	*result = NULL;
	return hs_feed_open(&feed, path, err) < 0 ? -1 : hs_in_open_feed(result, &feed, err);
}

int hs_in_open_feed(struct hs_in **result, struct hs_feed *feed, struct hs_err *err)
{
	struct hs_in *in = hs_must_alloc(1, sizeof *in);
	struct hs_err own = { 0 };
	in->feed = *feed;
	*feed = (struct hs_feed){ .fd = -1 };
	*result = NULL;
	if (!in->feed.size)
		hs_fail(err, HS_BAD_DATA, "cannot read '%s': the file is empty", in->feed.name);
	else if (hs_h5_open(&in->h5, in->feed.fd, in->feed.name, &own) < 0 && strstr(own.text, "truncated"))
		*err = own;
	else if (hs_failed(&own))
		hs_fail(err, own.status, "cannot read '%s': not a readable hstools file (vendor files go through hsload first)", in->feed.name);
	else if (!hs_h5_has_attr(in->h5, "/", "hs_version"))
		hs_fail(err, HS_BAD_DATA, "cannot read '%s': HDF5 of another convention (hsload reads it)", in->feed.name);
	else if (collect_signals(in, "/entry", 0, err) == 0 && !in->n_signals)
		hs_fail(err, HS_BAD_DATA, "no data in '%s'", in->feed.name);
	else if (hs_failed(err))
		hs_err_prepend(err, "cannot read '%s'", in->feed.name);
	if (hs_failed(err)) {
		hs_in_close(in);
		return -1;
	}
	find_default(in);
	read_history(in);
	*result = in;
	return 0;
}

void hs_in_close(struct hs_in *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->n_signals; i++) {
		hs_signal_release(&in->signal[i]);
		free(in->path[i]);
	}
	for (size_t i = 0; i < in->n_steps; i++)
		hs_step_release(&in->step[i]);
	free(in->signal);
	free(in->path);
	free(in->step);
	if (in->h5)
		hs_h5_close(in->h5);
	hs_feed_close(&in->feed);
	free(in);
}

const char *hs_in_name(const struct hs_in *in)
{
	return in->feed.name;
}

struct hs_h5 *hs_in_h5(struct hs_in *in)
{
	return in->h5;
}

char *hs_in_entry_text(struct hs_in *in, const char *field)
{
	return text_at(in->h5, "/entry", field);
}

size_t hs_in_count(const struct hs_in *in)
{
	return in->n_signals;
}

const struct hs_signal *hs_in_signal(const struct hs_in *in, size_t i)
{
	return &in->signal[i];
}

const char *hs_in_path(const struct hs_in *in, size_t i)
{
	return in->path[i];
}

int hs_in_find(const struct hs_in *in, const char *name, size_t *i, struct hs_err *err)
{
	*i = in->by_default;
	if (!name)
		return 0;
	for (size_t k = in->n_signals; k-- > 0;) {        /* process groups sort behind data: the newest step is last */
		const char *path = in->path[k];
		const size_t n = strlen(name), len = strlen(path);
		if (!strcmp(path, name) || (len > n && path[len - n - 1] == '/' && !strcmp(path + len - n, name)) ||
			!strcmp(in->signal[k].title, name)) {
			*i = k;
			return 0;
		}
	}
	struct hs_str there = { 0 };
	for (size_t k = 0; k < in->n_signals && there.len < 200; k++)
		hs_str_addf(&there, "%s%s", k ? ", " : "", in->signal[k].name);
	hs_fail(err, HS_USAGE, "no signal '%s' in '%s': there are %s", name, in->feed.name, hs_str_get(&there));
	hs_str_release(&there);
	return -1;
}

int hs_in_values(const struct hs_in *in, size_t i, struct hs_values *values, struct hs_err *err)
{
	const struct hs_signal *s = &in->signal[i];
	char *path = hs_h5_join(in->path[i], "data");
	size_t n[HS_MAX_RANK], total;
	for (size_t d = 0; d < s->rank; d++)
		n[d] = s->axis[d].n;
	if (!hs_product(n, s->rank, &total)) {
		free(path);
		return hs_fail(err, HS_BAD_DATA, "'%s' is absurdly large", in->path[i]);
	}
	hs_values_h5(values, in->h5, path, s->dtype, s->rank, n, s->sig_rank);
	free(path);
	return 0;
}

double *hs_in_read(const struct hs_in *in, size_t i, struct hs_err *err)
{
	struct hs_values v;
	if (hs_in_values(in, i, &v, err) < 0)
		return NULL;
	const struct hs_rows_options options = { .as = HS_AS_F64, .memory = UINT64_C(1) << 40, .threads = 1 };
	double *all = hs_rows_read_all(&v, &options, err);
	hs_values_release(&v);
	return all;
}

double *hs_in_read_companion(struct hs_in *in, size_t i, const char *name, size_t n)
{
	char *path = hs_h5_join(in->path[i], name);
	double *v = hs_h5_reals_n(in->h5, path, n);
	free(path);
	return v;
}

size_t hs_in_n_steps(const struct hs_in *in)
{
	return in->n_steps;
}

const struct hs_step *hs_in_step(const struct hs_in *in, size_t i)
{
	return &in->step[i];
}
