/* hsunmix - the pure spectra behind a data set, and how much of each a pixel holds. See hsunmix(1). */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/factors.h"
#include "cli/library.h"
#include "cli/study.h"
#include "unmix/unmix.h"

struct params {
	uint64_t k, samples;                  /* k 0: found */
	int method, abundances, scale;        /* in the order of their enums in math */
	double lambda, smooth;                /* NaN: not given */
	const char *library;
	bool poisson, unit_sum, min_volume, sample_endmembers;
	struct hs_library spectra;            /* of --library, read before the data */
};

struct analysis {
	struct hs_unmixed u;
	double *library;                      /* on the channels of the data */
};

#define LAMBDA 0.01
#define LONG_ENOUGH 1.1                       /* potential scale reduction of chains that agree */

static bool sums_to_one(const struct params *p)
{
	return p->abundances == HS_UNMIX_FCLS || p->abundances == HS_UNMIX_BAYES;
}

static int check_words(const struct params *p, struct hs_err *err)
{
	if (p->scale != HS_UNMIX_AS_IS && sums_to_one(p))
		return hs_fail(err, HS_USAGE, "--scale does not go with abundances that sum to one: they want spectra as they are in the data");
	if (isfinite(p->lambda) && p->abundances != HS_UNMIX_SUNSAL)
		return hs_fail(err, HS_USAGE, "--lambda belongs to --abundances sunsal");
	if (p->library && (p->k || p->method != HS_ENDMEMBER_AUTO || p->min_volume || isfinite(p->smooth)))
		return hs_fail(err, HS_USAGE, "--library gives the endmembers: -k, -e, --smooth and --min-volume are about their search");
	if (p->sample_endmembers && (p->library || p->abundances != HS_UNMIX_BAYES))
		return hs_fail(err, HS_USAGE, "--sample-endmembers goes with --abundances bayes and endmembers that are searched for");
	if (p->min_volume && p->method != HS_ENDMEMBER_AUTO)
		return hs_fail(err, HS_USAGE, "--min-volume belongs to --endmembers auto");
	return 0;
}

/* The grid of pixels: points have no neighbours. */
static struct hs_unmix_options how(const struct hs_run *run, const double *library, size_t n_y, size_t n_x)
{
	const struct params *p = run->tool->params;
	struct hs_unmix_options o = { .search = hs_endmember_defaults((enum hs_endmember_method)p->method, p->k), .library = library,
		.n_library = p->spectra.k, .abundances = (enum hs_unmix_abundances)p->abundances, .scale = (enum hs_unmix_scale)p->scale,
		.lambda = isfinite(p->lambda) ? p->lambda : LAMBDA, .samples = p->samples,
		.sample_endmembers = p->sample_endmembers };
	o.search.n_y = n_y;
	o.search.n_x = n_x;
	o.search.smooth = isfinite(p->smooth) ? p->smooth : o.search.smooth;
	o.search.min_volume = p->min_volume;
	o.search.poisson = p->poisson;
	o.search.unit_sum = p->unit_sum;
	o.search.seed = run->common.seed;
	o.search.stop = run->common.deadline_s > 0 ? hs_run_out_of_time : NULL;
	o.search.stop_ctx = (void *)(uintptr_t)run;
	return o;
}

static struct hs_unmix_options how_here(const struct hs_run *run, const struct hs_pixels *px, const double *library)
{
	const size_t n = px->n_nav;
	if (!n || px->signal->axis[px->nav[n - 1]].kind == HS_AXIS_POINT)
		return how(run, library, 0, 0);
	return how(run, library, n > 1 ? px->signal->axis[px->nav[n - 2]].n : 1, px->signal->axis[px->nav[n - 1]].n);
}

/* ------------------------------------------------------------------ what was found */

static bool converged(const struct hs_unmixed *u)
{
	const bool search = u->em.status == HS_ENDMEMBER_DONE || u->em.status == HS_ENDMEMBER_DEGENERATE,
		   chains = isnan(u->rhat) || (u->rhat <= LONG_ENOUGH && u->endmember_rhat <= LONG_ENOUGH);
	return search && chains && !u->n_unsolved && !u->stopped;
}

/* Says which method to trust, and warns of what is not to be trusted. */
static void judge(const struct params *p, const struct hs_unmixed *u)
{
	const struct hs_purity *purity = &u->em.purity;
	const bool encloses = p->method == HS_ENDMEMBER_SISAL || p->method == HS_ENDMEMBER_MINVOL || p->min_volume;
	if (u->found && (purity->verdict == HS_PURITY_LOOSE || (purity->verdict == HS_PURITY_MIXED && !encloses)))
		hs_warn("%s", purity->text);
	if (u->em.status == HS_ENDMEMBER_MAXITER)
		hs_warn("the search for endmembers ended before it converged");
	if (u->em.status == HS_ENDMEMBER_STOPPED || u->stopped)
		hs_warn("%s stopped by --deadline: %zu spectra have abundances", u->stopped ? "sampling was" : "the search for endmembers was",
			u->n_used);
	if (u->n_unsolved)
		hs_warn("abundances of %zu spectra are near the best, not the best: the iteration ended before", u->n_unsolved);
	if (u->rhat > LONG_ENOUGH || u->endmember_rhat > LONG_ENOUGH)
		hs_warn("chains do not agree (potential scale reduction %.2f, of the endmembers %.2f): more --samples, or fewer endmembers",
			u->rhat, u->endmember_rhat);
	if (p->abundances == HS_UNMIX_BAYES)
		hs_stage("chains: potential scale reduction %.3f (99 %%), of the endmembers %.3f, %.0f effective samples", u->rhat,
			u->endmember_rhat, u->ess);
	hs_stage("%zu endmembers, %zu spectra, root mean square of the residual %.4g", u->k, u->n_used, u->rms);
}

static void list(struct hs_json *j, const char *name, const double *v, const size_t *from, size_t n)
{
	hs_json_begin(j, name, '[');
	for (size_t i = 0; i < n; i++)
		hs_json_real(j, NULL, v[from ? from[i] : i]);
	hs_json_end(j, ']');
}

static void count(struct hs_json *j, const char *name, size_t n)
{
	if (n == HS_COUNT_UNKNOWN)
		hs_json_real(j, name, NAN);
	else
		hs_json_int(j, name, (long long)n);
}

static void report_search(struct hs_json *j, const struct hs_unmixed *u)
{
	static const char *const verdicts[] = { "unknown", "pure", "mixed", "loose" };
	const struct hs_endmembers *em = &u->em;
	hs_json_text(j, "why", em->why);
	hs_json_begin(j, "estimates", '{');
	count(j, "chosen", em->count.chosen);
	count(j, "hysime", em->count.hysime);
	count(j, "tracy_widom", em->count.tw);
	count(j, "gavish_donoho", em->count.gd);
	hs_json_begin(j, "virtual_dimension", '[');
	for (size_t i = 0; i < 3; i++)
		count(j, NULL, em->count.vd[i]);
	hs_json_end(j, ']');
	hs_json_bool(j, "disagree", em->count.disagree);
	hs_json_end(j, '}');
	hs_json_begin(j, "noise", '{');
	hs_json_real(j, "rms", em->noise_rms);
	hs_json_real(j, "snr_db", em->snr_db);
	hs_json_end(j, '}');
	hs_json_begin(j, "purity", '{');
	hs_json_text(j, "verdict", verdicts[em->purity.verdict]);
	hs_json_text(j, "text", em->purity.text);
	if (em->purity.k == u->k && em->purity.purest)
		list(j, "purest", em->purity.purest, u->from, u->k);
	hs_json_end(j, '}');
	hs_json_begin(j, "pixels", '[');
	for (size_t i = 0; i < u->k; i++)
		count(j, NULL, em->pixel ? em->pixel[u->from[i]] : HS_COUNT_UNKNOWN);
	hs_json_end(j, ']');
}

static const char *const abundance_words[] = { "fcls", "nnls", "nnls-sum", "sunsal", "ls", "bayes" };

static void report(struct hs_run *run, void *result)
{
	const struct params *p = run->tool->params;
	const struct hs_unmixed *u = &((const struct analysis *)result)->u;
	struct hs_json *j = &run->report;
	hs_json_int(j, "endmembers", (long long)u->k);
	hs_json_text(j, "method", u->found ? hs_endmember_method_name(u->em.method) : "library");
	hs_json_text(j, "abundances", abundance_words[p->abundances]);
	hs_json_text(j, "status", converged(u) ? u->em.status == HS_ENDMEMBER_DEGENERATE ? "degenerate" : "converged" :
		u->stopped || u->em.status == HS_ENDMEMBER_STOPPED ? "stopped" : "maxiter");
	hs_json_int(j, "spectra_used", (long long)u->n_used);
	hs_json_real(j, "residual_rms", u->rms);
	list(j, "mean_abundances", u->mean, NULL, u->k);
	if (u->found)
		report_search(j, u);
	if (p->abundances != HS_UNMIX_BAYES)
		return;
	hs_json_begin(j, "chains", '{');
	hs_json_int(j, "samples", (long long)p->samples);
	hs_json_real(j, "scale_reduction", u->rhat);
	hs_json_real(j, "endmember_scale_reduction", u->endmember_rhat);
	hs_json_real(j, "effective_samples", u->ess);
	hs_json_end(j, '}');
}

/* ------------------------------------------------------------------ results */

static void describe_abundances(const struct params *p, char *text, size_t room)
{
	static const char *const meant[] = { [HS_UNMIX_FCLS] = "fully constrained least squares: not negative, sum to one",
		[HS_UNMIX_NNLS] = "non-negative least squares: not negative, the sum tells thickness or brightness",
		[HS_UNMIX_NNLS_SUM] = "non-negative least squares, divided by the sum: not negative, sum to one",
		[HS_UNMIX_SUNSAL] = "sparse: not negative, with a price on the sum",
		[HS_UNMIX_LS] = "least squares: may be negative",
		[HS_UNMIX_BAYES] = "posterior mean, data_errors its standard deviation: not negative, sum to one" };
	snprintf(text, room, "%s%s%s", meant[p->abundances], p->poisson ? "; channels weighted for counts" : "",
		p->unit_sum ? "; of spectra brought to one sum" : "");
}

static void describe_endmembers(const struct params *p, const struct hs_unmixed *u, char *text, size_t room)
{
	static const char *const scale[] = { "as they are in the data", "largest value 1", "sum 1" };
	if (u->found)
		snprintf(text, room, "%s; scale: %s; order: by mean abundance", u->em.why, scale[p->scale]);
	else
		snprintf(text, room, "given by '%s'; scale: %s; order: as given", p->library, p->unit_sum ? scale[2] : scale[p->scale]);
}

/* A bound of the posterior, as maps beside the mean. */
static int write_bound(struct hs_out *out, const struct hs_pixels *px, const struct hs_unmixed *u, const char *name,
	const char *comment, const double *value, struct hs_err *err)
{
	const struct hs_extras extras = { .comment = comment };
	const struct hs_factor_rows rows = { .value = value };
	struct hs_signal s;
	hs_pixels_maps(px, &s, name, "abundance", "1", HS_F32, "endmember", u->k);
	const int verdict = hs_factors_stream(out, HS_AT_STEP, &s, true, &extras, &rows, px->n_pix, err);
	hs_signal_release(&s);
	return verdict;
}

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct hs_unmixed *u = &((const struct analysis *)result)->u;
	const bool bare = p->scale != HS_UNMIX_AS_IS || (!u->found && p->unit_sum);     /* endmembers without unit */
	char maps[200], spectra[600];
	describe_abundances(p, maps, sizeof maps);
	describe_endmembers(p, u, spectra, sizeof spectra);
	const struct hs_factors f = { .k = u->k, .component = "endmember", .maps = "abundances", .map_quantity = "abundance",
		.map_units = p->scale == HS_UNMIX_AS_IS || p->abundances == HS_UNMIX_NNLS_SUM ? "1" : px->signal->units,
		.map_comment = maps, .map = { .value = u->abundance }, .map_sigma = u->abundance_sd, .spectra = "endmembers",
		.spectrum_quantity = px->signal->quantity, .spectrum_units = bare ? "1" : px->signal->units, .spectrum_comment = spectra,
		.spectrum = u->spectrum, .spectrum_sigma = u->spectrum_sd, .residual = u->residual };
	if (hs_factors_put(out, px, &f, err) < 0)
		return -1;
	if (!u->low)
		return 0;
	return write_bound(out, px, u, "abundances_low", "2.5 % of the posterior probability lies below", u->low, err) < 0 ? -1 :
		write_bound(out, px, u, "abundances_high", "97.5 % of the posterior probability lies below", u->high, err);
}

/* ------------------------------------------------------------------ the story */

static uint64_t needed(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	const struct params *p = run->tool->params;
	const struct hs_unmix_options o = how(run, NULL, 1, n_pix);
	const uint64_t sigma = p->abundances == HS_UNMIX_BAYES ? n_pix * (p->k ? p->k : HS_ENDMEMBERS_MOST) * sizeof(double) : 0;
	return hs_unmix_bytes(n_pix, n_chan, &o, (int)run->common.threads) + sigma;
}

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct analysis *a = result;
	if (p->library && !(a->library = hs_library_onto(&p->spectra, px, err)))
		return -1;
	const struct hs_unmix_options o = how_here(run, px, a->library);
	if (hs_unmix(px->source, &o, &a->u, err) < 0)
		return -1;
	judge(p, &a->u);
	run->not_converged = !converged(&a->u);
	return 0;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	struct params *p = run->tool->params;
	const struct hs_study study = { .does = "unmix", .reading = { .as = HS_AS_AUTO, .again = true }, .bytes = needed,
		.compute = compute, .write = write_results, .report = report };
	struct analysis a = { 0 };
	if (check_words(p, err) < 0)
		return -1;
	int verdict = p->library ? hs_library_open(&p->spectra, p->library, err) : 0;
	if (verdict == 0)
		verdict = hs_study_run(run, &study, &a, err);
	hs_unmixed_release(&a.u);
	free(a.library);
	hs_library_release(&p->spectra);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { .samples = 1000, .lambda = NAN, .smooth = NAN };
	const struct hs_opt options[] = {
		HS_OPT_COUNT_OR('k', "components", &p.k, "N", "auto", 1, HS_ENDMEMBERS_MOST, "endmembers; auto: as many as the data show"),
		HS_OPT_CHOICE('e', "endmembers", &p.method, "auto|nfindr|spa|vca|ppi|sisal|minvol", "how they are found"),
		HS_OPT_TEXT('l', "library", &p.library, "FILE", "take the spectra of this file instead"),
		HS_OPT_CHOICE('a', "abundances", &p.abundances, "fcls|nnls|nnls-sum|sunsal|ls|bayes", "what is asked of them"),
		HS_OPT_CHOICE(0, "scale", &p.scale, "none|max|sum", "endmembers are brought to this size"),
		HS_OPT_FLAG('p', "poisson", &p.poisson, "counts: weight channels to equal noise"),
		HS_OPT_FLAG(0, "unit-sum", &p.unit_sum, "bring spectra to one sum first: thickness does not count"),
		HS_OPT_REAL(0, "smooth", &p.smooth, "S", 0, 100, "search on pixels averaged over neighbours (Gaussian, pixels)"),
		HS_OPT_FLAG(0, "min-volume", &p.min_volume, "auto: move endmembers beyond the pixels, volume against fit"),
		HS_OPT_REAL(0, "lambda", &p.lambda, "L", 0, 1e6, "sunsal: price of an abundance (default 0.01)"),
		HS_OPT_COUNT(0, "samples", &p.samples, "N", 40, 1e6, "bayes: samples of each pixel"),
		HS_OPT_FLAG(0, "sample-endmembers", &p.sample_endmembers, "bayes: endmembers are uncertain too"),
	};
	const struct hs_tool tool = { .name = "hsunmix", .summary = "endmembers of a spectral data set and their abundances",
		.operands = "[FILE]", .max_operands = 1, .takes = "a signal: pixels x channels",
		.gives = "abundances, endmembers, residual; with --abundances bayes their uncertainty",
		.example = "hsload map.dm3 | hsunmix -k 4 | hsplot -o abundances.png",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_SEED | HS_USES_REPORT | HS_USES_CARRY | HS_USES_DEADLINE,
		.options = options, .n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
