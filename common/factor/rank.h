/* rank - how many components are signal: every selector that eigenvalues, n and p can answer (parallel.h asks the data).
 *
 * eig holds n_eig eigenvalues of a covariance matrix, descending, >= 0; n is the number of spectra that took part, p the number
 * of channels (hs_pca: n_rows_free, n_chan_free); eigenvalues beyond n_eig are zero. All are pure functions, free of scale:
 * multiplying the data by any factor changes no answer. Eigenvalues below max(n, p) * 2^-52 of the first count as zero. Data
 * without variance have rank 0. */
#ifndef HS_FACTOR_RANK_H
#define HS_FACTOR_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Sequential test of the largest remaining eigenvalue against the Tracy-Widom law of noise (Johnstone, Ann. Stat. 29, 2001,
 * 295; Kritchman and Nadler, Chemom. Intell. Lab. Syst. 94, 2008, 19), level 1 % (HS_TW_1) or 5 % (HS_TW_5). */
#define HS_TW_1 2.0234
#define HS_TW_5 0.9793
size_t hs_rank_tw(const double *eig, size_t n_eig, size_t n, size_t p, double threshold);

/* The same against noise that is not quite even. Counting noise follows the signal, and no scaling of rows and channels makes it
 * flat, so its eigenvalues reach beyond the law's edge, the more plainly the more spectra there are. The edge is moved to
 * where the eigenvalues behind have it: the median ratio, 1 at least, of the third to those of the upper 5 % of them to
 * their places in the Marchenko-Pastur law. On even noise that is 1 and nothing changes. */
size_t hs_rank_edge(const double *eig, size_t n_eig, size_t n, size_t p, double threshold);

/* Singular values above the optimal hard threshold for unknown noise (Gavish and Donoho, IEEE Trans. Inf. Theory 60, 2014,
 * 5040): omega(beta) times their median. */
size_t hs_rank_gd(const double *eig, size_t n_eig, size_t n, size_t p);

/* Median of the Marchenko-Pastur law of aspect 0 < beta <= 1, unit variance. */
double hs_marchenko_pastur_median(double beta);

/* Laplace evidence of probabilistic PCA (Minka, NIPS 13, 2000). */
size_t hs_rank_minka(const double *eig, size_t n_eig, size_t n, size_t p);

/* Bayesian information criterion of probabilistic PCA (Tipping and Bishop, J. R. Stat. Soc. B 61, 1999, 611). */
size_t hs_rank_bic(const double *eig, size_t n_eig, size_t n, size_t p);

/* The knee of the scree plot as HyperSpy defines it: the component farthest from the straight line between the logarithms of
 * the first and the 21st (or last) ratio; counted from zero, plus one. On a clear knee that is the first component of noise,
 * one more than the rank. */
size_t hs_rank_elbow(const double *eig, size_t n_eig);

enum { HS_RANK_TESTS = 6 };
extern const char *const hs_rank_names[HS_RANK_TESTS];    /* "Tracy-Widom", "Gavish-Donoho", ... the last needs the data */

#define HS_RANK_UNKNOWN SIZE_MAX
struct hs_ranks {
	size_t tw, edge, gd, minka, bic, elbow;
	size_t parallel;              /* HS_RANK_UNKNOWN until hs_ranks_set_parallel */
	size_t known;                 /* eigenvalues there were, when not all; else HS_RANK_UNKNOWN */
	size_t p;
	size_t chosen;                /* edge: right most often on Poisson-scaled spectra; 0: all is noise */
	bool disagree;                /* reason says why the choice should be looked at */
	char reason[240];
};

void hs_ranks_find(struct hs_ranks *r, const double *eig, size_t n_eig, size_t n, size_t p);

/* From the leading eigenvalues and the whole variance, as methods that do not solve for all of them know it. Tracy-Widom and BIC
 * need no more than that; Minka and Gavish-Donoho take the unknown ones from where noise of the variance that is left would
 * have them (Marchenko-Pastur), the elbow looks at the known ones. No answer can exceed n_known, and reason says so when the
 * chosen one reaches it. floor: eigenvalues below this share of the first are rounding (hs_pca). */
int hs_ranks_find_among(struct hs_ranks *r, const double *eig, size_t n_known, double total, double floor, size_t n, size_t p,
	struct hs_err *err);
void hs_ranks_set_parallel(struct hs_ranks *r, size_t parallel);

#endif
