#include "physics/guess.h"

#include <math.h>
#include <string.h>

enum { MOST_ENDS = 32 };              /* points of a median at an end */

static bool counts(const double *y, const double *weight, size_t i)
{
	return (!weight || weight[i] > 0) && isfinite(y[i]);
}

/* Mean of the point and its neighbours that count. */
static double smooth_at(const struct hs_grid *g, const double *y, const double *weight, size_t i)
{
	double sum = 0, n = 0;
	for (size_t k = i ? i - 1 : 0; k <= i + 1 && k < g->n; k++)
		if (counts(y, weight, k)) {
			sum += y[k];
			n++;
		}
	return sum / n;
}

/* From the top to one side: where the values have fallen to half, between two points; NAN when they do not. */
static double half_way(const struct hs_grid *g, const double *y, const double *weight, size_t top, int side, double height)
{
	double last = height, last_x = g->x[top];
	for (size_t i = top; side > 0 ? i + 1 < g->n : i > 0;) {
		i = side > 0 ? i + 1 : i - 1;
		if (!counts(y, weight, i))
			continue;
		const double v = smooth_at(g, y, weight, i);
		if (v / height <= 0.5) {
			const double t = (last / height - 0.5) / (last / height - v / height);
			return last_x + t * (g->x[i] - last_x);
		}
		last = v;
		last_x = g->x[i];
	}
	return NAN;
}

bool hs_guess_peak(const struct hs_grid *g, const double *y, const double *weight, struct hs_peak_guess *peak)
{
	size_t top = 0;
	double largest = -1, first = NAN;
	bool equal = true;
	for (size_t i = 0; i < g->n; i++) {
		if (!counts(y, weight, i))
			continue;
		equal &= isnan(first) || y[i] == first;
		first = isnan(first) ? y[i] : first;
		const double v = fabs(smooth_at(g, y, weight, i));
		if (v > largest) {
			largest = v;
			top = i;
		}
	}
	if (equal || !(largest > 0))
		return false;
	peak->height = smooth_at(g, y, weight, top);
	peak->centre = g->x[top];
	const double left = half_way(g, y, weight, top, -1, peak->height), right = half_way(g, y, weight, top, 1, peak->height),
		     step = g->n > 1 ? fabs(g->x[g->n - 1] - g->x[0]) / (double)(g->n - 1) : 1;
	if (!isnan(left) && !isnan(right)) {
		peak->width = fabs(right - left);
		peak->centre = 0.5 * peak->centre + 0.25 * (left + right);
	} else {
		peak->width = isnan(left) && isnan(right) ? 0.5 * step * (double)g->n : 2 * fabs((isnan(left) ? right : left) - peak->centre);
	}
	peak->width = fmax(peak->width, step);
	return true;
}

/* Median of the first m values that count, from one side; their mean place. */
static double end_of(const struct hs_grid *g, const double *y, const double *weight, size_t m, bool back, double *x)
{
	double v[MOST_ENDS];
	size_t n = 0;
	*x = 0;
	for (size_t e = 0; e < g->n && n < m; e++) {
		const size_t i = back ? g->n - 1 - e : e;
		if (!counts(y, weight, i))
			continue;
		size_t at = n++;
		for (; at > 0 && v[at - 1] > y[i]; at--)
			v[at] = v[at - 1];
		v[at] = y[i];
		*x += g->x[i];
	}
	*x /= (double)n;
	return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

bool hs_guess_line(const struct hs_grid *g, const double *y, const double *weight, double *offset, double *slope)
{
	size_t n = 0;
	for (size_t i = 0; i < g->n; i++)
		n += counts(y, weight, i);
	if (n < 2)
		return false;
	const size_t m = n / 8 < 1 ? 1 : n / 8 > MOST_ENDS ? MOST_ENDS : n / 8;
	double x0, x1;
	const double y0 = end_of(g, y, weight, m, false, &x0), y1 = end_of(g, y, weight, m, true, &x1);
	*slope = (y1 - y0) / (x1 - x0);
	*offset = y0 - *slope * x0;
	return true;
}
