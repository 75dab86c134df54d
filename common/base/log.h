/* log - warnings and remarks on their way to the porch.
 *
 * A library that finds something the user should know (an aborted scan, a noise model that does not fit) but can go on
 * says it here; what becomes of it is the porch's business. Without a listener it is dropped. The listener is process-wide
 * and set once at start-up; calls may come from any thread. */
#ifndef HS_BASE_LOG_H
#define HS_BASE_LOG_H

enum hs_log_level { HS_LOG_WARNING, HS_LOG_STAGE, HS_LOG_DETAIL };

void hs_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));      /* shown unless -q */
void hs_stage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));     /* shown with -v: one line a stage */
void hs_detail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));    /* shown with -vv */

void hs_log_listen(void (*listener)(enum hs_log_level level, const char *line));

#endif
