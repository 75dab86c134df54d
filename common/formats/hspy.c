/* HyperSpy's own HDF5 files (.hspy), all versions: /Experiments/NAME/data with one group axis-0, axis-1 ... a dimension of
 * the array. What navigates is said by `navigate`; files before 1.7 say it by `slice_bool` or by record_by alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/h5set.h"

static bool is_hyperspy(struct hs_h5 *file)
{
	char *format = hs_h5_attr_text(file, "/", "file_format");
	const bool says_so = format && hs_same_word(format, "HyperSpy");
	free(format);
	return says_so;
}

/* Experiments the user may want: "/Experiments/a", NULL-free list of *n. */
static char **experiments(const struct hs_load_options *options, size_t *n)
{
	size_t n_all, kept = 0;
	char **name = hs_h5_children(options->h5, "/Experiments", &n_all);
	for (size_t i = 0; i < n_all; i++) {
		char *group = hs_h5_join("/Experiments", name[i]), *data = hs_h5_join(group, "data");
		const bool is = hs_h5_kind(options->h5, data) == HS_H5_DATASET && hs_h5set_wanted(options, data);
		free(name[i]);
		free(data);
		if (is) {
			name[kept++] = group;
		} else {
			free(group);
		}
	}
	*n = kept;
	return name;
}

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)file;
	if (!options->h5)
		return 0;
	size_t n;
	char **list = experiments(options, &n);
	hs_h5_free_list(list, n);
	return !n ? 0 : is_hyperspy(options->h5) ? 90 : 50;
}

static double *stored_values(struct hs_h5 *file, const char *group, size_t n)
{
	char *path = hs_h5_join(group, "axis");
	size_t count;
	double *value = hs_h5_reals(file, path, &count);
	if (!value)
		value = hs_h5_attr_reals(file, group, "axis", &count);
	free(path);
	if (value && count == n)
		return value;
	free(value);
	return NULL;
}

static struct hs_axis read_axis(struct hs_h5 *file, const char *group, size_t i, size_t n)
{
	char *name = hs_h5set_text(file, group, "name"), *units = hs_h5set_text(file, group, "units"),
	     *type = hs_h5set_text(file, group, "_type");
	if (!name)
		name = hs_must_printf("dim_%zu", i + 1);
	double scale = 1, offset = 0, *value = stored_values(file, group, n);
	const bool has_scale = hs_h5_attr_real(file, group, "scale", &scale);
	hs_h5_attr_real(file, group, "offset", &offset);
	if (!value && type && strcmp(type, "UniformDataAxis") && !has_scale)
		hs_warn("%s: axis '%s' is a %s, which cannot be evaluated: indices are used instead", hs_h5_name(file), name, type);
	struct hs_axis a = hs_axis_uniform(name, units, NULL, HS_AXIS_UNKNOWN, n, offset, scale);
	for (size_t k = 0; value && k < n; k++)
		a.value[k] = value[k];
	a.kind = hs_axis_kind_guess(name, a.units);
	free(value);
	free(name);
	free(units);
	free(type);
	return a;
}

/* Does dimension i belong to the signal? -1 when the axis does not say. */
static int of_signal(struct hs_h5 *file, const char *group)
{
	double flag;
	if (hs_h5_attr_real(file, group, "navigate", &flag))
		return flag == 0;
	if (hs_h5_attr_real(file, group, "slice_bool", &flag))
		return flag != 0;
	return -1;
}

static size_t recorded_rank(struct hs_h5 *file, const char *metadata, size_t rank)
{
	char *signal = hs_h5_join(metadata, "Signal"), *record_by = hs_h5set_text(file, signal, "record_by");
	const size_t n = record_by && hs_same_word(record_by, "image") ? 2 : 1;
	free(record_by);
	free(signal);
	return n < rank ? n : rank;
}

/* Dates of HyperSpy files are local; only one with a zone is an instant. */
static void read_times(struct hs_scan *scan, struct hs_h5 *file, const char *general)
{
	char *date = hs_h5set_text(file, general, "date"), *time = hs_h5set_text(file, general, "time"),
	     *zone = hs_h5set_text(file, general, "time_zone");
	unsigned y, mo, d, h, mi, s;
	if (date && time && zone && !scan->start_time && sscanf(date, "%4u-%2u-%2u", &y, &mo, &d) == 3 &&
	    sscanf(time, "%2u:%2u:%2u", &h, &mi, &s) == 3 && (hs_word_index("UTC|GMT|Z", zone) >= 0 || *zone == '+' || *zone == '-'))
		scan->start_time = hs_must_printf("%04u-%02u-%02uT%02u:%02u:%02u%s", y, mo, d, h, mi, s, *zone == '+' || *zone == '-' ? zone :
		"+00:00");
	free(date);
	free(time);
	free(zone);
}

static char *title_of(struct hs_h5 *file, const char *general, const char *group)
{
	char *title = hs_h5set_text(file, general, "title");
	if (title)
		return title;
	/* a group name cannot hold a slash, so HyperSpy spells it out */
	struct hs_str s = { 0 };
	for (const char *p = hs_h5set_leaf(group); *p;) {
		const bool slash = hs_starts(p, "[slash]");
		hs_str_add_bytes(&s, slash ? "/" : p, 1);
		p += slash ? strlen("[slash]") : 1;
	}
	char *raw = hs_str_take(&s);
	title = hs_utf8(raw, strlen(raw));
	free(raw);
	return title;
}

static int add_experiment(struct hs_scan *scan, struct hs_h5 *file, const char *group, char **why, struct hs_err *err)
{
	char *data = hs_h5_join(group, "data"), *metadata = hs_h5_join(group, "metadata"), *general = hs_h5_join(metadata, "General"),
	     *about = hs_h5_join(metadata, "Signal"), *title = NULL;
	struct hs_h5_shape shape;
	int verdict = 0;
	if (!hs_h5set_readable(file, data, &shape, why))
		goto out;
	if (shape.class != HS_H5_NUMBER) {
		hs_warn("%s: '%s' is left out: its values are records", hs_h5_name(file), data);
		goto out;
	}
	title = title_of(file, general, group);
	char *label = hs_h5set_text(file, about, "quantity"), *quantity = NULL, *units = NULL, *type =
		hs_h5set_text(file, about, "signal_type");
	if (label)
		hs_h5set_split_label(label, &quantity, &units);
	struct hs_signal signal;
	hs_signal_init(&signal, title, quantity, units, shape.dtype);
	if (type) {
		hs_signal_set(&signal.modality, type);
		if (!scan->modality)
			scan->modality = hs_must_dup(type);
	}
	free(label);
	free(quantity);
	free(units);
	free(type);
	read_times(scan, file, general);

	/* navigation first; both parts keep their order */
	struct hs_axis axis[HS_MAX_RANK];
	bool in_signal[HS_MAX_RANK];
	const size_t recorded = recorded_rank(file, metadata, shape.rank);
	size_t order[HS_MAX_RANK], at = 0;
	for (size_t i = 0; i < shape.rank; i++) {
		char *name = hs_must_printf("axis-%zu", i), *path = hs_h5_join(group, name);
		const int says = of_signal(file, path);
		axis[i] = read_axis(file, path, i, shape.n[i]);
		in_signal[i] = says < 0 ? i + recorded >= shape.rank : says;
		if (!in_signal[i])
			order[at++] = i;
		free(name);
		free(path);
	}
	size_t nav = at;
	for (size_t i = 0; i < shape.rank; i++)
		if (in_signal[i])
			order[at++] = i;
	if (nav == shape.rank)                                  /* a map of single values is an image, a list a curve */
		nav -= nav < 2 ? nav : 2;
	struct hs_values values;
	hs_values_h5(&values, file, data, shape.dtype, shape.rank, shape.n, shape.rank - nav);
	hs_values_permute(&values, order, shape.rank - nav);
	for (size_t i = 0; i < shape.rank; i++)
		hs_signal_add_axis(&signal, axis[order[i]]);
	hs_signal_shape_up(&signal, shape.rank - nav);
	verdict = hs_scan_add(scan, &signal, &values, err);
out:
	free(title);
	free(about);
	free(general);
	free(metadata);
	free(data);
	return verdict;
}

static int open_hspy(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan, struct hs_err *err)
{
	(void)file;
	size_t n = 0;
	char **group = options->h5 ? experiments(options, &n) : NULL, *why = NULL;
	int verdict = 0;
	for (size_t i = 0; i < n && verdict == 0; i++)
		verdict = add_experiment(scan, options->h5, group[i], &why, err);
	if (verdict == 0)
		verdict = hs_h5set_end(scan, why, err);
	else
		free(why);
	if (verdict == 0) {
		hs_h5set_metadata(scan, options->h5, n == 1 ? group[0] : "/Experiments");
		scan->title = hs_must_dup(scan->signal[scan->main].title);
	}
	hs_h5_free_list(group, n);
	return verdict;
}

const struct hs_format hs_format_hspy = { "hspy", "HyperSpy (.hspy)", sniff, open_hspy };
