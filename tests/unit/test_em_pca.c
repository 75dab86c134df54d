/* Spectra with gaps: what is filled in, and what that does to the components. */
#include "factor/em_pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tap.h"

enum { N = 600, P = 50, R = 3 };

static double *scene(double noise, double counts)
{
	double *x = hs_must_alloc(N * P, sizeof *x), s[R][P];
	struct hs_rng rng;
	for (size_t c = 0; c < R; c++)
		for (size_t j = 0; j < P; j++)
			s[c][j] = 0.2 + exp(-0.5 * pow(((double)j - 8 - 16 * (double)c) / 5, 2));
	for (size_t i = 0; i < N; i++) {
		double a[R];
		hs_rng_init(&rng, 4, HS_STREAM_NOISE, i);
		for (size_t c = 0; c < R; c++)
			a[c] = hs_rng_exponential(&rng);
		for (size_t j = 0; j < P; j++) {
			double mean = 0;
			for (size_t c = 0; c < R; c++)
				mean += a[c] * s[c][j];
			x[i * P + j] = counts > 0 ? hs_rng_poisson(&rng, mean * counts) : mean + noise * hs_rng_normal(&rng);
		}
	}
	return x;
}

/* A share of the elements becomes NaN. */
static double *with_gaps(const double *x, double share)
{
	double *y = hs_must_alloc(N * P, sizeof *y);
	struct hs_rng rng;
	for (size_t i = 0; i < N; i++) {
		hs_rng_init(&rng, 9, HS_STREAM_HOLDOUT, i);
		for (size_t j = 0; j < P; j++)
			y[i * P + j] = hs_rng_uniform(&rng) < share ? NAN : x[i * P + j];
	}
	return y;
}

static struct hs_rowsource *rows_of(const double *x, size_t n, size_t p)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	if (!rows)
		exit(1);
	return rows;
}

static struct hs_pca_how how_of(enum hs_centre centre, bool poisson)
{
	return (struct hs_pca_how){ .options = { .centre = centre, .poisson = poisson }, .n_comp = 20, .seed = 1 };
}

static double apart(const double *a, const double *b, size_t k)
{
	double worst = 0;
	for (size_t c = 0; c < k; c++) {
		double rest = 1;
		for (size_t i = 0; i < k; i++) {
			double dot = 0;
			for (size_t j = 0; j < P; j++)
				dot += a[c * P + j] * b[i * P + j];
			rest -= dot * dot;
		}
		worst = fmax(worst, sqrt(fmax(rest, 0)));
	}
	return worst;
}

/* Root mean square of filled minus true, over the gaps, as a share of the channel-mean answer. */
static double fill_error(struct hs_rowsource *filled, const double *x, const double *gappy)
{
	struct hs_err err = { 0 };
	struct hs_batch b;
	double off = 0, plain = 0, mean[P] = { 0 }, n[P] = { 0 };
	for (size_t i = 0; i < N * P; i++)
		if (!isnan(gappy[i])) {
			mean[i % P] += gappy[i];
			n[i % P]++;
		}
	filled->rewind(filled, &err);
	while (filled->next(filled, &b, &err) == 0 && b.n_blocks)
		for (size_t i = 0; i < b.n_rows * P; i++) {
			const size_t at = b.first_row * P + i;
			const double v = ((const double *)b.x)[i];
			if (!isnan(gappy[at]) && v != x[at])
				return INFINITY;      /* what was there has changed */
			if (isnan(gappy[at]) && !b.skip[i / P]) {
				off += pow(v - x[at], 2);
				plain += pow(mean[i % P] / n[i % P] - x[at], 2);
			}
		}
	return sqrt(off / plain);
}

static void recover(const char *name, double noise, double counts, double share, struct hs_pca_how how, size_t rank, double bound,
	double angle)
{
	struct hs_err err = { 0 };
	double *x = scene(noise, counts), *gappy = with_gaps(x, share);
	struct hs_rowsource *whole = rows_of(x, N, P), *rows = rows_of(gappy, N, P);
	struct hs_pca truth, pca;
	struct hs_em_pca e;
	const struct hs_gaps gaps = { 0 };
	if (hs_pca_find(&truth, whole, &how, &err) < 0)
		exit(1);
	const int verdict = hs_em_pca_find(&e, &pca, rows, &gaps, &how, noise > 0 || counts > 0 ? 0 : rank, NULL, NULL, &err);
	tap_ok(verdict == 0 && e.converged && e.k == rank && pca.n_used == N, "%s: %zu components in %zu rounds %s", name, e.k, e.n_iter,
		err.text);
	const double off = fill_error(e.filled, x, gappy);
	tap_ok(off < bound, "%s: gaps are filled to %.2g of what the channel mean misses", name, off);
	tap_ok(apart(pca.basis, truth.basis, rank) < angle, "%s: the span is that of whole spectra (sine %.2g)", name,
		apart(pca.basis, truth.basis, rank));
	hs_em_pca_release(&e);
	hs_pca_release(&pca);
	hs_pca_release(&truth);
	hs_array_rows_free(whole);
	hs_array_rows_free(rows);
	free(gappy);
	free(x);
}

static void masks_and_threads(void)
{
	struct hs_err err = { 0 };
	double *x = scene(0.05, 0), *gappy = with_gaps(x, 0.1), first[20];
	uint8_t mask[N] = { 0 };
	mask[4] = mask[5] = 1;
	for (size_t j = 0; j < P; j++)
		gappy[9 * P + j] = NAN;                   /* nothing there */
	gappy[4 * P] = NAN;
	struct hs_rowsource *rows = rows_of(gappy, N, P);
	bool same = true, counted = true;
	for (int threads = 1; threads <= 8; threads += threads < 3 ? 1 : 5) {
		struct hs_pca pca;
		struct hs_em_pca e;
		hs_par_set_threads(threads);
		const struct hs_pca_how how = how_of(HS_CENTRE_CHANNEL, false);
		const struct hs_gaps gaps = { .mask = mask };
		if (hs_em_pca_find(&e, &pca, rows, &gaps, &how, 3, NULL, NULL, &err) < 0)
			exit(1);
		if (threads == 1)
			memcpy(first, pca.eigenvalue, sizeof first);
		same &= !memcmp(first, pca.eigenvalue, sizeof first);
		/* row 5 has no NaN of its own in the batch's skip unless drawn: masks reach the source below in the tool */
		counted &= e.gaps.n_lost == 1 && pca.n_used >= N - 3 && pca.n_used <= N - 2;
		hs_em_pca_release(&e);
		hs_pca_release(&pca);
	}
	tap_ok(same, "the same bits for 1, 2, 3 and 8 threads");
	tap_ok(counted, "masked rows and rows without anything stay out");
	hs_par_set_threads(2);
	hs_array_rows_free(rows);
	for (size_t i = 0; i < N * P; i++)
		gappy[i] = NAN;
	rows = rows_of(gappy, N, P);
	struct hs_pca pca;
	struct hs_em_pca e;
	const struct hs_pca_how how = how_of(HS_CENTRE_CHANNEL, false);
	tap_ok(hs_em_pca_find(&e, &pca, rows, &(struct hs_gaps){ 0 }, &how, 3, NULL, NULL, &err) < 0 && err.status == HS_BAD_DATA, "%s",
		err.text);
	hs_em_pca_release(&e);
	hs_pca_release(&pca);
	hs_array_rows_free(rows);
	/* no gaps: what the method alone gives, to the bit */
	rows = rows_of(x, N, P);
	struct hs_pca plain;
	memset(&err, 0, sizeof err);
	if (hs_pca_find(&plain, rows, &how, &err) < 0 || hs_em_pca_find(&e, &pca, rows, &(struct hs_gaps){ 0 }, &how, 0, NULL, NULL,
		&err) < 0)
		exit(1);
	tap_ok(!memcmp(plain.eigenvalue, pca.eigenvalue, P * sizeof(double)) && e.n_iter == 1 && e.converged,
		"without gaps: one round, the same bits");
	/* an integer fill value counts as a gap */
	hs_em_pca_release(&e);
	hs_pca_release(&pca);
	hs_pca_release(&plain);
	hs_array_rows_free(rows);
	uint8_t skip[N] = { 0 };
	for (size_t i = 0; i < N; i += 3) {
		x[i * P + i % P] = -1000;
		skip[i] = 1;
	}
	rows = hs_array_rows_new(x, HS_ROW_F64, N, P, skip, &err);
	if (hs_em_pca_find(&e, &pca, rows, &(struct hs_gaps){ .has_fill = true, .fill = -1000 }, &how, 3, NULL, NULL, &err) < 0)
		exit(1);
	tap_ok(e.gaps.n_rows == N / 3 && e.gaps.n_elements == N / 3 && pca.n_used == N && pca.eigenvalue[3] < 0.1,
		"the fill value of integer data is a gap");
	hs_em_pca_release(&e);
	hs_pca_release(&pca);
	hs_array_rows_free(rows);
	free(gappy);
	free(x);
}

int main(void)
{
	hs_par_set_threads(2);
	recover("no noise", 0, 0, 0.15, how_of(HS_CENTRE_CHANNEL, false), 3, 1e-4, 1e-4);
	recover("no noise, doubly centred", 0, 0, 0.15, how_of(HS_CENTRE_BOTH, false), 3, 1e-4, 1e-4);
	recover("noise", 0.05, 0, 0.15, how_of(HS_CENTRE_CHANNEL, false), 3, 0.15, 0.02);
	recover("half of it missing", 0.05, 0, 0.5, how_of(HS_CENTRE_CHANNEL, false), 3, 0.2, 0.05);
	recover("doubly centred", 0.05, 0, 0.15, how_of(HS_CENTRE_BOTH, false), 3, 0.2, 0.02);
	recover("not centred", 0.05, 0, 0.15, how_of(HS_CENTRE_NONE, false), 3, 0.15, 0.02);
	recover("counts", 0, 100, 0.1, how_of(HS_CENTRE_NONE, true), 3, 0.2, 0.05);
	masks_and_threads();
	return tap_done();
}
