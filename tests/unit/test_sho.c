/* test_sho - fits of band excitation spectra beside the Cramer-Rao bound, their flags, and how many a second.
 *
 * HS_SPEED=N fits N spectra by one thread and prints the rate. */
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/lm.h"
#include "math/par.h"
#include "physics/fit.h"
#include "tap.h"

enum { BINS = 80, N_PARAMS = 4 };
enum { AMPLITUDE, FREQUENCY, QUALITY, PHASE };

static double band[BINS];             /* 300 .. 400 kHz */

static void response(const double *q, double complex *h)
{
	for (int i = 0; i < BINS; i++)
		h[i] = q[AMPLITUDE] * cexp(I * q[PHASE]) * q[FREQUENCY] * q[FREQUENCY] /
			(band[i] * band[i] - I * band[i] * q[FREQUENCY] / q[QUALITY] - q[FREQUENCY] * q[FREQUENCY]);
}

/* n resonators with noise of the largest magnitude over snr (both parts together), as rows of (re, im); variance of the noise of
 * one part into noise. */
static double *spectra(size_t n, double snr, double *truth, double *noise)
{
	double *rows = hs_must_alloc(n, 2 * BINS * sizeof *rows);
	for (size_t k = 0; k < n; k++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 5, HS_STREAM_TEST, k);
		double *q = truth + k * N_PARAMS, most = 0;
		double complex h[BINS];
		q[AMPLITUDE] = 1e-5 * (0.5 + 1.5 * hs_rng_uniform(&rng));
		q[FREQUENCY] = 320e3 + 60e3 * hs_rng_uniform(&rng);
		q[QUALITY] = 40 + 210 * hs_rng_uniform(&rng);
		q[PHASE] = 2 * M_PI * (hs_rng_uniform(&rng) - 0.5);
		response(q, h);
		for (int i = 0; i < BINS; i++)
			most = fmax(most, cabs(h[i]));
		const double sigma = snr > 0 ? most / snr / sqrt(2) : 0;
		noise[k] = sigma * sigma;
		for (int i = 0; i < BINS; i++) {
			rows[(k * BINS + (size_t)i) * 2] = creal(h[i]) + sigma * hs_rng_normal(&rng);
			rows[(k * BINS + (size_t)i) * 2 + 1] = cimag(h[i]) + sigma * hs_rng_normal(&rng);
		}
	}
	return rows;
}

/* Variances of the Cramer-Rao bound by derivatives in closed form: d ln F / d q, and Fisher's matrix inverted. */
static bool bound(const double *q, double noise, double *variance)
{
	double complex f[BINS], d[N_PARAMS];
	double h[N_PARAMS * N_PARAMS] = { 0 };
	response(q, f);
	for (int i = 0; i < BINS; i++) {
		const double w = band[i], w0 = q[FREQUENCY], quality = q[QUALITY];
		const double complex below = w * w - I * w * w0 / quality - w0 * w0;
		d[AMPLITUDE] = f[i] / q[AMPLITUDE];
		d[FREQUENCY] = f[i] * (2 / w0 + (I * w / quality + 2 * w0) / below);
		d[QUALITY] = -f[i] * I * w * w0 / (quality * quality) / below;
		d[PHASE] = I * f[i];
		for (int a = 0; a < N_PARAMS; a++)
			for (int b = 0; b <= a; b++)
				h[a * N_PARAMS + b] += creal(d[a] * conj(d[b])) / noise;
	}
	for (int a = 0; a < N_PARAMS; a++) {
		double l[N_PARAMS * N_PARAMS], e[N_PARAMS] = { 0 };
		memcpy(l, h, sizeof l);
		e[a] = 1;
		if (!hs_lm_solve(l, N_PARAMS, e))
			return false;
		variance[a] = e[a];
	}
	return true;
}

static bool fit(const double *rows, size_t n, struct hs_fit *f)
{
	struct hs_compound c;
	struct hs_err err = { 0 };
	if (hs_compound_parse(&c, "sho", &err) < 0)
		return false;
	const struct hs_fit_options o = { .model = &c, .grid = { .n = BINS, .x = band, .x_unit = "Hz", .y_unit = "m" } };
	struct hs_rowsource *source = hs_array_rows_new(rows, HS_ROW_F64, n, 2 * BINS, NULL, &err);
	const bool good = source && hs_fit(source, &o, f, &err) == 0;
	hs_array_rows_free(source);
	hs_compound_release(&c);
	return good;
}

static double turned(double phase)
{
	return remainder(phase, 2 * M_PI);
}

/* Root mean square error over that of the bound, for each parameter; spectra farther than 10 bounds off, or that did not
 * converge, are failures. */
static void efficiency(double snr, size_t n)
{
	static const char *const name[] = { "amplitude", "frequency", "quality", "phase" };
	double *truth = hs_must_alloc(n, N_PARAMS * sizeof *truth), *noise = hs_must_alloc(n, sizeof *noise),
	       *rows = spectra(n, snr, truth, noise), square[N_PARAMS] = { 0 }, variance[N_PARAMS];
	struct hs_fit f = { 0 };
	const bool good = fit(rows, n, &f);
	const size_t width = good ? f.n_params + f.n_derived : 0;
	size_t failures = 0, used = 0;
	for (size_t k = 0; good && k < n; k++) {
		double off[N_PARAMS];
		bool far = f.status[k] != HS_FIT_CONVERGED || !bound(truth + k * N_PARAMS, noise[k], variance);
		for (int a = 0; a < N_PARAMS; a++) {
			off[a] = f.value[k * width + (size_t)a] - truth[k * N_PARAMS + (size_t)a];
			off[a] = a == PHASE ? turned(off[a]) : off[a];
			far |= fabs(off[a]) > 10 * sqrt(variance[a]);
		}
		failures += far;
		used += !far;
		for (int a = 0; a < N_PARAMS && !far; a++)
			square[a] += off[a] * off[a] / variance[a];
	}
	for (int a = 0; a < N_PARAMS; a++) {
		const double ratio = sqrt(square[a] / (double)used);
		tap_ok(good && ratio <= 1.1 && ratio > 0.9, "SNR %g: error of %s is %.3f of the Cramer-Rao bound", snr, name[a], ratio);
	}
	tap_ok(good && (double)failures < 0.005 * (double)n, "SNR %g: %zu of %zu fail", snr, failures, n);
	hs_fit_release(&f);
	free(rows);
	free(noise);
	free(truth);
}

/* One spectrum of a resonator at q, without noise. */
static void one(const double *q, struct hs_fit *f)
{
	double row[2 * BINS];
	double complex h[BINS];
	response(q, h);
	for (int i = 0; i < BINS; i++) {
		row[2 * i] = creal(h[i]);
		row[2 * i + 1] = cimag(h[i]);
	}
	if (!fit(row, 1, f))
		*f = (struct hs_fit){ 0 };
}

/* What is not a resonance in the band is not said to be one. */
static void flags(void)
{
	static const struct { const char *what; double q[N_PARAMS]; } bad[] = {
		{ "above the band", { 1, 430e3, 100, 1 } }, { "below the band", { 1, 250e3, 60, -2 } },
		{ "driven by its losses", { 1, 350e3, -80, 0.3 } } };
	struct hs_fit f = { 0 };
	for (size_t i = 0; i < HS_LEN(bad); i++) {
		one(bad[i].q, &f);
		tap_ok(f.n_rows && f.status[0] != HS_FIT_CONVERGED, "a resonator %s has status %d", bad[i].what, f.n_rows ? f.status[0] : -1);
		hs_fit_release(&f);
	}
	one((double[]){ 1e-280, 350e3, 100, 0 }, &f);
	tap_ok(f.n_rows == 1, "tiny values: status %d", f.n_rows ? f.status[0] : -1);
	hs_fit_release(&f);
}

/* Edges of the band and extreme quality factors, found exactly. */
static void range(void)
{
	static const double at[][N_PARAMS] = { { 1, 301e3, 100, 1 }, { 1, 399e3, 100, -3 }, { 1e-12, 350e3, 3, 0.2 },
		{ 1e9, 350.3e3, 5000, 2 } };
	for (size_t i = 0; i < HS_LEN(at); i++) {
		struct hs_fit f = { 0 };
		double off = INFINITY;
		one(at[i], &f);
		for (int a = 0; f.n_rows && a < N_PARAMS; a++)
			off = fmax(a ? off : 0, fabs(f.value[a] - at[i][a]) / fabs(at[i][a]));
		tap_ok(off < 1e-8 && f.status[0] == HS_FIT_CONVERGED, "frequency %g, quality %g: found to %.1e", at[i][FREQUENCY],
			at[i][QUALITY], off);
		hs_fit_release(&f);
	}
}

static void threads(void)
{
	enum { N = 3000 };
	double *truth = hs_must_alloc(N, N_PARAMS * sizeof *truth), *noise = hs_must_alloc(N, sizeof *noise),
	       *rows = spectra(N, 3, truth, noise);
	struct hs_fit a = { 0 }, b = { 0 };
	hs_par_set_threads(1);
	bool same = fit(rows, N, &a);
	hs_par_set_threads(3);
	same = same && fit(rows, N, &b);
	const size_t width = a.n_params + a.n_derived;
	tap_ok(same && !memcmp(a.value, b.value, N * width * sizeof *a.value) &&
		!memcmp(a.sigma, b.sigma, N * width * sizeof *a.sigma) && !memcmp(a.status, b.status, N),
		"the same bits by one and three threads");
	hs_par_set_threads(1);
	hs_fit_release(&a);
	hs_fit_release(&b);
	free(rows);
	free(noise);
	free(truth);
}

static void speed(size_t n)
{
	double *truth = hs_must_alloc(n, N_PARAMS * sizeof *truth), *noise = hs_must_alloc(n, sizeof *noise),
	       *rows = spectra(n, 30, truth, noise);
	struct hs_fit f = { 0 };
	const double from = hs_cpu_s();
	const bool good = fit(rows, n, &f);
	const double took = hs_cpu_s() - from;
	size_t steps = 0;
	for (size_t i = 0; good && i < n; i++)
		steps += f.n_iter[i];
	printf("# %zu spectra of %d bins in %.3f s: %.0f a second, %.2f steps each\n", n, BINS, took, (double)n / took,
		(double)steps / (double)n);
	hs_fit_release(&f);
	free(rows);
	free(noise);
	free(truth);
}

int main(void)
{
	const char *wanted = getenv("HS_SPEED");
	for (int i = 0; i < BINS; i++)
		band[i] = 300e3 + 100e3 * i / (BINS - 1);
	hs_par_set_threads(1);
	if (wanted && atol(wanted) > 0) {
		speed((size_t)atol(wanted));
		return 0;
	}
	efficiency(1000, 4000);
	efficiency(100, 4000);
	efficiency(30, 4000);
	efficiency(10, 8000);
	flags();
	range();
	threads();
	return tap_done();
}
