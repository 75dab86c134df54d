/* A number, a spectrum, a map or a cube added. */
#include "prep/arithmetic.h"
#include "prep/op.h"

static int open_add(struct hs_stage *stage, const struct hs_stage *before, const char *args, struct hs_err *err)
{
	return hs_arithmetic_open(stage, before, args, HS_ADD, err);
}

const struct hs_op hs_op_add = { .name = "add", .metavar = "WHAT", .help = "a number, or FILE: cube, spectrum or map",
	.open = open_add };
