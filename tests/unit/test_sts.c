/* test_sts - tunnelling and force models beside the limits that are known of them. Derivatives, recovery, units and coverage of
 * every model are tried by test_physics. With arguments it is one side of tests/oracle/sts.py:
 *   test_sts eval MODEL X_UNIT Y_UNIT FILE N PARAMETER...	values at the N float64 of FILE, one a line
 *   test_sts fit MODEL X_UNIT Y_UNIT FILE N SETTINGS	FILE holds N places and N values; SETTINGS as --fix of hsfit
 * which prints value and sigma of each parameter and derived quantity. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "physics/fit.h"
#include "physics/pairing.h"
#include "physics/thermal.h"
#include "tap.h"

enum { MOST = 4001 };

#define EV_PER_K (1.380649e-23 / 1.602176634e-19)

static void spread(double *x, double lo, double hi, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = lo + (hi - lo) * (double)i / (double)(n - 1);
}

static bool value(const char *model, const char *x_unit, const char *y_unit, const double *x, size_t n, const double *p,
	double *y)
{
	const struct hs_grid g = { n, x, x_unit, y_unit };
	return hs_model_named(model)->eval(&g, p, y, NULL);
}

static double apart(const double *a, const double *b, size_t n)
{
	double most = 0;
	for (size_t i = 0; i < n; i++)
		most = fabs(a[i] - b[i]) <= most ? most : fabs(a[i] - b[i]);
	return most;
}

/* ------------------------------------------------------------------ limits */

/* scale, gap, gamma, centre, slope, temperature, modulation; in mV. */
static void test_cold(void)
{
	static double x[MOST], y[MOST], z[MOST];
	const double gap = 1.3;
	spread(x, -6.0071, 6.0013, 601);
	bool good = value("dynes", "mV", "nS", x, 601, (double[]){ 1, gap, 0, 0, 0, 0, 0 }, y), inside = true;
	double off = 0;
	for (size_t i = 0; i < 601; i++) {
		const double e = fabs(x[i]), exact = e > gap ? e / sqrt((e - gap) * (e + gap)) : 0;
		off = fmax(off, fabs(y[i] - exact) / fmax(exact, 1));
		inside &= e > gap || y[i] == 0;
	}
	tap_ok(good && off < 1e-12 && inside, "no heat, no lifetime: the density of states itself to %.1e, nothing inside", off);
	good = value("dynes", "mV", "nS", x, 601, (double[]){ 1, gap, 0.2, 0, 0, 0, 0 }, y) &&
		value("dynes", "mV", "nS", x, 601, (double[]){ 1, gap, 0.2, 0, 0, 0.001, 0 }, z);
	tap_ok(good && apart(y, z, 601) < 1e-5 && apart(y, z, 601) > 0, "a millikelvin is nearly no heat: %.1e", apart(y, z, 601));
	good = value("dynes", "mV", "nS", x, 601, (double[]){ 1, gap, 0.1, 0, 0, 0, 1e-4 }, z) &&
		value("dynes", "mV", "nS", x, 601, (double[]){ 1, gap, 0.1, 0, 0, 0, 0 }, y);
	tap_ok(good && apart(y, z, 601) < 1e-5 && apart(y, z, 601) > 0, "little modulation is nearly none: %.1e", apart(y, z, 601));
}

static void test_far(void)
{
	static double x[MOST], y[MOST];
	static const char *const models[] = { "dynes", "d_wave" };
	spread(x, 100, 2000, 50);
	for (size_t m = 0; m < 2; m++) {
		double off = 0;
		const bool good = value(models[m], "mV", "nS", x, 50, (double[]){ 1, 1.4, 0.1, 0, 0, 4.2, 0.3 }, y);
		for (size_t i = 0; i < 50; i++)
			off = fmax(off, fabs(y[i] - 1 - (m ? 0.25 : 0.5) * 1.96 / (x[i] * x[i])));
		tap_ok(good && off < 1e-6, "%s: the normal state far from the gap, with the first term of its series to %.1e", models[m], off);
	}
	const bool good = value("dynes", "mV", "nS", x, 50, (double[]){ 2, 0, 0.1, 0, 0.5, 4.2, 0.3 }, y);
	double off = 0;
	for (size_t i = 0; i < 50; i++)
		off = fmax(off, fabs(y[i] / (2 + 0.5 * x[i]) - 1));
	tap_ok(good && off < 1e-12, "no gap: a straight line to %.1e", off);
}

/* Broadening moves states and loses none. */
static void test_states(void)
{
	static double x[MOST], y[MOST];
	static const double how[][2] = { { 0.5, 0 }, { 4.2, 0 }, { 2, 0.8 }, { 0, 1.5 } };
	const double reach = 100;
	spread(x, -reach, reach, MOST);
	for (size_t k = 0; k < HS_LEN(how); k++) {
		double sum = 0;
		const bool good = value("dynes", "mV", "nS", x, MOST, (double[]){ 1, 1.4, 0.15, 0, 0, how[k][0], how[k][1] }, y);
		for (size_t i = 0; i < MOST; i++)
			sum += (i == 0 || i + 1 == MOST ? 0.5 : 1) * (y[i] - 1) * (x[1] - x[0]);
		sum += 1.96 / reach;          /* beyond the ends: int gap^2 / (2 E^2) */
		tap_ok(good && fabs(sum) < 1e-4, "%g K, %g mV: no states are lost (%.1e)", how[k][0], how[k][1], sum);
	}
}

static void test_two_gaps(void)
{
	static double x[MOST], y[MOST], z[MOST];
	spread(x, -8, 8, 321);
	bool good = value("dynes", "mV", "nS", x, 321, (double[]){ 3, 1.3, 0.05, 0.2, 0.01, 1.7, 0.2 }, y) &&
		value("bcs_two_gap", "mV", "nS", x, 321, (double[]){ 3, 0.37, 1.3, 0.05, 1.3, 0.05, 0.2, 0.01, 1.7, 0.2 }, z);
	tap_ok(good && apart(y, z, 321) < 1e-13, "two equal gaps are one: %.1e", apart(y, z, 321));
	good = value("bcs_two_gap", "mV", "nS", x, 321, (double[]){ 3, 1, 1.3, 0.05, 5, 0.7, 0.2, 0.01, 1.7, 0.2 }, z);
	tap_ok(good && apart(y, z, 321) < 1e-13, "so is a gap that has all the weight: %.1e", apart(y, z, 321));
}

static void test_d_wave(void)
{
	double off = 0;
	for (int k = 0; k < 40; k++) {
		const double complex z = CMPLX(-2.2 + 0.11 * k, -0.3);
		double complex sum = 0;
		for (int a = 0; a < 4000; a++)
			sum += hs_pairing_s_wave(z, fabs(cos(2 * M_PI * (a + 0.5) / 4000))).n / 4000;
		off = fmax(off, cabs(sum - hs_pairing_d_wave(z, 1).n));
	}
	tap_ok(off < 1e-5, "d-wave: the mean over angles to %.1e", off);
	off = 0;
	for (int k = 1; k < 40; k++) {
		const double e = 0.05 * k, other = sqrt(fabs(1 - e * e));
		double a = e < 1 ? 1 : e, b = e < 1 ? other : other;
		if (k == 20)
			continue;
		for (int i = 0; i < 20; i++) {
			const double mean = 0.5 * (a + b);
			b = sqrt(a * b);
			a = mean;
		}
		off = fmax(off, fabs(creal(hs_pairing_d_wave(CMPLX(e, -0.0), 1).n) - e / a));
	}
	tap_ok(off < 1e-13, "d-wave: complete elliptic integrals on the real axis to %.1e", off);
	tap_ok(fabs(creal(hs_pairing_d_wave(CMPLX(1e-6, -0.0), 1).n) - 1e-6) < 1e-12, "d-wave: a V at the bottom");
}

/* ------------------------------------------------------------------ ways to the same numbers */

static void test_axes(void)
{
	static double x[MOST], back[MOST], y[MOST], z[MOST];
	static const double how[][2] = { { 0.1, 0 }, { 1.2, 0.2 }, { 9, 0 }, { 300, 1 }, { 0, 0.4 } };
	for (size_t k = 0; k < HS_LEN(how); k++) {
		const double p[] = { 1, 1.3, 0.01, 0.1, 0, how[k][0], how[k][1] };
		spread(x, -6, 6, 401);
		for (size_t i = 0; i < 401; i++)
			back[i] = x[400 - i];
		bool good = value("dynes", "mV", "nS", x, 401, p, y) && value("dynes", "mV", "nS", back, 401, p, z);
		double off = 0;
		for (size_t i = 0; i < 401; i++)
			off = fmax(off, fabs(y[i] - z[400 - i]));
		x[400] += 0.001;              /* not even any more */
		good = good && value("dynes", "mV", "nS", x, 401, p, z);
		tap_ok(good && off < 1e-11 && apart(y, z, 400) < 1e-11, "%g K, %g mV: a descending axis to %.1e, an uneven one to %.1e",
			how[k][0], how[k][1], off, apart(y, z, 400));
	}
	double volts[101], one;
	spread(x, -6, 6, 101);
	for (size_t i = 0; i < 101; i++)
		volts[i] = 1e-3 * x[i];
	const double p[] = { 1, 1.3, 0.01, 0.1, 0, 2, 0.2 }, q[] = { 1, 1.3e-3, 1e-5, 1e-4, 0, 2, 2e-4 };
	tap_ok(value("dynes", "mV", "nS", x, 101, p, y) && value("dynes", "eV", "nS", volts, 101, q, z) && apart(y, z, 101) < 1e-11,
		"mV and eV");
	tap_ok(value("dynes", "mV", "nS", x + 40, 1, p, &one) && fabs(one - y[40]) < 1e-11, "one point");
}

/* Where modulation is far more than heat, sums change their kind. */
static void test_modulation(void)
{
	static double x[MOST], y[MOST], z[MOST];
	spread(x, -6, 6, 61);
	const double kt = 0.01 * EV_PER_K * 1e3;      /* 10 mK in meV */
	bool good = true;
	double off = 0, least = INFINITY;
	for (double ratio = 600; ratio < 1000; ratio += 200) {
		good = good && value("dynes", "mV", "nS", x, 61, (double[]){ 1, 1.3, 0.01, 0.1, 0, 0.01, ratio * kt }, y) &&
			value("dynes", "mV", "nS", x, 61, (double[]){ 1, 1.3, 0.01, 0.1, 0, 0, ratio * kt }, z);
		off = fmax(off, apart(y, z, 61));
		least = fmin(least, apart(y, z, 61));
	}
	tap_ok(good && off < 1e-3 && least > 0, "heat that is nothing beside the modulation changes nearly nothing: %.1e", off);
	good = value("dynes", "mV", "nS", x, 61, (double[]){ 1, 1.3, 0, 0, 0, 0, 2 }, y);
	/* at no bias: (2 / pi) int sqrt(1 - s^2) |s| / sqrt(s^2 - c^2), |s| from c = gap / amplitude to 1: 1 - c^2 */
	tap_ok(good && fabs(y[30] - (1 - 0.65 * 0.65)) < 1e-10, "the modulation alone, at no bias: 1 - (gap / amplitude)^2 to %.1e",
		fabs(y[30] - (1 - 0.65 * 0.65)));
}

static void test_refused(void)
{
	const double x[] = { -1, 0, 1.3, 2, 3 }, p[] = { 1, 1.3, 0, 0, 0, 1, 0 }, cold[] = { 1, 1.3, 0, 0, 0, 0, 0 };
	double y[5];
	tap_ok(!value("dynes", "nm", "nS", x, 5, p, y) && !value("dynes", NULL, NULL, x, 5, p, y), "heat has no size in nanometres");
	tap_ok(value("dynes", NULL, NULL, x, 5, cold, y) && y[0] == 0 && !isfinite(y[2]), "without heat no unit is asked for");
	const double bad[][7] = { { 1, 1.3, 0, 0, 0, NAN, 0 }, { 1, 1.3, 0, 0, 0, -1, 0 }, { 1, 1.3, 0, 0, 0, 1, -1 },
		{ 1, 1.3, 0, 0, 0, 1, INFINITY }, { 1, 1.3, 0, NAN, 0, 1, 0 }, { 1, -1, 0, 0, 0, 1, 0 }, { 1, 1, NAN, 0, 0, 1, 0 } };
	bool refused = true;
	for (size_t i = 0; i < HS_LEN(bad); i++)
		refused &= !value("dynes", "mV", "nS", x, 5, bad[i], y);
	tap_ok(refused, "what is not finite or negative has no value");
	tap_ok(!value("hertz", "V", "N", x, 5, (double[]){ 0, 0, 1, 0, 1, 0.5, 1 }, y) &&
		!value("jkr", "m", "V", x, 5, (double[]){ 0, 0, 1, 1, 0, 1, 0.5, 1 }, y), "a modulus asks for a length and a force");
}

/* ------------------------------------------------------------------ barriers and forces */

static void test_barrier(void)
{
	const struct hs_model *m = hs_model_named("barrier");
	const double x[] = { 0, 1 };
	double d, dd[3];
	const struct hs_grid angstrom = { 2, x, "Å", "A" }, nm = { 2, x, "nm", "A" }, volt = { 2, x, "V", "A" };
	m->derive(&angstrom, (double[]){ 1, 1, 0 }, &d, dd);
	tap_ok(fabs(d - 3.80998212) < 1e-6, "a decay of 1 / Å is a barrier of 3.81 eV: %.9g", d);
	m->derive(&nm, (double[]){ 1, -10, 0 }, &d, dd);
	tap_ok(fabs(d - 3.80998212) < 1e-6, "so is one of -10 / nm");
	m->derive(&volt, (double[]){ 1, 1, 0 }, &d, dd);
	tap_ok(isnan(d), "of an axis in volts there is no barrier");
}

/* baseline, contact, modulus, (adhesion,) tilt, radius, poisson, direction; nN and nm. */
static void test_forces(void)
{
	static double x[MOST], y[MOST], z[MOST];
	spread(x, -100, 100, 2001);
	bool good = value("hertz", "nm", "nN", x, 2001, (double[]){ 0, 0, 1e9, 0, 10, 0.5, 1 }, y);
	/* 4/3 1 GPa / 0.75 sqrt(10 nm) (10 nm)^1.5 = 177.8 nN */
	tap_ok(good && fabs(y[1100] / (4.0 / 3 / 0.75 * 100) - 1) < 1e-12 && y[900] == 0, "hertz: %.6g nN", y[1100]);
	good = value("dmt", "nm", "nN", x, 2001, (double[]){ 0, 0, 1e9, 0, 0, 10, 0.5, 1, 0.165 }, z);
	tap_ok(good && apart(y, z, 2001) == 0, "dmt without adhesion is hertz");
	good = value("jkr", "nm", "nN", x, 2001, (double[]){ 0, 0, 1e9, 0, 0, 10, 0.5, 1 }, z);
	tap_ok(good && apart(y, z, 2001) < 1e-11, "jkr without adhesion is hertz");
	good = value("jkr", "nm", "nN", x, 2001, (double[]){ 0, 0, 1e9, 1e-12, 0, 10, 0.5, 1 }, z);
	tap_ok(good && apart(y, z, 2001) < 1e-3, "jkr with hardly any is nearly hertz: %.1e", apart(y, z, 2001));
	good = value("sneddon", "nm", "nN", x, 2001, (double[]){ 0, 0, 1e9, 0, 45, 0, 1 }, z);
	tap_ok(good && fabs(z[1100] - M_2_PI * 100) < 1e-9, "sneddon: %.6g nN", z[1100]);
	good = value("hertz", "nm", "nN", x, 2001, (double[]){ 0, 0, 1e9, 0, 10, 0.5, -1 }, z);
	for (size_t i = 0; good && i < 2001; i++)
		good = fabs(z[2000 - i] - y[i]) < 1e-9;
	tap_ok(good, "hertz: the other direction is the mirror image");
}

/* a^3 = (R / K) (sqrt F_c + sqrt (F + F_c))^2, indentation = a^2 / R - 4/3 sqrt(a F_c / (R K)): the explicit way round. */
static void test_soft(void)
{
	static double x[MOST], y[MOST];
	const double pull = 20, radius = 50, k = 4.0 / 3 * 1e-3 / 0.75;      /* nN, nm, nN / nm^2 of 1 MPa */
	double off = 0, low = 0;
	size_t n = 0;
	for (double root = -2.0 / 3 + 1e-3; root < 6; root += 0.01) {         /* sqrt(1 + F / F_c), with the branch before it breaks */
		const double a = cbrt(radius * pull / k * (1 + root) * (1 + root));
		x[n] = a * a / radius - 4.0 / 3 * sqrt(a * pull / (radius * k));
		y[n++] = pull * (root * root - 1);
	}
	static double z[MOST];
	bool good = value("jkr", "nm", "nN", x, n, (double[]){ 0, 0, 1e6, pull, 0, radius, 0.5, 1 }, z);
	for (size_t i = 0; i < n; i++) {
		off = fmax(off, fabs(z[i] - y[i]));
		low = fmin(low, z[i]);
	}
	tap_ok(good && off < 1e-9, "jkr: the explicit form to %.1e nN", off);
	tap_ok(fabs(low / -pull - 1) < 1e-4, "jkr: pulls off at the adhesion: %.6g", low);
	const double end = -cbrt(pull * pull / (k * k * radius)) / cbrt(3), at[] = { end * 1.0001, end * (1 - 1e-10), 0 };
	good = value("jkr", "nm", "nN", at, 3, (double[]){ 0, 0, 1e6, pull, 0, radius, 0.5, 1 }, z);
	tap_ok(good && z[0] == 0 && fabs(z[1] + 5.0 / 9 * pull) < 1e-3 && fabs(z[2] + 8.0 / 9 * pull) < 1e-12,
		"jkr: breaks free at 5/9 of it, 8/9 where nothing is indented: %.6g %.6g", z[1], z[2]);
}

/* ------------------------------------------------------------------ fits */

static bool fit_rows(const char *model, const char *fixed, const char *x_unit, const char *y_unit, const double *x,
	const double *y, size_t n_rows, size_t n, struct hs_fit *f, struct hs_compound *c)
{
	struct hs_err err = { 0 };
	if (hs_compound_parse(c, model, &err) < 0 || (*fixed && hs_compound_fix(c, fixed, x_unit, y_unit, &err) < 0)) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	const struct hs_fit_options o = { .model = c, .grid = { n, x, x_unit, y_unit }, .max_iter = 200 };
	struct hs_rowsource *rows = hs_array_rows_new(y, HS_ROW_F64, n_rows, n, NULL, &err);
	const bool good = rows && hs_fit(rows, &o, f, &err) == 0;
	hs_array_rows_free(rows);
	return good;
}

/* A map of pixels with gaps of their own and 1 % noise. */
static void test_threads(void)
{
	enum { ROWS = 40, N = 81 };
	static double x[N], y[ROWS * N];
	struct hs_fit one = { 0 }, other = { 0 };
	struct hs_compound c;
	double off = 0;
	spread(x, -6, 6, N);
	for (size_t r = 0; r < ROWS; r++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 4, HS_STREAM_TEST, r);
		value("dynes", "mV", "nS", x, N, (double[]){ 1, 1 + 0.02 * (double)r, 0.1, 0, 0, 1.5, 0.1 }, y + r * N);
		for (size_t i = 0; i < N; i++)
			y[r * N + i] += 0.01 * hs_rng_normal(&rng);
	}
	hs_par_set_threads(1);
	bool good = fit_rows("dynes", "temperature=1.5K,modulation=100uV", "mV", "nS", x, y, ROWS, N, &one, &c);
	for (size_t r = 0; good && r < ROWS; r++)
		off = fmax(off, fabs(one.value[r * 7 + 1] - 1 - 0.02 * (double)r) / one.sigma[r * 7 + 1]);
	tap_ok(good && one.count[HS_FIT_CONVERGED] == ROWS && off < 4, "gaps of a map within %.1f of their error bars", off);
	hs_compound_release(&c);
	for (int t = 2; t < 4; t++) {
		hs_par_set_threads(t);
		good = fit_rows("dynes", "temperature=1.5K,modulation=100uV", "mV", "nS", x, y, ROWS, N, &other, &c);
		tap_ok(good && !memcmp(one.value, other.value, ROWS * 7 * sizeof(double)) &&
			!memcmp(one.sigma, other.sigma, ROWS * 7 * sizeof(double)), "the same bytes with %d threads", t);
		hs_compound_release(&c);
		hs_fit_release(&other);
	}
	hs_fit_release(&one);
}

/* ------------------------------------------------------------------ for the oracle */

static int drive(int argc, char **argv)
{
	const bool fit = !strcmp(argv[1], "fit");
	const struct hs_model *m = argc > 6 ? hs_model_named(argv[2]) : NULL;
	const size_t n = m ? strtoul(argv[6], NULL, 10) : 0, have = fit ? 2 * n : n;
	double *v = malloc((2 * n + 1) * sizeof *v), p[HS_MODEL_MOST] = { 0 };
	FILE *file = m ? fopen(argv[5], "rb") : NULL;
	const bool whole = file && fread(v, sizeof *v, have, file) == have;
	if (!whole) {
		free(v);
		return 2;
	}
	fclose(file);
	if (!fit) {
		for (int j = 7; j < argc && j - 7 < HS_MODEL_MOST; j++)
			p[j - 7] = strtod(argv[j], NULL);
		if (!value(argv[2], argv[3], argv[4], v, n, p, v + n))
			return 1;
		for (size_t i = 0; i < n; i++)
			printf("%.17g\n", v[n + i]);
		free(v);
		return 0;
	}
	struct hs_fit f = { 0 };
	struct hs_compound c;
	if (!fit_rows(argv[2], argc > 7 ? argv[7] : "", argv[3], argv[4], v, v + n, 1, n, &f, &c))
		return 1;
	for (size_t j = 0; j < f.n_params + f.n_derived; j++)
		printf("%s %.17g %.17g\n", hs_fit_name(&c, j, NULL), f.value[j], f.sigma[j]);
	hs_fit_release(&f);
	hs_compound_release(&c);
	free(v);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return drive(argc, argv);
	test_cold();
	test_far();
	test_states();
	test_two_gaps();
	test_d_wave();
	test_axes();
	test_modulation();
	test_refused();
	test_barrier();
	test_forces();
	test_soft();
	test_threads();
	return tap_done();
}
