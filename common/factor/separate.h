/* separate - a factorisation x ~ t l (scores times loadings) turned into independent components: x ~ maps spectra.
 *
 * What is independent: the maps, and the samples are the pixels; or the spectra, and the samples are the channels. Of spectra the
 * differences of neighbouring channels may be taken first (once or twice): smooth backgrounds, which all spectra share, then
 * weigh little. What is found is applied to scores and loadings themselves, so maps spectra = t l to rounding, unless the
 * samples have a lower rank than there are factors.
 *
 * Order, sign, scale. Components are in the order of their share of the sum of squares of the model; the element of largest
 * magnitude of each spectrum is positive (hs_la_sign). Independent maps have unit variance, their spectra the unit of the data;
 * independent spectra have unit length, their maps the unit of the data. Maps are not centred: a mean that is still in t stays
 * in them.
 *
 * Owner: the struct owns what it points to. */
#ifndef HS_FACTOR_SEPARATE_H
#define HS_FACTOR_SEPARATE_H

#include "base/rowsource.h"
#include "factor/factored.h"
#include "factor/ica.h"

struct hs_separated {
	struct hs_ica ica;
	size_t k;                     /* components: ica.k */
	double *to_maps;              /* f.k x k: maps = t to_maps */
	double *spectra;              /* k x n_chan */
	double *share;                /* k: mean square of map times squared length of spectrum, as part of their sum */
};

/* diff: 0 .. 2, of spectra only. Errors of hs_ica; HS_USAGE when there are too few channels for diff. out is released by the
 * caller, also after failure. */
int hs_separate(const struct hs_factored *f, bool spectra, size_t diff, const struct hs_ica_options *options,
	struct hs_separated *out, struct hs_err *err);
void hs_separated_release(struct hs_separated *s);

/* The maps, a row a pixel, to put: NaN where there are no scores. */
int hs_separated_maps(const struct hs_factored *f, const struct hs_separated *s,
	hs_rows_put put, void *to, struct hs_err *err);

/* Bytes at the peak, those of f included. */
size_t hs_separate_bytes(size_t n_pix, size_t k, size_t n_chan, bool spectra, const struct hs_ica_options *options, int threads);

#endif
