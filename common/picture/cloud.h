/* cloud - scattered points: coloured dots where they were measured. */
#ifndef HS_PICTURE_CLOUD_H
#define HS_PICTURE_CLOUD_H

#include "picture/maker.h"

/* Borrowed from the signal. */
struct hs_cloud {
	const struct hs_coord *x, *y;
	size_t n;
};

/* The points along dimension dim of the signal; false when their x and y are not known. */
bool hs_cloud_find(const struct hs_maker *m, size_t dim, struct hs_cloud *c);

/* Dots in the colours of a map; the legend names five steps of it. Points without a value are grey and listed as such. */
int hs_cloud_values(struct hs_maker *m, const struct hs_cloud *c, const char *title, const double *v, const uint8_t *mask,
	struct hs_err *err);

/* Dots in the colours of their labels, with shares in percent; HS_BAD_DATA when there are more than one can tell apart. */
int hs_cloud_labels(struct hs_maker *m, const struct hs_cloud *c, const int32_t *label, struct hs_err *err);

#endif
