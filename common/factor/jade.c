#include "factor/jade.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/fold.h"
#include "math/la.h"
#include "math/par.h"

/* Few, long blocks, because their sums are large; products of pairs are made for some rows at a time. */
enum { BLOCK_ROWS = 16384, ROWS_AT_ONCE = 128 };

struct pairs {
	const double *z;
	size_t k, n_pairs;
	double *scratch;              /* threads x ROWS_AT_ONCE x n_pairs */
};

/* Fourth moments as second moments of products: E (z_a z_b)(z_c z_d), a <= b, c <= d, upper triangle. */
static void add_moments(const void *ctx, int thread, size_t first, size_t n, double *sum)
{
	const struct pairs *s = ctx;
	const size_t k = s->k, q = s->n_pairs;
	double *product = s->scratch + (size_t)thread * ROWS_AT_ONCE * q;
	for (size_t from = 0; from < n; from += ROWS_AT_ONCE) {
		const size_t rows = n - from < ROWS_AT_ONCE ? n - from : ROWS_AT_ONCE;
		double *p = product;
		for (size_t i = 0; i < rows; i++) {
			const double *z = s->z + (first + from + i) * k;
			for (size_t a = 0; a < k; a++)
				for (size_t b = a; b < k; b++)
					*p++ = z[a] * z[b];
		}
		cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)q, (int)rows, 1, product, (int)q, 1, sum, (int)q);
	}
}

static size_t pair_number(size_t a, size_t b, size_t k)
{
	const size_t low = a < b ? a : b, high = a < b ? b : a;
	return low * k - low * (low + 1) / 2 + high;
}

/* One k x k matrix of cumulants cum(z_a, z_b, z_c, z_d) for each pair c <= d; those of unequal pairs stand for two. */
static void cumulants(const double *moment, double n, size_t k, size_t n_pairs, double *matrix)
{
	for (size_t c = 0; c < k; c++)
		for (size_t d = c; d < k; d++) {
			const size_t m = pair_number(c, d, k);
			const double weight = c == d ? 1 : M_SQRT2;
			for (size_t a = 0; a < k; a++)
				for (size_t b = 0; b < k; b++) {
					const size_t o = pair_number(a, b, k);
					const double fourth = (o < m ? moment[o * n_pairs + m] : moment[m * n_pairs + o]) / n;
					/* the second moments of white signals are known */
					const double gaussian = (a == b && c == d) + (a == c && b == d) + (a == d && b == c);
					matrix[(m * k + a) * k + b] = weight * (fourth - gaussian);
				}
		}
}

/* The angle that makes rows and columns i, j of all matrices most diagonal (Cardoso, Souloumiac, SIAM J. Matrix Anal. Appl. 17
 * (1996) 161). */
static double best_angle(const double *matrix, size_t n_pairs, size_t k, size_t i, size_t j)
{
	double on = 0, off = 0;
	for (size_t m = 0; m < n_pairs; m++) {
		const double *a = matrix + m * k * k, difference = a[i * k + i] - a[j * k + j], sum = a[i * k + j] + a[j * k + i];
		on += difference * difference - sum * sum;
		off += 2 * difference * sum;
	}
	return 0.5 * atan2(off, on + sqrt(on * on + off * off));
}

static void rotate(double *matrix, size_t n_pairs, size_t k, size_t i, size_t j, double angle, double *w)
{
	const double c = cos(angle), s = sin(angle);
	for (size_t m = 0; m < n_pairs; m++) {
		double *a = matrix + m * k * k;
		cblas_drot((int)k, a + i * k, 1, a + j * k, 1, c, s);
		cblas_drot((int)k, a + i, (int)k, a + j, (int)k, c, s);
	}
	cblas_drot((int)k, w + i * k, 1, w + j * k, 1, c, s);
}

static void diagonalise(double *matrix, size_t n_pairs, size_t k, double *w, struct hs_turn *turn)
{
	double largest;
	do {
		largest = 0;
		for (size_t i = 0; i < k; i++)
			for (size_t j = i + 1; j < k; j++) {
				const double angle = best_angle(matrix, n_pairs, k, i, j);
				largest = fmax(largest, fabs(angle));
				if (fabs(angle) > 0.01 * turn->tol)
					rotate(matrix, n_pairs, k, i, j, angle, w);
			}
	} while (!hs_turn_note(turn, largest));
	hs_la_orthonormalise(w, k, k);
}

int hs_jade(const double *z, size_t n, size_t k, double *w, struct hs_turn *turn, struct hs_err *err)
{
	if (k > HS_JADE_MOST)
		return hs_fail(err, HS_USAGE, "JADE takes at most %d components, not %zu", HS_JADE_MOST, k);
	struct pairs s = { .z = z, .k = k, .n_pairs = k * (k + 1) / 2 };
	const size_t q = s.n_pairs;
	s.scratch = hs_alloc((size_t)hs_par_threads() * ROWS_AT_ONCE, q * sizeof(double), err);
	double *moment = s.scratch ? hs_alloc(q * q, sizeof *moment, err) : NULL;
	double *matrix = moment ? hs_alloc(q * k, k * sizeof *matrix, err) : NULL;
	int verdict = matrix ? hs_fold(n, BLOCK_ROWS, q * q, add_moments, &s, moment, err) : -1;
	if (verdict == 0) {
		memset(w, 0, k * k * sizeof *w);
		for (size_t i = 0; i < k; i++)
			w[i * k + i] = 1;
		cumulants(moment, (double)n, k, q, matrix);
		diagonalise(matrix, q, k, w, turn);
	}
	free(s.scratch);
	free(moment);
	free(matrix);
	return verdict;
}

size_t hs_jade_bytes(size_t n, size_t k, int threads)
{
	const size_t q = k * (k + 1) / 2, t = (size_t)(threads > 0 ? threads : 1);
	return (t * ROWS_AT_ONCE * q + q * q + q * k * k) * sizeof(double) + hs_fold_bytes(n, BLOCK_ROWS, q * q, threads);
}
