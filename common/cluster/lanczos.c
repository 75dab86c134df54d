#include "cluster/lanczos.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"

/* A residual this small against the operator has nothing left but rounding: the space is closed. */
static const double closed = 1e-14;

struct work {
	const struct hs_lanczos *p;
	size_t most, size;            /* rows of the basis: room, in use */
	size_t block;
	double *v;                    /* most x n, orthonormal, orthogonal to the locked ones */
	double *h;                    /* most x most: v A v^T */
	double *next;                 /* block x n: what follows in the basis */
	double *gram;                 /* block x block: products of the residuals that next was made from */
	double *c;                    /* block x most, or block x n_locked: projections */
	double *value, *vector;       /* most; most x most: Ritz values and their coordinates in v */
	double *spare;                /* most x n: new basis */
	uint64_t n_drawn;
};

/* Basis rows: room for the wanted twice, or for many steps with few. */
static size_t basis_rows(size_t n_free, size_t k)
{
	size_t most = 2 * k > k + 80 ? 2 * k : k + 80;
	most += HS_LANCZOS_BLOCK - most % HS_LANCZOS_BLOCK;
	return most < n_free ? most : n_free;
}

static bool solved_whole(size_t n, size_t n_locked, size_t k)
{
	return n <= HS_LANCZOS_WHOLE || basis_rows(n - n_locked, k) + HS_LANCZOS_BLOCK > n - n_locked;
}

/* ---- orthogonality ---- */

/* w (m x n) loses its part in the rows of basis (size x n); the coefficients are added to c (m x size) when that is given. */
static void project_out(const double *basis, size_t size, double *w, size_t m, size_t n, double *scratch, double *c)
{
	if (!size)
		return;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)size, (int)n, 1, w, (int)n, basis, (int)n, 0, scratch,
		(int)size);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)size, -1, scratch, (int)size, basis, (int)n, 1,
		w, (int)n);
	for (size_t i = 0; i < m * size && c; i++)
		c[i] += scratch[i];
}

/* m rows lose what lies in the locked vectors and in the basis. */
static void make_foreign(struct work *w, double *x, size_t m, double *c)
{
	project_out(w->p->locked, w->p->n_locked, x, m, w->p->n, w->c, NULL);
	project_out(w->v, w->size, x, m, w->p->n, w->c, c);
}

static void draw(struct work *w, double *x)
{
	struct hs_rng rng;
	hs_rng_init(&rng, w->p->seed, HS_STREAM_PROJECTION, w->n_drawn++);
	for (size_t i = 0; i < w->p->n; i++)
		x[i] = hs_rng_normal(&rng);
}

/* The rows of next become orthonormal, and orthogonal to all that is there. A row shorter than `least`, or one that hardly adds
 * to those before it, gives way to a random direction. A row that kept half its length is orthogonal to rounding (Giraud,
 * Langou, Rozloznik, Comput. Math. Appl. 50 (2005) 1069); others go round again. */
static void make_unit(struct work *w, double least)
{
	const size_t n = w->p->n;
	for (size_t i = 0; i < w->block; i++) {
		double *row = w->next + i * n, length = cblas_dnrm2((int)n, row, 1);
		bool fresh = !(length > least);
		for (int tries = 0; tries < 20; tries++) {
			if (fresh) {
				draw(w, row);
				length = cblas_dnrm2((int)n, row, 1);
			}
			cblas_dscal((int)n, 1 / length, row, 1);
			make_foreign(w, row, 1, NULL);
			project_out(w->next, i, row, 1, n, w->c, NULL);
			length = cblas_dnrm2((int)n, row, 1);
			if (length > 0.5)
				break;
			fresh = !(length > 1e-8);
		}
		cblas_dscal((int)n, 1 / length, row, 1);
	}
}

/* ---- steps ---- */

/* next joins the basis; the operator on it gives a block row of h and, less what is in the basis, the next block. */
static void step(struct work *w, double *magnitude)
{
	const size_t n = w->p->n, b = w->block, first = w->size;
	memcpy(w->v + first * n, w->next, b * n * sizeof(double));
	w->size += b;
	w->p->apply(w->p->ctx, w->v + first * n, b, w->next);
	double *c = w->vector;                /* idle until the next Ritz values */
	memset(c, 0, b * w->size * sizeof *c);
	for (int round = 0; round < 2; round++)
		make_foreign(w, w->next, b, c);
	for (size_t i = 0; i < b; i++)
		for (size_t j = 0; j < w->size; j++) {
			w->h[(first + i) * w->most + j] = w->h[j * w->most + first + i] = c[i * w->size + j];
			*magnitude = fmax(*magnitude, fabs(c[i * w->size + j]));
		}
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)b, (int)b, (int)n, 1, w->next, (int)n, w->next, (int)n, 0, w->gram,
		(int)b);
	make_unit(w, closed * *magnitude);
}

/* Ritz values, descending, with coordinates; and the largest residual among the wanted. */
static int ritz(struct work *w, double *worst, struct hs_err *err)
{
	const size_t m = w->size, b = w->block;
	double *a = w->spare;
	for (size_t i = 0; i < m; i++)
		memcpy(a + i * m, w->h + i * w->most, m * sizeof *a);
	if (hs_la_eigh(a, m, m, w->value, w->vector, err) < 0)
		return -1;
	*worst = 0;
	for (size_t i = 0; i < w->p->k; i++) {
		const double *s = w->vector + i * m + m - b;
		double square = 0;
		for (size_t x = 0; x < b; x++)
			for (size_t y = 0; y < b; y++)
				square += s[x] * s[y] * w->gram[x * b + y];
		*worst = fmax(*worst, sqrt(fmax(square, 0)));
	}
	return 0;
}

/* The first `keep` Ritz vectors become the basis. */
static void restart(struct work *w, size_t keep)
{
	const size_t n = w->p->n, m = w->size;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)keep, (int)n, (int)m, 1, w->vector, (int)m, w->v, (int)n, 0,
		w->spare, (int)n);
	double *t = w->v;
	w->v = w->spare;
	w->spare = t;
	w->size = keep;
	for (size_t i = 0; i < keep; i++)
		for (size_t j = 0; j < keep; j++)
			w->h[i * w->most + j] = i == j ? w->value[i] : 0;
}

/* ---- small problems ---- */

/* The operator as a matrix, the locked vectors moved below everything else. */
static int whole(const struct hs_lanczos *p, double *value, double *vector, struct hs_err *err)
{
	const size_t n = p->n;
	double *a = hs_alloc(n * n, sizeof *a, err), *unit = a ? hs_alloc(n, sizeof *unit, err) : NULL;
	double *all = unit ? hs_alloc(n, sizeof *all, err) : NULL, bound = 0;
	for (size_t i = 0; i < n && all; i++) {
		memset(unit, 0, n * sizeof *unit);
		unit[i] = 1;
		p->apply(p->ctx, unit, 1, a + i * n);
		bound = fmax(bound, cblas_dasum((int)n, a + i * n, 1));
	}
	if (all && p->n_locked)
		cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)n, (int)p->n_locked, -3 * fmax(bound, 1), p->locked, (int)n, 1, a,
			(int)n);
	const int verdict = all ? hs_la_eigh(a, n, p->k, all, vector, err) : -1;
	if (verdict == 0)
		memcpy(value, all, p->k * sizeof *value);
	free(a);
	free(unit);
	free(all);
	return verdict;
}

/* ---- the whole ---- */

static void release(struct work *w)
{
	free(w->v);
	free(w->h);
	free(w->next);
	free(w->gram);
	free(w->c);
	free(w->value);
	free(w->vector);
	free(w->spare);
}

static int begin(struct work *w, struct hs_err *err)
{
	const struct hs_lanczos *p = w->p;
	const size_t n = p->n, b = w->block, wide = w->most > p->n_locked ? w->most : p->n_locked;
	if (!(w->v = hs_alloc(w->most * n, sizeof(double), err)) || !(w->h = hs_alloc(w->most * w->most, sizeof(double), err)) ||
		!(w->next = hs_alloc(b * n, sizeof(double), err)) || !(w->gram = hs_alloc(b * b, sizeof(double), err)) ||
		!(w->c = hs_alloc(b * wide, sizeof(double), err)) || !(w->value = hs_alloc(w->most, sizeof(double), err)) ||
		!(w->vector = hs_alloc(w->most * w->most, sizeof(double), err)) ||
		!(w->spare = hs_alloc(w->most * n, sizeof(double), err)))
		return -1;
	for (size_t i = 0; i < b; i++)
		draw(w, w->next + i * n);
	make_unit(w, 0);
	return 0;
}

static int iterate(struct work *w, double *worst, struct hs_err *err)
{
	const struct hs_lanczos *p = w->p;
	double magnitude = 0;
	for (size_t round = 0;; round++) {
		while (w->size + w->block <= w->most)
			step(w, &magnitude);
		if (ritz(w, worst, err) < 0)
			return -1;
		const bool done = *worst <= p->tol * fmax(fabs(w->value[0]), fabs(w->value[w->size - 1]));
		const bool ended = round >= p->max_restarts || (p->stop && p->stop(p->stop_ctx));
		const size_t spare = (w->size - p->k) / 2;
		if (done || ended) {
			restart(w, p->k);
			return !done;
		}
		restart(w, p->k + (spare < p->k / 2 + 12 ? spare : p->k / 2 + 12));
	}
}

int hs_lanczos(const struct hs_lanczos *p, double *value, double *vector, double *residual, struct hs_err *err)
{
	double worst = 0;
	if (!p->k || p->n_locked + p->k > p->n || p->n > INT32_MAX)
		return hs_fail(err, HS_USAGE, "%zu eigenvectors asked of an operator of order %zu, %zu are known", p->k, p->n,
			p->n_locked);
	if (solved_whole(p->n, p->n_locked, p->k)) {
		if (residual)
			*residual = 0;
		return whole(p, value, vector, err);
	}
	struct work w = { .p = p, .block = HS_LANCZOS_BLOCK, .most = basis_rows(p->n - p->n_locked, p->k) };
	const int verdict = begin(&w, err) < 0 ? -1 : iterate(&w, &worst, err);
	if (verdict >= 0) {
		memcpy(value, w.value, p->k * sizeof *value);
		memcpy(vector, w.v, p->k * p->n * sizeof *vector);
	}
	if (residual)
		*residual = worst;
	release(&w);
	return verdict;
}

double hs_lanczos_bytes(double n, size_t k, size_t n_locked)
{
	const double most = (double)basis_rows(SIZE_MAX, k), locked = (double)n_locked;
	const double small = n <= HS_LANCZOS_WHOLE || n < most + locked + HS_LANCZOS_BLOCK ?
		8 * n * (n + 2) + (double)hs_la_eigh_bytes((size_t)n, k) : 0;
	const double large = 8 * (n * (2 * most + HS_LANCZOS_BLOCK) + 2 * most * most + HS_LANCZOS_BLOCK * (most + locked)) +
		(double)hs_la_eigh_bytes((size_t)most, (size_t)most);
	return small > 0 ? small : large;
}
