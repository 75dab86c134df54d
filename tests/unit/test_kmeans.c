/* test_kmeans - truths about k-means. With arguments it is one side of tests/oracle/kmeans.py:
 *   test_kmeans MATRIX N P K SPHERICAL SEED RESTARTS [TYPE [THREADS [START]]]
 * prints the inertia, the iterations and the labels found in a file of float64 (TYPE f32: rounded first).
 *   test_kmeans peak TYPE N P K RESTARTS CHOOSE
 * prints the bytes by which the process grows while it clusters rows that are made as they are asked for. */
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cluster/clusters.h"
#include "cluster/kmeans.h"
#include "math/par.h"
#include "cluster/validity.h"
#include "tap.h"

/* n rows around k centres that are apart by `apart` standard deviations in each channel; truth in label. */
static double *blobs(size_t n, size_t p, size_t k, double apart, double offset, uint64_t seed, int32_t *label)
{
	double *x = malloc(n * p * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_TEST, i);
		const size_t c = hs_rng_below(&rng, k);
		if (label)
			label[i] = (int32_t)c;
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = offset + (j % k == c ? apart : 0) + hs_rng_normal(&rng);
	}
	return x;
}

static int cluster(
	const void *x, enum hs_row_type type, size_t n, size_t p, const struct hs_kmeans_options *opt, struct hs_kmeans *out)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, type, n, p, NULL, &err);
	const int verdict = hs_kmeans(rows, opt, out, &err);
	if (verdict < 0)
		printf("# %s\n", err.text);
	hs_array_rows_free(rows);
	return verdict;
}

/* Same partition: each label of a goes with one label of b. */
static bool same_partition(const int32_t *a, const int32_t *b, size_t n)
{
	int32_t to[64], from[64];
	memset(to, -1, sizeof to);
	memset(from, -1, sizeof from);
	for (size_t i = 0; i < n; i++) {
		if ((a[i] < 0) != (b[i] < 0))
			return false;
		if (a[i] < 0)
			continue;
		if (to[a[i]] < 0 && from[b[i]] < 0) {
			to[a[i]] = b[i];
			from[b[i]] = a[i];
		}
		if (to[a[i]] != b[i] || from[b[i]] != a[i])
			return false;
	}
	return true;
}

static double distance2(const double *a, const double *b, size_t p)
{
	double s = 0;
	for (size_t j = 0; j < p; j++)
		s += (a[j] - b[j]) * (a[j] - b[j]);
	return s;
}

/* The invariants that any converged Euclidean result has, computed the slow way. */
static void check_result(const char *name, const double *x, const struct hs_kmeans *r)
{
	const size_t n = r->n_rows, p = r->n_chan;
	double *sum = calloc(r->k * p, sizeof *sum), worst = 0, inertia = 0, spread = 0;
	size_t *size = calloc(r->k, sizeof *size), *first = malloc(r->k * sizeof *first), stray = 0;
	bool rising = false, ordered = true;
	for (size_t i = n; i-- > 0;) {
		if (r->label[i] < 0)
			continue;
		const size_t c = (size_t)r->label[i];
		size[c]++;
		first[c] = i;
		for (size_t j = 0; j < p; j++)
			sum[c * p + j] += x[i * p + j];
		const double own = distance2(x + i * p, r->centroid + c * p, p);
		inertia += own;
		for (size_t q = 0; q < r->k; q++)
			stray += distance2(x + i * p, r->centroid + q * p, p) < own * (1 - 1e-12);
	}
	double *square = calloc(r->k * p, sizeof *square);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; r->label[i] >= 0 && j < p; j++) {
			const size_t at = (size_t)r->label[i] * p + j;
			square[at] += (x[i * p + j] - r->centroid[at]) * (x[i * p + j] - r->centroid[at]);
		}
	for (size_t c = 0; c < r->k; c++)
		for (size_t j = 0; j < p; j++) {
			const size_t at = c * p + j;
			const double mean = sum[at] / (double)size[c];
			worst = fmax(worst, fabs(mean - r->centroid[at]) / fmax(1, fabs(mean)));
			spread = fmax(spread, fabs(r->spread[at] - sqrt(square[at] / (double)size[c])));
		}
	for (size_t t = 1; t < r->n_iter; t++)
		rising |= r->trace[t] > r->trace[t - 1] + 1e-13 * r->total;
	for (size_t c = 0; c < r->k; c++) {
		ordered &= size[c] == r->size[c];
		if (c)
			ordered &= size[c] < size[c - 1] || (size[c] == size[c - 1] && first[c] > first[c - 1]);
	}
	tap_ok(worst < 1e-12, "%s: centroids are the means of their members (%.1e)", name, worst);
	tap_ok(memcmp(r->mean, r->centroid, r->k * p * sizeof *r->mean) == 0, "%s: mean is the centroid", name);
	tap_ok(spread < 1e-9, "%s: spread is the standard deviation of the members (%.1e)", name, spread);
	tap_ok(stray == 0, "%s: each row is nearest its own centroid (%zu are not)", name, stray);
	tap_ok(!rising && r->n_iter > 0, "%s: inertia never rises in %zu iterations", name, r->n_iter);
	tap_ok(fabs(inertia - r->inertia) <= 1e-10 * inertia, "%s: inertia %.12g is what it says, %.12g", name, inertia,
		r->inertia);
	tap_ok(fabs(r->trace[r->n_iter - 1] - r->inertia) <= 1e-10 * r->total, "%s: the trace ends there", name);
	tap_ok(ordered, "%s: clusters by size, sizes right", name);
	free(sum);
	free(square);
	free(size);
	free(first);
}

static void test_truth(void)
{
	const size_t n = 6000, p = 12;
	int32_t *truth = malloc(n * sizeof *truth);
	double *x = blobs(n, p, 3, 8, 0, 1, truth);
	struct hs_kmeans_options opt = hs_kmeans_defaults(3);
	struct hs_kmeans r;
	opt.tol = 0;
	tap_ok(cluster(x, HS_ROW_F64, n, p, &opt, &r) == 0 && r.k == 3 && r.status == HS_KMEANS_CONVERGED,
		"three Gaussians: converges");
	tap_ok(same_partition(truth, r.label, n), "three Gaussians, 8 sigma apart, are found without a mistake");
	check_result("three Gaussians", x, &r);
	hs_kmeans_release(&r);
	free(x);

	const double apart[] = { 2, 0.7, 0 }, offset[] = { 0, 1e6, 1e3 };
	for (size_t t = 0; t < HS_LEN(apart); t++) {
		char name[64];
		snprintf(name, sizeof name, "apart %g, offset %g", apart[t], offset[t]);
		x = blobs(n, p, 5, apart[t], offset[t], 10 + t, NULL);
		opt.k = 5;
		tap_ok(cluster(x, HS_ROW_F64, n, p, &opt, &r) == 0 && r.k == 5, "%s: five clusters", name);
		check_result(name, x, &r);
		hs_kmeans_release(&r);
		free(x);
	}
	free(truth);
}

/* More rows than the sample: the optimum of the sample goes on over all of them. float32 and float64 see the same data. */
static void test_large(void)
{
	const size_t n = 40000, p = 24;
	int32_t *truth = malloc(n * sizeof *truth);
	double *x = blobs(n, p, 4, 3, 100, 3, truth);
	float *narrow = malloc(n * p * sizeof *narrow);
	for (size_t i = 0; i < n * p; i++) {
		narrow[i] = (float)x[i];
		x[i] = (double)narrow[i];
	}
	struct hs_kmeans_options opt = hs_kmeans_defaults(4);
	opt.tol = 0;
	struct hs_kmeans wide, single;
	cluster(x, HS_ROW_F64, n, p, &opt, &wide);
	cluster(narrow, HS_ROW_F32, n, p, &opt, &single);
	check_result("40000 rows", x, &wide);
	tap_ok(memcmp(wide.label, single.label, n * sizeof *wide.label) == 0,
		"float32 and float64 of the same values: same labels");
	double worst = 0;
	for (size_t i = 0; i < 4 * p; i++)
		worst = fmax(worst, fabs(wide.centroid[i] - single.centroid[i]));
	tap_ok(worst < 1e-11, "and the same centroids (%.1e)", worst);

	/* pixels in another order */
	double *turned = malloc(n * p * sizeof *turned);
	int32_t *back = malloc(n * sizeof *back);
	const size_t stride = 10007;
	for (size_t i = 0; i < n; i++)
		memcpy(turned + i * stride % n * p, x + i * p, p * sizeof *x);
	struct hs_kmeans other;
	cluster(turned, HS_ROW_F64, n, p, &opt, &other);
	for (size_t i = 0; i < n; i++)
		back[i] = other.label[i * stride % n];
	tap_ok(same_partition(wide.label, back, n), "permuting pixels permutes labels");
	tap_ok(fabs(other.inertia - wide.inertia) < 1e-10 * wide.inertia, "and leaves the inertia (%.12g, %.12g)", other.inertia,
		wide.inertia);
	hs_kmeans_release(&other);

	/* scale and a power of two are nothing to it; a tiny unit as of pA currents either */
	const double unit = 1e-21;
	for (size_t i = 0; i < n * p; i++)
		narrow[i] = (float)(x[i] * unit);
	cluster(narrow, HS_ROW_F32, n, p, &opt, &other);
	tap_ok(same_partition(wide.label, other.label, n), "the unit of the values does not matter");
	hs_kmeans_release(&other);

	for (int threads = 2; threads <= 8; threads += threads == 2 ? 1 : 5) {
		hs_par_set_threads(1);
		hs_kmeans_release(&single);
		cluster(x, HS_ROW_F64, n, p, &opt, &single);
		hs_par_set_threads(threads);
		cluster(x, HS_ROW_F64, n, p, &opt, &other);
		tap_ok(!memcmp(single.label, other.label, n * sizeof *other.label) &&
				!memcmp(single.centroid, other.centroid, 4 * p * sizeof *other.centroid) &&
				!memcmp(single.spread, other.spread, 4 * p * sizeof *other.spread) &&
				single.inertia == other.inertia && single.n_iter == other.n_iter &&
				!memcmp(single.trace, other.trace, other.n_iter * sizeof *other.trace),
			"%d threads: the same bytes as with one", threads);
		hs_kmeans_release(&other);
	}
	hs_par_set_threads(0);
	hs_kmeans_release(&wide);
	hs_kmeans_release(&single);
	free(truth);
	free(x);
	free(narrow);
	free(turned);
	free(back);
}

/* The textbook: Lloyd in plain loops from given centres. */
static size_t textbook(const double *x, size_t n, size_t p, size_t k, double *centre, int32_t *label)
{
	double *sum = malloc(k * p * sizeof *sum);
	size_t *count = malloc(k * sizeof *count), iter = 0, moved = 1;
	for (size_t i = 0; i < n; i++)
		label[i] = -1;
	for (; moved; iter++) {
		moved = 0;
		memset(sum, 0, k * p * sizeof *sum);
		memset(count, 0, k * sizeof *count);
		for (size_t i = 0; i < n; i++) {
			int32_t best = 0;
			for (size_t c = 1; c < k; c++)
				if (distance2(x + i * p, centre + c * p, p) < distance2(x + i * p, centre + (size_t)best * p, p))
					best = (int32_t)c;
			moved += label[i] != best;
			label[i] = best;
			count[best]++;
			for (size_t j = 0; j < p; j++)
				sum[(size_t)best * p + j] += x[i * p + j];
		}
		for (size_t c = 0; c < k; c++)
			for (size_t j = 0; count[c] && j < p; j++)
				centre[c * p + j] = sum[c * p + j] / (double)count[c];
	}
	free(sum);
	free(count);
	return iter;
}

static void test_textbook(void)
{
	const size_t n = 20000, p = 9, k = 6;
	double *x = blobs(n, p, 3, 1.5, 5, 21, NULL), *centre = malloc(k * p * sizeof *centre);
	int32_t *label = malloc(n * sizeof *label);
	memcpy(centre, x, k * p * sizeof *centre);
	struct hs_kmeans_options opt = hs_kmeans_defaults(k);
	opt.start = x;
	opt.tol = 0;
	opt.max_iter = 2000;
	struct hs_kmeans r;
	cluster(x, HS_ROW_F64, n, p, &opt, &r);
	const size_t iter = textbook(x, n, p, k, centre, label);
	tap_ok(same_partition(label, r.label, n), "from the same centres: the labels of plain Lloyd");
	tap_ok(iter == r.n_iter, "after as many passes (%zu, %zu)", iter, r.n_iter);
	hs_kmeans_release(&r);
	opt.max_iter = 3;
	cluster(x, HS_ROW_F64, n, p, &opt, &r);
	tap_ok(r.status == HS_KMEANS_MAXITER && r.n_iter == 3, "max_iter is kept and said");
	hs_kmeans_release(&r);
	free(x);
	free(centre);
	free(label);
}

static bool stop_now(void *ctx)
{
	++*(size_t *)ctx;
	return true;
}

static void test_edges(void)
{
	const size_t p = 3;
	struct hs_kmeans_options opt = hs_kmeans_defaults(4);
	struct hs_kmeans r;
	struct hs_err err = { 0 };

	double one[] = { 1, 2, 3 };
	tap_ok(cluster(one, HS_ROW_F64, 1, p, &opt, &r) == 0 && r.k == 1 && r.label[0] == 0 && r.inertia == 0 && r.size[0] == 1 &&
			!memcmp(r.centroid, one, sizeof one), "one row: one cluster, that row");
	hs_kmeans_release(&r);

	double same[30 * 3];
	for (size_t i = 0; i < 90; i++)
		same[i] = (double)(i % 3) + 0.1;
	tap_ok(cluster(same, HS_ROW_F64, 30, p, &opt, &r) == 0 && r.k == 1 && r.size[0] == 30 && r.inertia < 1e-25 &&
			r.status == HS_KMEANS_CONVERGED, "all rows equal: one cluster");
	hs_kmeans_release(&r);

	for (size_t i = 0; i < 90; i++)
		same[i] = 1e6 + (double)(i / 3 % 3);
	tap_ok(cluster(same, HS_ROW_F64, 30, p, &opt, &r) == 0 && r.k == 3 && r.size[0] == 10 && r.size[2] == 10 &&
			r.inertia < 1e-12,
		"three distinct rows, four wanted: three clusters");
	hs_kmeans_release(&r);

	for (size_t i = 0; i < 90; i++)
		same[i] = (0.1 + (double)(i % 3)) * (1 + 0.37 * (double)(i / 3));
	opt.spherical = true;
	tap_ok(cluster(same, HS_ROW_F64, 30, p, &opt, &r) == 0 && r.k == 1 && r.inertia < 1e-25,
		"proportional rows are one spherical cluster");
	hs_kmeans_release(&r);
	opt.spherical = false;

	for (size_t i = 0; i < 90; i++)
		same[i] = NAN;
	tap_ok(cluster(same, HS_ROW_F64, 30, p, &opt, &r) == 0 && r.k == 0 && r.n_used == 0 && r.label[7] == -1,
		"no usable row: no cluster");
	hs_kmeans_release(&r);

	double *x = blobs(500, p, 3, 8, 0, 5, NULL);
	x[17 * p] = NAN;
	x[499 * p + 2] = INFINITY;
	opt.k = 3;
	tap_ok(cluster(x, HS_ROW_F64, 500, p, &opt, &r) == 0 && r.label[17] == -1 && r.label[499] == -1 && r.n_used == 498 &&
			r.k == 3,
		"rows that are not finite have label -1");
	hs_kmeans_release(&r);

	opt.k = 1;
	tap_ok(cluster(x, HS_ROW_F64, 500, p, &opt, &r) == 0 && r.k == 1 && r.size[0] == 498 &&
			fabs(r.inertia - r.total) < 1e-9 * r.total,
		"k = 1: inertia is the total");
	hs_kmeans_release(&r);

	/* centres given so that one of them is far from everything: it must not stay empty */
	opt.k = 3;
	opt.tol = 0;
	double start[] = { 0, 0, 0, 1, 1, 1, 1e4, 1e4, 1e4 };
	opt.start = start;
	tap_ok(cluster(x, HS_ROW_F64, 500, p, &opt, &r) == 0 && r.k == 3 && r.size[2] > 0, "an empty cluster finds members");
	check_result("after an empty cluster", x, &r);
	hs_kmeans_release(&r);
	opt.start = NULL;

	size_t asked = 0;
	opt.stop = stop_now;
	opt.stop_ctx = &asked;
	tap_ok(cluster(x, HS_ROW_F64, 500, p, &opt, &r) == 0 && r.status == HS_KMEANS_STOPPED && r.n_iter == 1 && asked == 1 &&
			r.k == 3 && r.label[0] >= 0,
		"stopped after the first pass: a result, and it says so");
	hs_kmeans_release(&r);
	opt.stop = NULL;

	opt.k = 0;
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, 500, p, NULL, &err);
	tap_ok(hs_kmeans(rows, &opt, &r, &err) < 0 && err.status == HS_USAGE && !r.label, "no clusters wanted: refused");
	err = (struct hs_err){ 0 };
	int32_t wrong[500] = { [3] = 7 };
	double mean[9], spread[9];
	size_t size[3];
	tap_ok(hs_cluster_means(rows, wrong, 3, mean, spread, size, &err) < 0 && err.status == HS_BUG,
		"a label out of range is caught");
	hs_array_rows_free(rows);

	/* many more clusters than the stacked seeds and bounds like, some rows twice */
	err = (struct hs_err){ 0 };
	opt = hs_kmeans_defaults(60);
	opt.tol = 0;
	opt.restarts = 3;
	for (size_t i = 0; i < 100; i++)
		memcpy(x + (200 + i) * p, x + (300 + i) * p, p * sizeof *x);
	tap_ok(cluster(x, HS_ROW_F64, 500, p, &opt, &r) == 0 && r.k == 60, "sixty clusters of 498 rows");
	check_result("sixty clusters", x, &r);
	hs_kmeans_release(&r);

	for (size_t i = 0; i < 30 * p; i++)
		x[i] = (i % 2 ? 1 : -1) * 1e200;
	tap_ok(cluster(x, HS_ROW_F64, 500, p, &opt, &r) < 0, "values whose squares overflow are refused");
	free(x);
}

static void test_spherical(void)
{
	const size_t n = 20000, p = 40, k = 3;
	int32_t *truth = malloc(n * sizeof *truth);
	double *x = malloc(n * p * sizeof *x);
	for (size_t i = 0; i < n; i++) { /* three peaks on a background, intensities over three decades */
		struct hs_rng rng;
		hs_rng_init(&rng, 77, HS_STREAM_TEST, i);
		truth[i] = (int32_t)hs_rng_below(&rng, k);
		const double intensity = pow(10, 3 * hs_rng_uniform(&rng));
		for (size_t j = 0; j < p; j++) {
			const double d = ((double)j - 10.0 * (truth[i] + 1)) / 3;
			x[i * p + j] = intensity * (1 + exp(-d * d) + 0.05 * hs_rng_normal(&rng));
		}
	}
	memset(x + 5 * p, 0, p * sizeof *x);
	truth[5] = -1;
	struct hs_kmeans_options opt = hs_kmeans_defaults(k);
	opt.spherical = true;
	opt.tol = 0;
	struct hs_kmeans r;
	tap_ok(cluster(x, HS_ROW_F64, n, p, &opt, &r) == 0 && r.label[5] == -1 && r.n_used == n - 1,
		"spherical: a row of zeros has label -1");
	tap_ok(same_partition(truth, r.label, n), "spherical: the shape decides, not the intensity");
	double *sum = calloc(k * p, sizeof *sum), *unit = calloc(k * p, sizeof *unit), worst = 0, loss = 0, direction = 0;
	size_t stray = 0;
	for (size_t i = 0; i < n; i++) {
		if (r.label[i] < 0)
			continue;
		const size_t c = (size_t)r.label[i];
		double norm = 0, cosine[3] = { 0 };
		for (size_t j = 0; j < p; j++)
			norm += x[i * p + j] * x[i * p + j];
		norm = sqrt(norm);
		for (size_t j = 0; j < p; j++) {
			sum[c * p + j] += x[i * p + j];
			unit[c * p + j] += x[i * p + j] / norm;
			for (size_t q = 0; q < k; q++)
				cosine[q] += x[i * p + j] / norm * r.centroid[q * p + j];
		}
		loss += 2 * (1 - cosine[c]);
		for (size_t q = 0; q < k; q++)
			stray += cosine[q] > cosine[c] + 1e-14;
	}
	for (size_t c = 0; c < k; c++) {
		double norm = 0;
		for (size_t j = 0; j < p; j++)
			norm += unit[c * p + j] * unit[c * p + j];
		for (size_t j = 0; j < p; j++) {
			const double mean = sum[c * p + j] / (double)r.size[c];
			worst = fmax(worst, fabs(r.mean[c * p + j] - mean) / mean);
			direction = fmax(direction, fabs(r.centroid[c * p + j] - unit[c * p + j] / sqrt(norm)));
		}
	}
	bool rising = false;
	for (size_t t = 1; t < r.n_iter; t++)
		rising |= r.trace[t] > r.trace[t - 1] + 1e-13 * r.total;
	tap_ok(worst < 1e-12, "spherical: mean is that of the spectra as measured (%.1e)", worst);
	tap_ok(direction < 1e-12, "spherical: centroid is the direction of the summed unit rows (%.1e)", direction);
	tap_ok(fabs(loss - r.inertia) < 1e-9 * loss, "spherical: inertia %.12g is 2 sum (1 - cos), %.12g", r.inertia, loss);
	tap_ok(stray == 0 && !rising, "spherical: no row has a larger cosine elsewhere, inertia never rises");
	tap_ok(fabs(r.trace[r.n_iter - 1] - r.inertia) < 1e-9 * r.inertia, "spherical: the trace ends at the inertia");

	int32_t *again = malloc(n * sizeof *again);
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	hs_nearest_centroid(rows, r.centroid, r.k, true, again, &err);
	tap_ok(memcmp(again, r.label, n * sizeof *again) == 0, "the nearest centroids give the labels back");
	hs_array_rows_free(rows);
	hs_kmeans_release(&r);
	free(sum);
	free(unit);
	free(x);
	free(truth);
	free(again);
}

static int oracle(int argc, char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), p = strtoul(argv[3], NULL, 10);
	struct hs_kmeans_options opt = hs_kmeans_defaults(strtoul(argv[4], NULL, 10));
	opt.spherical = atoi(argv[5]);
	opt.seed = strtoull(argv[6], NULL, 10);
	opt.restarts = strtoul(argv[7], NULL, 10);
	const bool narrow = argc > 8 && strcmp(argv[8], "f32") == 0;
	if (argc > 9)
		hs_par_set_threads(atoi(argv[9]));
	double *x = malloc(n * p * sizeof *x), *start = NULL;
	FILE *f = fopen(argv[1], "rb");
	if (!x || !f || fread(x, p * sizeof *x, n, f) != n)
		return 3;
	fclose(f);
	if (argc > 10) {
		start = malloc(opt.k * p * sizeof *start);
		f = fopen(argv[10], "rb");
		if (!start || !f || fread(start, p * sizeof *start, opt.k, f) != opt.k)
			return 3;
		fclose(f);
		opt.start = start;
		opt.tol = 0;
	}
	float *y = (float *)(void *)x;
	for (size_t i = 0; narrow && i < n * p; i++) {
		double value;
		memcpy(&value, x + i, sizeof value);
		const float rounded = (float)value;
		memcpy(y + i, &rounded, sizeof rounded);
	}
	struct hs_kmeans r;
	const double t0 = hs_clock_s();
	if (cluster(x, narrow ? HS_ROW_F32 : HS_ROW_F64, n, p, &opt, &r) < 0)
		return 1;
	fprintf(stderr, "%.4f s, %zu passes, %zu optima\n", hs_clock_s() - t0, r.n_iter, r.n_optima);
	printf("%.17g %zu %zu\n", r.inertia, r.k, r.n_iter);
	for (size_t i = 0; i < n; i++)
		printf("%d\n", r.label[i]);
	for (size_t i = 0; i < r.k * p; i++)
		printf("%a\n", r.centroid[i]);
	hs_kmeans_release(&r);
	free(start);
	free(x);
	return 0;
}

/* Structureless rows, so that restarts end apart, four blocks at a time: as a file would be read. */
struct noise {
	struct hs_rowsource rows;
	size_t done;
	void *x;
	uint8_t *skip;
};

static int noise_rewind(struct hs_rowsource *rows, struct hs_err *err)
{
	(void)err;
	((struct noise *)rows)->done = 0;
	return 0;
}

static int noise_next(struct hs_rowsource *rows, struct hs_batch *batch, struct hs_err *err)
{
	(void)err;
	struct noise *s = (struct noise *)rows;
	const size_t left = rows->n_rows - s->done, most = 4 * rows->block_rows, n = left < most ? left : most;
	uint64_t state = s->done + 1;
	for (size_t i = 0; i < n * rows->n_chan; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		const double v = (double)(state >> 40);
		if (rows->type == HS_ROW_F64)
			((double *)s->x)[i] = v;
		else
			((float *)s->x)[i] = (float)v;
	}
	*batch = (struct hs_batch){ .first_block = s->done / rows->block_rows, .first_row = s->done, .n_rows = n,
		.n_blocks = (n + rows->block_rows - 1) / rows->block_rows, .x = s->x, .skip = s->skip };
	s->done += n;
	return 0;
}

static long status_kb(const char *word)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && kb < 0 && fgets(line, sizeof line, f))
		if (strncmp(line, word, strlen(word)) == 0)
			kb = strtol(line + strlen(word), NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

static int peak(char **argv)
{
	const size_t n = strtoul(argv[3], NULL, 10), p = strtoul(argv[4], NULL, 10);
	struct hs_kmeans_options opt = hs_kmeans_defaults(strtoul(argv[5], NULL, 10));
	opt.restarts = strtoul(argv[6], NULL, 10);
	opt.max_iter = 3;
	opt.spherical = true;
	const enum hs_row_type type = strcmp(argv[2], "f32") ? HS_ROW_F64 : HS_ROW_F32;
	struct noise s = { .rows = { n, p, hs_block_rows(p), type, noise_rewind, noise_next } };
	s.x = calloc(4 * s.rows.block_rows * p, sizeof(double));
	s.skip = calloc(4 * s.rows.block_rows, 1);
	if (!s.x || !s.skip)
		return 4;
	long before = 0;
	for (int round = 0; round < 2; round++) {     /* the first wakes threads and BLAS, whose memory is not ours to count */
		struct hs_err err = { 0 };
		struct hs_kmeans r = { 0 };
		struct hs_k_table table = { 0 };
		struct hs_batch batch;
		s.rows.n_rows = round ? n : 64;
		noise_rewind(&s.rows, &err);
		noise_next(&s.rows, &batch, &err);
		malloc_trim(0);
		before = status_kb("VmRSS:");
		if ((atoi(argv[7]) ? hs_choose_k(&s.rows, 2, opt.k, &opt, &table, &err) : hs_kmeans(&s.rows, &opt, &r, &err)) < 0)
			return 1;
		hs_kmeans_release(&r);
		hs_k_table_release(&table);
	}
	printf("%ld\n", (status_kb("VmHWM:") - before) * 1024);
	return 0;
}

/* hs_kmeans_bytes against what the system says of a process of its own. */
static void test_peaks(void)
{
	static const struct { const char *type; size_t n, p, k, restarts; int choose; } at[] = {
		{ "f64", 400000, 4, 5, 10, 0 }, { "f64", 20000, 512, 6, 10, 0 }, { "f32", 20000, 1024, 5, 10, 0 },
		{ "f64", 6000, 64, 200, 10, 0 }, { "f64", 3000, 700, 3, 4, 1 }, { "f32", 200, 3, 2, 1, 0 } };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	printf("# skip: %zu peaks of memory, which is the sanitizer's here\n", HS_LEN(at));
	return;
#endif
	char self[4096], line[4300];
	const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
	self[length > 0 ? length : 0] = '\0';
	for (size_t i = 0; i < HS_LEN(at); i++) {
		snprintf(line, sizeof line, "'%s' peak %s %zu %zu %zu %zu %d", self, at[i].type, at[i].n, at[i].p, at[i].k,
			at[i].restarts, at[i].choose);
		FILE *f = popen(line, "r");
		double used = -1;
		const bool read = f && fscanf(f, "%lf", &used) == 1, done = f && pclose(f) == 0;
		const double bound = (double)hs_kmeans_bytes(at[i].n, at[i].p, at[i].k, at[i].restarts, 0);
		tap_ok(read && done && used > 0 && used <= bound,
			"%zu x %zu %s, k = %zu, %zu restarts%s: %.1f MB used of %.1f allowed", at[i].n, at[i].p, at[i].type,
			at[i].k, at[i].restarts, at[i].choose ? ", k chosen" : "", used / 1e6, bound / 1e6);
		if (at[i].choose)     /* where every part of the bound is needed it is not far above */
			tap_ok(bound < 2.5 * used, "and the bound is near");
	}
}

static void test_bytes(void)
{
	const double stream = (double)hs_kmeans_bytes(1 << 20, 1024, 5, 10, 2);
	tap_ok(stream < 190e6, "a million spectra of 1024 channels, ten restarts: %.0f MB, below --memory 256M", stream / 1e6);
	const double many = (double)hs_kmeans_bytes(1000000, 6, 4096, 10, 8);
	tap_ok(many < 400e6, "4096 clusters of a million rows: %.0f MB, products stay small", many / 1e6);
	tap_ok(hs_kmeans_bytes(0, 0, 0, 0, 1) > 0, "nothing asked is no error");
	tap_ok(hs_kmeans_bytes(SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, 1) == (size_t)1 << 62, "no size wraps");
}

int main(int argc, char **argv)
{
	if (argc == 8 && strcmp(argv[1], "peak") == 0)
		return peak(argv);
	if (argc > 7)
		return oracle(argc, argv);
	test_truth();
	test_large();
	test_textbook();
	test_edges();
	test_spherical();
	test_peaks();
	test_bytes();
	return tap_done();
}
