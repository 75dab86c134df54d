#include "factor/decompose.h"

#include <float.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "math/la.h"
#include "factor/rsvd.h"
#include "factor/sketch.h"

enum { SMALL = 4096 };        /* order of a matrix whose eigenproblem takes seconds */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

enum hs_pca_method hs_pca_choose(size_t n_rows, size_t n_chan, size_t n_comp)
{
	const double n = (double)n_rows, p = (double)n_chan, small = n < p ? n : p, l = (double)n_comp + HS_RSVD_SPARE;
	if (small <= SMALL)
		return HS_PCA_EXACT;
	if (small > HS_MOMENTS_MAX)
		return HS_PCA_RANDOM;
	/* products, tridiagonal reduction; against power + 1 passes there and back */
	const double exact = n * p * small + 4.0 / 3 * small * small * small, random = 4.0 * (HS_RSVD_POWER + 1) * n * p * l;
	return random < exact ? HS_PCA_RANDOM : HS_PCA_EXACT;
}

static void remark(const struct hs_pca_how *how, size_t n_rows, size_t n_used, size_t n_negative)
{
	if (how->silent)
		return;
	if (n_used < n_rows)
		hs_stage("%zu of %zu spectra left out: masked or not finite", n_rows - n_used, n_rows);
	if (n_negative)
		hs_warn("%zu spectra have a negative sum, which counts cannot have: they are taken as empty", n_negative);
}

static int exact(struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how, struct hs_err *err)
{
	struct hs_moments m = { 0 };
	int verdict = hs_moments_init(&m, rows, &how->options, err);
	if (verdict == 0) {
		remark(how, m.n_rows, m.n_used, m.n_negative);
		verdict = hs_pca_init(pca, &m, rows, how->n_comp, err);
	}
	hs_moments_release(&m);
	return verdict;
}

int hs_pca_from_factor(struct hs_pca *pca, struct hs_tsqr *t, size_t n_comp, struct hs_err *err)
{
	const size_t p = t->survey.frame.n_chan, r = least(t->n_r, p), n_eig = least(t->survey.n_used, r), k = least(n_comp, n_eig);
	double *s = hs_alloc(r > n_eig ? r : n_eig, sizeof *s, err), *v = s ? hs_alloc(r, p * sizeof *v, err) : NULL,
	       *basis = v ? hs_alloc(k, p * sizeof *basis, err) : NULL;
	if (!basis || hs_tsqr_svd(t, s, v, err) < 0) {
		free(s);
		free(v);
		free(basis);
		return -1;
	}
	for (size_t i = 0; i < n_eig; i++)
		s[i] = i < r ? s[i] * s[i] / t->survey.divisor : 0;
	for (size_t i = 0; i < least(k, r) * p; i++)
		basis[i] = v[i];
	free(v);
	hs_la_orthonormalise(basis, k, p);
	const double rounding = (double)p * DBL_EPSILON;
	return hs_pca_adopt(pca, &t->survey, n_eig, s, k, basis, rounding * rounding, err);
}

static int by_tsqr(struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how, struct hs_err *err)
{
	struct hs_tsqr t;
	int verdict = hs_tsqr_init(&t, rows, &how->options, err);
	if (verdict == 0) {
		remark(how, t.survey.n_rows, t.survey.n_used, t.survey.n_negative);
		verdict = hs_pca_from_factor(pca, &t, how->n_comp, err);
	}
	hs_tsqr_release(&t);
	return verdict;
}

int hs_pca_update(struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how,
	const struct hs_tsqr_earlier *earlier, struct hs_err *err)
{
	struct hs_tsqr t;
	*pca = (struct hs_pca){ 0 };
	int verdict = hs_tsqr_init(&t, rows, &how->options, err);
	if (verdict == 0) {
		remark(how, t.survey.n_rows, t.survey.n_used, t.survey.n_negative);
		verdict = hs_tsqr_join(&t, earlier, err);
	}
	if (verdict == 0)
		verdict = hs_pca_from_factor(pca, &t, how->n_comp, err);
	hs_tsqr_release(&t);
	return verdict;
}

static int by_random(struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how, struct hs_err *err)
{
	struct hs_survey s;
	const size_t p = rows->n_chan;
	int verdict = hs_survey_init(&s, rows, &how->options, err);
	if (verdict == 0) {
		remark(how, s.n_rows, s.n_used, s.n_negative);
		const size_t k = least(how->n_comp, least(s.n_used, p));
		double *value = hs_alloc(k, sizeof *value, err), *basis = value ? hs_alloc(k, p * sizeof *basis, err) : NULL;
		verdict = basis ? hs_rsvd(rows, &s, k, HS_RSVD_POWER, how->seed, value, basis, err) : -1;
		if (verdict == 0) {
			verdict = hs_pca_adopt(pca, &s, k, value, k, basis, (double)(s.n_used > p ? s.n_used : p) * DBL_EPSILON, err);
		} else {
			free(value);
			free(basis);
		}
	}
	hs_survey_release(&s);
	return verdict;
}

static int by_sketch(struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how, struct hs_err *err)
{
	struct hs_sketch s;
	int verdict = hs_sketch_init(&s, rows, &how->options, how->n_comp, how->seed, err);
	if (verdict == 0) {
		remark(how, s.survey.n_rows, s.survey.n_used, s.survey.n_negative);
		verdict = hs_pca_adopt(pca, &s.survey, s.k, s.eigenvalue, s.k, s.vector, HS_SKETCH_RESOLVED * HS_SKETCH_RESOLVED, err);
		s.eigenvalue = s.vector = NULL;
	}
	if (verdict == 0) {
		verdict = hs_pca_keep(pca, rows->n_rows, s.score, s.part, err);
		s.score = s.part = NULL;
	}
	hs_sketch_release(&s);
	return verdict;
}

int hs_pca_find(struct hs_pca *pca, struct hs_rowsource *rows, const struct hs_pca_how *how, struct hs_err *err)
{
	enum hs_pca_method method = how->method == HS_PCA_AUTO ? hs_pca_choose(rows->n_rows, rows->n_chan, how->n_comp) : how->method;
	*pca = (struct hs_pca){ 0 };
	switch (method) {
	case HS_PCA_RANDOM: return by_random(pca, rows, how, err);
	case HS_PCA_SKETCH: return by_sketch(pca, rows, how, err);
	case HS_PCA_TSQR: return by_tsqr(pca, rows, how, err);
	default: return exact(pca, rows, how, err);
	}
}

size_t hs_pca_find_bytes(size_t n_rows, size_t n_chan, enum hs_pca_method method, size_t n_comp, int threads)
{
	const size_t least_side = least(n_rows, n_chan), after = hs_pca_bytes(n_rows, n_chan, n_comp, threads);
	if (method == HS_PCA_AUTO)
		method = hs_pca_choose(n_rows, n_chan, n_comp);
	size_t first, kept = 0;
	switch (method) {
	case HS_PCA_RANDOM: first = hs_rsvd_bytes(n_rows, n_chan, n_comp, threads) + hs_survey_bytes(n_chan, threads); break;
	case HS_PCA_SKETCH:
		first = hs_sketch_bytes(n_rows, n_chan, n_comp, threads);
		kept = n_rows * (least(n_comp, least_side) + 1) * sizeof(double);
		break;
	case HS_PCA_TSQR: first = hs_tsqr_bytes(n_rows, n_chan, threads); break;
	default:
		first = hs_moments_bytes(n_rows, n_chan, threads);
		kept = least_side * least_side * sizeof(double);      /* the matrix lives through the eigenproblem */
	}
	return first > kept + after ? first : kept + after;
}
