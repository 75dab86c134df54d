/* hsica - independent components of a spectral data set. See hsica(1). */
#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/factors.h"
#include "cli/principal.h"
#include "cli/study.h"
#include "factor/jade.h"
#include "factor/separate.h"

enum method_word { METHOD_PICARD, METHOD_FASTICA, METHOD_JADE, METHOD_ORTHOMAX };
enum approach_word { APPROACH_SYMMETRIC, APPROACH_DEFLATION };
enum axis_word { ON_SPECTRA, ON_MAPS };
enum diff_word { DIFF_AUTO, DIFF_NONE, DIFF_FIRST, DIFF_SECOND };

struct params {
	uint64_t n_comp;                      /* 0: by the rank test; of scores: all there are */
	uint64_t restarts, max_iter;
	int method, approach, nonlinearity, on, diff;
	double tol;
	bool poisson, exact;
};

enum { MOST = 256, MOST_AUTO = 100 };         /* components; how many are tried when their number is to be found */

#define UNRELIABLE 0.8

struct analysis {
	struct hs_principal part;
	struct hs_separated found;
	size_t n_gaussian, n_unreliable;
};

static struct hs_ica_options how(const struct params *p, const struct hs_run *run)
{
	static const enum hs_ica_method meant[] = { HS_ICA_PICARD, HS_ICA_FASTICA, HS_ICA_JADE, HS_ICA_ORTHOMAX };
	struct hs_ica_options o = hs_ica_defaults();
	o.method = p->approach == APPROACH_DEFLATION ? HS_ICA_DEFLATION : meant[p->method];
	o.contrast = (enum hs_contrast_kind)p->nonlinearity;
	o.restarts = p->restarts;
	o.max_iter = p->max_iter;
	o.tol = p->tol;
	o.seed = run->common.seed;
	return o;
}

static int check_words(const struct params *p, struct hs_err *err)
{
	if (p->method != METHOD_FASTICA && (p->approach || p->nonlinearity))
		return hs_fail(err, HS_USAGE, "--approach and --nonlinearity belong to --method fastica");
	if (p->method == METHOD_JADE && p->n_comp > HS_JADE_MOST)
		return hs_fail(err, HS_USAGE, "--method jade takes at most %d components", HS_JADE_MOST);
	if (p->on == ON_MAPS && p->diff > DIFF_NONE)
		return hs_fail(err, HS_USAGE, "--diff takes differences along the channels: it goes with --on spectra");
	return 0;
}

/* Differences are along one axis of channels, of which there must be enough. */
static int choose_diff(const struct params *p, const struct hs_pixels *like, size_t *diff, struct hs_err *err)
{
	const bool possible = like->n_sig == 1 && like->n_chan > 2;
	*diff = p->on == ON_MAPS || p->diff == DIFF_NONE ? 0 : p->diff == DIFF_AUTO ? possible : (size_t)(p->diff - DIFF_NONE);
	return possible || !*diff ? 0 : hs_fail(err, HS_USAGE, "--diff wants spectra of three channels or more: give --diff 0");
}

/* ------------------------------------------------------------------ what was found */

static bool converged(const struct analysis *a)
{
	return a->found.ica.turn.status == HS_TURN_CONVERGED;
}

static const char *status_word(const struct analysis *a)
{
	static const char *const words[] = { "converged", "maxiter", "stopped" };
	return words[a->found.ica.turn.status];
}

/* Says of each component how sure it is; warns of what should not be believed. */
static void judge(const struct params *p, struct analysis *a)
{
	const struct hs_ica *ica = &a->found.ica;
	const double most = hs_ica_gaussian_kurtosis(ica->n);
	if (ica->k < ica->k_in)
		hs_warn("%zu components depend on each other: there are %zu", ica->k_in, ica->k);
	for (size_t i = 0; i < ica->k; i++) {
		const double iq = ica->reliability ? ica->reliability[i] : NAN;
		hs_stage("component %zu: %.2f %%, excess kurtosis %.3g, reliability %.3f", i + 1, 100 * a->found.share[i], ica->kurtosis[i],
			iq);
		a->n_gaussian += p->method != METHOD_ORTHOMAX && fabs(ica->kurtosis[i]) < most;
		a->n_unreliable += iq < UNRELIABLE;
	}
	hs_stage("%zu samples, %zu iterations, %zu runs", ica->n, ica->turn.n_iter, ica->n_runs);
	if (a->n_gaussian > 1)
		hs_warn("%zu of %zu components are Gaussian: nothing tells these from their mixtures (fewer components, or another --on)",
			a->n_gaussian, ica->k);
	if (a->n_unreliable)
		hs_warn("%zu of %zu components are not found again in every resample of the data", a->n_unreliable, ica->k);
	if (!converged(a))
		hs_warn("the search %s", ica->turn.status == HS_TURN_STOPPED ? "was stopped by --deadline" :
			"reached --max-iter before it converged");
}

static void report_row(struct hs_json *j, const char *name, const double *v, size_t n)
{
	hs_json_begin(j, name, '[');
	for (size_t i = 0; i < n; i++)
		hs_json_real(j, NULL, v[i]);
	hs_json_end(j, ']');
}

static void report(struct hs_run *run, void *result)
{
	const struct analysis *a = result;
	const struct hs_ica *ica = &a->found.ica;
	struct hs_json *j = &run->report;
	hs_json_int(j, "components", (long long)ica->k);
	hs_json_int(j, "spectra_used", (long long)a->part.f.n_used);
	hs_json_text(j, "status", status_word(a));
	hs_json_int(j, "iterations", (long long)ica->turn.n_iter);
	hs_json_int(j, "runs", (long long)ica->n_runs);
	hs_json_int(j, "gaussian", (long long)a->n_gaussian);
	report_row(j, "share", a->found.share, ica->k);
	report_row(j, "kurtosis", ica->kurtosis, ica->k);
	if (ica->reliability)
		report_row(j, "reliability", ica->reliability, ica->k);
}

/* ------------------------------------------------------------------ results */

static int maps(void *ctx, hs_rows_put put, void *to, struct hs_err *err)
{
	const struct analysis *a = ctx;
	return hs_separated_maps(&a->part.f, &a->found, put, to, err);
}

static int write_components(struct hs_out *out, struct analysis *a, bool on_spectra, struct hs_err *err)
{
	const struct hs_pixels *like = &a->part.like;
	const char *quantity = like->signal->quantity, *units = like->signal->units;
	const struct hs_factors f = { .k = a->found.k, .component = "component", .maps = "scores",
		.map_quantity = on_spectra ? quantity : "source", .map_units = on_spectra ? units : "1",
		.map_comment = converged(a) ? NULL : "not converged", .map = { .pass = maps, .ctx = a },
		.spectra = "components", .spectrum_quantity = on_spectra ? "component" : quantity,
		.spectrum_units = on_spectra ? "1" : units, .spectrum = a->found.spectra, .mean = a->part.mean,
		.spectrum_comment = converged(a) ? "sign: the element of largest magnitude is positive; order: by share" :
			"not converged; sign: the element of largest magnitude is positive; order: by share",
		.objective = "largest rotation", .objective_units = "rad", .n_iter = a->found.ica.turn.n_iter,
		.trace = a->found.ica.turn.trace };
	return hs_factors_put(out, like, &f, err);
}

static int write_kurtosis(struct hs_out *out, struct analysis *a, struct hs_err *err)
{
	const struct hs_ica *ica = &a->found.ica;
	const struct hs_column columns[] = { { "share", "1", a->found.share }, { "reliability", "1", ica->reliability } };
	const struct hs_extras extras = { .n_columns = ica->reliability ? 2 : 1, .column = columns,
		.comment = "0 for a Gaussian distribution; reliability: 1 when every resample finds the component, near 0 by chance" };
	struct hs_signal s;
	hs_pixels_series(&a->part.like, &s, "kurtosis", "excess kurtosis", "1", HS_F64, "component", ica->k);
	return hs_session_put(out, &s, ica->kurtosis, &extras, err);
}

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct analysis *a = result;
	(void)px;
	return write_components(out, a, p->on == ON_SPECTRA, err) < 0 ? -1 : write_kurtosis(out, a, err);
}

/* ------------------------------------------------------------------ the story */

static uint64_t bytes_for(const struct hs_run *run, size_t n_pix, size_t n_chan, size_t k)
{
	const struct params *p = run->tool->params;
	const struct hs_ica_options o = how(p, run);
	const int threads = (int)run->common.threads;
	const uint64_t part = hs_principal_bytes(n_pix, n_chan, k, threads),
		       separate = hs_separate_bytes(n_pix, k, n_chan, p->on == ON_SPECTRA, &o, threads);
	return part > separate ? part : separate;
}

/* When the number is to be found: as many as half of --memory holds. */
static size_t most_components(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	const struct params *p = run->tool->params;
	const size_t order = n_pix < n_chan ? n_pix : n_chan;
	size_t k = p->n_comp ? p->n_comp : p->method == METHOD_JADE ? HS_JADE_MOST : MOST_AUTO;
	k = k < order ? k : order;
	while (!p->n_comp && k > 1 && bytes_for(run, n_pix, n_chan, k) > hs_run_memory(run) / 2)
		k--;
	return k;
}

static uint64_t needed(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	return bytes_for(run, n_pix, n_chan, most_components(run, n_pix, n_chan));
}

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct analysis *a = result;
	const struct hs_principal_options principal = { .n_comp = p->n_comp, .most = most_components(run, px->n_pix, px->n_chan),
		.poisson = p->poisson, .exact = p->exact };
	struct hs_ica_options o = how(p, run);
	o.stop = run->common.deadline_s > 0 ? hs_run_out_of_time : NULL;
	o.stop_ctx = run;
	size_t diff;
	if (hs_principal_init(&a->part, px, &principal, err) < 0 || choose_diff(p, &a->part.like, &diff, err) < 0 ||
		hs_separate(&a->part.f, p->on == ON_SPECTRA, diff, &o, &a->found, err) < 0)
		return -1;
	judge(p, a);
	run->not_converged = !converged(a);
	return 0;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct hs_study study = { .does = "take apart", .reading.as = p->exact ? HS_AS_F64 : HS_AS_AUTO, .bytes = needed,
		.compute = compute, .write = write_results, .report = report };
	struct analysis a = { 0 };
	const int verdict = check_words(p, err) < 0 ? -1 : hs_study_run(run, &study, &a, err);
	hs_separated_release(&a.found);
	hs_principal_release(&a.part);
	return verdict;
}

int main(int argc, char **argv)
{
	const struct hs_ica_options o = hs_ica_defaults();
	struct params p = { .restarts = o.restarts, .max_iter = o.max_iter, .tol = o.tol };
	const struct hs_opt options[] = {
		HS_OPT_COUNT_OR('k', "components", &p.n_comp, "N", "auto", 1, MOST, "components; auto: by hspca's test, or all scores"),
		HS_OPT_CHOICE('m', "method", &p.method, "picard|fastica|jade|orthomax", "how they are found"),
		HS_OPT_CHOICE(0, "on", &p.on, "spectra|maps", "what shall be independent"),
		HS_OPT_CHOICE(0, "diff", &p.diff, "auto|0|1|2", "spectra: take differences of channels first; auto: 1"),
		HS_OPT_FLAG('p', "poisson", &p.poisson, "counts: scale to equal noise (Keenan and Kotula)"),
		HS_OPT_CHOICE(0, "approach", &p.approach, "symmetric|deflation", "fastica: all at once, or one by one"),
		HS_OPT_CHOICE(0, "nonlinearity", &p.nonlinearity, "tanh|gauss|cube", "fastica: for both tails, heavy ones, kurtosis"),
		HS_OPT_COUNT('r', "restarts", &p.restarts, "N", 1, 100, "runs, all but the first on resamples from a random start"),
		HS_OPT_COUNT(0, "max-iter", &p.max_iter, "N", 1, 1e6, "most iterations"),
		HS_OPT_REAL(0, "tol", &p.tol, "RAD", 1e-12, 1, "converged: an iteration turns by less"),
		HS_OPT_FLAG(0, "exact", &p.exact, "float64 throughout, also for float32 data"),
	};
	const struct hs_tool tool = { .name = "hsica", .summary = "independent components of a spectral data set",
		.operands = "[FILE]", .max_operands = 1, .takes = "a signal: pixels x channels, or the scores of hspca",
		.gives = "scores, components, kurtosis with share and reliability, mean",
		.example = "hspca -p -k 4 cube.nxs | hsica --on spectra | hsplot -o ica.png",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_SEED | HS_USES_REPORT | HS_USES_CARRY | HS_USES_DEADLINE,
		.options = options, .n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
