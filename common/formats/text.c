#include "formats/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"

char *hs_text_trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	text[n] = 0;
	return text;
}

char *hs_text_line(char **at)
{
	char *line = *at;
	if (!*line)
		return NULL;
	char *end = line + strcspn(line, "\r\n");
	*at = end + (end[0] == '\r' && end[1] == '\n' ? 2 : *end != 0);
	*end = 0;
	return hs_text_trim(line);
}

char *hs_text_unquote(char *text)
{
	text = hs_text_trim(text);
	const size_t n = strlen(text);
	if (n < 2 || text[0] != '"' || text[n - 1] != '"')
		return text;
	text[n - 1] = 0;
	return hs_text_trim(text + 1);
}

static int as_bad_data(const char *what, struct hs_err *err)
{
	err->status = HS_BAD_DATA;
	return hs_err_prepend(err, "%s", what);
}

int hs_text_real(const char *text, const char *what, double *value, struct hs_err *err)
{
	return hs_parse_real(text, value, err) < 0 ? as_bad_data(what, err) : 0;
}

int hs_text_count(const char *text, const char *what, uint64_t *value, struct hs_err *err)
{
	return hs_parse_count(text, value, err) < 0 ? as_bad_data(what, err) : 0;
}

char *hs_text_date(const char *date, const char *time)
{
	int y, m, d, h = 0, min = 0, s = 0, used = 0;
	if (sscanf(date, "%4d-%2d-%2d%n", &y, &m, &d, &used) < 3 && sscanf(date, "%2d.%2d.%4d%n", &d, &m, &y, &used) < 3)
		return NULL;
	const char *rest = date + used;
	while (*rest == ' ' || *rest == 'T')
		rest++;
	if (*rest)
		time = rest;
	if (time && *time && (sscanf(time, "%2d:%2d:%2d", &h, &min, &s) < 2))
		return NULL;
	if (y < 1 || m < 1 || m > 12 || d < 1 || d > 31 || h < 0 || h > 23 || min < 0 || min > 59 || s < 0 || s > 60)
		return NULL;
	return hs_must_printf("%04d-%02d-%02dT%02d:%02d:%02d+00:00", y, m, d, h, min, s);
}

bool hs_text_is(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] < ' ' && bytes[i] != '\t' && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\f')
			return false;
	return n > 0;
}
