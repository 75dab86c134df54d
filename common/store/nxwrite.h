/* nxwrite - make a file of the container convention (hsdata(5)): NeXus NXdata that is at once NSID and netCDF-scaled.
 *
 * Order of work: hs_out_open; hs_out_carry for what travels from the input; hs_out_step begins this tool's NXprocess; then
 * signals, at the entry or in the step; hs_out_finish_step with the completed record; hs_out_commit. Anything that fails, or
 * hs_out_abandon, leaves nothing behind.
 *
 * Owner: the output owns its draft and HDF5 objects. Thread rule: one thread. */
#ifndef HS_STORE_NXWRITE_H
#define HS_STORE_NXWRITE_H

#include "base/err.h"
#include "data/history.h"
#include "data/signal.h"

struct hs_out;
struct hs_in;
struct hs_sink;

struct hs_out_options {
	const char *path;             /* NULL or "-": standard output */
	bool force;                   /* replace an existing file */
	bool raw;                     /* no filters */
	int threads;                  /* for packing */
	const char *title;
	const char *start_time;       /* ISO 8601 with zone; NULL: now */
	const char *uuid;             /* NULL: random */
};

int hs_out_open(struct hs_out **out, const struct hs_out_options *options, struct hs_err *err);

/* Brings along what the input holds besides its measured cube: history, results, quick looks, vendor header, sample,
 * instrument, user, thumbnail. with_data also copies /entry/data and its siblings. Dimension scales are attached anew. */
int hs_out_carry(struct hs_out *out, struct hs_in *in, bool with_data, struct hs_err *err);

/* /entry/process_NN_PROGRAM, NN one more than the highest carried. */
int hs_out_step(struct hs_out *out, const char *program, struct hs_err *err);
int hs_out_sequence(const struct hs_out *out);

enum hs_out_place { HS_AT_ENTRY, HS_AT_STEP };

struct hs_column {                    /* a companion of a signal's values, of the same shape */
	const char *name;             /* "cumulative" */
	const char *units;
	const void *values;           /* of the signal's dtype */
};

struct hs_extras {                    /* all optional */
	const void *errors;           /* 1 sigma, float64, shape of the values: data_errors */
	size_t n_columns;             /* auxiliary signals */
	const struct hs_column *column;
	const char *flag_values;      /* "0 1 2", with flag_meanings: a coded map */
	const char *flag_meanings;
	const char *comment;          /* how to read it: sign convention, ... */
};

/* One NXdata with its values in memory (C order). */
int hs_out_signal(struct hs_out *out, enum hs_out_place place, const struct hs_signal *signal, const void *values,
	const struct hs_extras *extras, struct hs_err *err);

/* The same, values to come row by row with hs_out_put. components_first: signal is (component, pixels...), rows are pixels.
 * extras may be NULL. */
int hs_out_stream(struct hs_out *out, enum hs_out_place place, const struct hs_signal *signal, bool components_first,
	const struct hs_extras *extras, struct hs_sink **sink, struct hs_err *err);
int hs_out_put(struct hs_sink *sink, const void *rows, size_t n_rows, struct hs_err *err);

/* Frees the sink in any case; with err already filled it only cleans up. */
int hs_out_end_stream(struct hs_out *out, struct hs_sink *sink, struct hs_err *err);

/* Scattered points as a picture: /entry/NAME with @axes [x, y] and no scales, as viewers want it (hsdata(5)). */
int hs_out_scatter(struct hs_out *out, const char *name, const struct hs_signal *like, const double *x, const double *y,
	const float *values, size_t n, struct hs_err *err);

/* Vendor header: verbatim bytes and its parsed form as JSON; either may be NULL. */
int hs_out_vendor(struct hs_out *out, const char *file_name, const uint8_t *header, size_t n_header, const char *json,
	struct hs_err *err);
int hs_out_thumbnail(struct hs_out *out, const uint8_t *png, size_t n, const char *description, struct hs_err *err);

/* Which NXdata is shown first. Without this call it is the first one written into the step, else /entry/data. */
int hs_out_default(struct hs_out *out, enum hs_out_place place, const char *name, struct hs_err *err);

int hs_out_finish_step(struct hs_out *out, const struct hs_step *step, struct hs_err *err);
int hs_out_commit(struct hs_out *out, struct hs_err *err);           /* frees out, also on failure */
void hs_out_abandon(struct hs_out *out);                             /* accepts NULL */

#endif
