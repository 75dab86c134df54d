#include "cli/factors.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

enum { STRIP = 4096 };          /* rows turned into float32 at a time */

struct destination {
	struct hs_sink *sink;
	size_t width;                 /* values of a row */
};

static int beyond_float32(struct hs_err *err)
{
	return hs_fail(err, HS_BAD_DATA, "results are beyond float32 (3.4e38): divide the values by their magnitude first");
}

static int put_rows(void *to, size_t first_row, size_t n_rows, const float *values, struct hs_err *err)
{
	const struct destination *d = to;
	(void)first_row;
	for (size_t i = 0; i < n_rows * d->width; i++)
		if (isinf(values[i]))         /* skipped rows are NaN; an infinity is ours */
			return beyond_float32(err);
	return hs_out_put(d->sink, values, n_rows, err);
}

static int put_array(const double *value, size_t n_rows, struct destination *d, struct hs_err *err)
{
	float *strip = hs_alloc(STRIP * d->width, sizeof *strip, err);
	int verdict = strip ? 0 : -1;
	for (size_t first = 0; first < n_rows && verdict == 0; first += STRIP) {
		const size_t n = n_rows - first < STRIP ? n_rows - first : STRIP;
		for (size_t i = 0; i < n * d->width; i++)
			strip[i] = (float)value[first * d->width + i];
		verdict = put_rows(d, first, n, strip, err);
	}
	free(strip);
	return verdict;
}

int hs_factors_stream(struct hs_out *out, enum hs_out_place place, const struct hs_signal *s, bool components_first,
	const struct hs_extras *extras, const struct hs_factor_rows *rows, size_t n_rows, struct hs_err *err)
{
	struct destination to = { .width = hs_signal_count(s) / n_rows };
	if (hs_out_stream(out, place, s, components_first, extras, &to.sink, err) < 0)
		return -1;
	if (rows->value)
		put_array(rows->value, n_rows, &to, err);
	else
		rows->pass(rows->ctx, put_rows, &to, err);
	return hs_out_end_stream(out, to.sink, err);
}

static int put_maps(struct hs_out *out, const struct hs_pixels *px, const struct hs_factors *f, struct hs_err *err)
{
	double *sigma = f->map_sigma ? hs_alloc(px->n_pix * f->k, sizeof *sigma, err) : NULL;
	if (f->map_sigma && !sigma)
		return -1;
	for (size_t i = 0; sigma && i < px->n_pix; i++)
		for (size_t k = 0; k < f->k; k++)
			sigma[k * px->n_pix + i] = f->map_sigma[i * f->k + k];
	const struct hs_extras extras = { .errors = sigma, .comment = f->map_comment };
	struct hs_signal s;
	hs_pixels_maps(px, &s, f->maps, f->map_quantity, f->map_units, HS_F32, f->component, f->k);
	const int verdict = hs_factors_stream(out, HS_AT_STEP, &s, true, &extras, &f->map, px->n_pix, err);
	hs_signal_release(&s);
	free(sigma);
	return verdict;
}

static int put_spectra(struct hs_out *out, const struct hs_pixels *px, const struct hs_factors *f, struct hs_err *err)
{
	const struct hs_extras extras = { .errors = f->spectrum_sigma, .comment = f->spectrum_comment };
	struct hs_signal s;
	hs_pixels_spectra(px, &s, f->spectra, f->spectrum_quantity, f->spectrum_units, HS_F64, f->component, f->k);
	return hs_session_put(out, &s, f->spectrum, &extras, err);
}

static int put_mean(struct hs_out *out, const struct hs_pixels *px, const struct hs_factors *f, struct hs_err *err)
{
	struct hs_signal s;
	hs_pixels_spectrum(px, &s, "mean", px->signal->quantity, px->signal->units, HS_F64);
	return hs_session_put(out, &s, f->mean, NULL, err);
}

static int put_residual(struct hs_out *out, const struct hs_pixels *px, const struct hs_factors *f, struct hs_err *err)
{
	static const struct hs_extras comment = { .comment = "root mean square over channels of data minus model" };
	float *v = hs_alloc(px->n_pix, sizeof *v, err);
	struct hs_signal s;
	if (!v)
		return -1;
	for (size_t i = 0; i < px->n_pix; i++) {
		v[i] = (float)f->residual[i];
		if (isinf(v[i])) {
			free(v);
			return beyond_float32(err);
		}
	}
	hs_pixels_map(px, &s, "residual", "residual", px->signal->units, HS_F32);
	const int verdict = hs_session_put(out, &s, v, &comment, err);
	free(v);
	return verdict;
}

static int put_trace(struct hs_out *out, const struct hs_pixels *px, const struct hs_factors *f, struct hs_err *err)
{
	struct hs_signal s;
	hs_pixels_series(px, &s, "convergence", f->objective, f->objective_units, HS_F64, "iteration", f->n_iter);
	s.log_scale = true;
	return hs_session_put(out, &s, f->trace, NULL, err);
}

int hs_factors_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_factors *f, struct hs_err *err)
{
	if (((f->map.value || f->map.pass) && put_maps(out, px, f, err) < 0) || (f->spectrum && put_spectra(out, px, f, err) < 0) ||
		(f->mean && put_mean(out, px, f, err) < 0) || (f->residual && put_residual(out, px, f, err) < 0))
		return -1;
	return f->trace && f->n_iter ? put_trace(out, px, f, err) : 0;
}
