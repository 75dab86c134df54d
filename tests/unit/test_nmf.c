/* test_nmf - truths about non-negative matrix factorisation. With arguments it is one side of tests/oracle/nmf.py:
 *   test_nmf MATRIX TYPE N P K WORD=VALUE...
 * factors a file of TYPE (f32, f64) and prints, as float64, how it ended (status, alternations, passes, objective, KKT, error2,
 * norm2, seconds, rows used, trace length), trace, w, h, residual. Words: loss start runs iter tol sparse smooth sum seed threads
 * lean. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "math/la.h"
#include "math/match.h"
#include "unmix/nmf.h"
#include "math/par.h"
#include "tap.h"

static void say(enum hs_log_level level, const char *line)
{
	(void)level;
	fprintf(stderr, "%s\n", line);
}

static int factor(const void *x, enum hs_row_type type, size_t n, size_t p, const struct hs_nmf_options *opt, struct hs_nmf *out,
	struct hs_err *err)
{
	struct hs_rowsource *rows = hs_array_rows_new(x, type, n, p, NULL, err);
	const int verdict = hs_nmf(rows, opt, out, err);
	hs_array_rows_free(rows);
	return verdict;
}

static int oracle(int argc, char **argv)
{
	const enum hs_row_type type = strcmp(argv[2], "f32") ? HS_ROW_F64 : HS_ROW_F32;
	const size_t n = strtoull(argv[3], NULL, 10), p = strtoull(argv[4], NULL, 10), element = type == HS_ROW_F32 ? 4 : 8;
	struct hs_nmf_options o = hs_nmf_defaults(strtoull(argv[5], NULL, 10));
	void *x = malloc(n * p * element);
	FILE *file = fopen(argv[1], "rb");
	if (!x || !file || fread(x, element, n * p, file) != n * p)
		return 4;
	fclose(file);
	for (int i = 6; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		if (!value)
			return 2;
		*value++ = 0;
		const double v = strtod(value, NULL);
		const char *word = argv[i];
		if (!strcmp(word, "loss"))
			o.loss = strcmp(value, "poisson") ? HS_NMF_EUCLIDEAN : HS_NMF_POISSON;
		else if (!strcmp(word, "start"))
			o.start = !strcmp(value, "kmeans") ? HS_NMF_KMEANS : !strcmp(value, "random") ? HS_NMF_RANDOM : HS_NMF_NNDSVD;
		else if (!strcmp(word, "runs"))
			o.restarts = (size_t)v;
		else if (!strcmp(word, "iter"))
			o.max_iter = (size_t)v;
		else if (!strcmp(word, "tol"))
			o.tol = v;
		else if (!strcmp(word, "sparse"))
			o.sparse = v;
		else if (!strcmp(word, "smooth"))
			o.smooth = v;
		else if (!strcmp(word, "sum"))
			o.sum_to_one = v > 0;
		else if (!strcmp(word, "seed"))
			o.seed = (uint64_t)v;
		else if (!strcmp(word, "lean"))
			o.lean = v > 0;
		else if (!strcmp(word, "threads"))
			hs_par_set_threads((int)v);
		else
			return 2;
	}
	if (getenv("SAY"))
		hs_log_listen(say);
	struct hs_nmf r = { 0 };
	struct hs_err err = { 0 };
	const double start = hs_clock_s();
	const int verdict = factor(x, type, n, p, &o, &r, &err);
	if (verdict < 0) {
		fprintf(stderr, "%s\n", err.text);
		return (int)err.status;
	}
	const double head[] = { r.status, (double)r.n_iter, (double)r.n_passes, r.objective, r.kkt, r.error2, r.norm2,
		hs_clock_s() - start, (double)r.n_used, (double)r.n_trace };
	fwrite(head, sizeof head, 1, stdout);
	fwrite(r.trace, sizeof(double), r.n_trace, stdout);
	fwrite(r.w, sizeof(double), n * r.k, stdout);
	fwrite(r.h, sizeof(double), r.k * p, stdout);
	fwrite(r.residual, sizeof(double), n, stdout);
	hs_nmf_release(&r);
	free(x);
	return 0;
}

/* ------------------------------------------------------------------ scenes */

/* n rows that mix k peaks with shares of a Dirichlet kind (rare: nearly pure ones), times `counts`; each of the first k rows is
 * pure. noise: standard deviation, or counting noise when negative. */
static double *scene(size_t n, size_t p, size_t k, double counts, double noise, double *spectra, double *shares)
{
	double *x = malloc(n * p * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 11, HS_STREAM_TEST, i);
		double share[16], sum = 0;
		for (size_t j = 0; j < k; j++)
			sum += share[j] = i < k ? (double)(i == j) : hs_rng_gamma(&rng, 0.5);
		for (size_t j = 0; j < k; j++) {
			share[j] /= sum;
			if (shares)
				shares[i * k + j] = share[j];
		}
		for (size_t l = 0; l < p; l++) {
			double y = 0;
			for (size_t j = 0; j < k; j++) {
				/* a peak each, and nothing at all in the channels of one other: the factors are then unique */
				const double e = (double)l / (double)p, at = (0.5 + (double)j) / (double)k, d = (e - at) / 0.07;
				const double h = exp(-d * d) + (l % k == (j + 1) % k ? 0 : 0.2 * exp(-2 * e));
				y += share[j] * h;
				if (spectra)
					spectra[j * p + l] = h;
			}
			y *= counts;
			x[i * p + l] = noise < 0 ? hs_rng_poisson(&rng, y) : y + noise * hs_rng_normal(&rng);
		}
	}
	return x;
}

static struct hs_nmf run(const char *name, const void *x, enum hs_row_type type, size_t n, size_t p,
	const struct hs_nmf_options *o)
{
	struct hs_nmf r;
	struct hs_err err = { 0 };
	const int verdict = factor(x, type, n, p, o, &r, &err);
	tap_ok(verdict == 0, "%s: factored%s%s", name, verdict ? ": " : "", err.text);
	return r;
}

/* What every result promises, with x as float64. */
static void check_result(const char *name, const double *x, const struct hs_nmf *r, bool fractions)
{
	const size_t n = r->n_rows, p = r->n_chan, k = r->k;
	double error2 = 0, worst = 0, mean_off = 0, sum_off = 0, last = INFINITY;
	bool negative = false, ordered = true, rising = false;
	for (size_t i = 0; i < n; i++) {
		if (isnan(r->residual[i]))
			continue;
		double e = 0, sum = 0;
		size_t there = 0;
		for (size_t l = 0; l < p; l++) {
			double y = 0;
			for (size_t j = 0; j < k; j++)
				y += r->w[i * k + j] * r->h[j * p + l];
			const double d = x[i * p + l] - y;
			there += isfinite(d);
			e += isfinite(d) ? d * d : 0;
		}
		error2 += e;
		worst = fmax(worst, fabs(sqrt(e / (double)there) - r->residual[i]));
		for (size_t j = 0; j < k; j++) {
			negative |= !(r->w[i * k + j] >= 0);
			sum += r->w[i * k + j];
		}
		sum_off = fmax(sum_off, fabs(sum - 1));
	}
	for (size_t j = 0; j < k; j++) {
		double mean = 0, total = 0;
		for (size_t l = 0; l < p; l++) {
			negative |= !(r->h[j * p + l] >= 0);
			mean += r->h[j * p + l] / (double)p;
		}
		for (size_t i = 0; i < n; i++)
			total += isnan(r->w[i * k + j]) ? 0 : r->w[i * k + j] * mean;
		if (!fractions && j + r->n_empty < k)
			mean_off = fmax(mean_off, fabs(mean - 1));
		ordered &= total <= last * (1 + 1e-12);
		last = total;
	}
	for (size_t t = 1; t < r->n_trace; t++)
		rising |= r->trace[t] > r->trace[t - 1];
	const double scale = sqrt(r->norm2 / (double)(r->n_used * p));
	tap_ok(!negative, "%s: nothing is below zero", name);
	tap_ok(ordered && mean_off < 1e-13, "%s: components in order, spectra of mean 1 (%.1e)", name, mean_off);
	tap_ok(!fractions || sum_off < 1e-12, "%s: maps sum to 1 (%.1e)", name, fractions ? sum_off : 0);
	tap_ok(!rising && r->n_trace > 0, "%s: the objective falls in %zu passes", name, r->n_trace);
	tap_ok(worst < 1e-12 * scale && fabs(error2 - r->error2) <= 1e-12 * r->norm2, "%s: residuals are what they say (%.1e)", name,
		worst / scale);
}

static double worst_angle(const double *a, const double *b, size_t k, size_t p)
{
	ptrdiff_t to[16];
	double angle[16], worst = 0;
	struct hs_err err = { 0 };
	hs_match_spectra(a, k, b, k, p, false, to, angle, &err);
	for (size_t j = 0; j < k; j++)
		worst = fmax(worst, isnan(angle[j]) ? 2 : angle[j]);
	return worst * 180 / M_PI;
}

/* ------------------------------------------------------------------ truths */

static void test_separable(void)
{
	const size_t n = 3000, p = 90, k = 5;
	double *truth = malloc(k * p * sizeof *truth), *share = malloc(n * k * sizeof *share);
	double *x = scene(n, p, k, 100, 0, truth, share);
	struct hs_nmf_options o = hs_nmf_defaults(k);
	o.tol = 1e-9;
	struct hs_nmf r = run("separable", x, HS_ROW_F64, n, p, &o);
	check_result("separable", x, &r, false);
	const double angle = worst_angle(r.h, truth, k, p);
	tap_ok(r.status == HS_NMF_CONVERGED && r.kkt < 1e-7, "separable: KKT residual %.1e after %zu alternations", r.kkt, r.n_iter);
	tap_ok(angle < 0.1 && sqrt(r.error2 / r.norm2) < 1e-5, "separable: spectra within %.2g degrees, error %.1e", angle,
		sqrt(r.error2 / r.norm2));
	hs_nmf_release(&r);

	o.sum_to_one = true;
	o.tol = 1e-7;
	r = run("fractions", x, HS_ROW_F64, n, p, &o);
	check_result("fractions", x, &r, true);
	double worst = 0;
	for (size_t j = 0; j < k; j++) {
		double nearest = INFINITY;
		for (size_t c = 0; c < k; c++) {
			double d = 0;
			for (size_t i = 0; i < n; i++)
				d += pow(r.w[i * k + j] - share[i * k + c], 2);
			nearest = fmin(nearest, sqrt(d / (double)n));
		}
		worst = fmax(worst, nearest);
	}
	tap_ok(worst < 1e-2, "fractions: maps are the shares to %.1e", worst);
	hs_nmf_release(&r);
	free(x);
	free(truth);
	free(share);
}

/* The components together are bounded by the singular values; one is the leading pair (Perron). */
static void test_bounds(void)
{
	const size_t n = 400, p = 60;
	double *x = scene(n, p, 4, 50, -1, NULL, NULL), *copy = malloc(n * p * sizeof *copy), *u = malloc(n * p * sizeof *u),
	       *s = malloc(p * sizeof *s), *v = malloc(p * p * sizeof *v);
	struct hs_err err = { 0 };
	memcpy(copy, x, n * p * sizeof *copy);
	hs_la_svd(copy, n, p, u, s, v, &err);
	for (size_t k = 1; k <= 6; k++) {
		struct hs_nmf_options o = hs_nmf_defaults(k);
		o.tol = 1e-9;
		struct hs_nmf r = run("bounds", x, HS_ROW_F64, n, p, &o);
		double rest = 0;
		for (size_t j = k; j < p; j++)
			rest += s[j] * s[j];
		tap_ok(r.error2 >= rest * (1 - 1e-10) && r.error2 < rest * 1.05, "k = %zu: error %.8g, by singular values %.8g", k, r.error2,
			rest);
		tap_ok(fabs(r.objective - r.error2 / 2) <= 1e-10 * r.norm2, "k = %zu: the objective is half of it", k);
		if (k == 1) {
			const double angle = hs_spectral_angle(r.h, v, p), other = hs_spectral_angle(r.h, v, p);
			tap_ok(fmin(fmin(angle, M_PI - angle), other) < 1e-8, "k = 1: the leading singular vector (%.1e)", fmin(angle, M_PI - angle));
			tap_ok(fabs(r.error2 - rest) <= 1e-10 * rest, "k = 1: and its error");
		}
		hs_nmf_release(&r);
	}
	free(x);
	free(copy);
	free(u);
	free(s);
	free(v);
}

static void test_scale(void)
{
	const size_t n = 600, p = 40, k = 3;
	double *x = scene(n, p, k, 30, -1, NULL, NULL);
	for (int loss = HS_NMF_EUCLIDEAN; loss <= HS_NMF_POISSON; loss++) {
		struct hs_nmf_options o = hs_nmf_defaults(k);
		o.loss = (enum hs_nmf_loss)loss;
		o.max_iter = 300;
		o.sparse = loss ? 0 : 0.01;
		o.smooth = loss ? 0 : 0.1;
		const struct hs_nmf a = run("as it is", x, HS_ROW_F64, n, p, &o);
		double *y = malloc(n * p * sizeof *y);
		for (size_t i = 0; i < n * p; i++)
			y[i] = x[i] * 1048576;
		struct hs_nmf b = run("times 2^20", y, HS_ROW_F64, n, p, &o);
		const double want = a.objective * (loss ? 0x1p20 : 0x1p40);
		tap_ok(fabs(b.objective / want - 1) < 1e-9, "objective of scaled data: %.12g, %.12g", b.objective, want);
		tap_ok(worst_angle(a.h, b.h, k, p) < 1e-4, "the same spectra (%.1e degrees)", worst_angle(a.h, b.h, k, p));
		hs_nmf_release(&b);
		struct hs_nmf first = a;
		hs_nmf_release(&first);
		free(y);
	}
	free(x);
}

static void test_penalties(void)
{
	const size_t n = 800, p = 64, k = 4;
	double *x = scene(n, p, k, 20, -1, NULL, NULL), zeros[3], rough[3];
	for (int i = 0; i < 3; i++) {
		struct hs_nmf_options o = hs_nmf_defaults(k);
		o.sparse = (double[]){ 0, 0.05, 0.15 }[i];
		struct hs_nmf r = run("sparse", x, HS_ROW_F64, n, p, &o);
		check_result("sparse", x, &r, false);
		zeros[i] = 0;
		for (size_t l = 0; l < n * k; l++)
			zeros[i] += r.w[l] == 0;
		tap_ok(r.status == HS_NMF_CONVERGED && r.kkt <= o.tol, "sparse %g: KKT residual %.1e", o.sparse, r.kkt);
		hs_nmf_release(&r);
		o.sparse = 0;
		o.smooth = (double[]){ 0, 1, 100 }[i];
		r = run("smooth", x, HS_ROW_F64, n, p, &o);
		check_result("smooth", x, &r, false);
		rough[i] = 0;
		for (size_t j = 0; j < k; j++)
			for (size_t l = 1; l + 1 < p; l++)
				rough[i] += pow(r.h[j * p + l - 1] - 2 * r.h[j * p + l] + r.h[j * p + l + 1], 2);
		hs_nmf_release(&r);
	}
	tap_ok(zeros[0] < zeros[1] && zeros[1] < zeros[2], "sparseness makes zeros: %g, %g, %g", zeros[0], zeros[1], zeros[2]);
	tap_ok(rough[0] > rough[1] && rough[1] > 1.5 * rough[2], "smoothness: %.3g, %.3g, %.3g", rough[0], rough[1], rough[2]);
	struct hs_nmf_options o = hs_nmf_defaults(k);
	o.sparse = 1e3;
	struct hs_nmf r = run("all sparse", x, HS_ROW_F64, n, p, &o);
	tap_ok(r.n_empty == k && r.error2 == r.norm2, "a penalty beyond the data leaves nothing");
	hs_nmf_release(&r);
	free(x);
}

/* Values that are missing do not pull: what is rebuilt there is as good as the noise lets it be. */
static void test_gaps(void)
{
	const size_t n = 1500, p = 60, k = 3;
	double *clean = scene(n, p, k, 100, 0, NULL, NULL), *x = scene(n, p, k, 100, 5, NULL, NULL);
	float *narrow = malloc(n * p * sizeof *narrow);
	size_t hidden = 0;
	for (size_t i = 0; i < n * p; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 3, HS_STREAM_HOLDOUT, i);
		if (i >= k * p && hs_rng_uniform(&rng) < 0.3) {
			x[i] = i % 2 ? (double)NAN : (double)INFINITY;
			hidden++;
		}
		narrow[i] = (float)x[i];
	}
	for (int type = 0; type < 2; type++) {
		struct hs_nmf_options o = hs_nmf_defaults(k);
		struct hs_nmf r = run("gaps", type ? (void *)x : narrow, type ? HS_ROW_F64 : HS_ROW_F32, n, p, &o);
		double *same = malloc(n * p * sizeof *same);
		for (size_t i = 0; i < n * p; i++)
			same[i] = type ? x[i] : (double)narrow[i];
		check_result("gaps", same, &r, false);
		double off = 0;
		for (size_t i = 0; i < n; i++)
			for (size_t l = 0; l < p; l++) {
				double y = 0;
				for (size_t j = 0; j < k; j++)
					y += r.w[i * k + j] * r.h[j * p + l];
				off += isfinite(x[i * p + l]) ? 0 : pow(y - clean[i * p + l], 2);
			}
		off = sqrt(off / (double)hidden);
		/* against measured values there the noise would come on top: sqrt(off^2 + 5^2) */
		tap_ok(hypot(off, 5) < 1.1 * 5, "gaps: hidden values within %.3g of the truth, noise is 5", off);
		tap_ok(r.n_gaps > n - k - 5 && r.n_used == n, "gaps: %zu rows have some", r.n_gaps);
		hs_nmf_release(&r);
		free(same);
	}
	free(clean);
	free(x);
	free(narrow);
}

/* A masked row is one that is not there. */
static void test_mask(void)
{
	const size_t n = 900, p = 50, k = 3;
	double *x = scene(n, p, k, 40, -1, NULL, NULL), *some = malloc(n * p * sizeof *some);
	uint8_t *mask = calloc(n, 1);
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		mask[i] = i % 5 == 2;
		if (!mask[i])
			memcpy(some + m++ * p, x + i * p, p * sizeof *x);
	}
	x[7 * p + 3] = (double)NAN;       /* masked as well: no gap */
	struct hs_nmf_options o = hs_nmf_defaults(k);
	o.mask = mask;
	struct hs_err err = { 0 };
	struct hs_nmf a = { 0 };
	uint8_t *skip = malloc(n);
	memcpy(skip, mask, n);
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, skip, &err);
	const int verdict = hs_nmf(rows, &o, &a, &err);
	hs_array_rows_free(rows);
	o.mask = NULL;
	struct hs_nmf b = run("rows left out", some, HS_ROW_F64, m, p, &o);
	tap_ok(verdict == 0 && a.n_used == m && a.n_gaps == 0, "mask: %zu rows take part", a.n_used);
	tap_ok(isnan(a.w[7 * k]) && isnan(a.residual[7]) && !isnan(a.w[8 * k]), "mask: the others are NaN");
	tap_ok(fabs(a.objective / b.objective - 1) < 1e-9 && worst_angle(a.h, b.h, k, p) < 1e-3,
		"mask: as if they were not there (%.1e)",
		a.objective / b.objective - 1);
	hs_nmf_release(&a);
	hs_nmf_release(&b);
	free(x);
	free(some);
	free(mask);
	free(skip);
}

static void test_poisson(void)
{
	const size_t n = 700, p = 80, k = 4;
	double *truth = malloc(k * p * sizeof *truth), *x = scene(n, p, k, 300, -1, truth, NULL);
	for (size_t i = 0; i < n; i++)
		x[i * p + 11] = 0;
	for (size_t l = 0; l < p; l++)
		x[20 * p + l] = 0;
	for (size_t j = 0; j < k; j++)
		truth[j * p + 11] = 0;
	struct hs_nmf_options o = hs_nmf_defaults(k);
	o.loss = HS_NMF_POISSON;
	struct hs_nmf r = run("poisson", x, HS_ROW_F64, n, p, &o);
	check_result("poisson", x, &r, false);
	double d = 0, counts = 0, modelled = 0, dead = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t l = 0; l < p; l++) {
			double y = 0;
			for (size_t j = 0; j < k; j++)
				y += r.w[i * k + j] * r.h[j * p + l];
			d += y - x[i * p + l] + (x[i * p + l] > 0 ? x[i * p + l] * log(x[i * p + l] / y) : 0);
			counts += x[i * p + l];
			modelled += y;
			dead += l == 11 || i == 20 ? y : 0;
		}
	tap_ok(r.status == HS_NMF_CONVERGED, "poisson: converged, KKT residual %.1e after %zu", r.kkt, r.n_iter);
	tap_ok(fabs(d / r.objective - 1) < 1e-12, "poisson: the divergence is what it says, %.12g", d);
	tap_ok(fabs(modelled / counts - 1) < 1e-4, "poisson: as many counts as there were (%.1e)", modelled / counts - 1);
	tap_ok(dead < 1e-6, "poisson: nothing where nothing was counted (%.1e)", dead);
	tap_ok(worst_angle(r.h, truth, k, p) < 1, "poisson: spectra within %.2g degrees", worst_angle(r.h, truth, k, p));
	hs_nmf_release(&r);
	x[5] = -1;
	struct hs_err err = { 0 };
	tap_ok(factor(x, HS_ROW_F64, n, p, &o, &r, &err) < 0 && err.status == HS_BAD_DATA, "poisson: %s", err.text);
	hs_nmf_release(&r);
	free(x);
	free(truth);
}

/* ------------------------------------------------------------------ the same answer, however it is asked */

static bool same_bits(const struct hs_nmf *a, const struct hs_nmf *b)
{
	const size_t n = a->n_rows, p = a->n_chan, k = a->k;
	return a->n_iter == b->n_iter && a->n_trace == b->n_trace && !memcmp(a->w, b->w, n * k * sizeof(double)) &&
		!memcmp(a->h, b->h, k * p * sizeof(double)) && !memcmp(a->trace, b->trace, a->n_trace * sizeof(double)) &&
		!memcmp(a->residual, b->residual, n * sizeof(double)) && !memcmp(&a->kkt, &b->kkt, sizeof(double));
}

static void test_threads(void)
{
	const size_t n = 20000, p = 24, k = 3;
	double *x = scene(n, p, k, 40, -1, NULL, NULL);
	x[77] = (double)NAN;
	for (int kind = 0; kind < 5; kind++) {
		struct hs_nmf_options o = hs_nmf_defaults(k);
		o.max_iter = 40;
		o.restarts = 2;
		o.loss = kind == 1 ? HS_NMF_POISSON : HS_NMF_EUCLIDEAN;
		o.sum_to_one = kind == 2;
		o.lean = kind == 3;
		o.start = kind == 4 ? HS_NMF_KMEANS : HS_NMF_NNDSVD;
		struct hs_nmf one = { 0 };
		for (int i = 0; i < 4; i++) {
			const int threads = (int[]){ 1, 2, 3, 8 }[i];
			hs_par_set_threads(threads);
			struct hs_nmf r = run("threads", x, HS_ROW_F64, n, p, &o);
			if (i == 0)
				one = r;
			else
				tap_ok(same_bits(&one, &r), "kind %d: the same bits for %d threads", kind, threads);
			if (i)
				hs_nmf_release(&r);
		}
		hs_nmf_release(&one);
	}
	hs_par_set_threads(2);
	free(x);
}

static void test_ways(void)
{
	const size_t n = 1200, p = 48, k = 3;
	double *x = scene(n, p, k, 60, -1, NULL, NULL);
	struct hs_nmf_options o = hs_nmf_defaults(k);
	const struct hs_nmf a = run("default", x, HS_ROW_F64, n, p, &o);
	for (int way = 0; way < 4; way++) {
		struct hs_nmf_options other = o;
		other.lean = way == 0;
		other.start = way == 1 ? HS_NMF_KMEANS : way == 2 ? HS_NMF_RANDOM : HS_NMF_NNDSVD;
		other.spectra = way == 3 ? a.h : NULL;
		struct hs_nmf r = run("another way", x, HS_ROW_F64, n, p, &other);
		tap_ok(fabs(r.objective / a.objective - 1) < 1e-5, "way %d: the same objective (%.1e), %zu alternations", way,
			r.objective / a.objective - 1, r.n_iter);
		tap_ok(way != 3 || r.n_iter < a.n_iter + 60, "from the end it is a short way");
		hs_nmf_release(&r);
	}
	struct hs_nmf first = a;
	hs_nmf_release(&first);
	free(x);
}

/* ------------------------------------------------------------------ data that have none */

static void test_degenerate(void)
{
	enum { N = 30, P = 12 };
	double x[N * P];
	for (int kind = 0; kind < 10; kind++) {
		size_t n = N, p = P, k = 3;
		for (size_t i = 0; i < N * P; i++) {
			const double mixed = (double)(1 + i / P % 4) * (double)(1 + i % P) + (double)(i / P % 3) * (double)(i % P % 2);
			x[i] = kind == 0 ? 0 : kind == 3 ? 7 : kind == 7 ? mixed * 1e-300 : kind == 8 ? mixed * 1e300 : kind == 9 ? -mixed : mixed;
		}
		n = kind == 1 ? 1 : n;
		p = kind == 2 ? 1 : p;
		k = kind == 4 ? 20 : k;           /* beyond both */
		if (kind == 5)
			for (size_t i = 0; i < N; i++)
				x[i * P + 4] = 0;
		if (kind == 6)
			for (size_t i = 0; i < N * P; i++)
				x[i] = (double)NAN;
		for (int way = 0; way < 4; way++) {
			struct hs_nmf_options o = hs_nmf_defaults(k);
			o.loss = way == 1 ? HS_NMF_POISSON : HS_NMF_EUCLIDEAN;
			o.sum_to_one = way == 2;
			o.lean = way == 3;
			struct hs_nmf r;
			struct hs_err err = { 0 };
			const int verdict = factor(x, HS_ROW_F64, n, p, &o, &r, &err);
			const bool refused = kind == 6 || kind == 8 || (kind == 9 && way == 1);
			bool finite = true;
			for (size_t i = 0; verdict == 0 && i < n * k; i++)
				finite &= isfinite(r.w[i]) && r.w[i] >= 0;
			for (size_t i = 0; verdict == 0 && i < k * p; i++)
				finite &= isfinite(r.h[i]) && r.h[i] >= 0;
			tap_ok(refused ? verdict < 0 && err.status == HS_BAD_DATA : verdict == 0 && finite && isfinite(r.objective),
				"kind %d, way %d: %s", kind, way, verdict < 0 ? err.text : "factored");
			if (verdict == 0 && way == 0 && kind != 9)
				tap_ok(r.error2 <= 1e-6 * r.norm2, "kind %d: and exactly, %.1e", kind, r.norm2 > 0 ? r.error2 / r.norm2 : 0);
			hs_nmf_release(&r);
		}
	}
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_refusals(void)
{
	const size_t n = 200, p = 20;
	double *x = scene(n, p, 3, 30, -1, NULL, NULL);
	for (int kind = 0; kind < 6; kind++) {
		struct hs_nmf_options o = hs_nmf_defaults(kind == 0 ? 0 : 3);
		o.restarts = kind != 1;
		o.sparse = kind == 2 ? -1 : kind == 3 || kind == 4 ? 1 : 0;
		o.sum_to_one = kind == 3;
		o.loss = kind >= 4 ? HS_NMF_POISSON : HS_NMF_EUCLIDEAN;
		o.smooth = kind == 5;
		struct hs_nmf r;
		struct hs_err err = { 0 };
		tap_ok(factor(x, HS_ROW_F64, n, p, &o, &r, &err) < 0 && err.status == HS_USAGE, "refused: %s", err.text);
		hs_nmf_release(&r);
	}
	for (int loss = HS_NMF_EUCLIDEAN; loss <= HS_NMF_POISSON; loss++) {
		struct hs_nmf_options o = hs_nmf_defaults(3);
		o.loss = (enum hs_nmf_loss)loss;
		o.tol = 0;
		o.max_iter = 3;
		struct hs_nmf r = run("three alternations", x, HS_ROW_F64, n, p, &o);
		tap_ok(r.status == HS_NMF_MAXITER && r.n_iter <= 3, "loss %d: three alternations are not the end", loss);
		check_result("three alternations", x, &r, false);
		hs_nmf_release(&r);
		o.max_iter = 1000;
		o.stop = at_once;
		r = run("stopped", x, HS_ROW_F64, n, p, &o);
		tap_ok(r.status == HS_NMF_STOPPED && r.n_iter < 3, "loss %d: stopped after %zu", loss, r.n_iter);
		hs_nmf_release(&r);
	}
	free(x);
}

int main(int argc, char **argv)
{
	if (argc > 5)
		return oracle(argc, argv);
	test_separable();
	test_bounds();
	test_scale();
	test_penalties();
	test_gaps();
	test_mask();
	test_poisson();
	test_threads();
	test_ways();
	test_degenerate();
	test_refusals();
	return tap_done();
}
