/* nxread - open a file of the container convention: its signals, its history, its values.
 *
 * Input is a path, or standard input by pipe or redirection (feed.h). Files of other conventions are refused with a hint at
 * hsload. Signals are the NXdata groups below /entry and below its process groups; their descriptions are read at opening
 * (small), their values when asked for.
 *
 * Owner: hs_in owns everything it returns by pointer, until hs_in_close. */
#ifndef HS_STORE_NXREAD_H
#define HS_STORE_NXREAD_H

#include "data/history.h"
#include "data/signal.h"
#include "store/feed.h"
#include "store/rows.h"
#include "store/values.h"

struct hs_in;

int hs_in_open(struct hs_in **in, const char *path, struct hs_err *err);
/* an opened input; taken, also on failure */
int hs_in_open_feed(struct hs_in **in, struct hs_feed *feed, struct hs_err *err);
void hs_in_close(struct hs_in *in);

const char *hs_in_name(const struct hs_in *in);             /* path, or "stdin" */
struct hs_h5 *hs_in_h5(struct hs_in *in);
/* "title", "start_time", "entry_identifier_uuid"; caller frees; or NULL */
char *hs_in_entry_text(struct hs_in *in, const char *field);

size_t hs_in_count(const struct hs_in *in);
const struct hs_signal *hs_in_signal(const struct hs_in *in, size_t i);
const char *hs_in_path(const struct hs_in *in, size_t i);   /* "/entry/process_02_hspca/scores" */

/* The signal called name - the newest step's first, also "process_02_hspca/scores" or a title; NULL: the default signal.
 * HS_USAGE names those there are. */
int hs_in_find(const struct hs_in *in, const char *name, size_t *i, struct hs_err *err);

/* Where the values of a signal lie; release with hs_values_release. */
int hs_in_values(const struct hs_in *in, size_t i, struct hs_values *values, struct hs_err *err);

/* All values as float64 in C order (real types); caller frees. */
double *hs_in_read(const struct hs_in *in, size_t i, struct hs_err *err);

/* The same for a companion dataset ("data_errors", "cumulative") of signal i, n values expected; NULL without error when it
 * is not there. */
double *hs_in_read_companion(struct hs_in *in, size_t i, const char *name, size_t n);

size_t hs_in_n_steps(const struct hs_in *in);
const struct hs_step *hs_in_step(const struct hs_in *in, size_t i);    /* oldest first */

#endif
