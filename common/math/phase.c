/* How it works. hs_phase_shift: window both, cross spectrum, whole-pixel peak of the inverse transform; then a few rounds with
 * the windows moved to where the content is; each ends with the peak of an upsampled transform in two levels, 1/16 and 1/256 of a
 * pixel, and a parabola through the last. */
#include "math/phase.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { ROUNDS = 3, FINE = 16, SIDE = 2 * FINE + 1 };

int hs_phase_init(struct hs_phase *p, size_t n_y, size_t n_x, struct hs_err *err)
{
	*p = (struct hs_phase){ .n_y = n_y, .n_x = n_x };
	if (hs_fft_init(&p->fft, n_y, n_x, err) < 0)
		return -1;
	const size_t n = n_y * p->fft.n_u;
	if (!(p->reference = hs_alloc(n, 2 * sizeof(double), err)) || !(p->sorted = hs_alloc(n, sizeof(double), err)) ||
		!(p->bench = hs_alloc(SIDE, 2 * p->fft.n_u * sizeof(double), err)))
		return -1;
	return 0;
}

void hs_phase_release(struct hs_phase *p)
{
	hs_fft_release(&p->fft);
	free(p->reference);
	free(p->sorted);
	free(p->bench);
	*p = (struct hs_phase){ 0 };
}

size_t hs_phase_bytes(size_t n_y, size_t n_x)
{
	return hs_fft_bytes(n_y, n_x) + (3 * n_y + 2 * SIDE) * (n_x / 2 + 1) * sizeof(double);
}

/* Hann window of n points moved by d, at point i; nothing beyond its ends. A single point has no window. */
static double hann(size_t i, size_t n, double d)
{
	const double t = ((double)i + 0.5 - d) / (double)n;
	return n == 1 ? 1 : t > 0 && t < 1 ? 0.5 - 0.5 * cos(2 * M_PI * t) : 0;
}

/* The image in its window, less its mean there, into the transform. False when nothing is left. */
static bool put(struct hs_phase *p, const double *image, double dy, double dx)
{
	double sum = 0, weight = 0, most = 0;
	for (int round = 0; round < 2; round++)
		for (size_t y = 0; y < p->n_y; y++) {
			const double wy = hann(y, p->n_y, dy);
			for (size_t x = 0; x < p->n_x; x++) {
				const double w = wy * hann(x, p->n_x, dx), v = image[y * p->n_x + x];
				if (!round && isfinite(v)) {
					sum += w * v;
					weight += w;
					most = fmax(most, fabs(v));
				} else if (round) {
					p->fft.real[y * p->n_x + x] = isfinite(v) && weight > 0 ? w * (v / most - sum / most / weight) : 0;
				}
			}
		}
	if (!(most > 0) || !isfinite(sum))
		return false;
	double power = 0;
	for (size_t i = 0; i < p->n_y * p->n_x; i++)
		power += p->fft.real[i] * p->fft.real[i];
	hs_fft_forward(&p->fft);
	return power > 1e-24 * (double)(p->n_y * p->n_x);     /* less is rounding of a constant */
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Spectrum of the moved image becomes the cross spectrum, weighted; returns the sum of the weights over all frequencies, which a
 * perfect match would have at its peak. Images are smooth, so the median magnitude n says what noise alone makes. white: c / (|c|
 * + 3 n), whose peak is narrow whatever the image. Otherwise phases by what they are worth (Knapp and Carter, IEEE Trans. Acoust.
 * Speech Signal Process. 24, 1976, 320, the maximum likelihood processor): s^2 / (2 s n + n^2), s = |c| - 3 n where that is above
 * 0. */
static double cross(struct hs_phase *p, bool white)
{
	const size_t n_u = p->fft.n_u, n = p->n_y * n_u;
	double *f = p->fft.spectrum, sum = 0;
	for (size_t i = 0; i < n; i++) {
		const double a = p->reference[2 * i], b = p->reference[2 * i + 1], c = f[2 * i], d = f[2 * i + 1];
		f[2 * i] = a * c + b * d;
		f[2 * i + 1] = a * d - b * c;         /* conj(reference) x moved: the phase falls with the shift */
		p->sorted[i] = hypot(f[2 * i], f[2 * i + 1]);
	}
	qsort(p->sorted, n, sizeof *p->sorted, ascending);
	const double most = p->sorted[n - 1], noise = fmax(p->sorted[n / 2], 1e-9 * most);
	for (size_t i = 0; i < n; i++) {
		const double size = hypot(f[2 * i], f[2 * i + 1]), s = fmax(0, size - 3 * noise), r = s / noise,
			     weight = white ? size / (size + 3 * noise) : r * r / (2 * r + 1), by = size > 0 ? weight / size : 0;
		const size_t u = i % n_u;
		f[2 * i] *= by;
		f[2 * i + 1] *= by;
		sum += size > 0 ? weight * (u && 2 * u != p->n_x ? 2 : 1) : 0;
	}
	return sum;
}

/* Value of the correlation at (y0 + k step, x0 + l step), k, l = -FINE .. FINE: peak of them, by separate sums over rows and
 * columns of the spectrum, which is read only. */
struct peak {
	double y, x, value, bend;     /* place after a parabola each way; value at the grid point */
};

/* re + i im of sum over v of F[v][u] exp(2 pi i v y / n_y), for one y and all u. */
static void sum_columns(const struct hs_phase *p, double y, double *row)
{
	const size_t n_u = p->fft.n_u;
	memset(row, 0, 2 * n_u * sizeof *row);
	for (size_t v = 0; v < p->n_y; v++) {
		const double k = v < (p->n_y + 1) / 2 ? (double)v : (double)v - (double)p->n_y, angle = 2 * M_PI * k * y / (double)p->n_y,
			     c = cos(angle), s = sin(angle);
		const double *f = p->fft.spectrum + 2 * v * n_u;
		for (size_t u = 0; u < n_u; u++) {
			row[2 * u] += c * f[2 * u] - s * f[2 * u + 1];
			row[2 * u + 1] += c * f[2 * u + 1] + s * f[2 * u];
		}
	}
}

static double sum_row(const struct hs_phase *p, const double *row, double x)
{
	double sum = row[0], re = 1, im = 0;
	const double angle = 2 * M_PI * x / (double)p->n_x, c = cos(angle), s = sin(angle);
	for (size_t u = 1; u < p->fft.n_u; u++) {
		const double next = re * c - im * s;
		im = re * s + im * c;
		re = next;
		sum += (2 * u == p->n_x ? 1 : 2) * (row[2 * u] * re - row[2 * u + 1] * im);
	}
	return sum;
}

static double vertex(double left, double middle, double right)
{
	const double bend = left - 2 * middle + right;
	return bend < 0 ? fmax(-1, fmin(1, 0.5 * (left - right) / bend)) : 0;
}

static struct peak upsampled(struct hs_phase *p, double y0, double x0, double step)
{
	double value[SIDE * SIDE];
	size_t best = (size_t)(FINE * SIDE + FINE);
	const bool flat_y = p->n_y == 1, flat_x = p->n_x == 1;
	for (size_t k = 0; k < SIDE; k++) {
		sum_columns(p, y0 + (flat_y ? 0 : ((double)k - FINE) * step), p->bench + 2 * k * p->fft.n_u);
		for (size_t l = 0; l < SIDE; l++)
			value[k * SIDE + l] = sum_row(p, p->bench + 2 * k * p->fft.n_u, x0 + (flat_x ? 0 : ((double)l - FINE) * step));
	}
	for (size_t i = 0; i < SIDE * SIDE; i++)
		best = value[i] > value[best] ? i : best;
	const size_t k = best / SIDE, l = best % SIDE;
	const double dy = k && k + 1 < SIDE ? vertex(value[best - SIDE], value[best], value[best + SIDE]) : 0,
		     dx = l && l + 1 < SIDE ? vertex(value[best - 1], value[best], value[best + 1]) : 0;
	return (struct peak){ .y = flat_y ? 0 : y0 + ((double)k - FINE + dy) * step,
		.x = flat_x ? 0 : x0 + ((double)l - FINE + dx) * step,
		.value = value[best] };
}

/* The largest value of the inverse transform; its place is signed. The spectrum is kept aside. */
static void whole_pixels(struct hs_phase *p, double *keep, double shift[2])
{
	const size_t n = p->n_y * p->n_x, n_spectrum = 2 * p->n_y * p->fft.n_u;
	size_t best = 0;
	memcpy(keep, p->fft.spectrum, n_spectrum * sizeof *keep);
	hs_fft_backward(&p->fft);
	memcpy(p->fft.spectrum, keep, n_spectrum * sizeof *keep);
	for (size_t i = 1; i < n; i++)
		best = p->fft.real[i] > p->fft.real[best] ? i : best;
	const size_t y = best / p->n_x, x = best % p->n_x;
	shift[0] = 2 * y > p->n_y ? (double)y - (double)p->n_y : (double)y;
	shift[1] = 2 * x > p->n_x ? (double)x - (double)p->n_x : (double)x;
}

double hs_phase_shift(struct hs_phase *p, const double *reference, const double *moved, double shift[2])
{
	const size_t n_spectrum = 2 * p->n_y * p->fft.n_u;
	double sure = 0;
	shift[0] = shift[1] = 0;
	for (int round = 0; round < ROUNDS; round++) {
		/* the first round, with windows that stand still, finds the whole pixels */
		if (!put(p, reference, -shift[0] / 2, -shift[1] / 2))
			break;
		memcpy(p->reference, p->fft.spectrum, n_spectrum * sizeof *p->reference);
		if (!put(p, moved, shift[0] / 2, shift[1] / 2))
			break;
		const double whole = cross(p, !round);
		if (!round)
			whole_pixels(p, p->reference, shift);
		struct peak at = upsampled(p, shift[0], shift[1], 1.0 / FINE);
		at = upsampled(p, at.y, at.x, 1.0 / FINE / FINE);
		shift[0] = at.y;
		shift[1] = at.x;
		sure = whole > 0 ? fmax(0, at.value / whole) : 0;
	}
	return sure;
}
