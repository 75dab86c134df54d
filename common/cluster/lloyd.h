/* lloyd - passes of k-means over all rows, shared by many starts; internal to cluster.
 *
 * A pass multiplies each block with the stacked centres of all starts that still run. Only rows that change their cluster
 * touch the sums, so passes become cheap as soon as labels settle. Each start ends by itself.
 *
 * Owner: new/free own the starts and what they hold. Same bytes for any number of threads. */
#ifndef HS_CLUSTER_LLOYD_H
#define HS_CLUSTER_LLOYD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/kmeans.h"
#include "cluster/view.h"

struct hs_start {
	size_t number, k;
	double *centre, *sum;         /* k x p, working coordinates */
	int64_t *count;
	uint8_t *absent;              /* k: no place yet (fewer distinct seeds than clusters) */
	int32_t *label;               /* of the rows of the view it was last run on, and */
	float *margin;                /* how much nearer, at least, each is to its centre than to any other; may be negative */
	double *moved;                /* k: how far each centre went after the last pass */
	double within;                /* inertia in working coordinates */
	double *trace;                /* n_iter values, room for the next power of two */
	size_t n_iter;
	enum hs_kmeans_status status;
	bool ended, hopeless;         /* hopeless: an empty cluster found no row away from all centres */
};

/* n starts numbered from 0, no centre in its place. */
struct hs_start *hs_starts_new(size_t n, size_t k, size_t p, struct hs_err *err);
void hs_start_release(struct hs_start *start);
void hs_starts_free(struct hs_start *starts, size_t n);

/* Gives centre c a place; returns where its p coordinates go. */
double *hs_start_place(struct hs_start *start, size_t c, size_t p);

/* Runs all starts from their centres to their ends, as many at a time as keeps the stacked centres small. opt: max_iter, tol,
 * stop; task names the passes for the progress display. */
int hs_lloyd(const struct hs_view *view, struct hs_start *starts, size_t n_starts, const struct hs_kmeans_options *opt,
	const char *task, struct hs_err *err);

/* Bytes of a start without its labels, with a trace of up to HS_TRACE_MOST passes; and what hs_lloyd adds at its peak to
 * those of n_starts starts, their labels with it. At most. */
#define HS_TRACE_MOST 4096
double hs_start_bytes(size_t p, size_t k);
double hs_lloyd_bytes(double n_rows, size_t p, size_t k, size_t n_starts, int threads);

#endif
