/* test_gap - the gap statistic finds how many clusters there are, and that there are none. With arguments it is one side of
 * tests/oracle/clusters.py:
 *   test_gap MATRIX N P K_MAX
 * prints gap and error of each k, then the choice. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cluster/gap.h"
#include "math/par.h"
#include "tap.h"

static double *blobs(size_t n, size_t p, size_t k, double apart, double unit)
{
	double *x = malloc(n * p * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 6, HS_STREAM_TEST, i);
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = unit * ((j % k == i % k ? apart : 0) + hs_rng_normal(&rng));
	}
	return x;
}

static void test_choice(void)
{
	struct hs_err err = { 0 };
	struct hs_gap g, h;
	struct hs_gap_options o = hs_gap_defaults(6);
	hs_par_set_threads(1);        /* hundreds of small problems: threads would only wait for each other */
	for (size_t k = 1; k < 5; k++)
		for (size_t p = 4; p < 20; p += 12) {
			double *x = blobs(600, p, k, 8, 1);
			const int verdict = hs_gap(x, 600, p, &o, &g, &err);
			tap_ok(verdict == 0 && g.n == 6 && g.chosen == k, "%zu clusters of %zu channels: %zu", k, p, g.chosen);
			hs_gap_release(&g);
			free(x);
		}
	double *x = blobs(600, 5, 3, 8, 1), *y = blobs(600, 5, 3, 8, 0x1p-300);
	hs_gap(x, 600, 5, &o, &g, &err);
	hs_par_set_threads(3);
	hs_gap(x, 600, 5, &o, &h, &err);
	hs_par_set_threads(1);
	tap_ok(!memcmp(g.gap, h.gap, 6 * sizeof(double)) && !memcmp(g.error, h.error, 6 * sizeof(double)),
		"the same bytes for 1 and 3 threads");
	hs_gap_release(&h);
	hs_gap(y, 600, 5, &o, &h, &err);
	tap_ok(fabs(h.gap[2] - g.gap[2]) < 1e-6 && g.error[2] > 0, "no unit");
	hs_gap_release(&g);
	hs_gap_release(&h);
	free(x);
	free(y);
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_corners(void)
{
	double x[20] = { 0 };
	struct hs_err err = { 0 };
	struct hs_gap g;
	struct hs_gap_options o = hs_gap_defaults(4);
	int verdict = hs_gap(x, 10, 2, &o, &g, &err);
	tap_ok(verdict == 0 && isnan(g.gap[0]) && g.chosen == 0, "all the same: no gap");
	hs_gap_release(&g);
	x[3] = 1;
	x[4] = 1;
	verdict = hs_gap(x, 1, 2, &o, &g, &err);
	tap_ok(verdict == 0 && g.n == 4, "one row");
	hs_gap_release(&g);
	for (size_t i = 0; i < 20; i++)
		x[i] = (double)(i / 2 % 2);
	verdict = hs_gap(x, 10, 2, &o, &g, &err);
	tap_ok(verdict == 0 && g.gap[1] > 5 && g.chosen == 2, "two places: two clusters");
	hs_gap_release(&g);
	o.stop = at_once;
	verdict = hs_gap(x, 10, 2, &o, &g, &err);
	tap_ok(verdict == 0 && g.n == 1 && g.chosen == 0, "stopped: what there is");
	hs_gap_release(&g);
	o.n_reference = 1;
	tap_ok(hs_gap(x, 10, 2, &o, &g, &err) < 0 && err.status == HS_USAGE && !g.gap, "one reference has no error: refused");
}

static int oracle(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), p = strtoul(argv[3], NULL, 10);
	double *x = malloc(n * p * sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	struct hs_err err = { 0 };
	struct hs_gap g;
	const struct hs_gap_options o = hs_gap_defaults(strtoul(argv[4], NULL, 10));
	if (!f || fread(x, p * sizeof *x, n, f) != n)
		return 3;
	fclose(f);
	if (hs_gap(x, n, p, &o, &g, &err) < 0)
		return 1;
	for (size_t k = 0; k < g.n; k++)
		printf("%.17g %.17g\n", g.gap[k], g.error[k]);
	printf("%zu\n", g.chosen);
	hs_gap_release(&g);
	free(x);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 4)
		return oracle(argv);
	test_choice();
	test_corners();
	return tap_done();
}
