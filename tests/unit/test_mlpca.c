/* Components under known variances, against cases whose answer follows from ordinary principal components. */
#include "factor/mlpca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "factor/decompose.h"
#include "math/la.h"
#include "tap.h"

enum { N = 800, P = 40, R = 3 };

struct made {
	double *clean, *x, *variance; /* N x P */
	double *channel, *pixel;      /* variances of either alone */
};

/* kind 0: even; 1: by channel; 2: by pixel; 3: every element its own. */
static struct made scene(int kind)
{
	struct made s = { hs_must_alloc(N * P, 8), hs_must_alloc(N * P, 8), hs_must_alloc(N * P, 8), hs_must_alloc(P, 8),
		hs_must_alloc(N, 8) };
	struct hs_rng rng;
	for (size_t i = 0; i < N; i++) {
		double a[R];
		hs_rng_init(&rng, 21, HS_STREAM_NOISE, i);
		for (size_t c = 0; c < R; c++)
			a[c] = hs_rng_exponential(&rng);
		s.pixel[i] = kind == 2 ? 0.01 * pow(1 + (double)(i % 10), 2) : 0.01;
		for (size_t j = 0; j < P; j++) {
			double mean = 1;
			for (size_t c = 0; c < R; c++)
				mean += a[c] * exp(-0.5 * pow(((double)j - 8 - 12 * (double)c) / 5, 2));
			s.channel[j] = kind == 1 ? 0.01 * pow(1 + (double)(j % 8), 2) : 0.01;
			s.variance[i * P + j] = kind == 3 ? 0.01 * pow(1 + 9 * hs_rng_uniform(&rng), 2) : kind == 2 ? s.pixel[i] : s.channel[j];
			s.clean[i * P + j] = mean;
			s.x[i * P + j] = mean + sqrt(s.variance[i * P + j]) * hs_rng_normal(&rng);
		}
	}
	return s;
}

static void release(struct made *s)
{
	free(s->clean);
	free(s->x);
	free(s->variance);
	free(s->channel);
	free(s->pixel);
}

static struct hs_rowsource *rows_of(const double *x, size_t n)
{
	struct hs_err err = { 0 };
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, P, NULL, &err);
	if (!rows)
		exit(1);
	return rows;
}

static struct hs_pca ordinary(struct hs_rowsource *rows, bool centred, size_t k)
{
	struct hs_err err = { 0 };
	struct hs_pca pca;
	const struct hs_pca_how how = { HS_PCA_EXACT, { .centre = centred ? HS_CENTRE_CHANNEL : HS_CENTRE_NONE }, k, 1, true };
	if (hs_pca_find(&pca, rows, &how, &err) < 0) {
		fprintf(stderr, "test_mlpca: %s\n", err.text);
		exit(1);
	}
	return pca;
}

/* a: k unit rows that are orthonormal; b: k rows. Largest sine between b's rows and the span of a. */
static double apart(const double *a, const double *b, size_t k)
{
	double worst = 0;
	for (size_t c = 0; c < k; c++) {
		double rest = 0, all = 0;
		for (size_t j = 0; j < P; j++)
			all += b[c * P + j] * b[c * P + j];
		rest = all;
		for (size_t i = 0; i < k; i++) {
			double dot = 0;
			for (size_t j = 0; j < P; j++)
				dot += a[i * P + j] * b[c * P + j];
			rest -= dot * dot;
		}
		worst = fmax(worst, sqrt(fmax(rest, 0) / all));
	}
	return worst;
}

static double rms_of_model(const struct hs_pca *pca, const double *clean)
{
	double sum = 0;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < P; j++) {
			double v = pca->frame.shift[j];
			for (size_t c = 0; c < pca->n_comp; c++)
				v += pca->score[i * pca->n_comp + c] * pca->basis[c * P + j];
			sum += pow(v - clean[i * P + j], 2);
		}
	return sqrt(sum / (N * P));
}

/* Equal variances change nothing; variances of channels are the components of scaled channels. */
static void known_answers(void)
{
	struct hs_err err = { 0 };
	const struct hs_gaps none = { 0 };
	for (int kind = 0; kind < 2; kind++)
		for (int centred = 0; centred < 2; centred++) {
			struct made s = scene(kind);
			struct hs_rowsource *rows = rows_of(s.x, N);
			double *scaled = hs_must_alloc(N * P, 8);
			for (size_t i = 0; i < N * P; i++)
				scaled[i] = s.x[i] / sqrt(s.channel[i % P]);
			struct hs_rowsource *scaled_rows = rows_of(scaled, N);
			struct hs_pca start = ordinary(rows, centred, R), truth = ordinary(scaled_rows, centred, R), pca;
			struct hs_mlpca m;
			const struct hs_variances v = { .channel = s.channel };
			const int verdict = hs_mlpca_find(&m, &pca, rows, &v, &none, &start, R, NULL, NULL, &err);
			/* not centred, the offset of 1 would be a fourth component */
			tap_ok(verdict == 0 && m.converged && m.fits == centred, "kind %d: chi2 %.1f for %.0f after %zu rounds %s", kind, m.chi2,
				m.freedom, m.n_iter, err.text);
			for (size_t c = 0; c < R; c++)
				for (size_t j = 0; j < P; j++)
					truth.basis[c * P + j] *= sqrt(s.channel[j]);
			tap_ok(apart(pca.basis, truth.basis, R) < 2e-4, "kind %d: the span is that of scaled channels (sine %.2g; plain %.2g)", kind,
				apart(pca.basis, truth.basis, R), apart(start.basis, truth.basis, R));
			double worst = 0;
			hs_la_orthonormality(pca.basis, R, P, &worst, &err);
			double sum[R] = { 0 }, cross = 0;
			for (size_t i = 0; i < N; i++)
				for (size_t c = 0; c < R; c++) {
					sum[c] += pca.score[i * R + c] / N;
					cross += pca.score[i * R] * pca.score[i * R + (c ? c : 1)] / N;
				}
			tap_ok(worst < 1e-12 && fabs(cross) < 1e-3 * pca.eigenvalue[0] && (!centred || fabs(sum[0]) < 1e-3),
				"kind %d: orthonormal, uncorrelated (%.2g), mean zero (%.2g)", kind, cross / pca.eigenvalue[0], sum[0]);
			hs_mlpca_release(&m);
			hs_pca_release(&pca);
			hs_pca_release(&start);
			hs_pca_release(&truth);
			hs_array_rows_free(rows);
			hs_array_rows_free(scaled_rows);
			free(scaled);
			release(&s);
		}
}

static void each_element(void)
{
	struct hs_err err = { 0 };
	struct made s = scene(3);
	struct hs_rowsource *whole = rows_of(s.x, N);
	struct hs_pca start = ordinary(whole, true, 8), plain = ordinary(whole, true, R), pca, first = { 0 };
	for (size_t i = 0; i < N; i += 7)
		s.x[i * P + i % P] = NAN;             /* no weight */
	s.variance[5 * P + 3] = 0;
	s.variance[6 * P + 3] = INFINITY;
	s.variance[6 * P + 4] = -1;
	struct hs_rowsource *rows = rows_of(s.x, N), *beside = hs_array_rows_new(s.variance, HS_ROW_F64, N, P, NULL, &err);
	const struct hs_variances v = { .rows = beside };
	struct hs_mlpca m;
	bool same = true;
	for (int threads = 1; threads <= 8; threads += threads < 3 ? 1 : 5) {
		hs_par_set_threads(threads);
		if (hs_mlpca_find(&m, &pca, rows, &v, &(struct hs_gaps){ 0 }, &start, 0, NULL, NULL, &err) < 0) {
			fprintf(stderr, "test_mlpca: %s\n", err.text);
			exit(1);
		}
		if (threads == 1) {
			first = pca;
		} else {
			same &= !memcmp(first.score, pca.score, N * first.n_comp * 8) && !memcmp(first.basis, pca.basis, first.n_comp * P * 8);
			hs_pca_release(&pca);
		}
		if (threads < 8)
			hs_mlpca_release(&m);
	}
	hs_par_set_threads(2);
	tap_ok(same, "the same bits for 1, 2, 3 and 8 threads");
	tap_ok(first.n_comp == R && m.fits && first.n_used == N, "as many components as the variances ask for: %zu (chi2 %.0f for %.0f)",
		first.n_comp, m.chi2, m.freedom);
	double pull = 0, count = 0;
	/* scores against the clean spectra projected: their deviations are known */
	for (size_t i = 0; i < N; i++)
		for (size_t c = 0; c < R; c++) {
			double t = 0;
			for (size_t j = 0; j < P; j++)
				t += (s.clean[i * P + j] - first.frame.mean[j]) * first.basis[c * P + j];
			pull += pow((first.score[i * R + c] - t) / m.sigma[i * R + c], 2);
			count++;
		}
	tap_ok(fabs(sqrt(pull / count) - 1) < 0.1, "errors of the scores are as large as they say (%.3f)", sqrt(pull / count));
	double ordinary_rms = 0;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < P; j++) {
			double fit = plain.frame.mean[j];
			for (size_t c = 0; c < R; c++) {
				double t = 0;
				for (size_t q = 0; q < P; q++)
					t += ((isnan(s.x[i * P + q]) ? s.clean[i * P + q] : s.x[i * P + q]) - plain.frame.mean[q]) * plain.basis[c * P + q];
				fit += t * plain.basis[c * P + j];
			}
			ordinary_rms += pow(fit - s.clean[i * P + j], 2);
		}
	ordinary_rms = sqrt(ordinary_rms / (N * P));
	tap_ok(rms_of_model(&first, s.clean) < 0.7 * ordinary_rms, "nearer to the truth than without variances: %.3g, %.3g",
		rms_of_model(&first, s.clean), ordinary_rms);
	hs_mlpca_release(&m);
	hs_pca_release(&first);
	hs_pca_release(&start);
	hs_pca_release(&plain);
	hs_array_rows_free(whole);
	hs_array_rows_free(rows);
	hs_array_rows_free(beside);
	release(&s);
}

static void refusals(void)
{
	struct hs_err err = { 0 };
	struct made s = scene(2);
	struct hs_rowsource *rows = rows_of(s.x, N), *few = rows_of(s.variance, N - 1);
	struct hs_pca start = ordinary(rows, true, R), pca;
	struct hs_mlpca m;
	const struct hs_gaps none = { 0 };
	tap_ok(hs_mlpca_find(&m, &pca, rows, &(struct hs_variances){ .rows = few }, &none, &start, R, NULL, NULL, &err) < 0 &&
		err.status == HS_BAD_DATA, "%s", err.text);
	hs_mlpca_release(&m);
	hs_pca_release(&pca);
	memset(&err, 0, sizeof err);
	tap_ok(hs_mlpca_find(&m, &pca, rows, &(struct hs_variances){ .pixel = s.pixel }, &none, &start, R, NULL, NULL, &err) == 0 &&
		m.fits,
		"by pixel: chi2 %.0f for %.0f", m.chi2, m.freedom);
	hs_mlpca_release(&m);
	hs_pca_release(&pca);
	memset(s.pixel, 0, N * sizeof(double));
	tap_ok(hs_mlpca_find(&m, &pca, rows, &(struct hs_variances){ .pixel = s.pixel }, &none, &start, R, NULL, NULL, &err) < 0 &&
		err.status == HS_BAD_DATA, "%s", err.text);
	hs_mlpca_release(&m);
	hs_pca_release(&pca);
	hs_pca_release(&start);
	hs_array_rows_free(rows);
	hs_array_rows_free(few);
	release(&s);
}

int main(void)
{
	hs_par_set_threads(2);
	known_answers();
	each_element();
	refusals();
	return tap_done();
}
