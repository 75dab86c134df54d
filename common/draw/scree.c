#include "draw/scree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define LEGEND_GAP 12.0
#define LEGEND_SHARE 0.45

enum { MOST_OPINIONS = 8 };

static const struct hs_rgba ratio_colour = { 36, 92, 160, 255 }, sum_colour = { 196, 98, 16, 255 };

struct state {
	struct hs_scree d;
	struct hs_scale x, y, percent;
	bool empty;
	size_t n_entries;
	struct hs_entry entry[2 + MOST_OPINIONS];
	char note[MOST_OPINIONS][16];
};

static struct hs_frame box_frame(const struct state *s)
{
	struct hs_frame f = { .title = s->d.title, .x = { .scale = &s->x, .name = "component" },
		.y = { .scale = &s->y, .name = "explained variance ratio" } };
	if (s->d.cumulative)
		f.right = (struct hs_side){ .scale = &s->percent, .name = "running sum" };
	return f;
}

static double right_axis(const struct state *s, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame)
{
	struct hs_need need;
	const struct hs_frame f = box_frame(s);
	hs_frame_need(&f, c, cell, frame, &need);
	return need.right;
}

static void scree_need(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_need *need)
{
	const struct state *s = self;
	const struct hs_frame f = box_frame(s);
	hs_frame_need(&f, c, cell, frame, need);
	need->min_height = 120;
	if (s->n_entries) {
		double w, h;
		hs_legend_need(c, s->n_entries, s->entry, LEGEND_SHARE * cell.w, frame.h, &w, &h);
		need->right += LEGEND_GAP + w;
	}
}

static double x_at(const struct state *s, struct hs_rect frame, double component)
{
	return frame.x + hs_scale_at(&s->x, component) * frame.w;
}

static void draw_sum(const struct state *s, struct hs_canvas *c, struct hs_rect frame)
{
	double sum = 0, last_x = 0, last_y = 0;
	for (size_t i = 0; i < s->d.n; i++) {
		sum += s->d.ratio[i] > 0 && isfinite(s->d.ratio[i]) ? 100 * s->d.ratio[i] : 0;
		const double x = x_at(s, frame, (double)i + 1), y = frame.y + (1 - fmin(2, hs_scale_at(&s->percent, sum))) * frame.h;
		if (i)
			hs_canvas_line(c, (struct hs_pen){ sum_colour, 1.4, 4 }, last_x, last_y, x, y);
		else if (s->d.n == 1)
			hs_canvas_dot(c, sum_colour, x, y, 2);
		last_x = x;
		last_y = y;
	}
}

static void draw_ratio(const struct state *s, struct hs_canvas *c, struct hs_rect frame)
{
	const double radius = s->d.n > 200 ? 1.2 : s->d.n > 60 ? 2 : 3.5;
	for (int pass = 0; pass < 2; pass++) {                    /* marks lie over lines */
		double last_x = NAN, last_y = NAN;
		for (size_t i = 0; i < s->d.n; i++) {
			const double at = hs_scale_at(&s->y, s->d.ratio[i]), x = x_at(s, frame, (double)i + 1), y = frame.y + (1 - at) * frame.h;
			const bool good = isfinite(y);
			if (good && !pass && !isnan(last_y))
				hs_canvas_line(c, (struct hs_pen){ ratio_colour, 1.2, 0 }, last_x, last_y, x, y);
			if (good && pass) {
				hs_canvas_dot(c, ratio_colour, x, y, radius);
				if (s->d.chosen && i >= s->d.chosen && radius > 2)
					hs_canvas_dot(c, hs_white, x, y, radius - 1.3);
			}
			last_x = x;
			last_y = good ? y : NAN;
		}
	}
}

static void draw_choice(const struct state *s, struct hs_canvas *c, struct hs_rect frame)
{
	if (!s->d.chosen || s->d.chosen > s->d.n)
		return;
	const double x = x_at(s, frame, (double)s->d.chosen + 0.5);
	hs_canvas_line(c, (struct hs_pen){ hs_dark_grey, 1, 4 }, x, frame.y, x, frame.y + frame.h);
	char text[32];
	snprintf(text, sizeof text, "k = %zu", s->d.chosen);
	const double w = hs_canvas_text_width(c, HS_FONT_LABEL, text), line = hs_line_px(c, HS_FONT_LABEL);
	const bool left = x + 6 + w > frame.x + frame.w;
	/* at the foot of the line: the curve starts high on the left, the sum ends high on the right */
	const struct hs_rect plate = { left ? x - 8 - w : x + 4, frame.y + frame.h - line - 6, w + 4, line };
	hs_canvas_fill(c, (struct hs_rgba){ 255, 255, 255, 210 }, plate);
	hs_canvas_text(c, HS_FONT_LABEL, HS_UPRIGHT, hs_black, plate.x + 2, plate.y + line / 2, 0, 0.5, text);
}

static int scree_draw(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_err *err)
{
	(void)err;
	const struct state *s = self;
	hs_canvas_clip(c, frame);
	if (s->d.cumulative)
		draw_sum(s, c, frame);
	draw_ratio(s, c, frame);
	draw_choice(s, c, frame);
	hs_canvas_unclip(c);
	if (s->empty)
		hs_canvas_text(c, HS_FONT_LABEL, HS_UPRIGHT, hs_mid_grey, frame.x + frame.w / 2, frame.y + frame.h / 2, 0.5, 0.5, "no values");
	const struct hs_frame f = box_frame(s);
	hs_frame_draw(&f, c, cell, frame);
	if (s->n_entries) {
		const double x = frame.x + frame.w + right_axis(s, c, cell, frame) + LEGEND_GAP;
		hs_legend_draw(c, s->n_entries, s->entry, (struct hs_rect){ x, frame.y, LEGEND_SHARE * cell.w, frame.h });
	}
	return 0;
}

static const struct hs_panel_kind scree_kind = { scree_need, scree_draw, free };

int hs_scree_panel(const struct hs_scree *scree, struct hs_panel *panel, struct hs_err *err)
{
	(void)err;
	struct state *s = hs_must_alloc(1, sizeof *s);
	double lo = INFINITY, hi = 0;
	s->d = *scree;
	for (size_t i = 0; i < scree->n; i++)
		if (scree->ratio[i] > 0 && isfinite(scree->ratio[i])) {
			lo = fmin(lo, scree->ratio[i]);
			hi = fmax(hi, scree->ratio[i]);
		}
	s->empty = !(hi > 0);
	hs_scale_init(&s->x, 0.5, (double)(scree->n ? scree->n : 1) + 0.5, NULL, false);
	s->x.integer = true;
	hs_scale_init(&s->y, s->empty ? 1e-3 : lo / 1.6, s->empty ? 1 : hi * 1.6, NULL, true);
	hs_scale_init(&s->percent, 0, 104, "%", false);
	if (scree->cumulative) {
		s->n_entries = 2;
		s->entry[0] = (struct hs_entry){ .name = "ratio", .colour = ratio_colour, .key = HS_KEY_LINE_DOT };
		s->entry[1] = (struct hs_entry){ .name = "running sum", .colour = sum_colour, .key = HS_KEY_DASH };
	}
	for (size_t i = 0; i < scree->n_opinions && i < MOST_OPINIONS; i++) {
		snprintf(s->note[i], sizeof s->note[i], "%.6g", scree->opinion[i]);
		s->entry[s->n_entries++] = (struct hs_entry){ .name = scree->opinion_name[i], .note = s->note[i], .colour = hs_white,
			.key = HS_KEY_LINE };         /* no key: it is a number, not a curve */
	}
	*panel = (struct hs_panel){ &scree_kind, s };
	return 0;
}
