/* fold - sums over the rows of an array in memory, in an order that depends on the number of rows alone.
 *
 * Rows are cut into blocks of `block_rows`, threads take blocks, each block fills its own array of sums, and the arrays are
 * added pairwise in the fixed tree of par.h: the same bits for any number of threads. What hs_rows_each is to a row source,
 * this is to rows that fit in memory and are met many times, without batches, masks and progress. */
#ifndef HS_MATH_FOLD_H
#define HS_MATH_FOLD_H

#include <stddef.h>

#include "base/err.h"

/* Adds what rows first .. first + n - 1 contribute to sum, which is zero before; thread is 0 .. hs_par_threads() - 1. */
typedef void (*hs_fold_fn)(const void *ctx, int thread, size_t first, size_t n, double *sum);

/* n_sums totals into sum. HS_SYSTEM when memory is short. */
int hs_fold(size_t n_rows, size_t block_rows, size_t n_sums, hs_fold_fn fn, const void *ctx, double *sum, struct hs_err *err);

/* Bytes hs_fold holds at its peak: the arrays of sums that are alive. */
size_t hs_fold_bytes(size_t n_rows, size_t block_rows, size_t n_sums, int threads);

#endif
