/* test_compare - pairs of row sources, differences and correlations against plain loops over the arrays, in long double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/compare.h"
#include "tap.h"

enum { ROWS = 301, KA = 3, KB = 4 };

/* A source that hands out batches of two lengths in turn; beyond the batch there are no numbers. */
struct ragged {
	struct hs_rowsource source;
	const double *x;
	double batch[2 * ROWS * KB];
	size_t at, turn, length[2];
};

static int ragged_rewind(struct hs_rowsource *source, struct hs_err *err)
{
	(void)err;
	((struct ragged *)source)->at = 0;
	return 0;
}

static int ragged_next(struct hs_rowsource *source, struct hs_batch *batch, struct hs_err *err)
{
	struct ragged *r = (struct ragged *)source;
	(void)err;
	const size_t left = source->n_rows - r->at, want = r->length[r->turn++ % 2];
	*batch = (struct hs_batch){ .first_row = r->at, .n_rows = want < left ? want : left, .x = r->batch };
	for (size_t i = 0; i < sizeof r->batch / sizeof *r->batch; i++)
		r->batch[i] = i < batch->n_rows * source->n_chan ? r->x[r->at * source->n_chan + i] : NAN;
	r->at += batch->n_rows;
	return 0;
}

static struct ragged ragged_of(const double *x, size_t n_rows, size_t n_chan, size_t first, size_t second)
{
	return (struct ragged){ .source = { .n_rows = n_rows, .n_chan = n_chan, .type = HS_ROW_F64, .rewind = ragged_rewind,
		.next = ragged_next }, .x = x, .length = { first, second } };
}

static struct hs_pair pair_of(struct ragged *a, struct ragged *b)
{
	return (struct hs_pair){ .source = { &a->source, &b->source },
		.row_bytes = { a->source.n_chan * sizeof(double), b->source.n_chan * sizeof(double) } };
}

static void fill(double *x, size_t n, uint64_t seed)
{
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, 0);
	for (size_t i = 0; i < n; i++)
		x[i] = hs_rng_uniform(&rng) - 0.5;
}

static void test_pair(void)
{
	static const size_t length[][4] = { { 1, 1, 1, 1 }, { 7, 64, 301, 301 }, { 100, 3, 2, 51 }, { 301, 1, 1, 300 } };
	static double xa[ROWS * KA], xb[ROWS * KB];
	struct hs_err err = { 0 };
	fill(xa, ROWS * KA, 1);
	fill(xb, ROWS * KB, 2);
	for (size_t t = 0; t < 4; t++) {
		struct ragged a = ragged_of(xa, ROWS, KA, length[t][0], length[t][1]), b = ragged_of(xb, ROWS, KB, length[t][2], length[t][3]);
		struct hs_pair pair = pair_of(&a, &b);
		const void *x[2];
		size_t n, at = 0;
		bool good = true;
		for (int again = 0; again < 2; again++) {
			good &= hs_pair_rewind(&pair, &err) == 0;
			for (at = 0; hs_pair_next(&pair, x, &n, &err) == 0 && n && good; at += n)
				good = at + n <= ROWS && !memcmp(x[0], xa + at * KA, n * KA * sizeof *xa) &&
					!memcmp(x[1], xb + at * KB, n * KB * sizeof *xb);
			good &= at == ROWS;
		}
		tap_ok(good && !hs_failed(&err), "batches of %zu, %zu against %zu, %zu: each row once, both readings",
			length[t][0], length[t][1], length[t][2], length[t][3]);
	}
	struct ragged a = ragged_of(xa, ROWS, KA, 5, 5), b = ragged_of(xb, 0, KB, 5, 5);
	struct hs_pair pair = pair_of(&a, &b);
	double r[KA * KB];
	tap_ok(hs_correlate_columns(&pair, r, &err) == 0 && isnan(r[0]) && isnan(r[KA * KB - 1]), "no rows: no correlation");
}

static int broken_next(struct hs_rowsource *source, struct hs_batch *batch, struct hs_err *err)
{
	(void)source;
	(void)batch;
	return hs_fail(err, HS_SYSTEM, "the disk is gone");
}

static void test_failure(void)
{
	static double x[10];
	struct hs_err err = { 0 };
	struct ragged a = ragged_of(x, 10, 1, 4, 4), b = a;
	struct hs_pair pair = pair_of(&a, &b);
	struct hs_difference d = { 0 };
	const ptrdiff_t to[] = { 0 };
	double r[1];
	b.source.next = broken_next;
	tap_ok(hs_correlate_columns(&pair, r, &err) < 0 && err.status == HS_SYSTEM, "a failure of a source is told");
	err = (struct hs_err){ 0 };
	tap_ok(hs_difference_columns(&pair, to, r, false, &d, &err) < 0 && err.status == HS_SYSTEM, "... by both readings");
}

static void test_difference(void)
{
	const double a[] = { 1, NAN, INFINITY, -INFINITY, 2, NAN, INFINITY, -7, 3 };
	const double b[] = { 1, NAN, INFINITY, INFINITY, 2.5, 1, 0, -7.25, 3.5 };
	struct hs_difference d = { 0 };
	for (size_t i = 0; i < 4; i++)
		hs_difference_add(&d, a[i], b[i], 100 + i);
	tap_ok(d.n_missing == 1 && d.at == 103 && d.worst <= 0, "what is missing in one has a place while nothing differs");
	for (size_t i = 4; i < 9; i++)
		hs_difference_add(&d, a[i], b[i], 100 + i);
	tap_ok(d.n == 4 && d.n_missing == 3, "%d pairs of numbers, %d missing in one", (int)d.n, (int)d.n_missing);
	tap_ok(d.worst == 0.5 && d.at == 104, "the first of the largest differences: %g at %zu", d.worst, d.at);
	tap_ok(d.largest == 7.25 && d.sum2 == 0.25 + 0.0625 + 0.25, "largest magnitude %g, squares %g", d.largest, d.sum2);
}

/* Two readings, long double. */
static double slow_correlation(const double *a, size_t ka, size_t i, const double *b, size_t kb, size_t j, const bool *left_out)
{
	long double n = 0, ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
	for (int turn = 0; turn < 2; turn++) {
		for (size_t row = 0; row < ROWS; row++) {
			if (left_out[row])
				continue;
			if (!turn) {
				n++;
				ma += (long double)a[row * ka + i];
				mb += (long double)b[row * kb + j];
				continue;
			}
			const long double u = (long double)a[row * ka + i] - ma, v = (long double)b[row * kb + j] - mb;
			aa += u * u;
			bb += v * v;
			ab += u * v;
		}
		if (!turn) {
			ma /= n;
			mb /= n;
		}
	}
	return (double)(ab / sqrtl(aa * bb));
}

static void test_correlation(void)
{
	static double xa[ROWS * KA], xb[ROWS * KB];
	bool left_out[ROWS] = { false };
	struct hs_err err = { 0 };
	double r[KA * KB], again[KA * KB], worst = 0;
	fill(xa, ROWS * KA, 3);
	fill(xb, ROWS * KB, 4);
	for (size_t row = 0; row < ROWS; row++) {
		xa[row * KA] += 1e6;                  /* an offset that would cost twelve digits of a naive sum */
		xb[row * KB + 1] = 2 * xa[row * KA + 1] + 0.1 * xb[row * KB + 1];
		xb[row * KB + 2] = -3 * xa[row * KA + 2];
	}
	xa[0] = NAN;
	xb[17 * KB + 3] = INFINITY;
	left_out[0] = left_out[17] = true;
	struct ragged a = ragged_of(xa, ROWS, KA, 13, 50), b = ragged_of(xb, ROWS, KB, 301, 301), c = ragged_of(xb, ROWS, KB, 1, 9);
	struct hs_pair pair = pair_of(&a, &b), other = pair_of(&a, &c);
	tap_ok(hs_correlate_columns(&pair, r, &err) == 0 && hs_correlate_columns(&other, again, &err) == 0,
		"correlations of %d x %d columns", KA, KB);
	for (size_t i = 0; i < KA; i++)
		for (size_t j = 0; j < KB; j++)
			worst = fmax(worst, fabs(r[i * KB + j] - slow_correlation(xa, KA, i, xb, KB, j, left_out)));
	tap_ok(worst < 1e-9, "as in long double, to %.1e with an offset of 1e6; rows that are not finite left out", worst);
	tap_ok(!memcmp(r, again, sizeof r), "the same bits whatever the batches");
	tap_ok(r[2 * KB + 2] <= -1 + 1e-12 && r[2 * KB + 2] >= -1, "a negative is at -1 and not beyond: %.17g", r[2 * KB + 2]);
}

static void test_flat(void)
{
	static double xa[ROWS * 2], xb[ROWS * 2];
	struct hs_err err = { 0 };
	double r[4];
	for (size_t row = 0; row < ROWS; row++) {
		xa[row * 2] = 4.1;
		xa[row * 2 + 1] = (double)row;
		xb[row * 2] = -1e300;
		xb[row * 2 + 1] = 5.0 - (double)row / 3;
	}
	struct ragged a = ragged_of(xa, ROWS, 2, 8, 8), b = ragged_of(xb, ROWS, 2, 9, 9);
	struct hs_pair pair = pair_of(&a, &b);
	const int verdict = hs_correlate_columns(&pair, r, &err);
	tap_ok(verdict == 0 && r[0] == 1 && r[1] == 0 && r[2] == 0 && fabs(r[3] + 1) < 1e-12,
		"flat columns are alike, and like no other: %g %g %g %g", r[0], r[1], r[2], r[3]);
}

static void test_match(void)
{
	static const double r[] = { 0.2, -0.9, 0.5, 0.8, 0.1, 0.7, -0.3, 0.4, -1 };
	struct hs_err err = { 0 };
	ptrdiff_t to[3];
	double value[3];
	tap_ok(hs_match_columns(r, 3, 3, false, to, value, &err) == 0 && to[0] == 2 && to[1] == 0 && to[2] == 1 && value[1] == 0.8,
		"largest sum: 0.5 + 0.8 + 0.4");
	tap_ok(hs_match_columns(r, 3, 3, true, to, value, &err) == 0 && to[0] == 1 && to[1] == 0 && to[2] == 2 && value[0] == -0.9,
		"largest sum of magnitudes: 0.9 + 0.8 + 1, values keep their sign");
	tap_ok(hs_match_columns(r, 3, 1, false, to, value, &err) == 0 && to[2] == 0 && to[0] < 0 && isnan(value[0]),
		"more columns than partners");
	const double none[] = { NAN, NAN };
	tap_ok(hs_match_columns(none, 1, 2, false, to, value, &err) == 0 && to[0] == 0 && isnan(value[0]),
		"unknown correlations pair in order");
}

static void test_matched_difference(void)
{
	static double xa[ROWS * KA], xb[ROWS * KB];
	static const ptrdiff_t to[KA] = { 3, -1, 0 };
	static const double value[KA] = { -1, NAN, 1 };
	struct hs_err err = { 0 };
	struct hs_difference d = { 0 }, blind = { 0 };
	fill(xa, ROWS * KA, 5);
	for (size_t row = 0; row < ROWS; row++) {
		xb[row * KB + 3] = -xa[row * KA];
		xb[row * KB] = xa[row * KA + 2];
	}
	xb[200 * KB] += 0.25;
	struct ragged a = ragged_of(xa, ROWS, KA, 17, 30), b = ragged_of(xb, ROWS, KB, 40, 1);
	struct hs_pair pair = pair_of(&a, &b);
	const int verdict = hs_difference_columns(&pair, to, value, true, &blind, &err);
	tap_ok(verdict == 0 && fabs(blind.worst - 0.25) < 1e-15 && blind.at == 200 * KA + 2 &&
		blind.n == 2 * ROWS, "one value of partners differs: %g at %zu", blind.worst, blind.at);
	double most = 0;
	for (size_t row = 0; row < ROWS; row++)
		most = fmax(most, 2 * fabs(xa[row * KA]));
	tap_ok(hs_difference_columns(&pair, to, value, false, &d, &err) == 0 && d.worst == most,
		"the sign counts unless told otherwise");
}

int main(void)
{
	test_pair();
	test_failure();
	test_difference();
	test_correlation();
	test_flat();
	test_match();
	test_matched_difference();
	return tap_done();
}
