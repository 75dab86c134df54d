/* h5walk - from object to object of a file. Private to store/; what everyone may use is in h5tree.h.
 *
 * Reference counts come from the file and may lie, so every address is remembered. */
#ifndef HS_STORE_H5WALK_H
#define HS_STORE_H5WALK_H

#include "store/h5.h"

enum { HS_H5_MAX_DEPTH = 64, HS_H5_MAX_ENTRIES = 1 << 20 };

struct hs_h5_seen {                   /* starts zeroed; free(slot) */
	haddr_t *slot;                /* open addressing, HADDR_UNDEF is empty */
	size_t n, room;
};
bool hs_h5_first_visit(struct hs_h5_seen *seen, haddr_t address);      /* true the first time */

/* hs_h5_walk from the root. *broken: a group could not be listed to its end, there may be objects that were never seen. */
int hs_h5_walk_all(struct hs_h5 *file, hs_h5_visit_fn fn, void *ctx, bool *broken);

#endif
