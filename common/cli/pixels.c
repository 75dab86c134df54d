#include "cli/pixels.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static void choose_dimensions(struct hs_pixels *px)
{
	const struct hs_signal *s = px->signal;
	const size_t nav = hs_signal_nav_rank(s);
	const bool stack = s->sig_rank == 2 && nav == 1, image = s->sig_rank == 2 && nav == 0;
	for (size_t i = 0; i < s->rank; i++) {
		const bool is_pixel = stack ? i > 0 : image ? true : i < nav;
		if (is_pixel)
			px->nav[px->n_nav++] = i;
		else
			px->sig[px->n_sig++] = i;
	}
}

void hs_pixels_count(const struct hs_signal *signal, size_t *n_pix, size_t *n_chan)
{
	struct hs_pixels px = { .signal = signal };
	choose_dimensions(&px);
	*n_pix = *n_chan = 1;
	for (size_t i = 0; i < px.n_nav; i++)
		*n_pix *= signal->axis[px.nav[i]].n;
	for (size_t i = 0; i < px.n_sig; i++)
		*n_chan *= signal->axis[px.sig[i]].n;
}

/* A map over the same pixels in another file; what is not exactly 0 there is left out. */
static int add_mask_file(struct hs_pixels *px, const char *path, struct hs_err *err)
{
	struct hs_in *in;
	size_t i;
	if (hs_in_open(&in, path, err) < 0)
		return -1;
	int verdict = hs_in_find(in, NULL, &i, err);
	if (verdict == 0 && hs_signal_count(hs_in_signal(in, i)) != px->n_pix)
		verdict = hs_fail(err, HS_BAD_DATA, "mask '%s' has %zu values for %zu pixels", path, hs_signal_count(hs_in_signal(in, i)),
		px->n_pix);
	double *v = verdict == 0 ? hs_in_read(in, i, err) : NULL;
	if (v) {
		if (!px->mask)
			px->mask = hs_must_alloc(px->n_pix, 1);
		for (size_t k = 0; k < px->n_pix; k++)
			if (!(v[k] == 0))
				px->mask[k] = HS_MASK_EXCLUDED;
	} else {
		verdict = -1;
	}
	free(v);
	hs_in_close(in);
	return verdict;
}

int hs_pixels_open(struct hs_pixels *px, struct hs_run *run, struct hs_in *in, size_t signal, const struct hs_reading *reading,
	struct hs_err *err)
{
	size_t order[HS_MAX_RANK];
	*px = (struct hs_pixels){ .in = in, .index = signal, .signal = hs_in_signal(in, signal) };
	hs_pixels_count(px->signal, &px->n_pix, &px->n_chan);
	choose_dimensions(px);
	memcpy(order, px->nav, px->n_nav * sizeof *order);
	memcpy(order + px->n_nav, px->sig, px->n_sig * sizeof *order);
	if (px->signal->mask && hs_signal_mask_count(px->signal) == px->n_pix) {
		px->mask = hs_must_alloc(px->n_pix, 1);
		memcpy(px->mask, px->signal->mask, px->n_pix);
	}
	int verdict = run->common.mask ? add_mask_file(px, run->common.mask, err) : 0;
	if (verdict == 0)
		verdict = hs_in_values(in, signal, &px->values, err);
	if (verdict == 0) {
		hs_values_permute(&px->values, order, px->n_sig);
		const struct hs_rows_options options = { .as = reading->as, .memory = reading->memory, .threads = (int)run->common.threads,
			.keep = reading->again ? run->common.memory : 0, .mask = px->mask,
			.has_fill = px->signal->has_fill, .fill = px->signal->fill };
		verdict = hs_rows_open(&px->rows, &px->values, &options, err);
	}
	if (verdict < 0) {
		hs_pixels_close(px);
		return hs_err_prepend(err, "%s", hs_in_path(in, signal));
	}
	px->source = hs_rows_source(px->rows);
	return 0;
}

void hs_pixels_close(struct hs_pixels *px)
{
	hs_rows_close(px->rows);
	hs_values_release(&px->values);
	free(px->mask);
	*px = (struct hs_pixels){ 0 };
}

static void begin(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype)
{
	hs_signal_init(s, name, quantity, units, dtype);
	hs_signal_set(&s->modality, px->signal->modality);
	hs_signal_set(&s->source, px->signal->source);
}

/* Where there is no such dimension, one of a single entry stands for it. */
static void add_axes(const struct hs_pixels *px, struct hs_signal *s, const size_t *dim, size_t n, const char *otherwise)
{
	for (size_t i = 0; i < n; i++)
		hs_signal_add_axis(s, hs_axis_dup(&px->signal->axis[dim[i]]));
	if (!n)
		hs_signal_add_axis(s, hs_axis_numbers(otherwise, 1));
}

/* Coordinates that span pixel dimensions only go along; shift dimensions were put in front. */
static void add_coords(const struct hs_pixels *px, struct hs_signal *s, size_t shift)
{
	for (size_t c = 0; c < px->signal->n_coords; c++) {
		const struct hs_coord *from = &px->signal->coord[c];
		size_t place[HS_MAX_RANK], found = 0;
		for (size_t d = 0; d < from->n_dims; d++)
			for (size_t i = 0; i < px->n_nav; i++)
				if (px->nav[i] == from->dim[d])
					place[found++] = i + shift;
		if (found != from->n_dims)
			continue;
		struct hs_coord *to = hs_signal_add_coord(s, from->name, from->units, from->n, from->value);
		to->n_dims = from->n_dims;
		memcpy(to->dim, place, found * sizeof *place);
		to->start = hs_must_dup(from->start);
	}
}

/* Two pixel dimensions make an image; fewer a curve or points. When the innermost of them is a sweep, results over it are
 * spectra: amplitudes of band excitation over the bias are loops. */
static size_t picture_rank(const struct hs_pixels *px)
{
	const bool sweeps = px->n_nav && px->signal->axis[px->nav[px->n_nav - 1]].kind == HS_AXIS_SPECTRAL;
	return px->n_nav >= 2 && !sweeps ? 2 : 1;
}

void hs_pixels_map(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype)
{
	begin(px, s, name, quantity, units, dtype);
	add_axes(px, s, px->nav, px->n_nav, "pixel");
	hs_signal_shape_up(s, picture_rank(px));
	add_coords(px, s, 0);
}

void hs_pixels_maps(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype, const char *component, size_t n)
{
	begin(px, s, name, quantity, units, dtype);
	hs_signal_add_axis(s, hs_axis_numbers(component, n));
	add_axes(px, s, px->nav, px->n_nav, "pixel");
	hs_signal_shape_up(s, picture_rank(px));
	add_coords(px, s, 1);
}

void hs_pixels_spectra(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype, const char *component, size_t n)
{
	begin(px, s, name, quantity, units, dtype);
	hs_signal_add_axis(s, hs_axis_numbers(component, n));
	add_axes(px, s, px->sig, px->n_sig, "channel");
	hs_signal_shape_up(s, px->n_sig == 2 ? 2 : 1);
}

void hs_pixels_spectrum(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity,
	const char *units,
	enum hs_dtype dtype)
{
	begin(px, s, name, quantity, units, dtype);
	add_axes(px, s, px->sig, px->n_sig, "channel");
	hs_signal_shape_up(s, px->n_sig == 2 ? 2 : 1);
}

void hs_pixels_series(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype, const char *component, size_t n)
{
	begin(px, s, name, quantity, units, dtype);
	hs_signal_add_axis(s, hs_axis_numbers(component, n));
	hs_signal_shape_up(s, 1);
}

void hs_pixels_cube(const struct hs_pixels *px, struct hs_signal *s, const char *name, enum hs_dtype dtype)
{
	hs_signal_copy(s, px->signal);
	free(s->name);
	s->name = hs_must_dup(name);
	s->dtype = dtype;
	s->has_fill = false;
	s->sha256[0] = 0;
}
