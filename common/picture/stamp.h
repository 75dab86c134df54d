/* stamp - what made a picture, written into its bytes, so that a figure can be traced to its data.
 *
 * PNG: iTXt chunks behind the header; SVG: a <desc> element. The bytes depend on the texts alone (no date). */
#ifndef HS_PICTURE_STAMP_H
#define HS_PICTURE_STAMP_H

#include "base/str.h"
#include "draw/canvas.h"
#include "draw/png.h"

/* Puts the texts into a finished picture; picture is replaced. HS_BUG when it is not of that kind. */
int hs_stamp(struct hs_str *picture, enum hs_picture kind, const struct hs_png_text *text, size_t n, struct hs_err *err);

#endif
