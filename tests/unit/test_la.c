/* The dense solver against problems whose answer is known on paper. */
#include "math/la.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/par.h"
#include "tap.h"

/* A = Q diag(d) Q^T with Q a product of two reflections: eigenvalues exact up to rounding. */
static void with_spectrum(double *a, const double *d, size_t n)
{
	double *q = calloc(n * n, sizeof *q), *v = calloc(n, sizeof *v);
	for (size_t i = 0; i < n; i++)
		q[i * n + i] = 1;
	for (uint64_t round = 0; round < 2; round++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 7, HS_STREAM_TEST, round);
		double norm = 0;
		for (size_t i = 0; i < n; i++) {
			v[i] = hs_rng_normal(&rng);
			norm += v[i] * v[i];
		}
		for (size_t i = 0; i < n; i++) {
			double dot = 0;
			for (size_t j = 0; j < n; j++)
				dot += q[i * n + j] * v[j];
			for (size_t j = 0; j < n; j++)
				q[i * n + j] -= 2 * dot * v[j] / norm;
		}
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			a[i * n + j] = 0;
			for (size_t k = 0; k < n; k++)
				a[i * n + j] += q[k * n + i] * d[k] * q[k * n + j];
		}
	free(q);
	free(v);
}

static double residual(const double *a, const double *value, const double *vector, size_t n, size_t k)
{
	double worst = 0;
	for (size_t c = 0; c < k; c++)
		for (size_t i = 0; i < n; i++) {
			double r = -value[c] * vector[c * n + i];
			for (size_t j = 0; j < n; j++)
				r += a[i * n + j] * vector[c * n + j];
			worst = fmax(worst, fabs(r));
		}
	return worst;
}

static void spectrum_case(const char *name, const double *d, size_t n, size_t k)
{
	struct hs_err err = { 0 };
	double *a = calloc(n * n, sizeof *a), *copy = calloc(n * n, sizeof *copy), *value = calloc(n, sizeof *value),
	       *vector = calloc(k * n + 1, sizeof *vector), off = 0, worst = 1;
	with_spectrum(a, d, n);
	memcpy(copy, a, n * n * sizeof *a);
	for (size_t i = 0; i < n; i++)           /* the lower triangle must not matter */
		for (size_t j = 0; j < i; j++)
			a[i * n + j] = NAN;
	tap_ok(hs_la_eigh(a, n, k, value, vector, &err) == 0, "%s: solved", name);
	for (size_t i = 0; i < n; i++)
		off = fmax(off, fabs(value[i] - d[i]));
	const double unit = fabs(d[0]) > 0 ? fabs(d[0]) : 1;
	tap_ok(off <= 1e-13 * unit, "%s: eigenvalues, descending (off by %.2g of the largest)", name, off / unit);
	tap_ok(residual(copy, value, vector, n, k) <= 1e-13 * unit, "%s: A v = lambda v", name);
	const int verdict = hs_la_orthonormality(vector, k, n, &worst, &err);
	tap_ok(verdict == 0 && worst < 1e-13, "%s: orthonormal (%.2g)", name, worst);
	free(a);
	free(copy);
	free(value);
	free(vector);
}

static double uniform_of(size_t i)
{
	struct hs_rng rng;
	hs_rng_init(&rng, 11, HS_STREAM_TEST, i);
	return hs_rng_uniform(&rng) - 0.5;
}

/* Largest |(l m r)_ij - a_ij|, l (m x k), middle a diagonal or NULL, r (k x n). */
static double product_error(const double *l, const double *middle, const double *r, size_t m, size_t k, size_t n, const double *a)
{
	double worst = 0;
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++) {
			double sum = 0;
			for (size_t t = 0; t < k; t++)
				sum += l[i * k + t] * (middle ? middle[t] : 1) * r[t * n + j];
			worst = fmax(worst, fabs(sum - a[i * n + j]));
		}
	return worst;
}

static void factorisation_case(size_t m, size_t n)
{
	const size_t r = m < n ? m : n;
	double *a = calloc(m * n, sizeof *a), *copy = calloc(m * n, sizeof *copy), *u = calloc(m * r, sizeof *u),
	       *v = calloc(r * n, sizeof *v), *s = calloc(r, sizeof *s), worst_v = 1;
	struct hs_err err = { 0 };
	for (size_t i = 0; i < m * n; i++)
		copy[i] = a[i] = uniform_of(i);
	int verdict = hs_la_svd(a, m, n, u, s, v, &err);
	if (verdict == 0)
		verdict = hs_la_orthonormality(v, r, n, &worst_v, &err);
	tap_ok(verdict == 0 && product_error(u, s, v, m, r, n, copy) < 1e-14 * (double)(m + n) && worst_v < 1e-13,
		"%zu x %zu: the singular values and vectors give the matrix back", m, n);
	int descending = 1;
	for (size_t i = 1; i < r; i++)
		descending &= s[i] <= s[i - 1] && s[i] >= 0;
	tap_ok(descending, "%zu x %zu: singular values descend", m, n);
	if (m >= n) {
		double *tri = calloc(n * n, sizeof *tri);
		memcpy(a, copy, m * n * sizeof *a);
		tap_ok(hs_la_qr(a, m, n, true, tri, &err) == 0 && product_error(a, NULL, tri, m, n, n, copy) < 1e-14 * (double)(m + n),
			"%zu x %zu: Q R is the matrix", m, n);
		free(tri);
	}
	free(a), free(copy), free(u), free(v), free(s);
}

static void square_cases(void)
{
	enum { N = 7 };
	double a[N * N], l[N * N], b[2 * N], inverse[N * N], identity[N * N] = { 0 }, log_det = 0;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N; j++) {
			a[i * N + j] = (i == j) * 3 + uniform_of(i < j ? i * N + j : j * N + i);
			identity[i * N + j] = i == j;
		}
	memcpy(l, a, sizeof l);
	tap_ok(hs_la_cholesky(l, N), "a matrix with a strong diagonal is positive definite");
	for (size_t j = 0; j < N; j++) {
		b[j] = b[N + j] = 0;
		for (size_t k = 0; k < N; k++) {
			b[j] += a[j * N + k] * (double)k;
			b[N + j] += a[j * N + k];
		}
	}
	hs_la_cholesky_solve(l, N, b, 2);
	double worst = 0;
	for (size_t k = 0; k < N; k++)
		worst = fmax(worst, fmax(fabs(b[k] - (double)k), fabs(b[N + k] - 1)));
	tap_ok(worst < 1e-13, "two right-hand sides are solved (%.2g)", worst);
	memcpy(inverse, a, sizeof a);
	tap_ok(hs_la_invert(inverse, N, &log_det) && product_error(inverse, NULL, a, N, N, N, identity) < 1e-13,
		"inverse times matrix is 1");
	tap_ok(fabs(log_det - hs_la_cholesky_log_det(l, N)) < 1e-13, "LU and Cholesky agree on the determinant");
	double flat[4] = { 1, 2, 2, 4 }, minus[4] = { 1, 2, 2, 1 }, nan[4] = { NAN, 0, 0, 1 };
	tap_ok(!hs_la_invert(flat, 2, NULL), "a singular matrix has no inverse");
	tap_ok(!hs_la_cholesky(minus, 2) && !hs_la_cholesky(nan, 2), "indefinite or broken matrices have no Cholesky factor");
}

int main(void)
{
	enum { N = 120 };
	double d[N] = { 0 };
	hs_par_set_threads(1);
	for (size_t i = 0; i < N; i++)
		d[i] = exp(-0.2 * (double)i);
	spectrum_case("decades", d, N, 7);
	spectrum_case("decades, all vectors", d, N, N);
	for (size_t i = 0; i < N; i++)
		d[i] = i < 10 ? 3 : 1;
	spectrum_case("two clusters", d, N, 40);
	for (size_t i = 0; i < N; i++)
		d[i] = i < 3 ? 5 - (double)i : 0;
	spectrum_case("rank 3", d, N, 20);
	for (size_t i = 0; i < N; i++)
		d[i] = 1e-300 * (double)(N - i);
	spectrum_case("tiny", d, N, 5);
	memset(d, 0, sizeof d);
	spectrum_case("zero", d, N, N);
	spectrum_case("one element", (double[]){ 4 }, 1, 1);

	struct hs_err err = { 0 };
	double bad[4] = { 1, NAN, 0, 1 }, value[2];
	tap_ok(hs_la_eigh(bad, 2, 0, value, NULL, &err) == -1 && err.status == HS_BAD_DATA, "NaN is refused: %s", err.text);

	tap_ok(hs_la_sign((double[]){ 1, -3, 3 }, 3) == -1, "the first of equal magnitudes decides the sign");
	tap_ok(hs_la_sign((double[]){ 0, 0 }, 2) == 1, "zero has sign +");
	tap_ok(hs_la_sign((double[]){ -1, 2 }, 2) == 1, "the largest magnitude decides the sign");

	double v[4 * 4] = { 2, 0, 0, 0, /**/ 2, 1e-13, 0, 0, /**/ 0, 0, 0, 0, /**/ 1, 1, 1, 1e-9 }, worst = 1;
	err = (struct hs_err){ 0 };
	hs_la_orthonormalise(v, 4, 4);
	const int verdict = hs_la_orthonormality(v, 4, 4, &worst, &err);
	tap_ok(verdict == 0 && worst < 1e-14, "dependent and zero rows are completed (%.2g)", worst);
	tap_ok(fabs(v[0] - 1) < 1e-15, "the first row keeps its direction");

	factorisation_case(9, 4);
	factorisation_case(4, 9);
	factorisation_case(200, 70);
	factorisation_case(1, 1);
	square_cases();
	return tap_done();
}
