#include "picture/cloud.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"

enum {
	MOST_LABELS = 1000,           /* one curve each */
	DOT_STEPS = 48                /* of colour */
};

bool hs_cloud_find(const struct hs_maker *m, size_t dim, struct hs_cloud *c)
{
	*c = (struct hs_cloud){ hs_signal_find_coord(m->s, "x", dim), hs_signal_find_coord(m->s, "y", dim), m->s->axis[dim].n };
	return c->x && c->y;
}

static struct hs_curve *add_cloud(struct hs_maker *m, const struct hs_cloud *c, const char *title, size_t n_curves)
{
	struct hs_curve *curve = hs_plan_keep(m->plan, hs_must_alloc(n_curves, sizeof *curve));
	struct hs_curves *curves = &hs_plan_add(m->plan, HS_DRAWING_CURVES)->curves;
	*curves = (struct hs_curves){ .title = title, .x_name = "x", .x_unit = c->x->units, .y_name = "y", .y_unit = c->y->units,
		.curve = curve, .n_curves = n_curves, .equal_aspect = hs_unit_factor(c->x->units, c->y->units) > 0 };
	return curve;
}

/* The points that belong to group k of n_groups: one curve of dots. */
static int fill_group(struct hs_maker *m, const struct hs_cloud *c, const int *group, int k, struct hs_curve *curve,
	struct hs_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		n += group[i] == k;
	double *x = hs_maker_reals(m, n, 1, err), *y = x ? hs_maker_reals(m, n, 1, err) : NULL;
	if (!y)
		return -1;
	n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (group[i] == k) {
			x[n] = c->x->value[i];
			y[n++] = c->y->value[i];
		}
	curve->x = x;
	curve->y = y;
	curve->n = n;
	curve->stroke = HS_STROKE_DOT;
	curve->has_colour = true;
	return 0;
}

int hs_cloud_values(struct hs_maker *m, const struct hs_cloud *c, const char *title, const double *v, const uint8_t *mask,
	struct hs_err *err)
{
	struct hs_colormap map;
	double lo = m->lo, hi = m->hi;
	if (hs_limits_find(v, mask, c->n, m->limits, false, &lo, &hi, err) < 0)
		return -1;
	/* also for signed values: the white middle of BALANCE would vanish on the page */
	hs_colormap_init(&map, m->wish->colormap >= 0 ? (enum hs_colormap_kind)m->wish->colormap : HS_COLORMAP_DUSK);
	int *group = hs_maker_room(m, c->n, sizeof *group, err);
	if (!group)
		return -1;
	struct hs_curve *curve = add_cloud(m, c, title, DOT_STEPS + 2);
	for (size_t i = 0; i < c->n; i++) {
		const double t = lo < hi ? (v[i] - lo) / (hi - lo) : 0.5;
		group[i] = !isfinite(v[i]) || (mask && mask[i]) ? DOT_STEPS + 1 : (int)(fmin(1, fmax(0, t)) * DOT_STEPS + 0.5);
	}
	for (int k = 0; k <= DOT_STEPS + 1; k++) {
		if (fill_group(m, c, group, k, &curve[k], err) < 0)
			return -1;
		const double t = (double)k / DOT_STEPS, at = lo * (1 - t) + hi * t;
		curve[k].colour = k <= DOT_STEPS ? hs_colormap_at(&map, 0, 1, t) : map.missing;
		if (k <= DOT_STEPS && isfinite(at) && k % (DOT_STEPS / 4) == 0 && (k == 0 || lo < hi))
			curve[k].name = hs_plan_keep(m->plan, hs_scale_show(at, 3, m->s->units));
		else if (k > DOT_STEPS && curve[k].n)
			curve[k].name = "no value";
	}
	return 0;
}

int hs_cloud_labels(struct hs_maker *m, const struct hs_cloud *c, const int32_t *label, struct hs_err *err)
{
	struct hs_palette palette;
	int32_t most = -1;
	for (size_t i = 0; i < c->n; i++)
		most = label[i] > most ? label[i] : most;
	if (most >= MOST_LABELS)
		return hs_fail(err, HS_BAD_DATA, "%d labels are too many to tell apart", most + 1);
	hs_palette_init(&palette);
	struct hs_curve *curve = add_cloud(m, c, NULL, (size_t)(most + 2));
	for (int32_t k = -1; k <= most; k++) {
		struct hs_curve *one = &curve[k + 1];
		if (fill_group(m, c, label, k, one, err) < 0)
			return -1;
		one->colour = k < 0 ? (struct hs_rgba){ 150, 150, 150, 255 } : hs_palette_at(&palette, (size_t)k);
		const double share = 100 * (double)one->n / (double)c->n;
		if (k >= 0)
			one->name = hs_plan_keep(m->plan, hs_must_printf("%s %d   %.1f %%", m->s->quantity, k, share));
		else if (one->n)
			one->name = hs_plan_keep(m->plan, hs_must_printf("none   %.1f %%", share));
	}
	return 0;
}
