/* How it works. The parser writes operations in postfix order; each knows where its left operand ends, which parameters it
 * depends on and in which pairs of them it is not linear. So one array serves the run, the search for linear parameters and the
 * units. */
#include "physics/expression.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
	MOST_NESTED = 64,             /* parentheses, signs and powers in each other */
	MOST_STACK = 24,              /* values waiting for an operation */
	BLOCK = 32                    /* points at a time: the stack stays in the cache */
};

enum what {
	NUMBER, AXIS, PARAM,
	NEG, EXP, LOG, SQRT, SIN, COS, TAN, TANH, ERF, ABS,   /* of one value */
	ADD, SUB, MUL, DIV, POW, MIN, MAX                     /* of two */
};

static const struct { const char *name; enum what what; } functions[] = {
	{ "exp", EXP }, { "log", LOG }, { "sqrt", SQRT }, { "sin", SIN }, { "cos", COS }, { "tan", TAN }, { "tanh", TANH },
	{ "erf", ERF }, { "abs", ABS }, { "pow", POW }, { "min", MIN }, { "max", MAX },
};

struct op {
	enum what what;
	double number;                /* NUMBER */
	size_t param;                 /* PARAM */
	size_t left;                  /* of two operands: the last operation of the first; the second ends just before */
	uint32_t depends;             /* bit j: on parameter j */
};

struct hs_expression {
	size_t n_ops, n_params;
	struct op op[HS_EXPRESSION_OPS];
	char name[HS_EXPRESSION_PARAMS][HS_EXPRESSION_NAME];
	uint32_t linear;
	bool has_unit[HS_EXPRESSION_PARAMS];
	double unit[HS_EXPRESSION_PARAMS][2];
};

/* ------------------------------------------------------------------ the parser */

struct parser {
	struct hs_expression *e;
	const char *at;
	size_t nested, stack;
	struct hs_err *err;
};

static int parse_sum(struct parser *p);

static int complain(struct parser *p, const char *what)
{
	return *p->at ? hs_fail(p->err, HS_USAGE, "%s before '%.30s'", what, p->at) : hs_fail(p->err, HS_USAGE, "%s at the end", what);
}

static void skip_space(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
}

static bool next_is(struct parser *p, char c)
{
	skip_space(p);
	if (*p->at != c)
		return false;
	p->at++;
	return true;
}

static bool is_unary(enum what what)
{
	return what >= NEG && what <= ABS;
}

static bool is_binary(enum what what)
{
	return what >= ADD;
}

/* Operations of numbers alone are done here: "x^-2" and "x^(1/2)" have plain exponents. False when it is none of these. */
static bool fold(struct hs_expression *e, enum what what, size_t left)
{
	struct op *b = e->n_ops ? &e->op[e->n_ops - 1] : NULL;
	if (!b || b->what != NUMBER)
		return false;
	if (what == NEG) {
		b->number = -b->number;
		return true;
	}
	struct op *a = &e->op[left];
	const bool sum = what == ADD || what == SUB;
	if ((!sum && what != MUL && what != DIV) || left + 2 != e->n_ops || a->what != NUMBER)
		return false;
	a->number = sum ? a->number + (what == ADD ? b->number : -b->number) : what == MUL ? a->number * b->number :
		a->number / b->number;
	e->n_ops--;
	return true;
}

/* left: of a binary operation, the last operation of its first operand. */
static int emit(struct parser *p, struct op op)
{
	struct hs_expression *e = p->e;
	if (fold(e, op.what, op.left)) {
		p->stack -= is_binary(op.what);
		return 0;
	}
	if (e->n_ops == HS_EXPRESSION_OPS)
		return hs_fail(p->err, HS_USAGE, "a formula of more than %d numbers, names and operations", HS_EXPRESSION_OPS);
	if (op.what == PARAM)
		op.depends = UINT32_C(1) << op.param;
	if (is_unary(op.what) || is_binary(op.what))
		op.depends = e->op[e->n_ops - 1].depends;
	if (is_binary(op.what))
		op.depends |= e->op[op.left].depends;
	if (is_binary(op.what))
		p->stack--;
	else if (!is_unary(op.what) && ++p->stack > MOST_STACK)
		return hs_fail(p->err, HS_USAGE, "more than %d values wait for each other: put the longer part first", MOST_STACK);
	e->op[e->n_ops++] = op;
	return 0;
}

static int parse_number(struct parser *p)
{
	size_t n = strspn(p->at, "0123456789.");
	if (p->at[n] == 'e' || p->at[n] == 'E') {
		const size_t digits = n + 1 + (p->at[n + 1] == '-' || p->at[n + 1] == '+');
		if (isdigit((unsigned char)p->at[digits]))
			n = digits + strspn(p->at + digits, "0123456789");
	}
	char text[64], *end;
	if (n >= sizeof text)
		return complain(p, "a number of too many digits");
	memcpy(text, p->at, n);
	text[n] = 0;
	const double value = strtod(text, &end);
	if (*end || !isfinite(value))
		return hs_fail(p->err, HS_USAGE, "'%s' is not a number", text);
	p->at += n;
	return emit(p, (struct op){ .what = NUMBER, .number = value });
}

static int parse_call(struct parser *p, enum what what)
{
	if (parse_sum(p) < 0)
		return -1;
	const size_t left = p->e->n_ops - 1;
	if (is_binary(what) && !next_is(p, ','))
		return complain(p, "expected ',' and a second argument");
	if (is_binary(what) && parse_sum(p) < 0)
		return -1;
	if (!next_is(p, ')'))
		return complain(p, "expected ')'");
	return emit(p, (struct op){ .what = what, .left = left });
}

static int add_param(struct parser *p, const char *name)
{
	struct hs_expression *e = p->e;
	size_t j = 0;
	while (j < e->n_params && strcmp(e->name[j], name))
		j++;
	if (j == HS_EXPRESSION_PARAMS)
		return hs_fail(p->err, HS_USAGE, "a formula of more than %d parameters", HS_EXPRESSION_PARAMS);
	if (j == e->n_params)
		memcpy(e->name[e->n_params++], name, strlen(name) + 1);
	return emit(p, (struct op){ .what = PARAM, .param = j });
}

static int parse_name(struct parser *p)
{
	char name[HS_EXPRESSION_NAME];
	size_t n = 0;
	while (isalnum((unsigned char)p->at[n]) || p->at[n] == '_')
		n++;
	if (n >= sizeof name)
		return complain(p, "a name that is too long");
	memcpy(name, p->at, n);
	name[n] = 0;
	p->at += n;
	if (next_is(p, '(')) {
		struct hs_str there = { 0 };
		for (size_t i = 0; i < HS_LEN(functions); i++) {
			if (!strcmp(functions[i].name, name)) {
				hs_str_release(&there);
				return parse_call(p, functions[i].what);
			}
			hs_str_addf(&there, "%s%s", i ? " " : "", functions[i].name);
		}
		hs_fail(p->err, HS_USAGE, "no function '%s': there are %s", name, hs_str_get(&there));
		hs_str_release(&there);
		return -1;
	}
	for (size_t i = 0; i < HS_LEN(functions); i++)
		if (!strcmp(functions[i].name, name))
			return hs_fail(p->err, HS_USAGE, "'%s' is a function: its argument stands in parentheses", name);
	if (!strcmp(name, "x"))
		return emit(p, (struct op){ .what = AXIS });
	return strcmp(name, "pi") ? add_param(p, name) : emit(p, (struct op){ .what = NUMBER, .number = M_PI });
}

static int parse_atom(struct parser *p)
{
	skip_space(p);
	if (isdigit((unsigned char)*p->at) || *p->at == '.')
		return parse_number(p);
	if (isalpha((unsigned char)*p->at))
		return parse_name(p);
	if (!next_is(p, '('))
		return complain(p, "expected a number, a name or '('");
	if (parse_sum(p) < 0)
		return -1;
	return next_is(p, ')') ? 0 : complain(p, "expected ')' or an operator");
}

static int parse_sign(struct parser *p);

static int parse_power(struct parser *p)
{
	if (parse_atom(p) < 0)
		return -1;
	const size_t left = p->e->n_ops - 1;
	if (!next_is(p, '^'))
		return 0;
	return parse_sign(p) < 0 ? -1 : emit(p, (struct op){ .what = POW, .left = left });
}

static int parse_sign(struct parser *p)
{
	if (p->nested++ == MOST_NESTED)
		return hs_fail(p->err, HS_USAGE, "a formula nested deeper than %d", MOST_NESTED);
	const bool minus = next_is(p, '-');
	int verdict = minus || next_is(p, '+') ? parse_sign(p) : parse_power(p);
	if (verdict == 0 && minus)
		verdict = emit(p, (struct op){ .what = NEG });
	p->nested--;
	return verdict;
}

static int parse_product(struct parser *p)
{
	if (parse_sign(p) < 0)
		return -1;
	for (;;) {
		const size_t left = p->e->n_ops - 1;
		const bool times = next_is(p, '*');
		if (!times && !next_is(p, '/'))
			return 0;
		if (parse_sign(p) < 0 || emit(p, (struct op){ .what = times ? MUL : DIV, .left = left }) < 0)
			return -1;
	}
}

static int parse_sum(struct parser *p)
{
	if (parse_product(p) < 0)
		return -1;
	for (;;) {
		const size_t left = p->e->n_ops - 1;
		const bool plus = next_is(p, '+');
		if (!plus && !next_is(p, '-'))
			return 0;
		if (parse_product(p) < 0 || emit(p, (struct op){ .what = plus ? ADD : SUB, .left = left }) < 0)
			return -1;
	}
}

/* ------------------------------------------------------------------ linear parameters */

/* bent[j]: the parameters k for which d2 / dp_j dp_k may differ from 0, over the whole formula. */
static void find_linear(struct hs_expression *e)
{
	uint32_t bent[HS_EXPRESSION_PARAMS] = { 0 };
	for (size_t i = 0; i < e->n_ops; i++) {
		const struct op *op = &e->op[i];
		const uint32_t b = i ? e->op[i - 1].depends : 0, a = is_binary(op->what) ? e->op[op->left].depends : 0;
		const bool sum = op->what == ADD || op->what == SUB || op->what == NEG || op->what <= PARAM;
		for (size_t j = 0; !sum && j < e->n_params; j++) {
			const uint32_t me = UINT32_C(1) << j;
			if (op->what == MUL)
				bent[j] |= (a & me ? b : 0) | (b & me ? a : 0);
			else if (op->what == DIV)
				bent[j] |= b & me ? a | b : a & me ? b : 0;
			else
				bent[j] |= op->depends & me ? op->depends : 0;
		}
	}
	for (size_t j = 0; j < e->n_params; j++)
		if (!(bent[j] & (e->linear | UINT32_C(1) << j)))
			e->linear |= UINT32_C(1) << j;
}

/* ------------------------------------------------------------------ units */

struct unit {
	bool known, any;              /* any: a plain number, of the unit that is wanted */
	double of[2];                 /* powers of the axis and the values */
};

static struct unit combine(struct unit a, struct unit b, double factor)
{
	return (struct unit){ .known = a.known && b.known, .any = a.any && b.any,
		.of = { a.of[0] + factor * b.of[0], a.of[1] + factor * b.of[1] } };
}

/* From the operands to the result. */
static struct unit rise(const struct hs_expression *e, size_t i, const struct unit *u)
{
	static const struct unit plain = { .known = true };
	const struct op *op = &e->op[i];
	const struct unit b = i ? u[i - 1] : plain, a = is_binary(op->what) ? u[op->left] : plain;
	switch (op->what) {
	case NUMBER: return (struct unit){ .known = true, .any = true };
	case AXIS: return (struct unit){ .known = true, .of = { 1, 0 } };
	case PARAM: return (struct unit){ .known = e->has_unit[op->param], .of = { e->unit[op->param][0], e->unit[op->param][1] } };
	case NEG:
	case ABS: return b;
	case SQRT: return (struct unit){ .known = b.known, .any = b.any, .of = { 0.5 * b.of[0], 0.5 * b.of[1] } };
	case ADD:
	case SUB:
	case MIN:
	case MAX: return a.known && !a.any ? a : b.known && !b.any ? b : combine(a, b, 0);
	case MUL: return combine(a, b, 1);
	case DIV: return combine(a, b, -1);
	case POW:
		if (e->op[i - 1].what == NUMBER)
			return (struct unit){ .known = a.known, .any = a.any, .of = { a.of[0] * e->op[i - 1].number, a.of[1] * e->op[i - 1].number } };
		return plain;
	default: return plain;
	}
}

static void want(struct unit *wanted, struct unit w)
{
	if (w.known && !w.any && !wanted->known)
		*wanted = w;
}

/* From what is wanted of the result to what is wanted of the operands. plain_sums: a number in a sum of which nothing is known
 * is one without unit. */
static void sink(const struct hs_expression *e, size_t i, const struct unit *u, struct unit *wanted, bool plain_sums)
{
	static const struct unit plain = { .known = true };
	const struct op *op = &e->op[i];
	struct unit w = wanted[i];
	struct unit *b = i ? &wanted[i - 1] : NULL, *a = is_binary(op->what) ? &wanted[op->left] : NULL;
	switch (op->what) {
	case NUMBER:
	case AXIS:
	case PARAM: return;
	case NEG:
	case ABS: want(b, w); return;
	case SQRT: want(b, combine(w, w, 1)); return;
	case ADD:
	case SUB:
	case MIN:
	case MAX:
		if (!w.known)
			w = !u[i].known && plain_sums && (u[op->left].any || u[i - 1].any) ? plain : u[i];
		want(a, w);
		want(b, w);
		return;
	case MUL:
		want(a, combine(w, u[i - 1], -1));
		want(b, combine(w, u[op->left], -1));
		return;
	case DIV:
		want(a, combine(w, u[i - 1], 1));
		want(b, combine(u[op->left], w, -1));
		return;
	case POW:
		want(b, plain);
		if (e->op[i - 1].what != NUMBER)
			want(a, plain);
		else if (e->op[i - 1].number != 0 && w.known)
			want(a, (struct unit){ .known = true, .of = { w.of[0] / e->op[i - 1].number, w.of[1] / e->op[i - 1].number } });
		return;
	default: want(b, plain); return;
	}
}

/* Up and down again until no parameter gets another unit. */
static void find_units(struct hs_expression *e)
{
	struct unit u[HS_EXPRESSION_OPS], wanted[HS_EXPRESSION_OPS];
	bool plain_sums = false, news = true;
	while (news || !plain_sums) {
		plain_sums = !news;
		news = false;
		memset(wanted, 0, sizeof wanted);
		for (size_t i = 0; i < e->n_ops; i++)
			u[i] = rise(e, i, u);
		wanted[e->n_ops - 1] = (struct unit){ .known = true, .of = { 0, 1 } };
		for (size_t i = e->n_ops; i-- > 0;)
			sink(e, i, u, wanted, plain_sums);
		for (size_t i = 0; i < e->n_ops; i++) {
			const size_t j = e->op[i].param;
			if (e->op[i].what != PARAM || e->has_unit[j] || !wanted[i].known)
				continue;
			e->has_unit[j] = news = true;
			memcpy(e->unit[j], wanted[i].of, sizeof e->unit[j]);
		}
	}
}

/* ------------------------------------------------------------------ made and asked */

int hs_expression_parse(struct hs_expression **out, const char *text, struct hs_err *err)
{
	struct hs_expression *e = hs_must_alloc(1, sizeof *e);
	struct parser p = { .e = e, .at = text, .err = err };
	int verdict = parse_sum(&p);
	skip_space(&p);
	if (verdict == 0 && *p.at)
		verdict = complain(&p, "expected an operator");
	*out = NULL;
	if (verdict < 0) {
		free(e);
		return -1;
	}
	find_linear(e);
	find_units(e);
	*out = e;
	return 0;
}

void hs_expression_free(struct hs_expression *e)
{
	free(e);
}

size_t hs_expression_n_params(const struct hs_expression *e)
{
	return e->n_params;
}

const char *hs_expression_param(const struct hs_expression *e, size_t j)
{
	return e->name[j];
}

bool hs_expression_linear(const struct hs_expression *e, size_t j)
{
	return e->linear >> j & 1;
}

bool hs_expression_unit(const struct hs_expression *e, size_t j, double *of_x, double *of_y)
{
	*of_x = e->unit[j][0];
	*of_y = e->unit[j][1];
	return e->has_unit[j];
}

/* ------------------------------------------------------------------ the run */

struct value {
	double v[BLOCK];
	double d[HS_EXPRESSION_PARAMS][BLOCK];        /* by the parameters it depends on; the others are not touched */
};

/* In place of b its function value; slope: derivative of it. */
static void apply_unary(enum what what, double *restrict b, double *restrict slope)
{
	for (size_t i = 0; i < BLOCK; i++) {
		const double v = b[i];
		switch (what) {
		case EXP: slope[i] = b[i] = exp(v); break;
		case LOG: b[i] = log(v); slope[i] = 1 / v; break;
		case SQRT: b[i] = sqrt(v); slope[i] = 0.5 / b[i]; break;
		case SIN: b[i] = sin(v); slope[i] = cos(v); break;
		case COS: b[i] = cos(v); slope[i] = -sin(v); break;
		case TAN: b[i] = tan(v); slope[i] = 1 + b[i] * b[i]; break;
		case TANH: b[i] = tanh(v); slope[i] = 1 - b[i] * b[i]; break;
		case ERF: b[i] = erf(v); slope[i] = M_2_SQRTPI * exp(-v * v); break;
		case ABS: b[i] = fabs(v); slope[i] = v < 0 ? -1 : 1; break;
		default: b[i] = -v; slope[i] = -1; break;
		}
	}
}

/* varies: the exponent depends on parameters; else its derivative is not looked at. */
static void apply_power(double *restrict a, const double *restrict b, double *restrict da, double *restrict db, bool varies)
{
	for (size_t i = 0; i < BLOCK; i++) {
		const double u = a[i], v = b[i];
		a[i] = v == 2 ? u * u : pow(u, v);
		da[i] = v == 2 ? 2 * u : v == 0 ? 0 : v * pow(u, v - 1);
		db[i] = !varies || (u == 0 && v > 0) ? 0 : a[i] * log(u);
	}
}

/* In place of a the result; da, db: derivatives of it by the operands. */
static void apply_binary(enum what what, double *restrict a, const double *restrict b, double *restrict da, double *restrict db)
{
	for (size_t i = 0; i < BLOCK; i++) {
		const double u = a[i], v = b[i];
		switch (what) {
		case ADD: a[i] = u + v; da[i] = 1; db[i] = 1; break;
		case SUB: a[i] = u - v; da[i] = 1; db[i] = -1; break;
		case MUL: a[i] = u * v; da[i] = v; db[i] = u; break;
		case DIV: a[i] = u / v; da[i] = 1 / v; db[i] = -a[i] / v; break;
		case MIN: a[i] = u <= v ? u : v; da[i] = u <= v; db[i] = !(u <= v); break;
		default: a[i] = u >= v ? u : v; da[i] = u >= v; db[i] = !(u >= v); break;
		}
	}
}

/* The derivatives of the result, in place of those of a. */
static void chain(struct value *a, const struct value *b, uint32_t of_a, uint32_t of_b, const double *restrict da,
	const double *restrict db)
{
	for (size_t j = 0; (of_a | of_b) >> j; j++) {
		const bool in_a = of_a >> j & 1, in_b = of_b >> j & 1;
		double *restrict to = a->d[j];
		if (in_a && in_b)
			for (size_t i = 0; i < BLOCK; i++)
				to[i] = da[i] * to[i] + db[i] * b->d[j][i];
		else if (in_a)
			for (size_t i = 0; i < BLOCK; i++)
				to[i] *= da[i];
		else if (in_b)
			for (size_t i = 0; i < BLOCK; i++)
				to[i] = db[i] * b->d[j][i];
	}
}

static void push(const struct op *op, const double *x, const double *p, struct value *to)
{
	for (size_t i = 0; i < BLOCK; i++)
		to->v[i] = op->what == AXIS ? x[i] : op->what == PARAM ? p[op->param] : op->number;
	for (size_t i = 0; op->what == PARAM && i < BLOCK; i++)
		to->d[op->param][i] = 1;
}

/* The result for the points in x is stack[0]. */
static void run_block(const struct hs_expression *e, const double *x, const double *p, bool derivatives, struct value *stack)
{
	double da[BLOCK], db[BLOCK];
	size_t top = 0;
	for (size_t k = 0; k < e->n_ops; k++) {
		const struct op *op = &e->op[k];
		if (op->what <= PARAM) {
			push(op, x, p, &stack[top++]);
			continue;
		}
		struct value *b = &stack[top - 1], *a = &stack[top - 2 + is_unary(op->what)];
		const uint32_t of_b = derivatives ? e->op[k - 1].depends : 0,
			       of_a = derivatives && is_binary(op->what) ? e->op[op->left].depends : 0;
		if (is_unary(op->what)) {
			apply_unary(op->what, b->v, da);
			chain(b, b, of_b, 0, da, da);
			continue;
		}
		if (op->what == POW)
			apply_power(a->v, b->v, da, db, of_b != 0);
		else
			apply_binary(op->what, a->v, b->v, da, db);
		chain(a, b, of_a, of_b, da, db);
		top--;
	}
}

void hs_expression_eval(const struct hs_expression *e, const double *x, size_t n, const double *p, double *y, double *dy)
{
	struct value stack[MOST_STACK];
	const uint32_t depends = e->op[e->n_ops - 1].depends;
	for (size_t first = 0; first < n; first += BLOCK) {
		const size_t m = n - first < BLOCK ? n - first : BLOCK;
		double at[BLOCK];
		for (size_t i = 0; i < BLOCK; i++)
			at[i] = x[first + (i < m ? i : m - 1)];
		run_block(e, at, p, dy != NULL, stack);
		memcpy(y + first, stack[0].v, m * sizeof *y);
		for (size_t j = 0; dy && j < e->n_params; j++)
			for (size_t i = 0; i < m; i++) {
				const double d = depends >> j & 1 ? stack[0].d[j][i] : 0;
				dy[j * n + first + i] = isfinite(d) && isfinite(stack[0].v[i]) ? d : 0;
			}
	}
}
