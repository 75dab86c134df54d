#include "unmix/purity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unmix/sisal.h"

void hs_purity_release(struct hs_purity *purity)
{
	free(purity->purest);
	free(purity->spread);
	free(purity->near_corner);
	free(purity->on_facet);
	purity->purest = purity->spread = NULL;
	purity->near_corner = purity->on_facet = NULL;
}

/* Every stride-th of the used points. */
static double *sample_of(const struct hs_cloud *cloud, size_t *n, struct hs_err *err)
{
	const size_t d = cloud->d;
	size_t n_used = 0, m = 0;
	for (size_t i = 0; i < cloud->n; i++)
		n_used += !(cloud->skip && cloud->skip[i]);
	const size_t stride = (n_used + HS_PURITY_SAMPLE - 1) / HS_PURITY_SAMPLE;
	const size_t room = n_used < HS_PURITY_SAMPLE ? n_used : HS_PURITY_SAMPLE;
	double *z = hs_alloc(room, d * sizeof *z, err);
	*n = 0;
	for (size_t i = 0; z && i < cloud->n; i++)
		if (!(cloud->skip && cloud->skip[i]) && m++ % stride == 0)
			memcpy(z + (*n)++ * d, cloud->z + i * d, d * sizeof *z);
	return z;
}

static void look(struct hs_purity *p, const double *z, const double *map, double noise)
{
	const size_t k = p->k, d = k - 1;
	double a[64];
	size_t outside = 0;
	for (size_t j = 0; j < k; j++) {
		double square = 0;
		for (size_t c = 0; c < d; c++)
			square += map[j * k + 1 + c] * map[j * k + 1 + c];
		p->spread[j] = noise * sqrt(square);
		p->purest[j] = 0;
	}
	for (size_t i = 0; i < p->n_sample; i++) {
		bool out = false;
		hs_simplex_coordinates(map, k, z + i * d, a);
		for (size_t j = 0; j < k; j++)
			out |= a[j] < -fmax(0.01, 4 * p->spread[j]);
		outside += out;
		for (size_t j = 0; j < k; j++) {
			p->purest[j] = fmax(p->purest[j], out ? 0 : a[j]);
			p->near_corner[j] += !out && (a[j] > 0.95 || a[j] > 1 - 2 * p->spread[j]);
			p->on_facet[j] += fabs(a[j]) <= fmax(0.01, 2 * p->spread[j]);
		}
	}
	p->outside = (double)outside / (double)p->n_sample;
	p->least = INFINITY;
	for (size_t j = 0; j < k; j++)
		p->least = fmin(p->least, p->purest[j]);
}

/* A simplex is known by its facets only when each has as many pixels as it has corners, and some to spare. */
static void judge(struct hs_purity *p)
{
	const size_t k = p->k, wanted = k - 1 > 5 ? k - 1 : 5;
	bool pure = true, faced = p->outside <= 0.02;
	for (size_t j = 0; j < k; j++) {
		pure &= p->purest[j] - fmin(0.1, 2 * p->spread[j]) >= 0.9;       /* the largest of many has luck */
		faced &= p->on_facet[j] >= wanted;
	}
	p->verdict = pure ? HS_PURITY_PURE : faced ? HS_PURITY_MIXED : HS_PURITY_LOOSE;
	if (pure)
		snprintf(p->text, sizeof p->text, "there is a pixel near every corner (abundance %.2f or more): pixels can be endmembers",
			p->least);
	else if (faced)
		snprintf(p->text, sizeof p->text,
			"no pixel is purer than %.2f in one endmember, but all facets have pixels: sisal and minvol are to be trusted",
			p->least);
	else
		snprintf(p->text, sizeof p->text,
			"no pixel is purer than %.2f in one endmember, and %s: no method can be sure", p->least,
			p->outside > 0.02 ? "too many lie outside any simplex" : "a facet has too few pixels");
}

static int prepare(struct hs_purity *p, size_t k, struct hs_err *err)
{
	*p = (struct hs_purity){ .k = k, .outside = NAN, .least = NAN };
	snprintf(p->text, sizeof p->text, "nothing can be said about purity");
	p->purest = hs_alloc(k, sizeof(double), err);
	p->spread = p->purest ? hs_alloc(k, sizeof(double), err) : NULL;
	p->near_corner = p->spread ? hs_alloc(k, sizeof(size_t), err) : NULL;
	p->on_facet = p->near_corner ? hs_alloc(k, sizeof(size_t), err) : NULL;
	for (size_t j = 0; p->on_facet && j < k; j++)
		p->purest[j] = p->spread[j] = NAN;
	return p->on_facet ? 0 : -1;
}

int hs_purity_find(struct hs_purity *purity, const struct hs_cloud *cloud, const double *corner, size_t k, double noise,
	struct hs_err *err)
{
	if (prepare(purity, k, err) < 0)
		return -1;
	if (k < 2 || k > 64 || cloud->d + 1 != k)
		return 0;
	double *z = sample_of(cloud, &purity->n_sample, err), *map = z ? hs_alloc(2 * k * k, sizeof *map, err) : NULL;
	if (map && purity->n_sample >= 10 * k) {
		double *about = map + k * k;
		struct hs_sisal fit;
		struct hs_err ignored = { 0 };        /* no enclosing simplex is an answer */
		const struct hs_cloud sample = { .n = purity->n_sample, .d = cloud->d, .z = z };
		const struct hs_sisal_options options = hs_sisal_defaults(noise);
		memcpy(about, corner, k * (k - 1) * sizeof *about);
		if (hs_sisal(&sample, &options, about, &fit, &ignored) == 0 && hs_simplex_map(about, k, map, NULL)) {
			look(purity, z, map, noise);
			judge(purity);
		}
	}
	free(z);
	const bool ran = map != NULL;
	free(map);
	return ran ? 0 : -1;
}
