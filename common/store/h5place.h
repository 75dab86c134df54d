/* h5place - one attribute or dataset that is read whole: what it is, its type and its number of elements. Private to store/. */
#ifndef HS_STORE_H5PLACE_H
#define HS_STORE_H5PLACE_H

#include "store/h5object.h"

struct hs_h5_place {
	hid_t attr, set, type, space;         /* attr or set is -1 */
	size_t n;                             /* elements: at least one, bounded */
};

/* Takes attr, an open attribute or -1. */
bool hs_h5_place_open_attr(struct hs_h5_place *p, hid_t attr);
bool hs_h5_place_attr(struct hs_h5_place *p, struct hs_h5 *file, const char *path, const char *attr);

/* A dataset whose values can be read and are at most limit bytes. */
bool hs_h5_place_set(struct hs_h5_place *p, struct hs_h5 *file, const char *path, size_t limit);
void hs_h5_place_close(struct hs_h5_place *p);

/* All elements, converted to the type `memory`. */
herr_t hs_h5_place_read(const struct hs_h5_place *p, hid_t memory, void *to);

/* What is asked of HDF5 so that the bytes in memory are a `dtype`: bit fields do not convert to integers, and the members of a
 * complex number keep the names they have in the file. Caller closes. */
hid_t hs_h5_memory_type(hid_t type, enum hs_dtype dtype);

/* NULL when it holds none, or they cannot be read. */
char **hs_h5_place_texts(const struct hs_h5_place *p);                    /* hs_h5_free_list */
double *hs_h5_place_reals(const struct hs_h5_place *p);
char *hs_h5_place_ref(const struct hs_h5_place *p);                       /* the path the first reference leads to */
char *hs_h5_place_scale(const struct hs_h5_place *p, size_t dim);         /* of a DIMENSION_LIST: the first scale of dim */

#endif
