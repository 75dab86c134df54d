/* How it works. A branch switches at a bias v0 between 0 and 1, with a width of its own on either side:
 *	S(v) = (g erf((v - v0) / g) + low) / (low + high),  g = low for v < v0, high for v > v0,
 * which is 0 and 1 far away, and smooth: at v0 both sides have the slope 2 / sqrt(pi) / (low + high). g changes over a tenth of a
 * step of the axis, so that it has derivatives. The loop is offset + height S + slope v, S that of the branch.
 *
 * Which branch a point belongs to follows from the order of the sweep: the bias rose or fell on the way to it. */
#include <math.h>

#include "physics/model.h"

enum { OFFSET, HEIGHT, V_RISING, V_FALLING, SLOPE, RISING_LOW, RISING_HIGH, FALLING_LOW, FALLING_HIGH, N_PARAMS };

#define STEEP 10.0                    /* of the change of width: over the step of the axis */
#define FLAT 6.0                      /* erf is 1 beyond */
#define NUCLEATED 0.03                /* part of the height that has switched where it begins */

/* ------------------------------------------------------------------ a branch */

/* S and its derivatives by v0 and the two widths; that by v is -by_place. */
struct bend {
	double s, by_place, by_low, by_high;
};

static struct bend bend_at(double v, double place, double low, double high, double steep)
{
	const double u = v - place, t = u * steep, sum = low + high;
	double side = t < 0 ? -1 : 1, turn = 0;       /* erf(t), and d g / d u */
	if (fabs(t) < FLAT) {
		side = erf(t);
		turn = 0.5 * (high - low) * steep * M_2_SQRTPI * exp(-t * t);
	}
	const double g = low + 0.5 * (high - low) * (side + 1), z = u / g;
	double e = z < 0 ? -1 : 1, bell = 0;
	if (fabs(z) < FLAT) {
		e = erf(z);
		bell = M_2_SQRTPI * exp(-z * z);
	}
	const double by_g = e - z * bell, s = (g * e + low) / sum;
	return (struct bend){ .s = s, .by_place = -(bell + by_g * turn) / sum, .by_low = (by_g * 0.5 * (1 - side) + 1 - s) / sum,
		.by_high = (by_g * 0.5 * (1 + side) - s) / sum };
}

/* ------------------------------------------------------------------ the sweep */

static double step_of(const struct hs_grid *g)
{
	double way = 0;
	for (size_t i = 1; i < g->n; i++)
		way += fabs(g->x[i] - g->x[i - 1]);
	return way / (double)(g->n - 1);
}

static void range_of(const struct hs_grid *g, double *low, double *high)
{
	*low = INFINITY;
	*high = -INFINITY;
	for (size_t i = 0; i < g->n; i++) {
		*low = fmin(*low, g->x[i]);
		*high = fmax(*high, g->x[i]);
	}
}

/* Did the bias rise on the way to point i? At the start: on the way from it. Where it stands still, as before. */
static bool rises(const struct hs_grid *g, size_t i, bool before)
{
	if (i)
		return g->x[i] == g->x[i - 1] ? before : g->x[i] > g->x[i - 1];
	for (size_t k = 1; k < g->n; k++)
		if (g->x[k] != g->x[0])
			return g->x[k] > g->x[0];
	return true;
}

static bool eval(const struct hs_grid *g, const double *p, double *y, double *dy)
{
	const double steep = STEEP / step_of(g);
	const size_t n = g->n;
	bool up = true;
	if (n < 2 || !(p[RISING_LOW] > 0 && p[RISING_HIGH] > 0 && p[FALLING_LOW] > 0 && p[FALLING_HIGH] > 0))
		return false;
	for (size_t i = 0; i < n; i++) {
		const double v = g->x[i];
		up = rises(g, i, up);
		const struct bend b = up ? bend_at(v, p[V_RISING], p[RISING_LOW], p[RISING_HIGH], steep) :
			bend_at(v, p[V_FALLING], p[FALLING_LOW], p[FALLING_HIGH], steep);
		y[i] = p[OFFSET] + p[HEIGHT] * b.s + p[SLOPE] * v;
		if (!dy)
			continue;
		for (size_t j = 0; j < N_PARAMS; j++)
			dy[j * n + i] = 0;
		dy[OFFSET * n + i] = 1;
		dy[HEIGHT * n + i] = b.s;
		dy[SLOPE * n + i] = v;
		dy[(up ? V_RISING : V_FALLING) * n + i] = p[HEIGHT] * b.by_place;
		dy[(up ? RISING_LOW : FALLING_LOW) * n + i] = p[HEIGHT] * b.by_low;
		dy[(up ? RISING_HIGH : FALLING_HIGH) * n + i] = p[HEIGHT] * b.by_high;
	}
	return true;
}

/* Switching outside of the sweep was not seen; widths of less than half a step or more than the sweep cannot be told. */
static void limits(const struct hs_grid *g, double *low, double *high)
{
	double from, to;
	range_of(g, &from, &to);
	low[V_RISING] = low[V_FALLING] = from;
	high[V_RISING] = high[V_FALLING] = to;
	for (size_t j = RISING_LOW; j <= FALLING_HIGH; j++) {
		low[j] = 0.5 * step_of(g);
		high[j] = to - from;
	}
}

/* ------------------------------------------------------------------ the start */

/* Places and widths of a branch that are tried, and what sums over the points of the branch say of each. */
enum { PLACES = 11, WIDTHS = 2, TRIALS = PLACES * WIDTHS };

struct trial {
	double place, width;
	double s, ss, sv, sy;         /* sums of w S, w S^2, w S v, w S y */
};

/* What stays the same: sums of w times 1, v, v^2, y, v y. */
struct whole {
	double one, v, vv, y, vy;
};

/* Range of the values that count, and of the axis; false when the loop is flat, or the sweep does not turn. */
struct span {
	double low, high, from, to;
};

static bool span_of(const struct hs_grid *g, const double *y, const double *weight, struct span *s)
{
	size_t n[2] = { 0 };
	bool up = true;
	*s = (struct span){ INFINITY, -INFINITY, INFINITY, -INFINITY };
	for (size_t i = 0; i < g->n; i++) {
		up = rises(g, i, up);
		if (weight && !(weight[i] > 0))
			continue;
		n[up]++;
		s->low = fmin(s->low, y[i]);
		s->high = fmax(s->high, y[i]);
	}
	range_of(g, &s->from, &s->to);
	return n[0] > 1 && n[1] > 1 && s->low < s->high && s->high - s->low > 0x1p-500 && s->high - s->low < 0x1p500;
}

static void try_all(const struct hs_grid *g, const double *y, const double *weight, const struct span *span, struct whole *whole,
	struct trial trial[2][TRIALS])
{
	static const double width[WIDTHS] = { 1. / 32, 1. / 8 };
	const double range = span->to - span->from, middle = 0.5 * (span->from + span->to), unit = 1 / (span->high - span->low);
	bool up = true;
	for (size_t k = 0; k < 2 * TRIALS; k++)
		trial[k / TRIALS][k % TRIALS] = (struct trial){ .place = span->from + range * ((double)(k % PLACES) + 0.5) / PLACES,
			.width = range * width[k % TRIALS / PLACES] };
	*whole = (struct whole){ 0 };
	for (size_t i = 0; i < g->n; i++) {
		up = rises(g, i, up);
		const double w = weight ? weight[i] : 1, v = g->x[i] - middle, value = (y[i] - span->low) * unit;
		if (!(w > 0))
			continue;
		whole->one += w;
		whole->v += w * v;
		whole->vv += w * v * v;
		whole->y += w * value;
		whole->vy += w * v * value;
		for (size_t k = 0; k < TRIALS; k++) {
			struct trial *t = &trial[up][k];
			const double z = (g->x[i] - t->place) / t->width, s = fabs(z) < FLAT ? 0.5 + 0.5 * erf(z) : z > 0;
			t->s += w * s;
			t->ss += w * s * s;
			t->sv += w * s * v;
			t->sy += w * s * value;
		}
	}
}

/* How much of the squares two branches explain beyond a straight line; *height: that of the loop, of a unit range. */
static double explained(const struct whole *a, const struct trial *rising, const struct trial *falling, double *height)
{
	const double s = rising->s + falling->s, sv = rising->sv + falling->sv, det = a->one * a->vv - a->v * a->v,
		     by_one = (a->vv * s - a->v * sv) / det, by_v = (a->one * sv - a->v * s) / det,
		     ss = rising->ss + falling->ss, left = ss - by_one * s - by_v * sv,
		     sy = rising->sy + falling->sy - by_one * a->y - by_v * a->vy;
	if (!(left > 1e-9 * ss))
		return -1;
	*height = sy / left;
	return sy * sy / left;
}

/* All pairs of places and widths; for each, height, offset and slope follow from sums by least squares. */
static bool guess(const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct trial trial[2][TRIALS];
	struct whole whole;
	struct span span;
	double best = 0, height = 0;
	if (g->n < 2 || !span_of(g, y, weight, &span))
		return false;
	try_all(g, y, weight, &span, &whole, trial);
	for (size_t i = 0; i < TRIALS * TRIALS; i++) {
		const struct trial *rising = &trial[true][i / TRIALS], *falling = &trial[false][i % TRIALS];
		double tall = 0;
		const double gain = explained(&whole, rising, falling, &tall);
		if (!(gain > best))
			continue;
		best = gain;
		height = tall;
		p[V_RISING] = rising->place;
		p[V_FALLING] = falling->place;
		p[RISING_LOW] = p[RISING_HIGH] = rising->width;
		p[FALLING_LOW] = p[FALLING_HIGH] = falling->width;
	}
	p[HEIGHT] = height * (span.high - span.low);
	p[OFFSET] = span.low;                 /* these two are solved for by whoever adds up models */
	p[SLOPE] = 0;
	return best > 0;
}

/* ------------------------------------------------------------------ what is derived */

/* The inverse of erf: a start of Winitzki's (2008) formula, then Newton's steps. */
static double inverse_erf(double y)
{
	const double a = 0.147, l = log((1 - y) * (1 + y)), b = M_2_PI / a + 0.5 * l;
	double x = copysign(sqrt(fmax(sqrt(b * b - l / a) - b, 0)), y);
	for (int i = 0; i < 4; i++)
		x -= (erf(x) - y) / (M_2_SQRTPI * exp(-x * x));
	return x;
}

/* The bias where a branch has reached S = part, and its derivatives by place and widths. */
static double reached(double part, double place, double low, double high, double *by_low, double *by_high)
{
	const double sum = low + high, over = part * sum - low, g = over < 0 ? low : high, z = inverse_erf(over / g);
	/* S = (g erf(u / g) + low) / sum stands still while u follows the widths */
	const double bell = M_2_SQRTPI * exp(-z * z), by_g = over / g - z * bell;
	*by_low = -((over < 0 ? by_g : 0) + 1 - part) / bell;
	*by_high = -((over < 0 ? 0 : by_g) - part) / bell;
	return place + z * g;
}

enum { POSITIVE, NEGATIVE, IMPRINT, REMANENT_POSITIVE, REMANENT_NEGATIVE, SWITCHABLE, WORK, NUCLEATION_POSITIVE,
	NUCLEATION_NEGATIVE, N_DERIVED };

/* Where the branches have switched by a part, into rows `rising` and `falling`. */
static void switched(const double *q, double part_rising, double part_falling, size_t rising, size_t falling, double *d,
	double *dd)
{
	d[rising] = reached(part_rising, q[V_RISING], q[RISING_LOW], q[RISING_HIGH], &dd[rising * N_PARAMS + RISING_LOW],
		&dd[rising * N_PARAMS + RISING_HIGH]);
	d[falling] = reached(part_falling, q[V_FALLING], q[FALLING_LOW], q[FALLING_HIGH], &dd[falling * N_PARAMS + FALLING_LOW],
		&dd[falling * N_PARAMS + FALLING_HIGH]);
	dd[rising * N_PARAMS + V_RISING] = dd[falling * N_PARAMS + V_FALLING] = 1;
}

static void derive(const struct hs_grid *g, const double *q, double *d, double *dd)
{
	const double steep = STEEP / step_of(g), height = q[HEIGHT], per_root_pi = 0.5 * M_2_SQRTPI;
	for (size_t i = 0; i < N_DERIVED * N_PARAMS; i++)
		dd[i] = 0;
	switched(q, 0.5, 0.5, POSITIVE, NEGATIVE, d, dd);
	switched(q, NUCLEATED, 1 - NUCLEATED, NUCLEATION_POSITIVE, NUCLEATION_NEGATIVE, d, dd);
	d[IMPRINT] = 0.5 * (d[POSITIVE] + d[NEGATIVE]);

	const struct bend rising = bend_at(0, q[V_RISING], q[RISING_LOW], q[RISING_HIGH], steep),
			  falling = bend_at(0, q[V_FALLING], q[FALLING_LOW], q[FALLING_HIGH], steep);
	double *up = dd + REMANENT_POSITIVE * N_PARAMS, *down = dd + REMANENT_NEGATIVE * N_PARAMS, *work = dd + WORK * N_PARAMS;
	d[REMANENT_POSITIVE] = q[OFFSET] + height * falling.s;
	up[OFFSET] = 1;
	up[HEIGHT] = falling.s;
	up[V_FALLING] = height * falling.by_place;
	up[FALLING_LOW] = height * falling.by_low;
	up[FALLING_HIGH] = height * falling.by_high;
	d[REMANENT_NEGATIVE] = q[OFFSET] + height * rising.s;
	down[OFFSET] = 1;
	down[HEIGHT] = rising.s;
	down[V_RISING] = height * rising.by_place;
	down[RISING_LOW] = height * rising.by_low;
	down[RISING_HIGH] = height * rising.by_high;
	d[SWITCHABLE] = d[REMANENT_POSITIVE] - d[REMANENT_NEGATIVE];

	/* the integral of S less a step at v0 is (low - high) / sqrt(pi) */
	const double between = q[V_RISING] - q[V_FALLING] +
		per_root_pi * (q[RISING_HIGH] - q[RISING_LOW] - q[FALLING_HIGH] + q[FALLING_LOW]);
	d[WORK] = height * between;
	work[HEIGHT] = between;
	work[V_RISING] = height;
	work[V_FALLING] = -height;
	work[RISING_HIGH] = work[FALLING_LOW] = height * per_root_pi;
	work[RISING_LOW] = work[FALLING_HIGH] = -height * per_root_pi;
	for (size_t j = 0; j < N_PARAMS; j++) {
		dd[IMPRINT * N_PARAMS + j] = 0.5 * (dd[POSITIVE * N_PARAMS + j] + dd[NEGATIVE * N_PARAMS + j]);
		dd[SWITCHABLE * N_PARAMS + j] = up[j] - down[j];
	}
}

#define FREE .low = -INFINITY, .high = INFINITY, .usual = NAN
#define WIDTH .unit_of = HS_OF_X, .low = 0, .high = INFINITY, .usual = NAN

static const struct hs_param_spec param[N_PARAMS] = {
	[OFFSET] = { .name = "offset", .what = "level before the rising branch has switched, at zero bias", .unit_of = HS_OF_Y,
		.linear = true, FREE },
	[HEIGHT] = { .name = "height", .what = "distance of the two levels", .unit_of = HS_OF_Y, .linear = true, FREE },
	[V_RISING] = { .name = "bias_rising", .what = "bias where the rising branch switches", .unit_of = HS_OF_X, FREE },
	[V_FALLING] = { .name = "bias_falling", .what = "bias where the falling branch switches", .unit_of = HS_OF_X, FREE },
	[SLOPE] = { .name = "slope", .what = "rise of both branches with the bias", .unit_of = HS_OF_SLOPE, .linear = true, FREE },
	[RISING_LOW] = { .name = "rising_low", .what = "width of the rising branch below its bias", WIDTH },
	[RISING_HIGH] = { .name = "rising_high", .what = "width of the rising branch above its bias", WIDTH },
	[FALLING_LOW] = { .name = "falling_low", .what = "width of the falling branch below its bias", WIDTH },
	[FALLING_HIGH] = { .name = "falling_high", .what = "width of the falling branch above its bias", WIDTH },
};

static const struct hs_derived_spec derived[N_DERIVED] = {
	[POSITIVE] = { .name = "coercive_positive", .what = "bias where the rising branch is half switched", .unit_of = HS_OF_X },
	[NEGATIVE] = { .name = "coercive_negative", .what = "bias where the falling branch is half switched", .unit_of = HS_OF_X },
	[IMPRINT] = { .name = "imprint", .what = "mean of the coercive biases", .unit_of = HS_OF_X },
	[REMANENT_POSITIVE] = { .name = "remanent_positive", .what = "falling branch at zero bias", .unit_of = HS_OF_Y },
	[REMANENT_NEGATIVE] = { .name = "remanent_negative", .what = "rising branch at zero bias", .unit_of = HS_OF_Y },
	[SWITCHABLE] = { .name = "switchable", .what = "switchable polarisation: difference of the remanent ones",
		.unit_of = HS_OF_Y },
	[WORK] = { .name = "work", .what = "work of switching: area between the branches", .unit_of = HS_OF_AREA },
	[NUCLEATION_POSITIVE] = { .name = "nucleation_positive", .what = "bias where 3 % of the rising branch have switched",
		.unit_of = HS_OF_X },
	[NUCLEATION_NEGATIVE] = { .name = "nucleation_negative", .what = "bias where 3 % of the falling branch have switched",
		.unit_of = HS_OF_X },
};

const struct hs_model hs_model_loop = { .name = "loop", .what = "a hysteresis loop of piezoresponse, over a bias up and down",
	.formula = "offset + height S(x) + slope x, S = (g erf((x - bias) / g) + low) / (low + high), g = low below and high above "
		   "the bias, for the rising and the falling branch",
	.source = "Jesse, Lee, Kalinin, Rev. Sci. Instrum. 77 (2006) 073702", .sweep = HS_BOTH_WAYS, .n_params = N_PARAMS,
	.param = param, .eval = eval, .guess = guess, .limits = limits, .n_derived = N_DERIVED, .derived = derived, .derive = derive };
