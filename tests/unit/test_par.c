/* Blocks, threads and the tree: sums have one order, failures one sentence. */
#include "math/par.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tap.h"

enum { P = 5 };

struct sums {
	struct hs_tree *tree;
};

static void add(void *left, const void *right, const void *ctx)
{
	(void)ctx;
	for (size_t j = 0; j < P + 1; j++)
		((double *)left)[j] += ((const double *)right)[j];
}

static int sum_block(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct sums *s = ctx;
	double *part = hs_tree_borrow(s->tree, err), *packed = hs_must_alloc(b->n_rows * P, sizeof *packed);
	if (!part || thread < 0 || thread >= hs_par_threads())
		return -1;
	const size_t n = hs_block_pack_f64(b, packed, NULL);
	for (size_t i = 0; i < n * P; i++)
		part[i % P] += packed[i];
	part[P] += (double)n;
	free(packed);
	hs_tree_put(s->tree, b->index, part);
	return 0;
}

static void sum_all(const double *x, size_t n, const uint8_t *skip, int threads, double out[P + 1])
{
	struct hs_err err = { 0 };
	hs_par_set_threads(threads);
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, P, skip, &err);
	struct sums s = { hs_tree_new((P + 1) * sizeof(double), add, NULL, &err) };
	if (hs_rows_each(rows, NULL, sum_block, &s, &err) < 0)
		exit(1);
	memcpy(out, hs_tree_root(s.tree, &err), (P + 1) * sizeof(double));
	hs_tree_free(s.tree);
	hs_array_rows_free(rows);
}

static int fail_from_third(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	(void)ctx, (void)thread;
	return b->index >= 3 ? hs_fail(err, HS_BAD_DATA, "block %zu", b->index) : 0;
}

/* Records the order of merges as text: a tree in which leaves stand by their index. */
struct word {
	char text[120];
};

static void join(void *left, const void *right, const void *ctx)
{
	(void)ctx;
	struct word *l = left, joined;
	const struct word *r = right;
	if (!*r->text)
		return;
	snprintf(joined.text, sizeof joined.text, "(%.50s%.50s)", l->text, r->text);
	*l = joined;
}

static void tree_shape(size_t n, const char *want)
{
	struct hs_err err = { 0 };
	int ok = 1;
	for (uint64_t order = 0; order < 20; order++) {
		struct hs_tree *tree = hs_tree_new(sizeof(struct word), join, NULL, &err);
		size_t index[16];
		struct hs_rng rng;
		hs_rng_init(&rng, 1, HS_STREAM_TEST, order);
		for (size_t i = 0; i < n; i++) {
			const size_t at = hs_rng_below(&rng, i + 1);
			index[i] = index[at];
			index[at] = i;
		}
		for (size_t i = 0; i < n; i++) {
			struct word *w = hs_tree_borrow(tree, &err);
			ok &= !*w->text;
			snprintf(w->text, sizeof w->text, "%zu", index[i]);
			hs_tree_put(tree, index[i], w);
		}
		ok &= !strcmp(((struct word *)hs_tree_root(tree, &err))->text, want);
		hs_tree_free(tree);
	}
	tap_ok(ok, "%zu partials in any order merge as %s", n, want);
}

int main(void)
{
	const size_t n = 8192 * 5 + 17;
	double *x = hs_must_alloc(n * P, sizeof *x), first[P + 1], again[P + 1], plain[P + 1] = { 0 };
	uint8_t *skip = hs_must_alloc(n, 1);
	struct hs_rng rng;
	hs_rng_init(&rng, 1, HS_STREAM_TEST, 0);
	for (size_t i = 0; i < n * P; i++)
		x[i] = hs_rng_normal(&rng) * exp(10 * hs_rng_uniform(&rng));
	for (size_t i = 0; i < n; i++)
		skip[i] = i % 7 == 3;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < P + 1 && !skip[i]; j++)
			plain[j] += j < P ? x[i * P + j] : 1;

	sum_all(x, n, skip, 1, first);
	tap_ok(first[P] == plain[P], "masked rows are left out: %g of %zu used", first[P], n);
	double off = 0;
	for (size_t j = 0; j < P; j++)
		off = fmax(off, fabs(first[j] - plain[j]) / (1 + fabs(plain[j])));
	tap_ok(off < 1e-10, "the tree adds up to the plain sum (%.2g)", off);
	for (int threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1) {
		sum_all(x, n, skip, threads, again);
		tap_ok(!memcmp(first, again, sizeof first), "the same bits with %d threads", threads);
	}

	for (int threads = 1; threads <= 4; threads += 3) {
		struct hs_err err = { 0 };
		hs_par_set_threads(threads);
		struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, P, skip, &err);
		tap_ok(hs_rows_each(rows, NULL, fail_from_third, NULL, &err) == -1 && !strcmp(err.text, "block 3"),
			"the failure of the first failing block is reported (%d threads)", threads);
		hs_array_rows_free(rows);
	}

	tree_shape(1, "0");
	tree_shape(2, "(01)");
	tree_shape(5, "(((01)(23))4)");
	tree_shape(7, "(((01)(23))((45)6))");
	struct hs_err err = { 0 };
	struct hs_tree *tree = hs_tree_new(sizeof(double), add, NULL, &err);
	tap_ok(*(double *)hs_tree_root(tree, &err) == 0, "an empty tree is zero");
	hs_tree_free(tree);

	const float single[] = { 1, 2, 3, 4, NAN, 6 };
	const uint8_t middle[] = { 0, 0, 1 };
	const struct hs_block block = { .n_rows = 3, .n_chan = 2, .type = HS_ROW_F32, .x = single, .skip = middle };
	double wide[6];
	float narrow[6];
	size_t place[3];
	tap_ok(hs_block_pack_f64(&block, wide, place) == 2 && wide[3] == 4 && place[1] == 1, "float rows pack as float64");
	tap_ok(hs_block_pack_f32(&block, narrow, NULL) == 2 && narrow[0] == 1, "float rows pack as float32");
	tap_ok(hs_block_rows(1024) == 1024 && hs_block_rows(1) == 8192 && hs_block_rows(1 << 20) == 64 &&
			hs_block_rows(0) == 8192,
		"block heights: 8 MiB of float64, within 64 and 8192 rows");
	free(x);
	free(skip);
	return tap_done();
}
