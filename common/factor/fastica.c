#include "factor/fastica.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

size_t hs_fastica_bytes(size_t k)
{
	/* work, and a singular value decomposition inside */
	return (2 * k * (k + 1) + 6 * k * k + 5 * k * k + 12 * k) * sizeof(double);
}

/* Orthogonal part of a (k x k, destroyed): the matrix nearest to it. u, v: k x k, s: k. */
static int orthogonal_part(double *a, size_t k, double *u, double *s, double *v, struct hs_err *err)
{
	if (hs_la_svd(a, k, k, u, s, v, err) < 0)
		return -1;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)k, (int)k, 1, u, (int)k, v, (int)k, 0, a, (int)k);
	return 0;
}

/* Largest angle between rows of a and b, signs ignored: from the difference, accurate where a cosine is not. */
static double largest_angle(const double *a, const double *b, size_t k)
{
	double largest = 0;
	for (size_t i = 0; i < k; i++) {
		double plus = 0, minus = 0;
		for (size_t j = 0; j < k; j++) {
			const double x = a[i * k + j], y = b[i * k + j];
			plus += (x + y) * (x + y);
			minus += (x - y) * (x - y);
		}
		largest = fmax(largest, 2 * asin(fmin(1, sqrt(fmin(plus, minus)) / 2)));
	}
	return largest;
}

/* The iteration jumps over its goal where its derivative there is below -1, as it can be for signals near to Gaussian. Then a
 * part of the way is gone, half as far each time that PATIENCE iterations did not bring it nearer. */
enum { PATIENCE = 20 };
#define LEAST_PART (1.0 / 64)

struct pace {
	double part, angle;           /* of the way; the angle when that was chosen */
	size_t since;
};

static void choose_pace(struct pace *pace, double angle)
{
	if (pace->since++ < PATIENCE)
		return;
	if (angle > 0.5 * pace->angle && pace->part > LEAST_PART)
		pace->part /= 2;
	pace->angle = angle;
	pace->since = 0;
}

/* next = that part of the way from w to next, rows turned to the same side. */
static int go_part(double part, const double *w, double *next, size_t k, double *u, double *s, double *v, struct hs_err *err)
{
	for (size_t i = 0; i < k; i++) {
		const double side = cblas_ddot((int)k, w + i * k, 1, next + i * k, 1) < 0 ? -1 : 1;
		for (size_t j = 0; j < k; j++)
			next[i * k + j] = part * side * next[i * k + j] + (1 - part) * w[i * k + j];
	}
	return orthogonal_part(next, k, u, s, v, err);
}

/* In the signals y = w z the update is a matrix too: next = (E psi(y) y^T - diag E psi'(y)) w. */
static int iterate(const struct hs_contrast *c, double *w, double *work, struct hs_contrast_sums *sums, struct hs_turn *turn,
	struct hs_err *err)
{
	const size_t k = c->k, kk = k * k;
	double *next = work, *u = work + kk, *v = u + kk, *s = v + kk;
	struct pace pace = { .part = 1, .angle = HUGE_VAL };
	for (;;) {
		if (hs_contrast_measure(c, w, 0, k, 0, sums, err) < 0)
			return -1;
		for (size_t i = 0; i < k; i++)
			sums->cross[i * k + i] -= sums->slope[i];
		if (orthogonal_part(sums->cross, k, u, s, v, err) < 0)
			return -1;
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)k, (int)k, 1, sums->cross, (int)k, w, (int)k, 0, next,
			(int)k);
		const double angle = largest_angle(next, w, k);
		const bool last = hs_turn_note(turn, angle);
		choose_pace(&pace, angle);
		if (!last && pace.part < 1 && go_part(pace.part, w, next, k, u, s, v, err) < 0)
			return -1;
		memcpy(w, next, kk * sizeof *w);
		hs_la_orthonormalise(w, k, k);
		if (last)
			return 0;
	}
}

int hs_fastica_symmetric(const struct hs_contrast *c, double *w, struct hs_turn *turn, struct hs_err *err)
{
	const size_t k = c->k;
	struct hs_contrast_sums sums = { 0 };
	double *work = hs_alloc(3 * k * k + k, sizeof *work, err);
	int verdict = work ? hs_contrast_sums_init(&sums, k, err) : -1;
	if (verdict == 0)
		verdict = iterate(c, w, work, &sums, turn, err);
	hs_contrast_sums_release(&sums);
	free(work);
	return verdict;
}

/* Row i of w, in the space that rows 0 .. i-1 leave. */
static int find_row(const struct hs_contrast *c, size_t i, double *w, double *row, struct hs_contrast_sums *sums,
	struct hs_turn *turn, struct hs_err *err)
{
	const size_t k = c->k, limit = turn->n_iter + turn->max_iter;
	struct pace pace = { .part = 1, .angle = HUGE_VAL };
	for (;;) {
		if (hs_contrast_measure(c, w, i, 1, 0, sums, err) < 0)
			return -1;
		double *update = sums->cross;
		update[i] -= sums->slope[0];
		const double length = cblas_dnrm2((int)(k - i), update + i, 1);
		if (!(length > 0))            /* no direction is better than another */
			return 0;
		/* sine of the angle between the row and its update, from what the update has of the other rows */
		const double angle = asin(fmin(1, cblas_dnrm2((int)(k - i - 1), update + i + 1, 1) / length));
		choose_pace(&pace, angle);
		memset(row, 0, k * sizeof *row);
		for (size_t j = i; j < k; j++)
			cblas_daxpy((int)k, (update[i] < 0 ? -1 : 1) * pace.part * update[j] / length + (j == i ? 1 - pace.part : 0), w + j * k,
				1, row, 1);
		memcpy(w + i * k, row, k * sizeof *row);
		hs_la_orthonormalise(w, k, k);
		struct hs_turn part = *turn;
		part.max_iter = limit;
		const bool last = hs_turn_note(&part, angle);
		part.max_iter = turn->max_iter;
		*turn = part;
		if (last)
			return 0;
	}
}

int hs_fastica_deflation(const struct hs_contrast *c, double *w, struct hs_turn *turn, struct hs_err *err)
{
	const size_t k = c->k;
	struct hs_contrast_sums sums = { 0 };
	double *row = hs_alloc(k, sizeof *row, err);
	int verdict = row ? hs_contrast_sums_init(&sums, k, err) : -1;
	enum hs_turn_status worst = HS_TURN_CONVERGED;
	turn->status = HS_TURN_CONVERGED;
	/* the last row is what the others leave */
	for (size_t i = 0; verdict == 0 && i + 1 < k && turn->status != HS_TURN_STOPPED; i++) {
		verdict = find_row(c, i, w, row, &sums, turn, err);
		worst = turn->status > worst ? turn->status : worst;
	}
	turn->status = worst;
	hs_contrast_sums_release(&sums);
	free(row);
	return verdict;
}
