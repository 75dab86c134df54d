/* nmf_rank - how many components: held-out values and repeated starts.
 *
 * Speckled cross-validation (Wold, Technometrics 20 (1978) 397; Owen, Perry, Ann. Appl. Stat. 3 (2009) 564): a tenth of the
 * values, anywhere, is hidden, the factors are found without them and tried on them. Components of noise make the hidden values
 * worse. The number chosen is the smallest whose error exceeds the least by no more than the standard error of that difference,
 * over three such tenths.
 *
 * Stability looks at the spectra: random starts that end in one optimum find the same ones. It is the smallest cosine between
 * matched spectra of two starts, averaged over pairs of starts; it does not decide.
 *
 * Both work on a stratified random sample of the rows of up to a million values. Same bytes for any number of threads. The caller
 * releases the table. */
#ifndef HS_UNMIX_NMF_RANK_H
#define HS_UNMIX_NMF_RANK_H

#include "unmix/nmf.h"

struct hs_nmf_rank_row {
	size_t k;
	double error;                 /* mean square of hidden values less model, or twice their mean divergence (POISSON) */
	double beyond;                /* standard error of its difference to the least */
	double fit;                   /* the same error of the values that were not hidden */
	double stability;             /* 0 .. 1 */
};

struct hs_nmf_ranks {
	size_t n, best;               /* rows, in order of k; index of the one chosen */
	struct hs_nmf_rank_row *row;
	size_t n_sample;              /* rows of the data that were looked at */
	bool at_edge;                 /* the largest number tried was still the best */
	bool stopped;                 /* by opt->stop: larger numbers were not tried */
};

/* Tries k = 1 .. k_max, and ends when three in a row are worse than the best. opt->k is not used. Errors as hs_nmf. */
int hs_nmf_choose(struct hs_rowsource *rows, size_t k_max, const struct hs_nmf_options *opt, struct hs_nmf_ranks *table,
	struct hs_err *err);
void hs_nmf_ranks_release(struct hs_nmf_ranks *table);

/* Bytes hs_nmf_choose holds at its peak. */
size_t hs_nmf_choose_bytes(size_t n_rows, size_t n_chan, size_t k_max, const struct hs_nmf_options *opt, int threads);

#endif
