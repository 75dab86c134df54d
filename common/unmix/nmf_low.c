#include "unmix/nmf_low.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unmix/nmf_sweep.h"
#include "math/par.h"
#include "math/vector.h"

enum { CHUNKS = 64, MAP_SWEEPS = 4, SPECTRUM_SWEEPS = 8, WINDOW = 10, TEAM_WORK = 1 << 20 };

/* ------------------------------------------------------------------ spectra and objective */

void hs_nmf_map_terms(const struct hs_nmf_rules *rules, size_t k, size_t p, const double *h, double *gram, double *extra,
	double *linear)
{
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)k, (int)p, 1, h, (int)p, h, (int)p, 0, gram, (int)k);
	for (size_t j = 0; j < k; j++) {
		extra[j] = rules->smooth > 0 ? rules->smooth * hs_nmf_roughness(h + j * p, p) : 0;
		linear[j] = rules->sparse * sqrt(gram[j * k + j]);
	}
}

void hs_nmf_step_spectra(const struct hs_nmf_rules *rules, size_t k, size_t p, const struct hs_nmf_sums *sums, double *h,
	double *scratch)
{
	double *extra = scratch, *linear = extra + k, *room = linear + k;
	memset(linear, 0, k * sizeof *linear);
	for (size_t j = 0; j < k; j++) {
		/* |h| <= |h|^2 / (2 |old|) + |old| / 2, equal at the old one */
		const double norm = rules->sparse > 0 ? sqrt(hs_dot(h + j * p, h + j * p, p)) : 0;
		extra[j] = rules->sparse > 0 ? norm > 0 ? rules->sparse * sums->s[j] / norm : 1e300 : 0;
	}
	const struct hs_nmf_block q = { .k = k, .m = p, .ld = p, .a = sums->g, .extra = extra, .linear = linear, .b = sums->c, .y = h };
	if (!(rules->smooth > 0)) {
		hs_nmf_sweep(&q, SPECTRUM_SWEEPS);
		return;
	}
	for (int sweep = 0; sweep < SPECTRUM_SWEEPS / 2; sweep++)
		for (size_t j = 0; j < k; j++)
			hs_nmf_sweep_smooth(&q, j, rules->smooth * sums->g[j * k + j], room);
}

double hs_nmf_objective(const struct hs_nmf_rules *rules, size_t k, size_t p, const struct hs_nmf_sums *sums, const double *h,
	double norm2, double *gram)
{
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)k, (int)p, 1, h, (int)p, h, (int)p, 0, gram, (int)k);
	double f = norm2 / 2 - hs_dot(sums->c, h, k * p) + hs_dot(sums->g, gram, k * k) / 2;
	for (size_t j = 0; j < k; j++) {
		f += rules->sparse * sums->s[j] * sqrt(gram[j * k + j]);
		if (rules->smooth > 0)
			f += rules->smooth / 2 * sums->g[j * k + j] * hs_nmf_roughness(h + j * p, p);
	}
	return f;
}

void hs_nmf_balance(struct hs_nmf_factors *f)
{
	const size_t n_tiles = hs_nmf_tiles(f->n);
	for (size_t j = 0; j < f->k; j++) {
		double w2 = 0;
		for (size_t t = 0; t < n_tiles; t++) {
			const double *w = f->w + (t * f->k + j) * HS_NMF_TILE;
			w2 += hs_dot(w, w, HS_NMF_TILE);
		}
		const double h2 = hs_dot(f->h + j * f->p, f->h + j * f->p, f->p);
		if (!(w2 > 0) || !(h2 > 0))
			continue;
		const double by = sqrt(sqrt(h2) / sqrt(w2));
		for (size_t t = 0; t < n_tiles; t++)
			cblas_dscal(HS_NMF_TILE, by, f->w + (t * f->k + j) * HS_NMF_TILE, 1);
		cblas_dscal((int)f->p, 1 / by, f->h + j * f->p, 1);
	}
}

/* ------------------------------------------------------------------ the rows */

struct solver {
	const struct hs_nmf_low *low;
	const struct hs_nmf_rules *rules;
	struct hs_nmf_factors *f;     /* w: extrapolated, h: where the maps are computed from */
	double *w_step;               /* like f->w: the maps as the sweeps left them, before extrapolation */
	double *h_step, *h_old;       /* the spectra after their step, and those of the iteration before */
	double *basis, *gram, *extra, *linear;        /* k x ld: V H^T; k x k; k; k */
	double *part;                 /* chunks x width */
	double *tile;                 /* threads x 2 k HS_NMF_TILE: right hand sides, scratch */
	double *product;              /* k x ld: W^T Z */
	double *scratch;
	struct hs_nmf_sums sums;
	size_t n_tiles, n_chunks, width;
	int threads;
	double beta, ceiling;
	bool restart;
};

HS_WIDE static void extrapolate(double *restrict y, double *restrict step, size_t n, double beta)
{
	for (size_t i = 0; i < n; i++) {
		const double now = y[i], v = now + beta * (now - step[i]);
		step[i] = now;
		y[i] = v > 0 ? v : 0;
	}
}

static void solve_tile(const struct solver *s, size_t t, double *d, double *part)
{
	const struct hs_nmf_low *low = s->low;
	const size_t k = s->f->k, left = low->n - t * HS_NMF_TILE, m = left < HS_NMF_TILE ? left : HS_NMF_TILE;
	const int r = (int)low->r, ld = (int)low->ld;
	const double *z = low->z + t * HS_NMF_TILE * low->ld;
	double *w = s->f->w + t * k * HS_NMF_TILE, *step = s->w_step + t * k * HS_NMF_TILE;
	if (s->restart)
		memcpy(w, step, k * HS_NMF_TILE * sizeof *w);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)m, r, 1, s->basis, ld, z, ld, 0, d, HS_NMF_TILE);
	const struct hs_nmf_block q = { .k = k, .m = m, .ld = HS_NMF_TILE, .a = s->gram, .extra = s->extra, .linear = s->linear,
		.b = d, .y = w };
	if (s->rules->simplex)
		hs_nmf_sweep_simplex(&q, MAP_SWEEPS, d + k * HS_NMF_TILE);
	else
		hs_nmf_sweep(&q, MAP_SWEEPS);
	extrapolate(w, step, k * HS_NMF_TILE, s->rules->simplex ? 0 : s->beta);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, r, (int)m, 1, w, HS_NMF_TILE, z, ld, 1, part, ld);
	part += k * low->ld;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)k, (int)m, 1, w, HS_NMF_TILE, w, HS_NMF_TILE, 1, part,
		(int)k);
	part += k * k;
	for (size_t j = 0; j < k; j++)
		for (size_t i = 0; i < m; i++)
			part[j] += w[j * HS_NMF_TILE + i];
}

/* New maps for the spectra f->h, and the sums over them. */
static void solve_maps(struct solver *s)
{
	const size_t k = s->f->k, p = s->f->p;
	const int ld = (int)s->low->ld, r = (int)s->low->r;
	hs_nmf_map_terms(s->rules, k, p, s->f->h, s->gram, s->extra, s->linear);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, r, (int)p, 1, s->f->h, (int)p, s->low->v, (int)p, 0, s->basis, ld);
	memset(s->part, 0, s->n_chunks * s->width * sizeof *s->part);
#pragma omp parallel for schedule(dynamic) num_threads(s->threads)
	for (size_t c = 0; c < s->n_chunks; c++)
		for (size_t t = c * s->n_tiles / s->n_chunks; t < (c + 1) * s->n_tiles / s->n_chunks; t++)
			solve_tile(s, t, s->tile + (size_t)omp_get_thread_num() * 2 * k * HS_NMF_TILE, s->part + c * s->width);
	for (size_t step = 1; step < s->n_chunks; step *= 2)
		for (size_t c = 0; c + step < s->n_chunks; c += 2 * step)
			hs_add(s->part + c * s->width, s->part + (c + step) * s->width, s->width);
	s->sums.g = s->part + k * s->low->ld;
	s->sums.s = s->sums.g + k * k;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)p, r, 1, s->part, ld, s->low->v, (int)p, 0, s->sums.c,
		(int)p);
}

/* One alternation; the objective is that of (f->w, h_step). */
static double alternate(struct solver *s, double before, bool maps_only)
{
	const size_t k = s->f->k, p = s->f->p;
	solve_maps(s);
	s->restart = false;
	memcpy(s->h_step, s->f->h, k * p * sizeof(double));
	if (!maps_only)
		hs_nmf_step_spectra(s->rules, k, p, &s->sums, s->h_step, s->scratch);
	const double now = hs_nmf_objective(s->rules, k, p, &s->sums, s->h_step, s->low->norm2, s->gram);
	if (now <= before) {
		for (size_t i = 0; i < k * p; i++) {
			const double v = s->h_step[i] + s->beta * (s->h_step[i] - s->h_old[i]);
			s->f->h[i] = v > 0 && !maps_only ? v : maps_only ? s->h_step[i] : 0;
		}
		s->beta = fmin(s->ceiling, 1.05 * s->beta);
		s->ceiling = fmin(1, 1.01 * s->ceiling);
	} else {
		s->ceiling = fmax(s->beta, 0.1);
		s->beta /= 1.5;
		s->restart = true;
		memcpy(s->f->h, s->h_step, k * p * sizeof(double));
	}
	memcpy(s->h_old, s->h_step, k * p * sizeof(double));
	return now;
}

static int allocate(struct solver *s, struct hs_err *err)
{
	const size_t k = s->f->k, p = s->f->p, ld = s->low->ld, threads = (size_t)hs_par_threads();
	s->n_tiles = hs_nmf_tiles(s->f->n);
	s->n_chunks = s->n_tiles < CHUNKS ? s->n_tiles : CHUNKS;
	s->width = k * ld + k * k + k;
	/* little work is done before a team of threads has met */
	const size_t team = 1 + s->f->n * k * (s->low->r + 4 * k) / TEAM_WORK;
	s->threads = team < threads ? (int)team : (int)threads;
	s->w_step = hs_alloc(s->n_tiles * k, HS_NMF_TILE * sizeof(double), err);
	s->h_step = s->w_step ? hs_alloc(3 * k, p * sizeof(double), err) : NULL;
	s->basis = s->h_step ? hs_alloc(k * (ld + k + 5) + p, sizeof(double), err) : NULL;
	s->part = s->basis ? hs_alloc(s->n_chunks, s->width * sizeof(double), err) : NULL;
	s->tile = s->part ? hs_alloc(threads, 2 * k * HS_NMF_TILE * sizeof(double), err) : NULL;
	if (!s->tile)
		return -1;
	s->h_old = s->h_step + k * p;
	s->sums.c = s->h_old + k * p;
	s->gram = s->basis + k * ld;
	s->extra = s->gram + k * k;
	s->linear = s->extra + k;
	s->scratch = s->linear + k;
	memcpy(s->w_step, s->f->w, s->n_tiles * k * HS_NMF_TILE * sizeof(double));
	memcpy(s->h_old, s->f->h, k * p * sizeof(double));
	return 0;
}

double hs_nmf_low_bytes(double n, double p, double ld, double k, int threads)
{
	return 8 * ((n + HS_NMF_TILE) * k + 3 * k * p + k * (ld + k + 5) + p + CHUNKS * (k * ld + k * k + k)
		+ threads * 2 * k * HS_NMF_TILE);
}

int hs_nmf_low_solve(const struct hs_nmf_low *low, const struct hs_nmf_rules *rules, const struct hs_nmf_effort *effort,
	struct hs_nmf_factors *f, size_t *n_iter, double *objective, struct hs_err *err)
{
	struct solver s = { .low = low, .rules = rules, .f = f, .beta = 0.5, .ceiling = 1 };
	int verdict = allocate(&s, err);
	double now = INFINITY, first = INFINITY, window[WINDOW];
	for (size_t i = 0; verdict == 0 && i < effort->max_iter; i++) {
		now = alternate(&s, now, effort->maps_only);
		++*n_iter;
		first = i ? first : now;
		const double gained = i >= WINDOW ? window[i % WINDOW] - now : INFINITY;
		if (gained <= effort->gain * fabs(now) + effort->share * (first - now) + 1e-16 * low->norm2)
			break;
		window[i % WINDOW] = now;
		if (effort->stop && effort->stop(effort->stop_ctx))
			break;
	}
	if (verdict == 0)
		memcpy(f->h, s.h_step, f->k * f->p * sizeof(double));
	*objective = now;
	free(s.w_step);
	free(s.h_step);
	free(s.basis);
	free(s.part);
	free(s.tile);
	return verdict;
}
