/* sink - stream the values of one dataset into a file, row by row; private to store/.
 *
 * Rows come in pixel order, as rows.h delivers them. Chunks are packed (codec.h) by worker threads while the caller makes the
 * next rows; HDF5 is called from the caller's thread only. Contiguous datasets are written in place with pwrite. The
 * sha256 of the values in C order is computed beside the work. At most two bands of HS_BAND_BYTES are in memory. */
#ifndef HS_STORE_SINK_H
#define HS_STORE_SINK_H

#include "store/h5.h"

enum { HS_BAND_BYTES = 16 << 20, HS_CHUNK_BYTES = 256 << 10 };

/* Chunk extents for a dataset (hsdata(5)): about 256 KiB, balanced so that one spectrum and one image touch the same number of
 * chunks; whole frames first for 2-D signals; and no row of chunks larger than HS_BAND_BYTES, so that it can be written and
 * read in little memory. Returns false when the dataset is so small that it is stored contiguously. */
bool hs_chunk_for(const size_t *n, size_t rank, size_t sig_rank, size_t element, size_t *chunk);

/* The same for a dataset of (component, pixels...) that will be written pixel by pixel: flatter, so that a row of chunks of all
 * components fits HS_BAND_BYTES. Changes what hs_chunk_for gave. */
void hs_chunk_by_pixels(const size_t *n, size_t rank, size_t element, size_t *chunk);

struct hs_sink;

/* dataset is borrowed and already created (contiguous ones with early allocation). components_first: the dataset is
 * (component, pixels...), rows are pixels. fd is the file's descriptor. */
int hs_sink_open(struct hs_sink **sink, hid_t dataset, int fd, enum hs_dtype dtype, const size_t *n, size_t rank, size_t sig_rank,
	bool components_first, int threads, struct hs_err *err);
int hs_sink_put(struct hs_sink *sink, const void *rows, size_t n_rows, struct hs_err *err);

/* Writes what is left; all rows must have come. Frees the sink, also on failure. */
int hs_sink_close(struct hs_sink *sink, char sha256[65], struct hs_err *err);
void hs_sink_abandon(struct hs_sink *sink);

#endif
