/* hspca - principal components of a spectral data set. See hspca(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/factors.h"
#include "cli/study.h"
#include "math/pca.h"
#include "math/rank.h"

enum centre_word { CENTRE_AUTO, CENTRE_NONE, CENTRE_CHANNEL, CENTRE_BOTH };

struct params {
	uint64_t n_comp;                      /* 0: chosen by the rank test */
	int centre;
	bool poisson, exact, denoise, no_scores, parallel;
};

enum { MOST_AUTO = 100, SCREE = 50 };         /* components computed when the number is to be found; shown in the scree plot */

struct analysis {
	struct hs_pca pca;
	struct hs_ranks ranks;
	size_t k;                             /* components kept */
};

static struct hs_moments_options how(const struct params *p)
{
	static const enum hs_centre meant[] = { [CENTRE_NONE] = HS_CENTRE_NONE, [CENTRE_CHANNEL] = HS_CENTRE_CHANNEL,
		[CENTRE_BOTH] = HS_CENTRE_BOTH };
	const enum hs_centre automatic = p->poisson ? HS_CENTRE_NONE : HS_CENTRE_CHANNEL;
	return (struct hs_moments_options){ .centre = p->centre == CENTRE_AUTO ? automatic : meant[p->centre], .poisson = p->poisson,
		.exact = p->exact };
}

/* One pass for the second moments, then their eigenvectors. */
static int decompose_once(const struct params *p, const struct hs_moments_options *options, struct hs_pixels *px,
	struct hs_pca *pca,
	struct hs_err *err)
{
	struct hs_moments m = { 0 };
	int verdict = hs_moments_init(&m, px->source, options, err);
	if (verdict == 0 && m.n_used < m.n_rows)
		hs_stage("%zu of %zu spectra left out: masked or not finite", m.n_rows - m.n_used, m.n_rows);
	if (verdict == 0 && m.n_negative)
		hs_warn("%zu spectra have a negative sum, which counts cannot have: they are taken as empty", m.n_negative);
	if (verdict == 0)
		verdict = hs_pca_init(pca, &m, px->source, p->n_comp ? p->n_comp : MOST_AUTO, err);
	hs_moments_release(&m);
	return verdict;
}

/* float32 products are good to 1e-6 of the largest eigenvalue. When the noise lies below that and the rank is asked for, they
 * do not answer: the pass is repeated in float64. */
static int decompose(const struct params *p, struct hs_pixels *px, struct analysis *a, struct hs_err *err)
{
	struct hs_moments_options options = how(p);
	if (decompose_once(p, &options, px, &a->pca, err) < 0)
		return -1;
	const double *e = a->pca.eigenvalue, noise = a->pca.n_eig ? e[a->pca.n_eig / 2] : 0;
	if (p->n_comp || options.exact || px->source->type == HS_ROW_F64 || !(noise > 0) || noise > 1e-6 * e[0])
		return 0;
	hs_stage("the noise is %.1g of the first component: once more in float64", noise / e[0]);
	hs_pca_release(&a->pca);
	options.exact = true;
	return decompose_once(p, &options, px, &a->pca, err);
}

/* How many components are signal: all tests are reported, Tracy-Widom decides. */
static int choose_rank(const struct params *p, const struct hs_run *run, struct hs_pixels *px, struct analysis *a,
	struct hs_err *err)
{
	struct hs_ranks *r = &a->ranks;
	const struct hs_pca *pca = &a->pca;
	hs_ranks_find(r, pca->eigenvalue, pca->n_eig, pca->n_rows_free, pca->n_chan_free);
	if (p->parallel) {
		size_t rank;
		if (hs_rank_parallel(px->source, &pca->frame, run->common.seed, &rank, err) < 0)
			return -1;
		hs_ranks_set_parallel(r, rank);
	}
	hs_stage("rank: chosen %zu; Tracy-Widom %zu, Gavish-Donoho %zu, Minka %zu, BIC %zu, elbow %zu", r->chosen, r->tw, r->gd,
		r->minka, r->bic, r->elbow);
	if (r->parallel != HS_RANK_UNKNOWN)
		hs_stage("rank: parallel analysis %zu", r->parallel);
	a->k = p->n_comp ? p->n_comp : r->chosen;
	if (!p->n_comp && r->disagree)
		hs_warn("%s%s", r->reason, r->chosen ? "" : ": one is kept");
	if (a->k > pca->n_comp && p->n_comp)
		hs_warn("%zu components asked, the data have %zu", a->k, pca->n_comp);
	a->k = a->k > pca->n_comp ? pca->n_comp : a->k ? a->k : 1;
	return 0;
}

static void report(struct hs_run *run, void *result)
{
	const struct analysis *a = result;
	const struct hs_pca *pca = &a->pca;
	struct hs_json *j = &run->report;
	hs_json_int(j, "components", (long long)a->k);
	hs_json_int(j, "spectra_used", (long long)pca->n_used);
	hs_json_begin(j, "rank", '{');
	hs_json_int(j, "chosen", (long long)a->ranks.chosen);
	hs_json_int(j, "tracy_widom", (long long)a->ranks.tw);
	hs_json_int(j, "gavish_donoho", (long long)a->ranks.gd);
	hs_json_int(j, "minka", (long long)a->ranks.minka);
	hs_json_int(j, "bic", (long long)a->ranks.bic);
	hs_json_int(j, "elbow", (long long)a->ranks.elbow);
	if (a->ranks.parallel != HS_RANK_UNKNOWN)
		hs_json_int(j, "parallel_analysis", (long long)a->ranks.parallel);
	hs_json_bool(j, "disagree", a->ranks.disagree);
	hs_json_end(j, '}');
	hs_json_begin(j, "variance_ratio", '[');
	for (size_t k = 0; k < a->k; k++)
		hs_json_real(j, NULL, hs_pca_ratio(pca, k));
	hs_json_end(j, ']');
}

/* ------------------------------------------------------------------ results */

/* A second pass over the data: scores, or the spectra rebuilt. */
struct second_pass {
	const struct analysis *a;
	struct hs_rowsource *source;
};

static int scores(void *ctx, hs_rows_put put, void *to, struct hs_err *err)
{
	const struct second_pass *s = ctx;
	return hs_pca_scores(&s->a->pca, s->source, s->a->k, put, to, err);
}

static int rebuilt(void *ctx, hs_rows_put put, void *to, struct hs_err *err)
{
	const struct second_pass *s = ctx;
	return hs_pca_rebuild(&s->a->pca, s->source, s->a->k, put, to, err);
}

static int write_components(struct hs_out *out, const struct hs_pixels *px, const struct analysis *a, bool with_scores,
	struct hs_err *err)
{
	struct second_pass pass = { a, px->source };
	const struct hs_factors f = { .k = a->k, .component = "component", .maps = "scores", .map_quantity = px->signal->quantity,
		.map_units = px->signal->units, .map = { .pass = with_scores ? scores : NULL, .ctx = &pass }, .spectra = "loadings",
		.spectrum_quantity = "loading", .spectrum_units = "1", .spectrum = a->pca.loadings, .mean = a->pca.frame.mean,
		.spectrum_comment = "sign: the element of largest magnitude is positive; order: by variance" };
	return hs_factors_put(out, px, &f, err);
}

static int write_denoised(struct hs_out *out, const struct hs_pixels *px, const struct analysis *a, struct hs_err *err)
{
	struct second_pass pass = { a, px->source };
	const struct hs_factor_rows rows = { .pass = rebuilt, .ctx = &pass };
	struct hs_signal s;
	hs_pixels_cube(px, &s, "data", HS_F32);
	int verdict = hs_factors_stream(out, HS_AT_ENTRY, &s, false, NULL, &rows, px->n_pix, err);
	if (verdict == 0)
		verdict = hs_out_default(out, HS_AT_ENTRY, "data", err);
	hs_signal_release(&s);
	return verdict;
}

/* Ratios of more components than are kept, so that the scree plot shows where the noise begins. */
static int write_variance(struct hs_out *out, const struct hs_pixels *px, const struct analysis *a, struct hs_err *err)
{
	const size_t most = a->k > SCREE ? a->k : SCREE, n = a->pca.n_eig < most ? a->pca.n_eig : most;
	double *ratio = hs_alloc(n, sizeof *ratio, err), *cumulative = hs_alloc(n, sizeof *cumulative, err);
	struct hs_signal s;
	if (!ratio || !cumulative) {
		free(ratio);
		free(cumulative);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		ratio[i] = hs_pca_ratio(&a->pca, i);
		cumulative[i] = ratio[i] + (i ? cumulative[i - 1] : 0);
	}
	hs_pixels_series(px, &s, "variance", "explained variance ratio", "1", HS_F64, "component", n);
	s.log_scale = true;
	const struct hs_column columns[] = { { "cumulative", "1", cumulative }, { "eigenvalue", px->signal->units, a->pca.eigenvalue } };
	const struct hs_extras extras = { .n_columns = HS_LEN(columns), .column = columns };
	const int verdict = hs_session_put(out, &s, ratio, &extras, err);
	free(ratio);
	free(cumulative);
	return verdict;
}

/* ------------------------------------------------------------------ the story */

/* The pass for the moments and what follows it do not happen at once; the matrix lives through both. */
static uint64_t needed(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	const struct params *p = run->tool->params;
	const int threads = (int)run->common.threads;
	const uint64_t order = n_pix < n_chan ? n_pix : n_chan, moments = hs_moments_bytes(n_pix, n_chan, threads),
		       k = p->n_comp ? p->n_comp : MOST_AUTO,
		       after = order * order * sizeof(double) + hs_pca_bytes(n_pix, n_chan, k, threads);
	return moments > after ? moments : after;
}

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	if (p->denoise && (!px->n_sig || px->nav[0] != 0))       /* what is a pixel here is no row of the file */
		return hs_fail(err, HS_USAGE, "--denoise wants spectra, not images");
	if (p->denoise)
		run->common.carry = false;    /* the cube that goes along is the denoised one */
	return decompose(p, px, result, err) < 0 ? -1 : choose_rank(p, run, px, result, err);
}

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct analysis *a = result;
	if (write_components(out, px, a, !p->no_scores, err) < 0 || write_variance(out, px, a, err) < 0)
		return -1;
	return p->denoise ? write_denoised(out, px, a, err) : 0;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct hs_study study = { .does = "decompose", .reading.as = p->exact ? HS_AS_F64 : HS_AS_AUTO, .bytes = needed,
		.compute = compute, .write = write_results, .report = report };
	struct analysis a = { 0 };
	const int verdict = hs_study_run(run, &study, &a, err);
	hs_pca_release(&a.pca);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { 0 };
	const struct hs_opt options[] = {
		HS_OPT_COUNT_OR('k', "components", &p.n_comp, "N", "auto", 1, 65536, "components to keep; auto: by the Tracy-Widom test"),
		HS_OPT_CHOICE('c', "centre", &p.centre, "auto|none|channel|both", "what is subtracted first"),
		HS_OPT_FLAG('p', "poisson", &p.poisson, "counts: scale to equal noise (Keenan and Kotula)"),
		HS_OPT_FLAG(0, "denoise", &p.denoise, "also write the cube rebuilt from the components kept"),
		HS_OPT_FLAG(0, "parallel-analysis", &p.parallel, "one more opinion on the rank, by shuffling"),
		HS_OPT_FLAG(0, "exact", &p.exact, "float64 throughout, also for float32 data"),
		HS_OPT_FLAG(0, "no-scores", &p.no_scores, "leave out the scores and their pass over the data"),
	};
	const struct hs_tool tool = { .name = "hspca", .summary = "principal components of a spectral data set", .operands = "[FILE]",
		.max_operands = 1,
		.takes = "a signal: pixels x channels", .gives = "scores, loadings, variance, mean; with --denoise data",
		.example = "hsload grid.3ds | hspca -k 4 | hsplot -o pca.png",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_SEED | HS_USES_REPORT | HS_USES_CARRY, .options = options,
		.n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
