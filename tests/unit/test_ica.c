/* Independent components of sources that are known, identities that hold exactly, data that have none, and - with arguments -
 * a driver for tests/oracle/ica.py:
 *   test_ica SAMPLES.f64 N K picard|fastica|deflation|jade|orthomax logcosh|gauss|quartic RESTARTS
 * prints k and whether it converged, then unmix and mix, one row a line, then kurtosis and reliability */
#include "factor/ica.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "factor/contrast.h"
#include "math/fold.h"
#include "math/la.h"
#include "math/par.h"
#include "factor/turn.h"
#include "factor/whiten.h"
#include "tap.h"

static const char *const method_names[] = { "picard", "fastica", "deflation", "jade", "orthomax" };
static const char *const contrast_names[] = { "logcosh", "gauss", "quartic" };

static size_t word(const char *text, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(text, names[i]))
			return i;
	fprintf(stderr, "test_ica: '%s'?\n", text);
	exit(2);
}

static void print(const double *v, size_t rows, size_t columns)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < columns; j++)
			printf("%.17g%c", v[i * columns + j], j + 1 < columns ? ' ' : '\n');
}

static int driver(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), k = strtoul(argv[3], NULL, 10);
	struct hs_ica_options o = hs_ica_defaults();
	struct hs_err err = { 0 };
	struct hs_ica ica;
	double *t = hs_must_alloc(n * k, sizeof *t);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(t, sizeof *t, n * k, f) != n * k)
		return 2;
	fclose(f);
	o.method = (enum hs_ica_method)word(argv[4], method_names, HS_LEN(method_names));
	o.contrast = (enum hs_contrast_kind)word(argv[5], contrast_names, HS_LEN(contrast_names));
	o.restarts = strtoul(argv[6], NULL, 10);
	if (hs_ica(t, n, k, &o, &ica, &err) < 0) {
		fprintf(stderr, "test_ica: %s\n", err.text);
		return 1;
	}
	printf("%zu %d %zu\n", ica.k, ica.turn.status == HS_TURN_CONVERGED, ica.turn.n_iter);
	print(ica.unmix, ica.k, k);
	print(ica.mix, k, ica.k);
	print(ica.kurtosis, 1, ica.k);
	for (size_t i = 0; i < ica.k; i++)
		printf("%.17g%c", ica.reliability ? ica.reliability[i] : 1, i + 1 < ica.k ? ' ' : '\n');
	hs_ica_release(&ica);
	free(t);
	return 0;
}

/* ------------------------------------------------------------------ known sources */

enum kind { LAPLACE, UNIFORM, GAUSSIAN };

static double draw(struct hs_rng *rng, enum kind kind)
{
	if (kind == LAPLACE)
		return (hs_rng_uniform(rng) < 0.5 ? -1 : 1) * hs_rng_exponential(rng) * M_SQRT1_2;
	return kind == UNIFORM ? sqrt(12) * (hs_rng_uniform(rng) - 0.5) : hs_rng_normal(rng);
}

/* n samples of k sources, of unit variance; the first n_laplace of them are Laplace, the next n_uniform uniform. */
static double *sources(size_t n, size_t k, size_t n_laplace, size_t n_uniform, uint64_t seed)
{
	double *s = hs_must_alloc(n * k, sizeof *s);
	for (size_t j = 0; j < k; j++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_TEST, j);
		for (size_t i = 0; i < n; i++)
			s[i * k + j] = draw(&rng, j < n_laplace ? LAPLACE : j < n_laplace + n_uniform ? UNIFORM : GAUSSIAN);
	}
	return s;
}

static double *random_mixing(size_t k, uint64_t seed)
{
	double *a = hs_must_alloc(k * k, sizeof *a);
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, 1000);
	for (size_t i = 0; i < k * k; i++)
		a[i] = hs_rng_normal(&rng);
	return a;
}

/* t = a s + offset for every sample */
static double *mixed(const double *s, size_t n, size_t k, const double *a, double offset)
{
	double *t = hs_must_alloc(n * k, sizeof *t);
	for (size_t i = 0; i < n; i++)
		for (size_t r = 0; r < k; r++) {
			t[i * k + r] = offset;
			for (size_t c = 0; c < k; c++)
				t[i * k + r] += a[r * k + c] * s[i * k + c];
		}
	return t;
}

/* Amari index of unmix a (k x k each): 0 for a permutation with signs and scales, 1 at most. */
static double amari(const double *unmix, const double *a, size_t k)
{
	double *p = hs_must_alloc(k * k, sizeof *p), index = 0;
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < k; j++)
			for (size_t l = 0; l < k; l++)
				p[i * k + j] += unmix[i * k + l] * a[l * k + j];
	for (size_t i = 0; i < k; i++) {
		double row = 0, row_most = 0, column = 0, column_most = 0;
		for (size_t j = 0; j < k; j++) {
			row += fabs(p[i * k + j]);
			row_most = fmax(row_most, fabs(p[i * k + j]));
			column += fabs(p[j * k + i]);
			column_most = fmax(column_most, fabs(p[j * k + i]));
		}
		index += row / row_most - 1 + column / column_most - 1;
	}
	free(p);
	return index / (2 * (double)k * ((double)k - 1));
}

static struct hs_ica solved(const double *t, size_t n, size_t k, struct hs_ica_options o)
{
	struct hs_ica ica;
	struct hs_err err = { 0 };
	if (hs_ica(t, n, k, &o, &ica, &err) < 0) {
		fprintf(stderr, "test_ica: %s\n", err.text);
		exit(1);
	}
	return ica;
}

static struct hs_ica_options plain(enum hs_ica_method method, size_t restarts)
{
	struct hs_ica_options o = hs_ica_defaults();
	o.method = method;
	o.restarts = restarts;
	return o;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void goal(enum hs_ica_method method, size_t k, size_t seeds, double limit)
{
	enum { N = 10000 };
	double *index = hs_must_alloc(seeds, sizeof *index);
	size_t converged = 0, iterations = 0;
	for (size_t seed = 0; seed < seeds; seed++) {
		double *s = sources(N, k, (k + 1) / 2, k / 2, 100 + seed), *a = random_mixing(k, 100 + seed), *t = mixed(s, N, k, a, 3);
		struct hs_ica ica = solved(t, N, k, plain(method, 1));
		index[seed] = amari(ica.unmix, a, k);
		converged += ica.turn.status == HS_TURN_CONVERGED;
		iterations += ica.turn.n_iter;
		hs_ica_release(&ica);
		free(s);
		free(a);
		free(t);
	}
	qsort(index, seeds, sizeof *index, ascending);
	tap_ok(converged == seeds, "%s, k = %zu: %zu of %zu converged, %.1f iterations", method_names[method], k, converged, seeds,
		(double)iterations / (double)seeds);
	tap_ok(index[seeds / 2] <= limit, "%s, k = %zu: Amari index %.4f median, %.4f largest (at most %.3f median)",
		method_names[method], k, index[seeds / 2], index[seeds - 1], limit);
	free(index);
}

/* Largest element of a b - identity, a m x n, b n x m. */
static double off_identity(const double *a, const double *b, size_t m, size_t n)
{
	double worst = 0;
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < m; j++) {
			double sum = i == j ? -1 : 0;
			for (size_t l = 0; l < n; l++)
				sum += a[i * n + l] * b[l * m + j];
			worst = fmax(worst, fabs(sum));
		}
	return worst;
}

/* Largest deviation of the second moments of n samples from the identity. */
static double off_white(const double *z, size_t n, size_t k)
{
	double worst = 0;
	for (size_t a = 0; a < k; a++)
		for (size_t b = a; b < k; b++) {
			double sum = 0;
			for (size_t i = 0; i < n; i++)
				sum += z[i * k + a] * z[i * k + b] / (double)n;
			worst = fmax(worst, fabs(sum - (a == b)));
		}
	return worst;
}

static void whitening(void)
{
	enum { N = 5000, K = 5 };
	double *s = sources(N, K, 2, 2, 1), *a = random_mixing(K, 1), *t = mixed(s, N, K, a, 1e6), *z = hs_must_alloc(N * K, sizeof *z);
	struct hs_err err = { 0 };
	struct hs_whitening w;
	int verdict = hs_whitening_init(&w, t, N, K, true, &err);
	tap_ok(verdict == 0 && w.rank == K, "%d signals at an offset of 1e6 have rank %zu", K, w.rank);
	hs_whiten(&w, t, N, z);
	tap_ok(off_white(z, N, K) < 1e-10, "white to %.1e", off_white(z, N, K));
	tap_ok(off_identity(w.to, w.back, K, K) < 1e-12, "to and back undo each other to %.1e", off_identity(w.to, w.back, K, K));
	hs_whitening_release(&w);
	/* scales of 1e-140 to 1e140, one signal constant, one twice another */
	for (size_t i = 0; i < N; i++) {
		t[i * K] = 1e140 * s[i * K];
		t[i * K + 1] = 1e-140 * s[i * K + 1];
		t[i * K + 2] = 7;
		t[i * K + 3] = s[i * K + 3] + 1e-4 * s[i * K];
		t[i * K + 4] = 2 * t[i * K + 3];
	}
	verdict = hs_whitening_init(&w, t, N, K, true, &err);
	tap_ok(verdict == 0 && w.rank == 3, "a constant and a repeated signal are left out: rank %zu",
		w.rank);
	hs_whiten(&w, t, N, z);
	tap_ok(off_white(z, N, w.rank) < 1e-10, "signals of 1e140 and 1e-140: white to %.1e", off_white(z, N, w.rank));
	hs_whitening_release(&w);
	verdict = hs_whitening_init(&w, t, N, K, false, &err);
	tap_ok(verdict == 0 && w.rank == 4, "not centred, a constant counts: rank %zu", w.rank);
	hs_whitening_release(&w);
	tap_ok(hs_whitening_init(&w, t, 1, K, true, &err) == 0 && w.rank == 0, "one sample has rank 0");
	hs_whitening_release(&w);
	t[7] = INFINITY;
	tap_ok(hs_whitening_init(&w, t, N, K, true, &err) < 0 && err.status == HS_BAD_DATA, "an infinity is refused: %s", err.text);
	hs_whitening_release(&w);
	free(s);
	free(a);
	free(t);
	free(z);
}

static void contrasts(void)
{
	enum { N = 3000, K = 4 };
	double *z = sources(N, K, 2, 1, 3), w[K * K] = { 0 };
	for (size_t i = 0; i < K; i++)
		w[i * K + i] = 1;
	z[5] = 800;                   /* where cosh overflows */
	for (int kind = HS_CONTRAST_LOGCOSH; kind <= HS_CONTRAST_QUARTIC; kind++) {
		struct hs_err err = { 0 };
		struct hs_contrast c;
		struct hs_contrast_sums s = { 0 };
		double f = 0, slope = 0, cross = 0, curve = 0;
		hs_contrast_init(&c, (enum hs_contrast_kind)kind, z, N, K, &err);
		hs_contrast_sums_init(&s, K, &err);
		tap_ok(hs_contrast_measure(&c, w, 0, K, 1, &s, &err) == 0, "%s measured", contrast_names[kind]);
		for (size_t i = 0; i < N; i++) {
			const long double y = (long double)z[i * K + 1], q = (long double)z[i * K + 2], t = tanhl(y), e = expl(-y * y / 2);
			const long double p = kind == HS_CONTRAST_LOGCOSH ? t : kind == HS_CONTRAST_GAUSS ? y * e : y * y * y,
					  d = kind == HS_CONTRAST_LOGCOSH ? 1 - t * t : kind == HS_CONTRAST_GAUSS ? (1 - y * y) * e : 3 * y * y;
			f += (double)(kind == HS_CONTRAST_LOGCOSH ? fabsl(y) + log1pl(expl(-2 * fabsl(y))) - logl(2) :
				kind == HS_CONTRAST_GAUSS ? -e : y * y * y * y / 4) / N;
			slope += (double)d / N;
			cross += (double)(p * q) / N;
			curve += (double)(d * q * q) / N;
		}
		const double off = fmax(fmax(fabs(s.value[1] / f - 1), fabs(s.slope[1] / slope - 1)),
			fmax(fabs(s.cross[K + 2] - cross) / fmax(1, fabs(cross)), fabs(s.curve[K + 2] / curve - 1)));
		tap_ok(off < 1e-11, "%s: value, slope, cross and curve agree with long double to %.1e", contrast_names[kind], off);
		hs_contrast_sums_release(&s);
		hs_contrast_release(&c);
	}
	free(z);
}

/* The same mixture mixed once more; identities; the same bits for any threads. */
static void invariants(enum hs_ica_method method)
{
	enum { N = 6000, K = 4 };
	double *s = sources(N, K, 2, 2, 9), *a = random_mixing(K, 9), *m = random_mixing(K, 77), *t = mixed(s, N, K, a, -2),
	       *again = mixed(t, N, K, m, method == HS_ICA_ORTHOMAX ? 0 : 100), *unmixed = hs_must_alloc(K * K, sizeof *unmixed);
	struct hs_ica x = solved(t, N, K, plain(method, 4)), y = solved(again, N, K, plain(method, 4));
	double *v = mixed(t, N, K, x.unmix, 0), *centred = hs_must_alloc(N * K, sizeof *v), mean[K] = { 0 };
	for (size_t i = 0; i < N * K; i++)
		mean[i % K] += v[i] / N;
	for (size_t i = 0; i < N * K; i++)
		centred[i] = v[i] - (method == HS_ICA_ORTHOMAX ? 0 : mean[i % K]);
	tap_ok(x.k == K && off_identity(x.unmix, x.mix, K, K) < 1e-12 && off_white(centred, N, K) < 1e-10,
		"%s: unmix mix is the identity, sources are white to %.1e", method_names[method], off_white(centred, N, K));
	for (size_t i = 0; i < K; i++)
		for (size_t j = 0; j < K; j++)
			for (size_t l = 0; l < K; l++)
				unmixed[i * K + j] += y.unmix[i * K + l] * m[l * K + j];
	/* one by one, what is found first depends on the start, and its errors go into the others */
	const double index = amari(unmixed, x.mix, K);
	tap_ok(index < (method == HS_ICA_DEFLATION ? 1e-2 : 1e-6), "%s: an invertible mixture changes nothing, Amari %.1e",
		method_names[method], index);
	const int before = hs_par_threads();
	int same = 1;
	for (int threads = 1; threads <= 8; threads++) {
		hs_par_set_threads(threads);
		struct hs_ica z = solved(t, N, K, plain(method, 4));
		same &= !memcmp(z.unmix, x.unmix, K * K * sizeof(double)) && !memcmp(z.reliability, x.reliability, K * sizeof(double)) &&
			!memcmp(z.kurtosis, x.kurtosis, K * sizeof(double)) && z.turn.n_iter == x.turn.n_iter;
		hs_ica_release(&z);
	}
	hs_par_set_threads(before);
	tap_ok(same, "%s: the same bytes for 1 to 8 threads", method_names[method]);
	hs_ica_release(&x);
	hs_ica_release(&y);
	free(s);
	free(a);
	free(m);
	free(t);
	free(again);
	free(unmixed);
	free(v);
	free(centred);
}

/* Starts that are stationary but no minimum: two equal sources, mixed half and half by the start. */
static void saddle(void)
{
	enum { SIDE = 40, N = SIDE * SIDE };
	double *t = hs_must_alloc(2 * N, sizeof *t);
	for (size_t i = 0; i < N; i++) {
		const double u = ((double)(i / SIDE) + 0.5) / SIDE - 0.5, v = ((double)(i % SIDE) + 0.5) / SIDE - 0.5;
		t[2 * i] = u + v;       /* a square seen over its corner: the contrast is symmetric about this direction */
		t[2 * i + 1] = u - v;
	}
	struct hs_ica ica = solved(t, N, 2, plain(HS_ICA_PICARD, 1));
	const double a[] = { 1, 1, 1, -1 };
	tap_ok(amari(ica.unmix, a, 2) < 1e-8, "a saddle is left: Amari %.1e", amari(ica.unmix, a, 2));
	hs_ica_release(&ica);
	free(t);
}

static void degenerate(void)
{
	enum { N = 500, K = 3 };
	double *t = sources(N, K, 3, 0, 5);
	struct hs_err err = { 0 };
	struct hs_ica ica;
	for (size_t method = 0; method < HS_LEN(method_names); method++) {
		const struct hs_ica_options o = plain((enum hs_ica_method)method, 3);
		const char *name = method_names[method];
		ica = solved(t, N, 1, o);     /* three times as many samples of one signal */
		tap_ok(ica.k == 1 && fabs(fabs(ica.unmix[0] * ica.mix[0]) - 1) < 1e-12 && ica.turn.status == HS_TURN_CONVERGED,
			"%s: one signal is its own source", name);
		hs_ica_release(&ica);
		ica = solved(t, 4, K, o);
		tap_ok(ica.k == K && isfinite(ica.unmix[0]) && isfinite(ica.kurtosis[0]), "%s: four samples of three signals end", name);
		hs_ica_release(&ica);
		ica = solved(t, 2, K, o);
		tap_ok(ica.k == (method == HS_ICA_ORTHOMAX ? 2 : 1), "%s: two samples of three signals have rank %zu", name, ica.k);
		hs_ica_release(&ica);
		double *zero = hs_must_alloc(N * K, sizeof *zero);
		err = (struct hs_err){ 0 };
		tap_ok(hs_ica(zero, N, K, &o, &ica, &err) < 0 && err.status == HS_BAD_DATA, "%s: zero is refused: %s", name, err.text);
		hs_ica_release(&ica);
		err = (struct hs_err){ 0 };
		tap_ok(hs_ica(zero, 0, K, &o, &ica, &err) < 0 && err.status == HS_BAD_DATA, "%s: so is nothing", name);
		hs_ica_release(&ica);
		for (size_t i = 0; i < N * K; i++)    /* each sample is one of two */
			zero[i] = (double)(i / K % 2) * (double)(i % K + 1);
		ica = solved(zero, N, K, o);
		tap_ok(ica.k == 1, "%s: two distinct samples have one source", name);
		hs_ica_release(&ica);
		free(zero);
	}
	struct hs_ica_options o = plain(HS_ICA_JADE, 1);
	double *many = hs_must_alloc(60 * 60, sizeof *many);
	for (size_t i = 0; i < 60; i++)
		many[61 * i] = 1;
	err = (struct hs_err){ 0 };
	tap_ok(hs_ica(many, 60, 60, &o, &ica, &err) < 0 && err.status == HS_USAGE, "JADE refuses 59 signals: %s", err.text);
	hs_ica_release(&ica);
	free(many);
	free(t);
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

static void endings(void)
{
	enum { N = 2000, K = 4 };
	double *s = sources(N, K, 2, 2, 21), *a = random_mixing(K, 21), *t = mixed(s, N, K, a, 0);
	for (size_t method = 0; method < HS_LEN(method_names); method++) {
		struct hs_ica_options o = plain((enum hs_ica_method)method, 5);
		o.max_iter = 1;
		struct hs_ica ica = solved(t, N, K, o);
		tap_ok(ica.turn.status == HS_TURN_MAXITER && ica.turn.trace[0] > o.tol, "%s: one iteration is not convergence",
			method_names[method]);
		hs_ica_release(&ica);
		o.max_iter = 500;
		o.stop = at_once;
		ica = solved(t, N, K, o);
		tap_ok(ica.turn.status == HS_TURN_STOPPED && ica.n_runs == 1 && !ica.reliability, "%s: stopped, and said so",
			method_names[method]);
		hs_ica_release(&ica);
	}
	struct hs_ica ica = solved(t, N, K, plain(HS_ICA_PICARD, 3));
	const size_t order[] = { 2, 0, 3, 1 };
	const double factor[] = { -1, 2, 0.5, 1 };
	double *old = hs_must_alloc(K * K, sizeof *old), kurtosis[K];
	memcpy(old, ica.unmix, K * K * sizeof *old);
	memcpy(kurtosis, ica.kurtosis, sizeof kurtosis);
	hs_ica_arrange(&ica, order, factor);
	int right = 1;
	for (size_t i = 0; i < K; i++)
		for (size_t j = 0; j < K; j++)
			right &= ica.unmix[i * K + j] == factor[i] * old[order[i] * K + j] && ica.kurtosis[i] == kurtosis[order[i]];
	tap_ok(right && off_identity(ica.unmix, ica.mix, K, K) < 1e-12, "arranged: order and scale changed, still inverse");
	hs_ica_release(&ica);
	free(old);
	free(s);
	free(a);
	free(t);
}

static void sums(const void *ctx, int thread, size_t first, size_t n, double *sum)
{
	(void)ctx;
	(void)thread;
	for (size_t i = first; i < first + n; i++) {
		sum[0] += 1;
		sum[1] += 1 / (double)(i + 1);
	}
}

static void folds(void)
{
	double one[2], many[2];
	struct hs_err err = { 0 };
	const int before = hs_par_threads();
	int same = 1;
	for (size_t n = 0; n < 3000; n += 499) {
		hs_par_set_threads(1);
		hs_fold(n, 10, 2, sums, NULL, one, &err);
		hs_par_set_threads(7);
		same &= hs_fold(n, 10, 2, sums, NULL, many, &err) == 0 && !memcmp(one, many, sizeof one) && one[0] == (double)n;
	}
	hs_par_set_threads(before);
	tap_ok(same, "fold: every row once, the same bits for 1 and 7 threads");
}

int main(int argc, char **argv)
{
	if (argc == 7)
		return driver(argv);
	folds();
	whitening();
	contrasts();
	for (size_t method = 0; method < HS_LEN(method_names); method++)
		invariants((enum hs_ica_method)method);
	saddle();
	degenerate();
	endings();
	/* half Laplace, half uniform: the goal of 0.010, twice that for JADE and the deflation */
	const size_t k[] = { 3, 5, 10 };
	for (size_t i = 0; i < HS_LEN(k); i++) {
		goal(HS_ICA_PICARD, k[i], k[i] < 10 ? 50 : 20, 0.010);
		goal(HS_ICA_FASTICA, k[i], 12, 0.010);
		goal(HS_ICA_DEFLATION, k[i], 6, 0.020);
		goal(HS_ICA_JADE, k[i], 12, 0.020);
	}
	return tap_done();
}
