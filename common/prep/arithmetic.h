/* arithmetic - a cube and a number, a spectrum, a map or a second cube: what add, subtract, multiply and divide share. */
#ifndef HS_PREP_ARITHMETIC_H
#define HS_PREP_ARITHMETIC_H

#include "prep/stage.h"

enum hs_arithmetic { HS_ADD, HS_SUBTRACT, HS_MULTIPLY, HS_DIVIDE };

/* args: a number (with a unit of the data for sums and differences) or the name of a file. The default signal of that file has
 * the shape of the cube, one value a channel, or one a pixel. Units: sums want units that measure the same, or none; products and
 * ratios get theirs. A pixel whose result is not finite is NaN. HS_BAD_DATA when shapes or units do not fit, or one spectrum to
 * divide by holds a zero (no pixel would be left). */
int hs_arithmetic_open(struct hs_stage *stage, const struct hs_stage *before, const char *args, enum hs_arithmetic how,
	struct hs_err *err);

#endif
