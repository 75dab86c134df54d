/* scree - a panel of explained variance: ratio of each component on a logarithmic axis, the chosen number, the running sum. */
#ifndef HS_DRAW_SCREE_H
#define HS_DRAW_SCREE_H

#include "draw/figure.h"

struct hs_scree {
	const char *title;
	const double *ratio;          /* n fractions of the variance, component 1 first; <= 0 and NaN are left out */
	size_t n;
	size_t chosen;                /* components kept: filled marks and a line after them; 0: not shown */
	size_t n_opinions;            /* what tests said: in the legend */
	const char *const *opinion_name;
	const double *opinion;
	bool cumulative;              /* running sum in percent on the right axis */
};

int hs_scree_panel(const struct hs_scree *scree, struct hs_panel *panel, struct hs_err *err);

#endif
