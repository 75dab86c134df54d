/* chain - the operations of a command line, one stage after the other. */
#ifndef HS_PREP_CHAIN_H
#define HS_PREP_CHAIN_H

#include "base/opt.h"
#include "prep/op.h"

struct hs_chain {
	size_t n;                     /* stages, the first is the input */
	struct hs_stage *stage;
};

/* Option rows for all operations, which fill said; *n of them. Static: made once. */
const struct hs_opt *hs_chain_options(struct hs_opt_said *said, size_t *n);

/* The input as first stage: its description (copied, of the type the source delivers) and its rows (borrowed); mask, when not
 * NULL, has all pixels to leave out and takes the place of the signal's own; files (or NULL) opens what operations take along. */
void hs_chain_begin(struct hs_chain *c, const struct hs_signal *signal, struct hs_rowsource *source, const uint8_t *mask,
	const struct hs_files *files);

/* Opens the operations in order; errors are prepended with "--NAME". */
int hs_chain_open(struct hs_chain *c, const struct hs_opt_said *said, struct hs_err *err);
const struct hs_stage *hs_chain_end(const struct hs_chain *c);
size_t hs_chain_bytes(const struct hs_chain *c);         /* held by the buffers of all stages */
void hs_chain_release(struct hs_chain *c);

#endif
