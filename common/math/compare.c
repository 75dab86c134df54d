#include "math/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/match.h"

int hs_pair_rewind(struct hs_pair *pair, struct hs_err *err)
{
	for (int i = 0; i < 2; i++) {
		pair->batch[i] = (struct hs_batch){ 0 };
		pair->used[i] = 0;
		if (pair->source[i]->rewind(pair->source[i], err) < 0)
			return -1;
	}
	return 0;
}

int hs_pair_next(struct hs_pair *pair, const void *x[2], size_t *n, struct hs_err *err)
{
	*n = SIZE_MAX;
	for (int i = 0; i < 2; i++) {
		struct hs_batch *batch = &pair->batch[i];
		if (pair->used[i] == batch->n_rows) {
			if (pair->source[i]->next(pair->source[i], batch, err) < 0)
				return -1;
			pair->used[i] = 0;
		}
		const size_t left = batch->n_rows - pair->used[i];
		*n = left < *n ? left : *n;
	}
	for (int i = 0; i < 2; i++) {
		x[i] = (const char *)pair->batch[i].x + pair->used[i] * pair->row_bytes[i];
		pair->used[i] += *n;
	}
	return 0;
}

void hs_difference_add(struct hs_difference *d, double a, double b, size_t at)
{
	if ((isnan(a) && isnan(b)) || (isinf(a) && a == b))
		return;
	if (!isfinite(a) || !isfinite(b)) {
		if (!d->n_missing++ && !(d->worst > 0))
			d->at = at;
		return;
	}
	const double apart = fabs(a - b);
	d->largest = fmax(d->largest, fmax(fabs(a), fabs(b)));
	d->sum2 += apart * apart;
	d->n++;
	if (apart > d->worst) {
		d->worst = apart;
		d->at = at;
	}
}

/* ------------------------------------------------------------------ columns */

/* Sums over rows of the columns of one side, less their values in the first row. */
struct columns {
	size_t k;
	double *zero, *sum, *square;
};

static bool all_finite(const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(v[i]))
			return false;
	return true;
}

static void add_columns(struct columns *c, const double *v)
{
	for (size_t i = 0; i < c->k; i++) {
		const double u = v[i] - c->zero[i];
		c->sum[i] += u;
		c->square[i] += u * u;
	}
}

static void add_products(double *product, const struct columns *a, const struct columns *b, const double *va, const double *vb)
{
	for (size_t i = 0; i < a->k; i++)
		for (size_t j = 0; j < b->k; j++)
			product[i * b->k + j] += (va[i] - a->zero[i]) * (vb[j] - b->zero[j]);
}

static double correlation(const struct columns *a, size_t i, const struct columns *b, size_t j, double product, double n)
{
	const double va = a->square[i] - a->sum[i] * a->sum[i] / n, vb = b->square[j] - b->sum[j] * b->sum[j] / n;
	const bool flat_a = !(va > 1e-14 * a->square[i]), flat_b = !(vb > 1e-14 * b->square[j]);
	if (flat_a || flat_b)
		return flat_a && flat_b;
	return fmax(-1, fmin(1, (product - a->sum[i] * b->sum[j] / n) / sqrt(va * vb)));
}

int hs_correlate_columns(struct hs_pair *pair, double *r, struct hs_err *err)
{
	const size_t ka = pair->source[0]->n_chan, kb = pair->source[1]->n_chan;
	double *room = hs_alloc(3 * (ka + kb), sizeof *room, err), n = 0;
	if (!room)
		return -1;
	struct columns a = { ka, room, room + ka, room + 2 * ka }, b = { kb, room + 3 * ka, room + 3 * ka + kb, room + 3 * ka + 2 * kb };
	const void *x[2];
	size_t n_rows;
	memset(r, 0, ka * kb * sizeof *r);
	int verdict = hs_pair_rewind(pair, err);
	while (verdict == 0 && (verdict = hs_pair_next(pair, x, &n_rows, err)) == 0 && n_rows)
		for (size_t row = 0; row < n_rows; row++) {
			const double *va = (const double *)x[0] + row * ka, *vb = (const double *)x[1] + row * kb;
			if (!all_finite(va, ka) || !all_finite(vb, kb))
				continue;
			if (n == 0) {
				memcpy(a.zero, va, ka * sizeof *va);
				memcpy(b.zero, vb, kb * sizeof *vb);
			}
			n++;
			add_columns(&a, va);
			add_columns(&b, vb);
			add_products(r, &a, &b, va, vb);
		}
	for (size_t i = 0; i < ka; i++)
		for (size_t j = 0; j < kb; j++)
			r[i * kb + j] = n > 0 ? correlation(&a, i, &b, j, r[i * kb + j], n) : NAN;
	free(room);
	return verdict;
}

int hs_match_columns(const double *r, size_t ka, size_t kb, bool sign_blind, ptrdiff_t *to, double *value, struct hs_err *err)
{
	double *cost = hs_alloc(ka * kb, sizeof *cost, err);
	if (!cost)
		return -1;
	for (size_t i = 0; i < ka * kb; i++)
		cost[i] = isnan(r[i]) ? 1 : 1 - (sign_blind ? fabs(r[i]) : r[i]);
	const int verdict = hs_assign(cost, ka, kb, to, NULL, err);
	for (size_t i = 0; i < ka && verdict == 0; i++)
		value[i] = to[i] < 0 ? NAN : r[i * kb + (size_t)to[i]];
	free(cost);
	return verdict;
}

int hs_difference_columns(struct hs_pair *pair, const ptrdiff_t *to, const double *value, bool sign_blind,
	struct hs_difference *d, struct hs_err *err)
{
	const size_t ka = pair->source[0]->n_chan, kb = pair->source[1]->n_chan;
	const void *x[2];
	size_t n_rows, at = 0;
	int verdict = hs_pair_rewind(pair, err);
	while (verdict == 0 && (verdict = hs_pair_next(pair, x, &n_rows, err)) == 0 && n_rows)
		for (size_t row = 0; row < n_rows; row++, at += ka)
			for (size_t i = 0; i < ka; i++) {
				const double *va = (const double *)x[0] + row * ka, *vb = (const double *)x[1] + row * kb;
				const double sign = sign_blind && value[i] < 0 ? -1 : 1;
				if (to[i] >= 0)
					hs_difference_add(d, va[i], sign * vb[to[i]], at + i);
			}
	return verdict;
}
