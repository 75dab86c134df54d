/* Divided by a number, a spectrum, a map or a cube. */
#include "prep/arithmetic.h"
#include "prep/op.h"

static int open_divide(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	return hs_arithmetic_open(stage, before, args, HS_DIVIDE, err);
}

const struct hs_op hs_op_divide = { .name = "divide", .metavar = "WHAT", .help = "by the same: a gain",
	.open = open_divide };
