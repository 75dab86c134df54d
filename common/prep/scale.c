/* Counts scaled so that their noise is even.
 *
 *	poisson    x / sqrt(g h), g the sum of the spectrum and h that of the channel over all spectra (Keenan, Kotula, Surf. Interface
 *	           Anal. 36 (2004) 203): linear, the rank stays
 *	anscombe   2 sqrt(x + 3/8) (Biometrika 35 (1948) 246): each value by itself; below 0 is taken for 0 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "math/vector.h"
#include "prep/op.h"

#define WORDS "poisson|anscombe"

struct scale {
	size_t n;
	double *channel;              /* n: 1 / sqrt(h), 0 for an empty channel */
};

static void release(void *state)
{
	struct scale *s = state;
	free(s->channel);
	free(s);
}

/* A spectrum that holds nothing, or less, becomes zero. */
static bool scale(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct scale *s = state;
	double g = 0;
	(void)pixel, (void)scratch;
	for (size_t i = 0; i < s->n; i++)
		g += in[i];
	const double by = g > 0 ? 1 / sqrt(g) : 0;
	for (size_t i = 0; i < s->n; i++)
		out[i] = in[i] * by * s->channel[i];
	return true;
}

static bool anscombe(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct scale *s = state;
	(void)pixel, (void)scratch;
	for (size_t i = 0; i < s->n; i++)
		out[i] = 2 * sqrt(fmax(in[i], 0) + 0.375);
	return true;
}

/* One pass, rows added in their order. */
static int add_channels(double *sum, struct hs_rowsource *rows, struct hs_err *err)
{
	struct hs_batch b = { .n_blocks = 1 };
	double *row = hs_alloc(rows->n_chan, sizeof *row, err);
	int verdict = row ? rows->rewind(rows, err) : -1;
	while (verdict == 0 && b.n_blocks) {
		verdict = rows->next(rows, &b, err);
		const struct hs_block block = { .n_rows = b.n_rows, .n_chan = rows->n_chan, .type = rows->type, .x = b.x, .skip = b.skip };
		for (size_t i = 0; verdict == 0 && b.n_blocks && i < b.n_rows; i++)
			if (!b.skip[i]) {
				hs_block_row(&block, i, false, row);
				hs_add(sum, row, rows->n_chan);
			}
	}
	free(row);
	return verdict;
}

static int open_scale(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	struct scale *s = hs_must_alloc(1, sizeof *s);
	const int word = hs_word_index(WORDS, args);
	s->n = before->n_chan;
	hs_stage_begin(stage, before, s, release);
	hs_signal_set(&stage->signal.units, "1");
	if (word != 0)
		return word < 0 ? hs_fail(err, HS_USAGE, "'%.60s' is none of " WORDS, args) : hs_stage_rows(stage, before, 0, anscombe, err);
	if (!(s->channel = hs_alloc(s->n, sizeof *s->channel, err)) || add_channels(s->channel, before->source, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		s->channel[i] = s->channel[i] > 0 ? 1 / sqrt(s->channel[i]) : 0;
	return hs_stage_rows(stage, before, 0, scale, err);
}

const struct hs_op hs_op_scale = { .name = "scale", .metavar = "WORD", .help = "counts to even noise, by " WORDS,
	.open = open_scale };
