#include "math/moments.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"

enum { TILE = 512, F32_ROWS = 1024, LANES = 16, GRAM_TILE = 64 };
#define LANE_BYTES ((size_t)32 << 20)         /* all lanes together, while more than one */
#define GRAM_BYTES ((size_t)512 << 20)        /* rows held at a time on the gram side */

int hs_waves_each(struct hs_rowsource *rows, const char *task, size_t wave, hs_wave_fn fn, void *ctx, struct hs_err *err)
{
	struct hs_block *block = hs_alloc(wave, sizeof *block, err);
	if (!block)
		return -1;
	int verdict = rows->rewind(rows, err);
	if (task && verdict == 0)
		hs_progress_begin(task, rows->n_rows, "spectra");
	const size_t row_bytes = rows->n_chan * (rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	struct hs_batch batch = { .n_blocks = 1 };
	while (verdict == 0 && (verdict = rows->next(rows, &batch, err)) == 0 && batch.n_blocks) {
		for (size_t first = 0; first < batch.n_blocks && verdict == 0; first += wave) {
			const size_t n = batch.n_blocks - first < wave ? batch.n_blocks - first : wave;
			size_t n_rows = 0;
			for (size_t b = 0; b < n; b++) {
				const size_t start = (first + b) * rows->block_rows, left = batch.n_rows - start;
				block[b] = (struct hs_block){ .index = batch.first_block + first + b,
					.first_row = batch.first_row + start,
					.n_rows = left < rows->block_rows ? left : rows->block_rows,
					.n_chan = rows->n_chan,
					.type = rows->type,
					.x = (const char *)batch.x + start * row_bytes,
					.skip = batch.skip + start };
				n_rows += block[b].n_rows;
			}
			verdict = fn(ctx, block, n, err);
			if (task)
				hs_progress_add(n_rows);
		}
	}
	if (task)
		hs_progress_end();
	free(block);
	return verdict;
}

/* Loops over channels, element by element, so that wider vectors do the same arithmetic: compiled for several of them, and
 * chosen at start-up. They read every spectrum twice and would cost a third of the time of the products otherwise. */
#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&                        \
	!defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

WIDE static void to_double(const float *restrict x, size_t p, double *restrict y)
{
	for (size_t j = 0; j < p; j++)
		y[j] = (double)x[j];
}

WIDE static void to_float(const double *restrict x, size_t p, float *restrict y)
{
	for (size_t j = 0; j < p; j++)
		y[j] = (float)x[j];
}

WIDE static void add_differences(const double *restrict y, const double *restrict first, size_t p, double *restrict sum,
	double *restrict range)
{
	for (size_t j = 0; j < p; j++) {
		const double d = y[j] - first[j], far = fabs(d);
		sum[j] += d;
		range[j] = far > range[j] ? far : range[j];
	}
}

WIDE static void add_differences_f32(const float *restrict x, const double *restrict first, size_t p, double *restrict sum,
	double *restrict range)
{
	for (size_t j = 0; j < p; j++) {
		const double d = (double)x[j] - first[j], far = fabs(d);
		sum[j] += d;
		range[j] = far > range[j] ? far : range[j];
	}
}

WIDE static void centre_f32(const float *restrict x, const double *restrict mean, double scale, size_t n, float *restrict to)
{
	for (size_t j = 0; j < n; j++)
		to[j] = (float)(((double)x[j] - mean[j]) * scale);
}

WIDE static void centre_to_float(
	const double *restrict y, const double *restrict mean, double scale, size_t n, float *restrict to)
{
	for (size_t j = 0; j < n; j++)
		to[j] = (float)((y[j] - mean[j]) * scale);
}

WIDE static void centre(const double *restrict y, const double *restrict mean, size_t n, double *restrict to)
{
	for (size_t j = 0; j < n; j++)
		to[j] = y[j] - mean[j];
}

/* sum += x scale + d weight: a product in float32 and its part of Chan's rule in one go over the tile */
WIDE static void add_product(const float *restrict x, double scale, const double *restrict d, double weight, size_t n,
	double *restrict sum)
{
	for (size_t j = 0; j < n; j++)
		sum[j] += (double)x[j] * scale + weight * d[j];
}

WIDE static void add_multiple(const double *restrict x, size_t n, double factor, double *restrict sum)
{
	for (size_t j = 0; j < n; j++)
		sum[j] += factor * x[j];
}

/* Eight running sums: as fast as the machine adds, and one order for every compiler. */
static double sum_of(const double *y, size_t n)
{
	double part[8] = { 0 };
	size_t j = 0;
	for (; j + 8 <= n; j += 8)
		for (size_t i = 0; i < 8; i++)
			part[i] += y[j + i];
	for (size_t i = 0; j < n; j++, i++)
		part[i] += y[j];
	return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

bool hs_row_frame_apply(
	const struct hs_row_frame *f, enum hs_row_type type, const void *x, bool whole, double *y, double *row_part)
{
	const size_t p = f->n_chan;
	*row_part = 0;
	if (type == HS_ROW_F32)
		to_double(x, p, y);
	else
		memcpy(y, x, p * sizeof(double));
	if (f->poisson) {
		const double sum = sum_of(y, p);
		if (!(sum > 0)) {
			memset(y, 0, p * sizeof(double));
			*row_part = sum < 0 ? -1 : 0;
			return false;
		}
		*row_part = sqrt(sum);
		const double scale = 1 / *row_part;
		for (size_t j = 0; j < p; j++)
			y[j] *= scale;
		if (whole)
			for (size_t j = 0; j < p; j++)
				y[j] = f->root_sum[j] > 0 ? y[j] / f->root_sum[j] : 0;
		return true;
	}
	if (f->centre == HS_CENTRE_BOTH) {
		const double first = y[0];      /* relative to one element, a row of equal values has a mean without rounding */
		for (size_t j = 0; j < p; j++)
			y[j] -= first;
		const double mean = sum_of(y, p) / (double)p;
		for (size_t j = 0; j < p; j++)
			y[j] -= mean;
		*row_part = first + mean;
	}
	if (whole && f->centre != HS_CENTRE_NONE)
		for (size_t j = 0; j < p; j++)
			y[j] -= f->shift[j];
	return true;
}

bool hs_row_frame_apply_f32(
	const struct hs_row_frame *f, enum hs_row_type type, const void *x, double *row, float *y, double *row_part)
{
	*row_part = 0;
	if (type == HS_ROW_F32 && !f->poisson && f->centre != HS_CENTRE_BOTH) {
		centre_f32(x, f->shift, 1, f->n_chan, y);
		return true;
	}
	const bool full = hs_row_frame_apply(f, type, x, true, row, row_part);
	to_float(row, f->n_chan, y);
	return full;
}

static bool frame_init(struct hs_row_frame *f, size_t n_chan, const struct hs_moments_options *o, struct hs_err *err)
{
	*f = (struct hs_row_frame){ .n_chan = n_chan, .centre = o->centre, .poisson = o->poisson, .exact = o->exact };
	f->mean = hs_alloc(n_chan, sizeof(double), err);
	f->shift = f->mean ? hs_alloc(n_chan, sizeof(double), err) : NULL;
	if (f->shift && o->poisson)
		f->root_sum = hs_alloc(n_chan, sizeof(double), err);
	return f->shift && (!o->poisson || f->root_sum);
}

/* --- the plan: every size that decides the order of additions, from n_chan alone ----------------------------------- */

struct plan {
	size_t n_chan, block_rows, tile, n_tiles, n_pairs, n_lanes, wave, sub_rows, element;
};

/* wave is the exception: how many blocks are in memory at a time decides nothing, so it follows the threads. */
static struct plan plan_for(size_t p, size_t block_rows, bool f32, size_t threads)
{
	struct plan s = { .n_chan = p, .block_rows = block_rows, .element = f32 ? sizeof(float) : sizeof(double) };
	s.n_tiles = (p + TILE - 1) / TILE;
	s.tile = ((p + s.n_tiles - 1) / s.n_tiles + 15) / 16 * 16;
	s.n_tiles = (p + s.tile - 1) / s.tile;
	s.n_pairs = s.n_tiles * (s.n_tiles + 1) / 2;
	for (s.n_lanes = LANES; s.n_lanes > 1 && s.n_lanes * s.n_pairs * s.tile * s.tile * sizeof(double) > LANE_BYTES;)
		s.n_lanes /= 2;
	s.wave = threads < 2 ? 1 : threads < LANES / 2 ? 2 * threads : LANES;
	s.sub_rows = f32 ? F32_ROWS : block_rows;
	return s;
}

static size_t panel_values(const struct plan *s)
{
	return s->block_rows * s->tile * s->n_tiles;
}

size_t hs_moments_bytes(size_t n_rows, size_t n_chan, int threads)
{
	const size_t used = n_rows < n_chan ? n_rows : n_chan, block_rows = hs_block_rows(n_chan),
		     t = (size_t)(threads > 0 ? threads : 1);
	const struct plan s = plan_for(n_chan, block_rows, false, t);
	size_t bytes = used * used * sizeof(double) + s.wave * (panel_values(&s) + 4 * n_chan + 2 * block_rows) * sizeof(double)
		+ t * (2 * n_chan + s.tile * s.tile) * sizeof(double) + (8 + s.n_lanes) * n_chan * sizeof(double);
	if (n_rows < n_chan) {
		const size_t all = n_rows * n_chan * sizeof(double), least = block_rows * n_chan * sizeof(double);
		bytes += all < GRAM_BYTES ? all : GRAM_BYTES > least ? GRAM_BYTES : least;
	} else {
		bytes += s.n_lanes * s.n_pairs * s.tile * s.tile * sizeof(double);
	}
	return bytes;
}

/* --- one pass: means, and the tiles of sum (y - mean)(y - mean)^T ------------------------------------------------- */

/* What a block says about itself, made by one thread. */
struct slot {
	size_t n, n_empty, n_negative;
	double *mean;                 /* n_chan: of y */
	double *raw_sum;              /* n_chan: poisson column sums */
	double row_means;             /* BOTH: sum of the rows' own means */
	double weight;                /* Chan: n_a n_b / (n_a + n_b) */
	double *difference;           /* n_chan: mean of the block - mean of its lane before it */
	double scale;                 /* power of two that brings a float32 panel near 1: squares of 1e-20 A would underflow */
	void *panel;                  /* n_tiles panels of block_rows x tile: y - mean of the block */
};

struct lane {
	double n;
	double *mean;
	double *tile;                 /* n_pairs squares, row by row of the upper triangle of tiles */
};

struct pass {
	struct plan s;
	struct hs_row_frame frame;    /* borrowed arrays */
	bool tiles;                   /* false: means alone */
	struct slot slot[LANES];
	struct lane lane[LANES];
	double *row;                  /* threads x 2 n_chan: a row, and the range of each channel */
	void *product;                /* threads x tile x tile */
	double *column_sum, row_means;
	size_t n_used, n_empty, n_negative;
	size_t *used_in_block;        /* gram: usable rows of each block; NULL otherwise */
};

/* One row into its place in the panels: y, or x when float32 rows are taken as they are (then y is NULL). */
static void panel_row(const struct pass *q, const struct slot *slot, size_t r, const double *y, const float *x)
{
	const struct plan *s = &q->s;
	for (size_t t = 0; t < s->n_tiles; t++) {
		const size_t first = t * s->tile, width = first + s->tile <= s->n_chan ? s->tile : s->n_chan - first,
			     at = first * s->block_rows + r * s->tile;
		if (!y)
			centre_f32(x + first, slot->mean + first, slot->scale, width, (float *)slot->panel + at);
		else if (s->element == sizeof(float))
			centre_to_float(y + first, slot->mean + first, slot->scale, width, (float *)slot->panel + at);
		else
			centre(y + first, slot->mean + first, width, (double *)slot->panel + at);
	}
}

/* y before centring on the shift; float64 rows that nothing happens to are taken where they are. */
static const double *row_of(const struct pass *q, const struct hs_block *b, size_t i, double *room, double *part, bool *full)
{
	const size_t p = q->s.n_chan;
	*part = 0;
	*full = true;
	if (b->type == HS_ROW_F64 && !q->frame.poisson && q->frame.centre != HS_CENTRE_BOTH)
		return (const double *)b->x + i * p;
	*full = hs_row_frame_apply(&q->frame, b->type,
		(const char *)b->x + i * p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double)), false, room, part);
	return room;
}

static void read_block(const struct pass *q, const struct hs_block *b, struct slot *slot, double *room, double *range)
{
	const size_t p = q->s.n_chan;
	double part;
	bool full;
	/* float32 rows that nothing happens to need no copy either */
	const bool direct = b->type == HS_ROW_F32 && q->s.element == sizeof(float) && !q->frame.poisson &&
		q->frame.centre != HS_CENTRE_BOTH;
	const float *x = direct ? b->x : NULL;
	double *first = slot->difference;     /* free until the lane needs it: the first row, about which the mean is taken */
	slot->n = slot->n_empty = slot->n_negative = 0;
	slot->row_means = 0;
	memset(slot->mean, 0, p * sizeof(double));
	memset(range, 0, p * sizeof(double));
	if (q->frame.poisson)
		memset(slot->raw_sum, 0, p * sizeof(double));
	for (size_t i = 0; i < b->n_rows; i++) {
		if (b->skip[i])
			continue;
		if (direct) {
			if (!slot->n++)
				to_double(x + i * p, p, first);
			add_differences_f32(x + i * p, first, p, slot->mean, range);
			continue;
		}
		const double *y = row_of(q, b, i, room, &part, &full);
		if (!full) {
			slot->n_empty++;
			slot->n_negative += part < 0;
		} else if (q->frame.poisson) {
			for (size_t j = 0; j < p; j++)
				slot->raw_sum[j] += y[j] * part;
		} else {
			slot->row_means += part;
		}
		if (!slot->n++)
			memcpy(first, y, p * sizeof(double));
		add_differences(y, first, p, slot->mean, range);
	}
	if (!slot->n)
		return;
	double largest = 0;
	for (size_t j = 0; j < p; j++)
		largest = range[j] > largest ? range[j] : largest;
	slot->scale = largest > 0 ? exp2(-ilogb(largest)) : 1;
	for (size_t j = 0; j < p; j++)
		slot->mean[j] = first[j] + slot->mean[j] / (double)slot->n;
	for (size_t i = 0, r = 0; q->tiles && i < b->n_rows; i++) {
		if (b->skip[i])
			continue;
		if (direct)
			panel_row(q, slot, r++, NULL, x + i * p);
		else
			panel_row(q, slot, r++, row_of(q, b, i, room, &part, &full), NULL);
	}
}

static void join_means(struct pass *q, struct slot *slot, struct lane *lane, size_t index)
{
	const size_t p = q->s.n_chan;
	q->n_used += slot->n;
	q->n_empty += slot->n_empty;
	q->n_negative += slot->n_negative;
	q->row_means += slot->row_means;
	if (q->used_in_block)
		q->used_in_block[index] = slot->n;
	if (!slot->n)
		return;
	const double n = (double)slot->n, both = lane->n + n;
	slot->weight = lane->n * n / both;
	for (size_t j = 0; j < p; j++) {
		slot->difference[j] = slot->mean[j] - lane->mean[j];
		lane->mean[j] += slot->difference[j] * (n / both);
	}
	lane->n = both;
	for (size_t j = 0; q->frame.poisson && j < p; j++)
		q->column_sum[j] += slot->raw_sum[j];
}

static void add_outer(
	double *tile, size_t ld, const double *di, size_t ni, const double *dj, size_t nj, double weight, bool diagonal)
{
	if (weight == 0)
		return;
	for (size_t i = 0; i < ni; i++) {
		const size_t j = diagonal ? i : 0;
		add_multiple(dj + j, nj - j, weight * di[i], tile + i * ld + j);
	}
}

/* Pair number -> tile row and column of the upper triangle. */
static void pair_place(const struct plan *s, size_t pair, size_t *row, size_t *column)
{
	size_t i = 0, length = s->n_tiles;
	while (pair >= length) {
		pair -= length--;
		i++;
	}
	*row = i;
	*column = i + pair;
}

static size_t tile_width(const struct plan *s, size_t t)
{
	return t + 1 < s->n_tiles ? s->tile : s->n_chan - t * s->tile;
}

static void multiply(const struct pass *q, const struct slot *slot, double *tile, size_t ti, size_t tj, float *product)
{
	const struct plan *s = &q->s;
	const int ni = (int)tile_width(s, ti), nj = (int)tile_width(s, tj), ld = (int)s->tile;
	const bool diagonal = ti == tj;
	const double *di = slot->difference + ti * s->tile, *dj = slot->difference + tj * s->tile;
	if (s->element == sizeof(double)) {
		add_outer(tile, s->tile, di, (size_t)ni, dj, (size_t)nj, slot->weight, diagonal);
		const double *a = (const double *)slot->panel + ti * s->tile * s->block_rows, *b = (const double *)slot->panel +
			tj * s->tile * s->block_rows;
		if (diagonal)
			cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, ni, (int)slot->n, 1, a, ld, 1, tile, ld);
		else
			cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ni, nj, (int)slot->n, 1, a, ld, b, ld, 1, tile, ld);
		return;
	}
	const double undo = 1 / (slot->scale * slot->scale);
	for (size_t first = 0; first < slot->n; first += s->sub_rows) {
		const size_t n = slot->n - first < s->sub_rows ? slot->n - first : s->sub_rows;
		const float *a = (const float *)slot->panel + ti * s->tile * s->block_rows + first * s->tile,
			    *b = (const float *)slot->panel + tj * s->tile * s->block_rows + first * s->tile;
		if (diagonal)
			cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, ni, (int)n, 1, a, ld, 0, product, ld);
		else
			cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ni, nj, (int)n, 1, a, ld, b, ld, 0, product, ld);
		for (size_t i = 0; i < (size_t)ni; i++) {
			const size_t j = diagonal ? i : 0;
			add_product(product + i * s->tile + j, undo, dj + j, first ? 0 : slot->weight * di[i], (size_t)nj - j,
				tile + i * s->tile + j);
		}
	}
}

static int take_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	struct pass *q = ctx;
	const struct plan *s = &q->s;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++) {
		double *row = q->row + (size_t)omp_get_thread_num() * 2 * s->n_chan;
		read_block(q, &block[b], &q->slot[b], row, row + s->n_chan);
	}
	for (size_t b = 0; b < n_blocks; b++)
		join_means(q, &q->slot[b], &q->lane[block[b].index % s->n_lanes], block[b].index);
	if (!q->tiles)
		return 0;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t task = 0; task < s->n_lanes * s->n_pairs; task++) {
		const size_t lane = task / s->n_pairs, pair = task % s->n_pairs;
		float *product = (float *)q->product + (size_t)omp_get_thread_num() * s->tile * s->tile;
		size_t ti, tj;
		pair_place(s, pair, &ti, &tj);
		for (size_t b = 0; b < n_blocks; b++)
			if (block[b].index % s->n_lanes == lane && q->slot[b].n)
				multiply(q, &q->slot[b], q->lane[lane].tile + pair * s->tile * s->tile, ti, tj, product);
	}
	return 0;
}

static int pass_init(struct pass *q, const struct hs_row_frame *frame, struct hs_rowsource *rows, bool tiles, struct hs_err *err)
{
	const size_t p = rows->n_chan, threads = (size_t)hs_par_threads();
	*q = (struct pass){ .s = plan_for(p, rows->block_rows, rows->type == HS_ROW_F32 && !frame->exact, threads),
		.frame = *frame,
		.tiles = tiles };
	const struct plan *s = &q->s;
	q->row = hs_alloc(threads, 2 * p * sizeof(double), err);
	q->column_sum = q->row ? hs_alloc(p, sizeof(double), err) : NULL;
	q->product = q->column_sum ? hs_alloc(tiles ? threads : 0, s->tile * s->tile * sizeof(float), err) : NULL;
	bool ok = q->product;
	for (size_t i = 0; ok && i < s->wave; i++) {
		struct slot *slot = &q->slot[i];
		ok = (slot->mean = hs_alloc(p, sizeof(double), err)) && (slot->difference = hs_alloc(p, sizeof(double), err)) &&
			(slot->raw_sum = hs_alloc(frame->poisson ? p : 0, sizeof(double), err)) &&
			(slot->panel = hs_alloc(tiles ? panel_values(s) : 0, s->element, err));
	}
	for (size_t i = 0; ok && i < s->n_lanes; i++)
		ok = (q->lane[i].mean = hs_alloc(p, sizeof(double), err)) &&
			(q->lane[i].tile = hs_alloc(tiles ? s->n_pairs : 0, s->tile * s->tile * sizeof(double), err));
	return ok ? 0 : -1;
}

/* The slots go first, so that the matrix can be unpacked while only the first lane is still there. */
static void free_slots(struct pass *q)
{
	for (size_t i = 0; i < LANES; i++) {
		free(q->slot[i].mean);
		free(q->slot[i].difference);
		free(q->slot[i].raw_sum);
		free(q->slot[i].panel);
		q->slot[i] = (struct slot){ 0 };
	}
}

static void pass_release(struct pass *q)
{
	free_slots(q);
	for (size_t i = 0; i < LANES; i++) {
		free(q->lane[i].mean);
		free(q->lane[i].tile);
	}
	free(q->row);
	free(q->product);
	free(q->column_sum);
	free(q->used_in_block);
}

static void merge_lanes(struct pass *q, struct lane *left, struct lane *right)
{
	const struct plan *s = &q->s;
	const double both = left->n + right->n, weight = both > 0 ? left->n * right->n / both : 0;
	double *d = right->mean;      /* becomes the difference of the means */
	if (!(right->n > 0))
		return;
	for (size_t j = 0; j < s->n_chan; j++) {
		d[j] -= left->mean[j];
		left->mean[j] += d[j] * (right->n / both);
	}
	left->n = both;
	for (size_t pair = 0; q->tiles && pair < s->n_pairs; pair++) {
		double *to = left->tile + pair * s->tile * s->tile;
		const double *from = right->tile + pair * s->tile * s->tile;
		size_t ti, tj;
		pair_place(s, pair, &ti, &tj);
		for (size_t i = 0; i < s->tile * s->tile; i++)
			to[i] += from[i];
		add_outer(
			to, s->tile, d + ti * s->tile, tile_width(s, ti), d + tj * s->tile, tile_width(s, tj), weight, ti == tj);
	}
}

/* One pass over all rows; afterwards lane 0 holds everything. */
static int run_pass(struct pass *q, struct hs_rowsource *rows, const char *task, struct hs_err *err)
{
	if (hs_waves_each(rows, task, q->s.wave, take_wave, q, err) < 0)
		return -1;
	free_slots(q);
	for (size_t step = 1; step < q->s.n_lanes; step *= 2)
		for (size_t i = 0; i + step < q->s.n_lanes; i += 2 * step) {
			merge_lanes(q, &q->lane[i], &q->lane[i + step]);
			free(q->lane[i + step].tile);
			q->lane[i + step].tile = NULL;
		}
	if (!q->n_used)
		return hs_fail(err, HS_BAD_DATA, "no usable spectrum: all %zu are masked or hold values that are not finite",
			rows->n_rows);
	return 0;
}

/* Means, counts and column scales of a finished pass, into m. */
static void keep_means(struct hs_moments *m, const struct pass *q)
{
	struct hs_row_frame *f = &m->frame;
	const size_t p = f->n_chan;
	m->n_used = q->n_used;
	m->n_empty = q->n_empty;
	m->n_negative = q->n_negative;
	m->divisor = (double)(f->centre == HS_CENTRE_NONE || q->n_used < 2 ? q->n_used : q->n_used - 1);
	const double row_mean = q->row_means / (double)q->n_used;
	for (size_t j = 0; j < p; j++) {
		const double y = q->lane[0].mean[j];
		if (f->poisson) {
			f->mean[j] = q->column_sum[j] / (double)q->n_used;
			f->root_sum[j] = q->column_sum[j] > 0 ? sqrt(q->column_sum[j]) : 0;
		} else {
			f->mean[j] = f->centre == HS_CENTRE_BOTH ? y + row_mean : y;
			f->shift[j] = f->centre == HS_CENTRE_NONE ? 0 : y;
		}
	}
	const double total = f->poisson ? sum_of(q->column_sum, p) : 0;
	m->noise = total > 0 ? 1 / total : 0;
}

static int channel_side(struct hs_moments *m, struct hs_rowsource *rows, struct hs_err *err)
{
	const size_t p = rows->n_chan;
	struct pass q;
	int verdict = pass_init(&q, &m->frame, rows, true, err);
	if (verdict == 0)
		verdict = run_pass(&q, rows, "covariance", err);
	m->size = p;
	m->matrix = verdict == 0 ? hs_alloc(p * p, sizeof(double), err) : NULL;
	if (!m->matrix) {
		pass_release(&q);
		return -1;
	}
	keep_means(m, &q);
	const struct plan *s = &q.s;
	const double *mean = q.lane[0].mean, *root = m->frame.root_sum;
	for (size_t pair = 0; pair < s->n_pairs; pair++) {
		const double *tile = q.lane[0].tile + pair * s->tile * s->tile;
		size_t ti, tj;
		pair_place(s, pair, &ti, &tj);
		for (size_t i = ti * s->tile; i < ti * s->tile + tile_width(s, ti); i++)
			for (size_t j = ti == tj ? i : tj * s->tile; j < tj * s->tile + tile_width(s, tj); j++) {
				double v = tile[(i - ti * s->tile) * s->tile + j - tj * s->tile];
				if (m->frame.centre == HS_CENTRE_NONE)
					v += (double)q.n_used * mean[i] * mean[j];
				if (root)
					v = root[i] > 0 && root[j] > 0 ? v / (root[i] * root[j]) : 0;
				m->matrix[i * p + j] = v / m->divisor;
			}
	}
	for (size_t j = 0; j < p; j++)
		m->n_flat += root ? !(root[j] > 0) : !(m->matrix[j * p + j] > 0);
	pass_release(&q);
	return 0;
}

/* --- fewer rows than channels: products of rows ------------------------------------------------------------------- */

struct gram {
	struct hs_moments *m;
	size_t *first_used;           /* compact number of the first usable row of each block, n_blocks + 1 entries */
	size_t from, to;              /* blocks held */
	double *held;                 /* their usable rows, y final */
	double *wave;                 /* blocks packed for one wave */
	size_t wave_rows, n_wave;
};

static size_t pack_final(const struct hs_row_frame *f, const struct hs_block *b, double *out)
{
	const size_t p = f->n_chan, row_bytes = p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	size_t n = 0;
	for (size_t i = 0; i < b->n_rows; i++) {
		double part;
		if (!b->skip[i])
			hs_row_frame_apply(f, b->type, (const char *)b->x + i * row_bytes, true, out + n++ * p, &part);
	}
	return n;
}

static int gram_fill(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	(void)thread, (void)err;
	struct gram *g = ctx;
	if (b->index >= g->from && b->index < g->to)
		pack_final(&g->m->frame, b, g->held + (g->first_used[b->index] - g->first_used[g->from]) * b->n_chan);
	return 0;
}

/* Rows r0.. of what is held times all rows of y (n of them), into the matrix at column c0. */
static void gram_tile(const struct gram *g, size_t r0, size_t n_rows, const double *y, size_t n, size_t c0)
{
	const size_t p = g->m->frame.n_chan, size = g->m->size;
	const int ip = (int)p;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_rows, (int)n, ip, 1 / g->m->divisor, g->held + r0 * p, ip, y,
		ip, 0, g->m->matrix + (g->first_used[g->from] + r0) * size + c0, (int)size);
}

static int gram_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	struct gram *g = ctx;
	const size_t p = g->m->frame.n_chan, held = g->first_used[g->to] - g->first_used[g->from],
		     tiles = (held + GRAM_TILE - 1) / GRAM_TILE;
	if (block[n_blocks - 1].index < g->to)
		return 0;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++)
		if (block[b].index >= g->to)
			pack_final(&g->m->frame, &block[b], g->wave + b * g->wave_rows * p);
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t task = 0; task < n_blocks * tiles; task++) {
		const size_t b = task / tiles, r0 = task % tiles * GRAM_TILE, index = block[b].index;
		if (index >= g->to && g->first_used[index + 1] > g->first_used[index])
			gram_tile(g, r0, held - r0 < GRAM_TILE ? held - r0 : GRAM_TILE, g->wave + b * g->wave_rows * p,
				g->first_used[index + 1] - g->first_used[index], g->first_used[index]);
	}
	return 0;
}

/* The products among the held rows themselves: upper triangle of tiles. */
static void gram_square(struct gram *g)
{
	const size_t p = g->m->frame.n_chan, start = g->first_used[g->from], held = g->first_used[g->to] - start,
		     tiles = (held + GRAM_TILE - 1) / GRAM_TILE;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t task = 0; task < tiles * tiles; task++) {
		const size_t r0 = task / tiles * GRAM_TILE, c0 = task % tiles * GRAM_TILE;
		if (c0 >= r0)
			gram_tile(g, r0, held - r0 < GRAM_TILE ? held - r0 : GRAM_TILE, g->held + c0 * p,
				held - c0 < GRAM_TILE ? held - c0 : GRAM_TILE, start + c0);
	}
}

static int gram_products(struct gram *g, struct hs_rowsource *rows, size_t n_blocks, size_t group, struct hs_err *err)
{
	for (g->from = 0; g->from < n_blocks; g->from = g->to) {
		g->to = g->from + group < n_blocks ? g->from + group : n_blocks;
		if (hs_rows_each(rows, "row products", gram_fill, g, err) < 0)
			return -1;
		gram_square(g);
		if (g->to < n_blocks && hs_waves_each(rows, NULL, g->n_wave, gram_wave, g, err) < 0)
			return -1;
	}
	return 0;
}

static int row_side(struct hs_moments *m, struct hs_rowsource *rows, size_t hold_bytes, struct hs_err *err)
{
	const size_t p = rows->n_chan, n_blocks = (rows->n_rows + rows->block_rows - 1) / rows->block_rows,
		     block_bytes = rows->block_rows * p * sizeof(double);
	struct pass q;
	int verdict = pass_init(&q, &m->frame, rows, false, err);
	if (verdict == 0)
		verdict = (q.used_in_block = hs_alloc(n_blocks, sizeof(size_t), err)) ? run_pass(&q, rows, "mean", err) : -1;
	if (verdict < 0) {
		pass_release(&q);
		return -1;
	}
	keep_means(m, &q);
	for (size_t j = 0; m->frame.root_sum && j < p; j++)
		m->n_flat += !(m->frame.root_sum[j] > 0);
	m->gram = true;
	m->size = m->n_used;
	const size_t fit = (hold_bytes ? hold_bytes : GRAM_BYTES) / block_bytes;
	const size_t group = fit < 1 ? 1 : fit < n_blocks ? fit : n_blocks;
	struct gram g = { .m = m, .n_wave = 4, .wave_rows = rows->block_rows };
	g.first_used = hs_alloc(n_blocks + 1, sizeof(size_t), err);
	m->matrix = g.first_used ? hs_alloc(m->size * m->size, sizeof(double), err) : NULL;
	g.held = m->matrix ? hs_alloc(group, block_bytes, err) : NULL;
	g.wave = g.held ? hs_alloc(group < n_blocks ? g.n_wave : 0, block_bytes, err) : NULL;
	for (size_t b = 0; g.first_used && b < n_blocks; b++)
		g.first_used[b + 1] = g.first_used[b] + q.used_in_block[b];
	pass_release(&q);
	verdict = g.wave ? gram_products(&g, rows, n_blocks, group, err) : -1;
	free(g.first_used);
	free(g.held);
	free(g.wave);
	return verdict;
}

int hs_moments_init(struct hs_moments *m, struct hs_rowsource *rows, const struct hs_moments_options *options, struct hs_err *err)
{
	const size_t n = rows->n_rows, p = rows->n_chan;
	*m = (struct hs_moments){ .n_rows = n };
	if (options->poisson && options->centre != HS_CENTRE_NONE)
		return hs_fail(err, HS_USAGE, "Poisson scaling does not go with centring: scaled spectra are not centred");
	if (!n || !p)
		return hs_fail(err, HS_BAD_DATA, "there are no spectra: %zu rows of %zu channels", n, p);
	if (p > INT32_MAX)
		return hs_fail(err, HS_BAD_DATA, "%zu channels are more than can be counted in 31 bits", p);
	if (n > HS_MOMENTS_MAX && p > HS_MOMENTS_MAX)
		return hs_fail(err, HS_BAD_DATA,
			"%zu spectra of %zu channels are too many both ways: one of the two must be at most %d; "
			"bin or crop the channels",
			n, p, HS_MOMENTS_MAX);
	if (!frame_init(&m->frame, p, options, err))
		return -1;
	return n < p ? row_side(m, rows, options->hold_bytes, err) : channel_side(m, rows, err);
}

void hs_moments_release(struct hs_moments *m)
{
	free(m->frame.mean);
	free(m->frame.shift);
	free(m->frame.root_sum);
	free(m->matrix);
	*m = (struct hs_moments){ 0 };
}
