/* Multiplied by a number, a spectrum, a map or a cube. */
#include "prep/arithmetic.h"
#include "prep/op.h"

static int open_multiply(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	return hs_arithmetic_open(stage, before, args, HS_MULTIPLY, err);
}

const struct hs_op hs_op_multiply = { .name = "multiply", .metavar = "WHAT", .help = "by the same",
	.open = open_multiply };
