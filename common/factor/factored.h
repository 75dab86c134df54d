/* factored - data as scores times loadings, in memory: x ~ t l, for the pixels that have scores.
 *
 * Scores of pixels that are used lie one after the other, without gaps; used says which pixels they are. Owner: the struct owns
 * its arrays; a zeroed one may be released. */
#ifndef HS_FACTOR_FACTORED_H
#define HS_FACTOR_FACTORED_H

#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"

struct hs_factored {
	size_t n_pix, n_used, k, n_chan;
	uint8_t *used;                /* n_pix: 1 for a pixel with scores */
	double *t;                    /* n_used x k: scores of those pixels, one after the other */
	double *l;                    /* k x n_chan */
};

/* Room for n_pix scores and k loadings, nothing in them. */
int hs_factored_init(struct hs_factored *f, size_t n_pix, size_t k, size_t n_chan, struct hs_err *err);
void hs_factored_release(struct hs_factored *f);

/* Scores of n rows from first on, in row order; a row that begins with NaN is not used. HS_BAD_DATA for other values that are not
 * finite. f is a struct hs_factored: the first is an hs_rows_put, width k. */
int hs_factored_put(void *f, size_t first, size_t n, const float *scores, struct hs_err *err);
int hs_factored_add(struct hs_factored *f, size_t row, const double *scores, struct hs_err *err);

#endif
