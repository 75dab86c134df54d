#include "draw/map.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"

#define BAR_GAP 10.0
#define BAR_W 12.0
#define POINT_H 8.0               /* of the colour bar's triangles */
#define LONGEST_ASPECT 6.0

struct state {
	struct hs_map m;
	struct hs_colormap colours;
	struct hs_scale x, y, v;
	bool below, above, missing, empty;
	double aspect;
};

/* ---- geometry of axes ---- */

void hs_axis_edges(const struct hs_axis *a, double single_step, double *edge)
{
	const double *v = a->value;
	if (a->n == 1) {
		edge[0] = v[0] - single_step / 2;
		edge[1] = v[0] + single_step / 2;
		return;
	}
	for (size_t i = 1; i < a->n; i++)
		edge[i] = v[i - 1] / 2 + v[i] / 2;
	edge[0] = fmin(DBL_MAX, fmax(-DBL_MAX, v[0] - (edge[1] - v[0])));
	edge[a->n] = fmin(DBL_MAX, fmax(-DBL_MAX, v[a->n - 1] + (v[a->n - 1] - edge[a->n - 1])));
}

int hs_axis_sample(const struct hs_axis *a, size_t n_out, bool descending, size_t *index, struct hs_err *err)
{
	double *edge = hs_alloc(a->n + 1, sizeof *edge, err);
	if (!edge)
		return -1;
	hs_axis_edges(a, 1, edge);
	const bool flip = hs_axis_descends(a) != descending;      /* run through the cells from the last */
	const double from = flip ? edge[a->n] : edge[0], to = flip ? edge[0] : edge[a->n];
	size_t cell = 0;                                          /* counted in the direction of travel */
	for (size_t k = 0; k < n_out; k++) {
		const double t = ((double)k + 0.5) / (double)n_out, v = from * (1 - t) + to * t;
		while (cell + 1 < a->n) {
			const double next = flip ? edge[a->n - 1 - cell] : edge[cell + 1];
			if (from < to ? v < next : v > next)
				break;
			cell++;
		}
		index[k] = flip ? a->n - 1 - cell : cell;
	}
	free(edge);
	return 0;
}

static bool same_measure(const struct hs_axis *x, const struct hs_axis *y)
{
	return x->kind == y->kind && hs_unit_factor(y->units, x->units) > 0;
}

/* First and last edge in ascending order. */
static int span(const struct hs_axis *a, double single_step, double out[2], struct hs_err *err)
{
	if (!a->n || !hs_axis_is_monotonic(a))
		return hs_fail(err, HS_BAD_DATA, "the values of axis '%s' do not only rise or only fall", a->name);
	double *edge = hs_alloc(a->n + 1, sizeof *edge, err);
	if (!edge)
		return -1;
	hs_axis_edges(a, single_step, edge);
	out[0] = fmin(edge[0], edge[a->n]);
	out[1] = fmax(edge[0], edge[a->n]);
	free(edge);
	return 0;
}

/* Width of the only cell of a: that of the other axis where both measure the same thing. */
static double lone_step(const struct hs_axis *a, const struct hs_axis *other)
{
	if (a->n > 1 || other->n == 1 || !same_measure(a, other))
		return 1;
	return fabs(hs_axis_step(other)) * hs_unit_factor(other->units, a->units);
}

int hs_map_scales(const struct hs_axis *x, const struct hs_axis *y, struct hs_scale *sx, struct hs_scale *sy, struct hs_err *err)
{
	double rx[2], ry[2];
	if (span(x, lone_step(x, y), rx, err) < 0 || span(y, lone_step(y, x), ry, err) < 0)
		return -1;
	hs_scale_init(sx, rx[0], rx[1], x->units, false);
	hs_scale_init(sy, ry[0], ry[1], y->units, false);
	sx->integer = x->integer;
	sy->integer = y->integer;
	return 0;
}

double hs_map_aspect(const struct hs_axis *x, const struct hs_axis *y)
{
	struct hs_err err = { 0 };
	struct hs_scale sx, sy;
	if (!same_measure(x, y) || hs_map_scales(x, y, &sx, &sy, &err) < 0)
		return 0;
	const double ratio = (sy.hi / 2 - sy.lo / 2) / (sx.hi / 2 - sx.lo / 2) * hs_unit_factor(y->units, x->units);
	return isfinite(ratio) ? fmin(LONGEST_ASPECT, fmax(1 / LONGEST_ASPECT, ratio)) : 0;
}

/* ---- things drawn on an image ---- */

uint32_t hs_hatch_pixel(size_t i, size_t j, double per_px)
{
	const size_t period = (size_t)fmax(4, round(6 * per_px)), width = (size_t)fmax(1, round(1.2 * per_px));
	return (i + j) % period < width ? 0xff8c8c8cu : 0xffd9d9d9u;
}

void hs_outline_draw(uint32_t *pixel, size_t nx, size_t ny, const size_t *ix, const size_t *iy, const int32_t *label,
	size_t label_nx)
{
	for (size_t i = 0; i < ny; i++)
		for (size_t j = 0; j < nx; j++) {
			const int32_t here = label[iy[i] * label_nx + ix[j]];
			const bool right = j + 1 < nx && label[iy[i] * label_nx + ix[j + 1]] != here;
			const bool below = i + 1 < ny && label[iy[i + 1] * label_nx + ix[j]] != here;
			const bool left = j && label[iy[i] * label_nx + ix[j - 1]] != here;
			const bool over = i && label[iy[i - 1] * label_nx + ix[j]] != here;
			if (right || below)
				pixel[i * nx + j] = 0xffffffffu;
			else if (left || over)
				pixel[i * nx + j] = 0xff000000u;
		}
}

/* Text on a pale plate, so that it reads on any image. (x, y) is the plate's upper left corner. */
static struct hs_rect plate(struct hs_canvas *c, double x, double y, double w, double h)
{
	const struct hs_rect r = { x, y, w, h };
	hs_canvas_fill(c, (struct hs_rgba){ 255, 255, 255, 205 }, r);
	return r;
}

void hs_scale_bar(struct hs_canvas *c, const struct hs_axis *x, struct hs_rect frame)
{
	struct hs_err err = { 0 };
	double range[2];
	if (x->kind != HS_AXIS_SPATIAL || !strcmp(x->units, "1") || x->n < 2 || span(x, 1, range, &err) < 0)
		return;
	const double whole = range[1] - range[0], length = hs_nice_below(0.36 * whole);
	if (!(whole > 0) || !isfinite(whole) || !(length > 0))
		return;
	char *text = hs_scale_show(length, 1, x->units);
	const double bar = length / whole * frame.w, text_w = hs_canvas_text_width(c, HS_FONT_TICK, text);
	const double line = hs_line_px(c, HS_FONT_TICK);
	const double w = fmax(bar, text_w) + 12, h = line + 10;
	if (w + 12 <= 0.8 * frame.w && h + 12 <= 0.6 * frame.h) {
		const struct hs_rect r = hs_canvas_snap(c, plate(c, frame.x + 6, frame.y + frame.h - 6 - h, w, h));
		hs_canvas_text(c, HS_FONT_TICK, HS_UPRIGHT, hs_black, r.x + w / 2, r.y + 1, 0.5, 0, text);
		hs_canvas_fill(c, hs_black, (struct hs_rect){ r.x + (w - bar) / 2, r.y + line + 2, bar, 4 });
	}
	free(text);
}

/* ---- the panel ---- */

static struct hs_rect bar_rect(const struct state *s, const struct hs_canvas *c, struct hs_rect frame)
{
	const double below = s->missing ? hs_line_px(c, HS_FONT_TICK) + 6 : 0;
	return (struct hs_rect){ frame.x + frame.w + BAR_GAP, frame.y, BAR_W, fmax(8, frame.h - below) };
}

static struct hs_frame bar_frame(const struct state *s)
{
	return (struct hs_frame){ .right = { .scale = &s->v, .name = s->m.name } };
}

static struct hs_frame box_frame(const struct state *s)
{
	struct hs_frame f = { .title = s->m.title, .y_down = s->m.y_down };
	if (!s->m.no_axes) {
		f.x = (struct hs_side){ .scale = &s->x, .name = hs_axis_what(s->m.x) };
		f.y = (struct hs_side){ .scale = &s->y, .name = hs_axis_what(s->m.y) };
	}
	return f;
}

static const struct hs_entry no_value = { .name = "no value", .colour = { 217, 217, 217, 255 }, .key = HS_KEY_HATCH };

static void map_need(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_need *need)
{
	const struct state *s = self;
	const struct hs_frame f = box_frame(s), bar = bar_frame(s);
	hs_frame_need(&f, c, cell, frame, need);
	need->aspect = s->aspect;
	need->min_height = 60;
	double right = 0;
	if (!s->m.no_colour_bar && !s->empty) {
		struct hs_need side;
		hs_frame_need(&bar, c, cell, bar_rect(s, c, frame), &side);
		right = BAR_GAP + BAR_W + side.right;
		need->bottom = fmax(need->bottom, side.bottom);
		need->top = fmax(need->top, side.top);
	}
	if (s->missing) {
		double w, h;
		hs_legend_need(c, 1, &no_value, cell.w, cell.h, &w, &h);
		right = fmax(right, BAR_GAP - 4 + w);
	}
	need->right = fmax(need->right, right);
}

static int draw_image(const struct state *s, struct hs_canvas *c, struct hs_rect frame, struct hs_err *err)
{
	const struct hs_map *m = &s->m;
	size_t nx, ny, n;
	hs_canvas_pixels(c, frame, &nx, &ny);
	if (!hs_mul(nx, ny, &n))
		return hs_fail(err, HS_SYSTEM, "an image of %zu x %zu px is too large", nx, ny);
	uint32_t *pixel = hs_alloc(n, sizeof *pixel, err);
	size_t *ix = pixel ? hs_alloc(nx + ny, sizeof *ix, err) : NULL, *iy = ix ? ix + nx : NULL;
	int rc = -1;
	if (!ix || hs_axis_sample(m->x, nx, false, ix, err) < 0 || hs_axis_sample(m->y, ny, !m->y_down, iy, err) < 0)
		goto out;
	const double per_px = (double)nx / frame.w;
	for (size_t i = 0; i < ny; i++)
		for (size_t j = 0; j < nx; j++) {
			const size_t k = iy[i] * m->x->n + ix[j];
			if (!isfinite(m->value[k]) || (m->mask && m->mask[k])) {
				pixel[i * nx + j] = hs_hatch_pixel(i, j, per_px);
				continue;
			}
			const struct hs_rgba q = hs_colormap_at(&s->colours, s->v.lo, s->v.hi, m->value[k]);
			pixel[i * nx + j] = 0xff000000u | (uint32_t)q.r << 16 | (uint32_t)q.g << 8 | q.b;
		}
	if (m->outline)
		hs_outline_draw(pixel, nx, ny, ix, iy, m->outline, m->x->n);
	rc = hs_canvas_image(c, frame, nx, ny, pixel, err);
out:
	free(ix);
	free(pixel);
	return rc;
}

static int draw_bar(const struct state *s, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_err *err)
{
	const struct hs_rect bar = hs_canvas_snap(c, bar_rect(s, c, frame));
	uint32_t pixel[HS_COLORMAP_SIZE];
	for (size_t i = 0; i < HS_COLORMAP_SIZE; i++) {
		const struct hs_rgba q = s->colours.entry[HS_COLORMAP_SIZE - 1 - i];
		pixel[i] = 0xff000000u | (uint32_t)q.r << 16 | (uint32_t)q.g << 8 | q.b;
	}
	if (hs_canvas_image(c, bar, 1, HS_COLORMAP_SIZE, pixel, err) < 0)
		return -1;
	const struct hs_frame f = bar_frame(s);
	hs_frame_draw(&f, c, cell, bar);
	/* a point where values go on beyond the limit: the corners of the bar are cut away */
	const double x0 = bar.x, x1 = bar.x + bar.w, mid = bar.x + bar.w / 2, point = fmin(POINT_H, bar.h / 3);
	const struct hs_pen pen = { hs_dark_grey, 1, 0 };
	for (int end = 0; end < 2; end++) {
		if (!(end ? s->above : s->below))
			continue;
		const double tip = end ? bar.y : bar.y + bar.h, base = end ? tip + point : tip - point, over = end ? tip - 1 : tip + 1;
		hs_canvas_area(c, hs_white, 4, (double[]){ x0 - 1, x0 - 1, mid, x0 }, (double[]){ base, over, over, base });
		hs_canvas_area(c, hs_white, 4, (double[]){ x0 - 1, mid, x0, x0 - 1 }, (double[]){ over, tip, base, base });
		hs_canvas_area(c, hs_white, 4, (double[]){ x1 + 1, x1 + 1, mid, x1 }, (double[]){ base, over, over, base });
		hs_canvas_area(c, hs_white, 4, (double[]){ x1 + 1, mid, x1, x1 + 1 }, (double[]){ over, tip, base, base });
		hs_canvas_path(c, pen, 3, (double[]){ x0, mid, x1 }, (double[]){ base, tip, base });
	}
	return 0;
}

static void draw_points(const struct state *s, struct hs_canvas *c, struct hs_rect frame)
{
	const double px = hs_font_px(c, HS_FONT_TICK), line = hs_line_px(c, HS_FONT_TICK);
	for (size_t i = 0; i < s->m.n_points; i++) {
		const struct hs_map_point *p = &s->m.point[i];
		const double ax = hs_scale_at(&s->x, p->x), ay = hs_scale_at(&s->y, p->y);
		if (!(ax >= 0 && ax <= 1 && ay >= 0 && ay <= 1))
			continue;
		const double x = frame.x + ax * frame.w, y = frame.y + (s->m.y_down ? ay : 1 - ay) * frame.h;
		double rx[33], ry[33];
		for (int k = 0; k < 33; k++) {
			rx[k] = x + 0.45 * px * cos(k * M_PI / 16);
			ry[k] = y + 0.45 * px * sin(k * M_PI / 16);
		}
		hs_canvas_path(c, (struct hs_pen){ hs_black, 3.2, 0 }, 33, rx, ry);
		hs_canvas_path(c, (struct hs_pen){ hs_white, 1.6, 0 }, 33, rx, ry);
		if (!p->name)
			continue;
		const double w = hs_canvas_text_width(c, HS_FONT_TICK, p->name) + 4;
		const bool left = x + px + w > frame.x + frame.w;
		const double tx = left ? x - 0.8 * px - w : x + 0.8 * px, ty = fmin(frame.y + frame.h - line, fmax(frame.y, y - line / 2));
		plate(c, tx, ty, w, line);
		hs_canvas_text(c, HS_FONT_TICK, HS_UPRIGHT, hs_black, tx + 2, ty + line / 2, 0, 0.5, p->name);
	}
}

static int map_draw(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_err *err)
{
	const struct state *s = self;
	if (draw_image(s, c, frame, err) < 0)
		return -1;
	hs_canvas_clip(c, frame);
	if (!s->m.no_scale_bar)
		hs_scale_bar(c, s->m.x, frame);
	draw_points(s, c, frame);
	hs_canvas_unclip(c);
	const struct hs_frame f = box_frame(s);
	hs_frame_draw(&f, c, cell, frame);
	if (!s->m.no_colour_bar && !s->empty && draw_bar(s, c, cell, frame, err) < 0)
		return -1;
	if (s->missing) {
		double w, h;
		hs_legend_need(c, 1, &no_value, cell.w, cell.h, &w, &h);
		hs_legend_draw(c, 1, &no_value, (struct hs_rect){ frame.x + frame.w + BAR_GAP - 4, frame.y + frame.h - h, cell.w, cell.h });
	}
	return 0;
}

static const struct hs_panel_kind map_kind = { map_need, map_draw, free };

int hs_map_panel(const struct hs_map *map, struct hs_panel *panel, struct hs_err *err)
{
	double lo = map->lo, hi = map->hi;
	size_t n;
	if (map->limits == HS_LIMITS_GIVEN && !(lo < hi))
		return hs_fail(err, HS_USAGE, "the limits %g and %g of a map are not in ascending order", lo, hi);
	struct state *s = hs_must_alloc(1, sizeof *s);
	s->m = *map;
	if (hs_map_scales(map->x, map->y, &s->x, &s->y, err) < 0)
		goto fail;
	if (!hs_mul(map->x->n, map->y->n, &n)) {
		hs_fail(err, HS_BAD_DATA, "a map of %zu x %zu values is too large", map->x->n, map->y->n);
		goto fail;
	}
	if (hs_limits_find(map->value, map->mask, n, map->limits, map->colormap == HS_COLORMAP_BALANCE, &lo, &hi, err) < 0)
		goto fail;
	hs_scale_init(&s->v, lo, hi, map->unit, false);
	s->empty = true;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(map->value[i]) || (map->mask && map->mask[i])) {
			s->missing = true;
		} else {
			s->empty = false;
			s->below |= map->value[i] < s->v.lo;
			s->above |= map->value[i] > s->v.hi;
		}
	s->aspect = hs_map_aspect(map->x, map->y);
	hs_colormap_init(&s->colours, map->colormap);
	*panel = (struct hs_panel){ &map_kind, s };
	return 0;
fail:
	free(s);
	return -1;
}
