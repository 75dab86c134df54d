#include "picture/stamp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* CRC-32 as PNG wants it (ISO 3309, reflected), bit by bit: the texts are short. */
static uint32_t crc32_of(const char *bytes, size_t n)
{
	uint32_t crc = 0xffffffffu;
	for (size_t i = 0; i < n; i++) {
		crc ^= (uint8_t)bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void add_be32(struct hs_str *out, uint32_t v)
{
	const char bytes[4] = { (char)(v >> 24), (char)(v >> 16 & 255), (char)(v >> 8 & 255), (char)(v & 255) };
	hs_str_add_bytes(out, bytes, 4);
}

/* International text: keyword, not compressed, no language, no translated keyword, UTF-8. */
static void add_chunk(struct hs_str *out, const char *key, const char *text)
{
	struct hs_str body = { 0 };
	hs_str_add(&body, "iTXt");
	hs_str_add_bytes(&body, key, strlen(key) + 1);
	hs_str_add_bytes(&body, "\0\0\0\0", 4);
	hs_str_add(&body, text);
	add_be32(out, (uint32_t)(body.len - 4));
	hs_str_add_bytes(out, body.text, body.len);
	add_be32(out, crc32_of(body.text, body.len));
	hs_str_release(&body);
}

static void add_escaped(struct hs_str *out, const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p == '&')
			hs_str_add(out, "&amp;");
		else if (*p == '<')
			hs_str_add(out, "&lt;");
		else if (*p == '>')
			hs_str_add(out, "&gt;");
		else if ((unsigned char)*p < ' ')
			hs_str_add(out, " ");         /* XML 1.0 has no place for control characters */
		else
			hs_str_add_bytes(out, p, 1);
}

int hs_stamp(struct hs_str *picture, enum hs_picture kind, const struct hs_png_text *text, size_t n, struct hs_err *err)
{
	enum { PNG_HEADER = 8 + 25 };         /* signature and IHDR */
	struct hs_str out = { 0 };
	const char *bytes = hs_str_get(picture), *svg = kind == HS_PICTURE_SVG ? strstr(bytes, "<svg ") : NULL;
	const char *end = svg ? strchr(svg, '>') : NULL;
	size_t at = PNG_HEADER;
	if (kind == HS_PICTURE_SVG)
		at = end ? (size_t)(end + 1 - bytes) : 0;
	if (!at || picture->len <= at || (kind == HS_PICTURE_PNG && memcmp(bytes + 12, "IHDR", 4)))
		return hs_fail(err, HS_BUG, "the picture has no header to stamp");
	hs_str_add_bytes(&out, bytes, at);
	if (kind == HS_PICTURE_SVG)
		hs_str_add(&out, "\n<desc>");
	for (size_t i = 0; i < n; i++) {
		char *clean = hs_utf8(text[i].text, strlen(text[i].text));
		if (kind == HS_PICTURE_PNG) {
			add_chunk(&out, text[i].key, clean);
		} else {
			hs_str_addf(&out, "%s%s: ", i ? "\n" : "", text[i].key);
			add_escaped(&out, clean);
		}
		free(clean);
	}
	if (kind == HS_PICTURE_SVG)
		hs_str_add(&out, "</desc>");
	hs_str_add_bytes(&out, bytes + at, picture->len - at);
	hs_str_release(picture);
	*picture = out;
	return 0;
}
