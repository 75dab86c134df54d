/* The ways to principal components against one another and against identities; and - with arguments - a driver for
 * tests/oracle/pca.py:
 *   test_decompose MATRIX.f64 N P K none|channel|both|poisson exact|random|sketch|tsqr|update
 * (update: K components of the first half of the rows, and the others on top of them)
 * prints n_eig and the whole variance, the eigenvalues, K loadings, one a line, then the scores, K a line. */
#include "factor/decompose.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"
#include "tap.h"

static const char *const method_name[] = { "auto", "exact", "random", "sketch", "tsqr" };

static struct hs_rowsource *rows_of(const void *x, enum hs_row_type type, size_t n, size_t p)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, type, n, p, NULL, &err);
	if (!rows)
		exit(1);
	return rows;
}

static struct hs_pca find(const void *x, enum hs_row_type type, size_t n, size_t p, struct hs_pca_how how)
{
	struct hs_err err = { 0 };
	struct hs_pca pca;
	struct hs_rowsource *rows = rows_of(x, type, n, p);
	if (hs_pca_find(&pca, rows, &how, &err) < 0) {
		fprintf(stderr, "test_decompose: %s\n", err.text);
		exit(1);
	}
	hs_array_rows_free(rows);
	return pca;
}

struct collect {
	float *out;
	size_t width, next;
	bool in_order;
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

static float *second(const struct hs_pca *pca, const void *x, size_t n, size_t k, bool rebuild)
{
	struct hs_err err = { 0 };
	const size_t p = pca->n_chan, width = rebuild ? p : k;
	struct collect c = { .out = hs_must_alloc(n * width + 1, sizeof(float)), .width = width, .in_order = true };
	struct hs_rowsource *rows = rows_of(x, HS_ROW_F64, n, p);
	const int verdict = (rebuild ? hs_pca_rebuild : hs_pca_scores)(pca, rows, k, collect_put, &c, &err);
	if (verdict < 0 || !c.in_order || c.next != n)
		tap_ok(false, "%s: every row, in order %s", rebuild ? "rebuild" : "scores", err.text);
	hs_array_rows_free(rows);
	return c.out;
}

static enum hs_centre centre_named(const char *name)
{
	return !strcmp(name, "channel") ? HS_CENTRE_CHANNEL : !strcmp(name, "both") ? HS_CENTRE_BOTH : HS_CENTRE_NONE;
}

/* The components of `half` rows, k of them, then of all n on top of these. */
static struct hs_pca in_two_steps(const double *x, size_t n, size_t p, size_t half, size_t k, struct hs_moments_options o)
{
	struct hs_err err = { 0 };
	const struct hs_pca_how how = { HS_PCA_TSQR, o, k, 1, true };
	struct hs_pca first = find(x, HS_ROW_F64, half, p, how), both;
	double *f = hs_must_alloc(first.n_comp * p, sizeof *f), kept = 0;
	const double divisor = (double)half - (o.centre != HS_CENTRE_NONE);
	for (size_t c = 0; c < first.n_comp; c++) {
		kept += first.eigenvalue[c];
		for (size_t j = 0; j < p; j++)
			f[c * p + j] = sqrt(first.eigenvalue[c] * divisor) * first.basis[c * p + j];
	}
	struct hs_rowsource *rows = rows_of(x + half * p, HS_ROW_F64, n - half, p);
	if (hs_pca_update(&both, rows, &how, &(struct hs_tsqr_earlier){ half, first.n_comp, first.frame.mean, f,
		(first.total - kept) * divisor }, &err) < 0) {
		fprintf(stderr, "test_decompose: %s\n", err.text);
		exit(1);
	}
	hs_array_rows_free(rows);
	hs_pca_release(&first);
	free(f);
	return both;
}

static int driver(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), p = strtoul(argv[3], NULL, 10), k = strtoul(argv[4], NULL, 10);
	double *x = hs_must_alloc(n * p, sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(x, sizeof *x, n * p, f) != n * p) {
		fprintf(stderr, "test_decompose: cannot read %zu x %zu values from '%s'\n", n, p, argv[1]);
		return 2;
	}
	fclose(f);
	struct hs_pca_how how = { .n_comp = k, .seed = 1, .options = { .poisson = !strcmp(argv[5], "poisson"), .exact = true,
		.centre = centre_named(argv[5]) } };
	for (size_t m = 0; m < HS_LEN(method_name); m++)
		if (!strcmp(argv[6], method_name[m]))
			how.method = (enum hs_pca_method)m;
	struct hs_pca pca = strcmp(argv[6], "update") ? find(x, HS_ROW_F64, n, p, how) : in_two_steps(x, n, p, n / 2, k, how.options);
	float *score = second(&pca, x, n, pca.n_comp, false);
	printf("%zu %.17g\n", pca.n_eig, pca.total);
	for (size_t i = 0; i < pca.n_eig; i++)
		printf("%.17g%c", pca.eigenvalue[i], i + 1 < pca.n_eig ? ' ' : '\n');
	for (size_t i = 0; i < pca.n_comp; i++)
		for (size_t j = 0; j < p; j++)
			printf("%.17g%c", pca.loadings[i * p + j], j + 1 < p ? ' ' : '\n');
	for (size_t i = 0; i < n * pca.n_comp; i++)
		printf("%.9g%c", (double)score[i], (i + 1) % pca.n_comp ? ' ' : '\n');
	free(score);
	hs_pca_release(&pca);
	free(x);
	return 0;
}

/* n x p: r spectra that overlap, amplitude falling by `step` from one to the next, noise, a constant. */
static double *scene(size_t n, size_t p, size_t r, double step, double noise, double offset)
{
	double *x = hs_must_alloc(n * p, sizeof *x), *s = hs_must_alloc(r * p + 1, sizeof *s);
	struct hs_rng rng;
	hs_rng_init(&rng, 5, HS_STREAM_SCENE, 0);
	for (size_t i = 0; i < r * p; i++)
		s[i] = hs_rng_uniform(&rng) * pow(step, (double)(i / p));
	for (size_t i = 0; i < n; i++) {
		hs_rng_init(&rng, 5, HS_STREAM_NOISE, i);
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

/* Largest sine between the leading k directions of both. */
static double apart(const double *a, const double *b, size_t k, size_t p)
{
	double worst = 0;
	for (size_t c = 0; c < k; c++) {
		double left = 0;
		double *rest = hs_must_alloc(p, sizeof *rest);
		memcpy(rest, a + c * p, p * sizeof *rest);
		for (size_t i = 0; i < k; i++) {
			double dot = 0;
			for (size_t j = 0; j < p; j++)
				dot += a[c * p + j] * b[i * p + j];
			for (size_t j = 0; j < p; j++)
				rest[j] -= dot * b[i * p + j];
		}
		for (size_t j = 0; j < p; j++)
			left += rest[j] * rest[j];
		worst = fmax(worst, sqrt(left));
		free(rest);
	}
	return worst;
}

/* Every method on the same scene, against the products. bound: of eigenvalues; angle: of the leading r directions. */
static void agree(const char *name, const double *x, size_t n, size_t p, size_t r, struct hs_moments_options o)
{
	static const double bound[] = { 0, 0, 2e-9, 0.03, 1e-10 }, angle[] = { 0, 0, 1e-6, 0.06, 1e-9 };
	struct hs_pca exact = find(x, HS_ROW_F64, n, p, (struct hs_pca_how){ HS_PCA_EXACT, o, r + 2, 1, true });
	for (enum hs_pca_method m = HS_PCA_RANDOM; m <= HS_PCA_TSQR; m++) {
		struct hs_pca pca = find(x, HS_ROW_F64, n, p, (struct hs_pca_how){ m, o, r + 2, 1, true });
		double worst = 0;
		for (size_t i = 0; i < r; i++)
			worst = fmax(worst, fabs(pca.eigenvalue[i] / exact.eigenvalue[i] - 1));
		tap_ok(worst < bound[m], "%s, %s: eigenvalues to %.1g (%.2g)", name, method_name[m], bound[m], worst);
		tap_ok(fabs(pca.total / exact.total - 1) < 1e-10, "%s, %s: the whole variance (%.2g)", name, method_name[m],
			pca.total / exact.total - 1);
		tap_ok(apart(pca.basis, exact.basis, r, p) < angle[m], "%s, %s: span to %.1g (%.2g)", name, method_name[m], angle[m],
			apart(pca.basis, exact.basis, r, p));
		tap_ok(pca.n_rows_free == exact.n_rows_free && pca.n_chan_free == exact.n_chan_free && pca.n_used == exact.n_used,
			"%s, %s: the same counts", name, method_name[m]);
		double off = 0;
		for (size_t j = 0; j < p; j++)
			off = fmax(off, fabs(pca.frame.mean[j] - exact.frame.mean[j]) / (1e-300 + fabs(exact.frame.mean[j])));
		tap_ok(off < 1e-12, "%s, %s: the same mean (%.2g)", name, method_name[m], off);
		/* what the model leaves of the data, against what the best one leaves */
		float *model = second(&pca, x, n, r, true), *best = second(&exact, x, n, r, true);
		double left = 0, least = 0;
		for (size_t i = 0; i < n * p; i++) {
			left += pow((double)model[i] - x[i], 2);
			least += pow((double)best[i] - x[i], 2);
		}
		tap_ok(sqrt(left / least) < (m == HS_PCA_SKETCH ? 1.1 : 1.001), "%s, %s: rebuilt within %.2g of the best", name,
			method_name[m], sqrt(left / least) - 1);
		free(model);
		free(best);
		hs_pca_release(&pca);
	}
	hs_pca_release(&exact);
}

static void same_for_any_threads(void)
{
	enum { N = 9000, P = 300, K = 6 };
	double *x = scene(N, P, 4, 0.5, 0.05, 3);
	float *narrow = hs_must_alloc(N * P, sizeof *narrow);
	for (size_t i = 0; i < N * P; i++)
		narrow[i] = (float)x[i];
	narrow[7 * P + 3] = NAN;
	for (enum hs_pca_method m = HS_PCA_EXACT; m <= HS_PCA_TSQR; m++)
		for (int poisson = 0; poisson < 2; poisson++) {
			struct hs_pca one = { 0 };
			bool same = true;
			for (int threads = 1; threads <= 8; threads += threads < 3 ? 1 : 5) {
				hs_par_set_threads(threads);
				struct hs_pca pca = find(narrow, HS_ROW_F32, N, P, (struct hs_pca_how){ m, { .poisson = poisson,
					.centre = poisson ? HS_CENTRE_NONE : HS_CENTRE_BOTH }, K, 1, true });
				if (threads == 1) {
					one = pca;
					continue;
				}
				same &= !memcmp(one.eigenvalue, pca.eigenvalue, one.n_eig * sizeof(double)) &&
					!memcmp(one.basis, pca.basis, K * P * sizeof(double)) && one.total == pca.total &&
					(!one.score || !memcmp(one.score + 8 * K, pca.score + 8 * K, (N - 8) * K * sizeof(double)));
				hs_pca_release(&pca);
			}
			tap_ok(same && one.n_used == N - 1, "%s%s: the same bits for 1, 2, 3 and 8 threads", method_name[m],
				poisson ? ", Poisson" : "");
			hs_pca_release(&one);
		}
	hs_par_set_threads(2);
	free(narrow);
	free(x);
}

/* Amplitudes over fourteen orders of magnitude: the products see half of them, the triangular factor all. */
static void range(void)
{
	enum { N = 600, P = 40, R = 15 };
	double *x = hs_must_alloc(N * P, sizeof *x), *u = hs_must_alloc(R * N, sizeof *u), *v = hs_must_alloc(R * P, sizeof *v);
	struct hs_rng rng;
	for (size_t i = 0; i < R; i++) {
		hs_rng_init(&rng, 3, HS_STREAM_TEST, i);
		for (size_t j = 0; j < N; j++)
			u[i * N + j] = hs_rng_normal(&rng);
		for (size_t j = 0; j < P; j++)
			v[i * P + j] = hs_rng_normal(&rng);
	}
	hs_la_orthonormalise(u, R, N);
	hs_la_orthonormalise(v, R, P);
	/* each amplitude in rows and channels of its own, so that the large do not round the small away */
	for (size_t i = 0; i < R; i++)
		for (size_t a = 0; a < N; a++)
			for (size_t b = 0; b < P; b++)
				if ((a % R == i) && (b % R == i))
					x[a * P + b] += pow(10, -(double)i) * (1 + 0.1 * u[i * N + a] + 0.1 * v[i * P + b]);
	double worst[2] = { 0 }, want[R];
	for (size_t i = 0; i < R; i++) {          /* nearly rank one each */
		double sum = 0;
		for (size_t a = i; a < N; a += R)
			for (size_t b = i; b < P; b += R)
				sum += x[a * P + b] * x[a * P + b];
		want[i] = sum / N;
	}
	for (int m = 0; m < 2; m++) {
		struct hs_pca pca = find(x, HS_ROW_F64, N, P, (struct hs_pca_how){ m ? HS_PCA_TSQR : HS_PCA_EXACT, { 0 }, R, 1, true });
		for (size_t i = 0; i < R; i++) {
			double nearest = INFINITY;
			for (size_t e = 0; e < pca.n_eig; e++)
				nearest = fmin(nearest, fabs(pca.eigenvalue[e] / want[i] - 1));
			worst[m] = fmax(worst[m], nearest);
		}
		hs_pca_release(&pca);
	}
	tap_ok(worst[1] < 0.01 && worst[0] > 0.5, "variances from 1 to 1e-28: found by the factor (%.2g), lost by the products (%.2g)",
		worst[1], worst[0]);
	free(x);
	free(u);
	free(v);
}

/* Half of the rows, then the other half on top of what is kept of the first: all of it, or six components. */
static void update(const char *name, struct hs_moments_options o)
{
	enum { N = 2000, HALF = 1300, P = 80, R = 4 };
	double *x = scene(N, P, R, 0.7, 0.02, 2);
	for (size_t i = HALF * P; i < N * P; i++)
		x[i] *= 1.5;                              /* the mean moves */
	const double range[] = { 1e-10, 1e-4 }, angle[] = { 1e-8, 1e-3 };
	struct hs_pca all = find(x, HS_ROW_F64, N, P, (struct hs_pca_how){ HS_PCA_TSQR, o, P, 1, true });
	for (int cut = 0; cut < 2; cut++) {
		const size_t k = cut ? 6 : P;
		struct hs_pca both = in_two_steps(x, N, P, HALF, k, o);
		double worst = 0, mean = 0;
		for (size_t i = 0; i < R; i++)
			worst = fmax(worst, fabs(both.eigenvalue[i] / all.eigenvalue[i] - 1));
		for (size_t j = 0; j < P; j++)
			mean = fmax(mean, fabs(both.frame.mean[j] / all.frame.mean[j] - 1));
		tap_ok(worst < range[cut], "%s, update of %zu components: variances to %.2g", name, k, worst);
		tap_ok(apart(both.basis, all.basis, R, P) < angle[cut], "%s, update of %zu components: span to %.2g", name, k,
			apart(both.basis, all.basis, R, P));
		tap_ok(mean < 1e-12 && fabs(both.total / all.total - 1) < (o.poisson && cut ? 1e-6 : 1e-10) && both.n_used == N,
			"%s, update of %zu components: mean %.2g, whole variance %.2g", name, k, mean, both.total / all.total - 1);
		hs_pca_release(&both);
	}
	hs_pca_release(&all);
	free(x);
}

static void degenerate(void)
{
	static const size_t shape[][2] = { { 1, 1 }, { 1, 9 }, { 9, 1 }, { 50, 9 }, { 9, 50 } };
	struct hs_err err = { 0 };
	for (enum hs_pca_method m = HS_PCA_EXACT; m <= HS_PCA_TSQR; m++) {
		bool zero = true, finite = true;
		for (size_t s = 0; s < HS_LEN(shape); s++)
			for (int centre = 0; centre < 4; centre++)
				for (int value = 0; value < 3; value++) {
					static const double level[] = { 0, 7, 1e-300 };
					const size_t n = shape[s][0], p = shape[s][1];
					double *x = hs_must_alloc(n * p, sizeof *x);
					for (size_t i = 0; i < n * p; i++)
						x[i] = level[value];
					struct hs_pca pca = find(x, HS_ROW_F64, n, p, (struct hs_pca_how){ m, { .poisson = centre == 3,
						.centre = centre == 3 ? HS_CENTRE_NONE : (enum hs_centre)centre }, 4, 1, true });
					for (size_t e = 0; e < pca.n_eig; e++) {
						finite &= isfinite(pca.eigenvalue[e]);
						zero &= centre == 0 || centre == 3 || pca.eigenvalue[e] < 1e-25;
					}
					for (size_t e = 0; e < pca.n_comp * p; e++)
						finite &= isfinite(pca.basis[e]);
					hs_pca_release(&pca);
					free(x);
				}
		tap_ok(zero && finite, "%s: constant data of any shape have finite components and, centred, no variance", method_name[m]);
		double huge[60], tiny[60];
		for (size_t i = 0; i < 60; i++) {
			huge[i] = 1e300 * (double)(1 + i * i % 7);
			tiny[i] = 1e-160 * (double)(1 + i * i % 7);
		}
		struct hs_rowsource *rows = rows_of(huge, HS_ROW_F64, 12, 5);
		struct hs_pca pca;
		const struct hs_pca_how how = { m, { .centre = HS_CENTRE_CHANNEL }, 2, 1, true };
		memset(&err, 0, sizeof err);
		tap_ok(hs_pca_find(&pca, rows, &how, &err) < 0 && err.status == HS_BAD_DATA, "%s: 1e300: %s", method_name[m], err.text);
		hs_pca_release(&pca);
		hs_array_rows_free(rows);
		pca = find(tiny, HS_ROW_F64, 12, 5, how);
		tap_ok(isfinite(pca.total) && isfinite(pca.basis[0]), "%s: 1e-160 goes through", method_name[m]);
		hs_pca_release(&pca);
		for (size_t i = 0; i < 60; i++)
			huge[i] = NAN;
		rows = rows_of(huge, HS_ROW_F64, 12, 5);
		memset(&err, 0, sizeof err);
		tap_ok(hs_pca_find(&pca, rows, &how, &err) < 0 && err.status == HS_BAD_DATA, "%s: %s", method_name[m], err.text);
		hs_pca_release(&pca);
		hs_array_rows_free(rows);
	}
}

int main(int argc, char **argv)
{
	if (argc == 7)
		return driver(argv);
	hs_par_set_threads(2);
	double *x = scene(3000, 120, 4, 0.7, 0.02, 2), *y = scene(80, 500, 4, 0.7, 0.02, 2);
	agree("tall, none", x, 3000, 120, 4, (struct hs_moments_options){ 0 });
	agree("tall, channel", x, 3000, 120, 4, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL });
	agree("tall, both", x, 3000, 120, 4, (struct hs_moments_options){ .centre = HS_CENTRE_BOTH });
	agree("tall, Poisson", x, 3000, 120, 4, (struct hs_moments_options){ .poisson = true });
	agree("few rows, channel", y, 80, 500, 4, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL });
	agree("few rows, Poisson", y, 80, 500, 4, (struct hs_moments_options){ .poisson = true });
	free(x);
	free(y);
	x = scene(20000, 200, 4, 0.7, 0.02, 1e6);
	agree("offset of 1e6", x, 20000, 200, 4, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL });
	free(x);
	same_for_any_threads();
	range();
	update("channel", (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL });
	update("both", (struct hs_moments_options){ .centre = HS_CENTRE_BOTH });
	update("none", (struct hs_moments_options){ 0 });
	update("Poisson", (struct hs_moments_options){ .poisson = true });
	degenerate();
	tap_ok(hs_pca_choose(1000000, 1024, 100) == HS_PCA_EXACT && hs_pca_choose(1000000, 8192, 50) == HS_PCA_RANDOM &&
		hs_pca_choose(1000000, 5000, 2000) == HS_PCA_EXACT && hs_pca_choose(100000, 100000, 2000) == HS_PCA_RANDOM,
		"auto: by flops, and by what fits");
	return tap_done();
}
