/* Option tables: what a command line sets, in every spelling, and what is refused. */
#include "base/opt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tap.h"

struct params {
	bool flag, other;
	int loud;
	uint64_t count, k, bytes;
	double real, seconds;
	const char *text;
	int choice;
};

static size_t rows_of(struct params *p, struct hs_opt *row)
{
	const struct hs_opt all[] = {
		HS_OPT_FLAG('f', "flag", &p->flag, "a flag"),
		HS_OPT_FLAG(0, "other", &p->other, "a flag without a letter"),
		HS_OPT_TALLY('v', "loud", &p->loud, "more of it"),
		HS_OPT_COUNT('n', "count", &p->count, "N", 1, 100, "a count"),
		HS_OPT_COUNT_OR('k', "components", &p->k, "K", "auto", 1, 50, "a count or a word"),
		HS_OPT_REAL('r', "real", &p->real, "X", -1, 1, "a number"),
		HS_OPT_TEXT('o', "output", &p->text, "FILE", "a text"),
		HS_OPT_CHOICE('c', "choice", &p->choice, "one|two|three", "a word"),
		HS_OPT_BYTES(0, "memory", &p->bytes, "a size"),
		HS_OPT_SECONDS(0, "deadline", &p->seconds, "a time"),
	};
	memcpy(row, all, sizeof all);
	return HS_LEN(all);
}

enum { MOST_WORDS = 12 };

/* Parses the words (ended by NULL); returns hs_opt_parse's verdict, operands in argv[1..]. */
static int parse(struct params *p, const char *const *word, char **argv, size_t *n_operands, struct hs_err *err)
{
	struct hs_opt row[16];
	const struct hs_opt_table table[2] = { { row, rows_of(p, row) }, { NULL, 0 } };
	int argc = 1;
	argv[0] = hs_must_dup("tool");
	for (; word[argc - 1]; argc++)
		argv[argc] = hs_must_dup(word[argc - 1]);
	argv[argc] = NULL;
	*err = (struct hs_err){ 0 };
	return hs_opt_parse(table, 2, argc, argv, n_operands, err);
}

static void test_spellings(void)
{
	static const char *const line[][MOST_WORDS] = { { "-f", "-n", "7", "-r", "-0.5", "-o", "x", "-c", "two", "-vv" },
		{ "-fvvn7", "-r-0.5", "-ox", "-ctwo" },
		{ "--flag", "--count=7", "--real=-0.5", "--output=x", "--choice=two", "--loud", "--loud" },
		{ "--flag", "--count", "7", "--real", "-0.5", "--output", "x", "--choice", "two", "-v", "-v" } };
	for (size_t i = 0; i < HS_LEN(line); i++) {
		struct params p = { .k = 3 };
		struct hs_err err;
		char *argv[MOST_WORDS + 2];
		size_t n = 9;
		tap_ok(parse(&p, line[i], argv, &n, &err) == 0 && p.flag && !p.other && p.loud == 2 && p.count == 7 &&
				p.real == -0.5 && p.text && !strcmp(p.text, "x") && p.choice == 1 && n == 0 && p.k == 3,
			"spelling %zu %s", i, err.text);
	}
}

static void test_values(void)
{
	struct params p = { .flag = true, .k = 9 };
	struct hs_err err;
	char *argv[MOST_WORDS + 2];
	size_t n = 0;
	tap_ok(parse(&p, (const char *const[]){ "--no-flag", "-k", "auto", "--memory", "2k", "--deadline", "5min", NULL }, argv,
		       &n, &err) == 0 &&
			!p.flag && p.k == 0 && p.bytes == 2048 && p.seconds == 300,
		"--no-flag, a word for zero, sizes, times %s", err.text);
	tap_ok(parse(&p, (const char *const[]){ "a", "-f", "-", "b", "--", "-n", "c", NULL }, argv, &n, &err) == 0 && n == 5 &&
			!strcmp(argv[1], "a") && !strcmp(argv[2], "-") && !strcmp(argv[3], "b") && !strcmp(argv[4], "-n") &&
			!strcmp(argv[5], "c"),
		"operands in order, - among them, -- ends the options %s", err.text);
	tap_ok(parse(&p, (const char *const[]){ "-o", "-", "-n", "100", "-n", "1", NULL }, argv, &n, &err) == 0 && n == 0 &&
			!strcmp(p.text, "-") && p.count == 1,
		"a value may begin with -, the last one counts %s", err.text);
}

static void test_refusals(void)
{
	static const char *const line[][4] = { { "--nothing" }, { "-x" }, { "-n" }, { "--count" }, { "--count=" }, { "-n", "0" },
		{ "-n", "101" }, { "-n", "7x" }, { "-n", "-1" }, { "-r", "1.01" }, { "-r", "nan" }, { "-c", "four" },
		{ "-c", "" }, { "-c", "o" }, { "--flag=1" }, { "--memory", "1q" }, { "--deadline", "-1" }, { "-k", "0" },
		{ "-k", "automatic" }, { "--no-count", "3" }, { "--cou", "3" }, { "-fx" },
		{ "--count", "--flag" }, { "-n", "--count=3" } };
	for (size_t i = 0; i < HS_LEN(line); i++) {
		struct params p = { 0 };
		struct hs_err err;
		char *argv[MOST_WORDS + 2];
		size_t n = 0;
		tap_ok(parse(&p, line[i], argv, &n, &err) < 0 && err.status == HS_USAGE && err.text[0], "refused: %s %s: %s",
			line[i][0], line[i][1] ? line[i][1] : "", err.text);
	}
}

static void test_table(void)
{
	struct params p = { 0 };
	struct hs_err err = { 0 };
	struct hs_opt row[16];
	const struct hs_opt_table table[2] = { { row, rows_of(&p, row) }, { NULL, 0 } };
	tap_ok(hs_opt_check(table, 2, &err) == 0, "a sound table");
	row[3].letter = 'f';
	tap_ok(hs_opt_check(table, 2, &err) < 0 && err.status == HS_BUG, "a letter twice is our bug: %s", err.text);
	rows_of(&p, row);
	row[4].name = "flag";
	err = (struct hs_err){ 0 };
	tap_ok(hs_opt_check(table, 2, &err) < 0 && err.status == HS_BUG, "a name twice is our bug: %s", err.text);
	rows_of(&p, row);
	struct hs_str help = { 0 };
	hs_opt_help(&table[0], &help);
	int named = 1;
	for (size_t i = 0; i < table[0].n; i++)
		named &= strstr(hs_str_get(&help), row[i].name) && strstr(hs_str_get(&help), row[i].help);
	tap_ok(named && strstr(hs_str_get(&help), "one|two|three"), "help names every option and its words");
	hs_str_release(&help);
	p = (struct params){ .choice = 2, .k = 0, .count = 8, .real = NAN };
	static const struct {
		size_t row;
		const char *text;
	} shown[] = { { 7, "three" }, { 4, "auto" }, { 3, "8" }, { 5, NULL }, { 6, NULL } };
	for (size_t i = 0; i < HS_LEN(shown); i++) {
		struct hs_str s = { 0 };
		const bool is = hs_opt_value(&row[shown[i].row], &s);
		tap_ok(is == (shown[i].text != NULL) && (!is || !strcmp(hs_str_get(&s), shown[i].text)), "value of --%s: '%s'",
			row[shown[i].row].name, hs_str_get(&s));
		hs_str_release(&s);
	}
}

/* Operations: all that were said, in order, and each remembers its place. */
static void test_said(void)
{
	struct hs_opt_said said = { 0 };
	const struct hs_opt row[] = { HS_OPT_SAID(0, "crop", &said, "AXIS=LO:HI", "a part"), HS_OPT_SAID('d', "despike", &said, NULL,
		"spikes") };
	const struct hs_opt_table table[2] = { { row, HS_LEN(row) }, { NULL, 0 } };
	char *argv[] = { (char[]){ "tool" }, (char[]){ "--crop" }, (char[]){ "x=1:2" }, (char[]){ "-d" }, (char[]){ "--crop=y=3:4" },
		NULL };
	struct hs_err err = { 0 };
	struct hs_str crop = { 0 }, despike = { 0 };
	size_t n;
	tap_ok(hs_opt_parse(table, 2, 5, argv, &n, &err) == 0 && said.n == 3, "three operations are said %s", err.text);
	tap_ok(said.item[0].option == &row[0] && said.item[1].option == &row[1] && said.item[2].option == &row[0] &&
		!strcmp(said.item[0].value, "x=1:2") && !said.item[1].value && !strcmp(said.item[2].value, "y=3:4"), "in their order");
	tap_ok(hs_opt_value(&row[0], &crop) && !strcmp(hs_str_get(&crop), "1 x=1:2, 3 y=3:4") && hs_opt_value(&row[1], &despike) &&
		!strcmp(hs_str_get(&despike), "2"), "the record has their places: %s; %s", hs_str_get(&crop), hs_str_get(&despike));
	hs_str_release(&crop);
	hs_str_release(&despike);
	free(said.item);
}

int main(void)
{
	test_spellings();
	test_values();
	test_refusals();
	test_table();
	test_said();
	return tap_done();
}
