#include "cli/components.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/factors.h"

enum { SCREE = 50 };          /* eigenvalues shown in the scree plot */

static int scores(void *ctx, hs_rows_put put, void *to, struct hs_err *err)
{
	const struct hs_components *a = ctx;
	return hs_pca_scores(a->pca, a->rows, a->k, put, to, err);
}

static int rebuilt(void *ctx, hs_rows_put put, void *to, struct hs_err *err)
{
	const struct hs_components *a = ctx;
	return hs_pca_rebuild(a->pca, a->rows, a->k, put, to, err);
}

static int write_components(struct hs_out *out, const struct hs_pixels *px, const struct hs_components *a, struct hs_err *err)
{
	struct hs_components pass = *a;
	const struct hs_factors f = { .k = a->k, .component = "component", .maps = "scores", .map_quantity = px->signal->quantity,
		.map_units = px->signal->units, .map = { .pass = a->with_scores ? scores : NULL, .ctx = &pass },
		.map_sigma = a->with_scores ? a->sigma : NULL, .spectra = "loadings",
		.spectrum_quantity = "loading", .spectrum_units = "1", .spectrum = a->pca->loadings, .mean = a->pca->frame.mean,
		.spectrum_comment = "sign: the element of largest magnitude is positive; order: by variance" };
	return hs_factors_put(out, px, &f, err);
}

static int write_denoised(struct hs_out *out, const struct hs_pixels *px, const struct hs_components *a, struct hs_err *err)
{
	struct hs_components pass = *a;
	const struct hs_factor_rows rows = { .pass = rebuilt, .ctx = &pass };
	struct hs_signal s;
	hs_pixels_cube(px, &s, "data", HS_F32);
	int verdict = hs_factors_stream(out, HS_AT_ENTRY, &s, false, NULL, &rows, px->n_pix, err);
	if (verdict == 0)
		verdict = hs_out_default(out, HS_AT_ENTRY, "data", err);
	hs_signal_release(&s);
	return verdict;
}

/* Ratios of more components than are kept, so that the scree plot shows where the noise begins. */
static int write_variance(struct hs_out *out, const struct hs_pixels *px, const struct hs_components *a, struct hs_err *err)
{
	const size_t wanted = a->k > SCREE ? a->k : SCREE, n = a->pca->n_eig < wanted ? a->pca->n_eig : wanted;
	double *ratio = hs_alloc(n, sizeof *ratio, err), *cumulative = hs_alloc(n, sizeof *cumulative, err);
	struct hs_signal s;
	if (!ratio || !cumulative) {
		free(ratio);
		free(cumulative);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		ratio[i] = hs_pca_ratio(a->pca, i);
		cumulative[i] = ratio[i] + (i ? cumulative[i - 1] : 0);
	}
	hs_pixels_series(px, &s, "variance", "explained variance ratio", "1", HS_F64, "component", n);
	s.log_scale = true;
	const struct hs_column columns[] = { { "cumulative", "1", cumulative }, { "eigenvalue", px->signal->units,
		a->pca->eigenvalue } };
	const struct hs_extras extras = { .n_columns = HS_LEN(columns), .column = columns };
	const int verdict = hs_session_put(out, &s, ratio, &extras, err);
	free(ratio);
	free(cumulative);
	return verdict;
}

/* What a later --update must know: how many spectra these components are of, counted up to the end of each batch. */
static int write_used(struct hs_out *out, const struct hs_pixels *px, const struct hs_components *a, struct hs_err *err)
{
	const size_t before = a->n_batches;
	double *used = hs_alloc(before + 2, sizeof *used, err);
	struct hs_signal s;
	if (!used)
		return -1;
	for (size_t i = 0; i < before; i++)
		used[i + 1] = used[i] + a->batch[i];
	used[before + 1] = (double)a->pca->n_used;
	hs_pixels_series(px, &s, "spectra_used", "number of spectra", "1", HS_F64, "batches", before + 2);
	for (size_t i = 0; i < before + 2; i++)
		s.axis[0].value[i] = (double)i;
	const int verdict = hs_session_put(out, &s, used, NULL, err);
	free(used);
	return verdict;
}

/* What every test of the number of components said. */
static int write_ranks(struct hs_out *out, const struct hs_pixels *px, const struct hs_ranks *r, struct hs_err *err)
{
	const size_t said[HS_RANK_TESTS] = { r->tw, r->gd, r->minka, r->bic, r->elbow, r->parallel };
	const size_t n = r->parallel == HS_RANK_UNKNOWN ? HS_RANK_TESTS - 1 : HS_RANK_TESTS;
	int32_t v[HS_RANK_TESTS];
	struct hs_str names = { 0 };
	struct hs_signal s;
	for (size_t i = 0; i < n; i++) {
		v[i] = (int32_t)said[i];
		hs_str_addf(&names, "%s%zu %s", i ? ", " : "", i + 1, hs_rank_names[i]);
	}
	const struct hs_extras extras = { .comment = hs_str_get(&names) };
	hs_pixels_series(px, &s, "rank", "number of components", "1", HS_I32, "test", n);
	const int verdict = hs_session_put(out, &s, v, &extras, err);
	hs_str_release(&names);
	return verdict;
}

static int write_weights(struct hs_out *out, const struct hs_pixels *px, const struct hs_components *a, struct hs_err *err)
{
	static const struct hs_extras extras = { .comment = "of each spectrum in the components; 0: an outlier" };
	float *weight = hs_alloc(px->n_pix, sizeof *weight, err);
	struct hs_signal s;
	if (!weight)
		return -1;
	for (size_t i = 0; i < px->n_pix; i++)
		weight[i] = (float)a->weight[i];
	hs_pixels_map(px, &s, "weights", "weight", "1", HS_F32);
	const int verdict = hs_session_put(out, &s, weight, &extras, err);
	free(weight);
	return verdict;
}

int hs_components_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_components *c, struct hs_err *err)
{
	if (write_components(out, px, c, err) < 0 || write_variance(out, px, c, err) < 0 || write_used(out, px, c, err) < 0 ||
		(c->ranks && write_ranks(out, px, c->ranks, err) < 0) || (c->weight && write_weights(out, px, c, err) < 0))
		return -1;
	return c->denoise ? write_denoised(out, px, c, err) : 0;
}
