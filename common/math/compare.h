/* compare - two row sources side by side: how far their values lie apart, how alike their columns are.
 *
 * The two may hand out batches of any lengths; hs_pair cuts them into runs of rows that both have. Rows are compared as they
 * come, masked or not. Differences are in the unit of the values, correlations are pure numbers. One thread, float64, sums in
 * row order: the answer does not depend on batches. Sources are borrowed and must outlive the pair. */
#ifndef HS_MATH_COMPARE_H
#define HS_MATH_COMPARE_H

#include <stdbool.h>

#include "base/rowsource.h"

struct hs_pair {
	struct hs_rowsource *source[2];
	size_t row_bytes[2];          /* of a row as it is handed out */
	struct hs_batch batch[2];
	size_t used[2];               /* rows of the batch that are done */
};

/* From the first row on; as often as needed. */
int hs_pair_rewind(struct hs_pair *pair, struct hs_err *err);

/* The next *n rows of both, x[0] and x[1], valid until the following call; *n is 0 at the end of the shorter one. */
int hs_pair_next(struct hs_pair *pair, const void *x[2], size_t *n, struct hs_err *err);

/* Zeroed at first. NaN against NaN and an infinity against the same one are equal and counted nowhere. */
struct hs_difference {
	double largest;               /* magnitude in either */
	double worst, sum2;           /* largest difference; sum of their squares */
	size_t at;                    /* where the worst is; where the first is that is missing in one, when none differs */
	uint64_t n;                   /* pairs of numbers */
	uint64_t n_missing;           /* pairs where only one is a number, or infinities that differ */
};

void hs_difference_add(struct hs_difference *d, double a, double b, size_t at);

/* Pearson's correlation of each of the ka columns of one source with each of the kb of the other (float64 both) over the rows
 * that are finite in both, into r (ka x kb): one reading. Taken about the first such row, so that a large offset costs no digits.
 * Two flat columns are alike (1), a flat one resembles no other (0); NAN when there is no row. */
int hs_correlate_columns(struct hs_pair *pair, double *r, struct hs_err *err);

/* The pairing of columns with the largest sum of correlations, of their magnitudes when sign_blind: to[i] is the partner of
 * column i or -1, value[i] their correlation (NAN without). r: ka x kb, as above. */
int hs_match_columns(const double *r, size_t ka, size_t kb, bool sign_blind, ptrdiff_t *to, double *value, struct hs_err *err);

/* Adds column i of one against column to[i] of the other (float64 both), -1 being left out; with its sign turned when sign_blind
 * and value[i] is negative. Places count the elements of the first source. One reading. */
int hs_difference_columns(struct hs_pair *pair, const ptrdiff_t *to, const double *value, bool sign_blind,
	struct hs_difference *d, struct hs_err *err);

#endif
