#include "cluster/clusters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/par.h"
#include "math/vector.h"

struct moments {
	const int32_t *label;
	size_t k, p;
	bool unit;
	double *row;                  /* p a thread */
	struct hs_tree *tree;
};

/* A partial is k counts, then k x p means, then k x p sums of squared deviations; counts are exact in a double. */
static void merge_moments(void *left, const void *right, const void *ctx)
{
	const struct moments *m = ctx;
	const size_t k = m->k, p = m->p;
	double *na = left, *mean_a = na + k, *m2_a = mean_a + k * p;
	const double *nb = right, *mean_b = nb + k, *m2_b = mean_b + k * p;
	for (size_t c = 0; c < k; c++) {
		if (nb[c] == 0)
			continue;
		const double n = na[c] + nb[c], share = nb[c] / n, weight = na[c] * share;
		for (size_t j = c * p; j < (c + 1) * p; j++) {
			const double d = mean_b[j] - mean_a[j];
			mean_a[j] += d * share;
			m2_a[j] += m2_b[j] + d * d * weight;
		}
		na[c] = n;
	}
}

HS_WIDE static void add_deviations(double *m2, const double *x, const double *mean, size_t n)
{
	for (size_t j = 0; j < n; j++)
		m2[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
}

/* Row i in x; false when it does not count. */
static bool member(const struct moments *m, const struct hs_block *block, size_t i, double *x)
{
	return !block->skip[i] && m->label[block->first_row + i] >= 0 && hs_block_row(block, i, m->unit, x) > 0;
}

/* Twice over the block, which is in the cache the second time: means first, then deviations from them. */
static int moments_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct moments *m = ctx;
	const size_t k = m->k, p = m->p;
	const int32_t *label = m->label + block->first_row;
	for (size_t i = 0; i < block->n_rows; i++)
		if (label[i] >= 0 && (size_t)label[i] >= k)
			return hs_fail(err, HS_BUG, "row %zu has label %d of %zu clusters", block->first_row + i, label[i], k);
	double *count = hs_tree_borrow(m->tree, err), *x = m->row + (size_t)thread * p;
	if (!count)
		return -1;
	double *mean = count + k, *m2 = mean + k * p;
	for (size_t i = 0; i < block->n_rows; i++) {
		if (!member(m, block, i, x))
			continue;
		count[label[i]]++;
		hs_add(mean + (size_t)label[i] * p, x, p);
	}
	for (size_t c = 0; c < k; c++)
		for (size_t j = 0; count[c] > 0 && j < p; j++)
			mean[c * p + j] /= count[c];
	for (size_t i = 0; i < block->n_rows; i++)
		if (member(m, block, i, x))
			add_deviations(m2 + (size_t)label[i] * p, x, mean + (size_t)label[i] * p, p);
	hs_tree_put(m->tree, block->index, count);
	return 0;
}

int hs_cluster_moments(struct hs_rowsource *rows, const int32_t *label, size_t k, bool unit, double *mean, double *m2,
	size_t *size, struct hs_err *err)
{
	struct moments m = { .label = label, .k = k, .p = rows->n_chan, .unit = unit };
	size_t kp, bytes;
	if (!hs_mul(k, m.p, &kp) || !hs_mul(kp, 2 * sizeof(double), &bytes) || bytes > SIZE_MAX / 2)
		return hs_fail(err, HS_SYSTEM, "%zu clusters of %zu channels are more than memory can hold", k, m.p);
	m.row = hs_alloc((size_t)hs_par_threads() * m.p, sizeof(double), err);
	m.tree = m.row ? hs_tree_new(bytes + k * sizeof(double), merge_moments, &m, err) : NULL;
	const double *root = NULL;
	if (m.tree && hs_rows_each(rows, "cluster means", moments_block, &m, err) == 0 && (root = hs_tree_root(m.tree, err))) {
		for (size_t c = 0; c < k; c++)
			size[c] = (size_t)root[c];
		memcpy(mean, root + k, kp * sizeof(double));
		memcpy(m2, root + k + kp, kp * sizeof(double));
	}
	hs_tree_free(m.tree);
	free(m.row);
	return root ? 0 : -1;
}

double hs_cluster_bytes(double n_rows, size_t n_chan, size_t k, int threads)
{
	const double p = (double)n_chan, clusters = (double)k;
	return 8 * (hs_partials_alive(n_rows, n_chan, threads) * (2 * clusters * p + clusters) + threads * p);
}

int hs_cluster_means(struct hs_rowsource *rows, const int32_t *label, size_t k, double *mean, double *spread, size_t *size,
	struct hs_err *err)
{
	if (hs_cluster_moments(rows, label, k, false, mean, spread, size, err) < 0)
		return -1;
	for (size_t c = 0; c < k; c++)
		for (size_t j = c * rows->n_chan; j < (c + 1) * rows->n_chan; j++)
			spread[j] = size[c] ? sqrt(spread[j] / (double)size[c]) : 0;
	return 0;
}

struct nearest {
	const double *centroid;
	size_t k;
	bool unit;
	int32_t *label;
	double *row;                  /* n_chan a thread */
};

static int nearest_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	const struct nearest *g = ctx;
	const size_t p = block->n_chan;
	double *x = g->row + (size_t)thread * p;
	for (size_t i = 0; i < block->n_rows; i++) {
		int32_t *label = g->label + block->first_row + i;
		double best = INFINITY;
		*label = -1;
		if (block->skip[i] || hs_block_row(block, i, g->unit, x) == 0)
			continue;
		for (size_t c = 0; c < g->k; c++) {
			const double d = hs_distance2(x, g->centroid + c * p, p);
			if (d < best) {
				best = d;
				*label = (int32_t)c;
			}
		}
	}
	return 0;
}

int hs_nearest_centroid(
	struct hs_rowsource *rows, const double *centroid, size_t k, bool unit, int32_t *label, struct hs_err *err)
{
	struct nearest g = { centroid, k, unit, label, hs_alloc((size_t)hs_par_threads() * rows->n_chan, sizeof(double), err) };
	const int verdict = g.row ? hs_rows_each(rows, NULL, nearest_block, &g, err) : -1;
	free(g.row);
	return verdict;
}

/* ---- order, and a partition as a whole ---- */

struct rank {
	size_t size, first, label;
};

static int by_size(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	if (x->size != y->size)
		return (x->size < y->size) - (x->size > y->size);
	return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : (x->label > y->label) - (x->label < y->label);
}

size_t hs_order_clusters(const int32_t *label, size_t n_rows, size_t k, size_t *from, struct hs_err *err)
{
	struct rank *rank = hs_alloc(k, sizeof *rank, err);
	size_t occupied = 0;
	if (!rank)
		return 0;
	for (size_t c = 0; c < k; c++)
		rank[c] = (struct rank){ 0, n_rows, c };
	for (size_t i = n_rows; i-- > 0;) {
		if (label[i] < 0)
			continue;
		if ((size_t)label[i] >= k) {
			hs_fail(err, HS_BUG, "row %zu has label %d of %zu clusters", i, label[i], k);
			free(rank);
			return 0;
		}
		rank[label[i]].size++;
		rank[label[i]].first = i;
	}
	if (k)
		qsort(rank, k, sizeof *rank, by_size);
	for (size_t c = 0; c < k; c++) {
		from[c] = rank[c].label;
		occupied += rank[c].size > 0;
	}
	free(rank);
	return occupied;
}

/* Labels take the numbers of their places. */
static int renumber(struct hs_partition *part, struct hs_err *err)
{
	int32_t *place = hs_alloc(part->n_given, sizeof *place, err);
	if (!place)
		return -1;
	for (size_t c = 0; c < part->n_given; c++)
		place[part->from[c]] = (int32_t)c;
	for (size_t i = 0; i < part->n_rows; i++) {
		part->label[i] = part->label[i] < 0 ? -1 : place[part->label[i]];
		part->n_used += part->label[i] >= 0;
	}
	free(place);
	return 0;
}

int hs_partition_init(struct hs_partition *part, struct hs_rowsource *rows, int32_t *label, size_t k, struct hs_err *err)
{
	*part = (struct hs_partition){ .n_rows = rows->n_rows, .n_chan = rows->n_chan, .label = label, .n_given = k };
	part->from = hs_alloc(k, sizeof *part->from, err);
	if (part->from)
		part->k = hs_order_clusters(label, rows->n_rows, k, part->from, err);
	size_t cells;
	if (!hs_failed(err) && !hs_mul(part->k, rows->n_chan, &cells))
		hs_fail(err, HS_SYSTEM, "%zu clusters of %zu channels are more than memory can hold", part->k, rows->n_chan);
	if (hs_failed(err) || renumber(part, err) < 0 || !(part->mean = hs_alloc(cells, sizeof *part->mean, err)) ||
		!(part->spread = hs_alloc(cells, sizeof *part->spread, err)) ||
		!(part->size = hs_alloc(part->k, sizeof *part->size, err)) ||
		(part->k && hs_cluster_means(rows, label, part->k, part->mean, part->spread, part->size, err) < 0)) {
		hs_partition_release(part);
		return -1;
	}
	return 0;
}

void hs_partition_release(struct hs_partition *part)
{
	free(part->label);
	free(part->from);
	free(part->mean);
	free(part->spread);
	free(part->size);
	*part = (struct hs_partition){ 0 };
}

double hs_partition_bytes(double n_rows, size_t n_chan, size_t k, int threads)
{
	return 4 * n_rows + (double)k * (16 * (double)n_chan + 48) + hs_cluster_bytes(n_rows, n_chan, k, threads);
}
