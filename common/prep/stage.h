/* stage - a cube on its way through a chain of operations: what its rows are, and where they come from.
 *
 * An operation makes a stage out of the one before: it describes the result (axes, units, mask) and gives a row source that takes
 * its rows from the source before, a few at a time. So a chain needs memory for a few rows or lines a stage, whatever the size of
 * the cube. Values are float32 or float64 as in the first stage, also between operations: two operations in one call and two
 * calls in a pipe give the same bits.
 *
 * Rows are pixels (all navigation dimensions, C order) x channels (all signal dimensions). A row with skip != 0 is NaN or masked;
 * it stays where it is and stays skipped, unless an operation says otherwise.
 *
 * Owner: a stage owns its signal and state and borrows the stage before, which must outlive it. Threads: rows of a wave are made
 * by many; everything else on the caller's. */
#ifndef HS_PREP_STAGE_H
#define HS_PREP_STAGE_H

#include "base/rowsource.h"
#include "data/signal.h"

/* A signal of another file that an operation takes as well (a dark image, a gain, a kernel): borrowed until close. */
struct hs_other {
	const struct hs_signal *signal;
	struct hs_rowsource *source;  /* its pixels x channels */
	void *handle;
	void (*close)(void *handle);
};

/* Who opens those: the floor above, because files are not prep's business. */
struct hs_files {
	int (*open)(void *ctx, const char *path, struct hs_other *other, struct hs_err *err);
	/* All values of the signal called name, *n of them in C order, float64, the caller's to free; path NULL: of the file that the
	 * cube came from. */
	int (*map)(void *ctx, const char *path, const char *name, double **value, size_t *n, struct hs_err *err);
	void *ctx;
};

/* Something an operation found out on its way that is worth a look: the shift of each spectrum, the path of an image. */
struct hs_found {
	struct hs_signal signal;      /* float64 */
	double *value;                /* in C order */
};

struct hs_stage {
	struct hs_signal signal;
	struct hs_rowsource *source;  /* signal's pixels x channels */
	size_t n_pix, n_chan;
	void *state;                  /* the operation's; released by release_state */
	void (*release_state)(void *state);
	void (*release_source)(struct hs_rowsource *source);
	size_t bytes;                 /* that its buffers hold */
	const struct hs_files *files; /* borrowed, from the first stage on; NULL: there are none to be had */
	char *said;                   /* what it did, in a few words,
		where that was not asked for in so many ("drift: 0.3 eV"); or NULL */
	size_t n_found;
	const struct hs_found *found; /* belongs to the state */
};

void hs_stage_release(struct hs_stage *stage);

/* The stage's signal becomes a copy of the one before, of float type; state and release are kept. */
void hs_stage_begin(struct hs_stage *stage, const struct hs_stage *before, void *state, void (*release_state)(void *state));

/* Row by row: out (n_out channels, as signal says) from in (the row before, float64). scratch has n_scratch values. False: the
 * row becomes NaN and is skipped. Skipped rows do not come here. pixel is the number of the row. The stage's signal must be
 * final. */
typedef bool (*hs_row_fn)(const void *state, size_t pixel, const double *in, double *out, double *scratch);
int hs_stage_rows(struct hs_stage *stage, const struct hs_stage *before, size_t n_scratch, hs_row_fn fn, struct hs_err *err);

/* The same with the row of a second source behind that of the first, in[n_chan ..]: as many rows as the stage before, borrowed. A
 * row that either skips is skipped. */
int hs_stage_rows_with(struct hs_stage *stage, const struct hs_stage *before, struct hs_rowsource *other, size_t n_scratch,
	hs_row_fn fn, struct hs_err *err);

/* Line by line, with neighbours: a line is the pixels along the last navigation dimension, an image has as many as the dimension
 * before it says (1 for a line scan). line[0 .. 2 reach] are the lines y - reach .. y + reach of the same image, NULL beyond its
 * edges, each n_x x n_chan values as float64; skip[] theirs. Fills out (n_x x n_chan) and out_skip, which begins as a copy of the
 * middle line's. Channels and pixels stay as they are. */
struct hs_lines {
	size_t n_x, n_y, n_chan, reach;
	size_t image, y;              /* which one this is */
	const double *const *line;
	const uint8_t *const *skip;
};
typedef void (*hs_line_fn)(const void *state, const struct hs_lines *lines, double *out, uint8_t *out_skip, double *scratch);
int hs_stage_lines(struct hs_stage *stage, const struct hs_stage *before, size_t reach, size_t n_scratch, hs_line_fn fn,
	struct hs_err *err);

/* Pixels gathered: to[i] says which pixel of the new stage pixel i of the one before belongs to, or HS_NO_PIXEL; several make a
 * sum (or mean) over those that are not skipped. At most `open` new pixels have begun and are not yet complete at any time, when
 * the old ones are met in order. to is taken over (free). */
#define HS_NO_PIXEL SIZE_MAX
int hs_stage_gather(struct hs_stage *stage, const struct hs_stage *before, size_t *to, bool mean, struct hs_err *err);

#endif
