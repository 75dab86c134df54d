#include "store/nxwrite.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <hdf5_hl.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/draft.h"
#include "store/h5object.h"
#include "store/nxread.h"
#include "store/sink.h"
#include "store/vfd.h"

struct hs_out {
	struct hs_draft draft;
	hid_t file, entry, step;
	struct hs_out_options options;
	char *step_name;
	int sequence;
	char *default_entry, *default_step;
	/* the group whose stream is open */
	hid_t stream_dataset;
	bool streaming;
};

static int h5(struct hs_err *err, int verdict)
{
	return verdict < 0 ? hs_h5_fail(err, HS_SYSTEM, "cannot write the output file") : 0;
}

/* What this run makes replaces what was carried. */
static void make_room(hid_t group, const char *name)
{
	if (H5Lexists(group, name, H5P_DEFAULT) > 0)
		H5Ldelete(group, name, H5P_DEFAULT);
}

static void random_uuid(char text[37])
{
	unsigned char b[16];
	if (getrandom(b, sizeof b, 0) != sizeof b)
		memset(b, 0x5a, sizeof b);
	b[6] = (unsigned char)(0x40 | (b[6] & 15));
	b[8] = (unsigned char)(0x80 | (b[8] & 63));
	snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5],
		b[6],
		b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static int write_root(struct hs_out *out)
{
	char now[32], uuid[37], version[32];
	unsigned major, minor, release;
	H5get_libversion(&major, &minor, &release);
	snprintf(version, sizeof version, "%u.%u.%u", major, minor, release);
	hs_clock_iso(now);
	random_uuid(uuid);
	const char *slash = out->options.path ? strrchr(out->options.path, '/') : NULL,
		   *name = out->options.path && strcmp(out->options.path, "-") ? (slash ? slash + 1 : out->options.path) : "stream.nxs";
	int bad = hs_h5_put_class(out->file, "NXroot") | hs_h5_put_text(out->file, "default", "entry") |
		hs_h5_put_text(out->file, "creator", "hstools") | hs_h5_put_text(out->file, "creator_version", "1.0") |
		hs_h5_put_text(out->file, "file_time", now) | hs_h5_put_text(out->file, "file_name", name) |
		hs_h5_put_text(out->file, "HDF5_Version", version) | hs_h5_put_text(out->file, "hs_version", "1.0");
	out->entry = hs_h5_new_group(out->file, "entry", "NXentry");
	bad |= out->entry < 0 ? -1 : 0;
	bad |= hs_h5_put_string(out->entry, "title", out->options.title ? out->options.title : "untitled") |
		hs_h5_put_string(out->entry, "start_time", out->options.start_time ? out->options.start_time : now) |
		hs_h5_put_string(out->entry, "entry_identifier_uuid", out->options.uuid ? out->options.uuid : uuid) |
		hs_h5_put_string(out->entry, "program_name", "hstools");
	return bad;
}

int hs_out_open(struct hs_out **result, const struct hs_out_options *options, struct hs_err *err)
{
	struct hs_out *out = hs_must_alloc(1, sizeof *out);
	*out = (struct hs_out){ .file = -1, .entry = -1, .step = -1, .options = *options, .stream_dataset = -1,
		.draft = { .fd = -1, .target = -1 } };
	hs_h5_quiet();
	if (hs_draft_open(&out->draft, options->path, options->force, err) < 0) {
		hs_out_abandon(out);
		return -1;
	}
	hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), fcpl = H5Pcreate(H5P_FILE_CREATE);
	H5Pset_libver_bounds(fapl, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110);
	H5Pset_file_locking(fapl, 1, 1);
	hs_fapl_set_fd(fapl, out->draft.fd);
	if (out->draft.for_pipe)
		H5Pset_userblock(fcpl, 512);
	out->file = H5Fcreate("draft", H5F_ACC_TRUNC, fcpl, fapl);
	H5Pclose(fapl);
	H5Pclose(fcpl);
	if (out->file < 0 || write_root(out) < 0) {
		h5(err, -1);
		hs_out_abandon(out);
		return -1;
	}
	*result = out;
	return 0;
}

/* ------------------------------------------------------------------ one NXdata */

static const char *interpretation(const struct hs_signal *s)
{
	return s->sig_rank == 2 ? "image" : "spectrum";
}

static int write_axis(hid_t group, hid_t data, size_t place, const struct hs_axis *a)
{
	int bad;
	char *label = hs_axis_label(a), *indices = hs_must_printf("%s_indices", a->name);
	if (a->integer) {
		int32_t *v = hs_must_alloc(a->n, sizeof *v);
		for (size_t i = 0; i < a->n; i++)
			v[i] = (int32_t)a->value[i];
		bad = hs_h5_put_array(group, a->name, HS_I32, 1, &a->n, v, H5P_DEFAULT);
		free(v);
	} else {
		bad = hs_h5_put_array(group, a->name, HS_F64, 1, &a->n, a->value, H5P_DEFAULT);
	}
	hid_t x = H5Dopen2(group, a->name, H5P_DEFAULT);
	bad |= hs_h5_put_text(x, "units", a->units) | hs_h5_put_text(x, "long_name", label) | hs_h5_put_text(x, "name", a->name) |
		hs_h5_put_text(x, "quantity", a->quantity) | hs_h5_put_text(x, "dimension_type", hs_axis_kind_name(a->kind));
	bad |= hs_h5_put_int(group, indices, (int)place);
	bad |= H5DSset_scale(x, a->name) | H5DSattach_scale(data, x, (unsigned)place) | H5DSset_label(data, (unsigned)place, a->name);
	H5Dclose(x);
	free(indices);
	free(label);
	return bad;
}

static int write_coord(hid_t group, const struct hs_signal *s, const struct hs_coord *c)
{
	size_t n[HS_MAX_RANK];
	int where[HS_MAX_RANK], bad;
	for (size_t i = 0; i < c->n_dims; i++) {
		n[i] = s->axis[c->dim[i]].n;
		where[i] = (int)c->dim[i];
	}
	char *indices = hs_must_printf("%s_indices", c->name);
	bad = hs_h5_put_array(group, c->name, HS_F64, c->n_dims, n, c->value, H5P_DEFAULT);
	hid_t d = H5Dopen2(group, c->name, H5P_DEFAULT);
	bad |= hs_h5_put_text(d, "units", c->units) | hs_h5_put_text(d, "long_name", c->long_name);
	if (c->start)
		bad |= hs_h5_put_text(d, "start", c->start);
	bad |= c->n_dims == 1 ? hs_h5_put_int(group, indices, where[0]) : hs_h5_put_ints(group, indices, where, c->n_dims);
	H5Dclose(d);
	free(indices);
	return bad;
}

static int write_mask(hid_t group, const struct hs_signal *s)
{
	static const uint8_t bits[] = { HS_MASK_DEAD, HS_MASK_HOT, HS_MASK_SATURATED, HS_MASK_EXCLUDED };
	size_t n[HS_MAX_RANK];
	int where[HS_MAX_RANK];
	const size_t nav = hs_signal_mask_rank(s);
	for (size_t i = 0; i < nav; i++) {
		n[i] = s->axis[i].n;
		where[i] = (int)i;
	}
	int bad = hs_h5_put_array(group, "pixel_mask", HS_U8, nav, n, s->mask, H5P_DEFAULT);
	hid_t d = H5Dopen2(group, "pixel_mask", H5P_DEFAULT);
	bad |= hs_h5_put_text(d, "long_name", "0 = good") | hs_h5_put_number(d, "flag_masks", HS_U8, bits, 4) |
		hs_h5_put_text(d, "flag_meanings", "dead hot saturated excluded");
	bad |= nav == 1 ? hs_h5_put_int(group, "pixel_mask_indices", 0) : hs_h5_put_ints(group, "pixel_mask_indices", where, nav);
	H5Dclose(d);
	return bad;
}

/* A fill value that the type cannot hold, from a file of others, marks nothing and is left out. */
static int write_fill(hid_t data, const struct hs_signal *s)
{
	unsigned char native[16];
	switch (s->dtype) {
#define AS(T, low, beyond)                                           \
	{                                                            \
		if (!(s->fill >= (low) && s->fill < (beyond)))       \
			return 0;                                    \
		const T v = (T)s->fill;                              \
		memcpy(native, &v, sizeof v);                        \
	}                                                            \
	break
	case HS_U8: AS(uint8_t, 0, 0x1p8);
	case HS_I8: AS(int8_t, -0x1p7, 0x1p7);
	case HS_U16: AS(uint16_t, 0, 0x1p16);
	case HS_I16: AS(int16_t, -0x1p15, 0x1p15);
	case HS_U32: AS(uint32_t, 0, 0x1p32);
	case HS_I32: AS(int32_t, -0x1p31, 0x1p31);
	case HS_U64: AS(uint64_t, 0, 0x1p64);
	case HS_I64: AS(int64_t, -0x1p63, 0x1p63);
#undef AS
	default: return 0;
	}
	return hs_h5_put_number(data, "_FillValue", s->dtype, native, 0);
}

/* The dataset itself: filtered chunks, or one contiguous stretch with its place fixed at once so that values can be put there. */
static hid_t create_data(const struct hs_out *out, hid_t group, const struct hs_signal *s, bool components_first)
{
	hsize_t n[HS_MAX_RANK], c[HS_MAX_RANK];
	size_t shape[HS_MAX_RANK], chunk[HS_MAX_RANK];
	for (size_t i = 0; i < s->rank; i++)
		n[i] = shape[i] = s->axis[i].n;
	const bool filtered = !out->options.raw && !out->draft.for_pipe && hs_chunk_for(shape, s->rank, s->sig_rank,
		hs_dtype_size(s->dtype), chunk);
	hid_t dcpl = hs_h5_new_dcpl(), space = H5Screate_simple((int)s->rank, n, NULL);
	if (filtered && components_first)
		hs_chunk_by_pixels(shape, s->rank, hs_dtype_size(s->dtype), chunk);
	if (filtered) {
		for (size_t i = 0; i < s->rank; i++)
			c[i] = chunk[i];
		H5Pset_chunk(dcpl, (int)s->rank, c);
		H5Pset_shuffle(dcpl);
		H5Pset_deflate(dcpl, 1);
		H5Pset_fletcher32(dcpl);
	} else {
		H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
		H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
	}
	hid_t d = H5Dcreate2(group, "data", hs_h5_type_disk(s->dtype), space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
	H5Sclose(space);
	H5Pclose(dcpl);
	return d;
}

static hid_t place_group(const struct hs_out *out, enum hs_out_place place)
{
	return place == HS_AT_STEP ? out->step : out->entry;
}

/* Everything but the values. Gives the open group and dataset. */
static int describe(struct hs_out *out, enum hs_out_place place, const struct hs_signal *s, const struct hs_extras *x,
	bool components_first,
	hid_t *group, hid_t *data)
{
	const char *axes[HS_MAX_RANK];
	make_room(place_group(out, place), s->name);
	hid_t g = *group = hs_h5_new_group(place_group(out, place), s->name, "NXdata");
	if (g < 0)
		return -1;
	for (size_t i = 0; i < s->rank; i++)
		axes[i] = s->axis[i].name;
	int bad = hs_h5_put_text(g, "signal", "data") | hs_h5_put_texts(g, "axes", axes, s->rank) |
		hs_h5_put_text(g, "interpretation", interpretation(s)) | hs_h5_put_string(g, "title", s->title);
	if (s->log_scale)
		bad |= hs_h5_put_text(g, "SILX_style", "{\"signal_scale_type\": \"log\"}");
	hid_t d = *data = create_data(out, g, s, components_first);
	if (d < 0)
		return -1;
	bad |= hs_h5_put_text(d, "units", s->units) | hs_h5_put_text(d, "long_name", s->long_name) |
		hs_h5_put_text(d, "interpretation", interpretation(s)) | hs_h5_put_text(d, "quantity", s->quantity) |
		hs_h5_put_text(d, "main_data_name", "data") | hs_h5_put_text(d, "data_type", s->data_type) |
		hs_h5_put_text(d, "modality", s->modality) | hs_h5_put_text(d, "source", s->source) |
		hs_h5_put_text(d, "pyNSID_version", "0.0.7 (hstools)");
	if (s->has_fill)
		bad |= write_fill(d, s);
	if (x && x->flag_values)
		bad |= hs_h5_put_text(d, "flag_values", x->flag_values) | hs_h5_put_text(d, "flag_meanings", x->flag_meanings);
	if (x && x->comment)
		bad |= hs_h5_put_text(d, "comment", x->comment);
	for (size_t i = 0; i < s->rank; i++)
		bad |= write_axis(g, d, i, &s->axis[i]);
	for (size_t i = 0; i < s->n_coords; i++)
		bad |= write_coord(g, s, &s->coord[i]);
	if (s->mask && hs_signal_mask_rank(s))
		bad |= write_mask(g, s);
	char **first = place == HS_AT_STEP ? &out->default_step : &out->default_entry;
	if (!*first && place == HS_AT_STEP)
		*first = hs_must_dup(s->name);
	return bad;
}

static int write_companions(hid_t group, const struct hs_signal *s, const struct hs_extras *x)
{
	size_t n[HS_MAX_RANK];
	const char **names = hs_must_alloc(x->n_columns, sizeof *names);
	int bad = 0;
	for (size_t i = 0; i < s->rank; i++)
		n[i] = s->axis[i].n;
	if (x->errors) {
		char *label = hs_must_printf("1 sigma of %s", s->quantity);
		bad |= hs_h5_put_array(group, "data_errors", HS_F64, s->rank, n, x->errors, H5P_DEFAULT);
		hid_t d = H5Dopen2(group, "data_errors", H5P_DEFAULT);
		bad |= hs_h5_put_text(d, "units", s->units) | hs_h5_put_text(d, "long_name", label);
		H5Dclose(d);
		free(label);
	}
	for (size_t i = 0; i < x->n_columns; i++) {
		names[i] = x->column[i].name;
		bad |= hs_h5_put_array(group, names[i], s->dtype, s->rank, n, x->column[i].values, H5P_DEFAULT);
		hid_t d = H5Dopen2(group, names[i], H5P_DEFAULT);
		bad |= hs_h5_put_text(d, "units", x->column[i].units) | hs_h5_put_text(d, "long_name", names[i]);
		H5Dclose(d);
	}
	if (x->n_columns)
		bad |= hs_h5_put_texts(group, "auxiliary_signals", names, x->n_columns);
	free(names);
	return bad;
}

int hs_out_signal(struct hs_out *out, enum hs_out_place place, const struct hs_signal *s, const void *values,
	const struct hs_extras *extras,
	struct hs_err *err)
{
	hid_t group = -1, data = -1;
	struct hs_sink *sink = NULL;
	size_t n[HS_MAX_RANK];
	char sha[65];
	for (size_t i = 0; i < s->rank; i++)
		n[i] = s->axis[i].n;
	int verdict = h5(err, describe(out, place, s, extras, false, &group, &data) | (extras ? write_companions(group, s, extras) : 0));
	if (verdict == 0)
		verdict = hs_sink_open(&sink, data, out->draft.fd, s->dtype, n, s->rank, s->sig_rank, false, out->options.threads, err);
	if (verdict == 0 && (verdict = hs_sink_put(sink, values, hs_signal_nav_count(s), err)) < 0)
		hs_sink_abandon(sink);
	else if (verdict == 0)
		verdict = hs_sink_close(sink, sha, err);
	if (verdict == 0)
		verdict = h5(err, hs_h5_put_text(data, "sha256", sha));
	if (data >= 0)
		H5Dclose(data);
	if (group >= 0)
		H5Gclose(group);
	return verdict < 0 ? hs_err_prepend(err, "%s", s->name) : 0;
}

int hs_out_stream(struct hs_out *out, enum hs_out_place place, const struct hs_signal *s, bool components_first,
	const struct hs_extras *extras, struct hs_sink **sink, struct hs_err *err)
{
	hid_t group = -1;
	size_t n[HS_MAX_RANK];
	for (size_t i = 0; i < s->rank; i++)
		n[i] = s->axis[i].n;
	if (out->streaming)
		return hs_fail(err, HS_BUG, "two streams into one file");
	int verdict = h5(err, describe(out, place, s, extras, components_first, &group, &out->stream_dataset) |
		(extras ? write_companions(group, s, extras) : 0));
	if (verdict == 0)
		verdict = hs_sink_open(sink, out->stream_dataset, out->draft.fd, s->dtype, n, s->rank, s->sig_rank, components_first,
			out->options.threads, err);
	if (group >= 0)
		H5Gclose(group);
	if (verdict < 0 && out->stream_dataset >= 0) {
		H5Dclose(out->stream_dataset);
		out->stream_dataset = -1;
	}
	out->streaming = verdict == 0;
	return verdict;
}

int hs_out_put(struct hs_sink *sink, const void *rows, size_t n_rows, struct hs_err *err)
{
	return hs_sink_put(sink, rows, n_rows, err);
}

int hs_out_end_stream(struct hs_out *out, struct hs_sink *sink, struct hs_err *err)
{
	char sha[65];
	int verdict = -1;
	if (hs_failed(err))
		hs_sink_abandon(sink);
	else if ((verdict = hs_sink_close(sink, sha, err)) == 0)
		verdict = h5(err, hs_h5_put_text(out->stream_dataset, "sha256", sha));
	H5Dclose(out->stream_dataset);
	out->stream_dataset = -1;
	out->streaming = false;
	return verdict;
}

int hs_out_scatter(struct hs_out *out, const char *name, const struct hs_signal *like, const double *x, const double *y,
	const float *values,
	size_t n, struct hs_err *err)
{
	static const char *const axes[] = { "x", "y" };
	const double *const where[] = { x, y };
	make_room(out->entry, name);
	hid_t g = hs_h5_new_group(out->entry, name, "NXdata");
	if (g < 0)
		return h5(err, -1);
	int bad = hs_h5_put_text(g, "signal", "data") | hs_h5_put_texts(g, "axes", axes, 2) | hs_h5_put_string(g, "title", like->title) |
		hs_h5_put_array(g, "data", HS_F32, 1, &n, values, H5P_DEFAULT);
	hid_t d = H5Dopen2(g, "data", H5P_DEFAULT);
	bad |= hs_h5_put_text(d, "units", like->units) | hs_h5_put_text(d, "long_name", like->long_name);
	H5Dclose(d);
	for (int i = 0; i < 2; i++) {
		const char *units = "1";
		for (size_t k = 0; k < like->n_coords; k++)
			if (!strcmp(like->coord[k].name, axes[i]))
				units = like->coord[k].units;
		char *indices = hs_must_printf("%s_indices", axes[i]), *label = hs_must_printf("%s (%s)", axes[i], units);
		bad |= hs_h5_put_array(g, axes[i], HS_F64, 1, &n, where[i], H5P_DEFAULT);
		d = H5Dopen2(g, axes[i], H5P_DEFAULT);
		bad |= hs_h5_put_text(d, "units", units) | hs_h5_put_text(d, "long_name", label) | hs_h5_put_text(d, "name", axes[i]) |
			hs_h5_put_text(d, "quantity", "position") | hs_h5_put_text(d, "dimension_type", "SPATIAL") | hs_h5_put_int(g, indices, i);
		H5Dclose(d);
		free(indices);
		free(label);
	}
	H5Gclose(g);
	return h5(err, bad);
}

/* ------------------------------------------------------------------ notes */

static int put_bytes(hid_t group, const char *name, const uint8_t *bytes, size_t n)
{
	hid_t dcpl = hs_h5_new_dcpl();
	const hsize_t chunk = n < HS_CHUNK_BYTES ? n : HS_CHUNK_BYTES;
	if (n > 65536) {
		H5Pset_chunk(dcpl, 1, &chunk);
		H5Pset_deflate(dcpl, 1);
	}
	const int bad = hs_h5_put_array(group, name, HS_U8, 1, &n, bytes, dcpl);
	H5Pclose(dcpl);
	return bad;
}

static int put_checksum(hid_t group, const uint8_t *bytes, size_t n)
{
	char hex[65];
	struct hs_sha256 *sha = hs_sha256_new();
	hs_sha256_add(sha, bytes, n);
	hs_sha256_take(sha, hex);
	return hs_h5_put_string(group, "checksum", hex) | hs_h5_put_string(group, "algorithm", "sha256");
}

int hs_out_vendor(struct hs_out *out, const char *file_name, const uint8_t *header, size_t n_header, const char *json,
	struct hs_err *err)
{
	make_room(out->entry, "original_metadata");
	hid_t c = hs_h5_new_group(out->entry, "original_metadata", "NXcollection");
	int bad = c < 0 ? -1 : 0;
	if (header && n_header) {
		hid_t n = hs_h5_new_group(c, "header", "NXnote");
		bad |= hs_h5_put_string(n, "type", "application/octet-stream") | hs_h5_put_string(n, "file_name", file_name) |
			hs_h5_put_string(n, "description", "vendor header, verbatim bytes") | put_checksum(n, header, n_header) |
			put_bytes(n, "data", header, n_header);
		H5Gclose(n);
	}
	if (json) {
		hid_t n = hs_h5_new_group(c, "header_json", "NXnote");
		bad |= hs_h5_put_string(n, "type", "application/json") | hs_h5_put_string(n, "description", "vendor header, parsed") |
			hs_h5_put_string(n, "data", json);
		H5Gclose(n);
	}
	if (c >= 0)
		H5Gclose(c);
	return h5(err, bad);
}

int hs_out_thumbnail(struct hs_out *out, const uint8_t *png, size_t n, const char *description, struct hs_err *err)
{
	make_room(out->entry, "thumbnail");
	hid_t g = hs_h5_new_group(out->entry, "thumbnail", "NXnote");
	if (g < 0)
		return h5(err, -1);
	const int bad = hs_h5_put_string(g, "type", "image/png") | hs_h5_put_string(g, "description", description) |
		put_checksum(g, png, n) |
		put_bytes(g, "data", png, n);
	H5Gclose(g);
	return h5(err, bad);
}

/* ------------------------------------------------------------------ what travels */

/* A copied NXdata lost its dimension scales (their references point into the old file): take the remains off, attach anew. */
static int attach_again(struct hs_h5 *file, const char *path)
{
	size_t n_axes = 0;
	int bad = 0;
	char **axes = hs_h5_attr_texts(file, path, "axes", &n_axes);
	hid_t group = H5Gopen2(file->id, path, H5P_DEFAULT), d = H5Dopen2(group, "data", H5P_DEFAULT), space =
		d >= 0 ? H5Dget_space(d) : -1;
	const int rank = space >= 0 ? H5Sget_simple_extent_ndims(space) : 0;
	const bool had_scales = d >= 0 && H5Aexists(d, "DIMENSION_LIST") > 0;
	if (had_scales)
		bad |= H5Adelete(d, "DIMENSION_LIST");
	if (d >= 0 && H5Aexists(d, "DIMENSION_LABELS") > 0)
		bad |= H5Adelete(d, "DIMENSION_LABELS");
	for (size_t i = 0; i < n_axes && had_scales && (int)n_axes == rank; i++) {
		hid_t x = H5Dopen2(group, axes[i], H5P_DEFAULT);
		if (x < 0)
			continue;
		if (H5Aexists(x, "REFERENCE_LIST") > 0)
			bad |= H5Adelete(x, "REFERENCE_LIST");
		if (H5DSis_scale(x) <= 0)
			bad |= H5DSset_scale(x, axes[i]);
		bad |= H5DSattach_scale(d, x, (unsigned)i) | H5DSset_label(d, (unsigned)i, axes[i]);
		H5Dclose(x);
	}
	if (space >= 0)
		H5Sclose(space);
	if (d >= 0)
		H5Dclose(d);
	H5Gclose(group);
	hs_h5_free_list(axes, n_axes);
	return bad;
}

static bool is_class(struct hs_h5 *file, const char *path, const char *nx_class)
{
	char *class = hs_h5_attr_text(file, path, "NX_class");
	const bool yes = class && !strcmp(class, nx_class);
	free(class);
	return yes;
}

/* The copied group itself, or the NXdata right below it. */
static int attach_all(struct hs_out *out, const char *name)
{
	struct hs_h5 file;
	size_t n = 0;
	int bad = 0;
	hs_h5_view(&file, out->file);
	char *path = hs_h5_join("/entry", name), **child = NULL;
	if (is_class(&file, path, "NXdata"))
		bad = attach_again(&file, path);
	else if (is_class(&file, path, "NXprocess"))
		child = hs_h5_children(&file, path, &n);
	for (size_t i = 0; i < n; i++) {
		char *below = hs_h5_join(path, child[i]);
		if (is_class(&file, below, "NXdata"))
			bad |= attach_again(&file, below);
		free(below);
	}
	hs_h5_unview(&file);
	hs_h5_free_list(child, n);
	free(path);
	return bad;
}

int hs_out_carry(struct hs_out *out, struct hs_in *in, bool with_data, struct hs_err *err)
{
	static const char *const travels[] = { "original_metadata", "sample", "instrument", "user", "thumbnail", "mean_spectrum",
		"sum_image", "map" };
	struct hs_h5 *from = hs_in_h5(in);
	size_t n = 0;
	int bad = 0;
	char **child = hs_h5_children(from, "/entry", &n);
	errno = 0;
	for (size_t i = 0; i < n && !bad; i++) {
		char *path = hs_h5_join("/entry", child[i]);
		bool take = hs_starts(child[i], "process_") || (with_data && is_class(from, path, "NXdata"));
		for (size_t k = 0; k < HS_LEN(travels); k++)
			take |= !strcmp(child[i], travels[k]);
		if (take)
			bad |= H5Ocopy(from->id, path, out->entry, child[i], H5P_DEFAULT, H5P_DEFAULT) | attach_all(out, child[i]);
		if (hs_starts(child[i], "process_")) {
			const int number = atoi(child[i] + strlen("process_"));
			out->sequence = number > out->sequence ? number : out->sequence;
		}
		free(path);
	}
	hs_h5_free_list(child, n);
	/* a copy reads and writes: when the system did not refuse, it is the input that is damaged */
	const bool refused = errno == ENOSPC || errno == EFBIG || errno == EDQUOT || errno == EIO;
	return bad ? hs_h5_fail(err, refused ? HS_SYSTEM : HS_BAD_DATA, "cannot carry over what '%s' holds", from->name) : 0;
}

/* ------------------------------------------------------------------ history */

int hs_out_step(struct hs_out *out, const char *program, struct hs_err *err)
{
	free(out->step_name);
	out->step_name = hs_must_printf("process_%02d_%s", ++out->sequence, program);
	if (out->step >= 0)
		H5Gclose(out->step);
	out->step = hs_h5_new_group(out->entry, out->step_name, "NXprocess");
	return h5(err, out->step < 0 ? -1 : 0);
}

int hs_out_sequence(const struct hs_out *out)
{
	return out->sequence;
}

static int put_param(hid_t group, const struct hs_param *p)
{
	const uint8_t flag = p->integer != 0;
	char *name = hs_clean_name(p->name);
	int bad = 0;
	switch (p->kind) {
	case HS_PARAM_INT: bad = hs_h5_put_scalar(group, name, HS_I64, &p->integer); break;
	case HS_PARAM_BOOL: bad = hs_h5_put_scalar(group, name, HS_U8, &flag); break;
	case HS_PARAM_REAL: bad = hs_h5_put_scalar(group, name, HS_F64, &p->real); break;
	case HS_PARAM_TEXT: bad = hs_h5_put_string(group, name, p->text && *p->text ? p->text : "none"); break;
	}
	free(name);
	return bad;
}

static int put_origin(hid_t step, size_t number, const struct hs_origin *o)
{
	char name[32];
	snprintf(name, sizeof name, "input_%zu", number);
	hid_t n = hs_h5_new_group(step, name, "NXnote");
	if (n < 0)
		return -1;
	int bad = hs_h5_put_string(n, "type", o->type) | hs_h5_put_string(n, "file_name", o->file_name);
	if (o->path)
		bad |= hs_h5_put_string(n, "description", o->path);
	if (o->uuid)
		bad |= hs_h5_put_string(n, "identifier_uuid", o->uuid);
	if (o->checksum && *o->checksum)
		bad |= hs_h5_put_string(n, "checksum", o->checksum) | hs_h5_put_string(n, "algorithm", "sha256");
	H5Gclose(n);
	return bad;
}

int hs_out_finish_step(struct hs_out *out, const struct hs_step *step, struct hs_err *err)
{
	const int32_t sequence = out->sequence;
	int bad = hs_h5_put_string(out->step, "program", step->program) | hs_h5_put_string(out->step, "version", step->version) |
		hs_h5_put_string(out->step, "date", step->date) | hs_h5_put_scalar(out->step, "sequence_index", HS_I32, &sequence);
	hid_t note = hs_h5_new_group(out->step, "configuration", "NXnote");
	bad |= hs_h5_put_string(note, "type", "application/json") | hs_h5_put_string(note, "description", step->command) |
		hs_h5_put_string(note, "data", step->configuration);
	if (note >= 0)
		H5Gclose(note);
	if (step->n_params) {
		hid_t g = hs_h5_new_group(out->step, "parameters", "NXparameters");
		for (size_t i = 0; i < step->n_params; i++)
			bad |= put_param(g, &step->param[i]);
		if (g >= 0)
			H5Gclose(g);
	}
	for (size_t i = 0; i < step->n_origins; i++)
		bad |= put_origin(out->step, i + 1, &step->origin[i]);
	return h5(err, bad);
}

int hs_out_default(struct hs_out *out, enum hs_out_place place, const char *name, struct hs_err *err)
{
	char **slot = place == HS_AT_STEP ? &out->default_step : &out->default_entry;
	(void)err;
	free(*slot);
	*slot = hs_must_dup(name);
	if (place == HS_AT_ENTRY) {           /* the measurement itself is what to look at, not a result in the step */
		free(out->default_step);
		out->default_step = NULL;
	}
	return 0;
}

static int write_defaults(struct hs_out *out)
{
	int bad = 0;
	if (out->step >= 0 && out->default_step)
		bad |= hs_h5_put_text(out->step, "default", out->default_step);
	const char *first = out->default_entry ? out->default_entry : out->default_step ? out->step_name : "data";
	return bad | hs_h5_put_text(out->entry, "default", first);
}

static void close_all(struct hs_out *out)
{
	hid_t *const object[] = { &out->stream_dataset, &out->step, &out->entry };
	for (size_t i = 0; i < HS_LEN(object); i++) {
		if (*object[i] >= 0)
			H5Oclose(*object[i]);
		*object[i] = -1;
	}
}

int hs_out_commit(struct hs_out *out, struct hs_err *err)
{
	int verdict = h5(err, write_defaults(out));
	close_all(out);
	if (verdict == 0 && H5Fflush(out->file, H5F_SCOPE_GLOBAL) < 0)
		verdict = h5(err, -1);
	if (out->file >= 0 && H5Fclose(out->file) < 0 && verdict == 0)
		verdict = h5(err, -1);
	out->file = -1;
	if (verdict == 0)
		verdict = hs_draft_commit(&out->draft, err);
	hs_out_abandon(out);
	return verdict;
}

void hs_out_abandon(struct hs_out *out)
{
	if (!out)
		return;
	close_all(out);
	if (out->file >= 0)
		H5Fclose(out->file);
	hs_draft_abandon(&out->draft);
	free(out->step_name);
	free(out->default_entry);
	free(out->default_step);
	free(out);
}
