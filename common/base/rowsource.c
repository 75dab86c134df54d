#include "base/rowsource.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

size_t hs_block_rows(size_t n_chan)
{
	const double ideal = 8.0 * 1024 * 1024 / (8.0 * (double)(n_chan ? n_chan : 1));
	const double power = ideal > 0 ? rint(log2(ideal)) : 0;
	const double rows = exp2(power);
	return rows < 64 ? 64 : rows > 8192 ? 8192 : (size_t)rows;
}

struct hs_array_rows {
	struct hs_rowsource base;
	const void *x;
	uint8_t *skip;
	int done;
};

static int array_rewind(struct hs_rowsource *rows, struct hs_err *err)
{
	(void)err;
	((struct hs_array_rows *)rows)->done = 0;
	return 0;
}

static int array_next(struct hs_rowsource *rows, struct hs_batch *batch, struct hs_err *err)
{
	(void)err;
	struct hs_array_rows *a = (struct hs_array_rows *)rows;
	const size_t n = a->done ? 0 : rows->n_rows;
	*batch = (struct hs_batch){ .n_blocks = (n + rows->block_rows - 1) / rows->block_rows, .n_rows = n, .x = a->x, .skip = a->skip };
	a->done = 1;
	return 0;
}

static int row_is_finite(const void *x, enum hs_row_type type, size_t row, size_t n_chan)
{
	for (size_t i = row * n_chan; i < (row + 1) * n_chan; i++)
		if (!isfinite(type == HS_ROW_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]))
			return 0;
	return 1;
}

struct hs_rowsource *hs_array_rows_new(const void *x, enum hs_row_type type, size_t n_rows, size_t n_chan, const uint8_t *skip,
	struct hs_err *err)
{
	struct hs_array_rows *a = hs_alloc(1, sizeof *a, err);
	uint8_t *own = a ? hs_alloc(n_rows, 1, err) : NULL;
	if (!own) {
		free(a);
		return NULL;
	}
	for (size_t i = 0; i < n_rows; i++)
		own[i] = skip ? skip[i] : !row_is_finite(x, type, i, n_chan);
	*a = (struct hs_array_rows){ .base = { n_rows, n_chan, hs_block_rows(n_chan), type, array_rewind, array_next }, .x = x,
		.skip = own };
	return &a->base;
}

void hs_array_rows_free(struct hs_rowsource *rows)
{
	if (rows)
		free(((struct hs_array_rows *)rows)->skip);
	free(rows);
}
