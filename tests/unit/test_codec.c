/* The three filters on one chunk against HDF5's own: what HDF5 wrote we unpack, what we pack HDF5 reads, byte for byte. */
#include "store/codec.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tap.h"

enum { MOST = 70000 };

struct lab {
	hid_t file;
	int n_sets;
	unsigned char value[MOST], back[MOST + 8], stored[2 * MOST];
};

static struct lab lab;

/* Bytes that compress a little: counts of few events, or noise. */
static void fill_values(size_t n, unsigned seed, int noise)
{
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, 0);
	for (size_t i = 0; i < n; i++)
		lab.value[i] = (unsigned char)(noise ? hs_rng_u32(&rng) : hs_rng_u32(&rng) % 7 + i / 1000);
}

static hid_t new_dataset(const struct hs_pipeline *how, size_t n_elements, hid_t type)
{
	const hsize_t n = n_elements;
	char name[16];
	hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &n, NULL);
	H5Pset_chunk(dcpl, 1, &n);
	if (how->shuffle)
		H5Pset_shuffle(dcpl);
	if (how->deflate)
		H5Pset_deflate(dcpl, 1);
	if (how->fletcher)
		H5Pset_fletcher32(dcpl);
	snprintf(name, sizeof name, "set%d", lab.n_sets++);
	hid_t d = H5Dcreate2(lab.file, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
	H5Sclose(space);
	H5Pclose(dcpl);
	return d;
}

/* An element of `element` bytes without meaning to HDF5: no conversion. */
static hid_t element_type(size_t element)
{
	return H5Tcreate(H5T_OPAQUE, element);
}

static void one_case(struct hs_codec *codec, struct hs_pipeline how, size_t n_elements, int noise)
{
	const size_t n = n_elements * how.element;
	const hsize_t start = 0;
	uint32_t mask = 99;
	hsize_t n_stored = 0;
	char what[80];
	snprintf(what, sizeof what, "%zu x %zu bytes%s%s%s%s", n_elements, how.element, how.shuffle ? ", shuffle" : "",
		how.deflate ? ", deflate" : "", how.fletcher ? ", fletcher32" : "", noise ? ", noise" : "");
	fill_values(n, (unsigned)(n + how.element), noise);
	hid_t type = element_type(how.element);

	hid_t d = new_dataset(&how, n_elements, type);
	H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, lab.value);
	H5Dflush(d);
	H5Dget_chunk_storage_size(d, &start, &n_stored);
	H5Dread_chunk(d, H5P_DEFAULT, &start, &mask, lab.stored);
	H5Dclose(d);
	memset(lab.back, 0xee, sizeof lab.back);
	const char *why = hs_unpack_chunk(codec, &how, mask, lab.stored, n_stored, lab.back, n);
	int guarded = 1;
	for (size_t i = n; i < n + 8; i++)
		guarded &= lab.back[i] == 0xee;
	tap_ok(!why && !memcmp(lab.back, lab.value, n) && guarded, "unpacked as HDF5 packed it: %s%s%s", what, why ? ": " : "",
		why ? why : "");

	size_t n_packed = 0;
	const void *packed = hs_pack_chunk(codec, &how, lab.value, n, &n_packed);
	if (!how.deflate)
		tap_ok(n_packed == n_stored && !memcmp(packed, lab.stored, n_packed), "packed to HDF5's bytes: %s", what);
	d = new_dataset(&how, n_elements, type);
	const int written = H5Dwrite_chunk(d, H5P_DEFAULT, 0, &start, n_packed, packed) >= 0;
	H5Dclose(d);
	char name[16];
	snprintf(name, sizeof name, "set%d", lab.n_sets - 1);
	d = H5Dopen2(lab.file, name, H5P_DEFAULT);
	memset(lab.back, 0, n);
	const int read = written && H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, lab.back) >= 0;
	tap_ok(read && !memcmp(lab.back, lab.value, n), "HDF5 reads what was packed here: %s", what);
	H5Dclose(d);
	H5Tclose(type);
}

static void test_against_hdf5(void)
{
	static const size_t element[] = { 1, 2, 3, 4, 8, 16 }, count[] = { 1, 2, 7, 361, 1000, 4099 };
	struct hs_codec *codec = hs_codec_new();
	for (size_t e = 0; e < HS_LEN(element); e++)
		for (size_t c = 0; c < HS_LEN(count); c++)
			for (unsigned f = e < 2 || c < 5 ? 7 : 0; f < 8; f++)
				one_case(codec, (struct hs_pipeline){ f & 1, f & 2, f & 4, element[e] }, count[c], (e + c) % 2);
	hs_codec_free(codec);
	hs_codec_free(NULL);
}

/* An optional filter that HDF5 skipped for a chunk is said by its bit in the mask. */
static void test_mask(void)
{
	struct hs_codec *codec = hs_codec_new();
	const struct hs_pipeline all = { true, true, true, 4 };
	fill_values(4000, 1, 0);
	for (unsigned mask = 0; mask < 8; mask++) {
		const struct hs_pipeline done = { !(mask & 1), !(mask & 2), !(mask & 4), 4 };
		size_t n = 0;
		const void *packed = hs_pack_chunk(codec, &done, lab.value, 4000, &n);
		memcpy(lab.stored, packed, n);
		memset(lab.back, 0, 4000);
		const char *why = hs_unpack_chunk(codec, &all, mask, lab.stored, n, lab.back, 4000);
		tap_ok(!why && !memcmp(lab.back, lab.value, 4000), "filter mask %u", mask);
	}
	const struct hs_pipeline two = { false, true, true, 4 }; /* without shuffle, deflate is filter 0 */
	const struct hs_pipeline sum = { false, false, true, 4 };
	size_t n = 0;
	const void *packed = hs_pack_chunk(codec, &sum, lab.value, 4000, &n);
	memcpy(lab.stored, packed, n);
	tap_ok(!hs_unpack_chunk(codec, &two, 1, lab.stored, n, lab.back, 4000) && !memcmp(lab.back, lab.value, 4000),
		"bits count the filters that are there");
	hs_codec_free(codec);
}

static void test_damage(void)
{
	struct hs_codec *codec = hs_codec_new();
	const struct hs_pipeline summed = { true, true, true, 4 }, bare = { true, true, false, 4 },
				 plain = { false, false, false, 4 };
	fill_values(8000, 2, 0);
	size_t n = 0;
	const void *packed = hs_pack_chunk(codec, &summed, lab.value, 8000, &n);
	memcpy(lab.stored, packed, n);
	int missed = 0;
	for (size_t i = 0; i < n; i++) {
		lab.stored[i] ^= (unsigned char)(1u << i % 8);
		missed += hs_unpack_chunk(codec, &summed, 0, lab.stored, n, lab.back, 8000) == NULL;
		lab.stored[i] ^= (unsigned char)(1u << i % 8);
	}
	tap_ok(missed == 0, "one flipped bit anywhere among %zu bytes is noticed (%d missed)", n, missed);
	missed = 0;
	for (size_t cut = 0; cut < n; cut += 37)
		missed += hs_unpack_chunk(codec, &summed, 0, lab.stored, cut, lab.back, 8000) == NULL;
	tap_ok(missed == 0, "a chunk cut short is noticed");
	packed = hs_pack_chunk(codec, &bare, lab.value, 8000, &n);
	memcpy(lab.stored, packed, n);
	tap_ok(hs_unpack_chunk(codec, &bare, 0, lab.stored, n, lab.back, 7996) != NULL,
		"more values than the chunk has room for");
	tap_ok(hs_unpack_chunk(codec, &bare, 0, lab.stored, n, lab.back, 8004) != NULL,
		"fewer values than the chunk has room for");
	tap_ok(hs_unpack_chunk(codec, &plain, 0, lab.value, 7999, lab.back, 8000) != NULL,
		"an unfiltered chunk of the wrong length");
	tap_ok(hs_unpack_chunk(codec, &plain, 0, lab.value, 8000, lab.back, 8000) == NULL && !memcmp(lab.back, lab.value, 8000),
		"an unfiltered chunk passes");
	hs_codec_free(codec);
}

int main(void)
{
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
	H5Pset_fapl_core(fapl, 1 << 20, 0);
	lab.file = H5Fcreate("codec", H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
	H5Pclose(fapl);
	if (lab.file < 0)
		return 1;
	test_against_hdf5();
	test_mask();
	test_damage();
	H5Fclose(lab.file);
	return tap_done();
}
