#include "physics/contact.h"

#include <math.h>
#include <stdlib.h>

#include "base/units.h"

enum { SAMPLE = 64, FEWEST = 8 };     /* points of a median; of a curve */
#define OUTER 0.3
#define FREE 0.28                      /* half of what is left of the pull where a soft sphere breaks free, 5/9 */

bool hs_contact_units(const struct hs_grid *g, double *metre, double *newton)
{
	*metre = g->x_unit ? hs_unit_factor(g->x_unit, "m") : 0;
	*newton = g->y_unit ? hs_unit_factor(g->y_unit, "N") : 0;
	return *metre > 0 && *newton > 0;
}

static bool counts(const double *y, const double *weight, size_t i)
{
	return (!weight || weight[i] > 0) && isfinite(y[i]);
}

/* Index of the e-th point from the outermost one inwards. */
static size_t inwards(const struct hs_grid *g, double direction, size_t e)
{
	return (g->x[g->n - 1] > g->x[0]) == (direction > 0) ? e : g->n - 1 - e;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

static bool find_baseline(const struct hs_grid *g, const double *y, const double *weight, double direction,
	struct hs_contact_guess *guess)
{
	const size_t outer = (size_t)ceil(OUTER * (double)g->n), every = outer / SAMPLE + 1;
	double v[SAMPLE];
	size_t n = 0;
	for (size_t e = 0; e < outer && n < SAMPLE; e += every) {
		const size_t i = inwards(g, direction, e);
		if (counts(y, weight, i))
			v[n++] = y[i];
	}
	if (!n)
		return false;
	guess->baseline = median(v, n);
	for (size_t i = 0; i < n; i++)
		v[i] = fabs(v[i] - guess->baseline);
	guess->noise = 1.4826 * median(v, n);
	return true;
}

bool hs_contact_find(const struct hs_grid *g, const double *y, const double *weight, double direction,
	struct hs_contact_guess *guess)
{
	double inner = 0, inner_x = 0, n_inner = 0, low = INFINITY, last_x = 0;
	size_t n = 0;
	*guess = (struct hs_contact_guess){ 0 };
	if (g->n < FEWEST || !find_baseline(g, y, weight, direction, guess))
		return false;
	for (size_t e = g->n; e-- > 0;) {
		const size_t i = inwards(g, direction, e);
		if (!counts(y, weight, i))
			continue;
		n++;
		if (n_inner < 3) {
			inner += y[i];
			inner_x += g->x[i];
			n_inner++;
		}
		if (y[i] < low) {
			low = y[i];
			guess->jump = NAN;
		}
		if (isnan(guess->jump) && y[i] > guess->baseline - FREE * (guess->baseline - low))
			guess->jump = 0.5 * (g->x[i] + last_x);
		last_x = g->x[i];
	}
	guess->deepest = inner_x / n_inner;
	guess->push = inner / n_inner - guess->baseline;
	guess->pull = fmax(guess->baseline - low, 0);
	return n >= FEWEST && guess->push > 0 && isfinite(guess->push) && guess->push > 1e-9 * fabs(guess->baseline);
}

bool hs_contact_line(const struct hs_grid *g, const double *y, const double *weight, double direction, double power,
	double floor, const struct hs_contact_guess *guess, double *contact, double *factor)
{
	const double top = guess->push + guess->baseline - floor, least = fmax(0.05 * top, 3 * guess->noise + guess->baseline - floor);
	double n = 0, mean_x = 0, mean_r = 0, sxx = 0, sxr = 0;
	for (size_t e = g->n; e-- > 0;) {
		const size_t i = inwards(g, direction, e);
		if (!counts(y, weight, i))
			continue;
		if (!(y[i] - floor > least))
			break;
		const double r = pow((y[i] - floor) / top, 1 / power), x = direction * (g->x[i] - guess->deepest), dx = x - mean_x;
		n++;
		mean_x += dx / n;
		sxr += dx * (r - mean_r) * (n - 1) / n;
		sxx += dx * (x - mean_x);
		mean_r += (r - mean_r) / n;
	}
	const double slope = sxr / sxx;
	if (n < 2 || !(slope > 0) || !isfinite(slope))
		return false;
	*contact = guess->deepest + (mean_x - mean_r / slope) / direction;
	*factor = top * pow(slope, power);
	return isfinite(*factor) && isfinite(*contact);
}
