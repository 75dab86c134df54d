/* Spectra on a uniform, ascending axis. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "prep/op.h"
#include "prep/weights.h"

enum how { LINEAR, CUBIC, INTEGRAL, SUM };
#define WORDS "linear|cubic|integral|sum"

static void release(void *state)
{
	hs_weights_release(state);
	free(state);
}

/* ------------------------------------------------------------------ interpolation */

/* The channel k of ascending x with x[k] <= at < x[k + 1], within 0 .. n - 2. */
static size_t locate(const double *x, size_t n, double at)
{
	size_t low = 0, high = n - 1;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;
		if (x[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* x ascends; down: the data lie the other way round. */
static int linear(struct hs_weights *w, const double *x, size_t n, bool down, const struct hs_axis *now, struct hs_err *err)
{
	if (hs_weights_init(w, now->n, 2 * now->n, err) < 0)
		return -1;
	for (size_t i = 0; i < now->n; i++) {
		const size_t k = locate(x, n, now->value[i]);
		const double t = fmin(fmax((now->value[i] - x[k]) / (x[k + 1] - x[k]), 0), 1);
		w->first[i] = down ? n - 2 - k : k;
		w->count[i] = 2;
		w->at[i] = 2 * i;
		w->weight[2 * i] = down ? t : 1 - t;
		w->weight[2 * i + 1] = down ? 1 - t : t;
	}
	return 0;
}

struct spline {
	size_t n, n_new;
	bool down;
	double *x;                    /* n, ascending */
	double *place;                /* n_new */
	size_t *left;                 /* n_new: the channel before */
};

static void release_spline(void *state)
{
	struct spline *s = state;
	free(s->x);
	free(s->place);
	free(s->left);
	free(s);
}

/* The natural cubic spline: second derivatives m from three diagonals, zero at the ends. scratch: y, m and the upper diagonal. */
static bool cubic(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct spline *s = state;
	const size_t n = s->n;
	double *y = scratch, *m = y + n, *up = m + n;
	(void)pixel;
	for (size_t i = 0; i < n; i++)
		y[i] = in[s->down ? n - 1 - i : i];
	m[0] = up[0] = m[n - 1] = 0;
	for (size_t i = 1; i + 1 < n; i++) {
		const double a = s->x[i] - s->x[i - 1], b = s->x[i + 1] - s->x[i], d = 2 * (a + b) - a * up[i - 1];
		up[i] = b / d;
		m[i] = (6 * ((y[i + 1] - y[i]) / b - (y[i] - y[i - 1]) / a) - a * m[i - 1]) / d;
	}
	for (size_t i = n - 1; i-- > 1;)
		m[i] -= up[i] * m[i + 1];
	for (size_t i = 0; i < s->n_new; i++) {
		const size_t k = s->left[i];
		const double h = s->x[k + 1] - s->x[k], b = (s->place[i] - s->x[k]) / h, a = 1 - b;
		out[i] = a * y[k] + b * y[k + 1] + ((a * a * a - a) * m[k] + (b * b * b - b) * m[k + 1]) * h * h / 6;
	}
	return true;
}

static int open_spline(struct hs_stage *stage, const struct hs_stage *before, double *x, bool down, struct hs_err *err)
{
	const struct hs_axis *now = &stage->signal.axis[stage->signal.rank - 1];
	struct spline *s = hs_must_alloc(1, sizeof *s);
	*s = (struct spline){ .n = before->n_chan, .n_new = now->n, .down = down, .x = x };
	stage->state = s;
	stage->release_state = release_spline;
	if (!(s->place = hs_alloc(now->n, sizeof *s->place, err)) || !(s->left = hs_alloc(now->n, sizeof *s->left, err)))
		return -1;
	for (size_t i = 0; i < now->n; i++) {
		s->place[i] = fmin(fmax(now->value[i], x[0]), x[s->n - 1]);
		s->left[i] = locate(x, s->n, s->place[i]);
	}
	return hs_stage_rows(stage, before, 3 * s->n, cubic, err);
}

/* ------------------------------------------------------------------ shares of channels */

/* Where channel i of ascending x begins: half way to the one before; the outermost are as wide as they are far from the next.
 * edge(n) is where the last ends. */
static double edge(const double *x, size_t n, size_t i)
{
	return i == 0 ? x[0] - (x[1] - x[0]) / 2 : i == n ? x[n - 1] + (x[n - 1] - x[n - 2]) / 2 : x[i - 1] + (x[i] - x[i - 1]) / 2;
}

/* Each new channel gets the old ones it overlaps, weighed by the share of them (sum) or by the share of itself (integral). */
static int shares(struct hs_weights *w, const double *x, size_t n, bool down, const struct hs_axis *now, double step, bool sum,
	struct hs_err *err)
{
	size_t k = 0, made = 0;
	const double start = edge(x, n, 0);
	if (hs_weights_init(w, now->n, n + 2 * now->n, err) < 0)
		return -1;
	for (size_t i = 0; i < now->n; i++) {
		/* of the last channel not even rounding is lost */
		const double low = start + (double)i * step, next = start + (double)(i + 1) * step, top = edge(x, n, n),
			     end = fabs(next - top) <= 1e-9 * step ? top : next;
		while (k + 1 < n && edge(x, n, k + 1) <= low)
			k++;
		size_t last = k;
		while (last + 1 < n && edge(x, n, last + 1) < end)
			last++;
		w->at[i] = made;
		w->count[i] = last - k + 1;
		w->first[i] = down ? n - 1 - last : k;
		for (size_t c = k; c <= last; c++) {
			const double a = edge(x, n, c), b = edge(x, n, c + 1), both = fmax(fmin(b, end) - fmax(a, low), 0);
			w->weight[made + (down ? last - c : c - k)] = both / (sum ? b - a : step);
		}
		made += w->count[i];
		k = last;
	}
	return 0;
}

/* ------------------------------------------------------------------ the operation */

struct wish {
	size_t n;                     /* 0: by the step */
	double step;
	enum how how;
};

static int parse(struct wish *w, const char *args, const char *units, struct hs_err *err)
{
	char *first = hs_op_part(args, 0), *word = hs_op_part(args, 1);
	const int how = word ? hs_word_index(WORDS, word) : LINEAR;
	int verdict = how < 0 ? hs_fail(err, HS_USAGE, "'%.60s' is none of " WORDS, word) : 0;
	free(word);
	*w = (struct wish){ .how = (enum how)how };
	if (verdict < 0) {
		free(first);
		return -1;
	}
	if (hs_starts(first, "step=")) {
		char *step = hs_must_dup(first + strlen("step="));
		free(first);
		return hs_op_positive(step, "the step", units, &w->step, err);
	}
	return hs_op_count(first, "the number of channels", 2, 1 << 24, &w->n, err);
}

/* Interpolation goes from the first value to the last, shares from the edge of the first channel to that of the last. */
static int new_axis(const struct wish *w, const double *x, size_t n, struct hs_axis *axis, double *step, struct hs_err *err)
{
	const bool bins = w->how == INTEGRAL || w->how == SUM;
	const double low = bins ? edge(x, n, 0) : x[0], high = bins ? edge(x, n, n) : x[n - 1];
	const double steps = w->n ? (double)(bins ? w->n : w->n - 1) : floor((high - low) / w->step * (1 + 1e-12) + 1e-9);
	*step = w->n ? (high - low) / steps : w->step;
	if (!(steps >= 1) || steps > 1 << 24)
		return hs_fail(err, HS_USAGE, "a step of %g does not go into %g %s%s", *step, high - low, axis->units,
			steps > 1 << 24 ? " so often" : "");
	const size_t n_new = (size_t)steps + (bins ? 0 : 1);
	const double first = bins ? low + *step / 2 : low;
	struct hs_axis a = hs_axis_uniform(axis->name, axis->units, axis->quantity, axis->kind, n_new, first, *step);
	hs_axis_release(axis);
	*axis = a;
	return 0;
}

static int open_resample(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	struct wish wish;
	double step, *x;
	if (hs_op_spectrum(before, "a new axis", &axis, err) < 0 || parse(&wish, args, axis->units, err) < 0)
		return -1;
	const size_t n = axis->n;
	const bool down = hs_axis_descends(axis);
	if (n < 2)
		return hs_fail(err, HS_BAD_DATA, "a single channel lies on any axis");
	if (!(x = hs_alloc(n, sizeof *x, err)))
		return -1;
	for (size_t i = 0; i < n; i++)
		x[i] = axis->value[down ? n - 1 - i : i];
	hs_stage_begin(stage, before, NULL, NULL);
	struct hs_axis *now = &stage->signal.axis[stage->signal.rank - 1];
	int verdict = new_axis(&wish, x, n, now, &step, err);
	if (verdict == 0 && wish.how == CUBIC)
		return open_spline(stage, before, x, down, err);
	if (verdict == 0) {
		struct hs_weights *w = hs_must_alloc(1, sizeof *w);
		stage->state = w;
		stage->release_state = release;
		verdict = wish.how == LINEAR ? linear(w, x, n, down, now, err) : shares(w, x, n, down, now, step, wish.how == SUM, err);
	}
	free(x);
	return verdict < 0 ? -1 : hs_stage_rows(stage, before, 0, hs_weights_row, err);
}

const struct hs_op hs_op_resample = { .name = "resample", .metavar = "N|step=S",
	.help = "uniform channels; ,cubic ,integral ,sum",
	.open = open_resample };
