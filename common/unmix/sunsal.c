#include "unmix/sunsal.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

enum { MOST_TURNS = 5000 };

static const double ARRIVED = 1e-8, RELAX = 1.7;

int hs_sunsal_init(struct hs_sunsal *s, const double *gram, size_t k, struct hs_err *err)
{
	*s = (struct hs_sunsal){ .k = k };
	double *a = hs_alloc(k * k, sizeof *a, err), *value = a ? hs_alloc(k, sizeof *value, err) : NULL;
	s->inverse = value ? hs_alloc(k * k, sizeof *s->inverse, err) : NULL;
	int verdict = -1;
	if (s->inverse) {
		memcpy(a, gram, k * k * sizeof *a);
		verdict = hs_la_eigh(a, k, 0, value, NULL, err);
	}
	if (verdict == 0) {
		const double most = value[0] > 0 ? value[0] : 1, least = fmax(value[k - 1], 1e-4 * most);
		s->mu = sqrt(most * least);
		memcpy(s->inverse, gram, k * k * sizeof *s->inverse);
		for (size_t i = 0; i < k; i++)
			s->inverse[i * k + i] += s->mu;
		if (!hs_la_invert(s->inverse, k, NULL))
			verdict = hs_fail(err, HS_BAD_DATA, "the scalar products of %zu endmembers cannot be inverted", k);
	}
	free(a);
	free(value);
	return verdict;
}

void hs_sunsal_release(struct hs_sunsal *s)
{
	free(s->inverse);
	*s = (struct hs_sunsal){ 0 };
}

size_t hs_sunsal_scratch(size_t n, size_t k)
{
	return 4 * n * k + n;
}

/* One pixel's u and d from its a; true when it has arrived. */
static bool turn(size_t k, const double *a, double *u, double *d)
{
	double gap = 0, moved = 0, size = 0;
	for (size_t j = 0; j < k; j++) {
		const double relaxed = RELAX * a[j] + (1 - RELAX) * u[j], v = relaxed - d[j], next = v > 0 ? v : 0;
		moved += (next - u[j]) * (next - u[j]);
		gap += (a[j] - next) * (a[j] - next);
		size += next * next;
		d[j] = next - v;
		u[j] = next;
	}
	return gap <= ARRIVED * ARRIVED * size && moved <= ARRIVED * ARRIVED * size;
}

size_t hs_sunsal_solve(const struct hs_sunsal *s, const double *b, size_t n, double *out, double *scratch)
{
	const size_t k = s->k;
	double *u = scratch, *d = u + n * k, *side = d + n * k, *a = side + n * k;
	size_t *who = (size_t *)(a + n * k), left = n;        /* pixels on their way, in order; their rows of u and d are packed */
	memset(u, 0, 2 * n * k * sizeof *u);
	for (size_t i = 0; i < n; i++)
		who[i] = i;
	for (int t = 0; t < MOST_TURNS && left; t++) {
		for (size_t i = 0; i < left; i++)
			for (size_t j = 0; j < k; j++)
				side[i * k + j] = b[who[i] * k + j] + s->mu * (u[i * k + j] + d[i * k + j]);
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)left, (int)k, (int)k, 1, side, (int)k, s->inverse, (int)k, 0,
			a, (int)k);
		size_t stay = 0;
		for (size_t i = 0; i < left; i++) {
			if (turn(k, a + i * k, u + i * k, d + i * k)) {
				memcpy(out + who[i] * k, u + i * k, k * sizeof *u);
				continue;
			}
			memmove(u + stay * k, u + i * k, k * sizeof *u);
			memmove(d + stay * k, d + i * k, k * sizeof *d);
			who[stay++] = who[i];
		}
		left = stay;
	}
	for (size_t i = 0; i < left; i++)
		memcpy(out + who[i] * k, u + i * k, k * sizeof *u);
	return left;
}
