#include "prep/lag.h"

#include <math.h>
#include <stdlib.h>

bool hs_lag_undo(const double *x, size_t n_chan, double lag, size_t first, size_t n, double *out)
{
	if (!isfinite(lag) || fabs(lag) > 1e15)
		return false;
	const double whole = floor(lag), part = lag - whole;
	const ptrdiff_t last = (ptrdiff_t)n_chan - 1;
	for (size_t i = 0; i < n; i++) {
		ptrdiff_t k = (ptrdiff_t)(first + i) + (ptrdiff_t)whole;
		const ptrdiff_t next = k + 1 < 0 ? 0 : k + 1 > last ? last : k + 1;
		k = k < 0 ? 0 : k > last ? last : k;
		out[i] = part > 0 ? (1 - part) * x[k] + part * x[next] : x[k];
	}
	return true;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double hs_lag_median(const double *lag, size_t n, double *sorted)
{
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (isfinite(lag[i]))
			sorted[m++] = lag[i];
	qsort(sorted, m, sizeof *sorted, ascending);
	return !m ? NAN : m % 2 ? sorted[m / 2] : 0.5 * (sorted[m / 2 - 1] + sorted[m / 2]);
}
