#include "store/nxcheck.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/str.h"
#include "data/axis.h"
#include "store/h5.h"
#include "store/rows.h"

enum { MAX_STEPS = 10000, MAX_CHUNK = 1 << 20, MIN_CHUNK = 4096, READ_MEMORY = 64 << 20, READ_THREADS = 2 };
#define MAX_STRING ((size_t)64 << 20)

struct check {
	struct hs_h5 *file;
	void (*fault)(void *ctx, const char *path, const char *what);
	void *ctx;
	bool values;
	int n_faults;
	size_t n_steps;
	bool number_seen[MAX_STEPS + 1];      /* of sequence_index; longer histories are a fault themselves */
};

static void __attribute__((format(printf, 3, 4))) fault(struct check *c, const char *path, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char what[512];
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	c->n_faults++;
	c->fault(c->ctx, path, what);
}

/* ------------------------------------------------------------------ small looks */

/* The object at a path, or -1; asked for its kind first, which fails where a path leads out of the file. */
static hid_t open_object(struct check *c, const char *path)
{
	return hs_h5_kind(c->file, path) == HS_H5_NOTHING ? -1 : H5Oopen(c->file->id, path, H5P_DEFAULT);
}

static bool address_of(struct check *c, const char *path, haddr_t *address)
{
	H5O_info_t info;
	hid_t object = open_object(c, path);
	const bool known = object >= 0 && H5Oget_info2(object, &info, H5O_INFO_BASIC) >= 0;
	*address = known ? info.addr : HADDR_UNDEF;
	if (object >= 0)
		H5Oclose(object);
	return known;
}

static bool has_child(struct check *c, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name);
	const bool there = *name && strcmp(name, ".") && hs_h5_kind(c->file, path) != HS_H5_NOTHING;
	free(path);
	return there;
}

static char *child_text(struct check *c, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name), *text = hs_h5_text(c->file, path);
	free(path);
	return text;
}

static bool attr_is(struct check *c, const char *path, const char *attr, const char *expected)
{
	char *text = hs_h5_attr_text(c->file, path, attr);
	const bool yes = text && !strcmp(text, expected);
	free(text);
	return yes;
}

static bool is_name(const char *text)
{
	if (!isalpha((unsigned char)*text) || (unsigned char)*text > 127)
		return false;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p > 127 || (!isalnum((unsigned char)*p) && *p != '_'))
			return false;
	return true;
}

static bool is_digest(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	if (strlen(text) != sizeof form - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != form[i])
			return false;
	return true;
}

/* n decimal digits within low .. high; moves on. */
static bool digits(const char **p, int n, int low, int high)
{
	int value = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		value = 10 * value + **p - '0';
	}
	return value >= low && value <= high;
}

static bool letter(const char **p, char wanted)
{
	return **p == wanted && ++*p;
}

/* YYYY-MM-DDThh:mm[:ss[.fraction]] and a zone: Z or +hh:mm. */
static const char *time_fault(const char *text)
{
	const char *p = text;
	if (!digits(&p, 4, 1, 9999) || !letter(&p, '-') || !digits(&p, 2, 1, 12) || !letter(&p, '-') || !digits(&p, 2, 1, 31) ||
		(!letter(&p, 'T') && !letter(&p, ' ')) || !digits(&p, 2, 0, 23) || !letter(&p, ':') || !digits(&p, 2, 0, 59))
		return "is no ISO 8601 time";
	if (letter(&p, ':')) {
		if (!digits(&p, 2, 0, 60))
			return "is no ISO 8601 time";
		if (letter(&p, '.')) {
			if (!isdigit((unsigned char)*p))
				return "is no ISO 8601 time";
			p += strspn(p, "0123456789");
		}
	}
	if (!*p)
		return "is a time without a zone";
	if (letter(&p, 'Z'))
		return *p ? "is no ISO 8601 time" : NULL;
	const bool zone = (letter(&p, '+') || letter(&p, '-')) && digits(&p, 2, 0, 23) && letter(&p, ':') && digits(&p, 2, 0, 59) && !*p;
	return zone ? NULL : "is no ISO 8601 time";
}

/* text is freed; NULL: it is missing, which is said elsewhere. */
static void check_time(struct check *c, const char *path, const char *name, char *text)
{
	const char *why = text ? time_fault(text) : NULL;
	if (why)
		fault(c, path, "%s '%.60s' %s", name, text, why);
	free(text);
}

/* ------------------------------------------------------------------ attributes and links of any object */

/* What HDF5's dimension scale and image libraries write in their own way. */
static bool is_foreign_attr(const char *name)
{
	return hs_word_index("CLASS|NAME|IMAGE_SUBCLASS|INTERLACE_MODE|IMAGE_VERSION|REFERENCE_LIST", name) >= 0 ||
		hs_starts(name, "DIMENSION_");
}

static void check_attr(struct check *c, const char *path, hid_t object, const char *name)
{
	hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
	hid_t type = attr >= 0 ? H5Aget_type(attr) : -1, space = attr >= 0 ? H5Aget_space(attr) : -1;
	if (type < 0 || space < 0) {
		fault(c, path, "@%.60s cannot be read", name);
	} else if (H5Tget_class(type) == H5T_STRING) {
		const bool variable = H5Tis_variable_str(type) > 0, scalar = H5Sget_simple_extent_type(space) == H5S_SCALAR;
		if (!strcmp(name, "NX_class") && variable)
			fault(c, path, "@NX_class has variable length; HyperSpy then finds no signal");
		else if (strcmp(name, "NX_class") && !is_foreign_attr(name) && !variable)
			fault(c, path, "@%.60s has fixed length; only NX_class may", name);
		else if (strcmp(name, "NX_class") && !is_foreign_attr(name) && H5Tget_cset(type) != H5T_CSET_UTF8)
			fault(c, path, "@%.60s is not declared as UTF-8", name);
		if (scalar) {
			char *text = hs_h5_attr_text(c->file, path, name);
			if (!text || !*text)
				fault(c, path, "@%.60s is empty", name);
			free(text);
		} else if (hs_word_index("axes|auxiliary_signals|default_slice", name) < 0 && !hs_starts(name, "DIMENSION_")) {
			fault(c, path, "@%.60s is an array of strings", name);
		}
	}
	H5Sclose(space);
	H5Tclose(type);
	if (attr >= 0)
		H5Aclose(attr);
}

static void check_attrs(struct check *c, const char *path)
{
	size_t n;
	H5O_info_t info;
	hid_t object = open_object(c, path);
	char **name = hs_h5_attr_names(c->file, path, &n);
	if (object < 0 || H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS) < 0 || info.num_attrs != n)
		fault(c, path, "has attributes that cannot be read");
	for (size_t i = 0; i < n && object >= 0; i++)
		check_attr(c, path, object, name[i]);
	hs_h5_free_list(name, n);
	if (object >= 0)
		H5Oclose(object);
}

/* The views for other programs hang at the root and are not ours to judge. */
static bool is_view(const char *group, const char *name)
{
	return !strcmp(group, "/") && (hs_starts(name, "Experiments") || hs_starts(name, "Measurement_"));
}

struct links {
	struct check *c;
	const char *group;
	haddr_t above[66];                    /* the group itself and those it hangs in */
	size_t n_above;
};

static herr_t check_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
	struct links *l = ctx;
	struct check *c = l->c;
	(void)group;
	if (is_view(l->group, name))
		return 0;
	char *path = hs_h5_join(l->group, name);
	if (!is_name(name))
		fault(c, path, "has a name other than [A-Za-z][A-Za-z0-9_]*");
	if (info->type == H5L_TYPE_SOFT && hs_h5_kind(c->file, path) == HS_H5_NOTHING)
		fault(c, path, "is a link that leads nowhere");
	else if (info->type == H5L_TYPE_EXTERNAL)
		fault(c, path, "is an external link: other readers show nothing or zeros");
	else if (info->type != H5L_TYPE_HARD && info->type != H5L_TYPE_SOFT)
		fault(c, path, "is a link of unknown kind");
	else if (info->type == H5L_TYPE_HARD && hs_h5_kind(c->file, path) == HS_H5_NOTHING)
		fault(c, path, "is no group and no dataset");
	for (size_t i = 0; info->type == H5L_TYPE_HARD && i < l->n_above; i++)
		if (info->u.address == l->above[i])
			fault(c, path, "is a loop: it leads back to a group above it");
	free(path);
	return 0;
}

static void check_links(struct check *c, const char *path)
{
	struct links l = { .c = c, .group = path };
	char *above = hs_must_dup(path);
	for (char *slash = above + strlen(above); slash && l.n_above < HS_LEN(l.above); slash = strrchr(above, '/')) {
		*slash = 0;
		if (address_of(c, *above ? above : "/", &l.above[l.n_above]))
			l.n_above++;
	}
	free(above);
	hid_t group = open_object(c, path);
	if (group < 0 || H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, check_link, &l) < 0)
		fault(c, path, "has links that cannot be read");
	if (group >= 0)
		H5Oclose(group);
}

/* ------------------------------------------------------------------ any dataset */

static void check_string_set(struct check *c, const char *path, hid_t set, hid_t type)
{
	hid_t space = H5Dget_space(set);
	const bool scalar = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR;
	const size_t size = H5Tget_size(type);
	H5Sclose(space);
	if (!scalar)
		fault(c, path, "is an array of strings");
	if (H5Tis_variable_str(type) > 0) {
		fault(c, path, "is a string of variable length, which MPI-IO cannot write");
		return;
	}
	if (!scalar || size > MAX_STRING)
		return;
	char *why = hs_h5_trouble(c->file, path), *raw = why ? NULL : hs_must_alloc(size, 1);
	if (why || H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw) < 0)
		fault(c, path, "cannot be read%s%s", why ? ": " : "", why ? why : "");
	else if (H5Tget_strpad(type) != H5T_STR_NULLTERM || !memchr(raw, 0, size))
		fault(c, path, "is a string without its closing NUL; netCDF reads on behind it");
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

static void check_storage(struct check *c, const char *path, hid_t type, hid_t dcpl)
{
	struct hs_nx_stored stored;
	hsize_t edge[H5S_MAX_RANK];
	size_t bytes = H5Tget_size(type), maps = 0;
	if (H5Pget_external_count(dcpl) > 0)
		fault(c, path, "has its values in another file");
	if (H5Pget_layout(dcpl) == H5D_VIRTUAL && H5Pget_virtual_count(dcpl, &maps) >= 0)
		for (size_t i = 0; i < maps; i++) {
			char name[2] = "";
			if (H5Pget_virtual_filename(dcpl, i, name, sizeof name) != 1 || name[0] != '.') {
				fault(c, path, "is a virtual dataset over another file: H5Web shows zeros");
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
			fault(c, path, "is packed with filter %d, which not every reader has", (int)filter);
	}
	for (int i = 0; i < rank; i++)
		if (!hs_mul(bytes, (size_t)edge[i], &bytes))
			bytes = SIZE_MAX;
	if (bytes > MAX_CHUNK)
		fault(c, path, "has chunks of %zu bytes, over 1 MiB", bytes);
	if (bytes < MIN_CHUNK && hs_nx_stored(c->file, path, &stored) && stored.bytes > MAX_CHUNK)
		fault(c, path, "has chunks of %zu bytes, under 4 KiB", bytes);
}

static void check_set(struct check *c, const char *path)
{
	hid_t set = open_object(c, path), type = set >= 0 ? H5Dget_type(set) : -1, dcpl = set >= 0 ? H5Dget_create_plist(set) : -1;
	check_attrs(c, path);
	if (type < 0 || dcpl < 0) {
		fault(c, path, "has a description that cannot be read");
	} else {
		switch (H5Tget_class(type)) {
		case H5T_STRING: check_string_set(c, path, set, type); break;
		case H5T_OPAQUE: fault(c, path, "is opaque, which stops NeXpy for the whole file"); break;
		case H5T_REFERENCE: fault(c, path, "holds references"); break;
		case H5T_VLEN: fault(c, path, "holds sequences of variable length"); break;
		case H5T_COMPOUND:
			if (!is_complex(type))
				fault(c, path, "is a compound other than complex {r, i}");
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

/* ------------------------------------------------------------------ checksums */

/* Of the values in C order, little endian, in slabs. */
static int hash_values(struct check *c, const char *path, const struct hs_h5_shape *shape, char hex[65], struct hs_err *err)
{
	struct hs_values values;
	struct hs_rows *rows = NULL;
	/* rows too long to come 64 at a time in READ_MEMORY come value by value; the order is the same */
	const size_t n_last = shape->rank ? shape->n[shape->rank - 1] : 1, sig_rank = shape->rank > 1 && n_last <= 1 << 14 ? 1 : 0;
	const struct hs_rows_options options = { .as = HS_AS_STORED, .memory = READ_MEMORY, .threads = READ_THREADS };
	struct hs_sha256 *sha = hs_sha256_new();
	hs_values_h5(&values, c->file, path, shape->dtype, shape->rank, shape->n, sig_rank);
	int verdict = shape->count ? hs_rows_open(&rows, &values, &options, err) : 0;
	if (rows && verdict == 0) {
		struct hs_rowsource *source = hs_rows_source(rows);
		const size_t row_bytes = source->n_chan * hs_rows_element(rows);
		struct hs_batch batch;
		verdict = source->rewind(source, err);
		while (verdict == 0 && (verdict = source->next(source, &batch, err)) == 0 && batch.n_rows) {
			hs_sha256_add(sha, batch.x, batch.n_rows * row_bytes);
			hs_progress_add(batch.n_rows * row_bytes);
		}
	}
	hs_rows_close(rows);
	hs_values_release(&values);
	hs_sha256_take(sha, hex);
	return verdict;
}

static void check_sha256(struct check *c, const char *path, const struct hs_h5_shape *shape)
{
	char *said = hs_h5_attr_text(c->file, path, "sha256"), hex[65];
	hid_t set = said ? open_object(c, path) : -1, type = set >= 0 ? H5Dget_type(set) : -1;
	struct hs_err err = { 0 };
	bool swapped;
	if (said && !is_digest(said)) {
		fault(c, path, "@sha256 is not 64 hexadecimal digits");
	} else if (said && !hs_h5_type_is_plain(type, shape->dtype, &swapped)) {
		fault(c, path, "has a type for which @sha256 is not defined");
	} else if (said && c->values) {
		hs_progress_begin("checksum", (uint64_t)shape->count * hs_dtype_size(shape->dtype), "bytes");
		if (hash_values(c, path, shape, hex, &err) < 0)
			fault(c, path, "has values that cannot be read: %s", err.text);
		else if (strcmp(hex, said))
			fault(c, path, "has values that do not match @sha256");
		hs_progress_end();
	}
	H5Tclose(type);
	if (set >= 0)
		H5Oclose(set);
	free(said);
}

/* Bytes kept in a note, with the checksum beside them. */
static void check_note(struct check *c, const char *path)
{
	char *said = child_text(c, path, "checksum"), *algorithm = child_text(c, path, "algorithm");
	char *data = hs_h5_join(path, "data"), hex[65];
	size_t n = 0;
	if (!has_child(c, path, "type"))
		fault(c, path, "is an NXnote without type");
	if (has_child(c, path, "checksum") && (!said || !is_digest(said) || !algorithm || strcmp(algorithm, "sha256"))) {
		fault(c, path, "has a checksum that is not 64 hexadecimal digits with algorithm sha256");
	} else if (said && c->values && hs_h5_kind(c->file, data) == HS_H5_DATASET) {
		uint8_t *bytes = hs_h5_bytes(c->file, data, &n);
		struct hs_sha256 *sha = hs_sha256_new();
		hs_sha256_add(sha, bytes, n);
		hs_sha256_take(sha, hex);
		if (strcmp(hex, said))
			fault(c, data, bytes ? "does not match the checksum beside it" : "cannot be read");
		free(bytes);
	}
	free(said);
	free(algorithm);
	free(data);
}

/* ------------------------------------------------------------------ NXdata */

/* One NXdata group under examination. */
struct nxdata {
	const char *path;
	char *set;                            /* path of the values */
	struct hs_h5_shape shape;
	size_t n_axes;
	char **axis;
	bool scatter, rgb;                    /* the picture of scattered points; colours: both without NSID and scales */
};

static void want_attrs(struct check *c, const char *path, const char *const *attr, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!hs_h5_has_attr(c->file, path, attr[i]))
			fault(c, path, "has no @%s", attr[i]);
}

static void check_word(struct check *c, const char *path, const char *attr, const char *words)
{
	char *text = hs_h5_attr_text(c->file, path, attr);
	if (text && hs_word_index(words, text) < 0)
		fault(c, path, "@%s is '%.60s'", attr, text);
	free(text);
}

static void check_signal_attrs(struct check *c, const struct nxdata *d)
{
	static const char *const every[] = { "units", "long_name" },
		*const nsid[] = { "quantity", "main_data_name", "data_type", "modality", "source", "pyNSID_version" };
	char *of_group = hs_h5_attr_text(c->file, d->path, "interpretation");
	char *of_set = hs_h5_attr_text(c->file, d->set, "interpretation");
	want_attrs(c, d->set, every, HS_LEN(every));
	if (strcmp(of_group ? of_group : "", of_set ? of_set : ""))
		fault(c, d->path, "@interpretation differs between the group (HyperSpy) and its data (silx, H5Web)");
	if (!of_group && !d->scatter)
		fault(c, d->path, "has no @interpretation");
	else
		check_word(c, d->path, "interpretation", "spectrum|image|rgba-image");
	if (!d->scatter && !d->rgb) {
		want_attrs(c, d->set, nsid, HS_LEN(nsid));
		check_word(c, d->set, "data_type",
			"UNKNOWN|SPECTRUM|LINE_PLOT|LINE_PLOT_FAMILY|IMAGE|IMAGE_MAP|IMAGE_STACK|SPECTRAL_IMAGE|IMAGE_4D|POINT_CLOUD");
	}
	free(of_group);
	free(of_set);
}

/* How many scales dimension dim has, and the address of the first; false when none can be read. Read from the attribute,
 * because HDF5's high-level library trusts what it finds there. */
static bool attached(struct check *c, const struct nxdata *d, size_t dim, size_t *n, haddr_t *first)
{
	hid_t set = open_object(c, d->set), attr = -1, type = -1, space = -1;
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

static void check_scale(struct check *c, const struct nxdata *d, size_t dim, const char *axis)
{
	haddr_t scale, own;
	size_t n;
	char *label = hs_h5_label(c->file, d->set, dim);
	const bool any = attached(c, d, dim, &n, &scale);
	if (!label || strcmp(label, d->axis[dim]))
		fault(c, d->set, "dimension %zu is not labelled '%.60s'", dim, d->axis[dim]);
	if (!any || n != 1 || !address_of(c, axis, &own) || own != scale)
		fault(c, d->set, "dimension %zu has not '%.60s', and only it, attached as its scale", dim, d->axis[dim]);
	else if (!attr_is(c, axis, "CLASS", "DIMENSION_SCALE"))
		fault(c, axis, "is attached as a scale, but does not say so");
	free(label);
}

static void check_steps(struct check *c, const char *path, size_t n)
{
	size_t got = 0;
	struct hs_axis a = { .n = n, .value = hs_h5_reals(c->file, path, &got) };
	if (n && got != n)
		fault(c, path, "is an axis that cannot be read");
	else if (!hs_axis_is_monotonic(&a))
		fault(c, path, "is not monotonic");
	else if (hs_axis_descends(&a) && hs_axis_is_uniform(&a))
		fault(c, path, "is uniform and descends; HyperSpy loses the sign of the step");
	free(a.value);
}

static void check_axis(struct check *c, const struct nxdata *d, size_t dim)
{
	static const char *const attrs[] = { "units", "long_name", "name", "quantity", "dimension_type" };
	const char *name = d->axis[dim];
	const size_t n = d->shape.n[d->scatter ? 0 : dim];
	char *path = hs_h5_join(d->path, name), *indices = hs_must_printf("%.200s_indices", name);
	struct hs_h5_shape shape;
	size_t n_place = 0;
	double *place = hs_h5_attr_reals(c->file, d->path, indices, &n_place);
	if (!has_child(c, d->path, name)) {
		fault(c, d->path, "has no axis '%.60s'", name);
	} else if (!hs_h5_shape(c->file, path, &shape) || shape.class != HS_H5_NUMBER || hs_dtype_is_complex(shape.dtype) ||
		   shape.rank != 1 || shape.n[0] != n) {
		fault(c, path, "is an axis and must be %zu real numbers in one dimension", n);
	} else {
		want_attrs(c, path, attrs, HS_LEN(attrs));
		if (hs_h5_has_attr(c->file, path, "name") && !attr_is(c, path, "name", name))
			fault(c, path, "@name is not the name of the axis");
		check_word(c, path, "dimension_type", "SPATIAL|RECIPROCAL|SPECTRAL|TEMPORAL|CHANNEL|POINT_CLOUD|UNKNOWN");
		if (n_place != 1 || place[0] != (double)dim)
			fault(c, d->path, "@%.60s is not %zu", indices, dim);
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
static void check_companion(struct check *c, const struct nxdata *d, const char *name)
{
	char *path = hs_h5_join(d->path, name);
	struct hs_h5_shape shape, of;
	const bool known = hs_h5_shape(c->file, path, &shape);
	if (hs_h5_kind(c->file, path) == HS_H5_GROUP) {
		fault(c, d->path, "has a group in it, '%.60s'", name);
	} else if (hs_ends(name, "_errors")) {
		char *owner = hs_must_printf("%.*s", (int)(strlen(path) - strlen("_errors")), path);
		if (!known || !hs_h5_shape(c->file, owner, &of) || !same_shape(&shape, &of))
			fault(c, path, "has not the shape of what it is the error of");
		if (!known || shape.class != HS_H5_NUMBER || !hs_dtype_is_float(shape.dtype))
			fault(c, path, "must be real floating point: errors are 1 sigma");
		free(owner);
	} else if (hs_ends(name, "mask")) {
		if (!strcmp(name, "data_mask") && (!known || !same_shape(&shape, &d->shape) || !attr_is(c, d->set, "mask", name)))
			fault(c, path, "must have the shape of the data and be named by their @mask");
		if (!hs_h5_has_attr(c->file, path, "flag_masks") || !hs_h5_has_attr(c->file, path, "flag_meanings"))
			fault(c, path, "is a mask without @flag_masks and @flag_meanings");
	} else if (!strcmp(name, "time") && known && shape.rank && !hs_h5_has_attr(c->file, path, "start")) {
		fault(c, path, "is time without @start");
	}
	free(path);
}

static void check_auxiliary(struct check *c, const struct nxdata *d)
{
	size_t n;
	char **name = hs_h5_attr_texts(c->file, d->path, "auxiliary_signals", &n);
	for (size_t i = 0; i < n; i++) {
		char *path = hs_h5_join(d->path, name[i]);
		struct hs_h5_shape shape;
		if (!hs_h5_shape(c->file, path, &shape) || !same_shape(&shape, &d->shape))
			fault(c, d->path, "auxiliary signal '%.60s' is missing or has another shape", name[i]);
		free(path);
	}
	hs_h5_free_list(name, n);
}

static void check_shape(struct check *c, struct nxdata *d)
{
	if (!hs_h5_shape(c->file, d->set, &d->shape) || d->shape.class != HS_H5_NUMBER) {
		char *why = hs_h5_kind(c->file, d->set) == HS_H5_DATASET ? hs_h5_trouble(c->file, d->set) : NULL;
		fault(c, d->set, "holds no numbers that can be read%s%s", why ? ": " : "", why ? why : "");
		free(why);
		return;
	}
	d->scatter = d->shape.rank == 1 && d->n_axes == 2;
	d->rgb = attr_is(c, d->set, "interpretation", "rgba-image");
	check_sha256(c, d->set, &d->shape);
	check_signal_attrs(c, d);
	check_auxiliary(c, d);
	if (d->n_axes != d->shape.rank && !d->scatter) {
		fault(c, d->path, "names %zu axes for %zu dimensions", d->n_axes, d->shape.rank);
		return;
	}
	for (size_t i = 0; i < d->n_axes; i++)
		check_axis(c, d, i);
}

static void check_nxdata(struct check *c, const char *path)
{
	struct nxdata d = { .path = path };
	size_t n = 0;
	char **child = hs_h5_children(c->file, path, &n), *signal = hs_h5_attr_text(c->file, path, "signal");
	d.axis = hs_h5_attr_texts(c->file, path, "axes", &d.n_axes);
	if (!has_child(c, path, "title"))
		fault(c, path, "has no title");
	if (!signal || !has_child(c, path, signal)) {
		fault(c, path, "has no @signal, or one that is not there");
	} else {
		d.set = hs_h5_join(path, signal);
		if (strcmp(signal, "data"))
			fault(c, path, "@signal is '%.60s', not 'data'", signal);
		check_shape(c, &d);
		for (size_t i = 0; i < n; i++)
			check_companion(c, &d, child[i]);
	}
	hs_h5_free_list(d.axis, d.n_axes);
	hs_h5_free_list(child, n);
	free(d.set);
	free(signal);
}

/* ------------------------------------------------------------------ history */

static void check_process(struct check *c, const char *path)
{
	static const char *const fields[] = { "program", "version", "date", "sequence_index", "configuration" };
	char *index = hs_h5_join(path, "sequence_index"), *note = hs_h5_join(path, "configuration"), *json = child_text(c, note, "data");
	char **argv = json ? hs_json_get_strings(json, "argv") : NULL, **child;
	size_t n = 0;
	for (size_t i = 0; i < HS_LEN(fields); i++)
		if (!has_child(c, path, fields[i]))
			fault(c, path, "has no %s", fields[i]);
	check_time(c, path, "date", child_text(c, path, "date"));
	if (has_child(c, path, "configuration") && !argv)
		fault(c, note, "holds no JSON with a list argv");
	double *number = hs_h5_reals(c->file, index, &n);
	c->n_steps++;
	if (n == 1 && number[0] >= 1 && number[0] <= MAX_STEPS && number[0] == (int)number[0] && !c->number_seen[(int)number[0]])
		c->number_seen[(int)number[0]] = true;
	else if (has_child(c, path, "sequence_index"))
		fault(c, path, "has a sequence_index that is no number from 1 on, or not its own");
	child = hs_h5_children(c->file, path, &n);
	for (size_t i = 0; i < n; i++)
		if (hs_starts(child[i], "input_")) {
			char *input = hs_h5_join(path, child[i]);
			if (!has_child(c, input, "file_name"))
				fault(c, input, "has no file_name");
			free(input);
		}
	hs_h5_free_list(child, n);
	hs_json_free_strings(argv);
	free(number);
	free(json);
	free(note);
	free(index);
}

static void check_sequence(struct check *c)
{
	size_t next = 1;
	while (next <= MAX_STEPS && c->number_seen[next])
		next++;
	if (!c->n_steps)
		fault(c, "/", "has no history: there is no NXprocess");
	else if (next != c->n_steps + 1)
		fault(c, "/", "has %zu steps in its history, numbered without gaps up to %zu only", c->n_steps, next - 1);
}

/* ------------------------------------------------------------------ the whole file */

static int check_object(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	struct check *c = ctx;
	if (kind == HS_H5_DATASET) {
		check_set(c, path);
		return 0;
	}
	char *class = hs_h5_attr_text(file, path, "NX_class");
	check_attrs(c, path);
	check_links(c, path);
	if (!class || !*class)
		fault(c, path, "is a group without @NX_class");
	else if (!strcmp(class, "NXdata"))
		check_nxdata(c, path);
	else if (!strcmp(class, "NXprocess"))
		check_process(c, path);
	else if (!strcmp(class, "NXnote"))
		check_note(c, path);
	free(class);
	return 0;
}

static void check_root(struct check *c)
{
	static const char *const attrs[] = { "default", "creator", "creator_version", "hs_version", "file_time", "HDF5_Version" };
	check_attrs(c, "/");
	check_links(c, "/");
	if (!attr_is(c, "/", "NX_class", "NXroot"))
		fault(c, "/", "@NX_class is not NXroot");
	want_attrs(c, "/", attrs, HS_LEN(attrs));
	check_time(c, "/", "@file_time", hs_h5_attr_text(c->file, "/", "file_time"));
}

static void check_entry(struct check *c)
{
	static const char *const fields[] = { "title", "start_time", "entry_identifier_uuid", "program_name" };
	char *name = hs_h5_attr_text(c->file, "/", "default"), *entry = name && has_child(c, "/", name) ? hs_h5_join("/", name) : NULL;
	if (entry) {
		for (size_t i = 0; i < HS_LEN(fields); i++)
			if (!has_child(c, entry, fields[i]))
				fault(c, entry, "has no %s", fields[i]);
		if (!attr_is(c, entry, "NX_class", "NXentry"))
			fault(c, entry, "@NX_class is not NXentry");
		check_time(c, entry, "start_time", child_text(c, entry, "start_time"));
		char *uuid = child_text(c, entry, "entry_identifier_uuid");
		if (uuid && !is_uuid(uuid))
			fault(c, entry, "entry_identifier_uuid '%.60s' is no UUID", uuid);
		free(uuid);
	}
	free(entry);
	free(name);
}

/* From the root by names of children to an NXdata. */
static void check_defaults(struct check *c)
{
	char *path = hs_must_dup("/"), *name;
	for (int depth = 0; depth < 9 && (name = hs_h5_attr_text(c->file, path, "default")); depth++) {
		if (strchr(name, '/') || !has_child(c, path, name)) {
			fault(c, path, "@default '%.60s' is not the name of a child", name);
			free(name);
			break;
		}
		char *next = hs_h5_join(path, name);
		free(path);
		free(name);
		path = next;
	}
	if (!attr_is(c, path, "NX_class", "NXdata"))
		fault(c, "/", "@default does not lead to an NXdata");
	free(path);
}

int hs_nx_check(struct hs_h5 *file, void (*report)(void *ctx, const char *path, const char *what), void *ctx, bool values)
{
	struct check c = { .file = file, .fault = report, .ctx = ctx, .values = values };
	size_t n = 0;
	char **child = hs_h5_children(file, "/", &n);
	check_root(&c);
	for (size_t i = 0; i < n; i++) {
		char *path = hs_h5_join("/", child[i]);
		if (!is_view("/", child[i]))
			hs_h5_walk(file, path, check_object, &c);
		free(path);
	}
	check_entry(&c);
	check_defaults(&c);
	check_sequence(&c);
	hs_h5_free_list(child, n);
	return c.n_faults;
}

/* ------------------------------------------------------------------ storage */

bool hs_nx_stored(struct hs_h5 *file, const char *path, struct hs_nx_stored *stored)
{
	struct hs_h5_shape shape;
	*stored = (struct hs_nx_stored){ 0 };
	if (!hs_h5_shape(file, path, &shape) || shape.class == HS_H5_OTHER)
		return false;
	hid_t set = H5Dopen2(file->id, path, H5P_DEFAULT), type = H5Dget_type(set), dcpl = H5Dget_create_plist(set);
	hsize_t edge[H5S_MAX_RANK];
	stored->bytes = (uint64_t)shape.count * H5Tget_size(type);
	stored->stored_bytes = H5Dget_storage_size(set);
	if (H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_chunk(dcpl, H5S_MAX_RANK, edge) == (int)shape.rank) {
		stored->rank = shape.rank;
		for (size_t i = 0; i < shape.rank; i++)
			stored->chunk[i] = (size_t)edge[i];
		const int n = H5Pget_nfilters(dcpl);
		for (int i = 0; i < n && stored->n_filters < HS_LEN(stored->filter); i++) {
			unsigned flags;
			size_t n_values = 0;
			char name[64] = "", *to = stored->filter[stored->n_filters++];
			const H5Z_filter_t filter = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, sizeof name, name, NULL);
			const char *known = filter == H5Z_FILTER_DEFLATE ? "deflate" : filter == H5Z_FILTER_SHUFFLE ? "shuffle" :
				filter == H5Z_FILTER_FLETCHER32 ? "fletcher32" : NULL;
			if (known || *name)
				snprintf(to, sizeof stored->filter[0], "%.23s", known ? known : name);
			else
				snprintf(to, sizeof stored->filter[0], "filter %d", (int)filter);
		}
	}
	H5Pclose(dcpl);
	H5Tclose(type);
	H5Dclose(set);
	return true;
}
