#include "math/project.h"

#include <math.h>
#include <stdbool.h>

static bool usable(const double *re, const double *im, size_t i)
{
	return isfinite(re[i]) && isfinite(im[i]);
}

/* Angle of the first principal axis: half that of the sum of squares of complex deviations from the mean. */
static double axis_of(const double *re, const double *im, size_t n)
{
	double size = 0, count = 0, mean_re = 0, mean_im = 0, square_re = 0, square_im = 0;
	for (size_t i = 0; i < n; i++)
		if (usable(re, im, i)) {
			size = fmax(size, fmax(fabs(re[i]), fabs(im[i])));
			count++;
		}
	if (!count)
		return NAN;
	if (!(size > 0))
		return 0;
	for (size_t i = 0; i < n; i++)
		if (usable(re, im, i)) {
			mean_re += re[i] / size / count;
			mean_im += im[i] / size / count;
		}
	for (size_t i = 0; i < n; i++)
		if (usable(re, im, i)) {
			const double a = re[i] / size - mean_re, b = im[i] / size - mean_im;
			square_re += (a - b) * (a + b);
			square_im += 2 * a * b;
		}
	return 0.5 * atan2(square_im, square_re);
}

/* Twice the area that a closed sweep goes round, positive when it falls above where it rose; in units of the largest value. */
static double area_of(const double *x, const double *y, size_t n, double size)
{
	double area = 0;
	size_t first = n, last = n;
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(y[i]))
			continue;
		if (last < n)
			area -= (y[i] / size + y[last] / size) * (x[i] - x[last]);
		first = first < n ? first : i;
		last = i;
	}
	return last < n ? area - (y[first] / size + y[last] / size) * (x[first] - x[last]) : 0;
}

double hs_project_sweep(const double *re, const double *im, const double *x, size_t n, double *out)
{
	const double angle = axis_of(re, im, n), c = cos(angle), s = sin(angle);
	double farthest = 0, way = 0;
	for (size_t i = 0; i < n; i++) {
		out[i] = usable(re, im, i) ? c * re[i] + s * im[i] : NAN;
		farthest = fabs(out[i]) > fabs(farthest) ? out[i] : farthest;
		way += i ? fabs(x[i] - x[i - 1]) : 0;
	}
	const double area = farthest != 0 ? area_of(x, out, n, fabs(farthest)) : 0,
		     direction = fabs(area) > 1e-12 * way ? area : farthest;
	if (!(direction < 0))
		return angle;
	for (size_t i = 0; i < n; i++)
		out[i] = -out[i];
	return angle > 0 ? angle - M_PI : angle + M_PI;
}
