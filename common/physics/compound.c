#include "physics/compound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "math/lm.h"

/* ------------------------------------------------------------------ terms */

const struct hs_model *hs_model_named(const char *name)
{
	for (const struct hs_model *const *m = hs_model_table; *m; m++)
		if (!strcmp((*m)->name, name))
			return *m;
	return NULL;
}

static int refuse_name(const char *name, struct hs_err *err)
{
	struct hs_str there = { 0 };
	size_t n;
	char **file = hs_user_model_names(&n);
	for (const struct hs_model *const *m = hs_model_table; *m; m++)
		hs_str_addf(&there, "%s%s", m == hs_model_table ? "" : ", ", (*m)->name);
	for (size_t i = 0; i < n; i++) {
		hs_str_addf(&there, ", %s", file[i]);
		free(file[i]);
	}
	free(file);
	hs_fail(err, HS_USAGE, "no model '%s': there are %s", name, hs_str_get(&there));
	hs_str_release(&there);
	return -1;
}

/* Takes user, which may be NULL. */
static int add_term(struct hs_compound *c, const struct hs_model *model, struct hs_user_model *user, struct hs_err *err)
{
	const char *clash = c->n_terms && model->is_complex != c->is_complex ? c->term[0].model->name : NULL;
	if (clash || c->n_params + model->n_params > HS_COMPOUND_MOST) {
		if (clash)
			hs_fail(err, HS_USAGE, "'%s' and '%s' do not add: one of them is complex", clash, model->name);
		else
			hs_fail(err, HS_USAGE, "a sum of more than %d parameters", HS_COMPOUND_MOST);
		hs_user_model_free(user);
		return -1;
	}
	c->term = hs_must_resize(c->term, c->n_terms + 1, sizeof *c->term);
	c->term[c->n_terms++] = (struct hs_term){ model, user, c->n_params };
	c->n_params += model->n_params;
	c->is_complex = model->is_complex;
	c->own_form |= model->physical != NULL;
	return 0;
}

static int add_named(struct hs_compound *c, const char *name, struct hs_err *err)
{
	struct hs_user_model *user = NULL;
	const struct hs_model *model = hs_model_named(name);
	if (!model && hs_user_model_find(&user, name, err) < 0)
		return -1;
	return model || user ? add_term(c, model ? model : &user->model, user, err) : refuse_name(name, err);
}

static int add_formula(struct hs_compound *c, const char *text, struct hs_err *err)
{
	struct hs_user_model *user;
	return hs_user_model_typed(&user, text, err) < 0 ? -1 : add_term(c, &user->model, user, err);
}

/* The name of term i before its parameters: none when it is alone, with its number when its model occurs again. */
static char *prefix_of(const struct hs_compound *c, size_t i)
{
	size_t number = 1, n = 0;
	if (c->n_terms == 1)
		return hs_must_dup("");
	for (size_t t = 0; t < c->n_terms; t++) {
		const bool same = !strcmp(c->term[t].model->name, c->term[i].model->name);
		n += same;
		number += t < i && same;
	}
	return n > 1 ? hs_must_printf("%s%zu_", c->term[i].model->name, number) : hs_must_printf("%s_", c->term[i].model->name);
}

/* Names between plus signs, the last of them perhaps a formula. */
static int add_terms(struct hs_compound *c, const char *text, struct hs_err *err)
{
	static const char formula[] = "expr:";
	char *copy = hs_must_dup(text), *at = copy;
	int verdict = 0;
	while (at && verdict == 0) {
		char *word = at + strspn(at, " "), *plus = NULL;
		if (hs_starts(word, formula)) {
			verdict = add_formula(c, word + strlen(formula), err);
			break;
		}
		plus = strchr(word, '+');
		if (plus)
			*plus = 0;
		for (size_t n = strlen(word); n && word[n - 1] == ' '; n--)
			word[n - 1] = 0;
		verdict = *word ? add_named(c, word, err) : hs_fail(err, HS_USAGE, "a name of a model is missing");
		at = plus ? plus + 1 : NULL;
	}
	free(copy);
	return verdict;
}

static void name_parameters(struct hs_compound *c)
{
	c->param = hs_must_alloc(c->n_params, sizeof *c->param);
	for (size_t t = 0; t < c->n_terms; t++) {
		const struct hs_model *m = c->term[t].model;
		char *prefix = prefix_of(c, t);
		for (size_t j = 0; j < m->n_params; j++) {
			const struct hs_param_spec *spec = &m->param[j];
			c->param[c->term[t].first + j] = (struct hs_compound_param){ .name = hs_must_printf("%s%s", prefix, spec->name), .spec = spec,
				.low = spec->low, .high = spec->high, .value = spec->usual, .fixed = spec->setting };
		}
		for (size_t j = 0; j < m->n_derived; j++) {
			const struct hs_derived_spec *spec = &m->derived[j];
			c->derived = hs_must_resize(c->derived, c->n_derived + 1, sizeof *c->derived);
			c->derived[c->n_derived++] = (struct hs_compound_derived){ hs_must_printf("%s%s", prefix, spec->name), spec };
		}
		free(prefix);
	}
}

int hs_compound_parse(struct hs_compound *c, const char *text, struct hs_err *err)
{
	*c = (struct hs_compound){ 0 };
	if (add_terms(c, text, err) < 0)
		return -1;
	name_parameters(c);
	return 0;
}

void hs_compound_release(struct hs_compound *c)
{
	for (size_t i = 0; c->param && i < c->n_params; i++)
		free(c->param[i].name);
	for (size_t i = 0; i < c->n_derived; i++)
		free(c->derived[i].name);
	for (size_t t = 0; t < c->n_terms; t++)
		hs_user_model_free(c->term[t].user);
	free(c->param);
	free(c->derived);
	free(c->term);
	*c = (struct hs_compound){ 0 };
}

/* ------------------------------------------------------------------ what the user says */

static int find_param(const struct hs_compound *c, const char *name, size_t *i, struct hs_err *err)
{
	struct hs_str there = { 0 };
	for (*i = 0; *i < c->n_params; ++*i)
		if (!strcmp(c->param[*i].name, name))
			return 0;
	for (size_t k = 0; k < c->n_params; k++)
		hs_str_addf(&there, "%s%s", k ? ", " : "", c->param[k].name);
	hs_fail(err, HS_USAGE, "no parameter '%s': there are %s", name, hs_str_get(&there));
	hs_str_release(&there);
	return -1;
}

/* "^1,-2" of "eV" and "counts": "eV/counts^2". */
static char *unit_of_powers(const char *powers, const char *x, const char *y)
{
	const char *unit[] = { y, x };
	double power[2] = { 0 };
	char *next;
	struct hs_str up = { 0 }, down = { 0 };
	power[1] = strtod(powers + 1, &next);
	power[0] = *next == ',' ? strtod(next + 1, NULL) : 0;
	for (size_t i = 0; i < HS_LEN(unit); i++) {
		struct hs_str *to = power[i] > 0 ? &up : &down;
		if (power[i] == 0 || !unit[i] || !*unit[i] || !strcmp(unit[i], "1"))
			continue;
		hs_str_addf(to, "%s%s", to == &down ? "/" : up.len ? "*" : "", unit[i]);
		if (fabs(power[i]) != 1)
			hs_str_addf(to, "^%.4g", fabs(power[i]));
	}
	char *text = hs_must_printf("%s%s", up.len ? hs_str_get(&up) : "1", hs_str_get(&down));
	hs_str_release(&up);
	hs_str_release(&down);
	return text;
}

char *hs_unit_of(enum hs_unit_of of, const char *own, const char *x, const char *y)
{
	const bool no_x = !x || !*x || !strcmp(x, "1"), no_y = !y || !*y || !strcmp(y, "1");
	switch (of) {
	case HS_OF_NONE: return hs_must_dup("1");
	case HS_OF_X: return hs_must_dup(no_x ? "1" : x);
	case HS_OF_Y: return hs_must_dup(no_y ? "1" : y);
	case HS_OF_AREA: return no_x ? hs_must_dup(no_y ? "1" : y) : no_y ? hs_must_dup(x) : hs_must_printf("%s*%s", y, x);
	case HS_OF_SLOPE: return no_x ? hs_must_dup(no_y ? "1" : y) : hs_must_printf("%s/%s", no_y ? "1" : y, x);
	case HS_OF_CURVATURE: return no_x ? hs_must_dup(no_y ? "1" : y) : hs_must_printf("%s/%s^2", no_y ? "1" : y, x);
	case HS_OF_PER_X: return no_x ? hs_must_dup("1") : hs_must_printf("1/%s", x);
	case HS_OF_RADIAN: return hs_must_dup("rad");
	case HS_OF_OWN: return own && *own == '^' ? unit_of_powers(own, x, y) : hs_must_dup(own && *own ? own : "1");
	}
	return hs_must_dup("1");
}

typedef int (*says)(struct hs_compound *c, size_t i, const char *value, const char *unit, struct hs_err *err);

/* fn for each "NAME=VALUE" or "NAME" (value NULL) of a list. */
static int each(struct hs_compound *c, const char *text, const char *x_unit, const char *y_unit, says fn, struct hs_err *err)
{
	char *copy = hs_must_dup(text), *save = NULL;
	int verdict = 0;
	for (char *word = strtok_r(copy, ",", &save); word && verdict == 0; word = strtok_r(NULL, ",", &save)) {
		char *value = strchr(word, '=');
		size_t i;
		if (value)
			*value++ = 0;
		verdict = find_param(c, word, &i, err);
		if (verdict == 0) {
			char *unit = hs_unit_of(c->param[i].spec->unit_of, c->param[i].spec->unit, x_unit, y_unit);
			verdict = fn(c, i, value, unit, err) < 0 ? hs_err_prepend(err, "%s", word) : 0;
			free(unit);
		}
	}
	free(copy);
	return verdict;
}

static int say_start(struct hs_compound *c, size_t i, const char *value, const char *unit, struct hs_err *err)
{
	return value ? hs_parse_quantity(value, unit, &c->param[i].value, err) : hs_fail(err, HS_USAGE, "a value is missing");
}

static int say_fixed(struct hs_compound *c, size_t i, const char *value, const char *unit, struct hs_err *err)
{
	c->param[i].fixed = true;
	return value ? say_start(c, i, value, unit, err) : 0;
}

static int say_bound(struct hs_compound *c, size_t i, const char *value, const char *unit, struct hs_err *err)
{
	const char *colon = value ? strchr(value, ':') : NULL;
	struct hs_compound_param *p = &c->param[i];
	if (!colon)
		return hs_fail(err, HS_USAGE, "bounds are LOW:HIGH");
	char *low = hs_must_printf("%.*s", (int)(colon - value), value);
	int verdict = *low ? hs_parse_quantity(low, unit, &p->low, err) : 0;
	if (verdict == 0 && colon[1])
		verdict = hs_parse_quantity(colon + 1, unit, &p->high, err);
	if (verdict == 0 && !(p->low < p->high))
		verdict = hs_fail(err, HS_USAGE, "the lower bound is not below the upper one");
	p->fixed &= !p->spec->setting;        /* a setting that may move is no setting any more */
	free(low);
	return verdict;
}

static int say_tie(struct hs_compound *c, size_t i, const char *value, const char *unit, struct hs_err *err)
{
	(void)unit;
	const char *star = value ? strchr(value, '*') : NULL;
	struct hs_compound_param *p = &c->param[i];
	p->factor = 1;
	if (!value)
		return hs_fail(err, HS_USAGE, "a tie is NAME=NAME or NAME=FACTOR*NAME");
	if (star) {
		char *factor = hs_must_printf("%.*s", (int)(star - value), value);
		const int verdict = hs_parse_real(factor, &p->factor, err);
		free(factor);
		if (verdict < 0)
			return -1;
	}
	if (find_param(c, star ? star + 1 : value, &p->to, err) < 0)
		return -1;
	if (c->param[p->to].tied || p->to == i)
		return hs_fail(err, HS_USAGE, "'%s' is tied itself", c->param[p->to].name);
	for (size_t k = 0; k < c->n_params; k++)
		if (c->param[k].tied && c->param[k].to == i)
			return hs_fail(err, HS_USAGE, "'%s' is tied to it", c->param[k].name);
	p->tied = true;
	return 0;
}

static int refuse_own_form(const struct hs_compound *c, struct hs_err *err)
{
	return c->own_form ? hs_fail(err, HS_USAGE,
		"the parameters of this model are not fitted as they are reported: they cannot be held") :
		0;
}

int hs_compound_start(struct hs_compound *c, const char *text, const char *x_unit, const char *y_unit, struct hs_err *err)
{
	return each(c, text, x_unit, y_unit, say_start, err);
}

int hs_compound_fix(struct hs_compound *c, const char *text, const char *x_unit, const char *y_unit, struct hs_err *err)
{
	return refuse_own_form(c, err) < 0 ? -1 : each(c, text, x_unit, y_unit, say_fixed, err);
}

int hs_compound_bound(struct hs_compound *c, const char *text, const char *x_unit, const char *y_unit, struct hs_err *err)
{
	return refuse_own_form(c, err) < 0 ? -1 : each(c, text, x_unit, y_unit, say_bound, err);
}

int hs_compound_tie(struct hs_compound *c, const char *text, struct hs_err *err)
{
	return refuse_own_form(c, err) < 0 ? -1 : each(c, text, NULL, NULL, say_tie, err);
}

/* As given, for this one or for the one that it is tied to; NAN else. */
static double start_of(const struct hs_compound *c, const struct hs_compound_param *p)
{
	return p->tied && isnan(p->value) ? p->factor * c->param[p->to].value : p->value;
}

int hs_compound_check(const struct hs_compound *c, struct hs_err *err)
{
	struct hs_str missing = { 0 };
	for (size_t t = 0; t < c->n_terms; t++)
		for (size_t j = 0; c->term[t].user && j < c->term[t].model->n_params; j++) {
			const struct hs_compound_param *p = &c->param[c->term[t].first + j];
			if (isnan(start_of(c, p)) && hs_user_model_wants(c->term[t].user, j))
				hs_str_addf(&missing, "%s%s=...", missing.len ? "," : "", p->name);
		}
	if (missing.len)
		hs_fail(err, HS_USAGE, "where do these begin: --start %s", hs_str_get(&missing));
	hs_str_release(&missing);
	return hs_failed(err) ? -1 : 0;
}

/* ------------------------------------------------------------------ values */

static size_t n_values(const struct hs_compound *c, const struct hs_grid *g)
{
	return c->is_complex ? 2 * g->n : g->n;
}

static bool eval_term(const struct hs_term *t, const struct hs_grid *g, const double *p, double *y, double *dy)
{
	return t->user ? hs_user_model_eval(t->user, g, p, y, dy) : t->model->eval(g, p, y, dy);
}

static bool guess_term(const struct hs_term *t, const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	return t->user ? hs_user_model_guess(t->user, g, y, weight, p) : t->model->guess(g, y, weight, p);
}

bool hs_compound_eval(const struct hs_compound *c, const struct hs_grid *g, const double *p, double *y, double *dy,
	double *scratch)
{
	const size_t n = n_values(c, g);
	for (size_t t = 0; t < c->n_terms; t++) {
		const struct hs_term *term = &c->term[t];
		if (!eval_term(term, g, p + term->first, t ? scratch : y, dy ? dy + term->first * n : NULL))
			return false;
		for (size_t i = 0; t && i < n; i++)
			y[i] += scratch[i];
	}
	return true;
}

/* Linear parameters that are free and not tied, by least squares of what the others leave. Left alone when that is singular. */
static void solve_linear(const struct hs_compound *c, const struct hs_grid *g, const double *y, const double *weight, double *p,
	double *scratch)
{
	const size_t n = n_values(c, g);
	double *model = scratch, *dy = model + n, *room = dy + c->n_params * n, h[HS_COMPOUND_MOST * HS_COMPOUND_MOST],
	       b[HS_COMPOUND_MOST];
	size_t place[HS_COMPOUND_MOST], k = 0;
	for (size_t j = 0; j < c->n_params; j++) {
		const struct hs_compound_param *q = &c->param[j];
		bool mated = q->tied;
		for (size_t i = 0; i < c->n_params; i++)
			mated |= c->param[i].tied && c->param[i].to == j;
		if (q->spec->linear && !q->fixed && !mated && isnan(q->value))
			place[k++] = j;
	}
	if (!k || !hs_compound_eval(c, g, p, model, dy, room))
		return;
	for (size_t a = 0; a < k; a++) {
		const double *da = dy + place[a] * n;
		b[a] = 0;
		for (size_t e = 0; e <= a; e++)
			h[a * k + e] = 0;
		for (size_t i = 0; i < n; i++) {
			const double w = weight ? weight[i] : 1;
			if (!(w > 0))
				continue;
			b[a] += w * da[i] * (y[i] - model[i]);
			for (size_t e = 0; e <= a; e++)
				h[a * k + e] += w * da[i] * dy[place[e] * n + i];
		}
	}
	double q[HS_COMPOUND_MOST];
	if (!hs_lm_solve(h, k, b))
		return;
	memcpy(q, p, c->n_params * sizeof *q);
	for (size_t a = 0; a < k; a++) {
		const struct hs_compound_param *s = &c->param[place[a]];
		q[place[a]] = fmin(fmax(p[place[a]] + b[a], s->low), s->high);
		if (!isfinite(q[place[a]]))
			return;
	}
	memcpy(p, q, c->n_params * sizeof *p);
}

/* Parameters of one term as the user wants them to begin. */
static void impose(const struct hs_compound *c, const struct hs_grid *g, const struct hs_term *t, double *p)
{
	double q[HS_MODEL_MOST];
	const struct hs_model *m = t->model;
	bool given = false;
	if (m->physical)
		m->physical(g, p + t->first, q, NULL);
	else
		memcpy(q, p + t->first, m->n_params * sizeof *q);
	for (size_t j = 0; j < m->n_params; j++)
		if (!isnan(c->param[t->first + j].value)) {
			q[j] = c->param[t->first + j].value;
			given = true;
		}
	if (m->physical && given)
		m->internal(g, q, p + t->first);
	else if (!m->physical)
		memcpy(p + t->first, q, m->n_params * sizeof *q);
}

/* Where terms have explained a spectrum to rounding, nothing is left: no peak is seen in that. */
static void drop_rounding(double *left, const double *y, const double *weight, size_t n)
{
	double most = 0, of = 0;
	for (size_t i = 0; i < n; i++)
		if (!weight || weight[i] > 0) {
			most = fmax(most, fabs(left[i]));
			of = fmax(of, fabs(y[i]));
		}
	if (most <= 0x1p-40 * of)
		memset(left, 0, n * sizeof *left);
}

/* When a term is guessed: what is the same everywhere, then other backgrounds, then what stands on them. */
static int round_of(const struct hs_model *m)
{
	return !m->background ? 2 : m->n_params > 1;
}

bool hs_compound_guess(const struct hs_compound *c, const struct hs_grid *g, const double *y, const double *weight, double *p,
	double *scratch)
{
	const size_t n = n_values(c, g);
	double *left = scratch, *model = scratch + n;
	memcpy(left, y, n * sizeof *left);
	for (int round = 0; round <= 2; round++)
		for (size_t t = 0; t < c->n_terms; t++) {
			const struct hs_term *term = &c->term[t];
			bool all_given = true;
			if (round_of(term->model) != round)
				continue;
			for (size_t j = 0; j < term->model->n_params; j++)
				all_given &= !isnan(c->param[term->first + j].value);
			for (size_t j = 0; j < term->model->n_params; j++)
				p[term->first + j] = start_of(c, &c->param[term->first + j]);
			if (!all_given && !guess_term(term, g, left, weight, p + term->first))
				return false;
			impose(c, g, term, p);
			if (c->n_terms == 1)
				continue;
			if (!eval_term(term, g, p + term->first, model, NULL))
				return false;
			for (size_t i = 0; i < n; i++)
				left[i] -= model[i];
			drop_rounding(left, y, weight, n);
		}
	for (size_t j = 0; j < c->n_params; j++)
		if (c->param[j].tied)
			p[j] = c->param[j].factor * p[c->param[j].to];
	if (!c->own_form)
		solve_linear(c, g, y, weight, p, scratch);
	for (size_t j = 0; j < c->n_params; j++)
		if (!isfinite(p[j]))
			return false;
	return true;
}
