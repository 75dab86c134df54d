/* How it works. One thread has one bench: a workspace for the descent and the arrays for one spectrum. A pixel is brought from
 * its row to an outcome there; what is kept of it is written at its place. */
#include "physics/descent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/moments.h"
#include "math/par.h"
#include "math/vector.h"

enum { STRIP = 32 };
#define OUTLYING 6.0

/* ------------------------------------------------------------------ what is reported */

const char *hs_fit_name(const struct hs_compound *c, size_t i, const char **what)
{
	const bool own = i < c->n_params;
	if (what)
		*what = own ? c->param[i].spec->what : c->derived[i - c->n_params].spec->what;
	return own ? c->param[i].name : c->derived[i - c->n_params].name;
}

char *hs_fit_unit(const struct hs_compound *c, size_t i, const char *x_unit, const char *y_unit)
{
	if (i < c->n_params)
		return hs_unit_of(c->param[i].spec->unit_of, c->param[i].spec->unit, x_unit, y_unit);
	const struct hs_derived_spec *spec = c->derived[i - c->n_params].spec;
	return hs_unit_of(spec->unit_of, spec->unit, x_unit, y_unit);
}

/* Row into the order of the fit; complex rows alternate. */
static void take_row(const struct hs_fit_job *j, const struct hs_block *block, size_t i, struct hs_fit_bench *b)
{
	const size_t n = j->o->grid.n;
	if (!j->o->model->is_complex) {
		hs_block_row(block, i, false, b->y);
		return;
	}
	hs_block_row(block, i, false, b->row);
	for (size_t e = 0; e < n; e++) {
		b->y[e] = b->row[2 * e];
		b->y[n + e] = b->row[2 * e + 1];
	}
}

/* ------------------------------------------------------------------ keeping it */

/* jacobian (rows x k) times cov (k x k) times its transpose: diagonal into variance, lower triangle into triangle when wanted. */
static void propagate(const double *jacobian, size_t rows, size_t k, const double *cov, double *work, double *variance,
	float *triangle)
{
	for (size_t a = 0; a < rows; a++)
		for (size_t e = 0; e < k; e++) {
			double s = 0;
			for (size_t f = 0; f < k; f++)
				s += jacobian[a * k + f] * cov[f * k + e];
			work[a * k + e] = s;
		}
	for (size_t a = 0; a < rows; a++)
		for (size_t e = 0; e <= a; e++) {
			double s = 0;
			for (size_t f = 0; f < k; f++)
				s += work[a * k + f] * jacobian[e * k + f];
			if (a == e)
				variance[a] = s;
			if (triangle)
				triangle[a * (a + 1) / 2 + e] = (float)s;
		}
}

/* Reported parameters, what is derived, and their derivatives by the fitted parameters: rows of n_fit. */
static void report(const struct hs_fit_job *j, const double *p, double *value, double *jacobian)
{
	const struct hs_compound *c = j->o->model;
	const size_t k = j->n_fit;
	size_t derived = c->n_params;
	memset(jacobian, 0, (c->n_params + j->fit->n_derived) * k * sizeof *jacobian);
	double by_own[HS_COMPOUND_MOST][HS_COMPOUND_MOST];    /* d p_i / d fitted */
	for (size_t i = 0; i < c->n_params; i++)
		memset(by_own[i], 0, k * sizeof by_own[i][0]);
	for (size_t i = 0; i < k; i++)
		by_own[j->place[i]][i] = 1;
	for (size_t i = 0; i < c->n_params; i++)
		for (size_t e = 0; c->param[i].tied && e < k; e++)
			by_own[i][e] = c->param[i].factor * by_own[c->param[i].to][e];
	for (size_t t = 0; t < c->n_terms; t++) {
		const struct hs_term *term = &c->term[t];
		const struct hs_model *m = term->model;
		const size_t n = m->n_params;
		double dq[HS_MODEL_MOST * HS_MODEL_MOST] = { 0 }, dd[HS_MODEL_MOST * HS_MODEL_MOST] = { 0 };
		for (size_t a = 0; a < n; a++)
			dq[a * n + a] = 1;
		if (m->physical)
			m->physical(&j->o->grid, p + term->first, value + term->first, dq);
		else
			memcpy(value + term->first, p + term->first, n * sizeof *value);
		for (size_t a = 0; a < n; a++)
			for (size_t e = 0; e < k; e++)
				for (size_t b = 0; b < n; b++)
					jacobian[(term->first + a) * k + e] += dq[a * n + b] * by_own[term->first + b][e];
		if (!m->n_derived)
			continue;
		m->derive(&j->o->grid, value + term->first, value + derived, dd);
		for (size_t a = 0; a < m->n_derived; a++)
			for (size_t e = 0; e < k; e++)
				for (size_t b = 0; b < n; b++)
					jacobian[(derived + a) * k + e] += dd[a * n + b] * jacobian[(term->first + b) * k + e];
		derived += m->n_derived;
	}
}

/* Total sum of squares about the mean, over points with weight. */
static double spread_of(const struct hs_fit_job *j, const double *y)
{
	double sum = 0, n = 0, about = 0;
	if (j->o->model->is_complex && !j->o->weight)
		return hs_dot(y, y, j->n_values);
	for (size_t i = 0; i < j->n_values; i++)
		if (hs_fit_counts(j, i)) {
			sum += y[i];
			n++;
		}
	const double mean = j->o->model->is_complex ? 0 : sum / n;
	for (size_t i = 0; i < j->n_values; i++)
		if (hs_fit_counts(j, i))
			about += (y[i] - mean) * (y[i] - mean);
	return about;
}

/* What rounding leaves of a spectrum that the model meets exactly: without it the criteria would be minus infinity. */
static double rounding_of(const struct hs_fit_job *j, const double *y)
{
	double size = 0;
	if (!j->o->weight)
		return 0x1p-92 * hs_dot(y, y, j->n_values);
	for (size_t i = 0; i < j->n_values; i++)
		if (hs_fit_counts(j, i))
			size += (j->o->weight ? j->o->weight[i % j->o->grid.n] : 1) * y[i] * y[i];
	return 0x1p-92 * size;
}

static void judge(const struct hs_fit_job *j, const struct hs_fit_end *out, const double *y, size_t row)
{
	struct hs_fit *f = j->fit;
	const bool known = j->o->noise != HS_FIT_EQUAL;
	const double n = (double)out->lm.n_data, k = (double)out->lm.n_free + (known ? 0 : 1), rest = n - (double)out->lm.n_free,
		     least = known ? 0 : fmax(out->lm.cost, rounding_of(j, y)), surprise = known ? out->lm.cost : n * log(least / n),
		     total = spread_of(j, y);
	const bool judged = known || least > 0;
	f->reduced_chi2[row] = rest > 0 ? out->lm.cost / rest : NAN;
	f->r2[row] = total > 0 ? 1 - out->lm.squares / total : NAN;
	f->aicc[row] = judged && n - k - 1 > 0 ? surprise + 2 * k + 2 * k * (k + 1) / (n - k - 1) : NAN;
	f->bic[row] = judged ? surprise + k * log(n) : NAN;
}

static void keep(const struct hs_fit_job *j, struct hs_fit_bench *b, const struct hs_fit_end *out, size_t row)
{
	struct hs_fit *f = j->fit;
	const size_t width = f->n_params + f->n_derived, triangle = f->n_params * (f->n_params + 1) / 2;
	double *value = f->value + row * width, *sigma = f->sigma + row * width;
	f->status[row] = (uint8_t)out->status;
	f->n_iter[row] = (uint16_t)(out->lm.n_iter > UINT16_MAX ? UINT16_MAX : out->lm.n_iter);
	j->merit[row] = INFINITY;
	if (out->status == HS_FIT_NO_START || out->status == HS_FIT_SKIPPED || out->status == HS_FIT_UNDONE) {
		for (size_t i = 0; i < width; i++)
			value[i] = sigma[i] = NAN;
		for (size_t i = 0; f->covariance && i < triangle; i++)
			f->covariance[row * triangle + i] = NAN;
		f->reduced_chi2[row] = f->r2[row] = f->aicc[row] = f->bic[row] = NAN;
		return;
	}
	if (isfinite(out->merit))
		j->merit[row] = out->merit;
	double *jacobian = b->work, *work = jacobian + width * j->n_fit;
	report(j, out->p, value, jacobian);
	for (size_t i = 0; i < j->n_fit * j->n_fit; i++)
		b->cov[i] = out->cov[i] * out->scale;
	propagate(jacobian, width, j->n_fit, b->cov, work, sigma, NULL);
	if (f->covariance)
		propagate(jacobian, f->n_params, j->n_fit, b->cov, work, sigma, f->covariance + row * triangle);
	for (size_t i = 0; i < width; i++)
		sigma[i] = sqrt(sigma[i]);
	judge(j, out, b->y, row);
}

/* ------------------------------------------------------------------ passes */

/* Lower is better; what has no answer is worst. */
static double rank_of(const struct hs_fit_end *out)
{
	return out->status == HS_FIT_NO_START || !isfinite(out->merit) ? INFINITY : out->merit;
}

/* From the ends of the (up to) four neighbours that fitted best; kept when it is better than before. */
static bool fit_again(const struct hs_fit_job *j, struct hs_fit_bench *b, size_t row, struct hs_fit_end *out)
{
	const struct hs_fit_options *o = j->o;
	const struct hs_fit *f = j->fit;
	const size_t width = f->n_params + f->n_derived, y = row / o->n_x, x = row % o->n_x;
	double best = j->merit[row], hold[HS_COMPOUND_MOST];
	bool better = false;
	if (f->status[row] == HS_FIT_NO_START && !hs_fit_guess(j, b, hold))
		return false;                 /* a flat spectrum stays without an answer, whatever is beside it */
	const size_t near[] = { y ? row - o->n_x : row, y + 1 < o->n_y ? row + o->n_x : row, x ? row - 1 : row, x + 1 < o->n_x ?
		row + 1 : row };
	for (size_t i = 0; i < HS_LEN(near); i++) {
		struct hs_fit_end attempt;
		if (near[i] == row || !hs_fit_take_start(j, j->before + near[i] * width, attempt.p))
			continue;
		hs_fit_descend(j, b, &attempt);
		if (rank_of(&attempt) < best * (1 - 1e-10)) {
			best = attempt.merit;
			*out = attempt;
			better = true;
		}
	}
	return better;
}

static void fit_row(const struct hs_fit_job *j, struct hs_fit_bench *b, const struct hs_block *block, size_t i, bool late)
{
	const size_t row = block->first_row + i;
	struct hs_fit_end out;
	if (j->again && (!j->again[row] || late))
		return;
	if (block->skip[i] || late) {
		out.status = block->skip[i] ? HS_FIT_SKIPPED : HS_FIT_UNDONE;
		out.lm = (struct hs_lm_fit){ 0 };
		keep(j, b, &out, row);
		return;
	}
	take_row(j, block, i, b);
	if (!j->again) {
		hs_fit_first(j, b, row, &out);
		keep(j, b, &out, row);
	} else if (fit_again(j, b, row, &out)) {
		keep(j, b, &out, row);
	}
}

/* A spectrum is work enough: threads share out strips of rows, not blocks, and the clock is looked at before each. */
static int fit_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	const struct hs_fit_job *j = ctx;
	for (size_t k = 0; k < n_blocks; k++) {
		const size_t n_strips = (block[k].n_rows + STRIP - 1) / STRIP;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads()) if (n_strips > 1)
		for (size_t s = 0; s < n_strips; s++) {
			const bool late = j->o->stop && j->o->stop(j->o->stop_ctx);
			for (size_t i = s * STRIP; i < (s + 1) * STRIP && i < block[k].n_rows; i++)
				fit_row(j, &j->bench[hs_par_thread()], &block[k], i, late);
		}
	}
	return 0;
}

/* Rows that a sweep should do again; returns how many. */
static size_t choose_again(const struct hs_fit *f, uint8_t *again, struct hs_err *err)
{
	double *v = hs_alloc(f->n_rows, sizeof *v, err);
	size_t n = 0, chosen = 0;
	if (!v)
		return 0;
	for (size_t i = 0; i < f->n_rows; i++)
		if (isfinite(f->reduced_chi2[i]))
			v[n++] = f->reduced_chi2[i];
	const double middle = hs_fit_middle(v, n);
	for (size_t i = 0; i < n; i++)
		v[i] = fabs(v[i] - middle);
	const double limit = middle + OUTLYING * hs_fit_middle(v, n);
	for (size_t i = 0; i < f->n_rows; i++) {
		const uint8_t s = f->status[i];
		again[i] = s != HS_FIT_SKIPPED && s != HS_FIT_UNDONE && (s != HS_FIT_CONVERGED || f->reduced_chi2[i] > limit);
		chosen += again[i];
	}
	free(v);
	return chosen;
}

/* Rows that were done in the sweep before and whose neighbours have not changed in it would end as they did: they are left out.
 * Returns how many stay. */
static size_t drop_settled(const struct hs_fit_job *j, const double *before, uint8_t *done, uint8_t *again)
{
	const struct hs_fit *f = j->fit;
	const size_t width = f->n_params + f->n_derived, n_y = j->o->n_y, n_x = j->o->n_x;
	size_t left = 0;
	for (size_t i = 0; i < f->n_rows; i++) {
		const size_t y = i / n_x, x = i % n_x,
			     near[] = { y ? i - n_x : i, y + 1 < n_y ? i + n_x : i, x ? i - 1 : i, x + 1 < n_x ? i + 1 : i };
		bool changed = !done[i];
		for (size_t k = 0; again[i] && k < HS_LEN(near); k++)
			changed |= near[k] != i && memcmp(before + near[k] * width, f->value + near[k] * width, width * sizeof *before) != 0;
		done[i] = again[i];           /* what is left out is as good as done */
		again[i] = again[i] && changed;
		left += again[i];
	}
	return left;
}

static int sweep(struct hs_fit_job *j, struct hs_rowsource *rows, struct hs_err *err)
{
	struct hs_fit *f = j->fit;
	const size_t width = f->n_params + f->n_derived;
	uint8_t *again = hs_alloc(2 * f->n_rows, 1, err), *done = again ? again + f->n_rows : NULL;     /* done: in the sweep before */
	double *before = again ? hs_alloc(f->n_rows * width, sizeof *before, err) : NULL;
	int verdict = before ? 0 : -1;
	for (size_t s = 0; verdict == 0 && s < j->o->sweeps && !(j->o->stop && j->o->stop(j->o->stop_ctx)); s++) {
		if (!choose_again(f, again, err) || !drop_settled(j, before, done, again))
			break;
		memcpy(before, f->value, f->n_rows * width * sizeof *before);
		j->before = before;
		j->again = again;
		verdict = hs_waves_each(rows, "fitting again", 1, fit_wave, j, err);
	}
	free(again);
	free(before);
	return hs_failed(err) ? -1 : verdict;
}

/* ------------------------------------------------------------------ the whole */

static size_t bench_values(const struct hs_compound *c, size_t n)
{
	const size_t width = c->n_params + c->n_derived, m = c->is_complex ? 2 * n : n;
	return 3 * m + (c->n_params + 3) * m + c->n_params * c->n_params + 2 * width * c->n_params;
}

size_t hs_fit_bytes(size_t n_rows, const struct hs_compound *c, size_t n, bool with_covariance, int threads)
{
	const size_t width = c->n_params + c->n_derived, m = c->is_complex ? 2 * n : n,
		     row = 3 * width * sizeof(double) + (with_covariance ? c->n_params * (c->n_params + 1) / 2 * sizeof(float) : 0) +
			     6 * sizeof(double) + 8;
	return n_rows * row + (size_t)(threads > 0 ? threads : 1) * (bench_values(c, n) * sizeof(double) + hs_lm_bytes(m, c->n_params));
}

static int make_benches(struct hs_fit_job *j, struct hs_err *err)
{
	const struct hs_compound *c = j->o->model;
	const size_t m = j->n_values, k = c->n_params;
	j->n_benches = (size_t)hs_par_threads();
	j->bench = hs_alloc(j->n_benches, sizeof *j->bench, err);
	for (size_t t = 0; j->bench && t < j->n_benches; t++) {
		struct hs_fit_bench *b = &j->bench[t];
		b->row = hs_alloc(bench_values(c, j->o->grid.n), sizeof(double), err);
		b->lm = b->row ? hs_lm_new(m, k, err) : NULL;
		if (!b->lm)
			return -1;
		b->y = b->row + m;
		b->weight = b->y + m;
		b->scratch = b->weight + m;
		b->cov = b->scratch + (k + 3) * m;
		b->work = b->cov + k * k;
	}
	return j->bench ? 0 : -1;
}

static int make_room(struct hs_fit *f, bool with_covariance, struct hs_err *err)
{
	const size_t n = f->n_rows, width = f->n_params + f->n_derived;
	if ((f->value = hs_alloc(n, width * sizeof(double), err)) && (f->sigma = hs_alloc(n, width * sizeof(double), err)) &&
		(f->reduced_chi2 = hs_alloc(n, sizeof(double), err)) && (f->r2 = hs_alloc(n, sizeof(double), err)) &&
		(f->aicc = hs_alloc(n, sizeof(double), err)) && (f->bic = hs_alloc(n, sizeof(double), err)) &&
		(f->status = hs_alloc(n, 1, err)) && (f->n_iter = hs_alloc(n, sizeof(uint16_t), err)) &&
		(!with_covariance || (f->covariance = hs_alloc(n, f->n_params * (f->n_params + 1) / 2 * sizeof(float), err))))
		return 0;
	return -1;
}

/* Which parameters are fitted, and within which bounds: those said, and those that follow from the axis where the two agree. */
static void choose_fitted(struct hs_fit_job *j)
{
	const struct hs_compound *c = j->o->model;
	double low[HS_COMPOUND_MOST], high[HS_COMPOUND_MOST];
	for (size_t i = 0; i < c->n_params; i++) {
		low[i] = -INFINITY;
		high[i] = INFINITY;
	}
	for (size_t t = 0; t < c->n_terms; t++)
		if (c->term[t].model->limits)
			c->term[t].model->limits(&j->o->grid, low + c->term[t].first, high + c->term[t].first);
	for (size_t i = 0; i < c->n_params; i++) {
		const struct hs_compound_param *p = &c->param[i];
		if (p->fixed || p->tied)
			continue;
		const bool agree = fmax(p->low, low[i]) < fmin(p->high, high[i]);
		j->low[j->n_fit] = agree ? fmax(p->low, low[i]) : p->low;
		j->high[j->n_fit] = agree ? fmin(p->high, high[i]) : p->high;
		j->place[j->n_fit++] = i;
	}
}

int hs_fit(struct hs_rowsource *rows, const struct hs_fit_options *o, struct hs_fit *fit, struct hs_err *err)
{
	const struct hs_compound *c = o->model;
	const size_t n_values = c->is_complex ? 2 * o->grid.n : o->grid.n;
	struct hs_fit_job j = { .o = o, .fit = fit, .n_values = n_values };
	*fit = (struct hs_fit){ .n_rows = rows->n_rows, .n_params = c->n_params, .n_derived = c->n_derived };
	if (rows->n_chan != n_values)
		return hs_fail(err, HS_BUG, "a grid of %zu points for rows of %zu values", o->grid.n, rows->n_chan);
	choose_fitted(&j);
	j.merit = hs_alloc(rows->n_rows, sizeof *j.merit, err);
	int verdict = !j.merit || make_room(fit, o->with_covariance, err) < 0 || make_benches(&j, err) < 0 ? -1 : 0;
	if (verdict == 0)
		verdict = hs_waves_each(rows, "fitting", 1, fit_wave, &j, err);
	if (verdict == 0 && o->sweeps && o->n_y * o->n_x == rows->n_rows)
		verdict = sweep(&j, rows, err);
	for (size_t t = 0; j.bench && t < j.n_benches; t++) {
		hs_lm_free(j.bench[t].lm);
		free(j.bench[t].row);
	}
	free(j.bench);
	free(j.merit);
	for (size_t i = 0; verdict == 0 && i < fit->n_rows; i++)
		fit->count[fit->status[i]]++;
	fit->stopped = fit->count[HS_FIT_UNDONE] > 0;
	if (verdict < 0)
		hs_fit_release(fit);
	return verdict;
}

void hs_fit_release(struct hs_fit *f)
{
	free(f->value);
	free(f->sigma);
	free(f->covariance);
	free(f->reduced_chi2);
	free(f->r2);
	free(f->aicc);
	free(f->bic);
	free(f->status);
	free(f->n_iter);
	*f = (struct hs_fit){ 0 };
}

bool hs_fit_model(const struct hs_compound *c, const struct hs_grid *g, const double *value, double *y, struct hs_err *err)
{
	struct hs_fit nothing = { .n_derived = 0 };
	const struct hs_fit_options o = { .model = c, .grid = *g };
	const struct hs_fit_job j = { .o = &o, .fit = &nothing };
	double p[HS_COMPOUND_MOST], *scratch = hs_alloc(2 * g->n, sizeof *scratch, err);
	const bool good = scratch && hs_fit_take_start(&j, value, p) && hs_compound_eval(c, g, p, y, NULL, scratch);
	free(scratch);
	return good;
}
