/* A background that follows a law in a window before an edge, extrapolated and subtracted.
 *
 * A power law A E^-r is exp(a - r ln E) and an exponential exp(a - r E): for counts the likelihood is largest where the sum of
 * the law over the window is the sum of the counts, and the mean place of the law the mean place of the counts. So r solves one
 * equation whose left side falls with r: Newton's steps within a bracket. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "prep/op.h"

enum how { POWERLAW, EXPONENTIAL, LINE };
#define WORDS "powerlaw|exponential|line"
enum { MOST_STEPS = 100 };

struct law {
	enum how how;
	size_t n, first, last;        /* channels; of the window */
	double *place;                /* n: ln E or E, from the middle of the window, in half windows; -1 .. 1 inside */
	double low;                   /* smallest r */
};

static void release(void *state)
{
	struct law *l = state;
	free(l->place);
	free(l);
}

/* Beyond this r over a half window the law falls by e^60 inside: as good as infinite. */
#define STEEPEST 30.0

/* The r for which the mean place under exp(-r place) is m. */
static double steepness(const struct law *l, double m)
{
	double low = l->low, high = STEEPEST, r = fmax(0, low);
	for (int step = 0; step < MOST_STEPS; step++) {
		double sum = 0, first = 0, second = 0;
		for (size_t i = l->first; i <= l->last; i++) {
			/* divided by what is largest */
			const double x = l->place[i], w = exp(-r * x - fabs(r));
			sum += w;
			first += w * x;
			second += w * x * x;
		}
		const double mean = first / sum, variance = second / sum - mean * mean, was = r;
		if (mean > m)
			low = r;
		else
			high = r;
		r += (mean - m) / variance;
		if (!(r >= low && r <= high))
			r = low + (high - low) / 2;
		if (fabs(r - was) <= 1e-13 * (1 + fabs(r)))
			break;
	}
	return r;
}

/* Nothing is subtracted where the window holds nothing, or less. */
static void extrapolate(const struct law *l, const double *y, double *b)
{
	double sum = 0, moment = 0, total = 0;
	for (size_t i = l->first; i <= l->last; i++) {
		sum += y[i];
		moment += y[i] * l->place[i];
	}
	const double r = sum > 0 ? steepness(l, moment / sum) : 0;
	for (size_t i = l->first; i <= l->last; i++)
		total += exp(-r * l->place[i]);
	for (size_t i = 0; i < l->n; i++)
		b[i] = sum > 0 ? sum * (exp(-r * l->place[i]) / total) : 0;
}

static void straight(const struct law *l, const double *y, double *b)
{
	const double count = (double)(l->last - l->first + 1);
	double mean = 0, middle = 0, xy = 0, xx = 0;
	for (size_t i = l->first; i <= l->last; i++) {
		mean += y[i] / count;
		middle += l->place[i] / count;
	}
	for (size_t i = l->first; i <= l->last; i++) {
		xy += (l->place[i] - middle) * (y[i] - mean);
		xx += (l->place[i] - middle) * (l->place[i] - middle);
	}
	for (size_t i = 0; i < l->n; i++)
		b[i] = mean + xy / xx * (l->place[i] - middle);
}

static bool subtract(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct law *l = state;
	(void)pixel;
	if (l->how == LINE)
		straight(l, in, scratch);
	else
		extrapolate(l, in, scratch);
	for (size_t i = 0; i < l->n; i++)
		out[i] = isnan(l->place[i]) ? 0 : in[i] - scratch[i];
	return true;
}

/* A power law is for what comes behind the window: before it, where it grows without limit, the result is 0. */
static int set_places(struct law *l, const struct hs_axis *axis, struct hs_err *err)
{
	const double *x = axis->value, low = fmin(x[l->first], x[l->last]), high = fmax(x[l->first], x[l->last]);
	const bool power = l->how == POWERLAW;
	if (l->last == l->first)
		return hs_fail(err, HS_USAGE, "the window holds one channel: at least two are needed");
	if (power && !(low > 0))
		return hs_fail(err, HS_BAD_DATA, "a power law needs a window above 0, and this one begins at %g %s", low, axis->units);
	const double a = power ? log(low) : low, z = power ? log(high) : high;
	if (!(l->place = hs_alloc(l->n, sizeof *l->place, err)))
		return -1;
	for (size_t i = 0; i < l->n; i++)
		l->place[i] = power && x[i] < low ? (double)NAN : ((power ? log(x[i]) : x[i]) - (a + z) / 2) / ((z - a) / 2);
	return 0;
}

static int open_background(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	const char *window;
	if (hs_op_spectrum(before, "a background", &axis, err) < 0)
		return -1;
	char *word = hs_op_word(args, &window);
	const int how = hs_word_index(WORDS, word);
	struct law *l = hs_must_alloc(1, sizeof *l);
	*l = (struct law){ .how = (enum how)how, .n = before->n_chan, .low = how == POWERLAW ? 0 : -STEEPEST };
	hs_stage_begin(stage, before, l, release);
	int verdict = how >= 0 && window ? hs_op_window(axis, window, &l->first, &l->last, err) :
		hs_fail(err, HS_USAGE, "'%.60s' is none of powerlaw:LO:HI, exponential:LO:HI and line:LO:HI", args);
	free(word);
	if (verdict < 0 || set_places(l, axis, err) < 0)
		return -1;
	return hs_stage_rows(stage, before, l->n, subtract, err);
}

const struct hs_op hs_op_background = { .name = "background", .metavar = "LAW:LO:HI",
	.help = "powerlaw, exponential or line, subtracted", .open = open_background };
