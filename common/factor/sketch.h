/* sketch - leading components and scores from a single reading of the rows.
 *
 * Each row y is projected on l = 6 k + 30 random directions when it comes by: w = omega y is kept (n x l numbers), and
 * z = sum w y^T is summed. Together they give the orthogonal projection of all rows on the range of the kept combinations,
 * exactly: with w = q r, the matrix q^T y is r^-T z (for a stream of whole rows this is better than two independent sketches:
 * J. A. Tropp, A. Yurtsever, M. Udell, V. Cevher, SIAM J. Matrix Anal. Appl. 38, 2017, 1454, and NIPS 30, 2017). Its k leading
 * singular vectors are the components; the squared error exceeds the optimum by a factor of 1 + k / (l - k - 1) in expectation
 * (Halko, Martinsson, Tropp, SIAM Rev. 53, 2011, 217, theorem 10.5).
 *
 * Centring and the channel sums of Poisson scaling are known only at the end. Rows are shifted (scaled) by the first block's
 * mean (sums) on the way, and both are put right afterwards by linear algebra, which costs no digits. Amplitudes below 1e-7 of
 * the largest are not resolved, and come out as zero. */
#ifndef HS_FACTOR_SKETCH_H
#define HS_FACTOR_SKETCH_H

#include "math/frame.h"

#define HS_SKETCH_RESOLVED 1e-7       /* amplitude, of the largest */

struct hs_sketch {
	struct hs_survey survey;
	size_t k;                     /* components: at most what was asked, min(n_used, n_chan) */
	double *eigenvalue;           /* k */
	double *vector;               /* k x n_chan, orthonormal */
	double *score;                /* n_rows x k: y v, NaN for rows not used */
	double *part;                 /* n_rows: what undoes a row's own change */
};

/* One pass, no rewinding after the first. Released by the caller, also after failure. */
int hs_sketch_init(struct hs_sketch *s, struct hs_rowsource *rows, const struct hs_moments_options *o, size_t k, uint64_t seed,
	struct hs_err *err);
void hs_sketch_release(struct hs_sketch *s);
size_t hs_sketch_bytes(size_t n_rows, size_t n_chan, size_t k, int threads);

#endif
