/* Gaussian smoothing of maps against properties that hold exactly, and - with arguments - a driver for tests/oracle/endmember.py:
 *   test_smooth MAPS.f64 N_Y N_X WIDTH SIGMA    writes the smoothed maps over the file */
#include "math/smooth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "tap.h"

static int driver(char **argv)
{
	const size_t n_y = strtoul(argv[2], NULL, 10), n_x = strtoul(argv[3], NULL, 10), w = strtoul(argv[4], NULL, 10),
		     n = n_y * n_x * w;
	double *v = hs_must_alloc(n, sizeof *v);
	struct hs_err err = { 0 };
	FILE *f = fopen(argv[1], "r+b");
	if (!f || fread(v, sizeof *v, n, f) != n || hs_smooth_maps(v, 1, n_y, n_x, w, NULL, strtod(argv[5], NULL), NULL, &err) < 0)
		return 1;
	rewind(f);
	return fwrite(v, sizeof *v, n, f) != n || fclose(f) != 0;
}

enum { Y = 17, X = 23, W = 2, N = Y * X };

static double *noise(uint64_t seed)
{
	double *v = hs_must_alloc(N * W, sizeof *v);
	for (size_t i = 0; i < N * W; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_TEST, i);
		v[i] = hs_rng_normal(&rng);
	}
	return v;
}

static void means(void)
{
	struct hs_err err = { 0 };
	double *v = noise(1), before = 0, after = 0, square = 0, gain = 0, off = 0;
	for (size_t i = 0; i < N; i++)
		before += v[i * W];
	tap_ok(hs_smooth_maps(v, 1, Y, X, W, NULL, 1.3, &gain, &err) == 0, "smoothing succeeds %s", err.text);
	for (size_t i = 0; i < N; i++)
		after += v[i * W];
	for (size_t i = 0; i < N * W; i++)
		square += v[i] * v[i] / (N * W);
	tap_ok(fabs(before - after) < 1e-10 * N, "mirrored borders keep the mean (%.2g)", before - after);
	tap_ok(fabs(sqrt(square) / gain - 1) < 0.2, "noise falls by the factor that is told: %.3f for %.3f", sqrt(square), gain);
	for (size_t i = 0; i < N * W; i++)
		v[i] = 7;
	hs_smooth_maps(v, 1, Y, X, W, NULL, 2, NULL, &err);
	for (size_t i = 0; i < N * W; i++)
		off = fmax(off, fabs(v[i] - 7));
	tap_ok(off < 1e-13, "a constant stays (%.2g)", off);
	free(v);
}

/* A masked pixel: what it holds does not matter, a constant around it stays one, and it keeps its value. */
static void gaps(void)
{
	struct hs_err err = { 0 };
	double *a = noise(2), *b = noise(2), off = 0;
	uint8_t skip[N] = { 0 };
	for (size_t i = 5; i < N; i += 9)
		skip[i] = 1;
	for (size_t i = 0; i < N; i++)
		for (size_t c = 0; c < W; c++) {
			a[i * W] = skip[i] ? 1e30 : 3;
			b[i * W + c] = skip[i] ? -5 : b[i * W + c];
		}
	hs_smooth_maps(a, 1, Y, X, W, skip, 1, NULL, &err);
	hs_smooth_maps(b, 1, Y, X, W, skip, 1, NULL, &err);
	for (size_t i = 0; i < N; i++) {
		off = fmax(off, skip[i] ? fabs(b[i * W] + 5) : fabs(a[i * W] - 3));
		off = fmax(off, skip[i] ? 0 : fabs(a[i * W + 1] - b[i * W + 1]));
	}
	tap_ok(off < 1e-12, "masked pixels give nothing and keep what they have (%.2g)", off);
	memset(skip, 1, sizeof skip);
	skip[0] = 0;
	const double alone = b[0];
	tap_ok(hs_smooth_maps(b, 1, Y, X, W, skip, 1, NULL, &err) == 0 && fabs(b[0] - alone) < 1e-15, "one pixel alone stays");
	free(a);
	free(b);
}

/* Frames do not see each other; threads change no bit. */
static void frames(void)
{
	struct hs_err err = { 0 };
	double *a = noise(3), *both = hs_must_alloc(2 * N * W, sizeof *both), *one = hs_must_alloc(2 * N * W, sizeof *one);
	memcpy(both, a, N * W * sizeof *a);
	memcpy(one, a, N * W * sizeof *a);
	hs_par_set_threads(1);
	hs_smooth_maps(a, 1, Y, X, W, NULL, 1, NULL, &err);
	hs_smooth_maps(one, 2, Y, X, W, NULL, 1, NULL, &err);
	hs_par_set_threads(3);
	hs_smooth_maps(both, 2, Y, X, W, NULL, 1, NULL, &err);
	tap_ok(!memcmp(a, both, N * W * sizeof *a) && both[N * W] == 0, "frames do not see each other");
	tap_ok(!memcmp(one, both, 2 * N * W * sizeof *a), "the same bits with 1 and 3 threads");
	tap_ok(hs_smooth_maps(a, 1, Y, X, W, NULL, 0, NULL, &err) == -1 && err.status == HS_USAGE, "refused: %s", err.text);
	err = (struct hs_err){ 0 };
	tap_ok(hs_smooth_maps(a, 1, Y, X, W, NULL, NAN, NULL, &err) == -1 && err.status == HS_USAGE, "refused: %s", err.text);
	err = (struct hs_err){ 0 };
	tap_ok(hs_smooth_maps(a, 1, 1, 2, 1, NULL, 50, NULL, &err) == 0 && isfinite(a[0]), "a Gaussian wider than the picture");
	free(a);
	free(both);
	free(one);
}

static void likeness(void)
{
	double *v = noise(4), *w = noise(5);
	tap_ok(fabs(hs_neighbour_likeness(v, 1, Y, X, W, NULL, 0)) < 0.2, "white noise has no likeness (%.2f)",
		hs_neighbour_likeness(v, 1, Y, X, W, NULL, 0));
	for (size_t i = 0; i < N; i++)
		for (size_t c = 0; c < W; c++)
			v[i * W + c] = 0.5 * w[i * W + c] + (double)(i / X) / Y * 10;
	const double seen = hs_neighbour_likeness(v, 1, Y, X, W, NULL, 0), told = hs_neighbour_likeness(v, 1, Y, X, W, NULL, 0.5);
	tap_ok(told > 0.97 && told > seen, "a ramp has, more when its noise is known (%.3f, %.3f)", told, seen);
	for (size_t i = 0; i < N * W; i++)
		v[i] = 1;
	tap_ok(isnan(hs_neighbour_likeness(v, 1, Y, X, W, NULL, 0)) && isnan(hs_neighbour_likeness(w, N, 1, 1, W, NULL, 0)),
		"no signal, or no neighbours: no likeness");
	free(v);
	free(w);
}

int main(int argc, char **argv)
{
	hs_par_set_threads(2);
	if (argc == 6)
		return driver(argv);
	means();
	gaps();
	frames();
	likeness();
	return tap_done();
}
