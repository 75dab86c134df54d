/* Which rows a slab has, where they lie, and what memory it takes. */
#include "store/rows_slab.h"

#include "base/mem.h"
#include "base/units.h"

enum { SLAB_BYTES = 8 << 20 };

/* How many rows a slab should have, and along which pixel dimension the data are cut into slabs. */
int hs_rows_plan(struct hs_rows *r, struct hs_err *err)
{
	const struct hs_values *v = &r->v;
	const uint64_t memory = r->options.memory ? r->options.memory : UINT64_C(256) << 20;
	/* a decoding thread holds an unpacked chunk, and one between two filters; large chunks are decoded by fewer threads */
	const uint64_t decoder = r->chunk_bytes * (r->pipeline.shuffle && r->pipeline.deflate ? 2 : 1);
	for (r->decoders = hs_rows_threads(r); r->decoders > 1 && (uint64_t)r->decoders * decoder > memory / 4;)
		r->decoders--;
	/* a row costs: two batch buffers, its stored form when converted, its packed or file-order form, its part of the
	 * list of chunks */

	const uint64_t row_cost = 2 * r->row_out + 2 + (r->converted ? r->row_in : 0) + (r->way == WAY_CHUNKS || r->way == WAY_H5READ ?
		r->row_in : 0) +
		(r->way == WAY_CHUNKS ? r->row_in / r->chunk_bytes * sizeof(struct hs_packed_chunk) : 0);
	const uint64_t fixed = 2 * r->source.block_rows * r->row_out + (uint64_t)r->decoders * decoder + (r->way == WAY_RAW ?
		HS_RAW_SPAN : 0);
	if (memory < fixed + row_cost) {
		char need[16], have[16];
		return hs_fail(err, HS_SYSTEM, "spectra of %zu channels need at least --memory %s more than the %s left for them",
			r->source.n_chan,
			hs_show_bytes((double)(fixed + row_cost - memory), need), hs_show_bytes((double)memory, have));
	}
	const uint64_t affordable = (memory - fixed) / row_cost;
	size_t wanted = r->row_out ? SLAB_BYTES / r->row_out : 1;
	wanted = wanted < r->source.block_rows ? r->source.block_rows : wanted;

	r->n_nav = v->rank - v->sig_rank;
	size_t inner = r->source.n_rows;
	r->split = 0;
	r->split_step = 1;
	r->rows_a_split = 1;
	for (size_t d = 0; d < r->n_nav; d++) {
		inner /= v->n[d];
		const size_t unit = r->way == WAY_CHUNKS ? r->chunk[v->disk_dim[d]] : 1;
		const uint64_t band = (uint64_t)(unit < v->n[d] ? unit : v->n[d]) * inner;
		r->split = d;
		r->rows_a_split = inner;
		if (band > affordable && inner > affordable)
			continue;             /* not even one index of this dimension fits: cut further in */
		if (band > affordable) {      /* a part of a chunk row: its chunks will be unpacked more than once */
			r->split_step = (size_t)(affordable / inner);
		} else {
			size_t target = wanted < affordable ? wanted : (size_t)affordable;
			size_t units = target / (unit * inner);
			r->split_step = unit * (units ? units : 1);
		}
		r->split_step = r->split_step > v->n[d] ? v->n[d] : r->split_step;
		break;
	}
	const size_t n_split = r->n_nav ? v->n[r->split] : 1;
	r->split_step = r->split_step ? r->split_step : 1;
	r->n_ranges = (n_split + r->split_step - 1) / r->split_step;
	r->slab_rows = r->split_step * r->rows_a_split;
	r->n_slabs = r->source.n_rows / (n_split * r->rows_a_split) * r->n_ranges;
	return 0;
}

int hs_rows_allocate(struct hs_rows *r, struct hs_err *err)
{
	const size_t rows = r->slab_rows + r->source.block_rows;
	size_t bytes;
	if (!hs_mul(rows, r->row_out, &bytes))
		return hs_fail(err, HS_SYSTEM, "out of memory");
	for (int i = 0; i < 2; i++)
		if (!(r->batch[i] = hs_alloc(bytes, 1, err)) || !(r->skip[i] = hs_alloc(rows, 1, err)))
			return -1;
	if (r->converted)
		if (!(r->stored = hs_alloc(r->slab_rows, r->row_in, err)))
			return -1;
	if (r->source.n_rows <= (r->options.memory ? r->options.memory : UINT64_C(256) << 20) / 64 &&
		!(r->looked = hs_alloc(r->source.n_rows, 1, err)))
		return -1;
	/* as many bytes as planned, touched only where they are needed */
	r->room_raw = r->way == WAY_RAW ? HS_RAW_SPAN : r->way == WAY_MEMORY ? 0 : r->slab_rows * r->row_in;
	if (!(r->raw = hs_alloc(r->room_raw, 1, err)))
		return -1;
	if (r->way == WAY_CHUNKS) {
		r->codec = hs_must_alloc((size_t)r->decoders, sizeof(void *));
		r->work = hs_must_alloc((size_t)r->decoders, sizeof(void *));
		for (int t = 0; t < r->decoders; t++) {
			r->codec[t] = hs_codec_new();
			if (!(r->work[t] = hs_alloc(r->chunk_bytes, 1, err)))
				return -1;
		}
	}
	return 0;
}

struct hs_slab hs_rows_slab(const struct hs_rows *r, size_t index)
{
	struct hs_slab s = { 0 };
	size_t outer = index / r->n_ranges, range = index % r->n_ranges;
	for (size_t d = 0; d < r->v.rank; d++)
		s.n[d] = r->v.n[d];
	if (r->n_nav) {
		const size_t lo = range * r->split_step, left = r->v.n[r->split] - lo;
		s.lo[r->split] = lo;
		s.n[r->split] = left < r->split_step ? left : r->split_step;
		s.first_row = (outer * r->v.n[r->split] + lo) * r->rows_a_split;
		for (size_t d = r->split; d-- > 0; outer /= r->v.n[d]) {
			s.lo[d] = outer % r->v.n[d];
			s.n[d] = 1;
		}
		s.n_rows = s.n[r->split] * r->rows_a_split;
	} else {
		s.n_rows = 1;
	}
	return s;
}

/* Where a slab lies along dataset dimensions: flipped dimensions count from the far end. */
void hs_rows_disk_box(const struct hs_rows *r, const struct hs_slab *s, size_t lo[HS_MAX_RANK], size_t n[HS_MAX_RANK])
{
	for (size_t d = 0; d < r->v.rank; d++) {
		const size_t k = r->v.disk_dim[d];
		n[k] = s->n[d];
		lo[k] = r->v.flip[d] ? r->v.n[d] - s->lo[d] - s->n[d] : s->lo[d];
	}
}

/* Where the slab's values go as they are stored. */
unsigned char *hs_rows_slab_place(const struct hs_rows *r)
{
	return r->stored ? r->stored : r->batch[r->filling] + r->source.block_rows * r->row_out;
}

/* Where chunk i of the slab begins, in dataset dimensions. */
void hs_rows_chunk_start(const struct hs_rows *r, size_t i, size_t start[HS_MAX_RANK])
{
	for (size_t k = r->disk_rank; k-- > 0; i /= r->n_chunks[k])
		start[k] = (r->first_chunk[k] + i % r->n_chunks[k]) * r->chunk[k];
}

/* Strides of the slab's matrix in logical dimensions: C order over the box. */
void hs_rows_slab_strides(const struct hs_rows *r, const struct hs_slab *s, int64_t stride[HS_MAX_RANK])
{
	int64_t step = (int64_t)r->element_in;
	for (size_t d = r->v.rank; d-- > 0; step *= (int64_t)s->n[d])
		stride[d] = step;
}
