/* quicklook - copy a signal's values into an output and keep what a first look wants: the mean spectrum, the sum image, a
 * thumbnail. The sums are taken while the rows pass, in float64, over rows that are neither masked nor broken. */
#ifndef HS_CLI_QUICKLOOK_H
#define HS_CLI_QUICKLOOK_H

#include "cli/session.h"

struct hs_copy {
	const struct hs_signal *signal;
	const struct hs_values *values;
	enum hs_out_place place;
	bool quick_looks;             /* also write /entry/mean_spectrum, /entry/sum_image (or /entry/map), the thumbnail */
};

int hs_copy_signal(struct hs_run *run, struct hs_out *out, const struct hs_copy *copy, struct hs_err *err);

#endif
