/* replay - the history of a file as a shell script that makes it again. */
#ifndef HS_REPORT_REPLAY_H
#define HS_REPORT_REPLAY_H

#include "base/err.h"
#include "base/str.h"
#include "data/history.h"

/* Appends a POSIX shell script that runs the commands of the steps one after the other, what went through a pipe by way of
 * files; file is the name of what they made, for its first line. The steps may come from a stranger: only programs of ours are
 * written, every word is quoted. HS_BAD_DATA when a step has no command line of ours. */
int hs_replay(struct hs_str *script, const char *file, const struct hs_step *const *step, size_t n_steps, struct hs_err *err);

#endif
