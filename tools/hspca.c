/* hspca - principal components of a spectral data set. See hspca(1). */
#include "base/log.h"
#include "base/mem.h"
#include "cli/companion.h"
#include "cli/components.h"
#include "cli/study.h"
#include "factor/decompose.h"
#include "factor/em_pca.h"
#include "factor/mlpca.h"
#include "factor/parallel.h"
#include "factor/rank.h"
#include "factor/robust.h"

enum centre_word { CENTRE_AUTO, CENTRE_NONE, CENTRE_CHANNEL, CENTRE_BOTH };

struct params {
	uint64_t n_comp;                      /* 0: chosen by the rank test */
	int centre, method, missing;          /* missing: 1, estimated */
	bool poisson, robust, exact, denoise, no_scores, parallel;
	const char *variance, *update;
};

/* Components computed when the number is to be found: where all eigenvalues come at once; where each costs; one by one. */
enum { MOST_AUTO = 100, MOST_PARTIAL = 50, MOST_SKETCH = 24, MOST_LIKELY = 16 };

struct analysis {
	struct hs_pca pca;
	struct hs_ranks ranks;
	size_t k;                             /* components kept */
	struct hs_robust robust;
	struct hs_em_pca em;
	struct hs_mlpca likely;
	struct hs_earlier earlier;
	struct hs_rowsource *rows;            /* for the second passes */
	bool tested;                          /* ranks are known */
	bool settled;                         /* the method has its own way to the number of components */
};

/* How many components are computed, by a method that gives all eigenvalues or only those. */
static size_t most(const struct params *p, enum hs_pca_method method)
{
	if (p->variance)
		return p->n_comp ? p->n_comp : MOST_LIKELY;
	return p->n_comp ? p->n_comp : method == HS_PCA_RANDOM ? MOST_PARTIAL : method == HS_PCA_SKETCH ? MOST_SKETCH : MOST_AUTO;
}

static enum hs_pca_method method_for(const struct params *p, size_t n_pix, size_t n_chan)
{
	const enum hs_pca_method method = (enum hs_pca_method)p->method;
	return method == HS_PCA_AUTO ? hs_pca_choose(n_pix, n_chan, p->n_comp ? p->n_comp : MOST_PARTIAL) : method;
}

static struct hs_pca_how how_for(const struct params *p, const struct hs_run *run, const struct hs_pixels *px)
{
	static const enum hs_centre meant[] = { [CENTRE_NONE] = HS_CENTRE_NONE, [CENTRE_CHANNEL] = HS_CENTRE_CHANNEL,
		[CENTRE_BOTH] = HS_CENTRE_BOTH };
	const enum hs_centre automatic = p->poisson ? HS_CENTRE_NONE : HS_CENTRE_CHANNEL;
	const enum hs_pca_method method = method_for(p, px->n_pix, px->n_chan);
	return (struct hs_pca_how){ .method = method, .n_comp = most(p, method), .seed = run->common.seed, .options = {
		.centre = p->centre == CENTRE_AUTO ? automatic : meant[p->centre], .poisson = p->poisson, .exact = p->exact } };
}

/* float32 products are good to 1e-6 of the largest eigenvalue. When the noise lies below that and the rank is asked for, they
 * do not answer: the pass is repeated in float64. */
static int decompose(const struct params *p, struct hs_pca_how how, struct hs_pixels *px, struct hs_pca *pca, struct hs_err *err)
{
	if (hs_pca_find(pca, px->source, &how, err) < 0)
		return -1;
	const double *e = pca->eigenvalue, noise = pca->n_eig ? e[pca->n_eig / 2] : 0;
	if (how.method != HS_PCA_EXACT || p->n_comp || p->variance || p->exact || px->source->type == HS_ROW_F64 || !(noise > 0) ||
		noise > 1e-6 * e[0])
		return 0;
	hs_stage("the noise is %.1g of the first component: once more in float64", noise / e[0]);
	hs_pca_release(pca);
	how.options.exact = how.silent = true;
	return hs_pca_find(pca, px->source, &how, err);
}

static int without_outliers(const struct params *p, struct hs_pca_how how, struct hs_run *run, struct hs_pixels *px,
	struct analysis *a, struct hs_err *err)
{
	if (hs_robust_find(&a->robust, &a->pca, px->source, &how, p->n_comp, hs_run_out_of_time, run, err) < 0)
		return -1;
	hs_stage("%zu spectra are outliers, after %zu rounds", a->robust.n_outliers, a->robust.n_iter);
	run->not_converged = !a->robust.converged;
	return 0;
}

static struct hs_gaps gaps_of(const struct hs_pixels *px)
{
	return (struct hs_gaps){ .mask = px->mask, .has_fill = px->signal->has_fill, .fill = px->signal->fill };
}

static int with_gaps(const struct params *p, struct hs_pca_how how, struct hs_run *run, struct hs_pixels *px, struct analysis *a,
	struct hs_err *err)
{
	const struct hs_gaps gaps = gaps_of(px);
	if (hs_em_pca_find(&a->em, &a->pca, px->source, &gaps, &how, p->n_comp, hs_run_out_of_time, run, err) < 0)
		return -1;
	hs_stage("%zu elements of %zu spectra estimated, after %zu rounds", a->em.gaps.n_elements, a->em.gaps.n_rows, a->em.n_iter);
	a->rows = a->em.filled;
	run->not_converged = !a->em.converged;
	return 0;
}

/* Ordinary components are where the search starts; chi2 says how many the variances ask for. */
static int with_variances(const struct params *p, struct hs_pca_how how, struct hs_run *run, struct hs_pixels *px,
	struct analysis *a, struct hs_err *err)
{
	const struct hs_gaps gaps = gaps_of(px);
	struct hs_companion c;
	struct hs_pca start = { 0 };
	if (hs_companion_open(&c, run, px, p->variance, err) < 0)
		return -1;
	int verdict = decompose(p, how, px, &start, err);
	const size_t room = start.n_comp + 1 < px->n_chan ? start.n_comp : px->n_chan - 1;
	if (verdict == 0)
		start.n_comp = room;
	if (verdict == 0)
		verdict = hs_mlpca_find(&a->likely, &a->pca, px->source, &c.variances, &gaps, &start, p->n_comp, hs_run_out_of_time, run, err);
	hs_companion_close(&c);
	hs_pca_release(&start);
	if (verdict < 0)
		return -1;
	hs_stage("chi2 is %.6g for %.6g degrees of freedom with %zu components, after %zu rounds", a->likely.chi2, a->likely.freedom,
		a->pca.n_comp, a->likely.n_iter);
	if (!p->n_comp && !a->likely.fits)
		hs_warn("%zu components leave more than the variances explain: chi2 is %.3g of its degrees of freedom", a->pca.n_comp,
			a->likely.chi2 / a->likely.freedom);
	run->not_converged = !a->likely.converged;
	return 0;
}

/* Centring and scaling are those of the earlier run, and go into the record of this one: the next update looks there. */
static int on_top_of_earlier(struct params *p, struct hs_pca_how how, struct hs_pixels *px, struct analysis *a,
	struct hs_err *err)
{
	if (hs_earlier_read(&a->earlier, p->update, px->n_chan, err) < 0)
		return -1;
	static const int word[] = { [HS_CENTRE_NONE] = CENTRE_NONE, [HS_CENTRE_CHANNEL] = CENTRE_CHANNEL,
		[HS_CENTRE_BOTH] = CENTRE_BOTH };
	p->centre = word[how.options.centre = a->earlier.centre];
	p->poisson = how.options.poisson = a->earlier.poisson;
	how.n_comp = p->n_comp ? p->n_comp : a->earlier.known.k;
	if (hs_pca_update(&a->pca, px->source, &how, &a->earlier.known, err) < 0)
		return -1;
	hs_stage("%zu spectra on top of %zu", a->pca.n_used - a->earlier.known.n, a->earlier.known.n);
	return 0;
}

/* All tests, when somebody asks for them: they look at all eigenvalues in pairs, which costs as much as finding these. */
static int test_rank(const struct params *p, const struct hs_run *run, struct hs_pixels *px, struct analysis *a,
	struct hs_err *err)
{
	struct hs_ranks *r = &a->ranks;
	const struct hs_pca *pca = &a->pca;
	r->parallel = HS_RANK_UNKNOWN;
	if (p->n_comp && !run->common.verbose && !run->common.report && !p->parallel)
		return 0;
	if (hs_ranks_find_among(r, pca->eigenvalue, pca->n_eig, pca->total, pca->floor, pca->n_rows_free, pca->n_chan_free, err) < 0)
		return -1;
	if (p->parallel) {
		size_t rank;
		if (hs_rank_parallel(px->source, &pca->frame, run->common.seed, &rank, err) < 0)
			return -1;
		hs_ranks_set_parallel(r, rank);
	}
	a->tested = true;
	if (a->settled)
		r->chosen = p->variance || p->update ? pca->n_comp : p->missing ? a->em.k : a->robust.k;
	hs_stage("rank: chosen %zu; Tracy-Widom %zu, Gavish-Donoho %zu, Minka %zu, BIC %zu, elbow %zu", r->chosen, r->tw, r->gd,
		r->minka, r->bic, r->elbow);
	if (r->parallel != HS_RANK_UNKNOWN)
		hs_stage("rank: parallel analysis %zu", r->parallel);
	return 0;
}

/* What is kept is what was asked for, what a method settled on, or what the noise test says. */
static int choose_rank(const struct params *p, const struct hs_run *run, struct hs_pixels *px, struct analysis *a,
	struct hs_err *err)
{
	const struct hs_pca *pca = &a->pca;
	const struct hs_ranks *r = &a->ranks;
	a->settled = p->variance || p->update || p->missing || p->robust;
	if (test_rank(p, run, px, a, err) < 0)
		return -1;
	a->k = p->n_comp ? p->n_comp : r->chosen;
	if (!p->n_comp && (!a->settled || p->robust) && r->disagree)
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
	if (a->robust.weight)
		hs_json_int(j, "outliers", (long long)a->robust.n_outliers);
	if (a->em.filled)
		hs_json_int(j, "elements_estimated", (long long)a->em.gaps.n_elements);
	if (a->likely.sigma) {
		hs_json_real(j, "chi2", a->likely.chi2);
		hs_json_real(j, "degrees_of_freedom", a->likely.freedom);
	}
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

/* ------------------------------------------------------------------ the story */

static uint64_t needed(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	const struct params *p = run->tool->params;
	const int threads = (int)run->common.threads;
	const enum hs_pca_method method = p->update ? HS_PCA_TSQR : method_for(p, n_pix, n_chan);
	const size_t k = most(p, method);
	if (p->robust)
		return hs_robust_bytes(n_pix, n_chan, method, k, threads);
	if (p->missing)
		return hs_em_pca_bytes(n_pix, n_chan, method, k, threads);
	const uint64_t find = hs_pca_find_bytes(n_pix, n_chan, method, k, threads),
		       likely = p->variance ? hs_mlpca_bytes(n_pix, n_chan, k, threads) + HS_COMPANION_BYTES : 0;
	return find > likely ? find : likely;
}

static int agree(const struct params *p, const struct hs_pixels *px, struct hs_err *err)
{
	if (p->denoise && (!px->n_sig || px->nav[0] != 0))       /* what is a pixel here is no row of the file */
		return hs_fail(err, HS_USAGE, "--denoise wants spectra, not images");
	if (p->robust + (p->missing != 0) + (p->variance != NULL) + (p->update != NULL) > 1)
		return hs_fail(err, HS_USAGE, "--robust, --missing em, --variance and --update do not go together");
	if (p->update && (p->poisson || p->centre != CENTRE_AUTO || p->method != HS_PCA_AUTO))
		return hs_fail(err, HS_USAGE, "--update centres and scales as '%s' did, by a method of its own", p->update);
	if (p->variance && (p->poisson || p->centre == CENTRE_BOTH || p->method == HS_PCA_SKETCH))
		return hs_fail(err, HS_USAGE, "--variance goes with --centre none or channel, without --poisson or a sketch");
	return 0;
}

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	struct params *p = run->tool->params;
	struct analysis *a = result;
	a->rows = px->source;
	if (agree(p, px, err) < 0)
		return -1;
	if (p->denoise)
		run->common.carry = false;    /* the cube that goes along is the denoised one */
	const struct hs_pca_how how = how_for(p, run, px);
	const int verdict = p->robust ? without_outliers(p, how, run, px, a, err) : p->missing ? with_gaps(p, how, run, px, a, err) :
		p->variance ? with_variances(p, how, run, px, a, err) : p->update ? on_top_of_earlier(p, how, px, a, err) :
		decompose(p, how, px, &a->pca, err);
	return verdict < 0 ? -1 : choose_rank(p, run, px, a, err);
}

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct analysis *a = result;
	const struct hs_components c = { .pca = &a->pca, .k = a->k, .rows = a->rows, .with_scores = !p->no_scores,
		.denoise = p->denoise, .sigma = a->k == a->pca.n_comp ? a->likely.sigma : NULL, .weight = a->robust.weight,
			.ranks = a->tested ? &a->ranks : NULL,
		.n_batches = a->earlier.n_batches, .batch = a->earlier.batch };
	return hs_components_put(out, px, &c, err);
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct hs_study study = { .does = "decompose", .bytes = needed,
		.reading = { .as = p->exact ? HS_AS_F64 : HS_AS_AUTO, .again = p->robust || p->missing || p->variance || !p->no_scores },
		.compute = compute, .write = write_results, .report = report };
	struct analysis a = { 0 };
	const int verdict = hs_study_run(run, &study, &a, err);
	hs_pca_release(&a.pca);
	hs_robust_release(&a.robust);
	hs_em_pca_release(&a.em);
	hs_mlpca_release(&a.likely);
	hs_earlier_release(&a.earlier);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { 0 };
	const struct hs_opt options[] = {
		HS_OPT_COUNT_OR('k', "components", &p.n_comp, "N", "auto", 1, 65536, "components to keep; auto: those above the noise"),
		HS_OPT_CHOICE('c', "centre", &p.centre, "auto|none|channel|both", "what is subtracted first"),
		HS_OPT_FLAG('p', "poisson", &p.poisson, "counts: scale to equal noise (Keenan and Kotula)"),
		HS_OPT_CHOICE(0, "method", &p.method, "auto|exact|random|sketch|tsqr",
		"how: by size; all; few of very many; one reading; wide range"),
		HS_OPT_FLAG('r', "robust", &p.robust, "outlying spectra get less weight, or none"),
		HS_OPT_CHOICE(0, "missing", &p.missing, "skip|em", "spectra with gaps are left out, or gaps estimated"),
		HS_OPT_TEXT(0, "variance", &p.variance, "NAME", "known variances: errors, a signal or a file"),
		HS_OPT_TEXT(0, "update", &p.update, "FILE", "add these spectra to the components of an earlier result"),
		HS_OPT_FLAG(0, "denoise", &p.denoise, "also write the cube rebuilt from the components kept"),
		HS_OPT_FLAG(0, "parallel-analysis", &p.parallel, "one more opinion on the rank, by shuffling"),
		HS_OPT_FLAG(0, "exact", &p.exact, "float64 throughout, also for float32 data"),
		HS_OPT_FLAG(0, "no-scores", &p.no_scores, "leave out the scores and their pass over the data"),
	};
	const struct hs_tool tool = { .name = "hspca", .summary = "principal components of a spectral data set", .operands = "[FILE]",
		.max_operands = 1,
		.takes = "a signal: pixels x channels", .gives = "scores, loadings, variance, mean; weights, data",
		.example = "hsload grid.3ds | hspca -k 4 | hsplot -o pca.png",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_SEED | HS_USES_DEADLINE | HS_USES_REPORT | HS_USES_CARRY,
		.options = options,
		.n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
