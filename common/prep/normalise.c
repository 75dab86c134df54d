/* Every spectrum on one scale. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "prep/op.h"

enum how { AREA, VECTOR, RANGE, LARGEST, WINDOW };
#define WORDS "area|vector|range|max"

struct norm {
	enum how how;
	size_t n, first, last;        /* channels; WINDOW: those of the reference */
};

/* What the spectrum is divided by, after `shift` is subtracted. top is the power of two near its largest magnitude. */
static double scale_of(const struct norm *w, const double *in, double top, double *shift)
{
	double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
	for (size_t i = w->first; i <= w->last; i++) {
		const double v = in[i] / top;
		sum += v;
		squares += v * v;
		low = fmin(low, v);
		high = fmax(high, v);
	}
	*shift = w->how == RANGE ? low : 0;
	switch (w->how) {
	case AREA: return sum;
	case VECTOR: return sqrt(squares);
	case RANGE: return high - low;
	case LARGEST: return high;
	case WINDOW: return sum / (double)(w->last - w->first + 1);
	}
	return NAN;
}

/* An empty or flat spectrum has no scale. */
static bool normalise(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct norm *w = state;
	double most = 0, shift;
	int power;
	(void)pixel, (void)scratch;
	for (size_t i = 0; i < w->n; i++)
		most = fmax(most, fabs(in[i]));
	frexp(most, &power);
	const double top = ldexp(1, power - 1), by = most > 0 ? scale_of(w, in, top, &shift) : 0;
	if (!(by > 0))
		return false;
	for (size_t i = 0; i < w->n; i++)
		out[i] = (in[i] / top - shift) / by;
	return true;
}

static int open_normalise(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	const int word = hs_word_index(WORDS, args);
	struct norm *w = hs_must_alloc(1, sizeof *w);
	*w = (struct norm){ word < 0 ? WINDOW : (enum how)word, before->n_chan, 0, before->n_chan - 1 };
	hs_stage_begin(stage, before, w, free);
	if (word < 0 && !strchr(args, ':'))
		return hs_fail(err, HS_USAGE, "'%.60s' is none of " WORDS " and no window LO:HI", args);
	if (word < 0 && (hs_op_spectrum(before, "a window", &axis, err) < 0 || hs_op_window(axis, args, &w->first, &w->last, err) < 0))
		return -1;
	hs_signal_set(&stage->signal.units, "1");
	return hs_stage_rows(stage, before, 0, normalise, err);
}

const struct hs_op hs_op_normalise = { .name = "normalise", .metavar = "WORD", .help = "by " WORDS ", or by the mean of LO:HI",
	.open = open_normalise };
