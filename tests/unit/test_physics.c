/* test_physics - what every model has to hold: derivatives, recovery from its own guess, units, honest intervals, flags.
 *
 * Generic over hs_model_table; where a model is tried stands in physics_rows.h. HS_COVERAGE=10000 takes that many noisy spectra
 * instead of 2000; an argument tries the models alone whose names begin with it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "physics/evidence.h"
#include "physics/fit.h"
#include "physics/guess.h"
#include "physics_rows.h"
#include "tap.h"

enum { MOST_POINTS = 4096 };

/* ------------------------------------------------------------------ derivatives */

/* A vector of m values as a function of k parameters. */
typedef bool (*vector_fn)(const void *ctx, const double *p, double *out);

enum { TABLEAU = 6 };

/* d out / d p_j by central differences, extrapolated to step 0 (Ridders, Adv. Eng. Softw. 4 (1982) 75): the column of the tableau
 * that changed least from the one before. step: the widest one. */
static bool differentiate(vector_fn fn, const void *ctx, const double *p, size_t k, size_t j, double step, size_t m, double *out)
{
	double *t[TABLEAU][TABLEAU], q[HS_COMPOUND_MOST], *high = malloc(m * sizeof *high), best = INFINITY;
	bool good = true;
	memset(t, 0, sizeof t);
	memcpy(q, p, k * sizeof *q);
	for (size_t a = 0; a < TABLEAU && good; a++, step /= 1.6) {
		for (size_t b = 0; b <= a; b++)
			t[a][b] = malloc(m * sizeof(double));
		q[j] = p[j] + step;
		const double above = q[j];
		good = fn(ctx, q, high);
		q[j] = p[j] - step;
		good = good && fn(ctx, q, t[a][0]);
		for (size_t i = 0; i < m; i++)
			t[a][0][i] = (high[i] - t[a][0][i]) / (above - q[j]);
		double factor = 1;
		for (size_t b = 1; b <= a; b++) {
			double change = 0;
			factor *= 1.6 * 1.6;
			for (size_t i = 0; i < m; i++) {
				t[a][b][i] = (t[a][b - 1][i] * factor - t[a - 1][b - 1][i]) / (factor - 1);
				change = fmax(change, fmax(fabs(t[a][b][i] - t[a][b - 1][i]), fabs(t[a][b][i] - t[a - 1][b - 1][i])));
			}
			if (change < best) {
				best = change;
				memcpy(out, t[a][b], m * sizeof *out);
			}
		}
	}
	for (size_t a = 0; a < TABLEAU; a++)
		for (size_t b = 0; b < TABLEAU; b++)
			free(t[a][b]);
	free(high);
	return good && isfinite(best);
}

static double largest(const double *v, size_t n)
{
	double most = 0;
	for (size_t i = 0; i < n; i++)
		most = isfinite(v[i]) ? fmax(most, fabs(v[i])) : INFINITY;
	return most;
}

/* Largest deviation of the m x 1 derivative d by p_j from differences no wider than `room`, over the largest |d|; where d is
 * zero to
 * rounding, what the differences say over the size of the values. */
static double deviation(vector_fn fn, const void *ctx, const double *p, size_t k, size_t j, double room, size_t m,
	const double *d,
	double size)
{
	double *numeric = malloc(m * sizeof *numeric), most = 0;
	const double steepest = largest(d, m), unit = fmax(fabs(p[j]), 1e-3),
		     step = fmin(steepest > 0 ? 0.01 * size / steepest : 0.01 * unit, room);
	if (!differentiate(fn, ctx, p, k, j, step, m, numeric)) {
		free(numeric);
		return INFINITY;
	}
	for (size_t i = 0; i < m; i++)
		most = fmax(most, fabs(numeric[i] - d[i]));
	free(numeric);
	return steepest * unit > 1e-9 * size ? most / steepest : most * unit / size;
}

struct place {
	const struct hs_model *model;
	struct hs_grid grid;
	size_t n_values;
};

static bool eval_fn(const void *ctx, const double *p, double *y)
{
	const struct place *at = ctx;
	return at->model->eval(&at->grid, p, y, NULL);
}

static bool physical_fn(const void *ctx, const double *p, double *q)
{
	const struct place *at = ctx;
	at->model->physical(&at->grid, p, q, NULL);
	return true;
}

static bool derive_fn(const void *ctx, const double *q, double *d)
{
	const struct place *at = ctx;
	double dd[HS_MODEL_MOST * HS_MODEL_MOST];
	at->model->derive(&at->grid, q, d, dd);
	return true;
}

static void to_internal(const struct place *at, const double *reported, double *p)
{
	if (at->model->internal)
		at->model->internal(&at->grid, reported, p);
	else
		memcpy(p, reported, at->model->n_params * sizeof *p);
}

static void eval_derivatives(const struct place *at, size_t set, const double *p)
{
	const struct hs_model *m = at->model;
	const size_t n = at->n_values, k = m->n_params;
	double *y = malloc(n * sizeof *y), *again = malloc(n * sizeof *again), *dy = malloc(k * n * sizeof *dy), worst = 0;
	size_t which = 0;
	const bool defined = m->eval(&at->grid, p, again, NULL) && m->eval(&at->grid, p, y, dy);
	tap_ok(defined && !memcmp(y, again, n * sizeof *y), "%s %zu: the same values with derivatives and without", m->name, set);
	for (size_t j = 0; defined && j < k; j++) {
		/* internal parameters may be others than those the bounds are for */
		const double room = m->physical ? 0.01 * fabs(p[j]) : 0.3 * fmin(p[j] - m->param[j].low, m->param[j].high - p[j]),
			     off = deviation(eval_fn, at, p, k, j, room > 0 ? room : INFINITY, n, dy + j * n, largest(y, n));
		if (!(off <= worst)) {
			worst = off;
			which = j;
		}
	}
	tap_ok(defined && worst < 1e-7, "%s %zu: derivatives to %.1e (%s)", m->name, set, worst, m->param[which].name);
	free(y);
	free(again);
	free(dy);
}

/* One row of a Jacobian (rows x k) at a time, as its entries have different units. */
static double jacobian_off(const struct place *at, vector_fn fn, const double *p, size_t rows, const double *value,
	const double *jacobian)
{
	const size_t k = at->model->n_params;
	double worst = 0, column[HS_MODEL_MOST], numeric[HS_MODEL_MOST];
	for (size_t j = 0; j < k; j++)
		for (size_t a = 0; a < rows; a++) {
			const double exact = jacobian[a * k + j], size = fmax(fabs(value[a]), 1e-300), unit = fmax(fabs(p[j]), 1e-3);
			const double step = fmin(exact != 0 ? 0.01 * size / fabs(exact) : INFINITY, 0.01 * unit);
			if (!differentiate(fn, at, p, k, j, step > 0 ? step : 0.01 * unit, rows, numeric))
				return INFINITY;
			column[a] = fabs(numeric[a] - exact) / (fabs(exact) * unit > 1e-9 * size ? fabs(exact) : size / unit);
			worst = fmax(worst, column[a]);
		}
	return worst;
}

static void other_derivatives(const struct place *at, size_t set, const double *reported, const double *p)
{
	const struct hs_model *m = at->model;
	double q[HS_MODEL_MOST], dq[HS_MODEL_MOST * HS_MODEL_MOST] = { 0 }, off = 0;
	if (m->physical) {
		m->physical(&at->grid, p, q, dq);
		for (size_t j = 0; j < m->n_params; j++)
			off = fmax(off, fabs(q[j] - reported[j]) / fmax(fabs(reported[j]), 1e-12));
		tap_ok(off < 1e-11, "%s %zu: internal parameters and back to %.1e", m->name, set, off);
		off = jacobian_off(at, physical_fn, p, m->n_params, q, dq);
		tap_ok(off < 1e-7, "%s %zu: derivatives of the reported parameters to %.1e", m->name, set, off);
	}
	if (m->n_derived) {
		double d[HS_MODEL_MOST], dd[HS_MODEL_MOST * HS_MODEL_MOST] = { 0 };
		m->derive(&at->grid, reported, d, dd);
		off = jacobian_off(at, derive_fn, reported, m->n_derived, d, dd);
		tap_ok(off < 1e-7, "%s %zu: derivatives of what is derived to %.1e", m->name, set, off);
	}
}

/* ------------------------------------------------------------------ fits */

/* n rows of the fit's values, as they come from a source, fitted with c. */
static bool fit_rows(const struct hs_compound *c, const struct hs_grid *g, const double *rows, size_t n, enum hs_fit_noise noise,
	struct hs_fit *f)
{
	struct hs_err err = { 0 };
	const struct hs_fit_options o = { .model = c, .grid = *g, .noise = noise, .max_iter = 400, .with_covariance = true };
	struct hs_rowsource *source = hs_array_rows_new(rows, HS_ROW_F64, n, c->is_complex ? 2 * g->n : g->n, NULL, &err);
	const bool good = source && hs_fit(source, &o, f, &err) == 0;
	if (!good)
		printf("# %s\n", err.text);
	hs_array_rows_free(source);
	return good;
}

/* n spectra (real parts, then imaginary ones) fitted with the model alone; settings as in `reported`, the rest guessed. */
static bool fit_spectra(const struct place *at, const double *y, size_t n, const double *reported, struct hs_fit *f)
{
	struct hs_compound c;
	struct hs_err err = { 0 };
	const size_t values = at->n_values, half = at->grid.n;
	if (hs_compound_parse(&c, at->model->name, &err) < 0)
		return false;
	double *rows = malloc(n * values * sizeof *rows);
	for (size_t j = 0; j < c.n_params; j++)
		if (c.param[j].fixed)
			c.param[j].value = reported[j];
	for (size_t i = 0; i < n; i++)
		for (size_t e = 0; e < values; e++)
			rows[i * values + (c.is_complex ? e % half * 2 + e / half : e)] = y[i * values + e];
	const bool good = fit_rows(&c, &at->grid, rows, n, HS_FIT_EQUAL, f);
	hs_compound_release(&c);
	free(rows);
	return good;
}

/* Largest deviation from the truth, relative; where the truth is 0, in units that change the spectrum by its own size. */
static double miss(const struct place *at, const double *truth, const double *found, const double *y, const double *dy)
{
	double most = 0;
	for (size_t j = 0; j < at->model->n_params; j++) {
		const double unit = truth[j] != 0 ? fabs(truth[j]) : largest(y, at->n_values) / largest(dy + j * at->n_values, at->n_values),
			     off = fabs(found[j] - truth[j]) / unit;
		most = off <= most ? most : off;
	}
	return most;
}

static void recovery(const struct place *at, size_t set, const double *reported, const double *p)
{
	const size_t n = at->n_values, k = at->model->n_params;
	double *y = malloc(n * sizeof *y), *dy = malloc(n * k * sizeof *dy);
	struct hs_fit f = { 0 };
	if (at->model->eval(&at->grid, p, y, dy) && fit_spectra(at, y, 1, reported, &f)) {
		const double off = miss(at, reported, f.value, y, dy);
		if (!tap_ok(f.status[0] == HS_FIT_CONVERGED && off < 1e-8, "%s %zu: found again to %.1e in %u steps, status %u",
			at->model->name,
			set, off, f.n_iter[0], f.status[0]))
			for (size_t j = 0; j < k; j++)
				printf("# %s is %.17g, found %.17g\n", at->model->param[j].name, reported[j], f.value[j]);
	} else {
		tap_ok(0, "%s %zu: can be fitted", at->model->name, set);
	}
	hs_fit_release(&f);
	free(y);
	free(dy);
}

static double unit_change(enum hs_unit_of of, double x, double y)
{
	switch (of) {
	case HS_OF_X: return x;
	case HS_OF_Y: return y;
	case HS_OF_AREA: return x * y;
	case HS_OF_SLOPE: return y / x;
	case HS_OF_CURVATURE: return y / (x * x);
	case HS_OF_PER_X: return 1 / x;
	default: return 1;
	}
}

/* The same spectrum with its axis in thousandths and its values in thousand millions: the same physics. A little noise, so that
 * the end is not where everything began. */
static void units(const struct place *at, size_t set, const double *reported, const double *p)
{
	const struct hs_model *m = at->model;
	const size_t n = at->n_values;
	double *y = malloc(n * sizeof *y), *x = malloc(at->grid.n * sizeof *x), off = 0, other[HS_MODEL_MOST];
	char x_unit[32], y_unit[32];
	struct place scaled = *at;
	struct hs_fit a = { 0 }, b = { 0 };
	struct hs_rng rng;
	hs_rng_init(&rng, 3, HS_STREAM_TEST, set);
	bool good = m->eval(&at->grid, p, y, NULL);
	const double size = largest(y, n);
	for (size_t i = 0; i < n; i++)
		y[i] += 1e-6 * size * hs_rng_normal(&rng);
	good = good && fit_spectra(at, y, 1, reported, &a);
	snprintf(x_unit, sizeof x_unit, "m%s", at->grid.x_unit);
	snprintf(y_unit, sizeof y_unit, strcmp(at->grid.y_unit, "counts") ? "G%s" : "%s", at->grid.y_unit);
	for (size_t i = 0; i < at->grid.n; i++)
		x[i] = 1e3 * at->grid.x[i];
	for (size_t i = 0; i < n; i++)
		y[i] *= 1e-9;
	for (size_t j = 0; j < m->n_params; j++)
		other[j] = reported[j] * unit_change(m->param[j].unit_of, 1e3, 1e-9);
	scaled.grid = (struct hs_grid){ at->grid.n, x, x_unit, y_unit };
	good = good && fit_spectra(&scaled, y, 1, other, &b);
	for (size_t j = 0; good && j < m->n_params + m->n_derived; j++) {
		const enum hs_unit_of of = j < m->n_params ? m->param[j].unit_of : m->derived[j - m->n_params].unit_of;
		const double factor = unit_change(of, 1e3, 1e-9), mine = a.value[j] * factor, error = a.sigma[j] * factor;
		/* a parameter that is zero by nature is compared on the scale of what changes the spectrum by a hundredth */
		off = fmax(off, fabs(b.value[j] - mine) / fmax(fabs(mine), 1e4 * error));
		off = error > 0 ? fmax(off, 1e-3 * fabs(b.sigma[j] - error) / error) : off;
	}
	tap_ok(good && a.status[0] == b.status[0] && off < 1e-9, "%s %zu: the same in other units to %.1e (status %d, %d)", m->name, set,
		off, good ? a.status[0] : -1, good ? b.status[0] : -1);
	hs_fit_release(&a);
	hs_fit_release(&b);
	free(x);
	free(y);
}

/* 95 % intervals hold the truth in 93 to 97 % of many noisy spectra. */
static void coverage(const struct place *at, double noise, const double *reported, const double *p)
{
	const struct hs_model *m = at->model;
	const char *wanted = getenv("HS_COVERAGE");
	const size_t n = at->n_values, n_spectra = wanted && atol(wanted) > 0 ? (size_t)atol(wanted) : 2000,
		     width = m->n_params + m->n_derived;
	double *y = malloc(n * sizeof *y), *rows = malloc(n * n_spectra * sizeof *rows), truth[2 * HS_MODEL_MOST],
	       dd[HS_MODEL_MOST * HS_MODEL_MOST];
	struct hs_fit f = { 0 };
	m->eval(&at->grid, p, y, NULL);
	const double sigma = noise * largest(y, n);
	for (size_t i = 0; i < n_spectra; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 11, HS_STREAM_TEST, i);
		for (size_t e = 0; e < n; e++)
			rows[i * n + e] = y[e] + sigma * hs_rng_normal(&rng);
	}
	memcpy(truth, reported, m->n_params * sizeof *truth);
	if (m->n_derived)
		m->derive(&at->grid, reported, truth + m->n_params, dd);
	const bool good = fit_spectra(at, rows, n_spectra, reported, &f);
	if (!tap_ok(good && f.count[HS_FIT_CONVERGED] >= 0.995 * (double)n_spectra, "%s: %zu of %zu noisy spectra converge", m->name,
		good ? f.count[HS_FIT_CONVERGED] : 0, n_spectra))
		for (size_t s = 0; s < HS_FIT_N_STATUS; s++)
			printf("# status %zu: %zu\n", s, f.count[s]);
	for (size_t j = 0; good && j < width; j++) {
		size_t inside = 0, judged = 0;
		for (size_t i = 0; i < n_spectra; i++) {
			judged += f.status[i] == HS_FIT_CONVERGED && f.sigma[i * width + j] > 0;
			inside += f.status[i] == HS_FIT_CONVERGED && fabs(f.value[i * width + j] - truth[j]) <= 1.959964 * f.sigma[i * width + j];
		}
		const double part = (double)inside / (double)judged;
		if (j >= m->n_params || !m->param[j].setting)
			tap_ok(part > 0.93 && part < 0.97, "%s: 95 %% intervals of %s hold the truth in %.1f %%", m->name,
				j < m->n_params ? m->param[j].name : m->derived[j - m->n_params].name, 100 * part);
	}
	hs_fit_release(&f);
	free(y);
	free(rows);
}

/* ------------------------------------------------------------------ flags */

/* An answer that says it is one has numbers in it; what is derived may be infinite (the length of a decay that does not decay).
 * */
static bool honest(const struct hs_fit *f, size_t row)
{
	const size_t width = f->n_params + f->n_derived;
	for (size_t j = 0; j < width && f->status[row] == HS_FIT_CONVERGED; j++)
		if (j < f->n_params ? !isfinite(f->value[row * width + j]) : isnan(f->value[row * width + j]))
			return false;
	return true;
}

static void flags(const struct place *at, const double *reported)
{
	static const char *const what[] = { "zero", "constant", "constant, tiny", "constant, huge", "one point", "NaN",
		"1e300 and -1e300",
		"tiny noise" };
	enum { N = HS_LEN(what) };
	const struct hs_model *m = at->model;
	const size_t n = at->n_values;
	double *y = calloc(N * n, sizeof *y);
	struct hs_fit f = { 0 };
	for (size_t i = 0; i < n; i++) {
		const double of[N] = { 0, 2.5, 1e-300, 1e300, i == n / 3, i == 1 ? NAN : 1, i % 2 ? 1e300 : -1e300,
			1e-310 * (double)(i * i % 7) };
		for (size_t s = 0; s < N; s++)
			y[s * n + i] = of[s];
	}
	const bool good = fit_spectra(at, y, N, reported, &f);
	for (size_t s = 0; good && s < N; s++) {
		const bool constant = s < 4, nan = s == 5;
		tap_ok(nan ? f.status[s] == HS_FIT_SKIPPED :
			honest(&f, s) && !(constant && !m->background && f.status[s] == HS_FIT_CONVERGED),
			"%s: %s has status %u", m->name, what[s], f.status[s]);
	}
	tap_ok(good, "%s: nothing stops on degenerate spectra", m->name);
	hs_fit_release(&f);
	free(y);
}

/* Axes of one to six points. */
static void few_points(const struct place *at, const double *reported)
{
	const double y[12] = { 1, 3, 2, -1, 5, 0.5, 2, 2, 1, 0, 4, 1 };
	bool good = true;
	for (size_t n = 1; n <= 6; n++) {
		struct place few = { at->model, at->grid, at->model->is_complex ? 2 * n : n };
		struct hs_fit f = { 0 };
		few.grid.n = n;
		good = fit_spectra(&few, y, 1, reported, &f) && honest(&f, 0) && good;
		hs_fit_release(&f);
	}
	tap_ok(good, "%s: on axes of one to six points", at->model->name);
}

/* The same spectrum where squares underflow or overflow: fitted well, or not said to be fitted. */
static void sizes(const struct place *at, const double *reported, const double *p)
{
	const size_t n = at->n_values;
	double *y = malloc(2 * n * sizeof *y);
	struct hs_fit f = { 0 };
	bool good = at->model->eval(&at->grid, p, y, NULL);
	const double size = largest(y, n);
	for (size_t i = 0; i < n; i++) {
		y[n + i] = y[i] / size * 1e200;
		y[i] = y[i] / size * 1e-200;
	}
	good = good && fit_spectra(at, y, 2, reported, &f);
	for (size_t s = 0; good && s < 2; s++)
		good = f.status[s] != HS_FIT_CONVERGED || f.r2[s] > 0.99;
	tap_ok(good, "%s: of size 1e-200 and 1e200 (status %d, %d)", at->model->name, f.status ? f.status[0] : -1,
		f.status ? f.status[1] : -1);
	hs_fit_release(&f);
	free(y);
}

/* A peak far outside: whatever is said, no centre inside is claimed to have been found. */
static void outside(const struct place *at, const double *reported)
{
	const struct hs_model *m = at->model;
	const size_t n = at->grid.n;
	const double lo = at->grid.x[0], hi = at->grid.x[n - 1];
	double q[HS_MODEL_MOST], p[HS_MODEL_MOST], *y = malloc(at->n_values * sizeof *y);
	struct hs_fit f = { 0 };
	for (size_t j = 0; j < m->n_params; j++) {
		q[j] = reported[j];
		if (strcmp(m->param[j].name, "centre"))
			continue;
		q[j] = hi + 2 * (hi - lo);
		to_internal(at, q, p);
		const bool good = m->eval(&at->grid, p, y, NULL) && fit_spectra(at, y, 1, reported, &f);
		tap_ok(!good || f.status[0] != HS_FIT_CONVERGED || f.value[j] < lo || f.value[j] > hi,
			"%s: outside the window: status %d, centre %g", m->name, good ? f.status[0] : -1, good ? f.value[j] : NAN);
		hs_fit_release(&f);
	}
	free(y);
}

/* ------------------------------------------------------------------ sums */

static const struct {
	const char *text;
	size_t n_params;
	double p[12];
} sums[] = {
	{ "lorentzian+lorentzian+constant", 7, { 100, 284.61, 2, 60, 291.3, 1.2, 7 } },
	{ "gaussian+gaussian+line", 8, { 100, 284.61, 2, 60, 291.3, 3, 7, -0.02 } },
	{ "voigt+exponential", 6, { 80, 290.07, 1.5, 1, 20, 0.1 } },
	{ "powerlaw+edge", 6, { 1000, 3, 400, 285.2, 2, 4 } },
	{ "gaussian+exponential+constant", 6, { 10, 288.3, 2, 50, 0.2, 3 } },
};

/* Counts: the power law before an edge, by maximum likelihood. Its intervals hold, and behind the window it is drawn on without
 * much bias. */
static void try_counts(void)
{
	enum { N = 113, ROWS = 2000 };
	static double x[N], rows[ROWS * N], y[N];
	const struct hs_grid g = { N, x, "eV", "counts" };
	const double truth[] = { 12, 3 };
	struct hs_compound c;
	struct hs_err err = { 0 };
	struct hs_fit f = { 0 };
	for (size_t i = 0; i < N; i++)
		x[i] = 400 + 0.5 * (double)i;
	if (!tap_ok(hs_compound_parse(&c, "powerlaw", &err) == 0 && hs_compound_eval(&c, &g, truth, y, NULL, NULL),
		"a power law has values"))
		return;
	for (size_t r = 0; r < ROWS; r++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 12, HS_STREAM_TEST, r);
		for (size_t i = 0; i < N; i++)
			rows[r * N + i] = hs_rng_poisson(&rng, y[i]);
	}
	const bool good = fit_rows(&c, &g, rows, ROWS, HS_FIT_POISSON, &f);
	double inside[2] = { 0 }, beyond = 0, chi2 = 0;
	for (size_t r = 0; good && r < ROWS; r++) {
		for (size_t j = 0; j < 2; j++)
			inside[j] += fabs(f.value[2 * r + j] - truth[j]) <= 1.959964 * f.sigma[2 * r + j];
		beyond += f.value[2 * r] * pow(500 / 400.0, -f.value[2 * r + 1]) / ROWS;
		chi2 += f.reduced_chi2[r] / ROWS;
	}
	tap_ok(good && f.count[HS_FIT_CONVERGED] == ROWS, "counts: all power laws converge");
	for (size_t j = 0; j < 2; j++)
		tap_ok(inside[j] > 0.93 * ROWS && inside[j] < 0.97 * ROWS, "counts: 95 %% intervals of %s hold the truth in %.1f %%",
			c.param[j].name, 100 * inside[j] / ROWS);
	const double bias = beyond / (truth[0] * pow(500 / 400.0, -truth[1])) - 1;
	tap_ok(fabs(bias) < 0.015, "counts: 44 eV behind the window the background is right to %.1f %%", 100 * bias);
	tap_ok(fabs(chi2 - 1) < 0.06, "counts: the deviance for a degree of freedom is %.3f", chi2);
	hs_fit_release(&f);
	hs_compound_release(&c);
}

/* Sums are found again; a spectrum that the background explains has no peak, and is not said to have one. */
static void try_sums(void)
{
	enum { N = 301 };
	static double x[N], y[2 * N], scratch[24 * N];
	const struct hs_grid g = { N, x, "eV", "counts" };
	for (size_t i = 0; i < N; i++)
		x[i] = 270 + 0.1 * (double)i;
	for (size_t s = 0; s < HS_LEN(sums); s++) {
		struct hs_compound c;
		struct hs_err err = { 0 };
		struct hs_fit f = { 0 };
		double off = 0;
		bool good = hs_compound_parse(&c, sums[s].text, &err) == 0 && c.n_params == sums[s].n_params &&
			hs_compound_eval(&c, &g, sums[s].p, y, NULL, scratch) && fit_rows(&c, &g, y, 1, HS_FIT_EQUAL, &f);
		for (size_t j = 0; good && j < c.n_params; j++)
			off = fmax(off, fabs(f.value[j] / sums[s].p[j] - 1));
		tap_ok(good && f.status[0] == HS_FIT_CONVERGED && off < 1e-8, "%s: found again to %.1e in %u steps", sums[s].text, off,
			good ? f.n_iter[0] : 0);
		hs_fit_release(&f);
		hs_compound_release(&c);
	}
	struct hs_compound c;
	struct hs_err err = { 0 };
	struct hs_fit f = { 0 };
	for (size_t i = 0; i < N; i++) {
		y[i] = 0.1 + 0.3 * x[i];
		y[N + i] = -1e7 * x[i];
	}
	const bool good = hs_compound_parse(&c, "gaussian+line", &err) == 0 && fit_rows(&c, &g, y, 2, HS_FIT_EQUAL, &f);
	tap_ok(good && f.status[0] == HS_FIT_NO_START && f.status[1] == HS_FIT_NO_START, "no peak is seen in the rounding of a line");
	hs_fit_release(&f);
	hs_compound_release(&c);
}

/* ------------------------------------------------------------------ a model */

static void specs(const struct hs_model *m)
{
	bool good = m->what && m->formula && m->source && m->n_params <= HS_MODEL_MOST && m->n_derived <= HS_MODEL_MOST &&
		!m->physical == !m->internal;
	for (size_t j = 0; good && j < m->n_params; j++) {
		const struct hs_param_spec *s = &m->param[j];
		good = s->name && strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s->name) && s->what && s->low < s->high &&
			(!s->setting || isfinite(s->usual)) && (s->unit_of != HS_OF_OWN || s->unit);
	}
	tap_ok(good, "%s: well formed", m->name);
}

static void try_model(const struct hs_model *m)
{
	const struct physics_row *row = NULL;
	static double x[MOST_POINTS];
	for (size_t i = 0; i < HS_LEN(physics_rows); i++)
		if (!strcmp(physics_rows[i].name, m->name))
			row = &physics_rows[i];
	specs(m);
	if (!tap_ok(row && row->n <= MOST_POINTS && row->n_sets, "%s: has a row in physics_rows.h", m->name))
		return;
	for (size_t i = 0; i < row->n; i++) {
		/* from the middle up, down and back for a model of a sweep */
		const double t = 4 * (double)i / (double)row->n, turned = t < 1 ? t : t < 3 ? 2 - t : t - 4;
		x[i] = m->sweep == HS_BOTH_WAYS ? 0.5 * (row->lo + row->hi + (row->hi - row->lo) * turned) :
			row->lo + (row->hi - row->lo) * (double)i / (double)(row->n - 1);
	}
	const struct place at = { m, { row->n, x, row->x_unit, row->y_unit }, m->is_complex ? 2 * row->n : row->n };
	for (size_t s = 0; s < row->n_sets; s++) {
		double p[HS_MODEL_MOST];
		to_internal(&at, row->set[s], p);
		eval_derivatives(&at, s, p);
		other_derivatives(&at, s, row->set[s], p);
		recovery(&at, s, row->set[s], p);
		units(&at, s, row->set[s], p);
		if (s == 0)
			sizes(&at, row->set[s], p);
		if (s == 0 && row->noise > 0)
			coverage(&at, row->noise, row->set[s], p);
	}
	few_points(&at, row->set[0]);
	flags(&at, row->set[0]);
	outside(&at, row->set[0]);
}

int main(int argc, char **argv)
{
	for (const struct hs_model *const *m = hs_model_table; *m; m++)
		if (argc < 2 || !strncmp((*m)->name, argv[1], strlen(argv[1])))
			try_model(*m);
	if (argc < 2) {
		try_sums();
		try_counts();
	}
	return tap_done();
}
