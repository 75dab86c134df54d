#include "factor/rsvd.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"

enum { CHANNEL_TILE = 256 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

void hs_rsvd_directions(double *v, size_t l, size_t n_chan, uint64_t seed)
{
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t i = 0; i < l; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_PROJECTION, i);
		for (size_t j = 0; j < n_chan; j++)
			v[i * n_chan + j] = hs_rng_normal(&rng);
	}
}

void hs_rsvd_gather(double *z, size_t l, const struct hs_framed *block, size_t n_blocks, double *const *w, size_t n_chan)
{
	const size_t tiles = (n_chan + CHANNEL_TILE - 1) / CHANNEL_TILE;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t t = 0; t < tiles; t++) {
		const size_t first = t * CHANNEL_TILE, width = least(CHANNEL_TILE, n_chan - first);
		for (size_t b = 0; b < n_blocks; b++)
			if (block[b].n)
				cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)l, (int)width, (int)block[b].n, 1, w[b], (int)l,
					block[b].y + first, (int)n_chan, 1, z + first, (int)n_chan);
	}
}

struct through {
	size_t p, l;
	const double *v;              /* l x p */
	double *z;                    /* l x p */
	double **w;                   /* of each block in a wave: block_rows x l */
};

static int through_wave(void *ctx, struct hs_framed *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	struct through *q = ctx;
	const int p = (int)q->p, l = (int)q->l;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++)
		if (block[b].n)
			cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)block[b].n, l, p, 1, block[b].y, p, q->v, p, 0, q->w[b], l);
	hs_rsvd_gather(q->z, q->l, block, n_blocks, q->w, q->p);
	return 0;
}

/* h = z v^T + shift (symmetric up to rounding) = c c^T; rows of e = c^-1 (z + shift v). The shift keeps c there when z has
 * lost rank. */
static int nystroem(struct through *q, double *h, double *shift, struct hs_err *err)
{
	const size_t p = q->p, l = q->l;
	const double norm = cblas_dnrm2((int)(l * p), q->z, 1);
	*shift = fmax(sqrt((double)p) * DBL_EPSILON * norm, DBL_MIN);
	if (!isfinite(norm))
		return hs_fail(err, HS_BAD_DATA,
			"values are so large that their variance is beyond float64: divide them by their magnitude first");
	for (int attempt = 0; attempt < 30; attempt++, *shift *= 10) {
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)l, (int)l, (int)p, 1, q->z, (int)p, q->v, (int)p, 0, h, (int)l);
		for (size_t i = 0; i < l; i++) {
			for (size_t j = 0; j < i; j++)
				h[i * l + j] = h[j * l + i] = (h[i * l + j] + h[j * l + i]) / 2;
			h[i * l + i] += *shift;
		}
		if (hs_la_cholesky(h, l)) {
			cblas_daxpy((int)(l * p), *shift, q->v, 1, q->z, 1);
			cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)l, (int)p, 1, h, (int)l, q->z,
				(int)p);
			return 0;
		}
	}
	return hs_fail(err, HS_BUG, "the random combinations have no positive product");
}

static int leading(struct through *q, const struct hs_survey *s, size_t k, double *eigenvalue, double *vector, struct hs_err *err)
{
	const size_t p = q->p, l = q->l;
	double shift, *h = hs_alloc(l, l * sizeof *h, err), *u = h ? hs_alloc(l, l * sizeof *u, err) : NULL,
		      *value = u ? hs_alloc(l, sizeof *value, err) : NULL, *v = value ? hs_alloc(l, p * sizeof *v, err) : NULL;
	int verdict = v ? nystroem(q, h, &shift, err) : -1;
	if (verdict == 0)
		verdict = hs_la_svd(q->z, l, p, u, value, v, err);
	for (size_t i = 0; verdict == 0 && i < k; i++)
		eigenvalue[i] = fmax(value[i] * value[i] - shift, 0) / s->divisor;
	if (verdict == 0) {
		memcpy(vector, v, k * p * sizeof *v);
		hs_la_orthonormalise(vector, k, p);
	}
	free(h);
	free(u);
	free(value);
	free(v);
	return verdict;
}

size_t hs_rsvd_bytes(size_t n_rows, size_t n_chan, size_t k, int threads)
{
	const size_t l = least(k + HS_RSVD_SPARE, least(n_rows, n_chan)), t = (size_t)(threads > 0 ? threads : 1),
		     wave = least(2 * t, 16);
	return hs_framed_bytes(n_chan, threads) + (3 * l * n_chan + 70 * l * l + wave * hs_block_rows(n_chan) * l) * sizeof(double);
}

int hs_rsvd(struct hs_rowsource *rows, const struct hs_survey *s, size_t k, size_t power, uint64_t seed, double *eigenvalue,
	double *vector, struct hs_err *err)
{
	const size_t p = rows->n_chan, wave = hs_framed_wave();
	struct through q = { .p = p, .l = least(k + HS_RSVD_SPARE, least(s->n_used, p)) };
	double *v = hs_alloc(q.l, p * sizeof *v, err), *z = v ? hs_alloc(q.l, p * sizeof *z, err) : NULL,
	       *w = z ? hs_alloc(wave * rows->block_rows, q.l * sizeof *w, err) : NULL;
	double **of_block = w ? hs_alloc(wave, sizeof *of_block, err) : NULL;
	int verdict = of_block ? 0 : -1;
	q.w = of_block;
	if (verdict == 0) {
		hs_rsvd_directions(v, q.l, p, seed);
		for (size_t b = 0; b < wave; b++)
			of_block[b] = w + b * rows->block_rows * q.l;
	}
	for (size_t pass = 0; pass <= power && verdict == 0; pass++) {
		hs_la_orthonormalise(v, q.l, p);
		q.v = v;
		q.z = z;
		memset(z, 0, q.l * p * sizeof *z);
		verdict = hs_framed_each(rows, &s->frame, "random directions", through_wave, &q, err);
		if (pass < power) {
			double *turn = v;
			v = z;
			z = turn;
		}
	}
	if (verdict == 0)
		verdict = leading(&q, s, k, eigenvalue, vector, err);
	free(v);
	free(z);
	free(w);
	free(of_block);
	return verdict;
}
