/* Images of a series laid onto one another. Frames are the navigation dimensions before the last two, an image the sum over the
 * spectrum; where there are no such dimensions every channel is a frame of its own (a stack of images, an energy-filtered
 * series).
 *
 * How it works: frames are collected from passes over the rows, as many at a time as HOLD_BYTES has room for, and each is
 * compared with the first one or with the one before (math/phase.h). Then every output pixel is looked up at its place in the
 * moved frame. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "math/par.h"
#include "math/phase.h"
#include "math/vector.h"
#include "prep/op.h"

enum { HOLD_BYTES = 64 << 20, N_FOUND = 3 };
static const double least_sure = 0.2; /* images that have nothing in common reach this hardly ever */
enum against { FIRST, PREVIOUS };
#define WORDS "first|previous"

struct path {
	size_t n_frames, n_y, n_x;
	bool channels;                /* frames are channels */
	enum against against;
	double *shift;                /* n_frames x (y, x), pixels: frame(p + shift) = first frame(p) */
	double *sure;                 /* n_frames */
	size_t n_lost;                /* frames that nothing was found for: they go with the one before */
	struct hs_found found[N_FOUND];
};

static void release(void *state)
{
	struct path *p = state;
	for (size_t i = 0; i < N_FOUND; i++) {
		hs_signal_release(&p->found[i].signal);
		free(p->found[i].value);
	}
	free(p->shift);
	free(p->sure);
	free(p);
}

/* ------------------------------------------------------------------ finding the shifts */

struct collect {
	const struct path *path;
	size_t first, n;              /* frames wanted */
	double *image;                /* n x pixels of a frame */
	double *bench;                /* a row a thread */
};

static int take_rows(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	struct collect *c = ctx;
	const size_t n_pix = c->path->n_y * c->path->n_x;
	double *row = c->bench + (size_t)thread * b->n_chan;
	(void)err;
	for (size_t i = 0; i < b->n_rows; i++) {
		const size_t pixel = (b->first_row + i) % n_pix, frame = (b->first_row + i) / n_pix;
		if (!c->path->channels && (frame < c->first || frame >= c->first + c->n))
			continue;
		if (!b->skip[i])
			hs_block_row(b, i, false, row);
		if (c->path->channels) {
			for (size_t k = 0; k < c->n; k++)
				c->image[k * n_pix + pixel] = b->skip[i] ? NAN : row[c->first + k];
			continue;
		}
		double sum = 0;
		for (size_t j = 0; j < b->n_chan; j++)
			sum += row[j];
		c->image[(frame - c->first) * n_pix + pixel] = b->skip[i] ? NAN : sum;
	}
	return 0;
}

/* The frame's place follows from its shift against the reference, which is at the place of frame `anchor`. */
static void place(struct path *p, size_t frame, size_t anchor, struct hs_phase *phase, const double *reference,
	const double *image)
{
	double shift[2];
	p->sure[frame] = hs_phase_shift(phase, reference, image, shift);
	const bool lost = !(p->sure[frame] >= least_sure);
	p->n_lost += lost;
	for (size_t d = 0; d < 2; d++)
		p->shift[2 * frame + d] = lost ? p->shift[2 * (frame - 1) + d] : p->shift[2 * anchor + d] + shift[d];
}

static int find_path(struct path *p, const struct hs_stage *before, struct hs_err *err)
{
	const size_t n_pix = p->n_y * p->n_x, fit = HOLD_BYTES / sizeof(double) / n_pix,
		     hold = fit < 1 ? 1 : fit < p->n_frames ? fit : p->n_frames;
	struct hs_phase phase = { 0 };
	struct collect c = { .path = p };
	double *reference = hs_alloc(n_pix, sizeof *reference, err);
	int verdict = reference && (c.image = hs_alloc(hold, n_pix * sizeof *c.image, err)) &&
		(c.bench = hs_alloc((size_t)hs_par_threads(), before->n_chan * sizeof *c.bench, err)) &&
		hs_phase_init(&phase, p->n_y, p->n_x, err) == 0 ? 0 : -1;
	for (; verdict == 0 && c.first < p->n_frames; c.first += c.n) {
		c.n = hold < p->n_frames - c.first ? hold : p->n_frames - c.first;
		verdict = hs_rows_each(before->source, "register", take_rows, &c, err);
		for (size_t k = 0; verdict == 0 && k < c.n; k++) {
			const double *image = c.image + k * n_pix;
			const size_t frame = c.first + k;
			if (frame)
				place(p, frame, p->against == FIRST ? 0 : frame - 1, &phase, reference, image);
			if (!frame || (p->against == PREVIOUS && p->sure[frame] >= least_sure))
				memcpy(reference, image, n_pix * sizeof *reference);
		}
	}
	p->sure[0] = 1;
	hs_phase_release(&phase);
	free(reference);
	free(c.image);
	free(c.bench);
	return verdict;
}

/* ------------------------------------------------------------------ moving */

/* A place between the lines: the sample it lies behind, and how far. */
struct between {
	ptrdiff_t at;
	double part;
};

static struct between look_at(size_t i, double shift)
{
	const double place = (double)i + shift, low = floor(place + 1e-9);
	return (struct between){ (ptrdiff_t)low, fmax(0, place - low) };
}

/* Weights of four samples around, cubic convolution (Keys, IEEE Trans. Acoust. Speech Signal Process. 29, 1981, 1153), or of the
 * two next to it, linear. */
static void weights(double t, bool cubic, double w[4])
{
	const double u = 1 - t;
	w[0] = cubic ? -0.5 * t * u * u : 0;
	w[1] = cubic ? (1.5 * t - 2.5) * t * t + 1 : u;
	w[2] = cubic ? (1.5 * u - 2.5) * u * u + 1 : t;
	w[3] = cubic ? -0.5 * u * t * t : 0;
}

/* One value; false when a sample that has weight is beyond the image or left out. */
static bool sample(const struct hs_lines *l, struct between y, struct between x, size_t channel, bool cubic, double *value)
{
	double wy[4], wx[4], sum = 0;
	weights(y.part, cubic, wy);
	weights(x.part, cubic, wx);
	for (ptrdiff_t k = 0; k < 4; k++)
		for (ptrdiff_t i = 0; i < 4; i++) {
			const double w = wy[k] * wx[i];
			const ptrdiff_t line = y.at + k - 1 - (ptrdiff_t)l->y + (ptrdiff_t)l->reach, at = x.at + i - 1;
			if (w == 0)
				continue;
			if (line < 0 || line > 2 * (ptrdiff_t)l->reach || !l->line[line] || at < 0 || at >= (ptrdiff_t)l->n_x || l->skip[line][at])
				return false;
			sum += w * l->line[line][(size_t)at * l->n_chan + channel];
		}
	*value = sum;
	return true;
}

static void move_line(const void *state, const struct hs_lines *l, double *out, uint8_t *out_skip, double *scratch)
{
	const struct path *p = state;
	(void)scratch;
	for (size_t x = 0; x < l->n_x; x++) {
		out_skip[x] = 0;
		for (size_t j = 0; j < l->n_chan && !out_skip[x]; j++) {
			const double *shift = p->shift + 2 * (p->channels ? j : l->image);
			const struct between py = look_at(l->y, shift[0]), px = look_at(x, shift[1]);
			double *value = out + x * l->n_chan + j;
			out_skip[x] = !sample(l, py, px, j, true, value) && !sample(l, py, px, j, false, value);
		}
	}
}

/* ------------------------------------------------------------------ the operation */

static void keep_found(struct path *p, const struct hs_signal *s)
{
	const char *name[N_FOUND] = { "shift_y", "shift_x", "match" };
	const size_t nav = hs_signal_nav_rank(s), place = p->channels ? nav : 0;
	for (size_t i = 0; i < N_FOUND; i++) {
		struct hs_found *f = &p->found[i];
		const struct hs_axis *a = i < 2 ? &s->axis[nav - 2 + i] : NULL;
		const bool uniform = a && hs_axis_is_uniform(a) && a->n > 1;
		hs_signal_init(&f->signal, name[i], i < 2 ? "shift" : "height of the correlation", uniform ? a->units : i < 2 ? "px" : "1",
			HS_F64);
		hs_signal_add_axis(&f->signal, s->axis[place].n == p->n_frames ? hs_axis_dup(&s->axis[place]) :
			hs_axis_numbers("frame", p->n_frames));
		hs_signal_shape_up(&f->signal, 1);
		f->value = hs_must_alloc(p->n_frames, sizeof *f->value);
		for (size_t k = 0; k < p->n_frames; k++)
			f->value[k] = i < 2 ? p->shift[2 * k + i] * (uniform ? hs_axis_step(a) : 1) : p->sure[k];
	}
}

static int shape_of(struct path *p, const struct hs_stage *before, struct hs_err *err)
{
	const struct hs_signal *s = &before->signal;
	const size_t nav = hs_signal_nav_rank(s);
	if (nav < 2 || (nav == 2 && before->n_chan < 2))
		return hs_fail(err, HS_BAD_DATA, "there is no series of images to lay onto one another");
	p->n_y = s->axis[nav - 2].n;
	p->n_x = s->axis[nav - 1].n;
	p->channels = nav == 2;
	p->n_frames = p->channels ? before->n_chan : before->n_pix / (p->n_y * p->n_x);
	if (!(p->shift = hs_alloc(p->n_frames, 2 * sizeof *p->shift, err)) || !(p->sure = hs_alloc(p->n_frames, sizeof *p->sure, err)))
		return -1;
	return 0;
}

static int open_register(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const int against = hs_word_index(WORDS, args);
	double most[2] = { 0 };
	if (against < 0)
		return hs_fail(err, HS_USAGE, "'%.60s' is none of " WORDS, args);
	struct path *p = hs_must_alloc(1, sizeof *p);
	hs_stage_begin(stage, before, p, release);
	p->against = (enum against)against;
	if (shape_of(p, before, err) < 0 || find_path(p, before, err) < 0)
		return -1;
	for (size_t i = 0; i < 2 * p->n_frames; i++)
		most[i % 2] = fmax(most[i % 2], fabs(p->shift[i]));
	keep_found(p, &before->signal);
	stage->n_found = N_FOUND;
	stage->found = p->found;
	stage->said = hs_must_printf("%zu frames moved by up to %.2f pixels in y, %.2f in x; %zu could not be placed", p->n_frames,
		most[0],
		most[1], p->n_lost);
	const double reach = fmin(ceil(most[0]) + 2, (double)p->n_y);
	return hs_stage_lines(stage, before, (size_t)reach, 0, move_line, err);
}

const struct hs_op hs_op_register = { .name = "register", .metavar = "WORD",
	.help = "lay the images of a series onto the " WORDS " one", .open = open_register };
