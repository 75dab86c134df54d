/* test_fit - what holds for fits of any model: criteria, intervals under each kind of noise, ties, weights, sweeps, starts,
 * deadlines; the same bytes for any threads; evidence and examples. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "physics/evidence.h"
#include "physics/fit.h"
#include "tap.h"

enum { N = 60 };

static double x[N];
static const struct hs_grid grid = { .n = N, .x = x, .x_unit = "eV", .y_unit = "counts" };

static double peak_at(double t, double h, double c, double w)
{
	return h * exp(-4 * M_LN2 * (t - c) * (t - c) / (w * w));
}

static void noise_of(struct hs_rng *rng, size_t item)
{
	hs_rng_init(rng, 5, HS_STREAM_TEST, item);
}

/* rows spectra of a peak on a constant, with noise. */
static double *peaks(size_t rows, double sigma)
{
	double *y = malloc(rows * N * sizeof *y);
	for (size_t i = 0; i < rows; i++) {
		struct hs_rng rng;
		noise_of(&rng, i);
		for (size_t e = 0; e < N; e++)
			y[i * N + e] = 10 + peak_at(x[e], 100, 285, 6) + sigma * hs_rng_normal(&rng);
	}
	return y;
}

/* Options o with the model of that name fitted; the model lives in *c. */
static bool fit_with(struct hs_compound *c, const char *model, const char *tie, const double *y, size_t rows,
	struct hs_fit_options o, struct hs_fit *f)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *source = hs_array_rows_new(y, HS_ROW_F64, rows, N, NULL, &err);
	bool good = source && hs_compound_parse(c, model, &err) == 0 && (!tie || hs_compound_tie(c, tie, &err) == 0);
	o.model = c;
	o.grid = grid;
	good = good && hs_fit(source, &o, f, &err) == 0;
	if (!good)
		printf("# %s\n", err.text);
	hs_array_rows_free(source);
	return good;
}

/* ------------------------------------------------------------------ numbers */

/* Written out from the definitions, over the points with weight. */
static void criteria(enum hs_fit_noise noise, const char *name)
{
	static double weight[N];
	double *y = peaks(20, 4), worst = 0;
	struct hs_compound c;
	struct hs_fit f;
	for (size_t e = 0; e < N; e++)
		weight[e] = e >= 5;
	const bool good = fit_with(&c, "gaussian+constant", NULL, y, 20, (struct hs_fit_options){ .noise = noise, .sigma = 4,
		.weight = weight },
		&f);
	for (size_t i = 0; good && i < 20; i++) {
		double m[N], squares = 0, chi2 = 0, mean = 0, total = 0;
		struct hs_err err = { 0 };
		hs_fit_model(&c, &grid, f.value + i * (f.n_params + f.n_derived), m, &err);
		for (size_t e = 5; e < N; e++)
			mean += y[i * N + e] / (N - 5);
		for (size_t e = 5; e < N; e++) {
			const double v = y[i * N + e], r = v - m[e];
			squares += r * r;
			total += (v - mean) * (v - mean);
			chi2 += noise == HS_FIT_SIGMA ? r * r / 16 : noise == HS_FIT_COUNTS ? r * r / fmax(v, 1) :
				noise == HS_FIT_POISSON ? 2 * (m[e] - v + (v > 0 ? v * log(v / m[e]) : 0)) : r * r;
		}
		const double n = N - 5, k = noise == HS_FIT_EQUAL ? 5 : 4,
			     surprise = noise == HS_FIT_EQUAL ? n * log(squares / n) : chi2,
			     aicc = surprise + 2 * k + 2 * k * (k + 1) / (n - k - 1);
		worst = fmax(worst, fabs(f.aicc[i] - aicc) / fabs(aicc));
		worst = fmax(worst, fabs(f.bic[i] - surprise - k * log(n)) / fabs(aicc));
		worst = fmax(worst, fabs(f.reduced_chi2[i] - chi2 / (n - 4)) / f.reduced_chi2[i]);
		worst = fmax(worst, fabs(f.r2[i] - 1 + squares / total));
	}
	tap_ok(good && worst < 1e-10, "%s: chi2, R2, AICc, BIC as defined, to %.1e", name, worst);
	hs_fit_release(&f);
	hs_compound_release(&c);
	free(y);
}

/* Parts of rows whose 95 % interval holds the truth, least and most over the parameters. */
static void intervals(const char *what, const double *y, size_t rows, struct hs_fit_options o)
{
	static const double truth[] = { 100, 285, 6, 10 };
	struct hs_compound c;
	struct hs_fit f;
	double least = 1, most = 0;
	const bool good = fit_with(&c, "gaussian+constant", NULL, y, rows, o, &f);
	for (size_t j = 0; good && j < 4; j++) {
		size_t inside = 0;
		for (size_t i = 0; i < rows; i++)
			inside += fabs(f.value[i * 5 + j] - truth[j]) <= 1.959964 * f.sigma[i * 5 + j];
		least = fmin(least, (double)inside / (double)rows);
		most = fmax(most, (double)inside / (double)rows);
	}
	tap_ok(good && least > 0.935 && most < 0.965 && f.count[HS_FIT_CONVERGED] == rows,
		"%s: 95 %% intervals hold the truth in %.1f to %.1f %%",
		what, 100 * least, 100 * most);
	hs_fit_release(&f);
	hs_compound_release(&c);
}

static void honest_intervals(void)
{
	enum { ROWS = 4000 };
	double *y = peaks(ROWS, 3);
	intervals("equal noise", y, ROWS, (struct hs_fit_options){ .noise = HS_FIT_EQUAL });
	intervals("known noise", y, ROWS, (struct hs_fit_options){ .noise = HS_FIT_SIGMA, .sigma = 3 });
	intervals("robust, no spikes", y, ROWS, (struct hs_fit_options){ .noise = HS_FIT_EQUAL, .robust = true });
	for (size_t i = 0; i < ROWS * N; i++) {
		struct hs_rng rng;
		noise_of(&rng, 1000000 + i);
		if (hs_rng_uniform(&rng) < 0.04)
			y[i] += 2000;
	}
	intervals("robust, 4 % spikes", y, ROWS, (struct hs_fit_options){ .noise = HS_FIT_EQUAL, .robust = true, .n_y = 40,
		.n_x = ROWS / 40,
		.sweeps = 2 });
	for (size_t i = 0; i < ROWS; i++) {
		struct hs_rng rng;
		noise_of(&rng, i);
		for (size_t e = 0; e < N; e++)
			y[i * N + e] = (double)hs_rng_poisson(&rng, 10 + peak_at(x[e], 100, 285, 6));
	}
	intervals("counts", y, ROWS, (struct hs_fit_options){ .noise = HS_FIT_POISSON });
	free(y);
}

/* ------------------------------------------------------------------ order, threads, neighbours */

static bool same(const struct hs_fit *a, const struct hs_fit *b)
{
	const size_t n = a->n_rows, width = a->n_params + a->n_derived;
	return !memcmp(a->value, b->value, n * width * sizeof *a->value) && !memcmp(a->sigma, b->sigma, n * width * sizeof *a->sigma) &&
		!memcmp(a->aicc, b->aicc, n * sizeof *a->aicc) && !memcmp(a->status, b->status, n);
}

static void threads(void)
{
	enum { SIDE = 30 };
	double *y = peaks(SIDE * SIDE, 60);               /* so bad that sweeps have work */
	struct hs_compound c[2];
	struct hs_fit f[2];
	const struct hs_fit_options o = { .robust = true, .n_y = SIDE, .n_x = SIDE, .sweeps = 2 };
	const int most = hs_par_threads();
	hs_par_set_threads(1);
	bool good = fit_with(&c[0], "gaussian+line", NULL, y, SIDE * SIDE, o, &f[0]);
	hs_par_set_threads(3);
	good = fit_with(&c[1], "gaussian+line", NULL, y, SIDE * SIDE, o, &f[1]) && good;
	hs_par_set_threads(most);
	tap_ok(good && same(&f[0], &f[1]), "the same bytes for 1 and 3 threads, with sweeps and robust weights");
	for (size_t i = 0; i < 2; i++) {
		hs_fit_release(&f[i]);
		hs_compound_release(&c[i]);
	}
	free(y);
}

/* Sweeps never make a spectrum worse, whatever channels are left out. */
static void sweeps(void)
{
	enum { SIDE = 20, ROWS = SIDE * SIDE };
	static double weight[N];
	double *y = peaks(ROWS, 40);
	struct hs_compound c[2];
	struct hs_fit f[2];
	struct hs_fit_options o = { .weight = weight, .n_y = SIDE, .n_x = SIDE };
	size_t worse = 0, better = 0;
	for (size_t e = 0; e < N; e++)
		weight[e] = e >= 20 && e < 45;
	bool good = fit_with(&c[0], "gaussian+line", NULL, y, ROWS, o, &f[0]);
	o.sweeps = 3;
	good = fit_with(&c[1], "gaussian+line", NULL, y, ROWS, o, &f[1]) && good;
	for (size_t i = 0; good && i < ROWS; i++) {
		/* the sums of squares, through R2: parameters on a bound change the degrees of freedom */
		worse += isfinite(f[0].r2[i]) && !(f[1].r2[i] >= f[0].r2[i] - 1e-9);
		better += f[1].r2[i] > f[0].r2[i] + 1e-6;
	}
	tap_ok(good && worse == 0 && better > 0, "sweeps: %zu spectra better, %zu worse", better, worse);
	for (size_t i = 0; i < 2; i++) {
		hs_fit_release(&f[i]);
		hs_compound_release(&c[i]);
	}
	free(y);
}

/* ------------------------------------------------------------------ ties, starts, deadlines */

static void ties(void)
{
	double y[N];
	struct hs_rng rng;
	struct hs_compound c, formula;
	struct hs_fit f, g;
	struct hs_err err = { 0 };
	noise_of(&rng, 3);
	for (size_t e = 0; e < N; e++)
		y[e] = peak_at(x[e], 90, 280, 5) + peak_at(x[e], 45, 291, 5) + hs_rng_normal(&rng);
	struct hs_rowsource *source = hs_array_rows_new(y, HS_ROW_F64, 1, N, NULL, &err);
	struct hs_fit_options o = { .model = &c, .grid = grid, .with_covariance = true };
	bool good = source && hs_compound_parse(&c, "gaussian+gaussian", &err) == 0 &&
		hs_compound_start(&c, "gaussian1_centre=280eV,gaussian2_centre=291eV", "eV", "counts", &err) == 0 &&
		hs_compound_tie(&c, "gaussian2_width=gaussian1_width,gaussian2_height=0.5*gaussian1_height", &err) == 0 &&
		hs_fit(source, &o, &f, &err) == 0;
	o.model = &formula;
	good = good && hs_compound_parse(&formula, "expr: h*exp(-4*log(2)*((x-c)/w)^2) + 0.5*h*exp(-4*log(2)*((x-d)/w)^2)", &err) == 0 &&
		hs_compound_start(&formula, "c=280,d=291,w=5", "eV", "counts", &err) == 0 && hs_fit(source, &o, &g, &err) == 0;
	static const size_t ours[] = { 0, 1, 2, 4 }, theirs[] = { 0, 1, 2, 3 };
	double off = 0;
	for (size_t j = 0; good && j < 4; j++) {
		off = fmax(off, fabs(f.value[ours[j]] - g.value[theirs[j]]) / g.value[theirs[j]]);
		off = fmax(off, 1e-2 * fabs(f.sigma[ours[j]] - g.sigma[theirs[j]]) / g.sigma[theirs[j]]);
	}
	tap_ok(good && off < 1e-7 && f.value[5] == f.value[2] && f.sigma[5] == f.sigma[2] && f.value[3] == 0.5 * f.value[0] &&
		fabs(f.sigma[3] / f.sigma[0] - 0.5) < 1e-12, "ties: the same as a formula with fewer parameters, to %.1e %s", off, err.text);
	tap_ok(good && fabs(f.covariance[9] - 0.25F * f.covariance[0]) <= 1e-5F * f.covariance[0] &&
		fabs(f.covariance[6] - 0.5F * f.covariance[0]) <= 1e-5F * f.covariance[0], "covariance of a tied parameter follows");
	hs_fit_release(&f);
	hs_fit_release(&g);
	hs_compound_release(&c);
	hs_compound_release(&formula);
	hs_array_rows_free(source);
}

static void starts(void)
{
	double *y = peaks(3, 1), start[] = { 100, 285, 6, 10, NAN, NAN, NAN, NAN, 100, 284, 5, 9 };
	struct hs_compound c[2];
	struct hs_fit f[2];
	bool good = fit_with(&c[0], "gaussian+constant", NULL, y, 3, (struct hs_fit_options){ .start = start }, &f[0]);
	good = fit_with(&c[1], "gaussian+constant", NULL, y, 3, (struct hs_fit_options){ .max_iter = 100 }, &f[1]) && good;
	double off = 0;
	for (size_t j = 0; good && j < 15; j++)
		off = fmax(off, fabs(f[0].value[j] - f[1].value[j]) / fabs(f[1].value[j]));
	tap_ok(good && off < 1e-6 && f[0].count[HS_FIT_CONVERGED] == 3, "starts given, one of them NaN: the same end to %.1e", off);
	for (size_t i = 0; i < 2; i++) {
		hs_fit_release(&f[i]);
		hs_compound_release(&c[i]);
	}
	free(y);
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

static void deadline(void)
{
	double *y = peaks(5, 1);
	struct hs_compound c;
	struct hs_fit f;
	y[N + 7] = NAN;
	const bool good = fit_with(&c, "gaussian+constant", NULL, y, 5, (struct hs_fit_options){ .stop = at_once, .n_y = 1, .n_x = 5,
		.sweeps = 2 }, &f);
	tap_ok(good && f.stopped && f.count[HS_FIT_UNDONE] == 4 && f.count[HS_FIT_SKIPPED] == 1 && isnan(f.value[0]) &&
		isnan(f.aicc[0]) &&
		f.status[1] == HS_FIT_SKIPPED, "a deadline that has passed: nothing is fitted, and it says so");
	hs_fit_release(&f);
	hs_compound_release(&c);
	free(y);
}

static void exact(void)
{
	double y[3 * N];
	struct hs_compound c;
	struct hs_fit f;
	for (size_t e = 0; e < N; e++) {
		y[e] = 3 + 0.5 * x[e];
		y[N + e] = 0;
		y[2 * N + e] = 1e-300 * x[e];
	}
	const bool good = fit_with(&c, "line", NULL, y, 3, (struct hs_fit_options){ .max_iter = 0 }, &f);
	bool no_infinity = good;
	for (size_t i = 0; good && i < 3; i++)
		no_infinity &= !isinf(f.aicc[i]) && !isinf(f.bic[i]) && !isinf(f.r2[i]) && !isinf(f.reduced_chi2[i]);
	tap_ok(good && no_infinity && isfinite(f.aicc[0]) && f.aicc[0] < -1000 && f.status[0] == HS_FIT_CONVERGED,
		"data that a model meets exactly have finite criteria, or none");
	hs_fit_release(&f);
	hs_compound_release(&c);
}

/* ------------------------------------------------------------------ evidence */

static void evidence(void)
{
	double a[] = { 1, 5, NAN, 2, NAN }, b[] = { 3, 2, 4, 2, NAN };
	struct hs_fit f[] = { { .n_rows = 5, .aicc = a }, { .n_rows = 5, .aicc = b } };
	const struct hs_fit *fits[] = { &f[0], &f[1] };
	struct hs_evidence e;
	struct hs_err err = { 0 };
	const bool good = hs_evidence_weigh(fits, 2, &e, &err) == 0;
	tap_ok(good && e.best[0] == 0 && e.best[1] == 1 && e.best[2] == 1 && e.best[3] == 0 && e.best[4] == -1 && e.n_best[0] == 2 &&
		e.n_best[1] == 2, "the best model, the first of equals, -1 where none has a criterion");
	tap_ok(good && fabs(e.weight[0] - 1 / (1 + exp(-1))) < 1e-15 && fabs(e.weight[3] - 1 / (1 + exp(-1.5))) < 1e-15 &&
		e.weight[4] == 0 && e.weight[5] == 1 && e.weight[6] == 0.5 && isnan(e.weight[8]) && isnan(e.weight[9]), "Akaike weights");
	hs_evidence_release(&e);
}

static void examples(void)
{
	enum { ROWS = 9 };
	double *y = peaks(ROWS, 1);
	struct hs_compound c;
	struct hs_fit f;
	struct hs_examples e = { 0 };
	struct hs_err err = { 0 };
	y[4 * N + 30] += 50;
	y[6 * N + 2] = NAN;
	struct hs_rowsource *source = hs_array_rows_new(y, HS_ROW_F64, ROWS, N, NULL, &err);
	const bool good = fit_with(&c, "gaussian+constant", NULL, y, ROWS, (struct hs_fit_options){ .max_iter = 100 }, &f) &&
		hs_examples_choose(source, &c, &f, &grid, 3, &e, &err) == 0;
	tap_ok(good && e.n == 3 && e.row[0] == 4 && f.reduced_chi2[e.row[0]] >= f.reduced_chi2[e.row[1]] &&
		f.reduced_chi2[e.row[1]] >= f.reduced_chi2[e.row[2]] && !memcmp(e.measured, y + 4 * N, N * sizeof *y) &&
		!strncmp(e.text, "worst: pixel 4, R2 0.9", 22), "examples: %s", e.text ? e.text : err.text);
	hs_examples_release(&e);
	hs_fit_release(&f);
	hs_compound_release(&c);
	hs_array_rows_free(source);
	free(y);
}

int main(void)
{
	for (size_t e = 0; e < N; e++)
		x[e] = 270 + 0.5 * (double)e;
	criteria(HS_FIT_EQUAL, "equal");
	criteria(HS_FIT_SIGMA, "sigma");
	criteria(HS_FIT_COUNTS, "counts");
	criteria(HS_FIT_POISSON, "poisson");
	honest_intervals();
	threads();
	sweeps();
	ties();
	starts();
	deadline();
	exact();
	evidence();
	examples();
	return tap_done();
}
