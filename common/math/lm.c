#include "math/lm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/vector.h"

enum { LANES = 4, TOGETHER = 4 };

#define BARE 1e-10            /* damping that leaves a step as it is, and still solves what is singular */
#define SMALLEST 0x1p-900     /* sum of squares: with 2^-92 of it there are still numbers */

struct hs_lm {
	size_t n, k;                  /* of the problem at hand */
	double *m, *dm;               /* model and derivatives at p */
	double *try_m, *try_dm;       /* ... at the point that is tried */
	double *w, *r, *wd;           /* weights of the squares, residuals, weighted derivatives: n each */
	double *h, *try_h, *l;        /* k x k: J^T W J (lower triangle), at the trial, and a factor of what is solved */
	double *g, *try_g, *d, *q;    /* k: gradient, at the trial, step, trial point */
	uint8_t *held, *flat;         /* k: fixed or on a bound for this step; without effect */
	uint8_t *at_bound, *fixed;
};

size_t hs_lm_bytes(size_t n, size_t k)
{
	return sizeof(struct hs_lm) + ((5 + 2 * k) * n + 3 * k * k + 4 * k) * sizeof(double) + 4 * k;
}

struct hs_lm *hs_lm_new(size_t n, size_t k, struct hs_err *err)
{
	struct hs_lm *w = hs_must_alloc(1, sizeof *w);
	if ((w->m = hs_alloc(n, 5 * sizeof(double), err)) && (w->dm = hs_alloc(n, 2 * k * sizeof(double), err)) &&
		(w->h = hs_alloc(k, (3 * k + 4) * sizeof(double), err)) && (w->held = hs_alloc(k, 4, err))) {
		w->try_m = w->m + n;
		w->w = w->try_m + n;
		w->r = w->w + n;
		w->wd = w->r + n;
		w->try_dm = w->dm + n * k;
		w->try_h = w->h + k * k;
		w->l = w->try_h + k * k;
		w->g = w->l + k * k;
		w->try_g = w->g + k;
		w->d = w->try_g + k;
		w->q = w->d + k;
		w->flat = w->held + k;
		w->at_bound = w->flat + k;
		w->fixed = w->at_bound + k;
		return w;
	}
	hs_lm_free(w);
	return NULL;
}

void hs_lm_free(struct hs_lm *w)
{
	if (!w)
		return;
	/* m and dm change places with their trials, as h and g do: what was allocated is the lower of each pair */
	free(w->m < w->try_m ? w->m : w->try_m);
	free(w->dm < w->try_dm ? w->dm : w->try_dm);
	free(w->h < w->try_h ? w->h : w->try_h);
	free(w->held);
	free(w);
}

/* ------------------------------------------------------------------ sums */

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

/* no functions, as a vector is no argument where the CPU may be of either kind */
#define LOAD(x) ({ lanes v_; memcpy(&v_, (x), sizeof v_); v_; })

/* One lane-wise sum for each of N vectors, N a number the compiler knows, so that the sums stay in registers. */
#define SUM_UP(N)                                                                   \
	for (; i + LANES <= n; i += LANES) {                                        \
		const lanes x = LOAD(a + i);                                        \
		for (size_t c = 0; c < (N); c++)                                    \
			s[c] += x * LOAD(b + c * ld + i);                           \
	}                                                                           \
	break

/* Dot products of a with `count` <= TOGETHER vectors of n, ld apart, in one order on every CPU. */
HS_WIDE static void dots(const double *a, const double *b, size_t ld, size_t count, size_t n, double *out)
{
	lanes s[TOGETHER] = { 0 };
	size_t i = 0;
	switch (count) {
	case 1: SUM_UP(1);
	case 2: SUM_UP(2);
	case 3: SUM_UP(3);
	default: SUM_UP(TOGETHER);
	}
	for (size_t c = 0; c < count; c++) {
		double rest = 0;
		for (size_t j = i; j < n; j++)
			rest += a[j] * b[c * ld + j];
		out[c] = ((s[c][0] + s[c][2]) + (s[c][1] + s[c][3])) + rest;
	}
}

HS_WIDE static void multiply(const double *restrict a, const double *restrict b, size_t n, double *restrict out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = a[i] * b[i];
}

/* Lower triangle of H and the gradient, from derivatives dm, weights w and residuals r. */
static void normal_equations(struct hs_lm *w, const double *dm, const double *weight, const double *r, double *h, double *g)
{
	const size_t n = w->n, k = w->k;
	for (size_t a = 0; a < k; a++) {
		const double *d = dm + a * n;
		if (weight) {
			multiply(d, weight, n, w->wd);
			d = w->wd;
		}
		for (size_t b = 0; b <= a; b += TOGETHER)
			dots(d, dm + b * n, n, a + 1 - b < TOGETHER ? a + 1 - b : TOGETHER, n, h + a * k + b);
	}
	if (weight) {
		multiply(r, weight, n, w->wd);
		r = w->wd;
	}
	for (size_t a = 0; a < k; a += TOGETHER)
		dots(r, dm + a * n, n, k - a < TOGETHER ? k - a : TOGETHER, n, g + a);
}

HS_WIDE static void subtract(const double *restrict a, const double *restrict b, size_t n, double *restrict out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = a[i] - b[i];
}

/* ------------------------------------------------------------------ cost */

/* Residuals in w->r and, for counts or weights, the weights of the squares in w->w; returns the cost, infinite where the model is
 * not allowed. */
static double residuals(struct hs_lm *w, const struct hs_lm_problem *p, const double *y, const double *weight, const double *m)
{
	const size_t n = w->n;
	double cost = 0;
	if (p->loss == HS_LM_SQUARES && !weight) {
		subtract(y, m, n, w->r);
		dots(w->r, w->r, n, 1, n, &cost);
		return cost;
	}
	for (size_t i = 0; i < n; i++) {
		const double v = weight ? weight[i] : 1;
		if (!(v > 0)) {
			w->r[i] = w->w[i] = 0;
			continue;
		}
		w->r[i] = y[i] - m[i];
		if (p->loss == HS_LM_SQUARES) {
			w->w[i] = v;
			cost += v * w->r[i] * w->r[i];
			continue;
		}
		if (!(m[i] > 0)) {
			if (!(m[i] == 0 && y[i] == 0))
				return INFINITY;
			w->w[i] = 0;          /* no counts expected, none found: nothing to learn */
			continue;
		}
		w->w[i] = v / m[i];
		const double excess = y[i] > 0 ? y[i] * log(y[i] / m[i]) : 0;
		cost += 2 * v * (m[i] - y[i] + excess);
	}
	return p->loss == HS_LM_POISSON && cost < 0 ? 0 : cost;      /* rounding */
}

/* Model, cost and normal equations at q. */
static double look(struct hs_lm *w, const struct hs_lm_problem *p, const double *y, const double *weight, const double *q,
	double *m,
	double *dm, double *h, double *g)
{
	if (!p->model(p->ctx, q, m, dm))
		return INFINITY;
	const double cost = residuals(w, p, y, weight, m);
	if (!isfinite(cost))
		return INFINITY;
	normal_equations(w, dm, p->loss == HS_LM_SQUARES && !weight ? NULL : w->w, w->r, h, g);
	for (size_t a = 0; a < w->k; a++)
		if (!isfinite(g[a]) || !isfinite(h[a * w->k + a]))
			return INFINITY;
	return cost;
}

/* ------------------------------------------------------------------ steps */

/* Cholesky in place, lower triangle; false when a pivot is not positive to rounding. */
static bool factor(double *a, size_t k)
{
	for (size_t j = 0; j < k; j++) {
		double s = a[j * k + j];
		const double before = s;
		for (size_t i = 0; i < j; i++)
			s -= a[j * k + i] * a[j * k + i];
		if (!(s > 0x1p-50 * before))
			return false;
		const double pivot = a[j * k + j] = sqrt(s);
		for (size_t i = j + 1; i < k; i++) {
			double t = a[i * k + j];
			for (size_t c = 0; c < j; c++)
				t -= a[i * k + c] * a[j * k + c];
			a[i * k + j] = t / pivot;
		}
	}
	return true;
}

static void solve(const double *l, size_t k, double *b)
{
	for (size_t i = 0; i < k; i++) {
		for (size_t c = 0; c < i; c++)
			b[i] -= l[i * k + c] * b[c];
		b[i] /= l[i * k + i];
	}
	for (size_t i = k; i-- > 0;) {
		for (size_t c = i + 1; c < k; c++)
			b[i] -= l[c * k + i] * b[c];
		b[i] /= l[i * k + i];
	}
}

bool hs_lm_solve(double *h, size_t k, double *b)
{
	double scale[HS_LM_MOST];
	for (size_t i = 0; i < k; i++) {
		if (!(h[i * k + i] > 0))
			return false;
		scale[i] = 1 / sqrt(h[i * k + i]);
	}
	for (size_t i = 0; i < k; i++) {
		for (size_t j = 0; j <= i; j++)
			h[i * k + j] *= scale[i] * scale[j];
		b[i] *= scale[i];
	}
	if (!factor(h, k))
		return false;
	solve(h, k, b);
	for (size_t i = 0; i < k; i++)
		b[i] *= scale[i];
	return true;
}

static double element(const double *h, size_t k, size_t a, size_t b)
{
	return a >= b ? h[a * k + b] : h[b * k + a];
}

static void mark_flat(struct hs_lm *w)
{
	for (size_t a = 0; a < w->k; a++)
		w->flat[a] = !(w->h[a * w->k + a] > 0);
}

/* The damped step of the parameters place[0 .. n-1], the others standing where w->d says; false when it cannot be solved. */
static bool step_of(struct hs_lm *w, const size_t *place, size_t n, const bool *cut, double mu)
{
	const size_t k = w->k;
	double b[HS_LM_MOST];
	/* damped in units of the diagonal, so that it does not matter what the units of the parameters are */
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++)
			w->l[i * n + j] = w->h[place[i] * k + place[j]];
		w->l[i * n + i] = w->h[place[i] * k + place[i]] * (1 + mu);
		b[i] = w->g[place[i]];
		for (size_t c = 0; c < k; c++)
			if (cut[c])
				b[i] -= element(w->h, k, place[i], c) * w->d[c];
	}
	if (n && !hs_lm_solve(w->l, n, b))
		return false;
	for (size_t i = 0; i < n; i++)
		w->d[place[i]] = b[i];
	return true;
}

/* The damped step over parameters that are not held, in w->d; held ones get 0. Those that would leave their bounds end there, and
 * the others take the best step beside that. False when it cannot be solved. */
static bool step(struct hs_lm *w, const struct hs_lm_problem *p, const double *at, double mu)
{
	const size_t k = w->k;
	bool cut[HS_LM_MOST] = { false }, again = true, any = false;
	memset(w->d, 0, k * sizeof *w->d);
	while (again) {
		size_t place[HS_LM_MOST], n = 0;
		for (size_t a = 0; a < k; a++)
			if (!w->held[a] && !cut[a])
				place[n++] = a;
		any |= n > 0;
		again = false;
		if (!step_of(w, place, n, cut, mu))
			return false;
		for (size_t i = 0; p->low && i < n; i++) {
			const size_t a = place[i];
			const double q = at[a] + w->d[a];
			if (q >= p->low[a] && q <= p->high[a])
				continue;
			w->d[a] = (q < p->low[a] ? p->low[a] : p->high[a]) - at[a];
			cut[a] = again = true;
		}
	}
	return any;
}

/* Parameters on a bound whose gradient points outside stay there; a step beyond a bound ends on it. Returns false when nothing
 * may move. */
static bool hold(struct hs_lm *w, const struct hs_lm_problem *p, const double *at)
{
	bool any = false;
	for (size_t a = 0; a < w->k; a++) {
		w->at_bound[a] = p->low && ((at[a] <= p->low[a] && w->g[a] <= 0) || (at[a] >= p->high[a] && w->g[a] >= 0));
		w->held[a] = w->fixed[a] || w->flat[a] || w->at_bound[a];
		any |= !w->held[a];
	}
	return any;
}

/* The point tried, and the fall of the cost that the quadratic model promises for the step as it was cut. */
static double aim(struct hs_lm *w, const struct hs_lm_problem *p, const double *at)
{
	const size_t k = w->k;
	double promise = 0;
	for (size_t a = 0; a < k; a++) {
		double q = at[a] + w->d[a];
		if (p->low)
			q = q < p->low[a] ? p->low[a] : q > p->high[a] ? p->high[a] : q;
		w->q[a] = q;
		w->d[a] = q - at[a];
	}
	for (size_t a = 0; a < k; a++) {
		double hd = 0;
		for (size_t b = 0; b < k; b++)
			hd += element(w->h, k, a, b) * w->d[b];
		promise += w->d[a] * (2 * w->g[a] - hd);
	}
	return promise;
}

static void swap(double **a, double **b)
{
	double *c = *a;
	*a = *b;
	*b = c;
}

static void accept(struct hs_lm *w, double *p)
{
	memcpy(p, w->q, w->k * sizeof *p);
	swap(&w->m, &w->try_m);
	swap(&w->dm, &w->try_dm);
	swap(&w->h, &w->try_h);
	memcpy(w->g, w->try_g, w->k * sizeof *w->g);
	mark_flat(w);
}

/* ------------------------------------------------------------------ the descent */

static size_t count_data(const double *y, const double *weight, size_t n, double *size)
{
	size_t used = 0;
	if (!weight) {
		dots(y, y, n, 1, n, size);
		return n;
	}
	*size = 0;
	for (size_t i = 0; i < n; i++)
		if (weight[i] > 0) {
			used++;
			*size += weight[i] * y[i] * y[i];
		}
	return used;
}

static void descend(struct hs_lm *w, const struct hs_lm_problem *problem, const double *y, const double *weight, double size,
	double *p,
	struct hs_lm_fit *fit)
{
	const size_t most = problem->max_iter ? problem->max_iter : 100;
	const double tol = problem->tol > 0 ? problem->tol : 1e-12, nothing = 0x1p-92 * size;
	double mu = 1e-3, nu = 2;
	bool bare = false;            /* the step has been looked at without damping since the last move */
	fit->status = HS_LM_MAXITER;
	while (fit->n_iter < most) {
		if (!hold(w, problem, p) || fit->cost <= nothing) {
			fit->status = HS_LM_CONVERGED;
			return;
		}
		fit->n_iter++;
		const bool solved = step(w, problem, p, mu);
		const double promise = solved ? aim(w, problem, p) : 0;
		if (solved && promise >= 0 && promise <= tol * fit->cost && mu > BARE && !bare) {
			/* along a valley it may be the damping that promises so little */
			mu = BARE;
			bare = true;
			continue;
		}
		if (solved && promise <= tol * fit->cost) {
			/* a step that a bound has cut to nothing promises nothing either: then damping must turn it first */
			fit->status = promise >= 0 || mu > 1e8 ? HS_LM_CONVERGED : HS_LM_STUCK;
			if (promise < 0 && mu <= 1e8) {
				mu *= nu;
				nu *= 2;
				continue;
			}
			if (fit->cost - promise >= 0 && promise > 0) {        /* the last small step is free of charge */
				const double last = look(w, problem, y, weight, w->q, w->try_m, w->try_dm, w->try_h, w->try_g);
				if (last <= fit->cost) {
					fit->cost = last;
					accept(w, p);
				}
			}
			return;
		}
		const double cost = solved ? look(w, problem, y, weight, w->q, w->try_m, w->try_dm, w->try_h, w->try_g) : INFINITY,
			     gain = (fit->cost - cost) / promise;
		if (solved && gain > 0) {
			const double t = 2 * gain - 1;
			fit->cost = cost;
			accept(w, p);
			mu *= fmax(0.1, 1 - t * t * t);
			nu = 2;
			bare = false;
		} else {
			mu *= nu;
			nu *= 2;
			if (mu > 1e16) {
				fit->status = HS_LM_STUCK;
				return;
			}
		}
	}
}

/* Squares that underflow: a cost that is zero says nothing then. Data that are all zero are another matter. */
static bool vanishes(const double *y, const double *weight, size_t n, double size)
{
	bool any = false;
	for (size_t i = 0; size < SMALLEST && i < n && !any; i++)
		any = (!weight || weight[i] > 0) && y[i] != 0;
	return any;
}

void hs_lm_run(struct hs_lm *w, const struct hs_lm_problem *problem, const double *y, const double *weight, double *p,
	struct hs_lm_fit *fit)
{
	const size_t n = w->n = problem->n, k = w->k = problem->k;
	double size;
	*fit = (struct hs_lm_fit){ .cost = NAN, .squares = NAN };
	fit->n_data = count_data(y, weight, n, &size);
	for (size_t a = 0; a < k; a++) {
		w->fixed[a] = problem->fixed && problem->fixed[a];
		fit->n_free += !w->fixed[a];
		if (problem->low)
			p[a] = p[a] < problem->low[a] ? problem->low[a] : p[a] > problem->high[a] ? problem->high[a] : p[a];
	}
	if (fit->n_data < fit->n_free || !isfinite(size) || vanishes(y, weight, n, size)) {
		fit->status = HS_LM_TOO_FEW;
		return;
	}
	fit->cost = look(w, problem, y, weight, p, w->m, w->dm, w->h, w->g);
	if (!isfinite(fit->cost)) {
		fit->status = HS_LM_BAD_START;
		return;
	}
	mark_flat(w);
	descend(w, problem, y, weight, size, p, fit);
	hold(w, problem, p);
	fit->n_free = 0;
	for (size_t a = 0; a < k; a++)
		fit->n_free += !w->held[a];
	if (problem->loss == HS_LM_SQUARES && !weight) {
		fit->squares = fit->cost;
		return;
	}
	fit->squares = 0;
	for (size_t i = 0; i < n; i++)
		if (!weight || weight[i] > 0)
			fit->squares += (y[i] - w->m[i]) * (y[i] - w->m[i]);
}

bool hs_lm_covariance(const struct hs_lm *w, double *cov, uint8_t *on_bound)
{
	const size_t k = w->k;
	size_t place[HS_LM_MOST], n = 0;
	double b[HS_LM_MOST];
	memset(cov, 0, k * k * sizeof *cov);
	for (size_t a = 0; a < k; a++) {
		if (on_bound)
			on_bound[a] = w->at_bound[a] && !w->fixed[a];
		if (!w->held[a])
			place[n++] = a;
	}
	for (size_t i = 0; i < n; i++) {
		const double si = sqrt(w->h[place[i] * k + place[i]]);
		for (size_t j = 0; j <= i; j++)
			w->l[i * n + j] = i == j ? 1 : w->h[place[i] * k + place[j]] / (si * sqrt(w->h[place[j] * k + place[j]]));
	}
	if (!factor(w->l, n)) {
		for (size_t i = 0; i < k * k; i++)
			cov[i] = NAN;
		return false;
	}
	for (size_t c = 0; c < n; c++) {
		for (size_t i = 0; i < n; i++)
			b[i] = i == c;
		solve(w->l, n, b);
		for (size_t i = 0; i < n; i++)
			cov[place[i] * k + place[c]] = b[i] / sqrt(w->h[place[i] * k + place[i]] * w->h[place[c] * k + place[c]]);
	}
	return true;
}

const double *hs_lm_model(const struct hs_lm *w)
{
	return w->m;
}
