/* rowsource - where mathematics gets its spectra: a matrix of n_rows pixels x n_chan channels, handed out in batches.
 *
 * store/rows makes one from any signal in a file, hs_array_rows (below) from memory, and math/ sees nothing else. Rows are
 * the pixels in C order. They are cut into blocks of block_rows (the last may be shorter); block_rows depends on n_chan
 * alone (hs_block_rows), never on threads, memory or file chunks, so that sums over blocks have one order everywhere.
 *
 * Protocol: rewind, then next until it gives 0 blocks. A batch holds whole consecutive blocks and stays valid until the
 * following call of next or rewind. One thread calls these two; any threads may read the batch.
 *
 * Values: float or double, as said by type. A row with skip != 0 is masked or holds a value that is not finite: it must
 * not be used. skip is never NULL. */
#ifndef HS_BASE_ROWSOURCE_H
#define HS_BASE_ROWSOURCE_H

#include <stdint.h>
#include <stddef.h>

#include "base/err.h"

enum hs_row_type { HS_ROW_F32, HS_ROW_F64 };

struct hs_batch {
	size_t first_block, n_blocks;
	size_t first_row, n_rows;
	const void *x;                /* n_rows x n_chan, row after row, of the source's type */
	const uint8_t *skip;          /* n_rows */
};

struct hs_rowsource {
	size_t n_rows, n_chan, block_rows;
	enum hs_row_type type;
	int (*rewind)(struct hs_rowsource *rows, struct hs_err *err);
	int (*next)(struct hs_rowsource *rows, struct hs_batch *batch, struct hs_err *err);
};

/* Where results of a pass go: n_rows x width values (the width is agreed), row after row, for rows first_row .. of the source.
 * Called in row order, each row once, from the thread that started the pass; a negative return (with err filled) ends it. */
typedef int (*hs_rows_put)(void *to, size_t first_row, size_t n_rows, const float *values, struct hs_err *err);

/* Rows a block has for n_chan channels: the power of two nearest to 8 MiB of float64, within 64 .. 8192. */
size_t hs_block_rows(size_t n_chan);

/* Row source over an array in memory (borrowed, must outlive it). skip may be NULL: then rows that are not finite are
 * found by looking. free() the result; no other release. */
struct hs_array_rows;
struct hs_rowsource *hs_array_rows_new(const void *x, enum hs_row_type type, size_t n_rows, size_t n_chan, const uint8_t *skip,
	struct hs_err *err);
void hs_array_rows_free(struct hs_rowsource *rows);

#endif
