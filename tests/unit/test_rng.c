/* Philox against the known answers of its authors' Random123 distribution, and the distributions against their moments. */
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

#include "tap.h"

static void known_answer(const char *name, const uint32_t key[2], const uint32_t counter[4], const uint32_t want[4])
{
	uint32_t out[4];
	hs_philox(key, counter, out);
	tap_ok(out[0] == want[0] && out[1] == want[1] && out[2] == want[2] && out[3] == want[3], "philox4x32-10 of %s", name);
}

struct law {
	const char *name;
	double (*draw)(struct hs_rng *rng, double argument);
	double argument, mean, variance,
		kurtosis; /* kurtosis: fourth central moment over variance^2, for the error of the variance */
};

static double uniform(struct hs_rng *rng, double unused)
{
	(void)unused;
	return hs_rng_uniform(rng);
}

static double normal(struct hs_rng *rng, double unused)
{
	(void)unused;
	return hs_rng_normal(rng);
}

static double exponential(struct hs_rng *rng, double unused)
{
	(void)unused;
	return hs_rng_exponential(rng);
}

/* Sample mean and variance within five of their own standard errors. */
static void check_law(const struct law *law)
{
	enum { DRAWS = 200000 };
	struct hs_rng rng;
	hs_rng_init(&rng, 2, HS_STREAM_TEST, 0);
	double sum = 0, squares = 0;
	for (int i = 0; i < DRAWS; i++) {
		const double d = law->draw(&rng, law->argument) - law->mean;
		sum += d;
		squares += d * d;
	}
	const double mean = sum / DRAWS, variance = squares / DRAWS, mean_error = sqrt(law->variance / DRAWS),
		     variance_error = law->variance * sqrt((law->kurtosis - 1) / DRAWS);
	tap_ok(fabs(mean) < 5 * mean_error, "%s: mean %g off by %.2f standard errors", law->name, law->mean, mean / mean_error);
	tap_ok(fabs(variance - law->variance) < 5 * variance_error, "%s: variance %g off by %.2f standard errors", law->name,
		law->variance, (variance - law->variance) / variance_error);
}

/* Frequencies of a Poisson law against its probabilities, chi-square with classes of at least 20 expected. */
static void poisson_chi_square(double mean)
{
	enum { DRAWS = 100000, CLASSES = 400 };
	static double seen[CLASSES];
	struct hs_rng rng;
	hs_rng_init(&rng, 3, HS_STREAM_TEST, (uint64_t)mean);
	for (int k = 0; k < CLASSES; k++)
		seen[k] = 0;
	for (int i = 0; i < DRAWS; i++) {
		const double k = hs_rng_poisson(&rng, mean);
		seen[k < CLASSES ? (int)k : CLASSES - 1]++;
	}
	double chi = 0, expected = 0, found = 0;
	int degrees = -1;
	for (int k = 0; k < CLASSES; k++) {
		expected += DRAWS * exp(k * log(mean) - mean - lgamma(k + 1.0));
		found += seen[k];
		if (expected >= 20) {
			chi += (found - expected) * (found - expected) / expected;
			degrees++;
			expected = found = 0;
		}
	}
	tap_ok(chi < degrees + 5 * sqrt(2.0 * degrees), "Poisson mean %g: chi-square %.1f for %d degrees of freedom", mean, chi,
		degrees);
}

int main(void)
{
	known_answer("zeros", (const uint32_t[]){ 0, 0 }, (const uint32_t[]){ 0, 0, 0, 0 },
		(const uint32_t[]){ 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 });
	known_answer("ones", (const uint32_t[]){ 0xffffffff, 0xffffffff },
		(const uint32_t[]){ 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
		(const uint32_t[]){ 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd });
	known_answer("digits of pi", (const uint32_t[]){ 0xa4093822, 0x299f31d0 },
		(const uint32_t[]){ 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
		(const uint32_t[]){ 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 });

	const struct law laws[] = {
		{ "uniform", uniform, 0, 0.5, 1.0 / 12, 1.8 },
		{ "normal", normal, 0, 0, 1, 3 },
		{ "exponential", exponential, 0, 1, 1, 9 },
		{ "Poisson 0.3", hs_rng_poisson, 0.3, 0.3, 0.3, 3 + 1 / 0.3 },
		{ "Poisson 9.9", hs_rng_poisson, 9.9, 9.9, 9.9, 3 + 1 / 9.9 },
		{ "Poisson 10.1", hs_rng_poisson, 10.1, 10.1, 10.1, 3 + 1 / 10.1 },
		{ "Poisson 1e6", hs_rng_poisson, 1e6, 1e6, 1e6, 3 },
		{ "gamma 0.5", hs_rng_gamma, 0.5, 0.5, 0.5, 15 },
		{ "gamma 7", hs_rng_gamma, 7, 7, 7, 3 + 6.0 / 7 },
	};
	for (size_t i = 0; i < sizeof laws / sizeof *laws; i++)
		check_law(&laws[i]);
	poisson_chi_square(4);
	poisson_chi_square(12);
	poisson_chi_square(150);

	struct hs_rng a, b;
	hs_rng_init(&a, 1, HS_STREAM_TEST, 5);
	hs_rng_init(&b, 1, HS_STREAM_TEST, 5);
	int same = 1, in_range = 1, other = 0;
	for (int i = 0; i < 1000; i++) {
		same &= hs_rng_u32(&a) == hs_rng_u32(&b);
		in_range &= hs_rng_below(&a, 3) < 3;
		hs_rng_below(&b, 3);
	}
	tap_ok(same, "equal keys give equal numbers");
	tap_ok(in_range, "below 3 stays below 3");
	hs_rng_init(&a, 1, HS_STREAM_SCENE, 5);
	hs_rng_init(&b, 1, HS_STREAM_NOISE, 5);
	for (int i = 0; i < 100; i++)
		other += hs_rng_u32(&a) != hs_rng_u32(&b);
	tap_ok(other > 95, "another stream gives other numbers");
	double thirds[3] = { 0 };
	for (int i = 0; i < 30000; i++)
		thirds[hs_rng_below(&a, 3)]++;
	tap_ok(fabs(thirds[0] - 10000) < 450 && fabs(thirds[1] - 10000) < 450, "below 3 is even: %g %g %g", thirds[0], thirds[1],
		thirds[2]);
	tap_ok(hs_rng_poisson(&a, 0) == 0 && hs_rng_poisson(&a, -1) == 0 && hs_rng_poisson(&a, NAN) == 0,
		"Poisson without a mean is 0");
	return tap_done();
}
