/* nmf_sweep - exact minimisation along single coordinates, many rows at once: the innermost loops of NMF; internal to unmix.
 *
 * All problems here are quadratic in y (k x m, component after component, ld apart): columns are independent,
 *	minimise sum_i 1/2 y_i^T (A + diag(extra)) y_i - y_i^T (b_i - linear),   y >= 0
 * A step never raises the sum. Element-wise arithmetic, so that columns may be processed in any portions. */
#ifndef HS_UNMIX_NMF_SWEEP_H
#define HS_UNMIX_NMF_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

struct hs_nmf_block {
	size_t k, m, ld;
	const double *a;              /* k x k */
	const double *extra, *linear; /* k each, >= 0 */
	const double *b;              /* k x m, ld apart as y is */
	double *y;
};

/* Cyclic sweeps over the components until the change is below a tenth of that of the first sweep, most of them `most`
 * (accelerated HALS: Gillis, Glineur, Neural Computation 24 (2012) 1085). A component without curvature becomes zero. */
void hs_nmf_sweep(const struct hs_nmf_block *q, size_t most);

/* The same on the simplex: each column of y sums to 1 before and after. Pairs of components exchange weight. scratch: k x m. */
void hs_nmf_sweep_simplex(const struct hs_nmf_block *q, size_t most, double *scratch);

/* Component j alone with rough / 2 * |D y_j|^2 more, D the second difference: Gauss-Seidel over the m values of the row, twice.
 * q->extra counts for the diagonal. scratch: m. */
void hs_nmf_sweep_smooth(const struct hs_nmf_block *q, size_t j, double rough, double *scratch);

/* |D y|^2 of m values, and (D^T D y) at place l. */
double hs_nmf_roughness(const double *y, size_t m);
double hs_nmf_bend(const double *y, size_t m, size_t l);

#endif
