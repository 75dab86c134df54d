#include "picture/collect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"

static void to_reals(const struct hs_signal *s, const void *in, double *out, size_t n)
{
	const float *f = in;
	const double *d = in;
	if (s->dtype == HS_C64)
		for (size_t i = 0; i < n; i++)
			out[i] = hypot((double)f[2 * i], (double)f[2 * i + 1]);
	else if (s->dtype == HS_C128)
		for (size_t i = 0; i < n; i++)
			out[i] = hypot(d[2 * i], d[2 * i + 1]);
	else
		hs_dtype_to_double(s->dtype, in, out, n);
	for (size_t i = 0; i < n && s->has_fill; i++)
		if (!(out[i] < s->fill || out[i] > s->fill))
			out[i] = NAN;
}

static void take_row(const struct hs_pixels *px, const struct hs_collect *t, size_t row, const double *v, bool skip,
	size_t *n_used)
{
	for (size_t k = 0; k < t->n_maps; k++)
		t->map[k * px->n_pix + row] = v[t->channel[k]];
	for (size_t k = 0; k < t->n_rows; k++)
		if ((t->row ? t->row[k] : k) == row)
			memcpy(t->rows + k * px->n_chan, v, px->n_chan * sizeof *v);
	for (size_t c = 0; c < px->n_chan && !skip; c++)
		skip = !isfinite(v[c]);               /* rows of stored complex values come unjudged */
	if (skip)
		return;
	if (t->sum) {
		double sum = 0, *to = &t->sum[row % t->n_image];
		for (size_t c = t->first; c < t->end; c++)
			sum += v[c];
		*to = isnan(*to) ? sum : *to + sum;
	}
	for (size_t c = 0; c < px->n_chan && t->mean; c++)
		t->mean[c] += v[c];
	++*n_used;
}

static size_t last_wanted(const struct hs_pixels *px, const struct hs_collect *t)
{
	size_t last = 0;
	if (t->n_maps || t->sum || t->mean)
		return px->n_pix - 1;
	for (size_t k = 0; k < t->n_rows; k++) {
		const size_t row = t->row ? t->row[k] : k;
		last = row > last ? row : last;
	}
	return last;
}

int hs_collect(const struct hs_pixels *px, const struct hs_collect *t, struct hs_err *err)
{
	const size_t step = px->n_chan * hs_dtype_size(px->signal->dtype), last = last_wanted(px, t);
	size_t n_used = 0, done = 0;
	struct hs_batch batch;
	double *v = hs_alloc(px->n_chan, sizeof *v, err);
	if (!v)
		return -1;
	for (size_t i = 0; i < t->n_image && t->sum; i++)
		t->sum[i] = NAN;
	hs_progress_begin(px->signal->name, px->n_pix, "spectra");
	int verdict = px->source->rewind(px->source, err);
	while (verdict == 0 && done <= last && (verdict = px->source->next(px->source, &batch, err)) == 0 && batch.n_rows) {
		for (size_t i = 0; i < batch.n_rows; i++) {
			to_reals(px->signal, (const char *)batch.x + i * step, v, px->n_chan);
			take_row(px, t, batch.first_row + i, v, batch.skip[i], &n_used);
		}
		done += batch.n_rows;
		hs_progress_add(batch.n_rows);
	}
	hs_progress_end();
	for (size_t c = 0; c < px->n_chan && t->mean; c++)
		t->mean[c] = n_used ? t->mean[c] / (double)n_used : NAN;
	free(v);
	return verdict;
}
