/* text - the text headers of vendor files: lines, numbers and dates as instruments write them.
 *
 * Lines may end with LF, CR LF or CR. Numbers are parsed strictly (base/units.h), but a wrong one is HS_BAD_DATA here,
 * not HS_USAGE: nobody typed it. Text is turned into UTF-8 where it leaves the reader (hs_utf8). */
#ifndef HS_FORMATS_TEXT_H
#define HS_FORMATS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The next line of the text at *at, cut off there and without blanks at both ends; NULL when there is none. Changes the
 * text; what it returns lives as long as the text. */
char *hs_text_line(char **at);

/* text without blanks at both ends, and without the double quotes around it; changes the text. */
char *hs_text_trim(char *text);
char *hs_text_unquote(char *text);

/* Numbers from a header; what names the entry in the sentence. */
int hs_text_real(const char *text, const char *what, double *value, struct hs_err *err);
int hs_text_count(const char *text, const char *what, uint64_t *value, struct hs_err *err);

/* "09.03.2017 21:19:38", "2017-03-09T21:19:38", a date alone, or date and time in two pieces (time may be NULL) as ISO 8601.
 * Vendors write local time without a zone; it gets +00:00. NULL when it is none of these; caller frees. */
char *hs_text_date(const char *date, const char *time);

/* Looks like text: n bytes without control characters other than tab and line ends. */
bool hs_text_is(const unsigned char *bytes, size_t n);

#endif
