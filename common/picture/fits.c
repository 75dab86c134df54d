#include "picture/fits.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "picture/panels.h"
#include "store/h5tree.h"

enum {
	MOST_MAPS = 25,
	MOST_CODES = 100
};

/* ------------------------------------------------------------------ coded maps */

const char **hs_meanings(struct hs_plan *plan, struct hs_in *in, size_t signal, size_t *n)
{
	struct hs_h5 *h5 = hs_in_h5(in);
	char *path = hs_must_printf("%s/data", hs_in_path(in, signal)), *value = h5 ? hs_h5_attr_text(h5, path, "flag_values") : NULL,
	     *meaning = value ? hs_h5_attr_text(h5, path, "flag_meanings") : NULL, *save = NULL, *save_value = NULL;
	const char **name = NULL;
	*n = 0;
	if (meaning) {
		name = hs_plan_keep(plan, hs_must_alloc(MOST_CODES, sizeof *name));
		char *code = strtok_r(value, " ,", &save_value);
		for (char *word = strtok_r(meaning, " ", &save); word && code; word = strtok_r(NULL, " ", &save)) {
			uint64_t k;
			struct hs_err ignored = { 0 };
			if (hs_parse_count(code, &k, &ignored) == 0 && k < MOST_CODES) {
				for (char *c = word; *c; c++)
					*c = *c == '_' ? ' ' : *c;
				name[k] = hs_plan_keep(plan, hs_must_dup(word));
				*n = k + 1 > *n ? (size_t)k + 1 : *n;
			}
			code = strtok_r(NULL, " ,", &save_value);
		}
	}
	free(path);
	free(value);
	free(meaning);
	return *n ? name : NULL;
}

/* ------------------------------------------------------------------ what belongs to a fit */

/* Length of the path of a signal's step. */
static size_t step_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (size_t)(slash - path) : 0;
}

static bool has(const struct hs_in *in, size_t i, const char *companion)
{
	struct hs_h5 *h5 = hs_in_h5((struct hs_in *)in);
	char *path = hs_must_printf("%s/%s", hs_in_path(in, i), companion);
	const bool there = h5 && hs_h5_kind(h5, path) == HS_H5_DATASET;
	free(path);
	return there;
}

static bool same_shape(const struct hs_signal *a, const struct hs_signal *b)
{
	bool same = a->rank == b->rank && a->sig_rank == b->sig_rank;
	for (size_t d = 0; same && d < a->rank; d++)
		same = a->axis[d].n == b->axis[d].n;
	return same;
}

/* A parameter of the step of the maker's signal. */
static bool is_parameter(const struct hs_maker *m, size_t i)
{
	const char *path = hs_in_path(m->in, i), *ours = hs_in_path(m->in, m->signal);
	const size_t n = step_of(ours);
	return step_of(path) == n && !strncmp(path, ours, n) && same_shape(m->s, hs_in_signal(m->in, i)) &&
		hs_dtype_is_float(hs_in_signal(m->in, i)->dtype) && has(m->in, i, "data_errors");
}

/* "status" or, of model number k from 1, "m1_status". */
static bool find_status(const struct hs_maker *m, size_t k, size_t *i)
{
	char *name = k ? hs_must_printf("m%zu_status", k) : hs_must_dup("status");
	const bool there = hs_session_sibling(m->in, m->signal, name, i) && has(m->in, m->signal, "data_errors") &&
		same_shape(m->s, hs_in_signal(m->in, *i));
	free(name);
	return there;
}

bool hs_fit_is_shown(const struct hs_maker *m)
{
	const struct hs_wish *w = m->wish;
	size_t i;
	const bool chosen = m->run->common.signal || w->components || w->at || w->window || w->limits || w->log ||
		w->show != HS_SHOW_AUTO;
	const bool image = m->s->rank == 2 && m->s->sig_rank == 2, line = m->s->rank == 1 && m->s->axis[0].kind != HS_AXIS_POINT;
	return !chosen && (image || line) && (hs_session_sibling(m->in, m->signal, "r2", &i) ? find_status(m, 0, &i) :
		hs_session_sibling(m->in, m->signal, "m1_r2", &i) && find_status(m, 1, &i));
}

/* ------------------------------------------------------------------ the panels */

/* A parameter: a map, or along a line its values with their standard deviations. */
static int add_parameter(struct hs_maker *m, size_t i, struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(m->in, i);
	double *v = hs_maker_other(m, i, err);
	if (!v)
		return hs_failed(err) ? -1 : hs_fail(err, HS_SYSTEM, "the maps of this fit need more --memory: choose one by -d");
	if (s->rank == 2) {
		hs_panel_map(m, s->name, s, v, NULL, &s->axis[0], &s->axis[1]);
		return 0;
	}
	double *sigma = hs_in_read_companion(m->in, i, "data_errors", hs_signal_count(s));
	if (sigma)
		hs_plan_keep(m->plan, sigma);
	return hs_panel_rows(m, s->name, s, &s->axis[0], v, sigma, NULL, 1, false, err);
}

static int add_codes(struct hs_maker *m, size_t i, struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(m->in, i);
	const double *v = hs_maker_other(m, i, err);
	const int32_t *label = v ? hs_panel_to_labels(m, v, NULL, hs_signal_count(s), err) : NULL;
	if (!label)
		return hs_failed(err) ? -1 : 0;
	if (s->rank == 1 && !m->plan->line.n)
		m->plan->line = hs_axis_numbers("line", 1);
	hs_panel_labels(m, i, s->name, label, s->rank == 1 ? &m->plan->line : &s->axis[0], &s->axis[s->rank - 1], 0);
	return 0;
}

/* "worst: pixel 17, R2 0.310" of "worst: pixel 17, R2 0.310; middle: ...". */
static const char *title_of(struct hs_maker *m, const char *comment, size_t k)
{
	const char *part = comment;
	for (size_t i = 0; part && i < k; i++) {
		part = strchr(part, ';');
		part += part != NULL;
	}
	if (!part)
		return hs_plan_keep(m->plan, hs_must_printf("example %zu", k + 1));
	part += strspn(part, " ");
	return hs_plan_keep(m->plan, hs_must_printf("%.*s", (int)strcspn(part, ";"), part));
}

/* Spectra as dots, their fits as lines. */
static int add_examples(struct hs_maker *m, struct hs_err *err)
{
	size_t i;
	if (!hs_session_sibling(m->in, m->signal, "examples", &i) || hs_in_signal(m->in, i)->rank != 2)
		return 0;
	const struct hs_signal *s = hs_in_signal(m->in, i);
	const struct hs_axis *x = &s->axis[1];
	double *measured = hs_in_read_companion(m->in, i, "measured", hs_signal_count(s));
	if (!measured)
		return 0;
	hs_plan_keep(m->plan, measured);
	const double *fitted = hs_maker_other(m, i, err);
	if (!fitted)
		return hs_failed(err) ? -1 : 0;
	char *path = hs_must_printf("%s/data", hs_in_path(m->in, i)), *comment = hs_h5_attr_text(hs_in_h5(m->in), path, "comment");
	for (size_t k = 0; k < s->axis[0].n; k++) {
		struct hs_curve *curve;
		struct hs_curves *curves = hs_panel_curves(m, title_of(m, comment, k), s, x, 2, &curve);
		curve[0] = (struct hs_curve){ .name = "data", .x = x->value, .y = measured + k * x->n, .n = x->n, .stroke = HS_STROKE_DOT };
		curve[1] = (struct hs_curve){ .name = "fit", .x = x->value, .y = fitted + k * x->n, .n = x->n, .stroke = HS_STROKE_LINE };
		curves->stacked = false;
		hs_panel_finish(curves);
	}
	free(path);
	free(comment);
	return 0;
}

/* "scene: fit (hsfit)": not one of its parameters. */
static void set_title(struct hs_maker *m)
{
	char *entry = hs_in_entry_text(m->in, "title");
	if (!m->wish->title)
		m->plan->title = hs_plan_keep(m->plan, hs_must_printf("%s%sfit (hsfit)", entry ? entry : "", entry ? ": " : ""));
	free(entry);
}

int hs_fit_show(struct hs_maker *m, struct hs_err *err)
{
	size_t k, n_maps = 0, n_left_out = 0;
	set_title(m);
	if (hs_session_sibling(m->in, m->signal, "best_labels", &k) && m->s->axis[m->s->rank - 1].n > 1 && add_codes(m, k, err) < 0)
		return -1;
	for (size_t i = 0; i < hs_in_count(m->in) && m->s->axis[m->s->rank - 1].n > 1; i++) {
		if (!is_parameter(m, i))
			continue;
		n_left_out += n_maps == MOST_MAPS;
		if (n_maps < MOST_MAPS && add_parameter(m, i, err) < 0)
			return -1;
		n_maps += n_maps < MOST_MAPS;
	}
	if (n_left_out)
		hs_warn("the first %d of %zu parameters are shown (-d chooses one)", MOST_MAPS, MOST_MAPS + n_left_out);
	for (size_t model = 0; n_maps && model <= hs_in_count(m->in); model++)
		if (find_status(m, model, &k) && add_codes(m, k, err) < 0)
			return -1;
	m->plan->n_main = m->plan->n;
	return add_examples(m, err);
}
