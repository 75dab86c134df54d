/* The rules for any object: string types, names, links, how values are stored. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/exam.h"
#include "store/stored.h"

enum { MAX_CHUNK = 1 << 20, MIN_CHUNK = 4096 };
#define MAX_STRING ((size_t)64 << 20)

/* ------------------------------------------------------------------ attributes */

/* What HDF5's dimension scale and image libraries write in their own way. */
static bool is_foreign_attr(const char *name)
{
	return hs_word_index("CLASS|NAME|IMAGE_SUBCLASS|INTERLACE_MODE|IMAGE_VERSION|REFERENCE_LIST", name) >= 0 ||
		hs_starts(name, "DIMENSION_");
}

static void check_attr(struct hs_exam *c, const char *path, hid_t object, const char *name)
{
	hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
	hid_t type = attr >= 0 ? H5Aget_type(attr) : -1, space = attr >= 0 ? H5Aget_space(attr) : -1;
	if (type < 0 || space < 0) {
		hs_exam_fault(c, path, "@%.60s cannot be read", name);
	} else if (H5Tget_class(type) == H5T_STRING) {
		const bool variable = H5Tis_variable_str(type) > 0, scalar = H5Sget_simple_extent_type(space) == H5S_SCALAR;
		if (!strcmp(name, "NX_class") && variable)
			hs_exam_fault(c, path, "@NX_class has variable length; HyperSpy then finds no signal");
		else if (strcmp(name, "NX_class") && !is_foreign_attr(name) && !variable)
			hs_exam_fault(c, path, "@%.60s has fixed length; only NX_class may", name);
		else if (strcmp(name, "NX_class") && !is_foreign_attr(name) && H5Tget_cset(type) != H5T_CSET_UTF8)
			hs_exam_fault(c, path, "@%.60s is not declared as UTF-8", name);
		if (scalar) {
			char *text = hs_h5_attr_text(c->file, path, name);
			if (!text || !*text)
				hs_exam_fault(c, path, "@%.60s is empty", name);
			free(text);
		} else if (hs_word_index("axes|auxiliary_signals|default_slice", name) < 0 && !hs_starts(name, "DIMENSION_")) {
			hs_exam_fault(c, path, "@%.60s is an array of strings", name);
		}
	}
	H5Sclose(space);
	H5Tclose(type);
	if (attr >= 0)
		H5Aclose(attr);
}

void hs_exam_attrs(struct hs_exam *c, const char *path)
{
	size_t n;
	H5O_info_t info;
	hid_t object = hs_exam_open(c, path);
	char **name = hs_h5_attr_names(c->file, path, &n);
	if (object < 0 || H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS) < 0 || info.num_attrs != n)
		hs_exam_fault(c, path, "has attributes that cannot be read");
	for (size_t i = 0; i < n && object >= 0; i++)
		check_attr(c, path, object, name[i]);
	hs_h5_free_list(name, n);
	if (object >= 0)
		H5Oclose(object);
}

/* ------------------------------------------------------------------ links */

static bool is_name(const char *text)
{
	if (!isalpha((unsigned char)*text) || (unsigned char)*text > 127)
		return false;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p > 127 || (!isalnum((unsigned char)*p) && *p != '_'))
			return false;
	return true;
}

/* The views for other programs hang at the root and are not ours to judge. */
bool hs_exam_is_view(const char *group, const char *name)
{
	return !strcmp(group, "/") && (hs_starts(name, "Experiments") || hs_starts(name, "Measurement_"));
}

struct links {
	struct hs_exam *c;
	const char *group;
	haddr_t above[66];                    /* the group itself and those it hangs in */
	size_t n_above;
};

static herr_t check_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
	struct links *l = ctx;
	struct hs_exam *c = l->c;
	(void)group;
	if (hs_exam_is_view(l->group, name))
		return 0;
	char *path = hs_h5_join(l->group, name);
	if (!is_name(name))
		hs_exam_fault(c, path, "has a name other than [A-Za-z][A-Za-z0-9_]*");
	if (info->type == H5L_TYPE_SOFT && hs_h5_kind(c->file, path) == HS_H5_NOTHING)
		hs_exam_fault(c, path, "is a link that leads nowhere");
	else if (info->type == H5L_TYPE_EXTERNAL)
		hs_exam_fault(c, path, "is an external link: other readers show nothing or zeros");
	else if (info->type != H5L_TYPE_HARD && info->type != H5L_TYPE_SOFT)
		hs_exam_fault(c, path, "is a link of unknown kind");
	else if (info->type == H5L_TYPE_HARD && hs_h5_kind(c->file, path) == HS_H5_NOTHING)
		hs_exam_fault(c, path, "is no group and no dataset");
	for (size_t i = 0; info->type == H5L_TYPE_HARD && i < l->n_above; i++)
		if (info->u.address == l->above[i])
			hs_exam_fault(c, path, "is a loop: it leads back to a group above it");
	free(path);
	return 0;
}

void hs_exam_links(struct hs_exam *c, const char *path)
{
	struct links l = { .c = c, .group = path };
	char *above = hs_must_dup(path);
	for (char *slash = above + strlen(above); slash && l.n_above < HS_LEN(l.above); slash = strrchr(above, '/')) {
		*slash = 0;
		if (hs_exam_address(c, *above ? above : "/", &l.above[l.n_above]))
			l.n_above++;
	}
	free(above);
	hid_t group = hs_exam_open(c, path);
	if (group < 0 || H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, check_link, &l) < 0)
		hs_exam_fault(c, path, "has links that cannot be read");
	if (group >= 0)
		H5Oclose(group);
}

/* ------------------------------------------------------------------ datasets */

static void check_string_set(struct hs_exam *c, const char *path, hid_t set, hid_t type)
{
	hid_t space = H5Dget_space(set);
	const bool scalar = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR;
	const size_t size = H5Tget_size(type);
	H5Sclose(space);
	if (!scalar)
		hs_exam_fault(c, path, "is an array of strings");
	if (H5Tis_variable_str(type) > 0) {
		hs_exam_fault(c, path, "is a string of variable length, which MPI-IO cannot write");
		return;
	}
	if (!scalar || size > MAX_STRING)
		return;
	char *why = hs_h5_trouble(c->file, path), *raw = why ? NULL : hs_must_alloc(size, 1);
	if (why || H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw) < 0)
		hs_exam_fault(c, path, "cannot be read%s%s", why ? ": " : "", why ? why : "");
	else if (H5Tget_strpad(type) != H5T_STR_NULLTERM || !memchr(raw, 0, size))
		hs_exam_fault(c, path, "is a string without its closing NUL; netCDF reads on behind it");
	free(raw);
	free(why);
}

/* Two floating members called r and i. */
static bool is_complex(hid_t type)
{
	enum hs_dtype dtype;
	if (!hs_h5_type_dtype(type, &dtype) || !hs_dtype_is_complex(dtype))
		return false;
	char *r = H5Tget_member_name(type, 0), *i = H5Tget_member_name(type, 1);
	const bool named = r && i && !strcmp(r, "r") && !strcmp(i, "i");
	H5free_memory(r);
	H5free_memory(i);
	return named;
}

static void check_storage(struct hs_exam *c, const char *path, hid_t type, hid_t dcpl)
{
	struct hs_nx_stored stored;
	hsize_t edge[H5S_MAX_RANK];
	size_t bytes = H5Tget_size(type), maps = 0;
	if (H5Pget_external_count(dcpl) > 0)
		hs_exam_fault(c, path, "has its values in another file");
	if (H5Pget_layout(dcpl) == H5D_VIRTUAL && H5Pget_virtual_count(dcpl, &maps) >= 0)
		for (size_t i = 0; i < maps; i++) {
			char name[2] = "";
			if (H5Pget_virtual_filename(dcpl, i, name, sizeof name) != 1 || name[0] != '.') {
				hs_exam_fault(c, path, "is a virtual dataset over another file: H5Web shows zeros");
				break;
			}
		}
	if (H5Pget_layout(dcpl) != H5D_CHUNKED)
		return;
	const int rank = H5Pget_chunk(dcpl, H5S_MAX_RANK, edge), n = H5Pget_nfilters(dcpl);
	for (int i = 0; i < n; i++) {
		unsigned flags;
		size_t n_values = 0;
		const H5Z_filter_t filter = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, 0, NULL, NULL);
		if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
			hs_exam_fault(c, path, "is packed with filter %d, which not every reader has", (int)filter);
	}
	for (int i = 0; i < rank; i++)
		if (!hs_mul(bytes, (size_t)edge[i], &bytes))
			bytes = SIZE_MAX;
	if (bytes > MAX_CHUNK)
		hs_exam_fault(c, path, "has chunks of %zu bytes, over 1 MiB", bytes);
	if (bytes < MIN_CHUNK && hs_nx_stored(c->file, path, &stored) && stored.bytes > MAX_CHUNK)
		hs_exam_fault(c, path, "has chunks of %zu bytes, under 4 KiB", bytes);
}

void hs_exam_set(struct hs_exam *c, const char *path)
{
	hid_t set = hs_exam_open(c, path), type = set >= 0 ? H5Dget_type(set) : -1;
	hid_t dcpl = set >= 0 ? H5Dget_create_plist(set) : -1;
	hs_exam_attrs(c, path);
	if (type < 0 || dcpl < 0) {
		hs_exam_fault(c, path, "has a description that cannot be read");
	} else {
		switch (H5Tget_class(type)) {
		case H5T_STRING: check_string_set(c, path, set, type); break;
		case H5T_OPAQUE: hs_exam_fault(c, path, "is opaque, which stops NeXpy for the whole file"); break;
		case H5T_REFERENCE: hs_exam_fault(c, path, "holds references"); break;
		case H5T_VLEN: hs_exam_fault(c, path, "holds sequences of variable length"); break;
		case H5T_COMPOUND:
			if (!is_complex(type))
				hs_exam_fault(c, path, "is a compound other than complex {r, i}");
			break;
		default: break;
		}
		check_storage(c, path, type, dcpl);
	}
	H5Pclose(dcpl);
	H5Tclose(type);
	if (set >= 0)
		H5Oclose(set);
}
