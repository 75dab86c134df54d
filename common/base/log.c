#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void (*listener_g)(enum hs_log_level, const char *);

void hs_log_listen(void (*listener)(enum hs_log_level level, const char *line))
{
	listener_g = listener;
}

static void say(enum hs_log_level level, const char *fmt, va_list ap)
{
	char line[512];
	if (!listener_g)
		return;
	vsnprintf(line, sizeof line, fmt, ap);
	listener_g(level, line);
}

void hs_warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(HS_LOG_WARNING, fmt, ap);
	va_end(ap);
}

void hs_stage(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(HS_LOG_STAGE, fmt, ap);
	va_end(ap);
}

void hs_detail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(HS_LOG_DETAIL, fmt, ap);
	va_end(ap);
}
