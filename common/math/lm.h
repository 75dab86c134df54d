/* lm - nonlinear least squares for small problems, many of them one after the other: Levenberg-Marquardt with bounds.
 *
 * Minimises over p, within low <= p <= high,
 *	SQUARES   sum_i w_i (y_i - m_i(p))^2
 *	POISSON   the deviance 2 sum_i [m_i - y_i + y_i ln(y_i / m_i)], whose minimum is the maximum of the likelihood of counts
 * by steps (H + mu diag H) d = g, H = J^T W J, g = J^T W (y - m) (Marquardt, J. SIAM 11 (1963) 431; for counts W = 1/m: Fisher
 * scoring), mu steered by the gain of each step (Nielsen, IMM-REP-1999-05, DTU). Damping by the diagonal makes the path
 * independent of the units of the parameters. Parameters whose step would leave the bounds stay on them for that step and are
 * free again when the gradient points inside.
 *
 * Converged: the step promises less than tol of the cost, or the cost is rounding (2^-92 of sum w y^2).
 *
 * Owner: a workspace belongs to one thread and serves problems of up to the sizes it was made for; nothing is allocated in
 * between. */
#ifndef HS_MATH_LM_H
#define HS_MATH_LM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HS_LM_MOST = 64 };             /* parameters */

enum hs_lm_loss { HS_LM_SQUARES, HS_LM_POISSON };

enum hs_lm_status {
	HS_LM_CONVERGED,
	HS_LM_MAXITER,
	HS_LM_STUCK,                  /* no step lowers the cost, and the gradient is not zero */
	HS_LM_BAD_START,              /* the model has no finite value where it begins */
	HS_LM_TOO_FEW                 /* fewer data than free parameters, or their squares are beyond double precision */
};

struct hs_lm_problem {
	size_t n, k;                  /* data, parameters */

	/* Model values m (n) and, when dm is not NULL, derivatives dm[j * n + i] = d m_i / d p_j. False where the model is not
	 * defined: the step is shortened. */
	bool (*model)(void *ctx, const double *p, double *m, double *dm);
	void *ctx;

	const double *low, *high;     /* k, infinite for none; NULL: no bounds */
	const uint8_t *fixed;         /* k, nonzero: stays as it is; or NULL */
	enum hs_lm_loss loss;
	size_t max_iter;              /* 0: 100 */
	double tol;                   /* 0: 1e-12 */
};

struct hs_lm_fit {
	enum hs_lm_status status;
	size_t n_iter;
	size_t n_data;                /* with weight > 0 */
	size_t n_free;                /* parameters that are neither fixed nor on a bound nor without effect */
	double cost;                  /* sum of squares or deviance at the end */
	double squares;               /* sum of (y - m)^2 over data with weight: for R2 */
};

struct hs_lm;
struct hs_lm *hs_lm_new(size_t n_most, size_t k_most, struct hs_err *err);    /* k_most <= HS_LM_MOST */
void hs_lm_free(struct hs_lm *w);
size_t hs_lm_bytes(size_t n_most, size_t k_most);

/* From p (k; put within the bounds first) to the minimum, in place. y: n; weight: n, >= 0, 0 leaves a datum out (y is then not
 * looked at), or NULL for ones; with POISSON it multiplies the terms of the deviance. */
void hs_lm_run(struct hs_lm *w, const struct hs_lm_problem *problem, const double *y, const double *weight, double *p,
	struct hs_lm_fit *fit);

/* After hs_lm_run: inverse of H at the end (k x k), zero in rows and columns of parameters that were not free. It is the
 * covariance of p when weights are 1 / variance, or for counts; else that over the variance of a datum. on_bound (k) says which
 * parameters stand on a bound; may be NULL. False when H is singular: then cov is all NaN. */
bool hs_lm_covariance(const struct hs_lm *w, double *cov, uint8_t *on_bound);

/* Solves h x = b in place of b, for a symmetric positive definite h (k x k, lower triangle, spoilt), whatever the units of its
 * rows. False when it is singular to rounding. */
bool hs_lm_solve(double *h, size_t k, double *b);

/* Model values at the end (n), borrowed until the next run. */
const double *hs_lm_model(const struct hs_lm *w);

#endif
