/* png - PNG files without a figure around them (by libpng): one pixel a data pixel.
 *
 * Rows of data are stored smallest y first; the picture has them bottom up unless row0_top. Bytes depend on the arguments and the
 * versions of libpng and zlib alone (no time stamp). Sizes above 1 000 000 px a side are refused (HS_USAGE). */
#ifndef HS_DRAW_PNG_H
#define HS_DRAW_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "draw/bytes.h"
#include "draw/colormap.h"

/* A text chunk; key of 1..79 Latin letters, text in UTF-8. */
struct hs_png_text {
	const char *key, *text;
};

struct hs_png_map {
	const double *value;          /* ny x nx */
	const uint8_t *mask;          /* nonzero = no value; NULL: none */
	size_t ny, nx;
	bool row0_top;
	const struct hs_colormap *map;        /* 8-bit colour; NULL: 16-bit grey, lo..hi to 1..65535 and 0 where there is no value */
	double lo, hi;                        /* lo < hi */
	const struct hs_png_text *text;       /* beside "hstools:limits" = "LO HI" and, for grey, "hstools:grey" = "value = ..." */
	size_t n_text;
};

int hs_png_map(const struct hs_png_map *map, hs_bytes_fn write, void *ctx, struct hs_err *err);

/* A preview of at most 256 x 256 px (nearest neighbour) as bytes in memory; *bytes is the caller's (free). */
int hs_png_thumbnail(const struct hs_png_map *map, uint8_t **bytes, size_t *n, struct hs_err *err);

/* ny x nx pixels 0x??RRGGBB, row 0 at the top, each row stride pixels after the one before, as 8-bit RGB. */
int hs_png_pixels(const uint32_t *pixel, size_t ny, size_t nx, size_t stride, const struct hs_png_text *text, size_t n_text,
	hs_bytes_fn write, void *ctx, struct hs_err *err);

#endif
