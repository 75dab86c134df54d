/* test_faddeeva - the Faddeeva function where its values are known. With an argument it is one side of tests/oracle/fit.py: reads
 * pairs x y from standard input and prints w and w' of each x + i y. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "physics/faddeeva.h"
#include "tap.h"

static int serve(void)
{
	double x, y;
	while (scanf("%lf %lf", &x, &y) == 2) {
		double complex slope;
		const double complex w = hs_faddeeva(CMPLX(x, y), &slope);
		printf("%.17g %.17g %.17g %.17g\n", creal(w), cimag(w), creal(slope), cimag(slope));
	}
	return 0;
}

/* On the imaginary axis w(iy) = exp(y^2) erfc(y), on the real one Re w = exp(-x^2). */
static void axes(void)
{
	double up = 0, along = 0;
	for (double t = 0; t < 5; t += 0.0317) {
		up = fmax(up, fabs(creal(hs_faddeeva(CMPLX(0, t), NULL)) / (exp(t * t) * erfc(t)) - 1));
		along = fmax(along, fabs(creal(hs_faddeeva(CMPLX(t, 0), NULL)) - exp(-t * t)));
	}
	tap_ok(up < 2e-14, "up the imaginary axis to %.1e", up);
	tap_ok(along < 2e-15, "along the real axis to %.1e", along);
}

/* One rule takes over from another at half the distance of the nodes, on the diagonal and at |z| = 10. */
static void seams(void)
{
	double jump = 0;
	for (int i = 1; i < 60; i++)
		for (int j = 0; j < 24; j++) {
			const double x = 0.51166335397324428 * 0.25 * i, y = j < 12 ? pow(10, j - 11) : 0.5 * (j - 11), d = 1e-9;
			double complex s;
			const double complex a = hs_faddeeva(CMPLX(x - d, y), NULL), b = hs_faddeeva(CMPLX(x + d, y), NULL),
					     m = hs_faddeeva(CMPLX(x, y), &s);
			jump = fmax(jump, cabs(b - a - 2 * d * s) / cabs(m));
		}
	for (double t = 0; t < M_PI_2; t += 0.01) {
		const double complex z = 10 * CMPLX(cos(t), sin(t)), step = 1e-9 * z;
		double complex s;
		hs_faddeeva(z, &s);
		const double complex a = hs_faddeeva(z - step, NULL), b = hs_faddeeva(z + step, NULL);
		jump = fmax(jump, cabs(b - a - 2 * step * s) / cabs(b));
	}
	tap_ok(jump < 2e-14, "no seam between the rules, to %.1e", jump);
}

static void edges(void)
{
	double complex s;
	tap_ok(hs_faddeeva(0, &s) == 1 && fabs(cimag(s) - 1.1283791670955126) < 1e-15, "w(0) = 1");
	const double complex far = hs_faddeeva(CMPLX(1e200, 1e200), &s);
	tap_ok(fabs(creal(far) * 1e200 / 0.28209479177387814 - 1) < 1e-14 && isfinite(creal(s)), "far away i / (sqrt(pi) z)");
	tap_ok(hs_faddeeva(CMPLX(DBL_MAX, 1e-300), NULL) == hs_faddeeva(CMPLX(DBL_MAX, 1e-300), NULL), "the largest number has a value");
	tap_ok(isnan(creal(hs_faddeeva(CMPLX(1, -1), &s))) && isnan(creal(s)) && isnan(creal(hs_faddeeva(CMPLX(NAN, 1), NULL))),
		"below the axis, or from NaN, comes NaN");
	const double complex left = hs_faddeeva(CMPLX(-1.3, 0.4), NULL), right = hs_faddeeva(CMPLX(1.3, 0.4), NULL);
	tap_ok(left == conj(right), "mirrored");
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return serve();
	axes();
	seams();
	edges();
	return tap_done();
}
