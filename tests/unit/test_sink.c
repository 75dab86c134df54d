/* Signals written by rows and read back with the HDF5 library: every layout, batch size and number of threads, in a file and
 * through a pipe's unfiltered layout; the checksum beside the values is that of the values. */
#include "store/nxwrite.h"

#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/sink.h"
#include "tap.h"

static char folder[] = "/tmp/test_sink-XXXXXX", path[64];

static void describe(struct hs_signal *s, enum hs_dtype dtype, size_t rank, size_t sig_rank, const size_t *n)
{
	static const char *const name[] = { "a", "b", "c", "d", "e" };
	hs_signal_init(s, "data", NULL, NULL, dtype);
	for (size_t i = 0; i < rank; i++)
		hs_signal_add_axis(s, hs_axis_uniform(name[i], "nm", NULL, HS_AXIS_SPATIAL, n[i], 0, 1));
	hs_signal_shape_up(s, sig_rank);
}

static void sha_of(const void *bytes, size_t n, char hex[65])
{
	struct hs_sha256 *sha = hs_sha256_new();
	hs_sha256_add(sha, bytes, n);
	hs_sha256_take(sha, hex);
}

/* Does the file hold exactly these bytes (C order, little endian), and their checksum? */
static int holds(const void *bytes, size_t n, size_t *n_filters)
{
	char want[65], *stored = NULL;
	hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), d = H5Dopen2(file, "/entry/data/data", H5P_DEFAULT);
	if (d < 0)
		return 0;
	hid_t type = H5Dget_type(d), dcpl = H5Dget_create_plist(d), a = H5Aopen(d, "sha256", H5P_DEFAULT), text = H5Aget_type(a);
	unsigned char *back = hs_must_alloc(n, 1);
	int right = H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >= 0 && !memcmp(back, bytes, n);
	*n_filters = (size_t)H5Pget_nfilters(dcpl);
	sha_of(bytes, n, want);
	right &= H5Aread(a, text, &stored) >= 0 && stored && !strcmp(stored, want);
	H5free_memory(stored);
	H5Tclose(text);
	H5Aclose(a);
	H5Pclose(dcpl);
	H5Tclose(type);
	H5Dclose(d);
	H5Fclose(file);
	free(back);
	return right;
}

struct way {
	int threads;
	size_t batch; /* rows a put */
	bool raw, components_first;
};

/* values in the order of the dataset; rows are taken out of it as they would be made. */
static int stream(const struct hs_signal *s, const unsigned char *values, const struct way *way, struct hs_err *err)
{
	struct hs_out *out;
	struct hs_sink *sink;
	const struct hs_out_options options = {
		.path = path, .force = true, .raw = way->raw, .threads = way->threads, .title = "test"
	};
	const size_t element = hs_dtype_size(s->dtype), count = hs_signal_count(s),
		     chan = way->components_first ? s->axis[0].n : hs_signal_sig_count(s), rows = count / chan;
	unsigned char *batch = hs_must_alloc(way->batch * chan, element);
	if (hs_out_open(&out, &options, err) < 0)
		return -1;
	int verdict = hs_out_stream(out, HS_AT_ENTRY, s, way->components_first, NULL, &sink, err);
	for (size_t first = 0; first < rows && verdict == 0; first += way->batch) {
		const size_t n = rows - first < way->batch ? rows - first : way->batch;
		for (size_t i = 0; i < n; i++)
			for (size_t c = 0; c < chan; c++)
				memcpy(batch + (i * chan + c) * element,
					values +
						(way->components_first ? c * rows + first + i : (first + i) * chan + c) * element,
					element);
		verdict = hs_out_put(sink, batch, n, err);
	}
	if (verdict == 0)
		verdict = hs_out_end_stream(out, sink, err);
	free(batch);
	if (verdict == 0)
		return hs_out_commit(out, err);
	hs_out_abandon(out);
	return -1;
}

static void one_signal(
	const char *what, enum hs_dtype dtype, size_t rank, size_t sig_rank, const size_t *n, bool components_first)
{
	static const struct way way[] = { { 1, 1000000, false, false }, { 1, 7, false, false }, { 3, 100, false, false },
		{ 8, 1, false, false }, { 2, 64, true, false } };
	struct hs_signal s;
	describe(&s, dtype, rank, sig_rank, n);
	const size_t bytes = hs_signal_count(&s) * hs_dtype_size(dtype);
	unsigned char *values = hs_must_alloc(bytes, 1);
	struct hs_rng rng;
	hs_rng_init(&rng, bytes, HS_STREAM_TEST, 0);
	for (size_t i = 0; i < bytes; i++)
		values[i] = (unsigned char)(hs_rng_u32(&rng) % 11);
	for (size_t k = 0; k < HS_LEN(way); k++) {
		struct hs_err err = { 0 };
		struct way w = way[k];
		size_t n_filters = 9, chunk[HS_MAX_RANK];
		w.components_first = components_first;
		const size_t rows = hs_signal_count(&s) / (components_first ? n[0] : hs_signal_sig_count(&s));
		w.batch = w.batch > rows ? rows : w.batch;
		const int made = stream(&s, values, &w, &err) == 0, right = made && holds(values, bytes, &n_filters);
		const bool chunked = !w.raw && hs_chunk_for(n, rank, sig_rank, hs_dtype_size(dtype), chunk);
		tap_ok(right && n_filters == (chunked ? 3 : 0), "%s: %d threads, %zu rows at a time%s %s", what, w.threads,
			w.batch, w.raw ? ", raw" : "", err.text);
	}
	hs_signal_release(&s);
	free(values);
}

static void test_layouts(void)
{
	one_signal("cube", HS_F32, 3, 1, (const size_t[]){ 37, 41, 130 }, false);
	one_signal("cube of float64", HS_F64, 3, 1, (const size_t[]){ 30, 20, 210 }, false);
	one_signal("cube of bytes", HS_U8, 3, 1, (const size_t[]){ 60, 50, 99 }, false);
	one_signal("complex cube", HS_C64, 3, 1, (const size_t[]){ 20, 30, 64 }, false);
	one_signal("line", HS_F32, 2, 1, (const size_t[]){ 700, 301 }, false);
	one_signal("4-D", HS_U16, 4, 2, (const size_t[]){ 9, 8, 33, 35 }, false);
	one_signal("5-D", HS_U16, 5, 2, (const size_t[]){ 3, 5, 4, 33, 35 }, false);
	one_signal("one long spectrum", HS_F64, 1, 1, (const size_t[]){ 90001 }, false);
	one_signal("one image", HS_F32, 2, 2, (const size_t[]){ 301, 203 }, false);
	one_signal("small: contiguous", HS_F32, 3, 1, (const size_t[]){ 5, 6, 7 }, false);
	one_signal("one value", HS_F32, 3, 1, (const size_t[]){ 1, 1, 1 }, false);
	one_signal("score maps, components first", HS_F32, 3, 2, (const size_t[]){ 5, 81, 77 }, true);
	one_signal("score maps, small", HS_F32, 3, 2, (const size_t[]){ 3, 9, 8 }, true);
	one_signal("scores of a line, components first", HS_F64, 2, 1, (const size_t[]){ 6, 5003 }, true);
	one_signal("one component", HS_F32, 3, 2, (const size_t[]){ 1, 201, 177 }, true);
}

static void test_chunks(void)
{
	static const struct {
		size_t rank, sig, n[4], element;
	} shape[] = { { 3, 1, { 256, 256, 1024 }, 4 }, { 3, 1, { 4, 4, 1000000 }, 4 }, { 3, 1, { 4000, 4000, 3 }, 4 },
		{ 2, 1, { 1000000, 8 }, 8 }, { 4, 2, { 64, 64, 256, 256 }, 2 }, { 3, 2, { 8, 3000, 3000 }, 4 },
		{ 2, 2, { 9000, 9000 }, 4 }, { 1, 1, { 5000000 }, 8 }, { 3, 1, { 2, 100000, 1024 }, 4 },
		{ 4, 2, { 2, 2, 4096, 4096 }, 4 } };
	for (size_t k = 0; k < HS_LEN(shape); k++) {
		size_t chunk[4] = { 0 }, bytes = shape[k].element, row = shape[k].element, inner = 1, split = 0;
		const size_t n_nav = shape[k].rank - shape[k].sig;
		int within = hs_chunk_for(shape[k].n, shape[k].rank, shape[k].sig, shape[k].element, chunk);
		for (size_t i = 0; i < shape[k].rank; i++) {
			within &= chunk[i] >= 1 && chunk[i] <= shape[k].n[i];
			bytes *= chunk[i];
			row *= i >= n_nav ? shape[k].n[i] : 1;
		}
		tap_ok(within && bytes >= 4096 && bytes <= 1 << 20, "chunks of %zu bytes for shape %zu", bytes, k);
		if (!n_nav)
			continue;
		while (split + 1 < n_nav && chunk[split] == 1)
			split++;
		for (size_t i = split + 1; i < n_nav; i++)
			inner *= shape[k].n[i];
		const size_t band = chunk[split] * inner * row;
		tap_ok(band <= HS_BAND_BYTES || (chunk[split] == 1 && inner == 1), "a row of chunks spans %zu bytes", band);
	}
	size_t chunk[3];
	tap_ok(!hs_chunk_for((const size_t[]){ 10, 10, 100 }, 3, 1, 4, chunk), "40 kB are stored contiguously");
}

static void test_failures(void)
{
	struct hs_signal s;
	struct hs_err err = { 0 };
	struct hs_out *out;
	struct hs_sink *sink;
	struct stat st;
	char part[80];
	const size_t n[] = { 30, 30, 100 };
	float *row = hs_must_alloc(40 * 100, sizeof *row);
	snprintf(part, sizeof part, "%s.part", path);
	unlink(path);
	describe(&s, HS_F32, 3, 1, n);
	const struct hs_out_options options = { .path = path, .threads = 2, .title = "test" };
	int ok = hs_out_open(&out, &options, &err) == 0 && hs_out_stream(out, HS_AT_ENTRY, &s, false, NULL, &sink, &err) == 0 &&
		 hs_out_put(sink, row, 40, &err) == 0;
	tap_ok(ok && stat(path, &st) < 0 && stat(part, &st) == 0, "half a file has another name");
	tap_ok(hs_out_end_stream(out, sink, &err) < 0 && err.status == HS_BUG, "rows that did not come are noticed: %s",
		err.text);
	hs_out_abandon(out);
	tap_ok(stat(path, &st) < 0 && stat(part, &st) < 0, "an abandoned output leaves nothing");

	err = (struct hs_err){ 0 };
	ok = hs_out_open(&out, &options, &err) == 0 && hs_out_stream(out, HS_AT_ENTRY, &s, false, NULL, &sink, &err) == 0;
	for (int i = 0; i < 22 && ok; i++)
		ok = hs_out_put(sink, row, 40, &err) == 0;
	tap_ok(ok && hs_out_put(sink, row, 40, &err) < 0 && err.status == HS_BUG, "more rows than pixels are refused: %s",
		err.text);
	hs_out_end_stream(out, sink, &err);
	hs_out_abandon(out);
	tap_ok(stat(path, &st) < 0 && stat(part, &st) < 0, "and nothing is left");

	const int fd = open(path, O_WRONLY | O_CREAT, 0600);
	tap_ok(fd >= 0 && write(fd, "old", 3) == 3, "an old file is there");
	close(fd);
	err = (struct hs_err){ 0 };
	tap_ok(hs_out_open(&out, &options, &err) < 0 && err.status == HS_USAGE && stat(path, &st) == 0 && st.st_size == 3,
		"it is kept without force: %s", err.text);
	hs_signal_release(&s);
	free(row);
}

/* Writes with at most so many bytes of file, in a child: its status, or -1 when it died. */
static int write_within(rlim_t bytes, bool raw)
{
	int status;
	const pid_t child = fork();
	if (child == 0) {
		const struct rlimit limit = { bytes, bytes };
		const size_t n[] = { 30, 30, 100 };
		const struct hs_out_options options = { .path = path, .force = true, .raw = raw, .threads = 2, .title = "test" };
		struct hs_signal s;
		struct hs_err err = { 0 };
		struct hs_out *out = NULL;
		struct hs_sink *sink = NULL;
		struct hs_rng rng;
		float *rows = hs_must_alloc(900 * 100, sizeof *rows);
		hs_rng_init(&rng, 1, 1, 1);
		for (size_t i = 0; i < 90000; i++)
			rows[i] = (float)hs_rng_uniform(&rng);
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		describe(&s, HS_F32, 3, 1, n);
		if (hs_out_open(&out, &options, &err) == 0 && hs_out_stream(out, HS_AT_ENTRY, &s, false, NULL, &sink, &err) == 0) {
			if (hs_out_put(sink, rows, 900, &err) == 0 || hs_failed(&err))
				hs_out_end_stream(out, sink, &err);
			if (!hs_failed(&err))
				hs_out_commit(out, &err);
			else
				hs_out_abandon(out);
		} else if (out) {
			hs_out_abandon(out);
		}
		_exit(err.status);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_no_space(void)
{
	struct stat st;
	char part[80];
	snprintf(part, sizeof part, "%s.part", path);
	for (int raw = 0; raw < 2; raw++)
		for (rlim_t kib = 1; kib <= 256; kib *= 4) {
			unlink(path);
			const int status = write_within(kib << 10, raw);
			tap_ok(status == HS_SYSTEM && stat(path, &st) < 0 && stat(part, &st) < 0,
				"no space after %lu KiB%s: status 4 (%d), nothing left", (unsigned long)kib, raw ? ", unfiltered" : "", status);
		}
	tap_ok(write_within(4 << 20, false) == 0 && stat(path, &st) == 0, "with space it is written");
}

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof path, "%s/out.nxs", folder);
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	test_layouts();
	test_chunks();
	test_failures();
	test_no_space();
	unlink(path);
	rmdir(folder);
	return tap_done();
}
