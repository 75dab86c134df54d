/* The datasets of h5tree.h. */
#include "store/h5tree.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/h5place.h"
#include "store/names.h"

char *hs_h5_trouble(struct hs_h5 *file, const char *path)
{
	const struct hs_h5_object *o = hs_h5_hold_set(file, path);
	return o ? hs_must_dup(o->trouble) : hs_must_dup("it cannot be opened");
}

bool hs_h5_shape(struct hs_h5 *file, const char *path, struct hs_h5_shape *shape)
{
	const struct hs_h5_object *o = hs_h5_hold_set(file, path);
	hsize_t n[H5S_MAX_RANK];
	*shape = (struct hs_h5_shape){ 0 };
	if (!o || o->outside)
		return o != NULL;
	const size_t size = o->value_type >= 0 ? H5Tget_size(o->value_type) : 0;
	const int rank = o->space >= 0 ? H5Sget_simple_extent_ndims(o->space) : -1;
	if (!size || rank < 0 || rank > HS_MAX_RANK || !hs_h5_points_within(o->space, size, PTRDIFF_MAX, &shape->count) ||
	    H5Sget_simple_extent_dims(o->space, n, NULL) != rank)
		return false;
	shape->rank = (size_t)rank;
	for (int i = 0; i < rank; i++)
		shape->n[i] = (size_t)n[i];
	const H5T_class_t class = H5Tget_class(o->value_type);
	shape->class = o->trouble ? HS_H5_OTHER : hs_h5_type_dtype(o->value_type, &shape->dtype) ? HS_H5_NUMBER :
		class == H5T_STRING ? HS_H5_STRING : class == H5T_COMPOUND ? HS_H5_COMPOUND : HS_H5_OTHER;
	return true;
}

/* The type of a compound dataset, borrowed, or -1. */
static hid_t compound(struct hs_h5 *file, const char *path)
{
	const struct hs_h5_object *o = hs_h5_hold_set(file, path);
	return o && o->value_type >= 0 && H5Tget_class(o->value_type) == H5T_COMPOUND ? o->value_type : -1;
}

char **hs_h5_fields(struct hs_h5 *file, const char *path, size_t *n)
{
	struct hs_names names = { 0 };
	hid_t type = compound(file, path);
	const int members = type >= 0 ? H5Tget_nmembers(type) : 0;
	for (int i = 0; i < members; i++) {
		char *name = H5Tget_member_name(type, (unsigned)i);
		if (name)
			hs_names_add(&names, hs_must_dup(name));
		H5free_memory(name);
	}
	return hs_names_take(&names, false, n);
}

bool hs_h5_field_dtype(struct hs_h5 *file, const char *path, const char *field, enum hs_dtype *dtype)
{
	hid_t type = compound(file, path);
	const int i = type >= 0 ? H5Tget_member_index(type, field) : -1;
	hid_t member = i < 0 ? -1 : H5Tget_member_type(type, (unsigned)i);
	const bool known = member >= 0 && hs_h5_type_dtype(member, dtype);
	H5Tclose(member);
	return known;
}

double *hs_h5_reals(struct hs_h5 *file, const char *path, size_t *n)
{
	struct hs_h5_place p;
	*n = 0;
	if (!hs_h5_place_set(&p, file, path, HS_H5_MAX_WHOLE))
		return NULL;
	double *value = hs_h5_place_reals(&p);
	*n = value ? p.n : 0;
	hs_h5_place_close(&p);
	return value;
}

/* What is asked of HDF5 for a whole dataset, or for one field of its records; -1 when there is no such field. */
static hid_t wanted_type(hid_t type, const char *field, enum hs_dtype dtype)
{
	if (!field)
		return hs_h5_memory_type(type, dtype);
	const int i = H5Tget_class(type) == H5T_COMPOUND ? H5Tget_member_index(type, field) : -1;
	hid_t member = i < 0 ? -1 : H5Tget_member_type(type, (unsigned)i);
	if (member < 0)
		return -1;
	hid_t whole = H5Tcreate(H5T_COMPOUND, hs_dtype_size(dtype)), memory = hs_h5_memory_type(member, dtype);
	H5Tinsert(whole, field, 0, memory);
	H5Tclose(memory);
	H5Tclose(member);
	return whole;
}

void *hs_h5_values(struct hs_h5 *file, const char *path, const char *field, enum hs_dtype dtype, size_t count, struct hs_err *err)
{
	struct hs_h5_place p;
	size_t bytes;
	void *value = NULL;
	if (!hs_mul(count, hs_dtype_size(dtype), &bytes) || !hs_h5_place_set(&p, file, path, PTRDIFF_MAX)) {
		hs_fail(err, HS_BAD_DATA, "the values of %s cannot be read", path);
		return NULL;
	}
	hid_t memory = wanted_type(p.type, field, dtype);
	if (p.n != count)
		hs_fail(err, HS_BUG, "%s has %zu values, %zu were asked for", path, p.n, count);
	else if ((value = hs_alloc(count, hs_dtype_size(dtype), err)) && (memory < 0 || hs_h5_place_read(&p, memory, value) < 0)) {
		hs_h5_fail(err, HS_BAD_DATA, "the values of %s cannot be read", path);
		free(value);
		value = NULL;
	}
	if (memory >= 0)
		H5Tclose(memory);
	hs_h5_place_close(&p);
	return value;
}

double *hs_h5_reals_n(struct hs_h5 *file, const char *path, size_t n)
{
	struct hs_h5_shape shape;
	struct hs_err err = { 0 };
	size_t got, bytes;
	if (!hs_h5_shape(file, path, &shape) || shape.class != HS_H5_NUMBER || hs_dtype_is_complex(shape.dtype) || shape.count != n ||
	    !hs_mul(n, sizeof(double), &bytes))
		return NULL;
	if (bytes <= HS_H5_MAX_WHOLE)
		return hs_h5_reals(file, path, &got);
	/* so large only when the file holds them */
	const struct hs_h5_object *o = hs_h5_hold_set(file, path);
	if (bytes / HS_H5_MAX_EXPANSION > H5Dget_storage_size(o->id))
		return NULL;
	void *raw = hs_h5_values(file, path, NULL, shape.dtype, n, &err);
	if (!raw || shape.dtype == HS_F64)
		return raw;
	double *value = hs_alloc(n, sizeof *value, &err);
	if (value)
		hs_dtype_to_double(shape.dtype, raw, value, n);
	free(raw);
	return value;
}

char **hs_h5_texts(struct hs_h5 *file, const char *path, size_t *n)
{
	struct hs_h5_place p;
	*n = 0;
	if (!hs_h5_place_set(&p, file, path, HS_H5_MAX_WHOLE))
		return NULL;
	char **list = hs_h5_place_texts(&p);
	*n = list ? p.n : 0;
	hs_h5_place_close(&p);
	return list;
}

char *hs_h5_text(struct hs_h5 *file, const char *path)
{
	size_t n;
	char **list = hs_h5_texts(file, path, &n), *text = NULL;
	if (n) {
		text = list[0];
		list[0] = NULL;
	}
	hs_h5_free_list(list, n);
	return text;
}

uint8_t *hs_h5_bytes(struct hs_h5 *file, const char *path, size_t *n)
{
	struct hs_h5_place p;
	uint8_t *bytes = NULL;
	*n = 0;
	if (!hs_h5_place_set(&p, file, path, HS_H5_MAX_WHOLE))
		return NULL;
	if (H5Tget_class(p.type) == H5T_INTEGER && H5Tget_size(p.type) == 1) {
		struct hs_err err = { 0 };
		bytes = hs_alloc(p.n, 1, &err);
		if (bytes && hs_h5_place_read(&p, p.type, bytes) >= 0) {
			*n = p.n;
		} else {
			free(bytes);
			bytes = NULL;
		}
	}
	hs_h5_place_close(&p);
	return bytes;
}
