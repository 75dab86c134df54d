#include "cluster/choose.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cluster/clusters.h"
#include "cluster/gap.h"
#include "math/match.h"
#include "cluster/validity.h"
#include "math/vector.h"

enum { HALVES = 6 };

int hs_stability(const int32_t *label, size_t n_sets, size_t n, double *ari, struct hs_err *err)
{
	double sum = 0;
	for (size_t a = 0; a < n_sets; a++)
		for (size_t b = 0; b < a; b++) {
			double one;
			if (hs_adjusted_rand(label + a * n, label + b * n, n, &one, err) < 0)
				return -1;
			sum += one;
		}
	*ari = n_sets < 2 ? 1 : sum / ((double)n_sets * (double)(n_sets - 1) / 2);
	return 0;
}

/* ---- the judgement of one number ---- */

struct trial {
	struct hs_rowsource *rows;
	const struct hs_k_way *way;
	struct hs_sample sample;
	double *apart;                /* distances between the rows of the sample */
};

/* Skip flags that leave a random half; the same halves for every k. */
static void half(uint8_t *skip, size_t n, uint64_t seed, size_t which)
{
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_PERMUTE, (uint64_t)which << 32 | i);
		skip[i] = hs_rng_uniform(&rng) < 0.5;
	}
}

static int half_labels(const struct trial *t, struct hs_rowsource *all, size_t k, size_t which, uint8_t *skip, int32_t *label,
	struct hs_err *err)
{
	const struct hs_sample *s = &t->sample;
	half(skip, s->n, t->way->seed, which);
	struct hs_rowsource *rows = hs_array_rows_new(s->x, HS_ROW_F64, s->n, s->n_chan, skip, err);
	const int verdict = rows ? t->way->again(t->way->ctx, rows, all, k, label, err) : -1;
	hs_array_rows_free(rows);
	return verdict;
}

static int sample_stability(const struct trial *t, size_t k, double *ari, struct hs_err *err)
{
	const struct hs_sample *s = &t->sample;
	uint8_t *skip = hs_alloc(s->n, 1, err);
	int32_t *label = skip ? hs_alloc(HALVES * s->n, sizeof *label, err) : NULL;
	struct hs_rowsource *all = label ? hs_array_rows_new(s->x, HS_ROW_F64, s->n, s->n_chan, NULL, err) : NULL;
	int verdict = all ? 0 : -1;
	for (size_t h = 0; h < HALVES && verdict == 0; h++)
		verdict = half_labels(t, all, k, h, skip, label + h * s->n, err);
	if (verdict == 0)
		verdict = hs_stability(label, HALVES, s->n, ari, err);
	hs_array_rows_free(all);
	free(skip);
	free(label);
	return verdict;
}

static int silhouette_of(const struct trial *t, const int32_t *label, size_t k, double *mean, struct hs_err *err)
{
	int32_t *of_sample = hs_alloc(t->sample.n, sizeof *of_sample, err);
	if (!of_sample)
		return -1;
	for (size_t i = 0; i < t->sample.n; i++)
		of_sample[i] = label[t->sample.row[i]];
	const int verdict = hs_silhouette_from(t->apart, t->sample.n, of_sample, k, mean, NULL, err);
	free(of_sample);
	return verdict;
}

static int try_k(struct trial *t, size_t k, struct hs_k_row *row, struct hs_err *err)
{
	struct hs_dispersion d;
	const int32_t *label;
	*row = (struct hs_k_row){ .k = k, .inertia = NAN, .gap = NAN, .gap_error = NAN, .bic = NAN };
	if (t->way->make(t->way->ctx, k, &label, row, err) < 0 ||
		hs_dispersion(t->rows, label, row->found, t->way->unit, &d, err) < 0 ||
		silhouette_of(t, label, row->found, &row->silhouette, err) < 0 || sample_stability(t, k, &row->stability, err) < 0)
		return -1;
	if (isnan(row->inertia))
		row->inertia = d.within;
	row->calinski_harabasz = d.calinski_harabasz;
	row->davies_bouldin = d.davies_bouldin;
	return 0;
}

/* Is a better than b? Its number of clusters must exist, then it must be stable, then the silhouette speaks. */
static bool better(const struct hs_k_row *a, const struct hs_k_row *b, bool by_bic)
{
	const bool a_found = a->found == a->k, b_found = b->found == b->k;
	const bool a_stable = a->stability > HS_STABLE_ARI, b_stable = b->stability > HS_STABLE_ARI;
	if (a_found != b_found)
		return a_found;
	if (by_bic)
		return a->bic < b->bic;
	if (a_stable != b_stable)
		return a_stable;
	return a->silhouette > b->silhouette || (isnan(b->silhouette) && !isnan(a->silhouette));
}

/* ---- the gap statistic of the sample, into the table ---- */

static void make_unit(struct hs_sample *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const double norm = sqrt(hs_dot(s->x + i * s->n_chan, s->x + i * s->n_chan, s->n_chan));
		for (size_t j = 0; j < s->n_chan && norm > 0; j++)
			s->x[i * s->n_chan + j] /= norm;
	}
}

static int add_gap(struct trial *t, size_t k_max, struct hs_k_table *out, struct hs_err *err)
{
	struct hs_gap_options o = hs_gap_defaults(k_max);
	struct hs_gap gap;
	o.seed = t->way->seed;
	o.stop = t->way->stop;
	o.stop_ctx = t->way->stop_ctx;
	if (t->way->unit)
		make_unit(&t->sample);
	if (hs_gap(t->sample.x, t->sample.n, t->sample.n_chan, &o, &gap, err) < 0)
		return -1;
	for (size_t i = 0; i < out->n; i++) {
		const size_t k = out->row[i].k;
		if (k > gap.n)
			continue;
		out->row[i].gap = gap.gap[k - 1];
		out->row[i].gap_error = gap.error[k - 1];
	}
	out->gap_k = gap.chosen;
	hs_gap_release(&gap);
	return 0;
}

/* ---- all numbers ---- */

static bool stop_now(const struct hs_k_way *way)
{
	return way->stop && way->stop(way->stop_ctx);
}

static int try_all(struct trial *t, size_t k_min, size_t k_max, struct hs_k_table *out, struct hs_err *err)
{
	const struct hs_k_way *way = t->way;
	for (size_t k = k_min; k <= k_max && !out->stopped; k++) {
		if (out->n && stop_now(way)) {
			out->stopped = true;
			break;
		}
		if (try_k(t, k, out->row + out->n, err) < 0)
			return -1;
		if (!out->n || better(out->row + out->n, out->row + out->best, way->by_bic)) {
			out->best = out->n;
			way->keep(way->ctx);
		}
		out->stopped = out->row[out->n++].status == HS_KMEANS_STOPPED;
	}
	out->unstable = !way->by_bic && !(out->row[out->best].stability > HS_STABLE_ARI);
	return 0;
}

int hs_choose(struct hs_rowsource *rows, size_t k_min, size_t k_max, const struct hs_k_way *way, struct hs_k_table *out,
	struct hs_err *err)
{
	struct trial t = { .rows = rows, .way = way };
	size_t cells;
	*out = (struct hs_k_table){ 0 };
	if (k_min < (way->by_bic ? 1 : 2) || k_max < k_min)
		return hs_fail(err, HS_USAGE, "cannot choose among %zu to %zu clusters: from %d on, and upwards", k_min, k_max,
			way->by_bic ? 1 : 2);
	int verdict = -1;
	if ((out->row = hs_alloc(k_max - k_min + 1, sizeof *out->row, err)) &&
		hs_sample_rows(rows, NULL, HS_SILHOUETTE_ROWS, way->seed, &t.sample, err) == 0 &&
		(hs_mul(t.sample.n, t.sample.n, &cells) && (t.apart = hs_alloc(cells, sizeof *t.apart, err))) &&
		hs_distance_matrix(t.sample.x, t.sample.n, t.sample.n_chan, way->unit ? HS_COSINE : HS_EUCLIDEAN, t.apart, err) == 0)
		verdict = try_all(&t, k_min, k_max, out, err);
	free(t.apart);
	if (verdict == 0 && !out->stopped && t.sample.n)
		verdict = add_gap(&t, k_max, out, err);
	hs_sample_release(&t.sample);
	if (verdict < 0)
		hs_k_table_release(out);
	return verdict;
}

int hs_label_by_means(struct hs_rowsource *half, const int32_t *of_half, struct hs_rowsource *all, size_t k, bool unit,
	int32_t *label, struct hs_err *err)
{
	const size_t p = half->n_chan;
	double *mean = hs_alloc(k * p, sizeof *mean, err), *m2 = mean ? hs_alloc(k * p, sizeof *m2, err) : NULL;
	size_t *size = m2 ? hs_alloc(k, sizeof *size, err) : NULL, kept = 0;
	int verdict = size ? hs_cluster_moments(half, of_half, k, unit, mean, m2, size, err) : -1;
	for (size_t c = 0; verdict == 0 && c < k; c++) {
		if (!size[c])         /* an empty one attracts nobody */
			continue;
		for (size_t j = 0; j < p; j++)
			mean[kept * p + j] = mean[c * p + j];
		kept++;
	}
	if (verdict == 0)
		verdict = hs_nearest_centroid(all, mean, kept, unit, label, err);
	free(mean);
	free(m2);
	free(size);
	return verdict;
}

void hs_k_table_release(struct hs_k_table *table)
{
	free(table->row);
	hs_kmeans_release(&table->result);
	*table = (struct hs_k_table){ 0 };
}

double hs_choose_bytes(double n_rows, size_t n_chan, size_t k_max, int threads)
{
	const double n = n_rows < HS_SILHOUETTE_ROWS ? n_rows : HS_SILHOUETTE_ROWS, p = (double)n_chan;
	const double sample = n * (8 * p + 8), distances = 8 * n * n + sample, halves = n * (HALVES * 4 + 3);
	const double judging = 16 * (double)k_max * p + hs_cluster_bytes(n_rows, n_chan, k_max, threads);
	const double gap = n * 8 * (3 * HS_GAP_AXES + 1) + (double)hs_kmeans_bytes((size_t)n, HS_GAP_AXES, k_max, 3, threads);
	const double first = sample + n_rows, later = 8 * n * n + halves + judging, most = later > gap ? later : gap;
	return sample + (double)k_max * sizeof(struct hs_k_row) + (first > distances ? first : distances) + most;
}

/* ---- with k-means ---- */

struct kmeans_way {
	struct hs_rowsource *rows;
	const struct hs_kmeans_options *opt;
	struct hs_kmeans last, best;
};

static int kmeans_make(void *ctx, size_t k, const int32_t **label, struct hs_k_row *row, struct hs_err *err)
{
	struct kmeans_way *w = ctx;
	struct hs_kmeans_options own = *w->opt;
	own.k = k;
	own.start = NULL;             /* there is none that fits every k */
	hs_kmeans_release(&w->last);
	if (hs_kmeans(w->rows, &own, &w->last, err) < 0)
		return -1;
	row->found = w->last.k;
	row->inertia = w->last.inertia;
	row->n_iter = w->last.n_iter;
	row->status = w->last.status;
	*label = w->last.label;
	return 0;
}

/* Labels stay where make left them: hs_choose looks at them no more. */
static void kmeans_keep(void *ctx)
{
	struct kmeans_way *w = ctx;
	hs_kmeans_release(&w->best);
	w->best = w->last;
	w->last = (struct hs_kmeans){ 0 };
}

static int kmeans_again(void *ctx, struct hs_rowsource *rows, struct hs_rowsource *all, size_t k, int32_t *label,
	struct hs_err *err)
{
	const struct kmeans_way *w = ctx;
	struct hs_kmeans_options own = *w->opt;
	struct hs_kmeans r = { 0 };
	own.k = k;
	own.start = NULL;
	int verdict = hs_kmeans(rows, &own, &r, err);
	if (verdict == 0)
		verdict = hs_nearest_centroid(all, r.centroid, r.k, own.spherical, label, err);
	hs_kmeans_release(&r);
	return verdict;
}

int hs_choose_k(struct hs_rowsource *rows, size_t k_min, size_t k_max, const struct hs_kmeans_options *opt,
	struct hs_k_table *out, struct hs_err *err)
{
	struct kmeans_way w = { .rows = rows, .opt = opt };
	const struct hs_k_way way = { .make = kmeans_make, .keep = kmeans_keep, .again = kmeans_again, .ctx = &w,
		.unit = opt->spherical, .seed = opt->seed, .stop = opt->stop, .stop_ctx = opt->stop_ctx };
	const int verdict = hs_choose(rows, k_min, k_max, &way, out, err);
	if (verdict == 0)
		out->result = w.best;
	else
		hs_kmeans_release(&w.best);
	hs_kmeans_release(&w.last);
	return verdict;
}
