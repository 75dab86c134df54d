#include "report/likeness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "math/match.h"

/* MOST_COMP bounds what is matched with what: the work grows with its cube. MOST_LABELS bounds the table of agreement. */
enum { MOST_COMP = 1024, MOST_LABELS = 4096 };

/* What the axes say decides about same. */
static int compare_axes(struct hs_likeness *c, size_t from_a, size_t from_b, struct hs_err *err)
{
	const struct hs_axis *differs;
	if (hs_sides_check(&c->a, &c->b, from_a, from_b, c->tolerance == 0 && c->as == HS_COMPARE_VALUES, &differs, err) < 0)
		return -1;
	if (differs && !c->ignore_axes) {
		c->same = false;
		hs_str_addf(&c->text, "axis %s differs, ", differs->name);
		hs_json_text(&c->json, "axis_differs", differs->name);
	}
	return 0;
}

/* ------------------------------------------------------------------ values */

/* Values in their own type, so that equal means equal: a 64-bit integer has more digits than a double. */
static enum hs_dtype real_type(enum hs_dtype t)
{
	return t == HS_C64 ? HS_F32 : t == HS_C128 ? HS_F64 : t;
}

static uint64_t count_unequal(enum hs_dtype t, const char *a, const char *b, const double *da, const double *db, size_t n)
{
	const size_t size = hs_dtype_size(t);
	uint64_t unequal = 0;
	if (!memcmp(a, b, n * size))
		return 0;
	for (size_t i = 0; i < n; i++)
		unequal += memcmp(a + i * size, b + i * size, size) && !(isnan(da[i]) && isnan(db[i]));
	return unequal;
}

static int tally_values(struct hs_likeness *c, struct hs_difference *d, uint64_t *n_unequal, struct hs_err *err)
{
	struct hs_two_rows two;
	const size_t parts = hs_dtype_is_complex(c->a.s->dtype) ? 2 : 1;
	const enum hs_dtype type_a = real_type(c->a.s->dtype), type_b = real_type(c->b.s->dtype);
	const void *x[2];
	double *da = NULL, *db = NULL;
	size_t n_rows, width = 0, at = 0;
	int verdict = hs_two_rows_open(&two, c->run, &c->a, &c->b, false, HS_AS_STORED, err);
	if (verdict == 0) {
		width = two.pair.source[0]->n_chan * parts;
		if (!(da = hs_alloc(width, sizeof *da, err)) || !(db = hs_alloc(width, sizeof *db, err)))
			verdict = -1;
		hs_progress_begin("compare", two.pair.source[0]->n_rows, "rows");
	}
	while (verdict == 0 && (verdict = hs_pair_next(&two.pair, x, &n_rows, err)) == 0 && n_rows) {
		for (size_t r = 0; r < n_rows; r++, at += width) {
			const char *pa = (const char *)x[0] + r * two.pair.row_bytes[0], *pb = (const char *)x[1] + r * two.pair.row_bytes[1];
			hs_dtype_to_double(type_a, pa, da, width);
			hs_dtype_to_double(type_b, pb, db, width);
			for (size_t i = 0; i < width; i++)
				hs_difference_add(d, da[i], db[i], at + i);
			if (type_a == type_b)
				*n_unequal += count_unequal(type_a, pa, pb, da, db, width);
		}
		hs_progress_add(n_rows);
	}
	hs_progress_end();
	d->at /= parts;
	hs_two_rows_close(&two);
	free(da);
	free(db);
	return verdict;
}

/* Index of element `at` along each dimension of A, walked as rows are: "[3, 4, 17]". */
static void say_place(struct hs_likeness *c, bool matched, size_t at)
{
	const struct hs_signal *s = c->a.s;
	size_t index[HS_MAX_RANK] = { 0 };
	for (size_t i = s->rank; i-- > 0;) {
		const size_t d = hs_two_rows_dim(s, matched, i);
		index[d] = at % s->axis[d].n;
		at /= s->axis[d].n;
	}
	hs_json_begin(&c->json, "at", '[');
	for (size_t d = 0; d < s->rank; d++) {
		hs_str_addf(&c->text, "%s%zu", d ? ", " : "[", index[d]);
		hs_json_int(&c->json, NULL, (long long)index[d]);
	}
	hs_str_add(&c->text, s->rank ? "]" : "[]");
	hs_json_end(&c->json, ']');
}

static void judge_values(struct hs_likeness *c, const struct hs_difference *d, uint64_t n_unequal, bool matched)
{
	const double relative = d->worst > 0 ? d->worst / d->largest : 0, rms = d->n ? sqrt(d->sum2 / (double)d->n) : 0;
	c->same = c->same && !d->n_missing && (c->tolerance > 0 ? relative <= c->tolerance : d->worst == 0 && !n_unequal);
	hs_json_real(&c->json, "max_abs_difference", d->worst);
	hs_json_real(&c->json, "max_relative_difference", relative);
	hs_json_real(&c->json, "largest_magnitude", d->largest);
	hs_json_real(&c->json, "rms", rms);
	hs_json_int(&c->json, "not_a_number_in_one", (long long)d->n_missing);
	hs_str_addf(&c->text, "largest difference %.6g, %.3g of the largest value", d->worst, relative);
	if (d->worst > 0 || d->n_missing) {
		hs_str_add(&c->text, ", at ");
		say_place(c, matched, d->at);
	}
	hs_str_addf(&c->text, ", rms %.6g", rms);
	if (d->n_missing)
		hs_str_addf(&c->text, ", %llu values are numbers in one only", (unsigned long long)d->n_missing);
	if (c->tolerance == 0 && n_unequal && d->worst == 0)
		hs_str_addf(&c->text, ", %llu values are not the same bits", (unsigned long long)n_unequal);
}

static int compare_values(struct hs_likeness *c, struct hs_err *err)
{
	struct hs_difference d = { 0 };
	uint64_t n_unequal = 0;
	const enum hs_dtype a = c->a.s->dtype, b = c->b.s->dtype;
	if (hs_dtype_is_complex(a) != hs_dtype_is_complex(b))
		return hs_fail(err, HS_BAD_DATA, "cannot compare %s with %s values", hs_dtype_name(a), hs_dtype_name(b));
	if (c->tolerance == 0 && a != b) {
		c->same = false;
		hs_str_addf(&c->text, "%s against %s, ", hs_dtype_name(a), hs_dtype_name(b));
	}
	if (compare_axes(c, 0, 0, err) < 0 || tally_values(c, &d, &n_unequal, err) < 0)
		return -1;
	judge_values(c, &d, n_unequal, false);
	return 0;
}

/* ------------------------------------------------------------------ matched maps */

/* Says the partner in B of each component of A (counted from 1) and how well they agree. */
static void say_partners(struct hs_likeness *c, const char *what, const ptrdiff_t *to, const double *value, size_t k)
{
	hs_json_begin(&c->json, "partner", '[');
	for (size_t i = 0; i < k; i++)
		hs_json_int(&c->json, NULL, (long long)to[i] + 1);
	hs_json_end(&c->json, ']');
	hs_json_begin(&c->json, what, '[');
	for (size_t i = 0; i < k; i++)
		hs_json_real(&c->json, NULL, value[i]);
	hs_json_end(&c->json, ']');
}

static int check_components(const struct hs_likeness *c, struct hs_err *err)
{
	const struct hs_side *const both[] = { &c->a, &c->b };
	for (int i = 0; i < 2; i++) {
		const struct hs_signal *s = both[i]->s;
		if (s->rank < 2 || hs_dtype_is_complex(s->dtype))
			return hs_fail(err, HS_BAD_DATA, "'%s', %s has no components to match", hs_in_name(both[i]->in), s->name);
		if (s->axis[0].n > MOST_COMP)
			return hs_fail(err, HS_BAD_DATA, "'%s', %s: %zu components are more than the %d that can be matched", hs_in_name(both[i]->in),
				s->name, s->axis[0].n, MOST_COMP);
	}
	return 0;
}

static void judge_maps(struct hs_likeness *c, const double *r, size_t ka)
{
	double least = INFINITY;
	size_t worst = 0;
	for (size_t i = 0; i < ka; i++) {
		const double value = isnan(r[i]) ? -1 : c->sign_blind ? fabs(r[i]) : r[i];
		if (value < least) {
			least = value;
			worst = i;
		}
	}
	c->same = c->same && 1 - least <= c->tolerance;
	hs_json_real(&c->json, "least_correlation", least);
	hs_str_addf(&c->text, "%zu maps, least correlation %.6g (map %zu)", ka, least, worst + 1);
}

/* With as == HS_COMPARE_VALUES the values of partners are compared, else only their correlation. */
static int compare_matched(struct hs_likeness *c, struct hs_err *err)
{
	if (check_components(c, err) < 0 || compare_axes(c, 1, 1, err) < 0)
		return -1;
	const size_t ka = c->a.s->axis[0].n, kb = c->b.s->axis[0].n;
	struct hs_difference d = { 0 };
	struct hs_two_rows two = { 0 };
	double *r = hs_alloc(ka * kb + ka, sizeof *r, err), *value = r ? r + ka * kb : NULL;
	ptrdiff_t *to = r ? hs_alloc(ka, sizeof *to, err) : NULL;
	int verdict = !to || hs_two_rows_open(&two, c->run, &c->a, &c->b, true, HS_AS_F64, err) < 0 ||
		hs_correlate_columns(&two.pair, r, err) < 0 || hs_match_columns(r, ka, kb, c->sign_blind, to, value, err) < 0 ? -1 : 0;
	if (verdict == 0) {
		say_partners(c, "correlation", to, value, ka);
		if (ka > kb) {
			c->same = false;
			hs_str_addf(&c->text, "%zu of %zu components have no partner, ", ka - kb, ka);
		}
		if (c->as == HS_COMPARE_MAPS)
			judge_maps(c, value, ka);
		else if ((verdict = hs_difference_columns(&two.pair, to, value, c->sign_blind, &d, err)) == 0)
			judge_values(c, &d, 0, true);
	}
	hs_two_rows_close(&two);
	free(r);
	free(to);
	return verdict;
}

/* ------------------------------------------------------------------ spectra and what they span */

static size_t n_spectra(const struct hs_signal *s)
{
	return s->rank > 1 ? s->axis[0].n : 1;
}

static int read_spectra(struct hs_likeness *c, double **a, double **b, size_t *p, struct hs_err *err)
{
	if (n_spectra(c->a.s) > MOST_COMP || n_spectra(c->b.s) > MOST_COMP)
		return hs_fail(err, HS_BAD_DATA, "%zu and %zu spectra: more than the %d that can be matched", n_spectra(c->a.s),
			n_spectra(c->b.s), MOST_COMP);
	if (compare_axes(c, c->a.s->rank > 1, c->b.s->rank > 1, err) < 0 || !(*a = hs_side_read(c->run, &c->a, err)) ||
		!(*b = hs_side_read(c->run, &c->b, err)))
		return -1;
	*p = hs_signal_count(c->a.s) / n_spectra(c->a.s);
	return 0;
}

static int compare_spectra(struct hs_likeness *c, struct hs_err *err)
{
	double *a = NULL, *b = NULL, worst = 0;
	size_t p = 0, bad = 0;
	const size_t ka = n_spectra(c->a.s), kb = n_spectra(c->b.s);
	double *angle = hs_alloc(ka, sizeof *angle, err);
	ptrdiff_t *to = angle ? hs_alloc(ka, sizeof *to, err) : NULL;
	int verdict = !to || read_spectra(c, &a, &b, &p, err) < 0 ? -1 : hs_match_spectra(a, ka, b, kb, p, c->sign_blind, to,
		angle, err);
	for (size_t i = 0; i < ka && verdict == 0; i++)
		if (!(angle[i] <= worst)) {           /* NaN, no partner, is the worst and stays so */
			worst = angle[i];
			bad = i;
			if (isnan(worst))
				break;
		}
	if (verdict == 0) {
		c->same = c->same && worst <= c->tolerance;
		say_partners(c, "angle_rad", to, angle, ka);
		hs_json_real(&c->json, "largest_angle_rad", worst);
		if (isnan(worst))
			hs_str_addf(&c->text, "%zu spectra, number %zu has no partner", ka, bad + 1);
		else
			hs_str_addf(&c->text, "%zu spectra, largest angle %.6g rad = %.4g deg (number %zu)", ka, worst, worst * 180 / M_PI, bad + 1);
	}
	free(a);
	free(b);
	free(angle);
	free(to);
	return verdict;
}

static int compare_bases(struct hs_likeness *c, struct hs_err *err)
{
	double *a = NULL, *b = NULL, angle = NAN;
	size_t p = 0;
	const size_t ka = n_spectra(c->a.s), kb = n_spectra(c->b.s);
	int verdict = read_spectra(c, &a, &b, &p, err);
	if (verdict == 0)
		verdict = hs_subspace_angle(a, ka, b, kb, p, &angle, err);
	if (verdict == 0) {
		c->same = c->same && angle <= c->tolerance;
		hs_json_real(&c->json, "largest_angle_rad", angle);
		hs_str_addf(&c->text, "%zu and %zu vectors, largest principal angle %.6g rad = %.4g deg", ka, kb, angle, angle * 180 / M_PI);
	}
	free(a);
	free(b);
	return verdict;
}

/* ------------------------------------------------------------------ labels */

static int32_t *read_labels(const struct hs_likeness *c, const struct hs_side *side, int32_t *largest, struct hs_err *err)
{
	const size_t n = hs_signal_count(side->s);
	double *v = hs_side_read(c->run, side, err);
	int32_t *label = v ? hs_alloc(n, sizeof *label, err) : NULL;
	*largest = -1;
	for (size_t i = 0; i < n && !hs_failed(err); i++) {
		if (!isnan(v[i]) && (v[i] != floor(v[i]) || !(fabs(v[i]) <= INT32_MAX)))
			hs_fail(err, HS_BAD_DATA, "'%s', %s: %g is not a label", hs_in_name(side->in), side->s->name, v[i]);
		else
			label[i] = isnan(v[i]) ? -1 : (int32_t)v[i];
		*largest = label[i] > *largest ? label[i] : *largest;
	}
	free(v);
	if (!hs_failed(err))
		return label;
	free(label);
	return NULL;
}

static int compare_labels(struct hs_likeness *c, struct hs_err *err)
{
	if (compare_axes(c, 0, 0, err) < 0)
		return -1;
	const size_t n = hs_signal_count(c->a.s);
	int32_t most_a, most_b, *a = read_labels(c, &c->a, &most_a, err), *b = a ? read_labels(c, &c->b, &most_b, err) : NULL;
	double ari = NAN, agreement = NAN;
	size_t only_one = 0;
	int verdict = b ? hs_adjusted_rand(a, b, n, &ari, err) : -1;
	if (verdict == 0 && most_a < MOST_LABELS && most_b < MOST_LABELS) {
		int32_t map[MOST_LABELS];
		verdict = hs_match_labels(a, b, n, map, (size_t)(most_b + 1), &agreement, err);
	}
	if (verdict == 0) {
		for (size_t i = 0; i < n; i++)
			only_one += (a[i] < 0) != (b[i] < 0);
		c->same = c->same && 1 - ari <= c->tolerance;
		hs_json_real(&c->json, "adjusted_rand_index", ari);
		hs_json_real(&c->json, "agreement", agreement);
		hs_json_int(&c->json, "labelled_in_one", (long long)only_one);
		hs_str_addf(&c->text, "adjusted Rand index %.6g", ari);
		if (!isnan(agreement))
			hs_str_addf(&c->text, ", %.4g %% agree once relabelled", 100 * agreement);
		if (only_one)
			hs_str_addf(&c->text, ", %zu pixels have a label in one only", only_one);
	}
	free(a);
	free(b);
	return verdict;
}

int hs_likeness_find(struct hs_likeness *c, struct hs_err *err)
{
	c->same = true;
	switch (c->as) {
	case HS_COMPARE_MAPS: return compare_matched(c, err);
	case HS_COMPARE_SPECTRA: return compare_spectra(c, err);
	case HS_COMPARE_BASES: return compare_bases(c, err);
	case HS_COMPARE_LABELS: return compare_labels(c, err);
	default: return (c->match ? compare_matched : compare_values)(c, err);
	}
}
