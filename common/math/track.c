#include "math/track.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

/* Position and velocity, and their covariance. */
struct state {
	double x, v, xx, xv, vv;
};

static bool seen(const double *value, const double *weight, size_t i)
{
	return weight[i] > 0 && isfinite(weight[i]) && isfinite(value[i]);
}

/* One step of time; q: what the velocity's variance gains. */
static struct state ahead(struct state s, double q)
{
	return (struct state){ .x = s.x + s.v, .v = s.v, .xx = s.xx + 2 * s.xv + s.vv + q / 3, .xv = s.xv + s.vv + q / 2,
		.vv = s.vv + q };
}

struct fit {
	double log_likelihood, scale;         /* s^2 */
};

/* Filter with unit scale; keep (n, or NULL) receives the filtered states. Values are less `level`, weights relative to
 * `mean_weight`. The first two observations fix the state, which begins as good as unknown, and say nothing about the
 * likelihood. */
static struct fit filter(const double *value, const double *weight, size_t n, double level, double mean_weight, double q,
	struct state *keep)
{
	struct state s = { .xx = 1e8, .vv = 1e4 };
	double squares = 0, logs = 0;
	size_t n_seen = 0;
	for (size_t i = 0; i < n; i++) {
		s = i ? ahead(s, q) : s;
		if (seen(value, weight, i)) {
			const double noise = mean_weight / weight[i], f = s.xx + noise, off = value[i] - level - s.x, kx = s.xx / f, kv = s.xv / f;
			if (++n_seen > 2) {
				squares += off * off / f;
				logs += log(f);
			}
			/* the posterior from noise x prior, which cannot turn negative */
			s = (struct state){ .x = s.x + kx * off, .v = s.v + kv * off, .xx = kx * noise, .xv = kv * noise, .vv = s.vv - kv * s.xv };
		}
		if (keep)
			keep[i] = s;
	}
	const double m = (double)n_seen - 2, scale = squares / m;
	return (struct fit){ -0.5 * (m * log(fmax(scale, 1e-300)) + logs), scale };
}

static void smooth_back(const struct state *kept, size_t n, double q, double scale, double level, double *smooth, double *sigma)
{
	struct state later = kept[n - 1];
	for (size_t i = n; i-- > 0;) {
		struct state s = kept[i];
		if (i + 1 < n) {
			const struct state p = ahead(s, q);
			const double det = p.xx * p.vv - p.xv * p.xv;
			/* gain = covariance x transition' x inverse of the predicted covariance */
			const double a = s.xx + s.xv, b = s.xv, c = s.xv + s.vv, d = s.vv, gxx = (a * p.vv - b * p.xv) / det,
				     gxv = (b * p.xx - a * p.xv) / det, gvx = (c * p.vv - d * p.xv) / det, gvv = (d * p.xx - c * p.xv) / det,
				     dx = later.x - p.x, dv = later.v - p.v, exx = later.xx - p.xx, exv = later.xv - p.xv, evv = later.vv - p.vv;
			s.x += gxx * dx + gxv * dv;
			s.v += gvx * dx + gvv * dv;
			s.xx += gxx * gxx * exx + 2 * gxx * gxv * exv + gxv * gxv * evv;
			s.xv += gxx * gvx * exx + (gxx * gvv + gxv * gvx) * exv + gxv * gvv * evv;
			s.vv += gvx * gvx * exx + 2 * gvx * gvv * exv + gvv * gvv * evv;
		}
		later = s;
		smooth[i] = s.x + level;
		if (sigma)
			sigma[i] = sqrt(fmax(0, s.xx * scale));
	}
}

int hs_track_smooth(const double *value, const double *weight, size_t n, double *smooth, double *sigma, double *span,
	struct hs_err *err)
{
	double sum = 0, weights = 0;
	size_t n_seen = 0;
	for (size_t i = 0; i < n; i++)
		if (seen(value, weight, i)) {
			sum += weight[i] * value[i];
			weights += weight[i];
			n_seen++;
		}
	if (!n_seen || !isfinite(sum) || !isfinite(weights))
		return hs_fail(err, HS_BAD_DATA, n_seen ? "values are too large to be smoothed" : "there is nothing to be smoothed");
	const double level = sum / weights, mean_weight = weights / (double)n_seen;
	for (size_t i = 0; i < n; i++) {
		smooth[i] = level;
		if (sigma)
			sigma[i] = NAN;
	}
	if (span)
		*span = (double)n_seen;
	if (n_seen < 3)
		return 0;
	/* over t steps the velocity's walk moves the position as much as the noise of t observations lets it be known */
	double best = -INFINITY, best_q = 0;
	for (double t = 1; t <= 2 * (double)n; t *= 1.25) {
		const double q = 1 / (t * t * t * t), l = filter(value, weight, n, level, mean_weight, q, NULL).log_likelihood;
		if (l > best) {
			best = l;
			best_q = q;
			if (span)
				*span = t;
		}
	}
	struct state *kept = hs_alloc(n, sizeof *kept, err);
	if (!kept)
		return -1;
	const struct fit fit = filter(value, weight, n, level, mean_weight, best_q, kept);
	smooth_back(kept, n, best_q, fit.scale, level, smooth, sigma);
	free(kept);
	return 0;
}

size_t hs_track_bytes(size_t n)
{
	return n * sizeof(struct state);
}
