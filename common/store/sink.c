#include "store/sink.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/worker.h"
#include "store/codec.h"

/* Shares a number of elements fairly between dimensions: each gets the same fraction of its length. */
static void share(const size_t *n, size_t rank, double elements, double total, size_t *chunk)
{
	for (size_t i = 0; i < rank; i++) {
		const double want = ceil((double)n[i] * pow(elements / total, 1.0 / (double)rank) - 1e-9);
		chunk[i] = want < 1 ? 1 : want > (double)n[i] ? n[i] : (size_t)want;
	}
}

bool hs_chunk_for(const size_t *n, size_t rank, size_t sig_rank, size_t element, size_t *chunk)
{
	const size_t n_nav = rank - sig_rank;
	double nav = 1, sig = 1;
	for (size_t i = 0; i < rank; i++)
		*(i < n_nav ? &nav : &sig) *= (double)n[i];
	if (nav * sig * (double)element < 65536)
		return false;
	const double target = (double)HS_CHUNK_BYTES / (double)element;
	double pixels = sig_rank == 1 && n_nav ? fmax(fmax(sqrt(target * nav / sig), target / sig), 1) : fmax(target / sig, 1);
	pixels = fmin(pixels, fmin(nav, 3 * target));         /* few channels: stay below the 1 MiB that HDF5's chunk cache holds */
	share(n, n_nav, pixels, nav, chunk);
	/* a row of chunks along the first dimensions must fit one band; what it loses there the channels get */
	double inner = nav * sig * (double)element;
	for (size_t i = 0; i < n_nav; i++) {
		inner /= (double)n[i];
		const double most = fmax(floor(HS_BAND_BYTES / inner), 1);
		if ((double)chunk[i] > most) {
			pixels *= most / (double)chunk[i];
			chunk[i] = (size_t)most;
		}
		if (chunk[i] > 1 || inner <= HS_BAND_BYTES)
			break;
	}
	share(n + n_nav, sig_rank, fmin(fmax(target / pixels, 1), sig), sig, chunk + n_nav);
	return true;
}

void hs_chunk_by_pixels(const size_t *n, size_t rank, size_t element, size_t *chunk)
{
	double inner = (double)element;       /* bytes of all components of one index of dimension i */
	for (size_t i = 0; i < rank; i++)
		inner *= (double)n[i];
	for (size_t i = 1; i < rank; i++) {
		inner /= (double)n[i];
		const double most = fmax(floor(HS_BAND_BYTES / inner), 1);
		if ((double)chunk[i] > most) {
			const size_t lost = chunk[i] / (size_t)most;
			chunk[i] = (size_t)most;
			if (i + 1 < rank)
				chunk[i + 1] = lost * chunk[i + 1] < n[i + 1] ? lost * chunk[i + 1] : n[i + 1];
		}
		if (chunk[i] > 1 || inner <= HS_BAND_BYTES)
			break;
	}
}

struct packed {
	unsigned char *bytes;
	size_t n;
};

struct hs_sink {
	hid_t dataset;
	int fd;
	enum hs_dtype dtype;
	size_t element, rank, n_nav;
	/* logical dimensions: pixels, then channels; dim[i] is their place in the dataset */
	size_t n[HS_MAX_RANK], dim[HS_MAX_RANK], chunk[HS_MAX_RANK];
	size_t n_rows, n_chan, row_bytes, put;
	bool chunked, hash_in_order;
	uint64_t offset;              /* contiguous: where the values begin */
	unsigned char *column;
	struct hs_sha256 *sha;

	size_t split, inner;          /* bands run along this pixel dimension, inner rows an index */
	unsigned char *band[2];
	size_t in_band, band_first, band_rows;    /* rows held, the first of them, rows a full band has */
	int filling;
	/* the band being packed */
	size_t pack_first, pack_rows, n_packed, room_packed;
	struct packed *packed;
	struct hs_pipeline pipeline;
	struct hs_codec **codec;
	unsigned char **gather;
	size_t chunk_bytes;
	int threads;
	struct hs_worker *worker;
	bool working, failed;
};

static size_t band_length(const struct hs_sink *s, size_t first_row)
{
	const size_t at = first_row / s->inner % s->n[s->split], left = s->n[s->split] - at;
	return (left < s->chunk[s->split] ? left : s->chunk[s->split]) * s->inner;
}

int hs_sink_open(struct hs_sink **sink, hid_t dataset, int fd, enum hs_dtype dtype, const size_t *n, size_t rank, size_t sig_rank,
	bool components_first, int threads, struct hs_err *err)
{
	struct hs_sink *s = hs_must_alloc(1, sizeof *s);
	*s = (struct hs_sink){ .dataset = dataset, .fd = fd, .dtype = dtype, .element = hs_dtype_size(dtype), .rank = rank,
		.threads = threads > 0 ? threads : 1, .sha = hs_sha256_new(), .hash_in_order = !components_first };
	s->n_nav = components_first ? rank - 1 : rank - sig_rank;
	for (size_t i = 0; i < rank; i++) {
		s->dim[i] = components_first ? (i + 1) % rank : i;
		s->n[i] = n[s->dim[i]];
	}
	s->n_rows = s->n_chan = 1;
	for (size_t i = 0; i < rank; i++)
		*(i < s->n_nav ? &s->n_rows : &s->n_chan) *= s->n[i];
	s->row_bytes = s->n_chan * s->element;
	hid_t dcpl = H5Dget_create_plist(dataset);
	hsize_t chunk[HS_MAX_RANK];
	s->chunked = H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_chunk(dcpl, HS_MAX_RANK, chunk) == (int)rank;
	s->pipeline = (struct hs_pipeline){ .shuffle = H5Pget_nfilters(dcpl) > 0, .deflate = H5Pget_nfilters(dcpl) > 0,
		.fletcher = H5Pget_nfilters(dcpl) > 0, .element = s->element };
	H5Pclose(dcpl);
	int verdict = 0;
	if (!s->chunked) {
		s->offset = H5Dget_offset(dataset);
		s->column = hs_must_alloc(1 << 16, s->element);
		if (s->offset == HADDR_UNDEF)
			verdict = hs_h5_fail(err, HS_BUG, "a contiguous dataset without a place");
	} else {
		s->chunk_bytes = s->element;
		for (size_t i = 0; i < rank; i++) {
			s->chunk[i] = (size_t)chunk[s->dim[i]];
			s->chunk_bytes *= s->chunk[i];
		}
		s->inner = s->n_rows;
		for (s->split = 0; s->n_nav; s->split++) {
			s->inner /= s->n[s->split];
			if (s->chunk[s->split] > 1 || s->split + 1 == s->n_nav)
				break;
		}
		if (!s->n_nav) {      /* one row that is a whole image: a band of its own, cut along nothing */
			s->inner = 1;
			s->band_rows = 1;
		} else {
			s->band_rows = band_length(s, 0);
		}
		for (int i = 0; i < (s->band_rows < s->n_rows ? 2 : 1) && verdict == 0; i++)
			if (!(s->band[i] = hs_alloc(s->band_rows, s->row_bytes, err)))
				verdict = -1;
		s->codec = hs_must_alloc((size_t)s->threads, sizeof(void *));
		s->gather = hs_must_alloc((size_t)s->threads, sizeof(void *));
		for (int t = 0; t < s->threads; t++) {
			s->codec[t] = hs_codec_new();
			s->gather[t] = hs_must_alloc(s->chunk_bytes, 1);
		}
	}
	if (verdict < 0) {
		hs_sink_abandon(s);
		return -1;
	}
	*sink = s;
	return 0;
}

/* ------------------------------------------------------------------ contiguous */

static int write_at(const struct hs_sink *s, const void *from, size_t n, uint64_t at, struct hs_err *err)
{
	const char *p = from;
	while (n) {
		const ssize_t k = pwrite(s->fd, p, n, (off_t)at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return hs_fail_errno(err, "cannot write the values");
		p += k;
		at += (uint64_t)k;
		n -= (size_t)k;
	}
	return 0;
}

static int put_contiguous(struct hs_sink *s, const unsigned char *rows, size_t n_rows, struct hs_err *err)
{
	if (s->hash_in_order) {
		hs_sha256_add(s->sha, rows, n_rows * s->row_bytes);
		return write_at(s, rows, n_rows * s->row_bytes, s->offset + s->put * s->row_bytes, err);
	}
	for (size_t c = 0; c < s->n_chan; c++)        /* a stretch of one component's map at a time */
		for (size_t i = 0; i < n_rows;) {
			const size_t run = n_rows - i < 1 << 16 ? n_rows - i : 1 << 16;
			for (size_t k = 0; k < run; k++)
				memcpy(s->column + k * s->element, rows + ((i + k) * s->n_chan + c) * s->element, s->element);
			if (write_at(s, s->column, run * s->element, s->offset + (c * s->n_rows + s->put + i) * s->element, err) < 0)
				return -1;
			i += run;
		}
	return 0;
}

/* ------------------------------------------------------------------ chunked */

/* Number of chunks of the band being packed along each logical dimension, and where the band begins. */
static size_t band_chunks(const struct hs_sink *s, size_t first[HS_MAX_RANK], size_t count[HS_MAX_RANK])
{
	size_t total = 1, at = s->pack_first / s->inner;
	for (size_t i = 0; i < s->rank; i++) {
		first[i] = 0;
		count[i] = (s->n[i] + s->chunk[i] - 1) / s->chunk[i];
	}
	for (size_t i = s->n_nav ? s->split + 1 : 0; i-- > 0; at /= s->n[i]) {
		first[i] = at % s->n[i];
		count[i] = 1;
	}
	for (size_t i = 0; i < s->rank; i++)
		total *= count[i];
	return total;
}

static void chunk_start(const struct hs_sink *s, size_t index, const size_t *first, const size_t *count, size_t *start)
{
	for (size_t i = s->rank; i-- > 0; index /= count[i])
		start[i] = first[i] + index % count[i] * s->chunk[i];
}

/* Copies one chunk out of the band into dataset order; what hangs over the edge is zero. */
static void gather(const struct hs_sink *s, const unsigned char *band, const size_t *start, unsigned char *to)
{
	size_t disk_stride[HS_MAX_RANK], step = s->element, n[HS_MAX_RANK], at[HS_MAX_RANK] = { 0 };
	size_t logical_of[HS_MAX_RANK];
	int cut = 0;
	for (size_t i = 0; i < s->rank; i++)
		logical_of[s->dim[i]] = i;
	for (size_t d = s->rank; d-- > 0; step *= s->chunk[logical_of[d]])
		disk_stride[logical_of[d]] = step;
	size_t band_stride[HS_MAX_RANK];
	step = s->element;
	for (size_t i = s->rank; i-- > 0; step *= s->n[i])
		band_stride[i] = step;
	for (size_t i = 0; i < s->rank; i++) {
		n[i] = s->n[i] - start[i] < s->chunk[i] ? s->n[i] - start[i] : s->chunk[i];
		cut |= n[i] < s->chunk[i];
		if (s->n_nav == 0 || i > s->split)
			band += start[i] * band_stride[i];
	}
	if (cut)
		memset(to, 0, s->chunk_bytes);
	/* the last logical dimension is the inner loop */
	const size_t last = s->rank - 1, run = n[last], to_step = disk_stride[last], from_step = band_stride[last];
	for (bool more = true; more;) {
		const unsigned char *p = band;
		unsigned char *q = to;
		for (size_t i = 0; i < last; i++) {
			p += at[i] * band_stride[i];
			q += at[i] * disk_stride[i];
		}
		if (to_step == s->element && from_step == s->element)
			memcpy(q, p, run * s->element);
		else
			for (size_t k = 0; k < run; k++)
				memcpy(q + k * to_step, p + k * from_step, s->element);
		more = false;
		for (size_t i = last; i-- > 0 && !more;) {
			if (++at[i] < n[i])
				more = true;
			else
				at[i] = 0;
		}
	}
}

static void pack_band(void *ctx)
{
	struct hs_sink *s = ctx;
	const unsigned char *band = s->band[!s->filling];
	size_t first[HS_MAX_RANK], count[HS_MAX_RANK];
	band_chunks(s, first, count);
	/* the hash is one more piece of work beside the chunks, begun first because it is the longest */
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->threads)
	for (size_t job = 0; job <= s->n_packed; job++) {
		if (job == 0) {
			if (s->hash_in_order)
				hs_sha256_add(s->sha, band, s->pack_rows * s->row_bytes);
			continue;
		}
		const int t = omp_get_thread_num();
		size_t start[HS_MAX_RANK], n;
		chunk_start(s, job - 1, first, count, start);
		gather(s, band, start, s->gather[t]);
		const void *bytes = hs_pack_chunk(s->codec[t], &s->pipeline, s->gather[t], s->chunk_bytes, &n);
		struct packed *p = &s->packed[job - 1];
		unsigned char *room = bytes ? realloc(p->bytes, n) : NULL;
		if (!room) {
#pragma omp atomic write
			s->failed = true;
			continue;
		}
		p->bytes = room;
		p->n = n;
		memcpy(p->bytes, bytes, n);
	}
}

/* Waits for the band being packed and gives its chunks to HDF5. */
static int finish_band(struct hs_sink *s, struct hs_err *err)
{
	if (!s->working)
		return 0;
	hs_worker_wait(s->worker);
	s->working = false;
	if (s->failed)
		return hs_fail(err, HS_SYSTEM, "out of memory");
	size_t first[HS_MAX_RANK], count[HS_MAX_RANK], start[HS_MAX_RANK];
	band_chunks(s, first, count);
	for (size_t i = 0; i < s->n_packed; i++) {
		hsize_t offset[HS_MAX_RANK];
		chunk_start(s, i, first, count, start);
		for (size_t k = 0; k < s->rank; k++)
			offset[s->dim[k]] = start[k];
		if (H5Dwrite_chunk(s->dataset, H5P_DEFAULT, 0, offset, s->packed[i].n, s->packed[i].bytes) < 0)
			return hs_h5_fail(err, HS_SYSTEM, "cannot write the values");
	}
	return 0;
}

static int start_band(struct hs_sink *s, struct hs_err *err)
{
	if (finish_band(s, err) < 0)
		return -1;
	size_t first[HS_MAX_RANK], count[HS_MAX_RANK];
	s->pack_first = s->band_first;
	s->pack_rows = s->in_band;
	s->filling = !s->filling;
	s->band_first += s->in_band;
	s->in_band = 0;
	const size_t n = band_chunks(s, first, count);
	if (n > s->room_packed) {
		s->packed = hs_must_resize(s->packed, n, sizeof *s->packed);
		memset(s->packed + s->room_packed, 0, (n - s->room_packed) * sizeof *s->packed);
		s->room_packed = n;
	}
	s->n_packed = n;
	if (!s->worker && !(s->worker = hs_worker_new(pack_band, s)))
		return hs_fail(err, HS_SYSTEM, "cannot start a thread");
	hs_worker_start(s->worker);
	s->working = true;
	return 0;
}

static int put_chunked(struct hs_sink *s, const unsigned char *rows, size_t n_rows, struct hs_err *err)
{
	while (n_rows) {
		const size_t full = s->n_nav ? band_length(s, s->band_first) : 1, room = full - s->in_band, k = n_rows < room ? n_rows : room;
		memcpy(s->band[s->filling] + s->in_band * s->row_bytes, rows, k * s->row_bytes);
		s->in_band += k;
		rows += k * s->row_bytes;
		n_rows -= k;
		if (s->in_band == full && start_band(s, err) < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------ */

int hs_sink_put(struct hs_sink *s, const void *rows, size_t n_rows, struct hs_err *err)
{
	if (n_rows > s->n_rows - s->put)
		return hs_fail(err, HS_BUG, "more rows than the dataset has");
	if ((s->chunked ? put_chunked : put_contiguous)(s, rows, n_rows, err) < 0)
		return -1;
	s->put += n_rows;
	return 0;
}

/* Component-first values did not pass in C order: read them once more, a stretch of rows of the first dimensions at a time. */
static int hash_again(struct hs_sink *s, struct hs_err *err)
{
	const size_t y = s->rank > 1 ? s->n[0] : 1, row = s->n_rows / y, step = row < 1 << 20 ? (1 << 20) / row : 1;
	unsigned char *plane = hs_alloc((step < y ? step : y) * row, s->element, err);
	int verdict = plane ? 0 : -1;
	hid_t space = H5Dget_space(s->dataset);
	for (size_t c = 0; c < s->n_chan && verdict == 0; c++)
		for (size_t j = 0; j < y && verdict == 0; j += step) {
			hsize_t start[HS_MAX_RANK] = { c, j }, size[HS_MAX_RANK] = { 1, y - j < step ? y - j : step };
			for (size_t k = 1; k < s->n_nav; k++)
				size[k + 1] = s->n[k];
			const hsize_t count = size[1] * row;
			hid_t memory = H5Screate_simple(1, &count, NULL);
			H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
			if (H5Dread(s->dataset, hs_h5_type_native(s->dtype), memory, space, H5P_DEFAULT, plane) < 0)
				verdict = hs_h5_fail(err, HS_SYSTEM, "cannot read back the values");
			H5Sclose(memory);
			hs_sha256_add(s->sha, plane, (size_t)count * s->element);
		}
	H5Sclose(space);
	free(plane);
	return verdict;
}

int hs_sink_close(struct hs_sink *s, char sha256[65], struct hs_err *err)
{
	int verdict = 0;
	if (s->put != s->n_rows)
		verdict = hs_fail(err, HS_BUG, "%zu of %zu rows were written", s->put, s->n_rows);
	if (verdict == 0 && s->chunked)
		verdict = finish_band(s, err);
	if (verdict == 0 && !s->hash_in_order)
		verdict = hash_again(s, err);
	if (verdict == 0) {
		hs_sha256_take(s->sha, sha256);
		s->sha = NULL;
	}
	hs_sink_abandon(s);
	return verdict;
}

void hs_sink_abandon(struct hs_sink *s)
{
	if (!s)
		return;
	hs_worker_free(s->worker);
	for (int i = 0; i < 2; i++)
		free(s->band[i]);
	for (int t = 0; s->codec && t < s->threads; t++) {
		hs_codec_free(s->codec[t]);
		free(s->gather[t]);
	}
	for (size_t i = 0; i < s->room_packed; i++)
		free(s->packed[i].bytes);
	free(s->packed);
	free(s->codec);
	free(s->gather);
	free(s->column);
	hs_sha256_free(s->sha);
	free(s);
}
