/* corners - the methods of endmember.h at work on coordinates: from a cloud of points to k spectra; internal to unmix.
 *
 * Everything here is in the units of reduce.h (y); endmember.c turns the result into the unit of the data. */
#ifndef HS_UNMIX_CORNERS_H
#define HS_UNMIX_CORNERS_H

#include "unmix/endmember.h"
#include "unmix/reduce.h"
#include "unmix/vertex.h"

struct hs_corners {
	const struct hs_endmember_options *opt;
	const struct hs_reduced *r;
	struct hs_rowsource *rows;
	struct hs_cloud cloud;        /* z of r, d = k - 1 */
	size_t k;
	double noise;                 /* standard deviation of a coordinate */
	double beyond;                /* mean squared distance of a row from the subspace */
	bool bright;                  /* VCA: signal to noise high enough for the projective view */
	double *corner;               /* k x (k - 1) */
	double *spectrum;             /* k x n_chan, y */
	size_t *pixel;                /* k */
	struct hs_endmembers *out;    /* n_iter, tau, lambda, status are set */
};

/* Runs the method of opt. HS_BAD_DATA when the points span no simplex. */
int hs_corners_find(struct hs_corners *c, struct hs_err *err);

#endif
