/* map - a panel that shows an image of ny x nx values with axes, scale bar and colour bar.
 *
 * Pixels are drawn as they are (nearest neighbour), each from half way to its neighbours' axis values, so axes need not be
 * uniform and may descend; y grows upward unless y_down. Where both axes have the same unit, lengths are true (the box is kept
 * within 6:1 either way). Values that are NaN, infinite or masked are hatched grey, and the legend says "no value". Values
 * beyond the limits take the end colours and the colour bar gets a point on that side. */
#ifndef HS_DRAW_MAP_H
#define HS_DRAW_MAP_H

#include "data/axis.h"
#include "draw/figure.h"

/* A marked place: a ring with a name beside it. */
struct hs_map_point {
	double x, y;                  /* axis values */
	const char *name;             /* NULL: ring only */
};

struct hs_map {
	const char *title;
	const char *name, *unit;      /* of the values, at the colour bar; may be NULL */
	const double *value;          /* y->n x x->n, row 0 at y->value[0] */
	const uint8_t *mask;          /* same shape, nonzero = do not show; NULL: all good */
	const struct hs_axis *x, *y;
	enum hs_colormap_kind colormap;
	enum hs_limits limits;        /* HS_COLORMAP_BALANCE makes found limits symmetric about zero */
	double lo, hi;                /* for HS_LIMITS_GIVEN */
	bool y_down;
	bool no_axes, no_scale_bar, no_colour_bar;
	const int32_t *outline;       /* labels of the same shape: lines are drawn where they change; NULL: none */
	const struct hs_map_point *point;
	size_t n_points;
};

/* HS_BAD_DATA for axes that are not monotonic, HS_USAGE for given limits that are not lo < hi. */
int hs_map_panel(const struct hs_map *map, struct hs_panel *panel, struct hs_err *err);

/* Edges of the cells around the values of an axis: n + 1 of them, half way between neighbours, the end cells as wide as their
 * inner halves say; single_step is the width when n == 1. */
void hs_axis_edges(const struct hs_axis *a, double single_step, double *edge);

/* For each of n_out equal steps over the axis, from the smallest value up (descending: from the greatest down), the index of the
 * cell there. HS_SYSTEM when memory is short. */
int hs_axis_sample(const struct hs_axis *a, size_t n_out, bool descending, size_t *index, struct hs_err *err);

/* Height over width of the box for these axes, or 0 when their units differ. */
double hs_map_aspect(const struct hs_axis *x, const struct hs_axis *y);

/* A bar of 1, 2 or 5 times a power of ten, about a quarter of the box, in its lower left corner; nothing when x is not spatial,
 * has no unit, or the box is too small for the text. */
void hs_scale_bar(struct hs_canvas *c, const struct hs_axis *x, struct hs_rect frame);

/* Grey with darker stripes: a pixel without value at row i, column j of a device image with so many device pixels a px. */
uint32_t hs_hatch_pixel(size_t i, size_t j, double per_px);

/* The least and greatest edge of the two axes as scales; a lone value takes its width from the other axis. */
int hs_map_scales(const struct hs_axis *x, const struct hs_axis *y, struct hs_scale *sx, struct hs_scale *sy, struct hs_err *err);

/* White and black lines where neighbouring cells differ in label, on a device image of nx x ny pixels that shows, at column j
 * of row i, the cell ix[j] of row iy[i] of a map label_nx wide. */
void hs_outline_draw(uint32_t *pixel, size_t nx, size_t ny, const size_t *ix, const size_t *iy, const int32_t *label,
	size_t label_nx);

#endif
