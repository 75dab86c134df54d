#include "formats/format.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

int hs_scan_open(struct hs_scan *scan, const struct hs_bytes *file, const char *format, const struct hs_load_options *options,
	struct hs_err *err)
{
	const struct hs_format *best = NULL;
	int best_score = 0;
	for (const struct hs_format *const *f = hs_format_table; *f; f++) {
		const int score = format ? (strcmp((*f)->name, format) ? 0 : 100) : (*f)->sniff(file, options);
		if (score > best_score) {
			best_score = score;
			best = *f;
		}
	}
	if (!best && format)
		return hs_fail(err, HS_USAGE, "no format is called '%s': see --list-formats", format);
	if (!best && !file->size)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': the file is empty", file->name);
	if (!best)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': none of the known formats (see --list-formats)", file->name);
	*scan = (struct hs_scan){ 0 };
	if (best->open(file, options, scan, err) == 0 && !scan->n_signals)
		hs_fail(err, HS_BAD_DATA, "no measured signal in it");
	if (hs_failed(err)) {
		hs_scan_release(scan);
		if (err->status == HS_BAD_DATA)
			hs_err_prepend(err, "cannot read '%s'", file->name);
		return -1;
	}
	return 0;
}

void hs_scan_release(struct hs_scan *scan)
{
	for (size_t i = 0; i < scan->n_signals; i++) {
		hs_signal_release(&scan->signal[i]);
		hs_values_release(&scan->values[i]);
	}
	for (size_t i = 0; i < scan->n_pairs; i++) {
		free(scan->pair[i].key);
		free(scan->pair[i].value);
	}
	for (size_t i = 0; i < scan->n_fds; i++)
		close(scan->fd[i]);
	free(scan->fd);
	free(scan->pair);
	free(scan->signal);
	free(scan->values);
	free(scan->header);
	free(scan->header_json);
	free(scan->title);
	free(scan->start_time);
	free(scan->modality);
	*scan = (struct hs_scan){ 0 };
}

static void unique_name(struct hs_scan *scan, struct hs_signal *signal)
{
	char *wish = hs_must_dup(signal->name);
	for (int k = 2, taken = 1; taken; k++) {
		taken = 0;
		for (size_t i = 0; i < scan->n_signals; i++)
			taken |= !strcmp(scan->signal[i].name, signal->name);
		if (taken) {
			free(signal->name);
			signal->name = hs_must_printf("%s_%d", wish, k);
		}
	}
	free(wish);
}

/* HyperSpy drops the sign of a uniform descending axis, so such data are stored ascending (container convention 2.3). */
static void put_axis_in_order(struct hs_signal *signal, struct hs_values *values, size_t i)
{
	struct hs_axis *a = &signal->axis[i];
	if (!hs_axis_is_monotonic(a)) {
		/* a bias that goes up and down again: the values stay, as a coordinate along the same dimension */
		char *name = hs_must_printf("%s_values", a->name);
		bool finite = true;
		for (size_t k = 0; k < a->n; k++)
			finite &= isfinite(a->value[k]) != 0;
		hs_warn("%s: axis '%s' is not monotonic: its index is used%s%s", signal->title, a->name, finite ?
			", the values are kept as " : "",
			finite ? name : "");
		if (finite)
			hs_signal_add_coord(signal, name, a->units, a->n, a->value)->dim[0] = i;
		free(name);
		struct hs_axis index = hs_axis_uniform(a->name, "1", a->quantity, a->kind, a->n, 0, 1);
		hs_axis_release(a);
		*a = index;
	} else if (hs_axis_descends(a) && hs_axis_is_uniform(a) && values->rank == signal->rank) {
		for (size_t lo = 0, hi = a->n - 1; lo < hi; lo++, hi--) {
			const double v = a->value[lo];
			a->value[lo] = a->value[hi];
			a->value[hi] = v;
		}
		values->flip[i] = !values->flip[i];
	}
}

int hs_scan_add(struct hs_scan *scan, struct hs_signal *signal, struct hs_values *values, struct hs_err *err)
{
	const size_t n_sig = hs_signal_sig_count(signal), n_nav = hs_signal_nav_count(signal);
	if (n_nav != hs_values_n_rows(values) || n_sig != hs_values_n_chan(values)) {
		hs_fail(err, HS_BUG, "signal '%s' is described as %zu x %zu, its values as %zu x %zu", signal->name, n_nav, n_sig,
			hs_values_n_rows(values), hs_values_n_chan(values));
		hs_signal_release(signal);
		hs_values_release(values);
		return -1;
	}
	for (size_t i = 0; i < signal->rank; i++)
		put_axis_in_order(signal, values, i);
	unique_name(scan, signal);
	signal->dtype = values->dtype;
	scan->signal = hs_must_resize(scan->signal, scan->n_signals + 1, sizeof *scan->signal);
	scan->values = hs_must_resize(scan->values, scan->n_signals + 1, sizeof *scan->values);
	scan->signal[scan->n_signals] = *signal;
	scan->values[scan->n_signals++] = *values;
	*signal = (struct hs_signal){ 0 };
	*values = (struct hs_values){ 0 };
	return 0;
}

void hs_scan_add_pair(struct hs_scan *scan, const char *key, const char *value)
{
	scan->pair = hs_must_resize(scan->pair, scan->n_pairs + 1, sizeof *scan->pair);
	scan->pair[scan->n_pairs++] = (struct hs_pair){ hs_must_dup(key), hs_must_dup(value) };
}

void hs_scan_set_header(struct hs_scan *scan, const void *bytes, size_t n)
{
	free(scan->header);
	scan->header = hs_must_alloc(n, 1);
	if (n)
		memcpy(scan->header, bytes, n);
	scan->n_header = n;
}

int hs_bytes_read(const struct hs_bytes *file, uint64_t offset, void *to, size_t n, struct hs_err *err)
{
	char *at = to;
	if (offset > file->size || n > file->size - offset)
		return hs_fail(err, HS_BAD_DATA, "file ends after %llu bytes, %zu bytes at %llu are missing", (unsigned long long)file->size, n,
			(unsigned long long)offset);
	while (n) {
		const ssize_t k = pread(file->fd, at, n, (off_t)offset);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return hs_fail_errno(err, "cannot read '%s'", file->name);
		if (k == 0)
			return hs_fail(err, HS_BAD_DATA, "file became shorter while it was read");
		at += k;
		n -= (size_t)k;
		offset += (uint64_t)k;
	}
	return 0;
}

int hs_scan_companion(struct hs_scan *scan, const struct hs_bytes *file, const char *const *endings, struct hs_bytes *companion,
	struct hs_err *err)
{
	const char *dot = strrchr(file->name, '.'), *slash = strrchr(file->name, '/');
	const int stem = dot && (!slash || dot > slash) ? (int)(dot - file->name) : (int)strlen(file->name);
	for (const char *const *e = endings; *e; e++) {
		for (int upper = 0; upper < 2; upper++) {
			char *path = hs_must_printf("%.*s%s%s", stem, file->name, **e ? "." : "", *e);
			for (char *c = path + stem; upper && *c; c++)
				*c = (char)toupper((unsigned char)*c);
			struct stat st;
			const int fd = open(path, O_RDONLY | O_CLOEXEC);
			free(path);
			if (fd < 0)
				continue;
			if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
				close(fd);
				continue;
			}
			scan->fd = hs_must_resize(scan->fd, scan->n_fds + 1, sizeof *scan->fd);
			scan->fd[scan->n_fds++] = fd;
			*companion = (struct hs_bytes){ .fd = fd, .size = (uint64_t)st.st_size, .name = file->name };
			return 0;
		}
	}
	return hs_fail(err, HS_BAD_DATA, "the file with the values (.%s) is not beside it", *endings);
}
