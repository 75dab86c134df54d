#include "unmix/minvol.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"
#include "math/par.h"
#include "math/vector.h"

enum { CHUNK = 4096, MANY = 4, STEPS = 10, WIDEST = 64 };

/* Everything in scaled units. Since rows of W sum to one, the misfit of a row is |z - W Hz|^2 + |W Hr|^2 with Hz the coordinates
 * of the endmembers in the subspace and Hr what they have outside of it: no difference of large numbers is taken. */
struct problem {
	const struct hs_cloud *cloud;
	size_t n, d, k, p, chunks;
	double scale;                         /* values are times this */
	double *m;                            /* p */
	const double *v;                      /* d x p, orthonormal, borrowed */
	double *h, *ahead, *h_new, *grad;     /* k x p */
	double *centred;                      /* k x p: H - m */
	double *hz, *gram;                    /* k x d; k x k: (H - m)(H - m)^T */
	double *w;                            /* n x k */
	double *part;                         /* chunks x (k x k + k x d + k + 1): W^T W, W^T Z, sum W, misfit */
	double *sum;                          /* the same, of all */
	double *y;                            /* k x k: (H H^T + delta I)^-1 */
	double lambda, delta;
};

static size_t part_size(size_t k, size_t d)
{
	return k * k + k * d + k + 1;
}

size_t hs_minvol_bytes(size_t n, size_t n_chan, size_t k)
{
	return (n * k + 7 * k * n_chan + (n / CHUNK + 3) * part_size(k, k) + 6 * k * k) * sizeof(double);
}

static void problem_release(struct problem *s)
{
	free(s->m);
	free(s->h);
	free(s->w);
	free(s->part);
}

static int problem_init(struct problem *s, const struct hs_cloud *cloud, const double *axes, size_t n_chan, size_t k,
	struct hs_err *err)
{
	const size_t d = cloud->d, p = n_chan;
	*s = (struct problem){ .cloud = cloud, .n = cloud->n, .d = d, .k = k, .p = p, .chunks = (cloud->n + CHUNK - 1) / CHUNK };
	s->m = hs_alloc(p, sizeof(double), err);
	s->h = s->m ? hs_alloc(5 * k * p + k * d + 4 * k * k, sizeof(double), err) : NULL;
	s->w = s->h ? hs_alloc(s->n * k, sizeof(double), err) : NULL;
	s->part = s->w ? hs_alloc((s->chunks + 1) * part_size(k, d), sizeof(double), err) : NULL;
	if (!s->part)
		return -1;
	s->ahead = s->h + k * p;
	s->h_new = s->ahead + k * p;
	s->grad = s->h_new + k * p;
	s->centred = s->grad + k * p;
	s->hz = s->centred + k * p;
	s->gram = s->hz + k * d;
	s->y = s->gram + k * k;               /* and two more of its size behind it */
	s->sum = s->part + s->chunks * part_size(k, d);
	s->v = axes;
	return 0;
}

static bool used(const struct problem *s, size_t i)
{
	return !(s->cloud->skip && s->cloud->skip[i]);
}

static void times(bool turned, size_t m, size_t n, size_t inner, const double *a, const double *b, double *c)
{
	cblas_dgemm(CblasRowMajor, CblasNoTrans, turned ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)inner, 1, a, (int)inner, b,
		(int)(turned ? inner : n), 0, c, (int)n);
}

/* What depends on H alone. */
static void look_at_h(struct problem *s)
{
	const size_t k = s->k, p = s->p;
	for (size_t j = 0; j < k; j++)
		for (size_t c = 0; c < p; c++)
			s->centred[j * p + c] = s->h[j * p + c] - s->m[c];
	times(true, k, s->d, p, s->centred, s->v, s->hz);
	times(true, k, k, p, s->centred, s->centred, s->gram);
}

/* Largest eigenvalue of a symmetric k x k matrix, an upper bound by its largest row sum when that fails. */
static double largest_eigenvalue(const double *a, size_t k)
{
	double copy[WIDEST * WIDEST], value[WIDEST], bound = 0;
	struct hs_err ignored = { 0 };
	memcpy(copy, a, k * k * sizeof *copy);
	if (hs_la_eigh(copy, k, 0, value, NULL, &ignored) == 0)
		return value[0];
	for (size_t i = 0; i < k; i++) {
		double row = 0;
		for (size_t j = 0; j < k; j++)
			row += fabs(a[i * k + j]);
		bound = fmax(bound, row);
	}
	return bound;
}

/* --- abundances ---------------------------------------------------------------------------------------------------- */

/* The point of the unit simplex nearest to v, in place (Held, Wolfe, Crowder, Math. Program. 6, 1974, 62). */
static void onto_simplex(double *v, size_t k)
{
	double sorted[WIDEST], sum = 0, theta = 0;
	memcpy(sorted, v, k * sizeof *sorted);
	for (size_t i = 1; i < k; i++)        /* descending, by insertion: k is small */
		for (size_t j = i; j && sorted[j] > sorted[j - 1]; j--) {
			const double t = sorted[j];
			sorted[j] = sorted[j - 1];
			sorted[j - 1] = t;
		}
	for (size_t j = 0; j < k; j++) {
		sum += sorted[j];
		const double t = (sum - 1) / (double)(j + 1);
		if (sorted[j] > t)
			theta = t;
	}
	for (size_t j = 0; j < k; j++)
		v[j] = v[j] > theta ? v[j] - theta : 0;
}

/* STEPS accelerated projected gradient steps on 1/2 w A w - w b. */
static void move_w(const double *gram, const double *b, size_t k, double lipschitz, double *w)
{
	double ahead[WIDEST], next[WIDEST], t = 1;
	memcpy(ahead, w, k * sizeof *ahead);
	memcpy(next, w, k * sizeof *next);
	for (size_t s = 0; s < STEPS; s++) {
		const double t_next = 0.5 * (1 + sqrt(1 + 4 * t * t));
		double uphill = 0;
		for (size_t j = 0; j < k; j++)
			next[j] = ahead[j] - (hs_dot(gram + j * k, ahead, k) - b[j]) / lipschitz;
		onto_simplex(next, k);
		for (size_t j = 0; j < k; j++)
			uphill += (ahead[j] - next[j]) * (next[j] - w[j]);
		/* momentum that leads uphill is dropped */
		const double momentum = uphill > 0 ? 0 : (t - 1) / t_next;
		t = uphill > 0 ? 1 : t_next;
		for (size_t j = 0; j < k; j++) {
			ahead[j] = next[j] + momentum * (next[j] - w[j]);
			w[j] = next[j];
		}
	}
}

static double misfit(const struct problem *s, const double *perpendicular, const double *z, const double *w)
{
	const size_t k = s->k, d = s->d;
	double sum = 0;
	for (size_t c = 0; c < d; c++) {
		double r = z[c] * s->scale;
		for (size_t j = 0; j < k; j++)
			r -= w[j] * s->hz[j * d + c];
		sum += r * r;
	}
	for (size_t j = 0; j < k; j++)
		sum += w[j] * hs_dot(perpendicular + j * k, w, k);
	return sum;
}

/* All rows of W one turn on (unless only looking), and the sums over rows that H needs. Returns the misfit. */
static double turn_w(struct problem *s, bool move)
{
	const size_t k = s->k, d = s->d, size = part_size(k, d);
	const double lipschitz = largest_eigenvalue(s->gram, k) * (1 + 1e-12);
	double *perpendicular = s->y + 2 * k * k;
	times(true, k, k, d, s->hz, s->hz, perpendicular);
	for (size_t i = 0; i < k * k; i++)
		perpendicular[i] = s->gram[i] - perpendicular[i];
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (s->chunks >= MANY)
	for (size_t c = 0; c < s->chunks; c++) {
		double *ww = s->part + c * size, *wz = ww + k * k, *one = wz + k * d, b[WIDEST];
		memset(ww, 0, size * sizeof *ww);
		for (size_t i = c * CHUNK; i < (c + 1) * CHUNK && i < s->n; i++) {
			const double *z = s->cloud->z + i * d;
			double *w = s->w + i * k;
			if (!used(s, i))
				continue;
			for (size_t j = 0; j < k; j++)
				b[j] = s->scale * hs_dot(s->hz + j * d, z, d);
			if (move && lipschitz > 0)
				move_w(s->gram, b, k, lipschitz, w);
			for (size_t j = 0; j < k; j++) {
				one[j] += w[j];
				for (size_t l = 0; l < k; l++)
					ww[j * k + l] += w[j] * w[l];
				for (size_t l = 0; l < d; l++)
					wz[j * d + l] += w[j] * z[l] * s->scale;
			}
			one[k] += misfit(s, perpendicular, z, w);
		}
	}
	memset(s->sum, 0, size * sizeof *s->sum);
	for (size_t c = 0; c < s->chunks; c++)
		hs_add(s->sum, s->part + c * size, size);
	return s->sum[size - 1];
}

/* --- endmembers ---------------------------------------------------------------------------------------------------- */

/* ln det(H H^T + delta I), and its inverse into y. */
static double volume(struct problem *s)
{
	const size_t k = s->k;
	double log_det = 0;
	times(true, k, k, s->p, s->h, s->h, s->y);
	for (size_t j = 0; j < k; j++)
		s->y[j * k + j] += s->delta;
	return hs_la_invert(s->y, k, &log_det) ? log_det : INFINITY;
}

/* STEPS accelerated projected gradient steps on 1/2 tr H^T (W^T W + lambda Y) H - tr H^T W^T X, H >= 0. */
static void turn_h(struct problem *s)
{
	const size_t k = s->k, p = s->p, d = s->d;
	const double *ww = s->sum, *wz = ww + k * k, *one = wz + k * d;
	double *curve = s->y + k * k, t = 1;
	for (size_t i = 0; i < k * k; i++)
		curve[i] = ww[i] + s->lambda * s->y[i];
	const double lipschitz = largest_eigenvalue(curve, k) * (1 + 1e-12);
	if (!(lipschitz > 0))
		return;
	double *wx = s->centred;              /* not needed until H is looked at again */
	times(false, k, p, d, wz, s->v, wx);
	for (size_t j = 0; j < k; j++)
		cblas_daxpy((int)p, one[j], s->m, 1, wx + j * p, 1);
	memcpy(s->ahead, s->h, k * p * sizeof *s->h);
	for (size_t step = 0; step < STEPS; step++) {
		const double t_next = 0.5 * (1 + sqrt(1 + 4 * t * t)), momentum = (t - 1) / t_next;
		times(false, k, p, k, curve, s->ahead, s->grad);
		for (size_t i = 0; i < k * p; i++) {
			const double x = s->ahead[i] - (s->grad[i] - wx[i]) / lipschitz;
			s->h_new[i] = x > 0 ? x : 0;
			s->ahead[i] = s->h_new[i] + momentum * (s->h_new[i] - s->h[i]);
		}
		memcpy(s->h, s->h_new, k * p * sizeof *s->h);
		t = t_next;
	}
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

/* Scale, H from the start, W from barycentric coordinates put onto the simplex. */
static int begin(struct problem *s, const double *mean, const double *spectrum, struct hs_err *err)
{
	const size_t k = s->k, p = s->p, d = s->d;
	double square = 0, *map = s->y;
	for (size_t i = 0; i < k * p; i++) {
		s->h[i] = spectrum[i] > 0 ? spectrum[i] : 0;
		square += s->h[i] * s->h[i] / (double)k;
	}
	if (!(square > 0) || !isfinite(square))
		return hs_fail(err, HS_BAD_DATA, "the endmembers to begin from are nowhere above zero");
	s->scale = 1 / sqrt(square);
	for (size_t i = 0; i < k * p; i++)
		s->h[i] *= s->scale;
	for (size_t c = 0; c < p; c++)
		s->m[c] = mean[c] * s->scale;
	look_at_h(s);
	for (size_t i = 0; i < k * d; i++)
		s->hz[i] /= s->scale;
	if (!hs_simplex_map(s->hz, k, map, NULL))
		return hs_fail(err, HS_BAD_DATA, "the endmembers to begin from span no simplex");
	for (size_t i = 0; i < s->n; i++) {
		hs_simplex_coordinates(map, k, s->cloud->z + i * d, s->w + i * k);
		onto_simplex(s->w + i * k, k);
	}
	look_at_h(s);
	return 0;
}

static void run(struct problem *s, const struct hs_minvol_options *o, struct hs_minvol *out)
{
	size_t n_used = 0;
	for (size_t i = 0; i < s->n; i++)
		n_used += used(s, i);
	const double beyond = (double)n_used * o->beyond * s->scale * s->scale;
	double log_det = volume(s), fit = turn_w(s, true);
	s->lambda = out->lambda * (fit + beyond) / fmax(fabs(log_det), 1e-3);
	double f = fit + beyond + s->lambda * log_det;
	const double yardstick = fit + beyond;
	for (size_t iter = 0; iter < o->max_iter && !out->converged && !out->stopped; iter++) {
		turn_h(s);
		look_at_h(s);
		log_det = volume(s);
		fit = turn_w(s, true);
		const double now = fit + beyond + s->lambda * log_det;
		out->n_iter++;
		out->converged = fabs(f - now) <= o->tol * yardstick;
		f = now;
		out->stopped = o->stop && o->stop(o->stop_ctx);
	}
	out->objective = f;
}

int hs_minvol(const struct hs_cloud *cloud, const double *mean, const double *axes, size_t n_chan, size_t k,
	const struct hs_minvol_options *options, double *spectrum, struct hs_minvol *out, struct hs_err *err)
{
	struct problem s;
	*out = (struct hs_minvol){ .lambda = options->lambda < 0 ? 0.1 : options->lambda };
	if (k < 2 || k > WIDEST || cloud->d + 1 != k || !(options->delta > 0) || !options->max_iter)
		return hs_fail(err, HS_USAGE, "%zu endmembers in %zu dimensions cannot be factorised", k, cloud->d);
	int verdict = problem_init(&s, cloud, axes, n_chan, k, err);
	s.delta = options->delta;
	if (verdict == 0)
		verdict = begin(&s, mean, spectrum, err);
	if (verdict == 0) {
		run(&s, options, out);
		for (size_t i = 0; i < k * n_chan; i++)
			spectrum[i] = s.h[i] / s.scale;
	}
	problem_release(&s);
	return verdict;
}

struct hs_minvol_options hs_minvol_defaults(void)
{
	return (struct hs_minvol_options){ .lambda = -1, .delta = 0.01, .max_iter = 200, .tol = 1e-6 };
}
