/* Values kept within limits. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "prep/op.h"

struct limits {
	size_t n;
	double low, high;
};

static bool clip(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct limits *l = state;
	(void)pixel, (void)scratch;
	for (size_t i = 0; i < l->n; i++)
		out[i] = in[i] < l->low ? l->low : in[i] > l->high ? l->high : in[i];
	return true;
}

static int open_clip(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	struct limits *l = hs_must_alloc(1, sizeof *l);
	l->n = before->n_chan;
	hs_stage_begin(stage, before, l, free);
	if (hs_op_range(args, before->signal.units, &l->low, &l->high, err) < 0)
		return -1;
	return hs_stage_rows(stage, before, 0, clip, err);
}

const struct hs_op hs_op_clip = { .name = "clip", .metavar = "LO:HI", .help = "values outside become the nearer limit",
	.open = open_clip };
