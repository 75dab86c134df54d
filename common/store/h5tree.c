/* What makes HDF5 safe to point at a stranger's file is decided here, in four places: every look-up goes through one link
 * access list whose external links lead nowhere; every size is bounded by what the file can hold before memory is asked
 * for (trouble, points_within); every descent remembers the addresses it has seen; and before all that a child process
 * has read the file (probe), because HDF5 1.10 itself runs into wild pointers on some broken files: a global heap whose
 * objects are longer than it is, a string that refers to an object the heap has not, an attribute that cannot be decoded. */
#include "store/h5tree.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/h5.h"
#include "store/vfd.h"

enum { MAX_DEPTH = 64, MAX_ENTRIES = 1 << 20, MAX_JSON_ITEMS = 16, MAX_TEXTS = 65536, PROBE_OBJECTS = 4096,
	PROBE_VALUES = 65536, PROBE_SECONDS = 5 };
#define MAX_WHOLE ((size_t)64 << 20)          /* bytes of a dataset or attribute that is read in one go */
#define MAX_LOGICAL ((size_t)1 << 36)         /* bytes a dataset may claim without having stored a fair part of them */
#define MAX_EXPANSION 2000                    /* bytes out of one stored byte; deflate reaches 1032 */

static herr_t refuse_external(const char *parent_file, const char *parent_group, const char *child_file, const char *child,
	unsigned *access, hid_t fapl, void *ctx)
{
	(void)parent_file, (void)parent_group, (void)child_file, (void)child, (void)access, (void)fapl, (void)ctx;
	return -1;
}

/* Link access for every path: another file is never opened on the word of this one. */
static hid_t inside(void)
{
	static hid_t lapl = -1;
	if (lapl < 0) {
		lapl = H5Pcreate(H5P_LINK_ACCESS);
		H5Pset_elink_cb(lapl, refuse_external, NULL);
	}
	return lapl;
}

int hs_h5_open_unguarded(struct hs_h5 **file, int fd, const char *name, struct hs_err *err)
{
	struct stat st;
	*file = NULL;
	hs_h5_quiet();
	if (fstat(fd, &st) < 0)
		return hs_fail_errno(err, "cannot read '%s'", name);
	hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
	if (fapl < 0 || hs_fapl_set_fd(fapl, fd) < 0) {
		H5Pclose(fapl);
		return hs_h5_fail(err, HS_SYSTEM, "cannot prepare HDF5 for '%s'", name);
	}
	hid_t id = H5Fopen(*name ? name : "-", H5F_ACC_RDONLY, fapl);
	if (id < 0)
		hs_h5_fail(err, HS_BAD_DATA, "cannot read '%s' as HDF5", name);
	H5Pclose(fapl);
	if (id < 0)
		return -1;
	*file = hs_must_alloc(1, sizeof **file);
	**file = (struct hs_h5){ .id = id, .fd = fd, .name = hs_must_dup(name) };
	return 0;
}

void hs_h5_close(struct hs_h5 *file)
{
	if (!file)
		return;
	H5Fclose(file->id);
	free(file->pin);
	free(file->sound);
	free(file->name);
	free(file);
}

const char *hs_h5_name(const struct hs_h5 *file)
{
	return file->name;
}

char *hs_h5_join(const char *path, const char *name)
{
	return hs_must_printf("%s%s%s", path, hs_ends(path, "/") ? "" : "/", name);
}

static bool object_info(struct hs_h5 *file, const char *path, H5O_info_t *info)
{
	return path && *path == '/' && H5Oget_info_by_name2(file->id, path, info, H5O_INFO_BASIC, inside()) >= 0;
}

enum hs_h5_kind hs_h5_kind(struct hs_h5 *file, const char *path)
{
	H5O_info_t info;
	if (!object_info(file, path, &info))
		return HS_H5_NOTHING;
	return info.type == H5O_TYPE_GROUP ? HS_H5_GROUP : info.type == H5O_TYPE_DATASET ? HS_H5_DATASET : HS_H5_NOTHING;
}

/* Names */

struct list {
	char **name;
	size_t n, room;
};

static void list_add(struct list *list, char *name)
{
	if (list->n + 1 >= list->room) {
		list->room = 2 * list->room + 8;
		list->name = hs_must_resize(list->name, list->room, sizeof *list->name);
	}
	list->name[list->n++] = name;
	list->name[list->n] = NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **list_take(struct list *list, bool sort, size_t *n)
{
	if (sort && list->n > 1)
		qsort(list->name, list->n, sizeof *list->name, by_name);
	*n = list->n;
	return list->name;
}

void hs_h5_free_list(char **list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		free(list[i]);
	free(list);
}

static herr_t add_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
	struct list *list = ctx;
	if (list->n >= MAX_ENTRIES)
		return 1;
	if ((info->type != H5L_TYPE_HARD && info->type != H5L_TYPE_SOFT) || !*name || strchr(name, '/') || !strcmp(name, "."))
		return 0;
	if (info->type == H5L_TYPE_SOFT && H5Oexists_by_name(group, name, inside()) <= 0)
		return 0;
	list_add(list, hs_must_dup(name));
	return 0;
}

/* *broken: the list ends early because the file is damaged there. */
static char **children(struct hs_h5 *file, const char *path, size_t *n, bool *broken)
{
	struct list list = { 0 };
	*n = 0;
	*broken = false;
	if (hs_h5_kind(file, path) != HS_H5_GROUP)
		return NULL;
	*broken = H5Literate_by_name(file->id, path, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_link, &list, inside()) < 0;
	return list_take(&list, true, n);
}

char **hs_h5_children(struct hs_h5 *file, const char *path, size_t *n)
{
	bool broken;
	return children(file, path, n, &broken);
}

static herr_t add_attr(hid_t object, const char *name, const H5A_info_t *info, void *ctx)
{
	(void)object, (void)info;
	struct list *list = ctx;
	list_add(list, hs_must_dup(name));
	return list->n >= MAX_ENTRIES;
}

/* HDF5 1.10 crashes when it lists the attributes of an object of which one cannot be decoded (it releases a table that is
 * filled half-way). Looking for a name that is not there decodes them all, and only fails. An object like that has no
 * attributes for us, so that the probe has seen whatever is read later. Attributes are asked for object by object, so that
 * the last answer is worth keeping. */
static bool attrs_are_sound(struct hs_h5 *file, const char *path)
{
	if (path && file->sound && !strcmp(path, file->sound))
		return true;
	const bool sound = hs_h5_kind(file, path) != HS_H5_NOTHING && H5Aexists_by_name(file->id, path, "\001", inside()) == 0;
	if (sound) {
		free(file->sound);
		file->sound = hs_must_dup(path);
	}
	return sound;
}

char **hs_h5_attr_names(struct hs_h5 *file, const char *path, size_t *n)
{
	struct list list = { 0 };
	*n = 0;
	if (attrs_are_sound(file, path))
		H5Aiterate_by_name(file->id, path, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_attr, &list, inside());
	return list_take(&list, true, n);
}

/* Walking. Reference counts come from the file and may lie, so every address is remembered. */

struct seen {
	haddr_t *slot;                /* open addressing, HADDR_UNDEF is empty */
	size_t n, room;
};

static bool seen_put(struct seen *seen, haddr_t address)
{
	size_t i = (size_t)(address * 0x9e3779b97f4a7c15u >> 20) & (seen->room - 1);
	for (; seen->slot[i] != HADDR_UNDEF; i = (i + 1) & (seen->room - 1))
		if (seen->slot[i] == address)
			return false;
	seen->slot[i] = address;
	seen->n++;
	return true;
}

/* True the first time. */
static bool first_visit(struct seen *seen, haddr_t address)
{
	if (2 * seen->n >= seen->room) {
		const struct seen old = *seen;
		*seen = (struct seen){ .room = old.room ? 2 * old.room : 64 };
		seen->slot = hs_must_alloc(seen->room, sizeof *seen->slot);
		memset(seen->slot, 0xff, seen->room * sizeof *seen->slot);
		for (size_t i = 0; i < old.room; i++)
			if (old.slot[i] != HADDR_UNDEF)
				seen_put(seen, old.slot[i]);
		free(old.slot);
	}
	return seen_put(seen, address);
}

struct walk {
	struct hs_h5 *file;
	hs_h5_visit_fn fn;
	void *ctx;
	struct seen seen;
	bool broken;                  /* a group could not be listed to its end: there may be objects that were never seen */
};

static int walk(struct walk *w, const char *path, int depth)
{
	H5O_info_t info;
	if (!object_info(w->file, path, &info) || w->seen.n >= MAX_ENTRIES)
		return 0;
	if ((info.type != H5O_TYPE_GROUP && info.type != H5O_TYPE_DATASET) || !first_visit(&w->seen, info.addr))
		return 0;
	const bool group = info.type == H5O_TYPE_GROUP;
	int verdict = w->fn(w->ctx, w->file, path, group ? HS_H5_GROUP : HS_H5_DATASET);
	if (verdict || !group)
		return verdict;
	size_t n;
	bool broken;
	char **name = children(w->file, path, &n, &broken);
	w->broken |= broken;
	for (size_t i = 0; i < n && depth < MAX_DEPTH && !verdict; i++) {
		char *child = hs_h5_join(path, name[i]);
		verdict = walk(w, child, depth + 1);
		free(child);
	}
	hs_h5_free_list(name, n);
	return verdict;
}

int hs_h5_walk(struct hs_h5 *file, const char *from, hs_h5_visit_fn fn, void *ctx)
{
	struct walk w = { .file = file, .fn = fn, .ctx = ctx };
	const int verdict = walk(&w, from, 0);
	free(w.seen.slot);
	return verdict;
}

/* Values of attributes and datasets. Both come as a `place`: what is read, its type and its number of elements. */

struct place {
	hid_t attr, set, type, space;
	size_t n;                     /* elements, bounded */
};

static void place_close(struct place *p)
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

static bool points_within(hid_t space, size_t size, size_t limit, size_t *n)
{
	const hssize_t points = H5Sget_simple_extent_npoints(space);
	if (points < 0 || !size || (size_t)points > limit / size)
		return false;
	*n = (size_t)points;
	return true;
}

/* Takes attr, an open attribute or -1. */
static bool place_of_attr(struct place *p, hid_t attr)
{
	*p = (struct place){ .attr = attr, .set = -1, .type = -1, .space = -1 };
	if (p->attr >= 0) {
		p->type = H5Aget_type(p->attr);
		p->space = H5Aget_space(p->attr);
	}
	if (p->type >= 0 && p->space >= 0 && points_within(p->space, H5Tget_size(p->type), MAX_WHOLE, &p->n) && p->n)
		return true;
	place_close(p);
	return false;
}

static bool place_attr(struct place *p, struct hs_h5 *file, const char *path, const char *attr)
{
	if (!attrs_are_sound(file, path) || H5Aexists_by_name(file->id, path, attr, inside()) <= 0)
		return false;
	return place_of_attr(p, H5Aopen_by_name(file->id, path, attr, H5P_DEFAULT, inside()));
}

/* The kind is asked first: it fails for a path through an external link, which H5Dopen would follow. */
static hid_t open_set(struct hs_h5 *file, const char *path)
{
	return hs_h5_kind(file, path) == HS_H5_DATASET ? H5Dopen2(file->id, path, H5P_DEFAULT) : -1;
}

/* A virtual dataset may be built of plain datasets of its own file (the USID view of our container is); a chain of virtual
 * ones could lead out of the file, or back to itself. */
static bool source_is_plain(struct hs_h5 *file, hid_t dcpl, size_t map)
{
	char name[1024], file_name[2] = "";
	if (H5Pget_virtual_filename(dcpl, map, file_name, sizeof file_name) != 1 || file_name[0] != '.')
		return false;
	const ssize_t len = H5Pget_virtual_dsetname(dcpl, map, name, sizeof name);
	if (len < 1 || (size_t)len >= sizeof name || strchr(name, '%'))
		return false;
	char *path = hs_must_printf("%s%s", *name == '/' ? "" : "/", name);
	hid_t set = open_set(file, path), source = set >= 0 ? H5Dget_create_plist(set) : -1;
	const bool plain = source >= 0 && H5Pget_layout(source) != H5D_VIRTUAL && H5Pget_external_count(source) == 0;
	H5Pclose(source);
	H5Dclose(set);
	free(path);
	return plain;
}

/* Do the values of an open dataset lie in another file? To be asked before its extent: for a virtual dataset without a
 * limit HDF5 opens the other files to tell it. */
static const char *outside(struct hs_h5 *file, hid_t set)
{
	hid_t dcpl = H5Dget_create_plist(set);
	const H5D_layout_t layout = dcpl >= 0 ? H5Pget_layout(dcpl) : H5D_LAYOUT_ERROR;
	const char *why = layout < 0 ? "its description is broken" : NULL;
	if (!why && H5Pget_external_count(dcpl) != 0)
		why = "its values lie in another file";
	if (!why && layout == H5D_VIRTUAL) {
		size_t maps = 0;
		if (H5Pget_virtual_count(dcpl, &maps) < 0)
			why = "its description is broken";
		for (size_t i = 0; i < maps && !why; i++)
			if (!source_is_plain(file, dcpl, i))
				why = "it is a virtual dataset over another file";
	}
	H5Pclose(dcpl);
	return why;
}

static herr_t place_read(const struct place *p, hid_t memory, void *to)
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

/* All strings of a place; NULL when it holds none or cannot be read. */
static char **place_texts(const struct place *p)
{
	const size_t size = H5Tget_size(p->type);
	if (H5Tget_class(p->type) != H5T_STRING || !size || p->n > MAX_TEXTS)
		return NULL;
	char **list = NULL;
	if (H5Tis_variable_str(p->type) > 0) {
		char **raw = hs_must_alloc(p->n, sizeof *raw);
		hid_t memory = H5Tcopy(H5T_C_S1);
		H5Tset_size(memory, H5T_VARIABLE);
		H5Tset_cset(memory, H5Tget_cset(p->type));
		if (place_read(p, memory, raw) >= 0) {
			list = hs_must_alloc(p->n, sizeof *list);
			for (size_t i = 0; i < p->n; i++) {
				list[i] = raw[i] ? hs_utf8(raw[i], strlen(raw[i])) : hs_must_dup("");
				H5free_memory(raw[i]);
			}
		}
		H5Tclose(memory);
		free(raw);
	} else {
		char *raw = hs_must_alloc(p->n, size);
		const bool blank_padded = H5Tget_strpad(p->type) == H5T_STR_SPACEPAD;
		if (place_read(p, p->type, raw) >= 0) {
			list = hs_must_alloc(p->n, sizeof *list);
			for (size_t i = 0; i < p->n; i++)
				list[i] = fixed_text(raw + i * size, size, blank_padded);
		}
		free(raw);
	}
	return list;
}

/* The type to ask HDF5 for so that the bytes in memory are a `dtype`; bit fields do not convert to integers. */
static hid_t memory_type(hid_t type, enum hs_dtype dtype)
{
	if (H5Tget_class(type) != H5T_BITFIELD)
		return hs_h5_type_native(dtype);
	return dtype == HS_U8 ? H5T_NATIVE_B8 : H5T_NATIVE_B32;
}

static double *place_reals(const struct place *p)
{
	enum hs_dtype dtype;
	if (!hs_h5_type_dtype(p->type, &dtype) || hs_dtype_is_complex(dtype) || p->n > MAX_WHOLE / sizeof(double))
		return NULL;
	struct hs_err err = { 0 };
	void *raw = hs_alloc(p->n, hs_dtype_size(dtype), &err);
	double *value = raw ? hs_alloc(p->n, sizeof *value, &err) : NULL;
	if (value && place_read(p, memory_type(p->type, dtype), raw) >= 0) {
		hs_dtype_to_double(dtype, raw, value, p->n);
	} else {
		free(value);
		value = NULL;
	}
	free(raw);
	return value;
}

bool hs_h5_has_attr(struct hs_h5 *file, const char *path, const char *attr)
{
	return path && *path == '/' && H5Aexists_by_name(file->id, path, attr, inside()) > 0;
}

char **hs_h5_attr_texts(struct hs_h5 *file, const char *path, const char *attr, size_t *n)
{
	struct place p;
	*n = 0;
	if (!place_attr(&p, file, path, attr))
		return NULL;
	char **list = place_texts(&p);
	*n = list ? p.n : 0;
	place_close(&p);
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
	struct place p;
	*n = 0;
	if (!place_attr(&p, file, path, attr))
		return NULL;
	double *value = place_reals(&p);
	*n = value ? p.n : 0;
	place_close(&p);
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

/* The path that the first reference of an attribute leads to. */
static char *place_ref(const struct place *p)
{
	char *target = NULL;
	const bool region = H5Tequal(p->type, H5T_STD_REF_DSETREG) > 0;
	if (region || H5Tequal(p->type, H5T_STD_REF_OBJ) > 0) {
		void *all = hs_must_alloc(p->n, region ? sizeof(hdset_reg_ref_t) : sizeof(hobj_ref_t));
		if (place_read(p, p->type, all) >= 0)
			target = referred(p->attr, region ? H5R_DATASET_REGION : H5R_OBJECT, all);
		free(all);
	}
	return target;
}

char *hs_h5_attr_ref(struct hs_h5 *file, const char *path, const char *attr)
{
	struct place p;
	if (!place_attr(&p, file, path, attr))
		return NULL;
	char *target = place_ref(&p);
	place_close(&p);
	return target;
}

/* Why a dataset that is not outside cannot be read, or NULL. Most answers come from the creation list alone. */
static char *trouble(struct hs_h5 *file, hid_t set, hid_t type, hid_t space)
{
	struct stat st;
	char *why = NULL;
	hid_t dcpl = H5Dget_create_plist(set);
	if (dcpl < 0 || fstat(file->fd, &st) < 0) {
		H5Pclose(dcpl);
		return hs_must_dup("its description is broken");
	}
	const size_t size = H5Tget_size(type), in_file = (size_t)st.st_size;
	const H5D_layout_t layout = H5Pget_layout(dcpl);
	size_t n, bytes;
	if (!points_within(space, size, PTRDIFF_MAX, &n)) {
		why = hs_must_dup("it claims more values than any computer can address");
		goto out;
	}
	bytes = n * size;
	const int n_filters = layout == H5D_CHUNKED ? H5Pget_nfilters(dcpl) : 0;
	for (int i = 0; i < n_filters && !why; i++) {
		unsigned flags;
		size_t n_values = 0;
		char name[64] = "";
		const H5Z_filter_t filter = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, sizeof name, name, NULL);
		if (filter < 0 || H5Zfilter_avail(filter) <= 0)
			why = hs_must_printf("it is compressed with filter %d%s%.60s, which is not installed", (int)filter, *name ? ", " : "", name);
	}
	if (!why && layout == H5D_CHUNKED) {
		hsize_t edge[H5S_MAX_RANK];
		const int rank = H5Pget_chunk(dcpl, H5S_MAX_RANK, edge);
		size_t chunk = size;
		for (int i = 0; i < rank && !why; i++)
			if (!hs_mul(chunk, (size_t)edge[i], &chunk))
				chunk = SIZE_MAX;
		if (rank < 1 || (chunk > MAX_WHOLE && chunk / MAX_EXPANSION > in_file))
			why = hs_must_printf("one of its chunks would be larger than the file of %zu bytes could hold", in_file);
	}
	if (!why && ((layout == H5D_CONTIGUOUS && bytes > in_file && H5Dget_storage_size(set) > 0) ||
		     (bytes > MAX_LOGICAL && bytes / MAX_EXPANSION > (size_t)H5Dget_storage_size(set))))
		why = hs_must_printf("it claims %zu bytes in a file of %zu", bytes, in_file);
out:
	H5Pclose(dcpl);
	return why;
}

/* The dataset as a place, when its values can be read and are at most limit bytes. */
static bool place_set(struct place *p, struct hs_h5 *file, const char *path, size_t limit)
{
	*p = (struct place){ .attr = -1, .set = open_set(file, path), .type = -1, .space = -1 };
	if (p->set < 0 || outside(file, p->set)) {
		place_close(p);
		return false;
	}
	p->type = H5Dget_type(p->set);
	p->space = H5Dget_space(p->set);
	char *why = NULL;
	if (p->type >= 0 && p->space >= 0 && points_within(p->space, H5Tget_size(p->type), limit, &p->n) && p->n &&
	    !(why = trouble(file, p->set, p->type, p->space)))
		return true;
	free(why);
	place_close(p);
	return false;
}

char *hs_h5_trouble(struct hs_h5 *file, const char *path)
{
	hid_t set = open_set(file, path);
	if (set < 0)
		return hs_must_dup("it cannot be opened");
	const char *elsewhere = outside(file, set);
	hid_t type = elsewhere ? -1 : H5Dget_type(set), space = elsewhere ? -1 : H5Dget_space(set);
	char *why = elsewhere ? hs_must_dup(elsewhere) : type < 0 || space < 0 ? hs_must_dup("its description is broken") :
		trouble(file, set, type, space);
	H5Tclose(type);
	H5Sclose(space);
	H5Dclose(set);
	return why;
}

bool hs_h5_shape(struct hs_h5 *file, const char *path, struct hs_h5_shape *shape)
{
	*shape = (struct hs_h5_shape){ 0 };
	struct place p = { .attr = -1, .set = open_set(file, path), .type = -1, .space = -1 };
	if (p.set < 0 || outside(file, p.set)) {
		const bool is_set = p.set >= 0;
		place_close(&p);
		return is_set;
	}
	p.type = H5Dget_type(p.set);
	p.space = H5Dget_space(p.set);
	const size_t size = p.type >= 0 ? H5Tget_size(p.type) : 0;
	const int rank = p.space >= 0 ? H5Sget_simple_extent_ndims(p.space) : -1;
	hsize_t n[H5S_MAX_RANK];
	const bool fits = size && rank >= 0 && rank <= HS_MAX_RANK && points_within(p.space, size, PTRDIFF_MAX, &shape->count) &&
		H5Sget_simple_extent_dims(p.space, n, NULL) == rank;
	if (fits) {
		char *why = trouble(file, p.set, p.type, p.space);
		shape->rank = (size_t)rank;
		for (int i = 0; i < rank; i++)
			shape->n[i] = (size_t)n[i];
		shape->class = why ? HS_H5_OTHER : hs_h5_type_dtype(p.type, &shape->dtype) ? HS_H5_NUMBER :
			H5Tget_class(p.type) == H5T_STRING ? HS_H5_STRING : H5Tget_class(p.type) == H5T_COMPOUND ? HS_H5_COMPOUND : HS_H5_OTHER;
		free(why);
	}
	place_close(&p);
	return fits;
}

char **hs_h5_fields(struct hs_h5 *file, const char *path, size_t *n)
{
	struct list list = { 0 };
	hid_t set = open_set(file, path), type = set >= 0 ? H5Dget_type(set) : -1;
	const int members = type >= 0 && H5Tget_class(type) == H5T_COMPOUND ? H5Tget_nmembers(type) : 0;
	for (int i = 0; i < members; i++) {
		char *name = H5Tget_member_name(type, (unsigned)i);
		if (name)
			list_add(&list, hs_must_dup(name));
		H5free_memory(name);
	}
	H5Tclose(type);
	H5Dclose(set);
	return list_take(&list, false, n);
}

bool hs_h5_field_dtype(struct hs_h5 *file, const char *path, const char *field, enum hs_dtype *dtype)
{
	hid_t set = open_set(file, path), type = set >= 0 ? H5Dget_type(set) : -1, member = -1;
	if (type >= 0 && H5Tget_class(type) == H5T_COMPOUND) {
		const int i = H5Tget_member_index(type, field);
		member = i < 0 ? -1 : H5Tget_member_type(type, (unsigned)i);
	}
	const bool known = member >= 0 && hs_h5_type_dtype(member, dtype);
	H5Tclose(member);
	H5Tclose(type);
	H5Dclose(set);
	return known;
}

double *hs_h5_reals(struct hs_h5 *file, const char *path, size_t *n)
{
	struct place p;
	*n = 0;
	if (!place_set(&p, file, path, MAX_WHOLE))
		return NULL;
	double *value = place_reals(&p);
	*n = value ? p.n : 0;
	place_close(&p);
	return value;
}

void *hs_h5_values(struct hs_h5 *file, const char *path, const char *field, enum hs_dtype dtype, size_t count, struct hs_err *err)
{
	struct place p;
	size_t bytes;
	void *value = NULL;
	if (!hs_mul(count, hs_dtype_size(dtype), &bytes) || !place_set(&p, file, path, PTRDIFF_MAX)) {
		hs_fail(err, HS_BAD_DATA, "the values of %s cannot be read", path);
		return NULL;
	}
	hid_t memory = H5Tcopy(hs_h5_type_native(dtype));
	if (field) {
		hid_t whole = H5Tcreate(H5T_COMPOUND, hs_dtype_size(dtype));
		H5Tinsert(whole, field, 0, memory);
		H5Tclose(memory);
		memory = whole;
	} else if (H5Tget_class(p.type) == H5T_BITFIELD) {
		H5Tclose(memory);
		memory = H5Tcopy(memory_type(p.type, dtype));
	}
	if (p.n != count)
		hs_fail(err, HS_BUG, "%s has %zu values, %zu were asked for", path, p.n, count);
	else if ((value = hs_alloc(count, hs_dtype_size(dtype), err)) && place_read(&p, memory, value) < 0) {
		hs_h5_fail(err, HS_BAD_DATA, "the values of %s cannot be read", path);
		free(value);
		value = NULL;
	}
	H5Tclose(memory);
	place_close(&p);
	return value;
}

char **hs_h5_texts(struct hs_h5 *file, const char *path, size_t *n)
{
	struct place p;
	*n = 0;
	if (!place_set(&p, file, path, MAX_WHOLE))
		return NULL;
	char **list = place_texts(&p);
	*n = list ? p.n : 0;
	place_close(&p);
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
	struct place p;
	uint8_t *bytes = NULL;
	*n = 0;
	if (!place_set(&p, file, path, MAX_WHOLE))
		return NULL;
	if (H5Tget_class(p.type) == H5T_INTEGER && H5Tget_size(p.type) == 1) {
		struct hs_err err = { 0 };
		bytes = hs_alloc(p.n, 1, &err);
		if (bytes && place_read(&p, p.type, bytes) >= 0) {
			*n = p.n;
		} else {
			free(bytes);
			bytes = NULL;
		}
	}
	place_close(&p);
	return bytes;
}

/* Dimension scales are read from their attribute instead of through HDF5's high-level library: it trusts what it finds. */
char *hs_h5_scale(struct hs_h5 *file, const char *path, size_t dim)
{
	struct place p;
	char *target = NULL;
	if (!place_attr(&p, file, path, "DIMENSION_LIST"))
		return NULL;
	if (H5Tget_class(p.type) == H5T_VLEN && dim < p.n) {
		hid_t base = H5Tget_super(p.type);
		if (base >= 0 && H5Tequal(base, H5T_STD_REF_OBJ) > 0) {
			hid_t memory = H5Tvlen_create(H5T_STD_REF_OBJ);
			hvl_t *all = hs_must_alloc(p.n, sizeof *all);
			if (place_read(&p, memory, all) >= 0) {
				if (all[dim].len && all[dim].p)
					target = referred(p.attr, H5R_OBJECT, all[dim].p);
				H5Dvlen_reclaim(memory, p.space, H5P_DEFAULT, all);
			}
			free(all);
			H5Tclose(memory);
		}
		H5Tclose(base);
	}
	place_close(&p);
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

/* Metadata as JSON */

struct tree {
	struct hs_h5 *file;
	struct hs_json json;
	size_t limit;
	struct seen seen;
};

static void put_number(struct hs_json *json, const char *key, double value, hid_t type)
{
	const H5T_class_t class = H5Tget_class(type);
	if (class == H5T_ENUM && H5Tget_size(type) == 1)                   /* how h5py stores truth values */
		hs_json_bool(json, key, value != 0);
	else if (class == H5T_FLOAT || value >= 9007199254740992.0 || value <= -9007199254740992.0)
		hs_json_real(json, key, value);
	else
		hs_json_int(json, key, (long long)value);
}

/* One value or a short list; what is no text and no real number is left out. */
static void put_place(struct tree *t, const char *key, const struct place *p)
{
	if (p->n > MAX_JSON_ITEMS)
		return;
	/* an item that does not fit is taken back, so that what is written stays whole JSON */
	const struct hs_json before = t->json;
	char **text = place_texts(p);
	double *value = text ? NULL : place_reals(p);
	const bool one = H5Sget_simple_extent_ndims(p->space) == 0 || p->n == 1;
	if (!text && !value)
		return;
	if (!one)
		hs_json_begin(&t->json, key, '[');
	for (size_t i = 0; i < p->n; i++)
		if (text)
			hs_json_text(&t->json, one ? key : NULL, text[i]);
		else
			put_number(&t->json, one ? key : NULL, value[i], p->type);
	if (!one)
		hs_json_end(&t->json, ']');
	if (t->json.out.len > t->limit) {
		t->json.out.len = before.out.len;
		if (t->json.out.text)
			t->json.out.text[before.out.len] = 0;
		t->json.has_item = before.has_item;
		t->json.depth = before.depth;
	}
	hs_h5_free_list(text, text ? p->n : 0);
	free(value);
}

static void put_attrs(struct tree *t, const char *path, const char *prefix)
{
	size_t n;
	char **name = hs_h5_attr_names(t->file, path, &n);
	for (size_t i = 0; i < n; i++) {
		struct place p;
		if (hs_word_index("CLASS|NAME|DIMENSION_LIST|DIMENSION_LABELS|REFERENCE_LIST|_Netcdf4Dimid|_Netcdf4Coordinates",
			name[i]) >= 0 ||
		    !place_attr(&p, t->file, path, name[i]))
			continue;
		char *key = prefix ? hs_must_printf("%s@%s", prefix, name[i]) : hs_must_dup(name[i]);
		put_place(t, key, &p);
		free(key);
		place_close(&p);
	}
	hs_h5_free_list(name, n);
}

static void put_group(struct tree *t, const char *path, const char *key, int depth)
{
	H5O_info_t info;
	size_t n;
	/* room for what closes the brackets again: at most depth lines of depth blanks */
	if (!object_info(t->file, path, &info) || !first_visit(&t->seen, info.addr) || t->seen.n >= MAX_ENTRIES ||
	    t->json.out.len + strlen(key ? key : "") * 6 + 200 > t->limit)
		return;
	hs_json_begin(&t->json, key, '{');
	put_attrs(t, path, NULL);
	char **name = hs_h5_children(t->file, path, &n);
	for (size_t i = 0; i < n; i++) {
		char *child = hs_h5_join(path, name[i]);
		const enum hs_h5_kind kind = hs_h5_kind(t->file, child);
		struct place p;
		if (kind == HS_H5_GROUP && depth < MAX_DEPTH)
			put_group(t, child, name[i], depth + 1);
		if (kind == HS_H5_DATASET) {
			if (place_set(&p, t->file, child, t->limit)) {
				put_place(t, name[i], &p);
				place_close(&p);
			}
			put_attrs(t, child, name[i]);
		}
		free(child);
	}
	hs_h5_free_list(name, n);
	hs_json_end(&t->json, '}');
}

char *hs_h5_metadata_json(struct hs_h5 *file, const char *path, size_t max_bytes)
{
	/* 65 closing brackets, each on a line of its own with up to 65 blanks */
	const size_t closing = (MAX_DEPTH + 1) * (MAX_DEPTH + 3);
	struct tree t = { .file = file, .limit = max_bytes > closing ? max_bytes - closing : 0 };
	put_group(&t, path, NULL, 0);
	if (!t.json.out.len)
		hs_str_add(&t.json.out, "{}");
	free(t.seen.slot);
	return hs_json_take(&t.json);
}

/* The probe */

enum { PROBE_SOUND = 0, PROBE_BROKEN = 42 };

static void read_in_every_way(const struct place *p)
{
	char **text = place_texts(p);
	hs_h5_free_list(text, text ? p->n : 0);
	free(place_reals(p));
	if (p->attr >= 0)
		free(place_ref(p));
}

static herr_t read_attr(hid_t object, const char *name, const H5A_info_t *info, void *ctx)
{
	struct place p;
	(void)info, (void)ctx;
	if (place_of_attr(&p, H5Aopen(object, name, H5P_DEFAULT))) {
		read_in_every_way(&p);
		place_close(&p);
	}
	return 0;
}

static int read_all_about(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	int *objects = ctx;
	struct hs_h5_shape shape;
	struct place p;
	if (attrs_are_sound(file, path))
		H5Aiterate_by_name(file->id, path, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, read_attr, NULL, inside());
	if (kind == HS_H5_DATASET && hs_h5_shape(file, path, &shape)) {
		free(hs_h5_scale(file, path, 0));
		if (shape.count <= PROBE_VALUES && place_set(&p, file, path, MAX_WHOLE)) {
			read_in_every_way(&p);
			place_close(&p);
		}
	}
	return ++*objects >= PROBE_OBJECTS;
}

enum { MIN_ROOM = 16, MAX_ROOM = 64 };        /* blocks of 128 KiB */

static size_t room_blocks(size_t file_bytes)
{
	const size_t n = MIN_ROOM + 8 * (file_bytes >> 17);
	return n < MAX_ROOM ? n : MAX_ROOM;
}

/* Fills the free memory of this process with a number that is harmless as a length and deadly as an address, so that a
 * read behind the end of a table, which may find zeros here and a wild pointer in the parent, is a crash in any case.
 * What a reader of a small file asks for is small: less is filled, for filling is what costs most in opening it. */
static void poison(size_t file_bytes)
{
	enum { WORDS = 16 << 10 };
	static const uint64_t deadly = 0x8000;                  /* below what Linux lets anybody map */
	const size_t n = room_blocks(file_bytes);
	uint64_t *block[MAX_ROOM];
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	for (size_t i = 0; i < n; i++) {
		block[i] = malloc(WORDS * sizeof deadly);
		for (size_t k = 0; block[i] && k < WORDS; k++)
			*(volatile uint64_t *)&block[i][k] = deadly;
	}
	for (size_t i = 0; i < n; i++)
		free(block[i]);
}

/* More memory than poison fills, free but not given back, so that a read behind the end of a table which is too short to end the
 * child does not end the parent either. It is not touched, so it costs nothing. The result holds its place behind it; free()
 * lets go of all. */
static void *make_room(size_t file_bytes)
{
	enum { BYTES = 120 << 10 };           /* what malloc does not take from elsewhere */
	const size_t n = room_blocks(file_bytes) + MIN_ROOM;
	void *block[MAX_ROOM + MIN_ROOM], *pin;
	for (size_t i = 0; i < n; i++)
		block[i] = malloc(BYTES);
	pin = malloc(1);
	for (size_t i = 0; i < n; i++)
		free(block[i]);
	return pin;
}

/* Reads the file in a child process. Anything but PROBE_SOUND and PROBE_BROKEN means that this ended in a crash, or in
 * no end at all. */
static int probe(int fd, const char *name)
{
	struct stat st;
	hs_h5_quiet();                                               /* HDF5 starts once, not in both processes */
	const pid_t child = fork();
	if (child < 0)
		return PROBE_SOUND;                                  /* no process to spare: unproven, as without the probe */
	if (child == 0) {
		const struct rlimit seconds = { PROBE_SECONDS, PROBE_SECONDS }, no_core = { 0, 0 };
		const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGINT, SIGTERM };
		for (size_t i = 0; i < HS_LEN(deadly); i++)
			signal(deadly[i], SIG_DFL);
		setrlimit(RLIMIT_CPU, &seconds);
		setrlimit(RLIMIT_CORE, &no_core);
		/* what a sanitizer or glibc would say about the crash is not for the user's eyes */
		const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (nowhere >= 0)
			dup2(nowhere, STDERR_FILENO);
		poison(fstat(fd, &st) == 0 ? (size_t)st.st_size : SIZE_MAX);
		struct hs_err err = { 0 };
		int objects = 0;
		struct walk w = { .fn = read_all_about, .ctx = &objects };
		if (hs_h5_open_unguarded(&w.file, fd, name, &err) == 0) {
			walk(&w, "/", 0);
			hs_h5_close(w.file);
		}
		_exit(w.broken ? PROBE_BROKEN : PROBE_SOUND);
	}
	int status;
	pid_t got;
	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? PROBE_SOUND : WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int hs_h5_open(struct hs_h5 **file, int fd, const char *name, struct hs_err *err)
{
	*file = NULL;
	const int found = probe(fd, name);
	if (found == PROBE_BROKEN)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': the file is damaged, not all of its groups can be listed", name);
	if (found != PROBE_SOUND)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': the file is damaged so badly that HDF5 itself crashes on it", name);
	struct stat st;
	void *pin = make_room(fstat(fd, &st) == 0 ? (size_t)st.st_size : 0);
	const int verdict = hs_h5_open_unguarded(file, fd, name, err);
	if (*file)
		(*file)->pin = pin;
	else
		free(pin);
	return verdict;
}
