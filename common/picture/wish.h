/* wish - what the reader of a picture asks for, as typed: parts, places, ranges.
 *
 * Texts are borrowed (the command line). Errors are HS_USAGE and quote what was typed; the caller adds the option's name. */
#ifndef HS_PICTURE_WISH_H
#define HS_PICTURE_WISH_H

#include "cli/pixels.h"

enum hs_show { HS_SHOW_AUTO, HS_SHOW_MAPS, HS_SHOW_LABELS, HS_SHOW_CURVES, HS_SHOW_SCREE, HS_SHOW_IMAGE, HS_SHOW_CUBE,
	HS_SHOW_DENDROGRAM };
#define HS_SHOW_WORDS "auto|maps|labels|curves|scree|image|cube|dendrogram"

/* Texts are NULL when not asked for. */
struct hs_wish {
	enum hs_show show;
	const char *title;
	const char *components;       /* "1,3-5", counted from 1 */
	const char *at;               /* "x=3nm,y=5nm;x=8nm,y=5nm" */
	const char *window;           /* "280:320eV" on the spectral axis */
	const char *limits;           /* "LO:HI", "robust", "full" */
	int colormap;                 /* enum hs_colormap_kind; -1: BALANCE for signed component maps, else DUSK */
	bool log, stacked;
};

/* Which of n are in "1,3-5" (NULL: all), counted from 0 and ascending, into index (room for n); *n_index of them. */
int hs_wish_list(const char *text, size_t n, size_t *index, size_t *n_index, struct hs_err *err);

/* One place, "x=3nm,y=5nm", as the number of the nearest pixel; every pixel axis longer than 1 must be named. Scattered
 * pixels are found by their coordinates x and y. */
int hs_wish_place(const char *text, const struct hs_pixels *px, size_t *pixel, struct hs_err *err);

#endif
