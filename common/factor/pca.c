#include "factor/pca.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

enum { CHANNEL_TILE = 512, SCORE_WAVE = 16 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t wave_for(size_t threads)
{
	return threads < 2 ? 1 : least(2 * threads, SCORE_WAVE);
}

size_t hs_pca_bytes(size_t n_rows, size_t n_chan, size_t n_comp, int threads)
{
	const size_t size = least(n_rows, n_chan), k = least(n_comp, size), t = (size_t)(threads > 0 ? threads : 1),
		     block = hs_block_rows(n_chan), wave = wave_for(t);
	const size_t turn = n_rows < n_chan ? k * n_rows + wave * block * n_chan : 0;
	const size_t solve = hs_la_eigh_bytes(size, k) + (size + 3 * k * n_chan + turn) * sizeof(double),
		     pass = (t * (n_chan + block * (n_chan + k)) + 2 * k * n_chan) * sizeof(double)
			+ wave * block * (n_chan > k ? n_chan : k) * sizeof(float);
	return solve > pass ? solve : pass;
}

/* --- the row side: basis v_k = sum_i u_ik y_i --------------------------------------------------------------------- */

struct turn {
	const struct hs_pca *pca;
	const double *u;              /* n_comp x n_used */
	double *y;                    /* a wave of blocks: their usable rows */
	size_t done;                  /* usable rows before this wave */
	size_t wave_rows, n_used[SCORE_WAVE];
};

static size_t pack(const struct hs_row_frame *f, const struct hs_block *b, double *y)
{
	const size_t p = f->n_chan, row_bytes = p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	size_t n = 0;
	for (size_t i = 0; i < b->n_rows; i++) {
		double part;
		if (!b->skip[i])
			hs_row_frame_apply(f, b->type, (const char *)b->x + i * row_bytes, true, y + n++ * p, &part);
	}
	return n;
}

static int turn_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	struct turn *t = ctx;
	const size_t p = t->pca->n_chan, k = t->pca->n_comp, tiles = (p + CHANNEL_TILE - 1) / CHANNEL_TILE,
		     n_all = t->pca->n_used;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++)
		t->n_used[b] = pack(&t->pca->frame, &block[b], t->y + b * t->wave_rows * p);
	/* threads own channels and take blocks in order: one order of additions however many threads */
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t tile = 0; tile < tiles; tile++) {
		const size_t first = tile * CHANNEL_TILE, width = least(CHANNEL_TILE, p - first);
		size_t at = t->done;
		for (size_t b = 0; b < n_blocks; at += t->n_used[b++])
			if (t->n_used[b])
				cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)width, (int)t->n_used[b], 1,
					t->u + at, (int)n_all, t->y + b * t->wave_rows * p + first, (int)p, 1,
					t->pca->basis + first, (int)p);
	}
	for (size_t b = 0; b < n_blocks; b++)
		t->done += t->n_used[b];
	return 0;
}

static int basis_from_rows(struct hs_pca *pca, struct hs_rowsource *rows, const double *u, struct hs_err *err)
{
	const size_t wave = wave_for((size_t)hs_par_threads());
	struct turn t = { .pca = pca, .u = u, .wave_rows = rows->block_rows };
	size_t values;
	if (!hs_product((size_t[]){ wave, rows->block_rows, pca->n_chan }, 3, &values))
		return hs_fail(err, HS_BAD_DATA, "%zu channels are too many to hold a block of rows", pca->n_chan);
	t.y = hs_alloc(values, sizeof(double), err);
	if (!t.y)
		return -1;
	const int verdict = hs_waves_each(rows, "components", wave, turn_wave, &t, err);
	free(t.y);
	if (verdict == 0)
		hs_la_orthonormalise(pca->basis, pca->n_comp, pca->n_chan);
	return verdict;
}

/* --- eigenvalues and basis ---------------------------------------------------------------------------------------- */

static int solve(struct hs_pca *pca, struct hs_moments *m, struct hs_rowsource *rows, struct hs_err *err)
{
	const size_t k = pca->n_comp;
	double *value = hs_alloc(m->size, sizeof *value, err);
	double *u = value && m->gram ? hs_alloc(k * m->size, sizeof *u, err) : NULL;
	int verdict = value && (u || !m->gram) ? hs_la_eigh(m->matrix, m->size, k, value, m->gram ? u : pca->basis, err) : -1;
	for (size_t i = 0; verdict == 0 && i < pca->n_eig; i++) {
		pca->eigenvalue[i] = value[i] > 0 ? value[i] : 0;
		pca->total += pca->eigenvalue[i];
	}
	if (verdict == 0 && m->gram && k)
		verdict = basis_from_rows(pca, rows, u, err);
	free(value);
	free(u);
	return verdict;
}

static int fix_signs(struct hs_pca *pca, struct hs_err *err)
{
	const size_t p = pca->n_chan, k = pca->n_comp;
	pca->loadings = pca->frame.poisson ? hs_alloc(k * p, sizeof(double), err) : pca->basis;
	if (!pca->loadings)
		return -1;
	for (size_t i = 0; pca->frame.poisson && i < k; i++)
		for (size_t j = 0; j < p; j++)
			pca->loadings[i * p + j] = pca->basis[i * p + j] * pca->frame.root_sum[j];
	pca->sign = hs_alloc(k, sizeof(double), err);
	if (!pca->sign)
		return -1;
	for (size_t i = 0; i < k; i++) {
		pca->sign[i] = hs_la_sign(pca->loadings + i * p, p);
		if (pca->sign[i] > 0)
			continue;
		cblas_dscal((int)p, -1, pca->basis + i * p, 1);
		if (pca->frame.poisson)
			cblas_dscal((int)p, -1, pca->loadings + i * p, 1);
	}
	return 0;
}

static void count_free(struct hs_pca *pca, size_t n_rows, size_t n_flat)
{
	pca->n_rows_free = n_rows;
	pca->n_chan_free = pca->n_chan - n_flat - (pca->frame.centre == HS_CENTRE_BOTH && pca->n_chan > n_flat ? 1 : 0);
}

int hs_pca_init(struct hs_pca *pca, struct hs_moments *m, struct hs_rowsource *rows, size_t n_comp, struct hs_err *err)
{
	const size_t p = m->frame.n_chan, n_eig = least(m->n_used, p),
		     degrees = m->n_used - (m->frame.centre == HS_CENTRE_NONE ? 0 : 1);
	*pca = (struct hs_pca){ .frame = m->frame,
		.n_used = m->n_used,
		.n_chan = p,
		.n_comp = least(n_comp, n_eig),
		.n_eig = n_eig,
		.noise = m->noise };
	m->frame = (struct hs_row_frame){ 0 };
	count_free(pca, degrees - m->n_empty, m->n_flat);
	pca->floor = (double)(m->n_used > p ? m->n_used : p) * DBL_EPSILON;
	pca->eigenvalue = hs_alloc(n_eig, sizeof(double), err);
	pca->basis = pca->eigenvalue ? hs_alloc(pca->n_comp * p, sizeof(double), err) : NULL;
	if (!pca->basis || solve(pca, m, rows, err) < 0)
		return -1;
	return fix_signs(pca, err);
}

int hs_pca_adopt(struct hs_pca *pca, struct hs_survey *s, size_t n_eig, double *eigenvalue, size_t n_comp, double *basis,
	double floor, struct hs_err *err)
{
	*pca = (struct hs_pca){ .frame = s->frame, .n_used = s->n_used, .n_chan = s->frame.n_chan, .n_comp = n_comp, .n_eig = n_eig,
		.eigenvalue = eigenvalue, .total = s->total, .basis = basis, .noise = s->noise, .floor = floor };
	s->frame = (struct hs_row_frame){ 0 };
	count_free(pca, s->n_used - (pca->frame.centre == HS_CENTRE_NONE ? 0 : 1) - s->n_empty, s->n_flat);
	double known = 0;
	for (size_t i = 0; i < n_eig; i++) {
		if (!isfinite(eigenvalue[i]))
			return hs_fail(err, HS_BAD_DATA,
				"values are so large that their variance is beyond float64: divide them by their magnitude first");
		known += eigenvalue[i];
	}
	pca->total = fmax(pca->total, known);         /* two sums of the same, apart by rounding when all are known */
	return fix_signs(pca, err);
}

int hs_pca_keep(struct hs_pca *pca, size_t n_rows, double *score, double *part, struct hs_err *err)
{
	pca->score = score;
	pca->part = part;
	pca->n_rows = n_rows;
	if (!score || !part)
		return hs_fail(err, HS_BUG, "there are no scores to keep");
	for (size_t i = 0; i < n_rows; i++)
		for (size_t c = 0; c < pca->n_comp; c++)
			score[i * pca->n_comp + c] *= pca->sign[c];
	return 0;
}

void hs_pca_release(struct hs_pca *pca)
{
	free(pca->score);
	free(pca->part);
	free(pca->sign);
	free(pca->frame.mean);
	free(pca->frame.shift);
	free(pca->frame.root_sum);
	free(pca->eigenvalue);
	if (pca->loadings != pca->basis)
		free(pca->loadings);
	free(pca->basis);
	*pca = (struct hs_pca){ 0 };
}

double hs_pca_ratio(const struct hs_pca *pca, size_t k)
{
	return pca->total > 0 && k < pca->n_eig ? pca->eigenvalue[k] / pca->total : 0;
}

/* --- second passes: y -> scores, scores -> x ---------------------------------------------------------------------- */

struct project {
	const struct hs_pca *pca;
	size_t k, width, block_rows;
	bool rebuild, f32;
	void *basis;                  /* k x n_chan, float or double */
	char *scratch;                /* threads x share: rows of y, then their scores */
	double *row;                  /* threads x n_chan */
	double *part;                 /* threads x block_rows: what undoes the row's own change */
	size_t row_bytes, share;
	float *out;                   /* a wave of blocks */
	hs_rows_put put;
	void *ctx;
};

/* All rows of a block as y; skipped ones are zero, so that row numbers stay what they are. */
static void project_rows(const struct project *q, const struct hs_block *b, double *row, double *part, void *y)
{
	const struct hs_pca *pca = q->pca;
	const size_t p = pca->n_chan, in_bytes = p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	for (size_t i = 0; i < b->n_rows; i++) {
		if (b->skip[i]) {
			memset((char *)y + i * q->row_bytes, 0, q->row_bytes);
			continue;
		}
		const void *x = (const char *)b->x + i * in_bytes;
		const bool full = q->f32 ? hs_row_frame_apply_f32(&pca->frame, b->type, x, row, (float *)y + i * p, &part[i]) :
			hs_row_frame_apply(&pca->frame, b->type, x, true, (double *)y + i * p, &part[i]);
		if (!full)
			part[i] = 0;
	}
}

static void multiply(const struct project *q, bool back, const void *a, size_t n, void *out)
{
	const int k = (int)q->k, p = (int)q->pca->n_chan, rows = (int)n;
	const int inner = back ? k : p, columns = back ? p : k;
	const enum CBLAS_TRANSPOSE turned = back ? CblasNoTrans : CblasTrans;
	if (!k) {
		memset(out, 0, n * (back ? q->row_bytes : 0));
		return;
	}
	if (q->f32)
		cblas_sgemm(CblasRowMajor, CblasNoTrans, turned, rows, columns, inner, 1, a, inner, q->basis, p, 0, out, columns);
	else
		cblas_dgemm(CblasRowMajor, CblasNoTrans, turned, rows, columns, inner, 1, a, inner, q->basis, p, 0, out, columns);
}

static void project_block(const struct project *q, const struct hs_block *b, int thread, float *out)
{
	const struct hs_row_frame *f = &q->pca->frame;
	const size_t p = q->pca->n_chan, w = q->width;
	double *row = q->row + (size_t)thread * p, *part = q->part + (size_t)thread * q->block_rows;
	char *y = q->scratch + (size_t)thread * q->share, *t = y + q->block_rows * q->row_bytes;
	project_rows(q, b, row, part, y);
	multiply(q, false, y, b->n_rows, t);
	if (q->rebuild)
		multiply(q, true, t, b->n_rows, y);
	const char *from = q->rebuild ? y : t;
	for (size_t i = 0; i < b->n_rows; i++)
		for (size_t j = 0; j < w; j++) {
			const double v = q->f32 ? (double)((const float *)from)[i * w + j] : ((const double *)from)[i * w + j];
			double x = f->poisson ? v * part[i] : v;
			if (q->rebuild && f->poisson)
				x *= f->root_sum[j];
			else if (q->rebuild)
				x += f->shift[j] + part[i];
			out[i * w + j] = b->skip[i] ? NAN : (float)x;
		}
}

static int project_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	const struct project *q = ctx;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++)
		project_block(q, &block[b], omp_get_thread_num(), q->out + b * q->block_rows * q->width);
	/* only the last block of a source may be short, so the wave's results are one piece */
	size_t n_rows = 0;
	for (size_t b = 0; b < n_blocks; b++)
		n_rows += block[b].n_rows;
	return q->put(q->ctx, block[0].first_row, n_rows, q->out, err);
}

/* The same from scores that are here already. */
static int deliver_kept(const struct hs_pca *pca, size_t k, bool rebuild, hs_rows_put put, void *ctx, struct hs_err *err)
{
	const struct hs_row_frame *f = &pca->frame;
	const size_t p = pca->n_chan, width = rebuild ? p : k, strip = hs_block_rows(width);
	float *out = hs_alloc(strip, width * sizeof *out, err);
	int verdict = out ? 0 : -1;
	for (size_t first = 0; first < pca->n_rows && verdict == 0; first += strip) {
		const size_t n = least(strip, pca->n_rows - first);
#pragma omp parallel for num_threads(hs_par_threads())
		for (size_t i = 0; i < n; i++) {
			const double *t = pca->score + (first + i) * pca->n_comp, part = pca->part[first + i];
			for (size_t j = 0; j < width; j++) {
				double v = rebuild ? k ? cblas_ddot((int)k, t, 1, pca->basis + j, (int)p) : 0 : t[j];
				v = f->poisson ? v * part : v;
				if (rebuild)
					v = f->poisson ? v * f->root_sum[j] : v + f->shift[j] + part;
				out[i * width + j] = isnan(part) ? NAN : (float)v;
			}
		}
		verdict = put(ctx, first, n, out, err);
	}
	free(out);
	return verdict;
}

static int project(const struct hs_pca *pca, struct hs_rowsource *rows, size_t k, bool rebuild, hs_rows_put put, void *ctx,
	struct hs_err *err)
{
	const size_t p = pca->n_chan, threads = (size_t)hs_par_threads(), wave = wave_for(threads), block_rows = rows->block_rows;
	if (pca->score && k <= pca->n_comp && rows->n_rows == pca->n_rows)
		return deliver_kept(pca, k, rebuild, put, ctx, err);
	if (rows->n_chan != p)
		return hs_fail(err, HS_BAD_DATA, "components have %zu channels, the spectra %zu", p, rows->n_chan);
	if (k > pca->n_comp)
		return hs_fail(err, HS_USAGE, "%zu components are wanted, %zu are known", k, pca->n_comp);
	struct project q = { .pca = pca, .k = k, .width = rebuild ? p : k, .block_rows = block_rows, .rebuild = rebuild,
		.f32 = rows->type == HS_ROW_F32 && !pca->frame.exact, .put = put, .ctx = ctx };
	const size_t element = q.f32 ? sizeof(float) : sizeof(double);
	q.row_bytes = p * element;
	q.share = block_rows * (p + k) * element;
	q.basis = hs_alloc(k * p, element, err);
	q.scratch = q.basis ? hs_alloc(threads, q.share, err) : NULL;
	q.row = q.scratch ? hs_alloc(threads, p * sizeof(double), err) : NULL;
	q.part = q.row ? hs_alloc(threads, block_rows * sizeof(double), err) : NULL;
	q.out = q.part ? hs_alloc(wave * block_rows, q.width * sizeof(float), err) : NULL;
	int verdict = -1;
	if (q.out) {
		for (size_t i = 0; i < k * p; i++)
			if (q.f32)
				((float *)q.basis)[i] = (float)pca->basis[i];
			else
				((double *)q.basis)[i] = pca->basis[i];
		verdict = hs_waves_each(rows, rebuild ? "rebuilding" : "scores", wave, project_wave, &q, err);
	}
	free(q.basis);
	free(q.scratch);
	free(q.row);
	free(q.part);
	free(q.out);
	return verdict;
}

int hs_pca_scores(const struct hs_pca *pca, struct hs_rowsource *rows, size_t k, hs_rows_put put, void *ctx, struct hs_err *err)
{
	return project(pca, rows, k, false, put, ctx, err);
}

int hs_pca_rebuild(const struct hs_pca *pca, struct hs_rowsource *rows, size_t k, hs_rows_put put, void *ctx, struct hs_err *err)
{
	return project(pca, rows, k, true, put, ctx, err);
}
