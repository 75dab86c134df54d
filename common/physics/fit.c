/* How it works. One thread has one bench: a workspace for the descent and the arrays for one spectrum. A pixel is brought from
 * its row to an outcome there; what is kept of it is written at its place. */
#include "physics/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/lm.h"
#include "math/moments.h"
#include "math/par.h"
#include "math/vector.h"

enum { STRIP = 32, ROBUST_ROUNDS = 20 };
#define OUTLYING 6.0
#define TUKEY 4.685
#define MAD_TO_SIGMA 1.4826

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

/* ------------------------------------------------------------------ the bench of a thread */

struct bench {
	struct hs_lm *lm;
	double *row;                  /* as it comes */
	double *y, *weight;           /* n values of the fit (2n complex) */
	double *scratch;              /* (n_params + 3) n values */
	double *cov, *work;           /* n_params^2 each; and derivatives of what is reported */
};

struct job {
	const struct hs_fit_options *o;
	struct hs_fit *fit;
	size_t n_values, n_fit;       /* data of a spectrum; parameters the descent sees */
	size_t place[HS_COMPOUND_MOST];       /* which they are */
	double low[HS_COMPOUND_MOST], high[HS_COMPOUND_MOST];
	struct bench *bench;
	size_t n_benches;
	double *merit;                /* of what is kept: n_rows */
	const double *before;         /* sweeps: value of the sweep before, n_rows x (n_params + n_derived) */
	const uint8_t *again;         /* sweeps: rows to do again; NULL: all */
};

/* What the descent calls: its parameters spread over all of the compound's, ties followed. */
struct view {
	const struct job *job;
	double p[HS_COMPOUND_MOST];
	double *scratch;              /* n + n_params n */
};

static void spread(const struct job *j, const double *q, double *p)
{
	const struct hs_compound *c = j->o->model;
	for (size_t i = 0; i < j->n_fit; i++)
		p[j->place[i]] = q[i];
	for (size_t i = 0; i < c->n_params; i++)
		if (c->param[i].tied)
			p[i] = c->param[i].factor * p[c->param[i].to];
}

static bool see(void *ctx, const double *q, double *m, double *dm)
{
	struct view *v = ctx;
	const struct job *j = v->job;
	const struct hs_compound *c = j->o->model;
	const size_t n = j->n_values;
	spread(j, q, v->p);
	if (j->n_fit == c->n_params)
		return hs_compound_eval(c, &j->o->grid, v->p, m, dm, v->scratch);
	double *all = v->scratch + n;
	if (!hs_compound_eval(c, &j->o->grid, v->p, m, dm ? all : NULL, v->scratch))
		return false;
	for (size_t i = 0; dm && i < j->n_fit; i++)
		memcpy(dm + i * n, all + j->place[i] * n, n * sizeof *dm);
	for (size_t t = 0; dm && t < c->n_params; t++)
		for (size_t i = 0; c->param[t].tied && i < j->n_fit; i++)
			for (size_t e = 0; j->place[i] == c->param[t].to && e < n; e++)
				dm[i * n + e] += c->param[t].factor * all[t * n + e];
	return true;
}

/* ------------------------------------------------------------------ one spectrum */

struct outcome {
	enum hs_fit_status status;
	struct hs_lm_fit lm;
	double p[HS_COMPOUND_MOST];   /* internal, all of them */
	double cov[HS_COMPOUND_MOST * HS_COMPOUND_MOST];      /* of the fitted ones, in the order of place[] */
	double scale;                 /* s^2 */
	double merit;                 /* the lower the better: cost, or the median residual where spikes do not count */
};

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Median of n values, which are reordered; NAN for none. */
static double median(double *v, size_t n)
{
	if (!n)
		return NAN;
	qsort(v, n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

/* Weights of the points before the fit. */
static const double *weigh(const struct job *j, struct bench *b)
{
	const struct hs_fit_options *o = j->o;
	const size_t n = o->grid.n;
	if (!o->weight && !o->robust && (o->noise == HS_FIT_EQUAL || o->noise == HS_FIT_POISSON))
		return NULL;
	for (size_t i = 0; i < j->n_values; i++) {
		const double given = o->weight ? o->weight[i % n] : 1;
		b->weight[i] = o->noise == HS_FIT_SIGMA ? given / (o->sigma * o->sigma) :
			o->noise == HS_FIT_COUNTS ? given / fmax(b->y[i], 1) : given;
	}
	return b->weight;
}

static bool counts(const struct job *j, size_t i)
{
	return !j->o->weight || j->o->weight[i % j->o->grid.n] > 0;
}

/* Median of the sizes of the residuals of a model m. */
static double median_residual(const struct job *j, struct bench *b, const double *m)
{
	size_t n = 0;
	for (size_t i = 0; i < j->n_values; i++)
		if (counts(j, i))
			b->scratch[n++] = fabs(b->y[i] - m[i]);
	return median(b->scratch, n);
}

/* Tukey's weights from the residuals of a model m; false when the residuals have no spread. */
static bool reweigh(const struct job *j, struct bench *b, const double *m)
{
	const double sigma = MAD_TO_SIGMA * median_residual(j, b, m);
	if (!(sigma > 0) || !isfinite(sigma))
		return false;
	const double *plain = weigh(j, b);
	for (size_t i = 0; i < j->n_values; i++) {
		const double t = (b->y[i] - m[i]) / (TUKEY * sigma), u = 1 - t * t;
		b->weight[i] = plain[i] * (u > 0 ? u * u : 0);
	}
	return true;
}

/* s^2 for the covariance from Tukey's weights w in place of 1: with u the residual over c sigma, s = 1 - u^2 = sqrt w and
 * psi = w r, it is K^2 mean(w) sum psi^2 / (n - k) / mean(psi')^2, K = 1 + k/n var(psi') / mean(psi')^2, as H holds w (Huber,
 * Robust Statistics, Wiley (1981), eq. 7.6.6). */
static double robust_scale(const struct job *j, const struct bench *b, size_t n_free)
{
	const double *m = hs_lm_model(b->lm), k = (double)n_free;
	double n = 0, w = 0, psi = 0, slope = 0, slope2 = 0;
	for (size_t i = 0; i < j->n_values; i++) {
		if (!counts(j, i))
			continue;
		const double given = j->o->weight ? j->o->weight[i % j->o->grid.n] : 1, s = sqrt(b->weight[i] / given),
			     r = s * s * (b->y[i] - m[i]), t = s * (5 * s - 4);
		n++;
		w += s * s;
		psi += given * r * r;
		slope += t;
		slope2 += t * t;
	}
	if (!(n > k) || !(slope > 0))
		return NAN;
	const double mean = slope / n, bias = 1 + k / n * (slope2 / n - mean * mean) / (mean * mean);
	return bias * bias * w / n * psi / (n - k) / (mean * mean);
}

/* Tukey's weights already where it begins: a plain fit would be drawn to the spikes and never leave them. */
static bool weigh_start(const struct job *j, struct bench *b, const double *p)
{
	double *m = b->scratch + j->n_values;
	return hs_compound_eval(j->o->model, &j->o->grid, p, m, NULL, m + j->n_values) && reweigh(j, b, m);
}

static enum hs_fit_status told(const struct hs_lm_fit *lm)
{
	switch (lm->status) {
	case HS_LM_CONVERGED: return HS_FIT_CONVERGED;
	case HS_LM_MAXITER: return HS_FIT_MAXITER;
	case HS_LM_STUCK: return HS_FIT_STUCK;
	default: return HS_FIT_NO_START;
	}
}

/* From the parameters in out->p to the minimum. */
static void descend(const struct job *j, struct bench *b, struct outcome *out)
{
	const struct hs_fit_options *o = j->o;
	struct view view = { .job = j, .scratch = b->scratch };
	double q[HS_COMPOUND_MOST];
	uint8_t on_bound[HS_COMPOUND_MOST];
	memcpy(view.p, out->p, o->model->n_params * sizeof *view.p);
	for (size_t i = 0; i < j->n_fit; i++)
		q[i] = out->p[j->place[i]];
	const struct hs_lm_problem problem = { .n = j->n_values, .k = j->n_fit, .model = see, .ctx = &view, .low = j->low,
		.high = j->high,
		.loss = o->noise == HS_FIT_POISSON ? HS_LM_POISSON : HS_LM_SQUARES, .max_iter = o->max_iter };
	bool tukey = o->robust && weigh_start(j, b, out->p);
	hs_lm_run(b->lm, &problem, b->y, tukey ? b->weight : weigh(j, b), q, &out->lm);
	double last = INFINITY;
	for (int round = 0; o->robust && out->lm.status <= HS_LM_STUCK && round < ROBUST_ROUNDS; round++) {
		if (fabs(out->lm.cost - last) <= 1e-8 * last || !reweigh(j, b, hs_lm_model(b->lm)))
			break;
		last = out->lm.cost;
		tukey = true;
		hs_lm_run(b->lm, &problem, b->y, b->weight, q, &out->lm);
	}
	out->status = told(&out->lm);
	if (out->status == HS_FIT_NO_START)
		return;
	spread(j, q, view.p);
	memcpy(out->p, view.p, o->model->n_params * sizeof *view.p);
	const bool solved = hs_lm_covariance(b->lm, out->cov, on_bound);
	if (!solved && out->status == HS_FIT_CONVERGED)
		out->status = HS_FIT_SINGULAR;
	for (size_t i = 0; i < j->n_fit && out->status == HS_FIT_CONVERGED; i++)
		if (on_bound[i])
			out->status = HS_FIT_ON_BOUND;
	const double free_data = (double)out->lm.n_data - (double)out->lm.n_free;
	out->scale = o->noise != HS_FIT_EQUAL ? 1 : tukey ? robust_scale(j, b, out->lm.n_free) : free_data > 0 ?
		out->lm.cost / free_data : NAN;
	if (tukey && isnan(out->scale) && out->status == HS_FIT_CONVERGED)
		out->status = HS_FIT_SINGULAR;        /* too few points count to say how well */
	out->merit = o->robust ? median_residual(j, b, hs_lm_model(b->lm)) : out->lm.cost;
}

/* Row into the order of the fit; complex rows alternate. */
static void take_row(const struct job *j, const struct hs_block *block, size_t i, struct bench *b)
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

/* Reported parameters of a row, given for it by the user or a neighbour, as internal ones; false when one of them is NaN. */
static bool take_start(const struct job *j, const double *reported, double *p)
{
	const struct hs_compound *c = j->o->model;
	for (size_t i = 0; i < c->n_params; i++)
		if (!isfinite(reported[i]))
			return false;
	for (size_t t = 0; t < c->n_terms; t++) {
		const struct hs_term *term = &c->term[t];
		if (term->model->internal)
			term->model->internal(&j->o->grid, reported + term->first, p + term->first);
		else
			memcpy(p + term->first, reported + term->first, term->model->n_params * sizeof *p);
	}
	for (size_t i = 0; i < c->n_params; i++)
		if (c->param[i].fixed && !isnan(c->param[i].value) && !c->own_form)
			p[i] = c->param[i].value;
	return true;
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
static void report(const struct job *j, const double *p, double *value, double *jacobian)
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
static double spread_of(const struct job *j, const double *y)
{
	double sum = 0, n = 0, about = 0;
	for (size_t i = 0; i < j->n_values; i++)
		if (counts(j, i)) {
			sum += y[i];
			n++;
		}
	const double mean = j->o->model->is_complex ? 0 : sum / n;
	for (size_t i = 0; i < j->n_values; i++)
		if (counts(j, i))
			about += (y[i] - mean) * (y[i] - mean);
	return about;
}

/* What rounding leaves of a spectrum that the model meets exactly: without it the criteria would be minus infinity. */
static double rounding_of(const struct job *j, const double *y)
{
	double size = 0;
	for (size_t i = 0; i < j->n_values; i++)
		if (counts(j, i))
			size += (j->o->weight ? j->o->weight[i % j->o->grid.n] : 1) * y[i] * y[i];
	return 0x1p-92 * size;
}

static void judge(const struct job *j, const struct outcome *out, const double *y, size_t row)
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

static void keep(const struct job *j, struct bench *b, const struct outcome *out, size_t row)
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
static double rank_of(const struct outcome *out)
{
	return out->status == HS_FIT_NO_START || !isfinite(out->merit) ? INFINITY : out->merit;
}

/* The spectrum without its spikes, by a running median of five; a complex one part by part. */
static const double *without_spikes(const struct job *j, struct bench *b)
{
	const size_t n = j->o->grid.n;
	for (size_t i = 0; i < j->n_values; i++) {
		const size_t part = i - i % n, first = i - part < 2 ? part : i - 2, end = i + 3 < part + n ? i + 3 : part + n;
		double near[5];
		memcpy(near, b->y + first, (end - first) * sizeof *near);
		b->row[i] = median(near, end - first);
	}
	return b->row;
}

static bool guess(const struct job *j, struct bench *b, double *p)
{
	const struct hs_fit_options *o = j->o;
	const double *weight = weigh(j, b);
	return (o->robust && hs_compound_guess(o->model, &o->grid, without_spikes(j, b), weight, p, b->scratch)) ||
		hs_compound_guess(o->model, &o->grid, b->y, weight, p, b->scratch);
}

static void fit_first(const struct job *j, struct bench *b, size_t row, struct outcome *out)
{
	const struct hs_fit_options *o = j->o;
	const bool given = o->start && take_start(j, o->start + row * o->model->n_params, out->p);
	out->status = HS_FIT_NO_START;
	out->lm = (struct hs_lm_fit){ 0 };
	if (given || guess(j, b, out->p))
		descend(j, b, out);
}

/* From the ends of the (up to) four neighbours that fitted best; kept when it is better than before. */
static bool fit_again(const struct job *j, struct bench *b, size_t row, struct outcome *out)
{
	const struct hs_fit_options *o = j->o;
	const struct hs_fit *f = j->fit;
	const size_t width = f->n_params + f->n_derived, y = row / o->n_x, x = row % o->n_x;
	double best = j->merit[row], hold[HS_COMPOUND_MOST];
	bool better = false;
	if (f->status[row] == HS_FIT_NO_START && !guess(j, b, hold))
		return false;                 /* a flat spectrum stays without an answer, whatever is beside it */
	const size_t near[] = { y ? row - o->n_x : row, y + 1 < o->n_y ? row + o->n_x : row, x ? row - 1 : row, x + 1 < o->n_x ?
		row + 1 : row };
	for (size_t i = 0; i < HS_LEN(near); i++) {
		struct outcome attempt;
		if (near[i] == row || !take_start(j, j->before + near[i] * width, attempt.p))
			continue;
		descend(j, b, &attempt);
		if (rank_of(&attempt) < best * (1 - 1e-10)) {
			best = attempt.merit;
			*out = attempt;
			better = true;
		}
	}
	return better;
}

static void fit_row(const struct job *j, struct bench *b, const struct hs_block *block, size_t i, bool late)
{
	const size_t row = block->first_row + i;
	struct outcome out;
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
		fit_first(j, b, row, &out);
		keep(j, b, &out, row);
	} else if (fit_again(j, b, row, &out)) {
		keep(j, b, &out, row);
	}
}

/* A spectrum is work enough: threads share out strips of rows, not blocks, and the clock is looked at before each. */
static int fit_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	const struct job *j = ctx;
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
	const double middle = median(v, n);
	for (size_t i = 0; i < n; i++)
		v[i] = fabs(v[i] - middle);
	const double limit = middle + OUTLYING * median(v, n);
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
static size_t drop_settled(const struct job *j, const double *before, uint8_t *done, uint8_t *again)
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

static int sweep(struct job *j, struct hs_rowsource *rows, struct hs_err *err)
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

static int make_benches(struct job *j, struct hs_err *err)
{
	const struct hs_compound *c = j->o->model;
	const size_t m = j->n_values, k = c->n_params;
	j->n_benches = (size_t)hs_par_threads();
	j->bench = hs_alloc(j->n_benches, sizeof *j->bench, err);
	for (size_t t = 0; j->bench && t < j->n_benches; t++) {
		struct bench *b = &j->bench[t];
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
static void choose_fitted(struct job *j)
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
	struct job j = { .o = o, .fit = fit, .n_values = n_values };
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
	const struct job j = { .o = &o, .fit = &nothing };
	double p[HS_COMPOUND_MOST], *scratch = hs_alloc(2 * g->n, sizeof *scratch, err);
	const bool good = scratch && take_start(&j, value, p) && hs_compound_eval(c, g, p, y, NULL, scratch);
	free(scratch);
	return good;
}
