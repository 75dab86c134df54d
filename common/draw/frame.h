/* frame - the box around a drawing: its axes with ticks and labels, its title, and its legend.
 *
 * Used by the panels in two steps that see the same rectangles: hs_frame_need says how much room the text around the box takes,
 * hs_frame_draw draws it there. cell is all the room a panel has, frame the box inside. */
#ifndef HS_DRAW_FRAME_H
#define HS_DRAW_FRAME_H

#include "draw/canvas.h"
#include "draw/scale.h"

/* Room around the box, in px. */
struct hs_need {
	double left, right, top, bottom;
	double aspect;                /* height over width of the box; 0: any */
	double min_height;            /* of the box */
};

struct hs_side {
	const struct hs_scale *scale; /* NULL: no axis on this side */
	const char *name;             /* quantity; NULL or "": unit alone, nothing when there is none either */
	bool no_ticks;                /* label only */
};

struct hs_frame {
	const char *title;            /* NULL: none */
	struct hs_side x, y, right;
	bool y_down;                  /* y grows downward */
};

void hs_frame_need(const struct hs_frame *f, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame,
	struct hs_need *need);
void hs_frame_draw(const struct hs_frame *f, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame);

/* Ticks that fit along length px (across: labels stand side by side; otherwise one above the other). */
void hs_frame_ticks(struct hs_canvas *c, const struct hs_scale *s, double length, bool across, struct hs_ticks *ticks);

enum hs_key { HS_KEY_LINE, HS_KEY_DASH, HS_KEY_DOT, HS_KEY_LINE_DOT, HS_KEY_BOX, HS_KEY_HATCH };

struct hs_entry {
	const char *name;
	const char *note;             /* right-aligned second column ("12.3 %"), or NULL */
	struct hs_rgba colour;
	enum hs_key key;
};

/* A legend fills columns downward within w x h px and says how many entries it had to leave out. need takes
 * the limits and gives the size; draw wants the same limits as the size of room. */
void hs_legend_need(struct hs_canvas *c, size_t n, const struct hs_entry *entry, double w, double h, double *need_w,
	double *need_h);
void hs_legend_draw(struct hs_canvas *c, size_t n, const struct hs_entry *entry, struct hs_rect room);

#endif
