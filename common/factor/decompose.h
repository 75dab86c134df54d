/* decompose - principal components by whichever method suits the size and the range of the data.
 *
 *	EXACT    products of moments.h and their eigenproblem: one pass, all eigenvalues, down to 1e-8 of the largest amplitude.
 *	         n p min(n, p) flops, a matrix of min(n, p)^2.
 *	TSQR     triangular factor and its singular values (tsqr.h): one pass, all eigenvalues, down to 1e-15 of the largest
 *	         amplitude. 2 n p^2 flops, float64 always.
 *	RANDOM   subspace iteration from random directions (rsvd.h): four passes, k eigenvalues. 12 n p (k + 10) flops.
 *	SKETCH   one reading, scores included (sketch.h): k eigenvalues. 4 n p (6 k + 30) flops, n (7 k + 30) numbers.
 *	AUTO     EXACT while the smaller side is at most 4096, for the matrix is small then and its eigenproblem takes seconds;
 *	         beyond, whichever of EXACT and RANDOM costs fewer flops; RANDOM when EXACT is out of reach (HS_MOMENTS_MAX). */
#ifndef HS_FACTOR_DECOMPOSE_H
#define HS_FACTOR_DECOMPOSE_H

#include "factor/pca.h"
#include "factor/tsqr.h"

enum hs_pca_method { HS_PCA_AUTO, HS_PCA_EXACT, HS_PCA_RANDOM, HS_PCA_SKETCH, HS_PCA_TSQR };

struct hs_pca_how {
	enum hs_pca_method method;
	struct hs_moments_options options;
	size_t n_comp;                /* most components with vectors; RANDOM and SKETCH know as many eigenvalues */
	uint64_t seed;                /* of RANDOM and SKETCH */
	bool silent;                  /* no remarks: one round of many */
};

/* What AUTO means for n rows of p channels. */
enum hs_pca_method hs_pca_choose(size_t n_rows, size_t n_chan, size_t n_comp);

/* Rows left out and rows that are no counts are remarked on, unless silent. Failures as of the modules above. Released by the
 * caller (hs_pca_release), also after failure. */
int hs_pca_find(struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how, struct hs_err *err);

/* Components from the factor of all rows, which is destroyed with the survey's frame taken (the caller still releases t). */
int hs_pca_from_factor(struct hs_pca *pca, struct hs_tsqr *t, size_t n_comp, struct hs_err *err);

/* The components of rows and of an earlier set together (M. Brand, Linear Algebra Appl. 415, 2006, 20; D. A. Ross, J. Lim, R.-S.
 * Lin, M.-H. Yang, Int. J. Comput. Vis. 77, 2008, 125): the factor of the rows stacked on what is known of the earlier ones. As
 * exact as that is: the earlier set's truncation is all that is lost. centre and poisson are those of the earlier set. */
int hs_pca_update(struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how,
	const struct hs_tsqr_earlier *earlier, struct hs_err *err);

/* Bytes at the peak of finding and of the second passes. */
size_t hs_pca_find_bytes(size_t n_rows, size_t n_chan, enum hs_pca_method method, size_t n_comp, int threads);

#endif
