#include "draw/labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "draw/map.h"

#define LEGEND_GAP 12.0
#define LEGEND_SHARE 0.55         /* of the cell's width, at most */
#define MOST_LABELS 10000u        /* listed: beyond that a legend is of no use */

struct state {
	struct hs_labels l;
	struct hs_scale x, y;
	struct hs_palette palette;
	double aspect;
	size_t n_labels, n_entries;
	struct hs_entry *entry;
	char (*text)[64];             /* names made here, and shares; two an entry */
};

static struct hs_rgba colour_of(const struct state *s, size_t i)
{
	return s->l.colour ? s->l.colour[i] : hs_palette_at(&s->palette, i);
}

static struct hs_frame box_frame(const struct state *s)
{
	struct hs_frame f = { .title = s->l.title, .y_down = s->l.y_down };
	if (!s->l.no_axes) {
		f.x = (struct hs_side){ .scale = &s->x, .name = hs_axis_what(s->l.x) };
		f.y = (struct hs_side){ .scale = &s->y, .name = hs_axis_what(s->l.y) };
	}
	return f;
}

static void labels_need(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_need *need)
{
	const struct state *s = self;
	const struct hs_frame f = box_frame(s);
	hs_frame_need(&f, c, cell, frame, need);
	need->aspect = s->aspect;
	need->min_height = 60;
	double w, h;
	if (!s->l.no_legend && s->n_entries) {
		hs_legend_need(c, s->n_entries, s->entry, LEGEND_SHARE * cell.w, frame.h, &w, &h);
		need->right = fmax(need->right, LEGEND_GAP + w);
	}
}

static int draw_image(const struct state *s, struct hs_canvas *c, struct hs_rect frame, struct hs_err *err)
{
	const struct hs_labels *l = &s->l;
	size_t nx, ny, n;
	hs_canvas_pixels(c, frame, &nx, &ny);
	if (!hs_mul(nx, ny, &n))
		return hs_fail(err, HS_SYSTEM, "an image of %zu x %zu px is too large", nx, ny);
	uint32_t *pixel = hs_alloc(n, sizeof *pixel, err);
	size_t *ix = pixel ? hs_alloc(nx + ny, sizeof *ix, err) : NULL, *iy = ix ? ix + nx : NULL;
	int rc = -1;
	if (!ix || hs_axis_sample(l->x, nx, false, ix, err) < 0 || hs_axis_sample(l->y, ny, !l->y_down, iy, err) < 0)
		goto out;
	const double per_px = (double)nx / frame.w;
	for (size_t i = 0; i < ny; i++)
		for (size_t j = 0; j < nx; j++) {
			const int32_t k = l->label[iy[i] * l->x->n + ix[j]];
			if (k < 0 || (size_t)k >= s->n_labels) {
				pixel[i * nx + j] = hs_hatch_pixel(i, j, per_px);
				continue;
			}
			const struct hs_rgba q = colour_of(s, (size_t)k);
			pixel[i * nx + j] = 0xff000000u | (uint32_t)q.r << 16 | (uint32_t)q.g << 8 | q.b;
		}
	rc = hs_canvas_image(c, frame, nx, ny, pixel, err);
out:
	free(ix);
	free(pixel);
	return rc;
}

static int labels_draw(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_err *err)
{
	const struct state *s = self;
	if (draw_image(s, c, frame, err) < 0)
		return -1;
	if (!s->l.no_scale_bar)
		hs_scale_bar(c, s->l.x, frame);
	const struct hs_frame f = box_frame(s);
	hs_frame_draw(&f, c, cell, frame);
	if (!s->l.no_legend)
		hs_legend_draw(c, s->n_entries, s->entry, (struct hs_rect){ frame.x + frame.w + LEGEND_GAP, frame.y,
			LEGEND_SHARE * cell.w, frame.h });
	return 0;
}

static void labels_free(void *self)
{
	struct state *s = self;
	if (!s)
		return;
	free(s->entry);
	free(s->text);
	free(s);
}

static const struct hs_panel_kind labels_kind = { labels_need, labels_draw, labels_free };

static void add_entry(struct state *s, const char *name, size_t count, size_t n_pix, struct hs_rgba colour, enum hs_key key)
{
	char (*text)[64] = s->text + 2 * s->n_entries;
	if (!name) {
		snprintf(text[0], sizeof text[0], "%zu", s->n_entries + 1);
		name = text[0];
	}
	const double share = 100 * (double)count / (double)n_pix;
	snprintf(text[1], sizeof text[1], count && share < 0.05 ? "<0.1 %%" : "%.1f %%", share);
	s->entry[s->n_entries++] = (struct hs_entry){ .name = name, .note = text[1], .colour = colour, .key = key };
}

static int list_labels(struct state *s, size_t n_pix, struct hs_err *err)
{
	const struct hs_labels *l = &s->l;
	s->n_labels = l->n_labels;
	for (size_t i = 0; i < n_pix && !l->n_labels; i++)
		if (l->label[i] >= 0 && (size_t)l->label[i] + 1 > s->n_labels)
			s->n_labels = (size_t)l->label[i] + 1;
	const size_t listed = s->n_labels < MOST_LABELS ? s->n_labels : MOST_LABELS;
	size_t *count = hs_alloc(listed, sizeof *count, err), none = 0;
	s->entry = count ? hs_alloc(listed + 1, sizeof *s->entry, err) : NULL;
	s->text = s->entry ? hs_alloc(2 * (listed + 1), sizeof *s->text, err) : NULL;
	if (!s->text) {
		free(count);
		return -1;
	}
	for (size_t i = 0; i < n_pix; i++) {
		const int32_t k = l->label[i];
		if (k < 0 || (size_t)k >= s->n_labels)
			none++;
		else if ((size_t)k < listed)
			count[k]++;
	}
	for (size_t k = 0; k < listed; k++)
		add_entry(s, l->name ? l->name[k] : NULL, count[k], n_pix, colour_of(s, k), HS_KEY_BOX);
	if (none)
		add_entry(s, "none", none, n_pix, (struct hs_rgba){ 217, 217, 217, 255 }, HS_KEY_HATCH);
	free(count);
	return 0;
}

int hs_labels_panel(const struct hs_labels *labels, struct hs_panel *panel, struct hs_err *err)
{
	struct state *s = hs_must_alloc(1, sizeof *s);
	size_t n_pix;
	s->l = *labels;
	hs_palette_init(&s->palette);
	if (hs_map_scales(labels->x, labels->y, &s->x, &s->y, err) < 0)
		goto fail;
	if (!hs_mul(labels->x->n, labels->y->n, &n_pix)) {
		hs_fail(err, HS_BAD_DATA, "a map of %zu x %zu labels is too large", labels->x->n, labels->y->n);
		goto fail;
	}
	if (list_labels(s, n_pix, err) < 0)
		goto fail;
	s->aspect = hs_map_aspect(labels->x, labels->y);
	*panel = (struct hs_panel){ &labels_kind, s };
	return 0;
fail:
	labels_free(s);
	return -1;
}
