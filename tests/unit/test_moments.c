/* Second moments against the plain definition in long double, and the promises of the header: offsets, masks, threads, units. */
#include "math/moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tap.h"

static size_t block_rows;             /* other than the usual height, to have many blocks of few rows */

static double *noise(size_t n, size_t p, double offset)
{
	double *x = hs_must_alloc(n * p, sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 4, HS_STREAM_TEST, i);
		const double a = hs_rng_normal(&rng), b = hs_rng_uniform(&rng);
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = offset + a * sin(0.1 * (double)j) + b * (double)(j % 5) + 0.3 * hs_rng_normal(&rng);
	}
	return x;
}

static double *counts(size_t n, size_t p)
{
	double *x = hs_must_alloc(n * p, sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 5, HS_STREAM_TEST, i);
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = j == 3 || i == 7 ? 0 : hs_rng_poisson(&rng, 2 + (double)((i + j) % 9));
	}
	for (size_t j = 0; j < p; j++)
		x[11 * p + j] = -1;
	return x;
}

static struct hs_moments moments_of(const void *x, enum hs_row_type type, size_t n, size_t p, const uint8_t *skip,
	struct hs_moments_options options)
{
	struct hs_err err = { 0 };
	struct hs_moments m;
	struct hs_rowsource *rows = hs_array_rows_new(x, type, n, p, skip, &err);
	if (rows && block_rows)
		rows->block_rows = block_rows;
	if (!rows || hs_moments_init(&m, rows, &options, &err) < 0) {
		fprintf(stderr, "test_moments: %s\n", err.text);
		exit(1);
	}
	hs_array_rows_free(rows);
	return m;
}

/* y of every used row, straight from the definitions in moments.h. */
static size_t define(const double *x, size_t n, size_t p, const uint8_t *skip, struct hs_moments_options o, long double *y)
{
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		if (skip && skip[i])
			continue;
		long double sum = 0;
		for (size_t j = 0; j < p; j++)
			sum += x[i * p + j];
		for (size_t j = 0; j < p; j++)
			y[used * p + j] = o.poisson && sum <= 0
						  ? 0
						  : x[i * p + j] - (o.centre == HS_CENTRE_BOTH ? sum / (long double)p : 0);
		used++;
	}
	for (size_t j = 0; j < p; j++) {
		long double sum = 0;
		for (size_t i = 0; i < used; i++)
			sum += y[i * p + j];
		for (size_t i = 0; i < used && o.centre != HS_CENTRE_NONE; i++)
			y[i * p + j] -= sum / (long double)used;
	}
	if (!o.poisson)
		return used;
	long double *g = calloc(used, sizeof *g), *h = calloc(p, sizeof *h);
	for (size_t i = 0; i < used; i++)
		for (size_t j = 0; j < p; j++) {
			g[i] += y[i * p + j];
			h[j] += y[i * p + j];
		}
	for (size_t i = 0; i < used; i++)
		for (size_t j = 0; j < p; j++)
			y[i * p + j] = g[i] > 0 && h[j] > 0 ? y[i * p + j] / sqrtl(g[i] * h[j]) : 0;
	free(g);
	free(h);
	return used;
}

/* Largest deviation of m from the definition, relative to the largest element. */
static double deviation(
	const struct hs_moments *m, const double *x, size_t n, size_t p, const uint8_t *skip, struct hs_moments_options o)
{
	long double *y = calloc(n * p, sizeof *y);
	const size_t used = define(x, n, p, skip, o, y), size = m->gram ? used : p, inner = m->gram ? p : used,
		     step_i = m->gram ? p : 1, step_k = m->gram ? 1 : p;
	double worst = used == m->n_used && size == m->size ? 0 : INFINITY, largest = 0;
	for (size_t i = 0; i < size && isfinite(worst); i++)
		for (size_t j = i; j < size; j++) {
			long double sum = 0;
			for (size_t k = 0; k < inner; k++)
				sum += y[i * step_i + k * step_k] * y[j * step_i + k * step_k];
			sum /= o.centre == HS_CENTRE_NONE ? used : used - 1;
			worst = fmax(worst, fabs((double)(sum - m->matrix[i * size + j])));
			largest = fmax(largest, fabs((double)sum));
		}
	free(y);
	return worst / largest;
}

static void against_definition(
	const char *name, const double *x, size_t n, size_t p, const uint8_t *skip, struct hs_moments_options o)
{
	struct hs_moments m = moments_of(x, HS_ROW_F64, n, p, skip, o);
	const double off = deviation(&m, x, n, p, skip, o);
	tap_ok(off < 1e-13, "%s: %zu x %zu %s, off by %.2g", name, n, p, m.gram ? "rows" : "channels", off);
	hs_moments_release(&m);
	float *f = hs_must_alloc(n * p, sizeof *f);
	double *back = hs_must_alloc(n * p, sizeof *back);
	for (size_t i = 0; i < n * p; i++)
		back[i] = (double)(f[i] = (float)x[i]);
	m = moments_of(f, HS_ROW_F32, n, p, skip, o);
	const double single = deviation(&m, back, n, p, skip, o);
	tap_ok(single < 1e-6, "%s: the same from float32, off by %.2g", name, single);
	hs_moments_release(&m);
	o.exact = true;
	m = moments_of(f, HS_ROW_F32, n, p, skip, o);
	const double exact = deviation(&m, back, n, p, skip, o);
	tap_ok(exact < 1e-13, "%s: the same from float32, exact, off by %.2g", name, exact);
	hs_moments_release(&m);
	free(f);
	free(back);
}

/* A source that hands out one block at a time, as a file does, and fails on demand. */
struct trickle {
	struct hs_rowsource base;
	const void *x;
	const uint8_t *skip;
	size_t next_block, fail_at;
};

static int trickle_rewind(struct hs_rowsource *rows, struct hs_err *err)
{
	(void)err;
	((struct trickle *)rows)->next_block = 0;
	return 0;
}

static int trickle_next(struct hs_rowsource *rows, struct hs_batch *batch, struct hs_err *err)
{
	struct trickle *t = (struct trickle *)rows;
	const size_t first = t->next_block * rows->block_rows, left = first < rows->n_rows ? rows->n_rows - first : 0;
	if (t->next_block == t->fail_at)
		return hs_fail(err, HS_SYSTEM, "the disk is gone");
	*batch = (struct hs_batch){ .first_block = t->next_block++, .n_blocks = left > 0, .first_row = first,
		.n_rows = left < rows->block_rows ? left : rows->block_rows,
		.x = (const char *)t->x + first * rows->n_chan * (rows->type == HS_ROW_F32 ? sizeof(float) : sizeof(double)),
		.skip = t->skip + first };
	return 0;
}

static int same_bits(const struct hs_moments *a, const struct hs_moments *b)
{
	return a->size == b->size && !memcmp(a->matrix, b->matrix, a->size * a->size * sizeof(double)) &&
		!memcmp(a->frame.mean, b->frame.mean, a->frame.n_chan * sizeof(double));
}

static void one_order(const char *name, const void *x, enum hs_row_type type, size_t n, size_t p, struct hs_moments_options o)
{
	hs_par_set_threads(1);
	uint8_t *skip = hs_must_alloc(n, 1);
	for (size_t i = 0; i < n; i++)
		skip[i] = i % 11 == 4;
	struct hs_moments first = moments_of(x, type, n, p, skip, o);
	const int threads[] = { 2, 3, 8 };
	int same = 1;
	for (size_t i = 0; i < HS_LEN(threads); i++) {
		hs_par_set_threads(threads[i]);
		struct hs_moments again = moments_of(x, type, n, p, skip, o);
		same &= same_bits(&first, &again);
		hs_moments_release(&again);
	}
	tap_ok(same, "%s: the same bits with 1, 2, 3 and 8 threads", name);
	struct trickle t = { .base = { n, p, hs_block_rows(p), type, trickle_rewind, trickle_next }, .x = x, .skip = skip,
		.fail_at = SIZE_MAX };
	struct hs_moments trickled;
	struct hs_err err = { 0 };
	tap_ok(hs_moments_init(&trickled, &t.base, &o, &err) == 0 && same_bits(&first, &trickled),
		"%s: and from batches of one block", name);
	hs_moments_release(&trickled);
	t.fail_at = 1;
	tap_ok(hs_moments_init(&trickled, &t.base, &o, &err) == -1 && err.status == HS_SYSTEM, "%s: a failing source ends it: %s",
		name, err.text);
	hs_moments_release(&trickled);
	hs_moments_release(&first);
	free(skip);
}

static void refused(const char *name, size_t n, size_t p, struct hs_moments_options o, enum hs_status want)
{
	struct hs_err err = { 0 };
	struct hs_moments m;
	double x[16] = { 0 };
	uint8_t skip[16];
	memset(skip, 1, sizeof skip);
	struct trickle t = { .base = { n, p, hs_block_rows(p), HS_ROW_F64, trickle_rewind, trickle_next }, .x = x, .skip = skip,
		.fail_at = SIZE_MAX };
	tap_ok(hs_moments_init(&m, &t.base, &o, &err) == -1 && err.status == want, "%s is refused: %s", name, err.text);
	hs_moments_release(&m);
}

int main(void)
{
	const struct hs_moments_options none = { .centre = HS_CENTRE_NONE }, channel = { .centre = HS_CENTRE_CHANNEL },
		both = { .centre = HS_CENTRE_BOTH }, poisson = { .poisson = true };
	hs_par_set_threads(2);

	enum { N = 700, P = 40, WIDE = 300 };
	double *x = noise(N, P, 5), *c = counts(N, P), *wide = noise(2 * WIDE, WIDE, -3);
	uint8_t skip[N];
	for (size_t i = 0; i < N; i++)
		skip[i] = i % 3 == 1 && i != 7;
	against_definition("no centring", x, N, P, NULL, none);
	against_definition("centred", x, N, P, skip, channel);
	against_definition("double centring", x, N, P, skip, both);
	against_definition("poisson", c, N, P, skip, poisson);
	against_definition("two tiles", wide, 2 * WIDE, WIDE, NULL, channel);
	against_definition("few rows, no centring", x, 30, P, NULL, none);
	against_definition("few rows, centred", x, 30, P, skip, channel);
	against_definition("few rows, double centring", x, 30, P, skip, both);
	against_definition("few rows, poisson", c, 30, P, skip, poisson);
	double *long_rows = noise(280, 300, 1);
	block_rows = 16;
	against_definition("many blocks", x, N, P, skip, channel);
	against_definition("many blocks, poisson", c, N, P, skip, poisson);
	against_definition("few rows in many blocks", long_rows, 280, 300, skip, channel);
	against_definition("few rows in many passes", long_rows, 280, 300, skip,
		(struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL, .hold_bytes = 3 * 16 * 300 * sizeof(double) });
	for (size_t i = 100; i < 150; i++)
		skip[i] = 1;
	against_definition("few rows, blocks without any", long_rows, 280, 300, skip,
		(struct hs_moments_options){ .centre = HS_CENTRE_BOTH, .hold_bytes = 1 });
	block_rows = 0;

	struct hs_moments m = moments_of(c, HS_ROW_F64, N, P, NULL, poisson);
	double total = 0;
	for (size_t i = 0; i < N * P; i++)
		total += i / P == 11 ? 0 : c[i];
	tap_ok(m.n_empty == 2 && m.n_negative == 1 && m.n_flat == 1, "poisson: empty rows %zu, negative %zu, empty channels %zu",
		m.n_empty, m.n_negative, m.n_flat);
	tap_ok(fabs(m.noise * total - 1) < 1e-12, "poisson: noise variance is 1 / all counts");
	hs_moments_release(&m);

	/* a large offset changes nothing */
	double *far = hs_must_alloc(N * P, sizeof *far);
	for (size_t i = 0; i < N * P; i++)
		far[i] = x[i] + 1e8;
	struct hs_moments near_zero = moments_of(x, HS_ROW_F64, N, P, NULL, channel),
			  offset = moments_of(far, HS_ROW_F64, N, P, NULL, channel);
	double off = 0;
	for (size_t i = 0; i < P; i++)
		for (size_t j = i; j < P; j++)
			off = fmax(off, fabs(near_zero.matrix[i * P + j] - offset.matrix[i * P + j]) / near_zero.matrix[0]);
	tap_ok(off < 1e-6, "an offset of 1e8 leaves the covariance alone (%.2g)", off);
	hs_moments_release(&near_zero);
	hs_moments_release(&offset);

	/* float32: large mean jumps between blocks, and values whose squares underflow */
	const size_t tall = 40000;
	float *steps = hs_must_alloc(tall * P, sizeof *steps);
	double *steps64 = hs_must_alloc(tall * P, sizeof *steps64);
	for (size_t i = 0; i < tall; i++)
		for (size_t j = 0; j < P; j++) {
			steps[i * P + j] = (float)(1e-22 * (x[(i % N) * P + j] + (i < 9000 ? 4000 : 0)));
			steps64[i * P + j] = (double)steps[i * P + j];
		}
	m = moments_of(steps, HS_ROW_F32, tall, P, NULL, channel);
	struct hs_moments reference = moments_of(steps64, HS_ROW_F64, tall, P, NULL, channel);
	off = 0;
	for (size_t i = 0; i < P; i++)
		for (size_t j = i; j < P; j++)
			off = fmax(off, fabs(m.matrix[i * P + j] - reference.matrix[i * P + j]) / reference.matrix[0]);
	tap_ok(off < 1e-7 && m.matrix[0] > 0, "float32 at 1e-22 with a jump of the mean: off by %.2g", off);
	hs_moments_release(&m);
	hs_moments_release(&reference);

	/* constant channel, one row */
	for (size_t i = 0; i < N; i++)
		x[i * P + 2] = 0.1;
	m = moments_of(x, HS_ROW_F64, N, P, NULL, channel);
	tap_ok(m.n_flat == 1 && m.matrix[2 * P + 2] == 0 && m.frame.mean[2] == 0.1, "a constant channel has variance exactly 0");
	hs_moments_release(&m);
	m = moments_of(x, HS_ROW_F64, 1, P, NULL, channel);
	tap_ok(m.size == 1 && m.matrix[0] == 0 && m.divisor == 1, "one row has no variance");
	hs_moments_release(&m);

	one_order("float32, one tile", steps, HS_ROW_F32, tall, P, channel);
	one_order("float64, two tiles", wide, HS_ROW_F64, 2 * WIDE, WIDE, both);
	one_order("fewer rows than channels", wide, HS_ROW_F64, WIDE - 20, WIDE, channel);
	one_order("counts", c, HS_ROW_F64, N, P, poisson);

	refused("poisson with centring", 4, 4, (struct hs_moments_options){ .centre = HS_CENTRE_CHANNEL, .poisson = true },
		HS_USAGE);
	refused("an empty source", 0, 4, none, HS_BAD_DATA);
	refused("too many rows and channels", 20000, 20000, none, HS_BAD_DATA);
	refused("a row that no memory holds", 1, (size_t)1 << 40, none, HS_BAD_DATA);
	refused("a source without usable rows", 4, 4, channel, HS_BAD_DATA);
	refused("a short source without usable rows", 2, 4, channel, HS_BAD_DATA);
	tap_ok(hs_moments_bytes(1000000, 1024, 2) < (size_t)512 << 20, "a million spectra of 1024 channels need %zu MiB",
		hs_moments_bytes(1000000, 1024, 2) >> 20);
	free(x);
	free(c);
	free(wide);
	free(far);
	free(steps);
	free(steps64);
	free(long_rows);
	return tap_done();
}
