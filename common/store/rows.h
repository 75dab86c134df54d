/* rows - any signal in any store as a row source: blocks of pixels x channels (base/rowsource.h).
 *
 * However the values lie - chunked and compressed, contiguous, transposed, interleaved with other channels, big endian,
 * back to front - they come out as rows in C order of the pixels. Reading goes in slabs: while the caller works on one, the
 * next is read and decoded by worker threads. HDF5 is only called from the caller's thread; workers inflate chunks (libdeflate)
 * or read raw stretches themselves.
 *
 * Memory: at most options.memory bytes for slabs and their raw bytes, whatever the size of the cube; when one block of rows
 * does not fit, opening fails with HS_SYSTEM and says what would. Chunks that span more rows than fit are decoded again for
 * every slab: slower, never wrong.
 *
 * A row is marked skip when its pixel is masked, when it holds a NaN or infinity, or an integer equal to the fill value. */
#ifndef HS_STORE_ROWS_H
#define HS_STORE_ROWS_H

#include "base/rowsource.h"
#include "store/values.h"

enum hs_rows_as {
	HS_AS_AUTO,               /* float32 for what fits exactly (float32, float16, 8- and 16-bit integers), else float64 */
	HS_AS_F32, HS_AS_F64,
	HS_AS_PARTS,              /* complex values as two channels next to each other, real and imaginary part, of their own
	                           * precision: n_chan doubles. Real values as with AUTO */
	HS_AS_STORED              /* untouched, native order; the source's type is meaningless then (dtype says it) */
};

struct hs_rows_options {
	enum hs_rows_as as;
	uint64_t memory;          /* bytes; 0: 256 MiB */
	int threads;              /* for decoding; 0: one */
	const uint8_t *mask;      /* one a pixel, nonzero = leave out; or NULL; borrowed */
	bool has_fill;
	double fill;
	uint64_t keep;            /* the source will be read again and again: decoded rows of up to so many bytes may be kept in
	                           * an unnamed file (keep.h); 0: decode anew in every pass */
};

struct hs_rows;
int hs_rows_open(struct hs_rows **rows, const struct hs_values *values, const struct hs_rows_options *options,
	struct hs_err *err);
struct hs_rowsource *hs_rows_source(struct hs_rows *rows);   /* borrowed; lives as long as rows */
size_t hs_rows_element(const struct hs_rows *rows);          /* bytes of one value as delivered */
void hs_rows_close(struct hs_rows *rows);

/* All values of a signal as delivered, in C order; for results, axes, masks. Caller frees. At most `memory` bytes. */
void *hs_rows_read_all(const struct hs_values *values, const struct hs_rows_options *options, struct hs_err *err);

#endif
