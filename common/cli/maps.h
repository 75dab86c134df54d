/* maps - tables with one row a pixel, written as maps into the tool's step.
 *
 * Everything is borrowed. Errors are those of writing and memory. */
#ifndef HS_CLI_MAPS_H
#define HS_CLI_MAPS_H

#include "cli/pixels.h"

/* value[i * stride] of pixel i, float64; sigma, in the same way, or NULL, becomes data_errors. comment may be NULL. */
struct hs_map_of {
	const char *name, *quantity, *unit, *comment;
	const double *value, *sigma;
	size_t stride;
};
int hs_maps_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_map_of *map, struct hs_err *err);

/* Codes of n_pix pixels (HS_U8 or HS_I32); values "0 1 2" and their meanings, words with spaces between. */
int hs_maps_put_codes(struct hs_out *out, const struct hs_pixels *px, const char *name, const char *quantity,
	enum hs_dtype dtype, const void *code, const char *values, const char *meanings, const char *comment, struct hs_err *err);

/* A symmetric k x k matrix a pixel, given as lower triangles: (parameter, parameter2, pixels...), float32. */
int hs_maps_put_matrices(struct hs_out *out, const struct hs_pixels *px, const char *name, const char *quantity, size_t k,
	const float *triangle, const char *comment, struct hs_err *err);

#endif
