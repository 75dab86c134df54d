/* hsinfo - what a file holds: shapes, axes, units, results, history. See hsinfo(1). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "report/facts.h"
#include "cli/pixels.h"
#include "report/replay.h"
#include "report/show.h"
#include "store/feed.h"
#include "store/nxcheck.h"

struct params {
	bool check, values, history, stats, metadata, header;
};

static void print_json(struct hs_json *j)
{
	char *text = hs_json_take(j);
	hs_say("%s\n", text);
	free(text);
}

/* ------------------------------------------------------------------ does it obey the convention? */

struct faults {
	const char *file;                     /* in front of each line, when there are several files; or NULL */
	struct hs_json *json;                 /* or NULL */
};

static void say_fault(void *ctx, const char *path, const char *what)
{
	const struct faults *f = ctx;
	if (f->json) {
		hs_json_begin(f->json, NULL, '{');
		hs_json_text(f->json, "path", path);
		hs_json_text(f->json, "fault", what);
		hs_json_end(f->json, '}');
		return;
	}
	struct hs_str line = { 0 };
	hs_str_add_plain(&line, "%s%s%s: %s\n", f->file ? f->file : "", f->file ? ": " : "", path, what);
	hs_say("%s", hs_str_get(&line));
	hs_str_release(&line);
}

/* A file of ours may be broken in any way, but it must say that it is one of ours. */
static int open_ours(struct hs_h5 **h5, const struct hs_feed *feed, struct hs_err *err)
{
	struct hs_err why = { 0 };
	if (!feed->size)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': the file is empty", feed->name);
	if (hs_h5_open(h5, feed->fd, feed->name, &why) < 0)
		return hs_fail(err, why.status, "%s", why.text);
	char *creator = hs_h5_attr_text(*h5, "/", "creator");
	if (!hs_h5_has_attr(*h5, "/", "hs_version") && (!creator || strcmp(creator, "hstools")))
		hs_fail(err, HS_BAD_DATA, "cannot read '%s': HDF5 of another convention (hsload reads it)", feed->name);
	free(creator);
	if (hs_failed(err)) {
		hs_h5_close(*h5);
		*h5 = NULL;
		return -1;
	}
	return 0;
}

static int check(struct hs_run *run, size_t operand, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_feed feed = { .fd = -1 };
	struct hs_json j = { .one_line = true };
	struct hs_h5 *h5 = NULL;
	int verdict = hs_feed_open(&feed, operand < run->n_operands ? run->operand[operand] : NULL, err);
	if (verdict == 0)
		verdict = open_ours(&h5, &feed, err);
	if (verdict == 0) {
		struct faults faults = { .file = run->n_operands > 1 ? feed.name : NULL, .json = run->common.json ? &j : NULL };
		hs_json_begin(&j, NULL, '{');
		hs_json_text(&j, "file", feed.name);
		hs_json_begin(&j, "faults", '[');
		const int n = hs_nx_check(h5, say_fault, &faults, p->values);
		hs_json_end(&j, ']');
		hs_json_bool(&j, "obeys", n == 0);
		hs_json_bool(&j, "values_read", p->values);
		hs_json_end(&j, '}');
		if (run->common.json)
			print_json(&j);
		hs_stage("%s: %d faults", feed.name, n);
		run->answer_no |= n > 0;
	}
	hs_str_release(&j.out);
	if (h5)
		hs_h5_close(h5);
	hs_feed_close(&feed);
	return verdict;
}

/* ------------------------------------------------------------------ what does it hold? */

static int find_stats(struct hs_run *run, struct hs_in *in, size_t signal, struct hs_tally *tally, struct hs_err *err)
{
	struct hs_pixels px;
	struct hs_reading reading = { .as = HS_AS_AUTO };
	if (hs_session_memory(run, 0, &reading.memory, err) < 0 || hs_pixels_open(&px, run, in, signal, &reading, err) < 0)
		return -1;
	const int verdict = hs_tally(tally, px.source, px.mask, px.signal->has_fill ? &px.signal->fill : NULL, err);
	hs_pixels_close(&px);
	return verdict;
}

static int print_history(const struct hs_facts *facts, struct hs_err *err)
{
	struct hs_str script = { 0 };
	const int verdict = hs_replay(&script, facts->file, facts->step, facts->n_steps, err);
	if (verdict == 0)
		hs_say("%s", hs_str_get(&script));
	else
		hs_err_prepend(err, "%s", facts->file);
	hs_str_release(&script);
	return verdict;
}

static int print_metadata(struct hs_in *in, struct hs_err *err)
{
	char *text = hs_in_entry_text(in, "original_metadata/header_json/data");
	if (!text)
		return hs_fail(err, HS_NO, "'%s' holds no vendor metadata", hs_in_name(in));
	hs_say("%s%s", text, hs_ends(text, "\n") ? "" : "\n");
	free(text);
	return 0;
}

static int print_header(struct hs_in *in, struct hs_err *err)
{
	size_t n = 0;
	static const char path[] = "/entry/original_metadata/header/data";
	uint8_t *header = hs_h5_bytes(hs_in_h5(in), path, &n);
	if (!header && hs_h5_kind(hs_in_h5(in), path) == HS_H5_DATASET)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': the vendor header is damaged", hs_in_name(in));
	if (!header)
		return hs_fail(err, HS_NO, "'%s' holds no vendor header", hs_in_name(in));
	fwrite(header, 1, n, stdout);                 /* a failure stays on the stream, where the porch finds it */
	free(header);
	return 0;
}

static void print_facts(const struct hs_facts *facts, bool as_json)
{
	struct hs_json j = { .one_line = true };
	struct hs_str text = { 0 };
	if (as_json) {
		hs_show_json(&j, facts);
		print_json(&j);
	} else {
		hs_show_text(&text, facts);
		hs_say("%s", hs_str_get(&text));
	}
	hs_str_release(&text);
}

static int look(struct hs_run *run, size_t operand, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_in *in;
	size_t signal;
	struct hs_tally tally;
	struct hs_facts facts;
	if (hs_session_input(run, operand, &in, &signal, err) < 0)
		return -1;
	int verdict = hs_facts_init(&facts, in, err);
	if (verdict == 0 && p->stats) {
		verdict = find_stats(run, in, signal, &tally, err);
		facts.signal[signal].tally = &tally;
	}
	if (verdict == 0 && p->history)
		verdict = print_history(&facts, err);
	else if (verdict == 0 && p->metadata)
		verdict = print_metadata(in, err);
	else if (verdict == 0 && p->header)
		verdict = print_header(in, err);
	else if (verdict == 0)
		print_facts(&facts, run->common.json);
	hs_facts_release(&facts);
	hs_in_close(in);
	return verdict;
}

/* A file that cannot be read does not keep the others from being looked at; the first failure decides the status. */
static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const size_t n = run->n_operands ? run->n_operands : 1;
	if (p->check + p->history + p->stats + p->metadata + p->header > 1)
		return hs_fail(err, HS_USAGE, "--check, --history, --stats, --metadata and --header exclude each other");
	if ((p->header || p->history) && n > 1)
		return hs_fail(err, HS_USAGE, "--header and --history take one file");
	for (size_t i = 0; i < n; i++) {
		struct hs_err one = { 0 };
		if ((p->check ? check : look)(run, i, &one) == 0)
			continue;
		if (hs_failed(err))
			hs_warn("%s", one.text);
		else
			*err = one;
	}
	return hs_failed(err) ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct params p = { .values = true };
	const struct hs_opt options[] = {
		HS_OPT_FLAG(0, "check", &p.check, "does the file obey the convention? Status 1 and a line a fault if not"),
		HS_OPT_FLAG(0, "values", &p.values, "with --check: compare checksums of values, too (--no-values: do not)"),
		HS_OPT_FLAG(0, "history", &p.history, "print a shell script that makes the file again"),
		HS_OPT_FLAG(0, "stats", &p.stats, "read the values: minimum, maximum, mean, sum, NaN"),
		HS_OPT_FLAG(0, "metadata", &p.metadata, "print the vendor's metadata, as JSON"),
		HS_OPT_FLAG(0, "header", &p.header, "print the vendor's header, byte for byte"),
	};
	const struct hs_tool tool = { .name = "hsinfo", .summary = "what a file holds: shapes, axes, units, results, history",
		.operands = "[FILE]...", .max_operands = 1 << 20, .takes = "any files of ours", .gives = "text or JSON",
		.example = "hsinfo --json *.nxs | jq .title", .uses = HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_JSON, .options = options,
		.n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
