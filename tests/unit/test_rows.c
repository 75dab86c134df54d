/* Rows of random cubes stored in every way HDF5 and raw files know, compared element by element with what was written, for
 * several limits of memory and numbers of threads. */
#include "store/rows.h"

#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
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

int main(void)
{
	const int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	test_layouts();
	test_types();
	test_ranks();
	test_slabs();
	test_raw();
	test_skip();
	test_damage();
	test_limits();
	unlink(path);
	return tap_done();
}
