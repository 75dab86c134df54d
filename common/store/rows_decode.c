/* From bytes of the file to values at (row, channel). */
#include "store/rows_slab.h"

#include <errno.h>
#include <omp.h>
#include <string.h>
#include <unistd.h>

enum { STRIP_BYTES = 256 << 10 };

/* Copies a box of elements between two strided places; strides in bytes. The last dimension of order is the inner loop. */
static void copy_box(unsigned char *to, const int64_t *to_stride, const unsigned char *from, const int64_t *from_stride,
	const size_t *n,
	size_t rank, size_t element)
{
	if (rank == 0) {
		memcpy(to, from, element);
		return;
	}
	if (rank > 1) {
		for (size_t i = 0; i < n[0]; i++)
			copy_box(to + (int64_t)i * to_stride[0], to_stride + 1, from + (int64_t)i * from_stride[0], from_stride + 1, n + 1, rank - 1,
				element);
		return;
	}
	const int64_t ts = to_stride[0], fs = from_stride[0], size = (int64_t)element;
	if (ts == size && fs == size) {
		memcpy(to, from, n[0] * element);
		return;
	}
	switch (element) {
#define STRIDED(T)                                                                  \
	for (size_t i = 0; i < n[0]; i++) {                                         \
		T value;                                                            \
		memcpy(&value, from + (int64_t)i * fs, sizeof value);               \
		memcpy(to + (int64_t)i * ts, &value, sizeof value);                 \
	}                                                                           \
	return
	case 1: STRIDED(uint8_t);
	case 2: STRIDED(uint16_t);
	case 4: STRIDED(uint32_t);
	case 8: STRIDED(uint64_t);
#undef STRIDED
	default:
		for (size_t i = 0; i < n[0]; i++)
			memcpy(to + (int64_t)i * ts, from + (int64_t)i * fs, element);
	}
}

/* One unpacked chunk (dataset order), number index of the slab, into the slab, the part of it that the slab covers. */
static void place_chunk(const struct hs_rows *r, const struct hs_slab *s, size_t index, const unsigned char *values,
	size_t value_step,
	unsigned char *to)
{
	const struct hs_values *v = &r->v;
	int64_t slab_stride[HS_MAX_RANK], chunk_stride[HS_MAX_RANK], to_stride[HS_MAX_RANK], from_stride[HS_MAX_RANK];
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK], box[HS_MAX_RANK], start[HS_MAX_RANK];
	hs_rows_chunk_start(r, index, start);
	hs_rows_slab_strides(r, s, slab_stride);
	hs_rows_disk_box(r, s, lo, n);
	int64_t step = (int64_t)value_step;
	for (size_t k = r->disk_rank; k-- > 0; step *= (int64_t)r->chunk[k])
		chunk_stride[k] = value_step ? step : 0;
	size_t logical_of[HS_MAX_RANK] = { 0 };
	for (size_t d = 0; d < v->rank; d++)
		logical_of[v->disk_dim[d]] = d;
	for (size_t k = 0; k < r->disk_rank; k++) {        /* dataset order: the chunk is read in its own order */
		const size_t d = logical_of[k], from = start[k] > lo[k] ? start[k] : lo[k],
			     end_slab = lo[k] + n[k], end_chunk = start[k] + r->chunk[k], end = end_slab < end_chunk ? end_slab : end_chunk;
		box[k] = end - from;
		values += (int64_t)(from - start[k]) * chunk_stride[k];
		from_stride[k] = chunk_stride[k];
		const size_t place = v->flip[d] ? n[k] - 1 - (from - lo[k]) : from - lo[k];
		to += (int64_t)place * slab_stride[d];
		to_stride[k] = v->flip[d] ? -slab_stride[d] : slab_stride[d];
	}
	copy_box(to, to_stride, values, from_stride, box, r->disk_rank, r->element_in);
}

int hs_rows_decode_chunks(struct hs_rows *r, const struct hs_slab *s, unsigned char *to, struct hs_err *err)
{
	const char *trouble = NULL;
#pragma omp parallel for schedule(dynamic) num_threads(r->decoders)
	for (size_t i = r->wave; i < r->wave_end; i++) {
		const int t = omp_get_thread_num();
		const struct hs_packed_chunk *c = &r->packed[i];
		if (c->missing) {
			place_chunk(r, s, i, r->fill, 0, to);
			continue;
		}
		const char *why = hs_unpack_chunk(r->codec[t], &r->pipeline, c->mask, r->raw + c->at, c->n, r->work[t], r->chunk_bytes);
		if (why) {
#pragma omp critical(hs_rows_trouble)
			trouble = why;
		} else {
			place_chunk(r, s, i, r->work[t], r->element_in, to);
		}
	}
	return trouble ? hs_fail(err, HS_BAD_DATA, "'%s' is damaged: %s in a chunk of '%s'", r->v.file->name, trouble, r->v.path) : 0;
}

/* Bytes [at, at + n) of a raw file; what lies behind v->end or the end of the file reads as "not measured". An HDF5 file
 * that ends before its values do is damaged. */
static int read_span(const struct hs_rows *r, uint64_t at, unsigned char *to, size_t n, struct hs_err *err)
{
	while (n) {
		const uint64_t left = at < r->v.end ? r->v.end - at : 0;
		const ssize_t k = left ? pread(r->v.fd, to, n < left ? n : (size_t)left, (off_t)at) : 0;
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return hs_fail_errno(err, "cannot read the values");
		if (k == 0 && r->dataset >= 0)
			return hs_fail(err, HS_BAD_DATA, "'%s' is truncated: it ends within '%s'", r->v.file->name, r->v.path);
		if (k == 0) {                 /* all ones is a NaN in every float format and byte order; integers get 0 */
			memset(to, hs_dtype_is_float(r->v.dtype) || hs_dtype_is_complex(r->v.dtype) ? 0xff : 0, n);
			return 0;
		}
		to += k;
		at += (uint64_t)k;
		n -= (size_t)k;
	}
	return 0;
}

/* A box of a raw file whose dimensions are sorted by falling stride: one read when the span is mostly payload, else one
 * level further in. */
static int read_box(const struct hs_rows *r, uint64_t at, const int64_t *file_stride, unsigned char *to, const int64_t *to_stride,
	const size_t *n, size_t rank, unsigned char *work, struct hs_err *err)
{
	uint64_t span = r->element_in, payload = r->element_in;
	bool dense = true;                    /* the same layout on both sides: read in place */
	for (size_t i = rank; i-- > 0;) {
		dense &= n[i] == 1 || (file_stride[i] == to_stride[i] && (uint64_t)file_stride[i] == payload);
		span += (n[i] - 1) * (uint64_t)file_stride[i];
		payload *= n[i];
	}
	if (dense)
		return read_span(r, at, to, (size_t)payload, err);
	if (span <= HS_RAW_SPAN && span <= 8 * payload) {
		if (read_span(r, at, work, (size_t)span, err) < 0)
			return -1;
		copy_box(to, to_stride, work, file_stride, n, rank, r->element_in);
		return 0;
	}
	for (size_t i = 0; i < n[0]; i++)
		if (read_box(r, at + i * (uint64_t)file_stride[0], file_stride + 1, to + (int64_t)i * to_stride[0], to_stride + 1, n + 1,
		rank - 1,
			    work, err) < 0)
			return -1;
	return 0;
}

static int decode_raw(struct hs_rows *r, const struct hs_slab *s, unsigned char *to, struct hs_err *err)
{
	const struct hs_values *v = &r->v;
	int64_t slab_stride[HS_MAX_RANK], file_stride[HS_MAX_RANK], to_stride[HS_MAX_RANK];
	size_t order[HS_MAX_RANK], n[HS_MAX_RANK];
	hs_rows_slab_strides(r, s, slab_stride);
	for (size_t i = 0; i < v->rank; i++) {        /* insertion sort by falling file stride */
		size_t j = i;
		for (; j > 0 && v->stride[order[j - 1]] < v->stride[i]; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
	uint64_t at = v->offset;
	for (size_t i = 0; i < v->rank; i++) {
		const size_t d = order[i];
		const size_t lo = v->flip[d] ? v->n[d] - s->lo[d] - s->n[d] : s->lo[d];
		at += (uint64_t)v->stride[d] * lo;
		file_stride[i] = v->stride[d];
		n[i] = s->n[d];
		to_stride[i] = v->flip[d] ? -slab_stride[d] : slab_stride[d];
		if (v->flip[d])
			to += (int64_t)(s->n[d] - 1) * slab_stride[d];
	}
	return read_box(r, at, file_stride, to, to_stride, n, v->rank, r->raw, err);
}

/* Values that are in memory, whole (v->memory) or the slab only (raw, dataset order), into the slab. */
static void decode_memory(const struct hs_rows *r, const struct hs_slab *s, unsigned char *to)
{
	const struct hs_values *v = &r->v;
	int64_t slab_stride[HS_MAX_RANK], from_stride[HS_MAX_RANK];
	hs_rows_slab_strides(r, s, slab_stride);
	const unsigned char *from = r->way == WAY_MEMORY ? v->memory : r->raw;
	if (r->way == WAY_MEMORY) {
		for (size_t d = 0; d < v->rank; d++) {
			from_stride[d] = v->stride[d];
			from += (int64_t)(v->flip[d] ? v->n[d] - 1 - s->lo[d] : s->lo[d]) * v->stride[d];
		}
	} else {
		size_t lo[HS_MAX_RANK], n[HS_MAX_RANK];
		int64_t disk_stride[HS_MAX_RANK], step = (int64_t)r->element_in;
		hs_rows_disk_box(r, s, lo, n);
		for (size_t k = v->rank; k-- > 0; step *= (int64_t)n[k])
			disk_stride[k] = step;
		for (size_t d = 0; d < v->rank; d++) {
			from_stride[d] = disk_stride[v->disk_dim[d]];
			from += v->flip[d] ? (int64_t)(s->n[d] - 1) * from_stride[d] : 0;
		}
	}
	for (size_t d = 0; d < v->rank; d++)
		from_stride[d] = v->flip[d] ? -from_stride[d] : from_stride[d];
	copy_box(to, slab_stride, from, from_stride, s->n, v->rank, r->element_in);
}

/* A slab that was decoded in an earlier pass. */
static int recall(struct hs_rows *r, struct hs_err *err)
{
	const struct hs_slab *s = &r->slab;
	const size_t strip = r->row_out < STRIP_BYTES ? STRIP_BYTES / r->row_out : 1, n_strips = (s->n_rows + strip - 1) / strip,
		     head = r->source.block_rows;
	bool good = true;
#pragma omp parallel for schedule(dynamic) num_threads(hs_rows_threads(r)) reduction(&& : good) if (n_strips > 1)
	for (size_t i = 0; i < n_strips; i++) {
		const size_t first = i * strip, n = s->n_rows - first < strip ? s->n_rows - first : strip;
		good = hs_keep_get(r->keep, s->first_row + first, n, r->batch[r->filling] + (head + first) * r->row_out,
			       r->skip[r->filling] + head + first) && good;
	}
	return good ? 0 : hs_fail_errno(err, "cannot read back the temporary file");
}

int hs_rows_decode(struct hs_rows *r, struct hs_err *err)
{
	const struct hs_slab *s = &r->slab;
	unsigned char *to = hs_rows_slab_place(r);
	int verdict = 0;
	if (r->kept)
		return recall(r, err);
	if (r->way == WAY_CHUNKS)
		verdict = hs_rows_decode_chunks(r, s, to, err);
	else if (r->way == WAY_RAW && !r->in_order)
		verdict = decode_raw(r, s, to, err);
	else if (r->way != WAY_RAW)
		decode_memory(r, s, to);
	if (verdict < 0)
		return -1;
	/* strips that are still in the cache when they are looked at */
	const size_t row = r->stored_chan * r->element_in, strip = row < STRIP_BYTES ? STRIP_BYTES / row : 1, n_strips =
		(s->n_rows + strip - 1) / strip;
#pragma omp parallel for schedule(dynamic) num_threads(hs_rows_threads(r)) if (n_strips > 1)
	for (size_t i = 0; i < n_strips; i++) {
		const size_t first = i * strip, end = s->n_rows - first < strip ? s->n_rows : first + strip;
		struct hs_err own = { 0 };
		if (r->in_order && read_span(r, r->v.offset + (s->first_row + first) * row, to + first * row, (end - first) * row, &own) < 0) {
#pragma omp critical(hs_rows_trouble)
			if (!hs_failed(err))
				*err = own;
		} else {
			hs_rows_finish(r, first, end);
		}
	}
	if (r->looked && !hs_failed(err) && s->first_row <= r->n_looked && s->first_row + s->n_rows > r->n_looked)
		r->n_looked = s->first_row + s->n_rows;
	if (r->keep && !hs_failed(err))
		hs_keep_put(r->keep, s->first_row, s->n_rows, r->batch[r->filling] + r->source.block_rows * r->row_out,
			r->skip[r->filling] + r->source.block_rows);
	return hs_failed(err) ? -1 : 0;
}
