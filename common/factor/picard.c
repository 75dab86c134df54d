#include "factor/picard.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Pairs of steps remembered; halvings of a step; changes of sign a signal may make, and escapes from stationary points, before
 * it stays as it is (signals that are Gaussian to rounding would go on for ever). */
enum { MEMORY = 8, HALVINGS = 12, SIGN_CHANGES = 6, ESCAPES = 8 };

#define LEAST_CURVATURE 1e-2      /* of white signals, whose contrasts curve by about 0.1 to 1 */
#define LONGEST_STEP 0.8          /* radians: just over the eighth of a turn that exchanges two signals half way */

struct search {
	const struct hs_contrast *c;
	bool adaptive;
	size_t k, d;                  /* d = k (k - 1) / 2 angles */
	struct hs_contrast_sums sums;
	double *memory;               /* everything below is a part of it */
	double *sign, *changes;       /* k */
	double *slope, *curve;        /* d: gradient and diagonal of the Hessian */
	double *step, *old_slope;     /* d */
	double *trial, *angle;        /* k x k */
	double *scratch;              /* 3 k x k */
	double *s, *y;                /* MEMORY x d */
	double rho[MEMORY];
	size_t n_pairs;               /* all there ever were; the newest MEMORY count */
	double value;
	int escapes;
};

static size_t doubles(size_t k)
{
	const size_t d = k * (k - 1) / 2;
	return 2 * k + (4 + 2 * MEMORY) * d + 5 * k * k;
}

size_t hs_picard_bytes(size_t k)
{
	return (doubles(k) + 2 * k * (k + 1)) * sizeof(double);
}

static int begin(struct search *q, const struct hs_contrast *c, bool adaptive, struct hs_err *err)
{
	const size_t k = c->k, d = k * (k - 1) / 2;
	*q = (struct search){ .c = c, .adaptive = adaptive, .k = k, .d = d };
	q->memory = hs_alloc(doubles(k), sizeof(double), err);
	if (!q->memory)
		return -1;
	double **const part[] = { &q->sign, &q->changes, &q->slope, &q->curve, &q->step, &q->old_slope, &q->s, &q->y, &q->trial,
		&q->angle, &q->scratch };
	const size_t size[] = { k, k, d, d, d, d, MEMORY * d, MEMORY * d, k * k, k * k, 3 * k * k };
	double *at = q->memory;
	for (size_t i = 0; i < HS_LEN(part); at += size[i++])
		*part[i] = at;
	return hs_contrast_sums_init(&q->sums, k, err);
}

static void end(struct search *q)
{
	hs_contrast_sums_release(&q->sums);
	free(q->memory);
}

/* The value at w with the signs as they are; gradient and curvature follow from the same sums. */
static int look(struct search *q, const double *w, double *value, struct hs_err *err)
{
	if (hs_contrast_measure(q->c, w, 0, q->k, 1, &q->sums, err) < 0)
		return -1;
	*value = 0;
	for (size_t i = 0; i < q->k; i++)
		*value += q->sign[i] * q->sums.value[i];
	return 0;
}

/* Which tail each signal has, at the point looked at last; true when that changed. */
static bool choose_signs(struct search *q)
{
	bool changed = false;
	for (size_t i = 0; q->adaptive && i < q->k; i++) {
		const double s = q->sums.slope[i] < q->sums.cross[i * q->k + i] ? -1 : 1;
		if (s == q->sign[i] || q->changes[i] > SIGN_CHANGES)
			continue;
		q->sign[i] = s;
		q->changes[i]++;
		changed = true;
	}
	q->value = 0;
	for (size_t i = 0; i < q->k; i++)
		q->value += q->sign[i] * q->sums.value[i];
	return changed;
}

/* Returns the largest angle of a Newton step taken plane by plane. */
static double differentiate(struct search *q)
{
	const double *cross = q->sums.cross, *curve = q->sums.curve, *s = q->sign;
	const size_t k = q->k;
	double largest = 0;
	for (size_t i = 0, a = 0; i < k; i++)
		for (size_t j = i + 1; j < k; j++, a++) {
			q->slope[a] = s[i] * cross[i * k + j] - s[j] * cross[j * k + i];
			q->curve[a] = s[i] * (curve[i * k + j] - cross[i * k + i]) + s[j] * (curve[j * k + i] - cross[j * k + j]);
			largest = fmax(largest, fabs(q->slope[a]) / fmax(fabs(q->curve[a]), LEAST_CURVATURE));
		}
	return largest;
}

static double preconditioned(const struct search *q, size_t a)
{
	return fmax(fabs(q->curve[a]), LEAST_CURVATURE);
}

static double dot(const struct search *q, const double *a, const double *b)
{
	return cblas_ddot((int)q->d, a, 1, b, 1);
}

/* The two-loop recursion (Nocedal, Math. Comp. 35 (1980) 773), down the slope. */
static void choose_direction(struct search *q)
{
	const size_t d = q->d, n = q->n_pairs < MEMORY ? q->n_pairs : MEMORY;
	double alpha[MEMORY];
	for (size_t a = 0; a < d; a++)
		q->step[a] = -q->slope[a];
	for (size_t i = 0; i < n; i++) {
		const size_t at = (q->n_pairs - 1 - i) % MEMORY;
		alpha[at] = q->rho[at] * dot(q, q->s + at * d, q->step);
		cblas_daxpy((int)d, -alpha[at], q->y + at * d, 1, q->step, 1);
	}
	for (size_t a = 0; a < d; a++)
		q->step[a] /= preconditioned(q, a);
	for (size_t i = n; i-- > 0;) {
		const size_t at = (q->n_pairs - 1 - i) % MEMORY;
		const double beta = q->rho[at] * dot(q, q->y + at * d, q->step);
		cblas_daxpy((int)d, alpha[at] - beta, q->s + at * d, 1, q->step, 1);
	}
	if (!(dot(q, q->step, q->slope) < 0)) {
		q->n_pairs = 0;
		for (size_t a = 0; a < d; a++)
			q->step[a] = -q->slope[a] / preconditioned(q, a);
	}
	const double largest = d ? fabs(q->step[cblas_idamax((int)d, q->step, 1)]) : 0;
	if (largest > LONGEST_STEP)
		cblas_dscal((int)d, LONGEST_STEP / largest, q->step, 1);
}

static void turned(struct search *q, const double *w, double factor)
{
	const size_t k = q->k;
	memcpy(q->trial, w, k * k * sizeof *w);
	memset(q->angle, 0, k * k * sizeof *w);
	for (size_t i = 0, a = 0; i < k; i++)
		for (size_t j = i + 1; j < k; j++, a++) {
			q->angle[i * k + j] = factor * q->step[a];
			q->angle[j * k + i] = -factor * q->step[a];
		}
	hs_turn_by(q->trial, q->angle, k, q->scratch);
}

/* Goes along the step until the value falls enough; *factor is how far, 0 when it does not fall. Near the minimum the values
 * differ by less than their rounding: that much more is no rise. */
static int go(struct search *q, double *w, double *factor, struct hs_err *err)
{
	const double fall = dot(q, q->step, q->slope);
	double rounding = 0, value;
	for (size_t i = 0; i < q->k; i++)
		rounding += 1e-14 * fabs(q->sums.value[i]);
	*factor = 1;
	for (int halving = 0; halving < HALVINGS; halving++, *factor /= 2) {
		turned(q, w, *factor);
		if (look(q, q->trial, &value, err) < 0)
			return -1;
		if (value <= q->value + 1e-4 * *factor * fall + rounding) {
			memcpy(w, q->trial, q->k * q->k * sizeof *w);
			return 0;
		}
	}
	*factor = 0;
	return look(q, w, &value, err);
}

/* What the step taken says about the curvature. */
static void remember(struct search *q, double factor)
{
	const size_t d = q->d, at = q->n_pairs % MEMORY;
	double *s = q->s + at * d, *y = q->y + at * d;
	for (size_t a = 0; a < d; a++) {
		s[a] = factor * q->step[a];
		y[a] = q->slope[a] - q->old_slope[a];
	}
	const double product = dot(q, s, y);
	if (!(product > 1e-10 * dot(q, s, s)))
		return;
	q->rho[at] = 1 / product;
	q->n_pairs++;
}

/* At a stationary point: half a radian in every plane that curves downwards; false when there is none. */
static bool escape(struct search *q, double *w)
{
	bool saddle = false;
	for (size_t a = 0; a < q->d; a++) {
		const bool down = q->curve[a] < -1e-3;
		q->step[a] = down ? 0.5 : 0;
		saddle |= down;
	}
	if (!saddle || q->escapes++ >= ESCAPES)
		return false;
	turned(q, w, 1);
	memcpy(w, q->trial, q->k * q->k * sizeof *w);
	return true;
}

int hs_picard(const struct hs_contrast *c, bool adaptive, double *w, struct hs_turn *turn, struct hs_err *err)
{
	struct search q;
	int verdict = begin(&q, c, adaptive, err);
	for (size_t i = 0; verdict == 0 && i < q.k; i++)
		q.sign[i] = adaptive ? 0 : -1;
	if (verdict == 0)
		verdict = look(&q, w, &q.value, err);
	double factor = 0;
	while (verdict == 0) {
		if (choose_signs(&q)) {
			q.n_pairs = 0;
			factor = 0;
		}
		const double angle = differentiate(&q);
		if (factor > 0)
			remember(&q, factor);
		if (angle < turn->tol && turn->n_iter + 1 < turn->max_iter && escape(&q, w)) {
			q.n_pairs = 0;
			factor = 0;
			hs_turn_note(turn, 0.5);
			verdict = look(&q, w, &q.value, err);
			continue;
		}
		if (hs_turn_note(turn, angle))
			break;
		choose_direction(&q);
		memcpy(q.old_slope, q.slope, q.d * sizeof *q.slope);
		verdict = go(&q, w, &factor, err);
		if (verdict == 0 && factor == 0) {
			if (!q.n_pairs)               /* not even downhill: this is the minimum as far as float64 shows it */
				break;
			q.n_pairs = 0;
		}
	}
	end(&q);
	return verdict;
}
