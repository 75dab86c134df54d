#include "cli/partition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/principal.h"

/* Centroid number `label` belongs to a pixel. */
void hs_partition_number(struct hs_signal *s)
{
	for (size_t i = 0; i < s->axis[0].n; i++)
		s->axis[0].value[i] = (double)i;
}

static int write_labels(struct hs_out *out, const struct hs_pixels *px, const struct hs_partition *part, bool finished,
	struct hs_err *err)
{
	const struct hs_extras comment = { .comment = finished ? "-1 = none; cluster 0 is the largest" :
		"not converged; -1 = none; cluster 0 is the largest" };
	struct hs_signal s;
	hs_pixels_map(px, &s, "labels", "cluster", "1", HS_I32);
	return hs_session_put(out, &s, part->label, &comment, err);
}

static int write_centroids(struct hs_out *out, const struct hs_pixels *px, const struct hs_partition *f, struct hs_err *err)
{
	const struct hs_extras spread = { .errors = f->spread, .comment = "mean and standard deviation of the members" };
	struct hs_signal s;
	hs_pixels_spectra(px, &s, "centroids", px->signal->quantity, px->signal->units, HS_F64, "cluster", f->k);
	hs_partition_number(&s);
	return hs_session_put(out, &s, f->mean, &spread, err);
}

static int write_sizes(struct hs_out *out, const struct hs_pixels *px, const struct hs_partition *f, struct hs_err *err)
{
	int32_t *n = hs_must_alloc(f->k, sizeof *n);
	struct hs_signal s;
	for (size_t k = 0; k < f->k; k++)
		n[k] = (int32_t)f->size[k];
	hs_pixels_series(px, &s, "sizes", "pixels", "count", HS_I32, "cluster", f->k);
	hs_partition_number(&s);
	const int verdict = hs_session_put(out, &s, n, NULL, err);
	free(n);
	return verdict;
}

/* Scores of a decomposition were clustered: its loadings turn the centroids back into spectra. */
static int write_spectra(struct hs_out *out, const struct hs_pixels *px, const struct hs_partition *f, struct hs_err *err)
{
	struct hs_in *in = px->in;
	const size_t signal = px->index;
	size_t from, mean_from;
	if (!hs_session_sibling(in, signal, "loadings", &from) || !hs_session_sibling(in, signal, "mean", &mean_from))
		return 0;
	const struct hs_signal *like = hs_in_signal(in, mean_from), *loading = hs_in_signal(in, from);
	const size_t n_chan = hs_signal_count(like);
	if (like->rank != 1 || loading->rank != 2 || loading->axis[0].n != f->n_chan || loading->axis[1].n != n_chan)
		return 0;
	double *loadings = hs_in_read(in, from, err), *mean = loadings ? hs_in_read(in, mean_from, err) : NULL,
	       *spectra = mean ? hs_alloc(f->k * n_chan, sizeof *spectra, err) : NULL;
	int verdict = spectra ? 0 : -1;
	if (spectra) {
		const double add = hs_mean_was_removed(in, signal) ? 1 : 0;
		for (size_t k = 0; k < f->k; k++)
			for (size_t c = 0; c < n_chan; c++) {
				double v = add * mean[c];
				for (size_t j = 0; j < f->n_chan; j++)
					v += f->mean[k * f->n_chan + j] * loadings[j * n_chan + c];
				spectra[k * n_chan + c] = v;
			}
		static const struct hs_extras comment = { .comment = "mean spectrum of the members, as far as the components go" };
		struct hs_signal s;
		hs_signal_init(&s, "centroid_spectra", like->quantity, like->units, HS_F64);
		hs_signal_add_axis(&s, hs_axis_numbers("cluster", f->k));
		hs_partition_number(&s);
		hs_signal_add_axis(&s, hs_axis_dup(&like->axis[0]));
		hs_signal_shape_up(&s, 1);
		verdict = hs_session_put(out, &s, spectra, &comment, err);
	}
	free(loadings);
	free(mean);
	free(spectra);
	return verdict;
}

int hs_partition_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_partition *part, bool finished,
	struct hs_err *err)
{
	if (write_labels(out, px, part, finished, err) < 0)
		return -1;
	if (!part->k)
		return 0;
	return write_centroids(out, px, part, err) < 0 || write_sizes(out, px, part, err) < 0 ? -1 : write_spectra(out, px, part, err);
}

/* ---- what belongs to it ---- */

int hs_partition_put_choice(struct hs_out *out, const struct hs_pixels *px, const struct hs_k_table *t, struct hs_err *err)
{
	enum { SILHOUETTE, STABILITY, CALINSKI_HARABASZ, DAVIES_BOULDIN, INERTIA, GAP, GAP_ERROR, BIC, N_COLUMNS };
	static const char *const name[] = { "silhouette", "stability", "calinski_harabasz", "davies_bouldin", "inertia", "gap",
		"gap_error", "bic" };
	struct hs_column column[N_COLUMNS];
	double *v = hs_must_alloc(N_COLUMNS * t->n, sizeof *v);
	struct hs_signal s;
	hs_pixels_series(px, &s, "choice", "silhouette", "1", HS_F64, "clusters", t->n);
	for (size_t i = 0; i < t->n; i++) {
		const struct hs_k_row *r = &t->row[i];
		const double of[] = { r->silhouette, r->stability, r->calinski_harabasz, r->davies_bouldin, r->inertia, r->gap, r->gap_error,
			r->bic };
		s.axis[0].value[i] = (double)r->k;
		for (size_t c = 0; c < N_COLUMNS; c++)
			v[c * t->n + i] = of[c];
	}
	for (size_t c = 0; c < N_COLUMNS; c++)
		column[c] = (struct hs_column){ name[c], "1", v + c * t->n };
	const struct hs_extras extras = { .n_columns = isnan(v[BIC * t->n]) ? N_COLUMNS - 2 : N_COLUMNS - 1, .column = column + 1 };
	const int verdict = hs_session_put(out, &s, v, &extras, err);
	free(v);
	return verdict;
}

int hs_partition_put_tree(struct hs_out *out, const struct hs_pixels *px, const struct hs_dendrogram *t, const int32_t *leaf,
	struct hs_err *err)
{
	static const struct hs_extras comment = { .comment = "leaf of the dendrogram that a pixel belongs to; -1 = none" };
	struct hs_signal s;
	if (t->n < 2)
		return 0;
	const size_t n = t->n - 1;
	double *v = hs_alloc(n, 4 * sizeof *v, err);
	if (!v)
		return -1;
	for (size_t i = 0; i < n; i++) {
		v[i] = t->merge[i].height;
		v[n + i] = (double)t->merge[i].left;
		v[2 * n + i] = (double)t->merge[i].right;
		v[3 * n + i] = t->merge[i].size;
	}
	const struct hs_column column[] = { { "left", "1", v + n }, { "right", "1", v + 2 * n }, { "size", "count", v + 3 * n } };
	const struct hs_extras extras = { .n_columns = HS_LEN(column), .column = column,
		.comment = "as scipy.cluster.hierarchy.linkage numbers it: leaves 0 .. n-1, merge i makes cluster n + i" };
	hs_pixels_series(px, &s, "dendrogram", "height", px->signal->units, HS_F64, "merge", n);
	hs_partition_number(&s);
	int verdict = hs_session_put(out, &s, v, &extras, err);
	free(v);
	if (verdict == 0) {
		hs_pixels_map(px, &s, "leaves", "leaf", "1", HS_I32);
		verdict = hs_session_put(out, &s, leaf, &comment, err);
	}
	return verdict;
}
