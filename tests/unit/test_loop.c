/* test_loop - hysteresis loops: what is derived beside its definition, biases found under noise, sweeps of all kinds.
 *
 * HS_SPEED=N fits N loops by one thread and prints the rate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "physics/fit.h"
#include "math/project.h"
#include "tap.h"

enum { STEPS = 64, N_PARAMS = 9, MOST = 4096 };
enum { OFFSET, HEIGHT, V_RISING, V_FALLING, SLOPE, RISING_LOW, RISING_HIGH, FALLING_LOW, FALLING_HIGH };
enum { POSITIVE = N_PARAMS, NEGATIVE, IMPRINT, REMANENT_POSITIVE, REMANENT_NEGATIVE, SWITCHABLE, WORK, NUCLEATION_POSITIVE,
	NUCLEATION_NEGATIVE, N_VALUES };

static double bias[STEPS];            /* 0, up to 8 V, down to -8 V and back, in steps of 0.5 V */

static void triangle(void)
{
	for (int i = 0; i < STEPS; i++)
		bias[i] = i <= STEPS / 4 ? 0.5 * i : i <= 3 * STEPS / 4 ? 0.5 * (STEPS / 2 - i) : 0.5 * (i - STEPS);
}

static bool fit(const double *x, size_t n_x, const double *rows, size_t n, const double *weight, struct hs_fit *f)
{
	struct hs_compound c;
	struct hs_err err = { 0 };
	if (hs_compound_parse(&c, "loop", &err) < 0)
		return false;
	const struct hs_fit_options o = { .model = &c, .grid = { .n = n_x, .x = x, .x_unit = "V", .y_unit = "m" }, .weight = weight };
	struct hs_rowsource *source = hs_array_rows_new(rows, HS_ROW_F64, n, n_x, NULL, &err);
	const bool good = source && hs_fit(source, &o, f, &err) == 0;
	hs_array_rows_free(source);
	hs_compound_release(&c);
	return good;
}

static void values(const double *x, size_t n, const double *q, double *y)
{
	const struct hs_grid g = { .n = n, .x = x };
	if (!hs_model_named("loop")->eval(&g, q, y, NULL))
		memset(y, 0xff, n * sizeof *y);
}

static void random_loop(size_t k, double *q)
{
	struct hs_rng rng;
	hs_rng_init(&rng, 2, HS_STREAM_TEST, k);
	q[OFFSET] = hs_rng_normal(&rng);
	q[HEIGHT] = (k % 2 ? 1 : -1) * (1 + hs_rng_uniform(&rng));
	q[V_RISING] = 1 + 4 * hs_rng_uniform(&rng);
	q[V_FALLING] = -5 + 4 * hs_rng_uniform(&rng);
	q[SLOPE] = 0.02 * hs_rng_normal(&rng);
	for (int j = RISING_LOW; j <= FALLING_HIGH; j++)
		q[j] = 0.5 + 1.5 * hs_rng_uniform(&rng);
}

/* ------------------------------------------------------------------ what is derived */

/* On a sweep of so many points that sums are integrals and steps are small. */
static void definitions(void)
{
	static double x[MOST], y[MOST];
	const double range = 40;
	for (int i = 0; i < MOST; i++)
		x[i] = i < MOST / 2 ? range * (2.0 * i / (MOST / 2) - 1) : range * (3 - 2.0 * i / (MOST / 2));
	const struct hs_model *m = hs_model_named("loop");
	const struct hs_grid g = { .n = MOST, .x = x };
	double worst[N_VALUES] = { 0 };
	for (size_t k = 0; k < 8; k++) {
		double q[N_PARAMS], d[N_VALUES - N_PARAMS], dd[(N_VALUES - N_PARAMS) * N_PARAMS], area = 0;
		random_loop(k, q);
		values(x, MOST, q, y);
		m->derive(&g, q, d, dd);
		for (int i = 1; i < MOST; i++)
			area -= 0.5 * (y[i] + y[i - 1]) * (x[i] - x[i - 1]);
		/* the sweep ends a step before it closes */
		area -= 0.5 * (y[0] + y[MOST - 1]) * (x[0] - x[MOST - 1]);
		worst[WORK] = fmax(worst[WORK], fabs(d[WORK - N_PARAMS] - area) / fabs(area));
		/* a loop with neither offset nor slope, of unit height, at the biases that are said: a sweep of three points */
		static const struct { int what; bool rising; double s; } at[] = { { POSITIVE, true, 0.5 }, { NEGATIVE, false, 0.5 },
			{ NUCLEATION_POSITIVE, true, 0.03 }, { NUCLEATION_NEGATIVE, false, 0.97 } };
		for (size_t a = 0; a < HS_LEN(at); a++) {
			const double v = d[at[a].what - N_PARAMS], way[] = { at[a].rising ? v - 1e-3 : v + 1e-3, v };
			double unit[N_PARAMS], s[2];
			memcpy(unit, q, sizeof unit);
			unit[OFFSET] = unit[SLOPE] = 0;
			unit[HEIGHT] = 1;
			values(way, 2, unit, s);
			worst[at[a].what] = fmax(worst[at[a].what], fabs(s[1] - at[a].s));
		}
		const double up[] = { -1e-3, 0 }, down[] = { 1e-3, 0 };
		double r[2], f[2];
		values(up, 2, q, r);
		values(down, 2, q, f);
		worst[REMANENT_NEGATIVE] = fmax(worst[REMANENT_NEGATIVE], fabs(r[1] - d[REMANENT_NEGATIVE - N_PARAMS]));
		worst[REMANENT_POSITIVE] = fmax(worst[REMANENT_POSITIVE], fabs(f[1] - d[REMANENT_POSITIVE - N_PARAMS]));
		worst[SWITCHABLE] = fmax(worst[SWITCHABLE], fabs(f[1] - r[1] - d[SWITCHABLE - N_PARAMS]));
		worst[IMPRINT] = fmax(worst[IMPRINT], fabs(0.5 * (d[0] + d[1]) - d[IMPRINT - N_PARAMS]));
	}
	tap_ok(worst[WORK] < 1e-4, "the work of switching is the area between the branches, to %.1e", worst[WORK]);
	tap_ok(worst[POSITIVE] < 1e-9 && worst[NEGATIVE] < 1e-9, "half of a branch has switched at its coercive bias, to %.1e",
		worst[POSITIVE]);
	tap_ok(worst[NUCLEATION_POSITIVE] < 1e-9 && worst[NUCLEATION_NEGATIVE] < 1e-9, "3 %% have at nucleation, to %.1e",
		worst[NUCLEATION_POSITIVE]);
	tap_ok(worst[REMANENT_POSITIVE] < 1e-6 && worst[REMANENT_NEGATIVE] < 1e-6 && worst[SWITCHABLE] < 1e-6 && worst[IMPRINT] < 1e-12,
		"the remanent values are those at zero bias, to %.1e", worst[REMANENT_POSITIVE]);
}

/* ------------------------------------------------------------------ fits */

/* Loops of both signs with noise of a twentieth of their height: both coercive biases to half a step. */
static void recovery(void)
{
	enum { N = 1000 };
	double *rows = hs_must_alloc(N, STEPS * sizeof *rows), *truth = hs_must_alloc(N, N_VALUES * sizeof *truth),
	       dd[(N_VALUES - N_PARAMS) * N_PARAMS];
	const struct hs_grid g = { .n = STEPS, .x = bias };
	struct hs_fit f = { 0 };
	size_t near = 0, flagged = 0;
	for (size_t k = 0; k < N; k++) {
		double *q = truth + k * N_VALUES;
		struct hs_rng rng;
		random_loop(k, q);
		hs_model_named("loop")->derive(&g, q, q + N_PARAMS, dd);
		values(bias, STEPS, q, rows + k * STEPS);
		hs_rng_init(&rng, 3, HS_STREAM_TEST, k);
		for (int i = 0; i < STEPS; i++)
			rows[k * STEPS + (size_t)i] += fabs(q[HEIGHT]) / 20 * hs_rng_normal(&rng);
	}
	const bool good = fit(bias, STEPS, rows, N, NULL, &f);
	for (size_t k = 0; good && k < N; k++) {
		const double *v = f.value + k * N_VALUES, *t = truth + k * N_VALUES;
		near += fabs(v[POSITIVE] - t[POSITIVE]) < 0.25 && fabs(v[NEGATIVE] - t[NEGATIVE]) < 0.25;
		flagged += f.status[k] != HS_FIT_CONVERGED && f.status[k] != HS_FIT_ON_BOUND;
	}
	tap_ok(good && near >= 0.97 * N, "SNR 20: both coercive biases to half a step in %zu of %d", near, N);
	tap_ok(good && flagged < 0.02 * N, "SNR 20: %zu of %d did not come to an end", flagged, N);
	hs_par_set_threads(3);
	struct hs_fit again = { 0 };
	tap_ok(good && fit(bias, STEPS, rows, N, NULL, &again) && !memcmp(f.value, again.value, N * N_VALUES * sizeof *f.value) &&
		!memcmp(f.sigma, again.sigma, N * N_VALUES * sizeof *f.sigma), "the same bits by one and three threads");
	hs_par_set_threads(1);
	hs_fit_release(&f);
	hs_fit_release(&again);
	free(rows);
	free(truth);
}

/* The same loop on sweeps that begin elsewhere, go the other way round first, or wait at their ends. */
static void sweeps(void)
{
	static const double q[N_PARAMS] = { -1, 2, 2.2, -1.7, 0.03, 0.8, 1.4, 1.1, 0.9 };
	for (int kind = 0; kind < 5; kind++) {
		double x[STEPS + 8], y[STEPS + 8], weight[STEPS + 8];
		size_t n = STEPS;
		for (size_t i = 0; i < STEPS; i++)
			x[i] = bias[(i + (kind == 1 ? 16 : kind == 2 ? 40 : 0)) % STEPS] * (kind == 3 ? -1 : 1);
		if (kind == 4) {              /* four points at each turn */
			n = 0;
			for (size_t i = 0; i < STEPS; i++)
				for (int wait = 0; wait < (fabs(bias[i]) == 8 ? 4 : 1); wait++)
					x[n++] = bias[i];
		}
		values(x, n, q, y);
		for (size_t i = 0; i < n; i++)
			weight[i] = 1;
		y[5] = 1e3;                   /* not looked at */
		weight[5] = 0;
		struct hs_fit f = { 0 };
		double off = INFINITY;
		if (fit(x, n, y, 1, weight, &f))
			off = 0;
		for (size_t j = 0; f.n_rows && j < N_PARAMS; j++)
			off = fmax(off, fabs(f.value[j] - q[j]));
		tap_ok(off < 1e-8 && f.status[0] == HS_FIT_CONVERGED, "sweep %d: found to %.1e, status %d", kind, off,
			f.n_rows ? f.status[0] : -1);
		hs_fit_release(&f);
	}
	double x[STEPS], y[STEPS];
	struct hs_fit f = { 0 };
	for (int i = 0; i < STEPS; i++) {
		x[i] = i;
		y[i] = tanh(0.1 * (i - 20));
	}
	tap_ok(fit(x, STEPS, y, 1, NULL, &f) && f.status[0] == HS_FIT_NO_START && isnan(f.value[0]),
		"an axis that does not turn has no loop");
	hs_fit_release(&f);
}

/* ------------------------------------------------------------------ projection */

/* A loop turned by any angle is the same loop again; points that are missing stay so; nothing comes of nothing. */
static void projection(void)
{
	static const double q[N_PARAMS] = { -1, 2, 2.2, -1.7, 0.03, 0.8, 1.4, 1.1, 0.9 };
	double y[STEPS], re[STEPS], im[STEPS], out[STEPS], worst = 0, worst_angle = 0;
	values(bias, STEPS, q, y);
	for (int k = 0; k < 24; k++) {
		const double turned = 2 * M_PI * k / 24, size = k % 3 == 0 ? 1 : k % 3 == 1 ? 1e-290 : 1e290;
		for (int i = 0; i < STEPS; i++) {
			re[i] = size * y[i] * cos(turned);
			im[i] = size * y[i] * sin(turned);
		}
		const double angle = hs_project_sweep(re, im, bias, STEPS, out);
		worst_angle = fmax(worst_angle, fabs(remainder(angle - turned, 2 * M_PI)));
		for (int i = 0; i < STEPS; i++)
			worst = fmax(worst, fabs(out[i] / size - y[i]));
	}
	tap_ok(worst < 1e-12 && worst_angle < 1e-12, "a loop turned by any angle is found again, to %.1e", worst);
	re[7] = NAN;
	hs_project_sweep(re, im, bias, STEPS, out);
	tap_ok(isnan(out[7]) && isfinite(out[8]), "a point that is missing stays so, and no other");
	for (int i = 0; i < STEPS; i++)
		re[i] = im[i] = 0;
	tap_ok(hs_project_sweep(re, im, bias, STEPS, out) == 0 && out[0] == 0 && out[STEPS - 1] == 0, "nothing comes of nothing");
	for (int i = 0; i < STEPS; i++)
		re[i] = NAN;
	tap_ok(isnan(hs_project_sweep(re, im, bias, STEPS, out)) && isnan(out[3]), "all missing");
	/* no loop: a line through the plane; the end farthest from zero is positive */
	for (int i = 0; i < STEPS; i++) {
		re[i] = -0.1 * bias[i] - 2;
		im[i] = 0.3;
	}
	hs_project_sweep(re, im, bias, STEPS, out);
	tap_ok(out[STEPS / 4] > 2.7, "without an area the value farthest from zero is positive");
}

static void speed(size_t n)
{
	double *rows = hs_must_alloc(n, STEPS * sizeof *rows);
	struct hs_fit f = { 0 };
	for (size_t k = 0; k < n; k++) {
		double q[N_PARAMS];
		struct hs_rng rng;
		random_loop(k, q);
		values(bias, STEPS, q, rows + k * STEPS);
		hs_rng_init(&rng, 3, HS_STREAM_TEST, k);
		for (int i = 0; i < STEPS; i++)
			rows[k * STEPS + (size_t)i] += fabs(q[HEIGHT]) / 20 * hs_rng_normal(&rng);
	}
	const double from = hs_cpu_s();
	const bool good = fit(bias, STEPS, rows, n, NULL, &f);
	const double took = hs_cpu_s() - from;
	size_t steps = 0;
	for (size_t i = 0; good && i < n; i++)
		steps += f.n_iter[i];
	printf("# %zu loops of %d points in %.3f s: %.0f a second, %.2f steps each\n", n, STEPS, took, (double)n / took,
		(double)steps / (double)n);
	hs_fit_release(&f);
	free(rows);
}

int main(void)
{
	const char *wanted = getenv("HS_SPEED");
	hs_par_set_threads(1);
	triangle();
	if (wanted && atol(wanted) > 0) {
		speed((size_t)atol(wanted));
		return 0;
	}
	definitions();
	recovery();
	sweeps();
	projection();
	return tap_done();
}
