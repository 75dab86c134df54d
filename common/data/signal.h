/* signal - what one NXdata group says about its numbers: shape, calibrated axes, what was measured and in what unit.
 * The values themselves live in a file (store/) or in an array next to the struct.
 *
 * Invariants: rank <= HS_MAX_RANK; the last sig_rank dimensions are the signal of one pixel (1: a spectrum, 2: an image,
 * 0: none), the ones before are navigation. name fits [A-Za-z][A-Za-z0-9_]*. Strings are owned, never NULL after
 * hs_signal_init, never empty. */
#ifndef HS_DATA_SIGNAL_H
#define HS_DATA_SIGNAL_H

#include <stdint.h>

#include "data/axis.h"
#include "data/dtype.h"

#define HS_MAX_RANK 8

/* A further coordinate of the pixels: x(point), time(y,x) ... */
struct hs_coord {
	char *name, *units, *long_name;
	char *start;                  /* ISO 8601, for time; NULL otherwise */
	size_t n_dims, dim[HS_MAX_RANK];      /* which dimensions it spans */
	size_t n;
	double *value;
};

struct hs_signal {
	char *name;                   /* of the group: "data", "scores" */
	char *title;
	char *units, *quantity, *long_name;
	char *data_type;              /* NSID: SPECTRAL_IMAGE ... */
	char *modality, *source;
	enum hs_dtype dtype;
	size_t rank, sig_rank;
	struct hs_axis axis[HS_MAX_RANK];
	size_t n_coords;
	struct hs_coord *coord;
	uint8_t *mask;                /* hs_signal_mask_rank leading dimensions, 0 = good, else HS_MASK_* bits; NULL: all good */
	bool has_fill;                /* integer data: this value means "not measured" */
	double fill;
	bool log_scale;               /* drawn best on a logarithmic axis */
	char sha256[65];              /* of the values, "" when not known */
};

enum { HS_MASK_DEAD = 1, HS_MASK_HOT = 2, HS_MASK_SATURATED = 4, HS_MASK_EXCLUDED = 8 };

/* An empty description; quantity and units may be NULL ("intensity", "1"). Axes are added one by one, outermost first. */
void hs_signal_init(struct hs_signal *s, const char *name, const char *quantity, const char *units, enum hs_dtype dtype);
void hs_signal_add_axis(struct hs_signal *s, struct hs_axis a);          /* takes a */
struct hs_coord *hs_signal_add_coord(struct hs_signal *s, const char *name, const char *units, size_t n, const double *value);
void hs_signal_set(char **field, const char *text);                      /* replaces one of the owned strings */

/* Fixes sig_rank and data_type (SPECTRAL_IMAGE, IMAGE, ...) once the axes are there. */
void hs_signal_shape_up(struct hs_signal *s, size_t sig_rank);

void hs_signal_copy(struct hs_signal *to, const struct hs_signal *from);
void hs_signal_release(struct hs_signal *s);

size_t hs_signal_nav_rank(const struct hs_signal *s);
size_t hs_signal_count(const struct hs_signal *s);        /* all elements (the reader has checked for overflow) */
size_t hs_signal_nav_count(const struct hs_signal *s);    /* pixels */
size_t hs_signal_sig_count(const struct hs_signal *s);    /* channels a pixel */

/* What a mask covers: the pixels, which in a lone image are its points. */
size_t hs_signal_mask_rank(const struct hs_signal *s);
size_t hs_signal_mask_count(const struct hs_signal *s);
bool hs_signal_is_scatter(const struct hs_signal *s);     /* one navigation axis of kind POINT */

/* The coordinate called name that spans dimension dim and no other, or NULL. */
const struct hs_coord *hs_signal_find_coord(const struct hs_signal *s, const char *name, size_t dim);

/* The dimension called name, or -1. */
int hs_signal_find_axis(const struct hs_signal *s, const char *name);

/* "256 x 256 x 1024"; caller frees. */
char *hs_signal_shape(const struct hs_signal *s);

/* "256 x 256 x 1024 float32, y x energy"; caller frees. */
char *hs_signal_show(const struct hs_signal *s);

#endif
