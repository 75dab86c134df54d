/* Images made level, every channel on its own; what the instrument tilted, not what the sample shows.
 *
 *	plane   less the slopes of the plane of least squares
 *	lines   less what one line lies above the line before, as the median of the differences says (a slope along y goes with it)
 *	steps   the same only where the median jumps: more than six standard deviations of what it does elsewhere
 *
 * The mean level of an image stays. One pass finds planes or steps, images x channels x 3 or lines x channels numbers; pixels
 * that are left out say nothing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "math/moments.h"
#include "math/par.h"
#include "math/vector.h"
#include "prep/op.h"

enum how { PLANE, LINES, STEPS };
#define WORDS "plane|lines|steps"

struct level {
	enum how how;
	size_t n_x, n_y, n_images, n_chan;
	double *tilt;                 /* plane: images x 3 x channels: sum of z, then slope along y and x a pixel */
	double *centre;               /* plane: images x 6: n, sums of y, x, yy, yx, xx of good pixels */
	double *step;                 /* else: lines x channels */
};

static void release(void *state)
{
	struct level *v = state;
	free(v->tilt);
	free(v->centre);
	free(v->step);
	free(v);
}

/* Pixels from the middle of an image. */
static double from_middle(size_t i, size_t n)
{
	return (double)i - 0.5 * (double)(n - 1);
}

/* ------------------------------------------------------------------ planes */

/* The channels of a stretch add the rows of a wave in their order: sums do not depend on who does it. */
static int add_rows(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	struct level *v = ctx;
	enum { WIDTH = 64 };
	const size_t n = v->n_chan, n_stretches = (n + WIDTH - 1) / WIDTH;
	(void)err;
	for (size_t k = 0; k < n_blocks; k++) {
		const struct hs_block *b = &block[k];
		for (size_t i = 0; i < b->n_rows; i++) {
			const size_t p = b->first_row + i;
			const double y = from_middle(p / v->n_x % v->n_y, v->n_y), x = from_middle(p % v->n_x, v->n_x);
			const double add[6] = { 1, y, x, y * y, y * x, x * x };
			if (!b->skip[i])
				hs_add(v->centre + 6 * (p / v->n_x / v->n_y), add, 6);
		}
	}
#pragma omp parallel for schedule(static) num_threads(hs_par_threads())
	for (size_t s = 0; s < n_stretches; s++)
		for (size_t k = 0; k < n_blocks; k++)
			for (size_t i = 0; i < block[k].n_rows; i++) {
				const struct hs_block *b = &block[k];
				const size_t p = b->first_row + i;
				const double y = from_middle(p / v->n_x % v->n_y, v->n_y), x = from_middle(p % v->n_x, v->n_x);
				double *sum = v->tilt + p / v->n_x / v->n_y * 3 * n;
				for (size_t j = s * WIDTH; !b->skip[i] && j < n && j < (s + 1) * WIDTH; j++) {
					const double z = b->type == HS_ROW_F32 ? (double)((const float *)b->x)[i * n + j] :
						((const double *)b->x)[i * n + j];
					sum[j] += z;
					sum[n + j] += y * z;
					sum[2 * n + j] += x * z;
				}
			}
	return 0;
}

/* Sums become slopes: normal equations about the mean place. Without extent in a direction there is no slope along it. */
static void solve_planes(struct level *v)
{
	const size_t n = v->n_chan;
	for (size_t image = 0; image < v->n_images; image++) {
		double *c = v->centre + 6 * image, *sum = v->tilt + image * 3 * n;
		const double count = fmax(c[0], 1), my = c[1] / count, mx = c[2] / count, yy = c[3] - my * c[1], yx = c[4] - my * c[2],
			     xx = c[5] - mx * c[2], det = yy * xx - yx * yx;
		const bool both = det > 1e-9 * yy * xx;
		for (size_t j = 0; j < n; j++) {
			const double zy = sum[n + j] - my * sum[j], zx = sum[2 * n + j] - mx * sum[j];
			sum[n + j] = both ? (zy * xx - zx * yx) / det : yy > 0 && !(xx > 0) ? zy / yy : 0;
			sum[2 * n + j] = both ? (zx * yy - zy * yx) / det : xx > 0 && !(yy > 0) ? zx / xx : 0;
		}
		c[1] = my;
		c[2] = mx;
	}
}

static bool less_plane(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct level *v = state;
	const size_t n = v->n_chan, image = pixel / v->n_x / v->n_y;
	const double *tilt = v->tilt + image * 3 * n, *c = v->centre + 6 * image;
	const double y = from_middle(pixel / v->n_x % v->n_y, v->n_y) - c[1], x = from_middle(pixel % v->n_x, v->n_x) - c[2];
	(void)scratch;
	for (size_t j = 0; j < n; j++)
		out[j] = in[j] - y * tilt[n + j] - x * tilt[2 * n + j];
	return true;
}

static int find_planes(struct level *v, const struct hs_stage *before, struct hs_err *err)
{
	if (!(v->tilt = hs_alloc(v->n_images, 3 * v->n_chan * sizeof *v->tilt, err)) ||
		!(v->centre = hs_alloc(v->n_images, 6 * sizeof *v->centre, err)) ||
		hs_waves_each(before->source, "flatten", (size_t)hs_par_threads(), add_rows, v, err) < 0)
		return -1;
	solve_planes(v);
	return 0;
}

/* ------------------------------------------------------------------ lines */

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
	qsort(x, n, sizeof *x, ascending);
	return n % 2 ? x[n / 2] : x[n / 2 - 1] / 2 + x[n / 2] / 2;
}

/* Each line writes down how far it lies above the one before; 0 where nothing says. */
static void compare_line(const void *state, const struct hs_lines *l, double *out, uint8_t *out_skip, double *scratch)
{
	const struct level *v = state;
	double *step = v->step + (l->image * l->n_y + l->y) * l->n_chan;
	(void)out_skip;
	memset(out, 0, l->n_x * l->n_chan * sizeof *out);
	for (size_t j = 0; j < l->n_chan; j++) {
		size_t n = 0;
		for (size_t x = 0; l->line[0] && x < l->n_x; x++)
			if (!l->skip[0][x] && !l->skip[1][x])
				scratch[n++] = l->line[1][x * l->n_chan + j] - l->line[0][x * l->n_chan + j];
		step[j] = n ? median(scratch, n) : 0;
	}
}

/* STEPS: of the differences of one channel of an image those that are no jump become 0, the others are less the usual. */
static void keep_jumps(double *step, size_t n_y, size_t n_chan, double *bench)
{
	for (size_t y = 1; y < n_y; y++)
		bench[y - 1] = step[y * n_chan];
	const double middle = median(bench, n_y - 1);
	for (size_t y = 1; y < n_y; y++)
		bench[y - 1] = fabs(step[y * n_chan] - middle);
	const double spread = 1.4826 * median(bench, n_y - 1);
	for (size_t y = 1; y < n_y; y++) {
		const double off = step[y * n_chan] - middle;
		step[y * n_chan] = fabs(off) > 6 * spread ? off : 0;
	}
}

/* Differences become levels with mean 0. */
static int add_up(struct level *v, struct hs_err *err)
{
	double *bench = hs_alloc(v->n_y, sizeof *bench, err);
	for (size_t image = 0; bench && image < v->n_images; image++)
		for (size_t j = 0; j < v->n_chan; j++) {
			double *step = v->step + image * v->n_y * v->n_chan + j, mean = 0;
			if (v->how == STEPS && v->n_y > 1)
				keep_jumps(step, v->n_y, v->n_chan, bench);
			for (size_t y = 1; y < v->n_y; y++) {
				step[y * v->n_chan] += step[(y - 1) * v->n_chan];
				mean += step[y * v->n_chan] / (double)v->n_y;
			}
			for (size_t y = 0; y < v->n_y; y++)
				step[y * v->n_chan] -= mean;
		}
	free(bench);
	return bench ? 0 : -1;
}

static bool less_line(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct level *v = state;
	const double *level = v->step + pixel / v->n_x * v->n_chan;
	(void)scratch;
	for (size_t j = 0; j < v->n_chan; j++)
		out[j] = in[j] - level[j];
	return true;
}

/* A pass through a stage of its own, whose rows nobody wants. */
static int find_lines(struct level *v, const struct hs_stage *before, struct hs_err *err)
{
	struct hs_stage look;
	struct hs_batch b = { .n_blocks = 1 };
	hs_stage_begin(&look, before, v, NULL);
	int verdict = (v->step = hs_alloc(v->n_images * v->n_y, v->n_chan * sizeof *v->step, err)) ? 0 : -1;
	if (verdict == 0)
		verdict = hs_stage_lines(&look, before, 1, v->n_x, compare_line, err);
	if (verdict == 0)
		verdict = look.source->rewind(look.source, err);
	while (verdict == 0 && b.n_blocks)
		verdict = look.source->next(look.source, &b, err);
	hs_stage_release(&look);
	return verdict < 0 ? -1 : add_up(v, err);
}

/* ------------------------------------------------------------------ the operation */

static int open_flatten(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_signal *s = &before->signal;
	const size_t nav = hs_signal_nav_rank(s);
	const int how = hs_word_index(WORDS, args);
	if (how < 0)
		return hs_fail(err, HS_USAGE, "'%.60s' is none of " WORDS, args);
	if (nav < 2)
		return hs_fail(err, HS_BAD_DATA, "there is no image to flatten");
	struct level *v = hs_must_alloc(1, sizeof *v);
	hs_stage_begin(stage, before, v, release);
	*v = (struct level){ .how = (enum how)how, .n_x = s->axis[nav - 1].n, .n_y = s->axis[nav - 2].n, .n_chan = before->n_chan };
	v->n_images = before->n_pix / v->n_x / v->n_y;
	if ((how == PLANE ? find_planes(v, before, err) : find_lines(v, before, err)) < 0)
		return -1;
	stage->bytes += v->n_images * (how == PLANE ? 3 : v->n_y) * v->n_chan * sizeof(double);
	return hs_stage_rows(stage, before, 0, how == PLANE ? less_plane : less_line, err);
}

const struct hs_op hs_op_flatten = { .name = "flatten", .metavar = "WORD", .help = "make every image level, by " WORDS,
	.open = open_flatten };
