/* plan - a picture before it is drawn: a list of drawings with their numbers, and the three ways to show it.
 *
 * Owner: a plan owns what is kept in it; drawings point into that and at axes of the input, which must outlive it. */
#ifndef HS_PICTURE_PLAN_H
#define HS_PICTURE_PLAN_H

#include "draw/curve.h"
#include "draw/dendrogram.h"
#include "draw/figure.h"
#include "draw/labels.h"
#include "draw/map.h"
#include "draw/png.h"
#include "draw/scree.h"

enum hs_drawing_kind { HS_DRAWING_MAP, HS_DRAWING_LABELS, HS_DRAWING_CURVES, HS_DRAWING_SCREE,
	HS_DRAWING_DENDROGRAM };

struct hs_drawing {
	enum hs_drawing_kind kind;
	struct hs_map map;            /* the one of these that kind says */
	struct hs_labels labels;
	struct hs_curves curves;
	struct hs_scree scree;
	struct hs_dendrogram_plot dendrogram;
};

struct hs_plan {
	const char *title;
	size_t n;
	struct hs_drawing *drawing;
	size_t n_main;                /* maps that come first and belong together; what follows explains them. 0: no such order */
	size_t n_kept;
	void **kept;                  /* everything that the drawings point at */
	struct hs_axis line;          /* one row, for labels of a line scan */
};

/* The plan takes p and frees it in the end; returns p. */
void *hs_plan_keep(struct hs_plan *plan, void *p);

/* A further drawing, zeroed; the pointer is good until the next one. */
struct hs_drawing *hs_plan_add(struct hs_plan *plan, enum hs_drawing_kind kind);
void hs_plan_release(struct hs_plan *plan);

/* The figure. page says width, height, scale; its panels and title are the plan's. */
int hs_plan_figure(const struct hs_plan *plan, const struct hs_figure *page, enum hs_picture kind, hs_bytes_fn write, void *ctx,
	struct hs_err *err);

/* Lines of text, one drawing after the other. */
int hs_plan_preview(const struct hs_plan *plan, size_t columns, bool colour, struct hs_str *out, struct hs_err *err);

/* The plan's one map, a pixel for a pixel: palette colours for labels, the map's own otherwise; grey: 16 bits. Turned so that
 * both axes ascend, right and up, as in the figure. HS_USAGE when there is no map, or a choice of them. */
int hs_plan_raw(const struct hs_plan *plan, bool grey, hs_bytes_fn write, void *ctx, struct hs_err *err);

#endif
