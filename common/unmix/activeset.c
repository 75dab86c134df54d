#include "unmix/activeset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/vector.h"

enum { SINGULAR, USABLE, REFINED, MOST = HS_ACTIVE_TABLE };

static const double RANK = 1e-13;             /* a pivot below this part of the diagonal is rounding: (3e-7)^2 */
static const double LOOSE = 1e-6;             /* a pivot below this costs digits that one step of refinement brings back */
static const double OPTIMAL = 1e-12;

/* --- one set: the reduced system and its Cholesky factor ---------------------------------------------------------- */

/* The system of the elements id[0..n-1]. With the sum, id[0] is eliminated: the others are differences to it. */
static size_t reduce(const struct hs_active_set *q, const size_t *id, size_t n, double *h)
{
	const double *g = q->gram;
	const size_t w = q->width, m = q->sum_to_one ? n - 1 : n, r = id[0];
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j <= i; j++) {
			const size_t s = id[i + n - m], t = id[j + n - m];
			h[i * m + j] = q->sum_to_one ? g[s * w + t] - g[s * w + r] - g[r * w + t] + g[r * w + r] : g[s * w + t];
		}
	return m;
}

/* Cholesky factor in the lower triangle. Returns the least pivot as a part of what it would be without the others; a pivot that
 * is nothing ends it with 0. With the sum, elements are compared with the largest of all, because a common offset cancels in the
 * differences. */
static double factor(const struct hs_active_set *q, double *h, size_t m)
{
	double least = 1;
	for (size_t i = 0; i < m; i++) {
		const double whole = q->sum_to_one ? q->largest : h[i * m + i];
		for (size_t j = 0; j <= i; j++) {
			double s = h[i * m + j];
			for (size_t l = 0; l < j; l++)
				s -= h[i * m + l] * h[j * m + l];
			if (j < i) {
				h[i * m + j] = s / h[j * m + j];
				continue;
			}
			if (!(s > RANK * whole))
				return 0;
			least = fmin(least, s / whole);
			h[i * m + i] = sqrt(s);
		}
	}
	return least;
}

static void substitute(const double *l, size_t m, double *x)
{
	for (size_t i = 0; i < m; i++) {
		for (size_t j = 0; j < i; j++)
			x[i] -= l[i * m + j] * x[j];
		x[i] /= l[i * m + i];
	}
	for (size_t i = m; i-- > 0;) {
		for (size_t j = i + 1; j < m; j++)
			x[i] -= l[j * m + i] * x[j];
		x[i] /= l[i * m + i];
	}
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static size_t members(unsigned set, size_t *id)
{
	size_t n = 0;
	for (; set; set &= set - 1)
		id[n++] = (size_t)__builtin_ctz(set);
	return n;
}

/* The affine map of one set. */
static uint8_t tabulate(const struct hs_active_set *q, unsigned set, double *map)
{
	double h[MOST * MOST], x[MOST];
	size_t id[MOST];
	const size_t n = members(set, id), w = q->width, k = q->k;
	if (!n)
		return q->sum_to_one ? SINGULAR : USABLE;
	const size_t m = reduce(q, id, n, h), r = id[0], skip = n - m;
	const double least = factor(q, h, m);
	if (least <= 0)
		return SINGULAR;
	if (q->sum_to_one)
		map[k * w + r] = 1;
	for (size_t j = 0; j < m; j++) {              /* column j of the inverse of the reduced system */
		memset(x, 0, sizeof x);
		x[j] = 1;
		substitute(h, m, x);
		const size_t from = id[j + skip];
		const double offset = q->sum_to_one ? q->gram[r * w + r] - q->gram[from * w + r] : 0;
		for (size_t i = 0; i < m; i++) {
			const size_t to = id[i + skip];
			map[from * w + to] += x[i];
			map[k * w + to] += x[i] * offset;
			if (!q->sum_to_one)
				continue;
			map[r * w + to] -= x[i];
			map[from * w + r] -= x[i];
			map[r * w + r] += x[i];
			map[k * w + r] -= x[i] * offset;
		}
	}
	return least < LOOSE ? REFINED : USABLE;
}

/* Each element that adds something to those before it. */
static unsigned largest_set(const struct hs_active_set *q)
{
	unsigned set = 0;
	for (size_t i = 0; i < q->k; i++)
		if (q->kind[set | 1u << i] != SINGULAR)
			set |= 1u << i;
	return set;
}

int hs_active_set_init(struct hs_active_set *q, const double *gram, size_t k, bool sum_to_one, size_t table_up_to,
	struct hs_err *err)
{
	*q = (struct hs_active_set){ .k = k, .width = (k + 3) / 4 * 4, .sum_to_one = sum_to_one };
	if (!k)
		return hs_fail(err, HS_USAGE, "abundances want at least one endmember");
	size_t values;
	q->gram = hs_product((size_t[]){ k, q->width }, 2, &values) ? hs_alloc(values, sizeof *q->gram, err) : NULL;
	if (!q->gram)
		return hs_failed(err) ? -1 : hs_fail(err, HS_BAD_DATA, "%zu endmembers are too many", k);
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < k; j++) {
			if (!isfinite(gram[i * k + j]))
				return hs_fail(err, HS_BAD_DATA, "endmembers hold values that are not finite, or whose squares are not");
			q->gram[i * q->width + j] = gram[i * k + j];
		}
	for (size_t i = 0; i < k; i++)
		q->largest = fmax(q->largest, gram[i * k + i]);
	if (k > table_up_to || k > MOST)
		return 0;
	const size_t sets = (size_t)1 << k, one = (k + 1) * q->width;
	q->table = hs_alloc(sets * one, sizeof *q->table, err);
	q->kind = q->table ? hs_alloc(sets, 1, err) : NULL;
	if (!q->kind)
		return -1;
	for (size_t set = 0; set < sets; set++)
		q->kind[set] = tabulate(q, (unsigned)set, q->table + set * one);
	q->start = largest_set(q);
	return 0;
}

void hs_active_set_release(struct hs_active_set *q)
{
	free(q->gram);
	free(q->table);
	free(q->kind);
	*q = (struct hs_active_set){ 0 };
}

size_t hs_active_set_bytes(size_t k)
{
	const size_t w = (k + 3) / 4 * 4;
	return (k * w + (k <= MOST ? ((k + 1) * w) << k : 0)) * sizeof(double) + ((size_t)1 << MOST);
}

/* --- pivoting over the table -------------------------------------------------------------------------------------- */

/* to[i] = sum_j m[j][i] x[j], width 4, 8 or 12 known to the compiler; the order of additions is that of j */
static inline __attribute__((always_inline)) void apply(const double *m, size_t n, size_t w, const double *x, double *to)
{
	for (size_t j = 0; j < n; j++)
		for (size_t i = 0; i < w; i++)
			to[i] += m[j * w + i] * x[j];
}

static double problem_scale(const struct hs_active_set *q, const double *b)
{
	double scale = q->sum_to_one ? q->largest : 0;
	for (size_t i = 0; i < q->k; i++)
		scale = fmax(scale, fabs(b[i]));
	return scale;
}

/* The mean pull on the set, which the sum allows. */
static inline __attribute__((always_inline)) double level(const struct hs_active_set *q, unsigned set, const double *g)
{
	double sum = 0;
	if (!q->sum_to_one)
		return 0;
	for (unsigned s = set; s; s &= s - 1)
		sum += g[__builtin_ctz(s)];
	return sum / __builtin_popcount(set);
}

/* g = b - G a - level, for i in the set a residual, outside it the pull. */
static inline __attribute__((always_inline)) void pull(const struct hs_active_set *q, size_t k, size_t w, unsigned set,
	const double *b, const double *a, double *g)
{
	double product[MOST] = { 0 };
	apply(q->gram, k, w, a, product);
	for (size_t i = 0; i < w; i++)
		g[i] = b[i] - product[i];
	const double common = level(q, set, g);
	for (size_t i = 0; i < w; i++)
		g[i] -= common;
}

/* Row i of a map does not depend on the columns outside its set, which are zero, so all of b may take part. True when
 * finished. */
static inline __attribute__((always_inline)) bool exchange(const struct hs_active_set *q, size_t k, size_t w, const double *given,
	double *out)
{
	double b[MOST] = { 0 }, a[MOST] = { 0 }, g[MOST] = { 0 };
	unsigned set = q->start;
	memcpy(b, given, k * sizeof *b);
	const double enough = OPTIMAL * problem_scale(q, b);
	for (size_t turn = 0; turn < 3 * k + 3; turn++) {
		const double *map = q->table + (size_t)set * (k + 1) * w;
		if (q->kind[set] == SINGULAR)
			return false;
		memcpy(a, map + k * w, w * sizeof *a);
		apply(map, k, w, b, a);
		if (q->kind[set] == REFINED) {
			pull(q, k, w, set, b, a, g);
			apply(map, k, w, g, a);
		}
		unsigned negative = 0;
		for (size_t i = 0; i < k; i++)
			negative |= (unsigned)(a[i] < 0) << i;
		if (negative) {
			set &= ~negative;
			continue;
		}
		size_t best = k;
		pull(q, k, w, set, b, a, g);
		for (size_t i = 0; i < k; i++)
			if (!(set >> i & 1) && g[i] > (best < k ? g[best] : enough) && q->kind[set | 1u << i] != SINGULAR)
				best = i;
		if (best == k) {
			memcpy(out, a, k * sizeof *a);
			return true;
		}
		set |= 1u << best;
	}
	return false;
}

HS_WIDE static bool exchange_4(const struct hs_active_set *q, const double *b, double *a)
{
	return q->k == 3 ? exchange(q, 3, 4, b, a) : q->k == 4 ? exchange(q, 4, 4, b, a) : exchange(q, q->k, 4, b, a);
}

HS_WIDE static bool exchange_8(const struct hs_active_set *q, const double *b, double *a)
{
	return exchange(q, q->k, 8, b, a);
}

HS_WIDE static bool exchange_12(const struct hs_active_set *q, const double *b, double *a)
{
	return exchange(q, q->k, 12, b, a);
}

/* --- Lawson and Hanson -------------------------------------------------------------------------------------------- */

struct descent {
	size_t n, *id;                /* the set, in order of entry */
	uint8_t *in;                  /* 1: in the set, 2: adds nothing to it */
	double *a, *z, *g, *h;
};

size_t hs_active_set_scratch(size_t k)
{
	return 2 * k + k * k + 2 * k;          /* g, z, factor, places and flags */
}

static void all_pulls(const struct hs_active_set *q, const double *b, struct descent *d)
{
	for (size_t i = 0; i < q->k; i++) {
		double s = b[i];
		for (size_t l = 0; l < d->n; l++)
			s -= q->gram[i * q->width + d->id[l]] * d->a[d->id[l]];
		d->g[i] = s;
	}
	double common = 0;
	for (size_t l = 0; q->sum_to_one && l < d->n; l++)
		common += d->g[d->id[l]] / (double)d->n;
	for (size_t i = 0; i < q->k; i++)
		d->g[i] -= common;
}

/* Best answer on the set, of any sign, into z: a correction to a, so it is refined by the way. False when the set is singular. */
static bool on_set(const struct hs_active_set *q, const double *b, struct descent *d)
{
	if (!d->n)
		return true;
	const size_t m = reduce(q, d->id, d->n, d->h), skip = d->n - m;
	if (factor(q, d->h, m) <= 0)
		return false;
	all_pulls(q, b, d);
	for (size_t i = 0; i < m; i++)
		d->z[i + skip] = d->g[d->id[i + skip]] - (skip ? d->g[d->id[0]] : 0);
	substitute(d->h, m, d->z + skip);
	double moved = 0;
	for (size_t i = skip; i < d->n; i++)
		moved += d->z[i];
	if (skip)
		d->z[0] = -moved;
	for (size_t i = 0; i < d->n; i++)
		d->z[i] += d->a[d->id[i]];
	return true;
}

static void leave(struct descent *d, size_t place)
{
	d->a[d->id[place]] = 0;
	d->in[d->id[place]] = 0;
	memmove(d->id + place, d->id + place + 1, (--d->n - place) * sizeof *d->id);
}

/* From a towards z until something vanishes, which leaves the set; true when z itself is reached. */
static bool step(struct descent *d)
{
	double part = 1;
	size_t first = d->n;
	for (size_t i = 0; i < d->n; i++) {
		const double now = d->a[d->id[i]], to_zero = now / (now - d->z[i]);
		if (d->z[i] <= 0 && to_zero < part) {
			part = to_zero;
			first = i;
		}
	}
	for (size_t i = 0; i < d->n; i++)
		d->a[d->id[i]] = part < 1 ? d->a[d->id[i]] + part * (d->z[i] - d->a[d->id[i]]) : d->z[i];
	if (first == d->n)
		return true;
	leave(d, first);
	for (size_t i = d->n; i-- > 0;)
		if (d->a[d->id[i]] <= 0)
			leave(d, i);
	return false;
}

/* The element that pulls hardest and is of use; k when there is none. */
static size_t candidate(const struct hs_active_set *q, const struct descent *d, double enough)
{
	size_t best = q->k;
	for (size_t i = 0; i < q->k; i++)
		if (!d->in[i] && d->g[i] > (best < q->k ? d->g[best] : enough))
			best = i;
	return best;
}

static void begin(const struct hs_active_set *q, const double *b, struct descent *d)
{
	size_t nearest = 0;
	memset(d->a, 0, q->k * sizeof *d->a);
	memset(d->in, 0, q->k);
	d->n = 0;
	if (!q->sum_to_one)
		return;
	for (size_t i = 1; i < q->k; i++)
		if (b[i] - q->gram[i * q->width + i] / 2 > b[nearest] - q->gram[nearest * q->width + nearest] / 2)
			nearest = i;
	d->a[nearest] = 1;
	d->in[nearest] = 1;
	d->id[d->n++] = nearest;
}

static bool descend(const struct hs_active_set *q, const double *b, double *a, double *scratch)
{
	const size_t k = q->k;
	struct descent d = { .a = a, .g = scratch, .z = scratch + k, .h = scratch + 2 * k, .id = (size_t *)(scratch + 2 * k + k * k) };
	const double enough = OPTIMAL * problem_scale(q, b);
	d.in = (uint8_t *)(d.id + k);
	begin(q, b, &d);
	for (size_t turn = 0; turn < 30 * k + 30; turn++) {
		all_pulls(q, b, &d);
		const size_t j = candidate(q, &d, enough);
		if (j == k)
			return true;
		d.id[d.n++] = j;
		d.in[j] = 1;
		if (!on_set(q, b, &d) || d.z[d.n - 1] <= 0) {         /* dependent, or rounding that looked like a pull */
			d.n--;
			d.in[j] = 2;
			continue;
		}
		while (!step(&d) && on_set(q, b, &d))
			;
		for (size_t i = 0; i < k; i++)
			d.in[i] &= 1;
	}
	return false;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

/* What rounding left of 1 goes to the largest. */
static void close_sum(size_t k, double *a)
{
	size_t most = 0;
	double sum = 0;
	for (size_t i = 0; i < k; i++) {
		sum += a[i];
		most = a[i] > a[most] ? i : most;
	}
	a[most] += 1 - sum;
}

bool hs_active_set_solve(const struct hs_active_set *q, const double *b, double *a, double *scratch)
{
	bool done = q->table && (q->width == 4 ? exchange_4(q, b, a) : q->width == 8 ? exchange_8(q, b, a) : exchange_12(q, b, a));
	if (!done)
		done = descend(q, b, a, scratch);
	if (q->sum_to_one)
		close_sum(q->k, a);
	return done;
}

double hs_active_set_kkt(const struct hs_active_set *q, const double *b, const double *a)
{
	double common = 0, worst = 0;
	size_t n = 0;
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < q->k; i++) {
			double g = b[i];
			for (size_t j = 0; j < q->k; j++)
				g -= q->gram[i * q->width + j] * a[j];
			if (turn == 0 && a[i] > 0) {
				common += g;
				n++;
			} else if (turn == 1) {
				worst = fmax(worst, a[i] > 0 ? fabs(g - common) : g - common);
			}
		}
		common = q->sum_to_one ? common / (double)n : 0;
	}
	return worst;
}
