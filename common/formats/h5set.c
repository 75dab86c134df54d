#include "formats/h5set.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

enum { MAX_HEADER = 4 << 20 };
#define MAX_AXES ((size_t)1 << 26)            /* entries of all axes together: each has its value in memory */

/* What of path lies below the object the user named ("" for itself); NULL when it is not below. */
static const char *below(const struct hs_load_options *options, const char *path)
{
	const char *asked = options->path ? options->path : "";
	asked += *asked == '/';
	path += *path == '/';
	size_t n = strlen(asked);
	n -= n && asked[n - 1] == '/';
	return !strncmp(path, asked, n) && (!n || !path[n] || path[n] == '/') ? path + n : NULL;
}

bool hs_h5set_wanted(const struct hs_load_options *options, const char *path)
{
	return below(options, path) != NULL;
}

bool hs_h5set_named(const struct hs_load_options *options, const char *path)
{
	const char *rest = options->path ? below(options, path) : NULL;
	return rest && !*rest;
}

int hs_h5set_walk(const struct hs_load_options *options, hs_h5_visit_fn fn, void *ctx)
{
	const char *asked = options->path ? options->path : "";
	char *from = hs_h5_join("/", asked + (*asked == '/'));
	for (size_t n = strlen(from); n > 1 && from[n - 1] == '/'; n--)
		from[n - 1] = 0;
	if (hs_h5_kind(options->h5, from) == HS_H5_DATASET) {
		char *slash = strrchr(from, '/');
		slash[slash == from] = 0;
	}
	const int verdict = hs_h5_walk(options->h5, from, fn, ctx);
	free(from);
	return verdict;
}

char *hs_h5set_text(struct hs_h5 *file, const char *path, const char *attr)
{
	char *text = hs_h5_attr_text(file, path, attr);
	const char *from = text ? text : "";
	while (isspace((unsigned char)*from))
		from++;
	size_t n = strlen(from);
	while (n && isspace((unsigned char)from[n - 1]))
		n--;
	char *trimmed = n && strcmp(from, "_None_") && strcmp(from, "<undefined>") ?
		hs_must_printf("%.*s", (int)(n < 65536 ? n : 65536), from) : NULL;
	free(text);
	return trimmed;
}

const char *hs_h5set_leaf(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

void hs_h5set_split_label(const char *label, char **quantity, char **units)
{
	const size_t n = strlen(label);
	const char *open = strrchr(label, '(');
	*units = NULL;
	if (!open || open == label || !n || label[n - 1] != ')') {
		*quantity = hs_must_dup(label);
		return;
	}
	size_t len = (size_t)(open - label);
	*units = hs_must_printf("%.*s", (int)(label + n - 1 - open - 1), open + 1);
	while (len && label[len - 1] == ' ')
		len--;
	*quantity = hs_must_printf("%.*s", (int)len, label);
}

struct hs_axis hs_h5set_index_axis(const char *name, size_t n)
{
	return hs_axis_uniform(name, "1", NULL, hs_axis_kind_guess(name, "1"), n, 0, 1);
}

/* The n values of dimension dim, or the centres between n + 1 edges; NULL when there are neither. Takes value. */
static double *run_of(const struct hs_h5_shape *shape, double *value, size_t count, size_t n, size_t dim)
{
	size_t step = 1;
	if (shape->rank > 1) {
		if (dim >= shape->rank || shape->n[dim] != n) {
			free(value);
			return NULL;
		}
		for (size_t i = dim + 1; i < shape->rank; i++)
			step *= shape->n[i];
		for (size_t i = 0; i < n; i++)
			value[i] = value[i * step];
	} else if (count == n + 1) {
		for (size_t i = 0; i < n; i++)
			value[i] = 0.5 * (value[i] + value[i + 1]);
	} else if (count != n) {
		free(value);
		return NULL;
	}
	return value;
}

struct hs_axis hs_h5set_axis(struct hs_h5 *file, const char *path, const char *name, size_t n, size_t dim)
{
	struct hs_h5_shape shape;
	size_t count = 0;
	double *value = NULL;
	if (path && hs_h5_shape(file, path, &shape) && shape.class == HS_H5_NUMBER)
		value = hs_h5_reals(file, path, &count);
	if (value)
		value = run_of(&shape, value, count, n, dim);
	if (path && !value)
		hs_warn("%s: '%s' has no %zu values for an axis: indices are used instead", hs_h5_name(file), path, n);
	if (!value)
		return hs_h5set_index_axis(name, n);
	char *units = hs_h5set_text(file, path, "units"), *quantity = hs_h5set_text(file, path, "quantity"),
	     *type = hs_h5set_text(file, path, "dimension_type"), *label = hs_h5set_text(file, path, "long_name"), *in_label = NULL;
	if (!quantity && label)
		hs_h5set_split_label(label, &quantity, &in_label);
	if (!units) {
		units = in_label;
		in_label = NULL;
	}
	enum hs_axis_kind kind = type ? hs_axis_kind_from(type) : HS_AXIS_UNKNOWN;
	char *clean = hs_unit_clean(units);
	if (kind == HS_AXIS_UNKNOWN)
		kind = hs_axis_kind_guess(name, clean);
	if (kind == HS_AXIS_UNKNOWN && quantity)
		kind = hs_axis_kind_guess(quantity, clean);
	struct hs_axis a = hs_axis_values(name, units, quantity, kind, n, value);
	free(clean);
	free(units);
	free(in_label);
	free(quantity);
	free(type);
	free(label);
	free(value);
	return a;
}

static bool axes_fit(const struct hs_h5_shape *shape)
{
	size_t left = MAX_AXES;
	for (size_t i = 0; i < shape->rank; i++) {
		if (shape->n[i] > left)
			return false;
		left -= shape->n[i];
	}
	return true;
}

bool hs_h5set_readable(struct hs_h5 *file, const char *path, struct hs_h5_shape *shape, char **why)
{
	char *reason = NULL;
	if (!hs_h5_shape(file, path, shape)) {
		reason = hs_h5_trouble(file, path);
		if (!reason)
			reason = hs_must_printf("it has more than %d dimensions", HS_MAX_RANK);
	} else if (shape->class == HS_H5_OTHER) {
		reason = hs_h5_trouble(file, path);
		if (!reason)
			reason = hs_must_dup("its values are no numbers");
	} else if (shape->class == HS_H5_STRING) {
		reason = hs_must_dup("its values are text");
	} else if (!shape->count || !shape->rank) {
		reason = hs_must_dup(shape->rank ? "it is empty" : "it is a single value");
	} else if (!axes_fit(shape)) {
		reason = hs_must_printf("it has a dimension of more than %zu values", MAX_AXES);
	}
	if (!reason)
		return true;
	hs_warn("%s: '%s' is left out: %s", hs_h5_name(file), path, reason);
	if (!*why)
		*why = hs_must_printf("'%s' holds nothing to load: %s", path, reason);
	free(reason);
	return false;
}

void hs_h5set_describe(struct hs_signal *signal, struct hs_h5 *file, const char *path, const char *name, const char *title,
	enum hs_dtype dtype)
{
	char *units = hs_h5set_text(file, path, "units"), *quantity = hs_h5set_text(file, path, "quantity"),
	     *label = hs_h5set_text(file, path, "long_name"), *in_label = NULL;
	if (!quantity && label)
		hs_h5set_split_label(label, &quantity, &in_label);
	hs_signal_init(signal, name, quantity, units ? units : in_label, dtype);
	hs_signal_set(&signal->title, title);
	char *modality = hs_h5set_text(file, path, "modality"), *source = hs_h5set_text(file, path, "source");
	if (modality && !hs_same_word(modality, "generic"))
		hs_signal_set(&signal->modality, modality);
	if (source && !hs_same_word(source, "generic"))
		hs_signal_set(&signal->source, source);
	free(units);
	free(quantity);
	free(label);
	free(in_label);
	free(modality);
	free(source);
}

/* 'x', 'y' or 0: "x", "Y", "xaxis", "x_position", "R_x", "kx". */
static char letter(const char *name)
{
	const size_t n = strlen(name);
	const char first = (char)tolower((unsigned char)name[0]), last = n ? (char)tolower((unsigned char)name[n - 1]) : 0;
	if ((first == 'x' || first == 'y') && (n == 1 || !isalpha((unsigned char)name[1]) || hs_starts(name + 1, "axis") ||
		hs_starts(name + 1, "pos")))
		return first;
	if ((last == 'x' || last == 'y') && ((n > 2 && name[n - 2] == '_') || (n == 2 && strchr("kqKQ", name[0]))))
		return last;
	return 0;
}

void hs_h5set_y_first(const struct hs_axis *axis, size_t *order, size_t n)
{
	size_t x = n, y = n;
	for (size_t i = 0; i < n; i++) {
		const char c = letter(axis[order[i]].name);
		if (c == 'x' && x == n)
			x = i;
		if (c == 'y' && y == n)
			y = i;
	}
	if (x < n && y < n && x < y && axis[order[x]].kind == axis[order[y]].kind) {
		const size_t was = order[x];
		order[x] = order[y];
		order[y] = was;
	}
}

static size_t count_kind(const struct hs_axis *axis, size_t rank, enum hs_axis_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < rank; i++)
		n += axis[i].kind == kind;
	return n;
}

/* Marks the last `wanted` dimensions of a kind, in the sequence given, as the signal. */
static void mark(const struct hs_axis *axis, const size_t *sequence, size_t rank, enum hs_axis_kind kind, size_t wanted,
	bool *signal)
{
	for (size_t i = rank; i-- > 0 && wanted;)
		if (axis[sequence[i]].kind == kind) {
			signal[i] = true;
			wanted--;
		}
}

void hs_h5set_order(const struct hs_axis *axis, size_t rank, int *sig_rank, enum hs_h5set_manner manner, size_t *order)
{
	bool signal[HS_MAX_RANK] = { false };
	size_t sequence[HS_MAX_RANK];
	for (size_t i = 0; i < rank; i++)
		sequence[i] = manner == HS_H5SET_REVERSED ? rank - 1 - i : i;
	if (*sig_rank >= 0) {
		for (size_t i = 0; i < rank; i++)
			signal[i] = i + (size_t)*sig_rank >= rank;
	} else if (count_kind(axis, rank, HS_AXIS_SPECTRAL)) {
		mark(axis, sequence, rank, HS_AXIS_SPECTRAL, 1, signal);
	} else if (count_kind(axis, rank, HS_AXIS_RECIPROCAL) >= 2) {
		mark(axis, sequence, rank, HS_AXIS_RECIPROCAL, 2, signal);
	} else if (rank && axis[sequence[rank - 1]].kind == HS_AXIS_SPATIAL && count_kind(axis, rank, HS_AXIS_SPATIAL) >= 2) {
		mark(axis, sequence, rank, HS_AXIS_SPATIAL, 2, signal);
	} else if (rank) {
		signal[rank - 1] = true;
	}
	size_t at = 0;
	for (size_t i = 0; i < rank; i++)
		if (!signal[i])
			order[at++] = sequence[i];
	const size_t nav = at;
	for (size_t i = 0; i < rank; i++)
		if (signal[i])
			order[at++] = sequence[i];
	*sig_rank = (int)(rank - nav);
	if (manner == HS_H5SET_Y_FIRST) {
		hs_h5set_y_first(axis, order, nav);
		hs_h5set_y_first(axis, order + nav, rank - nav);
	}
}

int hs_h5set_add(struct hs_scan *scan, struct hs_h5 *file, const char *path, const char *field, const struct hs_h5_shape *shape,
	struct hs_signal *signal, struct hs_axis *axis, int sig_rank, enum hs_h5set_manner manner, struct hs_err *err)
{
	struct hs_values values;
	size_t order[HS_MAX_RANK];
	hs_h5set_order(axis, shape->rank, &sig_rank, manner, order);
	hs_values_h5(&values, file, path, signal->dtype, shape->rank, shape->n, (size_t)sig_rank);
	values.field = hs_must_dup(field);
	hs_values_permute(&values, order, (size_t)sig_rank);
	for (size_t i = 0; i < shape->rank; i++) {
		hs_signal_add_axis(signal, axis[order[i]]);
		axis[order[i]] = (struct hs_axis){ 0 };
	}
	hs_signal_shape_up(signal, (size_t)sig_rank);
	return hs_scan_add(scan, signal, &values, err);
}

int hs_h5set_end(struct hs_scan *scan, char *why, struct hs_err *err)
{
	if (!scan->n_signals) {
		hs_fail(err, HS_BAD_DATA, "%s", why ? why : "no measured signal in it");
		free(why);
		return -1;
	}
	size_t best = 0;
	bool spectral = false;
	for (size_t i = 0; i < scan->n_signals; i++) {
		const struct hs_signal *s = &scan->signal[i];
		const bool is = s->sig_rank == 1 && s->axis[s->rank - 1].kind != HS_AXIS_CHANNEL;
		const size_t size = hs_signal_count(s);
		if ((is && !spectral) || (is == spectral && size > best)) {
			scan->main = i;
			best = size;
			spectral = is;
		}
	}
	free(why);
	return 0;
}

void hs_h5set_metadata(struct hs_scan *scan, struct hs_h5 *file, const char *path)
{
	free(scan->header_json);
	scan->header_json = hs_h5_metadata_json(file, path, MAX_HEADER);
}

size_t hs_h5set_count(struct hs_h5set_search *s, const struct hs_load_options *options, hs_h5_visit_fn visit)
{
	s->options = options;
	if (options->h5)
		hs_h5set_walk(options, visit, s);
	return s->n;
}

int hs_h5set_take(struct hs_h5set_search *s, const struct hs_load_options *options, hs_h5_visit_fn visit, struct hs_scan *scan,
	struct hs_err *err)
{
	s->options = options;
	s->scan = scan;
	s->err = err;
	if (options->h5 && hs_h5set_walk(options, visit, s)) {
		free(s->why);
		return -1;
	}
	if (hs_h5set_end(scan, s->why, err) < 0)
		return -1;
	hs_h5set_metadata(scan, options->h5, "/");
	return 0;
}
