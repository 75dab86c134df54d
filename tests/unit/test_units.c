/* Numbers as people write them: what is taken, what is refused, and that a refusal leaves the value alone. */
#include "base/units.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tap.h"

static const double untouched = -77.25;

static void test_real(void)
{
	static const struct {
		const char *text;
		double value;
	} good[] = { { "0", 0 }, { "-1.5", -1.5 }, { "+2", 2 }, { "1e3", 1000 }, { ".5", .5 }, { "5.", 5 }, { "1E-300", 1e-300 },
		{ "1.7976931348623157e308", DBL_MAX }, { "0.1", 0.1 } };
	static const char *const bad[] = { "", " ", "x", "1x", "1 ", "1,5", "nan", "inf", "-inf", "infinity", "0x10", "1e999",
		"--1", "1e", "1.2.3", "1\n" };
	for (size_t i = 0; i < HS_LEN(good); i++) {
		struct hs_err err = { 0 };
		double v = untouched;
		tap_ok(hs_parse_real(good[i].text, &v, &err) == 0 && v == good[i].value && !hs_failed(&err), "real '%s'",
			good[i].text);
	}
	for (size_t i = 0; i < HS_LEN(bad); i++) {
		struct hs_err err = { 0 };
		double v = untouched;
		tap_ok(hs_parse_real(bad[i], &v, &err) < 0 && err.status == HS_USAGE && err.text[0], "not a number: %zu: %s", i,
			err.text);
	}
}

static void test_count(void)
{
	static const char *const bad[] = { "", "-1", "1.5", "x", "12x", "18446744073709551616", "99999999999999999999999", "1e3x",
		" 1", "0x1f", "nan" };
	struct hs_err err = { 0 };
	uint64_t n = 5;
	tap_ok(hs_parse_count("0", &n, &err) == 0 && n == 0, "count 0");
	tap_ok(hs_parse_count("4096", &n, &err) == 0 && n == 4096, "count 4096");
	tap_ok(hs_parse_count("18446744073709551615", &n, &err) == 0 && n == UINT64_MAX, "the largest count");
	for (size_t i = 0; i < HS_LEN(bad); i++) {
		err = (struct hs_err){ 0 };
		tap_ok(hs_parse_count(bad[i], &n, &err) < 0 && err.status == HS_USAGE, "not a count: '%s': %s", bad[i], err.text);
	}
}

static void test_sizes_and_times(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} size[] = { { "4096", 4096 }, { "64k", 65536 }, { "64K", 65536 }, { "512M", UINT64_C(512) << 20 },
		{ "2GiB", UINT64_C(2) << 30 }, { "1T", UINT64_C(1) << 40 } };
	static const struct {
		const char *text;
		double s;
	} time[] = { { "30", 30 }, { "30s", 30 }, { "500ms", .5 }, { "5min", 300 }, { "2h", 7200 }, { "0.5s", .5 } };
	static const char *const bad_size[] = { "", "12q", "-1", "-1k", "k", "1 k M", "99999999999T", "1kk", "nan" },
				 *const bad_time[] = { "", "3 parsecs", "s", "1x", "-", "1sh", "inf" };
	for (size_t i = 0; i < HS_LEN(size); i++) {
		struct hs_err err = { 0 };
		uint64_t n = 1;
		tap_ok(hs_parse_bytes(size[i].text, &n, &err) == 0 && n == size[i].bytes, "size %s", size[i].text);
	}
	for (size_t i = 0; i < HS_LEN(time); i++) {
		struct hs_err err = { 0 };
		double s = 0;
		tap_ok(hs_parse_seconds(time[i].text, &s, &err) == 0 && fabs(s - time[i].s) < 1e-12, "time %s", time[i].text);
	}
	for (size_t i = 0; i < HS_LEN(bad_size); i++) {
		struct hs_err err = { 0 };
		uint64_t n = 1;
		tap_ok(hs_parse_bytes(bad_size[i], &n, &err) < 0 && err.status == HS_USAGE, "not a size: '%s'", bad_size[i]);
	}
	for (size_t i = 0; i < HS_LEN(bad_time); i++) {
		struct hs_err err = { 0 };
		double s = 0;
		tap_ok(hs_parse_seconds(bad_time[i], &s, &err) < 0 && err.status == HS_USAGE, "not a time: '%s'", bad_time[i]);
	}
}

static void test_quantity(void)
{
	static const struct {
		const char *text, *unit;
		double value;
	} good[] = { { "-1.2mV", "V", -0.0012 }, { "3", "V", 3 }, { "3 V", "V", 3 }, { "5nm", "m", 5e-9 }, { "5nm", "nm", 5 },
		{ "1um", "nm", 1000 }, { "1\302\265m", "nm", 1000 }, { "1\316\274m", "nm", 1000 }, { "2keV", "eV", 2000 },
		{ "10\303\205", "nm", 1 }, { "1e-9m", "nm", 1 } };
	static const char *const bad[] = { "5s", "5eV", "nm", "5nmx", "", "5A" };
	for (size_t i = 0; i < HS_LEN(good); i++) {
		struct hs_err err = { 0 };
		double v = untouched;
		tap_ok(hs_parse_quantity(good[i].text, good[i].unit, &v, &err) == 0 &&
				fabs(v - good[i].value) <= 1e-12 * fabs(good[i].value),
			"'%s' in %s is %g %s", good[i].text, good[i].unit, v, err.text);
	}
	for (size_t i = 0; i < HS_LEN(bad); i++) {
		struct hs_err err = { 0 };
		double v = untouched;
		tap_ok(hs_parse_quantity(bad[i], "nm", &v, &err) < 0 && err.status == HS_USAGE, "'%s' is no length: %s", bad[i],
			err.text);
	}
}

static void test_units(void)
{
	static const struct {
		const char *from, *to;
		double factor;
	} pair[] = { { "nm", "m", 1e-9 }, { "m", "nm", 1e9 }, { "V", "V", 1 }, { "mV", "kV", 1e-6 }, { "nm", "s", 0 },
		{ "eV", "V", 0 }, { "A", "m", 0 }, { "pA", "nA", 1e-3 }, { "Hz", "kHz", 1e-3 } };
	static const struct {
		const char *raw, *clean;
	} spelling[] = { { "$nm$", "nm" }, { "", "1" }, { "Angstrom", "\303\205" }, { "\316\274m", "\302\265m" },
		{ "eV", "eV" } };
	for (size_t i = 0; i < HS_LEN(pair); i++) {
		const double f = hs_unit_factor(pair[i].from, pair[i].to);
		tap_ok(fabs(f - pair[i].factor) <= 1e-12 * pair[i].factor, "%s to %s: %g", pair[i].from, pair[i].to, f);
	}
	for (size_t i = 0; i < HS_LEN(spelling); i++) {
		char *clean = hs_unit_clean(spelling[i].raw);
		tap_ok(!strcmp(clean, spelling[i].clean), "unit '%s' is written '%s'", spelling[i].raw, clean);
		free(clean);
	}
	double scaled = 0;
	const char *prefix = hs_si_prefix(4.2e-9, &scaled);
	tap_ok(!strcmp(prefix, "n") && fabs(scaled - 4.2) < 1e-12, "4.2e-9 is %g %s", scaled, prefix);
	prefix = hs_si_prefix(0, &scaled);
	tap_ok(!strcmp(prefix, "") && scaled == 0, "zero has no prefix");
	prefix = hs_si_prefix(-1500, &scaled);
	tap_ok(!strcmp(prefix, "k") && fabs(scaled + 1.5) < 1e-12, "-1500 is %g %s", scaled, prefix);
	char text[16];
	tap_ok(!strcmp(hs_show_bytes(12.3 * 1048576, text), "12.3 MiB"), "bytes: %s", text);
}

int main(void)
{
	/* a user's locale with a decimal comma must not change what '.' means */
	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		printf("# no German locale here\n");
	test_real();
	test_count();
	test_sizes_and_times();
	test_quantity();
	test_units();
	return tap_done();
}
