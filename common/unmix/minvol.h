/* minvol - nonnegative factorisation of minimal volume: endmembers without pure pixels that are spectra, nowhere below zero.
 *
 * Leplat, Ang, Gillis (IEEE ICASSP 2019, 3402):
 *	minimise  |X - W H|^2 + lambda ln det(H H^T + delta I)    with H >= 0 and the rows of W on the unit simplex
 * W n x k abundances, H k x n_chan endmembers. The logarithm is majorised at the present H, which leaves two quadratic problems,
 * each given ten accelerated projected gradient steps a turn. The data are projected on their affine subspace (X = 1 m + Z V), so
 * that products with X cost n x k^2, no pass over the cube is made, and memory is 4 n x k.
 *
 * Units: data are scaled so that the mean squared norm of the starting endmembers is 1; delta is relative to that. lambda is
 * relative too: lambda~ times the misfit over |ln det| at the start. */
#ifndef HS_UNMIX_MINVOL_H
#define HS_UNMIX_MINVOL_H

#include "unmix/vertex.h"

struct hs_minvol_options {
	double lambda;                /* relative weight of the volume, > 0; < 0: 0.1 */
	double delta;                 /* > 0 */
	double beyond;                /* mean squared distance of a row from the subspace: part of the misfit at the start */
	size_t max_iter;              /* turns, >= 1 */
	double tol;                   /* ends when the objective falls by less than tol of itself */
	bool (*stop)(void *ctx);      /* may be NULL */
	void *stop_ctx;
};

struct hs_minvol {
	double lambda;                /* relative weight used */
	double objective;             /* in scaled units, at the end */
	size_t n_iter;
	bool converged, stopped;
};

/* cloud: n x (k - 1) coordinates of the rows. mean: n_chan, axes: (k - 1) x n_chan, orthonormal: the subspace. spectrum: k x
 * n_chan, a start and the result (values of the start below zero are cut). HS_BAD_DATA when the start has no extent. */
int hs_minvol(const struct hs_cloud *cloud, const double *mean, const double *axes, size_t n_chan, size_t k,
	const struct hs_minvol_options *options, double *spectrum, struct hs_minvol *out, struct hs_err *err);

/* lambda automatic, delta 0.01, 200 turns, tol 1e-6. */
struct hs_minvol_options hs_minvol_defaults(void);

/* Bytes it holds at its peak. */
size_t hs_minvol_bytes(size_t n, size_t n_chan, size_t k);

#endif
