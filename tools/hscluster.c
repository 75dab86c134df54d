/* hscluster - group the spectra of a data set by likeness. See hscluster(1). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/study.h"
#include "math/kmeans.h"
#include "math/validity.h"

enum metric_word { METRIC_EUCLIDEAN, METRIC_ANGLE };

struct params {
	uint64_t k, k_max, restarts, max_iter;
	int metric;
	double tol;
};

struct clustering {
	struct hs_kmeans found;
	struct hs_k_table table;              /* when k was chosen; found is then a part of it */
	bool chosen, judged;
	double silhouette;
	struct hs_dispersion dispersion;
};

static int cluster(struct hs_run *run, struct hs_pixels *px, struct clustering *c, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_kmeans_options o = hs_kmeans_defaults(p->k);
	const bool angle = p->metric == METRIC_ANGLE;
	o.restarts = p->restarts;
	o.max_iter = p->max_iter;
	o.tol = p->tol;
	o.seed = run->common.seed;
	o.spherical = angle;
	o.stop = run->common.deadline_s > 0 ? hs_run_out_of_time : NULL;
	o.stop_ctx = run;
	c->chosen = p->k == 0;
	if (c->chosen) {
		if (hs_choose_k(px->source, 2, p->k_max, &o, &c->table, err) < 0)
			return -1;
		c->found = c->table.result;
		c->table.result = (struct hs_kmeans){ 0 };
	} else if (hs_kmeans(px->source, &o, &c->found, err) < 0) {
		return -1;
	}
	if (!c->found.k)
		return hs_fail(err, HS_BAD_DATA, "no spectrum can be used: all are masked, not finite or zero");
	/* indices of quality cost four more passes over the data: only when somebody will see them */
	c->judged = run->common.verbose || run->common.report;
	if (!c->judged)
		return 0;
	return hs_silhouette(px->source, c->found.label, c->found.k, angle ? HS_COSINE : HS_EUCLIDEAN, run->common.seed,
		&c->silhouette, NULL, err) < 0 ? -1 :
		hs_dispersion(px->source, c->found.label, c->found.k, angle, &c->dispersion, err);
}

static bool finished(const struct clustering *c)
{
	return c->found.status == HS_KMEANS_CONVERGED && !c->table.stopped;
}

static void judge(struct hs_run *run, const struct clustering *c)
{
	const struct params *p = run->tool->params;
	const struct hs_kmeans *f = &c->found;
	struct hs_json *j = &run->report;
	for (size_t i = 0; i < c->table.n; i++) {
		const struct hs_k_row *r = &c->table.row[i];
		hs_stage("k = %zu%s: silhouette %.3f, stability %.3f, Calinski-Harabasz %.4g, Davies-Bouldin %.3f, inertia %.6g", r->k,
			i == c->table.best ? " (chosen)" : "", r->silhouette, r->stability, r->calinski_harabasz, r->davies_bouldin, r->inertia);
	}
	if (c->judged)
		hs_stage("k = %zu, inertia %.8g of %.8g, silhouette %.3f, %zu iterations, %zu different optima in %llu restarts", f->k,
		f->inertia, f->total,
			c->silhouette, f->n_iter, f->n_optima, (unsigned long long)p->restarts);
	if (c->chosen && c->table.unstable)
		hs_warn("no number of clusters is stable: %zu has the largest silhouette", f->k);
	if (!c->chosen && f->k < p->k)
		hs_warn("%llu clusters asked, there are only %zu different spectra", (unsigned long long)p->k, f->k);
	if (c->chosen && c->table.stopped)
		hs_warn("stopped by --deadline: more than %zu clusters were not tried", c->table.row[c->table.n - 1].k);
	else if (f->status != HS_KMEANS_CONVERGED)
		hs_warn("k-means %s", f->status == HS_KMEANS_MAXITER ? "reached --max-iter before it converged" : "was stopped by --deadline");
	run->not_converged = !finished(c);
	hs_json_int(j, "clusters", (long long)f->k);
	hs_json_text(j, "status", finished(c) ? "converged" : f->status == HS_KMEANS_MAXITER ? "maxiter" : "stopped");
	hs_json_int(j, "iterations", (long long)f->n_iter);
	hs_json_real(j, "inertia", f->inertia);
	hs_json_real(j, "total", f->total);
	hs_json_real(j, "silhouette", c->silhouette);
	hs_json_real(j, "calinski_harabasz", c->dispersion.calinski_harabasz);
	hs_json_real(j, "davies_bouldin", c->dispersion.davies_bouldin);
	hs_json_begin(j, "sizes", '[');
	for (size_t k = 0; k < f->k; k++)
		hs_json_int(j, NULL, (long long)f->size[k]);
	hs_json_end(j, ']');
}

/* ------------------------------------------------------------------ results */

/* The cluster axis counts from 0, as the labels do: centroid number `label` belongs to a pixel. */
static void number_from_zero(struct hs_signal *s)
{
	for (size_t i = 0; i < s->axis[0].n; i++)
		s->axis[0].value[i] = (double)i;
}

static int write_labels(struct hs_out *out, const struct hs_pixels *px, const struct clustering *c, struct hs_err *err)
{
	const struct hs_extras comment = { .comment = finished(c) ? "-1 = none; cluster 0 is the largest" :
		"not converged; -1 = none; cluster 0 is the largest" };
	struct hs_signal s;
	hs_pixels_map(px, &s, "labels", "cluster", "1", HS_I32);
	return hs_session_put(out, &s, c->found.label, &comment, err);
}

static int write_centroids(struct hs_out *out, const struct hs_pixels *px, const struct hs_kmeans *f, struct hs_err *err)
{
	const struct hs_extras spread = { .errors = f->spread, .comment = "mean and standard deviation of the members" };
	struct hs_signal s;
	hs_pixels_spectra(px, &s, "centroids", px->signal->quantity, px->signal->units, HS_F64, "cluster", f->k);
	number_from_zero(&s);
	return hs_session_put(out, &s, f->mean, &spread, err);
}

static int write_sizes(struct hs_out *out, const struct hs_pixels *px, const struct hs_kmeans *f, struct hs_err *err)
{
	int32_t *n = hs_must_alloc(f->k, sizeof *n);
	struct hs_signal s;
	for (size_t k = 0; k < f->k; k++)
		n[k] = (int32_t)f->size[k];
	hs_pixels_series(px, &s, "sizes", "pixels", "count", HS_I32, "cluster", f->k);
	number_from_zero(&s);
	const int verdict = hs_session_put(out, &s, n, NULL, err);
	free(n);
	return verdict;
}

/* How each number of clusters did, when it was chosen. */
static int write_choice(struct hs_out *out, const struct hs_pixels *px, const struct hs_k_table *t, struct hs_err *err)
{
	double *v = hs_must_alloc(5 * t->n, sizeof *v);
	struct hs_signal s;
	hs_pixels_series(px, &s, "choice", "silhouette", "1", HS_F64, "clusters", t->n);
	for (size_t i = 0; i < t->n; i++) {
		const struct hs_k_row *r = &t->row[i];
		s.axis[0].value[i] = (double)r->k;
		v[i] = r->silhouette;
		v[t->n + i] = r->stability;
		v[2 * t->n + i] = r->calinski_harabasz;
		v[3 * t->n + i] = r->davies_bouldin;
		v[4 * t->n + i] = r->inertia;
	}
	const struct hs_column columns[] = { { "stability", "1", v + t->n }, { "calinski_harabasz", "1", v + 2 * t->n },
		{ "davies_bouldin", "1", v + 3 * t->n }, { "inertia", "1", v + 4 * t->n } };
	const struct hs_extras extras = { .n_columns = HS_LEN(columns), .column = columns };
	const int verdict = hs_session_put(out, &s, v, &extras, err);
	free(v);
	return verdict;
}

/* Did the decomposition take the mean spectrum away? The record of its step says so. */
static bool mean_was_removed(const struct hs_in *in, size_t signal)
{
	int sequence = 0;
	if (sscanf(hs_in_path(in, signal), "/entry/process_%d_hspca/", &sequence) != 1)
		return false;
	bool removed = true;
	for (size_t i = 0; i < hs_in_n_steps(in); i++) {
		const struct hs_step *step = hs_in_step(in, i);
		for (size_t k = 0; step->sequence == sequence && k < step->n_params; k++) {
			const struct hs_param *p = &step->param[k];
			if ((!strcmp(p->name, "poisson") && p->integer) || (!strcmp(p->name, "centre") && p->text && !strcmp(p->text, "none")))
				removed = false;
		}
	}
	return removed;
}

/* Scores of a decomposition were clustered: its loadings turn the centroids back into spectra. */
static int write_spectra(struct hs_out *out, const struct hs_pixels *px, const struct hs_kmeans *f, struct hs_err *err)
{
	struct hs_in *in = px->in;
	const size_t signal = px->index;
	size_t from, mean_from;
	if (!hs_session_sibling(in, signal, "loadings", &from) || !hs_session_sibling(in, signal, "mean", &mean_from))
		return 0;
	const struct hs_signal *like = hs_in_signal(in, mean_from), *loading = hs_in_signal(in, from);
	const size_t n_chan = hs_signal_count(like);
	if (like->rank != 1 || loading->rank != 2 || loading->axis[0].n != f->n_chan || loading->axis[1].n != n_chan)
		return 0;
	double *loadings = hs_in_read(in, from, err), *mean = loadings ? hs_in_read(in, mean_from, err) : NULL,
	       *spectra = mean ? hs_alloc(f->k * n_chan, sizeof *spectra, err) : NULL;
	int verdict = spectra ? 0 : -1;
	if (spectra) {
		const double add = mean_was_removed(in, signal) ? 1 : 0;
		for (size_t k = 0; k < f->k; k++)
			for (size_t c = 0; c < n_chan; c++) {
				double v = add * mean[c];
				for (size_t j = 0; j < f->n_chan; j++)
					v += f->mean[k * f->n_chan + j] * loadings[j * n_chan + c];
				spectra[k * n_chan + c] = v;
			}
		static const struct hs_extras comment = { .comment = "mean spectrum of the members, as far as the components go" };
		struct hs_signal s;
		hs_signal_init(&s, "centroid_spectra", like->quantity, like->units, HS_F64);
		hs_signal_add_axis(&s, hs_axis_numbers("cluster", f->k));
		number_from_zero(&s);
		hs_signal_add_axis(&s, hs_axis_dup(&like->axis[0]));
		hs_signal_shape_up(&s, 1);
		verdict = hs_session_put(out, &s, spectra, &comment, err);
	}
	free(loadings);
	free(mean);
	free(spectra);
	return verdict;
}

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct clustering *c = result;
	(void)run;
	if (write_labels(out, px, c, err) < 0 || write_centroids(out, px, &c->found, err) < 0 ||
		write_sizes(out, px, &c->found, err) < 0 || (c->chosen && write_choice(out, px, &c->table, err) < 0))
		return -1;
	return write_spectra(out, px, &c->found, err);
}

/* ------------------------------------------------------------------ the story */

static uint64_t needed(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	const struct params *p = run->tool->params;
	return hs_kmeans_bytes(n_pix, n_chan, p->k ? p->k : p->k_max, p->restarts, (int)run->common.threads);
}

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	struct clustering *c = result;
	if (cluster(run, px, c, err) < 0)
		return -1;
	judge(run, c);
	return 0;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct hs_study study = { .does = "cluster", .reading = { .as = HS_AS_AUTO, .again = true }, .bytes = needed,
		.compute = compute, .write = write_results };
	struct clustering c = { 0 };
	const int verdict = hs_study_run(run, &study, &c, err);
	hs_kmeans_release(&c.found);
	hs_k_table_release(&c.table);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { .k_max = 10, .restarts = 10, .max_iter = 300, .tol = 1e-8 };
	const struct hs_opt options[] = {
		HS_OPT_COUNT_OR('k', "clusters", &p.k, "N", "auto", 1, 4096, "clusters; auto: by silhouette among stable ones"),
		HS_OPT_COUNT(0, "k-max", &p.k_max, "N", 2, 100, "most clusters to try with -k auto"),
		HS_OPT_CHOICE('m', "metric", &p.metric, "euclidean|angle", "angle is blind to intensity"),
		HS_OPT_COUNT('r', "restarts", &p.restarts, "N", 1, 10000, "k-means++ starts, the best is kept"),
		HS_OPT_COUNT(0, "max-iter", &p.max_iter, "N", 1, 1e9, "most passes over the data"),
		HS_OPT_REAL(0, "tol", &p.tol, "X", 0, 1, "converged: centroids move less than this part of the variance"),
	};
	const struct hs_tool tool = { .name = "hscluster",
		.summary = "group the spectra of a data set by likeness (k-means, spherical k-means)",
		.operands = "[FILE]", .max_operands = 1, .takes = "a signal: pixels x channels", .gives = "labels, centroids, sizes",
		.example = "hspca -k 6 cube.nxs | hscluster -k 4 | hsplot -o map.png",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_SEED | HS_USES_REPORT | HS_USES_CARRY | HS_USES_DEADLINE,
		.options = options, .n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
