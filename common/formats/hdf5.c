/* Any HDF5 file: a dataset by its path, or the arrays that are there. Axes are what --axes says, the attached dimension scales,
 * or indices. The reader of last resort, so it says what it took. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/axes.h"
#include "formats/h5set.h"

enum { MAX_ARRAYS = 256 };

struct found {
	char *path;
	struct hs_h5_shape shape;
};

struct search {
	const struct hs_load_options *options;
	struct found *found;
	size_t n;
};

static int visit(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	struct search *s = ctx;
	struct hs_h5_shape shape;
	if (kind != HS_H5_DATASET || !hs_h5set_wanted(s->options, path))
		return 0;
	const bool asked = hs_h5set_named(s->options, path);
	const bool sized = hs_h5_shape(file, path, &shape);
	/* a scale is the axis of another dataset; what cannot be read is kept, to be told why */
	if (!asked && (!sized || (shape.class == HS_H5_NUMBER && shape.count < 2) || shape.class == HS_H5_STRING ||
		shape.class == HS_H5_COMPOUND ||
	    (shape.class == HS_H5_OTHER && shape.rank < 2 && shape.count)))
		return 0;
	char *class = asked ? NULL : hs_h5set_text(file, path, "CLASS");
	const bool scale = class && !strcmp(class, "DIMENSION_SCALE");
	free(class);
	if (scale || s->n >= MAX_ARRAYS)
		return 0;
	s->found = hs_must_resize(s->found, s->n + 1, sizeof *s->found);
	s->found[s->n++] = (struct found){ hs_must_dup(path), shape };
	return 0;
}

/* Arrays of two and more dimensions, or the curves when there are none. */
static void search(struct search *s, const struct hs_load_options *options)
{
	*s = (struct search){ .options = options };
	hs_h5set_walk(options, visit, s);
	size_t least = 1, kept = 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->found[i].shape.rank >= 2)
			least = 2;
	for (size_t i = 0; i < s->n; i++) {
		const bool unreadable = s->found[i].shape.class == HS_H5_OTHER;
		const bool asked = hs_h5set_named(options, s->found[i].path);
		if (asked || s->found[i].shape.rank >= least || unreadable)
			s->found[kept++] = s->found[i];
		else
			free(s->found[i].path);
	}
	s->n = kept;
}

static void search_release(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->found[i].path);
	free(s->found);
}

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)file;
	struct search s;
	if (!options->h5)
		return 0;
	search(&s, options);
	const size_t n = s.n;
	search_release(&s);
	return n || options->path ? 5 : 0;
}

/* Axes for one dataset: by --axes, by scales, or by custom. *sig_rank GUESS when the scales decide. */
static int axes_of(struct hs_h5 *file, const char *path, const struct hs_h5_shape *shape, const char *text,
	struct hs_axis *axis, int *sig_rank,
	struct hs_err *err)
{
	char *scale[HS_MAX_RANK];
	size_t n_scales = 0, signal;
	for (size_t i = 0; i < shape->rank; i++)
		n_scales += (scale[i] = hs_h5_scale(file, path, i)) != NULL;
	int verdict = 0;
	*sig_rank = HS_H5SET_GUESS;
	if (text || !n_scales) {
		verdict = hs_axes_from_text(text, shape->rank, shape->n, axis, &signal, err);
		bool spectral = false;
		for (size_t i = 0; verdict == 0 && i < shape->rank; i++)
			spectral |= axis[i].kind == HS_AXIS_SPECTRAL;
		if (!spectral)
			*sig_rank = (int)signal;
	}
	for (size_t i = 0; i < shape->rank; i++) {
		if (!text && n_scales) {
			char *label = hs_h5_label(file, path, i), *own = hs_must_printf("dim_%zu", i + 1);
			axis[i] = hs_h5set_axis(file, scale[i], label ? label : scale[i] ? hs_h5set_leaf(scale[i]) : own, shape->n[i], i);
			free(own);
			free(label);
		}
		free(scale[i]);
	}
	return verdict;
}

static int add_array(struct hs_scan *scan, struct hs_h5 *file, const struct found *f, const char *field, enum hs_dtype dtype,
	const char *text, struct hs_err *err)
{
	struct hs_axis axis[HS_MAX_RANK];
	int sig_rank;
	if (axes_of(file, f->path, &f->shape, text, axis, &sig_rank, err) < 0)
		return -1;
	char *leaf = hs_utf8(hs_h5set_leaf(f->path), strlen(hs_h5set_leaf(f->path))), *name =
		field ? hs_must_printf("%s_%s", leaf, field) : hs_must_dup(leaf);
	struct hs_signal signal;
	hs_h5set_describe(&signal, file, f->path, name, name, dtype);
	free(name);
	free(leaf);
	return hs_h5set_add(scan, file, f->path, field, &f->shape, &signal, axis, sig_rank, text ? HS_H5SET_KEEP_XY : HS_H5SET_Y_FIRST,
		err);
}

static int add_fields(struct hs_scan *scan, struct hs_h5 *file, const struct found *f, const char *text, struct hs_err *err)
{
	size_t n;
	int verdict = 0;
	char **field = hs_h5_fields(file, f->path, &n);
	for (size_t i = 0; i < n && verdict == 0; i++) {
		enum hs_dtype dtype;
		if (hs_h5_field_dtype(file, f->path, field[i], &dtype))
			verdict = add_array(scan, file, f, field[i], dtype, text, err);
	}
	hs_h5_free_list(field, n);
	return verdict;
}

static void announce(const struct search *s, struct hs_h5 *file, const struct hs_scan *scan)
{
	struct hs_str list = { 0 };
	for (size_t i = 0; i < s->n && i < 8; i++)
		hs_str_addf(&list, "%s%s", i ? ", " : "", s->found[i].path);
	if (s->n > 8)
		hs_str_addf(&list, " and %zu more", s->n - 8);
	hs_warn("%s: no known layout in this HDF5 file; %zu %s taken: %s", hs_h5_name(file), scan->n_signals, scan->n_signals == 1 ?
		"array" : "arrays",
		hs_str_get(&list));
	hs_str_release(&list);
}

static int open_hdf5(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan, struct hs_err *err)
{
	(void)file;
	struct search s;
	char *why = NULL;
	int verdict = 0;
	if (!options->h5)
		return hs_fail(err, HS_BAD_DATA, "it is no HDF5 file");
	search(&s, options);
	if (options->path && !s.n)
		hs_fail(err, HS_BAD_DATA, hs_h5_kind(options->h5, options->path) == HS_H5_NOTHING ? "there is no '%s' in it" :
			"'%s' holds no array", options->path);
	for (size_t i = 0; i < s.n && verdict == 0; i++) {
		struct found *f = &s.found[i];
		/* with several arrays, --axes is for those it fits */
		size_t names = 1;
		for (const char *p = options->axes; p && *p; p++)
			names += *p == ',';
		const char *text = options->axes && (s.n == 1 || names == f->shape.rank) ? options->axes : NULL;
		if (!hs_h5set_readable(options->h5, f->path, &f->shape, &why))
			continue;
		verdict = f->shape.class == HS_H5_COMPOUND ? add_fields(scan, options->h5, f, text, err) :
			add_array(scan, options->h5, f, NULL, f->shape.dtype, text, err);
	}
	if (hs_failed(err))
		verdict = -1;
	if (verdict < 0)
		free(why);
	else
		verdict = hs_h5set_end(scan, why, err);
	if (verdict == 0) {
		if (!options->path)
			announce(&s, options->h5, scan);
		hs_h5set_metadata(scan, options->h5, "/");
	}
	search_release(&s);
	return verdict;
}

const struct hs_format hs_format_hdf5 = { "hdf5", "any HDF5 file: the dataset named by path, or its arrays", sniff, open_hdf5 };
