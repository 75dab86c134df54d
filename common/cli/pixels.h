/* pixels - a signal seen as spectra, and results laid out over its pixels.
 *
 * What is a pixel and what a channel: for spectra, navigation dimensions and the signal dimensions; for a stack of images
 * (component maps, frames of time) every image point is a pixel and the stack is its spectrum; a single image is pixels of one
 * channel. So `hspca | hscluster` clusters scores.
 *
 * Owner: hs_pixels owns its row source and mask; signals made here belong to the caller. */
#ifndef HS_CLI_PIXELS_H
#define HS_CLI_PIXELS_H

#include "cli/session.h"

struct hs_pixels {
	struct hs_in *in;                     /* borrowed, with its signal number index: */
	size_t index;
	const struct hs_signal *signal;
	struct hs_values values;
	struct hs_rows *rows;
	struct hs_rowsource *source;          /* n_chan values a row; 2 n_chan for complex ones in parts */
	uint8_t *mask;                        /* combined: the file's pixel_mask and --mask; NULL when all are good */
	size_t n_pix, n_chan;
	size_t n_nav, nav[HS_MAX_RANK];       /* which dimensions of the signal are pixels */
	size_t n_sig, sig[HS_MAX_RANK];       /* ... and channels */
};

/* How many pixels and channels that gives, before anything is opened. */
void hs_pixels_count(const struct hs_signal *signal, size_t *n_pix, size_t *n_chan);

/* How a tool is going to read. */
struct hs_reading {
	enum hs_rows_as as;
	uint64_t memory;                      /* for rows.h */
	bool again;                           /* many passes: decoded rows are kept in $TMPDIR, as many bytes as --memory grants */
};

int hs_pixels_open(struct hs_pixels *px, struct hs_run *run, struct hs_in *in, size_t signal, const struct hs_reading *reading,
	struct hs_err *err);
void hs_pixels_close(struct hs_pixels *px);

/* Descriptions of results, axes copied from the input:
 *	map         (pixels...)                  one value a pixel: labels, residual
 *	maps        (component, pixels...)       scores, abundances
 *	spectra     (component, channels...)     loadings, centroids
 *	spectrum    (channels...)                mean
 *	series      (component)                  variance, sizes
 * A scattered input keeps its point axis and x, y coordinates. */
void hs_pixels_map(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype);
void hs_pixels_maps(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype, const char *component, size_t n);
void hs_pixels_spectra(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype, const char *component, size_t n);
void hs_pixels_spectrum(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity,
	const char *units,
	enum hs_dtype dtype);
void hs_pixels_series(const struct hs_pixels *px, struct hs_signal *s, const char *name, const char *quantity, const char *units,
	enum hs_dtype dtype, const char *component, size_t n);

/* Like the input signal itself, as real values of another type: a denoised cube. */
void hs_pixels_cube(const struct hs_pixels *px, struct hs_signal *s, const char *name, enum hs_dtype dtype);

#endif
