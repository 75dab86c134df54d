#include "picture/panels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "picture/fits.h"
#include "factor/rank.h"

enum { MOST_NAMES = 1000 };           /* of labels; beyond that nobody reads them */

#define LEAST_RATIO 1e-12             /* of the variance: the tail below is round-off, and would stretch the scree plot */

/* ------------------------------------------------------------------ maps */

/* In place: logarithms to base 10. What is not above 0 takes the least that is, so that empty pixels stay in the picture. */
static void take_log(double *v, size_t n)
{
	double least = INFINITY;
	for (size_t i = 0; i < n; i++)
		if (v[i] > 0 && v[i] < least)
			least = v[i];
	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i]))
			v[i] = log10(fmax(v[i], isfinite(least) ? least : 1));
}

struct hs_map *hs_panel_map(struct hs_maker *m, const char *title, const struct hs_signal *s, double *value, const uint8_t *mask,
	const struct hs_axis *y, const struct hs_axis *x)
{
	struct hs_map *map = &hs_plan_add(m->plan, HS_DRAWING_MAP)->map;
	*map = (struct hs_map){ .title = title, .name = s->quantity, .unit = s->units, .value = value, .mask = mask, .x = x, .y = y,
		.colormap = m->wish->colormap < 0 ? HS_COLORMAP_DUSK : (enum hs_colormap_kind)m->wish->colormap,
		.limits = m->limits, .lo = m->lo, .hi = m->hi };
	if (m->wish->log || s->log_scale) {
		take_log(value, x->n * y->n);
		map->name = hs_plan_keep(m->plan, strcmp(s->units, "1") ? hs_must_printf("log₁₀ %s / %s", s->quantity, s->units) :
			hs_must_printf("log₁₀ %s", s->quantity));
		map->unit = NULL;
		if (m->limits == HS_LIMITS_GIVEN && m->lo > 0) {
			map->lo = log10(m->lo);
			map->hi = log10(m->hi);
		}
	}
	return map;
}

void hs_panel_balance(struct hs_maker *m, size_t first)
{
	bool is_signed = false;
	if (m->wish->colormap >= 0 || m->wish->log)
		return;
	for (size_t i = first; i < m->plan->n; i++) {
		const struct hs_map *map = &m->plan->drawing[i].map;
		double lo = NAN, hi = NAN;
		struct hs_err ignored = { 0 };
		hs_limits_find(map->value, map->mask, map->x->n * map->y->n, HS_LIMITS_ROBUST, false, &lo, &hi, &ignored);
		is_signed |= lo < -0.1 * hi && hi > -0.1 * lo;
	}
	for (size_t i = first; i < m->plan->n && is_signed; i++)
		m->plan->drawing[i].map.colormap = HS_COLORMAP_BALANCE;
}

/* ------------------------------------------------------------------ curves */

struct hs_curves *hs_panel_curves(struct hs_maker *m, const char *title, const struct hs_signal *s, const struct hs_axis *x,
	size_t n, struct hs_curve **curve)
{
	*curve = hs_plan_keep(m->plan, hs_must_alloc(n, sizeof **curve));
	struct hs_curves *curves = &hs_plan_add(m->plan, HS_DRAWING_CURVES)->curves;
	*curves = (struct hs_curves){ .title = title, .x_name = hs_axis_what(x), .x_unit = x->units, .y_name = s->quantity,
		.y_unit = s->units, .curve = *curve, .n_curves = n, .stacked = m->wish->stacked, .integer_x = x->kind == HS_AXIS_CHANNEL };
	return curves;
}

void hs_panel_finish(struct hs_curves *c)
{
	bool below = false, above = false;
	for (size_t k = 0; k < c->n_curves; k++)
		for (size_t i = 0; i < c->curve[k].n; i++) {
			below |= c->curve[k].y[i] < 0;
			above |= c->curve[k].y[i] > 0;
		}
	c->zero_line = below && above && !c->log_y && !c->stacked;
}

int hs_panel_rows(struct hs_maker *m, const char *title, const struct hs_signal *s, const struct hs_axis *x, const double *v,
	const double *sigma, const size_t *chosen, size_t n, bool own_window, struct hs_err *err)
{
	struct hs_palette palette;
	struct hs_curve *curve;
	size_t first = 0, end = x->n;
	if (own_window && hs_maker_window(m, x, &first, &end, err) < 0)
		return -1;
	hs_palette_init(&palette);
	struct hs_curves *curves = hs_panel_curves(m, title, s, x, n, &curve);
	for (size_t i = 0; i < n; i++) {
		const size_t k = chosen ? chosen[i] : i;
		curve[i] = (struct hs_curve){ .x = x->value + first, .y = v + k * x->n + first,
			.sigma = sigma ? sigma + k * x->n + first : NULL, .n = end - first, .has_colour = true, .colour = hs_palette_at(&palette, k),
			.stroke = x->n <= 50 && (x->kind == HS_AXIS_CHANNEL || x->n == 1) ? HS_STROKE_LINE_DOT : HS_STROKE_LINE };
		if (s->rank > 1 && n > 1)
			curve[i].name = hs_plan_keep(m->plan, s->axis[0].kind == HS_AXIS_CHANNEL ? hs_must_printf("%.15g", s->axis[0].value[k]) :
				hs_maker_place(&s->axis[0], k));
	}
	if (own_window) {
		curves->log_y = m->wish->log || s->log_scale;
		if (m->limits == HS_LIMITS_GIVEN && !m->wish->stacked) {
			curves->has_y_limits = true;
			curves->y_lo = m->lo;
			curves->y_hi = m->hi;
		}
	}
	hs_panel_finish(curves);
	return 0;
}

/* ------------------------------------------------------------------ labels and variance */

int32_t *hs_panel_to_labels(struct hs_maker *m, const double *v, const uint8_t *mask, size_t n, struct hs_err *err)
{
	int32_t *label = hs_maker_room(m, n, sizeof *label, err);
	for (size_t i = 0; label && i < n; i++)
		label[i] = v[i] >= 0 && v[i] < INT32_MAX && !(mask && mask[i]) ? (int32_t)v[i] : -1;
	return label;
}

void hs_panel_labels(struct hs_maker *m, size_t signal, const char *title, const int32_t *label, const struct hs_axis *y,
	const struct hs_axis *x, size_t n_labels)
{
	const size_t n = x->n * y->n;
	size_t n_meant;
	const char **name = NULL, **meaning = hs_meanings(m->plan, m->in, signal, &n_meant);
	if (meaning && strstr(hs_in_signal(m->in, signal)->name, "label"))
		n_labels = n_meant > n_labels ? n_meant : n_labels;   /* an alternative that is nowhere the best is an answer too */
	for (size_t i = 0; i < n; i++)
		n_labels = label[i] >= 0 && (size_t)label[i] >= n_labels ? (size_t)label[i] + 1 : n_labels;
	if (n_labels && n_labels <= MOST_NAMES) {
		name = hs_plan_keep(m->plan, hs_must_alloc(n_labels, sizeof *name));
		for (size_t i = 0; i < n_labels; i++)
			name[i] = i < n_meant && meaning[i] ? meaning[i] :
				hs_plan_keep(m->plan, hs_must_printf("%s %zu", hs_in_signal(m->in, signal)->quantity, i));
	}
	struct hs_drawing *d = hs_plan_add(m->plan, HS_DRAWING_LABELS);
	d->labels = (struct hs_labels){ .title = title, .label = label, .x = x, .y = y, .n_labels = n_labels, .name = name };
}

int hs_panel_scree(struct hs_maker *m, size_t variance, size_t n_kept, struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(m->in, variance);
	const double *ratio = hs_maker_other(m, variance, err);
	if (!ratio)
		return hs_failed(err) ? -1 : 0;
	double sum = 0;
	size_t n = 0;
	for (size_t i = 0; i < s->axis[0].n; i++) {
		sum += ratio[i] > 0 ? ratio[i] : 0;
		n = ratio[i] > LEAST_RATIO || !n ? i + 1 : n;
	}
	size_t k, n_opinions = 0;
	const double *opinion = NULL;
	if (hs_session_sibling(m->in, variance, "rank", &k) && hs_in_signal(m->in, k)->rank == 1) {
		opinion = hs_maker_other(m, k, err);
		if (!opinion && hs_failed(err))
			return -1;
		n_opinions = opinion ? hs_in_signal(m->in, k)->axis[0].n : 0;
		n_opinions = n_opinions < HS_RANK_TESTS ? n_opinions : HS_RANK_TESTS;
	}
	struct hs_scree *scree = &hs_plan_add(m->plan, HS_DRAWING_SCREE)->scree;
	*scree = (struct hs_scree){ .title = "explained variance", .ratio = ratio, .n = n, .chosen = n_kept <= n ? n_kept : 0,
		.n_opinions = n_opinions, .opinion_name = hs_rank_names, .opinion = opinion,
		.cumulative = sum <= 1 + 1e-6 };
	return 0;
}
