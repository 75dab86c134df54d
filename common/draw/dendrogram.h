/* dendrogram - a panel of merges: which groups join at which height, the last ones of a tree of any size.
 *
 * The tree is given as merges in the order of their heights: merge i joins nodes left[i] and right[i] into node n + i; nodes
 * below n are leaves (the convention of SciPy's linkage). Only the last `most` branches are drawn; what joined before is
 * one branch, with the number of its leaves under it. Branches that lie within one cluster have its colour. */
#ifndef HS_DRAW_DENDROGRAM_H
#define HS_DRAW_DENDROGRAM_H

#include "draw/figure.h"

struct hs_dendrogram_plot {
	const char *title, *height_name, *height_unit;
	size_t n;                     /* leaves; at least 2 */
	const double *left, *right, *height, *size;   /* n - 1; whole numbers as double */
	size_t n_clusters;            /* the last n_clusters - 1 merges join clusters; the largest cluster has the first colour */
	size_t most;                  /* branches drawn; 0: 24 */
};

/* HS_BAD_DATA for merges that are no tree: nodes that do not exist yet or are used twice, heights that are not finite. */
int hs_dendrogram_panel(const struct hs_dendrogram_plot *tree, struct hs_panel *panel, struct hs_err *err);

#endif
