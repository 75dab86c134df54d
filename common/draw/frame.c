#include "draw/frame.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TICK 4.0                  /* length of a tick mark */
#define TICK_GAP 3.0              /* from mark to number */
#define LABEL_GAP 5.0             /* from numbers to the axis label */
#define TITLE_GAP 5.0
#define LABEL_LINES 2
#define TITLE_LINES 3

/* ---- ticks that fit ---- */

static double widest(struct hs_canvas *c, const struct hs_ticks *t)
{
	double w = 0;
	for (size_t i = 0; i < t->n; i++)
		w = fmax(w, hs_canvas_text_width(c, HS_FONT_TICK, t->text[i]));
	return w;
}

static bool ticks_fit(struct hs_canvas *c, const struct hs_scale *s, const struct hs_ticks *t, double length, bool across)
{
	for (size_t i = 0; i + 1 < t->n; i++) {
		const double gap = fabs(hs_scale_at(s, t->value[i + 1]) - hs_scale_at(s, t->value[i])) * length;
		const double need = across ? (hs_canvas_text_width(c, HS_FONT_TICK, t->text[i]) +
		                              hs_canvas_text_width(c, HS_FONT_TICK, t->text[i + 1])) / 2 + 0.8 * hs_font_px(c, HS_FONT_TICK)
		                           : 1.25 * hs_font_px(c, HS_FONT_TICK);
		if (!(gap >= need))
			return false;
	}
	return true;
}

void hs_frame_ticks(struct hs_canvas *c, const struct hs_scale *s, double length, bool across, struct hs_ticks *ticks)
{
	const double apart = hs_font_px(c, HS_FONT_TICK) * (across ? 4.5 : 3.2);
	const double room = floor(length / apart);
	const size_t start = (size_t)fmin(10, fmax(2, room));
	/* steps are coarse: a little more may give three */
	for (size_t wanted = start; wanted < start + 4 && start < 6; wanted++) {
		hs_scale_ticks(s, wanted, ticks);
		if (ticks->n >= 3 && ticks->n <= 6 && ticks_fit(c, s, ticks, length, across))
			return;
	}
	for (size_t wanted = start; wanted; wanted--) {
		hs_scale_ticks(s, wanted, ticks);
		if (ticks->n && ticks_fit(c, s, ticks, length, across))
			return;
	}
	for (size_t wanted = 2; !ticks->n && wanted < 9; wanted++)
		hs_scale_ticks(s, wanted, ticks);
	ticks->n = ticks->n > 0;          /* one number is better than two on top of each other */
}

/* ---- labels ---- */

static size_t side_label(struct hs_canvas *c, const struct hs_side *side, double length, char **lines)
{
	char *label = side->name && !*side->name ? hs_must_dup("") : hs_scale_label(side->scale, side->name);
	const size_t n = hs_canvas_wrap(c, HS_FONT_LABEL, label, length, LABEL_LINES, lines);
	free(label);
	return n;
}

/* How long the label of a vertical axis may be: on a thin box it stands out above and below. */
static double side_length(struct hs_canvas *c, double height)
{
	return fmax(height, 6.5 * hs_font_px(c, HS_FONT_LABEL));
}

/* Room above the box that its axes take. */
static double above_box(const struct hs_frame *f, struct hs_canvas *c, double height)
{
	const bool labels = f->y.scale || f->right.scale;
	const bool numbers = (f->y.scale && !f->y.no_ticks) || (f->right.scale && !f->right.no_ticks);
	return fmax(numbers ? hs_font_px(c, HS_FONT_TICK) / 2 : 0, labels ? (side_length(c, height) - height) / 2 : 0);
}

/* Room of a vertical axis beside the box. */
static double side_width(struct hs_canvas *c, const struct hs_side *side, double height)
{
	if (!side->scale)
		return 0;
	double w = 0;
	if (!side->no_ticks) {
		struct hs_ticks t;
		hs_frame_ticks(c, side->scale, height, false, &t);
		w = TICK + TICK_GAP + widest(c, &t);
	}
	char *lines;
	const size_t n = side_label(c, side, side_length(c, height), &lines);
	free(lines);
	return w + (n ? LABEL_GAP + (double)n * hs_line_px(c, HS_FONT_LABEL) : 0);
}

static double title_width(struct hs_rect cell, struct hs_rect frame)
{
	const double middle = frame.x + frame.w / 2;
	return 2 * fmin(middle - cell.x, cell.x + cell.w - middle);
}

void hs_frame_need(const struct hs_frame *f, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_need *need)
{
	*need = (struct hs_need){ .min_height = 40 };
	need->left = side_width(c, &f->y, frame.h);
	need->right = side_width(c, &f->right, frame.h);
	need->top = need->bottom = above_box(f, c, frame.h);
	if (f->x.scale) {
		double h = 0;
		if (!f->x.no_ticks) {
			struct hs_ticks t;
			hs_frame_ticks(c, f->x.scale, frame.w, true, &t);
			for (size_t i = 0; i < t.n; i++) {
				const double at = hs_scale_at(f->x.scale, t.value[i]) * frame.w;
				const double half = hs_canvas_text_width(c, HS_FONT_TICK, t.text[i]) / 2 + 1;
				need->left = fmax(need->left, half - at);
				need->right = fmax(need->right, half - (frame.w - at));
			}
			h = TICK + TICK_GAP + hs_line_px(c, HS_FONT_TICK);
		}
		char *lines;
		const size_t n = side_label(c, &f->x, frame.w, &lines);
		free(lines);
		need->bottom = fmax(need->bottom, h + (n ? LABEL_GAP / 2 + (double)n * hs_line_px(c, HS_FONT_LABEL) : 0));
	}
	if (f->title && *f->title) {
		char *lines;
		const size_t n = hs_canvas_wrap(c, HS_FONT_TITLE, f->title, title_width(cell, frame), TITLE_LINES, &lines);
		free(lines);
		need->top = fmax(need->top + 1, TITLE_GAP) + (double)n * hs_line_px(c, HS_FONT_TITLE);
	}
}

static void draw_x(const struct hs_frame *f, struct hs_canvas *c, struct hs_rect r)
{
	const struct hs_pen pen = { hs_dark_grey, 1, 0 };
	double y = r.y + r.h;
	if (!f->x.no_ticks) {
		struct hs_ticks t;
		hs_frame_ticks(c, f->x.scale, r.w, true, &t);
		for (size_t i = 0; i < t.n; i++) {
			const double x = r.x + hs_scale_at(f->x.scale, t.value[i]) * r.w;
			hs_canvas_line(c, pen, x, y, x, y + TICK);
			hs_canvas_text(c, HS_FONT_TICK, HS_UPRIGHT, hs_black, x, y + TICK + TICK_GAP, 0.5, 0, t.text[i]);
		}
		y += TICK + TICK_GAP + hs_line_px(c, HS_FONT_TICK);
	}
	char *lines;
	side_label(c, &f->x, r.w, &lines);
	hs_canvas_lines(c, HS_FONT_LABEL, hs_black, r.x + r.w / 2, y + LABEL_GAP / 2, 0.5, lines);
	free(lines);
}

static void draw_minor(const struct hs_scale *s, struct hs_canvas *c, double x, double to, struct hs_rect r)
{
	if (!s->log || log10(s->hi) - log10(s->lo) > 7)
		return;
	for (double decade = fmax(pow(10, floor(log10(s->lo))), 1e-323); decade < s->hi; decade *= 10)      /* never 0 */
		for (int m = 2; m < 10; m++) {
			const double at = hs_scale_at(s, m * decade);
			if (at >= 0 && at <= 1)
				hs_canvas_line(c, (struct hs_pen){ hs_dark_grey, 0.7, 0 }, x, r.y + (1 - at) * r.h, x + to / 2, r.y + (1 - at) * r.h);
		}
}

static void draw_y(const struct hs_side *side, bool y_down, bool right, struct hs_canvas *c, struct hs_rect r)
{
	const struct hs_pen pen = { hs_dark_grey, 1, 0 };
	const double out = right ? 1 : -1;
	double x = right ? r.x + r.w : r.x;
	if (!side->no_ticks) {
		struct hs_ticks t;
		hs_frame_ticks(c, side->scale, r.h, false, &t);
		draw_minor(side->scale, c, x, out * TICK, r);
		for (size_t i = 0; i < t.n; i++) {
			const double at = hs_scale_at(side->scale, t.value[i]), y = r.y + (y_down ? at : 1 - at) * r.h;
			hs_canvas_line(c, pen, x, y, x + out * TICK, y);
			hs_canvas_text(c, HS_FONT_TICK, HS_UPRIGHT, hs_black, x + out * (TICK + TICK_GAP), y, right ? 0 : 1, 0.5, t.text[i]);
		}
		x += out * (TICK + TICK_GAP + widest(c, &t));
	}
	char *lines;
	const size_t n = side_label(c, side, side_length(c, r.h), &lines);
	/* turned text reads upward: its first line is the leftmost */
	x = right ? x + LABEL_GAP : x - LABEL_GAP - (double)n * hs_line_px(c, HS_FONT_LABEL);
	for (char *p = lines, *next; *p; p = next, x += hs_line_px(c, HS_FONT_LABEL)) {
		next = p + strcspn(p, "\n");
		if (*next)
			*next++ = 0;
		hs_canvas_text(c, HS_FONT_LABEL, HS_TURNED, hs_black, x, r.y + r.h / 2, 0.5, 0, p);
	}
	free(lines);
}

void hs_frame_draw(const struct hs_frame *f, struct hs_canvas *c, struct hs_rect cell, struct hs_rect r)
{
	hs_canvas_rect(c, (struct hs_pen){ hs_dark_grey, 1, 0 }, r);
	if (f->x.scale)
		draw_x(f, c, r);
	if (f->y.scale)
		draw_y(&f->y, f->y_down, false, c, r);
	if (f->right.scale)
		draw_y(&f->right, f->y_down, true, c, r);
	if (f->title && *f->title) {
		char *lines;
		const size_t n = hs_canvas_wrap(c, HS_FONT_TITLE, f->title, title_width(cell, r), TITLE_LINES, &lines);
		const double gap = fmax(above_box(f, c, r.h) + 1, TITLE_GAP);
		hs_canvas_lines(c, HS_FONT_TITLE, hs_black, r.x + r.w / 2, r.y - gap - (double)n * hs_line_px(c, HS_FONT_TITLE), 0.5, lines);
		free(lines);
	}
}

/* ---- legend ---- */

#define KEY_W 20.0
#define KEY_GAP 6.0
#define NOTE_GAP 10.0
#define COLUMN_GAP 14.0
#define LEAST_COLUMN 70.0
#define ONE_COLUMN 0.75           /* of the width given, at most, for a single column */

struct legend {
	size_t rows, cols, shown;
	double row_h, col_w, note_w;
	char more[48];                /* stands in the last place when entries are left out */
};

static struct legend plan_legend(struct hs_canvas *c, size_t n, const struct hs_entry *entry, double w, double h)
{
	struct legend l = { .row_h = hs_line_px(c, HS_FONT_TICK) + 2 };
	double name_w = 0;
	for (size_t i = 0; i < n; i++) {
		name_w = fmax(name_w, hs_canvas_text_width(c, HS_FONT_TICK, entry[i].name));
		if (entry[i].note)
			l.note_w = fmax(l.note_w, NOTE_GAP + hs_canvas_text_width(c, HS_FONT_TICK, entry[i].note));
	}
	const double most_rows = fmax(1, floor((h + 0.01) / l.row_h));
	const double most_cols = fmax(1, floor((w + COLUMN_GAP) / (LEAST_COLUMN + l.note_w + COLUMN_GAP)));
	const double cols = fmin(most_cols, fmax(1, ceil((double)n / most_rows)));
	l.cols = (size_t)cols;
	l.shown = (double)n > most_rows * cols ? (size_t)(most_rows * cols) : n;
	l.rows = (l.shown + l.cols - 1) / l.cols;
	if (l.shown < n)
		snprintf(l.more, sizeof l.more, "… and %zu more", n - l.shown + 1);
	name_w = fmax(name_w, l.shown < n ? hs_canvas_text_width(c, HS_FONT_TICK, l.more) : 0);
	l.col_w = fmin(KEY_W + KEY_GAP + name_w + l.note_w + 1, cols > 1 ? (w - (cols - 1) * COLUMN_GAP) / cols : ONE_COLUMN * w);
	return l;
}

void hs_legend_need(struct hs_canvas *c, size_t n, const struct hs_entry *entry, double w, double h, double *need_w,
	double *need_h)
{
	*need_w = *need_h = 0;
	if (!n)
		return;
	const struct legend l = plan_legend(c, n, entry, w, h);
	*need_w = (double)l.cols * (l.col_w + COLUMN_GAP) - COLUMN_GAP;
	*need_h = (double)l.rows * l.row_h;
}

static void draw_key(struct hs_canvas *c, const struct hs_entry *e, double x, double y, double h)
{
	const struct hs_rect box = hs_canvas_snap(c, (struct hs_rect){ x + 4, y - h * 0.32, KEY_W - 8, h * 0.64 });
	switch (e->key) {
	case HS_KEY_LINE:
	case HS_KEY_DASH:
	case HS_KEY_LINE_DOT:
		hs_canvas_line(c, (struct hs_pen){ e->colour, 2, e->key == HS_KEY_DASH ? 4 : 0 }, x, y, x + KEY_W, y);
		if (e->key != HS_KEY_LINE_DOT)
			break;
		/* fall through */
	case HS_KEY_DOT:
		hs_canvas_dot(c, e->colour, x + KEY_W / 2, y, 3);
		break;
	case HS_KEY_BOX:
		hs_canvas_fill(c, e->colour, box);
		hs_canvas_rect(c, (struct hs_pen){ hs_mid_grey, 0.7, 0 }, box);
		break;
	case HS_KEY_HATCH:
		hs_canvas_fill(c, e->colour, box);
		hs_canvas_clip(c, box);
		for (double d = 0; d < box.w + box.h; d += 4)
			hs_canvas_line(c, (struct hs_pen){ hs_mid_grey, 1, 0 }, box.x + d, box.y, box.x + d - box.h, box.y + box.h);
		hs_canvas_unclip(c);
		hs_canvas_rect(c, (struct hs_pen){ hs_mid_grey, 0.7, 0 }, box);
		break;
	}
}

void hs_legend_draw(struct hs_canvas *c, size_t n, const struct hs_entry *entry, struct hs_rect room)
{
	if (!n)
		return;
	const struct legend l = plan_legend(c, n, entry, room.w, room.h);
	for (size_t i = 0; i < l.shown; i++) {
		const double x = room.x + (double)(i / l.rows) * (l.col_w + COLUMN_GAP), y = room.y + ((double)(i % l.rows) + 0.5) * l.row_h;
		const bool rest = l.shown < n && i + 1 == l.shown;
		const double text_w = l.col_w - KEY_W - KEY_GAP - (rest ? 0 : l.note_w);
		char *name = hs_canvas_fit(c, HS_FONT_TICK, rest ? l.more : entry[i].name, text_w);
		if (!rest)
			draw_key(c, &entry[i], x, y, l.row_h);
		hs_canvas_text(c, HS_FONT_TICK, HS_UPRIGHT, hs_black, x + KEY_W + KEY_GAP, y, 0, 0.5, name);
		if (!rest && entry[i].note)
			hs_canvas_text(c, HS_FONT_TICK, HS_UPRIGHT, hs_black, x + l.col_w, y, 1, 0.5, entry[i].note);
		free(name);
	}
}
