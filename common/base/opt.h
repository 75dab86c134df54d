/* opt - option tables: one row an option, pointing at the variable it sets. The same table parses the command line, prints
 * --help, --describe, bash completion and the man page's OPTIONS block, and feeds the record in the file's history.
 *
 * Invariants: a variable holds its default before parsing; letters and names are unique in a table (hs_opt_check, a bug
 * otherwise); values are parsed to their last character and range-checked. Flags have a --no-NAME form. Rows are made with
 * the HS_OPT_* macros, whose _Generic refuses a pointer of the wrong type at compile time. */
#ifndef HS_BASE_OPT_H
#define HS_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum hs_opt_kind { HS_OPT_FLAG_KIND, HS_OPT_TALLY_KIND, HS_OPT_COUNT_KIND, HS_OPT_REAL_KIND, HS_OPT_TEXT_KIND, HS_OPT_CHOICE_KIND,
	HS_OPT_BYTES_KIND, HS_OPT_SECONDS_KIND, HS_OPT_SAID_KIND };

struct hs_opt {
	char letter;                  /* 0: long form only */
	const char *name;
	enum hs_opt_kind kind;
	void *place;
	const char *metavar;          /* what stands for the value in help */
	const char *help;             /* one line, lower case, no full stop */
	const char *words;            /* CHOICE: "a|b|c"; COUNT: a word that means 0 ("auto") */
	double low, high;             /* allowed range of COUNT and REAL */
	bool rare;                    /* left out of --help, named on its last line */
};

/* Options that may be given many times and whose order matters: all that were said, in that order. The array grows as they come
 * and is released with free(). value is NULL for one without metavar. */
struct hs_opt_said {
	size_t n;
	struct {
		const struct hs_opt *option;
		const char *value;
	} *item;
};

#define HS_PLACE_(T, p) _Generic((p), T *: (p))
#define HS_OPT_SAID(letter, name, p, metavar, help) \
	{ letter, name, HS_OPT_SAID_KIND, HS_PLACE_(struct hs_opt_said, p), metavar, help, NULL, 0, 0, false }
#define HS_OPT_FLAG(letter, name, p, help) { letter, name, HS_OPT_FLAG_KIND, HS_PLACE_(bool, p), NULL, help, NULL, 0, 0, false }
#define HS_OPT_TALLY(letter, name, p, help) { letter, name, HS_OPT_TALLY_KIND, HS_PLACE_(int, p), NULL, help, NULL, 0, 0, false }
#define HS_OPT_COUNT(letter, name, p, metavar, lo, hi, help) \
	{ letter, name, HS_OPT_COUNT_KIND, HS_PLACE_(uint64_t, p), metavar, help, NULL, lo, hi, false }
#define HS_OPT_COUNT_OR(letter, name, p, metavar, word, lo, hi, help) \
	{ letter, name, HS_OPT_COUNT_KIND, HS_PLACE_(uint64_t, p), metavar, help, word, lo, hi, false }
#define HS_OPT_REAL(letter, name, p, metavar, lo, hi, help) \
	{ letter, name, HS_OPT_REAL_KIND, HS_PLACE_(double, p), metavar, help, NULL, lo, hi, false }
#define HS_OPT_TEXT(letter, name, p, metavar, help) \
	{ letter, name, HS_OPT_TEXT_KIND, HS_PLACE_(const char *, p), metavar, help, NULL, 0, 0, false }
#define HS_OPT_CHOICE(letter, name, p, words, help) \
	{ letter, name, HS_OPT_CHOICE_KIND, HS_PLACE_(int, p), NULL, help, words, 0, 0, false }
#define HS_OPT_BYTES(letter, name, p, help) \
	{ letter, name, HS_OPT_BYTES_KIND, HS_PLACE_(uint64_t, p), "SIZE", help, NULL, 0, 0, false }
#define HS_OPT_SECONDS(letter, name, p, help) \
	{ letter, name, HS_OPT_SECONDS_KIND, HS_PLACE_(double, p), "TIME", help, NULL, 0, 0, false }

/* A tool has two tables: its own and the common one. */
struct hs_opt_table {
	const struct hs_opt *row;
	size_t n;
};

/* HS_BUG when two rows share a letter or a name. */
int hs_opt_check(const struct hs_opt_table *table, size_t n_tables, struct hs_err *err);

/* Parses argv[1..]; operands are moved, in order, to the front of argv[1..] and counted. "-" is an operand, "--" ends the
 * options. HS_USAGE on mistakes. */
int hs_opt_parse(const struct hs_opt_table *table, size_t n_tables, int argc, char **argv, size_t *n_operands,
	struct hs_err *err);

/* Help lines of a table, options flush at two blanks, text from column 28. rare rows are left out. */
void hs_opt_help(const struct hs_opt_table *table, struct hs_str *out);

/* The present value as text: "8", "auto", "poisson", "2.5"; false when there is nothing to say (unset text, NaN). */
bool hs_opt_value(const struct hs_opt *opt, struct hs_str *out);

#endif
