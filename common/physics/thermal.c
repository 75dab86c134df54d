/* How it works. The integral is a sum over nodes z_k with weights that are the same for every point: plane_i = Re sum_k w_k
 * F(E_i + z_k). When the axis has equal steps, nodes are put on the lattice of its points or of fractions of them, and F is
 * evaluated once for each place of the lattice; else for each pair of point and node. Either way the sum runs over nodes outside
 * and over points inside, in one order. Points are taken in chunks, so that the room does not depend on how many there are. */
#include "physics/thermal.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "math/vector.h"

/* in units of kT: the distance of nodes, and how far they go: both leave errors of 1e-13 */
#define SPACING 0.32
#define REACH 33.0
#define DEPTH M_PI_2
#define COLD 1e-3             /* kT below this part of the modulation is none */
#define ARC_STEP 0.05
#define ARC_END 3.2

enum { CHUNK = 256, MOST_PLACES = 32768 };   /* points at a time; places of a lattice for them, half of what is held */

struct weight { double re, im; };

struct node {
	double complex z;
	struct weight value, by_kt, by_modulation;
};

struct rule {
	size_t n;
	struct node *node;
	bool by_slope;                /* by_modulation goes with dF/dz, else with F */
	bool shared;                  /* on a lattice of the points: */
	size_t fraction, stride;      /* its places between two points, and between two nodes; one of them is 1 */
	double step;                  /* of the lattice, with sign */
	double depth;
};

/* ------------------------------------------------------------------ nodes */

/* s(v) = 1 / cosh^2(v / 2) and t(v) = tanh(v / 2), without overflow. */
static double complex bell(double complex v, double complex *t)
{
	const bool left = creal(v) < 0;
	const double complex e = cexp(left ? v : -v), d = 1 / (1 + e);
	*t = left ? (e - 1) * d : (1 - e) * d;
	return 4 * e * d * d;
}

/* Places and weights of int (2 / pi) sqrt(1 - s^2) f(s) ds by Gauss and Chebyshev; m for an f whose poles are pi / 2 below the
 * axis over `ratio` = modulation / kT. */
static size_t harmonic_points(double ratio)
{
	return ratio > 0 ? (size_t)ceil(16 / asinh(DEPTH / ratio)) + 2 : 1;
}

static void thermal_node(const struct hs_broadening *b, double h, size_t m, struct node *node)
{
	double complex value = 0, by_kt = 0, by_modulation = 0;
	for (size_t j = 1; j <= m; j++) {
		const double angle = M_PI * (double)j / (double)(m + 1), s = m > 1 ? cos(angle) : 0,
			     part = 2 * sin(angle) * sin(angle) / (double)(m + 1);
		const double complex v = (node->z - b->modulation * s) / b->kt;
		if (fabs(creal(v)) > REACH + 1)
			continue;
		double complex t;
		const double complex w = part * bell(v, &t);
		value += w;
		by_kt += w * (v * t - 1);
		by_modulation += w * t * s;
	}
	const double scale = h / (4 * b->kt);
	value *= scale;
	by_kt *= scale / b->kt;
	by_modulation *= scale / b->kt;
	node->value = (struct weight){ creal(value), cimag(value) };
	node->by_kt = (struct weight){ creal(by_kt), cimag(by_kt) };
	node->by_modulation = (struct weight){ creal(by_modulation), cimag(by_modulation) };
}

static struct weight mirrored(struct weight w)
{
	return (struct weight){ w.re, -w.im };
}

static bool equal_steps(const struct hs_grid *g, double step)
{
	for (size_t i = 1; i < g->n; i++)
		if (!(fabs(g->x[i] - g->x[0] - (double)i * step) <= 1e-10 * fabs(step)))
			return false;
	return g->n > 1 && isfinite(step) && step != 0;
}

/* Whether the nodes go on a lattice of the points, and on which. */
static void choose_lattice(const struct hs_broadening *b, const struct hs_grid *g, double reach, struct rule *r)
{
	const double step = g->n > 1 ? (g->x[g->n - 1] - g->x[0]) / (double)(g->n - 1) : 0, wanted = SPACING * b->kt,
		     fraction = fmax(1, ceil(fabs(step) / wanted)), stride = fmax(1, floor(wanted / fabs(step))),
		     nodes = 2 * reach / wanted + 1;
	r->depth = DEPTH * b->kt;
	r->step = wanted;
	r->fraction = r->stride = 1;
	if (!(fraction < nodes && stride < 0.5 * (double)g->n && nodes * stride < MOST_PLACES) || !equal_steps(g, step))
		return;
	r->shared = true;
	r->fraction = (size_t)fraction;
	r->stride = (size_t)stride;
	r->step = step / fraction;
}

static bool thermal_rule(const struct hs_broadening *b, const struct hs_grid *g, struct rule *r, struct hs_err *err)
{
	const double reach = REACH * b->kt + b->modulation;
	choose_lattice(b, g, reach, r);
	const double h = fabs(r->step) * (double)r->stride;
	const size_t half = (size_t)ceil(reach / h), m = harmonic_points(b->modulation / b->kt);
	r->n = 2 * half + 1;
	r->node = hs_alloc(r->n, sizeof *r->node, err);
	for (size_t k = 0; r->node && k <= half; k++) {       /* what is left of the middle is the mirror image of what is right of it */
		struct node *right = &r->node[half + k], *left = &r->node[half - k];
		right->z = CMPLX((double)(k * r->stride) * r->step, -r->depth);
		thermal_node(b, h, m, right);
		*left = (struct node){ -conj(right->z), mirrored(right->value), mirrored(right->by_kt), mirrored(right->by_modulation) };
	}
	return r->node != NULL;
}

/* s = cos(p + i sin p), p from 0 to pi: an arc from 1 to -1 below the axis. What F does on the axis near the ends is scaled up by
 * the nodes crowding there. */
static bool arc_rule(double modulation, struct rule *r, struct hs_err *err)
{
	const size_t half = (size_t)lrint(ARC_END / ARC_STEP);
	r->n = 2 * half + 1;
	r->by_slope = true;
	r->node = hs_alloc(r->n, sizeof *r->node, err);
	for (size_t k = 0; r->node && k < r->n; k++) {
		const double t = ((double)k - (double)half) * ARC_STEP, u = M_PI_2 * sinh(t), p = M_PI / (1 + exp(-2 * u)),
			     dp = M_PI_2 * M_PI_2 * cosh(t) / (cosh(u) * cosh(u)) * ARC_STEP, sine = u > 0 ? sin(M_PI / (1 + exp(2 * u))) : sin(p);
		const double complex angle = CMPLX(p, sine), s = ccos(angle), w = M_2_PI * csin(angle) * csin(angle) * CMPLX(1, cos(p)) * dp;
		r->node[k].z = CMPLX(modulation * creal(s), -fabs(modulation * cimag(s)));
		r->node[k].value = (struct weight){ creal(w), cimag(w) };
		r->node[k].by_modulation = (struct weight){ creal(w * s), cimag(w * s) };
	}
	return r->node != NULL;
}

static bool make_rule(const struct hs_broadening *b, const struct hs_grid *g, struct rule *r, struct hs_err *err)
{
	*r = (struct rule){ .fraction = 1, .stride = 1 };
	if (b->kt > COLD * b->modulation)
		return thermal_rule(b, g, r, err);
	if (b->modulation > 0)
		return arc_rule(b->modulation, r, err);
	r->n = 1;
	r->node = hs_alloc(1, sizeof *r->node, err);
	if (r->node)
		*r->node = (struct node){ .z = CMPLX(0, -0.0), .value = { 1, 0 } };
	return r->node != NULL;
}

/* ------------------------------------------------------------------ sums */

/* Values of the density, real and imaginary parts apart, as rows of points: what one node needs lies next to each other. */
struct table {
	size_t rows, width;           /* rows: fractions of a step; width of one */
	double *re[HS_DENSITY_MOST], *im[HS_DENSITY_MOST];
};

static void look(const struct hs_density *d, double complex z, const struct table *t, size_t place)
{
	double complex f[HS_DENSITY_MOST];
	d->at(d->ctx, z, f);
	for (size_t c = 0; c < d->n; c++) {
		t->re[c][place] = creal(f[c]);
		t->im[c][place] = cimag(f[c]);
	}
}

HS_WIDE static void add_real(double *restrict out, struct weight w, const double *restrict re, const double *restrict im,
	size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] += w.re * re[i] - w.im * im[i];
}

static void add_node(const struct rule *r, const struct node *node, const struct hs_density *d, const struct table *t, size_t at,
	size_t first, size_t n, double *const *plane, double *by_kt, double *by_modulation)
{
	const size_t c = r->by_slope;
	for (size_t p = 0; p < d->n; p++)
		add_real(plane[p] + first, node->value, t->re[p] + at, t->im[p] + at, n);
	if (d->n == 1)
		return;
	add_real(by_kt + first, node->by_kt, t->re[0] + at, t->im[0] + at, n);
	add_real(by_modulation + first, node->by_modulation, t->re[c] + at, t->im[c] + at, n);
}

static bool make_table(struct table *t, size_t rows, size_t width, size_t planes, struct hs_err *err)
{
	size_t size;
	*t = (struct table){ .rows = rows, .width = width };
	double *room = hs_mul(rows, width, &size) ? hs_alloc(size, 2 * planes * sizeof *room, err) : NULL;
	for (size_t c = 0; room && c < planes; c++) {
		t->re[c] = room + 2 * c * size;
		t->im[c] = t->re[c] + size;
	}
	return room != NULL;
}

/* Points first ... first + n - 1 of an axis of equal steps. */
static void sum_shared(const struct rule *r, const struct hs_grid *g, double centre, const struct hs_density *d,
	const struct table *t, size_t first, size_t n, double *const *plane, double *by_kt, double *by_modulation)
{
	const size_t half = r->n / 2 * r->stride, last = (n - 1) * r->fraction + 2 * half;
	const double from = g->x[first] - centre;
	for (size_t j = 0; j <= last; j++)
		look(d, CMPLX(from + ((double)j - (double)half) * r->step, -r->depth), t, j % r->fraction * t->width + j / r->fraction);
	for (size_t k = 0; k < r->n; k++) {
		const size_t j = k * r->stride;
		add_node(r, &r->node[k], d, t, j % r->fraction * t->width + j / r->fraction, first, n, plane, by_kt, by_modulation);
	}
}

static void sum_each(const struct rule *r, const struct hs_grid *g, double centre, const struct hs_density *d,
	const struct table *t, size_t first, size_t n, double *const *plane, double *by_kt, double *by_modulation)
{
	for (size_t k = 0; k < r->n; k++) {
		for (size_t i = 0; i < n; i++)
			look(d, CMPLX(g->x[first + i] - centre + creal(r->node[k].z), cimag(r->node[k].z)), t, i);
		add_node(r, &r->node[k], d, t, 0, first, n, plane, by_kt, by_modulation);
	}
}

/* Points at a time: at least as many as the nodes reach, as what lies around them is evaluated for each chunk. */
static size_t chunk_of(const struct rule *r, size_t around, size_t n)
{
	const size_t room = MOST_PLACES / r->fraction, chunk = room < CHUNK ? room : CHUNK, wanted = chunk > around ? chunk : around;
	return wanted < n ? wanted : n;
}

static bool usable(const struct hs_broadening *b, double centre)
{
	return b->kt >= 0 && b->modulation >= 0 && isfinite(b->kt) && isfinite(b->modulation) && isfinite(centre);
}

bool hs_broaden(const struct hs_broadening *b, const struct hs_grid *g, double centre, const struct hs_density *density,
	double *const *plane, double *by_kt, double *by_modulation)
{
	struct hs_err err = { 0 };
	struct rule r;
	struct table t;
	if (!usable(b, centre) || !make_rule(b, g, &r, &err))
		return false;
	const size_t around = r.shared ? (r.n - 1) * r.stride / r.fraction + 1 : 0, most = chunk_of(&r, around, g->n);
	const bool good = make_table(&t, r.fraction, most + around, density->n, &err);
	for (size_t i = 0; good && i < g->n; i++) {
		for (size_t c = 0; c < density->n; c++)
			plane[c][i] = 0;
		if (density->n > 1)
			by_kt[i] = by_modulation[i] = 0;
	}
	for (size_t first = 0; good && first < g->n; first += most)
		(r.shared ? sum_shared : sum_each)(&r, g, centre, density, &t, first, g->n - first < most ? g->n - first : most, plane, by_kt,
			by_modulation);
	free(t.re[0]);
	free(r.node);
	return good;
}
