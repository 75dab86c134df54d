/* tsqr - the triangular factor of all rows: r with r^T r = sum y y^T, by orthogonal transformations alone.
 *
 * The products of moments.h square every number, so they see amplitudes down to 1e-8 of the largest. Here blocks are reduced by
 * QR and stacked pairwise in the fixed tree of par.h (Demmel, Grigori, Hoemmen, Langou, SIAM J. Sci. Comput. 34, 2012, A206):
 * singular values are good to 1e-15 of the largest. Twice the work of the products, float64 always.
 *
 * Centring happens on the way: a block is centred on its own mean, and joining two sets of rows adds the one row
 * sqrt(n_a n_b / (n_a + n_b)) (mean_b - mean_a), which is the rule of Chan, Golub and LeVeque before squaring. So rows that
 * were seen earlier and are known by their factor alone can be joined as well (hs_tsqr_join). Owns its arrays. */
#ifndef HS_FACTOR_TSQR_H
#define HS_FACTOR_TSQR_H

#include "math/frame.h"

struct hs_tsqr {
	struct hs_survey survey;      /* frame and counts, as one pass of survey would find them */
	size_t n_r;                   /* rows of r: at most n_chan */
	double *r;                    /* n_r x n_chan, of y as in the frame (shifted; Poisson channels scaled) */
};

/* One pass. Failures as of hs_survey_init. Released by the caller, also after failure. */
int hs_tsqr_init(struct hs_tsqr *t, struct hs_rowsource *rows, const struct hs_moments_options *o, struct hs_err *err);
void hs_tsqr_release(struct hs_tsqr *t);

/* Rows of an earlier set with the same centring: how many there were, their mean spectrum, and k rows f (k x n_chan) with
 * f^T f = sum y y^T of theirs, as far as it is known; `lost` is the part of their trace that f leaves out. f is in the frame of
 * that set; with Poisson scaling its channels are scaled anew. */
struct hs_tsqr_earlier {
	size_t n, k;
	const double *mean, *f;
	double lost;
};
int hs_tsqr_join(struct hs_tsqr *t, const struct hs_tsqr_earlier *earlier, struct hs_err *err);

/* Singular values (min(n_r, n_chan), descending) and right singular vectors (a row each) of r, which is destroyed. */
int hs_tsqr_svd(struct hs_tsqr *t, double *s, double *v, struct hs_err *err);

/* Bytes at the peak. */
size_t hs_tsqr_bytes(size_t n_rows, size_t n_chan, int threads);

#endif
