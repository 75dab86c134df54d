#include "unmix/vertex.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"
#include "math/par.h"
#include "math/vector.h"

enum { CHUNK = 4096, MANY = 4, SKEWERS = 64, SWEEPS = 1000 };
#define FLAT 1e-12                        /* thickness of a simplex over its extent that counts as none */
#define SKEWER_ITEM ((uint64_t)1 << 40)

/* --- the best of many points, lowest number first ------------------------------------------------------------------ */

struct best {
	double value;
	size_t index;                         /* SIZE_MAX: none */
};

static size_t n_chunks(size_t n)
{
	return (n + CHUNK - 1) / CHUNK;
}

static size_t chunk_end(size_t chunk, size_t n)
{
	const size_t end = (chunk + 1) * CHUNK;
	return end < n ? end : n;
}

/* One value a point, by a function without side effects on other points; the largest wins. */
typedef double (*point_value)(void *ctx, size_t point);

static struct best find_best(const uint8_t *skip, size_t n, point_value value, void *ctx)
{
	struct best all = { .value = -INFINITY, .index = SIZE_MAX };
	const size_t chunks = n_chunks(n);
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (chunks >= MANY)
	for (size_t c = 0; c < chunks; c++) {
		struct best own = { .value = -INFINITY, .index = SIZE_MAX };
		for (size_t i = c * CHUNK; i < chunk_end(c, n); i++) {
			const double v = skip && skip[i] ? -INFINITY : value(ctx, i);
			if (v > own.value)
				own = (struct best){ v, i };
		}
#pragma omp critical(hs_vertex_best)
		if (own.value > all.value || (own.value == all.value && own.index < all.index))
			all = own;
	}
	return all;
}

/* --- simplices ----------------------------------------------------------------------------------------------------- */

/* Worked out about the centroid and in units of the extent along each coordinate, where 1 and z are of one size. */
bool hs_simplex_map(const double *corner, size_t k, double *map, double *log_volume)
{
	const size_t d = k - 1;
	double *centre = hs_must_alloc(d + 1, sizeof *centre), *extent = hs_must_alloc(d + 1, sizeof *extent),
	       *a = hs_must_alloc(k * k, sizeof *a), log_det = 0, largest = 0;
	bool solid = true;
	for (size_t c = 0; c < d; c++) {
		for (size_t j = 0; j < k; j++)
			centre[c] += corner[j * d + c] / (double)k;
		for (size_t j = 0; j < k; j++)
			extent[c] = fmax(extent[c], fabs(corner[j * d + c] - centre[c]));
		solid &= extent[c] > 0 && isfinite(extent[c]);
	}
	for (size_t j = 0; solid && j < k; j++) {
		a[j * k] = 1;
		for (size_t c = 0; c < d; c++)
			a[j * k + 1 + c] = (corner[j * d + c] - centre[c]) / extent[c];
	}
	solid = solid && hs_la_invert(a, k, &log_det);
	for (size_t i = 0; solid && i < k * k; i++)
		largest = fmax(largest, fabs(a[i]));
	solid = solid && largest < 1 / FLAT;
	for (size_t j = 0; solid && j < k; j++) {
		double shift = a[j];
		for (size_t c = 0; c < d; c++) {
			map[j * k + 1 + c] = a[(1 + c) * k + j] / extent[c];
			shift -= map[j * k + 1 + c] * centre[c];
		}
		map[j * k] = shift;
	}
	for (size_t c = 0; solid && c < d; c++)
		log_det += log(extent[c]);
	if (solid && log_volume)
		*log_volume = log_det - lgamma((double)k);
	free(centre);
	free(extent);
	free(a);
	return solid;
}

void hs_simplex_coordinates(const double *map, size_t k, const double *z, double *a)
{
	for (size_t j = 0; j < k; j++) {
		double s = map[j * k];
		for (size_t c = 1; c < k; c++)
			s += map[j * k + c] * z[c - 1];
		a[j] = s;
	}
}

/* --- successive projection ----------------------------------------------------------------------------------------- */

struct spa {
	const struct hs_cloud *cloud;
	double lift;                          /* the coordinate that all points share */
	double *rest;                         /* n: squared length of what is left of each point */
	double *q;                            /* found directions, d + 1 each, the lifted coordinate last */
	size_t n_found;
};

static double spa_length(void *ctx, size_t i)
{
	const struct spa *s = ctx;
	const size_t d = s->cloud->d;
	return hs_dot(s->cloud->z + i * d, s->cloud->z + i * d, d);
}

/* Takes the last direction out of the point; what is left of it. */
static double spa_rest(void *ctx, size_t i)
{
	struct spa *s = ctx;
	const size_t d = s->cloud->d;
	if (s->n_found) {
		const double *q = s->q + (s->n_found - 1) * (d + 1), t = hs_dot(q, s->cloud->z + i * d, d) + q[d] * s->lift;
		s->rest[i] = s->rest[i] - t * t;
	}
	return s->rest[i];
}

/* The direction that point i adds; false when it adds none beyond rounding. */
static bool spa_direction(struct spa *s, size_t i)
{
	const size_t d = s->cloud->d, w = d + 1;
	double *q = s->q + s->n_found * w;
	memcpy(q, s->cloud->z + i * d, d * sizeof *q);
	q[d] = s->lift;
	const double whole = sqrt(hs_dot(q, q, w));
	for (size_t twice = 0; twice < 2; twice++)
		for (size_t j = 0; j < s->n_found; j++)
			cblas_daxpy((int)w, -hs_dot(q, s->q + j * w, w), s->q + j * w, 1, q, 1);
	const double rest = sqrt(hs_dot(q, q, w));
	if (!(rest > 1e-10 * whole))
		return false;
	cblas_dscal((int)w, 1 / rest, q, 1);
	s->n_found++;
	return true;
}

int hs_spa(const struct hs_cloud *cloud, size_t k, size_t *pixel, size_t *n_found, struct hs_err *err)
{
	struct spa s = { .cloud = cloud };
	*n_found = 0;
	if (k > cloud->d + 1)
		return hs_fail(err, HS_BUG, "%zu corners in %zu dimensions", k, cloud->d);
	const struct best farthest = find_best(cloud->skip, cloud->n, spa_length, &s);
	if (farthest.index == SIZE_MAX)
		return hs_fail(err, HS_BAD_DATA, "there is no point to choose a corner from");
	s.lift = farthest.value > 0 ? sqrt(farthest.value) : 1;
	s.rest = hs_alloc(cloud->n, sizeof *s.rest, err);
	s.q = s.rest ? hs_alloc(k * (cloud->d + 1), sizeof *s.q, err) : NULL;
	for (size_t i = 0; s.q && i < cloud->n; i++)
		s.rest[i] = spa_length(&s, i) + s.lift * s.lift;
	while (s.q && *n_found < k) {
		const struct best b = find_best(cloud->skip, cloud->n, spa_rest, &s);
		if (b.index == SIZE_MAX || !spa_direction(&s, b.index))
			break;
		pixel[(*n_found)++] = b.index;
	}
	free(s.rest);
	const bool ran = s.q != NULL;
	free(s.q);
	return ran ? 0 : -1;
}

/* --- N-FINDR ------------------------------------------------------------------------------------------------------- */

struct slot {
	const struct hs_cloud *cloud;
	const double *map;                    /* of this slot: k numbers */
};

static double slot_volume(void *ctx, size_t i)
{
	const struct slot *s = ctx;
	const size_t d = s->cloud->d;
	return fabs(s->map[0] + hs_dot(s->map + 1, s->cloud->z + i * d, d));
}

static void place(const struct hs_cloud *cloud, const size_t *pixel, double *corner)
{
	for (size_t j = 0; j <= cloud->d; j++)
		memcpy(corner + j * cloud->d, cloud->z + pixel[j] * cloud->d, cloud->d * sizeof *corner);
}

/* One exchange of each corner; true when one of them was worth it. *solid becomes false when the new simplex is flat, which an
 * exchange that enlarges it cannot make it but by rounding. */
static bool sweep(const struct hs_cloud *cloud, size_t *pixel, double *corner, double *map, double *log_volume, bool *solid)
{
	const size_t k = cloud->d + 1;
	bool changed = false;
	for (size_t j = 0; j < k && *solid; j++) {
		struct slot s = { cloud, map + j * k };
		const struct best b = find_best(cloud->skip, cloud->n, slot_volume, &s);
		if (b.index == SIZE_MAX || !(b.value > 1 + 1e-12))
			continue;
		pixel[j] = b.index;
		place(cloud, pixel, corner);
		*solid = hs_simplex_map(corner, k, map, log_volume);
		changed = true;
	}
	return changed;
}

int hs_nfindr(const struct hs_cloud *cloud, size_t *pixel, size_t *n_sweeps, double *log_volume, bool (*stop)(void *),
	void *stop_ctx, bool *stopped, struct hs_err *err)
{
	const size_t k = cloud->d + 1;
	double *map = hs_alloc(k * k, sizeof *map, err), *corner = map ? hs_alloc(k * k, sizeof *corner, err) : NULL;
	if (!corner) {
		free(map);
		return -1;
	}
	*n_sweeps = 0;
	*stopped = false;
	place(cloud, pixel, corner);
	bool solid = hs_simplex_map(corner, k, map, log_volume), more = solid;
	while (more && *n_sweeps < SWEEPS && !*stopped) {
		more = sweep(cloud, pixel, corner, map, log_volume, &solid) && solid;
		++*n_sweeps;
		*stopped = more && stop && stop(stop_ctx);
	}
	free(map);
	free(corner);
	return solid ? 0 : hs_fail(err, HS_BAD_DATA, "the spectra do not span a simplex of %zu corners", k);
}

/* --- vertex component analysis ------------------------------------------------------------------------------------- */

struct ray {
	const double *y, *direction;
	size_t width;
};

static double ray_length(void *ctx, size_t i)
{
	const struct ray *r = ctx;
	return fabs(hs_dot(r->y + i * r->width, r->direction, r->width));
}

/* Removes the n directions of q (width each) from v and makes it a unit vector; false when nothing is left. */
static bool clear(double *v, const double *q, size_t n, size_t width)
{
	const double whole = sqrt(hs_dot(v, v, width));
	for (size_t twice = 0; twice < 2; twice++)
		for (size_t j = 0; j < n; j++)
			cblas_daxpy((int)width, -hs_dot(v, q + j * width, width), q + j * width, 1, v, 1);
	const double rest = sqrt(hs_dot(v, v, width));
	if (!(rest > 1e-10 * whole))
		return false;
	cblas_dscal((int)width, 1 / rest, v, 1);
	return true;
}

int hs_vca(const double *y, const uint8_t *skip, size_t n, size_t k, uint64_t seed, uint64_t restart, size_t *pixel,
	size_t *n_found, struct hs_err *err)
{
	double *q = hs_alloc(k * k + k, sizeof *q, err), *f = q ? q + k * k : NULL;
	struct hs_rng rng;
	if (!q)
		return -1;
	hs_rng_init(&rng, seed, HS_STREAM_ENDMEMBER, restart);
	*n_found = 0;
	while (*n_found < k) {
		/* before anything is found, the last coordinate is what all points share */
		for (size_t c = 0; c < k; c++)
			f[c] = hs_rng_normal(&rng);
		if (!*n_found && k > 1)
			f[k - 1] = 0;
		if (!clear(f, q, *n_found, k))
			continue;
		struct ray r = { y, f, k };
		const struct best b = find_best(skip, n, ray_length, &r);
		double *added = q + *n_found * k;
		if (b.index == SIZE_MAX)
			break;
		memcpy(added, y + b.index * k, k * sizeof *added);
		if (!clear(added, q, *n_found, k))
			break;
		pixel[(*n_found)++] = b.index;
	}
	free(q);
	return 0;
}

/* --- pixel purity index -------------------------------------------------------------------------------------------- */

/* The extremes of SKEWERS directions over one chunk of points, joined with those of others. */
static void extremes(const struct hs_cloud *cloud, size_t chunk, const double *skewer, double *t, struct best *high,
	struct best *low)
{
	const size_t d = cloud->d, first = chunk * CHUNK, n = chunk_end(chunk, cloud->n) - first;
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, SKEWERS, (int)d, 1, cloud->z + first * d, (int)d, skewer,
		(int)d, 0, t, SKEWERS);
	struct best own_high[SKEWERS], own_low[SKEWERS];
	for (size_t s = 0; s < SKEWERS; s++)
		own_high[s] = own_low[s] = (struct best){ -INFINITY, SIZE_MAX };
	for (size_t i = 0; i < n; i++) {
		if (cloud->skip && cloud->skip[first + i])
			continue;
		for (size_t s = 0; s < SKEWERS; s++) {
			const double v = t[i * SKEWERS + s];
			if (v > own_high[s].value)
				own_high[s] = (struct best){ v, first + i };
			if (-v > own_low[s].value)
				own_low[s] = (struct best){ -v, first + i };
		}
	}
#pragma omp critical(hs_vertex_extremes)
	for (size_t s = 0; s < SKEWERS; s++) {
		const struct best h = own_high[s], l = own_low[s];
		if (h.value > high[s].value || (h.value == high[s].value && h.index < high[s].index))
			high[s] = h;
		if (l.value > low[s].value || (l.value == low[s].value && l.index < low[s].index))
			low[s] = l;
	}
}

static int throw_skewers(const struct hs_cloud *cloud, const double *skewer, struct best *high, struct best *low,
	struct hs_err *err)
{
	const size_t chunks = n_chunks(cloud->n), rows = cloud->n < CHUNK ? cloud->n : CHUNK;
	bool short_of_memory = false;
	for (size_t s = 0; s < SKEWERS; s++)
		high[s] = low[s] = (struct best){ -INFINITY, SIZE_MAX };
#pragma omp parallel num_threads(hs_par_threads()) if (chunks >= MANY)
	{
		struct hs_err own = { 0 };
		double *t = hs_alloc(rows * SKEWERS, sizeof *t, &own);
		if (!t)
#pragma omp atomic write
			short_of_memory = true;
#pragma omp for schedule(static)
		for (size_t c = 0; c < chunks; c++)
			if (t)
				extremes(cloud, c, skewer, t, high, low);
		free(t);
	}
	return short_of_memory ? hs_fail(err, HS_SYSTEM, "out of memory for the purity index") : 0;
}

int hs_ppi(const struct hs_cloud *cloud, size_t n_skewers, uint64_t seed, uint32_t *vote, bool (*stop)(void *), void *stop_ctx,
	bool *stopped, struct hs_err *err)
{
	const size_t d = cloud->d;
	double *skewer = hs_alloc(SKEWERS * d, sizeof *skewer, err);
	struct best high[SKEWERS], low[SKEWERS];
	int verdict = skewer ? 0 : -1;
	*stopped = false;
	memset(vote, 0, cloud->n * sizeof *vote);
	for (size_t first = 0; verdict == 0 && first < n_skewers && !*stopped; first += SKEWERS) {
		for (size_t s = 0; s < SKEWERS; s++) {
			struct hs_rng rng;
			hs_rng_init(&rng, seed, HS_STREAM_ENDMEMBER, SKEWER_ITEM + first + s);
			for (size_t c = 0; c < d; c++)
				skewer[s * d + c] = hs_rng_normal(&rng);
		}
		verdict = throw_skewers(cloud, skewer, high, low, err);
		for (size_t s = 0; verdict == 0 && s < SKEWERS && first + s < n_skewers; s++) {
			if (high[s].index != SIZE_MAX)
				vote[high[s].index]++;
			if (low[s].index != SIZE_MAX)
				vote[low[s].index]++;
		}
		*stopped = stop && stop(stop_ctx);
	}
	free(skewer);
	return verdict;
}

int hs_ppi_pick(const struct hs_cloud *cloud, const uint32_t *vote, size_t k, size_t *pixel, size_t *n_found, struct hs_err *err)
{
	const size_t d = cloud->d, n = cloud->n;
	double *q = hs_alloc(k * d + d, sizeof *q, err), *v = q ? q + k * d : NULL;
	if (!q)
		return -1;
	*n_found = 0;
	while (*n_found < k) {
		struct best best = { 0, SIZE_MAX };
		for (size_t i = 0; i < n; i++) {
			if (!vote[i] || (cloud->skip && cloud->skip[i]))
				continue;
			double far = 1;
			if (*n_found) {
				memcpy(v, cloud->z + i * d, d * sizeof *v);
				hs_subtract(v, cloud->z + pixel[0] * d, d);
				for (size_t j = 0; j + 1 < *n_found; j++)
					cblas_daxpy((int)d, -hs_dot(v, q + j * d, d), q + j * d, 1, v, 1);
				far = sqrt(hs_dot(v, v, d));
			}
			if (far * vote[i] > best.value)
				best = (struct best){ far * vote[i], i };
		}
		if (best.index == SIZE_MAX)
			break;
		if (*n_found) {
			double *added = q + (*n_found - 1) * d;
			memcpy(added, cloud->z + best.index * d, d * sizeof *added);
			hs_subtract(added, cloud->z + pixel[0] * d, d);
			if (!clear(added, q, *n_found - 1, d))
				break;
		}
		pixel[(*n_found)++] = best.index;
	}
	free(q);
	return 0;
}
