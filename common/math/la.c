#include "math/la.h"

#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Debian's OpenBLAS brings LAPACK without lapacke.h: the Fortran symbols, with their hidden string lengths. */
void dsytrd_(const char *uplo, const int *n, double *a, const int *lda, double *d, double *e, double *tau, double *work,
	const int *lwork, int *info, size_t);
void dsterf_(const int *n, double *d, double *e, int *info);
void dstemr_(const char *jobz, const char *range, const int *n, double *d, double *e, const double *vl, const double *vu,
	const int *il, const int *iu, int *m, double *w, double *z, const int *ldz, const int *nzc, int *isuppz, int *tryrac,
	double *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t);
void dormtr_(const char *side, const char *uplo, const char *trans, const int *m, const int *n, const double *a, const int *lda,
	const double *tau, double *c, const int *ldc, double *work, const int *lwork, int *info, size_t, size_t, size_t);

void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u, const int *ldu,
	double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info, size_t);
void dgelqf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork, int *info);
void dorglq_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
	const int *lwork, int *info);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
void dpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda, double *b, const int *ldb,
	int *info, size_t);
void dgetrf_(const int *m, const int *n, double *a, const int *lda, int *pivot, int *info);
void dgetri_(const int *n, double *a, const int *lda, const int *pivot, double *work, const int *lwork, int *info);

enum { BLOCK = 64 };          /* work per column: enough for any block size OpenBLAS was built with */

double hs_la_sign(const double *v, size_t n)
{
	size_t best = 0;
	for (size_t i = 1; i < n; i++)
		if (fabs(v[i]) > fabs(v[best]))
			best = i;
	return n && v[best] < 0 ? -1 : 1;
}

/* Row i of v loses its part along the rows before it and becomes a unit vector; returns what was left of its length. Twice
 * is enough (Giraud, Langou, Rozloznik, Comput. Math. Appl. 50, 2005). */
static double against_earlier(double *v, size_t i, size_t n)
{
	double *row = v + i * n;
	const double before = cblas_dnrm2((int)n, row, 1);
	if (!(before > 0))
		return 0;
	cblas_dscal((int)n, 1 / before, row, 1);
	double left = 1;
	for (int round = 0; round < 2; round++) {
		for (size_t j = 0; j < i; j++)
			cblas_daxpy((int)n, -cblas_ddot((int)n, v + j * n, 1, row, 1), v + j * n, 1, row, 1);
		const double length = cblas_dnrm2((int)n, row, 1);
		if (!(length > 0))
			return 0;
		left *= length;
		cblas_dscal((int)n, 1 / length, row, 1);
	}
	return left;
}

void hs_la_orthonormalise(double *v, size_t k, size_t n)
{
	size_t axis = 0;
	for (size_t i = 0; i < k; i++) {
		const double left = against_earlier(v, i, n);
		/* The squared rests of all axes add up to n - i >= 1, so one has at least 1/sqrt(n); rests only shrink as rows
		 * are added, so an axis that was passed over need not be tried again. */
		const double least = 0.5 / sqrt((double)n);
		for (int fresh = left < 1e-10; fresh && axis < n; axis++) {
			memset(v + i * n, 0, n * sizeof(double));
			v[i * n + axis] = 1;
			fresh = against_earlier(v, i, n) < least;
		}
	}
}

int hs_la_orthonormality(const double *v, size_t k, size_t n, double *worst, struct hs_err *err)
{
	double *g = hs_alloc(k * k, sizeof *g, err);
	if (!g)
		return -1;
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)k, (int)n, 1, v, (int)n, 0, g, (int)(k ? k : 1));
	*worst = 0;
	for (size_t i = 0; i < k; i++)
		for (size_t j = i; j < k; j++)
			*worst = fmax(*worst, fabs(g[i * k + j] - (i == j)));
	free(g);
	return 0;
}

size_t hs_la_eigh_bytes(size_t n, size_t k)
{
	return (n * (BLOCK + 5 + 18) + (k > BLOCK ? k * BLOCK : 0) + k * k) * sizeof(double) + 12 * n * sizeof(int);
}

/* Largest magnitude of the upper triangle, NaN when anything in it is not finite. */
static double upper_magnitude(const double *a, size_t n)
{
	double largest = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++) {
			if (!isfinite(a[i * n + j]))
				return (double)NAN;
			largest = fmax(largest, fabs(a[i * n + j]));
		}
	return largest;
}

struct work {
	double *diagonal, *off, *d, *e, *tau, *work, *mrrr;
	int *iwork, *support;
};

/* The k largest of the tridiagonal matrix, turned back: rows of vector, largest first. */
static int vectors_of(struct work *w, const double *a, int n, int k, int lwork, double *vector)
{
	const char lower = 'L';
	const int first = n - k + 1, wide = 18 * n, long_ints = 10 * n;
	const double unused = 0;
	int found = 0, info = 0, relative = 1;
	memcpy(w->d, w->diagonal, (size_t)n * sizeof(double));
	memcpy(w->e, w->off, (size_t)n * sizeof(double));
	dstemr_("V", "I", &n, w->d, w->e, &unused, &unused, &first, &n, &found, w->tau + n, vector, &n, &k, w->support, &relative,
		w->mrrr, &wide, w->iwork, &long_ints, &info, 1, 1);
	if (info || found != k)
		return -1;
	for (size_t i = 0, j = (size_t)k - 1, m = (size_t)n; i < j; i++, j--)
		cblas_dswap(n, vector + i * m, 1, vector + j * m, 1);
	dormtr_("L", &lower, "N", &n, &k, a, &n, w->tau, vector, &n, w->work, &lwork, &info, 1, 1, 1);
	return info ? -1 : 0;
}

int hs_la_eigh(double *a, size_t size, size_t n_vectors, double *value, double *vector, struct hs_err *err)
{
	const double magnitude = upper_magnitude(a, size);
	if (isnan(magnitude))
		return hs_fail(
			err, HS_BAD_DATA, "a matrix of order %zu for an eigenproblem holds values that are not finite", size);
	if (size > INT32_MAX / 32 || n_vectors > size)
		return hs_fail(
			err, HS_BAD_DATA, "an eigenproblem of order %zu with %zu vectors is out of range", size, n_vectors);
	if (!size)
		return 0;
	/* far from 1, the absolute thresholds inside LAPACK would meet underflow; a power of two costs no bits */
	const double scale = magnitude > 0 ? exp2(fmin(-ilogb(magnitude), 1000)) : 1;
	for (size_t i = 0; i < size; i++)
		for (size_t j = i; j < size; j++)
			a[i * size + j] *= scale;

	const int n = (int)size, k = (int)n_vectors, lwork = (n > k ? n : k) * BLOCK;
	struct work w = { 0 };
	w.diagonal = hs_alloc(size, 6 * sizeof(double), err);          /* diagonal, off, d, e, tau and dstemr's values */
	w.work = w.diagonal ? hs_alloc((size_t)lwork, sizeof(double), err) : NULL;
	w.mrrr = w.work ? hs_alloc(size, 18 * sizeof(double), err) : NULL;
	w.iwork = w.mrrr ? hs_alloc(size, 12 * sizeof(int), err) : NULL;
	int verdict = w.iwork ? 0 : -1, info = 0;
	if (verdict == 0) {
		w.off = w.diagonal + size;
		w.d = w.off + size;
		w.e = w.d + size;
		w.tau = w.e + size;
		w.support = w.iwork + 10 * size;
		dsytrd_("L", &n, a, &n, w.diagonal, w.off, w.tau, w.work, &lwork, &info, 1); /* row-major upper is its lower */
		if (info == 0 && value) {
			memcpy(value, w.diagonal, size * sizeof(double));
			memcpy(w.e, w.off, size * sizeof(double));
			dsterf_(&n, value, w.e, &info);
			for (size_t i = 0, j = size - 1; i < j; i++, j--) {
				const double low = value[i];
				value[i] = value[j];
				value[j] = low;
			}
			for (size_t i = 0; i < size; i++)
				value[i] /= scale;
		}
		if (info == 0 && k)
			info = vectors_of(&w, a, n, k, lwork, vector);
		if (info)
			verdict = hs_fail(
				err, HS_BUG, "the eigenproblem of order %zu did not converge (LAPACK info %d)", size, info);
	}
	free(w.diagonal);
	free(w.work);
	free(w.mrrr);
	free(w.iwork);
	double worst = 0;
	if (verdict == 0 && k && (verdict = hs_la_orthonormality(vector, n_vectors, size, &worst, err)) == 0 && !(worst < 1e-13))
		hs_la_orthonormalise(vector, n_vectors, size);
	return verdict;
}

/* ------------------------------------------------------------------ factorisations */

/* LAPACK reads our rows as columns: it sees the transpose of every matrix below, so u and v change places, QR becomes LQ and
 * lower becomes upper. */

static int check_order(const char *what, const double *a, size_t m, size_t n, struct hs_err *err)
{
	if (m > INT32_MAX / 32 || n > INT32_MAX / 32)
		return hs_fail(err, HS_BAD_DATA, "%s of a matrix of %zu x %zu is out of range", what, m, n);
	for (size_t i = 0; i < m * n; i++)
		if (!isfinite(a[i]))
			return hs_fail(err, HS_BAD_DATA, "%s of a matrix of %zu x %zu that holds values that are not finite", what, m, n);
	return 0;
}

int hs_la_svd(double *a, size_t n_rows, size_t n_cols, double *u, double *s, double *v, struct hs_err *err)
{
	const size_t least = n_rows < n_cols ? n_rows : n_cols, most = n_rows < n_cols ? n_cols : n_rows;
	if (check_order("a singular value decomposition", a, n_rows, n_cols, err) < 0)
		return -1;
	if (!least)
		return 0;
	const int m = (int)n_cols, n = (int)n_rows, r = (int)least, query = -1;
	int lwork, info = 0;
	double wanted = 0;
	int *iwork = hs_alloc(least, 8 * sizeof *iwork, err);
	dgesdd_("S", &m, &n, a, &m, s, v, &m, u, &r, &wanted, &query, iwork, &info, 1);
	double *work = iwork && info == 0 ? hs_alloc((size_t)wanted + most, sizeof *work, err) : NULL;
	int verdict = work ? 0 : -1;
	if (work) {
		lwork = (int)wanted;
		dgesdd_("S", &m, &n, a, &m, s, v, &m, u, &r, work, &lwork, iwork, &info, 1);
		if (info)
			verdict = hs_fail(err, HS_BUG, "the singular values of %zu x %zu did not converge (LAPACK info %d)", n_rows, n_cols,
				info);
	}
	free(iwork);
	free(work);
	return verdict;
}

int hs_la_qr(double *a, size_t n_rows, size_t n_cols, bool with_q, double *r, struct hs_err *err)
{
	if (n_rows < n_cols)
		return hs_fail(err, HS_BUG, "QR of %zu x %zu: fewer rows than columns", n_rows, n_cols);
	if (check_order("a QR decomposition", a, n_rows, n_cols, err) < 0)
		return -1;
	if (!n_cols)
		return 0;
	const int m = (int)n_cols, n = (int)n_rows, lwork = m * BLOCK;
	int info = 0;
	double *tau = hs_alloc(n_cols, (1 + BLOCK) * sizeof *tau, err);
	if (!tau)
		return -1;
	dgelqf_(&m, &n, a, &m, tau, tau + n_cols, &lwork, &info);
	for (size_t i = 0; i < n_cols; i++)
		for (size_t j = 0; j < n_cols; j++)
			r[i * n_cols + j] = j < i ? 0 : a[i * n_cols + j];
	if (with_q)
		dorglq_(&m, &n, &m, a, &m, tau, tau + n_cols, &lwork, &info);
	free(tau);
	return 0;
}

bool hs_la_cholesky(double *a, size_t size)
{
	const int n = (int)size;
	int info = 0;
	for (size_t i = 0; i < size; i++)
		if (!isfinite(a[i * size + i]))
			return false;
	if (size)
		dpotrf_("U", &n, a, &n, &info, 1);
	return info == 0;
}

void hs_la_cholesky_solve(const double *l, size_t size, double *b, size_t n_rhs)
{
	const int n = (int)size, m = (int)n_rhs;
	int info = 0;
	if (size && n_rhs)
		dpotrs_("U", &n, &m, l, &n, b, &n, &info, 1);
}

double hs_la_cholesky_log_det(const double *l, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += log(l[i * n + i]);
	return 2 * sum;
}

bool hs_la_invert(double *a, size_t size, double *log_det)
{
	const int n = (int)size, lwork = n * BLOCK;
	int info = 0;
	if (log_det)
		*log_det = 0;
	if (!size)
		return true;
	for (size_t i = 0; i < size * size; i++)
		if (!isfinite(a[i]))
			return false;
	int *pivot = hs_must_alloc(size, sizeof *pivot);
	double *work = hs_must_alloc((size_t)lwork, sizeof *work);
	dgetrf_(&n, &n, a, &n, pivot, &info);
	if (info == 0 && log_det)
		for (size_t i = 0; i < size; i++)
			*log_det += log(fabs(a[i * size + i]));
	if (info == 0)
		dgetri_(&n, a, &n, pivot, work, &lwork, &info);
	free(pivot);
	free(work);
	return info == 0;
}
