/* scene - synthetic spectral images whose truth is known: mixtures, clusters, peaks, drift, outliers, energy-loss edges.
 *
 * A scene is a function of (options, pixel): any rows can be asked for in any order, by any number of threads, and are the
 * same bits each time. Its own randomness (where patches lie, what spectra look like) is Philox stream HS_STREAM_SCENE, the
 * noise of a pixel HS_STREAM_NOISE keyed by the pixel's number; so two scenes of one seed that differ in noise share their
 * truth, and `outliers` is `mixture` wherever its outlier map is 0.
 *
 * Shapes: pixel y * nx + x, in C order; a row has n_chan values. Units: counts; energies in eV; pixels are 1 nm apart.
 * Owner: the caller frees the scene; what it returns by pointer lives as long. Thread rule: const after hs_scene_new. */
#ifndef HS_SCENE_SCENE_H
#define HS_SCENE_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HS_SCENE_MOST_COMP = 64, HS_SCENE_LONGEST = 1 << 24 };       /* components; entries of one dimension */

enum hs_scene_noise { HS_NOISE_AUTO, HS_NOISE_NONE, HS_NOISE_POISSON, HS_NOISE_GAUSS };
enum hs_scene_profile { HS_PROFILE_LORENTZ, HS_PROFILE_GAUSS };

struct hs_scene_options {
	const char *name;
	size_t nx, ny, n_chan;
	size_t n_comp;                /* 0: the scene's own number */
	enum hs_scene_noise noise;    /* AUTO: the scene's own */
	enum hs_scene_profile profile;        /* peaks */
	double counts;                /* expected sum of a mean spectrum */
	double sigma;                 /* of gauss noise, counts; also the yardstick of clusters */
	double purity;                /* nopure: no abundance is above this */
	double separation;            /* clusters: distance of the nearest two centroids, in standard deviations of a channel */
	double drift_ev;              /* drift, compounds: largest shift to either side */
	double outliers;              /* outliers: share of pixels */
	double value;                 /* constant: everywhere; gradient: the largest. NAN: 0 and 1 */
	uint64_t seed;
};

/* Name and one line about scene i; NULL behind the last. */
const char *hs_scene_name(size_t i, const char **what);

struct hs_scene;

/* HS_USAGE: unknown name, sizes of 0 or beyond the limits, more components than the scene or its pixels can have. */
int hs_scene_new(struct hs_scene **scene, const struct hs_scene_options *options, struct hs_err *err);
void hs_scene_free(struct hs_scene *scene);

size_t hs_scene_n_comp(const struct hs_scene *scene);
enum hs_scene_noise hs_scene_noise(const struct hs_scene *scene);             /* never AUTO */
/* Returns what the axis is called: "energy", "energy loss". */
const char *hs_scene_energy(const struct hs_scene *scene, double *offset_ev, double *step_ev);

/* n_rows spectra from pixel first_row on into out (n_rows x n_chan); parallel over rows. */
void hs_scene_rows(const struct hs_scene *scene, size_t first_row, size_t n_rows, double *out);

/* The same without noise and outliers: what the detector would count on average. */
void hs_scene_mean_rows(const struct hs_scene *scene, size_t first_row, size_t n_rows, double *out);

enum hs_truth_kind {
	HS_TRUTH_SPECTRA,             /* (component, channel) */
	HS_TRUTH_MAPS,                /* (component, y, x) */
	HS_TRUTH_MAP,                 /* (y, x) */
	HS_TRUTH_CODES                /* (y, x), whole numbers */
};

struct hs_truth {
	const char *name, *quantity, *units;
	enum hs_truth_kind kind;
	const char *component;        /* what the first dimension of SPECTRA and MAPS counts */
};

/* What is known about the scene, by number; NULL behind the last. */
const struct hs_truth *hs_scene_truth(const struct hs_scene *scene, size_t i);

/* SPECTRA: n_comp x n_chan, borrowed. */
const double *hs_scene_truth_spectra(const struct hs_scene *scene, size_t i);

/* The others: n_rows pixels from first_row on, n_comp values each (MAPS) or one. Parallel over rows. */
void hs_scene_truth_rows(const struct hs_scene *scene, size_t i, size_t first_row, size_t n_rows, double *out);

#endif
