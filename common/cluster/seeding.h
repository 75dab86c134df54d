/* seeding - greedy k-means++ on rows in memory, many starts at a time; internal to cluster.
 *
 * Each seed after the first is the best of 2 + ln k rows drawn with probability proportional to their squared distance from
 * the seeds so far: the one that leaves the smallest sum of these distances (Arthur, Vassilvitskii, SODA 2007, section 6).
 * Start s draws from its own stream of random numbers, so that it does not depend on how many others there are. */
#ifndef HS_CLUSTER_SEEDING_H
#define HS_CLUSTER_SEEDING_H

#include <stddef.h>
#include <stdint.h>

#include "cluster/view.h"

#define HS_NO_SEED SIZE_MAX

/* Rows of the view (all of them used, in memory at x) to start from: chosen is n_starts x k, HS_NO_SEED where each distinct
 * row is a seed already. */
int hs_seed_rows(const struct hs_view *view, const void *x, size_t k, size_t n_starts, uint64_t seed, size_t *chosen,
	struct hs_err *err);

/* Bytes it holds at its peak, at most, the rows and the choice not counted. */
double hs_seed_bytes(double n_rows, size_t p, size_t k, size_t n_starts, int threads);

#endif
