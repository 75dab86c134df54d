/* mem - allocation whose size comes from data.
 *
 * A size that a file or a user can influence goes through hs_alloc, which checks the product for overflow and reports
 * failure. Small things of fixed kind (names, descriptors, list nodes) go through hs_must_*, which end the program with
 * status HS_SYSTEM when even those cannot be had: there is nothing sensible left to do, and exit handlers still clean up.
 * Everything is released with free(). */
#ifndef HS_BASE_MEM_H
#define HS_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* *out = a * b; false when that overflows. */
bool hs_mul(size_t a, size_t b, size_t *out);

/* Product of n factors; false when that overflows. The empty product is 1. */
bool hs_product(const size_t *factor, size_t n, size_t *out);

/* n zeroed objects of size bytes; never NULL on success, also for n = 0. HS_SYSTEM when memory is short. */
void *hs_alloc(size_t n, size_t size, struct hs_err *err);

/* Zeroed, or the program ends. */
void *hs_must_alloc(size_t n, size_t size);
void *hs_must_resize(void *p, size_t n, size_t size);
char *hs_must_dup(const char *s);                         /* NULL gives NULL */
char *hs_must_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define HS_LEN(array) (sizeof(array) / sizeof *(array))

#endif
