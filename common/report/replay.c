#include "report/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static void add_quoted(struct hs_str *out, const char *word)
{
	if (*word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%") == strlen(word)) {
		hs_str_add(out, word);
		return;
	}
	hs_str_add(out, "'");
	for (const char *p = word; *p; p++)
		if (*p == '\'')
			hs_str_add(out, "'\\''");
		else
			hs_str_add_bytes(out, p, 1);
	hs_str_add(out, "'");
}

/* Is this letter one that takes no value? The common ones, and those whose name the step recorded as true or false. */
static bool is_flag_letter(const struct hs_step *step, char letter)
{
	for (size_t i = 0; i < step->n_params; i++)
		if (step->param[i].kind == HS_PARAM_BOOL && step->param[i].name[0] == letter)
			return true;
	return strchr("fnqv", letter) != NULL;
}

/* Where a recorded command line wrote to: the value of -o; NULL for standard output. Borrowed from argv. */
static const char *output_of(const struct hs_step *step, char *const *argv)
{
	const char *output = NULL;
	for (char *const *a = argv; *a && strcmp(*a, "--"); a++) {
		const char *word = *a;
		if (hs_starts(word, "--output="))
			output = word + strlen("--output=");
		else if (!strcmp(word, "--output"))
			output = a[1] ? *++a : NULL;
		else if (word[0] == '-' && word[1] != '-')
			for (const char *p = word + 1; *p; p++) {
				if (*p == 'o')
					output = p[1] ? p + 1 : a[1] ? *++a : NULL;
				if (!is_flag_letter(step, *p))
					break;
			}
	}
	return output && strcmp(output, "-") ? output : NULL;
}

/* Only our own programs are replayed: the file may come from a stranger. */
static bool is_ours(const struct hs_step *step, char *const *argv)
{
	return argv && *argv && !strcmp(*argv, step->program) && hs_starts(*argv, "hs") &&
		strspn(*argv, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(*argv);
}

static bool reads_stdin(const struct hs_step *step)
{
	return step->n_origins && !strcmp(step->origin[0].file_name, "stdin");
}

static void add_remarks(struct hs_str *out, const struct hs_step *step)
{
	hs_str_add_plain(out, "# step %d: %s %s, %s\n", step->sequence, step->program, step->version, step->date);
	for (size_t i = 0; i < step->n_origins; i++) {
		const struct hs_origin *o = &step->origin[i];
		hs_str_add_plain(out, "#   from %s%s%s%s%s\n", o->file_name, o->path ? ", " : "", o->path ? o->path : "",
			o->checksum ? ", sha256 " : "", o->checksum ? o->checksum : "");
	}
}

/* One command. before: the file the step before has written, NULL for the first step; *made: what this one writes, owned by
 * the caller. The step behind tells what a file was called that came by standard output. */
static int add_command(struct hs_str *out, const struct hs_step *step, const struct hs_step *behind, const char *before,
	char **made, struct hs_err *err)
{
	char **argv = hs_json_get_strings(step->configuration, "argv");
	if (!is_ours(step, argv)) {
		hs_json_free_strings(argv);
		return hs_fail(err, HS_BAD_DATA, "step %d has no command line of ours: it cannot be replayed", step->sequence);
	}
	const char *output = output_of(step, argv);
	if (output)
		*made = hs_must_dup(output);
	else if (behind && behind->n_origins && !reads_stdin(behind))
		*made = hs_must_dup(behind->origin[0].file_name);
	else
		*made = hs_must_printf("step_%02d.nxs", step->sequence);
	if (before && step->n_origins && !reads_stdin(step) && strcmp(before, step->origin[0].file_name)) {
		hs_str_add(out, "cp -- ");                /* it was renamed or moved in between */
		add_quoted(out, before);
		hs_str_add(out, " ");
		add_quoted(out, step->origin[0].file_name);
		hs_str_add(out, "\n");
	}
	for (char **a = argv; *a; a++) {
		hs_str_add(out, a == argv ? "" : " ");
		add_quoted(out, *a);
	}
	if (reads_stdin(step) && before) {
		hs_str_add(out, " < ");
		add_quoted(out, before);
	} else if (reads_stdin(step)) {
		hs_str_addf(out, " < \"${1:?give the file that step %d read from standard input}\"", step->sequence);
	}
	if (!output) {
		hs_str_add(out, " > ");
		add_quoted(out, *made);
	}
	hs_str_add(out, "\n");
	hs_json_free_strings(argv);
	return 0;
}

int hs_replay(struct hs_str *script, const char *file, const struct hs_step *const *step, size_t n, struct hs_err *err)
{
	char *before = NULL;
	int verdict = 0;
	hs_str_add(script, "#!/bin/sh\n");
	hs_str_add_plain(script, "# how %s was made; run it where its inputs are\n", file);
	hs_str_add(script, "set -eC\n");
	for (size_t i = 0; i < n && verdict == 0; i++) {
		char *made = NULL;
		add_remarks(script, step[i]);
		verdict = add_command(script, step[i], i + 1 < n ? step[i + 1] : NULL, before, &made, err);
		free(before);
		before = made;
	}
	free(before);
	return verdict;
}
