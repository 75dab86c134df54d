/* blu - Bayesian linear unmixing: not one answer for the abundances of a pixel but all that its noise allows, and how likely each
 * is.
 *
 * Dobigeon, Moussaoui, Coulon, Tourneret, Hero, IEEE Trans. Signal Process. 57 (2009) 4355:
 *	x_i = sum_j a_ij e_j + noise of variance s_i^2 in every channel (once divided by weight)
 *	a_i uniform on the simplex (a >= 0, sum 1);  s_i^2 ~ inverse gamma (1, psi / 2), psi ~ 1 / psi
 *	e_j = mean + axes t_j,  t_j normal about the given endmember, as wide as the endmembers lie apart, and e_j >= 0 where asked
 * sampled by Gibbs' method. In the affine subspace a pixel is its k - 1 coordinates and what is left outside.
 *
 * Endmembers belong to all pixels, abundances to one. So first t, psi and the abundances of up to n_anchor pixels, evenly spaced,
 * are sampled together; 200 draws of (t, psi) are kept. Then every pixel runs a chain of its own through these draws, five steps
 * at each: its abundances carry the uncertainty of the endmembers, and neither memory nor threads depend on the length of the
 * chain. What is left out is what one pixel says about the endmembers beyond what the anchors say.
 *
 * The chain of endmembers is interwoven with moves that leave every anchor where it is in the subspace, without which it would
 * hardly get anywhere. A step of a pixel moves along the principal directions of the simplex and along the edges between
 * successive endmembers; each is a draw from a truncated normal distribution (Robert, Stat. Comput. 5 (1995) 121).
 *
 * Numbers are keyed by (seed, HS_STREAM_POSTERIOR, pixel): same bytes for any number of threads. Degenerate cases: directions
 * that change nothing (equal endmembers) are drawn uniformly; noise is at least 1e-12 of the endmembers; one endmember has
 * abundance 1.
 *
 * Owner: the caller holds the structs; hs_blu_release frees what the result holds and accepts a zeroed one. */
#ifndef HS_UNMIX_BLU_H
#define HS_UNMIX_BLU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/rowsource.h"

struct hs_blu_options {
	size_t n_keep;                /* samples a pixel, >= 40 */
	size_t n_burn;                /* steps before them */
	size_t n_anchor;              /* pixels that the endmembers and psi are sampled with, >= 1 */
	bool fixed;                   /* the endmembers are known */
	bool nonnegative;             /* they are nowhere below zero, or below the least given value if that is */
	const double *mean, *axes;    /* the subspace: n_chan, and (k - 1) x n_chan of rank k - 1; NULL: that of the endmembers */
	const double *weight;         /* n_chan, >= 0: channels times this have equal noise; NULL: 1 */
	double row_sum;               /* > 0: every row is first scaled to this sum; rows whose sum is not positive take no part */
	uint64_t seed;
	bool (*stop)(void *ctx);      /* true ends with what there is: rows not reached are NaN. NULL: never */
	void *stop_ctx;
};

struct hs_blu {
	size_t n_rows, n_chan, k;
	size_t n_used;                /* rows with a result */
	double *mean, *sd;            /* n_rows x k: of the abundances; NaN for rows that take no part */
	double *low, *high;           /* 2.5 and 97.5 % of their probability lies below */
	double *residual;             /* n_rows: root mean square of x less the model of the means, unit of x */
	double rms;                   /* of all of them */
	double *spectrum;             /* k x n_chan: posterior mean of the endmembers, or as given when fixed */
	double *spectrum_sd;          /* NULL when fixed */
	double *total;                /* k: mean abundance */
	double rhat;                  /* 99 % of the abundances have a split potential scale reduction below this */
	double ess;                   /* median effective sample size (batch means) */
	double endmember_rhat;        /* largest, over the coordinates of the endmembers; 1 when fixed */
	bool stopped;
};

/* 1000 samples after 200, 1000 anchors, endmembers sampled, not negative, seed 0. */
struct hs_blu_options hs_blu_defaults(void);

/* Errors: HS_USAGE for k = 0 or options out of range; HS_BAD_DATA for endmembers that are not finite, no usable row, other
 * channels; HS_SYSTEM. out is released by the caller, also after failure. Rows whose squares are beyond
 * float64 take no part. Two passes over the rows. */
int hs_blu(struct hs_rowsource *rows, const double *spectra, size_t k, const struct hs_blu_options *options, struct hs_blu *out,
	struct hs_err *err);
void hs_blu_release(struct hs_blu *out);

/* Bytes it holds at its peak, the result included. */
size_t hs_blu_bytes(size_t n_rows, size_t n_chan, size_t k, const struct hs_blu_options *options, int threads);

/* A draw from the normal distribution of this mean and standard deviation, given that it lies in low .. high. sd = INFINITY:
 * uniform there (both finite then); 0: the point next to mean. */
double hs_truncated_normal(struct hs_rng *rng, double mean, double sd, double low, double high);

#endif
