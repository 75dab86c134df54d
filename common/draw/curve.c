#include "draw/curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LEGEND_GAP 12.0
#define LEGEND_SHARE 0.45         /* of the cell's width, at most */
#define FAR 4000.0                /* px outside the box where lines are cut: cairo's coordinates are limited */
#define MARK_ROWS 4
#define COLUMNS_PER_PX 2.0

struct state {
	struct hs_curves c;
	struct hs_scale x, y;
	struct hs_palette palette;
	double step;                  /* between stacked curves, in the drawn quantity */
	bool log_first;               /* stacked and logarithmic: log10 is taken before stacking */
	bool empty;
	size_t n_entries;
	struct hs_entry *entry;
	char *y_name;
};

static double x_of(const struct hs_curve *u, size_t k)
{
	return u->x ? u->x[k] : (double)k + 1;
}

/* What is drawn for value y of curve i; NaN for a gap. */
static double lifted(const struct state *s, size_t i, double y)
{
	if (!isfinite(y) || (s->c.log_y && y <= 0))
		return NAN;
	return (s->log_first ? log10(y) : y) + (double)i * s->step;
}

static struct hs_rgba colour_of(const struct state *s, size_t i)
{
	return s->c.curve[i].has_colour ? s->c.curve[i].colour : hs_palette_at(&s->palette, i);
}

static bool has_dots(const struct hs_curve *u)
{
	return u->stroke == HS_STROKE_DOT || u->stroke == HS_STROKE_LINE_DOT;
}

/* ---- ranges ---- */

struct range {
	double lo, hi;
};

static void take_in(struct range *r, double v)
{
	if (isfinite(v)) {
		r->lo = fmin(r->lo, v);
		r->hi = fmax(r->hi, v);
	}
}

static struct range y_range(const struct state *s, size_t i, double x_lo, double x_hi)
{
	const struct hs_curve *u = &s->c.curve[i];
	struct range r = { INFINITY, -INFINITY };
	for (size_t k = 0; k < u->n; k++) {
		const double x = x_of(u, k);
		if (!(x >= x_lo && x <= x_hi) || isnan(lifted(s, i, u->y[k])))
			continue;
		take_in(&r, lifted(s, i, u->y[k]));
		if (u->sigma && isfinite(u->sigma[k])) {
			take_in(&r, lifted(s, i, u->y[k] + u->sigma[k]));
			if (!s->c.log_y)              /* on a log axis a band may end below the picture */
				take_in(&r, lifted(s, i, u->y[k] - u->sigma[k]));
		}
	}
	return r;
}

static void widen(struct range *r, double part, bool log_scale)
{
	if (log_scale) {
		const double f = pow(10, part * (log10(r->hi) - log10(r->lo)));
		r->lo = fmax(r->lo / f, 5e-324);
		r->hi *= f;
	} else {
		const double d = part * (r->hi / 2 - r->lo / 2) * 2;
		r->lo -= d;
		r->hi += d;
	}
}

static void set_scales(struct state *s)
{
	const struct hs_curves *c = &s->c;
	struct range x = { INFINITY, -INFINITY }, y = { INFINITY, -INFINITY };
	bool dots = false;
	for (size_t i = 0; i < c->n_curves; i++) {
		dots |= has_dots(&c->curve[i]);
		for (size_t k = 0; k < c->curve[i].n; k++)
			if (!isnan(lifted(s, i, c->curve[i].y[k])))
				take_in(&x, x_of(&c->curve[i], k));
	}
	s->empty = !(x.lo <= x.hi);
	if (s->empty)
		x = (struct range){ 0, 1 };
	else if (dots)
		widen(&x, 0.03, false);
	if (c->has_x_limits)
		x = (struct range){ c->x_lo, c->x_hi };
	hs_scale_init(&s->x, x.lo, x.hi, c->x_unit, false);
	s->x.integer = c->integer_x;
	if (c->stacked) {
		for (size_t i = 0; i < c->n_curves; i++) {
			const struct range r = y_range(s, i, s->x.lo, s->x.hi);
			s->step = r.hi > r.lo ? fmax(s->step, 1.04 * (r.hi - r.lo)) : s->step;
		}
		s->step = isfinite(s->step) ? s->step : 0;
	}
	for (size_t i = 0; i < c->n_curves; i++) {
		const struct range r = y_range(s, i, s->x.lo, s->x.hi);
		take_in(&y, r.lo);
		take_in(&y, r.hi);
	}
	const bool log_scale = c->log_y && !c->stacked;
	if (!(y.lo <= y.hi))
		y = (struct range){ log_scale ? 0.1 : 0, 1 };
	if (c->zero_line && !c->log_y) {
		take_in(&y, 0);
	}
	widen(&y, 0.04, log_scale);
	if (c->has_y_limits)
		y = (struct range){ c->y_lo, c->y_hi };
	hs_scale_init(&s->y, y.lo, y.hi, c->stacked ? NULL : c->y_unit, log_scale);
}

/* ---- layout ---- */

static struct hs_frame box_frame(const struct state *s)
{
	return (struct hs_frame){ .title = s->c.title, .x = { .scale = &s->x, .name = s->c.x_name },
		.y = { .scale = &s->y, .name = s->y_name, .no_ticks = s->c.stacked } };
}

static void curves_need(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_need *need)
{
	const struct state *s = self;
	const struct hs_frame f = box_frame(s);
	hs_frame_need(&f, c, cell, frame, need);
	need->min_height = 120;
	if (s->c.equal_aspect)
		need->aspect = fmin(3, fmax(1.0 / 3, (s->y.hi / 2 - s->y.lo / 2) / (s->x.hi / 2 - s->x.lo / 2)));
	if (s->n_entries) {
		double w, h;
		hs_legend_need(c, s->n_entries, s->entry, LEGEND_SHARE * cell.w, frame.h, &w, &h);
		need->right = fmax(need->right, LEGEND_GAP + w);
	}
}

/* ---- drawing ---- */

static double limited(double v, double from, double size)
{
	return fmin(from + size + FAR, fmax(from - FAR, v));
}

struct track {
	const struct state *s;
	const struct hs_curve *u;
	size_t i;
	struct hs_rect frame;
	double *px, *py;              /* of one unbroken stretch, n_px points */
	size_t n_px;
};

static double place_x(const struct track *t, size_t k)
{
	const double x = x_of(t->u, k);
	return isfinite(x) ? limited(t->frame.x + hs_scale_at(&t->s->x, x) * t->frame.w, t->frame.x, t->frame.w) : NAN;
}

static double place_y(const struct track *t, double y)
{
	const double v = lifted(t->s, t->i, y);
	return isnan(v) ? NAN : limited(t->frame.y + (1 - hs_scale_at(&t->s->y, v)) * t->frame.h, t->frame.y, t->frame.h);
}

static bool sorted(const struct hs_curve *u)
{
	if (!u->x || u->n < 2)
		return true;
	const bool up = u->x[u->n - 1] >= u->x[0];
	for (size_t k = 1; k < u->n; k++)
		if (!(up ? u->x[k] >= u->x[k - 1] : u->x[k] <= u->x[k - 1]))
			return false;
	return true;
}

static void add_point(struct track *t, double x, double y)
{
	t->px[t->n_px] = x;
	t->py[t->n_px++] = y;
}

/* The points k0 .. k1-1, all in one column of pixels: first, least, greatest and last, in their order. */
static void add_column(struct track *t, size_t k0, size_t k1)
{
	size_t keep[4] = { k0, k0, k0, k1 - 1 };
	for (size_t k = k0; k < k1; k++) {
		if (t->u->y[k] < t->u->y[keep[1]])
			keep[1] = k;
		if (t->u->y[k] > t->u->y[keep[2]])
			keep[2] = k;
	}
	if (keep[1] > keep[2]) {
		const size_t swap = keep[1];
		keep[1] = keep[2];
		keep[2] = swap;
	}
	for (int q = 0; q < 4; q++)
		if (!q || keep[q] > keep[q - 1])
			add_point(t, place_x(t, keep[q]), place_y(t, t->u->y[keep[q]]));
}

static void flush_line(struct hs_canvas *c, struct track *t, struct hs_pen pen)
{
	if (t->n_px == 1)                     /* a point between two gaps is still a point */
		hs_canvas_dot(c, pen.colour, t->px[0], t->py[0], pen.width);
	else if (t->n_px)
		hs_canvas_path(c, pen, t->n_px, t->px, t->py);
	t->n_px = 0;
}

static void draw_line(struct hs_canvas *c, struct track *t, struct hs_pen pen)
{
	const bool thin_out = (double)t->u->n > 4 * COLUMNS_PER_PX * t->frame.w && sorted(t->u);
	for (size_t k = 0; k < t->u->n;) {
		const double x = place_x(t, k);
		if (isnan(x) || isnan(place_y(t, t->u->y[k]))) {
			flush_line(c, t, pen);
			k++;
			continue;
		}
		size_t end = k + 1;
		const double column = floor(x * COLUMNS_PER_PX);
		while (thin_out && end < t->u->n && !isnan(place_y(t, t->u->y[end])) && floor(place_x(t, end) * COLUMNS_PER_PX) == column)
			end++;
		add_column(t, k, end);
		k = end;
	}
	flush_line(c, t, pen);
}

/* The band of one stretch without gaps, k0 .. k1-1: along the upper edge and back along the lower one. */
static void fill_band(struct hs_canvas *c, struct track *t, struct hs_rgba colour, size_t k0, size_t k1, bool thin_out)
{
	const double floor_y = t->frame.y + t->frame.h + 2;
	size_t n = 0, room = k1 - k0;
	double *x = t->px, *up = t->py, *low = t->px + room;
	for (size_t k = k0, end; k < k1; k = end, n++) {
		const double column = floor(place_x(t, k) * COLUMNS_PER_PX);
		double top = INFINITY, bottom = -INFINITY;
		for (end = k; end < k1 && (end == k || (thin_out && floor(place_x(t, end) * COLUMNS_PER_PX) == column)); end++) {
			const double a = place_y(t, t->u->y[end] + t->u->sigma[end]), b = place_y(t, t->u->y[end] - t->u->sigma[end]);
			top = fmin(top, isnan(a) ? place_y(t, t->u->y[end]) : a);
			bottom = fmax(bottom, isnan(b) ? floor_y : b);
		}
		x[n] = place_x(t, k);
		up[n] = top;
		low[n] = bottom;
	}
	/* lower edge in reverse behind the upper one; px holds 2 * room + 2, py as many */
	double *bx = t->px, *by = t->py;
	double *tail = t->px + 2 * room;      /* a copy of low, because bx grows over it */
	memcpy(tail, low, n * sizeof *low);
	for (size_t k = 0; k < n; k++) {
		bx[n + k] = x[n - 1 - k];
		by[n + k] = tail[n - 1 - k];
	}
	if (n > 1)
		hs_canvas_area(c, (struct hs_rgba){ colour.r, colour.g, colour.b, 56 }, 2 * n, bx, by);
	else if (n == 1)
		hs_canvas_line(c, (struct hs_pen){ { colour.r, colour.g, colour.b, 90 }, 2, 0 }, x[0], up[0], x[0], tail[0]);
}

static void draw_band(struct hs_canvas *c, struct track *t, struct hs_rgba colour)
{
	const bool thin_out = (double)t->u->n > 4 * COLUMNS_PER_PX * t->frame.w && sorted(t->u);
	size_t start = 0;
	for (size_t k = 0; k <= t->u->n; k++) {
		if (k < t->u->n && !isnan(place_x(t, k)) && !isnan(place_y(t, t->u->y[k])) && isfinite(t->u->sigma[k]) && t->u->sigma[k] >= 0)
			continue;
		if (k > start)
			fill_band(c, t, colour, start, k, thin_out);
		start = k + 1;
	}
}

static int draw_curve(const struct state *s, size_t i, struct hs_canvas *c, struct hs_rect frame, struct hs_err *err)
{
	const struct hs_curve *u = &s->c.curve[i];
	size_t room;
	if (!hs_mul(u->n, 3, &room))
		return hs_fail(err, HS_BAD_DATA, "a curve of %zu points is too long", u->n);
	double *px = hs_alloc(room, sizeof *px, err), *py = px ? hs_alloc(room, sizeof *py, err) : NULL;
	if (!py) {
		free(px);
		return -1;
	}
	struct track t = { .s = s, .u = u, .i = i, .frame = frame, .px = px, .py = py };
	const struct hs_rgba colour = colour_of(s, i);
	if (u->sigma)
		draw_band(c, &t, colour);
	if (u->stroke != HS_STROKE_DOT)
		draw_line(c, &t, (struct hs_pen){ colour, s->c.n_curves > 8 ? 1.2 : 1.5, u->stroke == HS_STROKE_DASH ? 4 : 0 });
	const double radius = u->n > 2000 ? 1.2 : u->n > 200 ? 2 : 3;
	for (size_t k = 0; k < u->n && has_dots(u); k++) {
		const double x = place_x(&t, k), y = place_y(&t, u->y[k]);
		if (!isnan(x) && !isnan(y))
			hs_canvas_dot(c, colour, x, y, radius);
	}
	free(px);
	free(py);
	return 0;
}

static void draw_level(const struct state *s, struct hs_canvas *c, struct hs_rect frame, double v)
{
	const double y = frame.y + (1 - hs_scale_at(&s->y, v)) * frame.h;
	if (y > frame.y && y < frame.y + frame.h)
		hs_canvas_line(c, (struct hs_pen){ hs_mid_grey, 0.8, 0 }, frame.x, y, frame.x + frame.w, y);
}

/* Names stand at the top of their lines, in the first row where there is room; a name without room is left out. */
static void draw_marks(const struct state *s, struct hs_canvas *c, struct hs_rect frame)
{
	double taken[MARK_ROWS][2];
	for (int r = 0; r < MARK_ROWS; r++) {
		taken[r][0] = INFINITY;
		taken[r][1] = -INFINITY;
	}
	for (size_t m = 0; m < s->c.n_marks; m++) {
		const double at = hs_scale_at(&s->x, s->c.mark[m]), x = frame.x + at * frame.w;
		if (!(at >= 0 && at <= 1))
			continue;
		hs_canvas_line(c, (struct hs_pen){ hs_dark_grey, 1, 3 }, x, frame.y, x, frame.y + frame.h);
		const char *name = s->c.mark_name ? s->c.mark_name[m] : NULL;
		if (!name)
			continue;
		const double w = hs_canvas_text_width(c, HS_FONT_TICK, name) + 4, line = hs_line_px(c, HS_FONT_TICK);
		const double left = x + 3 + w > frame.x + frame.w ? x - 3 - w : x + 3;
		for (int r = 0; r < MARK_ROWS; r++) {
			if (left < taken[r][1] && left + w > taken[r][0])
				continue;
			const double top = frame.y + 3 + r * line;
			hs_canvas_fill(c, (struct hs_rgba){ 255, 255, 255, 200 }, (struct hs_rect){ left, top, w, line });
			hs_canvas_text(c, HS_FONT_TICK, HS_UPRIGHT, hs_black, left + 2, top + line / 2, 0, 0.5, name);
			taken[r][0] = fmin(taken[r][0], left);
			taken[r][1] = fmax(taken[r][1], left + w);
			break;
		}
	}
}

static int curves_draw(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_err *err)
{
	const struct state *s = self;
	int rc = 0;
	hs_canvas_clip(c, frame);
	if (s->c.zero_line && !s->c.log_y)
		for (size_t i = 0; i < (s->c.stacked ? s->c.n_curves : 1); i++)
			draw_level(s, c, frame, (double)i * s->step);
	for (size_t i = 0; i < s->c.n_curves && rc == 0; i++)
		rc = draw_curve(s, i, c, frame, err);
	draw_marks(s, c, frame);
	hs_canvas_unclip(c);
	if (s->empty)
		hs_canvas_text(c, HS_FONT_LABEL, HS_UPRIGHT, hs_mid_grey, frame.x + frame.w / 2, frame.y + frame.h / 2, 0.5, 0.5, "no values");
	const struct hs_frame f = box_frame(s);
	hs_frame_draw(&f, c, cell, frame);
	hs_legend_draw(c, s->n_entries, s->entry, (struct hs_rect){ frame.x + frame.w + LEGEND_GAP, frame.y,
		LEGEND_SHARE * cell.w, frame.h });
	return rc;
}

static void curves_free(void *self)
{
	struct state *s = self;
	free(s->entry);
	free(s->y_name);
	free(s);
}

static const struct hs_panel_kind curves_kind = { curves_need, curves_draw, curves_free };

static void list_curves(struct state *s)
{
	static const enum hs_key key[] = { HS_KEY_LINE, HS_KEY_DASH, HS_KEY_DOT, HS_KEY_LINE_DOT };
	const size_t n = s->c.n_curves;
	for (size_t k = 0; k < n && !s->c.no_legend; k++) {
		const size_t i = s->c.stacked ? n - 1 - k : k;        /* as they lie on the picture */
		const struct hs_curve *u = &s->c.curve[i];
		if (u->name)
			s->entry[s->n_entries++] = (struct hs_entry){ .name = u->name, .colour = colour_of(s, i), .key = key[u->stroke] };
	}
}

int hs_curves_panel(const struct hs_curves *curves, struct hs_panel *panel, struct hs_err *err)
{
	if (curves->has_x_limits && !(curves->x_lo < curves->x_hi))
		return hs_fail(err, HS_USAGE, "the limits %g and %g of x are not in ascending order", curves->x_lo, curves->x_hi);
	if (curves->has_y_limits && !(curves->y_lo < curves->y_hi && (!curves->log_y || curves->y_lo > 0)))
		return hs_fail(err, HS_USAGE, "the limits %g and %g of y are not in ascending order%s", curves->y_lo, curves->y_hi,
			curves->log_y ? " and above zero" : "");
	struct hs_entry *entry = hs_alloc(curves->n_curves, sizeof *entry, err);
	if (!entry)
		return -1;
	struct state *s = hs_must_alloc(1, sizeof *s);
	s->c = *curves;
	s->entry = entry;
	s->log_first = curves->stacked && curves->log_y;
	s->y_name = curves->stacked && curves->y_name && *curves->y_name
	            ? hs_must_printf("%s%s (shifted)", s->log_first ? "log " : "", curves->y_name) : hs_must_dup(curves->y_name);
	hs_palette_init(&s->palette);
	set_scales(s);
	list_curves(s);
	*panel = (struct hs_panel){ &curves_kind, s };
	return 0;
}
