#include "fuzz_format.h"

extern const struct hs_format hs_format_nanonis3ds;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_format(&hs_format_nanonis3ds, "fuzz", data, size);
}
