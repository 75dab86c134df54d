/* hsfit - physical models fitted to every spectrum, with error bars. See hsfit(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/factors.h"
#include "cli/loops.h"
#include "cli/maps.h"
#include "cli/study.h"
#include "physics/evidence.h"
#include "physics/fit.h"

enum { MOST_MODELS = 8, N_EXAMPLES = 3 };

struct params {
	const char *model, *start, *from, *fix, *bound, *tie, *range;
	int noise;
	double sigma;
	bool robust, covariance, list;
	uint64_t max_iter, sweeps;
};

/* One of the competing models and how it fitted. */
struct candidate {
	struct hs_compound model;
	struct hs_fit fit;
	double *start;                        /* --from: n_pix x n_params; or NULL */
};

struct outcome {
	size_t n;
	struct candidate candidate[MOST_MODELS];
	struct hs_grid grid;
	double *weight;                       /* of the channels: 0 outside --range; NULL: all */
	struct hs_evidence evidence;          /* two models or more */
	struct hs_examples examples;
};

/* Of a result of model m: with its number where there are alternatives. */
static char *full_name(const struct outcome *o, size_t m, const char *name)
{
	return o->n > 1 ? hs_must_printf("m%zu_%s", m + 1, name) : hs_must_dup(name);
}

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

static int parse_model(const struct params *p, const char *text, const struct hs_signal *s, const struct hs_grid *g, const char *axis,
	struct hs_compound *c, struct hs_err *err)
{
	if (hs_compound_parse(c, text, err) < 0 || (p->start && hs_compound_start(c, p->start, g->x_unit, g->y_unit, err) < 0) ||
		(p->fix && hs_compound_fix(c, p->fix, g->x_unit, g->y_unit, err) < 0) ||
		(p->bound && hs_compound_bound(c, p->bound, g->x_unit, g->y_unit, err) < 0) || (p->tie && hs_compound_tie(c, p->tie, err) < 0) ||
		(!p->from && hs_compound_check(c, err) < 0) || check_names(c, err) < 0 || check_fit(c, s, g, axis, err) < 0)
		return hs_err_prepend(err, "%s", text);
	return 0;
}

/* Models are separated by bars: the alternatives. */
static int parse_models(const struct params *p, const struct hs_pixels *px, struct outcome *o, struct hs_err *err)
{
	const char *axis = px->signal->axis[px->sig[0]].name;
	char *copy = hs_must_dup(p->model), *save = NULL;
	int verdict = 0;
	for (char *word = strtok_r(copy, "|", &save); word && verdict == 0; word = strtok_r(NULL, "|", &save)) {
		if (o->n == MOST_MODELS)
			verdict = hs_fail(err, HS_USAGE, "more than %d models", MOST_MODELS);
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

static int choose_channels(const struct params *p, struct outcome *o, struct hs_err *err)
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

/* ------------------------------------------------------------------ where it begins */

/* Parameter j of all pixels from an earlier result: maps as large as ours, or of one spectrum for all. */
static int read_start(struct hs_in *in, const char *name, const char *unit, size_t n_pix, double *start, size_t stride,
	struct hs_err *err)
{
	size_t i;
	if (hs_in_find(in, name, &i, err) < 0)
		return -1;
	const struct hs_signal *s = hs_in_signal(in, i);
	const size_t n = hs_signal_count(s);
	const double factor = hs_unit_factor(s->units, unit);
	if (n != n_pix && n != 1)
		return hs_fail(err, HS_BAD_DATA, "%zu values of '%s' for %zu spectra", n, name, n_pix);
	double *v = hs_in_read(in, i, err);
	for (size_t k = 0; v && k < n_pix; k++)
		start[k * stride] = v[n == 1 ? 0 : k] * (factor > 0 ? factor : 1);
	free(v);
	return v ? 0 : -1;
}

static int read_starts(const struct params *p, const struct hs_pixels *px, struct outcome *o, struct hs_err *err)
{
	struct hs_in *in;
	int verdict = hs_in_open(&in, p->from, err);
	for (size_t m = 0; m < o->n && verdict == 0; m++) {
		struct candidate *c = &o->candidate[m];
		const size_t k = c->model.n_params;
		c->start = hs_alloc(px->n_pix, k * sizeof(double), err);
		verdict = c->start ? 0 : -1;
		for (size_t j = 0; j < k && verdict == 0; j++) {
			char *unit = hs_fit_unit(&c->model, j, o->grid.x_unit, o->grid.y_unit), *name = full_name(o, m, c->model.param[j].name);
			verdict = read_start(in, name, unit, px->n_pix, c->start + j, k, err);
			free(unit);
			free(name);
		}
	}
	hs_in_close(in);
	return verdict < 0 ? hs_err_prepend(err, "--from") : 0;
}

/* ------------------------------------------------------------------ the fit */

static int compute(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct outcome *o = result;
	if (px->n_sig != 1)
		return hs_fail(err, HS_BAD_DATA, "spectra of one axis can be fitted, not %s", px->n_sig ? "patterns" : "single values");
	choose_axis(px->signal, px->sig[0], &o->grid);
	if (choose_channels(p, o, err) < 0 || parse_models(p, px, o, err) < 0 || (p->from && read_starts(p, px, o, err) < 0))
		return -1;
	for (size_t m = 0; m < o->n; m++) {
		const struct hs_compound *model = &o->candidate[m].model;
		const struct hs_fit_options options = { .model = model, .grid = o->grid, .weight = o->weight,
			.noise = (enum hs_fit_noise)p->noise, .sigma = p->sigma, .robust = p->robust, .max_iter = p->max_iter, .start = o->candidate[m].start,
			.n_y = px->n_nav == 2 ? px->signal->axis[px->nav[0]].n : 1,
			.n_x = px->n_nav == 2 ? px->signal->axis[px->nav[1]].n : px->n_pix, .sweeps = p->sweeps, .with_covariance = p->covariance,
			.stop = run->common.deadline_s > 0 ? hs_run_out_of_time : NULL, .stop_ctx = run };
		if (hs_fit(px->source, &options, &o->candidate[m].fit, err) < 0)
			return -1;
		hs_stage("model %zu: %zu of %zu spectra converged", m + 1, o->candidate[m].fit.count[HS_FIT_CONVERGED], px->n_pix);
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

/* Responses along a sweep, where the model has them. */
static int put_loops(struct hs_out *out, const struct hs_pixels *px, const struct outcome *o, size_t m, struct hs_err *err)
{
	const struct candidate *c = &o->candidate[m];
	const size_t width = c->fit.n_params + c->fit.n_derived;
	size_t re = 0, im = 0;
	while (re < width && strcmp(hs_fit_name(&c->model, re, NULL), "in_phase"))
		re++;
	while (im < width && strcmp(hs_fit_name(&c->model, im, NULL), "quadrature"))
		im++;
	if (re == width || im == width)
		return 0;
	char *name = full_name(o, m, "loops"), *unit = hs_fit_unit(&c->model, re, o->grid.x_unit, o->grid.y_unit);
	const int verdict = hs_loops_put(out, px, name, unit, c->fit.value + re, c->fit.value + im, width, err);
	free(name);
	free(unit);
	return verdict;
}

static int put_candidate(struct hs_out *out, const struct hs_pixels *px, const struct outcome *o, size_t m, struct hs_err *err)
{
	const struct candidate *c = &o->candidate[m];
	const struct hs_fit *f = &c->fit;
	const size_t width = f->n_params + f->n_derived;
	const struct hs_map_of judged[] = { { .name = "reduced_chi2", .quantity = "reduced chi squared", .value = f->reduced_chi2 },
		{ .name = "r2", .quantity = "coefficient of determination", .value = f->r2 },
		{ .name = "aicc", .quantity = "corrected Akaike criterion", .value = f->aicc } };
	int verdict = 0;
	for (size_t i = 0; i < width + HS_LEN(judged) && verdict == 0; i++) {
		const char *what = NULL;
		struct hs_map_of map = i < width ? (struct hs_map_of){ .name = hs_fit_name(&c->model, i, &what), .value = f->value + i,
			.sigma = f->sigma + i, .stride = width } : judged[i - width];
		char *name = full_name(o, m, map.name),
		     *unit = i < width ? hs_fit_unit(&c->model, i, o->grid.x_unit, o->grid.y_unit) : hs_must_dup("1");
		map.name = name;
		map.quantity = what ? what : map.quantity;
		map.unit = unit;
		map.stride = map.stride ? map.stride : 1;
		verdict = hs_maps_put(out, px, &map, err);
		free(name);
		free(unit);
	}
	char *status = full_name(o, m, "status"), *covariance = full_name(o, m, "covariance");
	if (verdict == 0)
		verdict = put_loops(out, px, o, m, err);
	if (verdict == 0)
		verdict = hs_maps_put_codes(out, px, status, "status", HS_U8, f->status, "0 1 2 3 4 5 6 7", HS_FIT_STATUS_WORDS, NULL, err);
	if (verdict == 0 && f->covariance)
		verdict = hs_maps_put_matrices(out, px, covariance, "covariance", f->n_params, f->covariance,
			"of the parameters in the order of their names in the model", err);
	free(status);
	free(covariance);
	return verdict;
}

/* "gaussian+line lorentzian+line": as typed, without spaces; and their numbers. */
static void name_models(const char *typed, struct hs_str *names, struct hs_str *numbers)
{
	size_t n = 1;
	hs_str_add(numbers, "0");
	for (const char *c = typed; *c; c++) {
		if (*c == '|')
			hs_str_addf(numbers, " %zu", n++);
		if (*c != ' ')
			hs_str_add_bytes(names, *c == '|' ? " " : c, 1);
	}
}

static int put_evidence(struct hs_out *out, const struct hs_pixels *px, const struct params *p, const struct outcome *o,
	struct hs_err *err)
{
	const struct hs_factor_rows rows = { .value = o->evidence.weight };
	const struct hs_extras comment = { .comment = "Akaike weights: the evidence for each model beside the others" };
	struct hs_str names = { 0 }, numbers = { 0 };
	struct hs_signal s;
	name_models(p->model, &names, &numbers);
	int verdict = hs_maps_put_codes(out, px, "best_labels", "model", HS_I32, o->evidence.best, hs_str_get(&numbers),
		hs_str_get(&names), "the model with the least corrected Akaike criterion; -1: none fits", err);
	hs_str_release(&names);
	hs_str_release(&numbers);
	if (verdict < 0)
		return -1;
	hs_pixels_maps(px, &s, "weights", "evidence", "1", HS_F32, "model", o->n);
	verdict = hs_factors_stream(out, HS_AT_STEP, &s, true, &comment, &rows, px->n_pix, err);
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
	for (size_t m = 0; m < o->n; m++)
		if (put_candidate(out, px, o, m, err) < 0)
			return -1;
	if (o->n > 1 && put_evidence(out, px, run->tool->params, o, err) < 0)
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
	struct outcome o = { 0 };
	if (p->list)
		return list_models(err);
	if (!p->model)
		return hs_fail(err, HS_USAGE, "which model? -m NAME, or a sum of names; --list shows those there are");
	if (p->noise == HS_FIT_SIGMA && !(p->sigma > 0))
		return hs_fail(err, HS_USAGE, "--noise sigma wants --sigma");
	const int verdict = hs_study_run(run, &study, &o, err);
	for (size_t m = 0; m < o.n; m++) {
		hs_compound_release(&o.candidate[m].model);
		hs_fit_release(&o.candidate[m].fit);
		free(o.candidate[m].start);
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
