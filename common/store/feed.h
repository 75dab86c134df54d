/* feed - where the bytes of an input come from: a named file, a redirected file, or a pipe.
 *
 * Whatever it was, afterwards there is a descriptor of a regular, seekable file and its length. A pipe is taken over without
 * a copy when the writer offers it (handover.h), else spooled into an anonymous file in $TMPDIR that vanishes with the
 * process. A stream that ends early is HS_BAD_DATA "truncated", an empty one says that the program before it failed. */
#ifndef HS_STORE_FEED_H
#define HS_STORE_FEED_H

#include <stdint.h>

#include "base/err.h"

struct hs_feed {
	int fd;
	uint64_t size;
	char *name;                   /* path, or "stdin" */
	bool by_pipe;
};

/* path NULL or "-" is standard input. */
int hs_feed_open(struct hs_feed *feed, const char *path, struct hs_err *err);
void hs_feed_close(struct hs_feed *feed);

/* The same bytes through a descriptor of its own, for a second reader. */
int hs_feed_dup(struct hs_feed *to, const struct hs_feed *from, struct hs_err *err);

/* An unnamed file in $TMPDIR (or /tmp): read-write, gone when closed. -1 with HS_SYSTEM. */
int hs_temp_file(struct hs_err *err);

#endif
