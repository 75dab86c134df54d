/* axis - one calibrated dimension: a name, a unit, and one value for each index.
 *
 * Invariants: n >= 1; value has n entries, strictly monotonic, all finite; name fits [A-Za-z][A-Za-z0-9_]*; units is never
 * empty ("1" when there is none). A uniform axis ascends (container.md 2.3). The struct owns its strings and values. */
#ifndef HS_DATA_AXIS_H
#define HS_DATA_AXIS_H

#include <stdbool.h>
#include <stddef.h>

enum hs_axis_kind { HS_AXIS_UNKNOWN, HS_AXIS_SPATIAL, HS_AXIS_RECIPROCAL, HS_AXIS_SPECTRAL, HS_AXIS_TEMPORAL, HS_AXIS_CHANNEL,
	HS_AXIS_POINT };

struct hs_axis {
	char *name;                   /* "energy" */
	char *units;                  /* "eV" */
	char *quantity;               /* "energy loss" */
	enum hs_axis_kind kind;
	size_t n;
	double *value;
	bool integer;                 /* stored as int32: component and point numbers */
};

/* offset, offset+step, ... ; units NULL or "" becomes "1", quantity NULL becomes the name. */
struct hs_axis hs_axis_uniform(const char *name, const char *units, const char *quantity, enum hs_axis_kind kind, size_t n,
	double offset, double step);

/* Takes a copy of n values. */
struct hs_axis hs_axis_values(const char *name, const char *units, const char *quantity, enum hs_axis_kind kind, size_t n,
	const double *value);

/* 1..n of kind CHANNEL: component, cluster, ... */
struct hs_axis hs_axis_numbers(const char *name, size_t n);

struct hs_axis hs_axis_dup(const struct hs_axis *a);
void hs_axis_release(struct hs_axis *a);

/* Is the step constant within 1e-5 of the first step? A single point is. */
bool hs_axis_is_uniform(const struct hs_axis *a);
bool hs_axis_descends(const struct hs_axis *a);
bool hs_axis_is_monotonic(const struct hs_axis *a);
double hs_axis_step(const struct hs_axis *a);             /* mean step; 1 for a single point */

/* Index of the value nearest to x. */
size_t hs_axis_nearest(const struct hs_axis *a, double x);

/* What the axis is called in pictures and labels: its quantity, but positions go by their name, because x and y are one
 * quantity. Borrowed. */
const char *hs_axis_what(const struct hs_axis *a);

/* "energy loss (eV)", or the bare quantity when there is no unit; caller frees. */
char *hs_axis_label(const struct hs_axis *a);

const char *hs_axis_kind_name(enum hs_axis_kind kind);    /* "SPATIAL" ... : NSID's dimension_type */
enum hs_axis_kind hs_axis_kind_from(const char *name);    /* by NSID's name, case-blind; UNKNOWN otherwise */

/* A guess from name and unit, for files that do not say: x, y, nm -> SPATIAL; eV, V, nm of "wavelength" -> SPECTRAL ... */
enum hs_axis_kind hs_axis_kind_guess(const char *name, const char *units);

#endif
