/* session - the steps that every tool's story shares: open the input, make the output, write down how it was made.
 *
 * A tool that reads and writes files says: hs_session_input, compute, hs_session_output, put its signals, hs_session_commit.
 * Outputs are created late, after the inputs proved good, and appear only when everything went well. */
#ifndef HS_CLI_SESSION_H
#define HS_CLI_SESSION_H

#include "cli/tool.h"
#include "store/nxread.h"
#include "store/nxwrite.h"

/* Opens operand number `operand` (standard input when there are fewer) and picks a signal by -d. */
int hs_session_input(struct hs_run *run, size_t operand, struct hs_in **in, size_t *signal, struct hs_err *err);

/* The signal called name of the same step (or entry) as another one. */
bool hs_session_sibling(const struct hs_in *in, size_t signal, const char *name, size_t *i);

/* What --memory leaves for reading when the mathematics needs `taken` bytes; HS_SYSTEM when nothing sensible is left. */
int hs_session_memory(const struct hs_run *run, uint64_t taken, uint64_t *left, struct hs_err *err);

/* With --dry-run: says what would be done, once the tool knows it, and returns true: the tool then returns 0. */
bool hs_session_dry(const struct hs_run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Creates the output and this tool's step in it. in may be NULL (hsload, hsgen); then title says what the file is called and
 * start_time (or NULL) when it was measured. What travels from in is carried;
 * --carry takes the measured cube too. */
int hs_session_output(struct hs_run *run, struct hs_in *in, const char *title, const char *start_time, struct hs_out **out,
	struct hs_err *err);

/* A result in memory goes into this tool's step; s is released in any case. extras may be NULL. */
int hs_session_put(struct hs_out *out, struct hs_signal *s, const void *values, const struct hs_extras *extras,
	struct hs_err *err);

/* The record of this run, for a tool that adds origins or parameters of its own before the commit. */
struct hs_step hs_session_step(const struct hs_run *run);
void hs_session_add_origin(struct hs_step *step, struct hs_in *in, size_t signal);

/* Writes the record (with in's signal as its origin, when in is given), publishes the output. Frees out, also on failure. */
int hs_session_commit(struct hs_run *run, struct hs_out *out, struct hs_in *in, size_t signal, struct hs_err *err);
int hs_session_commit_step(struct hs_out *out, struct hs_step *step, struct hs_err *err);     /* releases step */

#endif
