#include "unmix/unmix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/frame.h"

/* What both halves need to know about rows and channels. */
struct terms {
	double *weight;               /* n_chan, or NULL */
	double row_sum;               /* 0: rows as they are */
};

/* --- endmembers --------------------------------------------------------------------------------------------------- */

static int take_library(const struct hs_unmix_options *o, struct hs_unmixed *out, struct hs_err *err)
{
	size_t values;
	out->k = o->n_library;
	if (!out->k)
		return hs_fail(err, HS_USAGE, "a library of no spectra");
	if (!hs_mul(out->k, out->n_chan, &values))
		return hs_fail(err, HS_BAD_DATA, "%zu spectra of %zu channels are too many", out->k, out->n_chan);
	out->spectrum = hs_alloc(values, sizeof(double), err);
	if (out->spectrum)
		memcpy(out->spectrum, o->library, values * sizeof(double));
	return out->spectrum ? 0 : -1;
}

static int search(struct hs_rowsource *rows, const struct hs_unmix_options *o, struct hs_unmixed *out, struct hs_err *err)
{
	out->found = true;
	if (hs_endmembers_find(rows, &o->search, &out->em, err) < 0)
		return -1;
	out->k = out->em.k;
	out->spectrum = out->em.spectrum;
	out->em.spectrum = NULL;
	return 0;
}

/* Rows go to one sum, where asked: that of the search, or 1, to which library spectra are then brought too. */
static void level_sums(const struct hs_unmix_options *o, struct hs_unmixed *out, struct terms *t)
{
	if (!o->search.unit_sum)
		return;
	for (size_t c = 0; c < out->n_chan && out->found; c++)
		t->row_sum += out->em.mean[c];
	for (size_t j = 0; j < out->k && !out->found; j++) {
		double *e = out->spectrum + j * out->n_chan, sum = 0;
		t->row_sum = 1;
		for (size_t c = 0; c < out->n_chan; c++)
			sum += e[c];
		for (size_t c = 0; sum > 0 && c < out->n_chan; c++)
			e[c] /= sum;
	}
}

/* Counts: channels divided by the root of their mean have equal noise. Empty ones do not count. */
static int weigh_channels(struct hs_rowsource *rows, const struct hs_unmixed *out, struct terms *t, struct hs_err *err)
{
	struct hs_survey survey = { 0 };
	const struct hs_moments_options plain = { .centre = HS_CENTRE_CHANNEL };
	int verdict = out->found ? 0 : hs_survey_init(&survey, rows, &plain, err);
	t->weight = verdict == 0 ? hs_alloc(out->n_chan, sizeof *t->weight, err) : NULL;
	const double *mean = out->found ? out->em.mean : survey.frame.mean;
	for (size_t c = 0; t->weight && c < out->n_chan; c++)
		t->weight[c] = mean[c] > 0 ? 1 / sqrt(mean[c]) : 0;
	hs_survey_release(&survey);
	return t->weight ? 0 : -1;
}

static void rescale(struct hs_unmixed *out, enum hs_unmix_scale scale)
{
	for (size_t j = 0; j < out->k && scale != HS_UNMIX_AS_IS; j++) {
		double *e = out->spectrum + j * out->n_chan, size = 0;
		for (size_t c = 0; c < out->n_chan; c++)
			size = scale == HS_UNMIX_SUM ? size + e[c] : fmax(size, e[c]);
		for (size_t c = 0; size > 0 && c < out->n_chan; c++)
			e[c] /= size;
	}
}

/* --- abundances --------------------------------------------------------------------------------------------------- */

struct store {
	double *abundance;
	size_t k;
};

static int keep(void *to, size_t first_row, size_t n_rows, const float *values, struct hs_err *err)
{
	(void)err;
	const struct store *s = to;
	for (size_t i = 0; i < n_rows * s->k; i++)
		s->abundance[first_row * s->k + i] = (double)values[i];
	return 0;
}

static int solve(struct hs_rowsource *rows, const struct hs_unmix_options *options, const struct terms *t, struct hs_unmixed *out,
	struct hs_err *err)
{
	const struct hs_abundance_options o = { .method = (enum hs_abundance_method)options->abundances, .weight = t->weight,
		.lambda = options->lambda, .row_sum = t->row_sum };
	struct hs_abundance solver;
	size_t values;
	if (!hs_mul(out->n_rows, out->k, &values))
		return hs_fail(err, HS_BAD_DATA, "%zu rows of %zu abundances are too many", out->n_rows, out->k);
	out->abundance = hs_alloc(values, sizeof(double), err);
	out->residual = out->abundance ? hs_alloc(out->n_rows, sizeof(double), err) : NULL;
	out->mean = out->residual ? hs_alloc(out->k, sizeof(double), err) : NULL;
	if (!out->mean)
		return -1;
	struct store store = { out->abundance, out->k };
	struct hs_abundance_sums sums = { .residual = out->residual, .mean = out->mean };
	int verdict = hs_abundance_init(&solver, out->spectrum, out->k, out->n_chan, &o, err);
	if (verdict == 0)
		verdict = hs_abundance_rows(&solver, rows, keep, &store, &sums, err);
	hs_abundance_release(&solver);
	out->rms = sums.rms;
	out->n_used = sums.n_used;
	out->n_unsolved = sums.n_unsolved;
	if (verdict == 0 && !sums.n_used)
		return hs_fail(err, HS_BAD_DATA, "no usable spectrum: all %zu are masked or hold values that are not finite", out->n_rows);
	return verdict;
}

/* Endmembers with values below zero, beyond what noise does, are no intensities: then nothing of the kind is asked of them. */
static bool not_negative(const struct hs_unmixed *u)
{
	for (size_t i = 0; i < u->k * u->n_chan; i++)
		if (u->spectrum[i] < -3 * u->em.noise[i % u->n_chan])
			return false;
	return true;
}

static struct hs_blu_options how_to_sample(const struct hs_unmix_options *o)
{
	struct hs_blu_options b = hs_blu_defaults();
	b.n_keep = o->samples;
	b.n_burn = o->samples / 5;
	b.fixed = o->library || !o->sample_endmembers;
	b.seed = o->search.seed;
	b.stop = o->search.stop;
	b.stop_ctx = o->search.stop_ctx;
	return b;
}

static int sample(struct hs_rowsource *rows, const struct hs_unmix_options *options, const struct terms *t,
	struct hs_unmixed *out, struct hs_err *err)
{
	struct hs_blu_options o = how_to_sample(options);
	struct hs_blu b;
	o.weight = t->weight;
	o.row_sum = t->row_sum;
	if (!o.fixed) {
		o.mean = out->em.mean;
		o.axes = out->em.axes;
		o.nonnegative = not_negative(out);
	}
	const int verdict = hs_blu(rows, out->spectrum, out->k, &o, &b, err);
	if (verdict < 0) {
		hs_blu_release(&b);
		return -1;
	}
	free(out->spectrum);
	out->spectrum = b.spectrum;
	out->spectrum_sd = b.spectrum_sd;
	out->abundance = b.mean;
	out->abundance_sd = b.sd;
	out->low = b.low;
	out->high = b.high;
	out->residual = b.residual;
	out->mean = b.total;
	out->rms = b.rms;
	out->n_used = b.n_used;
	out->rhat = b.rhat;
	out->ess = b.ess;
	out->endmember_rhat = b.endmember_rhat;
	out->stopped = b.stopped;
	return 0;
}

/* --- one order ---------------------------------------------------------------------------------------------------- */

/* Row j of v (k x n) becomes row from[j] of what it was; likewise columns, for n rows of k. */
static int reorder(double *v, size_t k, size_t n, bool columns, const size_t *from, struct hs_err *err)
{
	if (!v)
		return 0;
	double *old = hs_alloc(columns ? k : k * n, sizeof *old, err);
	if (!old)
		return -1;
	if (!columns)
		memcpy(old, v, k * n * sizeof *old);
	for (size_t j = 0; j < k && !columns; j++)
		memcpy(v + j * n, old + from[j] * n, n * sizeof *old);
	for (size_t i = 0; i < n && columns; i++) {
		memcpy(old, v + i * k, k * sizeof *old);
		for (size_t j = 0; j < k; j++)
			v[i * k + j] = old[from[j]];
	}
	free(old);
	return 0;
}

static int put_in_order(struct hs_unmixed *u, struct hs_err *err)
{
	const size_t k = u->k, n = u->n_rows, p = u->n_chan;
	u->from = hs_alloc(k, sizeof *u->from, err);
	if (!u->from)
		return -1;
	for (size_t j = 0; j < k; j++) {
		size_t at = j;
		for (; u->found && at > 0 && u->mean[u->from[at - 1]] < u->mean[j]; at--)
			u->from[at] = u->from[at - 1];
		u->from[at] = j;
	}
	if (reorder(u->mean, k, 1, false, u->from, err) < 0 || reorder(u->spectrum, k, p, false, u->from, err) < 0 ||
		reorder(u->spectrum_sd, k, p, false, u->from, err) < 0 || reorder(u->abundance, k, n, true, u->from, err) < 0 ||
		reorder(u->abundance_sd, k, n, true, u->from, err) < 0 || reorder(u->low, k, n, true, u->from, err) < 0)
		return -1;
	return reorder(u->high, k, n, true, u->from, err);
}

/* --- the story ---------------------------------------------------------------------------------------------------- */

static int work(struct hs_rowsource *rows, const struct hs_unmix_options *o, struct terms *t, struct hs_unmixed *out,
	struct hs_err *err)
{
	if ((o->library ? take_library(o, out, err) : search(rows, o, out, err)) < 0)
		return -1;
	level_sums(o, out, t);
	if (o->search.poisson && weigh_channels(rows, out, t, err) < 0)
		return -1;
	rescale(out, o->scale);
	if ((o->abundances == HS_UNMIX_BAYES ? sample(rows, o, t, out, err) : solve(rows, o, t, out, err)) < 0)
		return -1;
	return put_in_order(out, err);
}

int hs_unmix(struct hs_rowsource *rows, const struct hs_unmix_options *o, struct hs_unmixed *out, struct hs_err *err)
{
	struct terms t = { 0 };
	*out = (struct hs_unmixed){ .n_rows = rows->n_rows, .n_chan = rows->n_chan, .rhat = (double)NAN, .ess = (double)NAN,
		.endmember_rhat = (double)NAN };
	if (o->scale != HS_UNMIX_AS_IS && (o->abundances == HS_UNMIX_FCLS || o->abundances == HS_UNMIX_BAYES))
		return hs_fail(err, HS_USAGE, "abundances that sum to one want endmembers as they are in the data");
	const int verdict = work(rows, o, &t, out, err);
	free(t.weight);
	return verdict;
}

void hs_unmixed_release(struct hs_unmixed *out)
{
	double *owned[] = { out->spectrum, out->spectrum_sd, out->abundance, out->abundance_sd, out->low, out->high, out->residual,
		out->mean };
	for (size_t i = 0; i < HS_LEN(owned); i++)
		free(owned[i]);
	free(out->from);
	hs_endmembers_release(&out->em);
	*out = (struct hs_unmixed){ 0 };
}

size_t hs_unmix_bytes(size_t n_rows, size_t n_chan, const struct hs_unmix_options *o, int threads)
{
	const size_t k = o->library || o->n_library ? o->n_library : o->search.k ? o->search.k : HS_ENDMEMBERS_MOST;
	const struct hs_blu_options b = how_to_sample(o);
	const size_t before = o->n_library ? 0 : hs_endmembers_bytes(n_rows, n_chan, &o->search, threads),
		     spectra = (2 * k + 3) * n_chan * sizeof(double), survey = hs_survey_bytes(n_chan, threads),
		     after = o->abundances == HS_UNMIX_BAYES ? hs_blu_bytes(n_rows, n_chan, k, &b, threads) :
			     n_rows * (k + 1) * sizeof(double) + hs_abundance_bytes(n_chan, k, threads);
	return spectra + (before > after + survey ? before : after + survey);
}
