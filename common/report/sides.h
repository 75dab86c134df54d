/* sides - two signals that are to be compared, and what must agree before their numbers can be.
 *
 * Owner: inputs and descriptions are borrowed; hs_two_rows owns what it opened. */
#ifndef HS_REPORT_SIDES_H
#define HS_REPORT_SIDES_H

#include "cli/session.h"
#include "math/compare.h"

struct hs_side {
	struct hs_in *in;
	size_t index;
	const struct hs_signal *s;
};

/* The lengths of the dimensions from from_a of a and from_b of b on must agree (HS_BAD_DATA with both shapes); the ones before
 * are matched, not compared. *differs: the dimension of a whose axis says something else, or NULL. A thousandth of a step is the
 * same place; when exact only the same number is. */
int hs_sides_check(const struct hs_side *a, const struct hs_side *b, size_t from_a, size_t from_b, bool exact,
	const struct hs_axis **differs, struct hs_err *err);

/* All of a small real signal, within a quarter of the memory that is granted: the angle between bases takes a copy of each. */
double *hs_side_read(const struct hs_run *run, const struct hs_side *side, struct hs_err *err);

struct hs_two_rows {
	struct hs_values values[2];
	struct hs_rows *rows[2];
	struct hs_pair pair;
};

/* Both as rows, rewound. first_is_channel: the first dimension is a row's channels; else the last one is, and a lone dimension is
 * pixels. Close in any case. */
int hs_two_rows_open(struct hs_two_rows *two, const struct hs_run *run, const struct hs_side *a, const struct hs_side *b,
	bool first_is_channel, enum hs_rows_as as, struct hs_err *err);
void hs_two_rows_close(struct hs_two_rows *two);

/* The dimension that dimension i of such rows was. */
size_t hs_two_rows_dim(const struct hs_signal *s, bool first_is_channel, size_t i);

#endif
