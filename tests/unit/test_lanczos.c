/* Block Lanczos against operators whose eigenvalues are known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/la.h"
#include "cluster/lanczos.h"
#include "math/par.h"
#include "tap.h"

struct op {
	size_t n;
	const double *diagonal;       /* NULL: the second difference of a path, eigenvalues 2 - 2 cos(pi j / n) from 0 */
	double sign;
	size_t applied;
};

static void apply(const void *ctx, const double *x, size_t m, double *y)
{
	const struct op *o = ctx;
	((struct op *)ctx)->applied += m;
	for (size_t v = 0; v < m; v++)
		for (size_t i = 0; i < o->n; i++) {
			const double *at = x + v * o->n + i;
			y[v * o->n + i] = o->sign * (o->diagonal ? o->diagonal[i] * *at :
				(i ? *at - at[-1] : 0) + (i + 1 < o->n ? *at - at[1] : 0));
		}
}

/* Largest |A v - e v|, and how far the vectors are from orthonormal, locked ones included. */
static double honest(const struct hs_lanczos *p, const double *value, const double *vector, double *orthogonal)
{
	const size_t n = p->n, all = p->k + p->n_locked;
	struct hs_err err = { 0 };
	double *y = hs_must_alloc(p->k * n, sizeof *y), *v = hs_must_alloc(all * n, sizeof *v), worst = 0;
	apply(p->ctx, vector, p->k, y);
	for (size_t k = 0; k < p->k; k++) {
		double square = 0;
		for (size_t i = 0; i < n; i++)
			square += pow(y[k * n + i] - value[k] * vector[k * n + i], 2);
		worst = fmax(worst, sqrt(square));
	}
	memcpy(v, vector, p->k * n * sizeof *v);
	if (p->n_locked)
		memcpy(v + p->k * n, p->locked, p->n_locked * n * sizeof *v);
	hs_la_orthonormality(v, all, n, orthogonal, &err);
	free(y);
	free(v);
	return worst;
}

static void solve(const char *name, struct op *o, size_t k, const double *want, const double *locked, size_t n_locked, double tol)
{
	struct hs_err err = { 0 };
	const size_t n = o->n;
	struct hs_lanczos p = { .n = n, .k = k, .apply = apply, .ctx = o, .locked = locked, .n_locked = n_locked, .tol = tol,
		.max_restarts = 500 };
	double *value = hs_must_alloc(k, sizeof *value), *vector = hs_must_alloc(k * n, sizeof *vector), said, orthogonal, off = 0;
	o->applied = 0;
	const int verdict = hs_lanczos(&p, value, vector, &said, &err);
	const size_t applied = o->applied;
	const double residual = honest(&p, value, vector, &orthogonal);
	for (size_t i = 0; i < k; i++)
		off = fmax(off, fabs(value[i] - want[i]));
	tap_ok(verdict == 0 && off < 1e-10,
		"%s, order %zu: %zu eigenvalues to %.1e in %zu products %s", name, n, k, off, applied, err.text);
	tap_ok(residual < 5 * tol + 1e-13 && fabs(residual - said) < tol + 1e-13 && orthogonal < 1e-12,
		"%s: residual %.1e (said %.1e), orthonormal to %.1e", name, residual, said, orthogonal);
	free(value);
	free(vector);
}

static void paths(void)
{
	double want[12];
	for (size_t n = 300; n <= 1500; n *= 5) {
		struct op o = { .n = n, .sign = -1 };
		for (size_t j = 0; j < 12; j++)
			want[j] = -4 * pow(sin(3.14159265358979323846 * (double)j / (double)(2 * n)), 2);
		solve("a path from below", &o, 8, want, NULL, 0, 1e-9);
		double *flat = hs_must_alloc(n, sizeof *flat);
		for (size_t i = 0; i < n; i++)
			flat[i] = 1 / sqrt((double)n);
		solve("its constant vector known", &o, 7, want + 1, flat, 1, 1e-9);
		free(flat);
	}
}

static void diagonals(void)
{
	enum { N = 2000 };
	double d[N], want[9];
	struct op o = { .n = N, .diagonal = d, .sign = 1 };
	/* each eigenvalue four times */
	for (size_t i = 0; i < N; i++)
		d[(i * 7) % N] = 1 / (1 + (double)(i / 4) * 0.01);
	for (size_t i = 0; i < 9; i++)
		want[i] = 1 / (1 + (double)(i / 4) * 0.01);
	solve("fourfold eigenvalues", &o, 9, want, NULL, 0, 1e-9);
	/* three directions, nothing else: the space closes after a step */
	memset(d, 0, sizeof d);
	d[5] = 3;
	d[900] = 2;
	d[1999] = -1;
	const double few[5] = { 3, 2, 0, 0, 0 };
	solve("rank three", &o, 5, few, NULL, 0, 1e-9);
	memset(d, 0, sizeof d);
	const double none[4] = { 0, 0, 0, 0 };
	solve("zero operator", &o, 4, none, NULL, 0, 1e-9);
	for (size_t i = 0; i < N; i++)
		d[i] = 1;
	const double ones[4] = { 1, 1, 1, 1 };
	solve("identity", &o, 4, ones, NULL, 0, 1e-9);
}

static bool at_once(void *ctx)
{
	return ++*(int *)ctx > 0;
}

static void corners(void)
{
	enum { N = 1500 };
	struct hs_err err = { 0 };
	double *d = hs_must_alloc(N, sizeof *d), *vector = hs_must_alloc(5 * N, sizeof *vector), value[5], residual;
	struct op o = { .n = N, .diagonal = d, .sign = 1 };
	int asked = 0;
	struct hs_lanczos p = { .n = N, .k = 5, .apply = apply, .ctx = &o, .tol = 1e-12, .max_restarts = 100, .stop = at_once,
		.stop_ctx = &asked };
	for (size_t i = 0; i < N; i++)
		d[i] = 1 - 1e-9 * (double)(i * i);
	tap_ok(hs_lanczos(&p, value, vector, &residual, &err) == 1 && asked == 1 && residual > 0 && !hs_failed(&err),
		"the deadline ends with what there is");
	p.stop = NULL;
	p.max_restarts = 2;
	tap_ok(hs_lanczos(&p, value, vector, &residual, &err) == 1, "so do too few restarts");
	d[7] = NAN;
	tap_ok(hs_lanczos(&p, value, vector, &residual, &err) == -1 && err.status == HS_BAD_DATA, "not a number is bad data");
	err = (struct hs_err){ 0 };
	p.k = N + 1;
	tap_ok(hs_lanczos(&p, value, vector, &residual, &err) == -1 && err.status == HS_USAGE, "more vectors than there are");
	double one[1], v[1];
	d[0] = 4;
	o.n = p.n = p.k = 1;
	err = (struct hs_err){ 0 };
	tap_ok(hs_lanczos(&p, one, v, &residual, &err) == 0 && one[0] == 4 && fabs(v[0]) == 1, "order one");
	free(d);
	free(vector);
}

int main(void)
{
	hs_par_set_threads(1);
	paths();
	diagonals();
	corners();
	return tap_done();
}
