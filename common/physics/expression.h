/* expression - a formula typed by the user, y = f(x; parameters), with exact derivatives by its parameters.
 *
 *	sum     = product { (+ | -) product }
 *	product = sign { (* | /) sign }
 *	sign    = { + | - } power
 *	power   = atom [ ^ sign ]                         2^3^2 = 2^9, -x^2 = -(x^2), 2^-1 = 0.5
 *	atom    = number | name | function ( sum { , sum } ) | ( sum )
 *
 * Functions: exp log sqrt sin cos tan tanh erf abs of one argument, pow min max of two. Names: x is the axis, pi the number,
 * every other one a parameter, in the order in which they first occur. There is no way to leave the formula: no assignments, no
 * loops, no files; length, nesting, parameters are bounded, so any text is parsed and evaluated in bounded time and memory.
 *
 * Parsed into a postfix program that is run over blocks of points; each value on its stack carries its derivatives by the
 * parameters it depends on (forward mode: R. E. Wengert, Commun. ACM 7 (1964) 463).
 *
 * Owner: the caller; read by any threads once it is parsed. */
#ifndef HS_PHYSICS_EXPRESSION_H
#define HS_PHYSICS_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	HS_EXPRESSION_PARAMS = 16,    /* most parameters */
	HS_EXPRESSION_OPS = 512,      /* most numbers, names and operations */
	HS_EXPRESSION_NAME = 32       /* longest name, with its end */
};

struct hs_expression;

/* HS_USAGE says what is wrong and where: "expected ')' before '+ b'". */
int hs_expression_parse(struct hs_expression **e, const char *text, struct hs_err *err);
void hs_expression_free(struct hs_expression *e);

size_t hs_expression_n_params(const struct hs_expression *e);
const char *hs_expression_param(const struct hs_expression *e, size_t j);     /* borrowed */

/* Linear parameters: as many as can be found, in the order of the parameters, so that the formula is a sum of terms proportional
 * to one of them each, and a rest, while the others stand still. */
bool hs_expression_linear(const struct hs_expression *e, size_t j);

/* The unit of a parameter as powers of those of the axis and of the values, from the rules that sums are of one unit, exponents
 * and arguments of functions are numbers, and the whole has the unit of the values; numbers in a sum have the unit that is
 * wanted of them. False when these do not say. */
bool hs_expression_unit(const struct hs_expression *e, size_t j, double *of_x, double *of_y);

/* n values y at x and, when dy is not NULL, dy[j * n + i] = d y_i / d p_j. Where the formula is not defined y is NaN or infinite
 * and the derivatives are 0; a derivative that is not finite (sqrt at 0) is 0. Pure. */
void hs_expression_eval(const struct hs_expression *e, const double *x, size_t n, const double *p, double *y, double *dy);

#endif
