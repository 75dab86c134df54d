#include "prep/cut.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "prep/stage.h"

static void shorten_axis(struct hs_axis *a, const struct hs_cut *cut)
{
	for (size_t i = 0; i < cut->n; i++) {
		double sum = 0;
		for (size_t k = 0; k < cut->step; k++)
			sum += a->value[cut->first + i * cut->step + k];
		a->value[i] = cut->step == 1 ? a->value[cut->first + i] : sum / (double)cut->step;
	}
	a->n = cut->n;
	a->integer &= cut->step == 1;
}

/* Where index `at` of dimension `dim` of an array of extents n[rank] goes; SIZE_MAX for nowhere. */
static size_t moved(size_t at, const size_t *n, size_t rank, size_t dim, const struct hs_cut *cut)
{
	size_t inner = 1;
	for (size_t d = dim + 1; d < rank; d++)
		inner *= n[d];
	const size_t low = at % inner, i = at / inner % n[dim], high = at / inner / n[dim];
	if (i < cut->first || i >= cut->first + cut->n * cut->step)
		return SIZE_MAX;
	return (high * cut->n + (i - cut->first) / cut->step) * inner + low;
}

/* Coordinates along the dimension: means of the groups. */
static void shorten_coord(struct hs_coord *c, const struct hs_signal *s, const struct hs_cut *cut)
{
	size_t n[HS_MAX_RANK], place = c->n_dims;
	for (size_t d = 0; d < c->n_dims; d++) {
		n[d] = s->axis[c->dim[d]].n;
		place = c->dim[d] == cut->dim ? d : place;
	}
	if (place == c->n_dims)
		return;
	const size_t now = c->n / n[place] * cut->n;
	double *v = hs_must_alloc(now, sizeof *v);
	for (size_t i = 0; i < c->n; i++) {
		const size_t to = moved(i, n, c->n_dims, place, cut);
		if (to != SIZE_MAX)
			v[to] += c->value[i] / (double)cut->step;
	}
	free(c->value);
	c->value = v;
	c->n = now;
}

static void shorten_mask(struct hs_signal *s, const struct hs_cut *cut)
{
	const size_t rank = hs_signal_mask_rank(s), count = hs_signal_mask_count(s);
	size_t n[HS_MAX_RANK];
	if (!s->mask || cut->dim >= rank)
		return;
	for (size_t d = 0; d < rank; d++)
		n[d] = s->axis[d].n;
	uint8_t *mask = hs_must_alloc(count / n[cut->dim] * cut->n, 1), *good = hs_must_alloc(count / n[cut->dim] * cut->n, 1);
	for (size_t i = 0; i < count; i++) {
		const size_t to = moved(i, n, rank, cut->dim, cut);
		if (to == SIZE_MAX)
			continue;
		mask[to] |= s->mask[i];
		good[to] |= !s->mask[i];
	}
	for (size_t i = 0; i < count / n[cut->dim] * cut->n; i++)
		mask[i] = good[i] ? 0 : mask[i];
	free(good);
	free(s->mask);
	s->mask = mask;
}

static void shorten(struct hs_signal *s, const struct hs_cut *cut)
{
	for (size_t i = 0; i < s->n_coords; i++)
		shorten_coord(&s->coord[i], s, cut);
	shorten_mask(s, cut);
	shorten_axis(&s->axis[cut->dim], cut);
}

size_t *hs_cut_pixels(struct hs_signal *s, const struct hs_cut *cut, struct hs_err *err)
{
	const size_t nav = hs_signal_nav_rank(s), n_pix = hs_signal_nav_count(s);
	size_t n[HS_MAX_RANK], *to = hs_alloc(n_pix, sizeof *to, err);
	for (size_t d = 0; d < nav; d++)
		n[d] = s->axis[d].n;
	for (size_t i = 0; to && i < n_pix; i++)
		to[i] = moved(i, n, nav, cut->dim, cut);
	if (to)
		shorten(s, cut);
	return to;
}

size_t *hs_cut_channels(struct hs_signal *s, const struct hs_cut *cut, size_t *n_new, struct hs_err *err)
{
	const size_t nav = hs_signal_nav_rank(s), n_chan = hs_signal_sig_count(s);
	size_t n[HS_MAX_RANK];
	for (size_t d = 0; d < s->sig_rank; d++)
		n[d] = s->axis[nav + d].n;
	*n_new = n_chan / n[cut->dim - nav] * cut->n;
	size_t *from = hs_alloc(*n_new, cut->step * sizeof *from, err), *met = from ? hs_alloc(*n_new, sizeof *met, err) : NULL;
	for (size_t i = 0; met && i < n_chan; i++) {
		const size_t to = moved(i, n, s->sig_rank, cut->dim - nav, cut);
		if (to != SIZE_MAX)
			from[to * cut->step + met[to]++] = i;
	}
	if (met)
		shorten(s, cut);
	free(met);
	return hs_failed(err) ? NULL : from;
}
