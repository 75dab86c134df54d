#include "scene/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "math/par.h"
#include "scene/scene_parts.h"

/* ------------------------------------------------------------------ what kinds share */

double hs_scene_between(struct hs_rng *rng, double low, double high)
{
	return low + (high - low) * hs_rng_uniform(rng);
}

struct field hs_scene_field(struct hs_rng *rng, double low, double high)
{
	struct field f = { .low = low, .high = high };
	for (size_t i = 0; i < N_WAVES; i++) {
		f.u[i] = hs_scene_between(rng, -1.5, 1.5);
		f.v[i] = hs_scene_between(rng, -1.5, 1.5);
		f.phase[i] = hs_scene_between(rng, 0, 2 * M_PI);
	}
	return f;
}

double hs_scene_field_at(const struct hs_scene *s, const struct field *f, size_t pixel)
{
	const double x = ((double)(pixel % s->o.nx) + 0.5) / (double)s->o.nx, y = ((double)(pixel / s->o.nx) + 0.5) / (double)s->o.ny;
	double sum = 0;
	for (size_t i = 0; i < N_WAVES; i++)
		sum += cos(2 * M_PI * (f->u[i] * x + f->v[i] * y) + f->phase[i]);
	return f->low + (f->high - f->low) * (0.5 + 0.5 * sum / N_WAVES);
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

static const struct kind constant = { .name = "constant", .what = "the same value everywhere: --value, 0 without it",
	.own_noise = HS_NOISE_NONE, .mean = mean_constant };
static const struct kind gradient = { .name = "gradient", .what = "rises along x, y and energy from 0 to --value",
	.own_noise = HS_NOISE_NONE, .mean = mean_gradient };

static const struct kind *const kinds[] = { &hs_scene_mixture, &hs_scene_nopure, &hs_scene_clusters, &hs_scene_peaks,
	&hs_scene_drift, &hs_scene_outliers, &hs_scene_eels, &hs_scene_compounds, &constant, &gradient };

const char *hs_scene_name(size_t i, const char **what)
{
	if (i >= HS_LEN(kinds))
		return NULL;
	if (what)
		*what = kinds[i]->what;
	return kinds[i]->name;
}

static const struct kind *find_kind(const char *name, struct hs_err *err)
{
	struct hs_str there = { 0 };
	for (size_t i = 0; i < HS_LEN(kinds); i++)
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	for (size_t i = 0; i < HS_LEN(kinds); i++)
		hs_str_addf(&there, "%s%s", i ? ", " : "", kinds[i]->name);
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
	if (s->kind->sites && s->n_pix < s->n_comp)
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
	if (verdict == 0) {
		s->offset_ev = kind->energy_loss ? 200 : 100;
		s->step_ev = kind->energy_loss ? 640.0 / (double)s->o.n_chan : 0.5;
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

const char *hs_scene_energy(const struct hs_scene *s, double *offset_ev, double *step_ev)
{
	*offset_ev = s->offset_ev;
	*step_ev = s->step_ev;
	return s->kind->energy_loss ? "energy loss" : "energy";
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
	{ "mixture|nopure|drift|outliers|compounds", { "endmembers", "intensity", "counts", HS_TRUTH_SPECTRA, "component" }, 0 },
	{ "mixture|nopure|drift|outliers|compounds", { "abundances", "abundance", "1", HS_TRUTH_MAPS, "component" },
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
	{ "drift|compounds", { "drift", "energy shift", "eV", HS_TRUTH_MAP, NULL }, offsetof(struct spot, drift) },
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
