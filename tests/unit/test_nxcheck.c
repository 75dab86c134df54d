/* nxcheck: a file as the writer makes it has no fault; each change made with HDF5 itself is found, named and counted. The
 * long list of ways to break a file is in tests/hsinfo.bats. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hdf5.h>

#include "base/mem.h"
#include "store/nxcheck.h"
#include "store/nxwrite.h"
#include "store/stored.h"
#include "tap.h"

enum { NY = 24, NX = 20, NE = 128 };
static char path[64];

static int make(struct hs_err *err)
{
	const struct hs_out_options options = { .path = path, .force = true, .threads = 1, .title = "test",
		.start_time = "2026-01-15T12:00:00+01:00" };
	struct hs_step step = { .program = hs_must_dup("test"), .version = hs_must_dup("1"), .date = hs_must_dup("2026-01-15T12:00:00Z"),
		.command = hs_must_dup("test"), .configuration = hs_must_dup("{\"argv\": [\"test\"]}") };
	struct hs_signal s;
	struct hs_out *out;
	float *values = hs_must_alloc((size_t)NY * NX * NE, sizeof *values);
	for (size_t i = 0; i < (size_t)NY * NX * NE; i++)
		values[i] = (float)(i % 977);
	hs_signal_init(&s, "data", "intensity", "count", HS_F32);
	hs_signal_add_axis(&s, hs_axis_uniform("y", "nm", NULL, HS_AXIS_SPATIAL, NY, 0, 1));
	hs_signal_add_axis(&s, hs_axis_uniform("x", "nm", NULL, HS_AXIS_SPATIAL, NX, 0, 1));
	hs_signal_add_axis(&s, hs_axis_uniform("energy", "eV", NULL, HS_AXIS_SPECTRAL, NE, 100, 0.5));
	hs_signal_shape_up(&s, 1);
	int verdict = hs_out_open(&out, &options, err);
	if (verdict == 0 && (hs_out_step(out, "test", err) < 0 || hs_out_signal(out, HS_AT_ENTRY, &s, values, NULL, err) < 0 ||
		hs_out_default(out, HS_AT_ENTRY, "data", err) < 0 || hs_out_finish_step(out, &step, err) < 0)) {
		hs_out_abandon(out);
		verdict = -1;
	} else if (verdict == 0) {
		verdict = hs_out_commit(out, err);
	}
	hs_signal_release(&s);
	hs_step_release(&step);
	free(values);
	return verdict;
}

struct heard {
	int n;
	char path[256], what[512];            /* the first */
};

static void hear(void *ctx, const char *where, const char *what)
{
	struct heard *h = ctx;
	if (h->n++)
		return;
	snprintf(h->path, sizeof h->path, "%s", where);
	snprintf(h->what, sizeof h->what, "%s", what);
}

static int examine(struct heard *h, bool values, struct hs_err *err)
{
	struct hs_h5 *file;
	*h = (struct heard){ 0 };
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || hs_h5_open(&file, fd, path, err) < 0)
		return -1;
	const int n = hs_nx_check(file, hear, h, values);
	hs_h5_close(file);
	close(fd);
	return n;
}

/* Ways to break the file. */

static void one_value(hid_t file)
{
	const hsize_t start[3] = { NY - 1, NX - 1, NE - 1 }, one[3] = { 1, 1, 1 };
	const float value = -1;
	hid_t set = H5Dopen2(file, "/entry/data/data", H5P_DEFAULT), space = H5Dget_space(set), memory = H5Screate_simple(3, one, NULL);
	H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, one, NULL);
	H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, &value);
	H5Sclose(memory);
	H5Sclose(space);
	H5Dclose(set);
}

static void no_title(hid_t file)
{
	H5Ldelete(file, "/entry/data/title", H5P_DEFAULT);
}

static void no_units(hid_t file)
{
	H5Adelete_by_name(file, "/entry/data/energy", "units", H5P_DEFAULT);
}

static void no_scale(hid_t file)
{
	H5Adelete_by_name(file, "/entry/data/data", "DIMENSION_LIST", H5P_DEFAULT);
}

static void loop(hid_t file)
{
	H5Lcreate_hard(file, "/entry", file, "/entry/process_01_test/up", H5P_DEFAULT, H5P_DEFAULT);
}

static void out_of_the_file(hid_t file)
{
	H5Lcreate_external("/etc/passwd", "/", file, "/entry/other", H5P_DEFAULT, H5P_DEFAULT);
}

static void second_number(hid_t file)
{
	const int number = 2;
	hid_t set = H5Dopen2(file, "/entry/process_01_test/sequence_index", H5P_DEFAULT);
	H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, &number);
	H5Dclose(set);
}

static const struct { const char *name; void (*how)(hid_t); int faults; const char *path, *what; } way[] = {
	{ "one changed value", one_value, 1, "/entry/data/data", "has values that do not match @sha256" },
	{ "no title", no_title, 1, "/entry/data", "has no title" },
	{ "an axis without unit", no_units, 1, "/entry/data/energy", "has no @units" },
	{ "no scales", no_scale, 3, "/entry/data/data", "dimension 0 has not 'y', and only it, attached as its scale" },
	{ "a loop", loop, 1, "/entry/process_01_test/up", "is a loop: it leads back to a group above it" },
	{ "an external link", out_of_the_file, 1, "/entry/other", "is an external link: other readers show nothing or zeros" },
	{ "a gap in the history", second_number, 1, "/", "has 1 steps in its history, numbered without gaps up to 0 only" },
};

int main(void)
{
	struct hs_err err = { 0 };
	struct heard h;
	snprintf(path, sizeof path, "/tmp/test_nxcheck_%d.nxs", (int)getpid());
	tap_ok(make(&err) == 0, "a file is written %s", err.text);
	tap_ok(examine(&h, true, &err) == 0 && h.n == 0, "it has no fault: %s %s", h.path, h.what);

	struct hs_h5 *file = NULL;
	struct hs_nx_stored stored;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	tap_ok(hs_h5_open(&file, fd, path, &err) == 0, "it opens");
	tap_ok(hs_nx_stored(file, "/entry/data/data", &stored), "its values are stored");
	tap_ok(stored.bytes == (uint64_t)NY * NX * NE * 4 && stored.rank == 3 &&
		stored.n_filters == 3 && !strcmp(stored.filter[0], "shuffle") && !strcmp(stored.filter[1], "deflate") &&
		!strcmp(stored.filter[2], "fletcher32") && stored.stored_bytes > 0 && stored.stored_bytes < stored.bytes,
		"with %zu filters, in %llu of %llu bytes", stored.n_filters, (unsigned long long)stored.stored_bytes,
		(unsigned long long)stored.bytes);
	tap_ok(!hs_nx_stored(file, "/entry/data", &stored) && !stored.bytes, "a group is not stored as values");
	tap_ok(!hs_nx_stored(file, "/entry/nothing", &stored), "nor is nothing");
	hs_h5_close(file);
	close(fd);

	for (size_t i = 0; i < HS_LEN(way); i++) {
		tap_ok(make(&err) == 0, "written anew %s", err.text);
		hid_t id = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
		way[i].how(id);
		H5Fclose(id);
		const int n = examine(&h, true, &err);
		tap_ok(n == way[i].faults && h.n == n, "%s: %d faults, %d expected", way[i].name, n, way[i].faults);
		tap_ok(!strcmp(h.path, way[i].path) && !strcmp(h.what, way[i].what), "%s: '%s' '%s'", way[i].name, h.path, h.what);
		if (way[i].how == one_value)
			tap_ok(examine(&h, false, &err) == 0, "%s: not seen when values are not read", way[i].name);
	}
	unlink(path);
	return tap_done();
}
