/* Neighbours added up, along one axis. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "prep/cut.h"
#include "prep/op.h"

struct groups {
	size_t n, step;
	size_t *from;                 /* n x step */
};

static void release(void *state)
{
	struct groups *g = state;
	free(g->from);
	free(g);
}

static bool add_up(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct groups *g = state;
	(void)pixel, (void)scratch;
	for (size_t i = 0; i < g->n; i++) {
		out[i] = 0;
		for (size_t k = 0; k < g->step; k++)
			out[i] += in[g->from[i * g->step + k]];
	}
	return true;
}

/* "AXIS=N" */
static int parse(const struct hs_signal *s, const char *args, struct hs_cut *cut, struct hs_err *err)
{
	const char *equals = strchr(args, '=');
	uint64_t step;
	if (!equals)
		return hs_fail(err, HS_USAGE, "'%.60s' is not AXIS=N", args);
	char *name = hs_must_printf("%.*s:", (int)(equals - args), args);
	name[equals - args] = '=';
	char *all = hs_must_printf("%s:", name);
	size_t first, last;
	int verdict = hs_op_span(s, all, &cut->dim, &first, &last, err);
	free(name);
	free(all);
	if (verdict < 0 || hs_parse_count(equals + 1, &step, err) < 0)
		return -1;
	if (!step || step > s->axis[cut->dim].n)
		return hs_fail(err, HS_USAGE, "groups of %llu do not fit %s, which has %zu", (unsigned long long)step, s->axis[cut->dim].name,
			s->axis[cut->dim].n);
	cut->step = (size_t)step;
	cut->n = s->axis[cut->dim].n / cut->step;
	return 0;
}

static int open_bin(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	struct hs_cut cut = { 0 };
	if (parse(&before->signal, args, &cut, err) < 0)
		return -1;
	if (cut.dim < hs_signal_nav_rank(&before->signal)) {
		hs_stage_begin(stage, before, NULL, NULL);
		size_t *to = hs_cut_pixels(&stage->signal, &cut, err);
		return to ? hs_stage_gather(stage, before, to, false, err) : -1;
	}
	struct groups *g = hs_must_alloc(1, sizeof *g);
	hs_stage_begin(stage, before, g, release);
	g->step = cut.step;
	g->from = hs_cut_channels(&stage->signal, &cut, &g->n, err);
	return g->from ? hs_stage_rows(stage, before, 0, add_up, err) : -1;
}

const struct hs_op hs_op_bin = { .name = "bin", .metavar = "AXIS=N", .help = "add up groups of N neighbours, energy=4",
	.open = open_bin };
