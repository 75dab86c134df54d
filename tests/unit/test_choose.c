/* test_choose - the number of clusters by any method; coordinates and partitions, on which the methods stand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cluster/clusters.h"
#include "cluster/grouping.h"
#include "math/match.h"
#include "math/par.h"
#include "tap.h"

static double *blobs(size_t n, size_t p, size_t k, double apart, int32_t *label)
{
	double *x = malloc(n * p * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 4, HS_STREAM_TEST, i);
		label[i] = (int32_t)hs_rng_below(&rng, k);
		for (size_t j = 0; j < p; j++)
			x[i * p + j] = (j % k == (size_t)label[i] ? apart : 0) + hs_rng_normal(&rng);
	}
	return x;
}

static struct hs_grouping_options options(enum hs_method method)
{
	return (struct hs_grouping_options){ .method = method, .k_max = 6, .restarts = 3, .max_iter = 100, .tol = 1e-6, .coordinates = 6,
		.eps = NAN, .seed = 1 };
}

static void test_methods(void)
{
	static const char *const name[] = { "kmeans", "gmm", "ward", "dbscan", "hdbscan", "spectral", "minibatch" };
	const size_t n = 900, p = 12;
	int32_t *truth = malloc(n * sizeof *truth);
	double *x = blobs(n, p, 4, 9, truth);
	x[11 * p + 3] = NAN;
	truth[11] = -1;
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	hs_par_set_threads(1);
	for (int m = 0; m < 7; m++) {
		const struct hs_grouping_options o = options((enum hs_method)m);
		struct hs_grouping g, h;
		double ari = 0, silhouette = 0;
		struct hs_dispersion d;
		int verdict = hs_group(rows, &o, &g, &err);
		const bool coordinates = m != HS_BY_KMEANS && m != HS_BY_MINIBATCH;
		if (verdict == 0)
			verdict = hs_adjusted_rand(truth, g.label, n, &ari, &err);
		tap_ok(verdict == 0 && g.k == 4 && ari > 0.99 && g.label[11] == -1 && g.n_used == n - 1, "%s finds four of four: %.4f %s",
			name[m], ari, err.text);
		tap_ok(verdict == 0 && g.z.projected == coordinates && (!coordinates || (g.z.n_chan == 6 && g.z.share > 0.5)),
			"%s works %s", name[m], coordinates ? "on coordinates" : "on all channels");
		verdict = hs_grouping_judge(&g, rows, g.label, g.k, &o, &silhouette, &d, &err);
		tap_ok(verdict == 0 && silhouette > 0.5 && d.k == 4,
			"%s: silhouette %.3f where it worked", name[m], silhouette);
		hs_par_set_threads(3);
		verdict = hs_group(rows, &o, &h, &err);
		hs_par_set_threads(1);
		tap_ok(verdict == 0 && !memcmp(g.label, h.label, n * sizeof *truth), "%s: the same bytes for 3 threads", name[m]);
		hs_grouping_release(&g);
		hs_grouping_release(&h);
	}
	hs_array_rows_free(rows);
	free(x);
	free(truth);
}

static void test_table(void)
{
	const size_t n = 600, p = 4;
	int32_t *truth = malloc(n * sizeof *truth);
	double *x = blobs(n, p, 3, 8, truth);
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	struct hs_grouping_options o = options(HS_BY_GMM);
	struct hs_grouping g;
	int verdict = hs_group(rows, &o, &g, &err);
	const struct hs_k_table *t = &g.table;
	bool least = verdict == 0;
	for (size_t i = 0; least && i < t->n; i++)
		least = t->row[t->best].bic <= t->row[i].bic;
	tap_ok(least && t->n == 6 && t->row[0].k == 1 && t->row[t->best].k == 3 && t->gap_k == 3 && g.gmm.k == 3 &&
			g.gmm.bic == t->row[t->best].bic,
		"gmm: one to six, the least BIC; the gap statistic agrees");
	hs_grouping_release(&g);
	o = options(HS_BY_WARD);
	verdict = hs_group(rows, &o, &g, &err);
	tap_ok(verdict == 0 && t->n == 5 && t->row[t->best].k == 3 && t->row[1].stability > 0.95 && t->row[1].gap > t->row[0].gap &&
			isnan(t->row[0].bic) && g.tree.n == n,
		"ward: two to six, silhouette, stability %.3f, gap; no BIC", t->row[1].stability);
	hs_grouping_release(&g);
	hs_array_rows_free(rows);
	free(x);
	free(truth);
}

static void test_nothing(void)
{
	double none[24], same[24] = { 0 };
	struct hs_err err = { 0 };
	for (size_t i = 0; i < 24; i++)
		none[i] = NAN;
	size_t wrong = 0;
	for (int m = 0; m < 7; m++) {
		for (int angle = 0; angle < 2; angle++) {
			struct hs_grouping_options o = options((enum hs_method)m);
			struct hs_grouping g;
			o.angle = angle;
			for (size_t k = 0; k < 3; k += 2) {
				o.k = m == HS_BY_DBSCAN || m == HS_BY_HDBSCAN ? 0 : k;
				for (int kind = 0; kind < 3; kind++) {         /* NaN, zeros, one row of zeros */
					struct hs_rowsource *rows = hs_array_rows_new(kind ? same : none, HS_ROW_F64, kind == 2 ? 1 : 12, 2, NULL, &err);
					const int verdict = hs_group(rows, &o, &g, &err);
					const bool usable = kind && !angle;
					if (verdict < 0 || (g.n_used > 0) != usable || g.k > 1 || (!usable && g.label[0] != -1)) {
						printf("# method %d angle %d k %zu kind %d: %d %zu %zu %s\n", m, angle, o.k, kind, verdict, g.n_used,
							g.k, err.text);
						wrong++;
						err = (struct hs_err){ 0 };
					}
					hs_grouping_release(&g);
					hs_array_rows_free(rows);
				}
			}
		}
	}
	tap_ok(!wrong, "no usable row, rows of zeros, one row: every method has an answer");
}

static void test_coordinates(void)
{
	const size_t n = 9000, p = 40;
	int32_t *truth = malloc(n * sizeof *truth);
	double *x = blobs(n, p, 4, 5, truth), worst = 0;
	struct hs_err err = { 0 };
	memset(x + 7 * p, 0, p * sizeof *x);
	x[9 * p] = INFINITY;
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	struct hs_coordinates z, w;
	int verdict = hs_coordinates_find(rows, p, false, &z, &err);
	tap_ok(verdict == 0 && !z.projected && z.n_used == n - 1 && z.row[9] == 10 && !memcmp(z.x + 9 * p, x + 10 * p, p * sizeof *x),
		"few channels are copied, without the row that is not finite");
	hs_coordinates_release(&z);
	/* all components: distances are those of the spectra */
	verdict = hs_coordinates_find(rows, p - 1, true, &z, &err);
	double top = 0;
	for (size_t i = 0; i < 200 && verdict == 0; i++) {
		double a = 0, b = 0, na = 0, nb = 0;
		const double *u = x + z.row[i] * p, *v = x + z.row[i + 300] * p;
		for (size_t j = 0; j < p; j++) {
			na += u[j] * u[j];
			nb += v[j] * v[j];
		}
		for (size_t j = 0; j < p; j++)
			a += (u[j] / sqrt(na) - v[j] / sqrt(nb)) * (u[j] / sqrt(na) - v[j] / sqrt(nb));
		for (size_t j = 0; j < p - 1; j++)
			b += (z.x[i * (p - 1) + j] - z.x[(i + 300) * (p - 1) + j]) * (z.x[i * (p - 1) + j] - z.x[(i + 300) * (p - 1) + j]);
		worst = fmax(worst, fabs(a - b));
		top = fmax(top, a);
	}
	tap_ok(verdict == 0 && z.projected && z.n_used == n - 2 && z.row[7] == 8 && worst < 0.1 * top && z.share > 0.95,
		"of unit rows: chords, without the zero row; one component less loses %.3g of %.3g", worst, top);
	hs_par_set_threads(3);
	hs_coordinates_find(rows, p - 1, true, &w, &err);
	hs_par_set_threads(0);
	tap_ok(!memcmp(z.x, w.x, z.n_used * z.n_chan * sizeof *x), "the same bytes for 3 threads");
	hs_coordinates_release(&z);
	hs_coordinates_release(&w);
	hs_array_rows_free(rows);
	free(x);
	free(truth);
}

static void test_partition(void)
{
	const double x[] = { 1, 1, 5, 7, 7, 7, 100 };
	int32_t *label = malloc(7 * sizeof *label);
	const int32_t given[] = { 3, 3, 1, 0, 0, 0, -1 }, want[] = { 1, 1, 2, 0, 0, 0, -1 };
	struct hs_err err = { 0 };
	struct hs_partition part;
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, 7, 1, NULL, &err);
	memcpy(label, given, sizeof given);
	const int verdict = hs_partition_init(&part, rows, label, 5, &err);
	tap_ok(verdict == 0 && part.k == 3 && !memcmp(part.label, want, sizeof want) && part.mean[0] == 7 && part.mean[2] == 5 &&
			part.size[1] == 2 && part.n_used == 6 && part.from[0] == 0 && part.from[1] == 3 && part.from[2] == 1,
		"clusters by size, those without members gone, and where each came from");
	hs_partition_release(&part);
	label = malloc(7 * sizeof *label);
	memcpy(label, given, sizeof given);
	label[2] = 9;
	tap_ok(hs_partition_init(&part, rows, label, 5, &err) < 0 && err.status == HS_BUG && !part.label,
		"a label out of range is caught");
	hs_array_rows_free(rows);
}

int main(void)
{
	test_methods();
	test_table();
	test_nothing();
	test_coordinates();
	test_partition();
	return tap_done();
}
