/* NeXus: every NXdata group. The signal is named by @signal, or by a dataset with signal=1, or is the only array;
 * @auxiliary_signals are signals of their own. Axes come from @axes (on the group, or "y:x:bias" on the dataset), from
 * @AXIS_indices, from axis=1..n on the axes themselves, or from dimension scales. The @default chain says which one people
 * mean. Our own container reads this way too, as plain NXdata. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/h5set.h"

struct search {
	struct hs_h5set_search base;
	char *preferred;              /* the group at the end of the @default chain */
	bool has_preferred;
	size_t main;
};

static bool is_class(struct hs_h5 *file, const char *group, const char *nx_class)
{
	char *class = hs_h5set_text(file, group, "NX_class");
	const bool is = class && !strcmp(class, nx_class);
	free(class);
	return is;
}

static bool is_dataset(struct hs_h5 *file, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name);
	const bool is = hs_h5_kind(file, path) == HS_H5_DATASET;
	free(path);
	return is;
}

static bool flag_is_one(struct hs_h5 *file, const char *path, const char *attr)
{
	double value;
	if (hs_h5_attr_real(file, path, attr, &value))
		return value == 1;
	char *text = hs_h5set_text(file, path, attr);
	const bool is = text && !strcmp(text, "1");
	free(text);
	return is;
}

static bool is_companion(const char *name)
{
	return hs_ends(name, "_errors") || !strcmp(name, "errors") || hs_ends(name, "_mask") || hs_ends(name, "_weights");
}

/* The dataset an NXdata group of before 2014 means: the one marked signal=1, else the only one of most dimensions. */
static char *old_style_signal(struct hs_h5 *file, const char *group)
{
	size_t n, rank = 0, times = 0;
	char **name = hs_h5_children(file, group, &n), *marked = NULL, *largest = NULL;
	for (size_t i = 0; i < n && !marked; i++) {
		char *path = hs_h5_join(group, name[i]);
		struct hs_h5_shape shape;
		if (hs_h5_kind(file, path) == HS_H5_DATASET && !is_companion(name[i])) {
			if (flag_is_one(file, path, "signal"))
				marked = hs_must_dup(name[i]);
			else if (hs_h5_shape(file, path, &shape) && shape.class == HS_H5_NUMBER && shape.rank && shape.rank >= rank) {
				times = shape.rank > rank ? 1 : times + 1;
				rank = shape.rank;
				free(largest);
				largest = hs_must_dup(name[i]);
			}
		}
		free(path);
	}
	hs_h5_free_list(name, n);
	if (marked || times != 1) {
		free(largest);
		return marked;
	}
	return largest;
}

/* Follows @default from the root to an NXdata; NULL when there is none. */
static char *default_group(struct hs_h5 *file)
{
	char *at = hs_must_dup("/");
	for (int depth = 0; depth < 16 && !is_class(file, at, "NXdata"); depth++) {
		char *next = hs_h5set_text(file, at, "default"), *path = next ? (*next == '/' ? hs_must_dup(next) : hs_h5_join(at, next)) :
			NULL;
		free(next);
		free(at);
		at = path;
		if (!at || hs_h5_kind(file, at) != HS_H5_GROUP) {
			free(at);
			return NULL;
		}
	}
	if (!is_class(file, at, "NXdata")) {
		free(at);
		return NULL;
	}
	return at;
}

/* Axes */

/* Splits "y:x:bias", "[y,x,bias]" or "y x bias" where one text stands for a list. Takes list. */
static char **split_names(char **list, size_t *n)
{
	if (*n != 1)
		return list;
	static const char *const apart = ":, []";
	size_t count = 0;
	char **piece = NULL;
	for (const char *p = list[0]; *(p += strspn(p, apart));) {
		const size_t len = strcspn(p, apart);
		piece = hs_must_resize(piece, count + 1, sizeof *piece);
		piece[count++] = hs_must_printf("%.*s", (int)len, p);
		p += len;
	}
	hs_h5_free_list(list, *n);
	*n = count;
	return piece;
}

/* Which dimension an axis belongs to: @NAME_indices, when it names exactly one; -1 otherwise. */
static int said_dim(struct hs_h5 *file, const char *group, const char *name, size_t rank)
{
	char *attr = hs_must_printf("%s_indices", name);
	size_t n;
	double *index = hs_h5_attr_reals(file, group, attr, &n);
	const int dim = n == 1 && index[0] >= 0 && index[0] < (double)rank ? (int)index[0] : -1;
	free(index);
	free(attr);
	return dim;
}

static bool fits(struct hs_h5 *file, const char *path, size_t n, size_t dim)
{
	struct hs_h5_shape shape;
	if (!hs_h5_shape(file, path, &shape) || shape.class != HS_H5_NUMBER)
		return false;
	return shape.rank == 1 ? shape.count == n || shape.count == n + 1 : dim < shape.rank && shape.n[dim] == n;
}

/* path[i]: the dataset that calibrates dimension i, or NULL. */
static void axes_by_list(struct hs_h5 *file, const char *group, char **name, size_t n, const struct hs_h5_shape *shape,
	char **path)
{
	for (size_t i = 0; i < n; i++) {
		char *one = hs_h5_join(group, name[i]);
		int dim = n == shape->rank ? (int)i : said_dim(file, group, name[i], shape->rank);
		/* a short list without indices: the first free dimension of that length */
		for (size_t d = 0; dim < 0 && n < shape->rank && d < shape->rank; d++)
			if (!path[d] && fits(file, one, shape->n[d], d))
				dim = (int)d;
		if (dim >= 0 && !path[dim] && strcmp(name[i], ".") && hs_h5_kind(file, one) == HS_H5_DATASET)
			path[dim] = one;
		else
			free(one);
	}
}

/* Old files mark the axes: axis=1 is the first dimension, or axis="1:2"; primary=1 wins among several. */
static void axes_by_mark(struct hs_h5 *file, const char *group, const char *signal, const struct hs_h5_shape *shape, char **path)
{
	size_t n;
	bool primary[HS_MAX_RANK] = { false };
	char **name = hs_h5_children(file, group, &n);
	for (size_t i = 0; i < n; i++) {
		char *one = hs_h5_join(group, name[i]), *text = hs_h5_attr_text(file, one, "axis");
		double place = text ? strtod(text, NULL) : 0;
		if (!text)
			hs_h5_attr_real(file, one, "axis", &place);
		const size_t d = place >= 1 && place <= (double)shape->rank ? (size_t)place - 1 : shape->rank;
		if (strcmp(name[i], signal) && d < shape->rank && fits(file, one, shape->n[d], d)) {
			const bool first = flag_is_one(file, one, "primary");
			if (!path[d] || (first && !primary[d])) {
				free(path[d]);
				path[d] = one;
				one = NULL;
				primary[d] = first;
			}
		}
		free(text);
		free(one);
	}
	hs_h5_free_list(name, n);
}

static void find_axes(struct hs_h5 *file, const char *group, const char *signal, const char *data,
	const struct hs_h5_shape *shape, char **path,
	char **label)
{
	size_t n = 0;
	char **name = split_names(hs_h5_attr_texts(file, group, "axes", &n), &n);
	if (!n) {
		hs_h5_free_list(name, n);
		name = split_names(hs_h5_attr_texts(file, data, "axes", &n), &n);
	}
	axes_by_list(file, group, name, n, shape, path);
	for (size_t i = 0; i < shape->rank; i++)
		if (n == shape->rank && strcmp(name[i], "."))
			label[i] = hs_must_dup(name[i]);
	hs_h5_free_list(name, n);
	if (!n)
		axes_by_mark(file, group, signal, shape, path);
	for (size_t i = 0; i < shape->rank && !n; i++)
		if (!path[i])
			path[i] = hs_h5_scale(file, data, i);
}

static int interpreted_rank(struct hs_h5 *file, const char *group, const char *data, size_t rank)
{
	char *text = hs_h5set_text(file, data, "interpretation");
	if (!text)
		text = hs_h5set_text(file, group, "interpretation");
	const int place = text ? hs_word_index("spectrum|image|rgba-image|rgb-image", text) : -1;
	free(text);
	return place == 0 ? 1 : place == 1 && rank >= 2 ? 2 : HS_H5SET_GUESS;
}

/* A title for the signal: what the group says, else the entry, else the name. */
static char *title_of(struct hs_h5 *file, const char *group, const char *name)
{
	char *path = hs_h5_join(group, "title"), *title = hs_h5_text(file, path);
	free(path);
	if (title && *title)
		return title;
	free(title);
	return hs_must_dup(name);
}

static int add_signal(struct search *s, struct hs_h5 *file, const char *group, const char *signal_name)
{
	char *data = hs_h5_join(group, signal_name), *path[HS_MAX_RANK] = { NULL }, *label[HS_MAX_RANK] = { NULL };
	struct hs_h5_shape shape;
	int verdict = 0;
	if (!hs_h5set_readable(file, data, &shape, &s->base.why) || shape.class != HS_H5_NUMBER)
		goto out;
	find_axes(file, group, signal_name, data, &shape, path, label);
	struct hs_axis axis[HS_MAX_RANK];
	for (size_t i = 0; i < shape.rank; i++) {
		char *own = hs_must_printf("dim_%zu", i + 1);
		const char *name = label[i] ? label[i] : path[i] ? hs_h5set_leaf(path[i]) : own;
		axis[i] = hs_h5set_axis(file, path[i], name, shape.n[i], i);
		free(own);
		free(path[i]);
		free(label[i]);
	}
	/* HyperSpy and our own container call every signal "data": then the group has the name */
	const bool general = !strcmp(signal_name, "data") && *hs_h5set_leaf(group);
	const char *name = general ? hs_h5set_leaf(group) : signal_name;
	char *title = title_of(file, group, name);
	struct hs_signal signal;
	hs_h5set_describe(&signal, file, data, name, title, shape.dtype);
	free(title);
	verdict = hs_h5set_add(s->base.scan, file, data, NULL, &shape, &signal, axis, interpreted_rank(file, group, data, shape.rank),
		HS_H5SET_Y_FIRST, s->base.err);
	if (verdict == 0 && s->preferred && !s->has_preferred && !strcmp(group, s->preferred)) {
		s->has_preferred = true;
		s->main = s->base.scan->n_signals - 1;
	}
out:
	free(data);
	return verdict;
}

static int visit(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	struct search *s = ctx;
	if (kind != HS_H5_GROUP || !is_class(file, path, "NXdata"))
		return 0;
	char *signal = hs_h5set_text(file, path, "signal");
	if (!signal || !is_dataset(file, path, signal)) {
		free(signal);
		signal = old_style_signal(file, path);
	}
	size_t n;
	char **other = hs_h5_attr_texts(file, path, "auxiliary_signals", &n);
	int verdict = 0;
	for (size_t i = 0; i <= n && verdict == 0; i++) {
		const char *name = i ? other[i - 1] : signal;
		if (!name || (i && signal && !strcmp(name, signal)) || !*name || strchr(name, '/') || !is_dataset(file, path, name))
			continue;
		char *data = hs_h5_join(path, name);
		if (hs_h5set_wanted(s->base.options, data)) {
			s->base.n++;
			if (s->base.scan)
				verdict = add_signal(s, file, path, name);
		}
		free(data);
	}
	hs_h5_free_list(other, n);
	free(signal);
	return verdict;
}

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)file;
	struct search s = { 0 };
	return hs_h5set_count(&s.base, options, visit) ? 60 : 0;
}

static char *text_in(struct hs_h5 *file, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name), *text = hs_h5_text(file, path);
	free(path);
	if (text && *text)
		return text;
	free(text);
	return NULL;
}

/* Title, start and technique of the measurement, from the entry above the main signal. */
static void read_entry(struct hs_scan *scan, struct hs_h5 *file)
{
	char *entry = hs_must_dup(scan->values[scan->main].path);
	for (char *slash; (slash = strrchr(entry, '/')) && slash > entry;) {
		*slash = 0;
		if (is_class(file, entry, "NXentry"))
			break;
	}
	if (is_class(file, entry, "NXentry")) {
		scan->title = text_in(file, entry, "title");
		scan->start_time = text_in(file, entry, "start_time");
		char *definition = text_in(file, entry, "definition");
		if (definition && hs_starts(definition, "NX") && strcmp(definition, "NXroot"))
			scan->modality = hs_must_dup(definition + 2);
		free(definition);
	}
	free(entry);
}

static int open_nexus(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan,
	struct hs_err *err)
{
	(void)file;
	struct search s = { .preferred = options->h5 ? default_group(options->h5) : NULL };
	const int verdict = hs_h5set_take(&s.base, options, visit, scan, err);
	free(s.preferred);
	if (verdict < 0)
		return -1;
	if (s.has_preferred)
		scan->main = s.main;
	read_entry(scan, options->h5);
	return 0;
}

const struct hs_format hs_format_nexus = { "nexus", "NeXus: every NXdata group (.nxs, .h5)", sniff, open_nexus };
