/* pca - principal components of a row source: eigenvalues, component spectra, scores, and the data rebuilt from them.
 *
 * y is the row as centred or scaled in moments.h. basis holds orthonormal rows v_k; y is approximated by sum_k t_k v_k.
 * What a file stores is in the unit of the measurement, so that x ~ sum_k scores_k loadings_k (+ what centring removed):
 *   not poisson   scores = y v_k                       loadings = v_k (the same array as basis)
 *   poisson       scores = sqrt(g) y v_k               loadings = v_k sqrt(h)
 * which is what HyperSpy returns after normalize_poissonian_noise ("factors * sqrt(bH)", "loadings * sqrt(aG)").
 * Each loading has its element of largest magnitude positive (hs_la_sign).
 *
 * n_comp may exceed the rank: eigenvalues are then zero and the surplus basis rows are some orthonormal completion.
 * Eigenvalues below the rounding of the matrix (size * 2^-52 * the largest; 1e-7 of it after float32 products) carry no
 * information; negative ones are set to zero. Struct owns its arrays; the second passes only read it, and may run after the
 * moments are released. */
#ifndef HS_MATH_PCA_H
#define HS_MATH_PCA_H

#include <stdbool.h>
#include <stddef.h>

#include "math/moments.h"

struct hs_pca {
	struct hs_row_frame frame;    /* mean, shift, root_sum; taken over from the moments */
	size_t n_used, n_chan, n_comp;
	size_t n_eig;                 /* eigenvalues known: min(n_used, n_chan) */
	double *eigenvalue;           /* variance along each component, descending, >= 0 */
	double total;                 /* their sum: the whole variance of y */
	double *basis;                /* n_comp x n_chan */
	double *loadings;             /* n_comp x n_chan; equals basis unless poisson */
	size_t n_rows_free, n_chan_free;      /* rows and channels that take part in the noise: what hs_rank_* want for n and p */
	double noise;                 /* of hs_moments */
};

/* Takes matrix and frame out of m (the caller still releases m). rows is read once more when m->gram. n_comp is cut to
 * min(n_used, n_chan); 0 gives eigenvalues alone. Released by the caller, also after failure. */
int hs_pca_init(struct hs_pca *pca, struct hs_moments *m, struct hs_rowsource *rows, size_t n_comp, struct hs_err *err);
void hs_pca_release(struct hs_pca *pca);

/* Bytes hs_pca_init and the second passes hold beside the moments' matrix. */
size_t hs_pca_bytes(size_t n_rows, size_t n_chan, size_t n_comp, int threads);

/* Part of the whole variance along component k, 0 when there is no variance at all. */
double hs_pca_ratio(const struct hs_pca *pca, size_t k);

/* One pass: scores on the first k <= n_comp components (width k). Skipped rows are NaN, rows that poisson scaling finds empty
 * are zero. Centring is done in float64 before the product; that is float32 for float32 sources unless exact. */
int hs_pca_scores(const struct hs_pca *pca, struct hs_rowsource *rows, size_t k, hs_rows_put put, void *ctx, struct hs_err *err);

/* One pass: every row rebuilt from the first k components (width n_chan), centring undone. Skipped rows are NaN. */
int hs_pca_rebuild(const struct hs_pca *pca, struct hs_rowsource *rows, size_t k, hs_rows_put put, void *ctx, struct hs_err *err);

#endif
