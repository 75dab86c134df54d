/* grouping - one way to ask for clusters of rows, whatever method finds them.
 *
 * What each method works on, and who says how many clusters there are:
 *	KMEANS     all channels, passes over the source      k; silhouette among stable numbers
 *	MINIBATCH  the same                                  k; the same
 *	GMM        coordinates                               k; BIC
 *	WARD       coordinates                               k; silhouette among stable numbers
 *	SPECTRAL   coordinates                               k; largest eigengap
 *	DBSCAN     coordinates                               the density eps, min_points
 *	HDBSCAN    coordinates                               min_size
 * Coordinates (coordinates.h) are the channels themselves when they are few, else scores on principal components.
 *
 * More than HS_WARD_WHOLE rows are merged by k-means into HS_WARD_LEAVES small clusters first, which are the leaves of the
 * tree; connected: all rows are leaves, however many.
 *
 * Owner: the caller; hs_grouping_release accepts a zeroed struct. Same bytes for any number of threads. */
#ifndef HS_CLUSTER_GROUPING_H
#define HS_CLUSTER_GROUPING_H

#include "cluster/choose.h"
#include "cluster/coordinates.h"
#include "cluster/gmm.h"
#include "cluster/validity.h"
#include "cluster/ward.h"

enum hs_method { HS_BY_KMEANS, HS_BY_GMM, HS_BY_WARD, HS_BY_DBSCAN, HS_BY_HDBSCAN, HS_BY_SPECTRAL, HS_BY_MINIBATCH };
#define HS_METHODS "kmeans|gmm|ward|dbscan|hdbscan|spectral|minibatch"

enum { HS_WARD_WHOLE = 20000, HS_WARD_LEAVES = 2000 };

struct hs_grouping_options {
	enum hs_method method;
	size_t k, k_max;              /* k 0: to be found, up to k_max */
	size_t restarts, max_iter;
	double tol;
	bool angle;                   /* rows are divided by their norm first */
	size_t coordinates;           /* at most so many, >= 1 */
	enum hs_covariance covariance;
	bool connected;               /* WARD: only neighbours on the maps merge */
	size_t n_maps, n_y, n_x;      /* how the rows lie; wanted when connected */
	double eps;                   /* DBSCAN; NAN: from the data */
	size_t min_points, min_size;  /* DBSCAN, HDBSCAN; 0: their defaults */
	uint64_t seed;
	bool (*stop)(void *ctx);
	void *stop_ctx;
};

struct hs_grouping {
	size_t n_rows, n_used, k;
	int32_t *label;               /* n_rows: 0 .. k-1 in the method's own order, -1 for none; owned until taken */
	enum hs_kmeans_status status;
	size_t n_iter;                /* 0: the method does not iterate */
	struct hs_coordinates z;      /* with x NULL for KMEANS and MINIBATCH */
	struct hs_k_table table;      /* when k was tried out: n > 0 */

	double inertia, total;        /* KMEANS; else NAN */
	size_t n_optima;
	struct hs_gmm gmm;            /* GMM, of coordinates: rows are z's */
	struct hs_dendrogram tree;    /* WARD */
	int32_t *leaf;                /* WARD: n_rows, the leaf each row is, -1 for none */
	double eps;                   /* DBSCAN; else NAN */
	size_t n_core;                /* DBSCAN */
	size_t min_points, min_size;  /* DBSCAN, HDBSCAN: as they were */
	float *strength, *outlier;    /* HDBSCAN: n_rows, NAN for rows not used */
	double *eigenvalue;           /* SPECTRAL: n_eig */
	size_t n_eig;
};

/* No usable row is a result with n_used = 0. Errors are those of the methods. */
int hs_group(struct hs_rowsource *rows, const struct hs_grouping_options *opt, struct hs_grouping *out, struct hs_err *err);
void hs_grouping_release(struct hs_grouping *grouping);

/* Silhouette and dispersion of labels (n_rows values below k) where the method worked: among coordinates, or of the rows. */
int hs_grouping_judge(const struct hs_grouping *grouping, struct hs_rowsource *rows, const int32_t *label, size_t k,
	const struct hs_grouping_options *opt, double *silhouette, struct hs_dispersion *dispersion, struct hs_err *err);

/* The memberships of all rows (GMM), in the order of the components given by from (k numbers); skipped rows NaN. */
int hs_grouping_memberships(const struct hs_grouping *grouping, const size_t *from, hs_rows_put put, void *ctx,
	struct hs_err *err);

/* Bytes hs_group holds at its peak, at most. */
double hs_grouping_bytes(const struct hs_grouping_options *opt, size_t n_rows, size_t n_chan, int threads);

#endif
