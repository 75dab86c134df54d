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

/* Widths and centre from where half height is crossed going back and forth from the top; NAN: nowhere. */
static void set_widths(const struct hs_grid *g, double back, double forth, struct hs_peak_guess *peak)
{
	const double step = g->n > 1 ? fabs(g->x[g->n - 1] - g->x[0]) / (double)(g->n - 1) : 1, none = 0.25 * step * (double)g->n;
	double before = fabs(back - peak->top), after = fabs(forth - peak->top);
	peak->centre = peak->top;
	if (!isnan(back) && !isnan(forth))
		peak->centre = 0.5 * peak->top + 0.25 * (back + forth);
	if (isnan(back))
		before = isnan(forth) ? none : after;
	if (isnan(forth))
		after = isnan(back) ? none : before;
	const bool ascending = g->x[0] <= g->x[g->n - 1];
	peak->width = fmax(before + after, step);
	peak->below = fmax(ascending ? before : after, 0.5 * step);
	peak->above = fmax(ascending ? after : before, 0.5 * step);
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
	peak->top = g->x[top];
	const double back = half_way(g, y, weight, top, -1, peak->height), forth = half_way(g, y, weight, top, 1, peak->height);
	set_widths(g, back, forth, peak);
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
	if (!n)
		return NAN;
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

/* What ln of a point's place is along the decay: its distance or logarithm; NAN where there is none. */
static double along(const struct hs_grid *g, size_t i, bool log_x, double from)
{
	const double ratio = g->x[i] / from;
	return !log_x ? g->x[i] - from : ratio > 0 ? log(ratio) : NAN;
}

/* Straight line through ln |y| over all points of one sign, weights y^2: the answer when there is nothing else in the spectrum.
 * */
static bool decay_of_all(const struct hs_grid *g, const double *y, const double *weight, bool log_x, double from, double size,
	double *a, double *r)
{
	double s[5] = { 0 }, shift = NAN;     /* the first u: differences are small beside it on an axis far from its origin */
	for (size_t i = 0; i < g->n; i++) {
		const double u = along(g, i, log_x, from), v = y[i] / size;
		if (!counts(y, weight, i) || !(v > 0) || isnan(u))
			continue;
		shift = isnan(shift) ? u : shift;
		const double w = v * v, d = u - shift, z = log(v), term[5] = { w, w * d, w * d * d, w * z, w * d * z };
		for (int k = 0; k < 5; k++)
			s[k] += term[k];
	}
	const double det = s[0] * s[2] - s[1] * s[1];
	if (!(det > 1e-12 * s[0] * s[2]))
		return false;
	*r = -(s[0] * s[4] - s[1] * s[3]) / det;
	*a = size * exp((s[2] * s[3] - s[1] * s[4]) / det + *r * shift);
	return isfinite(*a) && isfinite(*r);
}

/* The decay through the medians at the two ends: it does not see a peak between them. */
static bool decay_of_ends(const struct hs_grid *g, const double *y, const double *weight, bool log_x, double from, double *a,
	double *r)
{
	size_t n = 0;
	for (size_t i = 0; i < g->n; i++)
		n += counts(y, weight, i);
	if (n < 2)
		return false;
	const size_t m = n / 16 < 1 ? 1 : n / 16 > MOST_ENDS ? MOST_ENDS : n / 16;
	double x0, x1;
	const double y0 = end_of(g, y, weight, m, false, &x0), y1 = end_of(g, y, weight, m, true, &x1),
		     u0 = log_x ? log(x0 / from) : x0 - from, u1 = log_x ? log(x1 / from) : x1 - from;
	*r = -log(y1 / y0) / (u1 - u0);
	*a = y0 * exp(*r * u0);
	return isfinite(*a) && isfinite(*r);
}

/* Sum of |y - decay|; infinite for none. */
static double distance(const struct hs_grid *g, const double *y, const double *weight, bool log_x, double from, double a,
	double r)
{
	double sum = 0;
	for (size_t i = 0; i < g->n; i++) {
		const double u = along(g, i, log_x, from);
		if (counts(y, weight, i) && !isnan(u))
			sum += fabs(y[i] - a * exp(-r * u));
	}
	return isfinite(sum) ? sum : INFINITY;
}

bool hs_guess_decay(const struct hs_grid *g, const double *y, const double *weight, bool log_x, double from, double *a, double *r)
{
	double most = 0, total = 0, a2, r2;
	for (size_t i = 0; i < g->n; i++)
		if (counts(y, weight, i)) {
			most = fmax(most, fabs(y[i]));
			total += y[i] / (double)g->n;
		}
	if (!(most > 0))
		return false;
	const bool all = decay_of_all(g, y, weight, log_x, from, total < 0 ? -most : most, a, r),
		   ends = decay_of_ends(g, y, weight, log_x, from, &a2, &r2);
	if (ends && (!all || distance(g, y, weight, log_x, from, a2, r2) < distance(g, y, weight, log_x, from, *a, *r))) {
		*a = a2;
		*r = r2;
	}
	return all || ends;
}
