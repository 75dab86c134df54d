/* Endmembers against scenes whose corners are known, and - with arguments - a driver for tests/oracle/endmember.py:
 *   test_endmember MATRIX.f64 N P METHOD K NY NX [NAME=VALUE ...]    prints what was found, one "key values" a line */
#include "unmix/endmember.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/match.h"
#include "math/par.h"
#include "unmix/vertex.h"
#include "tap.h"

/* --- driver -------------------------------------------------------------------------------------------------------- */

static void print_row(const char *key, const double *v, size_t n)
{
	printf("%s", key);
	for (size_t i = 0; i < n; i++)
		printf(" %.17g", v[i]);
	putchar('\n');
}

static void print_result(const struct hs_endmembers *e)
{
	printf("k %zu\nstatus %d\nn_used %zu\nhysime %zd\nvd %zd %zd %zd\ntw %zu\ngd %zu\nchosen %zu\n", e->k, (int)e->status,
		e->n_used, (ptrdiff_t)e->count.hysime, (ptrdiff_t)e->count.vd[0], (ptrdiff_t)e->count.vd[1],
		(ptrdiff_t)e->count.vd[2], e->count.tw, e->count.gd, e->count.chosen);
	printf("numbers %.17g %.17g %.17g %.17g %.17g %.17g %.17g %zu\n", e->noise_rms, e->snr_db, e->smoothed, e->likeness,
		e->log_volume, e->tau, e->lambda, e->n_iter);
	printf("verdict %d %.17g %.17g\n", (int)e->purity.verdict, e->purity.least, e->purity.outside);
	print_row("noise", e->noise, e->n_chan);
	print_row("share", e->share, e->k);
	for (size_t j = 0; j < e->k; j++)
		printf("pixel %zd\n", (ptrdiff_t)e->pixel[j]);
	for (size_t j = 0; j < e->k; j++)
		print_row("spectrum", e->spectrum + j * e->n_chan, e->n_chan);
	printf("why %s\n", e->why);
	printf("purity %s\n", e->purity.text);
}

static void option(struct hs_endmember_options *o, const char *text)
{
	const char *value = strchr(text, '=') + 1;
	const size_t n = (size_t)(value - text - 1);
	const double v = strtod(value, NULL);
	if (!strncmp(text, "smooth", n))
		o->smooth = v;
	else if (!strncmp(text, "purest", n))
		o->purest = v;
	else if (!strncmp(text, "minvol", n))
		o->min_volume = v > 0;
	else if (!strncmp(text, "poisson", n))
		o->poisson = v > 0;
	else if (!strncmp(text, "unit_sum", n))
		o->unit_sum = v > 0;
	else if (!strncmp(text, "tau", n))
		o->tau = v;
	else if (!strncmp(text, "lambda", n))
		o->lambda = v;
	else if (!strncmp(text, "seed", n))
		o->seed = (uint64_t)v;
	else if (!strncmp(text, "restarts", n))
		o->restarts = (size_t)v;
	else if (!strncmp(text, "skewers", n))
		o->skewers = (size_t)v;
}

static int driver(int argc, char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), p = strtoul(argv[3], NULL, 10);
	double *x = hs_must_alloc(n * p, sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(x, sizeof *x, n * p, f) != n * p)
		return 1;
	fclose(f);
	int method = 0;
	while (method <= HS_ENDMEMBER_MINVOL && strcmp(argv[4], hs_endmember_method_name((enum hs_endmember_method)method)) != 0)
		method++;
	struct hs_endmember_options o =
		hs_endmember_defaults((enum hs_endmember_method)method, strtoul(argv[5], NULL, 10));
	o.n_y = strtoul(argv[6], NULL, 10);
	o.n_x = strtoul(argv[7], NULL, 10);
	for (int i = 8; i < argc; i++)
		option(&o, argv[i]);
	struct hs_err err = { 0 };
	struct hs_endmembers e;
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	printf("bytes %zu\n", hs_endmembers_bytes(n, p, &o, 0));
	const int verdict = rows ? hs_endmembers_find(rows, &o, &e, &err) : -1;
	if (verdict == 0)
		print_result(&e);
	else
		printf("error %d %s\n", (int)err.status, err.text);
	hs_endmembers_release(&e);
	hs_array_rows_free(rows);
	free(x);
	return 0;
}

/* --- scenes -------------------------------------------------------------------------------------------------------- */

enum { N = 600, P = 40, K = 4 };

/* Endmember spectra that are smooth, positive and different. */
static double *truth_spectra(size_t k, size_t p)
{
	double *e = hs_must_alloc(k * p, sizeof *e);
	struct hs_rng rng;
	for (size_t j = 0; j < k; j++) {
		hs_rng_init(&rng, 11, HS_STREAM_TEST, j);
		const double centre = ((double)j + 0.5) / (double)k + 0.1 * hs_rng_uniform(&rng), width = 0.1 + 0.1 * hs_rng_uniform(&rng);
		for (size_t c = 0; c < p; c++) {
			const double t = ((double)c / (double)p - centre) / width;
			e[j * p + c] = 0.3 + 0.02 * hs_rng_uniform(&rng) + exp(-0.5 * t * t);
		}
	}
	return e;
}

/* Mixtures, uniform on the simplex, none purer than `purity`; with purity 1 pixel 10 (j + 1) is endmember j. */
static double *mixture(const double *e, size_t n, size_t p, size_t k, double purity, double sigma, uint64_t seed)
{
	double *x = hs_must_alloc(n * p, sizeof *x), *a = hs_must_alloc(k, sizeof *a);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_TEST, 1000 + i);
		double sum, largest;
		do {
			sum = largest = 0;
			for (size_t j = 0; j < k; j++)
				sum += a[j] = hs_rng_exponential(&rng);
			for (size_t j = 0; j < k; j++)
				largest = fmax(largest, a[j] /= sum);
		} while (largest > purity);
		for (size_t j = 0; j < k && purity >= 1 && i % 10 == 0; j++)
			if (i == 10 * (j + 1))
				for (size_t l = 0; l < k; l++)
					a[l] = l == j;
		for (size_t c = 0; c < p; c++) {
			for (size_t j = 0; j < k; j++)
				x[i * p + c] += a[j] * e[j * p + c];
			x[i * p + c] += sigma > 0 ? sigma * hs_rng_normal(&rng) : 0;
		}
	}
	free(a);
	return x;
}

static struct hs_rowsource *rows_of(const void *x, enum hs_row_type type, size_t n, size_t p, const uint8_t *skip)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, type, n, p, skip, &err);
	if (!rows)
		exit(1);
	return rows;
}

static struct hs_endmembers find(const double *x, size_t n, size_t p, const uint8_t *skip, const struct hs_endmember_options *o)
{
	struct hs_err err = { 0 };
	struct hs_endmembers e;
	struct hs_rowsource *rows = rows_of(x, HS_ROW_F64, n, p, skip);
	if (hs_endmembers_find(rows, o, &e, &err) < 0) {
		fprintf(stderr, "test_endmember: %s\n", err.text);
		exit(1);
	}
	hs_array_rows_free(rows);
	return e;
}

/* Mean angle in degrees between true and found spectra, matched. */
static double angle_of(const double *truth, size_t k, size_t p, const struct hs_endmembers *e)
{
	struct hs_err err = { 0 };
	ptrdiff_t to[64];
	double angle[64], sum = 0;
	if (hs_match_spectra(truth, k, e->spectrum, e->k, p, false, to, angle, &err) < 0)
		exit(1);
	for (size_t j = 0; j < k; j++)
		sum += angle[j];
	return sum / (double)k * 180 / M_PI;
}

/* The set of pixels is that of the pure ones. */
static int are_pure(const struct hs_endmembers *e)
{
	int found[64] = { 0 }, all = 1;
	for (size_t j = 0; j < e->k; j++)
		for (size_t l = 0; l < e->k; l++)
			found[l] |= e->pixel[j] == 10 * (l + 1);
	for (size_t l = 0; l < e->k; l++)
		all &= found[l];
	return all;
}

/* --- what must hold ------------------------------------------------------------------------------------------------ */

static void pure_pixels(void)
{
	double *e = truth_spectra(K, P), *x = mixture(e, N, P, K, 1, 0, 1);
	const enum hs_endmember_method pick[] = { HS_ENDMEMBER_SPA, HS_ENDMEMBER_NFINDR, HS_ENDMEMBER_VCA, HS_ENDMEMBER_PPI };
	for (size_t m = 0; m < HS_LEN(pick); m++) {
		struct hs_endmember_options o = hs_endmember_defaults(pick[m], K);
		o.skewers = 500;
		struct hs_endmembers r = find(x, N, P, NULL, &o);
		tap_ok(are_pure(&r) && angle_of(e, K, P, &r) < 1e-5, "%s finds the pure pixels of a scene without noise (%.2g degrees)",
			hs_endmember_method_name(pick[m]), angle_of(e, K, P, &r));
		hs_endmembers_release(&r);
	}
	/* the mean of one pixel each is that pixel */
	struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_AUTO, K);
	o.purest = 1e-9;
	struct hs_endmembers r = find(x, N, P, NULL, &o);
	tap_ok(are_pure(&r) && angle_of(e, K, P, &r) < 1e-5, "auto: and so does the mean of the purest one");
	tap_ok(r.purity.verdict == HS_PURITY_PURE && r.snr_db > 100, "pure pixels are seen to be there: %s", r.purity.text);
	double sum = 0;
	int falls = 1;
	for (size_t j = 0; j < K; j++) {
		sum += r.share[j];
		falls &= !j || r.share[j] <= r.share[j - 1];
	}
	tap_ok(fabs(sum - 1) < 1e-12 && falls, "shares sum to one and fall");
	hs_endmembers_release(&r);
	/* two more pixels, inside: nothing changes */
	double *more = hs_must_alloc((N + 2) * P, sizeof *more);
	memcpy(more, x, N * P * sizeof *x);
	for (size_t c = 0; c < P; c++) {
		more[N * P + c] = 0.4 * x[10 * P + c] + 0.6 * x[30 * P + c];
		more[(N + 1) * P + c] = 0.25 * (x[10 * P + c] + x[20 * P + c] + x[30 * P + c] + x[40 * P + c]);
	}
	o = hs_endmember_defaults(HS_ENDMEMBER_NFINDR, K);
	r = find(more, N + 2, P, NULL, &o);
	tap_ok(are_pure(&r), "a pixel inside the simplex changes nothing");
	hs_endmembers_release(&r);
	/* affine maps of the spectra commute */
	for (size_t i = 0; i < N * P; i++)
		more[i] = 3 * x[i] * (1 + (double)(i % P) / P) + 5 + (double)(i % P);
	r = find(more, N, P, NULL, &o);
	tap_ok(are_pure(&r), "nor does an affine map of the spectra");
	hs_endmembers_release(&r);
	free(more);
	free(e);
	free(x);
}

/* Largest of: what lies outside the simplex of the result (as an abundance). */
static double worst_outside(const double *x, size_t n, const struct hs_endmembers *r)
{
	const size_t d = r->k - 1, p = r->n_chan;
	double z[64], corner[64 * 8], map[64], a[8], worst = 0;
	for (size_t j = 0; j < r->k; j++)
		for (size_t c = 0; c < d; c++) {
			corner[j * d + c] = 0;
			for (size_t l = 0; l < p; l++)
				corner[j * d + c] += (r->spectrum[j * p + l] - r->mean[l]) * r->axes[c * p + l];
		}
	if (!hs_simplex_map(corner, r->k, map, NULL))
		return INFINITY;
	for (size_t i = 0; i < n; i++) {
		for (size_t c = 0; c < d; c++) {
			z[c] = 0;
			for (size_t l = 0; l < p; l++)
				z[c] += (x[i * p + l] - r->mean[l]) * r->axes[c * p + l];
		}
		hs_simplex_coordinates(map, r->k, z, a);
		for (size_t j = 0; j < r->k; j++)
			worst = fmax(worst, -a[j]);
	}
	return worst;
}

static void no_pure_pixels(void)
{
	enum { MANY = 2500 };
	double *e = truth_spectra(K, P), *x = mixture(e, MANY, P, K, 0.8, 0, 2), *noisy = mixture(e, MANY, P, K, 0.8, 0.02, 2);
	struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_NFINDR, K);
	struct hs_endmembers n = find(noisy, MANY, P, NULL, &o), clean = find(x, MANY, P, NULL, &o);
	o = hs_endmember_defaults(HS_ENDMEMBER_VCA, K);
	struct hs_endmembers v = find(noisy, MANY, P, NULL, &o);
	o = hs_endmember_defaults(HS_ENDMEMBER_SISAL, K);
	struct hs_endmembers exact = find(x, MANY, P, NULL, &o), s = find(noisy, MANY, P, NULL, &o);
	o = hs_endmember_defaults(HS_ENDMEMBER_MINVOL, K);
	struct hs_endmembers m = find(noisy, MANY, P, NULL, &o);
	const double picked = fmin(angle_of(e, K, P, &n), angle_of(e, K, P, &v));
	tap_ok(picked > 3, "without pure pixels N-FINDR and VCA are off by degrees (%.2f)", picked);
	tap_ok(angle_of(e, K, P, &exact) < 0.5, "SISAL is not, without noise (%.3f)", angle_of(e, K, P, &exact));
	tap_ok(worst_outside(x, MANY, &exact) < 1e-9 && exact.log_volume < clean.log_volume + (K - 1) * log(1.5),
		"everything is inside (%.2g), volume below that of the inflated N-FINDR simplex", worst_outside(x, MANY, &exact));
	tap_ok(angle_of(e, K, P, &s) < 1, "nor with noise (%.3f, tau %.3g)", angle_of(e, K, P, &s), s.tau);
	tap_ok(angle_of(e, K, P, &m) < 0.5 * picked, "minimal volume is nearer than picking (%.3f)", angle_of(e, K, P, &m));
	double least = INFINITY;
	for (size_t i = 0; i < K * P; i++)
		least = fmin(least, m.spectrum[i]);
	tap_ok(least >= 0, "and nowhere below zero (%.2g)", least);
	tap_ok(s.purity.verdict == HS_PURITY_MIXED && s.purity.least < 0.9, "it is seen that no pixel is pure: %s", s.purity.text);
	tap_ok(fabs(s.noise_rms / 0.02 - 1) < 0.05, "noise found: %.4f for 0.02", s.noise_rms);
	hs_endmembers_release(&n);
	hs_endmembers_release(&clean);
	hs_endmembers_release(&v);
	hs_endmembers_release(&exact);
	hs_endmembers_release(&s);
	hs_endmembers_release(&m);
	free(e);
	free(x);
	free(noisy);
}

static void numbers(void)
{
	for (size_t k = 2; k <= 6; k += 2) {
		double *e = truth_spectra(k, P), *x = mixture(e, 1500, P, k, 1, 0.01, 3 + k);
		struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_NFINDR, 0);
		struct hs_endmembers r = find(x, 1500, P, NULL, &o);
		tap_ok(r.k == k && r.count.chosen == k && r.count.tw == k && r.count.hysime == k,
			"%zu endmembers are counted: chosen %zu, HySime %zu, Tracy-Widom %zu, HFC %zu %zu %zu", k, r.count.chosen,
			r.count.hysime, r.count.tw, r.count.vd[0], r.count.vd[1], r.count.vd[2]);
		hs_endmembers_release(&r);
		free(e);
		free(x);
	}
}

static int same_result(const struct hs_endmembers *a, const struct hs_endmembers *b)
{
	return a->k == b->k && !memcmp(a->spectrum, b->spectrum, a->k * a->n_chan * sizeof(double))
		&& !memcmp(a->pixel, b->pixel, a->k * sizeof(size_t)) && !memcmp(a->share, b->share, a->k * sizeof(double))
		&& a->purity.least == b->purity.least && !strcmp(a->why, b->why);
}

static void one_order(void)
{
	enum { MANY = 20000, Q = 12 };
	double *e = truth_spectra(3, Q), *x = mixture(e, MANY, Q, 3, 0.9, 0.02, 5);
	for (int m = 0; m <= HS_ENDMEMBER_MINVOL; m++) {
		struct hs_endmember_options o = hs_endmember_defaults((enum hs_endmember_method)m, 3);
		struct hs_endmembers first = { 0 };
		const int threads[] = { 1, 2, 3, 8 };
		int same = 1;
		o.n_y = 100;
		o.n_x = 200;
		o.smooth = m == HS_ENDMEMBER_AUTO ? 1 : 0;
		o.skewers = 100;
		o.restarts = 3;
		o.max_iter = 4;
		o.poisson = o.unit_sum = m == HS_ENDMEMBER_NFINDR;
		for (size_t t = 0; t < HS_LEN(threads); t++) {
			hs_par_set_threads(threads[t]);
			struct hs_endmembers r = find(x, MANY, Q, NULL, &o);
			same &= !t || same_result(&first, &r);
			if (t)
				hs_endmembers_release(&r);
			else
				first = r;
		}
		tap_ok(same, "%s: the same bits with 1, 2, 3 and 8 threads", hs_endmember_method_name(o.method));
		hs_endmembers_release(&first);
	}
	hs_par_set_threads(2);
	free(e);
	free(x);
}

/* Skipped rows take no part: scene with gaps is the scene without those rows. */
static void masks(void)
{
	double *e = truth_spectra(K, P), *x = mixture(e, N, P, K, 1, 0.005, 6), *rest = hs_must_alloc(N * P, sizeof *rest);
	size_t place[N], n = 0;
	for (size_t i = 0; i < N; i++) {
		if (i % 7 == 3) {
			x[i * P + i % P] = NAN;
			continue;
		}
		place[n] = i;
		memcpy(rest + n++ * P, x + i * P, P * sizeof *x);
	}
	struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_NFINDR, K);
	struct hs_endmembers a = find(x, N, P, NULL, &o), b = find(rest, n, P, NULL, &o);
	int same = a.n_used == n;
	double off = 0;
	for (size_t j = 0; j < K; j++)
		same &= a.pixel[j] == place[b.pixel[j]];
	for (size_t i = 0; i < K * P; i++)
		off = fmax(off, fabs(a.spectrum[i] - b.spectrum[i]));
	tap_ok(same && off < 1e-12, "rows that are not finite take no part (%.2g)", off);
	hs_endmembers_release(&a);
	hs_endmembers_release(&b);
	free(e);
	free(x);
	free(rest);
}

static void scales(void)
{
	double *e = truth_spectra(K, P), *x = mixture(e, N, P, K, 1, 0, 7), *y = hs_must_alloc(N * P, sizeof *y);
	const double factor[] = { 1e300, 1e-300 };
	struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_NFINDR, K);
	for (size_t f = 0; f < HS_LEN(factor); f++) {
		for (size_t i = 0; i < N * P; i++)
			y[i] = x[i] * factor[f];
		struct hs_endmembers r = find(y, N, P, NULL, &o);
		double off = 0;
		for (size_t j = 0; j < K; j++)
			for (size_t c = 0; c < P; c++)
				off = fmax(off, fabs(r.spectrum[j * P + c] / y[r.pixel[j] * P + c] - 1));
		tap_ok(are_pure(&r) && off < 1e-9, "values of %g are no hindrance (%.2g)", factor[f], off);
		hs_endmembers_release(&r);
	}
	/* brightness that varies from pixel to pixel goes out with unit_sum */
	for (size_t i = 0; i < N * P; i++)
		y[i] = x[i] * (1 + (double)(i / P % 13));
	memset(y, 0, P * sizeof *y);
	o.unit_sum = true;
	struct hs_endmembers r = find(y, N, P, NULL, &o);
	tap_ok(are_pure(&r) && r.n_used == N - 1 && angle_of(e, K, P, &r) < 1e-5,
		"unit_sum: brightness does not count, nor does an empty row");
	hs_endmembers_release(&r);
	free(e);
	free(x);
	free(y);
}

/* Counts with an empty channel and an empty row, as float32; and the same pixels in another order. */
static void counts(void)
{
	double *e = truth_spectra(K, P), *x = mixture(e, N, P, K, 1, 0, 9), *back = hs_must_alloc(N * P, sizeof *back);
	float *f = hs_must_alloc(N * P, sizeof *f);
	struct hs_err err = { 0 };
	for (size_t j = 0; j < K; j++)
		e[j * P + 7] = 0;
	for (size_t i = 0; i < N; i++)
		for (size_t c = 0; c < P; c++) {
			struct hs_rng rng;
			hs_rng_init(&rng, 12, HS_STREAM_TEST, i * P + c);
			f[i * P + c] = c == 7 || i == 3 ? 0 : (float)hs_rng_poisson(&rng, 2000 * x[i * P + c]);
		}
	for (size_t i = 0; i < N * P; i++)
		back[i] = (double)f[(N - 1 - i / P) * P + i % P];
	struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_NFINDR, K);
	o.poisson = o.unit_sum = true;
	struct hs_rowsource *rows = rows_of(f, HS_ROW_F32, N, P, NULL);
	struct hs_endmembers a;
	if (hs_endmembers_find(rows, &o, &a, &err) < 0)
		exit(1);
	struct hs_endmembers b = find(back, N, P, NULL, &o);
	int same = 1, empty = 1;
	for (size_t j = 0; j < K; j++) {
		same &= a.pixel[j] == N - 1 - b.pixel[j];
		empty &= fabs(a.spectrum[j * P + 7]) < 1e-9;
	}
	tap_ok(angle_of(e, K, P, &a) < 2 && empty && a.n_used == N - 1, "counts: %.2f degrees; an empty channel stays empty",
		angle_of(e, K, P, &a));
	tap_ok(same, "pixels in another order are the same endmembers");
	hs_endmembers_release(&a);
	hs_endmembers_release(&b);
	hs_array_rows_free(rows);
	free(e);
	free(x);
	free(back);
	free(f);
}

static bool at_once(void *ctx)
{
	++*(int *)ctx;
	return true;
}

static void corners(void)
{
	double *e = truth_spectra(K, P), *x = mixture(e, N, P, 3, 1, 0, 8), *flat = hs_must_alloc(N * P, sizeof *flat);
	for (int m = 0; m <= HS_ENDMEMBER_MINVOL; m++) {
		const char *name = hs_endmember_method_name((enum hs_endmember_method)m);
		struct hs_endmember_options o = hs_endmember_defaults((enum hs_endmember_method)m, 6);
		o.skewers = 200;
		struct hs_endmembers r = find(x, N, P, NULL, &o);
		tap_ok(r.k == 3 && r.status == HS_ENDMEMBER_DEGENERATE, "%s: six endmembers of three give %zu", name, r.k);
		hs_endmembers_release(&r);
		r = find(flat, N, P, NULL, &o);
		tap_ok(r.k == 1 && r.spectrum[0] == 0 && r.share[0] == 1, "%s: all zero is one endmember, zero", name);
		hs_endmembers_release(&r);
		r = find(x, 1, P, NULL, &o);
		tap_ok(r.k == 1 && r.spectrum[5] == x[5], "%s: one pixel is one endmember", name);
		hs_endmembers_release(&r);
		/* one channel: two endmembers, the extremes */
		o.k = 2;
		r = find(x, N, 1, NULL, &o);
		tap_ok(r.k == 2 && isfinite(r.spectrum[0]) && isfinite(r.spectrum[1]) && r.spectrum[0] != r.spectrum[1],
			"%s: one channel has two ends", name);
		hs_endmembers_release(&r);
	}
	/* fewer pixels than channels */
	struct hs_endmember_options few = hs_endmember_defaults(HS_ENDMEMBER_NFINDR, 3);
	struct hs_endmembers side = find(x, 30, P, NULL, &few);
	tap_ok(side.k == 3 && side.count.hysime == HS_COUNT_UNKNOWN && isfinite(side.noise_rms) && isfinite(side.spectrum[0]),
		"fewer pixels than channels: %zu endmembers, HySime cannot tell", side.k);
	hs_endmembers_release(&side);
	/* two kinds of pixels, copied */
	for (size_t i = 0; i < N * P; i++)
		flat[i] = x[(size_t)(i / P % 2 ? 10 : 20) * P + i % P];
	struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_AUTO, 2);
	struct hs_endmembers r = find(flat, N, P, NULL, &o);
	tap_ok(r.k == 2 && fabs(r.share[0] - 0.5) < 1e-12, "two kinds of pixels, many copies: two endmembers, half each");
	hs_endmembers_release(&r);
	free(e);
	free(x);
	free(flat);
}

static void refusals(void)
{
	struct hs_err err = { 0 };
	struct hs_endmembers r;
	double *e = truth_spectra(K, P), *x = mixture(e, N, P, 3, 1, 0, 8);
	struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_AUTO, 2);
	o.k = HS_ENDMEMBERS_MOST + 1;
	struct hs_rowsource *rows = rows_of(x, HS_ROW_F64, N, P, NULL);
	tap_ok(hs_endmembers_find(rows, &o, &r, &err) == -1 && err.status == HS_USAGE, "refused: %s", err.text);
	hs_endmembers_release(&r);
	o.k = 3;
	o.n_y = 7;
	o.n_x = 11;
	err = (struct hs_err){ 0 };
	tap_ok(hs_endmembers_find(rows, &o, &r, &err) == -1 && err.status == HS_USAGE, "refused: %s", err.text);
	hs_endmembers_release(&r);
	hs_array_rows_free(rows);
	uint8_t *skip = hs_must_alloc(N, 1);
	memset(skip, 1, N);
	rows = rows_of(x, HS_ROW_F64, N, P, skip);
	o.n_y = o.n_x = 0;
	err = (struct hs_err){ 0 };
	tap_ok(hs_endmembers_find(rows, &o, &r, &err) == -1 && err.status == HS_BAD_DATA, "refused: %s", err.text);
	hs_endmembers_release(&r);
	hs_array_rows_free(rows);
	int asked = 0;
	o = hs_endmember_defaults(HS_ENDMEMBER_SISAL, 3);
	o.stop = at_once;
	o.stop_ctx = &asked;
	r = find(x, N, P, NULL, &o);
	tap_ok(asked && r.status == HS_ENDMEMBER_STOPPED && r.k == 3 && isfinite(r.spectrum[0])
			&& r.purity.verdict == HS_PURITY_UNKNOWN && r.purity.k == 3,
		"stopped: with what there is");
	hs_endmembers_release(&r);
	free(skip);
	free(e);
	free(x);
}

/* Neighbours that are alike are smoothed, pixels in random order are not. */
static void grids(void)
{
	enum { SIDE = 40, Q = 20 };
	double *e = truth_spectra(3, Q), *x = hs_must_alloc(SIDE * SIDE * Q, sizeof *x),
	       *lost = mixture(e, SIDE * SIDE, Q, 3, 1, 0.1, 9);
	for (size_t i = 0; i < SIDE * SIDE; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 10, HS_STREAM_TEST, i);
		const double u = (double)(i / SIDE) / (SIDE - 1), v = (double)(i % SIDE) / (SIDE - 1);
		const double a[3] = { u * v, u * (1 - v), 1 - u };
		for (size_t c = 0; c < Q; c++)
			x[i * Q + c] = a[0] * e[c] + a[1] * e[Q + c] + a[2] * e[2 * Q + c] + 0.4 * hs_rng_normal(&rng);
	}
	struct hs_endmember_options o = hs_endmember_defaults(HS_ENDMEMBER_AUTO, 3);
	struct hs_endmembers none = find(x, SIDE * SIDE, Q, NULL, &o);
	o.n_y = o.n_x = SIDE;
	struct hs_endmembers with = find(x, SIDE * SIDE, Q, NULL, &o), random = find(lost, SIDE * SIDE, Q, NULL, &o);
	tap_ok(with.smoothed == 1 && with.likeness > 0.9, "a smooth scene is smoothed (likeness %.2f): %s", with.likeness, with.why);
	tap_ok(random.smoothed == 0 && random.likeness < 0.2, "one in random order is not (%.2f): %s", random.likeness, random.why);
	tap_ok(angle_of(e, 3, Q, &with) < angle_of(e, 3, Q, &none), "which helps: %.2f degrees, %.2f without",
		angle_of(e, 3, Q, &with), angle_of(e, 3, Q, &none));
	hs_endmembers_release(&none);
	hs_endmembers_release(&with);
	hs_endmembers_release(&random);
	free(e);
	free(x);
	free(lost);
}

int main(int argc, char **argv)
{
	hs_par_set_threads(2);
	if (argc >= 8)
		return driver(argc, argv);
	pure_pixels();
	no_pure_pixels();
	numbers();
	masks();
	scales();
	counts();
	grids();
	corners();
	refusals();
	one_order();
	return tap_done();
}
