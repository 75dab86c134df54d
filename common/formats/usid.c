/* USID (pyUSID, pycroscopy): a main dataset is a table of positions x channels whose four references lead to the tables that say,
 * for each row and each column, its place in every dimension. The tables decide: rows may come in any order and may be
 * missing, and dimensions may be listed slowest or fastest first.
 *
 * A table in raster order is a regrouping of the dataset and is not touched. Another order of a complete grid is sorted in
 * memory (up to MAX_MEMORY). An incomplete grid is a set of points with their coordinates. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/h5set.h"

#define MAX_MEMORY ((size_t)1 << 30)

static const char *const reference[4] = { "Position_Indices", "Position_Values", "Spectroscopic_Indices",
	"Spectroscopic_Values" };

/* One side of the table: the dimensions of its rows or of its columns. */
struct side {
	size_t n, rank;               /* entries of the side; dimensions, of size 1 too */
	char **label, **units;
	double *value;                /* n x rank: calibrated place of each entry */
	size_t *place;                /* n x rank: index of each entry in each dimension, 0 .. size - 1 */
	size_t size[HS_MAX_RANK];
	double *axis[HS_MAX_RANK];    /* size[d] values */
	size_t order[HS_MAX_RANK];    /* dimensions of more than one entry, slowest first */
	size_t n_order;
	bool complete, raster;        /* every place once; in C order of order[] */
	size_t *target;               /* n: where each entry belongs in that order */
};

static void side_release(struct side *s)
{
	hs_h5_free_list(s->label, s->rank);
	hs_h5_free_list(s->units, s->rank);
	free(s->value);
	free(s->place);
	free(s->target);
	for (size_t d = 0; d < HS_MAX_RANK; d++)
		free(s->axis[d]);
	*s = (struct side){ 0 };
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The texts of an attribute, exactly rank of them; missing ones are made up. */
static char **texts(struct hs_h5 *file, const char *path, const char *attr, size_t rank, const char *substitute)
{
	size_t n;
	char **said = hs_h5_attr_texts(file, path, attr, &n), **list = hs_must_alloc(rank, sizeof *list);
	for (size_t i = 0; i < rank; i++)
		list[i] = i < n && *said[i] ? hs_must_dup(said[i]) : *substitute ? hs_must_printf("%s_%zu", substitute, i + 1) :
		hs_must_dup("");
	hs_h5_free_list(said, n);
	return list;
}

/* A table as n x rank doubles. Spectroscopic tables lie on their side (rank x n); some old files lay the other one so too. */
static double *table(struct hs_h5 *file, const char *path, size_t n, bool on_side, size_t *rank)
{
	struct hs_h5_shape shape;
	size_t count;
	if (!hs_h5_shape(file, path, &shape) || shape.class != HS_H5_NUMBER || shape.rank != 2)
		return NULL;
	if (shape.n[on_side] != n && shape.n[!on_side] == n)
		on_side = !on_side;
	*rank = shape.n[!on_side];
	if (shape.n[on_side] != n || !*rank || *rank > HS_MAX_RANK)
		return NULL;
	double *stored = hs_h5_reals(file, path, &count);
	if (!stored || !on_side)
		return stored;
	double *turned = hs_must_alloc(count, sizeof *turned);
	for (size_t d = 0; d < *rank; d++)
		for (size_t i = 0; i < n; i++)
			turned[i * *rank + d] = stored[d * n + i];
	free(stored);
	return turned;
}

/* Indices of one dimension -> places 0, 1 ... in ascending order, and the value that belongs to each. */
static int rank_dimension(struct side *s, const double *index, size_t d, struct hs_err *err)
{
	double *sorted = hs_alloc(s->n, sizeof *sorted, err);
	if (!sorted)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		sorted[i] = index[i * s->rank + d];
	qsort(sorted, s->n, sizeof *sorted, by_value);
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (!n || sorted[i] > sorted[n - 1])
			sorted[n++] = sorted[i];
	s->size[d] = n;
	s->axis[d] = hs_alloc(n, sizeof **s->axis, err);
	bool *known = s->axis[d] ? hs_alloc(n, sizeof *known, err) : NULL;
	for (size_t i = 0; known && i < s->n; i++) {
		const double wanted = index[i * s->rank + d];
		const double *at = bsearch(&wanted, sorted, n, sizeof *sorted, by_value);
		const size_t place = at ? (size_t)(at - sorted) : 0;
		s->place[i * s->rank + d] = place;
		if (!known[place])
			s->axis[d][place] = s->value[i * s->rank + d];
		known[place] = true;
	}
	const int verdict = known ? 0 : -1;
	free(known);
	free(sorted);
	return verdict;
}

/* Dimensions of more than one entry, slowest first: those that change least often from one entry to the next. */
static void order_dimensions(struct side *s)
{
	size_t changes[HS_MAX_RANK] = { 0 };
	for (size_t i = 1; i < s->n; i++)
		for (size_t d = 0; d < s->rank; d++)
			changes[d] += s->place[i * s->rank + d] != s->place[(i - 1) * s->rank + d];
	s->n_order = 0;
	for (size_t d = 0; d < s->rank; d++) {
		if (s->size[d] < 2)
			continue;
		size_t k = s->n_order++;
		for (; k && changes[s->order[k - 1]] > changes[d]; k--)
			s->order[k] = s->order[k - 1];
		s->order[k] = d;
	}
}

/* Finds out where each entry belongs in the order that is set. */
static int place_entries(struct side *s, struct hs_err *err)
{
	size_t size[HS_MAX_RANK], total;
	for (size_t k = 0; k < s->n_order; k++)
		size[k] = s->size[s->order[k]];
	s->complete = hs_product(size, s->n_order, &total) && total == s->n;
	s->raster = s->complete;
	if (!s->complete)
		return 0;
	bool *taken = hs_alloc(s->n, sizeof *taken, err);
	if (!taken)
		return -1;
	for (size_t i = 0; i < s->n; i++) {
		size_t at = 0;
		for (size_t k = 0; k < s->n_order; k++)
			at = at * size[k] + s->place[i * s->rank + s->order[k]];
		s->complete &= !taken[at];
		taken[at] = true;
		s->target[i] = at;
		s->raster &= at == i;
	}
	free(taken);
	return 0;
}

static bool all_finite(const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(v[i] - v[i] == 0))
			return false;
	return true;
}

/* 0 read, 1 not a USID side (why is told), -1 no memory. */
static int side_read(struct side *s, struct hs_h5 *file, const char *indices, const char *values, size_t n, bool spectral,
	struct hs_err *err)
{
	size_t rank = 0;
	*s = (struct side){ .n = n };
	double *index = table(file, indices, n, spectral, &s->rank);
	int verdict = -1;
	s->value = index ? table(file, values, n, spectral, &rank) : NULL;
	if (!s->value || rank != s->rank || !all_finite(index, n * rank)) {
		free(index);
		side_release(s);
		return 1;
	}
	s->label = texts(file, indices, "labels", rank, spectral ? "channel" : "position");
	s->units = texts(file, values, "units", rank, "");
	if (!*s->units[0]) {
		hs_h5_free_list(s->units, rank);
		s->units = texts(file, indices, "units", rank, "");
	}
	s->place = hs_alloc(n * rank, sizeof *s->place, err);
	s->target = s->place ? hs_alloc(n, sizeof *s->target, err) : NULL;
	verdict = s->target ? 0 : -1;
	for (size_t d = 0; d < rank && verdict == 0; d++)
		verdict = rank_dimension(s, index, d, err);
	free(index);
	if (verdict == 0) {
		order_dimensions(s);
		verdict = place_entries(s, err);
	}
	if (verdict < 0)
		side_release(s);
	return verdict;
}

static struct hs_axis axis_of(const struct side *s, size_t d)
{
	struct hs_axis a = hs_axis_values(s->label[d], s->units[d], s->label[d], HS_AXIS_UNKNOWN, s->size[d], s->axis[d]);
	a.kind = hs_axis_kind_guess(s->label[d], a.units);
	if (a.kind == HS_AXIS_POINT)
		a.kind = HS_AXIS_UNKNOWN;                       /* a grid, whatever it is called */
	if (hs_same_word(s->label[d], "Endmember"))
		a.kind = HS_AXIS_CHANNEL;
	return a;
}

/* y before x, when that is not yet so and the values can be sorted in memory. */
static int put_y_first(struct side *s, bool sortable, struct hs_err *err)
{
	struct hs_axis axis[HS_MAX_RANK];
	size_t order[HS_MAX_RANK];
	memcpy(order, s->order, sizeof order);
	for (size_t d = 0; d < s->rank; d++)
		axis[d] = axis_of(s, d);
	hs_h5set_y_first(axis, order, s->n_order);
	const bool moved = memcmp(order, s->order, s->n_order * sizeof *order) != 0;
	for (size_t d = 0; d < s->rank; d++)
		hs_axis_release(&axis[d]);
	if (!moved || !s->complete || (s->raster && !sortable))
		return 0;
	memcpy(s->order, order, sizeof order);
	return place_entries(s, err);
}

struct main_set {
	const char *path, *field;
	enum hs_dtype dtype;
	size_t n, m;                  /* positions, channels */
	struct side pos, spec;
};

/* Values in raster order, in memory. */
static int sort_values(struct hs_values *v, struct hs_h5 *file, const struct main_set *m, size_t rank, const size_t *n,
	size_t sig_rank,
	struct hs_err *err)
{
	const size_t size = hs_dtype_size(m->dtype);
	size_t count, bytes;
	if (!hs_mul(m->n, m->m, &count) || !hs_mul(count, size, &bytes) || bytes > MAX_MEMORY)
		return hs_fail(err, HS_SYSTEM, "the rows of '%s' are in no regular order and too many (%zu x %zu) to be sorted in memory",
		m->path,
			m->n, m->m);
	char *stored = hs_h5_values(file, m->path, m->field, m->dtype, count, err);
	char *sorted = stored ? hs_alloc(count, size, err) : NULL;
	if (!sorted) {
		free(stored);
		return -1;
	}
	for (size_t i = 0; i < m->n; i++) {
		const size_t row = m->pos.complete ? m->pos.target[i] : i;
		if (m->spec.raster || !m->spec.complete)
			memcpy(sorted + row * m->m * size, stored + i * m->m * size, m->m * size);
		else
			for (size_t j = 0; j < m->m; j++)
				memcpy(sorted + (row * m->m + m->spec.target[j]) * size, stored + (i * m->m + j) * size, size);
	}
	free(stored);
	hs_values_memory(v, sorted, m->dtype, rank, n, sig_rank);
	return 0;
}

/* The axes: positions (or a list of points), outer spectral dimensions, the fastest spectral one. Returns the signal rank. */
static size_t add_axes(struct hs_signal *signal, const struct main_set *m)
{
	const struct side *pos = &m->pos, *spec = &m->spec;
	size_t sig_rank = 1;
	if (pos->complete)
		for (size_t k = 0; k < pos->n_order; k++)
			hs_signal_add_axis(signal, axis_of(pos, pos->order[k]));
	else
		hs_signal_add_axis(signal, hs_axis_uniform("point", "1", NULL, HS_AXIS_POINT, pos->n, 0, 1));
	if (!spec->complete) {
		/* columns that fill no grid: numbered, or along the one dimension that tells them apart */
		size_t d = 0;
		while (d < spec->rank && spec->size[d] != spec->n)
			d++;
		struct hs_axis a = d < spec->rank ? axis_of(spec, d) : hs_axis_uniform("channel", "1", NULL, HS_AXIS_SPECTRAL, spec->n, 0, 1);
		a.kind = HS_AXIS_SPECTRAL;
		hs_signal_add_axis(signal, a);
		return 1;
	}
	for (size_t k = 0; k < spec->n_order; k++) {
		struct hs_axis a = axis_of(spec, spec->order[k]);
		if (k + 1 == spec->n_order && a.kind != HS_AXIS_CHANNEL && a.kind != HS_AXIS_RECIPROCAL)
			a.kind = HS_AXIS_SPECTRAL;              /* a force curve over z is a spectrum, too */
		hs_signal_add_axis(signal, a);
	}
	if (!spec->n_order && pos->complete) {                  /* one value a position */
		sig_rank = signal->rank < 2 ? signal->rank : 2;
		if (!signal->rank) {
			hs_signal_add_axis(signal, axis_of(spec, 0));
			sig_rank = 1;
		}
	} else if (!spec->n_order) {
		hs_signal_add_axis(signal, axis_of(spec, 0));
	}
	return sig_rank;
}

static int add_main(struct hs_scan *scan, struct hs_h5 *file, const struct main_set *m, const char *name, const char *title,
	struct hs_err *err)
{
	struct hs_signal signal;
	struct hs_values values;
	size_t n[HS_MAX_RANK];
	hs_h5set_describe(&signal, file, m->path, name, title, m->dtype);
	const size_t at_most = (m->pos.complete ? m->pos.n_order : 1) + (m->spec.complete ? m->spec.n_order : 1) + 1;
	if (at_most > HS_MAX_RANK) {
		hs_signal_release(&signal);
		return hs_fail(err, HS_BAD_DATA, "'%s' has more than %d dimensions", m->path, HS_MAX_RANK - 1);
	}
	const size_t sig_rank = add_axes(&signal, m);
	for (size_t i = 0; i < signal.rank; i++)
		n[i] = signal.axis[i].n;
	if ((m->pos.complete && !m->pos.raster) || (m->spec.complete && !m->spec.raster)) {
		if (sort_values(&values, file, m, signal.rank, n, sig_rank, err) < 0) {
			hs_signal_release(&signal);
			return -1;
		}
	} else {
		/* rows and columns as they are when nothing needs a finer view: several channel dimensions, or a falling axis to be flipped */
		const size_t table_n[2] = { m->n, m->m };
		bool fused = sig_rank == 1 && signal.rank > 2 && n[signal.rank - 1] == m->m;
		for (size_t i = 0; i < signal.rank; i++)
			fused &= !hs_axis_descends(&signal.axis[i]) || !hs_axis_is_uniform(&signal.axis[i]);
		if (fused)
			hs_values_h5(&values, file, m->path, m->dtype, 2, table_n, 1);
		else
			hs_values_h5(&values, file, m->path, m->dtype, signal.rank, n, sig_rank);
		values.field = hs_must_dup(m->field);
	}
	for (size_t d = 0; !m->pos.complete && d < m->pos.rank; d++) {
		double *column = hs_alloc(m->n, sizeof *column, err);
		if (!column) {
			hs_signal_release(&signal);
			hs_values_release(&values);
			return -1;
		}
		for (size_t i = 0; i < m->n; i++)
			column[i] = m->pos.value[i * m->pos.rank + d];
		hs_signal_add_coord(&signal, m->pos.label[d], m->pos.units[d], m->n, column);
		free(column);
	}
	hs_signal_shape_up(&signal, sig_rank);
	return hs_scan_add(scan, &signal, &values, err);
}

/* "/Measurement_000/Channel_001/Raw_Data-SVD_000/U" -> "Channel_001_Raw_Data_SVD_000_U"; a single plain main is its quantity. */
static char *name_of(const char *path)
{
	const char *from = path + 1;
	if (hs_starts(from, "Measurement_")) {
		const char *slash = strchr(from, '/');
		from = slash ? slash + 1 : from;
	}
	return hs_clean_name(from);
}

static int read_main(struct hs_h5set_search *s, struct hs_h5 *file, const char *path)
{
	struct hs_h5_shape shape;
	char *where[4] = { NULL };
	struct main_set m = { .path = path };
	int verdict = 0;
	if (!hs_h5set_readable(file, path, &shape, &s->why))
		return 0;
	for (size_t k = 0; k < 4; k++)
		where[k] = hs_h5_attr_ref(file, path, reference[k]);
	m.n = shape.n[0];
	m.m = shape.n[1];
	int said = side_read(&m.pos, file, where[0], where[1], m.n, false, s->err);
	if (said == 0)
		said = side_read(&m.spec, file, where[2], where[3], m.m, true, s->err);
	for (size_t k = 0; k < 4; k++)
		free(where[k]);
	if (said == 0)
		said = put_y_first(&m.pos, m.n <= MAX_MEMORY / sizeof(double[2]) / m.m, s->err);
	if (said > 0) {
		hs_warn("%s: '%s' is left out: its tables of positions and channels do not fit it", hs_h5_name(file), path);
		if (!s->why)
			s->why = hs_must_printf("the tables of positions and channels of '%s' do not fit it", path);
	}
	size_t n_fields = 0;
	char **field = said == 0 && shape.class == HS_H5_COMPOUND ? hs_h5_fields(file, path, &n_fields) : NULL;
	char *name = name_of(path), *quantity = hs_h5set_text(file, path, "quantity");
	if (said == 0 && !m.pos.complete)
		hs_warn("%s: '%s' has %zu positions that fill no grid: they are loaded as points", hs_h5_name(file), path, m.n);
	if (said == 0 && shape.class == HS_H5_NUMBER) {
		m.dtype = shape.dtype;
		char *title = quantity ? hs_must_printf("%s %s", hs_h5set_leaf(path), quantity) : hs_must_dup(hs_h5set_leaf(path));
		verdict = add_main(s->scan, file, &m, name, title, s->err);
		free(title);
	}
	for (size_t i = 0; i < n_fields && verdict == 0; i++) {
		char *full = hs_must_printf("%s_%s", name, field[i]), *title = hs_must_printf("%s %s", hs_h5set_leaf(path), field[i]);
		m.field = field[i];
		if (hs_h5_field_dtype(file, path, field[i], &m.dtype))
			verdict = add_main(s->scan, file, &m, full, title, s->err);
		free(title);
		free(full);
	}
	hs_h5_free_list(field, n_fields);
	free(name);
	free(quantity);
	side_release(&m.pos);
	side_release(&m.spec);
	return said < 0 ? -1 : verdict;
}

static bool is_main(struct hs_h5 *file, const char *path)
{
	for (size_t k = 0; k < 4; k++) {
		char *target = hs_h5_attr_ref(file, path, reference[k]);
		const bool leads = target && hs_h5_kind(file, target) == HS_H5_DATASET;
		free(target);
		if (!leads)
			return false;
	}
	struct hs_h5_shape shape;
	return hs_h5_shape(file, path, &shape) && (shape.rank == 2 || shape.class == HS_H5_OTHER);
}

static int visit(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	struct hs_h5set_search *s = ctx;
	if (kind != HS_H5_DATASET || !hs_h5set_wanted(s->options, path) || !hs_h5_has_attr(file, path, reference[0]) ||
		!is_main(file, path))
		return 0;
	s->n++;
	return s->scan ? read_main(s, file, path) : 0;
}

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)file;
	struct hs_h5set_search s = { 0 };
	return hs_h5set_count(&s, options, visit) ? 70 : 0;
}

static int open_usid(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan, struct hs_err *err)
{
	(void)file;
	struct hs_h5set_search s = { 0 };
	if (hs_h5set_take(&s, options, visit, scan, err) < 0)
		return -1;
	char *title = hs_h5set_text(options->h5, "/", "sample_name");
	scan->title = title;
	return 0;
}

const struct hs_format hs_format_usid = { "usid", "USID of pyUSID and pycroscopy (HDF5)", sniff, open_usid };
