/* factors - a decomposition x ~ mean + sum_k map_k spectrum_k, written the way every decomposition is written.
 *
 * Into the tool's step go, as far as they are given:
 *	MAPS         (component, pixels...)    float32   scores, abundances, sources; sigma as data_errors
 *	SPECTRA      (component, channels...)  float64   loadings, endmembers; sigma as data_errors
 *	mean         (channels...)             float64   what was subtracted first
 *	residual     (pixels...)               float32   root mean square of what is left of each spectrum
 *	convergence  (iteration)               float64   the objective after each iteration
 * The maps come first and are the step's default signal. hsplot and hscmp know the result by these names and shapes: a new
 * decomposition needs nothing there when it uses "loadings", "endmembers", "components" or "sources" for its spectra. Components
 * are numbered from 1.
 *
 * Everything is borrowed. Values beyond float32 are refused with one sentence, rows that are NaN stay NaN. */
#ifndef HS_CLI_FACTORS_H
#define HS_CLI_FACTORS_H

#include "cli/pixels.h"

/* Values of every pixel: in memory, or computed in one more pass over the data that hands them to put(to, ...). */
struct hs_factor_rows {
	const double *value;          /* n_pix x width; or NULL, and then: */
	int (*pass)(void *ctx, hs_rows_put put, void *to, struct hs_err *err);
	void *ctx;
};

struct hs_factors {
	size_t k;
	const char *component;        /* what the first axis counts: "component", "endmember" */

	const char *maps, *map_quantity, *map_units, *map_comment;
	struct hs_factor_rows map;    /* width k; neither value nor pass: no maps are written */
	const double *map_sigma;      /* n_pix x k, or NULL */

	const char *spectra, *spectrum_quantity, *spectrum_units;
	const char *spectrum_comment; /* order, sign, scale */
	const double *spectrum;       /* k x n_chan */
	const double *spectrum_sigma; /* k x n_chan, or NULL */

	const double *mean;           /* n_chan, or NULL */
	const double *residual;       /* n_pix, NaN where nothing was computed; or NULL */
	const char *objective;        /* "squared error": quantity of the trace */
	const char *objective_units;
	size_t n_iter;
	const double *trace;          /* n_iter, or NULL */
};

int hs_factors_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_factors *f, struct hs_err *err);

/* A pass whose rows go straight into a float32 signal of the file: maps (components_first), or a cube of pixels with spectra. */
int hs_factors_stream(struct hs_out *out, enum hs_out_place place, const struct hs_signal *s, bool components_first,
	const struct hs_extras *extras, const struct hs_factor_rows *rows, size_t n_rows, struct hs_err *err);

#endif
