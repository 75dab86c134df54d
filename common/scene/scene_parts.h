/* scene_parts - what the scenes are made of, between the files that make them; internal to scene.
 *
 * A kind of scene is three functions: prepare invents what is the same for all pixels, look says what is true of one pixel, mean
 * what a detector would count there on average. scene.c has the table of kinds; scene_mixture.c what mixes, scene_peaks.c peaks,
 * scene_eels.c energy-loss edges. */
#ifndef HS_SCENE_SCENE_PARTS_H
#define HS_SCENE_SCENE_PARTS_H

#include "base/rng.h"
#include "scene/scene.h"

enum { MOST_PEAKS = 4, MOST_SITES = 3 * HS_SCENE_MOST_COMP, N_WAVES = 4, MOST_FIELDS = 8,
	HS_EDGES = 4 };

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

/* A compound: what its energy-loss spectrum is made of. */
struct compound {
	double background, exponent;  /* background (E / E0)^-exponent */
	double amount[HS_EDGES];      /* of each edge */
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
	struct compound compound[HS_EDGES];
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
	bool energy_loss;             /* 200 to 840 eV */
	bool sites;                   /* each component needs a pixel of its own */
	int (*prepare)(struct hs_scene *s, struct hs_err *err);
	void (*look)(const struct hs_scene *s, size_t pixel, struct spot *p);
	void (*mean)(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row);
};

double hs_scene_between(struct hs_rng *rng, double low, double high);

/* A smooth field invented, and its value at a pixel. */
struct field hs_scene_field(struct hs_rng *rng, double low, double high);
double hs_scene_field_at(const struct hs_scene *s, const struct field *f, size_t pixel);

/* Where components lie (hs_scene_place), how they mix, how far the energy scale has drifted when the pixel is measured. */
void hs_scene_place(struct hs_scene *s);
void hs_scene_look_mixture(const struct hs_scene *s, size_t pixel, struct spot *p);
void hs_scene_look_drift(const struct hs_scene *s, size_t pixel, struct spot *p);
void hs_scene_mean_of_shares(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row);

extern const struct kind hs_scene_mixture, hs_scene_nopure, hs_scene_clusters, hs_scene_peaks, hs_scene_drift, hs_scene_outliers,
	hs_scene_eels, hs_scene_compounds;

#endif
