#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE ((size_t)4 << 20)

bool hs_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

bool hs_product(const size_t *factor, size_t n, size_t *out)
{
	size_t product = 1;
	for (size_t i = 0; i < n; i++)
		if (!hs_mul(product, factor[i], &product))
			return false;
	*out = product;
	return true;
}

/* Buffers of many megabytes are filled and read as a whole: with large pages, where the system grants them, that takes a
 * five-hundredth of the page faults. Advice only: whether it is followed does not matter. */
static void ask_for_large_pages(void *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
	const uintptr_t page = 4096, first = ((uintptr_t)p + page - 1) & ~(page - 1), end = ((uintptr_t)p + bytes) & ~(page - 1);
	const int errno_before = errno;
	madvise((void *)first, end - first, MADV_HUGEPAGE);
	errno = errno_before;
#else
	(void)p, (void)bytes;
#endif
}

void *hs_alloc(size_t n, size_t size, struct hs_err *err)
{
	size_t bytes;
	void *p = NULL;
	if (hs_mul(n, size, &bytes) && bytes <= PTRDIFF_MAX)
		p = calloc(bytes ? bytes : 1, 1);
	if (!p)
		hs_fail(err, HS_SYSTEM, "out of memory: %zu x %zu bytes", n, size);
	else if (bytes >= LARGE)
		ask_for_large_pages(p, bytes);
	return p;
}

static void *or_end(void *p)
{
	if (!p) {
		fputs("hstools: out of memory\n", stderr);
		exit(HS_SYSTEM);
	}
	return p;
}

void *hs_must_alloc(size_t n, size_t size)
{
	return or_end(calloc(n ? n : 1, size ? size : 1));
}

void *hs_must_resize(void *p, size_t n, size_t size)
{
	size_t bytes;
	return or_end(hs_mul(n, size, &bytes) ? realloc(p, bytes ? bytes : 1) : NULL);
}

char *hs_must_dup(const char *s)
{
	return s ? or_end(strdup(s)) : NULL;
}

char *hs_must_printf(const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	const int n = vsnprintf(NULL, 0, fmt, ap);
	char *s = or_end(malloc((size_t)(n < 0 ? 0 : n) + 1));
	vsnprintf(s, (size_t)(n < 0 ? 0 : n) + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return s;
}
