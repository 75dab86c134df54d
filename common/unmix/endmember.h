/* endmember - the spectra of the pure materials of which every pixel is a mixture: x_i ~ sum_j a_ij e_j with
 * a_ij >= 0 and sum_j a_ij = 1.
 *
 * The pixels then fill a simplex whose corners are the endmembers. Everything is found in the affine subspace of k - 1 dimensions
 * that holds most of the variance (reduce.h); the data are read two to four times, what stays in memory is n_rows x k numbers.
 *
 *   AUTO     deterministic: pixels are averaged over their neighbours (smooth.h; averages stay inside the simplex, so only
 *            purity is traded for noise), SPA finds a start, N-FINDR the largest simplex, and each endmember becomes the mean
 *            of the `purest` share of the pixels, as far as they are half of that endmember; min_volume then gives back purity
 *            by minvol.h
 *   NFINDR   the k pixels that span the largest simplex (Winter, Proc. SPIE 3753, 1999, 266), from SPA
 *   SPA      successive projection (Araujo et al., Chemom. Intell. Lab. Syst. 57, 2001, 65)
 *   VCA      vertex component analysis (Nascimento, Bioucas-Dias, IEEE Trans. Geosci. Remote Sens. 43, 2005, 898), the restart
 *            of largest volume
 *   PPI      pixel purity index (Boardman et al., JPL AVIRIS workshop, 1995), then the k votes that are far enough apart
 *   SISAL    smallest simplex about the pixels, some of which may lie outside (sisal.h): no pure pixels are needed
 *   MINVOL   nonnegative factorisation of minimal volume (minvol.h) from the simplex of SISAL: no pure pixels are needed
 *
 * Invariants of a result: k >= 1; spectra are finite; where they are pixels, pixel[] says which, ascending order is not implied.
 * Endmembers are in the order of their share in the data, largest first (ties: as found). Same bytes for any number of threads.
 * Owner: the caller holds the structs; hs_endmembers_release frees what a result holds and accepts a zeroed one. */
#ifndef HS_UNMIX_ENDMEMBER_H
#define HS_UNMIX_ENDMEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"
#include "unmix/hysime.h"
#include "unmix/purity.h"

enum hs_endmember_method {
	HS_ENDMEMBER_AUTO,
	HS_ENDMEMBER_NFINDR,
	HS_ENDMEMBER_SPA,
	HS_ENDMEMBER_VCA,
	HS_ENDMEMBER_PPI,
	HS_ENDMEMBER_SISAL,
	HS_ENDMEMBER_MINVOL
};

#define HS_ENDMEMBERS_MOST 64         /* largest k, given or chosen */
#define HS_NO_PIXEL SIZE_MAX

struct hs_endmember_options {
	enum hs_endmember_method method;
	size_t k;                     /* endmembers wanted; 0: chosen */
	size_t n_y, n_x;              /* the last two dimensions of the pixel grid, for smoothing; 0: no grid, no smoothing */
	double smooth;                /* standard deviation of the Gaussian, pixels; 0: none; negative: 1 for AUTO where neighbours
	                               * are alike, none for the others */
	double purest;                /* AUTO: share of the pixels each endmember is the mean of, below 1; 0: the N-FINDR pixels */
	bool min_volume;              /* AUTO: and then minvol.h */
	bool poisson;                 /* counts: channels are divided by the root of their mean, so that noise is alike */
	bool unit_sum;                /* rows are divided by their sum first: thickness does not count. Rows whose sum is not
	                               * positive take no part; spectra come back times the mean sum of the others */
	size_t restarts;              /* VCA: runs, >= 1 */
	size_t skewers;               /* PPI: random directions, >= 1 */
	double tau;                   /* SISAL: weight of what lies outside; negative: from the noise */
	double lambda;                /* min_volume, MINVOL: weight of the volume relative to the misfit at the start; negative:
	                               * 0.1 and 0.01 */
	size_t max_iter;              /* SISAL, MINVOL: >= 1 */
	uint64_t seed;                /* VCA, PPI */
	bool (*stop)(void *ctx);      /* asked between iterations; true ends with what there is. NULL: never */
	void *stop_ctx;
};

enum hs_endmember_status {
	HS_ENDMEMBER_DONE,
	HS_ENDMEMBER_MAXITER,         /* SISAL, MINVOL: max_iter came first */
	HS_ENDMEMBER_STOPPED,
	HS_ENDMEMBER_DEGENERATE       /* fewer than asked, or fewer than two: the data have no more dimensions */
};

struct hs_endmembers {
	enum hs_endmember_method method;
	enum hs_endmember_status status;
	size_t n_rows, n_chan;
	size_t n_used;                /* rows that took part */
	size_t k;                     /* endmembers found; below options.k only when DEGENERATE */
	double *spectrum;             /* k x n_chan, in the unit of the data */
	size_t *pixel;                /* k: row of the source, HS_NO_PIXEL where the spectrum is not a pixel's. The spectrum of a pixel
	                               * is its projection on the subspace, after smoothing: less noise than the pixel has */
	double *share;                /* k: mean abundance of the pixels, from their barycentric coordinates cut at 0; sum 1 */
	double *mean;                 /* n_chan: the affine subspace is mean + span of axes, in the unit of the data (unit_sum:
	                               * times the mean sum) */
	double *axes;                 /* (k - 1) x n_chan; orthonormal unless poisson, then orthonormal once divided by the
	                               * root of the mean */
	double *noise;                /* n_chan: standard deviation of the noise of each channel, in the unit of the data */
	double noise_rms;             /* root mean square of that */
	double snr_db;                /* 10 log10 of signal power over noise power; INFINITY when there is no noise to be seen */
	double smoothed;              /* standard deviation of the Gaussian that was used, 0: none */
	double likeness;              /* correlation of the signal of neighbouring pixels, NAN without a grid */
	double log_volume;            /* ln of the volume of the simplex in the coordinates of the subspace, -INFINITY for k = 1 */
	double tau, lambda;           /* used, NAN where they play no role */
	size_t n_iter;                /* of SISAL or MINVOL, sweeps of N-FINDR, restarts of VCA, skewers of PPI */
	struct hs_endmember_count count;      /* how many there are, by every rule; count.chosen is used when options.k is 0. With k
	                               * given and more than 512 channels only by the rules that need eigenvalues alone */
	struct hs_purity purity;      /* is there a pixel near each corner, and which methods that favours */
	char why[320];                /* what was chosen and on what grounds: one or two clauses */
};

/* k as given; method AUTO as in the comment: smoothing automatic, purest 0.05, no min_volume; 20 restarts, 10000 skewers, tau and
 * lambda automatic, 200 iterations, seed 0. */
struct hs_endmember_options hs_endmember_defaults(enum hs_endmember_method method, size_t k);

/* "auto", "nfindr", ... */
const char *hs_endmember_method_name(enum hs_endmember_method method);

/* Errors: HS_USAGE for k above HS_ENDMEMBERS_MOST, options out of their range, a grid that does not divide n_rows; HS_BAD_DATA
 * when no row takes part, poisson and a negative channel mean, more than 16384 rows and channels (moments.h); HS_SYSTEM; what the
 * source reports. Fewer dimensions than k - 1 give fewer endmembers, status DEGENERATE and a warning. out is released by the
 * caller, also after failure. */
int hs_endmembers_find(
	struct hs_rowsource *rows, const struct hs_endmember_options *options, struct hs_endmembers *out, struct hs_err *err);
void hs_endmembers_release(struct hs_endmembers *out);

/* Bytes hs_endmembers_find holds at its peak, the row source's own buffers not counted; threads <= 0: hs_par_threads(). */
size_t hs_endmembers_bytes(size_t n_rows, size_t n_chan, const struct hs_endmember_options *options, int threads);

#endif
