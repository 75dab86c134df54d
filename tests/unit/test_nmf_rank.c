/* test_nmf_rank - the number of components by held-out values: planted numbers are found, and data without one have an answer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "unmix/nmf_rank.h"
#include "math/par.h"
#include "tap.h"

enum { N = 300, P = 32 };

/* k peaks with random weights, and noise of standard deviation 1, or counting noise (counts). */
static void scene(size_t k, double height, bool counts, double *x)
{
	for (size_t i = 0; i < N; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 4, HS_STREAM_TEST, i);
		double weight[8];
		for (size_t j = 0; j < k; j++)
			weight[j] = hs_rng_exponential(&rng);
		for (size_t l = 0; l < P; l++) {
			double y = 0;
			for (size_t j = 0; j < k; j++) {
				const double d = ((double)l - (double)P * ((double)j + 0.5) / (double)k) / 3;
				y += height * weight[j] * exp(-d * d);
			}
			x[i * P + l] = counts ? hs_rng_poisson(&rng, y) : y + hs_rng_normal(&rng);
		}
	}
}

static int choose(const double *x, size_t n, size_t p, size_t k_max, const struct hs_nmf_options *o, struct hs_nmf_ranks *t,
	struct hs_err *err)
{
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, err);
	const int verdict = hs_nmf_choose(rows, k_max, o, t, err);
	hs_array_rows_free(rows);
	return verdict;
}

static void test_planted(double *x)
{
	for (int loss = HS_NMF_EUCLIDEAN; loss <= HS_NMF_POISSON; loss++)
		for (size_t k = 1 + (size_t)loss; k <= 3; k += 2) {
			struct hs_nmf_options o = hs_nmf_defaults(1);
			struct hs_nmf_ranks t;
			struct hs_err err = { 0 };
			o.loss = (enum hs_nmf_loss)loss;
			scene(k, 20, loss, x);
			const int verdict = choose(x, N, P, 5, &o, &t, &err);
			const struct hs_nmf_rank_row *row = verdict == 0 ? &t.row[t.best] : NULL;
			tap_ok(row && row->k == k, "loss %d: %zu of %zu planted", loss, row ? row->k : 0, k);
			tap_ok(row && row->stability > 0.95 && row->fit < row->error && t.n_sample == N, "and they are stable: %.3f",
				row ? row->stability : 0);
			hs_nmf_ranks_release(&t);
		}
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_answers(double *x)
{
	struct hs_nmf_options o = hs_nmf_defaults(1);
	struct hs_nmf_ranks one, t;
	struct hs_err err = { 0 };
	scene(3, 20, false, x);
	x[5] = (double)NAN;
	hs_par_set_threads(1);
	choose(x, N, P, 3, &o, &one, &err);
	hs_par_set_threads(3);
	choose(x, N, P, 3, &o, &t, &err);
	hs_par_set_threads(1);
	tap_ok(t.n == one.n && t.best == one.best && !memcmp(t.row, one.row, t.n * sizeof *t.row), "the same bits for 1 and 3 threads");
	tap_ok(t.at_edge, "three of at most three is at the edge");
	hs_nmf_ranks_release(&t);
	hs_nmf_ranks_release(&one);
	o.stop = at_once;
	tap_ok(choose(x, N, P, 3, &o, &t, &err) == 0 && t.stopped && t.n == 1, "stopped after one");
	hs_nmf_ranks_release(&t);
	o.stop = NULL;
	memset(x, 0, N * P * sizeof *x);
	tap_ok(choose(x, N, P, 4, &o, &t, &err) == 0 && t.row[t.best].k == 1, "of nothing, one");
	hs_nmf_ranks_release(&t);
	x[0] = 3;
	tap_ok(choose(x, 1, 1, 4, &o, &t, &err) == 0 && t.n == 1, "of one value, one");
	hs_nmf_ranks_release(&t);
	for (size_t i = 0; i < N * P; i++)
		x[i] = (double)NAN;
	tap_ok(choose(x, N, P, 4, &o, &t, &err) < 0 && err.status == HS_BAD_DATA, "of no values: %s", err.text);
	hs_nmf_ranks_release(&t);
}

int main(void)
{
	double *x = malloc(N * P * sizeof *x);
	hs_par_set_threads(1);
	test_planted(x);
	test_answers(x);
	free(x);
	return tap_done();
}
