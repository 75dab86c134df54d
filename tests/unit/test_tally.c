/* Tally: every value is in one counter, sums survive cancellation, both row types give the same. */
#include "math/tally.h"

#include <math.h>

#include "base/mem.h"
#include "tap.h"

static struct hs_tally tally_of(const void *x, enum hs_row_type type, size_t n_rows, size_t n_chan, const uint8_t *mask,
	const double *fill)
{
	struct hs_err err = { 0 };
	struct hs_tally t = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, type, n_rows, n_chan, NULL, &err);
	tap_ok(rows && hs_tally(&t, rows, mask, fill, &err) == 0, "%zu x %zu values are read %s", n_rows, n_chan, err.text);
	hs_array_rows_free(rows);
	return t;
}

int main(void)
{
	const double fill = -99, x[12] = { 1e100, 1, -1e100, 1, NAN, INFINITY, -INFINITY, -99, 5, -7, 1e300, NAN };
	const float f[12] = { 3, 1, -2, 1, NAN, INFINITY, -INFINITY, -99, 5, -7, 4, NAN };
	const uint8_t mask[4] = { 0, 0, 0, 4 };
	struct hs_tally t = tally_of(x, HS_ROW_F64, 4, 3, mask, &fill);
	tap_ok(t.n == 5 && t.n_nan == 1 && t.n_infinite == 2 && t.n_fill == 1 && t.n_masked == 3, "each of the twelve is counted once");
	tap_ok(t.sum == 7 && t.mean == 7. / 5, "the sum keeps what 1e100 would swallow: %g", t.sum);
	tap_ok(t.min == -1e100 && t.max == 1e100, "the masked row has no part in minimum and maximum");
	t = tally_of(f, HS_ROW_F32, 4, 3, NULL, NULL);
	tap_ok(t.n == 8 && t.n_nan == 2 && t.n_infinite == 2 && t.n_fill == 0 && t.n_masked == 0,
		"without mask and fill value all are looked at");
	tap_ok(t.sum == -94 && t.min == -99 && t.max == 5, "float32: sum %g, %g .. %g", t.sum, t.min, t.max);
	const double nothing[2] = { NAN, NAN };
	t = tally_of(nothing, HS_ROW_F64, 1, 2, NULL, NULL);
	tap_ok(t.n == 0 && isnan(t.min) && isnan(t.max) && isnan(t.mean) && t.sum == 0,
		"nothing that counts: no minimum, no mean, sum 0");
	const double all[2] = { 1, 2 };
	const uint8_t both[1] = { 8 };
	t = tally_of(all, HS_ROW_F64, 1, 2, both, NULL);
	tap_ok(t.n == 0 && t.n_masked == 2 && isnan(t.mean), "all masked");
	return tap_done();
}
