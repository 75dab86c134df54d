/* test_validity - indices of partitions against their definitions, and the choice of k. With arguments it is one side of
 * tests/oracle/kmeans.py:
 *   test_validity MATRIX LABELS N P K COSINE
 * prints silhouette, Calinski-Harabasz, Davies-Bouldin and the silhouette of each cluster. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/par.h"
#include "cluster/validity.h"
#include "tap.h"

static double *blobs(size_t n, size_t p, size_t k, double apart, double offset, int32_t *label)
{
	double *x = malloc(n * p * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 4, HS_STREAM_TEST, i);
		const size_t c = hs_rng_below(&rng, k);
		label[i] = (int32_t)c;
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = offset + (j % k == c ? apart : 0) + hs_rng_normal(&rng);
	}
	return x;
}

static double norm(const double *x, size_t p)
{
	double s = 0;
	for (size_t j = 0; j < p; j++)
		s += x[j] * x[j];
	return sqrt(s);
}

static double distance(const double *a, const double *b, size_t p, bool cosine)
{
	double s = 0;
	for (size_t j = 0; j < p; j++)
		s += cosine ? a[j] * b[j] : (a[j] - b[j]) * (a[j] - b[j]);
	return cosine ? 1 - s / norm(a, p) / norm(b, p) : sqrt(s);
}

static double slow_silhouette(const double *x, size_t n, size_t p, const int32_t *label, size_t k, bool cosine)
{
	double all = 0;
	for (size_t i = 0; i < n; i++) {
		double sum[8] = { 0 }, count[8] = { 0 }, other = INFINITY;
		for (size_t j = 0; j < n; j++)
			if (j != i) {
				sum[label[j]] += distance(x + i * p, x + j * p, p, cosine);
				count[label[j]]++;
			}
		const size_t own = (size_t)label[i];
		for (size_t c = 0; c < k; c++)
			if (c != own && count[c] > 0)
				other = fmin(other, sum[c] / count[c]);
		const double inside = count[own] > 0 ? sum[own] / count[own] : 0;
		all += count[own] > 0 ? (other - inside) / fmax(other, inside) : 0;
	}
	return all / (double)n;
}

static void test_silhouette(void)
{
	enum { N = 700, P = 7, K = 4 };
	int32_t label[N];
	double *x = blobs(N, P, K, 2, 1e5, label), mean, of[K];
	label[0] = K - 1;
	for (size_t i = 1; i < N; i++)
		label[i] %= K - 1;    /* cluster 3 has one member */
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, N, P, NULL, &err);
	for (int cosine = 0; cosine < 2; cosine++) {
		hs_silhouette(rows, label, K, cosine ? HS_COSINE : HS_EUCLIDEAN, 0, &mean, of, &err);
		const double truth = slow_silhouette(x, N, P, label, K, cosine);
		/* at an offset of 1e5 a cosine is 1 - 1e-11: the slow way has five digits left */
		tap_ok(fabs(mean - truth) < (cosine ? 1e-4 : 1e-10), "%s silhouette %.12f is its definition, %.12f",
			cosine ? "cosine" : "Euclidean", mean, truth);
		tap_ok(of[K - 1] == 0 && of[0] < 1 && of[0] > -1, "alone in its cluster: 0");
	}
	hs_silhouette(rows, label, K + 2, HS_EUCLIDEAN, 0, &mean, NULL, &err);
	tap_ok(fabs(mean - slow_silhouette(x, N, P, label, K, false)) < 1e-10, "clusters without rows count for nothing");
	memset(label, 0, sizeof label);
	hs_silhouette(rows, label, K, HS_EUCLIDEAN, 0, &mean, of, &err);
	tap_ok(isnan(mean) && isnan(of[0]), "one cluster has no silhouette");
	label[9] = 11;
	tap_ok(hs_silhouette(rows, label, K, HS_EUCLIDEAN, 0, &mean, of, &err) < 0 && err.status == HS_BUG,
		"a label out of range is caught");
	hs_array_rows_free(rows);
	free(x);

	double d[9];
	const double line[] = { 1e8, 1e8 + 1e-3, 1e8 + 4e-3 };
	err = (struct hs_err){ 0 };
	hs_distance_matrix(line, 3, 1, HS_EUCLIDEAN, d, &err);
	tap_ok(fabs(d[1] - (line[1] - line[0])) < 1e-15 && fabs(d[2] - (line[2] - line[0])) < 1e-15 && d[0] == 0 && d[3] == d[1],
		"small distances far from the origin");
	const double ray[] = { 1, 0, 1, 1e-6, 0, 0, -1, 0 };
	double e[16];
	hs_distance_matrix(ray, 4, 2, HS_COSINE, e, &err);
	tap_ok(fabs(e[1] / 5e-13 - 1) < 1e-6 && e[2] == 1 && fabs(e[3] - 2) < 1e-15, "small cosine distances keep their digits");
}

static void test_sample(void)
{
	const size_t n = 5000, p = 3;
	double *x = malloc(n * p * sizeof *x);
	int32_t *label = malloc(n * sizeof *label);
	for (size_t i = 0; i < n * p; i++)
		x[i] = (double)i;
	for (size_t i = 0; i < n; i++)
		label[i] = i < 1000 ? -1 : 0;
	x[2000 * p] = NAN;
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	struct hs_sample s;
	hs_sample_rows(rows, label, 100, 7, &s, &err);
	size_t wrong = s.n != 100;
	for (size_t i = 0; i < s.n; i++)
		wrong += s.row[i] < 1000 || s.row[i] == 2000 || (i && s.row[i] <= s.row[i - 1]) ||
			 s.x[i * p + 2] != (double)(s.row[i] * p + 2);
	tap_ok(!wrong && s.row[0] < 1050 && s.row[99] > 4950,
		"a sample: usable rows only, ascending, spread over all, with their values");
	hs_sample_release(&s);
	hs_sample_rows(rows, NULL, 5000, 7, &s, &err);
	tap_ok(s.n == 4999 && s.row[4998] == 4999, "all usable rows when there are not too many");
	hs_sample_release(&s);
	hs_array_rows_free(rows);
	free(x);
	free(label);
}

static void test_dispersion(void)
{
	/* two pairs on a line, 10 apart: everything by hand */
	const double x[] = { 0, 2, 10, 12, 99 };
	const int32_t label[] = { 1, 1, 0, 0, -1 };
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, 5, 1, NULL, &err);
	struct hs_dispersion d;
	hs_dispersion(rows, label, 3, false, &d, &err);
	tap_ok(d.n == 4 && d.k == 2 && d.within == 4 && d.between == 100 && d.calinski_harabasz == 50 &&
			fabs(d.davies_bouldin - 0.2) < 1e-15,
		"dispersion by hand (%g %g)", d.calinski_harabasz, d.davies_bouldin);
	hs_array_rows_free(rows);

	const size_t n = 20000, p = 5;
	int32_t *truth = malloc(n * sizeof *truth);
	double *y = blobs(n, p, 5, 3, 10, truth);
	rows = hs_array_rows_new(y, HS_ROW_F64, n, p, NULL, &err);
	struct hs_dispersion one, many;
	hs_par_set_threads(1);
	hs_dispersion(rows, truth, 5, true, &one, &err);
	hs_par_set_threads(3);
	hs_dispersion(rows, truth, 5, true, &many, &err);
	hs_par_set_threads(0);
	tap_ok(memcmp(&one, &many, sizeof one) == 0 && one.within > 0, "dispersion: the same bytes for 1 and 3 threads");
	hs_array_rows_free(rows);
	free(truth);
	free(y);
}

static bool stop_second(void *ctx)
{
	return ++*(int *)ctx > 8;
}

static void test_choice(void)
{
	const size_t n = 5000, p = 8;
	int32_t *truth = malloc(n * sizeof *truth);
	double *x = blobs(n, p, 4, 6, 0, truth);
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	struct hs_kmeans_options opt = hs_kmeans_defaults(0);
	struct hs_k_table t;
	const int verdict = hs_choose_k(rows, 2, 7, &opt, &t, &err);
	tap_ok(verdict == 0 && t.n == 6 && t.row[t.best].k == 4 && !t.unstable && t.result.k == 4, "four blobs: k = %zu",
		t.row[t.best].k);
	tap_ok(t.row[2].stability > 0.99 && t.row[4].stability < 0.9, "four are stable, six are not (%.3f, %.3f)",
		t.row[2].stability, t.row[4].stability);
	bool falls = true;
	for (size_t i = 1; i < t.n; i++)
		falls &= t.row[i].inertia < t.row[i - 1].inertia;
	tap_ok(falls && t.result.inertia == t.row[t.best].inertia, "inertia falls with k, the result is that of the choice");
	hs_k_table_release(&t);

	int asked = 0;
	opt.stop = stop_second;
	opt.stop_ctx = &asked;
	tap_ok(hs_choose_k(rows, 2, 7, &opt, &t, &err) == 0 && t.stopped && t.n < 6 && t.n > 0 && t.result.k > 1,
		"stopped: what there is");
	hs_k_table_release(&t);
	opt.stop = NULL;
	tap_ok(hs_choose_k(rows, 1, 7, &opt, &t, &err) < 0 && err.status == HS_USAGE && !t.row, "k from 1 on is refused");
	hs_array_rows_free(rows);

	/* one round cloud: no number of clusters is stable */
	err = (struct hs_err){ 0 };
	free(x);
	x = blobs(n, p, 1, 0, 0, truth);
	rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	tap_ok(hs_choose_k(rows, 2, 5, &opt, &t, &err) == 0 && t.unstable, "one round cloud: flagged as unstable");
	hs_k_table_release(&t);
	hs_array_rows_free(rows);

	/* fewer distinct rows than clusters */
	for (size_t i = 0; i < 60 * p; i++)
		x[i] = (double)(i / p % 3);
	rows = hs_array_rows_new(x, HS_ROW_F64, 60, p, NULL, &err);
	tap_ok(hs_choose_k(rows, 2, 6, &opt, &t, &err) == 0 && t.row[t.best].k == 3 && fabs(t.row[1].silhouette - 1) < 1e-12 &&
			t.row[3].found == 3,
		"three distinct rows: three clusters");
	hs_k_table_release(&t);
	hs_array_rows_free(rows);
	for (size_t i = 0; i < 60 * p; i++)
		x[i] = NAN;
	rows = hs_array_rows_new(x, HS_ROW_F64, 60, p, NULL, &err);
	tap_ok(hs_choose_k(rows, 2, 3, &opt, &t, &err) == 0 && t.result.k == 0 && isnan(t.row[0].silhouette),
		"no usable rows: a table of nothing");
	hs_k_table_release(&t);
	hs_array_rows_free(rows);
	free(x);
	free(truth);
}

static int oracle(char **argv)
{
	const size_t n = strtoul(argv[3], NULL, 10), p = strtoul(argv[4], NULL, 10), k = strtoul(argv[5], NULL, 10);
	const bool cosine = atoi(argv[6]);
	double *x = malloc(n * p * sizeof *x), *of = malloc(k * sizeof *of), mean = 0;
	int32_t *label = malloc(n * sizeof *label);
	FILE *f = fopen(argv[1], "rb"), *g = fopen(argv[2], "rb");
	if (!f || !g || fread(x, p * sizeof *x, n, f) != n || fread(label, sizeof *label, n, g) != n)
		return 3;
	fclose(f);
	fclose(g);
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	struct hs_dispersion d;
	if (hs_silhouette(rows, label, k, cosine ? HS_COSINE : HS_EUCLIDEAN, 0, &mean, of, &err) < 0 ||
		hs_dispersion(rows, label, k, cosine, &d, &err) < 0)
		return 1;
	printf("%.17g\n%.17g\n%.17g\n", mean, d.calinski_harabasz, d.davies_bouldin);
	for (size_t c = 0; c < k; c++)
		printf("%.17g\n", of[c]);
	hs_array_rows_free(rows);
	free(x);
	free(of);
	free(label);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 6)
		return oracle(argv);
	test_silhouette();
	test_sample();
	test_dispersion();
	test_choice();
	return tap_done();
}
