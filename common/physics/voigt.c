#include <math.h>

#include "physics/faddeeva.h"
#include "physics/guess.h"

/* With a Gaussian of standard deviation s and a Lorentzian of half width l, z = ((x - c) + i l) / (s sqrt 2), the profile is
 * height K(z) / K0, K = Re w(z), K0 = K(i l / (s sqrt 2)). Without a Gaussian z is infinite: then it is the Lorentzian, and its
 * derivative by the Gaussian width is zero. */
#define SIGMA_OF_WIDTH 0.42466090014400953    /* 1 / sqrt(8 ln 2) */
#define TWO_BY_ROOT_PI 1.12837916709551257390

enum { MOST_STEPS = 60 };

static void lorentzian(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double per = 2 / p[3];
	for (size_t i = 0; i < g->n; i++) {
		const double u = (g->x[i] - p[1]) * per, shape = 1 / (1 + u * u);
		y[i] = p[0] * shape;
		if (!dy)
			continue;
		dy[i] = shape;
		dy[g->n + i] = 2 * y[i] * shape * u * per;
		dy[2 * g->n + i] = 0;
		dy[3 * g->n + i] = y[i] * shape * u * u * per;
	}
}

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double height = p[0], centre = p[1], gauss = p[2], lorentz = p[3];
	if (!(gauss >= 0 && lorentz >= 0 && gauss + lorentz > 0))
		return false;
	if (gauss == 0) {
		lorentzian(g, p, y, dy);
		return true;
	}
	const double per = 1 / (M_SQRT2 * SIGMA_OF_WIDTH * gauss), eta = 0.5 * lorentz * per;
	double complex slope0, slope;
	const double top = creal(hs_faddeeva(CMPLX(0, eta), &slope0)), by_eta0 = -cimag(slope0);
	for (size_t i = 0; i < g->n; i++) {
		const double u = (g->x[i] - centre) * per, shape = creal(hs_faddeeva(CMPLX(u, eta), &slope)) / top,
			     by_u = creal(slope) / top, by_eta = (-cimag(slope) - shape * by_eta0) / top;
		y[i] = height * shape;
		if (!dy)
			continue;
		dy[i] = shape;
		dy[g->n + i] = -height * by_u * per;
		dy[2 * g->n + i] = -height * (u * by_u + eta * by_eta) / gauss;
		dy[3 * g->n + i] = height * by_eta * 0.5 * per;
	}
	return true;
}

/* Half and half: widths that give a profile as wide as the peak. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_peak_guess peak;
	if (!hs_guess_peak(g, y, weight, &peak))
		return false;
	p[0] = peak.height;
	p[1] = peak.centre;
	p[2] = 0.7 * peak.width;
	p[3] = 0.5 * peak.width;
	return true;
}

/* Where K has fallen to half of K0 for this eta, by Newton's method kept between bounds: K falls all the way. */
static double half_way(double eta, double half)
{
	double low = 0, high = 2 * (eta + 1), u = eta + 0.8;
	for (int i = 0; i < MOST_STEPS; i++) {
		double complex slope;
		const double off = creal(hs_faddeeva(CMPLX(u, eta), &slope)) - half;
		*(off > 0 ? &low : &high) = u;
		double next = u - off / creal(slope);
		if (!(next > low && next < high))
			next = 0.5 * (low + high);
		if (fabs(next - u) <= 1e-15 * u)
			break;
		u = next;
	}
	return u;
}

/* Area and full width at half maximum, both with their derivatives by the two widths. */
static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	(void)g;
	const double height = q[0], gauss = q[2], lorentz = q[3];
	for (int i = 0; i < 8; i++)
		dd[i] = 0;
	if (!(gauss > 0)) {
		d[0] = M_PI_2 * height * lorentz;
		dd[0] = M_PI_2 * lorentz;
		dd[3] = M_PI_2 * height;
		d[1] = lorentz;
		dd[7] = 1;
		return;
	}
	const double per = 1 / (M_SQRT2 * SIGMA_OF_WIDTH * gauss), eta = 0.5 * lorentz * per;
	double complex slope0, slope;
	const double top = creal(hs_faddeeva(CMPLX(0, eta), &slope0)), by_eta0 = -cimag(slope0),
		shape = 2 / (TWO_BY_ROOT_PI * per * top);
	d[0] = height * shape;
	dd[0] = shape;
	/* area = height sqrt(pi) / (per K0), per ~ 1 / gauss, eta ~ lorentz / gauss */
	dd[2] = d[0] / gauss * (1 + eta * by_eta0 / top);
	dd[3] = -d[0] * by_eta0 / top * 0.5 * per;
	const double u = half_way(eta, 0.5 * top);
	hs_faddeeva(CMPLX(u, eta), &slope);
	const double u_by_eta = (0.5 * by_eta0 + cimag(slope)) / creal(slope);
	d[1] = 2 * u / per;
	dd[6] = 2 / per / gauss * (u - u_by_eta * eta);
	dd[7] = u_by_eta;
}

static const struct hs_param_spec param[] = {
	{ .name = "height", .what = "value at the centre", .unit_of = HS_OF_Y, .low = -INFINITY, .high = INFINITY, .usual = NAN,
		.linear = true },
	{ .name = "centre", .what = "position", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "gauss_width", .what = "full width at half maximum of the Gaussian", .unit_of = HS_OF_X, .low = 0, .high = INFINITY,
		.usual = NAN },
	{ .name = "lorentz_width", .what = "full width at half maximum of the Lorentzian", .unit_of = HS_OF_X, .low = 0,
		.high = INFINITY, .usual = NAN },
};

static const struct hs_derived_spec derived[] = { { .name = "area", .what = "integral over the axis", .unit_of = HS_OF_AREA },
	{ .name = "width", .what = "full width at half maximum", .unit_of = HS_OF_X } };

const struct hs_model hs_model_voigt = { .name = "voigt", .what = "a Lorentzian peak convolved with a Gaussian",
	.formula = "height K(x - centre) / K(0), K(d) = Re w((d + i lorentz_width / 2) / (sqrt(2) s)), s = gauss_width / sqrt(8 ln 2)",
	.source = "Armstrong, J. Quant. Spectrosc. Radiat. Transfer 7 (1967) 61, eq. 3", .n_params = 4, .param = param, .eval = eval,
	.guess = guess, .n_derived = 2, .derived = derived, .derive = derive };
