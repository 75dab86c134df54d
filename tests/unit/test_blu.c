/* The truncated normal against its moments; Bayesian unmixing against truth, a posterior known in closed form, and invariances.
 */
#include "unmix/blu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/par.h"
#include "tap.h"

static double density(double x)
{
	return exp(-x * x / 2) / sqrt(2 * M_PI);
}

static double tail_of(double x)
{
	return erfc(x / sqrt(2)) / 2;
}

/* Mean and variance of a truncated normal, by Simpson's rule on its density relative to the largest in the interval. */
static void moments(double mean, double sd, double low, double high, double *m, double *v)
{
	enum { N = 20000 };
	const double mode = fmin(fmax(mean, low), high), from = fmax(low, mode - 12 * sd), to = fmin(high, mode + 12 * sd),
		     peak = (mode - mean) / sd;
	double s0 = 0, s1 = 0, s2 = 0;
	for (int i = 0; i <= N; i++) {
		const double x = from + (to - from) * i / N, z = (x - mean) / sd,
			     w = (i == 0 || i == N ? 1
					 : i % 2   ? 4
						   : 2) *
				 exp(-(z - peak) * (z + peak) / 2);
		s0 += w;
		s1 += w * (x - mode);
		s2 += w * (x - mode) * (x - mode);
	}
	*m = mode + s1 / s0;
	*v = s2 / s0 - (s1 / s0) * (s1 / s0);
}

static void test_truncated(void)
{
	static const double ask[][4] = { { 0, 1, -1, 1 }, { 0, 1, -5, 5 }, { 0, 1, -0.1, 0.3 }, { 0.5, 0.2, 0, 1 },
		{ -1, 0.3, 0, 1 }, { 3, 0.5, 0, 1 }, { 0, 1, 2, 9 }, { 0, 1, 8, 1e9 }, { 0, 1, 8, 8.01 }, { -40, 1, 0, 1 },
		{ 0, 1e-3, 0.9, 1 }, { 0.3, 1e3, 0, 1 } };
	enum { N = 40000 };
	for (size_t t = 0; t < HS_LEN(ask); t++) {
		const double *q = ask[t];
		struct hs_rng rng;
		double sum = 0, squares = 0, m, v;
		int inside = 1;
		hs_rng_init(&rng, 1, HS_STREAM_TEST, t);
		moments(q[0], q[1], q[2], q[3], &m, &v);
		for (int i = 0; i < N; i++) {
			const double x = hs_truncated_normal(&rng, q[0], q[1], q[2], q[3]);
			inside &= x >= q[2] && x <= q[3];
			sum += (x - m) / N;
			squares += (x - m) * (x - m) / N;
		}
		tap_ok(inside && fabs(sum) < 4 * sqrt(v / N) && fabs(squares / v - 1) < 0.06,
			"normal (%g, %g) in %g .. %g: mean %.4g off by %.1f sd, variance %.3f of what it is", q[0], q[1], q[2],
			q[3], m, sum / sqrt(v / N), squares / v);
	}
	struct hs_rng rng;
	hs_rng_init(&rng, 1, HS_STREAM_TEST, 99);
	int sane = 1;
	for (int i = 0; i < 1000; i++) {
		double x = hs_truncated_normal(&rng, 1e300, 1e-300, 0, 1);
		sane &= x == 1;
		x = hs_truncated_normal(&rng, -1e300, 1, 0.25, 1);
		sane &= x >= 0.25 && x < 0.2500001;
		x = hs_truncated_normal(&rng, 0, 0, 0.25, 1);
		sane &= x == 0.25;
		x = hs_truncated_normal(&rng, 0, (double)INFINITY, 2, 3);
		sane &= x >= 2 && x <= 3;
		sane &= hs_truncated_normal(&rng, 0, 1, 0.5, 0.5) == 0.5;
	}
	tap_ok(sane, "extremes have an answer in the interval");
}

struct scene {
	size_t k, p, n;
	double *e, *a, *x;
};

/* Peaks on a background; shares uniform on the simplex; noise of one size. */
static struct scene scene(size_t k, size_t p, size_t n, double noise, uint64_t seed)
{
	struct scene s = { k, p, n, hs_must_alloc(k * p, sizeof(double)), hs_must_alloc(n * k, sizeof(double)),
		hs_must_alloc(n * p, sizeof(double)) };
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, k);
	for (size_t j = 0; j < k; j++)
		for (size_t c = 0; c < p; c++) {
			const double t = ((double)c / (double)p - ((double)j + 0.5) / (double)k) / 0.15;
			s.e[j * p + c] = 0.2 + 0.6 * exp(-t * t);
		}
	for (size_t i = 0; i < n; i++) {
		double sum = 0;
		for (size_t j = 0; j < k; j++)
			sum += s.a[i * k + j] = hs_rng_exponential(&rng);
		for (size_t j = 0; j < k; j++) {
			s.a[i * k + j] /= sum;
			for (size_t c = 0; c < p; c++)
				s.x[i * p + c] += s.a[i * k + j] * s.e[j * p + c];
		}
		for (size_t c = 0; c < p; c++)
			s.x[i * p + c] += noise * hs_rng_normal(&rng);
	}
	return s;
}

static void drop(struct scene *s)
{
	free(s->e);
	free(s->a);
	free(s->x);
}

static struct hs_blu unmixed(
	const double *x, size_t n, size_t p, const uint8_t *skip, const double *e, size_t k, struct hs_blu_options o)
{
	struct hs_err err = { 0 };
	struct hs_blu out = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, skip, &err);
	if (!rows || hs_blu(rows, e, k, &o, &out, &err) < 0) {
		fprintf(stderr, "test_blu: %s\n", err.text);
		exit(1);
	}
	hs_array_rows_free(rows);
	return out;
}

static double coverage(const struct hs_blu *b, const double *truth)
{
	size_t inside = 0;
	for (size_t i = 0; i < b->n_rows * b->k; i++)
		inside += truth[i] >= b->low[i] && truth[i] <= b->high[i];
	return (double)inside / (double)(b->n_rows * b->k);
}

static double rmse(const double *a, const double *b, size_t n)
{
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += (a[i] - b[i]) * (a[i] - b[i]) / (double)n;
	return sqrt(s);
}

static void test_coverage(void)
{
	for (size_t k = 2; k <= 5; k++) {
		struct scene s = scene(k, 50, 400, 0.03, 17);
		struct hs_blu_options o = hs_blu_defaults();
		o.fixed = true;
		o.n_anchor = 200;
		struct hs_blu b = unmixed(s.x, 400, 50, NULL, s.e, k, o);
		const double covered = coverage(&b, s.a);
		double sd = 0, off = 0;
		for (size_t i = 0; i < 400 * k; i++) {
			sd += b.sd[i] * b.sd[i] / (double)(400 * k);
			off += pow((b.mean[i] - s.a[i]) / b.sd[i], 2) / (double)(400 * k);
		}
		tap_ok(fabs(covered - 0.95) < (k == 2 ? 0.03 : 0.02),
			"%zu known endmembers: 95 %% intervals hold %.1f %% of the truth (errors %.4f, sd %.4f)", k,
			100 * covered, rmse(b.mean, s.a, 400 * k), sqrt(sd));
		tap_ok(off > 0.8 && off < 1.2, "%zu known endmembers: squared errors are %.2f of the variances", k, off);
		tap_ok(b.rhat < 1.05 && b.ess > 200,
			"%zu known endmembers: chains are long enough (R %.3f, %.0f effective samples)", k, b.rhat, b.ess);
		tap_ok(fabs(b.rms / 0.03 - 1) < 0.05 && !b.spectrum_sd, "%zu known endmembers: what is left is the noise (%.4f)",
			k, b.rms);
		hs_blu_release(&b);
		drop(&s);
	}
}

/* Two endmembers, many channels: the noise is known well, the abundance is a truncated normal. */
static void test_closed_form(void)
{
	enum { P = 400, N = 60 };
	struct scene s = scene(2, P, N, 0.8, 5);
	struct hs_blu_options o = hs_blu_defaults();
	o.fixed = true;
	o.n_keep = 4000;
	struct hs_blu b = unmixed(s.x, N, P, NULL, s.e, 2, o);
	double worst_mean = 0, worst_sd = 0, worst_low = 0;
	for (size_t i = 0; i < N; i++) {
		double dd = 0, dx = 0, rest = 0, m, v;
		for (size_t c = 0; c < P; c++) {
			const double d = s.e[c] - s.e[P + c];
			dd += d * d;
			dx += d * (s.x[i * P + c] - s.e[P + c]);
		}
		for (size_t c = 0; c < P; c++) {
			const double r = s.x[i * P + c] - s.e[P + c] - b.mean[2 * i] * (s.e[c] - s.e[P + c]);
			rest += r * r / (P - 1);
		}
		const double mean = dx / dd, sd = sqrt(rest / dd);
		moments(mean, sd, 0, 1, &m, &v);
		const double whole = tail_of(-mean / sd) - tail_of((1 - mean) / sd),
			     below = (tail_of(-mean / sd) - tail_of((b.low[2 * i] - mean) / sd)) / whole;
		worst_mean = fmax(worst_mean, fabs(b.mean[2 * i] - m) / sqrt(v));
		worst_sd = fmax(worst_sd, fabs(b.sd[2 * i] / sqrt(v) - 1));
		worst_low = fmax(worst_low, fabs(below - 0.025));
	}
	tap_ok(worst_mean < 0.12 && worst_sd < 0.1 && worst_low < 0.015,
		"two endmembers: the truncated normal it must be (mean %.3f sd, sd %.3f, 2.5 %% point %.4f off)", worst_mean,
		worst_sd, worst_low);
	hs_blu_release(&b);
	drop(&s);
	tap_ok(fabs(density(0) - 0.3989422804) < 1e-9, "the density is that of the normal distribution");
}

/* Endmembers that are not known: begun off the truth, they come back to it, with intervals that are not too small. */
static void test_endmembers(void)
{
	enum { K = 3, P = 50, N = 800 };
	struct scene s =
		scene(K, P, N, 0.02, 9); /* their errors are common to all pixels: 92 to 97 % over ten seeds, 94.7 on average */
	double start[K * P], mean[P], axes[(K - 1) * P];
	for (size_t c = 0; c < P; c++) {
		mean[c] = (s.e[c] + s.e[P + c] + s.e[2 * P + c]) / 3;
		axes[c] = s.e[c] - mean[c];
		axes[P + c] = s.e[P + c] - mean[c];
		for (size_t j = 0; j < K; j++)
			start[j * P + c] = mean[c] + 0.85 * (s.e[j * P + c] - mean[c]); /* inside, as pixels are */
	}
	struct hs_blu_options o = hs_blu_defaults();
	o.mean = mean;
	o.axes = axes;
	o.n_anchor = 400;
	o.n_keep = 400;
	struct hs_blu b = unmixed(s.x, N, P, NULL, start, K, o);
	const double before = rmse(start, s.e, K * P), after = rmse(b.spectrum, s.e, K * P);
	double z = 0, sd = 0;
	for (size_t i = 0; i < K * P; i++) {
		sd += b.spectrum_sd[i] / (K * P);
		z = fmax(z, fabs(b.spectrum[i] - s.e[i]) / (b.spectrum_sd[i] + 1e-9));
	}
	tap_ok(after < before / 5 && z < 4, "unknown endmembers: from %.4f to %.4f of the truth, at most %.1f of their sd (%.4f)",
		before, after, z, sd);
	const double covered = coverage(&b, s.a);
	tap_ok(covered > 0.92 && covered < 0.98, "unknown endmembers: 95 %% intervals hold %.1f %% (R of endmembers %.3f)",
		100 * covered, b.endmember_rhat);
	hs_blu_release(&b);
	drop(&s);
}

static void test_same_bytes(void)
{
	enum { K = 3, P = 20, N = 300 };
	struct scene s = scene(K, P, N, 0.05, 3);
	struct hs_blu_options o = hs_blu_defaults();
	uint8_t *skip = hs_must_alloc(N, 1);
	skip[5] = skip[N - 1] = 1;
	s.x[5 * P] = (double)NAN;
	o.n_keep = 100;
	o.n_burn = 20;
	o.n_anchor = 80;
	hs_par_set_threads(1);
	struct hs_blu one = unmixed(s.x, N, P, skip, s.e, K, o);
	for (int threads = 2; threads < 9; threads += 3) {
		hs_par_set_threads(threads);
		struct hs_blu many = unmixed(s.x, N, P, skip, s.e, K, o);
		tap_ok(!memcmp(one.mean, many.mean, N * K * 8) && !memcmp(one.sd, many.sd, N * K * 8) &&
				!memcmp(one.low, many.low, N * K * 8) && !memcmp(one.high, many.high, N * K * 8) &&
				!memcmp(one.spectrum, many.spectrum, K * P * 8) && !memcmp(one.total, many.total, K * 8) &&
				one.rms == many.rms && one.rhat == many.rhat && one.ess == many.ess,
			"%d threads: the same bytes", threads);
		hs_blu_release(&many);
	}
	tap_ok(isnan(one.mean[5 * K]) && isnan(one.sd[(N - 1) * K]) && isnan(one.residual[5]) && one.n_used == N - 2,
		"rows left out are NaN");
	double worst = 0;
	int ordered = 1;
	for (size_t i = 0; i < N; i++) {
		double sum = 0;
		for (size_t j = 0; j < K; j++) {
			sum += one.mean[i * K + j];
			ordered &= skip[i] || (one.low[i * K + j] >= 0 && one.low[i * K + j] <= one.mean[i * K + j] &&
						      one.mean[i * K + j] <= one.high[i * K + j] && one.high[i * K + j] <= 1);
		}
		worst = skip[i] ? worst : fmax(worst, fabs(sum - 1));
	}
	tap_ok(ordered && worst < 1e-12, "0 <= 2.5 %% <= mean <= 97.5 %% <= 1, means sum to 1 (%.1e)", worst);
	o.seed = 2;
	struct hs_blu other = unmixed(s.x, N, P, skip, s.e, K, o);
	tap_ok(other.mean[0] != one.mean[0] && fabs(other.mean[0] - one.mean[0]) < one.sd[0],
		"another seed: another sample of the same thing");
	hs_blu_release(&other);
	hs_blu_release(&one);
	free(skip);
	drop(&s);
}

static void test_units_and_order(void)
{
	enum { K = 3, P = 20, N = 50 };
	struct scene s = scene(K, P, N, 0.05, 8);
	struct hs_blu_options o = hs_blu_defaults();
	o.n_anchor = 20;
	o.n_keep = 400;
	struct hs_blu plain = unmixed(s.x, N, P, NULL, s.e, K, o);
	for (int power = -900; power <= 900; power += 600) {
		double e[K * P], *x = hs_must_alloc(N * P, sizeof *x);
		for (size_t i = 0; i < K * P; i++)
			e[i] = ldexp(s.e[i], power);
		for (size_t i = 0; i < N * P; i++)
			x[i] = ldexp(s.x[i], power);
		struct hs_blu b = unmixed(x, N, P, NULL, e, K, o);
		tap_ok(!memcmp(plain.mean, b.mean, N * K * 8) && b.spectrum_sd[0] == ldexp(plain.spectrum_sd[0], power),
			"in units of 2^%d the same bytes", power);
		hs_blu_release(&b);
		free(x);
	}
	double e[K * P], z = 0;
	static const size_t turned[] = { 2, 0, 1 };
	for (size_t j = 0; j < K; j++)
		memcpy(e + j * P, s.e + turned[j] * P, P * sizeof *e);
	o.fixed = true;
	struct hs_blu a = unmixed(s.x, N, P, NULL, s.e, K, o), b = unmixed(s.x, N, P, NULL, e, K, o);
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < K; j++)
			z = fmax(z, fabs(b.mean[i * K + j] - a.mean[i * K + turned[j]]) / a.sd[i * K + turned[j]]);
	tap_ok(z < 0.5, "endmembers in another order, abundances in that order, to %.2f sd", z);
	hs_blu_release(&plain);
	hs_blu_release(&a);
	hs_blu_release(&b);
	drop(&s);
}

static int finite_all(const struct hs_blu *b)
{
	int good = isfinite(b->rms) && isfinite(b->ess);
	for (size_t i = 0; i < b->n_rows * b->k; i++)
		good &= isfinite(b->mean[i]) && isfinite(b->sd[i]) && b->low[i] >= 0 && b->high[i] <= 1 &&
			b->low[i] <= b->high[i];
	for (size_t i = 0; i < b->k * b->n_chan; i++)
		good &= isfinite(b->spectrum[i]) && (!b->spectrum_sd || isfinite(b->spectrum_sd[i]));
	return good;
}

static void test_degenerate(void)
{
	enum { P = 12, N = 30 };
	for (int fixed = 0; fixed < 2; fixed++) {
		struct hs_blu_options o = hs_blu_defaults();
		o.fixed = fixed;
		o.n_anchor = 20;
		o.n_keep = 200;
		struct scene s = scene(3, P, N, 0, 4);
		struct hs_blu b = unmixed(s.x, N, P, NULL, s.e, 3, o);
		tap_ok(finite_all(&b) && (!fixed || rmse(b.mean, s.a, 3 * N) < 1e-4), "no noise: %s",
			fixed ? "the truth" : "an answer");
		hs_blu_release(&b);

		memcpy(s.e + P, s.e, P * sizeof(double));
		b = unmixed(s.x, N, P, NULL, s.e, 3, o);
		tap_ok(finite_all(&b) && (!fixed || fabs(b.total[0] - b.total[1]) < 0.15),
			"two equal endmembers%s: %.2f and %.2f", fixed ? " share" : "", b.total[0], b.total[1]);
		hs_blu_release(&b);

		memset(s.e, 0, 3 * P * sizeof(double));
		b = unmixed(s.x, N, P, NULL, s.e, 3, o);
		tap_ok(finite_all(&b) && fabs(b.total[2] - 1. / 3) < 0.1, "endmembers of nothing: any share is as good (%.2f)",
			b.total[2]);
		hs_blu_release(&b);

		memset(s.x, 0, N * P * sizeof(double));
		b = unmixed(s.x, N, P, NULL, s.e, 3, o);
		tap_ok(finite_all(&b), "nothing at all");
		hs_blu_release(&b);
		drop(&s);

		s = scene(1, P, N, 0.1, 4);
		b = unmixed(s.x, N, P, NULL, s.e, 1, o);
		tap_ok(finite_all(&b) && b.mean[7] == 1 && b.sd[7] == 0 && b.low[7] == 1 && b.high[7] == 1,
			"one endmember is everything");
		hs_blu_release(&b);
		drop(&s);

		s = scene(6, 3, N, 0.1, 4);
		b = unmixed(s.x, N, 3, NULL, s.e, 6, o);
		tap_ok(finite_all(&b), "six endmembers of three channels");
		hs_blu_release(&b);
		b = unmixed(s.x, 1, 3, NULL, s.e, 6, o);
		tap_ok(finite_all(&b) && b.n_used == 1, "one pixel");
		hs_blu_release(&b);
		drop(&s);
	}
}

static bool at_once(void *ctx)
{
	return --*(int *)ctx < 0;
}

static void test_refusals(void)
{
	struct hs_err err = { 0 };
	double e[4] = { 1, 2, 3, (double)NAN }, x[4] = { 1, 2, 3, 4 };
	const uint8_t skip[2] = { 1, 1 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, 2, 2, NULL, &err),
			    *none = hs_array_rows_new(x, HS_ROW_F64, 2, 2, skip, &err);
	struct hs_blu_options o = hs_blu_defaults();
	struct hs_blu b;
	tap_ok(hs_blu(rows, e, 0, &o, &b, &err) < 0 && err.status == HS_USAGE, "no endmember: %s", err.text);
	hs_blu_release(&b);
	err = (struct hs_err){ 0 };
	tap_ok(hs_blu(rows, e, 2, &o, &b, &err) < 0 && err.status == HS_BAD_DATA, "a NaN: %s", err.text);
	hs_blu_release(&b);
	err = (struct hs_err){ 0 };
	e[3] = 1;
	tap_ok(hs_blu(none, e, 2, &o, &b, &err) < 0 && err.status == HS_BAD_DATA, "no row: %s", err.text);
	hs_blu_release(&b);
	err = (struct hs_err){ 0 };
	int calls = 3;
	o.stop = at_once;
	o.stop_ctx = &calls;
	tap_ok(hs_blu(rows, e, 2, &o, &b, &err) == 0 && b.stopped && isnan(b.mean[0]) && isfinite(b.spectrum[0]),
		"stopped while the endmembers are sampled");
	hs_blu_release(&b);
	hs_array_rows_free(rows);
	hs_array_rows_free(none);
}

int main(void)
{
	test_truncated();
	test_coverage();
	test_closed_form();
	test_endmembers();
	test_same_bytes();
	test_units_and_order();
	test_degenerate();
	test_refusals();
	return tap_done();
}
