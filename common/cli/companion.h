/* companion - other numbers that go with the spectra under study: their variances, and the components of an earlier set.
 *
 * Owner: each struct owns what it opened or read, until it is released; what it was opened for must outlive it. */
#ifndef HS_CLI_COMPANION_H
#define HS_CLI_COMPANION_H

#include "cli/pixels.h"
#include "factor/mlpca.h"
#include "factor/tsqr.h"

/* Variances called NAME: "errors", the standard deviations stored with the signal (data_errors), squared; a signal of the same
 * file; or a file, then its default signal. Of the same shape, or one value a channel, or one a pixel. HS_USAGE when there is
 * no such thing, HS_BAD_DATA when it has another shape. */
struct hs_companion {
	struct hs_in *in;             /* another file, or NULL */
	struct hs_pixels px;          /* of a signal of the same shape */
	struct hs_values values;      /* of stored errors, read by: */
	struct hs_rows *rows;
	double *vector;               /* of channels or pixels */
	struct hs_variances variances;
};
#define HS_COMPANION_BYTES (UINT64_C(64) << 20)       /* for reading: part of what a tool says it needs */
int hs_companion_open(struct hs_companion *c, struct hs_run *run, const struct hs_pixels *px, const char *name,
	struct hs_err *err);
void hs_companion_close(struct hs_companion *c);

/* What an earlier run of hspca found: its newest step in the file. */
struct hs_earlier {
	size_t n_batches;
	double *batch;                /* spectra that took part, of each batch */
	double *mean, *f;             /* n_chan; k x n_chan, scaled: f^T f = sum y y^T */
	enum hs_centre centre;
	bool poisson;
	struct hs_tsqr_earlier known; /* points into the above */
};
int hs_earlier_read(struct hs_earlier *e, const char *path, size_t n_chan, struct hs_err *err);
void hs_earlier_release(struct hs_earlier *e);

#endif
