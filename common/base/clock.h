/* clock - wall time and dates. SOURCE_DATE_EPOCH (seconds since 1970) fixes the date for reproducible output. */
#ifndef HS_BASE_CLOCK_H
#define HS_BASE_CLOCK_H

double hs_clock_s(void);                   /* monotonic, arbitrary origin */
double hs_cpu_s(void);                     /* of this process, all threads */
void hs_clock_iso(char text[32]);          /* now, UTC: 2026-01-15T12:00:00+00:00 */

#endif
