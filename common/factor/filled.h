/* filled - a row source in which missing elements are estimated from the rest of their spectrum.
 *
 * An element is missing when it is not finite, or equals the fill value, in a row that is not masked. What a model of principal
 * components says about it is the mean of its distribution given the elements that are there, under probabilistic PCA (M. E.
 * Tipping, C. M. Bishop, J. R. Stat. Soc. B 61, 1999, 611): scores t minimise
 *	sum over elements that are there (z_j - sum_c t_c v_cj)^2 + noise sum_c t_c^2 / (lambda_c - noise),
 * z = x - shift, with Poisson scaling x / root_sum; and then x_j = shift_j + sum_c t_c v_cj, or its product with root_sum_j. With
 * double centring the level of the row is one more unknown, without a penalty. Rows of which nothing is there are skipped.
 *
 * The source below, the mask and the model are borrowed; the model may change between passes. Same type as below. */
#ifndef HS_FACTOR_FILLED_H
#define HS_FACTOR_FILLED_H

#include <math.h>

#include "math/moments.h"

struct hs_fill_model {
	const struct hs_row_frame *frame;     /* shift, root_sum */
	size_t k;
	const double *vector;                 /* k x n_chan, orthonormal */
	const double *variance;               /* lambda_c */
	double noise;                         /* variance of an element that no component explains */
};

/* What is missing where. */
struct hs_gaps {
	const uint8_t *mask;                  /* n_rows: nonzero, the whole row is out; or NULL */
	bool has_fill;
	double fill;
};

static inline bool hs_gap_at(const struct hs_gaps *g, double x)
{
	return !isfinite(x) || (g->has_fill && x == g->fill);
}

/* Counts, and the mean of each channel over the elements that are there (n_chan; 0 where there are none). One pass. */
struct hs_gap_survey {
	size_t n_rows, n_elements;            /* rows with gaps that are filled; elements missing in them */
	size_t n_lost;                        /* rows not masked of which nothing is there */
};
int hs_gaps_survey(struct hs_rowsource *rows, const struct hs_gaps *gaps, struct hs_gap_survey *s, double *mean,
	struct hs_err *err);

struct hs_rowsource *hs_filled_new(struct hs_rowsource *rows, const struct hs_gaps *gaps, const struct hs_fill_model *model,
	struct hs_err *err);
void hs_filled_free(struct hs_rowsource *rows);
size_t hs_filled_bytes(size_t n_chan, size_t k, int threads);

#endif
