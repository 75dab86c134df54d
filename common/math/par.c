#include "math/par.h"

#include <cblas.h>
#include <omp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"

static int threads_g;

void hs_par_set_threads(int threads)
{
	threads_g = threads > 0 ? threads : omp_get_num_procs();
	openblas_set_num_threads(1);
}

int hs_par_threads(void)
{
	if (!threads_g)
		hs_par_set_threads(0);
	return threads_g;
}

int hs_par_thread(void)
{
	return omp_get_thread_num();
}

void hs_par_blas_version(char text[64])
{
	/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ... Zen MAX_THREADS=64": the number and the kernel in use */
	const char *config = openblas_get_config();
	char number[24] = "";
	sscanf(config, "OpenBLAS %23s", number);
	snprintf(text, 64, "%s %.32s", number, openblas_get_corename());
}

size_t hs_block_pack_f64(const struct hs_block *block, double *out, size_t *index)
{
	const size_t p = block->n_chan;
	size_t n = 0;
	for (size_t i = 0; i < block->n_rows; i++) {
		if (block->skip[i])
			continue;
		if (block->type == HS_ROW_F64) {
			memcpy(out + n * p, (const double *)block->x + i * p, p * sizeof(double));
		} else {
			const float *x = (const float *)block->x + i * p;
			for (size_t j = 0; j < p; j++)
				out[n * p + j] = (double)x[j];
		}
		if (index)
			index[n] = i;
		n++;
	}
	return n;
}

size_t hs_block_pack_f32(const struct hs_block *block, float *out, size_t *index)
{
	const size_t p = block->n_chan;
	size_t n = 0;
	for (size_t i = 0; i < block->n_rows; i++) {
		if (block->skip[i])
			continue;
		if (block->type == HS_ROW_F32) {
			memcpy(out + n * p, (const float *)block->x + i * p, p * sizeof(float));
		} else {
			const double *x = (const double *)block->x + i * p;
			for (size_t j = 0; j < p; j++)
				out[n * p + j] = (float)x[j];
		}
		if (index)
			index[n] = i;
		n++;
	}
	return n;
}

/* A pass keeps the failure of the lowest block, so that the message does not depend on threads either. */
struct first_failure {
	size_t block;
	struct hs_err err;
};

int hs_rows_each(struct hs_rowsource *rows, const char *task, hs_block_fn fn, void *ctx, struct hs_err *err)
{
	if (rows->rewind(rows, err) < 0)
		return -1;
	if (task)
		hs_progress_begin(task, rows->n_rows, "spectra");
	struct first_failure fail = { .block = SIZE_MAX };
	struct hs_batch batch;
	int verdict;
	const size_t row_bytes = rows->n_chan * (rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	while ((verdict = rows->next(rows, &batch, err)) == 0 && batch.n_blocks && fail.block == SIZE_MAX) {
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads()) if (batch.n_blocks > 1)
		for (size_t b = 0; b < batch.n_blocks; b++) {
			const size_t start = b * rows->block_rows, left = batch.n_rows - start;
			struct hs_block block = { .index = batch.first_block + b, .first_row = batch.first_row + start,
				.n_rows = left < rows->block_rows ? left : rows->block_rows, .n_chan = rows->n_chan, .type = rows->type,
				.x = (const char *)batch.x + start * row_bytes, .skip = batch.skip + start };
			struct hs_err own = { 0 };
			if (fn(ctx, omp_get_thread_num(), &block, &own) < 0) {
#pragma omp critical(hs_rows_each_failure)
				if (block.index < fail.block)
					fail = (struct first_failure){ block.index, own };
			}
			if (task)
				hs_progress_add(block.n_rows);
		}
	}
	if (task)
		hs_progress_end();
	if (verdict == 0 && fail.block != SIZE_MAX) {
		*err = fail.err;
		return -1;
	}
	return verdict;
}

/* A node waits in the tree until its sibling arrives: node (level, index) covers blocks index*2^level ... */
struct node {
	struct node *next;
	unsigned level;
	size_t index;
	void *partial;
};

struct hs_tree {
	size_t bytes;
	hs_merge_fn merge;
	const void *ctx;
	pthread_mutex_t lock;
	struct node *waiting, *idle;          /* idle nodes keep their memory for the next borrow */
	void *root;
};

struct hs_tree *hs_tree_new(size_t bytes, hs_merge_fn merge, const void *ctx, struct hs_err *err)
{
	struct hs_tree *tree = hs_alloc(1, sizeof *tree, err);
	if (!tree)
		return NULL;
	*tree = (struct hs_tree){ .bytes = bytes, .merge = merge, .ctx = ctx };
	pthread_mutex_init(&tree->lock, NULL);
	return tree;
}

void *hs_tree_borrow(struct hs_tree *tree, struct hs_err *err)
{
	pthread_mutex_lock(&tree->lock);
	struct node *node = tree->idle;
	if (node)
		tree->idle = node->next;
	pthread_mutex_unlock(&tree->lock);
	if (!node)
		return hs_alloc(tree->bytes, 1, err);
	void *partial = node->partial;
	free(node);
	memset(partial, 0, tree->bytes);
	return partial;
}

static void keep(struct node **list, unsigned level, size_t index, void *partial)
{
	struct node *node = hs_must_alloc(1, sizeof *node);
	*node = (struct node){ .next = *list, .level = level, .index = index, .partial = partial };
	*list = node;
}

static void *take_waiting(struct hs_tree *tree, unsigned level, size_t index)
{
	for (struct node **at = &tree->waiting; *at; at = &(*at)->next) {
		struct node *node = *at;
		if (node->level != level || node->index != index)
			continue;
		void *partial = node->partial;
		*at = node->next;
		free(node);
		return partial;
	}
	return NULL;
}

void hs_tree_put(struct hs_tree *tree, size_t index, void *partial)
{
	for (unsigned level = 0;; level++, index >>= 1) {
		pthread_mutex_lock(&tree->lock);
		void *sibling = take_waiting(tree, level, index ^ 1);
		if (!sibling)
			keep(&tree->waiting, level, index, partial);
		pthread_mutex_unlock(&tree->lock);
		if (!sibling)
			return;
		void *left = index & 1 ? sibling : partial, *right = index & 1 ? partial : sibling;
		tree->merge(left, right, tree->ctx);
		pthread_mutex_lock(&tree->lock);
		keep(&tree->idle, 0, 0, right);
		pthread_mutex_unlock(&tree->lock);
		partial = left;
	}
}

/* What still waits are the complete subtrees of a number of blocks that is no power of two; they merge from the right
 * (smallest) to the left, which again depends on the block count only. */
void *hs_tree_root(struct hs_tree *tree, struct hs_err *err)
{
	while (tree->waiting) {
		struct node *last = tree->waiting;
		for (struct node *n = tree->waiting; n; n = n->next)
			if (n->level < last->level)
				last = n;
		void *partial = take_waiting(tree, last->level, last->index);
		if (tree->root) {
			tree->merge(partial, tree->root, tree->ctx);
			free(tree->root);
		}
		tree->root = partial;
	}
	if (!tree->root)
		tree->root = hs_alloc(tree->bytes, 1, err);
	return tree->root;
}

static void free_list(struct node *list)
{
	while (list) {
		struct node *next = list->next;
		free(list->partial);
		free(list);
		list = next;
	}
}

void hs_tree_free(struct hs_tree *tree)
{
	if (!tree)
		return;
	free_list(tree->waiting);
	free_list(tree->idle);
	free(tree->root);
	pthread_mutex_destroy(&tree->lock);
	free(tree);
}
