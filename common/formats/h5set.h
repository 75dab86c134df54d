/* h5set - what the readers of HDF5 dialects share: from a dataset and one axis a stored dimension to a signal in our order.
 *
 * Order: navigation first in stored order but y before x, then the channels of a pixel. Which dimensions those are is said
 * by the file (a signal rank) or follows from the kinds of the axes. A dataset that cannot be read is left out with a
 * warning; when nothing is left, the first reason becomes the error. */
#ifndef HS_FORMATS_H5SET_H
#define HS_FORMATS_H5SET_H

#include "formats/format.h"

/* Did the user ask for this object? Yes without a path; else when it is the path or lies below it. named: it is the path. */
bool hs_h5set_wanted(const struct hs_load_options *options, const char *path);
bool hs_h5set_named(const struct hs_load_options *options, const char *path);

/* hs_h5_walk over the part of the file the user asked for (for a dataset, the group it is in). */
int hs_h5set_walk(const struct hs_load_options *options, hs_h5_visit_fn fn, void *ctx);

/* A text attribute that says something, trimmed; NULL otherwise. */
char *hs_h5set_text(struct hs_h5 *file, const char *path, const char *attr);

/* Last piece of a path. */
const char *hs_h5set_leaf(const char *path);

/* "Intensity (Counts)" -> "Intensity" and "Counts" (NULL when there is none); the caller frees both. */
void hs_h5set_split_label(const char *label, char **quantity, char **units);

/* The axis of a dimension of n entries from the 1-D dataset at path (NULL: indices). n + 1 values are bin edges and become
 * centres; of a dataset with more dimensions than one the run along `dim` through its origin is taken, when its extent there
 * is n. Name, units, quantity and kind come from the dataset's attributes, else from name. Anything else gives indices and a
 * warning. */
struct hs_axis hs_h5set_axis(struct hs_h5 *file, const char *path, const char *name, size_t n, size_t dim);
struct hs_axis hs_h5set_index_axis(const char *name, size_t n);

/* Can it become a signal: numbers, 1 to HS_MAX_RANK dimensions, at least one value? If not, a warning says why, and *why
 * keeps the first reason. */
bool hs_h5set_readable(struct hs_h5 *file, const char *path, struct hs_h5_shape *shape, char **why);

/* A signal described by the attributes units, quantity, long_name, modality and source of the dataset. */
void hs_h5set_describe(struct hs_signal *signal, struct hs_h5 *file, const char *path, const char *name, const char *title,
	enum hs_dtype dtype);

enum { HS_H5SET_GUESS = -1 };

/* How to take the stored order: as it is; x and y as they are; last dimension first (and x and y as they are then). */
enum hs_h5set_manner { HS_H5SET_Y_FIRST, HS_H5SET_KEEP_XY, HS_H5SET_REVERSED };

/* The order of dimensions said above; *sig_rank is HS_H5SET_GUESS or what the file says, on return what holds. */
void hs_h5set_order(const struct hs_axis *axis, size_t rank, int *sig_rank, enum hs_h5set_manner manner, size_t *order);

/* Adds a dataset. Takes signal (still without axes) and axis[0 .. rank-1] (as stored), also on failure. field NULL or a member
 * of a compound. */
int hs_h5set_add(struct hs_scan *scan, struct hs_h5 *file, const char *path, const char *field, const struct hs_h5_shape *shape,
	struct hs_signal *signal, struct hs_axis *axis, int sig_rank, enum hs_h5set_manner manner, struct hs_err *err);

/* Puts letter 'y' ('k' ignored: ky is y) in front of 'x' in a list of dimensions. */
void hs_h5set_y_first(const struct hs_axis *axis, size_t *order, size_t n);

/* Fails when no signal was added, for the reason given (taken). Otherwise main is the largest spectral signal, or the
 * largest of all. */
int hs_h5set_end(struct hs_scan *scan, char *why, struct hs_err *err);

/* A reader's way through the file: visit is called for every object the user may want, once to count what it would take
 * (scan NULL: sniffing) and once to take it. A reader that needs more puts this struct first in its own. */
struct hs_h5set_search {
	const struct hs_load_options *options;
	size_t n;                     /* found so far */
	struct hs_scan *scan;         /* where they go; NULL: only count */
	char *why;                    /* the first reason why something could not be taken */
	struct hs_err *err;
};

/* How many there are; 0 when the file is no HDF5. */
size_t hs_h5set_count(struct hs_h5set_search *s, const struct hs_load_options *options, hs_h5_visit_fn visit);

/* Takes all, chooses the main signal (hs_h5set_end), keeps the metadata of the whole file as header. */
int hs_h5set_take(struct hs_h5set_search *s, const struct hs_load_options *options, hs_h5_visit_fn visit, struct hs_scan *scan,
	struct hs_err *err);

/* The metadata below path become the header. */
void hs_h5set_metadata(struct hs_scan *scan, struct hs_h5 *file, const char *path);

#endif
