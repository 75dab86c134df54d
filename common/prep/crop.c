/* A part of the cube, by the values of an axis. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "prep/cut.h"
#include "prep/op.h"

struct channels {
	size_t n;
	size_t *from;                 /* n: channel of the stage before */
};

static void release(void *state)
{
	struct channels *c = state;
	free(c->from);
	free(c);
}

static bool pick(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct channels *c = state;
	(void)pixel, (void)scratch;
	for (size_t i = 0; i < c->n; i++)
		out[i] = in[c->from[i]];
	return true;
}

static int open_crop(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	size_t dim, first, last;
	if (hs_op_span(&before->signal, args, &dim, &first, &last, err) < 0)
		return -1;
	const struct hs_cut cut = { .dim = dim, .first = first, .n = last - first + 1, .step = 1 };
	if (dim < hs_signal_nav_rank(&before->signal)) {
		hs_stage_begin(stage, before, NULL, NULL);
		size_t *to = hs_cut_pixels(&stage->signal, &cut, err);
		return to ? hs_stage_gather(stage, before, to, false, err) : -1;
	}
	struct channels *c = hs_must_alloc(1, sizeof *c);
	hs_stage_begin(stage, before, c, release);
	c->from = hs_cut_channels(&stage->signal, &cut, &c->n, err);
	return c->from ? hs_stage_rows(stage, before, 0, pick, err) : -1;
}

const struct hs_op hs_op_crop = { .name = "crop", .metavar = "AXIS=LO:HI", .help = "keep this part of an axis, x=10:40nm",
	.open = open_crop };
