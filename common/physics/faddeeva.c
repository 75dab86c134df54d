#include "physics/faddeeva.h"

#include <math.h>

/* Nodes of either rule and their distance sqrt(pi / (N + 1)): the error of N = 11 is below 1e-15 everywhere. */
enum { NODES = 11, TERMS = 13 };
#define STEP 0.511663353973244244

#define FAR 100.0                     /* |z|^2 from where the series is used */
#define TWO_BY_ROOT_PI 1.12837916709551257390

/* exp(-t^2) at t = k STEP and at t = (k + 1/2) STEP */
static const double at_node[NODES + 1] = { 1, 0.769665412493239808, 0.350919807178410968, 0.0947802248421548528,
	0.01516461986454657,
	0.00143730608040753177, 0.0000806995175703045992, 2.68408679309674335e-6, 5.28842211694415733e-8,
	6.17247886522430957e-10, 4.26773113545522469e-12, 1.74798794056550129e-14 };
static const double at_middle[NODES + 1] = { 0.936646021236595906, 0.554854910159853409, 0.194709578085290299,
	0.0404761446038057424,
	0.0049844231324685865, 0.00036360898638930447, 0.0000157129690178004798, 4.02240542156481385e-7, 6.09982491591215961e-9,
	5.47965023975752709e-11, 2.91603175517949939e-13, 9.19254152513437274e-16 };

/* i / sqrt(pi) times sum of (2m - 1)!! / 2^m z^-(2m + 1) */
static double complex far_away(double x, double y, double complex *slope)
{
	const double size = hypot(x, y), a = x / size / size, b = -y / size / size;     /* 1 / z */
	const double s = a * a - b * b, t = 2 * a * b;                                  /* 1 / z^2 */
	double re = 1, im = 0, dre = 2 * TERMS + 1, dim = 0;
	for (int m = TERMS; m > 0; m--) {
		const double c = m - 0.5, r = c * (s * re - t * im), dr = c * (s * dre - t * dim);
		im = c * (s * im + t * re);
		re = 1 + r;
		dim = c * (s * dim + t * dre);
		dre = 2 * m - 1 + dr;
	}
	const double v = a * re - b * im, u = a * im + b * re;                          /* times 1 / z */
	if (slope) {
		const double dv = s * dre - t * dim, du = s * dim + t * dre;
		*slope = CMPLX(du, -dv) * (0.5 * TWO_BY_ROOT_PI);
	}
	return CMPLX(-u, v) * (0.5 * TWO_BY_ROOT_PI);
}

/* 2 i z STEP / pi times the sum over nodes from `first` of weight / (z^2 - t^2), t = (k + shift) STEP: both parts without
 * differences of like numbers. */
static double complex rule(double x, double y, const double *weight, int first, double shift)
{
	const double size = x * x + y * y, d = (x - y) * (x + y), cross = 4 * x * x * y * y;
	double re = 0, im = 0;
	for (int k = first; k <= NODES; k++) {
		const double t = (k + shift) * STEP, t2 = t * t, e = d - t2, v = weight[k] / (e * e + cross);
		re += v * (size + t2);
		im += v * (size - t2);
	}
	return CMPLX(re * y, im * x) * (2 * STEP / M_PI);
}

static double complex near_by(double x, double y)
{
	const double complex z = CMPLX(x, y);
	const double where = x / STEP - floor(x / STEP);
	if (y >= fmax(x, M_PI / STEP))
		return rule(x, y, at_middle, 0, 0.5);
	/* of the two rules the one whose nodes are away from z, and what its poles leave out; exp(-2 pi i z / STEP) */
	const double grow = exp(2 * M_PI * y / STEP), turn = -2 * M_PI * x / STEP;
	const double complex wave = CMPLX(grow * cos(turn), grow * sin(turn)), bell = 2 * cexp(-z * z);
	if (y < x && where >= 0.25 && where <= 0.75)
		return bell / (1 - wave) + CMPLX(y, x) * (STEP / M_PI / (x * x + y * y)) + rule(x, y, at_node, 1, 0);
	return bell / (1 + wave) + rule(x, y, at_middle, 0, 0.5);
}

double complex hs_faddeeva(double complex z, double complex *slope)
{
	const double x = fabs(creal(z)), y = cimag(z);
	if (!(y >= 0) || isnan(x)) {
		if (slope)
			*slope = CMPLX(NAN, NAN);
		return CMPLX(NAN, NAN);
	}
	double complex w, d;
	if (x > 10 || y > 10 || x * x + y * y >= FAR) {
		w = far_away(x, y, &d);
	} else {
		w = near_by(x, y);
		d = -2 * CMPLX(x, y) * w + CMPLX(0, TWO_BY_ROOT_PI);
	}
	if (creal(z) < 0) {           /* w(-conj z) = conj w(z) */
		w = conj(w);
		d = -conj(d);
	}
	if (slope)
		*slope = d;
	return w;
}
