/* Transforms against the definition, and shifts of images whose content is known at every place; with arguments a driver for
 * tests/oracle/align.py:
 *   test_fft REFERENCE.f64 MOVED.f64 N_Y N_X    prints the shift and how sure it is */
#include "math/fft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "math/phase.h"
#include "tap.h"

static int driver(char **argv)
{
	const size_t n_y = strtoul(argv[3], NULL, 10), n_x = strtoul(argv[4], NULL, 10), n = n_y * n_x;
	double *image[2], shift[2];
	struct hs_phase p;
	struct hs_err err = { 0 };
	for (int i = 0; i < 2; i++) {
		image[i] = hs_must_alloc(n, sizeof *image[i]);
		FILE *f = fopen(argv[1 + i], "rb");
		if (!f || fread(image[i], sizeof **image, n, f) != n || fclose(f) != 0)
			return 1;
	}
	if (hs_phase_init(&p, n_y, n_x, &err) < 0)
		return 1;
	const double sure = hs_phase_shift(&p, image[0], image[1], shift);
	printf("%.9g %.9g %.9g\n", shift[0], shift[1], sure);
	hs_phase_release(&p);
	free(image[0]);
	free(image[1]);
	return 0;
}

static void noise(double *x, size_t n, uint64_t item, double sigma)
{
	struct hs_rng rng;
	hs_rng_init(&rng, 1, HS_STREAM_TEST, item);
	for (size_t i = 0; i < n; i++)
		x[i] += sigma * hs_rng_normal(&rng);
}

/* ------------------------------------------------------------------ transforms */

static void against_the_sum(size_t n_y, size_t n_x)
{
	struct hs_fft f;
	struct hs_err err = { 0 };
	double *x = hs_must_alloc(n_y * n_x, sizeof *x), off = 0, energy = 0, power = 0;
	if (!tap_ok(hs_fft_init(&f, n_y, n_x, &err) == 0, "plans for %zu x %zu %s", n_y, n_x, err.text))
		return;
	noise(x, n_y * n_x, n_y * 1000 + n_x, 1);
	memcpy(f.real, x, n_y * n_x * sizeof *x);
	hs_fft_forward(&f);
	for (size_t v = 0; v < n_y; v++)
		for (size_t u = 0; u < f.n_u; u++) {
			double re = 0, im = 0;
			for (size_t y = 0; y < n_y; y++)
				for (size_t k = 0; k < n_x; k++) {
					const double a = -2 * M_PI * ((double)(v * y % n_y) / (double)n_y + (double)(u * k % n_x) / (double)n_x);
					re += x[y * n_x + k] * cos(a);
					im += x[y * n_x + k] * sin(a);
				}
			const double *got = f.spectrum + 2 * (v * f.n_u + u);
			off = fmax(off, hypot(got[0] - re, got[1] - im));
			power += (u && 2 * u != n_x ? 2 : 1) * (got[0] * got[0] + got[1] * got[1]);
		}
	tap_ok(off < 1e-11 * (double)(n_y * n_x), "%zu x %zu: what the definition says (%.2g)", n_y, n_x, off);
	for (size_t i = 0; i < n_y * n_x; i++)
		energy += x[i] * x[i];
	tap_ok(fabs(power / (double)(n_y * n_x) / energy - 1) < 1e-12, "... Parseval");
	hs_fft_backward(&f);
	off = 0;
	for (size_t i = 0; i < n_y * n_x; i++)
		off = fmax(off, fabs(f.real[i] - x[i]));
	tap_ok(off < 1e-14 * (double)(n_y * n_x), "... and back (%.2g)", off);
	hs_fft_release(&f);
	free(x);
}

static void sizes(void)
{
	struct hs_err err = { 0 };
	struct hs_fft f;
	char version[32];
	tap_ok(hs_fft_size(0) == 1 && hs_fft_size(1) == 1 && hs_fft_size(11) == 12 && hs_fft_size(97) == 98 && hs_fft_size(1025) == 1029,
		"sizes that are fast");
	tap_ok(hs_fft_init(&f, (size_t)1 << 40, 2, &err) < 0 && err.status == HS_SYSTEM, "too large: %s", err.text);
	hs_fft_release(&f);
	err = (struct hs_err){ 0 };
	tap_ok(hs_fft_init(&f, 0, 2, &err) < 0 && err.status == HS_SYSTEM, "empty: %s", err.text);
	hs_fft_release(&f);
	hs_fft_version(version);
	tap_ok(strtod(version, NULL) >= 3, "FFTW %s", version);
}

/* ------------------------------------------------------------------ shifts */

/* Rounded blobs of many sizes in an endless plane, seen through a frame that stands at -shift. */
enum { N_Y = 64, N_X = 72, N_BLOBS = 220 };

static void scene(double *image, uint64_t seed, double dy, double dx)
{
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, 77);
	memset(image, 0, N_Y * N_X * sizeof *image);
	for (int b = 0; b < N_BLOBS; b++) {
		const double y0 = -40 + 144 * hs_rng_uniform(&rng), x0 = -40 + 152 * hs_rng_uniform(&rng), s = 1.2 + 3 * hs_rng_uniform(&rng),
			     h = 2 * hs_rng_uniform(&rng) - 1;
		for (size_t y = 0; y < N_Y; y++)
			for (size_t x = 0; x < N_X; x++) {
				const double v = (double)y - dy - y0, u = (double)x - dx - x0, r = (u * u + v * v) / (2 * s * s);
				image[y * N_X + x] += r < 30 ? h * exp(-r) : 0;
			}
	}
}

static double deviation(const double *x, size_t n)
{
	double sum = 0, squares = 0;
	for (size_t i = 0; i < n; i++)
		sum += x[i];
	for (size_t i = 0; i < n; i++)
		squares += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
	return sqrt(squares / (double)n);
}

/* Root mean square error of a shift over twenty pairs of images. */
static double error_of(double snr, double reach, double *least_sure)
{
	double *a = hs_must_alloc(N_Y * N_X, sizeof *a), *b = hs_must_alloc(N_Y * N_X, sizeof *b), sum = 0;
	struct hs_phase p;
	struct hs_err err = { 0 };
	*least_sure = 1;
	if (hs_phase_init(&p, N_Y, N_X, &err) < 0)
		return INFINITY;
	for (uint64_t i = 0; i < 20; i++) {
		struct hs_rng rng;
		double shift[2];
		hs_rng_init(&rng, i, HS_STREAM_TEST, 5);
		const double dy = reach * (2 * hs_rng_uniform(&rng) - 1), dx = reach * (2 * hs_rng_uniform(&rng) - 1);
		scene(a, i, 0, 0);
		scene(b, i, dy, dx);
		const double s = deviation(a, N_Y * N_X);
		noise(a, N_Y * N_X, 2 * i, s / snr);
		noise(b, N_Y * N_X, 2 * i + 1, s / snr);
		*least_sure = fmin(*least_sure, hs_phase_shift(&p, a, b, shift));
		sum += (shift[0] - dy) * (shift[0] - dy) + (shift[1] - dx) * (shift[1] - dx);
	}
	hs_phase_release(&p);
	free(a);
	free(b);
	return sqrt(sum / 40);
}

static void shifts(void)
{
	double sure;
	const struct { double snr, reach, error; } want[] = { { 1e9, 3, 0.01 }, { 20, 3, 0.02 }, { 20, 15, 0.05 }, { 3, 3, 0.1 },
		{ 20, 0.5, 0.02 } };
	for (size_t i = 0; i < HS_LEN(want); i++) {
		const double error = error_of(want[i].snr, want[i].reach, &sure);
		tap_ok(error < want[i].error && sure > 0.8, "signal to noise %g, shifts to %g pixels: error %.4f pixel, sure %.2f", want[i].snr,
			want[i].reach, error, sure);
	}
}

static void odd_images(void)
{
	double *a = hs_must_alloc(N_Y * N_X, sizeof *a), *b = hs_must_alloc(N_Y * N_X, sizeof *b), shift[2], other[2];
	struct hs_phase p;
	struct hs_err err = { 0 };
	hs_phase_init(&p, N_Y, N_X, &err);
	for (size_t i = 0; i < N_Y * N_X; i++)
		a[i] = b[i] = 7.3;
	tap_ok(hs_phase_shift(&p, a, b, shift) == 0 && shift[0] == 0 && shift[1] == 0, "two constants: no shift, not sure");
	memset(a, 0, N_Y * N_X * sizeof *a);
	tap_ok(hs_phase_shift(&p, a, a, shift) == 0 && shift[0] == 0 && shift[1] == 0, "two of nothing");
	noise(a, N_Y * N_X, 900, 1);
	memset(b, 0, N_Y * N_X * sizeof *b);
	noise(b, N_Y * N_X, 901, 1);
	const double sure = hs_phase_shift(&p, a, b, shift);
	tap_ok(sure < 0.3 && isfinite(shift[0]) && isfinite(shift[1]), "nothing in common: not sure (%.2f)", sure);
	scene(a, 3, 0, 0);
	scene(b, 3, 2.25, -1.5);
	hs_phase_shift(&p, a, b, shift);
	for (size_t i = 0; i < N_Y * N_X; i++) {
		a[i] *= 1e300;
		b[i] *= 1e-300;
	}
	hs_phase_shift(&p, a, b, other);
	tap_ok(fabs(shift[0] - other[0]) < 1e-6 && fabs(shift[1] - other[1]) < 1e-6, "1e300 and 1e-300 differ in scale only");
	for (size_t i = 0; i < 9; i++)
		b[N_X * (20 + i / 3) + 30 + i % 3] = i % 2 ? NAN : INFINITY;
	hs_phase_shift(&p, a, b, other);
	tap_ok(hypot(other[0] - 2.25, other[1] + 1.5) < 0.1, "a hole in an image: %.3f %.3f", other[0], other[1]);
	hs_phase_release(&p);

	double line[90], moved[90], dot = 1;
	for (int i = 0; i < 90; i++) {
		line[i] = exp(-0.02 * (i - 40) * (i - 40)) + 0.5 * exp(-0.1 * (i - 60) * (i - 60));
		moved[i] = exp(-0.02 * (i - 42.4) * (i - 42.4)) + 0.5 * exp(-0.1 * (i - 62.4) * (i - 62.4));
	}
	hs_phase_init(&p, 1, 90, &err);
	hs_phase_shift(&p, line, moved, shift);
	tap_ok(shift[0] == 0 && fabs(shift[1] - 2.4) < 0.02, "a line: %.3f", shift[1]);
	hs_phase_release(&p);
	hs_phase_init(&p, 1, 1, &err);
	tap_ok(hs_phase_shift(&p, &dot, &dot, shift) == 0 && shift[0] == 0 && shift[1] == 0, "one pixel");
	hs_phase_release(&p);
	free(a);
	free(b);
}

int main(int argc, char **argv)
{
	if (argc > 4)
		return driver(argv);
	hs_par_set_threads(2);
	against_the_sum(6, 10);
	against_the_sum(5, 7);
	against_the_sum(1, 16);
	against_the_sum(1, 1);
	sizes();
	shifts();
	odd_images();
	return tap_done();
}
