#include "unmix/sisal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"
#include "math/par.h"
#include "math/vector.h"

enum { CHUNK = 4096, MANY = 4, INNER = 4, MOST_INNER = 16, QUIET = 2, HALVINGS = 24, SAMPLE = 4096, REFINE = 2, SEARCH = 25 };
#define SEARCH_TOL 1e-5                   /* while tau is looked for: the last run settles the rest */
#define RIDGE 1e-6                        /* least curvature of the quadratic model */
#define OUTSIDE_WANTED 0.7                /* mean distance of what is outside, in standard deviations of the noise */
#define INFLATE 1.5

/* The problem in whitened coordinates y = (1, u). All arrays of the run belong to it. */
struct problem {
	size_t n, k, chunks;
	double *y;                            /* n x k */
	double *split, *dual;                 /* n x k: what Q y should be, and the price of its not being so */
	double *part;                         /* chunks x (k x k) sums */
	double *moment;                       /* k x k: sum y y^T */
	double *q;                            /* k x k: barycentric coordinates are Q y */
	double *next, *trial, *model, *gather, *kept;         /* k x k each */
	double *solve;                        /* k + 1 of them, and three rows */
	double rho, price;                    /* penalty of the splitting; tau of one point */
};

static void problem_release(struct problem *s)
{
	free(s->y);
	free(s->split);
	free(s->dual);
	free(s->part);
	free(s->moment);
	*s = (struct problem){ 0 };
}

size_t hs_sisal_bytes(size_t n, size_t k)
{
	return (3 * n * k + (n / CHUNK + 1) * k * k + (2 * k + 12) * k * k) * 2 * sizeof(double);
}

/* --- whitening ----------------------------------------------------------------------------------------------------- */

struct white {
	size_t d;
	double *centre, *l;                   /* d; Cholesky factor of the covariance, d x d */
};

static void white_release(struct white *w)
{
	free(w->centre);
	free(w->l);
}

static bool used(const struct hs_cloud *cloud, size_t i)
{
	return !(cloud->skip && cloud->skip[i]);
}

/* Plain sums in the order of the points; cheap beside everything else. */
static int find_white(const struct hs_cloud *cloud, struct white *w, struct hs_err *err)
{
	const size_t d = cloud->d;
	double n = 0;
	w->d = d;
	w->centre = hs_alloc(d, sizeof(double), err);
	w->l = w->centre ? hs_alloc(d * d, sizeof(double), err) : NULL;
	double *v = w->l ? hs_alloc(d, sizeof *v, err) : NULL;
	if (!v)
		return -1;
	for (size_t i = 0; i < cloud->n; i++)
		if (used(cloud, i)) {
			hs_add(w->centre, cloud->z + i * d, d);
			n++;
		}
	for (size_t c = 0; c < d; c++)
		w->centre[c] /= n > 0 ? n : 1;
	for (size_t i = 0; i < cloud->n; i++) {
		if (!used(cloud, i))
			continue;
		memcpy(v, cloud->z + i * d, d * sizeof *v);
		hs_subtract(v, w->centre, d);
		for (size_t a = 0; a < d; a++)
			for (size_t b = 0; b <= a; b++)
				w->l[a * d + b] += v[a] * v[b] / n;
	}
	free(v);
	double largest = 0, least = INFINITY;
	for (size_t a = 0; a < d; a++)
		largest = fmax(largest, w->l[a * d + a]);
	const bool solid = largest > 0 && isfinite(largest) && hs_la_cholesky(w->l, d);
	for (size_t a = 0; solid && a < d; a++)
		least = fmin(least, w->l[a * d + a]);
	if (!solid || !(least * least > 1e-24 * largest))
		return hs_fail(err, HS_BAD_DATA, "the spectra have no extent in one of %zu dimensions", d);
	return 0;
}

static void whiten(const struct white *w, const double *z, double *u)
{
	const size_t d = w->d;
	for (size_t a = 0; a < d; a++) {
		double s = z[a] - w->centre[a];
		for (size_t b = 0; b < a; b++)
			s -= w->l[a * d + b] * u[b];
		u[a] = s / w->l[a * d + a];
	}
}

static void unwhiten(const struct white *w, const double *u, double *z)
{
	const size_t d = w->d;
	for (size_t a = 0; a < d; a++) {
		z[a] = w->centre[a];
		for (size_t b = 0; b <= a; b++)
			z[a] += w->l[a * d + b] * u[b];
	}
}

/* Points of the cloud, every stride-th of the used ones, as y. */
static int problem_init(struct problem *s, const struct hs_cloud *cloud, const struct white *w, size_t n_used, size_t stride,
	struct hs_err *err)
{
	const size_t k = cloud->d + 1, n = (n_used + stride - 1) / stride;
	*s = (struct problem){ .n = n, .k = k, .chunks = (n + CHUNK - 1) / CHUNK };
	s->y = hs_alloc(n * k, sizeof(double), err);
	s->split = s->y ? hs_alloc(n * k, sizeof(double), err) : NULL;
	s->dual = s->split ? hs_alloc(n * k, sizeof(double), err) : NULL;
	s->part = s->dual ? hs_alloc(s->chunks * k * k, sizeof(double), err) : NULL;
	s->moment = s->part ? hs_alloc((8 + k) * k * k + 3 * k, sizeof(double), err) : NULL;
	if (!s->moment)
		return -1;
	s->q = s->moment + k * k;
	s->next = s->q + k * k;
	s->trial = s->next + k * k;
	s->model = s->trial + k * k;
	s->gather = s->model + k * k;
	s->kept = s->gather + k * k;
	s->solve = s->kept + k * k;
	for (size_t i = 0, m = 0, at = 0; i < cloud->n; i++) {
		if (!used(cloud, i) || m++ % stride)
			continue;
		double *y = s->y + at++ * k;
		y[0] = 1;
		whiten(w, cloud->z + i * cloud->d, y + 1);
		for (size_t a = 0; a < k; a++)
			for (size_t b = 0; b < k; b++)
				s->moment[a * k + b] += y[a] * y[b];
	}
	s->rho = 1000 * (double)k / (double)n;
	return 0;
}

/* --- objective ----------------------------------------------------------------------------------------------------- */

static void coordinates_of(const double *q, const double *y, size_t k, double *a)
{
	for (size_t j = 0; j < k; j++) {
		double v = 0;
		for (size_t c = 0; c < k; c++)
			v += q[j * k + c] * y[c];
		a[j] = v;
	}
}

/* Sum of what is below zero, and its largest part for each coordinate (worst: k, or NULL). */
static double hinge(const struct problem *s, const double *q, double *worst)
{
	const size_t k = s->k;
	double sum = 0;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (s->chunks >= MANY)
	for (size_t c = 0; c < s->chunks; c++) {
		double a[64], own = 0, *low = s->part + c * k * k + 1;
		for (size_t j = 0; worst && j < k; j++)
			low[j] = 0;
		for (size_t i = c * CHUNK; i < (c + 1) * CHUNK && i < s->n; i++) {
			coordinates_of(q, s->y + i * k, k, a);
			for (size_t j = 0; j < k; j++) {
				own += a[j] < 0 ? -a[j] : 0;
				if (worst && -a[j] > low[j])
					low[j] = -a[j];
			}
		}
		s->part[c * k * k] = own;
	}
	for (size_t c = 0; c < s->chunks; c++) {
		sum += s->part[c * k * k];
		for (size_t j = 0; worst && j < k; j++)
			worst[j] = fmax(c ? worst[j] : 0, s->part[c * k * k + 1 + j]);
	}
	return sum;
}

static double objective(const struct problem *s, const double *q)
{
	const size_t k = s->k;
	double log_det, *a = s->gather;
	memcpy(a, q, k * k * sizeof *a);
	if (!hs_la_invert(a, k, &log_det) || !isfinite(log_det))
		return INFINITY;
	return -log_det + s->price * hinge(s, q, NULL);
}

/* --- one outer iteration ------------------------------------------------------------------------------------------- */

/* Q y moves on, split and dual follow; the sums of (split + dual) y^T for the next step go to gather. first: split is Q y itself
 * and there is no price yet. */
static void follow(struct problem *s, const double *q, bool first)
{
	const size_t k = s->k;
	const double threshold = s->price / s->rho;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (s->chunks >= MANY)
	for (size_t c = 0; c < s->chunks; c++) {
		double a[64], *sum = s->part + c * k * k;
		memset(sum, 0, k * k * sizeof *sum);
		for (size_t i = c * CHUNK; i < (c + 1) * CHUNK && i < s->n; i++) {
			const double *y = s->y + i * k;
			double *z = s->split + i * k, *d = s->dual + i * k;
			coordinates_of(q, y, k, a);
			for (size_t j = 0; j < k; j++) {
				if (first) {
					z[j] = a[j];
					d[j] = 0;
				} else {
					const double u = a[j] - d[j];
					z[j] = u > 0 ? u : u < -threshold ? u + threshold : 0;
					d[j] -= a[j] - z[j];
				}
				for (size_t b = 0; b < k; b++)
					sum[j * k + b] += (z[j] + d[j]) * y[b];
			}
		}
	}
	memset(s->gather, 0, k * k * sizeof *s->gather);
	for (size_t c = 0; c < s->chunks; c++)
		hs_add(s->gather, s->part + c * k * k, k * k);
}

/* The quadratic model of -ln |det Q| at q: gradient g = -Q^-T, curvature g^2; solve holds for each row j the inverse of
 * diag(curvature_j) + rho sum y y^T, then the inverse of their sum. */
static bool make_model(struct problem *s, const double *q)
{
	const size_t k = s->k;
	double *g = s->trial, *all = s->solve + k * k * k;
	memcpy(g, q, k * k * sizeof *g);
	if (!hs_la_invert(g, k, NULL))
		return false;
	memset(all, 0, k * k * sizeof *all);
	for (size_t j = 0; j < k; j++) {
		double *b = s->solve + j * k * k;
		for (size_t c = 0; c < k * k; c++)
			b[c] = s->rho * s->moment[c];
		for (size_t c = 0; c < k; c++) {
			const double slope = -g[c * k + j], curve = slope * slope + RIDGE;
			b[c * k + c] += curve;
			s->model[j * k + c] = curve * q[j * k + c] - slope;
		}
		if (!hs_la_invert(b, k, NULL))
			return false;
		hs_add(all, b, k * k);
	}
	return hs_la_invert(all, k, NULL);
}

/* Minimum of model plus splitting over Q whose rows sum to (1, 0, ..., 0): rows are independent but for one multiplier. */
static void solve_rows(struct problem *s, double *q)
{
	const size_t k = s->k;
	double *want = s->solve + (k + 1) * k * k, *lambda = want + k, *right = lambda + k;
	memset(want, 0, k * sizeof *want);
	want[0] = 1;
	for (size_t j = 0; j < k; j++) {
		for (size_t c = 0; c < k; c++)
			right[c] = s->model[j * k + c] + s->rho * s->gather[j * k + c];
		coordinates_of(s->solve + j * k * k, right, k, q + j * k);
		hs_subtract(want, q + j * k, k);
	}
	coordinates_of(s->solve + k * k * k, want, k, lambda);
	for (size_t j = 0; j < k; j++) {
		coordinates_of(s->solve + j * k * k, lambda, k, right);
		hs_add(q + j * k, right, k);
	}
}

/* The way from q to next, halved until the objective falls; false when it does not. */
static bool search_line(struct problem *s, double *f)
{
	const size_t m = s->k * s->k;
	double step = 1;
	for (size_t h = 0; h < HALVINGS; h++, step /= 2) {
		for (size_t i = 0; i < m; i++)
			s->trial[i] = s->q[i] + step * (s->next[i] - s->q[i]);
		const double there = objective(s, s->trial);
		if (there < *f) {
			memcpy(s->q, s->trial, m * sizeof *s->q);
			*f = there;
			return true;
		}
	}
	return false;
}

/* Minimises at the present price from s->q. True when the objective stopped falling. */
static bool minimise(struct problem *s, const struct hs_sisal_options *o, size_t max_iter, double tol, struct hs_sisal *out)
{
	size_t inner = INNER, quiet = 0;
	double f = objective(s, s->q);
	for (size_t iter = 0; iter < max_iter && quiet < QUIET && !out->stopped; iter++) {
		const double before = f;
		if (!make_model(s, s->q))
			break;
		follow(s, s->q, !iter);
		for (size_t i = 0; i < inner; i++) {
			solve_rows(s, s->next);
			follow(s, s->next, false);
		}
		out->n_iter++;
		const bool fell = search_line(s, &f);
		const bool little = !fell || before - f < tol * (1 + fabs(before));
		if (little && inner < MOST_INNER)
			inner *= 2;           /* perhaps the splitting had not settled */
		else
			quiet = little ? quiet + 1 : 0;
		out->stopped = o->stop && o->stop(o->stop_ctx);
	}
	out->objective = f;
	return quiet >= QUIET;
}

/* --- price --------------------------------------------------------------------------------------------------------- */

/* Mean distance of what is outside over the standard deviation of the noise along the normal of its facet, over all facets. */
static double mean_outside(const struct problem *s, const struct white *w, double noise)
{
	const size_t k = s->k, d = k - 1;
	double sum = 0, n = 0, a[64], unit[64];
	for (size_t j = 0; j < k; j++) {
		/* gradient in z: the whitened one times l^-1 */
		double square = 0;
		for (size_t c = d; c-- > 0;) {
			double v = s->q[j * k + 1 + c];
			for (size_t b = c + 1; b < d; b++)
				v -= w->l[b * d + c] * a[b];
			a[c] = v / w->l[c * d + c];
			square += a[c] * a[c];
		}
		unit[j] = noise * sqrt(square);
	}
	for (size_t i = 0; i < s->n; i++) {
		coordinates_of(s->q, s->y + i * k, k, a);
		for (size_t j = 0; j < k; j++)
			if (a[j] < 0) {
				sum += -a[j] / unit[j];
				n++;
			}
	}
	return n > 0 ? sum / n : 0;
}

/* Above this price of a point nothing stays outside: multipliers of the points on one facet sum to about k. */
static double hard_price(const struct problem *s)
{
	return 4 * (double)s->k;
}

/* From hard to soft by factors of 4 until enough is outside, then halving the last step (in logarithm). Returns tau. */
static double find_tau(struct problem *s, const struct white *w, const struct hs_sisal_options *o, struct hs_sisal *out)
{
	const size_t m = s->k * s->k;
	double *kept = s->kept, hard = fmin(hard_price(s) * (double)s->n, 1e5), soft = hard;
	s->price = hard / (double)s->n;
	minimise(s, o, SEARCH, SEARCH_TOL, out);
	while (!out->stopped && mean_outside(s, w, o->noise) < OUTSIDE_WANTED && soft > 1) {
		hard = soft;
		memcpy(kept, s->q, m * sizeof *kept);
		soft /= 4;
		s->price = soft / (double)s->n;
		minimise(s, o, SEARCH, SEARCH_TOL, out);
	}
	for (size_t i = 0; i < REFINE && soft < hard && !out->stopped; i++) {
		const double middle = sqrt(soft * hard);
		s->price = middle / (double)s->n;
		memcpy(s->q, kept, m * sizeof *kept);
		minimise(s, o, SEARCH, SEARCH_TOL, out);
		if (mean_outside(s, w, o->noise) < OUTSIDE_WANTED) {
			hard = middle;
			memcpy(kept, s->q, m * sizeof *kept);
		} else {
			soft = middle;
		}
	}
	return sqrt(soft * hard);
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

/* Q from corners in z, inflated about their centroid; and back. */
static bool map_of(const struct white *w, const double *corner, size_t k, double inflate, double *q)
{
	const size_t d = k - 1;
	double *u = hs_must_alloc(k * k, sizeof *u), middle[64] = { 0 };
	for (size_t j = 0; j < k; j++) {
		whiten(w, corner + j * d, u + j * d);
		for (size_t c = 0; c < d; c++)
			middle[c] += u[j * d + c] / (double)k;
	}
	for (size_t i = 0; i < k * d; i++)
		u[i] = middle[i % d] + inflate * (u[i] - middle[i % d]);
	const bool solid = hs_simplex_map(u, k, q, NULL);
	free(u);
	return solid;
}

static bool corners_of(const struct white *w, const double *q, size_t k, double *corner)
{
	double *a = hs_must_alloc(k * k, sizeof *a), u[64];
	memcpy(a, q, k * k * sizeof *a);
	const bool solid = hs_la_invert(a, k, NULL);
	for (size_t j = 0; solid && j < k; j++) {
		for (size_t c = 1; c < k; c++)
			u[c - 1] = a[c * k + j];      /* column j of Q^-1 is (1, corner j) */
		unwhiten(w, u, corner + j * (k - 1));
	}
	free(a);
	return solid;
}

/* Without noise nothing may be outside: facets move out by what rounding and the last iteration left. */
static void enclose(struct problem *s)
{
	const size_t k = s->k;
	double worst[64], sum = 1;
	hinge(s, s->q, worst);
	for (size_t j = 0; j < k; j++)
		sum += worst[j];
	for (size_t j = 0; j < k; j++)
		s->q[j * k] += worst[j];
	for (size_t i = 0; i < k * k; i++)
		s->q[i] /= sum;
}

/* tau, found on a sample when there are many points; that run also leaves a good place to start from in q. */
static int choose_tau(const struct hs_cloud *cloud, const struct white *w, size_t n_used, const struct hs_sisal_options *o,
	double *q, struct hs_sisal *out, struct hs_err *err)
{
	struct problem s;
	const size_t stride = (n_used + SAMPLE - 1) / SAMPLE;
	int verdict = problem_init(&s, cloud, w, n_used, stride, err);
	if (verdict == 0) {
		memcpy(s.q, q, s.k * s.k * sizeof *q);
		out->tau = find_tau(&s, w, o, out);
		memcpy(q, s.q, s.k * s.k * sizeof *q);
	}
	problem_release(&s);
	return verdict;
}

static int solve(const struct hs_cloud *cloud, const struct white *w, const struct hs_sisal_options *o, double *corner,
	struct hs_sisal *out, struct hs_err *err)
{
	const size_t k = cloud->d + 1;
	size_t n_used = 0;
	for (size_t i = 0; i < cloud->n; i++)
		n_used += used(cloud, i);
	double *q = hs_alloc(k * k, sizeof *q, err);
	struct problem s = { 0 };
	int verdict = q ? 0 : -1;
	const bool automatic = o->tau < 0, noisy = automatic && o->noise > 0;
	if (verdict == 0 && !map_of(w, corner, k, INFLATE, q))
		verdict = hs_fail(err, HS_BAD_DATA, "the simplex to begin from is flat");
	if (verdict == 0 && noisy)
		verdict = choose_tau(cloud, w, n_used, o, q, out, err);
	if (verdict == 0)
		verdict = problem_init(&s, cloud, w, n_used, 1, err);
	if (verdict == 0) {
		out->tau = noisy ? out->tau : automatic ? hard_price(&s) * (double)s.n : o->tau;
		memcpy(s.q, q, k * k * sizeof *q);
		/* a hard price at once leaves the facets where they are: it is raised step by step */
		for (double soft = 100; automatic && !noisy && soft < out->tau && !out->stopped; soft *= 4) {
			s.price = soft / (double)s.n;
			minimise(&s, o, SEARCH, SEARCH_TOL, out);
		}
		s.price = out->tau / (double)s.n;
		if (!out->stopped)
			out->converged = minimise(&s, o, o->max_iter, o->tol, out);
		if (automatic && !noisy)
			enclose(&s);
		out->outside = o->noise > 0 ? mean_outside(&s, w, o->noise) : NAN;
		if (!corners_of(w, s.q, k, corner) || !hs_simplex_map(corner, k, q, &out->log_volume))
			verdict = hs_fail(err, HS_BAD_DATA, "the smallest simplex about the spectra is flat");
	}
	free(q);
	problem_release(&s);
	return verdict;
}

int hs_sisal(const struct hs_cloud *cloud, const struct hs_sisal_options *options, double *corner, struct hs_sisal *out,
	struct hs_err *err)
{
	struct white w = { 0 };
	*out = (struct hs_sisal){ .outside = NAN };
	if (cloud->d < 1 || cloud->d >= 64 || !options->max_iter)
		return hs_fail(err, HS_USAGE, "a simplex of %zu corners in %zu iterations cannot be fitted", cloud->d + 1,
			options->max_iter);
	int verdict = find_white(cloud, &w, err);
	if (verdict == 0)
		verdict = solve(cloud, &w, options, corner, out, err);
	white_release(&w);
	return verdict;
}

struct hs_sisal_options hs_sisal_defaults(double noise)
{
	return (struct hs_sisal_options){ .tau = -1, .noise = noise, .max_iter = 80, .tol = 1e-7 };
}
