/* h5tree: what is in a file comes out; what is hostile in a file stays outside. Files are made with the HDF5 library, in
 * memory. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/h5.h"
#include "store/vfd.h"
#include "tap.h"

static hid_t create(int *fd)
{
	*fd = memfd_create("h5tree", MFD_CLOEXEC);
	hs_h5_quiet();
	hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
	hs_fapl_set_fd(fapl, *fd);
	hid_t file = H5Fcreate("test", H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
	H5Pclose(fapl);
	return file;
}

static struct hs_h5 *reopen(hid_t written, int fd)
{
	struct hs_h5 *file = NULL;
	struct hs_err err = { 0 };
	H5Fclose(written);
	tap_ok(hs_h5_open(&file, fd, "test.h5", &err) == 0, "opens from a descriptor%s%s", *err.text ? ": " : "", err.text);
	return file;
}

static void finish(struct hs_h5 *file, int fd)
{
	hs_h5_close(file);
	close(fd);
}

static int same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static int count_visit(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	(void)file, (void)path, (void)kind;
	return ++*(int *)ctx >= 100000;
}

static void put_fixed(hid_t object, const char *name, const char *bytes, size_t size, H5T_str_t pad)
{
	hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
	H5Tset_size(type, size);
	H5Tset_strpad(type, pad);
	hid_t attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
	H5Awrite(attr, type, bytes);
	H5Aclose(attr);
	H5Sclose(space);
	H5Tclose(type);
}

static void put_ref(hid_t object, const char *name, hid_t file, const char *target, hobj_ref_t raw)
{
	hid_t space = H5Screate(H5S_SCALAR), attr = H5Acreate2(object, name, H5T_STD_REF_OBJ, space, H5P_DEFAULT, H5P_DEFAULT);
	if (target)
		H5Rcreate(&raw, file, target, H5R_OBJECT, -1);
	H5Awrite(attr, H5T_STD_REF_OBJ, &raw);
	H5Aclose(attr);
	H5Sclose(space);
}

static void test_attributes(void)
{
	int fd;
	hid_t id = create(&fd);
	hid_t g = H5Gcreate2(id, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	const char *const list[] = { "y", "x", "energy" };
	const double reals[] = { 0.5, -2, 1e300 };
	const int number = -7;
	hs_h5_put_text(g, "vlen", "µm");
	hs_h5_put_texts(g, "list", list, 3);
	put_fixed(g, "latin", "\xb5m  ", 4, H5T_STR_SPACEPAD);
	put_fixed(g, "unended", "abcd", 4, H5T_STR_NULLPAD);
	hs_h5_put_number(g, "reals", HS_F64, reals, 3);
	hs_h5_put_int(g, "number", number);
	put_ref(g, "good", id, "/g", 0);
	put_ref(g, "nowhere", id, NULL, 987654321);
	H5Gclose(g);
	struct hs_h5 *file = reopen(id, fd);
	size_t n;
	double v = 0, *many;
	char *t, **all;
	tap_ok(same(t = hs_h5_attr_text(file, "/g", "vlen"), "µm"), "a variable-length text");
	free(t);
	tap_ok(same(t = hs_h5_attr_text(file, "/g", "latin"), "µm"), "Latin-1 with blanks behind it becomes UTF-8 without");
	free(t);
	tap_ok(same(t = hs_h5_attr_text(file, "/g", "unended"), "abcd"), "a fixed text that fills its field");
	free(t);
	all = hs_h5_attr_texts(file, "/g", "list", &n);
	tap_ok(n == 3 && same(all[0], "y") && same(all[2], "energy"), "a list of texts");
	hs_h5_free_list(all, n);
	tap_ok(hs_h5_attr_real(file, "/g", "number", &v) && v == -7, "an integer read as a real");
	many = hs_h5_attr_reals(file, "/g", "reals", &n);
	tap_ok(n == 3 && many[0] == 0.5 && many[2] == 1e300, "a list of reals");
	free(many);
	v = 3;
	tap_ok(!hs_h5_attr_real(file, "/g", "vlen", &v) && v == 3, "text where a number belongs is no number");
	tap_ok(!hs_h5_attr_text(file, "/g", "number"), "a number where a text belongs is no text");
	tap_ok(same(t = hs_h5_attr_ref(file, "/g", "good"), "/g"), "a reference leads to its object");
	free(t);
	tap_ok(!hs_h5_attr_ref(file, "/g", "nowhere"), "a reference to nowhere is none");
	tap_ok(!hs_h5_attr_ref(file, "/g", "vlen"), "a text is no reference");
	tap_ok(!hs_h5_has_attr(file, "/g", "missing") && !hs_h5_has_attr(file, "/none", "vlen"), "what is missing is missing");
	all = hs_h5_attr_names(file, "/g", &n);
	tap_ok(n == 8 && same(all[0], "good") && same(all[7], "vlen"), "names of attributes, sorted");
	hs_h5_free_list(all, n);
	t = hs_h5_metadata_json(file, "/", 100000);
	tap_ok(strstr(t, "\"number\": -7") && strstr(t, "\"vlen\": \"µm\"") && strstr(t, "\"energy\""), "metadata as JSON");
	free(t);
	t = hs_h5_metadata_json(file, "/", 8192);
	tap_ok(strlen(t) <= 8192 && t[strlen(t) - 1] == '}', "metadata within a limit, closed");
	free(t);
	finish(file, fd);
}

static hid_t space_of(size_t rank, const hsize_t *n)
{
	return H5Screate_simple((int)rank, n, NULL);
}

static void test_datasets(void)
{
	int fd;
	hid_t id = create(&fd);
	const size_t n23[] = { 2, 3 }, n4[] = { 4 };
	const uint16_t small[6] = { 0, 1, 2, 3, 4, 65535 };
	const double axis[4] = { -1, 0, 1, 2 };
	const uint8_t bytes[4] = { 'a', 0, 'b', 255 };
	hs_h5_put_array(id, "u16", HS_U16, 2, n23, small, H5P_DEFAULT);
	hs_h5_put_array(id, "axis", HS_F64, 1, n4, axis, H5P_DEFAULT);
	hs_h5_put_array(id, "bytes", HS_U8, 1, n4, bytes, H5P_DEFAULT);
	hs_h5_put_string(id, "text", "hello");
	const double one = 2.5;
	hs_h5_put_scalar(id, "one", HS_F64, &one);

	/* float16, a truth value, a record, a complex number */
	hid_t half = H5Tcopy(H5T_IEEE_F32LE);
	H5Tset_fields(half, 15, 10, 5, 0, 10);
	H5Tset_size(half, 2);
	H5Tset_ebias(half, 15);
	const hsize_t dims[] = { 4 };
	hid_t space = space_of(1, dims), set = H5Dcreate2(id, "half", half, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, axis);
	H5Dclose(set);
	hid_t truth = H5Tenum_create(H5T_NATIVE_INT8);
	const int8_t no = 0, yes = 1, truths[4] = { 0, 1, 1, 0 };
	H5Tenum_insert(truth, "FALSE", &no);
	H5Tenum_insert(truth, "TRUE", &yes);
	set = H5Dcreate2(id, "truth", truth, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	H5Dwrite(set, truth, H5S_ALL, H5S_ALL, H5P_DEFAULT, truths);
	H5Dclose(set);
	struct record { float amplitude; int32_t count; } records[4] = { { 1.5F, 1 }, { 2.5F, 2 }, { 3.5F, 3 }, { 4.5F, 4 } };
	hid_t record = H5Tcreate(H5T_COMPOUND, sizeof *records);
	H5Tinsert(record, "amplitude", 0, H5T_NATIVE_FLOAT);
	H5Tinsert(record, "count", 4, H5T_NATIVE_INT32);
	set = H5Dcreate2(id, "record", record, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	H5Dwrite(set, record, H5S_ALL, H5S_ALL, H5P_DEFAULT, records);
	H5Dclose(set);
	set = H5Dcreate2(id, "complex", hs_h5_type_disk(HS_C64), space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	H5Dclose(set);
	H5Sclose(space);

	struct hs_h5 *file = reopen(id, fd);
	struct hs_h5_shape s;
	size_t n;
	tap_ok(hs_h5_shape(file, "/u16", &s) && s.class == HS_H5_NUMBER && s.dtype == HS_U16 && s.rank == 2 && s.n[1] == 3 &&
		s.count == 6, "shape of an array");
	tap_ok(hs_h5_shape(file, "/half", &s) && s.class == HS_H5_NUMBER && s.dtype == HS_F32, "float16 is read as float32");
	tap_ok(hs_h5_shape(file, "/truth", &s) && s.class == HS_H5_NUMBER && s.dtype == HS_U8, "truth values are read as uint8");
	tap_ok(hs_h5_shape(file, "/record", &s) && s.class == HS_H5_COMPOUND, "records are compound");
	tap_ok(hs_h5_shape(file, "/complex", &s) && s.class == HS_H5_NUMBER && s.dtype == HS_C64, "{r, i} is complex");
	tap_ok(hs_h5_shape(file, "/text", &s) && s.class == HS_H5_STRING && s.rank == 0, "a text");
	tap_ok(!hs_h5_shape(file, "/", &s) && !hs_h5_shape(file, "/none", &s) && !hs_h5_shape(file, "", &s),
		"a group, nothing and no path have no shape");
	double *v = hs_h5_reals(file, "/u16", &n);
	tap_ok(n == 6 && v[5] == 65535, "an array as reals");
	free(v);
	v = hs_h5_reals(file, "/half", &n);
	tap_ok(n == 4 && v[0] == -1 && v[3] == 2, "float16 as reals");
	free(v);
	v = hs_h5_reals(file, "/truth", &n);
	tap_ok(n == 4 && v[1] == 1 && v[3] == 0, "truth values as reals");
	free(v);
	tap_ok(!hs_h5_reals(file, "/text", &n) && n == 0 && !hs_h5_reals(file, "/complex", &n), "text and complex numbers are no reals");
	char *t = hs_h5_text(file, "/text");
	tap_ok(same(t, "hello"), "a text dataset");
	free(t);
	uint8_t *b = hs_h5_bytes(file, "/bytes", &n);
	tap_ok(n == 4 && !memcmp(b, bytes, 4) && !hs_h5_bytes(file, "/u16", &n), "bytes, and what are none");
	free(b);
	char **f = hs_h5_fields(file, "/record", &n);
	enum hs_dtype d = HS_U8;
	tap_ok(n == 2 && same(f[0], "amplitude") && hs_h5_field_dtype(file, "/record", "count", &d) && d == HS_I32 &&
		!hs_h5_field_dtype(file, "/record", "none", &d), "fields of a record");
	hs_h5_free_list(f, n);
	struct hs_err err = { 0 };
	float *a = hs_h5_values(file, "/record", "amplitude", HS_F32, 4, &err);
	tap_ok(a && a[3] == 4.5F, "one field of all records");
	free(a);
	finish(file, fd);
}

static void test_links(void)
{
	int fd;
	hid_t id = create(&fd);
	hid_t a = H5Gcreate2(id, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), b =
		H5Gcreate2(a, "b", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	H5Lcreate_hard(id, "/a", b, "up", H5P_DEFAULT, H5P_DEFAULT);
	H5Lcreate_soft("/a", b, "soft_up", H5P_DEFAULT, H5P_DEFAULT);
	H5Lcreate_soft("soft_self", b, "soft_self", H5P_DEFAULT, H5P_DEFAULT);
	H5Lcreate_soft("/none", a, "dangling", H5P_DEFAULT, H5P_DEFAULT);
	H5Lcreate_external("/etc/other.h5", "/x", a, "external", H5P_DEFAULT, H5P_DEFAULT);
	const double one = 1;
	hs_h5_put_scalar(b, "value", HS_F64, &one);
	H5Gclose(b);
	H5Gclose(a);
	hid_t deep = H5Gcreate2(id, "deep", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	for (int i = 0; i < 300; i++) {
		hid_t next = H5Gcreate2(deep, "d", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
		H5Gclose(deep);
		deep = next;
	}
	H5Gclose(deep);
	struct hs_h5 *file = reopen(id, fd);
	int visits = 0;
	hs_h5_walk(file, "/a", count_visit, &visits);
	tap_ok(visits == 3, "a walk through loops of hard and soft links sees each object once (%d)", visits);
	size_t n;
	char **c = hs_h5_children(file, "/a", &n);
	tap_ok(n == 1 && same(c[0], "b"), "external and dangling links are left out");
	hs_h5_free_list(c, n);
	c = hs_h5_children(file, "/a/b", &n);
	tap_ok(n == 3 && same(c[0], "soft_up") && same(c[1], "up") && same(c[2], "value"), "soft links that lead somewhere are in");
	hs_h5_free_list(c, n);
	tap_ok(hs_h5_kind(file, "/a/external") == HS_H5_NOTHING, "an external link leads nowhere");
	visits = 0;
	tap_ok(hs_h5_walk(file, "/deep", count_visit, &visits) == 0 && visits == 65, "nesting is followed to depth 64");
	char *t = hs_h5_metadata_json(file, "/", 100000);
	tap_ok(strstr(t, "\"value\": 1") != NULL, "metadata of looped groups end");
	free(t);
	finish(file, fd);
}

static void put_unwritten(hid_t file, const char *name, size_t rank, const hsize_t *n, const hsize_t *chunk)
{
	hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE), space = space_of(rank, n);
	H5Pset_chunk(dcpl, (int)rank, chunk);
	H5Dclose(H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT));
	H5Sclose(space);
	H5Pclose(dcpl);
}

static void put_virtual(hid_t file, const char *name, const char *source_file, const char *source)
{
	const hsize_t n[] = { 4 };
	hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE), space = space_of(1, n);
	H5Pset_virtual(dcpl, space, source_file, source, space);
	H5Dclose(H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT));
	H5Sclose(space);
	H5Pclose(dcpl);
}

static void test_outside(void)
{
	int fd;
	hid_t id = create(&fd);
	const size_t n4[] = { 4 };
	const double v[4] = { 1, 2, 3, 4 };
	hs_h5_put_array(id, "plain", HS_F64, 1, n4, v, H5P_DEFAULT);
	put_virtual(id, "own", ".", "/plain");
	put_virtual(id, "foreign", "other.h5", "/plain");
	put_virtual(id, "chain", ".", "/foreign");
	put_virtual(id, "itself", ".", "/itself");
	hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
	const hsize_t n[] = { 4 };
	H5Pset_external(dcpl, "/etc/passwd", 0, 32);
	hid_t space = space_of(1, n);
	H5Dclose(H5Dcreate2(id, "passwd", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT));
	H5Sclose(space);
	H5Pclose(dcpl);
	const hsize_t absurd[] = { 1u << 30, 1u << 30 }, more[] = { 1u << 20, 1u << 20 }, chunk[] = { 4, 4 };
	put_unwritten(id, "absurd", 2, absurd, chunk);
	put_unwritten(id, "unwritten", 2, more, chunk);
	struct hs_h5 *file = reopen(id, fd);
	size_t count;
	double *x = hs_h5_reals(file, "/own", &count);
	tap_ok(count == 4 && x[3] == 4, "a virtual dataset over its own file is read");
	free(x);
	static const char *const bad[] = { "/foreign", "/chain", "/itself", "/passwd", "/absurd", "/unwritten" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct hs_h5_shape s;
		char *why = hs_h5_trouble(file, bad[i]);
		const int readable = hs_h5_shape(file, bad[i], &s) && s.class == HS_H5_NUMBER;
		x = hs_h5_reals(file, bad[i], &count);
		tap_ok(!readable && !x && why && *why, "%s is not read: %s", bad[i], why ? why : "?");
		free(x);
		free(why);
	}
	tap_ok(hs_h5_trouble(file, "/plain") == NULL, "a plain dataset is no trouble");
	finish(file, fd);
}

static void test_scales(void)
{
	int fd;
	hid_t id = create(&fd);
	const size_t n23[] = { 2, 3 }, n3[] = { 3 };
	const double v[6] = { 0 };
	hs_h5_put_array(id, "data", HS_F64, 2, n23, v, H5P_DEFAULT);
	hs_h5_put_array(id, "energy", HS_F64, 1, n3, v, H5P_DEFAULT);
	/* DIMENSION_LIST by hand: one list of references a dimension */
	hid_t data = H5Dopen2(id, "data", H5P_DEFAULT), type = H5Tvlen_create(H5T_STD_REF_OBJ);
	hobj_ref_t ref;
	H5Rcreate(&ref, id, "/energy", H5R_OBJECT, -1);
	hvl_t list[2] = { { 0, NULL }, { 1, &ref } };
	const hsize_t two[] = { 2 };
	hid_t space = space_of(1, two), attr = H5Acreate2(data, "DIMENSION_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT);
	H5Awrite(attr, type, list);
	H5Aclose(attr);
	H5Sclose(space);
	H5Tclose(type);
	const char *const labels[] = { "", "energy" };
	hs_h5_put_texts(data, "DIMENSION_LABELS", labels, 2);
	H5Dclose(data);
	struct hs_h5 *file = reopen(id, fd);
	char *scale = hs_h5_scale(file, "/data", 1), *label = hs_h5_label(file, "/data", 1);
	tap_ok(same(scale, "/energy") && same(label, "energy"), "scale and label of a dimension");
	tap_ok(!hs_h5_scale(file, "/data", 0) && !hs_h5_label(file, "/data", 0) && !hs_h5_scale(file, "/data", 9) &&
		!hs_h5_scale(file, "/energy", 0),
		"dimensions without scale and label");
	free(scale);
	free(label);
	finish(file, fd);
}

/* A good file cut at every tenth of its length, and one whose string heap is broken. */
static void test_broken(void)
{
	int fd;
	hid_t id = create(&fd);
	hs_h5_put_text(id, "note", "a text of some length in the global heap");
	const size_t n[] = { 1000 };
	static const double v[1000];
	hs_h5_put_array(id, "data", HS_F64, 1, n, v, H5P_DEFAULT);
	H5Fclose(id);
	const off_t size = lseek(fd, 0, SEEK_END);
	unsigned char *bytes = malloc((size_t)size);
	tap_ok(bytes && pread(fd, bytes, (size_t)size, 0) == size, "a good file of %ld bytes", (long)size);
	for (int tenth = 0; tenth < 10; tenth++) {
		const size_t cut = (size_t)size * (size_t)tenth / 10;
		const int part = memfd_create("cut", MFD_CLOEXEC);
		struct hs_h5 *file = NULL;
		struct hs_err err = { 0 };
		const int written = write(part, bytes, cut) == (ssize_t)cut, verdict = hs_h5_open(&file, part, "cut.h5", &err);
		tap_ok(written && verdict < 0 && !file && err.status == HS_BAD_DATA && strstr(err.text, "cut.h5"), "cut at %d tenths: %s",
			tenth, err.text);
		close(part);
	}
	unsigned char *heap = bytes ? memmem(bytes, (size_t)size, "GCOL", 4) : NULL;
	if (tap_ok(heap != NULL, "it has a string heap")) {
		memset(heap + 24, 0xff, 8);                     /* the length of its first object */
		const int broken = memfd_create("broken", MFD_CLOEXEC);
		struct hs_h5 *file = NULL;
		struct hs_err err = { 0 };
		const int written = write(broken, bytes, (size_t)size) == (ssize_t)size, verdict = hs_h5_open(&file, broken, "broken.h5", &err);
		char *note = verdict == 0 ? hs_h5_attr_text(file, "/", "note") : NULL;
		tap_ok(written && (verdict < 0 ? err.status == HS_BAD_DATA : !note), "a heap object longer than the heap: %s",
			verdict < 0 ? err.text : "no text");
		free(note);
		hs_h5_close(file);
		close(broken);
	}
	free(bytes);
	close(fd);
}

/* Complex numbers whose parts have other names, big endian, alone and in records. */
static void test_complex(void)
{
	int fd;
	hid_t id = create(&fd), disk = H5Tcreate(H5T_COMPOUND, 16), memory = H5Tcreate(H5T_COMPOUND, 16),
	      record = H5Tcreate(H5T_COMPOUND, 24), space = space_of(1, (const hsize_t[]){ 3 });
	H5Tinsert(disk, "real", 0, H5T_IEEE_F64BE);
	H5Tinsert(disk, "imag", 8, H5T_IEEE_F64BE);
	H5Tinsert(memory, "real", 0, H5T_NATIVE_DOUBLE);
	H5Tinsert(memory, "imag", 8, H5T_NATIVE_DOUBLE);
	H5Tinsert(record, "z", 8, disk);
	const double z[] = { 1, -2, 3.5, 4.25, 0, 1e300 };
	hid_t set = H5Dcreate2(id, "z", disk, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	tap_ok(set >= 0 && H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, z) >= 0, "{real, imag} is written");
	H5Dclose(set);
	set = H5Dcreate2(id, "record", record, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	hid_t part = H5Tcreate(H5T_COMPOUND, 16);
	H5Tinsert(part, "z", 0, memory);
	tap_ok(set >= 0 && H5Dwrite(set, part, H5S_ALL, H5S_ALL, H5P_DEFAULT, z) >= 0, "and as a field of a record");
	H5Dclose(set);
	H5Tclose(part);
	H5Tclose(disk);
	H5Tclose(memory);
	H5Tclose(record);
	H5Sclose(space);
	struct hs_h5 *file = reopen(id, fd);
	struct hs_h5_shape s;
	struct hs_err err = { 0 };
	double *v = NULL;
	tap_ok(hs_h5_shape(file, "/z", &s) && s.class == HS_H5_NUMBER && s.dtype == HS_C128, "{real, imag} is complex");
	v = hs_h5_values(file, "/z", NULL, HS_C128, 3, &err);
	tap_ok(v && !memcmp(v, z, sizeof z), "and read as what was written %s", err.text);
	free(v);
	v = hs_h5_values(file, "/record", "z", HS_C128, 3, &err);
	tap_ok(v && !memcmp(v, z, sizeof z), "so is the field %s", err.text);
	free(v);
	v = hs_h5_values(file, "/record", "no", HS_F64, 3, &err);
	tap_ok(!v && err.status == HS_BAD_DATA, "a field that is not there is not read: %s", err.text);
	finish(file, fd);
}

/* More objects than are held open, over and over, and each answers for itself. */
static void test_many(void)
{
	int fd, wrong = 0;
	hid_t id = create(&fd);
	for (int i = 0; i < 40; i++) {
		char name[16];
		snprintf(name, sizeof name, "g%02d", i);
		hid_t g = H5Gcreate2(id, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
		const double value = i;
		const size_t one[] = { 1 };
		wrong += hs_h5_put_int(g, "number", i) < 0 || hs_h5_put_array(g, "value", HS_F64, 1, one, &value, H5P_DEFAULT) < 0;
		H5Gclose(g);
	}
	struct hs_h5 *file = reopen(id, fd);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 40; i++) {
			char path[16], below[32];
			const int at = round == 1 ? 39 - i : i;
			double number = -1;
			size_t n;
			snprintf(path, sizeof path, "/g%02d", at);
			snprintf(below, sizeof below, "%s/value", path);
			double *value = hs_h5_reals(file, below, &n);
			wrong += !hs_h5_attr_real(file, path, "number", &number) || number != at || !value || *value != at ||
				hs_h5_kind(file, path) != HS_H5_GROUP || hs_h5_kind(file, below) != HS_H5_DATASET;
			free(value);
		}
	tap_ok(!wrong, "40 groups in turn give what is theirs (%d do not)", wrong);
	finish(file, fd);
}

int main(void)
{
	test_attributes();
	test_datasets();
	test_links();
	test_outside();
	test_scales();
	test_broken();
	test_complex();
	test_many();
	return tap_done();
}
