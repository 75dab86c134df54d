/* How it works. With u = x / x_m, x_m the middle of the band, the response is the rational function
 *	F = (a + i b) / D,  D = u^2 - d - i c u,
 * which is fitted in (a, b, t, c); t is d on a scale that runs from -1 to 1 between the ends of the band, so that a resonance
 * outside of it ends on a bound. F D = a + i b is linear in the four: least squares with weights 1 / |D|^2 of the round before
 * (Sanathanan, Koerner) are a start from which a few steps remain. */
#include <math.h>
#include <string.h>

#include "math/lm.h"
#include "math/vector.h"
#include "physics/model.h"

enum { LANES = 4, ROUNDS = 3 };
#define LEAST_LOSS 1e-9                /* of frequency over quality factor, in units of the middle of the band */

enum { RE, IM, PLACE, LOSS };         /* internal parameters: a, b, t, c */
enum { AMPLITUDE, FREQUENCY, QUALITY, PHASE };

/* Of the axis: 1 / x_m, and d = middle + half t. */
struct band {
	double by, middle, half;
};

static struct band band_of(const struct hs_grid *g)
{
	const double first = fabs(g->x[0]), last = fabs(g->x[g->n - 1]), low = fmin(first, last), high = fmax(first, last),
		     by = 2 / (low + high), from = low * low * by * by, to = high * high * by * by;
	return (struct band){ by, 0.5 * (to + from), 0.5 * (to - from) };
}

/* The loop over points has no branch and no sum, so that it runs on vectors. */
HS_WIDE static void respond(const double *restrict x, size_t n, const double *restrict p, const struct band *band,
	double *restrict y)
{
	const double a = p[RE], b = p[IM], d = band->middle + band->half * p[PLACE], c = p[LOSS], by = band->by;
#pragma omp simd
	for (size_t i = 0; i < n; i++) {
		const double u = x[i] * by, dr = u * u - d, di = -c * u, q = 1 / (dr * dr + di * di), ir = dr * q, ii = -di * q;
		y[i] = a * ir - b * ii;
		y[n + i] = a * ii + b * ir;
	}
}

HS_WIDE static void respond_with_derivatives(const double *restrict x, size_t n, const double *restrict p,
	const struct band *band, double *restrict y, double *restrict dy)
{
	const double a = p[RE], b = p[IM], half = band->half, d = band->middle + half * p[PLACE], c = p[LOSS], by = band->by;
	double *restrict da = dy, *restrict db = dy + 2 * n, *restrict dt = dy + 4 * n, *restrict dc = dy + 6 * n;
#pragma omp simd
	for (size_t i = 0; i < n; i++) {
		const double u = x[i] * by, dr = u * u - d, di = -c * u, q = 1 / (dr * dr + di * di), ir = dr * q, ii = -di * q,
			     fr = a * ir - b * ii, fi = a * ii + b * ir, er = fr * ir - fi * ii, ei = fr * ii + fi * ir;
		y[i] = fr;
		y[n + i] = fi;
		da[i] = ir;                   /* 1 / D */
		da[n + i] = ii;
		db[i] = -ii;                  /* i / D */
		db[n + i] = ir;
		dt[i] = half * er;            /* F / D */
		dt[n + i] = half * ei;
		dc[i] = -u * ei;              /* i u F / D */
		dc[n + i] = u * er;
	}
}

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const struct band band = band_of(g);
	if (!(band.half > 0) || !(p[LOSS] >= 0))
		return false;
	if (dy)
		respond_with_derivatives(g->x, g->n, p, &band, y, dy);
	else
		respond(g->x, g->n, p, &band, y);
	return true;
}

/* ------------------------------------------------------------------ the start */

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
#define LOAD(x) ({ lanes v_; memcpy(&v_, (x), sizeof v_); v_; })

/* What the linear equations are made of: sums of w times 1, r, u i, i, u r, |F|^2, u^2 |F|^2, and u^2 times r, i, |F|^2. */
enum { S_1, S_R, S_UI, S_I, S_UR, S_FF, S_UUFF, S_UUR, S_UUI, N_SUMS };

/* One term of each sum, on numbers or on vectors of them. S_UUFF is both the square of the last unknown's row and the right side
 * of the third: u^2 |F|^2. */
#define TERMS(u, r, m, w, s)                                                        \
	do {                                                                        \
		const __typeof__(w) wr_ = (w) * (r), wm_ = (w) * (m), uu_ = (u) * (u), ff_ = wr_ * (r) + wm_ * (m); \
		(s)[S_1] += (w);                                                    \
		(s)[S_R] += wr_;                                                    \
		(s)[S_UI] += (u) * wm_;                                             \
		(s)[S_I] += wm_;                                                    \
		(s)[S_UR] += (u) * wr_;                                             \
		(s)[S_FF] += ff_;                                                   \
		(s)[S_UUFF] += uu_ * ff_;                                           \
		(s)[S_UUR] += uu_ * wr_;                                            \
		(s)[S_UUI] += uu_ * wm_;                                            \
	} while (0)

/* Over all points, values times `scale`. weight: of the real parts, or NULL. d < 0: no weights 1 / |D|^2 yet. */
HS_WIDE static void add_up(const struct hs_grid *g, const double *y, const double *weight, double by, double scale, double d,
	double c, double *sum)
{
	const size_t n = g->n;
	lanes s[N_SUMS] = { 0 };
	double rest[N_SUMS] = { 0 };
	size_t i = 0;
	for (; !weight && i + LANES <= n; i += LANES) {
		const lanes u = LOAD(g->x + i) * by, dr = u * u - d, di = c * u, r = LOAD(y + i) * scale, m = LOAD(y + n + i) * scale;
		const lanes w = d < 0 ? (lanes){ 1, 1, 1, 1 } : 1 / (dr * dr + di * di);
		TERMS(u, r, m, w, s);
	}
	for (; i < n; i++) {
		const double u = g->x[i] * by, dr = u * u - d, di = c * u;
		const double given = weight ? weight[i] : 1;
		if (!(given > 0))
			continue;
		const double w = d < 0 ? given : given / (dr * dr + di * di), r = y[i] * scale, m = y[n + i] * scale;
		TERMS(u, r, m, w, rest);
	}
	for (size_t k = 0; k < N_SUMS; k++)
		sum[k] = ((s[k][0] + s[k][2]) + (s[k][1] + s[k][3])) + rest[k];
}

/* The four unknowns (a, b, d, c) of one round. */
static bool solve_round(const double *s, double *p)
{
	double h[16] = { 0 };
	h[0] = h[5] = s[S_1];
	h[8] = s[S_R];
	h[9] = s[S_I];
	h[10] = s[S_FF];
	h[12] = -s[S_UI];
	h[13] = s[S_UR];
	h[15] = s[S_UUFF];
	p[0] = s[S_UUR];
	p[1] = s[S_UUI];
	p[2] = s[S_UUFF];
	p[3] = 0;                             /* u^2 (r (-u i) + i (u r)) */
	return hs_lm_solve(h, 4, p);
}

/* Largest magnitude; false when the spectrum is constant. */
static bool size_of(const struct hs_grid *g, const double *y, const double *weight, double *size)
{
	const size_t n = g->n;
	size_t first = SIZE_MAX;
	bool constant = true;
	*size = 0;
	for (size_t i = 0; i < n; i++) {
		if (weight && !(weight[i] > 0))
			continue;
		first = first == SIZE_MAX ? i : first;
		constant &= y[i] == y[first] && y[n + i] == y[n + first];
		const double most = fabs(y[i]) > fabs(y[n + i]) ? fabs(y[i]) : fabs(y[n + i]);
		*size = most > *size ? most : *size;
	}
	return !constant && *size > 0x1p-500 && *size < 0x1p500;      /* beyond, squares leave float64 */
}

static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	const struct band band = band_of(g);
	double size, sum[N_SUMS], d = -1, c = 0;
	if (!(band.half > 0) || !size_of(g, y, weight, &size))
		return false;
	for (int round = 0; round < ROUNDS; round++) {
		double q[4];
		add_up(g, y, weight, band.by, 1 / size, d, c, sum);
		if (!solve_round(sum, q) || !isfinite(q[2]) || !isfinite(q[3]))
			break;
		memcpy(p, q, sizeof q);
		c = q[3];
		d = fmax(q[2], 0);
		if (!(fabs(c) > LEAST_LOSS))
			break;                /* without loss |D| has a zero, and the weights a pole */
	}
	if (d < 0)
		return false;
	/* noise may make the loss negative, or put the resonance outside: begin at the nearest place that makes sense */
	p[RE] *= size;
	p[IM] *= size;
	p[PLACE] = fmin(fmax((d - band.middle) / band.half, -0.99), 0.99);
	p[LOSS] = fmax(fabs(c), 1e-3 * band.half);
	return true;
}

/* ------------------------------------------------------------------ what is reported */

static void physical(const struct hs_grid *g, const double *p, double *q, double *dq)
{
	const struct band band = band_of(g);
	const double d = band.middle + band.half * p[PLACE], root = sqrt(d), size = hypot(p[RE], p[IM]);
	q[AMPLITUDE] = size / d;
	q[FREQUENCY] = root / band.by;
	q[QUALITY] = root / p[LOSS];
	q[PHASE] = atan2(p[IM], p[RE]);
	if (!dq)
		return;
	memset(dq, 0, 16 * sizeof *dq);
	dq[4 * AMPLITUDE + RE] = p[RE] / (size * d);
	dq[4 * AMPLITUDE + IM] = p[IM] / (size * d);
	dq[4 * AMPLITUDE + PLACE] = -band.half * size / (d * d);
	dq[4 * FREQUENCY + PLACE] = band.half / (2 * root * band.by);
	dq[4 * QUALITY + PLACE] = band.half / (2 * root * p[LOSS]);
	dq[4 * QUALITY + LOSS] = -root / (p[LOSS] * p[LOSS]);
	dq[4 * PHASE + RE] = -(p[IM] / size) / size;
	dq[4 * PHASE + IM] = p[RE] / size / size;
}

static void internal(const struct hs_grid *g, const double *q, double *p)
{
	const struct band band = band_of(g);
	const double root = q[FREQUENCY] * band.by, d = root * root, size = q[AMPLITUDE] * d;
	p[RE] = size * cos(q[PHASE]);
	p[IM] = size * sin(q[PHASE]);
	p[PLACE] = (d - band.middle) / band.half;
	p[LOSS] = root / q[QUALITY];
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	(void)g;
	const double c = cos(q[PHASE]), s = sin(q[PHASE]);
	memset(dd, 0, 8 * sizeof *dd);
	d[0] = q[AMPLITUDE] * c;
	d[1] = q[AMPLITUDE] * s;
	dd[AMPLITUDE] = c;
	dd[PHASE] = -d[1];
	dd[4 + AMPLITUDE] = s;
	dd[4 + PHASE] = d[0];
}

/* Bounds are those of the internal parameters. */
static const struct hs_param_spec param[] = {
	{ .name = "amplitude", .what = "static amplitude, the response on resonance over the quality factor", .unit_of = HS_OF_Y,
		.low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "frequency", .what = "resonance frequency", .unit_of = HS_OF_X, .low = -INFINITY, .high = INFINITY, .usual = NAN },
	{ .name = "quality", .what = "quality factor", .unit_of = HS_OF_NONE, .low = -1, .high = 1, .usual = NAN },
	{ .name = "phase", .what = "phase of the drive", .unit_of = HS_OF_RADIAN, .low = LEAST_LOSS, .high = INFINITY, .usual = NAN },
};

static const struct hs_derived_spec derived[] = {
	{ .name = "in_phase", .what = "amplitude times the cosine of the phase", .unit_of = HS_OF_Y },
	{ .name = "quadrature", .what = "amplitude times the sine of the phase", .unit_of = HS_OF_Y },
};

const struct hs_model hs_model_sho = { .name = "sho", .what = "the complex response of a damped resonator, band excitation",
	.formula = "amplitude exp(i phase) frequency^2 / (x^2 - i x frequency / quality - frequency^2)",
	.source = "Jesse, Kalinin, Proksch, Baddorf, Rodriguez, Nanotechnology 18 (2007) 435503; start: Sanathanan, Koerner, "
		  "IEEE Trans. Autom. Control 8 (1963) 56",
	.is_complex = true, .n_params = 4, .param = param, .eval = eval, .guess = guess, .physical = physical, .internal = internal,
	.n_derived = 2, .derived = derived, .derive = derive };
