/* What lies below the peaks, subtracted. Places along the axis are channel numbers, but for polynomials and widths.
 *
 * Spectra are divided by the power of two near their largest magnitude first, so that squares of 1e-300 and 1e300 are squares. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "math/la.h"
#include "math/whittaker.h"
#include "prep/op.h"

enum how { POLY, MODPOLY, ALS, ARPLS, SNIP, BALL };
#define WORDS "poly|modpoly|als|arpls|snip|ball"
enum { MOST_ROUNDS = 100, MOST_ORDER = 20 };

struct line {
	enum how how;
	size_t n, m;                  /* channels; coefficients */
	double *basis;                /* n x m, orthonormal columns */
	double lambda, p;
	size_t reach;                 /* snip, ball: channels to either side */
	bool counts;                  /* snip: on log(log(sqrt(y + 1) + 1) + 1) */
};

static void release(void *state)
{
	struct line *b = state;
	free(b->basis);
	free(b);
}

/* ------------------------------------------------------------------ polynomials */

/* c: m */
static void project(const struct line *b, const double *y, double *z, double *c)
{
	for (size_t j = 0; j < b->m; j++) {
		c[j] = 0;
		for (size_t i = 0; i < b->n; i++)
			c[j] += b->basis[i * b->m + j] * y[i];
	}
	for (size_t i = 0; i < b->n; i++) {
		z[i] = 0;
		for (size_t j = 0; j < b->m; j++)
			z[i] += b->basis[i * b->m + j] * c[j];
	}
}

/* What is above the polynomial is cut down to it, until nothing much is (Lieber, Mahadevan-Jansen, Appl. Spectrosc. 57 (2003)
 * 1363). scratch: n + m */
static void cut_down(const struct line *b, const double *y, double *z, double *scratch)
{
	double *low = scratch, *c = scratch + b->n;
	memcpy(low, y, b->n * sizeof *low);
	for (int round = 0; round < MOST_ROUNDS; round++) {
		double cut = 0;
		project(b, low, z, c);
		for (size_t i = 0; i < b->n; i++)
			if (low[i] > z[i]) {
				cut = fmax(cut, low[i] - z[i]);
				low[i] = z[i];
			}
		if (cut < 1e-6)
			return;
	}
}

/* Legendre's polynomials on the axis, made orthonormal over its channels. */
static int make_basis(struct line *b, const struct hs_axis *axis, struct hs_err *err)
{
	const size_t n = axis->n, m = b->m;
	const double first = axis->value[0], last = axis->value[n - 1], middle = (first + last) / 2;
	const double half = n > 1 ? fabs(last - first) / 2 : 1;
	double *r = hs_must_alloc(m * m, sizeof *r);
	b->basis = hs_alloc(n, m * sizeof *b->basis, err);
	for (size_t i = 0; b->basis && i < n; i++) {
		double *v = b->basis + i * m, t = (axis->value[i] - middle) / half;
		for (size_t j = 0; j < m; j++)
			v[j] = j == 0 ? 1 : j == 1 ? t : ((2 * (double)j - 1) * t * v[j - 1] - ((double)j - 1) * v[j - 2]) / (double)j;
	}
	const int verdict = b->basis ? hs_la_qr(b->basis, n, m, true, r, err) : -1;
	free(r);
	return verdict;
}

/* ------------------------------------------------------------------ snip */

/* A channel is at most the mean of the two p beside it, p falling from reach to 1 (Ryan and others, Nucl. Instrum. Methods B 34
 * (1988) 396; Morhac and others, Nucl. Instrum. Methods A 401 (1997) 113). scratch: n */
static void snip(const struct line *b, const double *y, double *z, double *scratch)
{
	for (size_t i = 0; i < b->n; i++)
		z[i] = b->counts ? log(log(sqrt(fmax(y[i], 0) + 1) + 1) + 1) : y[i];
	for (size_t p = b->reach; p > 0; p--) {
		memcpy(scratch, z, b->n * sizeof *z);
		for (size_t i = p; i + p < b->n; i++)
			z[i] = fmin(scratch[i], (scratch[i - p] + scratch[i + p]) / 2);
	}
	for (size_t i = 0; b->counts && i < b->n; i++) {
		const double root = exp(exp(z[i]) - 1) - 1;
		z[i] = root * root - 1;
	}
}

/* ------------------------------------------------------------------ rolling ball */

/* out_i: the smallest (sign 1) or largest (-1) of in over i - reach .. i + reach. queue: n numbers of channels. */
static void extreme(const double *in, double *out, size_t n, size_t reach, double sign, double *queue)
{
	size_t head = 0, tail = 0, next = 0;
	for (size_t i = 0; i < n; i++) {
		for (; next < n && next <= i + reach; next++) {
			while (tail > head && sign * in[(size_t)queue[tail - 1]] >= sign * in[next])
				tail--;
			queue[tail++] = (double)next;
		}
		while (queue[head] + (double)reach < (double)i)
			head++;
		out[i] = in[(size_t)queue[head]];
	}
}

/* Smallest, then largest, then mean value of a window (Kneen, Annegarn, Nucl. Instrum. Methods B 109 (1996) 209), never above the
 * spectrum. scratch: 2 n */
static void ball(const struct line *b, const double *y, double *z, double *scratch)
{
	const size_t n = b->n, w = b->reach;
	extreme(y, z, n, w, 1, scratch + n);
	extreme(z, scratch, n, w, -1, scratch + n);
	for (size_t i = 0; i < n; i++) {
		const size_t low = i < w ? 0 : i - w, high = i + w < n ? i + w : n - 1;
		double sum = 0;
		for (size_t k = low; k <= high; k++)
			sum += scratch[k];
		z[i] = fmin(y[i], sum / (double)(high - low + 1));
	}
}

/* ------------------------------------------------------------------ the operation */

static bool below(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	const struct line *b = state;
	double most = 0, *y = scratch, *z = y + b->n, *rest = z + b->n;
	int power = 0;
	(void)pixel;
	for (size_t i = 0; i < b->n; i++)
		most = fmax(most, fabs(in[i]));
	if (!b->counts)
		frexp(most, &power);
	for (size_t i = 0; i < b->n; i++)
		y[i] = ldexp(in[i], -power);
	switch (b->how) {
	case POLY: project(b, y, z, rest); break;
	case MODPOLY: cut_down(b, y, z, rest); break;
	case ALS: hs_whittaker_als(b->n, b->lambda, b->p, y, z, rest); break;
	case ARPLS: hs_whittaker_arpls(b->n, b->lambda, y, z, rest); break;
	case SNIP: snip(b, y, z, rest); break;
	case BALL: ball(b, y, z, rest); break;
	}
	for (size_t i = 0; i < b->n; i++)
		out[i] = ldexp(y[i] - z[i], power);
	return true;
}

/* The numbers behind the word. */
static int parse(struct line *b, const struct hs_axis *axis, const char *args, struct hs_err *err)
{
	const size_t most = axis->n - 1 < MOST_ORDER ? axis->n - 1 : MOST_ORDER;
	double width;
	char *first = hs_op_part(args, 0), *second = hs_op_part(args, 1);
	int verdict = 0;
	if (b->how == POLY || b->how == MODPOLY) {
		verdict = hs_op_count(first, "the order", 0, most, &b->m, err);
		b->m++;
		verdict = verdict == 0 ? make_basis(b, axis, err) : -1;
	} else if (b->how == SNIP) {
		verdict = hs_op_count(first, "the number of channels", 1, axis->n, &b->reach, err);
		b->counts = second && !strcmp(second, "counts");
		if (verdict == 0 && second && !b->counts)
			verdict = hs_fail(err, HS_USAGE, "'%.60s' is not 'counts'", second);
	} else if (b->how == BALL) {
		verdict = hs_op_positive(first, "the width", axis->units, &width, err);
		const double half = verdict == 0 ? rint(width / fabs(hs_axis_step(axis)) / 2) : 1;
		b->reach = half < 1 ? 1 : half < (double)axis->n ? (size_t)half : axis->n;
	} else {
		verdict = hs_op_positive(first, "lambda", "1", &b->lambda, err);
		b->p = 0.01;
		if (verdict == 0 && second && b->how == ALS)
			verdict = hs_parse_real(second, &b->p, err);
		if (verdict == 0 && !(b->p > 0 && b->p < 1))
			verdict = hs_fail(err, HS_USAGE, "the weight above the baseline is %g: it must be between 0 and 1", b->p);
	}
	free(second);
	return verdict;
}

static int open_baseline(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	const struct hs_axis *axis;
	const char *rest;
	if (hs_op_spectrum(before, "a baseline", &axis, err) < 0)
		return -1;
	char *word = hs_op_word(args, &rest);
	const int how = hs_word_index(WORDS, word);
	struct line *b = hs_must_alloc(1, sizeof *b);
	hs_stage_begin(stage, before, b, release);
	b->how = (enum how)how;
	b->n = before->n_chan;
	const int verdict = how >= 0 ? parse(b, axis, rest, err) : hs_fail(err, HS_USAGE,
		"'%.60s' is none of poly:N, modpoly:N, als:LAMBDA[,P], arpls:LAMBDA, snip:N[,counts] and ball:WIDTH", args);
	free(word);
	if (verdict < 0)
		return -1;
	return hs_stage_rows(stage, before, 6 * b->n + MOST_ORDER + 1, below, err);
}

const struct hs_op hs_op_baseline = { .name = "baseline", .metavar = "HOW",
	.help = "poly:N modpoly:N als:LAMBDA[,P] arpls:LAMBDA snip:N[,counts] ball:WIDTH", .open = open_baseline };
