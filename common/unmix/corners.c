#include "unmix/corners.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unmix/minvol.h"
#include "unmix/sisal.h"
#include "math/vector.h"

#define LAMBDA_FAR 0.1                    /* relative weight of the volume from means of pixels, which are too far in */
#define LAMBDA_NEAR 0.01                  /* and from SISAL, which is about right: what is left is to be nowhere below zero */
#define LEAST_SHARE 0.5                   /* a pixel with less of an endmember says nothing about it */

static bool used(const struct hs_corners *c, size_t i)
{
	return !(c->cloud.skip && c->cloud.skip[i]);
}

static void note_stop(struct hs_corners *c, bool stopped)
{
	if (stopped)
		c->out->status = HS_ENDMEMBER_STOPPED;
}

/* Corners where the pixels are. */
static void take_pixels(struct hs_corners *c)
{
	const size_t d = c->k - 1;
	for (size_t j = 0; j < c->k; j++)
		memcpy(c->corner + j * d, c->cloud.z + c->pixel[j] * d, d * sizeof *c->corner);
}

static void spectra_of_corners(struct hs_corners *c)
{
	for (size_t j = 0; j < c->k; j++)
		hs_reduce_spectrum(c->r, c->corner + j * (c->k - 1), c->spectrum + j * c->r->n_chan);
}

static void no_pixels(struct hs_corners *c)
{
	for (size_t j = 0; j < c->k; j++)
		c->pixel[j] = HS_NO_PIXEL;
}

/* --- methods that pick pixels -------------------------------------------------------------------------------------- */

static int enough(size_t found, size_t wanted, struct hs_err *err)
{
	return found == wanted ? 0 : hs_fail(err, HS_BAD_DATA, "the spectra have only %zu corners, %zu endmembers are wanted", found,
		wanted);
}

static int spa(struct hs_corners *c, struct hs_err *err)
{
	size_t found;
	if (hs_spa(&c->cloud, c->k, c->pixel, &found, err) < 0 || enough(found, c->k, err) < 0)
		return -1;
	take_pixels(c);
	return 0;
}

static int nfindr(struct hs_corners *c, struct hs_err *err)
{
	double log_volume;
	bool stopped;
	if (spa(c, err) < 0
		|| hs_nfindr(&c->cloud, c->pixel, &c->out->n_iter, &log_volume, c->opt->stop, c->opt->stop_ctx, &stopped, err) < 0)
		return -1;
	note_stop(c, stopped);
	take_pixels(c);
	return 0;
}

/* k coordinates for VCA. Bright: the linear subspace of mean and axes, every point divided by its part along the mean, which
 * takes brightness out (the paper's projective projection). Otherwise the affine coordinates and a constant, the largest of
 * lengths. */
static double *vca_view(const struct hs_corners *c, struct hs_err *err)
{
	const size_t n = c->cloud.n, k = c->k, d = k - 1, p = c->r->n_chan;
	double *y = hs_alloc(n, k * sizeof *y, err), u[64], largest = 0, least = INFINITY;
	if (!y)
		return NULL;
	u[d] = c->r->height ? 0 : 1;
	for (size_t a = 0; a < d; a++)
		u[a] = hs_dot(c->r->mean, c->r->axes + a * p, p);
	double n_used = 0;
	for (size_t i = 0; i < n; i++) {
		largest = fmax(largest, used(c, i) ? hs_dot(c->cloud.z + i * d, c->cloud.z + i * d, d) : 0);
		if (c->r->height && used(c, i)) {
			u[d] += c->r->height[i];
			n_used++;
		}
	}
	u[d] /= n_used > 0 ? n_used : 1;
	for (size_t i = 0; i < n; i++) {
		for (size_t a = 0; a < d; a++)
			y[i * k + a] = c->cloud.z[i * d + a] + u[a];
		y[i * k + d] = c->r->height ? c->r->height[i] : 0;
		if (used(c, i))
			least = fmin(least, hs_dot(y + i * k, u, k));
	}
	/* all on one side of the origin, and the mean not in the plane of the axes: division does no harm */
	const double square = hs_dot(u, u, k);
	const bool projective = c->bright && c->r->height && least > 1e-3 * square && u[d] * u[d] > 1e-12 * square;
	for (size_t i = 0; i < n; i++) {
		if (!used(c, i))
			continue;
		const double along = projective ? hs_dot(y + i * k, u, k) / square : 1;
		for (size_t a = 0; a < k; a++)
			y[i * k + a] = projective ? y[i * k + a] / along : a < d ? c->cloud.z[i * d + a] : sqrt(largest);
	}
	return y;
}

static int vca(struct hs_corners *c, struct hs_err *err)
{
	const size_t k = c->k;
	double *y = vca_view(c, err), *map = y ? hs_alloc(k * k, sizeof *map, err) : NULL, best = -INFINITY;
	size_t *pixel = map ? hs_alloc(k, sizeof *pixel, err) : NULL;
	int verdict = pixel ? 0 : -1;
	for (size_t run = 0; run < c->opt->restarts && verdict == 0 && c->out->status != HS_ENDMEMBER_STOPPED; run++) {
		size_t found;
		double log_volume;
		verdict = hs_vca(y, c->cloud.skip, c->cloud.n, k, c->opt->seed, run, pixel, &found, err);
		c->out->n_iter++;
		if (verdict < 0 || found < k)
			continue;
		for (size_t j = 0; j < k; j++)
			memcpy(c->corner + j * (k - 1), c->cloud.z + pixel[j] * (k - 1), (k - 1) * sizeof *c->corner);
		if (hs_simplex_map(c->corner, k, map, &log_volume) && log_volume > best) {
			best = log_volume;
			memcpy(c->pixel, pixel, k * sizeof *pixel);
		}
		note_stop(c, c->opt->stop && c->opt->stop(c->opt->stop_ctx));
	}
	if (verdict == 0 && !(best > -INFINITY))
		verdict = enough(0, k, err);
	free(y);
	free(map);
	free(pixel);
	if (verdict == 0)
		take_pixels(c);
	return verdict;
}

static int ppi(struct hs_corners *c, struct hs_err *err)
{
	size_t found = 0;
	bool stopped = false;
	uint32_t *vote = hs_alloc(c->cloud.n, sizeof *vote, err);
	const struct hs_endmember_options *o = c->opt;
	int verdict = vote ? hs_ppi(&c->cloud, o->skewers, o->seed, vote, o->stop, o->stop_ctx, &stopped, err) : -1;
	if (verdict == 0)
		verdict = hs_ppi_pick(&c->cloud, vote, c->k, c->pixel, &found, err);
	if (verdict == 0)
		verdict = enough(found, c->k, err);
	free(vote);
	note_stop(c, stopped);
	c->out->n_iter = c->opt->skewers;
	if (verdict == 0)
		take_pixels(c);
	return verdict;
}

/* --- methods that need no pure pixels ------------------------------------------------------------------------------ */

/* From the corners that are there. */
static int enclose(struct hs_corners *c, struct hs_sisal *fit, struct hs_err *err)
{
	struct hs_sisal_options o = hs_sisal_defaults(c->noise);
	o.tau = c->opt->tau;
	o.max_iter = c->opt->max_iter;
	o.stop = c->opt->stop;
	o.stop_ctx = c->opt->stop_ctx;
	if (hs_sisal(&c->cloud, &o, c->corner, fit, err) < 0)
		return -1;
	note_stop(c, fit->stopped);
	no_pixels(c);
	return 0;
}

static int sisal(struct hs_corners *c, struct hs_err *err)
{
	struct hs_sisal fit;
	if (nfindr(c, err) < 0 || enclose(c, &fit, err) < 0)
		return -1;
	c->out->tau = fit.tau;
	c->out->n_iter = fit.n_iter;
	if (!fit.converged && c->out->status == HS_ENDMEMBER_DONE)
		c->out->status = HS_ENDMEMBER_MAXITER;
	return 0;
}

/* From the spectra that are there. */
static int minvol(struct hs_corners *c, double lambda, struct hs_err *err)
{
	struct hs_minvol fit;
	struct hs_minvol_options o = hs_minvol_defaults();
	o.lambda = c->opt->lambda < 0 ? lambda : c->opt->lambda;
	o.beyond = c->beyond;
	o.max_iter = c->opt->max_iter;
	o.stop = c->opt->stop;
	o.stop_ctx = c->opt->stop_ctx;
	if (hs_minvol(&c->cloud, c->r->mean, c->r->axes, c->r->n_chan, c->k, &o, c->spectrum, &fit, err) < 0)
		return -1;
	c->out->lambda = fit.lambda;
	c->out->n_iter = fit.n_iter;
	note_stop(c, fit.stopped);
	if (!fit.converged && c->out->status == HS_ENDMEMBER_DONE)
		c->out->status = HS_ENDMEMBER_MAXITER;
	for (size_t j = 0; j < c->k; j++)
		hs_reduce_project(c->r, c->spectrum + j * c->r->n_chan, c->corner + j * (c->k - 1));
	no_pixels(c);
	return 0;
}

/* The smallest simplex as a start, or N-FINDR's where there is none. */
static int minvol_from_sisal(struct hs_corners *c, struct hs_err *err)
{
	struct hs_sisal fit;
	struct hs_err failed = { 0 };
	if (nfindr(c, err) < 0)
		return -1;
	spectra_of_corners(c);
	const bool enclosed = enclose(c, &fit, &failed) == 0;
	if (!enclosed && failed.status != HS_BAD_DATA) {
		*err = failed;
		return -1;
	}
	if (enclosed)
		spectra_of_corners(c);
	return c->out->status == HS_ENDMEMBER_STOPPED ? 0 : minvol(c, enclosed ? LAMBDA_NEAR : LAMBDA_FAR, err);
}

/* --- the mean of the purest ---------------------------------------------------------------------------------------- */

struct rated {
	double abundance;
	size_t pixel;
};

static int purer_first(const void *a, const void *b)
{
	const struct rated *x = a, *y = b;
	if (x->abundance != y->abundance)
		return x->abundance > y->abundance ? -1 : 1;
	return x->pixel < y->pixel ? -1 : 1;
}

/* The pixels with most of endmember j, at most `most`, none with less than LEAST_SHARE; the corner itself has 1. */
static size_t purest_of(const struct hs_corners *c, const double *map, size_t j, size_t most, struct rated *list, size_t *member)
{
	const size_t k = c->k, d = k - 1;
	size_t n = 0;
	for (size_t i = 0; i < c->cloud.n; i++) {
		if (!used(c, i))
			continue;
		const double a = map[j * k] + hs_dot(map + j * k + 1, c->cloud.z + i * d, d);
		if (a >= LEAST_SHARE)
			list[n++] = (struct rated){ a, i };
	}
	qsort(list, n, sizeof *list, purer_first);
	n = n < most ? n : most;
	for (size_t i = 0; i < n; i++)
		member[i] = list[i].pixel;
	return n;
}

/* One more pass over the data: spectra become means, which are not confined to the subspace. */
static int average_purest(struct hs_corners *c, struct hs_err *err)
{
	const size_t k = c->k, n_used = c->r->n_used;
	const size_t most = (size_t)fmax(1, floor(c->opt->purest * (double)n_used + 0.5));
	double *map = hs_alloc(k * k, sizeof *map, err);
	struct rated *list = map ? hs_alloc(n_used, sizeof *list, err) : NULL;
	size_t *member = list ? hs_alloc(k * most + k, sizeof *member, err) : NULL, at = 0;
	int verdict = member ? 0 : -1;
	if (verdict == 0 && !hs_simplex_map(c->corner, k, map, NULL))
		verdict = hs_fail(err, HS_BAD_DATA, "the spectra do not span a simplex of %zu corners", k);
	if (verdict == 0) {
		size_t *count = member + k * most;
		for (size_t j = 0; j < k; j++)
			at += count[j] = purest_of(c, map, j, most, list, member + at);
		free(list);
		list = NULL;
		verdict = hs_reduce_group_means(c->r, c->rows, member, count, k, c->spectrum, err);
	}
	for (size_t j = 0; verdict == 0 && j < k; j++)
		hs_reduce_project(c->r, c->spectrum + j * c->r->n_chan, c->corner + j * (k - 1));
	if (verdict == 0 && most > 1)
		no_pixels(c);
	free(map);
	free(list);
	free(member);
	return verdict;
}

static int automatic(struct hs_corners *c, struct hs_err *err)
{
	if (nfindr(c, err) < 0)
		return -1;
	spectra_of_corners(c);
	if (c->opt->purest > 0 && average_purest(c, err) < 0)
		return -1;
	return c->opt->min_volume && c->out->status != HS_ENDMEMBER_STOPPED ? minvol(c, LAMBDA_FAR, err) : 0;
}

int hs_corners_find(struct hs_corners *c, struct hs_err *err)
{
	int verdict = -1;
	switch (c->opt->method) {
	case HS_ENDMEMBER_AUTO:
		return automatic(c, err);
	case HS_ENDMEMBER_MINVOL:
		return minvol_from_sisal(c, err);
	case HS_ENDMEMBER_NFINDR:
		verdict = nfindr(c, err);
		break;
	case HS_ENDMEMBER_SPA:
		verdict = spa(c, err);
		break;
	case HS_ENDMEMBER_VCA:
		verdict = vca(c, err);
		break;
	case HS_ENDMEMBER_PPI:
		verdict = ppi(c, err);
		break;
	case HS_ENDMEMBER_SISAL:
		verdict = sisal(c, err);
		break;
	}
	if (verdict == 0)
		spectra_of_corners(c);
	return verdict;
}
