/* bytes - where finished pictures go: a function that takes the next bytes, so that a tool can send them to a file, to stdout
 * or keep them.
 *
 * A writer returns 0, or -1 with err filled; after the first failure it is not called again. */
#ifndef HS_DRAW_BYTES_H
#define HS_DRAW_BYTES_H

#include <stddef.h>

#include "base/err.h"

typedef int (*hs_bytes_fn)(void *ctx, const void *bytes, size_t n, struct hs_err *err);

int hs_bytes_to_stdio(void *file, const void *bytes, size_t n, struct hs_err *err);   /* ctx is a FILE *; HS_SYSTEM on failure */
int hs_bytes_to_str(void *str, const void *bytes, size_t n, struct hs_err *err);      /* ctx is a struct hs_str *; appends */

#endif
