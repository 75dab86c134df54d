/* The readers of HDF5 dialects. In every made file the value at (y, x, e) is 100 y + 10 x + e, however it is stored, so one look
 * says whether it came to the right place. Real files are compared with what public readers found in them, when they are
 * there ($HS_DATA or ../shared/data). */
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "formats/format.h"
#include "store/h5.h"
#include "store/vfd.h"
#include "tap.h"

enum { NY = 2, NX = 3, NE = 4 };

struct opened {
	int fd;
	struct hs_h5 *h5;
	struct hs_scan scan;
	struct hs_err err;
	int verdict;
};

static hid_t create(int *fd)
{
	*fd = memfd_create("formats", MFD_CLOEXEC);
	hs_h5_quiet();
	hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
	hs_fapl_set_fd(fapl, *fd);
	hid_t file = H5Fcreate("test", H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
	H5Pclose(fapl);
	return file;
}

static struct opened load(int fd, const char *name, const char *path, const char *axes)
{
	struct opened o = { .fd = fd };
	struct stat st;
	o.verdict = fstat(fd, &st) < 0 || hs_h5_open(&o.h5, fd, name, &o.err) < 0 ? -1 : 0;
	if (o.verdict == 0) {
		static unsigned char head[65536];
		const ssize_t n = pread(fd, head, sizeof head, 0);
		const struct hs_bytes bytes = { .fd = fd, .size = (uint64_t)st.st_size, .name = name, .head = head, .n_head = n < 0 ? 0 :
			(size_t)n };
		const struct hs_load_options options = { .h5 = o.h5, .path = path, .axes = axes };
		o.verdict = hs_scan_open(&o.scan, &bytes, NULL, &options, &o.err);
	}
	return o;
}

static struct opened reload(hid_t written, int fd, const char *path, const char *axes)
{
	H5Fclose(written);
	return load(fd, "test.h5", path, axes);
}

static void finish(struct opened *o)
{
	hs_scan_release(&o->scan);
	hs_h5_close(o->h5);
	close(o->fd);
}

/* All values of a signal in logical order: the slow and plain way, for comparison. */
static double *gather(const struct hs_values *v, size_t *count)
{
	struct hs_err err = { 0 };
	size_t stride[HS_MAX_RANK], at[HS_MAX_RANK] = { 0 }, disk_n[HS_MAX_RANK] = { 0 };
	hs_product(v->n, v->rank, count);
	void *stored = v->kind == HS_VALUES_MEMORY ? v->memory : hs_h5_values(v->file, v->path, v->field, v->dtype, *count, &err);
	if (!stored)
		return NULL;
	double *flat = calloc(*count, sizeof *flat), *out = calloc(*count, sizeof *out);
	hs_dtype_to_double(v->dtype, stored, flat, *count);
	for (size_t i = 0; i < v->rank; i++)
		disk_n[v->disk_dim[i]] = v->n[i];
	for (size_t i = 0; i < v->rank; i++) {
		stride[i] = 1;
		for (size_t d = v->disk_dim[i] + 1; d < v->rank; d++)
			stride[i] *= disk_n[d];
	}
	for (size_t k = 0; k < *count; k++) {
		size_t from = 0;
		for (size_t i = 0; i < v->rank; i++)
			from += (v->flip[i] ? v->n[i] - 1 - at[i] : at[i]) * stride[i];
		out[k] = flat[from];
		for (size_t i = v->rank; i-- > 0 && ++at[i] == v->n[i];)
			at[i] = 0;
	}
	free(flat);
	if (v->kind != HS_VALUES_MEMORY)
		free(stored);
	return out;
}

static int is_cube(const struct hs_scan *scan, size_t i)
{
	size_t n;
	if (i >= scan->n_signals)
		return 0;
	double *v = gather(&scan->values[i], &n);
	int good = v && n == NY * NX * NE;
	for (size_t k = 0; good && k < n; k++)
		good = v[k] == (double)(100 * (k / (NX * NE)) + 10 * (k / NE % NX) + k % NE);
	free(v);
	return good;
}

static int axis_is(const struct hs_scan *scan, size_t i, size_t d, const char *name, const char *units, double first, double last)
{
	if (i >= scan->n_signals || d >= scan->signal[i].rank)
		return 0;
	const struct hs_axis *a = &scan->signal[i].axis[d];
	const double tiny = 1e-6 * (fabs(first) + fabs(last));
	return !strcmp(a->name, name) && !strcmp(a->units, units) && fabs(a->value[0] - first) <= tiny &&
		fabs(a->value[a->n - 1] - last) <= tiny;
}

/* The cube with its dimensions in another order: "exy" stores e slowest. */
static void cube_as(const char *order, float *to)
{
	size_t at[3] = { 0 }, n[3];
	for (int d = 0; d < 3; d++)
		n[d] = order[d] == 'y' ? NY : order[d] == 'x' ? NX : NE;
	for (size_t k = 0; k < NY * NX * NE; k++) {
		to[k] = 0;
		for (int d = 0; d < 3; d++)
			to[k] += (float)at[d] * (order[d] == 'y' ? 100 : order[d] == 'x' ? 10 : 1);
		for (int d = 3; d-- > 0 && ++at[d] == n[d];)
			at[d] = 0;
	}
}

static void put_cube(hid_t group, const char *name, const char *order)
{
	float cube[NY * NX * NE];
	size_t n[3];
	cube_as(order, cube);
	for (int d = 0; d < 3; d++)
		n[d] = order[d] == 'y' ? NY : order[d] == 'x' ? NX : NE;
	hs_h5_put_array(group, name, HS_F32, 3, n, cube, H5P_DEFAULT);
}

static hid_t group_at(hid_t parent, const char *name)
{
	return H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

static void put_text_of(hid_t file, const char *path, const char *attr, const char *value)
{
	hid_t object = H5Oopen(file, path, H5P_DEFAULT);
	hs_h5_put_text(object, attr, value);
	H5Oclose(object);
}

static void put_line(hid_t group, const char *name, const char *units, size_t n, double first, double step)
{
	double *v = calloc(n, sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = first + (double)i * step;
	hs_h5_put_array(group, name, HS_F64, 1, &n, v, H5P_DEFAULT);
	if (units)
		put_text_of(group, name, "units", units);
	free(v);
}

/* HyperSpy */

static void hspy_axis(hid_t experiment, int i, const char *name, const char *units, int navigate, double offset, double scale)
{
	char path[16];
	snprintf(path, sizeof path, "axis-%d", i);
	hid_t a = group_at(experiment, path);
	hs_h5_put_text(a, "name", name);
	hs_h5_put_text(a, "units", units);
	if (navigate >= 0)
		hs_h5_put_int(a, "navigate", navigate);
	hs_h5_put_number(a, "offset", HS_F64, &offset, 0);
	hs_h5_put_number(a, "scale", HS_F64, &scale, 0);
	H5Gclose(a);
}

static void test_hspy(void)
{
	int fd;
	hid_t id = create(&fd);
	hs_h5_put_text(id, "file_format", "HyperSpy");
	hid_t all = group_at(id, "Experiments"), e = group_at(all, "a[slash]b");
	put_cube(e, "data", "yxe");
	hspy_axis(e, 0, "y", "$nm$", 1, 0, 0.5);
	hspy_axis(e, 1, "x", "$nm$", 1, 10, -0.5);
	hid_t a = group_at(e, "axis-2");
	const double energy[NE] = { 1, 2, 4, 8 };
	const size_t n_energy = NE;
	hs_h5_put_text(a, "_type", "DataAxis");
	hs_h5_put_text(a, "name", "Energy");
	hs_h5_put_text(a, "units", "eV");
	hs_h5_put_int(a, "navigate", 0);
	hs_h5_put_array(a, "axis", HS_F64, 1, &n_energy, energy, H5P_DEFAULT);
	H5Gclose(a);
	hid_t m = group_at(e, "metadata"), s = group_at(m, "Signal");
	hs_h5_put_text(s, "signal_type", "EELS");
	hs_h5_put_text(s, "quantity", "Intensity (Counts)");
	H5Gclose(s);
	H5Gclose(m);
	H5Gclose(e);
	/* an old experiment: no navigate, record_by image; the image comes last */
	e = group_at(all, "old");
	put_cube(e, "data", "eyx");
	m = group_at(e, "metadata");
	s = group_at(m, "Signal");
	hs_h5_put_text(s, "record_by", "image");
	H5Gclose(s);
	H5Gclose(m);
	hspy_axis(e, 0, "frame", "s", -1, 0, 1);
	hspy_axis(e, 1, "y", "nm", -1, 0, 1);
	hspy_axis(e, 2, "x", "nm", -1, 0, 1);
	H5Gclose(e);
	H5Gclose(all);
	struct opened o = reload(id, fd, NULL, NULL);
	struct hs_scan *scan = &o.scan;
	tap_ok(o.verdict == 0 && scan->n_signals == 2 && scan->main == 0, "hspy: two experiments, the spectral one is the main one");
	if (o.verdict == 0) {
		struct hs_signal *g = &scan->signal[0];
		double lifted = 0;
		size_t n;
		double *v = gather(&scan->values[0], &n);
		for (size_t k = 0; v && k < n; k++)             /* x was stored falling, so it runs the other way now */
			lifted += fabs(v[k] - (double)(100 * (k / (NX * NE)) + 10 * (NX - 1 - k / NE % NX) + k % NE));
		free(v);
		tap_ok(n == NY * NX * NE && lifted == 0 && scan->values[0].flip[1], "hspy: data turn with a falling axis");
		tap_ok(axis_is(scan, 0, 0, "y", "nm", 0, 0.5) && axis_is(scan, 0, 1, "x", "nm", 9, 10) &&
			axis_is(scan, 0, 2, "Energy", "eV", 1, 8),
			"hspy: axes, one not uniform, units without dollars");
		tap_ok(!strcmp(g->title, "a/b") && !strcmp(g->modality, "EELS") && !strcmp(g->quantity, "Intensity") &&
			!strcmp(g->units, "count"),
			"hspy: title, technique, quantity and unit");
		tap_ok(scan->signal[1].sig_rank == 2 && scan->signal[1].axis[0].kind == HS_AXIS_TEMPORAL,
			"hspy: an old image stack by record_by");
		tap_ok(scan->header_json && strstr(scan->header_json, "signal_type"), "hspy: metadata are kept");
	}
	finish(&o);
}

/* USID */

struct usid {
	size_t n, m, n_pos, n_spec;
	const uint32_t *pos, *spec;           /* n x n_pos, n_spec x m */
	const char *const *pos_label, *const *spec_label;
	double spec_first, spec_step;
};

static void usid_tables(hid_t id, hid_t main, const struct usid *u)
{
	static const char *const name[] = { "Position_Indices", "Position_Values", "Spectroscopic_Indices", "Spectroscopic_Values" };
	double values[64];
	const size_t n_pos[2] = { u->n, u->n_pos }, n_spec[2] = { u->n_spec, u->m };
	hs_h5_put_array(id, name[0], HS_U32, 2, n_pos, u->pos, H5P_DEFAULT);
	for (size_t k = 0; k < u->n * u->n_pos; k++)
		values[k] = 2e-9 * u->pos[k];
	hs_h5_put_array(id, name[1], HS_F64, 2, n_pos, values, H5P_DEFAULT);
	hs_h5_put_array(id, name[2], HS_U32, 2, n_spec, u->spec, H5P_DEFAULT);
	for (size_t k = 0; k < u->m * u->n_spec; k++)
		values[k] = u->spec_first + u->spec_step * u->spec[k];
	hs_h5_put_array(id, name[3], HS_F64, 2, n_spec, values, H5P_DEFAULT);
	static const char *const metres[] = { "m", "m", "m" }, *const volts[] = { "V", "V", "V" };
	for (int k = 0; k < 4; k++) {
		hid_t set = H5Dopen2(id, name[k], H5P_DEFAULT);
		hs_h5_put_texts(set, "labels", k < 2 ? u->pos_label : u->spec_label, k < 2 ? u->n_pos : u->n_spec);
		hs_h5_put_texts(set, "units", k < 2 ? metres : volts, k < 2 ? u->n_pos : u->n_spec);
		H5Dclose(set);
		hobj_ref_t ref;
		H5Rcreate(&ref, id, name[k], H5R_OBJECT, -1);
		hid_t space = H5Screate(H5S_SCALAR), attr = H5Acreate2(main, name[k], H5T_STD_REF_OBJ, space, H5P_DEFAULT, H5P_DEFAULT);
		H5Awrite(attr, H5T_STD_REF_OBJ, &ref);
		H5Aclose(attr);
		H5Sclose(space);
	}
	hs_h5_put_text(main, "quantity", "dI/dV");
	hs_h5_put_text(main, "units", "nS");
}

static struct opened usid_file(const struct usid *u, const float *values)
{
	int fd;
	hid_t id = create(&fd);
	const size_t n[2] = { u->n, u->m };
	hs_h5_put_array(id, "Raw_Data", HS_F32, 2, n, values, H5P_DEFAULT);
	hid_t main = H5Dopen2(id, "Raw_Data", H5P_DEFAULT);
	usid_tables(id, main, u);
	H5Dclose(main);
	return reload(id, fd, NULL, NULL);
}

static void test_usid(void)
{
	static const char *const xy[] = { "X", "Y" }, *const yx[] = { "Y", "X" }, *const bias[] = { "Bias" }, *const two[] =
		{ "Frequency", "Bias" };
	static const uint32_t spec[NE] = { 0, 1, 2, 3 };
	uint32_t pos[2 * NY * NX];
	float cube[NY * NX * NE], other[NY * NX * NE];
	cube_as("yxe", cube);
	struct usid u = { NY * NX, NE, 2, 1, pos, spec, xy, bias, -1, 0.5 };
	for (uint32_t i = 0; i < NY * NX; i++) {
		pos[2 * i] = i % NX;
		pos[2 * i + 1] = i / NX;
	}
	struct opened o = usid_file(&u, cube);
	tap_ok(o.verdict == 0 && o.scan.n_signals == 1 && is_cube(&o.scan, 0) && o.scan.values[0].kind == HS_VALUES_H5,
		"usid: raster order is not touched");
	tap_ok(axis_is(&o.scan, 0, 0, "Y", "m", 0, 2e-9) && axis_is(&o.scan, 0, 1, "X", "m", 0, 4e-9) &&
		axis_is(&o.scan, 0, 2, "Bias", "V", -1, 0.5),
		"usid: axes from the tables");
	finish(&o);

	/* a falling bias: the data turn with it */
	u.spec_first = 1;
	u.spec_step = -0.5;
	for (int i = 0; i < NY * NX * NE; i++)
		other[i] = cube[i - i % NE + NE - 1 - i % NE];
	o = usid_file(&u, other);
	tap_ok(o.verdict == 0 && is_cube(&o.scan, 0) && axis_is(&o.scan, 0, 2, "Bias", "V", -0.5, 1),
		"usid: data turn with a falling axis");
	finish(&o);
	u.spec_first = -1;
	u.spec_step = 0.5;

	/* rows in any order */
	static const int shuffled[NY * NX] = { 4, 0, 5, 2, 1, 3 };
	for (int i = 0; i < NY * NX; i++) {
		pos[2 * i] = (uint32_t)(shuffled[i] % NX);
		pos[2 * i + 1] = (uint32_t)(shuffled[i] / NX);
		memcpy(other + i * NE, cube + shuffled[i] * NE, NE * sizeof *other);
	}
	o = usid_file(&u, other);
	tap_ok(o.verdict == 0 && is_cube(&o.scan, 0) && o.scan.values[0].kind == HS_VALUES_MEMORY &&
		axis_is(&o.scan, 0, 0, "Y", "m", 0, 2e-9),
		"usid: shuffled rows are sorted by their indices");
	finish(&o);

	/* y fastest, listed slowest first, columns backwards */
	static const uint32_t backwards[NE] = { 3, 2, 1, 0 };
	u.spec = backwards;
	for (int i = 0; i < NY * NX; i++) {
		const int x = i / NY, y = i % NY;
		pos[2 * i] = (uint32_t)x;
		pos[2 * i + 1] = (uint32_t)y;
		for (int e = 0; e < NE; e++)
			other[i * NE + e] = (float)(100 * y + 10 * x + NE - 1 - e);
	}
	o = usid_file(&u, other);
	tap_ok(o.verdict == 0 && is_cube(&o.scan, 0) && axis_is(&o.scan, 0, 0, "Y", "m", 0, 2e-9) &&
		axis_is(&o.scan, 0, 2, "Bias", "V", -1, 0.5),
		"usid: y comes before x, whatever the file's order");
	finish(&o);
	u.spec = spec;

	/* a missing position: points with coordinates */
	u.n = NY * NX - 1;
	u.pos_label = yx;
	for (uint32_t i = 0; i < NY * NX - 1; i++) {
		pos[2 * i] = i / NX;
		pos[2 * i + 1] = i % NX;
	}
	o = usid_file(&u, cube);
	const struct hs_signal *g = o.verdict == 0 ? &o.scan.signal[0] : NULL;
	tap_ok(g && hs_signal_is_scatter(g) && g->rank == 2 && g->axis[0].n == NY * NX - 1 && g->n_coords == 2 &&
		!strcmp(g->coord[1].name, "X") &&
		g->coord[1].value[4] == 2e-9 && g->coord[0].value[4] == 2e-9, "usid: an incomplete grid is a list of points");
	finish(&o);

	/* two channel dimensions: the slow one navigates; one row a y, x in the columns' slow part */
	static const uint32_t both[2 * NX * NE] = { 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2 };
	static const uint32_t rows[NY] = { 0, 1 };
	static const char *const y_only[] = { "Y" };
	const struct usid be = { NY, NX * NE, 1, 2, rows, both, y_only, two, 0, 1 };
	o = usid_file(&be, cube);
	tap_ok(o.verdict == 0 && is_cube(&o.scan, 0) && o.scan.signal[0].rank == 3 && o.scan.signal[0].sig_rank == 1 &&
		!strcmp(o.scan.signal[0].axis[1].name, "Bias") && !strcmp(o.scan.signal[0].axis[2].name, "Frequency") &&
		o.scan.values[0].rank == 3,
		"usid: the fastest channel dimension is the spectrum, the outer one navigates");
	finish(&o);

	/* records: a signal a field */
	int fd;
	hid_t id = create(&fd);
	struct record { float amplitude, phase; } record[NY * NX * NE];
	for (int i = 0; i < NY * NX * NE; i++)
		record[i] = (struct record){ cube[i], -cube[i] };
	u.n = NY * NX;
	u.pos_label = xy;
	for (uint32_t i = 0; i < NY * NX; i++) {
		pos[2 * i] = i % NX;
		pos[2 * i + 1] = i / NX;
	}
	hid_t type = H5Tcreate(H5T_COMPOUND, sizeof *record);
	H5Tinsert(type, "Amplitude", 0, H5T_NATIVE_FLOAT);
	H5Tinsert(type, "Phase", 4, H5T_NATIVE_FLOAT);
	const hsize_t dims[] = { NY * NX, NE };
	hid_t space = H5Screate_simple(2, dims, NULL), set = H5Dcreate2(id, "Fit", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, record);
	usid_tables(id, set, &u);
	H5Dclose(set);
	H5Sclose(space);
	H5Tclose(type);
	o = reload(id, fd, NULL, NULL);
	size_t n = 0;
	double *v = o.verdict == 0 && o.scan.n_signals == 2 ? gather(&o.scan.values[1], &n) : NULL;
	tap_ok(is_cube(&o.scan, 0) && v && v[NE] == -10 && strstr(o.scan.signal[1].name, "Phase"),
		"usid: every field of a record is a signal");
	free(v);
	finish(&o);

	/* tables that do not fit */
	u.n = NY * NX - 1;
	id = create(&fd);
	const size_t full[2] = { NY * NX, NE };
	hs_h5_put_array(id, "Raw_Data", HS_F32, 2, full, cube, H5P_DEFAULT);
	set = H5Dopen2(id, "Raw_Data", H5P_DEFAULT);
	usid_tables(id, set, &u);
	H5Dclose(set);
	o = reload(id, fd, NULL, NULL);
	tap_ok(o.verdict < 0 && o.err.status == HS_BAD_DATA && strstr(o.err.text, "tables"), "usid: tables that do not fit: %s",
		o.err.text);
	finish(&o);
}

/* NSID: dimension scales as h5py writes them */

static void attach(hid_t file, const char *data, const char *const *scale, size_t rank)
{
	hid_t set = H5Dopen2(file, data, H5P_DEFAULT), type = H5Tvlen_create(H5T_STD_REF_OBJ);
	hobj_ref_t ref[HS_MAX_RANK];
	hvl_t list[HS_MAX_RANK];
	for (size_t i = 0; i < rank; i++) {
		H5Rcreate(&ref[i], file, scale[i], H5R_OBJECT, -1);
		list[i] = (hvl_t){ 1, &ref[i] };
	}
	const hsize_t n = rank;
	hid_t space = H5Screate_simple(1, &n, NULL), attr = H5Acreate2(set, "DIMENSION_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT);
	H5Awrite(attr, type, list);
	H5Aclose(attr);
	H5Sclose(space);
	H5Tclose(type);
	H5Dclose(set);
}

static void test_nsid(void)
{
	int fd;
	hid_t id = create(&fd);
	hid_t g = group_at(id, "sts");
	put_cube(g, "sts", "xye");
	put_line(g, "X", "nm", NX, 0, 1);
	put_line(g, "Y", "nm", NY, 0, 2);
	put_line(g, "sweep", "V", NE, -1, 0.5);
	H5Gclose(g);
	put_text_of(id, "/sts/X", "dimension_type", "SPATIAL");
	put_text_of(id, "/sts/Y", "dimension_type", "SPATIAL");
	put_text_of(id, "/sts/sweep", "dimension_type", "SPECTRAL");
	put_text_of(id, "/sts/sweep", "quantity", "Bias");
	put_text_of(id, "/sts/sts", "data_type", "SPECTRAL_IMAGE");
	put_text_of(id, "/sts/sts", "main_data_name", "sts");
	put_text_of(id, "/sts/sts", "modality", "STM");
	put_text_of(id, "/sts/sts", "quantity", "dI/dV");
	static const char *const scale[] = { "/sts/X", "/sts/Y", "/sts/sweep" };
	attach(id, "/sts/sts", scale, 3);
	struct opened o = reload(id, fd, NULL, NULL);
	tap_ok(o.verdict == 0 && o.scan.n_signals == 1 && is_cube(&o.scan, 0), "nsid: x first becomes y, x, spectrum");
	tap_ok(axis_is(&o.scan, 0, 0, "Y", "nm", 0, 2) && axis_is(&o.scan, 0, 2, "sweep", "V", -1, 0.5) &&
		!strcmp(o.scan.signal[0].axis[2].quantity, "Bias"), "nsid: axes from scales");
	tap_ok(o.verdict == 0 && !strcmp(o.scan.modality, "STM") && !strcmp(o.scan.signal[0].quantity, "dI/dV"),
		"nsid: quantity and technique");
	finish(&o);
}

/* NeXus */

static void test_nexus(void)
{
	int fd;
	hid_t id = create(&fd);
	hs_h5_put_text(id, "default", "entry");
	hid_t entry = hs_h5_new_group(id, "entry", "NXentry"), g = hs_h5_new_group(entry, "stxm", "NXdata");
	hs_h5_put_text(entry, "default", "stxm");
	hs_h5_put_string(entry, "title", "a stack");
	hs_h5_put_string(entry, "definition", "NXstxm");
	static const char *const axes[] = { "energy", ".", "x" }, *const more[] = { "dose" };
	hs_h5_put_text(g, "signal", "counts");
	hs_h5_put_texts(g, "axes", axes, 3);
	hs_h5_put_texts(g, "auxiliary_signals", more, 1);
	put_cube(g, "counts", "eyx");
	put_cube(g, "dose", "eyx");
	put_cube(g, "counts_errors", "eyx");
	put_line(g, "energy", "eV", NE, 280, 10);
	put_line(g, "x", "um", NX + 1, -0.5, 1);                /* edges of bins */
	put_text_of(g, "counts", "units", "counts");
	H5Gclose(g);
	/* old styles, and a larger array that is not the default */
	g = hs_h5_new_group(entry, "old", "NXdata");
	put_cube(g, "didv", "yxe");
	hid_t set = H5Dopen2(g, "didv", H5P_DEFAULT);
	hs_h5_put_int(set, "signal", 1);
	hs_h5_put_text(set, "axes", "y:x:bias");
	H5Dclose(set);
	put_line(g, "y", "m", NY, 0, 1);
	put_line(g, "x", "m", NX, 0, 1);
	put_line(g, "bias", "V", NE, 0, 1);
	H5Gclose(g);
	g = hs_h5_new_group(entry, "oldest", "NXdata");
	put_cube(g, "only", "yxe");
	put_line(g, "e", "eV", NE, 5, 1);
	set = H5Dopen2(g, "e", H5P_DEFAULT);
	hs_h5_put_int(set, "axis", 3);
	H5Dclose(set);
	H5Gclose(g);
	g = hs_h5_new_group(entry, "scalar", "NXdata");
	const double one = 1;
	hs_h5_put_text(g, "signal", "value");
	hs_h5_put_scalar(g, "value", HS_F64, &one);
	H5Gclose(g);
	g = hs_h5_new_group(entry, "images", "NXdata");
	hs_h5_put_text(g, "signal", "data");
	hs_h5_put_text(g, "interpretation", "image");
	put_cube(g, "data", "yxe");
	H5Gclose(g);
	H5Gclose(entry);
	struct opened o = reload(id, fd, NULL, NULL);
	struct hs_scan *s = &o.scan;
	tap_ok(o.verdict == 0 && s->n_signals == 5, "nexus: every NXdata and auxiliary signal, no errors, no scalar (%zu)",
		s->n_signals);
	const struct hs_signal *m = o.verdict == 0 ? &s->signal[s->main] : NULL;
	tap_ok(m && !strcmp(m->name, "counts") && is_cube(s, s->main), "nexus: @default is the main one; energy first goes last");
	tap_ok(m && axis_is(s, s->main, 2, "energy", "eV", 280, 310) && axis_is(s, s->main, 1, "x", "µm", 0, 2) &&
		axis_is(s, s->main, 0, "dim_2", "1", 0, 1),
		"nexus: bin edges become centres, '.' is an index");
	tap_ok(m && !strcmp(s->title, "a stack") && !strcmp(s->modality, "stxm") && !strcmp(m->units, "count"),
		"nexus: title, technique, unit");
	int seen = 0;
	for (size_t i = 0; i < s->n_signals; i++) {
		if (!strcmp(s->signal[i].name, "didv"))
			seen += tap_ok(is_cube(s, i) && axis_is(s, i, 2, "bias", "V", 0, 3), "nexus: signal=1 and axes=\"y:x:bias\"");
		if (!strcmp(s->signal[i].name, "only"))
			seen += tap_ok(is_cube(s, i) && axis_is(s, i, 2, "e", "eV", 5, 8), "nexus: the only array, axis=3 on its axis");
		if (!strcmp(s->signal[i].name, "images"))
			seen += tap_ok(s->signal[i].sig_rank == 2, "nexus: interpretation decides; a signal called data takes the group's name");
	}
	tap_ok(seen == 3, "nexus: old styles were there");
	finish(&o);
}

/* EMD */

static void test_emd(void)
{
	int fd;
	hid_t id = create(&fd);
	hid_t g = group_at(id, "cube");
	hs_h5_put_int(g, "emd_group_type", 1);
	put_cube(g, "datacube", "yxe");
	put_line(g, "dim1", "[n_m]", NY, 0, 1);
	put_line(g, "dim2", "[n_m]", 2, 5, 0.5);                /* start and next */
	put_line(g, "dim3", "[n_m^-1]", NE, 0, 0.1);
	H5Gclose(g);
	g = group_at(id, "emdfile");
	hs_h5_put_text(g, "emd_group_type", "array");
	put_cube(g, "data", "yxe");
	put_line(g, "dim0", "nm", NY, 0, 1);
	put_line(g, "dim1", "nm", NX, 3, 1);
	put_line(g, "dim2", "eV", NE, 0, 1);
	H5Gclose(g);
	g = group_at(id, "hyperspy");
	hs_h5_put_int(g, "emd_group_type", 1);
	hs_h5_put_text(g, "signal_type", "EELS");
	put_cube(g, "data", "exy");
	put_line(g, "dim1", "[e_V]", 2, 500, 1);
	put_line(g, "dim2", "[n_m]", 2, 0, 1);
	put_line(g, "dim3", "[n_m]", 2, 7, 1);
	H5Gclose(g);
	struct opened o = reload(id, fd, NULL, NULL);
	tap_ok(o.verdict == 0 && o.scan.n_signals == 3 && is_cube(&o.scan, 0) && is_cube(&o.scan, 1), "emd: both kinds, as stored");
	tap_ok(is_cube(&o.scan, 2) && axis_is(&o.scan, 2, 0, "dim_3", "nm", 7, 8) && axis_is(&o.scan, 2, 2, "dim_1", "eV", 500, 503),
		"emd: HyperSpy's transposed arrays");
	tap_ok(axis_is(&o.scan, 0, 1, "dim_2", "nm", 5, 6) && axis_is(&o.scan, 0, 2, "dim_3", "1/nm", 0, 0.3),
		"emd: two values are start and step");
	tap_ok(axis_is(&o.scan, 1, 1, "dim_2", "nm", 3, 5), "emd: emdfile counts from dim0");
	finish(&o);
}

/* Any file */

static void test_plain(void)
{
	int fd;
	hid_t id = create(&fd);
	put_cube(id, "cube", "eyx");
	put_line(id, "axis", NULL, NE, 0, 1);
	hs_h5_put_string(id, "text", "no numbers");
	const int keep = dup(fd);
	struct opened o = reload(id, fd, NULL, NULL);
	tap_ok(o.verdict == 0 && o.scan.n_signals == 1 && !strcmp(o.scan.signal[0].name, "cube"), "hdf5: the array, not the curve");
	finish(&o);
	o = load(dup(keep), "test.h5", "/cube", "energy=280:10:eV,y,x");
	tap_ok(o.verdict == 0 && is_cube(&o.scan, 0) && axis_is(&o.scan, 0, 2, "energy", "eV", 280, 310),
		"hdf5: axes named by the user");
	finish(&o);
	o = load(dup(keep), "test.h5", "axis", NULL);
	tap_ok(o.verdict == 0 && o.scan.n_signals == 1 && o.scan.signal[0].rank == 1, "hdf5: a curve by path");
	finish(&o);
	static const struct { const char *path, *says; } bad[] = { { "/text", "text" }, { "/none", "no '/none'" } };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		o = load(dup(keep), "test.h5", bad[i].path, NULL);
		tap_ok(o.verdict < 0 && o.err.status == HS_BAD_DATA && strstr(o.err.text, bad[i].says), "hdf5: %s", o.err.text);
		finish(&o);
	}
	o = load(dup(keep), "test.h5", "/cube", "y,x");
	tap_ok(o.verdict < 0 && o.err.status == HS_USAGE, "hdf5: too few axes named: %s", o.err.text);
	finish(&o);
	close(keep);
}

/* Hostile: sizes no file has, text where numbers belong, values in other files */
static void test_hostile(void)
{
	int fd;
	hid_t id = create(&fd);
	hs_h5_put_text(id, "file_format", "HyperSpy");
	hid_t all = group_at(id, "Experiments"), e = group_at(all, "huge");
	const hsize_t huge[] = { 1u << 30, 1u << 30 }, chunk[] = { 1, 1 };
	hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, huge, NULL);
	H5Pset_chunk(dcpl, 2, chunk);
	H5Dclose(H5Dcreate2(e, "data", H5T_NATIVE_UINT8, space, H5P_DEFAULT, dcpl, H5P_DEFAULT));
	H5Sclose(space);
	H5Pclose(dcpl);
	H5Gclose(e);
	H5Gclose(all);
	struct opened o = reload(id, fd, NULL, NULL);
	tap_ok(o.verdict < 0 && o.err.status == HS_BAD_DATA && strstr(o.err.text, "claims"), "hostile: %s", o.err.text);
	finish(&o);

	id = create(&fd);
	hs_h5_put_text(id, "file_format", "HyperSpy");
	all = group_at(id, "Experiments");
	e = group_at(all, "text");
	hs_h5_put_string(e, "data", "no numbers");
	H5Gclose(e);
	e = group_at(all, "axes");
	put_cube(e, "data", "yxe");
	hid_t a = group_at(e, "axis-2");
	hs_h5_put_text(a, "scale", "wide");
	hs_h5_put_text(a, "navigate", "no");
	hs_h5_put_int(a, "name", 3);
	H5Gclose(a);
	const double not_finite = NAN;
	a = group_at(e, "axis-1");
	hs_h5_put_number(a, "scale", HS_F64, &not_finite, 0);
	H5Gclose(a);
	H5Gclose(e);
	H5Gclose(all);
	o = reload(id, fd, NULL, NULL);
	tap_ok(o.verdict == 0 && o.scan.n_signals == 1 && is_cube(&o.scan, 0) && axis_is(&o.scan, 0, 2, "dim_3", "1", 0, 3) &&
		axis_is(&o.scan, 0, 1, "dim_2", "1", 0, 2), "hostile: text where numbers belong, and a step that is no number, give indices");
	finish(&o);
}

/* Real files */

static double number_of(json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

/* The values a public reader found (sum, samples) in the signal called name; truth_name picks the dataset of the truth. */
static void compare(const char *root, const char *path, const char *truth_name, const char *name, const size_t *order)
{
	char file[4096], truth[4096];
	snprintf(file, sizeof file, "%s/%s", root, path);
	const char *slash = strchr(path, '/');
	snprintf(truth, sizeof truth, "%s/truth/%.*s__%s.json", root, (int)(slash - path), path, slash + 1);
	json_t *all = json_load_file(truth, 0, NULL), *list = json_object_get(all, "datasets"), *one = NULL, *d;
	size_t i;
	json_array_foreach(list, i, d)
		if (!strcmp(json_string_value(json_object_get(d, "name")), truth_name))
			one = d;
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !one) {
		tap_ok(1, "# skip %s is not here", path);
		json_decref(all);
		if (fd >= 0)
			close(fd);
		return;
	}
	struct opened o = load(fd, file, NULL, NULL);
	size_t at = o.scan.n_signals, n = 0;
	for (i = 0; o.verdict == 0 && i < o.scan.n_signals; i++)
		if (!strcmp(o.scan.signal[i].name, name))
			at = i;
	if (tap_ok(o.verdict == 0 && at < o.scan.n_signals, "%s: signal %s%s%s", path, name, *o.err.text ? ": " : "", o.err.text)) {
		const struct hs_signal *s = &o.scan.signal[at];
		double *v = gather(&o.scan.values[at], &n), sum = 0;
		for (i = 0; v && i < n; i++)
			sum += v[i];
		const double expected = number_of(one, "sum");
		tap_ok(v && fabs(sum - expected) <= 1e-9 * fmax(fabs(expected), 1), "%s: sum %.12g, a public reader has %.12g", path, sum,
			expected);
		size_t wrong = 0, samples = 0;
		json_t *sample;
		json_array_foreach(json_object_get(one, "samples"), i, sample) {
			json_t *index = json_object_get(sample, "index");
			size_t k = 0;
			for (size_t dim = 0; dim < s->rank && json_array_size(index) == s->rank; dim++)
				k = k * s->axis[dim].n + (size_t)json_integer_value(json_array_get(index, order ? order[dim] : dim));
			/* USID truths index the table: positions x channels has the same C order */
			if (json_array_size(index) == 2 && s->rank == 3)
				k = (size_t)json_integer_value(json_array_get(index, 0)) * s->axis[2].n + (size_t)json_integer_value(json_array_get(index,
				1));
			samples++;
			const double wanted = number_of(sample, "value");
			wrong += !v || k >= n || fabs(v[k] - wanted) > 1e-12 * fabs(wanted);
		}
		tap_ok(samples > 0 && !wrong, "%s: %zu of %zu samples where they belong", path, samples - wrong, samples);
		json_array_foreach(json_object_get(one, "axes"), i, d) {
			if (!json_object_get(d, "scale") || i >= s->rank)
				continue;
			const struct hs_axis *a = &s->axis[i];
			const double offset = number_of(d, "offset"), scale = number_of(d, "scale");
			tap_ok(fabs(a->value[0] - offset) <= 1e-6 * fabs(scale) && fabs(hs_axis_step(a) - scale) <= 1e-6 * fabs(scale),
				"%s: axis %s starts at %g, step %g", path, a->name, a->value[0], hs_axis_step(a));
		}
		free(v);
	}
	json_decref(all);
	finish(&o);
}

static void test_real(void)
{
	const char *root = getenv("HS_DATA") ? getenv("HS_DATA") : "../shared/data";
	static const size_t nsid_order[] = { 1, 0, 2 };
	static const struct { const char *path, *truth, *name; const size_t *order; } files[] = {
		{ "hspy/core_shell.hspy", "0:Core shell", "Core_shell", NULL },
		{ "hspy/example1_v1.2.hspy", "0:NIO EELS OK SHELL", "NIO_EELS_OK_SHELL", NULL },
		{ "hspy/example2_v3.1.hspy", "0:test_diffraction_pattern", "test_diffraction_pattern", NULL },
		{ "hspy/nanoparticles.hspy", "0:cathodoluminescence_example", "cathodoluminescence_example", NULL },
		{ "usid/Signal_SI_2018a.h5", "Measurement_000/Channel_001/Raw_Data", "Channel_001_Raw_Data", NULL },
		{ "variants/usid_plain.h5", "Y x X x Bias", "Channel_000_Raw_Data", NULL },
		{ "nsid/BEPS_PTO_50x50.h5", "Channel_000/generic/generic", "generic", nsid_order },
		{ "nsid/STO_test_image.hf5", "Measurement_000/Channel_000/STO_test_image/STO_test_image", "STO_test_image", NULL },
		{ "variants/nsid_yxb.h5", "y x x x bias", "sts", NULL },
		{ "variants/nxdata_plain.nxs", "didv", "didv", NULL },
		{ "variants/nxdata_old.nxs", "didv", "didv", NULL },
		{ "nexus/saved_multi_signal.nxs", "entry1/rocks/data", "rocks", NULL },
		{ "nexus/sts_nanonis_generic_4_5.nxs", "entry/current/current", "current", NULL },
		{ "nexus/nexus_dls_example.nxs", "entry1/testdata/nexustest/data", "nexustest", NULL },
		{ "emd/example_signal.emd", "0:__unnamed__", "unnamed", NULL },
		{ "emd/example_spectrum.emd", "0:__unnamed__", "unnamed", NULL },
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		compare(root, files[i].path, files[i].truth, files[i].name, files[i].order);
}

int main(void)
{
	test_hspy();
	test_usid();
	test_nsid();
	test_nexus();
	test_emd();
	test_plain();
	test_hostile();
	test_real();
	return tap_done();
}
