/* test_draw - colours, scales, and pictures read back pixel by pixel. */
#include <float.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "draw/curve.h"
#include "draw/dendrogram.h"
#include "draw/labels.h"
#include "draw/map.h"
#include "draw/png.h"
#include "draw/scale.h"
#include "draw/scree.h"
#include "draw/terminal.h"
#include "tap.h"

/* fontconfig keeps its configuration until the process ends; that is no leak of ours. Heard by LeakSanitizer only. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig";
}

/* ---- colours ---- */

static double gap(struct hs_rgba a, struct hs_rgba b, enum hs_vision vision)
{
	double p[3], q[3];
	hs_rgba_lab(a, vision, p);
	hs_rgba_lab(b, vision, q);
	return sqrt((p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1]) + (p[2] - q[2]) * (p[2] - q[2]));
}

static void test_lab(void)
{
	/* Lab of sRGB primaries under D65, from the definition; tabulated everywhere to these digits. */
	static const struct { struct hs_rgba c; double lab[3]; } known[] = {
		{ { 255, 255, 255, 255 }, { 100, 0, 0 } }, { { 255, 0, 0, 255 }, { 53.24, 80.09, 67.20 } },
		{ { 0, 255, 0, 255 }, { 87.73, -86.18, 83.18 } }, { { 0, 0, 255, 255 }, { 32.30, 79.19, -107.86 } },
		{ { 0, 0, 0, 255 }, { 0, 0, 0 } },
	};
	double worst = 0;
	for (size_t i = 0; i < HS_LEN(known); i++) {
		double lab[3];
		hs_rgba_lab(known[i].c, HS_VISION_NORMAL, lab);
		for (int k = 0; k < 3; k++)
			worst = fmax(worst, fabs(lab[k] - known[i].lab[k]));
	}
	tap_ok(worst < 0.03, "Lab of the sRGB primaries (off by %.3f)", worst);
	const struct hs_rgba grey = { 119, 119, 119, 255 }, red = { 200, 60, 60, 255 }, green = { 110, 110, 50, 255 };
	double shift = 0;
	for (int v = 0; v < HS_N_VISIONS; v++) {
		double a[3], b[3];
		hs_rgba_lab(grey, v, a);
		hs_rgba_lab(grey, HS_VISION_NORMAL, b);
		for (int k = 0; k < 3; k++)
			shift = fmax(shift, fabs(a[k] - b[k]));
	}
	tap_ok(shift < 1e-6, "grey is grey to every vision (%.1e)", shift);
	tap_ok(gap(red, green, HS_VISION_DEUTAN) < 0.5 * gap(red, green, HS_VISION_NORMAL), "red and green come closer to a deutan eye");
}

static void test_colormaps(void)
{
	for (int kind = 0; kind < HS_N_COLORMAPS; kind++) {
		struct hs_colormap map;
		hs_colormap_init(&map, kind);
		double light[HS_COLORMAP_SIZE], lab[3], jump = 0;
		for (int i = 0; i < HS_COLORMAP_SIZE; i++) {
			hs_rgba_lab(map.entry[i], HS_VISION_NORMAL, lab);
			light[i] = lab[0];
			if (i)
				jump = fmax(jump, gap(map.entry[i], map.entry[i - 1], HS_VISION_NORMAL));
		}
		const char *name = hs_colormap_name(kind);
		tap_ok(jump < 3.5, "%s has no jumps (largest step %.2f)", name, jump);
		tap_ok(hs_colormap_find(name) == kind, "%s is found by name", name);
		/* lightness against the straight line (or tent, or level): 8-bit rounding allows a little */
		double off = 0;
		for (int i = 0; i < HS_COLORMAP_SIZE; i++) {
			const double t = i / 255.0, s = fabs(2 * t - 1), n = HS_COLORMAP_SIZE - 1;
			const double line = kind == HS_COLORMAP_BALANCE ? light[0] + (97 - light[0]) * (1 - s)
			                    : kind == HS_COLORMAP_PHASE ? light[0] : light[0] + (light[(int)n] - light[0]) * t;
			off = fmax(off, fabs(light[i] - line));
		}
		tap_ok(off < 0.6, "%s: L* follows its rule within %.2f", name, off);
		if (kind <= HS_COLORMAP_GREY) {
			int falls = 0;
			double least = 9, most = 0;
			for (int i = 8; i < HS_COLORMAP_SIZE; i++) {
				falls += light[i] <= light[i - 1] - 1e-9;
				least = fmin(least, light[i] - light[i - 8]);
				most = fmax(most, light[i] - light[i - 8]);
			}
			tap_ok(falls <= (kind == HS_COLORMAP_GREY ? 0 : 4), "%s: L* climbs (%d of 248 steps fall by rounding)", name, falls);
			tap_ok(most - least < 0.9, "%s: eight steps of L* are %.2f to %.2f", name, least, most);
		}
		if (kind == HS_COLORMAP_BALANCE) {
			double uneven = 0;
			for (int i = 0; i < 128; i++) {
				double other[3];
				hs_rgba_lab(map.entry[i], HS_VISION_NORMAL, lab);
				hs_rgba_lab(map.entry[255 - i], HS_VISION_NORMAL, other);
				uneven = fmax(uneven, fabs(hypot(lab[1], lab[2]) - hypot(other[1], other[2])));
			}
			tap_ok(uneven < 1.5, "balance: both arms have the same chroma within %.2f", uneven);
		}
		if (kind == HS_COLORMAP_PHASE)
			tap_ok(gap(map.entry[0], map.entry[255], HS_VISION_NORMAL) < 1, "phase: both ends are one colour");
	}
	struct hs_colormap map;
	hs_colormap_init(&map, HS_COLORMAP_GREY);
	tap_ok(hs_colormap_at(&map, 0, 1, -5).r == 0 && hs_colormap_at(&map, 0, 1, 7).r == 255,
		"values beyond the limits take the end colours");
	tap_ok(hs_colormap_at(&map, 0, 1, NAN).r == map.missing.r && hs_colormap_at(&map, 0, 1, INFINITY).r == map.missing.r,
		"NaN and infinity are missing");
	tap_ok(hs_colormap_at(&map, 3, 3, 3).r == map.entry[128].r, "equal limits give the middle");
	tap_ok(hs_colormap_at(&map, -DBL_MAX, DBL_MAX, 0).r == map.entry[128].r, "the widest limits do not overflow");
	tap_ok(hs_colormap_find("viridis") == -1 && hs_colormap_find("gray") == HS_COLORMAP_GREY, "unknown names are refused");
}

static void test_palette(void)
{
	struct hs_palette p;
	hs_palette_init(&p);
	double least[HS_N_VISIONS] = { DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX }, all = DBL_MAX, page = DBL_MAX;
	for (int v = 0; v < HS_N_VISIONS; v++)
		for (int i = 0; i < HS_PALETTE_SIZE; i++)
			for (int k = 0; k < i; k++) {
				const double d = gap(p.entry[i], p.entry[k], v);
				all = fmin(all, d);
				if (i < 12)
					least[v] = fmin(least[v], d);
			}
	for (int i = 0; i < HS_PALETTE_SIZE; i++)
		page = fmin(page, gap(p.entry[i], (struct hs_rgba){ 255, 255, 255, 255 }, HS_VISION_NORMAL));
	const double worst = fmin(fmin(least[0], least[1]), fmin(least[2], least[3]));
	tap_ok(worst > 15, "12 colours differ by %.1f, protan %.1f, deutan %.1f, tritan %.1f", least[0], least[1], least[2], least[3]);
	tap_ok(all > 7 && page > 20, "all 24 by %.1f in the worst vision, from white by %.1f", all, page);
	tap_ok(gap(hs_palette_at(&p, 3), hs_palette_at(&p, 3 + HS_PALETTE_SIZE), HS_VISION_NORMAL) > 5, "the second round is darker");
}

/* ---- scales ---- */

static bool is_125(double step)
{
	const double m = step / pow(10, floor(log10(step) + 1e-9));
	return fabs(m - 1) < 1e-6 || fabs(m - 2) < 1e-6 || fabs(m - 5) < 1e-6;
}

static void test_ticks(void)
{
	struct hs_rng rng;
	hs_rng_init(&rng, 7, HS_STREAM_TEST, 0);
	int bad_step = 0, outside = 0, few = 0, many = 0, wrong_text = 0;
	for (int trial = 0; trial < 2000; trial++) {
		const double size = pow(10, 12 * hs_rng_uniform(&rng) - 6), a = size * hs_rng_normal(&rng),
			b = a + size * (0.01 + hs_rng_uniform(&rng));
		struct hs_scale s;
		struct hs_ticks t;
		hs_scale_init(&s, a, b, "1", false);
		hs_scale_ticks(&s, 8, &t);
		few += t.n < 3;
		many += t.n > 10;
		for (size_t i = 0; i < t.n; i++) {
			outside += !(t.value[i] >= a && t.value[i] <= b);
			if (i)
				bad_step += !is_125((t.value[i] - t.value[i - 1]) / s.factor);
			/* what is written, read back, is the value */
			char plain[40];
			const bool minus = hs_starts(t.text[i], "−");
			snprintf(plain, sizeof plain, "%s%s", minus ? "-" : "", t.text[i] + (minus ? strlen("−") : 0));
			const double read = strtod(plain, NULL) * s.factor + s.offset;
			wrong_text += !(fabs(read - t.value[i]) < 1e-6 * (b - a));
		}
	}
	tap_ok(!bad_step && !outside, "2000 random axes: steps of 1, 2, 5 (%d not), ticks inside (%d not)", bad_step, outside);
	tap_ok(!few && !many, "3 to 10 ticks when 8 are wanted (%d fewer, %d more)", few, many);
	tap_ok(!wrong_text, "the numbers written are the ticks' values (%d not)", wrong_text);

	struct hs_scale s;
	struct hs_ticks t;
	hs_scale_init(&s, 0, 2.54e-7, "m", false);
	hs_scale_ticks(&s, 6, &t);
	char *label = hs_scale_label(&s, "x");
	tap_ok(!strcmp(label, "x (nm)") && t.n == 6 && !strcmp(t.text[5], "250"), "254e-9 m is shown in nm: %s, %s", label, t.text[5]);
	free(label);
	static const struct { double lo, hi; const char *unit, *label; } labels[] = {
		{ 280, 320, "eV", "Energy (eV)" }, { 0, 2.5e4, "eV", "Energy (keV)" }, { 0, 0.02, "V", "Energy (mV)" },
		{ 0, 3e6, "count", "Energy (10⁶ count)" },
		{ 0, 1e-300, "1", "Energy (×10⁻³⁰⁰)" }, { 0, 1e300, "V", "Energy (10³⁰⁰ V)" }, { 0, 5, "", "Energy" },
		{ 0, 30000, "nm", "Energy (µm)" },
		{ 1e9, 1e9 + 1, "Hz", "Energy − 1000000000 (Hz)" }, { 0, 0.05, "Å", "Energy (Å)" },
	};
	for (size_t i = 0; i < HS_LEN(labels); i++) {
		hs_scale_init(&s, labels[i].lo, labels[i].hi, labels[i].unit, false);
		label = hs_scale_label(&s, "energy");
		tap_ok(!strcmp(label, labels[i].label), "%g..%g %s is labelled %s", labels[i].lo, labels[i].hi, labels[i].unit, label);
		free(label);
	}
	static const double hard[][2] = { { -DBL_MAX, DBL_MAX }, { 0, 5e-324 }, { 7, 7 }, { 0, 0 }, { NAN, NAN }, { 1e300,
		1e300 }, { 2, 1 }, { -INFINITY, INFINITY },
		{ 1, 1 + DBL_EPSILON }, { 1e-310, 3e-310 } };
	for (size_t i = 0; i < HS_LEN(hard); i++)
		for (int log_scale = 0; log_scale < 2; log_scale++) {
			hs_scale_init(&s, hard[i][0], hard[i][1], "V", log_scale);
			hs_scale_ticks(&s, 6, &t);
			tap_ok(s.lo < s.hi && fabs(hs_scale_at(&s, s.lo)) < 1e-9 && fabs(hs_scale_at(&s, s.hi) - 1) < 1e-9,
				"%g..%g becomes a %s scale from 0 to 1 (%zu ticks)", hard[i][0], hard[i][1], log_scale ? "log" : "linear", t.n);
		}
	hs_scale_init(&s, 1e-4, 1, NULL, true);
	hs_scale_ticks(&s, 6, &t);
	tap_ok(t.n == 5 && !strcmp(t.text[0], "10⁻⁴") && fabs(hs_scale_at(&s, 1e-2) - 0.5) < 1e-12, "decades on a log axis");
	tap_ok(isnan(hs_scale_at(&s, 0)) && isnan(hs_scale_at(&s, -1)), "a log axis has no place for 0");
	static const struct { double v; int digits; const char *unit, *text; } shown[] = {
		{ 5e-8, 1, "m", "50 nm" }, { 0.5, 1, "µm", "0.5 µm" }, { -12.34, 3, "V", "−12.3 V" }, { 0, 3, "V", "0 V" },
		{ 1e-9, 3, "1", "1×10⁻⁹" }, { 200, 1, "nm", "200 nm" },
	};
	for (size_t i = 0; i < HS_LEN(shown); i++) {
		char *text = hs_scale_show(shown[i].v, shown[i].digits, shown[i].unit);
		tap_ok(!strcmp(text, shown[i].text), "%g %s is written %s", shown[i].v, shown[i].unit, text);
		free(text);
	}
	tap_ok(fabs(hs_nice_below(0.999) - 0.5) < 1e-15 && fabs(hs_nice_below(20) - 20) < 1e-12
		&& fabs(hs_nice_below(4.9e-9) - 2e-9) < 1e-22, "1-2-5 lengths");
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void test_limits(void)
{
	struct hs_rng rng;
	hs_rng_init(&rng, 3, HS_STREAM_TEST, 0);
	int wrong = 0;
	for (int trial = 0; trial < 300; trial++) {
		const size_t n = 1 + hs_rng_below(&rng, 200);
		double v[200], sorted[200];
		for (size_t i = 0; i < n; i++)
			v[i] = sorted[i] = trial % 3 ? hs_rng_normal(&rng) : (double)hs_rng_below(&rng, 4);
		qsort(sorted, n, sizeof *sorted, by_value);
		const double p = 100 * hs_rng_uniform(&rng), place = p / 100 * (double)(n - 1);
		const size_t k = (size_t)place;
		const double part = place - (double)k, want = k + 1 < n ? sorted[k] * (1 - part) + sorted[k + 1] * part : sorted[k];
		wrong += !(fabs(hs_percentile(v, n, p) - want) < 1e-12);
	}
	tap_ok(!wrong, "300 percentiles agree with sorting (%d do not)", wrong);
	double v[1000], lo = 0, hi = 0;
	struct hs_err err = { 0 };
	for (int i = 0; i < 1000; i++)
		v[i] = i;
	v[10] = 1e9;
	v[20] = NAN;
	uint8_t mask[1000] = { 0 };
	mask[10] = 4;
	tap_ok(hs_limits_find(v, mask, 1000, HS_LIMITS_FULL, false, &lo, &hi,
		&err) == 0 && fabs(lo) < 1e-12 && fabs(hi - 999) < 1e-9, "full limits leave masked values and NaN out");
	tap_ok(hs_limits_find(v, NULL, 1000, HS_LIMITS_ROBUST, false, &lo, &hi, &err) == 0 && hi < 1000 && lo > 3,
		"robust limits leave one outlier out: %g %g", lo, hi);
	tap_ok(hs_limits_find(v, mask, 1000, HS_LIMITS_FULL, true, &lo, &hi, &err) == 0 && fabs(lo + 999) < 1e-9, "symmetric limits");
	double sparse[1000] = { 0 };
	sparse[3] = 2;
	tap_ok(hs_limits_find(sparse, NULL, 1000, HS_LIMITS_ROBUST, false, &lo, &hi, &err) == 0 && fabs(hi - 2) < 1e-12,
		"equal percentiles fall back to the full range");
	tap_ok(hs_limits_find(&v[20], NULL, 1, HS_LIMITS_ROBUST, false, &lo, &hi, &err) == 0 && isnan(lo) && isnan(hi),
		"no value: no limits");
}

static void test_axes(void)
{
	struct hs_err err = { 0 };
	struct hs_axis a = hs_axis_values("e", "eV", NULL, HS_AXIS_SPECTRAL, 3, (double[]){ 0, 1, 5 });
	struct hs_axis d = hs_axis_values("e", "eV", NULL, HS_AXIS_SPECTRAL, 3, (double[]){ 5, 1, 0 });
	double edge[4];
	hs_axis_edges(&a, 1, edge);
	tap_ok(fabs(edge[0] + 0.5) < 1e-12 && fabs(edge[1] - 0.5) < 1e-12 && fabs(edge[2] - 3) < 1e-12
		&& fabs(edge[3] - 7) < 1e-12, "edges lie half way");
	size_t i1[15], i2[15], i3[15];
	tap_ok(hs_axis_sample(&a, 15, false, i1, &err) == 0 && hs_axis_sample(&d, 15, false, i2,
		&err) == 0 && hs_axis_sample(&a, 15, true, i3, &err) == 0, "axes are sampled");
	int wrong = 0;
	for (int k = 0; k < 15; k++) {
		const double v = -0.5 + (k + 0.5) * 0.5;
		const size_t want = v < 0.5 ? 0 : v < 3 ? 1 : 2;
		wrong += i1[k] != want || i2[k] != 2 - want || i3[14 - k] != want;
	}
	tap_ok(!wrong, "a place on the picture shows the cell it lies in, for axes that rise and fall");
	hs_axis_release(&a);
	hs_axis_release(&d);
	struct hs_axis x = hs_axis_uniform("x", "nm", NULL, HS_AXIS_SPATIAL, 100, 0, 1), y = hs_axis_uniform("y", "µm", NULL,
		HS_AXIS_SPATIAL, 50, 0, 1e-3);
	tap_ok(fabs(hs_map_aspect(&x, &y) - 0.5) < 1e-12, "lengths are true across units: 50e-3 µm over 100 nm");
	struct hs_axis e = hs_axis_uniform("e", "eV", NULL, HS_AXIS_SPECTRAL, 50, 0, 1), row = hs_axis_uniform("y", "nm",
		NULL, HS_AXIS_SPATIAL, 1, 0, 1);
	tap_ok(!(hs_map_aspect(&x, &e) > 0), "no true lengths between nm and eV");
	tap_ok(fabs(hs_map_aspect(&x, &row) - 1.0 / 6) < 1e-12, "a single row is kept visible");
	hs_axis_release(&x);
	hs_axis_release(&y);
	hs_axis_release(&e);
	hs_axis_release(&row);
}

/* ---- pictures read back ---- */

struct picture {
	png_image head;
	uint8_t *rgb;
};

static bool read_png(const void *bytes, size_t n, struct picture *p)
{
	*p = (struct picture){ .head = { .version = PNG_IMAGE_VERSION } };
	if (!png_image_begin_read_from_memory(&p->head, bytes, n))
		return false;
	p->head.format = PNG_FORMAT_RGB;
	p->rgb = malloc(PNG_IMAGE_SIZE(p->head));
	return png_image_finish_read(&p->head, NULL, p->rgb, 0, NULL) != 0;
}

static bool contains(const struct hs_str *s, const char *text)
{
	return s->len && memmem(s->text, s->len, text, strlen(text)) != NULL;
}

static int refuse(void *ctx, const void *bytes, size_t n, struct hs_err *err)
{
	(void)bytes;
	*(size_t *)ctx += n;
	return hs_fail(err, HS_SYSTEM, "no room left");
}

static void test_png(void)
{
	struct hs_err err = { 0 };
	double v[6] = { 0, 1, 2, 3, NAN, 5 };
	struct hs_colormap map;
	hs_colormap_init(&map, HS_COLORMAP_DUSK);
	const struct hs_png_text note = { "Title", "höhe" };
	struct hs_png_map m = { .value = v, .ny = 2, .nx = 3, .map = &map, .lo = 0, .hi = 5, .text = &note, .n_text = 1 };
	struct hs_str out = { 0 }, again = { 0 };
	struct picture p;
	tap_ok(hs_png_map(&m, hs_bytes_to_str, &out, &err) == 0 && read_png(out.text, out.len, &p), "a map becomes a PNG");
	tap_ok(p.head.width == 3 && p.head.height == 2, "of one pixel a data pixel");
	int wrong = 0;
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 3; j++) {
			const struct hs_rgba c = hs_colormap_at(&map, 0, 5, v[(1 - i) * 3 + j]);
			const uint8_t *q = p.rgb + 3 * (i * 3 + j);
			wrong += q[0] != c.r || q[1] != c.g || q[2] != c.b;
		}
	tap_ok(!wrong, "row 0 is at the bottom, every pixel has its colour");
	tap_ok(contains(&out, "hstools:limits") && contains(&out, "0 5") && contains(&out, "höhe"), "limits and text are inside");
	free(p.rgb);
	tap_ok(hs_png_map(&m, hs_bytes_to_str, &again, &err) == 0 && out.len == again.len && !memcmp(out.text, again.text,
		out.len), "same bytes again");
	hs_str_release(&out);
	hs_str_release(&again);

	m.map = NULL;
	m.row0_top = true;
	tap_ok(hs_png_map(&m, hs_bytes_to_str, &out, &err) == 0, "16-bit grey");
	png_image head = { .version = PNG_IMAGE_VERSION };
	png_image_begin_read_from_memory(&head, out.text, out.len);
	tap_ok(out.text[24] == 16 && out.text[25] == 0, "IHDR says depth 16, grey");
	png_image_free(&head);
	/* the full low-level reader, for exact levels */
	FILE *f = fmemopen(out.text, out.len, "rb");
	png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	png_init_io(png, f);
	png_read_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
	png_bytepp row = png_get_rows(png, info);
	wrong = 0;
	for (size_t k = 0; k < 6; k++) {
		const unsigned level = (unsigned)row[k / 3][2 * (k % 3)] << 8 | row[k / 3][2 * (k % 3) + 1];
		const double back = 0 + (level - 1.0) * 5 / 65534;
		wrong += isnan(v[k]) ? level != 0 : !(fabs(back - v[k]) <= 0.5 * 5 / 65534 * 1.0001);
	}
	tap_ok(!wrong, "grey levels give the values back within half a level; 0 is no value");
	png_destroy_read_struct(&png, &info, NULL);
	fclose(f);
	hs_str_release(&out);

	size_t seen = 0;
	tap_ok(hs_png_map(&m, refuse, &seen, &err) < 0 && err.status == HS_SYSTEM && !strcmp(err.text, "no room left"),
		"a failing writer ends it: %s", err.text);
	err = (struct hs_err){ 0 };
	m.hi = 0;
	tap_ok(hs_png_map(&m, hs_bytes_to_str, &out, &err) < 0 && err.status == HS_USAGE, "limits in the wrong order: %s", err.text);
	err = (struct hs_err){ 0 };
	m.hi = 5;
	m.nx = 0;
	tap_ok(hs_png_map(&m, hs_bytes_to_str, &out, &err) < 0 && err.status == HS_USAGE, "no pixels: %s", err.text);
	err = (struct hs_err){ 0 };

	const size_t nx = 1000, ny = 10;
	double *big = calloc(nx * ny, sizeof *big);
	for (size_t k = 0; k < nx * ny; k++)
		big[k] = (double)(k % nx);
	m = (struct hs_png_map){ .value = big, .ny = ny, .nx = nx, .map = &map, .lo = 0, .hi = 999 };
	uint8_t *bytes = NULL;
	size_t n = 0;
	tap_ok(hs_png_thumbnail(&m, &bytes, &n, &err) == 0 && read_png(bytes, n,
		&p) && p.head.width == 256 && p.head.height == 3, "a thumbnail of 1000 x 10 has 256 x 3 px");
	const struct hs_rgba first = hs_colormap_at(&map, 0, 999, 1), last = hs_colormap_at(&map, 0, 999, 998);
	tap_ok(p.rgb[0] == first.r && p.rgb[1] == first.g && p.rgb[3 * 255] == last.r && p.rgb[3 * 255 + 1] == last.g,
		"and shows both ends");
	free(p.rgb);
	free(bytes);
	free(big);
}

/* ---- figures ---- */

static struct hs_str drawn(const struct hs_panel *panel, size_t n, enum hs_picture kind, double w, double h, struct hs_err *err)
{
	struct hs_str out = { 0 };
	const struct hs_figure f = { .title = "A figure", .panel = panel, .n_panels = n, .width = w, .height = h };
	hs_figure_draw(&f, kind, hs_bytes_to_str, &out, err);
	return out;
}

/* Is the border of the page, 6 px wide, white? Text that is cut or lines that leave the page would show there. */
static bool white_border(const struct picture *p)
{
	for (size_t i = 0; i < p->head.height; i++)
		for (size_t j = 0; j < p->head.width; j++) {
			if (i >= 6 && j >= 6 && i + 6 < p->head.height && j + 6 < p->head.width)
				continue;
			const uint8_t *q = p->rgb + 3 * (i * p->head.width + j);
			if (q[0] != 255 || q[1] != 255 || q[2] != 255)
				return false;
		}
	return true;
}

static size_t count_colour(const struct picture *p, struct hs_rgba c)
{
	size_t n = 0;
	for (size_t k = 0; k < (size_t)p->head.width * p->head.height; k++)
		n += p->rgb[3 * k] == c.r && p->rgb[3 * k + 1] == c.g && p->rgb[3 * k + 2] == c.b;
	return n;
}

static void check_figure(const char *what, struct hs_panel *panel, size_t n)
{
	struct hs_err err = { 0 };
	struct picture p = { 0 };
	struct hs_str a = drawn(panel, n, HS_PICTURE_PNG, 0, 0, &err), b = drawn(panel, n, HS_PICTURE_PNG, 0, 0, &err);
	struct hs_str s = drawn(panel, n, HS_PICTURE_SVG, 0, 0, &err), t = drawn(panel, n, HS_PICTURE_SVG, 0, 0, &err);
	tap_ok(!hs_failed(&err) && read_png(a.text, a.len, &p), "%s is drawn %s", what, err.text);
	tap_ok(p.rgb && white_border(&p), "%s: nothing touches the border", what);
	tap_ok(a.len == b.len && !memcmp(a.text, b.text, a.len) && s.len == t.len && !memcmp(s.text, t.text, s.len),
		"%s: same bytes again, PNG and SVG", what);
	tap_ok(s.len > 200 && hs_starts(s.text, "<?xml") && hs_ends(s.text, "</svg>\n"), "%s: SVG from start to end", what);
	free(p.rgb);
	hs_str_release(&a);
	hs_str_release(&b);
	hs_str_release(&s);
	hs_str_release(&t);
	for (size_t i = 0; i < n; i++)
		hs_panel_release(&panel[i]);
}

static void test_dendrogram(void)
{
	struct hs_err err = { 0 };
	struct hs_panel panel = { 0 };
	struct hs_palette palette;
	struct picture p;
	/* {0 1}, {2 3}, {4 {2 3}}, all: cut into two, the three leaves 2 3 4 are the larger cluster */
	double left[] = { 0, 2, 4, 5 }, right[] = { 1, 3, 6, 7 }, height[] = { 1, 2, 3, 9 }, size[] = { 2, 2, 3, 5 };
	struct hs_dendrogram_plot d = { .title = "merges", .height_name = "distance", .n = 5, .left = left, .right = right,
		.height = height, .size = size, .n_clusters = 2 };
	tap_ok(hs_dendrogram_panel(&d, &panel, &err) == 0, "a dendrogram panel %s", err.text);
	struct hs_str out = drawn(&panel, 1, HS_PICTURE_PNG, 400, 300, &err);
	tap_ok(read_png(out.text, out.len, &p), "is drawn");
	hs_palette_init(&palette);
	const size_t large = count_colour(&p, hs_palette_at(&palette, 0)), small = count_colour(&p, hs_palette_at(&palette, 1)),
		     third = count_colour(&p, hs_palette_at(&palette, 2));
	tap_ok(large > 1.3 * (double)small && small > 20 && !third, "branches have the colours of two clusters: %zu and %zu px", large,
		small);
	free(p.rgb);
	hs_str_release(&out);
	check_figure("a dendrogram", &panel, 1);

	/* 5000 leaves in a chain: the last branches are drawn */
	enum { N = 5000 };
	double *v = calloc(4 * N, sizeof *v);
	for (size_t i = 0; i + 1 < N; i++) {
		v[i] = i ? (double)(N + i - 1) : 0;
		v[N + i] = (double)(i + 1);
		v[2 * N + i] = (double)i;
		v[3 * N + i] = (double)(i + 2);
	}
	d = (struct hs_dendrogram_plot){ .n = N, .left = v, .right = v + N, .height = v + 2 * N, .size = v + 3 * N, .n_clusters = 7 };
	tap_ok(hs_dendrogram_panel(&d, &panel, &err) == 0, "a chain of 5000 %s", err.text);
	check_figure("a long chain", &panel, 1);

	right[2] = 2;
	d = (struct hs_dendrogram_plot){ .n = 5, .left = left, .right = right, .height = height, .size = size };
	tap_ok(hs_dendrogram_panel(&d, &panel, &err) < 0 && err.status == HS_BAD_DATA, "a node used twice is refused: %s", err.text);
	err = (struct hs_err){ 0 };
	right[2] = 8;
	tap_ok(hs_dendrogram_panel(&d, &panel, &err) < 0 && err.status == HS_BAD_DATA, "a node not made yet is refused");
	free(v);
}

static void test_map_figure(void)
{
	struct hs_err err = { 0 };
	struct hs_panel panel[2] = { 0 };
	double v[4] = { 0, 1, 2, 3 };
	struct hs_axis x = hs_axis_uniform("x", "nm", NULL, HS_AXIS_SPATIAL, 2, 0, 1), y = hs_axis_uniform("y", "nm", NULL,
		HS_AXIS_SPATIAL, 2, 0, 1);
	struct hs_map m = { .title = "m", .value = v, .x = &x, .y = &y, .limits = HS_LIMITS_FULL, .no_scale_bar = true };
	struct hs_colormap map;
	hs_colormap_init(&map, HS_COLORMAP_DUSK);
	tap_ok(hs_map_panel(&m, &panel[0], &err) == 0, "a map panel");
	struct hs_str out = drawn(panel, 1, HS_PICTURE_PNG, 400, 0, &err);
	struct picture p;
	tap_ok(read_png(out.text, out.len, &p), "is drawn");
	/* four blocks of equal size and no blur: each colour fills almost a quarter of the box; and v = 3 lies right above v = 1 */
	size_t n[4], first_y[4] = { 0 }, first_x[4] = { 0 };
	for (int k = 0; k < 4; k++) {
		const struct hs_rgba c = hs_colormap_at(&map, 0, 3, v[k]);
		n[k] = 0;
		for (size_t q = 0; q < (size_t)p.head.width * p.head.height; q++)
			if (p.rgb[3 * q] == c.r && p.rgb[3 * q + 1] == c.g && p.rgb[3 * q + 2] == c.b && !n[k]++) {
				first_y[k] = q / p.head.width;
				first_x[k] = q % p.head.width;
			}
	}
	tap_ok(n[0] > 5000 && fabs((double)n[1] / (double)n[0] - 1) < 0.1 && fabs((double)n[2] / (double)n[1] - 1) < 0.1,
		"four sharp blocks: %zu %zu %zu %zu px", n[0], n[1], n[2], n[3]);
	tap_ok(first_y[2] < first_y[1] && first_x[1] > first_x[2], "y grows upward, x to the right");
	free(p.rgb);
	hs_str_release(&out);
	hs_panel_release(&panel[0]);

	m.y_down = true;
	hs_map_panel(&m, &panel[0], &err);
	out = drawn(panel, 1, HS_PICTURE_PNG, 400, 0, &err);
	read_png(out.text, out.len, &p);
	const struct hs_rgba c0 = hs_colormap_at(&map, 0, 3, 1), c2 = hs_colormap_at(&map, 0, 3, 2);
	size_t y1 = 0, y2 = 0;
	for (size_t q = (size_t)p.head.width * p.head.height; q-- > 0;) {
		if (p.rgb[3 * q] == c0.r && p.rgb[3 * q + 1] == c0.g && p.rgb[3 * q + 2] == c0.b)
			y1 = q / p.head.width;
		if (p.rgb[3 * q] == c2.r && p.rgb[3 * q + 1] == c2.g && p.rgb[3 * q + 2] == c2.b)
			y2 = q / p.head.width;
	}
	tap_ok(y1 < y2, "y_down turns it over");
	free(p.rgb);
	hs_str_release(&out);
	tap_ok(drawn(panel, 1, HS_PICTURE_PNG, 60, 40, &err).len == 0 && err.status == HS_USAGE,
		"a page too small is refused: %s", err.text);
	err = (struct hs_err){ 0 };
	tap_ok(drawn(panel, 1, HS_PICTURE_PNG, 1e6, 1e6, &err).len == 0 && err.status == HS_USAGE, "and one too large: %s", err.text);
	err = (struct hs_err){ 0 };
	hs_panel_release(&panel[0]);
	m.limits = HS_LIMITS_GIVEN;
	m.lo = 2;
	m.hi = 1;
	tap_ok(hs_map_panel(&m, &panel[0], &err) < 0 && err.status == HS_USAGE && !panel[0].kind,
		"given limits in the wrong order: %s", err.text);
	err = (struct hs_err){ 0 };
	m.limits = HS_LIMITS_FULL;
	x.value[1] = x.value[0];
	tap_ok(hs_map_panel(&m, &panel[0], &err) < 0 && err.status == HS_BAD_DATA, "an axis that stands still: %s", err.text);
	hs_axis_release(&x);
	hs_axis_release(&y);
}

static void test_peaks(void)
{
	/* one point in 200 000 stands out; it must be on the picture */
	const size_t n = 200000;
	double *y = calloc(n, sizeof *y);
	struct hs_err err = { 0 };
	const struct hs_rgba ink = { 200, 0, 120, 255 };
	size_t height[2];
	for (int peak = 0; peak < 2; peak++) {
		y[123457] = peak;
		const struct hs_curve u = { .y = y, .n = n, .has_colour = true, .colour = ink };
		const struct hs_curves c = { .curve = &u, .n_curves = 1, .has_y_limits = true, .y_lo = -0.1, .y_hi = 1.1 };
		struct hs_panel panel = { 0 };
		hs_curves_panel(&c, &panel, &err);
		struct hs_str out = drawn(&panel, 1, HS_PICTURE_PNG, 500, 300, &err), svg = drawn(&panel, 1, HS_PICTURE_SVG, 500, 300, &err);
		struct picture p;
		read_png(out.text, out.len, &p);
		height[peak] = 0;
		for (size_t i = 0; i < p.head.height; i++) {
			bool any = false;
			for (size_t j = 0; j < p.head.width; j++) {
				const uint8_t *q = p.rgb + 3 * (i * p.head.width + j);
				any |= q[0] > q[1] + 60;      /* reddish: no other thing on the page is */
			}
			height[peak] += any;
		}
		tap_ok(svg.len < 400000, "200000 points make an SVG of %zu bytes", svg.len);
		free(p.rgb);
		hs_str_release(&out);
		hs_str_release(&svg);
		hs_panel_release(&panel);
	}
	tap_ok(height[0] < 6 && height[1] > 150, "a peak of one point in 200000 is drawn: %zu rows against %zu", height[1], height[0]);
	free(y);
}

static void test_panels(void)
{
	struct hs_err err = { 0 };
	struct hs_panel panel[12] = { 0 };
	enum { N = 40 };
	double v[N * N], nothing[N * N], flat[N * N], huge[N * N];
	int32_t label[N * N], none[N * N];
	for (int k = 0; k < N * N; k++) {
		v[k] = sin(k * 0.01) * 1e-9;
		nothing[k] = NAN;
		flat[k] = 7;
		huge[k] = k % 2 ? DBL_MAX : -DBL_MAX;
		label[k] = k / 100;
		none[k] = -1;
	}
	v[77] = NAN;
	struct hs_axis x = hs_axis_uniform("x", "m", NULL, HS_AXIS_SPATIAL, N, 0, 1e-9), y = hs_axis_uniform("y", "m", NULL,
		HS_AXIS_SPATIAL, N, 0, 1e-9);
	struct hs_axis x1 = hs_axis_uniform("x", "m", NULL, HS_AXIS_SPATIAL, 1, 0, 1e-9), y1 = hs_axis_uniform("y", "m", NULL,
		HS_AXIS_SPATIAL, 1, 0, 1e-9);
	const char *long_title = "A title that is far too long for its panel and which goes on and on, "
		"withoneverylongwordthatcannotbebrokenatanyspacewhatsoever";
	const double *sort[] = { v, nothing, flat, huge };
	static const char *const sort_name[] = { "a map", "an all-NaN map", "a constant map", "a map of ±DBL_MAX" };
	for (int k = 0; k < 4; k++) {
		const struct hs_map m = { .title = k ? sort_name[k] : long_title, .name = "height", .unit = "m", .value = sort[k],
			.x = &x, .y = &y };
		hs_map_panel(&m, &panel[0], &err);
		check_figure(sort_name[k], panel, 1);
	}
	const struct hs_map shape[] = { { .value = v, .x = &x1, .y = &y1 }, { .value = v, .x = &x, .y = &y1 }, { .value = v,
		.x = &x1, .y = &y } };
	for (int k = 0; k < 3; k++)
		hs_map_panel(&shape[k], &panel[k], &err);
	check_figure("1x1, 1xN and Nx1", panel, 3);
	for (int k = 0; k < 12; k++) {
		const struct hs_map m = { .title = "Component", .value = v, .x = &x, .y = &y, .no_axes = k % 2,
			.colormap = (enum hs_colormap_kind)(k % HS_N_COLORMAPS) };
		hs_map_panel(&m, &panel[k], &err);
	}
	check_figure("a montage of 12", panel, 12);
	const char *const names[16] = { "iron", NULL,
		"a class with a name that is much too long for any legend that one could ever print" };
	const struct hs_labels classes = { .title = "Classes", .label = label, .x = &x, .y = &y, .n_labels = 16,
		.name = names }, empty = { .label = none, .x = &x, .y = &y };
	hs_labels_panel(&classes, &panel[0], &err);
	hs_labels_panel(&empty, &panel[1], &err);
	check_figure("label maps", panel, 2);

	double e[N], sigma[N];
	struct hs_curve u[20] = { 0 };
	char name[20][40];
	for (int k = 0; k < N; k++) {
		e[k] = k * k;
		sigma[k] = k % 5 ? 1 : NAN;
	}
	for (int i = 0; i < 20; i++) {
		snprintf(name[i], sizeof name[i], "component number %d", i + 1);
		u[i] = (struct hs_curve){ .name = name[i], .x = e, .y = sort[i % 4], .sigma = i % 2 ? sigma : NULL, .n = N,
			.stroke = (enum hs_stroke)(i % 4) };
	}
	const struct hs_curves c[] = {
		{ .title = long_title, .x_name = "energy loss", .x_unit = "eV", .y_name = "intensity", .y_unit = "count", .curve = u,
			.n_curves = 20, .zero_line = true },
		{ .curve = u, .n_curves = 20, .stacked = true, .zero_line = true },
		{ .curve = u, .n_curves = 20, .log_y = true },
		{ .curve = u, .n_curves = 3, .log_y = true, .stacked = true },
		{ .title = "no curves" },
	};
	for (size_t k = 0; k < HS_LEN(c); k++)
		tap_ok(hs_curves_panel(&c[k], &panel[k], &err) == 0, "curves %zu", k);
	check_figure("panels of 20 curves", panel, HS_LEN(c));
	double ratio[N];
	for (int k = 0; k < N; k++)
		ratio[k] = k == 5 ? 0 : k == 6 ? NAN : pow(0.5, k + 1);
	const struct hs_scree scree[] = { { .title = "Scree", .ratio = ratio, .n = N, .chosen = 3, .cumulative = true },
		{ .ratio = ratio, .n = 1, .chosen = 1 }, { .n = 0 } };
	for (size_t k = 0; k < HS_LEN(scree); k++)
		hs_scree_panel(&scree[k], &panel[k], &err);
	check_figure("scree panels", panel, HS_LEN(scree));

	/* the legend explains the hatch only when there is something to explain */
	size_t hatch[2];
	for (int k = 0; k < 2; k++) {
		const struct hs_map m = { .value = k ? nothing : flat, .x = &x, .y = &y };
		hs_map_panel(&m, &panel[0], &err);
		struct hs_str out = drawn(panel, 1, HS_PICTURE_PNG, 300, 0, &err);
		struct picture p;
		read_png(out.text, out.len, &p);
		hatch[k] = count_colour(&p, (struct hs_rgba){ 217, 217, 217, 255 });
		free(p.rgb);
		hs_str_release(&out);
		hs_panel_release(&panel[0]);
	}
	/* the edges of letters may happen to have that grey */
	tap_ok(hatch[0] < 50 && hatch[1] > 10000, "missing values are hatched: %zu px, otherwise %zu", hatch[1], hatch[0]);
	tap_ok(drawn(NULL, 0, HS_PICTURE_PNG, 0, 0, &err).len == 0 && err.status == HS_USAGE, "no panels: %s", err.text);
	hs_axis_release(&x);
	hs_axis_release(&y);
	hs_axis_release(&x1);
	hs_axis_release(&y1);
}

/* ---- terminal ---- */

static size_t occurrences(const struct hs_str *s, const char *text)
{
	size_t n = 0;
	for (const char *p = hs_str_get(s); (p = strstr(p, text)); p += strlen(text))
		n++;
	return n;
}

static void test_terminal(void)
{
	struct hs_err err = { 0 };
	double v[16];
	int32_t label[16];
	for (int k = 0; k < 16; k++) {
		v[k] = k / 4;                     /* rows 0..3 from the bottom */
		label[k] = k % 4 - 1;
	}
	struct hs_axis x = hs_axis_uniform("x", "nm", NULL, HS_AXIS_SPATIAL, 4, 0, 1), y = hs_axis_uniform("y", "nm", NULL,
		HS_AXIS_SPATIAL, 4, 0, 1);
	const struct hs_map m = { .title = "evil\033[2J\xc2\x9b title", .value = v, .x = &x, .y = &y, .limits = HS_LIMITS_FULL };
	struct hs_str out = { 0 };
	tap_ok(hs_terminal_map(&m, 20, true, &out, &err) == 0 && occurrences(&out, "▀") == 20 * 10,
		"a square map of 20 columns has 10 lines of half blocks");
	tap_ok(!strstr(hs_str_get(&out), "\033[2J") && !strstr(hs_str_get(&out), "\xc2\x9b"),
		"control characters in a title do not reach the terminal");
	hs_str_release(&out);
	tap_ok(hs_terminal_map(&m, 20, false, &out, &err) == 0 && !strchr(hs_str_get(&out), '\033'),
		"without colour there are no escape codes");
	const char *line = strchr(hs_str_get(&out), '\n');
	tap_ok(line && line[1] == '@' && occurrences(&out, "@@@@@") > 0, "the largest row is on top");
	hs_str_release(&out);
	const struct hs_labels l = { .label = label, .x = &x, .y = &y };
	tap_ok(hs_terminal_labels(&l, 20, false, &out, &err) == 0 && strstr(hs_str_get(&out),
		".....111112222233333\n") && strstr(hs_str_get(&out), "2 2  25.0 %"), "labels as letters, with shares");
	hs_str_release(&out);
	const double up[2] = { 0, 1 };
	const struct hs_curve u = { .y = up, .n = 2 };
	const struct hs_curves c = { .curve = &u, .n_curves = 1 };
	tap_ok(hs_terminal_curves(&c, 20, 5, false, &out, &err) == 0, "a curve in braille");
	/* first character of the last line and last of the first: the line's two ends, lower left and upper right dot */
	const char *text = hs_str_get(&out);
	const unsigned end = ((unsigned char)text[57 + 1] & 3u) << 6 | ((unsigned char)text[57 + 2] & 0x3fu);
	const char *last = text + 4 * (20 * 3 + 1);
	const unsigned start = ((unsigned char)last[1] & 3u) << 6 | ((unsigned char)last[2] & 0x3fu);
	tap_ok((end & 0x08) && (start & 0x40), "from the lower left (%02x) to the upper right dot (%02x)", start, end);
	hs_str_release(&out);
	setenv("NO_COLOR", "1", 1);
	tap_ok(!hs_terminal_colour(), "NO_COLOR is heard");
	unsetenv("NO_COLOR");
	tap_ok(hs_terminal_colour(), "and its absence");
	hs_axis_release(&x);
	hs_axis_release(&y);
}

int main(void)
{
	test_lab();
	test_colormaps();
	test_palette();
	test_ticks();
	test_limits();
	test_axes();
	test_png();
	test_map_figure();
	test_dendrogram();
	test_peaks();
	test_panels();
	test_terminal();
	return tap_done();
}
