#include "prep/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

int hs_weights_init(struct hs_weights *w, size_t n, size_t n_weights, struct hs_err *err)
{
	*w = (struct hs_weights){ .n = n };
	if (!(w->first = hs_alloc(n, sizeof *w->first, err)) || !(w->count = hs_alloc(n, sizeof *w->count, err)) ||
		!(w->at = hs_alloc(n, sizeof *w->at, err)) || !(w->weight = hs_alloc(n_weights, sizeof *w->weight, err)))
		return -1;
	return 0;
}

void hs_weights_release(struct hs_weights *w)
{
	free(w->first);
	free(w->count);
	free(w->at);
	free(w->weight);
	*w = (struct hs_weights){ 0 };
}

bool hs_weights_row(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct hs_weights *w = state;
	(void)pixel, (void)scratch;
	for (size_t i = 0; i < w->n; i++) {
		const double *x = in + w->first[i], *by = w->weight + w->at[i];
		double sum = 0;
		for (size_t k = 0; k < w->count[i]; k++)
			sum += by[k] * x[k];
		out[i] = sum;
	}
	return true;
}

double hs_channel_width(const struct hs_axis *a, size_t i)
{
	if (a->n < 2)
		return 1;
	const double *x = a->value;
	return fabs(i == 0 ? x[1] - x[0] : i + 1 == a->n ? x[i] - x[i - 1] : (x[i + 1] - x[i - 1]) / 2);
}

/* ------------------------------------------------------------------ local polynomials */

/* Derivatives of t^0 .. t^order at t. */
static void powers(double t, size_t order, size_t derivative, double *v)
{
	for (size_t j = 0; j <= order; j++) {
		double factor = j < derivative ? 0 : 1;
		for (size_t d = 0; d < derivative && factor != 0; d++)
			factor *= (double)(j - d);
		v[j] = j < derivative ? 0 : factor * pow(t, (double)(j - derivative));
	}
}

/* Weights of the values at x[0 .. width-1] in the derivative at `at`. a: width x (order + 1), r: (order + 1)^2, v: order + 1.
 * With A = QR the coefficients are R^-1 Q^T y, and what is wanted of them v^T R^-1 Q^T y. Places go to -1 .. 1, which keeps R
 * tame. */
static int fit(const double *x, size_t width, size_t order, size_t derivative, double at, double *weight, double *a, double *r,
	double *v, struct hs_err *err)
{
	const size_t m = order + 1;
	const double middle = (x[0] + x[width - 1]) / 2, scale = width > 1 ? fabs(x[width - 1] - x[0]) / 2 : 1;
	for (size_t k = 0; k < width; k++)
		powers((x[k] - middle) / scale, order, 0, a + k * m);
	if (hs_la_qr(a, width, m, true, r, err) < 0)
		return -1;
	powers((at - middle) / scale, order, derivative, v);
	for (size_t j = 0; j < m; j++) {
		for (size_t i = 0; i < j; i++)
			v[j] -= r[i * m + j] * v[i];
		v[j] /= r[j * m + j];
	}
	for (size_t k = 0; k < width; k++) {
		weight[k] = 0;
		for (size_t j = 0; j < m; j++)
			weight[k] += a[k * m + j] * v[j];
		weight[k] /= pow(scale, (double)derivative);
	}
	return 0;
}

int hs_weights_local(struct hs_weights *w, const struct hs_axis *axis, size_t width, size_t order, size_t derivative,
	struct hs_err *err)
{
	const size_t n = axis->n, half = width / 2, m = order + 1;
	const bool even = hs_axis_is_uniform(axis);
	double *a = hs_alloc(width, m * sizeof *a, err), *r = hs_must_alloc(m * m, sizeof *r), *v = hs_must_alloc(m, sizeof *v);
	size_t made = 0;
	int verdict = a ? hs_weights_init(w, n, (even ? width + 1 : n) * width, err) : -1;
	for (size_t i = 0; verdict == 0 && i < n; i++) {
		const size_t first = i < half ? 0 : i - half;
		w->first[i] = first + width > n ? n - width : first;
		w->count[i] = width;
		/* in the middle as the channel before, when steps are equal */
		const bool same = even && i > half && w->first[i] == w->first[i - 1] + 1;
		w->at[i] = same ? w->at[i - 1] : made;
		if (same)
			continue;
		made += width;
		verdict = fit(axis->value + w->first[i], width, order, derivative, axis->value[i], w->weight + w->at[i], a, r, v, err);
	}
	free(a);
	free(r);
	free(v);
	return verdict;
}

/* ------------------------------------------------------------------ Gaussian means */

int hs_weights_gauss(struct hs_weights *w, const struct hs_axis *axis, double fwhm, struct hs_err *err)
{
	const double *x = axis->value, reach = fwhm * sqrt(log(1e8) / (4 * M_LN2));
	const size_t n = axis->n;
	size_t total = 0;
	/* first counted, then weighed */
	for (int pass = 0; pass < 2; pass++) {
		if (pass && hs_weights_init(w, n, total, err) < 0)
			return -1;
		total = 0;
		for (size_t i = 0, low = 0, high = 0; i < n; i++) {
			while (fabs(x[i] - x[low]) > reach)
				low++;
			while (high < n && (high <= i || fabs(x[high] - x[i]) <= reach))
				high++;
			double sum = 0;
			for (size_t k = low; pass && k < high; k++) {
				const double t = (x[k] - x[i]) / fwhm;
				w->weight[total + k - low] = exp(-4 * M_LN2 * t * t) * hs_channel_width(axis, k);
				sum += w->weight[total + k - low];
			}
			for (size_t k = low; pass && k < high; k++)
				w->weight[total + k - low] /= sum;
			if (pass) {
				w->first[i] = low;
				w->count[i] = high - low;
				w->at[i] = total;
			}
			total += high - low;
		}
	}
	return 0;
}
