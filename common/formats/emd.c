/* Berkeley EMD: groups with emd_group_type=1 that hold an array and its calibrations dim1, dim2 ... (NCEM 0.1 and 0.2, and the
 * relatives of Prismatic and py4DSTEM), and emdfile 1.0, which says emd_group_type="array" and counts from dim0. Dimensions stay
 * in stored order (reversed when HyperSpy wrote them) but for a spectral one, which goes last. Velox files share the ending
 * only and are not claimed. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "formats/h5set.h"

static bool is_array(struct hs_h5 *file, const char *group)
{
	double type = 0;
	if (hs_h5_attr_real(file, group, "emd_group_type", &type))
		return type == 1;
	char *text = hs_h5_attr_text(file, group, "emd_group_type");
	const bool is = text && (!strcmp(text, "array") || !strcmp(text, "1"));
	free(text);
	return is;
}

static bool is_calibration(const char *name)
{
	return hs_starts(name, "dim") && name[3] && strspn(name + 3, "0123456789") == strlen(name + 3);
}

/* Path of the array: "data" by the book; else the numeric dataset of most values that is no calibration. */
static char *array_of(struct hs_h5 *file, const char *group)
{
	char *best = hs_h5_join(group, "data");
	if (hs_h5_kind(file, best) == HS_H5_DATASET)
		return best;
	free(best);
	best = NULL;
	size_t n, most = 0;
	char **name = hs_h5_children(file, group, &n);
	for (size_t i = 0; i < n; i++) {
		char *path = hs_h5_join(group, name[i]);
		struct hs_h5_shape shape;
		if (!is_calibration(name[i]) && hs_h5_kind(file, path) == HS_H5_DATASET && hs_h5_shape(file, path, &shape) &&
			shape.count > most &&
		    (shape.class == HS_H5_NUMBER || shape.class == HS_H5_OTHER)) {
			free(best);
			best = path;
			most = shape.count;
		} else {
			free(path);
		}
	}
	hs_h5_free_list(name, n);
	return best;
}

/* "[n_m^-1]" -> "1/nm" */
static char *unit_of(const char *units)
{
	struct hs_str s = { 0 };
	bool inverse = false;
	for (const char *p = units ? units : ""; *p; p++) {
		if (hs_starts(p, "^-1") || hs_starts(p, "^{-1}")) {
			inverse = true;
			p += p[1] == '{' ? 4 : 2;
		} else if (!strchr("[]_ ", *p)) {
			hs_str_add_bytes(&s, p, 1);
		}
	}
	char *plain = hs_str_take(&s), *all = inverse && *plain ? hs_must_printf("1/%s", !strcmp(plain, "A") ? "Å" : plain) : NULL;
	if (!all)
		return plain;
	free(plain);
	return all;
}

static struct hs_axis read_axis(struct hs_h5 *file, const char *group, size_t i, size_t from, size_t n)
{
	char *leaf = hs_must_printf("dim%zu", i + from), *path = hs_h5_join(group, leaf), *name = NULL, *said = NULL;
	struct hs_axis a;
	size_t count = 0;
	double *value = NULL;
	if (hs_h5_kind(file, path) == HS_H5_DATASET) {
		name = hs_h5set_text(file, path, "name");
		said = hs_h5set_text(file, path, "units");
		value = hs_h5_reals(file, path, &count);
	}
	char *units = unit_of(said);
	if (!name)
		name = hs_must_printf("dim_%zu", i + 1);
	if (value && count == 2 && n != 2) {                    /* the first two of a uniform axis */
		a = hs_axis_uniform(name, units, NULL, HS_AXIS_UNKNOWN, n, value[0], value[1] - value[0]);
	} else if (value && count == n) {
		a = hs_axis_values(name, units, NULL, HS_AXIS_UNKNOWN, n, value);
	} else if (value) {
		a = hs_h5set_axis(file, path, name, n, 0);
	} else {
		a = hs_h5set_index_axis(name, n);
	}
	a.kind = hs_axis_kind_guess(name, a.units);
	free(value);
	free(units);
	free(said);
	free(name);
	free(path);
	free(leaf);
	return a;
}

static int add_array(struct hs_h5set_search *s, struct hs_h5 *file, const char *group, const char *data)
{
	struct hs_h5_shape shape;
	if (!hs_h5set_readable(file, data, &shape, &s->why) || shape.class != HS_H5_NUMBER)
		return 0;
	char *dim0 = hs_h5_join(group, "dim0"), *record_by = hs_h5set_text(file, group, "record_by");
	const size_t from = hs_h5_kind(file, dim0) == HS_H5_DATASET ? 0 : 1;
	struct hs_axis axis[HS_MAX_RANK];
	bool spectral = false;
	for (size_t i = 0; i < shape.rank; i++) {
		axis[i] = read_axis(file, group, i, from, shape.n[i]);
		spectral |= axis[i].kind == HS_AXIS_SPECTRAL;
	}
	/* HyperSpy stores the transposed array, so its channels come first; it leaves its own attributes on the group */
	const bool reversed = record_by || hs_h5_has_attr(file, group, "signal_type");
	int sig_rank = HS_H5SET_GUESS;
	if (record_by && !spectral)
		sig_rank = hs_same_word(record_by, "image") && shape.rank > 1 ? 2 : hs_same_word(record_by, "spectrum") ? 1 : HS_H5SET_GUESS;
	struct hs_signal signal;
	const char *leaf = hs_h5set_leaf(group);
	hs_h5set_describe(&signal, file, data, *leaf ? leaf : hs_h5set_leaf(data), *leaf ? leaf : hs_h5set_leaf(data), shape.dtype);
	free(record_by);
	free(dim0);
	return hs_h5set_add(s->scan, file, data, NULL, &shape, &signal, axis, sig_rank, reversed ? HS_H5SET_REVERSED :
		HS_H5SET_KEEP_XY, s->err);
}

static int visit(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	struct hs_h5set_search *s = ctx;
	if (kind != HS_H5_GROUP || !is_array(file, path))
		return 0;
	char *data = array_of(file, path);
	int verdict = 0;
	if (data && hs_h5set_wanted(s->options, data)) {
		s->n++;
		if (s->scan)
			verdict = add_array(s, file, path, data);
	}
	free(data);
	return verdict;
}

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)file;
	struct hs_h5set_search s = { 0 };
	return hs_h5set_count(&s, options, visit) ? 80 : 0;
}

static int open_emd(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan, struct hs_err *err)
{
	(void)file;
	struct hs_h5set_search s = { 0 };
	return hs_h5set_take(&s, options, visit, scan, err);
}

const struct hs_format hs_format_emd = { "emd", "Berkeley EMD and emdfile (.emd, .h5)", sniff, open_emd };
