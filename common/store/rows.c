#include "store/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/rows_slab.h"

static void work(void *ctx)
{
	struct hs_rows *r = ctx;
	hs_rows_decode(r, &r->worker_err);
}

/* Fetches slab next_slab and sets the worker on it. */
static int start_slab(struct hs_rows *r, struct hs_err *err)
{
	if (r->next_slab >= r->n_slabs)
		return 0;
	r->slab = hs_rows_slab(r, r->next_slab++);
	if (r->slab.first_row == 0)
		r->kept = r->keep && hs_keep_is_whole(r->keep);
	if (!r->kept && hs_rows_fetch(r, &r->slab, err) < 0)
		return -1;
	r->worker_err = (struct hs_err){ 0 };
	if (!r->worker && !(r->worker = hs_worker_new(work, r)))
		return hs_fail(err, HS_SYSTEM, "cannot start a thread");
	hs_worker_start(r->worker);
	r->working = true;
	return 0;
}

static void stop_worker(struct hs_rows *r)
{
	hs_worker_wait(r->worker);
	r->working = false;
}

static int rewind_rows(struct hs_rowsource *source, struct hs_err *err)
{
	struct hs_rows *r = (struct hs_rows *)source;
	stop_worker(r);
	r->next_slab = r->left_over = r->next_row = 0;
	r->filling = 0;
	return start_slab(r, err);
}

static int next_rows(struct hs_rowsource *source, struct hs_batch *batch, struct hs_err *err)
{
	struct hs_rows *r = (struct hs_rows *)source;
	const size_t head = source->block_rows;
	*batch = (struct hs_batch){ 0 };
	while (r->working) {
		stop_worker(r);
		if (hs_failed(&r->worker_err)) {
			*err = r->worker_err;
			return -1;
		}
		const int ready = r->filling, other = !ready;
		const size_t rows = r->left_over + r->slab.n_rows, first = head - r->left_over;
		const bool last = r->next_slab >= r->n_slabs;
		const size_t whole = last ? rows : rows / head * head, rest = rows - whole;
		/* what does not fill a block goes in front of the next slab, before the worker starts on that */
		memcpy(r->batch[other] + (head - rest) * r->row_out, r->batch[ready] + (first + whole) * r->row_out, rest * r->row_out);
		memcpy(r->skip[other] + head - rest, r->skip[ready] + first + whole, rest);
		r->left_over = rest;
		r->filling = other;
		if (start_slab(r, err) < 0)
			return -1;
		if (!whole)
			continue;
		*batch = (struct hs_batch){ .first_block = r->next_row / head, .n_blocks = (whole + head - 1) / head, .first_row = r->next_row,
			.n_rows = whole, .x = r->batch[ready] + first * r->row_out, .skip = r->skip[ready] + first };
		r->next_row += whole;
		return 0;
	}
	return 0;
}

static enum hs_dtype delivered_as(enum hs_rows_as as, enum hs_dtype stored)
{
	switch (as) {
	case HS_AS_F32: return HS_F32;
	case HS_AS_F64: return HS_F64;
	case HS_AS_STORED: return stored;
	case HS_AS_PARTS:
		if (hs_dtype_is_complex(stored))
			return stored == HS_C64 ? HS_F32 : HS_F64;
		/* fall through */
	default: return stored == HS_F32 || hs_dtype_size(stored) <= 2 ? HS_F32 : HS_F64;
	}
}

static bool lies_in_order(const struct hs_values *v, size_t element)
{
	int64_t step = (int64_t)element;
	for (size_t i = v->rank; i-- > 0; step *= (int64_t)v->n[i])
		if (v->n[i] > 1 && (v->flip[i] || v->stride[i] != step))
			return false;
	return true;
}

int hs_rows_open(struct hs_rows **rows, const struct hs_values *values, const struct hs_rows_options *options, struct hs_err *err)
{
	struct hs_rows *r = hs_must_alloc(1, sizeof *r);
	*rows = NULL;
	r->v = *values;
	r->options = *options;
	r->dataset = r->file_type = -1;
	r->delivered = delivered_as(options->as, values->dtype);
	r->element_in = values->half ? 2 : hs_dtype_size(values->dtype);
	r->element_out = hs_dtype_size(r->delivered);
	r->way = values->kind == HS_VALUES_RAW ? WAY_RAW : WAY_MEMORY;
	r->source = (struct hs_rowsource){ .type = r->delivered == HS_F64 ? HS_ROW_F64 : HS_ROW_F32, .rewind = rewind_rows,
		.next = next_rows };

	const size_t n_nav = values->rank - values->sig_rank;
	const bool in_parts = options->as == HS_AS_PARTS && hs_dtype_is_complex(values->dtype);
	r->converted = !in_parts && (r->delivered != values->dtype || values->half);
	bool sane = hs_product(values->n, n_nav, &r->source.n_rows) && hs_product(values->n + n_nav, values->sig_rank,
		&r->stored_chan) &&
		hs_mul(r->stored_chan, in_parts ? 2 : 1, &r->source.n_chan) &&
		hs_mul(r->stored_chan, r->element_in > 2 ? r->element_in : hs_dtype_size(values->dtype), &r->row_in) &&
		hs_mul(r->source.n_chan, r->element_out, &r->row_out);
	size_t total;                         /* strides are signed */
	sane = sane && hs_mul(r->source.n_rows, r->row_out > r->row_in ? r->row_out : r->row_in, &total) && total <= PTRDIFF_MAX &&
		total;
	r->source.block_rows = hs_block_rows(r->source.n_chan);
	if (r->source.block_rows > r->source.n_rows)     /* fewer rows than a block: no memory for what is not there */
		r->source.block_rows = r->source.n_rows ? r->source.n_rows : 1;
	hs_rows_set_mark(r);
	int verdict = 0;
	if (!sane)
		verdict = hs_fail(err, HS_BAD_DATA, "the values are empty or absurdly many");
	else if (hs_dtype_is_complex(values->dtype) && r->converted)
		verdict = hs_fail(err, HS_BAD_DATA, "the values are complex: this needs real ones");
	if (verdict == 0 && values->kind == HS_VALUES_H5)
		verdict = hs_rows_open_dataset(r, err);
	r->in_order = verdict == 0 && r->way == WAY_RAW && lies_in_order(&r->v, r->element_in);
	if (verdict == 0)
		verdict = hs_rows_plan(r, err);
	if (verdict == 0)
		verdict = hs_rows_allocate(r, err);
	if (verdict < 0) {
		hs_rows_close(r);
		return -1;
	}
	/* plain values cost no more the second time than a kept copy would */
	if (!(r->way == WAY_RAW && r->in_order && !r->stored) && r->way != WAY_MEMORY && total <= options->keep && r->n_slabs > 1)
		r->keep = hs_keep_new(r->source.n_rows, r->row_out);
	*rows = r;
	return 0;
}

struct hs_rowsource *hs_rows_source(struct hs_rows *rows)
{
	return &rows->source;
}

size_t hs_rows_element(const struct hs_rows *rows)
{
	return rows->element_out;
}

void hs_rows_close(struct hs_rows *r)
{
	if (!r)
		return;
	hs_worker_free(r->worker);
	hs_keep_free(r->keep);
	if (r->file_type >= 0)
		H5Tclose(r->file_type);
	if (r->dataset >= 0)
		H5Dclose(r->dataset);
	for (int i = 0; i < 2; i++) {
		free(r->batch[i]);
		free(r->skip[i]);
	}
	for (int t = 0; r->codec && t < r->decoders; t++) {
		hs_codec_free(r->codec[t]);
		free(r->work[t]);
	}
	free(r->codec);
	free(r->work);
	free(r->stored);
	free(r->looked);
	free(r->packed);
	free(r->raw);
	free(r->fill);
	free(r);
}

void *hs_rows_read_all(const struct hs_values *values, const struct hs_rows_options *options, struct hs_err *err)
{
	struct hs_rows *rows;
	struct hs_batch batch;
	if (hs_rows_open(&rows, values, options, err) < 0)
		return NULL;
	unsigned char *all = hs_alloc(rows->source.n_rows, rows->row_out, err);
	int verdict = all ? rewind_rows(&rows->source, err) : -1;
	while (verdict == 0 && (verdict = next_rows(&rows->source, &batch, err)) == 0 && batch.n_rows)
		memcpy(all + batch.first_row * rows->row_out, batch.x, batch.n_rows * rows->row_out);
	hs_rows_close(rows);
	if (verdict < 0) {
		free(all);
		return NULL;
	}
	return all;
}
