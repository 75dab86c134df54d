#include "base/rng.h"

#include <math.h>

void hs_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
	uint32_t k0 = key[0], k1 = key[1], c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
	for (int round = 0; round < 10; round++) {
		const uint64_t p = (uint64_t)0xD2511F53u * c0, q = (uint64_t)0xCD9E8D57u * c2;
		c0 = (uint32_t)(q >> 32) ^ c1 ^ k0;
		c2 = (uint32_t)(p >> 32) ^ c3 ^ k1;
		c1 = (uint32_t)q;
		c3 = (uint32_t)p;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

/* Counter layout: word 0 counts the draws, word 1 is the stream, words 2 and 3 the item. */
void hs_rng_init(struct hs_rng *rng, uint64_t seed, uint32_t stream, uint64_t item)
{
	*rng = (struct hs_rng){ .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
		.counter = { 0, stream, (uint32_t)item, (uint32_t)(item >> 32) } };
}

uint32_t hs_rng_u32(struct hs_rng *rng)
{
	if (!rng->left) {
		hs_philox(rng->key, rng->counter, rng->out);
		rng->counter[0]++;
		rng->left = 4;
	}
	return rng->out[4 - rng->left--];
}

static uint64_t next64(struct hs_rng *rng)
{
	const uint64_t high = hs_rng_u32(rng);
	return high << 32 | hs_rng_u32(rng);
}

double hs_rng_uniform(struct hs_rng *rng)
{
	return (double)(next64(rng) >> 11) * 0x1p-53;
}

uint64_t hs_rng_below(struct hs_rng *rng, uint64_t n)
{
	const uint64_t first_unbiased = (0 - n) % n;   /* 2^64 mod n */
	uint64_t v;
	do
		v = next64(rng);
	while (v < first_unbiased);
	return v % n;
}

double hs_rng_normal(struct hs_rng *rng)
{
	if (rng->has_spare) {
		rng->has_spare = 0;
		return rng->spare;
	}
	const double r = sqrt(-2 * log(1 - hs_rng_uniform(rng))), angle = 2 * M_PI * hs_rng_uniform(rng);
	rng->spare = r * sin(angle);
	rng->has_spare = 1;
	return r * cos(angle);
}

double hs_rng_exponential(struct hs_rng *rng)
{
	return -log(1 - hs_rng_uniform(rng));
}

double hs_rng_poisson(struct hs_rng *rng, double mean)
{
	if (!(mean > 0))
		return 0;
	if (mean < 10) {
		const double limit = exp(-mean);
		double product = hs_rng_uniform(rng), k = 0;
		while (product > limit) {
			product *= hs_rng_uniform(rng);
			k++;
		}
		return k;
	}
	/* PTRS: transformed rejection with squeeze, W. Hormann, Insurance: Mathematics and Economics 12 (1993) 39 */
	const double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b, inv_alpha = 1.1239 + 1.1328 / (b - 3.4),
		     vr = 0.9277 - 3.6224 / (b - 2), log_mean = log(mean);
	for (;;) {
		const double u = hs_rng_uniform(rng) - 0.5, v = hs_rng_uniform(rng), us = 0.5 - fabs(u),
			     k = floor((2 * a / us + b) * u + mean + 0.43);
		if (us >= 0.07 && v <= vr)
			return k;
		if (k < 0 || (us < 0.013 && v > us))
			continue;
		if (log(v) + log(inv_alpha) - log(a / (us * us) + b) <= k * log_mean - mean - lgamma(k + 1))
			return k;
	}
}

double hs_rng_gamma(struct hs_rng *rng, double shape)
{
	if (shape < 1)
		return hs_rng_gamma(rng, shape + 1) * pow(1 - hs_rng_uniform(rng), 1 / shape);
	const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
	for (;;) {
		const double x = hs_rng_normal(rng), t = 1 + c * x, v = t * t * t;
		if (v > 0 && log(1 - hs_rng_uniform(rng)) < 0.5 * x * x + d - d * v + d * log(v))
			return d * v;
	}
}
