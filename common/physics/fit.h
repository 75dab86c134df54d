/* fit - a compound model fitted to every spectrum of a row source, with error bars and an honest status.
 *
 * First every spectrum begins at its own guess (or at the parameters given for it). Then, where there is a grid of pixels, those
 * that failed or ended far above the others (reduced chi2 beyond median + 6 MAD) begin again at the parameters of their
 * neighbours, as these were after the sweep before, and the better end is kept: so the result does not depend on the order of
 * pixels or on threads.
 *
 * Noise. EQUAL: the same unknown standard deviation for all points of a spectrum, estimated from its residuals. SIGMA: known,
 * `sigma`. COUNTS: least squares with weights 1 / max(y, 1). POISSON: maximum likelihood of counts. `robust` repeats least
 * squares with Tukey's biweight of the residuals (c = 4.685 times 1.4826 MAD; Beaton, Tukey, Technometrics 16 (1974) 147) until
 * it settles: spikes then do not count.
 *
 * Covariance is s^2 (J^T W J)^-1, s^2 = 1 for SIGMA, COUNTS and POISSON and cost / (n - k) else, carried over to the reported
 * parameters and what is derived from them. Parameters fixed, tied to fixed ones or on a bound have sigma 0 in it.
 *
 * Complex spectra come as rows of 2n values, real and imaginary part of a channel next to each other.
 *
 * Owner: the caller, release accepts a zeroed struct. Rows that are skipped are NaN with status HS_FIT_SKIPPED. Same bytes for
 * any number of threads. */
#ifndef HS_PHYSICS_FIT_H
#define HS_PHYSICS_FIT_H

#include "base/rowsource.h"
#include "physics/compound.h"

enum hs_fit_noise { HS_FIT_EQUAL, HS_FIT_SIGMA, HS_FIT_COUNTS, HS_FIT_POISSON };

enum hs_fit_status {
	HS_FIT_CONVERGED, HS_FIT_MAXITER, HS_FIT_ON_BOUND, HS_FIT_SINGULAR, HS_FIT_STUCK, HS_FIT_NO_START, HS_FIT_SKIPPED, HS_FIT_UNDONE,
	HS_FIT_N_STATUS
};
#define HS_FIT_STATUS_WORDS "converged max_iter on_bound singular stuck no_start skipped not_reached"

struct hs_fit_options {
	const struct hs_compound *model;
	struct hs_grid grid;          /* n points: the channels of the source, half of them for complex rows */
	const double *weight;         /* n: 0 leaves a channel out everywhere; NULL: all count alike */
	enum hs_fit_noise noise;
	double sigma;
	bool robust;
	size_t max_iter;              /* 0: 100 */
	const double *start;          /* n_rows x n_params reported parameters to begin at, NAN where guessed; or NULL */
	size_t n_y, n_x;              /* grid of pixels, for neighbours; 0: none */
	size_t sweeps;                /* over failed and outlying pixels */
	bool with_covariance;
	bool (*stop)(void *ctx);      /* deadline; NULL: never */
	void *stop_ctx;
};

struct hs_fit {
	size_t n_rows, n_params;      /* reported parameters of all terms, then */
	size_t n_derived;             /* what is derived, term by term */
	double *value, *sigma;        /* n_rows x (n_params + n_derived) */
	float *covariance;            /* n_rows x n_params (n_params + 1) / 2, lower triangle; or NULL */
	double *reduced_chi2, *r2;    /* n_rows; the variance of the residuals for EQUAL */
	double *aicc, *bic;           /* n_rows: small-sample Akaike and Bayesian information criterion */
	uint8_t *status;              /* n_rows: enum hs_fit_status */
	uint16_t *n_iter;
	size_t count[HS_FIT_N_STATUS];
	bool stopped;
};

int hs_fit(struct hs_rowsource *rows, const struct hs_fit_options *o, struct hs_fit *fit, struct hs_err *err);
void hs_fit_release(struct hs_fit *fit);
size_t hs_fit_bytes(size_t n_rows, const struct hs_compound *c, size_t n, bool with_covariance, int threads);

/* Name, spec-like description of reported quantity i (parameters, then derived ones); unit for data of these units, caller frees.
 * */
const char *hs_fit_name(const struct hs_compound *c, size_t i, const char **what);
char *hs_fit_unit(const struct hs_compound *c, size_t i, const char *x_unit, const char *y_unit);

/* Model values of one row of a result (its reported parameters) into y: n, or 2n for complex ones, real parts first. */
bool hs_fit_model(const struct hs_compound *c, const struct hs_grid *g, const double *value, double *y, struct hs_err *err);

#endif
