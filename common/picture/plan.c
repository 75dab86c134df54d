#include "picture/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "draw/terminal.h"

#define WIDE_COLUMN 420.0             /* px of a column where curves have a legend */

void *hs_plan_keep(struct hs_plan *plan, void *p)
{
	plan->kept = hs_must_resize(plan->kept, plan->n_kept + 1, sizeof *plan->kept);
	return plan->kept[plan->n_kept++] = p;
}

struct hs_drawing *hs_plan_add(struct hs_plan *plan, enum hs_drawing_kind kind)
{
	plan->drawing = hs_must_resize(plan->drawing, plan->n + 1, sizeof *plan->drawing);
	plan->drawing[plan->n] = (struct hs_drawing){ .kind = kind };
	return &plan->drawing[plan->n++];
}

void hs_plan_release(struct hs_plan *plan)
{
	for (size_t i = 0; i < plan->n_kept; i++)
		free(plan->kept[i]);
	hs_axis_release(&plan->line);
	free(plan->kept);
	free(plan->drawing);
	*plan = (struct hs_plan){ 0 };
}

/* ------------------------------------------------------------------ figures */

static int make_panel(const struct hs_drawing *d, struct hs_panel *panel, struct hs_err *err)
{
	switch (d->kind) {
	case HS_DRAWING_MAP: return hs_map_panel(&d->map, panel, err);
	case HS_DRAWING_LABELS: return hs_labels_panel(&d->labels, panel, err);
	case HS_DRAWING_CURVES: return hs_curves_panel(&d->curves, panel, err);
	case HS_DRAWING_SCREE: return hs_scree_panel(&d->scree, panel, err);
	case HS_DRAWING_DENDROGRAM: return hs_dendrogram_panel(&d->dendrogram, panel, err);
	}
	return hs_fail(err, HS_BUG, "a drawing of no kind");
}

/* Places of the drawings in the grid: maps fill columns of their own, so that they are all of one size, and what explains them
 * stands in the last columns. place[row * n_cols + col] is 1 + the drawing, or 0. */
static size_t *arrange(const struct hs_plan *plan, size_t *n_cols, size_t *n_places)
{
	const size_t n_main = plan->n_main, n_beside = plan->n - n_main;
	size_t n_rows = (size_t)(sqrt((double)n_main) + 0.5), beside_cols, main_cols;
	if (n_rows < n_beside)
		n_rows = n_beside < n_main ? n_beside : n_main;
	beside_cols = (n_beside + n_rows - 1) / n_rows;
	main_cols = (n_main + n_rows - 1) / n_rows;
	*n_cols = main_cols + beside_cols;
	*n_places = n_rows * *n_cols;
	size_t *place = hs_must_alloc(*n_places, sizeof *place);
	for (size_t i = 0; i < n_main; i++)
		place[i / main_cols * *n_cols + i % main_cols] = i + 1;
	for (size_t i = 0; i < n_beside; i++)
		place[i % n_rows * *n_cols + main_cols + i / n_rows] = n_main + i + 1;
	return place;
}

/* A legend takes room beside its curves. */
static bool has_legend(const struct hs_plan *plan)
{
	bool yes = false;
	for (size_t i = 0; i < plan->n; i++) {
		const struct hs_drawing *d = &plan->drawing[i];
		yes |= d->kind == HS_DRAWING_SCREE || d->kind == HS_DRAWING_LABELS || (d->kind == HS_DRAWING_CURVES && d->curves.n_curves > 1);
	}
	return yes;
}

int hs_plan_figure(const struct hs_plan *plan, const struct hs_figure *page, enum hs_picture kind, hs_bytes_fn write, void *ctx,
	struct hs_err *err)
{
	struct hs_figure figure = *page;
	size_t n = plan->n, n_cols = 0, *place = plan->n_main && plan->n > plan->n_main ? arrange(plan, &n_cols, &n) : NULL;
	struct hs_panel *panel = hs_must_alloc(n, sizeof *panel);
	int verdict = 0;
	for (size_t i = 0; i < n && verdict == 0; i++) {
		const size_t which = place ? place[i] : i + 1;
		if (which)
			verdict = make_panel(&plan->drawing[which - 1], &panel[i], err);
	}
	figure.title = plan->title;
	figure.panel = panel;
	figure.n_panels = n;
	figure.n_cols = n_cols;
	if (!(figure.width > 0) && n > 1 && has_legend(plan))
		figure.width = WIDE_COLUMN * (double)(n_cols ? n_cols : n <= 3 ? n : 0);
	if (verdict == 0)
		verdict = hs_figure_draw(&figure, kind, write, ctx, err);
	for (size_t i = 0; i < n; i++)
		hs_panel_release(&panel[i]);
	free(panel);
	free(place);
	return verdict;
}

int hs_plan_preview(const struct hs_plan *plan, size_t columns, bool colour, struct hs_str *out, struct hs_err *err)
{
	enum { CURVE_LINES = 12 };
	int verdict = 0;
	char *title = hs_utf8(plan->title, strlen(plan->title));
	for (char *p = title; *p; p++)
		*p = (unsigned char)*p < ' ' || *p == 127 ? ' ' : *p;
	hs_str_addf(out, "%s\n", title);
	free(title);
	for (size_t i = 0; i < plan->n && verdict == 0; i++) {
		const struct hs_drawing *d = &plan->drawing[i];
		const struct hs_curve scree = { .y = d->scree.ratio, .n = d->scree.n, .stroke = HS_STROKE_LINE_DOT },
				      heights = { .y = d->dendrogram.height, .n = d->dendrogram.n - 1, .stroke = HS_STROKE_LINE };
		const struct hs_curves screes = { .title = d->scree.title, .x_name = "component", .y_name = "explained variance ratio",
			.curve = &scree, .n_curves = 1, .log_y = true, .integer_x = true },
			merges = { .title = d->dendrogram.title, .x_name = "merge", .y_name = d->dendrogram.height_name,
			.y_unit = d->dendrogram.height_unit, .curve = &heights, .n_curves = 1, .integer_x = true };
		switch (d->kind) {
		case HS_DRAWING_MAP: verdict = hs_terminal_map(&d->map, columns, colour, out, err); break;
		case HS_DRAWING_LABELS: verdict = hs_terminal_labels(&d->labels, columns, colour, out, err); break;
		case HS_DRAWING_CURVES: verdict = hs_terminal_curves(&d->curves, columns, CURVE_LINES, colour, out, err); break;
		case HS_DRAWING_SCREE: verdict = hs_terminal_curves(&screes, columns, CURVE_LINES, colour, out, err); break;
		case HS_DRAWING_DENDROGRAM: verdict = hs_terminal_curves(&merges, columns, CURVE_LINES, colour, out, err); break;
		}
	}
	return verdict;
}

static const struct hs_drawing *only_map(const struct hs_plan *plan, struct hs_err *err)
{
	const struct hs_drawing *found = NULL;
	for (size_t i = 0; i < plan->n; i++) {
		const struct hs_drawing *d = &plan->drawing[i];
		if (d->kind != HS_DRAWING_MAP && d->kind != HS_DRAWING_LABELS)
			continue;
		if (found && found->kind == d->kind) {
			hs_fail(err, HS_USAGE, "--raw draws one map: choose it with --component or --kind image");
			return NULL;
		}
		found = found ? found : d;
	}
	if (!found)
		hs_fail(err, HS_USAGE, "--raw: this picture has no map");
	return found;
}

/* Where pixel (i, j) of the picture, bottom row first, lies in the data. */
static size_t turned(const struct hs_axis *y, const struct hs_axis *x, size_t i, size_t j)
{
	return (hs_axis_descends(y) ? y->n - 1 - i : i) * x->n + (hs_axis_descends(x) ? x->n - 1 - j : j);
}

static int raw_labels(const struct hs_labels *l, hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	const size_t ny = l->y->n, nx = l->x->n;
	struct hs_palette palette;
	struct hs_colormap map;
	uint32_t *pixel = hs_alloc(ny * nx, sizeof *pixel, err);
	if (!pixel)
		return -1;
	hs_palette_init(&palette);
	hs_colormap_init(&map, HS_COLORMAP_DUSK);
	for (size_t i = 0; i < ny; i++)
		for (size_t j = 0; j < nx; j++) {
			const int32_t label = l->label[turned(l->y, l->x, i, j)];
			const struct hs_rgba c = label < 0 ? map.missing : hs_palette_at(&palette, (size_t)label);
			pixel[(ny - 1 - i) * nx + j] = 0xff000000u | (uint32_t)c.r << 16 | (uint32_t)c.g << 8 | c.b;
		}
	const int verdict = hs_png_pixels(pixel, ny, nx, nx, NULL, 0, write, ctx, err);
	free(pixel);
	return verdict;
}

static int raw_map(const struct hs_map *from, bool grey, hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	const size_t ny = from->y->n, nx = from->x->n;
	struct hs_colormap colours;
	double *v = hs_alloc(ny * nx, sizeof *v, err);
	if (!v)
		return -1;
	for (size_t i = 0; i < ny; i++)
		for (size_t j = 0; j < nx; j++) {
			const size_t k = turned(from->y, from->x, i, j);
			v[i * nx + j] = from->mask && from->mask[k] ? NAN : from->value[k];
		}
	hs_colormap_init(&colours, from->colormap);
	struct hs_png_map map = { .value = v, .ny = ny, .nx = nx, .map = grey ? NULL : &colours, .lo = from->lo, .hi = from->hi };
	int verdict = hs_limits_find(v, NULL, ny * nx, from->limits, from->colormap == HS_COLORMAP_BALANCE, &map.lo, &map.hi, err);
	if (!(map.lo < map.hi)) {             /* a constant map, or none at all */
		map.lo = isfinite(map.lo) ? map.lo - 0.5 - fabs(map.lo) : 0;
		map.hi = isfinite(map.hi) ? map.hi + 0.5 + fabs(map.hi) : 1;
	}
	if (verdict == 0)
		verdict = hs_png_map(&map, write, ctx, err);
	free(v);
	return verdict;
}

int hs_plan_raw(const struct hs_plan *plan, bool grey, hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	const struct hs_drawing *d = only_map(plan, err);
	if (!d)
		return -1;
	if (d->kind == HS_DRAWING_MAP)
		return raw_map(&d->map, grey, write, ctx, err);
	if (!grey)
		return raw_labels(&d->labels, write, ctx, err);
	const size_t n = d->labels.y->n * d->labels.x->n;
	double *v = hs_alloc(n, sizeof *v, err);
	if (!v)
		return -1;
	for (size_t i = 0; i < n; i++)
		v[i] = d->labels.label[i] < 0 ? (double)NAN : (double)d->labels.label[i];
	const struct hs_map map = { .value = v, .x = d->labels.x, .y = d->labels.y, .limits = HS_LIMITS_FULL };
	const int verdict = raw_map(&map, true, write, ctx, err);
	free(v);
	return verdict;
}
