#include "cli/fitted.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/factors.h"
#include "cli/loops.h"
#include "cli/maps.h"

/* Of a result of model m: with its number where there are alternatives. */
static char *full_name(const struct hs_fitted *o, size_t m, const char *name)
{
	return o->n > 1 ? hs_must_printf("m%zu_%s", m + 1, name) : hs_must_dup(name);
}

/* ------------------------------------------------------------------ where it begins */

/* Parameter j of all pixels from an earlier result: maps as large as ours, or of one spectrum for all. */
static int read_start(struct hs_in *in, const char *name, const char *unit, size_t n_pix, double *start, size_t stride,
	struct hs_err *err)
{
	size_t i;
	if (hs_in_find(in, name, &i, err) < 0)
		return -1;
	const struct hs_signal *s = hs_in_signal(in, i);
	const size_t n = hs_signal_count(s);
	const double factor = hs_unit_factor(s->units, unit);
	if (n != n_pix && n != 1)
		return hs_fail(err, HS_BAD_DATA, "%zu values of '%s' for %zu spectra", n, name, n_pix);
	double *v = hs_in_read(in, i, err);
	for (size_t k = 0; v && k < n_pix; k++)
		start[k * stride] = v[n == 1 ? 0 : k] * (factor > 0 ? factor : 1);
	free(v);
	return v ? 0 : -1;
}

int hs_fitted_read(struct hs_fitted *o, const char *path, const struct hs_pixels *px, struct hs_err *err)
{
	struct hs_in *in;
	int verdict = hs_in_open(&in, path, err);
	for (size_t m = 0; m < o->n && verdict == 0; m++) {
		struct hs_fitted_model *c = &o->candidate[m];
		const size_t k = c->model.n_params;
		c->start = hs_alloc(px->n_pix, k * sizeof(double), err);
		verdict = c->start ? 0 : -1;
		for (size_t j = 0; j < k && verdict == 0; j++) {
			char *unit = hs_fit_unit(&c->model, j, o->grid.x_unit, o->grid.y_unit), *name = full_name(o, m, c->model.param[j].name);
			verdict = read_start(in, name, unit, px->n_pix, c->start + j, k, err);
			free(unit);
			free(name);
		}
	}
	hs_in_close(in);
	return verdict;
}

/* ------------------------------------------------------------------ results */

/* Responses along a sweep, where the model has them. */
static int put_loops(struct hs_out *out, const struct hs_pixels *px, const struct hs_fitted *o, size_t m, struct hs_err *err)
{
	const struct hs_fitted_model *c = &o->candidate[m];
	const size_t width = c->fit.n_params + c->fit.n_derived;
	size_t re = 0, im = 0;
	while (re < width && strcmp(hs_fit_name(&c->model, re, NULL), "in_phase"))
		re++;
	while (im < width && strcmp(hs_fit_name(&c->model, im, NULL), "quadrature"))
		im++;
	if (re == width || im == width)
		return 0;
	char *name = full_name(o, m, "loops"), *unit = hs_fit_unit(&c->model, re, o->grid.x_unit, o->grid.y_unit);
	const int verdict = hs_loops_put(out, px, name, unit, c->fit.value + re, c->fit.value + im, width, err);
	free(name);
	free(unit);
	return verdict;
}

static int put_candidate(struct hs_out *out, const struct hs_pixels *px, const struct hs_fitted *o, size_t m, struct hs_err *err)
{
	const struct hs_fitted_model *c = &o->candidate[m];
	const struct hs_fit *f = &c->fit;
	const size_t width = f->n_params + f->n_derived;
	const struct hs_map_of judged[] = { { .name = "reduced_chi2", .quantity = "reduced chi squared", .value = f->reduced_chi2 },
		{ .name = "r2", .quantity = "coefficient of determination", .value = f->r2 },
		{ .name = "aicc", .quantity = "corrected Akaike criterion", .value = f->aicc } };
	int verdict = 0;
	for (size_t i = 0; i < width + HS_LEN(judged) && verdict == 0; i++) {
		const char *what = NULL;
		struct hs_map_of map = i < width ? (struct hs_map_of){ .name = hs_fit_name(&c->model, i, &what), .value = f->value + i,
			.sigma = f->sigma + i, .stride = width } : judged[i - width];
		char *name = full_name(o, m, map.name),
		     *unit = i < width ? hs_fit_unit(&c->model, i, o->grid.x_unit, o->grid.y_unit) : hs_must_dup("1");
		map.name = name;
		map.quantity = what ? what : map.quantity;
		map.unit = unit;
		map.stride = map.stride ? map.stride : 1;
		verdict = hs_maps_put(out, px, &map, err);
		free(name);
		free(unit);
	}
	char *status = full_name(o, m, "status"), *covariance = full_name(o, m, "covariance");
	if (verdict == 0)
		verdict = put_loops(out, px, o, m, err);
	if (verdict == 0)
		verdict = hs_maps_put_codes(out, px, status, "status", HS_U8, f->status, "0 1 2 3 4 5 6 7", HS_FIT_STATUS_WORDS, NULL, err);
	if (verdict == 0 && f->covariance)
		verdict = hs_maps_put_matrices(out, px, covariance, "covariance", f->n_params, f->covariance,
			"of the parameters in the order of their names in the model", err);
	free(status);
	free(covariance);
	return verdict;
}

/* "gaussian+line lorentzian+line": as typed, without spaces; and their numbers. */
static void name_models(const char *typed, struct hs_str *names, struct hs_str *numbers)
{
	size_t n = 1;
	hs_str_add(numbers, "0");
	for (const char *c = typed; *c; c++) {
		if (*c == '|')
			hs_str_addf(numbers, " %zu", n++);
		if (*c != ' ')
			hs_str_add_bytes(names, *c == '|' ? " " : c, 1);
	}
}

static int put_evidence(struct hs_out *out, const struct hs_pixels *px, const char *typed, const struct hs_fitted *o,
	struct hs_err *err)
{
	const struct hs_factor_rows rows = { .value = o->evidence.weight };
	const struct hs_extras comment = { .comment = "Akaike weights: the evidence for each model beside the others" };
	struct hs_str names = { 0 }, numbers = { 0 };
	struct hs_signal s;
	name_models(typed, &names, &numbers);
	int verdict = hs_maps_put_codes(out, px, "best_labels", "model", HS_I32, o->evidence.best, hs_str_get(&numbers),
		hs_str_get(&names), "the model with the least corrected Akaike criterion; -1: none fits", err);
	hs_str_release(&names);
	hs_str_release(&numbers);
	if (verdict < 0)
		return -1;
	hs_pixels_maps(px, &s, "weights", "evidence", "1", HS_F32, "model", o->n);
	verdict = hs_factors_stream(out, HS_AT_STEP, &s, true, &comment, &rows, px->n_pix, err);
	hs_signal_release(&s);
	return verdict;
}

/* The worst, the middle and the best fit over their data. */
static int put_examples(struct hs_out *out, const struct hs_pixels *px, const struct hs_examples *e, struct hs_err *err)
{
	if (!e->n)
		return 0;
	const struct hs_column columns[] = { { "measured", px->signal->units, e->measured } };
	const struct hs_extras extras = { .n_columns = 1, .column = columns, .comment = e->text };
	struct hs_signal s;
	hs_pixels_spectra(px, &s, "examples", px->signal->quantity, px->signal->units, HS_F64, "example", e->n);
	return hs_session_put(out, &s, e->fitted, &extras, err);
}

int hs_fitted_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_fitted *o, const char *typed,
	struct hs_err *err)
{
	for (size_t m = 0; m < o->n; m++)
		if (put_candidate(out, px, o, m, err) < 0)
			return -1;
	if (o->n > 1 && put_evidence(out, px, typed, o, err) < 0)
		return -1;
	return put_examples(out, px, &o->examples, err);
}

void hs_fitted_release(struct hs_fitted *o)
{
	for (size_t m = 0; m < o->n; m++) {
		hs_compound_release(&o->candidate[m].model);
		hs_fit_release(&o->candidate[m].fit);
		free(o->candidate[m].start);
	}
	hs_evidence_release(&o->evidence);
	hs_examples_release(&o->examples);
	free(o->weight);
	*o = (struct hs_fitted){ 0 };
}
