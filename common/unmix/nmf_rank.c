#include "unmix/nmf_rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/match.h"
#include "unmix/nmf_pass.h"
#include "math/vector.h"

enum { SAMPLE_VALUES = 1 << 20, LEAST_ROWS = 64, REPLICATES = 3, STARTS = 5, PATIENCE = 3 };
static const double HIDDEN = 0.1;

/* ------------------------------------------------------------------ the sample */

struct sample {
	const struct hs_nmf_data *data;
	size_t n, p;
	const size_t *number;         /* of its rows among those that take part, ascending */
	double *x;                    /* n x p, missing values NaN */
	uint8_t *gap;                 /* a thread: p */
};

static int sample_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct sample *s = ctx;
	const size_t p = s->p;
	size_t number = s->data->start[block->index], at = 0, high = s->n;
	(void)err;
	while (at < high) {
		const size_t middle = at + (high - at) / 2;
		if (s->number[middle] < number)
			at = middle + 1;
		else
			high = middle;
	}
	for (size_t i = 0; i < block->n_rows && at < s->n; i++) {
		const uint8_t use = s->data->use[block->first_row + i];
		if (use == HS_NMF_OUT)
			continue;
		if (s->number[at] == number++) {
			uint8_t *gap = s->gap + (size_t)thread * p;
			double *x = s->x + at++ * p;
			hs_nmf_row(s->data, block, i, x, use == HS_NMF_GAPS ? gap : NULL);
			for (size_t l = 0; use == HS_NMF_GAPS && l < p; l++)
				x[l] = gap[l] ? (double)NAN : x[l];
		}
	}
	return 0;
}

static size_t sample_rows(size_t n_used, size_t p)
{
	size_t most = SAMPLE_VALUES / p;
	most = most < LEAST_ROWS ? LEAST_ROWS : most;
	return n_used < most ? n_used : most;
}

/* One row of each of n strata of equal size. */
static int take_sample(struct hs_rowsource *rows, const struct hs_nmf_options *o, struct sample *s, struct hs_err *err)
{
	struct hs_nmf_data data = { .rows = rows, .opt = o };
	size_t *number = NULL;
	int verdict = hs_nmf_survey(&data, NULL, false, err);
	*s = (struct sample){ .data = &data, .p = rows->n_chan };
	if (verdict == 0) {
		s->n = sample_rows(data.n_used, s->p);
		number = hs_alloc(s->n, sizeof *number, err);
		s->x = number ? hs_alloc(s->n, s->p * sizeof *s->x, err) : NULL;
		s->gap = s->x ? hs_alloc((size_t)hs_par_threads(), s->p, err) : NULL;
		verdict = s->gap ? 0 : -1;
	}
	for (size_t i = 0; verdict == 0 && i < s->n; i++) {
		struct hs_rng rng;
		const size_t from = i * data.n_used / s->n, to = (i + 1) * data.n_used / s->n;
		hs_rng_init(&rng, o->seed, HS_STREAM_SAMPLE, i);
		number[i] = from + (size_t)hs_rng_below(&rng, to - from);
	}
	s->number = number;
	if (verdict == 0)
		verdict = hs_rows_each(rows, "sample", sample_block, s, err);
	free(number);
	free(s->gap);
	hs_nmf_data_release(&data);
	s->number = NULL;
	s->gap = NULL;
	s->data = NULL;
	return verdict;
}

/* ------------------------------------------------------------------ hidden values */

static void hide(const struct sample *s, uint64_t seed, size_t replicate, double *x)
{
	for (size_t i = 0; i < s->n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_HOLDOUT, replicate * s->n + i);
		for (size_t l = 0; l < s->p; l++)
			x[i * s->p + l] = hs_rng_uniform(&rng) < HIDDEN ? (double)NAN : s->x[i * s->p + l];
	}
}

/* Mean error of the values of s->x that are hidden (or not) in x. */
static double error_of(const struct sample *s, const double *x, const struct hs_nmf *r, bool hidden, bool poisson)
{
	double sum = 0;
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		for (size_t l = 0; l < s->p && isfinite(r->residual[i]); l++) {
			const double v = s->x[i * s->p + l];
			double y = 0;
			if (!isfinite(v) || isnan(x[i * s->p + l]) != hidden)
				continue;
			for (size_t j = 0; j < r->k; j++)
				y += r->w[i * r->k + j] * r->h[j * s->p + l];
			/* a count where the model has none is judged as if it had a hundredth */
			const double floor = fmax(y, 0.01);
			sum += poisson ? 2 * (floor - v + (v > 0 ? v * log(v / floor) : 0)) : (v - y) * (v - y);
			n++;
		}
	return n ? sum / (double)n : (double)NAN;
}

static int fit(const struct sample *s, const double *x, const struct hs_nmf_options *o, struct hs_nmf *r, struct hs_err *err)
{
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, s->n, s->p, NULL, err);
	const int verdict = rows ? hs_nmf(rows, o, r, err) : -1;
	hs_array_rows_free(rows);
	return verdict;
}

static int validate(const struct sample *s, const struct hs_nmf_options *o, double *x, double error[REPLICATES], double *seen,
	struct hs_err *err)
{
	*seen = 0;
	for (size_t replicate = 0; replicate < REPLICATES; replicate++) {
		struct hs_nmf r = { 0 };
		hide(s, o->seed, replicate, x);
		const int verdict = fit(s, x, o, &r, err);
		if (verdict == 0) {
			error[replicate] = error_of(s, x, &r, true, o->loss == HS_NMF_POISSON);
			*seen += error_of(s, x, &r, false, o->loss == HS_NMF_POISSON) / REPLICATES;
		}
		hs_nmf_release(&r);
		if (verdict < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------ repeated starts */

static int likeness(const double *a, const double *b, size_t k, size_t p, ptrdiff_t *to, double *angle, double *least,
	struct hs_err *err)
{
	*least = 1;
	if (hs_match_spectra(a, k, b, k, p, false, to, angle, err) < 0)
		return -1;
	for (size_t j = 0; j < k; j++) {
		const double c = isnan(angle[j]) ? 0 : cos(angle[j]);
		*least = c < *least ? c : *least;
	}
	return 0;
}

static int stability(const struct sample *s, const struct hs_nmf_options *o, double *stable, struct hs_err *err)
{
	const size_t k = o->k, p = s->p;
	double *h = hs_alloc(STARTS * k, p * sizeof *h, err), *angle = h ? hs_alloc(k, sizeof *angle, err) : NULL;
	ptrdiff_t *to = angle ? hs_alloc(k, sizeof *to, err) : NULL;
	int verdict = to ? 0 : -1;
	for (size_t i = 0; i < STARTS && verdict == 0; i++) {
		struct hs_nmf_options random = *o;
		struct hs_nmf r = { 0 };
		random.start = HS_NMF_RANDOM;
		random.restarts = 1;
		random.seed = o->seed + i;
		verdict = fit(s, s->x, &random, &r, err);
		if (verdict == 0)
			memcpy(h + i * k * p, r.h, k * p * sizeof *h);
		hs_nmf_release(&r);
	}
	double sum = 0, least;
	for (size_t i = 0; i < STARTS && verdict == 0; i++)
		for (size_t j = i + 1; j < STARTS && verdict == 0; j++) {
			verdict = likeness(h + i * k * p, h + j * k * p, k, p, to, angle, &least, err);
			sum += least;
		}
	*stable = sum / (STARTS * (STARTS - 1) / 2);
	free(h);
	free(angle);
	free(to);
	return verdict;
}

/* ------------------------------------------------------------------ the choice */

/* errors: n x REPLICATES. Mean and standard error of the difference of row i to row `least`. */
static void difference(const double *errors, size_t i, size_t least, double *mean, double *standard_error)
{
	double d[REPLICATES], sum = 0, square = 0;
	for (size_t r = 0; r < REPLICATES; r++)
		sum += d[r] = errors[i * REPLICATES + r] - errors[least * REPLICATES + r];
	*mean = sum / REPLICATES;
	for (size_t r = 0; r < REPLICATES; r++)
		square += (d[r] - *mean) * (d[r] - *mean);
	*standard_error = sqrt(square / (REPLICATES - 1) / REPLICATES);
}

static void decide(struct hs_nmf_ranks *t, const double *errors)
{
	size_t least = 0;
	for (size_t i = 1; i < t->n; i++)
		if (t->row[i].error < t->row[least].error)
			least = i;
	t->best = least;
	for (size_t i = t->n; i-- > 0;) {
		double mean;
		difference(errors, i, least, &mean, &t->row[i].beyond);
		if (i < least && mean <= t->row[i].beyond)
			t->best = i;
	}
}

static int try_all(const struct sample *s, size_t k_max, const struct hs_nmf_options *opt, double *x, double *errors,
	struct hs_nmf_ranks *t, struct hs_err *err)
{
	struct hs_nmf_options o = *opt;
	size_t worse = 0, least = 0;
	o.mask = NULL;
	o.has_fill = false;
	o.lean = false;
	o.spectra = NULL;
	o.restarts = opt->restarts < 2 ? opt->restarts : 2;
	o.max_iter = opt->max_iter < 200 ? opt->max_iter : 200;
	o.tol = opt->tol > 1e-4 ? opt->tol : 1e-4;
	for (size_t k = 1; k <= k_max && worse < PATIENCE; k++) {
		struct hs_nmf_rank_row *row = &t->row[t->n];
		*row = (struct hs_nmf_rank_row){ .k = o.k = k };
		if (k > 1 && opt->stop && opt->stop(opt->stop_ctx)) {
			t->stopped = true;
			break;
		}
		if (validate(s, &o, x, errors + t->n * REPLICATES, &row->fit, err) < 0 || stability(s, &o, &row->stability, err) < 0)
			return -1;
		for (size_t r = 0; r < REPLICATES; r++)
			row->error += errors[t->n * REPLICATES + r] / REPLICATES;
		least = row->error < t->row[least].error ? t->n : least;
		worse = t->n - least;
		t->n++;
	}
	t->at_edge = t->n && least + 1 == t->n && t->row[least].k == k_max && k_max > 1;
	return 0;
}

int hs_nmf_choose(struct hs_rowsource *rows, size_t k_max, const struct hs_nmf_options *opt, struct hs_nmf_ranks *table,
	struct hs_err *err)
{
	struct sample s;
	*table = (struct hs_nmf_ranks){ 0 };
	int verdict = take_sample(rows, opt, &s, err);
	const size_t most = s.n < s.p ? s.n : s.p, last = k_max < most ? k_max : most ? most : 1;
	double *x = verdict == 0 ? hs_alloc(s.n, s.p * sizeof *x, err) : NULL,
	       *errors = x ? hs_alloc(last, REPLICATES * sizeof *errors, err) : NULL;
	table->row = errors ? hs_alloc(last, sizeof *table->row, err) : NULL;
	table->n_sample = s.n;
	verdict = table->row ? try_all(&s, last, opt, x, errors, table, err) : -1;
	if (verdict == 0)
		decide(table, errors);
	free(s.x);
	free(x);
	free(errors);
	return verdict;
}

void hs_nmf_ranks_release(struct hs_nmf_ranks *table)
{
	free(table->row);
	*table = (struct hs_nmf_ranks){ 0 };
}

size_t hs_nmf_choose_bytes(size_t n_rows, size_t n_chan, size_t k_max, const struct hs_nmf_options *opt, int threads)
{
	struct hs_nmf_options o = *opt;
	const size_t n = sample_rows(n_rows, n_chan);
	o.k = k_max;
	o.lean = false;
	return n_rows + n * sizeof(size_t) + 2 * n * n_chan * sizeof(double) + STARTS * k_max * n_chan * sizeof(double)
		+ 4 * hs_block_rows(n_chan) * n_chan * sizeof(double) + hs_nmf_bytes(n, n_chan, &o, threads);
}
