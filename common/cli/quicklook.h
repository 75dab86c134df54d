/* quicklook - put a signal's values into an output, row by row, and keep what a first look wants: the mean spectrum, the sum
 * image, a thumbnail. The sums are taken while the rows pass, in float64, over rows that are neither masked nor broken. */
#ifndef HS_CLI_QUICKLOOK_H
#define HS_CLI_QUICKLOOK_H

#include "base/rowsource.h"
#include "cli/session.h"

/* Rows of a signal on their way into an output: next gives batches of signal->dtype, the last one empty. */
struct hs_flow {
	const struct hs_signal *signal;
	enum hs_out_place place;
	bool components_first;        /* signal is (component, pixels...), rows are pixels */
	bool quick_looks;             /* also write /entry/mean_spectrum, /entry/sum_image (or /entry/map), the thumbnail */
	int (*next)(void *ctx, struct hs_batch *batch, struct hs_err *err);
	void *ctx;
};

int hs_write_signal(struct hs_out *out, const struct hs_flow *flow, struct hs_err *err);

/* The same for a signal that lies in a file. */
struct hs_copy {
	const struct hs_signal *signal;
	const struct hs_values *values;
	enum hs_out_place place;
	bool quick_looks;
};

int hs_copy_signal(struct hs_run *run, struct hs_out *out, const struct hs_copy *copy, struct hs_err *err);

#endif
