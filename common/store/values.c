#include "store/values.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void shape(struct hs_values *v, enum hs_values_kind kind, enum hs_dtype dtype, size_t rank, const size_t *n,
	size_t sig_rank)
{
	*v = (struct hs_values){ .kind = kind, .dtype = dtype, .rank = rank, .sig_rank = sig_rank, .fd = -1 };
	for (size_t i = 0; i < rank; i++) {
		v->n[i] = n[i];
		v->disk_dim[i] = i;
	}
	int64_t stride = (int64_t)hs_dtype_size(dtype);
	for (size_t i = rank; i-- > 0; stride *= (int64_t)n[i])
		v->stride[i] = stride;
}

void hs_values_raw(struct hs_values *v, int fd, uint64_t offset, uint64_t end, enum hs_dtype dtype, bool big_endian, size_t rank,
	const size_t *n, size_t sig_rank)
{
	shape(v, HS_VALUES_RAW, dtype, rank, n, sig_rank);
	v->fd = fd;
	v->offset = offset;
	v->end = end;
	v->big_endian = big_endian;
}

void hs_values_h5(struct hs_values *v, struct hs_h5 *file, const char *path, enum hs_dtype dtype, size_t rank, const size_t *n,
	size_t sig_rank)
{
	shape(v, HS_VALUES_H5, dtype, rank, n, sig_rank);
	v->file = file;
	v->path = hs_must_dup(path);
}

void hs_values_memory(struct hs_values *v, void *memory, enum hs_dtype dtype, size_t rank, const size_t *n, size_t sig_rank)
{
	shape(v, HS_VALUES_MEMORY, dtype, rank, n, sig_rank);
	v->memory = memory;
}

void hs_values_permute(struct hs_values *v, const size_t *order, size_t sig_rank)
{
	const struct hs_values old = *v;
	for (size_t i = 0; i < v->rank; i++) {
		v->n[i] = old.n[order[i]];
		v->flip[i] = old.flip[order[i]];
		v->stride[i] = old.stride[order[i]];
		v->disk_dim[i] = old.disk_dim[order[i]];
	}
	v->sig_rank = sig_rank;
}

static size_t count(const struct hs_values *v, size_t from, size_t to)
{
	size_t n = 1;
	for (size_t i = from; i < to; i++)
		n *= v->n[i];
	return n;
}

size_t hs_values_n_rows(const struct hs_values *v)
{
	return count(v, 0, v->rank - v->sig_rank);
}

size_t hs_values_n_chan(const struct hs_values *v)
{
	return count(v, v->rank - v->sig_rank, v->rank);
}

void hs_values_release(struct hs_values *v)
{
	free(v->path);
	free(v->field);
	free(v->memory);
	*v = (struct hs_values){ .fd = -1 };
}
