#include "draw/bytes.h"

#include <stdio.h>

#include "base/str.h"

int hs_bytes_to_stdio(void *file, const void *bytes, size_t n, struct hs_err *err)
{
	if (fwrite(bytes, 1, n, file) != n)
		return hs_fail_errno(err, "cannot write picture");
	return 0;
}

int hs_bytes_to_str(void *str, const void *bytes, size_t n, struct hs_err *err)
{
	(void)err;
	hs_str_add_bytes(str, bytes, n);
	return 0;
}
