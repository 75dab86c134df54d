/* gibbs - the parts of a Gibbs sampler for abundances: pixels in the subspace of the endmembers, one state of these, one step of
 * a pixel's chain. Internal to unmix; blu.h has the model and the sampler.
 *
 * Everything is in working units: channels times weight (largest 1) times a power of two that brings the endmembers to order 1.
 * */
#ifndef HS_UNMIX_GIBBS_H
#define HS_UNMIX_GIBBS_H

#include "unmix/blu.h"
#include "math/par.h"

struct hs_gibbs_space {
	size_t k, d, p, n_live;       /* d coordinates; channels of weight above 0 */
	double scale, row_sum;
	double *origin, *basis;       /* p, d x p orthonormal */
	double *weight;               /* p */
	double *t;                    /* k x d: the endmembers as given */
	double apart;                 /* root mean square distance of them from their mean */
};

/* spectra: k x p. HS_BAD_DATA for values or weights that are not finite. Released by the caller, also after failure. */
int hs_gibbs_space_init(struct hs_gibbs_space *s, const double *spectra, size_t k, size_t p, const struct hs_blu_options *o,
	struct hs_err *err);
void hs_gibbs_space_release(struct hs_gibbs_space *s);

/* Row i of a block: z (d) and the square of what lies outside the subspace. x (p) receives the row as scaled, without weights, y
 * is scratch (p). False when the row takes no part. *undo brings residuals of x back to the unit of the data. */
bool hs_gibbs_enter(const struct hs_gibbs_space *s, const struct hs_block *b, size_t i, double *x, double *y, double *z,
	double *outside, double *undo);

/* Endmembers and psi at one time, and the ways abundances move among them. */
struct hs_gibbs_state {
	double psi;
	double *t;                    /* k x d */
	size_t n_way;
	double *way;                  /* 2 k x k: directions of sum zero */
	double *moves;                /* 2 k x d: what they do to the coordinates */
	double *square;               /* 2 k: of that */
};

size_t hs_gibbs_state_doubles(size_t k, size_t d);
struct hs_gibbs_state hs_gibbs_state_at(double *memory, size_t k, size_t d);

/* Fills the ways from t: principal directions of the endmembers about their mean, and the edges from each to the next. */
int hs_gibbs_find_ways(struct hs_gibbs_state *w, size_t k, size_t d, struct hs_err *err);

struct hs_gibbs_pixel {
	const double *z;              /* d */
	double outside;
	double *a;                    /* k: where the chain is */
	double *left;                 /* d: scratch */
	double variance;              /* of the noise, drawn anew in each step */
};

#define HS_GIBBS_LEAST_NOISE 1e-24    /* variance, endmembers being of order 1 */

void hs_gibbs_step(const struct hs_gibbs_space *s, const struct hs_gibbs_state *w, struct hs_gibbs_pixel *x, struct hs_rng *rng);

#endif
