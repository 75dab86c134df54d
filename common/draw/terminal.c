#include "draw/terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LEAST_COLUMNS 20
#define MOST_COLUMNS 400
#define MOST_LINES 40             /* of a map */
#define LARGEST_PIXEL 8           /* characters a data pixel, for tiny maps */

bool hs_terminal_colour(void)
{
	const char *no = getenv("NO_COLOR");
	return !no || !*no;
}

/* Names come from files: nothing in them may reach the terminal as a command. */
static void add_plain(struct hs_str *out, const char *text)
{
	char *clean = hs_utf8(text, strlen(text));
	for (unsigned char *p = (unsigned char *)clean; *p; p++) {
		const bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
		if (*p < 32 || *p == 127)
			*p = ' ';
		else if (c1)
			p[0] = p[1] = ' ';
	}
	hs_str_add(out, clean);
	free(clean);
}

static void add_ink(struct hs_str *out, bool back, struct hs_rgba c)
{
	hs_str_addf(out, "\033[%d;2;%d;%d;%dm", back ? 48 : 38, c.r, c.g, c.b);
}

/* One end of a scale, with enough digits to tell it from the other end. */
static void add_end(struct hs_str *out, const struct hs_scale *s, bool high, const char *unit)
{
	const double top = fmax(fabs(s->lo), fabs(s->hi)) / 2, range = s->hi / 2 - s->lo / 2;
	const int digits = 3 + (int)fmin(12, fmax(0, ceil(log10(top / range) - 0.3)));
	char *text = hs_scale_show(high ? s->hi : s->lo, digits, unit);
	add_plain(out, text);
	free(text);
}

static void add_title(struct hs_str *out, const char *title)
{
	if (title && *title) {
		add_plain(out, title);
		hs_str_add(out, "\n");
	}
}

/* ---- maps ---- */

struct grid {
	size_t w, h;                  /* characters; h lines of two pixels each in colour, of one without */
	size_t rows;                  /* sampled: 2 h or h */
	size_t *ix, *iy;              /* data column of each character, data row of each sampled row */
};

static size_t clamp_columns(size_t columns)
{
	return columns < LEAST_COLUMNS ? LEAST_COLUMNS : columns > MOST_COLUMNS ? MOST_COLUMNS : columns;
}

static int make_grid(struct grid *g, const struct hs_axis *x, const struct hs_axis *y, bool y_down, size_t columns, bool colour,
	struct hs_err *err)
{
	struct hs_scale sx, sy;
	if (hs_map_scales(x, y, &sx, &sy, err) < 0)
		return -1;
	double aspect = hs_map_aspect(x, y);
	if (!(aspect > 0))
		aspect = fmin(1, fmax(0.1, (double)y->n / (double)x->n));
	double w = (double)clamp_columns(columns);
	if (w > LARGEST_PIXEL * (double)x->n)
		w = LARGEST_PIXEL * (double)x->n;
	if (w * aspect > 2 * MOST_LINES)
		w = fmax(1, floor(2 * MOST_LINES / aspect));
	g->w = (size_t)w;
	g->h = (size_t)fmax(1, round(w * aspect / 2));            /* a character is about twice as high as wide */
	g->rows = colour ? 2 * g->h : g->h;
	g->ix = hs_alloc(g->w + g->rows, sizeof *g->ix, err);
	if (!g->ix)
		return -1;
	g->iy = g->ix + g->w;
	if (hs_axis_sample(x, g->w, false, g->ix, err) < 0 || hs_axis_sample(y, g->rows, !y_down, g->iy, err) < 0) {
		free(g->ix);
		return -1;
	}
	return 0;
}

static bool same_ink(struct hs_rgba a, struct hs_rgba b)
{
	return a.r == b.r && a.g == b.g && a.b == b.b;
}

/* One line of upper half blocks: the letter's colour is the upper pixel, the ground's the lower one. */
static void add_half_blocks(struct hs_str *out, const struct hs_rgba *upper, const struct hs_rgba *lower, size_t n)
{
	for (size_t j = 0; j < n; j++) {
		if (!j || !same_ink(upper[j], upper[j - 1]))
			add_ink(out, false, upper[j]);
		if (!j || !same_ink(lower[j], lower[j - 1]))
			add_ink(out, true, lower[j]);
		hs_str_add(out, "▀");
	}
	hs_str_add(out, "\033[0m\n");
}

int hs_terminal_map(const struct hs_map *m, size_t columns, bool colour, struct hs_str *out, struct hs_err *err)
{
	static const char shade[] = " .:-=+*#%@";
	double lo = m->lo, hi = m->hi;
	size_t n;
	struct grid g;
	if (m->limits == HS_LIMITS_GIVEN && !(lo < hi))
		return hs_fail(err, HS_USAGE, "the limits %g and %g of a map are not in ascending order", lo, hi);
	if (make_grid(&g, m->x, m->y, m->y_down, columns, colour, err) < 0)
		return -1;
	struct hs_rgba *ink = hs_alloc(g.w * g.rows, sizeof *ink, err);
	if (!ink || !hs_mul(m->x->n, m->y->n, &n) ||
	    hs_limits_find(m->value, m->mask, n, m->limits, m->colormap == HS_COLORMAP_BALANCE, &lo, &hi, err) < 0) {
		free(ink);
		free(g.ix);
		return hs_failed(err) ? -1 : hs_fail(err, HS_BAD_DATA, "a map of %zu x %zu values is too large", m->x->n, m->y->n);
	}
	const bool any = !isnan(lo);
	struct hs_scale s;
	hs_scale_init(&s, lo, hi, m->unit, false);
	struct hs_colormap map;
	hs_colormap_init(&map, m->colormap);
	bool missing = false;
	add_title(out, m->title);
	for (size_t i = 0; i < g.rows; i++) {
		for (size_t j = 0; j < g.w; j++) {
			const size_t k = g.iy[i] * m->x->n + g.ix[j];
			const double v = m->mask && m->mask[k] ? NAN : m->value[k];
			missing |= !isfinite(v);
			ink[i * g.w + j] = hs_colormap_at(&map, s.lo, s.hi, v);
			if (colour)
				continue;
			const double at = fmin(1, fmax(0, hs_scale_at(&s, v)));
			hs_str_add_bytes(out, isfinite(v) ? &shade[(size_t)fmin(9, floor(10 * at))] : "?", 1);
		}
		if (!colour)
			hs_str_add(out, "\n");
		else if (i % 2)
			add_half_blocks(out, &ink[(i - 1) * g.w], &ink[i * g.w], g.w);
	}
	if (m->name && *m->name) {
		add_plain(out, m->name);
		hs_str_add(out, " ");
	}
	if (any) {
		add_end(out, &s, false, m->unit);
		hs_str_add(out, " ");
		for (int q = 0; q < 10; q++) {
			if (colour)
				add_ink(out, false, map.entry[q * (HS_COLORMAP_SIZE - 1) / 9]);
			hs_str_add_bytes(out, colour ? "█" : &shade[q], colour ? strlen("█") : 1);
		}
		hs_str_add(out, colour ? "\033[0m " : " ");
		add_end(out, &s, true, m->unit);
	}
	if (missing) {
		hs_str_add(out, any ? ", " : "");
		if (colour) {
			add_ink(out, false, map.missing);
			hs_str_add(out, "█\033[0m");
		} else {
			hs_str_add(out, "?");
		}
		hs_str_add(out, " no value");
	}
	hs_str_add(out, "\n");
	free(ink);
	free(g.ix);
	return 0;
}

/* ---- labels ---- */

static char letter_of(size_t label)
{
	static const char letters[] = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	return letters[label % (sizeof letters - 1)];
}

static void add_label_key(struct hs_str *out, bool colour, struct hs_rgba ink, char letter)
{
	if (colour) {
		add_ink(out, false, ink);
		hs_str_add(out, "█\033[0m ");
	} else {
		hs_str_addf(out, "%c ", letter);
	}
}

int hs_terminal_labels(const struct hs_labels *l, size_t columns, bool colour, struct hs_str *out, struct hs_err *err)
{
	static const struct hs_rgba none = { 217, 217, 217, 255 };
	struct grid g;
	if (make_grid(&g, l->x, l->y, l->y_down, columns, colour, err) < 0)
		return -1;
	const size_t n_pix = l->x->n * l->y->n;
	size_t n_labels = l->n_labels, n_none = 0;
	for (size_t i = 0; i < n_pix && !l->n_labels; i++)
		if (l->label[i] >= 0 && (size_t)l->label[i] + 1 > n_labels)
			n_labels = (size_t)l->label[i] + 1;
	struct hs_rgba *ink = hs_alloc(g.w * g.rows, sizeof *ink, err);
	size_t *count = ink ? hs_alloc(n_labels, sizeof *count, err) : NULL;
	if (!count) {
		free(ink);
		free(g.ix);
		return -1;
	}
	struct hs_palette palette;
	hs_palette_init(&palette);
	for (size_t i = 0; i < n_pix; i++) {
		const int32_t k = l->label[i];
		if (k < 0 || (size_t)k >= n_labels)
			n_none++;
		else
			count[k]++;
	}
	add_title(out, l->title);
	for (size_t i = 0; i < g.rows; i++) {
		for (size_t j = 0; j < g.w; j++) {
			const int32_t k = l->label[g.iy[i] * l->x->n + g.ix[j]];
			const bool in = k >= 0 && (size_t)k < n_labels;
			ink[i * g.w + j] = !in ? none : l->colour ? l->colour[k] : hs_palette_at(&palette, (size_t)k);
			if (!colour)
				hs_str_addf(out, "%c", in ? letter_of((size_t)k) : '.');
		}
		if (!colour)
			hs_str_add(out, "\n");
		else if (i % 2)
			add_half_blocks(out, &ink[(i - 1) * g.w], &ink[i * g.w], g.w);
	}
	for (size_t k = 0; k < n_labels && !l->no_legend; k++) {
		if (!count[k])
			continue;                 /* only what can be seen */
		add_label_key(out, colour, l->colour ? l->colour[k] : hs_palette_at(&palette, k), letter_of(k));
		if (l->name && l->name[k])
			add_plain(out, l->name[k]);
		else
			hs_str_addf(out, "%zu", k + 1);
		hs_str_addf(out, "  %.1f %%\n", 100 * (double)count[k] / (double)n_pix);
	}
	if (n_none && !l->no_legend) {
		add_label_key(out, colour, none, '.');
		hs_str_addf(out, "none  %.1f %%\n", 100 * (double)n_none / (double)n_pix);
	}
	free(count);
	free(ink);
	free(g.ix);
	return 0;
}

/* ---- curves ---- */

struct dots {
	size_t w, h;                  /* characters of 2 x 4 dots */
	uint8_t *bits;
	int *curve;                   /* that drew last in a character, or -1 */
};

static void set_dot(struct dots *d, long x, long y, int curve)
{
	static const uint8_t bit[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
	if (x < 0 || y < 0 || (size_t)x >= 2 * d->w || (size_t)y >= 4 * d->h)
		return;
	const size_t k = (size_t)y / 4 * d->w + (size_t)x / 2;
	d->bits[k] |= bit[y % 4][x % 2];
	d->curve[k] = curve;
}

static void draw_stroke(struct dots *d, double x0, double y0, double x1, double y1, int curve)
{
	const double steps = fmax(1, ceil(fmax(fabs(x1 - x0), fabs(y1 - y0))));
	for (double q = 0; q <= steps; q++)
		set_dot(d, lround(x0 + (x1 - x0) * q / steps), lround(y0 + (y1 - y0) * q / steps), curve);
}

static double x_of(const struct hs_curve *u, size_t k)
{
	return u->x ? u->x[k] : (double)k + 1;
}

static void find_scales(const struct hs_curves *c, struct hs_scale *sx, struct hs_scale *sy, bool *any)
{
	double x_lo = INFINITY, x_hi = -INFINITY, y_lo = INFINITY, y_hi = -INFINITY;
	for (size_t i = 0; i < c->n_curves; i++)
		for (size_t k = 0; k < c->curve[i].n; k++) {
			const double x = x_of(&c->curve[i], k), y = c->curve[i].y[k];
			if (!isfinite(x) || !isfinite(y) || (c->log_y && y <= 0) || (c->has_x_limits && !(x >= c->x_lo && x <= c->x_hi)))
				continue;
			x_lo = fmin(x_lo, x);
			x_hi = fmax(x_hi, x);
			y_lo = fmin(y_lo, y);
			y_hi = fmax(y_hi, y);
		}
	*any = x_lo <= x_hi;
	if (!*any)
		x_lo = y_lo = NAN;
	hs_scale_init(sx, c->has_x_limits ? c->x_lo : x_lo, c->has_x_limits ? c->x_hi : x_hi, c->x_unit, false);
	hs_scale_init(sy, c->has_y_limits ? c->y_lo : y_lo, c->has_y_limits ? c->y_hi : y_hi, c->y_unit, c->log_y);
}

static void draw_dots(struct dots *d, const struct hs_curve *u, int i, const struct hs_scale *sx, const struct hs_scale *sy)
{
	const double w = 2 * (double)d->w - 1, h = 4 * (double)d->h - 1;
	double last_x = NAN, last_y = NAN;
	for (size_t k = 0; k < u->n; k++) {
		/* kept near the picture, so that a far point costs no more than a near one */
		const double ax = hs_scale_at(sx, x_of(u, k)), ay = hs_scale_at(sy, u->y[k]);
		const bool good = isfinite(ax) && isfinite(ay);
		const double x = good ? fmin(2, fmax(-1, ax)) * w : NAN, y = good ? (1 - fmin(2, fmax(-1, ay))) * h : NAN;
		if (good && (isnan(last_x) || u->stroke == HS_STROKE_DOT))
			set_dot(d, lround(x), lround(y), i);
		else if (good)
			draw_stroke(d, last_x, last_y, x, y, i);
		last_x = x;
		last_y = y;
	}
}

static void add_dots(struct hs_str *out, const struct dots *d, size_t line, const struct hs_curves *c,
	const struct hs_palette *palette, bool colour)
{
	int last = -1;
	for (size_t j = 0; j < d->w; j++) {
		const size_t k = line * d->w + j;
		const int now = d->curve[k];
		if (colour && now >= 0 && now != last) {
			const struct hs_curve *u = &c->curve[now];
			add_ink(out, false, u->has_colour ? u->colour : hs_palette_at(palette, (size_t)now));
			last = now;
		}
		const unsigned code = 0x2800u + d->bits[k];
		hs_str_addf(out, "%c%c%c", (int)(0xe0 | code >> 12), (int)(0x80 | (code >> 6 & 0x3f)), (int)(0x80 | (code & 0x3f)));
	}
	hs_str_add(out, colour ? "\033[0m\n" : "\n");
}

int hs_terminal_curves(const struct hs_curves *c, size_t columns, size_t lines, bool colour, struct hs_str *out,
	struct hs_err *err)
{
	if ((c->has_x_limits && !(c->x_lo < c->x_hi)) || (c->has_y_limits && !(c->y_lo < c->y_hi && (!c->log_y || c->y_lo > 0))))
		return hs_fail(err, HS_USAGE, "the limits of a curve plot are not in ascending order%s", c->log_y ? " and above zero" : "");
	struct dots d = { .w = clamp_columns(columns), .h = lines < 2 ? 2 : lines > 200 ? 200 : lines };
	d.bits = hs_alloc(d.w * d.h, sizeof *d.bits, err);
	d.curve = d.bits ? hs_alloc(d.w * d.h, sizeof *d.curve, err) : NULL;
	if (!d.curve) {
		free(d.bits);
		return -1;
	}
	for (size_t k = 0; k < d.w * d.h; k++)
		d.curve[k] = -1;
	struct hs_scale sx, sy;
	bool any;
	find_scales(c, &sx, &sy, &any);
	for (size_t i = 0; i < c->n_curves; i++)
		draw_dots(&d, &c->curve[i], (int)i, &sx, &sy);
	struct hs_palette palette;
	hs_palette_init(&palette);
	add_title(out, c->title);
	for (size_t i = 0; i < d.h; i++)
		add_dots(out, &d, i, c, &palette, colour);
	if (any) {
		add_plain(out, c->x_name && *c->x_name ? c->x_name : "x");
		hs_str_add(out, " ");
		add_end(out, &sx, false, c->x_unit);
		hs_str_add(out, " … ");
		add_end(out, &sx, true, c->x_unit);
		hs_str_add(out, ", ");
		add_plain(out, c->y_name && *c->y_name ? c->y_name : "y");
		hs_str_add(out, " ");
		add_end(out, &sy, false, c->y_unit);
		hs_str_add(out, " … ");
		add_end(out, &sy, true, c->y_unit);
		hs_str_add(out, c->log_y ? " (log)\n" : "\n");
	} else {
		hs_str_add(out, "no values\n");
	}
	for (size_t i = 0; i < c->n_curves && colour && !c->no_legend; i++)
		if (c->curve[i].name) {
			add_ink(out, false, c->curve[i].has_colour ? c->curve[i].colour : hs_palette_at(&palette, i));
			hs_str_add(out, "━━\033[0m ");
			add_plain(out, c->curve[i].name);
			hs_str_add(out, "\n");
		}
	free(d.bits);
	free(d.curve);
	return 0;
}
