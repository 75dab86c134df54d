/* Rows of random cubes stored in every way HDF5 and raw files know, compared element by element with what was written, for
 * several limits of memory and numbers of threads. */
#include "store/rows.h"

#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "store/h5tree.h"
#include "tap.h"

static char path[] = "/tmp/test_rows-XXXXXX";

/* A cube of real values in C order as double, each exact in the type it is stored as. */
struct cube {
	size_t rank, n[HS_MAX_RANK], count;
	enum hs_dtype dtype;
	double *value;
};

static struct cube cube_of(enum hs_dtype dtype, size_t rank, const size_t *n, unsigned seed)
{
	struct cube c = { .rank = rank, .count = 1, .dtype = dtype };
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, 0);
	for (size_t i = 0; i < rank; i++)
		c.count *= c.n[i] = n[i];
	c.value = hs_must_alloc(c.count, sizeof(double));
	for (size_t i = 0; i < c.count; i++) {
		const double small = (double)hs_rng_below(&rng, 120);
		c.value[i] = dtype == HS_U8 || dtype == HS_I8     ? small
			     : dtype == HS_U16 || dtype == HS_I16 ? small * 200 + 3
			     : dtype == HS_F32                    ? (double)(float)(small / 7)
			     : dtype == HS_F64                    ? small / 7
								  : small * 1e6 + (double)(i % 1000);
	}
	return c;
}

static hid_t native(enum hs_dtype t)
{
	switch (t) {
	case HS_U8:
		return H5T_NATIVE_UINT8;
	case HS_I8:
		return H5T_NATIVE_INT8;
	case HS_U16:
		return H5T_NATIVE_UINT16;
	case HS_I16:
		return H5T_NATIVE_INT16;
	case HS_U32:
		return H5T_NATIVE_UINT32;
	case HS_I32:
		return H5T_NATIVE_INT32;
	case HS_U64:
		return H5T_NATIVE_UINT64;
	case HS_I64:
		return H5T_NATIVE_INT64;
	case HS_F32:
		return H5T_NATIVE_FLOAT;
	default:
		return H5T_NATIVE_DOUBLE;
	}
}

/* ------------------------------------------------------------------ storing */

enum { GZIP = 1, SHUFFLE = 2, FLETCHER = 4, BIG = 8, SCALE = 16, HALF = 32, HOLES = 64 };

/* Writes the cube with HDF5, dimension i of the cube as dimension place[i] of the dataset, back to front where flip says so.
 * HOLES: only the first half of the first dataset dimension is written, the rest reads as fill (-1, or 200 when unsigned). */
static void store(const struct cube *c, const size_t *place, const bool *flip, const size_t *chunk, int how)
{
	hsize_t n[HS_MAX_RANK], k[HS_MAX_RANK];
	size_t stride[HS_MAX_RANK], step = 1;
	const double fill = c->dtype == HS_F32 || c->dtype == HS_F64 ? -1 : 100;
	for (size_t i = 0; i < c->rank; i++)
		n[place[i]] = c->n[i];
	for (size_t d = c->rank; d-- > 0; step *= (size_t)n[d])
		stride[d] = step;
	double *disk = hs_must_alloc(c->count, sizeof(double));
	for (size_t e = 0; e < c->count; e++) {
		size_t left = e, at = 0;
		for (size_t i = c->rank; i-- > 0; left /= c->n[i]) {
			const size_t x = left % c->n[i];
			at += (flip && flip[i] ? c->n[i] - 1 - x : x) * stride[place[i]];
		}
		disk[at] = c->value[e];
	}
	hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), dcpl = H5Pcreate(H5P_DATASET_CREATE),
	      type = H5Tcopy(native(c->dtype));
	if (how & HALF) {
		H5Tset_fields(type, 15, 10, 5, 0, 10);
		H5Tset_ebias(type, 15);
		H5Tset_size(type, 2);
	}
	if (how & BIG)
		H5Tset_order(type, H5T_ORDER_BE);
	if (chunk) {
		for (size_t i = 0; i < c->rank; i++)
			k[i] = chunk[i] < n[i] ? chunk[i] : n[i];
		H5Pset_chunk(dcpl, (int)c->rank, k);
	}
	if (how & SHUFFLE)
		H5Pset_shuffle(dcpl);
	if (how & GZIP)
		H5Pset_deflate(dcpl, 4);
	if (how & FLETCHER)
		H5Pset_fletcher32(dcpl);
	if (how & SCALE)
		H5Pset_scaleoffset(dcpl, H5Z_SO_INT, 0);
	H5Pset_fill_value(dcpl, H5T_NATIVE_DOUBLE, &fill);
	hid_t space = H5Screate_simple((int)c->rank, n, NULL), memory = H5Scopy(space),
	      d = H5Dcreate2(file, "cube", type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
	if (how & HOLES) {
		hsize_t start[HS_MAX_RANK] = { 0 }, some[HS_MAX_RANK];
		memcpy(some, n, sizeof some);
		some[0] = n[0] / 2;
		H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, some, NULL);
		H5Sselect_hyperslab(memory, H5S_SELECT_SET, start, NULL, some, NULL);
	}
	H5Dwrite(d, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, disk);
	H5Sclose(memory);
	H5Sclose(space);
	H5Dclose(d);
	H5Pclose(dcpl);
	H5Tclose(type);
	H5Fclose(file);
	free(disk);
	if (how & HOLES) /* the cube as it now reads: index of dataset dimension 0 beyond the half */
		for (size_t i = 0; i < c->rank; i++)
			for (size_t e = 0; e < c->count && place[i] == 0; e++) {
				size_t after = 1;
				for (size_t j = i + 1; j < c->rank; j++)
					after *= c->n[j];
				const size_t x = e / after % c->n[i], disk_x = flip && flip[i] ? c->n[i] - 1 - x : x;
				if (disk_x >= n[0] / 2)
					c->value[e] = fill;
			}
}

/* ------------------------------------------------------------------ reading */

/* One pass (two, to try rewind) over the rows; the number of wrong values, or -1 with err. */
static long wrong_values(
	const struct hs_values *v, const struct cube *c, const struct hs_rows_options *options, struct hs_err *err)
{
	struct hs_rows *rows;
	struct hs_batch batch;
	if (hs_rows_open(&rows, v, options, err) < 0)
		return -1;
	struct hs_rowsource *s = hs_rows_source(rows);
	const size_t element = hs_rows_element(rows);
	long wrong = s->n_rows * s->n_chan != c->count;
	for (int pass = 0; pass < 2; pass++) {
		size_t next = 0;
		int verdict = s->rewind(s, err);
		while (verdict == 0 && (verdict = s->next(s, &batch, err)) == 0 && batch.n_rows) {
			wrong += batch.first_row != next || (batch.first_row % s->block_rows) != 0;
			next += batch.n_rows;
			wrong += next < s->n_rows && batch.n_rows % s->block_rows != 0;
			for (size_t i = 0; i < batch.n_rows * s->n_chan; i++) {
				const double want = c->value[batch.first_row * s->n_chan + i],
					     got = s->type == HS_ROW_F32 ? (double)((const float *)batch.x)[i]
									 : ((const double *)batch.x)[i];
				wrong += !(got == want || (isnan(got) && isnan(want)));
			}
			wrong += element != (s->type == HS_ROW_F32 ? 4 : 8);
		}
		if (verdict < 0)
			wrong = -1;
		else if (next != s->n_rows)
			wrong++;
	}
	hs_rows_close(rows);
	return wrong;
}

static bool is_exact_f32(enum hs_dtype t)
{
	return t == HS_U8 || t == HS_I8 || t == HS_U16 || t == HS_I16 || t == HS_F32;
}

/* All limits and threads; values are found under the same permutation and flips as stored. */
static void compare(const char *what, const struct cube *c, const size_t *place, const bool *flip, size_t sig_rank)
{
	static const struct {
		uint64_t memory;
		int threads;
	} setting[] = { { 0, 1 }, { 0, 4 }, { 26 << 20, 1 }, { 26 << 20, 3 } };
	struct hs_err err = { 0 };
	struct hs_h5 *file = NULL;
	struct hs_values v;
	struct hs_h5_shape shape;
	const int fd = open(path, O_RDONLY);
	long wrong = hs_h5_open_unguarded(&file, fd, path, &err);
	size_t passes = 0, each = c->count > 1000000 ? 1 : is_exact_f32(c->dtype) ? 3 : 2;
	if (wrong == 0 && hs_h5_shape(file, "/cube", &shape)) {
		hs_values_h5(&v, file, "/cube", shape.dtype, shape.rank, shape.n, sig_rank);
		hs_values_permute(&v, place, sig_rank);
		for (size_t i = 0; flip && i < c->rank; i++)
			v.flip[i] = flip[i];
		for (size_t k = 0; k < HS_LEN(setting) && wrong == 0; k++)
			for (int as = HS_AS_AUTO; as <= HS_AS_F64 && wrong == 0; as++) {
				if ((as == HS_AS_F32 && !is_exact_f32(c->dtype)) || (as != HS_AS_AUTO && c->count > 1000000))
					continue;
				const struct hs_rows_options options = {
					.as = (enum hs_rows_as)as, .memory = setting[k].memory, .threads = setting[k].threads
				};
				wrong = wrong_values(&v, c, &options, &err);
				passes++;
			}
		hs_values_release(&v);
	}
	if (file)
		hs_h5_close(file);
	close(fd);
	tap_ok(wrong == 0 && passes == HS_LEN(setting) * each, "%s%s%s", what, err.text[0] ? ": " : "", err.text);
}

static void case_of(const char *what, enum hs_dtype dtype, size_t rank, const size_t *n, size_t sig_rank, const size_t *place,
	const bool *flip, const size_t *chunk, int how)
{
	static unsigned seed;
	struct cube c = cube_of(dtype, rank, n, ++seed);
	if (how & HALF)
		for (size_t i = 0; i < c.count; i++)
			c.value[i] = floor(c.value[i]) / 4;
	store(&c, place, flip, chunk, how);
	compare(what, &c, place, flip, sig_rank);
	free(c.value);
}

static void test_layouts(void)
{
	static const size_t n[] = { 19, 23, 57 }, straight[] = { 0, 1, 2 }, turned[] = { 2, 0, 1 }, swapped[] = { 1, 0, 2 };
	static const size_t odd[] = { 4, 5, 7 }, whole[] = { 19, 23, 57 }, thin[] = { 1, 1, 57 }, planes[] = { 19, 23, 1 },
			    wide[] = { 8, 23, 57 };
	static const bool flips[] = { true, false, true }, all[] = { true, true, true };
	case_of("contiguous float32", HS_F32, 3, n, 1, straight, NULL, NULL, 0);
	case_of("contiguous float64, big endian", HS_F64, 3, n, 1, straight, NULL, NULL, BIG);
	case_of("contiguous, spectral dimension not last", HS_F32, 3, n, 1, turned, NULL, NULL, 0);
	case_of("contiguous, y and x swapped, flipped", HS_F64, 3, n, 1, swapped, all, NULL, 0);
	case_of("chunks of odd size", HS_F32, 3, n, 1, straight, NULL, odd, 0);
	case_of("one chunk", HS_F32, 3, n, 1, straight, NULL, whole, GZIP | SHUFFLE | FLETCHER);
	case_of("a chunk a spectrum", HS_U16, 3, n, 1, straight, NULL, thin, GZIP | SHUFFLE);
	case_of("a chunk a plane", HS_U16, 3, n, 1, straight, NULL, planes, GZIP);
	case_of("a band of rows, chunks beyond the edge", HS_I32, 3, n, 1, straight, NULL, wide, SHUFFLE | FLETCHER);
	for (int how = 0; how < 8; how++) {
		char what[60];
		snprintf(what, sizeof what, "filters%s%s%s", how & GZIP ? " gzip" : "", how & SHUFFLE ? " shuffle" : "",
			how & FLETCHER ? " fletcher32" : "");
		case_of(what, how % 2 ? HS_F64 : HS_I16, 3, n, 1, straight, NULL, odd, how);
	}
	case_of("filtered, big endian, turned, flipped", HS_F32, 3, n, 1, turned, flips, odd, GZIP | SHUFFLE | FLETCHER | BIG);
	case_of("filtered, swapped, flipped everywhere", HS_U32, 3, n, 1, swapped, all, odd, GZIP | SHUFFLE);
	case_of("a filter of HDF5's own (scale-offset)", HS_U16, 3, n, 1, straight, NULL, odd, SCALE);
	case_of("chunks that were never written, float", HS_F32, 3, n, 1, straight, NULL, odd, GZIP | HOLES);
	case_of("chunks that were never written, turned, integer", HS_U16, 3, n, 1, turned, NULL, odd, SHUFFLE | HOLES);
	case_of("half floats", HS_F32, 3, n, 1, straight, NULL, odd, HALF | GZIP);
	case_of("half floats, contiguous, big endian", HS_F32, 3, n, 1, turned, flips, NULL, HALF | BIG);
}

static void test_types(void)
{
	static const size_t n[] = { 7, 11, 29 }, straight[] = { 0, 1, 2 }, odd[] = { 3, 4, 10 };
	for (int t = HS_U8; t <= HS_F64; t++) {
		char what[60];
		snprintf(what, sizeof what, "%s, chunked, big endian", hs_dtype_name((enum hs_dtype)t));
		case_of(what, (enum hs_dtype)t, 3, n, 1, straight, NULL, odd, GZIP | SHUFFLE | BIG);
		snprintf(what, sizeof what, "%s, contiguous", hs_dtype_name((enum hs_dtype)t));
		case_of(what, (enum hs_dtype)t, 3, n, 1, straight, NULL, NULL, 0);
	}
}

static void test_ranks(void)
{
	static const size_t one[] = { 500 }, two[] = { 40, 300 }, four[] = { 9, 7, 12, 13 }, five[] = { 3, 4, 5, 6, 20 },
			    unit[] = { 1, 1, 1 };
	static const size_t s1[] = { 0 }, s2[] = { 0, 1 }, t2[] = { 1, 0 }, s4[] = { 0, 1, 2, 3 }, t4[] = { 3, 1, 0, 2 },
			    s5[] = { 0, 1, 2, 3, 4 }, t5[] = { 4, 2, 0, 3, 1 }, s3[] = { 0, 1, 2 };
	static const size_t c1[] = { 64 }, c2[] = { 7, 33 }, c4[] = { 4, 3, 5, 13 }, c5[] = { 2, 3, 2, 4, 7 };
	case_of("one spectrum", HS_F32, 1, one, 1, s1, NULL, c1, GZIP);
	case_of("one dimension, all pixels", HS_F32, 1, one, 0, s1, NULL, c1, GZIP);
	case_of("line scan, turned", HS_F64, 2, two, 1, t2, NULL, c2, GZIP | SHUFFLE);
	case_of("image, all channels", HS_U16, 2, two, 2, s2, NULL, c2, 0);
	case_of("4-D, images at pixels", HS_U16, 4, four, 2, s4, NULL, c4, GZIP | SHUFFLE | FLETCHER);
	case_of("4-D, dimensions shuffled", HS_F32, 4, four, 2, t4, NULL, c4, GZIP);
	case_of("4-D, dimensions shuffled, contiguous", HS_F32, 4, four, 1, t4, NULL, NULL, 0);
	case_of("5-D", HS_F32, 5, five, 2, s5, NULL, c5, GZIP);
	case_of("5-D, dimensions shuffled", HS_I16, 5, five, 3, t5, NULL, c5, SHUFFLE);
	case_of("one element", HS_F64, 3, unit, 1, s3, NULL, NULL, 0);
}

/* Larger than the memory allowed: many slabs. */
static void test_slabs(void)
{
	static const size_t n[] = { 160, 240, 130 }, straight[] = { 0, 1, 2 }, turned[] = { 2, 0, 1 }, chunk[] = { 32, 32, 32 };
	case_of("40 MB in 26 MB: chunked", HS_F64, 3, n, 1, straight, NULL, chunk, SHUFFLE | GZIP);
	case_of("40 MB in 26 MB: chunks across all rows", HS_F64, 3, n, 1, turned, NULL, chunk, SHUFFLE);
	case_of("40 MB in 26 MB: contiguous, turned", HS_F64, 3, n, 1, turned, NULL, NULL, 0);
}

/* ------------------------------------------------------------------ raw files, masks, failures */

static void test_raw(void)
{
	static const size_t n[] = { 6, 5, 40 };
	struct hs_err err = { 0 };
	struct hs_values v;
	struct cube c = cube_of(HS_F32, 3, n, 77);
	unsigned char *bytes = hs_must_alloc(c.count * 4 + 100, 1);
	for (size_t i = 0; i < c.count; i++) {
		const float f = (float)c.value[i];
		uint32_t bits;
		memcpy(&bits, &f, 4);
		for (int b = 0; b < 4; b++)
			bytes[100 + 4 * i + (size_t)b] = (unsigned char)(bits >> (24 - 8 * b));
	}
	const int fd = open(path, O_RDWR | O_TRUNC | O_CREAT, 0600);
	const size_t total = 100 + 4 * c.count;
	tap_ok(write(fd, bytes, total) == (ssize_t)total, "a raw file is there");
	const struct hs_rows_options plain = { .as = HS_AS_AUTO, .threads = 2 };
	hs_values_raw(&v, fd, 100, total, HS_F32, true, 3, n, 1);
	tap_ok(wrong_values(&v, &c, &plain, &err) == 0, "raw, big endian, behind a header %s", err.text);
	v.flip[2] = v.flip[0] = true;
	struct cube turned = c;
	turned.value = hs_must_alloc(c.count, sizeof(double));
	for (size_t y = 0; y < 6; y++)
		for (size_t x = 0; x < 5; x++)
			for (size_t e = 0; e < 40; e++)
				turned.value[(y * 5 + x) * 40 + e] = c.value[((5 - y) * 5 + x) * 40 + 39 - e];
	tap_ok(wrong_values(&v, &turned, &plain, &err) == 0, "raw, flipped %s", err.text);
	hs_values_release(&v);

	/* the file ends in the middle of row 17: what is missing is no number, and such rows are not to be used */
	const size_t short_end = 100 + 4 * (17 * 40 + 13);
	tap_ok(ftruncate(fd, (off_t)short_end) == 0, "the file is cut");
	hs_values_raw(&v, fd, 100, short_end, HS_F32, true, 3, n, 1);
	for (size_t i = 17 * 40 + 13; i < c.count; i++)
		c.value[i] = NAN;
	tap_ok(wrong_values(&v, &c, &plain, &err) == 0, "a short raw file: the rest is NaN %s", err.text);
	struct hs_rows *rows = NULL;
	struct hs_batch batch = { 0 };
	int right = hs_rows_open(&rows, &v, &plain, &err) == 0 && hs_rows_source(rows)->rewind(hs_rows_source(rows), &err) == 0 &&
		    hs_rows_source(rows)->next(hs_rows_source(rows), &batch, &err) == 0 && batch.n_rows == 30;
	for (size_t i = 0; right && i < 30; i++)
		right = (batch.skip[i] != 0) == (i >= 17);
	tap_ok(right, "rows with missing values are marked %s", err.text);
	hs_rows_close(rows);
	hs_values_release(&v);
	close(fd);
	free(turned.value);
	free(c.value);
	free(bytes);
}

static void test_skip(void)
{
	static const size_t n[] = { 4, 3, 5 };
	struct hs_err err = { 0 };
	float *f = hs_must_alloc(60, sizeof *f);
	int32_t *k = hs_must_alloc(60, sizeof *k);
	uint8_t mask[12] = { 0 };
	for (int i = 0; i < 60; i++)
		f[i] = (float)(k[i] = i + 1);
	f[7] = NAN;        /* row 1 */
	f[23] = -INFINITY; /* row 4 */
	k[33] = -9;        /* row 6 */
	mask[0] = 4;
	mask[11] = 1;
	for (int integer = 0; integer < 2; integer++) {
		struct hs_values v;
		struct hs_rows *rows = NULL;
		struct hs_batch batch = { 0 };
		const struct hs_rows_options options = { .mask = mask, .has_fill = integer, .fill = -9 };
		if (integer)
			hs_values_memory(&v, k, HS_I32, 3, n, 1);
		else
			hs_values_memory(&v, f, HS_F32, 3, n, 1);
		int right = hs_rows_open(&rows, &v, &options, &err) == 0 &&
			    hs_rows_source(rows)->rewind(hs_rows_source(rows), &err) == 0 &&
			    hs_rows_source(rows)->next(hs_rows_source(rows), &batch, &err) == 0 && batch.n_rows == 12;
		for (size_t i = 0; right && i < 12; i++)
			right = (batch.skip[i] != 0) == (i == 0 || i == 11 || (integer ? i == 6 : i == 1 || i == 4));
		tap_ok(right, "%s: mask, fill value, not finite %s", integer ? "integers" : "floats", err.text);
		hs_rows_close(rows);
		hs_values_release(&v);
	}
}

static void test_damage(void)
{
	static const size_t n[] = { 20, 20, 50 }, place[] = { 0, 1, 2 }, chunk[] = { 5, 5, 50 };
	struct cube c = cube_of(HS_F32, 3, n, 5);
	store(&c, place, NULL, chunk, SHUFFLE | GZIP | FLETCHER);
	hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), d = H5Dopen2(file, "cube", H5P_DEFAULT), space = H5Dget_space(d);
	haddr_t at = 0;
	hsize_t start[3], size = 0;
	unsigned mask;
	H5Dget_chunk_info(d, space, 7, start, &mask, &at, &size);
	H5Sclose(space);
	H5Dclose(d);
	H5Fclose(file);
	const int fd = open(path, O_RDWR);
	unsigned char byte = 0;
	const off_t where = (off_t)(at + size / 2);
	int hit = at > 0 && size > 4 && pread(fd, &byte, 1, where) == 1;
	byte ^= 4;
	hit &= pwrite(fd, &byte, 1, where) == 1;
	tap_ok(hit, "one bit of one chunk is turned");
	for (int threads = 1; threads < 5; threads += 3) {
		struct hs_err err = { 0 };
		struct hs_h5 *h5 = NULL;
		struct hs_values v;
		const struct hs_rows_options options = { .threads = threads };
		if (!tap_ok(hs_h5_open_unguarded(&h5, fd, "damaged", &err) == 0, "the file opens all the same %s", err.text))
			break;
		hs_values_h5(&v, h5, "/cube", HS_F32, 3, n, 1);
		tap_ok(wrong_values(&v, &c, &options, &err) == -1 && err.status == HS_BAD_DATA, "noticed with %d threads: %s",
			threads, err.text);
		hs_values_release(&v);
		hs_h5_close(h5);
	}
	close(fd);
	free(c.value);
}

static void test_limits(void)
{
	static const size_t n[] = { 100, 100, 2000 };
	struct hs_err err = { 0 };
	struct hs_values v;
	struct hs_rows *rows = NULL;
	const int fd = open(path, O_RDWR | O_TRUNC | O_CREAT, 0600);
	hs_values_raw(&v, fd, 0, 0, HS_F64, false, 3, n, 1);
	const struct hs_rows_options little = { .memory = 100000 };
	tap_ok(hs_rows_open(&rows, &v, &little, &err) < 0 && err.status == HS_SYSTEM && strlen(err.text) > 10,
		"too little memory for one block: %s", err.text);
	hs_values_release(&v);
	close(fd);

	err = (struct hs_err){ 0 };
	static const size_t small[] = { 3, 4, 5 };
	struct cube c = cube_of(HS_F64, 3, small, 9);
	double *copy = hs_must_alloc(c.count, sizeof *copy);
	memcpy(copy, c.value, c.count * sizeof *copy);
	hs_values_memory(&v, copy, HS_F64, 3, small, 1);
	double *all = hs_rows_read_all(&v, &(struct hs_rows_options){ .as = HS_AS_STORED }, &err);
	tap_ok(all && !memcmp(all, c.value, c.count * sizeof *all), "all values at once, as stored");
	free(all);
	hs_values_release(&v);
	free(c.value);
}

/* ------------------------------------------------------------------ at random */

/* The least memory a description can be read in, so that slabs are as small as they get. */
static uint64_t least_memory(const struct hs_values *v, struct hs_rows_options options)
{
	struct hs_rows *rows;
	for (options.memory = 64; options.memory < 64 << 20; options.memory += options.memory / 16 + 1) {
		struct hs_err err = { 0 };
		if (hs_rows_open(&rows, v, &options, &err) == 0) {
			hs_rows_close(rows);
			return options.memory;
		}
	}
	return 0;
}

/* All ways of reading, in plenty of memory and in the least. */
static long wrong_anyhow(const struct hs_values *v, const struct cube *c, struct hs_err *err)
{
	long wrong = 0;
	for (int as = HS_AS_AUTO; as <= HS_AS_F64 && wrong == 0; as++)
		for (int little = 0; little < 2 && wrong == 0; little++) {
			struct hs_rows_options options = { .as = (enum hs_rows_as)as, .threads = 1 + 2 * little };
			if (as == HS_AS_F32 && !is_exact_f32(c->dtype))
				continue;
			options.memory = little ? least_memory(v, options) : 0;
			wrong = little && !options.memory ? -1 : wrong_values(v, c, &options, err);
		}
	return wrong;
}

static long wrong_in_file(const struct cube *c, const size_t *place, const bool *flip, size_t sig_rank, struct hs_err *err)
{
	struct hs_h5 *file = NULL;
	struct hs_values v;
	struct hs_h5_shape shape;
	const int fd = open(path, O_RDONLY);
	long wrong = hs_h5_open_unguarded(&file, fd, path, err);
	if (wrong == 0 && (wrong = hs_h5_shape(file, "/cube", &shape) ? 0 : -1) == 0) {
		hs_values_h5(&v, file, "/cube", shape.dtype, shape.rank, shape.n, sig_rank);
		if (place)
			hs_values_permute(&v, place, sig_rank);
		if (!place) {                 /* other dimensions than the dataset's */
			hs_values_release(&v);
			hs_values_h5(&v, file, "/cube", shape.dtype, c->rank, c->n, sig_rank);
		}
		for (size_t i = 0; flip && i < c->rank; i++)
			v.flip[i] = flip[i];
		wrong = wrong_anyhow(&v, c, err);
		hs_values_release(&v);
	}
	if (file)
		hs_h5_close(file);
	close(fd);
	return wrong;
}

static void shuffled(struct hs_rng *rng, size_t *place, size_t n)
{
	for (size_t i = 0; i < n; i++)
		place[i] = i;
	for (size_t i = n; i > 1; i--) {
		const size_t j = (size_t)hs_rng_below(rng, i), t = place[j];
		place[j] = place[i - 1];
		place[i - 1] = t;
	}
}

static void test_random_layouts(void)
{
	struct hs_rng rng;
	hs_rng_init(&rng, 20, HS_STREAM_TEST, 0);
	long bad = 0;
	char first[600] = "";
	for (unsigned k = 0; k < 150; k++) {
		size_t n[HS_MAX_RANK], place[HS_MAX_RANK], chunk[HS_MAX_RANK];
		bool flip[HS_MAX_RANK];
		const size_t rank = 1 + (size_t)hs_rng_below(&rng, k % 5 == 0 ? HS_MAX_RANK : 5);
		const uint64_t longest = rank < 3 ? 60 : rank < 5 ? 9 : 4;
		for (size_t i = 0; i < rank; i++) {
			n[i] = 1 + (size_t)hs_rng_below(&rng, longest);
			flip[i] = hs_rng_below(&rng, 2);
		}
		shuffled(&rng, place, rank);
		for (size_t i = 0; i < rank; i++)
			chunk[place[i]] = 1 + (size_t)hs_rng_below(&rng, n[i]);
		const size_t sig_rank = (size_t)hs_rng_below(&rng, rank + 1);
		const enum hs_dtype dtype = (enum hs_dtype)hs_rng_below(&rng, HS_F64 + 1);
		const bool chunked = hs_rng_below(&rng, 4) > 0;
		int how = chunked ? (int)hs_rng_below(&rng, 16) : (int)hs_rng_below(&rng, 2) * BIG;
		for (size_t i = 0; i < rank; i++)
			if (place[i] == 0 && n[i] > 1 && hs_rng_below(&rng, 3) == 0)
				how |= HOLES;
		struct cube c = cube_of(dtype, rank, n, 1000 + k);
		struct hs_err err = { 0 };
		store(&c, place, flip, chunked ? chunk : NULL, how);
		if (wrong_in_file(&c, place, flip, sig_rank, &err) != 0 && !bad++)
			snprintf(first, sizeof first, "case %u, rank %zu, %s, flags %d: %s", k, rank, hs_dtype_name(dtype), how, err.text);
		free(c.value);
	}
	tap_ok(bad == 0, "150 random layouts in the least memory, %ld wrong %s", bad, first);
}

/* A dataset of one shape described as another: the same elements in C order. */
static void test_regrouped(void)
{
	static const struct { size_t rank, disk[4], chunk[4], to_rank, n[4], sig_rank; int how; } shape[] = {
		{ 2, { 1, 6000 }, { 1, 700 }, 3, { 10, 12, 50 }, 1, GZIP }, { 3, { 6, 35, 4 }, { 4, 9, 3 }, 3, { 8, 15, 7 }, 1, SHUFFLE | BIG },
		{ 2, { 120, 50 }, { 0 }, 4, { 10, 12, 5, 10 }, 2, BIG }, { 4, { 3, 4, 5, 6 }, { 2, 3, 4, 5 }, 1, { 360 }, 0, GZIP | FLETCHER },
		{ 3, { 7, 1, 30 }, { 3, 1, 30 }, 2, { 14, 15 }, 1, SCALE }, { 1, { 210 }, { 11 }, 3, { 2, 7, 15 }, 2, HOLES } };
	for (size_t k = 0; k < HS_LEN(shape); k++)
		for (int flipped = 0; flipped < 2; flipped++) {
			static const size_t straight[] = { 0, 1, 2, 3 };
			static const bool all[] = { true, true, true, true };
			struct hs_err err = { 0 };
			struct cube c = cube_of(HS_U16, shape[k].rank, shape[k].disk, 50), d = c;
			store(&c, straight, NULL, shape[k].chunk[0] ? shape[k].chunk : NULL, shape[k].how);
			d.rank = shape[k].to_rank;
			memcpy(d.n, shape[k].n, sizeof shape[k].n);
			if (flipped) {        /* back to front in all dimensions is back to front as a whole */
				d.value = hs_must_alloc(c.count, sizeof(double));
				for (size_t i = 0; i < c.count; i++)
					d.value[i] = c.value[c.count - 1 - i];
			}
			const long wrong = wrong_in_file(&d, NULL, flipped ? all : NULL, shape[k].sig_rank, &err);
			tap_ok(wrong == 0, "regrouped %zu%s: %ld wrong %s", k, flipped ? ", flipped" : "", wrong, err.text);
			if (flipped)
				free(d.value);
			free(c.value);
		}
}

/* Raw files by strides: any order of dimensions, foreign numbers between ours, a header, half floats. */
static void test_random_strides(void)
{
	struct hs_rng rng;
	hs_rng_init(&rng, 21, HS_STREAM_TEST, 0);
	long bad = 0;
	char first[600] = "";
	for (unsigned k = 0; k < 120; k++) {
		size_t n[HS_MAX_RANK], order[HS_MAX_RANK];
		int64_t stride[HS_MAX_RANK];
		const size_t rank = 1 + (size_t)hs_rng_below(&rng, 5), header = (size_t)hs_rng_below(&rng, 100);
		const bool half = hs_rng_below(&rng, 5) == 0, big = hs_rng_below(&rng, 2);
		const enum hs_dtype dtype = half ? HS_F32 : (enum hs_dtype)hs_rng_below(&rng, HS_F64 + 1);
		const size_t element = half ? 2 : hs_dtype_size(dtype);
		for (size_t i = 0; i < rank; i++)
			n[i] = 1 + (size_t)hs_rng_below(&rng, rank < 3 ? 50 : 8);
		shuffled(&rng, order, rank);
		size_t step = element * (1 + (size_t)hs_rng_below(&rng, 3));      /* interleaved with others */
		for (size_t i = rank; i-- > 0;) {
			stride[order[i]] = (int64_t)step;
			step = step * n[order[i]] + element * (size_t)hs_rng_below(&rng, 2);       /* and padded */
		}
		struct cube c = cube_of(dtype, rank, n, 2000 + k);
		bool flip[HS_MAX_RANK];
		for (size_t i = 0; i < rank; i++)
			flip[i] = hs_rng_below(&rng, 3) == 0;
		unsigned char *bytes = hs_must_alloc(header + step + 16, 1);
		memset(bytes, 0x5b, header + step + 16);
		for (size_t e = 0; e < c.count; e++) {
			size_t left = e, at = header;
			for (size_t i = rank; i-- > 0; left /= n[i]) {
				const size_t x = left % n[i];
				at += (size_t)stride[i] * (flip[i] ? n[i] - 1 - x : x);
			}
			if (half)
				c.value[e] = floor(c.value[e]) / 4;
			unsigned char value[8];
			hid_t from = H5T_NATIVE_DOUBLE, to = H5Tcopy(native(dtype));
			memcpy(value, &c.value[e], 8);
			if (half) {
				H5Tset_fields(to, 15, 10, 5, 0, 10);
				H5Tset_ebias(to, 15);
				H5Tset_size(to, 2);
			}
			if (big)
				H5Tset_order(to, H5T_ORDER_BE);
			H5Tconvert(from, to, 1, value, NULL, H5P_DEFAULT);
			H5Tclose(to);
			memcpy(bytes + at, value, element);
		}
		const int fd = open(path, O_RDWR | O_TRUNC | O_CREAT, 0600);
		struct hs_values v;
		struct hs_err err = { 0 };
		const ssize_t size = (ssize_t)(header + step + 16);
		hs_values_raw(&v, fd, header, (uint64_t)size, dtype, big, rank, n, (size_t)hs_rng_below(&rng, rank + 1));
		v.half = half;
		memcpy(v.stride, stride, sizeof stride);
		memcpy(v.flip, flip, sizeof flip);
		if ((write(fd, bytes, (size_t)size) != size || wrong_anyhow(&v, &c, &err) != 0) && !bad++)
			snprintf(first, sizeof first, "case %u, rank %zu, %s: %s", k, rank, hs_dtype_name(dtype), err.text);
		hs_values_release(&v);
		close(fd);
		free(bytes);
		free(c.value);
	}
	tap_ok(bad == 0, "120 random raw files, %ld wrong %s", bad, first);
}

/* ------------------------------------------------------------------ rare types and layouts */

enum { N_ROWS = 12, N_CHAN = 5, N_ALL = N_ROWS * N_CHAN };

/* A dataset of 12 x 5 elements of one type, read back as stored. The caller frees. */
static void *read_back(hid_t disk, hid_t memory, hid_t dcpl, const void *value, enum hs_dtype dtype, const char *field,
	struct hs_err *err)
{
	const hsize_t dims[] = { N_ROWS, N_CHAN };
	static const size_t n[] = { N_ROWS, N_CHAN };
	hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(2, dims, NULL),
	      d = H5Dcreate2(file, "cube", disk, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
	const int written = H5Dwrite(d, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0;
	H5Dclose(d);
	H5Sclose(space);
	H5Fclose(file);
	struct hs_h5 *h5 = NULL;
	struct hs_values v;
	const int fd = open(path, O_RDONLY);
	void *all = NULL;
	if (written && hs_h5_open_unguarded(&h5, fd, path, err) == 0) {
		hs_values_h5(&v, h5, "/cube", dtype, 2, n, 1);
		v.field = hs_must_dup(field);
		all = hs_rows_read_all(&v, &(struct hs_rows_options){ .as = HS_AS_STORED }, err);
		hs_values_release(&v);
		hs_h5_close(h5);
	}
	close(fd);
	return all;
}

static hid_t pair(const char *a, const char *b, hid_t part, size_t gap)
{
	const size_t size = H5Tget_size(part);
	hid_t t = H5Tcreate(H5T_COMPOUND, 2 * size + gap);
	H5Tinsert(t, a, 0, part);
	H5Tinsert(t, b, size + gap, part);
	return t;
}

static void test_rare_types(void)
{
	struct hs_err err = { 0 };
	double z[2 * N_ALL];
	float z4[2 * N_ALL];
	uint8_t flag[N_ALL];
	for (int i = 0; i < 2 * N_ALL; i++) {
		z4[i] = (float)(z[i] = 0.5 * i - 7);
		flag[i / 2] = i / 2 % 3 == 0;
	}
	static const struct { const char *a, *b; size_t gap; } name[] = { { "r", "i", 0 }, { "real", "imag", 0 }, { "re", "im", 8 } };
	for (size_t k = 0; k < HS_LEN(name); k++)
		for (int big = 0; big < 2; big++)
			for (int wide = 0; wide < 2; wide++) {
				hid_t part = big ? (wide ? H5T_IEEE_F64BE : H5T_IEEE_F32BE) : (wide ? H5T_IEEE_F64LE : H5T_IEEE_F32LE);
				hid_t disk = pair(name[k].a, name[k].b, part, name[k].gap),
				      memory = pair(name[k].a, name[k].b, wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT, 0);
				void *all = read_back(disk, memory, H5P_DEFAULT, wide ? (void *)z : (void *)z4, wide ? HS_C128 : HS_C64, NULL, &err);
				tap_ok(all && !memcmp(all, wide ? (void *)z : (void *)z4, wide ? sizeof z : sizeof z4), "complex {%s, %s}%s%s %s", name[k].a,
					name[k].b, big ? ", big endian" : "", wide ? ", double" : "", err.text);
				free(all);
				H5Tclose(disk);
				H5Tclose(memory);
			}
	hid_t z_type = pair("real", "imag", H5T_NATIVE_DOUBLE, 0), whole = H5Tcreate(H5T_COMPOUND, 24), only =
		H5Tcreate(H5T_COMPOUND, 16);
	H5Tinsert(whole, "other", 0, H5T_NATIVE_DOUBLE);
	H5Tinsert(whole, "field", 8, z_type);
	H5Tinsert(only, "field", 0, z_type);
	void *all = read_back(whole, only, H5P_DEFAULT, z, HS_C128, "field", &err);
	tap_ok(all && !memcmp(all, z, sizeof z), "a complex field of a compound %s", err.text);
	free(all);
	H5Tclose(only);
	H5Tclose(whole);
	H5Tclose(z_type);

	hid_t truth = H5Tenum_create(H5T_NATIVE_INT8);
	int8_t no = 0, yes = 1;
	H5Tenum_insert(truth, "FALSE", &no);
	H5Tenum_insert(truth, "TRUE", &yes);
	all = read_back(truth, truth, H5P_DEFAULT, flag, HS_U8, NULL, &err);
	tap_ok(all && !memcmp(all, flag, sizeof flag), "h5py's bool %s", err.text);
	free(all);
	H5Tclose(truth);
	all = read_back(H5T_STD_B8LE, H5T_NATIVE_B8, H5P_DEFAULT, flag, HS_U8, NULL, &err);
	tap_ok(all && !memcmp(all, flag, sizeof flag), "bit fields %s", err.text);
	free(all);

	hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
	H5Pset_layout(dcpl, H5D_COMPACT);
	all = read_back(H5T_IEEE_F32BE, H5T_NATIVE_FLOAT, dcpl, z4, HS_F32, NULL, &err);
	tap_ok(all && !memcmp(all, z4, N_ALL * sizeof *z4), "compact layout %s", err.text);
	free(all);
	H5Pclose(dcpl);
	dcpl = H5Pcreate(H5P_DATASET_CREATE);
	H5Pset_chunk(dcpl, 2, (const hsize_t[]){ 5, 3 });
	H5Pset_shuffle(dcpl);
	H5Pset_deflate(dcpl, 1);
	H5Pset_chunk_opts(dcpl, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
	all = read_back(H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, dcpl, z, HS_F64, NULL, &err);
	tap_ok(all && !memcmp(all, z, N_ALL * sizeof *z), "chunks over the edge without filters %s", err.text);
	free(all);
	H5Pclose(dcpl);
}

/* Complex rows with a NaN in either part, and integers equal to a fill value of any type. */
static void test_skip_more(void)
{
	static const size_t n[] = { 6, 4 };
	struct hs_err err = { 0 };
	struct hs_batch batch = { 0 };
	struct hs_rows *rows = NULL;
	struct hs_values v;
	float *z = hs_must_alloc(48, sizeof *z);
	z[8 * 2 + 5] = NAN;
	hs_values_memory(&v, z, HS_C64, 2, n, 1);
	int right = hs_rows_open(&rows, &v, &(struct hs_rows_options){ .as = HS_AS_STORED, .has_fill = true }, &err) == 0 &&
		hs_rows_source(rows)->rewind(hs_rows_source(rows), &err) == 0 && hs_rows_source(rows)->next(hs_rows_source(rows), &batch,
		&err) == 0;
	for (size_t i = 0; right && i < 6; i++)
		right = (batch.skip[i] != 0) == (i == 2);
	tap_ok(right, "complex rows with a NaN are marked, fill values are for integers %s", err.text);
	hs_rows_close(rows);
	hs_values_release(&v);
	static const double fill[] = { 255, -128, 65535, -32768, 4294967295.0, -2147483648.0, 0x1p63, -0x1p63 };
	for (int t = HS_U8; t <= HS_I64; t++)
		for (int beyond = 0; beyond < 2; beyond++) {
			const size_t size = hs_dtype_size((enum hs_dtype)t);
			unsigned char *k = hs_must_alloc(24, size);
			const uint64_t bits = t == HS_U64 ? UINT64_C(1) << 63 : fill[t] < 0 ? (uint64_t)(int64_t)fill[t] : (uint64_t)fill[t];
			memcpy(k + 9 * size, &bits, size);
			hs_values_memory(&v, k, (enum hs_dtype)t, 2, n, 1);
			rows = NULL;
			const struct hs_rows_options options = { .has_fill = true, .fill = beyond ? 1e30 : fill[t] };
			right = hs_rows_open(&rows, &v, &options, &err) == 0 && hs_rows_source(rows)->rewind(hs_rows_source(rows), &err) == 0 &&
				hs_rows_source(rows)->next(hs_rows_source(rows), &batch, &err) == 0;
			for (size_t i = 0; right && i < 6; i++)
				right = (batch.skip[i] != 0) == (i == 2 && !beyond);
			tap_ok(right, "%s: fill value %s", hs_dtype_name((enum hs_dtype)t), beyond ? "that no element can have" :
				"at the end of the range");
			hs_rows_close(rows);
			hs_values_release(&v);
		}
}

/* The file shrinks under an open dataset: that is damage, not "never measured". */
static void test_shrunk(void)
{
	static const size_t n[] = { 20, 20, 50 }, place[] = { 0, 1, 2 };
	struct cube c = cube_of(HS_F32, 3, n, 6);
	struct hs_err err = { 0 };
	struct hs_h5 *h5 = NULL;
	struct hs_values v;
	store(&c, place, NULL, NULL, 0);
	const int fd = open(path, O_RDWR);
	const int opened = hs_h5_open_unguarded(&h5, fd, "shrunk", &err) == 0;
	hs_values_h5(&v, h5, "/cube", HS_F32, 3, n, 1);
	tap_ok(opened && ftruncate(fd, 30000) == 0, "a contiguous dataset loses its end");
	tap_ok(wrong_values(&v, &c, &(struct hs_rows_options){ .threads = 1 }, &err) == -1 && err.status == HS_BAD_DATA, "noticed: %s",
		err.text);
	hs_values_release(&v);
	hs_h5_close(h5);
	close(fd);
	free(c.value);
}

static long peak_memory(void)
{
	char text[4096] = "";
	const int fd = open("/proc/self/status", O_RDONLY);
	const ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	const char *at = n > 0 ? strstr(text, "VmHWM:") : NULL;
	return at ? strtol(at + 6, NULL, 10) * 1024 : 0;
}

/* Chunks that span all rows, 80 MB in every slab: memory stays within what was allowed, and a rewind in the middle of a pass
 * begins again. */
static void test_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	enum { ALLOWED = 32 << 20, SLACK = 8 << 20 };
	static const size_t n[] = { 50, 400, 500 }, place[] = { 0, 1, 2 }, chunk[] = { 50, 400, 5 };
	struct cube c = cube_of(HS_F64, 3, n, 7);
	store(&c, place, NULL, chunk, 0);
	fflush(stdout);
	int status = -1;
	const pid_t pid = fork();
	if (pid == 0) {
		alarm(60);
		struct hs_err err = { 0 };
		struct hs_h5 *h5 = NULL;
		struct hs_values v;
		struct hs_rows *rows;
		struct hs_batch batch;
		const int fd = open(path, O_RDONLY);
		if (hs_h5_open_unguarded(&h5, fd, path, &err) < 0)
			_exit(1);
		hs_values_h5(&v, h5, "/cube", HS_F64, 3, n, 1);
		const long before = peak_memory();
		if (hs_rows_open(&rows, &v, &(struct hs_rows_options){ .memory = ALLOWED, .threads = 2 }, &err) < 0)
			_exit(2);
		struct hs_rowsource *s = hs_rows_source(rows);
		size_t seen = 0, wrong = 0;
		for (int pass = 0; pass < 2; pass++) {        /* the first is broken off */
			int verdict = s->rewind(s, &err);
			for (seen = 0; verdict == 0 && (verdict = s->next(s, &batch, &err)) == 0 && batch.n_rows &&
				(pass || seen < 3000); seen += batch.n_rows)
				wrong += memcmp(batch.x, c.value + batch.first_row * 500, batch.n_rows * 500 * 8) != 0;
		}
		hs_rows_close(rows);
		_exit(wrong || seen != 20000 ? 3 : peak_memory() - before > ALLOWED + SLACK ? 4 : 0);
	}
	waitpid(pid, &status, 0);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "80 MB of chunks across all rows in 32 MiB (status %d)",
		WEXITSTATUS(status));
	free(c.value);
#endif
}

/* ------------------------------------------------------------------ complex values in parts */

/* Are the rows of v those of z: pixels x channels x (re, im)? Also with so little memory that there are many slabs, twice. */
static bool parts_are(const struct hs_values *v, const double *z, size_t n_rows, size_t n_chan, bool wide, struct hs_err *err)
{
	static const uint64_t memory[] = { 0, 26 << 20 };
	bool right = true;
	for (size_t k = 0; k < HS_LEN(memory) && right; k++) {
		struct hs_rows *rows;
		struct hs_batch batch;
		const struct hs_rows_options options = { .as = HS_AS_PARTS, .memory = memory[k], .threads = 2 };
		if (hs_rows_open(&rows, v, &options, err) < 0)
			return false;
		struct hs_rowsource *s = hs_rows_source(rows);
		right = s->n_rows == n_rows && s->n_chan == 2 * n_chan && s->type == (wide ? HS_ROW_F64 : HS_ROW_F32);
		for (int pass = 0; pass < 2 && right; pass++) {
			size_t next = 0;
			right = s->rewind(s, err) == 0;
			while (right && (right = s->next(s, &batch, err) == 0) && batch.n_rows) {
				for (size_t i = 0; i < batch.n_rows * s->n_chan; i++)
					right &= (wide ? ((const double *)batch.x)[i] : (double)((const float *)batch.x)[i]) ==
						z[batch.first_row * s->n_chan + i];
				next += batch.n_rows;
			}
			right &= next == n_rows;
		}
		hs_rows_close(rows);
	}
	return right;
}

/* A y x channel cube stored channel first and in other ways: chunked and packed, contiguous, with a gap between the parts, in
 * either byte order; as rows it is always the same. */
static void test_parts(void)
{
	enum { Y = 9, X = 7, C = 33, ALL = Y * X * C };
	static const size_t order[] = { 1, 2, 0 };
	static double z[2 * ALL], stored[2 * ALL];
	static float stored4[2 * ALL];
	struct hs_err err = { 0 };
	for (size_t i = 0; i < ALL; i++)
		for (size_t part = 0; part < 2; part++) {
			const size_t pixel = i / C, c = i % C;
			stored[2 * (c * Y * X + pixel) + part] = z[2 * i + part] = (part ? -0.25 : 0.5) * (double)i + 3;
			stored4[2 * (c * Y * X + pixel) + part] = (float)z[2 * i + part];
		}
	for (int how = 0; how < 16; how++) {
		const bool wide = how & 1, big = how & 2, gap = how & 4, chunked = how & 8;
		const hsize_t dims[] = { C, Y, X }, chunk[] = { 8, 4, 3 };
		hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(3, dims, NULL),
		      dcpl = H5Pcreate(H5P_DATASET_CREATE),
		      disk = pair("r", "i", wide ? (big ? H5T_IEEE_F64BE : H5T_IEEE_F64LE) : big ? H5T_IEEE_F32BE : H5T_IEEE_F32LE,
			gap ? 8 : 0),
		      memory = pair("r", "i", wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT, 0);
		if (chunked) {
			H5Pset_chunk(dcpl, 3, chunk);
			H5Pset_shuffle(dcpl);
			H5Pset_deflate(dcpl, 1);
		}
		hid_t d = H5Dcreate2(file, "cube", disk, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
		bool right = H5Dwrite(d, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, wide ? (void *)stored : (void *)stored4) >= 0;
		H5Dclose(d);
		H5Pclose(dcpl);
		H5Sclose(space);
		H5Tclose(disk);
		H5Tclose(memory);
		H5Fclose(file);
		struct hs_h5 *h5 = NULL;
		struct hs_h5_shape shape;
		struct hs_values v;
		const int fd = open(path, O_RDONLY);
		right = right && hs_h5_open_unguarded(&h5, fd, path, &err) == 0 && hs_h5_shape(h5, "/cube", &shape);
		if (right) {
			hs_values_h5(&v, h5, "/cube", shape.dtype, shape.rank, shape.n, 1);
			hs_values_permute(&v, order, 1);
			right = parts_are(&v, z, Y * X, C, wide, &err);
			hs_values_release(&v);
		}
		if (h5)
			hs_h5_close(h5);
		close(fd);
		tap_ok(right, "complex values in parts: %s%s%s%s %s", chunked ? "packed chunks" : "contiguous", wide ? ", double" : "",
			big ? ", big endian" : "", gap ? ", apart" : "", err.text);
	}
}

/* A row with a NaN in either part is marked; real values come as ever. */
static void test_parts_skip(void)
{
	static const size_t n[] = { 6, 4 };
	struct hs_err err = { 0 };
	struct hs_batch batch = { 0 };
	for (int kind = 0; kind < 3; kind++) {
		const enum hs_dtype dtype = kind == 0 ? HS_C64 : kind == 1 ? HS_C128 : HS_I32;
		struct hs_rows *rows = NULL;
		struct hs_values v;
		unsigned char *z = hs_must_alloc(24, 16);
		if (kind == 0)
			((float *)(void *)z)[8 * 2 + 5] = NAN;
		else if (kind == 1)
			((double *)(void *)z)[8 * 2 + 2] = INFINITY;
		hs_values_memory(&v, z, dtype, 2, n, 1);
		bool right = hs_rows_open(&rows, &v, &(struct hs_rows_options){ .as = HS_AS_PARTS }, &err) == 0 &&
			hs_rows_source(rows)->rewind(hs_rows_source(rows), &err) == 0 &&
			hs_rows_source(rows)->next(hs_rows_source(rows), &batch, &err) == 0 &&
			hs_rows_source(rows)->n_chan == (kind < 2 ? 8 : 4) && hs_rows_element(rows) == (kind == 0 ? 4 : 8);
		for (size_t i = 0; right && i < 6; i++)
			right = (batch.skip[i] != 0) == (i == 2 && kind < 2);
		tap_ok(right, "%s in parts: rows that are not finite are marked %s", hs_dtype_name(dtype), err.text);
		hs_rows_close(rows);
		hs_values_release(&v);
	}
}

int main(void)
{
	const int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	test_memory();                        /* forks: before this process has OpenMP threads */
	test_layouts();
	test_types();
	test_ranks();
	test_slabs();
	test_raw();
	test_skip();
	test_damage();
	test_limits();
	test_random_layouts();
	test_regrouped();
	test_random_strides();
	test_rare_types();
	test_skip_more();
	test_parts();
	test_parts_skip();
	test_shrunk();
	unlink(path);
	return tap_done();
}
