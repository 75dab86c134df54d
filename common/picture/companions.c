#include "picture/companions.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "picture/panels.h"

enum { MOST_TOGETHER = 4 };           /* component spectra in a small panel; more are drawn one above the other */

static const char *const spectra[] = { "loadings", "endmembers", "components", "sources" };

bool hs_is_variance(const struct hs_signal *s)
{
	return s->rank == 1 && (!strcmp(s->name, "variance") || strstr(s->quantity, "variance ratio"));
}

bool hs_is_choice(const struct hs_signal *s)
{
	return s->rank == 1 && !strcmp(s->name, "choice");
}

bool hs_is_dendrogram(const struct hs_signal *s)
{
	return s->rank == 1 && !strcmp(s->name, "dendrogram");
}

/* ------------------------------------------------------------------ of component maps */

/* The spectra (or patterns) that belong to component maps. */
static int add_spectra(struct hs_maker *m, struct hs_err *err)
{
	const struct hs_axis *component = &m->s->axis[0];
	size_t k;
	for (size_t i = 0; i < HS_LEN(spectra); i++) {
		if (!hs_session_sibling(m->in, m->signal, spectra[i], &k) || k == m->signal)
			continue;
		const struct hs_signal *s = hs_in_signal(m->in, k);
		if (s->axis[0].n != component->n || (s->rank != 2 && !(s->rank == 3 && s->sig_rank == 2)))
			continue;
		double *v = hs_maker_other(m, k, err);
		if (!v)
			return hs_failed(err) ? -1 : 0;
		if (s->rank == 2) {
			if (hs_panel_rows(m, s->title, s, &s->axis[1], v, NULL, m->chosen, m->n_chosen, false, err) < 0)
				return -1;
			struct hs_curves *curves = &m->plan->drawing[m->plan->n - 1].curves;
			curves->stacked |= m->n_chosen > MOST_TOGETHER;
			curves->zero_line &= !curves->stacked;
		}
		const enum hs_limits limits = m->limits;
		m->limits = HS_LIMITS_ROBUST;         /* limits were given for the maps */
		const size_t first = m->plan->n;
		for (size_t c = 0; c < m->n_chosen && s->rank == 3; c++) {
			char *name = hs_maker_place(component, m->chosen[c]);
			const char *title = hs_plan_keep(m->plan, hs_must_printf("%s, %s", s->title, name));
			free(name);
			hs_panel_map(m, title, s, v + m->chosen[c] * s->axis[1].n * s->axis[2].n, NULL, &s->axis[1], &s->axis[2]);
		}
		if (s->rank == 3)
			hs_panel_balance(m, first);
		m->limits = limits;
	}
	return 0;
}

static int add_residual(struct hs_maker *m, struct hs_err *err)
{
	size_t k;
	if (!hs_session_sibling(m->in, m->signal, "residual", &k))
		return 0;
	const struct hs_signal *s = hs_in_signal(m->in, k);
	if (s->rank != 2 || s->sig_rank != 2)
		return 0;
	double *v = hs_maker_other(m, k, err);
	if (!v)
		return hs_failed(err) ? -1 : 0;
	const enum hs_limits limits = m->limits;
	m->limits = HS_LIMITS_ROBUST;                 /* limits were given for the maps */
	hs_panel_map(m, s->title, s, v, NULL, &s->axis[0], &s->axis[1]);
	m->limits = limits;
	return 0;
}

static int add_choice(struct hs_maker *m, struct hs_err *err)
{
	size_t k;
	return hs_session_sibling(m->in, m->signal, "choice", &k) && hs_is_choice(hs_in_signal(m->in, k)) ?
		hs_companion_choice(m, k, err) : 0;
}

int hs_companions_of_maps(struct hs_maker *m, struct hs_err *err)
{
	size_t k;
	if (add_spectra(m, err) < 0)
		return -1;
	if (hs_session_sibling(m->in, m->signal, "variance", &k) && hs_is_variance(hs_in_signal(m->in, k)) &&
		hs_panel_scree(m, k, m->s->axis[0].n, err) < 0)
		return -1;
	return add_residual(m, err) < 0 ? -1 : add_choice(m, err);
}

/* ------------------------------------------------------------------ of labels */

/* Clusters found among scores have their spectra beside the centroids: those are what a reader knows. */
static int add_centroids(struct hs_maker *m, struct hs_err *err)
{
	size_t k;
	if (!hs_session_sibling(m->in, m->signal, "centroid_spectra", &k) && !hs_session_sibling(m->in, m->signal, "centroids", &k))
		return 0;
	const struct hs_signal *s = hs_in_signal(m->in, k);
	if (s->rank != 2)
		return 0;
	const double *v = hs_maker_other(m, k, err);
	if (!v)
		return hs_failed(err) ? -1 : 0;
	double *sigma = hs_in_read_companion(m->in, k, "data_errors", hs_signal_count(s));
	if (sigma)
		hs_plan_keep(m->plan, sigma);
	return hs_panel_rows(m, sigma ? "centroids ± σ" : "centroids", s, &s->axis[1], v, sigma, NULL, s->axis[0].n, false, err);
}

int hs_companions_of_labels(struct hs_maker *m, struct hs_err *err)
{
	size_t k;
	if (add_centroids(m, err) < 0)
		return -1;
	if (hs_session_sibling(m->in, m->signal, "dendrogram", &k) && hs_is_dendrogram(hs_in_signal(m->in, k)) &&
		hs_companion_dendrogram(m, k, err) < 0)
		return -1;
	return add_choice(m, err);
}

/* ------------------------------------------------------------------ merges, and numbers tried */

/* How many clusters or components the step of signal i has found; 0 when that is not there. */
static size_t n_found(const struct hs_maker *m, size_t i)
{
	size_t k;
	if (hs_session_sibling(m->in, i, "centroids", &k))
		return hs_in_signal(m->in, k)->axis[0].n;
	for (size_t w = 0; w < HS_LEN(spectra); w++)
		if (hs_session_sibling(m->in, i, spectra[w], &k))
			return hs_in_signal(m->in, k)->axis[0].n;
	return 0;
}

int hs_companion_dendrogram(struct hs_maker *m, size_t i, struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(m->in, i);
	const size_t n = s->axis[0].n;
	const double *height = hs_maker_other(m, i, err);
	if (!height)
		return hs_failed(err) ? -1 : 0;
	static const char *const column[] = { "left", "right", "size" };
	double *v[HS_LEN(column)];
	for (size_t c = 0; c < HS_LEN(column); c++) {
		if (!(v[c] = hs_in_read_companion(m->in, i, column[c], n)))
			return hs_fail(err, HS_BAD_DATA, "%s has no '%s': merges are left, right, size and their height", hs_in_path(m->in, i),
				column[c]);
		hs_plan_keep(m->plan, v[c]);
	}
	hs_plan_add(m->plan, HS_DRAWING_DENDROGRAM)->dendrogram = (struct hs_dendrogram_plot){ .title = "dendrogram",
		.height_name = s->quantity, .height_unit = s->units, .n = n + 1, .left = v[0], .right = v[1], .height = height, .size = v[2],
		.n_clusters = n_found(m, i) };
	return 0;
}

int hs_companion_choice(struct hs_maker *m, size_t i, struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(m->in, i);
	const struct hs_axis *x = &s->axis[0];
	const size_t found = n_found(m, i);
	const double *v = hs_maker_other(m, i, err);
	if (!v)
		return hs_failed(err) ? -1 : 0;
	double *stability = strcmp(s->units, "1") ? NULL : hs_in_read_companion(m->in, i, "stability", x->n);
	struct hs_curve *curve;
	struct hs_curves *curves = hs_panel_curves(m, s->title, s, x, stability ? 2 : 1, &curve);
	curve[0] = (struct hs_curve){ .name = stability ? s->quantity : NULL, .x = x->value, .y = v, .n = x->n,
		.stroke = HS_STROKE_LINE_DOT };
	if (stability) {
		hs_plan_keep(m->plan, stability);
		curve[1] = (struct hs_curve){ .name = "stability", .x = x->value, .y = stability, .n = x->n, .stroke = HS_STROKE_LINE_DOT };
		curves->y_name = "merit";
	}
	if (found) {
		double *mark = hs_plan_keep(m->plan, hs_must_alloc(1, sizeof *mark));
		const char **name = hs_plan_keep(m->plan, hs_must_alloc(1, sizeof *name));
		*mark = (double)found;
		*name = hs_plan_keep(m->plan, hs_must_printf("k = %zu", found));
		curves->mark = mark;
		curves->mark_name = name;
		curves->n_marks = 1;
	}
	curves->integer_x = true;
	hs_panel_finish(curves);
	return 0;
}
