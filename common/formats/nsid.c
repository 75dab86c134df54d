/* NSID (sidpy, pyNSID): an N-D dataset that names its data_type, with a dimension scale for each dimension. Files in the
 * wild order their dimensions freely (x first, spectrum first): the kinds of the scales put them right. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "formats/h5set.h"

struct search {
	struct hs_h5set_search base;
	bool in_nexus;                /* all found so far lie in NXdata groups */
};

static bool is_main(struct hs_h5 *file, const char *path)
{
	char *type = hs_h5set_text(file, path, "data_type");
	const bool is = type && (hs_h5_has_attr(file, path, "main_data_name") || hs_h5_has_attr(file, path, "DIMENSION_LIST") ||
		hs_h5_has_attr(file, path, "modality"));
	free(type);
	return is;
}

static char *parent_of(const char *path)
{
	const size_t n = (size_t)(hs_h5set_leaf(path) - path);
	return n > 1 ? hs_must_printf("%.*s", (int)(n - 1), path) : hs_must_dup("/");
}

static int said_rank(struct hs_h5 *file, const char *path, const struct hs_axis *axis, size_t rank)
{
	for (size_t i = 0; i < rank; i++)
		if (axis[i].kind == HS_AXIS_SPECTRAL)
			return HS_H5SET_GUESS;                          /* the scales know better than the name */
	char *type = hs_h5set_text(file, path, "data_type");
	const int place = type ? hs_word_index("SPECTRUM|SPECTRAL_IMAGE|LINE_PLOT|IMAGE|IMAGE_STACK|IMAGE_4D", type) : -1;
	free(type);
	return place < 0 ? HS_H5SET_GUESS : place < 3 ? 1 : rank >= 2 ? 2 : 1;
}

static int add_main(struct search *s, struct hs_h5 *file, const char *path)
{
	struct hs_h5_shape shape;
	if (!hs_h5set_readable(file, path, &shape, &s->base.why) || shape.class != HS_H5_NUMBER)
		return 0;
	char *group = parent_of(path), *name = hs_h5set_text(file, path, "main_data_name"), *title = hs_h5set_text(file, path, "title");
	const char *leaf = name ? name : hs_h5set_leaf(path), *said = hs_same_word(leaf, "generic") || hs_same_word(leaf, "data") ?
		hs_h5set_leaf(group) : leaf;
	struct hs_axis axis[HS_MAX_RANK];
	for (size_t i = 0; i < shape.rank; i++) {
		char *scale = hs_h5_scale(file, path, i), *label = hs_h5_label(file, path, i), *called =
			scale ? hs_h5set_text(file, scale, "name") : NULL;
		char *own = called ? hs_must_dup(called) : label ? hs_must_dup(label) : scale ? hs_must_dup(hs_h5set_leaf(scale)) :
			hs_must_printf("dim_%zu", i + 1);
		axis[i] = hs_h5set_axis(file, scale, own, shape.n[i], i);
		free(own);
		free(called);
		free(label);
		free(scale);
	}
	struct hs_signal signal;
	hs_h5set_describe(&signal, file, path, *said ? said : leaf, title ? title : leaf, shape.dtype);
	const int verdict = hs_h5set_add(s->base.scan, file, path, NULL, &shape, &signal, axis,
		said_rank(file, path, axis, shape.rank), HS_H5SET_Y_FIRST, s->base.err);
	free(title);
	free(name);
	free(group);
	return verdict;
}

static int visit(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	struct search *s = ctx;
	if (kind != HS_H5_DATASET || !hs_h5set_wanted(s->base.options, path) || !is_main(file, path))
		return 0;
	s->base.n++;
	if (s->base.scan)
		return add_main(s, file, path);
	char *group = parent_of(path), *class = hs_h5set_text(file, group, "NX_class");
	s->in_nexus &= class != NULL;
	free(class);
	free(group);
	return 0;
}

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)file;
	struct search s = { .in_nexus = true };
	/* in NXdata groups, NeXus knows more */
	return !hs_h5set_count(&s.base, options, visit) ? 0 : s.in_nexus ? 50 : 75;
}

static int open_nsid(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan, struct hs_err *err)
{
	(void)file;
	struct search s = { 0 };
	if (hs_h5set_take(&s.base, options, visit, scan, err) < 0)
		return -1;
	if (strcmp(scan->signal[scan->main].modality, "unknown"))
		scan->modality = hs_must_dup(scan->signal[scan->main].modality);
	return 0;
}

const struct hs_format hs_format_nsid = { "nsid", "NSID of pyNSID and sidpy (HDF5)", sniff, open_nsid };
