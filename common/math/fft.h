/* fft - discrete Fourier transforms of real images and spectra, over FFTW.
 *
 * X[v][u] = sum_yx x[y][x] exp(-2 pi i (v y / n_y + u x / n_x)); only u = 0 .. n_x/2 is kept, the rest are complex conjugates.
 * The inverse divides by n_y n_x, so that back and forth is the identity. A spectrum is an image of one line.
 *
 * Plans are made once for a size and estimated, never measured: the same size gives the same bits on one machine every time.
 * Owner: the struct owns its two buffers. Threads: hs_fft_init and hs_fft_release on one at a time (FFTW's planner is one for the
 * process); a plan runs on one thread at a time, two plans at once are fine. */
#ifndef HS_MATH_FFT_H
#define HS_MATH_FFT_H

#include <stddef.h>

#include "base/err.h"

struct hs_fft {
	size_t n_y, n_x, n_u;         /* n_u = n_x / 2 + 1 */
	double *real;                 /* n_y x n_x */
	double *spectrum;             /* n_y x n_u pairs: real part, imaginary part */
	void *there, *back;           /* FFTW's plans */
};

/* HS_SYSTEM when memory is short or the size is beyond FFTW's (2^31). Released by the caller, also after failure. */
int hs_fft_init(struct hs_fft *fft, size_t n_y, size_t n_x, struct hs_err *err);
void hs_fft_release(struct hs_fft *fft);

void hs_fft_forward(struct hs_fft *fft);        /* real -> spectrum; real is spoilt */
void hs_fft_backward(struct hs_fft *fft);       /* spectrum -> real; spectrum is spoilt */

size_t hs_fft_bytes(size_t n_y, size_t n_x);

/* The smallest size >= n that is fast: 2^a 3^b 5^c 7^d. */
size_t hs_fft_size(size_t n);

/* "3.3.10" */
void hs_fft_version(char text[32]);

#endif
