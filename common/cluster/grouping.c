#include "cluster/grouping.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cluster/dbscan.h"
#include "cluster/hdbscan.h"
#include "cluster/minibatch.h"
#include "cluster/spectral.h"

/* A method at work: what it clusters, and what it found last and best when numbers are tried out. */
struct job {
	const struct hs_grouping_options *opt;
	struct hs_grouping *out;
	struct hs_rowsource *rows;    /* the source, or the coordinates */
	int32_t *last, *best;         /* labels of rows; last may be borrowed by hs_choose */
	size_t last_k, best_k;
	struct hs_gmm last_gmm, best_gmm;
	struct hs_k_row row;          /* how the last ended */
	struct hs_k_row best_row;
};

static struct hs_kmeans_options kmeans_options(const struct hs_grouping_options *o, size_t k)
{
	struct hs_kmeans_options km = hs_kmeans_defaults(k);
	km.restarts = o->restarts;
	km.max_iter = o->max_iter;
	km.tol = o->tol;
	km.seed = o->seed;
	km.stop = o->stop;
	km.stop_ctx = o->stop_ctx;
	return km;
}

/* ---- numbers that are tried out: a way for hs_choose, also used for one number ---- */

/* Labels for k clusters of rows into j->last. */
typedef int (*make_fn)(struct job *j, struct hs_rowsource *rows, size_t k, int32_t **label, struct hs_k_row *row,
	struct hs_err *err);

static int make_minibatch(struct job *j, struct hs_rowsource *rows, size_t k, int32_t **label, struct hs_k_row *row,
	struct hs_err *err)
{
	struct hs_kmeans_options o = kmeans_options(j->opt, k);
	struct hs_minibatch_result r;
	o.spherical = j->opt->angle;
	if (hs_minibatch_run(rows, &o, &r, err) < 0)
		return -1;
	*label = r.label;
	row->found = r.k;
	row->n_iter = r.n_iter;
	row->status = r.status;
	return 0;
}

static struct hs_gmm_options gmm_options(const struct hs_grouping_options *o, size_t k)
{
	struct hs_gmm_options g = hs_gmm_defaults(k);
	g.covariance = o->covariance;
	g.restarts = o->restarts;
	g.max_iter = o->max_iter;
	g.tol = o->tol;
	g.seed = o->seed;
	g.stop = o->stop;
	g.stop_ctx = o->stop_ctx;
	return g;
}

static int make_gmm(struct job *j, struct hs_rowsource *rows, size_t k, int32_t **label, struct hs_k_row *row, struct hs_err *err)
{
	const struct hs_gmm_options o = gmm_options(j->opt, k);
	hs_gmm_release(&j->last_gmm);
	if (hs_gmm(rows, &o, &j->last_gmm, err) < 0)
		return -1;
	*label = j->last_gmm.label;
	j->last_gmm.label = NULL;
	row->found = j->last_gmm.k;
	row->bic = j->last_gmm.bic;
	row->n_iter = j->last_gmm.n_iter;
	row->status = j->last_gmm.status;
	return 0;
}

/* The tree is there: k clusters are a cut. */
static int make_ward(struct job *j, struct hs_rowsource *rows, size_t k, int32_t **label, struct hs_k_row *row,
	struct hs_err *err)
{
	const struct hs_dendrogram *tree = &j->out->tree;
	int32_t *of_leaf = hs_alloc(tree->n, sizeof *of_leaf, err);
	*label = of_leaf ? hs_alloc(rows->n_rows, sizeof **label, err) : NULL;
	row->found = *label ? hs_dendrogram_cut(tree, k, of_leaf, err) : 0;
	for (size_t i = 0; row->found && i < rows->n_rows; i++)
		(*label)[i] = of_leaf[j->out->leaf[i]];
	free(of_leaf);
	return row->found ? 0 : -1;
}

/* Ward of the rows that half does not skip, which are few. */
static int ward_of_half(struct hs_rowsource *half, size_t k, int32_t *label, struct hs_err *err)
{
	struct hs_coordinates z;
	struct hs_dendrogram tree = { 0 };
	const struct hs_ward_options o = { 0 };
	if (hs_coordinates_find(half, half->n_chan, false, &z, err) < 0)
		return -1;
	int32_t *of_leaf = hs_alloc(z.n_used, sizeof *of_leaf, err);
	int verdict = of_leaf ? 0 : -1;
	for (size_t i = 0; i < half->n_rows; i++)
		label[i] = -1;
	if (verdict == 0 && z.n_used)
		verdict = hs_ward(z.x, z.n_used, z.n_chan, &o, &tree, err) < 0 || !hs_dendrogram_cut(&tree, k, of_leaf, err) ? -1 : 0;
	for (size_t i = 0; verdict == 0 && i < z.n_used; i++)
		label[z.row[i]] = of_leaf[i];
	free(of_leaf);
	hs_dendrogram_release(&tree);
	hs_coordinates_release(&z);
	return verdict;
}

static make_fn maker(enum hs_method method)
{
	return method == HS_BY_GMM ? make_gmm : method == HS_BY_WARD ? make_ward : make_minibatch;
}

static int way_make(void *ctx, size_t k, const int32_t **label, struct hs_k_row *row, struct hs_err *err)
{
	struct job *j = ctx;
	free(j->last);
	j->last = NULL;
	if (maker(j->opt->method)(j, j->rows, k, &j->last, row, err) < 0)
		return -1;
	j->last_k = row->found;
	j->row = *row;
	*label = j->last;
	return 0;
}

static void way_keep(void *ctx)
{
	struct job *j = ctx;
	free(j->best);
	hs_gmm_release(&j->best_gmm);
	j->best = j->last;
	j->best_k = j->last_k;
	j->best_row = j->row;
	j->best_gmm = j->last_gmm;
	j->last = NULL;
	j->last_gmm = (struct hs_gmm){ 0 };
}

static int way_again(void *ctx, struct hs_rowsource *half, struct hs_rowsource *all, size_t k, int32_t *label, struct hs_err *err)
{
	struct job *j = ctx, own = { .opt = j->opt };
	struct hs_k_row row = { 0 };
	int32_t *of_half = NULL;
	int verdict;
	if (j->opt->method == HS_BY_WARD) {
		of_half = hs_alloc(half->n_rows, sizeof *of_half, err);
		verdict = of_half ? ward_of_half(half, k, of_half, err) : -1;
		row.found = k;
	} else {
		verdict = maker(j->opt->method)(&own, half, k, &of_half, &row, err);
	}
	if (verdict == 0 && j->opt->method == HS_BY_GMM && row.found)
		verdict = hs_gmm_labels(&own.last_gmm, all, label, err);
	else if (verdict == 0)
		verdict = hs_label_by_means(half, of_half, all, row.found, j->opt->angle && !j->out->z.x, label, err);
	hs_gmm_release(&own.last_gmm);
	free(of_half);
	return verdict;
}

/* One number, or the best of several. */
static int make_or_choose(struct job *j, struct hs_err *err)
{
	const struct hs_grouping_options *o = j->opt;
	const bool by_bic = o->method == HS_BY_GMM;
	const struct hs_k_way way = { .make = way_make, .keep = way_keep, .again = way_again, .ctx = j,
		.unit = o->angle && !j->out->z.x, .by_bic = by_bic, .seed = o->seed, .stop = o->stop, .stop_ctx = o->stop_ctx };
	const int32_t *label;
	struct hs_k_row row = { 0 };
	int verdict;
	if (o->k) {
		verdict = way_make(j, o->k, &label, &row, err);
		if (verdict == 0)
			way_keep(j);
	} else {
		verdict = hs_choose(j->rows, by_bic ? 1 : 2, o->k_max, &way, &j->out->table, err);
	}
	j->out->n_iter = j->best_row.n_iter;
	j->out->status = j->best_row.status;
	j->out->gmm = j->best_gmm;
	j->best_gmm = (struct hs_gmm){ 0 };
	return verdict;
}

/* ---- Ward's tree ---- */

/* Small clusters to begin with; their means (z's coordinates) and sizes. */
static int small_clusters(struct job *j, struct hs_kmeans *km, double **weight, struct hs_err *err)
{
	struct hs_kmeans_options o = hs_kmeans_defaults(HS_WARD_LEAVES);
	o.restarts = 1;
	o.max_iter = 10;
	o.seed = j->opt->seed;
	o.stop = j->opt->stop;
	o.stop_ctx = j->opt->stop_ctx;
	hs_stage("%zu spectra are merged into %d small clusters first", j->rows->n_rows, HS_WARD_LEAVES);
	if (hs_kmeans(j->rows, &o, km, err) < 0 || !(*weight = hs_alloc(km->k, sizeof **weight, err)))
		return -1;
	for (size_t c = 0; c < km->k; c++)
		(*weight)[c] = (double)km->size[c];
	return 0;
}

static int connected_tree(struct job *j, const struct hs_ward_options *ward, struct hs_err *err)
{
	const struct hs_grouping_options *o = j->opt;
	const struct hs_coordinates *z = &j->out->z;
	size_t *point = hs_alloc(z->n_rows, sizeof *point, err), n_edges = 0, *edge = NULL;
	for (size_t i = 0; point && i < z->n_rows; i++)
		point[i] = HS_NO_POINT;
	for (size_t i = 0; point && i < z->n_used; i++)
		point[z->row[i]] = i;
	edge = point ? hs_grid_edges(point, o->n_maps, o->n_y, o->n_x, &n_edges, err) : NULL;
	free(point);
	const int verdict = edge ? hs_ward_connected(z->x, z->n_used, z->n_chan, edge, n_edges, ward, &j->out->tree, err) : -1;
	free(edge);
	return verdict;
}

static int grow_tree(struct job *j, struct hs_err *err)
{
	struct hs_grouping *out = j->out;
	const struct hs_coordinates *z = &out->z;
	struct hs_ward_options ward = { .stop = j->opt->stop, .stop_ctx = j->opt->stop_ctx };
	struct hs_kmeans km = { 0 };
	double *weight = NULL;
	int verdict;
	if (!(out->leaf = hs_alloc(z->n_used, sizeof *out->leaf, err)))
		return -1;
	for (size_t i = 0; i < z->n_used; i++)
		out->leaf[i] = (int32_t)i;
	if (j->opt->connected) {
		verdict = connected_tree(j, &ward, err);
	} else if (z->n_used <= HS_WARD_WHOLE) {
		verdict = hs_ward(z->x, z->n_used, z->n_chan, &ward, &out->tree, err);
	} else {
		verdict = small_clusters(j, &km, &weight, err);
		ward.weight = weight;
		if (verdict == 0)
			verdict = hs_ward(km.mean, km.k, z->n_chan, &ward, &out->tree, err);
		for (size_t i = 0; verdict == 0 && i < z->n_used; i++)
			out->leaf[i] = km.label[i];
		hs_kmeans_release(&km);
		free(weight);
	}
	return verdict;
}

static int by_ward(struct job *j, struct hs_err *err)
{
	struct hs_grouping *out = j->out;
	if (grow_tree(j, err) < 0)
		return -1;
	if (out->tree.stopped) {
		out->status = HS_KMEANS_STOPPED;
		return 0;
	}
	if (make_or_choose(j, err) < 0)
		return -1;
	int32_t *leaf = hs_coordinates_labels(&out->z, out->leaf, err);
	free(out->leaf);
	out->leaf = leaf;
	return leaf ? 0 : -1;
}

/* ---- density and graphs ---- */

static int by_dbscan(struct job *j, struct hs_err *err)
{
	const struct hs_coordinates *z = &j->out->z;
	struct hs_dbscan_options o = hs_dbscan_defaults(z->n_chan);
	struct hs_dbscan r;
	o.eps = isnan(j->opt->eps) ? -1 : j->opt->eps;
	o.min_points = j->opt->min_points ? j->opt->min_points : o.min_points;
	o.stop = j->opt->stop;
	o.stop_ctx = j->opt->stop_ctx;
	if (hs_dbscan(z->x, z->n_used, z->n_chan, &o, &r, err) < 0)
		return -1;
	j->best = r.label;
	j->best_k = r.k;
	r.label = NULL;
	j->out->eps = r.eps;
	j->out->n_core = r.n_core;
	j->out->min_points = o.min_points;
	j->out->status = r.stopped ? HS_KMEANS_STOPPED : HS_KMEANS_CONVERGED;
	hs_dbscan_release(&r);
	return 0;
}

/* Values of the coordinates' rows spread over all rows. */
static float *spread(const struct hs_coordinates *z, const double *value, struct hs_err *err)
{
	float *all = hs_alloc(z->n_rows, sizeof *all, err);
	for (size_t i = 0; all && i < z->n_rows; i++)
		all[i] = NAN;
	for (size_t i = 0; all && i < z->n_used; i++)
		all[z->row[i]] = (float)value[i];
	return all;
}

static int by_hdbscan(struct job *j, struct hs_err *err)
{
	struct hs_grouping *out = j->out;
	const struct hs_coordinates *z = &out->z;
	struct hs_hdbscan_options o = hs_hdbscan_defaults(z->n_used);
	struct hs_hdbscan r;
	o.min_cluster_size = j->opt->min_size ? j->opt->min_size : o.min_cluster_size;
	o.min_points = j->opt->min_points ? j->opt->min_points : o.min_points < o.min_cluster_size ? o.min_points : o.min_cluster_size;
	o.stop = j->opt->stop;
	o.stop_ctx = j->opt->stop_ctx;
	if (hs_hdbscan(z->x, z->n_used, z->n_chan, &o, &r, err) < 0)
		return -1;
	j->best = r.label;
	j->best_k = r.k;
	r.label = NULL;
	out->min_points = o.min_points;
	out->min_size = o.min_cluster_size;
	out->status = r.stopped ? HS_KMEANS_STOPPED : HS_KMEANS_CONVERGED;
	out->strength = spread(z, r.strength, err);
	out->outlier = out->strength ? spread(z, r.outlier, err) : NULL;
	hs_hdbscan_release(&r);
	return out->outlier ? 0 : -1;
}

static int by_spectral(struct job *j, struct hs_err *err)
{
	struct hs_grouping *out = j->out;
	const struct hs_coordinates *z = &out->z;
	struct hs_spectral_options o = hs_spectral_defaults(j->opt->k);
	struct hs_spectral r;
	o.k_max = j->opt->k_max;
	o.restarts = j->opt->restarts;
	o.seed = j->opt->seed;
	o.stop = j->opt->stop;
	o.stop_ctx = j->opt->stop_ctx;
	if (hs_spectral(z->x, z->n_used, z->n_chan, &o, &r, err) < 0)
		return -1;
	j->best = r.label;
	j->best_k = r.k;
	out->eigenvalue = r.eigenvalue;
	out->n_eig = r.n_eig;
	r.label = NULL;
	r.eigenvalue = NULL;
	out->status = r.status == HS_SPECTRAL_STOPPED ? HS_KMEANS_STOPPED : r.status == HS_SPECTRAL_MAXITER ? HS_KMEANS_MAXITER
		: HS_KMEANS_CONVERGED;
	if (r.landmarks)
		hs_stage("%zu of the spectra stand for all", r.n_vertices);
	hs_spectral_release(&r);
	return 0;
}

static int by_kmeans(struct job *j, struct hs_err *err)
{
	struct hs_kmeans_options o = kmeans_options(j->opt, j->opt->k);
	struct hs_kmeans r;
	o.spherical = j->opt->angle;
	if (j->opt->k) {
		if (hs_kmeans(j->rows, &o, &r, err) < 0)
			return -1;
	} else {
		if (hs_choose_k(j->rows, 2, j->opt->k_max, &o, &j->out->table, err) < 0)
			return -1;
		r = j->out->table.result;
		j->out->table.result = (struct hs_kmeans){ 0 };
	}
	j->best = r.label;
	j->best_k = r.k;
	r.label = NULL;
	j->out->inertia = r.inertia;
	j->out->total = r.total;
	j->out->n_optima = r.n_optima;
	j->out->n_iter = r.n_iter;
	j->out->status = r.status;
	hs_kmeans_release(&r);
	return 0;
}

/* ---- the whole ---- */

static bool wants_coordinates(enum hs_method method)
{
	return method != HS_BY_KMEANS && method != HS_BY_MINIBATCH;
}

static int find(struct job *j, struct hs_err *err)
{
	static int (*const how[])(struct job *, struct hs_err *) = { [HS_BY_KMEANS] = by_kmeans, [HS_BY_GMM] = make_or_choose,
		[HS_BY_WARD] = by_ward, [HS_BY_DBSCAN] = by_dbscan, [HS_BY_HDBSCAN] = by_hdbscan, [HS_BY_SPECTRAL] = by_spectral,
		[HS_BY_MINIBATCH] = make_or_choose };
	return how[j->opt->method](j, err);
}

/* Labels of all rows of the source; none when the deadline came first. */
static int settle(struct job *j, size_t n_rows, struct hs_err *err)
{
	struct hs_grouping *out = j->out;
	out->k = j->best ? j->best_k : 0;
	if (out->z.row && j->best) {
		out->label = hs_coordinates_labels(&out->z, j->best, err);
	} else if (j->best) {
		out->label = j->best;
		j->best = NULL;
	} else if ((out->label = hs_alloc(n_rows, sizeof *out->label, err))) {
		memset(out->label, 0xff, n_rows * sizeof *out->label);        /* all -1 */
	}
	if (!out->label)
		return -1;
	for (size_t i = 0; !out->z.row && i < n_rows; i++)
		out->n_used += out->label[i] >= 0;
	return 0;
}

int hs_group(struct hs_rowsource *rows, const struct hs_grouping_options *opt, struct hs_grouping *out, struct hs_err *err)
{
	struct job j = { .opt = opt, .out = out, .rows = rows };
	int verdict = 0;
	*out = (struct hs_grouping){ .n_rows = rows->n_rows, .inertia = NAN, .total = NAN, .eps = NAN };
	if (opt->connected && opt->n_maps * opt->n_y * opt->n_x != rows->n_rows)
		return hs_fail(err, HS_BUG, "%zu maps of %zu x %zu pixels are not %zu rows", opt->n_maps, opt->n_y, opt->n_x, rows->n_rows);
	if (wants_coordinates(opt->method)) {
		verdict = hs_coordinates_find(rows, opt->coordinates, opt->angle, &out->z, err);
		out->n_used = out->z.n_used;
		if (verdict == 0 && out->z.projected)
			hs_stage("%zu channels are reduced to %zu principal components, %.4g of the variance", rows->n_chan, out->z.n_chan,
				out->z.share);
		if (verdict == 0 && out->n_used)
			verdict = (j.rows = hs_array_rows_new(out->z.x, HS_ROW_F64, out->n_used, out->z.n_chan, NULL, err)) ? 0 : -1;
	}
	if (verdict == 0 && (out->n_used || !wants_coordinates(opt->method)))
		verdict = find(&j, err);
	if (verdict == 0)
		verdict = settle(&j, rows->n_rows, err);
	if (j.rows != rows)
		hs_array_rows_free(j.rows);
	free(j.last);
	free(j.best);
	hs_gmm_release(&j.last_gmm);
	hs_gmm_release(&j.best_gmm);
	if (verdict < 0)
		hs_grouping_release(out);
	return verdict;
}

void hs_grouping_release(struct hs_grouping *g)
{
	free(g->label);
	free(g->leaf);
	free(g->strength);
	free(g->outlier);
	free(g->eigenvalue);
	hs_coordinates_release(&g->z);
	hs_k_table_release(&g->table);
	hs_gmm_release(&g->gmm);
	hs_dendrogram_release(&g->tree);
	*g = (struct hs_grouping){ 0 };
}

int hs_grouping_judge(const struct hs_grouping *grouping, struct hs_rowsource *rows, const int32_t *label, size_t k,
	const struct hs_grouping_options *opt, double *silhouette, struct hs_dispersion *dispersion, struct hs_err *err)
{
	const struct hs_coordinates *z = &grouping->z;
	if (!z->x)
		return hs_silhouette(rows, label, k, opt->angle ? HS_COSINE : HS_EUCLIDEAN, opt->seed, silhouette, NULL, err) < 0 ? -1 :
			hs_dispersion(rows, label, k, opt->angle, dispersion, err);
	struct hs_rowsource *of = hs_array_rows_new(z->x, HS_ROW_F64, z->n_used, z->n_chan, NULL, err);
	int32_t *own = of ? hs_alloc(z->n_used, sizeof *own, err) : NULL;
	for (size_t i = 0; own && i < z->n_used; i++)
		own[i] = label[z->row[i]];
	const int verdict = !own || hs_silhouette(of, own, k, HS_EUCLIDEAN, opt->seed, silhouette, NULL, err) < 0 ? -1 :
		hs_dispersion(of, own, k, false, dispersion, err);
	hs_array_rows_free(of);
	free(own);
	return verdict;
}

/* ---- memberships ---- */

enum { STRIP = 4096 };

struct spreading {
	const struct hs_grouping *g;
	const size_t *from;
	size_t next;                  /* row of the source that comes next */
	size_t n;                     /* of the strip */
	float *strip;
	hs_rows_put put;
	void *ctx;
};

static int flush(struct spreading *s, struct hs_err *err)
{
	const size_t n = s->n;
	s->n = 0;
	return n ? s->put(s->ctx, s->next - n, n, s->strip, err) : 0;
}

/* One row of the source; value NULL: it has none. */
static int spread_row(struct spreading *s, const float *value, struct hs_err *err)
{
	const size_t k = s->g->gmm.k;
	for (size_t c = 0; c < k; c++)
		s->strip[s->n * k + c] = value ? value[s->from[c]] : NAN;
	s->next++;
	return ++s->n == STRIP ? flush(s, err) : 0;
}

static int spread_rows(void *to, size_t first_row, size_t n_rows, const float *values, struct hs_err *err)
{
	struct spreading *s = to;
	const struct hs_coordinates *z = &s->g->z;
	for (size_t i = 0; i < n_rows; i++) {
		while (s->next < z->row[first_row + i])
			if (spread_row(s, NULL, err) < 0)
				return -1;
		if (spread_row(s, values + i * s->g->gmm.k, err) < 0)
			return -1;
	}
	return 0;
}

int hs_grouping_memberships(const struct hs_grouping *grouping, const size_t *from, hs_rows_put put, void *ctx,
	struct hs_err *err)
{
	const struct hs_coordinates *z = &grouping->z;
	struct spreading s = { .g = grouping, .from = from, .put = put, .ctx = ctx };
	struct hs_rowsource *rows = hs_array_rows_new(z->x, HS_ROW_F64, z->n_used, z->n_chan, NULL, err);
	s.strip = rows ? hs_alloc(STRIP, grouping->gmm.k * sizeof *s.strip, err) : NULL;
	int verdict = s.strip ? hs_gmm_memberships(&grouping->gmm, rows, spread_rows, &s, err) : -1;
	while (verdict == 0 && s.next < grouping->n_rows)
		verdict = spread_row(&s, NULL, err);
	if (verdict == 0)
		verdict = flush(&s, err);
	hs_array_rows_free(rows);
	free(s.strip);
	return verdict;
}

/* ---- memory ---- */

static double method_bytes(const struct hs_grouping_options *o, size_t n, size_t d, size_t k, int threads)
{
	const double rows = (double)n;
	switch (o->method) {
	case HS_BY_KMEANS:
		return (double)hs_kmeans_bytes(n, d, k, o->restarts, threads);
	case HS_BY_MINIBATCH:
		return hs_minibatch_bytes(n, d, k, o->restarts, threads);
	case HS_BY_GMM:
		return hs_gmm_bytes(n, d, k, o->covariance, o->restarts, threads) * 2;
	case HS_BY_WARD:
		if (o->connected)
			return hs_ward_bytes(rows, d, 2 * rows) + 48 * rows;
		return n <= HS_WARD_WHOLE ? hs_ward_bytes(rows, d, 0)
					  : (double)hs_kmeans_bytes(n, d, HS_WARD_LEAVES, 1, threads) + hs_ward_bytes(HS_WARD_LEAVES, d, 0);
	case HS_BY_DBSCAN:
		return (double)hs_dbscan_bytes(n, d, threads);
	case HS_BY_HDBSCAN:
		return (double)hs_hdbscan_bytes(n, d, o->min_points ? o->min_points : 10, threads) + 16 * rows;
	case HS_BY_SPECTRAL:
		return (double)hs_spectral_bytes(n, d, k, hs_spectral_defaults(k).neighbours, threads);
	}
	return 0;
}

double hs_grouping_bytes(const struct hs_grouping_options *opt, size_t n_rows, size_t n_chan, int threads)
{
	const double n = (double)n_rows;
	const size_t k = opt->k ? opt->k : opt->k_max;
	const size_t d = wants_coordinates(opt->method) && n_chan > opt->coordinates ? opt->coordinates : n_chan;
	const bool tries = !opt->k && (opt->method == HS_BY_GMM || opt->method == HS_BY_WARD || opt->method == HS_BY_MINIBATCH);
	/* beside the method: labels of the best and of the last; for coordinates also of all rows, leaves, a skip flag. k-means has
	 * all of that in its own. */
	const double labels = opt->method == HS_BY_KMEANS ? 0 : wants_coordinates(opt->method) ? 17 * n : 8 * n;
	const double work = method_bytes(opt, n_rows, d, k, threads) + (tries ? hs_choose_bytes(n, d, k, threads) : 0) + labels;
	if (!wants_coordinates(opt->method))
		return work;
	const double finding = hs_coordinates_bytes(n, n_chan, opt->coordinates, opt->angle, threads),
		     kept = n * (8 * (double)d + 8);
	return finding > kept + work ? finding : kept + work;
}
