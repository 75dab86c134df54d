/* Operations on space and scan against data whose truth is known; every one on data that have none, and the same bits from any
 * number of threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/par.h"
#include "math/track.h"
#include "prep/lag.h"
#include "prep/op.h"
#include "scene/scene.h"
#include "tap.h"

/* ------------------------------------------------------------------ one operation on an array */

struct cube {
	size_t n[3], n_pix, n_chan;
	double *x;
	uint8_t *skip;
	struct hs_rowsource *source;
	struct hs_stage stage;
};

static void cube_init(struct cube *c, size_t frames, size_t n_y, size_t n_x, size_t n_chan)
{
	*c = (struct cube){ .n = { frames, n_y, n_x }, .n_pix = frames * n_y * n_x, .n_chan = n_chan };
	c->x = hs_must_alloc(c->n_pix * n_chan, sizeof *c->x);
	c->skip = hs_must_alloc(c->n_pix, 1);
	hs_signal_init(&c->stage.signal, "data", NULL, "count", HS_F64);
	static const char *const name[] = { "time", "y", "x" };
	for (size_t d = frames > 1 ? 0 : 1; d < 3; d++)
		hs_signal_add_axis(&c->stage.signal, hs_axis_uniform(name[d], d ? "nm" : "s", NULL, HS_AXIS_SPATIAL, c->n[d], 0, 0.5));
	hs_signal_add_axis(&c->stage.signal, hs_axis_uniform("energy", "eV", NULL, HS_AXIS_SPECTRAL, n_chan, 100, 0.5));
	hs_signal_shape_up(&c->stage.signal, 1);
}

/* The array becomes the stage's rows: after it is filled. */
static struct hs_stage *cube_stage(struct cube *c)
{
	struct hs_err err = { 0 };
	if (c->source)
		hs_array_rows_free(c->source);
	c->source = hs_array_rows_new(c->x, HS_ROW_F64, c->n_pix, c->n_chan, c->skip, &err);
	c->stage.source = c->source;
	c->stage.n_pix = c->n_pix;
	c->stage.n_chan = c->n_chan;
	return &c->stage;
}

static void cube_release(struct cube *c)
{
	if (c->source)
		hs_array_rows_free(c->source);
	c->stage.source = NULL;
	hs_stage_release(&c->stage);
	free(c->x);
	free(c->skip);
}

static int apply(struct hs_stage *stage, const struct hs_stage *before, const char *op, const char *args, struct hs_err *err)
{
	*stage = (struct hs_stage){ 0 };
	*err = (struct hs_err){ 0 };
	for (size_t i = 0; hs_op_table[i]; i++)
		if (!strcmp(hs_op_table[i]->name, op))
			return hs_op_table[i]->open(stage, before, args, err);
	return hs_fail(err, HS_BUG, "no operation %s", op);
}

/* All rows; *skip too. NULL after a failure. */
static double *rows_of(struct hs_stage *s, uint8_t **skip)
{
	struct hs_err err = { 0 };
	struct hs_batch b;
	double *x = hs_must_alloc(s->n_pix * s->n_chan, sizeof *x);
	*skip = hs_must_alloc(s->n_pix, 1);
	int verdict = s->source->rewind(s->source, &err);
	while (verdict == 0 && (verdict = s->source->next(s->source, &b, &err)) == 0 && b.n_blocks) {
		memcpy(x + b.first_row * s->n_chan, b.x, b.n_rows * s->n_chan * sizeof *x);
		memcpy(*skip + b.first_row, b.skip, b.n_rows);
	}
	return x;
}

static double noise_at(uint64_t seed, size_t i)
{
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, i);
	return hs_rng_normal(&rng);
}

/* ------------------------------------------------------------------ what the operations stand on */

static void tracks(void)
{
	enum { N = 4000 };
	double *y = hs_must_alloc(N, sizeof *y), *w = hs_must_alloc(N, sizeof *w), *s = hs_must_alloc(N, sizeof *s),
	       *sigma = hs_must_alloc(N, sizeof *sigma), off = 0, chi = 0, span;
	struct hs_err err = { 0 };
	for (size_t i = 0; i < N; i++) {
		w[i] = i % 3 ? 1 : 0.25;
		y[i] = sin(2 * M_PI * (double)i / N) + 3 * noise_at(1, i) / sqrt(w[i]);
	}
	y[7] = NAN;
	w[9] = 0;
	y[9] = 1e9;
	tap_ok(hs_track_smooth(y, w, N, s, sigma, &span, &err) == 0, "a sine under noise is smoothed %s", err.text);
	for (size_t i = 0; i < N; i++) {
		const double d = s[i] - sin(2 * M_PI * (double)i / N);
		off += d * d / N;
		chi += d * d / (sigma[i] * sigma[i]) / N;
	}
	tap_ok(sqrt(off) < 0.25 && chi > 0.1 && chi < 4 && span > 50, "... to %.3f of 3, errors as told (chi2 %.2f), over %.0f values",
		sqrt(off),
		chi, span);
	for (size_t i = 0; i < N; i++)
		y[i] = 5 - 0.25 * (double)i;
	hs_track_smooth(y, w, N, s, sigma, NULL, &err);
	off = 0;
	for (size_t i = 0; i < N; i++)
		off = fmax(off, fabs(s[i] - y[i]));
	tap_ok(off < 1e-3, "a straight line stays (%.2g)", off);
	tap_ok(hs_track_smooth(y, w, 1, s, sigma, NULL, &err) == 0 && s[0] == y[0] && isnan(sigma[0]),
		"one value stays, its error unknown");
	memset(w, 0, N * sizeof *w);
	tap_ok(hs_track_smooth(y, w, N, s, sigma, NULL, &err) < 0 && err.status == HS_BAD_DATA, "nothing seen: %s", err.text);
	free(y);
	free(w);
	free(s);
	free(sigma);
}

static void lags(void)
{
	double x[40] = { 0 }, y[40], sum = 0, centre = 0, sorted[5];
	for (int i = 15; i < 25; i++)
		x[i] = i % 4 + 1;
	tap_ok(hs_lag_undo(x, 40, 3, 0, 40, y) && !memcmp(y, x + 3, 37 * sizeof *y), "whole channels: the same values");
	hs_lag_undo(x, 40, 2.3, 0, 40, y);
	double before = 0, was = 0;
	for (int i = 0; i < 40; i++) {
		sum += y[i];
		centre += i * y[i];
		before += x[i];
		was += i * x[i];
	}
	tap_ok(fabs(sum - before) < 1e-12 && fabs((was - centre) / sum - 2.3) < 1e-12,
		"parts of a channel: counts stay, the centre moves by 2.3");
	tap_ok(!hs_lag_undo(x, 40, NAN, 0, 40, y) && !hs_lag_undo(x, 40, INFINITY, 0, 40, y), "no lag: no spectrum");
	tap_ok(hs_lag_undo(x, 40, -1e9, 0, 40, y) && y[39] == x[0], "far beyond the end");
	tap_ok(hs_lag_median((double[]){ NAN, 3, 1, INFINITY, 2 }, 5, sorted) == 2 && isnan(hs_lag_median((double[]){ NAN }, 1, sorted)),
		"medians leave out what is not finite");
}

/* ------------------------------------------------------------------ spectra */

static double true_lag(size_t i)
{
	return 3.7 * sin(0.37 * (double)i);
}

static void fill_peaks(struct cube *c, double counts)
{
	for (size_t i = 0; i < c->n_pix; i++)
		for (size_t j = 0; j < c->n_chan; j++) {
			const double t = ((double)j - 50 - true_lag(i)) / 4, u = ((double)j - 90 - true_lag(i)) / 7;
			c->x[i * c->n_chan + j] = counts * (exp(-t * t / 2) + 0.3 * exp(-u * u / 2));
			if (counts < 1e5) {
				struct hs_rng rng;
				hs_rng_init(&rng, 2, HS_STREAM_TEST, i * c->n_chan + j);
				c->x[i * c->n_chan + j] = hs_rng_poisson(&rng, c->x[i * c->n_chan + j] + 0.1);
			}
		}
}

/* Root mean square error of the shifts, in channels, less the mean of both. */
static double lag_error(const struct hs_stage *s, size_t n)
{
	double mean = 0, squares = 0;
	for (size_t i = 0; i < n; i++)
		mean += (s->found[0].value[i] / 0.5 - true_lag(i)) / (double)n;
	for (size_t i = 0; i < n; i++) {
		const double d = s->found[0].value[i] / 0.5 - true_lag(i) - mean;
		squares += d * d / (double)n;
	}
	return sqrt(squares);
}

static void alignment(void)
{
	struct cube c;
	struct hs_stage s;
	struct hs_err err;
	uint8_t *skip;
	cube_init(&c, 1, 6, 7, 128);
	const struct { const char *args; double counts, error; } want[] = { { "peak", 1e6, 1e-3 }, { "peak", 100, 0.4 }, { "mean", 1e6,
		0.02 },
		{ "mean", 100, 0.2 }, { "peak:110:140eV", 1e6, 1e-3 } };
	for (size_t i = 0; i < HS_LEN(want); i++) {
		fill_peaks(&c, want[i].counts);
		const int verdict = apply(&s, cube_stage(&c), "align", want[i].args, &err);
		const double error = verdict ? NAN : lag_error(&s, c.n_pix);
		tap_ok(error < want[i].error && s.n_chan < c.n_chan && s.signal.axis[2].n == s.n_chan,
			"align %s at %g counts: error %.2g channels %s",
			want[i].args, want[i].counts, error, err.text);
		hs_stage_release(&s);
	}
	fill_peaks(&c, 1e6);
	memset(c.x + 5 * c.n_chan, 0, c.n_chan * sizeof *c.x);
	c.skip[8] = 1;
	apply(&s, cube_stage(&c), "align", "peak", &err);
	double *x = rows_of(&s, &skip), off = 0;
	for (size_t i = 0; i < c.n_pix; i++)
		for (size_t j = 0; j < s.n_chan && i != 5 && i != 8; j++)
			off = fmax(off, fabs(x[i * s.n_chan + j] - x[j]));
	tap_ok(off < 0.02e6, "aligned spectra are one and the same to what interpolation blurs (%.3g of 1e6)", off);
	tap_ok(skip[5] && isnan(x[5 * s.n_chan]) && skip[8] && !skip[0] && isnan(s.found[0].value[5]),
		"the empty and the masked one are left out");
	free(x);
	free(skip);
	hs_stage_release(&s);
	tap_ok(apply(&s, &c.stage, "align", "peek", &err) < 0 && err.status == HS_USAGE, "%s", err.text);
	hs_stage_release(&s);
	cube_release(&c);
}

/* Correlation with the true drift of a scene. */
static void drift_of(const char *name, uint64_t seed)
{
	enum { NX = 64, NY = 64, CHAN = 1280 };
	struct hs_scene_options o = { .name = name, .nx = NX, .ny = NY, .n_chan = CHAN, .counts = 200, .sigma = 1, .purity = 0.8,
		.separation = 6, .drift_ev = 2, .outliers = 0.02, .value = NAN, .seed = seed };
	struct hs_scene *scene;
	struct hs_err err = { 0 };
	struct hs_stage s;
	struct cube c;
	double *truth = hs_must_alloc(NX * NY, sizeof *truth), a = 0, b = 0, ab = 0, aa = 0, bb = 0;
	cube_init(&c, 1, NY, NX, CHAN);
	if (!tap_ok(hs_scene_new(&scene, &o, &err) == 0, "scene %s %s", name, err.text))
		return;
	hs_scene_rows(scene, 0, NX * NY, c.x);
	for (size_t i = 0; hs_scene_truth(scene, i); i++)
		if (strstr(hs_scene_truth(scene, i)->name, "drift"))
			hs_scene_truth_rows(scene, i, 0, NX * NY, truth);
	const int verdict = apply(&s, cube_stage(&c), "align", "drift", &err);
	for (size_t i = 0; verdict == 0 && i < NX * NY; i++) {
		a += truth[i] / (NX * NY);
		b += s.found[0].value[i] / (NX * NY);
	}
	for (size_t i = 0; verdict == 0 && i < NX * NY; i++) {
		ab += (truth[i] - a) * (s.found[0].value[i] - b);
		aa += (truth[i] - a) * (truth[i] - a);
		bb += (s.found[0].value[i] - b) * (s.found[0].value[i] - b);
	}
	tap_ok(ab / sqrt(aa * bb) > 0.9, "%s of seed %d, 200 counts a spectrum: drift correlates %.3f %s", name, (int)seed,
		ab / sqrt(aa * bb),
		err.text);
	tap_ok(verdict == 0 && s.n_found == 2 && s.found[1].value[0] > 0, "... and its error is told");
	hs_stage_release(&s);
	cube_release(&c);
	hs_scene_free(scene);
	free(truth);
}

/* ------------------------------------------------------------------ images */

static double blob(double y, double x)
{
	double sum = 0;
	for (int i = 0; i < 40; i++) {
		const double v = y - 60 * fmod(0.618 * i + 0.1, 1) + 6, u = x - 60 * fmod(0.414 * i * i + 0.3, 1) + 6, s = 3 + i % 5;
		sum += (1 + i % 3) * exp(-(u * u + v * v) / s);
	}
	return sum;
}

/* As a stack (frames are channels) or as a series of cubes. */
static void registration(bool channels, const char *word)
{
	enum { F = 6, Y = 48, X = 44 };
	struct cube c;
	struct hs_stage s;
	struct hs_err err;
	uint8_t *skip;
	cube_init(&c, channels ? 1 : F, Y, X, channels ? F : 2);
	for (size_t f = 0; f < F; f++)
		for (size_t i = 0; i < Y * X; i++) {
			const double v = blob((double)(i / X) - 0.9 * (double)f, (double)(i % X) + 0.55 * (double)f) + 0.02 * noise_at(f, i);
			if (channels)
				c.x[i * F + f] = v;
			else
				c.x[2 * (f * Y * X + i)] = c.x[2 * (f * Y * X + i) + 1] = v;
		}
	const int verdict = apply(&s, cube_stage(&c), "register", word, &err);
	double worst = verdict ? INFINITY : 0, off = 0;
	for (size_t f = 0; verdict == 0 && f < F; f++)
		worst = fmax(worst, fmax(fabs(s.found[0].value[f] / 0.5 - 0.9 * (double)f),
			fabs(s.found[1].value[f] / 0.5 + 0.55 * (double)f)));
	tap_ok(worst < 0.05, "%s, against the %s: path to %.3f pixel %s", channels ? "a stack" : "a series of cubes", word, worst,
		err.text);
	double *x = rows_of(&s, &skip);
	size_t good = 0;
	for (size_t i = 0; i < Y * X; i++) {
		const size_t last = channels ? i : (F - 1) * Y * X + i;
		if (skip[last] || skip[i])
			continue;
		const double first = x[i * s.n_chan], at = channels ? x[i * F + F - 1] : x[2 * last];
		off = fmax(off, fabs(first - at));
		good++;
	}
	tap_ok(off < 0.3 && good > Y * X * 3 / 4 && good < Y * X, "... the last lies on the first (%.2g), borders are left out", off);
	free(x);
	free(skip);
	hs_stage_release(&s);
	cube_release(&c);
}

static void flattening(void)
{
	enum { Y = 20, X = 17, C = 3 };
	struct cube c;
	struct hs_stage s;
	struct hs_err err;
	uint8_t *skip;
	static const char *const word[] = { "plane", "lines", "steps" };
	for (int how = 0; how < 3; how++) {
		double off = 0, mean[2] = { 0 };
		cube_init(&c, 2, Y, X, C);
		for (size_t i = 0; i < c.n_pix * C; i++) {
			const size_t p = i / C, y = p / X % Y, x = p % X, image = p / X / Y;
			const double tilt = (0.3 + (double)(i % C)) * (double)x - 0.7 * (double)y * (double)(image + 1),
				     jump = (y >= 7 ? 5 : 0) - (y >= 12 ? 9 : 0), smooth = 0.01 * sin((double)(x + 3 * y));
			c.x[i] = 100 + (how == 0 ? tilt : how == 1 ? 10 * noise_at(4, y + 50 * (i % C)) : jump) + (how == 2 ? smooth : 0);
		}
		c.skip[40] = c.skip[41] = 1;
		c.x[40 * C] = NAN;
		const int verdict = apply(&s, cube_stage(&c), "flatten", word[how], &err);
		tap_ok(verdict == 0, "flatten %s %s", word[how], err.text);
		double *x = rows_of(&s, &skip);
		for (size_t i = 0; i < X * Y; i++) {
			mean[0] += skip[i] ? 0 : c.x[i * C] / (X * Y - 2);
			mean[1] += skip[i] ? 0 : x[i * C] / (X * Y - 2);
		}
		for (size_t i = 0; i < X * Y * C; i++)
			off = skip[i / C] ? off : fmax(off, fabs(x[i] - x[i % C]));
		tap_ok(off < (how == 2 ? 0.1 : 1e-9), "... level (%.2g)", off);
		tap_ok(fabs(mean[0] - mean[1]) < (how ? 0.2 : 1e-9), "... where it was (%.3g)", mean[0] - mean[1]);
		tap_ok(skip[40] && isnan(x[40 * C]), "... what was left out stays so");
		free(x);
		free(skip);
		hs_stage_release(&s);
		cube_release(&c);
	}
}

static void spikes(void)
{
	struct cube c;
	struct hs_stage s;
	struct hs_err err;
	uint8_t *skip;
	cube_init(&c, 1, 9, 8, 60);
	for (int counts = 0; counts < 2; counts++) {
		size_t changed = 0;
		for (size_t i = 0; i < c.n_pix * c.n_chan; i++) {
			const size_t j = i % c.n_chan;
			const double v = 50 + (j == 30 ? 400 : 0) + (i / c.n_chan == 20 ? 300 : 0);   /* a line; a bright pixel */
			struct hs_rng rng;
			hs_rng_init(&rng, 3, HS_STREAM_TEST, i);
			c.x[i] = counts ? hs_rng_poisson(&rng, v) : v + 2.5 * hs_rng_normal(&rng);
		}
		c.x[11 * c.n_chan + 7] += 900;
		c.x[40 * c.n_chan + 31] += 900;       /* beside the line */
		c.x[63 * c.n_chan + 50] += 700;
		c.x[63 * c.n_chan + 51] += 500;
		const int verdict = apply(&s, cube_stage(&c), "despike", "7", &err);
		double *x = rows_of(&s, &skip);
		for (size_t i = 0; i < c.n_pix * c.n_chan; i++)
			changed += x[i] != c.x[i];
		const double a = x[11 * c.n_chan + 7], b = x[40 * c.n_chan + 31], d = x[63 * c.n_chan + 51];
		tap_ok(verdict == 0 && changed == 4 && a < 80 && b < 80 && d < 80 && a > 20 && b > 20 && d > 20,
			"%s: four values become %.0f %.0f %.0f, %zu changed (%s)", counts ? "counts" : "values", a, b, d, changed, s.said);
		free(x);
		free(skip);
		hs_stage_release(&s);
	}
	cube_release(&c);
	cube_init(&c, 1, 12, 12, 1);
	for (size_t i = 0; i < c.n_pix; i++)
		c.x[i] = sin(0.2 * (double)i) + 0.1 * noise_at(8, i);
	c.x[77] = 40;
	apply(&s, cube_stage(&c), "despike", "8", &err);
	double *x = rows_of(&s, &skip);
	tap_ok(fabs(x[77]) < 2 && x[78] == c.x[78], "an image: %.2f", x[77]);
	free(x);
	free(skip);
	hs_stage_release(&s);
	cube_release(&c);
}

static int map_of_sums(void *ctx, const char *path, const char *name, double **value, size_t *n, struct hs_err *err)
{
	if (strcmp(name, "sums") || (path && strcmp(path, "a:b.nxs")))
		return hs_fail(err, HS_USAGE, "no signal");
	*n = *(size_t *)ctx;
	*value = hs_must_alloc(*n, sizeof **value);
	for (size_t i = 0; i < *n; i++)
		(*value)[i] = (double)i;
	return 0;
}

static void masks(void)
{
	struct cube c;
	struct hs_stage s, after;
	struct hs_err err;
	uint8_t *skip;
	cube_init(&c, 1, 5, 6, 4);
	const struct hs_files files = { .map = map_of_sums, .ctx = &c.n_pix };
	for (size_t i = 0; i < c.n_pix * 4; i++)
		c.x[i] = 10 + (double)(i * 7 % 5);
	memset(c.x + 4 * 3, 0, 4 * sizeof *c.x);
	for (size_t j = 0; j < 4; j++)
		c.x[4 * 14 + j] += 1000 + (double)j;
	for (size_t j = 0; j < 3; j++)
		c.x[4 * 20 + j] = 4095;
	c.stage.files = &files;
	const struct { const char *args; size_t pixel, n; uint8_t bit; } want[] = { { "dead", 3, 1, HS_MASK_DEAD }, { "hot:20", 14, 2,
		HS_MASK_HOT },
		{ "saturated", 20, 1, HS_MASK_SATURATED }, { "saturated:1000", 14, 2, HS_MASK_SATURATED },
		{ "range:5:2000", 20, 2, HS_MASK_EXCLUDED }, { "sums>28", 29, 1, HS_MASK_EXCLUDED }, { "a:b.nxs:sums<2", 0, 2,
			HS_MASK_EXCLUDED } };
	for (size_t k = 0; k < HS_LEN(want); k++) {
		size_t n = 0;
		const int verdict = apply(&s, cube_stage(&c), "exclude", want[k].args, &err);
		double *x = rows_of(&s, &skip);
		for (size_t i = 0; i < c.n_pix; i++)
			n += skip[i] != 0 && s.signal.mask && s.signal.mask[i] == want[k].bit;
		tap_ok(verdict == 0 && n == want[k].n && skip[want[k].pixel] && !memcmp(x, c.x, c.n_pix * 4 * sizeof *x),
			"%s: %zu pixels, values stay %s",
			want[k].args, n, err.text);
		free(x);
		free(skip);
		if (!k) {
			apply(&after, &s, "normalise", "area", &err);
			x = rows_of(&after, &skip);
			tap_ok(skip[3] && !skip[4], "and what follows leaves them out");
			free(x);
			free(skip);
			hs_stage_release(&after);
		}
		hs_stage_release(&s);
	}
	static const char *const wrong[] = { "nothing", "range", "range:x", "dead:3", "hot:-1", "sums>x", "other>3" };
	for (size_t k = 0; k < HS_LEN(wrong); k++) {
		tap_ok(apply(&s, &c.stage, "exclude", wrong[k], &err) < 0 && err.status == HS_USAGE, "%s: %s", wrong[k], err.text);
		hs_stage_release(&s);
	}
	cube_release(&c);
}

/* ------------------------------------------------------------------ all of them */

static const struct { const char *op, *args; } every[] = { { "align", "peak" }, { "align", "mean" }, { "align", "drift" },
	{ "register", "first" }, { "register", "previous" }, { "flatten", "plane" }, { "flatten", "lines" }, { "flatten", "steps" },
	{ "despike", "6" }, { "exclude", "dead" }, { "exclude", "hot" }, { "exclude", "saturated" } };

/* A refusal is one of data, with a sentence; what comes out is finite or skipped. */
static void odd(const char *what, size_t n_y, size_t n_x, size_t n_chan, double a, double b)
{
	struct cube c;
	struct hs_err err;
	struct hs_stage s;
	size_t faults = 0;
	cube_init(&c, 1, n_y, n_x, n_chan);
	for (size_t i = 0; i < c.n_pix * n_chan; i++)
		c.x[i] = i % 3 ? a : b;
	for (size_t k = 0; k < HS_LEN(every); k++) {
		if (apply(&s, cube_stage(&c), every[k].op, every[k].args, &err) < 0) {
			faults += err.status != HS_BAD_DATA || !*err.text;
			hs_stage_release(&s);
			continue;
		}
		uint8_t *skip;
		double *x = rows_of(&s, &skip);
		for (size_t i = 0; i < s.n_pix * s.n_chan; i++)
			faults += !skip[i / s.n_chan] && !isfinite(x[i]);
		free(x);
		free(skip);
		hs_stage_release(&s);
	}
	tap_ok(!faults, "%s: %zu faults", what, faults);
	cube_release(&c);
}

static void threads(void)
{
	struct cube c;
	struct hs_err err;
	struct hs_stage s;
	cube_init(&c, 1, 21, 23, 70);
	for (size_t i = 0; i < c.n_pix * c.n_chan; i++) {
		struct hs_rng rng;
		const double t = ((double)(i % 70) - 35 - true_lag(i / 70 / 40)) / 3;
		hs_rng_init(&rng, 9, HS_STREAM_TEST, i);
		c.x[i] = hs_rng_poisson(&rng, 3 + 20 * exp(-t * t / 2) * (1 + sin(0.02 * (double)(i / 70))));
	}
	for (size_t k = 0; k < HS_LEN(every); k++) {
		double *first = NULL;
		uint8_t *skip;
		bool same = true;
		for (int n = 1; n <= 3; n++) {
			hs_par_set_threads(n);
			same &= apply(&s, cube_stage(&c), every[k].op, every[k].args, &err) == 0;
			double *x = same ? rows_of(&s, &skip) : NULL;
			for (size_t i = 0; x && first && i < s.n_pix * s.n_chan; i++)
				same &= !memcmp(&x[i], &first[i], sizeof *x) || skip[i / s.n_chan];
			if (x)
				free(skip);
			if (first)
				free(x);
			else
				first = x;
			hs_stage_release(&s);
		}
		tap_ok(same && first, "%s %s: the same bits from 1, 2 and 3 threads %s", every[k].op, every[k].args, err.text);
		free(first);
	}
	hs_par_set_threads(2);
	cube_release(&c);
}

int main(void)
{
	hs_par_set_threads(2);
	tracks();
	lags();
	alignment();
	drift_of("drift", 1);
	drift_of("compounds", 2);
	registration(true, "first");
	registration(true, "previous");
	registration(false, "first");
	flattening();
	spikes();
	masks();
	odd("nothing", 4, 4, 20, 0, 0);
	odd("one value", 4, 4, 20, 7, 7);
	odd("tiny and huge", 4, 4, 20, 1e-300, 1e300);
	odd("huge", 5, 4, 20, 1e308, -1e308);
	odd("tiny", 4, 5, 20, 1e-300, 2e-300);
	odd("negative", 4, 4, 20, -1, -2);
	odd("one pixel", 1, 1, 20, 3, 5);
	odd("one channel", 5, 5, 1, 3, 5);
	odd("one number", 1, 1, 1, 3, 3);
	odd("a line", 1, 9, 12, 3, 5);
	threads();
	return tap_done();
}
