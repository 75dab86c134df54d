/* physics_rows - where test_physics tries each model: one row a model, a model without a row fails.
 *
 * Parameter sets are the reported ones, in the order of the model's param[], well inside the bounds, with what the model describes
 * well inside the axis: the model has to find each of them from its own guess. Kinks (thresholds, centres of split peaks) lie
 * between two points of the axis, where differences would otherwise see both sides. Units are plain ones ("eV", "V", "A",
 * "counts"), as the test puts prefixes before them. */
#ifndef HS_TESTS_PHYSICS_ROWS_H
#define HS_TESTS_PHYSICS_ROWS_H

#include "physics/model.h"

enum { MOST_SETS = 6 };

struct physics_row {
	const char *name;
	const char *x_unit, *y_unit;
	double lo, hi;                /* the axis */
	size_t n;
	double noise;                 /* coverage of intervals is tried with this part of the largest |y| as sigma; 0: not tried */
	size_t n_sets;
	double set[MOST_SETS][HS_MODEL_MOST];
};

static const struct physics_row physics_rows[] = {
	{ "constant", "eV", "counts", 0, 10, 50, 0.1, 2, { { 3 }, { -1e-3 } } },
	{ "gaussian", "eV", "counts", 270, 300, 121, 0.05, 5,
		{ { 100, 284.61, 2 }, { -3, 290.13, 6 }, { 1e4, 275.07, 0.9 }, { 7, 282.3, 12 }, { 1, 297.2, 3 } } },
	{ "line", "eV", "counts", -3, 5, 60, 0.1, 3, { { 1, 2 }, { -4, 0.01 }, { 100, -30 } } },
};

#endif
