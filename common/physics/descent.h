/* descent - one spectrum brought from where it begins to its end: what fit.c does for each of many. Private to physics/.
 *
 * One thread has one bench: a workspace and the arrays for one spectrum, b->y holding it. The job is read by all threads. */
#ifndef HS_PHYSICS_DESCENT_H
#define HS_PHYSICS_DESCENT_H

#include "math/lm.h"
#include "physics/fit.h"

struct hs_fit_bench {
	struct hs_lm *lm;
	double *row;                  /* as it comes */
	double *y, *weight;           /* n values of the fit (2n complex) */
	double *scratch;              /* (n_params + 3) n values */
	double *cov, *work;           /* n_params^2 each; and derivatives of what is reported */
};

struct hs_fit_job {
	const struct hs_fit_options *o;
	struct hs_fit *fit;
	size_t n_values, n_fit;       /* data of a spectrum; parameters the descent sees */
	size_t place[HS_COMPOUND_MOST];       /* which they are */
	double low[HS_COMPOUND_MOST], high[HS_COMPOUND_MOST];
	struct hs_fit_bench *bench;
	size_t n_benches;
	double *merit;                /* of what is kept: n_rows */
	const double *before;         /* sweeps: value of the sweep before, n_rows x (n_params + n_derived) */
	const uint8_t *again;         /* sweeps: rows to do again; NULL: all */
};

struct hs_fit_end {
	enum hs_fit_status status;
	struct hs_lm_fit lm;
	double p[HS_COMPOUND_MOST];   /* internal, all of them */
	double cov[HS_COMPOUND_MOST * HS_COMPOUND_MOST];      /* of the fitted ones, in the order of place[] */
	double scale;                 /* s^2 */
	double merit;                 /* the lower the better: cost, or the median residual where spikes do not count */
};

/* Median of n values, which are reordered; NAN for none. */
double hs_fit_middle(double *v, size_t n);

/* Does value i of a spectrum have weight? */
bool hs_fit_counts(const struct hs_fit_job *j, size_t i);

/* Reported parameters of a row, given for it by the user or a neighbour, as internal ones; false when one of them is NaN. */
bool hs_fit_take_start(const struct hs_fit_job *j, const double *reported, double *p);

/* Internal parameters from the spectrum itself; false when it gives no hold. */
bool hs_fit_guess(const struct hs_fit_job *j, struct hs_fit_bench *b, double *p);

/* From the parameters in out->p to the minimum. */
void hs_fit_descend(const struct hs_fit_job *j, struct hs_fit_bench *b, struct hs_fit_end *out);

/* From the start given for that row, else from a guess, to the minimum. */
void hs_fit_first(const struct hs_fit_job *j, struct hs_fit_bench *b, size_t row, struct hs_fit_end *out);

#endif
