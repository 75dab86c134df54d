/* draft - an output that appears whole or not at all.
 *
 * A named output is written as OUT.part beside it, then flushed, fsynced and renamed. Standard output gets an anonymous file
 * that is sent at the end (down a pipe by handover.h). A reader never sees half a file, and nothing is left behind: an
 * abandoned draft, a failed run and a deadly signal remove OUT.part; what a killed process left is taken over by the next.
 * Two processes cannot write one output at once: OUT.part is locked. Data is not written to a terminal, and an existing file
 * is not replaced without force, not even one that appeared meanwhile. */
#ifndef HS_STORE_DRAFT_H
#define HS_STORE_DRAFT_H

#include <stdbool.h>

#include "base/err.h"

struct hs_draft {
	int fd;                       /* write here, with HDF5's fd driver or by hand */
	bool for_pipe;                /* leave the first 512 bytes free (user block), use no filters: it goes to another tool */
	bool scratch;                 /* anonymous */
	bool replace;                 /* an existing file */
	int target;                   /* descriptor the anonymous file is sent to; -1 for a named file */
	char *path, *part;
};

/* path NULL or "-" is standard output. */
int hs_draft_open(struct hs_draft *draft, const char *path, bool force, struct hs_err *err);
int hs_draft_commit(struct hs_draft *draft, struct hs_err *err);     /* releases the draft, also on failure */
void hs_draft_abandon(struct hs_draft *draft);                       /* accepts a released draft */

/* For signal handlers and exit: removes every .part that is still open. Async-signal-safe. */
void hs_draft_remove_all(void);

#endif
