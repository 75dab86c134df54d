/* Every spectrum laid onto the same energy scale.
 *
 *	peak   the highest peak, its top a parabola through the logarithms of the counts (the zero-loss peak): exact for a Gaussian
 *	mean   what fits the mean spectrum best (math/phase.h on one line), twice: the second mean is sharper
 *	drift  for poor spectra, where the scale drifts while the scan goes on (drift.h)
 *
 * The lags are relative to their median. Channels that not all spectra reach are cut off, so that every value is a measured
 * one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "math/par.h"
#include "math/phase.h"
#include "math/vector.h"
#include "prep/drift.h"
#include "prep/lag.h"
#include "prep/op.h"

enum how { PEAK, MEAN, DRIFT };
#define WORDS "peak|mean|drift"

struct align {
	size_t n_pix, n_chan;
	size_t first, last;           /* window, channels */
	double *lag;                  /* n_pix, NaN: not found */
	double *sigma;                /* n_pix, drift alone */
	size_t from, n;               /* channels that are left */
	size_t n_lost;
	double spread;                /* root mean square of the lags */
	struct hs_found found[2];
};

static void release(void *state)
{
	struct align *a = state;
	for (size_t i = 0; i < 2; i++) {
		hs_signal_release(&a->found[i].signal);
		free(a->found[i].value);
	}
	free(a->lag);
	free(a->sigma);
	free(a);
}

/* ------------------------------------------------------------------ the highest peak */

/* Least squares of log x = a + b t + c t^2 over channels low .. high, weights x: that is what counting noise asks for (the
 * variance of log x is 1/x). t from channel i. The top, NAN when there is none among them. */
static double parabola(const double *x, size_t low, size_t high, size_t i)
{
	double s[5] = { 0 }, r[3] = { 0 };
	for (size_t k = low; k <= high; k++) {
		if (!(x[k] > 0))
			continue;
		const double t = (double)k - (double)i, w = x[k] / x[i], y = log(w);
		double power = w;
		for (int m = 0; m < 5; m++, power *= t) {
			s[m] += power;
			if (m < 3)
				r[m] += power * y;
		}
	}
	/* Cramer's rule for b and c, times the same determinant */
	const double b = s[0] * (r[1] * s[4] - s[3] * r[2]) - r[0] * (s[1] * s[4] - s[3] * s[2]) + s[2] * (s[1] * r[2] - r[1] * s[2]),
		     c = s[0] * (s[2] * r[2] - r[1] * s[3]) - s[1] * (s[1] * r[2] - r[1] * s[2]) + r[0] * (s[1] * s[3] - s[2] * s[2]),
		     top = (double)i - b / (2 * c);
	return high > low + 1 && c < 0 && top >= (double)low && top <= (double)high ? top : NAN;
}

/* First over the channels above half of the highest; where those end is up to noise, so then over as many around the top
 * found. */
static double top_of_peak(const double *x, size_t first, size_t last)
{
	size_t i = first;
	for (size_t k = first; k <= last; k++)
		i = x[k] > x[i] ? k : i;
	if (!(x[i] > 0))
		return NAN;
	size_t low = i, high = i;
	while (low > first && (x[low - 1] > x[i] / 2 || i - low < 1))
		low--;
	while (high < last && (x[high + 1] > x[i] / 2 || high - i < 1))
		high++;
	const double half = 0.5 * (double)(high - low);
	double top = parabola(x, low, high, i);
	for (int round = 0; round < 5 && isfinite(top); round++) {
		low = (size_t)fmax((double)first, ceil(top - half));
		high = (size_t)fmin((double)last, floor(top + half));
		const double next = high > low + 1 ? parabola(x, low, high, i) : NAN;
		if (!isfinite(next) || next == top)
			break;
		top = next;
	}
	return isfinite(top) ? top : (double)i;
}

static int find_tops(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct align *a = ctx;
	double *x = hs_alloc(a->n_chan, sizeof *x, err);
	(void)thread;
	for (size_t i = 0; x && i < b->n_rows; i++) {
		a->lag[b->first_row + i] = NAN;
		if (!b->skip[i]) {
			hs_block_row(b, i, false, x);
			a->lag[b->first_row + i] = top_of_peak(x, a->first, a->last);
		}
	}
	free(x);
	return x ? 0 : -1;
}

/* ------------------------------------------------------------------ the mean spectrum */

struct likeness {
	struct align *align;
	size_t n;                     /* channels of the window */
	struct hs_phase *phase;       /* one a thread */
	double *bench;                /* threads x (n_chan + n) */
	double *mean;                 /* n */
	struct hs_tree *tree;
};

static double *window(const struct likeness *l, const struct hs_block *b, size_t i, int thread, double lag)
{
	const struct align *a = l->align;
	double *x = l->bench + (size_t)thread * (a->n_chan + l->n), *y = x + a->n_chan;
	hs_block_row(b, i, false, x);
	hs_lag_undo(x, a->n_chan, lag, a->first, l->n, y);
	return y;
}

static int add_rows(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct likeness *l = ctx;
	double *sum = hs_tree_borrow(l->tree, err);
	if (!sum)
		return -1;
	for (size_t i = 0; i < b->n_rows; i++)
		if (!b->skip[i] && isfinite(l->align->lag[b->first_row + i]))
			hs_add(sum, window(l, b, i, thread, l->align->lag[b->first_row + i]), l->n);
	hs_tree_put(l->tree, b->index, sum);
	return 0;
}

static int compare_rows(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct likeness *l = ctx;
	(void)err;
	for (size_t i = 0; i < b->n_rows; i++) {
		double shift[2], *lag = &l->align->lag[b->first_row + i];
		*lag = NAN;
		if (!b->skip[i] && hs_phase_shift(&l->phase[thread], l->mean, window(l, b, i, thread, 0), shift) > 0)
			*lag = shift[1];
	}
	return 0;
}

static int find_mean(struct likeness *l, struct hs_rowsource *rows, struct hs_err *err)
{
	double *sum = NULL;
	l->tree = hs_tree_new(l->n * sizeof(double), hs_merge_sums, &l->n, err);
	if (l->tree && hs_rows_each(rows, "align: mean", add_rows, l, err) == 0 && (sum = hs_tree_root(l->tree, err)))
		memcpy(l->mean, sum, l->n * sizeof *sum);
	hs_tree_free(l->tree);
	return sum ? 0 : -1;
}

/* What can not be compared, or is a quarter of the window away, is none of this kind. */
static void drop_far(struct align *a, double most, double *sorted)
{
	const double middle = hs_lag_median(a->lag, a->n_pix, sorted);
	for (size_t i = 0; i < a->n_pix; i++)
		a->lag[i] = fabs(a->lag[i] - middle) <= most ? a->lag[i] - middle : NAN;
}

static int by_mean(struct align *a, const struct hs_stage *before, double *sorted, struct hs_err *err)
{
	const size_t threads = (size_t)hs_par_threads();
	struct likeness l = { .align = a, .n = a->last - a->first + 1 };
	int verdict = (l.phase = hs_alloc(threads, sizeof *l.phase, err)) && (l.mean = hs_alloc(l.n, sizeof(double), err)) &&
		(l.bench = hs_alloc(threads, (a->n_chan + l.n) * sizeof(double), err)) ? 0 : -1;
	for (size_t t = 0; verdict == 0 && t < threads; t++)
		verdict = hs_phase_init(&l.phase[t], 1, l.n, err);
	for (int round = 0; verdict == 0 && round < 2; round++) {
		if (find_mean(&l, before->source, err) < 0 || hs_rows_each(before->source, "align", compare_rows, &l, err) < 0)
			verdict = -1;
		else
			drop_far(a, (double)l.n / 4, sorted);
	}
	for (size_t t = 0; l.phase && t < threads; t++)
		hs_phase_release(&l.phase[t]);
	free(l.phase);
	free(l.mean);
	free(l.bench);
	return verdict;
}

/* ------------------------------------------------------------------ the operation */

static bool move(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct align *a = state;
	(void)scratch;
	return hs_lag_undo(in, a->n_chan, a->lag[pixel], a->from, a->n, out);
}

static int find_lags(struct align *a, const struct hs_stage *before, enum how how, struct hs_err *err)
{
	double *sorted = hs_alloc(a->n_pix, sizeof *sorted, err);
	int verdict = sorted && (a->lag = hs_alloc(a->n_pix, sizeof *a->lag, err)) &&
		(how != DRIFT || (a->sigma = hs_alloc(a->n_pix, sizeof *a->sigma, err))) ? 0 : -1;
	if (verdict == 0)
		verdict = how == PEAK ? hs_rows_each(before->source, "align", find_tops, a, err) : how == MEAN ?
			by_mean(a, before, sorted, err) : hs_drift_find(before, a->first, a->last, a->lag, a->sigma, err);
	if (verdict == 0)
		drop_far(a, how == DRIFT ? INFINITY : (double)(a->last - a->first + 1) / 4, sorted);
	free(sorted);
	return verdict;
}

/* Which channels all spectra reach. */
static int find_range(struct align *a, struct hs_err *err)
{
	double low = 0, high = 0, squares = 0;
	size_t n = 0;
	for (size_t i = 0; i < a->n_pix; i++)
		if (isfinite(a->lag[i])) {
			low = fmin(low, a->lag[i]);
			high = fmax(high, a->lag[i]);
			squares += a->lag[i] * a->lag[i];
			n++;
		}
	a->n_lost = a->n_pix - n;
	a->spread = n ? sqrt(squares / (double)n) : 0;
	if (!n)
		return hs_fail(err, HS_BAD_DATA, "no spectrum has anything to be aligned by");
	if (!(ceil(-low) + ceil(high) < (double)a->n_chan / 2))
		return hs_fail(err, HS_BAD_DATA, "lags of %.1f to %.1f channels would leave less than half of %zu", low, high, a->n_chan);
	a->from = (size_t)ceil(-low);
	a->n = a->n_chan - a->from - (size_t)ceil(high);
	return 0;
}

/* Maps over the pixels, in the unit of the axis. */
static void keep_found(struct align *a, struct hs_stage *stage, const struct hs_stage *before, double step)
{
	const struct hs_signal *s = &before->signal;
	const size_t nav = hs_signal_nav_rank(s);
	stage->found = a->found;
	stage->n_found = a->sigma ? 2 : 1;
	for (size_t i = 0; i < stage->n_found; i++) {
		struct hs_found *f = &a->found[i];
		const double *from = i ? a->sigma : a->lag;
		hs_signal_init(&f->signal, i ? "shift_sigma" : "shift", i ? "standard deviation of the shift" : "shift", s->axis[nav].units,
			HS_F64);
		for (size_t d = 0; d < nav; d++)
			hs_signal_add_axis(&f->signal, hs_axis_dup(&s->axis[d]));
		if (!nav)
			hs_signal_add_axis(&f->signal, hs_axis_numbers("pixel", 1));
		hs_signal_shape_up(&f->signal, nav >= 2 ? 2 : 1);
		f->value = hs_must_alloc(a->n_pix, sizeof *f->value);
		for (size_t k = 0; k < a->n_pix; k++)
			f->value[k] = from[k] * step;
	}
}

static void cut_axis(struct hs_axis *axis, size_t from, size_t n)
{
	memmove(axis->value, axis->value + from, n * sizeof *axis->value);
	axis->n = n;
}

/* "WORD" or "WORD:LO:HI" */
static int parse(struct align *a, const struct hs_stage *before, const char *args, enum how *how, const struct hs_axis **axis,
	struct hs_err *err)
{
	const char *rest;
	char *word = hs_op_word(args, &rest);
	const int found = hs_word_index(WORDS, word);
	int verdict = found < 0 ? hs_fail(err, HS_USAGE, "'%.60s' is none of " WORDS, word) : hs_op_spectrum(before, "aligning", axis,
		err);
	*how = (enum how)found;
	if (verdict == 0 && !hs_axis_is_uniform(*axis))
		verdict = hs_fail(err, HS_BAD_DATA, "%s is not evenly spaced: resample first", (*axis)->name);
	a->first = 0;
	a->last = before->n_chan - 1;
	if (verdict == 0 && rest)
		verdict = hs_op_window(*axis, rest, &a->first, &a->last, err);
	if (verdict == 0 && a->last < a->first + 3)
		verdict = hs_fail(err, HS_BAD_DATA, "%zu channels are too few to align by", a->last - a->first + 1);
	free(word);
	return verdict;
}

static int open_align(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	struct align *a = hs_must_alloc(1, sizeof *a);
	const struct hs_axis *axis;
	enum how how;
	hs_stage_begin(stage, before, a, release);
	a->n_pix = before->n_pix;
	a->n_chan = before->n_chan;
	if (parse(a, before, args, &how, &axis, err) < 0 || find_lags(a, before, how, err) < 0 || find_range(a, err) < 0)
		return -1;
	const double step = hs_axis_step(axis);
	keep_found(a, stage, before, step);
	stage->bytes += a->n_pix * 3 * sizeof(double);
	const bool bare = !strcmp(axis->units, "1");
	stage->said = hs_must_printf("shifts of %.3g%s%s (root mean square); %zu spectra without", a->spread * step, bare ? "" : " ",
		bare ? "" : axis->units, a->n_lost);
	cut_axis(&stage->signal.axis[stage->signal.rank - 1], a->from, a->n);
	return hs_stage_rows(stage, before, 0, move, err);
}

const struct hs_op hs_op_align = { .name = "align", .metavar = "WORD[:LO:HI]",
	.help = "one energy scale for all spectra, by " WORDS ", seen in LO:HI", .open = open_align };
