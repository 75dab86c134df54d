#include "base/str.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static void reserve(struct hs_str *s, size_t more)
{
	const size_t need = s->len + more + 1;
	if (need <= s->room)
		return;
	s->room = need > 2 * s->room ? need : 2 * s->room;
	s->text = hs_must_resize(s->text, s->room, 1);
}

void hs_str_add_bytes(struct hs_str *s, const char *bytes, size_t n)
{
	reserve(s, n);
	if (n)
		memcpy(s->text + s->len, bytes, n);
	s->len += n;
	s->text[s->len] = 0;
}

void hs_str_add(struct hs_str *s, const char *text)
{
	hs_str_add_bytes(s, text, strlen(text));
}

static void add_formatted(struct hs_str *s, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	const int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n > 0) {
		reserve(s, (size_t)n);
		vsnprintf(s->text + s->len, (size_t)n + 1, fmt, ap);
		s->len += (size_t)n;
	}
}

void hs_str_addf(struct hs_str *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_formatted(s, fmt, ap);
	va_end(ap);
}

void hs_str_add_plain(struct hs_str *s, const char *fmt, ...)
{
	const size_t from = s->len;
	va_list ap;
	va_start(ap, fmt);
	add_formatted(s, fmt, ap);
	va_end(ap);
	const size_t end = s->len - (s->len > from && hs_ends(fmt, "\n"));
	for (size_t i = from; i < end; i++)
		if ((unsigned char)s->text[i] < ' ' || s->text[i] == 127)
			s->text[i] = '?';
}

const char *hs_str_get(const struct hs_str *s)
{
	return s->text ? s->text : "";
}

char *hs_str_take(struct hs_str *s)
{
	char *text = s->text ? s->text : hs_must_dup("");
	*s = (struct hs_str){ 0 };
	return text;
}

void hs_str_release(struct hs_str *s)
{
	free(s->text);
	*s = (struct hs_str){ 0 };
}

int hs_word_index(const char *list, const char *text)
{
	const size_t n = strlen(text);
	int place = 0;
	for (const char *p = list; p && *p; place++) {
		const size_t len = strcspn(p, "|");
		if (len == n && !memcmp(p, text, n))
			return place;
		p += len + (p[len] == '|');
	}
	return -1;
}

char *hs_clean_name(const char *text)
{
	struct hs_str s = { 0 };
	bool gap = false;
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p > 127 || !isalnum(*p)) {
			gap = s.len > 0;
			continue;
		}
		if (!s.len && isdigit(*p))
			hs_str_add(&s, "n");
		if (gap)
			hs_str_add(&s, "_");
		gap = false;
		hs_str_add_bytes(&s, (const char *)p, 1);
	}
	if (!s.len)
		hs_str_add(&s, "unnamed");
	return hs_str_take(&s);
}

/* Length of the valid UTF-8 sequence at p (end excluded), or 0. Rejects overlong forms and surrogates. */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
	if (*p < 0x80)
		return *p != 0;
	const size_t n = *p >= 0xf0 && *p < 0xf5 ? 4 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xc2 && *p < 0xe0 ? 2 : 0;
	if (!n || (size_t)(end - p) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
	    (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

char *hs_utf8(const char *bytes, size_t n)
{
	const unsigned char *p = (const unsigned char *)bytes, *end = p + n;
	struct hs_str s = { 0 };
	while (p < end) {
		const size_t len = utf8_length(p, end);
		if (len) {
			hs_str_add_bytes(&s, (const char *)p, len);
			p += len;
		} else {
			if (*p) {
				const char two[2] = { (char)(0xc0 | *p >> 6), (char)(0x80 | (*p & 0x3f)) };
				hs_str_add_bytes(&s, two, 2);
			}
			p++;
		}
	}
	return hs_str_take(&s);
}

bool hs_starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

bool hs_ends(const char *text, const char *suffix)
{
	const size_t n = strlen(text), m = strlen(suffix);
	return n >= m && !strcmp(text + n - m, suffix);
}

bool hs_same_word(const char *a, const char *b)
{
	return !strcasecmp(a, b);
}
