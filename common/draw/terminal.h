/* terminal - previews as lines of text: maps in half blocks of 24-bit colour, curves in braille dots.
 *
 * colour false (NO_COLOR, see hs_terminal_colour) gives shades of characters and letters instead of colours, and no escape
 * codes. columns is the width of the terminal, at least 20 being used; a map has at most 40 lines. Curves are drawn over one
 * another (no stacking, no bands) and told apart by colour only. Control characters in names become spaces. Text is appended to
 * out and ends with a line feed. */
#ifndef HS_DRAW_TERMINAL_H
#define HS_DRAW_TERMINAL_H

#include "base/str.h"
#include "draw/curve.h"
#include "draw/labels.h"
#include "draw/map.h"

bool hs_terminal_colour(void);                            /* false when the environment has a NO_COLOR that is not empty */

int hs_terminal_map(const struct hs_map *map, size_t columns, bool colour, struct hs_str *out, struct hs_err *err);
int hs_terminal_labels(const struct hs_labels *labels, size_t columns, bool colour, struct hs_str *out, struct hs_err *err);
int hs_terminal_curves(const struct hs_curves *curves, size_t columns, size_t lines, bool colour, struct hs_str *out,
	struct hs_err *err);

#endif
