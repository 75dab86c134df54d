/* par - threads over blocks of rows, and sums whose order does not depend on them.
 *
 * One rule: OpenMP runs over blocks, BLAS and LAPACK are single-threaded inside. Each block makes its own partial result;
 * partials are merged pairwise in a fixed binary tree over block indices (block 2i with 2i+1, and so on upward), so the
 * same bits come out for any number of threads. A partial waits until its
 * sibling is there: about threads + log2(blocks) are alive, each slow thread may leave log2(blocks) more waiting. */
#ifndef HS_MATH_PAR_H
#define HS_MATH_PAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/rowsource.h"

/* Process-wide: the number of threads for every parallel loop below, and BLAS set to one thread. Called once by the porch;
 * 0 means all that the machine grants. */
void hs_par_set_threads(int threads);
int hs_par_threads(void);
int hs_par_thread(void);                /* which of them, inside a parallel loop: 0 .. hs_par_threads()-1 */

/* Which BLAS is in use: "0.3.21 Zen". */
void hs_par_blas_version(char text[64]);

struct hs_block {
	size_t index, first_row, n_rows, n_chan;
	enum hs_row_type type;
	const void *x;                /* n_rows x n_chan of that type */
	const uint8_t *skip;          /* n_rows */
};

/* The usable rows of a block as float64, one after the other, into out (room for n_rows x n_chan); returns how many.
 * index, when not NULL, receives the place of each within the block. */
size_t hs_block_pack_f64(const struct hs_block *block, double *out, size_t *index);

/* The same as float32; for float64 sources values are rounded. */
size_t hs_block_pack_f32(const struct hs_block *block, float *out, size_t *index);

/* Rewinds the source and calls fn for every block, in parallel, in no particular order; thread is 0 .. hs_par_threads()-1.
 * The first failure (by block index) stops the pass. task, when not NULL, names it for the progress display. */
typedef int (*hs_block_fn)(void *ctx, int thread, const struct hs_block *block, struct hs_err *err);
int hs_rows_each(struct hs_rowsource *rows, const char *task, hs_block_fn fn, void *ctx, struct hs_err *err);

/* The fixed-order reduction. A partial is `bytes` of plain memory, zero when borrowed. */
struct hs_tree;
typedef void (*hs_merge_fn)(void *left, const void *right, const void *ctx);   /* left absorbs right */
struct hs_tree *hs_tree_new(size_t bytes, hs_merge_fn merge, const void *ctx, struct hs_err *err);
void *hs_tree_borrow(struct hs_tree *tree, struct hs_err *err);                /* any thread */
/* any thread; gives the partial back, for block index */
void hs_tree_put(struct hs_tree *tree, size_t index, void *partial);
/* after the last put; owned by the tree; zero when nothing was put */
void *hs_tree_root(struct hs_tree *tree, struct hs_err *err);
void hs_tree_free(struct hs_tree *tree);

#endif
