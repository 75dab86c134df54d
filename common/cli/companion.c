#include "cli/companion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* --- variances ---------------------------------------------------------------------------------------------------- */

/* data_errors of the signal itself, in the order of its pixels. */
static int open_errors(struct hs_companion *c, struct hs_run *run, const struct hs_pixels *px, struct hs_err *err)
{
	struct hs_h5 *h5 = hs_in_h5(px->in);
	struct hs_h5_shape shape;
	char *path = hs_must_printf("%s/data_errors", hs_in_path(px->in, px->index));
	const bool there = h5 && hs_h5_kind(h5, path) == HS_H5_DATASET && hs_h5_shape(h5, path, &shape) && shape.class == HS_H5_NUMBER;
	size_t order[HS_MAX_RANK];
	int verdict = 0;
	if (!there)
		verdict = hs_fail(err, HS_USAGE, "%s has no data_errors", hs_in_path(px->in, px->index));
	else if (shape.rank != px->signal->rank || shape.count != hs_signal_count(px->signal))
		verdict = hs_fail(err, HS_BAD_DATA, "%s: data_errors have another shape than the data", hs_in_path(px->in, px->index));
	if (verdict == 0) {
		hs_values_h5(&c->values, h5, path, shape.dtype, shape.rank, shape.n, px->signal->sig_rank);
		memcpy(order, px->nav, px->n_nav * sizeof *order);
		memcpy(order + px->n_nav, px->sig, px->n_sig * sizeof *order);
		hs_values_permute(&c->values, order, px->n_sig);
		const struct hs_rows_options options = { .as = HS_AS_AUTO, .memory = HS_COMPANION_BYTES, .threads = (int)run->common.threads };
		verdict = hs_rows_open(&c->rows, &c->values, &options, err);
	}
	free(path);
	if (verdict == 0)
		c->variances = (struct hs_variances){ .rows = hs_rows_source(c->rows), .deviations = true };
	return verdict;
}

static int open_signal(struct hs_companion *c, struct hs_run *run, const struct hs_pixels *px, struct hs_in *in, size_t i,
	struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(in, i);
	const size_t n = hs_signal_count(s);
	size_t n_pix, n_chan;
	hs_pixels_count(s, &n_pix, &n_chan);
	if (n_pix == px->n_pix && n_chan == px->n_chan) {
		const struct hs_reading reading = { .as = HS_AS_AUTO, .memory = HS_COMPANION_BYTES };
		if (hs_pixels_open(&c->px, run, in, i, &reading, err) < 0)
			return -1;
		c->variances.rows = c->px.source;
		return 0;
	}
	if (n != px->n_chan && n != px->n_pix)
		return hs_fail(err, HS_BAD_DATA, "variances %s: %zu values for %zu spectra of %zu channels", hs_in_path(in, i), n, px->n_pix,
			px->n_chan);
	c->vector = hs_in_read(in, i, err);
	/* as many pixels as channels: a spectrum is told from a map by having no pixel dimension */
	const bool channels = n == px->n_chan && (n != px->n_pix || hs_signal_nav_rank(s) == 0);
	c->variances.channel = channels ? c->vector : NULL;
	c->variances.pixel = channels ? NULL : c->vector;
	return c->vector ? 0 : -1;
}

int hs_companion_open(struct hs_companion *c, struct hs_run *run, const struct hs_pixels *px, const char *name,
	struct hs_err *err)
{
	struct hs_err unknown = { 0 };
	size_t i;
	*c = (struct hs_companion){ 0 };
	int verdict;
	if (!strcmp(name, "errors")) {
		verdict = open_errors(c, run, px, err);
	} else if (hs_in_find(px->in, name, &i, &unknown) == 0) {
		verdict = open_signal(c, run, px, px->in, i, err);
	} else {
		verdict = hs_in_open(&c->in, name, err);
		if (verdict == 0)
			verdict = hs_in_find(c->in, NULL, &i, err);
		if (verdict == 0)
			verdict = open_signal(c, run, px, c->in, i, err);
	}
	if (verdict < 0)
		hs_companion_close(c);
	return verdict;
}

void hs_companion_close(struct hs_companion *c)
{
	hs_rows_close(c->rows);
	hs_values_release(&c->values);
	if (c->px.signal)
		hs_pixels_close(&c->px);
	hs_in_close(c->in);
	free(c->vector);
	*c = (struct hs_companion){ 0 };
}

/* --- an earlier set ----------------------------------------------------------------------------------------------- */

/* How its rows were centred: from the record of the step. */
static int read_record(struct hs_earlier *e, const struct hs_in *in, struct hs_err *err)
{
	const struct hs_step *step = NULL;
	for (size_t i = 0; i < hs_in_n_steps(in); i++)
		if (!strcmp(hs_in_step(in, i)->program, "hspca"))
			step = hs_in_step(in, i);
	if (!step)
		return hs_fail(err, HS_USAGE, "'%s' is no result of hspca", hs_in_name(in));
	const char *centre = "auto";
	for (size_t i = 0; i < step->n_params; i++) {
		const struct hs_param *p = &step->param[i];
		if (!strcmp(p->name, "poisson"))
			e->poisson = p->integer != 0;
		else if (!strcmp(p->name, "centre") && p->text)
			centre = p->text;
		else if ((!strcmp(p->name, "variance") && p->text) || (!strcmp(p->name, "robust") && p->integer))
			return hs_fail(err, HS_USAGE, "components of '%s' are weighted: they cannot be updated", hs_in_name(in));
	}
	e->centre = !strcmp(centre, "both") ? HS_CENTRE_BOTH :
		!strcmp(centre, "none") || (e->poisson && strcmp(centre, "channel")) ? HS_CENTRE_NONE : HS_CENTRE_CHANNEL;
	return 0;
}

/* A result of the step by name, n values expected (0: as many as there are, into *n). */
static double *result(struct hs_in *in, const char *name, size_t *n, struct hs_err *err)
{
	size_t i;
	if (hs_in_find(in, name, &i, err) < 0)
		return NULL;
	const size_t count = hs_signal_count(hs_in_signal(in, i));
	if (*n && count != *n) {
		hs_fail(err, HS_BAD_DATA, "'%s': %s has %zu values for %zu", hs_in_name(in), name, count, *n);
		return NULL;
	}
	*n = count;
	return hs_in_read(in, i, err);
}

/* Loadings as stored become the rows f: in the frame, with their variances. */
static int scale(struct hs_earlier *e, struct hs_in *in, const double *loadings, size_t k, size_t n_chan, struct hs_err *err)
{
	size_t n = 0, i;
	double *ratio = result(in, "variance", &n, err);
	double *value = ratio && hs_in_find(in, "variance", &i, err) == 0 ? hs_in_read_companion(in, i, "eigenvalue", n) : NULL;
	if (!value || n < k) {
		free(ratio);
		free(value);
		return hs_failed(err) ? -1 : hs_fail(err, HS_BAD_DATA, "'%s' lacks the variances of its components", hs_in_name(in));
	}
	const double divisor = (double)e->known.n - (e->centre != HS_CENTRE_NONE && e->known.n > 1);
	double left = ratio[0] > 0 ? value[0] / ratio[0] : 0;
	for (size_t c = 0; c < k; c++) {
		left -= value[c];
		for (size_t j = 0; j < n_chan; j++) {
			const double root = e->poisson ? sqrt(fmax(e->mean[j] * (double)e->known.n, 0)) : 1;
			e->f[c * n_chan + j] = root > 0 ? loadings[c * n_chan + j] / root * sqrt(value[c] * divisor) : 0;
		}
	}
	e->known.lost = fmax(left, 0) * divisor;
	free(ratio);
	free(value);
	return 0;
}

static int read_all(struct hs_earlier *e, struct hs_in *in, size_t n_chan, struct hs_err *err)
{
	size_t n = 0, wide = n_chan;
	double *loadings = result(in, "loadings", &n, err), all = 0;
	if (loadings && n % n_chan) {
		free(loadings);
		return hs_fail(err, HS_BAD_DATA, "'%s' has components of other than %zu channels", hs_in_name(in), n_chan);
	}
	e->mean = loadings ? result(in, "mean", &wide, err) : NULL;
	e->batch = e->mean ? result(in, "spectra_used", &e->n_batches, err) : NULL;
	e->f = e->batch ? hs_alloc(n, sizeof(double), err) : NULL;
	/* counted up to the end of each batch, from 0: the differences are the batches */
	e->n_batches -= e->n_batches ? 1 : 0;
	for (size_t b = 0; e->f && b < e->n_batches; b++)
		e->batch[b] = e->batch[b + 1] - e->batch[b];
	for (size_t b = 0; e->f && b < e->n_batches; b++)
		all += e->batch[b] > 0 && e->batch[b] < 1e15 ? e->batch[b] : 0;
	e->known = (struct hs_tsqr_earlier){ .n = (size_t)all, .k = n / n_chan, .mean = e->mean, .f = e->f };
	int verdict = e->f ? scale(e, in, loadings, n / n_chan, n_chan, err) : -1;
	if (verdict == 0 && all < 1)
		verdict = hs_fail(err, HS_BAD_DATA, "'%s' does not say how many spectra took part", hs_in_name(in));
	free(loadings);
	return verdict;
}

int hs_earlier_read(struct hs_earlier *e, const char *path, size_t n_chan, struct hs_err *err)
{
	struct hs_in *in;
	*e = (struct hs_earlier){ 0 };
	if (hs_in_open(&in, path, err) < 0)
		return -1;
	int verdict = read_record(e, in, err);
	if (verdict == 0)
		verdict = read_all(e, in, n_chan, err);
	hs_in_close(in);
	return verdict;
}

void hs_earlier_release(struct hs_earlier *e)
{
	free(e->batch);
	free(e->mean);
	free(e->f);
	*e = (struct hs_earlier){ 0 };
}
