#include "cluster/parts.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

void hs_parts_init(uint32_t *parent, size_t n)
{
	for (size_t i = 0; i < n; i++)
		parent[i] = (uint32_t)i;
}

/* Halving the path: a parent is only ever replaced by an ancestor, so a lost race costs a step, never an error. */
uint32_t hs_parts_root(uint32_t *parent, uint32_t i)
{
	for (;;) {
		uint32_t up = __atomic_load_n(parent + i, __ATOMIC_RELAXED);
		if (up == i)
			return i;
		const uint32_t above = __atomic_load_n(parent + up, __ATOMIC_RELAXED);
		if (above == up)
			return up;
		__atomic_compare_exchange_n(parent + i, &up, above, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		i = above;
	}
}

int hs_parts_join(uint32_t *parent, uint32_t a, uint32_t b)
{
	for (;;) {
		a = hs_parts_root(parent, a);
		b = hs_parts_root(parent, b);
		if (a == b)
			return 0;
		uint32_t low = a < b ? a : b, high = a < b ? b : a;
		/* high is still a root when this succeeds, and the root of a set is its lowest member */
		if (__atomic_compare_exchange_n(parent + high, &(uint32_t){ high }, low, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return 1;
	}
}

struct rank {
	size_t size, first, name;
};

static int by_size(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	return x->size != y->size ? (x->size < y->size) - (x->size > y->size) : (x->first > y->first) - (x->first < y->first);
}

int hs_parts_settle(int32_t *label, size_t n, size_t n_names, size_t *k, size_t **size, int32_t *name, struct hs_err *err)
{
	struct rank *rank = hs_alloc(n_names, sizeof *rank, err);
	int32_t *renamed = rank ? hs_alloc(n_names, sizeof *renamed, err) : NULL;
	*k = 0;
	*size = NULL;
	if (!renamed) {
		free(rank);
		return -1;
	}
	for (size_t c = 0; c < n_names; c++)
		rank[c].name = c;
	for (size_t i = n; i-- > 0;)
		if (label[i] >= 0) {
			rank[label[i]].size++;
			rank[label[i]].first = i;
		}
	if (n_names)
		qsort(rank, n_names, sizeof *rank, by_size);
	while (*k < n_names && rank[*k].size)
		++*k;
	if (!(*size = hs_alloc(*k, sizeof **size, err))) {
		*k = 0;
		free(rank);
		free(renamed);
		return -1;
	}
	for (size_t c = 0; c < n_names; c++) {
		if (c < *k)
			(*size)[c] = rank[c].size;
		renamed[rank[c].name] = c < *k ? (int32_t)c : -1;
	}
	for (size_t i = 0; i < n; i++)
		if (label[i] >= 0)
			label[i] = renamed[label[i]];
	for (size_t c = 0; c < n_names && name; c++)
		name[c] = renamed[c];
	free(rank);
	free(renamed);
	return 0;
}
