/* unmix - the whole of linear unmixing: endmembers found or given, abundances of every pixel, all in one order.
 *
 *	x_i ~ sum_j a_ij e_j
 *
 * Endmembers come from endmember.h or from a library, abundances from abundance.h or with their uncertainty from blu.h. What is
 * asked of the channels (poisson) and of the rows (unit_sum) holds for both halves.
 *
 * Order: endmembers that were found by mean abundance, largest first (ties: as found); a library keeps its own. Same bytes for
 * any number of threads. n_rows x k numbers are held (four times that for HS_UNMIX_BAYES), never the rows.
 *
 * Owner: the caller holds the structs; hs_unmixed_release accepts a zeroed one. */
#ifndef HS_UNMIX_UNMIX_H
#define HS_UNMIX_UNMIX_H

#include "unmix/abundance.h"
#include "unmix/blu.h"
#include "unmix/endmember.h"

/* The methods of abundance.h in its order, then blu.h. */
enum hs_unmix_abundances {
	HS_UNMIX_FCLS,
	HS_UNMIX_NNLS,
	HS_UNMIX_NNLS_SUM,
	HS_UNMIX_SUNSAL,
	HS_UNMIX_LS,
	HS_UNMIX_BAYES
};

/* What abundance 1 of an endmember means: as it is in the data, or with its largest value or its sum brought to 1. */
enum hs_unmix_scale { HS_UNMIX_AS_IS, HS_UNMIX_MAX, HS_UNMIX_SUM };

struct hs_unmix_options {
	struct hs_endmember_options search;   /* its poisson, unit_sum, seed and stop hold for everything */
	const double *library;        /* n_library x n_chan, borrowed; NULL: search */
	size_t n_library;
	enum hs_unmix_abundances abundances;
	enum hs_unmix_scale scale;    /* AS_IS where abundances sum to one */
	double lambda;                /* SUNSAL, as in abundance.h */
	size_t samples;               /* BAYES: kept for each pixel, a fifth of that before */
	bool sample_endmembers;       /* BAYES: endmembers that were found are uncertain too; else they are taken as they are */
};

struct hs_unmixed {
	size_t n_rows, n_chan, k;
	bool found;                   /* endmembers were searched for: em says how, without its spectra and pixels, in the order found */
	struct hs_endmembers em;
	size_t *from;                 /* k: number in em, or in the library */
	double *spectrum;             /* k x n_chan, in the unit of the data (MAX, SUM: without unit) */
	double *abundance;            /* n_rows x k, NaN for rows that take no part; BAYES: posterior mean */
	double *residual;             /* n_rows: root mean square of what is left, in the unit of the data */
	double *mean;                 /* k: mean abundance */
	double rms;                   /* of all residuals */
	size_t n_used, n_unsolved;    /* rows with abundances; those whose iteration ended early */

	/* BAYES only, else NULL */
	double *abundance_sd, *low, *high;    /* n_rows x k: standard deviation, 2.5 and 97.5 % of the probability */
	double *spectrum_sd;          /* k x n_chan, NULL unless endmembers were sampled */
	double rhat, ess, endmember_rhat;     /* as in blu.h */
	bool stopped;
};

/* Errors: those of the parts; HS_USAGE for a scale with abundances that sum to one. out is released by the caller, also after
 * failure. */
int hs_unmix(struct hs_rowsource *rows, const struct hs_unmix_options *options, struct hs_unmixed *out, struct hs_err *err);
void hs_unmixed_release(struct hs_unmixed *out);

/* Bytes it holds at its peak, the result included. */
size_t hs_unmix_bytes(size_t n_rows, size_t n_chan, const struct hs_unmix_options *options, int threads);

#endif
