#include "math/match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- assignment ---- */

/* At most as many rows as columns. Rows enter one by one; each finds the cheapest alternating path to a free column by
 * Dijkstra over reduced costs, and the duals u, v keep those non-negative. Column 0 and row 0 stand for "none". */
static int assign_few_rows(const double *cost, size_t n_rows, size_t n_cols, size_t row_step, size_t col_step, size_t *owner,
	struct hs_err *err)
{
	double *u = hs_alloc(n_rows + 1, sizeof *u, err), *v = u ? hs_alloc(n_cols + 1, sizeof *v, err) : NULL;
	double *least = v ? hs_alloc(n_cols + 1, sizeof *least, err) : NULL;
	size_t *from = least ? hs_alloc(n_cols + 1, sizeof *from, err) : NULL;
	bool *done = from ? hs_alloc(n_cols + 1, sizeof *done, err) : NULL;
	for (size_t entering = 1; done && entering <= n_rows; entering++) {
		size_t col = 0;
		owner[0] = entering;
		for (size_t j = 0; j <= n_cols; j++) {
			least[j] = INFINITY;
			done[j] = false;
		}
		do {
			const size_t row = owner[col];
			size_t next = 0;
			double step = INFINITY;
			done[col] = true;
			for (size_t j = 1; j <= n_cols; j++) {
				if (done[j])
					continue;
				const double reduced = cost[(row - 1) * row_step + (j - 1) * col_step] - u[row] - v[j];
				if (reduced < least[j]) {
					least[j] = reduced;
					from[j] = col;
				}
				if (least[j] < step) {
					step = least[j];
					next = j;
				}
			}
			for (size_t j = 0; j <= n_cols; j++) {
				if (done[j]) {
					u[owner[j]] += step;
					v[j] -= step;
				} else {
					least[j] -= step;
				}
			}
			col = next;
		} while (owner[col]);
		while (col) {         /* turn the path over */
			owner[col] = owner[from[col]];
			col = from[col];
		}
	}
	const int verdict = done ? 0 : -1;
	free(u);
	free(v);
	free(least);
	free(from);
	free(done);
	return verdict;
}

int hs_assign(const double *cost, size_t n_rows, size_t n_cols, ptrdiff_t *row_to, double *total, struct hs_err *err)
{
	for (size_t i = 0; i < n_rows * n_cols; i++)
		if (!isfinite(cost[i]))
			return hs_fail(
				err, HS_BAD_DATA, "the cost of pairing %zu with %zu is not finite", i / n_cols, i % n_cols);
	const bool turned = n_rows > n_cols;
	const size_t few = turned ? n_cols : n_rows, many = turned ? n_rows : n_cols;
	size_t *owner = hs_alloc(many + 1, sizeof *owner, err);
	if (!owner)
		return -1;
	const int verdict = assign_few_rows(cost, few, many, turned ? 1 : n_cols, turned ? n_cols : 1, owner, err);
	double sum = 0;
	for (size_t i = 0; i < n_rows; i++)
		row_to[i] = -1;
	for (size_t j = 1; j <= many && verdict == 0; j++) {
		if (!owner[j])
			continue;
		const size_t row = turned ? j - 1 : owner[j] - 1, col = turned ? owner[j] - 1 : j - 1;
		row_to[row] = (ptrdiff_t)col;
	}
	for (size_t i = 0; i < n_rows; i++)
		sum += row_to[i] >= 0 ? cost[i * n_cols + (size_t)row_to[i]] : 0;
	if (total)
		*total = sum;
	free(owner);
	return verdict;
}

/* ---- partitions ---- */

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Number of pairs within the runs of equal value >> shift of a sorted list; exact below 2^53. */
static double pairs(const uint64_t *value, size_t n, unsigned shift)
{
	double sum = 0;
	for (size_t i = 0, run = 1; i < n; i++, run++) {
		if (i + 1 < n && value[i] >> shift == value[i + 1] >> shift)
			continue;
		sum += (double)run * ((double)run - 1) / 2;
		run = 0;
	}
	return sum;
}

/* Sorting instead of a table of counts: labels may be any numbers. */
int hs_adjusted_rand(const int32_t *a, const int32_t *b, size_t n, double *ari, struct hs_err *err)
{
	uint64_t *value = hs_alloc(n, sizeof *value, err);
	if (!value)
		return -1;
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (a[i] >= 0 && b[i] >= 0)
			value[m++] = (uint64_t)a[i] << 32 | (uint64_t)b[i];
	qsort(value, m, sizeof *value, by_value);
	const double both = pairs(value, m, 0), in_a = pairs(value, m, 32), all = (double)m * ((double)m - 1) / 2;
	for (size_t i = 0; i < m; i++)
		value[i] &= UINT32_MAX;
	qsort(value, m, sizeof *value, by_value);
	const double in_b = pairs(value, m, 0), chance = all > 0 ? in_a * (in_b / all) : 0, best = (in_a + in_b) / 2;
	*ari = both == in_a && both == in_b ? 1 : (both - chance) / (best - chance);
	free(value);
	return 0;
}

int hs_match_labels(
	const int32_t *a, const int32_t *b, size_t n, int32_t *map, size_t n_map, double *agreement, struct hs_err *err)
{
	size_t n_a = 0, cells;
	for (size_t i = 0; i < n; i++) {
		if (a[i] >= 0 && (size_t)a[i] >= n_a)
			n_a = (size_t)a[i] + 1;
		if (b[i] >= 0 && (size_t)b[i] >= n_map)
			return hs_fail(err, HS_BUG, "label %d of %zu cannot be matched", b[i], n_map);
	}
	if (!hs_mul(n_a, n_map, &cells))
		return hs_fail(err, HS_SYSTEM, "%zu by %zu labels are more than memory can hold", n_a, n_map);
	double *cost = hs_alloc(cells, sizeof *cost, err), common = 0;
	ptrdiff_t *to = cost ? hs_alloc(n_map, sizeof *to, err) : NULL;
	size_t both = 0;
	int verdict = -1;
	if (to) {
		for (size_t i = 0; i < n; i++)
			if (a[i] >= 0 && b[i] >= 0) {
				cost[(size_t)b[i] * n_a + (size_t)a[i]]--;
				both++;
			}
		verdict = hs_assign(cost, n_map, n_a, to, &common, err);
	}
	for (size_t i = 0; i < n_map && verdict == 0; i++)
		map[i] = (int32_t)to[i];
	if (verdict == 0)
		*agreement = both ? -common / (double)both : 1;
	free(cost);
	free(to);
	return verdict;
}

/* ---- angles ---- */

static double largest(const double *a, size_t n)
{
	double most = 0;
	for (size_t j = 0; j < n; j++)
		most = fmax(most, fabs(a[j]));
	return most;
}

static bool all_finite(const double *a, size_t n)
{
	for (size_t j = 0; j < n; j++)
		if (!isfinite(a[j]))
			return false;
	return true;
}

/* Euclidean norm of a / scale; scale is the largest element, so nothing overflows or vanishes. */
static double norm_of(const double *a, double scale, size_t n)
{
	double sum = 0;
	for (size_t j = 0; j < n; j++)
		sum += (a[j] / scale) * (a[j] / scale);
	return sqrt(sum);
}

/* Half the angle has the difference of the unit vectors as its sine and their sum as its cosine. */
double hs_spectral_angle(const double *a, const double *b, size_t n)
{
	const double scale_a = largest(a, n), scale_b = largest(b, n);
	if (!(scale_a > 0) || !(scale_b > 0) || !all_finite(a, n) || !all_finite(b, n))
		return NAN;
	const double norm_a = norm_of(a, scale_a, n), norm_b = norm_of(b, scale_b, n);
	double difference = 0, sum = 0;
	for (size_t j = 0; j < n; j++) {
		const double x = a[j] / scale_a / norm_a, y = b[j] / scale_b / norm_b;
		difference += (x - y) * (x - y);
		sum += (x + y) * (x + y);
	}
	return 2 * atan2(sqrt(difference), sqrt(sum));
}

int hs_match_spectra(const double *a, size_t k1, const double *b, size_t k2, size_t p, bool sign_blind, ptrdiff_t *a_to,
	double *angle, struct hs_err *err)
{
	size_t cells;
	double *cost = hs_mul(k1, k2, &cells) ? hs_alloc(cells, sizeof *cost, err) : NULL;
	if (!cost)
		return hs_failed(err) ? -1 : hs_fail(err, HS_SYSTEM, "%zu by %zu spectra are more than memory can hold", k1, k2);
	for (size_t i = 0; i < k1; i++)
		for (size_t j = 0; j < k2; j++) {
			const double t = hs_spectral_angle(a + i * p, b + j * p, p), most = sign_blind ? M_PI / 2 : M_PI;
			cost[i * k2 + j] = isnan(t) ? most : sign_blind ? fmin(t, M_PI - t) : t;
		}
	const int verdict = hs_assign(cost, k1, k2, a_to, NULL, err);
	for (size_t i = 0; i < k1 && verdict == 0; i++)
		angle[i] = a_to[i] < 0 ? NAN : cost[i * k2 + (size_t)a_to[i]];
	free(cost);
	return verdict;
}

static double dot(const double *a, const double *b, size_t n)
{
	double sum = 0;
	for (size_t j = 0; j < n; j++)
		sum += a[j] * b[j];
	return sum;
}

/* Orthonormal rows that span the rows of a, the longest remainder first, each cleared of the others twice. Rows enter
 * with length 1, so the tolerance does not depend on their units. Returns the dimension. */
static size_t orthonormal(const double *a, size_t k, size_t p, double *q)
{
	size_t rank = 0;
	for (size_t i = 0; i < k; i++) {
		const double scale = largest(a + i * p, p), norm = scale > 0 ? norm_of(a + i * p, scale, p) : 1;
		for (size_t j = 0; j < p; j++)
			q[i * p + j] = scale > 0 ? a[i * p + j] / scale / norm : 0;
	}
	for (; rank < k && rank < p; rank++) {
		double *row = q + rank * p, most = 0;
		size_t longest = rank;
		for (size_t i = rank; i < k; i++) {
			const double square = dot(q + i * p, q + i * p, p);
			if (square > most) {
				most = square;
				longest = i;
			}
		}
		if (!(sqrt(most) > 1e-12 * sqrt((double)p)))
			break;
		for (size_t j = 0; j < p; j++) {
			const double other = q[longest * p + j];
			q[longest * p + j] = row[j];
			row[j] = other;
		}
		for (int twice = 0; twice < 2; twice++) {
			for (size_t i = 0; i < rank; i++) {
				const double share = dot(q + i * p, row, p);
				for (size_t j = 0; j < p; j++)
					row[j] -= share * q[i * p + j];
			}
			const double norm = sqrt(dot(row, row, p));
			for (size_t j = 0; j < p; j++)
				row[j] /= norm;
		}
		for (size_t i = rank + 1; i < k; i++) {
			const double share = dot(row, q + i * p, p);
			for (size_t j = 0; j < p; j++)
				q[i * p + j] -= share * row[j];
		}
	}
	return rank;
}

/* Singular values of a (k x p), k <= p, as the lengths of its rows once rotations have made them orthogonal (one-sided
 * Jacobi; Hestenes, J. SIAM 6 (1958) 51). Returns the least, *most the largest. a is changed. */
static double singular_range(double *a, size_t k, size_t p, double *most)
{
	bool turned = true;
	for (int sweep = 0; sweep < 60 && turned; sweep++) {
		turned = false;
		for (size_t i = 0; i < k; i++)
			for (size_t l = i + 1; l < k; l++) {
				double *x = a + i * p, *y = a + l * p;
				const double xx = dot(x, x, p), yy = dot(y, y, p), xy = dot(x, y, p);
				if (fabs(xy) <= 1e-15 * sqrt(xx * yy))
					continue;
				turned = true;
				const double zeta = (yy - xx) / (2 * xy), t = copysign(1, zeta) / (fabs(zeta) + hypot(1, zeta));
				const double c = 1 / hypot(1, t), s = c * t;
				for (size_t j = 0; j < p; j++) {
					const double old = x[j];
					x[j] = c * old - s * y[j];
					y[j] = s * old + c * y[j];
				}
			}
	}
	double least = INFINITY;
	*most = 0;
	for (size_t i = 0; i < k; i++) {
		const double length = sqrt(dot(a + i * p, a + i * p, p));
		least = fmin(least, length);
		*most = fmax(*most, length);
	}
	return least;
}

int hs_subspace_angle(const double *a, size_t k1, const double *b, size_t k2, size_t p, double *angle, struct hs_err *err)
{
	if (!all_finite(a, k1 * p) || !all_finite(b, k2 * p))
		return hs_fail(err, HS_BAD_DATA, "a spectrum that is not finite spans no space");
	double *qa = hs_alloc(k1 * p, sizeof *qa, err), *qb = qa ? hs_alloc(k2 * p, sizeof *qb, err) : NULL, *common = NULL;
	int verdict = -1;
	if (!qb)
		goto out;
	size_t few = orthonormal(a, k1, p, qa), many = orthonormal(b, k2, p, qb);
	if (few > many) {
		double *other = qa;
		qa = qb;
		qb = other;
		const size_t number = few;
		few = many;
		many = number;
	}
	if (!(common = hs_alloc(few * many, sizeof *common, err)))
		goto out;
	verdict = 0;
	*angle = NAN;
	if (!few)
		goto out;
	for (size_t i = 0; i < few; i++)
		for (size_t l = 0; l < many; l++)
			common[i * many + l] = dot(qa + i * p, qb + l * p, p);
	for (size_t i = 0; i < few; i++)      /* what of the smaller space is outside the larger */
		for (size_t l = 0; l < many; l++)
			for (size_t j = 0; j < p; j++)
				qa[i * p + j] -= common[i * many + l] * qb[l * p + j];
	double sine, most;
	singular_range(qa, few, p, &sine);
	const double cosine = singular_range(common, few, many, &most);
	*angle = atan2(sine, cosine);
out:
	free(qa);
	free(qb);
	free(common);
	return verdict;
}
