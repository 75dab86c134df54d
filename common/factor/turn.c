#include "factor/turn.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

bool hs_turn_note(struct hs_turn *turn, double angle)
{
	const size_t n = turn->n_iter++;
	if (!(n & (n - 1)))           /* 0 or a power of two: full */
		turn->trace = hs_must_resize(turn->trace, n ? 2 * n : 1, sizeof *turn->trace);
	turn->trace[n] = angle;
	if (angle < turn->tol) {
		turn->status = HS_TURN_CONVERGED;
		return true;
	}
	turn->status = turn->stop && turn->stop(turn->stop_ctx) ? HS_TURN_STOPPED : HS_TURN_MAXITER;
	return turn->status == HS_TURN_STOPPED || turn->n_iter >= turn->max_iter;
}

void hs_turn_release(struct hs_turn *turn)
{
	free(turn->trace);
	turn->trace = NULL;
	turn->n_iter = 0;
}

static void multiply(const double *a, const double *b, size_t k, double *c)
{
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)k, (int)k, 1, a, (int)k, b, (int)k, 0, c, (int)k);
}

/* Scaling and squaring: the Taylor series of exp(angle / 2^s), where 14 terms are exact to rounding, then s squarings. */
void hs_turn_by(double *w, const double *angle, size_t k, double *scratch)
{
	enum { TERMS = 14 };
	double *power = scratch, *sum = scratch + k * k, *next = scratch + 2 * k * k, length = 0;
	for (size_t i = 0; i < k * k; i++)
		length += angle[i] * angle[i];
	int halvings = 0;
	while (ldexp(sqrt(length), -halvings) > 0.25)
		halvings++;
	memset(power, 0, k * k * sizeof *power);
	for (size_t i = 0; i < k; i++)
		power[i * k + i] = 1;
	memcpy(sum, power, k * k * sizeof *sum);
	for (int term = 1; term <= TERMS; term++) {
		multiply(power, angle, k, next);
		for (size_t i = 0; i < k * k; i++) {
			power[i] = ldexp(next[i], -halvings) / term;
			sum[i] += power[i];
		}
	}
	for (int i = 0; i < halvings; i++) {
		multiply(sum, sum, k, next);
		memcpy(sum, next, k * k * sizeof *sum);
	}
	multiply(sum, w, k, next);
	memcpy(w, next, k * k * sizeof *w);
	hs_la_orthonormalise(w, k, k);
}
