#include "draw/colormap.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char *const name_of[HS_N_COLORMAPS] = { "dusk", "ember", "grey", "balance", "phase" };

const char *hs_colormap_name(enum hs_colormap_kind kind)
{
	return name_of[kind];
}

const char *hs_colormap_list(void)
{
	return "dusk|ember|grey|balance|phase";
}

int hs_colormap_find(const char *name)
{
	for (int i = 0; i < HS_N_COLORMAPS; i++)
		if (hs_same_word(name, name_of[i]))
			return i;
	return hs_same_word(name, "gray") ? HS_COLORMAP_GREY : -1;
}

/* ---- sRGB and Lab ---- */

/* Linear sRGB to XYZ over the white point, rows scaled so that white is 1, 1, 1 (IEC 61966-2-1, D65). */
static const double to_xyz[3][3] = {
	{ 0.4124564 / 0.9504700, 0.3575761 / 0.9504700, 0.1804375 / 0.9504700 },
	{ 0.2126729, 0.7151522, 0.0721750 },
	{ 0.0193339 / 1.0888300, 0.1191920 / 1.0888300, 0.9503041 / 1.0888300 },
};

static void invert3(const double m[3][3], double out[3][3])
{
	const double det = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
	                   m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			const int a = (j + 1) % 3, b = (j + 2) % 3, c = (i + 1) % 3, d = (i + 2) % 3;
			out[i][j] = (m[a][c] * m[b][d] - m[a][d] * m[b][c]) / det;
		}
}

static void apply3(const double m[3][3], const double in[3], double out[3])
{
	for (int i = 0; i < 3; i++)
		out[i] = m[i][0] * in[0] + m[i][1] * in[1] + m[i][2] * in[2];
}

static double to_linear(double v)
{
	return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double to_gamma(double v)
{
	return v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
}

static double lab_f(double t)
{
	return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

static double lab_f_inverse(double f)
{
	return f > 6.0 / 29 ? f * f * f : (116 * f - 16) * 27 / 24389;
}

static void linear_to_lab(const double rgb[3], double lab[3])
{
	double xyz[3];
	apply3(to_xyz, rgb, xyz);
	const double fx = lab_f(xyz[0]), fy = lab_f(xyz[1]), fz = lab_f(xyz[2]);
	lab[0] = 116 * fy - 16;
	lab[1] = 500 * (fx - fy);
	lab[2] = 200 * (fy - fz);
}

static void lab_to_linear(const double from_xyz[3][3], const double lab[3], double rgb[3])
{
	const double fy = (lab[0] + 16) / 116;
	const double xyz[3] = { lab_f_inverse(fy + lab[1] / 500), lab_f_inverse(fy), lab_f_inverse(fy - lab[2] / 200) };
	apply3(from_xyz, xyz, rgb);
}

static bool in_gamut(const double rgb[3])
{
	for (int i = 0; i < 3; i++)
		if (!(rgb[i] >= -1e-6 && rgb[i] <= 1 + 1e-6))
			return false;
	return true;
}

static uint8_t byte(double linear)
{
	const double v = to_gamma(linear < 0 ? 0 : linear > 1 ? 1 : linear);
	return (uint8_t)lround(255 * v);
}

/* Lightness, chroma and hue (degrees). */
struct lch {
	double l, c, h;
};

static double gamut_chroma(const double from_xyz[3][3], double l, double h)
{
	double lo = 0, hi = 140;
	for (int i = 0; i < 30; i++) {
		const double mid = (lo + hi) / 2;
		const double lab[3] = { l, mid * cos(h * M_PI / 180), mid * sin(h * M_PI / 180) };
		double rgb[3];
		lab_to_linear(from_xyz, lab, rgb);
		if (in_gamut(rgb))
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static struct hs_rgba lch_colour(const double from_xyz[3][3], struct lch p, double top)
{
	/* A soft minimum: chroma bends before the edge instead of breaking on it. */
	const double c = p.c > 0 && top > 0 ? pow(pow(p.c, -6) + pow(top, -6), -1.0 / 6) : 0;
	const double lab[3] = { p.l, c * cos(p.h * M_PI / 180), c * sin(p.h * M_PI / 180) };
	double rgb[3];
	lab_to_linear(from_xyz, lab, rgb);
	return (struct hs_rgba){ byte(rgb[0]), byte(rgb[1]), byte(rgb[2]), 255 };
}

/* ---- the paths: t in 0..1 ---- */

static struct lch dusk(double t)
{
	/* Hue walks from violet back over blue and green to yellow; slow at both ends, where the eye names fewer hues. */
	return (struct lch){ 14 + 78 * t, 46 + 34 * t * t * t, 314 - 214 * (t + 0.06 * sin(2 * M_PI * t)) };
}

static struct lch ember(double t)
{
	return (struct lch){ 2 + 95 * t, 8 + 92 * sin(M_PI * pow(t, 0.85)), 292 + 172 * pow(t, 0.9) };
}

static struct lch balance(double t)
{
	/* Both arms share lightness and, through the smaller of the two gamuts, chroma. */
	const double s = fabs(2 * t - 1);
	return (struct lch){ 97 - 62 * s, 62 * pow(s, 0.9), t < 0.5 ? 272 : 32 };
}

static struct lch phase(double t)
{
	return (struct lch){ 66, 46, 30 + 360 * t };
}

void hs_colormap_init(struct hs_colormap *map, enum hs_colormap_kind kind)
{
	double from_xyz[3][3];
	invert3(to_xyz, from_xyz);
	map->kind = kind;
	map->missing = (struct hs_rgba){ 208, 208, 208, 255 };
	for (int i = 0; i < HS_COLORMAP_SIZE; i++) {
		const double t = i / (HS_COLORMAP_SIZE - 1.0);
		struct lch p;
		double other_hue = NAN;           /* whose gamut counts too */
		switch (kind) {
		case HS_COLORMAP_EMBER:
			p = ember(t);
			break;
		case HS_COLORMAP_GREY:
			p = (struct lch){ 100 * t, 0, 0 };
			break;
		case HS_COLORMAP_BALANCE:
			p = balance(t);
			other_hue = t < 0.5 ? 32 : 272;
			break;
		case HS_COLORMAP_PHASE:
			p = phase(t);
			break;
		default:
			p = dusk(t);
			break;
		}
		const double top = gamut_chroma(from_xyz, p.l, p.h);
		map->entry[i] = lch_colour(from_xyz, p, isnan(other_hue) ? top : fmin(top, gamut_chroma(from_xyz, p.l, other_hue)));
	}
}

struct hs_rgba hs_colormap_at(const struct hs_colormap *map, double lo, double hi, double value)
{
	if (!isfinite(value))
		return map->missing;
	/* halves, because hi - lo may exceed the largest double */
	const double range = hi / 2 - lo / 2;
	const double t = range > 0 ? (value / 2 - lo / 2) / range : 0.5;
	const double i = floor(t * HS_COLORMAP_SIZE);
	return map->entry[i < 0 ? 0 : i > HS_COLORMAP_SIZE - 1 ? HS_COLORMAP_SIZE - 1 : (int)i];
}

/* ---- vision and the palette ---- */

/* Linear sRGB to the cone responses of Vienot, Brettel and Mollon (Color Res. Appl. 24, 243, 1999). */
static const double to_lms[3][3] = {
	{ 17.8824, 43.5161, 4.11935 }, { 3.45565, 27.1554, 3.86714 }, { 0.0299566, 0.184309, 1.46709 }
};

static void see(enum hs_vision vision, double rgb[3])
{
	if (vision == HS_VISION_NORMAL)
		return;
	double from_lms[3][3], lms[3];
	invert3(to_lms, from_lms);
	apply3(to_lms, rgb, lms);
	/* The missing cone's response is inferred from the two others: exact for white and for the anchor of the plane
	 * (blue for the red-green defects, red for tritan). */
	const double anchor[3] = { vision == HS_VISION_TRITAN, 0, vision != HS_VISION_TRITAN }, white[3] = { 1, 1, 1 };
	double w[3], p[3];
	apply3(to_lms, white, w);
	apply3(to_lms, anchor, p);
	const int miss = vision == HS_VISION_PROTAN ? 0 : vision == HS_VISION_DEUTAN ? 1 : 2, a = (miss + 1) % 3, b = (miss + 2) % 3;
	const double det = w[a] * p[b] - w[b] * p[a];
	const double ka = (w[miss] * p[b] - w[b] * p[miss]) / det, kb = (w[a] * p[miss] - w[miss] * p[a]) / det;
	lms[miss] = ka * lms[a] + kb * lms[b];
	apply3(from_lms, lms, rgb);
	for (int i = 0; i < 3; i++)
		rgb[i] = rgb[i] < 0 ? 0 : rgb[i] > 1 ? 1 : rgb[i];
}

void hs_rgba_lab(struct hs_rgba colour, enum hs_vision vision, double lab[3])
{
	double rgb[3] = { to_linear(colour.r / 255.0), to_linear(colour.g / 255.0), to_linear(colour.b / 255.0) };
	see(vision, rgb);
	linear_to_lab(rgb, lab);
}

static double distance2(const double a[3], const double b[3])
{
	return (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]);
}

enum { N_LIGHTNESS = 7, N_HUE = 36, N_CHROMA = 3, N_CANDIDATES = N_LIGHTNESS * N_HUE * N_CHROMA };

struct candidate {
	struct hs_rgba colour;
	double lab[HS_N_VISIONS][3];
	double gap2;                  /* to the nearest chosen colour, in the worst vision */
};

static double worst_gap2(const struct candidate *a, const struct candidate *b)
{
	double gap = DBL_MAX;
	for (int v = 0; v < HS_N_VISIONS; v++)
		gap = fmin(gap, distance2(a->lab[v], b->lab[v]));
	return gap;
}

static struct candidate candidate_of(struct hs_rgba colour)
{
	struct candidate c = { .colour = colour, .gap2 = DBL_MAX };
	for (int v = 0; v < HS_N_VISIONS; v++)
		hs_rgba_lab(colour, v, c.lab[v]);
	return c;
}

void hs_palette_init(struct hs_palette *palette)
{
	double from_xyz[3][3];
	invert3(to_xyz, from_xyz);
	struct candidate *all = hs_must_alloc(N_CANDIDATES, sizeof *all);
	size_t n = 0;
	/* Lightness stays away from the page's white and from black, so that thin lines keep their colour. */
	for (int l = 0; l < N_LIGHTNESS; l++)
		for (int h = 0; h < N_HUE; h++)
			for (int c = 0; c < N_CHROMA; c++) {
				const double light = 28 + 8.5 * l, hue = 10.0 * h, top = gamut_chroma(from_xyz, light, hue);
				all[n++] = candidate_of(lch_colour(from_xyz, (struct lch){ light, fmin(top, 90) * (1 - 0.3 * c), hue }, top));
			}
	/* The page and the grey of missing values count as taken; a clear blue begins. */
	const struct candidate page = candidate_of((struct hs_rgba){ 255, 255, 255, 255 });
	const struct candidate missing = candidate_of((struct hs_rgba){ 208, 208, 208, 255 });
	struct candidate chosen = candidate_of(lch_colour(from_xyz, (struct lch){ 42, 52, 275 }, gamut_chroma(from_xyz, 42, 275)));
	for (size_t i = 0; i < n; i++)
		all[i].gap2 = fmin(worst_gap2(&all[i], &page), worst_gap2(&all[i], &missing));
	for (size_t k = 0; k < HS_PALETTE_SIZE; k++) {
		palette->entry[k] = chosen.colour;
		size_t best = 0;
		for (size_t i = 0; i < n; i++) {
			all[i].gap2 = fmin(all[i].gap2, worst_gap2(&all[i], &chosen));
			if (all[i].gap2 > all[best].gap2)
				best = i;
		}
		chosen = all[best];
	}
	free(all);
}

struct hs_rgba hs_palette_at(const struct hs_palette *palette, size_t i)
{
	struct hs_rgba c = palette->entry[i % HS_PALETTE_SIZE];
	switch (i / HS_PALETTE_SIZE % 3) {
	case 1:
		return (struct hs_rgba){ (uint8_t)(c.r * 6 / 10), (uint8_t)(c.g * 6 / 10), (uint8_t)(c.b * 6 / 10), c.a };
	case 2:
		return (struct hs_rgba){ (uint8_t)(255 - (255 - c.r) * 6 / 10), (uint8_t)(255 - (255 - c.g) * 6 / 10),
			(uint8_t)(255 - (255 - c.b) * 6 / 10), c.a };
	default:
		return c;
	}
}

struct hs_rgba hs_rgba_contrast(struct hs_rgba colour)
{
	double lab[3];
	hs_rgba_lab(colour, HS_VISION_NORMAL, lab);
	return lab[0] > 55 ? (struct hs_rgba){ 0, 0, 0, 255 } : (struct hs_rgba){ 255, 255, 255, 255 };
}
