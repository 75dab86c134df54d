/* test_minibatch - k-means from batches: what it learns, and that it is the running mean it says. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/match.h"
#include "cluster/minibatch.h"
#include "math/par.h"
#include "tap.h"

static double *blobs(size_t n, size_t p, size_t k, double apart, double offset, int32_t *label)
{
	double *x = malloc(n * p * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 4, HS_STREAM_TEST, i);
		label[i] = (int32_t)(i * k / n);        /* in order: the worst case for a method that learns as it goes */
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = offset + (j % k == (size_t)label[i] ? apart : 0) + hs_rng_normal(&rng);
	}
	return x;
}

static void test_run(void)
{
	const size_t n = 30000, p = 6, k = 4;
	int32_t *truth = malloc(n * sizeof *truth);
	double *x = blobs(n, p, k, 7, 1e4, truth), ari = 0;
	x[5 * p] = NAN;
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	struct hs_kmeans_options o = hs_kmeans_defaults(k);
	struct hs_minibatch_result one, many;
	o.tol = 1e-5;
	o.max_iter = 20;
	hs_par_set_threads(1);
	int verdict = hs_minibatch_run(rows, &o, &one, &err);
	hs_adjusted_rand(truth, one.label, n, &ari, &err);
	tap_ok(verdict == 0 && one.k == k && one.n_used == n - 1 && one.label[5] == -1 && ari > 0.999 &&
			one.status == HS_KMEANS_CONVERGED,
		"sorted blobs: adjusted Rand index %.4f in %zu passes", ari, one.n_iter);
	hs_par_set_threads(3);
	hs_minibatch_run(rows, &o, &many, &err);
	hs_par_set_threads(0);
	tap_ok(!memcmp(one.label, many.label, n * sizeof *truth) && one.n_iter == many.n_iter, "the same bytes for 1 and 3 threads");
	hs_minibatch_release(&one);
	hs_minibatch_release(&many);
	o.spherical = true;
	memset(x + 9 * p, 0, p * sizeof *x);
	for (size_t i = 0; i < n; i++)          /* directions, at any intensity */
		for (size_t j = 0; j < p && i != 9; j++)
			x[i * p + j] = (x[i * p + j] - 1e4) * (double)(1 + i % 5);
	hs_array_rows_free(rows);
	rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	verdict = hs_minibatch_run(rows, &o, &one, &err);
	truth[9] = -1;
	hs_adjusted_rand(truth, one.label, n, &ari, &err);
	tap_ok(verdict == 0 && one.label[9] == -1 && ari > 0.98, "spherical: directions, and a zero row has none (%.4f)", ari);
	hs_minibatch_release(&one);
	hs_array_rows_free(rows);
	free(x);
	free(truth);
}

static void test_feed(void)
{
	/* two centres on a line; what comes is counted and averaged by hand */
	const double first[] = { 0, 2, 10, 12 }, more[] = { 3, 13, -1 };
	struct hs_err err = { 0 };
	struct hs_kmeans_options o = hs_kmeans_defaults(2);
	struct hs_minibatch *mb = hs_minibatch_new(first, 4, 1, &o, &err);
	int32_t label[3];
	const int verdict = mb ? hs_minibatch_feed(mb, more, 3, label, &err) : -1;
	const size_t low = mb->centre[0] < mb->centre[1] ? 0 : 1;
	const double a = mb->centre[low] + mb->shift[0], b = mb->centre[1 - low] + mb->shift[0];
	tap_ok(verdict == 0 && fabs(a - 1) < 1e-14 && fabs(b - 35.0 / 3) < 1e-14 && mb->count[low] == 4 && mb->count[1 - low] == 3,
		"centres are the means of all they took: %g of 4, %g of 3", a, b);
	tap_ok(label[0] == (int32_t)low && label[1] == (int32_t)(1 - low) && label[2] == (int32_t)low, "and where each went is said");
	hs_minibatch_free(mb);
	hs_minibatch_free(NULL);
}

static void test_corners(void)
{
	double x[12] = { 0 };
	struct hs_err err = { 0 };
	struct hs_kmeans_options o = hs_kmeans_defaults(3);
	struct hs_minibatch_result r;
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, 6, 2, NULL, &err);
	int verdict = hs_minibatch_run(rows, &o, &r, &err);
	tap_ok(verdict == 0 && r.k == 1 && r.label[5] == 0, "all the same: one cluster");
	hs_minibatch_release(&r);
	o.spherical = true;
	verdict = hs_minibatch_run(rows, &o, &r, &err);
	tap_ok(verdict == 0 && r.k == 0 && r.label[0] == -1, "zero rows have no direction: none");
	hs_minibatch_release(&r);
	o.k = 0;
	tap_ok(hs_minibatch_run(rows, &o, &r, &err) < 0 && err.status == HS_USAGE, "no clusters are refused");
	hs_minibatch_release(&r);
	hs_array_rows_free(rows);
	err = (struct hs_err){ 0 };
	o = hs_kmeans_defaults(3);
	for (size_t i = 0; i < 12; i++)
		x[i] = NAN;
	rows = hs_array_rows_new(x, HS_ROW_F64, 6, 2, NULL, &err);
	verdict = hs_minibatch_run(rows, &o, &r, &err);
	tap_ok(verdict == 0 && r.k == 0 && r.n_used == 0 && r.label[3] == -1, "no row that can be used");
	hs_minibatch_release(&r);
	hs_array_rows_free(rows);
}

int main(void)
{
	test_run();
	test_feed();
	test_corners();
	return tap_done();
}
