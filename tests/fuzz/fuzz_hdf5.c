/* Any bytes as an HDF5 file: opened from a descriptor without a name, offered to every HDF5 reader, and read as far as the
 * readers themselves do. Without the child process that hs_h5_open sends ahead, so crashes of libhdf5 1.10 itself are
 * found as well (it has known ones, h5tree.c names them); its leaks on broken files are not ours either: run with
 * ASAN_OPTIONS=detect_leaks=0. */
#include "fuzz_format.h"

extern const struct hs_format hs_format_hspy, hs_format_usid, hs_format_nsid, hs_format_nexus, hs_format_emd, hs_format_hdf5;

static int read_small(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	(void)ctx;
	struct hs_h5_shape shape;
	size_t n;
	if (kind == HS_H5_DATASET && hs_h5_shape(file, path, &shape) && shape.count < 4096) {
		free(hs_h5_reals(file, path, &n));
		free(hs_h5_text(file, path));
	}
	return 0;
}

static void read_as(const struct hs_format *format, const struct hs_bytes *file, const struct hs_load_options *options)
{
	struct hs_scan scan = { 0 };
	struct hs_err err = { 0 };
	const int score = format->sniff(file, options);
	fuzz_must(score >= 0 && score <= 100);
	if (format->open(file, options, &scan, &err) == 0) {
		fuzz_must(!hs_failed(&err) && scan.n_signals > 0 && scan.main < scan.n_signals);
		for (size_t i = 0; i < scan.n_signals; i++)
			fuzz_look(&scan.signal[i], &scan.values[i]);
	} else {
		fuzz_must(hs_failed(&err) && err.status != HS_BUG && err.text[0]);
	}
	hs_scan_release(&scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hs_format *const dialect[] = { &hs_format_hspy, &hs_format_usid, &hs_format_nsid, &hs_format_nexus,
		&hs_format_emd,
		&hs_format_hdf5 };
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	hs_log_listen(fuzz_listen);
	struct hs_err err = { 0 };
	struct hs_h5 *h5;
	if (hs_h5_open_unguarded(&h5, fd, "fuzz", &err) == 0) {
		const struct hs_load_options options = { .h5 = h5 };
		const struct hs_bytes file = { .fd = fd, .size = size, .name = "fuzz", .head = data, .n_head = size < 65536 ? size : 65536 };
		for (size_t i = 0; i < sizeof dialect / sizeof *dialect; i++)
			read_as(dialect[i], &file, &options);
		hs_h5_walk(h5, "/", read_small, NULL);
		hs_h5_close(h5);
	} else {
		fuzz_must(err.status == HS_BAD_DATA && err.text[0]);
	}
	close(fd);
	return 0;
}
