#include "prep/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"
#include "math/moments.h"
#include "math/par.h"
#include "math/track.h"
#include "math/vector.h"
#include "prep/lag.h"

enum { ROUNDS = 4, N_DIRECTIONS = 8, ITERATIONS = 5 };

struct search {
	const struct hs_stage *before;
	size_t n_pix, n_all, first, n;        /* channels of the source; those that take part */
	size_t line, n_lines;                 /* pixels of a line */
	size_t stretch;                       /* channels over which composition is also guarded against locally; 0: not */
	double *lag;                          /* so far */
	double *line_sum;                     /* n_lines x n */
	double *mean;                         /* n: sums to 1 */
	double *slope;                        /* n: derivative of its logarithm, per channel */
	double *whiten;                       /* n: 1 / sqrt(mean), 0 where nothing was counted */
	double *direction;                    /* N_DIRECTIONS x n, orthonormal */
	double *filter;                       /* n: what gives drift x counts */
	double worth;                         /* of one count: 1 / variance */
	double *seen, *weight;                /* n_pix: lag by the filter; worth x counts */
	double *bench;                        /* threads x (n_all + 2 n) */
	struct hs_tree *tree;
};

/* Row i of a block moved by its lag, in place in the thread's bench. */
static double *moved_row(const struct search *s, const struct hs_block *b, size_t i, int thread)
{
	double *x = s->bench + (size_t)thread * (s->n_all + 2 * s->n), *y = x + s->n_all;
	hs_block_row(b, i, false, x);
	hs_lag_undo(x, s->n_all, s->lag[b->first_row + i], s->first, s->n, y);
	return y;
}

static double total(const double *x, size_t n)
{
	double sum = 0;
	for (size_t j = 0; j < n; j++)
		sum += x[j];
	return sum;
}

/* ------------------------------------------------------------------ means */

/* Every line adds its rows in their order, whoever does it. */
static int add_lines(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	struct search *s = ctx;
	const size_t from = block[0].first_row, end = block[n_blocks - 1].first_row + block[n_blocks - 1].n_rows, size = block[0].n_rows;
	(void)err;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t l = from / s->line; l <= (end - 1) / s->line; l++)
		for (size_t i = l * s->line > from ? l * s->line : from; i < (l + 1) * s->line && i < end; i++) {
			const struct hs_block *b = &block[(i - from) / size];
			if (!b->skip[i - b->first_row])
				hs_add(s->line_sum + l * s->n, moved_row(s, b, i - b->first_row, hs_par_thread()), s->n);
		}
	return 0;
}

/* The derivative of a mean of few counts is mostly noise. The logarithm is smoothed as much as its likelihood asks for, with
 * weights of counting noise; empty channels get no say in anything. */
static int smooth_mean(struct search *s, struct hs_err *err)
{
	double *level = hs_alloc(s->n, sizeof *level, err);
	int verdict = level ? 0 : -1;
	for (size_t j = 0; verdict == 0 && j < s->n; j++)
		level[j] = s->mean[j] > 0 ? log(s->mean[j]) : NAN;
	if (verdict == 0)
		verdict = hs_track_smooth(level, s->mean, s->n, s->slope, NULL, NULL, err);
	for (size_t j = 0; verdict == 0 && j < s->n; j++) {
		s->mean[j] = s->mean[j] > 0 ? exp(s->slope[j]) : 0;
		s->whiten[j] = s->mean[j] > 0 ? 1 / sqrt(s->mean[j]) : 0;
		level[j] = s->slope[j];
	}
	for (size_t j = 0; verdict == 0 && j < s->n; j++) {
		const size_t low = j ? j - 1 : 0, high = j + 1 < s->n ? j + 1 : j;
		s->slope[j] = (level[high] - level[low]) / (double)(high - low);
	}
	free(level);
	return verdict;
}

static int find_mean(struct search *s, struct hs_err *err)
{
	memset(s->line_sum, 0, s->n_lines * s->n * sizeof *s->line_sum);
	memset(s->mean, 0, s->n * sizeof *s->mean);
	if (hs_waves_each(s->before->source, "drift: mean", (size_t)hs_par_threads(), add_lines, s, err) < 0)
		return -1;
	for (size_t l = 0; l < s->n_lines; l++)
		hs_add(s->mean, s->line_sum + l * s->n, s->n);
	const double all = total(s->mean, s->n);
	if (!(all > 0) || !isfinite(all))
		return hs_fail(err, HS_BAD_DATA, "drift is found in counts, and these spectra are not above zero");
	for (size_t j = 0; j < s->n; j++)
		s->mean[j] = s->mean[j] > 1e-12 * all / (double)s->n ? s->mean[j] / all : 0;
	return smooth_mean(s, err);
}

/* ------------------------------------------------------------------ directions of composition */

/* The row less the mean of its line at its own brightness, whitened and for a single count's noise. False for an empty one. */
static bool whitened(const struct search *s, const struct hs_block *b, size_t i, int thread, double **row)
{
	double *y = moved_row(s, b, i, thread);
	const double *line = s->line_sum + (b->first_row + i) / s->line * s->n, counts = total(y, s->n), share = counts / total(line,
		s->n);
	if (!(counts > 0) || !isfinite(share))
		return false;
	for (size_t j = 0; j < s->n; j++)
		y[j] = (y[j] - share * line[j]) * s->whiten[j] / sqrt(counts);
	*row = y;
	return true;
}

/* Partials: N_DIRECTIONS x n of z z' v, then the sum of all z^2, then the rows. */
static int project_rows(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct search *s = ctx;
	double *sum = hs_tree_borrow(s->tree, err), *z;
	if (!sum)
		return -1;
	for (size_t i = 0; i < b->n_rows; i++) {
		if (b->skip[i] || !whitened(s, b, i, thread, &z))
			continue;
		for (size_t k = 0; k < N_DIRECTIONS; k++) {
			const double t = hs_dot(z, s->direction + k * s->n, s->n);
			for (size_t j = 0; j < s->n; j++)
				sum[k * s->n + j] += t * z[j];
		}
		sum[N_DIRECTIONS * s->n] += hs_dot(z, z, s->n);
		sum[N_DIRECTIONS * s->n + 1]++;
	}
	hs_tree_put(s->tree, b->index, sum);
	return 0;
}

static void start_directions(struct search *s)
{
	for (size_t k = 0; k < N_DIRECTIONS; k++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 1, HS_STREAM_PROJECTION, k);
		for (size_t j = 0; j < s->n; j++)
			s->direction[k * s->n + j] = hs_rng_normal(&rng);
	}
	hs_la_orthonormalise(s->direction, N_DIRECTIONS, s->n);
}

/* One power iteration; *n_real of the directions, put first, are above what noise alone makes (the edge of Marchenko and
 * Pastur). */
static int improve_directions(struct search *s, size_t *n_real, struct hs_err *err)
{
	enum { K = N_DIRECTIONS };
	const size_t n = s->n, n_sums = K * n + 2;
	double *sum, small[K * K], value[K], turn[K * K], *was = hs_alloc(K * n, sizeof *was, err);
	int verdict = -1;
	s->tree = was ? hs_tree_new(n_sums * sizeof(double), hs_merge_sums, &n_sums, err) : NULL;
	if (s->tree && hs_rows_each(s->before->source, "drift: composition", project_rows, s, err) == 0 && (sum = hs_tree_root(s->tree,
		err))) {
		/* Rayleigh-Ritz: v' C v within the directions there were, which turns the images of those */
		memcpy(was, s->direction, K * n * sizeof *was);
		for (size_t k = 0; k < K; k++)
			for (size_t l = 0; l < K; l++)
				small[k * K + l] = hs_dot(was + k * n, sum + l * n, n);
		verdict = hs_la_eigh(small, K, K, value, turn, err);
		const double rows = fmax(1, sum[K * n + 1]), noise = sum[K * n] / rows / (double)n, edge = 1 + sqrt((double)n / rows);
		*n_real = 0;
		for (size_t k = 0; verdict == 0 && k < K; k++) {
			*n_real += *n_real == k && value[k] / rows > 1.1 * noise * edge * edge;
			memset(s->direction + k * n, 0, n * sizeof *was);
			for (size_t l = 0; l < K; l++)
				for (size_t j = 0; j < n; j++)
					s->direction[k * n + j] += turn[k * K + l] * sum[l * n + j];
		}
		if (verdict == 0)
			hs_la_orthonormalise(s->direction, K, n);
	}
	hs_tree_free(s->tree);
	s->tree = NULL;
	free(was);
	return verdict;
}

/* ------------------------------------------------------------------ the filter */

static void leave_out(double *f, const double *v, double square, size_t n)
{
	const double t = square > 0 ? hs_dot(f, v, n) / square : 0;
	for (size_t j = 0; j < n; j++)
		f[j] -= t * v[j];
}

/* gain: what a shift of one channel gives; worth: gain^2 / variance, for one count. */
static void finish_filter(struct search *s, const double *root, double whole, size_t n_real)
{
	double *f = s->filter, gain = 0;
	const double square = hs_dot(f, f, s->n);
	for (size_t j = 0; j < s->n; j++)
		gain -= f[j] * s->slope[j] * root[j];
	s->worth = gain > 0 && square > 1e-20 ? gain * gain / square : 0;
	hs_detail("drift: %zu directions of composition, %.0f %% of the derivative is left", n_real,
		whole > 0 ? 100 * s->worth / whole : 0);
	for (size_t j = 0; j < s->n && s->worth > 0; j++)
		f[j] *= s->whiten[j] / gain;
}

/* Within a stretch of channels that holds one feature, whatever background and amount do is a mixture of a parabola and the mean
 * itself: f (whitened) without its parts along those. */
static void leave_out_local(const struct search *s, double *f, const double *root, size_t from, size_t n)
{
	enum { SHAPES = 4 };
	double *shape = hs_must_alloc(SHAPES * n, sizeof *shape);
	for (size_t j = 0; j < n; j++) {
		const double t = 2 * ((double)j + 0.5) / (double)n - 1;
		for (size_t k = 0; k < SHAPES; k++)
			shape[k * n + j] = k == 3 ? root[from + j] : s->whiten[from + j] * pow(t, (double)k);
	}
	for (size_t k = 0; k < SHAPES; k++) {
		const double before = hs_dot(shape + k * n, shape + k * n, n);
		for (int twice = 0; twice < 2; twice++)
			for (size_t l = 0; l < k; l++)
				leave_out(shape + k * n, shape + l * n, hs_dot(shape + l * n, shape + l * n, n), n);
		if (hs_dot(shape + k * n, shape + k * n, n) < 1e-12 * before)
			memset(shape + k * n, 0, n * sizeof *shape);
	}
	for (int twice = 0; twice < 2; twice++)
		for (size_t k = 0; k < SHAPES; k++)
			leave_out(f + from, shape + k * n, hs_dot(shape + k * n, shape + k * n, n), n);
	free(shape);
}

/* Whitened -m' without brightness, and what composition does: locally by leave_out_local over stretches that begin at 0 or half a
 * stretch later, the mean of both; globally along the directions found. For raw spectra in the end. */
static int make_filter(struct search *s, size_t n_real, struct hs_err *err)
{
	const size_t n = s->n, stretch = s->stretch;
	double *f = s->filter, *root = hs_alloc(n, sizeof *root, err), *part = hs_alloc(n, sizeof *part, err), whole = 0;
	for (size_t j = 0; root && part && j < n; j++) {
		root[j] = sqrt(s->mean[j]);
		f[j] = 0;
		whole += s->slope[j] * root[j] * s->slope[j] * root[j];
	}
	for (size_t half = 0; root && part && half < 2; half++) {
		for (size_t j = 0; j < n; j++)
			part[j] = -s->slope[j] * root[j];
		for (size_t from = 0; stretch && from < n;) {
			size_t end = from + (half && !from ? stretch / 2 : stretch);
			end = end + stretch / 2 > n ? n : end;
			leave_out_local(s, part, root, from, end - from);
			from = end;
		}
		for (size_t j = 0; j < n; j++)
			f[j] += 0.5 * part[j];
	}
	for (int twice = 0; root && part && twice < 2; twice++) {
		leave_out(f, root, hs_dot(root, root, n), n);
		for (size_t k = 0; k < n_real; k++)
			leave_out(f, s->direction + k * n, 1, n);
	}
	if (root && part)
		finish_filter(s, root, whole, n_real);
	free(root);
	free(part);
	return !root || !part ? -1 : s->worth > 0 ? 0 :
		hs_fail(err, HS_BAD_DATA, "the spectra have no structure by which a drift could be seen");
}

static int apply_filter(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct search *s = ctx;
	(void)err;
	for (size_t i = 0; i < b->n_rows; i++) {
		const size_t p = b->first_row + i;
		s->weight[p] = 0;
		if (b->skip[i])
			continue;
		const double *y = moved_row(s, b, i, thread), counts = total(y, s->n);
		if (!(counts > 0))
			continue;
		s->seen[p] = s->lag[p] + hs_dot(y, s->filter, s->n) / counts;
		s->weight[p] = counts * s->worth;
	}
	return 0;
}

/* ------------------------------------------------------------------ the search */

static int reserve(struct search *s, struct hs_err *err)
{
	if (!(s->line_sum = hs_alloc(s->n_lines, s->n * sizeof(double), err)) || !(s->mean = hs_alloc(s->n, sizeof(double), err)) ||
		!(s->whiten = hs_alloc(s->n, sizeof(double), err)) || !(s->slope = hs_alloc(s->n, sizeof(double), err)) ||
		 !(s->filter = hs_alloc(s->n, sizeof(double), err)) ||
		!(s->direction = hs_alloc(s->n, N_DIRECTIONS * sizeof(double), err)) || !(s->seen = hs_alloc(s->n_pix, sizeof(double), err)) ||
		!(s->weight = hs_alloc(s->n_pix, sizeof(double), err)) ||
		!(s->bench = hs_alloc((size_t)hs_par_threads(), (s->n_all + 2 * s->n) * sizeof(double), err)))
		return -1;
	return 0;
}

static int one_round(struct search *s, int round, double *sigma, struct hs_err *err)
{
	size_t n_real = 0;
	double span;
	if (find_mean(s, err) < 0)
		return -1;
	for (int i = 0; i < (round ? 2 : ITERATIONS); i++)
		if (improve_directions(s, &n_real, err) < 0)
			return -1;
	if (make_filter(s, n_real, err) < 0 || hs_rows_each(s->before->source, "drift", apply_filter, s, err) < 0 ||
		hs_track_smooth(s->seen, s->weight, s->n_pix, s->lag, sigma, &span, err) < 0)
		return -1;
	const double level = total(s->lag, s->n_pix) / (double)s->n_pix;
	for (size_t i = 0; i < s->n_pix; i++)
		s->lag[i] -= level;
	hs_detail("drift: round %d, averaged over about %.0f pixels", round + 1, span);
	return 0;
}

/* Drift is over within a line, composition is not: what neighbours in a line still have in common, beyond what was found, is
 * composition that got through the filter. Its mean square, plus that of what noise leaves. */
static double doubt(const struct search *s, const double *sigma)
{
	enum { LAGS = 8 };
	double common = 0, weights = 0, noise = 0;
	for (size_t i = 0; i < s->n_pix; i++) {
		noise += isfinite(sigma[i]) ? sigma[i] * sigma[i] / (double)s->n_pix : 0;
		for (size_t k = i + 1; s->weight[i] > 0 && k <= i + LAGS && k < s->n_pix && k / s->line == i / s->line; k++) {
			const double w = s->weight[i] * s->weight[k];
			common += w * (s->seen[i] - s->lag[i]) * (s->seen[k] - s->lag[k]);
			weights += w;
		}
	}
	return noise + (weights > 0 ? fmax(0, common / weights) : 0);
}

/* Until what is left of the drift is not worth another round. */
static int search(struct search *s, double *sigma, double *doubtful, struct hs_err *err)
{
	memset(s->lag, 0, s->n_pix * sizeof *s->lag);
	start_directions(s);
	for (int round = 0; round < ROUNDS; round++)
		if (one_round(s, round, sigma, err) < 0)
			return -1;
	*doubtful = doubt(s, sigma);
	hs_detail("drift: guarded over %zu channels: doubt %.2g channels", s->stretch, sqrt(*doubtful));
	return 0;
}

/* With the guard of leave_out_local and without: what leaves less doubt. */
static int search_both(struct search *s, double *lag, double *sigma, struct hs_err *err)
{
	double *other = hs_alloc(s->n_pix, 2 * sizeof *other, err), doubtful[2] = { 0 };
	int verdict = other ? 0 : -1;
	s->lag = lag;
	if (verdict == 0)
		verdict = search(s, sigma, &doubtful[0], err);
	if (verdict == 0) {
		s->lag = other;
		s->stretch = s->n / 16 > 32 ? s->n / 16 : 32;
		verdict = search(s, other + s->n_pix, &doubtful[1], err);
	}
	if (verdict == 0 && doubtful[1] < doubtful[0]) {
		memcpy(lag, other, s->n_pix * sizeof *lag);
		memcpy(sigma, other + s->n_pix, s->n_pix * sizeof *sigma);
	}
	free(other);
	return verdict;
}

int hs_drift_find(const struct hs_stage *before, size_t first, size_t last, double *lag, double *sigma, struct hs_err *err)
{
	const struct hs_signal *signal = &before->signal;
	const size_t nav = hs_signal_nav_rank(signal);
	struct search s = { .before = before, .n_pix = before->n_pix, .n_all = before->n_chan, .first = first, .n = last - first + 1 };
	if (s.n <= N_DIRECTIONS)
		return hs_fail(err, HS_BAD_DATA, "%zu channels are too few to see a drift", s.n);
	/* a line scan has no lines: stretches of it instead */
	s.line = nav >= 2 ? signal->axis[nav - 1].n : (size_t)ceil(sqrt((double)s.n_pix));
	s.n_lines = (s.n_pix + s.line - 1) / s.line;
	const int verdict = reserve(&s, err) < 0 ? -1 : search_both(&s, lag, sigma, err);
	free(s.line_sum);
	free(s.mean);
	free(s.slope);
	free(s.whiten);
	free(s.direction);
	free(s.filter);
	free(s.seen);
	free(s.weight);
	free(s.bench);
	return verdict;
}

size_t hs_drift_bytes(size_t n_pix, size_t n_lines, size_t n_chan, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : 1);
	return ((n_lines + 3 + 2 * N_DIRECTIONS + (t + 24) * N_DIRECTIONS + 3 * t) * n_chan + 4 * n_pix) * sizeof(double) +
		hs_track_bytes(n_pix);
}
