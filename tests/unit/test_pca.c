/* Principal components against identities that hold exactly, and - with arguments - a driver for tests/oracle/pca.py:
 *   test_pca MATRIX.f64 N P K none|channel|both|poisson     prints n_eig and Minka's rank, the eigenvalues, then K loadings, one
 * a line */
#include "factor/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"
#include "factor/rank.h"
#include "tap.h"

/* The whole way: moments, components; ends the program when it fails. */
static struct hs_pca pca_of(struct hs_rowsource *rows, struct hs_moments_options options, size_t k)
{
	struct hs_err err = { 0 };
	struct hs_moments m;
	struct hs_pca pca;
	if (hs_moments_init(&m, rows, &options, &err) < 0 || hs_pca_init(&pca, &m, rows, k, &err) < 0) {
		fprintf(stderr, "test_pca: %s\n", err.text);
		exit(1);
	}
	hs_moments_release(&m);
	return pca;
}

static struct hs_rowsource *rows_of(const void *x, enum hs_row_type type, size_t n, size_t p, const uint8_t *skip)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, type, n, p, skip, &err);
	if (!rows)
		exit(1);
	return rows;
}

/* Collects what a pass delivers and checks that it comes in order. */
struct collect {
	float *out;
	size_t width, next;
	int in_order;
};

static int collect_put(void *ctx, size_t first_row, size_t n_rows, const float *values, struct hs_err *err)
{
	(void)err;
	struct collect *c = ctx;
	c->in_order &= first_row == c->next;
	c->next = first_row + n_rows;
	memcpy(c->out + first_row * c->width, values, n_rows * c->width * sizeof(float));
	return 0;
}

static float *run(const struct hs_pca *pca, struct hs_rowsource *rows, size_t k, int rebuild)
{
	struct hs_err err = { 0 };
	const size_t width = rebuild ? rows->n_chan : k;
	struct collect c = { .out = hs_must_alloc(rows->n_rows * width + 1, sizeof(float)), .width = width, .in_order = 1 };
	const int verdict = (rebuild ? hs_pca_rebuild : hs_pca_scores)(pca, rows, k, collect_put, &c, &err);
	tap_ok(verdict == 0 && c.in_order && c.next == rows->n_rows, "%s: every row, in order %s", rebuild ? "rebuild" : "scores",
		err.text);
	return c.out;
}

/* n x p from r spectra, noise, and a constant. */
static double *scene(size_t n, size_t p, size_t r, double noise, double offset)
{
	double *x = hs_must_alloc(n * p, sizeof *x), *s = hs_must_alloc(r * p + 1, sizeof *s);
	struct hs_rng rng;
	hs_rng_init(&rng, 11, HS_STREAM_SCENE, 0);
	for (size_t i = 0; i < r * p; i++)
		s[i] = hs_rng_uniform(&rng) * (double)(1 + i / p);
	for (size_t i = 0; i < n; i++) {
		hs_rng_init(&rng, 11, HS_STREAM_NOISE, i);
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = offset + noise * hs_rng_normal(&rng);
		for (size_t c = 0; c < r; c++) {
			const double a = hs_rng_exponential(&rng);
			for (size_t j = 0; j < p; j++)
				x[i * p + j] += a * s[c * p + j];
		}
	}
	free(s);
	return x;
}

static float *as_float(const double *x, size_t n)
{
	float *f = hs_must_alloc(n, sizeof *f);
	for (size_t i = 0; i < n; i++)
		f[i] = (float)x[i];
	return f;
}

static double worst_ratio(const struct hs_pca *a, const struct hs_pca *b, size_t k)
{
	double worst = 0;
	for (size_t i = 0; i < k; i++)
		worst = fmax(worst, fabs(a->eigenvalue[i] - b->eigenvalue[i]) / a->eigenvalue[0]);
	return worst;
}

static int driver(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), p = strtoul(argv[3], NULL, 10), k = strtoul(argv[4], NULL, 10);
	double *x = hs_must_alloc(n * p, sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(x, sizeof *x, n * p, f) != n * p) {
		fprintf(stderr, "test_pca: cannot read %zu x %zu values from '%s'\n", n, p, argv[1]);
		return 2;
	}
	fclose(f);
	const struct hs_moments_options options = { .poisson = !strcmp(argv[5], "poisson"),
		.exact = true,
		.centre = !strcmp(argv[5], "channel") ? HS_CENTRE_CHANNEL
			  : !strcmp(argv[5], "both")  ? HS_CENTRE_BOTH
						      : HS_CENTRE_NONE };
	struct hs_rowsource *rows = rows_of(x, HS_ROW_F64, n, p, NULL);
	struct hs_pca pca = pca_of(rows, options, k);
	printf("%zu %zu\n", pca.n_eig, hs_rank_minka(pca.eigenvalue, pca.n_eig, pca.n_used, p));
	for (size_t i = 0; i < pca.n_eig; i++)
		printf("%.17g%c", pca.eigenvalue[i], i + 1 < pca.n_eig ? ' ' : '\n');
	for (size_t i = 0; i < pca.n_comp; i++)
		for (size_t j = 0; j < p; j++)
			printf("%.17g%c", pca.loadings[i * p + j], j + 1 < p ? ' ' : '\n');
	hs_pca_release(&pca);
	hs_array_rows_free(rows);
	free(x);
	return 0;
}

static void identities(void)
{
	enum { N = 3000, P = 60, R = 5, K = 8 };
	double *x = scene(N, P, R, 0.05, 2);
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = rows_of(x, HS_ROW_F64, N, P, NULL);
	struct hs_pca pca = pca_of(rows, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL }, P);
	double worst = 1, trace = 0;
	tap_ok(hs_la_orthonormality(pca.basis, P, P, &worst, &err) == 0, "basis measured");
	tap_ok(worst < 1e-12, "loadings are orthonormal to 1e-12 (%.2g)", worst);
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < P; j++)
			trace += (x[i * P + j] - pca.frame.mean[j]) * (x[i * P + j] - pca.frame.mean[j]) / (N - 1);
	tap_ok(fabs(pca.total / trace - 1) < 1e-12, "eigenvalues add up to the variance (%.2g)", pca.total / trace - 1);
	int ordered = 1, positive = 1;
	double ratios = 0;
	for (size_t i = 0; i < P; i++) {
		ordered &= !i || pca.eigenvalue[i] <= pca.eigenvalue[i - 1];
		positive &= hs_la_sign(pca.loadings + i * P, P) > 0;
		ratios += hs_pca_ratio(&pca, i);
	}
	tap_ok(ordered && positive && fabs(ratios - 1) < 1e-12, "descending, signs fixed, ratios add up to 1");

	/* all components give back the data; k leave sum of the other eigenvalues (Eckart and Young) */
	float *whole = run(&pca, rows, P, 1), *part = run(&pca, rows, K, 1), *scores = run(&pca, rows, K, 0);
	double off = 0, left = 0, rest = 0;
	for (size_t i = 0; i < N * P; i++) {
		off = fmax(off, fabs((double)whole[i] - x[i]));
		left += pow((double)part[i] - x[i], 2) / (N - 1);
	}
	for (size_t i = K; i < P; i++)
		rest += pca.eigenvalue[i];
	tap_ok(off < 1e-5, "all components rebuild every value (%.2g)", off);
	tap_ok(fabs(left / rest - 1) < 1e-5, "%d leave what the other eigenvalues say (%.2g)", K, left / rest - 1);
	double cross = 0;
	for (size_t a = 0; a < K; a++)
		for (size_t b = a; b < K; b++) {
			double sum = 0;
			for (size_t i = 0; i < N; i++)
				sum += (double)scores[i * K + a] * (double)scores[i * K + b] / (N - 1);
			cross = fmax(cross, fabs(sum - (a == b ? pca.eigenvalue[a] : 0)) / pca.eigenvalue[0]);
		}
	tap_ok(cross < 1e-6, "scores are uncorrelated, with the eigenvalues for variances (%.2g)", cross);

	/* the same rows in another order, twice, and scaled */
	double *y = hs_must_alloc(2 * N * P, sizeof *y);
	for (size_t i = 0; i < 2 * N; i++)
		for (size_t j = 0; j < P; j++)
			y[i * P + j] = -3 * x[(i * 7 % N) * P + j];
	struct hs_rowsource *other = rows_of(y, HS_ROW_F64, 2 * N, P, NULL);
	struct hs_pca again = pca_of(other, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL }, K);
	for (size_t i = 0; i < P; i++)
		again.eigenvalue[i] *= (2.0 * N - 1) / (2.0 * N - 2) / 9;
	tap_ok(worst_ratio(&pca, &again, P) < 1e-12, "order, repetition and scale act as they must (%.2g)",
		worst_ratio(&pca, &again, P));
	free(y);
	free(whole);
	free(part);
	free(scores);
	hs_pca_release(&again);
	hs_pca_release(&pca);
	hs_array_rows_free(other);
	hs_array_rows_free(rows);
	free(x);
}

static void offsets(void)
{
	enum { N = 2000, P = 50, K = 4 };
	double *x = scene(N, P, K, 0.01, 0), *far = hs_must_alloc(N * P, sizeof *far);
	for (size_t i = 0; i < N * P; i++)
		far[i] = x[i] + 1e8;
	struct hs_rowsource *rows = rows_of(x, HS_ROW_F64, N, P, NULL), *far_rows = rows_of(far, HS_ROW_F64, N, P, NULL);
	struct hs_pca a = pca_of(rows, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL }, K),
		      b = pca_of(far_rows, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL }, K);
	double off = 0, largest = 0;
	for (size_t i = 0; i < P; i++)
		off = fmax(off, fabs(a.eigenvalue[i] - b.eigenvalue[i]) / a.eigenvalue[0]);
	tap_ok(off < 1e-6, "eigenvalues do not see an offset of 1e8 (%.2g)", off);
	float *sa = run(&a, rows, K, 0), *sb = run(&b, far_rows, K, 0);
	off = 0;
	for (size_t i = 0; i < N * K; i++) {
		off = fmax(off, fabs((double)(sa[i] - sb[i])));
		largest = fmax(largest, fabs((double)sa[i]));
	}
	tap_ok(off < 1e-6 * largest, "nor do scores (%.2g of the largest)", off / largest);
	free(sa);
	free(sb);
	hs_pca_release(&a);
	hs_pca_release(&b);
	hs_array_rows_free(rows);
	hs_array_rows_free(far_rows);
	free(x);
	free(far);
}

/* Both sides of the same problem: n x p and its n < p part, through masks that leave the same rows. */
static void two_sides(enum hs_centre centre, int poisson)
{
	enum { N = 90, P = 100, K = 6 };
	double *x = scene(N, P, 4, 0.02, 1), *tall = hs_must_alloc(2 * P * P, sizeof *tall);
	uint8_t *skip = hs_must_alloc(2 * P, 1);
	for (size_t i = 0; i < N * P; i++)
		x[i] = fabs(x[i]);
	memcpy(tall, x, N * P * sizeof *x);
	for (size_t i = N; i < 2 * P; i++)
		skip[i] = 1;
	const struct hs_moments_options options = { .centre = centre, .poisson = poisson };
	struct hs_rowsource *few = rows_of(x, HS_ROW_F64, N, P, NULL), *many = rows_of(tall, HS_ROW_F64, 2 * P, P, skip);
	struct hs_pca a = pca_of(few, options, K), b = pca_of(many, options, K);
	double off = 0, worst = 1;
	struct hs_err err = { 0 };
	for (size_t i = 0; i < K * P; i++)
		off = fmax(off, fabs(a.loadings[i] - b.loadings[i]));
	const double scale = poisson ? a.frame.root_sum[0] : 1;
	hs_la_orthonormality(a.basis, K, P, &worst, &err);
	tap_ok(worst_ratio(&a, &b, N) < 1e-13, "centre %d, poisson %d: row products have the same eigenvalues (%.2g)",
		(int)centre, poisson, worst_ratio(&a, &b, N));
	tap_ok(worst < 1e-12 && off < 1e-8 * scale, "and the same loadings (%.2g, orthonormal to %.2g)", off, worst);
	float *sa = run(&a, few, K, 0), *sb = run(&b, many, K, 0), *back = run(&a, few, K, 1);
	double differ = 0, rebuilt = 0, largest = 0;
	int gaps = 1;
	for (size_t i = 0; i < N * K; i++) {
		differ = fmax(differ, fabs((double)(sa[i] - sb[i])));
		largest = fmax(largest, fabs((double)sa[i]));
	}
	for (size_t i = N * K; i < 2 * P * K; i++)
		gaps &= isnan(sb[i]);
	for (size_t i = 0; i < N * P; i++)
		rebuilt = fmax(rebuilt, fabs((double)back[i] - x[i]));
	tap_ok(differ < 1e-5 * largest && gaps, "and the same scores; skipped rows are NaN (%.2g)", differ / largest);
	tap_ok(rebuilt < 0.15, "rank and noise allow for rebuilding within %.2g", rebuilt);
	free(sa);
	free(sb);
	free(back);
	hs_pca_release(&a);
	hs_pca_release(&b);
	hs_array_rows_free(few);
	hs_array_rows_free(many);
	free(x);
	free(tall);
	free(skip);
}

/* Counts with an empty channel and an empty row: scaled back, scores times loadings give the counts. */
static void poisson_units(void)
{
	enum { N = 400, P = 30, K = 3 };
	double *x = scene(N, P, K, 0, 0);
	for (size_t i = 0; i < N; i++)
		x[i * P + 5] = 0;
	for (size_t j = 0; j < P; j++)
		x[9 * P + j] = 0;
	struct hs_rowsource *rows = rows_of(x, HS_ROW_F64, N, P, NULL);
	struct hs_pca pca = pca_of(rows, (struct hs_moments_options){ .poisson = true }, K);
	float *scores = run(&pca, rows, K, 0), *back = run(&pca, rows, K, 1);
	double off = 0, off_back = 0;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < P; j++) {
			double sum = 0;
			for (size_t k = 0; k < K; k++)
				sum += (double)scores[i * K + k] * pca.loadings[k * P + j];
			off = fmax(off, fabs(sum - x[i * P + j]));
			off_back = fmax(off_back, fabs((double)back[i * P + j] - x[i * P + j]));
		}
	tap_ok(off < 1e-5 && off_back < 1e-5, "poisson: scores times loadings are the counts (%.2g, %.2g)", off, off_back);
	tap_ok(scores[9 * K] == 0 && pca.loadings[5] == 0, "poisson: an empty row scores 0, an empty channel loads 0");
	tap_ok(fabs(pca.eigenvalue[0] * N - 1) < 1e-12, "poisson: the first singular value is 1 (%.2g)",
		pca.eigenvalue[0] * N - 1);
	free(scores);
	free(back);
	hs_pca_release(&pca);
	hs_array_rows_free(rows);
	free(x);
}

static void one_order(enum hs_row_type type)
{
	enum { N = 20000, P = 70, K = 5 };
	double *x = scene(N, P, K, 0.1, 3);
	float *f = as_float(x, N * P), *first = NULL, *rebuilt = NULL;
	int same = 1;
	const int threads[] = { 1, 2, 3, 8 };
	for (size_t i = 0; i < HS_LEN(threads); i++) {
		hs_par_set_threads(threads[i]);
		struct hs_rowsource *rows = rows_of(type == HS_ROW_F32 ? (void *)f : (void *)x, type, N, P, NULL);
		struct hs_pca pca = pca_of(rows, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL }, K);
		float *scores = run(&pca, rows, K, 0), *back = run(&pca, rows, K, 1);
		if (i)
			same &= !memcmp(first, scores, N * K * sizeof *scores) && !memcmp(rebuilt, back, N * P * sizeof *back);
		if (i) {
			free(scores);
			free(back);
		} else {
			first = scores;
			rebuilt = back;
		}
		hs_pca_release(&pca);
		hs_array_rows_free(rows);
	}
	tap_ok(same, "%s: scores and rebuilt values have the same bits with 1, 2, 3 and 8 threads",
		type == HS_ROW_F32 ? "float32" : "float64");
	free(first);
	free(rebuilt);
	free(f);
	free(x);
	hs_par_set_threads(2);
}

static int refuse_put(void *ctx, size_t first_row, size_t n_rows, const float *values, struct hs_err *err)
{
	(void)ctx, (void)first_row, (void)n_rows, (void)values;
	return hs_fail(err, HS_SYSTEM, "disk full");
}

static void corners(void)
{
	enum { N = 30, P = 8 };
	double *x = hs_must_alloc(N * P, sizeof *x), worst = 1;
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = rows_of(x, HS_ROW_F64, N, P, NULL);
	struct hs_pca pca = pca_of(rows, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL }, 20);
	hs_la_orthonormality(pca.basis, pca.n_comp, P, &worst, &err);
	tap_ok(pca.n_comp == P && pca.total == 0 && worst < 1e-12 && hs_pca_ratio(&pca, 0) == 0,
		"all zero, more components than there are: "
		"%zu, orthonormal",
		pca.n_comp);
	float *mean = run(&pca, rows, 0, 1);
	tap_ok(mean[0] == 0 && mean[N * P - 1] == 0, "no components rebuild the mean");
	tap_ok(hs_pca_scores(&pca, rows, 9, collect_put, NULL, &err) == -1 && err.status == HS_USAGE, "refused: %s", err.text);
	err = (struct hs_err){ 0 };
	tap_ok(hs_pca_scores(&pca, rows, 2, refuse_put, NULL, &err) == -1 && err.status == HS_SYSTEM,
		"a put that fails ends the pass");
	struct hs_rowsource *narrow = rows_of(x, HS_ROW_F64, N, P - 1, NULL);
	err = (struct hs_err){ 0 };
	tap_ok(hs_pca_scores(&pca, narrow, 2, refuse_put, NULL, &err) == -1 && err.status == HS_BAD_DATA, "refused: %s",
		err.text);
	hs_array_rows_free(narrow);
	hs_pca_release(&pca);
	hs_array_rows_free(rows);
	free(mean);

	/* one row, one channel, few identical rows */
	const struct { size_t n, p; } shapes[] = { { 1, 1 }, { 1, P }, { N, 1 }, { 3, P } };
	for (size_t s = 0; s < HS_LEN(shapes); s++) {
		for (size_t i = 0; i < N * P; i++)
			x[i] = 7;
		rows = rows_of(x, HS_ROW_F64, shapes[s].n, shapes[s].p, NULL);
		pca = pca_of(rows, (struct hs_moments_options){ .centre = HS_CENTRE_BOTH }, 2);
		float *scores = run(&pca, rows, pca.n_comp, 0), *back = run(&pca, rows, pca.n_comp, 1);
		hs_la_orthonormality(pca.basis, pca.n_comp, pca.n_chan, &worst, &err);
		tap_ok(pca.total == 0 && scores[0] == 0 && back[0] == 7 && worst < 1e-12,
			"%zu x %zu, all equal: no variance, rebuilt exactly", shapes[s].n, shapes[s].p);
		free(scores);
		free(back);
		hs_pca_release(&pca);
		hs_array_rows_free(rows);
	}
	free(x);
}

int main(int argc, char **argv)
{
	hs_par_set_threads(2);
	if (argc == 6)
		return driver(argv);
	identities();
	offsets();
	two_sides(HS_CENTRE_NONE, 0);
	two_sides(HS_CENTRE_CHANNEL, 0);
	two_sides(HS_CENTRE_BOTH, 0);
	two_sides(HS_CENTRE_NONE, 1);
	poisson_units();
	one_order(HS_ROW_F32);
	one_order(HS_ROW_F64);
	corners();
	return tap_done();
}
