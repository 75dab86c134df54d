/* hysime - the noise of every channel, and how many spectra the data are mixed from, out of their second moments alone.
 *
 * Noise. Neighbouring channels of a spectrum know each other: what of channel j the others cannot predict linearly is noise. With
 * the precision matrix P = C^-1 of the channels' covariance C (divisor n - 1) the residual of that regression has the variance
 * 1 / P_jj, and the covariance of residuals i and j is P_ij / (P_ii P_jj); so all of it follows from one inverse. Corrected for
 * the p - 1 coefficients it spends. Needs more spectra than channels; otherwise, and beyond HS_HYSIME_CHANNELS channels, noise is
 * taken as equal in all channels, the mean of the eigenvalues that Tracy-Widom leaves.
 *
 * Numbers of endmembers. HySime (Bioucas-Dias, Nascimento, IEEE Trans. Geosci. Remote Sens. 46, 2008, 2435) counts the directions
 * that lower the mean squared error of projecting, signal lost against noise kept. HFC (Harsanyi, Farrand, Chang 1993; Chang, Du,
 * ibid. 42, 2004, 608) counts the eigenvalues in which correlation and covariance differ, here after the channels were divided by
 * their noise. Tracy-Widom (rank.h) counts the directions of covariance; the simplex has one corner more.
 *
 * Pure functions of their arguments; nothing is parallel. */
#ifndef HS_UNMIX_HYSIME_H
#define HS_UNMIX_HYSIME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define HS_HYSIME_CHANNELS 2048       /* three matrices of this order are held */
#define HS_COUNT_UNKNOWN ((size_t)-1)

/* Variance of the noise of each of p channels into variance (0 for a channel that is constant or that others predict to
 * rounding). c: covariance, p x p, upper triangle read, kept; n: spectra it is of. False when n <= p + 1 or p is beyond the
 * limit: variance is then left alone. residual, when not NULL, receives the p x p covariance of the residuals (both triangles).
 * HS_SYSTEM when memory is short is reported by -1. Returns 1 for an estimate, 0 for none. */
int hs_noise_by_regression(const double *c, size_t p, size_t n, double *variance, double *residual, struct hs_err *err);

struct hs_endmember_count {
	size_t hysime;                /* HS_COUNT_UNKNOWN where it needs more spectra than channels */
	size_t vd[3];                 /* HFC with false-alarm probability 1e-3, 1e-4, 1e-5; or HS_COUNT_UNKNOWN */
	size_t tw;                    /* Tracy-Widom, 1 %, plus one */
	size_t gd;                    /* Gavish-Donoho, plus one */
	size_t chosen;                /* 1 .. most */
	bool disagree;                /* the rules are far apart: reason says so */
	char reason[200];
};

/* All of them. c as above or NULL (then only what eigenvalues can tell), mean: p, eig: the n_eig eigenvalues of c, descending, n
 * spectra. most: chosen is not above. variance: noise of the channels, from hs_noise_by_regression; NULL when unknown. */
int hs_endmember_count(struct hs_endmember_count *count, const double *c, const double *mean, size_t p, const double *eig,
	size_t n_eig, size_t n, const double *variance, const double *residual, size_t most, struct hs_err *err);

/* Bytes the two hold beside c, at their peak, the p x p residual included. */
size_t hs_hysime_bytes(size_t p);

#endif
