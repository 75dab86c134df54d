#include "cluster/gmm.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/clusters.h"
#include "math/la.h"
#include "math/moments.h"
#include "math/par.h"
#include "math/vector.h"

enum { CHUNK = 128, WAVE = 8 };         /* rows whose densities are found together; blocks of memberships in memory */

struct hs_gmm_options hs_gmm_defaults(size_t k)
{
	return (struct hs_gmm_options){ .k = k, .restarts = 10, .max_iter = 500, .tol = 1e-6, .floor = 1e-6 };
}

void hs_gmm_release(struct hs_gmm *g)
{
	free(g->weight);
	free(g->mean);
	free(g->cov);
	free(g->label);
	free(g->trace);
	free(g->shift);
	free(g->centre);
	free(g->white);
	free(g->log_norm);
	*g = (struct hs_gmm){ 0 };
}

/* Numbers of a covariance. */
static size_t cov_size(enum hs_covariance covariance, size_t p)
{
	return covariance == HS_COVARIANCE_FULL ? p * p : p;
}

/* ---- densities of a chunk of rows ---- */

struct chunk {
	size_t n;
	double *z, *d, *y;            /* CHUNK x p: rows, less a mean, whitened */
	double *r;                    /* CHUNK x k: log densities, then memberships */
	size_t index[CHUNK];          /* place in the block */
};

static size_t chunk_doubles(size_t p, size_t k)
{
	return CHUNK * (3 * p + k);
}

static struct chunk chunk_in(double *scratch, int thread, size_t p, size_t k)
{
	double *at = scratch + (size_t)thread * chunk_doubles(p, k);
	return (struct chunk){ .z = at, .d = at + CHUNK * p, .y = at + 2 * CHUNK * p, .r = at + 3 * CHUNK * p };
}

/* The next usable rows of a block from *from on, in coordinates z; 0 at its end. */
static size_t take_rows(const struct hs_gmm *g, const struct hs_block *block, size_t *from, struct chunk *c)
{
	const size_t p = g->n_chan;
	for (c->n = 0; c->n < CHUNK && *from < block->n_rows; ++*from) {
		if (block->skip[*from])
			continue;
		double *z = c->z + c->n * p;
		hs_block_row(block, *from, false, z);
		for (size_t j = 0; j < p; j++)
			z[j] = (z[j] - g->shift[j]) * g->scale;
		c->index[c->n++] = *from;
	}
	return c->n;
}

static void subtract_mean(const struct hs_gmm *g, size_t k, struct chunk *c)
{
	const size_t p = g->n_chan;
	for (size_t i = 0; i < c->n; i++)
		for (size_t j = 0; j < p; j++)
			c->d[i * p + j] = c->z[i * p + j] - g->centre[k * p + j];
}

static void log_densities(const struct hs_gmm *g, struct chunk *c)
{
	const size_t p = g->n_chan, size = cov_size(g->covariance, p);
	for (size_t k = 0; k < g->k; k++) {
		const double *white = g->white + k * size, *y = c->y;
		subtract_mean(g, k, c);
		if (g->covariance == HS_COVARIANCE_FULL)
			cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)c->n, (blasint)p, (blasint)p, 1, c->d, (blasint)p,
				white, (blasint)p, 0, c->y, (blasint)p);
		else
			for (size_t i = 0; i < c->n; i++)
				for (size_t j = 0; j < p; j++)
					c->y[i * p + j] = c->d[i * p + j] * white[j];
		for (size_t i = 0; i < c->n; i++)
			c->r[i * g->k + k] = g->log_norm[k] - hs_dot(y + i * p, y + i * p, p) / 2;
	}
}

/* Log densities become memberships; the logarithm of the sum of densities of the rows is returned. */
static double normalise(const struct hs_gmm *g, struct chunk *c, const struct hs_block *block, int32_t *label)
{
	double sum = 0;
	for (size_t i = 0; i < c->n; i++) {
		double *r = c->r + i * g->k, total = 0;
		size_t best = 0;
		for (size_t k = 1; k < g->k; k++)
			if (r[k] > r[best])
				best = k;
		const double top = r[best];
		for (size_t k = 0; k < g->k; k++)
			total += r[k] = exp(r[k] - top);
		for (size_t k = 0; k < g->k; k++)
			r[k] /= total;
		sum += top + log(total > 0 ? total : 1);
		if (label)
			label[block->first_row + c->index[i]] = (int32_t)best;
	}
	return sum;
}

/* ---- one pass: both steps ---- */

struct pass {
	const struct hs_gmm *g;
	const int32_t *given;         /* memberships are these labels (the start); NULL: by the densities */
	int32_t *label;               /* found; may be NULL */
	double *scratch;
	struct hs_tree *tree;         /* NULL: labels alone */
	size_t n_sums;                /* doubles of a partial */
};

/* A partial: log-likelihood; for each component its weight, its sum of d, its sum of d d^T (upper triangle) or d^2. */
static size_t n_sums(const struct hs_gmm *g)
{
	return 1 + g->k * (1 + g->n_chan + cov_size(g->covariance, g->n_chan));
}

static void add_moments(const struct hs_gmm *g, struct chunk *c, size_t k, double *sum)
{
	const size_t p = g->n_chan;
	double *first = sum + 1, *second = first + p;
	subtract_mean(g, k, c);
	for (size_t i = 0; i < c->n; i++) {
		const double r = c->r[i * g->k + k], root = sqrt(r);
		double *d = c->d + i * p;
		sum[0] += r;
		for (size_t j = 0; j < p; j++) {
			first[j] += r * d[j];
			d[j] *= root;
		}
	}
	if (g->covariance == HS_COVARIANCE_FULL)
		cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (blasint)p, (blasint)c->n, 1, c->d, (blasint)p, 1, second,
			(blasint)p);
	else
		for (size_t i = 0; i < c->n; i++)
			for (size_t j = 0; j < p; j++)
				second[j] += c->d[i * p + j] * c->d[i * p + j];
}

static void given_memberships(const struct pass *q, const struct hs_block *block, struct chunk *c)
{
	memset(c->r, 0, c->n * q->g->k * sizeof *c->r);
	for (size_t i = 0; i < c->n; i++) {
		const int32_t label = q->given[block->first_row + c->index[i]];
		if (label >= 0)
			c->r[i * q->g->k + (size_t)label] = 1;
	}
}

static int pass_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct pass *q = ctx;
	const struct hs_gmm *g = q->g;
	const size_t step = 1 + g->n_chan + cov_size(g->covariance, g->n_chan);
	struct chunk c = chunk_in(q->scratch, thread, g->n_chan, g->k);
	double *sum = q->tree ? hs_tree_borrow(q->tree, err) : NULL, log_likelihood = 0;
	if (q->tree && !sum)
		return -1;
	for (size_t i = 0; q->label && i < block->n_rows; i++)
		q->label[block->first_row + i] = -1;
	for (size_t from = 0; take_rows(g, block, &from, &c);) {
		if (q->given) {
			given_memberships(q, block, &c);
		} else {
			log_densities(g, &c);
			log_likelihood += normalise(g, &c, block, q->label);
		}
		for (size_t k = 0; sum && k < g->k; k++)
			add_moments(g, &c, k, sum + 1 + k * step);
	}
	if (sum) {
		sum[0] = log_likelihood;
		hs_tree_put(q->tree, block->index, sum);
	}
	return 0;
}

/* ---- the maximisation step ---- */

/* Raises the eigenvalues of c (both triangles) to low. */
static int raise_floor(double *c, size_t p, double low, struct hs_err *err)
{
	double *work = hs_alloc(p * p, sizeof *work, err), *vector = work ? hs_alloc(p * p, sizeof *vector, err) : NULL;
	double *value = vector ? hs_alloc(p, sizeof *value, err) : NULL;
	int verdict = value ? 0 : -1;
	if (verdict == 0) {
		memcpy(work, c, p * p * sizeof *c);
		for (size_t j = 0; j < p; j++)
			work[j * p + j] -= low;
		if (!hs_la_cholesky(work, p)) {               /* else all of them are above it */
			memcpy(work, c, p * p * sizeof *c);
			verdict = hs_la_eigh(work, p, p, value, vector, err);
			for (size_t e = 0; e < p && verdict == 0; e++) {
				const double root = sqrt(value[e] > low ? value[e] : low);
				for (size_t j = 0; j < p; j++)
					vector[e * p + j] *= root;
			}
			if (verdict == 0)
				cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)p, (blasint)p, (blasint)p, 1, vector,
					(blasint)p, vector, (blasint)p, 0, c, (blasint)p);
		}
	}
	free(work);
	free(vector);
	free(value);
	return verdict;
}

/* white = inverse of the Cholesky factor of c, and ln det c. */
static int whiten(const double *c, size_t p, double *white, double *log_det, struct hs_err *err)
{
	double *l = hs_alloc(p * p, sizeof *l, err);
	if (!l)
		return -1;
	memcpy(l, c, p * p * sizeof *l);
	if (!hs_la_cholesky(l, p)) {
		free(l);
		return hs_fail(err, HS_BAD_DATA, "a covariance of %zu channels is singular: the channels depend on each other", p);
	}
	*log_det = hs_la_cholesky_log_det(l, p);
	memset(white, 0, p * p * sizeof *white);
	for (size_t i = 0; i < p; i++) {
		white[i * p + i] = 1 / l[i * p + i];
		for (size_t m = 0; m < i; m++)                /* row i of the inverse from the rows above */
			for (size_t j = 0; j <= m; j++)
				white[i * p + j] -= l[i * p + m] * white[m * p + j] / l[i * p + i];
	}
	free(l);
	return 0;
}

/* Mean and covariance of one component from its sums, in place; below a count that rounding alone can make they stay. */
static int update_component(struct hs_gmm *g, size_t k, const double *sum, double low, struct hs_err *err)
{
	const size_t p = g->n_chan, size = cov_size(g->covariance, p);
	const double n = sum[0], *first = sum + 1, *second = first + p;
	double *mean = g->centre + k * p, *cov = g->cov + k * size;
	g->weight[k] = n / (double)g->n_used;
	if (n < 1e-9)
		return 0;
	if (g->covariance == HS_COVARIANCE_DIAG) {
		for (size_t j = 0; j < p; j++) {
			const double shift = first[j] / n, variance = second[j] / n - shift * shift;
			cov[j] = variance > low ? variance : low;
			mean[j] += shift;
		}
		return 0;
	}
	for (size_t i = 0; i < p; i++)
		for (size_t j = i; j < p; j++)
			cov[i * p + j] = cov[j * p + i] = (second[i * p + j] - first[i] * first[j] / n) / n;
	for (size_t j = 0; j < p; j++)
		mean[j] += first[j] / n;
	return raise_floor(cov, p, low, err);
}

/* What the densities need, from weight and cov. */
static int prepare(struct hs_gmm *g, struct hs_err *err)
{
	const size_t p = g->n_chan, size = cov_size(g->covariance, p);
	for (size_t k = 0; k < g->k; k++) {
		const double *cov = g->cov + k * size;
		double log_det = 0;
		if (g->covariance == HS_COVARIANCE_FULL && whiten(cov, p, g->white + k * size, &log_det, err) < 0)
			return -1;
		for (size_t j = 0; g->covariance == HS_COVARIANCE_DIAG && j < p; j++) {
			g->white[k * size + j] = 1 / sqrt(cov[j]);
			log_det += log(cov[j]);
		}
		g->log_norm[k] = log(g->weight[k]) - ((double)p * log(2 * M_PI) + log_det) / 2;
	}
	return 0;
}

/* ---- the iteration ---- */

struct em {
	struct hs_rowsource *rows;
	const struct hs_gmm_options *opt;
	struct hs_gmm next;           /* weight, centre, cov, white, log_norm of the model to come */
	double *scratch, low;
	size_t room;                  /* of the trace */
};

static int model_alloc(struct hs_gmm *g, size_t k, struct hs_err *err)
{
	const size_t p = g->n_chan, factor[] = { k, cov_size(g->covariance, p), sizeof(double) };
	size_t bytes;
	if (!hs_product(factor, HS_LEN(factor), &bytes))
		return hs_fail(err, HS_SYSTEM, "%zu covariances of %zu channels are more than memory can hold", k, p);
	g->k = k;
	return (g->weight = hs_alloc(k, sizeof(double), err)) && (g->centre = hs_alloc(k * p, sizeof(double), err)) &&
		(g->cov = hs_alloc(bytes, 1, err)) && (g->white = hs_alloc(bytes, 1, err)) &&
		(g->log_norm = hs_alloc(k, sizeof(double), err)) ? 0 : -1;
}

static void copy_model(struct hs_gmm *to, const struct hs_gmm *from)
{
	const size_t k = from->k, p = from->n_chan, size = cov_size(from->covariance, p);
	to->k = k;
	memcpy(to->weight, from->weight, k * sizeof(double));
	memcpy(to->centre, from->centre, k * p * sizeof(double));
	memcpy(to->cov, from->cov, k * size * sizeof(double));
	memcpy(to->white, from->white, k * size * sizeof(double));
	memcpy(to->log_norm, from->log_norm, k * sizeof(double));
}

/* One pass with the model g (or with given labels): its log-likelihood and labels, and in em->next the model that follows. */
static int step(struct em *em, struct hs_gmm *g, const int32_t *given, struct hs_err *err)
{
	const size_t size = 1 + g->n_chan + cov_size(g->covariance, g->n_chan);
	struct pass q = { .g = g, .given = given, .label = given ? NULL : g->label, .scratch = em->scratch, .n_sums = n_sums(g) };
	q.tree = hs_tree_new(q.n_sums * sizeof(double), hs_merge_sums, &q.n_sums, err);
	int verdict = q.tree ? hs_rows_each(em->rows, "mixture", pass_block, &q, err) : -1;
	const double *sum = verdict == 0 ? hs_tree_root(q.tree, err) : NULL;
	verdict = sum ? 0 : -1;
	if (sum) {
		g->log_likelihood = sum[0] + (double)g->n_used * (double)g->n_chan * log(g->scale);
		copy_model(&em->next, g);
	}
	for (size_t k = 0; k < g->k && verdict == 0; k++)
		verdict = update_component(&em->next, k, sum + 1 + k * size, em->low, err);
	hs_tree_free(q.tree);
	return verdict == 0 ? prepare(&em->next, err) : -1;
}

static void note(struct em *em, struct hs_gmm *g)
{
	if (g->n_iter == em->room) {
		em->room = em->room ? 2 * em->room : 64;
		g->trace = hs_must_resize(g->trace, em->room, sizeof *g->trace);
	}
	g->trace[g->n_iter++] = g->log_likelihood;
}

/* Takes out the components that are no row's first. The weights of the others sum to 1 again. */
static void bury(struct hs_gmm *g, const size_t *from, size_t alive)
{
	const size_t p = g->n_chan, size = cov_size(g->covariance, p), before = g->k;
	uint8_t *lives = hs_must_alloc(before, 1);
	double total = 0;
	size_t at = 0;
	for (size_t k = 0; k < alive; k++)
		lives[from[k]] = 1;
	for (size_t k = 0; k < before; k++) {
		if (!lives[k])
			continue;
		memmove(g->centre + at * p, g->centre + k * p, p * sizeof(double));
		memmove(g->cov + at * size, g->cov + k * size, size * sizeof(double));
		g->weight[at] = g->weight[k];
		total += g->weight[at++];
	}
	for (size_t k = 0; k < at; k++)
		g->weight[k] /= total;
	g->k = at;
	free(lives);
}

/* Until the likelihood stands still. The labels and the likelihood in g are then those of its model. */
static int iterate(struct em *em, struct hs_gmm *g, struct hs_err *err)
{
	const struct hs_gmm_options *o = em->opt;
	double before = -INFINITY;
	for (;;) {
		if (step(em, g, NULL, err) < 0)
			return -1;
		note(em, g);
		const bool settled = (g->log_likelihood - before) / (double)g->n_used < o->tol && isfinite(before);
		if (settled || g->n_iter >= o->max_iter) {
			g->status = settled ? HS_KMEANS_CONVERGED : HS_KMEANS_MAXITER;
			return 0;
		}
		if (o->stop && o->stop(o->stop_ctx)) {
			g->status = HS_KMEANS_STOPPED;
			return 0;
		}
		before = g->log_likelihood;
		copy_model(g, &em->next);
	}
}

/* Components in the order of their clusters. */
static int put_in_order(struct em *em, struct hs_gmm *g, const size_t *from, struct hs_err *err)
{
	const size_t p = g->n_chan, size = cov_size(g->covariance, p);
	int32_t *place = hs_alloc(g->k, sizeof *place, err);
	if (!place)
		return -1;
	copy_model(&em->next, g);
	for (size_t c = 0; c < g->k; c++) {
		const size_t k = from[c];
		place[k] = (int32_t)c;
		g->weight[c] = em->next.weight[k];
		g->log_norm[c] = em->next.log_norm[k];
		memcpy(g->centre + c * p, em->next.centre + k * p, p * sizeof(double));
		memcpy(g->cov + c * size, em->next.cov + k * size, size * sizeof(double));
		memcpy(g->white + c * size, em->next.white + k * size, size * sizeof(double));
	}
	for (size_t i = 0; i < g->n_rows; i++)
		g->label[i] = g->label[i] < 0 ? -1 : place[g->label[i]];
	free(place);
	return 0;
}

/* To the end, without the components that died on the way: each time some are buried there is another pass at least, so that
 * labels and likelihood are those of the components left. */
static int fit(struct em *em, struct hs_gmm *g, struct hs_err *err)
{
	size_t *from = hs_alloc(g->k, sizeof *from, err);
	int verdict = from ? iterate(em, g, err) : -1;
	while (verdict == 0) {
		const size_t alive = hs_order_clusters(g->label, g->n_rows, g->k, from, err);
		if (hs_failed(err) || alive == g->k)
			break;
		bury(g, from, alive);
		verdict = prepare(g, err);
		if (verdict == 0)
			verdict = iterate(em, g, err);
	}
	if (verdict == 0)
		verdict = hs_failed(err) ? -1 : put_in_order(em, g, from, err);
	free(from);
	return verdict;
}

/* ---- from k-means to the result ---- */

/* Where z has its origin and its unit: the mean of all rows, and a power of two near their mean standard deviation. */
static void find_space(const struct hs_kmeans *km, struct hs_gmm *g)
{
	const size_t p = g->n_chan;
	for (size_t c = 0; c < km->k; c++)
		for (size_t j = 0; j < p; j++)
			g->shift[j] += km->mean[c * p + j] * ((double)km->size[c] / (double)km->n_used);
	const double variance = km->total / ((double)km->n_used * (double)p);
	g->scale = variance > 0 ? exp2(-rint(log2(variance) / 2)) : 1;
}

/* Back to the unit of the rows. */
static void finish(struct hs_gmm *g)
{
	const size_t p = g->n_chan, size = cov_size(g->covariance, p);
	for (size_t i = 0; i < g->k * p; i++)
		g->mean[i] = g->centre[i] / g->scale + g->shift[i % p];
	for (size_t i = 0; i < g->k * size; i++)
		g->cov[i] = g->cov[i] / g->scale / g->scale;
	g->n_free = g->k - 1 + g->k * p + g->k * (g->covariance == HS_COVARIANCE_FULL ? p * (p + 1) / 2 : p);
	g->bic = (double)g->n_free * log((double)g->n_used) - 2 * g->log_likelihood;
}

/* All rows are the same: one component, of the floor alone; there is no density. */
static void single_point(struct hs_gmm *g, const struct hs_kmeans *km, double low)
{
	const size_t p = g->n_chan;
	g->k = 1;
	g->weight[0] = 1;
	for (size_t j = 0; j < p; j++)
		g->cov[g->covariance == HS_COVARIANCE_FULL ? j * p + j : j] = low;
	memcpy(g->label, km->label, g->n_rows * sizeof *g->label);
	g->log_likelihood = NAN;
	g->status = HS_KMEANS_CONVERGED;
}

static int start(struct em *em, const struct hs_kmeans *km, struct hs_gmm *g, struct hs_err *err)
{
	const size_t p = g->n_chan;
	if (!(g->shift = hs_alloc(p, sizeof(double), err)) || model_alloc(g, km->k, err) < 0 ||
		!(g->mean = hs_alloc(km->k * p, sizeof(double), err)))
		return -1;
	find_space(km, g);
	const double variance = km->total / ((double)km->n_used * (double)p) * g->scale * g->scale;
	em->low = em->opt->floor * (variance > 0 ? variance : 1);
	if (!(variance > 0)) {
		single_point(g, km, em->low);
		return prepare(g, err);
	}
	em->next = (struct hs_gmm){ .n_used = g->n_used, .n_chan = p, .covariance = g->covariance };
	em->scratch = hs_alloc((size_t)hs_par_threads() * chunk_doubles(p, km->k), sizeof(double), err);
	if (!em->scratch || model_alloc(&em->next, km->k, err) < 0)
		return -1;
	for (size_t c = 0; c < km->k; c++)
		for (size_t j = 0; j < p; j++)
			g->centre[c * p + j] = (km->mean[c * p + j] - g->shift[j]) * g->scale;
	if (step(em, g, km->label, err) < 0)
		return -1;
	copy_model(g, &em->next);
	return fit(em, g, err);
}

int hs_gmm(struct hs_rowsource *rows, const struct hs_gmm_options *opt, struct hs_gmm *out, struct hs_err *err)
{
	struct hs_kmeans_options o = hs_kmeans_defaults(opt->k);
	struct hs_kmeans km = { 0 };
	struct em em = { .rows = rows, .opt = opt };
	*out = (struct hs_gmm){ .n_rows = rows->n_rows, .n_chan = rows->n_chan, .covariance = opt->covariance };
	if (!opt->k || !opt->max_iter || !(opt->floor > 0))
		return hs_fail(err, HS_USAGE, "a mixture needs at least one component, one iteration and a floor above 0");
	o.restarts = opt->restarts;
	o.seed = opt->seed;
	o.stop = opt->stop;
	o.stop_ctx = opt->stop_ctx;
	int verdict = hs_kmeans(rows, &o, &km, err);
	out->n_used = km.n_used;
	if (verdict == 0 && !(out->label = hs_alloc(rows->n_rows, sizeof *out->label, err)))
		verdict = -1;
	for (size_t i = 0; verdict == 0 && i < rows->n_rows; i++)
		out->label[i] = -1;
	if (verdict == 0 && km.k && (verdict = start(&em, &km, out, err)) == 0)
		finish(out);
	hs_kmeans_release(&km);
	hs_gmm_release(&em.next);
	free(em.scratch);
	if (verdict < 0)
		hs_gmm_release(out);
	return verdict;
}

/* ---- passes over rows, with a model that is there ---- */

int hs_gmm_labels(const struct hs_gmm *gmm, struct hs_rowsource *rows, int32_t *label, struct hs_err *err)
{
	struct pass q = { .g = gmm, .label = label };
	if (rows->n_chan != gmm->n_chan)
		return hs_fail(err, HS_BAD_DATA, "the mixture has %zu channels, the spectra %zu", gmm->n_chan, rows->n_chan);
	q.scratch = hs_alloc((size_t)hs_par_threads() * chunk_doubles(gmm->n_chan, gmm->k), sizeof(double), err);
	const int verdict = q.scratch ? hs_rows_each(rows, NULL, pass_block, &q, err) : -1;
	free(q.scratch);
	return verdict;
}

struct memberships {
	const struct hs_gmm *g;
	double *scratch;
	size_t block_rows;
	float *out;                   /* WAVE blocks */
	hs_rows_put put;
	void *ctx;
};

static void memberships_block(const struct memberships *m, const struct hs_block *block, int thread, float *out)
{
	const struct hs_gmm *g = m->g;
	struct chunk c = chunk_in(m->scratch, thread, g->n_chan, g->k);
	for (size_t i = 0; i < block->n_rows * g->k; i++)
		out[i] = NAN;
	for (size_t from = 0; take_rows(g, block, &from, &c);) {
		log_densities(g, &c);
		normalise(g, &c, block, NULL);
		for (size_t i = 0; i < c.n; i++)
			for (size_t k = 0; k < g->k; k++)
				out[c.index[i] * g->k + k] = (float)c.r[i * g->k + k];
	}
}

static int memberships_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	const struct memberships *m = ctx;
	size_t n_rows = 0;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++)
		memberships_block(m, &block[b], omp_get_thread_num(), m->out + b * m->block_rows * m->g->k);
	for (size_t b = 0; b < n_blocks; b++)
		n_rows += block[b].n_rows;    /* only the last block may be short: one piece */
	return m->put(m->ctx, block[0].first_row, n_rows, m->out, err);
}

int hs_gmm_memberships(const struct hs_gmm *gmm, struct hs_rowsource *rows, hs_rows_put put, void *ctx, struct hs_err *err)
{
	struct memberships m = { .g = gmm, .block_rows = rows->block_rows, .put = put, .ctx = ctx };
	if (rows->n_chan != gmm->n_chan)
		return hs_fail(err, HS_BAD_DATA, "the mixture has %zu channels, the spectra %zu", gmm->n_chan, rows->n_chan);
	m.scratch = hs_alloc((size_t)hs_par_threads() * chunk_doubles(gmm->n_chan, gmm->k), sizeof(double), err);
	m.out = m.scratch ? hs_alloc(WAVE * rows->block_rows, gmm->k * sizeof(float), err) : NULL;
	const int verdict = m.out ? hs_waves_each(rows, "memberships", WAVE, memberships_wave, &m, err) : -1;
	free(m.scratch);
	free(m.out);
	return verdict;
}

double hs_gmm_bytes(size_t n_rows, size_t n_chan, size_t k, enum hs_covariance covariance, size_t restarts, int threads)
{
	const double p = (double)n_chan, n = (double)n_rows, comps = (double)k, size = covariance == HS_COVARIANCE_FULL ? p * p : p;
	const double model = 8 * comps * (2 * size + 2 * p + 2), chunks = 8.0 * CHUNK * threads * (3 * p + comps);
	const double sums = 8 * (1 + comps * (1 + p + size)) * hs_partials_alive(n, n_chan, threads);
	const double km = (double)hs_kmeans_bytes(n_rows, n_chan, k, restarts, threads),
		     result = 4 * n + 24 * comps * p + 24 * size;
	const double wave = 4 * comps * WAVE * (double)hs_block_rows(n_chan);
	const double fitting = 4 * n + 24 * comps * p + 2 * model + chunks + sums + 24 * size,
		     after = model + chunks + wave;
	return result + (km > fitting ? km : fitting > after ? fitting : after);
}
