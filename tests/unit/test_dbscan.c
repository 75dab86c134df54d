/* DBSCAN against its definition. With arguments PATH N D EPS MIN_POINTS THREADS it is the driver of tests/oracle/density.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cluster/dbscan.h"
#include "math/match.h"
#include "math/par.h"
#include "tap.h"

/* k round clouds on a circle in the first two coordinates, one point in `noise` anywhere (0: none). */
static void clouds(double *x, size_t n, size_t d, size_t k, double apart, size_t noise, int32_t *truth)
{
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 5, HS_STREAM_TEST, i);
		const size_t c = i % k;
		truth[i] = noise && i % noise == 0 ? -1 : (int32_t)c;
		for (size_t j = 0; j < d; j++)
			x[i * d + j] = truth[i] < 0 ? (hs_rng_uniform(&rng) - 0.5) * 4 * apart : hs_rng_normal(&rng);
		if (truth[i] < 0)
			continue;
		x[i * d] += apart * cos(6.283185307 * (double)c / (double)k);
		x[i * d + 1] += apart * sin(6.283185307 * (double)c / (double)k);
	}
}

static double plain(const double *a, const double *b, size_t d)
{
	double sum = 0;
	for (size_t c = 0; c < d; c++)
		sum += (a[c] - b[c]) * (a[c] - b[c]);
	return sum;
}

/* Every sentence of the definition, point by point. */
static void definition(const char *name, const double *x, size_t n, size_t d, double eps, size_t min_points, size_t want_k)
{
	struct hs_err err = { 0 };
	struct hs_dbscan_options opt = { .eps = eps, .min_points = min_points };
	struct hs_dbscan r;
	if (!tap_ok(hs_dbscan(x, n, d, &opt, &r, &err) == 0, "%s: done %s", name, err.text))
		return;
	size_t bad_core = 0, bad_link = 0, bad_border = 0, noise = 0, reached = 0;
	for (size_t i = 0; i < n; i++) {
		size_t near = 0, best = n;
		for (size_t j = 0; j < n; j++) {
			const double d2 = plain(x + i * d, x + j * d, d);
			if (d2 > eps * eps)
				continue;
			near++;
			bad_link += r.core[i] && r.core[j] && r.label[i] != r.label[j];
			if (r.core[j] && (best == n || d2 < plain(x + i * d, x + best * d, d)))
				best = j;
		}
		bad_core += r.core[i] != (near >= min_points);
		bad_border += !r.core[i] && r.label[i] != (best == n ? -1 : r.label[best]);
		noise += r.label[i] < 0;
	}
	/* a cluster is connected: from its first core point all others are reached */
	char *seen = calloc(n, 1);
	size_t *queue = malloc(n * sizeof *queue), n_core = 0;
	for (size_t c = 0; c < r.k; c++) {
		size_t head = 0, tail = 0;
		for (size_t i = 0; i < n && !tail; i++)
			if (r.label[i] == (int32_t)c && r.core[i])
				seen[queue[tail++] = i] = 1;
		for (; head < tail; head++)
			for (size_t j = 0; j < n; j++)
				if (!seen[j] && r.core[j] && plain(x + queue[head] * d, x + j * d, d) <= eps * eps)
					seen[queue[tail++] = j] = 1;
		reached += tail;
	}
	for (size_t i = 0; i < n; i++)
		n_core += r.core[i];
	tap_ok(!bad_core && n_core == r.n_core, "%s: core points (%zu)", name, r.n_core);
	tap_ok(!bad_link && reached == n_core, "%s: clusters are the connected parts of the core points", name);
	tap_ok(!bad_border && noise == r.n_noise, "%s: border points are with their nearest core point, %zu noise", name, noise);
	size_t unsorted = 0, total = 0;
	for (size_t c = 0; c < r.k; c++) {
		unsorted += c > 0 && r.size[c] > r.size[c - 1];
		total += r.size[c];
	}
	tap_ok(r.k == want_k && !unsorted && total + noise == n, "%s: %zu clusters, the largest first", name, r.k);
	free(seen);
	free(queue);
	hs_dbscan_release(&r);
}

static void by_definition(void)
{
	enum { N = 600, D = 3 };
	double *x = malloc(N * D * sizeof *x);
	int32_t truth[N];
	clouds(x, N, D, 3, 8, 10, truth);
	definition("clouds", x, N, D, 1.2, 6, 3);
	definition("clouds, everything near", x, N, D, 100, 6, 1);
	definition("clouds, nothing near", x, N, D, 1e-3, 2, 0);
	definition("clouds, all are core", x, N, D, 1e-3, 1, N);
	for (size_t i = 0; i < N * D; i++)
		x[i] = floor(x[i]);
	definition("integer grid", x, N, D, 1, 5, 4);
	for (size_t i = 0; i < N; i++)
		for (size_t c = 0; c < D; c++)
			x[i * D + c] = i % 50 ? (double)(i % 2) : (double)i;
	definition("two piles and single points", x, N, D, 0, 3, 2);
	for (size_t i = 0; i < N * D; i++)
		x[i] = 7;
	definition("all equal", x, N, D, 0, 5, 1);
	free(x);
}

static void automatic(void)
{
	enum { N = 3000, D = 4 };
	struct hs_err err = { 0 };
	double *x = malloc(N * D * sizeof *x), *distance = malloc(N * sizeof *distance), knee = 0, ari = 0;
	int32_t *truth = malloc(N * sizeof *truth);
	clouds(x, N, D, 5, 20, 20, truth);
	struct hs_dbscan_options opt = hs_dbscan_defaults(D);
	struct hs_dbscan r;
	const int verdict = hs_dbscan(x, N, D, &opt, &r, &err);
	tap_ok(opt.min_points == 8 && opt.eps < 0 && verdict == 0 && r.k == 5, "eps %.3g from the data: %zu clusters", r.eps, r.k);
	hs_adjusted_rand(truth, r.label, N, &ari, &err);
	tap_ok(ari > 0.999 && r.n_noise < N / 10 && r.n_noise > N / 30, "as they were made: %.4f, %zu noise", ari, r.n_noise);
	tap_ok(hs_dbscan_knee(x, N, D, &opt, distance, &knee, &err) == 0 && knee == r.eps && distance[0] > 0,
		"and the knee is its eps");
	size_t falls = 0, above = 0;
	for (size_t i = 1; i < N; i++) {
		falls += distance[i] < distance[i - 1];
		above += distance[i] > knee;
	}
	tap_ok(!falls && above > N / 30 && above < N / 5, "distances rise, %zu are beyond the knee", above);
	hs_dbscan_release(&r);
	/* a lattice of diagonal steps: all distances are sqrt(3), whose square is below 3 as numbers go */
	for (size_t i = 0; i < 500; i++)
		for (size_t c = 0; c < 3; c++)
			x[i * 3 + c] = (double)i;
	opt.min_points = 2;
	tap_ok(hs_dbscan(x, 500, 3, &opt, &r, &err) == 0 && r.k == 1 && r.n_core == 500 && r.eps * r.eps >= 3 && r.eps < 1.7320509,
		"steps of sqrt(3) are within the eps they make");
	hs_dbscan_release(&r);
	/* points on a circle are equally far from their neighbours but for rounding */
	for (size_t i = 0; i < N; i++) {
		x[2 * i] = cos(6.283185307179586 * (double)i / N);
		x[2 * i + 1] = sin(6.283185307179586 * (double)i / N);
	}
	opt.min_points = 3;
	tap_ok(hs_dbscan(x, N, 2, &opt, &r, &err) == 0 && r.k == 1 && r.n_noise == 0, "a circle is one cluster");
	hs_dbscan_release(&r);
	opt = hs_dbscan_defaults(D);
	clouds(x, N, D, 5, 20, 20, truth);
	/* scaled by a power of two everything is scaled: also to the ends of the range */
	for (int e = -900; e <= 900; e += 1800) {
		struct hs_dbscan s;
		double *y = malloc(N * D * sizeof *y);
		for (size_t i = 0; i < N * D; i++)
			y[i] = ldexp(x[i], e);
		tap_ok(hs_dbscan(y, N, D, &opt, &s, &err) == 0 && s.k == 5 && s.eps == ldexp(knee, e), "points x 2^%d: eps x 2^%d", e,
			e);
		hs_dbscan_release(&s);
		free(y);
	}
	free(x);
	free(distance);
	free(truth);
}

static bool at_once(void *ctx)
{
	return ++*(int *)ctx > 0;
}

static void corners(void)
{
	struct hs_err err = { 0 };
	struct hs_dbscan_options opt = { .eps = -1, .min_points = 5 };
	struct hs_dbscan r;
	double x[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, knee;
	tap_ok(hs_dbscan(x, 4, 2, &opt, &r, &err) == 0 && r.k == 0 && r.n_noise == 4 && r.label[3] == -1,
		"four points, five asked: noise");
	hs_dbscan_release(&r);
	tap_ok(hs_dbscan_knee(x, 4, 2, &opt, x + 4, &knee, &err) == 0 && isnan(knee) && isnan(x[4]), "and no knee");
	x[4] = 1;
	opt.min_points = 4;
	tap_ok(hs_dbscan(x, 4, 1, &opt, &r, &err) == 0 && r.k == 1 && r.eps == 0 && r.n_core == 4,
		"four equal points, four asked: one cluster");
	hs_dbscan_release(&r);
	opt.min_points = 1;
	tap_ok(hs_dbscan(x, 1, 1, &opt, &r, &err) == 0 && r.k == 1 && r.size[0] == 1, "one point, one asked: one cluster");
	hs_dbscan_release(&r);
	int asked = 0;
	opt.stop = at_once;
	opt.stop_ctx = &asked;
	tap_ok(hs_dbscan(x, 4, 1, &opt, &r, &err) == 0 && r.stopped && r.k == 0 && r.label[0] == -1 && asked,
		"the deadline ends without clusters");
	hs_dbscan_release(&r);
	opt.stop = NULL;
	opt.min_points = 0;
	tap_ok(hs_dbscan(x, 4, 1, &opt, &r, &err) == -1 && err.status == HS_USAGE, "zero points cannot be asked");
	err = (struct hs_err){ 0 };
	opt = (struct hs_dbscan_options){ .eps = NAN, .min_points = 2 };
	tap_ok(hs_dbscan(x, 4, 1, &opt, &r, &err) == -1 && err.status == HS_USAGE && !r.label, "nor can a radius that is not a number");
	err = (struct hs_err){ 0 };
	opt.eps = 1;
	x[1] = NAN;
	tap_ok(hs_dbscan(x, 4, 1, &opt, &r, &err) == -1 && err.status == HS_BAD_DATA && !r.label,
		"points that are not finite are bad data");
}

static void threads(void)
{
	enum { N = 20000, D = 2 };
	struct hs_err err = { 0 };
	double *x = malloc(N * D * sizeof *x);
	int32_t *truth = malloc(N * sizeof *truth), *first = NULL;
	int same = 1;
	size_t k = 0;
	clouds(x, N, D, 7, 6, 3, truth);
	for (int j = 1; j <= 8; j = j == 3 ? 8 : j + 1) {
		struct hs_dbscan_options opt = { .eps = 0.2, .min_points = 8 };
		struct hs_dbscan r;
		hs_par_set_threads(j);
		same &= hs_dbscan(x, N, D, &opt, &r, &err) == 0;
		k = r.k;
		if (!first) {
			first = r.label;
			r.label = NULL;
		} else {
			same &= !memcmp(first, r.label, N * sizeof *first);
		}
		hs_dbscan_release(&r);
	}
	tap_ok(same && k > 1, "1, 2, 3 and 8 threads: the same labels, %zu clusters", k);
	hs_par_set_threads(2);
	free(x);
	free(truth);
	free(first);
}

static int driver(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), d = strtoul(argv[3], NULL, 10);
	struct hs_dbscan_options opt = { .eps = strtod(argv[4], NULL), .min_points = strtoul(argv[5], NULL, 10) };
	struct hs_err err = { 0 };
	struct hs_dbscan r;
	double *x = malloc(n * d * sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(x, d * sizeof *x, n, f) != n)
		return 4;
	fclose(f);
	hs_par_set_threads(atoi(argv[6]));
	const double t0 = hs_clock_s();
	if (hs_dbscan(x, n, d, &opt, &r, &err) < 0)
		return fprintf(stderr, "%s\n", err.text), 3;
	fprintf(stderr, "%.3f s, %zu clusters, %zu core, %zu noise, eps %g\n", hs_clock_s() - t0, r.k, r.n_core, r.n_noise, r.eps);
	fwrite(&r.eps, sizeof r.eps, 1, stdout);
	fwrite(r.label, sizeof *r.label, n, stdout);
	fwrite(r.core, 1, n, stdout);
	hs_dbscan_release(&r);
	free(x);
	return 0;
}

int main(int argc, char **argv)
{
	hs_par_set_threads(2);
	if (argc == 7)
		return driver(argv);
	by_definition();
	automatic();
	corners();
	threads();
	return tap_done();
}
