#include "factor/mlpca.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "math/la.h"

enum { MOST_ROUNDS = 500 };
#define SETTLED 1e-9
#define DEVIATIONS 3.0

/* A partial of the tree: a head, then for each channel the normal equations of its spectra values, packed:
 * (k + 1)(k + 2) / 2 products and k + 1 right-hand sides. */
enum { OBJECTIVE, SQUARES, N_ELEMENTS, N_ROWS, HEAD };

/* Variances read alongside: rows come in the order of the pixels, whatever the batches are. */
struct alongside {
	struct hs_rowsource *rows;
	struct hs_batch batch;
};

struct fit {
	struct hs_rowsource *rows;
	const struct hs_variances *variances;
	const struct hs_gaps *gaps;
	struct alongside beside;
	bool centred, update, errors;         /* this pass: sum for new spectra; find the errors of the scores */
	size_t n, p, k, wave;
	double *v, *mean;             /* k x p, p */
	double *t, *sigma;            /* n x k; t is NaN for rows not used */
	double *variance;             /* wave x block_rows x p */
	double *room;                 /* threads x share */
	size_t share;
	struct hs_tree *tree;
	double sum[HEAD];
};

static size_t packed(size_t k)
{
	return (k + 1) * (k + 2) / 2 + k + 1;
}

static double value_at(const void *x, enum hs_row_type type, size_t i)
{
	return type == HS_ROW_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* Rows first .. first + n - 1 of the variances, as float64. */
static int read_alongside(struct alongside *a, size_t first, size_t n, double *out, struct hs_err *err)
{
	const size_t p = a->rows->n_chan;
	for (size_t at = first; at < first + n;) {
		while (at >= a->batch.first_row + a->batch.n_rows) {
			if (a->rows->next(a->rows, &a->batch, err) < 0)
				return -1;
			if (!a->batch.n_blocks)
				return hs_fail(err, HS_BAD_DATA, "the variances end after %zu spectra", at);
		}
		const size_t end = a->batch.first_row + a->batch.n_rows < first + n ? a->batch.first_row + a->batch.n_rows : first + n;
		for (size_t i = (at - a->batch.first_row) * p; i < (end - a->batch.first_row) * p; i++)
			*out++ = value_at(a->batch.x, a->rows->type, i);
		at = end;
	}
	return 0;
}

/* Weights and centred values of one row; returns how many elements have weight. */
static size_t weigh(const struct fit *f, const struct hs_block *b, size_t i, const double *variance, double *w, double *x)
{
	const size_t p = f->p, row = b->first_row + i;
	const void *raw = (const char *)b->x + i * p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	size_t n = 0;
	if (b->skip[i] && f->gaps->mask && f->gaps->mask[row])
		return 0;
	for (size_t j = 0; j < p; j++) {
		const double given = variance ? variance[j] : f->variances->channel ? f->variances->channel[j] : f->variances->pixel[row],
			     s = f->variances->deviations ? given * given : given, v = value_at(raw, b->type, j), one = 1 / s;
		const bool good = s > 0 && one > 0 && isfinite(one) && !(b->skip[i] && hs_gap_at(f->gaps, v));
		w[j] = good ? one : 0;
		x[j] = good ? v - f->mean[j] : 0;
		n += good;
	}
	return n;
}

/* Scores of one row by weighted least squares: a (k x k) becomes the factor, t the scores. False when they are not determined. */
static bool solve_row(const struct fit *f, const double *w, const double *x, double *a, double *t)
{
	const size_t p = f->p, k = f->k;
	memset(a, 0, k * k * sizeof *a);
	memset(t, 0, k * sizeof *t);
	for (size_t j = 0; j < p; j++) {
		if (w[j] == 0)
			continue;
		for (size_t c = 0; c < k; c++) {
			const double wv = w[j] * f->v[c * p + j];
			t[c] += wv * x[j];
			for (size_t d = 0; d <= c; d++)
				a[c * k + d] += wv * f->v[d * p + j];
		}
	}
	double most = 0;
	for (size_t c = 0; c < k; c++)
		most = fmax(most, a[c * k + c]);
	for (size_t c = 0; c < k; c++)
		a[c * k + c] += most * 1e-14 + DBL_MIN;
	if (!hs_la_cholesky(a, k))
		return false;
	hs_la_cholesky_solve(a, k, t, 1);
	return true;
}

static void score_errors(size_t k, const double *factor, double *unit, double *sigma)
{
	for (size_t c = 0; c < k; c++) {
		memset(unit, 0, k * sizeof *unit);
		unit[c] = 1;
		hs_la_cholesky_solve(factor, k, unit, 1);
		sigma[c] = sqrt(fmax(unit[c], 0));
	}
}

/* The row's part in the normal equations of every channel: regressors are its scores and 1. */
static void add_row(const struct fit *f, const double *w, const double *x, const double *t, double *equations)
{
	const size_t k = f->k, size = packed(k), m = k + f->centred;
	for (size_t j = 0; j < f->p; j++) {
		if (w[j] == 0)
			continue;
		double *g = equations + j * size, *h = g + (k + 1) * (k + 2) / 2;
		for (size_t c = 0; c < m; c++) {
			const double wu = w[j] * (c < k ? t[c] : 1);
			h[c] += wu * x[j];
			for (size_t d = 0; d <= c; d++)
				*g++ += wu * (d < k ? t[d] : 1);
		}
	}
}

static void fit_block(struct fit *f, const struct hs_block *b, const double *variance, double *room, double *partial)
{
	const size_t p = f->p, k = f->k;
	double *w = room, *x = w + p, *a = x + p, *t = a + k * k, *unit = t + k;
	for (size_t i = 0; i < b->n_rows; i++) {
		const size_t row = b->first_row + i, n = weigh(f, b, i, variance ? variance + i * p : NULL, w, x);
		double *kept = f->t + row * k;
		if (n < k + 1 || !solve_row(f, w, x, a, t)) {
			for (size_t c = 0; c < k; c++)
				kept[c] = f->sigma[row * k + c] = NAN;
			continue;
		}
		memcpy(kept, t, k * sizeof *t);
		if (f->errors)
			score_errors(k, a, unit, f->sigma + row * k);
		if (f->update)
			add_row(f, w, x, t, partial + HEAD);
		partial[N_ROWS]++;
		partial[N_ELEMENTS] += (double)n;
		for (size_t j = 0; j < p; j++) {
			if (w[j] == 0)
				continue;
			double left = x[j];
			for (size_t c = 0; c < k; c++)
				left -= t[c] * f->v[c * p + j];
			partial[OBJECTIVE] += w[j] * left * left;
			partial[SQUARES] += left * left;
		}
	}
}

static int fit_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	struct fit *f = ctx;
	size_t n = 0;
	for (size_t b = 0; b < n_blocks; b++)
		n += block[b].n_rows;
	if (f->variances->rows && read_alongside(&f->beside, block[0].first_row, n, f->variance, err) < 0)
		return -1;
	struct hs_err own = { 0 };
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++) {
		struct hs_err mine = { 0 };
		double *partial = hs_tree_borrow(f->tree, &mine);
		if (!partial) {
#pragma omp critical(hs_mlpca_failure)
			own = mine;
			continue;
		}
		fit_block(f, &block[b], f->variances->rows ? f->variance + (block[b].first_row - block[0].first_row) * f->p : NULL,
			f->room + (size_t)omp_get_thread_num() * f->share, partial);
		hs_tree_put(f->tree, block[b].index, partial);
	}
	if (hs_failed(&own)) {
		*err = own;
		return -1;
	}
	return 0;
}

static void join(void *left, const void *right, const void *ctx)
{
	const size_t n = *(const size_t *)ctx;
	double *l = left;
	const double *r = right;
	for (size_t i = 0; i < n; i++)
		l[i] += r[i];
}

/* New spectra and mean from the sums of a pass. */
static void new_spectra(struct fit *f, const double *equations)
{
	const size_t k = f->k, m = k + f->centred, size = packed(k);
#pragma omp parallel for num_threads(hs_par_threads())
	for (size_t j = 0; j < f->p; j++) {
		double *a = f->room + (size_t)omp_get_thread_num() * f->share, *h = a + m * m, most = 0;
		const double *g = equations + j * size;
		memcpy(h, g + (k + 1) * (k + 2) / 2, m * sizeof *h);
		for (size_t c = 0; c < m; c++)
			for (size_t d = 0; d <= c; d++)
				a[c * m + d] = *g++;
		for (size_t c = 0; c < m; c++)
			most = fmax(most, a[c * m + c]);
		for (size_t c = 0; c < m; c++)
			a[c * m + c] += most * 1e-14 + DBL_MIN;
		if (!(most > 0) || !hs_la_cholesky(a, m))
			continue;                     /* nothing is known about this channel: it stays as it is */
		hs_la_cholesky_solve(a, m, h, 1);
		for (size_t c = 0; c < k; c++)
			f->v[c * f->p + j] = h[c];
		if (f->centred)
			f->mean[j] += h[k];
	}
}

/* One pass: scores for the present spectra; with update, spectra for those scores. */
static int pass(struct fit *f, bool update, bool errors, struct hs_err *err)
{
	const size_t values = HEAD + (update ? f->p * packed(f->k) : 0);
	f->update = update;
	f->errors = errors;
	f->tree = hs_tree_new(values * sizeof(double), join, &values, err);
	f->beside = (struct alongside){ .rows = f->variances->rows };
	int verdict = f->tree ? 0 : -1;
	if (verdict == 0 && f->variances->rows)
		verdict = f->variances->rows->rewind(f->variances->rows, err);
	if (verdict == 0)
		verdict = hs_waves_each(f->rows, "maximum likelihood", f->wave, fit_wave, f, err);
	const double *root = verdict == 0 ? hs_tree_root(f->tree, err) : NULL;
	verdict = root ? 0 : -1;
	if (root) {
		memcpy(f->sum, root, sizeof f->sum);
		if (!(root[N_ROWS] > 0))
			verdict = hs_fail(err, HS_BAD_DATA, "no spectrum has %zu elements whose variance is known and positive", f->k + 1);
		else if (!isfinite(root[OBJECTIVE]))
			verdict = hs_fail(err, HS_BAD_DATA, "values over their deviations are beyond float64: are these variances?");
		else if (update)
			new_spectra(f, root + HEAD);
	}
	hs_tree_free(f->tree);
	f->tree = NULL;
	return verdict;
}

/* Components become orthonormal, scores uncorrelated and, centred, of mean zero; eigenvalue (k) is their variance. */
static int turn(struct fit *f, double *eigenvalue, struct hs_err *err)
{
	const size_t p = f->p, k = f->k;
	double *q = hs_alloc(p, k * sizeof *q, err), *r = q ? hs_alloc(4 * k + 1, k * sizeof *r, err) : NULL;
	if (!r) {
		free(q);
		return -1;
	}
	double *c = r + k * k, *u = c + k * k, *product = u + k * k, *level = product + k * k, n = 0;
	for (size_t i = 0; i < f->n; i++)
		n += !isnan(f->t[i * k]);
	for (size_t i = 0; f->centred && i < f->n; i++)
		for (size_t a = 0; a < k && !isnan(f->t[i * k]); a++)
			level[a] += f->t[i * k + a] / n;
	for (size_t a = 0; a < k; a++)
		cblas_daxpy((int)p, level[a], f->v + a * p, 1, f->mean, 1);
	for (size_t i = 0; i < f->n; i++)
		for (size_t a = 0; a < k && !isnan(f->t[i * k]); a++)
			for (size_t b = 0; b < k; b++)
				c[a * k + b] += (f->t[i * k + a] - level[a]) * (f->t[i * k + b] - level[b]);
	for (size_t a = 0; a < k; a++)
		for (size_t j = 0; j < p; j++)
			q[j * k + a] = f->v[a * p + j];
	const int kk = (int)k;
	int verdict = hs_la_qr(q, p, k, true, r, err);
	if (verdict == 0) {
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kk, kk, kk, 1, r, kk, c, kk, 0, product, kk);
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, kk, kk, kk, 1, product, kk, r, kk, 0, c, kk);
		verdict = hs_la_eigh(c, k, k, eigenvalue, u, err);
	}
	if (verdict == 0)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, kk, (int)p, kk, 1, u, kk, q, kk, 0, f->v, (int)p);
	for (size_t a = 0; a < k; a++)
		eigenvalue[a] = fmax(eigenvalue[a], 0) / fmax(n - f->centred, 1);
	free(q);
	free(r);
	return verdict;
}

static int rounds(struct hs_mlpca *m, struct fit *f, bool (*stop)(void *), void *stop_ctx, struct hs_err *err)
{
	double before = INFINITY;
	m->converged = false;
	for (m->n_iter = 0; m->n_iter < MOST_ROUNDS && !m->converged; m->n_iter++) {
		if (m->n_iter && stop && stop(stop_ctx))
			break;
		if (pass(f, true, false, err) < 0)
			return -1;
		const double now = f->sum[OBJECTIVE];
		m->converged = now >= before * (1 - SETTLED) || now == 0;
		before = now;
	}
	if (pass(f, false, false, err) < 0)
		return -1;
	/* k spectra of p channels, k scores a row, the mean; less the k x k of turning one into the other */
	const double k = (double)f->k, p = (double)f->p;
	m->chi2 = f->sum[OBJECTIVE];
	m->freedom = f->sum[N_ELEMENTS] - f->sum[N_ROWS] * k - p * (k + f->centred) + k * (k + f->centred);
	m->fits = m->freedom > 0 && m->chi2 <= m->freedom + DEVIATIONS * sqrt(2 * m->freedom);
	hs_detail("maximum likelihood, %zu components: chi2 %.6g for %.6g degrees of freedom after %zu rounds", f->k, m->chi2,
		m->freedom, m->n_iter);
	return 0;
}

/* Room for k components. */
static bool make_room(struct hs_mlpca *m, struct fit *f, size_t k, struct hs_err *err)
{
	const size_t threads = (size_t)hs_par_threads();
	f->k = k;
	f->share = 2 * f->p + (k + 2) * (k + 3);
	free(f->t);
	free(m->sigma);
	free(f->room);
	f->t = f->room = m->sigma = NULL;
	const bool ok = (f->t = hs_alloc(f->n, k * sizeof(double), err)) && (m->sigma = hs_alloc(f->n, k * sizeof(double), err)) &&
		(f->room = hs_alloc(threads, f->share * sizeof(double), err));
	f->sigma = m->sigma;
	return ok;
}

/* The result as principal components; f->t goes to pca. */
static int hand_over(struct fit *f, struct hs_pca *pca, struct hs_err *err)
{
	struct hs_survey s;
	const struct hs_moments_options o = { .centre = f->centred ? HS_CENTRE_CHANNEL : HS_CENTRE_NONE, .exact = true };
	double *value = hs_alloc(f->k, sizeof *value, err), *basis = NULL, *part = NULL;
	int verdict = hs_survey_begin(&s, f->rows, &o, err);
	if (verdict == 0)
		verdict = value ? turn(f, value, err) : -1;
	if (verdict == 0)
		verdict = pass(f, false, true, err);
	if (verdict == 0) {
		basis = hs_alloc(f->k, f->p * sizeof *basis, err);
		part = basis ? hs_alloc(f->n, sizeof *part, err) : NULL;
	}
	if (!part) {
		free(value);
		free(basis);
		hs_survey_release(&s);
		return -1;
	}
	memcpy(basis, f->v, f->k * f->p * sizeof *basis);
	s.n_used = (size_t)f->sum[N_ROWS];
	s.divisor = fmax((double)s.n_used - f->centred, 1);
	s.total = f->sum[SQUARES] / s.divisor;
	for (size_t c = 0; c < f->k; c++)
		s.total += value[c];
	memcpy(s.frame.mean, f->mean, f->p * sizeof(double));
	memcpy(s.frame.shift, f->mean, f->centred ? f->p * sizeof(double) : 0);
	verdict = hs_pca_adopt(pca, &s, f->k, value, f->k, basis, DBL_EPSILON * (double)f->n, err);
	hs_survey_release(&s);
	for (size_t i = 0; i < f->n; i++)
		part[i] = isnan(f->t[i * f->k]) ? NAN : 0;
	double *t = f->t;
	f->t = NULL;
	if (verdict < 0) {
		free(t);
		free(part);
		return -1;
	}
	return hs_pca_keep(pca, f->n, t, part, err);
}

int hs_mlpca_find(struct hs_mlpca *m, struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_variances *variances,
	const struct hs_gaps *gaps, const struct hs_pca *start, size_t k, bool (*stop)(void *), void *stop_ctx, struct hs_err *err)
{
	const size_t n = rows->n_rows, p = rows->n_chan, most = k ? k : start->n_comp;
	*m = (struct hs_mlpca){ 0 };
	*pca = (struct hs_pca){ 0 };
	if (start->frame.poisson || start->frame.centre == HS_CENTRE_BOTH)
		return hs_fail(err, HS_USAGE, "known variances go with centre none or channel, without Poisson scaling");
	if (variances->rows && (variances->rows->n_rows != n || variances->rows->n_chan != p))
		return hs_fail(err, HS_BAD_DATA, "variances of %zu spectra of %zu channels for %zu of %zu", variances->rows->n_rows,
			variances->rows->n_chan, n, p);
	if (most < 1 || most > start->n_comp || most >= p)
		return hs_fail(err, HS_BAD_DATA, "%zu components of %zu channels leave nothing to compare the variances with", most, p);
	struct fit f = { .rows = rows, .variances = variances, .gaps = gaps, .n = n, .p = p,
		.centred = start->frame.centre == HS_CENTRE_CHANNEL, .wave = hs_framed_wave() };
	bool ok = (f.v = hs_alloc(most, p * sizeof(double), err)) && (f.mean = hs_alloc(p, sizeof(double), err)) &&
		(f.variance = hs_alloc(variances->rows ? f.wave * rows->block_rows : 0, p * sizeof(double), err));
	if (ok && f.centred)
		memcpy(f.mean, start->frame.mean, p * sizeof(double));
	if (ok)
		memcpy(f.v, start->basis, most * p * sizeof(double));
	int verdict = ok ? 0 : -1;
	for (size_t now = k ? k : 1; now <= most && verdict == 0 && !(m->fits && !k); now++) {
		/* what fewer components came to is where more of them start; the next one starts as it was */
		verdict = make_room(m, &f, now, err) ? rounds(m, &f, stop, stop_ctx, err) : -1;
		if (stop && stop(stop_ctx))
			break;
	}
	if (verdict == 0)
		verdict = hand_over(&f, pca, err);
	/* the sign rule turned scores; their deviations have none */
	free(f.v);
	free(f.mean);
	free(f.variance);
	free(f.room);
	free(f.t);
	return verdict;
}

void hs_mlpca_release(struct hs_mlpca *m)
{
	free(m->sigma);
	*m = (struct hs_mlpca){ 0 };
}

size_t hs_mlpca_bytes(size_t n_rows, size_t n_chan, size_t k, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : 1), wave = 2 * t < 16 ? 2 * t : 16, size = (k + 1) * (k + 2) / 2 + k + 1;
	size_t partials = t + 3;
	for (size_t b = n_rows / hs_block_rows(n_chan); b > 1; b /= 2)
		partials++;
	return (2 * n_rows * k + wave * hs_block_rows(n_chan) * n_chan + partials * n_chan * size + t * (2 * n_chan + 2 * size) +
		(3 * k + 4) * n_chan + n_rows) * sizeof(double);
}
