/* Electron energy loss: backgrounds that fall like a power, ionisation edges with white lines. */
#include "scene/scene_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ------------------------------------------------------------------ electron energy loss */

/* Onsets of the K edges of carbon, nitrogen, oxygen and the L3 edge of iron (Egerton, Electron Energy-Loss Spectroscopy in
 * the Electron Microscope, 2011, appendix D); white is the height of the line at the onset in units of the step. */
static const struct {
	double onset_ev, white;
} edge_table[HS_EDGES] = { { 284, 0.8 }, { 532, 0.6 }, { 708, 2.5 }, { 401, 0.8 } };

/* An edge, 1 at the foot of the step: rounded, decaying like E^-3, with a Lorentzian line behind the onset. */
static double edge_at(size_t edge, double energy_ev)
{
	const double t = energy_ev - edge_table[edge].onset_ev, line = (t - 3) / 2;
	return (pow(energy_ev / edge_table[edge].onset_ev, -3) + edge_table[edge].white / (1 + line * line)) / (1 + exp(-t));
}

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
	s->field[0] = hs_scene_field(&rng, 0.8 * level, 1.2 * level);
	s->field[1] = hs_scene_field(&rng, usual - 0.2, usual + 0.2);
	for (size_t j = 0; j < s->n_comp; j++) {
		const double onset_ev = edge_table[j].onset_ev, step = 0.6 * level * pow(onset_ev / s->offset_ev, -usual);
		s->field[2 + j] = hs_scene_field(&rng, 0, 1);
		for (size_t c = 0; c < n; c++)
			s->spectra[j * n + c] = step * edge_at(j, s->energy[c]);
	}
	return 0;
}

static void look_eels(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	p->background = hs_scene_field_at(s, &s->field[0], pixel);
	p->exponent = hs_scene_field_at(s, &s->field[1], pixel);
	for (size_t j = 0; j < s->n_comp; j++)
		p->share[j] = hs_scene_field_at(s, &s->field[2 + j], pixel);
}

static void mean_of_eels(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
{
	hs_scene_mean_of_shares(s, p, pixel, row);
	for (size_t c = 0; c < s->o.n_chan; c++)
		row[c] += p->background * exp(-p->exponent * s->log_energy[c]);
}

const struct kind hs_scene_eels = { .name = "eels",
	.what = "energy loss: power-law background, k ionisation edges with white lines",
	.own_comp = 3, .least_comp = 1, .most_comp = HS_LEN(edge_table), .own_noise = HS_NOISE_POISSON, .energy_loss = true,
	.prepare = prepare_eels, .look = look_eels, .mean = mean_of_eels };

/* ------------------------------------------------------------------ compounds that mix */

static double compound_at(const struct compound *m, double energy_ev, double from_ev)
{
	double sum = pow(energy_ev / from_ev, -m->exponent);
	for (size_t i = 0; i < HS_EDGES; i++)
		sum += m->amount[i] > 0 ? m->amount[i] * edge_at(i, energy_ev) : 0;
	return m->background * sum;
}

/* Each compound has an edge of its own, 0.4 to 0.8 of the background it stands on, and a little of the others. Thickness and
 * atomic number differ, so brightness and exponent do. */
static int prepare_compounds(struct hs_scene *s, struct hs_err *err)
{
	struct hs_rng rng;
	double total = 0;
	(void)err;
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_SPECTRA);
	for (size_t j = 0; j < s->n_comp; j++) {
		struct compound *m = &s->compound[j];
		const double brightness = hs_scene_between(&rng, 0.7, 1.3);
		double sum = 0;
		m->background = 1;
		m->exponent = hs_scene_between(&rng, 2.6, 3.2);
		for (size_t i = 0; i < HS_EDGES; i++) {
			const double foot = pow(edge_table[i].onset_ev / s->offset_ev, -m->exponent);
			m->amount[i] = foot * (i == j ? hs_scene_between(&rng, 0.4, 0.8) : hs_scene_between(&rng, 0, 0.1));
		}
		for (size_t c = 0; c < s->o.n_chan; c++)
			sum += compound_at(m, s->energy[c], s->offset_ev);
		m->background = brightness / sum;
		total += brightness;
	}
	for (size_t j = 0; j < s->n_comp; j++) {
		s->compound[j].background *= s->o.counts * (double)s->n_comp / total;
		for (size_t c = 0; c < s->o.n_chan; c++)
			s->spectra[j * s->o.n_chan + c] = compound_at(&s->compound[j], s->energy[c], s->offset_ev);
	}
	hs_scene_place(s);
	hs_rng_init(&rng, s->o.seed, HS_STREAM_SCENE, ITEM_DRIFT);
	s->drift_phase = hs_scene_between(&rng, 0, 2 * M_PI);
	return 0;
}

static void mean_of_compounds(const struct hs_scene *s, const struct spot *p, size_t pixel, double *row)
{
	if (p->drift == 0) {
		hs_scene_mean_of_shares(s, p, pixel, row);
		return;
	}
	memset(row, 0, s->o.n_chan * sizeof *row);
	for (size_t j = 0; j < s->n_comp; j++)
		for (size_t c = 0; c < s->o.n_chan && p->share[j] > 0; c++)
			row[c] += p->share[j] * compound_at(&s->compound[j], s->energy[c] - p->drift, s->offset_ev);
}

const struct kind hs_scene_compounds = { .name = "compounds",
	.what = "energy loss of k compounds that mix, while the energy scale drifts",
	.own_comp = 3, .least_comp = 1, .most_comp = HS_EDGES, .own_noise = HS_NOISE_POISSON, .energy_loss = true, .sites = true,
	.prepare = prepare_compounds, .look = hs_scene_look_drift, .mean = mean_of_compounds };
