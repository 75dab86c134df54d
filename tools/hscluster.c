/* hscluster - group the spectra of a data set by likeness. See hscluster(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/factors.h"
#include "cli/partition.h"
#include "cli/study.h"
#include "cluster/grouping.h"
#include "cluster/smooth_labels.h"

struct params {
	uint64_t k, k_max, restarts, max_iter, min_points, min_size, coordinates, smooth;
	int method, metric, covariance, neighbours;
	double tol, eps, potts;
	bool connected;
};

/* What is said of each method, and what its own defaults are. */
static const struct method {
	const char *word, *name;
	size_t max_iter;
	double tol;
	size_t coordinates;                   /* fewer for methods that look for neighbours */
	bool counts;                          /* -k is its business */
} methods[] = {
	[HS_BY_KMEANS] = { "kmeans", "k-means", 300, 1e-8, 10, true }, [HS_BY_GMM] = { "gmm", "the mixture", 500, 1e-6, 10, true },
	[HS_BY_WARD] = { "ward", "Ward's method", 1, 0, 10, true }, [HS_BY_DBSCAN] = { "dbscan", "DBSCAN", 1, 0, 8, false },
	[HS_BY_HDBSCAN] = { "hdbscan", "HDBSCAN", 1, 0, 8, false },
	[HS_BY_SPECTRAL] = { "spectral", "spectral clustering", 1, 0, 8, true },
	[HS_BY_MINIBATCH] = { "minibatch", "mini-batch k-means", 20, 1e-5, 10, true },
};

struct clustering {
	struct hs_grouping_options options;
	struct hs_grouping found;
	struct hs_partition part;
	size_t smoothed;                      /* labels that smoothing changed */
	bool judged;
	double silhouette;
	struct hs_dispersion dispersion;
};

static bool finished(const struct clustering *c)
{
	return c->found.status == HS_KMEANS_CONVERGED && !c->found.table.stopped;
}

/* How the pixels lie: the last two dimensions are a map. */
static int find_maps(const struct hs_pixels *px, const char *why, struct hs_grouping_options *o, struct hs_err *err)
{
	if (hs_signal_is_scatter(px->signal) || !px->n_nav)
		return hs_fail(err, HS_USAGE, "%s wants pixels on a grid, these are scattered points", why);
	o->n_x = px->signal->axis[px->nav[px->n_nav - 1]].n;
	o->n_y = px->n_nav > 1 ? px->signal->axis[px->nav[px->n_nav - 2]].n : 1;
	o->n_maps = px->n_pix / (o->n_y * o->n_x);
	return 0;
}

static struct hs_grouping_options how(const struct hs_run *run)
{
	const struct params *p = run->tool->params;
	return (struct hs_grouping_options){ .method = (enum hs_method)p->method, .k = p->k, .k_max = p->k_max, .restarts = p->restarts,
		.max_iter = p->max_iter ? p->max_iter : methods[p->method].max_iter, .tol = isnan(p->tol) ? methods[p->method].tol : p->tol,
		.angle = p->metric == 1, .coordinates = p->coordinates ? p->coordinates : methods[p->method].coordinates,
		.covariance = (enum hs_covariance)p->covariance, .connected = p->connected, .eps = p->eps,
		.min_points = p->min_points, .min_size = p->min_size, .seed = run->common.seed,
		.stop = run->common.deadline_s > 0 ? hs_run_out_of_time : NULL, .stop_ctx = (void *)run };
}

static int check(const struct params *p, struct hs_err *err)
{
	if (p->k && !methods[p->method].counts)
		return hs_fail(err, HS_USAGE, "%s finds out how many clusters there are: it takes no -k", methods[p->method].name);
	if (p->connected && p->method != HS_BY_WARD)
		return hs_fail(err, HS_USAGE, "--connected is for --method ward");
	return 0;
}

/* Labels smooth in space: by a Potts model when it has a weight, else by majority. */
static int smooth(const struct params *p, struct hs_pixels *px, struct clustering *c, struct hs_err *err)
{
	struct hs_grouping_options *o = &c->options;
	if ((!p->smooth && !(p->potts > 0)) || c->found.k < 2)
		return 0;
	const struct hs_label_maps maps = { o->n_maps, o->n_y, o->n_x, c->found.k, p->neighbours == 0, c->found.label };
	if (!(p->potts > 0))
		return hs_smooth_majority(&maps, p->smooth, &c->smoothed, err);
	float *cost = hs_alloc(px->n_pix, c->found.k * sizeof *cost, err);
	int verdict = cost ? hs_potts_costs(px->source, c->found.label, c->found.k, o->angle, cost, err) : -1;
	if (verdict == 0)
		verdict = hs_smooth_potts(&maps, cost, p->potts, p->smooth ? p->smooth : 50, &c->smoothed, err);
	free(cost);
	return verdict;
}

static int cluster(struct hs_run *run, struct hs_pixels *px, struct clustering *c, struct hs_err *err)
{
	struct params *p = run->tool->params;
	struct hs_grouping *f = &c->found;
	c->options = how(run);
	if (check(p, err) < 0 || (p->connected && find_maps(px, "--connected", &c->options, err) < 0) ||
		((p->smooth || p->potts > 0) && find_maps(px, p->smooth ? "--smooth" : "--potts", &c->options, err) < 0) ||
		hs_group(px->source, &c->options, f, err) < 0)
		return -1;
	if (!f->n_used)
		return hs_fail(err, HS_BAD_DATA, "no spectrum can be used: all are masked, not finite or zero");
	if (smooth(p, px, c, err) < 0)
		return -1;
	int32_t *label = f->label;
	f->label = NULL;
	if (hs_partition_init(&c->part, px->source, label, f->k, err) < 0)
		return -1;
	/* indices of quality cost four more passes over the data: only when somebody will see them */
	c->judged = run->common.verbose || run->common.report;
	c->silhouette = NAN;
	p->max_iter = c->options.max_iter;            /* for the record of this run */
	p->tol = c->options.tol;
	p->eps = f->eps;
	return c->judged && c->part.k
		? hs_grouping_judge(f, px->source, c->part.label, c->part.k, &c->options, &c->silhouette, &c->dispersion, err) : 0;
}

/* ------------------------------------------------------------------ what is said of it */

static void warn(const struct params *p, const struct clustering *c)
{
	const struct hs_grouping *f = &c->found;
	const struct hs_k_table *t = &f->table;
	const char *name = methods[p->method].name;
	if (t->n && t->unstable)
		hs_warn("no number of clusters is stable: %zu has the largest silhouette", f->k);
	if (p->k && f->k < p->k && f->status != HS_KMEANS_STOPPED)
		hs_warn(p->method == HS_BY_GMM ? "%llu clusters asked, %zu components have spectra of their own"
			: "%llu clusters asked, there are only %zu different spectra", (unsigned long long)p->k, f->k);
	if (c->part.k < f->k)
		hs_warn("%zu of %zu clusters have no pixels left", f->k - c->part.k, f->k);
	if (!c->part.k && finished(c))
		hs_warn("no clusters: all spectra are noise to %s", name);
	if (t->n && t->stopped)
		hs_warn("stopped by --deadline: more than %zu clusters were not tried", t->row[t->n - 1].k);
	else if (f->status != HS_KMEANS_CONVERGED)
		hs_warn("%s %s", name, f->status == HS_KMEANS_MAXITER ? "reached --max-iter before it converged" : "was stopped by --deadline");
}

static void remark(const struct params *p, const struct clustering *c)
{
	const struct hs_grouping *f = &c->found;
	for (size_t i = 0; i < f->table.n; i++) {
		const struct hs_k_row *r = &f->table.row[i];
		hs_stage("k = %zu%s: silhouette %.3f, stability %.3f, gap %.3f +- %.3f, Calinski-Harabasz %.4g, Davies-Bouldin %.3f, "
			"inertia %.6g", r->k, i == f->table.best ? " (chosen)" : "", r->silhouette, r->stability, r->gap, r->gap_error,
			r->calinski_harabasz, r->davies_bouldin, r->inertia);
		if (!isnan(r->bic))
			hs_stage("k = %zu: BIC %.8g", r->k, r->bic);
	}
	if (f->table.n)
		hs_stage("the gap statistic would choose %zu clusters", f->table.gap_k);
	if (p->method == HS_BY_DBSCAN)
		hs_stage("eps %.6g, %zu points: %zu core points", f->eps, f->min_points, f->n_core);
	if (f->eigenvalue && f->n_eig > f->k && f->k && !isnan(f->eigenvalue[f->k]))
		hs_stage("eigenvalues %.4g and %.4g on both sides of the gap", f->eigenvalue[f->k - 1], f->eigenvalue[f->k]);
	if (c->smoothed)
		hs_stage("smoothing changed %zu labels", c->smoothed);
	if (c->judged && p->method == HS_BY_KMEANS)
		hs_stage("k = %zu, inertia %.8g of %.8g, silhouette %.3f, %zu iterations, %zu different optima in %llu restarts", f->k,
			f->inertia, f->total, c->silhouette, f->n_iter, f->n_optima, (unsigned long long)p->restarts);
	else if (c->judged)
		hs_stage("k = %zu, silhouette %.3f, %zu of %zu pixels in clusters", c->part.k, c->silhouette, c->part.n_used, f->n_used);
}

static void put_known(struct hs_json *j, const char *key, double v)
{
	if (!isnan(v))
		hs_json_real(j, key, v);
}

static void report_method(const struct params *p, const struct clustering *c, struct hs_json *j)
{
	const struct hs_grouping *f = &c->found;
	hs_json_text(j, "method", methods[p->method].word);
	hs_json_int(j, "noise", (long long)(f->n_used - c->part.n_used));
	if (f->z.n_chan)
		hs_json_int(j, "coordinates", (long long)f->z.n_chan);
	if (f->z.projected)
		hs_json_real(j, "variance_kept", f->z.share);
	put_known(j, "eps", f->eps);
	if (f->min_points)
		hs_json_int(j, "min_points", (long long)f->min_points);
	if (f->min_size)
		hs_json_int(j, "min_size", (long long)f->min_size);
	if (p->method == HS_BY_GMM) {
		hs_json_real(j, "log_likelihood", f->gmm.log_likelihood);
		hs_json_real(j, "bic", f->gmm.bic);
	}
	if (f->table.n)
		hs_json_int(j, "gap_statistic", (long long)f->table.gap_k);
	if (p->smooth || p->potts > 0)
		hs_json_int(j, "smoothed", (long long)c->smoothed);
}

static void report(struct hs_run *run, const struct clustering *c)
{
	const struct params *p = run->tool->params;
	const struct hs_grouping *f = &c->found;
	struct hs_json *j = &run->report;
	run->not_converged = !finished(c);
	hs_json_int(j, "clusters", (long long)c->part.k);
	hs_json_text(j, "status", finished(c) ? "converged" : f->status == HS_KMEANS_MAXITER ? "maxiter" : "stopped");
	hs_json_int(j, "iterations", (long long)f->n_iter);
	const bool own = p->method == HS_BY_KMEANS && !c->smoothed;   /* spherical inertia is its own affair */
	hs_json_real(j, "inertia", own ? f->inertia : c->dispersion.within);
	hs_json_real(j, "total", own ? f->total : c->dispersion.within + c->dispersion.between);
	hs_json_real(j, "silhouette", c->silhouette);
	hs_json_real(j, "calinski_harabasz", c->part.k ? c->dispersion.calinski_harabasz : NAN);
	hs_json_real(j, "davies_bouldin", c->part.k ? c->dispersion.davies_bouldin : NAN);
	hs_json_begin(j, "sizes", '[');
	for (size_t k = 0; k < c->part.k; k++)
		hs_json_int(j, NULL, (long long)c->part.size[k]);
	hs_json_end(j, ']');
	report_method(p, c, j);
}

/* ------------------------------------------------------------------ results beside the partition */

struct soft {
	const struct hs_grouping *found;
	size_t *from;                         /* component of each map: those of the clusters first */
};

static int memberships(void *ctx, hs_rows_put put, void *to, struct hs_err *err)
{
	const struct soft *s = ctx;
	return hs_grouping_memberships(s->found, s->from, put, to, err);
}

static int write_memberships(struct hs_out *out, const struct hs_pixels *px, const struct clustering *c, struct hs_err *err)
{
	static const struct hs_extras comment = { .comment = "probability of each cluster; they sum to 1" };
	struct soft soft = { &c->found, c->part.from };
	const struct hs_factor_rows rows = { .pass = memberships, .ctx = &soft };
	struct hs_signal s;
	hs_pixels_maps(px, &s, "memberships", "membership", "1", HS_F32, "cluster", c->found.gmm.k);
	hs_partition_number(&s);
	const int verdict = hs_factors_stream(out, HS_AT_STEP, &s, true, &comment, &rows, px->n_pix, err);
	hs_signal_release(&s);
	return verdict;
}

static int write_map(struct hs_out *out, const struct hs_pixels *px, const char *name, const float *value, const char *text,
	struct hs_err *err)
{
	const struct hs_extras comment = { .comment = text };
	struct hs_signal s;
	hs_pixels_map(px, &s, name, name, "1", HS_F32);
	return hs_session_put(out, &s, value, &comment, err);
}

static int write_eigenvalues(struct hs_out *out, const struct hs_pixels *px, const struct hs_grouping *f, struct hs_err *err)
{
	static const struct hs_extras comment = { .comment = "of the normalised Laplacian, ascending; NaN where none was needed" };
	struct hs_signal s;
	hs_pixels_series(px, &s, "eigenvalues", "eigenvalue", "1", HS_F64, "number", f->n_eig);
	return hs_session_put(out, &s, f->eigenvalue, &comment, err);
}

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct clustering *c = result;
	const struct hs_grouping *f = &c->found;
	(void)run;
	if (hs_partition_put(out, px, &c->part, finished(c), err) < 0 ||
		(f->table.n && hs_partition_put_choice(out, px, &f->table, err) < 0) ||
		(f->gmm.k && write_memberships(out, px, c, err) < 0) ||
		(f->tree.merge && hs_partition_put_tree(out, px, &f->tree, f->leaf, err) < 0) ||
		(f->eigenvalue && f->n_eig && write_eigenvalues(out, px, f, err) < 0))
		return -1;
	if (f->strength && write_map(out, px, "strength", f->strength, "how firmly a pixel belongs to its cluster, 0 .. 1", err) < 0)
		return -1;
	return f->outlier ? write_map(out, px, "outlier", f->outlier, "GLOSH outlier score, 0 .. 1", err) : 0;
}

/* ------------------------------------------------------------------ the story */

static uint64_t needed(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	const struct params *p = run->tool->params;
	const struct hs_grouping_options o = how(run);
	const size_t k = p->k ? p->k : p->k_max;
	const double n = (double)n_pix, later = hs_partition_bytes(n, n_chan, k, (int)run->common.threads) +
		(p->potts > 0 ? 4 * n * (double)k : 0) + 8 * n, bytes = hs_grouping_bytes(&o, n_pix, n_chan, (int)run->common.threads);
	/* k-means has its own result in its bytes, and lets go of it before */
	return (uint64_t)(p->method == HS_BY_KMEANS && !p->smooth && !(p->potts > 0) ? fmax(bytes, later) : bytes + later);
}

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	struct clustering *c = result;
	if (cluster(run, px, c, err) < 0)
		return -1;
	remark(run->tool->params, c);
	warn(run->tool->params, c);
	report(run, c);
	return 0;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct hs_study study = { .does = "cluster", .reading = { .as = HS_AS_AUTO, .again = true }, .bytes = needed,
		.compute = compute, .write = write_results };
	struct clustering c = { 0 };
	const int verdict = hs_study_run(run, &study, &c, err);
	hs_grouping_release(&c.found);
	hs_partition_release(&c.part);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { .k_max = 10, .restarts = 10, .tol = NAN, .eps = NAN };
	const struct hs_opt options[] = {
		HS_OPT_CHOICE(0, "method", &p.method, HS_METHODS, "how clusters are found"),
		HS_OPT_COUNT_OR('k', "clusters", &p.k, "N", "auto", 1, 4096, "clusters; auto: see --method in the page"),
		HS_OPT_COUNT(0, "k-max", &p.k_max, "N", 2, 100, "most clusters to try with -k auto"),
		HS_OPT_CHOICE('m', "metric", &p.metric, "euclidean|angle", "angle is blind to intensity"),
		HS_OPT_COUNT('r', "restarts", &p.restarts, "N", 1, 10000, "k-means++ starts, the best is kept"),
		HS_OPT_COUNT_OR(0, "max-iter", &p.max_iter, "N", "auto", 1, 1e9, "most passes over the data"),
		HS_OPT_REAL(0, "tol", &p.tol, "X", 0, 1, "converged: centroids (gmm: likelihood) change less"),
		HS_OPT_COUNT_OR(0, "components", &p.coordinates, "N", "auto", 1, 4096, "principal components to work in"),
		HS_OPT_CHOICE(0, "covariance", &p.covariance, "full|diag", "of the normal distributions of gmm"),
		HS_OPT_FLAG(0, "connected", &p.connected, "ward: only clusters that touch each other merge"),
		HS_OPT_REAL(0, "eps", &p.eps, "X", 0, 1e300, "dbscan: radius; else from the data"),
		HS_OPT_COUNT_OR(0, "min-points", &p.min_points, "N", "auto", 1, 1e9, "dbscan, hdbscan: points that make a place dense"),
		HS_OPT_COUNT_OR(0, "min-size", &p.min_size, "N", "auto", 2, 1e9, "hdbscan: pixels of the smallest cluster"),
		HS_OPT_COUNT(0, "smooth", &p.smooth, "N", 0, 1e6, "rounds of smoothing of the labels by majority"),
		HS_OPT_REAL(0, "potts", &p.potts, "X", 0, 1e6, "smooth by a Potts model with this weight instead"),
		HS_OPT_CHOICE(0, "neighbours", &p.neighbours, "8|4", "for --smooth and --potts"),
	};
	const struct hs_tool tool = { .name = "hscluster", .summary = "group the spectra of a data set by likeness",
		.operands = "[FILE]", .max_operands = 1, .takes = "a signal: pixels x channels",
		.gives = "labels, centroids, sizes; gmm: memberships; ward: dendrogram; hdbscan: strength",
		.example = "hspca -k 6 cube.nxs | hscluster -k 4 | hsplot -o map.png",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_SEED | HS_USES_REPORT | HS_USES_CARRY | HS_USES_DEADLINE,
		.options = options, .n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
