/* smooth_labels - labels of pixels made smooth in space: by majority, or by a Potts model.
 *
 * Labels lie on n_maps maps of n_y x n_x pixels, C order, which do not touch each other. Labels 0 .. k-1; a negative label stays
 * what it is, and does not count for its neighbours. Neighbours are the 4 beside a pixel, or the 8 around it.
 *
 * Majority: all pixels at once take the label that most of their neighbours and they themselves have; its own in a tie that
 * holds it, else the lowest. Potts: the energy sum_i cost_i(label_i) + beta (pairs of neighbours with different labels) goes
 * down by iterated conditional modes (Besag, J. R. Stat. Soc. B 48 (1986) 259): pixels that are no neighbours of each other
 * change together, each to the label of the least energy. With cost = -ln of a likelihood this is the mode of a posterior.
 *
 * Same bytes for any number of threads. */
#ifndef HS_CLUSTER_SMOOTH_LABELS_H
#define HS_CLUSTER_SMOOTH_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"

struct hs_label_maps {
	size_t n_maps, n_y, n_x;
	size_t k;
	bool eight;                   /* neighbours: 8, else 4 */
	int32_t *label;               /* n_maps x n_y x n_x */
};

/* At most `rounds`, fewer when nothing changes any more; *changed: how many labels are others than before. */
int hs_smooth_majority(const struct hs_label_maps *maps, size_t rounds, size_t *changed, struct hs_err *err);

/* cost: a row of k for each pixel; not read where the label is negative. beta >= 0. */
int hs_smooth_potts(const struct hs_label_maps *maps, const float *cost, double beta, size_t rounds, size_t *changed,
	struct hs_err *err);

/* Costs from the clusters themselves: |x - mean_k|^2 / (2 s^2), s^2 the mean variance of a channel within clusters; the negative
 * logarithm of a likelihood with round clusters of one width. cost: n_rows x k. unit: of rows divided by their norm. Two passes.
 * Clusters without spread: 0 for their own mean, FLT_MAX for others. */
int hs_potts_costs(struct hs_rowsource *rows, const int32_t *label, size_t k, bool unit, float *cost, struct hs_err *err);

/* Energy of the labels; for tests and reports. */
double hs_potts_energy(const struct hs_label_maps *maps, const float *cost, double beta);

#endif
