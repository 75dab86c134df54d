/* The kd-tree against plain loops. With arguments PATH N D K RADIUS THREADS it is the driver of tests/oracle/density.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cluster/neighbours.h"
#include "math/par.h"
#include "cluster/parts.h"
#include "tap.h"

enum kind { NORMAL, GRID, EQUAL, PILES, SMALL, LARGE, LINE };
static const char *const kind_name[] = { "normal", "integer grid", "all equal", "piles", "1e-300", "1e300", "a line" };

static double *points(enum kind kind, size_t n, size_t d)
{
	double *x = malloc(n * d * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 3, HS_STREAM_TEST, i);
		for (size_t c = 0; c < d; c++) {
			const double z = hs_rng_normal(&rng);
			x[i * d + c] = kind == GRID ? floor(2 * z) : kind == EQUAL ? 0.3 : kind == SMALL ? 1e-300 * z :
				kind == LARGE ? 1e299 * z : kind == LINE ? (double)i : kind == PILES && i % 3 ? (double)(i % 5) : z;
		}
	}
	return x;
}

/* Squared distance summed in order of the coordinates, after the same exact scaling as in the tree. */
static double plain2(const double *a, const double *b, size_t d, double scale)
{
	double sum = 0;
	for (size_t c = 0; c < d; c++) {
		const double t = a[c] * scale - b[c] * scale;
		sum += t * t;
	}
	return sum;
}

/* k nearest of point i (self < n: left out) by sorting nothing: the next one in order of (distance, number), k times. */
static int agrees(const double *x, size_t n, size_t d, double scale, const double *q, size_t self, size_t k, const uint32_t *row,
	const double *distance)
{
	double last = -1;
	size_t last_row = 0;
	for (size_t j = 0; j < k; j++) {
		size_t next = n;
		double least = INFINITY;
		for (size_t i = 0; i < n; i++) {
			const double d2 = plain2(x + i * d, q, d, scale);
			if (i != self && d2 < least && (d2 > last || (d2 == last && i > last_row))) {
				least = d2;
				next = i;
			}
		}
		if (next == n || row[j] != next || distance[j] != sqrt(least) / scale)
			return 0;
		last = least;
		last_row = next;
	}
	return 1;
}

static void nearest(enum kind kind, size_t n, size_t d, size_t k)
{
	struct hs_err err = { 0 };
	double *x = points(kind, n, d), *distance = malloc(n * k * sizeof *distance), *reach = malloc(n * sizeof *reach);
	uint32_t *row = malloc(n * k * sizeof *row);
	struct hs_neighbours *tree = hs_neighbours_new(x, n, d, &err);
	size_t wrong = 0, far = 0;
	const int done = tree && hs_neighbours_nearest(tree, k, row, distance, NULL, NULL, &err) == 0 &&
		hs_neighbours_reach(tree, k, false, reach, NULL, NULL, &err) == 0;
	for (size_t i = 0; i < n && done; i++) {
		wrong += !agrees(x, n, d, tree->scale, x + i * d, i, k, row + i * k, distance + i * k);
		far += reach[i] != distance[i * k + k - 1];
	}
	tap_ok(done && !wrong && !far, "%s, %zu x %zu: %zu nearest as a plain loop has them (%zu, %zu wrong)", kind_name[kind], n, d, k,
		wrong, far);
	/* places that are not points: two of each three numbers of a point */
	double *q = malloc(d * sizeof *q);
	for (size_t c = 0; c < d; c++)
		q[c] = x[(n / 2) * d + c] * (c % 3 ? 1 : 0.5);
	tap_ok(hs_neighbours_of(tree, q, 1, k, row, distance, NULL, NULL, &err) == 0 &&
			agrees(x, n, d, tree->scale, q, n, k, row, distance), "%s, %zu x %zu: and of another place", kind_name[kind], n, d);
	hs_neighbours_free(tree);
	free(x);
	free(q);
	free(row);
	free(reach);
	free(distance);
}

static void radius(enum kind kind, size_t n, size_t d, double r)
{
	struct hs_err err = { 0 };
	double *x = points(kind, n, d);
	uint32_t *count = malloc(n * sizeof *count), *row = malloc(n * sizeof *row);
	struct hs_neighbours *tree = hs_neighbours_new(x, n, d, &err);
	size_t wrong = 0, total = 0;
	const double r2 = r * tree->scale * (r * tree->scale);
	for (size_t most = 5; most <= n; most += n - 5) {
		hs_neighbours_count(tree, r, most, count, NULL, NULL, &err);
		for (size_t i = 0; i < n; i++) {
			const ptrdiff_t found = hs_neighbours_within(tree, x + i * d, r, row, n, &err);
			size_t m = 0;
			for (size_t j = 0; j < n; j++)
				if (plain2(x + j * d, x + i * d, d, tree->scale) <= r2) {
					wrong += m >= (size_t)found || row[m] != j;
					m++;
				}
			wrong += m != (size_t)found || count[i] != (m < most ? m : most);
			total += m;
		}
	}
	tap_ok(!wrong, "%s, %zu x %zu: within %g as a plain loop has it (%zu wrong of %zu)", kind_name[kind], n, d, r, wrong, total);
	hs_neighbours_free(tree);
	free(x);
	free(count);
	free(row);
}

/* The same bits whatever the threads; the order of the points does not matter for a distance. */
static void threads(void)
{
	enum { N = 5000, D = 3, K = 9 };
	struct hs_err err = { 0 };
	double *x = points(PILES, N, D), *first = NULL;
	uint32_t *rows = NULL;
	int same = 1;
	for (int j = 1; j <= 8; j = j == 3 ? 8 : j + 1) {
		hs_par_set_threads(j);
		double *distance = malloc(N * K * sizeof *distance);
		uint32_t *row = malloc(N * K * sizeof *row);
		struct hs_neighbours *tree = hs_neighbours_new(x, N, D, &err);
		same &= hs_neighbours_nearest(tree, K, row, distance, NULL, NULL, &err) == 0;
		hs_neighbours_free(tree);
		if (!first) {
			first = distance;
			rows = row;
			continue;
		}
		same &= !memcmp(first, distance, N * K * sizeof *distance) && !memcmp(rows, row, N * K * sizeof *row);
		free(distance);
		free(row);
	}
	tap_ok(same, "1, 2, 3 and 8 threads: the same bytes");
	hs_par_set_threads(2);
	free(x);
	free(first);
	free(rows);
}

static bool at_once(void *ctx)
{
	++*(int *)ctx;
	return true;
}

static void corners(void)
{
	struct hs_err err = { 0 };
	double one[2] = { 4, 5 }, d1 = -1;
	uint32_t row = 7;
	struct hs_neighbours *tree = hs_neighbours_new(one, 1, 2, &err);
	tap_ok(tree && hs_neighbours_of(tree, (double[]){ 1, 1 }, 1, 1, &row, &d1, NULL, NULL, &err) == 0 && row == 0 && d1 == 5,
		"one point is the nearest to any place");
	tap_ok(hs_neighbours_nearest(tree, 0, NULL, NULL, NULL, NULL, &err) == 0, "one point has no other: zero may be asked");
	tap_ok(hs_neighbours_nearest(tree, 1, &row, NULL, NULL, NULL, &err) == -1 && err.status == HS_USAGE, "and one is too many");
	int asked = 0;
	err = (struct hs_err){ 0 };
	tap_ok(hs_neighbours_count(tree, 1, 1, &row, at_once, &asked, &err) == 1 && asked == 1 && !hs_failed(&err),
		"a deadline is no failure");
	hs_neighbours_free(tree);
	const double bad[] = { NAN, INFINITY, -INFINITY, 1e302 };
	for (size_t i = 0; i < 4; i++) {
		double x[4] = { 1, 2, bad[i], 4 };
		err = (struct hs_err){ 0 };
		tap_ok(!hs_neighbours_new(x, 2, 2, &err) && err.status == HS_BAD_DATA, "%g is refused", bad[i]);
	}
	err = (struct hs_err){ 0 };
	tap_ok(!hs_neighbours_new(one, 0, 2, &err) && err.status == HS_BAD_DATA, "so are no points at all");
	double tiny[3] = { 5e-324, 0, 1e-323 }, reach[3];
	err = (struct hs_err){ 0 };
	tree = hs_neighbours_new(tiny, 3, 1, &err);
	tap_ok(tree && hs_neighbours_reach(tree, 1, false, reach, NULL, NULL, &err) == 0 && reach[0] == 5e-324 && reach[1] == 5e-324,
		"the smallest numbers there are");
	hs_neighbours_free(tree);
}

/* Sets joined by many threads at once end as they do one after the other. */
static void sets(void)
{
	enum { N = 20000 };
	uint32_t *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
	size_t joined[2] = { 0, 0 };
	for (int j = 1; j <= 4; j += 3) {
		uint32_t *parent = j == 1 ? a : b;
		hs_parts_init(parent, N);
		size_t n = 0;
#pragma omp parallel for num_threads(j) reduction(+ : n)
		for (size_t i = 0; i < N; i++) {
			struct hs_rng rng;
			hs_rng_init(&rng, 9, HS_STREAM_TEST, i);
			const uint32_t x = (uint32_t)hs_rng_below(&rng, N), y = (uint32_t)(x % 7 + 7 * hs_rng_below(&rng, N / 7));
			n += (size_t)hs_parts_join(parent, x, y);
		}
		joined[j > 1] = n;
	}
	size_t differ = 0, low = 0, roots = 0;
	for (uint32_t i = 0; i < N; i++) {
		differ += hs_parts_root(a, i) != hs_parts_root(b, i);
		low += hs_parts_root(a, i) > i;
		roots += hs_parts_root(a, i) == i;
	}
	tap_ok(!differ && !low && joined[0] == joined[1] && roots + joined[0] == N && roots >= 7 && roots < N / 2,
		"sets: four threads as one, %zu sets, named by their lowest", roots);
	free(a);
	free(b);

	struct hs_err err = { 0 };
	int32_t label[] = { 5, -1, 3, 0, 0, 3, -1, 5, 2 }, name[6];
	const int32_t want[] = { 0, -1, 1, 2, 2, 1, -1, 0, 3 }, names[] = { 2, -1, 3, 1, -1, 0 };
	size_t k, *size;
	const int verdict = hs_parts_settle(label, 9, 6, &k, &size, name, &err);
	tap_ok(verdict == 0 && k == 4 && size[0] == 2 && size[2] == 2 && size[3] == 1 && !memcmp(label, want, sizeof want) &&
			!memcmp(name, names, sizeof names), "labels: the largest first, ties by the first point");
	free(size);
}

static int driver(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), d = strtoul(argv[3], NULL, 10), k = strtoul(argv[4], NULL, 10);
	const double r = strtod(argv[5], NULL);
	struct hs_err err = { 0 };
	double *x = malloc(n * d * sizeof *x), *distance = malloc(n * k * sizeof *distance);
	uint32_t *row = malloc(n * k * sizeof *row), *count = malloc(n * sizeof *count);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(x, d * sizeof *x, n, f) != n)
		return 4;
	fclose(f);
	hs_par_set_threads(atoi(argv[6]));
	const double t0 = hs_clock_s();
	struct hs_neighbours *tree = hs_neighbours_new(x, n, d, &err);
	const double t1 = hs_clock_s();
	if (!tree || hs_neighbours_nearest(tree, k, row, distance, NULL, NULL, &err) < 0)
		return 3;
	const double t2 = hs_clock_s();
	if (hs_neighbours_count(tree, r, UINT32_MAX, count, NULL, NULL, &err) < 0)
		return 3;
	fprintf(stderr, "tree %.3f s, nearest %.3f s, count %.3f s\n", t1 - t0, t2 - t1, hs_clock_s() - t2);
	fwrite(row, sizeof *row, n * k, stdout);
	fwrite(distance, sizeof *distance, n * k, stdout);
	fwrite(count, sizeof *count, n, stdout);
	hs_neighbours_free(tree);
	free(x);
	free(distance);
	free(row);
	free(count);
	return 0;
}

int main(int argc, char **argv)
{
	hs_par_set_threads(2);
	if (argc == 7)
		return driver(argv);
	for (enum kind kind = NORMAL; kind <= LINE; kind++) {
		nearest(kind, 700, 1, 1);
		nearest(kind, 500, 3, 12);
		nearest(kind, 300, 8, 40);
		nearest(kind, 17, 2, 16);
	}
	radius(NORMAL, 400, 3, 0.8);
	radius(GRID, 400, 2, 2);
	radius(GRID, 400, 3, sqrt(3));
	radius(EQUAL, 100, 2, 0);
	radius(PILES, 300, 4, 1);
	radius(LARGE, 200, 2, 1e299);
	radius(SMALL, 200, 2, 1e-300);
	threads();
	corners();
	sets();
	return tap_done();
}
