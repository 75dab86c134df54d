/* likeness - are two signals the same, as what they are: values, spectra, labels, bases, maps?
 *
 *	values      largest difference, relative to the largest magnitude in either; at tolerance 0 the same bits of the same type
 *	            (match: after pairing the components by correlation)
 *	spectra     largest angle between partners, in radians
 *	bases       largest principal angle between what is spanned, in radians
 *	labels      1 less the adjusted Rand index
 *	maps        1 less the least correlation between partners
 * Each is held against the tolerance; an axis that differs is a difference, too, unless ignore_axes. hscmp(1) has the rules. */
#ifndef HS_REPORT_LIKENESS_H
#define HS_REPORT_LIKENESS_H

#include "report/sides.h"

enum hs_as { HS_COMPARE_AUTO, HS_COMPARE_VALUES, HS_COMPARE_SPECTRA, HS_COMPARE_LABELS, HS_COMPARE_BASES, HS_COMPARE_MAPS };
#define HS_COMPARE_WORDS "auto|values|spectra|labels|bases|maps"

struct hs_likeness {
	const struct hs_run *run;
	struct hs_side a, b;
	enum hs_as as;                /* not AUTO */
	bool match, sign_blind, ignore_axes;
	double tolerance;

	bool same;                    /* the answer */
	struct hs_str text;           /* the numbers, as a clause of a line; */
	struct hs_json json;          /* the same as members of an object that is open; the caller owns both, also after failure */
};

/* HS_BAD_DATA when the two cannot be compared that way. */
int hs_likeness_find(struct hs_likeness *c, struct hs_err *err);

#endif
