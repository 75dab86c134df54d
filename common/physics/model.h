/* model - a physical model of a spectrum: its value and exact derivatives, where to begin, what its parameters mean.
 *
 * A model is one file common/physics/NAME.c that defines `const struct hs_model hs_model_NAME`; models are found by listing those
 * (hs_model_table, made by the Makefile). It is a function y(x; p) of one axis x with n points. Values may be complex: then data,
 * values and derivatives hold n real parts followed by n imaginary parts (2n numbers).
 *
 * eval fills y and, when dy is not NULL, dy[j * stride + i] = d y_i / d p_j, stride = n or 2n; it returns false where the model
 * is not defined. It must be a pure function: any number of threads call it at once.
 *
 * guess finds a start from the data, from few sums and without iterating over parameters; false when the spectrum gives no hold
 * (constant, empty): the pixel is then flagged and not fitted. Data with weight 0 are not looked at; weight may be NULL.
 *
 * Units of parameters follow from those of the axis and of the data (enum hs_unit_of). Parameters that are settings of the
 * experiment (temperature, modulation) are fixed unless the user frees them, and begin at `usual`. A parameter is linear when the
 * model is proportional to it or a sum of such terms while the nonlinear ones stand still.
 *
 * When the parameters that converge best are not those a reader wants, `physical` turns what was fitted into what is reported,
 * with the derivatives for the covariance (dq[a * n_params + b] = d q_a / d p_b), and `internal` the other way round, for starts
 * and fixed values given by the user; both in the order and with the names of param[]. Bounds are then those of the internal
 * ones. */
#ifndef HS_PHYSICS_MODEL_H
#define HS_PHYSICS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HS_MODEL_MOST = 16 };          /* parameters of one model */

enum hs_unit_of {
	HS_OF_NONE,                   /* a number */
	HS_OF_X, HS_OF_Y,             /* as the axis, as the data */
	HS_OF_AREA,                   /* y x */
	HS_OF_SLOPE,                  /* y / x */
	HS_OF_CURVATURE,              /* y / x^2 */
	HS_OF_PER_X,                  /* 1 / x */
	HS_OF_RADIAN,
	HS_OF_OWN                     /* as said by `unit` */
};

struct hs_param_spec {
	const char *name;             /* [a-z][a-z0-9_]*: "centre", "width" */
	const char *what;             /* one line: "full width at half maximum" */
	enum hs_unit_of unit_of;
	const char *unit;             /* HS_OF_OWN: "K" */
	double low, high;             /* -INFINITY, INFINITY for none */
	double usual;                 /* where a setting begins; NAN: guess knows */
	bool setting, linear;
};

/* What follows from the parameters and is reported beside them, with propagated sigma. */
struct hs_derived_spec {
	const char *name, *what;
	enum hs_unit_of unit_of;
	const char *unit;
};

/* What way a model asks the axis to go. */
enum hs_sweep {
	HS_ONE_WAY,                   /* ascending or descending, all different */
	HS_ANY_WAY,                   /* any values, in any order */
	HS_BOTH_WAYS                  /* the order is that of a sweep which turns; a model of its branches */
};

struct hs_grid {
	size_t n;                     /* points */
	const double *x;              /* goes the way the model wants: hs_sweep */
	const char *x_unit, *y_unit;  /* for models with constants of nature: hs_unit_factor(x_unit, "eV"); NULL: none */
};

struct hs_model {
	const char *name;             /* as the file: "lorentzian" */
	const char *what;             /* one line */
	const char *formula;          /* plain text, for the man page and the file */
	const char *source;           /* paper or book, equation */
	bool is_complex;
	enum hs_sweep sweep;
	bool background;              /* broad: in a sum it is guessed first, from where there are no peaks */
	size_t n_params;
	const struct hs_param_spec *param;
	bool (*eval)(const struct hs_grid *g, const double *p, double *y, double *dy);
	bool (*guess)(const struct hs_grid *g, const double *y, const double *weight, double *p);
	void (*physical)(const struct hs_grid *g, const double *p, double *q, double *dq);    /* may be NULL: the same */
	void (*internal)(const struct hs_grid *g, const double *q, double *p);

	/* Bounds that follow from the axis, beside those of param[]; low and high (n_params) come as -INFINITY and INFINITY. May be
	 * NULL. */
	void (*limits)(const struct hs_grid *g, double *low, double *high);

	size_t n_derived;
	const struct hs_derived_spec *derived;
	/* From reported parameters q to derived d, with dd[a * n_params + b] = d d_a / d q_b. */
	void (*derive)(const struct hs_grid *g, const double *q, double *d, double *dd);
};

/* All models by name; NULL behind the last. */
extern const struct hs_model *const hs_model_table[];

/* NULL when there is none. */
const struct hs_model *hs_model_named(const char *name);

#endif
