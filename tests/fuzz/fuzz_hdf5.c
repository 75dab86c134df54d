/* Any bytes as an HDF5 file, opened as the tools do it (a probe that goes ahead, a watch for what it misses), offered to every
 * HDF5 reader, read as far as the readers themselves do, and as one of our own files: opened, checked, carried into an output.
 *
 * All that happens in a child first. It may end well, or with status 3 because libhdf5 1.10 crashed (as a tool would);
 * anything else is a finding. What the child survived happens once more in this process, which is in the same state, so
 * that the fuzzer sees which lines it reached. libhdf5's leaks on broken files are not ours: detect_leaks=0. */
#include "fuzz_format.h"

#include <execinfo.h>
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/draft.h"
#include "store/nxcheck.h"
#include "store/nxread.h"
#include "store/nxwrite.h"

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

static void count_fault(void *ctx, const char *path, const char *what)
{
	fuzz_must(*path && *what);
	++*(int *)ctx;
}

/* As one of ours. The output goes nowhere. */
static void read_ours(int fd, size_t size, struct hs_h5 *h5)
{
	struct hs_feed feed = { .fd = dup(fd), .size = size, .name = strdup("fuzz") };
	struct hs_err err = { 0 };
	struct hs_in *in;
	int n_faults = 0;
	fuzz_must(hs_nx_check(h5, count_fault, &n_faults, true) == n_faults);
	if (hs_in_open_feed(&in, &feed, &err) < 0) {
		fuzz_must((err.status == HS_BAD_DATA || err.status == HS_SYSTEM) && err.text[0]);
		return;
	}
	for (size_t i = 0; i < hs_in_count(in) && !hs_failed(&err); i++)
		if (hs_signal_nav_count(hs_in_signal(in, i)) * hs_signal_sig_count(hs_in_signal(in, i)) < 65536)
			free(hs_in_read(in, i, &err));
	fuzz_must(!hs_failed(&err) || (err.status != HS_BUG && err.text[0]));
	struct hs_out *out;
	const struct hs_out_options options = { .path = "/dev/null", .force = true };
	struct hs_err writing = { 0 };
	if (hs_out_open(&out, &options, &writing) == 0) {
		if (hs_out_carry(out, in, true, &writing) < 0)
			fuzz_must(writing.status != HS_BUG && writing.text[0]);
		hs_out_abandon(out);
	}
	hs_in_close(in);
}

static void read_everything(int fd, const uint8_t *data, size_t size)
{
	static const struct hs_format *const dialect[] = { &hs_format_hspy, &hs_format_usid, &hs_format_nsid, &hs_format_nexus,
		&hs_format_emd, &hs_format_hdf5 };
	struct hs_err err = { 0 };
	struct hs_h5 *h5;
	if (hs_h5_open(&h5, fd, "fuzz", &err) < 0) {
		fuzz_must(err.status == HS_BAD_DATA && err.text[0]);
		return;
	}
	const struct hs_load_options options = { .h5 = h5 };
	const struct hs_bytes file = { .fd = fd, .size = size, .name = "fuzz", .head = data, .n_head = size < 65536 ? size : 65536 };
	for (size_t i = 0; i < sizeof dialect / sizeof *dialect; i++)
		read_as(dialect[i], &file, &options);
	hs_h5_walk(h5, "/", read_small, NULL);
	free(hs_h5_metadata_json(h5, "/", 65536));
	read_ours(fd, size, h5);
	hs_h5_close(h5);
}

/* A sanitizer found something. Below a function of libhdf5 it is no fault of the tools, which run on after a wild read or end as
 * crash.h says; what comes first, ours or libhdf5, is whose it is. */
static void whose_fault(void)
{
	void *frame[64];
	char place[512];
	const int n = backtrace(frame, 64);
	for (int i = 0; i < n; i++) {
		__sanitizer_symbolize_pc((char *)frame[i] - 1, "%m %s", place, sizeof place);
		if (strstr(place, "libhdf5"))
			_exit(HS_BAD_DATA);
		if (strstr(place, "common/") && !strstr(place, "sanitizer_common"))
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	hs_log_listen(fuzz_listen);
	int status;
	const pid_t child = fork();
	fuzz_must(child >= 0);
	if (child == 0) {
		__sanitizer_set_death_callback(whose_fault);
		const struct rlimit seconds = { 30, 30 };
		setrlimit(RLIMIT_CPU, &seconds);
		read_everything(fd, data, size);
		_exit(HS_OK);
	}
	fuzz_must(waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != HS_OK && WEXITSTATUS(status) != HS_BAD_DATA))
		fprintf(stderr, "the child ended with wait status %x\n", (unsigned)status);
	fuzz_must(WIFEXITED(status) && (WEXITSTATUS(status) == HS_OK || WEXITSTATUS(status) == HS_BAD_DATA));
	if (WEXITSTATUS(status) == HS_OK)
		read_everything(fd, data, size);
	close(fd);
	return 0;
}
