#include "draw/png.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define MAX_SIDE 1000000u

/* What libpng's callbacks need; lives outside the function that setjmp returns into, so no local can be lost. */
struct job {
	png_structp png;
	png_infop info;
	hs_bytes_fn write;
	void *ctx;
	struct hs_err *err;
	png_textp text;
	size_t n_text;
};

static void on_error(png_structp png, png_const_charp message)
{
	struct job *job = png_get_error_ptr(png);
	if (!hs_failed(job->err))
		hs_fail(job->err, HS_SYSTEM, "cannot make PNG: %.200s", message);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

static void on_write(png_structp png, png_bytep bytes, size_t n)
{
	struct job *job = png_get_io_ptr(png);
	if (job->write(job->ctx, bytes, n, job->err) < 0)
		png_error(png, "write failed");
}

static void on_flush(png_structp png)
{
	(void)png;
}

/* Fills one row of finished bytes; row 0 is the top one. */
typedef void (*row_fn)(const void *source, size_t row, uint8_t *out);

static int write_rows(struct job *job, size_t ny, size_t nx, int depth, int colour_type, row_fn fill,
	const void *source, uint8_t *row)
{
	job->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, job, on_error, on_warning);
	job->info = job->png ? png_create_info_struct(job->png) : NULL;
	if (!job->info)
		return hs_fail(job->err, HS_SYSTEM, "cannot make PNG: out of memory");
	if (setjmp(png_jmpbuf(job->png)))
		return -1;
	png_set_write_fn(job->png, job, on_write, on_flush);
	png_set_IHDR(job->png, job->info, (png_uint_32)nx, (png_uint_32)ny, depth, colour_type, PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	if (colour_type == PNG_COLOR_TYPE_RGB)
		png_set_sRGB(job->png, job->info, PNG_sRGB_INTENT_PERCEPTUAL);
	png_set_compression_level(job->png, 6);
	if (job->n_text)
		png_set_text(job->png, job->info, job->text, (int)job->n_text);
	png_write_info(job->png, job->info);
	for (size_t i = 0; i < ny; i++) {
		fill(source, i, row);
		png_write_row(job->png, row);
	}
	png_write_end(job->png, job->info);
	return 0;
}

static int write_png(size_t ny, size_t nx, int depth, int colour_type, row_fn fill, const void *source,
	const struct hs_png_text *text, size_t n_text, hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	if (!nx || !ny || nx > MAX_SIDE || ny > MAX_SIDE)
		return hs_fail(err, HS_USAGE, "a PNG of %zu x %zu px cannot be made: a side has 1 to %u px", nx, ny, MAX_SIDE);
	struct job job = { .write = write, .ctx = ctx, .err = err, .n_text = n_text };
	uint8_t *row = hs_alloc(nx, colour_type == PNG_COLOR_TYPE_GRAY ? 2 : 3, err);
	if (!row)
		return -1;
	job.text = hs_must_alloc(n_text, sizeof *job.text);
	for (size_t i = 0; i < n_text; i++) {
		job.text[i].compression = PNG_ITXT_COMPRESSION_NONE;
		job.text[i].key = hs_must_dup(text[i].key);
		job.text[i].text = hs_utf8(text[i].text, strlen(text[i].text));
		job.text[i].itxt_length = strlen(job.text[i].text);
	}
	const int rc = write_rows(&job, ny, nx, depth, colour_type, fill, source, row);
	png_destroy_write_struct(&job.png, &job.info);
	for (size_t i = 0; i < n_text; i++) {
		free(job.text[i].key);
		free(job.text[i].text);
	}
	free(job.text);
	free(row);
	return rc;
}

/* ---- a data map ---- */

struct map_source {
	const struct hs_png_map *map;
	size_t ny, nx;                /* of the picture: smaller than the data for a thumbnail */
};

static double value_at(const struct map_source *s, size_t row, size_t col)
{
	const struct hs_png_map *m = s->map;
	const size_t top = s->ny == m->ny ? row : (2 * row + 1) * m->ny / (2 * s->ny);
	const size_t i = m->row0_top ? top : m->ny - 1 - top;
	const size_t j = s->nx == m->nx ? col : (2 * col + 1) * m->nx / (2 * s->nx);
	const size_t k = i * m->nx + j;
	return m->mask && m->mask[k] ? NAN : m->value[k];
}

static void colour_row(const void *source, size_t row, uint8_t *out)
{
	const struct map_source *s = source;
	for (size_t j = 0; j < s->nx; j++) {
		const struct hs_rgba c = hs_colormap_at(s->map->map, s->map->lo, s->map->hi, value_at(s, row, j));
		out[3 * j] = c.r;
		out[3 * j + 1] = c.g;
		out[3 * j + 2] = c.b;
	}
}

static void grey_row(const void *source, size_t row, uint8_t *out)
{
	const struct map_source *s = source;
	const double lo = s->map->lo, range = s->map->hi / 2 - lo / 2;
	for (size_t j = 0; j < s->nx; j++) {
		const double v = value_at(s, row, j);
		unsigned level = 0;
		if (isfinite(v))
			level = 1 + (unsigned)lround(65534 * fmin(1, fmax(0, (v / 2 - lo / 2) / range)));
		out[2 * j] = (uint8_t)(level >> 8);
		out[2 * j + 1] = (uint8_t)(level & 255);
	}
}

static int write_map(const struct hs_png_map *map, size_t ny, size_t nx, hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	if (!(map->lo < map->hi))
		return hs_fail(err, HS_USAGE, "the limits %g and %g of a map are not in ascending order", map->lo, map->hi);
	const size_t n_text = map->n_text + 2;
	struct hs_png_text *text = hs_must_alloc(n_text, sizeof *text);
	struct hs_str limits = { 0 }, law = { 0 };
	hs_str_addf(&limits, "%.17g %.17g", map->lo, map->hi);
	hs_str_addf(&law, "value = %.17g + (grey - 1) * %.17g; 0 = no value", map->lo, (map->hi / 2 - map->lo / 2) / 65534 * 2);
	text[0] = (struct hs_png_text){ "hstools:limits", hs_str_get(&limits) };
	text[1] = (struct hs_png_text){ "hstools:grey", hs_str_get(&law) };
	const size_t own = map->map ? 1 : 2;
	for (size_t i = 0; i < map->n_text; i++)
		text[own + i] = map->text[i];
	const struct map_source source = { map, ny, nx };
	const int rc = map->map ? write_png(ny, nx, 8, PNG_COLOR_TYPE_RGB, colour_row, &source, text, own + map->n_text, write, ctx, err)
	                        : write_png(ny, nx, 16, PNG_COLOR_TYPE_GRAY, grey_row, &source, text, own + map->n_text,
	                                    write, ctx, err);
	hs_str_release(&limits);
	hs_str_release(&law);
	free(text);
	return rc;
}

int hs_png_map(const struct hs_png_map *map, hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	return write_map(map, map->ny, map->nx, write, ctx, err);
}

int hs_png_thumbnail(const struct hs_png_map *map, uint8_t **bytes, size_t *n, struct hs_err *err)
{
	const size_t side = map->nx > map->ny ? map->nx : map->ny;
	size_t nx = map->nx, ny = map->ny;
	if (side > 256) {
		nx = (nx * 256 + side / 2) / side;
		ny = (ny * 256 + side / 2) / side;
		nx += !nx;
		ny += !ny;
	}
	struct hs_str out = { 0 };
	if (write_map(map, ny, nx, hs_bytes_to_str, &out, err) < 0) {
		hs_str_release(&out);
		return -1;
	}
	*n = out.len;
	*bytes = (uint8_t *)hs_str_take(&out);
	return 0;
}

/* ---- finished pixels ---- */

struct pixel_source {
	const uint32_t *pixel;
	size_t nx, stride;
};

static void pixel_row(const void *source, size_t row, uint8_t *out)
{
	const struct pixel_source *s = source;
	const uint32_t *in = s->pixel + row * s->stride;
	for (size_t j = 0; j < s->nx; j++) {
		out[3 * j] = (uint8_t)(in[j] >> 16);
		out[3 * j + 1] = (uint8_t)(in[j] >> 8);
		out[3 * j + 2] = (uint8_t)in[j];
	}
}

int hs_png_pixels(const uint32_t *pixel, size_t ny, size_t nx, size_t stride, const struct hs_png_text *text, size_t n_text,
	hs_bytes_fn write, void *ctx, struct hs_err *err)
{
	const struct pixel_source source = { pixel, nx, stride };
	return write_png(ny, nx, 8, PNG_COLOR_TYPE_RGB, pixel_row, &source, text, n_text, write, ctx, err);
}
