/* How it works. A view stands between the descent and the model: it spreads the fitted parameters over all of the compound's. */
#include "physics/descent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROBUST_ROUNDS = 20 };
#define TUKEY 4.685
#define MAD_TO_SIGMA 1.4826

/* What the descent calls: its parameters spread over all of the compound's, ties followed. */
struct view {
	const struct hs_fit_job *job;
	double p[HS_COMPOUND_MOST];
	double *scratch;              /* n + n_params n */
};

static void spread(const struct hs_fit_job *j, const double *q, double *p)
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
	const struct hs_fit_job *j = v->job;
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

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double hs_fit_middle(double *v, size_t n)
{
	if (!n)
		return NAN;
	qsort(v, n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

/* Weights of the points before the fit. */
static const double *weigh(const struct hs_fit_job *j, struct hs_fit_bench *b)
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

bool hs_fit_counts(const struct hs_fit_job *j, size_t i)
{
	return !j->o->weight || j->o->weight[i % j->o->grid.n] > 0;
}

/* Median of the sizes of the residuals of a model m. */
static double median_residual(const struct hs_fit_job *j, struct hs_fit_bench *b, const double *m)
{
	size_t n = 0;
	for (size_t i = 0; i < j->n_values; i++)
		if (hs_fit_counts(j, i))
			b->scratch[n++] = fabs(b->y[i] - m[i]);
	return hs_fit_middle(b->scratch, n);
}

/* Tukey's weights from the residuals of a model m; false when the residuals have no spread. */
static bool reweigh(const struct hs_fit_job *j, struct hs_fit_bench *b, const double *m)
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
static double robust_scale(const struct hs_fit_job *j, const struct hs_fit_bench *b, size_t n_free)
{
	const double *m = hs_lm_model(b->lm), k = (double)n_free;
	double n = 0, w = 0, psi = 0, slope = 0, slope2 = 0;
	for (size_t i = 0; i < j->n_values; i++) {
		if (!hs_fit_counts(j, i))
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
static bool weigh_start(const struct hs_fit_job *j, struct hs_fit_bench *b, const double *p)
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

void hs_fit_descend(const struct hs_fit_job *j, struct hs_fit_bench *b, struct hs_fit_end *out)
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

/* ------------------------------------------------------------------ where it begins */

bool hs_fit_take_start(const struct hs_fit_job *j, const double *reported, double *p)
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

/* The spectrum without its spikes, by a running median of five; a complex one part by part. */
static const double *without_spikes(const struct hs_fit_job *j, struct hs_fit_bench *b)
{
	const size_t n = j->o->grid.n;
	for (size_t i = 0; i < j->n_values; i++) {
		const size_t part = i - i % n, first = i - part < 2 ? part : i - 2, end = i + 3 < part + n ? i + 3 : part + n;
		double near[5];
		memcpy(near, b->y + first, (end - first) * sizeof *near);
		b->row[i] = hs_fit_middle(near, end - first);
	}
	return b->row;
}

bool hs_fit_guess(const struct hs_fit_job *j, struct hs_fit_bench *b, double *p)
{
	const struct hs_fit_options *o = j->o;
	const double *weight = weigh(j, b);
	return (o->robust && hs_compound_guess(o->model, &o->grid, without_spikes(j, b), weight, p, b->scratch)) ||
		hs_compound_guess(o->model, &o->grid, b->y, weight, p, b->scratch);
}

void hs_fit_first(const struct hs_fit_job *j, struct hs_fit_bench *b, size_t row, struct hs_fit_end *out)
{
	const struct hs_fit_options *o = j->o;
	const bool given = o->start && hs_fit_take_start(j, o->start + row * o->model->n_params, out->p);
	out->status = HS_FIT_NO_START;
	out->lm = (struct hs_lm_fit){ 0 };
	if (given || hs_fit_guess(j, b, out->p))
		hs_fit_descend(j, b, out);
}
