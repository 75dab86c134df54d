/* The path of a slab:
 *
 *	fetch   caller's thread   what needs HDF5: packed chunks as they are, or values through H5Dread (odd types, filters)
 *	decode  worker thread     unpack chunks / read raw stretches, place each value at (row, channel), convert, look for NaN
 *	next    caller's thread   rows left over from the last slab are put in front, whole blocks are handed out
 *
 * A slab is a run of rows: one index of every pixel dimension before `split`, a range of dimension `split`, all of those
 * behind it. Two batch buffers take turns; the one being filled is never the one the caller reads. */
#include "store/rows.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "base/worker.h"
#include "store/codec.h"
#include "store/h5.h"
#include "store/keep.h"

enum { SLAB_BYTES = 8 << 20, RAW_SPAN = 4 << 20, STRIP_BYTES = 256 << 10 };

enum way { WAY_RAW, WAY_CHUNKS, WAY_H5READ, WAY_MEMORY };

struct packed_chunk {
	size_t at, n;                         /* its bytes in the raw area */
	uint32_t mask;
	bool missing;                         /* never written: fill value */
};

struct slab {
	size_t first_row, n_rows;
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK];   /* the box, in logical dimensions */
};

struct hs_rows {
	struct hs_rowsource source;           /* first: the caller sees this */
	struct hs_values v;                   /* borrowed strings inside */
	struct hs_rows_options options;
	enum way way;
	enum hs_dtype delivered;
	size_t element_in, element_out, row_in, row_out;   /* bytes */
	size_t n_nav, split, split_step;      /* rows of dimension split a slab has */
	size_t rows_a_split;                  /* rows of one index of dimension split */
	size_t slab_rows;                     /* most rows a slab can have */
	size_t next_slab, n_slabs, n_ranges;
	size_t next_row;                      /* first row not yet delivered */

	hid_t dataset, file_type;             /* H5 */
	size_t disk_rank, disk_n[HS_MAX_RANK], chunk[HS_MAX_RANK], chunk_bytes;
	struct hs_pipeline pipeline;
	bool big_endian, regrouped;
	bool in_order;                        /* RAW: rows lie in the file one after the other as they are delivered */
	unsigned char *fill;                  /* one element of fill value, as the file has it */
	struct packed_chunk *packed;          /* the chunks of the slab, in C order of their places */
	size_t n_packed, room_packed;
	size_t first_chunk[HS_MAX_RANK], n_chunks[HS_MAX_RANK];    /* which those are, along each dataset dimension */
	size_t wave, wave_end;                /* those whose bytes are in the raw area */
	unsigned char *raw;                   /* packed chunks, values from H5Dread in dataset order, or a span of a raw file */
	size_t room_raw;
	int decoders;
	struct hs_codec **codec;              /* one a decoding thread */
	unsigned char **work;                 /* one unpacked chunk, one a decoding thread */

	bool marked;                          /* integers: this value means "not measured" */
	unsigned char mark[8];
	unsigned char *stored;                /* a slab before conversion, when it is converted */
	unsigned char *batch[2];              /* a block of left-over rows, then a slab */
	uint8_t *skip[2];
	uint8_t *looked;                      /* skip of each row, from the first pass on, so that later ones need not look again; */
	size_t n_looked;                      /* known for so many of the first rows. NULL when there are too many for --memory */
	int filling;                          /* which batch is being filled */
	size_t left_over;                     /* rows in front of the slab that were not handed out yet */
	struct slab slab;
	struct hs_keep *keep;                 /* rows of an earlier pass, or NULL */
	bool kept;                            /* the slab under way comes from there */
	struct hs_worker *worker;
	bool working;                         /* a slab is being decoded, or waits to be handed out */
	struct hs_err worker_err;
};

/* ------------------------------------------------------------------ opening */

static int threads(const struct hs_rows *r)
{
	return r->options.threads > 0 ? r->options.threads : 1;
}

static enum hs_dtype delivered_as(enum hs_rows_as as, enum hs_dtype stored)
{
	switch (as) {
	case HS_AS_F32: return HS_F32;
	case HS_AS_F64: return HS_F64;
	case HS_AS_STORED: return stored;
	default: return stored == HS_F32 || hs_dtype_size(stored) <= 2 ? HS_F32 : HS_F64;
	}
}

/* Filters we undo ourselves: shuffle of whole elements, deflate, fletcher32, in this order, each at most once, on every chunk. */
static bool known_pipeline(hid_t dcpl, size_t element, struct hs_pipeline *how)
{
	static const H5Z_filter_t order[] = { H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32 };
	const int n = H5Pget_nfilters(dcpl);
	size_t place = 0;
	bool *const has[] = { &how->shuffle, &how->deflate, &how->fletcher };
	unsigned chunk_options = 0;
	*how = (struct hs_pipeline){ .element = element };
	if (H5Pget_chunk_opts(dcpl, &chunk_options) < 0 || chunk_options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS)
		return false;                 /* chunks over the edge are stored bare, and their mask does not say so */
	for (int i = 0; i < n; i++) {
		unsigned flags, config, value = 0;
		size_t n_values = 1;
		const H5Z_filter_t id = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, &value, 0, NULL, &config);
		if (id == H5Z_FILTER_SHUFFLE && value != element)
			return false;
		while (place < HS_LEN(order) && order[place] != id)
			place++;
		if (place == HS_LEN(order))
			return false;
		*has[place++] = true;
	}
	return true;
}

static int open_dataset(struct hs_rows *r, struct hs_err *err)
{
	const struct hs_values *v = &r->v;
	r->dataset = H5Dopen2(v->file->id, v->path, H5P_DEFAULT);
	if (r->dataset < 0)
		return hs_h5_fail(err, HS_BAD_DATA, "cannot open '%s' in '%s'", v->path, v->file->name);
	hid_t space = H5Dget_space(r->dataset), dcpl = H5Dget_create_plist(r->dataset);
	hsize_t dims[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
	const int rank = H5Sget_simple_extent_dims(space, dims, NULL);
	H5Sclose(space);
	if (rank < 0 || rank > HS_MAX_RANK) {
		H5Pclose(dcpl);
		return hs_fail(err, HS_BAD_DATA, "dataset '%s' has %d dimensions", v->path, rank);
	}
	r->disk_rank = (size_t)rank;
	for (int i = 0; i < rank; i++)
		r->disk_n[i] = (size_t)dims[i];
	r->file_type = H5Dget_type(r->dataset);
	const bool plain = !v->field && hs_h5_type_is_plain(r->file_type, v->dtype, &r->big_endian);
	const H5D_layout_t layout = H5Pget_layout(dcpl);
	const haddr_t offset = layout == H5D_CONTIGUOUS && plain && H5Pget_external_count(dcpl) == 0 ? H5Dget_offset(r->dataset) :
		HADDR_UNDEF;
	/* a table of positions x channels described with more (or fewer) dimensions: the same elements in C order */
	r->regrouped = r->disk_rank != v->rank;
	for (size_t i = 0; i < v->rank && !r->regrouped; i++)
		r->regrouped = v->disk_dim[i] >= r->disk_rank || r->disk_n[v->disk_dim[i]] != v->n[i];
	size_t n_disk, n_described;
	if (!hs_product(r->disk_n, r->disk_rank, &n_disk) || !hs_product(v->n, v->rank, &n_described) || n_disk != n_described) {
		H5Pclose(dcpl);
		return hs_fail(err, HS_BAD_DATA, "dataset '%s' has %zu values, its description %zu", v->path, n_disk, n_described);
	}
	const bool regrouped = r->regrouped;
	r->way = WAY_H5READ;
	if (offset != HADDR_UNDEF) {          /* contiguous: plain bytes of the file, HDF5 is not needed any more */
		const int64_t size = (int64_t)r->element_in;
		int64_t stride[HS_MAX_RANK], step = size;
		for (size_t i = regrouped ? v->rank : r->disk_rank; i-- > 0; step *= (int64_t)(regrouped ? v->n[i] : r->disk_n[i]))
			stride[i] = step;
		for (size_t i = 0; i < v->rank; i++)
			r->v.stride[i] = stride[regrouped ? i : v->disk_dim[i]];
		r->v.fd = v->file->fd;
		r->v.offset = offset;
		r->v.end = UINT64_MAX;
		r->v.big_endian = r->big_endian;
		r->way = WAY_RAW;
	} else if (layout == H5D_CHUNKED && plain && !regrouped && known_pipeline(dcpl, r->element_in, &r->pipeline) &&
		H5Pget_chunk(dcpl, H5S_MAX_RANK, chunk) == rank) {
		r->way = WAY_CHUNKS;
		r->fill = hs_must_alloc(1, r->element_in);
		H5Pget_fill_value(dcpl, r->file_type, r->fill);
		for (int i = 0; i < rank; i++)
			r->chunk[i] = (size_t)chunk[i];
		if (!hs_product(r->chunk, r->disk_rank, &r->chunk_bytes) || !hs_mul(r->chunk_bytes, r->element_in, &r->chunk_bytes) ||
			r->chunk_bytes > UINT32_MAX) {
			H5Pclose(dcpl);
			return hs_fail(err, HS_BAD_DATA, "dataset '%s' has chunks of an absurd size", v->path);
		}
	}
	H5Pclose(dcpl);
	return 0;
}

static bool lies_in_order(const struct hs_values *v, size_t element)
{
	int64_t step = (int64_t)element;
	for (size_t i = v->rank; i-- > 0; step *= (int64_t)v->n[i])
		if (v->n[i] > 1 && (v->flip[i] || v->stride[i] != step))
			return false;
	return true;
}

/* How many rows a slab should have, and along which pixel dimension the data are cut into slabs. */
static int plan_slabs(struct hs_rows *r, struct hs_err *err)
{
	const struct hs_values *v = &r->v;
	const uint64_t memory = r->options.memory ? r->options.memory : UINT64_C(256) << 20;
	/* a decoding thread holds an unpacked chunk, and one between two filters; large chunks are decoded by fewer threads */
	const uint64_t decoder = r->chunk_bytes * (r->pipeline.shuffle && r->pipeline.deflate ? 2 : 1);
	for (r->decoders = threads(r); r->decoders > 1 && (uint64_t)r->decoders * decoder > memory / 4;)
		r->decoders--;
	/* a row costs: two batch buffers, its stored form when converted, its packed or file-order form, its part of the
	 * list of chunks */



	const bool converted = r->delivered != v->dtype || v->half;
	const uint64_t row_cost = 2 * r->row_out + 2 + (converted ? r->row_in : 0) + (r->way == WAY_CHUNKS || r->way == WAY_H5READ ?
		r->row_in : 0) +
		(r->way == WAY_CHUNKS ? r->row_in / r->chunk_bytes * sizeof(struct packed_chunk) : 0);
	const uint64_t fixed = 2 * r->source.block_rows * r->row_out + (uint64_t)r->decoders * decoder + (r->way == WAY_RAW ?
		RAW_SPAN : 0);
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

static int rewind_rows(struct hs_rowsource *source, struct hs_err *err);
static int next_rows(struct hs_rowsource *source, struct hs_batch *batch, struct hs_err *err);

static int allocate(struct hs_rows *r, struct hs_err *err)
{
	const size_t rows = r->slab_rows + r->source.block_rows;
	size_t bytes;
	if (!hs_mul(rows, r->row_out, &bytes))
		return hs_fail(err, HS_SYSTEM, "out of memory");
	for (int i = 0; i < 2; i++)
		if (!(r->batch[i] = hs_alloc(bytes, 1, err)) || !(r->skip[i] = hs_alloc(rows, 1, err)))
			return -1;
	if (r->delivered != r->v.dtype || r->v.half)
		if (!(r->stored = hs_alloc(r->slab_rows, r->row_in, err)))
			return -1;
	if (r->source.n_rows <= (r->options.memory ? r->options.memory : UINT64_C(256) << 20) / 64 &&
		!(r->looked = hs_alloc(r->source.n_rows, 1, err)))
		return -1;
	/* as many bytes as planned, touched only where they are needed */
	r->room_raw = r->way == WAY_RAW ? RAW_SPAN : r->way == WAY_MEMORY ? 0 : r->slab_rows * r->row_in;
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

/* The fill value as an element of the stored integer type; one that the type cannot hold marks nothing. */
static void set_mark(struct hs_rows *r)
{
	static const struct { double low, beyond; } range[] = { [HS_U8] = { 0, 0x1p8 }, [HS_I8] = { -0x1p7, 0x1p7 }, [HS_U16] = { 0,
		0x1p16 },
		[HS_I16] = { -0x1p15, 0x1p15 }, [HS_U32] = { 0, 0x1p32 }, [HS_I32] = { -0x1p31, 0x1p31 }, [HS_U64] = { 0, 0x1p64 },
		[HS_I64] = { -0x1p63, 0x1p63 } };
	const double v = r->options.fill;
	if (!r->options.has_fill || r->v.dtype > HS_I64 || !(v >= range[r->v.dtype].low && v < range[r->v.dtype].beyond) ||
		floor(v) != v)
		return;
	const uint64_t bits = v < 0 ? (uint64_t)(int64_t)v : (uint64_t)v;
	memcpy(r->mark, &bits, r->element_in);
	r->marked = true;
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
	bool sane = hs_product(values->n, n_nav, &r->source.n_rows) && hs_product(values->n + n_nav, values->sig_rank,
		&r->source.n_chan) &&
		hs_mul(r->source.n_chan, r->element_in > 2 ? r->element_in : hs_dtype_size(values->dtype), &r->row_in) &&
		hs_mul(r->source.n_chan, r->element_out, &r->row_out);
	size_t total;                         /* strides are signed */
	sane = sane && hs_mul(r->source.n_rows, r->row_out > r->row_in ? r->row_out : r->row_in, &total) && total <= PTRDIFF_MAX &&
		total;
	r->source.block_rows = hs_block_rows(r->source.n_chan);
	if (r->source.block_rows > r->source.n_rows)     /* fewer rows than a block: no memory for what is not there */
		r->source.block_rows = r->source.n_rows ? r->source.n_rows : 1;
	set_mark(r);
	int verdict = 0;
	if (!sane)
		verdict = hs_fail(err, HS_BAD_DATA, "the values are empty or absurdly many");
	else if (hs_dtype_is_complex(values->dtype) && r->delivered != values->dtype)
		verdict = hs_fail(err, HS_BAD_DATA, "the values are complex: this needs real ones");
	if (verdict == 0 && values->kind == HS_VALUES_H5)
		verdict = open_dataset(r, err);
	r->in_order = verdict == 0 && r->way == WAY_RAW && lies_in_order(&r->v, r->element_in);
	if (verdict == 0)
		verdict = plan_slabs(r, err);
	if (verdict == 0)
		verdict = allocate(r, err);
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

/* ------------------------------------------------------------------ fetch: what needs HDF5, in the caller's thread */

static struct slab slab_at(const struct hs_rows *r, size_t index)
{
	struct slab s = { 0 };
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
static void disk_box(const struct hs_rows *r, const struct slab *s, size_t lo[HS_MAX_RANK], size_t n[HS_MAX_RANK])
{
	for (size_t d = 0; d < r->v.rank; d++) {
		const size_t k = r->v.disk_dim[d];
		n[k] = s->n[d];
		lo[k] = r->v.flip[d] ? r->v.n[d] - s->lo[d] - s->n[d] : s->lo[d];
	}
}

static int make_room(struct hs_rows *r, size_t want, struct hs_err *err)
{
	if (want <= r->room_raw)
		return 0;
	free(r->raw);
	r->room_raw = 0;
	if (!(r->raw = hs_alloc(want, 1, err)))
		return -1;
	r->room_raw = want;
	return 0;
}

static int decode_chunks(struct hs_rows *r, const struct slab *s, unsigned char *to, struct hs_err *err);

/* Where the slab's values go as they are stored. */
static unsigned char *slab_place(const struct hs_rows *r)
{
	return r->stored ? r->stored : r->batch[r->filling] + r->source.block_rows * r->row_out;
}

/* Where chunk i of the slab begins, in dataset dimensions. */
static void chunk_start(const struct hs_rows *r, size_t i, size_t start[HS_MAX_RANK])
{
	for (size_t k = r->disk_rank; k-- > 0; i /= r->n_chunks[k])
		start[k] = (r->first_chunk[k] + i % r->n_chunks[k]) * r->chunk[k];
}

static void chunk_offset(const struct hs_rows *r, size_t i, hsize_t offset[HS_MAX_RANK])
{
	size_t start[HS_MAX_RANK];
	chunk_start(r, i, start);
	for (size_t k = 0; k < r->disk_rank; k++)
		offset[k] = start[k];
}

/* Which chunks the slab touches and how long each is. */
static int list_chunks(struct hs_rows *r, const struct slab *s, struct hs_err *err)
{
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK], total = 1;
	hsize_t offset[HS_MAX_RANK];
	disk_box(r, s, lo, n);
	for (size_t k = 0; k < r->disk_rank; k++) {
		r->first_chunk[k] = lo[k] / r->chunk[k];
		r->n_chunks[k] = (lo[k] + n[k] - 1) / r->chunk[k] - r->first_chunk[k] + 1;
		total *= r->n_chunks[k];
	}
	if (total > r->room_packed) {
		free(r->packed);
		r->room_packed = 0;
		if (!(r->packed = hs_alloc(total, sizeof *r->packed, err)))
			return -1;
		r->room_packed = total;
	}
	r->n_packed = total;
	for (size_t i = 0; i < total; i++) {
		hsize_t stored = 0;
		chunk_offset(r, i, offset);
		r->packed[i].missing = H5Dget_chunk_storage_size(r->dataset, offset, &stored) < 0 || !stored;
		r->packed[i].n = (size_t)stored;
		if (stored > 2 * (hsize_t)r->chunk_bytes + 4096)
			return hs_fail(err, HS_BAD_DATA, "'%s' is damaged: a chunk of '%s' promises %llu bytes", r->v.file->name, r->v.path,
				(unsigned long long)stored);
	}
	return 0;
}

/* Bytes of the next chunks, as many as fit the raw area and at least one. */
static int fetch_wave(struct hs_rows *r, struct hs_err *err)
{
	size_t bytes = 0;
	hsize_t offset[HS_MAX_RANK];
	for (r->wave = r->wave_end; r->wave_end < r->n_packed; r->wave_end++) {
		struct packed_chunk *c = &r->packed[r->wave_end];
		if (c->missing)
			continue;
		if (bytes && c->n > r->room_raw - bytes)
			break;
		if (!bytes && make_room(r, c->n, err) < 0)
			return -1;
		c->at = bytes;
		bytes += c->n;
		chunk_offset(r, r->wave_end, offset);
		if (H5Dread_chunk(r->dataset, H5P_DEFAULT, offset, &c->mask, r->raw + c->at) < 0)
			return hs_h5_fail(err, HS_BAD_DATA, "'%s' is damaged: cannot read a chunk of '%s'", r->v.file->name, r->v.path);
	}
	return 0;
}

/* The packed chunks of a slab. Where they reach far beyond it their bytes do not fit at once: then all but the last of them are
 * decoded here, in waves. */
static int fetch_chunks(struct hs_rows *r, const struct slab *s, struct hs_err *err)
{
	if (list_chunks(r, s, err) < 0)
		return -1;
	r->wave_end = 0;
	while (fetch_wave(r, err) == 0) {
		if (r->wave_end == r->n_packed)
			return 0;
		if (decode_chunks(r, s, slab_place(r), err) < 0)
			return -1;
	}
	return -1;
}

/* The type values have in memory. HDF5 matches the parts of a compound by name, so those of complex numbers and the field keep
 * the names they have in the file. Caller closes. */
static hid_t memory_type(const struct hs_rows *r)
{
	const char *field = r->v.field;
	hid_t native = hs_h5_type_native(r->v.dtype), type, outer;
	hid_t stored = field ? H5Tget_member_type(r->file_type, (unsigned)H5Tget_member_index(r->file_type, field)) :
		H5Tcopy(r->file_type);
	if (hs_dtype_is_complex(r->v.dtype) && stored >= 0 && H5Tget_class(stored) == H5T_COMPOUND && H5Tget_nmembers(stored) == 2) {
		type = H5Tcreate(H5T_COMPOUND, r->element_in);
		for (unsigned i = 0; i < 2; i++) {
			char *name = H5Tget_member_name(stored, i);
			if (name)
				H5Tinsert(type, name, i * r->element_in / 2, r->v.dtype == HS_C64 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE);
			H5free_memory(name);
		}
	} else if (stored >= 0 && H5Tget_class(stored) == H5T_BITFIELD) {      /* these do not convert to integers */
		type = H5Tcopy(r->v.dtype == HS_U8 ? H5T_NATIVE_B8 : H5T_NATIVE_B32);
	} else {
		type = H5Tcopy(native);
	}
	if (stored >= 0)
		H5Tclose(stored);
	if (!field)
		return type;
	outer = H5Tcreate(H5T_COMPOUND, r->element_in);
	H5Tinsert(outer, field, 0, type);
	H5Tclose(type);
	return outer;
}

/* Reads what is selected of the dataset into `to`, n elements one after the other. */
static int read_by_h5(const struct hs_rows *r, hid_t selection, size_t n, void *to, struct hs_err *err)
{
	const hsize_t count = n;
	hid_t type = memory_type(r), line = H5Screate_simple(1, &count, NULL);
	const herr_t verdict = H5Dread(r->dataset, type, line, selection, H5P_DEFAULT, to);
	H5Tclose(type);
	H5Sclose(line);
	return verdict < 0 ? hs_h5_fail(err, HS_BAD_DATA, "cannot read '%s' in '%s'", r->v.path, r->v.file->name) : 0;
}

/* Adds elements [first, first + count) in C order, counted below index start[0 .. k-1] of the dimensions before k. */
static void select_run(const struct hs_rows *r, hid_t space, size_t k, hsize_t *start, size_t first, size_t count)
{
	hsize_t size[HS_MAX_RANK];
	size_t inner = 1;
	for (size_t i = k + 1; i < r->disk_rank; i++)
		inner *= r->disk_n[i];
	for (size_t done; count; first += done, count -= done) {
		const size_t left = inner - first % inner;
		start[k] = first / inner;
		if (left < inner || count < inner) {          /* a part of one index */
			done = left < count ? left : count;
			select_run(r, space, k + 1, start, first % inner, done);
			continue;
		}
		done = count / inner * inner;
		for (size_t i = 0; i < r->disk_rank; i++)
			size[i] = i < k ? 1 : i == k ? done / inner : r->disk_n[i];
		for (size_t i = k + 1; i < r->disk_rank; i++)
			start[i] = 0;
		H5Sselect_hyperslab(space, H5S_SELECT_OR, start, NULL, size, NULL);
	}
}

/* A regrouped slab is one run of elements in C order. */
static int fetch_run(struct hs_rows *r, const struct slab *s, struct hs_err *err)
{
	const struct hs_values *v = &r->v;
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK], corner = 0;
	for (size_t d = 0; d < v->rank; d++)
		if (v->disk_dim[d] != d)
			return hs_fail(err, HS_BAD_DATA, "'%s' in '%s' is both regrouped and transposed", v->path, v->file->name);
	disk_box(r, s, lo, n);
	for (size_t d = 0; d < v->rank; d++)
		corner = corner * v->n[d] + lo[d];
	hid_t space = H5Dget_space(r->dataset);
	hsize_t start[HS_MAX_RANK];
	if (r->disk_rank) {
		H5Sselect_none(space);
		select_run(r, space, 0, start, corner, s->n_rows * r->source.n_chan);
	}
	const int verdict = read_by_h5(r, space, s->n_rows * r->source.n_chan, r->raw, err);
	H5Sclose(space);
	return verdict;
}

/* Everything else - odd types, unknown filters, compact and virtual layouts - comes through H5Dread in dataset order. */
static int fetch_by_h5(struct hs_rows *r, const struct slab *s, struct hs_err *err)
{
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK];
	hsize_t start[HS_MAX_RANK], size[HS_MAX_RANK];
	if (r->regrouped)
		return fetch_run(r, s, err);
	disk_box(r, s, lo, n);
	for (size_t k = 0; k < r->disk_rank; k++) {
		start[k] = lo[k];
		size[k] = n[k];
	}
	hid_t space = H5Dget_space(r->dataset);
	if (r->disk_rank)
		H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
	const int verdict = read_by_h5(r, space, s->n_rows * r->source.n_chan, r->raw, err);
	H5Sclose(space);
	return verdict;
}

/* ------------------------------------------------------------------ decode: in the worker thread */

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

/* Strides of the slab's matrix in logical dimensions: C order over the box. */
static void slab_strides(const struct hs_rows *r, const struct slab *s, int64_t stride[HS_MAX_RANK])
{
	int64_t step = (int64_t)r->element_in;
	for (size_t d = r->v.rank; d-- > 0; step *= (int64_t)s->n[d])
		stride[d] = step;
}

/* One unpacked chunk (dataset order), number index of the slab, into the slab, the part of it that the slab covers. */
static void place_chunk(const struct hs_rows *r, const struct slab *s, size_t index, const unsigned char *values,
	size_t value_step,
	unsigned char *to)
{
	const struct hs_values *v = &r->v;
	int64_t slab_stride[HS_MAX_RANK], chunk_stride[HS_MAX_RANK], to_stride[HS_MAX_RANK], from_stride[HS_MAX_RANK];
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK], box[HS_MAX_RANK], start[HS_MAX_RANK];
	chunk_start(r, index, start);
	slab_strides(r, s, slab_stride);
	disk_box(r, s, lo, n);
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

static int decode_chunks(struct hs_rows *r, const struct slab *s, unsigned char *to, struct hs_err *err)
{
	const char *trouble = NULL;
#pragma omp parallel for schedule(dynamic) num_threads(r->decoders)
	for (size_t i = r->wave; i < r->wave_end; i++) {
		const int t = omp_get_thread_num();
		const struct packed_chunk *c = &r->packed[i];
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
	if (span <= RAW_SPAN && span <= 8 * payload) {
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

static int decode_raw(struct hs_rows *r, const struct slab *s, unsigned char *to, struct hs_err *err)
{
	const struct hs_values *v = &r->v;
	int64_t slab_stride[HS_MAX_RANK], file_stride[HS_MAX_RANK], to_stride[HS_MAX_RANK];
	size_t order[HS_MAX_RANK], n[HS_MAX_RANK];
	slab_strides(r, s, slab_stride);
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
static void decode_memory(const struct hs_rows *r, const struct slab *s, unsigned char *to)
{
	const struct hs_values *v = &r->v;
	int64_t slab_stride[HS_MAX_RANK], from_stride[HS_MAX_RANK];
	slab_strides(r, s, slab_stride);
	const unsigned char *from = r->way == WAY_MEMORY ? v->memory : r->raw;
	if (r->way == WAY_MEMORY) {
		for (size_t d = 0; d < v->rank; d++) {
			from_stride[d] = v->stride[d];
			from += (int64_t)(v->flip[d] ? v->n[d] - 1 - s->lo[d] : s->lo[d]) * v->stride[d];
		}
	} else {
		size_t lo[HS_MAX_RANK], n[HS_MAX_RANK];
		int64_t disk_stride[HS_MAX_RANK], step = (int64_t)r->element_in;
		disk_box(r, s, lo, n);
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

static void swap_bytes(unsigned char *p, size_t n, size_t element)
{
	switch (element) {
	case 2:
		for (size_t i = 0; i < n; i++) {
			uint16_t x;
			memcpy(&x, p + 2 * i, 2);
			x = __builtin_bswap16(x);
			memcpy(p + 2 * i, &x, 2);
		}
		break;
	case 4:
		for (size_t i = 0; i < n; i++) {
			uint32_t x;
			memcpy(&x, p + 4 * i, 4);
			x = __builtin_bswap32(x);
			memcpy(p + 4 * i, &x, 4);
		}
		break;
	case 8:
		for (size_t i = 0; i < n; i++) {
			uint64_t x;
			memcpy(&x, p + 8 * i, 8);
			x = __builtin_bswap64(x);
			memcpy(p + 8 * i, &x, 8);
		}
		break;
	default:
		break;
	}
}

/* IEEE binary16 -> binary32, exactly. */
static float from_half(uint16_t h)
{
	const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
	if (exponent == 0) {
		const float tiny = (float)fraction * 0x1p-24f;
		return sign ? -tiny : tiny;
	}
	const uint32_t bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
	float f;
	memcpy(&f, &bits, 4);
	return f;
}

static void convert(const struct hs_rows *r, const unsigned char *from, unsigned char *to, size_t n)
{
	if (r->v.half) {
		for (size_t i = 0; i < n; i++) {
			uint16_t h;
			memcpy(&h, from + 2 * i, 2);
			const float f = from_half(h);
			if (r->delivered == HS_F64)
				((double *)(void *)to)[i] = (double)f;
			else
				((float *)(void *)to)[i] = f;
		}
	} else if (r->delivered == HS_F64) {
		hs_dtype_to_double(r->v.dtype, from, (double *)(void *)to, n);
	} else {
		hs_dtype_to_float(r->v.dtype, from, (float *)(void *)to, n);
	}
}

/* The sum of x * 0 is 0 exactly when all values are finite; it vectorises, isfinite in a loop does not. */
static bool all_finite_f32(const float *x, size_t n)
{
	float zero = 0;
#pragma omp simd reduction(+ : zero)
	for (size_t i = 0; i < n; i++)
		zero += x[i] * 0;
	return zero == 0;
}

static bool all_finite_f64(const double *x, size_t n)
{
	double zero = 0;
#pragma omp simd reduction(+ : zero)
	for (size_t i = 0; i < n; i++)
		zero += x[i] * 0;
	return zero == 0;
}

static bool holds(const unsigned char *row, size_t n, size_t element, const unsigned char *value)
{
	unsigned found = 0;
	switch (element) {
#define LOOK_FOR(T)                                                                 \
	{                                                                           \
		T wanted, x;                                                        \
		memcpy(&wanted, value, sizeof wanted);                              \
		for (size_t i = 0; i < n; i++) {                                    \
			memcpy(&x, row + i * sizeof x, sizeof x);                   \
			found |= x == wanted;                                       \
		}                                                                   \
	}                                                                           \
	break
	case 1: LOOK_FOR(uint8_t);
	case 2: LOOK_FOR(uint16_t);
	case 4: LOOK_FOR(uint32_t);
	case 8: LOOK_FOR(uint64_t);
#undef LOOK_FOR
	default: break;
	}
	return found;
}

static bool row_is_bad(const struct hs_rows *r, const unsigned char *row, const unsigned char *stored_row)
{
	const size_t n = r->source.n_chan;
	switch (r->delivered) {
	case HS_F32: if (!all_finite_f32((const float *)(const void *)row, n)) return true; break;
	case HS_C64: if (!all_finite_f32((const float *)(const void *)row, 2 * n)) return true; break;
	case HS_F64: if (!all_finite_f64((const double *)(const void *)row, n)) return true; break;
	case HS_C128: if (!all_finite_f64((const double *)(const void *)row, 2 * n)) return true; break;
	default: break;
	}
	return r->marked && holds(stored_row, n, r->element_in, r->mark);
}

/* Rows [i, end) of the slab are in their place, as stored: bytes in native order, converted, looked at. */
static void finish_rows(const struct hs_rows *r, size_t i, size_t end)
{
	const size_t n = r->source.n_chan, head = r->source.block_rows;       /* left-over rows end where the slab begins */
	const bool swap = r->way == WAY_RAW ? r->v.big_endian : r->way == WAY_CHUNKS && r->big_endian;
	const size_t swap_size = hs_dtype_is_complex(r->v.dtype) ? r->element_in / 2 : r->element_in;
	for (; i < end; i++) {
		unsigned char *stored = slab_place(r) + i * n * r->element_in, *row = r->batch[r->filling] + (head + i) * r->row_out;
		if (swap)
			swap_bytes(stored, n * (r->element_in / swap_size), swap_size);
		if (r->stored)
			convert(r, stored, row, n);
		const size_t number = r->slab.first_row + i;
		uint8_t *skip = &r->skip[r->filling][head + i];
		if (number < r->n_looked) {
			*skip = r->looked[number];
			continue;
		}
		*skip = (r->options.mask && r->options.mask[number]) || row_is_bad(r, row, stored);
		if (r->looked)
			r->looked[number] = *skip;
	}
}

/* A slab that was decoded in an earlier pass. */
static int recall(struct hs_rows *r, struct hs_err *err)
{
	const struct slab *s = &r->slab;
	const size_t strip = r->row_out < STRIP_BYTES ? STRIP_BYTES / r->row_out : 1, n_strips = (s->n_rows + strip - 1) / strip,
		     head = r->source.block_rows;
	bool good = true;
#pragma omp parallel for schedule(dynamic) num_threads(threads(r)) reduction(&& : good) if (n_strips > 1)
	for (size_t i = 0; i < n_strips; i++) {
		const size_t first = i * strip, n = s->n_rows - first < strip ? s->n_rows - first : strip;
		good = hs_keep_get(r->keep, s->first_row + first, n, r->batch[r->filling] + (head + first) * r->row_out,
			       r->skip[r->filling] + head + first) && good;
	}
	return good ? 0 : hs_fail_errno(err, "cannot read back the temporary file");
}

static int decode(struct hs_rows *r, struct hs_err *err)
{
	const struct slab *s = &r->slab;
	unsigned char *to = slab_place(r);
	int verdict = 0;
	if (r->kept)
		return recall(r, err);
	if (r->way == WAY_CHUNKS)
		verdict = decode_chunks(r, s, to, err);
	else if (r->way == WAY_RAW && !r->in_order)
		verdict = decode_raw(r, s, to, err);
	else if (r->way != WAY_RAW)
		decode_memory(r, s, to);
	if (verdict < 0)
		return -1;
	/* strips that are still in the cache when they are looked at */
	const size_t row = r->source.n_chan * r->element_in, strip = row < STRIP_BYTES ? STRIP_BYTES / row : 1, n_strips =
		(s->n_rows + strip - 1) / strip;
#pragma omp parallel for schedule(dynamic) num_threads(threads(r)) if (n_strips > 1)
	for (size_t i = 0; i < n_strips; i++) {
		const size_t first = i * strip, end = s->n_rows - first < strip ? s->n_rows : first + strip;
		struct hs_err own = { 0 };
		if (r->in_order && read_span(r, r->v.offset + (s->first_row + first) * row, to + first * row, (end - first) * row, &own) < 0) {
#pragma omp critical(hs_rows_trouble)
			if (!hs_failed(err))
				*err = own;
		} else {
			finish_rows(r, first, end);
		}
	}
	if (r->looked && !hs_failed(err) && s->first_row <= r->n_looked && s->first_row + s->n_rows > r->n_looked)
		r->n_looked = s->first_row + s->n_rows;
	if (r->keep && !hs_failed(err))
		hs_keep_put(r->keep, s->first_row, s->n_rows, r->batch[r->filling] + r->source.block_rows * r->row_out,
			r->skip[r->filling] + r->source.block_rows);
	return hs_failed(err) ? -1 : 0;
}

static void work(void *ctx)
{
	struct hs_rows *r = ctx;
	decode(r, &r->worker_err);
}

/* ------------------------------------------------------------------ the caller's side */

/* Fetches slab next_slab and sets the worker on it. */
static int start_slab(struct hs_rows *r, struct hs_err *err)
{
	if (r->next_slab >= r->n_slabs)
		return 0;
	r->slab = slab_at(r, r->next_slab++);
	if (r->slab.first_row == 0)
		r->kept = r->keep && hs_keep_is_whole(r->keep);
	if (!r->kept && ((r->way == WAY_CHUNKS && fetch_chunks(r, &r->slab, err) < 0) ||
		(r->way == WAY_H5READ && fetch_by_h5(r, &r->slab, err) < 0)))
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
