/* turn - what every search for an orthogonal matrix shares: when it ends, what it leaves behind, how a matrix is turned.
 *
 * A search turns w (k x k, orthogonal) until an iteration would turn it by less than tol radians in any plane. */
#ifndef HS_FACTOR_TURN_H
#define HS_FACTOR_TURN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum hs_turn_status { HS_TURN_CONVERGED, HS_TURN_MAXITER, HS_TURN_STOPPED };

struct hs_turn {
	size_t max_iter;              /* >= 1 */
	double tol;                   /* radians */
	bool (*stop)(void *ctx);      /* asked once an iteration; true ends the search. NULL: never */
	void *stop_ctx;

	enum hs_turn_status status;   /* from here on: results */
	size_t n_iter;
	double *trace;                /* n_iter: largest angle of each iteration, radians; owned */
};

/* Notes an iteration that turns by angle; true when it was the last, status then says why. */
bool hs_turn_note(struct hs_turn *turn, double angle);

/* Forgets the results. */
void hs_turn_release(struct hs_turn *turn);

/* w = exp(angle) w for an antisymmetric matrix of angles (k x k), w orthogonal to rounding afterwards. scratch: 3 k x k. */
void hs_turn_by(double *w, const double *angle, size_t k, double *scratch);

#endif
