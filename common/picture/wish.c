#include "picture/wish.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"

/* One item of a list, "3" or "3-5". */
static int add_item(char *part, size_t n, bool *take, struct hs_err *err)
{
	uint64_t from, to;
	char *typed = hs_must_dup(part), *dash = strchr(part, '-');
	if (dash)
		*dash = 0;
	int verdict = hs_parse_count(part, &from, err) < 0 || hs_parse_count(dash ? dash + 1 : part, &to, err) < 0 ? -1 : 0;
	if (verdict == 0 && (!from || from > to || to > n))
		verdict = hs_fail(err, HS_USAGE, "'%.40s' is not within 1 .. %zu", typed, n);
	for (uint64_t i = from; verdict == 0 && i <= to; i++)
		take[i - 1] = true;
	free(typed);
	return verdict;
}

int hs_wish_list(const char *text, size_t n, size_t *index, size_t *n_index, struct hs_err *err)
{
	bool *take = hs_alloc(n, sizeof *take, err);
	int verdict = take ? 0 : -1;
	*n_index = 0;
	for (size_t i = 0; i < n && take; i++)
		take[i] = !text;
	for (const char *p = text; p && verdict == 0;) {
		const size_t len = strcspn(p, ",");
		char *part = hs_must_dup(p);
		part[len] = 0;
		verdict = add_item(part, n, take, err);
		free(part);
		p = p[len] ? p + len + 1 : NULL;
	}
	for (size_t i = 0; i < n && verdict == 0; i++)
		if (take[i])
			index[(*n_index)++] = i;
	free(take);
	return verdict;
}

static int nearest_index(const struct hs_axis *a, const char *name, const char *text, size_t *index, struct hs_err *err)
{
	double v;
	if (hs_parse_quantity(text, a->units, &v, err) < 0)
		return hs_err_prepend(err, "%s", name);
	*index = hs_axis_nearest(a, v);
	const double lo = fmin(a->value[0], a->value[a->n - 1]), hi = fmax(a->value[0], a->value[a->n - 1]);
	const double half = fabs(hs_axis_step(a)) / 2;
	if (v < lo - half * 1.000001 || v > hi + half * 1.000001)
		return hs_fail(err, HS_USAGE, "%s=%.40s is outside %.6g .. %.6g %s", name, text, lo, hi, strcmp(a->units, "1") ? a->units : "");
	return 0;
}

/* The scattered pixel nearest to (x, y). */
static size_t nearest_point(const struct hs_coord *x, const struct hs_coord *y, const double at[2])
{
	size_t best = 0;
	for (size_t i = 1; i < x->n; i++)
		if (hypot(x->value[i] - at[0], y->value[i] - at[1]) < hypot(x->value[best] - at[0], y->value[best] - at[1]))
			best = i;
	return best;
}

struct place {
	size_t index[HS_MAX_RANK];
	bool given[HS_MAX_RANK];
	double at[2];                 /* x and y among scattered pixels; NaN: not given */
};

/* One "NAME=VALUE". */
static int add_word(const struct hs_pixels *px, char *word, struct place *p, struct hs_err *err)
{
	const struct hs_signal *s = px->signal;
	char *equals = strchr(word, '=');
	size_t d = 0;
	if (!equals)
		return hs_fail(err, HS_USAGE, "'%.60s' is not NAME=VALUE", word);
	*equals = 0;
	while (d < px->n_nav && strcmp(s->axis[px->nav[d]].name, word))
		d++;
	if (d < px->n_nav) {
		p->given[d] = true;
		return nearest_index(&s->axis[px->nav[d]], word, equals + 1, &p->index[d], err);
	}
	const int c = !strcmp(word, "x") ? 0 : !strcmp(word, "y") ? 1 : -1;
	const struct hs_coord *coord = c >= 0 && px->n_nav == 1 ? hs_signal_find_coord(s, word, px->nav[0]) : NULL;
	if (!coord)
		return hs_fail(err, HS_USAGE, "the pixels have no axis '%.60s'", word);
	return hs_parse_quantity(equals + 1, coord->units, &p->at[c], err) < 0 ? hs_err_prepend(err, "%s", word) : 0;
}

int hs_wish_place(const char *text, const struct hs_pixels *px, size_t *pixel, struct hs_err *err)
{
	struct place p = { .at = { NAN, NAN } };
	char *all = hs_must_dup(text);
	int verdict = 0;
	for (char *save = NULL, *word = strtok_r(all, ",", &save); word && verdict == 0; word = strtok_r(NULL, ",", &save))
		verdict = add_word(px, word, &p, err);
	free(all);
	if (verdict == 0 && isfinite(p.at[0]) && isfinite(p.at[1])) {
		p.index[0] = nearest_point(hs_signal_find_coord(px->signal, "x", px->nav[0]),
			hs_signal_find_coord(px->signal, "y", px->nav[0]), p.at);
		p.given[0] = true;
	}
	*pixel = 0;
	for (size_t d = 0; d < px->n_nav && verdict == 0; d++) {
		const struct hs_axis *a = &px->signal->axis[px->nav[d]];
		if (!p.given[d] && a->n > 1)
			return hs_fail(err, HS_USAGE, "where along %s?", a->name);
		*pixel = *pixel * a->n + (p.given[d] ? p.index[d] : 0);
	}
	return verdict;
}
