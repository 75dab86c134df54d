#include "store/stored.h"

#include <stdio.h>

#include "base/mem.h"
#include "store/h5object.h"

bool hs_nx_stored(struct hs_h5 *file, const char *path, struct hs_nx_stored *stored)
{
	struct hs_h5_shape shape;
	*stored = (struct hs_nx_stored){ 0 };
	if (!hs_h5_shape(file, path, &shape) || shape.class == HS_H5_OTHER)
		return false;
	const struct hs_h5_object *set = hs_h5_hold_set(file, path);
	hid_t dcpl = H5Dget_create_plist(set->id);
	hsize_t edge[H5S_MAX_RANK];
	stored->bytes = (uint64_t)shape.count * H5Tget_size(set->value_type);
	stored->stored_bytes = H5Dget_storage_size(set->id);
	if (H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_chunk(dcpl, H5S_MAX_RANK, edge) == (int)shape.rank) {
		stored->rank = shape.rank;
		for (size_t i = 0; i < shape.rank; i++)
			stored->chunk[i] = (size_t)edge[i];
		const int n = H5Pget_nfilters(dcpl);
		for (int i = 0; i < n && stored->n_filters < HS_LEN(stored->filter); i++) {
			unsigned flags;
			size_t n_values = 0;
			char name[64] = "", *to = stored->filter[stored->n_filters++];
			const H5Z_filter_t filter = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL,
				sizeof name, name, NULL);
			const char *known = filter == H5Z_FILTER_DEFLATE ? "deflate" : filter == H5Z_FILTER_SHUFFLE ? "shuffle" :
				filter == H5Z_FILTER_FLETCHER32 ? "fletcher32" : NULL;
			if (known || *name)
				snprintf(to, sizeof stored->filter[0], "%.23s", known ? known : name);
			else
				snprintf(to, sizeof stored->filter[0], "filter %d", (int)filter);
		}
	}
	H5Pclose(dcpl);
	return true;
}
