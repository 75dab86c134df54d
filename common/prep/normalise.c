/* Every spectrum on one scale. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "prep/op.h"

enum how { AREA, VECTOR, RANGE, LARGEST };
#define WORDS "area|vector|range|max"

struct norm {
	enum how how;
	size_t n;
};

static bool normalise(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct norm *w = state;
	double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
	(void)pixel, (void)scratch;
	for (size_t i = 0; i < w->n; i++) {
		sum += in[i];
		squares += in[i] * in[i];
		low = fmin(low, in[i]);
		high = fmax(high, in[i]);
	}
	const double shift = w->how == RANGE ? low : 0,
		     by = w->how == AREA ? sum : w->how == VECTOR ? sqrt(squares) : w->how == RANGE ? high - low : high;
	if (!(by > 0))
		return false;                 /* an empty or flat spectrum has no scale */
	for (size_t i = 0; i < w->n; i++)
		out[i] = (in[i] - shift) / by;
	return true;
}

static int open_normalise(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const int how = hs_word_index(WORDS, args);
	if (how < 0)
		return hs_fail(err, HS_USAGE, "'%.60s' is none of " WORDS, args);
	struct norm *w = hs_must_alloc(1, sizeof *w);
	*w = (struct norm){ (enum how)how, before->n_chan };
	hs_stage_begin(stage, before, w, free);
	hs_signal_set(&stage->signal.units, "1");
	return hs_stage_rows(stage, before, 0, normalise, err);
}

const struct hs_op hs_op_normalise = { .name = "normalise", .metavar = "WORD", .help = "each spectrum by its " WORDS,
	.open = open_normalise };
