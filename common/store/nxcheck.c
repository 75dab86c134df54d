#include "store/nxcheck.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/exam.h"

/* ------------------------------------------------------------------ identifiers and times */

static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	if (strlen(text) != sizeof form - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != form[i])
			return false;
	return true;
}

/* n decimal digits within low .. high; moves on. */
static bool digits(const char **p, int n, int low, int high)
{
	int value = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		value = 10 * value + **p - '0';
	}
	return value >= low && value <= high;
}

static bool letter(const char **p, char wanted)
{
	return **p == wanted && ++*p;
}

/* YYYY-MM-DDThh:mm[:ss[.fraction]] and a zone: Z or +hh:mm. */
static const char *time_fault(const char *text)
{
	const char *p = text;
	if (!digits(&p, 4, 1, 9999) || !letter(&p, '-') || !digits(&p, 2, 1, 12) || !letter(&p, '-') || !digits(&p, 2, 1, 31) ||
		(!letter(&p, 'T') && !letter(&p, ' ')) || !digits(&p, 2, 0, 23) || !letter(&p, ':') || !digits(&p, 2, 0, 59))
		return "is no ISO 8601 time";
	if (letter(&p, ':')) {
		if (!digits(&p, 2, 0, 60))
			return "is no ISO 8601 time";
		if (letter(&p, '.')) {
			if (!isdigit((unsigned char)*p))
				return "is no ISO 8601 time";
			p += strspn(p, "0123456789");
		}
	}
	if (!*p)
		return "is a time without a zone";
	if (letter(&p, 'Z'))
		return *p ? "is no ISO 8601 time" : NULL;
	const bool offset = (letter(&p, '+') || letter(&p, '-')) && digits(&p, 2, 0, 23) && letter(&p, ':') && digits(&p, 2, 0, 59);
	return offset && !*p ? NULL : "is no ISO 8601 time";
}

/* text is freed; NULL: it is missing, which is said elsewhere. */
static void check_time(struct hs_exam *c, const char *path, const char *name, char *text)
{
	const char *why = text ? time_fault(text) : NULL;
	if (why)
		hs_exam_fault(c, path, "%s '%.60s' %s", name, text, why);
	free(text);
}

/* ------------------------------------------------------------------ history */

static void check_process(struct hs_exam *c, const char *path)
{
	static const char *const fields[] = { "program", "version", "date", "sequence_index", "configuration" };
	char *index = hs_h5_join(path, "sequence_index"), *note = hs_h5_join(path, "configuration"),
	     *json = hs_exam_child_text(c, note, "data");
	char **argv = json ? hs_json_get_strings(json, "argv") : NULL, **child;
	size_t n = 0;
	for (size_t i = 0; i < HS_LEN(fields); i++)
		if (!hs_exam_has_child(c, path, fields[i]))
			hs_exam_fault(c, path, "has no %s", fields[i]);
	check_time(c, path, "date", hs_exam_child_text(c, path, "date"));
	if (hs_exam_has_child(c, path, "configuration") && !argv)
		hs_exam_fault(c, note, "holds no JSON with a list argv");
	double *number = hs_h5_reals(c->file, index, &n);
	c->n_steps++;
	const int step = n == 1 && number[0] >= 1 && number[0] <= HS_EXAM_STEPS && number[0] == (int)number[0] ? (int)number[0] : 0;
	if (step && !c->number_seen[step])
		c->number_seen[step] = true;
	else if (hs_exam_has_child(c, path, "sequence_index"))
		hs_exam_fault(c, path, "has a sequence_index that is no number from 1 on, or not its own");
	child = hs_h5_children(c->file, path, &n);
	for (size_t i = 0; i < n; i++)
		if (hs_starts(child[i], "input_")) {
			char *input = hs_h5_join(path, child[i]);
			if (!hs_exam_has_child(c, input, "file_name"))
				hs_exam_fault(c, input, "has no file_name");
			free(input);
		}
	hs_h5_free_list(child, n);
	hs_json_free_strings(argv);
	free(number);
	free(json);
	free(note);
	free(index);
}

static void check_sequence(struct hs_exam *c)
{
	size_t next = 1;
	while (next <= HS_EXAM_STEPS && c->number_seen[next])
		next++;
	if (!c->n_steps)
		hs_exam_fault(c, "/", "has no history: there is no NXprocess");
	else if (next != c->n_steps + 1)
		hs_exam_fault(c, "/", "has %zu steps in its history, numbered without gaps up to %zu only", c->n_steps, next - 1);
}

/* ------------------------------------------------------------------ the whole file */

static int check_object(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	struct hs_exam *c = ctx;
	if (kind == HS_H5_DATASET) {
		hs_exam_set(c, path);
		return 0;
	}
	char *class = hs_h5_attr_text(file, path, "NX_class");
	hs_exam_attrs(c, path);
	hs_exam_links(c, path);
	if (!class || !*class)
		hs_exam_fault(c, path, "is a group without @NX_class");
	else if (!strcmp(class, "NXdata"))
		hs_exam_nxdata(c, path);
	else if (!strcmp(class, "NXprocess"))
		check_process(c, path);
	else if (!strcmp(class, "NXnote"))
		hs_exam_note(c, path);
	free(class);
	return 0;
}

static void check_root(struct hs_exam *c)
{
	static const char *const attrs[] = { "default", "creator", "creator_version", "hs_version", "file_time", "HDF5_Version" };
	hs_exam_attrs(c, "/");
	hs_exam_links(c, "/");
	if (!hs_exam_attr_is(c, "/", "NX_class", "NXroot"))
		hs_exam_fault(c, "/", "@NX_class is not NXroot");
	hs_exam_want_attrs(c, "/", attrs, HS_LEN(attrs));
	check_time(c, "/", "@file_time", hs_h5_attr_text(c->file, "/", "file_time"));
}

static void check_entry(struct hs_exam *c)
{
	static const char *const fields[] = { "title", "start_time", "entry_identifier_uuid", "program_name" };
	char *name = hs_h5_attr_text(c->file, "/", "default");
	char *entry = name && hs_exam_has_child(c, "/", name) ? hs_h5_join("/", name) : NULL;
	if (entry) {
		for (size_t i = 0; i < HS_LEN(fields); i++)
			if (!hs_exam_has_child(c, entry, fields[i]))
				hs_exam_fault(c, entry, "has no %s", fields[i]);
		if (!hs_exam_attr_is(c, entry, "NX_class", "NXentry"))
			hs_exam_fault(c, entry, "@NX_class is not NXentry");
		check_time(c, entry, "start_time", hs_exam_child_text(c, entry, "start_time"));
		char *uuid = hs_exam_child_text(c, entry, "entry_identifier_uuid");
		if (uuid && !is_uuid(uuid))
			hs_exam_fault(c, entry, "entry_identifier_uuid '%.60s' is no UUID", uuid);
		free(uuid);
	}
	free(entry);
	free(name);
}

/* From the root by names of children to an NXdata. */
static void check_defaults(struct hs_exam *c)
{
	char *path = hs_must_dup("/"), *name;
	for (int depth = 0; depth < 9 && (name = hs_h5_attr_text(c->file, path, "default")); depth++) {
		if (strchr(name, '/') || !hs_exam_has_child(c, path, name)) {
			hs_exam_fault(c, path, "@default '%.60s' is not the name of a child", name);
			free(name);
			break;
		}
		char *next = hs_h5_join(path, name);
		free(path);
		free(name);
		path = next;
	}
	if (!hs_exam_attr_is(c, path, "NX_class", "NXdata"))
		hs_exam_fault(c, "/", "@default does not lead to an NXdata");
	free(path);
}

int hs_nx_check(struct hs_h5 *file, void (*report)(void *ctx, const char *path, const char *what), void *ctx, bool values)
{
	struct hs_exam c = { .file = file, .report = report, .ctx = ctx, .values = values };
	size_t n = 0;
	char **child = hs_h5_children(file, "/", &n);
	check_root(&c);
	for (size_t i = 0; i < n; i++) {
		char *path = hs_h5_join("/", child[i]);
		if (!hs_exam_is_view("/", child[i]))
			hs_h5_walk(file, path, check_object, &c);
		free(path);
	}
	check_entry(&c);
	check_defaults(&c);
	check_sequence(&c);
	hs_h5_free_list(child, n);
	return c.n_faults;
}
