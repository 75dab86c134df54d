#include "unmix/hysime.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"
#include "factor/rank.h"

/* --- noise --------------------------------------------------------------------------------------------------------- */

/* Channels that vary, and the correlation of those (full matrix, m x m), which is free of scale. Returns m. */
static size_t correlation(const double *c, size_t p, size_t *channel, double *root, double *a)
{
	double largest = 0;
	size_t m = 0;
	for (size_t j = 0; j < p; j++)
		largest = fmax(largest, c[j * p + j]);
	for (size_t j = 0; j < p; j++)
		if (c[j * p + j] > 1e-28 * largest) {
			root[m] = sqrt(c[j * p + j]);
			channel[m++] = j;
		}
	for (size_t i = 0; i < m; i++)
		for (size_t j = i; j < m; j++)
			a[i * m + j] = a[j * m + i] = c[channel[i] * p + channel[j]] / (root[i] * root[j]);
	return m;
}

/* Inverse of the correlation, with a ridge at its rounding: data without noise have none. */
static bool precision(double *a, size_t m)
{
	const double ridge = 4 * (double)m * (double)m * DBL_EPSILON;
	for (size_t i = 0; i < m; i++)
		a[i * m + i] += ridge;
	return hs_la_invert(a, m, NULL);
}

static void take_noise(const double *inverse, const size_t *channel, const double *root, size_t m, size_t p, double freedom,
	double *variance, double *residual)
{
	const double nothing = 64 * (double)m * (double)m * DBL_EPSILON;      /* what the ridge alone leaves */
	memset(variance, 0, p * sizeof *variance);
	if (residual)
		memset(residual, 0, p * p * sizeof *residual);
	for (size_t i = 0; i < m; i++) {
		const double left = 1 / inverse[i * m + i];
		variance[channel[i]] = left > nothing ? left * root[i] * root[i] * freedom : 0;
	}
	for (size_t i = 0; residual && i < m; i++)
		for (size_t j = 0; j < m; j++)
			if (variance[channel[i]] > 0 && variance[channel[j]] > 0)
				residual[channel[i] * p + channel[j]] = inverse[i * m + j] * root[i] * root[j] * freedom
					/ (inverse[i * m + i] * inverse[j * m + j]);
}

int hs_noise_by_regression(const double *c, size_t p, size_t n, double *variance, double *residual, struct hs_err *err)
{
	if (n <= p + 1 || p > HS_HYSIME_CHANNELS)
		return 0;
	if (p == 1) {                         /* nothing to predict it from: what there is may be signal */
		variance[0] = 0;
		if (residual)
			residual[0] = 0;
		return 1;
	}
	double *a = hs_alloc(p * p, sizeof *a, err), *root = a ? hs_alloc(p, sizeof *root, err) : NULL;
	size_t *channel = root ? hs_alloc(p, sizeof *channel, err) : NULL;
	int verdict = channel ? 0 : -1;
	if (channel) {
		const size_t m = correlation(c, p, channel, root, a);
		if (precision(a, m)) {
			take_noise(a, channel, root, m, p, (double)(n - 1) / (double)(n - m), variance, residual);
			verdict = 1;
		}
	}
	free(a);
	free(root);
	free(channel);
	return verdict;
}

/* --- numbers of endmembers ----------------------------------------------------------------------------------------- */

/* r: n x n, second moments about zero of the same spectra, both triangles. */
static void about_zero(const double *c, const double *mean, size_t p, size_t n, double *r)
{
	const double part = (double)(n - 1) / (double)n;
	for (size_t i = 0; i < p; i++)
		for (size_t j = i; j < p; j++)
			r[i * p + j] = r[j * p + i] = part * c[i * p + j] + mean[i] * mean[j];
}

/* Signal second moments Rs = R - 2 D + Rw: the regression's residuals W have X^T W / n = D, the diagonal of their own second
 * moments. Directions u of Rs are kept when the signal lost without them, u^T R u, is above twice the noise kept with them. */
static int hysime(const double *c, const double *mean, size_t p, size_t n, const double *variance, const double *residual,
	size_t *count, struct hs_err *err)
{
	double *signal = hs_alloc(p * p, sizeof *signal, err), *vector = signal ? hs_alloc(p * p, sizeof *vector, err) : NULL,
	       *v = vector ? hs_alloc(2 * p, sizeof *v, err) : NULL, *r = NULL;
	int verdict = -1;
	if (v) {
		about_zero(c, mean, p, n, signal);
		for (size_t i = 0; i < p * p; i++)
			signal[i] += residual[i];
		for (size_t j = 0; j < p; j++)
			signal[j * p + j] -= 2 * variance[j];
		verdict = hs_la_eigh(signal, p, p, v, vector, err);
	}
	if (verdict == 0) {
		r = signal;                   /* destroyed by now: room for R */
		about_zero(c, mean, p, n, r);
		double trace = 0;
		for (size_t j = 0; j < p; j++)
			trace += r[j * p + j];
		*count = 0;
		for (size_t k = 0; k < p; k++) {
			const double *u = vector + k * p;
			double power = 0, noise = 1e-10 * trace / (double)p;
			cblas_dsymv(CblasRowMajor, CblasUpper, (int)p, 1, r, (int)p, u, 1, 0, v + p, 1);
			for (size_t j = 0; j < p; j++) {
				power += u[j] * v[p + j];
				noise += u[j] * u[j] * variance[j];
			}
			*count += power > 2 * noise;
		}
	}
	free(signal);
	free(vector);
	free(v);
	return verdict;
}

/* Upper quantile of the normal law, by Newton's method on erfc. */
static double normal_quantile(double alpha)
{
	double x = 3;
	for (size_t i = 0; i < 60; i++) {
		const double f = 0.5 * erfc(x / M_SQRT2) - alpha, slope = -exp(-0.5 * x * x) / sqrt(2 * M_PI);
		x -= f / slope;
	}
	return x;
}

/* Eigenvalues of correlation against those of covariance, channels in units of their noise where that is known. */
static int hfc(const double *c, const double *mean, size_t p, size_t n, const double *variance, size_t vd[3], struct hs_err *err)
{
	double *a = hs_alloc(p * p, sizeof *a, err), *about = a ? hs_alloc(2 * p, sizeof *about, err) : NULL;
	double *scale = about ? hs_alloc(p, sizeof *scale, err) : NULL, *middle = about ? about + p : NULL,
	       mean_variance = 0;
	int verdict = scale ? 0 : -1;
	for (size_t j = 0; verdict == 0 && variance && j < p; j++)
		mean_variance += variance[j] / (double)p;
	for (size_t j = 0; verdict == 0 && j < p; j++)
		scale[j] = mean_variance > 0 ? 1 / sqrt(fmax(variance[j], 1e-6 * mean_variance)) : 1;
	for (size_t turn = 0; turn < 2 && verdict == 0; turn++) {
		about_zero(c, mean, p, n, a);
		for (size_t i = 0; i < p; i++)
			for (size_t j = 0; j < p; j++)
				a[i * p + j] = (a[i * p + j] - (turn ? mean[i] * mean[j] : 0)) * scale[i] * scale[j];
		verdict = hs_la_eigh(a, p, 0, turn ? middle : about, NULL, err);
	}
	static const double alarm[3] = { 1e-3, 1e-4, 1e-5 };
	for (size_t t = 0; verdict == 0 && t < 3; t++) {
		const double q = normal_quantile(alarm[t]);
		vd[t] = 0;
		for (size_t j = 0; j < p; j++)
			vd[t] += about[j] - middle[j]
				> q * sqrt(2 / (double)n * (about[j] * about[j] + middle[j] * middle[j])) + 1e-13 * about[0];
	}
	free(a);
	free(about);
	free(scale);
	return verdict;
}

static size_t apart(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

/* Tracy-Widom knows only covariance and wants equal noise; HySime knows the noise of each channel. They agree when the noise is
 * as assumed; when they do not, HySime is the better informed, unless it finds most of the channels. */
static void decide(struct hs_endmember_count *n, size_t p, size_t most)
{
	const bool known = n->hysime != HS_COUNT_UNKNOWN && n->hysime > 0 && n->hysime <= (p + 3) / 4 + 1;
	n->chosen = known ? n->hysime : n->tw;
	n->chosen = n->chosen < 1 ? 1 : n->chosen > most ? most : n->chosen;
	n->disagree = n->hysime != HS_COUNT_UNKNOWN ? apart(n->hysime, n->tw) > 1 + n->tw / 4 : apart(n->gd, n->tw) > 1 + n->tw / 4;
	n->reason[0] = '\0';
	if (n->disagree && n->hysime != HS_COUNT_UNKNOWN)
		snprintf(n->reason, sizeof n->reason, "HySime finds %zu endmembers, Tracy-Widom %zu: look at both", n->hysime, n->tw);
	else if (n->disagree)
		snprintf(n->reason, sizeof n->reason, "Tracy-Widom finds %zu endmembers, Gavish-Donoho %zu: look at both", n->tw, n->gd);
}

int hs_endmember_count(struct hs_endmember_count *count, const double *c, const double *mean, size_t p, const double *eig,
	size_t n_eig, size_t n, const double *variance, const double *residual, size_t most, struct hs_err *err)
{
	*count = (struct hs_endmember_count){ .hysime = HS_COUNT_UNKNOWN,
		.vd = { HS_COUNT_UNKNOWN, HS_COUNT_UNKNOWN, HS_COUNT_UNKNOWN } };
	struct hs_ranks ranks;
	size_t free_channels = p;
	if (c) {
		free_channels = 0;
		for (size_t j = 0; j < p; j++)
			free_channels += c[j * p + j] > 0;
	}
	hs_ranks_find(&ranks, eig, n_eig, n > 1 ? n - 1 : 1, free_channels ? free_channels : 1);
	count->tw = ranks.chosen + 1;
	count->gd = ranks.gd + 1;
	if (c && variance && residual && n > p + 1 && p <= HS_HYSIME_CHANNELS) {
		if (hysime(c, mean, p, n, variance, residual, &count->hysime, err) < 0 || hfc(c, mean, p, n, variance, count->vd, err) < 0)
			return -1;
	}
	decide(count, p, most);
	return 0;
}

size_t hs_hysime_bytes(size_t p)
{
	const size_t m = p <= HS_HYSIME_CHANNELS ? p : 0;
	return 3 * m * m * sizeof(double) + hs_la_eigh_bytes(m, m) + 8 * p * sizeof(double);
}
