#include "store/h5object.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "store/crash.h"
#include "store/vfd.h"

#define MAX_LOGICAL ((size_t)1 << 36)         /* bytes a dataset may claim without having stored a fair part of them */

static herr_t refuse_external(const char *parent_file, const char *parent_group, const char *child_file, const char *child,
	unsigned *access, hid_t fapl, void *ctx)
{
	(void)parent_file, (void)parent_group, (void)child_file, (void)child, (void)access, (void)fapl, (void)ctx;
	return -1;
}

hid_t hs_h5_inside(void)
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
	**file = (struct hs_h5){ .id = id, .fd = fd, .size = (size_t)st.st_size, .name = hs_must_dup(name),
		.object = hs_must_alloc(HS_H5_HELD, sizeof *(*file)->object) };
	return 0;
}

static void let_go(struct hs_h5_object *o)
{
	if (!o->path)
		return;
	if (o->examined && o->value_type >= 0)
		H5Tclose(o->value_type);
	if (o->examined && o->space >= 0)
		H5Sclose(o->space);
	if (o->id >= 0)
		H5Oclose(o->id);
	free(o->trouble);
	free(o->path);
	*o = (struct hs_h5_object){ 0 };
}

void hs_h5_view(struct hs_h5 *file, hid_t id)
{
	*file = (struct hs_h5){ .id = id, .fd = -1, .size = SIZE_MAX, .object = hs_must_alloc(HS_H5_HELD, sizeof *file->object) };
}

void hs_h5_unview(struct hs_h5 *file)
{
	for (int i = 0; i < HS_H5_HELD; i++)
		let_go(&file->object[i]);
	free(file->object);
	file->object = NULL;
}

void hs_h5_close(struct hs_h5 *file)
{
	if (!file)
		return;
	hs_h5_unview(file);
	H5Fclose(file->id);
	if (file->watched)
		hs_crash_unwatch(file->name);
	free(file->name);
	free(file);
}

const char *hs_h5_name(const struct hs_h5 *file)
{
	return file->name;
}

static struct hs_h5_object *find(struct hs_h5 *file, const char *path, bool open)
{
	struct hs_h5_object *slot = &file->object[0];
	H5O_info_t info;
	if (!path || *path != '/')
		return NULL;
	for (int i = 0; i < HS_H5_HELD; i++) {
		struct hs_h5_object *o = &file->object[i];
		if (o->path && !strcmp(o->path, path)) {
			o->used = ++file->clock;
			return o;
		}
		if (o->used < slot->used)
			slot = o;
	}
	hid_t id = open ? H5Oopen(file->id, path, hs_h5_inside()) : -1;
	if ((id < 0 || H5Oget_info2(id, &info, H5O_INFO_BASIC) < 0) &&
	    H5Oget_info_by_name2(file->id, path, &info, H5O_INFO_BASIC, hs_h5_inside()) < 0) {
		H5Oclose(id);
		return NULL;
	}
	let_go(slot);
	*slot = (struct hs_h5_object){ .path = hs_must_dup(path), .used = ++file->clock, .type = info.type, .address = info.addr,
		.id = id, .tried = open };
	return slot;
}

struct hs_h5_object *hs_h5_look(struct hs_h5 *file, const char *path)
{
	return find(file, path, false);
}

struct hs_h5_object *hs_h5_hold(struct hs_h5 *file, const char *path)
{
	struct hs_h5_object *o = find(file, path, true);
	if (o && !o->tried) {
		o->tried = true;
		o->id = H5Oopen(file->id, path, hs_h5_inside());
	}
	return o && o->id >= 0 ? o : NULL;
}

enum hs_h5_kind hs_h5_kind(struct hs_h5 *file, const char *path)
{
	const struct hs_h5_object *o = hs_h5_look(file, path);
	return o && o->type == H5O_TYPE_GROUP ? HS_H5_GROUP : o && o->type == H5O_TYPE_DATASET ? HS_H5_DATASET : HS_H5_NOTHING;
}

/* HDF5 1.10 crashes when it lists the attributes of an object of which one cannot be decoded (it releases a table that is
 * filled half-way). Looking for a name that is not there decodes them all, and only fails. An object like that has no
 * attributes for us. */
bool hs_h5_attrs_are_sound(struct hs_h5_object *o)
{
	if (o->attrs == HS_ATTRS_UNKNOWN)
		o->attrs = H5Aexists(o->id, "\001") == 0 ? HS_ATTRS_SOUND : HS_ATTRS_BROKEN;
	return o->attrs == HS_ATTRS_SOUND;
}

bool hs_h5_points_within(hid_t space, size_t size, size_t limit, size_t *n)
{
	const hssize_t points = H5Sget_simple_extent_npoints(space);
	if (points < 0 || !size || (size_t)points > limit / size)
		return false;
	*n = (size_t)points;
	return true;
}

/* Datasets */

/* A virtual dataset may be built of plain datasets of its own file (the USID view of our container is); a chain of virtual
 * ones could lead out of the file, or back to itself. */
static bool source_is_plain(struct hs_h5 *file, hid_t dcpl, size_t map)
{
	char name[1024], file_name[2] = "";
	H5O_info_t info;
	if (H5Pget_virtual_filename(dcpl, map, file_name, sizeof file_name) != 1 || file_name[0] != '.')
		return false;
	const ssize_t len = H5Pget_virtual_dsetname(dcpl, map, name, sizeof name);
	if (len < 1 || (size_t)len >= sizeof name || strchr(name, '%'))
		return false;
	char *path = hs_must_printf("%s%s", *name == '/' ? "" : "/", name);
	/* the kind is asked first: it fails for a path through an external link, which H5Dopen would follow */
	const bool is_set = H5Oget_info_by_name2(file->id, path, &info, H5O_INFO_BASIC, hs_h5_inside()) >= 0 &&
		info.type == H5O_TYPE_DATASET;
	hid_t set = is_set ? H5Dopen2(file->id, path, H5P_DEFAULT) : -1, source = set >= 0 ? H5Dget_create_plist(set) : -1;
	const bool plain = source >= 0 && H5Pget_layout(source) != H5D_VIRTUAL && H5Pget_external_count(source) == 0;
	H5Pclose(source);
	H5Dclose(set);
	free(path);
	return plain;
}

/* Do the values of a dataset lie in another file? To be asked before its extent: for a virtual dataset without a limit HDF5
 * opens the other files to tell it. */
static const char *outside(struct hs_h5 *file, hid_t dcpl)
{
	const H5D_layout_t layout = dcpl >= 0 ? H5Pget_layout(dcpl) : H5D_LAYOUT_ERROR;
	size_t maps = 0;
	if (layout < 0)
		return "its description is broken";
	if (H5Pget_external_count(dcpl) != 0)
		return "its values lie in another file";
	if (layout != H5D_VIRTUAL)
		return NULL;
	if (H5Pget_virtual_count(dcpl, &maps) < 0)
		return "its description is broken";
	for (size_t i = 0; i < maps; i++)
		if (!source_is_plain(file, dcpl, i))
			return "it is a virtual dataset over another file";
	return NULL;
}

static char *missing_filter(hid_t dcpl)
{
	const int n_filters = H5Pget_nfilters(dcpl);
	for (int i = 0; i < n_filters; i++) {
		unsigned flags;
		size_t n_values = 0;
		char name[64] = "";
		const H5Z_filter_t filter = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, sizeof name, name, NULL);
		if (filter < 0 || H5Zfilter_avail(filter) <= 0)
			return hs_must_printf("it is compressed with filter %d%s%.60s, which is not installed", (int)filter, *name ? ", " : "", name);
	}
	return NULL;
}

/* Would one chunk hold more than the file could expand to? */
static bool chunk_is_absurd(hid_t dcpl, size_t size, size_t in_file)
{
	hsize_t edge[H5S_MAX_RANK];
	const int rank = H5Pget_chunk(dcpl, H5S_MAX_RANK, edge);
	size_t chunk = size;
	for (int i = 0; i < rank; i++)
		if (!hs_mul(chunk, (size_t)edge[i], &chunk))
			return true;
	return rank < 1 || (chunk > HS_H5_MAX_WHOLE && chunk / HS_H5_MAX_EXPANSION > in_file);
}

/* Why a dataset that is not outside cannot be read, or NULL. Most answers come from the creation list alone. */
static char *trouble(struct hs_h5 *file, const struct hs_h5_object *o, hid_t dcpl)
{
	size_t n;
	if (o->value_type < 0 || o->space < 0)
		return hs_must_dup("its description is broken");
	const size_t size = H5Tget_size(o->value_type);
	const H5D_layout_t layout = H5Pget_layout(dcpl);
	if (!hs_h5_points_within(o->space, size, PTRDIFF_MAX, &n))
		return hs_must_dup("it claims more values than any computer can address");
	if (layout == H5D_CHUNKED) {
		char *why = missing_filter(dcpl);
		if (why)
			return why;
		if (chunk_is_absurd(dcpl, size, file->size))
			return hs_must_printf("one of its chunks would be larger than the file of %zu bytes could hold", file->size);
	}
	const size_t bytes = n * size;
	if ((layout == H5D_CONTIGUOUS && bytes > file->size && H5Dget_storage_size(o->id) > 0) ||
	    (bytes > MAX_LOGICAL && bytes / HS_H5_MAX_EXPANSION > (size_t)H5Dget_storage_size(o->id)))
		return hs_must_printf("it claims %zu bytes in a file of %zu", bytes, file->size);
	return NULL;
}

struct hs_h5_object *hs_h5_hold_set(struct hs_h5 *file, const char *path)
{
	struct hs_h5_object *o = hs_h5_hold(file, path);
	if (!o || o->type != H5O_TYPE_DATASET)
		return NULL;
	if (o->examined)
		return o;
	hid_t dcpl = H5Dget_create_plist(o->id);
	o->outside = outside(file, dcpl);
	o->value_type = o->outside ? -1 : H5Dget_type(o->id);
	o->space = o->outside ? -1 : H5Dget_space(o->id);
	o->trouble = o->outside ? hs_must_dup(o->outside) : trouble(file, o, dcpl);
	o->examined = true;
	H5Pclose(dcpl);
	return o;
}
