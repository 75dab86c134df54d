#include "cli/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/collect.h"

enum {
	MOST_MAPS = 25,               /* of a montage nobody chose; longer stacks are summed up */
	MOST_NAMES = 1000,            /* of labels; beyond that nobody reads them */
	MOST_TOGETHER = 4,            /* component spectra in a small panel; more are drawn one above the other */
	MOST_CURVES = 40,             /* beyond that curves are drawn as a map, one a row */
	DOT_STEPS = 48                /* of colour, for scattered points */
};

#define LEAST_RATIO 1e-12             /* of the variance: the tail below is round-off, and would stretch the scree plot */

struct maker {
	struct hs_plan *plan;
	struct hs_run *run;
	struct hs_in *in;
	size_t signal;
	const struct hs_signal *s;
	const struct hs_wish *wish;
	uint64_t room;                /* bytes left for numbers of drawings */
	enum hs_limits limits;
	double lo, hi;
	size_t n_pix, n_chan;         /* as cli/pixels.h sees the signal */
	size_t n_chosen;              /* components to show, counted from 0 */
	size_t *chosen;
};

/* ------------------------------------------------------------------ what the plan owns */

static void *keep_room(struct maker *m, size_t n, size_t size, struct hs_err *err)
{
	size_t bytes;
	char text[16];
	if (!hs_mul(n, size, &bytes) || bytes > m->room) {
		hs_fail(err, HS_SYSTEM, "a picture of %zu values needs %s more than --memory allows: choose a part or raise it", n,
			hs_show_bytes((double)n * (double)size - (double)m->room, text));
		return NULL;
	}
	void *p = hs_alloc(n, size, err);
	if (p) {
		m->room -= bytes;
		hs_plan_keep(m->plan, p);
	}
	return p;
}

static double *keep_reals(struct maker *m, size_t n, struct hs_err *err)
{
	return keep_room(m, n, sizeof(double), err);
}

/* ------------------------------------------------------------------ what the signal is */

enum form {
	FORM_SPECTRUM,                /* one axis */
	FORM_CURVES,                  /* component x channels */
	FORM_LINE,                    /* position x channels */
	FORM_IMAGE,                   /* y x x */
	FORM_STACK,                   /* something x y x x: maps, frames */
	FORM_CUBE,                    /* pixels x channels */
	FORM_PATTERNS,                /* pixels x (two channel axes) */
	FORM_POINTS,                  /* scattered: one value each */
	FORM_POINT_STACK,             /* ... component x point */
	FORM_POINT_CUBE               /* ... point x channels */
};

static enum form form_of(const struct hs_signal *s)
{
	const size_t nav = hs_signal_nav_rank(s);
	if (s->axis[s->rank - 1].kind == HS_AXIS_POINT)
		return s->rank == 1 ? FORM_POINTS : FORM_POINT_STACK;
	if (s->rank == 1)
		return FORM_SPECTRUM;
	if (s->sig_rank == 2)
		return nav == 0 ? FORM_IMAGE : nav == 1 || s->axis[0].kind == HS_AXIS_CHANNEL ? FORM_STACK : FORM_PATTERNS;
	if (nav >= 2)
		return FORM_CUBE;
	return s->axis[0].kind == HS_AXIS_POINT ? FORM_POINT_CUBE : s->axis[0].kind == HS_AXIS_CHANNEL ? FORM_CURVES : FORM_LINE;
}

static bool is_labels(const struct hs_signal *s)
{
	return !hs_dtype_is_float(s->dtype) && !hs_dtype_is_complex(s->dtype) && strstr(s->name, "label");
}

static bool is_variance(const struct hs_signal *s)
{
	return s->rank == 1 && (!strcmp(s->name, "variance") || strstr(s->quantity, "variance ratio"));
}

static enum hs_show usual(const struct maker *m, enum form form)
{
	if (is_labels(m->s))
		return HS_SHOW_LABELS;
	if (is_variance(m->s))
		return HS_SHOW_SCREE;
	switch (form) {
	case FORM_SPECTRUM: return HS_SHOW_CURVES;
	case FORM_CURVES: return m->s->axis[0].n > MOST_CURVES && !m->wish->components ? HS_SHOW_IMAGE : HS_SHOW_CURVES;
	case FORM_STACK: return (m->s->rank == 3 && m->n_chan > MOST_MAPS && !m->wish->components) || m->wish->window || m->wish->at ?
		HS_SHOW_CUBE : HS_SHOW_MAPS;
	case FORM_CUBE:
	case FORM_PATTERNS:
	case FORM_POINT_CUBE: return m->wish->components ? HS_SHOW_MAPS : HS_SHOW_CUBE;
	case FORM_POINT_STACK: return HS_SHOW_MAPS;
	default: return HS_SHOW_IMAGE;
	}
}

/* The signal called name of the same step. */
static bool find_sibling(const struct maker *m, const char *name, size_t *i)
{
	const char *own = hs_in_path(m->in, m->signal), *slash = strrchr(own, '/');
	const size_t n = slash ? (size_t)(slash - own) + 1 : 0;
	for (size_t k = 0; k < hs_in_count(m->in); k++) {
		const char *path = hs_in_path(m->in, k);
		if (strlen(path) > n && !memcmp(path, own, n) && !strcmp(path + n, name)) {
			*i = k;
			return true;
		}
	}
	return false;
}

/* "component 3", "time 0.3 s". */
static char *place_name(const struct hs_axis *a, size_t i)
{
	if (a->kind == HS_AXIS_CHANNEL || a->integer)
		return hs_must_printf("%s %.15g", a->name, a->value[i]);
	char *value = hs_scale_show(a->value[i], 4, a->units), *text = hs_must_printf("%s %s", hs_axis_what(a), value);
	free(value);
	return text;
}

/* Place number i of the dimensions first .. end-1, in C order. */
static const char *place_names(struct maker *m, size_t first, size_t end, size_t i)
{
	struct hs_str text = { 0 };
	size_t stride = 1;
	for (size_t d = first; d < end; d++)
		stride *= m->s->axis[d].n;
	for (size_t d = first; d < end; d++) {
		stride /= m->s->axis[d].n;
		char *one = place_name(&m->s->axis[d], i / stride % m->s->axis[d].n);
		hs_str_addf(&text, "%s%s", d > first ? ", " : "", one);
		free(one);
	}
	return hs_plan_keep(m->plan, hs_str_take(&text));
}

/* ------------------------------------------------------------------ what was asked for */

/* Which of n components; without --component all of them. */
static int choose(struct maker *m, size_t n, struct hs_err *err)
{
	m->chosen = keep_room(m, n, sizeof *m->chosen, err);
	if (!m->chosen)
		return -1;
	return hs_wish_list(m->wish->components, n, m->chosen, &m->n_chosen, err) < 0 ? hs_err_prepend(err, "--component") : 0;
}

static int parse_limits(struct maker *m, struct hs_err *err)
{
	const char *text = m->wish->limits;
	m->limits = HS_LIMITS_ROBUST;
	if (!text || !strcmp(text, "robust"))
		return 0;
	m->limits = HS_LIMITS_FULL;
	if (!strcmp(text, "full"))
		return 0;
	m->limits = HS_LIMITS_GIVEN;
	if (hs_wish_range(text, m->s->units, &m->lo, &m->hi, err) < 0)
		return hs_err_prepend(err, "--limits");
	if (m->wish->log && !(m->lo > 0))
		return hs_fail(err, HS_USAGE, "--limits: a logarithmic scale begins above 0");
	return 0;
}

/* ------------------------------------------------------------------ numbers */

/* The pixels of the signal, opened with what memory the drawings leave. */
static int open_pixels(struct maker *m, struct hs_pixels *px, struct hs_err *err)
{
	return hs_pixels_open(px, m->run, m->in, m->signal, HS_AS_STORED, hs_run_memory(m->run) / 2, err);
}

static const uint8_t *keep_mask(struct maker *m, const struct hs_pixels *px, struct hs_err *err)
{
	uint8_t *mask = px->mask ? keep_room(m, m->n_pix, 1, err) : NULL;
	if (mask)
		memcpy(mask, px->mask, m->n_pix);
	return mask;
}

/* The chosen channels, each over all pixels; mask is NULL when all are good. */
static double *take_maps(struct maker *m, const size_t *channel, size_t n, const uint8_t **mask, struct hs_err *err)
{
	struct hs_pixels px;
	size_t total;
	if (!hs_mul(n, m->n_pix, &total))
		total = SIZE_MAX;
	struct hs_collect t = { .n_maps = n, .channel = channel, .map = keep_reals(m, total, err) };
	if (!t.map || open_pixels(m, &px, err) < 0)
		return NULL;
	*mask = keep_mask(m, &px, err);
	const int verdict = hs_failed(err) ? -1 : hs_collect(&px, &t, err);
	hs_pixels_close(&px);
	return verdict == 0 ? t.map : NULL;
}

/* The chosen rows (NULL: the first n), each over all channels; mask: of the pixels, NULL when all are good. */
static double *take_rows(struct maker *m, const size_t *row, size_t n, const uint8_t **mask, struct hs_err *err)
{
	struct hs_pixels px;
	size_t total;
	if (!hs_mul(n, m->n_chan, &total))
		total = SIZE_MAX;
	struct hs_collect t = { .n_rows = n, .row = row, .rows = keep_reals(m, total, err) };
	if (!t.rows || open_pixels(m, &px, err) < 0)
		return NULL;
	*mask = keep_mask(m, &px, err);
	const int verdict = hs_failed(err) ? -1 : hs_collect(&px, &t, err);
	hs_pixels_close(&px);
	return verdict == 0 ? t.rows : NULL;
}

/* All values of another signal of the file, when they are real and fit. */
static double *read_other(struct maker *m, size_t i, struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(m->in, i);
	const size_t n = hs_signal_count(s);
	if (hs_dtype_is_complex(s->dtype) || n > m->room / sizeof(double))
		return NULL;
	double *v = hs_in_read(m->in, i, err);
	if (v) {
		m->room -= n * sizeof(double);
		hs_plan_keep(m->plan, v);
	}
	return v;
}

/* ------------------------------------------------------------------ maps */

/* In place: logarithms to base 10. What is not above 0 takes the least that is, so that empty pixels stay in the picture. */
static void take_log(double *v, size_t n)
{
	double least = INFINITY;
	for (size_t i = 0; i < n; i++)
		if (v[i] > 0 && v[i] < least)
			least = v[i];
	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i]))
			v[i] = log10(fmax(v[i], isfinite(least) ? least : 1));
}

static struct hs_map *add_map(struct maker *m, const char *title, const struct hs_signal *s, double *value, const uint8_t *mask,
	const struct hs_axis *y, const struct hs_axis *x)
{
	struct hs_map *map = &hs_plan_add(m->plan, HS_DRAWING_MAP)->map;
	*map = (struct hs_map){ .title = title, .name = s->quantity, .unit = s->units, .value = value, .mask = mask, .x = x, .y = y,
		.colormap = m->wish->colormap < 0 ? HS_COLORMAP_DUSK : (enum hs_colormap_kind)m->wish->colormap,
		.limits = m->limits, .lo = m->lo, .hi = m->hi };
	if (m->wish->log || s->log_scale) {
		take_log(value, x->n * y->n);
		map->name = hs_plan_keep(m->plan, strcmp(s->units, "1") ? hs_must_printf("log₁₀ %s / %s", s->quantity, s->units) :
			hs_must_printf("log₁₀ %s", s->quantity));
		map->unit = NULL;
		if (m->limits == HS_LIMITS_GIVEN && m->lo > 0) {
			map->lo = log10(m->lo);
			map->hi = log10(m->hi);
		}
	}
	return map;
}

/* Component maps that go clearly to both sides of zero are drawn about zero, all of them alike. */
static void balance(struct maker *m, size_t first)
{
	bool is_signed = false;
	if (m->wish->colormap >= 0 || m->wish->log)
		return;
	for (size_t i = first; i < m->plan->n; i++) {
		const struct hs_map *map = &m->plan->drawing[i].map;
		double lo = NAN, hi = NAN;
		struct hs_err ignored = { 0 };
		hs_limits_find(map->value, map->mask, map->x->n * map->y->n, HS_LIMITS_ROBUST, false, &lo, &hi, &ignored);
		is_signed |= lo < -0.1 * hi && hi > -0.1 * lo;
	}
	for (size_t i = first; i < m->plan->n && is_signed; i++)
		m->plan->drawing[i].map.colormap = HS_COLORMAP_BALANCE;
}

/* ------------------------------------------------------------------ scattered points */

struct cloud {
	const struct hs_coord *x, *y;
	size_t n;
};

static bool find_cloud(const struct maker *m, size_t dim, struct cloud *c)
{
	*c = (struct cloud){ hs_wish_coord(m->s, "x", dim), hs_wish_coord(m->s, "y", dim), m->s->axis[dim].n };
	return c->x && c->y;
}

/* The last thing kept is the array of its curves. */
static void add_cloud(struct maker *m, const struct cloud *c, const char *title, size_t n_curves)
{
	struct hs_curve *curve = hs_plan_keep(m->plan, hs_must_alloc(n_curves, sizeof *curve));
	struct hs_curves *curves = &hs_plan_add(m->plan, HS_DRAWING_CURVES)->curves;
	*curves = (struct hs_curves){ .title = title, .x_name = "x", .x_unit = c->x->units, .y_name = "y", .y_unit = c->y->units,
		.curve = curve, .n_curves = n_curves, .equal_aspect = hs_unit_factor(c->x->units, c->y->units) > 0 };
}

/* The points that belong to group k of n_groups: one curve of dots. */
static int fill_group(struct maker *m, const struct cloud *c, const int *group, int k, struct hs_curve *curve, struct hs_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		n += group[i] == k;
	double *x = keep_reals(m, n, err), *y = x ? keep_reals(m, n, err) : NULL;
	if (!y)
		return -1;
	n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (group[i] == k) {
			x[n] = c->x->value[i];
			y[n++] = c->y->value[i];
		}
	curve->x = x;
	curve->y = y;
	curve->n = n;
	curve->stroke = HS_STROKE_DOT;
	curve->has_colour = true;
	return 0;
}

/* Dots in the colours of a map; the legend names five steps of it. Points without a value are grey and listed as such. */
static int cloud_of_values(struct maker *m, const struct cloud *c, const char *title, const double *v, const uint8_t *mask,
	struct hs_err *err)
{
	struct hs_colormap map;
	double lo = m->lo, hi = m->hi;
	if (hs_limits_find(v, mask, c->n, m->limits, false, &lo, &hi, err) < 0)
		return -1;
	/* also for signed values: the white middle of BALANCE would vanish on the page */
	hs_colormap_init(&map, m->wish->colormap >= 0 ? (enum hs_colormap_kind)m->wish->colormap : HS_COLORMAP_DUSK);
	int *group = keep_room(m, c->n, sizeof *group, err);
	if (!group)
		return -1;
	add_cloud(m, c, title, DOT_STEPS + 2);
	struct hs_curve *curve = m->plan->kept[m->plan->n_kept - 1];
	for (size_t i = 0; i < c->n; i++) {
		const double t = lo < hi ? (v[i] - lo) / (hi - lo) : 0.5;
		group[i] = !isfinite(v[i]) || (mask && mask[i]) ? DOT_STEPS + 1 : (int)(fmin(1, fmax(0, t)) * DOT_STEPS + 0.5);
	}
	for (int k = 0; k <= DOT_STEPS + 1; k++) {
		if (fill_group(m, c, group, k, &curve[k], err) < 0)
			return -1;
		const double t = (double)k / DOT_STEPS, at = lo * (1 - t) + hi * t;
		curve[k].colour = k <= DOT_STEPS ? hs_colormap_at(&map, 0, 1, t) : map.missing;
		if (k <= DOT_STEPS && isfinite(at) && k % (DOT_STEPS / 4) == 0 && (k == 0 || lo < hi))
			curve[k].name = hs_plan_keep(m->plan, hs_scale_show(at, 3, m->s->units));
		else if (k > DOT_STEPS && curve[k].n)
			curve[k].name = "no value";
	}
	return 0;
}

static int cloud_of_labels(struct maker *m, const struct cloud *c, const int32_t *label, struct hs_err *err)
{
	struct hs_palette palette;
	int32_t most = -1;
	for (size_t i = 0; i < c->n; i++)
		most = label[i] > most ? label[i] : most;
	if (most >= MOST_NAMES)
		return hs_fail(err, HS_BAD_DATA, "%d labels are too many to tell apart", most + 1);
	hs_palette_init(&palette);
	add_cloud(m, c, NULL, (size_t)(most + 2));
	struct hs_curve *curve = m->plan->kept[m->plan->n_kept - 1];
	for (int32_t k = -1; k <= most; k++) {
		struct hs_curve *one = &curve[k + 1];
		if (fill_group(m, c, label, k, one, err) < 0)
			return -1;
		one->colour = k < 0 ? (struct hs_rgba){ 150, 150, 150, 255 } : hs_palette_at(&palette, (size_t)k);
		const double share = 100 * (double)one->n / (double)c->n;
		if (k >= 0)
			one->name = hs_plan_keep(m->plan, hs_must_printf("%s %d   %.1f %%", m->s->quantity, k, share));
		else if (one->n)
			one->name = hs_plan_keep(m->plan, hs_must_printf("none   %.1f %%", share));
	}
	return 0;
}

/* ------------------------------------------------------------------ curves */

/* Channels of axis a inside the window; a window that holds none takes the nearest. */
static int window_of(const struct maker *m, const struct hs_axis *a, size_t *first, size_t *end, struct hs_err *err)
{
	double lo, hi;
	*first = 0;
	*end = a->n;
	if (!m->wish->window)
		return 0;
	if (hs_wish_range(m->wish->window, a->units, &lo, &hi, err) < 0)
		return hs_err_prepend(err, "--energy");
	const double least = fmin(a->value[0], a->value[a->n - 1]), most = fmax(a->value[0], a->value[a->n - 1]);
	if (hi < least || lo > most)
		return hs_fail(err, HS_USAGE, "--energy: %.40s is outside %.6g .. %.6g %s", m->wish->window, least, most,
			strcmp(a->units, "1") ? a->units : "");
	while (*first < *end && !(a->value[*first] >= lo && a->value[*first] <= hi))
		++*first;
	while (*end > *first && !(a->value[*end - 1] >= lo && a->value[*end - 1] <= hi))
		--*end;
	if (*first == *end) {
		*first = hs_axis_nearest(a, lo / 2 + hi / 2);
		*end = *first + 1;
	}
	return 0;
}

/* An empty panel of n curves of signal s over axis x; the caller fills *curve. */
static struct hs_curves *add_curves(struct maker *m, const char *title, const struct hs_signal *s, const struct hs_axis *x,
	size_t n, struct hs_curve **curve)
{
	*curve = hs_plan_keep(m->plan, hs_must_alloc(n, sizeof **curve));
	struct hs_curves *curves = &hs_plan_add(m->plan, HS_DRAWING_CURVES)->curves;
	*curves = (struct hs_curves){ .title = title, .x_name = hs_axis_what(x), .x_unit = x->units, .y_name = s->quantity,
		.y_unit = s->units, .curve = *curve, .n_curves = n, .stacked = m->wish->stacked, .integer_x = x->kind == HS_AXIS_CHANNEL };
	return curves;
}

static void finish_curves(struct hs_curves *c)
{
	bool below = false, above = false;
	for (size_t k = 0; k < c->n_curves; k++)
		for (size_t i = 0; i < c->curve[k].n; i++) {
			below |= c->curve[k].y[i] < 0;
			above |= c->curve[k].y[i] > 0;
		}
	c->zero_line = below && above && !c->log_y && !c->stacked;
}

/* Rows `chosen` of v (n x x->n) as curves in the colours of their numbers, so that a part looks like the whole. */
static int curves_of_rows(struct maker *m, const char *title, const struct hs_signal *s, const struct hs_axis *x, const double *v,
	const double *sigma, const size_t *chosen, size_t n, bool own_window, struct hs_err *err)
{
	struct hs_palette palette;
	struct hs_curve *curve;
	size_t first = 0, end = x->n;
	if (own_window && window_of(m, x, &first, &end, err) < 0)
		return -1;
	hs_palette_init(&palette);
	struct hs_curves *curves = add_curves(m, title, s, x, n, &curve);
	for (size_t i = 0; i < n; i++) {
		const size_t k = chosen ? chosen[i] : i;
		curve[i] = (struct hs_curve){ .x = x->value + first, .y = v + k * x->n + first,
			.sigma = sigma ? sigma + k * x->n + first : NULL, .n = end - first, .has_colour = true, .colour = hs_palette_at(&palette, k),
			.stroke = x->n <= 50 && (x->kind == HS_AXIS_CHANNEL || x->n == 1) ? HS_STROKE_LINE_DOT : HS_STROKE_LINE };
		if (s->rank > 1 && n > 1)
			curve[i].name = hs_plan_keep(m->plan, s->axis[0].kind == HS_AXIS_CHANNEL ? hs_must_printf("%.15g", s->axis[0].value[k]) :
				place_name(&s->axis[0], k));
	}
	if (own_window) {
		curves->log_y = m->wish->log || s->log_scale;
		if (m->limits == HS_LIMITS_GIVEN && !m->wish->stacked) {
			curves->has_y_limits = true;
			curves->y_lo = m->lo;
			curves->y_hi = m->hi;
		}
	}
	finish_curves(curves);
	return 0;
}

/* ------------------------------------------------------------------ the pictures */

static int need_no_choice(const struct maker *m, struct hs_err *err)
{
	if (m->wish->components)
		return hs_fail(err, HS_USAGE, "--component: %s has no components", hs_in_path(m->in, m->signal));
	return 0;
}

static int show_curves(struct maker *m, enum form form, struct hs_err *err)
{
	const struct hs_axis *x = &m->s->axis[m->s->rank - 1];
	const uint8_t *mask;
	const size_t n = form == FORM_SPECTRUM ? 1 : m->s->axis[0].n;
	if (form != FORM_SPECTRUM && form != FORM_CURVES && form != FORM_LINE)
		return hs_fail(err, HS_USAGE, "--kind curves: %s holds no curves (a cube has --at)", hs_in_path(m->in, m->signal));
	if ((form == FORM_SPECTRUM && need_no_choice(m, err) < 0) || choose(m, n, err) < 0)
		return -1;
	const double *v = take_rows(m, NULL, n, &mask, err);
	if (!v)
		return -1;
	double *sigma = hs_in_read_companion(m->in, m->signal, "data_errors", n * x->n);
	if (sigma)
		hs_plan_keep(m->plan, sigma);
	return curves_of_rows(m, NULL, m->s, x, v, sigma, m->chosen, m->n_chosen, true, err);
}

static int add_scree(struct maker *m, size_t variance, size_t n_kept, struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(m->in, variance);
	const double *ratio = read_other(m, variance, err);
	if (!ratio)
		return hs_failed(err) ? -1 : 0;
	double sum = 0;
	size_t n = 0;
	for (size_t i = 0; i < s->axis[0].n; i++) {
		sum += ratio[i] > 0 ? ratio[i] : 0;
		n = ratio[i] > LEAST_RATIO || !n ? i + 1 : n;
	}
	struct hs_scree *scree = &hs_plan_add(m->plan, HS_DRAWING_SCREE)->scree;
	*scree = (struct hs_scree){ .title = "explained variance", .ratio = ratio, .n = n, .chosen = n_kept <= n ? n_kept : 0,
		.cumulative = sum <= 1 + 1e-6 };
	return 0;
}

static int show_scree(struct maker *m, enum form form, struct hs_err *err)
{
	size_t k, n_kept = 0;
	if (form != FORM_SPECTRUM)
		return hs_fail(err, HS_USAGE, "--kind scree: %s is not one value a component", hs_in_path(m->in, m->signal));
	if (need_no_choice(m, err) < 0)
		return -1;
	if (find_sibling(m, "loadings", &k))
		n_kept = hs_in_signal(m->in, k)->axis[0].n;
	return add_scree(m, m->signal, n_kept, err);
}

/* The spectra (or patterns) and the variance that belong to component maps. */
static int add_companions(struct maker *m, struct hs_err *err)
{
	static const char *const spectra[] = { "loadings", "endmembers", "components", "sources" };
	const struct hs_axis *component = &m->s->axis[0];
	size_t k;
	for (size_t i = 0; i < HS_LEN(spectra); i++) {
		if (!find_sibling(m, spectra[i], &k) || k == m->signal)
			continue;
		const struct hs_signal *s = hs_in_signal(m->in, k);
		if (s->axis[0].n != component->n || (s->rank != 2 && !(s->rank == 3 && s->sig_rank == 2)))
			continue;
		double *v = read_other(m, k, err);
		if (!v)
			return hs_failed(err) ? -1 : 0;
		if (s->rank == 2) {
			if (curves_of_rows(m, s->title, s, &s->axis[1], v, NULL, m->chosen, m->n_chosen, false, err) < 0)
				return -1;
			struct hs_curves *curves = &m->plan->drawing[m->plan->n - 1].curves;
			curves->stacked |= m->n_chosen > MOST_TOGETHER;
			curves->zero_line &= !curves->stacked;
		}
		const enum hs_limits limits = m->limits;
		m->limits = HS_LIMITS_ROBUST;         /* limits were given for the maps */
		const size_t first = m->plan->n;
		for (size_t c = 0; c < m->n_chosen && s->rank == 3; c++) {
			char *name = place_name(component, m->chosen[c]);
			const char *title = hs_plan_keep(m->plan, hs_must_printf("%s, %s", s->title, name));
			free(name);
			add_map(m, title, s, v + m->chosen[c] * s->axis[1].n * s->axis[2].n, NULL, &s->axis[1], &s->axis[2]);
		}
		if (s->rank == 3)
			balance(m, first);
		m->limits = limits;
	}
	return find_sibling(m, "variance", &k) && is_variance(hs_in_signal(m->in, k)) ? add_scree(m, k, component->n, err) : 0;
}

/* The maps of a stack: its slices; of a cube: single channels. */
static int show_slices(struct maker *m, enum form form, struct hs_err *err)
{
	const struct hs_signal *s = m->s;
	const size_t nav = hs_signal_nav_rank(s), first = m->plan->n;
	const uint8_t *mask = NULL;
	const bool by_rows = form == FORM_STACK && nav > 1;      /* component x time x y x x: each pixel row is a map */
	const size_t n = by_rows ? m->n_pix : m->n_chan, size = by_rows ? m->n_chan : m->n_pix;
	if (choose(m, n, err) < 0)
		return -1;
	if (!m->wish->components && m->n_chosen > MOST_MAPS) {
		hs_warn("%s: the first %d of %zu maps are shown (--component chooses)", s->name, MOST_MAPS, m->n_chosen);
		m->n_chosen = MOST_MAPS;
	}
	double *v = by_rows ? take_rows(m, m->chosen, m->n_chosen, &mask, err) : take_maps(m, m->chosen, m->n_chosen, &mask, err);
	if (!v)
		return -1;
	const size_t y = form == FORM_STACK ? s->rank - 2 : nav - 2;
	for (size_t i = 0; i < m->n_chosen; i++)
		add_map(m, form == FORM_STACK ? place_names(m, 0, nav, m->chosen[i]) : place_names(m, nav, s->rank, m->chosen[i]), s,
			v + i * size, by_rows ? NULL : mask, &s->axis[y], &s->axis[y + 1]);
	if (form == FORM_STACK && s->axis[0].kind == HS_AXIS_CHANNEL)
		balance(m, first);
	return 0;
}

/* Component x point: a cloud of dots a component. */
static int show_clouds(struct maker *m, struct hs_err *err)
{
	const struct hs_signal *s = m->s;
	const uint8_t *mask;
	struct cloud cloud;
	if (choose(m, m->n_pix, err) < 0)
		return -1;
	const double *v = take_rows(m, m->chosen, m->n_chosen, &mask, err);
	if (!v)
		return -1;
	if (s->rank != 2 || !find_cloud(m, 1, &cloud))
		return curves_of_rows(m, NULL, s, &s->axis[s->rank - 1], v, NULL, NULL, m->n_chosen, false, err);
	for (size_t i = 0; i < m->n_chosen; i++)
		if (cloud_of_values(m, &cloud, place_names(m, 0, 1, m->chosen[i]), v + i * m->n_chan, NULL, err) < 0)
			return -1;
	return 0;
}

static int show_maps(struct maker *m, enum form form, bool companions, struct hs_err *err)
{
	const bool pixels = hs_signal_nav_rank(m->s) == 2 && (form == FORM_CUBE || form == FORM_PATTERNS);
	int verdict;
	if (form == FORM_POINT_STACK)
		verdict = show_clouds(m, err);
	else if (form == FORM_STACK || pixels)
		verdict = show_slices(m, form, err);
	else
		return hs_fail(err, HS_USAGE, "--kind maps: %s holds no maps", hs_in_path(m->in, m->signal));
	m->plan->n_main = m->plan->n;
	return verdict == 0 && companions && (form == FORM_STACK || form == FORM_POINT_STACK) ? add_companions(m, err) : verdict;
}

/* Row i of a map that is one line of pixels is masked as a whole. */
static const uint8_t *spread_mask(struct maker *m, const uint8_t *rows, struct hs_err *err)
{
	uint8_t *mask = rows ? keep_room(m, m->n_pix * m->n_chan, 1, err) : NULL;
	for (size_t i = 0; mask && i < m->n_pix; i++)
		memset(mask + i * m->n_chan, rows[i], m->n_chan);
	return mask;
}

static int show_image(struct maker *m, enum form form, struct hs_err *err)
{
	static const size_t only[] = { 0 };
	const struct hs_signal *s = m->s;
	const uint8_t *mask = NULL;
	struct cloud cloud;
	double *v;
	if (need_no_choice(m, err) < 0)
		return -1;
	if (form == FORM_IMAGE) {
		if (!(v = take_maps(m, only, 1, &mask, err)))
			return -1;
		add_map(m, NULL, s, v, mask, &s->axis[0], &s->axis[1]);
		return 0;
	}
	const size_t n = form == FORM_POINTS ? 1 : m->n_pix;
	if (!(v = take_rows(m, NULL, n, &mask, err)))
		return -1;
	if (form == FORM_POINTS)
		return find_cloud(m, 0, &cloud) ? cloud_of_values(m, &cloud, NULL, v, NULL, err) :
			curves_of_rows(m, NULL, s, &s->axis[0], v, NULL, NULL, 1, true, err);
	mask = spread_mask(m, mask, err);
	if (hs_failed(err))
		return -1;
	add_map(m, NULL, s, v, mask, &s->axis[0], &s->axis[1]);
	return 0;
}

/* ------------------------------------------------------------------ labels */

static int32_t *to_labels(struct maker *m, const double *v, const uint8_t *mask, size_t n, struct hs_err *err)
{
	int32_t *label = keep_room(m, n, sizeof *label, err);
	for (size_t i = 0; label && i < n; i++)
		label[i] = v[i] >= 0 && v[i] < INT32_MAX && !(mask && mask[i]) ? (int32_t)v[i] : -1;
	return label;
}

/* Classes are called what the file calls them: by their value, 0 being the first. */
static void add_labels(struct maker *m, const char *title, const int32_t *label, const struct hs_axis *y, const struct hs_axis *x,
	size_t n_labels)
{
	const size_t n = x->n * y->n;
	const char **name = NULL;
	for (size_t i = 0; i < n; i++)
		n_labels = label[i] >= 0 && (size_t)label[i] >= n_labels ? (size_t)label[i] + 1 : n_labels;
	if (n_labels && n_labels <= MOST_NAMES) {
		name = hs_plan_keep(m->plan, hs_must_alloc(n_labels, sizeof *name));
		for (size_t i = 0; i < n_labels; i++)
			name[i] = hs_plan_keep(m->plan, hs_must_printf("%s %zu", m->s->quantity, i));
	}
	struct hs_drawing *d = hs_plan_add(m->plan, HS_DRAWING_LABELS);
	d->labels = (struct hs_labels){ .title = title, .label = label, .x = x, .y = y, .n_labels = n_labels, .name = name };
}

/* Clusters found among scores have their spectra beside the centroids: those are what a reader knows. */
static int add_centroids(struct maker *m, struct hs_err *err)
{
	size_t k;
	if (!find_sibling(m, "centroid_spectra", &k) && !find_sibling(m, "centroids", &k))
		return 0;
	const struct hs_signal *s = hs_in_signal(m->in, k);
	if (s->rank != 2)
		return 0;
	const double *v = read_other(m, k, err);
	if (!v)
		return hs_failed(err) ? -1 : 0;
	double *sigma = hs_in_read_companion(m->in, k, "data_errors", hs_signal_count(s));
	if (sigma)
		hs_plan_keep(m->plan, sigma);
	return curves_of_rows(m, sigma ? "centroids ± σ" : "centroids", s, &s->axis[1], v, sigma, NULL, s->axis[0].n, false, err);
}

static int show_labels(struct maker *m, enum form form, bool companions, struct hs_err *err)
{
	const struct hs_signal *s = m->s;
	const uint8_t *mask = NULL;
	const bool one_row = form == FORM_POINTS || form == FORM_SPECTRUM;
	const bool maps = form == FORM_IMAGE || (form == FORM_STACK && s->rank == 3);
	struct cloud cloud;
	size_t k, n_labels = 0;
	if (hs_dtype_is_float(s->dtype) || hs_dtype_is_complex(s->dtype) || !(one_row || maps))
		return hs_fail(err, HS_USAGE, "--kind labels: %s is no map of integers", hs_in_path(m->in, m->signal));
	if ((form != FORM_STACK && need_no_choice(m, err) < 0) || choose(m, one_row ? 1 : m->n_chan, err) < 0)
		return -1;
	const double *v = one_row ? take_rows(m, NULL, 1, &mask, err) : take_maps(m, m->chosen, m->n_chosen, &mask, err);
	if (!v)
		return -1;
	if (find_sibling(m, "centroids", &k))
		n_labels = hs_in_signal(m->in, k)->axis[0].n;
	const size_t size = one_row ? m->n_chan : m->n_pix;
	for (size_t i = 0; i < m->n_chosen; i++) {
		const int32_t *label = to_labels(m, v + i * size, one_row ? NULL : mask, size, err);
		if (!label)
			return -1;
		if (form == FORM_POINTS && find_cloud(m, 0, &cloud)) {
			if (cloud_of_labels(m, &cloud, label, err) < 0)
				return -1;
		} else if (one_row) {
			m->plan->line = hs_axis_numbers("line", 1);
			add_labels(m, NULL, label, &m->plan->line, &s->axis[0], n_labels);
		} else {
			add_labels(m, form == FORM_STACK ? place_names(m, 0, 1, m->chosen[i]) : NULL, label, &s->axis[s->rank - 2],
				&s->axis[s->rank - 1], n_labels);
		}
	}
	return companions ? add_centroids(m, err) : 0;
}

/* ------------------------------------------------------------------ cubes */

/* What the summary of a cube is made of. */
struct summary {
	struct hs_pixels px;          /* open while there is something to read */
	struct hs_collect take;
	const struct hs_axis *x, *y;  /* of the sum image; y NULL: scattered points */
	struct cloud cloud;
	size_t n_at, *at;
	struct hs_map_point *point;
	const uint8_t *mask;
};

static int parse_places(struct maker *m, struct summary *u, struct hs_err *err)
{
	char *all = m->wish->at ? hs_plan_keep(m->plan, hs_must_dup(m->wish->at)) : NULL;
	for (char *save = NULL, *one = all ? strtok_r(all, ";", &save) : NULL; one; one = strtok_r(NULL, ";", &save)) {
		size_t pixel = 0;
		if (u->n_at >= 26)
			return hs_fail(err, HS_USAGE, "--at: more than 26 places");
		if (hs_wish_place(one, &u->px, &pixel, err) < 0)
			return hs_err_prepend(err, "--at");
		u->at[u->n_at++] = pixel;
	}
	for (size_t i = 0; i < u->n_at; i++) {
		char *name = hs_plan_keep(m->plan, hs_must_printf("%c", 'A' + (int)i));
		const size_t in_image = u->at[i] % u->take.n_image;
		u->point[i].name = name;
		u->point[i].x = u->y ? u->x->value[in_image % u->x->n] : 0;
		u->point[i].y = u->y ? u->y->value[in_image / u->x->n] : 0;
	}
	return 0;
}

/* The sum image and mean spectrum that stand beside freshly loaded data; found again rather than summed again. */
static bool use_quick_looks(struct maker *m, struct summary *u, struct hs_err *err)
{
	size_t image, mean;
	if (strcmp(hs_in_path(m->in, m->signal), "/entry/data") || m->run->common.mask || m->wish->window ||
		hs_signal_nav_rank(m->s) != 2 || !find_sibling(m, "sum_image", &image) || !find_sibling(m, "mean_spectrum", &mean) ||
		hs_signal_count(hs_in_signal(m->in, image)) != u->take.n_image || hs_signal_count(hs_in_signal(m->in, mean)) != m->n_chan)
		return false;
	u->take.sum = read_other(m, image, err);
	u->take.mean = u->take.sum ? read_other(m, mean, err) : NULL;
	return u->take.mean != NULL;
}

static int sum_up(struct maker *m, struct summary *u, struct hs_err *err)
{
	double *sum = NULL, *mean = NULL;
	const bool known = use_quick_looks(m, u, err);
	if (hs_failed(err))
		return -1;
	size_t n_rows;
	if (!hs_mul(u->n_at, m->n_chan, &n_rows) || (u->n_at && !(u->take.rows = keep_reals(m, n_rows, err))))
		return -1;
	u->take.n_rows = u->n_at;
	u->take.row = u->at;
	if (known) {
		sum = u->take.sum;
		mean = u->take.mean;
		u->take.sum = u->take.mean = NULL;
	} else {
		sum = u->take.sum = keep_reals(m, u->take.n_image, err);
		mean = u->take.mean = sum ? keep_reals(m, m->n_chan, err) : NULL;
		if (!mean)
			return -1;
	}
	if ((!known || u->n_at) && hs_collect(&u->px, &u->take, err) < 0)
		return -1;
	u->take.sum = sum;
	u->take.mean = mean;
	return 0;
}

/* "sum over energy, time"; with a window "energy 280:320eV". */
static const char *sum_title(struct maker *m, const struct summary *u, const struct hs_axis *channel)
{
	struct hs_str text = { 0 };
	if (channel && m->wish->window)
		hs_str_addf(&text, "%s %s", channel->quantity, m->wish->window);
	else
		hs_str_addf(&text, "sum over %s", channel ? channel->quantity : "the pattern");
	for (size_t d = 0; d + 2 < u->px.n_nav; d++)
		hs_str_addf(&text, ", %s", m->s->axis[u->px.nav[d]].quantity);
	return hs_plan_keep(m->plan, hs_str_take(&text));
}

/* The name of place i in the legend: "A: 3 nm, 5 nm", x first; unless there are just two axes they are named. */
static char *at_name(const struct maker *m, const struct summary *u, size_t i)
{
	struct hs_str text = { 0 };
	size_t rest = u->at[i];
	hs_str_addf(&text, "%c:", 'A' + (int)i);
	for (size_t d = u->px.n_nav; d-- > 0;) {
		const struct hs_axis *a = &m->s->axis[u->px.nav[d]];
		char *value = hs_scale_show(a->value[rest % a->n], 3, a->units);
		if (u->px.n_nav != 2)
			hs_str_addf(&text, " %s", a->name);
		hs_str_addf(&text, " %s%s", value, d ? "," : "");
		rest /= a->n;
		free(value);
	}
	return hs_str_take(&text);
}

static void add_mean_curves(struct maker *m, const struct summary *u, const struct hs_axis *channel)
{
	struct hs_curve *curve;
	struct hs_curves *curves = add_curves(m, u->n_at ? "spectra" : "mean spectrum", m->s, channel, u->n_at + 1, &curve);
	for (size_t i = 0; i <= u->n_at; i++)
		curve[i] = (struct hs_curve){ .x = channel->value, .y = i ? u->take.rows + (i - 1) * m->n_chan : u->take.mean, .n = channel->n,
			.stroke = channel->n == 1 ? HS_STROKE_LINE_DOT : HS_STROKE_LINE,
			.name = !u->n_at ? NULL : i ? hs_plan_keep(m->plan, at_name(m, u, i - 1)) : "mean" };
	curves->log_y = m->wish->log || m->s->log_scale;
	if (m->wish->window) {
		double *mark = hs_plan_keep(m->plan, hs_must_alloc(2, sizeof *mark));
		mark[0] = channel->value[u->take.first];
		mark[1] = channel->value[u->take.end - 1];
		curves->mark = mark;
		curves->n_marks = 2;
	}
	finish_curves(curves);
}

static void add_mean_patterns(struct maker *m, const struct summary *u)
{
	const struct hs_axis *y = &m->s->axis[m->s->rank - 2], *x = &m->s->axis[m->s->rank - 1];
	add_map(m, "mean pattern", m->s, u->take.mean, NULL, y, x);
	for (size_t i = 0; i < u->n_at; i++)
		add_map(m, hs_plan_keep(m->plan, at_name(m, u, i)), m->s, u->take.rows + i * m->n_chan, NULL, y, x);
}

static int draw_summary(struct maker *m, struct summary *u, const struct hs_axis *channel, bool image_only, struct hs_err *err)
{
	const char *title = sum_title(m, u, channel);
	if (u->y) {
		struct hs_map *map = add_map(m, title, m->s, u->take.sum, NULL, u->y, u->x);
		map->point = u->point;
		map->n_points = u->n_at;
	} else if (u->cloud.x && u->cloud.y) {
		if (cloud_of_values(m, &u->cloud, title, u->take.sum, NULL, err) < 0)
			return -1;
	} else {
		struct hs_curve *curve;
		add_curves(m, title, m->s, u->x, 1, &curve);
		*curve = (struct hs_curve){ .x = u->x->value, .y = u->take.sum, .n = u->x->n, .stroke = HS_STROKE_LINE_DOT };
	}
	if (image_only)
		return 0;
	m->limits = m->limits == HS_LIMITS_GIVEN ? HS_LIMITS_ROBUST : m->limits;      /* were given for the sum image */
	if (channel)
		add_mean_curves(m, u, channel);
	else
		add_mean_patterns(m, u);
	return 0;
}

static int show_cube(struct maker *m, enum form form, bool image_only, struct hs_err *err)
{
	struct summary u = { 0 };
	const bool stack = form == FORM_STACK && m->s->rank == 3;
	if (!stack && form != FORM_CUBE && form != FORM_PATTERNS && form != FORM_POINT_CUBE && form != FORM_LINE)
		return hs_fail(err, HS_USAGE, "--kind cube: %s has no pixels with spectra", hs_in_path(m->in, m->signal));
	if (need_no_choice(m, err) < 0 || open_pixels(m, &u.px, err) < 0)
		return -1;
	const struct hs_axis *axis = m->s->axis, *channel = u.px.n_sig == 1 ? &axis[u.px.sig[0]] : NULL;
	u.x = &axis[u.px.nav[u.px.n_nav - 1]];
	u.y = u.px.n_nav >= 2 ? &axis[u.px.nav[u.px.n_nav - 2]] : NULL;
	u.take.n_image = u.x->n * (u.y ? u.y->n : 1);
	u.take.end = m->n_chan;
	u.at = hs_plan_keep(m->plan, hs_must_alloc(26, sizeof *u.at));
	u.point = hs_plan_keep(m->plan, hs_must_alloc(26, sizeof *u.point));
	if (!u.y)
		find_cloud(m, u.px.nav[0], &u.cloud);
	int verdict = 0;
	if (channel)
		verdict = window_of(m, channel, &u.take.first, &u.take.end, err);
	else if (m->wish->window)
		verdict = hs_fail(err, HS_USAGE, "--energy: %s has patterns, not spectra", hs_in_path(m->in, m->signal));
	if (verdict == 0 && (verdict = parse_places(m, &u, err)) == 0 && (verdict = sum_up(m, &u, err)) == 0)
		verdict = draw_summary(m, &u, channel, image_only, err);
	hs_pixels_close(&u.px);
	return verdict;
}

/* ------------------------------------------------------------------ the plan */

/* "chondrite: scores (hspca)". */
static char *make_title(struct maker *m)
{
	char *entry = hs_in_entry_text(m->in, "title"), *title;
	const char *path = hs_in_path(m->in, m->signal), *step = strstr(path, "/process_"), *tool = step ? strchr(step + 9, '_') : NULL;
	const int n = tool ? (int)strcspn(tool + 1, "/") : 0;
	const char *own = strcmp(m->s->name, "data") ? m->s->title : NULL;
	if (own && tool)
		title = hs_must_printf("%s%s%s (%.*s)", entry ? entry : "", entry ? ": " : "", own, n, tool + 1);
	else if (own && entry && strcmp(own, entry))
		title = hs_must_printf("%s: %s", entry, own);
	else
		title = hs_must_dup(entry ? entry : own ? own : m->s->title);
	free(entry);
	return title;
}

static int show(struct maker *m, enum form form, struct hs_err *err)
{
	const bool free_choice = m->wish->show == HS_SHOW_AUTO;
	const enum hs_show kind = free_choice ? usual(m, form) : m->wish->show;
	if (m->wish->at && !(kind == HS_SHOW_CUBE || (kind == HS_SHOW_IMAGE && (form == FORM_CUBE || form == FORM_PATTERNS))))
		return hs_fail(err, HS_USAGE, "--at: %s has no pixels with spectra", hs_in_path(m->in, m->signal));
	if (m->wish->window && kind != HS_SHOW_CUBE && kind != HS_SHOW_CURVES && kind != HS_SHOW_IMAGE)
		return hs_fail(err, HS_USAGE, "--energy: %s has no spectral axis", hs_in_path(m->in, m->signal));
	switch (kind) {
	case HS_SHOW_MAPS: return show_maps(m, form, free_choice, err);
	case HS_SHOW_LABELS: return show_labels(m, form, free_choice, err);
	case HS_SHOW_CURVES: return show_curves(m, form, err);
	case HS_SHOW_SCREE: return show_scree(m, form, err);
	case HS_SHOW_CUBE: return show_cube(m, form, false, err);
	default: break;
	}
	if (form == FORM_IMAGE || form == FORM_LINE || form == FORM_CURVES || form == FORM_POINTS)
		return m->wish->window ? hs_fail(err, HS_USAGE, "--energy: %s is not summed over a spectrum", hs_in_path(m->in, m->signal)) :
			show_image(m, form, err);
	if (form == FORM_SPECTRUM || form == FORM_POINT_STACK)
		return hs_fail(err, HS_USAGE, "--kind image: %s is no image", hs_in_path(m->in, m->signal));
	return show_cube(m, form, true, err);
}

int hs_picture_plan(struct hs_plan *plan, struct hs_run *run, struct hs_in *in, size_t signal, const struct hs_wish *wish,
	struct hs_err *err)
{
	*plan = (struct hs_plan){ 0 };
	struct maker m = { .plan = plan, .run = run, .in = in, .signal = signal, .s = hs_in_signal(in, signal), .wish = wish,
		.room = hs_run_memory(run) / 2 };
	if (!m.s->rank)
		return hs_fail(err, HS_BAD_DATA, "%s is a single number, not a picture", hs_in_path(in, signal));
	hs_pixels_count(m.s, &m.n_pix, &m.n_chan);
	if (!m.n_pix || !m.n_chan)
		return hs_fail(err, HS_BAD_DATA, "%s is empty", hs_in_path(in, signal));
	plan->title = hs_plan_keep(plan, wish->title ? hs_must_dup(wish->title) : make_title(&m));
	return parse_limits(&m, err) < 0 ? -1 : show(&m, form_of(m.s), err);
}
