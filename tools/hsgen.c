/* hsgen - synthetic spectral images with known truth. See hsgen(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/quicklook.h"
#include "scene/scene.h"

struct params {
	const char *size;
	uint64_t n_comp;
	int noise, dtype, profile;
	double counts, sigma, purity, separation, drift_ev, outliers, value;
	bool list;
};

static const enum hs_dtype dtypes[] = { HS_F32, HS_F64, HS_U16, HS_U32 };

/* A scene as batches of rows: its spectra, or one of its truths. */
struct generator {
	const struct hs_scene *scene;
	const struct hs_truth *truth;         /* NULL: the spectra */
	size_t truth_index;
	enum hs_dtype dtype;
	size_t n_pix, n_values, at, most;     /* most: rows of a batch */
	double *x;
	void *as_stored;
	uint8_t *skip;
	uint64_t n_clipped;
};

static void list_scenes(void)
{
	const char *what, *name;
	for (size_t i = 0; (name = hs_scene_name(i, &what)); i++)
		hs_say("%-10s %s\n", name, what);
}

static int parse_size(const char *text, struct hs_scene_options *o, struct hs_err *err)
{
	uint64_t n[3];
	if (hs_parse_extent(text, "XxYxCHANNELS, as in 64x48x256", HS_LEN(n), n, err) < 0)
		return hs_err_prepend(err, "--size");
	o->nx = n[0];
	o->ny = n[1];
	o->n_chan = n[2];
	return 0;
}

/* ------------------------------------------------------------------ rows */

static const double *generate(struct generator *g, size_t n_rows)
{
	if (g->truth)
		hs_scene_truth_rows(g->scene, g->truth_index, g->at, n_rows, g->x);
	else
		hs_scene_rows(g->scene, g->at, n_rows, g->x);
	g->at += n_rows;
	return g->x;
}

/* Counts are rounded; what an unsigned type cannot hold becomes its nearest end. */
static uint64_t store_as(enum hs_dtype dtype, const double *x, void *out, size_t n)
{
	const double top = dtype == HS_U16 ? UINT16_MAX : UINT32_MAX;
	uint64_t n_clipped = 0;
	for (size_t i = 0; i < n && dtype == HS_F32; i++)
		((float *)out)[i] = (float)x[i];
	for (size_t i = 0; i < n && (dtype == HS_U16 || dtype == HS_U32); i++) {
		const double v = floor(x[i] + 0.5), held = fmin(fmax(v, 0), top);
		n_clipped += v != held;
		if (dtype == HS_U16)
			((uint16_t *)out)[i] = (uint16_t)held;
		else
			((uint32_t *)out)[i] = (uint32_t)held;
	}
	return n_clipped;
}

static int next_rows(void *ctx, struct hs_batch *batch, struct hs_err *err)
{
	struct generator *g = ctx;
	(void)err;
	*batch = (struct hs_batch){ .first_row = g->at, .n_rows = g->n_pix - g->at < g->most ? g->n_pix - g->at : g->most,
		.skip = g->skip };
	if (!batch->n_rows)
		return 0;
	batch->x = generate(g, batch->n_rows);
	if (g->as_stored) {
		g->n_clipped += store_as(g->dtype, g->x, g->as_stored, batch->n_rows * g->n_values);
		batch->x = g->as_stored;
	}
	return 0;
}

/* Batches of about 4 MiB: enough rows for all threads, little memory. */
static int generator_open(struct generator *g, const struct hs_scene *scene, const struct hs_truth *truth, size_t truth_index,
	enum hs_dtype dtype, size_t n_pix, size_t n_values, struct hs_err *err)
{
	const size_t fit = (UINT64_C(4) << 20) / (n_values * sizeof(double));
	*g = (struct generator){ .scene = scene, .truth = truth, .truth_index = truth_index, .dtype = dtype, .n_pix = n_pix,
		.n_values = n_values, .most = fit < 1 ? 1 : fit < n_pix ? fit : n_pix };
	g->x = hs_alloc(g->most * n_values, sizeof(double), err);
	g->skip = g->x ? hs_alloc(g->most, 1, err) : NULL;
	if (g->skip && dtype != HS_F64)
		g->as_stored = hs_alloc(g->most * n_values, hs_dtype_size(dtype), err);
	return hs_failed(err) ? -1 : 0;
}

static void generator_close(struct generator *g)
{
	free(g->x);
	free(g->skip);
	free(g->as_stored);
}

/* ------------------------------------------------------------------ signals */

static void begin(struct hs_signal *s, const char *name, const char *quantity, const char *units, enum hs_dtype dtype)
{
	hs_signal_init(s, name, quantity, units, dtype);
	hs_signal_set(&s->modality, "synthetic");
	hs_signal_set(&s->source, "hsgen");
}

static void add_pixels(struct hs_signal *s, const struct hs_scene_options *o)
{
	hs_signal_add_axis(s, hs_axis_uniform("y", "nm", "position", HS_AXIS_SPATIAL, o->ny, 0, 1));
	hs_signal_add_axis(s, hs_axis_uniform("x", "nm", "position", HS_AXIS_SPATIAL, o->nx, 0, 1));
}

static void add_energy(struct hs_signal *s, const struct hs_scene *scene, const struct hs_scene_options *o)
{
	double offset_ev, step_ev;
	const char *quantity = hs_scene_energy(scene, &offset_ev, &step_ev);
	hs_signal_add_axis(s, hs_axis_uniform("energy", "eV", quantity, HS_AXIS_SPECTRAL, o->n_chan, offset_ev, step_ev));
}

static int write_data(struct hs_out *out, const struct hs_scene *scene, const struct hs_scene_options *o, enum hs_dtype dtype,
	struct hs_err *err)
{
	struct generator g;
	struct hs_signal s;
	begin(&s, "data", "intensity", "counts", dtype);
	hs_signal_set(&s.title, o->name);
	add_pixels(&s, o);
	add_energy(&s, scene, o);
	hs_signal_shape_up(&s, 1);
	int verdict = generator_open(&g, scene, NULL, 0, dtype, o->nx * o->ny, o->n_chan, err);
	if (verdict == 0) {
		const struct hs_flow flow = { .signal = &s, .place = HS_AT_ENTRY, .quick_looks = true, .next = next_rows, .ctx = &g };
		verdict = hs_write_signal(out, &flow, err);
	}
	if (g.n_clipped)
		hs_warn("%llu values do not fit %s and became its nearest end", (unsigned long long)g.n_clipped, hs_dtype_name(dtype));
	generator_close(&g);
	hs_signal_release(&s);
	return verdict;
}

/* What is known goes by names that no result has: true_labels beside labels. */
static void begin_truth(struct hs_signal *s, const struct hs_truth *t, enum hs_dtype dtype)
{
	char *name = hs_must_printf("true_%s", t->name);
	begin(s, name, t->quantity, t->units, dtype);
	free(name);
}

/* Components count from 1; clusters from 0, as their labels do. */
static void add_numbers(struct hs_signal *s, const struct hs_scene *scene, const char *component)
{
	struct hs_axis a = hs_axis_numbers(component, hs_scene_n_comp(scene));
	for (size_t i = 0; i < a.n && !strcmp(component, "cluster"); i++)
		a.value[i] = (double)i;
	hs_signal_add_axis(s, a);
}

static int write_maps(struct hs_out *out, const struct hs_scene *scene, size_t i, const struct hs_scene_options *o,
	struct hs_err *err)
{
	const struct hs_truth *t = hs_scene_truth(scene, i);
	struct generator g;
	struct hs_signal s;
	begin_truth(&s, t, HS_F64);
	add_numbers(&s, scene, t->component);
	add_pixels(&s, o);
	hs_signal_shape_up(&s, 2);
	int verdict = generator_open(&g, scene, t, i, HS_F64, o->nx * o->ny, hs_scene_n_comp(scene), err);
	if (verdict == 0) {
		const struct hs_flow flow = { .signal = &s, .place = HS_AT_STEP, .components_first = true, .next = next_rows, .ctx = &g };
		verdict = hs_write_signal(out, &flow, err);
	}
	generator_close(&g);
	hs_signal_release(&s);
	return verdict;
}

/* One value a pixel; whole numbers are stored as such. */
static int write_map(struct hs_out *out, const struct hs_scene *scene, size_t i, const struct hs_scene_options *o,
	struct hs_err *err)
{
	const struct hs_truth *t = hs_scene_truth(scene, i);
	const size_t n_pix = o->nx * o->ny;
	const struct hs_extras extras = { .flag_values = strcmp(t->name, "outliers") ? NULL : "0 1 2",
		.flag_meanings = "good spike hot" };
	struct hs_signal s;
	double *x = hs_alloc(n_pix, sizeof *x, err);
	if (!x)
		return -1;
	hs_scene_truth_rows(scene, i, 0, n_pix, x);
	if (t->kind == HS_TRUTH_CODES)        /* in place: the narrow values follow behind the wide ones */
		for (size_t k = 0; k < n_pix; k++) {
			const int32_t code = (int32_t)x[k];
			memcpy((char *)x + k * sizeof code, &code, sizeof code);
		}
	begin_truth(&s, t, t->kind == HS_TRUTH_CODES ? HS_I32 : HS_F64);
	add_pixels(&s, o);
	hs_signal_shape_up(&s, 2);
	const int verdict = hs_session_put(out, &s, x, &extras, err);
	free(x);
	return verdict;
}

static int write_spectra(struct hs_out *out, const struct hs_scene *scene, size_t i, const struct hs_scene_options *o,
	struct hs_err *err)
{
	const struct hs_truth *t = hs_scene_truth(scene, i);
	struct hs_signal s;
	begin_truth(&s, t, HS_F64);
	add_numbers(&s, scene, t->component);
	add_energy(&s, scene, o);
	hs_signal_shape_up(&s, 1);
	return hs_session_put(out, &s, hs_scene_truth_spectra(scene, i), NULL, err);
}

static int write_truth(struct hs_out *out, const struct hs_scene *scene, const struct hs_scene_options *o, struct hs_err *err)
{
	const struct hs_truth *t;
	int verdict = 0;
	for (size_t i = 0; verdict == 0 && (t = hs_scene_truth(scene, i)); i++)
		verdict = t->kind == HS_TRUTH_SPECTRA ? write_spectra(out, scene, i, o, err) :
			  t->kind == HS_TRUTH_MAPS    ? write_maps(out, scene, i, o, err) :
							write_map(out, scene, i, o, err);
	return verdict;
}

/* ------------------------------------------------------------------ */

/* The sum image, its picture and the maps of truth are held whole; two batches and two bands of the output are beside them. */
static int check_memory(const struct hs_run *run, const struct hs_scene_options *o, struct hs_err *err)
{
	const uint64_t need = (uint64_t)o->nx * o->ny * 24 + (uint64_t)o->n_chan * 8 * (HS_SCENE_MOST_COMP + 4);
	char text[16];
	if (need <= hs_run_memory(run))
		return 0;
	return hs_fail(err, HS_SYSTEM, "%zux%zux%zu needs --memory above %s", o->nx, o->ny, o->n_chan,
		hs_show_bytes((double)need + (double)(UINT64_C(56) << 20), text));
}

static int write_file(struct hs_run *run, const struct hs_scene *scene, const struct hs_scene_options *o, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_out *out;
	char *title = hs_must_printf("%s %zux%zux%zu, seed %llu", o->name, o->nx, o->ny, o->n_chan, (unsigned long long)o->seed);
	int verdict = hs_session_output(run, NULL, title, NULL, &out, err);
	free(title);
	if (verdict < 0)
		return -1;
	if (write_data(out, scene, o, dtypes[p->dtype], err) < 0 || write_truth(out, scene, o, err) < 0 ||
		hs_out_default(out, HS_AT_ENTRY, "data", err) < 0) {
		hs_out_abandon(out);
		return -1;
	}
	return hs_session_commit(run, out, NULL, 0, err);
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_scene_options o = { .n_comp = p->n_comp, .noise = (enum hs_scene_noise)p->noise,
		.profile = (enum hs_scene_profile)p->profile,
		.counts = p->counts, .sigma = p->sigma, .purity = p->purity, .separation = p->separation, .drift_ev = p->drift_ev,
		.outliers = p->outliers, .value = p->value, .seed = run->common.seed };
	struct hs_scene *scene;
	if (p->list) {
		list_scenes();
		return 0;
	}
	if (!run->n_operands)
		return hs_fail(err, HS_USAGE, "no scene given: --list shows them");
	o.name = run->operand[0];
	if (parse_size(p->size, &o, err) < 0 || hs_scene_new(&scene, &o, err) < 0)
		return -1;
	int verdict = check_memory(run, &o, err);
	if (verdict == 0 && !hs_session_dry(run, "generate %s, %zu x %zu pixels of %zu channels, %zu components", o.name, o.nx,
		o.ny, o.n_chan, hs_scene_n_comp(scene)))
		verdict = write_file(run, scene, &o, err);
	hs_scene_free(scene);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { .size = "64x64x256", .counts = 20000, .sigma = 1, .purity = 0.8, .separation = 8, .drift_ev = 2,
		.outliers = 0.02, .value = NAN };
	const struct hs_opt options[] = {
		HS_OPT_FLAG('l', "list", &p.list, "list the scenes"),
		HS_OPT_TEXT('s', "size", &p.size, "XxYxN", "pixels along x, pixels along y, channels"),
		HS_OPT_COUNT_OR('k', "components", &p.n_comp, "K", "auto", 1, HS_SCENE_MOST_COMP, "endmembers, clusters, peaks or edges"),
		HS_OPT_REAL('c', "counts", &p.counts, "N", 1e-3, 1e15, "expected counts of a mean spectrum"),
		HS_OPT_CHOICE(0, "noise", &p.noise, "auto|none|poisson|gauss", "kind of noise; auto is the scene's own"),
		HS_OPT_REAL(0, "sigma", &p.sigma, "S", 0, 1e15, "standard deviation of gauss noise, in counts"),
		HS_OPT_CHOICE(0, "dtype", &p.dtype, "float32|float64|uint16|uint32", "type of the stored values"),
		HS_OPT_REAL(0, "purity", &p.purity, "P", 0, 1, "nopure: largest abundance"),
		HS_OPT_REAL(0, "separation", &p.separation, "D", 0, 1e6, "clusters: distance of the nearest two, in standard deviations"),
		HS_OPT_CHOICE(0, "profile", &p.profile, "lorentz|gauss", "peaks: their shape"),
		HS_OPT_REAL(0, "drift", &p.drift_ev, "EV", 0, 1e6, "drift, compounds: largest shift to either side, in eV"),
		HS_OPT_REAL(0, "outliers", &p.outliers, "SHARE", 0, 1, "outliers: share of the pixels"),
		HS_OPT_REAL(0, "value", &p.value, "V", -1e300, 1e300, "constant: everywhere; gradient: the largest"),
	};
	const struct hs_tool tool = { .name = "hsgen", .summary = "generate a spectral image with known truth", .operands = "SCENE",
		.max_operands = 1, .takes = "the name of a scene", .gives = "data, mean_spectrum, sum_image and the scene's truth",
		.example = "hsgen mixture -k 3 --size 64x48x256 | hsplot -o mixture.png",
		.uses = HS_USES_OUTPUT | HS_USES_THREADS | HS_USES_SEED | HS_USES_REPORT, .options = options, .n_options = HS_LEN(options),
		.params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
