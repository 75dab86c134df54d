#include "fuzz_format.h"

extern const struct hs_format hs_format_npy;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_format(&hs_format_npy, "fuzz", data, size);
}
