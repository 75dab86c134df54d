#include "draw/canvas.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "draw/png.h"

#define MAX_DEVICE 32767.0
#define SVG_PIXELS_PER_PX 2
#define FONT_FACE "DejaVu Sans"

const struct hs_rgba hs_black = { 0, 0, 0, 255 }, hs_white = { 255, 255, 255, 255 }, hs_dark_grey = { 64, 64, 64, 255 },
                     hs_mid_grey = { 128, 128, 128, 255 }, hs_light_grey = { 220, 220, 220, 255 };

struct hs_canvas {
	enum hs_picture kind;
	double w, h, scale, font_px;
	cairo_surface_t *surface;
	cairo_t *cr;
	struct hs_str svg;            /* what cairo wrote so far */
};

static cairo_status_t keep_svg(void *str, const unsigned char *bytes, unsigned n)
{
	hs_str_add_bytes(str, (const char *)bytes, n);
	return CAIRO_STATUS_SUCCESS;
}

struct hs_canvas *hs_canvas_new(enum hs_picture kind, double w, double h, double scale, double font_px, struct hs_err *err)
{
	if (!(w * scale >= 1 && h * scale >= 1 && w * scale <= MAX_DEVICE && h * scale <= MAX_DEVICE && font_px > 0)) {
		hs_fail(err, HS_USAGE, "a picture of %g x %g px cannot be drawn: a side has 1 to %g px", w * scale, h * scale, MAX_DEVICE);
		return NULL;
	}
	struct hs_canvas *c = hs_must_alloc(1, sizeof *c);
	*c = (struct hs_canvas){ .kind = kind, .w = w, .h = h, .scale = scale, .font_px = font_px };
	if (kind == HS_PICTURE_SVG) {
		c->surface = cairo_svg_surface_create_for_stream(keep_svg, &c->svg, w * scale, h * scale);
		cairo_svg_surface_set_document_unit(c->surface, CAIRO_SVG_UNIT_PX);
	} else {
		c->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(w * scale), (int)ceil(h * scale));
	}
	c->cr = cairo_create(c->surface);
	const cairo_status_t status = cairo_status(c->cr);
	if (status != CAIRO_STATUS_SUCCESS) {
		hs_fail(err, HS_SYSTEM, "cannot make a page of %g x %g px: %s", w * scale, h * scale, cairo_status_to_string(status));
		hs_canvas_free(c);
		return NULL;
	}
	cairo_font_options_t *options = cairo_font_options_create();
	cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
	cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
	cairo_set_font_options(c->cr, options);
	cairo_font_options_destroy(options);
	cairo_scale(c->cr, scale, scale);
	cairo_set_line_join(c->cr, CAIRO_LINE_JOIN_ROUND);
	hs_canvas_fill(c, hs_white, (struct hs_rect){ 0, 0, w, h });
	return c;
}

/* cairo numbers images and surfaces through the whole process; two equal figures shall be equal files. Numbers are given anew in
 * order of appearance, and pictures are told not to be smoothed. */
static void tidy_svg(const struct hs_str *in, struct hs_str *out)
{
	static const char *const word[] = { "\"image", "\"#image", "\"surface", "\"#surface" };
	size_t n_seen = 0, room = 0;
	unsigned long *seen = NULL;
	const char *text = hs_str_get(in), *p = text;
	while ((p = strpbrk(p, "\"<"))) {
		if (*p == '<') {
			p++;
			if (hs_starts(p, "image ")) {
				p += 5;
				hs_str_add_bytes(out, text, (size_t)(p - text));
				hs_str_add(out, " style=\"image-rendering:pixelated\"");
				text = p;
			}
			continue;
		}
		size_t len = 0;
		for (size_t i = 0; i < HS_LEN(word); i++)
			if (hs_starts(p, word[i]))
				len = strlen(word[i]);
		if (!len || !(p[len] >= '0' && p[len] <= '9')) {
			p++;
			continue;
		}
		char *end;
		const unsigned long id = strtoul(p + len, &end, 10);
		size_t k = 0;
		while (k < n_seen && seen[k] != id)
			k++;
		if (k == n_seen) {
			if (n_seen == room)
				seen = hs_must_resize(seen, room = 2 * room + 16, sizeof *seen);
			seen[n_seen++] = id;
		}
		hs_str_add_bytes(out, text, (size_t)(p + len - text));
		hs_str_addf(out, "%zu", k + 1);
		p = text = end;
	}
	hs_str_add(out, text);
	free(seen);
}

int hs_canvas_write(struct hs_canvas *c, hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	cairo_status_t status = cairo_status(c->cr);
	if (c->kind == HS_PICTURE_SVG)
		cairo_surface_finish(c->surface);
	else
		cairo_surface_flush(c->surface);
	if (status == CAIRO_STATUS_SUCCESS)
		status = cairo_surface_status(c->surface);
	if (status != CAIRO_STATUS_SUCCESS)
		return hs_fail(err, HS_SYSTEM, "cannot draw picture: %s", cairo_status_to_string(status));
	if (c->kind == HS_PICTURE_SVG) {
		struct hs_str out = { 0 };
		tidy_svg(&c->svg, &out);
		const int rc = write(ctx, hs_str_get(&out), out.len, err);
		hs_str_release(&out);
		return rc;
	}
	return hs_png_pixels((const uint32_t *)(const void *)cairo_image_surface_get_data(c->surface),
		(size_t)cairo_image_surface_get_height(c->surface), (size_t)cairo_image_surface_get_width(c->surface),
		(size_t)cairo_image_surface_get_stride(c->surface) / 4, NULL, 0, write, ctx, err);
}

void hs_canvas_free(struct hs_canvas *c)
{
	if (!c)
		return;
	cairo_destroy(c->cr);
	cairo_surface_destroy(c->surface);        /* an unfinished SVG writes its end into c->svg here */
	hs_str_release(&c->svg);
	free(c);
}

/* ---- lines and areas ---- */

static void set_colour(struct hs_canvas *c, struct hs_rgba k)
{
	cairo_set_source_rgba(c->cr, k.r / 255.0, k.g / 255.0, k.b / 255.0, k.a / 255.0);
}

static void stroke(struct hs_canvas *c, struct hs_pen pen)
{
	set_colour(c, pen.colour);
	cairo_set_line_width(c->cr, pen.width);
	cairo_set_dash(c->cr, &pen.dash, pen.dash > 0, 0);
	cairo_stroke(c->cr);
}

static void trace(struct hs_canvas *c, size_t n, const double *x, const double *y)
{
	cairo_new_path(c->cr);
	for (size_t i = 0; i < n; i++)
		cairo_line_to(c->cr, x[i], y[i]);
}

void hs_canvas_line(struct hs_canvas *c, struct hs_pen pen, double x0, double y0, double x1, double y1)
{
	hs_canvas_path(c, pen, 2, (double[]){ x0, x1 }, (double[]){ y0, y1 });
}

void hs_canvas_path(struct hs_canvas *c, struct hs_pen pen, size_t n, const double *x, const double *y)
{
	trace(c, n, x, y);
	stroke(c, pen);
}

void hs_canvas_area(struct hs_canvas *c, struct hs_rgba fill, size_t n, const double *x, const double *y)
{
	trace(c, n, x, y);
	cairo_close_path(c->cr);
	set_colour(c, fill);
	cairo_fill(c->cr);
}

void hs_canvas_rect(struct hs_canvas *c, struct hs_pen pen, struct hs_rect r)
{
	cairo_rectangle(c->cr, r.x, r.y, r.w, r.h);
	stroke(c, pen);
}

void hs_canvas_fill(struct hs_canvas *c, struct hs_rgba fill, struct hs_rect r)
{
	cairo_rectangle(c->cr, r.x, r.y, r.w, r.h);
	set_colour(c, fill);
	cairo_fill(c->cr);
}

void hs_canvas_dot(struct hs_canvas *c, struct hs_rgba fill, double x, double y, double radius)
{
	cairo_new_path(c->cr);
	cairo_arc(c->cr, x, y, radius, 0, 2 * M_PI);
	set_colour(c, fill);
	cairo_fill(c->cr);
}

void hs_canvas_clip(struct hs_canvas *c, struct hs_rect r)
{
	cairo_save(c->cr);
	cairo_rectangle(c->cr, r.x, r.y, r.w, r.h);
	cairo_clip(c->cr);
}

void hs_canvas_unclip(struct hs_canvas *c)
{
	cairo_restore(c->cr);
}

/* ---- pixels ---- */

struct hs_rect hs_canvas_snap(const struct hs_canvas *c, struct hs_rect r)
{
	const double s = c->scale, x0 = round(r.x * s), y0 = round(r.y * s), x1 = round((r.x + r.w) * s), y1 = round((r.y + r.h) * s);
	return (struct hs_rect){ x0 / s, y0 / s, fmax(1, x1 - x0) / s, fmax(1, y1 - y0) / s };
}

void hs_canvas_pixels(const struct hs_canvas *c, struct hs_rect r, size_t *nx, size_t *ny)
{
	const double s = c->kind == HS_PICTURE_SVG ? fmax(c->scale, SVG_PIXELS_PER_PX) : c->scale;
	*nx = (size_t)fmin(MAX_DEVICE, fmax(1, round(r.w * s)));
	*ny = (size_t)fmin(MAX_DEVICE, fmax(1, round(r.h * s)));
}

int hs_canvas_image(struct hs_canvas *c, struct hs_rect r, size_t nx, size_t ny, const uint32_t *pixel, struct hs_err *err)
{
	cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)nx, (int)ny);
	const cairo_status_t status = cairo_surface_status(image);
	if (status != CAIRO_STATUS_SUCCESS) {
		cairo_surface_destroy(image);
		return hs_fail(err, HS_SYSTEM, "cannot make an image of %zu x %zu px: %s", nx, ny, cairo_status_to_string(status));
	}
	unsigned char *data = cairo_image_surface_get_data(image);
	const size_t stride = (size_t)cairo_image_surface_get_stride(image);
	for (size_t i = 0; i < ny; i++)
		memcpy(data + i * stride, pixel + i * nx, nx * sizeof *pixel);
	cairo_surface_mark_dirty(image);
	cairo_save(c->cr);
	cairo_translate(c->cr, r.x, r.y);
	cairo_scale(c->cr, r.w / (double)nx, r.h / (double)ny);
	cairo_set_source_surface(c->cr, image, 0, 0);
	cairo_pattern_set_filter(cairo_get_source(c->cr), CAIRO_FILTER_NEAREST);
	cairo_paint(c->cr);
	cairo_restore(c->cr);
	cairo_surface_destroy(image);
	return 0;
}

/* ---- text ---- */

/* DejaVu Sans: heights over the letter size */
static const double ascent = 0.93, descent = 0.24, capital = 0.73;

double hs_font_px(const struct hs_canvas *c, enum hs_font font)
{
	static const double size[HS_N_FONTS] = { 0.92, 1, 1.08, 1.33 };
	return c->font_px * size[font];
}

double hs_line_px(const struct hs_canvas *c, enum hs_font font)
{
	return hs_font_px(c, font) * (ascent + descent + 0.08);
}

static void set_font(struct hs_canvas *c, enum hs_font font)
{
	cairo_select_font_face(c->cr, FONT_FACE, CAIRO_FONT_SLANT_NORMAL,
		font == HS_FONT_TITLE || font == HS_FONT_HEAD ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(c->cr, hs_font_px(c, font));
}

/* What cairo can show: valid UTF-8 without control characters. Caller frees. */
static char *showable(const char *text)
{
	char *clean = hs_utf8(text, strlen(text));
	for (unsigned char *p = (unsigned char *)clean; *p; p++)
		if (*p < 32 || *p == 127)
			*p = ' ';
	return clean;
}

static double measured(struct hs_canvas *c, const char *clean)
{
	cairo_text_extents_t e;
	cairo_text_extents(c->cr, clean, &e);
	return e.x_advance;
}

double hs_canvas_text_width(struct hs_canvas *c, enum hs_font font, const char *text)
{
	char *clean = showable(text);
	set_font(c, font);
	const double w = measured(c, clean);
	free(clean);
	return w;
}

void hs_canvas_text(struct hs_canvas *c, enum hs_font font, enum hs_turn turn, struct hs_rgba colour, double x,
	double y, double along, double across, const char *text)
{
	char *clean = showable(text);
	set_font(c, font);
	const double px = hs_font_px(c, font);
	/* from the given point down to the baseline: ascent at the top, half a capital in the middle, -descent at the bottom */
	const double low = 2 * across - 1;        /* below the middle: 0..1 */
	const double down = px * (low <= 0 ? ascent + (capital / 2 - ascent) * (low + 1) : capital / 2 - (descent + capital / 2) * low);
	cairo_save(c->cr);
	cairo_translate(c->cr, x, y);
	if (turn == HS_TURNED)
		cairo_rotate(c->cr, -M_PI / 2);
	cairo_move_to(c->cr, -along * measured(c, clean), down);
	set_colour(c, colour);
	cairo_show_text(c->cr, clean);
	cairo_new_path(c->cr);
	cairo_restore(c->cr);
	free(clean);
}

static size_t char_start(const char *text, size_t n)
{
	while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

char *hs_canvas_fit(struct hs_canvas *c, enum hs_font font, const char *text, double width)
{
	char *clean = showable(text);
	set_font(c, font);
	if (measured(c, clean) <= width)
		return clean;
	size_t n = strlen(clean);
	struct hs_str s = { 0 };
	/* bisection over the length: widths grow with it */
	size_t lo = 0, hi = n;
	while (lo < hi) {
		const size_t mid = (lo + hi + 1) / 2;
		hs_str_release(&s);
		hs_str_add_bytes(&s, clean, char_start(clean, mid));
		hs_str_add(&s, "…");
		if (measured(c, hs_str_get(&s)) <= width)
			lo = mid;
		else
			hi = mid - 1;
	}
	hs_str_release(&s);
	n = char_start(clean, lo);
	while (n && clean[n - 1] == ' ')
		n--;
	hs_str_add_bytes(&s, clean, n);
	hs_str_add(&s, measured(c, "…") <= width ? "…" : "");
	free(clean);
	return hs_str_take(&s);
}

/* Bytes of text that make a line at most width wide, broken after a space if there is one. At least one character. */
static size_t line_bytes(struct hs_canvas *c, const char *text, double width)
{
	const size_t n = strlen(text);
	size_t fit = 0;
	struct hs_str s = { 0 };
	size_t lo = 0, hi = n;
	while (lo < hi) {
		const size_t mid = (lo + hi + 1) / 2;
		hs_str_release(&s);
		hs_str_add_bytes(&s, text, mid == n ? n : char_start(text, mid));
		if (measured(c, hs_str_get(&s)) <= width)
			lo = mid;
		else
			hi = mid - 1;
	}
	hs_str_release(&s);
	fit = lo == n ? n : char_start(text, lo);
	if (fit < n && text[fit] != ' ') {
		size_t space = fit;
		while (space && text[space - 1] != ' ')
			space--;
		fit = space ? space : fit;
	}
	if (!fit)
		for (fit = 1; ((unsigned char)text[fit] & 0xc0) == 0x80; fit++)
			;
	return fit;
}

size_t hs_canvas_wrap(struct hs_canvas *c, enum hs_font font, const char *text, double width, size_t max_lines, char **out)
{
	char *clean = showable(text);
	struct hs_str s = { 0 };
	size_t n_lines = 0;
	const char *p = clean;
	while (*p == ' ')
		p++;
	while (*p && n_lines < max_lines) {
		set_font(c, font);
		if (n_lines++)
			hs_str_add(&s, "\n");
		if (n_lines == max_lines) {
			char *last = hs_canvas_fit(c, font, p, width);
			hs_str_add(&s, last);
			free(last);
			break;
		}
		const size_t n = line_bytes(c, p, width);
		size_t keep = n;
		while (keep && p[keep - 1] == ' ')
			keep--;
		hs_str_add_bytes(&s, p, keep);
		p += n;
		while (*p == ' ')
			p++;
	}
	free(clean);
	*out = hs_str_take(&s);
	return n_lines;
}

void hs_canvas_lines(struct hs_canvas *c, enum hs_font font, struct hs_rgba colour, double x, double y, double along,
	const char *lines)
{
	for (const char *p = lines; *p; y += hs_line_px(c, font)) {
		const size_t n = strcspn(p, "\n");
		struct hs_str s = { 0 };
		hs_str_add_bytes(&s, p, n);
		hs_canvas_text(c, font, HS_UPRIGHT, colour, x, y, along, 0, hs_str_get(&s));
		hs_str_release(&s);
		p += n + (p[n] == '\n');
	}
}
