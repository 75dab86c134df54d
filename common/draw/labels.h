/* labels - a panel that shows a map of classes with a legend: colour, name, share of the pixels in percent.
 *
 * Label i has colour i of the palette; -1 (and anything outside 0 .. n_labels-1) belongs to no class: it is hatched and listed
 * as "none" when it occurs. Axes as in map.h. */
#ifndef HS_DRAW_LABELS_H
#define HS_DRAW_LABELS_H

#include "data/axis.h"
#include "draw/figure.h"

struct hs_labels {
	const char *title;
	const int32_t *label;         /* y->n x x->n, row 0 at y->value[0] */
	const struct hs_axis *x, *y;
	size_t n_labels;              /* 0: one more than the largest label */
	const char *const *name;      /* n_labels, an entry may be NULL; NULL: "1", "2", ... */
	const struct hs_rgba *colour; /* n_labels; NULL: the palette */
	bool y_down, no_axes, no_scale_bar, no_legend;
};

int hs_labels_panel(const struct hs_labels *labels, struct hs_panel *panel, struct hs_err *err);

#endif
