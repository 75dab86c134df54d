/* moments - means and second moments of all spectra in one pass: the matrix whose eigenvectors are principal components.
 *
 * A raw row x becomes y before anything is summed:
 *   centre NONE      y_j = x_j
 *   centre CHANNEL   y_j = x_j - m_j,  m the mean spectrum of the used rows
 *   centre BOTH      y_j = x_j - r - m_j + m,  r the mean of this row, m_j the mean of channel j, m the mean of all: double
 *                    centring; every row and every channel of y sums to zero
 *   poisson          y_j = x_j / sqrt(g h_j), g the sum of this row and h_j the sum of channel j over all rows (Keenan and
 *                    Kotula, Surf. Interface Anal. 36, 2004, 203); never centred. Rows and channels whose sum is not positive
 *                    become zero; a row with negative sum does not enter h.
 * The matrix is sum y y^T / divisor (n_chan x n_chan), or, when there are fewer rows than channels, the products of rows
 * Y Y^T / divisor (n_used x n_used), which has the same eigenvalues. divisor is n_used - 1 when centred (1 at least), n_used
 * when not.
 *
 * Accuracy. Each block is centred on its own mean before it is multiplied, and block results are joined by the rule of Chan,
 * Golub and LeVeque (Am. Stat. 37, 1983, 242), so a large constant offset costs nothing. Sums are float64. float32 sources are
 * multiplied in float32 over at most 1024 rows at a time (error below 1e-6 of the largest eigenvalue) unless `exact` is set.
 *
 * Order and memory. Block b belongs to lane b mod L, each lane adds its blocks in order, lanes are joined pairwise at the end;
 * within a lane, square tiles of the upper triangle are the tasks of the threads. L depends on n_chan alone, so the bits do
 * not depend on threads, and memory is L tile triangles however many threads and rows there are (a tree of partial matrices,
 * as par.h has it, would hold threads + log2(blocks) of them and spend its time clearing and merging them). */
#ifndef HS_MATH_MOMENTS_H
#define HS_MATH_MOMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/par.h"

enum hs_centre { HS_CENTRE_NONE, HS_CENTRE_CHANNEL, HS_CENTRE_BOTH };

struct hs_moments_options {
	enum hs_centre centre;
	bool poisson;                 /* wants centre NONE */
	bool exact;                   /* float64 throughout, also for float32 sources */
	size_t hold_bytes;            /* gram: float64 rows held at a time, 0: 512 MiB; decides passes, not bits */
};

/* How x becomes y; all a second pass needs to know. Owns its arrays (n_chan each). */
struct hs_row_frame {
	size_t n_chan;
	enum hs_centre centre;
	bool poisson, exact;
	double *mean;                 /* mean spectrum of the used rows, in the unit of the source */
	double *shift;                /* what a channel loses: mean, mean - their mean (BOTH), or zero */
	double *root_sum;             /* poisson: sqrt(h_j), 0 for an empty channel; NULL otherwise */
};

struct hs_moments {
	struct hs_row_frame frame;
	size_t n_rows, n_used;        /* n_used: not skipped */
	size_t n_empty;               /* poisson: used rows whose sum is not positive, of which */
	size_t n_negative;            /* have a sum below zero */
	size_t n_flat;                /* channels with nothing on the diagonal (gram: 0); poisson: empty channels */
	bool gram;                    /* matrix is of rows, not of channels */
	size_t size;                  /* order of the matrix: n_chan, or n_used when gram */
	double *matrix;               /* size x size, only the upper triangle is set */
	double divisor;
	double noise;                 /* poisson: variance of counting noise in an element of y, 1 / all counts; else 0 */
};

/* Fills m in one pass (gram: one for means, then two for every hold_bytes of float64 rows). HS_BAD_DATA when no row is usable or
 * both the number of rows and of channels exceed HS_MOMENTS_MAX; HS_USAGE for poisson with centring. m is released by the
 * caller, also after failure. */
#define HS_MOMENTS_MAX 16384
int hs_moments_init(
	struct hs_moments *m, struct hs_rowsource *rows, const struct hs_moments_options *options, struct hs_err *err);
void hs_moments_release(struct hs_moments *m);

/* Bytes hs_moments_init holds at its peak (matrix included, the row source's own buffers not), for n rows x p channels. */
size_t hs_moments_bytes(size_t n_rows, size_t n_chan, int threads);

/* y of one raw row before centring on the shift: values in y, false (and zeros) when poisson finds the row empty. With `whole`,
 * y is final: shift subtracted, poisson columns scaled. *row_part is what undoes the row's own change: r (BOTH), sqrt(g)
 * (poisson), 0 otherwise. */
bool hs_row_frame_apply(
	const struct hs_row_frame *f, enum hs_row_type type, const void *x, bool whole, double *y, double *row_part);

/* The same with y whole and rounded to float32; row: room for n_chan values. */
bool hs_row_frame_apply_f32(
	const struct hs_row_frame *f, enum hs_row_type type, const void *x, double *row, float *y, double *row_part);

/* Consecutive blocks, up to `wave` of them, to fn on the calling thread, in order, which runs its own parallel loops and may
 * deliver results in row order. A negative return stops the pass. */
typedef int (*hs_wave_fn)(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err);
int hs_waves_each(struct hs_rowsource *rows, const char *task, size_t wave, hs_wave_fn fn, void *ctx, struct hs_err *err);

#endif
