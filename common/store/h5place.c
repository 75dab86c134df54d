#include "store/h5place.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { MAX_TEXTS = 65536 };

void hs_h5_place_close(struct hs_h5_place *p)
{
	if (p->type >= 0)
		H5Tclose(p->type);
	if (p->space >= 0)
		H5Sclose(p->space);
	if (p->attr >= 0)
		H5Aclose(p->attr);
	if (p->set >= 0)
		H5Dclose(p->set);
}

bool hs_h5_place_open_attr(struct hs_h5_place *p, hid_t attr)
{
	*p = (struct hs_h5_place){ .attr = attr, .set = -1, .type = -1, .space = -1 };
	if (p->attr >= 0) {
		p->type = H5Aget_type(p->attr);
		p->space = H5Aget_space(p->attr);
	}
	if (p->type >= 0 && p->space >= 0 && hs_h5_points_within(p->space, H5Tget_size(p->type), HS_H5_MAX_WHOLE, &p->n) && p->n)
		return true;
	hs_h5_place_close(p);
	return false;
}

bool hs_h5_place_attr(struct hs_h5_place *p, struct hs_h5 *file, const char *path, const char *attr)
{
	struct hs_h5_object *o = hs_h5_hold(file, path);
	return o && hs_h5_attrs_are_sound(o) && H5Aexists(o->id, attr) > 0 &&
		hs_h5_place_open_attr(p, H5Aopen(o->id, attr, H5P_DEFAULT));
}

bool hs_h5_place_set(struct hs_h5_place *p, struct hs_h5 *file, const char *path, size_t limit)
{
	const struct hs_h5_object *o = hs_h5_hold_set(file, path);
	if (!o || o->trouble || !hs_h5_points_within(o->space, H5Tget_size(o->value_type), limit, &p->n) || !p->n)
		return false;
	/* the object may be let go of while the place is still in use */
	p->attr = -1;
	H5Iinc_ref(p->set = o->id);
	H5Iinc_ref(p->type = o->value_type);
	H5Iinc_ref(p->space = o->space);
	return true;
}

herr_t hs_h5_place_read(const struct hs_h5_place *p, hid_t memory, void *to)
{
	return p->attr >= 0 ? H5Aread(p->attr, memory, to) : H5Dread(p->set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
}

static char *fixed_text(const char *bytes, size_t size, bool blank_padded)
{
	size_t len = strnlen(bytes, size);
	while (blank_padded && len && bytes[len - 1] == ' ')
		len--;
	return hs_utf8(bytes, len);
}

static char **variable_texts(const struct hs_h5_place *p)
{
	char **raw = hs_must_alloc(p->n, sizeof *raw), **list = NULL;
	hid_t memory = H5Tcopy(H5T_C_S1);
	H5Tset_size(memory, H5T_VARIABLE);
	H5Tset_cset(memory, H5Tget_cset(p->type));
	if (hs_h5_place_read(p, memory, raw) >= 0) {
		list = hs_must_alloc(p->n, sizeof *list);
		for (size_t i = 0; i < p->n; i++) {
			list[i] = raw[i] ? hs_utf8(raw[i], strlen(raw[i])) : hs_must_dup("");
			H5free_memory(raw[i]);
		}
	}
	H5Tclose(memory);
	free(raw);
	return list;
}

char **hs_h5_place_texts(const struct hs_h5_place *p)
{
	const size_t size = H5Tget_size(p->type);
	if (H5Tget_class(p->type) != H5T_STRING || !size || p->n > MAX_TEXTS)
		return NULL;
	if (H5Tis_variable_str(p->type) > 0)
		return variable_texts(p);
	char **list = NULL, *raw = hs_must_alloc(p->n, size);
	const bool blank_padded = H5Tget_strpad(p->type) == H5T_STR_SPACEPAD;
	if (hs_h5_place_read(p, p->type, raw) >= 0) {
		list = hs_must_alloc(p->n, sizeof *list);
		for (size_t i = 0; i < p->n; i++)
			list[i] = fixed_text(raw + i * size, size, blank_padded);
	}
	free(raw);
	return list;
}

/* Real and imaginary part by the names they have in the file, which is how HDF5 finds them. */
static hid_t complex_memory(hid_t type, enum hs_dtype dtype)
{
	const size_t part = hs_dtype_size(dtype) / 2;
	hid_t memory = H5Tcreate(H5T_COMPOUND, 2 * part);
	for (unsigned i = 0; i < 2; i++) {
		char *name = H5Tget_member_name(type, i);
		if (name)
			H5Tinsert(memory, name, i * part, part == 4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE);
		H5free_memory(name);
	}
	return memory;
}

hid_t hs_h5_memory_type(hid_t type, enum hs_dtype dtype)
{
	const H5T_class_t class = H5Tget_class(type);
	if (class == H5T_COMPOUND && hs_dtype_is_complex(dtype))
		return complex_memory(type, dtype);
	return H5Tcopy(class != H5T_BITFIELD ? hs_h5_type_native(dtype) : dtype == HS_U8 ? H5T_NATIVE_B8 : H5T_NATIVE_B32);
}

double *hs_h5_place_reals(const struct hs_h5_place *p)
{
	enum hs_dtype dtype;
	if (!hs_h5_type_dtype(p->type, &dtype) || hs_dtype_is_complex(dtype) || p->n > HS_H5_MAX_WHOLE / sizeof(double))
		return NULL;
	struct hs_err err = { 0 };
	void *raw = hs_alloc(p->n, hs_dtype_size(dtype), &err);
	double *value = raw ? hs_alloc(p->n, sizeof *value, &err) : NULL;
	hid_t memory = hs_h5_memory_type(p->type, dtype);
	if (value && hs_h5_place_read(p, memory, raw) >= 0) {
		hs_dtype_to_double(dtype, raw, value, p->n);
	} else {
		free(value);
		value = NULL;
	}
	H5Tclose(memory);
	free(raw);
	return value;
}

/* The path a reference leads to; NULL when it leads nowhere, or to something without a name. */
static char *referred(hid_t object, H5R_type_t kind, const void *reference)
{
	H5O_type_t type;
	char name[4096];
	if (H5Rget_obj_type2(object, kind, reference, &type) < 0)
		return NULL;
	const ssize_t len = H5Rget_name(object, kind, reference, name, sizeof name);
	return len > 0 && (size_t)len < sizeof name && name[0] == '/' ? hs_must_dup(name) : NULL;
}

char *hs_h5_place_ref(const struct hs_h5_place *p)
{
	char *target = NULL;
	if (H5Tget_class(p->type) != H5T_REFERENCE)
		return NULL;
	const bool region = H5Tequal(p->type, H5T_STD_REF_DSETREG) > 0;
	if (region || H5Tequal(p->type, H5T_STD_REF_OBJ) > 0) {
		void *all = hs_must_alloc(p->n, region ? sizeof(hdset_reg_ref_t) : sizeof(hobj_ref_t));
		if (hs_h5_place_read(p, p->type, all) >= 0)
			target = referred(p->attr, region ? H5R_DATASET_REGION : H5R_OBJECT, all);
		free(all);
	}
	return target;
}

static char *scale_of(const struct hs_h5_place *p, size_t dim)
{
	char *target = NULL;
	hid_t memory = H5Tvlen_create(H5T_STD_REF_OBJ);
	hvl_t *all = hs_must_alloc(p->n, sizeof *all);
	if (hs_h5_place_read(p, memory, all) >= 0) {
		if (all[dim].len && all[dim].p)
			target = referred(p->attr, H5R_OBJECT, all[dim].p);
		H5Dvlen_reclaim(memory, p->space, H5P_DEFAULT, all);
	}
	free(all);
	H5Tclose(memory);
	return target;
}

char *hs_h5_place_scale(const struct hs_h5_place *p, size_t dim)
{
	if (H5Tget_class(p->type) != H5T_VLEN || dim >= p->n)
		return NULL;
	hid_t base = H5Tget_super(p->type);
	char *target = base >= 0 && H5Tequal(base, H5T_STD_REF_OBJ) > 0 ? scale_of(p, dim) : NULL;
	H5Tclose(base);
	return target;
}
