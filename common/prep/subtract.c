/* A number, a spectrum, a map or a cube subtracted. */
#include "prep/arithmetic.h"
#include "prep/op.h"

static int open_subtract(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	return hs_arithmetic_open(stage, before, args, HS_SUBTRACT, err);
}

const struct hs_op hs_op_subtract = { .name = "subtract", .metavar = "WHAT", .help = "the same: a dark spectrum",
	.open = open_subtract };
