/* ica - independent components: samples of mixed signals t are taken apart into sources s = unmix (t - mean) that depend on
 * each other as little as possible; t = mean + mix s.
 *
 * t (n x k) is whitened (whiten.h) and turned by an orthogonal matrix:
 *   PICARD, FASTICA, DEFLATION   best sum of contrasts (picard.h, fastica.h); the first two have the same solutions
 *   JADE                         most diagonal fourth-order cumulants (jade.h)
 *   ORTHOMAX                     largest sum of fourth powers: each sample has few sources. The signals are not centred; for
 *                                white signals all criteria of the orthomax family (varimax, quartimax) are this one
 * Sources have unit variance about their mean (ORTHOMAX: unit mean square) and are uncorrelated, both to rounding.
 *
 * Reliability. The first run takes all samples and starts from the whitened axes. Each further restart takes a random start and
 * a resample with replacement, of at most 16384 samples or 256 k, and is compared on all samples: where it came to another
 * and better place, the search goes on from there. Sources of all runs are paired with those of the result; the index of a
 * group is the mean correlation within it minus the mean correlation with the others (J. Himberg, A. Hyvarinen, F. Esposito,
 * NeuroImage 22 (2004) 1214, who find the groups by clustering): 1 when every run finds the source, near 0 when it is chance.
 *
 * Same bytes for any number of threads. The struct owns its arrays; a zeroed struct may be released. */
#ifndef HS_FACTOR_ICA_H
#define HS_FACTOR_ICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "factor/contrast.h"
#include "factor/turn.h"

enum hs_ica_method { HS_ICA_PICARD, HS_ICA_FASTICA, HS_ICA_DEFLATION, HS_ICA_JADE, HS_ICA_ORTHOMAX };

struct hs_ica_options {
	enum hs_ica_method method;
	enum hs_contrast_kind contrast;       /* FASTICA, DEFLATION; PICARD is LOGCOSH, ORTHOMAX QUARTIC */
	size_t restarts;              /* >= 1 */
	size_t max_iter;              /* >= 1 */
	double tol;                   /* radians an iteration may still turn */
	uint64_t seed;
	bool (*stop)(void *ctx);
	void *stop_ctx;
};

struct hs_ica {
	size_t n, k_in;
	size_t k;                     /* sources: the rank of the signals, <= k_in */
	double *mean;                 /* k_in; zero for ORTHOMAX */
	double *unmix;                /* k x k_in */
	double *mix;                  /* k_in x k */
	double *kurtosis;             /* k: excess kurtosis of the source, 0 for a Gaussian one */
	double *reliability;          /* k, or NULL with a single restart */
	size_t n_runs;                /* restarts that count: resamples of lower rank do not */
	struct hs_turn turn;          /* status, iterations and trace of the run that gave the result */
};

/* Picard, 10 restarts, 500 iterations, 1e-8 rad, seed 1. */
struct hs_ica_options hs_ica_defaults(void);

/* t: n x k samples, all finite. Errors: HS_USAGE (JADE with too many signals), HS_BAD_DATA (no signal has variance, values that
 * are not finite), HS_SYSTEM. Sources are in the order in which they were found. */
int hs_ica(const double *t, size_t n, size_t k, const struct hs_ica_options *options, struct hs_ica *out, struct hs_err *err);
void hs_ica_release(struct hs_ica *ica);

/* New order and scale: source i becomes factor[i] times what source order[i] was. factor is not 0. */
void hs_ica_arrange(struct hs_ica *ica, const size_t *order, const double *factor);

/* How far from 0 the excess kurtosis of n Gaussian samples may be, turned by ICA: 3 standard errors, 0.1 at least. */
double hs_ica_gaussian_kurtosis(size_t n);

/* Bytes held at the peak, t not counted. */
size_t hs_ica_bytes(size_t n, size_t k, const struct hs_ica_options *options, int threads);

#endif
