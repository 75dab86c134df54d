/* hsfit - physical models fitted to every spectrum, with error bars. See hsfit(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/factors.h"
#include "cli/study.h"
#include "physics/evidence.h"
#include "physics/fit.h"

enum { MOST_MODELS = 8, N_EXAMPLES = 3 };

struct params {
	const char *model, *start, *fix, *bound, *tie, *range;
	int noise;
	double sigma;
	bool robust, covariance, list;
	uint64_t max_iter, sweeps;
};

/* One of the competing models and how it fitted. */
struct candidate {
	struct hs_compound model;
	struct hs_fit fit;
};

struct outcome {
	size_t n;
	struct candidate candidate[MOST_MODELS];
	struct hs_grid grid;
	double *weight;                       /* of the channels: 0 outside --range; NULL: all */
	struct hs_evidence evidence;          /* two models or more */
	struct hs_examples examples;
};

/* ------------------------------------------------------------------ what is asked */

static int parse_model(const struct params *p, const char *text, const struct hs_axis *x, const char *y_unit,
	struct hs_compound *c,
	struct hs_err *err)
{
	if (hs_compound_parse(c, text, err) < 0 || (p->start && hs_compound_start(c, p->start, x->units, y_unit, err) < 0) ||
		(p->fix && hs_compound_fix(c, p->fix, x->units, y_unit, err) < 0) ||
		(p->bound && hs_compound_bound(c, p->bound, x->units, y_unit, err) < 0) || (p->tie && hs_compound_tie(c, p->tie, err) < 0))
		return hs_err_prepend(err, "%s", text);
	return 0;
}

/* Models are separated by bars: the alternatives. */
static int parse_models(const struct params *p, const struct hs_pixels *px, struct outcome *o, struct hs_err *err)
{
	const struct hs_axis *x = &px->signal->axis[px->sig[0]];
	char *copy = hs_must_dup(p->model), *save = NULL;
	int verdict = 0;
	for (char *word = strtok_r(copy, "|", &save); word && verdict == 0; word = strtok_r(NULL, "|", &save)) {
		if (o->n == MOST_MODELS)
			verdict = hs_fail(err, HS_USAGE, "more than %d models", MOST_MODELS);
		else
			verdict = parse_model(p, word, x, px->signal->units, &o->candidate[o->n++].model, err);
	}
	free(copy);
	return verdict;
}

static int choose_channels(const struct params *p, const struct hs_axis *x, struct outcome *o, struct hs_err *err)
{
	double lo, hi;
	size_t n = 0;
	o->grid = (struct hs_grid){ .n = x->n, .x = x->value, .x_unit = x->units };
	if (!p->range)
		return 0;
	if (hs_parse_range(p->range, x->units, &lo, &hi, err) < 0)
		return hs_err_prepend(err, "--range");
	o->weight = hs_must_alloc(x->n, sizeof *o->weight);
	for (size_t i = 0; i < x->n; i++) {
		const bool inside = x->value[i] >= lo && x->value[i] <= hi;
		o->weight[i] = inside ? 1 : 0;
		n += inside;
	}
	return n ? 0 : hs_fail(err, HS_USAGE, "--range: no channel is between %g and %g %s", lo, hi, x->units);
}

/* ------------------------------------------------------------------ the fit */

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct outcome *o = result;
	if (px->n_sig != 1)
		return hs_fail(err, HS_BAD_DATA, "spectra of one axis can be fitted, not %s", px->n_sig ? "patterns" : "single values");
	const struct hs_axis *x = &px->signal->axis[px->sig[0]];
	if (choose_channels(p, x, o, err) < 0 || parse_models(p, px, o, err) < 0)
		return -1;
	o->grid.y_unit = px->signal->units;
	for (size_t m = 0; m < o->n; m++) {
		const struct hs_compound *model = &o->candidate[m].model;
		if (model->is_complex)
			return hs_fail(err, HS_BAD_DATA, "'%s' is a model of complex values", model->term[0].model->name);
		const struct hs_fit_options options = { .model = model, .grid = o->grid, .weight = o->weight,
			.noise = (enum hs_fit_noise)p->noise, .sigma = p->sigma, .robust = p->robust, .max_iter = p->max_iter,
			.n_y = px->n_nav == 2 ? px->signal->axis[px->nav[0]].n : 1,
			.n_x = px->n_nav == 2 ? px->signal->axis[px->nav[1]].n : px->n_pix, .sweeps = p->sweeps, .with_covariance = p->covariance,
			.stop = run->common.deadline_s > 0 ? hs_run_out_of_time : NULL, .stop_ctx = run };
		if (hs_fit(px->source, &options, &o->candidate[m].fit, err) < 0)
			return -1;
		hs_stage("%s: %zu of %zu spectra converged", p->model, o->candidate[m].fit.count[HS_FIT_CONVERGED], px->n_pix);
	}
	const struct hs_fit *fits[MOST_MODELS];
	const struct hs_compound *models[MOST_MODELS];
	for (size_t m = 0; m < o->n; m++) {
		fits[m] = &o->candidate[m].fit;
		models[m] = &o->candidate[m].model;
	}
	if (o->n > 1 && hs_evidence_weigh(fits, o->n, &o->evidence, err) < 0)
		return -1;
	return hs_examples_choose(px->source, models[0], fits[0], &o->grid, N_EXAMPLES, &o->examples, err);
}

/* ------------------------------------------------------------------ results */

static char *full_name(const struct outcome *o, size_t m, const char *name)
{
	return o->n > 1 ? hs_must_printf("m%zu_%s", m + 1, name) : hs_must_dup(name);
}

/* One column of a table as a map. */
static int put_map(struct hs_out *out, const struct hs_pixels *px, const char *name, const char *quantity, const char *unit,
	const char *comment, const double *value, const double *sigma, size_t stride, struct hs_err *err)
{
	double *v = hs_alloc(2 * px->n_pix, sizeof *v, err);
	struct hs_signal s;
	if (!v)
		return -1;
	for (size_t i = 0; i < px->n_pix; i++) {
		v[i] = value[i * stride];
		v[px->n_pix + i] = sigma ? sigma[i * stride] : 0;
	}
	const struct hs_extras extras = { .errors = sigma ? v + px->n_pix : NULL, .comment = comment };
	hs_pixels_map(px, &s, name, quantity, unit, HS_F64);
	const int verdict = hs_session_put(out, &s, v, &extras, err);
	free(v);
	return verdict;
}

static int put_status(struct hs_out *out, const struct hs_pixels *px, const char *name, const struct hs_fit *f,
	struct hs_err *err)
{
	static const struct hs_extras coded = { .flag_values = "0 1 2 3 4 5 6 7", .flag_meanings = HS_FIT_STATUS_WORDS };
	struct hs_signal s;
	hs_pixels_map(px, &s, name, "status", "1", HS_U8);
	return hs_session_put(out, &s, f->status, &coded, err);
}

static int put_covariance(struct hs_out *out, const struct hs_pixels *px, const char *name, const struct hs_fit *f,
	struct hs_err *err)
{
	const size_t k = f->n_params, triangle = k * (k + 1) / 2;
	float *v = hs_alloc(k * k, px->n_pix * sizeof *v, err);
	struct hs_signal map, s;
	if (!v)
		return -1;
	for (size_t a = 0; a < k; a++)
		for (size_t b = 0; b < k; b++)
			for (size_t i = 0; i < px->n_pix; i++)
				v[(a * k + b) * px->n_pix + i] = f->covariance[i * triangle + (a >= b ? a * (a + 1) / 2 + b : b * (b + 1) / 2 + a)];
	hs_pixels_map(px, &map, name, "covariance", "1", HS_F32);
	hs_signal_init(&s, name, "covariance", "1", HS_F32);
	hs_signal_add_axis(&s, hs_axis_numbers("parameter", k));
	hs_signal_add_axis(&s, hs_axis_numbers("parameter2", k));
	for (size_t d = 0; d < map.rank; d++)
		hs_signal_add_axis(&s, hs_axis_dup(&map.axis[d]));
	hs_signal_shape_up(&s, map.sig_rank);
	hs_signal_release(&map);
	static const struct hs_extras comment = { .comment = "of the parameters in the order of their names in the model" };
	const int verdict = hs_session_put(out, &s, v, &comment, err);
	free(v);
	return verdict;
}

static int put_candidate(struct hs_out *out, const struct hs_pixels *px, const struct outcome *o, size_t m, struct hs_err *err)
{
	const struct candidate *c = &o->candidate[m];
	const size_t width = c->fit.n_params + c->fit.n_derived;
	const struct { const char *name, *what; const double *value; } judged[] = { { "reduced_chi2", "reduced chi squared",
		c->fit.reduced_chi2 }, { "r2", "coefficient of determination", c->fit.r2 },
		{ "aicc", "corrected Akaike criterion", c->fit.aicc } };
	int verdict = 0;
	for (size_t i = 0; i < width && verdict == 0; i++) {
		const char *what;
		char *name = full_name(o, m, hs_fit_name(&c->model, i, &what)),
		     *unit = hs_fit_unit(&c->model, i, o->grid.x_unit, o->grid.y_unit);
		verdict = put_map(out, px, name, what, unit, NULL, c->fit.value + i, c->fit.sigma + i, width, err);
		free(name);
		free(unit);
	}
	for (size_t i = 0; i < HS_LEN(judged) && verdict == 0; i++) {
		char *name = full_name(o, m, judged[i].name);
		verdict = put_map(out, px, name, judged[i].what, "1", NULL, judged[i].value, NULL, 1, err);
		free(name);
	}
	char *status = full_name(o, m, "status"), *covariance = full_name(o, m, "covariance");
	if (verdict == 0)
		verdict = put_status(out, px, status, &c->fit, err);
	if (verdict == 0 && c->fit.covariance)
		verdict = put_covariance(out, px, covariance, &c->fit, err);
	free(status);
	free(covariance);
	return verdict;
}

static int put_evidence(struct hs_out *out, const struct hs_pixels *px, const struct outcome *o, struct hs_err *err)
{
	static const struct hs_extras best_comment =
		{ .comment = "the model with the least corrected Akaike criterion, from 0; -1: none fits" };
	const struct hs_factor_rows rows = { .value = o->evidence.weight };
	const struct hs_extras comment = { .comment = "Akaike weights: the evidence for each model beside the others" };
	struct hs_signal s;
	hs_pixels_map(px, &s, "best_labels", "model", "1", HS_I32);
	if (hs_session_put(out, &s, o->evidence.best, &best_comment, err) < 0)
		return -1;
	hs_pixels_maps(px, &s, "weights", "evidence", "1", HS_F32, "model", o->n);
	const int verdict = hs_factors_stream(out, HS_AT_STEP, &s, true, &comment, &rows, px->n_pix, err);
	hs_signal_release(&s);
	return verdict;
}

/* The worst, the middle and the best fit over their data. */
static int put_examples(struct hs_out *out, const struct hs_pixels *px, const struct hs_examples *e, struct hs_err *err)
{
	if (!e->n)
		return 0;
	const struct hs_column columns[] = { { "measured", px->signal->units, e->measured } };
	const struct hs_extras extras = { .n_columns = 1, .column = columns, .comment = e->text };
	struct hs_signal s;
	hs_pixels_spectra(px, &s, "examples", px->signal->quantity, px->signal->units, HS_F64, "example", e->n);
	return hs_session_put(out, &s, e->fitted, &extras, err);
}

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct outcome *o = result;
	(void)run;
	for (size_t m = 0; m < o->n; m++)
		if (put_candidate(out, px, o, m, err) < 0)
			return -1;
	if (o->n > 1 && put_evidence(out, px, o, err) < 0)
		return -1;
	return put_examples(out, px, &o->examples, err);
}

static void report(struct hs_run *run, void *result)
{
	static const char *const words[] = { "converged", "max_iter", "on_bound", "singular", "stuck", "no_start", "skipped",
		"not_reached" };
	const struct outcome *o = result;
	struct hs_json *j = &run->report;
	hs_json_begin(j, "models", '[');
	for (size_t m = 0; m < o->n; m++) {
		const struct hs_fit *f = &o->candidate[m].fit;
		hs_json_begin(j, NULL, '{');
		hs_json_begin(j, "parameters", '[');
		for (size_t i = 0; i < f->n_params + f->n_derived; i++)
			hs_json_text(j, NULL, hs_fit_name(&o->candidate[m].model, i, NULL));
		hs_json_end(j, ']');
		hs_json_begin(j, "status", '{');
		for (size_t s = 0; s < HS_FIT_N_STATUS; s++)
			hs_json_int(j, words[s], (long long)f->count[s]);
		hs_json_end(j, '}');
		hs_json_real(j, "median_r2", hs_fit_median(f->r2, f->n_rows));
		hs_json_real(j, "median_reduced_chi2", hs_fit_median(f->reduced_chi2, f->n_rows));
		if (o->n > 1)
			hs_json_int(j, "best_in", (long long)o->evidence.n_best[m]);
		hs_json_end(j, '}');
		run->not_converged |= f->stopped;
	}
	hs_json_end(j, ']');
	if (run->not_converged)
		hs_warn("stopped by --deadline: the spectra not reached have status %d", HS_FIT_UNDONE);
}

/* ------------------------------------------------------------------ the story */

static uint64_t needed(const struct hs_run *run, size_t n_pix, size_t n_chan)
{
	const struct params *p = run->tool->params;
	uint64_t bytes = 0;
	char *copy = hs_must_dup(p->model), *save = NULL;
	for (char *word = strtok_r(copy, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
		struct hs_compound c;
		struct hs_err ignored = { 0 };
		if (hs_compound_parse(&c, word, &ignored) == 0)       /* what is wrong with it is said later */
			bytes += hs_fit_bytes(n_pix, &c, n_chan, p->covariance, (int)run->common.threads);
		hs_compound_release(&c);
	}
	free(copy);
	return bytes + 2 * n_pix * sizeof(double);
}

static int list_models(void)
{
	for (const struct hs_model *const *m = hs_model_table; *m; m++) {
		hs_say("%-16s %s\n%-16s y = %s\n%-16s ", (*m)->name, (*m)->what, "", (*m)->formula, "");
		for (size_t i = 0; i < (*m)->n_params; i++)
			hs_say("%s%s", i ? ", " : "", (*m)->param[i].name);
		for (size_t i = 0; i < (*m)->n_derived; i++)
			hs_say("%s%s", i ? ", " : "; derived: ", (*m)->derived[i].name);
		hs_say("\n");
	}
	return 0;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct hs_study study = { .does = "fit", .reading = { .as = HS_AS_AUTO, .again = true }, .bytes = needed,
		.compute = compute,
		.write = write_results, .report = report };
	struct outcome o = { 0 };
	if (p->list)
		return list_models();
	if (!p->model)
		return hs_fail(err, HS_USAGE, "which model? -m NAME, or a sum of names; --list shows those there are");
	if (p->noise == HS_FIT_SIGMA && !(p->sigma > 0))
		return hs_fail(err, HS_USAGE, "--noise sigma wants --sigma");
	const int verdict = hs_study_run(run, &study, &o, err);
	for (size_t m = 0; m < o.n; m++) {
		hs_compound_release(&o.candidate[m].model);
		hs_fit_release(&o.candidate[m].fit);
	}
	hs_evidence_release(&o.evidence);
	hs_examples_release(&o.examples);
	free(o.weight);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { .max_iter = 100, .sweeps = 2 };
	const struct hs_opt options[] = {
		HS_OPT_TEXT('m', "model", &p.model, "MODEL", "gaussian+line: a sum; with | between them: alternatives"),
		HS_OPT_FLAG('l', "list", &p.list, "list the models and their parameters"),
		HS_OPT_TEXT('s', "start", &p.start, "LIST", "begin there: centre=285eV,width=2"),
		HS_OPT_TEXT(0, "fix", &p.fix, "LIST", "keep there: width=2eV, or as guessed: width"),
		HS_OPT_TEXT(0, "bound", &p.bound, "LIST", "stay within: centre=280:290eV,height=0:"),
		HS_OPT_TEXT(0, "tie", &p.tie, "LIST", "gaussian2_width=gaussian1_width, or =0.5*..."),
		HS_OPT_TEXT('r', "range", &p.range, "LO:HI", "channels to look at: 280:320eV"),
		HS_OPT_CHOICE(0, "noise", &p.noise, "equal|sigma|counts|poisson", "what the data scatter by"),
		HS_OPT_REAL(0, "sigma", &p.sigma, "S", 0, 1e300, "noise sigma: standard deviation of a value"),
		HS_OPT_FLAG(0, "robust", &p.robust, "spikes do not count (Tukey's biweight)"),
		HS_OPT_COUNT(0, "sweeps", &p.sweeps, "N", 0, 100, "failed and outlying pixels begin again at neighbours"),
		HS_OPT_COUNT(0, "max-iter", &p.max_iter, "N", 1, 1e6, "most steps for a spectrum"),
		HS_OPT_FLAG(0, "covariance", &p.covariance, "write the covariance of the parameters too"),
	};
	const struct hs_tool tool = { .name = "hsfit", .summary = "fit physical models to every spectrum, with error bars",
		.operands = "[FILE]",
		.max_operands = 1, .takes = "a signal: pixels x channels", .gives = "a map a parameter, status, chi2, examples",
		.example = "hsfit -m 'gaussian+line' -r 280:320eV cube.nxs | hsplot -o centre.png",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_REPORT | HS_USES_CARRY | HS_USES_DEADLINE, .options = options,
		.n_options = HS_LEN(options), .params = &p, .run = run };
	return hs_main(&tool, argc, argv);
}
