/* spectral - clusters as weakly connected parts of a neighbour graph, of any shape.
 *
 * Equal points are one vertex. Each vertex is joined to its `neighbours` nearest; an edge a-b has the weight
 * exp(-|a - b|^2 / (s_a s_b)), s the distance to the 7th neighbour (Zelnik-Manor, Perona, NIPS 2004), e^-20 at least, so
 * that the graph has no edges that rounding takes away. With D the degrees, the k largest eigenvectors of
 * D^-1/2 W D^-1/2, that is the smallest of the normalised Laplacian 1 - D^-1/2 W D^-1/2, are the columns of a matrix whose rows
 * are brought to unit length and clustered by k-means (Ng, Jordan, Weiss, NIPS 2001).
 *
 * Eigenvectors by block Lanczos, small ones as a matrix (lanczos.h). The null space, the components of the graph, is known from
 * the graph. When they are k or more there is nothing to solve: components are joined at their smallest distance until k
 * are left (single linkage).
 *
 * The number of clusters, when it is to be found: the k >= 2 of the largest relative gap (e_{k+1} - e_k) / (e_{k+1} + 1e-6)
 * in the ascending eigenvalues (von Luxburg, Stat. Comput. 17 (2007) 395, on why the gap; relative, because for elongated
 * clusters the eigenvalues that follow grow as squares, and their differences do too; 1e-6 as what hangs by a thread is two
 * things).
 *
 * More than HS_SPECTRAL_WHOLE vertices are replaced by HS_SPECTRAL_LANDMARKS of them: a random sample moved by a few steps of
 * k-means, every point in the cluster of its nearest landmark (Yan, Huang, Jordan, KDD 2009, 907). Landmarks have neighbour
 * distances and a sparse graph of their own, so thin and curved clusters stay what they are; Nystrom's extension wants the
 * full kernel between sample and points, whose far entries are what a neighbour graph is there to leave out.
 *
 * Points must be finite. Same bytes for any number of threads.
 *
 * Owner: the caller holds the structs; hs_spectral_release frees what the result holds and accepts a zeroed struct. */
#ifndef HS_CLUSTER_SPECTRAL_H
#define HS_CLUSTER_SPECTRAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HS_SPECTRAL_WHOLE = 5000, HS_SPECTRAL_LANDMARKS = 4000 };

enum hs_spectral_status { HS_SPECTRAL_CONVERGED, HS_SPECTRAL_MAXITER, HS_SPECTRAL_STOPPED };

struct hs_spectral_options {
	size_t k;                     /* clusters; 0: from the eigengap, 2 .. k_max */
	size_t k_max;                 /* >= 2, when k is 0 */
	size_t neighbours;            /* >= 1 */
	size_t restarts;              /* of the k-means at the end, >= 1 */
	uint64_t seed;
	bool (*stop)(void *ctx);      /* asked now and then; true ends without clusters. NULL: never */
	void *stop_ctx;
};

struct hs_spectral {
	size_t n, k;                  /* points; clusters found: fewer than asked when there are fewer different points */
	int32_t *label;               /* n: 0 .. k-1; cluster 0 is the largest (ties: the one with the lowest first point) */
	size_t *size;                 /* k */
	size_t n_eig;                 /* eigenvalues known: max(k, k_max) + 1, or fewer vertices */
	double *eigenvalue;           /* of the normalised Laplacian, ascending, 0 .. 2; NAN where none was needed (n_components >= k) */
	double gap;                   /* relative gap after eigenvalue k; NAN when not known */
	size_t n_vertices;            /* of the graph: different points, or landmarks */
	size_t n_components;          /* of the graph; 0 when none was needed: no more vertices than clusters */
	bool landmarks;               /* vertices stand for points */
	enum hs_spectral_status status; /* STOPPED: all labels are -1; MAXITER: residuals of vectors are above 1e-8 */
};

/* k found, up to 12; 15 neighbours; 10 restarts; seed 0. */
struct hs_spectral_options hs_spectral_defaults(size_t k);

/* x: n x d. Errors: HS_USAGE for options out of range; HS_BAD_DATA as hs_neighbours_new; HS_SYSTEM. One point, or all points
 * equal, is one cluster. */
int hs_spectral(
	const double *x, size_t n, size_t d, const struct hs_spectral_options *opt, struct hs_spectral *out, struct hs_err *err);
void hs_spectral_release(struct hs_spectral *result);

/* Bytes hs_spectral holds at its peak, its result included, the points not. k: the largest that may be tried. */
size_t hs_spectral_bytes(size_t n, size_t d, size_t k, size_t neighbours, int threads);

#endif
