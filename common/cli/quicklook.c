#include "cli/quicklook.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "draw/png.h"
#include "draw/scale.h"
#include "store/rows.h"

struct looks {
	const struct hs_signal *signal;
	size_t n_pix, n_chan, n_used;
	double *sum_spectrum;         /* n_chan */
	float *sum_image;             /* n_pix; NaN where a row was left out */
	double *row;
};

static void add_rows(struct looks *l, const struct hs_batch *batch)
{
	const size_t step = l->n_chan * hs_dtype_size(l->signal->dtype);
	for (size_t i = 0; i < batch->n_rows; i++) {
		hs_dtype_to_double(l->signal->dtype, (const char *)batch->x + i * step, l->row, l->n_chan);
		double sum = 0;
		for (size_t c = 0; c < l->n_chan; c++)
			sum += l->row[c];
		if (batch->skip[i] || !isfinite(sum)) {
			l->sum_image[batch->first_row + i] = NAN;
			continue;
		}
		for (size_t c = 0; c < l->n_chan; c++)
			l->sum_spectrum[c] += l->row[c];
		l->sum_image[batch->first_row + i] = (float)sum;
		l->n_used++;
	}
}

static void copy_dims(struct hs_signal *to, const struct hs_signal *from, size_t first, size_t end)
{
	for (size_t d = first; d < end; d++)
		hs_signal_add_axis(to, hs_axis_dup(&from->axis[d]));
	hs_signal_set(&to->modality, from->modality);
	hs_signal_set(&to->source, from->source);
}

static int write_mean(struct hs_out *out, struct looks *l, struct hs_err *err)
{
	const size_t nav = hs_signal_nav_rank(l->signal);
	struct hs_signal s;
	for (size_t c = 0; c < l->n_chan; c++)
		l->sum_spectrum[c] = l->n_used ? l->sum_spectrum[c] / (double)l->n_used : NAN;
	hs_signal_init(&s, "mean_spectrum", l->signal->quantity, l->signal->units, HS_F64);
	hs_signal_set(&s.title, "mean spectrum");
	copy_dims(&s, l->signal, nav, l->signal->rank);
	hs_signal_shape_up(&s, l->signal->sig_rank);
	const int verdict = hs_out_signal(out, HS_AT_ENTRY, &s, l->sum_spectrum, NULL, err);
	hs_signal_release(&s);
	return verdict;
}

static int write_thumbnail(struct hs_out *out, const float *values, size_t ny, size_t nx, struct hs_err *err)
{
	double *v = hs_alloc(ny * nx, sizeof *v, err);
	uint8_t *png = NULL;
	size_t n = 0;
	if (!v)
		return -1;
	for (size_t i = 0; i < ny * nx; i++)
		v[i] = (double)values[i];
	struct hs_colormap colors;
	struct hs_png_map map = { .ny = ny, .nx = nx, .value = v, .map = &colors };
	hs_colormap_init(&colors, HS_COLORMAP_DUSK);
	int verdict = hs_limits_find(v, NULL, ny * nx, HS_LIMITS_ROBUST, false, &map.lo, &map.hi, err);
	if (verdict == 0) {
		if (!(map.lo < map.hi)) {     /* a constant map, or none at all */
			map.lo = isfinite(map.lo) ? map.lo - 0.5 - fabs(map.lo) : 0;
			map.hi = isfinite(map.hi) ? map.hi + 0.5 + fabs(map.hi) : 1;
		}
		verdict = hs_png_thumbnail(&map, &png, &n, err);
	}
	if (verdict == 0)
		verdict = hs_out_thumbnail(out, png, n, "sum over the spectrum", err);
	free(png);
	free(v);
	return verdict;
}

static int write_sum(struct hs_out *out, struct looks *l, struct hs_err *err)
{
	const struct hs_signal *from = l->signal;
	const size_t nav = hs_signal_nav_rank(from);
	struct hs_signal s;
	int verdict;
	hs_signal_init(&s, "sum_image", from->quantity, from->units, HS_F32);
	hs_signal_set(&s.title, "sum over the spectrum");
	copy_dims(&s, from, 0, nav);
	hs_signal_shape_up(&s, nav >= 2 ? 2 : 1);
	const struct hs_coord *x = hs_signal_find_coord(from, "x", 0), *y = hs_signal_find_coord(from, "y", 0);
	if (hs_signal_is_scatter(from) && x && y) {
		hs_signal_add_coord(&s, "x", x->units, x->n, x->value);
		verdict = hs_out_scatter(out, "map", &s, x->value, y->value, l->sum_image, l->n_pix, err);
	} else {
		verdict = hs_out_signal(out, HS_AT_ENTRY, &s, l->sum_image, NULL, err);
	}
	if (verdict == 0 && nav >= 2)
		verdict = write_thumbnail(out, l->sum_image, l->n_pix / from->axis[nav - 1].n, from->axis[nav - 1].n, err);
	hs_signal_release(&s);
	return verdict;
}

int hs_write_signal(struct hs_out *out, const struct hs_flow *flow, struct hs_err *err)
{
	const struct hs_signal *s = flow->signal;
	const bool looks = flow->quick_looks && hs_signal_nav_rank(s) > 0 && !hs_dtype_is_complex(s->dtype);
	const size_t n_first = flow->components_first ? s->axis[0].n : 1;
	struct looks l = { .signal = s, .n_pix = flow->components_first ? hs_signal_count(s) / n_first : hs_signal_nav_count(s),
		.n_chan = hs_signal_sig_count(s) };
	struct hs_sink *sink;
	struct hs_batch batch;
	int verdict = 0;
	if (looks && (!(l.sum_spectrum = hs_alloc(l.n_chan, sizeof(double), err)) ||
			     !(l.row = hs_alloc(l.n_chan, sizeof(double), err)) ||
			     !(l.sum_image = hs_alloc(l.n_pix, sizeof(float), err))))
		verdict = -1;
	if (verdict == 0)
		verdict = hs_out_stream(out, flow->place, s, flow->components_first, NULL, &sink, err);
	if (verdict == 0) {
		hs_progress_begin(s->name, l.n_pix, "spectra");
		while (verdict == 0 && (verdict = flow->next(flow->ctx, &batch, err)) == 0 && batch.n_rows) {
			if (looks)
				add_rows(&l, &batch);
			verdict = hs_out_put(sink, batch.x, batch.n_rows, err);
			hs_progress_add(batch.n_rows);
		}
		hs_progress_end();
		verdict = hs_out_end_stream(out, sink, err);
	}
	if (verdict == 0 && looks)
		verdict = write_mean(out, &l, err) < 0 || write_sum(out, &l, err) < 0 ? -1 : 0;
	free(l.sum_spectrum);
	free(l.sum_image);
	free(l.row);
	return verdict;
}

static int next_of_source(void *ctx, struct hs_batch *batch, struct hs_err *err)
{
	struct hs_rowsource *source = ctx;
	return source->next(source, batch, err);
}

int hs_copy_signal(struct hs_run *run, struct hs_out *out, const struct hs_copy *copy, struct hs_err *err)
{
	const struct hs_signal *s = copy->signal;
	const struct hs_rows_options options = { .as = HS_AS_STORED, .memory = hs_run_memory(run) / 2,
		.threads = (int)run->common.threads,
		.mask = s->mask, .has_fill = s->has_fill, .fill = s->fill };
	struct hs_rows *rows;
	if (hs_rows_open(&rows, copy->values, &options, err) < 0)
		return hs_err_prepend(err, "%s", s->name);
	struct hs_rowsource *source = hs_rows_source(rows);
	const struct hs_flow flow = { .signal = s, .place = copy->place, .quick_looks = copy->quick_looks, .next = next_of_source,
		.ctx = source };
	int verdict = source->rewind(source, err);
	if (verdict == 0)
		verdict = hs_write_signal(out, &flow, err);
	hs_rows_close(rows);
	return verdict;
}
