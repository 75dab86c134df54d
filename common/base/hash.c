#include "base/hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct hs_sha256 {
	EVP_MD_CTX *md;
};

struct hs_sha256 *hs_sha256_new(void)
{
	struct hs_sha256 *h = hs_must_alloc(1, sizeof *h);
	h->md = EVP_MD_CTX_new();
	if (!h->md || EVP_DigestInit_ex(h->md, EVP_sha256(), NULL) != 1) {
		fputs("hstools: libcrypto has no SHA-256\n", stderr);
		exit(HS_SYSTEM);
	}
	return h;
}

void hs_sha256_add(struct hs_sha256 *h, const void *bytes, size_t n)
{
	EVP_DigestUpdate(h->md, bytes, n);
}

void hs_sha256_take(struct hs_sha256 *h, char hex[65])
{
	unsigned char digest[32];
	EVP_DigestFinal_ex(h->md, digest, NULL);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	hs_sha256_free(h);
}

void hs_sha256_free(struct hs_sha256 *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->md);
	free(h);
}
