#include "math/smooth.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/par.h"
#include "math/vector.h"

/* Place i - 1, i - 2 ... beyond the border is where the mirror image has it. */
static size_t mirrored(ptrdiff_t i, size_t n)
{
	const ptrdiff_t period = 2 * (ptrdiff_t)n;
	ptrdiff_t at = i % period;
	if (at < 0)
		at += period;
	return (size_t)(at < (ptrdiff_t)n ? at : period - 1 - at);
}

struct line {
	const double *kernel;                 /* 2 reach + 1 */
	size_t reach, width;
};

/* Smooths n points `stride` values apart, reading from `from`, into `to`. */
static void smooth_line(const struct line *l, const double *from, size_t n, size_t stride, double *to)
{
	const ptrdiff_t reach = (ptrdiff_t)l->reach;
	for (size_t i = 0; i < n; i++) {
		double *out = to + i * stride;
		memset(out, 0, l->width * sizeof *out);
		for (ptrdiff_t s = -reach; s <= reach; s++) {
			const double w = l->kernel[s + reach], *in = from + mirrored((ptrdiff_t)i + s, n) * stride;
			for (size_t c = 0; c < l->width; c++)
				out[c] += w * in[c];
		}
	}
}

/* Both directions of all frames; value is overwritten, other is scratch of its size. */
static void smooth_both(const struct line *l, double *value, double *other, size_t n_frames, size_t n_y, size_t n_x)
{
	const size_t w = l->width;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads())
	for (size_t row = 0; row < n_frames * n_y; row++)
		smooth_line(l, value + row * n_x * w, n_x, w, other + row * n_x * w);
#pragma omp parallel for schedule(static) num_threads(hs_par_threads())
	for (size_t column = 0; column < n_frames * n_x; column++) {
		const size_t start = (column / n_x * n_y * n_x + column % n_x) * w;
		smooth_line(l, other + start, n_y, n_x * w, value + start);
	}
}

static double *gaussian(double sigma, size_t *reach, struct hs_err *err)
{
	*reach = (size_t)fmax(1, floor(4 * sigma + 0.5));
	double *kernel = hs_alloc(2 * *reach + 1, sizeof *kernel, err), sum = 0;
	if (!kernel)
		return NULL;
	for (size_t s = 0; s <= 2 * *reach; s++) {
		const double x = ((double)s - (double)*reach) / sigma;
		kernel[s] = exp(-0.5 * x * x);
		sum += kernel[s];
	}
	for (size_t s = 0; s <= 2 * *reach; s++)
		kernel[s] /= sum;
	return kernel;
}

/* Factor on the standard deviation of white noise far from borders and masked pixels. */
static double gain_of(const double *kernel, size_t reach)
{
	double squares = 0;
	for (size_t s = 0; s <= 2 * reach; s++)
		squares += kernel[s] * kernel[s];
	return squares;                       /* its root in each of two directions */
}

/* Values times weights are smoothed, and divided by the smoothed weights. */
static int smooth_weighted(const struct line *l, double *value, size_t n_frames, size_t n_y, size_t n_x, const uint8_t *skip,
	struct hs_err *err)
{
	const size_t n = n_frames * n_y * n_x, w = l->width;
	double *before = hs_alloc(n, w * sizeof *before, err), *other = before ? hs_alloc(n, w * sizeof *other, err) : NULL,
	       *weight = other ? hs_alloc(n, sizeof *weight, err) : NULL;
	if (weight) {
		const struct line single = { l->kernel, l->reach, 1 };
		memcpy(before, value, n * w * sizeof *before);
		for (size_t i = 0; i < n; i++) {
			weight[i] = skip && skip[i] ? 0 : 1;
			if (!(weight[i] > 0))
				memset(value + i * w, 0, w * sizeof *value);
		}
		smooth_both(l, value, other, n_frames, n_y, n_x);
		smooth_both(&single, weight, other, n_frames, n_y, n_x);
		for (size_t i = 0; i < n; i++)
			for (size_t c = 0; c < w; c++)
				value[i * w + c] = skip && skip[i] ? before[i * w + c] : value[i * w + c] / weight[i];
	}
	const int verdict = weight ? 0 : -1;
	free(before);
	free(other);
	free(weight);
	return verdict;
}

int hs_smooth_maps(double *value, size_t n_frames, size_t n_y, size_t n_x, size_t width, const uint8_t *skip, double sigma,
	double *noise_gain, struct hs_err *err)
{
	size_t reach;
	if (!(sigma > 0 && sigma <= HS_SMOOTH_WIDEST))
		return hs_fail(err, HS_USAGE, "cannot smooth with a Gaussian of %g pixels: above 0 and at most %g", sigma,
			HS_SMOOTH_WIDEST);
	if (sigma < 1e-3)
		sigma = 1e-3;                 /* nothing but the pixel itself, without a division by zero */
	double *kernel = gaussian(sigma, &reach, err);
	if (!kernel)
		return -1;
	const struct line l = { kernel, reach, width };
	const bool empty = !width || !n_frames || !n_y || !n_x;
	const int verdict = !empty ? smooth_weighted(&l, value, n_frames, n_y, n_x, skip, err) : 0;
	if (noise_gain)
		*noise_gain = gain_of(kernel, reach);
	free(kernel);
	return verdict;
}

/* --- likeness ------------------------------------------------------------------------------------------------------ */

struct pairs {
	double squares;                       /* of differences of neighbours */
	double n;                             /* pairs */
};

static void add_pair(struct pairs *p, const double *a, const double *b, size_t width)
{
	p->squares += hs_distance2(a, b, width);
	p->n++;
}

double hs_neighbour_likeness(const double *value, size_t n_frames, size_t n_y, size_t n_x, size_t width, const uint8_t *skip,
	double noise)
{
	const size_t n = n_frames * n_y * n_x, w = width;
	struct pairs near = { 0, 0 };
	double n_used = 0, variance = 0, *mean = hs_must_alloc(w + 1, sizeof *mean);
	for (size_t i = 0; i < n; i++) {
		if (skip && skip[i])
			continue;
		n_used++;
		hs_add(mean, value + i * w, w);
	}
	for (size_t c = 0; c < w; c++)
		mean[c] /= n_used > 0 ? n_used : 1;
	for (size_t i = 0; i < n; i++) {
		if (skip && skip[i])
			continue;
		const size_t x = i % n_x, y = i / n_x % n_y;
		variance += hs_distance2(value + i * w, mean, w);
		if (x + 1 < n_x && !(skip && skip[i + 1]))
			add_pair(&near, value + i * w, value + (i + 1) * w, w);
		if (y + 1 < n_y && !(skip && skip[i + n_x]))
			add_pair(&near, value + i * w, value + (i + n_x) * w, w);
	}
	free(mean);
	const double white = (double)w * noise * noise, signal = variance / n_used - white;
	if (!(near.n > 0) || !(signal > 1e-3 * white) || !(signal > 0))
		return NAN;
	const double likeness = 1 - (near.squares / (2 * near.n) - white) / signal;
	return fmax(-1, fmin(1, likeness));
}
