/* test_gmm - mixtures against their definition. With arguments it is one side of tests/oracle/clusters.py:
 *   test_gmm MATRIX N P K DIAG THREADS
 * prints log-likelihood, BIC, k; weights, means, covariances; labels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cluster/gmm.h"
#include "math/par.h"
#include "tap.h"

enum { N = 3000, P = 3, K = 3 };

/* Three long clouds that cross no other. */
static void clouds(double *x, double scale, double offset)
{
	for (size_t i = 0; i < N; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 5, HS_STREAM_TEST, i);
		const size_t c = i % 6 < 3 ? 0 : i % 6 < 5 ? 1 : 2;
		const double a = hs_rng_normal(&rng), b = hs_rng_normal(&rng), d = hs_rng_normal(&rng);
		const double row[P] = { 6 * a + (c == 1 ? 4 : 0), a + 0.3 * b + 9 * (double)c, 0.5 * d + (c == 2 ? 3 : 0) };
		for (size_t j = 0; j < P; j++)
			x[i * P + j] = offset + scale * row[j];
	}
}

/* Density by Cramer's rule. */
static double slow_log_density(const struct hs_gmm *g, const double *x)
{
	double top = -INFINITY, term[8], sum = 0;
	for (size_t k = 0; k < g->k; k++) {
		const double *c = g->cov + k * P * P, *m = g->mean + k * P;
		const double d[P] = { x[0] - m[0], x[1] - m[1], x[2] - m[2] };
		double inv[9], det, q = 0;
		inv[0] = c[4] * c[8] - c[5] * c[7];
		inv[1] = c[2] * c[7] - c[1] * c[8];
		inv[2] = c[1] * c[5] - c[2] * c[4];
		inv[3] = c[5] * c[6] - c[3] * c[8];
		inv[4] = c[0] * c[8] - c[2] * c[6];
		inv[5] = c[2] * c[3] - c[0] * c[5];
		inv[6] = c[3] * c[7] - c[4] * c[6];
		inv[7] = c[1] * c[6] - c[0] * c[7];
		inv[8] = c[0] * c[4] - c[1] * c[3];
		det = c[0] * inv[0] + c[1] * inv[3] + c[2] * inv[6];
		for (size_t i = 0; i < P; i++)
			for (size_t j = 0; j < P; j++)
				q += d[i] * inv[i * P + j] / det * d[j];
		term[k] = log(g->weight[k]) - 0.5 * (P * log(2 * M_PI) + log(det) + q);
		top = fmax(top, term[k]);
	}
	for (size_t k = 0; k < g->k; k++)
		sum += exp(term[k] - top);
	return top + log(sum);
}

static bool never_falls(const struct hs_gmm *g)
{
	for (size_t i = 1; i < g->n_iter; i++)
		if (g->trace[i] < g->trace[i - 1] - 1e-9 * fabs(g->trace[i]))
			return false;
	return true;
}

struct collected {
	size_t n, k;
	float *value;
};

static int collect(void *to, size_t first_row, size_t n_rows, const float *values, struct hs_err *err)
{
	struct collected *c = to;
	(void)err;
	if (first_row != c->n)
		return -1;
	memcpy(c->value + first_row * c->k, values, n_rows * c->k * sizeof *values);
	c->n += n_rows;
	return 0;
}

static void test_fit(void)
{
	double *x = malloc(N * P * sizeof *x), slow = 0, worst = 0;
	struct hs_err err = { 0 };
	struct hs_gmm g;
	struct hs_gmm_options o = hs_gmm_defaults(K);
	o.tol = 1e-9;
	clouds(x, 1, 0);
	x[7 * P] = NAN;
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, N, P, NULL, &err);
	const int verdict = hs_gmm(rows, &o, &g, &err);
	tap_ok(verdict == 0 && g.k == K && g.n_used == N - 1 && g.label[7] == -1 && g.status == HS_KMEANS_CONVERGED,
		"three clouds, one row left out: %zu components (%s)", g.k, err.text);
	for (size_t i = 0; i < N; i++)
		slow += i == 7 ? 0 : slow_log_density(&g, x + i * P);
	tap_ok(fabs(slow / g.log_likelihood - 1) < 1e-11, "log-likelihood %.12g is its definition, %.12g", g.log_likelihood, slow);
	tap_ok(never_falls(&g) && g.n_iter > 3 && g.trace[g.n_iter - 1] == g.log_likelihood, "it never falls, in %zu passes", g.n_iter);
	tap_ok(g.n_free == 2 + 9 + 18 && fabs(g.bic - (29 * log(N - 1) - 2 * g.log_likelihood)) < 1e-9, "BIC with %zu parameters",
		g.n_free);
	tap_ok(fabs(g.weight[0] - 0.5) < 0.02 && fabs(g.weight[1] - 1.0 / 3) < 0.02 && fabs(g.mean[P + 1] - 9) < 0.3 &&
			fabs(g.cov[0] - 36) < 3.5 && fabs(g.cov[1] - 6) < 0.7 && g.cov[1] == g.cov[P],
		"weights, means and covariances of the clouds, the largest first");

	struct collected c = { .k = K, .value = malloc(N * K * sizeof(float)) };
	int32_t *label = malloc(N * sizeof *label);
	tap_ok(hs_gmm_memberships(&g, rows, collect, &c, &err) == 0 && c.n == N && hs_gmm_labels(&g, rows, label, &err) == 0 &&
			!memcmp(label, g.label, N * sizeof *label),
		"memberships in row order; labels of another pass are those of the fit");
	size_t wrong = 0;
	for (size_t i = 0; i < N; i++) {
		double sum = 0;
		for (size_t k = 0; k < K; k++)
			sum += (double)c.value[i * K + k];
		if (i == 7) {
			wrong += sum == sum;
			continue;
		}
		worst = fmax(worst, fabs(sum - 1));
		for (size_t k = 0; k < K; k++)
			wrong += c.value[i * K + k] > c.value[i * K + (size_t)g.label[i]];
	}
	tap_ok(worst < 1e-6 && !wrong, "they sum to 1, the label is the largest, a row left out is NaN");
	free(c.value);
	free(label);

	struct hs_gmm one = { 0 };
	for (int threads = 1; threads < 9; threads += threads) {
		hs_par_set_threads(threads);
		hs_gmm(rows, &o, &one, &err);
		tap_ok(!memcmp(one.cov, g.cov, K * P * P * sizeof(double)) && one.log_likelihood == g.log_likelihood &&
				!memcmp(one.label, g.label, N * sizeof *g.label),
			"the same bytes for %d threads", threads);
		hs_gmm_release(&one);
	}
	hs_par_set_threads(0);
	hs_gmm_release(&g);
	hs_array_rows_free(rows);
	free(x);
}

/* The answer does not depend on the unit or the origin. */
static void test_unit(void)
{
	const double scale[] = { 1, 0x1p-400, 0x1p400, 1 }, offset[] = { 0, 0, 0, 1e8 };
	double *x = malloc(N * P * sizeof *x), first = 0;
	struct hs_gmm_options o = hs_gmm_defaults(K);
	o.tol = 1e-9;
	for (size_t t = 0; t < 4; t++) {
		struct hs_err err = { 0 };
		struct hs_gmm g;
		clouds(x, scale[t], offset[t]);
		struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, N, P, NULL, &err);
		const int verdict = hs_gmm(rows, &o, &g, &err);
		const double value = g.log_likelihood + (double)N * P * log(scale[t]);
		first = t ? first : value;
		tap_ok(verdict == 0 && g.k == K && fabs(value / first - 1) < 1e-6, "unit %g, origin %g: %.10g (%s)", scale[t], offset[t],
			value, err.text);
		hs_gmm_release(&g);
		hs_array_rows_free(rows);
	}
	free(x);
}

/* Fits what has no density; says what came out. */
static struct hs_gmm fit(const double *x, size_t n, size_t p, size_t k, enum hs_covariance covariance, int *verdict)
{
	struct hs_err err = { 0 };
	struct hs_gmm g;
	struct hs_gmm_options o = hs_gmm_defaults(k);
	o.covariance = covariance;
	o.max_iter = 50;
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	*verdict = hs_gmm(rows, &o, &g, &err);
	hs_array_rows_free(rows);
	return g;
}

static void test_degenerate(void)
{
	enum { M = 40, Q = 4 };
	double x[M * Q] = { 0 };
	int verdict;
	for (int diag = 0; diag < 2; diag++) {
		struct hs_gmm g = fit(x, M, Q, 3, (enum hs_covariance)diag, &verdict);
		tap_ok(verdict == 0 && g.k == 1 && isnan(g.log_likelihood) && g.label[5] == 0 && isfinite(g.cov[0]) && g.weight[0] == 1,
			"all the same: one component without a likelihood");
		hs_gmm_release(&g);
		for (size_t i = 0; i < M * Q; i++)      /* two points, a constant channel, a channel twice */
			x[i] = i % Q == 3 ? 7 : (double)(i / Q % 2) * (1 + (double)(i % Q) / 2);
		g = fit(x, M, Q, 5, (enum hs_covariance)diag, &verdict);
		tap_ok(verdict == 0 && g.k == 2 && isfinite(g.log_likelihood) && never_falls(&g) && g.label[0] != g.label[1],
			"two points: two components, a finite likelihood of %g", g.log_likelihood);
		hs_gmm_release(&g);
		g = fit(x, 1, Q, 2, (enum hs_covariance)diag, &verdict);
		tap_ok(verdict == 0 && g.k == 1, "one row");
		hs_gmm_release(&g);
		memset(x, 0, sizeof x);
		x[0] = NAN;
		g = fit(x, 1, Q, 2, (enum hs_covariance)diag, &verdict);
		tap_ok(verdict == 0 && g.k == 0 && g.label[0] == -1, "no row that can be used");
		hs_gmm_release(&g);
		x[0] = 1e300;
		g = fit(x, M, Q, 2, (enum hs_covariance)diag, &verdict);
		tap_ok(verdict < 0 && !g.label, "squares that overflow are refused");
		memset(x, 0, sizeof x);
	}
	double y[200 * 2];                              /* many components for few rows: those that die are buried */
	for (size_t i = 0; i < 400; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 9, HS_STREAM_TEST, i);
		y[i] = hs_rng_normal(&rng);
	}
	struct hs_gmm g = fit(y, 200, 2, 60, HS_COVARIANCE_FULL, &verdict);
	size_t count[60] = { 0 }, empty = 0, rising = 0;
	for (size_t i = 0; i < 200; i++)
		count[g.label[i]]++;
	for (size_t k = 0; k < g.k; k++) {
		empty += !count[k];
		rising += k && count[k] > count[k - 1];
	}
	tap_ok(verdict == 0 && g.k <= 60 && !empty && !rising && isfinite(g.log_likelihood), "60 components of 200 rows: %zu are left",
		g.k);
	hs_gmm_release(&g);
}

static int oracle(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), p = strtoul(argv[3], NULL, 10), k = strtoul(argv[4], NULL, 10);
	double *x = malloc(n * p * sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	struct hs_err err = { 0 };
	struct hs_gmm g;
	struct hs_gmm_options o = hs_gmm_defaults(k);
	if (!f || fread(x, p * sizeof *x, n, f) != n)
		return 3;
	fclose(f);
	o.covariance = atoi(argv[5]) ? HS_COVARIANCE_DIAG : HS_COVARIANCE_FULL;
	o.tol = 1e-10;
	o.max_iter = 5000;
	hs_par_set_threads(atoi(argv[6]));
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	if (!rows || hs_gmm(rows, &o, &g, &err) < 0)
		return 1;
	const size_t size = o.covariance == HS_COVARIANCE_DIAG ? p : p * p;
	printf("%.17g\n%.17g\n%zu\n", g.log_likelihood, g.bic, g.k);
	for (size_t i = 0; i < g.k; i++)
		printf("%.17g\n", g.weight[i]);
	for (size_t i = 0; i < g.k * p; i++)
		printf("%.17g\n", g.mean[i]);
	for (size_t i = 0; i < g.k * size; i++)
		printf("%.17g\n", g.cov[i]);
	for (size_t i = 0; i < n; i++)
		printf("%d\n", g.label[i]);
	hs_gmm_release(&g);
	hs_array_rows_free(rows);
	free(x);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 6)
		return oracle(argv);
	test_fit();
	test_unit();
	test_degenerate();
	return tap_done();
}
