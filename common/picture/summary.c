#include "picture/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "picture/cloud.h"
#include "picture/collect.h"
#include "picture/panels.h"

enum { MOST_PLACES = 26 };            /* of --at, called A to Z */

/* What the summary of a cube is made of. */
struct summary {
	struct hs_pixels px;          /* open while there is something to read */
	struct hs_collect take;
	const struct hs_axis *x, *y;  /* of the sum image; y NULL: scattered points */
	struct hs_cloud cloud;
	size_t n_at, *at;
	struct hs_map_point *point;
};

static int parse_places(struct hs_maker *m, struct summary *u, struct hs_err *err)
{
	char *all = m->wish->at ? hs_plan_keep(m->plan, hs_must_dup(m->wish->at)) : NULL;
	for (char *save = NULL, *one = all ? strtok_r(all, ";", &save) : NULL; one; one = strtok_r(NULL, ";", &save)) {
		size_t pixel = 0;
		if (u->n_at >= MOST_PLACES)
			return hs_fail(err, HS_USAGE, "--at: more than %d places", MOST_PLACES);
		if (hs_wish_place(one, &u->px, &pixel, err) < 0)
			return hs_err_prepend(err, "--at");
		u->at[u->n_at++] = pixel;
	}
	for (size_t i = 0; i < u->n_at; i++) {
		char *name = hs_plan_keep(m->plan, hs_must_printf("%c", 'A' + (int)i));
		const size_t in_image = u->at[i] % u->take.n_image;
		u->point[i].name = name;
		u->point[i].x = u->y ? u->x->value[in_image % u->x->n] : 0;
		u->point[i].y = u->y ? u->y->value[in_image / u->x->n] : 0;
	}
	return 0;
}

/* The sum image and mean spectrum that stand beside freshly loaded data; found again rather than summed again. */
static bool use_quick_looks(struct hs_maker *m, struct summary *u, struct hs_err *err)
{
	size_t image, mean;
	if (strcmp(hs_in_path(m->in, m->signal), "/entry/data") || m->run->common.mask || m->wish->window ||
		hs_signal_nav_rank(m->s) != 2 || !hs_session_sibling(m->in, m->signal, "sum_image", &image) ||
		!hs_session_sibling(m->in, m->signal, "mean_spectrum", &mean) ||
		hs_signal_count(hs_in_signal(m->in, image)) != u->take.n_image || hs_signal_count(hs_in_signal(m->in, mean)) != m->n_chan)
		return false;
	u->take.sum = hs_maker_other(m, image, err);
	u->take.mean = u->take.sum ? hs_maker_other(m, mean, err) : NULL;
	return u->take.mean != NULL;
}

static int sum_up(struct hs_maker *m, struct summary *u, struct hs_err *err)
{
	double *sum = NULL, *mean = NULL;
	const bool known = use_quick_looks(m, u, err);
	if (hs_failed(err))
		return -1;
	if (u->n_at && !(u->take.rows = hs_maker_reals(m, u->n_at, m->n_chan, err)))
		return -1;
	u->take.n_rows = u->n_at;
	u->take.row = u->at;
	if (known) {
		sum = u->take.sum;
		mean = u->take.mean;
		u->take.sum = u->take.mean = NULL;
	} else {
		sum = u->take.sum = hs_maker_reals(m, u->take.n_image, 1, err);
		mean = u->take.mean = sum ? hs_maker_reals(m, m->n_chan, 1, err) : NULL;
		if (!mean)
			return -1;
	}
	if ((!known || u->n_at) && hs_collect(&u->px, &u->take, err) < 0)
		return -1;
	u->take.sum = sum;
	u->take.mean = mean;
	return 0;
}

/* "sum over energy, time"; with a window "energy 280:320eV". */
static const char *sum_title(struct hs_maker *m, const struct summary *u, const struct hs_axis *channel)
{
	struct hs_str text = { 0 };
	if (channel && m->wish->window)
		hs_str_addf(&text, "%s %s", channel->quantity, m->wish->window);
	else
		hs_str_addf(&text, "sum over %s", channel ? channel->quantity : "the pattern");
	for (size_t d = 0; d + 2 < u->px.n_nav; d++)
		hs_str_addf(&text, ", %s", m->s->axis[u->px.nav[d]].quantity);
	return hs_plan_keep(m->plan, hs_str_take(&text));
}

/* The name of place i in the legend: "A: 3 nm, 5 nm", x first; unless there are just two axes they are named. */
static char *at_name(const struct hs_maker *m, const struct summary *u, size_t i)
{
	struct hs_str text = { 0 };
	size_t rest = u->at[i];
	hs_str_addf(&text, "%c:", 'A' + (int)i);
	for (size_t d = u->px.n_nav; d-- > 0;) {
		const struct hs_axis *a = &m->s->axis[u->px.nav[d]];
		char *value = hs_scale_show(a->value[rest % a->n], 3, a->units);
		if (u->px.n_nav != 2)
			hs_str_addf(&text, " %s", a->name);
		hs_str_addf(&text, " %s%s", value, d ? "," : "");
		rest /= a->n;
		free(value);
	}
	return hs_str_take(&text);
}

static void add_mean_curves(struct hs_maker *m, const struct summary *u, const struct hs_axis *channel)
{
	struct hs_curve *curve;
	struct hs_curves *curves = hs_panel_curves(m, u->n_at ? "spectra" : "mean spectrum", m->s, channel, u->n_at + 1, &curve);
	for (size_t i = 0; i <= u->n_at; i++)
		curve[i] = (struct hs_curve){ .x = channel->value, .y = i ? u->take.rows + (i - 1) * m->n_chan : u->take.mean, .n = channel->n,
			.stroke = channel->n == 1 ? HS_STROKE_LINE_DOT : HS_STROKE_LINE,
			.name = !u->n_at ? NULL : i ? hs_plan_keep(m->plan, at_name(m, u, i - 1)) : "mean" };
	curves->log_y = m->wish->log || m->s->log_scale;
	if (m->wish->window) {
		double *mark = hs_plan_keep(m->plan, hs_must_alloc(2, sizeof *mark));
		mark[0] = channel->value[u->take.first];
		mark[1] = channel->value[u->take.end - 1];
		curves->mark = mark;
		curves->n_marks = 2;
	}
	hs_panel_finish(curves);
}

static void add_mean_patterns(struct hs_maker *m, const struct summary *u)
{
	const struct hs_axis *y = &m->s->axis[m->s->rank - 2], *x = &m->s->axis[m->s->rank - 1];
	hs_panel_map(m, "mean pattern", m->s, u->take.mean, NULL, y, x);
	for (size_t i = 0; i < u->n_at; i++)
		hs_panel_map(m, hs_plan_keep(m->plan, at_name(m, u, i)), m->s, u->take.rows + i * m->n_chan, NULL, y, x);
}

static int draw_summary(struct hs_maker *m, struct summary *u, const struct hs_axis *channel, bool image_only, struct hs_err *err)
{
	const char *title = sum_title(m, u, channel);
	if (u->y) {
		struct hs_map *map = hs_panel_map(m, title, m->s, u->take.sum, NULL, u->y, u->x);
		map->point = u->point;
		map->n_points = u->n_at;
	} else if (u->cloud.x && u->cloud.y) {
		if (hs_cloud_values(m, &u->cloud, title, u->take.sum, NULL, err) < 0)
			return -1;
	} else {
		struct hs_curve *curve;
		hs_panel_curves(m, title, m->s, u->x, 1, &curve);
		*curve = (struct hs_curve){ .x = u->x->value, .y = u->take.sum, .n = u->x->n, .stroke = HS_STROKE_LINE_DOT };
	}
	if (image_only)
		return 0;
	m->limits = m->limits == HS_LIMITS_GIVEN ? HS_LIMITS_ROBUST : m->limits;      /* were given for the sum image */
	if (channel)
		add_mean_curves(m, u, channel);
	else
		add_mean_patterns(m, u);
	return 0;
}

int hs_summary_show(struct hs_maker *m, bool image_only, struct hs_err *err)
{
	struct summary u = { 0 };
	if (hs_maker_pixels(m, &u.px, err) < 0)
		return -1;
	const struct hs_axis *axis = m->s->axis, *channel = u.px.n_sig == 1 ? &axis[u.px.sig[0]] : NULL;
	u.x = &axis[u.px.nav[u.px.n_nav - 1]];
	u.y = u.px.n_nav >= 2 ? &axis[u.px.nav[u.px.n_nav - 2]] : NULL;
	u.take.n_image = u.x->n * (u.y ? u.y->n : 1);
	u.take.end = m->n_chan;
	u.at = hs_plan_keep(m->plan, hs_must_alloc(MOST_PLACES, sizeof *u.at));
	u.point = hs_plan_keep(m->plan, hs_must_alloc(MOST_PLACES, sizeof *u.point));
	if (!u.y)
		hs_cloud_find(m, u.px.nav[0], &u.cloud);
	int verdict = 0;
	if (channel)
		verdict = hs_maker_window(m, channel, &u.take.first, &u.take.end, err);
	else if (m->wish->window)
		verdict = hs_fail(err, HS_USAGE, "--energy: %s has patterns, not spectra", hs_in_path(m->in, m->signal));
	if (verdict == 0 && (verdict = parse_places(m, &u, err)) == 0 && (verdict = sum_up(m, &u, err)) == 0)
		verdict = draw_summary(m, &u, channel, image_only, err);
	hs_pixels_close(&u.px);
	return verdict;
}
