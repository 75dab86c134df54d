#include "math/tally.h"

#include <math.h>

struct sum {
	double sum, lost;             /* what rounding took from sum */
};

static void add(struct sum *s, double v)
{
	const double t = s->sum + v;
	s->lost += fabs(s->sum) >= fabs(v) ? s->sum - t + v : v - t + s->sum;
	s->sum = t;
}

static void count(struct hs_tally *t, struct sum *sum, double v, const double *fill)
{
	if (fill && v == *fill) {
		t->n_fill++;
	} else if (isnan(v)) {
		t->n_nan++;
	} else if (isinf(v)) {
		t->n_infinite++;
	} else {
		add(sum, v);
		t->min = t->n == 0 || v < t->min ? v : t->min;
		t->max = t->n == 0 || v > t->max ? v : t->max;
		t->n++;
	}
}

int hs_tally(struct hs_tally *t, struct hs_rowsource *rows, const uint8_t *mask, const double *fill, struct hs_err *err)
{
	const size_t n = rows->n_chan;
	struct hs_batch batch;
	struct sum sum = { 0 };
	*t = (struct hs_tally){ .min = NAN, .max = NAN };
	int verdict = rows->rewind(rows, err);
	while (verdict == 0 && (verdict = rows->next(rows, &batch, err)) == 0 && batch.n_blocks)
		for (size_t row = 0; row < batch.n_rows; row++) {
			const float *f = rows->type == HS_ROW_F32 ? (const float *)batch.x + row * n : NULL;
			const double *d = f ? NULL : (const double *)batch.x + row * n;
			if (mask && mask[batch.first_row + row])
				t->n_masked += n;
			else
				for (size_t i = 0; i < n; i++)
					count(t, &sum, f ? (double)f[i] : d[i], fill);
		}
	t->sum = sum.sum + sum.lost;
	t->mean = t->n ? t->sum / (double)t->n : NAN;
	return verdict;
}
