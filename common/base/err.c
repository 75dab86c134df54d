#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void record(struct hs_err *err, enum hs_status status, const char *fmt, va_list ap)
{
	err->status = status;
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	/* a foreign string may carry line breaks; the sentence stays on one line */
	for (char *p = err->text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

int hs_fail(struct hs_err *err, enum hs_status status, const char *fmt, ...)
{
	if (hs_failed(err))
		return -1;
	va_list ap;
	va_start(ap, fmt);
	record(err, status, fmt, ap);
	va_end(ap);
	return -1;
}

int hs_fail_errno(struct hs_err *err, const char *fmt, ...)
{
	const int cause = errno;
	if (hs_failed(err))
		return -1;
	va_list ap;
	va_start(ap, fmt);
	record(err, HS_SYSTEM, fmt, ap);
	va_end(ap);
	const size_t used = strlen(err->text);
	snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(cause));
	errno = cause;
	return -1;
}

int hs_err_prepend(struct hs_err *err, const char *fmt, ...)
{
	char context[sizeof err->text], old[sizeof err->text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(context, sizeof context, fmt, ap);
	va_end(ap);
	memcpy(old, err->text, sizeof old);
	const int n = snprintf(err->text, sizeof err->text, "%.200s: ", context);
	snprintf(err->text + n, sizeof err->text - (size_t)n, "%s", old);
	return -1;
}
