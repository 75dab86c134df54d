/* panels - the drawings a picture is made of, as the reader wished them: maps, curves, labels, a scree plot.
 *
 * Each is added to the maker's plan. Values, masks and titles are borrowed, from the plan or the input. */
#ifndef HS_PICTURE_PANELS_H
#define HS_PICTURE_PANELS_H

#include "picture/maker.h"

/* A map of y x x values in the units of s; a logarithmic one has its values replaced by their logarithms. */
struct hs_map *hs_panel_map(struct hs_maker *m, const char *title, const struct hs_signal *s, double *value, const uint8_t *mask,
	const struct hs_axis *y, const struct hs_axis *x);

/* Maps from number first on that go clearly to both sides of zero are drawn about zero, all of them alike. */
void hs_panel_balance(struct hs_maker *m, size_t first);

/* n empty curves of signal s over axis x; the caller fills *curve, then finishes: a zero line where they cross it. */
struct hs_curves *hs_panel_curves(struct hs_maker *m, const char *title, const struct hs_signal *s, const struct hs_axis *x,
	size_t n, struct hs_curve **curve);
void hs_panel_finish(struct hs_curves *c);

/* n rows of v (rows x x->n), the chosen ones (NULL: the first), as curves in the colours of their numbers, so that a part looks
 * like the whole. sigma: as v, or NULL. own_window: --energy, --limits and --log are meant for them. */
int hs_panel_rows(struct hs_maker *m, const char *title, const struct hs_signal *s, const struct hs_axis *x, const double *v,
	const double *sigma, const size_t *chosen, size_t n, bool own_window, struct hs_err *err);

/* Labels of n values, kept: -1 for what is masked or no label. */
int32_t *hs_panel_to_labels(struct hs_maker *m, const double *v, const uint8_t *mask, size_t n, struct hs_err *err);

/* Classes of signal number `signal` are called what the file calls them: by their meanings, where it has codes, else by their
 * value, 0 being the first. n_labels: at least so many. */
void hs_panel_labels(struct hs_maker *m, size_t signal, const char *title, const int32_t *label, const struct hs_axis *y,
	const struct hs_axis *x, size_t n_labels);

/* The ratios in signal number `variance`; n_kept of them are marked as kept. */
int hs_panel_scree(struct hs_maker *m, size_t variance, size_t n_kept, struct hs_err *err);

#endif
