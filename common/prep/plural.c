#include "prep/plural.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/par.h"

static int init(struct hs_plural *p, size_t n, size_t width, struct hs_err *err)
{
	*p = (struct hs_plural){ .n = n };
	const size_t threads = (size_t)hs_par_threads();
	if (!(p->fft = hs_alloc(threads, sizeof *p->fft, err)))
		return -1;
	for (; p->n_threads < threads; p->n_threads++)
		if (hs_fft_init(&p->fft[p->n_threads], 1, hs_fft_size(n + width), err) < 0) {
			hs_fft_release(&p->fft[p->n_threads]);
			return -1;
		}
	return 0;
}

void hs_plural_release(struct hs_plural *p)
{
	for (size_t i = 0; i < p->n_threads; i++)
		hs_fft_release(&p->fft[i]);
	free(p->fft);
	free(p->filter);
	*p = (struct hs_plural){ 0 };
}

static int count_zero(const struct hs_axis *axis, double until, size_t *n, struct hs_err *err)
{
	for (*n = 0; *n < axis->n && axis->value[*n] <= until; ++*n)
		;
	if (!*n || *n == axis->n || hs_axis_descends(axis) || !hs_axis_is_uniform(axis))
		return hs_fail(err, HS_USAGE,
			"%zu of %zu channels are up to %g %s, where the zero-loss peak ends: the axis must be uniform and "
			"go beyond", *n, axis->n, until, axis->units);
	return 0;
}

static void transform(struct hs_fft *fft, const double *x, size_t n)
{
	memcpy(fft->real, x, n * sizeof *x);
	memset(fft->real + n, 0, (fft->n_x - n) * sizeof *x);
	hs_fft_forward(fft);
}

static double sum_of(const double *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return sum;
}

int hs_plural_log(struct hs_plural *p, const struct hs_axis *axis, double until, struct hs_err *err)
{
	return init(p, axis->n, axis->n, err) < 0 ? -1 : count_zero(axis, until, &p->n_zero, err);
}

int hs_plural_ratio(struct hs_plural *p, size_t n, const struct hs_axis *low, const double *l, double until, struct hs_err *err)
{
	if (init(p, n, low->n, err) < 0 || count_zero(low, until, &p->n_zero, err) < 0)
		return -1;
	if (!(sum_of(l, p->n_zero) > 0))
		return hs_fail(err, HS_BAD_DATA, "nothing is there below %g %s, where the zero-loss peak should be", until, low->units);
	struct hs_fft *fft = &p->fft[0];
	if (!(p->filter = hs_alloc(fft->n_u, 2 * sizeof *p->filter, err)))
		return -1;
	transform(fft, l, p->n_zero);
	memcpy(p->filter, fft->spectrum, 2 * fft->n_u * sizeof *p->filter);
	transform(fft, l, low->n);
	for (size_t u = 0; u < fft->n_u; u++) {
		const double complex z = CMPLX(p->filter[2 * u], p->filter[2 * u + 1]);
		const double complex all = CMPLX(fft->spectrum[2 * u], fft->spectrum[2 * u + 1]), ratio = cabs(all) > 0 ? z / all : 0;
		p->filter[2 * u] = creal(ratio);
		p->filter[2 * u + 1] = cimag(ratio);
	}
	return 0;
}

size_t hs_plural_scratch(const struct hs_plural *p)
{
	return 2 * p->fft[0].n_u;
}

bool hs_plural_row(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct hs_plural *p = state;
	struct hs_fft *fft = &p->fft[hs_par_thread()];
	(void)pixel;
	if (!p->filter && !(sum_of(in, p->n_zero) > 0))
		return false;
	transform(fft, in, p->n);
	memcpy(scratch, fft->spectrum, 2 * fft->n_u * sizeof *scratch);
	if (!p->filter)
		transform(fft, in, p->n_zero);
	for (size_t u = 0; u < fft->n_u; u++) {
		const double complex j = CMPLX(scratch[2 * u], scratch[2 * u + 1]);
		double complex single;
		if (p->filter) {
			single = j * CMPLX(p->filter[2 * u], p->filter[2 * u + 1]);
		} else {
			const double complex z = CMPLX(fft->spectrum[2 * u], fft->spectrum[2 * u + 1]);
			single = cabs(z) > 0 && cabs(j) > 0 ? z * clog(j / z) : 0;
		}
		fft->spectrum[2 * u] = creal(single);
		fft->spectrum[2 * u + 1] = cimag(single);
	}
	hs_fft_backward(fft);
	memcpy(out, fft->real, p->n * sizeof *out);
	return true;
}
