#include "cluster/seeding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cluster/distance.h"
#include "math/vector.h"

enum { CANDIDATES_AT_ONCE = 64 };

/* Candidate rows for several starts at once. */
struct seeding {
	const struct hs_view *view;
	const void *x;                /* n x p rows in memory */
	size_t n, n_blocks, block_rows;
	size_t n_starts, n_tries;     /* n_tries candidates a start */
	struct hs_rng *rng;           /* a start */
	double *potential;            /* a start: sum of distances that the seeds so far leave */
	double *kept_sum;             /* starts x n_blocks: the parts of it */
	size_t n_cand, *row, *owner;  /* which row each candidate is, of which start */
	float *centre32;              /* n_cand x p */
	double *centre, *square;
	double *old, *fresh;          /* starts x n, candidates x n: squared distance to the nearest seed */
	double *block_sum;            /* candidates x n_blocks */
	struct hs_scratch *scratch;
};

static size_t n_tries(size_t k)
{
	return 2 + (size_t)log((double)k);
}

static size_t starts_at_once(size_t n_starts, size_t k)
{
	const size_t fit = CANDIDATES_AT_ONCE / n_tries(k), most = fit ? fit : 1;
	return n_starts < most ? n_starts : most;
}

static int seeding_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	const struct seeding *g = ctx;
	struct hs_scratch *s = g->scratch + thread;
	const size_t p = block->n_chan, step = s->n_rows;
	for (size_t c = 0; c < g->n_cand; c++)
		g->block_sum[c * g->n_blocks + block->index] = 0;
	for (size_t from = 0; from < block->n_rows; from += step) {
		const size_t left = block->n_rows - from,
			     n = hs_view_pack(g->view, block, from, left < step ? left : step, NULL, s->y, s->len, s->index);
		if (!n)
			continue;
		hs_products(g->centre32, g->n_cand, s->y, n, p, s->dot);
		for (size_t c = 0; c < g->n_cand; c++) {
			double sum = 0;
			for (size_t i = 0; i < n; i++) {
				const size_t row = block->first_row + s->index[i];
				const double size = (double)s->len[i] * (double)s->len[i] + g->square[c];
				double d = size - 2 * (double)s->dot[c * n + i];
				if (d < 1e-3 * size) { /* cancelled: a row that equals the candidate must come out as exactly 0 */
					hs_view_row(g->view, block, s->index[i], s->z);
					d = hs_distance2(s->z, g->centre + c * p, p);
					if (d <= g->view->space->nothing)
						d = 0;
				}
				const double known = g->old[g->owner[c] * g->n + row];
				sum += g->fresh[c * g->n + row] = d < known ? d : known;
			}
			g->block_sum[c * g->n_blocks + block->index] += sum;
		}
	}
	return 0;
}

/* Measures the candidates; then each start takes the one that leaves the smallest potential as its seed number seat. */
static int try_candidates(struct seeding *g, size_t *chosen, size_t k, size_t seat, struct hs_err *err)
{
	const size_t p = g->view->space->p;
	for (size_t c = 0; c < g->n_cand; c++) {
		double *z = g->centre + c * p;
		hs_view_memory_row(g->view, g->x, g->row[c], z);
		g->square[c] = hs_dot(z, z, p);
		for (size_t j = 0; j < p; j++)
			g->centre32[c * p + j] = (float)z[j];
	}
	if (g->n_cand && hs_rows_each(g->view->rows, NULL, seeding_block, g, err) < 0)
		return -1;
	for (size_t r = 0; r < g->n_starts; r++) {
		size_t best = g->n_cand;
		double least = INFINITY;
		for (size_t c = 0; c < g->n_cand; c++) {
			double sum = 0;
			for (size_t b = 0; b < g->n_blocks; b++)
				sum += g->block_sum[c * g->n_blocks + b];
			if (g->owner[c] == r && sum < least) {
				least = sum;
				best = c;
			}
		}
		chosen[r * k + seat] = best == g->n_cand ? HS_NO_SEED : g->row[best];
		if (best == g->n_cand)
			continue;     /* every row is a seed already */
		g->potential[r] = least;
		memcpy(g->old + r * g->n, g->fresh + best * g->n, g->n * sizeof(double));
		memcpy(g->kept_sum + r * g->n_blocks, g->block_sum + best * g->n_blocks, g->n_blocks * sizeof(double));
	}
	return 0;
}

/* A row drawn with probability proportional to its squared distance from the seeds of start r; n when there is none. */
static size_t draw(const struct seeding *g, size_t r)
{
	const double *distance = g->old + r * g->n, *block_sum = g->kept_sum + r * g->n_blocks;
	double target = hs_rng_uniform(g->rng + r) * g->potential[r];
	size_t b = 0, last = g->n;
	while (b + 1 < g->n_blocks && target >= block_sum[b])
		target -= block_sum[b++];
	for (size_t i = b * g->block_rows; i < g->n; i++) {
		if (distance[i] > 0)
			last = i;
		if (distance[i] > 0 && (target -= distance[i]) < 0)
			return i;
	}
	while (last == g->n && b > 0) /* rounding led past the end of the last row that counts */
		for (size_t i = --b * g->block_rows; i < g->n && i < (b + 1) * g->block_rows; i++)
			if (distance[i] > 0)
				last = i;
	return last;
}

static int seeding_init(struct seeding *g, struct hs_err *err)
{
	const size_t p = g->view->space->p, most = g->n_starts * g->n_tries;
	return (g->rng = hs_alloc(g->n_starts, sizeof *g->rng, err)) &&
			(g->potential = hs_alloc(g->n_starts, sizeof(double), err)) &&
			(g->kept_sum = hs_alloc(g->n_starts * g->n_blocks, sizeof(double), err)) &&
			(g->row = hs_alloc(most, sizeof *g->row, err)) && (g->owner = hs_alloc(most, sizeof *g->owner, err)) &&
			(g->centre32 = hs_alloc(most * p, sizeof(float), err)) &&
			(g->centre = hs_alloc(most * p, sizeof(double), err)) &&
			(g->square = hs_alloc(most, sizeof(double), err)) &&
			(g->old = hs_alloc(g->n_starts * g->n, sizeof(double), err)) &&
			(g->fresh = hs_alloc(most * g->n, sizeof(double), err)) &&
			(g->block_sum = hs_alloc(most * g->n_blocks, sizeof(double), err)) &&
			(g->scratch = hs_scratch_new(p, most, err)) ? 0 : -1;
}

static void seeding_release(struct seeding *g)
{
	free(g->rng);
	free(g->potential);
	free(g->kept_sum);
	free(g->row);
	free(g->owner);
	free(g->centre32);
	free(g->centre);
	free(g->square);
	free(g->old);
	free(g->fresh);
	free(g->block_sum);
	hs_scratch_free(g->scratch);
}

/* Starts first .. first+n_starts-1 into chosen (n_starts x k). */
static int seed_group(const struct hs_view *view, const void *x, size_t k, size_t first, size_t n_starts, uint64_t seed,
	size_t *chosen, struct hs_err *err)
{
	const size_t n = view->rows->n_rows, block_rows = view->rows->block_rows;
	struct seeding g = { .view = view, .x = x, .n = n, .n_blocks = (n + block_rows - 1) / block_rows,
		.block_rows = block_rows, .n_starts = n_starts, .n_tries = n_tries(k) };
	int verdict = seeding_init(&g, err);
	for (size_t r = 0; r < n_starts && verdict == 0; r++) {
		hs_rng_init(g.rng + r, seed, HS_STREAM_SEEDING, first + r);
		for (size_t i = 0; i < n; i++)
			g.old[r * n + i] = INFINITY;
		g.row[r] = hs_rng_below(g.rng + r, n);
		g.owner[r] = r;
	}
	g.n_cand = n_starts;
	for (size_t seat = 0; seat < k && verdict == 0; seat++) {
		for (size_t r = seat ? 0 : n_starts; r < n_starts; r++) {
			for (size_t t = 0; t < g.n_tries && g.potential[r] > 0; t++) {
				g.row[g.n_cand] = draw(&g, r);
				g.owner[g.n_cand] = r;
				g.n_cand += g.row[g.n_cand] < n;
			}
		}
		verdict = try_candidates(&g, chosen, k, seat, err);
		g.n_cand = 0;
	}
	seeding_release(&g);
	return verdict;
}

int hs_seed_rows(const struct hs_view *view, const void *x, size_t k, size_t n_starts, uint64_t seed, size_t *chosen,
	struct hs_err *err)
{
	const size_t at_once = starts_at_once(n_starts, k);
	for (size_t r = 0; r < n_starts; r += at_once) {
		const size_t left = n_starts - r;
		if (seed_group(view, x, k, r, left < at_once ? left : at_once, seed, chosen + r * k, err) < 0)
			return -1;
	}
	return 0;
}

double hs_seed_bytes(double n_rows, size_t p, size_t k, size_t n_starts, int threads)
{
	const size_t starts = starts_at_once(n_starts, k), most = starts * n_tries(k);
	const double a_row = 8 * (n_rows + ceil(n_rows / (double)hs_block_rows(p)));
	return (double)most * (12 * (double)p + 24 + a_row) + (double)starts * (a_row + 8 + sizeof(struct hs_rng)) +
		hs_scratch_bytes(p, most, threads);
}
