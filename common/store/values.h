/* values - where the numbers of one signal lie: in a raw stretch of a file, in an HDF5 dataset, or in memory.
 *
 * The description is logical: dimension i has n[i] entries, the last sig_rank dimensions are the channels of a pixel, the
 * ones before are pixels in C order. How that maps on the store is said by strides (RAW) or by a permutation (H5); rows.h
 * turns any of it into blocks of pixels x channels. Dimensions here may be fewer than a signal's when they fuse (a USID
 * table of positions x channels): only the two products, pixels and channels, must agree.
 *
 * Owner: the struct owns path, field and memory; fd and file are borrowed and must outlive it. */
#ifndef HS_STORE_VALUES_H
#define HS_STORE_VALUES_H

#include <stdint.h>

#include "data/signal.h"
#include "store/h5tree.h"

enum hs_values_kind { HS_VALUES_NONE, HS_VALUES_RAW, HS_VALUES_H5, HS_VALUES_MEMORY };

struct hs_values {
	enum hs_values_kind kind;
	enum hs_dtype dtype;              /* after reading: native order */
	size_t rank, sig_rank, n[HS_MAX_RANK];
	bool flip[HS_MAX_RANK];           /* this dimension is stored back to front */

	int fd;                           /* RAW */
	uint64_t offset;                  /* of element (0, 0, ...) in the file, before flips */
	int64_t stride[HS_MAX_RANK];      /* in bytes, for logical dimension i */
	/* bytes of the file that hold data; what lies beyond was never measured: NaN (0 for integers) */
	uint64_t end;
	bool big_endian, half;            /* half: stored as IEEE binary16, dtype is HS_F32 */

	struct hs_h5 *file;               /* H5 */
	char *path, *field;               /* field: member of a compound type, or NULL */
	size_t disk_dim[HS_MAX_RANK];     /* logical dimension i is dimension disk_dim[i] of the dataset */
	/* When n[] is not the dataset's shape: its elements in C order, regrouped as n[]; disk_dim is the identity, flips count
	 * in n[]. */




	void *memory;                     /* MEMORY: C order, native */
};

/* RAW, C order without gaps from offset on. */
void hs_values_raw(struct hs_values *v, int fd, uint64_t offset, uint64_t end, enum hs_dtype dtype, bool big_endian, size_t rank,
	const size_t *n, size_t sig_rank);

/* H5, dataset dimensions in logical order; rank and n are the dataset's own. */
void hs_values_h5(struct hs_values *v, struct hs_h5 *file, const char *path, enum hs_dtype dtype, size_t rank, const size_t *n,
	size_t sig_rank);

/* MEMORY; takes the array. */
void hs_values_memory(struct hs_values *v, void *memory, enum hs_dtype dtype, size_t rank, const size_t *n, size_t sig_rank);

/* Reorders the logical dimensions: new dimension i is what was order[i]; sig_rank as told. */
void hs_values_permute(struct hs_values *v, const size_t *order, size_t sig_rank);

size_t hs_values_n_rows(const struct hs_values *v);
size_t hs_values_n_chan(const struct hs_values *v);
void hs_values_release(struct hs_values *v);

#endif
