#include "factor/separate.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"

enum { STRIP = 1024 };          /* pixels whose maps are computed at a time */

/* Channels as samples: sample c has the loadings of channel c, or their differences. */
static double *channel_samples(const struct hs_factored *f, size_t diff, struct hs_err *err)
{
	if (f->n_chan <= diff) {
		hs_fail(err, HS_USAGE, "%zu channels have no difference of order %zu", f->n_chan, diff);
		return NULL;
	}
	const size_t n = f->n_chan - diff, k = f->k;
	double *sample = hs_alloc(n, k * sizeof *sample, err);
	for (size_t c = 0; sample && c < n; c++)
		for (size_t i = 0; i < k; i++) {
			const double *l = f->l + i * f->n_chan + c;
			sample[c * k + i] = diff == 2 ? (l[2] - l[1]) - (l[1] - l[0]) : diff == 1 ? l[1] - l[0] : l[0];
		}
	return sample;
}

static void transpose(const double *a, size_t rows, size_t columns, double *out)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < columns; j++)
			out[j * rows + i] = a[i * columns + j];
}

/* maps = t unmix^T and spectra = mix^T l, or maps = t mix and spectra = unmix l. */
static void apply(const struct hs_factored *f, bool spectra, struct hs_separated *out)
{
	const size_t k = out->k;
	const int k_out = (int)k, k_in = (int)f->k, n_chan = (int)f->n_chan;
	if (spectra)
		memcpy(out->to_maps, out->ica.mix, k * f->k * sizeof(double));
	else
		transpose(out->ica.unmix, k, f->k, out->to_maps);
	cblas_dgemm(CblasRowMajor, spectra ? CblasNoTrans : CblasTrans, CblasNoTrans, k_out, n_chan, k_in, 1,
		spectra ? out->ica.unmix : out->ica.mix, spectra ? k_in : k_out, f->l, n_chan, 0, out->spectra, n_chan);
}

struct ranked {
	double share;
	size_t i;
};

static int by_share(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	return x->share > y->share ? -1 : x->share < y->share ? 1 : x->i < y->i ? -1 : 1;
}

/* Mean square of each map from the second moments of the scores, times the squared length of its spectrum. */
static int find_shares(const struct hs_factored *f, const struct hs_separated *s, struct ranked *ranked, struct hs_err *err)
{
	const size_t k_in = f->k, k = s->k;
	double *moment = hs_alloc(k_in * k_in, sizeof *moment, err), *product = moment ? hs_alloc(k_in, sizeof *product, err) : NULL;
	double total = 0;
	if (!product) {
		free(moment);
		return -1;
	}
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)k_in, (int)f->n_used, 1 / (double)(f->n_used ? f->n_used : 1), f->t,
		(int)k_in, 0, moment, (int)k_in);
	for (size_t i = 0; i < k; i++) {
		cblas_dsymv(CblasRowMajor, CblasUpper, (int)k_in, 1, moment, (int)k_in, s->to_maps + i, (int)k, 0, product, 1);
		const double square = cblas_ddot((int)k_in, product, 1, s->to_maps + i, (int)k);
		/* as a product of lengths, because squares of small and large data leave the range */
		const double length = cblas_dnrm2((int)f->n_chan, s->spectra + i * f->n_chan, 1) * sqrt(fmax(square, 0));
		ranked[i] = (struct ranked){ length, i };
		total = fmax(total, length);
	}
	double sum = 0;
	for (size_t i = 0; i < k; i++) {
		ranked[i].share = total > 0 ? ranked[i].share / total : 0;
		ranked[i].share *= ranked[i].share;
		sum += ranked[i].share;
	}
	for (size_t i = 0; i < k; i++)
		ranked[i].share = sum > 0 ? ranked[i].share / sum : 0;
	free(moment);
	free(product);
	return 0;
}

static int arrange(const struct hs_factored *f, bool spectra, struct hs_separated *out, struct hs_err *err)
{
	const size_t k = out->k, n_chan = f->n_chan;
	struct ranked *ranked = hs_alloc(k, sizeof *ranked, err);
	size_t *order = ranked ? hs_alloc(k, sizeof *order, err) : NULL;
	double *factor = order ? hs_alloc(k, sizeof *factor, err) : NULL;
	int verdict = factor ? find_shares(f, out, ranked, err) : -1;
	if (verdict == 0) {
		qsort(ranked, k, sizeof *ranked, by_share);
		for (size_t i = 0; i < k; i++) {
			const double *spectrum = out->spectra + ranked[i].i * n_chan, length = cblas_dnrm2((int)n_chan, spectrum, 1);
			order[i] = ranked[i].i;
			out->share[i] = ranked[i].share;
			factor[i] = hs_la_sign(spectrum, n_chan) * (spectra && length > 0 ? 1 / length : 1);
		}
		hs_ica_arrange(&out->ica, order, factor);
		apply(f, spectra, out);
	}
	free(ranked);
	free(order);
	free(factor);
	return verdict;
}

int hs_separate(const struct hs_factored *f, bool spectra, size_t diff, const struct hs_ica_options *o, struct hs_separated *out,
	struct hs_err *err)
{
	*out = (struct hs_separated){ 0 };
	double *channels = spectra ? channel_samples(f, diff, err) : NULL;
	if (spectra && !channels)
		return -1;
	int verdict = hs_ica(spectra ? channels : f->t, spectra ? f->n_chan - diff : f->n_used, f->k, o, &out->ica, err);
	free(channels);
	if (verdict < 0)
		return -1;
	out->k = out->ica.k;
	out->to_maps = hs_alloc(f->k * out->k, sizeof(double), err);
	out->spectra = out->to_maps ? hs_alloc(out->k * f->n_chan, sizeof(double), err) : NULL;
	out->share = out->spectra ? hs_alloc(out->k, sizeof(double), err) : NULL;
	if (!out->share)
		return -1;
	apply(f, spectra, out);
	return arrange(f, spectra, out, err);
}

void hs_separated_release(struct hs_separated *s)
{
	hs_ica_release(&s->ica);
	free(s->to_maps);
	free(s->spectra);
	free(s->share);
	*s = (struct hs_separated){ 0 };
}

int hs_separated_maps(const struct hs_factored *f, const struct hs_separated *s, hs_rows_put put, void *to, struct hs_err *err)
{
	const size_t k = s->k, k_in = f->k;
	float *strip = hs_alloc(STRIP * k, sizeof *strip, err);
	const double *t = f->t;
	int verdict = strip ? 0 : -1;
	for (size_t first = 0; first < f->n_pix && verdict == 0; first += STRIP) {
		const size_t n = f->n_pix - first < STRIP ? f->n_pix - first : STRIP;
		for (size_t i = 0; i < n; i++) {
			for (size_t a = 0; a < k; a++) {
				double sum = 0;
				for (size_t j = 0; f->used[first + i] && j < k_in; j++)
					sum += t[j] * s->to_maps[j * k + a];
				strip[i * k + a] = f->used[first + i] ? (float)sum : NAN;
			}
			t += f->used[first + i] ? k_in : 0;
		}
		verdict = put(to, first, n, strip, err);
	}
	free(strip);
	return verdict;
}

size_t hs_separate_bytes(size_t n_pix, size_t k, size_t n_chan, bool spectra, const struct hs_ica_options *o, int threads)
{
	return n_pix + (n_pix * k + (spectra ? 3 : 2) * k * n_chan + 2 * k * k + STRIP * k + 8 * k) * sizeof(double)
		+ hs_ica_bytes(spectra ? n_chan : n_pix, k, o, threads);
}
