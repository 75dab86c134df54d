/* test_match - assignment, agreement and angles against brute force and closed forms. With arguments it is one side of
 * tests/oracle/kmeans.py:
 *   test_match assign FILE ROWS COLS   prints the total and the columns
 *   test_match ari FILE N              two int32 arrays after one another
 *   test_match angle FILE K1 K2 P      two float64 matrices: the angle between their spaces */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/match.h"
#include "tap.h"

/* Least cost over all ways, by trying them. */
static double try_all(const double *cost, size_t n_rows, size_t n_cols, size_t row, unsigned taken, size_t idle)
{
	if (row == n_rows)
		return 0;
	double best = idle ? try_all(cost, n_rows, n_cols, row + 1, taken, idle - 1) : INFINITY;
	for (size_t j = 0; j < n_cols; j++)
		if (!(taken >> j & 1))
			best = fmin(best, cost[row * n_cols + j] + try_all(cost, n_rows, n_cols, row + 1, taken | 1u << j, idle));
	return best;
}

static void test_assign(void)
{
	const size_t shape[][2] = { { 1, 1 }, { 6, 6 }, { 4, 7 }, { 7, 4 }, { 1, 5 }, { 5, 1 }, { 0, 3 }, { 3, 0 } };
	struct hs_err err = { 0 };
	for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
		const size_t n = shape[s][0], m = shape[s][1];
		size_t wrong = 0, unfair = 0;
		for (uint64_t trial = 0; trial < 40; trial++) {
			struct hs_rng rng;
			double cost[49], total;
			ptrdiff_t to[7];
			hs_rng_init(&rng, trial, HS_STREAM_TEST, s);
			for (size_t i = 0; i < n * m; i++)  /* integers on every other trial: many ties; and negative costs */
				cost[i] = trial % 2 ? (double)hs_rng_below(&rng, 4) : hs_rng_normal(&rng);
			wrong += hs_assign(cost, n, m, to, &total, &err) < 0 ||
				 fabs(total - try_all(cost, n, m, 0, 0, n > m ? n - m : 0)) > 1e-12;
			size_t paired = 0;
			unsigned taken = 0;
			for (size_t i = 0; i < n; i++)
				if (to[i] >= 0) {
					unfair += taken >> to[i] & 1;
					taken |= 1u << to[i];
					paired++;
				}
			unfair += paired != (n < m ? n : m);
		}
		tap_ok(!wrong && !unfair, "assignment %zu x %zu: as cheap as the best of all (%zu, %zu)", n, m, wrong, unfair);
	}
	const double bad[] = { 1, NAN };
	ptrdiff_t to[2];
	tap_ok(hs_assign(bad, 1, 2, to, NULL, &err) < 0 && err.status == HS_BAD_DATA, "a cost that is not a number is refused");
}

/* By its definition: over all pairs of things. */
static double slow_rand(const int32_t *a, const int32_t *b, size_t n)
{
	double both = 0, in_a = 0, in_b = 0, all = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++) {
			if (a[i] < 0 || b[i] < 0 || a[j] < 0 || b[j] < 0)
				continue;
			all++;
			in_a += a[i] == a[j];
			in_b += b[i] == b[j];
			both += a[i] == a[j] && b[i] == b[j];
		}
	const double chance = in_a * in_b / all;
	return (both - chance) / ((in_a + in_b) / 2 - chance);
}

static void test_rand(void)
{
	enum { N = 300 };
	int32_t a[N], b[N], c[N];
	struct hs_rng rng;
	struct hs_err err = { 0 };
	double ari;
	hs_rng_init(&rng, 1, HS_STREAM_TEST, 0);
	for (size_t i = 0; i < N; i++) {
		a[i] = (int32_t)hs_rng_below(&rng, 6) - 1;
		b[i] = hs_rng_uniform(&rng) < 0.5 ? a[i] : (int32_t)hs_rng_below(&rng, 4) - 1;
		c[i] = a[i] < 0 ? -5 : 2000000000 - a[i];
	}
	hs_adjusted_rand(a, b, N, &ari, &err);
	tap_ok(fabs(ari - slow_rand(a, b, N)) < 1e-13 && ari > 0.1 && ari < 0.9, "adjusted Rand index is its definition (%.6f)",
		ari);
	hs_adjusted_rand(a, c, N, &ari, &err);
	tap_ok(ari == 1, "names of clusters do not matter, however large");
	for (size_t i = 0; i < N; i++)
		c[i] = 0;
	hs_adjusted_rand(a, c, N, &ari, &err);
	tap_ok(ari == 0, "one cluster says nothing about five");
	hs_adjusted_rand(c, c, N, &ari, &err);
	tap_ok(ari == 1, "one cluster and one cluster agree");
	hs_adjusted_rand(a, b, 0, &ari, &err);
	tap_ok(ari == 1, "nothing to compare is agreement");

	int32_t map[8];
	double agreement;
	for (size_t i = 0; i < N; i++)
		b[i] = a[i] < 0 ? -1 : (a[i] + 3) % 5;
	tap_ok(hs_match_labels(a, b, N, map, 8, &agreement, &err) == 0 && agreement == 1 && map[3] == 0 && map[0] == 2 &&
			map[7] == -1,
		"shifted names are mapped back");
	tap_ok(hs_match_labels(a, b, N, map, 3, &agreement, &err) < 0 && err.status == HS_BUG,
		"a label without a place in the map is caught");
}

static void test_angles(void)
{
	const double x[] = { 1, 0, 0 }, y[] = { 0, 3, 0 }, tiny[] = { 1, 1e-9, 0 }, back[] = { -2, 2e-12, 0 },
		     huge[] = { 1e300, 1e300, 0 }, zero[3] = { 0 }, bad[] = { 1, NAN, 0 };
	tap_ok(fabs(hs_spectral_angle(x, y, 3) - M_PI / 2) < 1e-15, "right angle");
	tap_ok(fabs(hs_spectral_angle(x, tiny, 3) / 1e-9 - 1) < 1e-12, "a small angle keeps its digits");
	tap_ok(fabs((M_PI - hs_spectral_angle(x, back, 3)) / 1e-12 - 1) < 1e-3, "so does one near pi");
	tap_ok(fabs(hs_spectral_angle(x, huge, 3) - M_PI / 4) < 1e-15, "large values do not overflow");
	tap_ok(isnan(hs_spectral_angle(x, zero, 3)) && isnan(hs_spectral_angle(bad, x, 3)), "zero and NaN have no direction");

	struct hs_err err = { 0 };
	const double a[] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, b[] = { 0, 0, -1, 1, 0.1, 0 };
	ptrdiff_t to[3];
	double angle[3];
	tap_ok(hs_match_spectra(a, 3, b, 2, 3, true, to, angle, &err) == 0 && to[0] == 1 && to[1] == -1 && to[2] == 0 &&
			angle[2] == 0 && isnan(angle[1]) && fabs(angle[0] - atan(0.1)) < 1e-15,
		"spectra are paired whatever their sign");
	tap_ok(hs_match_spectra(a, 3, b, 2, 3, false, to, angle, &err) == 0 && to[2] == -1 && to[1] == 0 &&
			fabs(angle[1] - M_PI / 2) < 1e-15, "with their sign, the negative one is nobody's");

	const double t = 1e-7, plane[] = { 2, 0, 0, 1, 1, 0 }, tilted[] = { 1, 0, 0, 0, cos(t), sin(t) }, line[] = { 3, 4, 0 },
		     up[] = { 0, 0, 1 }, twice[] = { 1, 0, 0, 2, 0, 0, 0, cos(t), sin(t) };
	double angle1;
	tap_ok(hs_subspace_angle(plane, 2, tilted, 2, 3, &angle1, &err) == 0 && fabs(angle1 / t - 1) < 1e-8,
		"planes tilted by 1e-7");
	tap_ok(hs_subspace_angle(plane, 2, twice, 3, 3, &angle1, &err) == 0 && fabs(angle1 / t - 1) < 1e-8,
		"a row said twice counts once");
	tap_ok(hs_subspace_angle(line, 1, plane, 2, 3, &angle1, &err) == 0 && angle1 < 1e-15, "a line in its plane");
	tap_ok(hs_subspace_angle(plane, 2, up, 1, 3, &angle1, &err) == 0 && fabs(angle1 - M_PI / 2) < 1e-15, "a line across it");
	tap_ok(hs_subspace_angle(plane, 2, zero, 1, 3, &angle1, &err) == 0 && isnan(angle1), "zero spans nothing");
	tap_ok(hs_subspace_angle(plane, 2, bad, 1, 3, &angle1, &err) < 0 && err.status == HS_BAD_DATA,
		"NaN spans nothing either, aloud");
}

static int oracle(int argc, char **argv)
{
	struct hs_err err = { 0 };
	FILE *f = fopen(argv[2], "rb");
	if (!f)
		return 3;
	if (strcmp(argv[1], "assign") == 0 && argc > 4) {
		const size_t n = strtoul(argv[3], NULL, 10), m = strtoul(argv[4], NULL, 10);
		double *cost = malloc(n * m * sizeof *cost), total = 0;
		ptrdiff_t *to = malloc(n * sizeof *to);
		if (fread(cost, sizeof *cost, n * m, f) != n * m || hs_assign(cost, n, m, to, &total, &err) < 0)
			return 3;
		printf("%.17g\n", total);
		for (size_t i = 0; i < n; i++)
			printf("%td\n", to[i]);
		free(cost);
		free(to);
	} else if (strcmp(argv[1], "ari") == 0) {
		const size_t n = strtoul(argv[3], NULL, 10);
		int32_t *label = malloc(2 * n * sizeof *label);
		double ari = 0;
		if (fread(label, sizeof *label, 2 * n, f) != 2 * n || hs_adjusted_rand(label, label + n, n, &ari, &err) < 0)
			return 3;
		printf("%.17g\n", ari);
		free(label);
	} else if (strcmp(argv[1], "angle") == 0 && argc > 5) {
		const size_t k1 = strtoul(argv[3], NULL, 10), k2 = strtoul(argv[4], NULL, 10), p = strtoul(argv[5], NULL, 10);
		double *x = malloc((k1 + k2) * p * sizeof *x), angle = 0;
		if (fread(x, sizeof *x, (k1 + k2) * p, f) != (k1 + k2) * p ||
			hs_subspace_angle(x, k1, x + k1 * p, k2, p, &angle, &err) < 0)
			return 3;
		printf("%.17g\n", angle);
		free(x);
	} else {
		return 2;
	}
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3)
		return oracle(argc, argv);
	test_assign();
	test_rand();
	test_angles();
	return tap_done();
}
