/* curve - a panel of curves over one axis: spectra, loadings, centroids with bands; also scatter plots (dots without lines).
 *
 * x need not be uniform nor sorted; a NaN (or, with log_y, a value <= 0) is a gap. Where a curve has many more points than the
 * box has columns and its x is sorted, first, least, greatest and last value of each column are drawn: no peak is lost. */
#ifndef HS_DRAW_CURVE_H
#define HS_DRAW_CURVE_H

#include "draw/figure.h"

enum hs_stroke { HS_STROKE_LINE, HS_STROKE_DASH, HS_STROKE_DOT, HS_STROKE_LINE_DOT };

struct hs_curve {
	const char *name;             /* in the legend; NULL: not listed */
	const double *x;              /* n values; NULL: 1, 2, ... */
	const double *y;
	const double *sigma;          /* n; NULL: no band. Drawn as y - sigma .. y + sigma */
	size_t n;
	enum hs_stroke stroke;
	bool has_colour;              /* false: colour i of the palette for curve i */
	struct hs_rgba colour;
};

struct hs_curves {
	const char *title;
	const char *x_name, *x_unit, *y_name, *y_unit;
	const struct hs_curve *curve;
	size_t n_curves;
	bool stacked;                 /* each curve lifted above the one before; y loses its numbers */
	bool log_y, zero_line, equal_aspect, no_legend, integer_x;
	bool has_x_limits, has_y_limits;
	double x_lo, x_hi, y_lo, y_hi;
	const double *mark;           /* vertical lines at these x, with mark_name when not NULL */
	const char *const *mark_name;
	size_t n_marks;
};

/* HS_USAGE for given limits that are not lo < hi. */
int hs_curves_panel(const struct hs_curves *curves, struct hs_panel *panel, struct hs_err *err);

#endif
