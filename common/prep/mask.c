/* Pixels left out of all that follows. The mask bits of hsdata(5) are set, the values stay as they are.
 *
 *	range:LO:HI       spectra with a value that is not within LO .. HI are excluded
 *	dead              one value throughout; in an image: 0
 *	hot[:T]           far brighter than the eight neighbours: by T (10) times what is usual between neighbours
 *	saturated[:V]     a value at V or above; without V the largest value there is, where it occurs often enough to be a ceiling
 *	NAME>V, NAME<V    where the map NAME is above or below V, in the file of the cube; FILE:NAME>V in another
 *
 * The rows are those of the stage before; only their skip flags change. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "math/par.h"
#include "math/vector.h"
#include "prep/op.h"

enum how { RANGE, DEAD, HOT, SATURATED };
#define WORDS "range|dead|hot|saturated"
enum { NEIGHBOURS = 8 };

struct flags {
	size_t n_pix;
	uint8_t *mask;                /* n_pix: bits */
};

/* What one pass finds about each pixel. */
struct look {
	double *low, *high, *sum;     /* n_pix, NaN when skipped */
	uint32_t *at_top;             /* n_pix: values equal to the highest of the spectrum */
	double *bench;
};

static void release(void *state)
{
	struct flags *f = state;
	free(f->mask);
	free(f);
}

/* ------------------------------------------------------------------ rows with other flags */

struct flagged {
	struct hs_rowsource source;
	struct hs_rowsource *from;
	const struct flags *flags;
	uint8_t *skip;                /* of the batch that is out */
	size_t room;
};

static int flagged_rewind(struct hs_rowsource *source, struct hs_err *err)
{
	struct flagged *s = (struct flagged *)source;
	return s->from->rewind(s->from, err);
}

static int flagged_next(struct hs_rowsource *source, struct hs_batch *batch, struct hs_err *err)
{
	struct flagged *s = (struct flagged *)source;
	if (s->from->next(s->from, batch, err) < 0)
		return -1;
	if (!batch->n_blocks)
		return 0;
	if (batch->n_rows > s->room) {
		free(s->skip);
		s->room = 0;
		if (!(s->skip = hs_alloc(batch->n_rows, 1, err)))
			return -1;
		s->room = batch->n_rows;
	}
	for (size_t i = 0; i < batch->n_rows; i++)
		s->skip[i] = batch->skip[i] | s->flags->mask[batch->first_row + i];
	batch->skip = s->skip;
	return 0;
}

static void flagged_free(struct hs_rowsource *source)
{
	struct flagged *s = (struct flagged *)source;
	free(s->skip);
	free(s);
}

static void with_flags(struct hs_stage *stage, const struct hs_stage *before, const struct flags *flags)
{
	struct flagged *s = hs_must_alloc(1, sizeof *s);
	*s = (struct flagged){ .source = *before->source, .from = before->source, .flags = flags };
	s->source.rewind = flagged_rewind;
	s->source.next = flagged_next;
	stage->source = &s->source;
	stage->release_source = flagged_free;
	stage->n_pix = before->n_pix;
	stage->n_chan = before->n_chan;
	stage->bytes += 2 * before->n_pix;
}

/* ------------------------------------------------------------------ the pass */

static int look_at(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct look *l = ctx;
	double *x = l->bench + (size_t)thread * b->n_chan;
	(void)err;
	for (size_t i = 0; i < b->n_rows; i++) {
		const size_t p = b->first_row + i;
		l->low[p] = l->high[p] = l->sum[p] = NAN;
		if (b->skip[i])
			continue;
		hs_block_row(b, i, false, x);
		l->low[p] = l->high[p] = x[0];
		l->sum[p] = 0;
		for (size_t j = 0; j < b->n_chan; j++) {
			l->at_top[p] = x[j] > l->high[p] ? 1 : l->at_top[p] + (x[j] == l->high[p]);
			l->low[p] = fmin(l->low[p], x[j]);
			l->high[p] = fmax(l->high[p], x[j]);
			l->sum[p] += x[j] / (double)b->n_chan;
		}
	}
	return 0;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
	qsort(x, n, sizeof *x, ascending);
	return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

/* How much brighter a pixel is than the median of its neighbours in the image; NAN when it has none. */
static double excess(const struct hs_signal *s, const double *sum, size_t pixel)
{
	const size_t nav = hs_signal_nav_rank(s), n_x = nav ? s->axis[nav - 1].n : 1, n_y = nav > 1 ? s->axis[nav - 2].n : 1,
		x = pixel % n_x,
		     y = pixel / n_x % n_y;
	double near[NEIGHBOURS];
	size_t n = 0;
	for (int dy = -1; dy <= 1; dy++)
		for (int dx = -1; dx <= 1; dx++) {
			if ((!dy && !dx) || (dy < 0 && !y) || (dx < 0 && !x) || (dy > 0 && y + 1 == n_y) || (dx > 0 && x + 1 == n_x))
				continue;
			const double v = sum[(ptrdiff_t)pixel + dy * (ptrdiff_t)n_x + dx];
			if (isfinite(v))
				near[n++] = v;
		}
	return n ? sum[pixel] - median(near, n) : NAN;
}

static int flag_hot(struct flags *f, const struct hs_signal *s, const struct look *l, double times, struct hs_err *err)
{
	double *over = hs_alloc(f->n_pix, 2 * sizeof *over, err), *size = over ? over + f->n_pix : NULL;
	size_t n = 0;
	if (!over)
		return -1;
	for (size_t i = 0; i < f->n_pix; i++) {
		over[i] = isfinite(l->sum[i]) ? excess(s, l->sum, i) : NAN;
		if (isfinite(over[i]))
			size[n++] = fabs(over[i]);
	}
	const double usual = n ? 1.4826 * median(size, n) : 0;
	for (size_t i = 0; i < f->n_pix; i++)
		if (over[i] > times * usual)
			f->mask[i] |= HS_MASK_HOT;
	free(over);
	return 0;
}

/* A ceiling is met more than once in a spectrum, or in several: the largest value of noise or of a peak is met once. One value
 * everywhere is no ceiling. */
static void flag_saturated(struct flags *f, const struct look *l, double given)
{
	double ceiling = -INFINITY, least = INFINITY;
	size_t met = 0;
	for (size_t i = 0; i < f->n_pix; i++) {
		least = fmin(least, l->low[i]);
		if (!(l->high[i] >= ceiling))
			continue;
		met = l->high[i] > ceiling ? l->at_top[i] : met + l->at_top[i];
		ceiling = l->high[i];
	}
	if (isfinite(given))
		ceiling = given;
	else if (met < 3 || !(least < ceiling))
		return;
	for (size_t i = 0; i < f->n_pix; i++)
		if (l->high[i] >= ceiling)
			f->mask[i] |= HS_MASK_SATURATED;
}

static void flag(struct flags *f, const struct look *l, enum how how, double low, double high, size_t n_chan)
{
	if (how == SATURATED)
		flag_saturated(f, l, low);
	for (size_t i = 0; how != SATURATED && i < f->n_pix; i++) {
		if (how == RANGE && (l->low[i] < low || l->high[i] > high))
			f->mask[i] |= HS_MASK_EXCLUDED;
		if (how == DEAD && l->low[i] == l->high[i] && (n_chan > 1 || l->low[i] == 0))
			f->mask[i] |= HS_MASK_DEAD;
	}
}

static int by_values(struct flags *f, const struct hs_stage *before, enum how how, double low, double high, struct hs_err *err)
{
	struct look l = { 0 };
	int verdict = -1;
	if ((l.low = hs_alloc(f->n_pix, sizeof(double), err)) && (l.high = hs_alloc(f->n_pix, sizeof(double), err)) &&
		(l.sum = hs_alloc(f->n_pix, sizeof(double), err)) && (l.at_top = hs_alloc(f->n_pix, sizeof *l.at_top, err)) &&
		(l.bench = hs_alloc((size_t)hs_par_threads(), before->n_chan * sizeof(double), err)))
		verdict = hs_rows_each(before->source, "exclude", look_at, &l, err);
	if (verdict == 0 && how == HOT)
		verdict = flag_hot(f, &before->signal, &l, low, err);
	else if (verdict == 0)
		flag(f, &l, how, low, high, before->n_chan);
	free(l.low);
	free(l.high);
	free(l.sum);
	free(l.at_top);
	free(l.bench);
	return verdict;
}

/* ------------------------------------------------------------------ by the map of a result */

/* "[FILE:]NAME>V": sign points at the > or <. */
static int by_map(struct flags *f, const struct hs_stage *before, const char *args, const char *sign, struct hs_err *err)
{
	char *what = hs_must_printf("%.*s", (int)(sign - args), args), *colon = strrchr(what, ':');
	const char *name = colon ? colon + 1 : what;
	double limit, *value = NULL;
	size_t n = 0;
	if (colon)
		*colon = 0;
	int verdict = hs_parse_real(sign + 1, &limit, err);
	if (verdict == 0 && !before->files)
		verdict = hs_fail(err, HS_BAD_DATA, "there is no file to take '%.60s' from", name);
	if (verdict == 0)
		verdict = before->files->map(before->files->ctx, colon ? what : NULL, name, &value, &n, err);
	if (verdict == 0 && n != f->n_pix)
		verdict = hs_fail(err, HS_BAD_DATA, "'%.60s' has %zu values for %zu pixels", name, n, f->n_pix);
	for (size_t i = 0; verdict == 0 && i < n; i++)
		if (*sign == '>' ? value[i] > limit : value[i] < limit)
			f->mask[i] |= HS_MASK_EXCLUDED;
	free(value);
	free(what);
	return verdict;
}

/* ------------------------------------------------------------------ the operation */

static int by_word(struct flags *f, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const char *rest;
	char *word = hs_op_word(args, &rest);
	const int how = hs_word_index(WORDS, word);
	double low = how == HOT ? 10 : NAN, high = NAN;
	int verdict = 0;
	if (how < 0)
		verdict = hs_fail(err, HS_USAGE, "'%.60s' is none of " WORDS ", and not NAME>V or NAME<V", args);
	else if (how == RANGE)
		verdict = rest ? hs_op_range(rest, before->signal.units, &low, &high, err) :
			hs_fail(err, HS_USAGE, "a range is range:LO:HI");
	else if (rest && how == DEAD)
		verdict = hs_fail(err, HS_USAGE, "dead takes no number");
	else if (rest && how == HOT)
		verdict = hs_op_positive(hs_must_dup(rest), "the factor", "1", &low, err);
	else if (rest)
		verdict = hs_parse_quantity(rest, before->signal.units, &low, err);
	free(word);
	return verdict < 0 ? -1 : by_values(f, before, (enum how)how, low, high, err);
}

static int open_mask(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	struct flags *f = hs_must_alloc(1, sizeof *f);
	const char *sign = args + strcspn(args, "<>");
	size_t n = 0;
	hs_stage_begin(stage, before, f, release);
	f->n_pix = before->n_pix;
	if (!(f->mask = hs_alloc(f->n_pix, 1, err)))
		return -1;
	if ((*sign ? by_map(f, before, args, sign, err) : by_word(f, before, args, err)) < 0)
		return -1;
	for (size_t i = 0; i < f->n_pix; i++)
		n += f->mask[i] != 0;
	if (hs_signal_nav_rank(&stage->signal) && n) {
		stage->signal.mask = stage->signal.mask ? stage->signal.mask : hs_must_alloc(f->n_pix, 1);
		for (size_t i = 0; i < f->n_pix; i++)
			stage->signal.mask[i] |= f->mask[i];
	}
	stage->said = hs_must_printf("%zu of %zu pixels", n, f->n_pix);
	with_flags(stage, before, f);
	return 0;
}

const struct hs_op hs_op_mask = { .name = "exclude", .metavar = "WHAT",
	.help = "mask pixels: range:LO:HI|dead|hot|saturated|[FILE:]NAME>V", .open = open_mask };
