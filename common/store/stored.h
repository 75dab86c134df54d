/* stored - how the values of a dataset lie in the file: bytes, chunks, filters. Thread rule: as h5tree.h. */
#ifndef HS_STORE_STORED_H
#define HS_STORE_STORED_H

#include "store/h5tree.h"

struct hs_nx_stored {
	uint64_t bytes, stored_bytes;         /* the values as numbers; what they take in the file */
	size_t rank, chunk[HS_MAX_RANK];      /* rank 0: not chunked */
	size_t n_filters;
	char filter[8][24];                   /* "shuffle", "deflate", ..., in the order they are applied */
};

/* false when path is no dataset that can be read. */
bool hs_nx_stored(struct hs_h5 *file, const char *path, struct hs_nx_stored *stored);

#endif
