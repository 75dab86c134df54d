#include "factor/whiten.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/fold.h"
#include "math/la.h"
#include "math/par.h"

enum { BLOCK_ROWS = 1024 };

#define LEAST_SHARE 1e-12

struct samples {
	const double *t, *mean, *scale;
	size_t k;
	double *scratch;              /* threads x BLOCK_ROWS x k */
};

static void add_means(const void *ctx, int thread, size_t first, size_t n, double *sum)
{
	const struct samples *s = ctx;
	(void)thread;
	for (size_t i = first; i < first + n; i++)
		for (size_t j = 0; j < s->k; j++)
			sum[j] += s->t[i * s->k + j] - s->mean[j];
}

static void add_largest(const struct samples *s, size_t n, double *largest)
{
	memset(largest, 0, s->k * sizeof *largest);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < s->k; j++)
			largest[j] = fmax(largest[j], fabs(s->t[i * s->k + j] - s->mean[j]));
}

static void add_products(const void *ctx, int thread, size_t first, size_t n, double *sum)
{
	const struct samples *s = ctx;
	const size_t k = s->k;
	double *y = s->scratch + (size_t)thread * BLOCK_ROWS * k;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < k; j++)
			y[i * k + j] = (s->t[(first + i) * k + j] - s->mean[j]) * s->scale[j];
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)k, (int)n, 1, y, (int)k, 1, sum, (int)k);
}

/* The mean, and then the mean of what it leaves: a large offset costs no digits. Not centred, it is found all the same, to see
 * whether everything is finite. */
static int find_mean(struct hs_whitening *w, const double *t, size_t n, bool centre, double *sum, struct hs_err *err)
{
	const struct samples s = { .t = t, .mean = w->mean, .k = w->k };
	for (int round = 0; round < 2; round++) {
		if (hs_fold(n, BLOCK_ROWS, w->k, add_means, &s, sum, err) < 0)
			return -1;
		for (size_t j = 0; j < w->k; j++) {
			if (!isfinite(sum[j]))
				return hs_fail(err, HS_BAD_DATA, "signal %zu of %zu is not finite, or its values are too large to add", j + 1,
					w->k);
			w->mean[j] += centre ? sum[j] / (double)n : 0;
		}
	}
	return 0;
}

/* Factors that make the products safe (powers of two near the largest deviation), then exact to unit variance. */
static int find_axes(struct hs_whitening *w, struct samples *s, size_t n, double *scale, double *product, double *axis,
	struct hs_err *err)
{
	const size_t k = w->k;
	double *value = product + k * k;
	s->scale = scale;
	add_largest(s, n, scale);
	for (size_t j = 0; j < k; j++) {
		if (!isfinite(scale[j]))
			return hs_fail(err, HS_BAD_DATA, "signal %zu of %zu is not finite, or its values are too far apart", j + 1, k);
		scale[j] = scale[j] > 1e-300 && scale[j] > 1e-14 * fabs(w->mean[j]) ? exp2(-ilogb(scale[j])) : 0;
	}
	if (hs_fold(n, BLOCK_ROWS, k * k, add_products, s, product, err) < 0)
		return -1;
	for (size_t j = 0; j < k; j++) {
		const double variance = product[j * k + j] / (double)n;
		value[j] = variance > 0 ? 1 / sqrt(variance) : 0;
	}
	for (size_t i = 0; i < k; i++) {
		for (size_t j = i; j < k; j++)
			product[i * k + j] *= value[i] * value[j] / (double)n;
		scale[i] *= value[i];
	}
	if (hs_la_eigh(product, k, k, value, axis, err) < 0)
		return -1;
	while (w->rank < k && value[w->rank] > LEAST_SHARE * value[0])
		w->rank++;
	for (size_t i = 0; i < w->rank; i++)
		for (size_t j = 0; j < k; j++) {
			w->to[i * k + j] = axis[i * k + j] * scale[j] / sqrt(value[i]);
			w->back[j * w->rank + i] = scale[j] > 0 ? axis[i * k + j] * sqrt(value[i]) / scale[j] : 0;
		}
	return 0;
}

static void whiten_rows(const struct hs_whitening *w, const double *t, size_t n, double *z)
{
	const size_t k = w->k, r = w->rank;
	for (size_t i = 0; i < n; i++)
		for (size_t a = 0; a < r; a++) {
			double sum = 0;
			for (size_t j = 0; j < k; j++)
				sum += w->to[a * k + j] * (t[i * k + j] - w->mean[j]);
			z[i * r + a] = sum;
		}
}

struct whitened {
	const struct hs_whitening *w;
	const double *t;
	double *scratch;              /* threads x BLOCK_ROWS x k */
};

static void add_white_products(const void *ctx, int thread, size_t first, size_t n, double *sum)
{
	const struct whitened *s = ctx;
	const size_t k = s->w->k, r = s->w->rank;
	double *z = s->scratch + (size_t)thread * BLOCK_ROWS * k;
	whiten_rows(s->w, s->t + first * k, n, z);
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)r, (int)n, 1, z, (int)r, 1, sum, (int)r);
}

/* Signals that nearly depend on each other leave products of 1e-16 times the condition of their correlation. What is left is
 * near the identity and whitened once more: a = v diag(c) v^T, then to = v c^(-1/2) v^T to, back = back v c^(1/2) v^T. */
static int refine(struct hs_whitening *w, const struct whitened *s, size_t n, double *product, double *axis, struct hs_err *err)
{
	const size_t k = w->k, r = w->rank;
	double *value = product + k * k, *half = product, *old = axis;
	if (hs_fold(n, BLOCK_ROWS, r * r, add_white_products, s, product, err) < 0)
		return -1;
	for (size_t i = 0; i < r * r; i++)
		product[i] /= (double)n;
	if (hs_la_eigh(product, r, r, value, axis, err) < 0)
		return -1;
	double *vector = hs_alloc(r * r, sizeof *vector, err);
	if (!vector)
		return -1;
	memcpy(vector, axis, r * r * sizeof *vector);
	for (int side = 0; side < 2; side++) {
		memset(half, 0, r * r * sizeof *half);
		for (size_t a = 0; a < r; a++)
			cblas_dger(CblasRowMajor, (int)r, (int)r, side ? sqrt(value[a]) : 1 / sqrt(value[a]), vector + a * r, 1,
				vector + a * r, 1, half, (int)r);
		memcpy(old, side ? w->back : w->to, k * r * sizeof *old);
		if (side)
			cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)r, (int)r, 1, old, (int)r, half, (int)r, 0, w->back,
				(int)r);
		else
			cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)k, (int)r, 1, half, (int)r, old, (int)k, 0, w->to,
				(int)k);
	}
	free(vector);
	return 0;
}

int hs_whitening_init(struct hs_whitening *w, const double *t, size_t n, size_t k, bool centre, struct hs_err *err)
{
	*w = (struct hs_whitening){ .k = k };
	const size_t threads = (size_t)hs_par_threads();
	w->mean = hs_alloc(k, sizeof(double), err);
	w->to = w->mean ? hs_alloc(k * k, sizeof(double), err) : NULL;
	w->back = w->to ? hs_alloc(k * k, sizeof(double), err) : NULL;
	double *scale = w->back ? hs_alloc(k, sizeof *scale, err) : NULL,
	       *product = scale ? hs_alloc(k * k + k, sizeof *product, err) : NULL,
	       *axis = product ? hs_alloc(k * k, sizeof *axis, err) : NULL;
	struct samples s = { .t = t, .mean = w->mean, .k = k };
	s.scratch = axis ? hs_alloc(threads * BLOCK_ROWS, k * sizeof(double), err) : NULL;
	int verdict = s.scratch ? 0 : -1;
	if (verdict == 0 && n)
		verdict = find_mean(w, t, n, centre, scale, err);
	if (verdict == 0 && n)
		verdict = find_axes(w, &s, n, scale, product, axis, err);
	if (verdict == 0 && w->rank)
		verdict = refine(w, &(struct whitened){ w, t, s.scratch }, n, product, axis, err);
	free(scale);
	free(product);
	free(axis);
	free(s.scratch);
	return verdict;
}

void hs_whitening_release(struct hs_whitening *w)
{
	free(w->mean);
	free(w->to);
	free(w->back);
	*w = (struct hs_whitening){ 0 };
}

void hs_whiten(const struct hs_whitening *w, const double *t, size_t n, double *z)
{
	const size_t blocks = (n + BLOCK_ROWS - 1) / BLOCK_ROWS;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (blocks > 1)
	for (size_t b = 0; b < blocks; b++) {
		const size_t first = b * BLOCK_ROWS, left = n - first;
		whiten_rows(w, t + first * w->k, left < BLOCK_ROWS ? left : BLOCK_ROWS, z + first * w->rank);
	}
}

size_t hs_whitening_bytes(size_t n, size_t k, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : 1);
	return (6 * k * k + 4 * k + t * BLOCK_ROWS * k) * sizeof(double) + hs_la_eigh_bytes(k, k)
		+ hs_fold_bytes(n, BLOCK_ROWS, k * k, threads);
}
