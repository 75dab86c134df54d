/* compound - models added up: "powerlaw + gaussian + gaussian", with names for all parameters and one vector for the fit.
 *
 * A name that is none of our models is looked for among the files of the user (usermodel.h); "expr: a * x^2 + b" is a formula,
 * which takes the rest of the text and so comes last.
 *
 * Parameters of the terms follow each other. Their names are those of the model when it is alone, else "gaussian_centre", and
 * "gaussian1_centre", "gaussian2_centre" when a model occurs more than once. Real models do not add to complex ones.
 *
 * On top of the bounds of the models stand those of the user; parameters can be fixed, and tied to another one (p = factor q),
 * which takes them out of the fit: the fit sees n_fit parameters, all of them follow from those. Internal parameters of a model
 * (model.h) cannot be bound, fixed or tied when they are not the reported ones.
 *
 * Owner: the caller; after it is set up it is only read, by any threads. */
#ifndef HS_PHYSICS_COMPOUND_H
#define HS_PHYSICS_COMPOUND_H

#include "base/err.h"
#include "physics/usermodel.h"

enum { HS_COMPOUND_MOST = 64 };

struct hs_term {
	const struct hs_model *model;
	struct hs_user_model *user;   /* owned; NULL for our own models. Its model is the one above */
	size_t first;                 /* its parameters */
};

struct hs_compound_param {
	char *name;
	const struct hs_param_spec *spec;
	double low, high;
	double value;                 /* where it begins, when given; NAN: guessed */
	bool fixed;
	bool tied;                    /* p = factor * p[to] */
	size_t to;
	double factor;
};

struct hs_compound_derived {
	char *name;
	const struct hs_derived_spec *spec;
};

struct hs_compound {
	size_t n_terms, n_params, n_derived;
	struct hs_term *term;
	struct hs_compound_param *param;
	struct hs_compound_derived *derived;  /* term by term */
	bool is_complex;
	bool own_form;                /* a term has internal parameters */
};

/* HS_USAGE: unknown model (the sentence names those there are), mixed kinds, too many parameters. */
int hs_compound_parse(struct hs_compound *c, const char *text, struct hs_err *err);
void hs_compound_release(struct hs_compound *c);

/* What the user says about parameters, comma-separated: settings "width=2eV" begin there, fixed ones stay there ("width" alone is
 * fixed at its usual value or guess), bounds "width=1:3eV", ties "gaussian2_width=gaussian1_width" or "...=0.5*...". x_unit and
 * y_unit are those of axis and data. HS_USAGE quotes what is wrong. */
int hs_compound_start(struct hs_compound *c, const char *text, const char *x_unit, const char *y_unit, struct hs_err *err);
int hs_compound_fix(struct hs_compound *c, const char *text, const char *x_unit, const char *y_unit, struct hs_err *err);
int hs_compound_bound(struct hs_compound *c, const char *text, const char *x_unit, const char *y_unit, struct hs_err *err);
int hs_compound_tie(struct hs_compound *c, const char *text, struct hs_err *err);

/* HS_USAGE names the parameters of formulas that have no start: neither given, nor seen in the spectrum, nor linear. */
int hs_compound_check(const struct hs_compound *c, struct hs_err *err);

/* The unit of a parameter or derived quantity for data of these units; own: of HS_OF_OWN, where "^1,-2" means the axis to the
 * power 1 times the data to the power -2. Caller frees. */
char *hs_unit_of(enum hs_unit_of of, const char *own, const char *x_unit, const char *y_unit);

/* Sum of the terms, as model.h's eval; room for n (2n) more values must follow y, and n_params more of them each dy. */
bool hs_compound_eval(const struct hs_compound *c, const struct hs_grid *g, const double *p, double *y, double *dy,
	double *scratch);

/* Start of all parameters from one spectrum: backgrounds first, then peaks from what is left, then what the user gave; linear
 * parameters by least squares. False when a term finds no hold. scratch: room for (n_params + 3) n (2n) values. */
bool hs_compound_guess(const struct hs_compound *c, const struct hs_grid *g, const double *y, const double *weight, double *p,
	double *scratch);

#endif
