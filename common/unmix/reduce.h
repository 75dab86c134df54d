/* reduce - the rows of a source in the few coordinates of the affine subspace that holds most of their variance.
 *
 * A raw row x becomes y_j = x_j scale weight_j / s: scale is a power of two, 1 unless squares of the values would leave the range
 * of float64; weight_j is 1, or with poisson 1 / sqrt(mean of the channel), so that counting noise is alike in all, 0 where that
 * mean is not positive; s is 1, or with unit_sum the sum of x scale. y ~ mean + sum_c z_c axis_c, axes orthonormal, by falling
 * variance.
 *
 * Rows that are skipped, and with unit_sum those whose sum is not positive, have skip 1 and coordinates 0.
 * Owner: the caller releases the struct. The data are read once for the second moments, once for z, and before that once more
 * when rows or channels are scaled. Same bytes for any number of threads. */
#ifndef HS_UNMIX_REDUCE_H
#define HS_UNMIX_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"

struct hs_reduced {
	size_t n_rows, n_used, n_chan;
	bool unit_sum;
	double scale;
	double mean_sum;              /* unit_sum: mean of the s of the used rows; else 1 */
	double *weight;               /* n_chan */
	double *channel_mean;         /* n_chan: mean of y over weight, for channels of weight 0; NULL when rows are taken as they are */
	double *mean;                 /* n_chan: of y */
	double *axes;                 /* n_axes x n_chan */
	size_t n_axes;                /* directions with variance above rounding, at most those asked for */
	double *eigenvalue;           /* n_eig, descending: variances of y, divisor n_used - 1 */
	size_t n_eig;
	double *covariance;           /* of y, n_chan x n_chan, upper triangle; NULL when not wanted or fewer rows than channels */
	size_t d;                     /* coordinates held */
	double *z;                    /* n_rows x d */
	double *height;               /* n_rows: along the part of the mean orthogonal to the first d axes; NULL when not wanted */
	uint8_t *skip;                /* n_rows */
};

/* Second moments and axes, at most n_axes. with_covariance: keep it. HS_BAD_DATA: no row to use; more than HS_MOMENTS_MAX rows
 * and channels. Released by the caller, also after failure. */
int hs_reduce(struct hs_reduced *r, struct hs_rowsource *rows, size_t n_axes, bool poisson, bool unit_sum,
	bool with_covariance, struct hs_err *err);
void hs_reduced_release(struct hs_reduced *r);

/* One pass: the first d <= n_axes coordinates of every row. */
int hs_reduce_coordinates(struct hs_reduced *r, struct hs_rowsource *rows, size_t d, bool with_height, struct hs_err *err);

/* One pass: mean of y over n_groups sets of rows; member lists the n_members[g] >= 1 rows of each group, group after group, in
 * any order. mean: n_groups x n_chan. */
int hs_reduce_group_means(const struct hs_reduced *r, struct hs_rowsource *rows, const size_t *member, const size_t *n_members,
	size_t n_groups, double *mean, struct hs_err *err);

/* From d coordinates to a spectrum y; d coordinates of a spectrum y; and y in the unit of the data, in place (weights undone,
 * times mean_sum; a channel of weight 0 gets its mean). */
void hs_reduce_spectrum(const struct hs_reduced *r, const double *z, double *y);
void hs_reduce_project(const struct hs_reduced *r, const double *y, double *z);
void hs_reduce_restore(const struct hs_reduced *r, double *y);

/* Bytes at the peak, z, height and covariance included. */
size_t hs_reduce_bytes(size_t n_rows, size_t n_chan, size_t d, bool with_covariance, int threads);

#endif
