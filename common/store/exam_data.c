/* The rules for an NXdata group: its signal, axes, scales, errors, masks and times. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/axis.h"
#include "store/exam.h"

/* One NXdata group under examination. */
struct nxdata {
	const char *path;
	char *set;                            /* path of the values */
	struct hs_h5_shape shape;
	size_t n_axes;
	char **axis;
	bool scatter, rgb;                    /* the picture of scattered points; colours: both without NSID and scales */
};

static void check_word(struct hs_exam *c, const char *path, const char *attr, const char *words)
{
	char *text = hs_h5_attr_text(c->file, path, attr);
	if (text && hs_word_index(words, text) < 0)
		hs_exam_fault(c, path, "@%s is '%.60s'", attr, text);
	free(text);
}

static void check_signal_attrs(struct hs_exam *c, const struct nxdata *d)
{
	static const char *const every[] = { "units", "long_name" },
		*const nsid[] = { "quantity", "main_data_name", "data_type", "modality", "source", "pyNSID_version" };
	char *of_group = hs_h5_attr_text(c->file, d->path, "interpretation");
	char *of_set = hs_h5_attr_text(c->file, d->set, "interpretation");
	hs_exam_want_attrs(c, d->set, every, HS_LEN(every));
	if (strcmp(of_group ? of_group : "", of_set ? of_set : ""))
		hs_exam_fault(c, d->path, "@interpretation differs between the group (HyperSpy) and its data (silx, H5Web)");
	if (!of_group && !d->scatter)
		hs_exam_fault(c, d->path, "has no @interpretation");
	else
		check_word(c, d->path, "interpretation", "spectrum|image|rgba-image");
	if (!d->scatter && !d->rgb) {
		hs_exam_want_attrs(c, d->set, nsid, HS_LEN(nsid));
		check_word(c, d->set, "data_type",
			"UNKNOWN|SPECTRUM|LINE_PLOT|LINE_PLOT_FAMILY|IMAGE|IMAGE_MAP|IMAGE_STACK|SPECTRAL_IMAGE|IMAGE_4D|POINT_CLOUD");
	}
	free(of_group);
	free(of_set);
}

/* How many scales dimension dim has, and the address of the first; false when none can be read. Read from the attribute,
 * because HDF5's high-level library trusts what it finds there. */
static bool attached(struct hs_exam *c, const struct nxdata *d, size_t dim, size_t *n, haddr_t *first)
{
	hid_t set = hs_exam_open(c, d->set), attr = -1, type = -1, space = -1;
	*n = 0;
	*first = HADDR_UNDEF;
	if (set >= 0 && H5Aexists(set, "DIMENSION_LIST") > 0)
		attr = H5Aopen(set, "DIMENSION_LIST", H5P_DEFAULT);
	if (attr >= 0) {
		type = H5Aget_type(attr);
		space = H5Aget_space(attr);
	}
	hid_t base = type >= 0 && H5Tget_class(type) == H5T_VLEN ? H5Tget_super(type) : -1;
	if (base >= 0 && H5Tequal(base, H5T_STD_REF_OBJ) > 0 && H5Sget_simple_extent_npoints(space) == (hssize_t)d->shape.rank) {
		hid_t memory = H5Tvlen_create(H5T_STD_REF_OBJ), target = -1;
		hvl_t all[HS_MAX_RANK] = { 0 };
		H5O_type_t kind;
		H5O_info_t info;
		if (H5Aread(attr, memory, all) >= 0) {
			*n = all[dim].p ? all[dim].len : 0;
			if (*n && H5Rget_obj_type2(set, H5R_OBJECT, all[dim].p, &kind) >= 0)
				target = H5Rdereference2(set, H5P_DEFAULT, H5R_OBJECT, all[dim].p);
			if (target >= 0 && H5Oget_info2(target, &info, H5O_INFO_BASIC) >= 0)
				*first = info.addr;
			if (target >= 0)
				H5Oclose(target);
			H5Dvlen_reclaim(memory, space, H5P_DEFAULT, all);
		}
		H5Tclose(memory);
	}
	H5Tclose(base);
	H5Sclose(space);
	H5Tclose(type);
	if (attr >= 0)
		H5Aclose(attr);
	if (set >= 0)
		H5Oclose(set);
	return *first != HADDR_UNDEF;
}

static void check_scale(struct hs_exam *c, const struct nxdata *d, size_t dim, const char *axis)
{
	haddr_t scale, own;
	size_t n;
	char *label = hs_h5_label(c->file, d->set, dim);
	const bool any = attached(c, d, dim, &n, &scale);
	if (!label || strcmp(label, d->axis[dim]))
		hs_exam_fault(c, d->set, "dimension %zu is not labelled '%.60s'", dim, d->axis[dim]);
	if (!any || n != 1 || !hs_exam_address(c, axis, &own) || own != scale)
		hs_exam_fault(c, d->set, "dimension %zu has not '%.60s', and only it, attached as its scale", dim, d->axis[dim]);
	else if (!hs_exam_attr_is(c, axis, "CLASS", "DIMENSION_SCALE"))
		hs_exam_fault(c, axis, "is attached as a scale, but does not say so");
	free(label);
}

static void check_steps(struct hs_exam *c, const char *path, size_t n)
{
	size_t got = 0;
	struct hs_axis a = { .n = n, .value = hs_h5_reals(c->file, path, &got) };
	if (n && got != n)
		hs_exam_fault(c, path, "is an axis that cannot be read");
	else if (!hs_axis_is_monotonic(&a))
		hs_exam_fault(c, path, "is not monotonic");
	else if (hs_axis_descends(&a) && hs_axis_is_uniform(&a))
		hs_exam_fault(c, path, "is uniform and descends; HyperSpy loses the sign of the step");
	free(a.value);
}

static void check_axis(struct hs_exam *c, const struct nxdata *d, size_t dim)
{
	static const char *const attrs[] = { "units", "long_name", "name", "quantity", "dimension_type" };
	const char *name = d->axis[dim];
	const size_t n = d->shape.n[d->scatter ? 0 : dim];
	char *path = hs_h5_join(d->path, name), *indices = hs_must_printf("%.200s_indices", name);
	struct hs_h5_shape shape;
	size_t n_place = 0;
	double *place = hs_h5_attr_reals(c->file, d->path, indices, &n_place);
	if (!hs_exam_has_child(c, d->path, name)) {
		hs_exam_fault(c, d->path, "has no axis '%.60s'", name);
	} else if (!hs_h5_shape(c->file, path, &shape) || shape.class != HS_H5_NUMBER || hs_dtype_is_complex(shape.dtype) ||
		   shape.rank != 1 || shape.n[0] != n) {
		hs_exam_fault(c, path, "is an axis and must be %zu real numbers in one dimension", n);
	} else {
		hs_exam_want_attrs(c, path, attrs, HS_LEN(attrs));
		if (hs_h5_has_attr(c->file, path, "name") && !hs_exam_attr_is(c, path, "name", name))
			hs_exam_fault(c, path, "@name is not the name of the axis");
		check_word(c, path, "dimension_type", "SPATIAL|RECIPROCAL|SPECTRAL|TEMPORAL|CHANNEL|POINT_CLOUD|UNKNOWN");
		if (n_place != 1 || place[0] != (double)dim)
			hs_exam_fault(c, d->path, "@%.60s is not %zu", indices, dim);
		if (!d->scatter)
			check_steps(c, path, n);
		if (!d->scatter && !d->rgb)
			check_scale(c, d, dim, path);
	}
	free(place);
	free(indices);
	free(path);
}

static bool same_shape(const struct hs_h5_shape *a, const struct hs_h5_shape *b)
{
	return a->rank == b->rank && !memcmp(a->n, b->n, a->rank * sizeof *a->n);
}

/* What goes with the values: errors, masks, times. */
static void check_companion(struct hs_exam *c, const struct nxdata *d, const char *name)
{
	char *path = hs_h5_join(d->path, name);
	struct hs_h5_shape shape, of;
	const bool known = hs_h5_shape(c->file, path, &shape);
	if (hs_h5_kind(c->file, path) == HS_H5_GROUP) {
		hs_exam_fault(c, d->path, "has a group in it, '%.60s'", name);
	} else if (hs_ends(name, "_errors")) {
		char *owner = hs_must_printf("%.*s", (int)(strlen(path) - strlen("_errors")), path);
		if (!known || !hs_h5_shape(c->file, owner, &of) || !same_shape(&shape, &of))
			hs_exam_fault(c, path, "has not the shape of what it is the error of");
		if (!known || shape.class != HS_H5_NUMBER || !hs_dtype_is_float(shape.dtype))
			hs_exam_fault(c, path, "must be real floating point: errors are 1 sigma");
		free(owner);
	} else if (hs_ends(name, "mask")) {
		const bool fits = known && same_shape(&shape, &d->shape);
		if (!strcmp(name, "data_mask") && (!fits || !hs_exam_attr_is(c, d->set, "mask", name)))
			hs_exam_fault(c, path, "must have the shape of the data and be named by their @mask");
		if (!hs_h5_has_attr(c->file, path, "flag_masks") || !hs_h5_has_attr(c->file, path, "flag_meanings"))
			hs_exam_fault(c, path, "is a mask without @flag_masks and @flag_meanings");
	} else if (!strcmp(name, "time") && known && shape.rank && !hs_h5_has_attr(c->file, path, "start")) {
		hs_exam_fault(c, path, "is time without @start");
	}
	free(path);
}

static void check_auxiliary(struct hs_exam *c, const struct nxdata *d)
{
	size_t n;
	char **name = hs_h5_attr_texts(c->file, d->path, "auxiliary_signals", &n);
	for (size_t i = 0; i < n; i++) {
		char *path = hs_h5_join(d->path, name[i]);
		struct hs_h5_shape shape;
		if (!hs_h5_shape(c->file, path, &shape) || !same_shape(&shape, &d->shape))
			hs_exam_fault(c, d->path, "auxiliary signal '%.60s' is missing or has another shape", name[i]);
		free(path);
	}
	hs_h5_free_list(name, n);
}

static void check_shape(struct hs_exam *c, struct nxdata *d)
{
	if (!hs_h5_shape(c->file, d->set, &d->shape) || d->shape.class != HS_H5_NUMBER) {
		char *why = hs_h5_kind(c->file, d->set) == HS_H5_DATASET ? hs_h5_trouble(c->file, d->set) : NULL;
		hs_exam_fault(c, d->set, "holds no numbers that can be read%s%s", why ? ": " : "", why ? why : "");
		free(why);
		return;
	}
	d->scatter = d->shape.rank == 1 && d->n_axes == 2;
	d->rgb = hs_exam_attr_is(c, d->set, "interpretation", "rgba-image");
	hs_exam_sha256(c, d->set, &d->shape);
	check_signal_attrs(c, d);
	check_auxiliary(c, d);
	if (d->n_axes != d->shape.rank && !d->scatter) {
		hs_exam_fault(c, d->path, "names %zu axes for %zu dimensions", d->n_axes, d->shape.rank);
		return;
	}
	for (size_t i = 0; i < d->n_axes; i++)
		check_axis(c, d, i);
}

void hs_exam_nxdata(struct hs_exam *c, const char *path)
{
	struct nxdata d = { .path = path };
	size_t n = 0;
	char **child = hs_h5_children(c->file, path, &n), *signal = hs_h5_attr_text(c->file, path, "signal");
	d.axis = hs_h5_attr_texts(c->file, path, "axes", &d.n_axes);
	if (!hs_exam_has_child(c, path, "title"))
		hs_exam_fault(c, path, "has no title");
	if (!signal || !hs_exam_has_child(c, path, signal)) {
		hs_exam_fault(c, path, "has no @signal, or one that is not there");
	} else {
		d.set = hs_h5_join(path, signal);
		if (strcmp(signal, "data"))
			hs_exam_fault(c, path, "@signal is '%.60s', not 'data'", signal);
		check_shape(c, &d);
		for (size_t i = 0; i < n; i++)
			check_companion(c, &d, child[i]);
	}
	hs_h5_free_list(d.axis, d.n_axes);
	hs_h5_free_list(child, n);
	free(d.set);
	free(signal);
}
