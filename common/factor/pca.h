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
 * moments are released.
 *
 * Other ways to the same components (decompose.h) know the leading eigenvalues only, and the whole variance; some bring the
 * scores along, and then the second passes read no rows. */
#ifndef HS_FACTOR_PCA_H
#define HS_FACTOR_PCA_H

#include <stdbool.h>
#include <stddef.h>

#include "math/frame.h"

struct hs_pca {
	struct hs_row_frame frame;    /* mean, shift, root_sum; taken over from the moments */
	size_t n_used, n_chan, n_comp;
	size_t n_eig;                 /* eigenvalues known: all of them, min(n_used, n_chan), after hs_pca_init */
	double *eigenvalue;           /* variance along each component, descending, >= 0 */
	double total;                 /* the whole variance of y: the sum of all eigenvalues, known or not */
	double *basis;                /* n_comp x n_chan */
	double *loadings;             /* n_comp x n_chan; equals basis unless poisson */
	size_t n_rows_free, n_chan_free;      /* rows and channels that take part in the noise: what hs_rank_* want for n and p */
	double noise;                 /* of hs_moments */
	double floor;                 /* eigenvalues below this share of the first are rounding */
	size_t n_rows;                /* of the source that score and part belong to */
	double *score;                /* n_rows x n_comp: y v_k of every row, NaN for rows not used; or NULL: they take a pass */
	double *part;                 /* n_rows: what undoes a row's own change (hs_row_frame_apply); with score */
	double *sign;                 /* n_comp: +1 or -1, by which the sign rule turned each basis row */
};

/* Takes matrix and frame out of m (the caller still releases m). rows is read once more when m->gram. n_comp is cut to
 * min(n_used, n_chan); 0 gives eigenvalues alone. Released by the caller, also after failure. */
int hs_pca_init(struct hs_pca *pca, struct hs_moments *m, struct hs_rowsource *rows, size_t n_comp, struct hs_err *err);
void hs_pca_release(struct hs_pca *pca);

/* From what another method found: takes the arrays of s (the caller still releases it), and eigenvalue (n_eig) and basis
 * (n_comp x n_chan, orthonormal) in any case. floor as in the struct. */
int hs_pca_adopt(struct hs_pca *pca, struct hs_survey *s, size_t n_eig, double *eigenvalue, size_t n_comp, double *basis,
	double floor, struct hs_err *err);

/* Scores and parts that came along (n_rows x n_comp, n_rows); taken, also on failure. Signs are made those of the basis as it
 * was adopted. */
int hs_pca_keep(struct hs_pca *pca, size_t n_rows, double *score, double *part, struct hs_err *err);

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
