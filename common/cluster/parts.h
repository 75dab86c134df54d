/* parts - disjoint sets that grow together, and the one way to number clusters.
 *
 * A set is an array of parents; the root of a set is its lowest member, so the roots do not depend on the order in which sets
 * were joined. hs_parts_join and hs_parts_root may be called by many threads at once (roots are linked by compare-and-swap;
 * paths are halved on the way). */
#ifndef HS_CLUSTER_PARTS_H
#define HS_CLUSTER_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Every one alone. */
void hs_parts_init(uint32_t *parent, size_t n);
uint32_t hs_parts_root(uint32_t *parent, uint32_t i);

/* 1 when a and b were in different sets. */
int hs_parts_join(uint32_t *parent, uint32_t a, uint32_t b);

/* Renames the labels (any numbers from 0 to n_names - 1, negative: none) so that cluster 0 is the largest, ties: the one with the
 * lowest first point; *k is how many there are. size receives an array of their sizes (caller frees), name, when not NULL,
 * the new number of each old one, -1 for those that do not occur (n_names values). */
int hs_parts_settle(
	int32_t *label, size_t n, size_t n_names, size_t *k, size_t **size, int32_t *name, struct hs_err *err);

#endif
