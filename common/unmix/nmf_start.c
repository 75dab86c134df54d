#include "unmix/nmf_start.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cluster/kmeans.h"
#include "math/la.h"
#include "math/vector.h"

enum { FIT_ITERATIONS = 5, KMEANS_ITERATIONS = 30, DRAWS = 8 };

/* ------------------------------------------------------------------ NNDSVD */

static double part_norm(const double *v, size_t n, size_t stride, double sign)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		const double x = sign * v[i * stride];
		sum += x > 0 ? x * x : 0;
	}
	return sqrt(sum);
}

/* Zeros become a hundredth of the mean: a component can then grow where its singular vector had the other sign. */
static void raise_zeros(double *y, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += y[i];
	const double low = sum / (double)n / 100;
	for (size_t i = 0; i < n; i++)
		y[i] = y[i] > low ? y[i] : low;
}

int hs_nmf_start_nndsvd(const struct hs_nmf_low *low, struct hs_nmf_factors *f, struct hs_err *err)
{
	const size_t n = f->n, p = f->p, k = f->k;
	double *w = hs_alloc(n, sizeof *w, err);
	if (!w)
		return -1;
	for (size_t j = 0; j < k; j++) {
		const size_t c = j < low->r ? j : 0;      /* more components than the data have: the first again */
		const double *u = low->z + c, *v = low->v + c * p;
		const double up = part_norm(u, n, low->ld, 1), vp = part_norm(v, p, 1, 1), um = part_norm(u, n, low->ld, -1),
			     vm = part_norm(v, p, 1, -1);
		const double sign = up * vp >= um * vm ? 1 : -1, un = sign > 0 ? up : um, vn = sign > 0 ? vp : vm;
		const double wide = un > 0 && vn > 0 ? sqrt(un * vn) : 0;
		for (size_t i = 0; i < n; i++)
			w[i] = wide > 0 ? fmax(0, sign * u[i * low->ld]) / un * wide : 0;
		double *h = f->h + j * p;
		for (size_t l = 0; l < p; l++)
			h[l] = wide > 0 ? fmax(0, sign * v[l]) / vn * wide : 0;
		raise_zeros(w, n);
		raise_zeros(h, p);
		for (size_t i = 0; i < n; i++)
			f->w[hs_nmf_at(k, i, j)] = w[i] * (1 + (double)(j >= low->r) * (double)(i % 7));
	}
	free(w);
	return 0;
}

/* ------------------------------------------------------------------ spectra first */

static int fit_maps(const struct hs_nmf_low *low, const struct hs_nmf_rules *rules, struct hs_nmf_factors *f, struct hs_err *err)
{
	const struct hs_nmf_effort effort = { .max_iter = FIT_ITERATIONS, .maps_only = true };
	size_t n_iter = 0;
	double objective;
	for (size_t j = 0; rules->simplex && j < f->k; j++)
		for (size_t i = 0; i < f->n; i++)
			f->w[hs_nmf_at(f->k, i, j)] = 1.0 / (double)f->k;
	return hs_nmf_low_solve(low, rules, &effort, f, &n_iter, &objective, err);
}

int hs_nmf_start_random(const struct hs_nmf_low *low, const struct hs_nmf_rules *rules, uint64_t seed, size_t run,
	struct hs_nmf_factors *f, struct hs_err *err)
{
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_START, run);
	for (size_t j = 0; j < f->k; j++) {
		double *h = f->h + j * f->p, sum = 0;
		for (int draw = 0; draw < DRAWS && !(sum > 0); draw++) {
			const size_t i = (size_t)hs_rng_below(&rng, low->n);
			cblas_dgemv(CblasRowMajor, CblasTrans, (int)low->r, (int)f->p, 1, low->v, (int)f->p, low->z + i * low->ld, 1, 0, h, 1);
			for (size_t l = 0; l < f->p; l++) {
				h[l] = h[l] > 0 ? h[l] : 0;
				sum += h[l];
			}
		}
		if (sum > 0)
			raise_zeros(h, f->p);
	}
	return fit_maps(low, rules, f, err);
}

int hs_nmf_start_spectra(const struct hs_nmf_low *low, const struct hs_nmf_rules *rules, const double *spectra,
	struct hs_nmf_factors *f, struct hs_err *err)
{
	for (size_t i = 0; i < f->k * f->p; i++)
		f->h[i] = spectra[i] > 0 ? spectra[i] : 0;
	return fit_maps(low, rules, f, err);
}

int hs_nmf_centroids(struct hs_rowsource *rows, size_t k, uint64_t seed, double *spectra, struct hs_err *err)
{
	struct hs_kmeans_options o = hs_kmeans_defaults(k);
	struct hs_kmeans found = { 0 };
	o.restarts = 1;
	o.max_iter = KMEANS_ITERATIONS;
	o.seed = seed;
	const int verdict = hs_kmeans(rows, &o, &found, err);
	for (size_t i = 0; verdict == 0 && i < found.k * found.n_chan; i++)
		spectra[i] = found.centroid[i];
	hs_kmeans_release(&found);
	return verdict;
}

struct picked {
	const struct hs_nmf_data *data;
	const size_t *number;         /* k rows, by number among those that take part */
	size_t k;
	double *spectra;
	uint8_t *gap;                 /* a thread: p */
};

static int pick_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct picked *s = ctx;
	const size_t p = block->n_chan;
	size_t number = s->data->start[block->index];
	(void)err;
	for (size_t i = 0; i < block->n_rows; i++) {
		const uint8_t use = s->data->use[block->first_row + i];
		if (use == HS_NMF_OUT)
			continue;
		for (size_t j = 0; j < s->k; j++)
			if (s->number[j] == number)
				hs_nmf_row(s->data, block, i, s->spectra + j * p, use == HS_NMF_GAPS ? s->gap + (size_t)thread * p : NULL);
		number++;
	}
	return 0;
}

int hs_nmf_pixels(struct hs_nmf_data *data, size_t k, uint64_t seed, double *spectra, struct hs_err *err)
{
	size_t *number = hs_alloc(k, sizeof *number, err);
	struct picked s = { .data = data, .number = number, .k = k, .spectra = spectra,
		.gap = number ? hs_alloc((size_t)hs_par_threads(), data->rows->n_chan, err) : NULL };
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_START, 0);
	for (size_t j = 0; s.gap && j < k; j++)
		number[j] = (size_t)hs_rng_below(&rng, data->n_used);
	const int verdict = s.gap ? hs_rows_each(data->rows, "start", pick_block, &s, err) : -1;
	data->n_passes++;
	free(number);
	free(s.gap);
	return verdict;
}

int hs_nmf_to_simplex(struct hs_nmf_factors *f, struct hs_err *err)
{
	const size_t k = f->k, n_tiles = hs_nmf_tiles(f->n);
	double *g = hs_alloc(k, (k + 1) * sizeof *g, err), *a = g ? g + k * k : NULL;
	if (!g)
		return -1;
	for (size_t t = 0; t < n_tiles; t++) {
		const double *w = f->w + t * k * HS_NMF_TILE;
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)k, HS_NMF_TILE, 1, w, HS_NMF_TILE, w, HS_NMF_TILE, 1, g,
			(int)k);
		for (size_t j = 0; j < k; j++)
			for (size_t i = 0; i < HS_NMF_TILE; i++)
				a[j] += w[j * HS_NMF_TILE + i];
	}
	double trace = 0;
	for (size_t j = 0; j < k; j++)
		trace += g[j * k + j];
	for (size_t j = 0; j < k; j++)
		g[j * k + j] += 1e-10 * trace;
	bool solved = trace > 0 && hs_la_cholesky(g, k);
	if (solved)
		hs_la_cholesky_solve(g, k, a, 1);
	for (size_t j = 0; j < k; j++)    /* a scale that is not positive says nothing: the component is left as it is */
		if (solved && a[j] > 0)
			cblas_dscal((int)f->p, 1 / a[j], f->h + j * f->p, 1);
	for (size_t j = 0; j < k; j++)
		for (size_t i = 0; i < f->n; i++)
			f->w[hs_nmf_at(k, i, j)] = 1.0 / (double)k;
	free(g);
	return 0;
}
