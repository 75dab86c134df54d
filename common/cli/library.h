/* library - spectra that are known already, from a file of ours, on the channels of the data at hand.
 *
 * Any signal that is a list of spectra will do: endmembers, centroids, loadings, a line scan. When the default signal of the file
 * is something else (a result leads with its maps), its newest "endmembers" are taken, then "true_endmembers", "components",
 * "sources".
 *
 * Owner: the caller; hs_library_release accepts a zeroed struct. */
#ifndef HS_CLI_LIBRARY_H
#define HS_CLI_LIBRARY_H

#include "cli/pixels.h"

struct hs_library {
	const char *path;             /* borrowed */
	size_t k, n_chan;
	double *spectrum;             /* k x n_chan */
	struct hs_axis axis;          /* of the channels */
};

/* Errors of opening, and HS_USAGE when there is no list of spectra. Released by the caller, also after failure. */
int hs_library_open(struct hs_library *library, const char *path, struct hs_err *err);
void hs_library_release(struct hs_library *library);

/* The spectra on the channels of px: k x px->n_chan, caller frees. Channels that differ are interpolated linearly, with a
 * warning; HS_BAD_DATA when their units differ or the library does not reach over all of them. */
double *hs_library_onto(const struct hs_library *library, const struct hs_pixels *px, struct hs_err *err);

#endif
