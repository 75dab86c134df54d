#include "draw/figure.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define OUTER 10.0                /* white border of the page */
#define GAP 16.0                  /* between the cells of panels */
#define LEAST_BOX 24.0
#define HEAD_LINES 3

void hs_panel_release(struct hs_panel *panel)
{
	if (panel->kind)
		panel->kind->free(panel->self);
	*panel = (struct hs_panel){ 0 };
}

/* The grid: equal cells side by side; every column has its left and right margin, every row top, bottom and box height. */
struct layout {
	const struct hs_figure *figure;
	size_t n_cols, n_rows;
	double page_w, page_h, cell_w;
	double head_h;                /* of the common title, with its gap */
	char *head;
	double *left, *right, *top, *bottom, *box_h;
	struct hs_need *need;         /* of each panel, from the last round */
};

static size_t columns(const struct hs_figure *f)
{
	if (f->n_cols)
		return f->n_cols < f->n_panels ? f->n_cols : f->n_panels;
	if (f->n_panels <= 3)
		return f->n_panels;
	const size_t c = (size_t)ceil(sqrt((double)f->n_panels));
	return (f->n_panels + c) / (c + 1) * (c + 1) < (f->n_panels + c - 1) / c * c ? c + 1 : c;
}

static struct hs_rect cell_at(const struct layout *l, size_t p)
{
	const size_t row = p / l->n_cols, col = p % l->n_cols;
	struct hs_rect r = { OUTER + (double)col * (l->cell_w + GAP), OUTER + l->head_h, l->cell_w, 0 };
	for (size_t i = 0; i < row; i++)
		r.y += l->top[i] + l->box_h[i] + l->bottom[i] + GAP;
	r.h = l->top[row] + l->box_h[row] + l->bottom[row];
	return r;
}

static struct hs_rect box_at(const struct layout *l, const struct hs_canvas *c, size_t p)
{
	const size_t row = p / l->n_cols, col = p % l->n_cols;
	const struct hs_rect cell = cell_at(l, p);
	struct hs_rect r = { cell.x + l->left[col], cell.y + l->top[row], cell.w - l->left[col] - l->right[col], l->box_h[row] };
	const double aspect = l->need[p].aspect;
	if (aspect > 0) {
		const double w = fmin(r.w, r.h / aspect), h = w * aspect;
		r = (struct hs_rect){ r.x + (r.w - w) / 2, r.y, w, h };       /* titles of a row stand on one line */
	}
	return hs_canvas_snap(c, r);
}

/* Heights of the boxes of all rows, from the page or from what the panels like. */
static int set_heights(struct layout *l, struct hs_err *err)
{
	const struct hs_figure *f = l->figure;
	double around = 2 * OUTER + l->head_h + (double)(l->n_rows - 1) * GAP, least_w = INFINITY;
	for (size_t r = 0; r < l->n_rows; r++)
		around += l->top[r] + l->bottom[r];
	for (size_t c = 0; c < l->n_cols; c++)
		least_w = fmin(least_w, l->cell_w - l->left[c] - l->right[c]);
	double least_h = INFINITY;
	for (size_t r = 0; r < l->n_rows; r++) {
		if (f->height > 0) {
			l->box_h[r] = (f->height - around) / (double)l->n_rows;
		} else {
			double h = 0;
			for (size_t p = r * l->n_cols; p < f->n_panels && p < (r + 1) * l->n_cols; p++) {
				const size_t col = p % l->n_cols;
				const double w = l->cell_w - l->left[col] - l->right[col], aspect = l->need[p].aspect;
				h = fmax(h, fmax(l->need[p].min_height, fmin(aspect > 0 ? aspect * w : 0.62 * w, 1.8 * w)));
			}
			l->box_h[r] = h;
		}
		least_h = fmin(least_h, l->box_h[r]);
	}
	if (!(least_w >= LEAST_BOX && least_h >= LEAST_BOX))
		return hs_fail(err, HS_USAGE, "a page of %g x %g px is too small for %zu x %zu panels: %s would help", l->page_w,
			f->height > 0 ? f->height : l->page_h, l->n_cols, l->n_rows,
			least_w < LEAST_BOX ? "more width or fewer columns" : "more height");
	l->page_h = around;
	for (size_t r = 0; r < l->n_rows; r++)
		l->page_h += l->box_h[r];
	return 0;
}

static bool grow(double *margin, double need)
{
	if (need <= *margin + 0.01)
		return false;
	*margin = need;
	return true;
}

/* Maps of one kind look best when they are all of one size; other panels rather use the room. */
static bool all_maps(const struct layout *l)
{
	const struct hs_figure *f = l->figure;
	for (size_t p = 0; p < f->n_panels; p++)
		if (f->panel[p].kind != f->panel[0].kind || !(l->need[p].aspect > 0))
			return false;
	return true;
}

static bool even_out(struct layout *l)
{
	bool changed = false;
	for (size_t a = 0; a < l->n_cols; a++)
		for (size_t b = 0; b < l->n_cols; b++)
			changed |= grow(&l->left[a], l->left[b]) | grow(&l->right[a], l->right[b]);
	return changed;
}

/* Margins grow until every panel has what it needs with the box it gets; they never shrink, so this ends. */
static int settle(struct layout *l, struct hs_canvas *c, struct hs_err *err)
{
	const struct hs_figure *f = l->figure;
	char *head = NULL;
	const char *title = f->title ? f->title : "";
	const size_t n_lines = hs_canvas_wrap(c, HS_FONT_HEAD, title, l->page_w - 2 * OUTER, HEAD_LINES, &head);
	l->head = head;
	l->head_h = n_lines ? (double)n_lines * hs_line_px(c, HS_FONT_HEAD) + 8 : 0;
	for (int round = 0; round < 24; round++) {
		if (set_heights(l, err) < 0)
			return -1;
		bool changed = false;
		for (size_t p = 0; p < f->n_panels; p++) {
			const struct hs_panel *panel = &f->panel[p];
			const size_t row = p / l->n_cols, col = p % l->n_cols;
			if (!panel->kind)
				continue;
			const double aspect = l->need[p].aspect, least = l->need[p].min_height;
			panel->kind->need(panel->self, c, cell_at(l, p), box_at(l, c, p), &l->need[p]);
			const struct hs_need *n = &l->need[p];
			changed |= grow(&l->left[col], ceil(n->left)) | grow(&l->right[col], ceil(n->right)) | grow(&l->top[row], ceil(n->top)) |
			           grow(&l->bottom[row], ceil(n->bottom));
			changed |= n->aspect > aspect || n->aspect < aspect || n->min_height > least || n->min_height < least;
		}
		if (all_maps(l))
			changed |= even_out(l);
		if (!changed)
			return 0;
	}
	return set_heights(l, err);
}

static int draw_all(struct layout *l, struct hs_canvas *c, struct hs_err *err)
{
	const struct hs_figure *f = l->figure;
	if (l->head)
		hs_canvas_lines(c, HS_FONT_HEAD, hs_black, l->page_w / 2, OUTER, 0.5, l->head);
	for (size_t p = 0; p < f->n_panels; p++)
		if (f->panel[p].kind && f->panel[p].kind->draw(f->panel[p].self, c, cell_at(l, p), box_at(l, c, p), err) < 0)
			return -1;
	return 0;
}

int hs_figure_draw(const struct hs_figure *f, enum hs_picture kind, hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	if (!f->n_panels)
		return hs_fail(err, HS_USAGE, "a figure without panels cannot be drawn");
	struct layout l = { .figure = f, .n_cols = columns(f) };
	l.n_rows = (f->n_panels + l.n_cols - 1) / l.n_cols;
	l.page_w = f->width > 0 ? f->width : l.n_cols == 1 ? 640 : 360 * (double)l.n_cols;
	l.cell_w = (l.page_w - 2 * OUTER - (double)(l.n_cols - 1) * GAP) / (double)l.n_cols;
	const double scale = f->scale > 0 ? f->scale : 1, font_px = f->font_px > 0 ? f->font_px : 12;
	double *room = hs_alloc(2 * l.n_cols + 3 * l.n_rows, sizeof *room, err);
	l.need = room ? hs_alloc(f->n_panels, sizeof *l.need, err) : NULL;
	/* Text is measured on a page of its own: the final height is not known yet. */
	struct hs_canvas *trial = l.need ? hs_canvas_new(HS_PICTURE_PNG, 2 / scale, 2 / scale, scale, font_px, err) : NULL, *page = NULL;
	int rc = -1;
	if (!trial)
		goto out;
	l.left = room;
	l.right = l.left + l.n_cols;
	l.top = l.right + l.n_cols;
	l.bottom = l.top + l.n_rows;
	l.box_h = l.bottom + l.n_rows;
	if (settle(&l, trial, err) < 0)
		goto out;
	page = hs_canvas_new(kind, l.page_w, f->height > 0 ? f->height : ceil(l.page_h), scale, font_px, err);
	if (page && draw_all(&l, page, err) == 0)
		rc = hs_canvas_write(page, write, ctx, err);
out:
	hs_canvas_free(page);
	hs_canvas_free(trial);
	free(l.head);
	free(l.need);
	free(room);
	return rc;
}
