/* nmf_start - where NMF begins; internal to unmix.
 *
 * Each fills f->w and f->h of factors whose arrays are zero. Random numbers are keyed by (seed, START, run). */
#ifndef HS_UNMIX_NMF_START_H
#define HS_UNMIX_NMF_START_H

#include <stdint.h>

#include "unmix/nmf_low.h"
#include "unmix/nmf_pass.h"

/* NNDSVD: of each singular pair the larger of its positive and negative parts (Boutsidis, Gallopoulos, Pattern Recognition 41
 * (2008) 1350), zeros raised to a hundredth of the mean of what is there. low->z has the scaled left singular vectors. */
int hs_nmf_start_nndsvd(const struct hs_nmf_low *low, struct hs_nmf_factors *f, struct hs_err *err);

/* Spectra are those of pixels at random, maps are fitted. */
int hs_nmf_start_random(const struct hs_nmf_low *low, const struct hs_nmf_rules *rules, uint64_t seed, size_t run,
	struct hs_nmf_factors *f, struct hs_err *err);

/* Spectra are given (k x p, what is below zero is cut off), maps are fitted. */
int hs_nmf_start_spectra(const struct hs_nmf_low *low, const struct hs_nmf_rules *rules, const double *spectra,
	struct hs_nmf_factors *f, struct hs_err *err);

/* Centroids of k-means, k x p; fewer clusters leave rows of zeros. rows has no gaps. */
int hs_nmf_centroids(struct hs_rowsource *rows, size_t k, uint64_t seed, double *spectra, struct hs_err *err);

/* Spectra of k pixels at random as measured, in one pass; for starts without low. */
int hs_nmf_pixels(struct hs_nmf_data *data, size_t k, uint64_t seed, double *spectra, struct hs_err *err);

/* Maps that sum to 1 for spectra that came with a free scale: the scale that brings the sums nearest to 1. */
int hs_nmf_to_simplex(struct hs_nmf_factors *f, struct hs_err *err);

#endif
