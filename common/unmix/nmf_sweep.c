#include "unmix/nmf_sweep.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "math/vector.h"

enum { LANES = 8 };

/* Eight values at a time, as the compiler's own vectors: it does not find them in the loop over components. */
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));
typedef long long lane_bits __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* Component j at its minimum, the other components as they are. Returns the sum of squared changes. */
HS_WIDE static double sweep_component(const struct hs_nmf_block *q, size_t j, double inv)
{
	const size_t k = q->k, ld = q->ld;
	const double *a = q->a + j * k, *b = q->b + j * ld, linear = q->linear[j];
	double *y = q->y + j * ld, sum = 0;
	lanes change = { 0 };
	size_t i = 0;
	for (; i + LANES <= q->m; i += LANES) {
		lanes s = *(const lanes *)(b + i) - linear, *to = (lanes *)(y + i);
		const double *other = q->y + i;
		for (size_t c = 0; c < j; c++)
			s -= a[c] * *(const lanes *)(other + c * ld);
		for (size_t c = j + 1; c < k; c++)
			s -= a[c] * *(const lanes *)(other + c * ld);
		s *= inv;
		const lane_bits positive = s > 0;
		s = (lanes)((lane_bits)s & positive);
		const lanes d = s - *to;
		change += d * d;
		*to = s;
	}
	for (; i < q->m; i++) {
		double s = b[i] - linear;
		for (size_t c = 0; c < k; c++)
			s -= c == j ? 0 : a[c] * q->y[c * ld + i];
		s *= inv;
		s = s > 0 ? s : 0;
		sum += (s - y[i]) * (s - y[i]);
		y[i] = s;
	}
	for (size_t l = 0; l < LANES; l++)
		sum += change[l];
	return sum;
}

void hs_nmf_sweep(const struct hs_nmf_block *q, size_t most)
{
	double first = 0;
	for (size_t sweep = 0; sweep < most; sweep++) {
		double change = 0;
		for (size_t j = 0; j < q->k; j++) {
			const double curvature = q->a[j * q->k + j] + q->extra[j];
			if (curvature >= DBL_MIN)
				change += curvature * sweep_component(q, j, 1 / curvature);
			else
				memset(q->y + j * q->ld, 0, q->m * sizeof(double));
		}
		if (sweep == 0)
			first = change;
		if (change <= 0.01 * first)       /* of squares */
			return;
	}
}

/* Weight t goes from component c to component j where that lowers the sum; slope holds the gradient. */
HS_WIDE static double exchange(const struct hs_nmf_block *q, size_t j, size_t c, double *slope)
{
	const size_t k = q->k, ld = q->ld;
	const double *aj = q->a + j * k, *ac = q->a + c * k;
	const double curvature = (aj[j] + q->extra[j]) + (ac[c] + q->extra[c]) - 2 * aj[c];
	double change = 0;
	for (size_t i = 0; i < q->m; i++) {
		double *yj = q->y + j * ld + i, *yc = q->y + c * ld + i;
		const double down = slope[c * ld + i] - slope[j * ld + i];
		double t = curvature > 0 ? down / curvature : down > 0 ? *yc : -*yj;
		t = t > *yc ? *yc : t < -*yj ? -*yj : t;
		*yj += t;
		*yc -= t;
		for (size_t o = 0; o < k; o++)
			slope[o * ld + i] += t * (q->a[o * k + j] - q->a[o * k + c]);
		slope[j * ld + i] += t * q->extra[j];
		slope[c * ld + i] -= t * q->extra[c];
		change += t * t;
	}
	return change;
}

void hs_nmf_sweep_simplex(const struct hs_nmf_block *q, size_t most, double *slope)
{
	const size_t k = q->k, ld = q->ld;
	for (size_t j = 0; j < k; j++)
		for (size_t i = 0; i < q->m; i++) {
			double s = q->extra[j] * q->y[j * ld + i] - q->b[j * ld + i];
			for (size_t c = 0; c < k; c++)
				s += q->a[j * k + c] * q->y[c * ld + i];
			slope[j * ld + i] = s;
		}
	double first = 0;
	for (size_t sweep = 0; sweep < most; sweep++) {
		double change = 0;
		for (size_t j = 0; j < k; j++)
			for (size_t c = j + 1; c < k; c++)
				change += exchange(q, j, c, slope);
		if (sweep == 0)
			first = change;
		if (change <= 0.01 * first)
			break;
	}
	for (size_t i = 0; i < q->m; i++) {       /* what rounding took from the sum of 1 */
		double sum = 0;
		for (size_t j = 0; j < k; j++)
			sum += q->y[j * ld + i];
		for (size_t j = 0; j < k; j++)
			q->y[j * ld + i] /= sum;
	}
}

double hs_nmf_roughness(const double *y, size_t m)
{
	double sum = 0;
	for (size_t l = 1; l + 1 < m; l++) {
		const double d = y[l - 1] - 2 * y[l] + y[l + 1];
		sum += d * d;
	}
	return sum;
}

double hs_nmf_bend(const double *y, size_t m, size_t l)
{
	double sum = 0;
	if (l >= 2)
		sum += y[l - 2] - 2 * y[l - 1] + y[l];
	if (l >= 1 && l + 1 < m)
		sum -= 2 * (y[l - 1] - 2 * y[l] + y[l + 1]);
	if (l + 2 < m)
		sum += y[l] - 2 * y[l + 1] + y[l + 2];
	return sum;
}

void hs_nmf_sweep_smooth(const struct hs_nmf_block *q, size_t j, double rough, double *target)
{
	const size_t m = q->m;
	const double *a = q->a + j * q->k, curvature = a[j] + q->extra[j];
	double *y = q->y + j * q->ld;
	if (!(curvature >= DBL_MIN)) {
		memset(y, 0, m * sizeof *y);
		return;
	}
	for (size_t l = 0; l < m; l++) {
		target[l] = q->b[j * q->ld + l] - q->linear[j];
		for (size_t c = 0; c < q->k; c++)
			target[l] -= c == j ? 0 : a[c] * q->y[c * q->ld + l];
	}
	for (int sweep = 0; sweep < 2; sweep++)
		for (size_t l = 0; l < m; l++) {
			/* the diagonal of D^T D: 1, 5, 6, ... 6, 5, 1, less in short rows */
			const double middle = (l >= 2) + 4 * (l >= 1 && l + 1 < m) + (l + 2 < m);
			const double slope = curvature * y[l] - target[l] + rough * hs_nmf_bend(y, m, l);
			const double to = y[l] - slope / (curvature + rough * middle);
			y[l] = to > 0 ? to : 0;
		}
}
