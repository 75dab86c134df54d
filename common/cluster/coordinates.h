/* coordinates - all usable rows of a source as few float64 coordinates in memory, for methods that go from row to row:
 * neighbours, trees, mixtures.
 *
 * A source of few channels is copied as it is; one of many is turned into its scores on the leading principal components
 * (centred, float64), in which distances are those of the spectra but for the noise of the components left out. unit: rows
 * are divided by their Euclidean norm first, so that distances are chords between directions; rows of zeros have no direction
 * and are left out.
 *
 * Owner: the caller, release accepts a zeroed struct. Same bytes for any number of threads. */
#ifndef HS_CLUSTER_COORDINATES_H
#define HS_CLUSTER_COORDINATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"

struct hs_coordinates {
	size_t n_rows;                /* of the source */
	size_t n_chan;                /* coordinates */
	size_t n_used;                /* usable rows */
	double *x;                    /* n_used x n_chan, one after the other */
	size_t *row;                  /* n_used, ascending: which row of the source each is */
	bool projected;               /* on principal components */
	double share;                 /* part of the whole variance that the coordinates hold; 1 unless projected */
};

/* At most `most` coordinates. No usable row is a result with n_used = 0. Errors: HS_BAD_DATA for values whose squares overflow,
 * HS_SYSTEM for memory, what the source and hs_moments_init report. */
int hs_coordinates_find(struct hs_rowsource *rows, size_t most, bool unit, struct hs_coordinates *out, struct hs_err *err);
void hs_coordinates_release(struct hs_coordinates *coordinates);

/* Bytes it holds at its peak, at most; what remains is n_rows x (8 most + 8). */
double hs_coordinates_bytes(double n_rows, size_t n_chan, size_t most, bool unit, int threads);

/* Labels of the usable rows spread over all rows of the source: -1 for the others. n_rows values, caller frees. */
int32_t *hs_coordinates_labels(const struct hs_coordinates *coordinates, const int32_t *label, struct hs_err *err);

/* The rows of another source divided by their Euclidean norm; zero rows are skipped. Rewinding rewinds the other, which is
 * borrowed. Batches are those of the other, cut into pieces that fit a buffer of this one. */
struct hs_rowsource *hs_unit_rows_new(struct hs_rowsource *of, struct hs_err *err);
void hs_unit_rows_free(struct hs_rowsource *rows);
double hs_unit_rows_bytes(size_t n_chan, int threads);

#endif
