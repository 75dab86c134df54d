/* test_smooth_labels - labels made smooth: by hand on small maps, and what must hold on any. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/par.h"
#include "cluster/smooth_labels.h"
#include "tap.h"

enum { NY = 60, NX = 70, N = NY * NX, K = 3 };

static void test_majority(void)
{
	int32_t label[] = { 0, 0, 0, 0,
			    0, 1, 0, 1,
			    0, 0, 0, 1,
			   -1, 2, 2, 2 };
	const int32_t want[] = { 0, 0, 0, 0,
				 0, 0, 0, 0,
				 0, 0, 0, 2,
				-1, 2, 2, 2 };
	const int32_t beside[] = { 0, 0, 0, 0,
				   0, 0, 0, 1,
				   0, 0, 0, 1,
				  -1, 2, 2, 2 };
	struct hs_err err = { 0 };
	size_t changed;
	int32_t copy[16];
	memcpy(copy, label, sizeof copy);
	const struct hs_label_maps eight = { 1, 4, 4, 3, true, copy }, four = { 1, 4, 4, 3, false, label };
	hs_smooth_majority(&eight, 1, &changed, &err);
	/* (3,3) of 1: itself and one more of 1 against three of 2 around it; (1,3): two of 1 against four of 0 */
	size_t wrong = 0;
	for (size_t i = 0; i < 16; i++)
		wrong += copy[i] != want[i] && i != 11 && i != 13;
	tap_ok(!wrong && copy[5] == 0 && copy[7] == 0 && copy[12] == -1 && changed >= 2, "majority of 8 neighbours");
	hs_smooth_majority(&four, 1, &changed, &err);
	tap_ok(!memcmp(label, beside, sizeof label) && changed == 1, "majority of 4 neighbours, by hand; ties stay");
	hs_smooth_majority(&four, 100, &changed, &err);
	tap_ok(changed == 0, "nothing changes any more");
	int32_t pair[] = { 0, 0, 1, 1, 0, 0 };                  /* two maps of one line: what is across their border is no neighbour */
	const struct hs_label_maps two = { 2, 1, 3, 2, true, pair };
	hs_smooth_majority(&two, 5, &changed, &err);
	tap_ok(pair[2] == 1 && pair[3] == 1 && changed == 0, "maps do not touch each other");
}

/* A disc of 1 in 0, with noise. */
static void noisy(int32_t *label, int32_t *truth, float *cost)
{
	for (size_t i = 0; i < N; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 3, HS_STREAM_TEST, i);
		const double y = (double)(i / NX) - 30, x = (double)(i % NX) - 35;
		truth[i] = x * x + y * y < 400;
		const double value = (double)truth[i] + 0.7 * hs_rng_normal(&rng);
		for (size_t k = 0; k < K; k++)
			cost[i * K + k] = (float)((value - (double)k) * (value - (double)k) / (2 * 0.49));
		label[i] = value < 0.5 ? 0 : value < 1.5 ? 1 : 2;
		if (i % 97 == 0)
			label[i] = -1;
	}
}

static size_t errors(const int32_t *label, const int32_t *truth)
{
	size_t n = 0;
	for (size_t i = 0; i < N; i++)
		n += label[i] >= 0 && label[i] != truth[i];
	return n;
}

static void test_potts(void)
{
	int32_t *label = malloc(N * sizeof *label), *truth = malloc(N * sizeof *truth), *one = malloc(N * sizeof *one);
	float *cost = malloc(N * K * sizeof *cost);
	struct hs_err err = { 0 };
	for (int eight = 0; eight < 2; eight++) {
		noisy(label, truth, cost);
		const struct hs_label_maps maps = { 1, NY, NX, K, eight, label };
		const size_t before = errors(label, truth);
		double energy = hs_potts_energy(&maps, cost, 1);
		bool falls = true;
		size_t changed = 1, missing = 0;
		for (size_t r = 0; r < 30 && changed; r++) {
			hs_smooth_potts(&maps, cost, 1, 1, &changed, &err);
			const double now = hs_potts_energy(&maps, cost, 1);
			falls = falls && (now < energy || (!changed && now == energy));
			energy = now;
		}
		for (size_t i = 0; i < N; i++)
			missing += (label[i] < 0) == (i % 97 == 0);
		tap_ok(falls && !changed, "%d neighbours: the energy falls with every round, until nothing changes", eight ? 8 : 4);
		tap_ok(errors(label, truth) * 5 < before && missing == N, "%zu of %zu wrong labels are left; pixels without a label keep none",
			errors(label, truth), before);
		memcpy(one, label, N * sizeof *one);
		noisy(label, truth, cost);
		hs_par_set_threads(3);
		hs_smooth_potts(&maps, cost, 1, 30, &changed, &err);
		hs_par_set_threads(0);
		tap_ok(!memcmp(one, label, N * sizeof *one), "the same bytes for 3 threads");
	}
	noisy(label, truth, cost);
	memcpy(one, label, N * sizeof *one);
	const struct hs_label_maps maps = { 1, NY, NX, K, true, label };
	size_t changed;
	hs_smooth_potts(&maps, cost, 0, 10, &changed, &err);
	tap_ok(!memcmp(one, label, N * sizeof *one) && changed == 0, "without a weight each label stays the cheapest");
	free(label);
	free(truth);
	free(one);
	free(cost);
}

static void test_costs(void)
{
	const double x[] = { 0, 2, 10, 12, NAN };
	const int32_t label[] = { 0, 0, 1, 1, -1 };
	float cost[10] = { 0 };
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, 5, 1, NULL, &err);
	const int verdict = hs_potts_costs(rows, label, 2, false, cost, &err);
	tap_ok(verdict == 0 && fabsf(cost[0] - 0.5F) < 1e-6F && fabsf(cost[1] - 60.5F) < 1e-5F && cost[8] == 0, "costs by hand: %g %g",
		(double)cost[0], (double)cost[1]);
	hs_array_rows_free(rows);
	const double y[] = { 1, 1, 5 };
	const int32_t own[] = { 0, 0, 1 };
	rows = hs_array_rows_new(y, HS_ROW_F64, 3, 1, NULL, &err);
	hs_potts_costs(rows, own, 2, false, cost, &err);
	tap_ok(cost[0] == 0 && cost[1] == FLT_MAX && cost[5] == 0, "clusters without spread: nothing for their own, all for others");
	hs_array_rows_free(rows);
}

int main(void)
{
	test_majority();
	test_potts();
	test_costs();
	return tap_done();
}
