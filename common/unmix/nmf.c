#include "unmix/nmf.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"
#include "math/moments.h"
#include "unmix/nmf_fit.h"
#include "factor/pca.h"
#include "math/vector.h"

struct hs_nmf_options hs_nmf_defaults(size_t k)
{
	return (struct hs_nmf_options){ .k = k, .restarts = 4, .max_iter = 2000, .tol = 1e-5 };
}

int hs_nmf_factors_init(struct hs_nmf_factors *f, size_t n, size_t p, size_t k, struct hs_err *err)
{
	*f = (struct hs_nmf_factors){ .n = n, .p = p, .k = k };
	f->w = hs_alloc(hs_nmf_tiles(n) * k, HS_NMF_TILE * sizeof(double), err);
	f->h = f->w ? hs_alloc(k * p, sizeof(double), err) : NULL;
	return f->h ? 0 : -1;
}

void hs_nmf_factors_release(struct hs_nmf_factors *f)
{
	free(f->w);
	free(f->h);
	*f = (struct hs_nmf_factors){ 0 };
}

int hs_nmf_trace(struct hs_nmf *out, double objective, struct hs_err *err)
{
	double *longer = realloc(out->trace, (out->n_trace + 1) * sizeof *longer);
	if (!longer)
		return hs_fail(err, HS_SYSTEM, "out of memory for the trace of %zu passes", out->n_trace);
	out->trace = longer;
	out->trace[out->n_trace++] = objective;
	return 0;
}

/* ------------------------------------------------------------------ what is handed out */

struct place {
	double total;
	size_t from;
};

static int by_total(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return x->from < y->from ? -1 : 1;
}

/* Mean of a spectrum and sum of its map: their product is what the component adds up to. */
static double spectrum_mean(const struct hs_nmf_factors *f, size_t j)
{
	double sum = 0;
	for (size_t l = 0; l < f->p; l++)
		sum += f->h[j * f->p + l];
	return sum / (double)f->p;
}

static double map_sum(const struct hs_nmf_factors *f, size_t j)
{
	double sum = 0;
	for (size_t t = 0; t < hs_nmf_tiles(f->n); t++)
		for (size_t i = 0; i < HS_NMF_TILE; i++)
			sum += f->w[(t * f->k + j) * HS_NMF_TILE + i];
	return sum;
}

/* Scale and order of nmf.h, in place in f, and the maps of all rows in out. A map or spectrum of zeros makes both zero, unless
 * maps sum to 1: then a spectrum of zeros is black. */
static int present(const struct hs_nmf_data *data, struct hs_nmf_factors *f, struct hs_nmf *out, struct hs_err *err)
{
	const size_t k = f->k, p = f->p, n_rows = out->n_rows;
	const bool fixed = data->opt->sum_to_one;
	struct place *place = hs_alloc(k, sizeof *place, err);
	double *h = place ? hs_alloc(k * p, sizeof *h, err) : NULL, *row = h ? hs_alloc(k, 2 * sizeof *row, err) : NULL;
	if (!row) {
		free(place);
		free(h);
		return -1;
	}
	for (size_t j = 0; j < k; j++) {
		const double mean = spectrum_mean(f, j), sum = map_sum(f, j), total = mean * sum;
		place[j] = (struct place){ .total = total, .from = j };
		row[k + j] = fixed ? 1 : total > 0 ? mean : 0;
		out->n_empty += !(total > 0);
	}
	qsort(place, k, sizeof *place, by_total);
	for (size_t j = 0; j < k; j++) {
		const double scale = row[k + place[j].from];
		for (size_t l = 0; l < p; l++)
			h[j * p + l] = scale > 0 ? f->h[place[j].from * p + l] / scale : 0;
	}
	memcpy(f->h, h, k * p * sizeof *h);
	for (size_t i = 0; i < f->n; i++) {
		for (size_t j = 0; j < k; j++)
			row[j] = f->w[hs_nmf_at(k, i, place[j].from)] * row[k + place[j].from];
		for (size_t j = 0; j < k; j++)
			f->w[hs_nmf_at(k, i, j)] = row[j];
	}
	out->h = h;
	free(place);
	free(row);
	out->w = hs_alloc(n_rows * k, sizeof *out->w, err);
	if (!out->w)
		return -1;
	for (size_t i = 0, number = 0; i < n_rows; i++) {
		const bool in = data->use[i] != HS_NMF_OUT;
		for (size_t j = 0; j < k; j++)
			out->w[i * k + j] = in ? f->w[hs_nmf_at(k, number, j)] : (double)NAN;
		number += in;
	}
	return 0;
}

static int check(const struct hs_rowsource *rows, const struct hs_nmf_options *o, struct hs_err *err)
{
	if (!o->k || !o->restarts || !o->max_iter)
		return hs_fail(err, HS_USAGE, "components, restarts and iterations of NMF are at least 1");
	if (o->k > 4096 || rows->n_chan > INT32_MAX / 4096)
		return hs_fail(err, HS_USAGE, "NMF of %zu components and %zu channels is out of range", o->k, rows->n_chan);
	if (!(o->sparse >= 0) || !(o->smooth >= 0) || !isfinite(o->sparse) || !isfinite(o->smooth) || !(o->tol >= 0))
		return hs_fail(err, HS_USAGE, "penalties and tolerance of NMF are not negative");
	if (o->loss == HS_NMF_POISSON && (o->sparse > 0 || o->smooth > 0 || o->sum_to_one))
		return hs_fail(err, HS_USAGE, "penalties and sums of one go with the Euclidean loss only");
	if (o->sum_to_one && o->sparse > 0)
		return hs_fail(err, HS_USAGE, "maps that sum to one have no other sum to make small: no sparseness with it");
	return 0;
}

int hs_nmf(struct hs_rowsource *rows, const struct hs_nmf_options *opt, struct hs_nmf *out, struct hs_err *err)
{
	struct hs_nmf_options o = *opt;
	struct hs_nmf_data data = { .rows = rows, .opt = &o };
	struct hs_nmf_factors f = { 0 };
	*out = (struct hs_nmf){ .n_rows = rows->n_rows, .n_chan = rows->n_chan, .k = o.k };
	if (check(rows, opt, err) < 0)
		return -1;
	o.lean = o.lean || (rows->n_chan > HS_MOMENTS_MAX && rows->n_rows > HS_MOMENTS_MAX);
	int verdict = o.loss == HS_NMF_POISSON ? hs_nmf_kl(&data, &f, out, err) : hs_nmf_euclid(&data, &f, out, err);
	out->residual = verdict == 0 ? hs_alloc(rows->n_rows, sizeof *out->residual, err) : NULL;
	if (verdict == 0)
		verdict = out->residual ? present(&data, &f, out, err) : -1;
	if (verdict == 0)
		verdict = hs_nmf_residual_pass(&data, &f, out->residual, &out->error2, err);
	out->n_used = data.n_used;
	out->n_gaps = data.n_gaps;
	out->norm2 = data.norm2;
	out->negative = data.norm2 > 0 ? data.negative2 / data.norm2 : 0;
	out->n_passes = data.n_passes;
	hs_nmf_factors_release(&f);
	hs_nmf_data_release(&data);
	return verdict;
}

void hs_nmf_release(struct hs_nmf *result)
{
	free(result->w);
	free(result->h);
	free(result->residual);
	free(result->trace);
	*result = (struct hs_nmf){ 0 };
}

size_t hs_nmf_bytes(size_t n_rows, size_t n_chan, const struct hs_nmf_options *o, int threads)
{
	const int t = threads > 0 ? threads : hs_par_threads();
	const double n = (double)n_rows, p = (double)n_chan, k = (double)o->k, most = n < p ? n : p;
	const double r = most < k + HS_NMF_BEYOND ? most : k + HS_NMF_BEYOND, ld = r + 2 * k;
	const double factors = 8 * ((n + HS_NMF_TILE) * k + k * p),
		     passes = hs_nmf_pass_bytes(n, n_chan, o->k, o->lean ? 0 : (size_t)ld, t);
	if (o->lean)
		return (size_t)(factors * 2 + passes + 8 * (n + 4 * k * (p + k)));
	const double low = 8 * (n + p) * ld, moments = (double)hs_moments_bytes(n_rows, n_chan, t)
		+ (double)hs_pca_bytes(n_rows, n_chan, (size_t)r, t), sums = 16 * k * (p + k + ld) + 8 * k * (k + 2 * p);
	const double solve = low + 2 * factors + sums + (passes > hs_nmf_low_bytes(n, p, ld, k, t) ? passes :
		hs_nmf_low_bytes(n, p, ld, k, t)), kl = o->loss == HS_NMF_POISSON ? 3 * factors : 0;
	return (size_t)((moments > solve ? moments : solve) + kl + n);
}
