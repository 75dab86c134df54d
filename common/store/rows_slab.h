/* rows_slab - one run of rows on its way from the file to the caller. Private to rows.c and rows_*.c.
 *
 * The path of a slab:
 *
 *	fetch   caller's thread   what needs HDF5: packed chunks as they are, or values through H5Dread (odd types, filters)
 *	decode  worker thread     unpack chunks / read raw stretches, place each value at (row, channel), convert, look for NaN
 *	next    caller's thread   rows left over from the last slab are put in front, whole blocks are handed out
 *
 * A slab is a run of rows: one index of every pixel dimension before `split`, a range of dimension `split`, all of those
 * behind it. Two batch buffers take turns; the one being filled is never the one the caller reads. */
#ifndef HS_STORE_ROWS_SLAB_H
#define HS_STORE_ROWS_SLAB_H

#include "base/worker.h"
#include "store/codec.h"
#include "store/h5.h"
#include "store/keep.h"
#include "store/rows.h"

enum { HS_RAW_SPAN = 4 << 20 };              /* bytes of a raw file that are read in one go */

enum hs_way { WAY_RAW, WAY_CHUNKS, WAY_H5READ, WAY_MEMORY };

struct hs_packed_chunk {
	size_t at, n;                         /* its bytes in the raw area */
	uint32_t mask;
	bool missing;                         /* never written: fill value */
};

struct hs_slab {
	size_t first_row, n_rows;
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK];   /* the box, in logical dimensions */
};

struct hs_rows {
	struct hs_rowsource source;           /* first: the caller sees this */
	struct hs_values v;                   /* borrowed strings inside */
	struct hs_rows_options options;
	enum hs_way way;
	enum hs_dtype delivered;
	size_t element_in, element_out, row_in, row_out;   /* bytes */
	size_t stored_chan;                   /* values a row has in the file: half of n_chan where complex ones come in parts */
	bool converted;                       /* bytes as stored are not those that are delivered */
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
	struct hs_packed_chunk *packed;          /* the chunks of the slab, in C order of their places */
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
	struct hs_slab slab;
	struct hs_keep *keep;                 /* rows of an earlier pass, or NULL */
	bool kept;                            /* the slab under way comes from there */
	struct hs_worker *worker;
	bool working;                         /* a slab is being decoded, or waits to be handed out */
	struct hs_err worker_err;
};

static inline int hs_rows_threads(const struct hs_rows *r)
{
	return r->options.threads > 0 ? r->options.threads : 1;
}

/* rows_slab.c: how many rows a slab has, and along which pixel dimension the data are cut into slabs; then its buffers. */
int hs_rows_plan(struct hs_rows *r, struct hs_err *err);
int hs_rows_allocate(struct hs_rows *r, struct hs_err *err);
struct hs_slab hs_rows_slab(const struct hs_rows *r, size_t index);
void hs_rows_disk_box(const struct hs_rows *r, const struct hs_slab *s, size_t lo[HS_MAX_RANK], size_t n[HS_MAX_RANK]);
void hs_rows_slab_strides(const struct hs_rows *r, const struct hs_slab *s, int64_t stride[HS_MAX_RANK]);
unsigned char *hs_rows_slab_place(const struct hs_rows *r);
void hs_rows_chunk_start(const struct hs_rows *r, size_t i, size_t start[HS_MAX_RANK]);

/* rows_fetch.c: what needs HDF5, in the caller's thread. Opening decides the way. */
int hs_rows_open_dataset(struct hs_rows *r, struct hs_err *err);
int hs_rows_fetch(struct hs_rows *r, const struct hs_slab *s, struct hs_err *err);

/* rows_decode.c: in the worker thread; decode_chunks takes those of the present wave to `to`. */
int hs_rows_decode_chunks(struct hs_rows *r, const struct hs_slab *s, unsigned char *to, struct hs_err *err);
int hs_rows_decode(struct hs_rows *r, struct hs_err *err);

/* rows_convert.c: rows [i, end) of the slab, in their place as stored, become native, converted and marked to be skipped. */
void hs_rows_set_mark(struct hs_rows *r);
void hs_rows_finish(const struct hs_rows *r, size_t i, size_t end);

#endif
