/* h5object - the objects of an open file by their paths, and what must be known of a dataset before it is read. Private to
 * store/; h5tree.h's functions are made of it.
 *
 * What makes HDF5 safe to point at a stranger's file is decided here and in three more places. Here: every look-up goes
 * through one link access list whose external links lead nowhere, and every size is bounded by what the file can hold before
 * memory is asked for. h5walk.h: every descent remembers the addresses it has seen. vfd.h: heaps whose objects are longer
 * than they are cannot be read. h5probe.h, crash.h: HDF5's own crashes are the file's fault.
 *
 * The few objects asked for last stay open, because a path is asked many things in a row and finding it is what costs.
 * Pointers to them hold until the next look. Thread rule: as h5tree.h. */
#ifndef HS_STORE_H5OBJECT_H
#define HS_STORE_H5OBJECT_H

#include "store/h5.h"

enum { HS_H5_HELD = 8 };
#define HS_H5_MAX_WHOLE ((size_t)64 << 20)    /* bytes of a dataset or attribute that is read in one go */
#define HS_H5_MAX_EXPANSION 2000              /* bytes out of one stored byte; deflate reaches 1032 */

struct hs_h5_object {
	char *path;                   /* NULL: a free slot */
	unsigned long used;
	H5O_type_t type;
	haddr_t address;
	hid_t id;                     /* open, or -1: not wanted yet, or cannot be opened */
	bool tried;                   /* to open it */
	enum { HS_ATTRS_UNKNOWN, HS_ATTRS_SOUND, HS_ATTRS_BROKEN } attrs;
	bool examined;                /* a dataset: what follows is known */
	const char *outside;          /* why its values are not in this file, or NULL */
	char *trouble;                /* why they cannot be read, or NULL */
	hid_t value_type, space;      /* -1 when outside */
};

/* The object at a path that can be asked for its type and address; NULL when there is none. */
struct hs_h5_object *hs_h5_look(struct hs_h5 *file, const char *path);

/* The same, open: NULL also when it cannot be opened. */
struct hs_h5_object *hs_h5_hold(struct hs_h5 *file, const char *path);

/* A dataset, open and examined. */
struct hs_h5_object *hs_h5_hold_set(struct hs_h5 *file, const char *path);

/* A file of our own that is being written, for the reading functions; its objects are let go of before it is closed. */
void hs_h5_view(struct hs_h5 *file, hid_t id);
void hs_h5_unview(struct hs_h5 *file);

/* Link access for every path: another file is never opened on the word of this one. */
hid_t hs_h5_inside(void);

/* The number of elements of a space, when they take at most limit bytes. */
bool hs_h5_points_within(hid_t space, size_t size, size_t limit, size_t *n);

/* All attributes of an open object can be decoded (see h5object.c). */
bool hs_h5_attrs_are_sound(struct hs_h5_object *object);

#endif
