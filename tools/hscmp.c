/* hscmp - are two results the same, as far as it matters? See hscmp(1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "report/likeness.h"

struct params {
	const char *with, *tolerance;
	int as;
	bool sign_blind, match, all, ignore_axes;
};

static enum hs_as choose_as(const struct params *p, const struct hs_signal *a, const struct hs_signal *b)
{
	const bool whole = !hs_dtype_is_float(a->dtype) && !hs_dtype_is_complex(a->dtype) && !hs_dtype_is_float(b->dtype) &&
		!hs_dtype_is_complex(b->dtype);
	if (p->as != HS_COMPARE_AUTO)
		return (enum hs_as)p->as;
	return whole && strstr(a->name, "labels") && strstr(b->name, "labels") ? HS_COMPARE_LABELS : HS_COMPARE_VALUES;
}

/* Relative for values, an angle for spectra and bases, 1 minus the index for labels, 1 minus the correlation for maps. */
static int find_tolerance(const char *text, enum hs_as as, double *tolerance, struct hs_err *err)
{
	const bool is_angle = as == HS_COMPARE_SPECTRA || as == HS_COMPARE_BASES;
	*tolerance = is_angle ? M_PI / 180 : as == HS_COMPARE_VALUES ? 1e-6 : 0.01;
	if (text && (is_angle ? hs_parse_quantity(text, "rad", tolerance, err) : hs_parse_real(text, tolerance, err)) < 0)
		return hs_err_prepend(err, "--tolerance");
	return *tolerance >= 0 ? 0 : hs_fail(err, HS_USAGE, "--tolerance '%s' is negative", text);
}

static const char *as_name(enum hs_as as)
{
	static const char *const name[] = { "auto", "values", "spectra", "labels", "bases", "maps" };
	return name[as];
}

/* One JSON line, or the text after the name; says nothing with --quiet. */
static void say(const struct hs_run *run, const char *name, struct hs_json *json, const char *text)
{
	char *line = hs_json_take(json);
	if (run->common.quiet)
		;
	else if (run->common.json)
		hs_say("%s\n", line);
	else
		hs_say("%s: %s\n", name, text);
	free(line);
}

/* Prints one line and remembers a no. */
static int compare(struct hs_run *run, const struct hs_side *a, const struct hs_side *b, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_likeness c = { .run = run, .a = *a, .b = *b, .as = choose_as(p, a->s, b->s), .match = p->match,
		.sign_blind = p->sign_blind, .ignore_axes = p->ignore_axes, .json = { .one_line = true } };
	if (find_tolerance(p->tolerance, c.as, &c.tolerance, err) < 0)
		return -1;
	hs_json_begin(&c.json, NULL, '{');
	hs_json_text(&c.json, "signal", a->s->name);
	hs_json_text(&c.json, "with", b->s->name);
	hs_json_text(&c.json, "as", as_name(c.as));
	hs_json_begin(&c.json, "shape", '[');
	for (size_t d = 0; d < a->s->rank; d++)
		hs_json_int(&c.json, NULL, (long long)a->s->axis[d].n);
	hs_json_end(&c.json, ']');
	const int verdict = hs_likeness_find(&c, err);
	hs_json_real(&c.json, "tolerance", c.tolerance);
	hs_json_bool(&c.json, "same", c.same);
	hs_json_end(&c.json, '}');
	if (verdict == 0) {
		char *shape = hs_signal_shape(a->s), *text = hs_must_printf("%s as %s, %s: %s", c.same ? "same" : "different", as_name(c.as),
			shape, hs_str_get(&c.text));
		say(run, a->s->name, &c.json, text);
		run->answer_no |= !c.same;
		free(shape);
		free(text);
	}
	hs_str_release(&c.json.out);
	hs_str_release(&c.text);
	return verdict;
}

/* What cannot be compared is different. */
static void say_why(struct hs_run *run, const char *name, const char *reason)
{
	struct hs_json j = { .one_line = true };
	char *text = hs_must_printf("different, %s", reason);
	hs_json_begin(&j, NULL, '{');
	hs_json_text(&j, "signal", name);
	hs_json_text(&j, "reason", reason);
	hs_json_bool(&j, "same", false);
	hs_json_end(&j, '}');
	say(run, name, &j, text);
	run->answer_no = true;
	free(text);
}

/* Every name that is in both; of several steps' results the newest. */
static int compare_all(struct hs_run *run, const struct hs_side *a, const struct hs_side *b, struct hs_err *err)
{
	size_t n_common = 0;
	for (size_t i = 0; i < hs_in_count(a->in); i++) {
		struct hs_err none = { 0 };
		struct hs_side one = { .in = a->in, .s = hs_in_signal(a->in, i) }, other = { .in = b->in };
		if (hs_in_find(a->in, one.s->name, &one.index, &none) < 0 || one.index != i ||
			hs_in_find(b->in, one.s->name, &other.index, &none) < 0)
			continue;
		other.s = hs_in_signal(b->in, other.index);
		n_common++;
		if (compare(run, &one, &other, &none) == 0)
			continue;
		if (none.status != HS_BAD_DATA) {
			*err = none;
			return -1;
		}
		say_why(run, one.s->name, none.text);
	}
	return n_common ? 0 : hs_fail(err, HS_BAD_DATA, "'%s' and '%s' have no signal in common", hs_in_name(a->in), hs_in_name(b->in));
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	const char *const in_b = p->with ? p->with : run->common.signal;
	struct hs_side a = { 0 }, b = { 0 };
	double tolerance;
	if (!strcmp(run->operand[0], "-") && !strcmp(run->operand[1], "-"))
		return hs_fail(err, HS_USAGE, "standard input can be one of the two, not both");
	if (p->match && p->as != HS_COMPARE_AUTO && p->as != HS_COMPARE_VALUES && p->as != HS_COMPARE_MAPS)
		return hs_fail(err, HS_USAGE, "--match is for values and maps; spectra are always matched");
	if (p->as != HS_COMPARE_AUTO && find_tolerance(p->tolerance, (enum hs_as)p->as, &tolerance, err) < 0)
		return -1;
	int verdict = hs_session_input(run, 0, &a.in, &a.index, err);
	if (verdict == 0 && (verdict = hs_in_open(&b.in, run->operand[1], err)) == 0)
		verdict = hs_in_find(b.in, in_b, &b.index, err);
	if (verdict == 0) {
		a.s = hs_in_signal(a.in, a.index);
		b.s = hs_in_signal(b.in, b.index);
		verdict = (p->all ? compare_all : compare)(run, &a, &b, err);
	}
	hs_in_close(a.in);
	hs_in_close(b.in);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { 0 };
	const struct hs_opt options[] = {
		HS_OPT_CHOICE('a', "as", &p.as, HS_COMPARE_WORDS, "what the signals are"),
		HS_OPT_TEXT('t', "tolerance", &p.tolerance, "T", "largest difference that is the same; 0: the same bits"),
		HS_OPT_TEXT('w', "with", &p.with, "NAME", "the signal of B, where it has another name"),
		HS_OPT_FLAG('m', "match", &p.match, "values: pair the components first, by correlation"),
		HS_OPT_FLAG(0, "sign-blind", &p.sign_blind, "matching: a component and its negative are the same"),
		HS_OPT_FLAG(0, "ignore-axes", &p.ignore_axes, "compare numbers only, not where they lie"),
		HS_OPT_FLAG(0, "all", &p.all, "every signal that is in both"),
	};
	const struct hs_tool tool = { .name = "hscmp", .summary = "compare two results; the verdict is the exit status",
		.operands = "A B", .min_operands = 2, .max_operands = 2, .takes = "two files of ours",
		.gives = "one line of text for each comparison; status 0 same, 1 different",
		.example = "hscmp --as spectra -d endmembers --tolerance 2deg found.nxs truth.nxs",
		.uses = HS_USES_SIGNAL | HS_USES_THREADS | HS_USES_JSON, .options = options, .n_options = HS_LEN(options), .params = &p,
		.run = run };
	return hs_main(&tool, argc, argv);
}
