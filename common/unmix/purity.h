/* purity - is there a pixel near each corner of a simplex? The answer says which methods can be trusted.
 *
 * Methods that pick pixels (N-FINDR, SPA, VCA, PPI) need a pure pixel of every endmember; methods that fit a smallest simplex
 * (SISAL, MINVOL) need pixels on every facet instead. Neither can be seen from the simplex a picking method returns, as that has
 * its pixels in the corners by construction. So the question is put to the smallest simplex about the data (sisal.h, on at most
 * HS_PURITY_SAMPLE pixels, evenly spaced): how pure is the purest pixel of each corner there, and how many pixels lie on the
 * opposite facet, in units of what noise alone does to an abundance? */
#ifndef HS_UNMIX_PURITY_H
#define HS_UNMIX_PURITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "unmix/vertex.h"

#define HS_PURITY_SAMPLE 4096

enum hs_purity_verdict {
	HS_PURITY_UNKNOWN,            /* one endmember, too few pixels, or no enclosing simplex was found */
	HS_PURITY_PURE,               /* a pixel near every corner: picking methods are right */
	HS_PURITY_MIXED,              /* corners without pixels, but pixels on all facets: SISAL, MINVOL */
	HS_PURITY_LOOSE               /* neither: no method can know the endmembers; the result is a bound */
};

struct hs_purity {
	size_t k;
	double *purest;               /* k: largest abundance of a pixel that is not outside, in the enclosing simplex; about 1 where
	                               * there are pure pixels */
	double *spread;               /* k: standard deviation that noise gives such an abundance */
	size_t *near_corner;          /* k: pixels with abundance above 0.95 or within 2 spread of 1 */
	size_t *on_facet;             /* k: pixels within 2 spread (0.01 at least) of abundance 0 */
	size_t n_sample;              /* pixels looked at */
	double outside;               /* share of them that lie outside by more than 4 spread: outliers */
	double least;                 /* smallest of purest */
	enum hs_purity_verdict verdict;
	char text[200];               /* the verdict as a sentence */
};

/* cloud: the pixels in k - 1 dimensions. corner: k x (k - 1), a simplex to begin the enclosing one from. noise: standard
 * deviation of a coordinate, 0: none. HS_SYSTEM when memory is short. Released by the caller, also after failure. */
int hs_purity_find(struct hs_purity *purity, const struct hs_cloud *cloud, const double *corner, size_t k, double noise,
	struct hs_err *err);
void hs_purity_release(struct hs_purity *purity);

#endif
