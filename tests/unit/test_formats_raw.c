/* test_formats_raw - .npy, .rpl and Nanonis .3ds: tiny files written here, every kind of broken file, and, when the data
 * collection is there ($HS_DATA or ../shared/data), real files against what public readers found in them: shape, every
 * value (SHA-256), sum, samples.
 *
 * Values are fetched by following the strides of struct hs_values with pread, one element at a time: slow, plain, and
 * independent of store/rows. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/axes.h"
#include "formats/format.h"
#include "formats/text.h"
#include "tap.h"

static char dir[64];
static char warnings[8192];

static void listen(enum hs_log_level level, const char *line)
{
	const size_t n = strlen(warnings);
	if (level == HS_LOG_WARNING && n + strlen(line) + 2 < sizeof warnings)
		snprintf(warnings + n, sizeof warnings - n, "%s\n", line);
}

/* ----------------------------------------------------------------------------------- files and how to open them */

static char *in_dir(const char *name)
{
	return hs_must_printf("%s/%s", dir, name);
}

static void put(const char *name, const void *bytes, size_t n)
{
	char *path = in_dir(name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(99);
	}
	free(path);
}

struct opened {
	int fd, status;
	struct hs_bytes bytes;
	unsigned char *head;
	struct hs_scan scan;
	struct hs_err err;
};

static struct opened *open_path(const char *path, const char *axes)
{
	struct opened *o = hs_must_alloc(1, sizeof *o);
	struct hs_load_options options = { .axes = axes };
	struct stat st;
	o->fd = open(path, O_RDONLY);
	if (o->fd < 0 || fstat(o->fd, &st)) {
		perror(path);
		exit(99);
	}
	o->head = hs_must_alloc(65536, 1);
	const ssize_t n = pread(o->fd, o->head, 65536, 0);
	o->bytes = (struct hs_bytes){
		.fd = o->fd, .size = (uint64_t)st.st_size, .name = path, .head = o->head, .n_head = (size_t)n
	};
	warnings[0] = 0;
	o->status = hs_scan_open(&o->scan, &o->bytes, NULL, &options, &o->err);
	return o;
}

static struct opened *open_file(const char *name, const char *axes)
{
	char *path = in_dir(name);
	struct opened *o = open_path(path, axes);
	free(path);
	return o;
}

static void done(struct opened *o)
{
	if (o->status == 0)
		hs_scan_release(&o->scan);
	close(o->fd);
	free(o->head);
	free(o);
}

/* The bytes of one element, in native order; the type's NaN or 0 when it lies beyond what was measured. */
static void element(const struct hs_values *v, const size_t *index, void *out)
{
	const size_t size = v->half ? 2 : hs_dtype_size(v->dtype);
	const size_t part = hs_dtype_is_complex(v->dtype) ? size / 2 : size;
	int64_t at = (int64_t)v->offset;
	for (size_t i = 0; i < v->rank; i++)
		at += (int64_t)(v->flip[i] ? v->n[i] - 1 - index[i] : index[i]) * v->stride[i];
	unsigned char raw[16];
	if ((uint64_t)at + size > v->end) {
		memset(out, 0, size);
		const float nan32 = NAN;
		if (v->dtype == HS_F32 && !v->half)
			memcpy(out, &nan32, 4);
		return;
	}
	if (pread(v->fd, raw, size, at) != (ssize_t)size) {
		printf("Bail out! the strides lead out of the file\n");
		exit(99);
	}
	for (size_t i = 0; i < size; i++)
		((unsigned char *)out)[i] = v->big_endian ? raw[i / part * part + part - 1 - i % part] : raw[i];
}

static double half_value(uint16_t h)
{
	const int e = h >> 10 & 31, m = h & 1023;
	const double a = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
	return h >> 15 ? -a : a;
}

/* The real part as a double. */
static double value(const struct hs_values *v, const size_t *index)
{
	union { unsigned char b[16]; float f; double d; uint16_t h; } e;
	double x;
	element(v, index, &e);
	if (v->half)
		return half_value(e.h);
	if (v->dtype == HS_C64)
		return (double)e.f;
	if (v->dtype == HS_C128)
		return e.d;
	hs_dtype_to_double(v->dtype, e.b, &x, 1);
	return x;
}

static double at3(const struct hs_values *v, size_t i, size_t j, size_t k)
{
	return value(v, (size_t[]){ i, j, k });
}

static bool next_index(size_t rank, const size_t *n, size_t *index)
{
	for (size_t i = rank; i-- > 0; index[i] = 0)
		if (++index[i] < n[i])
			return true;
	return false;
}

static bool is_bad(const char *name, const char *axes, enum hs_status status, const char *sentence)
{
	struct opened *o = open_file(name, axes);
	const bool ok = o->status < 0 && o->err.status == status && strstr(o->err.text, sentence);
	if (!ok)
		printf("# %s: status %d, '%s'\n", name, o->status < 0 ? (int)o->err.status : 0, o->err.text);
	done(o);
	return ok;
}

/* Cut at every tenth and at a few bytes: it must never open with fewer values than promised, and never crash. */
static bool cuts_are_bad(const char *name, const void *bytes, size_t n)
{
	bool ok = true;
	for (int k = 0; k < 12; k++) {
		const size_t cut = k < 10 ? n * (size_t)k / 10 : k == 10 ? 1 : n - 1;
		put(name, bytes, cut);
		struct opened *o = open_file(name, NULL);
		if (o->status == 0 || o->err.status != HS_BAD_DATA) {
			printf("# %s: cut to %zu of %zu bytes gives status %d %s\n", name, cut, n, (int)o->err.status,
				o->err.text);
			ok = false;
		}
		done(o);
	}
	return ok;
}

/* ---------------------------------------------------------------------------------------------------------- axes */

static void test_axes(void)
{
	struct hs_axis a[8];
	struct hs_err err = { 0 };
	size_t sig, order[8];
	const size_t n[] = { 3, 4, 5, 6, 2, 2, 2, 2 };
	tap_ok(hs_axes_from_text("y=1:0.5:nm,x=0:-2,energy=-1.2:0.01:eV", 3, n, a, &sig, &err) == 0 && sig == 1 &&
			a[0].value[2] == 2 && !strcmp(a[0].units, "nm") && a[0].kind == HS_AXIS_SPATIAL && a[1].value[1] == -2 &&
			a[2].n == 5 && a[2].kind == HS_AXIS_SPECTRAL && fabs(a[2].value[4] + 1.16) < 1e-12 &&
			!hs_axes_put_last(3, a, sig, order),
		"axes: names with offset, step and unit");
	for (size_t i = 0; i < 3; i++)
		hs_axis_release(&a[i]);
	tap_ok(hs_axes_from_text("energy,y,x", 3, n, a, &sig, &err) == 0 && sig == 1 && hs_axes_put_last(3, a, sig, order) &&
	       order[0] == 1 && order[1] == 2 && order[2] == 0 && !strcmp(a[2].name, "energy") && a[2].n == 3 && a[0].n == 4,
	       "axes: the spectral axis goes last");
	for (size_t i = 0; i < 3; i++)
		hs_axis_release(&a[i]);
	static const struct { size_t rank, sig; const char *last; } custom[] = {
		{ 0, 0, NULL }, { 1, 1, "channel" }, { 2, 2, "x" }, { 3, 1, "channel" }, { 4, 2, "kx" }, { 5, 1, "dim_5" },
		{ 8, 1, "dim_8" },
	};
	for (size_t k = 0; k < HS_LEN(custom); k++) {
		const size_t r = custom[k].rank;
		tap_ok(hs_axes_from_text(NULL, r, n, a, &sig, &err) == 0 && sig == custom[k].sig &&
				(!r || !strcmp(a[r - 1].name, custom[k].last)),
			"axes: customary names for rank %zu", r);
		for (size_t i = 0; i < r; i++)
			hs_axis_release(&a[i]);
	}
	static const struct { const char *text, *sentence; } wrong[] = {
		{ "y,x", "names 2 axes" }, { "y,x,energy,t", "names 4 axes" }, { "y,,energy", "not a name" },
		{ "y,y,energy", "two axes" },
		{ "y,x,2energy", "not a name" }, { "y,x,energy=1", "name=offset:step" }, { "y,x,energy=1:", "not a number" },
		{ "y,x,energy=1:0", "step is 0" }, { "y,x,energy=nan:1", "not a number" },
		{ "y,x,energy=1:2x:eV", "not a number" },
		{ "", "names 1" },
	};
	for (size_t k = 0; k < HS_LEN(wrong); k++) {
		err = (struct hs_err){ 0 };
		tap_ok(hs_axes_from_text(wrong[k].text, 3, n, a, &sig, &err) < 0 && err.status == HS_USAGE &&
				strstr(err.text, wrong[k].sentence),
			"axes '%s': %s", wrong[k].text, err.text);
	}
}

static void test_text(void)
{
	static const struct { const char *date, *time, *iso; } known[] = {
		{ "09.03.2017 21:19:38", NULL, "2017-03-09T21:19:38+00:00" }, { "2016-08-06", "10:55:00",
			"2016-08-06T10:55:00+00:00" },
		{ "2016-08-06T01:02", NULL, "2016-08-06T01:02:00+00:00" }, { "1.2.2024", "", "2024-02-01T00:00:00+00:00" },
		{ "3/9/2017 9:19 PM", NULL, NULL }, { "", NULL, NULL }, { "2017-13-01", NULL, NULL },
		{ "01.01.2020 25:00:00", NULL, NULL },
	};
	for (size_t k = 0; k < HS_LEN(known); k++) {
		char *iso = hs_text_date(known[k].date, known[k].time);
		tap_ok(known[k].iso ? iso && !strcmp(iso, known[k].iso) : !iso, "date '%s': %s", known[k].date,
			iso ? iso : "none");
		free(iso);
	}
	char text[] = "one \r\n  two\n\rthree";
	char *at = text, *a = hs_text_line(&at), *b = hs_text_line(&at), *c = hs_text_line(&at), *d = hs_text_line(&at);
	tap_ok(!strcmp(a, "one") && !strcmp(b, "two") && !strcmp(c, "") && !strcmp(d, "three") && !hs_text_line(&at),
		"lines end in three ways");
}

/* ----------------------------------------------------------------------------------------------------------- npy */

static size_t make_npy(unsigned char *out, int version, const char *dict, const void *data, size_t n)
{
	const size_t len = strlen(dict), head = version == 1 ? 10 : 12;
	memcpy(out, "\x93NUMPY", 6);
	out[6] = (unsigned char)version;
	out[7] = 0;
	for (size_t i = 8; i < head; i++)
		out[i] = (unsigned char)(len >> 8 * (i - 8));
	memcpy(out + head, dict, len);
	if (n)
		memcpy(out + head + len, data, n);
	return head + len + n;
}

static void put_npy(const char *dict, const void *data, size_t n)
{
	unsigned char bytes[8192];
	put("a.npy", bytes, make_npy(bytes, 1, dict, data, n));
}

/* Element (i, j, k) of a 2 x 3 x 4 array holds 12 i + 4 j + k (or its negative for signed types), whatever the order. */
static void npy_type(const char *descr, enum hs_dtype dtype, size_t item, bool big, bool fortran)
{
	unsigned char data[24 * 16] = { 0 };
	const bool is_signed = descr[1] == 'i' || descr[1] == 'f' || descr[1] == 'c';
	for (size_t e = 0; e < 24; e++) {
		const size_t i = e / 12, j = e / 4 % 3, k = e % 4, slot = fortran ? i + 2 * j + 6 * k : e;
		const double x = is_signed ? -(double)e : (double)e;
		union { float f[4]; double d[2]; int64_t i; uint64_t u; uint16_t h; unsigned char b[16]; } cell = { .d = { 0 } };
		if (descr[1] == 'f' && item == 2) {
			const int p = e ? 31 - __builtin_clz((unsigned)e) : 0;
			cell.h = (uint16_t)(e ? 0x8000 | (p + 15) << 10 | (int)((e << (10 - p)) & 1023) : 0x8000);
		} else if (item == 4 && descr[1] == 'f') {
			cell.f[0] = (float)x;
		} else if (item == 8 && descr[1] == 'f') {
			cell.d[0] = x;
		} else if (descr[1] == 'c' && item == 8) {
			cell.f[0] = (float)x;
			cell.f[1] = 99;
		} else if (descr[1] == 'c') {
			cell.d[0] = x;
			cell.d[1] = 99;
		} else {
			cell.i = (int64_t)x;
		}
		const size_t part = descr[1] == 'c' ? item / 2 : item;
		for (size_t b = 0; b < item; b++)
			data[slot * item + b] = big ? cell.b[b / part * part + part - 1 - b % part] : cell.b[b];
	}
	char *dict = hs_must_printf(
		"{'descr': '%s', 'fortran_order': %s, 'shape': (2, 3, 4), }   \n", descr, fortran ? "True" : "False");
	put_npy(dict, data, 24 * item);
	free(dict);
	struct opened *o = open_file("a.npy", NULL);
	bool ok = o->status == 0 && o->scan.n_signals == 1 && o->scan.values[0].dtype == dtype && o->scan.signal[0].sig_rank == 1;
	for (size_t e = 0; e < 24 && ok; e++)
		ok = at3(&o->scan.values[0], e / 12, e / 4 % 3, e % 4) == (is_signed ? -1.0 : 1.0) * (double)e;
	tap_ok(ok, "npy %s%s: 24 values %s", descr, fortran ? " Fortran" : "", o->err.text);
	done(o);
}

static void test_npy(void)
{
	static const struct { const char *descr; enum hs_dtype dtype; size_t item; bool big; } types[] = {
		{ "|b1", HS_U8, 1, false }, { "|u1", HS_U8, 1, false }, { "|i1", HS_I8, 1, false }, { "<u2", HS_U16, 2, false },
		{ ">u2", HS_U16, 2, true }, { "<i2", HS_I16, 2, false }, { "<u4", HS_U32, 4, false }, { ">i4", HS_I32, 4, true },
		{ "<u8", HS_U64, 8, false }, { ">i8", HS_I64, 8, true }, { "<f2", HS_F32, 2, false }, { ">f2", HS_F32, 2, true },
		{ "<f4", HS_F32, 4, false }, { ">f4", HS_F32, 4, true }, { "=f8", HS_F64, 8, false }, { ">f8", HS_F64, 8, true },
		{ "<c8", HS_C64, 8, false }, { ">c8", HS_C64, 8, true }, { "<c16", HS_C128, 16, false },
		{ ">c16", HS_C128, 16, true },
	};
	for (size_t k = 0; k < HS_LEN(types); k++)
		for (int fortran = 0; fortran < 2; fortran++)
			npy_type(types[k].descr, types[k].dtype, types[k].item, types[k].big, fortran);

	unsigned char data[64], bytes[4096];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)i;
	static const struct { const char *dict; size_t rank, sig, n; } shapes[] = {
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': ()}", 1, 1, 1 },
		{ "{'shape':(7,),'fortran_order':False,'descr':'|u1'}", 1, 1, 7 },
		{ "{ \"descr\" : \"u1\" , 'fortran_order' : True , 'shape' : ( 3L , 4L , ) , }\n", 2, 2, 12 },
		{ "  {'descr': '<u1', 'fortran_order': False, 'shape': (2, 2, 3, 4)}\t\n", 4, 2, 48 },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 2, 1, 3)}", 8, 1, 6 },
	};
	for (size_t k = 0; k < HS_LEN(shapes); k++)
		for (int version = 1; version <= 3; version++) {
			put("a.npy", bytes, make_npy(bytes, version, shapes[k].dict, data, shapes[k].n));
			struct opened *o = open_file("a.npy", NULL);
			tap_ok(o->status == 0 && o->scan.signal[0].rank == shapes[k].rank &&
					o->scan.signal[0].sig_rank == shapes[k].sig &&
					hs_signal_count(&o->scan.signal[0]) == shapes[k].n && o->scan.n_header > 20 &&
					o->scan.n_pairs,
				"npy version %d, header %zu: rank %zu %s", version, k + 1, shapes[k].rank, o->err.text);
			done(o);
			put("a.npy", bytes, make_npy(bytes, version, shapes[k].dict, data, shapes[k].n - 1));
			tap_ok(is_bad("a.npy", NULL, HS_BAD_DATA, "file ends after"), "npy: one element short");
		}

	put_npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2, 3)}", data, 24);
	struct opened *o = open_file("a.npy", "energy=1:-0.5:eV,y,x");
	const struct hs_axis *e = &o->scan.signal[0].axis[2];
	bool ok = o->status == 0 && o->scan.values[0].sig_rank == 1 && !strcmp(e->name, "energy") && e->value[0] == -0.5 &&
		  e->value[3] == 1;
	for (size_t i = 0; i < 24 && ok; i++)
		ok = at3(&o->scan.values[0], i % 6 / 3, i % 3, 3 - i / 6) == (double)i;
	tap_ok(ok, "npy --axes energy,y,x: moved to the end, a falling axis turned with its data");
	done(o);
	tap_ok(is_bad("a.npy", "y,x", HS_USAGE, "names 2 axes"), "npy --axes with too few names is usage");

	static const struct { const char *dict, *sentence; } wrong[] = {
		{ "{'descr': '|O', 'fortran_order': False, 'shape': (4,)}", "Python objects" },
		{ "{'descr': 'O8', 'fortran_order': False, 'shape': (4,)}", "Python objects" },
		{ "{'descr': [('a b', '<f4'), ('c[0]', '<i2')], 'fortran_order': False, 'shape': (4,)}", "several fields" },
		{ "{'descr': '<U5', 'fortran_order': False, 'shape': (4,)}", "'<U5'" },
		{ "{'descr': '<f16', 'fortran_order': False, 'shape': (4,)}", "'<f16'" },
		{ "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (4,)}", "'<M8[ns]'" },
		{ "{'descr': '', 'fortran_order': False, 'shape': (4,)}", "not numbers" },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 5)}", "no elements" },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (1152921504606846976,)}", "file ends after" },
		{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976, 16)}", "beyond any file" },
		{ "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "beyond any file" },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999,)}", "beyond any file" },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (-4,)}", "a whole number" },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (4)}", "a tuple" },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (2 2)}", "a comma" },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,4)}", "more than 8" },
		{ "{'descr': '|u1', 'fortran_order': 0, 'shape': (4,)}", "True or False" },
		{ "{'descr': '|u1', 'shape': (4,)}", "lacks 'fortran_order'" }, { "{}", "lacks 'descr'" },
		{ "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (4,)}", "twice" },
		{ "{'descr': '|u1', 'magic': 1, 'fortran_order': False, 'shape': (4,)}", "no known meaning" },
		{ "{'descr': '|u1', 'fortran_order': False, 'shape': (4,)} + x", "nothing more" },
		{ "{'descr': '|u1' 'fortran_order': False, 'shape': (4,)}", "a comma" }, { "{'descr' '|u1'}", "a colon" },
		{ "{'descr': '|u1", "a short string" }, { "{'descr': ", "a string" }, { "{", "a string" },
		{ "import os", "a dict" },
		{ "", "a dict" },
		{ "__import__('os').system('true')", "a dict" },
	};
	for (size_t k = 0; k < HS_LEN(wrong); k++) {
		put_npy(wrong[k].dict, data, 32);
		tap_ok(is_bad("a.npy", NULL, HS_BAD_DATA, wrong[k].sentence), "npy refuses %s",
			*wrong[k].dict ? wrong[k].dict : "an empty header");
	}
	const char *good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4), }          \n";
	size_t n = make_npy(bytes, 1, good, data, 64);
	tap_ok(cuts_are_bad("a.npy", bytes, n), "npy cut short anywhere is bad data");
	bytes[6] = 9;
	put("a.npy", bytes, n);
	tap_ok(is_bad("a.npy", NULL, HS_BAD_DATA, "version 9.0"), "npy of a version to come");
	bytes[6] = 2;
	memset(bytes + 8, 255, 4);
	put("a.npy", bytes, n);
	tap_ok(is_bad("a.npy", NULL, HS_BAD_DATA, "claims 4294967295 bytes"), "npy with a header of 4 GiB");
	n = make_npy(bytes, 1, good, data, 64);
	bytes[30] = 0;
	put("a.npy", bytes, n);
	tap_ok(is_bad("a.npy", NULL, HS_BAD_DATA, "not text"), "npy with a NUL in its header");
	bytes[0] = 'x';
	put("a.npy", bytes, n);
	tap_ok(is_bad("a.npy", NULL, HS_BAD_DATA, "none of the known formats"), "wrong magic is no npy");
}

/* ----------------------------------------------------------------------------------------------------------- rpl */

static struct opened *open_rpl(const char *header, const void *raw, size_t n, const char *axes)
{
	put("r.rpl", header, strlen(header));
	put("r.raw", raw, n);
	return open_file("r.rpl", axes);
}

static bool rpl_is_bad(const char *header, size_t n, const char *sentence)
{
	unsigned char raw[256] = { 0 };
	put("r.rpl", header, strlen(header));
	put("r.raw", raw, n);
	return is_bad("r.rpl", NULL, HS_BAD_DATA, sentence);
}

static void test_rpl(void)
{
	unsigned char raw[256];
	for (size_t i = 0; i < sizeof raw; i++)
		raw[i] = (unsigned char)i;

	/* 2 rows, 3 columns, 4 channels; 5 bytes in front; big-endian 16 bit */
	struct opened *o = open_rpl(
		"key\tvalue\r\nwidth\t3\r\nHEIGHT\t2\r\ndepth\t4\r\noffset\t5\r\ndata-Length \t2\r\ndata-type\tunsigned\r\n"
		"byte-order\tbig-endian\r\nrecord-by\timage\r\nev-per-chan\t10\r\ndate\t2016-08-06\r\ntime\t10:55:"
		"00\r\ntitle\tan iron; cube\r\n"
		"signal\tEDS_TEM\r\n",
		raw, 53, NULL);
	bool ok = o->status == 0 && o->scan.signal[0].rank == 3 && o->scan.signal[0].sig_rank == 1;
	for (size_t i = 0; i < 24 && ok; i++) {
		const size_t y = i / 12, x = i / 4 % 3, e = i % 4, first = 5 + 2 * (e * 6 + y * 3 + x);
		ok = at3(&o->scan.values[0], y, x, e) == (double)(raw[first] * 256 + raw[first + 1]);
	}
	tap_ok(ok, "rpl by image: 24 values as (y, x, energy) %s", o->err.text);
	tap_ok(ok && o->scan.signal[0].axis[2].value[3] == 30 && !strcmp(o->scan.signal[0].axis[2].units, "eV") &&
			!strcmp(o->scan.signal[0].axis[2].name, "energy") && !strcmp(o->scan.title, "an iron; cube") &&
			!strcmp(o->scan.start_time, "2016-08-06T10:55:00+00:00") && !strcmp(o->scan.modality, "EDS_TEM") &&
			o->scan.n_header,
		"rpl: ev-per-chan, title, date and signal");
	done(o);

	o = open_rpl("; a remark\nkey value\nwidth 3 ; columns\nheight 2\ndepth 4\ndata-length 1\ndata-type signed\nbyte-order "
		     "dont-care\n"
		     "record-by vector\ndepth-scale -0.5\ndepth-origin 2\ndepth-units V\nwidth-scale 2\nwidth-units "
		     "nm\nwidth-name 2\n",
		raw, 40, NULL);
	ok = o->status == 0 && o->scan.values[0].dtype == HS_I8;
	for (size_t i = 0; i < 24 && ok; i++)
		ok = at3(&o->scan.values[0], i / 12, i / 4 % 3, 3 - i % 4) == (double)i;
	tap_ok(ok && !strcmp(o->scan.signal[0].axis[2].name, "bias") && o->scan.signal[0].axis[2].value[0] == 0.5 &&
			o->scan.signal[0].axis[1].value[2] == 4 && !strcmp(o->scan.signal[0].axis[1].name, "x") &&
			o->scan.signal[0].axis[0].value[1] == 1,
		"rpl by vector, blanks, remarks, a falling axis, a longer .raw %s", o->err.text);
	done(o);

	static const struct { const char *sizes, *record; size_t rank, sig, n[3]; } shapes[] = {
		{ "width 1\nheight 1\ndepth 6", "vector", 1, 1, { 6 } }, { "width 3\nheight 1\ndepth 2",
			"vector", 2, 1, { 3, 2 } },
		{ "width 1\nheight 3\ndepth 2", "image", 2, 1, { 3, 2 } }, { "width 3\nheight 2\ndepth 1",
			"dont-care", 2, 2, { 2, 3 } },
		{ "width 6\nheight 1\ndepth 1", "dont-care", 2, 2, { 1, 6 } },
		{ "width 1\nheight 1\ndepth 6", "dont-care", 1, 1, { 6 } },
		{ "width 1\nheight 1\ndepth 1", "vector", 1, 1, { 1 } },
	};
	for (size_t k = 0; k < HS_LEN(shapes); k++) {
		char *header = hs_must_printf(
			"key\tvalue\n%s\nrecord-by %s\ndata-length 1\ndata-type unsigned\n", shapes[k].sizes, shapes[k].record);
		o = open_rpl(header, raw, 6, NULL);
		ok = o->status == 0 && o->scan.signal[0].rank == shapes[k].rank && o->scan.signal[0].sig_rank == shapes[k].sig;
		size_t index[HS_MAX_RANK] = { 0 }, i = 0;
		for (size_t d = 0; d < shapes[k].rank && ok; d++)
			ok = o->scan.values[0].n[d] == shapes[k].n[d];
		if (ok && strcmp(shapes[k].record, "image"))
			do
				ok = value(&o->scan.values[0], index) == (double)i++;
			while (ok && next_index(shapes[k].rank, shapes[k].n, index));
		tap_ok(ok, "rpl by %s, shape %zu: rank %zu %s", shapes[k].record, k + 1, shapes[k].rank, o->err.text);
		free(header);
		done(o);
	}
	o = open_rpl("key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 2\ndata-type float\nrecord-by vector\n", raw, 48,
		"y,x=0:2:nm,bias=-1:1:V");
	tap_ok(o->status == 0 && o->scan.values[0].half && o->scan.values[0].dtype == HS_F32 &&
			o->scan.values[0].stride[2] == 2 && !strcmp(o->scan.signal[0].axis[2].name, "bias") &&
			o->scan.signal[0].axis[1].value[2] == 4,
		"rpl: half floats, --axes");
	done(o);

	o = open_rpl("key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\nrecord-by vector\n", raw, 24,
		"energy,y,x");
	ok = o->status == 0;
	for (size_t i = 0; i < 24 && ok; i++)
		ok = at3(&o->scan.values[0], i / 4 % 3, i % 4, i / 12) == (double)i;
	tap_ok(ok && !strcmp(o->scan.signal[0].axis[2].name, "energy"), "rpl: --axes that put the spectral axis first");
	done(o);
	o = open_rpl("key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\nrecord-by vector\n"
		"depth-scale wide\n",
		raw, 24, NULL);
	tap_ok(o->status == 0 && o->scan.signal[0].axis[2].value[3] == 3 && strstr(warnings, "depth-scale"),
		"rpl: a scale that is no number is announced");
	done(o);

	const char *good = "key\tvalue\nwidth\t3\nheight\t2\ndepth\t4\ndata-length\t1\ndata-type\tunsigned\nrecord-by\tvector\n";
	tap_ok(rpl_is_bad(good, 23, "promises 24 bytes"), "rpl: .raw one byte short");
	static const struct { const char *header, *sentence; } wrong[] = {
		{ "key\tvalue\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\n", "lacks 'width'" },
		{ "key\tvalue\nwidth 0\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\n", "'width' is 0" },
		{ "key\tvalue\nwidth -3\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\n", "not a whole number" },
		{ "key\tvalue\nwidth 3x\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\n", "not a whole number" },
		{ "key\tvalue\nwidth 1152921504606846976\nheight 2\ndepth 4\ndata-length 8\ndata-type float\nrecord-by image\n",
			"beyond any file" },
		{ "key\tvalue\nwidth 1152921504606846976\nheight 1\ndepth 1\ndata-length 1\ndata-type unsigned\n",
			"promises 11529" },
		{ "key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\noffset 18446744073709551615\n",
			"beyond any file" },
		{ "key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 3\ndata-type unsigned\n", "data-type 'unsigned' of 3" },
		{ "key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 1\ndata-type float\n", "data-type 'float' of 1" },
		{ "key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\nrecord-by chance\n",
			"record-by 'chance'" },
		{ "key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\nrecord-by dont-care\n",
			"by vector or by image" },
		{ "key\tvalue\nwidth 3\nheight 2\ndepth 4\ndata-length 1\ndata-type unsigned\nrecord-by image\nbyte-order odd\n",
			"byte-order 'odd'" },
	};
	for (size_t k = 0; k < HS_LEN(wrong); k++)
		tap_ok(rpl_is_bad(wrong[k].header, 256, wrong[k].sentence), "rpl: %s", wrong[k].sentence);
	for (size_t k = 1; k < 10; k++) {
		const size_t cut = strlen(good) * k / 10;
		put("r.rpl", good, cut);
		tap_ok(is_bad("r.rpl", NULL, HS_BAD_DATA, "cannot read"), "rpl header cut to %zu bytes", cut);
	}
	char *path = in_dir("r.raw"), *upper = in_dir("r.RAW");
	put("r.rpl", good, strlen(good));
	put("r.raw", raw, 24);
	rename(path, upper);
	o = open_file("r.rpl", NULL);
	tap_ok(o->status == 0 && at3(&o->scan.values[0], 1, 2, 3) == 23, "rpl finds .RAW");
	done(o);
	unlink(upper);
	tap_ok(is_bad("r.rpl", NULL, HS_BAD_DATA, "not beside it"), "rpl alone");
	free(path);
	free(upper);
	unsigned char junk[600];
	memcpy(junk, good, strlen(good));
	for (size_t i = strlen(good); i < sizeof junk; i++)
		junk[i] = (unsigned char)(i * 37 % 256);
	put("r.rpl", junk, sizeof junk);
	tap_ok(is_bad("r.rpl", NULL, HS_BAD_DATA, "none of the known formats"), "binary bytes are no rpl");
	static const char prose[] = "depth of field: 3\nwidth and height unknown\n";
	put("r.rpl", prose, sizeof prose - 1);
	tap_ok(is_bad("r.rpl", NULL, HS_BAD_DATA, "none of the known formats"), "prose is no rpl");
	put("e.bin", "", 0);
	tap_ok(is_bad("e.bin", NULL, HS_BAD_DATA, "empty"), "an empty file");
	put("e.bin", "k", 1);
	tap_ok(is_bad("e.bin", NULL, HS_BAD_DATA, "none of the known formats"), "one byte");
}

/* ---------------------------------------------------------------------------------------------------------- .3ds */

/* A grid whose header is the lines given, and records of n_parameters + n_channels x points: value p of pixel i is
 * 1000 i + p, except that the first two parameters are start and end. Returns the length; out has room. */
static size_t make_3ds(unsigned char *out, const char *header, size_t n_pixels, size_t n_values, float start, float end)
{
	size_t n = (size_t)sprintf((char *)out, "%s:HEADER_END:\r\n", header);
	for (size_t i = 0; i < n_pixels; i++)
		for (size_t p = 0; p < n_values; p++, n += 4) {
			const float x = p == 0 ? start : p == 1 ? end : (float)(1000 * i + p);
			uint32_t bits;
			memcpy(&bits, &x, 4);
			bits = __builtin_bswap32(bits);
			memcpy(out + n, &bits, 4);
		}
	return n;
}

static void set_float(unsigned char *at, float x)
{
	uint32_t bits;
	memcpy(&bits, &x, 4);
	bits = __builtin_bswap32(bits);
	memcpy(at, &bits, 4);
}

#define GRID_3X2 "Grid dim=\"3 x 2\"\r\nGrid settings=1E-8;-2E-8;3E-9;4E-9;0E+0\r\n"
#define SWEEP                                                                                                                    \
	"Sweep Signal=\"Bias (V)\"\r\nFixed parameters=\"Sweep Start;Sweep End\"\r\nExperiment parameters=\"X (m);Y (m)\"\r\n"   \
	"# Parameters (4 byte)=4\r\n"
#define REST "Experiment size (bytes)=40\r\nPoints=5\r\nChannels=\"Current (A);LI Demod 1 X [bwd] (A)\"\r\n"

static const struct hs_signal *named(const struct opened *o, const char *name, const struct hs_values **v)
{
	for (size_t i = 0; i < o->scan.n_signals; i++)
		if (!strcmp(o->scan.signal[i].name, name)) {
			*v = &o->scan.values[i];
			return &o->scan.signal[i];
		}
	printf("# no signal '%s'\n", name);
	exit(99);
}

static bool near_to(double a, double b, double tolerance)
{
	return fabs(a - b) <= tolerance;
}

static void test_3ds_layout(void)
{
	static unsigned char bytes[1 << 16];
	size_t n = make_3ds(bytes,
		GRID_3X2 "Filetype=Linear\r\n" SWEEP REST
			 "Experiment=\"Grid Spectroscopy\"\r\nStart time=\"01.02.2024 03:04:05\"\r\n"
			 "Comment=a=b \xb5m\r\n",
		6, 14, -1, 1);
	put("g.3ds", bytes, n);
	struct opened *o = open_file("g.3ds", NULL);
	const struct hs_values *v, *w, *q;
	const struct hs_signal *c = named(o, "Current", &v), *b = named(o, "LI_Demod_1_X_bwd", &w),
			       *p = named(o, "parameter_Y", &q);
	bool ok =
		o->status == 0 && o->scan.n_signals == 6 && c->rank == 3 && c->sig_rank == 1 && p->rank == 2 && p->sig_rank == 2;
	for (size_t i = 0; i < 30 && ok; i++) {
		const size_t pix = i / 5, k = i % 5;
		ok = at3(v, pix / 3, pix % 3, k) == (double)(1000 * pix + 4 + k) &&
		     at3(w, pix / 3, pix % 3, k) == (double)(1000 * pix + 9 + k) &&
		     value(q, (size_t[]){ pix / 3, pix % 3 }) == (double)(1000 * pix + 3);
	}
	tap_ok(ok, "3ds: two channels and a parameter, value by value %s", o->err.text);
	tap_ok(!strcmp(c->units, "A") && !strcmp(c->quantity, "Current") && !strcmp(p->units, "m") &&
			!strcmp(b->title, "LI Demod 1 X [bwd] (A)") && o->scan.main == 0 && !warnings[0],
		"3ds: units, titles, main signal, nothing to warn of: '%s'", warnings);
	tap_ok(near_to(c->axis[0].value[0], -2.1e-8, 1e-20) && near_to(c->axis[0].value[1], -1.9e-8, 1e-20) &&
			near_to(c->axis[1].value[0], 9e-9, 1e-20) && near_to(c->axis[1].value[2], 1.1e-8, 1e-20) &&
			!strcmp(c->axis[1].units, "m") && c->axis[2].value[0] == -1 && c->axis[2].value[1] == -0.5 &&
			c->axis[2].value[4] == 1 && !strcmp(c->axis[2].name, "bias") && !strcmp(c->axis[2].units, "V"),
		"3ds: pixel centres and sweep");
	tap_ok(!strcmp(o->scan.title, "Grid Spectroscopy") && !strcmp(o->scan.start_time, "2024-02-01T03:04:05+00:00") &&
			!strcmp(o->scan.modality, "STS") && o->scan.n_header + 6 * 14 * 4 == n &&
			!memcmp(o->scan.header, bytes, o->scan.n_header) &&
			!strcmp(o->scan.pair[o->scan.n_pairs - 1].value, "a=b \xc2\xb5m"),
		"3ds: metadata, the header verbatim and as UTF-8 pairs");
	tap_ok(c->n_coords == 0, "3ds: no positions beside the axes of a straight grid");
	done(o);

	bytes[strlen(GRID_3X2) - 6] = '9';                 /* angle 0E+0 -> 9E+0 */
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	const struct hs_coord *x = o->scan.signal[0].coord;
	const double t = 9 * M_PI / 180;
	ok = o->status == 0 && o->scan.signal[0].n_coords == 2 && x->n == 6 && x->n_dims == 2 && x->dim[0] == 0 && x->dim[1] == 1;
	for (size_t j = 0; j < 2 && ok; j++)
		for (size_t i = 0; i < 3; i++) {
			const double u = ((double)i - 1) * 1e-9, h = ((double)j - 0.5) * 2e-9;
			ok &= near_to(x[0].value[3 * j + i], 1e-8 + u * cos(t) + h * sin(t), 1e-21) &&
			      near_to(x[1].value[3 * j + i], -2e-8 - u * sin(t) + h * cos(t), 1e-21);
		}
	tap_ok(ok, "3ds: a turned grid has positions");
	done(o);

	/* the same, swept from above to below: axis and values turn, parameters do not */
	n = make_3ds(bytes, GRID_3X2 SWEEP REST, 6, 14, 2, -2);
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	c = named(o, "Current", &v);
	tap_ok(o->status == 0 && c->axis[2].value[0] == -2 && c->axis[2].value[4] == 2 && v->flip[2] && at3(v, 1, 2, 0) == 5008 &&
	       at3(v, 1, 2, 4) == 5004, "3ds: a falling sweep is turned with its data; no Filetype needed");
	done(o);

	for (size_t held = 0; held <= 6; held++) {
		const size_t header = n - 6 * 56;
		for (size_t extra = 0; extra < 56; extra += 55) {
			if (held == 6 && extra)
				continue;
			put("g.3ds", bytes, header + held * 56 + extra);
			if (!held) {
				tap_ok(is_bad("g.3ds", NULL, HS_BAD_DATA, "promises 6 points, file ends before the first"),
					"3ds: not one point");
				continue;
			}
			o = open_file("g.3ds", NULL);
			c = named(o, "Current", &v);
			size_t missing = 0;
			for (size_t i = 0; i < 30; i++)
				missing += isnan(at3(v, i / 15, i / 5 % 3, i % 5)) ? 1 : 0;
			char *said = hs_must_printf("promises 6 points, file ends after %zu", held);
			tap_ok(o->status == 0 && missing == 5 * (6 - held) &&
					(held == 6 ? !warnings[0] : strstr(warnings, said) != NULL),
				"3ds: aborted after %zu points and %zu bytes: %zu NaN", held, extra, missing);
			free(said);
			done(o);
		}
	}
	put("g.3ds", bytes, n + 100);
	o = open_file("g.3ds", NULL);
	tap_ok(o->status == 0 && strstr(warnings, "100 bytes behind"), "3ds: bytes behind the last point are announced");
	done(o);
}

static void test_3ds_sweeps(void)
{
	static unsigned char bytes[1 << 16];
	const struct hs_values *v;
	const char *head = GRID_3X2 "Filetype=MLS\r\n" SWEEP "Segment Start (V), Segment End (V), Settling (s), Integration (s), "
							     "Steps (xn)=300E-3,0E+0,1E-3,1E-3,4;0E+0,-500E-3,1E-3,1E-3,2\r\n"
				    "Points=\"5\"\r\nChannels=\"Current (A)\"\r\n";
	size_t n = make_3ds(bytes, head, 6, 9, 0.3f, -0.5f);
	put("g.3ds", bytes, n);
	struct opened *o = open_file("g.3ds", NULL);
	const struct hs_axis *a = &named(o, "Current", &v)->axis[2];
	tap_ok(o->status == 0 && near_to(a->value[0], 0.3, 1e-15) && near_to(a->value[1], 0.2, 1e-15) &&
			near_to(a->value[3], 0, 1e-15) && near_to(a->value[4], -0.5, 1e-15) && !v->flip[2] && !warnings[0],
		"3ds MLS: two segments share a point; such an axis may fall");
	done(o);

	head = GRID_3X2 "Filetype=MLS\r\n" SWEEP
			"Bias Spectroscopy>MultiLine Settings : Segment Start (V), Segment End (V)=0,1,0,0,9\r\n"
			"Points=5\r\nChannels=\"Bias (V);Current (A)\"\r\n";
	n = make_3ds(bytes, head, 6, 14, 0, 1);
	const size_t first = n - 6 * 56 + 16;
	static const float swept[] = { 0, 1, 3, 3.5f, 7 };
	for (size_t p = 0; p < 6; p++)
		for (size_t k = 0; k < 5; k++)
			set_float(bytes + first + 56 * p + 4 * k, swept[k]);
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	a = &named(o, "Current", &v)->axis[2];
	tap_ok(o->status == 0 && a->value[2] == 3 && a->value[3] == 3.5 && a->value[4] == 7 && o->scan.main == 1,
	       "3ds MLS: segments that do not fit give way to the recorded sweep; the main signal is not the sweep");
	done(o);
	set_float(bytes + first + 56 * 5 + 8, 2.9f);
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	a = &named(o, "Current", &v)->axis[2];
	tap_ok(o->status == 0 && a->value[4] == 4 && !strcmp(a->units, "1") && strstr(warnings, "no usable axis"),
	       "3ds MLS: a record that differs between pixels is no axis");
	done(o);

	static const char *const hopeless[] = { "", "Segment Start (V)=one,two,three\r\n", "Segment Start (V)=0,1,0,0,3;1,2\r\n",
		"Segment Start (V)=0,1,0,0,0\r\n", "Segment Start (V)=0,1,0,0,1e300\r\n", "Segment Start (V)=\r\n" };
	for (size_t k = 0; k < HS_LEN(hopeless); k++) {
		char *text = hs_must_printf(GRID_3X2 "Filetype=MLS\r\n" SWEEP "%sPoints=5\r\nChannels=\"Current (A)\"\r\n",
			hopeless[k]);
		put("g.3ds", bytes, make_3ds(bytes, text, 6, 9, 0, 1));
		free(text);
		o = open_file("g.3ds", NULL);
		tap_ok(o->status == 0 && named(o, "Current", &v)->axis[2].value[4] == 4 && strstr(warnings, "no usable axis"),
			"3ds MLS: segments that say nothing (%zu)", k + 1);
		done(o);
	}

	n = make_3ds(bytes, GRID_3X2 SWEEP "Points=5\r\nChannels=\"Current (A);Bias (V)\"\r\n", 6, 14, 0, 1);
	for (size_t p = 0; p < 6; p++)
		for (size_t k = 0; k < 5; k++)
			set_float(bytes + n - 6 * 56 + 36 + 56 * p + 4 * k, (float)k / 4 * (1 + 1e-7f));
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	a = &named(o, "Current", &v)->axis[2];
	tap_ok(o->status == 0 && a->value[1] == 0.25 && a->value[4] == 1,
		"3ds: a record that agrees to float32 leaves the line as commanded");
	done(o);

	n = make_3ds(bytes, GRID_3X2 SWEEP REST, 6, 14, 0, 1);
	set_float(bytes + n - 56 + 4, 2);
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	tap_ok(o->status == 0 && strstr(warnings, "limits of the sweep differ"), "3ds: sweep limits that differ between pixels");
	done(o);

	n = make_3ds(bytes, GRID_3X2 SWEEP REST, 6, 14, 1, 1);
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	a = &named(o, "Current", &v)->axis[2];
	tap_ok(o->status == 0 && a->value[4] == 4 && strstr(warnings, "no usable axis"),
		"3ds: a sweep that stands still is counted");
	done(o);

	n = make_3ds(bytes, "Date=\"05.06.2016 07:08:09\"\nGrid dim=\"3 x 2\"\nExperiment parameters=\"X (m)\"\nPoints=5\n"
		"Channels=\"Current (A);Current (A)\"\nZ Spectroscopy>backward sweep=TRUE\n", 6, 11, 0, 1);
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	const struct hs_signal *c = named(o, "Current_2", &v);
	tap_ok(o->status == 0 && at3(v, 1, 2, 4) == 5010 && !strcmp(c->axis[2].name, "z") && !strcmp(c->axis[1].units, "1") &&
	       !strcmp(o->scan.start_time, "2016-06-05T07:08:09+00:00") && strstr(warnings, "Grid settings") && !o->scan.modality,
	       "3ds: an old header, LF, with neither settings nor sweep, two channels of one name");
	done(o);
}

static void test_3ds_bad(void)
{
	static unsigned char bytes[1 << 16];
	static const struct { const char *header, *sentence; } wrong[] = {
		{ "Grid dim=\"2147483647 x 2147483647\"\r\n" SWEEP REST, "2147483647 x 2147483647 points" },
		{ "Grid dim=\"40000 x 40000\"\r\n" SWEEP REST, "promises 1600000000 points, file ends after 6" },
		{ "Grid dim=\"99999999999999999999 x 1\"\r\n" SWEEP REST, "too large" },
		{ "Grid dim=\"0 x 2\"\r\n" SWEEP REST, "not the size" }, { "Grid dim=\"-3 x 2\"\r\n" SWEEP REST,
			"not a whole number" },
		{ "Grid dim=\"3\"\r\n" SWEEP REST, "not like" }, { "Grid dim=\r\n" SWEEP REST, "not like" },
		{ GRID_3X2 SWEEP "Points=0\r\nChannels=\"I (A)\"\r\n", "at least one" },
		{ GRID_3X2 SWEEP "Points=-5\r\nChannels=\"I (A)\"\r\n", "not a whole number" },
		{ GRID_3X2 SWEEP "Points=1152921504606846976\r\nChannels=\"I (A)\"\r\n", "beyond any grid" },
		{ GRID_3X2 SWEEP "Points=2147483647\r\nChannels=\"I (A)\"\r\n", "before the first is complete" },
		{ GRID_3X2 SWEEP "Points=5\r\n", "no channels" }, { GRID_3X2 SWEEP "Channels=\"I (A)\"\r\n", "lacks 'Points'" },
		{ GRID_3X2 "# Parameters (4 byte)=999999999\r\n" REST, "beyond any grid" },
		{ GRID_3X2 "# Parameters (4 byte)=x\r\n" REST, "not a whole number" },
	};
	for (size_t k = 0; k < HS_LEN(wrong); k++) {
		put("g.3ds", bytes, make_3ds(bytes, wrong[k].header, 6, 14, 0, 1));
		tap_ok(is_bad("g.3ds", NULL, HS_BAD_DATA, wrong[k].sentence), "3ds: %s", wrong[k].sentence);
	}
	put("g.3ds", bytes, make_3ds(bytes, "Grid dim=\"4000000 x 1\"\r\n# Parameters (4 byte)=8000\r\n" REST, 1, 8010, 0, 1));
	tap_ok(is_bad("g.3ds", NULL, HS_BAD_DATA, "8002 signals"), "3ds: thousands of axes of millions");
	size_t n = make_3ds(bytes, GRID_3X2 SWEEP REST, 6, 14, 0, 1);
	const size_t header = n - 6 * 56;
	bool ok = true;
	for (size_t k = 1; k <= 10; k++) {
		const size_t cut = k < 10 ? header * k / 10 : header - 4;
		put("g.3ds", bytes, cut);
		ok &= is_bad("g.3ds", NULL, HS_BAD_DATA, "no end");
	}
	tap_ok(ok, "3ds: a header cut anywhere");
	struct opened *o;
	memcpy(bytes + header - strlen(":HEADER_END:\r\n") , ":HEADER_FIN:", 12);
	put("g.3ds", bytes, n);
	tap_ok(is_bad("g.3ds", NULL, HS_BAD_DATA, "no end"), "3ds: no :HEADER_END:");

	n = make_3ds(bytes, GRID_3X2 SWEEP "Experiment size (bytes)=999\r\nPoints=5\r\nChannels=\"I (A);dI [V] (A)\"\r\n", 6, 14,
		0, 1);
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	tap_ok(o->status == 0 && strstr(warnings, "gives a pixel '999' bytes"), "3ds: a record size that disagrees is announced");
	done(o);
	n = make_3ds(bytes, GRID_3X2 SWEEP REST "Comment=:HEADER_END: is the end\r\n", 6, 14, 0, 1);
	put("g.3ds", bytes, n);
	o = open_file("g.3ds", NULL);
	tap_ok(o->status == 0 && at3(&o->scan.values[0], 0, 0, 0) == 4 && !warnings[0],
		"3ds: the end mark inside a comment is no end");
	done(o);

	/* 100 MB that begin like a header: given up after 16 MiB */
	char *path = in_dir("h.3ds");
	put("h.3ds", "Grid dim=\"3 x 2\"\r\n", 18);
	ok = truncate(path, 100 << 20) == 0;
	free(path);
	tap_ok(ok && is_bad("h.3ds", NULL, HS_BAD_DATA, "no end"), "3ds: a header of 100 MB");

	/* the mark across the border of the first piece that is read */
	for (size_t at = 65536 - 14; at <= 65536 + 2; at += 4) {
		char *filler = hs_must_alloc(at + 1, 1), *text;
		const size_t used = strlen(GRID_3X2 SWEEP REST "Comment=\r\n");
		memset(filler, 'x', at - used);
		text = hs_must_printf(GRID_3X2 SWEEP REST "Comment=%s\r\n", filler);
		unsigned char *big = hs_must_alloc(at + 1024, 1);
		put("g.3ds", big, make_3ds(big, text, 6, 14, 0, 1));
		o = open_file("g.3ds", NULL);
		tap_ok(o->status == 0 && at3(&o->scan.values[0], 1, 2, 4) == 5008, "3ds: the header ends at byte %zu", at);
		done(o);
		free(filler);
		free(text);
		free(big);
	}
}

/* -------------------------------------------------------------------------------------------------- real files */

static const char *collection(void)
{
	static const char *const places[] = { "../shared/data", "../../shared/data" };
	const char *env = getenv("HS_DATA");
	if (env && access(env, R_OK) == 0)
		return env;
	for (size_t i = 0; i < HS_LEN(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

/* Which of our dimensions is dimension i of the truth: the same, or, where the other reader kept the order of a file
 * recorded by image, (depth, y, x). */
static bool match_shape(const json_t *shape, const struct hs_values *v, size_t *ours)
{
	if (json_array_size(shape) != v->rank)
		return false;
	for (size_t turn = 0; turn < 2; turn++) {
		bool same = true;
		for (size_t i = 0; i < v->rank; i++) {
			ours[i] = turn ? (i + v->rank - 1) % v->rank : i;
			same &= (size_t)json_integer_value(json_array_get(shape, i)) == v->n[ours[i]];
		}
		if (same)
			return true;
	}
	return false;
}

/* *sum is that of the finite values. */
static bool same_values(const json_t *set, const struct hs_values *v, double *sum)
{
	size_t ours[HS_MAX_RANK], n[HS_MAX_RANK], index[HS_MAX_RANK] = { 0 }, mine[HS_MAX_RANK];
	if (!match_shape(json_object_get(set, "shape"), v, ours))
		return false;
	for (size_t i = 0; i < v->rank; i++)
		n[i] = v->n[ours[i]];
	struct hs_sha256 *h = hs_sha256_new();
	json_int_t not_finite = 0;
	*sum = 0;
	do {
		unsigned char cell[16];
		for (size_t i = 0; i < v->rank; i++)      /* back to the direction of the file */
			mine[ours[i]] = v->flip[ours[i]] ? n[i] - 1 - index[i] : index[i];
		element(v, mine, cell);
		hs_sha256_add(h, cell, hs_dtype_size(v->dtype));
		const double x = value(v, mine);
		if (isfinite(x))
			*sum += x;
		else
			not_finite++;
	} while (next_index(v->rank, n, index));
	char hex[65];
	hs_sha256_take(h, hex);
	const char *wanted = json_string_value(json_object_get(set, "sha256_le_c"));
	bool ok = wanted && !strcmp(hex, wanted) && not_finite == json_integer_value(json_object_get(set, "not_finite"));
	size_t k;
	json_t *sample;
	json_array_foreach(json_object_get(set, "samples"), k, sample) {
		for (size_t i = 0; i < v->rank; i++) {
			const size_t at = (size_t)json_integer_value(json_array_get(json_object_get(sample, "index"), i));
			mine[ours[i]] = v->flip[ours[i]] ? n[i] - 1 - at : at;
		}
		const json_t *x = json_object_get(sample, "value");
		ok &= json_is_number(x) ? value(v, mine) == json_number_value(x) : !isfinite(value(v, mine));
	}
	return ok;
}

/* Axes of the truth: those that say scale and offset. */
static bool same_axes(const json_t *set, const struct hs_signal *s, const struct hs_values *v)
{
	size_t ours[HS_MAX_RANK], i;
	const json_t *axis;
	if (!match_shape(json_object_get(set, "shape"), v, ours))
		return false;
	json_array_foreach(json_object_get(set, "axes"), i, axis) {
		const struct hs_axis *a = &s->axis[ours[i]];
		const json_t *scale = json_object_get(axis, "scale"), *offset = json_object_get(axis, "offset");
		if (!scale || v->flip[ours[i]])
			continue;
		const double step = json_number_value(scale);
		for (size_t k = 0; k < a->n; k++)
			if (!near_to(a->value[k], json_number_value(offset) + step * (double)k, 1e-6 * fabs(step)))
				return false;
		const char *units = json_string_value(json_object_get(axis, "units"));
		if (units && strcmp(units, a->units))
			return false;
	}
	return true;
}

static void check_real(const char *root, const char *name)
{
	char *flat = hs_must_dup(name), *truth_path;
	for (char *slash; (slash = strchr(flat, '/')); )
		*slash = ':';
	char *colon = strchr(flat, ':');
	*colon = 0;
	truth_path = hs_must_printf("%s/truth/%s__%s.json", root, flat, colon + 1);
	char *path = hs_must_printf("%s/%s", root, name);
	json_error_t trouble;
	json_t *truth = json_load_file(truth_path, 0, &trouble), *sets = json_object_get(truth, "datasets"), *set;
	if (truth) {
		struct opened *o = open_path(path, NULL);
		tap_ok(o->status == 0 && o->scan.n_signals >= json_array_size(sets) && !warnings[0],
			"%s: %zu signals, no warning %s%s", name, o->scan.n_signals, o->err.text, warnings);
		size_t k;
		json_array_foreach(sets, k, set) {
			const char *wanted = json_string_value(json_object_get(set, "name"));
			const bool parameter = hs_starts(wanted, "parameter:");
			size_t s = 0;
			while (strstr(name, ".3ds") && s < o->scan.n_signals &&
			       (parameter != hs_starts(o->scan.signal[s].name, "parameter_") ||
				!hs_starts(o->scan.signal[s].title, parameter ? strchr(wanted, ':') + 1 : wanted)))
				s++;
			double sum = NAN;
			const bool ok = o->status == 0 && s < o->scan.n_signals && same_values(set, &o->scan.values[s], &sum);
			const double expected = json_number_value(json_object_get(set, "sum"));
			tap_ok(ok &&
					near_to(sum, expected,
						1e-9 * fabs(expected) +
							1e-12 * fabs(json_number_value(json_object_get(set, "max")))) &&
					same_axes(set, &o->scan.signal[s], &o->scan.values[s]),
				"%s '%s': shape, every value, samples, axes; sum %.10g", name, wanted, sum);
		}
		done(o);
	} else {
		printf("# skip %s: %s\n", name, trouble.text);
	}
	json_decref(truth);
	free(flat);
	free(path);
	free(truth_path);
}

static void test_collection(void)
{
	static const struct { const char *folder, *ending; } where[] = {
		{ "npy", ".npy" }, { "rpl", ".rpl" }, { "3ds", ".3ds" }, { "variants", ".npy" }, { "variants", ".rpl" },
		{ "variants", ".3ds" },
	};
	const char *root = collection();
	if (!root) {
		printf("# skip: no collection of real files (set HS_DATA)\n");
		return;
	}
	for (size_t k = 0; k < HS_LEN(where); k++) {
		char *folder = hs_must_printf("%s/%s", root, where[k].folder);
		struct dirent **entry = NULL;
		const int n = scandir(folder, &entry, NULL, alphasort);
		if (n < 0)
			printf("# skip %s: %s\n", folder, strerror(errno));
		for (int i = 0; i < n; i++) {
			if (hs_ends(entry[i]->d_name, where[k].ending)) {
				char *name = hs_must_printf("%s/%s", where[k].folder, entry[i]->d_name);
				check_real(root, name);
				free(name);
			}
			free(entry[i]);
		}
		free(entry);
		free(folder);
	}
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof dir, "%.40s/hs-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir)) {
		perror(dir);
		return 99;
	}
	hs_log_listen(listen);
	test_axes();
	test_text();
	test_npy();
	test_rpl();
	test_3ds_layout();
	test_3ds_sweeps();
	test_3ds_bad();
	test_collection();
	static const char *const left[] = { "a.npy", "r.rpl", "r.raw", "r.RAW", "e.bin", "g.3ds", "h.3ds" };
	for (size_t i = 0; i < HS_LEN(left); i++) {
		char *path = in_dir(left[i]);
		unlink(path);
		free(path);
	}
	rmdir(dir);
	return tap_done();
}
