/* progress - how far long work has come, on stderr.
 *
 * On a terminal: a bar with rate and time left, after the first second. Elsewhere (a job log): a plain line after 10 s and
 * then at growing intervals. Process-wide, one task at a time, switched on by the porch; add() may be called from any thread. */
#ifndef HS_BASE_PROGRESS_H
#define HS_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

void hs_progress_enable(bool on);
void hs_progress_begin(const char *task, uint64_t total, const char *unit);   /* "covariance", 65536, "spectra" */
void hs_progress_add(uint64_t done);
void hs_progress_end(void);                                                   /* clears the bar */

#endif
