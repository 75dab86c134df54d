/* Operations on spectra: identities that hold whatever the numbers, and every operation on spectra that have next to nothing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "math/whittaker.h"
#include "prep/chain.h"
#include "prep/weights.h"
#include "tap.h"

/* A chain of one operation over rows in memory: the result as float64, NULL with err when it is refused. */
struct run {
	struct hs_err err;
	size_t n_pix, n_chan;
	double *x;
	uint8_t *skip;
};

static struct run apply(const char *name, const char *args, const double *x, size_t n_pix, const struct hs_axis *axis)
{
	struct run r = { 0 };
	struct hs_opt_said said = { 0 };
	struct hs_signal signal;
	struct hs_chain chain = { 0 };
	struct hs_batch b = { .n_blocks = 1 };
	size_t n = 0, i = 0;
	const struct hs_opt *option = hs_chain_options(&said, &n);
	while (i < n && strcmp(option[i].name, name) != 0)
		i++;
	said.item = hs_must_alloc(1, sizeof *said.item);
	said.item[0].option = &option[i];
	said.item[0].value = args;
	said.n = 1;
	hs_signal_init(&signal, "data", NULL, "count", HS_F64);
	hs_signal_add_axis(&signal, hs_axis_uniform("x", "nm", NULL, HS_AXIS_SPATIAL, n_pix, 0, 1));
	hs_signal_add_axis(&signal, hs_axis_dup(axis));
	hs_signal_shape_up(&signal, 1);
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n_pix, axis->n, NULL, &r.err);
	hs_chain_begin(&chain, &signal, rows, NULL, NULL);
	int verdict = i < n ? hs_chain_open(&chain, &said, &r.err) : hs_fail(&r.err, HS_BUG, "no operation is called %s", name);
	struct hs_rowsource *end = hs_chain_end(&chain)->source;
	if (verdict == 0)
		verdict = end->rewind(end, &r.err);
	if (verdict == 0) {
		r.n_pix = end->n_rows;
		r.n_chan = end->n_chan;
		r.x = hs_must_alloc(end->n_rows * end->n_chan, sizeof *r.x);
		r.skip = hs_must_alloc(end->n_rows, 1);
	}
	while (verdict == 0 && b.n_blocks) {
		verdict = end->next(end, &b, &r.err);
		if (verdict == 0 && b.n_blocks) {
			memcpy(r.x + b.first_row * r.n_chan, b.x, b.n_rows * r.n_chan * sizeof *r.x);
			memcpy(r.skip + b.first_row, b.skip, b.n_rows);
		}
	}
	hs_chain_release(&chain);
	hs_array_rows_free(rows);
	hs_signal_release(&signal);
	free(said.item);
	return r;
}

static void run_free(struct run *r)
{
	free(r->x);
	free(r->skip);
}

static double *noise(size_t n, uint64_t item)
{
	struct hs_rng rng;
	double *x = hs_must_alloc(n, sizeof *x);
	hs_rng_init(&rng, 9, HS_STREAM_TEST, item);
	for (size_t i = 0; i < n; i++)
		x[i] = 100 + 10 * hs_rng_normal(&rng);
	return x;
}

/* -------------------------------------------------------------------- Whittaker's curve */

static void test_whittaker(void)
{
	for (size_t n = 1; n < 60; n += n < 5 ? 1 : 17) {
		double *y = noise(n, n), *w = noise(n, n + 1), *z = hs_must_alloc(n, sizeof *z);
		double *scratch = hs_must_alloc(4 * n, sizeof *scratch);
		const double lambda = 300;
		double worst = 0, sum = 0;
		for (size_t i = 0; i < n; i++)
			w[i] = n > 4 && i % 5 == 2 ? 0 : fabs(w[i]) / 100;
		hs_whittaker(n, lambda, w, y, z, scratch);
		/* what the equations leave: w (y - z) - lambda D^T D z */
		for (size_t i = 0; i < n; i++) {
			double left = w[i] * (y[i] - z[i]);
			for (size_t k = i < 2 ? 0 : i - 2; k <= i && k + 2 < n; k++) {
				const double c = i == k + 1 ? -2 : 1;
				left -= lambda * c * (z[k] - 2 * z[k + 1] + z[k + 2]);
			}
			worst = fmax(worst, fabs(left));
			sum += w[i] * (y[i] - z[i]);
		}
		tap_ok(worst < 1e-9 && fabs(sum) < 1e-9, "whittaker of %zu channels solves its equations: %.1e, weighted sum kept to %.1e", n,
			worst, sum);
		hs_whittaker_als(n, lambda, 0.01, y, z, scratch);
		double top = 0;
		for (size_t i = 0; i < n; i++)
			top += y[i] >= z[i] - 1e-9 ? 1 : 0;
		tap_ok(2 * top >= (double)n, "als of %zu channels: %g are above it", n, top);
		hs_whittaker_arpls(n, lambda, y, z, scratch);
		bool finite = true;
		for (size_t i = 0; i < n; i++)
			finite &= isfinite(z[i]);
		tap_ok(finite, "arpls of %zu channels is finite", n);
		free(y);
		free(w);
		free(z);
		free(scratch);
	}
}

/* -------------------------------------------------------------------- weights */

/* Moments of the weights: sum w (x - x_i)^k is 0 but for k = derivative, where it is derivative!. */
static void moments(const struct hs_axis *axis, const char *what, size_t width, size_t order, size_t derivative)
{
	struct hs_weights w;
	struct hs_err err = { 0 };
	double worst = 0;
	const int verdict = hs_weights_local(&w, axis, width, order, derivative, &err);
	for (size_t i = 0; verdict == 0 && i < w.n; i++)
		for (size_t k = 0; k <= order; k++) {
			double sum = 0, size = 0;
			for (size_t j = 0; j < w.count[i]; j++) {
				const double t = w.weight[w.at[i] + j] * pow(axis->value[w.first[i] + j] - axis->value[i], (double)k);
				sum += t;
				size += fabs(t);
			}
			const double want = k == derivative ? tgamma((double)derivative + 1) : 0;
			worst = fmax(worst, fabs(sum - want) / fmax(size, 1e-300));
		}
	tap_ok(verdict == 0 && worst < 1e-9, "%s: window %zu, order %zu, derivative %zu: moments to %.1e", what, width, order,
		derivative, worst);
	hs_weights_release(&w);
}

static void test_weights(void)
{
	double uneven[40];
	for (size_t i = 0; i < HS_LEN(uneven); i++)
		uneven[i] = 1240 / (80.0 - (double)i);
	struct hs_axis even = hs_axis_uniform("energy", "eV", NULL, HS_AXIS_SPECTRAL, 40, 7, 0.25),
		       other = hs_axis_values("wavelength", "nm", NULL, HS_AXIS_SPECTRAL, 40, uneven);
	for (size_t d = 0; d < 4; d++) {
		moments(&even, "uniform", 9, 4, d);
		moments(&other, "not uniform", 9, 4, d);
		moments(&even, "all channels", 40, d, d);
	}
	moments(&even, "one channel", 1, 0, 0);
	hs_axis_release(&even);
	hs_axis_release(&other);
}

/* -------------------------------------------------------------------- laws */

static void test_background(void)
{
	enum { N = 50 };
	struct hs_axis axis = hs_axis_uniform("energy", "eV", NULL, HS_AXIS_SPECTRAL, N, 100, 2);
	double x[6 * N] = { 0 };
	for (size_t i = 0; i < N; i++) {
		x[i] = 1e250 * pow(axis.value[i], -2.7);
		x[N + i] = i < 20 ? 0 : 5;            /* nothing in the window */
		x[2 * N + i] = i == 0 ? 1000 : 1;     /* nearly all of it in its first channel */
		x[3 * N + i] = i == 15 ? 1000 : 0;    /* all of it in its last */
		x[4 * N + i] = -1;
		x[5 * N + i] = i % 2 ? 1e-300 : 3e-300;
	}
	struct run r = apply("background", "powerlaw:100:130", x, 6, &axis);
	double worst = 0;
	for (size_t i = 0; i < N; i++)
		worst = fmax(worst, fabs(r.x[i] / x[i]));
	tap_ok(worst < 1e-12, "a power law of 1e250 is gone to %.1e", worst);
	tap_ok(!r.skip[1] && r.x[N + 30] == 5, "an empty window has no background");
	tap_ok(!r.skip[2] && isfinite(r.x[2 * N + 49]) && r.x[2 * N + 49] > 0, "a steep one falls to nothing");
	tap_ok(!r.skip[3] && fabs(r.x[3 * N + 49] + 1000.0 / 16) < 1e-9, "one that would rise is flat: the exponent is not negative");
	tap_ok(!r.skip[4] && r.x[4 * N + 49] == -1, "nothing is taken from negative sums");
	tap_ok(!r.skip[5] && isfinite(r.x[5 * N + 49]), "1e-300");
	run_free(&r);
	hs_axis_release(&axis);
}

/* -------------------------------------------------------------------- sums */

static void sum_kept(const char *name, const char *args, const struct hs_axis *axis, double tolerance)
{
	double *x = noise(3 * axis->n, 77), worst = 0;
	struct run r = apply(name, args, x, 3, axis);
	for (size_t i = 0; r.x && i < 3; i++) {
		double before = 0, after = 0;
		for (size_t j = 0; j < axis->n; j++)
			before += x[i * axis->n + j];
		for (size_t j = 0; j < r.n_chan; j++)
			after += r.x[i * r.n_chan + j];
		worst = fmax(worst, fabs(after - before) / before);
	}
	tap_ok(r.x && worst < tolerance, "--%s %s keeps the sum: %.1e %s", name, args, worst, r.err.text);
	run_free(&r);
	free(x);
}

static void test_sums(void)
{
	double uneven[40];
	for (size_t i = 0; i < HS_LEN(uneven); i++)
		uneven[i] = 1240 / (10.0 + (double)i);
	struct hs_axis down = hs_axis_values("wavelength", "nm", NULL, HS_AXIS_SPECTRAL, 40, uneven),
		       even = hs_axis_uniform("energy", "eV", NULL, HS_AXIS_SPECTRAL, 60, -3, 0.1);
	static const char *const n[] = { "2,sum", "13,sum", "60,sum", "61,sum", "997,sum" };
	for (size_t i = 0; i < HS_LEN(n); i++) {
		sum_kept("resample", n[i], &down, 1e-12);
		sum_kept("resample", n[i], &even, 1e-12);
	}
	sum_kept("smooth", "whittaker:1000", &even, 1e-11);
	sum_kept("bin", "energy=4", &even, 1e-14);
	sum_kept("calibrate", "energy=1,2,keV", &even, 1e-15);
	hs_axis_release(&down);
	hs_axis_release(&even);
}

/* -------------------------------------------------------------------- next to nothing */

/* Every operation on every kind of degenerate spectra: an answer without NaN among it, or a sentence. */
static void degenerate(const char *name, const char *args, size_t n, double value, const char *what)
{
	struct hs_axis axis = hs_axis_uniform("energy", "eV", NULL, HS_AXIS_SPECTRAL, n, 1, 0.5);
	double *x = hs_must_alloc(3 * n, sizeof *x);
	for (size_t i = 0; i < 3 * n; i++)
		x[i] = i < n ? value : i < 2 * n ? value * (1 + (double)(i % 3)) : (double)NAN;
	struct run r = apply(name, args, x, 3, &axis);
	bool good = r.x ? r.skip[r.n_pix - 1] : hs_failed(&r.err) && (r.err.status == HS_USAGE || r.err.status == HS_BAD_DATA);
	for (size_t i = 0; r.x && i < r.n_pix * r.n_chan; i++)
		good &= r.skip[i / r.n_chan] ? isnan(r.x[i]) : isfinite(r.x[i]);
	tap_ok(good, "--%s %s of %zu channels, %s: %s", name, args ? args : "", n, what, r.x ? "an answer" : r.err.text);
	run_free(&r);
	free(x);
	hs_axis_release(&axis);
}

static void test_degenerate(void)
{
	static const char *const op[][2] = { { "smooth", "savgol:3,1" }, { "smooth", "gaussian:1" }, { "smooth", "whittaker:10" },
		{ "derivative", "1" }, { "derivative", "4" }, { "baseline", "poly:2" }, { "baseline", "modpoly:1" }, { "baseline", "als:100" },
		{ "baseline", "arpls:100" }, { "baseline", "snip:3" }, { "baseline", "snip:3,counts" }, { "baseline", "ball:2" },
		{ "background", "powerlaw:1:2" }, { "background", "exponential:1:2" }, { "background", "line:1:2" }, { "convert", "nm" },
		{ "resample", "5" }, { "resample", "5,cubic" }, { "resample", "5,sum" }, { "resample", "step=0.2,integral" },
		{ "scale", "poisson" }, { "scale", "anscombe" },
		{ "normalise", "vector" }, { "normalise", "range" }, { "normalise", "1:1.5" }, { "clip", "0:1" }, { "divide", "3" },
		{ "calibrate", "energy=1,2" } };
	static const size_t n[] = { 1, 2, 3, 20 };
	static const struct { double value; const char *what; } kind[] = { { 0, "zeros" }, { 7, "sevens" }, { 1e-300, "1e-300" },
		{ 1e300, "1e300" }, { -1e300, "-1e300" } };
	for (size_t i = 0; i < HS_LEN(op); i++)
		for (size_t j = 0; j < HS_LEN(n); j++)
			for (size_t k = 0; k < HS_LEN(kind); k++)
				degenerate(op[i][0], op[i][1], n[j], kind[k].value, kind[k].what);
}

int main(void)
{
	hs_par_set_threads(2);
	test_whittaker();
	test_weights();
	test_background();
	test_sums();
	test_degenerate();
	return tap_done();
}
