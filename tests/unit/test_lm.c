/* test_lm - classic least-squares problems, bounds, counts, covariance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/lm.h"
#include "tap.h"

enum { MOST = 64 };

static struct hs_lm *bench;

/* 10 (b - a^2) and 1 - a, both wanted to be 0 (Rosenbrock, Comput. J. 3 (1960) 175). ctx: the unit of a. */
static bool rosenbrock(void *ctx, const double *p, double *m, double *dm)
{
	const double unit = ctx ? *(const double *)ctx : 1, a = p[0] / unit;
	m[0] = 10 * (p[1] - a * a);
	m[1] = 1 - a;
	if (dm) {
		dm[0] = -20 * a / unit;
		dm[1] = -1 / unit;
		dm[2] = 10;
		dm[3] = 0;
	}
	return true;
}

static void narrow_valley(void)
{
	const double nothing[2] = { 0 }, low[] = { -INFINITY, -INFINITY }, high[] = { 0.5, INFINITY };
	const uint8_t fixed[] = { 1, 0 };
	struct hs_lm_problem problem = { .n = 2, .k = 2, .model = rosenbrock };
	struct hs_lm_fit fit;
	double p[] = { -1.2, 1 }, cov[4];
	uint8_t on_bound[2];
	hs_lm_run(bench, &problem, nothing, NULL, p, &fit);
	tap_ok(fit.status == HS_LM_CONVERGED && fabs(p[0] - 1) < 1e-8 && fabs(p[1] - 1) < 1e-8, "Rosenbrock's valley in %zu steps",
		fit.n_iter);

	/* in units 2^40 times smaller the path is the same to the last bit */
	const size_t steps = fit.n_iter;
	double unit = 0x1p40, q[] = { -1.2 * 0x1p40, 1 };
	problem.ctx = &unit;
	hs_lm_run(bench, &problem, nothing, NULL, q, &fit);
	tap_ok(fit.n_iter == steps && q[0] == p[0] * unit && q[1] == p[1], "the same bits whatever the unit of a parameter");
	problem.ctx = NULL;

	problem.low = low;
	problem.high = high;
	double r[] = { -1.2, 1 };
	hs_lm_run(bench, &problem, nothing, NULL, r, &fit);
	const bool solved = hs_lm_covariance(bench, cov, on_bound);
	tap_ok(fit.status == HS_LM_CONVERGED && r[0] == 0.5 && fabs(r[1] - 0.25) < 1e-12 && fabs(fit.cost - 0.25) < 1e-12,
		"with a bound the minimum is on it");
	tap_ok(solved && on_bound[0] && !on_bound[1] && fit.n_free == 1 && cov[0] == 0 && cov[1] == 0 && fabs(cov[3] - 0.01) < 1e-14,
		"... which has no error bar there");
	double s[] = { 7, -3 };
	hs_lm_run(bench, &problem, nothing, NULL, s, &fit);
	tap_ok(s[0] == 0.5 && fabs(s[1] - 0.25) < 1e-12, "... also from a start outside");

	problem.low = problem.high = NULL;
	problem.fixed = fixed;
	double t[] = { 0.3, 5 };
	hs_lm_run(bench, &problem, nothing, NULL, t, &fit);
	hs_lm_covariance(bench, cov, on_bound);
	tap_ok(t[0] == 0.3 && fabs(t[1] - 0.09) < 1e-12 && !on_bound[0] && cov[0] == 0, "a fixed parameter stays");
}

/* The bound is in the way at first and not at the end: p0 must come off it again. */
static void off_the_bound(void)
{
	const double nothing[2] = { 0 }, low[] = { -1.2, -INFINITY }, high[] = { INFINITY, INFINITY };
	const struct hs_lm_problem problem = { .n = 2, .k = 2, .model = rosenbrock, .low = low, .high = high };
	struct hs_lm_fit fit;
	double p[] = { -9, 1 };
	hs_lm_run(bench, &problem, nothing, NULL, p, &fit);
	tap_ok(fit.status == HS_LM_CONVERGED && fabs(p[0] - 1) < 1e-8, "a bound that is left again");
}

/* Powell's function and 1: the Jacobian is singular where all four are 1, at p = 0, which is come to in ever smaller steps. */
static bool powell(void *ctx, const double *p, double *m, double *dm)
{
	(void)ctx;
	const double r5 = sqrt(5), r10 = sqrt(10), b = p[1] - 2 * p[2], c = p[0] - p[3];
	m[0] = 1 + p[0] + 10 * p[1];
	m[1] = 1 + r5 * (p[2] - p[3]);
	m[2] = 1 + b * b;
	m[3] = 1 + r10 * c * c;
	if (dm) {
		const double d[16] = { 1, 0, 0, 2 * r10 * c, 10, 0, 2 * b, 0, 0, r5, -4 * b, 0, 0, -r5, 0, -2 * r10 * c };
		memcpy(dm, d, sizeof d);
	}
	return true;
}

/* (a + b) x + c 0: two parameters that cannot be told apart and one without effect. */
static bool ambiguous(void *ctx, const double *p, double *m, double *dm)
{
	const size_t n = *(const size_t *)ctx;
	for (size_t i = 0; i < n; i++) {
		const double x = (double)i + 1;
		m[i] = (p[0] + p[1]) * x;
		if (dm) {
			dm[i] = dm[n + i] = x;
			dm[2 * n + i] = 0;
		}
	}
	return true;
}

static void singular(void)
{
	const double ones[4] = { 1, 1, 1, 1 };
	const struct hs_lm_problem flat = { .n = 4, .k = 4, .model = powell };
	struct hs_lm_fit fit;
	double p[] = { 3, -1, 0, 1 }, most = 0, cov[16];
	hs_lm_run(bench, &flat, ones, NULL, p, &fit);
	for (int i = 0; i < 4; i++)
		most = fmax(most, fabs(p[i]));
	tap_ok(fit.status == HS_LM_CONVERGED && most < 1e-4 && fit.cost < 1e-26, "Powell's singular function: %.1e in %zu steps", most,
		fit.n_iter);

	size_t n = 5;
	const double y[] = { 3, 6, 9, 12, 15 };
	const struct hs_lm_problem problem = { .n = n, .k = 3, .model = ambiguous, .ctx = &n };
	double q[] = { 1, 1, 7 };
	hs_lm_run(bench, &problem, y, NULL, q, &fit);
	tap_ok(fit.status == HS_LM_CONVERGED && fabs(q[0] + q[1] - 3) < 1e-12 && q[2] == 7, "what cannot be told apart still fits");
	tap_ok(!hs_lm_covariance(bench, cov, NULL) && isnan(cov[0]), "... but has no covariance");
}

/* ------------------------------------------------------------------ certified ones */

struct certified {
	const char *name;
	size_t n, k;
	const double *x, *y;
	double (*value)(double x, const double *p, double *by);
	double start[4], answer[4], deviation[4], cost;
	double to;                    /* relative */
};

static double misra(double x, const double *p, double *by)
{
	by[0] = 1 - exp(-p[1] * x);
	by[1] = p[0] * x * exp(-p[1] * x);
	return p[0] * by[0];
}

static double kowalik(double x, const double *p, double *by)
{
	const double above = x * (x + p[1]), below = x * (x + p[2]) + p[3];
	by[0] = above / below;
	by[1] = p[0] * x / below;
	by[2] = -p[0] * above * x / (below * below);
	by[3] = -p[0] * above / (below * below);
	return p[0] * above / below;
}

static bool certified_model(void *ctx, const double *p, double *m, double *dm)
{
	const struct certified *c = ctx;
	double by[4];
	for (size_t i = 0; i < c->n; i++) {
		m[i] = c->value(c->x[i], p, by);
		for (size_t j = 0; dm && j < c->k; j++)
			dm[j * c->n + i] = by[j];
	}
	return true;
}

static const double misra_x[] = { 77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1,
	760.0 },
	misra_y[] = { 10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78 },
	kowalik_x[] = { 4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625 },
	kowalik_y[] = { 0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246 };

/* NIST, Statistical Reference Datasets, nonlinear regression: Misra1a and MGH09, from both starts given there. */
static struct certified certified[] = {
	{ "Misra1a", 14, 2, misra_x, misra_y, misra, { 500, 1e-4 }, { 2.3894212918e2, 5.5015643181e-4 },
		{ 2.7070075241, 7.2668688436e-6 }, 1.2455138894e-1, 1e-7 },
	{ "Misra1a, second start", 14, 2, misra_x, misra_y, misra, { 250, 5e-4 }, { 2.3894212918e2, 5.5015643181e-4 },
		{ 2.7070075241, 7.2668688436e-6 }, 1.2455138894e-1, 1e-10 },
	{ "MGH09", 11, 4, kowalik_x, kowalik_y, kowalik, { 25, 39, 41.5, 39 },
		{ 1.9280693458e-1, 1.9128232873e-1, 1.2305650693e-1, 1.3606233068e-1 },
		{ 1.1435312227e-2, 1.9633220911e-1, 8.0842031232e-2, 9.0025542308e-2 }, 3.0750560385e-4, 2e-6 },
	{ "MGH09, second start", 11, 4, kowalik_x, kowalik_y, kowalik, { 0.25, 0.39, 0.415, 0.39 },
		{ 1.9280693458e-1, 1.9128232873e-1, 1.2305650693e-1, 1.3606233068e-1 },
		{ 1.1435312227e-2, 1.9633220911e-1, 8.0842031232e-2, 9.0025542308e-2 }, 3.0750560385e-4, 2e-6 },
};

static void certified_answers(void)
{
	for (size_t i = 0; i < sizeof certified / sizeof *certified; i++) {
		struct certified *c = &certified[i];
		const struct hs_lm_problem problem = { .n = c->n, .k = c->k, .model = certified_model, .ctx = c, .max_iter = 2000 };
		struct hs_lm_fit fit;
		double p[4], cov[16], off = 0, bars = 0;
		memcpy(p, c->start, sizeof p);
		hs_lm_run(bench, &problem, c->y, NULL, p, &fit);
		const bool solved = hs_lm_covariance(bench, cov, NULL);
		for (size_t j = 0; j < c->k; j++) {
			const double sigma = sqrt(cov[j * c->k + j] * fit.cost / (double)(c->n - c->k));
			off = fmax(off, fabs(p[j] / c->answer[j] - 1));
			bars = fmax(bars, fabs(sigma / c->deviation[j] - 1));
		}
		tap_ok(fit.status == HS_LM_CONVERGED && off < c->to && fabs(fit.cost / c->cost - 1) < 1e-9,
			"%s: the certified answer to %.1e in %zu steps", c->name, off, fit.n_iter);
		tap_ok(solved && bars < 1e-5, "%s: the certified standard deviations to %.1e", c->name, bars);
	}
}

/* ------------------------------------------------------------------ counts and error bars */

struct decay {
	size_t n;
	double step;
};

static bool decay_model(void *ctx, const double *p, double *m, double *dm)
{
	const struct decay *d = ctx;
	for (size_t i = 0; i < d->n; i++) {
		const double x = d->step * (double)i, e = exp(-p[1] * x);
		m[i] = p[0] * e;
		if (dm) {
			dm[i] = e;
			dm[d->n + i] = -p[0] * x * e;
		}
	}
	return true;
}

/* The logarithm of the likelihood of counts at decay rate b, with the amplitude that is best for it: sum y / sum e. */
static double profile(const struct decay *d, const double *y, double b, double *a)
{
	double sum = 0, shape = 0, log_l = 0;
	for (size_t i = 0; i < d->n; i++) {
		sum += y[i];
		shape += exp(-b * d->step * (double)i);
	}
	*a = sum / shape;
	for (size_t i = 0; i < d->n; i++)
		log_l += y[i] * (log(*a) - b * d->step * (double)i);
	return log_l - sum;
}

static void counts(void)
{
	struct decay d = { 50, 0.1 };
	const struct hs_lm_problem problem = { .n = d.n, .k = 2, .model = decay_model, .ctx = &d, .loss = HS_LM_POISSON };
	double worst = 0, y[MOST], p[2], cov[4];
	bool converged = true, all_solved = true;
	for (uint64_t s = 0; s < 20; s++) {
		struct hs_rng rng;
		struct hs_lm_fit fit;
		hs_rng_init(&rng, 5, HS_STREAM_TEST, s);
		for (size_t i = 0; i < d.n; i++)
			y[i] = hs_rng_poisson(&rng, 6 * exp(-0.8 * d.step * (double)i));
		p[0] = 3;
		p[1] = 0.3;
		hs_lm_run(bench, &problem, y, NULL, p, &fit);
		converged &= fit.status == HS_LM_CONVERGED;
		all_solved &= hs_lm_covariance(bench, cov, NULL);
		/* golden section of the profile; it resolves b to the root of rounding, and p must not be lower there */
		double low = 0, high = 3, a;
		const double part = 0.5 * (sqrt(5) - 1);
		while (high - low > 1e-9) {
			const double l = high - part * (high - low), h = low + part * (high - low);
			*(profile(&d, y, l, &a) > profile(&d, y, h, &a) ? &high : &low) = profile(&d, y, l, &a) > profile(&d, y, h, &a) ? h : l;
		}
		const double b = 0.5 * (low + high);
		profile(&d, y, b, &a);
		worst = fmax(worst, fmax(fabs(p[1] - b), fabs(p[0] / a - 1)));
	}
	tap_ok(converged && all_solved && worst < 1e-6, "counts: the maximum of the likelihood to %.1e", worst);

	struct hs_lm_fit fit;
	memset(y, 0, sizeof y);
	p[0] = 3;
	p[1] = 0.3;
	hs_lm_run(bench, &problem, y, NULL, p, &fit);
	tap_ok(isfinite(p[0]) && isfinite(fit.cost) && fit.cost < 1e-6, "no counts at all: nothing is expected (%.1e)", p[0]);
}

/* Data that fit exactly, each moved a little: the answers move by S, and S W^-1 S^T is the covariance. */
static void error_bars(void)
{
	struct decay d = { 30, 0.2 };
	const struct hs_lm_problem problem = { .n = d.n, .k = 2, .model = decay_model, .ctx = &d, .tol = 1e-20 };
	const double truth[] = { 5, 0.7 }, h = 1e-4;
	double y[MOST], weight[MOST], cov[4], p[2], sum[4] = { 0 }, off = 0;
	struct hs_lm_fit fit;
	decay_model(&d, truth, y, NULL);
	for (size_t i = 0; i < d.n; i++)
		weight[i] = i == 7 ? 0 : 1 + (double)(i % 3);
	y[7] = NAN;
	memcpy(p, truth, sizeof p);
	hs_lm_run(bench, &problem, y, weight, p, &fit);
	const bool solved = hs_lm_covariance(bench, cov, NULL);
	tap_ok(solved && fit.n_data == d.n - 1, "a datum without weight is not looked at");
	for (size_t i = 0; i < d.n; i++) {
		double up[2], down[2];
		if (!(weight[i] > 0))
			continue;
		memcpy(up, truth, sizeof up);
		memcpy(down, truth, sizeof down);
		y[i] += h;
		hs_lm_run(bench, &problem, y, weight, up, &fit);
		y[i] -= 2 * h;
		hs_lm_run(bench, &problem, y, weight, down, &fit);
		y[i] += h;
		for (int a = 0; a < 2; a++)
			for (int b = 0; b < 2; b++)
				sum[2 * a + b] += (up[a] - down[a]) * (up[b] - down[b]) / (4 * h * h * weight[i]);
	}
	for (int a = 0; a < 4; a++)
		off = fmax(off, fabs(sum[a] / cov[a] - 1));
	tap_ok(off < 1e-6, "the covariance is how the answer moves with the data, to %.1e", off);
}

/* Two columns that differ by 1e-4: a linear problem whose parameters are known to be alike. */
static bool alike(void *ctx, const double *p, double *m, double *dm)
{
	const size_t n = *(const size_t *)ctx;
	for (size_t i = 0; i < n; i++) {
		const double x = (double)i / (double)n, z = x + 1e-4 * x * x;
		m[i] = p[0] * x + p[1] * z;
		if (dm) {
			dm[i] = x;
			dm[n + i] = z;
		}
	}
	return true;
}

/* Damping must not stop the way along the valley of two parameters: the minimum is where linear algebra says, in error bars. */
static void correlated(void)
{
	size_t n = 60;
	const struct hs_lm_problem problem = { .n = n, .k = 2, .model = alike, .ctx = &n };
	double y[MOST], p[] = { 1, 1 }, cov[4], m[MOST], dm[2 * MOST];
	long double h[3] = { 0 }, g[2] = { 0 };
	struct hs_rng rng;
	struct hs_lm_fit fit;
	hs_rng_init(&rng, 8, HS_STREAM_TEST, 0);
	alike(&n, p, m, dm);
	for (size_t i = 0; i < n; i++) {
		y[i] = 3 * dm[i] - 2 * dm[n + i] + 1e-3 * hs_rng_normal(&rng);
		h[0] += (long double)dm[i] * dm[i];
		h[1] += (long double)dm[i] * dm[n + i];
		h[2] += (long double)dm[n + i] * dm[n + i];
		g[0] += (long double)dm[i] * y[i];
		g[1] += (long double)dm[n + i] * y[i];
	}
	const long double det = h[0] * h[2] - h[1] * h[1], a = (h[2] * g[0] - h[1] * g[1]) / det, b = (h[0] * g[1] - h[1] * g[0]) / det;
	hs_lm_run(bench, &problem, y, NULL, p, &fit);
	const bool solved = hs_lm_covariance(bench, cov, NULL);
	const double sigma = sqrt(fit.cost / (double)(n - 2)),
		     off = fmax(fabs(p[0] - (double)a) / sqrt(cov[0]), fabs(p[1] - (double)b) / sqrt(cov[3])) / sigma;
	tap_ok(fit.status == HS_LM_CONVERGED && solved && off < 1e-5,
		"parameters alike end at the minimum to %.1e error bars, %zu steps",
		off, fit.n_iter);
}

/* ------------------------------------------------------------------ refusals */

static bool nowhere(void *ctx, const double *p, double *m, double *dm)
{
	(void)ctx, (void)p, (void)m, (void)dm;
	return false;
}

static void refusals(void)
{
	struct decay d = { 1, 1 };
	const double y[] = { 1, 2 };
	struct hs_lm_fit fit;
	double p[] = { 1, 1 };
	const struct hs_lm_problem few = { .n = 1, .k = 2, .model = decay_model, .ctx = &d }, bad = { .n = 2, .k = 2, .model = nowhere };
	hs_lm_run(bench, &few, y, NULL, p, &fit);
	tap_ok(fit.status == HS_LM_TOO_FEW, "fewer data than parameters");
	hs_lm_run(bench, &bad, y, NULL, p, &fit);
	tap_ok(fit.status == HS_LM_BAD_START, "a model without a value where it begins");
	double h[] = { 4, 0, 2, 1 }, b[] = { 1, 1 };
	tap_ok(!hs_lm_solve(h, 2, b), "hs_lm_solve refuses a singular matrix");
	/* 4 1 / 1 1 with rows in units of 1e100 and 1e-100; x = (1/2, 0) / unit */
	double g[] = { 4e200, 0, 1, 1e-200 }, e[] = { 2e100, 0.5e-100 };
	tap_ok(hs_lm_solve(g, 2, e) && fabs(e[0] / 5e-101 - 1) < 1e-14 && fabs(e[1]) < 1e84, "hs_lm_solve takes units as they come");
}

int main(void)
{
	struct hs_err err = { 0 };
	bench = hs_lm_new(MOST, 4, &err);
	narrow_valley();
	off_the_bound();
	singular();
	certified_answers();
	counts();
	error_bars();
	correlated();
	refusals();
	hs_lm_free(bench);
	return tap_done();
}
