/* view - the rows of a source in the coordinates in which k-means works; internal to cluster.
 *
 * Working coordinates are z = (x/|x| or x, minus a shift near the mean) times a power of two that brings z to order 1. There
 * float32 products lose nothing that matters, and float64 has digits to spare. The order of things: hs_view_survey finds the
 * norms and the shift, hs_view_gather the scatter (scale still 1), hs_view_scale the scale.
 *
 * Owner: whoever fills in the arrays of the structs frees them. Threads: hs_view_row and hs_view_pack from any; two threads
 * never pack the same row at once. */
#ifndef HS_CLUSTER_VIEW_H
#define HS_CLUSTER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"
#include "math/par.h"

struct hs_space {
	size_t p;
	bool unit;                    /* rows are divided by their norm */
	bool narrow;                  /* float32 rows that can be shifted and scaled in float32, in one rounding */
	double *shift, scale;
	float *shift32;
	double nothing;               /* squared distance that rounding alone can make: such rows are the same */
};

/* Rows to work on: the whole source, or a sample in memory. */
struct hs_view {
	struct hs_rowsource *rows;
	const struct hs_space *space;
	double *inv;                  /* unit: 1/|x| of each row, 0 for rows not used; else NULL */
	float *len;                   /* |z| of each row, negative until the first pass that meets it */
	size_t n_used;
	double scatter;               /* sum of |z|^2 */
};

/* One pass: which rows are usable (used, n_rows flags, zero before), their norms, the mean as the shift. */
int hs_view_survey(struct hs_view *view, struct hs_space *space, uint8_t *used, struct hs_err *err);

/* One pass: n rows by number (ascending) as they are, into x; and the scatter of all usable rows. */
int hs_view_gather(const struct hs_view *view, const size_t *row, size_t n, void *x, double *scatter, struct hs_err *err);

/* Scale from the scatter at scale 1. HS_BAD_DATA when that is not finite. */
int hs_view_scale(struct hs_view *view, struct hs_space *space, double scatter, struct hs_err *err);

/* Room for the lengths, none known yet. */
int hs_view_lengths(struct hs_view *view, struct hs_err *err);

/* Row i of a block in working coordinates. */
void hs_view_row(const struct hs_view *view, const struct hs_block *block, size_t i, double *z);

/* The same for row i of a view whose rows lie in memory at x. */
void hs_view_memory_row(const struct hs_view *view, const void *x, size_t i, double *z);

/* Usable rows from .. from+n-1 of a block as float32 working coordinates, their lengths and their places in the block;
 * returns how many. y has room for n x p, len and index for n. leave, when not NULL, has n entries: rows with a nonzero one are
 * left out. */
size_t hs_view_pack(const struct hs_view *view, const struct hs_block *block, size_t from, size_t n, const uint8_t *leave,
	float *y, float *len, size_t *index);

/* Bytes that hs_view_survey and hs_view_gather hold at their peak, at most. */
double hs_view_bytes(double n_rows, size_t p, int threads);

#endif
