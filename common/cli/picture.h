/* picture - what picture a signal gets: a list of drawings with their numbers, and the three ways to show it.
 *
 *	spectrum, component spectra     curves, with a band where there are data_errors
 *	cube                            sum image and mean spectrum (or mean pattern), marks and curves at chosen pixels
 *	component maps                  the maps; beside them the spectra and the explained variance of the same step
 *	labels                          label map; beside it the centroids of the same step in the same colours
 *	image, line scan                a map
 *	scattered points                coloured dots where they were measured
 * Complex values are shown by magnitude. Masked pixels and values that are not finite are "no value". Cubes are summed as
 * their rows pass (cli/pixels.h): memory is needed for the drawings alone, and too large ones are refused.
 *
 * Owner: a plan owns its numbers and texts; axes are borrowed from the input, which must outlive it. */
#ifndef HS_CLI_PICTURE_H
#define HS_CLI_PICTURE_H

#include "cli/session.h"
#include "draw/curve.h"
#include "draw/figure.h"
#include "draw/labels.h"
#include "draw/map.h"
#include "draw/png.h"
#include "draw/scree.h"

enum hs_show { HS_SHOW_AUTO, HS_SHOW_MAPS, HS_SHOW_LABELS, HS_SHOW_CURVES, HS_SHOW_SCREE, HS_SHOW_IMAGE, HS_SHOW_CUBE };
#define HS_SHOW_WORDS "auto|maps|labels|curves|scree|image|cube"

/* Texts as typed, NULL: not asked for. */
struct hs_wish {
	enum hs_show show;
	const char *title;
	const char *components;       /* "1,3-5", counted from 1 */
	const char *at;               /* "x=3nm,y=5nm;x=8nm,y=5nm" */
	const char *window;           /* "280:320eV" on the spectral axis */
	const char *limits;           /* "LO:HI", "robust", "full" */
	int colormap;                 /* enum hs_colormap_kind; -1: BALANCE for signed component maps, else DUSK */
	bool log, stacked;
};

enum hs_drawing_kind { HS_DRAWING_MAP, HS_DRAWING_LABELS, HS_DRAWING_CURVES, HS_DRAWING_SCREE };

struct hs_drawing {
	enum hs_drawing_kind kind;
	struct hs_map map;            /* the one of these that kind says */
	struct hs_labels labels;
	struct hs_curves curves;
	struct hs_scree scree;
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

/* HS_USAGE when the wish does not fit the signal, HS_BAD_DATA when it cannot be drawn, HS_SYSTEM when the picture needs more
 * than --memory. run gives threads, memory and mask. Release the plan in any case. */
int hs_plan_make(struct hs_plan *plan, struct hs_run *run, struct hs_in *in, size_t signal, const struct hs_wish *wish,
	struct hs_err *err);
void hs_plan_release(struct hs_plan *plan);

/* The figure. page says width, height, scale; its panels and title are the plan's. */
int hs_plan_figure(const struct hs_plan *plan, const struct hs_figure *page, enum hs_picture kind, hs_bytes_fn write, void *ctx,
	struct hs_err *err);

/* Lines of text, one drawing after the other. */
int hs_plan_preview(const struct hs_plan *plan, size_t columns, bool colour, struct hs_str *out, struct hs_err *err);

/* The plan's one map, a pixel for a pixel: palette colours for labels, the map's own otherwise; grey: 16 bits. Turned so that both
 * axes ascend, right and up, as in the figure. HS_USAGE when there is no map, or a choice of them. */
int hs_plan_raw(const struct hs_plan *plan, bool grey, const struct hs_png_text *text, size_t n_text, hs_bytes_fn write, void *ctx,
	struct hs_err *err);

#endif
