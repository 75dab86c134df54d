/* abundance - how much of each endmember a pixel holds: x ~ sum_j a_j e_j, pixel by pixel, in one pass over the rows.
 *
 *   FCLS      a >= 0 and sum a = 1: fully constrained least squares (Heinz, Chang, IEEE Trans. Geosci. Remote Sens. 39 (2001)
 * 529)
 *   NNLS      a >= 0: the sum tells how thick or bright a pixel is (Lawson, Hanson, 1974)
 *   NNLS_SUM  NNLS divided by its sum: shares without the brightness; zero where NNLS is zero
 *   SUNSAL    a >= 0 and a price on their sum, least |x - E a|^2 / 2 + l sum a: few of many spectra (sunsal.h)
 *   LS        nothing asked of a; of equally good answers the one of least norm in units of |e_j|
 * All minimise |W (x - E a)|^2, W the weights of the channels (1 unless given).
 *
 * Numbers. Endmembers and rows are divided by one power of two; each endmember is brought to length 1 (NNLS, SUNSAL, LS: the
 * answer is undone) or their mean is taken away from everything (FCLS: the answer is the same), so neither units nor a common
 * offset cost digits. Then b = E x for a strip of rows is one product, and activeset.h solves up to 12 endmembers from a table.
 * Exact means: the optimum to 1e-9 of the largest scalar product; a >= 0 exactly; |sum - 1| < 1e-12. float64 throughout, results
 * handed on as float32.
 *
 * Degenerate endmembers have the defined answers of activeset.h: of two equal ones the first gets it all (LS: both the same).
 *
 * The struct owns its arrays; a pass only reads it. */
#ifndef HS_UNMIX_ABUNDANCE_H
#define HS_UNMIX_ABUNDANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rowsource.h"
#include "unmix/activeset.h"
#include "unmix/sunsal.h"

enum hs_abundance_method {
	HS_ABUNDANCE_FCLS,
	HS_ABUNDANCE_NNLS,
	HS_ABUNDANCE_NNLS_SUM,
	HS_ABUNDANCE_SUNSAL,
	HS_ABUNDANCE_LS
};

struct hs_abundance_options {
	enum hs_abundance_method method;
	double lambda;                /* SUNSAL: l in units of the mean of |W e_j|^2: about what an abundance loses; >= 0 */
	const double *weight;         /* W: n_chan, >= 0; borrowed; NULL: 1 */
	double row_sum;               /* > 0: every row is first scaled to this sum; rows whose sum is not positive take no part */
	bool no_table;                /* for tests: as if there were more endmembers than activeset.h tabulates */
};

struct hs_abundance {
	enum hs_abundance_method method;
	size_t k, n_chan;
	double scale, row_sum;        /* scale: power of two that brings the endmembers to order 1 */
	double *model;                /* k x n_chan: endmembers as scaled, shifted, of length 1 */
	double *probe;                /* its products with a row are b: model times W^2, or model itself; LS: the pseudo-inverse */
	double *shift;                /* n_chan, or NULL */
	double *unit;                 /* k: abundance of 1 in model is this much of the endmember as given */
	double *price;                /* k: SUNSAL, taken from b; or NULL */
	bool alternating;             /* SUNSAL by sunsal.h */
	struct hs_active_set set;
	struct hs_sunsal sunsal;
};

/* spectra: k x n_chan. HS_USAGE for k = 0, a lambda below 0; HS_BAD_DATA for spectra or weights that are not finite. Released by
 * the caller, also after failure. */
int hs_abundance_init(struct hs_abundance *u, const double *spectra, size_t k, size_t n_chan,
	const struct hs_abundance_options *options, struct hs_err *err);
void hs_abundance_release(struct hs_abundance *u);

/* Bytes that hs_abundance_init and hs_abundance_rows hold. */
size_t hs_abundance_bytes(size_t n_chan, size_t k, int threads);

/* What a pass finds besides the abundances. */
struct hs_abundance_sums {
	double *residual;             /* the caller's, n_rows, or NULL: root mean square over channels of x - E a, without weights, in
	                               * the unit of x; NaN for rows that take no part */
	double *mean;                 /* the caller's, k, or NULL: mean abundances */
	size_t n_used;                /* rows that take part */
	size_t n_unsolved;            /* of those: the iteration ended before the optimum; a is feasible */
	double rms;                   /* of all residuals */
};

/* One pass: abundances of every row (width k) to put, or only the sums when put is NULL. NaN for rows that are skipped.
 * HS_BAD_DATA when the channels differ or a row is too large for the endmembers (their ratio beyond float64). */
int hs_abundance_rows(const struct hs_abundance *u, struct hs_rowsource *rows, hs_rows_put put, void *to,
	struct hs_abundance_sums *sums, struct hs_err *err);

/* The answer for n products b (n x k, with probe) in memory: a (n x k), of the endmembers as given. scratch:
 * hs_abundance_scratch(u, n) doubles. Returns how many were not solved. What hs_abundance_rows does in its inner loop. */
size_t hs_abundance_solve(const struct hs_abundance *u, double *b, size_t n, double *a, double *scratch);
size_t hs_abundance_scratch(const struct hs_abundance *u, size_t n);

#endif
