#include "physics/evidence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "math/par.h"
#include "math/vector.h"

int hs_evidence_weigh(const struct hs_fit *const *fit, size_t n_models, struct hs_evidence *out, struct hs_err *err)
{
	const size_t n = fit[0]->n_rows;
	*out = (struct hs_evidence){ .n_models = n_models, .n_rows = n };
	if (!(out->weight = hs_alloc(n, n_models * sizeof(double), err)) || !(out->best = hs_alloc(n, sizeof(int32_t), err)))
		return -1;
	for (size_t i = 0; i < n; i++) {
		double least = INFINITY, sum = 0, *w = out->weight + i * n_models;
		out->best[i] = -1;
		for (size_t m = 0; m < n_models; m++)
			if (fit[m]->aicc[i] < least) {
				least = fit[m]->aicc[i];
				out->best[i] = (int32_t)m;
			}
		for (size_t m = 0; m < n_models; m++) {
			w[m] = isfinite(fit[m]->aicc[i]) ? exp(-0.5 * (fit[m]->aicc[i] - least)) : 0;
			sum += w[m];
		}
		for (size_t m = 0; m < n_models; m++)
			w[m] = out->best[i] >= 0 ? w[m] / sum : NAN;
		if (out->best[i] >= 0)
			out->n_best[out->best[i]]++;
	}
	return 0;
}

void hs_evidence_release(struct hs_evidence *e)
{
	free(e->weight);
	free(e->best);
	*e = (struct hs_evidence){ 0 };
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double hs_fit_median(const double *value, size_t n)
{
	double *v = hs_must_alloc(n, sizeof *v);
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (isfinite(value[i]))
			v[m++] = value[i];
	qsort(v, m, sizeof *v, by_value);
	const double middle = !m ? (double)NAN : m % 2 ? v[m / 2] : 0.5 * (v[m / 2 - 1] + v[m / 2]);
	free(v);
	return middle;
}

/* ------------------------------------------------------------------ examples */

struct ranked {
	double chi2;
	size_t row;
};

static int worst_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	return x->chi2 != y->chi2 ? (x->chi2 < y->chi2) - (x->chi2 > y->chi2) : (x->row > y->row) - (x->row < y->row);
}

struct gather {
	const struct hs_examples *e;
	bool is_complex;
};

static int gather_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct gather *g = ctx;
	(void)thread;
	for (size_t k = 0; k < g->e->n; k++) {
		const size_t row = g->e->row[k], n = g->e->n_values;
		if (row < block->first_row || row >= block->first_row + block->n_rows)
			continue;
		double *to = g->e->measured + k * n, *x = hs_alloc(block->n_chan, sizeof *x, err);
		if (!x)
			return -1;
		hs_block_row(block, row - block->first_row, false, x);
		for (size_t i = 0; i < n; i++)
			to[i] = g->is_complex ? hypot(x[2 * i], x[2 * i + 1]) : x[i];
		free(x);
	}
	return 0;
}

static int fill_fitted(const struct hs_compound *model, const struct hs_fit *fit, const struct hs_grid *grid,
	struct hs_examples *e,
	struct hs_err *err)
{
	const size_t n = grid->n, width = fit->n_params + fit->n_derived;
	double *y = hs_alloc(2 * n, sizeof *y, err);
	for (size_t k = 0; y && k < e->n; k++) {
		const bool good = hs_fit_model(model, grid, fit->value + e->row[k] * width, y, err);
		for (size_t i = 0; i < n; i++)
			e->fitted[k * n + i] = !good || !isfinite(y[i]) ? (double)NAN : model->is_complex ? hypot(y[i], y[n + i]) : y[i];
	}
	free(y);
	return hs_failed(err) ? -1 : 0;
}

int hs_examples_choose(struct hs_rowsource *rows, const struct hs_compound *model, const struct hs_fit *fit,
	const struct hs_grid *grid,
	size_t n, struct hs_examples *out, struct hs_err *err)
{
	struct ranked *r = hs_alloc(fit->n_rows, sizeof *r, err);
	size_t m = 0;
	*out = (struct hs_examples){ .n_values = grid->n };
	for (size_t i = 0; r && i < fit->n_rows; i++)
		if (isfinite(fit->reduced_chi2[i]))
			r[m++] = (struct ranked){ fit->reduced_chi2[i], i };
	if (r)
		qsort(r, m, sizeof *r, worst_first);
	out->n = m < n ? m : n;
	if (!r || !(out->row = hs_alloc(out->n, sizeof *out->row, err)) ||
		!(out->measured = hs_alloc(out->n * grid->n, sizeof(double), err)) ||
		!(out->fitted = hs_alloc(out->n * grid->n, sizeof(double), err))) {
		free(r);
		return -1;
	}
	struct hs_str text = { 0 };
	for (size_t k = 0; k < out->n; k++) {
		const size_t place = out->n > 1 ? k * (m - 1) / (out->n - 1) : 0;
		out->row[k] = r[place].row;
		const char *which = k + 1 < out->n ? k ? "middle" : "worst" : "best";
		hs_str_addf(&text, "%s%s: pixel %zu, R2 %.3f", k ? "; " : "", which, out->row[k], fit->r2[out->row[k]]);
	}
	out->text = hs_str_take(&text);
	free(r);
	const struct gather g = { out, model->is_complex };
	union { const struct gather *in; void *ctx; } same = { &g };
	if (out->n && hs_rows_each(rows, NULL, gather_block, same.ctx, err) < 0)
		return -1;
	return fill_fitted(model, fit, grid, out, err);
}

void hs_examples_release(struct hs_examples *e)
{
	free(e->row);
	free(e->measured);
	free(e->fitted);
	free(e->text);
	*e = (struct hs_examples){ 0 };
}
