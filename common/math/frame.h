/* frame - what the row frame of moments.h is made from, in one pass and without a matrix; and rows in that frame.
 *
 * Decompositions that never form a covariance matrix need the mean spectrum, the sums of Poisson scaling and the whole
 * variance first (hs_survey), then the rows y of moments.h in float64, block by block (hs_framed_each).
 *
 * Means and variances are joined by the rule of Chan, Golub and LeVeque (Am. Stat. 37, 1983, 242) in a fixed order, so the bits
 * do not depend on threads and a large offset costs nothing. */
#ifndef HS_MATH_FRAME_H
#define HS_MATH_FRAME_H

#include "math/moments.h"

/* Mean and scatter of each channel over n rows: scatter_j = sum (y_j - mean_j)^2. The arrays are the caller's, zero at first. */
struct hs_spread {
	double n;
	double *mean, *scatter;       /* n_chan each */
};

/* The spread of the n x p rows of y. */
void hs_spread_of(struct hs_spread *s, const double *y, size_t n, size_t p);

/* left becomes the spread of both. difference (n_chan), when not NULL, receives mean(right) - mean(left); returns
 * n_left n_right / (n_left + n_right), 0 when one is empty. */
double hs_spread_join(struct hs_spread *left, const struct hs_spread *right, size_t p, double *difference);

/* What one pass tells about the rows. Owns frame. */
struct hs_survey {
	struct hs_row_frame frame;
	size_t n_rows, n_used, n_empty, n_negative, n_flat;   /* as in hs_moments */
	double divisor, noise;
	double total;                 /* the whole variance: trace of what hs_moments calls the matrix */
	double *variance;             /* n_chan: of y in each channel */
};

/* HS_BAD_DATA when no row is usable, HS_USAGE for poisson with centring. Released by the caller, also after failure. */
int hs_survey_init(struct hs_survey *s, struct hs_rowsource *rows, const struct hs_moments_options *o, struct hs_err *err);
void hs_survey_release(struct hs_survey *s);
size_t hs_survey_bytes(size_t n_chan, int threads);

/* For modules that count along in a pass of their own: an empty survey, then what its fields follow from. spread is that of y
 * before the shift (poisson: before the channels are scaled), raw_sum the channel sums of poisson, row_means the sum of the
 * rows' own means (BOTH). n_used .. n_negative are set before. */
int hs_survey_begin(struct hs_survey *s, struct hs_rowsource *rows, const struct hs_moments_options *o, struct hs_err *err);
int hs_survey_finish(struct hs_survey *s, const struct hs_spread *spread, const double *raw_sum, double row_means,
	struct hs_err *err);

/* The used rows of a block, framed. */
struct hs_framed {
	size_t index, n;              /* block index; how many rows */
	double *y;                    /* n x n_chan */
	size_t *row;                  /* their numbers in the source */
	double *part;                 /* what undoes each row's own change (hs_row_frame_apply) */
};

/* Waves of framed blocks, in order, to fn on the calling thread; fn runs its own parallel loops and may change y. */
typedef int (*hs_framed_fn)(void *ctx, struct hs_framed *block, size_t n_blocks, struct hs_err *err);
int hs_framed_each(struct hs_rowsource *rows, const struct hs_row_frame *frame, const char *task, hs_framed_fn fn, void *ctx,
	struct hs_err *err);

/* How many blocks a wave has at most, and the bytes hs_framed_each holds. */
size_t hs_framed_wave(void);
size_t hs_framed_bytes(size_t n_chan, int threads);

#endif
