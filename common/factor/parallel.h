/* parallel - Horn's parallel analysis (Psychometrika 30, 1965, 179), how many components are signal, on at most 4096 rows
 * chosen at random: components whose variance exceeds the 95 % quantile of 20 data sets in which every channel is shuffled on
 * its own. frame (of moments or pca) says how rows are scaled and centred; when it does not centre, shuffling cannot touch the
 * mean, so the first component is taken for granted and removed before the comparison. Costs 21 products and eigenvalue
 * problems of order min(sampled rows, n_chan), on 2048 rows when there are more than 2048 channels, and a copy of the sample
 * for each of up to 8 threads. Random numbers depend on seed, round and channel alone. */
#ifndef HS_FACTOR_PARALLEL_H
#define HS_FACTOR_PARALLEL_H

#include <stddef.h>
#include <stdint.h>

#include "math/moments.h"

int hs_rank_parallel(
	struct hs_rowsource *rows, const struct hs_row_frame *frame, uint64_t seed, size_t *rank, struct hs_err *err);

#endif
