/* Euclidean NMF.
 *
 * The data are projected on their k + 20 leading directions, X ~ Z V, and the factors of Z V are found first: an alternation then
 * costs n (k + 20) k instead of n p k. What is left of noise in Z V is not that of X, so this is not yet the answer.
 *
 * The way from there: one exact pass at (W, H) gives X H^T and W^T X. They make a matrix
 *	X~ = X P + W G^-1 (W^T X (1 - P)),    P the projector on V and H, G = W^T W,
 * of rank r + 2 k, for which X~ H^T = X H^T and W^T X~ = W^T X: the objective of X~ has the gradient of X's at (W, H), and nearly
 * its curvature. Its factors are improved by alternations that do not touch X, then comes the next exact pass. A point where this
 * stands still is a stationary point of the true objective. Should a step raise the true objective, it is taken back, the spectra
 * make one exact step from the sums that are known, and the next attempt is shorter.
 *
 * KKT residual: Frobenius norm of min(W, dF/dW) and min(H, dF/dH), each component scaled such that the other factor has norm 1
 * and everything is in the unit of the data, over |X|. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "math/la.h"
#include "unmix/nmf_fit.h"
#include "unmix/nmf_start.h"
#include "unmix/nmf_sweep.h"
#include "factor/pca.h"
#include "math/vector.h"

enum { RACE = 40, BETWEEN = 60, LEAST = 4 };

struct way {
	struct hs_nmf_data *data;
	const struct hs_nmf_options *opt;
	struct hs_nmf_rules rules;
	struct hs_nmf_low low;
	struct hs_nmf_factors *f;
	struct hs_nmf *out;
	struct hs_nmf_exact now, best;        /* sums at the point of the last pass, and of the best one */
	double *h_best;
	double objective;             /* of the best */
	double *scratch;
};

/* ------------------------------------------------------------------ the compressed problem */

static size_t count_open(const struct hs_nmf_data *data)
{
	size_t n = data->rows->n_rows;
	for (size_t i = 0; data->opt->mask && i < data->rows->n_rows; i++)
		n -= data->opt->mask[i] != 0;
	return n;
}

/* Second moments of the rows without gaps, or, when these are few, of all with their gaps filled. Whether there are gaps shows in
 * how many rows the moments could use: only then the data are read once more for it. */
static int moments(struct hs_nmf_data *data, struct hs_moments *m, struct hs_rowsource **filled, struct hs_err *err)
{
	const struct hs_moments_options how = { .centre = HS_CENTRE_NONE };
	struct hs_err whole = { 0 };
	const int verdict = hs_moments_init(m, data->rows, &how, &whole);
	data->n_passes++;
	if (verdict == 0 && m->n_used == count_open(data))
		return 0;
	if (verdict < 0 && whole.status != HS_BAD_DATA) {
		*err = whole;
		return -1;
	}
	if (hs_nmf_survey(data, NULL, true, err) < 0)
		return -1;
	if (data->n_gaps <= data->n_used / 2) {
		*err = whole;
		return verdict;
	}
	hs_moments_release(m);
	*filled = hs_nmf_filled_new(data, err);
	data->n_passes++;
	return *filled ? hs_moments_init(m, *filled, &how, err) : -1;
}

static int directions(struct hs_nmf_data *data, size_t r, struct hs_pca *pca, struct hs_err *err)
{
	struct hs_moments m = { 0 };
	struct hs_rowsource *filled = NULL;
	int verdict = moments(data, &m, &filled, err);
	for (size_t i = 0; verdict == 0 && i < m.size; i++)
		if (!isfinite(m.matrix[i * m.size + i]))
			verdict = hs_fail(err, HS_BAD_DATA, "values are too large: their squares overflow");
	if (verdict == 0)
		verdict = hs_pca_init(pca, &m, filled ? filled : data->rows, r, err);
	hs_moments_release(&m);
	hs_nmf_filled_free(filled);
	return verdict;
}

int hs_nmf_compress(struct hs_nmf_data *data, size_t r, size_t extra, struct hs_nmf_low *low, struct hs_err *err)
{
	const size_t p = data->rows->n_chan;
	struct hs_pca pca = { 0 };
	int verdict = directions(data, r, &pca, err);
	if (verdict == 0) {
		size_t rank = 0;
		while (rank < pca.n_comp && pca.eigenvalue[rank] > 1e-15 * pca.eigenvalue[0])
			rank++;
		*low = (struct hs_nmf_low){ .p = p, .r = rank ? rank : 1, .ld = (rank ? rank : 1) + extra };
		low->v = hs_alloc(low->ld * p, sizeof *low->v, err);
		low->z = low->v ? hs_alloc(data->rows->n_rows, low->ld * sizeof *low->z, err) : NULL;
		verdict = low->z ? 0 : -1;
	}
	if (verdict == 0) {
		memcpy(low->v, pca.basis, low->r * p * sizeof *low->v);
		verdict = hs_nmf_survey(data, low, false, err);
	}
	low->norm2 = data->norm2;
	hs_pca_release(&pca);
	return verdict;
}

/* Start number `run` of the problem, and a short way down. */
static int race(struct way *y, size_t run, const double *spectra, struct hs_nmf_factors *f, double *objective, struct hs_err *err)
{
	const struct hs_nmf_rules *rules = &y->rules;
	struct hs_nmf_effort effort = { .max_iter = RACE, .gain = 1e-4, .stop = y->opt->stop, .stop_ctx = y->opt->stop_ctx };
	size_t n_iter = 0;
	int verdict;
	if (run == 0 && spectra) {
		verdict = hs_nmf_start_spectra(&y->low, rules, spectra, f, err);
	} else if (run == 0 && y->opt->start == HS_NMF_NNDSVD) {
		static const struct hs_nmf_rules plain = { 0 };
		verdict = hs_nmf_start_nndsvd(&y->low, f, err);
		if (verdict == 0 && rules->simplex)
			verdict = hs_nmf_low_solve(&y->low, &plain, &effort, f, &n_iter, objective, err);
		if (verdict == 0 && rules->simplex)
			verdict = hs_nmf_to_simplex(f, err);
	} else {
		verdict = hs_nmf_start_random(&y->low, rules, y->opt->seed, run, f, err);
	}
	if (verdict < 0)
		return -1;
	if (!rules->simplex)
		hs_nmf_balance(f);
	if (effort.max_iter > y->opt->max_iter)
		effort.max_iter = y->opt->max_iter;
	n_iter = 0;
	verdict = hs_nmf_low_solve(&y->low, rules, &effort, f, &n_iter, objective, err);
	hs_detail("start %zu: %.8g after %zu alternations on compressed data", run, *objective, n_iter);
	if (verdict == 0 && run == 0)
		y->out->n_iter = n_iter;
	return verdict;
}

/* The best of all starts is in y->f. */
static int begin(struct way *y, struct hs_err *err)
{
	const size_t k = y->f->k, p = y->f->p, runs = y->opt->spectra ? 1 : y->opt->restarts;
	struct hs_nmf_factors other = { 0 };
	double *centroid = NULL, best = INFINITY, objective;
	int verdict = 0;
	if (y->opt->spectra || y->opt->start == HS_NMF_KMEANS)
		centroid = hs_alloc(k * p, sizeof *centroid, err);
	if (y->opt->spectra && centroid) {
		memcpy(centroid, y->opt->spectra, k * p * sizeof *centroid);
	} else if (centroid) {
		struct hs_rowsource *filled = y->data->n_gaps ? hs_nmf_filled_new(y->data, err) : NULL;
		verdict = y->data->n_gaps && !filled ? -1 :
			hs_nmf_centroids(filled ? filled : y->data->rows, k, y->opt->seed, centroid, err);
		hs_nmf_filled_free(filled);
	} else if (hs_failed(err)) {
		verdict = -1;
	}
	for (size_t run = 0; run < runs && verdict == 0; run++) {
		struct hs_nmf_factors *f = run ? &other : y->f;
		if (run)
			verdict = hs_nmf_factors_init(&other, y->f->n, p, k, err);
		if (verdict == 0)
			verdict = race(y, run, centroid, f, &objective, err);
		if (verdict == 0 && objective < best) {
			const struct hs_nmf_factors now = *f;
			*f = *y->f;
			*y->f = now;
			best = objective;
			y->out->restart = run;
		}
		hs_nmf_factors_release(&other);
		if (hs_nmf_told_to_stop(y->opt))
			break;
	}
	free(centroid);
	return verdict;
}

int hs_nmf_begin(struct hs_nmf_data *data, struct hs_nmf_factors *f, struct hs_nmf *out, struct hs_err *err)
{
	struct way y = { .data = data, .opt = data->opt, .f = f, .out = out };
	int verdict = hs_nmf_compress(data, data->opt->k + HS_NMF_BEYOND, 0, &y.low, err);
	if (verdict == 0)
		verdict = hs_nmf_factors_init(f, data->n_used, data->rows->n_chan, data->opt->k, err);
	if (verdict == 0)
		verdict = begin(&y, err);
	free(y.low.v);
	free(y.low.z);
	return verdict;
}

/* ------------------------------------------------------------------ exact steps */

static double spectra_kkt2(const struct way *y, const struct hs_nmf_exact *e)
{
	const size_t k = y->f->k, p = y->f->p;
	const double *h = y->f->h, *g = e->sums.g;
	double sum = 0;
	for (size_t j = 0; j < k; j++) {
		const double norm = sqrt(g[j * k + j]), length = y->rules.sparse > 0 ? sqrt(hs_dot(h + j * p, h + j * p, p)) : 0;
		for (size_t l = 0; l < p && norm > 0; l++) {
			double slope = -e->sums.c[j * p + l];
			for (size_t c = 0; c < k; c++)
				slope += g[j * k + c] * h[c * p + l];
			if (length > 0)
				slope += y->rules.sparse * e->sums.s[j] * h[j * p + l] / length;
			if (y->rules.smooth > 0)
				slope += y->rules.smooth * g[j * k + j] * hs_nmf_bend(h + j * p, p, l);
			const double r = fmin(h[j * p + l] * norm, slope / norm);
			sum += r * r;
		}
	}
	return sum;
}

/* Rows r .. of v: what the spectra have beyond the directions before. */
static void extend_basis(struct way *y)
{
	struct hs_nmf_low *low = &y->low;
	const size_t k = y->f->k, p = y->f->p, room = p - low->r;
	low->q = room < k ? room : k;
	memcpy(low->v + low->r * p, y->f->h, low->q * p * sizeof *low->v);
	if (low->q)
		hs_la_orthonormalise(low->v, low->r + low->q, p);
}

/* The last rows of X~: v = G^-1 (W^T X - (W^T Z) V), z = W. */
static int complete(struct way *y, struct hs_err *err)
{
	struct hs_nmf_low *low = &y->low;
	const size_t k = y->f->k, p = y->f->p, known = low->r + low->q;
	double *g = hs_alloc(k * (k + 1) + k * p, sizeof *g, err), *root = g ? g + k * k : NULL, *rest = g ? root + k : NULL;
	if (!g)
		return -1;
	memcpy(rest, y->now.sums.c, k * p * sizeof *rest);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)p, (int)known, -1, y->now.product, (int)low->ld, low->v,
		(int)p, 1, rest, (int)p);
	for (size_t j = 0; j < k; j++)
		root[j] = y->now.sums.g[j * k + j] > 0 ? 1 / sqrt(y->now.sums.g[j * k + j]) : 0;
	for (size_t j = 0; j < k; j++)
		for (size_t c = 0; c < k; c++)
			g[j * k + c] = y->now.sums.g[j * k + c] * root[j] * root[c] + (j == c ? root[j] > 0 ? 1e-12 : 1 : 0);
	double *v = low->v + known * p, *column = y->scratch;
	const bool solved = hs_la_cholesky(g, k);
	for (size_t l = 0; l < p; l++) {
		for (size_t j = 0; j < k; j++)
			column[j] = rest[j * p + l] * root[j];
		if (solved)
			hs_la_cholesky_solve(g, k, column, 1);
		for (size_t j = 0; j < k; j++)
			v[j * p + l] = solved ? column[j] * root[j] : 0;
	}
	for (size_t i = 0; i < low->n; i++)
		for (size_t j = 0; j < k; j++)
			low->z[i * low->ld + known + j] = y->f->w[hs_nmf_at(k, i, j)];
	free(g);
	return 0;
}

static void keep_sums(struct way *y, bool forth)
{
	const size_t k = y->f->k, p = y->f->p;
	struct hs_nmf_exact *to = forth ? &y->best : &y->now, *from = forth ? &y->now : &y->best;
	memcpy(to->sums.c, from->sums.c, k * p * sizeof(double));
	memcpy(to->sums.g, from->sums.g, k * k * sizeof(double));
	memcpy(to->sums.s, from->sums.s, k * sizeof(double));
}

/* The step went too far: W is in the last columns of Z, H was kept, and their sums allow one exact step of H. */
static void take_back(struct way *y)
{
	const struct hs_nmf_low *low = &y->low;
	const size_t k = y->f->k, p = y->f->p;
	for (size_t i = 0; i < low->n; i++)
		for (size_t j = 0; j < k; j++)
			y->f->w[hs_nmf_at(k, i, j)] = low->z[i * low->ld + low->r + low->q + j];
	memcpy(y->f->h, y->h_best, k * p * sizeof(double));
	keep_sums(y, false);
	hs_nmf_step_spectra(&y->rules, k, p, &y->now.sums, y->f->h, y->scratch);
}

/* The pass at the present point: its objective and KKT residual. */
static int look(struct way *y, double *objective, double *kkt, struct hs_err *err)
{
	struct hs_nmf_low *low = y->low.z ? &y->low : NULL;
	if (low && !y->rules.simplex)
		hs_nmf_balance(y->f);
	if (low)
		extend_basis(y);
	if (hs_nmf_exact_pass(y->data, low, &y->rules, y->f, &y->now, err) < 0)
		return -1;
	const double norm2 = y->data->norm2 + y->now.filled2;
	y->low.norm2 = norm2;
	*objective = hs_nmf_objective(&y->rules, y->f->k, y->f->p, &y->now.sums, y->f->h, norm2, y->scratch);
	*kkt = norm2 > 0 ? sqrt((y->now.kkt2 + spectra_kkt2(y, &y->now)) / norm2) : 0;
	return 0;
}

/* After a good pass: is it the end? */
static bool at_end(struct way *y, double before)
{
	struct hs_nmf *out = y->out;
	const double digits = 1e-14 * (y->data->norm2 + y->now.filled2);
	if (out->kkt <= y->opt->tol || before - y->objective <= digits) {
		out->status = HS_NMF_CONVERGED;
		return true;
	}
	if (hs_nmf_told_to_stop(y->opt)) {
		out->status = HS_NMF_STOPPED;
		return true;
	}
	out->status = HS_NMF_MAXITER;
	return out->n_iter >= y->opt->max_iter;
}

static int descend(struct way *y, struct hs_err *err)
{
	const struct hs_nmf_options *o = y->opt;
	size_t most = BETWEEN;
	y->objective = INFINITY;
	for (;;) {
		double objective, kkt, surrogate;
		if (look(y, &objective, &kkt, err) < 0)
			return -1;
		hs_detail("pass %zu, %zu alternations: %.12g, KKT %.3g", y->data->n_passes, y->out->n_iter, objective, kkt);
		if (objective > y->objective) {
			const bool rounding = objective - y->objective <= 1e-13 * y->low.norm2;
			take_back(y);
			if (rounding || most == LEAST) {  /* nothing below the rounding of the objective can be gained */
				memcpy(y->f->h, y->h_best, y->f->k * y->f->p * sizeof(double));
				y->out->status = rounding ? HS_NMF_CONVERGED : HS_NMF_MAXITER;
				return 0;
			}
			most = most / 4 > LEAST ? most / 4 : LEAST;
			continue;
		}
		const double before = y->objective;
		y->objective = objective;
		y->out->kkt = kkt;
		memcpy(y->h_best, y->f->h, y->f->k * y->f->p * sizeof(double));
		if (hs_nmf_trace(y->out, objective, err) < 0)
			return -1;
		if (at_end(y, before))
			return 0;
		keep_sums(y, true);
		if (complete(y, err) < 0)
			return -1;
		struct hs_nmf_low whole = y->low;
		whole.r = y->low.r + y->low.q + y->f->k;
		const size_t left = o->max_iter - y->out->n_iter;
		const struct hs_nmf_effort effort = { .max_iter = left < most ? left : most, .gain = 1e-9, .share = 0.003, .stop = o->stop,
			.stop_ctx = o->stop_ctx };
		if (hs_nmf_low_solve(&whole, &y->rules, &effort, y->f, &y->out->n_iter, &surrogate, err) < 0)
			return -1;
	}
}

/* ------------------------------------------------------------------ without Z */

/* W is updated as the data go by, H after each pass. */
static int descend_lean(struct way *y, struct hs_err *err)
{
	const size_t k = y->f->k, p = y->f->p;
	double *start = hs_alloc(k * p, sizeof *start, err);
	int verdict = start ? 0 : -1;
	if (verdict == 0 && y->opt->spectra)
		memcpy(start, y->opt->spectra, k * p * sizeof *start);
	else if (verdict == 0)
		verdict = hs_nmf_pixels(y->data, k, y->opt->seed, start, err);
	for (size_t i = 0; verdict == 0 && i < k * p; i++)
		y->f->h[i] = start[i] > 0 ? start[i] : 0;
	for (size_t i = 0; y->rules.simplex && verdict == 0 && i < y->f->n; i++)
		for (size_t j = 0; j < k; j++)
			y->f->w[hs_nmf_at(k, i, j)] = 1.0 / (double)k;
	free(start);
	y->objective = INFINITY;
	while (verdict == 0) {
		double objective, kkt;
		verdict = look(y, &objective, &kkt, err);
		if (verdict < 0)
			break;
		const double before = y->objective;
		y->objective = fmin(objective, before);
		y->out->kkt = kkt;
		y->out->n_iter++;
		verdict = hs_nmf_trace(y->out, y->objective, err);
		if (verdict < 0 || at_end(y, before))
			break;
		hs_nmf_step_spectra(&y->rules, k, p, &y->now.sums, y->f->h, y->scratch);
	}
	return verdict;
}

/* ------------------------------------------------------------------ all of it */

static int exact_init(struct hs_nmf_exact *e, size_t k, size_t p, size_t ld, struct hs_err *err)
{
	e->sums.c = hs_alloc(k * p + k * k + k + k * ld, sizeof(double), err);
	if (!e->sums.c)
		return -1;
	e->sums.g = e->sums.c + k * p;
	e->sums.s = e->sums.g + k * k;
	e->product = e->sums.s + k;
	return 0;
}

int hs_nmf_euclid(struct hs_nmf_data *data, struct hs_nmf_factors *f, struct hs_nmf *out, struct hs_err *err)
{
	const struct hs_nmf_options *o = data->opt;
	const size_t k = o->k, p = data->rows->n_chan;
	struct way y = { .data = data, .opt = o, .f = f, .out = out };
	int verdict = o->lean ? hs_nmf_survey(data, NULL, true, err) : hs_nmf_compress(data, k + HS_NMF_BEYOND, 2 * k, &y.low, err);
	if (verdict == 0)
		verdict = hs_nmf_factors_init(f, data->n_used, p, k, err);
	if (verdict == 0)
		verdict = exact_init(&y.now, k, p, y.low.ld, err) < 0 || exact_init(&y.best, k, p, y.low.ld, err) < 0 ? -1 : 0;
	if (verdict == 0) {
		y.h_best = hs_alloc(k * p, sizeof(double), err);
		y.scratch = y.h_best ? hs_alloc(p + 3 * k + k * k, sizeof(double), err) : NULL;
		verdict = y.scratch ? 0 : -1;
	}
	y.rules = (struct hs_nmf_rules){ .sparse = verdict == 0 ? o->sparse * sqrt(data->norm2 / (double)data->n_used) : 0,
		.smooth = o->smooth, .simplex = o->sum_to_one };
	if (verdict == 0 && o->lean)
		verdict = descend_lean(&y, err);
	else if (verdict == 0)
		verdict = begin(&y, err) < 0 ? -1 : descend(&y, err);
	out->objective = y.objective;
	free(y.low.v);
	free(y.low.z);
	free(y.now.sums.c);
	free(y.best.sums.c);
	free(y.h_best);
	free(y.scratch);
	return verdict;
}
