/* sisal - the smallest simplex that holds a cloud of points, some of which may lie outside: endmembers without pure pixels.
 *
 * Simplex identification via splitting and augmented Lagrangian (Bioucas-Dias, Proc. WHISPERS, 2009). With y = (1, z) and the map
 * Q from y to barycentric coordinates (vertex.h), minimises
 *	-ln |det Q| + tau sum_ij max(-(Q y_i)_j, 0)      subject to   sum_j (Q y)_j = 1 for every y
 * that is ln of the volume plus a price on coordinates below zero, by quadratic models of the determinant whose hinge part is
 * solved by alternating directions, and a line search on the true objective. Coordinates are whitened first, so the result
 * commutes with affine maps of the points.
 *
 * tau < 0: found from the noise. Points on a facet are pushed outside by noise; for a density that ends at the facet, those that
 * are outside are so by 0.63 standard deviations of the noise along its normal on average (0.80 when all points sit on the
 * facet). A facet with less encloses noise (tau is too large), with more it cuts through signal (too small). tau is divided by 4,
 * from a value at which nothing is outside, until the mean over all points outside reaches 0.7; two more steps halve the last
 * interval of ln tau. This is done on at most 4096 points, evenly spaced; the last run is on all. Without noise tau is raised
 * step by step to a price of 4 k for each point, which keeps every point inside, and facets are then moved out by what the last
 * iteration left outside. */
#ifndef HS_UNMIX_SISAL_H
#define HS_UNMIX_SISAL_H

#include "unmix/vertex.h"

struct hs_sisal_options {
	double tau;                   /* weight of the mean of the hinge over points: the tau above times n; < 0: automatic */
	double noise;                 /* standard deviation of a coordinate of z; for automatic tau */
	size_t max_iter;              /* outer iterations of the last run, >= 1 */
	double tol;                   /* ends when the objective falls by less than tol */
	bool (*stop)(void *ctx);      /* may be NULL */
	void *stop_ctx;
};

struct hs_sisal {
	double tau;                   /* used */
	double objective;             /* -ln |det Q| + hinge, at whitened coordinates */
	double log_volume;            /* of the result, in the coordinates of z */
	double outside;               /* mean distance of what is outside over the noise along the normal; NAN without noise */
	size_t n_iter;                /* outer iterations in all */
	bool converged, stopped;
};

/* corner: k x (k - 1), k = cloud->d + 1: a simplex to begin from (N-FINDR's; it is inflated by half about its centroid), and the
 * result. HS_BAD_DATA when it or the cloud is flat. */
int hs_sisal(const struct hs_cloud *cloud, const struct hs_sisal_options *options, double *corner, struct hs_sisal *out,
	struct hs_err *err);

/* 80 iterations, tau automatic, tol 1e-7. */
struct hs_sisal_options hs_sisal_defaults(double noise);

/* Bytes it holds at its peak for n points and k corners. */
size_t hs_sisal_bytes(size_t n, size_t k);

#endif
