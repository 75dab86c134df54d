#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static double read_clock(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double hs_clock_s(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

double hs_cpu_s(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void hs_clock_iso(char text[32])
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	const time_t now = fixed ? (time_t)strtoll(fixed, NULL, 10) : time(NULL);
	struct tm utc = { 0 };
	gmtime_r(&now, &utc);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%S+00:00", &utc);
}
