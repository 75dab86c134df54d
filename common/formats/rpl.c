/* rpl - Lispix "ripple" files: a small text header (.rpl) beside the bare values (.raw).
 *
 * Header: a first line "key TAB value", then one entry a line, keys in any case, lines from ';' on are remarks. width,
 * height, depth, data-length (bytes), data-type, offset and record-by are Lispix's own; *-scale, *-origin, *-units, *-name
 * are HyperSpy's; ev-per-chan is older than both. Stored order by record-by:
 *   vector     height, width, depth    (depth fastest)
 *   image      depth, height, width
 *   dont-care  height, width           (or one spectrum: only one of the ways to look at it is longer than 1)
 * In the toolkit both are (y, x, energy), so the sums and spectra of two files with the same numbers are the same. Spatial
 * dimensions of length 1 are dropped (a line scan is (x, energy), one spectrum (energy)); with depth 1 the image (y, x)
 * remains. byte-order dont-care is little endian: that is how HyperSpy writes. --axes names (height, width, depth), as far
 * as they remain. Source: Bright, Lispix help, "Ripple"; HyperSpy's files. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "formats/axes.h"
#include "formats/format.h"
#include "formats/text.h"

enum { MAX_HEADER = 1 << 20 };

struct ripple {
	enum hs_dtype dtype;
	size_t item;
	bool half, big_endian, by_image;
	size_t width, height, depth;
	uint64_t offset;
};

static const char *get(const struct hs_scan *scan, const char *key)
{
	for (size_t i = 0; i < scan->n_pairs; i++)
		if (hs_same_word(scan->pair[i].key, key))
			return scan->pair[i].value;
	return "";
}

/* Cuts "key blanks value" (in place); false for a line without both halves. */
static bool split(char *line, char **value)
{
	char *end = line + strcspn(line, " \t");
	*value = hs_text_trim(end);
	*end = 0;
	return *line != 0;
}

static void read_pairs(struct hs_scan *scan, char *text)
{
	for (char *line, *value; (line = hs_text_line(&text)); ) {
		if (!*line || *line == ';' || !split(line, &value) || (hs_same_word(line, "key") && hs_same_word(value, "value")))
			continue;
		char *clean_key = hs_utf8(line, strlen(line)), *clean_value = hs_utf8(value, strlen(value));
		hs_scan_add_pair(scan, clean_key, clean_value);
		free(clean_key);
		free(clean_value);
	}
}

/* The entry without a remark behind it; caller frees. Empty when it is not there. */
static char *entry(const struct hs_scan *scan, const char *key)
{
	char *value = hs_must_dup(get(scan, key));
	value[strcspn(value, ";")] = 0;
	hs_text_trim(value);                      /* blanks in front are gone already: split cut them */
	return value;
}

static int count(const struct hs_scan *scan, const char *key, uint64_t fallback, uint64_t *value, struct hs_err *err)
{
	char *text = entry(scan, key);
	int status = 0;
	*value = fallback;
	if (*text)
		status = hs_text_count(text, key, value, err);
	else if (fallback == UINT64_MAX)
		status = hs_fail(err, HS_BAD_DATA, "its header lacks '%s'", key);
	free(text);
	return status;
}

static int size(const struct hs_scan *scan, const char *key, size_t *n, struct hs_err *err)
{
	uint64_t value;
	if (count(scan, key, UINT64_MAX, &value, err) < 0)
		return -1;
	if (!value)
		return hs_fail(err, HS_BAD_DATA, "its '%s' is 0", key);
	*n = value;
	return 0;
}

static int element_type(const struct hs_scan *scan, struct ripple *r, struct hs_err *err)
{
	static const struct { const char *type; uint64_t bytes; enum hs_dtype dtype; } known[] = {
		{ "unsigned", 1, HS_U8 }, { "unsigned", 2, HS_U16 }, { "unsigned", 4, HS_U32 }, { "unsigned", 8, HS_U64 },
		{ "signed", 1, HS_I8 }, { "signed", 2, HS_I16 }, { "signed", 4, HS_I32 }, { "signed", 8, HS_I64 },
		{ "float", 2, HS_F32 }, { "float", 4, HS_F32 }, { "float", 8, HS_F64 }, { "complex", 8, HS_C64 },
		{ "complex", 16, HS_C128 }, { "bool", 1, HS_U8 },
	};
	uint64_t bytes;
	if (count(scan, "data-length", UINT64_MAX, &bytes, err) < 0)
		return -1;
	char *type = entry(scan, "data-type");
	bool found = false;
	for (size_t i = 0; i < HS_LEN(known) && !found; i++)
		if (hs_same_word(type, known[i].type) && bytes == known[i].bytes) {
			r->dtype = known[i].dtype;
			r->item = bytes;
			r->half = r->dtype == HS_F32 && bytes == 2;
			found = true;
		}
	if (!found)
		hs_fail(err, HS_BAD_DATA, "data-type '%.40s' of %llu bytes is not known", type, (unsigned long long)bytes);
	free(type);
	return found ? 0 : -1;
}

static int layout(const struct hs_scan *scan, struct ripple *r, struct hs_err *err)
{
	char *order = entry(scan, "byte-order"), *record = entry(scan, "record-by");
	r->big_endian = hs_same_word(order, "big-endian");
	r->by_image = hs_same_word(record, "image");
	int status = 0;
	if (!r->big_endian && *order && !hs_same_word(order, "little-endian") && !hs_same_word(order, "dont-care"))
		status = hs_fail(err, HS_BAD_DATA, "byte-order '%.40s' is not known", order);
	else if (*record && !r->by_image && !hs_same_word(record, "vector") && !hs_same_word(record, "dont-care"))
		status = hs_fail(err, HS_BAD_DATA, "record-by '%.40s' is not known", record);
	else if (!r->by_image && !hs_same_word(record, "vector") && r->depth > 1 && r->width * r->height > 1)
		status = hs_fail(err, HS_BAD_DATA, "its header does not say whether it is recorded by vector or by image");
	free(order);
	free(record);
	return status;
}

/* What the companion must hold is known before it is looked at. */
static int parse(const struct hs_scan *scan, struct ripple *r, uint64_t *bytes, struct hs_err *err)
{
	if (size(scan, "width", &r->width, err) < 0 || size(scan, "height", &r->height, err) < 0 ||
	    size(scan, "depth", &r->depth, err) < 0 || element_type(scan, r, err) < 0 ||
	    count(scan, "offset", 0, &r->offset, err) < 0)
		return -1;
	const size_t factor[] = { r->width, r->height, r->depth, r->item };
	size_t product;
	if (!hs_product(factor, HS_LEN(factor), &product) || __builtin_add_overflow(product, r->offset, bytes) ||
	    *bytes > INT64_MAX)
		return hs_fail(err, HS_BAD_DATA, "%zu x %zu x %zu values are beyond any file", r->height, r->width, r->depth);
	return layout(scan, r, err);
}

/* ------------------------------------------------------------------------------------------------ the axes */

/* "depth-scale" ...: a number, or the fallback when there is none or it is no number (with a warning). */
static double calibration(const struct hs_scan *scan, const char *dim, const char *what, double fallback)
{
	char *key = hs_must_printf("%s-%s", dim, what), *text = entry(scan, key);
	struct hs_err err = { 0 };
	double value = fallback;
	if (*text && hs_text_real(text, key, &value, &err) < 0)
		hs_warn("%s: ignored", err.text);
	free(key);
	free(text);
	return value;
}

static const char *depth_name(const char *units)
{
	static const struct { const char *unit, *name; } known[] = {
		{ "eV", "energy" }, { "V", "bias" }, { "Hz", "frequency" }, { "1/cm", "wavenumber" },
		{ "cm-1", "wavenumber" }, { "s", "time" },
	};
	const double metre = hs_unit_factor(units, "m");
	for (size_t i = 0; i < HS_LEN(known); i++)
		if (hs_unit_factor(units, known[i].unit))
			return known[i].name;
	return metre > 0 && metre < 1e-4 ? "wavelength" : "channel";
}

static struct hs_axis one_axis(const struct hs_scan *scan, const char *dim, size_t n)
{
	const bool spectral = !strcmp(dim, "depth");
	char *key = hs_must_printf("%s-units", dim), *units = entry(scan, key);
	double scale = calibration(scan, dim, "scale", 0), per_chan = 0;
	if (spectral && !scale)
		per_chan = calibration(scan, "ev", "per-chan", 0);
	if (per_chan && !*units) {
		free(units);
		units = hs_must_dup("eV");
	}
	scale = scale ? scale : per_chan ? per_chan : 1;
	free(key);
	key = hs_must_printf("%s-name", dim);
	char *name = entry(scan, key);
	/* HyperSpy numbers axes that have no name; a number says nothing */
	const char *spatial = !strcmp(dim, "width") ? "x" : "y";
	const char *known = isalpha((unsigned char)*name) ? name : spectral ? depth_name(units) : spatial;
	enum hs_axis_kind kind = hs_axis_kind_guess(known, units);
	if (spectral || kind == HS_AXIS_UNKNOWN || kind == HS_AXIS_SPECTRAL)
		kind = spectral ? HS_AXIS_SPECTRAL : HS_AXIS_SPATIAL;
	struct hs_axis axis = hs_axis_uniform(known, units, NULL, kind, n, calibration(scan, dim, "origin", 0), scale);
	free(units);
	free(name);
	free(key);
	return axis;
}

/* ---------------------------------------------------------------------------------------------- the reader */

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)options;
	const size_t n = file->n_head < 8192 ? file->n_head : 8192;
	if (!hs_text_is(file->head, n))
		return 0;
	char *text = hs_must_alloc(n + 1, 1), *at = text;
	memcpy(text, file->head, n);
	bool first = true, titled = false;
	int found = 0;
	for (char *line, *value; (line = hs_text_line(&at)); ) {
		if (!*line || *line == ';' || !split(line, &value))
			continue;
		titled |= first && hs_same_word(line, "key") && hs_same_word(value, "value");
		first = false;
		static const char *const needed[] = { "width", "height", "depth", "data-length", "data-type" };
		for (size_t i = 0; i < HS_LEN(needed); i++)
			if (hs_same_word(line, needed[i]) && *value)
				found |= 1 << i;
	}
	free(text);
	return found == 31 ? (titled ? 95 : 80) : titled ? 30 : 0;
}

static int add_signal(struct hs_scan *scan, const struct hs_load_options *options, const struct ripple *r, int fd, uint64_t end,
	struct hs_err *err)
{
	static const char *const dim[] = { "height", "width", "depth" };
	const size_t n[] = { r->height, r->width, r->depth };
	const int64_t item = (int64_t)r->item, pixel = r->by_image ? item : item * (int64_t)r->depth;
	const int64_t plane = item * (int64_t)(r->height * r->width);
	const int64_t stride[] = { pixel * (int64_t)r->width, pixel, r->by_image ? plane : item };
	size_t rank = 0, kept[3], kept_n[3], sig_rank = r->depth > 1 ? 1 : 2, order[HS_MAX_RANK];
	for (size_t i = 0; i < 3; i++) {
		const bool spectrum = r->depth > 1 || r->height * r->width == 1;
		if (n[i] > 1 || (spectrum ? i == 2 : i < 2)) {
			kept[rank] = i;
			kept_n[rank++] = n[i];
		}
	}
	sig_rank = sig_rank < rank ? sig_rank : rank;

	struct hs_axis axis[HS_MAX_RANK];
	if (options && options->axes) {
		if (hs_axes_from_text(options->axes, rank, kept_n, axis, &sig_rank, err) < 0)
			return -1;
	} else {
		for (size_t i = 0; i < rank; i++)
			axis[i] = one_axis(scan, dim[kept[i]], kept_n[i]);
	}
	struct hs_values values;
	hs_values_raw(&values, fd, r->offset, end, r->dtype, r->big_endian, rank, kept_n, sig_rank);
	values.half = r->half;
	for (size_t i = 0; i < rank; i++)
		values.stride[i] = stride[kept[i]];
	if (options && options->axes && hs_axes_put_last(rank, axis, sig_rank, order))
		hs_values_permute(&values, order, sig_rank);

	struct hs_signal signal;
	hs_signal_init(&signal, "data", NULL, NULL, r->dtype);
	for (size_t i = 0; i < rank; i++)
		hs_signal_add_axis(&signal, axis[i]);
	hs_signal_shape_up(&signal, sig_rank);
	return hs_scan_add(scan, &signal, &values, err);
}

static int open_ripple(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan,
	struct hs_err *err)
{
	static const char *const endings[] = { "raw", NULL };
	if (file->size > MAX_HEADER)
		return hs_fail(err, HS_BAD_DATA, "it is too long for the header of a .raw file");
	char *text = hs_alloc((size_t)file->size + 1, 1, err);
	if (!text || hs_bytes_read(file, 0, text, (size_t)file->size, err) < 0) {
		free(text);
		return -1;
	}
	hs_scan_set_header(scan, text, (size_t)file->size);
	read_pairs(scan, text);
	free(text);

	struct ripple r = { 0 };
	struct hs_bytes raw;
	uint64_t bytes = 0;
	if (parse(scan, &r, &bytes, err) < 0 || hs_scan_companion(scan, file, endings, &raw, err) < 0)
		return -1;
	if (raw.size < bytes)
		return hs_fail(err, HS_BAD_DATA, "header promises %llu bytes of values, the .raw file beside it has %llu",
			(unsigned long long)bytes, (unsigned long long)raw.size);
	if (*get(scan, "title"))
		scan->title = hs_must_dup(get(scan, "title"));
	if (*get(scan, "signal"))
		scan->modality = hs_must_dup(get(scan, "signal"));
	if (*get(scan, "date"))
		scan->start_time = hs_text_date(get(scan, "date"), get(scan, "time"));
	return add_signal(scan, options, &r, raw.fd, bytes, err);
}

const struct hs_format hs_format_rpl = { "rpl", "Lispix ripple (.rpl with .raw)", sniff, open_ripple };
