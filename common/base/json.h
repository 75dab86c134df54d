/* json - write JSON text, and take single things out of JSON that we wrote.
 *
 * Writing: begin/end and key/value calls in document order; commas, indentation, escapes and number formats are taken
 * care of. NaN and infinities become null (JSON has none). key is NULL inside an array. Reading is by jansson and only
 * looks up what the toolkit itself stores (argv of a history step). */
#ifndef HS_BASE_JSON_H
#define HS_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct hs_json {
	struct hs_str out;
	int depth;
	bool has_item, one_line;   /* one_line: no line breaks, for JSON lines */
};

void hs_json_begin(struct hs_json *j, const char *key, char bracket);   /* '{' or '[' */
void hs_json_end(struct hs_json *j, char bracket);                      /* '}' or ']' */
void hs_json_text(struct hs_json *j, const char *key, const char *value);   /* NULL becomes null */
void hs_json_real(struct hs_json *j, const char *key, double value);
void hs_json_int(struct hs_json *j, const char *key, long long value);
void hs_json_bool(struct hs_json *j, const char *key, bool value);
char *hs_json_take(struct hs_json *j);                                  /* caller frees */

/* The strings of the array named key at the top of a JSON object: a NULL-terminated list, released with
 * hs_json_free_strings; NULL when the text is not JSON or has no such array. */
char **hs_json_get_strings(const char *json, const char *key);
void hs_json_free_strings(char **list);

#endif
