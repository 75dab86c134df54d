/* Each spectrum smoothed, along its channels. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "math/whittaker.h"
#include "prep/op.h"
#include "prep/weights.h"

struct penalty {
	size_t n;
	double lambda;
};

static void release(void *state)
{
	hs_weights_release(state);
	free(state);
}

static bool whittaker(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct penalty *p = state;
	(void)pixel;
	hs_whittaker(p->n, p->lambda, NULL, in, out, scratch);
	return true;
}

static int savgol(struct hs_weights *w, const struct hs_axis *axis, const char *args, struct hs_err *err)
{
	size_t width, order;
	if (hs_op_count(hs_op_part(args, 0), "the window", 1, axis->n, &width, err) < 0)
		return -1;
	if (width % 2 == 0)
		return hs_fail(err, HS_USAGE, "a window of %zu channels has no middle: take an odd number", width);
	if (hs_op_count(hs_op_part(args, 1), "the order", 0, width - 1 < 10 ? width - 1 : 10, &order, err) < 0)
		return -1;
	return hs_weights_local(w, axis, width, order, 0, err);
}

static int open_smooth(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	const char *rest;
	double v;
	if (hs_op_spectrum(before, "smoothing", &axis, err) < 0)
		return -1;
	char *word = hs_op_word(args, &rest);
	int verdict;
	if (!strcmp(word, "savgol") || !strcmp(word, "gaussian")) {
		struct hs_weights *w = hs_must_alloc(1, sizeof *w);
		hs_stage_begin(stage, before, w, release);
		if (!strcmp(word, "savgol"))
			verdict = savgol(w, axis, rest, err);
		else
			verdict = hs_op_positive(hs_op_part(rest, 0), "the width", axis->units, &v, err) < 0 ? -1 : hs_weights_gauss(w, axis, v, err);
		if (verdict == 0)
			verdict = hs_stage_rows(stage, before, 0, hs_weights_row, err);
	} else if (!strcmp(word, "whittaker")) {
		struct penalty *p = hs_must_alloc(1, sizeof *p);
		hs_stage_begin(stage, before, p, free);
		p->n = before->n_chan;
		verdict = hs_op_positive(hs_op_part(rest, 0), "lambda", "1", &p->lambda, err);
		if (verdict == 0)
			verdict = hs_stage_rows(stage, before, HS_WHITTAKER_SCRATCH * p->n, whittaker, err);
	} else {
		verdict = hs_fail(err, HS_USAGE, "'%.60s' is none of savgol:WINDOW,ORDER, gaussian:FWHM and whittaker:LAMBDA", args);
	}
	free(word);
	return verdict;
}

const struct hs_op hs_op_smooth = { .name = "smooth", .metavar = "HOW",
	.help = "savgol:WINDOW,ORDER gaussian:FWHM whittaker:LAMBDA",
	.open = open_smooth };
