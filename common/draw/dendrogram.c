#include "draw/dendrogram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { MOST = 24 };

struct branch {                       /* a node that is drawn: a branch at the foot, or a merge of two that are */
	double x, height;             /* x in branches, from 0.5 */
	size_t left, right;           /* numbers of branches, or NONE for one at the foot */
	double size;
	int32_t cluster;
};

#define NONE SIZE_MAX

struct state {
	struct hs_dendrogram_plot d;
	struct hs_scale x, y;
	struct hs_palette palette;
	size_t n, n_feet;
	struct branch *branch;
};

/* ------------------------------------------------------------------ from merges to branches */

/* A node and what is below it down to merge number `from`, in the colour of `cluster`; returns its number. No deeper than the
 * number of merges drawn. */
static size_t grow(struct state *s, size_t node, size_t from, const int32_t *cluster, int32_t inherited)
{
	const struct hs_dendrogram_plot *d = &s->d;
	struct branch b = { .left = NONE, .right = NONE, .size = 1, .cluster = inherited >= 0 ? inherited : cluster[node] };
	if (node >= d->n) {
		const size_t merge = node - d->n;
		b.height = d->height[merge];
		b.size = d->size[merge];
		if (merge >= from) {
			b.left = grow(s, (size_t)d->left[merge], from, cluster, b.cluster);
			b.right = grow(s, (size_t)d->right[merge], from, cluster, b.cluster);
		}
	}
	b.x = b.left == NONE ? (double)s->n_feet++ + 0.5 : (s->branch[b.left].x + s->branch[b.right].x) / 2;
	s->branch[s->n] = b;
	return s->n++;
}

/* Every node is made before it is used, and used once. */
static int check(const struct hs_dendrogram_plot *d, uint8_t *used, struct hs_err *err)
{
	for (size_t i = 0; i + 1 < d->n; i++) {
		const double known = (double)(d->n + i), l = d->left[i], r = d->right[i];
		const bool there = l >= 0 && r >= 0 && l < known && r < known && l == floor(l) && r == floor(r) && l != r;
		if (!there || used[(size_t)l] || used[(size_t)r] || !isfinite(d->height[i]) || !isfinite(d->size[i]))
			return hs_fail(err, HS_BAD_DATA, "merge %zu of the dendrogram does not join two groups", i + 1);
		used[(size_t)l] = used[(size_t)r] = 1;
	}
	return 0;
}

static double size_of(const struct hs_dendrogram_plot *d, size_t node)
{
	return node < d->n ? 1 : d->size[node - d->n];
}

/* The clusters are the nodes that the last merges join; numbered by size, the largest first (ties: the lower node). */
static void number_clusters(const struct hs_dendrogram_plot *d, size_t from, int32_t *cluster)
{
	const size_t n_nodes = 2 * d->n - 1;
	size_t n = 0, *top = hs_must_alloc(2 * (d->n - 1 - from) + 1, sizeof *top);
	for (size_t node = 0; node < n_nodes; node++)
		cluster[node] = -1;
	if (from == d->n - 1)
		top[n++] = n_nodes - 1;
	for (size_t i = from; i < d->n - 1; i++)
		for (int side = 0; side < 2; side++) {
			const size_t node = (size_t)(side ? d->right[i] : d->left[i]);
			if (node >= d->n + from)
				continue;
			size_t at = n++;
			for (; at > 0 && (size_of(d, top[at - 1]) < size_of(d, node) ||
				(size_of(d, top[at - 1]) == size_of(d, node) && top[at - 1] > node)); at--)
				top[at] = top[at - 1];
			top[at] = node;
		}
	for (size_t k = 0; k < n; k++)
		cluster[top[k]] = (int32_t)k;
	free(top);
}

/* ------------------------------------------------------------------ the panel */

static struct hs_frame box_frame(const struct state *s)
{
	return (struct hs_frame){ .title = s->d.title, .x = { .scale = &s->x, .no_ticks = true },
		.y = { .scale = &s->y, .name = s->d.height_name } };
}

/* Room under the box for the sizes, which may be turned. */
static double sizes_height(struct hs_canvas *c)
{
	return hs_canvas_text_width(c, HS_FONT_TICK, "000000") + 8;
}

static void dendrogram_need(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame,
	struct hs_need *need)
{
	const struct state *s = self;
	const struct hs_frame f = box_frame(s);
	hs_frame_need(&f, c, cell, frame, need);
	need->bottom += sizes_height(c) + hs_line_px(c, HS_FONT_LABEL);
	need->min_height = 120;
}

static double y_at(const struct state *s, struct hs_rect frame, double height)
{
	return frame.y + (1 - hs_scale_at(&s->y, height)) * frame.h;
}

static struct hs_rgba colour_of(const struct state *s, const struct branch *b)
{
	return b->cluster < 0 ? hs_mid_grey : hs_palette_at(&s->palette, (size_t)b->cluster);
}

static void draw_branches(const struct state *s, struct hs_canvas *c, struct hs_rect frame)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct branch *b = &s->branch[i];
		if (b->left == NONE)
			continue;
		const struct branch *side[] = { &s->branch[b->left], &s->branch[b->right] };
		const double top = y_at(s, frame, b->height);
		double x[2];
		for (int k = 0; k < 2; k++) {
			const double foot = side[k]->left == NONE ? 0 : side[k]->height;
			x[k] = frame.x + hs_scale_at(&s->x, side[k]->x) * frame.w;
			hs_canvas_line(c, (struct hs_pen){ colour_of(s, b->cluster < 0 ? side[k] : b), 1.4, 0 }, x[k], top, x[k],
				y_at(s, frame, foot));
		}
		hs_canvas_line(c, (struct hs_pen){ colour_of(s, b), 1.4, 0 }, x[0], top, x[1], top);
	}
}

/* How many pixels each branch holds, turned when they stand close. */
static void draw_sizes(const struct state *s, struct hs_canvas *c, struct hs_rect frame)
{
	const double room = frame.w / (double)s->n_feet, line = hs_line_px(c, HS_FONT_TICK);
	bool turned = false;
	char text[32];
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < s->n; i++) {
			const struct branch *b = &s->branch[i];
			const double x = frame.x + hs_scale_at(&s->x, b->x) * frame.w;
			if (b->left != NONE)
				continue;
			snprintf(text, sizeof text, "%.6g", b->size);
			turned |= !pass && hs_canvas_text_width(c, HS_FONT_TICK, text) + 4 > room;
			if (!pass || room < 0.7 * line)
				continue;
			if (turned)
				hs_canvas_text(c, HS_FONT_TICK, HS_TURNED, colour_of(s, b), x, frame.y + frame.h + 4, 1, 0.5, text);
			else
				hs_canvas_text(c, HS_FONT_TICK, HS_UPRIGHT, colour_of(s, b), x, frame.y + frame.h + 4, 0.5, 0, text);
		}
}

static int dendrogram_draw(const void *self, struct hs_canvas *c, struct hs_rect cell, struct hs_rect frame, struct hs_err *err)
{
	(void)err;
	const struct state *s = self;
	hs_canvas_clip(c, frame);
	draw_branches(s, c, frame);
	hs_canvas_unclip(c);
	const struct hs_frame f = box_frame(s);
	hs_frame_draw(&f, c, cell, frame);
	draw_sizes(s, c, frame);
	hs_canvas_text(c, HS_FONT_LABEL, HS_UPRIGHT, hs_black, frame.x + frame.w / 2, frame.y + frame.h + sizes_height(c), 0.5, 0,
		"Pixels of a branch");
	return 0;
}

static void dendrogram_free(void *self)
{
	struct state *s = self;
	free(s->branch);
	free(s);
}

static const struct hs_panel_kind dendrogram_kind = { dendrogram_need, dendrogram_draw, dendrogram_free };

int hs_dendrogram_panel(const struct hs_dendrogram_plot *tree, struct hs_panel *panel, struct hs_err *err)
{
	const size_t n = tree->n, n_merges = n - 1, most = tree->most ? tree->most : MOST;
	if (n < 2)
		return hs_fail(err, HS_BAD_DATA, "a dendrogram needs at least two leaves");
	const size_t drawn = n_merges < most - 1 ? n_merges : most - 1, joins = tree->n_clusters > 1 ? tree->n_clusters - 1 : 0;
	uint8_t *used = hs_alloc(2 * n, 1, err);
	int32_t *cluster = used ? hs_alloc(2 * n, sizeof *cluster, err) : NULL;
	if (!cluster || check(tree, used, err) < 0) {
		free(used);
		free(cluster);
		return -1;
	}
	struct state *s = hs_must_alloc(1, sizeof *s);
	s->d = *tree;
	hs_palette_init(&s->palette);
	s->branch = hs_must_alloc(2 * drawn + 1, sizeof *s->branch);
	number_clusters(tree, n_merges - (joins < n_merges ? joins : n_merges), cluster);
	grow(s, 2 * n - 2, n_merges - drawn, cluster, -1);
	free(used);
	free(cluster);
	const double top = tree->height[n_merges - 1];
	hs_scale_init(&s->x, 0, (double)s->n_feet, NULL, false);
	hs_scale_init(&s->y, 0, top > 0 ? 1.05 * top : 1, tree->height_unit, false);
	*panel = (struct hs_panel){ &dendrogram_kind, s };
	return 0;
}
