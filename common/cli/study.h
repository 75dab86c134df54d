/* study - the story of every tool that takes one signal and gives results about its pixels and channels: open, see what it
 * needs, compute, write, record. The tool supplies what is its own.
 *
 * Nothing is written before compute has succeeded; a failure on the way leaves nothing behind. */
#ifndef HS_CLI_STUDY_H
#define HS_CLI_STUDY_H

#include "cli/pixels.h"

struct hs_study {
	const char *does;             /* "decompose": for --dry-run, followed by "N spectra of M channels" */
	struct hs_reading reading;    /* how the rows are read; its memory is found here */

	/* Bytes that compute and write hold beside the reading. */
	uint64_t (*bytes)(const struct hs_run *run, size_t n_pix, size_t n_chan);

	int (*compute)(struct hs_run *run, struct hs_pixels *px, void *result, struct hs_err *err);
	int (*write)(struct hs_run *run, struct hs_out *out, const struct hs_pixels *px, void *result, struct hs_err *err);

	/* For --report and what is said about the outcome; may be NULL. Called last, when the output is in place. */
	void (*report)(struct hs_run *run, void *result);
};

/* Operand 0 (or standard input), signal -d. result is the tool's, which releases it also after failure. */
int hs_study_run(struct hs_run *run, const struct hs_study *study, void *result, struct hs_err *err);

#endif
