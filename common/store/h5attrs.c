/* The attributes of h5tree.h. */
#include "store/h5tree.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/h5place.h"
#include "store/h5walk.h"
#include "store/names.h"

bool hs_h5_has_attr(struct hs_h5 *file, const char *path, const char *attr)
{
	const struct hs_h5_object *o = hs_h5_hold(file, path);
	return o && H5Aexists(o->id, attr) > 0;
}

static herr_t add_attr(hid_t object, const char *name, const H5A_info_t *info, void *ctx)
{
	(void)object, (void)info;
	struct hs_names *names = ctx;
	hs_names_add(names, hs_must_dup(name));
	return names->n >= HS_H5_MAX_ENTRIES;
}

char **hs_h5_attr_names(struct hs_h5 *file, const char *path, size_t *n)
{
	struct hs_names names = { 0 };
	struct hs_h5_object *o = hs_h5_hold(file, path);
	if (o && hs_h5_attrs_are_sound(o))
		H5Aiterate2(o->id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_attr, &names);
	return hs_names_take(&names, true, n);
}

char **hs_h5_attr_texts(struct hs_h5 *file, const char *path, const char *attr, size_t *n)
{
	struct hs_h5_place p;
	*n = 0;
	if (!hs_h5_place_attr(&p, file, path, attr))
		return NULL;
	char **list = hs_h5_place_texts(&p);
	*n = list ? p.n : 0;
	hs_h5_place_close(&p);
	return list;
}

char *hs_h5_attr_text(struct hs_h5 *file, const char *path, const char *attr)
{
	size_t n;
	char **list = hs_h5_attr_texts(file, path, attr, &n), *text = NULL;
	if (n) {
		text = list[0];
		list[0] = NULL;
	}
	hs_h5_free_list(list, n);
	return text;
}

double *hs_h5_attr_reals(struct hs_h5 *file, const char *path, const char *attr, size_t *n)
{
	struct hs_h5_place p;
	*n = 0;
	if (!hs_h5_place_attr(&p, file, path, attr))
		return NULL;
	double *value = hs_h5_place_reals(&p);
	*n = value ? p.n : 0;
	hs_h5_place_close(&p);
	return value;
}

bool hs_h5_attr_real(struct hs_h5 *file, const char *path, const char *attr, double *value)
{
	size_t n;
	double *all = hs_h5_attr_reals(file, path, attr, &n);
	if (n)
		*value = all[0];
	free(all);
	return n > 0;
}

char *hs_h5_attr_ref(struct hs_h5 *file, const char *path, const char *attr)
{
	struct hs_h5_place p;
	if (!hs_h5_place_attr(&p, file, path, attr))
		return NULL;
	char *target = hs_h5_place_ref(&p);
	hs_h5_place_close(&p);
	return target;
}

/* Dimension scales are read from their attribute instead of through HDF5's high-level library: it trusts what it finds. */
char *hs_h5_scale(struct hs_h5 *file, const char *path, size_t dim)
{
	struct hs_h5_place p;
	if (!hs_h5_place_attr(&p, file, path, "DIMENSION_LIST"))
		return NULL;
	char *target = hs_h5_place_scale(&p, dim);
	hs_h5_place_close(&p);
	return target;
}

char *hs_h5_label(struct hs_h5 *file, const char *path, size_t dim)
{
	size_t n;
	char **list = hs_h5_attr_texts(file, path, "DIMENSION_LABELS", &n), *label = NULL;
	if (dim < n && *list[dim]) {
		label = list[dim];
		list[dim] = NULL;
	}
	hs_h5_free_list(list, n);
	return label;
}
