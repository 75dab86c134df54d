/* err - a failure as one sentence and one exit status.
 *
 * Every function below the porch (cli/) that can fail returns 0 or -1 (or a pointer or NULL) and fills a struct hs_err
 * that its caller owns; it prints nothing and ends nothing. The sentence names the object and the cause, in lower case,
 * without a full stop: "cannot read 'grid.3ds': header promises 4096 points, file ends after 3810".
 *
 * Invariants: err is never NULL; the first failure wins (a second hs_fail on a filled err is a bug in the caller, and
 * keeps the first sentence). Thread rule: one struct belongs to one thread. */
#ifndef HS_BASE_ERR_H
#define HS_BASE_ERR_H

#include <stdbool.h>

/* The exit statuses of every tool; hstools(7) has the table. */
enum hs_status {
	HS_OK = 0,
	HS_NO = 1,            /* ran, and the answer is no */
	HS_USAGE = 2,         /* used wrongly */
	HS_BAD_DATA = 3,      /* the data are bad */
	HS_SYSTEM = 4,        /* the system refused */
	HS_NOT_CONVERGED = 5, /* result written and flagged */
	HS_STOPPED = 6,       /* by the guard or the instrument */
	HS_BUG = 7            /* our own mistake */
};

struct hs_err {
	enum hs_status status;
	char text[512];
};

/* Record a failure; always returns -1, so that "return hs_fail(...)" reads well. */
int hs_fail(struct hs_err *err, enum hs_status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same with status HS_SYSTEM and ": " + strerror(errno) at the end; errno is kept. */
int hs_fail_errno(struct hs_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "context: " in front of a recorded sentence; returns -1. */
int hs_err_prepend(struct hs_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline bool hs_failed(const struct hs_err *err)
{
	return err->status != HS_OK;
}

#endif
