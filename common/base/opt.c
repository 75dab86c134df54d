#include "base/opt.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"

static const struct hs_opt *next_row(const struct hs_opt_table *table, size_t n_tables, size_t *at)
{
	size_t i = (*at)++;
	for (size_t t = 0; t < n_tables; i -= table[t++].n)
		if (i < table[t].n)
			return &table[t].row[i];
	return NULL;
}

int hs_opt_check(const struct hs_opt_table *table, size_t n_tables, struct hs_err *err)
{
	const struct hs_opt *a, *b;
	for (size_t i = 0; (a = next_row(table, n_tables, &i));)
		for (size_t j = i; (b = next_row(table, n_tables, &j));)
			if ((a->letter && a->letter == b->letter) || !strcmp(a->name, b->name))
				return hs_fail(err, HS_BUG, "options --%s and --%s clash", a->name, b->name);
	return 0;
}

static const struct hs_opt *find_letter(const struct hs_opt_table *table, size_t n_tables, char letter)
{
	const struct hs_opt *o;
	for (size_t i = 0; (o = next_row(table, n_tables, &i));)
		if (o->letter == letter)
			return o;
	return NULL;
}

static const struct hs_opt *find_name(const struct hs_opt_table *table, size_t n_tables, const char *name, size_t len)
{
	const struct hs_opt *o;
	for (size_t i = 0; (o = next_row(table, n_tables, &i));)
		if (strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

static bool wants_value(const struct hs_opt *o)
{
	return o->kind != HS_OPT_FLAG_KIND && o->kind != HS_OPT_TALLY_KIND && (o->kind != HS_OPT_SAID_KIND || o->metavar);
}

static int in_range(const struct hs_opt *o, double v, struct hs_err *err)
{
	if (o->low < o->high && !(v >= o->low && v <= o->high))
		return hs_fail(err, HS_USAGE, "%.15g is outside %.15g .. %.15g", v, o->low, o->high);
	return 0;
}

static int set(const struct hs_opt *o, const char *text, struct hs_err *err)
{
	switch (o->kind) {
	case HS_OPT_FLAG_KIND:
		*(bool *)o->place = true;
		return 0;
	case HS_OPT_TALLY_KIND:
		++*(int *)o->place;
		return 0;
	case HS_OPT_COUNT_KIND: {
		uint64_t v;
		if (o->words && !strcmp(text, o->words)) {
			*(uint64_t *)o->place = 0;
			return 0;
		}
		if (hs_parse_count(text, &v, err) < 0 || in_range(o, (double)v, err) < 0)
			return -1;
		*(uint64_t *)o->place = v;
		return 0;
	}
	case HS_OPT_REAL_KIND: {
		double v;
		if (hs_parse_real(text, &v, err) < 0 || in_range(o, v, err) < 0)
			return -1;
		*(double *)o->place = v;
		return 0;
	}
	case HS_OPT_TEXT_KIND:
		if (!*text)
			return hs_fail(err, HS_USAGE, "the value is empty");
		*(const char **)o->place = text;
		return 0;
	case HS_OPT_CHOICE_KIND: {
		const int place = hs_word_index(o->words, text);
		if (place < 0)
			return hs_fail(err, HS_USAGE, "'%.60s' is none of %s", text, o->words);
		*(int *)o->place = place;
		return 0;
	}
	case HS_OPT_BYTES_KIND:
		return hs_parse_bytes(text, o->place, err);
	case HS_OPT_SECONDS_KIND:
		return hs_parse_seconds(text, o->place, err);
	case HS_OPT_SAID_KIND: {
		struct hs_opt_said *said = o->place;
		said->item = hs_must_resize(said->item, said->n + 1, sizeof *said->item);
		said->item[said->n].option = o;
		said->item[said->n++].value = text;
		return 0;
	}
	}
	return hs_fail(err, HS_BUG, "option --%s has no kind", o->name);
}

/* A value that is the name of an option was forgotten: with = it can still be given. */
static bool names_option(const struct hs_opt_table *table, size_t n_tables, const char *word)
{
	return hs_starts(word, "--") && find_name(table, n_tables, word + 2, strcspn(word + 2, "="));
}

/* "--name", "--name=value", "--no-name"; advances *i when the value is the next word. */
static int parse_long(const struct hs_opt_table *table, size_t n_tables, int argc, char **argv, int *i, struct hs_err *err)
{
	const char *word = argv[*i] + 2, *equals = strchr(word, '=');
	const size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct hs_opt *o = find_name(table, n_tables, word, len);
	const struct hs_opt *flag = !o && !equals && hs_starts(word, "no-") ? find_name(table, n_tables, word + 3, len - 3) : NULL;
	if (flag && flag->kind == HS_OPT_FLAG_KIND) {
		*(bool *)flag->place = false;
		return 0;
	}
	if (!o)
		return hs_fail(err, HS_USAGE, "unknown option '%.60s'", argv[*i]);
	if (!wants_value(o) && equals)
		return hs_fail(err, HS_USAGE, "--%s takes no value", o->name);
	if (wants_value(o) && !equals && (*i + 1 >= argc || names_option(table, n_tables, argv[*i + 1])))
		return hs_fail(err, HS_USAGE, "--%s needs a value", o->name);
	const char *value = !wants_value(o) ? NULL : equals ? equals + 1 : argv[++*i];
	return set(o, value, err) < 0 ? hs_err_prepend(err, "--%s", o->name) : 0;
}

/* "-f", "-fv", "-k5", "-k 5". */
static int parse_letters(const struct hs_opt_table *table, size_t n_tables, int argc, char **argv, int *i, struct hs_err *err)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		const struct hs_opt *o = find_letter(table, n_tables, *p);
		if (!o)
			return hs_fail(err, HS_USAGE, "unknown option '-%c'", *p);
		if (!wants_value(o)) {
			set(o, NULL, err);
			continue;
		}
		if (!p[1] && (*i + 1 >= argc || names_option(table, n_tables, argv[*i + 1])))
			return hs_fail(err, HS_USAGE, "-%c needs a value", *p);
		const char *value = p[1] ? p + 1 : argv[++*i];
		return set(o, value, err) < 0 ? hs_err_prepend(err, "-%c", o->letter) : 0;
	}
	return 0;
}

int hs_opt_parse(const struct hs_opt_table *table, size_t n_tables, int argc, char **argv, size_t *n_operands, struct hs_err *err)
{
	bool options_over = false;
	*n_operands = 0;
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];
		if (!options_over && !strcmp(word, "--"))
			options_over = true;
		else if (options_over || word[0] != '-' || !word[1])
			argv[1 + (*n_operands)++] = word;
		else if ((word[1] == '-' ? parse_long : parse_letters)(table, n_tables, argc, argv, &i, err) < 0)
			return -1;
	}
	return 0;
}

static void synopsis(const struct hs_opt *o, struct hs_str *out)
{
	if (o->letter)
		hs_str_addf(out, "-%c, ", o->letter);
	else
		hs_str_add(out, "    ");
	hs_str_addf(out, "--%s", o->name);
	if (o->kind == HS_OPT_CHOICE_KIND)
		hs_str_add(out, " WORD");
	else if (wants_value(o))
		hs_str_addf(out, " %s%s%s", o->metavar, o->words ? "|" : "", o->words ? o->words : "");
}

enum { TEXT_COLUMN = 28, HELP_COLUMNS = 80 };

/* text at TEXT_COLUMN, broken behind spaces and bars so that a terminal of 80 columns shows it whole. */
static void add_wrapped(struct hs_str *out, const char *text)
{
	const size_t room = HELP_COLUMNS - TEXT_COLUMN;
	while (strlen(text) > room) {
		size_t end = room;
		while (end > 0 && text[end - 1] != ' ' && text[end - 1] != '|')
			end--;
		if (!end)
			break;
		hs_str_add_bytes(out, text, text[end - 1] == ' ' ? end - 1 : end);
		hs_str_addf(out, "\n%*s", TEXT_COLUMN, "");
		text += end;
	}
	hs_str_addf(out, "%s\n", text);
}

void hs_opt_help(const struct hs_opt_table *table, struct hs_str *out)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct hs_opt *o = &table->row[i];
		if (o->rare)
			continue;
		struct hs_str left = { 0 }, text = { 0 }, value = { 0 };
		synopsis(o, &left);
		hs_str_addf(out, "  %-*s ", TEXT_COLUMN - 3, hs_str_get(&left));
		hs_str_add(&text, o->help);
		if (o->kind == HS_OPT_CHOICE_KIND)
			hs_str_addf(&text, ": %s", o->words);
		if (wants_value(o) && o->kind != HS_OPT_SAID_KIND && hs_opt_value(o, &value))
			hs_str_addf(&text, " [%s]", hs_str_get(&value));
		add_wrapped(out, hs_str_get(&text));
		hs_str_release(&left);
		hs_str_release(&text);
		hs_str_release(&value);
	}
}

bool hs_opt_value(const struct hs_opt *o, struct hs_str *out)
{
	switch (o->kind) {
	case HS_OPT_FLAG_KIND:
		hs_str_add(out, *(const bool *)o->place ? "true" : "false");
		return true;
	case HS_OPT_TALLY_KIND:
		hs_str_addf(out, "%d", *(const int *)o->place);
		return true;
	case HS_OPT_COUNT_KIND: {
		const uint64_t v = *(const uint64_t *)o->place;
		if (o->words && !v)
			hs_str_add(out, o->words);
		else
			hs_str_addf(out, "%" PRIu64, v);
		return true;
	}
	case HS_OPT_REAL_KIND:
	case HS_OPT_SECONDS_KIND: {
		const double v = *(const double *)o->place;
		if (!isfinite(v))
			return false;
		hs_str_addf(out, "%.15g", v);
		return true;
	}
	case HS_OPT_TEXT_KIND: {
		const char *v = *(const char *const *)o->place;
		if (v)
			hs_str_add(out, v);
		return v != NULL;
	}
	case HS_OPT_CHOICE_KIND: {
		const char *p = o->words;
		for (int i = *(const int *)o->place; i > 0 && p; i--)
			p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL;
		if (p)
			hs_str_add_bytes(out, p, strcspn(p, "|"));
		return p != NULL;
	}
	case HS_OPT_SAID_KIND: {              /* each with its place in the order: "2 energy=280:320eV, 4" */
		const struct hs_opt_said *said = o->place;
		const size_t before = out->len;
		for (size_t i = 0; i < said->n; i++)
			if (said->item[i].option == o)
				hs_str_addf(out, "%s%zu%s%s", out->len > before ? ", " : "", i + 1, said->item[i].value ? " " : "",
					said->item[i].value ? said->item[i].value : "");
		return out->len > before;
	}
	case HS_OPT_BYTES_KIND: {
		const uint64_t v = *(const uint64_t *)o->place;
		char text[16];
		if (v)
			hs_str_add(out, hs_show_bytes((double)v, text));
		return v != 0;
	}
	}
	return false;
}
