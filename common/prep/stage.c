/* How it works. A stage takes rows from the source before through a cursor, makes its own, and puts them into an outbox that
 * hands out whole blocks of its own number of channels. */
#include "prep/stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/par.h"
#include "math/vector.h"

void hs_stage_release(struct hs_stage *s)
{
	if (s->source && s->release_source)
		s->release_source(s->source);
	if (s->state && s->release_state)
		s->release_state(s->state);
	hs_signal_release(&s->signal);
	free(s->said);
	*s = (struct hs_stage){ 0 };
}

void hs_stage_begin(struct hs_stage *stage, const struct hs_stage *before, void *state, void (*release_state)(void *state))
{
	*stage = (struct hs_stage){ .state = state, .release_state = release_state, .files = before->files };
	hs_signal_copy(&stage->signal, &before->signal);
	stage->signal.has_fill = false;
	stage->signal.sha256[0] = 0;
}

static size_t value_bytes(enum hs_row_type type)
{
	return type == HS_ROW_F32 ? sizeof(float) : sizeof(double);
}

/* Memory for a stage, counted. */
static void *lend(struct hs_stage *stage, size_t n, size_t size, struct hs_err *err)
{
	void *p = hs_alloc(n, size, err);
	stage->bytes += p ? n * size : 0;
	return p;
}

/* ------------------------------------------------------------------ rows in */

struct cursor {
	struct hs_rowsource *from;
	struct hs_batch batch;
	size_t at;                    /* rows of the batch that are done */
};

static int cursor_rewind(struct cursor *c, struct hs_err *err)
{
	c->batch = (struct hs_batch){ 0 };
	c->at = 0;
	return c->from->rewind(c->from, err);
}

/* The rows that lie ahead as a block; n_rows is 0 at the end. */
static int cursor_look(struct cursor *c, struct hs_block *b, struct hs_err *err)
{
	if (c->at == c->batch.n_rows) {
		c->at = 0;
		if (c->from->next(c->from, &c->batch, err) < 0)
			return -1;
		if (!c->batch.n_blocks)
			c->batch.n_rows = 0;
	}
	*b = (struct hs_block){ .first_row = c->batch.first_row + c->at, .n_rows = c->batch.n_rows - c->at, .n_chan = c->from->n_chan,
		.type = c->from->type, .x = (const char *)c->batch.x + c->at * c->from->n_chan * value_bytes(c->from->type),
		.skip = c->batch.skip + c->at };
	return 0;
}

/* ------------------------------------------------------------------ rows out */

struct outbox {
	enum hs_row_type type;
	size_t n_chan, block_rows, room, n;   /* rows: of a block, at most, in it */
	size_t given;                 /* of those, handed out by the last call */
	size_t first_row;             /* number of the first row in it */
	char *x;
	uint8_t *skip;
};

static int outbox_init(struct outbox *o, struct hs_stage *stage, size_t room, struct hs_err *err)
{
	const struct hs_rowsource *s = stage->source;
	*o = (struct outbox){ .type = s->type, .n_chan = s->n_chan, .block_rows = s->block_rows, .room = room };
	o->x = lend(stage, room, s->n_chan * value_bytes(s->type), err);
	o->skip = o->x ? lend(stage, room, 1, err) : NULL;
	return o->skip ? 0 : -1;
}

static void outbox_free(struct outbox *o)
{
	free(o->x);
	free(o->skip);
}

static void outbox_rewind(struct outbox *o)
{
	o->n = o->given = o->first_row = 0;
}

/* What was handed out makes room. */
static void outbox_take_back(struct outbox *o)
{
	const size_t row = o->n_chan * value_bytes(o->type);
	memmove(o->x, o->x + o->given * row, (o->n - o->given) * row);
	memmove(o->skip, o->skip + o->given, o->n - o->given);
	o->first_row += o->given;
	o->n -= o->given;
	o->given = 0;
}

/* A value that became infinite or NaN makes its row one to skip. */
static bool all_finite(const double *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += x[i] * 0;
	return sum == 0;
}

/* The same in float32, where a value may become infinite that was none. */
static bool narrow(const double *from, float *to, size_t n)
{
	float sum = 0;
	for (size_t i = 0; i < n; i++) {
		to[i] = (float)from[i];
		sum += to[i] * 0;
	}
	return sum == 0;
}

/* Row i of the outbox from float64; NaN and skipped when value is NULL or does not fit: a file between two stages would lead to
 * the same. */
static void outbox_set(struct outbox *o, size_t i, const double *value)
{
	const size_t n = o->n_chan;
	double *wide = (double *)(void *)o->x + i * n;
	float *small = (float *)(void *)o->x + i * n;
	const bool f64 = o->type == HS_ROW_F64;
	o->skip[i] = !(value && (f64 ? all_finite(value, n) : narrow(value, small, n)));
	if (!o->skip[i] && f64)
		memcpy(wide, value, n * sizeof *wide);
	for (size_t j = 0; o->skip[i] && j < n; j++)
		if (f64)
			wide[j] = NAN;
		else
			small[j] = NAN;
}

/* Whole blocks, or all that is left when no more will come. */
static bool outbox_give(struct outbox *o, bool last, struct hs_batch *batch)
{
	const size_t n = last ? o->n : o->n / o->block_rows * o->block_rows;
	*batch = (struct hs_batch){ 0 };
	if (!n)
		return false;
	*batch = (struct hs_batch){ .first_block = o->first_row / o->block_rows, .n_blocks = (n + o->block_rows - 1) / o->block_rows,
		.first_row = o->first_row, .n_rows = n, .x = o->x, .skip = o->skip };
	o->given = n;
	return true;
}

/* ------------------------------------------------------------------ row by row */

struct by_rows {
	struct hs_rowsource source;
	struct cursor in, with;       /* with.from NULL: no second source */
	struct outbox out;
	hs_row_fn fn;
	const void *state;
	size_t n_in, n_scratch;       /* n_in: channels of both */
	double *bench;                /* threads x (n_in + n_out + n_scratch) */
};

static int rows_rewind(struct hs_rowsource *source, struct hs_err *err)
{
	struct by_rows *s = (struct by_rows *)source;
	outbox_rewind(&s->out);
	return s->with.from && cursor_rewind(&s->with, err) < 0 ? -1 : cursor_rewind(&s->in, err);
}

/* One row of the stage, from row i of the blocks b and, if there is one, w. */
static void make_row(struct by_rows *s, const struct hs_block *b, const struct hs_block *w, size_t i)
{
	const size_t n_out = s->source.n_chan;
	double *x = s->bench + (size_t)hs_par_thread() * (s->n_in + n_out + s->n_scratch), *y = x + s->n_in;
	bool good = !b->skip[i] && !(w->n_rows && w->skip[i]);
	if (good) {
		hs_block_row(b, i, false, x);
		if (w->n_rows)
			hs_block_row(w, i, false, x + b->n_chan);
		good = s->fn(s->state, b->first_row + i, x, y, y + n_out);
	}
	outbox_set(&s->out, s->out.n + i, good ? y : NULL);
}

static int rows_next(struct hs_rowsource *source, struct hs_batch *batch, struct hs_err *err)
{
	struct by_rows *s = (struct by_rows *)source;
	struct hs_block b = { .n_rows = 1 }, w = { 0 };
	outbox_take_back(&s->out);
	while (s->out.n < s->out.room && b.n_rows) {
		if (cursor_look(&s->in, &b, err) < 0 || (s->with.from && cursor_look(&s->with, &w, err) < 0))
			return -1;
		size_t n = s->out.room - s->out.n;
		n = b.n_rows < n ? b.n_rows : n;
		n = s->with.from && w.n_rows < n ? w.n_rows : n;
		if (b.n_rows && !n)
			return hs_fail(err, HS_BUG, "the second source has fewer rows");
#pragma omp parallel for schedule(dynamic, 16) num_threads(hs_par_threads())
		for (size_t i = 0; i < n; i++)
			make_row(s, &b, &w, i);
		s->in.at += n;
		s->with.at += n;
		s->out.n += n;
	}
	outbox_give(&s->out, !b.n_rows, batch);
	return 0;
}

static void rows_free(struct hs_rowsource *source)
{
	struct by_rows *s = (struct by_rows *)source;
	outbox_free(&s->out);
	free(s->bench);
	free(s);
}

/* Numbers of the stage from its signal; its type is that of the stage before. */
static struct hs_rowsource shape_of(struct hs_stage *stage, const struct hs_stage *before)
{
	stage->n_pix = hs_signal_nav_count(&stage->signal);
	stage->n_chan = hs_signal_sig_count(&stage->signal);
	return (struct hs_rowsource){ .n_rows = stage->n_pix, .n_chan = stage->n_chan, .block_rows = hs_block_rows(stage->n_chan),
		.type = before->source->type };
}

int hs_stage_rows_with(struct hs_stage *stage, const struct hs_stage *before, struct hs_rowsource *other, size_t n_scratch,
	hs_row_fn fn, struct hs_err *err)
{
	struct by_rows *s = hs_must_alloc(1, sizeof *s);
	*s = (struct by_rows){ .source = shape_of(stage, before), .in.from = before->source, .with.from = other, .fn = fn,
		.state = stage->state, .n_in = before->n_chan + (other ? other->n_chan : 0), .n_scratch = n_scratch };
	s->source.rewind = rows_rewind;
	s->source.next = rows_next;
	stage->source = &s->source;
	stage->release_source = rows_free;
	s->bench = lend(stage, (size_t)hs_par_threads(), (s->n_in + stage->n_chan + n_scratch) * sizeof(double), err);
	return s->bench ? outbox_init(&s->out, stage, s->source.block_rows, err) : -1;
}

int hs_stage_rows(struct hs_stage *stage, const struct hs_stage *before, size_t n_scratch, hs_row_fn fn, struct hs_err *err)
{
	return hs_stage_rows_with(stage, before, NULL, n_scratch, fn, err);
}

/* ------------------------------------------------------------------ line by line */

struct by_lines {
	struct hs_rowsource source;
	struct cursor in;
	struct outbox out;
	hs_line_fn fn;
	const void *state;
	size_t n_x, n_y, n_lines, reach, n_scratch;
	size_t ring, loaded, made;    /* lines held; read so far; given so far */
	size_t filled;                /* pixels of the line being read */
	double *line;                 /* ring x n_x x n_chan */
	uint8_t *skip;                /* ring x n_x */
	double *bench;                /* threads x (n_x n_chan + n_scratch) */
	uint8_t *bench_skip;          /* threads x n_x */
};

static int lines_rewind(struct hs_rowsource *source, struct hs_err *err)
{
	struct by_lines *s = (struct by_lines *)source;
	outbox_rewind(&s->out);
	s->loaded = s->made = s->filled = 0;
	return cursor_rewind(&s->in, err);
}

/* Reads on until line number `want` is there (or all are). */
static int load_lines(struct by_lines *s, size_t want, struct hs_err *err)
{
	const size_t n_chan = s->source.n_chan;
	while (s->loaded <= want && s->loaded < s->n_lines) {
		struct hs_block b;
		if (cursor_look(&s->in, &b, err) < 0)
			return -1;
		if (!b.n_rows)
			return hs_fail(err, HS_BUG, "%zu of %zu lines came", s->loaded, s->n_lines);
		const size_t left = s->n_x - s->filled, n = b.n_rows < left ? b.n_rows : left, slot = s->loaded % s->ring;
		for (size_t i = 0; i < n; i++) {
			hs_block_row(&b, i, false, s->line + (slot * s->n_x + s->filled + i) * n_chan);
			s->skip[slot * s->n_x + s->filled + i] = b.skip[i];
		}
		s->in.at += n;
		s->filled += n;
		if (s->filled == s->n_x) {
			s->filled = 0;
			s->loaded++;
		}
	}
	return 0;
}

static void make_line(struct by_lines *s, size_t number, size_t place)
{
	const size_t n_chan = s->source.n_chan, width = s->n_x * n_chan, y = number % s->n_y, n = 2 * s->reach + 1;
	const double **line = hs_must_alloc(n, sizeof *line);
	const uint8_t **skip = hs_must_alloc(n, sizeof *skip);
	const size_t thread = (size_t)hs_par_thread();
	double *out = s->bench + thread * (width + s->n_scratch);
	uint8_t *out_skip = s->bench_skip + thread * s->n_x;
	for (size_t k = 0; k < n; k++) {
		if (y + k < s->reach || y + k - s->reach >= s->n_y)
			continue;
		const size_t slot = (number + k - s->reach) % s->ring;
		line[k] = s->line + slot * width;
		skip[k] = s->skip + slot * s->n_x;
	}
	memcpy(out_skip, skip[s->reach], s->n_x);
	const struct hs_lines lines = { .n_x = s->n_x, .n_y = s->n_y, .n_chan = n_chan, .reach = s->reach, .image = number / s->n_y,
		.y = y,
		.line = line, .skip = skip };
	s->fn(s->state, &lines, out, out_skip, out + width);
	for (size_t i = 0; i < s->n_x; i++)
		outbox_set(&s->out, place + i, out_skip[i] ? NULL : out + i * n_chan);
	free(line);
	free(skip);
}

static int lines_next(struct hs_rowsource *source, struct hs_batch *batch, struct hs_err *err)
{
	struct by_lines *s = (struct by_lines *)source;
	outbox_take_back(&s->out);
	do {
		size_t n = s->ring - 2 * s->reach;
		n = n < s->n_lines - s->made ? n : s->n_lines - s->made;
		while (n && s->out.n + n * s->n_x > s->out.room)
			n--;
		if (n && load_lines(s, s->made + n - 1 + s->reach, err) < 0)
			return -1;
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
		for (size_t i = 0; i < n; i++)
			make_line(s, s->made + i, s->out.n + i * s->n_x);
		s->made += n;
		s->out.n += n * s->n_x;
	} while (s->made < s->n_lines && s->out.n < s->out.block_rows);
	outbox_give(&s->out, s->made == s->n_lines, batch);
	return 0;
}

static void lines_free(struct hs_rowsource *source)
{
	struct by_lines *s = (struct by_lines *)source;
	outbox_free(&s->out);
	free(s->line);
	free(s->skip);
	free(s->bench);
	free(s->bench_skip);
	free(s);
}

int hs_stage_lines(struct hs_stage *stage, const struct hs_stage *before, size_t reach, size_t n_scratch, hs_line_fn fn,
	struct hs_err *err)
{
	const size_t nav = hs_signal_nav_rank(&stage->signal), threads = (size_t)hs_par_threads();
	struct by_lines *s = hs_must_alloc(1, sizeof *s);
	*s = (struct by_lines){ .source = shape_of(stage, before), .in.from = before->source, .fn = fn, .state = stage->state,
		.reach = reach, .n_scratch = n_scratch, .ring = 2 * reach + threads };
	s->source.rewind = lines_rewind;
	s->source.next = lines_next;
	stage->source = &s->source;
	stage->release_source = lines_free;
	s->n_x = nav ? stage->signal.axis[nav - 1].n : 1;
	s->n_y = nav > 1 ? stage->signal.axis[nav - 2].n : 1;
	s->n_lines = s->n_x ? stage->n_pix / s->n_x : 0;
	const size_t width = s->n_x * stage->n_chan;
	if (!(s->line = lend(stage, s->ring, width * sizeof(double), err)) || !(s->skip = lend(stage, s->ring, s->n_x, err)) ||
		!(s->bench = lend(stage, threads, (width + n_scratch) * sizeof(double), err)) ||
		!(s->bench_skip = lend(stage, threads, s->n_x, err)))
		return -1;
	return outbox_init(&s->out, stage, s->source.block_rows + threads * s->n_x, err);
}

/* ------------------------------------------------------------------ gathered */

struct gathered {
	struct hs_rowsource source;
	struct cursor in;
	struct outbox out;
	size_t *to, *missing;         /* old pixels: new one; new pixels: old ones that belong to it */
	size_t *left;                 /* of those, not yet met in this pass */
	bool mean;
	size_t open, done;            /* sums held; new pixels given */
	double *sum, *n;              /* open x n_chan; open: rows in it */
	double *row;
};

static int gathered_rewind(struct hs_rowsource *source, struct hs_err *err)
{
	struct gathered *s = (struct gathered *)source;
	outbox_rewind(&s->out);
	s->done = 0;
	memcpy(s->left, s->missing, source->n_rows * sizeof *s->left);
	memset(s->sum, 0, s->open * source->n_chan * sizeof *s->sum);
	memset(s->n, 0, s->open * sizeof *s->n);
	return cursor_rewind(&s->in, err);
}

/* New pixels that are complete go out, as far as there is room. */
static void give_complete(struct gathered *s)
{
	const size_t n_chan = s->source.n_chan;
	for (; s->done < s->source.n_rows && !s->left[s->done] && s->out.n < s->out.room; s->done++) {
		const size_t slot = s->done % s->open;
		double *sum = s->sum + slot * n_chan;
		for (size_t j = 0; s->mean && s->n[slot] > 1 && j < n_chan; j++)
			sum[j] /= s->n[slot];
		outbox_set(&s->out, s->out.n++, s->n[slot] > 0 ? sum : NULL);
		memset(sum, 0, n_chan * sizeof *sum);
		s->n[slot] = 0;
	}
}

static int gathered_next(struct hs_rowsource *source, struct hs_batch *batch, struct hs_err *err)
{
	struct gathered *s = (struct gathered *)source;
	outbox_take_back(&s->out);
	give_complete(s);
	while (s->out.n < s->out.room && s->done < source->n_rows) {
		struct hs_block b;
		if (cursor_look(&s->in, &b, err) < 0)
			return -1;
		if (!b.n_rows)
			return hs_fail(err, HS_BUG, "pixels are missing that were to be gathered");
		const size_t to = s->to[b.first_row];
		s->in.at++;
		if (to == HS_NO_PIXEL)
			continue;
		s->left[to]--;
		if (!b.skip[0]) {
			hs_block_row(&b, 0, false, s->row);
			hs_add(s->sum + to % s->open * source->n_chan, s->row, source->n_chan);
			s->n[to % s->open]++;
		}
		give_complete(s);
	}
	outbox_give(&s->out, s->done == source->n_rows, batch);
	return 0;
}

static void gathered_free(struct hs_rowsource *source)
{
	struct gathered *s = (struct gathered *)source;
	outbox_free(&s->out);
	free(s->to);
	free(s->missing);
	free(s->left);
	free(s->sum);
	free(s->n);
	free(s->row);
	free(s);
}

/* The largest stretch from the first new pixel that is not complete to the last that has begun. */
static size_t most_open(const struct gathered *s, size_t n_old)
{
	size_t most = 1, done = 0, last = 0;
	memcpy(s->left, s->missing, s->source.n_rows * sizeof *s->left);
	for (size_t i = 0; i < n_old; i++) {
		if (s->to[i] == HS_NO_PIXEL)
			continue;
		last = s->to[i] > last ? s->to[i] : last;
		while (done < s->source.n_rows && !s->left[done])
			done++;
		most = last + 1 > done && last + 1 - done > most ? last + 1 - done : most;
		s->left[s->to[i]]--;
	}
	return most;
}

int hs_stage_gather(struct hs_stage *stage, const struct hs_stage *before, size_t *to, bool mean, struct hs_err *err)
{
	struct gathered *s = hs_must_alloc(1, sizeof *s);
	*s = (struct gathered){ .source = shape_of(stage, before), .in.from = before->source, .to = to, .mean = mean };
	s->source.rewind = gathered_rewind;
	s->source.next = gathered_next;
	stage->source = &s->source;
	stage->release_source = gathered_free;
	const size_t n = stage->n_pix;
	stage->bytes = before->n_pix * sizeof *to;
	if (!(s->missing = lend(stage, n, sizeof *s->missing, err)) || !(s->left = lend(stage, n, sizeof *s->left, err)))
		return -1;
	for (size_t i = 0; i < before->n_pix; i++)
		if (to[i] != HS_NO_PIXEL)
			s->missing[to[i]]++;
	s->open = most_open(s, before->n_pix);
	if (!(s->sum = lend(stage, s->open, stage->n_chan * sizeof *s->sum, err)) || !(s->n = lend(stage, s->open, sizeof *s->n, err)) ||
		!(s->row = lend(stage, stage->n_chan, sizeof *s->row, err)))
		return -1;
	return outbox_init(&s->out, stage, s->source.block_rows, err);
}
