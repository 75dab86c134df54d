/* How it works. view.h gives rows their working coordinates, seeding.h draws seeds among those in memory, lloyd.h makes the
 * passes; here is the order of events, and what is said of the result. */
#include "cluster/kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cluster/clusters.h"
#include "cluster/lloyd.h"
#include "cluster/seeding.h"
#include "cluster/validity.h"
#include "math/vector.h"
#include "cluster/view.h"

enum { SAMPLE_ROWS_MIN = 1024, SAMPLE_ROWS_MAX = 16384 };
static const size_t sample_bytes = 32u << 20;

struct hs_kmeans_options hs_kmeans_defaults(size_t k)
{
	return (struct hs_kmeans_options){ .k = k, .restarts = 10, .max_iter = 300, .tol = 1e-8 };
}

void hs_kmeans_release(struct hs_kmeans *result)
{
	free(result->label);
	free(result->centroid);
	free(result->mean);
	free(result->spread);
	free(result->size);
	free(result->trace);
	*result = (struct hs_kmeans){ 0 };
}

/* What lives while it runs. */
struct work {
	struct hs_rowsource *rows;
	const struct hs_kmeans_options *opt;
	struct hs_space space;
	struct hs_view full, sample;
	bool whole;                   /* the sample is all usable rows */
	size_t n_sample, *row;        /* where the rows of the sample are in the source */
	void *x;                      /* they, as they are */
	size_t n_starts, n_left;      /* made, and still of use */
	struct hs_start *starts;
};

static void work_release(struct work *w)
{
	hs_starts_free(w->starts, w->n_starts);
	hs_array_rows_free(w->sample.rows);
	free(w->sample.inv);
	free(w->sample.len);
	free(w->full.inv);
	free(w->full.len);
	free(w->space.shift);
	free(w->space.shift32);
	free(w->row);
	free(w->x);
}

/* ---- the sample ---- */

/* Rows of the sample when n are usable. */
static size_t sample_rows(size_t n, size_t p, size_t k)
{
	size_t fit = sample_bytes / (p * sizeof(float));
	fit = fit < SAMPLE_ROWS_MIN ? SAMPLE_ROWS_MIN : fit > SAMPLE_ROWS_MAX ? SAMPLE_ROWS_MAX : fit;
	if (fit / 8 < k)
		fit = 8 * k;
	return n < fit ? n : fit;
}

/* Ordinals of the sample among the usable rows, turned into row numbers: one from each of n equal stretches. */
static void choose_sample(const uint8_t *used, size_t n_rows, size_t n_used, size_t n, uint64_t seed, size_t *row)
{
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_SAMPLE, 0);
	size_t taken = 0, ordinal = 0, next = 0;
	for (size_t i = 0; i < n_rows && taken < n; i++) {
		if (!used[i])
			continue;
		if (ordinal == 0 || ordinal > next) {
			const size_t low = (size_t)((double)taken * (double)n_used / (double)n);
			const size_t high = taken + 1 == n ? n_used : (size_t)((double)(taken + 1) * (double)n_used / (double)n);
			next = n == n_used ? ordinal : low + hs_rng_below(&rng, high - low);
		}
		if (ordinal++ == next)
			row[taken++] = i;
	}
}

/* First pass: who is usable, where the mean is; and which rows are the sample. */
static int look_over(struct work *w, struct hs_err *err)
{
	const size_t n = w->rows->n_rows, p = w->rows->n_chan;
	uint8_t *used = hs_alloc(n, 1, err);
	int verdict = -1;
	if (used && (w->space.shift = hs_alloc(p, sizeof(double), err)) && (w->space.shift32 = hs_alloc(p, sizeof(float), err)) &&
		(!w->space.unit || (w->full.inv = hs_alloc(n, sizeof(double), err))) &&
		hs_view_survey(&w->full, &w->space, used, err) == 0) {
		w->n_sample = sample_rows(w->full.n_used, p, w->opt->k);
		w->whole = w->n_sample == w->full.n_used;
		w->row = hs_alloc(w->n_sample, sizeof *w->row, err);
		verdict = w->row ? 0 : -1;
	}
	if (verdict == 0)
		choose_sample(used, n, w->full.n_used, w->n_sample, w->opt->seed, w->row);
	free(used);
	return verdict;
}

/* Second pass: the sample comes into memory, and the scale is found. */
static int take_sample(struct work *w, struct hs_err *err)
{
	const size_t m = w->n_sample, p = w->rows->n_chan;
	struct hs_view *full = &w->full, *sample = &w->sample;
	size_t n_x;
	double scatter;
	if (!hs_mul(m, p, &n_x))
		return hs_fail(err, HS_SYSTEM, "rows of %zu channels are more than memory can hold", p);
	if (!(w->x = hs_alloc(n_x, w->rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double), err)) ||
		hs_view_gather(full, w->row, m, w->x, &scatter, err) < 0 || hs_view_scale(full, &w->space, scatter, err) < 0 ||
		!(sample->rows = hs_array_rows_new(w->x, w->rows->type, m, p, NULL, err)) || hs_view_lengths(sample, err) < 0 ||
		(!w->whole && hs_view_lengths(full, err) < 0) ||
		(w->space.unit && !(sample->inv = hs_alloc(m, sizeof(double), err))))
		return -1;
	sample->n_used = m;
	for (size_t i = 0; w->space.unit && i < m; i++)
		sample->inv[i] = full->inv[w->row[i]];
	if (!w->whole)
		return hs_view_gather(sample, NULL, 0, NULL, &sample->scatter, err);
	sample->scatter = full->scatter;
	return 0;
}

/* ---- starts and where they end ---- */

/* Centroids of the user, into working coordinates. */
static void start_from(const struct hs_space *s, const double *given, struct hs_start *start)
{
	for (size_t c = 0; c < start->k; c++) {
		const double *from = given + c * s->p, norm = s->unit ? sqrt(hs_dot(from, from, s->p)) : 1;
		double *z = hs_start_place(start, c, s->p);
		for (size_t j = 0; j < s->p; j++)
			z[j] = ((norm > 0 ? from[j] / norm : 0) - s->shift[j]) * s->scale;
	}
}

static int start_from_seeds(struct work *w, struct hs_err *err)
{
	const size_t k = w->opt->k, p = w->space.p;
	size_t *chosen = hs_alloc(w->n_starts * k, sizeof *chosen, err);
	const int verdict = chosen ? hs_seed_rows(&w->sample, w->x, k, w->n_starts, w->opt->seed, chosen, err) : -1;
	for (size_t r = 0; r < w->n_starts && verdict == 0; r++)
		for (size_t c = 0; c < k; c++)
			if (chosen[r * k + c] != HS_NO_SEED)
				hs_view_memory_row(&w->sample, w->x, chosen[r * k + c], hs_start_place(w->starts + r, c, p));
	free(chosen);
	return verdict;
}

static int by_within(const void *a, const void *b)
{
	const struct hs_start *x = a, *y = b;
	return x->within != y->within ? (x->within > y->within) - (x->within < y->within)
				      : (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
	const struct hs_start *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

/* Restarts that came to the same inertia are at the same optimum: of those the lowest goes on. Returns how many are left, by
 * number. */
static size_t drop_twins(struct hs_start *starts, size_t n_starts, double scatter)
{
	size_t kept = 0;
	qsort(starts, n_starts, sizeof *starts, by_within);
	for (size_t r = 0; r < n_starts; r++) {
		if (!kept || !(starts[r].within - starts[kept - 1].within <= 1e-9 * scatter)) {
			const struct hs_start moved = starts[r];
			if (kept != r)
				starts[r] = (struct hs_start){ 0 };
			starts[kept++] = moved;
			continue;
		}
		if (starts[r].number < starts[kept - 1].number) {
			const struct hs_start other = starts[kept - 1];
			starts[kept - 1] = starts[r];
			starts[r] = other;
		}
		hs_start_release(starts + r);
	}
	qsort(starts, kept, sizeof *starts, by_number);
	return kept;
}

/* The start with the lowest inertia, of equal ones the lowest number; and how many ended in different places. */
static struct hs_start *best_of(struct hs_start *starts, size_t n_starts, double scatter, size_t *n_optima)
{
	struct hs_start *best = starts;
	for (size_t r = 1; r < n_starts; r++)
		if (starts[r].within < best->within - 1e-12 * scatter)
			best = starts + r;
	*n_optima = 0;
	for (size_t r = 0; r < n_starts; r++) {
		bool twin = false;
		for (size_t q = 0; q < r && !twin; q++)
			twin = fabs(starts[q].within - starts[r].within) <= 1e-9 * scatter;
		*n_optima += !twin;
	}
	return best;
}

/* From the starts to the best of their ends. */
static struct hs_start *run(struct work *w, size_t *n_optima, struct hs_err *err)
{
	const struct hs_view *view = w->whole ? &w->sample : &w->full;
	if (!(w->starts = hs_starts_new(w->n_starts, w->opt->k, w->space.p, err)))
		return NULL;
	if (w->opt->start)
		start_from(&w->space, w->opt->start, w->starts);
	else if (start_from_seeds(w, err) < 0)
		return NULL;
	w->n_left = w->n_starts;
	if (!w->whole && !w->opt->start) {
		if (hs_lloyd(&w->sample, w->starts, w->n_starts, w->opt, NULL, err) < 0)
			return NULL;
		w->n_left = drop_twins(w->starts, w->n_starts, w->sample.scatter);
	}
	if (!w->whole) {              /* the sample has done its work; the passes need the room */
		free(w->x);
		w->x = NULL;
	}
	if (hs_lloyd(view, w->starts, w->n_left, w->opt, "k-means", err) < 0)
		return NULL;
	return best_of(w->starts, w->n_left, view->scatter, n_optima);
}

/* ---- the result ---- */

static int unlabelled(struct hs_kmeans *out, struct hs_err *err)
{
	out->label = hs_alloc(out->n_rows, sizeof *out->label, err);
	for (size_t i = 0; out->label && i < out->n_rows; i++)
		out->label[i] = -1;
	return out->label ? 0 : -1;
}

struct rank {
	int64_t size;
	size_t first, cluster;
};

static int by_size(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	return x->size != y->size ? (x->size < y->size) - (x->size > y->size) : (x->first > y->first) - (x->first < y->first);
}

/* Labels of the best start in canonical order. They are taken from it, unless they are those of a sample: then they go to the
 * rows where it came from. */
static int settle_labels(const struct work *w, struct hs_start *best, struct hs_kmeans *out, struct hs_err *err)
{
	const size_t n = w->whole ? w->n_sample : out->n_rows;
	struct rank *rank = hs_alloc(best->k, sizeof *rank, err);
	int32_t *name = rank ? hs_alloc(best->k, sizeof *name, err) : NULL;
	int verdict = name ? 0 : -1;
	for (size_t c = 0; c < best->k && verdict == 0; c++)
		rank[c] = (struct rank){ best->count[c], n, c };
	for (size_t i = n; i-- > 0 && verdict == 0;)
		if (best->label[i] >= 0)
			rank[best->label[i]].first = i;
	if (verdict == 0)
		qsort(rank, best->k, sizeof *rank, by_size);
	for (size_t c = 0; c < best->k && verdict == 0; c++) {
		name[rank[c].cluster] = (int32_t)c;
		out->k += rank[c].size > 0;
	}
	for (size_t i = 0; i < n && verdict == 0; i++)
		if (best->label[i] >= 0)
			best->label[i] = name[best->label[i]];
	free(rank);
	free(name);
	if (verdict == 0 && w->whole) {
		verdict = unlabelled(out, err);
		for (size_t i = 0; i < n && verdict == 0; i++)
			out->label[w->row[i]] = best->label[i];
	} else if (verdict == 0) {
		out->label = best->label;
		best->label = NULL;
	}
	return verdict;
}

/* What the start leaves to the result. */
static int settle(const struct work *w, struct hs_start *best, struct hs_kmeans *out, struct hs_err *err)
{
	out->restart = best->number;
	out->status = best->status;
	out->n_iter = best->n_iter;
	out->trace = best->trace;
	best->trace = NULL;
	return settle_labels(w, best, out, err);
}

/* Everything about the clusters, from the labels alone. */
static int describe(struct hs_rowsource *rows, bool unit, struct hs_kmeans *out, struct hs_err *err)
{
	const size_t k = out->k, p = rows->n_chan;
	double *grand = NULL, *m2 = NULL;
	int verdict = -1;
	if (!(out->centroid = hs_alloc(k * p, sizeof(double), err)) || !(out->mean = hs_alloc(k * p, sizeof(double), err)) ||
		!(out->spread = hs_alloc(k * p, sizeof(double), err)) || !(out->size = hs_alloc(k, sizeof(size_t), err)) ||
		!(m2 = hs_alloc(k * p, sizeof(double), err)) || !(grand = hs_alloc(p, sizeof(double), err)) ||
		hs_cluster_moments(rows, out->label, k, unit, out->centroid, m2, out->size, err) < 0)
		goto out;
	for (size_t c = 0; c < k; c++) {
		for (size_t j = 0; j < p; j++)
			grand[j] += out->centroid[c * p + j] * ((double)out->size[c] / (double)out->n_used);
	}
	for (size_t c = 0; c < k; c++) {
		double *centroid = out->centroid + c * p, scatter = 0;
		for (size_t j = 0; j < p; j++)
			scatter += m2[c * p + j];
		out->total += scatter + (double)out->size[c] * hs_distance2(centroid, grand, p);
		const double norm = sqrt(hs_dot(centroid, centroid, p));
		for (size_t j = 0; unit && norm > 0 && j < p; j++)
			centroid[j] /= norm;
		out->inertia += scatter + (unit ? (double)out->size[c] * (1 - norm) * (1 - norm) : 0);
	}
	if (unit) {
		verdict = hs_cluster_means(rows, out->label, k, out->mean, out->spread, out->size, err);
	} else {
		memcpy(out->mean, out->centroid, k * p * sizeof(double));
		for (size_t c = 0; c < k; c++)
			for (size_t j = 0; j < p; j++)
				out->spread[c * p + j] = sqrt(m2[c * p + j] / (double)out->size[c]);
		verdict = 0;
	}
out:
	free(grand);
	free(m2);
	return verdict;
}

int hs_kmeans(struct hs_rowsource *rows, const struct hs_kmeans_options *opt, struct hs_kmeans *out, struct hs_err *err)
{
	const size_t p = rows->n_chan, n_starts = opt->start ? 1 : opt->restarts;
	const size_t factor[] = { opt->k, p, n_starts, sizeof(double) };
	size_t bytes;
	*out = (struct hs_kmeans){ .n_rows = rows->n_rows, .n_chan = p };
	if (!opt->k || !opt->restarts || !opt->max_iter)
		return hs_fail(err, HS_USAGE, "k-means needs at least one cluster, one start and one iteration");
	if (opt->k > INT32_MAX || !p)
		return hs_fail(err, HS_USAGE, "k-means cannot make %zu clusters of rows of %zu channels", opt->k, p);
	if (!hs_product(factor, HS_LEN(factor), &bytes))
		return hs_fail(err, HS_SYSTEM, "%zu clusters of %zu channels are more than memory can hold", opt->k, p);

	struct work w = { .rows = rows, .opt = opt, .n_starts = n_starts };
	w.space = (struct hs_space){ .p = p, .unit = opt->spherical, .scale = 1 };
	w.full = (struct hs_view){ .rows = rows, .space = &w.space };
	w.sample = (struct hs_view){ .space = &w.space };
	int verdict = look_over(&w, err);
	out->n_used = w.full.n_used;
	if (verdict == 0 && !out->n_used)
		verdict = unlabelled(out, err);
	else if (verdict == 0 && (verdict = take_sample(&w, err)) == 0) {
		struct hs_start *best = run(&w, &out->n_optima, err);
		verdict = best ? settle(&w, best, out, err) : -1;
	}
	work_release(&w);             /* before the last passes */
	if (verdict == 0)
		verdict = describe(rows, opt->spherical, out, err);
	if (verdict < 0)
		hs_kmeans_release(out);
	return verdict;
}

/* ---- memory, from the allocations above; in double, where nothing wraps ---- */

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static double result_bytes(double n, size_t p, size_t k)
{
	const double width = (double)p, clusters = (double)k;
	return 4 * n + 24 * clusters * width + 8 * clusters + 16 * HS_TRACE_MOST;
}

static double kmeans_bytes(size_t n_rows, size_t p, size_t k, size_t restarts, int threads)
{
	const double n = (double)n_rows, m = (double)sample_rows(n_rows, p, k), starts = (double)restarts, width = (double)p;
	const double x = 8 * m * width, held = (8 + 4) * n + (8 + 8 + 4 + 1) * m + 12 * width;
	const double seeding = x + 8 * starts * (double)k + hs_seed_bytes(m, p, k, restarts, threads),
		     first = x + hs_lloyd_bytes(m, p, k, restarts, threads),
		     passes = (m < n ? 0 : x + 4 * n) + hs_lloyd_bytes(n, p, k, restarts, threads);
	const double looking = n + hs_view_bytes(n, p, threads), running = larger(larger(seeding, first), passes);
	const double describing = result_bytes(n, p, k) + 8 * width * ((double)k + 1) + hs_cluster_bytes(n, p, k, threads);
	return larger(held + larger(looking, starts * hs_start_bytes(p, k) + running), describing);
}

size_t hs_kmeans_bytes(size_t n_rows, size_t n_chan, size_t k, size_t restarts, int threads)
{
	static const size_t beyond = (size_t)1 << 62;
	const size_t p = n_chan ? n_chan : 1, n_part = n_rows < HS_SILHOUETTE_ROWS ? n_rows : HS_SILHOUETTE_ROWS;
	if ((double)(k ? k : 1) * (double)p > 0x1p56) /* what the allocations share with this counts in size_t */
		return beyond;
	k = k ? k : 1;
	restarts = restarts ? restarts : 1;
	threads = threads > 0 ? threads : hs_par_threads();
	/* hs_choose_k: the sample and its distances, the best result so far; then the distances are made, or k-means runs on all
	 * rows, or on halves of the sample beside the result it judges */
	const double n = (double)n_rows, part = (double)n_part, sample = part * (8 * (double)p + 8);
	const double result = result_bytes(n, p, k), table = (double)k * sizeof(struct hs_k_row);
	const double held = sample + 8 * part * part + table + result;
	const double halves = result + kmeans_bytes(n_part, p, k, restarts, threads) + 27 * part;
	const double stage = larger(kmeans_bytes(n_rows, p, k, restarts, threads), larger(sample + 8 * part + n, halves));
	const double bytes = held + stage + 0x5p20 + threads * 0x3p20; /* descriptors, ends of large pages; the panels BLAS packs */
	return bytes < 0x1p62 ? (size_t)bytes : beyond;
}
