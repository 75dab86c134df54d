/* Every kind of data the container knows (hsdata(5)), written by nxwrite and read back by nxread: values, axes, coordinates,
 * mask, fill value, companions and what is said about them. */
#include "store/nxwrite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/nxread.h"
#include "store/rows.h"
#include "tap.h"

static char folder[] = "/tmp/test_nxround-XXXXXX", path[64];

struct kind {
	const char *what;
	enum hs_dtype dtype;
	size_t rank, sig_rank, n[4];
	const char *axis[4], *units[4];
	enum hs_axis_kind kind[4];
	const char *data_type;
};

static const struct kind kinds[] = {
	{ "spectrum image", HS_F32, 3, 1, { 3, 4, 5 }, { "y", "x", "energy" }, { "nm", "nm", "eV" },
		{ HS_AXIS_SPATIAL, HS_AXIS_SPATIAL, HS_AXIS_SPECTRAL }, "SPECTRAL_IMAGE" },
	{ "line scan of counts", HS_U16, 2, 1, { 7, 6 }, { "x", "energy" }, { "nm", "keV" }, { HS_AXIS_SPATIAL, HS_AXIS_SPECTRAL },
		"SPECTRAL_IMAGE" },
	{ "spectrum", HS_F64, 1, 1, { 9 }, { "bias" }, { "V" }, { HS_AXIS_SPECTRAL }, "SPECTRUM" },
	{ "image", HS_I32, 2, 2, { 4, 6 }, { "y", "x" }, { "nm", "nm" }, { HS_AXIS_SPATIAL, HS_AXIS_SPATIAL }, "IMAGE" },
	{ "4-D", HS_U8, 4, 2, { 2, 3, 4, 5 }, { "y", "x", "ky", "kx" }, { "nm", "nm", "1/nm", "1/nm" },
		{ HS_AXIS_SPATIAL, HS_AXIS_SPATIAL, HS_AXIS_RECIPROCAL, HS_AXIS_RECIPROCAL }, "IMAGE_4D" },
	{ "band excitation", HS_C64, 4, 1, { 2, 2, 3, 4 }, { "y", "x", "bias", "frequency" }, { "nm", "nm", "V", "Hz" },
		{ HS_AXIS_SPATIAL, HS_AXIS_SPATIAL, HS_AXIS_SPECTRAL, HS_AXIS_SPECTRAL }, "SPECTRAL_IMAGE" },
	{ "scattered points", HS_F32, 2, 1, { 8, 5 }, { "point", "energy" }, { "1", "eV" }, { HS_AXIS_POINT, HS_AXIS_SPECTRAL },
		"POINT_CLOUD" },
};

static size_t count_of(const struct kind *k)
{
	size_t n = 1;
	for (size_t i = 0; i < k->rank; i++)
		n *= k->n[i];
	return n;
}

/* The last axis is not uniform, and in the middle of the table one descends. */
static void describe(struct hs_signal *s, const struct kind *k)
{
	hs_signal_init(s, "data", "count rate", "1/s", k->dtype);
	for (size_t i = 0; i < k->rank; i++) {
		double value[16];
		for (size_t j = 0; j < k->n[i]; j++)
			value[j] = i + 1 < k->rank ? 10 * (double)i + (double)j : (k->dtype == HS_F64 ? -1 : 1) * (100 + (double)(j * j) + 0.125);
		hs_signal_add_axis(s, hs_axis_values(k->axis[i], k->units[i], NULL, k->kind[i], k->n[i], value));
	}
	hs_signal_shape_up(s, k->sig_rank);
	hs_signal_set(&s->title, k->what);
	hs_signal_set(&s->modality, "EELS");
	hs_signal_set(&s->source, "a microscope of ours");
}

/* Points have places and times, pixels a mask; integers a value that means nothing was measured. */
static void add_more(struct hs_signal *s, const struct kind *k)
{
	if (k->kind[0] == HS_AXIS_POINT) {
		static const char *const name[] = { "x", "y", "time" };
		for (size_t c = 0; c < 3; c++) {
			double value[8];
			for (size_t i = 0; i < 8; i++)
				value[i] = (double)(c * 100) + 0.5 * (double)(i * i);
			struct hs_coord *coord = hs_signal_add_coord(s, name[c], c < 2 ? "nm" : "s", 8, value);
			coord->n_dims = 1;
			coord->dim[0] = 0;
			if (c == 2)
				coord->start = hs_must_dup("2024-05-06T07:08:09+02:00");
		}
	}
	if (hs_signal_mask_rank(s))           /* a lone spectrum has no pixels to leave out */
		s->mask = hs_must_alloc(hs_signal_mask_count(s), 1);
	for (size_t i = 0; s->mask && i < hs_signal_mask_count(s); i++)
		s->mask[i] = i % 3 == 1 ? HS_MASK_DEAD | HS_MASK_EXCLUDED : 0;
	if (!hs_dtype_is_float(k->dtype) && !hs_dtype_is_complex(k->dtype)) {
		s->has_fill = true;
		s->fill = 7;
	}
}

static int same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static int same_axes(const struct hs_signal *a, const struct hs_signal *b)
{
	int same = a->rank == b->rank && a->sig_rank == b->sig_rank;
	for (size_t i = 0; i < a->rank && same; i++) {
		const struct hs_axis *x = &a->axis[i], *y = &b->axis[i];
		same = same_text(x->name, y->name) && same_text(x->units, y->units) && x->kind == y->kind && x->n == y->n &&
			!memcmp(x->value, y->value, x->n * sizeof(double));
	}
	return same;
}

static int same_coords(const struct hs_signal *a, const struct hs_signal *b)
{
	int same = a->n_coords == b->n_coords;
	for (size_t i = 0; i < a->n_coords && same; i++) {
		const struct hs_coord *x = &a->coord[i], *y = hs_signal_find_coord(b, x->name, x->dim[0]);
		same = y && x->n == y->n && same_text(x->units, y->units) && same_text(x->start, y->start) &&
			!memcmp(x->value, y->value, x->n * sizeof(double));
	}
	return same;
}

static void read_back(const struct kind *k, const struct hs_signal *s, const unsigned char *values, const double *errors)
{
	struct hs_err err = { 0 };
	struct hs_in *in = NULL;
	struct hs_values v;
	size_t i = 99;
	if (!tap_ok(hs_in_open(&in, path, &err) == 0 && hs_in_find(in, NULL, &i, &err) == 0, "%s: opens %s", k->what, err.text))
		return;
	const struct hs_signal *got = hs_in_signal(in, i);
	tap_ok(!strcmp(got->name, "data") && got->dtype == k->dtype && same_text(got->title, k->what) && same_text(got->units, "1/s") &&
		same_text(got->quantity, "count rate") && same_text(got->modality, "EELS") && same_text(got->source, s->source) &&
		same_text(got->data_type, k->data_type), "%s: what is said about it (%s)", k->what, got->data_type);
	tap_ok(same_axes(s, got), "%s: its axes", k->what);
	tap_ok(same_coords(s, got), "%s: %zu further coordinates", k->what, s->n_coords);
	tap_ok(s->mask ? got->mask && !memcmp(got->mask, s->mask, hs_signal_mask_count(s)) : !got->mask, "%s: its mask", k->what);
	tap_ok(got->has_fill == s->has_fill && (!s->has_fill || got->fill == s->fill), "%s: its fill value", k->what);
	const size_t size = hs_dtype_size(k->dtype), n = count_of(k);
	const struct hs_rows_options as_stored = { .as = HS_AS_STORED, .memory = 64 << 20, .threads = 1 };
	unsigned char *all = hs_in_values(in, i, &v, &err) == 0 ? hs_rows_read_all(&v, &as_stored, &err) : NULL;
	tap_ok(all && !memcmp(all, values, n * size), "%s: its values %s", k->what, err.text);
	free(all);
	hs_values_release(&v);
	double *back = hs_in_read_companion(in, i, "data_errors", n);
	tap_ok(back && !memcmp(back, errors, n * sizeof *back), "%s: their errors", k->what);
	free(back);
	tap_ok(!hs_in_read_companion(in, i, "data_errors", n + 1) && !hs_in_read_companion(in, i, "nothing", n),
		"%s: companions of another length or name are none", k->what);
	hs_in_close(in);
}

static void test_kind(const struct kind *k, bool raw)
{
	struct hs_signal s;
	struct hs_err err = { 0 };
	struct hs_out *out;
	const size_t n = count_of(k), size = hs_dtype_size(k->dtype);
	unsigned char *values = hs_must_alloc(n, size);
	double *errors = hs_must_alloc(n, sizeof *errors);
	for (size_t i = 0; i < n * size; i++)        /* any bytes; as floats their exponents stay finite */
		values[i] = (unsigned char)((i * 37 + 11) & 0x3f);
	for (size_t i = 0; i < n; i++)
		errors[i] = 1 / (double)(i + 1);
	describe(&s, k);
	add_more(&s, k);
	const struct hs_out_options options = { .path = path, .force = true, .raw = raw, .threads = 1, .title = k->what };
	const struct hs_extras extras = { .errors = errors };
	const int written = hs_out_open(&out, &options, &err) == 0 && hs_out_signal(out, HS_AT_ENTRY, &s, values, &extras, &err) == 0 &&
		hs_out_commit(out, &err) == 0;
	if (tap_ok(written, "%s%s is written %s", k->what, raw ? ", without filters," : "", err.text))
		read_back(k, &s, values, errors);
	hs_signal_release(&s);
	free(values);
	free(errors);
}

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof path, "%s/out.nxs", folder);
	for (size_t i = 0; i < HS_LEN(kinds); i++) {
		test_kind(&kinds[i], false);
		test_kind(&kinds[i], true);
	}
	unlink(path);
	rmdir(folder);
	return tap_done();
}
