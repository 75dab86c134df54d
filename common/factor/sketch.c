#include "factor/sketch.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"
#include "factor/rsvd.h"

enum { TIMES = 6, SPARE = 30 };
#define SMALL_SHARE 0.01              /* of the mean channel sum: what an empty channel counts as before sums are known */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

struct sketching {
	struct hs_sketch *s;
	struct hs_row_frame frame;    /* provisional; its arrays are shift and root below */
	bool ready;                   /* provisional frame is made */
	size_t p, l, wave;
	double *shift, *root;
	double *omega, *z;            /* l x p */
	double *kept;                 /* n_rows x l: w, NaN for rows not used */
	struct hs_spread all, *own;   /* of y in the provisional frame; of each block of a wave */
	double *raw_sum, *own_raw;    /* channel sums; of each block of a wave */
	double *row_means;            /* of each block of a wave */
	double sum_of_means;
	size_t *counts;               /* of each block of a wave: empty, negative */
	struct hs_framed *block;
	double **w;
};

/* The first usable rows say where zero is and how large channels are, about. */
static void provide(struct sketching *q, const struct hs_block *b, double *row)
{
	const size_t row_bytes = q->p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	struct hs_row_frame bare = q->frame;
	double n = 0, part, level = 0;
	bare.shift = NULL;
	for (size_t i = 0; i < b->n_rows; i++) {
		if (b->skip[i])
			continue;
		n++;
		const bool full = hs_row_frame_apply(&bare, b->type, (const char *)b->x + i * row_bytes, false, row, &part);
		for (size_t j = 0; j < q->p; j++) {
			q->shift[j] += (row[j] - q->shift[j]) / n;
			q->root[j] += full && q->frame.poisson ? row[j] * part : 0;
		}
	}
	q->ready = n > 0;
	for (size_t j = 0; j < q->p; j++)
		level += fmax(q->root[j], 0) / (double)q->p;
	for (size_t j = 0; j < q->p; j++) {
		q->root[j] = level > 0 ? sqrt(fmax(q->root[j], 0) + SMALL_SHARE * level) : 1;
		q->shift[j] = q->frame.centre == HS_CENTRE_NONE ? 0 : q->shift[j];
	}
}

static void take_block(struct sketching *q, const struct hs_block *b, size_t slot)
{
	struct hs_framed *to = &q->block[slot];
	const size_t p = q->p, row_bytes = p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	double *raw = q->own_raw + slot * p;
	to->n = q->counts[2 * slot] = q->counts[2 * slot + 1] = 0;
	q->row_means[slot] = 0;
	memset(raw, 0, p * sizeof *raw);
	for (size_t i = 0; i < b->n_rows; i++) {
		q->s->part[b->first_row + i] = NAN;
		if (b->skip[i])
			continue;
		double part, *y = to->y + to->n * p;
		const bool full = hs_row_frame_apply(&q->frame, b->type, (const char *)b->x + i * row_bytes, true, y, &part);
		q->counts[2 * slot] += !full;
		q->counts[2 * slot + 1] += !full && part < 0;
		part = full ? part : 0;
		for (size_t j = 0; q->frame.poisson && j < p; j++)
			raw[j] += y[j] * q->root[j] * part;
		q->row_means[slot] += q->frame.poisson ? 0 : part;
		q->s->part[b->first_row + i] = part;
		to->row[to->n++] = b->first_row + i;
	}
	hs_spread_of(&q->own[slot], to->y, to->n, p);
	if (to->n)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)to->n, (int)q->l, (int)p, 1, to->y, (int)p, q->omega, (int)p, 0,
			q->w[slot], (int)q->l);
	for (size_t i = 0; i < to->n; i++)
		memcpy(q->kept + to->row[i] * q->l, q->w[slot] + i * q->l, q->l * sizeof(double));
}

static int take_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	struct sketching *q = ctx;
	for (size_t b = 0; b < n_blocks && !q->ready; b++)
		provide(q, &block[b], q->block[0].y);
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t b = 0; b < n_blocks; b++)
		take_block(q, &block[b], b);
	for (size_t b = 0; b < n_blocks; b++) {
		hs_spread_join(&q->all, &q->own[b], q->p, NULL);
		q->s->survey.n_empty += q->counts[2 * b];
		q->s->survey.n_negative += q->counts[2 * b + 1];
		q->sum_of_means += q->row_means[b];
		cblas_daxpy((int)q->p, 1, q->own_raw + b * q->p, 1, q->raw_sum, 1);
	}
	hs_rsvd_gather(q->z, q->l, q->block, n_blocks, q->w, q->p);
	return 0;
}

/* From the provisional frame to the true one: w and z of the rows as they should have been, and the survey. */
static int put_right(struct sketching *q, struct hs_err *err)
{
	const size_t p = q->p, l = q->l;
	struct hs_survey *s = &q->s->survey;
	s->n_used = (size_t)q->all.n;
	double *seen = hs_alloc(l, sizeof *seen, err);         /* omega d, d the mean in the provisional frame */
	if (!seen)
		return -1;
	if (s->frame.centre != HS_CENTRE_NONE) {
		cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)l, (int)p, 1, q->omega, (int)p, q->all.mean, 1, 0, seen, 1);
		cblas_dger(CblasRowMajor, (int)l, (int)p, -q->all.n, seen, 1, q->all.mean, 1, q->z, (int)p);
		for (size_t i = 0; i < s->n_rows; i++)
			for (size_t c = 0; c < l; c++)
				q->kept[i * l + c] -= seen[c];
	}
	for (size_t j = 0; j < p; j++) {
		const double back = s->frame.poisson ? q->root[j] : 1, scale = q->raw_sum[j] > 0 ? back / sqrt(q->raw_sum[j]) : 0;
		for (size_t c = 0; s->frame.poisson && c < l; c++)
			q->z[c * p + j] *= scale;
		q->all.scatter[j] *= back * back;
		q->all.mean[j] = (q->all.mean[j] + q->shift[j]) * back;
	}
	free(seen);
	return hs_survey_finish(s, &q->all, q->raw_sum, q->sum_of_means, err);
}

/* kept = q r, r = u s v, so b = (q u)^T y = s^-1 v z, whose singular vectors are the components. turn (l x k) takes a row of q
 * to its scores. */
static int components(struct sketching *q, double *kept, double *turn, struct hs_err *err)
{
	struct hs_sketch *out = q->s;
	const size_t p = q->p, l = q->l, n = out->survey.n_used, k = out->k;
	double *r = hs_alloc(4 * l + 2, l * sizeof *r, err), *b = r ? hs_alloc(l, p * sizeof *b, err) : NULL,
	       *vt = b ? hs_alloc(l, p * sizeof *vt, err) : NULL;
	double *u = r ? r + l * l : NULL, *v = u ? u + l * l : NULL, *inner = v ? v + l * l : NULL, *s = inner ? inner + l * l : NULL,
	       *value = s ? s + l : NULL;
	int verdict = vt ? hs_la_qr(kept, n, l, true, r, err) : -1;
	if (verdict == 0)
		verdict = hs_la_svd(r, l, l, u, s, v, err);
	if (verdict == 0) {
		for (size_t i = 0; i < l; i++)
			cblas_dscal((int)l, s[i] > HS_SKETCH_RESOLVED * s[0] && s[i] > 0 ? 1 / s[i] : 0, v + i * l, 1);
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)l, (int)p, (int)l, 1, v, (int)l, q->z, (int)p, 0, b, (int)p);
		verdict = hs_la_svd(b, l, p, inner, value, vt, err);
	}
	for (size_t c = 0; verdict == 0 && c < k; c++) {
		out->eigenvalue[c] = value[c] * value[c] / out->survey.divisor;
		memcpy(out->vector + c * p, vt + c * p, p * sizeof *vt);
		for (size_t i = 0; i < l; i++)
			inner[i * l + c] *= value[c];
	}
	if (verdict == 0) {
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)l, (int)k, (int)l, 1, u, (int)l, inner, (int)l, 0, turn, (int)k);
		hs_la_orthonormalise(out->vector, k, p);
	}
	free(r);
	free(b);
	free(vt);
	return verdict;
}

static int solve(struct sketching *q, struct hs_err *err)
{
	struct hs_sketch *out = q->s;
	const size_t p = q->p, n_rows = out->survey.n_rows, most = least(out->survey.n_used, p);
	/* fewer used rows than directions: the first ones do */
	const size_t l = least(q->l, most);
	out->k = least(out->k, l);
	out->eigenvalue = hs_alloc(out->k, sizeof(double), err);
	out->vector = out->eigenvalue ? hs_alloc(out->k, p * sizeof(double), err) : NULL;
	out->score = out->vector ? hs_alloc(n_rows, out->k * sizeof(double), err) : NULL;
	double *turn = out->score ? hs_alloc(l, out->k * sizeof *turn, err) : NULL;
	size_t at = 0;
	for (size_t i = 0; turn && i < n_rows; i++)
		if (!isnan(out->part[i])) {
			memmove(q->kept + at * l, q->kept + i * q->l, l * sizeof(double));
			at++;
		}
	q->l = l;
	const int verdict = turn ? components(q, q->kept, turn, err) : -1;
	const size_t k = out->k;
	at = 0;
	for (size_t i = 0; verdict == 0 && i < n_rows; i++) {
		const bool used = !isnan(out->part[i]);
		for (size_t c = 0; c < k; c++)
			out->score[i * k + c] = used ? cblas_ddot((int)l, q->kept + at * l, 1, turn + c, (int)k) : NAN;
		at += used;
	}
	free(turn);
	return verdict;
}

static bool make_room(struct sketching *q, size_t n_rows, size_t block_rows, struct hs_err *err)
{
	const size_t p = q->p, l = q->l, wave = q->wave;
	bool ok = (q->shift = hs_alloc(p, sizeof(double), err)) && (q->root = hs_alloc(p, sizeof(double), err)) &&
		(q->omega = hs_alloc(l, p * sizeof(double), err)) && (q->z = hs_alloc(l, p * sizeof(double), err)) &&
		(q->kept = hs_alloc(n_rows, l * sizeof(double), err)) && (q->raw_sum = hs_alloc(p, sizeof(double), err)) &&
		(q->own_raw = hs_alloc(wave, p * sizeof(double), err)) && (q->row_means = hs_alloc(wave, sizeof(double), err)) &&
		(q->counts = hs_alloc(wave, 2 * sizeof(size_t), err)) && (q->own = hs_alloc(wave, sizeof *q->own, err)) &&
		(q->block = hs_alloc(wave, sizeof *q->block, err)) && (q->w = hs_alloc(wave, sizeof *q->w, err)) &&
		(q->all.mean = hs_alloc(2 * p, sizeof(double), err)) && (q->s->part = hs_alloc(n_rows, sizeof(double), err));
	q->all.scatter = ok ? q->all.mean + p : NULL;
	for (size_t b = 0; b < wave && ok; b++) {
		ok = (q->block[b].y = hs_alloc(block_rows, p * sizeof(double), err)) &&
			(q->block[b].row = hs_alloc(block_rows, sizeof(size_t), err)) &&
			(q->w[b] = hs_alloc(block_rows, l * sizeof(double), err)) &&
			(q->own[b].mean = hs_alloc(2 * p, sizeof(double), err));
		q->own[b].scatter = ok ? q->own[b].mean + p : NULL;
	}
	return ok;
}

static void free_room(struct sketching *q)
{
	for (size_t b = 0; b < q->wave; b++) {
		if (q->block) {
			free(q->block[b].y);
			free(q->block[b].row);
		}
		if (q->w)
			free(q->w[b]);
		if (q->own)
			free(q->own[b].mean);
	}
	void *const all[] = { q->shift, q->root, q->omega, q->z, q->kept, q->raw_sum, q->own_raw, q->row_means, q->counts, q->own,
		q->block, q->w, q->all.mean };
	for (size_t i = 0; i < HS_LEN(all); i++)
		free(all[i]);
}

int hs_sketch_init(struct hs_sketch *s, struct hs_rowsource *rows, const struct hs_moments_options *o, size_t k, uint64_t seed,
	struct hs_err *err)
{
	const size_t p = rows->n_chan, most = least(rows->n_rows, p);
	*s = (struct hs_sketch){ .k = least(k, most) };
	if (hs_survey_begin(&s->survey, rows, o, err) < 0)
		return -1;
	struct sketching q = { .s = s, .frame = s->survey.frame, .p = p, .l = least(TIMES * s->k + SPARE, most),
		.wave = hs_framed_wave() };
	int verdict = make_room(&q, rows->n_rows, rows->block_rows, err) ? 0 : -1;
	if (verdict == 0) {
		q.frame.shift = q.shift;
		q.frame.root_sum = q.root;
		hs_rsvd_directions(q.omega, q.l, p, seed);
		verdict = hs_waves_each(rows, "sketch", q.wave, take_wave, &q, err);
	}
	if (verdict == 0)
		verdict = put_right(&q, err);
	if (verdict == 0)
		verdict = solve(&q, err);
	free_room(&q);
	return verdict;
}

void hs_sketch_release(struct hs_sketch *s)
{
	hs_survey_release(&s->survey);
	free(s->eigenvalue);
	free(s->vector);
	free(s->score);
	free(s->part);
	*s = (struct hs_sketch){ 0 };
}

size_t hs_sketch_bytes(size_t n_rows, size_t n_chan, size_t k, int threads)
{
	const size_t most = least(n_rows, n_chan), kept = least(k, most), l = least(TIMES * kept + SPARE, most),
		     t = (size_t)(threads > 0 ? threads : 1), wave = least(2 * t, 16);
	return (n_rows * (l + kept + 1) + wave * (hs_block_rows(n_chan) * (n_chan + l + 1) + 4 * n_chan) +
		(4 * l + 2 * kept + 8) * n_chan +
		80 * l * l) * sizeof(double);
}
