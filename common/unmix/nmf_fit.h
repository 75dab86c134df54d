/* nmf_fit - the two ways to the factors; internal to unmix. Each surveys the data, makes f (released by the caller) and
 * what out says about the way: objective, kkt, n_iter, trace, restart, status. */
#ifndef HS_UNMIX_NMF_FIT_H
#define HS_UNMIX_NMF_FIT_H

#include "unmix/nmf_low.h"
#include "unmix/nmf_pass.h"

int hs_nmf_euclid(struct hs_nmf_data *data, struct hs_nmf_factors *f, struct hs_nmf *out, struct hs_err *err);
int hs_nmf_kl(struct hs_nmf_data *data, struct hs_nmf_factors *f, struct hs_nmf *out, struct hs_err *err);

/* The best start of all runs, after a short way on compressed data; f is made. */
int hs_nmf_begin(struct hs_nmf_data *data, struct hs_nmf_factors *f, struct hs_nmf *out, struct hs_err *err);

/* A basis of leading directions and the projections on it: low->v, low->z (released by the caller, also after failure), data
 * surveyed. extra: columns left free behind them. */
int hs_nmf_compress(struct hs_nmf_data *data, size_t r, size_t extra, struct hs_nmf_low *low, struct hs_err *err);

/* Room in f for the rows that take part. */
int hs_nmf_factors_init(struct hs_nmf_factors *f, size_t n, size_t p, size_t k, struct hs_err *err);
void hs_nmf_factors_release(struct hs_nmf_factors *f);

/* One more value of the trace. */
int hs_nmf_trace(struct hs_nmf *out, double objective, struct hs_err *err);

static inline bool hs_nmf_told_to_stop(const struct hs_nmf_options *o)
{
	return o->stop && o->stop(o->stop_ctx);
}

enum { HS_NMF_BEYOND = 20 };          /* directions of the compressed data beyond the number of components */

#endif
