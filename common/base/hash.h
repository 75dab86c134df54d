/* hash - SHA-256, by OpenSSL's libcrypto (uses the CPU's SHA instructions where it has them). */
#ifndef HS_BASE_HASH_H
#define HS_BASE_HASH_H

#include <stddef.h>

struct hs_sha256;                                         /* one running digest; belongs to one thread at a time */

struct hs_sha256 *hs_sha256_new(void);
void hs_sha256_add(struct hs_sha256 *h, const void *bytes, size_t n);
void hs_sha256_take(struct hs_sha256 *h, char hex[65]);   /* 64 lower-case digits + NUL; frees h */
void hs_sha256_free(struct hs_sha256 *h);

#endif
