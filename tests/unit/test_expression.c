/* test_expression - formulas of the user: what they mean, their derivatives, what is linear, units, text that is none; and models
 * read from files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "physics/compound.h"
#include "tap.h"

enum { N = 101 };

static struct hs_expression *parsed(const char *text)
{
	struct hs_expression *e;
	struct hs_err err = { 0 };
	if (hs_expression_parse(&e, text, &err) < 0)
		printf("# %s: %s\n", text, err.text);
	return e;
}

static bool refused(const char *text, const char *sentence)
{
	struct hs_expression *e;
	struct hs_err err = { 0 };
	const int verdict = hs_expression_parse(&e, text, &err);
	const bool good = verdict < 0 && !e && err.status == HS_USAGE && strstr(err.text, sentence);
	if (!good)
		printf("# '%.60s' gives %d '%s'\n", text, verdict, err.text);
	hs_expression_free(e);
	return good;
}

/* ------------------------------------------------------------------ meaning */

static void values(void)
{
	static const struct { const char *text; double at_2; } row[] = { { "1+2*3", 7 }, { "(1+2)*3", 9 }, { "-x^2", -4 },
		{ "(-x)^2", 4 },
		{ "2^3^2", 512 }, { "2^-1", 0.5 }, { "8/4/2", 1 }, { "8-4-2", 2 }, { "--3", 3 }, { "+-+3", -3 }, { "2*-3", -6 },
		{ "1e3+1", 1001 }, { "1e3+3", 1003 }, { "1.5e-2*x", 0.03 }, { ".5*x", 1 }, { "pow(x,3)", 8 }, { "min(x,1)+max(x,3)", 4 },
		{ "abs(1-x)", 1 }, { "sqrt(2*x)", 2 }, { "log(exp(x))", 2 }, { "sin(pi/2)", 1 }, { "cos(0)", 1 }, { "tan(pi/4)", 1 },
		{ "tanh(x)", 0.96402758007581688 }, { "erf(x)", 0.99532226501895273 }, { "x/2*x", 2 }, { " ( x ) ", 2 }, { "x^(1/2)*x^0.5", 2 },
		{ "2*3*x-1-1", 10 }, { "(-8)^(3/3)", -8 } };
	for (size_t i = 0; i < HS_LEN(row); i++) {
		struct hs_expression *e = parsed(row[i].text);
		const double x = 2, nothing = 0;
		double y = NAN;
		if (e)
			hs_expression_eval(e, &x, 1, &nothing, &y, NULL);
		tap_ok(fabs(y - row[i].at_2) <= 4e-16 * fabs(row[i].at_2), "%s is %.17g", row[i].text, y);
		hs_expression_free(e);
	}
}

/* Every function and operator, every parameter: derivatives against central differences of the values. */
static void derivatives(void)
{
	static const char *const text[] = { "a*exp(b*x)", "log(a+b^2+x)", "sqrt(a*x+b*b)", "sin(a*x+b)", "cos(a*x)*b", "tan(a*x/4)+b",
		"tanh(a*(x-b))", "erf((x-a)/b)", "abs(x-a-7)*b", "pow(x,a)/b", "x^a+b^x", "min(a*x,9*b)", "max(a/x,-b)", "-(a-b)/(a+b*x)",
		"(a*x)^3-b^-2", "a*b*x*a", "a^b", "x+0*a*b" };
	const double p[] = { 0.7, 1.3 };
	for (size_t t = 0; t < HS_LEN(text); t++) {
		struct hs_expression *e = parsed(text[t]);
		double x[N], y[N], again[N], dy[2 * N], up[N], down[N], worst = e ? 0 : INFINITY;
		for (size_t i = 0; i < N; i++)
			x[i] = 0.5 + 0.02 * (double)i;
		if (e) {
			hs_expression_eval(e, x, N, p, y, dy);
			hs_expression_eval(e, x, N, p, again, NULL);
		}
		for (size_t j = 0; e && j < 2; j++) {
			const double h = 1e-5;
			double q[] = { p[0], p[1] };
			q[j] = p[j] + h;
			hs_expression_eval(e, x, N, q, up, NULL);
			q[j] = p[j] - h;
			hs_expression_eval(e, x, N, q, down, NULL);
			for (size_t i = 0; i < N; i++)
				worst = fmax(worst, fabs((up[i] - down[i]) / (2 * h) - dy[j * N + i]) / (1 + fabs(dy[j * N + i])));
		}
		tap_ok(worst < 1e-8 && !memcmp(y, again, sizeof y), "d %s: %.1e", text[t], worst);
		hs_expression_free(e);
	}
}

/* The formula of a model of ours gives its values and derivatives. */
static void as_written_by_hand(const char *name, const char *text, const double *p)
{
	const struct hs_model *m = hs_model_named(name);
	struct hs_expression *e = parsed(text);
	double x[N], y[N], dy[HS_MODEL_MOST * N], our_y[N], our_dy[HS_MODEL_MOST * N], worst = 0;
	bool good = m && e && hs_expression_n_params(e) == m->n_params;
	for (size_t i = 0; i < N; i++)
		x[i] = 270 + 0.3 * (double)i;
	const struct hs_grid g = { .n = N, .x = x };
	for (size_t j = 0; good && j < m->n_params; j++)
		good = !strcmp(hs_expression_param(e, j), m->param[j].name) && hs_expression_linear(e, j) == m->param[j].linear;
	good = good && m->eval(&g, p, our_y, our_dy);
	if (good)
		hs_expression_eval(e, x, N, p, y, dy);
	for (size_t k = 0; good && k <= m->n_params; k++) {
		double largest = 0, off = 0;
		for (size_t i = 0; i < N; i++) {
			const double ours = k ? our_dy[(k - 1) * N + i] : our_y[i], theirs = k ? dy[(k - 1) * N + i] : y[i];
			largest = fmax(largest, fabs(ours));
			off = fmax(off, fabs(ours - theirs));
		}
		worst = fmax(worst, off / largest);
	}
	tap_ok(good && worst < 1e-12, "%s as a formula: the same names, the same linear ones, values and derivatives to %.1e", name,
		worst);
	hs_expression_free(e);
}

/* ------------------------------------------------------------------ structure */

static void linear(const char *text, const char *which)
{
	struct hs_expression *e = parsed(text);
	char found[64] = "";
	for (size_t j = 0; e && j < hs_expression_n_params(e); j++)
		if (hs_expression_linear(e, j))
			strcat(found, hs_expression_param(e, j));
	tap_ok(!strcmp(found, which), "%s is linear in '%s'", text, found);
	hs_expression_free(e);
}

static void unit(const char *text, const char *name, const char *expected)
{
	struct hs_compound c;
	struct hs_err err = { 0 };
	char *formula = hs_must_printf("expr:%s", text), *found = NULL;
	if (hs_compound_parse(&c, formula, &err) == 0)
		for (size_t j = 0; j < c.n_params; j++)
			if (!strcmp(c.param[j].name, name))
				found = hs_unit_of(c.param[j].spec->unit_of, c.param[j].spec->unit, "eV", "nA");
	tap_ok(found && !strcmp(found, expected), "%s: %s is in %s", text, name, found ? found : err.text);
	hs_compound_release(&c);
	free(found);
	free(formula);
}

static void structure(void)
{
	linear("a*exp(-x/t)+b", "ab");
	linear("a*b*x+c", "ac");
	linear("(a+b*x)/c", "ab");
	linear("a/(x+b)", "a");
	linear("a^2+b", "b");
	linear("-(a-2*b)+sqrt(c)", "ab");
	linear("a*(b+c*x)*d", "a");
	linear("min(a,b)", "");
	unit("a*exp(-((x-x0)/w)^2)+b", "a", "nA");
	unit("a*exp(-((x-x0)/w)^2)+b", "x0", "eV");
	unit("a*exp(-((x-x0)/w)^2)+b", "w", "eV");
	unit("a*exp(-((x-x0)/w)^2)+b", "b", "nA");
	unit("a+b*x+c*x^2", "b", "nA/eV");
	unit("a+b*x+c*x^2", "c", "nA/eV^2");
	unit("h*exp(-(x/tau)^beta)", "beta", "1");
	unit("h*exp(-k*x)", "k", "1/eV");
	unit("area/(w*sqrt(pi))*exp(-((x-3)/w)^2)", "area", "nA*eV");
	unit("h*sqrt(1-(x/d)^2)", "d", "eV");
	unit("sqrt(a*x+b)", "a", "nA^2/eV");
	unit("u*v*x", "u", "1");              /* only the product has a unit */
}

/* ------------------------------------------------------------------ what is none */

static void bounded(void)
{
	enum { LONG = 100000 };
	char *text = hs_must_alloc(LONG + 2, 1);
	memset(text, '(', LONG);
	tap_ok(refused(text, "nested deeper"), "100000 parentheses");
	memset(text, '-', LONG);
	tap_ok(refused(text, "nested deeper"), "100000 signs");
	for (size_t i = 0; i < LONG; i++)
		text[i] = i % 2 ? '+' : 'x';
	tap_ok(refused(text, "more than 512"), "50000 terms");
	memset(text, 'a', LONG);
	tap_ok(refused(text, "too long"), "a name of 100000 letters");
	memset(text, '7', LONG);
	tap_ok(refused(text, "too many digits"), "a number of 100000 digits");
	for (size_t i = 0; i < LONG; i++)
		text[i] = "x+(x*"[i % 5];
	tap_ok(refused(text, "wait for each other"), "values that wait for each other");
	for (size_t i = 0; i < LONG; i++)
		text[i] = "x^"[i % 2];
	tap_ok(refused(text, "wait for each other"), "a tower of powers");
	free(text);
	tap_ok(refused("a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q", "more than 16 parameters"), "17 parameters");
}

static void refusals(void)
{
	tap_ok(refused("", "expected a number, a name or '(' at the end"), "nothing");
	tap_ok(refused("a*(x", "expected ')'"), "an open parenthesis");
	tap_ok(refused("a*x)", "expected an operator before ')'"), "a parenthesis too many");
	tap_ok(refused("a b", "expected an operator before 'b'"), "two names");
	tap_ok(refused("2x", "expected an operator before 'x'"), "a product without a sign");
	tap_ok(refused("a*", "at the end"), "half a product");
	tap_ok(refused("a**x", "before '*x'"), "two stars");
	tap_ok(refused("foo(x)", "no function 'foo': there are exp log"), "an unknown function");
	tap_ok(refused("exp*x", "'exp' is a function"), "a function without argument");
	tap_ok(refused("min(x)", "a second argument"), "one argument of two");
	tap_ok(refused("exp(x,x)", "expected ')'"), "two arguments of one");
	tap_ok(refused("1.2.3*x", "'1.2.3' is not a number"), "two points in a number");
	tap_ok(refused("1e999*x", "is not a number"), "a number beyond all");
	tap_ok(refused("a;b", "before ';b'"), "a semicolon");
	tap_ok(refused("a=1", "before '=1'"), "an assignment");
	bounded();
}

/* Any text is parsed or refused, and what is parsed can be evaluated. */
static void noise(void)
{
	static const char *const word[] = { "x", "a", "b1", "1", ".5e3", "+", "-", "*", "/", "^", "(", ")", ",", "exp(", "min(",
		"erf(", "pow(",
		" ", "$", "e" };
	size_t n_parsed = 0, n_refused = 0;
	for (size_t item = 0; item < 200000; item++) {
		struct hs_rng rng;
		struct hs_err err = { 0 };
		struct hs_expression *e;
		char text[128] = "";
		hs_rng_init(&rng, 1, HS_STREAM_TEST, item);
		const size_t n = 1 + (size_t)(8 * hs_rng_uniform(&rng));
		for (size_t i = 0; i < n; i++)
			strcat(text, word[(size_t)(hs_rng_uniform(&rng) * HS_LEN(word))]);
		if (hs_expression_parse(&e, text, &err) < 0) {
			n_refused++;
			continue;
		}
		double x[3] = { -1, 0, 1e300 }, p[HS_EXPRESSION_PARAMS] = { 0 }, y[3], dy[3 * HS_EXPRESSION_PARAMS];
		hs_expression_eval(e, x, 3, p, y, dy);
		bool finite = true;
		for (size_t i = 0; i < 3 * hs_expression_n_params(e); i++)
			finite &= isfinite(dy[i]) != 0;
		n_parsed += finite;
		hs_expression_free(e);
	}
	tap_ok(n_parsed > 5000 && n_parsed + n_refused == 200000, "of 200000 random texts %zu are formulas, %zu are refused", n_parsed,
		n_refused);
}

/* ------------------------------------------------------------------ in models */

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static bool bad_file(const char *text, const char *sentence)
{
	struct hs_user_model *m;
	struct hs_err err = { 0 };
	put_file("bad.model", text);
	const bool good = hs_user_model_find(&m, "bad", &err) < 0 && err.status == HS_BAD_DATA && strstr(err.text, sentence);
	if (!good)
		printf("# %s\n", err.text);
	hs_user_model_free(m);
	return good;
}

static void files(void)
{
	char folder[] = "/tmp/test_expression.XXXXXX";
	struct hs_user_model *m;
	struct hs_compound c;
	struct hs_err err = { 0 };
	if (!mkdtemp(folder) || chdir(folder) < 0) {
		tap_ok(0, "a folder in /tmp");
		return;
	}
	unsetenv("HS_MODELS");
	put_file("decay.model", "# a comment\nwhat  a decay\nsource somebody\nbackground\nformula h*exp(-x/tau)+c  # as usual\n"
		"parameter tau start=x_middle low=0 high=1e6 unit=s  time of it\nparameter c high=10\n");
	tap_ok(hs_user_model_find(&m, "decay", &err) == 0 && m && m->model.n_params == 3 && m->model.background &&
		!strcmp(m->model.what, "a decay") && !strcmp(m->model.source, "somebody") && !strcmp(m->param[1].name, "tau") &&
		m->param[1].low == 0 && m->param[1].high == 1e6 && !strcmp(m->param[1].unit, "s") && !strcmp(m->param[1].what, "time of it") &&
		m->param[2].high == 10 && m->param[0].linear && !m->param[1].linear, "a file is read: %s", err.text);
	hs_user_model_free(m);
	tap_ok(hs_compound_parse(&c, "decay + decay + expr: q*x+(r+1)", &err) == 0 && c.n_terms == 3 && c.n_params == 8 &&
		!strcmp(c.param[0].name, "decay1_h") && !strcmp(c.param[4].name, "decay2_tau") && !strcmp(c.param[6].name, "expr_q") &&
		hs_compound_check(&c, &err) == 0, "files and a formula in a sum: %s", err.text);
	hs_compound_release(&c);
	tap_ok(hs_compound_parse(&c, "expr: a*exp(-x/b)", &err) == 0 && hs_compound_check(&c, &err) < 0 && strstr(err.text, "b=..."),
		"what has no start is named: %s", err.text);
	err = (struct hs_err){ 0 };
	tap_ok(hs_compound_start(&c, "b=2", "s", "V", &err) == 0 && hs_compound_check(&c, &err) == 0, "and is given");
	hs_compound_release(&c);
	tap_ok(hs_compound_parse(&c, "nothing", &err) < 0 && strstr(err.text, "gaussian") && strstr(err.text, "decay"),
		"an unknown name lists models and files");
	hs_compound_release(&c);
	tap_ok(bad_file("formula a*x\nparameter b start=1\n", "'./bad.model', line 2: the formula has no parameter 'b'"),
		"no such parameter");
	tap_ok(bad_file("parameter b start=1\n", "line 1: parameters come after"), "a parameter too early");
	tap_ok(bad_file("formula a*x\nparameter a begin=1\n", "'begin' is none of"), "no such attribute");
	tap_ok(bad_file("formula a*x\nparameter a start=two*x_span\n", "'two'"), "a factor that is none");
	tap_ok(bad_file("formula a*x\nparameter a start=here\n", "'here'"), "no such start");
	tap_ok(bad_file("formula a*x\nparameter a low=2 high=1\n", "not below"), "bounds the wrong way round");
	tap_ok(bad_file("formula a*x\nformula b*x\n", "a second 'formula'"), "two formulas");
	tap_ok(bad_file("what is it\n", "has no formula"), "no formula");
	tap_ok(bad_file("formula x+1\n", "no parameters"), "no parameters");
	tap_ok(bad_file("hello\n", "'hello' is none of"), "another text");
	unlink("bad.model");
	unlink("decay.model");
	if (chdir("/") == 0)
		rmdir(folder);
}

int main(void)
{
	values();
	derivatives();
	as_written_by_hand("gaussian", "height*exp(-4*log(2)*((x-centre)/width)^2)", (const double[]){ 40, 285.1, 2.5 });
	as_written_by_hand("lorentzian", "height/(1+(2*(x-centre)/width)^2)", (const double[]){ 40, 285.1, 2.5 });
	as_written_by_hand("line", "offset+slope*x", (const double[]){ 4, -0.3 });
	structure();
	refusals();
	noise();
	files();
	return tap_done();
}
