/* figure - panels in a grid on one page, under a common title: what a tool asks for.
 *
 *	struct hs_panel panel[2];
 *	if (hs_map_panel(&map, &panel[0], err) < 0 || hs_curves_panel(&curves, &panel[1], err) < 0) ...
 *	struct hs_figure figure = { .title = "Component 1", .panel = panel, .n_panels = 2 };
 *	hs_figure_draw(&figure, HS_PICTURE_PNG, hs_bytes_to_stdio, stdout, err);
 *	hs_panel_release(&panel[0]); ...
 *
 * Margins come from measured text: nothing overlaps and nothing is cut; text that is too long is broken or shortened with "…".
 * Boxes of one column share left and right edges of their room (of all columns, when all panels are maps), those of one
 * row top and bottom. */
#ifndef HS_DRAW_FIGURE_H
#define HS_DRAW_FIGURE_H

#include "draw/canvas.h"
#include "draw/frame.h"

/* A kind of panel: need() is called until the layout stands, then draw() once with the same rectangles. */
struct hs_panel_kind {
	void (*need)(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_need *need);
	int (*draw)(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_err *err);
	void (*free)(void *self);
};

/* Made by hs_map_panel, hs_labels_panel, hs_curves_panel, hs_scree_panel. It owns self, and borrows data, axes and texts
 * from the description it was made of: those must outlive it. */
struct hs_panel {
	const struct hs_panel_kind *kind;
	void *self;
};

void hs_panel_release(struct hs_panel *panel);            /* a zeroed panel is allowed */

struct hs_figure {
	const char *title;            /* NULL: none */
	const struct hs_panel *panel; /* row after row; a zeroed one leaves its place empty */
	size_t n_panels;
	size_t n_cols;                /* 0: near square */
	double width, height;         /* px; 0: 640 for one column, 360 a column for more; height as the panels need */
	double scale;                 /* device pixels a px, for print: 0 means 1 */
	double font_px;               /* 0: 12 */
};

/* HS_USAGE when there is no panel, or when the page is too small for the panels. */
int hs_figure_draw(const struct hs_figure *figure, enum hs_picture kind, hs_bytes_fn write, void *ctx, struct hs_err *err);

#endif
