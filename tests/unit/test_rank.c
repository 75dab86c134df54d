/* Rank selectors on scenes whose rank is known. `test_rank -v` prints the whole table of estimates. */
#include "factor/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "factor/parallel.h"
#include "factor/pca.h"
#include "tap.h"

enum { N = 2500, P = 128, ENDMEMBERS = 5, TRIALS = 8 };

/* Five endmembers on a common background, each with peaks of its own; abundances from a flat Dirichlet law. With `counts` above
 * zero a pixel is a Poisson draw of that many expected counts, otherwise noise of standard deviation sigma is added. */
static double *scene(uint64_t trial, double counts, double sigma)
{
	double *x = hs_must_alloc(N * P, sizeof *x), s[ENDMEMBERS][P];
	struct hs_rng rng;
	for (size_t e = 0; e < ENDMEMBERS; e++) {
		hs_rng_init(&rng, trial, HS_STREAM_SCENE, e);
		double sum = 0;
		for (size_t j = 0; j < P; j++)
			s[e][j] = 0.05;
		for (int peak = 0; peak < 3; peak++) {
			const double at = P * hs_rng_uniform(&rng), width = 3 + 5 * hs_rng_uniform(&rng),
				     height = 0.5 + hs_rng_uniform(&rng);
			for (size_t j = 0; j < P; j++)
				s[e][j] += height * exp(-0.5 * pow(((double)j - at) / width, 2));
		}
		for (size_t j = 0; j < P; j++)
			sum += s[e][j];
		for (size_t j = 0; j < P && counts > 0; j++)
			s[e][j] *= counts / sum;
	}
	for (size_t i = 0; i < N; i++) {
		double a[ENDMEMBERS], sum = 0;
		hs_rng_init(&rng, trial, HS_STREAM_NOISE, i);
		for (size_t e = 0; e < ENDMEMBERS; e++)
			sum += a[e] = hs_rng_exponential(&rng);
		for (size_t j = 0; j < P; j++) {
			double mean = 0;
			for (size_t e = 0; e < ENDMEMBERS; e++)
				mean += a[e] / sum * s[e][j];
			x[i * P + j] = counts > 0 ? hs_rng_poisson(&rng, mean) : mean + sigma * hs_rng_normal(&rng);
		}
	}
	return x;
}

static struct hs_ranks ranks_of(const double *x, size_t n, size_t p, struct hs_moments_options options, int with_parallel)
{
	struct hs_err err = { 0 };
	struct hs_moments m;
	struct hs_pca pca;
	struct hs_ranks r = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	if (!rows || hs_moments_init(&m, rows, &options, &err) < 0 || hs_pca_init(&pca, &m, rows, 0, &err) < 0) {
		fprintf(stderr, "test_rank: %s\n", err.text);
		exit(1);
	}
	hs_ranks_find(&r, pca.eigenvalue, pca.n_eig, pca.n_rows_free, pca.n_chan_free);
	size_t parallel = 0;
	if (with_parallel) {
		if (hs_rank_parallel(rows, &pca.frame, 1, &parallel, &err) < 0) {
			fprintf(stderr, "test_rank: %s\n", err.text);
			exit(1);
		}
		hs_ranks_set_parallel(&r, parallel);
	}
	hs_pca_release(&pca);
	hs_moments_release(&m);
	hs_array_rows_free(rows);
	return r;
}

struct tally {
	size_t gd, tw, chosen, minka, bic, parallel, elbow, knee, warned;
};

/* How many of the trials each selector gets right. */
static struct tally trials(const char *name, double counts, double sigma, struct hs_moments_options options, size_t truth,
	uint64_t with_parallel, int verbose)
{
	struct tally t = { 0 };
	for (uint64_t trial = 0; trial < TRIALS; trial++) {
		double *x = scene(trial, counts, sigma);
		const struct hs_ranks r = ranks_of(x, N, P, options, trial < with_parallel || verbose);
		t.gd += r.gd == truth;
		t.tw += r.tw == truth;
		t.chosen += r.chosen == truth;
		t.minka += r.minka == truth;
		t.bic += r.bic == truth;
		t.elbow += r.elbow == truth;
		t.knee += r.elbow == truth + 1;
		t.parallel += r.parallel == truth;
		t.warned += r.disagree;
		if (verbose)
			printf("# %s %d: gd %zu tw %zu minka %zu bic %zu pa %zu elbow %zu\n", name, (int)trial, r.gd, r.tw,
				r.minka, r.bic, r.parallel, r.elbow);
		free(x);
	}
	printf("# %-22s right of %d: gd %zu tw %zu minka %zu bic %zu pa %zu elbow %zu\n", name, TRIALS, t.gd, t.tw, t.minka,
		t.bic, t.parallel, t.elbow);
	return t;
}

/* Minka's evidence term by term, as the paper writes it: O(p^2) for each k. */
static size_t minka_plain(const double *eig, size_t n, size_t p)
{
	double best = -INFINITY;
	size_t answer = 0;
	for (size_t k = 1; k < p; k++) {
		double ln = -(double)k * log(2.0), noise = 0;
		for (size_t i = 1; i <= k; i++)
			ln += lgamma((double)(p - i + 1) / 2) - (double)(p - i + 1) / 2 * log(M_PI) -
			      (double)n / 2 * log(eig[i - 1]);
		for (size_t j = k; j < p; j++)
			noise += eig[j] / (double)(p - k);
		const double m = (double)(p * k) - (double)(k * (k + 1)) / 2;
		ln += -(double)(n * (p - k)) / 2 * log(noise) + (m + (double)k) / 2 * log(2 * M_PI) -
		      (double)k / 2 * log((double)n);
		for (size_t i = 0; i < k; i++)
			for (size_t j = i + 1; j < p; j++)
				ln -= 0.5 * log((1 / (j < k ? eig[j] : noise) - 1 / eig[i]) * (eig[i] - eig[j]) * (double)n);
		if (ln > best) {
			best = ln;
			answer = k;
		}
	}
	return answer;
}

static void formulas(void)
{
	const double one = hs_marchenko_pastur_median(1), third = hs_marchenko_pastur_median(0.3);
	tap_ok(fabs(4 / sqrt(3) / sqrt(one) - 2.858) < 5e-4, "Gavish-Donoho coefficient of a square matrix is 2.858 (%.5f)",
		4 / sqrt(3) / sqrt(one));
	tap_ok(fabs(hs_marchenko_pastur_median(1e-8) - 1) < 1e-4, "a thin matrix has all noise eigenvalues at 1");
	/* the law's own density, integrated in t */
	double below = 0, a = pow(1 - sqrt(0.3), 2), b = pow(1 + sqrt(0.3), 2);
	for (size_t i = 0; i < 200000; i++) {
		const double t = a + (third - a) * ((double)i + 0.5) / 200000;
		below += sqrt((b - t) * (t - a)) / (2 * M_PI * 0.3 * t) * (third - a) / 200000;
	}
	tap_ok(fabs(below - 0.5) < 1e-6, "half of the Marchenko-Pastur law lies below its median (%.8f)", below);

	double eig[40], big[40];
	for (size_t i = 0; i < 40; i++) {
		eig[i] = i < 6 ? 30 / (double)(i + 1) : 1.6 - 0.025 * (double)i;
		big[i] = eig[i] * 1e-24;
	}
	const size_t spectra[] = { 45, 70, 150, 500 };
	for (size_t i = 0; i < HS_LEN(spectra); i++) {
		const size_t minka = hs_rank_minka(eig, 40, spectra[i], 40), plain = minka_plain(eig, spectra[i], 40);
		tap_ok(minka == plain, "Minka, %zu spectra: running sums give what the plain double sum gives (%zu, %zu)",
			spectra[i], minka, plain);
	}
	tap_ok(hs_rank_tw(eig, 40, 500, 40, HS_TW_1) == hs_rank_tw(big, 40, 500, 40, HS_TW_1) &&
			hs_rank_gd(eig, 40, 500, 40) == hs_rank_gd(big, 40, 500, 40) &&
			hs_rank_bic(eig, 40, 500, 40) == hs_rank_bic(big, 40, 500, 40) &&
			hs_rank_minka(eig, 40, 500, 40) == hs_rank_minka(big, 40, 500, 40) &&
			hs_rank_elbow(eig, 40) == hs_rank_elbow(big, 40),
		"no answer depends on the unit");
	tap_ok(hs_rank_tw(eig, 40, 500, 40, HS_TW_5) >= hs_rank_tw(eig, 40, 500, 40, HS_TW_1), "5 %% keeps no fewer than 1 %%");

	memset(eig, 0, sizeof eig);
	tap_ok(hs_rank_tw(eig, 40, 500, 40, HS_TW_1) + hs_rank_gd(eig, 40, 500, 40) + hs_rank_bic(eig, 40, 500, 40) +
		hs_rank_minka(eig, 40, 500, 40) + hs_rank_elbow(eig, 40) == 0, "data without variance have rank 0");
	eig[0] = 3;
	eig[1] = 2;
	eig[2] = 1e-17;
	tap_ok(hs_rank_tw(eig, 40, 500, 40, HS_TW_1) == 2 && hs_rank_bic(eig, 40, 500, 40) == 2 &&
			hs_rank_minka(eig, 40, 500, 40) == 2 && hs_rank_gd(eig, 40, 500, 40) == 2,
		"without noise every test finds the exact rank (tw %zu bic %zu minka %zu gd %zu)",
		hs_rank_tw(eig, 40, 500, 40, HS_TW_1), hs_rank_bic(eig, 40, 500, 40), hs_rank_minka(eig, 40, 500, 40),
		hs_rank_gd(eig, 40, 500, 40));
	tap_ok(hs_rank_tw(eig, 1, 1, 1, HS_TW_1) == 0 && hs_rank_minka(eig, 1, 1, 1) == 0 && hs_rank_elbow(eig, 1) == 1,
		"one spectrum, one channel: no crash");
}

/* Even noise and weak signal: the measured edge loses nothing. Noise that differs between rows and channels: it gains. */
static void edges(void)
{
	enum { ROWS = 12000, CHANNELS = 64, SEEDS = 6 };
	size_t even = 0, plain = 0, measured = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		for (int uneven = 0; uneven < 2; uneven++) {
			double *x = hs_must_alloc(ROWS * CHANNELS, sizeof *x);
			for (size_t i = 0; i < ROWS; i++) {
				struct hs_rng rng;
				hs_rng_init(&rng, seed, HS_STREAM_TEST, i);
				const double a = hs_rng_normal(&rng), b = hs_rng_normal(&rng);
				for (size_t j = 0; j < CHANNELS; j++) {
					/* every third spectrum was measured for a third of the time */
					const double sigma = uneven ? i % 3 ? 0.8 : 1.4 : 1;
					x[i * CHANNELS + j] = sigma * hs_rng_normal(&rng) + 0.08 * (a + (j % 2 ? b : -b));
				}
			}
			const struct hs_ranks r = ranks_of(x, ROWS, CHANNELS, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL }, 0);
			even += !uneven && r.edge == 2;
			plain += uneven && r.tw == 2;
			measured += uneven && r.edge == 2;
			free(x);
		}
	tap_ok(even == SEEDS, "even noise: two weak components found in %zu of %d", even, SEEDS);
	tap_ok(measured > plain && measured >= SEEDS - 1, "uneven noise: the measured edge is right in %zu of %d, the plain test in %zu",
		measured, SEEDS, plain);
}

/* The same answers from the leading eigenvalues and the sum of all. */
static void part_of_spectrum(void)
{
	struct hs_err err = { 0 };
	double *x = scene(3, 1000, 0);
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, N, P, NULL, &err);
	struct hs_moments m;
	struct hs_pca pca;
	if (!rows || hs_moments_init(&m, rows, &(struct hs_moments_options){ .poisson = true }, &err) < 0 ||
		hs_pca_init(&pca, &m, rows, 0, &err) < 0)
		exit(1);
	struct hs_ranks all, some, few;
	const size_t n = pca.n_rows_free, p = pca.n_chan_free;
	hs_ranks_find(&all, pca.eigenvalue, pca.n_eig, n, p);
	const int verdict = hs_ranks_find_among(&some, pca.eigenvalue, 30, pca.total, pca.floor, n, p, &err);
	tap_ok(verdict == 0 && some.tw == all.tw &&
		some.edge == all.edge && some.bic == all.bic && some.minka == all.minka && some.gd == all.gd && some.elbow == all.elbow &&
		some.chosen == all.chosen,
		"30 of %zu eigenvalues and the whole variance answer as all do (tw %zu edge %zu bic %zu minka %zu gd %zu elbow %zu)", pca.n_eig,
		some.tw, some.edge, some.bic, some.minka, some.gd, some.elbow);
	tap_ok(hs_ranks_find_among(&few, pca.eigenvalue, 3, pca.total, pca.floor, n, p, &err) == 0 && few.chosen == 3 && few.disagree &&
		strstr(few.reason, "there may be more"), "3 of them: %s", few.reason);
	tap_ok(hs_ranks_find_among(&few, pca.eigenvalue, pca.n_eig, pca.total, pca.floor, n, p, &err) == 0 &&
		few.known == HS_RANK_UNKNOWN &&
		few.gd == all.gd && few.minka == all.minka, "all of them: nothing is filled in");
	hs_pca_release(&pca);
	hs_moments_release(&m);
	hs_array_rows_free(rows);
	free(x);
}

int main(int argc, char **argv)
{
	const int verbose = argc > 1 && !strcmp(argv[1], "-v");
	const struct hs_moments_options kk = { .poisson = true }, centred = { .centre = HS_CENTRE_CHANNEL };
	struct tally t;
	hs_par_set_threads(2);
	formulas();
	edges();
	part_of_spectrum();

	size_t chosen = 0;
	t = trials("Keenan-Kotula 100", 100, 0, kk, ENDMEMBERS, 3, verbose);
	chosen += t.chosen;
	tap_ok(t.tw >= 7, "100 counts, Poisson-scaled: Tracy-Widom right in %zu of %d", t.tw, TRIALS);
	t = trials("Keenan-Kotula 1000", 1000, 0, kk, ENDMEMBERS, 3, verbose);
	chosen += t.chosen;
	tap_ok(t.tw >= 7 && t.gd >= 7 && t.minka >= 7 && t.bic >= 7, "1000 counts, Poisson-scaled: all four right");
	tap_ok(t.parallel >= 2, "1000 counts, Poisson-scaled: parallel analysis right in %zu", t.parallel);
	t = trials("Keenan-Kotula 10000", 10000, 0, kk, ENDMEMBERS, 3, verbose);
	chosen += t.chosen;
	tap_ok(chosen >= 3 * TRIALS - 1, "100, 1000 and 10000 counts: the right number is chosen in %zu of %d", chosen, 3 * TRIALS);
	tap_ok(t.knee >= 7, "10000 counts, Poisson-scaled: the elbow is the first component of noise");
	tap_ok(t.tw >= 7 && t.minka >= 7, "10000 counts, Poisson-scaled: Tracy-Widom and Minka right");
	t = trials("gauss 0.1", 0, 0.1, centred, ENDMEMBERS - 1, 3, verbose);
	tap_ok(t.tw >= 7 && t.bic >= 7 && t.parallel >= 2, "Gaussian noise, centred: one less than the endmembers");
	t = trials("raw Poisson 1000", 1000, 0, centred, ENDMEMBERS - 1, TRIALS, verbose);
	tap_ok(t.tw == 0 && t.warned == TRIALS, "raw counts: Tracy-Widom fails, and says so in every trial");

	double *x = scene(0, 1000, 0);
	size_t first = 0;
	for (int threads = 1; threads <= 3; threads++) {
		hs_par_set_threads(threads);
		const size_t parallel = ranks_of(x, N, P, kk, 1).parallel;
		if (threads == 1)
			first = parallel;
		tap_ok(parallel == first, "parallel analysis does not depend on threads (%d)", threads);
	}
	const size_t few = 100;
	tap_ok(ranks_of(x, few, P, kk, 1).parallel <= ENDMEMBERS, "fewer spectra than channels: parallel analysis works on rows");
	free(x);
	double *zero = hs_must_alloc(50 * 8, sizeof *zero);
	const struct hs_ranks none = ranks_of(zero, 50, 8, centred, 1);
	tap_ok(none.chosen == 0 && none.parallel == 0 && none.disagree && *none.reason, "all zero: %s", none.reason);
	free(zero);
	return tap_done();
}
