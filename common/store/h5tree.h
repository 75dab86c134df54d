/* h5tree - read what a foreign HDF5 file holds: groups, attributes, shapes, small datasets. No HDF5 type appears here, so
 * the readers in formats/ stay free of it.
 *
 * Paths are absolute ("/entry/data"). Nothing here trusts the file: cycles of links, absurd sizes and unknown types give
 * an answer or NULL, never a crash; external links are not followed. Strings are UTF-8 (Latin-1 bytes are converted), owned
 * by the caller; only names of children stay the bytes they are, because they are looked up again. A missing thing is NULL,
 * 0 or false without an error. Thread rule: one thread at a time for the whole library. */
#ifndef HS_STORE_H5TREE_H
#define HS_STORE_H5TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/dtype.h"
#include "data/signal.h"

struct hs_h5;

/* Opens the HDF5 file behind a descriptor, read-only, starting at byte 0 of it (a user block is found by HDF5). fd is
 * borrowed. name is for messages. HS_BAD_DATA when it is no HDF5 file, is truncated, or is broken in a way that makes HDF5
 * crash: a short-lived child process reads attributes and small datasets (of the first 4096 objects) before we do, and until
 * it is closed a crash of HDF5 ends the program with that sentence and status (crash.h).
 * unguarded: without either, for files this process wrote itself. */
int hs_h5_open(struct hs_h5 **file, int fd, const char *name, struct hs_err *err);
int hs_h5_open_unguarded(struct hs_h5 **file, int fd, const char *name, struct hs_err *err);
void hs_h5_close(struct hs_h5 *file);
const char *hs_h5_name(const struct hs_h5 *file);

enum hs_h5_kind { HS_H5_NOTHING, HS_H5_GROUP, HS_H5_DATASET };
enum hs_h5_kind hs_h5_kind(struct hs_h5 *file, const char *path);

/* Names in a group, sorted; *n of them; hs_h5_free_list. External links and dangling soft links are left out. */
char **hs_h5_children(struct hs_h5 *file, const char *path, size_t *n);
void hs_h5_free_list(char **list, size_t n);

/* Visits every group and dataset once, parents first, names in order; a second way to the same object is not followed.
 * fn returns 0 to go on. */
typedef int (*hs_h5_visit_fn)(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind);
int hs_h5_walk(struct hs_h5 *file, const char *from, hs_h5_visit_fn fn, void *ctx);

/* "/a" + "b" -> "/a/b"; caller frees. */
char *hs_h5_join(const char *path, const char *name);

/* Attributes. text: a string scalar or the first of a string array. texts: all of a string array. reals: numbers of any
 * type and shape, flattened. ref: the path an object reference points to. */
bool hs_h5_has_attr(struct hs_h5 *file, const char *path, const char *attr);
char *hs_h5_attr_text(struct hs_h5 *file, const char *path, const char *attr);
char **hs_h5_attr_texts(struct hs_h5 *file, const char *path, const char *attr, size_t *n);
bool hs_h5_attr_real(struct hs_h5 *file, const char *path, const char *attr, double *value);
double *hs_h5_attr_reals(struct hs_h5 *file, const char *path, const char *attr, size_t *n);
char *hs_h5_attr_ref(struct hs_h5 *file, const char *path, const char *attr);
char **hs_h5_attr_names(struct hs_h5 *file, const char *path, size_t *n);

enum hs_h5_class { HS_H5_OTHER, HS_H5_NUMBER, HS_H5_STRING, HS_H5_COMPOUND };
struct hs_h5_shape {
	enum hs_h5_class class;
	enum hs_dtype dtype;                  /* NUMBER: the type it is read as (float16 -> float32, bool -> uint8) */
	size_t rank, n[HS_MAX_RANK];
	size_t count;                         /* product of n */
};

/* false when path is no dataset, has more than HS_MAX_RANK dimensions or a count that overflows. class is OTHER for what
 * cannot be read: hs_h5_trouble says why (rank and count are 0 when the values lie in another file). */
bool hs_h5_shape(struct hs_h5 *file, const char *path, struct hs_h5_shape *shape);

/* Why the values of a dataset cannot be read: they lie in another file, a filter is missing, sizes the file cannot hold.
 * "it is a virtual dataset over another file"; NULL when there is no such reason. Caller frees. */
char *hs_h5_trouble(struct hs_h5 *file, const char *path);

/* Members of a compound dataset and the type each is read as (numbers only). */
char **hs_h5_fields(struct hs_h5 *file, const char *path, size_t *n);
bool hs_h5_field_dtype(struct hs_h5 *file, const char *path, const char *field, enum hs_dtype *dtype);

/* A whole small dataset (at most 64 MiB) as doubles, flattened in C order; NULL otherwise. */
double *hs_h5_reals(struct hs_h5 *file, const char *path, size_t *n);

/* The same for exactly n numbers, also more than 64 MiB of them when the file can hold that many. */
double *hs_h5_reals_n(struct hs_h5 *file, const char *path, size_t n);
char *hs_h5_text(struct hs_h5 *file, const char *path);          /* string dataset, scalar or first entry */
char **hs_h5_texts(struct hs_h5 *file, const char *path, size_t *n);
/* uint8 or int8, any shape, flattened; at most 64 MiB */
uint8_t *hs_h5_bytes(struct hs_h5 *file, const char *path, size_t *n);

/* A whole dataset (or one field of a compound) of count values as dtype, C order: for the few that must be regrouped in
 * memory. The caller has bounded count. */
void *hs_h5_values(struct hs_h5 *file, const char *path, const char *field, enum hs_dtype dtype, size_t count,
	struct hs_err *err);

/* Path of the first dimension scale attached to dimension dim of a dataset, or NULL; and the dimension's label. */
char *hs_h5_scale(struct hs_h5 *file, const char *path, size_t dim);
char *hs_h5_label(struct hs_h5 *file, const char *path, size_t dim);

/* The typed "key: value" pairs of all attributes and datasets of up to 16 values below a group, as JSON, at most max_bytes of
 * it (at least 8 KiB): the metadata a vendor file carries. Attributes of a dataset are named "dataset@attribute". Caller
 * frees. */
char *hs_h5_metadata_json(struct hs_h5 *file, const char *path, size_t max_bytes);

#endif
