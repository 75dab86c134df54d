/* Spectra freed of what blurred them: by Richardson and Lucy's iteration, or of plural scattering (plural.h).
 *
 * The iteration (J. Opt. Soc. Am. 62 (1972) 55, Astron. J. 79 (1974) 745) goes to the largest likelihood of counts and keeps
 * their sum and sign.
 *
 * Channels beyond the ends are unknown, not zero: the kernel's share that falls outside is allowed for, so no edge appears. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "prep/op.h"
#include "prep/plural.h"

struct kernel {
	size_t n, width, top;         /* channels of the data, of the kernel; where its maximum is */
	size_t rounds;
	double *k;                    /* width, sums to one */
	double *share;                /* n: what of a channel arrives inside */
};

static void release(void *state)
{
	struct kernel *k = state;
	free(k->k);
	free(k->share);
	free(k);
}

/* out_i = sum_j k_(i - j + top) x_j */
static void blur(const struct kernel *k, const double *x, double *out)
{
	for (size_t i = 0; i < k->n; i++) {
		const size_t low = i + k->top + 1 > k->width ? i + k->top + 1 - k->width : 0, high = i + k->top < k->n ? i + k->top : k->n - 1;
		out[i] = 0;
		for (size_t j = low; j <= high; j++)
			out[i] += k->k[i + k->top - j] * x[j];
	}
}

/* The transpose: out_j = sum_i k_(i - j + top) y_i */
static void gather(const struct kernel *k, const double *y, double *out)
{
	for (size_t j = 0; j < k->n; j++) {
		const size_t low = j > k->top ? j - k->top : 0, end = j + k->width - k->top, high = end < k->n ? end : k->n;
		out[j] = 0;
		for (size_t i = low; i < high; i++)
			out[j] += k->k[i + k->top - j] * y[i];
	}
}

/* Negative values are taken as zero. scratch: y, what the estimate looks like blurred, and corrections. */
static bool sharpen(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct kernel *k = state;
	double *y = scratch, *seen = y + k->n, *by = seen + k->n, sum = 0, all = 0;
	(void)pixel;
	for (size_t i = 0; i < k->n; i++) {
		y[i] = fmax(in[i], 0);
		sum += y[i];
		all += k->share[i];
	}
	for (size_t i = 0; i < k->n; i++)
		out[i] = sum / all;
	for (size_t round = 0; round < k->rounds; round++) {
		blur(k, out, seen);
		for (size_t i = 0; i < k->n; i++)
			seen[i] = seen[i] > 0 ? y[i] / seen[i] : 0;
		gather(k, seen, by);
		for (size_t i = 0; i < k->n; i++)
			out[i] = k->share[i] > 0 ? out[i] * by[i] / k->share[i] : 0;
	}
	return true;
}

/* One spectrum from a file, of the same steps: its values, and its axis in *a, or NULL. */
static double *read_spectrum(const struct hs_stage *before, const struct hs_axis *axis, const char *path, struct hs_axis *a,
	struct hs_err *err)
{
	struct hs_other other;
	struct hs_batch b = { 0 };
	double *v = NULL;
	if (!before->files)
		hs_fail(err, HS_USAGE, "no files can be opened here");
	if (!before->files || before->files->open(before->files->ctx, path, &other, err) < 0)
		return NULL;
	const struct hs_signal *s = other.signal;
	struct hs_rowsource *rows = other.source;
	*a = hs_axis_dup(&s->axis[s->rank - 1]);
	if (s->sig_rank != 1 || rows->n_rows != 1)
		hs_fail(err, HS_BAD_DATA, "'%s' is not one spectrum", path);
	else if (axis->n > 1 && a->n > 1 && (strcmp(a->units, axis->units) != 0 || !hs_axis_is_uniform(a) || !hs_axis_is_uniform(axis) ||
		fabs(hs_axis_step(a) - hs_axis_step(axis)) > 1e-3 * hs_axis_step(axis)))
		hs_fail(err, HS_BAD_DATA, "'%s' and the data do not have channels of one width (see --resample)", path);
	else if (rows->rewind(rows, err) == 0 && rows->next(rows, &b, err) == 0 && (b.n_rows != 1 || b.skip[0]))
		hs_fail(err, HS_BAD_DATA, "'%s' holds values that are not finite", path);
	if (!hs_failed(err))
		v = hs_alloc(a->n, sizeof *v, err);
	for (size_t i = 0; v && i < a->n; i++)
		v[i] = rows->type == HS_ROW_F32 ? (double)((const float *)b.x)[i] : ((const double *)b.x)[i];
	other.close(other.handle);
	if (!v)
		hs_axis_release(a);
	return v;
}

static int prepare(struct kernel *k, const char *path, struct hs_err *err)
{
	double sum = 0;
	for (size_t i = 0; i < k->width; i++) {
		k->k[i] = fmax(k->k[i], 0);
		sum += k->k[i];
		k->top = k->k[i] > k->k[k->top] ? i : k->top;
	}
	if (!(sum > 0) || !isfinite(sum))
		return hs_fail(err, HS_BAD_DATA, "'%s' holds nothing above 0", path);
	for (size_t i = 0; i < k->width; i++)
		k->k[i] /= sum;
	double *one = hs_alloc(k->n, sizeof *one, err);
	if (!one || !(k->share = hs_alloc(k->n, sizeof *k->share, err))) {
		free(one);
		return -1;
	}
	for (size_t i = 0; i < k->n; i++)
		one[i] = 1;
	gather(k, one, k->share);
	free(one);
	return 0;
}

/* "FILE,N": path (caller frees) and what stands behind the last comma. */
static const char *split(const char *rest, char **path)
{
	const char *comma = rest ? strrchr(rest, ',') : NULL;
	*path = comma ? hs_must_printf("%.*s", (int)(comma - rest), rest) : NULL;
	return comma ? comma + 1 : NULL;
}

static int open_rl(struct hs_stage *stage, const struct hs_stage *before, const struct hs_axis *axis, const char *path,
	const char *number, struct hs_err *err)
{
	struct kernel *k = hs_must_alloc(1, sizeof *k);
	struct hs_axis a;
	k->n = before->n_chan;
	hs_stage_begin(stage, before, k, release);
	if (hs_op_count(hs_must_dup(number), "the number of rounds", 1, 100000, &k->rounds, err) < 0)
		return -1;
	if (!(k->k = read_spectrum(before, axis, path, &a, err)))
		return -1;
	k->width = a.n;
	hs_axis_release(&a);
	return prepare(k, path, err) < 0 ? -1 : hs_stage_rows(stage, before, 3 * k->n, sharpen, err);
}

static void release_plural(void *state)
{
	hs_plural_release(state);
	free(state);
}

/* path NULL: the logarithm. */
static int open_plural(struct hs_stage *stage, const struct hs_stage *before, const struct hs_axis *axis, const char *path,
	const char *number, struct hs_err *err)
{
	struct hs_plural *p = hs_must_alloc(1, sizeof *p);
	double until;
	hs_stage_begin(stage, before, p, release_plural);
	if (hs_parse_quantity(number, axis->units, &until, err) < 0)
		return -1;
	if (!path) {
		if (hs_plural_log(p, axis, until, err) < 0)
			return -1;
	} else {
		struct hs_axis a;
		double *l = read_spectrum(before, axis, path, &a, err);
		const int verdict = l ? hs_plural_ratio(p, before->n_chan, &a, l, until, err) : -1;
		if (l)
			hs_axis_release(&a);
		free(l);
		if (verdict < 0)
			return -1;
	}
	return hs_stage_rows(stage, before, hs_plural_scratch(p), hs_plural_row, err);
}

static int open_deconvolve(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	const char *rest;
	char *path = NULL;
	if (hs_op_spectrum(before, "deconvolution", &axis, err) < 0)
		return -1;
	char *word = hs_op_word(args, &rest);
	const char *number = split(rest, &path);
	int verdict;
	if (!strcmp(word, "rl") && number)
		verdict = open_rl(stage, before, axis, path, number, err);
	else if (!strcmp(word, "fourier-ratio") && number)
		verdict = open_plural(stage, before, axis, path, number, err);
	else if (!strcmp(word, "fourier-log") && rest)
		verdict = open_plural(stage, before, axis, NULL, rest, err);
	else
		verdict = hs_fail(err, HS_USAGE, "'%.60s' is none of rl:FILE,N, fourier-log:E and fourier-ratio:FILE,E", args);
	free(word);
	free(path);
	return verdict;
}

const struct hs_op hs_op_deconvolve = { .name = "deconvolve", .metavar = "HOW",
	.help = "rl:FILE,N fourier-log:E fourier-ratio:FILE,E", .open = open_deconvolve };
