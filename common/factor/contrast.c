#include "factor/contrast.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/fold.h"
#include "math/par.h"

/* Samples of a block; and of logarithms taken together: a product of so many numbers in 1 .. 2 is far from overflow. */
enum { BLOCK_ROWS = 1024, TOGETHER = 512 };

int hs_contrast_init(struct hs_contrast *c, enum hs_contrast_kind kind, const double *z, size_t n, size_t k, struct hs_err *err)
{
	*c = (struct hs_contrast){ .kind = kind, .n = n, .k = k, .z = z };
	c->scratch = hs_alloc((size_t)hs_par_threads() * 3 * BLOCK_ROWS, k * sizeof(double), err);
	return c->scratch ? 0 : -1;
}

void hs_contrast_release(struct hs_contrast *c)
{
	free(c->scratch);
	*c = (struct hs_contrast){ 0 };
}

int hs_contrast_sums_init(struct hs_contrast_sums *s, size_t k, struct hs_err *err)
{
	s->sum = hs_alloc(2 * k * (k + 1), sizeof(double), err);
	return s->sum ? 0 : -1;
}

void hs_contrast_sums_release(struct hs_contrast_sums *s)
{
	free(s->sum);
	*s = (struct hs_contrast_sums){ 0 };
}

double hs_contrast_gaussian(enum hs_contrast_kind kind)
{
	/* E ln cosh nu by quadrature; E -exp(-nu^2/2) = -1/sqrt 2; E nu^4 / 4 = 3/4 */
	return kind == HS_CONTRAST_LOGCOSH ? 0.37456720749143 : kind == HS_CONTRAST_GAUSS ? -M_SQRT1_2 : 0.75;
}

/* Of n values y: psi and psi' (when wanted), and the sum of f. */
static double evaluate(enum hs_contrast_kind kind, const double *y, size_t n, double *psi, double *slope, double *slope_sum)
{
	double value = 0, product = 1, slopes = 0;
	for (size_t i = 0; i < n; i++) {
		const double v = y[i], a = fabs(v);
		switch (kind) {
		case HS_CONTRAST_LOGCOSH: {
			/* ln cosh y = |y| + ln(1 + exp(-2|y|)) - ln 2 */
			const double e = exp(-2 * a), t = (1 - e) / (1 + e);
			psi[i] = copysign(t, v);
			slope[i] = 1 - t * t;
			value += a;
			product *= 1 + e;
			if ((i + 1) % TOGETHER == 0) {
				value += log(product);
				product = 1;
			}
			break;
		}
		case HS_CONTRAST_GAUSS: {
			const double e = exp(-v * v / 2);
			psi[i] = v * e;
			slope[i] = (1 - v * v) * e;
			value -= e;
			break;
		}
		case HS_CONTRAST_QUARTIC:
			psi[i] = v * v * v;
			slope[i] = 3 * v * v;
			value += v * v * v * v / 4;
		}
		slopes += slope[i];
	}
	*slope_sum += slopes;
	return kind == HS_CONTRAST_LOGCOSH ? value + log(product) - (double)n * M_LN2 : value;
}

struct pass {
	const struct hs_contrast *c;
	const double *w;
	size_t first, m;
	int with_curve;
};

static void lay_out(struct hs_contrast_sums *s, double *sum, size_t k, size_t m)
{
	s->value = sum;
	s->slope = sum + m;
	s->cross = sum + 2 * m;
	s->curve = sum + 2 * m + m * k;
}

static void add_block(const void *ctx, int thread, size_t first, size_t n, double *sum)
{
	const struct pass *p = ctx;
	const size_t k = p->c->k, m = p->m;
	double *y = p->c->scratch + (size_t)thread * 3 * BLOCK_ROWS * k, *psi = y + BLOCK_ROWS * k, *slope = psi + BLOCK_ROWS * k;
	const double *of_interest = y + p->first * n;
	struct hs_contrast_sums s;
	lay_out(&s, sum, k, m);
	/* signals are rows here, so that f runs along memory */
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)n, (int)k, 1, p->w, (int)k, p->c->z + first * k, (int)k, 0, y,
		(int)n);
	for (size_t i = 0; i < m; i++)
		s.value[i] += evaluate(p->c->kind, of_interest + i * n, n, psi + i * n, slope + i * n, &s.slope[i]);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)k, (int)n, 1, psi, (int)n, y, (int)n, 1, s.cross, (int)k);
	if (!p->with_curve)
		return;
	for (size_t i = 0; i < k * n; i++)
		y[i] *= y[i];
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)k, (int)n, 1, slope, (int)n, y, (int)n, 1, s.curve, (int)k);
}

int hs_contrast_measure(const struct hs_contrast *c, const double *w, size_t first, size_t m, int with_curve,
	struct hs_contrast_sums *s, struct hs_err *err)
{
	const struct pass p = { c, w, first, m, with_curve };
	const size_t n_sums = 2 * m * (c->k + 1);
	lay_out(s, s->sum, c->k, m);
	if (hs_fold(c->n, BLOCK_ROWS, n_sums, add_block, &p, s->sum, err) < 0)
		return -1;
	for (size_t i = 0; i < n_sums; i++)
		s->sum[i] /= (double)c->n;
	return 0;
}

size_t hs_contrast_bytes(size_t n, size_t k, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : 1), n_sums = 2 * k * (k + 1);
	return (t * 3 * BLOCK_ROWS * k + n_sums) * sizeof(double) + hs_fold_bytes(n, BLOCK_ROWS, n_sums, threads);
}
