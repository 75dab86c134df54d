/* usermodel - a model that the user wrote: a formula (expression.h), from the command line or from a file NAME.model.
 *
 * A file has one statement a line, `#` begins a comment:
 *	what        one line about it
 *	source      where it comes from
 *	background                         broad: in a sum it is guessed first
 *	formula     height * exp(-(x / tau)^beta) + offset
 *	parameter   tau  start=peak_width low=0 high=1e3 unit=x  time of the decay
 * start is a number, or what is seen in each spectrum, perhaps with a factor ("0.1*x_span"): peak_height, peak_centre,
 * peak_width (of the largest peak), x_low, x_high, x_middle, x_span (of the axis). Parameters that enter linearly need none.
 * unit is x, y, y*x, y/x, 1/x, 1, or one that is no matter of axis and data (K); without it it follows from the formula where
 * that says (hs_expression_unit).
 *
 * Files are looked for in the folders of $HS_MODELS (colons between), in share/hstools/models beside the program's bin, in
 * share/models beside its folder (a source tree), and in the folder one works in. A name with a slash is a path.
 *
 * Owner: the caller; read by any threads once it is there. */
#ifndef HS_PHYSICS_USERMODEL_H
#define HS_PHYSICS_USERMODEL_H

#include "base/err.h"
#include "physics/expression.h"
#include "physics/model.h"

struct hs_user_model {
	struct hs_model model;        /* eval and guess are NULL: the two functions below */
	struct hs_expression *formula;
	char *name, *what, *source, *text;
	struct hs_param_spec param[HS_EXPRESSION_PARAMS];
	char *param_what[HS_EXPRESSION_PARAMS], *param_unit[HS_EXPRESSION_PARAMS];
	int seen[HS_EXPRESSION_PARAMS];       /* what of the spectrum it begins at; -1: nothing */
	double factor[HS_EXPRESSION_PARAMS];  /* times this */
};

/* The formula `text` under the name "expr". HS_USAGE. */
int hs_user_model_typed(struct hs_user_model **m, const char *text, struct hs_err *err);

/* The file of that name; *m is NULL, without error, when there is none. HS_BAD_DATA quotes file and line. */
int hs_user_model_find(struct hs_user_model **m, const char *name, struct hs_err *err);
void hs_user_model_free(struct hs_user_model *m);

/* The files there are, each name once, sorted; caller frees names and list. */
char **hs_user_model_names(size_t *n);

bool hs_user_model_eval(const struct hs_user_model *m, const struct hs_grid *g, const double *p, double *y, double *dy);

/* p comes with the values given, NAN else; linear ones that are not given become 0. False when one has no start. */
bool hs_user_model_guess(const struct hs_user_model *m, const struct hs_grid *g, const double *y, const double *weight,
	double *p);

/* Does parameter j want a start from the user? */
bool hs_user_model_wants(const struct hs_user_model *m, size_t j);

#endif
