#include "unmix/gibbs.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

/* --- truncated normal --------------------------------------------------------------------------------------------- */

/* low >= 0: from the tail. */
static double tail(struct hs_rng *rng, double low, double high)
{
	if (low > 1e6) {                      /* exponential to all digits */
		const double x = low + hs_rng_exponential(rng) / low;
		return x < high ? x : high - low > 1 / low ? low : low + hs_rng_uniform(rng) * (high - low);
	}
	const double root = sqrt(low * low + 4), rate = (low + root) / 2,
		     narrow = 2 / (low + root) * exp((low * low - low * root) / 4 + 0.5);
	for (;;) {
		if (high > low + narrow) {
			const double x = low + hs_rng_exponential(rng) / rate;
			if (x <= high && hs_rng_uniform(rng) <= exp(-(x - rate) * (x - rate) / 2))
				return x;
		} else {
			const double x = low + hs_rng_uniform(rng) * (high - low);
			if (hs_rng_uniform(rng) <= exp((low - x) * (low + x) / 2))
				return x;
		}
	}
}

static double standard(struct hs_rng *rng, double low, double high)
{
	if (low >= 0)
		return tail(rng, low, high);
	if (high <= 0)
		return -tail(rng, -high, -low);
	const bool wide = high - low > 2.5066282746310002;    /* sqrt(2 pi) */
	for (;;) {
		const double x = wide ? hs_rng_normal(rng) : low + hs_rng_uniform(rng) * (high - low);
		if (wide ? x >= low && x <= high : hs_rng_uniform(rng) <= exp(-x * x / 2))
			return x;
	}
}

double hs_truncated_normal(struct hs_rng *rng, double mean, double sd, double low, double high)
{
	if (!(low < high))
		return low;
	if (isinf(sd))
		return low + hs_rng_uniform(rng) * (high - low);
	const double a = (low - mean) / sd, b = (high - mean) / sd;
	if (!(sd > 0) || !(a < b) || a > 1e150 || b < -1e150)
		return fmin(fmax(mean, low), high);
	const double x = mean + sd * standard(rng, a, b);
	return fmin(fmax(x, low), high);
}

/* --- the subspace ------------------------------------------------------------------------------------------------- */

void hs_gibbs_space_release(struct hs_gibbs_space *s)
{
	free(s->origin);
	free(s->basis);
	free(s->weight);
	free(s->t);
	*s = (struct hs_gibbs_space){ 0 };
}

static int set_units(struct hs_gibbs_space *s, const double *spectra, const struct hs_blu_options *o, struct hs_err *err)
{
	double most = 0, heaviest = 0;
	for (size_t i = 0; i < s->k * s->p; i++) {
		if (!isfinite(spectra[i]))
			return hs_fail(err, HS_BAD_DATA, "an endmember holds a value that is not finite");
		most = fmax(most, fabs(spectra[i]));
	}
	const int power = most > 0 ? ilogb(most) : 0;
	s->scale = ldexp(1, power > 1000 ? -1000 : power < -1000 ? 1000 : -power);
	for (size_t c = 0; c < s->p; c++) {
		const double w = o->weight ? o->weight[c] : 1;
		if (!(w >= 0) || !isfinite(w))
			return hs_fail(err, HS_BAD_DATA, "weight %zu of the channels is negative or not finite", c);
		s->weight[c] = w;
		s->n_live += w > 0;
		heaviest = fmax(heaviest, w);
	}
	for (size_t c = 0; c < s->p && heaviest > 0; c++)
		s->weight[c] /= heaviest;
	return 0;
}

/* Origin and orthonormal basis, then the endmembers in it. */
static void lay_out(struct hs_gibbs_space *s, const double *spectra, const struct hs_blu_options *o, double *row)
{
	const size_t k = s->k, p = s->p;
	double *centre = s->t;
	for (size_t c = 0; c < p; c++) {
		const double f = s->scale * s->weight[c];
		double mean = 0;
		for (size_t j = 0; j < k; j++)
			mean += spectra[j * p + c] * f / (double)k;
		s->origin[c] = o->mean ? o->mean[c] * f : mean;
		for (size_t l = 0; l < s->d; l++)
			s->basis[l * p + c] = o->mean ? o->axes[l * p + c] * s->weight[c] : spectra[l * p + c] * f - mean;
	}
	hs_la_orthonormalise(s->basis, s->d, p);
	for (size_t j = 0; j < k; j++) {
		for (size_t c = 0; c < p; c++)
			row[c] = spectra[j * p + c] * s->scale * s->weight[c] - s->origin[c];
		for (size_t l = 0; l < s->d; l++)
			s->t[j * s->d + l] = cblas_ddot((int)p, row, 1, s->basis + l * p, 1);
	}
	for (size_t l = 0; l < s->d; l++) {
		double mean = 0;
		for (size_t j = 0; j < k; j++)
			mean += centre[j * s->d + l] / (double)k;
		for (size_t j = 0; j < k; j++)
			s->apart += (centre[j * s->d + l] - mean) * (centre[j * s->d + l] - mean) / (double)k;
	}
	s->apart = sqrt(s->apart);
}

int hs_gibbs_space_init(struct hs_gibbs_space *s, const double *spectra, size_t k, size_t p, const struct hs_blu_options *o,
	struct hs_err *err)
{
	*s = (struct hs_gibbs_space){ .k = k, .p = p, .d = k - 1 < p ? k - 1 : p, .row_sum = o->row_sum };
	s->origin = hs_alloc(p, sizeof(double), err);
	s->basis = s->origin ? hs_alloc(s->d * p, sizeof(double), err) : NULL;
	s->weight = s->basis ? hs_alloc(p, sizeof(double), err) : NULL;
	s->t = s->weight ? hs_alloc(k * s->d, sizeof(double), err) : NULL;
	double *row = s->t ? hs_alloc(p, sizeof(double), err) : NULL;
	const int verdict = row ? set_units(s, spectra, o, err) : -1;
	if (verdict == 0)
		lay_out(s, spectra, o, row);
	free(row);
	return verdict;
}

bool hs_gibbs_enter(const struct hs_gibbs_space *s, const struct hs_block *b, size_t i, double *x, double *y, double *z,
	double *outside, double *undo)
{
	const size_t p = s->p;
	double factor = s->scale, sum = 0;
	if (b->skip[i])
		return false;
	for (size_t c = 0; c < p; c++) {
		x[c] = b->type == HS_ROW_F64 ? ((const double *)b->x)[i * p + c] : (double)((const float *)b->x)[i * p + c];
		sum += x[c];
	}
	if (s->row_sum > 0) {
		if (!(sum > 0))
			return false;
		factor *= s->row_sum / sum;
	}
	for (size_t c = 0; c < p; c++) {
		x[c] *= factor;
		y[c] = x[c] * s->weight[c] - s->origin[c];
	}
	for (size_t l = 0; l < s->d; l++)
		z[l] = cblas_ddot((int)p, y, 1, s->basis + l * p, 1);
	for (size_t l = 0; l < s->d; l++)
		cblas_daxpy((int)p, -z[l], s->basis + l * p, 1, y, 1);
	*outside = cblas_ddot((int)p, y, 1, y, 1);
	*undo = 1 / factor;
	return isfinite(*outside);
}

/* --- one state of the endmembers ---------------------------------------------------------------------------------- */

size_t hs_gibbs_state_doubles(size_t k, size_t d)
{
	return k * d + 2 * k * k + 2 * k * d + 2 * k;
}

struct hs_gibbs_state hs_gibbs_state_at(double *at, size_t k, size_t d)
{
	return (struct hs_gibbs_state){ .t = at, .way = at + k * d, .moves = at + k * d + 2 * k * k,
		.square = at + k * d + 2 * k * k + 2 * k * d };
}

int hs_gibbs_find_ways(struct hs_gibbs_state *w, size_t k, size_t d, struct hs_err *err)
{
	double *g = hs_alloc(k * k, sizeof *g, err), *value = g ? hs_alloc(k, sizeof *value, err) : NULL,
	       *centred = value ? hs_alloc(k * d, sizeof *centred, err) : NULL;
	w->n_way = 0;
	for (size_t l = 0; centred && l < d; l++) {
		double mean = 0;
		for (size_t j = 0; j < k; j++)
			mean += w->t[j * d + l] / (double)k;
		for (size_t j = 0; j < k; j++)
			centred[j * d + l] = w->t[j * d + l] - mean;
	}
	if (centred && d)
		cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)k, (int)d, 1, centred, (int)d, 0, g, (int)k);
	const int verdict = centred ? hs_la_eigh(g, k, k, value, w->way, err) : -1;
	for (size_t i = 0; verdict == 0 && i < 2 * k; i++) {
		double *way = w->way + w->n_way * k, mean = 0, length = 0;
		if (i < k)
			memmove(way, w->way + i * k, k * sizeof *way);
		else
			for (size_t j = 0; j < k; j++)
				way[j] = j == i - k ? 1 : j == (i - k + 1) % k ? -1 : 0;
		for (size_t j = 0; j < k; j++)
			mean += way[j] / (double)k;
		for (size_t j = 0; j < k; j++) {
			way[j] -= mean;
			length += way[j] * way[j];
		}
		if (length < 1e-6)            /* all alike: not a direction of the simplex */
			continue;
		double *moves = w->moves + w->n_way * d, square = 0;
		for (size_t l = 0; l < d; l++) {
			moves[l] = 0;
			for (size_t j = 0; j < k; j++)
				moves[l] += way[j] * w->t[j * d + l];
			square += moves[l] * moves[l];
		}
		w->square[w->n_way++] = square;
	}
	free(g);
	free(value);
	free(centred);
	return verdict;
}

/* --- one step of a pixel ------------------------------------------------------------------------------------------ */

/* As far as abundances allow: a + s way >= 0. */
static void reach(const double *a, const double *way, size_t k, double *low, double *high)
{
	*low = -DBL_MAX;
	*high = DBL_MAX;
	for (size_t j = 0; j < k; j++) {
		if (way[j] > 0)
			*low = fmax(*low, -a[j] / way[j]);
		else if (way[j] < 0)
			*high = fmin(*high, -a[j] / way[j]);
	}
}

void hs_gibbs_step(const struct hs_gibbs_space *s, const struct hs_gibbs_state *w, struct hs_gibbs_pixel *x, struct hs_rng *rng)
{
	const size_t k = s->k, d = s->d;
	double rest = x->outside + w->psi, sum = 0;
	for (size_t l = 0; l < d; l++) {
		x->left[l] = x->z[l];
		for (size_t j = 0; j < k; j++)
			x->left[l] -= x->a[j] * w->t[j * d + l];
		rest += x->left[l] * x->left[l];
	}
	x->variance = fmax(rest / 2 / hs_rng_gamma(rng, 1 + (double)s->n_live / 2), HS_GIBBS_LEAST_NOISE);
	for (size_t i = 0; i < w->n_way; i++) {
		const double *way = w->way + i * k, *moves = w->moves + i * d;
		double low, high, along = 0;
		reach(x->a, way, k, &low, &high);
		for (size_t l = 0; l < d; l++)
			along += moves[l] * x->left[l];
		const bool felt = w->square[i] > DBL_MIN;
		const double by = hs_truncated_normal(rng, felt ? along / w->square[i] : 0,
			felt ? sqrt(x->variance / w->square[i]) : (double)INFINITY, low, high);
		for (size_t j = 0; j < k; j++)
			x->a[j] = fmax(x->a[j] + by * way[j], 0);
		for (size_t l = 0; l < d; l++)
			x->left[l] -= by * moves[l];
	}
	for (size_t j = 0; j < k; j++)
		sum += x->a[j];
	for (size_t j = 0; j < k; j++)
		x->a[j] /= sum;
}

