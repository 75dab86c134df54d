/* physics_rows - where test_physics tries each model: one row a model, a model without a row fails.
 *
 * Parameter sets are the reported ones, in the order of the model's param[], well inside the bounds, with what the model
 * describes
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
	{ "barrier", "m", "A", 1e-9, 2e-9, 80, 0.01, 4, { { 1e-9, 1.05e10, 0 }, { -3e-10, 8e9, 0 }, { 2e-11, -3e9, 1e-12 },
		{ 1e-6, 1e8, 0 } } },
	{ "bcs_two_gap", "V", "S", -15e-3, 15e-3, 151, 0, 3, { { 1e-9, 0.6, 2.3e-3, 2e-4, 7.1e-3, 5e-4, 1.3e-4, 0, 4.2, 3e-4 },
		{ 2, 0.4, 1.5e-3, 3e-4, 4.3e-3, 4e-4, 2e-3, 0, 1, 1e-4 }, { 1e-12, 0.5, 2.7e-3, 3e-4, 5e-3, 3e-4, -1e-3, 2e-11, 2, 1e-4 } } },
	{ "constant", "eV", "counts", 0, 10, 50, 0.1, 2, { { 3 }, { -1e-3 } } },
	{ "asymmetric", "eV", "counts", 0, 10, 160, 0.05, 4,
		{ { 10, 4.013, 0.6, 1.5, 0 }, { -3, 5.02, 2, 0.7, 1 }, { 1e3, 6.017, 1, 1, 0.4 }, { 1, 3.49, 0.5, 2.5, 0 } } },
	{ "d_wave", "V", "S", -0.1, 0.1, 121, 0.01, 4, { { 1e-9, 0.04, 2e-3, 1e-3, 0, 40, 2e-3 },
		{ 3, 0.025, 4e-3, -2e-3, 1, 10, 1e-3 }, { 1e-12, 0.05, 1e-3, 0, 0, 30, 5e-4 }, { 1, 0.03, 1e-2, 3e-4, 0, 77, 3e-3 } } },
	{ "doniach", "eV", "counts", 280, 292, 241, 0.02, 4,
		{ { 100, 284.52, 0.5, 0.12, 1 }, { 20, 287.3, 1.1, 0.3, -1 }, { 1e5, 285.21, 0.8, 0.03, 1 }, { 5, 284.1, 0.7, 0.2, 1 } } },
	{ "drude", "eV", "counts", 2, 40, 191, 0.05, 4, { { 100, 15.3, 1.2 }, { 1e4, 16.7, 4.1 }, { 3, 23.2, 2 }, { 50, 10.4, 6 } } },
	{ "dynes", "V", "S", -6e-3, 6e-3, 121, 0.01, 6, { { 1e-9, 1.4e-3, 5e-5, 1e-4, 0, 1.2, 1e-4 },
		{ 3, 1.1e-3, 2e-4, -3e-4, 5, 4.2, 3e-4 }, { 1e-12, 2.6e-3, 1e-5, 1e-5, 0, 0.4, 2e-5 }, { 0.02, 1.5e-3, 4e-4, 0, 0, 0.05, 2e-4 },
			{ 1, 0.7e-3, 1e-4, 2e-3, 0, 1.5, 5e-5 }, { 1e-6, 1.3e-3, 2e-5, 0, 1e-5, 8, 1e-4 } } },
	{ "edge", "eV", "counts", 500, 900, 201, 0.05, 4,
		{ { 100, 651.3, 12, 3 }, { 2e4, 709.1, 20, 2.2 }, { 7, 600.7, 30, 5 }, { 1, 780.9, 8, 3 } } },
	{ "exponential", "nm", "V", 1, 9, 120, 0.05, 4, { { 4, 0.7 }, { -2, 0.15 }, { 1e3, 3 }, { 0.01, -0.4 } } },
	{ "fano", "eV", "counts", 55, 65, 201, 0.01, 6,
		{ { 1, 60.15, 0.4, -2.8 }, { 3, 59.2, 1.3, 0.4 }, { 100, 61.02, 0.8, 1 }, { 0.2, 60.4, 2, 6 }, { 5, 60.03, 1, -0.1 },
			{ -2, 58.7, 0.9, -1.7 } } },
	{ "gaussian", "eV", "counts", 270, 300, 121, 0.05, 5,
		{ { 100, 284.61, 2 }, { -3, 290.13, 6 }, { 1e4, 275.07, 0.9 }, { 7, 282.3, 12 }, { 1, 297.2, 3 } } },
	{ "line", "eV", "counts", -3, 5, 60, 0.1, 3, { { 1, 2 }, { -4, 0.01 }, { 100, -30 } } },
	{ "lorentzian", "eV", "counts", 270, 300, 121, 0.05, 5,
		{ { 100, 284.61, 2 }, { -3, 290.13, 6 }, { 1e4, 275.07, 0.9 }, { 7, 282.3, 12 }, { 1, 297.2, 3 } } },
	{ "parabola", "V", "Hz", -5, 5, 60, 0.02, 4, { { -10, 0.4, -2 }, { 1e5, -1.3, 5 }, { 0.1, 4.2, 0.03 }, { 3, 7, 1 } } },
	{ "power_relaxation", "s", "V", 0, 20, 200, 0.01, 4, { { 10, 0.7, 0.5 }, { -3, 2, 1.5 }, { 1e-3, 0.2, 0.2 }, { 5, 5, 3 } } },
	{ "powerlaw", "eV", "counts", 400, 460, 121, 0.05, 4, { { 1e4, 3.1 }, { 10, 5.6 }, { 0.1, -1.2 }, { -4, 0.5 } } },
	{ "pseudovoigt", "eV", "counts", 270, 300, 161, 0.02, 4,
		{ { 100, 284.61, 2, 0.3 }, { -3, 290.13, 6, 0.7 }, { 1e4, 275.07, 0.9, 0.5 }, { 7, 282.3, 9, 0.1 } } },
	{ "loop", "V", "counts", -8, 8, 128, 0.01, 4,
		{ { -1, 2, 2.125, -2.375, 0.01, 1.5, 1, 1.2, 2 }, { 3, -5, 2.125, -1.125, -0.1, 1.1, 0.9, 2, 0.8 },
			{ 0.3, 0.7, 3.375, 1.125, 0.02, 1.2, 0.8, 1, 1.5 }, { 10, 100, -1.625, 1.375, 1, 2, 1.1, 1.3, 1.7 } } },
	{ "sho", "Hz", "V", 300, 400, 80, 0.02, 4, { { 1, 350, 100, 0.5 }, { 1e-5, 331.7, 40, -2.6 }, { 300, 377, 250, 3 }, { 2, 304,
		150, 1.5 } } },
	{ "stretched", "s", "V", 0, 20, 200, 0.01, 4, { { 10, 3, 0.6 }, { -3, 6, 1.3 }, { 1e-3, 1, 0.4 }, { 7, 2, 2.2 } } },
	{ "voigt", "eV", "counts", 270, 300, 161, 0.02, 5,
		{ { 100, 284.61, 2, 1.5 }, { -3, 290.13, 4, 1 }, { 1e4, 275.07, 0.5, 1.1 }, { 7, 282.3, 3, 5 }, { 2, 288.8, 1, 0.3 } } },
};

#endif
