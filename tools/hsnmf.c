/* hsnmf - spectra and maps without negative values whose products add up to a data set. See hsnmf(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/factors.h"
#include "cli/study.h"
#include "cluster/kmeans.h"
#include "unmix/nmf.h"
#include "unmix/nmf_rank.h"

struct params {
	uint64_t k, k_max, restarts, max_iter;        /* k = 0: chosen */
	int loss, start;
	double tol, sparse, smooth;
	bool sum_to_one;
};

struct analysis {
	struct hs_nmf found;
	struct hs_nmf_ranks ranks;            /* when k was chosen */
	bool fractions, poisson;
};

#define STABLE 0.9
#define MUCH_NEGATIVE 1e-3

static struct hs_nmf_options how(const struct params *p, const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	struct hs_nmf_options o = hs_nmf_defaults(p->k ? p->k : p->k_max);
	o.loss = (enum hs_nmf_loss)p->loss;
	o.start = (enum hs_nmf_start)p->start;
	o.restarts = p->restarts;
	o.max_iter = p->max_iter;
	o.tol = p->tol;
	o.seed = run->common.seed;
	o.sparse = p->sparse;
	o.smooth = p->smooth;
	o.sum_to_one = p->sum_to_one;
	/* half of --memory is for reading: what does not fit into the other is found in more passes */
	o.lean = hs_nmf_bytes(n_pix, n_chan, &o, (int)run->common.threads) > hs_run_memory(run) / 2;
	return o;
}

static int choose(const struct params *p, struct hs_pixels *px, struct hs_nmf_options *o, struct analysis *a, struct hs_err *err)
{
	struct hs_nmf_ranks *t = &a->ranks;
	if (hs_nmf_choose(px->source, p->k_max, o, t, err) < 0)
		return -1;
	for (size_t i = 0; i < t->n; i++) {
		const struct hs_nmf_rank_row *r = &t->row[i];
		hs_stage("k = %zu%s: held-out error %.6g (+- %.2g from the least), fit %.6g, stability %.3f", r->k,
			i == t->best ? " (chosen)" : "", r->error, r->beyond, r->fit, r->stability);
	}
	o->k = t->row[t->best].k;
	if (t->row[t->best].stability < STABLE)
		hs_warn("the spectra of %zu components depend on where the search begins (stability %.2f)", o->k, t->row[t->best].stability);
	if (t->at_edge)
		hs_warn("up to --k-max %zu components, more are always better", t->row[t->n - 1].k);
	return 0;
}

static bool finished(const struct analysis *a)
{
	return a->found.status == HS_NMF_CONVERGED && !a->ranks.stopped;
}

static const char *status_word(const struct analysis *a)
{
	static const char *const words[] = { "converged", "maxiter", "stopped" };
	return words[a->ranks.stopped && a->found.status == HS_NMF_CONVERGED ? HS_NMF_STOPPED : a->found.status];
}

static double relative_error(const struct hs_nmf *f)
{
	return f->norm2 > 0 ? sqrt(f->error2 / f->norm2) : 0;
}

static void judge(struct hs_run *run, const struct analysis *a)
{
	const struct hs_nmf *f = &a->found;
	if (f->n_used < f->n_rows)
		hs_stage("%zu of %zu spectra left out: masked or without values", f->n_rows - f->n_used, f->n_rows);
	if (f->n_gaps)
		hs_stage("%zu spectra lack some of their values", f->n_gaps);
	hs_stage("%zu components, relative error %.6g, KKT residual %.2g; %zu alternations, %zu passes, start %zu was the best", f->k,
		relative_error(f), f->kkt, f->n_iter, f->n_passes, f->restart + 1);
	if (f->n_empty)
		hs_warn("%zu of %zu components are empty: fewer do as well", f->n_empty, f->k);
	if (f->negative > MUCH_NEGATIVE)
		hs_warn("%.2g %% of the squared values are below zero, which no factors without negative values can follow",
			100 * f->negative);
	if (a->ranks.stopped)
		hs_warn("stopped by --deadline: more than %zu components were not tried", a->ranks.row[a->ranks.n - 1].k);
	else if (f->status != HS_NMF_CONVERGED)
		hs_warn("NMF %s (KKT residual %.2g)", f->status == HS_NMF_MAXITER ? "reached --max-iter before it converged" :
			"was stopped by --deadline", f->kkt);
	run->not_converged = !finished(a);
}

static void report(struct hs_run *run, void *result)
{
	const struct analysis *a = result;
	const struct hs_nmf *f = &a->found;
	struct hs_json *j = &run->report;
	hs_json_int(j, "components", (long long)f->k);
	hs_json_int(j, "empty", (long long)f->n_empty);
	hs_json_int(j, "spectra_used", (long long)f->n_used);
	hs_json_int(j, "spectra_with_gaps", (long long)f->n_gaps);
	hs_json_text(j, "status", status_word(a));
	hs_json_int(j, "iterations", (long long)f->n_iter);
	hs_json_int(j, "passes", (long long)f->n_passes);
	hs_json_int(j, "start", (long long)f->restart + 1);
	hs_json_real(j, "objective", f->objective);
	hs_json_real(j, "relative_error", relative_error(f));
	hs_json_real(j, "kkt", f->kkt);
	hs_json_begin(j, "total", '[');
	for (size_t k = 0; k < f->k; k++) {
		double sum = 0;
		for (size_t i = 0; i < f->n_rows; i++)
			sum += isnan(f->w[i * f->k + k]) ? 0 : f->w[i * f->k + k];
		hs_json_real(j, NULL, sum);
	}
	hs_json_end(j, ']');
}

/* ------------------------------------------------------------------ results */

/* The unit of squared errors; caller frees. Divergences have none. */
static char *squared(const struct hs_pixels *px, bool poisson)
{
	const char *units = px->signal->units;
	return poisson || !strcmp(units, "1") ? hs_must_dup("1") : hs_must_printf(strpbrk(units, " */.^") ? "(%s)^2" : "%s^2", units);
}

static int write_factors(struct hs_out *out, const struct hs_pixels *px, const struct analysis *a, struct hs_err *err)
{
	static const char *const comments[2][2] = {
		{ "not converged; mean signal of the endmember in a pixel", "mean signal of the endmember in a pixel" },
		{ "not converged; share of the endmember, 1 in all", "share of the endmember, 1 in all" } };
	const struct hs_nmf *f = &a->found;
	const struct hs_signal *s = px->signal;
	char *units = squared(px, a->poisson);
	const struct hs_factors factors = { .k = f->k, .component = "endmember", .maps = "abundances",
		.map_quantity = a->fractions ? "abundance" : s->quantity, .map_units = a->fractions ? "1" : s->units,
		.map_comment = comments[a->fractions][finished(a)], .map = { .value = f->w }, .spectra = "endmembers",
		.spectrum_quantity = a->fractions ? s->quantity : "relative intensity", .spectrum_units = a->fractions ? s->units : "1",
		.spectrum_comment = a->fractions ? "order: by sum over all values; scale: that of the data" :
			"order: by sum over all values; scale: mean 1",
		.spectrum = f->h, .residual = f->residual, .objective = a->poisson ? "Kullback-Leibler divergence" : "half squared error",
		.objective_units = units, .n_iter = f->n_trace, .trace = f->trace };
	const int verdict = hs_factors_put(out, px, &factors, err);
	free(units);
	return verdict;
}

/* How each number of components did, when it was chosen. */
static int write_choice(struct hs_out *out, const struct hs_pixels *px, const struct analysis *a, struct hs_err *err)
{
	const struct hs_nmf_ranks *t = &a->ranks;
	double *v = hs_alloc(4 * t->n, sizeof *v, err);
	struct hs_signal s;
	if (!v)
		return -1;
	char *units = squared(px, a->poisson);
	hs_pixels_series(px, &s, "choice", a->poisson ? "held-out deviance" : "held-out squared error", units, HS_F64, "components",
		t->n);
	free(units);
	s.log_scale = !a->poisson;
	for (size_t i = 0; i < t->n; i++) {
		const struct hs_nmf_rank_row *r = &t->row[i];
		s.axis[0].value[i] = (double)r->k;
		v[i] = r->error;
		v[t->n + i] = r->stability;
		v[2 * t->n + i] = r->fit;
		v[3 * t->n + i] = r->beyond;
	}
	const struct hs_column columns[] = { { "stability", "1", v + t->n }, { "fit", s.units, v + 2 * t->n },
		{ "difference_error", s.units, v + 3 * t->n } };
	const struct hs_extras extras = { .n_columns = HS_LEN(columns), .column = columns,
		.comment = "mean error of a tenth of the values, which the factors did not see" };
	const int verdict = hs_session_put(out, &s, v, &extras, err);
	free(v);
	return verdict;
}

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct analysis *a = result;
	(void)run;
	if (write_factors(out, px, a, err) < 0)
		return -1;
	return a->ranks.n ? write_choice(out, px, a, err) : 0;
}

/* ------------------------------------------------------------------ the story */

static uint64_t needed(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	const struct params *p = run->tool->params;
	const struct hs_nmf_options o = how(p, run, n_pix, n_chan);
	const int threads = (int)run->common.threads;
	uint64_t bytes = hs_nmf_bytes(n_pix, n_chan, &o, threads);
	if (o.start == HS_NMF_KMEANS && !o.lean)
		bytes += hs_kmeans_bytes(n_pix, n_chan, o.k, 1, threads);
	const uint64_t choosing = p->k ? 0 : hs_nmf_choose_bytes(n_pix, n_chan, p->k_max, &o, threads);
	return bytes > choosing ? bytes : choosing;
}

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct analysis *a = result;
	struct hs_nmf_options o = how(p, run, px->n_pix, px->n_chan);
	if (p->smooth > 0 && px->n_sig != 1)
		return hs_fail(err, HS_USAGE, "--smooth wants spectra: one axis of channels");
	o.mask = px->mask;
	o.has_fill = px->signal->has_fill;
	o.fill = px->signal->fill;
	o.stop = run->common.deadline_s > 0 ? hs_run_out_of_time : NULL;
	o.stop_ctx = run;
	a->fractions = p->sum_to_one;
	a->poisson = o.loss == HS_NMF_POISSON;
	if ((!p->k && choose(p, px, &o, a, err) < 0) || hs_nmf(px->source, &o, &a->found, err) < 0)
		return -1;
	judge(run, a);
	return 0;
}

static int check_words(const struct params *p, struct hs_err *err)
{
	if (p->loss && (p->sparse > 0 || p->smooth > 0 || p->sum_to_one))
		return hs_fail(err, HS_USAGE, "--sparse, --smooth and --sum-to-one go with --loss euclidean");
	if (p->sum_to_one && p->sparse > 0)
		return hs_fail(err, HS_USAGE, "maps that sum to one have no other sum to make small: --sum-to-one or --sparse");
	return 0;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct hs_study study = { .does = "factor", .reading = { .as = HS_AS_AUTO, .again = true }, .bytes = needed,
		.compute = compute, .write = write_results, .report = report };
	struct analysis a = { 0 };
	const int verdict = check_words(run->tool->params, err) < 0 ? -1 : hs_study_run(run, &study, &a, err);
	hs_nmf_release(&a.found);
	hs_nmf_ranks_release(&a.ranks);
	return verdict;
}

int main(int argc, char **argv)
{
	const struct hs_nmf_options o = hs_nmf_defaults(1);
	struct params p = { .k_max = 10, .restarts = o.restarts, .max_iter = o.max_iter, .tol = o.tol };
	const struct hs_opt options[] = {
		HS_OPT_COUNT_OR('k', "components", &p.k, "N", "auto", 1, 4096, "components; auto: by the error of held-out values"),
		HS_OPT_COUNT(0, "k-max", &p.k_max, "N", 1, 100, "most components to try with -k auto"),
		HS_OPT_CHOICE('l', "loss", &p.loss, "euclidean|poisson", "what is made small; poisson: of counts"),
		HS_OPT_CHOICE(0, "start", &p.start, "nndsvd|kmeans|random", "where the first run begins"),
		HS_OPT_COUNT('r', "restarts", &p.restarts, "N", 1, 1000, "runs, all but the first from random pixels"),
		HS_OPT_COUNT(0, "max-iter", &p.max_iter, "N", 1, 1e9, "most alternations between maps and spectra"),
		HS_OPT_REAL(0, "tol", &p.tol, "X", 0, 1, "converged: the KKT residual is below it"),
		HS_OPT_REAL(0, "sparse", &p.sparse, "L", 0, 1e6, "make maps sparse, L a part of a typical spectrum's norm"),
		HS_OPT_REAL(0, "smooth", &p.smooth, "L", 0, 1e12, "make spectra smooth: weight of second differences"),
		HS_OPT_FLAG(0, "sum-to-one", &p.sum_to_one, "maps are shares that sum to 1 in each pixel"),
	};
	const struct hs_tool tool = { .name = "hsnmf", .summary = "non-negative matrix factorisation of a spectral data set",
		.operands = "[FILE]", .max_operands = 1, .takes = "a signal: pixels x channels",
		.gives = "abundances, endmembers, residual, convergence; with -k auto choice",
		.example = "hsload grid.3ds | hsnmf -k 4 | hsplot -o nmf.png",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_SEED | HS_USES_REPORT | HS_USES_CARRY | HS_USES_DEADLINE,
		.options = options, .n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
