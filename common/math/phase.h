/* phase - how far an image has moved, to a small part of a pixel.
 *
 * Phase correlation (Kuglin and Hines, Proc. Int. Conf. Cybernetics and Society, 1975, 163): the cross spectrum of two images,
 * brought to nearly equal magnitude, transformed back, has its peak at the shift: that gives whole pixels. For the rest
 * frequencies weigh as much as their phases are worth beside the noise (phase.c), and the peak is found on an upsampled discrete
 * Fourier transform around it (Guizar-Sicairos, Thurman, Fienup, Opt. Lett. 33, 2008, 156). A Hann window keeps the borders out;
 * it moves along with the image, half the shift each way, in three rounds, for a window that stands still pulls shifts towards 0.
 *
 * A shift (y, x) is where the content of the moved image lies relative to the reference, in pixels: moved(p + shift) =
 * reference(p). Up to about half the image can be found. Values that are not finite count as the mean of the others. Owner: the
 * struct owns its buffers, the images are the caller's. Threads: one. */
#ifndef HS_MATH_PHASE_H
#define HS_MATH_PHASE_H

#include "math/fft.h"

struct hs_phase {
	size_t n_y, n_x;
	struct hs_fft fft;
	double *reference;            /* spectrum of the reference in its window */
	double *sorted;               /* room for magnitudes */
	double *bench;                /* rows of the upsampled transform */
};

int hs_phase_init(struct hs_phase *p, size_t n_y, size_t n_x, struct hs_err *err);
void hs_phase_release(struct hs_phase *p);
size_t hs_phase_bytes(size_t n_y, size_t n_x);

/* shift[0] along y, shift[1] along x, Returns how sure: height of the peak, 1 when one
 * image is the other moved, near 0 when they have nothing in common. Both all the same value: (0, 0), sureness 0. A dimension of
 * one pixel has shift 0. */
double hs_phase_shift(struct hs_phase *p, const double *reference, const double *moved, double shift[2]);

#endif
