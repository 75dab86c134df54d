#include "cluster/distance.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "math/vector.h"

static const size_t chunk_bytes = 512u << 10, product_bytes = 4u << 20;

static size_t chunk_rows(size_t p, size_t n_centres)
{
	const size_t by_rows = chunk_bytes / (p * sizeof(float)), by_products = product_bytes / (n_centres * sizeof(float)),
		     n = (by_rows < by_products ? by_rows : by_products) & ~(size_t)7;
	return n < 16 ? 16 : n > 1024 ? 1024 : n;
}

void hs_scratch_free(struct hs_scratch *list)
{
	for (int t = 0; list && t < hs_par_threads(); t++) {
		free(list[t].y);
		free(list[t].len);
		free(list[t].dot);
		free(list[t].bound);
		free(list[t].second);
		free(list[t].leave);
		free(list[t].index);
		free(list[t].nearest);
		free(list[t].rivals);
		free(list[t].z);
	}
	free(list);
}

struct hs_scratch *hs_scratch_new(size_t p, size_t n_centres, struct hs_err *err)
{
	const size_t n = chunk_rows(p, n_centres), threads = (size_t)hs_par_threads();
	size_t n_y, n_dot;
	if (!hs_mul(n, p, &n_y) || !hs_mul(n, n_centres, &n_dot)) {
		hs_fail(err, HS_SYSTEM, "%zu centres of %zu channels are more than memory can hold", n_centres, p);
		return NULL;
	}
	struct hs_scratch *list = hs_alloc(threads, sizeof *list, err);
	for (size_t t = 0; list && t < threads; t++) {
		struct hs_scratch *s = list + t;
		s->n_rows = n;
		if (!(s->y = hs_alloc(n_y, sizeof(float), err)) || !(s->len = hs_alloc(n, sizeof(float), err)) ||
			!(s->dot = hs_alloc(n_dot, sizeof(float), err)) || !(s->bound = hs_alloc(n, sizeof(float), err)) ||
			!(s->second = hs_alloc(n, sizeof(float), err)) || !(s->leave = hs_alloc(n, 1, err)) ||
			!(s->index = hs_alloc(n, sizeof(size_t), err)) || !(s->nearest = hs_alloc(n, sizeof(int32_t), err)) ||
			!(s->rivals = hs_alloc(n, sizeof(int32_t), err)) || !(s->z = hs_alloc(p, sizeof(double), err))) {
			hs_scratch_free(list);
			return NULL;
		}
	}
	return list;
}

double hs_scratch_bytes(size_t p, size_t n_centres, int threads)
{
	const double n = (double)chunk_rows(p, n_centres), width = (double)p;
	return threads * (n * (4 * width + 4 * (double)n_centres + 29) + 8 * width + sizeof(struct hs_scratch));
}

void hs_products(const float *centre, size_t n_centres, const float *y, size_t n, size_t p, float *dot)
{
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n_centres, (blasint)n, (blasint)p, 1, centre, (blasint)p, y,
		(blasint)p, 0, dot, (blasint)n);
}

int hs_centres_init(struct hs_centres *centres, size_t n, size_t p, struct hs_err *err)
{
	const size_t factor[] = { n, p };
	size_t n_centre;
	*centres = (struct hs_centres){ .p = p };
	if (!hs_product(factor, HS_LEN(factor), &n_centre))
		return hs_fail(err, HS_SYSTEM, "%zu centres of %zu channels are more than memory can hold", n, p);
	if ((centres->centre = hs_alloc(n_centre, sizeof(float), err)) && (centres->upper = hs_alloc(n, sizeof(float), err)) &&
		(centres->lower = hs_alloc(n, sizeof(float), err)) && (centres->reach = hs_alloc(n, sizeof(float), err)) &&
		(centres->exact = hs_alloc(n, sizeof *centres->exact, err)))
		return 0;
	hs_centres_release(centres);
	return -1;
}

void hs_centres_release(struct hs_centres *centres)
{
	free(centres->centre);
	free(centres->upper);
	free(centres->lower);
	free(centres->reach);
	free(centres->exact);
	*centres = (struct hs_centres){ 0 };
}

double hs_centres_bytes(size_t p, size_t n)
{
	return (double)n * (4 * (double)p + 20);
}

/* Relative error of a float32 dot product of p terms, in terms of the two lengths: rounding walks at random, and the
 * factor leaves it four times its standard deviation and more. */
static double dot_error(size_t p)
{
	return 0x1p-24 * (8 + 2 * sqrt((double)p));
}

void hs_centres_set(struct hs_centres *centres, size_t at, const double *exact)
{
	const size_t p = centres->p;
	const double error = dot_error(p), tiny = (double)p * (double)FLT_MIN;
	const double square = exact ? hs_dot(exact, exact, p) : INFINITY;
	for (size_t j = 0; j < p; j++)
		centres->centre[at * p + j] = exact ? (float)exact[j] : 0;
	centres->exact[at] = exact;
	centres->upper[at] = exact ? (float)(square + square * error + tiny) : INFINITY;
	centres->lower[at] = exact ? (float)(square - square * error - tiny) : INFINITY;
	centres->reach[at] = exact ? (float)(2 * error * sqrt(square)) : 0;
}

HS_WIDE void hs_nearest_bounded(const struct hs_centres *centres, size_t first, size_t k, struct hs_scratch *s, size_t n)
{
	const float *len = s->len;
	float *bound = s->bound, *second = s->second;
	int32_t *nearest = s->nearest, *rivals = s->rivals;
	for (size_t i = 0; i < n; i++) {
		bound[i] = second[i] = INFINITY;
		nearest[i] = 0;
		rivals[i] = 0;
	}
	for (size_t c = 0; c < k; c++) {
		const float *d = s->dot + (first + c) * n, upper = centres->upper[first + c], reach = centres->reach[first + c];
		const int32_t name = (int32_t)c;
		for (size_t i = 0; i < n; i++) {
			const float v = upper - 2 * d[i] + reach * len[i];
			nearest[i] = v < bound[i] ? name : nearest[i];
			bound[i] = v < bound[i] ? v : bound[i];
		}
	}
	for (size_t c = 0; c < k; c++) {
		const float *d = s->dot + (first + c) * n, lower = centres->lower[first + c], reach = centres->reach[first + c];
		const int32_t name = (int32_t)c;
		for (size_t i = 0; i < n; i++) {
			const float v = lower - 2 * d[i] - reach * len[i];
			rivals[i] += v <= bound[i];
			second[i] = name != nearest[i] && v < second[i] ? v : second[i];
		}
	}
}

int32_t hs_nearest_exact(const struct hs_centres *centres, size_t first, size_t k, const struct hs_scratch *s, size_t n, size_t i,
	const double *z)
{
	double best = INFINITY;
	int32_t nearest = 0;
	for (size_t c = 0; c < k; c++) {
		const size_t at = first + c;
		const float below = centres->lower[at] - 2 * s->dot[at * n + i] - centres->reach[at] * s->len[i];
		if (!centres->exact[at] || !(below <= s->bound[i]))
			continue;
		const double d = hs_distance2(z, centres->exact[at], centres->p);
		if (d < best) {
			best = d;
			nearest = (int32_t)c;
		}
	}
	return nearest;
}
