/* nmf_pass - what NMF reads from the data themselves: one pass each; internal to unmix.
 *
 * Only rows that take part are numbered: row i of Z and W is the i-th of them. A value that is missing is taken for what the
 * model says, x = w h, so it neither pulls nor counts (expectation-maximisation); before there is a model, for the mean
 * spectrum scaled to the row. */
#ifndef HS_UNMIX_NMF_PASS_H
#define HS_UNMIX_NMF_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "unmix/nmf.h"
#include "unmix/nmf_low.h"
#include "math/par.h"

enum hs_nmf_use { HS_NMF_OUT, HS_NMF_WHOLE, HS_NMF_GAPS };

struct hs_nmf_data {
	struct hs_rowsource *rows;
	const struct hs_nmf_options *opt;
	double *mean;                 /* n_chan: for gaps, before there is a model */
	uint8_t *use;                 /* n_rows: enum hs_nmf_use */
	size_t *start;                /* blocks + 1: number of the first row of a block */
	size_t n_used, n_gaps, n_seen;        /* rows; values that are there */
	double norm2, negative2, smallest;    /* of the values that are there */
	size_t n_passes;
};

/* What a row is good for. */
enum hs_nmf_use hs_nmf_use_of(const struct hs_nmf_data *data, const struct hs_block *block, size_t i);

/* Row i of a block as float64; gap (n_chan flags), when not NULL, receives which values are missing (they are 0 in x). */
void hs_nmf_row(const struct hs_nmf_data *data, const struct hs_block *block, size_t i, double *x, uint8_t *gap);

/* Finds use, start, counts and norms, and with `means` the mean spectrum. With low, fills low->z with X V^T (low->v and low->r
 * are given, z has room for n_rows) from the mean that is known. Errors: HS_BAD_DATA without usable rows or when squares
 * overflow. */
int hs_nmf_survey(struct hs_nmf_data *data, struct hs_nmf_low *low, bool means, struct hs_err *err);
void hs_nmf_data_release(struct hs_nmf_data *data);

/* The source with its gaps filled by the scaled mean and its other unusable rows skipped, for passes that know nothing of gaps;
 * data has been surveyed. Released with hs_nmf_filled_free. */
struct hs_rowsource *hs_nmf_filled_new(const struct hs_nmf_data *data, struct hs_err *err);
void hs_nmf_filled_free(struct hs_rowsource *rows);

struct hs_nmf_exact {
	struct hs_nmf_sums sums;      /* of W as the pass left it; the caller's arrays */
	double *product;              /* low only: k x ld, W^T [Z Z2] */
	double cross;                 /* sum of W .* (X H^T) */
	double filled2;               /* sum of squares of the values filled in */
	double kkt2;                  /* the maps' part of the KKT residual, squared, as the pass found W */
};

/* One pass at (W, H). With low: nothing but sums are made, and columns r .. r+q-1 of low->z become X times these rows of low->v,
 * which with the rows before are an orthonormal basis that holds H; rows of z with gaps are made anew. Without: W is updated by
 * accelerated HALS first. */
int hs_nmf_exact_pass(struct hs_nmf_data *data, struct hs_nmf_low *low, const struct hs_nmf_rules *rules,
	struct hs_nmf_factors *f, struct hs_nmf_exact *exact, struct hs_err *err);

/* Residual of each row (root mean square over its values; n_rows, NaN where nothing was computed), and the sum of squares. */
int hs_nmf_residual_pass(struct hs_nmf_data *data, const struct hs_nmf_factors *f, double *residual, double *error2,
	struct hs_err *err);

/* A strip: consecutive rows that take part, packed as float64. gap (m x n_chan flags) counts when gaps is set; such values are 0
 * in x. */
struct hs_nmf_strip {
	size_t first, m;              /* number of its first row; rows */
	bool gaps;
	double *x;                    /* m x n_chan, the strip's own */
	uint8_t *gap;
	const size_t *row;            /* m: places in the source */
};

/* Cuts a block into strips. x and gap have room for hs_nmf_strip_rows(n_chan) x n_chan. */
typedef void (*hs_nmf_strip_fn)(const void *ctx, const struct hs_nmf_strip *strip, double *room, double *sum);
void hs_nmf_each_strip(const struct hs_nmf_data *data, const struct hs_block *block, double *x, uint8_t *gap, hs_nmf_strip_fn fn,
	const void *ctx, double *room, double *sum);
size_t hs_nmf_strip_rows(size_t p);

/* Maps of a strip: k x m, rows ld apart, from and to f->w. */
void hs_nmf_load_maps(const struct hs_nmf_factors *f, const struct hs_nmf_strip *strip, size_t ld, double *w);
void hs_nmf_store_maps(const struct hs_nmf_factors *f, const struct hs_nmf_strip *strip, size_t ld, const double *w);

/* Bytes that data and a pass hold. */
double hs_nmf_pass_bytes(double n_rows, size_t p, size_t k, size_t r, int threads);

#endif
