/* nmf - non-negative matrix factorisation of a row source: x ~ sum_j w_j h_j with maps w and spectra h that are never below zero.
 *
 * EUCLIDEAN minimises
 *	F = 1/2 |X - W H|^2 + sparse * s * sum_j |w_j|_1 |h_j|_2 + smooth / 2 * sum_j |w_j|^2 |D h_j|^2
 * with D the second difference along the channels and s the root mean square norm of a row: both penalties look at the component
 * w_j h_j alone and not at how its scale is shared between the two, and both numbers have no unit. POISSON minimises the
 * Kullback-Leibler divergence sum (y - x + x ln(x / y)), y = W H, which is the likelihood of counts.
 *
 * Values that are missing (NaN, infinite, the fill value) are left out one by one: a row with some of them takes part with the
 * others. Rows of the mask, and rows without any value, take no part; their w and residual are NaN.
 *
 * Invariants of a result: no element of w and h is negative, exactly; spectra have mean 1, so that w is in the unit of the data
 * and means the mean signal of the component in a pixel - with sum_to_one the rows of w sum to 1 and the spectra are in the unit
 * of the data; components are ordered by their sum over all values (ties: the first found); a component that the data do not
 * need is zero, and last. trace never rises. Same bytes for any number of threads.
 *
 * Owner: the caller holds the structs; hs_nmf_release frees what the result holds and accepts a zeroed struct. */
#ifndef HS_UNMIX_NMF_H
#define HS_UNMIX_NMF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"

enum hs_nmf_loss { HS_NMF_EUCLIDEAN, HS_NMF_POISSON };
enum hs_nmf_start { HS_NMF_NNDSVD, HS_NMF_KMEANS, HS_NMF_RANDOM };
enum hs_nmf_status { HS_NMF_CONVERGED, HS_NMF_MAXITER, HS_NMF_STOPPED };

struct hs_nmf_options {
	size_t k;                     /* components, >= 1 */
	enum hs_nmf_loss loss;
	enum hs_nmf_start start;      /* of the first run; the others begin at random */
	const double *spectra;        /* k x n_chan to begin from instead, of one run; or NULL */
	size_t restarts;              /* runs, >= 1; all but the best end on the compressed data */
	size_t max_iter;              /* >= 1: alternations of w and h, all stages of a run together */
	double tol;                   /* converged: the KKT residual is below it, or no digit of F is left to gain */
	uint64_t seed;
	double sparse, smooth;        /* >= 0; EUCLIDEAN */
	bool sum_to_one;              /* EUCLIDEAN, without sparse */
	const uint8_t *mask;          /* n_rows, not 0: takes no part; or NULL. Tells masked rows from rows with gaps */
	bool has_fill;                /* this value is missing, too */
	double fill;
	bool lean;                    /* hold w alone: more passes over the data, less memory */
	bool (*stop)(void *ctx);      /* asked after each alternation; true ends with what there is. NULL: never */
	void *stop_ctx;
};

struct hs_nmf {
	size_t n_rows, n_chan, k;
	size_t n_used, n_gaps;        /* rows that took part; of them with missing values */
	size_t n_empty;               /* components that are zero */
	double *w;                    /* n_rows x k, NaN for rows that took no part */
	double *h;                    /* k x n_chan */
	double *residual;             /* n_rows: root mean square of x - w h over the values there are */
	double error2, norm2;         /* |X - W H|^2 and |X|^2 over the values there are */
	double objective;             /* F, or the divergence, of the result */
	double kkt;                   /* residual of the optimality conditions, see nmf.c; 0 at a stationary point */
	double negative;              /* part of norm2 that is in values below zero */
	size_t n_iter, n_passes;      /* alternations of the best run; passes over the data in all */
	size_t n_trace;
	double *trace;                /* n_trace: F after each exact pass, falling */
	size_t restart;               /* the best, from 0 */
	enum hs_nmf_status status;
};

/* NNDSVD, 4 runs, 2000 alternations, tol 1e-5, seed 0. */
struct hs_nmf_options hs_nmf_defaults(size_t k);

/* Errors: HS_USAGE for options that do not go together or are out of range; HS_BAD_DATA for data without a usable row, values
 * whose squares overflow, negative values with POISSON; HS_SYSTEM for memory; what the source reports. */
int hs_nmf(struct hs_rowsource *rows, const struct hs_nmf_options *opt, struct hs_nmf *out, struct hs_err *err);
void hs_nmf_release(struct hs_nmf *result);

/* Bytes hs_nmf holds at its peak, the result included, the row source's own buffers not; threads <= 0: hs_par_threads(). */
size_t hs_nmf_bytes(size_t n_rows, size_t n_chan, const struct hs_nmf_options *opt, int threads);

#endif
