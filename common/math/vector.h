/* vector - spectra as float64 vectors, and sums over them that have one order on every CPU.
 *
 * Used below k-means and what stands on it. Pure; any thread. */
#ifndef HS_MATH_VECTOR_H
#define HS_MATH_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "math/par.h"

/* Element-wise loops get a second copy for CPUs with AVX2, chosen at load time; both give the same bits, as no sum changes
 * its order and products are never fused. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&                         \
	!defined(__SANITIZE_THREAD__)
#define HS_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define HS_WIDE
#endif

/* Both in four running sums, element j in sum j mod 4. */
double hs_dot(const double *a, const double *b, size_t n);
double hs_distance2(const double *a, const double *b, size_t n);

void hs_add(double *to, const double *from, size_t n);
void hs_subtract(double *to, const double *from, size_t n);

/* Row i of a block as measured; unit: divided by its Euclidean norm. Returns that norm, 1 when it was not asked for; a row
 * with norm 0 stays zero. */
double hs_block_row(const struct hs_block *block, size_t i, bool unit, double *out);

/* Merge of an hs_tree whose partials are plain sums; ctx points to their number, a size_t. */
void hs_merge_sums(void *left, const void *right, const void *ctx);

/* Partials of an hs_tree that can be alive at once in a pass over n_rows x n_chan, at most. */
double hs_partials_alive(double n_rows, size_t n_chan, int threads);

#endif
