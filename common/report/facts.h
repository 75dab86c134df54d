/* facts - what there is to say about one of our files, in one place, for all forms of saying it (show.h, show_json.h).
 *
 * Gathered by one walk over an open input; nothing but small things are read. Owner: hs_facts owns its strings, but borrows
 * the signals and steps of the input, which must stay open. A text that the file does not have is NULL. */
#ifndef HS_REPORT_FACTS_H
#define HS_REPORT_FACTS_H

#include "math/tally.h"
#include "store/nxread.h"
#include "store/stored.h"

/* Bits of a mask, in the order of HS_MASK_*. */
enum { HS_FACTS_BITS = 4 };
extern const char *const hs_facts_bit[HS_FACTS_BITS];

struct hs_facts_mask {
	const char *over;                     /* "pixels" or "values"; NULL: no mask */
	bool counted;                         /* a mask of all values of a large cube is not read for this */
	size_t n, of, bit[HS_FACTS_BITS];
};

struct hs_facts_signal {
	const struct hs_signal *signal;
	const char *path;                     /* "/entry/process_02_hspca/scores" */
	char *step;                           /* "process_02_hspca", or NULL: it lies in the entry itself */
	bool by_default;
	struct hs_facts_mask mask;
	bool is_stored;
	struct hs_nx_stored stored;           /* when is_stored */
	const struct hs_tally *tally;         /* of its values, borrowed; NULL until the caller sets it */
};

struct hs_facts {
	const char *file;
	uint64_t bytes;                       /* 0: not known (standard input) */
	char *title, *start_time, *uuid, *creator, *convention;
	char *vendor_file, *vendor_sha256;
	uint64_t header_bytes, metadata_bytes;        /* what the vendor wrote, kept verbatim, and as JSON; 0: nothing */
	size_t n_signals, n_steps;
	struct hs_facts_signal *signal;
	const struct hs_step **step;          /* oldest first */
};

/* Release also after a failure. */
int hs_facts_init(struct hs_facts *facts, struct hs_in *in, struct hs_err *err);
void hs_facts_release(struct hs_facts *facts);

#endif
