/* Stages of a chain: whatever the blocks in which rows come, the same rows go out, in whole blocks; what is skipped stays so. */
#include "prep/stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "tap.h"

/* A source with blocks of any size, some of them a batch. */
struct choppy {
	struct hs_rowsource base;
	const char *x;
	const uint8_t *skip;
	size_t at, blocks;            /* next row; blocks a batch */
};

static int choppy_rewind(struct hs_rowsource *s, struct hs_err *err)
{
	(void)err;
	((struct choppy *)s)->at = 0;
	return 0;
}

static int choppy_next(struct hs_rowsource *source, struct hs_batch *b, struct hs_err *err)
{
	struct choppy *s = (struct choppy *)source;
	const size_t value = source->type == HS_ROW_F32 ? sizeof(float) : sizeof(double), left = source->n_rows - s->at;
	const size_t most = s->blocks * source->block_rows, n = left < most ? left : most;
	(void)err;
	*b = (struct hs_batch){ .first_block = s->at / source->block_rows, .n_blocks = (n + source->block_rows - 1) / source->block_rows,
		.first_row = s->at, .n_rows = n, .x = s->x + s->at * source->n_chan * value, .skip = s->skip + s->at };
	s->at += n;
	return 0;
}

/* Numbers to work on: x as the source has them and as float64. */
struct given {
	size_t n[3], n_pix, n_chan;   /* images, lines, pixels of a line */
	double *wide;
	void *x;
	uint8_t *skip;
	struct choppy source;
	struct hs_stage stage;
};

static void given_init(struct given *g, const size_t n[3], size_t n_chan, enum hs_row_type type, size_t block_rows, size_t blocks)
{
	struct hs_rng rng;
	*g = (struct given){ .n = { n[0], n[1], n[2] }, .n_pix = n[0] * n[1] * n[2], .n_chan = n_chan };
	const size_t count = g->n_pix * n_chan;
	hs_rng_init(&rng, 5, HS_STREAM_TEST, count);
	g->wide = hs_must_alloc(count, sizeof(double));
	g->x = hs_must_alloc(count, sizeof(double));
	g->skip = hs_must_alloc(g->n_pix, 1);
	for (size_t i = 0; i < g->n_pix; i++)
		g->skip[i] = g->n_pix > 3 && i % 7 == 3;
	for (size_t i = 0; i < count; i++) {
		g->wide[i] = g->skip[i / n_chan] ? (double)NAN : (double)(float)hs_rng_normal(&rng);
		if (type == HS_ROW_F32)
			((float *)g->x)[i] = (float)g->wide[i];
		else
			((double *)g->x)[i] = g->wide[i];
	}
	g->source = (struct choppy){ .base = { g->n_pix, n_chan, block_rows, type, choppy_rewind, choppy_next }, .x = g->x,
		.skip = g->skip, .blocks = blocks };
	hs_signal_init(&g->stage.signal, "data", NULL, NULL, type == HS_ROW_F32 ? HS_F32 : HS_F64);
	static const char *const name[] = { "z", "y", "x" };
	for (size_t d = 0; d < 3; d++)
		hs_signal_add_axis(&g->stage.signal, hs_axis_uniform(name[d], "nm", NULL, HS_AXIS_SPATIAL, n[d], 0, 1));
	hs_signal_add_axis(&g->stage.signal, hs_axis_uniform("energy", "eV", NULL, HS_AXIS_SPECTRAL, n_chan, 0, 1));
	hs_signal_shape_up(&g->stage.signal, 1);
	g->stage.source = &g->source.base;
	g->stage.n_pix = g->n_pix;
	g->stage.n_chan = n_chan;
}

static void given_release(struct given *g)
{
	hs_stage_release(&g->stage);
	free(g->wide);
	free(g->x);
	free(g->skip);
}

/* Everything a source has, as float64; counts what is against the protocol. */
struct taken {
	double *x;
	uint8_t *skip;
	size_t rows, faults;
};

static bool take_batch(struct hs_rowsource *s, struct taken *t)
{
	struct hs_batch b;
	struct hs_err err = { 0 };
	if (s->next(s, &b, &err) < 0) {
		t->faults++;
		return false;
	}
	if (!b.n_blocks)
		return false;
	t->faults += b.first_row != t->rows || b.first_block * s->block_rows != b.first_row || b.first_row + b.n_rows > s->n_rows;
	t->faults += b.n_blocks != (b.n_rows + s->block_rows - 1) / s->block_rows;
	t->faults += b.n_rows % s->block_rows && b.first_row + b.n_rows != s->n_rows;
	for (size_t i = 0; i < b.n_rows && t->rows < s->n_rows; i++, t->rows++) {
		t->skip[t->rows] = b.skip[i];
		for (size_t j = 0; j < s->n_chan; j++)
			t->x[t->rows * s->n_chan + j] = s->type == HS_ROW_F32 ? (double)((const float *)b.x)[i * s->n_chan + j] :
				((const double *)b.x)[i * s->n_chan + j];
	}
	return true;
}

static struct taken take(struct hs_rowsource *s)
{
	struct taken t = { .x = hs_must_alloc(s->n_rows * s->n_chan, sizeof(double)), .skip = hs_must_alloc(s->n_rows, 1) };
	struct hs_err err = { 0 };
	t.faults += s->rewind(s, &err) < 0;
	/* once more from the middle */
	take_batch(s, &t);
	t.rows = 0;
	t.faults += s->rewind(s, &err) < 0;
	while (take_batch(s, &t))
		;
	t.faults += t.rows != s->n_rows;
	t.faults += take_batch(s, &t);
	return t;
}

static void taken_free(struct taken *t)
{
	free(t->x);
	free(t->skip);
}

/* Bit for bit what is wanted; skipped rows are NaN. */
static bool is(const struct taken *t, const double *want, const uint8_t *skip, size_t n_rows, size_t n_chan,
	enum hs_row_type type)
{
	size_t wrong = t->faults;
	for (size_t i = 0; i < n_rows; i++) {
		wrong += !t->skip[i] != !skip[i];
		for (size_t j = 0; j < n_chan; j++) {
			const double v = want[i * n_chan + j], rounded = type == HS_ROW_F32 ? (double)(float)v : v, got = t->x[i * n_chan + j];
			wrong += (skip[i] ? !isnan(got) : got != rounded) ? 1 : 0;
		}
	}
	return !wrong;
}

/* -------------------------------------------------------------------- rows */

struct fold {
	size_t n_in, n_out;
};

/* Channel j of the result: what is in the channels j, j + n_out ..., and the number of the pixel; every 11th row is refused. */
static bool fold(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct fold *f = state;
	for (size_t j = 0; j < f->n_out; j++)
		scratch[j] = (double)pixel / 3;
	for (size_t j = 0; j < f->n_in; j++)
		scratch[j % f->n_out] += in[j];
	memcpy(out, scratch, f->n_out * sizeof *out);
	return pixel % 11 != 10;
}

static void folded_rows(const size_t n[3], size_t n_chan, size_t n_out, enum hs_row_type type, size_t block_rows, size_t blocks)
{
	struct given g;
	struct hs_stage s;
	struct hs_err err = { 0 };
	given_init(&g, n, n_chan, type, block_rows, blocks);
	struct fold f = { n_chan, n_out };
	hs_stage_begin(&s, &g.stage, &f, NULL);
	hs_axis_release(&s.signal.axis[3]);
	s.signal.axis[3] = hs_axis_uniform("energy", "eV", NULL, HS_AXIS_SPECTRAL, n_out, 0, 1);
	const int verdict = hs_stage_rows(&s, &g.stage, n_out, fold, &err);
	double *want = hs_must_alloc(g.n_pix * n_out, sizeof *want), *scratch = hs_must_alloc(n_out, sizeof *scratch);
	uint8_t *skip = hs_must_alloc(g.n_pix, 1);
	for (size_t i = 0; i < g.n_pix; i++)
		skip[i] = g.skip[i] || !fold(&f, i, g.wide + i * n_chan, want + i * n_out, scratch);
	struct taken t = take(s.source);
	tap_ok(verdict == 0 && s.n_pix == g.n_pix && s.n_chan == n_out && s.source->block_rows == hs_block_rows(n_out) &&
		is(&t, want, skip, g.n_pix, n_out, type), "rows: %zu of %zu channels to %zu, %s, blocks of %zu, %zu a batch", g.n_pix, n_chan,
		n_out, type == HS_ROW_F32 ? "float32" : "float64", block_rows, blocks);
	taken_free(&t);
	free(want);
	free(scratch);
	free(skip);
	hs_stage_release(&s);
	given_release(&g);
}

static void test_rows(void)
{
	static const size_t one[] = { 1, 1, 1 }, few[] = { 1, 2, 31 }, block[] = { 1, 8, 8 }, more[] = { 3, 13, 17 };
	folded_rows(one, 1, 1, HS_ROW_F64, 1, 1);
	folded_rows(one, 9, 4, HS_ROW_F32, 64, 1);
	folded_rows(few, 5, 5, HS_ROW_F32, 7, 2);
	folded_rows(block, 40000, 20000, HS_ROW_F32, 64, 1);
	folded_rows(more, 3, 20000, HS_ROW_F32, 50, 1);
	folded_rows(more, 20000, 2, HS_ROW_F64, 1, 100);
	folded_rows(more, 33, 1, HS_ROW_F64, 64, 3);
	folded_rows(more, 1, 33, HS_ROW_F32, 8192, 1);
}

/* Values that no float holds: the row is one to skip, in either type. */
static bool blow_up(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	(void)state, (void)scratch;
	out[0] = in[0];
	out[1] = pixel == 1 ? 1e300 : pixel == 2 ? INFINITY : pixel == 4 ? 1e-300 : 1;
	return true;
}

static void test_overflow(void)
{
	static const size_t n[] = { 1, 1, 6 };
	for (int type = 0; type < 2; type++) {
		struct given g;
		struct hs_stage s;
		struct hs_err err = { 0 };
		given_init(&g, n, 2, type ? HS_ROW_F64 : HS_ROW_F32, 4, 1);
		hs_stage_begin(&s, &g.stage, NULL, NULL);
		hs_stage_rows(&s, &g.stage, 0, blow_up, &err);
		struct taken t = take(s.source);
		tap_ok(!t.faults && t.skip[1] == !type && isnan(t.x[3]) == !type, "1e300 is %s",
			type ? "a float64" : "no float32: skipped, NaN");
		tap_ok(t.skip[2] && isnan(t.x[4]) && isnan(t.x[5]), "an infinity makes its row NaN");
		tap_ok(t.skip[3] && isnan(t.x[6]) && !t.skip[4] && t.x[9] == (type ? 1e-300 : 0) && !t.skip[0] && t.x[1] == 1, "others stay");
		taken_free(&t);
		hs_stage_release(&s);
		given_release(&g);
	}
}

/* -------------------------------------------------------------------- lines */

/* Sum over the neighbourhood of a pixel, of those not skipped, line after line; a skipped pixel whose left neighbour is good is
 * filled. */
static void around(const void *state, const struct hs_lines *l, double *out, uint8_t *out_skip, double *scratch)
{
	(void)state;
	for (size_t x = 0; x < l->n_x; x++) {
		for (size_t j = 0; j < l->n_chan; j++) {
			scratch[0] = (double)(l->image * 100 + l->y);
			for (size_t k = 0; k < 2 * l->reach + 1; k++)
				for (size_t i = x ? x - 1 : 0; l->line[k] && i < l->n_x && i <= x + 1; i++)
					if (!l->skip[k][i])
						scratch[0] += l->line[k][i * l->n_chan + j];
			out[x * l->n_chan + j] = scratch[0];
		}
		if (x && l->skip[l->reach][x] && !l->skip[l->reach][x - 1])
			out_skip[x] = 0;
	}
}

/* The same from the whole image. */
static void around_whole(const struct given *g, size_t reach, double *want, uint8_t *skip)
{
	for (size_t i = 0; i < g->n_pix; i++) {
		const size_t x = i % g->n[2], y = i / g->n[2] % g->n[1], image = i / g->n[2] / g->n[1];
		skip[i] = g->skip[i] && !(x && !g->skip[i - 1]);
		for (size_t j = 0; j < g->n_chan; j++) {
			double sum = (double)(image * 100 + y);
			for (size_t v = y > reach ? y - reach : 0; v < g->n[1] && v <= y + reach; v++)
				for (size_t u = x ? x - 1 : 0; u < g->n[2] && u <= x + 1; u++) {
					const size_t at = (image * g->n[1] + v) * g->n[2] + u;
					sum += g->skip[at] ? 0 : g->wide[at * g->n_chan + j];
				}
			want[i * g->n_chan + j] = sum;
		}
	}
}

static void summed_lines(const size_t n[3], size_t n_chan, size_t reach, enum hs_row_type type, size_t block_rows)
{
	struct given g;
	struct hs_stage s;
	struct hs_err err = { 0 };
	given_init(&g, n, n_chan, type, block_rows, 2);
	hs_stage_begin(&s, &g.stage, NULL, NULL);
	const int verdict = hs_stage_lines(&s, &g.stage, reach, 1, around, &err);
	double *want = hs_must_alloc(g.n_pix * n_chan, sizeof *want);
	uint8_t *skip = hs_must_alloc(g.n_pix, 1);
	around_whole(&g, reach, want, skip);
	struct taken t = take(s.source);
	tap_ok(verdict == 0 && is(&t, want, skip, g.n_pix, n_chan, type), "lines: %zu x %zu x %zu, %zu channels, reach %zu", n[0], n[1],
		n[2], n_chan, reach);
	taken_free(&t);
	free(want);
	free(skip);
	hs_stage_release(&s);
	given_release(&g);
}

static void test_lines(void)
{
	static const size_t one[] = { 1, 1, 1 }, scan[] = { 1, 1, 40 }, tall[] = { 1, 30, 1 }, stack[] = { 3, 4, 5 },
			    wide[] = { 2, 9, 300 };
	summed_lines(one, 1, 0, HS_ROW_F64, 1);
	summed_lines(one, 3, 2, HS_ROW_F32, 1);
	summed_lines(scan, 2, 1, HS_ROW_F32, 7);
	summed_lines(tall, 4, 3, HS_ROW_F64, 4);
	summed_lines(stack, 6, 0, HS_ROW_F64, 3);
	summed_lines(stack, 6, 1, HS_ROW_F32, 64);
	summed_lines(stack, 1, 9, HS_ROW_F64, 2);
	summed_lines(wide, 2000, 1, HS_ROW_F32, 64);
}

/* -------------------------------------------------------------------- gathered */

/* Groups of `step` along dimension d, beginning at `first`. */
static void gathered(const size_t n[3], size_t n_chan, size_t d, size_t first, size_t step, bool mean, enum hs_row_type type)
{
	struct given g;
	struct hs_stage s;
	struct hs_err err = { 0 };
	given_init(&g, n, n_chan, type, 5, 1);
	size_t now[3] = { n[0], n[1], n[2] }, *to = hs_must_alloc(g.n_pix, sizeof *to);
	now[d] = (n[d] - first) / step;
	const size_t n_new = now[0] * now[1] * now[2];
	double *want = hs_must_alloc(n_new * n_chan, sizeof *want), *members = hs_must_alloc(n_new, sizeof *members);
	uint8_t *skip = hs_must_alloc(n_new, 1);
	for (size_t i = 0; i < g.n_pix; i++) {
		size_t at[3] = { i / n[2] / n[1], i / n[2] % n[1], i % n[2] };
		to[i] = HS_NO_PIXEL;
		if (at[d] < first || at[d] >= first + now[d] * step)
			continue;
		at[d] = (at[d] - first) / step;
		to[i] = (at[0] * now[1] + at[1]) * now[2] + at[2];
		members[to[i]] += !g.skip[i];
		for (size_t j = 0; j < n_chan && !g.skip[i]; j++)
			want[to[i] * n_chan + j] += g.wide[i * n_chan + j];
	}
	for (size_t i = 0; i < n_new * n_chan; i++) {
		skip[i / n_chan] = !(members[i / n_chan] > 0);
		want[i] /= mean && members[i / n_chan] > 1 ? members[i / n_chan] : 1;
	}
	hs_stage_begin(&s, &g.stage, NULL, NULL);
	hs_axis_release(&s.signal.axis[d]);
	s.signal.axis[d] = hs_axis_uniform("d", "nm", NULL, HS_AXIS_SPATIAL, now[d], 0, 1);
	const int verdict = hs_stage_gather(&s, &g.stage, to, mean, &err);
	struct taken t = take(s.source);
	tap_ok(verdict == 0 && s.n_pix == n_new && is(&t, want, skip, n_new, n_chan, type),
		"gathered: %zu x %zu x %zu, dimension %zu from %zu by %zu%s", n[0], n[1], n[2], d, first, step, mean ? ", means" : "");
	taken_free(&t);
	free(want);
	free(members);
	free(skip);
	hs_stage_release(&s);
	given_release(&g);
}

static void test_gathered(void)
{
	static const size_t n[] = { 4, 7, 9 }, one[] = { 1, 1, 1 }, wide[] = { 1, 5, 21 };
	gathered(one, 1, 2, 0, 1, false, HS_ROW_F64);
	for (size_t d = 0; d < 3; d++) {
		gathered(n, 3, d, 0, 1, false, HS_ROW_F32);
		gathered(n, 3, d, 1, 1, false, HS_ROW_F64);
		gathered(n, 3, d, 0, 3, false, HS_ROW_F64);
		gathered(n, 3, d, 1, 2, true, HS_ROW_F32);
		gathered(n, 1, d, 0, n[d], true, HS_ROW_F64);
	}
	gathered(wide, 9000, 1, 0, 2, false, HS_ROW_F32);
}

/* -------------------------------------------------------------------- one behind the other */

static bool halve(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	(void)pixel, (void)scratch;
	for (size_t j = 0; j < *(const size_t *)state; j++)
		out[j] = in[j] / 3;
	return true;
}

/* Between two stages values are rounded as they would be in a file. */
static void test_chain(void)
{
	static const size_t n[] = { 1, 20, 30 };
	struct given g;
	struct hs_stage s[3];
	struct hs_err err = { 0 };
	size_t n_chan = 11, wrong = 0;
	given_init(&g, n, n_chan, HS_ROW_F32, 64, 1);
	for (size_t i = 0; i < 3; i++) {
		hs_stage_begin(&s[i], i ? &s[i - 1] : &g.stage, &n_chan, NULL);
		hs_stage_rows(&s[i], i ? &s[i - 1] : &g.stage, 0, halve, &err);
	}
	struct taken t = take(s[2].source);
	for (size_t i = 0; i < g.n_pix * n_chan; i++) {
		const float once = (float)(g.wide[i] / 3), twice = (float)((double)once / 3), thrice = (float)((double)twice / 3);
		wrong += (g.skip[i / n_chan] ? !isnan(t.x[i]) : t.x[i] != (double)thrice) ? 1 : 0;
	}
	tap_ok(!wrong && !t.faults && !hs_failed(&err), "three stages round as three files would");
	taken_free(&t);
	for (size_t i = 3; i-- > 0;)
		hs_stage_release(&s[i]);
	given_release(&g);
}

int main(void)
{
	static const int threads[] = { 1, 2, 5 };
	for (size_t i = 0; i < HS_LEN(threads); i++) {
		hs_par_set_threads(threads[i]);
		printf("# threads: %d\n", threads[i]);
		test_rows();
		test_overflow();
		test_lines();
		test_gathered();
		test_chain();
	}
	return tap_done();
}
