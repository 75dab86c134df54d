#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void quote(struct hs_str *out, const char *text)
{
	char *valid = hs_utf8(text, strlen(text));
	hs_str_add(out, "\"");
	for (const char *p = valid; *p; p++) {
		const unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\')
			hs_str_addf(out, "\\%c", c);
		else if (c == '\n')
			hs_str_add(out, "\\n");
		else if (c < ' ' || c == 127)
			hs_str_addf(out, "\\u%04x", c);
		else
			hs_str_add_bytes(out, p, 1);
	}
	hs_str_add(out, "\"");
	free(valid);
}

static void new_line(struct hs_json *j)
{
	if (j->one_line || !j->out.len)
		return;
	hs_str_add(&j->out, "\n");
	for (int i = 0; i < j->depth; i++)
		hs_str_add(&j->out, " ");
}

static void lead(struct hs_json *j, const char *key)
{
	if (j->has_item)
		hs_str_add(&j->out, j->one_line ? ", " : ",");
	new_line(j);
	if (key) {
		quote(&j->out, key);
		hs_str_add(&j->out, ": ");
	}
	j->has_item = true;
}

void hs_json_begin(struct hs_json *j, const char *key, char bracket)
{
	lead(j, key);
	hs_str_add_bytes(&j->out, &bracket, 1);
	j->depth++;
	j->has_item = false;
}

void hs_json_end(struct hs_json *j, char bracket)
{
	j->depth--;
	if (j->has_item)
		new_line(j);
	hs_str_add_bytes(&j->out, &bracket, 1);
	j->has_item = true;
}

void hs_json_text(struct hs_json *j, const char *key, const char *value)
{
	lead(j, key);
	if (value)
		quote(&j->out, value);
	else
		hs_str_add(&j->out, "null");
}

void hs_json_real(struct hs_json *j, const char *key, double value)
{
	lead(j, key);
	if (!isfinite(value)) {
		hs_str_add(&j->out, "null");
		return;
	}
	char text[32];
	for (int digits = 15; digits <= 17; digits++) {      /* the shortest that reads back the same */
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	hs_str_add(&j->out, text);
}

void hs_json_int(struct hs_json *j, const char *key, long long value)
{
	lead(j, key);
	hs_str_addf(&j->out, "%lld", value);
}

void hs_json_bool(struct hs_json *j, const char *key, bool value)
{
	lead(j, key);
	hs_str_add(&j->out, value ? "true" : "false");
}

char *hs_json_take(struct hs_json *j)
{
	j->has_item = false;
	j->depth = 0;
	return hs_str_take(&j->out);
}

char **hs_json_get_strings(const char *json, const char *key)
{
	json_t *root = json_loads(json, 0, NULL), *array = root ? json_object_get(root, key) : NULL;
	char **list = NULL;
	if (json_is_array(array)) {
		const size_t n = json_array_size(array);
		list = hs_must_alloc(n + 1, sizeof *list);
		for (size_t i = 0; i < n; i++) {
			const char *s = json_string_value(json_array_get(array, i));
			list[i] = hs_must_dup(s ? s : "");
		}
	}
	json_decref(root);
	return list;
}

void hs_json_free_strings(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}
