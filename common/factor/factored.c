#include "factor/factored.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int hs_factored_init(struct hs_factored *f, size_t n_pix, size_t k, size_t n_chan, struct hs_err *err)
{
	size_t n_scores, n_loadings;
	*f = (struct hs_factored){ .n_pix = n_pix, .k = k, .n_chan = n_chan };
	if (!hs_mul(n_pix, k, &n_scores) || !hs_mul(k, n_chan, &n_loadings))
		return hs_fail(err, HS_BAD_DATA, "%zu components of %zu pixels and %zu channels are too many", k, n_pix, n_chan);
	f->used = hs_alloc(n_pix, 1, err);
	f->t = f->used ? hs_alloc(n_scores, sizeof(double), err) : NULL;
	f->l = f->t ? hs_alloc(n_loadings, sizeof(double), err) : NULL;
	return f->l ? 0 : -1;
}

void hs_factored_release(struct hs_factored *f)
{
	free(f->used);
	free(f->t);
	free(f->l);
	*f = (struct hs_factored){ 0 };
}

int hs_factored_add(struct hs_factored *f, size_t row, const double *scores, struct hs_err *err)
{
	if (isnan(scores[0]))
		return 0;
	f->used[row] = 1;
	for (size_t i = 0; i < f->k; i++)
		if (!isfinite(scores[i]))
			return hs_fail(err, HS_BAD_DATA, isnan(scores[i]) ? "pixel %zu has no score %zu, but others" :
				"score of pixel %zu on component %zu is beyond float32 (3.4e38): divide the values by their magnitude first",
				row, i + 1);
	memcpy(f->t + f->n_used++ * f->k, scores, f->k * sizeof *scores);
	return 0;
}

int hs_factored_put(void *to, size_t first, size_t n, const float *scores, struct hs_err *err)
{
	struct hs_factored *f = to;
	double *row = hs_alloc(f->k, sizeof *row, err);
	int verdict = row ? 0 : -1;
	for (size_t i = 0; i < n && verdict == 0; i++) {
		for (size_t j = 0; j < f->k; j++)
			row[j] = (double)scores[i * f->k + j];
		verdict = hs_factored_add(f, first + i, row, err);
	}
	free(row);
	return verdict;
}
