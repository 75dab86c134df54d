/* NMF of counts: Kullback-Leibler divergence D = sum (y - x + x ln(x / y)), y = W H, by multiplicative steps (Lee, Seung, NIPS 13
 * (2000) 556),
 *	w <- w (sum_l h_l x_l / y_l) / sum_l h_l,	h <- h (sum_i w_i x_i / y_i) / sum_i w_i,
 * none of which raises D. While a strip of rows is at hand its maps make several steps, then it adds what the spectra need: one
 * reading of the data an alternation. The point that comes out is moved on along the way from the one before; the next pass finds
 * D there, and when it is larger than at the last such point, the pass begins again from the point that was not moved.
 *
 * A missing value is y, so that x / y is 1. The start is that of the Euclidean problem, with zeros raised, because a step never
 * leaves zero.
 *
 * KKT residual: sum of w |dD/dw| and h |dD/dh| over the sum of all counts. */
#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "unmix/nmf_fit.h"
#include "unmix/nmf_start.h"
#include "math/vector.h"

enum { INNER = 3 };

struct kl {
	struct hs_nmf_data *data;
	struct hs_nmf_factors *f;
	struct hs_tree *tree;         /* ratios k x p, sums k, then DIVERGENCE ... */
	size_t width, tail, share;
	double *spectrum_sum;         /* k */
	double *scratch;              /* a thread: strip x (2 p + 3 k) */
	uint8_t *gap;
	bool look;                    /* D alone, no step */
};

enum { DIVERGENCE, COUNTS, KKT, TAIL };

/* ln of a positive normal number to 1e-15: exponent, and the series of artanh. A loop of these becomes vector code. */
static inline __attribute__((always_inline)) double logarithm(double x)
{
	union { double d; uint64_t u; int64_t i; } bits = { .d = x }, whole;
	const uint64_t shifted = bits.u - UINT64_C(0x3fe6a09e667f3bcd);       /* so that the mantissa is in sqrt(1/2) .. sqrt(2) */
	const int64_t exponent = (int64_t)shifted >> 52;
	bits.u -= (uint64_t)exponent << 52;
	whole.i = exponent + INT64_C(0x4338000000000000);                     /* 2^52 + 2^51 + exponent, as a double */
	const double e = whole.d - 0x1.8p52, s = (bits.d - 1) / (bits.d + 1), t = s * s;
	double sum = 1.0 / 21;
	sum = sum * t + 1.0 / 19;
	sum = sum * t + 1.0 / 17;
	sum = sum * t + 1.0 / 15;
	sum = sum * t + 1.0 / 13;
	sum = sum * t + 1.0 / 11;
	sum = sum * t + 1.0 / 9;
	sum = sum * t + 1.0 / 7;
	sum = sum * t + 1.0 / 5;
	sum = sum * t + 1.0 / 3;
	return e * 0.693147180559945309 + (2 * s + 2 * s * t * sum);
}

/* y becomes x / y, 0 where both are 0. */
HS_WIDE static void ratios(const double *restrict x, double *restrict y, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const double below = y[i] > DBL_MIN ? y[i] : DBL_MIN;
		y[i] = x[i] / below;
	}
}

HS_WIDE static double divergence(const double *restrict x, const double *restrict y, size_t n)
{
	double part[8] = { 0 };
	size_t i = 0;
	for (; i + 8 <= n; i += 8)
		for (size_t l = 0; l < 8; l++) {
			const double a = x[i + l], b = y[i + l] > DBL_MIN ? y[i + l] : DBL_MIN, c = a > DBL_MIN ? a : b;
			part[l] += (b - a) + a * logarithm(c / b);
		}
	for (; i < n; i++) {
		const double a = x[i], b = y[i] > DBL_MIN ? y[i] : DBL_MIN, c = a > DBL_MIN ? a : b;
		part[0] += (b - a) + a * logarithm(c / b);
	}
	return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

struct room {
	size_t ld;
	double *y, *w, *d;            /* m x p; k x m, ld apart */
};

static void model(const struct kl *q, const struct hs_nmf_strip *s, const struct room *t)
{
	const int p = (int)q->f->p;
	cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)s->m, p, (int)q->f->k, 1, t->w, (int)t->ld, q->f->h, p, 0, t->y, p);
}

static void fill(const struct kl *q, const struct hs_nmf_strip *s, const double *y)
{
	for (size_t i = 0; s->gaps && i < s->m * q->f->p; i++)
		if (s->gap[i])
			s->x[i] = y[i];
}

/* d = sums over channels of h x / y, from the ratios in y. */
static void numerators(const struct kl *q, const struct hs_nmf_strip *s, const struct room *t)
{
	const int p = (int)q->f->p;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)q->f->k, (int)s->m, p, 1, q->f->h, p, t->y, p, 0, t->d, (int)t->ld);
}

static double maps_step(const struct kl *q, const struct hs_nmf_strip *s, const struct room *t)
{
	double kkt = 0;
	for (size_t j = 0; j < q->f->k; j++) {
		const double sum = q->spectrum_sum[j], inv = sum > 0 ? 1 / sum : 0;
		double *w = t->w + j * t->ld;
		const double *d = t->d + j * t->ld;
		for (size_t i = 0; i < s->m; i++) {
			kkt += w[i] * fabs(sum - d[i]);
			w[i] *= d[i] * inv;
		}
	}
	return kkt;
}

static void kl_strip(const void *ctx, const struct hs_nmf_strip *s, double *room, double *sum)
{
	const struct kl *q = ctx;
	const size_t p = q->f->p, k = q->f->k, ld = hs_nmf_strip_rows(p);
	const struct room t = { .ld = ld, .y = room, .w = room + ld * p, .d = room + ld * (p + k) };
	hs_nmf_load_maps(q->f, s, ld, t.w);
	model(q, s, &t);
	fill(q, s, t.y);
	for (size_t i = 0; i < s->m * p; i++)
		sum[q->tail + COUNTS] += s->x[i];
	sum[q->tail + DIVERGENCE] += divergence(s->x, t.y, s->m * p);
	if (q->look)
		return;
	for (int inner = 0; inner < INNER; inner++) {
		if (inner)
			model(q, s, &t);
		ratios(s->x, t.y, s->m * p);
		numerators(q, s, &t);
		const double kkt = maps_step(q, s, &t);
		sum[q->tail + KKT] += inner ? 0 : kkt;
	}
	model(q, s, &t);
	fill(q, s, t.y);
	ratios(s->x, t.y, s->m * p);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)p, (int)s->m, 1, t.w, (int)ld, t.y, (int)p, 1, sum, (int)p);
	for (size_t j = 0; j < k; j++)
		for (size_t i = 0; i < s->m; i++)
			sum[k * p + j] += t.w[j * ld + i];
	hs_nmf_store_maps(q->f, s, ld, t.w);
}

static int kl_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct kl *q = ctx;
	const size_t values = hs_nmf_strip_rows(block->n_chan) * block->n_chan;
	double *sum = hs_tree_borrow(q->tree, err), *x = q->scratch + (size_t)thread * q->share;
	if (!sum)
		return -1;
	hs_nmf_each_strip(q->data, block, x, q->gap + (size_t)thread * values, kl_strip, q, x + values, sum);
	hs_tree_put(q->tree, block->index, sum);
	return 0;
}

/* D at (W, H), and a step of both unless look. */
static int kl_pass(struct kl *q, double *objective, double *kkt, struct hs_err *err)
{
	const size_t k = q->f->k, p = q->f->p;
	for (size_t j = 0; j < k; j++) {
		q->spectrum_sum[j] = 0;
		for (size_t l = 0; l < p; l++)
			q->spectrum_sum[j] += q->f->h[j * p + l];
	}
	q->tree = hs_tree_new(q->width * sizeof(double), hs_merge_sums, &q->width, err);
	const int verdict = q->tree ? hs_rows_each(q->data->rows, "factors", kl_block, q, err) : -1;
	const double *sum = verdict == 0 ? hs_tree_root(q->tree, err) : NULL;
	q->data->n_passes++;
	if (sum) {
		const double counts = sum[q->tail + COUNTS];
		double rest = sum[q->tail + KKT];
		for (size_t j = 0; !q->look && j < k; j++) {
			const double maps = sum[k * p + j], inv = maps > 0 ? 1 / maps : 0;
			for (size_t l = 0; l < p; l++) {
				double *h = &q->f->h[j * p + l];
				rest += *h * fabs(maps - sum[j * p + l]);
				*h *= sum[j * p + l] * inv;
			}
		}
		*objective = sum[q->tail + DIVERGENCE];
		*kkt = counts > 0 ? rest / counts : 0;
	}
	hs_tree_free(q->tree);
	q->tree = NULL;
	return sum ? 0 : -1;
}

/* y, which came after kept, moves on by beta times the way, but never below a tenth of itself. */
HS_WIDE static void move_on(double *restrict y, double *restrict kept, size_t n, double beta)
{
	for (size_t i = 0; i < n; i++) {
		const double now = y[i], v = now + beta * (now - kept[i]), low = 0.1 * now;
		kept[i] = now;
		y[i] = v > low ? v : low;
	}
}

/* No zeros to be caught in: a thousandth of the mean is the least. */
static void raise_zeros(struct hs_nmf_factors *f)
{
	const size_t all = hs_nmf_tiles(f->n) * f->k * HS_NMF_TILE;
	double w = 0, h = 0;
	for (size_t i = 0; i < all; i++)
		w += f->w[i];
	for (size_t i = 0; i < f->k * f->p; i++)
		h += f->h[i];
	const double low_w = w > 0 ? w / (double)(f->n * f->k) * 1e-3 : 1, low_h = h > 0 ? h / (double)(f->k * f->p) * 1e-3 : 1;
	for (size_t i = 0; i < f->n; i++)
		for (size_t j = 0; j < f->k; j++) {
			double *v = &f->w[hs_nmf_at(f->k, i, j)];
			*v = *v > low_w ? *v : low_w * (1 + (double)((i + j) % f->k));
		}
	for (size_t i = 0; i < f->k * f->p; i++)
		f->h[i] = f->h[i] > low_h ? f->h[i] : low_h;
}

static int start(struct hs_nmf_data *data, struct hs_nmf_factors *f, struct hs_nmf *out, struct hs_err *err)
{
	const struct hs_nmf_options *o = data->opt;
	if (!o->lean) {
		if (hs_nmf_begin(data, f, out, err) < 0)
			return -1;
	} else {
		if (hs_nmf_survey(data, NULL, true, err) < 0 ||
			hs_nmf_factors_init(f, data->n_used, data->rows->n_chan, o->k, err) < 0)
			return -1;
		if (o->spectra)
			memcpy(f->h, o->spectra, f->k * f->p * sizeof *f->h);
		else if (hs_nmf_pixels(data, f->k, o->seed, f->h, err) < 0)
			return -1;
	}
	if (data->smallest < 0)
		return hs_fail(err, HS_BAD_DATA, "there are values below zero, down to %g, which counts cannot have", data->smallest);
	raise_zeros(f);
	out->n_iter = 0;
	return 0;
}

static int descend(struct kl *q, struct hs_nmf *out, double *w_kept, double *h_kept, struct hs_err *err)
{
	const struct hs_nmf_options *o = q->data->opt;
	const size_t n_w = hs_nmf_tiles(q->f->n) * q->f->k * HS_NMF_TILE, n_h = q->f->k * q->f->p;
	double best = INFINITY, beta = 0.5, ceiling = 1;
	memcpy(w_kept, q->f->w, n_w * sizeof *w_kept);
	memcpy(h_kept, q->f->h, n_h * sizeof *h_kept);
	for (out->status = HS_NMF_MAXITER; out->n_iter < o->max_iter; out->n_iter++) {
		double objective, kkt;
		if (kl_pass(q, &objective, &kkt, err) < 0)
			return -1;
		if (objective > best) {
			memcpy(q->f->w, w_kept, n_w * sizeof *w_kept);
			memcpy(q->f->h, h_kept, n_h * sizeof *h_kept);
			ceiling = fmax(beta, 0.1);
			beta /= 1.5;
			continue;
		}
		const double gained = best - objective;
		best = objective;
		out->kkt = kkt;
		if (hs_nmf_trace(out, objective, err) < 0)
			return -1;
		if (kkt <= o->tol || gained <= 1e-12 * objective)
			out->status = HS_NMF_CONVERGED;
		else if (hs_nmf_told_to_stop(o))
			out->status = HS_NMF_STOPPED;
		if (out->status != HS_NMF_MAXITER)
			break;
		move_on(q->f->w, w_kept, n_w, beta);
		move_on(q->f->h, h_kept, n_h, beta);
		beta = fmin(ceiling, 1.05 * beta);
		ceiling = fmin(1, 1.01 * ceiling);
	}
	if (out->status == HS_NMF_MAXITER && out->n_iter) {
		memcpy(q->f->w, w_kept, n_w * sizeof *w_kept);
		memcpy(q->f->h, h_kept, n_h * sizeof *h_kept);
	}
	return 0;
}

int hs_nmf_kl(struct hs_nmf_data *data, struct hs_nmf_factors *f, struct hs_nmf *out, struct hs_err *err)
{
	if (start(data, f, out, err) < 0)
		return -1;
	const size_t p = f->p, k = f->k, ld = hs_nmf_strip_rows(p), threads = (size_t)hs_par_threads(),
		     n_w = hs_nmf_tiles(f->n) * k * HS_NMF_TILE;
	struct kl q = { .data = data, .f = f, .tail = k * p + k, .width = k * p + k + TAIL, .share = ld * (2 * p + 2 * k) };
	double *kept = hs_alloc(n_w + k * p + k, sizeof *kept, err);
	q.scratch = kept ? hs_alloc(threads, q.share * sizeof(double), err) : NULL;
	q.gap = q.scratch ? hs_alloc(threads, ld * p, err) : NULL;
	q.spectrum_sum = kept ? kept + n_w + k * p : NULL;
	int verdict = q.gap ? descend(&q, out, kept, kept + n_w, err) : -1;
	double unused;
	q.look = true;
	if (verdict == 0 && (verdict = kl_pass(&q, &out->objective, &unused, err)) == 0)
		verdict = hs_nmf_trace(out, out->objective, err);
	free(kept);
	free(q.scratch);
	free(q.gap);
	return verdict;
}
