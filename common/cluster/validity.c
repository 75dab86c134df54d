#include "cluster/validity.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cluster/clusters.h"
#include "math/par.h"

/* ---- a sample ---- */

struct taking {
	const int32_t *label;
	uint8_t *used;
	const size_t *row;
	size_t n;
	double *x;
};

static int look_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)thread;
	(void)err;
	const struct taking *t = ctx;
	for (size_t i = 0; i < block->n_rows; i++)
		t->used[block->first_row + i] = !block->skip[i] && (!t->label || t->label[block->first_row + i] >= 0);
	return 0;
}

static int take_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)thread;
	(void)err;
	const struct taking *t = ctx;
	const size_t p = block->n_chan;
	size_t low = 0, high = t->n;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (t->row[middle] < block->first_row)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->n && t->row[low] < block->first_row + block->n_rows; low++) {
		const size_t i = t->row[low] - block->first_row;
		for (size_t j = 0; j < p; j++)
			t->x[low * p + j] = block->type == HS_ROW_F64 ? ((const double *)block->x)[i * p + j]
								      : (double)((const float *)block->x)[i * p + j];
	}
	return 0;
}

int hs_sample_rows(
	struct hs_rowsource *rows, const int32_t *label, size_t most, uint64_t seed, struct hs_sample *out, struct hs_err *err)
{
	struct taking t = { .label = label, .used = hs_alloc(rows->n_rows, 1, err) };
	size_t n_used = 0, ordinal = 0, next = 0, n_x;
	int verdict = -1;
	*out = (struct hs_sample){ .n_chan = rows->n_chan };
	if (!t.used || hs_rows_each(rows, NULL, look_block, &t, err) < 0)
		goto out;
	for (size_t i = 0; i < rows->n_rows; i++)
		n_used += t.used[i];
	const size_t want = n_used < most ? n_used : most;
	if (!hs_mul(want, rows->n_chan, &n_x)) {
		hs_fail(err, HS_SYSTEM, "%zu rows of %zu channels are more than memory can hold", want, rows->n_chan);
		goto out;
	}
	if (!(out->row = hs_alloc(want, sizeof *out->row, err)) || !(out->x = hs_alloc(n_x, sizeof *out->x, err)))
		goto out;
	/* stretch s of the usable rows is s*n/want .. (s+1)*n/want */
	for (size_t i = 0; i < rows->n_rows && out->n < want; i++) {
		if (!t.used[i])
			continue;
		if (ordinal == 0 || ordinal > next) {
			struct hs_rng rng;
			hs_rng_init(&rng, seed, HS_STREAM_SAMPLE, out->n + 1);
			const size_t low = (size_t)((double)out->n * (double)n_used / (double)want);
			const size_t high =
				out->n + 1 == want ? n_used : (size_t)((double)(out->n + 1) * (double)n_used / (double)want);
			next = want == n_used ? ordinal : low + hs_rng_below(&rng, high - low);
		}
		if (ordinal++ == next)
			out->row[out->n++] = i;
	}
	t.row = out->row;
	t.n = out->n;
	t.x = out->x;
	verdict = hs_rows_each(rows, NULL, take_block, &t, err);
out:
	free(t.used);
	if (verdict < 0)
		hs_sample_release(out);
	return verdict;
}

void hs_sample_release(struct hs_sample *sample)
{
	free(sample->row);
	free(sample->x);
	*sample = (struct hs_sample){ 0 };
}

/* ---- silhouette ---- */

enum { PANEL = 64 };

/* Products of one panel of rows with all; a distance that is small against the vectors has lost digits there and is taken from
 * the difference. Each thread writes its own rows, so the result does not depend on their number. */
static void distance_panel(const double *z, const double *square, size_t n, size_t p, size_t from, double *distance)
{
	const size_t rows = n - from < PANEL ? n - from : PANEL;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)n, (blasint)p, 1, z + from * p, (blasint)p,
		z, (blasint)p, 0, distance + from * n, (blasint)n);
	for (size_t i = from; i < from + rows; i++)
		for (size_t j = 0; j < n; j++) {
			const double size = square[i] + square[j];
			double d2 = size - 2 * distance[i * n + j];
			if (d2 < 1e-4 * size) {
				d2 = 0;
				for (size_t l = 0; l < p; l++)
					d2 += (z[i * p + l] - z[j * p + l]) * (z[i * p + l] - z[j * p + l]);
			}
			distance[i * n + j] = sqrt(d2);
		}
}

/* The product of i with j and of j with i may differ in the last place. */
static void mirror(double *distance, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		distance[i * n + i] = 0;
		for (size_t j = 0; j < i; j++)
			distance[i * n + j] = distance[j * n + i];
	}
}

/* Cosine distance is half the squared distance of unit vectors, which keeps digits where 1 - cos has none. */
static void cosine_from(double *distance, const double *square, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			const double d = distance[i * n + j];
			distance[i * n + j] = i == j ? 0 : square[i] > 0 && square[j] > 0 ? d * d / 2 : 1;
		}
}

int hs_distance_matrix(const double *x, size_t n, size_t p, enum hs_metric metric, double *distance, struct hs_err *err)
{
	const int threads = hs_par_threads();
	size_t n_z;
	if (!hs_mul(n, p, &n_z))
		return hs_fail(err, HS_SYSTEM, "%zu rows of %zu channels are more than memory can hold", n, p);
	double *z = hs_alloc(n_z, sizeof *z, err), *square = z ? hs_alloc(n, sizeof *square, err) : NULL;
	double *norm = square ? hs_alloc(n, sizeof *norm, err) : NULL;
	if (!norm) {
		free(z);
		free(square);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < p; j++)
			norm[i] += x[i * p + j] * x[i * p + j];
		norm[i] = metric == HS_COSINE ? sqrt(norm[i]) : 1;
		for (size_t j = 0; j < p; j++)
			z[i * p + j] = norm[i] > 0 ? x[i * p + j] / norm[i] : 0;
	}
	for (size_t j = 0; j < p; j++) {  /* distances do not change with the origin, the digits lost do */
		double mean = 0;
		for (size_t i = 0; i < n; i++)
			mean += z[i * p + j] / (double)n;
		for (size_t i = 0; i < n; i++)
			z[i * p + j] -= mean;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < p; j++)
			square[i] += z[i * p + j] * z[i * p + j];
#pragma omp parallel for schedule(dynamic) num_threads(threads)
	for (size_t from = 0; from < n; from += PANEL)
		distance_panel(z, square, n, p, from, distance);
	mirror(distance, n);
	if (metric == HS_COSINE)
		cosine_from(distance, norm, n);
	free(z);
	free(square);
	free(norm);
	return 0;
}

int hs_silhouette_from(const double *distance, size_t n, const int32_t *label, size_t k, double *mean, double *per_cluster,
	struct hs_err *err)
{
	size_t *size = hs_alloc(k, sizeof *size, err), occupied = 0, counted = 0;
	double *sum = size ? hs_alloc(k, sizeof *sum, err) : NULL, *of = sum ? hs_alloc(k, sizeof *of, err) : NULL, all = 0;
	int verdict = of ? 0 : -1;
	for (size_t i = 0; i < n && verdict == 0; i++) {
		if (label[i] >= 0 && (size_t)label[i] >= k)
			verdict = hs_fail(err, HS_BUG, "label %d of %zu clusters", label[i], k);
		else if (label[i] >= 0)
			occupied += size[label[i]]++ == 0;
	}
	for (size_t i = 0; i < n && verdict == 0 && occupied > 1; i++) {
		if (label[i] < 0)
			continue;
		const size_t own = (size_t)label[i];
		memset(sum, 0, k * sizeof *sum);
		for (size_t j = 0; j < n; j++)
			if (label[j] >= 0)
				sum[label[j]] += distance[i * n + j];
		double other = INFINITY;
		for (size_t c = 0; c < k; c++)
			if (c != own && size[c])
				other = fmin(other, sum[c] / (double)size[c]);
		const double inside = size[own] > 1 ? sum[own] / (double)(size[own] - 1) : 0, larger = fmax(inside, other);
		const double s = size[own] > 1 && larger > 0 ? (other - inside) / larger : 0;
		of[own] += s;
		all += s;
		counted++;
	}
	if (verdict == 0)
		*mean = counted ? all / (double)counted : NAN;
	for (size_t c = 0; c < k && verdict == 0 && per_cluster; c++)
		per_cluster[c] = counted && size[c] ? of[c] / (double)size[c] : NAN;
	free(size);
	free(sum);
	free(of);
	return verdict;
}

static int distances_of(const struct hs_sample *sample, enum hs_metric metric, double **distance, struct hs_err *err)
{
	size_t cells;
	if (!hs_mul(sample->n, sample->n, &cells))
		return hs_fail(err, HS_SYSTEM, "the distances of %zu rows are more than memory can hold", sample->n);
	*distance = hs_alloc(cells, sizeof **distance, err);
	return *distance ? hs_distance_matrix(sample->x, sample->n, sample->n_chan, metric, *distance, err) : -1;
}

static int sampled_silhouette(const struct hs_sample *sample, const double *distance, const int32_t *label, size_t k,
	double *mean, double *per_cluster, struct hs_err *err)
{
	int32_t *of_sample = hs_alloc(sample->n, sizeof *of_sample, err);
	if (!of_sample)
		return -1;
	for (size_t i = 0; i < sample->n; i++)
		of_sample[i] = label[sample->row[i]];
	const int verdict = hs_silhouette_from(distance, sample->n, of_sample, k, mean, per_cluster, err);
	free(of_sample);
	return verdict;
}

int hs_silhouette(struct hs_rowsource *rows, const int32_t *label, size_t k, enum hs_metric metric, uint64_t seed, double *mean,
	double *per_cluster, struct hs_err *err)
{
	struct hs_sample sample;
	double *distance = NULL;
	if (hs_sample_rows(rows, label, HS_SILHOUETTE_ROWS, seed, &sample, err) < 0)
		return -1;
	int verdict = distances_of(&sample, metric, &distance, err);
	if (verdict == 0)
		verdict = sampled_silhouette(&sample, distance, label, k, mean, per_cluster, err);
	free(distance);
	hs_sample_release(&sample);
	return verdict;
}

/* ---- dispersion ---- */

struct reach {
	const int32_t *label;
	const double *mean;
	size_t k;
	bool unit;
	double *row;                  /* n_chan a thread */
	struct hs_tree *tree;         /* k sums of distances */
};

static void merge_reach(void *left, const void *right, const void *ctx)
{
	const struct reach *r = ctx;
	for (size_t c = 0; c < r->k; c++)
		((double *)left)[c] += ((const double *)right)[c];
}

static int reach_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct reach *r = ctx;
	const size_t p = block->n_chan;
	double *sum = hs_tree_borrow(r->tree, err), *x = r->row + (size_t)thread * p;
	if (!sum)
		return -1;
	for (size_t i = 0; i < block->n_rows; i++) {
		const int32_t c = r->label[block->first_row + i];
		if (block->skip[i] || c < 0)
			continue;
		const double *mean = r->mean + (size_t)c * p;
		double norm = 0, d2 = 0;
		for (size_t j = 0; j < p; j++) {
			x[j] = block->type == HS_ROW_F64 ? ((const double *)block->x)[i * p + j]
							 : (double)((const float *)block->x)[i * p + j];
			norm += x[j] * x[j];
		}
		if (r->unit && norm == 0)
			continue;
		norm = r->unit ? sqrt(norm) : 1;
		for (size_t j = 0; j < p; j++)
			d2 += (x[j] / norm - mean[j]) * (x[j] / norm - mean[j]);
		sum[c] += sqrt(d2);
	}
	hs_tree_put(r->tree, block->index, sum);
	return 0;
}

static double distance(const double *a, const double *b, size_t p)
{
	double sum = 0;
	for (size_t j = 0; j < p; j++)
		sum += (a[j] - b[j]) * (a[j] - b[j]);
	return sqrt(sum);
}

/* Mean over clusters of the worst (s_i + s_j) / d_ij, s the mean distance of the members to the centroid. */
static double davies_bouldin(const double *mean, const double *sum, const size_t *size, size_t k, size_t p, size_t occupied)
{
	double total = 0;
	for (size_t i = 0; i < k; i++) {
		double worst = 0;
		for (size_t j = 0; j < k && size[i]; j++) {
			if (j == i || !size[j])
				continue;
			const double reach = sum[i] / (double)size[i] + sum[j] / (double)size[j],
				     apart = distance(mean + i * p, mean + j * p, p);
			worst = fmax(worst, apart > 0 ? reach / apart : reach > 0 ? INFINITY : 0);
		}
		total += worst;
	}
	return occupied > 1 ? total / (double)occupied : NAN;
}

int hs_dispersion(
	struct hs_rowsource *rows, const int32_t *label, size_t k, bool unit, struct hs_dispersion *out, struct hs_err *err)
{
	const size_t p = rows->n_chan;
	double *mean = NULL, *m2 = NULL, *grand = NULL;
	size_t *size = NULL, kp;
	struct reach r = { .label = label, .k = k, .unit = unit };
	int verdict = -1;
	*out = (struct hs_dispersion){ 0 };
	if (!hs_mul(k, p, &kp))
		return hs_fail(err, HS_SYSTEM, "%zu clusters of %zu channels are more than memory can hold", k, p);
	if (!(mean = hs_alloc(kp, sizeof *mean, err)) || !(m2 = hs_alloc(kp, sizeof *m2, err)) ||
		!(grand = hs_alloc(p, sizeof *grand, err)) || !(size = hs_alloc(k, sizeof *size, err)) ||
		hs_cluster_moments(rows, label, k, unit, mean, m2, size, err) < 0)
		goto out;
	for (size_t c = 0; c < k; c++) {
		out->n += size[c];
		out->k += size[c] > 0;
	}
	for (size_t c = 0; c < k; c++)
		for (size_t j = 0; j < p; j++)
			grand[j] += mean[c * p + j] * ((double)size[c] / (double)(out->n ? out->n : 1));
	for (size_t c = 0; c < k; c++) {
		const double apart = distance(mean + c * p, grand, p);
		out->between += (double)size[c] * apart * apart;
		for (size_t j = 0; j < p; j++)
			out->within += m2[c * p + j];
	}
	r.mean = mean;
	r.row = hs_alloc((size_t)hs_par_threads() * p, sizeof *r.row, err);
	r.tree = r.row ? hs_tree_new(k * sizeof(double), merge_reach, &r, err) : NULL;
	if (!r.tree || hs_rows_each(rows, NULL, reach_block, &r, err) < 0)
		goto out;
	const double *sum = hs_tree_root(r.tree, err);
	if (!sum)
		goto out;
	out->davies_bouldin = davies_bouldin(mean, sum, size, k, p, out->k);
	out->calinski_harabasz = out->k < 2 || out->k == out->n ? NAN
		: out->within > 0 ? out->between / (double)(out->k - 1) / (out->within / (double)(out->n - out->k)) : INFINITY;
	verdict = 0;
out:
	hs_tree_free(r.tree);
	free(r.row);
	free(mean);
	free(m2);
	free(grand);
	free(size);
	return verdict;
}
