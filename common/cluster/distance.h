/* distance - rows against many centres at once: float32 products with a bound on their error, float64 where the bound does
 * not decide; internal to cluster.
 *
 * |z - c|^2 - |z|^2 = |c|^2 - 2 z.c is bounded from above and below for each row and centre. Where one upper bound is below
 * all other lower bounds the nearest centre is beyond doubt; else the rivals are measured. So the answer is that of float64,
 * ties to the lowest number, whatever the BLAS.
 *
 * Owner: new/free. Threads: each works in its own scratch; centres are read by all once set. */
#ifndef HS_CLUSTER_DISTANCE_H
#define HS_CLUSTER_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

#include "cluster/view.h"

/* What a thread works in: a chunk of at most n_rows rows, small enough for the cache, and its products. */
struct hs_scratch {
	size_t n_rows;
	float *y, *len, *dot, *bound, *second;
	uint8_t *leave;               /* for hs_view_pack */
	size_t *index;
	int32_t *nearest, *rivals;
	double *z;
};

/* One for each of hs_par_threads(). */
struct hs_scratch *hs_scratch_new(size_t p, size_t n_centres, struct hs_err *err);
void hs_scratch_free(struct hs_scratch *list);
double hs_scratch_bytes(size_t p, size_t n_centres, int threads);

/* dot (n_centres x n) = centres (n_centres x p) times y (n x p) transposed; rows innermost, for the loops that follow. */
void hs_products(const float *centre, size_t n_centres, const float *y, size_t n, size_t p, float *dot);

/* Centres with their bounds. */
struct hs_centres {
	size_t p;
	float *centre;                /* n x p */
	float *upper, *lower, *reach; /* n: |c|^2 from both sides; twice the relative error of z.c times |c| */
	const double **exact;         /* n: the centre in float64, borrowed; NULL for one that has no place yet */
};

int hs_centres_init(struct hs_centres *centres, size_t n, size_t p, struct hs_err *err);
void hs_centres_release(struct hs_centres *centres);
double hs_centres_bytes(size_t p, size_t n);

/* Centre number `at`; NULL puts it infinitely far. */
void hs_centres_set(struct hs_centres *centres, size_t at, const double *exact);

/* For the n rows in scratch, of which s->dot holds the products with all centres: the nearest of centres first .. first+k-1
 * in s->nearest (less first), an upper bound of |z - c|^2 - |z|^2 in s->bound, a lower one for all other centres in s->second,
 * and in s->rivals how many centres cannot be told from the nearest: where that is not 1, hs_nearest_exact must say. */
void hs_nearest_bounded(const struct hs_centres *centres, size_t first, size_t k, struct hs_scratch *s, size_t n);

/* Row i of the chunk, z in float64: the nearest, by measuring all rivals. */
int32_t hs_nearest_exact(const struct hs_centres *centres, size_t first, size_t k, const struct hs_scratch *s, size_t n, size_t i,
	const double *z);

#endif
