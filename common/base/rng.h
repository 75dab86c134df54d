/* rng - counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC11, 2011).
 *
 * A generator is a value keyed by (seed, stream, item): the numbers of one pixel do not depend on which thread draws them
 * or what was drawn before, so results are the same for any -j. stream separates uses of one seed (HS_STREAM_* below).
 * Each struct belongs to one thread; making one costs nothing. */
#ifndef HS_BASE_RNG_H
#define HS_BASE_RNG_H

#include <stdint.h>

struct hs_rng {
	uint32_t key[2], counter[4], out[4];
	unsigned left;
	double spare;         /* second normal deviate of a pair */
	int has_spare;
};

enum hs_rng_stream { /* one row a use; never renumber: stored results depend on it */
	HS_STREAM_TEST = 0,
	HS_STREAM_SCENE = 1,      /* hsgen: abundances, placement */
	HS_STREAM_NOISE = 2,      /* hsgen: noise of a pixel */
	HS_STREAM_SEEDING = 3,    /* k-means++ */
	HS_STREAM_SAMPLE = 4,     /* sampled silhouette, parallel analysis */
	HS_STREAM_PERMUTE = 5,
	HS_STREAM_PROJECTION = 6, /* randomized and sketched decompositions: test matrices */
	HS_STREAM_START = 7,      /* factorisations: random starts */
	HS_STREAM_HOLDOUT = 8,    /* entries held out for cross-validation */
	HS_STREAM_ENDMEMBER = 9,  /* VCA directions, PPI skewers */
	HS_STREAM_POSTERIOR = 10, /* Gibbs sampling */
	HS_STREAM_REFERENCE = 11, /* gap statistic: reference data */
	HS_STREAM_LANDMARK = 12,  /* spectral clustering: landmarks */
	HS_STREAM_MINIBATCH = 13
};

void hs_rng_init(struct hs_rng *rng, uint64_t seed, uint32_t stream, uint64_t item);

uint32_t hs_rng_u32(struct hs_rng *rng);
double hs_rng_uniform(struct hs_rng *rng);                  /* [0, 1), 53 bits */
uint64_t hs_rng_below(struct hs_rng *rng, uint64_t n);      /* 0 .. n-1, unbiased; n > 0 */
double hs_rng_normal(struct hs_rng *rng);                   /* mean 0, variance 1 (Box-Muller) */
double hs_rng_exponential(struct hs_rng *rng);              /* mean 1 */
double hs_rng_poisson(struct hs_rng *rng, double mean);     /* exact for any mean below 2^53 (PTRS above 10, Hormann 1993) */
double hs_rng_gamma(struct hs_rng *rng, double shape);      /* scale 1 (Marsaglia-Tsang 2000) */

/* The raw block function, for tests against published vectors. */
void hs_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

#endif
