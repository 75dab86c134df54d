/* The part of reading that needs HDF5: chunks as they are packed, or values of any type and filter through H5Dread. */
#include "store/rows_slab.h"

#include <stdlib.h>

#include "base/mem.h"

/* Filters we undo ourselves: shuffle of whole elements, deflate, fletcher32, in this order, each at most once, on every chunk. */
static bool known_pipeline(hid_t dcpl, size_t element, struct hs_pipeline *how)
{
	static const H5Z_filter_t order[] = { H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32 };
	const int n = H5Pget_nfilters(dcpl);
	size_t place = 0;
	bool *const has[] = { &how->shuffle, &how->deflate, &how->fletcher };
	unsigned chunk_options = 0;
	*how = (struct hs_pipeline){ .element = element };
	if (H5Pget_chunk_opts(dcpl, &chunk_options) < 0 || chunk_options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS)
		return false;                 /* chunks over the edge are stored bare, and their mask does not say so */
	for (int i = 0; i < n; i++) {
		unsigned flags, config, value = 0;
		size_t n_values = 1;
		const H5Z_filter_t id = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, &value, 0, NULL, &config);
		if (id == H5Z_FILTER_SHUFFLE && value != element)
			return false;
		while (place < HS_LEN(order) && order[place] != id)
			place++;
		if (place == HS_LEN(order))
			return false;
		*has[place++] = true;
	}
	return true;
}

int hs_rows_open_dataset(struct hs_rows *r, struct hs_err *err)
{
	const struct hs_values *v = &r->v;
	r->dataset = H5Dopen2(v->file->id, v->path, H5P_DEFAULT);
	if (r->dataset < 0)
		return hs_h5_fail(err, HS_BAD_DATA, "cannot open '%s' in '%s'", v->path, v->file->name);
	hid_t space = H5Dget_space(r->dataset), dcpl = H5Dget_create_plist(r->dataset);
	hsize_t dims[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
	const int rank = H5Sget_simple_extent_dims(space, dims, NULL);
	H5Sclose(space);
	if (rank < 0 || rank > HS_MAX_RANK) {
		H5Pclose(dcpl);
		return hs_fail(err, HS_BAD_DATA, "dataset '%s' has %d dimensions", v->path, rank);
	}
	r->disk_rank = (size_t)rank;
	for (int i = 0; i < rank; i++)
		r->disk_n[i] = (size_t)dims[i];
	r->file_type = H5Dget_type(r->dataset);
	const bool plain = !v->field && hs_h5_type_is_plain(r->file_type, v->dtype, &r->big_endian);
	const H5D_layout_t layout = H5Pget_layout(dcpl);
	const haddr_t offset = layout == H5D_CONTIGUOUS && plain && H5Pget_external_count(dcpl) == 0 ? H5Dget_offset(r->dataset) :
		HADDR_UNDEF;
	/* a table of positions x channels described with more (or fewer) dimensions: the same elements in C order */
	r->regrouped = r->disk_rank != v->rank;
	for (size_t i = 0; i < v->rank && !r->regrouped; i++)
		r->regrouped = v->disk_dim[i] >= r->disk_rank || r->disk_n[v->disk_dim[i]] != v->n[i];
	size_t n_disk, n_described;
	if (!hs_product(r->disk_n, r->disk_rank, &n_disk) || !hs_product(v->n, v->rank, &n_described) || n_disk != n_described) {
		H5Pclose(dcpl);
		return hs_fail(err, HS_BAD_DATA, "dataset '%s' has %zu values, its description %zu", v->path, n_disk, n_described);
	}
	const bool regrouped = r->regrouped;
	r->way = WAY_H5READ;
	if (offset != HADDR_UNDEF) {          /* contiguous: plain bytes of the file, HDF5 is not needed any more */
		const int64_t size = (int64_t)r->element_in;
		int64_t stride[HS_MAX_RANK], step = size;
		for (size_t i = regrouped ? v->rank : r->disk_rank; i-- > 0; step *= (int64_t)(regrouped ? v->n[i] : r->disk_n[i]))
			stride[i] = step;
		for (size_t i = 0; i < v->rank; i++)
			r->v.stride[i] = stride[regrouped ? i : v->disk_dim[i]];
		r->v.fd = v->file->fd;
		r->v.offset = offset;
		r->v.end = UINT64_MAX;
		r->v.big_endian = r->big_endian;
		r->way = WAY_RAW;
	} else if (layout == H5D_CHUNKED && plain && !regrouped && known_pipeline(dcpl, r->element_in, &r->pipeline) &&
		H5Pget_chunk(dcpl, H5S_MAX_RANK, chunk) == rank) {
		r->way = WAY_CHUNKS;
		r->fill = hs_must_alloc(1, r->element_in);
		H5Pget_fill_value(dcpl, r->file_type, r->fill);
		for (int i = 0; i < rank; i++)
			r->chunk[i] = (size_t)chunk[i];
		if (!hs_product(r->chunk, r->disk_rank, &r->chunk_bytes) || !hs_mul(r->chunk_bytes, r->element_in, &r->chunk_bytes) ||
			r->chunk_bytes > UINT32_MAX) {
			H5Pclose(dcpl);
			return hs_fail(err, HS_BAD_DATA, "dataset '%s' has chunks of an absurd size", v->path);
		}
	}
	H5Pclose(dcpl);
	return 0;
}

static int make_room(struct hs_rows *r, size_t want, struct hs_err *err)
{
	if (want <= r->room_raw)
		return 0;
	free(r->raw);
	r->room_raw = 0;
	if (!(r->raw = hs_alloc(want, 1, err)))
		return -1;
	r->room_raw = want;
	return 0;
}

static void chunk_offset(const struct hs_rows *r, size_t i, hsize_t offset[HS_MAX_RANK])
{
	size_t start[HS_MAX_RANK];
	hs_rows_chunk_start(r, i, start);
	for (size_t k = 0; k < r->disk_rank; k++)
		offset[k] = start[k];
}

/* Which chunks the slab touches and how long each is. */
static int list_chunks(struct hs_rows *r, const struct hs_slab *s, struct hs_err *err)
{
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK], total = 1;
	hsize_t offset[HS_MAX_RANK];
	hs_rows_disk_box(r, s, lo, n);
	for (size_t k = 0; k < r->disk_rank; k++) {
		r->first_chunk[k] = lo[k] / r->chunk[k];
		r->n_chunks[k] = (lo[k] + n[k] - 1) / r->chunk[k] - r->first_chunk[k] + 1;
		total *= r->n_chunks[k];
	}
	if (total > r->room_packed) {
		free(r->packed);
		r->room_packed = 0;
		if (!(r->packed = hs_alloc(total, sizeof *r->packed, err)))
			return -1;
		r->room_packed = total;
	}
	r->n_packed = total;
	for (size_t i = 0; i < total; i++) {
		hsize_t stored = 0;
		chunk_offset(r, i, offset);
		r->packed[i].missing = H5Dget_chunk_storage_size(r->dataset, offset, &stored) < 0 || !stored;
		r->packed[i].n = (size_t)stored;
		if (stored > 2 * (hsize_t)r->chunk_bytes + 4096)
			return hs_fail(err, HS_BAD_DATA, "'%s' is damaged: a chunk of '%s' promises %llu bytes", r->v.file->name, r->v.path,
				(unsigned long long)stored);
	}
	return 0;
}

/* Bytes of the next chunks, as many as fit the raw area and at least one. */
static int fetch_wave(struct hs_rows *r, struct hs_err *err)
{
	size_t bytes = 0;
	hsize_t offset[HS_MAX_RANK];
	for (r->wave = r->wave_end; r->wave_end < r->n_packed; r->wave_end++) {
		struct hs_packed_chunk *c = &r->packed[r->wave_end];
		if (c->missing)
			continue;
		if (bytes && c->n > r->room_raw - bytes)
			break;
		if (!bytes && make_room(r, c->n, err) < 0)
			return -1;
		c->at = bytes;
		bytes += c->n;
		chunk_offset(r, r->wave_end, offset);
		if (H5Dread_chunk(r->dataset, H5P_DEFAULT, offset, &c->mask, r->raw + c->at) < 0)
			return hs_h5_fail(err, HS_BAD_DATA, "'%s' is damaged: cannot read a chunk of '%s'", r->v.file->name, r->v.path);
	}
	return 0;
}

/* The packed chunks of a slab. Where they reach far beyond it their bytes do not fit at once: then all but the last of them are
 * decoded here, in waves. */
static int fetch_chunks(struct hs_rows *r, const struct hs_slab *s, struct hs_err *err)
{
	if (list_chunks(r, s, err) < 0)
		return -1;
	r->wave_end = 0;
	while (fetch_wave(r, err) == 0) {
		if (r->wave_end == r->n_packed)
			return 0;
		if (hs_rows_decode_chunks(r, s, hs_rows_slab_place(r), err) < 0)
			return -1;
	}
	return -1;
}

/* The type values have in memory. HDF5 matches the parts of a compound by name, so those of complex numbers and the field keep
 * the names they have in the file. Caller closes. */
static hid_t memory_type(const struct hs_rows *r)
{
	const char *field = r->v.field;
	hid_t native = hs_h5_type_native(r->v.dtype), type, outer;
	hid_t stored = field ? H5Tget_member_type(r->file_type, (unsigned)H5Tget_member_index(r->file_type, field)) :
		H5Tcopy(r->file_type);
	if (hs_dtype_is_complex(r->v.dtype) && stored >= 0 && H5Tget_class(stored) == H5T_COMPOUND && H5Tget_nmembers(stored) == 2) {
		type = H5Tcreate(H5T_COMPOUND, r->element_in);
		for (unsigned i = 0; i < 2; i++) {
			char *name = H5Tget_member_name(stored, i);
			if (name)
				H5Tinsert(type, name, i * r->element_in / 2, r->v.dtype == HS_C64 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE);
			H5free_memory(name);
		}
	} else if (stored >= 0 && H5Tget_class(stored) == H5T_BITFIELD) {      /* these do not convert to integers */
		type = H5Tcopy(r->v.dtype == HS_U8 ? H5T_NATIVE_B8 : H5T_NATIVE_B32);
	} else {
		type = H5Tcopy(native);
	}
	if (stored >= 0)
		H5Tclose(stored);
	if (!field)
		return type;
	outer = H5Tcreate(H5T_COMPOUND, r->element_in);
	H5Tinsert(outer, field, 0, type);
	H5Tclose(type);
	return outer;
}

/* Reads what is selected of the dataset into `to`, n elements one after the other. */
static int read_by_h5(const struct hs_rows *r, hid_t selection, size_t n, void *to, struct hs_err *err)
{
	const hsize_t count = n;
	hid_t type = memory_type(r), line = H5Screate_simple(1, &count, NULL);
	const herr_t verdict = H5Dread(r->dataset, type, line, selection, H5P_DEFAULT, to);
	H5Tclose(type);
	H5Sclose(line);
	return verdict < 0 ? hs_h5_fail(err, HS_BAD_DATA, "cannot read '%s' in '%s'", r->v.path, r->v.file->name) : 0;
}

/* Adds elements [first, first + count) in C order, counted below index start[0 .. k-1] of the dimensions before k. */
static void select_run(const struct hs_rows *r, hid_t space, size_t k, hsize_t *start, size_t first, size_t count)
{
	hsize_t size[HS_MAX_RANK];
	size_t inner = 1;
	for (size_t i = k + 1; i < r->disk_rank; i++)
		inner *= r->disk_n[i];
	for (size_t done; count; first += done, count -= done) {
		const size_t left = inner - first % inner;
		start[k] = first / inner;
		if (left < inner || count < inner) {          /* a part of one index */
			done = left < count ? left : count;
			select_run(r, space, k + 1, start, first % inner, done);
			continue;
		}
		done = count / inner * inner;
		for (size_t i = 0; i < r->disk_rank; i++)
			size[i] = i < k ? 1 : i == k ? done / inner : r->disk_n[i];
		for (size_t i = k + 1; i < r->disk_rank; i++)
			start[i] = 0;
		H5Sselect_hyperslab(space, H5S_SELECT_OR, start, NULL, size, NULL);
	}
}

/* A regrouped slab is one run of elements in C order. */
static int fetch_run(struct hs_rows *r, const struct hs_slab *s, struct hs_err *err)
{
	const struct hs_values *v = &r->v;
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK], corner = 0;
	for (size_t d = 0; d < v->rank; d++)
		if (v->disk_dim[d] != d)
			return hs_fail(err, HS_BAD_DATA, "'%s' in '%s' is both regrouped and transposed", v->path, v->file->name);
	hs_rows_disk_box(r, s, lo, n);
	for (size_t d = 0; d < v->rank; d++)
		corner = corner * v->n[d] + lo[d];
	hid_t space = H5Dget_space(r->dataset);
	hsize_t start[HS_MAX_RANK];
	if (r->disk_rank) {
		H5Sselect_none(space);
		select_run(r, space, 0, start, corner, s->n_rows * r->stored_chan);
	}
	const int verdict = read_by_h5(r, space, s->n_rows * r->stored_chan, r->raw, err);
	H5Sclose(space);
	return verdict;
}

/* Everything else - odd types, unknown filters, compact and virtual layouts - comes through H5Dread in dataset order. */
static int fetch_by_h5(struct hs_rows *r, const struct hs_slab *s, struct hs_err *err)
{
	size_t lo[HS_MAX_RANK], n[HS_MAX_RANK];
	hsize_t start[HS_MAX_RANK], size[HS_MAX_RANK];
	if (r->regrouped)
		return fetch_run(r, s, err);
	hs_rows_disk_box(r, s, lo, n);
	for (size_t k = 0; k < r->disk_rank; k++) {
		start[k] = lo[k];
		size[k] = n[k];
	}
	hid_t space = H5Dget_space(r->dataset);
	if (r->disk_rank)
		H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
	const int verdict = read_by_h5(r, space, s->n_rows * r->stored_chan, r->raw, err);
	H5Sclose(space);
	return verdict;
}

int hs_rows_fetch(struct hs_rows *r, const struct hs_slab *s, struct hs_err *err)
{
	return r->way == WAY_CHUNKS ? fetch_chunks(r, s, err) : r->way == WAY_H5READ ? fetch_by_h5(r, s, err) : 0;
}
