/* maker - a picture in the making: what was asked, what may still be kept, and the numbers of its signal.
 *
 * What is kept belongs to the plan and counts against the memory that is granted; when that is used up, HS_SYSTEM says by how
 * much. Internal to picture and its panels; one thread. */
#ifndef HS_PICTURE_MAKER_H
#define HS_PICTURE_MAKER_H

#include "picture/plan.h"
#include "picture/wish.h"

struct hs_maker {
	struct hs_plan *plan;
	struct hs_run *run;
	struct hs_in *in;
	size_t signal;
	const struct hs_signal *s;
	const struct hs_wish *wish;
	uint64_t room;                /* bytes left for numbers of drawings */
	enum hs_limits limits;
	double lo, hi;
	size_t n_pix, n_chan;         /* as cli/pixels.h sees the signal */
	size_t n_chosen;              /* components to show, counted from 0 */
	size_t *chosen;
};

/* Zeroed room for n objects, or n x width numbers, kept by the plan. */
void *hs_maker_room(struct hs_maker *m, size_t n, size_t size, struct hs_err *err);
double *hs_maker_reals(struct hs_maker *m, size_t n, size_t width, struct hs_err *err);

/* "component 3", "time 0.3 s"; caller frees. */
char *hs_maker_place(const struct hs_axis *a, size_t i);

/* Place number i of the signal's dimensions first .. end-1, in C order; kept. */
const char *hs_maker_places(struct hs_maker *m, size_t first, size_t end, size_t i);

/* Channels of axis a inside --energy: all without it; a window that holds none takes the nearest. */
int hs_maker_window(const struct hs_maker *m, const struct hs_axis *a, size_t *first, size_t *end, struct hs_err *err);

/* The pixels of the signal, as stored, opened with what memory the drawings leave. */
int hs_maker_pixels(struct hs_maker *m, struct hs_pixels *px, struct hs_err *err);

/* Kept: the chosen channels, each over all pixels; the chosen rows (NULL: the first n), each over all channels. *mask: of the
 * pixels, kept; NULL when all are good. */
double *hs_maker_maps(struct hs_maker *m, const size_t *channel, size_t n, const uint8_t **mask, struct hs_err *err);
double *hs_maker_rows(struct hs_maker *m, const size_t *row, size_t n, const uint8_t **mask, struct hs_err *err);

/* All values of another signal of the file, kept; NULL without error when they are not real or do not fit. */
double *hs_maker_other(struct hs_maker *m, size_t i, struct hs_err *err);

#endif
