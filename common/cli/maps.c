#include "cli/maps.h"

#include <stdlib.h>

#include "base/mem.h"

int hs_maps_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_map_of *map, struct hs_err *err)
{
	double *v = hs_alloc(2 * px->n_pix, sizeof *v, err);
	struct hs_signal s;
	if (!v)
		return -1;
	for (size_t i = 0; i < px->n_pix; i++) {
		v[i] = map->value[i * map->stride];
		v[px->n_pix + i] = map->sigma ? map->sigma[i * map->stride] : 0;
	}
	const struct hs_extras extras = { .errors = map->sigma ? v + px->n_pix : NULL, .comment = map->comment };
	hs_pixels_map(px, &s, map->name, map->quantity, map->unit, HS_F64);
	const int verdict = hs_session_put(out, &s, v, &extras, err);
	free(v);
	return verdict;
}

int hs_maps_put_codes(struct hs_out *out, const struct hs_pixels *px, const char *name, const char *quantity,
	enum hs_dtype dtype, const void *code, const char *values, const char *meanings, const char *comment, struct hs_err *err)
{
	const struct hs_extras extras = { .flag_values = values, .flag_meanings = meanings, .comment = comment };
	struct hs_signal s;
	hs_pixels_map(px, &s, name, quantity, "1", dtype);
	return hs_session_put(out, &s, code, &extras, err);
}

int hs_maps_put_matrices(struct hs_out *out, const struct hs_pixels *px, const char *name, const char *quantity, size_t k,
	const float *triangle, const char *comment, struct hs_err *err)
{
	const size_t size = k * (k + 1) / 2;
	float *v = hs_alloc(k * k, px->n_pix * sizeof *v, err);
	struct hs_signal map, s;
	if (!v)
		return -1;
	for (size_t a = 0; a < k; a++)
		for (size_t b = 0; b < k; b++)
			for (size_t i = 0; i < px->n_pix; i++)
				v[(a * k + b) * px->n_pix + i] = triangle[i * size + (a >= b ? a * (a + 1) / 2 + b : b * (b + 1) / 2 + a)];
	hs_pixels_map(px, &map, name, quantity, "1", HS_F32);
	hs_signal_init(&s, name, quantity, "1", HS_F32);
	hs_signal_add_axis(&s, hs_axis_numbers("parameter", k));
	hs_signal_add_axis(&s, hs_axis_numbers("parameter2", k));
	for (size_t d = 0; d < map.rank; d++)
		hs_signal_add_axis(&s, hs_axis_dup(&map.axis[d]));
	hs_signal_shape_up(&s, map.sig_rank);
	hs_signal_release(&map);
	const struct hs_extras extras = { .comment = comment };
	const int verdict = hs_session_put(out, &s, v, &extras, err);
	free(v);
	return verdict;
}
