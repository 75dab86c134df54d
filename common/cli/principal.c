#include "cli/principal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "math/par.h"
#include "factor/pca.h"
#include "factor/rank.h"

uint64_t hs_principal_bytes(size_t n_pix, size_t n_chan, size_t k, int threads)
{
	const uint64_t order = n_pix < n_chan ? n_pix : n_chan, moments = hs_moments_bytes(n_pix, n_chan, threads),
		       pca = order * order * sizeof(double) + hs_pca_bytes(n_pix, n_chan, k, threads),
		       scores = n_pix + (uint64_t)k * (n_pix + n_chan) * sizeof(double) + hs_pca_bytes(n_pix, n_chan, k, threads),
		       first = moments > pca ? moments : pca;
	return first > scores ? first : scores;
}

/* ------------------------------------------------------------------ of spectra */

static int decompose_once(const struct hs_moments_options *moments, struct hs_pixels *px, size_t most, struct hs_pca *pca,
	struct hs_err *err)
{
	struct hs_moments m = { 0 };
	int verdict = hs_moments_init(&m, px->source, moments, err);
	if (verdict == 0 && m.n_used < m.n_rows)
		hs_stage("%zu of %zu spectra left out: masked or not finite", m.n_rows - m.n_used, m.n_rows);
	if (verdict == 0 && m.n_negative)
		hs_warn("%zu spectra have a negative sum, which counts cannot have: they are taken as empty", m.n_negative);
	if (verdict == 0)
		verdict = hs_pca_init(pca, &m, px->source, most, err);
	hs_moments_release(&m);
	return verdict;
}

/* What follows may bring the last component to the size of the first, so its digits count: where it lies below what float32
 * products resolve, the pass is repeated in float64. */
static int decompose(const struct hs_principal_options *o, struct hs_pixels *px, struct hs_pca *pca, struct hs_err *err)
{
	const size_t most = o->n_comp ? o->n_comp : o->most;
	struct hs_moments_options moments = { .centre = o->poisson ? HS_CENTRE_NONE : HS_CENTRE_CHANNEL, .poisson = o->poisson,
		.exact = o->exact };
	if (decompose_once(&moments, px, most, pca, err) < 0)
		return -1;
	const size_t n = pca->n_eig;
	const double *e = pca->eigenvalue, last = !n ? 0 : o->n_comp ? e[o->n_comp < n ? o->n_comp - 1 : n - 1] : e[n / 2];
	if (moments.exact || px->source->type == HS_ROW_F64 || !(pca->total > 0) || last > 1e-6 * e[0])
		return 0;
	hs_stage("variances are as small as %.1g of the first: once more in float64", last / e[0]);
	hs_pca_release(pca);
	moments.exact = true;
	return decompose_once(&moments, px, most, pca, err);
}

/* Those asked for, or found; and no more than have variance beyond rounding. */
static int choose_number(const struct hs_principal_options *o, const struct hs_pca *pca, size_t *k, struct hs_err *err)
{
	const double order = (double)(pca->n_used > pca->n_chan ? pca->n_used : pca->n_chan);
	size_t rank = 0;
	while (rank < pca->n_eig && pca->eigenvalue[rank] > order * DBL_EPSILON * pca->eigenvalue[0])
		rank++;
	if (!rank)
		return hs_fail(err, HS_BAD_DATA, "there is nothing to take apart: the spectra do not differ");
	*k = o->n_comp;
	if (!o->n_comp) {
		struct hs_ranks r;
		hs_ranks_find(&r, pca->eigenvalue, pca->n_eig, pca->n_rows_free, pca->n_chan_free);
		hs_stage("rank: chosen %zu; Tracy-Widom %zu, Gavish-Donoho %zu, Minka %zu, BIC %zu", r.chosen, r.tw, r.gd, r.minka, r.bic);
		if (r.disagree)
			hs_warn("%s%s", r.reason, r.chosen ? "" : ": one is kept");
		*k = r.chosen ? r.chosen : 1;
	} else if (*k > rank) {
		hs_warn("%zu components asked, the data have %zu", *k, rank);
	}
	*k = *k < rank ? *k : rank;
	if (*k > pca->n_comp)
		return hs_fail(err, HS_SYSTEM, "%zu components are found, there is room for %zu: give -k, or more --memory", *k,
			pca->n_comp);
	return 0;
}

static int take_spectra(struct hs_principal *p, struct hs_pixels *px, const struct hs_principal_options *o, struct hs_err *err)
{
	struct hs_pca pca = { 0 };
	size_t k = 0;
	int verdict = decompose(o, px, &pca, err);
	if (verdict == 0)
		verdict = choose_number(o, &pca, &k, err);
	if (verdict == 0)
		verdict = hs_factored_init(&p->f, px->n_pix, k, px->n_chan, err);
	if (verdict == 0)
		verdict = hs_pca_scores(&pca, px->source, k, hs_factored_put, &p->f, err);
	if (verdict == 0) {
		memcpy(p->f.l, pca.loadings, k * px->n_chan * sizeof(double));
		if (!o->poisson) {
			p->mean = pca.frame.mean;
			pca.frame.mean = NULL;
		}
	}
	hs_pca_release(&pca);
	p->like = *px;
	return verdict;
}

/* ------------------------------------------------------------------ of scores */

/* The loadings that belong to the signal, when it is scores: a stack of maps, or of curves over points or along a line. The
 * latter look like spectra of components; turned is the signal as it is meant, pixels by components. */
static bool find_loadings(const struct hs_pixels *px, size_t *loadings, struct hs_pixels *turned)
{
	*turned = *px;
	if (!hs_session_sibling(px->in, px->index, "loadings", loadings) || *loadings == px->index)
		return false;
	const struct hs_signal *l = hs_in_signal(px->in, *loadings), *s = px->signal;
	if (l->rank != 2 || px->n_sig != 1 || l->axis[0].n != s->axis[0].n || strcmp(l->axis[0].name, s->axis[0].name))
		return false;
	if (px->sig[0] == 0)
		return true;
	turned->n_pix = px->n_chan;
	turned->n_chan = px->n_pix;
	turned->nav[0] = px->sig[0];
	turned->sig[0] = px->nav[0];
	return px->n_nav == 1;
}

bool hs_mean_was_removed(const struct hs_in *in, size_t signal)
{
	int sequence = 0;
	if (sscanf(hs_in_path(in, signal), "/entry/process_%d_hspca/", &sequence) != 1)
		return false;
	bool removed = true;
	for (size_t i = 0; i < hs_in_n_steps(in); i++) {
		const struct hs_step *step = hs_in_step(in, i);
		for (size_t k = 0; step->sequence == sequence && k < step->n_params; k++) {
			const struct hs_param *q = &step->param[k];
			if ((!strcmp(q->name, "poisson") && q->integer) || (!strcmp(q->name, "centre") && q->text && !strcmp(q->text, "none")))
				removed = false;
		}
	}
	return removed;
}

struct reading {
	struct hs_factored *f;
	double *row;
};

static int take_rows(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	const struct reading *r = ctx;
	const size_t k = r->f->k;             /* of the scores in the file the first k */
	for (size_t b = 0; b < n_blocks; b++)
		for (size_t i = 0; i < block[b].n_rows; i++) {
			const float *narrow = (const float *)block[b].x + i * block[b].n_chan;
			const double *wide = (const double *)block[b].x + i * block[b].n_chan;
			for (size_t j = 0; j < k; j++)
				r->row[j] = block[b].type == HS_ROW_F32 ? (double)narrow[j] : wide[j];
			if (!block[b].skip[i] && hs_factored_add(r->f, block[b].first_row + i, r->row, err) < 0)
				return -1;
		}
	return 0;
}

/* Scores that lie in the file as curves, component after component. */
static int take_curves(const struct hs_pixels *turned, struct hs_factored *f, double *row, struct hs_err *err)
{
	double *all = hs_in_read(turned->in, turned->index, err);
	int verdict = all ? 0 : -1;
	for (size_t i = 0; i < f->n_pix && verdict == 0; i++) {
		for (size_t j = 0; j < f->k; j++)
			row[j] = all[j * f->n_pix + i];
		verdict = hs_factored_add(f, i, row, err);
	}
	free(all);
	return verdict;
}

/* Results have the pixels of the scores and the channels of the loadings: a signal of that shape stands for both. */
static void join_axes(struct hs_principal *p, const struct hs_pixels *px, const struct hs_axis *channels)
{
	hs_pixels_map(px, &p->shape, "data", px->signal->quantity, px->signal->units, HS_F64);
	hs_signal_add_axis(&p->shape, hs_axis_dup(channels));
	hs_signal_shape_up(&p->shape, 1);
	p->like = *px;
	p->like.signal = &p->shape;
	p->like.n_chan = p->f.n_chan;
	p->like.n_nav = p->shape.rank - 1;
	p->like.n_sig = 1;
	p->like.sig[0] = p->like.n_nav;
	for (size_t i = 0; i < p->like.n_nav; i++)
		p->like.nav[i] = i;
}

/* px is the signal as it is meant; source, the rows as they lie in the file, is NULL for curves. */
static int take_scores(struct hs_principal *p, const struct hs_pixels *px, size_t from, struct hs_rowsource *source,
	const struct hs_principal_options *o, struct hs_err *err)
{
	const struct hs_signal *loading = hs_in_signal(px->in, from);
	const size_t k = o->n_comp && o->n_comp < px->n_chan ? o->n_comp : px->n_chan, n_chan = loading->axis[1].n;
	size_t mean;
	if (o->poisson)
		return hs_fail(err, HS_USAGE, "%s: these are scores already, Poisson scaling is for spectra", hs_in_path(px->in, px->index));
	if (o->n_comp > px->n_chan)
		hs_warn("%zu components asked, there are scores of %zu", o->n_comp, px->n_chan);
	if (hs_factored_init(&p->f, px->n_pix, k, n_chan, err) < 0)
		return -1;
	double *loadings = hs_in_read(px->in, from, err);
	if (!loadings)
		return -1;
	memcpy(p->f.l, loadings, k * n_chan * sizeof *loadings);
	free(loadings);
	if (hs_mean_was_removed(px->in, px->index) && hs_session_sibling(px->in, px->index, "mean", &mean) &&
		hs_signal_count(hs_in_signal(px->in, mean)) == n_chan && !(p->mean = hs_in_read(px->in, mean, err)))
		return -1;
	join_axes(p, px, &loading->axis[1]);
	struct reading r = { &p->f, hs_must_alloc(k, sizeof(double)) };
	const int verdict = source ? hs_waves_each(source, "scores", 1, take_rows, &r, err) : take_curves(px, &p->f, r.row, err);
	free(r.row);
	return verdict == 0 && !p->f.n_used ? hs_fail(err, HS_BAD_DATA, "no pixel has scores: all are masked or not finite") : verdict;
}

int hs_principal_init(struct hs_principal *p, struct hs_pixels *px, const struct hs_principal_options *options,
	struct hs_err *err)
{
	size_t loadings;
	struct hs_pixels scores;
	*p = (struct hs_principal){ 0 };
	if (!find_loadings(px, &loadings, &scores))
		return take_spectra(p, px, options, err);
	return take_scores(p, &scores, loadings, px->sig[0] == 0 ? px->source : NULL, options, err);
}

void hs_principal_release(struct hs_principal *p)
{
	hs_factored_release(&p->f);
	free(p->mean);
	hs_signal_release(&p->shape);
	*p = (struct hs_principal){ 0 };
}
