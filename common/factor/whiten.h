/* whiten - linear coordinates in which samples are uncorrelated and have unit variance.
 *
 * t are n samples of k signals (n x k, row after row, all finite), z = to (t - mean) their whitened form with rank <= k
 * signals: mean 0, sum z z^T / n = identity to rounding. t = mean + back z where t lies in the space that is kept; to back is
 * the identity.
 *
 * Signals are first brought to unit variance each, so that scores whose variances span many decades lose nothing; then the
 * principal axes of their correlation are taken. Signals without variance, and axes whose share of the correlation is below
 * 1e-12 of the largest (signals that depend on others), are left out. Sums in float64 about the mean, in fixed order.
 *
 * The struct owns its arrays. */
#ifndef HS_FACTOR_WHITEN_H
#define HS_FACTOR_WHITEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct hs_whitening {
	size_t k, rank;
	double *mean;                 /* k; zero when not centred */
	double *to;                   /* rank x k */
	double *back;                 /* k x rank */
};

/* centre: about the mean; otherwise about zero, and "variance" reads "mean square". HS_BAD_DATA when a variance overflows or a
 * sample is not finite. Released by the caller, also after failure. No samples, or samples that are all the same: rank 0. */
int hs_whitening_init(struct hs_whitening *w, const double *t, size_t n, size_t k, bool centre, struct hs_err *err);
void hs_whitening_release(struct hs_whitening *w);

/* z (n x rank) of t (n x k); may not overlap. */
void hs_whiten(const struct hs_whitening *w, const double *t, size_t n, double *z);

/* Bytes held during hs_whitening_init. */
size_t hs_whitening_bytes(size_t n, size_t k, int threads);

#endif
