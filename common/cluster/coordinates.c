#include "cluster/coordinates.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/moments.h"
#include "math/par.h"
#include "factor/pca.h"
#include "math/vector.h"

enum { CHUNK = 64 };                    /* rows multiplied with the basis at a time */

/* ---- rows of length one ---- */

struct unit_rows {
	struct hs_rowsource base;
	struct hs_rowsource *of;
	struct hs_batch whole;        /* of the other source, handed out up to block `done` */
	size_t done, most;            /* blocks */
	void *x;                      /* most blocks */
	uint8_t *skip;
};

static size_t element_of(const struct hs_rowsource *rows)
{
	return rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double);
}

static int unit_rewind(struct hs_rowsource *rows, struct hs_err *err)
{
	struct unit_rows *u = (struct unit_rows *)rows;
	u->whole = (struct hs_batch){ 0 };
	u->done = 0;
	return u->of->rewind(u->of, err);
}

/* By the largest magnitude first, so that no square overflows or vanishes. */
static bool one_row(enum hs_row_type type, const void *from, size_t p, void *to)
{
	double top = 0, sum = 0;
	for (size_t j = 0; j < p; j++)
		top = fmax(top, fabs(type == HS_ROW_F64 ? ((const double *)from)[j] : (double)((const float *)from)[j]));
	if (!(top > 0))
		return false;
	for (size_t j = 0; j < p; j++) {
		const double v = (type == HS_ROW_F64 ? ((const double *)from)[j] : (double)((const float *)from)[j]) / top;
		sum += v * v;
	}
	const double root = sqrt(sum);
	for (size_t j = 0; j < p; j++)
		if (type == HS_ROW_F64)
			((double *)to)[j] = ((const double *)from)[j] / top / root;
		else
			((float *)to)[j] = (float)((double)((const float *)from)[j] / top / root);
	return true;
}

static int unit_next(struct hs_rowsource *rows, struct hs_batch *batch, struct hs_err *err)
{
	struct unit_rows *u = (struct unit_rows *)rows;
	if (u->done == u->whole.n_blocks) {
		u->done = 0;
		if (u->of->next(u->of, &u->whole, err) < 0)
			return -1;
	}
	const size_t left = u->whole.n_blocks - u->done, n_blocks = left < u->most ? left : u->most;
	const size_t start = u->done * rows->block_rows, rest = u->whole.n_rows - start,
		     n = rest < n_blocks * rows->block_rows ? rest : n_blocks * rows->block_rows;
	const size_t bytes = rows->n_chan * element_of(rows);
#pragma omp parallel for schedule(static) num_threads(hs_par_threads())
	for (size_t i = 0; i < n; i++) {
		char *to = (char *)u->x + i * bytes;
		u->skip[i] = u->whole.skip[start + i] ||
			     !one_row(rows->type, (const char *)u->whole.x + (start + i) * bytes, rows->n_chan, to);
		if (u->skip[i])
			memset(to, 0, bytes);
	}
	*batch = (struct hs_batch){ u->whole.first_block + u->done, n_blocks, u->whole.first_row + start, n, u->x, u->skip };
	u->done += n_blocks;
	return 0;
}

static size_t unit_blocks(int threads)
{
	return 2 * (size_t)(threads > 0 ? threads : 1);
}

struct hs_rowsource *hs_unit_rows_new(struct hs_rowsource *of, struct hs_err *err)
{
	struct unit_rows *u = hs_alloc(1, sizeof *u, err);
	if (!u)
		return NULL;
	*u = (struct unit_rows){ .base = *of, .of = of, .most = unit_blocks(hs_par_threads()) };
	u->base.rewind = unit_rewind;
	u->base.next = unit_next;
	const size_t blocks = (of->n_rows + of->block_rows - 1) / of->block_rows;
	u->most = u->most < blocks ? u->most : blocks ? blocks : 1;
	const size_t factor[] = { u->most, of->block_rows, of->n_chan };
	size_t values;
	if (!hs_product(factor, HS_LEN(factor), &values))
		hs_fail(err, HS_SYSTEM, "a block of rows of %zu channels is more than memory can hold", of->n_chan);
	else if ((u->x = hs_alloc(values, element_of(of), err)))
		u->skip = hs_alloc(u->most * of->block_rows, 1, err);
	if (!u->skip) {
		hs_unit_rows_free(&u->base);
		return NULL;
	}
	return &u->base;
}

void hs_unit_rows_free(struct hs_rowsource *rows)
{
	struct unit_rows *u = (struct unit_rows *)rows;
	if (!u)
		return;
	free(u->x);
	free(u->skip);
	free(u);
}

double hs_unit_rows_bytes(size_t n_chan, int threads)
{
	return (double)unit_blocks(threads) * (double)hs_block_rows(n_chan) * (8 * (double)n_chan + 1);
}

/* ---- few coordinates ---- */

struct filling {
	const struct hs_pca *pca;     /* NULL: rows as they are */
	size_t p;                     /* channels of the source */
	struct hs_coordinates *out;
	uint8_t *used;
	size_t *place;                /* of the first usable row of each block among all usable ones */
	double *scratch;              /* a thread: CHUNK rows of the source */
};

static int count_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)thread;
	(void)err;
	const struct filling *f = ctx;
	for (size_t i = 0; i < block->n_rows; i++)
		f->used[block->first_row + i] = !block->skip[i];
	return 0;
}

static void project(const struct filling *f, const double *y, size_t n, double *to)
{
	const blasint k = (blasint)f->out->n_chan, p = (blasint)f->p;
	if (k)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n, k, p, 1, y, p, f->pca->basis, p, 0, to, k);
}

static int fill_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	const struct filling *f = ctx;
	const size_t p = f->p, k = f->out->n_chan, bytes = p * (block->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	double *y = f->scratch + (size_t)thread * CHUNK * p, *to = f->out->x + f->place[block->index] * k, part;
	size_t n = 0;
	for (size_t i = 0; i < block->n_rows; i++) {
		if (block->skip[i])
			continue;
		if (!f->pca) {
			hs_block_row(block, i, false, to);
			to += k;
			continue;
		}
		hs_row_frame_apply(&f->pca->frame, block->type, (const char *)block->x + i * bytes, true, y + n++ * p, &part);
		if (n == CHUNK) {
			project(f, y, n, to);
			to += n * k;
			n = 0;
		}
	}
	if (n)
		project(f, y, n, to);
	return 0;
}

/* Which rows are usable, and where each block's rows go. */
static int survey(struct hs_rowsource *rows, struct filling *f, struct hs_err *err)
{
	const size_t n = rows->n_rows;
	struct hs_coordinates *out = f->out;
	if (!(f->used = hs_alloc(n, 1, err)) || !(f->place = hs_alloc(n / rows->block_rows + 1, sizeof *f->place, err)) ||
		hs_rows_each(rows, NULL, count_block, f, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (i % rows->block_rows == 0)
			f->place[i / rows->block_rows] = out->n_used;
		out->n_used += f->used[i];
	}
	if (!(out->row = hs_alloc(out->n_used, sizeof *out->row, err)))
		return -1;
	for (size_t i = 0, at = 0; i < n; i++)
		if (f->used[i])
			out->row[at++] = i;
	return 0;
}

static int find_components(struct hs_rowsource *rows, size_t most, struct hs_pca *pca, struct hs_coordinates *out,
	struct hs_err *err)
{
	const struct hs_moments_options options = { .centre = HS_CENTRE_CHANNEL };
	struct hs_moments m = { 0 };
	int verdict = hs_moments_init(&m, rows, &options, err);
	if (verdict == 0)
		verdict = hs_pca_init(pca, &m, rows, most, err);
	hs_moments_release(&m);
	if (verdict < 0)
		return -1;
	out->n_chan = pca->n_comp;
	out->projected = true;
	out->share = 0;
	for (size_t k = 0; k < pca->n_comp; k++)
		out->share += hs_pca_ratio(pca, k);
	return 0;
}

static int fill(struct hs_rowsource *rows, struct filling *f, struct hs_err *err)
{
	struct hs_coordinates *out = f->out;
	size_t values;
	if (!hs_mul(out->n_used, out->n_chan, &values))
		return hs_fail(err, HS_SYSTEM, "%zu rows of %zu coordinates are more than memory can hold", out->n_used, out->n_chan);
	if (!(out->x = hs_alloc(values, sizeof *out->x, err)) ||
		!(f->scratch = hs_alloc((size_t)hs_par_threads() * CHUNK, rows->n_chan * sizeof(double), err)) ||
		hs_rows_each(rows, "coordinates", fill_block, f, err) < 0)
		return -1;
	double square = 0;
	for (size_t i = 0; i < values; i++)
		square += out->x[i] * out->x[i];
	return isfinite(square) ? 0 : hs_fail(err, HS_BAD_DATA, "values are too large: their squares overflow");
}

int hs_coordinates_find(struct hs_rowsource *rows, size_t most, bool unit, struct hs_coordinates *out, struct hs_err *err)
{
	*out = (struct hs_coordinates){ .n_rows = rows->n_rows, .n_chan = rows->n_chan, .share = 1 };
	struct hs_rowsource *from = unit ? hs_unit_rows_new(rows, err) : rows;
	struct hs_pca pca = { 0 };
	struct filling f = { .out = out, .p = rows->n_chan };
	int verdict = from ? survey(from, &f, err) : -1;
	if (verdict == 0 && rows->n_chan > most && out->n_used) {
		verdict = find_components(from, most, &pca, out, err);
		f.pca = &pca;
	}
	if (verdict == 0)
		verdict = fill(from, &f, err);
	hs_pca_release(&pca);
	free(f.used);
	free(f.place);
	free(f.scratch);
	if (unit)
		hs_unit_rows_free(from);
	if (verdict < 0)
		hs_coordinates_release(out);
	return verdict;
}

void hs_coordinates_release(struct hs_coordinates *coordinates)
{
	free(coordinates->x);
	free(coordinates->row);
	*coordinates = (struct hs_coordinates){ 0 };
}

double hs_coordinates_bytes(double n_rows, size_t n_chan, size_t most, bool unit, int threads)
{
	const size_t n = n_rows < 0x1p62 ? (size_t)n_rows : (size_t)1 << 62, order = n < n_chan ? n : n_chan;
	const double kept = n_rows * (8 * (double)(most < n_chan ? most : n_chan) + 8);
	const double scratch = threads * CHUNK * 8 * (double)n_chan + n_rows * (1 + 8.0 / 64);
	const double moments = n_chan > most ? (double)hs_moments_bytes(n, n_chan, threads) : 0,
		     pca = n_chan > most ? 8 * (double)order * (double)order + (double)hs_pca_bytes(n, n_chan, most, threads) : 0;
	return kept + scratch + (moments > pca ? moments : pca) + (unit ? hs_unit_rows_bytes(n_chan, threads) : 0);
}

int32_t *hs_coordinates_labels(const struct hs_coordinates *coordinates, const int32_t *label, struct hs_err *err)
{
	int32_t *all = hs_alloc(coordinates->n_rows, sizeof *all, err);
	for (size_t i = 0; all && i < coordinates->n_rows; i++)
		all[i] = -1;
	for (size_t i = 0; all && i < coordinates->n_used; i++)
		all[coordinates->row[i]] = label[i];
	return all;
}
