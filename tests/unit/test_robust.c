/* Spoiled spectra: found, and without weight in the components. */
#include "factor/robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tap.h"

enum { N = 1500, P = 60, R = 3 };

/* Three spectra mixed, noise; every fifth row of the spoiled one is something else, 25 times as large. */
static double *scene(double counts, bool spoiled)
{
	double *x = hs_must_alloc(N * P, sizeof *x), s[R][P];
	struct hs_rng rng;
	hs_rng_init(&rng, 4, HS_STREAM_SCENE, 0);
	for (size_t c = 0; c < R; c++)
		for (size_t j = 0; j < P; j++)
			s[c][j] = 0.2 + exp(-0.5 * pow(((double)j - 10 - 20 * (double)c) / 4, 2));
	for (size_t i = 0; i < N; i++) {
		double a[R];
		hs_rng_init(&rng, 4, HS_STREAM_NOISE, i);
		for (size_t c = 0; c < R; c++)
			a[c] = hs_rng_exponential(&rng);
		for (size_t j = 0; j < P; j++) {
			double mean = 0;
			for (size_t c = 0; c < R; c++)
				mean += a[c] * s[c][j];
			x[i * P + j] = counts > 0 ? hs_rng_poisson(&rng, mean * counts) : mean + 0.05 * hs_rng_normal(&rng);
		}
		for (size_t j = 0; spoiled && i % 5 == 0 && j < P; j++)
			x[i * P + j] = 25 * (counts > 0 ? counts : 1) * (j % 20 == i / 5 % 20 ? hs_rng_exponential(&rng) : 0.01);
	}
	return x;
}

static struct hs_rowsource *rows_of(const double *x, size_t n, size_t p)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	if (!rows)
		exit(1);
	return rows;
}

static struct hs_pca_how how_of(enum hs_pca_method method, enum hs_centre centre, bool poisson)
{
	return (struct hs_pca_how){ .method = method, .options = { .centre = centre, .poisson = poisson }, .n_comp = 20, .seed = 1 };
}

static double apart(const double *a, const double *b, size_t k)
{
	double worst = 0;
	for (size_t c = 0; c < k; c++) {
		double rest = 1;
		for (size_t i = 0; i < k; i++) {
			double dot = 0;
			for (size_t j = 0; j < P; j++)
				dot += a[c * P + j] * b[i * P + j];
			rest -= dot * dot;
		}
		worst = fmax(worst, sqrt(fmax(rest, 0)));
	}
	return worst;
}

static void spoiled_rows(const char *name, double counts, struct hs_pca_how how, size_t rank)
{
	struct hs_err err = { 0 };
	double *x = scene(counts, true), *clean = scene(counts, false);
	/* the truth: components of the rows that were not spoiled */
	double *good = hs_must_alloc(N * P, sizeof *good);
	size_t n_good = 0;
	for (size_t i = 0; i < N; i++)
		if (i % 5)
			memcpy(good + n_good++ * P, clean + i * P, P * sizeof *good);
	struct hs_rowsource *rows = rows_of(x, N, P), *good_rows = rows_of(good, n_good, P);
	struct hs_pca truth, plain, pca;
	struct hs_robust r;
	if (hs_pca_find(&truth, good_rows, &how, &err) < 0 || hs_pca_find(&plain, rows, &how, &err) < 0)
		exit(1);
	const int verdict = hs_robust_find(&r, &pca, rows, &how, 0, NULL, NULL, &err);
	tap_ok(verdict == 0 && r.converged, "%s: weights settle in %zu rounds %s", name, r.n_iter, err.text);
	/* counts: a kind of which a few are let through makes a component */
	tap_ok(counts > 0 ? r.k >= rank && r.k <= rank + 2 : r.k == rank, "%s: %zu components are found, %zu there are", name, r.k,
		rank);
	size_t caught = 0, low = 0;
	double least_good = 1;
	for (size_t i = 0; i < N; i++) {
		caught += i % 5 == 0 && r.weight[i] == 0;
		low += i % 5 && r.weight[i] < 0.5;
		least_good = i % 5 ? fmin(least_good, r.weight[i]) : least_good;
	}
	tap_ok(caught >= (counts > 0 ? N / 5 - 5 : N / 5), "%s: %zu of %d spoiled spectra have no weight", name, caught, N / 5);
	tap_ok(low < N / 20, "%s: %zu good spectra have less than half (least %.2g)", name, low, least_good);
	tap_ok(apart(pca.basis, truth.basis, rank) < 0.05 && apart(plain.basis, truth.basis, rank) > 0.3,
		"%s: the span is that of the good spectra (sine %.2g, without weights %.2g)", name, apart(pca.basis, truth.basis, rank),
		apart(plain.basis, truth.basis, rank));
	tap_ok(fabs(pca.eigenvalue[0] / truth.eigenvalue[0] - 1) < 0.15, "%s: so is the variance (%.3f)", name,
		pca.eigenvalue[0] / truth.eigenvalue[0]);
	hs_robust_release(&r);
	hs_pca_release(&pca);
	hs_pca_release(&plain);
	hs_pca_release(&truth);
	hs_array_rows_free(rows);
	hs_array_rows_free(good_rows);
	free(good);
	free(clean);
	free(x);
}

static void threads_and_methods(void)
{
	struct hs_err err = { 0 };
	double *x = scene(0, true), *first = NULL;
	x[7 * P + 2] = NAN;
	struct hs_rowsource *rows = rows_of(x, N, P);
	bool same = true;
	for (int threads = 1; threads <= 8; threads += threads < 3 ? 1 : 5) {
		struct hs_pca pca;
		struct hs_robust r;
		hs_par_set_threads(threads);
		const struct hs_pca_how how = how_of(HS_PCA_AUTO, HS_CENTRE_CHANNEL, false);
		if (hs_robust_find(&r, &pca, rows, &how, 3, NULL, NULL, &err) < 0)
			exit(1);
		if (!first) {
			first = hs_must_alloc(N, sizeof *first);
			memcpy(first, r.weight, N * sizeof *first);
		}
		same &= !memcmp(first, r.weight, N * sizeof *first) && isnan(r.weight[7]) && r.k == 3;
		hs_robust_release(&r);
		hs_pca_release(&pca);
	}
	tap_ok(same, "the same bits of weights for 1, 2, 3 and 8 threads; NaN where there is no spectrum");
	hs_par_set_threads(2);
	for (enum hs_pca_method m = HS_PCA_RANDOM; m <= HS_PCA_TSQR; m++) {
		struct hs_pca pca;
		struct hs_robust r;
		const struct hs_pca_how how = how_of(m, HS_CENTRE_CHANNEL, false);
		const int verdict = hs_robust_find(&r, &pca, rows, &how, 3, NULL, NULL, &err);
		double off = 0;
		for (size_t i = 0; verdict == 0 && i < N; i++)
			off = isnan(first[i]) ? off : fmax(off, fabs(first[i] - r.weight[i]));
		if (m == HS_PCA_SKETCH)
			tap_ok(verdict < 0 && err.status == HS_USAGE, "%s", err.text);
		else
			tap_ok(verdict == 0 && off < 0.01, "method %d: the same weights (%.2g)", (int)m, off);
		hs_robust_release(&r);
		hs_pca_release(&pca);
		memset(&err, 0, sizeof err);
	}
	hs_array_rows_free(rows);
	free(first);
	free(x);
}

static void degenerate(void)
{
	static const size_t shape[][2] = { { 1, 1 }, { 1, 7 }, { 7, 1 }, { 40, 6 }, { 6, 40 } };
	static const double level[] = { 0, 3, 1e-300 };
	bool ones = true, done = true;
	for (size_t s = 0; s < HS_LEN(shape); s++)
		for (size_t v = 0; v < HS_LEN(level); v++)
			for (int centre = 0; centre < 4; centre++) {
				struct hs_err err = { 0 };
				struct hs_pca pca;
				struct hs_robust r;
				double *x = hs_must_alloc(shape[s][0] * shape[s][1], sizeof *x);
				for (size_t i = 0; i < shape[s][0] * shape[s][1]; i++)
					x[i] = level[v];
				struct hs_rowsource *rows = rows_of(x, shape[s][0], shape[s][1]);
				const struct hs_pca_how how = how_of(HS_PCA_AUTO, centre == 3 ? HS_CENTRE_NONE : (enum hs_centre)centre, centre == 3);
				done &= hs_robust_find(&r, &pca, rows, &how, 0, NULL, NULL, &err) == 0 && r.converged && !r.n_outliers;
				for (size_t i = 0; done && i < shape[s][0]; i++)
					ones &= r.weight[i] > 0.99;
				hs_robust_release(&r);
				hs_pca_release(&pca);
				hs_array_rows_free(rows);
				free(x);
			}
	tap_ok(done && ones, "data without differences have no outliers");
}

int main(void)
{
	hs_par_set_threads(2);
	spoiled_rows("centred", 0, how_of(HS_PCA_AUTO, HS_CENTRE_CHANNEL, false), 3);
	spoiled_rows("not centred", 0, how_of(HS_PCA_AUTO, HS_CENTRE_NONE, false), 3);
	spoiled_rows("doubly centred", 0, how_of(HS_PCA_AUTO, HS_CENTRE_BOTH, false), 3);
	spoiled_rows("counts", 40, how_of(HS_PCA_AUTO, HS_CENTRE_NONE, true), 3);
	threads_and_methods();
	degenerate();
	return tap_done();
}
