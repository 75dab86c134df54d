/* canvas - lines, areas, text and pixels on a white page that becomes PNG or SVG (by cairo).
 *
 * Lengths are px of the page before scale; y runs downward. Text is one font, DejaVu Sans, unhinted, so that extents and bytes
 * are the same at any scale and on any machine with that font; SVG holds text as outlines and needs no font. Broken UTF-8 is
 * repaired and control characters become spaces. Drawing calls cannot fail; what goes wrong inside cairo is reported by
 * hs_canvas_write. A canvas belongs to one thread. */
#ifndef HS_DRAW_CANVAS_H
#define HS_DRAW_CANVAS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "draw/bytes.h"
#include "draw/colormap.h"

enum hs_picture { HS_PICTURE_PNG, HS_PICTURE_SVG };

struct hs_rect {
	double x, y, w, h;
};

struct hs_canvas;

/* A page of w x h px, each side times scale device pixels (PNG; SVG only multiplies its size). font_px is the size of axis
 * labels. HS_USAGE for sizes outside 1 .. 32767 device pixels, HS_SYSTEM when memory is short. */
struct hs_canvas *hs_canvas_new(enum hs_picture kind, double w, double h, double scale, double font_px, struct hs_err *err);

/* The finished picture; nothing may be drawn afterwards. The bytes depend on the drawing calls alone. */
int hs_canvas_write(struct hs_canvas *c, hs_bytes_fn write, void *ctx, struct hs_err *err);
void hs_canvas_free(struct hs_canvas *c);                 /* NULL is allowed */

extern const struct hs_rgba hs_black, hs_white, hs_dark_grey, hs_mid_grey, hs_light_grey;

struct hs_pen {
	struct hs_rgba colour;
	double width;
	double dash;                  /* length of dashes and gaps; 0: solid */
};

void hs_canvas_line(struct hs_canvas *c, struct hs_pen pen, double x0, double y0, double x1, double y1);
void hs_canvas_path(struct hs_canvas *c, struct hs_pen pen, size_t n, const double *x, const double *y);
void hs_canvas_area(struct hs_canvas *c, struct hs_rgba fill, size_t n, const double *x, const double *y);
void hs_canvas_rect(struct hs_canvas *c, struct hs_pen pen, struct hs_rect r);
void hs_canvas_fill(struct hs_canvas *c, struct hs_rgba fill, struct hs_rect r);
void hs_canvas_dot(struct hs_canvas *c, struct hs_rgba fill, double x, double y, double radius);

/* Everything until hs_canvas_unclip is cut off outside r; no nesting. */
void hs_canvas_clip(struct hs_canvas *c, struct hs_rect r);
void hs_canvas_unclip(struct hs_canvas *c);

/* r moved to whole device pixels, so that edges are sharp. */
struct hs_rect hs_canvas_snap(const struct hs_canvas *c, struct hs_rect r);

/* Device pixels a picture in r should have to be drawn one to one (SVG: two a px). */
void hs_canvas_pixels(const struct hs_canvas *c, struct hs_rect r, size_t *nx, size_t *ny);

/* ny x nx opaque pixels 0xffRRGGBB, row 0 at the top, stretched over r without smoothing. HS_SYSTEM when memory is short. */
int hs_canvas_image(struct hs_canvas *c, struct hs_rect r, size_t nx, size_t ny, const uint32_t *pixel, struct hs_err *err);

enum hs_font { HS_FONT_TICK, HS_FONT_LABEL, HS_FONT_TITLE, HS_FONT_HEAD, HS_N_FONTS };   /* HEAD: of the whole figure */

double hs_font_px(const struct hs_canvas *c, enum hs_font font);          /* letter size */
double hs_line_px(const struct hs_canvas *c, enum hs_font font);          /* from line to line */

enum hs_turn { HS_UPRIGHT, HS_TURNED };   /* TURNED: reads upward */

/* One line. (x, y) is the point of the text's box at fraction along (0 its start, 1 its end) and across (0 its top, 0.5 the
 * middle of capitals, 1 its bottom), before turning. */
void hs_canvas_text(struct hs_canvas *c, enum hs_font font, enum hs_turn turn, struct hs_rgba colour, double x,
	double y, double along, double across, const char *text);
double hs_canvas_text_width(struct hs_canvas *c, enum hs_font font, const char *text);

/* text, shortened with "…" until it is at most width wide; caller frees. */
char *hs_canvas_fit(struct hs_canvas *c, enum hs_font font, const char *text, double width);

/* text broken at spaces (inside words when there is no other way) into at most max_lines lines of at most width, the last one
 * shortened; lines are separated by '\n'. Returns the number of lines; *out is owned by the caller (free). */
size_t hs_canvas_wrap(struct hs_canvas *c, enum hs_font font, const char *text, double width, size_t max_lines, char **out);

/* Such lines, the block's top at y, each placed by along. */
void hs_canvas_lines(struct hs_canvas *c, enum hs_font font, struct hs_rgba colour, double x, double y, double along,
	const char *lines);

#endif
