#include "math/whittaker.h"

#include <math.h>
#include <string.h>

enum { MOST_ALS = 50, MOST_ARPLS = 100 };

/* The diagonals of W + lambda D^T D: a (n), and those one and two beside it, b and c. */
static void diagonals(size_t n, double lambda, const double *w, double *a, double *b, double *c)
{
	for (size_t i = 0; i < n; i++) {
		a[i] = w ? w[i] : 1;
		b[i] = c[i] = 0;
	}
	for (size_t i = 0; i + 2 < n; i++) {
		a[i] += lambda;
		a[i + 1] += 4 * lambda;
		a[i + 2] += lambda;
		b[i] -= 2 * lambda;
		b[i + 1] -= 2 * lambda;
		c[i] += lambda;
	}
}

void hs_whittaker(size_t n, double lambda, const double *w, const double *y, double *z, double *scratch)
{
	double *a = scratch, *b = scratch + n, *c = scratch + 2 * n;
	diagonals(n, lambda, w, a, b, c);
	/* forward: a becomes D, b and c the columns of L */
	for (size_t i = 0; i < n; i++) {
		const double b1 = i > 0 ? b[i - 1] : 0, c2 = i > 1 ? c[i - 2] : 0, d1 = i > 0 ? a[i - 1] : 0, d2 = i > 1 ? a[i - 2] : 0,
			     c1 = i > 0 ? c[i - 1] : 0;
		a[i] -= b1 * b1 * d1 + c2 * c2 * d2;
		b[i] = (b[i] - b1 * c1 * d1) / a[i];
		c[i] /= a[i];
		z[i] = (w ? w[i] : 1) * y[i] - (i > 0 ? b1 * z[i - 1] : 0) - (i > 1 ? c2 * z[i - 2] : 0);
	}
	for (size_t i = n; i-- > 0;)
		z[i] = z[i] / a[i] - (i + 1 < n ? b[i] * z[i + 1] : 0) - (i + 2 < n ? c[i] * z[i + 2] : 0);
}

void hs_whittaker_als(size_t n, double lambda, double p, const double *y, double *z, double *scratch)
{
	double *w = scratch + HS_WHITTAKER_SCRATCH * n;
	bool moved = true;
	for (size_t i = 0; i < n; i++)
		w[i] = 1;
	for (int round = 0; round < MOST_ALS && moved; round++) {
		moved = false;
		hs_whittaker(n, lambda, w, y, z, scratch);
		for (size_t i = 0; i < n; i++) {
			const double now = y[i] > z[i] ? p : 1 - p;
			moved |= now != w[i];
			w[i] = now;
		}
	}
}

/* Mean and standard deviation of the negative ones of y - z; false when fewer than two. */
static bool below(size_t n, const double *y, const double *z, double *m, double *s)
{
	double count = 0, sum = 0, squares = 0;
	for (size_t i = 0; i < n; i++)
		if (y[i] < z[i]) {
			sum += y[i] - z[i];
			count++;
		}
	if (count < 2)
		return false;
	*m = sum / count;
	for (size_t i = 0; i < n; i++)
		if (y[i] < z[i])
			squares += (y[i] - z[i] - *m) * (y[i] - z[i] - *m);
	*s = sqrt(squares / (count - 1));
	return *s > 0;
}

void hs_whittaker_arpls(size_t n, double lambda, const double *y, double *z, double *scratch)
{
	double *w = scratch + HS_WHITTAKER_SCRATCH * n, m, s;
	for (size_t i = 0; i < n; i++)
		w[i] = 1;
	for (int round = 0; round < MOST_ARPLS; round++) {
		double change = 0, size = 0;
		hs_whittaker(n, lambda, w, y, z, scratch);
		if (!below(n, y, z, &m, &s))
			return;
		for (size_t i = 0; i < n; i++) {
			/* no weight vanishes altogether: two at least have to hold the curve */
			const double e = 2 * (y[i] - z[i] - (2 * s - m)) / s, now = 1 / (1 + exp(fmin(e, 60)));
			change += (now - w[i]) * (now - w[i]);
			size += w[i] * w[i];
			w[i] = now;
		}
		if (sqrt(change) < 1e-6 * sqrt(size))
			return;
	}
}
