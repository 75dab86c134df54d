#include "factor/em_pca.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "factor/rank.h"

enum { MOST_ROUNDS = 200, FREE_ROUNDS = 8 };
#define SPAN_SETTLED 1e-6             /* sine of the angle */
#define VARIANCE_SETTLED 1e-8         /* of the whole variance */

/* The first model: channels at their means; with Poisson scaling one component, the mean spectrum. */
static void begin(struct hs_em_pca *e, const double *mean)
{
	struct hs_row_frame *f = &e->frame;
	const size_t p = f->n_chan;
	double level = 0, length = 0;
	for (size_t j = 0; j < p; j++) {
		level += mean[j] / (double)p;
		f->root_sum[j] = mean[j] > 0 ? sqrt(mean[j]) : 0;
		length += f->root_sum[j] * f->root_sum[j];
	}
	for (size_t j = 0; j < p; j++) {
		f->shift[j] = mean[j] - (f->centre == HS_CENTRE_BOTH ? level : 0);
		e->vector[j] = length > 0 ? f->root_sum[j] / sqrt(length) : 0;
	}
	e->variance[0] = 1;
	e->model = (struct hs_fill_model){ .frame = f, .k = f->poisson, .vector = e->vector, .variance = e->variance };
}

static double share_filled(const struct hs_em_pca *e, const struct hs_pca *pca)
{
	return fmin((double)e->gaps.n_elements / ((double)pca->n_used * (double)pca->n_chan), 0.99);
}

/* The model becomes that of pca; returns whether anything moved that counts. */
static bool follow(struct hs_em_pca *e, const struct hs_pca *pca, size_t k)
{
	struct hs_row_frame *f = &e->frame;
	const size_t p = f->n_chan;
	double known = 0, moved = 0, lost = k == e->model.k ? 0 : 1, drift = 0;
	for (size_t c = 0; c < k; c++)
		known += pca->eigenvalue[c];
	for (size_t c = 0; c < k && c < e->model.k; c++)
		moved += fabs(pca->eigenvalue[c] - e->variance[c]);
	for (size_t c = 0; c < k && k == e->model.k; c++) {
		double within = 0;
		for (size_t d = 0; d < k; d++) {
			const double dot = cblas_ddot((int)p, pca->basis + c * p, 1, e->vector + d * p, 1);
			within += dot * dot;
		}
		lost = fmax(lost, fmax(1 - within, 0));
	}
	for (size_t j = 0; j < p; j++) {
		const double d = f->poisson ? pca->frame.root_sum[j] / (1e-300 + f->root_sum[j]) - 1 : pca->frame.shift[j] - f->shift[j];
		drift += d * d;
		f->shift[j] = pca->frame.shift[j];
		f->root_sum[j] = f->poisson ? pca->frame.root_sum[j] : 0;
	}
	memcpy(e->vector, pca->basis, k * p * sizeof(double));
	memcpy(e->variance, pca->eigenvalue, k * sizeof(double));
	e->k = e->model.k = k;
	const size_t left = pca->n_chan_free > k ? pca->n_chan_free - k : 1;
	e->model.noise = fmax(pca->total - known, 0) / (double)left / (1 - share_filled(e, pca));
	/* sine squared below 1e-14 is rounding of the dot products */
	return lost > fmax(SPAN_SETTLED * SPAN_SETTLED, 1e-14) || moved > VARIANCE_SETTLED * pca->total ||
		drift > VARIANCE_SETTLED * VARIANCE_SETTLED * (f->poisson ? (double)p : pca->total * (double)p);
}

/* Filled elements are no measurements: the share s of them brings neither noise nor news. The test looks at the eigenvalues that
 * noise in them would have made, of 1 - s times as many spectra; otherwise what the fill repeats would look like signal. */
static int rank_of(const struct hs_em_pca *e, const struct hs_pca *pca, size_t *k, struct hs_err *err)
{
	struct hs_ranks ranks;
	const double s = share_filled(e, pca), added = s * e->model.noise;
	double *eig = hs_alloc(pca->n_eig, sizeof *eig, err);
	if (!eig)
		return -1;
	for (size_t i = 0; i < pca->n_eig; i++)
		eig[i] = pca->eigenvalue[i] + added;
	const int verdict = hs_ranks_find_among(&ranks, eig, pca->n_eig, pca->total + added * (double)pca->n_chan_free, pca->floor,
		(size_t)ceil((double)pca->n_rows_free * (1 - s)), pca->n_chan_free, err);
	free(eig);
	if (verdict < 0)
		return -1;
	*k = ranks.tw > ranks.p / 4 ? ranks.gd : ranks.chosen;
	if (!*k && pca->frame.poisson)
		*k = 1;
	return 0;
}

static int rounds(struct hs_em_pca *e, struct hs_pca *pca, const struct hs_pca_how *how, size_t k, bool (*stop)(void *),
	void *stop_ctx, struct hs_err *err)
{
	for (e->n_iter = 0; e->n_iter < MOST_ROUNDS && !e->converged; e->n_iter++) {
		if (e->n_iter && stop && stop(stop_ctx))
			break;
		hs_pca_release(pca);
		struct hs_pca_how quiet = *how;
		quiet.silent = e->n_iter > 0;
		if (hs_pca_find(pca, e->filled, &quiet, err) < 0)
			return -1;
		size_t fill = k ? k : e->model.k;
		if (!k && e->n_iter < FREE_ROUNDS && rank_of(e, pca, &fill, err) < 0)
			return -1;
		e->converged = !follow(e, pca, fill < pca->n_comp ? fill : pca->n_comp) || !e->gaps.n_elements;
		hs_detail("gaps, round %zu: %zu components fill", e->n_iter + 1, e->k);
	}
	return 0;
}

int hs_em_pca_find(struct hs_em_pca *e, struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_gaps *gaps,
	const struct hs_pca_how *how, size_t k, bool (*stop)(void *), void *stop_ctx, struct hs_err *err)
{
	const size_t p = rows->n_chan, most = how->n_comp > 0 ? how->n_comp : 1;
	*e = (struct hs_em_pca){ .frame = { .n_chan = p, .centre = how->options.centre, .poisson = how->options.poisson } };
	*pca = (struct hs_pca){ 0 };
	if (how->method == HS_PCA_SKETCH)
		return hs_fail(err, HS_USAGE, "gaps are filled by reading the spectra again and again: not by a sketch");
	double *mean = hs_alloc(p, sizeof *mean, err);
	const bool ok = mean && (e->frame.shift = hs_alloc(p, sizeof(double), err)) &&
		(e->frame.root_sum = hs_alloc(p, sizeof(double), err)) && (e->vector = hs_alloc(most, p * sizeof(double), err)) &&
		(e->variance = hs_alloc(most, sizeof(double), err));
	int verdict = ok ? hs_gaps_survey(rows, gaps, &e->gaps, mean, err) : -1;
	if (verdict == 0) {
		begin(e, mean);
		e->filled = hs_filled_new(rows, gaps, &e->model, err);
		verdict = e->filled ? rounds(e, pca, how, k, stop, stop_ctx, err) : -1;
	}
	free(mean);
	return verdict;
}

void hs_em_pca_release(struct hs_em_pca *e)
{
	hs_filled_free(e->filled);
	free(e->frame.shift);
	free(e->frame.root_sum);
	free(e->vector);
	free(e->variance);
	*e = (struct hs_em_pca){ 0 };
}

size_t hs_em_pca_bytes(size_t n_rows, size_t n_chan, enum hs_pca_method method, size_t n_comp, int threads)
{
	return hs_filled_bytes(n_chan, n_comp, threads) + (n_comp + 8) * n_chan * sizeof(double)
		+ hs_pca_find_bytes(n_rows, n_chan, method, n_comp, threads);
}
