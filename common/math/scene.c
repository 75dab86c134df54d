#include "math/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "math/par.h"

enum { MOST_PEAKS = 4, MOST_SITES = 3 * HS_SCENE_MOST_COMP, N_WAVES = 4, MOST_FIELDS = 8 };

/* Items of HS_STREAM_SCENE; a pixel's own placement comes behind them. */
enum { ITEM_SPECTRA, ITEM_SITES, ITEM_FIELDS, ITEM_DRIFT, ITEM_PIXEL = 1024 };

/* A spectrum as a function of energy, so that it can be shifted by any part of a channel. */
struct substance {
	size_t n_peaks;
	double centre_ev[MOST_PEAKS], width_ev[MOST_PEAKS], height[MOST_PEAKS];
	double base, decay_ev;        /* exponential background */
	double scale;
};

/* A point of a component; a component is where its sites are nearest. In pixels. */
struct site {
	double x, y;
};

/* A smooth function of place between low and high: a few waves longer than the image is wide or not much shorter. */
struct field {
	double low, high, u[N_WAVES], v[N_WAVES], phase[N_WAVES];
};

/* All there is to know about one pixel. Whole numbers are kept as double like the rest: truth maps point here by offset. */
struct spot {
	double share[HS_SCENE_MOST_COMP];
	double position[2], width[2], height[2];
	double background, exponent, drift, label, outlier, outlier_channel;
	double factor, spike;
};

struct kind;

struct hs_scene {
	struct hs_scene_options o;
	const struct kind *kind;
	size_t n_pix, n_comp;
	double offset_ev, step_ev, span_ev;
	double *energy;               /* n_chan */
	double *spectra;              /* n_comp x n_chan: endmembers, centroids, edges */
	double *log_energy;           /* eels: log(energy / first energy) */
	struct substance *substance;  /* n_comp */
	size_t n_sites;
	struct site *site;            /* site i belongs to component i % n_comp */
	double reach;                 /* pixels over which two components mix */
	struct field field[MOST_FIELDS];
	double drift_phase;
	double spike_height;
};

struct kind {
	const char *name, *what;
	size_t own_comp, least_comp, most_comp;
	enum hs_scene_noise own_noise;
	int (*prepare)(struct hs_scene *s, struct hs_err *err);
	void (*look)(const struct hs_scene *s, size_t pixel, struct spot *p);
	void (*mean)(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row);
};

/* ------------------------------------------------------------------ what spectra look like */

static double between(struct hs_rng *rng, double low, double high)
{
	return low + (high - low) * hs_rng_uniform(rng);
}

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
		total += brightness[j] = between(&rng, 0.7, 1.3);
	for (size_t j = 0; j < s->n_comp; j++) {
		struct substance *m = &s->substance[j];
		m->n_peaks = 2 + (size_t)hs_rng_below(&rng, MOST_PEAKS - 1);
		m->base = between(&rng, 0.1, 0.3);
		m->decay_ev = s->span_ev * between(&rng, 0.5, 1.5);
		m->scale = 1;
		for (size_t i = 0; i < m->n_peaks; i++) {
			const double place = i ? between(&rng, 0.05, 0.95) : ((double)j + between(&rng, 0.3, 0.7)) / k;
			m->centre_ev[i] = s->offset_ev + s->span_ev * place;
			m->width_ev[i] = s->span_ev * between(&rng, 0.012, 0.04);
			m->height[i] = i ? between(&rng, 0.15, 0.6) : 1;
		}
		double sum = 0, *row = s->spectra + j * s->o.n_chan;
		for (size_t c = 0; c < s->o.n_chan; c++)
			sum += row[c] = substance_at(m, s->energy[c], s->offset_ev);
		m->scale = s->o.counts * brightness[j] * k / total / sum;
		for (size_t c = 0; c < s->o.n_chan; c++)
			row[c] *= m->scale;
	}
}

static struct field invent_field(struct hs_rng *rng, double low, double high)
{
	struct field f = { .low = low, .high = high };
	for (size_t i = 0; i < N_WAVES; i++) {
		f.u[i] = between(rng, -1.5, 1.5);
		f.v[i] = between(rng, -1.5, 1.5);
		f.phase[i] = between(rng, 0, 2 * M_PI);
	}
	return f;
}

static double field_at(const struct hs_scene *s, const struct field *f, size_t pixel)
{
	const double x = ((double)(pixel % s->o.nx) + 0.5) / (double)s->o.nx, y = ((double)(pixel / s->o.nx) + 0.5) / (double)s->o.ny;
	double sum = 0;
	for (size_t i = 0; i < N_WAVES; i++)
		sum += cos(2 * M_PI * (f->u[i] * x + f->v[i] * y) + f->phase[i]);
	return f->low + (f->high - f->low) * (0.5 + 0.5 * sum / N_WAVES);
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
static void place_sites(struct hs_scene *s)
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
static void look_mixture(const struct hs_scene *s, size_t pixel, struct spot *p)
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
	look_mixture(s, pixel, p);
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

static void look_drift(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	const double t = ((double)pixel + 0.5) / (double)s->n_pix;            /* the scan goes row by row */
	look_mixture(s, pixel, p);
	p->drift = s->o.drift_ev * (0.5 * (2 * t - 1) + 0.5 * sin(3 * M_PI * t + s->drift_phase));
}

/* A spike is one channel far above all others, a hot pixel a whole spectrum several times too bright. */
static void look_outliers(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	struct hs_rng rng;
	look_mixture(s, pixel, p);
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_PIXEL + pixel);
	p->outlier_channel = -1;
	if (hs_rng_uniform(&rng) >= s->o.outliers)
		return;
	p->outlier = hs_rng_below(&rng, 2) ? 2 : 1;
	if (p->outlier == 1) {
		p->outlier_channel = (double)hs_rng_below(&rng, s->o.n_chan);
		p->spike = ceil(s->spike_height * between(&rng, 10, 50));
	} else {
		p->factor = (double)(5 + hs_rng_below(&rng, 16));
	}
}

/* ------------------------------------------------------------------ mixtures of tabulated spectra */

static void mean_of_shares(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
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
	place_sites(s);
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_DRIFT);
	s->drift_phase = between(&rng, 0, 2 * M_PI);
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
	place_sites(s);
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

/* ------------------------------------------------------------------ peaks */

/* Fields: position, width, height of the first and of the second peak, background. */
static int prepare_peaks(struct hs_scene *s, struct hs_err *err)
{
	struct hs_rng rng;
	const double k = (double)s->n_comp, width_ev = 0.06 * s->span_ev / k, level = 0.2 * s->o.counts / (double)s->o.n_chan;
	const double area = s->o.profile == HS_PROFILE_LORENTZ ? M_PI / 2 : sqrt(M_PI / log(16));     /* of width and height 1 */
	const double height = 0.8 * s->o.counts / k / (area * width_ev / s->step_ev);
	(void)err;
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_FIELDS);
	for (size_t j = 0; j < s->n_comp; j++) {
		const double centre_ev = s->offset_ev + s->span_ev * ((double)j + 0.5) / k, way_ev = 0.15 * s->span_ev / k;
		s->field[3 * j] = invent_field(&rng, centre_ev - way_ev, centre_ev + way_ev);
		s->field[3 * j + 1] = invent_field(&rng, 0.6 * width_ev, 1.4 * width_ev);
		s->field[3 * j + 2] = invent_field(&rng, 0.5 * height, 1.5 * height);
	}
	s->field[6] = invent_field(&rng, 0.5 * level, 1.5 * level);
	return 0;
}

static void look_peaks(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	for (size_t j = 0; j < s->n_comp; j++) {
		p->position[j] = field_at(s, &s->field[3 * j], pixel);
		p->width[j] = field_at(s, &s->field[3 * j + 1], pixel);
		p->height[j] = field_at(s, &s->field[3 * j + 2], pixel);
	}
	p->background = field_at(s, &s->field[6], pixel);
}

static void mean_of_peaks(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
{
	(void)pixel;
	for (size_t c = 0; c < s->o.n_chan; c++) {
		row[c] = p->background;
		for (size_t j = 0; j < s->n_comp; j++) {
			const double t = 2 * (s->energy[c] - p->position[j]) / p->width[j];
			row[c] += p->height[j] * (s->o.profile == HS_PROFILE_LORENTZ ? 1 / (1 + t * t) : exp(-M_LN2 * t * t));
		}
	}
}

/* ------------------------------------------------------------------ electron energy loss */

/* Onsets of the K edges of carbon, nitrogen, oxygen and the L3 edge of iron (Egerton, Electron Energy-Loss Spectroscopy in
 * the Electron Microscope, 2011, appendix D); white is the height of the line at the onset in units of the step. */
static const struct {
	double onset_ev, white;
} edge_table[] = { { 284, 0.8 }, { 532, 0.6 }, { 708, 2.5 }, { 401, 0.8 } };

/* A background A (E / E0)^-r, and edges as rounded steps that decay like E^-3 with a Lorentzian line behind the onset. At
 * amount 1 a step is 0.6 of the mean background at its onset. Fields: level, exponent, amounts. */
static int prepare_eels(struct hs_scene *s, struct hs_err *err)
{
	struct hs_rng rng;
	const size_t n = s->o.n_chan;
	const double usual = 2.9;
	double sum = 0;
	if (!(s->log_energy = hs_alloc(n, sizeof(double), err)))
		return -1;
	for (size_t c = 0; c < n; c++) {
		s->log_energy[c] = log(s->energy[c] / s->offset_ev);
		sum += exp(-usual * s->log_energy[c]);
	}
	const double level = s->o.counts / sum;
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_FIELDS);
	s->field[0] = invent_field(&rng, 0.8 * level, 1.2 * level);
	s->field[1] = invent_field(&rng, usual - 0.2, usual + 0.2);
	for (size_t j = 0; j < s->n_comp; j++) {
		const double onset_ev = edge_table[j].onset_ev, step = 0.6 * level * pow(onset_ev / s->offset_ev, -usual);
		s->field[2 + j] = invent_field(&rng, 0, 1);
		for (size_t c = 0; c < n; c++) {
			const double t = s->energy[c] - onset_ev, line = (t - 3) / 2;
			s->spectra[j * n + c] = step / (1 + exp(-t)) * (pow(s->energy[c] / onset_ev, -3) + edge_table[j].white / (1 + line * line));
		}
	}
	return 0;
}

static void look_eels(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	p->background = field_at(s, &s->field[0], pixel);
	p->exponent = field_at(s, &s->field[1], pixel);
	for (size_t j = 0; j < s->n_comp; j++)
		p->share[j] = field_at(s, &s->field[2 + j], pixel);
}

static void mean_of_eels(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
{
	mean_of_shares(s, p, pixel, row);
	for (size_t c = 0; c < s->o.n_chan; c++)
		row[c] += p->background * exp(-p->exponent * s->log_energy[c]);
}

/* ------------------------------------------------------------------ plain numbers */

static void mean_constant(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
{
	(void)p, (void)pixel;
	for (size_t c = 0; c < s->o.n_chan; c++)
		row[c] = isnan(s->o.value) ? 0 : s->o.value;
}

static double share_of(size_t i, size_t n)
{
	return n > 1 ? (double)i / (double)(n - 1) : 0;
}

/* Rises with every index, a third of the way along each. */
static void mean_gradient(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
{
	(void)p;
	const double place = share_of(pixel % s->o.nx, s->o.nx) + share_of(pixel / s->o.nx, s->o.ny);
	for (size_t c = 0; c < s->o.n_chan; c++)
		row[c] = (isnan(s->o.value) ? 1 : s->o.value) * (place + share_of(c, s->o.n_chan)) / 3;
}

/* ------------------------------------------------------------------ the scenes */

static const struct kind kinds[] = {
	{ "mixture", "smooth mixtures of k spectra, with pure pixels of each; abundances sum to one", 4, 1, HS_SCENE_MOST_COMP,
		HS_NOISE_POISSON, prepare_mixture, look_mixture, mean_of_shares },
	{ "nopure", "a mixture where no pixel is purer than --purity", 4, 2, HS_SCENE_MOST_COMP, HS_NOISE_POISSON, prepare_nopure,
		look_nopure, mean_of_shares },
	{ "clusters", "patches of k kinds of spectra, --separation standard deviations apart", 4, 1, HS_SCENE_MOST_COMP, HS_NOISE_GAUSS,
		prepare_clusters, look_clusters, mean_of_shares },
	{ "peaks", "one or two peaks whose position, width and height vary smoothly", 1, 1, 2, HS_NOISE_POISSON, prepare_peaks,
		look_peaks, mean_of_peaks },
	{ "drift", "a mixture whose energy scale shifts while the scan goes on", 4, 1, HS_SCENE_MOST_COMP, HS_NOISE_POISSON,
		prepare_mixture, look_drift, mean_of_drifted },
	{ "outliers", "a mixture with spikes and hot pixels", 4, 1, HS_SCENE_MOST_COMP, HS_NOISE_POISSON, prepare_mixture, look_outliers,
		mean_of_shares },
	{ "eels", "energy loss: power-law background, k ionisation edges with white lines", 3, 1, HS_LEN(edge_table), HS_NOISE_POISSON,
		prepare_eels, look_eels, mean_of_eels },
	{ "constant", "the same value everywhere: --value, 0 without it", 0, 0, 0, HS_NOISE_NONE, NULL, NULL, mean_constant },
	{ "gradient", "rises along x, y and energy from 0 to --value", 0, 0, 0, HS_NOISE_NONE, NULL, NULL, mean_gradient },
};

const char *hs_scene_name(size_t i, const char **what)
{
	if (i >= HS_LEN(kinds))
		return NULL;
	if (what)
		*what = kinds[i].what;
	return kinds[i].name;
}

static const struct kind *find_kind(const char *name, struct hs_err *err)
{
	struct hs_str there = { 0 };
	for (size_t i = 0; i < HS_LEN(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	for (size_t i = 0; i < HS_LEN(kinds); i++)
		hs_str_addf(&there, "%s%s", i ? ", " : "", kinds[i].name);
	hs_fail(err, HS_USAGE, "no scene '%s': there are %s", name, hs_str_get(&there));
	hs_str_release(&there);
	return NULL;
}

static int check(struct hs_scene *s, struct hs_err *err)
{
	const struct hs_scene_options *o = &s->o;
	const size_t n[] = { o->nx, o->ny, o->n_chan, sizeof(double) };
	size_t total;
	for (int i = 0; i < 3; i++)
		if (n[i] < 1 || n[i] > HS_SCENE_LONGEST)
			return hs_fail(err, HS_USAGE, "a size of %zu is outside 1 .. %d", n[i], HS_SCENE_LONGEST);
	if (!hs_product(n, 4, &total) || total > SIZE_MAX / 4)
		return hs_fail(err, HS_USAGE, "%zux%zux%zu is more than a file can hold", o->nx, o->ny, o->n_chan);
	s->n_pix = o->nx * o->ny;
	if (s->n_comp < s->kind->least_comp || s->n_comp > s->kind->most_comp) {
		if (!s->kind->most_comp)
			return hs_fail(err, HS_USAGE, "scene %s has no components", s->kind->name);
		return hs_fail(err, HS_USAGE, "scene %s has %zu to %zu components, not %zu", s->kind->name, s->kind->least_comp,
			s->kind->most_comp, s->n_comp);
	}
	if (s->kind->most_comp == HS_SCENE_MOST_COMP && s->n_pix < s->n_comp)
		return hs_fail(err, HS_USAGE, "%zu components need as many pixels, not %zu", s->n_comp, s->n_pix);
	return 0;
}

int hs_scene_new(struct hs_scene **scene, const struct hs_scene_options *options, struct hs_err *err)
{
	const struct kind *kind = find_kind(options->name, err);
	if (!kind)
		return -1;
	struct hs_scene *s = hs_must_alloc(1, sizeof *s);
	*s = (struct hs_scene){ .o = *options, .kind = kind, .n_comp = options->n_comp ? options->n_comp : kind->own_comp };
	s->o.name = kind->name;
	if (s->o.noise == HS_NOISE_AUTO)
		s->o.noise = kind->own_noise;
	int verdict = check(s, err);
	const bool eels = !strcmp(kind->name, "eels");
	if (verdict == 0) {
		s->offset_ev = eels ? 200 : 100;
		s->step_ev = eels ? 640.0 / (double)s->o.n_chan : 0.5;
		s->span_ev = s->step_ev * (double)s->o.n_chan;
		if (!(s->energy = hs_alloc(s->o.n_chan, sizeof(double), err)) ||
			!(s->spectra = hs_alloc(s->n_comp * s->o.n_chan, sizeof(double), err)))
			verdict = -1;
	}
	if (verdict == 0) {
		s->substance = hs_must_alloc(s->n_comp, sizeof *s->substance);
		s->site = hs_must_alloc(MOST_SITES, sizeof *s->site);
		for (size_t c = 0; c < s->o.n_chan; c++)
			s->energy[c] = s->offset_ev + s->step_ev * (double)c;
		verdict = kind->prepare ? kind->prepare(s, err) : 0;
	}
	if (verdict < 0) {
		hs_scene_free(s);
		return -1;
	}
	*scene = s;
	return 0;
}

void hs_scene_free(struct hs_scene *s)
{
	if (!s)
		return;
	free(s->energy);
	free(s->spectra);
	free(s->log_energy);
	free(s->substance);
	free(s->site);
	free(s);
}

size_t hs_scene_n_comp(const struct hs_scene *s)
{
	return s->n_comp;
}

enum hs_scene_noise hs_scene_noise(const struct hs_scene *s)
{
	return s->o.noise;
}

void hs_scene_energy(const struct hs_scene *s, double *offset_ev, double *step_ev)
{
	*offset_ev = s->offset_ev;
	*step_ev = s->step_ev;
}

/* ------------------------------------------------------------------ rows */

static void look(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	memset(p, 0, sizeof *p);
	if (s->kind->look)
		s->kind->look(s, pixel, p);
}

static void add_noise(const struct hs_scene *s, size_t pixel, double *row)
{
	struct hs_rng rng;
	hs_rng_init(&rng, s->o.seed, HS_STREAM_NOISE, pixel);
	for (size_t c = 0; c < s->o.n_chan && s->o.noise == HS_NOISE_POISSON; c++)
		row[c] = hs_rng_poisson(&rng, row[c]);
	for (size_t c = 0; c < s->o.n_chan && s->o.noise == HS_NOISE_GAUSS; c++)
		row[c] += s->o.sigma * hs_rng_normal(&rng);
}

static void add_outlier(const struct hs_scene *s, const struct spot *p, double *row)
{
	if (p->outlier == 1)
		row[(size_t)p->outlier_channel] += p->spike;
	for (size_t c = 0; c < s->o.n_chan && p->outlier == 2; c++)
		row[c] *= p->factor;
}

void hs_scene_rows(const struct hs_scene *s, size_t first_row, size_t n_rows, double *out)
{
#pragma omp parallel for schedule(dynamic, 8) num_threads(hs_par_threads())
	for (size_t i = 0; i < n_rows; i++) {
		struct spot p;
		double *row = out + i * s->o.n_chan;
		look(s, first_row + i, &p);
		s->kind->mean(s, &p, first_row + i, row);
		add_noise(s, first_row + i, row);
		add_outlier(s, &p, row);
	}
}

void hs_scene_mean_rows(const struct hs_scene *s, size_t first_row, size_t n_rows, double *out)
{
#pragma omp parallel for schedule(dynamic, 8) num_threads(hs_par_threads())
	for (size_t i = 0; i < n_rows; i++) {
		struct spot p;
		look(s, first_row + i, &p);
		s->kind->mean(s, &p, first_row + i, out + i * s->o.n_chan);
	}
}

/* ------------------------------------------------------------------ truth */

static const struct {
	const char *scenes;           /* those that know it */
	struct hs_truth truth;
	size_t offset;                /* in struct spot */
} truths[] = {
	{ "mixture|nopure|drift|outliers", { "endmembers", "intensity", "counts", HS_TRUTH_SPECTRA, "component" }, 0 },
	{ "mixture|nopure|drift|outliers", { "abundances", "abundance", "1", HS_TRUTH_MAPS, "component" },
		offsetof(struct spot, share) },
	{ "clusters", { "labels", "cluster", "1", HS_TRUTH_CODES, "cluster" }, offsetof(struct spot, label) },
	{ "clusters", { "centroids", "intensity", "counts", HS_TRUTH_SPECTRA, "cluster" }, 0 },
	{ "peaks", { "position", "energy", "eV", HS_TRUTH_MAPS, "peak" }, offsetof(struct spot, position) },
	{ "peaks", { "width", "full width at half maximum", "eV", HS_TRUTH_MAPS, "peak" }, offsetof(struct spot, width) },
	{ "peaks", { "height", "intensity", "counts", HS_TRUTH_MAPS, "peak" }, offsetof(struct spot, height) },
	{ "peaks|eels", { "background", "intensity", "counts", HS_TRUTH_MAP, NULL }, offsetof(struct spot, background) },
	{ "eels", { "exponent", "exponent", "1", HS_TRUTH_MAP, NULL }, offsetof(struct spot, exponent) },
	{ "eels", { "edges", "intensity", "counts", HS_TRUTH_SPECTRA, "edge" }, 0 },
	{ "eels", { "amounts", "amount", "1", HS_TRUTH_MAPS, "edge" }, offsetof(struct spot, share) },
	{ "drift", { "drift", "energy shift", "eV", HS_TRUTH_MAP, NULL }, offsetof(struct spot, drift) },
	{ "outliers", { "outliers", "outlier", "1", HS_TRUTH_CODES, NULL }, offsetof(struct spot, outlier) },
	{ "outliers", { "outlier_channel", "channel", "1", HS_TRUTH_CODES, NULL }, offsetof(struct spot, outlier_channel) },
};

static size_t truth_place(const struct hs_scene *s, size_t i)
{
	for (size_t k = 0; k < HS_LEN(truths); k++)
		if (hs_word_index(truths[k].scenes, s->kind->name) >= 0 && i-- == 0)
			return k;
	return HS_LEN(truths);
}

const struct hs_truth *hs_scene_truth(const struct hs_scene *s, size_t i)
{
	const size_t k = truth_place(s, i);
	return k < HS_LEN(truths) ? &truths[k].truth : NULL;
}

const double *hs_scene_truth_spectra(const struct hs_scene *s, size_t i)
{
	const struct hs_truth *t = hs_scene_truth(s, i);
	return t && t->kind == HS_TRUTH_SPECTRA ? s->spectra : NULL;
}

void hs_scene_truth_rows(const struct hs_scene *s, size_t i, size_t first_row, size_t n_rows, double *out)
{
	const size_t k = truth_place(s, i), n = truths[k].truth.kind == HS_TRUTH_MAPS ? s->n_comp : 1;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads())
	for (size_t r = 0; r < n_rows; r++) {
		struct spot p;
		look(s, first_row + r, &p);
		memcpy(out + r * n, (const char *)&p + truths[k].offset, n * sizeof *out);
	}
}
