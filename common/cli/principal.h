/* principal - the principal part of a signal as scores and loadings: found here by PCA when the signal is spectra, or read when
 * it is the scores that hspca wrote (with loadings and mean beside them in the same step).
 *
 * x ~ mean + t l, without mean when it was not taken away (Poisson scaling, hspca -c none). The number of components is given, or
 * it is hspca's: the Tracy-Widom test; of scores, all there are. It is never more than the data have beyond rounding, which a
 * warning says.
 *
 * Owner: the struct owns its arrays; `like` points into the struct, which must stay where it is. */
#ifndef HS_CLI_PRINCIPAL_H
#define HS_CLI_PRINCIPAL_H

#include "cli/pixels.h"
#include "factor/factored.h"

struct hs_principal_options {
	size_t n_comp;                /* 0: to be found, */
	size_t most;                  /* and then at most so many, for which there is room */
	bool poisson;                 /* counts; of spectra only */
	bool exact;                   /* float64 throughout */
};

struct hs_principal {
	struct hs_factored f;
	double *mean;                 /* f.n_chan, or NULL: see above */
	struct hs_signal shape;       /* of scores: their pixels with the channels of the loadings */
	struct hs_pixels like;        /* for results: the pixels of the input with the channels of the loadings; borrows */
};

/* Errors: HS_USAGE for poisson with scores, HS_SYSTEM when more than `most` are found, HS_BAD_DATA when spectra do not differ;
 * those of hs_moments, hs_pca and reading. p is released by the caller, also after failure. */
int hs_principal_init(struct hs_principal *p, struct hs_pixels *px, const struct hs_principal_options *options,
	struct hs_err *err);
void hs_principal_release(struct hs_principal *p);

/* Bytes held at the peak, scores and loadings included. */
uint64_t hs_principal_bytes(size_t n_pix, size_t n_chan, size_t k, int threads);

/* Signal number `signal` is a result of hspca: did that step take the mean spectrum away? Its record says so. */
bool hs_mean_was_removed(const struct hs_in *in, size_t signal);

#endif
