/* summary - pixels with spectra or patterns, too many to show: their sum image and their mean, and what --at asks to see.
 *
 * Summed in one pass over the rows, or found again where freshly loaded data have their quick looks beside them. */
#ifndef HS_PICTURE_SUMMARY_H
#define HS_PICTURE_SUMMARY_H

#include "picture/maker.h"

/* image_only: the sum image alone. */
int hs_summary_show(struct hs_maker *m, bool image_only, struct hs_err *err);

#endif
