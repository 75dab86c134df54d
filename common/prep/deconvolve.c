/* Spectra sharpened by what is known of the blurring: Richardson and Lucy's iteration (J. Opt. Soc. Am. 62 (1972) 55, Astron. J. 79
 * (1974) 745), which goes to the largest likelihood of counts and keeps their sum and sign.
 *
 * Channels beyond the ends are unknown, not zero: the kernel's share that falls outside is allowed for, so no edge appears. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "prep/op.h"

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

/* The kernel from a file of one spectrum, of the same steps. */
static int read_kernel(struct kernel *k, const struct hs_stage *before, const struct hs_axis *axis, const char *path,
	struct hs_err *err)
{
	struct hs_other other;
	struct hs_batch b;
	if (!before->files || before->files->open(before->files->ctx, path, &other, err) < 0)
		return hs_failed(err) ? -1 : hs_fail(err, HS_USAGE, "no files can be opened here");
	const struct hs_signal *s = other.signal;
	const struct hs_axis *a = &s->axis[s->rank - 1];
	int verdict = 0;
	if (s->sig_rank != 1 || other.source->n_rows != 1)
		verdict = hs_fail(err, HS_BAD_DATA, "'%s' is not one spectrum", path);
	else if (axis->n > 1 && a->n > 1 && (strcmp(a->units, axis->units) != 0 || !hs_axis_is_uniform(a) || !hs_axis_is_uniform(axis) ||
		fabs(hs_axis_step(a) - hs_axis_step(axis)) > 1e-3 * hs_axis_step(axis)))
		verdict = hs_fail(err, HS_BAD_DATA, "'%s' and the data do not have channels of one width (see --resample)", path);
	else if (other.source->rewind(other.source, err) < 0 || other.source->next(other.source, &b, err) < 0)
		verdict = -1;
	else if (b.n_rows != 1 || b.skip[0])
		verdict = hs_fail(err, HS_BAD_DATA, "'%s' holds values that are not finite", path);
	k->width = other.source->n_chan;
	k->k = verdict == 0 ? hs_alloc(k->width, sizeof *k->k, err) : NULL;
	for (size_t i = 0; k->k && i < k->width; i++)
		k->k[i] = other.source->type == HS_ROW_F32 ? (double)((const float *)b.x)[i] : ((const double *)b.x)[i];
	other.close(other.handle);
	return k->k ? 0 : -1;
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

static int open_deconvolve(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	const char *rest, *comma = strrchr(args, ',');
	if (hs_op_spectrum(before, "deconvolution", &axis, err) < 0)
		return -1;
	char *word = hs_op_word(args, &rest);
	const bool known = !strcmp(word, "rl") && rest && comma;
	free(word);
	if (!known)
		return hs_fail(err, HS_USAGE, "'%.60s' is not rl:FILE,N", args);
	struct kernel *k = hs_must_alloc(1, sizeof *k);
	k->n = before->n_chan;
	hs_stage_begin(stage, before, k, release);
	if (hs_op_count(hs_must_dup(comma + 1), "the number of rounds", 1, 100000, &k->rounds, err) < 0)
		return -1;
	char *path = hs_must_printf("%.*s", (int)(comma - args - 3), args + 3);
	const int verdict = read_kernel(k, before, axis, path, err) < 0 ? -1 : prepare(k, path, err);
	free(path);
	return verdict < 0 ? -1 : hs_stage_rows(stage, before, 3 * k->n, sharpen, err);
}

const struct hs_op hs_op_deconvolve = { .name = "deconvolve", .metavar = "rl:FILE,N",
	.help = "N rounds of Richardson and Lucy, kernel in FILE", .open = open_deconvolve };
