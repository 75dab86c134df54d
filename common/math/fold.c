#include "math/fold.h"

#include <omp.h>
#include <string.h>

#include "math/par.h"

static void add(void *left, const void *right, const void *ctx)
{
	double *a = left;
	const double *b = right;
	const size_t n = *(const size_t *)ctx;
	for (size_t i = 0; i < n; i++)
		a[i] += b[i];
}

int hs_fold(size_t n_rows, size_t block_rows, size_t n_sums, hs_fold_fn fn, const void *ctx, double *sum, struct hs_err *err)
{
	const size_t blocks = (n_rows + block_rows - 1) / block_rows;
	int failed = 0;
	struct hs_tree *tree = hs_tree_new(n_sums * sizeof(double), add, &n_sums, err);
	if (!tree)
		return -1;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads()) if (blocks > 1)
	for (size_t b = 0; b < blocks; b++) {
		const size_t first = b * block_rows, left = n_rows - first;
		struct hs_err own = { 0 };
		double *partial = hs_tree_borrow(tree, &own);
		if (!partial) {
#pragma omp critical(hs_fold_failure)
			*err = failed++ ? *err : own;
			continue;
		}
		fn(ctx, omp_get_thread_num(), first, left < block_rows ? left : block_rows, partial);
		hs_tree_put(tree, b, partial);
	}
	const double *root = failed ? NULL : hs_tree_root(tree, err);
	if (root)
		memcpy(sum, root, n_sums * sizeof(double));
	hs_tree_free(tree);
	return root ? 0 : -1;
}

size_t hs_fold_bytes(size_t n_rows, size_t block_rows, size_t n_sums, int threads)
{
	const size_t blocks = (n_rows + block_rows - 1) / block_rows, t = (size_t)(threads > 0 ? threads : 1);
	size_t depth = 1;
	while (depth < 60 && (blocks >> depth))
		depth++;
	const size_t alive = (t + 1) * (depth + 1);     /* par.h: every slow thread may leave log2(blocks) waiting */
	return (alive < blocks + 1 ? alive : blocks + 1) * n_sums * sizeof(double);
}
