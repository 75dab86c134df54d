/* op - an operation of a chain: one file common/prep/NAME.c that defines `const struct hs_op hs_op_NAME`; operations are found by
 * listing those (hs_op_table, made by the Makefile).
 *
 * open looks at the stage before and at the arguments, says what is wrong with them (HS_USAGE for the arguments, HS_BAD_DATA for
 * data it is not meant for), may pass over the rows before as often as it needs (drift, statistics), and makes the next stage. */
#ifndef HS_PREP_OP_H
#define HS_PREP_OP_H

#include "prep/stage.h"

struct hs_op {
	const char *name;             /* of the option: "crop" */
	const char *metavar;          /* "AXIS=LO:HI"; NULL: no arguments */
	const char *help;             /* one line, lower case, no full stop */
	bool (*fits)(const struct hs_stage *before);          /* NULL: any data */
	int (*open)(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err);
};

/* All operations, in the order in which --help names them; NULL behind the last. */
extern const struct hs_op *const hs_op_table[];

/* ------------------------------------------------------------------ what arguments are made of */

/* "AXIS=LO:HI" for an axis of the signal, either end may be missing: the first and the last index inside. HS_USAGE names the axes
 * there are, or says that nothing is inside. */
int hs_op_span(const struct hs_signal *s, const char *text, size_t *dim, size_t *first, size_t *last, struct hs_err *err);

/* The single signal dimension (the spectral axis), HS_BAD_DATA when the pixels hold anything else. */
int hs_op_spectrum(const struct hs_stage *before, const char *op, const struct hs_axis **axis, struct hs_err *err);

/* "LO:HI" on that axis. */
int hs_op_window(const struct hs_axis *axis, const char *text, size_t *first, size_t *last, struct hs_err *err);

/* "LO:HI", either end may be missing (then infinite), in unit. */
int hs_op_range(const char *text, const char *unit, double *lo, double *hi, struct hs_err *err);

/* Part number i of "a,b,c", copied, caller frees; NULL beyond the last. text may be NULL. */
char *hs_op_part(const char *text, size_t i);

/* HS_USAGE unless text is a whole number from least to most; what it is goes into the sentence: "the window". text is freed. */
int hs_op_count(char *text, const char *what, size_t least, size_t most, size_t *n, struct hs_err *err);

/* HS_USAGE unless text is a positive number of unit. text is freed. */
int hs_op_positive(char *text, const char *what, const char *unit, double *value, struct hs_err *err);

/* The word before the first ':' and what follows it (NULL for nothing): "gaussian:3" -> "gaussian", "3"; both are copied into one
 * piece that the caller frees. */
char *hs_op_word(const char *text, const char **rest);

#endif
