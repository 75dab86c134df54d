#include "math/vector.h"

#include <math.h>
#include <string.h>

double hs_dot(const double *a, const double *b, size_t n)
{
	double s[4] = { 0 };
	size_t j = 0;
	for (; j + 4 <= n; j += 4)
		for (size_t l = 0; l < 4; l++)
			s[l] += a[j + l] * b[j + l];
	for (; j < n; j++)
		s[0] += a[j] * b[j];
	return (s[0] + s[1]) + (s[2] + s[3]);
}

double hs_distance2(const double *a, const double *b, size_t n)
{
	double s[4] = { 0 };
	size_t j = 0;
	for (; j + 4 <= n; j += 4)
		for (size_t l = 0; l < 4; l++)
			s[l] += (a[j + l] - b[j + l]) * (a[j + l] - b[j + l]);
	for (; j < n; j++)
		s[0] += (a[j] - b[j]) * (a[j] - b[j]);
	return (s[0] + s[1]) + (s[2] + s[3]);
}

HS_WIDE void hs_add(double *to, const double *from, size_t n)
{
	for (size_t j = 0; j < n; j++)
		to[j] += from[j];
}

HS_WIDE void hs_subtract(double *to, const double *from, size_t n)
{
	for (size_t j = 0; j < n; j++)
		to[j] -= from[j];
}

HS_WIDE static void widen(double *out, const float *x, size_t n)
{
	for (size_t j = 0; j < n; j++)
		out[j] = (double)x[j];
}

double hs_block_row(const struct hs_block *block, size_t i, bool unit, double *out)
{
	const size_t p = block->n_chan;
	if (block->type == HS_ROW_F64)
		memcpy(out, (const double *)block->x + i * p, p * sizeof *out);
	else
		widen(out, (const float *)block->x + i * p, p);
	if (!unit)
		return 1;
	const double norm = sqrt(hs_dot(out, out, p)), inv = 1 / norm;
	for (size_t j = 0; norm > 0 && j < p; j++)
		out[j] *= inv;
	return norm;
}

void hs_merge_sums(void *left, const void *right, const void *ctx)
{
	hs_add(left, right, *(const size_t *)ctx);
}

/* One a thread at work, and the complete subtrees beside the paths from the root to those, and to the end of what is done. */
double hs_partials_alive(double n_rows, size_t n_chan, int threads)
{
	const double n_blocks = ceil(n_rows / (double)hs_block_rows(n_chan)), paths = threads + 1;
	double alive = threads;
	for (double wide = 1; wide < n_blocks; wide *= 2)
		alive += wide < paths ? wide : paths;
	return alive < n_blocks ? alive : n_blocks;
}
