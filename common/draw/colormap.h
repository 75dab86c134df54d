/* colormap - values to colours, by paths through CIELAB.
 *
 * Every sequential map climbs evenly in lightness L* (so equal steps of value look equal, and a grey print still reads); the
 * diverging map descends evenly and symmetrically from white; the cyclic one goes round the hues at one lightness. The tables
 * are computed from these rules, not stored. Lab is CIE 1976 for the D65 white of sRGB (IEC 61966-2-1).
 *
 * A struct is plain memory, owned by whoever declares it, read-only after init: any thread may use it. */
#ifndef HS_DRAW_COLORMAP_H
#define HS_DRAW_COLORMAP_H

#include <stddef.h>
#include <stdint.h>

struct hs_rgba {
	uint8_t r, g, b, a;           /* sRGB, a = 255 opaque */
};

enum hs_colormap_kind {
	HS_COLORMAP_DUSK,             /* violet, blue, green, yellow: the default */
	HS_COLORMAP_EMBER,            /* black, purple, orange, pale yellow */
	HS_COLORMAP_GREY,             /* black to white */
	HS_COLORMAP_BALANCE,          /* blue, white, red: signed values about a centre */
	HS_COLORMAP_PHASE,            /* round the hues: angles; both ends are one colour */
	HS_N_COLORMAPS
};

#define HS_COLORMAP_SIZE 256

struct hs_colormap {
	enum hs_colormap_kind kind;
	struct hs_rgba entry[HS_COLORMAP_SIZE];
	struct hs_rgba missing;       /* NaN, infinite and masked values */
};

void hs_colormap_init(struct hs_colormap *map, enum hs_colormap_kind kind);
const char *hs_colormap_name(enum hs_colormap_kind kind);
int hs_colormap_find(const char *name);                   /* by name ("gray" is grey), or -1 */
const char *hs_colormap_list(void);                       /* "dusk|ember|...": for option tables */

/* The colour of value between lo and hi (beyond them: the end colours; not finite: missing; lo == hi: the middle). */
struct hs_rgba hs_colormap_at(const struct hs_colormap *map, double lo, double hi, double value);

/* Colours for labels and curves, as far apart as possible for normal, protan, deutan and tritan vision at once (farthest-point
 * choice in Lab over the simulations of Vienot, Brettel and Mollon 1999), the most distinct first: entry i does not
 * depend on how many are used. hs_palette_at repeats darker or lighter after the end. */
#define HS_PALETTE_SIZE 24

struct hs_palette {
	struct hs_rgba entry[HS_PALETTE_SIZE];
};

void hs_palette_init(struct hs_palette *palette);
struct hs_rgba hs_palette_at(const struct hs_palette *palette, size_t i);

enum hs_vision { HS_VISION_NORMAL, HS_VISION_PROTAN, HS_VISION_DEUTAN, HS_VISION_TRITAN, HS_N_VISIONS };

/* L* (0..100), a*, b* of a colour as seen with that vision; alpha is ignored. */
void hs_rgba_lab(struct hs_rgba colour, enum hs_vision vision, double lab[3]);

/* Black or white, whichever reads better on this colour. */
struct hs_rgba hs_rgba_contrast(struct hs_rgba colour);

#endif
