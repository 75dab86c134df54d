/* fuzz_format - one run of a vendor reader on hostile bytes: sniff, open, look at what it claims, release.
 *
 * Beside what the sanitizers notice, a run ends in abort() when a reader fails without a sentence, opens without a signal,
 * describes a signal whose shape or axes disagree with its values, or puts the first value outside the file. */
#ifndef HS_TESTS_FUZZ_FORMAT_H
#define HS_TESTS_FUZZ_FORMAT_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "formats/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_listen(enum hs_log_level level, const char *line)
{
	(void)level;
	if (!strlen(line))
		abort();
}

static void fuzz_must(bool truth)
{
	if (!truth)
		abort();
}

static void fuzz_look(const struct hs_signal *s, const struct hs_values *v)
{
	fuzz_must(s->rank <= HS_MAX_RANK && v->rank <= HS_MAX_RANK && s->sig_rank <= s->rank);
	fuzz_must(hs_signal_nav_count(s) == hs_values_n_rows(v) && hs_signal_sig_count(s) == hs_values_n_chan(v));
	for (size_t i = 0; i < s->rank; i++)
		fuzz_must(s->axis[i].n >= 1 && s->axis[i].value && *s->axis[i].name && *s->axis[i].units &&
			  hs_axis_is_monotonic(&s->axis[i]));
	for (size_t i = 0; i < s->n_coords; i++)
		fuzz_must(isfinite(s->coord[i].value[s->coord[i].n - 1]));
	if (v->kind == HS_VALUES_RAW)
		fuzz_must(v->fd >= 0 && v->offset + (v->half ? 2 : hs_dtype_size(v->dtype)) <= v->end);
}

/* name: what companion files are looked for by. */
static int fuzz_format(const struct hs_format *format, const char *name, const uint8_t *data, size_t size)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_must(fd >= 0);
	for (size_t done = 0; done < size; ) {
		const ssize_t n = write(fd, data + done, size - done);
		fuzz_must(n > 0);
		done += (size_t)n;
	}
	hs_log_listen(fuzz_listen);
	/* an exact copy, so that reading one byte behind the head is seen */
	const size_t n_head = size < 65536 ? size : 65536;
	unsigned char *head = malloc(n_head ? n_head : 1);
	memcpy(head, data, n_head);
	const struct hs_bytes file = { .fd = fd, .size = size, .name = name, .head = head, .n_head = n_head };
	const struct hs_load_options options = { 0 };
	struct hs_scan scan = { 0 };
	struct hs_err err = { 0 };
	const int score = format->sniff(&file, &options);
	fuzz_must(score >= 0 && score <= 100);
	if (format->open(&file, &options, &scan, &err) == 0) {
		fuzz_must(!hs_failed(&err) && scan.n_signals > 0 && scan.main < scan.n_signals);
		for (size_t i = 0; i < scan.n_signals; i++)
			fuzz_look(&scan.signal[i], &scan.values[i]);
	} else {
		fuzz_must(err.status == HS_BAD_DATA && err.text[0]);
	}
	hs_scan_release(&scan);
	free(head);
	close(fd);
	return 0;
}

#endif
