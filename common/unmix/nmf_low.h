/* nmf_low - Euclidean NMF of a matrix that is known by its factors, X ~ Z V: what all but the exact passes work on; internal to
 * math.
 *
 * W is kept in tiles of HS_NMF_TILE rows, component after component within a tile, so that the sweeps run along rows: element
 * (i, j) is at hs_nmf_at(k, i, j). Places behind row n are zero. H is k x p, row after row.
 *
 * Sums over rows are taken over chunks whose borders depend on n alone, and joined in order: same bits for any number of
 * threads. */
#ifndef HS_UNMIX_NMF_LOW_H
#define HS_UNMIX_NMF_LOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { HS_NMF_TILE = 256 };

struct hs_nmf_rules {
	double sparse, smooth;        /* weights of the penalties of nmf.h; sparse in the unit of the data */
	bool simplex;
};

struct hs_nmf_factors {
	size_t n, p, k;
	double *w;                    /* hs_nmf_tiles(n) x k x HS_NMF_TILE */
	double *h;                    /* k x p */
};

struct hs_nmf_low {
	size_t n, p, ld, r;           /* r of ld columns of z (n x ld) and rows of v (ld x p) are in use, */
	size_t q;                     /* and q more in exact passes */
	double *z, *v;
	double norm2;                 /* what |X|^2 is taken for in the objective */
};

static inline size_t hs_nmf_tiles(size_t n)
{
	return (n + HS_NMF_TILE - 1) / HS_NMF_TILE;
}

static inline size_t hs_nmf_at(size_t k, size_t i, size_t j)
{
	return (i / HS_NMF_TILE * k + j) * HS_NMF_TILE + i % HS_NMF_TILE;
}

/* What the rows amount to for the spectra: everything the objective and a step of H need. */
struct hs_nmf_sums {
	double *c;                    /* k x p: W^T X */
	double *g;                    /* k x k: W^T W */
	double *s;                    /* k: sums of the columns of W */
};

/* Gram matrix of the spectra, and what the penalties add to the problem of the maps: diagonal and linear term (k each). */
void hs_nmf_map_terms(const struct hs_nmf_rules *rules, size_t k, size_t p, const double *h, double *gram, double *extra,
	double *linear);

/* One step of the spectra: never raises the objective. scratch: p + 3 k values. */
void hs_nmf_step_spectra(const struct hs_nmf_rules *rules, size_t k, size_t p, const struct hs_nmf_sums *sums, double *h,
	double *scratch);

/* The objective, from sums of the present W. gram: k x k, room for H H^T. */
double hs_nmf_objective(const struct hs_nmf_rules *rules, size_t k, size_t p, const struct hs_nmf_sums *sums, const double *h,
	double norm2, double *gram);

/* Components share their scale evenly between map and spectrum, |w_j| = |h_j|; not with simplex. */
void hs_nmf_balance(struct hs_nmf_factors *f);

struct hs_nmf_effort {
	size_t max_iter;
	double gain;                  /* ends when ten alternations lower the objective by less than this part of it, */
	double share;                 /* or by less than this part of what was gained so far */
	bool maps_only;               /* H stays as it is */
	bool (*stop)(void *ctx);
	void *stop_ctx;
};

/* Lowers the objective of low by alternating accelerated HALS with extrapolation (Ang, Gillis, Neural Computation 31 (2019)
 * 417). n_iter is added to; *objective is that of the factors it leaves. */
int hs_nmf_low_solve(const struct hs_nmf_low *low, const struct hs_nmf_rules *rules, const struct hs_nmf_effort *effort,
	struct hs_nmf_factors *f, size_t *n_iter, double *objective, struct hs_err *err);

/* Bytes hs_nmf_low_solve holds. */
double hs_nmf_low_bytes(double n, double p, double ld, double k, int threads);

#endif
