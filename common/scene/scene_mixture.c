/* Mixtures: substances invented, laid out in patches that fade into each other, cut off from purity, drifting, spoilt. */
#include "scene/scene_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ what spectra look like */

static double substance_at(const struct substance *m, double energy_ev, double from_ev)
{
	double sum = m->base * exp(-(energy_ev - from_ev) / m->decay_ev);
	for (size_t i = 0; i < m->n_peaks; i++) {
		const double t = (energy_ev - m->centre_ev[i]) / m->width_ev[i];
		sum += t * t < 1400 ? m->height[i] * exp(-0.5 * t * t) : 0;
	}
	return m->scale * sum;
}

/* The strongest peaks of different substances lie apart, the others anywhere. Sums are `counts` on average over substances:
 * brightness differs, or the sum image would show nothing. */
static void invent_substances(struct hs_scene *s)
{
	struct hs_rng rng;
	double brightness[HS_SCENE_MOST_COMP], total = 0;
	const double k = (double)s->n_comp;
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_SPECTRA);
	for (size_t j = 0; j < s->n_comp; j++)
		total += brightness[j] = hs_scene_between(&rng, 0.7, 1.3);
	for (size_t j = 0; j < s->n_comp; j++) {
		struct substance *m = &s->substance[j];
		m->n_peaks = 2 + (size_t)hs_rng_below(&rng, MOST_PEAKS - 1);
		m->base = hs_scene_between(&rng, 0.1, 0.3);
		m->decay_ev = s->span_ev * hs_scene_between(&rng, 0.5, 1.5);
		m->scale = 1;
		for (size_t i = 0; i < m->n_peaks; i++) {
			const double place = i ? hs_scene_between(&rng, 0.05, 0.95) : ((double)j + hs_scene_between(&rng, 0.3, 0.7)) / k;
			m->centre_ev[i] = s->offset_ev + s->span_ev * place;
			m->width_ev[i] = s->span_ev * hs_scene_between(&rng, 0.012, 0.04);
			m->height[i] = i ? hs_scene_between(&rng, 0.15, 0.6) : 1;
		}
		double sum = 0, *row = s->spectra + j * s->o.n_chan;
		for (size_t c = 0; c < s->o.n_chan; c++)
			sum += row[c] = substance_at(m, s->energy[c], s->offset_ev);
		m->scale = s->o.counts * brightness[j] * k / total / sum;
		for (size_t c = 0; c < s->o.n_chan; c++)
			row[c] *= m->scale;
	}
}

/* ------------------------------------------------------------------ where the components lie */

static double distance2(const struct site *a, double x, double y)
{
	return (a->x - x) * (a->x - x) + (a->y - y) * (a->y - y);
}

static double nearest2(const struct hs_scene *s, size_t n, double x, double y)
{
	double least = INFINITY;
	for (size_t i = 0; i < n; i++)
		least = fmin(least, distance2(&s->site[i], x, y));
	return least;
}

/* Sites well apart, each in the middle of a pixel of its own (best of 32 candidates: Mitchell, SIGGRAPH 1991). Every
 * component has one, and mixing reaches less far than the nearest site of another component: so every component has a pixel
 * where it is alone. */
void hs_scene_place(struct hs_scene *s)
{
	struct hs_rng rng;
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_SITES);
	s->n_sites = s->n_comp == 1 ? 1 : s->n_pix < 3 * s->n_comp ? s->n_comp : 3 * s->n_comp;
	for (size_t i = 0; i < s->n_sites; i++) {
		double best = 0;
		for (int trial = 0; trial < 32; trial++) {
			const double x = (double)hs_rng_below(&rng, s->o.nx) + 0.5, y = (double)hs_rng_below(&rng, s->o.ny) + 0.5;
			const double d = nearest2(s, i, x, y);
			if (d > best) {
				best = d;
				s->site[i] = (struct site){ x, y };
			}
		}
		for (size_t p = 0; best == 0 && p < s->n_pix; p++) {          /* few pixels: take a free one */
			const struct site here = { (double)(p % s->o.nx) + 0.5, (double)(p / s->o.nx) + 0.5 };
			if ((best = nearest2(s, i, here.x, here.y)) > 0)
				s->site[i] = here;
		}
	}
	double least = INFINITY;
	for (size_t i = 0; i < s->n_sites; i++)
		for (size_t j = 0; j < i; j++)
			if (i % s->n_comp != j % s->n_comp)
				least = fmin(least, distance2(&s->site[i], s->site[j].x, s->site[j].y));
	s->reach = s->n_comp == 1 ? 1 : 0.9 * sqrt(least);
}

/* Distance of a pixel to each component, in pixels; returns the nearest component. */
static size_t distances(const struct hs_scene *s, size_t pixel, double *distance)
{
	const double x = (double)(pixel % s->o.nx) + 0.5, y = (double)(pixel / s->o.nx) + 0.5;
	size_t nearest = 0;
	for (size_t j = 0; j < s->n_comp; j++)
		distance[j] = INFINITY;
	for (size_t i = 0; i < s->n_sites; i++) {
		double *d = &distance[i % s->n_comp];
		*d = fmin(*d, distance2(&s->site[i], x, y));
	}
	for (size_t j = 0; j < s->n_comp; j++) {
		distance[j] = sqrt(distance[j]);
		if (distance[j] < distance[nearest])
			nearest = j;
	}
	return nearest;
}

/* Alone where the others are farther by reach, fading smoothly into each other where they are not. */
void hs_scene_look_mixture(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	double distance[HS_SCENE_MOST_COMP], sum = 0;
	const size_t nearest = distances(s, pixel, distance);
	for (size_t j = 0; j < s->n_comp; j++) {
		const double t = fmax(0, 1 - (distance[j] - distance[nearest]) / s->reach);
		sum += p->share[j] = t * t * (3 - 2 * t);
	}
	for (size_t j = 0; j < s->n_comp; j++)
		p->share[j] /= sum;
}

/* What is above the limit goes to the others, most of it to the nearest: corners of the simplex are cut off, its faces stay,
 * so that the endmembers are still determined by the data. Ends because the shares above the limit can only become more,
 * and 1/k is not above it. */
static void look_nopure(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	double distance[HS_SCENE_MOST_COMP];
	bool full[HS_SCENE_MOST_COMP] = { 0 };
	hs_scene_look_mixture(s, pixel, p);
	distances(s, pixel, distance);
	for (size_t round = 0; round < s->n_comp; round++) {
		double excess = 0, pull = 0;
		for (size_t j = 0; j < s->n_comp; j++)
			if (p->share[j] > s->o.purity) {
				excess += p->share[j] - s->o.purity;
				p->share[j] = s->o.purity;
				full[j] = true;
			}
		for (size_t j = 0; j < s->n_comp; j++)
			pull += full[j] ? 0 : 1 / pow(fmax(distance[j], 0.5), 4);
		if (!(excess > 0) || !(pull > 0))
			break;
		for (size_t j = 0; j < s->n_comp; j++)
			p->share[j] += full[j] ? 0 : excess / pow(fmax(distance[j], 0.5), 4) / pull;
	}
}

static void look_clusters(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	double distance[HS_SCENE_MOST_COMP];
	const size_t nearest = distances(s, pixel, distance);
	p->label = (double)nearest;
	p->share[nearest] = 1;
}

void hs_scene_look_drift(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	const double t = ((double)pixel + 0.5) / (double)s->n_pix;            /* the scan goes row by row */
	hs_scene_look_mixture(s, pixel, p);
	p->drift = s->o.drift_ev * (0.5 * (2 * t - 1) + 0.5 * sin(3 * M_PI * t + s->drift_phase));
}

/* A spike is one channel far above all others, a hot pixel a whole spectrum several times too bright. */
static void look_outliers(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	struct hs_rng rng;
	hs_scene_look_mixture(s, pixel, p);
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_PIXEL + pixel);
	p->outlier_channel = -1;
	if (hs_rng_uniform(&rng) >= s->o.outliers)
		return;
	p->outlier = hs_rng_below(&rng, 2) ? 2 : 1;
	if (p->outlier == 1) {
		p->outlier_channel = (double)hs_rng_below(&rng, s->o.n_chan);
		p->spike = ceil(s->spike_height * hs_scene_between(&rng, 10, 50));
	} else {
		p->factor = (double)(5 + hs_rng_below(&rng, 16));
	}
}

/* ------------------------------------------------------------------ mixtures of tabulated spectra */

void hs_scene_mean_of_shares(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
{
	(void)pixel;
	memset(row, 0, s->o.n_chan * sizeof *row);
	for (size_t j = 0; j < s->n_comp; j++) {
		const double *e = s->spectra + j * s->o.n_chan, share = p->share[j];
		for (size_t c = 0; c < s->o.n_chan && share > 0; c++)
			row[c] += share * e[c];
	}
}

static void mean_of_drifted(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
{
	(void)pixel;
	memset(row, 0, s->o.n_chan * sizeof *row);
	for (size_t j = 0; j < s->n_comp; j++)
		for (size_t c = 0; c < s->o.n_chan && p->share[j] > 0; c++)
			row[c] += p->share[j] * substance_at(&s->substance[j], s->energy[c] - p->drift, s->offset_ev);
}

static int prepare_mixture(struct hs_scene *s, struct hs_err *err)
{
	struct hs_rng rng;
	(void)err;
	invent_substances(s);
	hs_scene_place(s);
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_DRIFT);
	s->drift_phase = hs_scene_between(&rng, 0, 2 * M_PI);
	for (size_t i = 0; i < s->n_comp * s->o.n_chan; i++)
		s->spike_height = fmax(s->spike_height, s->spectra[i]);
	return 0;
}

static int prepare_nopure(struct hs_scene *s, struct hs_err *err)
{
	if (s->o.purity * (double)s->n_comp < 1)
		return hs_fail(err, HS_USAGE, "a purity of %g is too low: the shares of %zu components sum to one", s->o.purity, s->n_comp);
	return prepare_mixture(s, err);
}

/* Centroids differ as substances do, by as much as the separation asks for: along the line between the nearest two, groups
 * of equal size overlap by the normal tail beyond separation / 2. All have the same mean level. */
static int prepare_clusters(struct hs_scene *s, struct hs_err *err)
{
	const size_t n = s->o.n_chan, k = s->n_comp;
	const double level = s->o.counts / (double)n, sigma = s->o.noise == HS_NOISE_POISSON ? sqrt(level) : s->o.sigma;
	double least = INFINITY, lowest = INFINITY;
	invent_substances(s);
	hs_scene_place(s);
	for (size_t c = 0; c < n; c++) {
		double mean = 0;
		for (size_t j = 0; j < k; j++)
			mean += s->spectra[j * n + c] / (double)k;
		for (size_t j = 0; j < k; j++)
			s->spectra[j * n + c] -= mean;
	}
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < i; j++) {
			double d2 = 0;
			for (size_t c = 0; c < n; c++) {
				const double d = s->spectra[i * n + c] - s->spectra[j * n + c];
				d2 += d * d;
			}
			least = fmin(least, sqrt(d2));
		}
	const double stretch = k > 1 && least > 0 ? s->o.separation * sigma / least : 0;
	for (size_t i = 0; i < k * n; i++)
		lowest = fmin(lowest, s->spectra[i] = level + stretch * s->spectra[i]);
	if (s->o.noise == HS_NOISE_POISSON && lowest < 0)
		return hs_fail(err, HS_USAGE, "%g counts are too few for a separation of %g: a centroid would be negative", s->o.counts,
			s->o.separation);
	return 0;
}

/* ------------------------------------------------------------------ the kinds */

const struct kind hs_scene_mixture = { .name = "mixture",
	.what = "smooth mixtures of k spectra, with pure pixels of each; abundances sum to one",
	.own_comp = 4, .least_comp = 1, .most_comp = HS_SCENE_MOST_COMP, .own_noise = HS_NOISE_POISSON, .sites = true,
	.prepare = prepare_mixture, .look = hs_scene_look_mixture, .mean = hs_scene_mean_of_shares };

const struct kind hs_scene_nopure = { .name = "nopure",
	.what = "a mixture where no pixel is purer than --purity",
	.own_comp = 4, .least_comp = 2, .most_comp = HS_SCENE_MOST_COMP, .own_noise = HS_NOISE_POISSON, .sites = true,
	.prepare = prepare_nopure, .look = look_nopure, .mean = hs_scene_mean_of_shares };

const struct kind hs_scene_clusters = { .name = "clusters",
	.what = "patches of k kinds of spectra, --separation standard deviations apart",
	.own_comp = 4, .least_comp = 1, .most_comp = HS_SCENE_MOST_COMP, .own_noise = HS_NOISE_GAUSS, .sites = true,
	.prepare = prepare_clusters, .look = look_clusters, .mean = hs_scene_mean_of_shares };

const struct kind hs_scene_drift = { .name = "drift",
	.what = "a mixture whose energy scale shifts while the scan goes on",
	.own_comp = 4, .least_comp = 1, .most_comp = HS_SCENE_MOST_COMP, .own_noise = HS_NOISE_POISSON, .sites = true,
	.prepare = prepare_mixture, .look = hs_scene_look_drift, .mean = mean_of_drifted };

const struct kind hs_scene_outliers = { .name = "outliers",
	.what = "a mixture with spikes and hot pixels",
	.own_comp = 4, .least_comp = 1, .most_comp = HS_SCENE_MOST_COMP, .own_noise = HS_NOISE_POISSON, .sites = true,
	.prepare = prepare_mixture, .look = look_outliers, .mean = hs_scene_mean_of_shares };
