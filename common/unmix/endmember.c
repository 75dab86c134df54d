#include "unmix/endmember.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "unmix/corners.h"
#include "unmix/minvol.h"
#include "math/par.h"
#include "unmix/reduce.h"
#include "unmix/sisal.h"
#include "math/smooth.h"

enum { CHUNK = 4096 };
#define COUNT_CHANNELS 512                /* up to here HySime and HFC are also asked when the number is given */
#define ALIKE 0.5                         /* neighbours have more in common than not: smoothing gains */

static const char *const method_name[] = { [HS_ENDMEMBER_AUTO] = "auto", [HS_ENDMEMBER_NFINDR] = "nfindr",
	[HS_ENDMEMBER_SPA] = "spa", [HS_ENDMEMBER_VCA] = "vca", [HS_ENDMEMBER_PPI] = "ppi", [HS_ENDMEMBER_SISAL] = "sisal",
	[HS_ENDMEMBER_MINVOL] = "minvol" };

const char *hs_endmember_method_name(enum hs_endmember_method method)
{
	return method_name[method];
}

struct hs_endmember_options hs_endmember_defaults(enum hs_endmember_method method, size_t k)
{
	return (struct hs_endmember_options){ .method = method, .k = k, .smooth = -1, .purest = 0.05, .restarts = 20, .skewers = 10000,
		.tau = -1, .lambda = -1, .max_iter = 200 };
}

void hs_endmembers_release(struct hs_endmembers *out)
{
	free(out->spectrum);
	free(out->pixel);
	free(out->share);
	free(out->mean);
	free(out->axes);
	free(out->noise);
	hs_purity_release(&out->purity);
	*out = (struct hs_endmembers){ 0 };
}

static int check(const struct hs_endmember_options *o, size_t n_rows, struct hs_err *err)
{
	if (o->k > HS_ENDMEMBERS_MOST)
		return hs_fail(err, HS_USAGE, "%zu endmembers are too many: at most %d", o->k, HS_ENDMEMBERS_MOST);
	if ((size_t)o->method >= HS_LEN(method_name))
		return hs_fail(err, HS_BUG, "no method has the number %d", (int)o->method);
	if (!(o->purest >= 0 && o->purest < 1) || !(o->smooth <= HS_SMOOTH_WIDEST))
		return hs_fail(err, HS_USAGE, "share of purest pixels %g or smoothing %g is out of range", o->purest, o->smooth);
	if (!o->restarts || !o->skewers || !o->max_iter || isnan(o->tau) || isnan(o->lambda))
		return hs_fail(err, HS_USAGE, "restarts, skewers and iterations must be at least one, tau and lambda numbers");
	if ((o->n_y || o->n_x) && (!o->n_y || !o->n_x || n_rows % (o->n_y * o->n_x)))
		return hs_fail(err, HS_USAGE, "%zu pixels do not make pictures of %zu x %zu", n_rows, o->n_y, o->n_x);
	return 0;
}

/* --- noise and number ---------------------------------------------------------------------------------------------- */

struct noise {
	double *variance;                     /* n_chan, of y */
	double *residual;                     /* n_chan x n_chan, or NULL */
	bool known;                           /* by regression */
};

/* What no number of endmembers explains, spread evenly: when channels cannot be regressed on each other. */
static void noise_of_tail(const struct hs_reduced *r, size_t signal, double *variance)
{
	double tail = 0;
	for (size_t i = signal; i < r->n_eig; i++)
		tail += r->eigenvalue[i];
	/* variances of n_used spectra in n_chan channels, of which `signal` directions are taken; a tail of rounding is none */
	const double floor = 1e-13 * (r->n_eig ? r->eigenvalue[0] : 0) * (double)r->n_eig;
	for (size_t j = 0; j < r->n_chan; j++)
		variance[j] = tail > floor ? tail / (double)(r->n_chan > signal ? r->n_chan - signal : 1) : 0;
}

static int find_noise(const struct hs_reduced *r, bool with_residual, struct noise *noise, struct hs_err *err)
{
	const size_t p = r->n_chan;
	noise->variance = hs_alloc(p, sizeof(double), err);
	if (!noise->variance)
		return -1;
	if (r->covariance && with_residual && !(noise->residual = hs_alloc(p * p, sizeof(double), err)))
		return -1;
	const int got = r->covariance ? hs_noise_by_regression(r->covariance, p, r->n_used, noise->variance, noise->residual, err) : 0;
	noise->known = got > 0;
	return got < 0 ? -1 : 0;
}

static void count_table(const struct hs_endmember_count *n, char *text, size_t room)
{
	char hysime[24] = "unknown", vd[80] = "unknown";
	if (n->hysime != HS_COUNT_UNKNOWN) {
		snprintf(hysime, sizeof hysime, "%zu", n->hysime);
		snprintf(vd, sizeof vd, "%zu, %zu, %zu", n->vd[0], n->vd[1], n->vd[2]);
	}
	snprintf(text, room, "HySime %s; virtual dimension at 1e-3, 1e-4, 1e-5: %s; Tracy-Widom %zu; Gavish-Donoho %zu",
		hysime, vd, n->tw, n->gd);
}

/* Noise, then the number by every rule; the result knows both afterwards. */
static int count(const struct hs_reduced *r, bool asked, struct noise *noise, struct hs_endmembers *out, struct hs_err *err)
{
	const size_t p = r->n_chan;
	char table[240];
	if (find_noise(r, asked || p <= COUNT_CHANNELS, noise, err) < 0
		|| hs_endmember_count(&out->count, r->covariance, r->mean, p, r->eigenvalue, r->n_eig, r->n_used,
			   noise->known ? noise->variance : NULL, noise->residual, HS_ENDMEMBERS_MOST, err) < 0)
		return -1;
	if (!noise->known)
		noise_of_tail(r, out->count.tw - 1, noise->variance);
	count_table(&out->count, table, sizeof table);
	hs_stage("endmembers: chosen %zu; %s", out->count.chosen, table);
	return 0;
}

/* Noise in the unit of the data, and against the signal. */
static int report_noise(const struct hs_reduced *r, const struct noise *noise, struct hs_endmembers *out, struct hs_err *err)
{
	const size_t p = r->n_chan;
	double power = 0, lost = 0, squares = 0;
	out->noise = hs_alloc(p, sizeof(double), err);
	if (!out->noise)
		return -1;
	for (size_t i = 0; i < r->n_eig; i++)
		power += r->eigenvalue[i];
	for (size_t j = 0; j < p; j++) {
		power += r->mean[j] * r->mean[j];
		lost += noise->variance[j];
		out->noise[j] = r->weight[j] > 0 ? sqrt(noise->variance[j]) / r->weight[j] * r->mean_sum / r->scale : 0;
		squares += out->noise[j] / (double)p * out->noise[j];
	}
	out->noise_rms = sqrt(squares);
	out->snr_db = lost > 0 ? 10 * log10(fmax(power - lost, 1e-30 * lost) / lost) : INFINITY;
	hs_stage("noise: %.3g per channel (root mean square, by %s), %.1f dB below the signal", out->noise_rms,
		noise->known ? "regression" : "small eigenvalues", out->snr_db);
	return 0;
}

/* Standard deviation that noise gives one coordinate of the first d, on average. */
static double noise_of_coordinates(const struct hs_reduced *r, const struct noise *noise, size_t d)
{
	double sum = 0;
	for (size_t c = 0; c < d; c++)
		for (size_t j = 0; j < r->n_chan; j++)
			sum += r->axes[c * r->n_chan + j] * r->axes[c * r->n_chan + j] * noise->variance[j];
	return d ? sqrt(sum / (double)d) : 0;
}

/* --- smoothing ----------------------------------------------------------------------------------------------------- */

static int smooth(const struct hs_endmember_options *o, struct hs_reduced *r, double *noise, struct hs_endmembers *out,
	struct hs_err *err)
{
	out->likeness = NAN;
	if (!o->n_y || !r->d)
		return 0;
	const size_t n_frames = r->n_rows / (o->n_y * o->n_x);
	double gain = 1, sigma = o->smooth;
	out->likeness = hs_neighbour_likeness(r->z, n_frames, o->n_y, o->n_x, r->d, r->skip, *noise);
	if (sigma < 0)
		sigma = o->method == HS_ENDMEMBER_AUTO && out->likeness > ALIKE ? 1 : 0;
	if (!(sigma > 0))
		return 0;
	if (hs_smooth_maps(r->z, n_frames, o->n_y, o->n_x, r->d, r->skip, sigma, &gain, err) < 0)
		return -1;
	*noise *= gain;
	out->smoothed = sigma;
	return 0;
}

/* --- from corners to the result ------------------------------------------------------------------------------------ */

/* Mean of the barycentric coordinates of all pixels, cut at zero and divided by their sum. */
static int find_shares(const struct hs_corners *c, double *share, double *log_volume, struct hs_err *err)
{
	const size_t k = c->k, d = k - 1, chunks = (c->cloud.n + CHUNK - 1) / CHUNK;
	double *map = hs_alloc(k * k, sizeof *map, err), *part = map ? hs_alloc(chunks * k, sizeof *part, err) : NULL, all = 0;
	const bool solid = part && hs_simplex_map(c->corner, k, map, log_volume);
	if (part && !solid)
		*log_volume = -INFINITY;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (chunks >= 4)
	for (size_t b = 0; b < (solid ? chunks : 0); b++)
		for (size_t i = b * CHUNK; i < (b + 1) * CHUNK && i < c->cloud.n; i++) {
			double a[HS_ENDMEMBERS_MOST], sum = 0;
			if (c->cloud.skip[i])
				continue;
			hs_simplex_coordinates(map, k, c->cloud.z + i * d, a);
			for (size_t j = 0; j < k; j++)
				sum += a[j] > 0 ? a[j] : 0;
			for (size_t j = 0; j < k; j++)
				part[b * k + j] += a[j] > 0 ? a[j] / sum : 0;
		}
	for (size_t j = 0; part && j < k; j++) {
		share[j] = solid ? 0 : 1;
		for (size_t b = 0; solid && b < chunks; b++)
			share[j] += part[b * k + j];
		all += share[j];
	}
	for (size_t j = 0; part && j < k; j++)
		share[j] /= all;
	const bool ran = part != NULL;
	free(map);
	free(part);
	return ran ? 0 : -1;
}

/* Largest share first. */
static int order(struct hs_corners *c, struct hs_endmembers *out, struct hs_err *err)
{
	const size_t k = c->k, d = k - 1, p = c->r->n_chan;
	double *corner = hs_alloc(k * k, sizeof *corner, err), *share = corner ? hs_alloc(k, sizeof *share, err) : NULL;
	size_t *pixel = share ? hs_alloc(k, sizeof *pixel, err) : NULL;
	double *spectrum = pixel ? hs_alloc(k * p, sizeof *spectrum, err) : NULL;
	for (size_t j = 0; spectrum && j < k; j++) {
		size_t best = SIZE_MAX;
		for (size_t l = 0; l < k; l++)
			if (out->share[l] >= 0 && (best == SIZE_MAX || out->share[l] > out->share[best]))
				best = l;
		share[j] = out->share[best];
		pixel[j] = c->pixel[best];
		memcpy(corner + j * d, c->corner + best * d, d * sizeof *corner);
		memcpy(spectrum + j * p, c->spectrum + best * p, p * sizeof *spectrum);
		out->share[best] = -1;        /* taken */
	}
	const bool ran = spectrum != NULL;
	if (ran) {
		memcpy(out->share, share, k * sizeof *share);
		memcpy(c->pixel, pixel, k * sizeof *pixel);
		memcpy(c->corner, corner, k * d * sizeof *corner);
		memcpy(c->spectrum, spectrum, k * p * sizeof *spectrum);
	}
	free(corner);
	free(share);
	free(pixel);
	free(spectrum);
	return ran ? 0 : -1;
}

/* Mean and axes in the unit of the data. */
static int take_subspace(const struct hs_reduced *r, size_t d, struct hs_endmembers *out, struct hs_err *err)
{
	const size_t p = r->n_chan;
	out->mean = hs_alloc(p, sizeof(double), err);
	out->axes = out->mean ? hs_alloc(d * p, sizeof(double), err) : NULL;
	if (!out->axes)
		return -1;
	memcpy(out->mean, r->mean, p * sizeof(double));
	hs_reduce_restore(r, out->mean);
	for (size_t c = 0; c < d; c++)
		for (size_t j = 0; j < p; j++)
			out->axes[c * p + j] = r->weight[j] > 0 ? r->axes[c * p + j] / r->weight[j] : 0;
	return 0;
}

/* --- the story ----------------------------------------------------------------------------------------------------- */

static void explain(const struct hs_endmember_options *o, struct hs_endmembers *out)
{
	char grid[120] = "", number[120];
	if (out->smoothed > 0)
		snprintf(grid, sizeof grid, ", on pixels smoothed by %.3g", out->smoothed);
	else if (o->n_y && isfinite(out->likeness) && o->method == HS_ENDMEMBER_AUTO)
		snprintf(grid, sizeof grid, ", not smoothed (neighbours correlate by %.2f)", out->likeness);
	if (o->k)
		snprintf(number, sizeof number, "%zu endmembers as asked", out->k);
	else
		snprintf(number, sizeof number, "%zu endmembers, counted by %s", out->k,
			out->count.hysime != HS_COUNT_UNKNOWN && out->count.hysime == out->count.chosen ? "HySime" : "Tracy-Widom");
	if (o->k && out->k < o->k)
		snprintf(number, sizeof number, "%zu of %zu endmembers, as the data have no more dimensions", out->k, o->k);
	snprintf(out->why, sizeof out->why, "%s; method %s%s%s", number, method_name[o->method],
		o->method == HS_ENDMEMBER_AUTO && o->min_volume ? " with minimal volume" : "", grid);
}

/* One endmember, whatever the method: the mean. */
static int only_the_mean(const struct hs_reduced *r, struct hs_endmembers *out, struct hs_err *err)
{
	out->pixel[0] = HS_NO_PIXEL;
	out->share[0] = 1;
	out->log_volume = -INFINITY;
	out->likeness = NAN;
	memcpy(out->spectrum, out->mean, r->n_chan * sizeof *out->spectrum);
	return hs_purity_find(&out->purity, &(struct hs_cloud){ .n = 0 }, NULL, 1, 0, err);
}

static int find_corners(const struct hs_endmember_options *o, struct hs_rowsource *rows, struct hs_reduced *r, double noise,
	struct hs_endmembers *out, struct hs_err *err)
{
	const size_t k = out->k, p = r->n_chan;
	double tail = 0;
	if (hs_reduce_coordinates(r, rows, k - 1, o->method == HS_ENDMEMBER_VCA, err) < 0 || smooth(o, r, &noise, out, err) < 0)
		return -1;
	for (size_t i = k - 1; i < r->n_eig; i++)
		tail += r->eigenvalue[i];
	struct hs_corners c = { .opt = o, .r = r, .rows = rows, .k = k, .noise = noise, .beyond = tail, .spectrum = out->spectrum,
		.cloud = { .n = r->n_rows, .d = k - 1, .z = r->z, .skip = r->skip }, .pixel = out->pixel, .out = out,
		.bright = out->snr_db > 15 + 10 * log10((double)k) && !(out->smoothed > 0) };
	c.corner = hs_alloc(k * k, sizeof(double), err);
	int verdict = c.corner ? hs_corners_find(&c, err) : -1;
	if (verdict == 0)
		verdict = find_shares(&c, out->share, &out->log_volume, err);
	if (verdict == 0)
		verdict = order(&c, out, err);
	if (verdict == 0) {
		if (out->status == HS_ENDMEMBER_STOPPED)
			c.cloud.n = 0;        /* no time left to look: unknown */
		verdict = hs_purity_find(&out->purity, &c.cloud, c.corner, k, noise, err);
	}
	for (size_t j = 0; verdict == 0 && j < k; j++)
		hs_reduce_restore(r, out->spectrum + j * p);
	free(c.corner);
	return verdict;
}

/* k as asked or chosen, and as many as there are dimensions for. */
static void settle_number(const struct hs_endmember_options *o, const struct hs_reduced *r, struct hs_endmembers *out)
{
	const size_t wanted = o->k ? o->k : out->count.chosen;
	out->k = wanted < r->n_axes + 1 ? wanted : r->n_axes + 1;
	if (!o->k && out->count.disagree)
		hs_warn("%s", out->count.reason);
	if (out->k < wanted || !r->n_axes)
		out->status = HS_ENDMEMBER_DEGENERATE;
	if (out->k < wanted)
		hs_warn("%zu endmembers are wanted, the spectra span %zu dimensions: %zu can be found", wanted, r->n_axes, out->k);
}

static int work(struct hs_rowsource *rows, const struct hs_endmember_options *o, struct hs_reduced *r, struct noise *noise,
	struct hs_endmembers *out, struct hs_err *err)
{
	const size_t p = rows->n_chan, n_axes = o->k ? o->k - 1 : HS_ENDMEMBERS_MOST - 1;
	if (hs_reduce(r, rows, n_axes, o->poisson, o->unit_sum, p <= HS_HYSIME_CHANNELS, err) < 0 || count(r, !o->k, noise, out, err) < 0
		|| report_noise(r, noise, out, err) < 0)
		return -1;
	out->n_used = r->n_used;
	settle_number(o, r, out);
	free(r->covariance);                  /* not needed while z is held */
	free(noise->residual);
	r->covariance = noise->residual = NULL;
	const size_t k = out->k;
	out->spectrum = hs_alloc(k * p, sizeof(double), err);
	out->pixel = out->spectrum ? hs_alloc(k, sizeof(size_t), err) : NULL;
	out->share = out->pixel ? hs_alloc(k, sizeof(double), err) : NULL;
	if (!out->share || take_subspace(r, k - 1, out, err) < 0)
		return -1;
	return k == 1 ? only_the_mean(r, out, err) : find_corners(o, rows, r, noise_of_coordinates(r, noise, k - 1), out, err);
}

int hs_endmembers_find(
	struct hs_rowsource *rows, const struct hs_endmember_options *options, struct hs_endmembers *out, struct hs_err *err)
{
	struct hs_reduced r = { 0 };
	struct noise noise = { 0 };
	*out = (struct hs_endmembers){ .method = options->method, .n_rows = rows->n_rows, .n_chan = rows->n_chan, .tau = NAN,
		.lambda = NAN };
	if (check(options, rows->n_rows, err) < 0)
		return -1;
	const int verdict = work(rows, options, &r, &noise, out, err);
	hs_reduced_release(&r);
	free(noise.variance);
	free(noise.residual);
	if (verdict < 0)
		return -1;
	explain(options, out);
	hs_stage("%s", out->why);
	if (out->k > 1)
		hs_stage("purity: %s", out->purity.text);
	return 0;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

size_t hs_endmembers_bytes(size_t n_rows, size_t n_chan, const struct hs_endmember_options *o, int threads)
{
	const size_t k = o->k ? o->k : HS_ENDMEMBERS_MOST, d = k - 1, n = n_rows;
	const bool with_covariance = n_chan <= HS_HYSIME_CHANNELS && n >= n_chan;
	const size_t base = hs_reduce_bytes(n, n_chan, o->k ? d : HS_ENDMEMBERS_MOST - 1, with_covariance, threads),
		     counting = with_covariance ? n_chan * n_chan * sizeof(double) + hs_hysime_bytes(n_chan) : 0,
		     result = (3 * k + 4) * n_chan * sizeof(double),
		     smoothing = o->n_y && o->smooth != 0 ? n * (2 * d + 1) * sizeof(double) : 0;
	size_t method = n * sizeof(double);                                   /* SPA */
	if (o->method == HS_ENDMEMBER_VCA)
		method = n * k * sizeof(double);
	else if (o->method == HS_ENDMEMBER_SISAL)
		method = larger(method, hs_sisal_bytes(n, k));
	else if (o->method == HS_ENDMEMBER_MINVOL || (o->method == HS_ENDMEMBER_AUTO && o->min_volume))
		method = larger(method, hs_minvol_bytes(n, n_chan, k));
	else if (o->method == HS_ENDMEMBER_AUTO)                              /* purest: rated pixels, and the lists of them */
		method = larger(method, (size_t)((double)n * (2 + 5 * o->purest * (double)k)) * sizeof(double));
	method = larger(method, hs_sisal_bytes(n < HS_PURITY_SAMPLE ? n : HS_PURITY_SAMPLE, k));
	return base + result + larger(counting, larger(smoothing, method));
}
