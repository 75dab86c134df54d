/* JSON that is written is read back, by the library's own reader and whatever the strings hold. */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tap.h"

static void test_layout(void)
{
	struct hs_json j = { 0 };
	j.one_line = true;
	hs_json_begin(&j, NULL, '{');
	hs_json_text(&j, "text", "a\"b\\c\n\t\001");
	hs_json_text(&j, "none", NULL);
	hs_json_int(&j, "int", -9007199254740993LL);
	hs_json_bool(&j, "yes", true);
	hs_json_real(&j, "nan", NAN);
	hs_json_real(&j, "inf", -INFINITY);
	hs_json_begin(&j, "list", '[');
	hs_json_end(&j, ']');
	hs_json_begin(&j, "deep", '{');
	hs_json_end(&j, '}');
	hs_json_end(&j, '}');
	char *text = hs_json_take(&j);
	tap_ok(strstr(text, "a\\\"b\\\\c\\n\\u0009\\u0001") != NULL, "escapes: %s", text);
	tap_ok(strstr(text, "-9007199254740993") != NULL, "whole numbers keep their digits");
	tap_ok(!strstr(text, "nan\": n a") && !strstr(text, "nan\": -") && strstr(text, "null") && !strstr(text, "inf\": i") &&
			!strstr(text, "inf\": -"),
		"what is no number is null");
	tap_ok(!strchr(text, '\n'), "one line");
	free(text);
}

static void test_reals(void)
{
	static const double value[] = { 0.1, 1e300, -1.0 / 3, 5e-324, 123456789.123456789, 0, 1e15, 299792458 };
	int same = 1;
	for (size_t i = 0; i < HS_LEN(value); i++) {
		struct hs_json j = { .one_line = true };
		hs_json_begin(&j, NULL, '[');
		hs_json_real(&j, NULL, value[i]);
		hs_json_end(&j, ']');
		char *text = hs_json_take(&j);
		const double back = strtod(text + 1, NULL);
		if (back != value[i])
			printf("# %.17g became %s\n", value[i], text);
		same &= back == value[i];
		free(text);
	}
	tap_ok(same, "numbers come back to the last bit");
}

static void test_strings(void)
{
	static const char *const word[] = { "hspca", "-k", "", "a b", "'quoted' \"twice\"", "back\\slash", "\303\244\302\265",
		"line\nbreak", "$HOME `x`" };
	struct hs_json j = { 0 };
	hs_json_begin(&j, NULL, '{');
	hs_json_int(&j, "before", 1);
	hs_json_begin(&j, "argv", '[');
	for (size_t i = 0; i < HS_LEN(word); i++)
		hs_json_text(&j, NULL, word[i]);
	hs_json_end(&j, ']');
	hs_json_text(&j, "after", "x");
	hs_json_end(&j, '}');
	char *text = hs_json_take(&j), **back = hs_json_get_strings(text, "argv");
	size_t n = 0;
	int same = back != NULL;
	for (; same && back[n]; n++)
		same &= n < HS_LEN(word) && !strcmp(back[n], word[n]);
	tap_ok(same && n == HS_LEN(word), "a list of strings comes back");
	hs_json_free_strings(back);
	tap_ok(!hs_json_get_strings(text, "before") && !hs_json_get_strings(text, "nothing"),
		"what is no list of strings is NULL");
	free(text);
	static const char *const broken[] = { "", "{", "[1,2", "nonsense", "{\"argv\": [1, 2]}", "{\"argv\": {}}", "[]" };
	int refused = 1;
	for (size_t i = 0; i < HS_LEN(broken); i++) {
		char **list = hs_json_get_strings(broken[i], "argv");
		refused &= !list || !list[0] || !strcmp(list[0], "");
		hs_json_free_strings(list);
	}
	tap_ok(refused, "broken JSON gives nothing");
}

int main(void)
{
	test_layout();
	test_reals();
	test_strings();
	return tap_done();
}
