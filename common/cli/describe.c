#include "cli/describe.h"

#include <stdlib.h>
#include <string.h>

#include "cli/libs.h"

void hs_describe_help(const struct hs_tool *tool, const struct hs_opt_table table[2], struct hs_str *out)
{
	hs_str_addf(out, "usage: %s [OPTION]... %s\n%s\n\n", tool->name, tool->operands, tool->summary);
	hs_opt_help(&table[0], out);
	if (table[0].n)
		hs_str_add(out, "\n");
	hs_opt_help(&table[1], out);
	size_t column = strlen("  also:");
	hs_str_add(out, "  also:");
	for (size_t i = 0; i < table[1].n; i++) {
		const size_t width = strlen(table[1].row[i].name) + 3;
		if (!table[1].row[i].rare)
			continue;
		if (column + width > 78) {
			hs_str_add(out, "\n       ");
			column = strlen("       ");
		}
		hs_str_addf(out, " --%s", table[1].row[i].name);
		column += width;
	}
	hs_str_addf(out, "\n  see %s(1)\n", tool->name);
	if (tool->example)
		hs_str_addf(out, "\nexample: %s\n", tool->example);
}

static const char *kind_name(const struct hs_opt *o)
{
	static const char *const name[] = { [HS_OPT_FLAG_KIND] = "flag", [HS_OPT_TALLY_KIND] = "tally", [HS_OPT_COUNT_KIND] = "count",
		[HS_OPT_REAL_KIND] = "real", [HS_OPT_TEXT_KIND] = "text", [HS_OPT_CHOICE_KIND] = "choice", [HS_OPT_BYTES_KIND] = "bytes",
		[HS_OPT_SECONDS_KIND] = "seconds", [HS_OPT_SAID_KIND] = "operation" };
	return name[o->kind];
}

static const char *unit_of(const struct hs_opt *o)
{
	return o->kind == HS_OPT_BYTES_KIND ? "byte" : o->kind == HS_OPT_SECONDS_KIND ? "s" : NULL;
}

static void option_json(struct hs_json *j, const struct hs_opt *o, bool common)
{
	struct hs_str value = { 0 };
	const char letter[2] = { o->letter, 0 };
	hs_json_begin(j, NULL, '{');
	hs_json_text(j, "name", o->name);
	if (o->letter)
		hs_json_text(j, "letter", letter);
	hs_json_text(j, "type", kind_name(o));
	if (o->metavar)
		hs_json_text(j, "value", o->metavar);
	if (unit_of(o))
		hs_json_text(j, "unit", unit_of(o));
	if (o->words)
		hs_json_text(j, o->kind == HS_OPT_CHOICE_KIND ? "choices" : "or", o->words);
	if (o->low < o->high) {
		hs_json_real(j, "min", o->low);
		hs_json_real(j, "max", o->high);
	}
	if (hs_opt_value(o, &value))
		hs_json_text(j, "default", hs_str_get(&value));
	hs_json_bool(j, "common", common);
	hs_json_text(j, "help", o->help);
	hs_json_end(j, '}');
	hs_str_release(&value);
}

void hs_describe_json(const struct hs_tool *tool, const struct hs_opt_table table[2], struct hs_str *out)
{
	struct hs_json j = { 0 };
	hs_json_begin(&j, NULL, '{');
	hs_json_text(&j, "name", tool->name);
	hs_json_text(&j, "version", hs_version);
	hs_json_text(&j, "summary", tool->summary);
	hs_json_text(&j, "operands", tool->operands);
	hs_json_int(&j, "min_operands", (long long)tool->min_operands);
	hs_json_int(&j, "max_operands", (long long)tool->max_operands);
	hs_json_text(&j, "takes", tool->takes);
	hs_json_text(&j, "gives", tool->gives);
	hs_json_begin(&j, "options", '[');
	for (int t = 0; t < 2; t++)
		for (size_t i = 0; i < table[t].n; i++)
			option_json(&j, &table[t].row[i], t == 1);
	hs_json_end(&j, ']');
	hs_json_end(&j, '}');
	char *text = hs_json_take(&j);
	hs_str_addf(out, "%s\n", text);
	free(text);
}

void hs_describe_completion(const struct hs_tool *tool, const struct hs_opt_table table[2], struct hs_str *out)
{
	struct hs_str words = { 0 };
	hs_str_addf(out, "_%s()\n{\n\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n\tcase $before in\n",
		tool->name);
	for (int t = 0; t < 2; t++)
		for (size_t i = 0; i < table[t].n; i++) {
			const struct hs_opt *o = &table[t].row[i];
			hs_str_addf(&words, " --%s", o->name);
			if (o->kind != HS_OPT_CHOICE_KIND)
				continue;
			hs_str_addf(out, "\t--%s) COMPREPLY=($(compgen -W '", o->name);
			for (const char *p = o->words; *p; p++)
				hs_str_addf(out, "%c", *p == '|' ? ' ' : *p);
			hs_str_add(out, "' -- \"$word\")); return;;\n");
		}
	hs_str_addf(out, "\tesac\n\tif [[ $word == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W '%s' -- \"$word\"))\n\telse\n"
			 "\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n\tfi\n}\ncomplete -o filenames -F _%s %s\n",
		hs_str_get(&words) + (words.len > 0), tool->name, tool->name);
	hs_str_release(&words);
}

static void mdoc_escape(struct hs_str *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\')
			hs_str_add(out, "\\e");
		else if (*p == '-')
			hs_str_add(out, "\\-");
		else
			hs_str_add_bytes(out, p, 1);
	}
}

void hs_describe_mdoc(const struct hs_tool *tool, const struct hs_opt_table table[2], struct hs_str *out)
{
	(void)tool;
	hs_str_add(out, ".Bl -tag -width Ds\n");
	for (int t = 0; t < 2; t++)
		for (size_t i = 0; i < table[t].n; i++) {
			const struct hs_opt *o = &table[t].row[i];
			struct hs_str value = { 0 };
			hs_str_add(out, ".It");
			if (o->letter)
				hs_str_addf(out, " Fl %c ,", o->letter);
			hs_str_addf(out, " Fl Fl %s", o->name);
			if (o->kind == HS_OPT_CHOICE_KIND)
				hs_str_add(out, " Ar word");
			else if (o->metavar)
				hs_str_addf(out, " Ar %s", o->metavar);
			if (o->words && o->kind == HS_OPT_COUNT_KIND)
				hs_str_addf(out, " | Cm %s", o->words);
			hs_str_add(out, "\n");
			mdoc_escape(out, o->help);
			if (o->kind == HS_OPT_CHOICE_KIND)
				hs_str_addf(out, ":\n.Cm %s", o->words);
			if (o->kind != HS_OPT_FLAG_KIND && o->kind != HS_OPT_TALLY_KIND && hs_opt_value(o, &value))
				hs_str_addf(out, "\n(default:\n.Li %s )", hs_str_get(&value));
			hs_str_add(out, "\n");
			hs_str_release(&value);
		}
	hs_str_add(out, ".El\n");
}

void hs_describe_version(const struct hs_tool *tool, struct hs_str *out)
{
	struct hs_str libs = { 0 };
	hs_libs_text(&libs);
	hs_str_addf(out, "%s (hstools) %s, commit %s\n%s\n", tool->name, hs_version, hs_commit, hs_str_get(&libs));
	hs_str_release(&libs);
}
