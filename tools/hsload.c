/* hsload - any vendor file into ours. See hsload(1). */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/quicklook.h"
#include "formats/format.h"
#include "store/feed.h"

struct params {
	const char *format, *axes, *title;
	bool list_formats;
};

struct source {
	struct hs_feed feed;
	struct hs_bytes bytes;
	unsigned char head[65536];
	char *path_inside;                    /* of "file.h5:/path" */
	struct hs_h5 *h5;
	struct hs_in *ours;                   /* the file is one of ours: its history travels */
	struct hs_scan scan;
};

static void list_formats(void)
{
	for (const struct hs_format *const *f = hs_format_table; *f; f++)
		hs_say("%-12s %s\n", (*f)->name, (*f)->what);
	hs_say("%-12s %s\n", "hstools", "our own files: copied, with their history");
}

/* "file.h5:/path" when there is no file of that whole name. */
static char *split_path(const char *operand, char **inside)
{
	struct stat st;
	const char *colon = operand ? strstr(operand, ":/") : NULL;
	*inside = NULL;
	if (!colon || stat(operand, &st) == 0)
		return hs_must_dup(operand);
	*inside = hs_must_dup(colon + 1);
	char *file = hs_must_dup(operand);
	file[colon - operand] = 0;
	return file;
}

static int open_source(struct source *s, struct hs_run *run, struct hs_err *err)
{
	char *path = split_path(run->n_operands ? run->operand[0] : NULL, &s->path_inside);
	const int verdict = hs_feed_open(&s->feed, path, err);
	free(path);
	if (verdict < 0)
		return -1;
	const ssize_t n = pread(s->feed.fd, s->head, sizeof s->head, 0);
	s->bytes = (struct hs_bytes){ .fd = s->feed.fd, .size = s->feed.size, .name = s->feed.name, .head = s->head, .n_head = n > 0 ?
		(size_t)n : 0 };
	struct hs_err not_hdf5 = { 0 };
	if (hs_h5_open(&s->h5, s->feed.fd, s->feed.name, &not_hdf5) < 0) {
		s->h5 = NULL;
		static const char magic[8] = "\x89HDF\r\n\x1a\n";
		if (s->bytes.n_head >= 8 && !memcmp(s->head, magic, 8)) {     /* HDF5, but broken: its own reason is the best one */
			*err = not_hdf5;
			return -1;
		}
	}
	return 0;
}

/* One of our own files: its measured signals are loaded again, everything else travels with its history. */
static int scan_ours(struct source *s, struct hs_run *run, struct hs_err *err)
{
	struct hs_feed again;
	if (hs_feed_dup(&again, &s->feed, err) < 0 || hs_in_open_feed(&s->ours, &again, err) < 0)
		return -1;
	for (size_t i = 0; i < hs_in_count(s->ours); i++) {
		const struct hs_signal *from = hs_in_signal(s->ours, i);
		const char *path = hs_in_path(s->ours, i);
		if (strncmp(path, "/entry/", 7) || strchr(path + 7, '/') || hs_word_index("mean_spectrum|sum_image|map", from->name) >= 0)
			continue;
		struct hs_signal signal;
		struct hs_values values;
		hs_signal_copy(&signal, from);
		if (hs_in_values(s->ours, i, &values, err) < 0 || hs_scan_add(&s->scan, &signal, &values, err) < 0)
			return -1;
		if (!strcmp(from->name, "data"))
			s->scan.main = s->scan.n_signals - 1;
	}
	(void)run;
	return s->scan.n_signals ? 0 : hs_fail(err, HS_BAD_DATA, "cannot load '%s': it holds results only", s->feed.name);
}

static int scan(struct source *s, struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct hs_load_options options = { .path = s->path_inside, .axes = p->axes, .h5 = s->h5 };
	if (s->h5 && hs_h5_has_attr(s->h5, "/", "hs_version") && !s->path_inside && !p->format && !p->axes)
		return scan_ours(s, run, err);
	return hs_scan_open(&s->scan, &s->bytes, p->format, &options, err);
}

static char *header_json(const struct hs_scan *scan)
{
	if (scan->header_json)
		return hs_must_dup(scan->header_json);
	if (!scan->n_pairs)
		return NULL;
	struct hs_json j = { 0 };
	hs_json_begin(&j, NULL, '{');
	for (size_t i = 0; i < scan->n_pairs; i++)
		hs_json_text(&j, scan->pair[i].key, scan->pair[i].value);
	hs_json_end(&j, '}');
	return hs_json_take(&j);
}

static char *title_of(const struct source *s, const struct params *p)
{
	if (p->title || s->scan.title)
		return hs_must_dup(p->title ? p->title : s->scan.title);
	const char *slash = strrchr(s->feed.name, '/');
	char *title = hs_must_dup(slash ? slash + 1 : s->feed.name), *dot = strrchr(title, '.');
	if (dot && dot > title)
		*dot = 0;
	return title;
}

static int hash_file(const struct hs_bytes *file, char hex[65], struct hs_err *err)
{
	enum { MOST = 1 << 20 };
	struct hs_sha256 *sha = hs_sha256_new();
	char *buffer = hs_must_alloc(MOST, 1);
	int verdict = 0;
	for (uint64_t at = 0; at < file->size && verdict == 0; at += MOST) {
		const size_t n = file->size - at < MOST ? (size_t)(file->size - at) : MOST;
		if ((verdict = hs_bytes_read(file, at, buffer, n, err)) == 0)
			hs_sha256_add(sha, buffer, n);
	}
	free(buffer);
	hs_sha256_take(sha, hex);
	return verdict;
}

/* The signal people mean becomes /entry/data; the others keep their names beside it. */
static int write_signals(struct source *s, struct hs_run *run, struct hs_out *out, struct hs_err *err)
{
	for (size_t i = 0; i < s->scan.n_signals; i++) {
		const bool main = i == s->scan.main;
		struct hs_signal *signal = &s->scan.signal[i];
		if (main) {
			free(signal->name);
			signal->name = hs_must_dup("data");
		} else if (!strcmp(signal->name, "data")) {
			free(signal->name);
			signal->name = hs_must_dup("data_2");
		}
		if (s->scan.modality && !strcmp(signal->modality, "unknown"))
			hs_signal_set(&signal->modality, s->scan.modality);
		const struct hs_copy copy = { .signal = signal, .values = &s->scan.values[i], .place = HS_AT_ENTRY, .quick_looks = main };
		if (hs_copy_signal(run, out, &copy, err) < 0)
			return -1;
	}
	return hs_out_default(out, HS_AT_ENTRY, "data", err);
}

static int write_file(struct source *s, struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	char *title = title_of(s, p), *json = header_json(&s->scan), sha[65];
	struct hs_out *out = NULL;
	struct hs_step step = hs_session_step(run);
	int verdict = hash_file(&s->bytes, sha, err);
	if (verdict == 0)
		verdict = hs_session_output(run, s->ours, s->ours && !p->title ? NULL : title, s->scan.start_time, &out, err);
	if (verdict == 0 && (write_signals(s, run, out, err) < 0 || (!s->ours && (s->scan.n_header || json) &&
		hs_out_vendor(out, s->feed.name, s->scan.header, s->scan.n_header, json, err) < 0))) {
		hs_out_abandon(out);
		verdict = -1;
	}
	if (verdict == 0) {
		struct hs_origin *o = hs_step_add_origin(&step, "application/octet-stream", s->feed.name);
		o->path = hs_must_dup(s->path_inside);
		o->checksum = hs_must_dup(sha);
		verdict = hs_session_commit_step(out, &step, err);
	} else {
		hs_step_release(&step);
	}
	free(json);
	free(title);
	return verdict;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct source s = { .feed = { .fd = -1 } };
	if (p->list_formats) {
		list_formats();
		return 0;
	}
	int verdict = open_source(&s, run, err);
	if (verdict == 0)
		verdict = scan(&s, run, err);
	if (verdict == 0) {
		char *shape = hs_signal_show(&s.scan.signal[s.scan.main]);
		hs_json_int(&run->report, "signals", (long long)s.scan.n_signals);
		hs_json_text(&run->report, "main", shape);
		if (!hs_session_dry(run, "load %zu signals, first '%s' (%s), from %s", s.scan.n_signals, s.scan.signal[s.scan.main].title,
			shape,
			    s.feed.name))
			verdict = write_file(&s, run, err);
		free(shape);
	}
	hs_scan_release(&s.scan);
	hs_in_close(s.ours);
	if (s.h5)
		hs_h5_close(s.h5);
	free(s.path_inside);
	hs_feed_close(&s.feed);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { 0 };
	const struct hs_opt options[] = {
		HS_OPT_FLAG('l', "list-formats", &p.list_formats, "list what can be read"),
		HS_OPT_TEXT(0, "format", &p.format, "NAME", "do not look at the content, take this format"),
		HS_OPT_TEXT('a', "axes", &p.axes, "NAMES", "dimensions of a bare array, slowest first: y,x,energy"),
		HS_OPT_TEXT('t', "title", &p.title, "TEXT", "title of the data set"),
	};
	const struct hs_tool tool = { .name = "hsload",
		.summary = "load a vendor file (Nanonis, HyperSpy, USID, NSID, NeXus, EMD, NumPy, Lispix, HDF5)",
		.operands = "[FILE[:/path]]", .max_operands = 1, .takes = "a vendor file", .gives =
		"data, mean_spectrum, sum_image and further signals",
		.example = "hsload grid.3ds | hspca -k 4 | hsplot -o pca.png", .uses = HS_USES_OUTPUT | HS_USES_THREADS | HS_USES_REPORT,
		.options = options, .n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
