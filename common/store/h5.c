#include "store/h5.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void hs_h5_quiet(void)
{
	/* files are closed one by one; HDF5's own closing at exit crashes (1.10.8) after a file could not be flushed to a full disk */
	H5dont_atexit();
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static herr_t innermost(unsigned n, const H5E_error2_t *e, void *ctx)
{
	char *text = ctx;
	if (n == 0 && e->desc)
		snprintf(text, 160, "%s", e->desc);
	return 0;
}

int hs_h5_fail(struct hs_err *err, enum hs_status status, const char *fmt, ...)
{
	char what[256], why[160] = "";
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, why);
	return hs_fail(err, status, "%s%s%s%s", what, *why ? " (HDF5: " : "", why, *why ? ")" : "");
}

static hid_t complex_type(hid_t part, size_t size)
{
	hid_t t = H5Tcreate(H5T_COMPOUND, 2 * size);
	H5Tinsert(t, "r", 0, part);
	H5Tinsert(t, "i", size, part);
	return t;
}

static hid_t made_once(hid_t *slot, hid_t part, size_t size)
{
	if (*slot <= 0)
		*slot = complex_type(part, size);
	return *slot;
}

hid_t hs_h5_type_native(enum hs_dtype t)
{
	static hid_t c64, c128;
	switch (t) {
	case HS_U8: return H5T_NATIVE_UINT8;
	case HS_I8: return H5T_NATIVE_INT8;
	case HS_U16: return H5T_NATIVE_UINT16;
	case HS_I16: return H5T_NATIVE_INT16;
	case HS_U32: return H5T_NATIVE_UINT32;
	case HS_I32: return H5T_NATIVE_INT32;
	case HS_U64: return H5T_NATIVE_UINT64;
	case HS_I64: return H5T_NATIVE_INT64;
	case HS_F32: return H5T_NATIVE_FLOAT;
	case HS_F64: return H5T_NATIVE_DOUBLE;
	case HS_C64: return made_once(&c64, H5T_NATIVE_FLOAT, 4);
	case HS_C128: return made_once(&c128, H5T_NATIVE_DOUBLE, 8);
	default: return -1;
	}
}

hid_t hs_h5_type_disk(enum hs_dtype t)
{
	static hid_t c64, c128;
	switch (t) {
	case HS_U8: return H5T_STD_U8LE;
	case HS_I8: return H5T_STD_I8LE;
	case HS_U16: return H5T_STD_U16LE;
	case HS_I16: return H5T_STD_I16LE;
	case HS_U32: return H5T_STD_U32LE;
	case HS_I32: return H5T_STD_I32LE;
	case HS_U64: return H5T_STD_U64LE;
	case HS_I64: return H5T_STD_I64LE;
	case HS_F32: return H5T_IEEE_F32LE;
	case HS_F64: return H5T_IEEE_F64LE;
	case HS_C64: return made_once(&c64, H5T_IEEE_F32LE, 4);
	case HS_C128: return made_once(&c128, H5T_IEEE_F64LE, 8);
	default: return -1;
	}
}

/* Two floating members of one size, whatever they are called: r/i, real/imag, ... */
static bool compound_is_complex(hid_t type, enum hs_dtype *dtype)
{
	if (H5Tget_nmembers(type) != 2)
		return false;
	hid_t a = H5Tget_member_type(type, 0), b = H5Tget_member_type(type, 1);
	const bool both_float = H5Tget_class(a) == H5T_FLOAT && H5Tget_class(b) == H5T_FLOAT && H5Tget_size(a) == H5Tget_size(b);
	const size_t size = H5Tget_size(a);
	char *first = H5Tget_member_name(type, 0);
	const bool named = first && (first[0] == 'r' || first[0] == 'R');
	H5free_memory(first);
	H5Tclose(a);
	H5Tclose(b);
	*dtype = size == 4 ? HS_C64 : HS_C128;
	return both_float && named && (size == 4 || size == 8);
}

bool hs_h5_type_dtype(hid_t type, enum hs_dtype *dtype)
{
	const size_t size = H5Tget_size(type);
	switch (H5Tget_class(type)) {
	case H5T_FLOAT:
		*dtype = size <= 4 ? HS_F32 : HS_F64;
		return true;
	case H5T_ENUM:
	case H5T_BITFIELD:
		*dtype = size == 1 ? HS_U8 : HS_I32;
		return size <= 4;
	case H5T_INTEGER: {
		const bool sign = H5Tget_sign(type) == H5T_SGN_2;
		*dtype = size == 1 ? (sign ? HS_I8 : HS_U8) : size == 2 ? (sign ? HS_I16 : HS_U16) : size <= 4 ? (sign ? HS_I32 : HS_U32)
											       : (sign ? HS_I64 : HS_U64);
		return size <= 8;
	}
	case H5T_COMPOUND:
		return compound_is_complex(type, dtype);
	default:
		return false;
	}
}

bool hs_h5_type_is_plain(hid_t type, enum hs_dtype dtype, bool *big_endian)
{
	static const hid_t none = -1;
	hid_t big = none;
	switch (dtype) {
	case HS_U8: big = H5T_STD_U8BE; break;
	case HS_I8: big = H5T_STD_I8BE; break;
	case HS_U16: big = H5T_STD_U16BE; break;
	case HS_I16: big = H5T_STD_I16BE; break;
	case HS_U32: big = H5T_STD_U32BE; break;
	case HS_I32: big = H5T_STD_I32BE; break;
	case HS_U64: big = H5T_STD_U64BE; break;
	case HS_I64: big = H5T_STD_I64BE; break;
	case HS_F32: big = H5T_IEEE_F32BE; break;
	case HS_F64: big = H5T_IEEE_F64BE; break;
	default: break;
	}
	*big_endian = false;
	if (H5Tequal(type, hs_h5_type_disk(dtype)) > 0)
		return true;
	*big_endian = true;
	return big != none && H5Tequal(type, big) > 0;
}

static int close_attr(hid_t attr, hid_t space, int failed)
{
	if (attr >= 0 && H5Aclose(attr) < 0)
		failed = 1;
	if (space >= 0)
		H5Sclose(space);
	return attr < 0 || failed ? -1 : 0;
}

int hs_h5_put_class(hid_t object, const char *nx_class)
{
	/* exactly strlen bytes: h5py compares with b"NXdata" */
	hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
	H5Tset_size(type, strlen(nx_class));
	H5Tset_strpad(type, H5T_STR_NULLPAD);
	hid_t attr = H5Acreate2(object, "NX_class", type, space, H5P_DEFAULT, H5P_DEFAULT);
	const int failed = attr >= 0 && H5Awrite(attr, type, nx_class) < 0;
	const int verdict = close_attr(attr, space, failed);
	H5Tclose(type);
	return verdict;
}

static hid_t text_type(void)
{
	hid_t type = H5Tcopy(H5T_C_S1);
	H5Tset_size(type, H5T_VARIABLE);
	H5Tset_cset(type, H5T_CSET_UTF8);
	return type;
}

int hs_h5_put_text(hid_t object, const char *attr, const char *value)
{
	char *valid = hs_utf8(value, strlen(value));
	const char *one = *valid ? valid : "unknown";           /* sidpy refuses empty strings */
	hid_t type = text_type(), space = H5Screate(H5S_SCALAR), a = H5Acreate2(object, attr, type, space, H5P_DEFAULT, H5P_DEFAULT);
	const int failed = a >= 0 && H5Awrite(a, type, &one) < 0;
	const int verdict = close_attr(a, space, failed);
	H5Tclose(type);
	free(valid);
	return verdict;
}

int hs_h5_put_texts(hid_t object, const char *attr, const char *const *value, size_t n)
{
	const hsize_t dims = n;
	hid_t type = text_type(), space = H5Screate_simple(1, &dims, NULL), a =
		H5Acreate2(object, attr, type, space, H5P_DEFAULT, H5P_DEFAULT);
	const int failed = a >= 0 && H5Awrite(a, type, value) < 0;
	const int verdict = close_attr(a, space, failed);
	H5Tclose(type);
	return verdict;
}

int hs_h5_put_number(hid_t object, const char *attr, enum hs_dtype dtype, const void *value, size_t n)
{
	const hsize_t dims = n;
	hid_t space = n ? H5Screate_simple(1, &dims, NULL) : H5Screate(H5S_SCALAR),
	      a = H5Acreate2(object, attr, hs_h5_type_disk(dtype), space, H5P_DEFAULT, H5P_DEFAULT);
	const int failed = a >= 0 && H5Awrite(a, hs_h5_type_native(dtype), value) < 0;
	return close_attr(a, space, failed);
}

int hs_h5_put_int(hid_t object, const char *attr, int value)
{
	return hs_h5_put_number(object, attr, HS_I32, &value, 0);
}

int hs_h5_put_ints(hid_t object, const char *attr, const int *value, size_t n)
{
	return hs_h5_put_number(object, attr, HS_I32, value, n);
}

hid_t hs_h5_new_dcpl(void)
{
	hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
	H5Pset_obj_track_times(dcpl, false);
	return dcpl;
}

static int write_dataset(hid_t group, const char *name, hid_t disk, hid_t memory, hid_t space, hid_t dcpl, const void *value)
{
	hid_t own = dcpl == H5P_DEFAULT ? hs_h5_new_dcpl() : H5I_INVALID_HID,
	      d = H5Dcreate2(group, name, disk, space, H5P_DEFAULT, own >= 0 ? own : dcpl, H5P_DEFAULT);
	const int failed = d < 0 || (value && H5Dwrite(d, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) < 0);
	if (d >= 0)
		H5Dclose(d);
	if (own >= 0)
		H5Pclose(own);
	H5Sclose(space);
	return failed ? -1 : 0;
}

int hs_h5_put_string(hid_t group, const char *name, const char *value)
{
	char *valid = hs_utf8(value, strlen(value));
	hid_t type = H5Tcopy(H5T_C_S1);
	H5Tset_size(type, strlen(valid) + 1);                    /* with its NUL: netCDF-C reads past the end otherwise */
	H5Tset_cset(type, H5T_CSET_UTF8);
	const int verdict = write_dataset(group, name, type, type, H5Screate(H5S_SCALAR), H5P_DEFAULT, valid);
	H5Tclose(type);
	free(valid);
	return verdict;
}

int hs_h5_put_scalar(hid_t group, const char *name, enum hs_dtype dtype, const void *value)
{
	return write_dataset(group, name, hs_h5_type_disk(dtype), hs_h5_type_native(dtype), H5Screate(H5S_SCALAR), H5P_DEFAULT, value);
}

int hs_h5_put_array(hid_t group, const char *name, enum hs_dtype dtype, size_t rank, const size_t *n, const void *value,
	hid_t dcpl)
{
	hsize_t dims[HS_MAX_RANK];
	for (size_t i = 0; i < rank; i++)
		dims[i] = n[i];
	return write_dataset(group, name, hs_h5_type_disk(dtype), hs_h5_type_native(dtype), H5Screate_simple((int)rank, dims, NULL),
		dcpl, value);
}

hid_t hs_h5_new_group(hid_t parent, const char *name, const char *nx_class)
{
	hid_t g = H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	if (g >= 0 && hs_h5_put_class(g, nx_class) < 0) {
		H5Gclose(g);
		return -1;
	}
	return g;
}
