/* hsfit - physical models fitted to every spectrum, with error bars. See hsfit(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/fitted.h"
#include "cli/study.h"

enum { N_EXAMPLES = 3 };

struct params {
	const char *model, *start, *from, *fix, *bound, *tie, *range;
	int noise;
	double sigma;
	bool robust, covariance, list;
	uint64_t max_iter, sweeps;
};

/* ------------------------------------------------------------------ what is asked */

/* Do the data and the way their axis goes suit the model? */
static int check_fit(const struct hs_compound *c, const struct hs_signal *s, const struct hs_grid *g, const char *axis,
	struct hs_err *err)
{
	bool up = false, down = false;
	for (size_t i = 1; i < g->n; i++) {
		up |= g->x[i] > g->x[i - 1];
		down |= g->x[i] < g->x[i - 1];
	}
	if (c->is_complex != hs_dtype_is_complex(s->dtype))
		return c->is_complex ? hs_fail(err, HS_BAD_DATA, "this is a model of complex values: these are real") :
			hs_fail(err, HS_BAD_DATA, "these values are complex: this wants a model of complex ones");
	for (size_t t = 0; t < c->n_terms; t++) {
		const struct hs_model *m = c->term[t].model;
		if (m->sweep == HS_ONE_WAY && up && down)
			return hs_fail(err, HS_BAD_DATA, "%s goes up and down: '%s' wants an axis that does not turn", axis, m->name);
		if (m->sweep == HS_BOTH_WAYS && !(up && down))
			return hs_fail(err, HS_BAD_DATA, "'%s' wants a sweep that goes up and down: %s does not turn", m->name, axis);
	}
	return 0;
}

/* A formula may call its parameters anything: not what we call our own results. */
static int check_names(const struct hs_compound *c, struct hs_err *err)
{
	static const char ours[] = "reduced_chi2|r2|aicc|status|covariance|examples|loops|best_labels|weights|data|title";
	for (size_t i = 0; i < c->n_params; i++)
		if (hs_word_index(ours, c->param[i].name) >= 0)
			return hs_fail(err, HS_USAGE, "a parameter cannot be called '%s': a result is", c->param[i].name);
	return 0;
}

static int parse_model(const struct params *p, const char *text, const struct hs_signal *s, const struct hs_grid *g,
	const char *axis, struct hs_compound *c, struct hs_err *err)
{
	if (hs_compound_parse(c, text, err) < 0 || (p->start && hs_compound_start(c, p->start, g->x_unit, g->y_unit, err) < 0) ||
		(p->fix && hs_compound_fix(c, p->fix, g->x_unit, g->y_unit, err) < 0) ||
		(p->bound && hs_compound_bound(c, p->bound, g->x_unit, g->y_unit, err) < 0) ||
		(p->tie && hs_compound_tie(c, p->tie, err) < 0) ||
		(!p->from && hs_compound_check(c, err) < 0) || check_names(c, err) < 0 || check_fit(c, s, g, axis, err) < 0)
		return hs_err_prepend(err, "%s", text);
	return 0;
}

/* Models are separated by bars: the alternatives. */
static int parse_models(const struct params *p, const struct hs_pixels *px, struct hs_fitted *o, struct hs_err *err)
{
	const char *axis = px->signal->axis[px->sig[0]].name;
	char *copy = hs_must_dup(p->model), *save = NULL;
	int verdict = 0;
	for (char *word = strtok_r(copy, "|", &save); word && verdict == 0; word = strtok_r(NULL, "|", &save)) {
		if (o->n == HS_FITTED_MOST)
			verdict = hs_fail(err, HS_USAGE, "more than %d models", HS_FITTED_MOST);
		else
			verdict = parse_model(p, word, px->signal, &o->grid, axis, &o->candidate[o->n++].model, err);
	}
	free(copy);
	return verdict == 0 && !o->n ? hs_fail(err, HS_USAGE, "'%s' names no model", p->model) : verdict;
}

/* The axis of the spectra. One that turns is kept as an index with its values beside it: bias, bias_values. */
static void choose_axis(const struct hs_signal *s, size_t dim, struct hs_grid *grid)
{
	const struct hs_axis *x = &s->axis[dim];
	char *name = hs_must_printf("%s_values", x->name);
	const struct hs_coord *sweep = hs_signal_find_coord(s, name, dim);
	*grid = (struct hs_grid){ .n = x->n, .x = sweep ? sweep->value : x->value, .x_unit = sweep ? sweep->units : x->units,
		.y_unit = s->units };
	free(name);
}

static int choose_channels(const struct params *p, struct hs_fitted *o, struct hs_err *err)
{
	const struct hs_grid *x = &o->grid;
	double lo, hi;
	size_t n = 0;
	if (!p->range)
		return 0;
	if (hs_parse_range(p->range, x->x_unit, &lo, &hi, err) < 0)
		return hs_err_prepend(err, "--range");
	o->weight = hs_must_alloc(x->n, sizeof *o->weight);
	for (size_t i = 0; i < x->n; i++) {
		const bool inside = x->x[i] >= lo && x->x[i] <= hi;
		o->weight[i] = inside ? 1 : 0;
		n += inside;
	}
	return n ? 0 : hs_fail(err, HS_USAGE, "--range: no channel is between %g and %g %s", lo, hi, x->x_unit);
}

/* ------------------------------------------------------------------ the fit */

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_fitted *o = result;
	if (px->n_sig != 1)
		return hs_fail(err, HS_BAD_DATA, "spectra of one axis can be fitted, not %s", px->n_sig ? "patterns" : "single values");
	choose_axis(px->signal, px->sig[0], &o->grid);
	if (choose_channels(p, o, err) < 0 || parse_models(p, px, o, err) < 0)
		return -1;
	if (p->from && hs_fitted_read(o, p->from, px, err) < 0)
		return hs_err_prepend(err, "--from");
	for (size_t m = 0; m < o->n; m++) {
		const struct hs_compound *model = &o->candidate[m].model;
		const struct hs_fit_options options = { .model = model, .grid = o->grid, .weight = o->weight,
			.noise = (enum hs_fit_noise)p->noise, .sigma = p->sigma, .robust = p->robust, .max_iter = p->max_iter,
			.start = o->candidate[m].start,
			.n_y = px->n_nav == 2 ? px->signal->axis[px->nav[0]].n : 1,
			.n_x = px->n_nav == 2 ? px->signal->axis[px->nav[1]].n : px->n_pix, .sweeps = p->sweeps, .with_covariance = p->covariance,
			.stop = run->common.deadline_s > 0 ? hs_run_out_of_time : NULL, .stop_ctx = run };
		if (hs_fit(px->source, &options, &o->candidate[m].fit, err) < 0)
			return -1;
		hs_stage("model %zu: %zu of %zu spectra converged", m + 1, o->candidate[m].fit.count[HS_FIT_CONVERGED], px->n_pix);
	}
	const struct hs_fit *fits[HS_FITTED_MOST];
	const struct hs_compound *models[HS_FITTED_MOST];
	for (size_t m = 0; m < o->n; m++) {
		fits[m] = &o->candidate[m].fit;
		models[m] = &o->candidate[m].model;
	}
	if (o->n > 1 && hs_evidence_weigh(fits, o->n, &o->evidence, err) < 0)
		return -1;
	return hs_examples_choose(px->source, models[0], fits[0], &o->grid, N_EXAMPLES, &o->examples, err);
}

/* ------------------------------------------------------------------ results */

static int write_results(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	return hs_fitted_put(out, px, result, p->model, err);
}

static void report(struct hs_run *run, void *result)
{
	static const char *const words[] = { "converged", "max_iter", "on_bound", "singular", "stuck", "no_start", "skipped",
		"not_reached" };
	const struct hs_fitted *o = result;
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
			bytes += hs_fit_bytes(n_pix, &c, n_chan, p->covariance, (int)run->common.threads) +
				(p->from ? n_pix * c.n_params * sizeof(double) : 0);
		hs_compound_release(&c);
	}
	free(copy);
	return bytes + 2 * n_pix * sizeof(double);
}

static void list_model(const struct hs_model *m)
{
	hs_say("%-18s %s\n%-18s y = %s\n%-18s ", m->name, m->what, "", m->formula, "");
	for (size_t i = 0; i < m->n_params; i++)
		hs_say("%s%s", i ? ", " : "", m->param[i].name);
	for (size_t i = 0; i < m->n_derived; i++)
		hs_say("%s%s", i ? ", " : "; derived: ", m->derived[i].name);
	hs_say("\n");
}

static int list_models(struct hs_err *err)
{
	size_t n;
	for (const struct hs_model *const *m = hs_model_table; *m; m++)
		list_model(*m);
	char **file = hs_user_model_names(&n);
	for (size_t i = 0; i < n; i++) {
		struct hs_user_model *m = NULL;
		if (!hs_failed(err) && !hs_model_named(file[i]) && hs_user_model_find(&m, file[i], err) == 0 && m)
			list_model(&m->model);
		hs_user_model_free(m);
		free(file[i]);
	}
	free(file);
	return hs_failed(err) ? -1 : 0;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const struct hs_study study = { .does = "fit", .reading = { .as = HS_AS_PARTS, .again = true }, .bytes = needed,
		.compute = compute,
		.write = write_results, .report = report };
	struct hs_fitted o = { 0 };
	if (p->list)
		return list_models(err);
	if (!p->model)
		return hs_fail(err, HS_USAGE, "which model? -m NAME, or a sum of names; --list shows those there are");
	if (p->noise == HS_FIT_SIGMA && !(p->sigma > 0))
		return hs_fail(err, HS_USAGE, "--noise sigma wants --sigma");
	const int verdict = hs_study_run(run, &study, &o, err);
	hs_fitted_release(&o);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { .max_iter = 100, .sweeps = 2 };
	const struct hs_opt options[] = {
		HS_OPT_TEXT('m', "model", &p.model, "MODEL", "gaussian+line: a sum; a|b: alternatives; expr:FORMULA"),
		HS_OPT_FLAG('l', "list", &p.list, "list the models and their parameters"),
		HS_OPT_TEXT('s', "start", &p.start, "LIST", "begin there: centre=285eV,width=2"),
		HS_OPT_TEXT(0, "from", &p.from, "FILE", "begin at the parameters of an earlier result"),
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
