/* str - a growing string.
 *
 * Invariants: a zeroed struct is the empty string; text is NULL or ends with NUL; len excludes it. Owner: whoever holds
 * the struct; hs_str_take hands the text over. */
#ifndef HS_BASE_STR_H
#define HS_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

struct hs_str {
	char *text;
	size_t len, room;
};

void hs_str_add(struct hs_str *s, const char *text);
void hs_str_add_bytes(struct hs_str *s, const char *bytes, size_t n);
void hs_str_addf(struct hs_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text from a file on its way to a terminal or into a script: what could steer either, line feeds as well, becomes a question
 * mark; only a line feed that ends fmt stays one. */
void hs_str_add_plain(struct hs_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *hs_str_get(const struct hs_str *s);           /* "" when empty; valid until the next change */
char *hs_str_take(struct hs_str *s);                      /* caller frees; s is empty again */
void hs_str_release(struct hs_str *s);

/* Is text one of the words of a list "a|b|c"? Returns its place, or -1. */
int hs_word_index(const char *list, const char *text);

/* A name that fits [A-Za-z][A-Za-z0-9_]*: other characters become one underscore, "n" goes before a digit; caller frees. */
char *hs_clean_name(const char *text);

/* Latin-1 or broken bytes made valid UTF-8 (valid UTF-8 stays as it is); caller frees. */
char *hs_utf8(const char *bytes, size_t n);

bool hs_starts(const char *text, const char *prefix);
bool hs_ends(const char *text, const char *suffix);
bool hs_same_word(const char *a, const char *b);          /* ASCII case-blind equality */

#endif
