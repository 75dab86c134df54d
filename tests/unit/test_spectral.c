/* Spectral clustering of shapes that k-means cannot tell apart. With arguments PATH N D K NEIGHBOURS THREADS it is the driver of
 * tests/oracle/density.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/match.h"
#include "math/par.h"
#include "cluster/spectral.h"
#include "tap.h"

enum shape { MOONS, RINGS, BLOBS, TOUCHING };
static const char *const shape_name[] = { "moons", "rings", "blobs", "touching blobs" };
static const size_t shape_k[] = { 2, 3, 4, 3 };

static double *points(enum shape shape, size_t n, int32_t *truth)
{
	double *x = hs_must_alloc(2 * n, sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 8, HS_STREAM_TEST, i);
		const size_t c = i % shape_k[shape];
		const double t = 3.14159265 * hs_rng_uniform(&rng), a = hs_rng_normal(&rng), b = hs_rng_normal(&rng);
		double *at = x + 2 * i;
		truth[i] = (int32_t)c;
		if (shape == MOONS) {
			at[0] = (c ? 1 - cos(t) : cos(t)) + 0.05 * a;
			at[1] = (c ? 0.5 - sin(t) : sin(t)) + 0.05 * b;
		} else if (shape == RINGS) {
			at[0] = (double)(1 + 2 * c) * cos(2 * t) + 0.1 * a;
			at[1] = (double)(1 + 2 * c) * sin(2 * t) + 0.1 * b;
		} else {
			const double apart = shape == BLOBS ? 20 : 3.5;
			at[0] = apart * cos(2 * 3.14159265 * (double)c / (double)shape_k[shape]) + a;
			at[1] = apart * sin(2 * 3.14159265 * (double)c / (double)shape_k[shape]) + b;
		}
	}
	return x;
}

static void finds(enum shape shape, size_t n, bool given, double least)
{
	struct hs_err err = { 0 };
	int32_t *truth = hs_must_alloc(n, sizeof *truth);
	double *x = points(shape, n, truth), ari = 0;
	struct hs_spectral_options opt = hs_spectral_defaults(given ? shape_k[shape] : 0);
	struct hs_spectral r;
	const int verdict = hs_spectral(x, n, 2, &opt, &r, &err);
	if (verdict == 0)
		hs_adjusted_rand(truth, r.label, n, &ari, &err);
	tap_ok(verdict == 0 && r.k == shape_k[shape] && ari >= least && r.status == HS_SPECTRAL_CONVERGED,
		"%zu points, %s%s: %zu clusters, %.4f as they were made, gap %.2f, %zu components of %zu vertices %s", n, shape_name[shape],
		given ? "" : ", k found", r.k, ari, r.gap, r.n_components, r.n_vertices, err.text);
	size_t bad = r.landmarks != (n > HS_SPECTRAL_WHOLE), total = 0;
	for (size_t c = 0; c < r.k; c++) {
		total += r.size[c];
		bad += c && r.size[c] > r.size[c - 1];
	}
	for (size_t i = 0; i < r.n_eig && r.n_components < r.k; i++)
		bad += !(r.eigenvalue[i] >= 0 && r.eigenvalue[i] <= 2 && (i >= r.n_components || r.eigenvalue[i] == 0) &&
			(!i || r.eigenvalue[i] >= r.eigenvalue[i - 1]));
	tap_ok(!bad && total == n, "largest first, eigenvalues ascending in 0 .. 2");
	hs_spectral_release(&r);
	free(x);
	free(truth);
}

/* A ring of n points with two neighbours each has the Laplacian eigenvalues 1 - cos(2 pi j / n). */
static void circle(void)
{
	enum { N = 1200 };
	struct hs_err err = { 0 };
	double *x = hs_must_alloc(2 * N, sizeof *x), off = 0;
	for (size_t i = 0; i < N; i++) {
		/* steps of equal length to rounding; each point's two nearest are beyond doubt */
		x[2 * i] = cos(2 * 3.14159265358979323846 * (double)i / N);
		x[2 * i + 1] = sin(2 * 3.14159265358979323846 * (double)i / N);
	}
	struct hs_spectral_options opt = hs_spectral_defaults(5);
	opt.neighbours = 2;
	struct hs_spectral r;
	const int verdict = hs_spectral(x, N, 2, &opt, &r, &err);
	for (size_t j = 0; j < 6 && verdict == 0; j++)
		off = fmax(off, fabs(r.eigenvalue[j] - (1 - cos(2 * 3.14159265358979323846 * (double)((j + 1) / 2) / N))));
	tap_ok(verdict == 0 && r.n_eig == 6 && off < 1e-12 && r.n_components == 1,
		"a circle: eigenvalues as they should be, to %.1e", off);
	/* and five arcs of equal length, nearly */
	tap_ok(r.k == 5 && r.size[4] > N / 7 && r.size[0] < N / 3, "five arcs of %zu to %zu points", r.size[4], r.size[0]);
	hs_spectral_release(&r);
	free(x);
}

/* Components of the graph and the clusters asked for. */
static void components(void)
{
	enum { N = 400 };
	struct hs_err err = { 0 };
	int32_t truth[N], joined[N];
	double *x = points(BLOBS, N, truth), ari = 0;
	for (size_t i = 0; i < N; i++) {
		x[2 * i] += truth[i] > 1 ? 200 : 0;   /* two and two */
		joined[i] = truth[i] > 1;
	}
	struct hs_spectral_options opt = hs_spectral_defaults(2);
	struct hs_spectral r;
	tap_ok(hs_spectral(x, N, 2, &opt, &r, &err) == 0 && r.n_components == 4 && r.k == 2 && isnan(r.eigenvalue[0]),
		"four components, two clusters asked");
	hs_adjusted_rand(joined, r.label, N, &ari, &err);
	tap_ok(ari == 1, "the near ones are joined");
	hs_spectral_release(&r);
	opt.k = 4;
	hs_spectral(x, N, 2, &opt, &r, &err);
	hs_adjusted_rand(truth, r.label, N, &ari, &err);
	tap_ok(r.k == 4 && ari == 1, "four asked: the components");
	hs_spectral_release(&r);
	opt.k = 0;
	hs_spectral(x, N, 2, &opt, &r, &err);
	tap_ok(r.k == 4 && r.gap > 0.99 && r.eigenvalue[3] == 0, "none asked: the components");
	hs_spectral_release(&r);
	opt.k = 6;
	hs_spectral(x, N, 2, &opt, &r, &err);
	size_t mixed = 0;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < i; j++)
			mixed += r.label[i] == r.label[j] && truth[i] != truth[j];
	tap_ok(r.k == 6 && !mixed && r.eigenvalue[3] == 0 && r.eigenvalue[4] > 0, "six asked: components are cut, none mixed");
	hs_spectral_release(&r);
	free(x);
}

static void any_unit(void)
{
	enum { N = 500 };
	struct hs_err err = { 0 };
	int32_t truth[N];
	double *x = points(TOUCHING, N, truth), *y = hs_must_alloc(2 * N, sizeof *y);
	struct hs_spectral_options opt = hs_spectral_defaults(3);
	struct hs_spectral r, s;
	hs_spectral(x, N, 2, &opt, &r, &err);
	for (int e = -990; e <= 990; e += 1980) {
		for (size_t i = 0; i < 2 * N; i++)
			y[i] = ldexp(x[i], e);
		tap_ok(hs_spectral(y, N, 2, &opt, &s, &err) == 0 && !memcmp(r.label, s.label, N * sizeof *s.label),
			"points x 2^%d: the same", e);
		hs_spectral_release(&s);
	}
	hs_spectral_release(&r);
	/* every point three times: the same clusters */
	double *z = hs_must_alloc(6 * N, sizeof *z), ari = 0;
	int32_t *three = hs_must_alloc(3 * N, sizeof *three);
	for (size_t i = 0; i < 3 * N; i++) {
		memcpy(z + 2 * i, x + 2 * (i / 3), 2 * sizeof *z);
		three[i] = truth[i / 3];
	}
	tap_ok(hs_spectral(z, 3 * N, 2, &opt, &s, &err) == 0 && s.n_vertices == N, "every point three times is one vertex");
	hs_adjusted_rand(three, s.label, 3 * N, &ari, &err);
	tap_ok(ari > 0.9, "and clustered as before: %.4f", ari);
	hs_spectral_release(&s);
	free(x);
	free(y);
	free(z);
	free(three);
}

static bool at_once(void *ctx)
{
	return ++*(int *)ctx > 0;
}

static void corners(void)
{
	struct hs_err err = { 0 };
	struct hs_spectral_options opt = hs_spectral_defaults(3);
	struct hs_spectral r;
	double x[200];
	for (size_t i = 0; i < 200; i++)
		x[i] = 4;
	tap_ok(hs_spectral(x, 1, 2, &opt, &r, &err) == 0 && r.k == 1 && r.label[0] == 0, "one point: one cluster");
	hs_spectral_release(&r);
	tap_ok(hs_spectral(x, 100, 2, &opt, &r, &err) == 0 && r.k == 1 && r.size[0] == 100 && r.n_vertices == 1,
		"all equal: one cluster");
	hs_spectral_release(&r);
	x[7] = 5;
	tap_ok(hs_spectral(x, 200, 1, &opt, &r, &err) == 0 && r.k == 2 && r.size[1] == 1 && r.label[7] == 1,
		"two different points: two clusters");
	hs_spectral_release(&r);
	x[9] = 1e300;
	x[8] = -1e-300;
	tap_ok(hs_spectral(x, 200, 1, &opt, &r, &err) == 0 && r.k == 3 && r.n_vertices == 4 && r.label[9] > 0 &&
		r.label[7] != r.label[9], "numbers of any size: three clusters");
	hs_spectral_release(&r);
	opt.k = 0;
	for (size_t n = 1; n <= 5; n++) {
		for (size_t i = 0; i < n; i++)
			x[i] = (double)(i * i);
		const int verdict = hs_spectral(x, n, 1, &opt, &r, &err);
		tap_ok(verdict == 0 && (n < 3 ? r.k == n : r.k >= 2 && r.k < n), "k found among %zu points: %zu", n, r.k);
		hs_spectral_release(&r);
	}
	opt.k = 1;
	tap_ok(hs_spectral(x, 5, 1, &opt, &r, &err) == 0 && r.k == 1, "one cluster asked: one");
	hs_spectral_release(&r);
	opt.k = 5;
	tap_ok(hs_spectral(x, 5, 1, &opt, &r, &err) == 0 && r.k == 5, "as many as points: each by itself");
	hs_spectral_release(&r);
	int asked = 0;
	opt.k = 2;
	opt.stop = at_once;
	opt.stop_ctx = &asked;
	tap_ok(hs_spectral(x, 5, 1, &opt, &r, &err) == 0 && r.status == HS_SPECTRAL_STOPPED && r.k == 0 && r.label[2] == -1,
		"the deadline ends without clusters");
	hs_spectral_release(&r);
	opt.neighbours = 0;
	tap_ok(hs_spectral(x, 5, 1, &opt, &r, &err) == -1 && err.status == HS_USAGE && !r.label, "no neighbours cannot be asked");
	err = (struct hs_err){ 0 };
	opt = hs_spectral_defaults(2);
	x[3] = NAN;
	tap_ok(hs_spectral(x, 5, 1, &opt, &r, &err) == -1 && err.status == HS_BAD_DATA && !r.label, "what is not finite is bad data");
}

static void threads(enum shape shape, size_t n)
{
	struct hs_err err = { 0 };
	int32_t *truth = hs_must_alloc(n, sizeof *truth);
	double *x = points(shape, n, truth);
	struct hs_spectral first = { 0 }, r;
	struct hs_spectral_options opt = hs_spectral_defaults(3);
	int same = 1;
	for (int j = 1; j <= 8; j = j == 3 ? 8 : j + 1) {
		hs_par_set_threads(j);
		same &= hs_spectral(x, n, 2, &opt, &r, &err) == 0;
		if (!first.label) {
			first = r;
			continue;
		}
		same &= !memcmp(first.label, r.label, n * sizeof *r.label) && r.n_eig == first.n_eig &&
			!memcmp(first.eigenvalue, r.eigenvalue, r.n_eig * sizeof *r.eigenvalue);
		hs_spectral_release(&r);
	}
	tap_ok(same && first.n_eig == 4, "%zu %s, 1, 2, 3 and 8 threads: the same bytes", n, shape_name[shape]);
	hs_par_set_threads(2);
	hs_spectral_release(&first);
	free(x);
	free(truth);
}

static int driver(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), d = strtoul(argv[3], NULL, 10);
	struct hs_spectral_options opt = hs_spectral_defaults(strtoul(argv[4], NULL, 10));
	struct hs_err err = { 0 };
	struct hs_spectral r;
	double *x = hs_must_alloc(n * d, sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(x, d * sizeof *x, n, f) != n)
		return 4;
	fclose(f);
	opt.neighbours = strtoul(argv[5], NULL, 10);
	hs_par_set_threads(atoi(argv[6]));
	const double t0 = hs_clock_s();
	if (hs_spectral(x, n, d, &opt, &r, &err) < 0)
		return fprintf(stderr, "%s\n", err.text), 3;
	fprintf(stderr, "%.3f s, %zu clusters, %zu components of %zu vertices\n", hs_clock_s() - t0, r.k, r.n_components, r.n_vertices);
	fwrite(r.label, sizeof *r.label, n, stdout);
	fwrite(r.eigenvalue, sizeof *r.eigenvalue, r.n_eig, stdout);
	hs_spectral_release(&r);
	free(x);
	return 0;
}

int main(int argc, char **argv)
{
	hs_par_set_threads(2);
	if (argc == 7)
		return driver(argv);
	for (enum shape shape = MOONS; shape <= TOUCHING; shape++) {
		const double least = shape == TOUCHING ? 0.9 : 1;
		finds(shape, 600, true, least);
		finds(shape, 600, false, least);
		finds(shape, 1500, true, least);
		finds(shape, 12000, false, least);
	}
	circle();
	components();
	any_unit();
	corners();
	threads(TOUCHING, 1500);
	threads(TOUCHING, 6000);
	return tap_done();
}
