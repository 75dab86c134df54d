/* codec - the three HDF5 filters of the container on one chunk: shuffle, deflate (libdeflate), fletcher32.
 *
 * Pure functions on buffers, so that worker threads can pack and unpack chunks while HDF5 itself is called from one thread.
 * The bytes are exactly what HDF5's own filters make and accept. Thread rule: a struct hs_codec belongs to one thread. */
#ifndef HS_STORE_CODEC_H
#define HS_STORE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hs_pipeline {                  /* which filters a dataset has, in the order shuffle, deflate, fletcher32 */
	bool shuffle, deflate, fletcher;
	size_t element;               /* bytes of one element, for shuffle */
};

struct hs_codec;
struct hs_codec *hs_codec_new(void);
void hs_codec_free(struct hs_codec *codec);

/* Unpacks a stored chunk of n_in bytes into exactly n_out bytes. mask: bit i set = filter i of the pipeline was skipped when
 * the chunk was written. NULL on success, else why not ("checksum does not match", ...). */
const char *hs_unpack_chunk(struct hs_codec *codec, const struct hs_pipeline *how, uint32_t mask, const void *in, size_t n_in,
	void *out,
	size_t n_out);

/* Packs n_in bytes (a whole chunk); returns the packed bytes, owned by the codec until its next call, and their number; NULL when
 * memory is short. */
const void *hs_pack_chunk(struct hs_codec *codec, const struct hs_pipeline *how, const void *in, size_t n_in, size_t *n_out);

#endif
