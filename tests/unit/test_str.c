/* Growing strings and small words; and the one rule of errors: the first sentence stays. */
#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tap.h"

static void test_growing(void)
{
	struct hs_str s = { 0 };
	tap_ok(!strcmp(hs_str_get(&s), ""), "a zeroed struct is the empty string");
	for (int i = 0; i < 1000; i++)
		hs_str_addf(&s, "%d,", i);
	hs_str_add(&s, "end");
	hs_str_add_bytes(&s, "xyz", 2);
	size_t commas = 0;
	for (const char *p = hs_str_get(&s); *p; p++)
		commas += *p == ',';
	tap_ok(commas == 1000 && s.len == strlen(s.text) && !strcmp(s.text + s.len - 5, "endxy"), "a thousand additions");
	char *taken = hs_str_take(&s);
	tap_ok(taken && s.len == 0 && !strcmp(hs_str_get(&s), ""), "taken: the struct is empty again");
	hs_str_add(&s, "more");
	tap_ok(!strcmp(hs_str_get(&s), "more"), "and can be used again");
	hs_str_release(&s);
	hs_str_release(&s);
	free(taken);
	struct hs_str empty = { 0 };
	char *nothing = hs_str_take(&empty);
	tap_ok(nothing && !*nothing, "taking the empty string gives a string");
	free(nothing);
}

static void test_words(void)
{
	tap_ok(hs_word_index("auto|none|both", "none") == 1 && hs_word_index("auto|none|both", "auto") == 0 &&
			hs_word_index("auto|none|both", "both") == 2,
		"words of a list");
	tap_ok(hs_word_index("auto|none|both", "no") < 0 && hs_word_index("auto|none|both", "") < 0 &&
			hs_word_index("auto|none|both", "none|both") < 0 && hs_word_index("auto|none|both", "nonesuch") < 0,
		"parts of words and several words are none");
	tap_ok(hs_starts("prefix", "pre") && !hs_starts("pre", "prefix") && hs_ends("file.nxs", ".nxs") &&
			!hs_ends("nxs", ".nxs") && hs_starts("a", ""),
		"beginnings and ends");
	tap_ok(hs_same_word("Energy", "eNERGY") && !hs_same_word("Energy", "Energ"), "words without case");
}

static void test_names(void)
{
	static const struct {
		const char *raw, *clean;
	} name[] = { { "energy", "energy" }, { "LI Demod 1 X (A)", NULL }, { "1st", NULL }, { "", NULL }, { "___", NULL },
		{ "\303\244\303\266", NULL }, { "a/b", "a_b" }, { "a  b", "a_b" } };
	for (size_t i = 0; i < HS_LEN(name); i++) {
		char *clean = hs_clean_name(name[i].raw);
		int valid = (clean[0] >= 'A' && clean[0] <= 'Z') || (clean[0] >= 'a' && clean[0] <= 'z');
		valid &= strspn(clean, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == strlen(clean);
		tap_ok(valid && (!name[i].clean || !strcmp(clean, name[i].clean)), "'%s' becomes '%s'", name[i].raw, clean);
		free(clean);
	}
}

/* By the table of well-formed sequences of the Unicode standard (table 3-7). */
static int is_utf8(const unsigned char *p)
{
	while (*p) {
		const unsigned char c = *p++;
		const int more = c < 0x80                 ? 0
				 : c >= 0xc2 && c <= 0xdf ? 1
				 : c >= 0xe0 && c <= 0xef ? 2
				 : c >= 0xf0 && c <= 0xf4 ? 3
							  : -1;
		if (more < 0)
			return 0;
		const unsigned char low = c == 0xe0   ? 0xa0
					  : c == 0xf0 ? 0x90
						      : 0x80,
				    high = c == 0xed   ? 0x9f
					   : c == 0xf4 ? 0x8f
						       : 0xbf;
		for (int i = 0; i < more; i++, p++)
			if (*p < (i ? 0x80 : low) || *p > (i ? 0xbf : high))
				return 0;
	}
	return 1;
}

static void test_utf8(void)
{
	char *same = hs_utf8("\302\265m \303\205 \342\204\253", 10), *latin = hs_utf8("\265m", 2);
	tap_ok(!strcmp(same, "\302\265m \303\205 \342\204\253"), "valid UTF-8 stays");
	tap_ok(!strcmp(latin, "\302\265m"), "Latin-1 is converted");
	free(same);
	free(latin);
	int valid = 1;
	for (unsigned a = 1; a < 256; a++)
		for (unsigned b = 1; b < 256; b += 3) {
			const char bytes[4] = { (char)a, (char)b, (char)(a ^ b ? a ^ b : 1), (char)(b * 7 % 255 + 1) };
			char *text = hs_utf8(bytes, 4);
			valid &= is_utf8((const unsigned char *)text);
			free(text);
		}
	tap_ok(valid, "any bytes become valid UTF-8");
}

static void test_errors(void)
{
	struct hs_err err = { 0 };
	tap_ok(hs_fail(&err, HS_BAD_DATA, "line %d", 3) == -1 && err.status == HS_BAD_DATA && !strcmp(err.text, "line 3"),
		"a failure");
	hs_fail(&err, HS_USAGE, "second");
	tap_ok(err.status == HS_BAD_DATA && !strcmp(err.text, "line 3"), "the first failure wins");
	hs_err_prepend(&err, "cannot read '%s'", "x");
	tap_ok(!strcmp(err.text, "cannot read 'x': line 3"), "context in front: %s", err.text);
	for (int i = 0; i < 100; i++)
		hs_err_prepend(&err, "a context that is not short at all");
	tap_ok(strlen(err.text) < sizeof err.text, "much context stays in bounds");
	err = (struct hs_err){ 0 };
	errno = ENOSPC;
	hs_fail_errno(&err, "cannot write");
	tap_ok(errno == ENOSPC && err.status == HS_SYSTEM && !strncmp(err.text, "cannot write: ", 14) && strlen(err.text) > 14,
		"errno: %s", err.text);
}

static void test_sizes(void)
{
	size_t n = 7;
	struct hs_err err = { 0 };
	tap_ok(hs_mul(1u << 20, 1u << 20, &n) && n == (size_t)1 << 40, "a product that fits");
	tap_ok(!hs_mul(SIZE_MAX / 2 + 1, 2, &n) && !hs_mul(SIZE_MAX, SIZE_MAX, &n), "products that overflow");
	tap_ok(hs_product((const size_t[]){ 0 }, 0, &n) && n == 1, "the empty product is one");
	tap_ok(hs_product((const size_t[]){ 3, 4, 5 }, 3, &n) && n == 60, "a product of three");
	tap_ok(!hs_product((const size_t[]){ (size_t)1 << 32, (size_t)1 << 32, 1 }, 3, &n), "a product of three that overflows");
	tap_ok(!hs_alloc(SIZE_MAX, SIZE_MAX, &err) && err.status == HS_SYSTEM, "too much memory: %s", err.text);
	err = (struct hs_err){ 0 };
	unsigned char *p = hs_alloc(1000, 3, &err), *none = hs_alloc(0, 8, &err);
	int zero = p != NULL;
	for (int i = 0; p && i < 3000; i++)
		zero &= p[i] == 0;
	tap_ok(zero && none && !hs_failed(&err), "memory is zeroed, and never NULL");
	free(p);
	free(none);
}

int main(void)
{
	test_growing();
	test_words();
	test_names();
	test_utf8();
	test_errors();
	test_sizes();
	return tap_done();
}
