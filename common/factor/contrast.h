/* contrast - how far from Gaussian the signals y = w z are, and how that changes when w turns.
 *
 * z are whitened samples (n x k), w is orthogonal (k x k). A contrast is an even function f; psi is its derivative:
 *   LOGCOSH   f = ln cosh y           psi = tanh y            for both tails, little moved by outliers
 *   GAUSS     f = -exp(-y^2 / 2)      psi = y exp(-y^2 / 2)   for very heavy tails
 *   QUARTIC   f = y^4 / 4             psi = y^3               the kurtosis
 * (Hyvarinen, IEEE Trans. Neural Netw. 10 (1999) 626). One pass over z gives all averages below, in float64 and fixed order. */
#ifndef HS_FACTOR_CONTRAST_H
#define HS_FACTOR_CONTRAST_H

#include <stddef.h>

#include "base/err.h"

enum hs_contrast_kind { HS_CONTRAST_LOGCOSH, HS_CONTRAST_GAUSS, HS_CONTRAST_QUARTIC };

/* Borrows z; owns its scratch. */
struct hs_contrast {
	enum hs_contrast_kind kind;
	size_t n, k;
	const double *z;              /* n x k */
	double *scratch;
};

/* Averages over the samples, for signals first .. first + m - 1 of y. Pointers into one array of the owner. */
struct hs_contrast_sums {
	double *sum;                  /* all of it, hs_contrast_n_sums values */
	double *value;                /* m: E f(y_i) */
	double *slope;                /* m: E psi'(y_i) */
	double *cross;                /* m x k: E psi(y_i) y_j */
	double *curve;                /* m x k: E psi'(y_i) y_j^2 */
};

int hs_contrast_init(struct hs_contrast *c, enum hs_contrast_kind kind, const double *z, size_t n, size_t k, struct hs_err *err);
void hs_contrast_release(struct hs_contrast *c);

int hs_contrast_sums_init(struct hs_contrast_sums *s, size_t k, struct hs_err *err);
void hs_contrast_sums_release(struct hs_contrast_sums *s);

/* One pass for m signals from first on; curve is left zero when with_curve is 0. */
int hs_contrast_measure(const struct hs_contrast *c, const double *w, size_t first, size_t m, int with_curve,
	struct hs_contrast_sums *s, struct hs_err *err);

/* E f(nu) of a Gaussian nu of unit variance. */
double hs_contrast_gaussian(enum hs_contrast_kind kind);

/* Bytes of a contrast, one set of sums and a pass. */
size_t hs_contrast_bytes(size_t n, size_t k, int threads);

#endif
