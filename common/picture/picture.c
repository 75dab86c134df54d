#include "picture/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "picture/cloud.h"
#include "picture/companions.h"
#include "picture/fits.h"
#include "picture/panels.h"
#include "picture/summary.h"

enum {
	MOST_MAPS = 25,               /* of a montage nobody chose; longer stacks are summed up */
	MOST_CURVES = 40              /* beyond that curves are drawn as a map, one a row */
};

/* ------------------------------------------------------------------ what the signal is */

enum form {
	FORM_SPECTRUM,                /* one axis */
	FORM_CURVES,                  /* component x channels */
	FORM_LINE,                    /* position x channels */
	FORM_IMAGE,                   /* y x x */
	FORM_STACK,                   /* something x y x x: maps, frames */
	FORM_CUBE,                    /* pixels x channels */
	FORM_PATTERNS,                /* pixels x (two channel axes) */
	FORM_POINTS,                  /* scattered: one value each */
	FORM_POINT_STACK,             /* ... component x point */
	FORM_POINT_CUBE               /* ... point x channels */
};

static enum form form_of(const struct hs_signal *s)
{
	const size_t nav = hs_signal_nav_rank(s);
	if (s->axis[s->rank - 1].kind == HS_AXIS_POINT)
		return s->rank == 1 ? FORM_POINTS : FORM_POINT_STACK;
	if (s->rank == 1)
		return FORM_SPECTRUM;
	if (s->sig_rank == 2)
		return nav == 0 ? FORM_IMAGE : nav == 1 || s->axis[0].kind == HS_AXIS_CHANNEL ? FORM_STACK : FORM_PATTERNS;
	if (nav >= 2)
		return FORM_CUBE;
	return s->axis[0].kind == HS_AXIS_POINT ? FORM_POINT_CUBE : s->axis[0].kind == HS_AXIS_CHANNEL ? FORM_CURVES : FORM_LINE;
}

/* Maps of classes: labels, and codes that have meanings. */
static bool is_labels(const struct hs_maker *m)
{
	const struct hs_signal *s = m->s;
	size_t n;
	return !hs_dtype_is_float(s->dtype) && !hs_dtype_is_complex(s->dtype) && (strstr(s->name, "label") ||
		(s->rank <= 2 && hs_meanings(m->plan, m->in, m->signal, &n)));
}

static enum hs_show usual(const struct hs_maker *m, enum form form)
{
	if (is_labels(m))
		return HS_SHOW_LABELS;
	if (hs_is_variance(m->s))
		return HS_SHOW_SCREE;
	if (hs_is_dendrogram(m->s))
		return HS_SHOW_DENDROGRAM;
	switch (form) {
	case FORM_SPECTRUM: return HS_SHOW_CURVES;
	case FORM_CURVES: return m->s->axis[0].n > MOST_CURVES && !m->wish->components ? HS_SHOW_IMAGE : HS_SHOW_CURVES;
	case FORM_STACK: return (m->s->rank == 3 && m->n_chan > MOST_MAPS && !m->wish->components) || m->wish->window || m->wish->at ?
		HS_SHOW_CUBE : HS_SHOW_MAPS;
	case FORM_CUBE:
	case FORM_PATTERNS:
	case FORM_POINT_CUBE: return m->wish->components ? HS_SHOW_MAPS : HS_SHOW_CUBE;
	case FORM_POINT_STACK: return HS_SHOW_MAPS;
	default: return HS_SHOW_IMAGE;
	}
}

/* ------------------------------------------------------------------ what was asked for */

/* Which of n components; without --component all of them. */
static int choose(struct hs_maker *m, size_t n, struct hs_err *err)
{
	m->chosen = hs_maker_room(m, n, sizeof *m->chosen, err);
	if (!m->chosen)
		return -1;
	return hs_wish_list(m->wish->components, n, m->chosen, &m->n_chosen, err) < 0 ? hs_err_prepend(err, "--component") : 0;
}

static int parse_limits(struct hs_maker *m, struct hs_err *err)
{
	const char *text = m->wish->limits;
	m->limits = HS_LIMITS_ROBUST;
	if (!text || !strcmp(text, "robust"))
		return 0;
	m->limits = HS_LIMITS_FULL;
	if (!strcmp(text, "full"))
		return 0;
	m->limits = HS_LIMITS_GIVEN;
	if (hs_parse_range(text, m->s->units, &m->lo, &m->hi, err) < 0)
		return hs_err_prepend(err, "--limits");
	if (m->wish->log && !(m->lo > 0))
		return hs_fail(err, HS_USAGE, "--limits: a logarithmic scale begins above 0");
	return 0;
}

static int need_no_choice(const struct hs_maker *m, struct hs_err *err)
{
	if (m->wish->components)
		return hs_fail(err, HS_USAGE, "--component: %s has no components", hs_in_path(m->in, m->signal));
	return 0;
}

/* ------------------------------------------------------------------ the pictures */

static int show_curves(struct hs_maker *m, enum form form, struct hs_err *err)
{
	const struct hs_axis *x = &m->s->axis[m->s->rank - 1];
	const uint8_t *mask;
	if (hs_is_choice(m->s) && m->wish->show == HS_SHOW_AUTO)
		return hs_companion_choice(m, m->signal, err);
	const size_t n = form == FORM_SPECTRUM ? 1 : m->s->axis[0].n;
	if (form != FORM_SPECTRUM && form != FORM_CURVES && form != FORM_LINE)
		return hs_fail(err, HS_USAGE, "--kind curves: %s holds no curves (a cube has --at)", hs_in_path(m->in, m->signal));
	if ((form == FORM_SPECTRUM && need_no_choice(m, err) < 0) || choose(m, n, err) < 0)
		return -1;
	const double *v = hs_maker_rows(m, NULL, n, &mask, err);
	if (!v)
		return -1;
	double *sigma = hs_in_read_companion(m->in, m->signal, "data_errors", n * x->n);
	if (sigma)
		hs_plan_keep(m->plan, sigma);
	return hs_panel_rows(m, NULL, m->s, x, v, sigma, m->chosen, m->n_chosen, true, err);
}

static int show_scree(struct hs_maker *m, enum form form, struct hs_err *err)
{
	size_t k, n_kept = 0;
	if (form != FORM_SPECTRUM)
		return hs_fail(err, HS_USAGE, "--kind scree: %s is not one value a component", hs_in_path(m->in, m->signal));
	if (need_no_choice(m, err) < 0)
		return -1;
	if (hs_session_sibling(m->in, m->signal, "loadings", &k))
		n_kept = hs_in_signal(m->in, k)->axis[0].n;
	return hs_panel_scree(m, m->signal, n_kept, err);
}

static int show_dendrogram(struct hs_maker *m, struct hs_err *err)
{
	if (!hs_is_dendrogram(m->s))
		return hs_fail(err, HS_USAGE, "--kind dendrogram: %s holds no merges", hs_in_path(m->in, m->signal));
	return need_no_choice(m, err) < 0 ? -1 : hs_companion_dendrogram(m, m->signal, err);
}

/* The maps of a stack: its slices; of a cube: single channels. */
static int show_slices(struct hs_maker *m, enum form form, struct hs_err *err)
{
	const struct hs_signal *s = m->s;
	const size_t nav = hs_signal_nav_rank(s), first = m->plan->n;
	const uint8_t *mask = NULL;
	const bool by_rows = form == FORM_STACK && nav > 1;      /* component x time x y x x: each pixel row is a map */
	const size_t n = by_rows ? m->n_pix : m->n_chan, size = by_rows ? m->n_chan : m->n_pix;
	if (choose(m, n, err) < 0)
		return -1;
	if (!m->wish->components && m->n_chosen > MOST_MAPS) {
		hs_warn("%s: the first %d of %zu maps are shown (--component chooses)", s->name, MOST_MAPS, m->n_chosen);
		m->n_chosen = MOST_MAPS;
	}
	double *v = by_rows ? hs_maker_rows(m, m->chosen, m->n_chosen, &mask, err) :
		hs_maker_maps(m, m->chosen, m->n_chosen, &mask, err);
	if (!v)
		return -1;
	const size_t y = form == FORM_STACK ? s->rank - 2 : nav - 2;
	for (size_t i = 0; i < m->n_chosen; i++) {
		const char *place = form == FORM_STACK ? hs_maker_places(m, 0, nav, m->chosen[i]) :
			hs_maker_places(m, nav, s->rank, m->chosen[i]);
		hs_panel_map(m, place, s, v + i * size, by_rows ? NULL : mask, &s->axis[y], &s->axis[y + 1]);
	}
	if (form == FORM_STACK && s->axis[0].kind == HS_AXIS_CHANNEL)
		hs_panel_balance(m, first);
	return 0;
}

/* Component x point: a cloud of dots a component. */
static int show_clouds(struct hs_maker *m, struct hs_err *err)
{
	const struct hs_signal *s = m->s;
	const uint8_t *mask;
	struct hs_cloud cloud;
	if (choose(m, m->n_pix, err) < 0)
		return -1;
	const double *v = hs_maker_rows(m, m->chosen, m->n_chosen, &mask, err);
	if (!v)
		return -1;
	if (s->rank != 2 || !hs_cloud_find(m, 1, &cloud))
		return hs_panel_rows(m, NULL, s, &s->axis[s->rank - 1], v, NULL, NULL, m->n_chosen, false, err);
	for (size_t i = 0; i < m->n_chosen; i++)
		if (hs_cloud_values(m, &cloud, hs_maker_places(m, 0, 1, m->chosen[i]), v + i * m->n_chan, NULL, err) < 0)
			return -1;
	return 0;
}

static int show_maps(struct hs_maker *m, enum form form, bool companions, struct hs_err *err)
{
	const bool pixels = hs_signal_nav_rank(m->s) == 2 && (form == FORM_CUBE || form == FORM_PATTERNS);
	int verdict;
	if (form == FORM_POINT_STACK)
		verdict = show_clouds(m, err);
	else if (form == FORM_STACK || pixels)
		verdict = show_slices(m, form, err);
	else
		return hs_fail(err, HS_USAGE, "--kind maps: %s holds no maps", hs_in_path(m->in, m->signal));
	m->plan->n_main = m->plan->n;
	return verdict == 0 && companions && (form == FORM_STACK || form == FORM_POINT_STACK) ? hs_companions_of_maps(m, err) : verdict;
}

/* Row i of a map that is one line of pixels is masked as a whole. */
static const uint8_t *spread_mask(struct hs_maker *m, const uint8_t *rows, struct hs_err *err)
{
	uint8_t *mask = rows ? hs_maker_room(m, m->n_pix * m->n_chan, 1, err) : NULL;
	for (size_t i = 0; mask && i < m->n_pix; i++)
		memset(mask + i * m->n_chan, rows[i], m->n_chan);
	return mask;
}

static int show_image(struct hs_maker *m, enum form form, struct hs_err *err)
{
	static const size_t only[] = { 0 };
	const struct hs_signal *s = m->s;
	const uint8_t *mask = NULL;
	struct hs_cloud cloud;
	double *v;
	if (need_no_choice(m, err) < 0)
		return -1;
	if (form == FORM_IMAGE) {
		if (!(v = hs_maker_maps(m, only, 1, &mask, err)))
			return -1;
		hs_panel_map(m, NULL, s, v, mask, &s->axis[0], &s->axis[1]);
		return 0;
	}
	const size_t n = form == FORM_POINTS ? 1 : m->n_pix;
	if (!(v = hs_maker_rows(m, NULL, n, &mask, err)))
		return -1;
	if (form == FORM_POINTS)
		return hs_cloud_find(m, 0, &cloud) ? hs_cloud_values(m, &cloud, NULL, v, NULL, err) :
			hs_panel_rows(m, NULL, s, &s->axis[0], v, NULL, NULL, 1, true, err);
	mask = spread_mask(m, mask, err);
	if (hs_failed(err))
		return -1;
	hs_panel_map(m, NULL, s, v, mask, &s->axis[0], &s->axis[1]);
	return 0;
}

/* ------------------------------------------------------------------ labels */

static int show_labels(struct hs_maker *m, enum form form, bool companions, struct hs_err *err)
{
	const struct hs_signal *s = m->s;
	const uint8_t *mask = NULL;
	const bool one_row = form == FORM_POINTS || form == FORM_SPECTRUM;
	const bool maps = form == FORM_IMAGE || (form == FORM_STACK && s->rank == 3);
	struct hs_cloud cloud;
	size_t k, n_labels = 0;
	if (hs_dtype_is_float(s->dtype) || hs_dtype_is_complex(s->dtype) || !(one_row || maps))
		return hs_fail(err, HS_USAGE, "--kind labels: %s is no map of integers", hs_in_path(m->in, m->signal));
	if ((form != FORM_STACK && need_no_choice(m, err) < 0) || choose(m, one_row ? 1 : m->n_chan, err) < 0)
		return -1;
	const double *v = one_row ? hs_maker_rows(m, NULL, 1, &mask, err) : hs_maker_maps(m, m->chosen, m->n_chosen, &mask, err);
	if (!v)
		return -1;
	if (hs_session_sibling(m->in, m->signal, "centroids", &k))
		n_labels = hs_in_signal(m->in, k)->axis[0].n;
	const size_t size = one_row ? m->n_chan : m->n_pix;
	for (size_t i = 0; i < m->n_chosen; i++) {
		const int32_t *label = hs_panel_to_labels(m, v + i * size, one_row ? NULL : mask, size, err);
		if (!label)
			return -1;
		if (form == FORM_POINTS && hs_cloud_find(m, 0, &cloud)) {
			if (hs_cloud_labels(m, &cloud, label, err) < 0)
				return -1;
		} else if (one_row) {
			m->plan->line = hs_axis_numbers("line", 1);
			hs_panel_labels(m, m->signal, NULL, label, &m->plan->line, &s->axis[0], n_labels);
		} else {
			hs_panel_labels(m, m->signal, form == FORM_STACK ? hs_maker_places(m, 0, 1, m->chosen[i]) : NULL, label, &s->axis[s->rank - 2],
				&s->axis[s->rank - 1], n_labels);
		}
	}
	return companions ? hs_companions_of_labels(m, err) : 0;
}

static int show_cube(struct hs_maker *m, enum form form, bool image_only, struct hs_err *err)
{
	const bool stack = form == FORM_STACK && m->s->rank == 3;
	if (!stack && form != FORM_CUBE && form != FORM_PATTERNS && form != FORM_POINT_CUBE && form != FORM_LINE)
		return hs_fail(err, HS_USAGE, "--kind cube: %s has no pixels with spectra", hs_in_path(m->in, m->signal));
	return need_no_choice(m, err) < 0 ? -1 : hs_summary_show(m, image_only, err);
}

/* ------------------------------------------------------------------ the plan */

/* "chondrite: scores (hspca)". */
static char *make_title(struct hs_maker *m)
{
	char *entry = hs_in_entry_text(m->in, "title"), *title;
	const char *path = hs_in_path(m->in, m->signal), *step = strstr(path, "/process_"), *tool = step ? strchr(step + 9, '_') : NULL;
	const int n = tool ? (int)strcspn(tool + 1, "/") : 0;
	const char *own = strcmp(m->s->name, "data") ? m->s->title : NULL;
	if (own && tool)
		title = hs_must_printf("%s%s%s (%.*s)", entry ? entry : "", entry ? ": " : "", own, n, tool + 1);
	else if (own && entry && strcmp(own, entry))
		title = hs_must_printf("%s: %s", entry, own);
	else
		title = hs_must_dup(entry ? entry : own ? own : m->s->title);
	free(entry);
	return title;
}

static int show(struct hs_maker *m, enum form form, struct hs_err *err)
{
	const bool free_choice = m->wish->show == HS_SHOW_AUTO;
	const enum hs_show kind = free_choice ? usual(m, form) : m->wish->show;
	if (hs_fit_is_shown(m))
		return hs_fit_show(m, err);
	if (m->wish->at && !(kind == HS_SHOW_CUBE || (kind == HS_SHOW_IMAGE && (form == FORM_CUBE || form == FORM_PATTERNS))))
		return hs_fail(err, HS_USAGE, "--at: %s has no pixels with spectra", hs_in_path(m->in, m->signal));
	if (m->wish->window && kind != HS_SHOW_CUBE && kind != HS_SHOW_CURVES && kind != HS_SHOW_IMAGE)
		return hs_fail(err, HS_USAGE, "--energy: %s has no spectral axis", hs_in_path(m->in, m->signal));
	switch (kind) {
	case HS_SHOW_MAPS: return show_maps(m, form, free_choice, err);
	case HS_SHOW_LABELS: return show_labels(m, form, free_choice, err);
	case HS_SHOW_CURVES: return show_curves(m, form, err);
	case HS_SHOW_SCREE: return show_scree(m, form, err);
	case HS_SHOW_DENDROGRAM: return show_dendrogram(m, err);
	case HS_SHOW_CUBE: return show_cube(m, form, false, err);
	default: break;
	}
	if (form == FORM_IMAGE || form == FORM_LINE || form == FORM_CURVES || form == FORM_POINTS)
		return m->wish->window ? hs_fail(err, HS_USAGE, "--energy: %s is not summed over a spectrum", hs_in_path(m->in, m->signal)) :
			show_image(m, form, err);
	if (form == FORM_SPECTRUM || form == FORM_POINT_STACK)
		return hs_fail(err, HS_USAGE, "--kind image: %s is no image", hs_in_path(m->in, m->signal));
	return show_cube(m, form, true, err);
}

int hs_picture_plan(struct hs_plan *plan, struct hs_run *run, struct hs_in *in, size_t signal, const struct hs_wish *wish,
	struct hs_err *err)
{
	*plan = (struct hs_plan){ 0 };
	struct hs_maker m = { .plan = plan, .run = run, .in = in, .signal = signal, .s = hs_in_signal(in, signal), .wish = wish,
		.room = hs_run_memory(run) / 2 };
	if (!m.s->rank)
		return hs_fail(err, HS_BAD_DATA, "%s is a single number, not a picture", hs_in_path(in, signal));
	hs_pixels_count(m.s, &m.n_pix, &m.n_chan);
	if (!m.n_pix || !m.n_chan)
		return hs_fail(err, HS_BAD_DATA, "%s is empty", hs_in_path(in, signal));
	plan->title = hs_plan_keep(plan, wish->title ? hs_must_dup(wish->title) : make_title(&m));
	return parse_limits(&m, err) < 0 ? -1 : show(&m, form_of(m.s), err);
}
