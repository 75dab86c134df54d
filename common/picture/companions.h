/* companions - what belongs beside a picture: the spectra of component maps, the centroids of labels, the variance, the residual,
 * the dendrogram, how the number of components was chosen. All of them are signals of the same step, known by their names
 * (hsdata(5)); those that are not there are left out.
 *
 * Each is added to the maker's plan. Errors are those of reading and memory. */
#ifndef HS_PICTURE_COMPANIONS_H
#define HS_PICTURE_COMPANIONS_H

#include "picture/maker.h"

bool hs_is_variance(const struct hs_signal *s);
bool hs_is_choice(const struct hs_signal *s);
bool hs_is_dendrogram(const struct hs_signal *s);

/* Beside component maps: their spectra or patterns; variance; residual; choice. */
int hs_companions_of_maps(struct hs_maker *m, struct hs_err *err);

/* Beside a label map: centroids (as spectra where there are such), dendrogram, choice. */
int hs_companions_of_labels(struct hs_maker *m, struct hs_err *err);

/* One of them, signal number i: merges in the colours of the clusters found; the figures of merit of each number tried, the one
 * chosen marked. */
int hs_companion_dendrogram(struct hs_maker *m, size_t i, struct hs_err *err);
int hs_companion_choice(struct hs_maker *m, size_t i, struct hs_err *err);

#endif
