/* contact - what models of a tip pressed into a surface share: units, first guesses, power laws of the indentation.
 *
 * The axis is the position of the tip (piezo less deflection); the indentation is direction (x - contact), direction 1 where the
 * force rises along the axis and -1 where it falls. Moduli are in pascals, by the units of data and axis: where these are no
 * force and no length a model has no value. Pure; any thread. */
#ifndef HS_PHYSICS_CONTACT_H
#define HS_PHYSICS_CONTACT_H

#include "physics/model.h"

#define HS_NM 1e-9                    /* lengths of tips are given in nm */

/* What one unit of the axis and of the data is. False when they are no length and no force. */
bool hs_contact_units(const struct hs_grid *g, double *metre, double *newton);

struct hs_contact_guess {
	double baseline;              /* median of the outermost 30 % */
	double noise;                 /* 1.48 times the median of distances from it */
	double deepest, push;         /* mean place and value, less the baseline, of the three innermost points */
	double pull;                  /* baseline less the lowest value: >= 0 */
	double jump;                  /* outwards from the lowest point, where hardly any pull is left: between two points; or NAN */
};

/* False when fewer than 8 points count, or nothing pushes. */
bool hs_contact_find(const struct hs_grid *g, const double *y, const double *weight, double direction,
	struct hs_contact_guess *guess);

/* y - floor = factor (direction (x - contact))^power beside the contact: roots of the values on a line, least squares of the
 * points from the innermost one out to where `threshold` of the push is left. False when that is no rising line. */
bool hs_contact_line(const struct hs_grid *g, const double *y, const double *weight, double direction, double power,
	double floor, const struct hs_contact_guess *guess, double *contact, double *factor);

/* Rows of param[] that are the same in all of these models. */
#define HS_CONTACT_BASELINE { .name = "baseline", .what = "value away from the surface, at x = 0", .unit_of = HS_OF_Y, \
	.low = -INFINITY, .high = INFINITY, .usual = NAN, .linear = true }
#define HS_CONTACT_POINT { .name = "contact", .what = "where the tip meets the surface as it was", .unit_of = HS_OF_X, \
	.low = -INFINITY, .high = INFINITY, .usual = NAN }
#define HS_CONTACT_MODULUS { .name = "modulus", .what = "Young's modulus of the sample", .unit_of = HS_OF_OWN, .unit = "Pa", \
	.low = 0, .high = INFINITY, .usual = NAN }
#define HS_CONTACT_TILT { .name = "tilt", .what = "rise of the baseline along the axis", .unit_of = HS_OF_SLOPE, \
	.low = -INFINITY, .high = INFINITY, .usual = 0, .setting = true, .linear = true }
#define HS_CONTACT_RADIUS { .name = "radius", .what = "of the tip", .unit_of = HS_OF_OWN, .unit = "nm", \
	.low = 1e-3, .high = 1e9, .usual = 20, .setting = true }
#define HS_CONTACT_POISSON { .name = "poisson", .what = "Poisson's ratio of the sample", .unit_of = HS_OF_NONE, .low = -0.99, \
	.high = 0.5, .usual = 0.5, .setting = true }
#define HS_CONTACT_DIRECTION { .name = "direction", .what = "1: the axis points into the sample; -1: out of it", \
	.unit_of = HS_OF_NONE, .low = -1, .high = 1, .usual = 1, .setting = true }
#define HS_CONTACT_ADHESION(text) { .name = "adhesion", .what = text, .unit_of = HS_OF_Y, \
	.low = 0, .high = INFINITY, .usual = NAN }

#endif
