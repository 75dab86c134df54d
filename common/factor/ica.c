#include "factor/ica.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "factor/fastica.h"
#include "math/fold.h"
#include "factor/jade.h"
#include "math/la.h"
#include "math/match.h"
#include "factor/picard.h"
#include "factor/whiten.h"

enum { SAMPLE_MOST = 16384, SAMPLES_PER_SIGNAL = 256, BLOCK_ROWS = 4096, RESTART_ITERATIONS = 200 };

#define RESTART_TOL 1e-5          /* what resamples differ by is far more */
#define SAME 0.95                 /* correlation from which two runs found the same source */

struct hs_ica_options hs_ica_defaults(void)
{
	return (struct hs_ica_options){ .method = HS_ICA_PICARD, .contrast = HS_CONTRAST_LOGCOSH, .restarts = 10, .max_iter = 500,
		.tol = 1e-8, .seed = 1 };
}

static size_t sample_size(size_t n, size_t k)
{
	const size_t most = k * SAMPLES_PER_SIGNAL > SAMPLE_MOST ? k * SAMPLES_PER_SIGNAL : SAMPLE_MOST;
	return n < most ? n : most;
}

static enum hs_contrast_kind contrast_of(const struct hs_ica_options *o)
{
	return o->method == HS_ICA_ORTHOMAX ? HS_CONTRAST_QUARTIC : o->method == HS_ICA_PICARD ? HS_CONTRAST_LOGCOSH : o->contrast;
}

/* One run on white samples, from w. */
static int search(const struct hs_ica_options *o, const double *z, size_t n, size_t k, double *w, struct hs_turn *turn,
	struct hs_err *err)
{
	struct hs_contrast c = { 0 };
	if (o->method == HS_ICA_JADE)
		return hs_jade(z, n, k, w, turn, err);
	int verdict = hs_contrast_init(&c, contrast_of(o), z, n, k, err);
	if (verdict == 0)
		verdict = o->method == HS_ICA_FASTICA ? hs_fastica_symmetric(&c, w, turn, err) :
			o->method == HS_ICA_DEFLATION ? hs_fastica_deflation(&c, w, turn, err) :
			hs_picard(&c, o->method == HS_ICA_PICARD, w, turn, err);
	hs_contrast_release(&c);
	return verdict;
}

/* How good w is on all samples, for comparing runs: the larger the better. FastICA's approximation of negentropy; the criterion
 * itself for ORTHOMAX. */
static int merit(const struct hs_ica_options *o, const double *z, size_t n, size_t k, const double *w, double *value,
	struct hs_err *err)
{
	struct hs_contrast c = { 0 };
	struct hs_contrast_sums sums = { 0 };
	int verdict = hs_contrast_init(&c, contrast_of(o), z, n, k, err);
	if (verdict == 0)
		verdict = hs_contrast_sums_init(&sums, k, err);
	if (verdict == 0)
		verdict = hs_contrast_measure(&c, w, 0, k, 0, &sums, err);
	*value = 0;
	for (size_t i = 0; verdict == 0 && i < k; i++) {
		const double gain = sums.value[i] - hs_contrast_gaussian(c.kind);
		*value += o->method == HS_ICA_ORTHOMAX ? gain : gain * gain;
	}
	hs_contrast_sums_release(&sums);
	hs_contrast_release(&c);
	return verdict;
}

/* ------------------------------------------------------------------ restarts */

/* The whole work: white samples, the best matrix so far, and the rows that the runs found. */
struct work {
	const struct hs_ica_options *o;
	const double *z;              /* n x k */
	size_t n, k, n_runs;
	double *w;                    /* k x k */
	double *found;                /* restarts x k x k: unit rows in the coordinates of z; run 0 is the result */
	double *sample, *white;       /* sample_size x k */
	double *product;              /* k x k */
	ptrdiff_t *partner;           /* k */
};

static void random_start(struct hs_rng *rng, double *w, size_t k)
{
	for (size_t i = 0; i < k * k; i++)
		w[i] = hs_rng_normal(rng);
	hs_la_orthonormalise(w, k, k);
}

/* A run on a resample, into found; *counts is false when the resample has a lower rank. */
static int run_resample(struct work *q, size_t restart, double *found, bool *counts, struct hs_err *err)
{
	const size_t k = q->k, m = sample_size(q->n, k);
	struct hs_rng rng;
	struct hs_whitening again = { 0 };
	struct hs_turn turn = { .max_iter = RESTART_ITERATIONS, .tol = RESTART_TOL, .stop = q->o->stop, .stop_ctx = q->o->stop_ctx };
	hs_rng_init(&rng, q->o->seed, HS_STREAM_START, restart);
	random_start(&rng, found, k);
	for (size_t i = 0; i < m; i++)
		memcpy(q->sample + i * k, q->z + hs_rng_below(&rng, q->n) * k, k * sizeof(double));
	int verdict = hs_whitening_init(&again, q->sample, m, k, q->o->method != HS_ICA_ORTHOMAX, err);
	*counts = verdict == 0 && again.rank == k;
	if (*counts) {
		hs_whiten(&again, q->sample, m, q->white);
		verdict = search(q->o, q->white, m, k, found, &turn, err);
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)k, (int)k, 1, found, (int)k, again.to, (int)k, 0,
			q->product, (int)k);
		for (size_t i = 0; i < k; i++) {
			const double length = cblas_dnrm2((int)k, q->product + i * k, 1);
			for (size_t j = 0; j < k; j++)
				found[i * k + j] = q->product[i * k + j] / length;
		}
	}
	hs_whitening_release(&again);
	hs_turn_release(&turn);
	return verdict;
}

/* Rows of found in the order of the rows of w that they are; returns the least correlation of a pair. */
static double pair_up(const struct work *q, const double *w, double *found, double *angle, struct hs_err *err)
{
	const size_t k = q->k;
	if (hs_match_spectra(w, k, found, k, k, true, q->partner, angle, err) < 0)
		return -1;
	double least = 1;
	memcpy(q->product, found, k * k * sizeof *found);
	for (size_t i = 0; i < k; i++) {
		memcpy(found + i * k, q->product + (size_t)q->partner[i] * k, k * sizeof *found);
		least = fmin(least, cos(angle[i]));
	}
	return least;
}

/* When another place is better, the search ends there. */
static int try_other_place(struct work *q, const double *start, struct hs_turn *turn, struct hs_err *err)
{
	const size_t k = q->k;
	struct hs_turn other = { .max_iter = turn->max_iter, .tol = turn->tol, .stop = turn->stop, .stop_ctx = turn->stop_ctx };
	double old_value, value, *w = hs_alloc(k * k, sizeof *w, err);
	int verdict = w ? 0 : -1;
	if (w) {
		memcpy(w, start, k * k * sizeof *w);
		hs_la_orthonormalise(w, k, k);
		verdict = search(q->o, q->z, q->n, k, w, &other, err);
	}
	if (verdict == 0 && (verdict = merit(q->o, q->z, q->n, k, q->w, &old_value, err)) == 0 &&
		(verdict = merit(q->o, q->z, q->n, k, w, &value, err)) == 0 && value > old_value + 1e-6 * fabs(old_value)) {
		hs_detail("ica: a restart found a better place, %.8g instead of %.8g", value, old_value);
		memcpy(q->w, w, k * k * sizeof *w);
		const struct hs_turn first = *turn;
		*turn = other;
		other = first;
	}
	hs_turn_release(&other);
	free(w);
	return verdict;
}

/* All resamples; the best of those that came to another place decides whether the search goes on there. */
static int restart_all(struct work *q, struct hs_turn *turn, double *angle, struct hs_err *err)
{
	const size_t k = q->k, kk = k * k;
	double best = -INFINITY;
	size_t best_run = 0;
	for (size_t r = 1; r < q->o->restarts && turn->status != HS_TURN_STOPPED; r++) {
		if (q->o->stop && q->o->stop(q->o->stop_ctx))
			break;
		double *found = q->found + q->n_runs * kk, value;
		bool counts;
		if (run_resample(q, r, found, &counts, err) < 0)
			return -1;
		if (!counts)
			continue;
		const double least = pair_up(q, q->w, found, angle, err);
		if (hs_failed(err))
			return -1;
		if (least < SAME && q->o->method != HS_ICA_JADE) {
			memcpy(q->product, found, kk * sizeof *found);
			hs_la_orthonormalise(q->product, k, k);
			if (merit(q->o, q->z, q->n, k, q->product, &value, err) < 0)
				return -1;
			if (value > best) {
				best = value;
				best_run = q->n_runs;
			}
		}
		q->n_runs++;
	}
	if (!best_run || turn->status == HS_TURN_STOPPED)
		return 0;
	return try_other_place(q, q->found + best_run * kk, turn, err);
}

/* The index of each source: correlations of what the runs call it with each other, and with everything else. */
static int rate(struct work *q, double *angle, double *reliability, struct hs_err *err)
{
	const size_t k = q->k, kk = k * k, runs = q->n_runs;
	memcpy(q->found, q->w, kk * sizeof *q->w);
	for (size_t r = 1; r < runs; r++) {
		pair_up(q, q->w, q->found + r * kk, angle, err);
		if (hs_failed(err))
			return -1;
	}
	double *within = hs_alloc(2 * k, sizeof *within, err);
	if (!within)
		return -1;
	double *across = within + k;
	for (size_t a = 0; a < runs; a++)
		for (size_t b = 0; b < runs; b++) {
			cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)k, (int)k, 1, q->found + a * kk, (int)k,
				q->found + b * kk, (int)k, 0, q->product, (int)k);
			for (size_t i = 0; i < k; i++)
				for (size_t j = 0; j < k; j++)
					*(i == j ? &within[i] : &across[i]) += i == j && a == b ? 0 : fabs(q->product[i * k + j]);
		}
	for (size_t i = 0; i < k; i++)
		reliability[i] = within[i] / (double)(runs * (runs - 1)) - (k > 1 ? across[i] / (double)(runs * runs * (k - 1)) : 0);
	free(within);
	return 0;
}

static int solve(struct work *q, struct hs_ica *out, struct hs_err *err)
{
	const size_t k = q->k, m = sample_size(q->n, k);
	const bool again = q->o->restarts > 1;
	double *angle = hs_alloc(k, sizeof *angle, err);
	q->product = angle ? hs_alloc(k * k, sizeof(double), err) : NULL;
	q->partner = q->product ? hs_alloc(k, sizeof *q->partner, err) : NULL;
	q->found = q->partner ? hs_alloc(q->o->restarts * k, k * sizeof(double), err) : NULL;
	q->sample = q->found ? hs_alloc(again ? m : 0, k * sizeof(double), err) : NULL;
	q->white = q->sample ? hs_alloc(again ? m : 0, k * sizeof(double), err) : NULL;
	int verdict = q->white ? search(q->o, q->z, q->n, k, q->w, &out->turn, err) : -1;
	q->n_runs = 1;
	if (verdict == 0 && again)
		verdict = restart_all(q, &out->turn, angle, err);
	out->n_runs = q->n_runs;
	if (verdict == 0 && q->n_runs > 1) {
		out->reliability = hs_alloc(k, sizeof(double), err);
		verdict = out->reliability ? rate(q, angle, out->reliability, err) : -1;
	}
	free(angle);
	free(q->product);
	free(q->partner);
	free(q->found);
	free(q->sample);
	free(q->white);
	return verdict;
}

/* ------------------------------------------------------------------ the sources */

struct sources {
	const double *z, *w;
	const double *mean;           /* k, in the coordinates of the sources; NULL: they are asked for */
	size_t k;
};

static void add_powers(const void *ctx, int thread, size_t first, size_t n, double *sum)
{
	const struct sources *s = ctx;
	const size_t k = s->k;
	(void)thread;
	for (size_t i = first; i < first + n; i++)
		for (size_t a = 0; a < k; a++) {
			double v = cblas_ddot((int)k, s->w + a * k, 1, s->z + i * k, 1);
			if (!s->mean) {
				sum[a] += v;
				continue;
			}
			v -= s->mean[a];
			sum[a] += v * v;
			sum[k + a] += v * v * v * v;
		}
}

static int find_kurtosis(const struct work *q, double *kurtosis, struct hs_err *err)
{
	const size_t k = q->k;
	struct sources s = { .z = q->z, .w = q->w, .k = k };
	double *sum = hs_alloc(3 * k, sizeof *sum, err);
	int verdict = sum ? hs_fold(q->n, BLOCK_ROWS, k, add_powers, &s, sum + 2 * k, err) : -1;
	for (size_t i = 0; verdict == 0 && i < k; i++)
		sum[2 * k + i] /= (double)q->n;
	if (verdict == 0) {
		s.mean = sum + 2 * k;
		verdict = hs_fold(q->n, BLOCK_ROWS, 2 * k, add_powers, &s, sum, err);
	}
	for (size_t i = 0; verdict == 0 && i < k; i++)        /* a constant source (not centred) has none: 0 */
		kurtosis[i] = sum[i] > 1e-20 * (double)q->n ? sum[k + i] * (double)q->n / (sum[i] * sum[i]) - 3 : 0;
	free(sum);
	return verdict;
}

/* unmix = w to, mix = back w^T. */
static void compose(const struct hs_whitening *white, const double *w, struct hs_ica *out)
{
	const int k = (int)white->rank, k_in = (int)white->k;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, k, k_in, k, 1, w, k, white->to, k_in, 0, out->unmix, k_in);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, k_in, k, k, 1, white->back, k, w, k, 0, out->mix, k);
}

int hs_ica(const double *t, size_t n, size_t k_in, const struct hs_ica_options *o, struct hs_ica *out, struct hs_err *err)
{
	struct hs_whitening white;
	struct work q = { .o = o, .n = n };
	double *z = NULL;
	*out = (struct hs_ica){ .n = n, .k_in = k_in,
		.turn = { .max_iter = o->max_iter, .tol = o->tol, .stop = o->stop, .stop_ctx = o->stop_ctx } };
	int verdict = hs_whitening_init(&white, t, n, k_in, o->method != HS_ICA_ORTHOMAX, err);
	if (verdict == 0 && !white.rank)
		verdict = hs_fail(err, HS_BAD_DATA, "there is nothing to take apart: no component differs between samples");
	if (verdict == 0) {
		out->k = q.k = white.rank;
		z = hs_alloc(n, q.k * sizeof *z, err);
		q.w = z ? hs_alloc(q.k * q.k, sizeof(double), err) : NULL;
		out->mean = q.w ? hs_alloc(k_in, sizeof(double), err) : NULL;
		out->unmix = out->mean ? hs_alloc(q.k * k_in, sizeof(double), err) : NULL;
		out->mix = out->unmix ? hs_alloc(q.k * k_in, sizeof(double), err) : NULL;
		out->kurtosis = out->mix ? hs_alloc(q.k, sizeof(double), err) : NULL;
		verdict = out->kurtosis ? 0 : -1;
	}
	if (verdict == 0) {
		for (size_t i = 0; i < q.k; i++)
			q.w[i * q.k + i] = 1;
		hs_whiten(&white, t, n, z);
		q.z = z;
		memcpy(out->mean, white.mean, k_in * sizeof(double));
		verdict = solve(&q, out, err);
	}
	if (verdict == 0) {
		compose(&white, q.w, out);
		verdict = find_kurtosis(&q, out->kurtosis, err);
	}
	hs_whitening_release(&white);
	free(z);
	free(q.w);
	return verdict;
}

void hs_ica_release(struct hs_ica *ica)
{
	free(ica->mean);
	free(ica->unmix);
	free(ica->mix);
	free(ica->kurtosis);
	free(ica->reliability);
	hs_turn_release(&ica->turn);
	*ica = (struct hs_ica){ 0 };
}

void hs_ica_arrange(struct hs_ica *ica, const size_t *order, const double *factor)
{
	const size_t k = ica->k, k_in = ica->k_in;
	double *old = hs_must_alloc(k * (2 * k_in + 2), sizeof *old), *mix = old + k * k_in, *kurtosis = mix + k * k_in,
	       *reliability = kurtosis + k;
	memcpy(old, ica->unmix, k * k_in * sizeof *old);
	memcpy(mix, ica->mix, k * k_in * sizeof *old);
	memcpy(kurtosis, ica->kurtosis, k * sizeof *old);
	if (ica->reliability)
		memcpy(reliability, ica->reliability, k * sizeof *old);
	for (size_t i = 0; i < k; i++) {
		for (size_t j = 0; j < k_in; j++) {
			ica->unmix[i * k_in + j] = factor[i] * old[order[i] * k_in + j];
			ica->mix[j * k + i] = mix[j * k + order[i]] / factor[i];
		}
		ica->kurtosis[i] = kurtosis[order[i]];
		if (ica->reliability)
			ica->reliability[i] = reliability[order[i]];
	}
	free(old);
}

double hs_ica_gaussian_kurtosis(size_t n)
{
	return fmax(0.1, 3 * sqrt(24 / (double)(n ? n : 1)));
}

size_t hs_ica_bytes(size_t n, size_t k, const struct hs_ica_options *o, int threads)
{
	const size_t m = o->restarts > 1 ? sample_size(n, k) : 0, whitening = hs_whitening_bytes(n, k, threads),
		     contrast = hs_contrast_bytes(n, k, threads) + hs_picard_bytes(k) + hs_fastica_bytes(k),
		     search_bytes = o->method == HS_ICA_JADE ? hs_jade_bytes(n, k < HS_JADE_MOST ? k : HS_JADE_MOST, threads) : contrast,
		     most = search_bytes > whitening ? search_bytes : whitening;
	return (n * k + 2 * m * k + (o->restarts + 12) * k * k + 12 * k + 2 * o->max_iter) * sizeof(double) + most;
}
