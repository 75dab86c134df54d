#include "cluster/gap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cluster/coordinates.h"
#include "cluster/kmeans.h"

struct hs_gap_options hs_gap_defaults(size_t k_max)
{
	return (struct hs_gap_options){ .k_max = k_max, .n_reference = 10, .restarts = 3 };
}

void hs_gap_release(struct hs_gap *gap)
{
	free(gap->gap);
	free(gap->error);
	*gap = (struct hs_gap){ 0 };
}

/* The data along their principal components: projected when they have many channels, rotated when few. */
static int turn(const double *x, size_t n, size_t p, struct hs_coordinates *z, struct hs_err *err)
{
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, err);
	int verdict = rows ? 0 : -1;
	if (verdict == 0 && p <= HS_GAP_AXES) {
		/* one zero channel more than the limit makes it turn them, too */
		double *wide = hs_alloc(n, (HS_GAP_AXES + 1) * sizeof *wide, err);
		for (size_t i = 0; wide && i < n; i++)
			memcpy(wide + i * (HS_GAP_AXES + 1), x + i * p, p * sizeof *wide);
		struct hs_rowsource *more = wide ? hs_array_rows_new(wide, HS_ROW_F64, n, HS_GAP_AXES + 1, NULL, err) : NULL;
		verdict = more ? hs_coordinates_find(more, p, false, z, err) : -1;
		hs_array_rows_free(more);
		free(wide);
	} else if (verdict == 0) {
		verdict = hs_coordinates_find(rows, HS_GAP_AXES, false, z, err);
	}
	hs_array_rows_free(rows);
	return verdict;
}

static int log_inertia(const double *x, size_t n, size_t p, size_t k, const struct hs_gap_options *opt, double *log_w,
	struct hs_err *err)
{
	struct hs_kmeans_options o = hs_kmeans_defaults(k);
	struct hs_kmeans km = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, err);
	o.restarts = opt->restarts;
	o.seed = opt->seed;
	o.tol = 1e-6;
	const int verdict = rows ? hs_kmeans(rows, &o, &km, err) : -1;
	*log_w = log(km.inertia);
	hs_kmeans_release(&km);
	hs_array_rows_free(rows);
	return verdict;
}

/* Reference number b; each row has random numbers of its own. */
static void uniform(const double *low, const double *high, size_t n, size_t p, uint64_t seed, size_t b, double *x)
{
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_REFERENCE, (uint64_t)b << 40 | i);
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = low[j] + (high[j] - low[j]) * hs_rng_uniform(&rng);
	}
}

/* log W of the data and of all references, for k clusters: log_w has room for 1 + B. */
static int try_k(const struct hs_coordinates *z, const double *box, size_t k, const struct hs_gap_options *opt, double *scratch,
	double *log_w, struct hs_err *err)
{
	const size_t n = z->n_used, p = z->n_chan;
	if (log_inertia(z->x, n, p, k, opt, log_w, err) < 0)
		return -1;
	for (size_t b = 0; b < opt->n_reference; b++) {
		uniform(box, box + p, n, p, opt->seed, b, scratch);
		if (log_inertia(scratch, n, p, k, opt, log_w + 1 + b, err) < 0)
			return -1;
	}
	return 0;
}

static void compare(const double *log_w, size_t n_reference, double *gap, double *error)
{
	double mean = 0, square = 0;
	for (size_t b = 0; b < n_reference; b++)
		mean += log_w[1 + b] / (double)n_reference;
	for (size_t b = 0; b < n_reference; b++)
		square += (log_w[1 + b] - mean) * (log_w[1 + b] - mean) / (double)n_reference;
	const bool no_reference = !isfinite(mean);
	*gap = no_reference ? NAN : mean - log_w[0];
	*error = no_reference ? NAN : sqrt(square * (1 + 1 / (double)n_reference));
}

static size_t choose(const struct hs_gap *g)
{
	for (size_t k = 1; k < g->n; k++)
		if (g->gap[k - 1] >= g->gap[k] - g->error[k])
			return k;
	return 0;
}

static void find_box(const struct hs_coordinates *z, double *box)
{
	const size_t p = z->n_chan;
	for (size_t j = 0; j < p; j++) {
		box[j] = INFINITY;
		box[p + j] = -INFINITY;
		for (size_t i = 0; i < z->n_used; i++) {
			box[j] = fmin(box[j], z->x[i * p + j]);
			box[p + j] = fmax(box[p + j], z->x[i * p + j]);
		}
	}
}

int hs_gap(const double *x, size_t n, size_t p, const struct hs_gap_options *opt, struct hs_gap *out, struct hs_err *err)
{
	struct hs_coordinates z = { 0 };
	double *box = NULL, *scratch = NULL, *log_w = NULL;
	*out = (struct hs_gap){ 0 };
	if (!opt->k_max || opt->n_reference < 2 || !opt->restarts || !n || !p)
		return hs_fail(err, HS_USAGE, "the gap statistic needs rows, at least two references and at least one cluster");
	int verdict = turn(x, n, p, &z, err);
	if (verdict == 0 && !((out->gap = hs_alloc(opt->k_max, sizeof(double), err)) &&
		(out->error = hs_alloc(opt->k_max, sizeof(double), err)) && (box = hs_alloc(2 * z.n_chan, sizeof *box, err)) &&
		(scratch = hs_alloc(z.n_used * z.n_chan, sizeof *scratch, err)) &&
		(log_w = hs_alloc(opt->n_reference + 1, sizeof *log_w, err))))
		verdict = -1;
	if (verdict == 0)
		find_box(&z, box);
	for (size_t k = 1; k <= opt->k_max && verdict == 0; k++) {
		if (k > 1 && opt->stop && opt->stop(opt->stop_ctx))
			break;
		verdict = try_k(&z, box, k, opt, scratch, log_w, err);
		if (verdict == 0) {
			compare(log_w, opt->n_reference, out->gap + k - 1, out->error + k - 1);
			out->n = k;
		}
	}
	if (verdict == 0)
		out->chosen = choose(out);
	hs_coordinates_release(&z);
	free(box);
	free(scratch);
	free(log_w);
	if (verdict < 0)
		hs_gap_release(out);
	return verdict;
}
