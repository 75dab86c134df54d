/* Abundances against what must hold at an optimum, closed forms, and invariances. With arguments, for tests/oracle/abundance.py:
 *   test_abundance METHOD SPECTRA.f64 ROWS.f64 K P N LAMBDA [lh]     prints N lines of K abundances
 *   test_abundance speed                                             prints pixels a second */
#include "unmix/abundance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "tap.h"

static const char *const name[] = { "fcls", "nnls", "nnls-sum", "sunsal", "ls" };

static struct hs_abundance prepared(const double *e, size_t k, size_t p, struct hs_abundance_options o)
{
	struct hs_err err = { 0 };
	struct hs_abundance u;
	if (hs_abundance_init(&u, e, k, p, &o, &err) < 0) {
		fprintf(stderr, "test_abundance: %s\n", err.text);
		exit(1);
	}
	return u;
}

/* What a pass computes of rows before it solves. */
static double *products(const struct hs_abundance *u, const double *x, size_t n)
{
	double *b = hs_must_alloc(n * u->k, sizeof *b);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < u->k; j++)
			for (size_t c = 0; c < u->n_chan; c++)
				b[i * u->k + j] += u->probe[j * u->n_chan + c] *
						   (x[i * u->n_chan + c] * u->scale - (u->shift ? u->shift[c] : 0));
	return b;
}

static double *solved(const double *e, size_t k, size_t p, struct hs_abundance_options o, const double *x, size_t n)
{
	struct hs_abundance u = prepared(e, k, p, o);
	double *b = products(&u, x, n), *a = hs_must_alloc(n * k + 1, sizeof *a),
	       *scratch = hs_must_alloc(hs_abundance_scratch(&u, n), sizeof *scratch);
	if (hs_abundance_solve(&u, b, n, a, scratch))
		tap_ok(0, "%s, %zu endmembers: all are solved", name[o.method], k);
	hs_abundance_release(&u);
	free(b);
	free(scratch);
	return a;
}

static double difference(const double *a, const double *b, size_t n)
{
	double worst = 0;
	for (size_t i = 0; i < n; i++)
		worst = isnan(a[i] - b[i]) ? (double)INFINITY : fmax(worst, fabs(a[i] - b[i]));
	return worst;
}

/* Positive spectra, and rows mixed from them: shares a third of which are zero, with noise. */
struct scene {
	size_t k, p, n;
	double *e, *a, *x;
};

static struct scene scene(size_t k, size_t p, size_t n, double noise, double thickness, uint64_t seed)
{
	struct scene s = { k, p, n, hs_must_alloc(k * p, sizeof(double)), hs_must_alloc(n * k, sizeof(double)),
		hs_must_alloc(n * p, sizeof(double)) };
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, k);
	for (size_t i = 0; i < k * p; i++)
		s.e[i] = 1 + hs_rng_uniform(&rng);
	for (size_t i = 0; i < n; i++) {
		double sum = 0;
		for (size_t j = 0; j < k; j++)
			sum += s.a[i * k + j] = hs_rng_uniform(&rng) < 1. / 3 && j + 1 < k ? 0 : hs_rng_exponential(&rng);
		const double whole = 1 + thickness * hs_rng_uniform(&rng);
		for (size_t j = 0; j < k; j++)
			s.a[i * k + j] *= whole / sum;
		for (size_t c = 0; c < p; c++) {
			for (size_t j = 0; j < k; j++)
				s.x[i * p + c] += s.a[i * k + j] * s.e[j * p + c];
			s.x[i * p + c] += noise * hs_rng_normal(&rng);
		}
	}
	return s;
}

static void drop(struct scene *s)
{
	free(s->e);
	free(s->a);
	free(s->x);
}

/* The gradient of |x - E a|^2 / 2 (+ price a) at a, by definition, against the conditions of an optimum. */
static double optimality(const struct scene *s, enum hs_abundance_method method, double price, const double *a)
{
	double worst = 0;
	for (size_t i = 0; i < s->n; i++) {
		const double *ai = a + i * s->k;
		double level = 0, scale = 0, g[64];
		size_t n = 0;
		for (size_t j = 0; j < s->k; j++) {
			g[j] = -price;
			for (size_t c = 0; c < s->p; c++) {
				double r = s->x[i * s->p + c];
				for (size_t l = 0; l < s->k; l++)
					r -= ai[l] * s->e[l * s->p + c];
				g[j] += r * s->e[j * s->p + c];
				scale += s->x[i * s->p + c] * s->x[i * s->p + c] / (double)s->k;
			}
			if (ai[j] > 0) {
				level += g[j];
				n++;
			}
		}
		level = method == HS_ABUNDANCE_FCLS ? level / (double)n : 0;
		for (size_t j = 0; j < s->k; j++)
			worst = fmax(worst, (ai[j] > 0 || method == HS_ABUNDANCE_LS ? fabs(g[j] - level) : g[j] - level) / scale);
	}
	return worst;
}

static void test_optimum(void)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 8, 9, 12, 13, 20 };
	for (size_t t = 0; t < HS_LEN(sizes); t++)
		for (int method = 0; method < 5; method++) {
			const size_t k = sizes[t];
			struct scene s = scene(k, 40, 300, 0.2, method == HS_ABUNDANCE_FCLS ? 0 : 2, 11);
			struct hs_abundance_options o = { .method = (enum hs_abundance_method)method, .lambda = 0.02 };
			double square = 0, least = 0, sum_off = 0;
			for (size_t i = 0; i < k * 40; i++)
				square += s.e[i] * s.e[i] / (double)k;
			double *a = solved(s.e, k, 40, o, s.x, s.n);
			o.no_table = true;
			double *other = solved(s.e, k, 40, o, s.x, s.n);
			for (size_t i = 0; i < s.n; i++) {
				double sum = 0;
				for (size_t j = 0; j < k; j++) {
					least = fmin(least, a[i * k + j]);
					sum += a[i * k + j];
				}
				sum_off = fmax(sum_off, fabs(sum - 1));
			}
			if (method != HS_ABUNDANCE_NNLS_SUM) {
				const double kkt = optimality(&s, o.method, method == HS_ABUNDANCE_SUNSAL ? 0.02 * square : 0, a);
				tap_ok(kkt < (method == HS_ABUNDANCE_SUNSAL && k > 12 ? 1e-7 : 1e-12),
					"%s, %zu endmembers: optimal to %.1e", name[method], k, kkt);
			}
			if (method != HS_ABUNDANCE_LS)
				tap_ok(least >= 0, "%s, %zu endmembers: nothing below zero", name[method], k);
			if (method == HS_ABUNDANCE_FCLS || method == HS_ABUNDANCE_NNLS_SUM)
				tap_ok(sum_off < 1e-14 * (double)(k + 4), "%s, %zu endmembers: sums are 1 to %.1e", name[method],
					k, sum_off);
			const double apart = difference(a, other, s.n * k);
			tap_ok(apart < (method == HS_ABUNDANCE_SUNSAL ? 1e-6 : 1e-11),
				"%s, %zu endmembers: another way to the same answer, %.1e", name[method], k, apart);
			free(a);
			free(other);
			drop(&s);
		}
}

static void test_recovery(void)
{
	for (size_t k = 1; k <= 14; k++)
		for (int method = 0; method < 5; method++) {
			struct scene s =
				scene(k, 50, 100, 0, method == HS_ABUNDANCE_NNLS || method == HS_ABUNDANCE_LS ? 3 : 0, 5);
			double *a = solved(s.e, k, 50,
				(struct hs_abundance_options){ .method = (enum hs_abundance_method)method }, s.x, s.n);
			const double off = difference(a, s.a, s.n * k);
			tap_ok(off < (k > 12 && method == HS_ABUNDANCE_SUNSAL ? 1e-6 : 1e-11),
				"%s recovers shares of %zu endmembers: %.1e", name[method], k, off);
			free(a);
			drop(&s);
		}
}

static void test_closed_form(void)
{
	struct scene s = scene(2, 30, 500, 1, 0, 3);
	double *a = solved(s.e, 2, 30, (struct hs_abundance_options){ .method = HS_ABUNDANCE_FCLS }, s.x, s.n), worst = 0;
	size_t at_corner = 0;
	for (size_t i = 0; i < s.n; i++) {
		double up = 0, down = 0;
		for (size_t c = 0; c < 30; c++) {
			const double d = s.e[c] - s.e[30 + c];
			up += d * (s.x[i * 30 + c] - s.e[30 + c]);
			down += d * d;
		}
		const double want = fmin(1, fmax(0, up / down));
		at_corner += want == 0 || want == 1;
		worst = fmax(worst, fabs(a[2 * i] - want));
	}
	tap_ok(at_corner > 20 && at_corner < 480 && worst < 1e-12, "two endmembers: the closed form, %.1e, %zu at a corner",
		worst, at_corner);
	free(a);
	drop(&s);
}

static void test_order(void)
{
	struct scene s = scene(7, 33, 200, 0.3, 0, 8);
	static const size_t turned[] = { 4, 0, 6, 2, 5, 1, 3 };
	double *e = hs_must_alloc(7 * 33, sizeof *e);
	for (size_t j = 0; j < 7; j++)
		memcpy(e + j * 33, s.e + turned[j] * 33, 33 * sizeof *e);
	for (int method = 0; method < 5; method++) {
		const struct hs_abundance_options o = { .method = (enum hs_abundance_method)method, .lambda = 0.01 };
		double *a = solved(s.e, 7, 33, o, s.x, s.n), *b = solved(e, 7, 33, o, s.x, s.n), worst = 0;
		for (size_t i = 0; i < s.n; i++)
			for (size_t j = 0; j < 7; j++)
				worst = fmax(worst, fabs(b[i * 7 + j] - a[i * 7 + turned[j]]));
		tap_ok(worst < 1e-11, "%s: endmembers in another order, abundances in that order: %.1e", name[method], worst);
		free(a);
		free(b);
	}
	free(e);
	drop(&s);
}

/* Endmembers that do not determine their abundances. */
static void test_degenerate(void)
{
	enum { P = 20, N = 60 };
	for (int method = 0; method < 5; method++)
		for (int no_table = 0; no_table < 2; no_table++) {
			const struct hs_abundance_options o = { .method = (enum hs_abundance_method)method,
				.no_table = no_table };
			const bool shares = method == HS_ABUNDANCE_FCLS;
			struct scene s = scene(4, P, N, 0.05, 0, 21);
			memcpy(s.e + 2 * P, s.e, P * sizeof(double));
			double *a = solved(s.e, 4, P, o, s.x, N), *pair = solved(s.e, 2, P, o, s.x, N), second = 0;
			for (size_t i = 0; i < N; i++)
				second = fmax(second, fabs(a[4 * i + 2] - (method == HS_ABUNDANCE_LS ? a[4 * i] : 0)));
			tap_ok(second < 1e-9 || (method == HS_ABUNDANCE_SUNSAL && no_table),
				"%s%s: of two equal endmembers the first has it, LS shares it (%.1e)", name[method],
				no_table ? ", no table" : "", second);
			free(a);
			free(pair);

			memset(s.e + 1 * P, 0, P * sizeof(double));
			a = solved(s.e, 4, P, o, s.x, N);
			double zero = 0;
			for (size_t i = 0; i < N; i++)
				zero = fmax(zero, a[4 * i + 1]);
			tap_ok(shares ? zero >= 0 && zero <= 1 : fabs(zero) < (method == HS_ABUNDANCE_LS ? 1e-14 : 1e-300),
				"%s: a zero endmember gets %s", name[method], shares ? "a share" : "nothing");
			free(a);

			memset(s.e, 0, 4 * P * sizeof(double));
			a = solved(s.e, 4, P, o, s.x, N);
			double sum = 0;
			for (size_t i = 0; i < N * 4; i++)
				sum += a[i];
			tap_ok(sum == (shares ? N : 0), "%s: all endmembers zero, abundances sum to %g", name[method], sum);
			free(a);
			drop(&s);

			/* more endmembers than channels: the cone or simplex is still a set with one nearest point */
			s = scene(9, 3, N, 0.5, 0, 22);
			a = solved(s.e, 9, 3, o, s.x, N);
			if (method != HS_ABUNDANCE_NNLS_SUM)
				tap_ok(optimality(&s, o.method, 0, a) < 1e-7, "%s: nine endmembers of three channels, %.1e",
					name[method], optimality(&s, o.method, 0, a));
			free(a);
			memset(s.x, 0, N * 3 * sizeof(double));
			a = solved(s.e, 9, 3, o, s.x, N);
			double off = 0;
			for (size_t i = 0; i < N * 9; i++)
				off = isfinite(a[i]) ? fmax(off, fabs(a[i])) : (double)INFINITY;
			tap_ok(shares ? off <= 1 : off == 0, "%s: a row of zeros", name[method]);
			free(a);
			drop(&s);
		}
}

static void test_units(void)
{
	struct scene s = scene(5, 24, 80, 0.2, 0, 9);
	double *e = hs_must_alloc(5 * 24, sizeof *e), *x = hs_must_alloc(80 * 24, sizeof *x);
	for (int method = 0; method < 5; method++) {
		const struct hs_abundance_options o = { .method = (enum hs_abundance_method)method, .lambda = 0.01 };
		double *a = solved(s.e, 5, 24, o, s.x, 80);
		static const double unit[] = { 1e-300, 1e-30, 1e30, 1e300 };
		for (size_t t = 0; t < HS_LEN(unit); t++) {
			for (size_t i = 0; i < 5 * 24; i++)
				e[i] = s.e[i] * unit[t];
			for (size_t i = 0; i < 80 * 24; i++)
				x[i] = s.x[i] * unit[t];
			double *b = solved(e, 5, 24, o, x, 80);
			tap_ok(difference(a, b, 400) < 1e-11, "%s: in units of %g the same, %.1e", name[method], unit[t],
				difference(a, b, 400));
			free(b);
		}
		free(a);
	}
	double *a = solved(s.e, 5, 24, (struct hs_abundance_options){ .method = HS_ABUNDANCE_FCLS }, s.x, 80);
	for (size_t i = 0; i < 5 * 24; i++)
		e[i] = s.e[i] + 1e8;
	for (size_t i = 0; i < 80 * 24; i++)
		x[i] = s.x[i] + 1e8;
	double *b = solved(e, 5, 24, (struct hs_abundance_options){ .method = HS_ABUNDANCE_FCLS }, x, 80);
	tap_ok(difference(a, b, 400) < 1e-6, "fcls: an offset of 1e8 costs only its own digits, %.1e", difference(a, b, 400));
	free(a);
	free(b);
	free(e);
	free(x);
	drop(&s);
}

static void test_sparse(void)
{
	struct scene s = scene(6, 30, 100, 0.1, 1, 13);
	double *nnls = solved(s.e, 6, 30, (struct hs_abundance_options){ .method = HS_ABUNDANCE_NNLS }, s.x, s.n), last = 1e9;
	for (double lambda = 0; lambda < 0.5; lambda = lambda * 2 + 0.01) {
		double *a = solved(s.e, 6, 30, (struct hs_abundance_options){ .method = HS_ABUNDANCE_SUNSAL, .lambda = lambda },
			       s.x, s.n),
		       sum = 0;
		for (size_t i = 0; i < s.n * 6; i++)
			sum += a[i];
		if (lambda == 0)
			tap_ok(difference(a, nnls, s.n * 6) < 1e-12, "sunsal without a price is nnls");
		tap_ok(sum < last, "a higher price, a smaller sum: %g at %g", sum, lambda);
		last = sum;
		free(a);
	}
	double *a = solved(s.e, 6, 30, (struct hs_abundance_options){ .method = HS_ABUNDANCE_SUNSAL, .lambda = 100 }, s.x, s.n),
	       most = 0;
	for (size_t i = 0; i < s.n * 6; i++)
		most = fmax(most, a[i]);
	tap_ok(most == 0, "a price beyond everything leaves nothing");
	free(a);
	free(nnls);
	drop(&s);
}

/* ------------------------------------------------------------------ the pass */

struct collect {
	float *out;
	size_t width, next;
	int in_order;
};

static int collect_put(void *to, size_t first_row, size_t n_rows, const float *values, struct hs_err *err)
{
	(void)err;
	struct collect *c = to;
	c->in_order &= first_row == c->next;
	c->next = first_row + n_rows;
	memcpy(c->out + first_row * c->width, values, n_rows * c->width * sizeof *values);
	return 0;
}

static float *passed(const struct hs_abundance *u, const void *x, enum hs_row_type type, size_t n, const uint8_t *skip,
	struct hs_abundance_sums *sums)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, type, n, u->n_chan, skip, &err);
	struct collect c = { .out = hs_must_alloc(n * u->k, sizeof(float)), .width = u->k, .in_order = 1 };
	if (!rows || hs_abundance_rows(u, rows, collect_put, &c, sums, &err) < 0 || !c.in_order || c.next != n) {
		fprintf(stderr, "test_abundance: %s\n", err.text);
		exit(1);
	}
	hs_array_rows_free(rows);
	return c.out;
}

static void test_pass(void)
{
	enum { K = 5, P = 37, N = 9001 };
	struct scene s = scene(K, P, N, 0.1, 0, 31);
	double *residual = hs_must_alloc(N, sizeof *residual), *residual2 = hs_must_alloc(N, sizeof *residual2), mean[K],
	       mean2[K];
	uint8_t *skip = hs_must_alloc(N, 1);
	skip[0] = skip[300] = skip[N - 1] = 1;
	s.x[300 * P + 3] = (double)NAN;
	for (int method = 0; method < 5; method++) {
		struct hs_abundance u = prepared(
			s.e, K, P, (struct hs_abundance_options){ .method = (enum hs_abundance_method)method, .lambda = 0.01 });
		struct hs_abundance_sums sums = { .residual = residual, .mean = mean },
					 sums2 = { .residual = residual2, .mean = mean2 };
		double *a = solved(s.e, K, P,
			       (struct hs_abundance_options){ .method = (enum hs_abundance_method)method, .lambda = 0.01 },
			       s.x + P, 200),
		       worst = 0, off = 0;
		hs_par_set_threads(1);
		float *one = passed(&u, s.x, HS_ROW_F64, N, skip, &sums);
		for (int threads = 2; threads < 9; threads += 3) {
			hs_par_set_threads(threads);
			float *many = passed(&u, s.x, HS_ROW_F64, N, skip, &sums2);
			tap_ok(!memcmp(one, many, N * K * sizeof *one) && !memcmp(residual, residual2, N * sizeof *residual) &&
					!memcmp(mean, mean2, sizeof mean) && sums.rms == sums2.rms,
				"%s: %d threads, the same bytes", name[method], threads);
			free(many);
		}
		for (size_t i = 0; i < 200 * K; i++)
			worst = fmax(worst, fabs((double)one[K + i] - a[i]));
		for (size_t i = 1; i <= 200 && method != HS_ABUNDANCE_NNLS_SUM; i++) {
			double square = 0;
			for (size_t c = 0; c < P; c++) {
				double r = s.x[i * P + c];
				for (size_t j = 0; j < K; j++)
					r -= a[(i - 1) * K + j] * s.e[j * P + c];
				square += r * r / P;
			}
			off = fmax(off, fabs(residual[i] - sqrt(square)));
		}
		tap_ok(worst < 2e-7 && off < 1e-12,
			"%s: the pass gives what solving gives (%.1e), residuals are residuals (%.1e)", name[method], worst, off);
		tap_ok(isnan(one[0]) && isnan(one[300 * K + 4]) && isnan(residual[300]) && isnan(one[N * K - 1]) &&
				isfinite(one[K]) && sums.n_used == N - 3 && !sums.n_unsolved,
			"%s: rows left out are NaN and not counted", name[method]);
		free(a);
		free(one);
		hs_abundance_release(&u);
	}
	free(residual);
	free(residual2);
	free(skip);
	drop(&s);
}

static void test_weights_and_sums(void)
{
	enum { K = 4, P = 30, N = 400 };
	struct scene s = scene(K, P, N, 0.1, 0, 41);
	double weight[P], *we = hs_must_alloc(K * P, sizeof *we), *wx = hs_must_alloc(N * P, sizeof *wx);
	for (size_t c = 0; c < P; c++)
		weight[c] = 0.1 + (double)(c % 7);
	for (size_t i = 0; i < K * P; i++)
		we[i] = s.e[i] * weight[i % P];
	for (size_t i = 0; i < N * P; i++)
		wx[i] = s.x[i] * weight[i % P];
	for (int method = 0; method < 5; method++) {
		struct hs_abundance_options o = { .method = (enum hs_abundance_method)method, .lambda = 0.01 };
		double *b = solved(we, K, P, o, wx, N), *plain = solved(s.e, K, P, o, s.x, N);
		o.weight = weight;
		double *a = solved(s.e, K, P, o, s.x, N);
		tap_ok(difference(a, b, N * K) < 1e-11 && difference(a, plain, N * K) > 1e-3,
			"%s: weights are a scale of the channels, %.1e", name[method], difference(a, b, N * K));
		free(a);
		free(b);
		free(plain);
	}
	/* rows brought to one sum: brightness does not matter */
	double total = 0;
	for (size_t c = 0; c < P; c++)
		total += s.e[c];
	for (size_t j = 0; j < K; j++) {
		double sum = 0;
		for (size_t c = 0; c < P; c++)
			sum += s.e[j * P + c];
		for (size_t c = 0; c < P; c++)
			s.e[j * P + c] *= total / sum;
	}
	for (size_t i = 0; i < N * P; i++)
		wx[i] = s.x[i] * (double)(1 + i / P % 5);
	memset(wx, 0, P * sizeof *wx);
	struct hs_abundance u =
		prepared(s.e, K, P, (struct hs_abundance_options){ .method = HS_ABUNDANCE_FCLS, .row_sum = total });
	double r1[N], r2[N];
	struct hs_abundance_sums one = { .residual = r1 }, two = { .residual = r2 };
	float *a = passed(&u, s.x, HS_ROW_F64, N, NULL, &one), *b = passed(&u, wx, HS_ROW_F64, N, NULL, &two);
	double worst = 0, off = 0;
	for (size_t i = K; i < N * K; i++)
		worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
	for (size_t i = 1; i < N; i++)
		off = fmax(off, fabs(r2[i] / (double)(1 + i % 5) / r1[i] - 1));
	tap_ok(worst < 1e-6 && off < 1e-9 && isnan(b[0]) && isnan(r2[0]) && two.n_used == N - 1,
		"rows of one sum: brightness does not count, a row without sum takes no part (%.1e, %.1e)", worst, off);
	hs_abundance_release(&u);
	free(a);
	free(b);
	free(we);
	free(wx);
	drop(&s);
}

static void test_float32(void)
{
	struct scene s = scene(4, 30, 500, 0.1, 0, 51);
	float *x = hs_must_alloc(500 * 30, sizeof *x);
	for (size_t i = 0; i < 500 * 30; i++)
		s.x[i] = (double)(x[i] = (float)s.x[i]);
	struct hs_abundance u = prepared(s.e, 4, 30, (struct hs_abundance_options){ .method = HS_ABUNDANCE_FCLS });
	struct hs_abundance_sums sums = { 0 };
	float *a = passed(&u, x, HS_ROW_F32, 500, NULL, &sums), *b = passed(&u, s.x, HS_ROW_F64, 500, NULL, &sums);
	tap_ok(!memcmp(a, b, 2000 * sizeof *a), "float32 rows are worked on in float64");
	hs_abundance_release(&u);
	free(a);
	free(b);
	free(x);
	drop(&s);
}

static void test_refusals(void)
{
	struct hs_err err = { 0 };
	struct hs_abundance u;
	double e[6] = { 1, 2, 3, 1, (double)NAN, 0 }, weight[3] = { 1, -1, 1 };
	tap_ok(hs_abundance_init(&u, e, 0, 3, &(struct hs_abundance_options){ 0 }, &err) < 0 && err.status == HS_USAGE,
		"no endmember: %s", err.text);
	hs_abundance_release(&u);
	err = (struct hs_err){ 0 };
	tap_ok(hs_abundance_init(&u, e, 2, 3, &(struct hs_abundance_options){ 0 }, &err) < 0 && err.status == HS_BAD_DATA,
		"a NaN: %s", err.text);
	hs_abundance_release(&u);
	err = (struct hs_err){ 0 };
	tap_ok(hs_abundance_init(&u, e, 1, 3, &(struct hs_abundance_options){ .weight = weight }, &err) < 0 &&
			err.status == HS_BAD_DATA,
		"a negative weight: %s", err.text);
	hs_abundance_release(&u);
	err = (struct hs_err){ 0 };
	tap_ok(hs_abundance_init(
		       &u, e, 1, 3, &(struct hs_abundance_options){ .method = HS_ABUNDANCE_SUNSAL, .lambda = -1 }, &err) < 0 &&
			err.status == HS_USAGE,
		"a negative price: %s", err.text);
	hs_abundance_release(&u);
	double tiny[3] = { 1e-300, 2e-300, 1e-300 }, huge[6] = { 1, 1, 1, 1e300, 1e300, 1e300 };
	struct hs_abundance_sums sums = { 0 };
	err = (struct hs_err){ 0 };
	u = prepared(tiny, 1, 3, (struct hs_abundance_options){ .method = HS_ABUNDANCE_NNLS });
	struct hs_rowsource *rows = hs_array_rows_new(huge, HS_ROW_F64, 2, 3, NULL, &err),
			    *narrow = hs_array_rows_new(huge, HS_ROW_F64, 3, 2, NULL, &err);
	tap_ok(hs_abundance_rows(&u, rows, NULL, NULL, &sums, &err) < 0 && err.status == HS_BAD_DATA, "a row too large: %s",
		err.text);
	err = (struct hs_err){ 0 };
	tap_ok(hs_abundance_rows(&u, narrow, NULL, NULL, &sums, &err) < 0 && err.status == HS_BAD_DATA, "other channels: %s",
		err.text);
	hs_array_rows_free(rows);
	hs_array_rows_free(narrow);
	hs_abundance_release(&u);
}

/* ------------------------------------------------------------------ drivers */

static double *file(const char *path, size_t n)
{
	double *v = hs_must_alloc(n, sizeof *v);
	FILE *f = fopen(path, "rb");
	if (!f || fread(v, sizeof *v, n, f) != n)
		exit(2);
	fclose(f);
	return v;
}

static int drive(char **arg, int n_args)
{
	size_t k = strtoul(arg[3], NULL, 10), p = strtoul(arg[4], NULL, 10), n = strtoul(arg[5], NULL, 10);
	struct hs_abundance_options o = { .lambda = strtod(arg[6], NULL), .no_table = n_args > 7 };
	for (int m = 0; m < 5; m++)
		if (!strcmp(arg[0], name[m]))
			o.method = (enum hs_abundance_method)m;
	double *e = file(arg[1], k * p), *x = file(arg[2], n * p), *a = solved(e, k, p, o, x, n);
	for (size_t i = 0; i < n * k; i++)
		printf("%.17g%c", a[i], (i + 1) % k ? ' ' : '\n');
	free(e);
	free(x);
	free(a);
	return 0;
}

static int speed(void)
{
	enum { N = 200000 };
	hs_par_set_threads(1);
	for (int method = 0; method < 4; method++)
		for (size_t k = 3; k <= 14; k++) {
			struct scene s = scene(k, 50, 20000, 0.1, 0, 1);
			struct hs_abundance u = prepared(s.e, k, 50,
				(struct hs_abundance_options){ .method = (enum hs_abundance_method)method, .lambda = 0.01 });
			double *b = products(&u, s.x, s.n), *a = hs_must_alloc(s.n * k, sizeof *a),
			       *scratch = hs_must_alloc(hs_abundance_scratch(&u, s.n), sizeof *scratch), start = hs_clock_s();
			for (size_t i = 0; i < N / s.n; i++)
				hs_abundance_solve(&u, b, s.n, a, scratch);
			const double inner = N / (hs_clock_s() - start) * 1e-6;
			start = hs_clock_s();
			struct hs_abundance_sums sums = { 0 };
			free(passed(&u, s.x, HS_ROW_F64, s.n, NULL, &sums));
			printf("%s k = %zu: %.2f Mpixel/s from products, %.2f in a pass over 50 channels\n", name[method], k,
				inner, (double)s.n / (hs_clock_s() - start) * 1e-6);
			hs_abundance_release(&u);
			free(a);
			free(b);
			free(scratch);
			drop(&s);
		}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 8)
		return drive(argv + 1, argc - 1);
	if (argc == 2 && !strcmp(argv[1], "speed"))
		return speed();
	test_optimum();
	test_recovery();
	test_closed_form();
	test_order();
	test_degenerate();
	test_units();
	test_sparse();
	test_pass();
	test_weights_and_sums();
	test_float32();
	test_refusals();
	return tap_done();
}
