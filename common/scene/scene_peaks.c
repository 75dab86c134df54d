/* Peaks whose position, width and height are smooth functions of place. */
#include "scene/scene_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
		s->field[3 * j] = hs_scene_field(&rng, centre_ev - way_ev, centre_ev + way_ev);
		s->field[3 * j + 1] = hs_scene_field(&rng, 0.6 * width_ev, 1.4 * width_ev);
		s->field[3 * j + 2] = hs_scene_field(&rng, 0.5 * height, 1.5 * height);
	}
	s->field[6] = hs_scene_field(&rng, 0.5 * level, 1.5 * level);
	return 0;
}

static void look_peaks(const struct hs_scene *s, size_t pixel, struct spot *p)
{
	for (size_t j = 0; j < s->n_comp; j++) {
		p->position[j] = hs_scene_field_at(s, &s->field[3 * j], pixel);
		p->width[j] = hs_scene_field_at(s, &s->field[3 * j + 1], pixel);
		p->height[j] = hs_scene_field_at(s, &s->field[3 * j + 2], pixel);
	}
	p->background = hs_scene_field_at(s, &s->field[6], pixel);
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

const struct kind hs_scene_peaks = { .name = "peaks",
	.what = "one or two peaks whose position, width and height vary smoothly",
	.own_comp = 1, .least_comp = 1, .most_comp = 2, .own_noise = HS_NOISE_POISSON,
	.prepare = prepare_peaks, .look = look_peaks, .mean = mean_of_peaks };
