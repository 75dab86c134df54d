/* Spikes taken out: cosmic rays, flashes, single bits. A spike is one value (up to three channels wide) that all around it speak
 * against: the channels beside it in its own spectrum, and the same channel of the eight pixels around. So a narrow line stays,
 * for the neighbours have it as well, and so does a bright pixel, for its other channels are as bright.
 *
 * How far is too far: T standard deviations of what is usual - the spread (median absolute deviation) of the same spectrum within
 * NEAR channels, that of the pixels around, and not less than shot noise where the values are counts (all of them whole and not
 * negative): T sqrt(m) + T^2 / 4 above m, which is T in units in which counts have an even spread (Anscombe, Biometrika 35, 1948,
 * 246); elsewhere than the median spread of up to SAMPLE spectra. A spike becomes the median of its witnesses.
 *
 * Images (fewer than four channels) have the pixels around alone as witnesses, a lone spectrum its channels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "math/par.h"
#include "math/vector.h"
#include "prep/op.h"

enum { BESIDE = 3, NEAR = 16, AROUND = 8, SAMPLE = 4096 };

struct judge {
	double times;                 /* T */
	bool counts;
	double usual;                 /* spread of a value, from the pass before; 0 when not known */
	size_t *n_found;              /* all threads add to it */
};

static void release(void *state)
{
	struct judge *j = state;
	free(j->n_found);
	free(j);
}

/* Median of few values, which are put in order. */
static double median(double *x, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const double v = x[i];
		size_t k = i;
		for (; k && x[k - 1] > v; k--)
			x[k] = x[k - 1];
		x[k] = v;
	}
	return !n ? NAN : n % 2 ? x[n / 2] : x[n / 2 - 1] / 2 + x[n / 2] / 2;
}

/* 1.4826 x the median distance from the middle; values are replaced. */
static double spread(double *x, size_t n, double middle)
{
	for (size_t i = 0; i < n; i++)
		x[i] = fabs(x[i] - middle);
	return n ? 1.4826 * median(x, n) : 0;
}

static size_t beside(const double *x, size_t n_chan, size_t c, double *witness)
{
	size_t n = 0;
	for (size_t k = c > BESIDE ? c - BESIDE : 0; k < n_chan && k <= c + BESIDE; k++)
		if (k != c)
			witness[n++] = x[k];
	return n;
}

static double off_beside(const double *x, size_t n_chan, size_t c)
{
	double witness[2 * BESIDE];
	const size_t n = beside(x, n_chan, c, witness);
	return x[c] - median(witness, n);
}

/* ------------------------------------------------------------------ what is usual */

struct survey {
	size_t every;                 /* of so many rows one is looked at closely */
	double *spread;               /* of those */
	bool *whole;                  /* one a thread: only counts so far */
	double *bench;                /* threads x 2 n_chan */
};

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int look_at(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct survey *s = ctx;
	double *x = s->bench + 2 * (size_t)thread * b->n_chan, *off = x + b->n_chan;
	(void)err;
	for (size_t i = 0; i < b->n_rows; i++) {
		const size_t row = b->first_row + i;
		if (row % s->every == 0)
			s->spread[row / s->every] = NAN;
		if (b->skip[i])
			continue;
		hs_block_row(b, i, false, x);
		for (size_t c = 0; s->whole[thread] && c < b->n_chan; c++)
			s->whole[thread] = x[c] >= 0 && x[c] == floor(x[c]);
		if (row % s->every || b->n_chan <= BESIDE)
			continue;
		for (size_t c = 0; c < b->n_chan; c++)
			off[c] = fabs(off_beside(x, b->n_chan, c));
		qsort(off, b->n_chan, sizeof *off, ascending);
		s->spread[row / s->every] = 1.4826 * off[b->n_chan / 2];
	}
	return 0;
}

static int find_usual(struct judge *j, const struct hs_stage *before, struct hs_err *err)
{
	const size_t threads = (size_t)hs_par_threads(), every = before->n_pix / SAMPLE + 1,
		n_rows = (before->n_pix + every - 1) / every;
	struct survey s = { .every = every };
	int verdict = -1;
	size_t n = 0;
	if ((s.spread = hs_alloc(n_rows, sizeof(double), err)) && (s.whole = hs_alloc(threads, sizeof *s.whole, err)) &&
		(s.bench = hs_alloc(threads, 2 * before->n_chan * sizeof(double), err))) {
		memset(s.whole, 1, threads);
		verdict = hs_rows_each(before->source, "despike: noise", look_at, &s, err);
	}
	j->counts = true;
	for (size_t t = 0; verdict == 0 && t < threads; t++)
		j->counts &= s.whole[t];
	for (size_t i = 0; verdict == 0 && i < n_rows; i++)
		if (isfinite(s.spread[i]))
			s.spread[n++] = s.spread[i];
	if (verdict == 0 && n)
		qsort(s.spread, n, sizeof(double), ascending);
	j->usual = n ? s.spread[n / 2] : 0;
	free(s.spread);
	free(s.whole);
	free(s.bench);
	return verdict;
}

/* ------------------------------------------------------------------ one line */

struct place {
	const struct hs_lines *l;
	const double *sum;            /* of each pixel of the lines around: 3 x n_x */
	size_t x, c;
};

/* The same channel of the pixels around, as it would be here: what a neighbour has above its own channels beside, above the
 * channels beside here. A brighter pixel may have more of that, in the ratio of the sums, or the same; what speaks less against
 * the value counts. */
static size_t around(const struct place *p, double *witness)
{
	const struct hs_lines *l = p->l;
	const bool spectra = l->n_chan > BESIDE;
	const double own = p->sum[l->n_x + p->x], value = l->line[1][p->x * l->n_chan + p->c],
		     base = spectra ? value - off_beside(l->line[1] + p->x * l->n_chan, l->n_chan, p->c) : 0;
	size_t n = 0;
	for (size_t k = 0; k < 3; k++)
		for (size_t x = p->x ? p->x - 1 : 0; l->line[k] && x < l->n_x && x <= p->x + 1; x++) {
			if (l->skip[k][x] || (k == 1 && x == p->x))
				continue;
			const double *other = l->line[k] + x * l->n_chan, sum = p->sum[k * l->n_x + x],
				     by = own > 0 && sum > 0 ? fmax(0.1, fmin(10, own / sum)) : 1, off = spectra ? off_beside(other, l->n_chan, p->c) : 0,
				     same = base + off, more = base + by * off;
			witness[n++] = spectra ? fmax(fmin(same, more), fmin(value, fmax(same, more))) : other[p->c];
		}
	return n;
}

static bool stands_out(const struct judge *j, double value, double middle, double scale)
{
	const double floor_scale = fmax(scale, j->counts ? 0 : j->usual), m = fmax(middle, 0), off = fabs(value - middle),
		     shot = j->counts ? j->times * sqrt(m) + j->times * j->times / 4 : 0;
	return off > j->times * floor_scale && off > shot && off > 1e-12 * (fabs(value) + fabs(middle));
}

/* The spread of the spectrum about its running median, near a channel. */
static double spread_near(const double *x, size_t n_chan, size_t c)
{
	double off[2 * NEAR];
	size_t n = 0;
	for (size_t k = c > NEAR ? c - NEAR : 0; k < n_chan && k <= c + NEAR && n < 2 * NEAR; k++)
		if (k != c)
			off[n++] = off_beside(x, n_chan, k);
	return spread(off, n, 0);
}

/* NAN for no spike, else what should be there. usual: for images, the spread in this line. */
static double verdict_on(const struct judge *j, const struct place *p, double usual)
{
	double all[AROUND + 2 * BESIDE], witness[AROUND];
	const size_t n_chan = p->l->n_chan;
	const double *x = p->l->line[1] + p->x * n_chan, value = x[p->c];
	const bool spectra = n_chan > BESIDE;
	size_t n_beside = 0;
	if (spectra) {
		n_beside = beside(x, n_chan, p->c, all);
		const double middle = median(all, n_beside);
		if (!stands_out(j, value, middle, 0) || !stands_out(j, value, middle, spread_near(x, n_chan, p->c)))
			return NAN;
	}
	const size_t n = around(p, witness);
	if (n < 2 && !spectra)
		return NAN;
	memcpy(all + n_beside, witness, n * sizeof *witness);
	if (n >= 2) {
		const double middle = median(witness, n);
		if (!stands_out(j, value, middle, fmax(usual, spread(witness, n, middle))))
			return NAN;
	}
	return median(all, n_beside + n);
}

/* Images: how far pixels usually are from those around. */
static double usual_in_line(const struct hs_lines *l, const double *sum, double *off)
{
	size_t n = 0;
	for (size_t x = 0; x < l->n_x; x++)
		for (size_t c = 0; c < l->n_chan && !l->skip[1][x]; c++) {
			const struct place p = { l, sum, x, c };
			double witness[AROUND];
			const size_t m = around(&p, witness);
			if (m >= 2)
				off[n++] = fabs(l->line[1][x * l->n_chan + c] - median(witness, m));
		}
	qsort(off, n, sizeof *off, ascending);
	return n ? 1.4826 * off[n / 2] : 0;
}

/* scratch: 3 n_x, then n_x n_chan for images */
static void despike_line(const void *state, const struct hs_lines *l, double *out, uint8_t *out_skip, double *scratch)
{
	const struct judge *j = state;
	double *sum = scratch;
	size_t found = 0;
	for (size_t k = 0; k < 3; k++)
		for (size_t x = 0; l->line[k] && x < l->n_x; x++) {
			sum[k * l->n_x + x] = 0;
			for (size_t c = 0; c < l->n_chan; c++)
				sum[k * l->n_x + x] += l->line[k][x * l->n_chan + c];
		}
	memcpy(out, l->line[1], l->n_x * l->n_chan * sizeof *out);
	const double usual = l->n_chan > BESIDE ? 0 : usual_in_line(l, sum, scratch + 3 * l->n_x);
	for (size_t x = 0; x < l->n_x; x++)
		for (size_t c = 0; c < l->n_chan && !out_skip[x]; c++) {
			const struct place p = { l, sum, x, c };
			const double better = verdict_on(j, &p, usual);
			if (!isfinite(better))
				continue;
			out[x * l->n_chan + c] = better;
			found++;
		}
#pragma omp atomic
	*j->n_found += found;
}

/* ------------------------------------------------------------------ the operation */

/* One pass for the count alone. */
static int count(struct hs_stage *stage, struct judge *j, struct hs_err *err)
{
	struct hs_batch b = { .n_blocks = 1 };
	if (stage->source->rewind(stage->source, err) < 0)
		return -1;
	while (b.n_blocks)
		if (stage->source->next(stage->source, &b, err) < 0)
			return -1;
	stage->said = hs_must_printf("%zu spikes in %zu x %zu values%s", *j->n_found, stage->n_pix, stage->n_chan,
		j->counts ? ", taken for counts" : "");
	return 0;
}

static int open_despike(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	struct judge *j = hs_must_alloc(1, sizeof *j);
	const struct hs_signal *s = &before->signal;
	const size_t nav = hs_signal_nav_rank(s), n_x = nav ? s->axis[nav - 1].n : 1;
	hs_stage_begin(stage, before, j, release);
	j->n_found = hs_must_alloc(1, sizeof *j->n_found);
	if (hs_op_positive(hs_must_dup(args), "the threshold", "1", &j->times, err) < 0 || find_usual(j, before, err) < 0 ||
		hs_stage_lines(stage, before, 1, n_x * (3 + (before->n_chan > BESIDE ? 0 : before->n_chan)), despike_line, err) < 0)
		return -1;
	return count(stage, j, err);
}

const struct hs_op hs_op_despike = { .name = "despike", .metavar = "T",
	.help = "replace spikes T standard deviations from all around them (6)", .open = open_despike };
