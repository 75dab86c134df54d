#include "store/codec.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { LEVEL = 1 };                   /* deflate 1: half the time of 4 for 7 % more bytes */

struct hs_codec {
	struct libdeflate_compressor *squeeze;
	struct libdeflate_decompressor *expand;
	unsigned char *a, *b;         /* two work areas */
	size_t room_a, room_b;
};

struct hs_codec *hs_codec_new(void)
{
	return hs_must_alloc(1, sizeof(struct hs_codec));
}

void hs_codec_free(struct hs_codec *codec)
{
	if (!codec)
		return;
	if (codec->squeeze)
		libdeflate_free_compressor(codec->squeeze);
	if (codec->expand)
		libdeflate_free_decompressor(codec->expand);
	free(codec->a);
	free(codec->b);
	free(codec);
}

/* A work area of at least want bytes, what was in it is lost; NULL when memory is short. */
static unsigned char *room(unsigned char **area, size_t *have, size_t want)
{
	if (want > *have) {
		free(*area);
		*area = malloc(want);
		*have = *area ? want : 0;
	}
	return *area;
}

/* Byte k of every element together, k = 0, 1, ...; bytes behind the last whole element stay at the end. */
static void shuffle(const unsigned char *in, unsigned char *out, size_t n, size_t element)
{
	const size_t count = n / element;
	for (size_t k = 0; k < element; k++)
		for (size_t i = 0; i < count; i++)
			out[k * count + i] = in[i * element + k];
	memcpy(out + count * element, in + count * element, n - count * element);
}

static void unshuffle(const unsigned char *restrict in, unsigned char *restrict out, size_t n, size_t element)
{
	const size_t count = n / element;
	if (element == 4) {                   /* float32, the common case: written so that compilers vectorise it */
		const unsigned char *a = in, *b = in + count, *c = in + 2 * count, *d = in + 3 * count;
		for (size_t i = 0; i < count; i++) {
			out[4 * i] = a[i];
			out[4 * i + 1] = b[i];
			out[4 * i + 2] = c[i];
			out[4 * i + 3] = d[i];
		}
	} else {
		for (size_t k = 0; k < element; k++)
			for (size_t i = 0; i < count; i++)
				out[i * element + k] = in[k * count + i];
	}
	memcpy(out + count * element, in + count * element, n - count * element);
}

/* HDF5's fletcher32: big-endian 16-bit words, sums reduced every 360 words. */
static uint32_t fletcher32(const unsigned char *p, size_t n)
{
	uint32_t a = 0, b = 0;
	size_t words = n / 2;
	while (words) {
		size_t run = words > 360 ? 360 : words;
		words -= run;
		for (; run; run--, p += 2) {
			a += (uint32_t)p[0] << 8 | p[1];
			b += a;
		}
		a = (a & 0xffff) + (a >> 16);
		b = (b & 0xffff) + (b >> 16);
	}
	if (n % 2) {
		a += (uint32_t)*p << 8;
		b += a;
		a = (a & 0xffff) + (a >> 16);
		b = (b & 0xffff) + (b >> 16);
	}
	a = (a & 0xffff) + (a >> 16);
	b = (b & 0xffff) + (b >> 16);
	return b << 16 | a;
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

const char *hs_unpack_chunk(struct hs_codec *codec, const struct hs_pipeline *how, uint32_t mask, const void *in, size_t n_in,
	void *out,
	size_t n_out)
{
	unsigned place = 0;           /* of a filter in the pipeline, for the mask */
	const bool shuffled = how->shuffle && !(mask & 1u << place++), deflated = how->deflate && !(mask & 1u << place++),
		   summed = how->fletcher && !(mask & 1u << place);
	const unsigned char *p = in;
	if (summed) {
		if (n_in < 4)
			return "checksum is missing";
		n_in -= 4;
		const uint32_t stored = get32(p + n_in), sum = fletcher32(p, n_in),
			       swapped = (sum & 0x00ff00ffu) << 8 | (sum & 0xff00ff00u) >> 8;   /* written so by HDF5 1.6.2 */
		if (stored != sum && stored != swapped)
			return "checksum does not match";
	}
	if (deflated) {
		if (!codec->expand && !(codec->expand = libdeflate_alloc_decompressor()))
			return "out of memory";
		unsigned char *to = shuffled ? room(&codec->a, &codec->room_a, n_out) : out;
		if (!to)
			return "out of memory";
		size_t got = 0;
		if (libdeflate_zlib_decompress(codec->expand, p, n_in, to, n_out, &got) != LIBDEFLATE_SUCCESS || got != n_out)
			return "compressed data are damaged";
		p = to;
	} else if (n_in != n_out) {
		return "chunk has the wrong length";
	}
	if (shuffled)
		unshuffle(p, out, n_out, how->element);
	else if (p != out)
		memcpy(out, p, n_out);
	return NULL;
}

const void *hs_pack_chunk(struct hs_codec *codec, const struct hs_pipeline *how, const void *in, size_t n_in, size_t *n_out)
{
	const unsigned char *p = in;
	size_t n = n_in;
	if (how->shuffle) {
		if (!room(&codec->a, &codec->room_a, n_in))
			return NULL;
		shuffle(in, codec->a, n_in, how->element);
		p = codec->a;
	}
	if (how->deflate && !codec->squeeze && !(codec->squeeze = libdeflate_alloc_compressor(LEVEL)))
		return NULL;
	const size_t most = how->deflate ? libdeflate_zlib_compress_bound(codec->squeeze, n_in) : n_in;
	if (!room(&codec->b, &codec->room_b, most + 4))
		return NULL;
	if (how->deflate)
		n = libdeflate_zlib_compress(codec->squeeze, p, n_in, codec->b, most);
	else
		memcpy(codec->b, p, n_in);
	p = codec->b;
	if (how->fletcher) {
		const uint32_t sum = fletcher32(p, n);
		for (int i = 0; i < 4; i++)
			codec->b[n++] = (unsigned char)(sum >> 8 * i);
	}
	*n_out = n;
	return codec->b;
}
