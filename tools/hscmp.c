/* hscmp - are two results the same, as far as it matters? See hscmp(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/units.h"
#include "cli/session.h"
#include "math/match.h"

enum as { AS_AUTO, AS_VALUES, AS_SPECTRA, AS_LABELS, AS_BASES, AS_MAPS };

struct params {
	const char *with, *tolerance;
	int as;
	bool sign_blind, match, all, ignore_axes;
};

/* MOST_COMP bounds what is matched with what: the work grows with its cube. MOST_LABELS bounds the table of agreement. */
enum { MOST_COMP = 1024, MOST_LABELS = 4096 };

struct side {
	struct hs_in *in;
	size_t index;
	const struct hs_signal *s;
};

struct comparison {
	struct hs_run *run;
	const struct params *p;
	struct side a, b;
	enum as as;
	double tolerance;
	bool same;
	struct hs_str text;           /* the numbers, as a clause of the line */
	struct hs_json json;
};

/* ------------------------------------------------------------------ reading */

/* Rows of one side, handed out in pieces of any length, so that both sides can walk together. */
struct walk {
	struct hs_values values;
	struct hs_rows *rows;
	struct hs_rowsource *source;
	struct hs_batch batch;
	size_t used;                  /* rows of the batch that are done */
	size_t row_bytes;
};

static void walk_close(struct walk *w)
{
	hs_rows_close(w->rows);
	hs_values_release(&w->values);
}

/* order NULL: as stored, the last dimension as channels (a lone dimension as pixels). */
static int walk_open(struct walk *w, const struct comparison *c, const struct side *side, const size_t *order, enum hs_rows_as as,
	struct hs_err *err)
{
	size_t plain[HS_MAX_RANK];
	const struct hs_rows_options options = { .as = as, .memory = hs_run_memory(c->run) / 5 * 2,
		.threads = (int)c->run->common.threads };
	*w = (struct walk){ 0 };
	for (size_t d = 0; d < side->s->rank; d++)
		plain[d] = d;
	if (hs_in_values(side->in, side->index, &w->values, err) < 0)
		return -1;
	hs_values_permute(&w->values, order ? order : plain, side->s->rank > 1);
	if (hs_rows_open(&w->rows, &w->values, &options, err) < 0)
		return hs_err_prepend(err, "'%s', %s", hs_in_name(side->in), hs_in_path(side->in, side->index));
	w->source = hs_rows_source(w->rows);
	w->row_bytes = w->source->n_chan * hs_rows_element(w->rows);
	return w->source->rewind(w->source, err);
}

/* The next rows of both: *n of them, 0 at the end. */
static int walk_on(struct walk *a, struct walk *b, const void **xa, const void **xb, size_t *n, struct hs_err *err)
{
	struct walk *const both[] = { a, b };
	size_t left[2];
	for (int i = 0; i < 2; i++) {
		struct walk *w = both[i];
		if (w->used == w->batch.n_rows) {
			if (w->source->next(w->source, &w->batch, err) < 0)
				return -1;
			w->used = 0;
		}
		left[i] = w->batch.n_rows - w->used;
	}
	*n = left[0] < left[1] ? left[0] : left[1];
	*xa = (const char *)a->batch.x + a->used * a->row_bytes;
	*xb = (const char *)b->batch.x + b->used * b->row_bytes;
	a->used += *n;
	b->used += *n;
	return 0;
}

/* All of a small signal, within the memory that is granted. */
static double *read_whole(const struct comparison *c, const struct side *side, struct hs_err *err)
{
	const size_t n = hs_signal_count(side->s);
	char need[16];
	if (hs_dtype_is_complex(side->s->dtype)) {
		hs_fail(err, HS_BAD_DATA, "'%s', %s is complex: only values are compared", hs_in_name(side->in), side->s->name);
		return NULL;
	}
	if (n > hs_run_memory(c->run) / 4 / sizeof(double)) {        /* the angle between bases takes a copy of each */
		hs_fail(err, HS_SYSTEM, "%s does not fit: --memory above %s would do", side->s->name,
			hs_show_bytes(4 * (double)n * sizeof(double) + (double)(UINT64_C(64) << 20), need));
		return NULL;
	}
	return hs_in_read(side->in, side->index, err);
}

/* ------------------------------------------------------------------ axes */

static char *shape_of(const struct hs_signal *s)
{
	struct hs_str text = { 0 };
	for (size_t i = 0; i < s->rank; i++)
		hs_str_addf(&text, "%s%zu", i ? " x " : "", s->axis[i].n);
	return hs_str_take(&text);
}

/* A thousandth of a step is the same place; with tolerance 0 nothing but the same number is. */
static bool same_axis(const struct hs_axis *a, const struct hs_axis *b, bool exact)
{
	const double factor = strcmp(a->units, b->units) ? hs_unit_factor(b->units, a->units) : 1;
	const double slack = exact ? 0 : 1e-3 * fabs(hs_axis_step(a));
	if (strcmp(a->name, b->name) || factor == 0 || (exact && factor != 1))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!(fabs(a->value[i] - factor * b->value[i]) <= slack))
			return false;
	return true;
}

/* Lengths must agree or there is nothing to compare; what the axes say decides about same. from_a, from_b: the dimensions
 * before them are matched, not compared. */
static int compare_axes(struct comparison *c, size_t from_a, size_t from_b, struct hs_err *err)
{
	const struct hs_signal *a = c->a.s, *b = c->b.s;
	const size_t n = a->rank - from_a;
	bool lengths = n == b->rank - from_b;
	for (size_t i = 0; i < n && lengths; i++)
		lengths = a->axis[from_a + i].n == b->axis[from_b + i].n;
	if (!lengths) {
		char *in_a = shape_of(a), *in_b = shape_of(b);
		hs_fail(err, HS_BAD_DATA, "cannot compare '%s' with '%s': %s is %s, %s is %s", hs_in_name(c->a.in), hs_in_name(c->b.in),
			a->name, in_a, b->name, in_b);
		free(in_a);
		free(in_b);
		return -1;
	}
	for (size_t i = 0; i < n && !c->p->ignore_axes; i++)
		if (!same_axis(&a->axis[from_a + i], &b->axis[from_b + i], c->tolerance == 0 && c->as == AS_VALUES)) {
			c->same = false;
			hs_str_addf(&c->text, "axis %s differs, ", a->axis[from_a + i].name);
			hs_json_text(&c->json, "axis_differs", a->axis[from_a + i].name);
			break;
		}
	return 0;
}

/* ------------------------------------------------------------------ values */

struct tally {
	double largest;               /* magnitude in either */
	double worst, sum2;
	size_t at;                    /* element of the worst, in the order of walking */
	uint64_t n, n_unequal;        /* pairs of numbers; pairs that are not the same bits */
	uint64_t n_missing;           /* pairs where only one is a number, or infinities that differ */
};

static void tally_pair(struct tally *t, double a, double b, size_t at)
{
	if (isnan(a) && isnan(b))
		return;
	if (isinf(a) && a == b)
		return;
	if (!isfinite(a) || !isfinite(b)) {
		if (!t->n_missing++ && !(t->worst > 0))
			t->at = at;
		return;
	}
	const double d = fabs(a - b);
	t->largest = fmax(t->largest, fmax(fabs(a), fabs(b)));
	t->sum2 += d * d;
	t->n++;
	if (d > t->worst) {
		t->worst = d;
		t->at = at;
	}
}

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

static int tally_values(struct comparison *c, struct tally *t, struct hs_err *err)
{
	struct walk a, b = { 0 };
	const bool complex_a = hs_dtype_is_complex(c->a.s->dtype);
	const enum hs_dtype type_a = real_type(c->a.s->dtype), type_b = real_type(c->b.s->dtype);
	const void *xa, *xb;
	double *da = NULL, *db = NULL;
	size_t n_rows, width = 0, at = 0;
	int verdict = walk_open(&a, c, &c->a, NULL, HS_AS_STORED, err);
	if (verdict == 0)
		verdict = walk_open(&b, c, &c->b, NULL, HS_AS_STORED, err);
	if (verdict == 0) {
		width = a.source->n_chan * (complex_a ? 2 : 1);
		if (!(da = hs_alloc(width, sizeof *da, err)) || !(db = hs_alloc(width, sizeof *db, err)))
			verdict = -1;
		hs_progress_begin("compare", a.source->n_rows, "rows");
	}
	while (verdict == 0 && (verdict = walk_on(&a, &b, &xa, &xb, &n_rows, err)) == 0 && n_rows) {
		for (size_t r = 0; r < n_rows; r++, at += width) {
			const char *pa = (const char *)xa + r * a.row_bytes, *pb = (const char *)xb + r * b.row_bytes;
			hs_dtype_to_double(type_a, pa, da, width);
			hs_dtype_to_double(type_b, pb, db, width);
			for (size_t i = 0; i < width; i++)
				tally_pair(t, da[i], db[i], at + i);
			if (type_a == type_b)
				t->n_unequal += count_unequal(type_a, pa, pb, da, db, width);
		}
		hs_progress_add(n_rows);
	}
	hs_progress_end();
	t->at /= complex_a ? 2 : 1;
	walk_close(&a);
	walk_close(&b);
	free(da);
	free(db);
	return verdict;
}

/* Index of element `at` along each dimension of A, walked in the given order: "[3, 4, 17]". */
static void say_place(struct comparison *c, const size_t *order, size_t at)
{
	const struct hs_signal *s = c->a.s;
	size_t index[HS_MAX_RANK] = { 0 };
	for (size_t i = s->rank; i-- > 0;) {
		const size_t d = order ? order[i] : i;
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

static void judge_values(struct comparison *c, const struct tally *t, const size_t *order, bool bits)
{
	const double relative = t->worst > 0 ? t->worst / t->largest : 0, rms = t->n ? sqrt(t->sum2 / (double)t->n) : 0;
	c->same = c->same && !t->n_missing && (c->tolerance > 0 ? relative <= c->tolerance : t->worst == 0 && !(bits && t->n_unequal));
	hs_json_real(&c->json, "max_abs_difference", t->worst);
	hs_json_real(&c->json, "max_relative_difference", relative);
	hs_json_real(&c->json, "largest_magnitude", t->largest);
	hs_json_real(&c->json, "rms", rms);
	hs_json_int(&c->json, "not_a_number_in_one", (long long)t->n_missing);
	hs_str_addf(&c->text, "largest difference %.6g, %.3g of the largest value", t->worst, relative);
	if (t->worst > 0 || t->n_missing) {
		hs_str_add(&c->text, ", at ");
		say_place(c, order, t->at);
	}
	hs_str_addf(&c->text, ", rms %.6g", rms);
	if (t->n_missing)
		hs_str_addf(&c->text, ", %llu values are numbers in one only", (unsigned long long)t->n_missing);
	if (bits && c->tolerance == 0 && t->n_unequal && t->worst == 0)
		hs_str_addf(&c->text, ", %llu values are not the same bits", (unsigned long long)t->n_unequal);
}

static int compare_values(struct comparison *c, struct hs_err *err)
{
	struct tally t = { 0 };
	const enum hs_dtype a = c->a.s->dtype, b = c->b.s->dtype;
	if (hs_dtype_is_complex(a) != hs_dtype_is_complex(b))
		return hs_fail(err, HS_BAD_DATA, "cannot compare %s with %s values", hs_dtype_name(a), hs_dtype_name(b));
	if (c->tolerance == 0 && a != b) {
		c->same = false;
		hs_str_addf(&c->text, "%s against %s, ", hs_dtype_name(a), hs_dtype_name(b));
	}
	if (compare_axes(c, 0, 0, err) < 0 || tally_values(c, &t, err) < 0)
		return -1;
	judge_values(c, &t, NULL, true);
	return 0;
}

/* ------------------------------------------------------------------ matched maps */

/* Sums over pixels for the correlation of each component of A with each of B, taken about the first usable pixel so that a
 * large offset costs no digits. */
struct cross {
	size_t ka, kb;
	double n, *sum_a, *sum_b, *aa, *bb, *ab, *zero_a, *zero_b;
};

static void cross_add(struct cross *x, const double *a, const double *b)
{
	for (size_t i = 0; i < x->ka; i++)
		if (!isfinite(a[i]))
			return;
	for (size_t j = 0; j < x->kb; j++)
		if (!isfinite(b[j]))
			return;
	if (x->n == 0) {
		memcpy(x->zero_a, a, x->ka * sizeof *a);
		memcpy(x->zero_b, b, x->kb * sizeof *b);
	}
	x->n++;
	for (size_t j = 0; j < x->kb; j++) {
		const double v = b[j] - x->zero_b[j];
		x->sum_b[j] += v;
		x->bb[j] += v * v;
	}
	for (size_t i = 0; i < x->ka; i++) {
		const double u = a[i] - x->zero_a[i];
		x->sum_a[i] += u;
		x->aa[i] += u * u;
		for (size_t j = 0; j < x->kb; j++)
			x->ab[i * x->kb + j] += u * (b[j] - x->zero_b[j]);
	}
}

/* Two flat maps count as equal in shape; a flat one resembles no other. */
static double correlation(const struct cross *x, size_t i, size_t j)
{
	const double va = x->aa[i] - x->sum_a[i] * x->sum_a[i] / x->n, vb = x->bb[j] - x->sum_b[j] * x->sum_b[j] / x->n;
	const double tiny_a = 1e-14 * x->aa[i], tiny_b = 1e-14 * x->bb[j];
	if (!(va > tiny_a) || !(vb > tiny_b))
		return !(va > tiny_a) && !(vb > tiny_b);
	return fmax(-1, fmin(1, (x->ab[i * x->kb + j] - x->sum_a[i] * x->sum_b[j] / x->n) / sqrt(va * vb)));
}

static int cross_read(struct comparison *c, struct cross *x, const size_t *order, struct hs_err *err)
{
	struct walk a, b = { 0 };
	const void *xa, *xb;
	size_t n_rows;
	int verdict = walk_open(&a, c, &c->a, order, HS_AS_F64, err);
	if (verdict == 0)
		verdict = walk_open(&b, c, &c->b, order, HS_AS_F64, err);
	while (verdict == 0 && (verdict = walk_on(&a, &b, &xa, &xb, &n_rows, err)) == 0 && n_rows)
		for (size_t r = 0; r < n_rows; r++)
			cross_add(x, (const double *)xa + r * x->ka, (const double *)xb + r * x->kb);
	walk_close(&a);
	walk_close(&b);
	return verdict;
}

/* Second reading: the values of A against those of its partners in B. */
static int tally_matched(struct comparison *c, struct tally *t, const size_t *order, const ptrdiff_t *to, const double *r,
	size_t ka, size_t kb, struct hs_err *err)
{
	struct walk a, b = { 0 };
	const void *xa, *xb;
	size_t n_rows, at = 0;
	int verdict = walk_open(&a, c, &c->a, order, HS_AS_F64, err);
	if (verdict == 0)
		verdict = walk_open(&b, c, &c->b, order, HS_AS_F64, err);
	while (verdict == 0 && (verdict = walk_on(&a, &b, &xa, &xb, &n_rows, err)) == 0 && n_rows)
		for (size_t row = 0; row < n_rows; row++, at += ka)
			for (size_t i = 0; i < ka; i++) {
				if (to[i] < 0)
					continue;
				const double sign = c->p->sign_blind && r[i] < 0 ? -1 : 1;
				tally_pair(t, ((const double *)xa)[row * ka + i], sign * ((const double *)xb)[row * kb + (size_t)to[i]], at + i);
			}
	walk_close(&a);
	walk_close(&b);
	return verdict;
}

/* Says the partner in B of each component of A (counted from 1) and how well they agree. */
static void say_partners(struct comparison *c, const char *what, const ptrdiff_t *to, const double *value, size_t k)
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

static int check_components(const struct comparison *c, struct hs_err *err)
{
	const struct side *const both[] = { &c->a, &c->b };
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

/* The pairing with the largest sum of correlations, whatever their sign when that does not matter. */
static int pair_maps(struct comparison *c, const struct cross *x, ptrdiff_t *to, double *r, struct hs_err *err)
{
	double *cost = hs_alloc(x->ka * x->kb, sizeof *cost, err);
	if (!cost)
		return -1;
	for (size_t i = 0; i < x->ka; i++)
		for (size_t j = 0; j < x->kb; j++) {
			const double value = x->n ? correlation(x, i, j) : 0;
			cost[i * x->kb + j] = 1 - (c->p->sign_blind ? fabs(value) : value);
		}
	const int verdict = hs_assign(cost, x->ka, x->kb, to, NULL, err);
	for (size_t i = 0; i < x->ka && verdict == 0; i++)
		r[i] = to[i] < 0 || !x->n ? NAN : correlation(x, i, (size_t)to[i]);
	free(cost);
	return verdict;
}

static void judge_maps(struct comparison *c, const double *r, size_t ka)
{
	double least = INFINITY;
	size_t worst = 0;
	for (size_t i = 0; i < ka; i++) {
		const double value = isnan(r[i]) ? -1 : c->p->sign_blind ? fabs(r[i]) : r[i];
		if (value < least) {
			least = value;
			worst = i;
		}
	}
	c->same = c->same && 1 - least <= c->tolerance;
	hs_json_real(&c->json, "least_correlation", least);
	hs_str_addf(&c->text, "%zu maps, least correlation %.6g (map %zu)", ka, least, worst + 1);
}

/* With as == AS_VALUES the values of partners are compared, else only their correlation. */
static int compare_matched(struct comparison *c, struct hs_err *err)
{
	if (check_components(c, err) < 0 || compare_axes(c, 1, 1, err) < 0)
		return -1;
	struct cross x = { .ka = c->a.s->axis[0].n, .kb = c->b.s->axis[0].n };
	size_t order[HS_MAX_RANK];
	for (size_t d = 0; d < c->a.s->rank; d++)
		order[d] = (d + 1) % c->a.s->rank;
	double *sums = hs_alloc(4 * x.ka + 3 * x.kb + x.ka * x.kb, sizeof *sums, err);
	ptrdiff_t *to = sums ? hs_alloc(x.ka, sizeof *to, err) : NULL;
	if (!to) {
		free(sums);
		return -1;
	}
	double *const r = sums;
	x.sum_a = r + x.ka;
	x.aa = x.sum_a + x.ka;
	x.zero_a = x.aa + x.ka;
	x.sum_b = x.zero_a + x.ka;
	x.bb = x.sum_b + x.kb;
	x.zero_b = x.bb + x.kb;
	x.ab = x.zero_b + x.kb;
	struct tally t = { 0 };
	int verdict = cross_read(c, &x, order, err) < 0 || pair_maps(c, &x, to, r, err) < 0 ? -1 : 0;
	if (verdict == 0) {
		say_partners(c, "correlation", to, r, x.ka);
		if (x.ka > x.kb) {
			c->same = false;
			hs_str_addf(&c->text, "%zu of %zu components have no partner, ", x.ka - x.kb, x.ka);
		}
		if (c->as == AS_MAPS)
			judge_maps(c, r, x.ka);
		else if ((verdict = tally_matched(c, &t, order, to, r, x.ka, x.kb, err)) == 0)
			judge_values(c, &t, order, false);
	}
	free(sums);
	free(to);
	return verdict;
}

/* ------------------------------------------------------------------ spectra and what they span */

static size_t n_spectra(const struct hs_signal *s)
{
	return s->rank > 1 ? s->axis[0].n : 1;
}

static int read_spectra(struct comparison *c, double **a, double **b, size_t *p, struct hs_err *err)
{
	if (n_spectra(c->a.s) > MOST_COMP || n_spectra(c->b.s) > MOST_COMP)
		return hs_fail(err, HS_BAD_DATA, "%zu and %zu spectra: more than the %d that can be matched", n_spectra(c->a.s),
			n_spectra(c->b.s), MOST_COMP);
	if (compare_axes(c, c->a.s->rank > 1, c->b.s->rank > 1, err) < 0 || !(*a = read_whole(c, &c->a, err)) ||
		!(*b = read_whole(c, &c->b, err)))
		return -1;
	*p = hs_signal_count(c->a.s) / n_spectra(c->a.s);
	return 0;
}

static int compare_spectra(struct comparison *c, struct hs_err *err)
{
	double *a = NULL, *b = NULL, worst = 0;
	size_t p = 0, bad = 0;
	const size_t ka = n_spectra(c->a.s), kb = n_spectra(c->b.s);
	double *angle = hs_alloc(ka, sizeof *angle, err);
	ptrdiff_t *to = angle ? hs_alloc(ka, sizeof *to, err) : NULL;
	int verdict = !to || read_spectra(c, &a, &b, &p, err) < 0 ? -1 : hs_match_spectra(a, ka, b, kb, p, c->p->sign_blind, to,
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

static int compare_bases(struct comparison *c, struct hs_err *err)
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

static int32_t *read_labels(const struct comparison *c, const struct side *side, int32_t *largest, struct hs_err *err)
{
	const size_t n = hs_signal_count(side->s);
	double *v = read_whole(c, side, err);
	int32_t *label = v ? hs_alloc(n, sizeof *label, err) : NULL;
	*largest = -1;
	for (size_t i = 0; i < n && label; i++) {
		label[i] = -1;
		if (isnan(v[i]))
			continue;
		if (v[i] != floor(v[i]) || !(fabs(v[i]) <= INT32_MAX)) {
			hs_fail(err, HS_BAD_DATA, "'%s', %s: %g is not a label", hs_in_name(side->in), side->s->name, v[i]);
			free(label);
			label = NULL;
			break;
		}
		label[i] = (int32_t)v[i];
		*largest = label[i] > *largest ? label[i] : *largest;
	}
	free(v);
	return label;
}

static int compare_labels(struct comparison *c, struct hs_err *err)
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

/* ------------------------------------------------------------------ one comparison */

static enum as choose_as(const struct params *p, const struct hs_signal *a, const struct hs_signal *b)
{
	const bool whole = !hs_dtype_is_float(a->dtype) && !hs_dtype_is_complex(a->dtype) && !hs_dtype_is_float(b->dtype) &&
		!hs_dtype_is_complex(b->dtype);
	if (p->as != AS_AUTO)
		return (enum as)p->as;
	return whole && strstr(a->name, "labels") && strstr(b->name, "labels") ? AS_LABELS : AS_VALUES;
}

/* Relative for values, an angle for spectra and bases, 1 minus the index for labels, 1 minus the correlation for maps. */
static int find_tolerance(const char *text, enum as as, double *tolerance, struct hs_err *err)
{
	const bool is_angle = as == AS_SPECTRA || as == AS_BASES;
	*tolerance = is_angle ? M_PI / 180 : as == AS_VALUES ? 1e-6 : 0.01;
	if (text && (is_angle ? hs_parse_quantity(text, "rad", tolerance, err) : hs_parse_real(text, tolerance, err)) < 0)
		return hs_err_prepend(err, "--tolerance");
	return *tolerance >= 0 ? 0 : hs_fail(err, HS_USAGE, "--tolerance '%s' is negative", text);
}

static const char *as_name(enum as as)
{
	static const char *const name[] = { "auto", "values", "spectra", "labels", "bases", "maps" };
	return name[as];
}

/* Prints one line and remembers a no. */
static int compare(struct hs_run *run, const struct side *a, const struct side *b, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct comparison c = { .run = run, .p = p, .a = *a, .b = *b, .as = choose_as(p, a->s, b->s), .same = true,
		.json = { .one_line = true } };
	if (find_tolerance(p->tolerance, c.as, &c.tolerance, err) < 0)
		return -1;
	hs_json_begin(&c.json, NULL, '{');
	hs_json_text(&c.json, "signal", a->s->name);
	hs_json_text(&c.json, "with", b->s->name);
	hs_json_text(&c.json, "as", as_name(c.as));
	hs_json_begin(&c.json, "shape", '[');
	for (size_t d = 0; d < a->s->rank; d++)
		hs_json_int(&c.json, NULL, (long long)a->s->axis[d].n);
	hs_json_end(&c.json, ']');
	int verdict = 0;
	switch (c.as) {
	case AS_AUTO:
	case AS_VALUES: verdict = (p->match ? compare_matched : compare_values)(&c, err); break;
	case AS_MAPS: verdict = compare_matched(&c, err); break;
	case AS_SPECTRA: verdict = compare_spectra(&c, err); break;
	case AS_BASES: verdict = compare_bases(&c, err); break;
	case AS_LABELS: verdict = compare_labels(&c, err); break;
	}
	char *shape = shape_of(a->s);
	hs_json_real(&c.json, "tolerance", c.tolerance);
	hs_json_bool(&c.json, "same", c.same);
	hs_json_end(&c.json, '}');
	char *json = hs_json_take(&c.json);
	if (verdict == 0 && !c.same)
		run->answer_no = true;
	if (verdict == 0 && run->common.json && !run->common.quiet)
		hs_say("%s\n", json);
	else if (verdict == 0 && !run->common.quiet)
		hs_say("%s: %s as %s, %s: %s\n", a->s->name, c.same ? "same" : "different", as_name(c.as), shape, hs_str_get(&c.text));
	free(json);
	free(shape);
	hs_str_release(&c.text);
	return verdict;
}

/* Every name that is in both; of several steps' results the newest. What cannot be compared is different. */
static int compare_all(struct hs_run *run, const struct side *a, const struct side *b, struct hs_err *err)
{
	size_t n_common = 0;
	for (size_t i = 0; i < hs_in_count(a->in); i++) {
		struct hs_err none = { 0 };
		struct side one = { .in = a->in, .s = hs_in_signal(a->in, i) }, other = { .in = b->in };
		if (hs_in_find(a->in, one.s->name, &one.index, &none) < 0 || one.index != i ||
			hs_in_find(b->in, one.s->name, &other.index, &none) < 0)
			continue;
		other.s = hs_in_signal(b->in, other.index);
		n_common++;
		if (compare(run, &one, &other, &none) == 0)
			continue;
		if (none.status != HS_BAD_DATA) {
			*err = none;
			return -1;
		}
		run->answer_no = true;
		if (run->common.quiet)
			continue;
		if (run->common.json) {
			struct hs_json j = { .one_line = true };
			hs_json_begin(&j, NULL, '{');
			hs_json_text(&j, "signal", one.s->name);
			hs_json_text(&j, "reason", none.text);
			hs_json_bool(&j, "same", false);
			hs_json_end(&j, '}');
			char *text = hs_json_take(&j);
			hs_say("%s\n", text);
			free(text);
		} else {
			hs_say("%s: different, %s\n", one.s->name, none.text);
		}
	}
	return n_common ? 0 : hs_fail(err, HS_BAD_DATA, "'%s' and '%s' have no signal in common", hs_in_name(a->in), hs_in_name(b->in));
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const char *const in_b = p->with ? p->with : run->common.signal;
	struct side a = { 0 }, b = { 0 };
	double tolerance;
	if (!strcmp(run->operand[0], "-") && !strcmp(run->operand[1], "-"))
		return hs_fail(err, HS_USAGE, "standard input can be one of the two, not both");
	if (p->match && p->as != AS_AUTO && p->as != AS_VALUES && p->as != AS_MAPS)
		return hs_fail(err, HS_USAGE, "--match is for values and maps; spectra are always matched");
	if (p->as != AS_AUTO && find_tolerance(p->tolerance, (enum as)p->as, &tolerance, err) < 0)
		return -1;
	int verdict = hs_session_input(run, 0, &a.in, &a.index, err);
	if (verdict == 0 && (verdict = hs_in_open(&b.in, run->operand[1], err)) == 0)
		verdict = hs_in_find(b.in, in_b, &b.index, err);
	if (verdict == 0) {
		a.s = hs_in_signal(a.in, a.index);
		b.s = hs_in_signal(b.in, b.index);
		verdict = (p->all ? compare_all : compare)(run, &a, &b, err);
	}
	hs_in_close(a.in);
	hs_in_close(b.in);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { 0 };
	const struct hs_opt options[] = {
		HS_OPT_CHOICE('a', "as", &p.as, "auto|values|spectra|labels|bases|maps", "what the signals are"),
		HS_OPT_TEXT('t', "tolerance", &p.tolerance, "T", "largest difference that is the same; 0: the same bits"),
		HS_OPT_TEXT('w', "with", &p.with, "NAME", "the signal of B, where it has another name"),
		HS_OPT_FLAG('m', "match", &p.match, "values: pair the components first, by correlation"),
		HS_OPT_FLAG(0, "sign-blind", &p.sign_blind, "matching: a component and its negative are the same"),
		HS_OPT_FLAG(0, "ignore-axes", &p.ignore_axes, "compare numbers only, not where they lie"),
		HS_OPT_FLAG(0, "all", &p.all, "every signal that is in both"),
	};
	const struct hs_tool tool = { .name = "hscmp", .summary = "compare two results; the verdict is the exit status",
		.operands = "A B", .min_operands = 2, .max_operands = 2, .takes = "two files of ours",
		.gives = "one line of text for each comparison; status 0 same, 1 different",
		.example = "hscmp --as spectra -d endmembers --tolerance 2deg found.nxs truth.nxs",
		.uses = HS_USES_SIGNAL | HS_USES_THREADS | HS_USES_JSON, .options = options, .n_options = HS_LEN(options), .params = &p,
		.run = run };
	return hs_main(&tool, argc, argv);
}
