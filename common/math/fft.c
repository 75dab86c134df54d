#include "math/fft.h"

#include <fftw3.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const struct hs_fft nothing;

int hs_fft_init(struct hs_fft *fft, size_t n_y, size_t n_x, struct hs_err *err)
{
	size_t n, half;
	*fft = nothing;
	if (!n_y || !n_x || n_y > INT_MAX || n_x > INT_MAX || !hs_mul(n_y, n_x, &n) || !hs_mul(n_y, n_x / 2 + 1, &half) ||
		n > SIZE_MAX / sizeof(double) || half > SIZE_MAX / sizeof(fftw_complex))
		return hs_fail(err, HS_SYSTEM, "a Fourier transform of %zu x %zu is too large", n_y, n_x);
	fft->n_y = n_y;
	fft->n_x = n_x;
	fft->n_u = n_x / 2 + 1;
	fft->real = fftw_malloc(n * sizeof *fft->real);
	fftw_complex *spectrum = fftw_malloc(half * sizeof *spectrum);
	fft->spectrum = (double *)spectrum;
	if (!fft->real || !spectrum)
		return hs_fail(err, HS_SYSTEM, "no memory for a Fourier transform of %zu x %zu", n_y, n_x);
	fft->there = fftw_plan_dft_r2c_2d((int)n_y, (int)n_x, fft->real, spectrum, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
	fft->back = fftw_plan_dft_c2r_2d((int)n_y, (int)n_x, spectrum, fft->real, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
	if (!fft->there || !fft->back)
		return hs_fail(err, HS_SYSTEM, "FFTW has no plan for %zu x %zu", n_y, n_x);
	memset(fft->real, 0, n * sizeof *fft->real);
	memset(spectrum, 0, half * sizeof *spectrum);
	return 0;
}

void hs_fft_release(struct hs_fft *fft)
{
	if (fft->there)
		fftw_destroy_plan(fft->there);
	if (fft->back)
		fftw_destroy_plan(fft->back);
	fftw_free(fft->real);
	fftw_free(fft->spectrum);
	*fft = nothing;
}

void hs_fft_forward(struct hs_fft *fft)
{
	fftw_execute(fft->there);
}

void hs_fft_backward(struct hs_fft *fft)
{
	const double by = 1 / ((double)fft->n_y * (double)fft->n_x);
	fftw_execute(fft->back);
	for (size_t i = 0; i < fft->n_y * fft->n_x; i++)
		fft->real[i] *= by;
}

size_t hs_fft_bytes(size_t n_y, size_t n_x)
{
	return n_y * (n_x * sizeof(double) + (n_x / 2 + 1) * sizeof(fftw_complex));
}

size_t hs_fft_size(size_t n)
{
	const size_t prime[] = { 2, 3, 5, 7 };
	for (n = n ? n : 1;; n++) {
		size_t rest = n;
		for (size_t i = 0; i < HS_LEN(prime); i++)
			while (rest % prime[i] == 0)
				rest /= prime[i];
		if (rest == 1)
			return n;
	}
}

void hs_fft_version(char text[32])
{
	const char *name = strchr(fftw_version, '-');         /* "fftw-3.3.10-sse2-avx" */
	snprintf(text, 32, "%.*s", name ? (int)strcspn(name + 1, "-") : 7, name ? name + 1 : "unknown");
}
