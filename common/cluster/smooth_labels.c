#include "cluster/smooth_labels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/clusters.h"
#include "math/par.h"
#include "math/vector.h"

static const int step_y[] = { -1, 1, 0, 0, -1, -1, 1, 1 }, step_x[] = { 0, 0, -1, 1, -1, 1, -1, 1 };

/* Labels of the neighbours of a pixel that have one; returns how many. */
static size_t neighbours(const struct hs_label_maps *m, const int32_t *label, size_t map, size_t y, size_t x, int32_t found[8])
{
	size_t n = 0;
	for (size_t s = 0; s < (m->eight ? 8 : 4); s++) {
		const size_t ny = y + (size_t)step_y[s], nx = x + (size_t)step_x[s];   /* -1 wraps to beyond the map */
		if (ny >= m->n_y || nx >= m->n_x)
			continue;
		const int32_t other = label[(map * m->n_y + ny) * m->n_x + nx];
		if (other >= 0)
			found[n++] = other;
	}
	return n;
}

/* The label most often among n, its own counted once; own in a tie that holds it, else the lowest. */
static int32_t majority(int32_t own, const int32_t *found, size_t n)
{
	size_t most = 1;
	int32_t winner = own;
	for (size_t i = 0; i < n; i++)
		most += found[i] == own;
	for (size_t i = 0; i < n; i++) {
		size_t votes = 0;
		for (size_t j = 0; j < n; j++)
			votes += found[j] == found[i];
		if (found[i] != own && (votes > most || (votes == most && winner != own && found[i] < winner))) {
			most = votes;
			winner = found[i];
		}
	}
	return winner;
}

static size_t count_changes(const int32_t *a, const int32_t *b, size_t n)
{
	size_t changed = 0;
	for (size_t i = 0; i < n; i++)
		changed += a[i] != b[i];
	return changed;
}

static size_t majority_round(const struct hs_label_maps *m, const int32_t *from, int32_t *to)
{
	const size_t lines = m->n_maps * m->n_y;
	size_t moved = 0;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) reduction(+ : moved)
	for (size_t line = 0; line < lines; line++)
		for (size_t x = 0; x < m->n_x; x++) {
			const size_t i = line * m->n_x + x;
			int32_t found[8];
			const size_t n = neighbours(m, from, line / m->n_y, line % m->n_y, x, found);
			to[i] = from[i] < 0 ? from[i] : majority(from[i], found, n);
			moved += to[i] != from[i];
		}
	return moved;
}

int hs_smooth_majority(const struct hs_label_maps *maps, size_t rounds, size_t *changed, struct hs_err *err)
{
	const size_t n = maps->n_maps * maps->n_y * maps->n_x;
	int32_t *first = hs_alloc(n, sizeof *first, err), *other = first ? hs_alloc(n, sizeof *other, err) : NULL;
	if (other)
		memcpy(first, maps->label, n * sizeof *first);
	for (size_t r = 0; other && r < rounds; r++) {
		memcpy(other, maps->label, n * sizeof *other);
		if (!majority_round(maps, other, maps->label))
			break;
	}
	if (other)
		*changed = count_changes(first, maps->label, n);
	const int verdict = other ? 0 : -1;
	free(first);
	free(other);
	return verdict;
}

/* The label of the least energy given the neighbours; its own in a tie, else the lowest. */
static int32_t mode(const struct hs_label_maps *m, const float *cost, double beta, int32_t own, const int32_t *found, size_t n)
{
	int32_t winner = own;
	double least = 0;
	for (int32_t l = -1; l < (int32_t)m->k; l++) {        /* its own first, so that ties are its own */
		const int32_t c = l < 0 ? own : l;
		size_t same = 0;
		for (size_t i = 0; i < n; i++)
			same += found[i] == c;
		const double energy = (double)cost[c] - beta * (double)same;
		if (l < 0 || energy < least) {
			least = energy;
			winner = c;
		}
	}
	return winner;
}

/* Pixels of one colour: no two of them are neighbours. */
static size_t potts_colour(const struct hs_label_maps *m, const float *cost, double beta, size_t colour)
{
	const size_t lines = m->n_maps * m->n_y;
	size_t moved = 0;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) reduction(+ : moved)
	for (size_t line = 0; line < lines; line++) {
		const size_t y = line % m->n_y;
		if (m->eight && y % 2 != colour / 2)
			continue;
		for (size_t x = m->eight ? colour % 2 : (y + colour) % 2; x < m->n_x; x += 2) {
			int32_t *label = m->label + line * m->n_x + x, found[8];
			if (*label < 0)
				continue;
			const size_t n = neighbours(m, m->label, line / m->n_y, y, x, found);
			const int32_t best = mode(m, cost + (line * m->n_x + x) * m->k, beta, *label, found, n);
			moved += best != *label;
			*label = best;
		}
	}
	return moved;
}

int hs_smooth_potts(const struct hs_label_maps *maps, const float *cost, double beta, size_t rounds, size_t *changed,
	struct hs_err *err)
{
	const size_t n = maps->n_maps * maps->n_y * maps->n_x;
	int32_t *first = hs_alloc(n, sizeof *first, err);
	if (!first)
		return -1;
	memcpy(first, maps->label, n * sizeof *first);
	for (size_t r = 0, moved = 1; r < rounds && moved; r++) {
		moved = 0;
		for (size_t colour = 0; colour < (maps->eight ? 4 : 2); colour++)
			moved += potts_colour(maps, cost, beta, colour);
	}
	*changed = count_changes(first, maps->label, n);
	free(first);
	return 0;
}

double hs_potts_energy(const struct hs_label_maps *maps, const float *cost, double beta)
{
	double energy = 0;
	for (size_t i = 0; i < maps->n_maps * maps->n_y * maps->n_x; i++) {
		int32_t found[8];
		if (maps->label[i] < 0)
			continue;
		const size_t line = i / maps->n_x, n = neighbours(maps, maps->label, line / maps->n_y, line % maps->n_y,
			i % maps->n_x, found);
		energy += (double)cost[i * maps->k + (size_t)maps->label[i]];
		for (size_t j = 0; j < n; j++)
			energy += found[j] != maps->label[i] ? beta / 2 : 0;  /* each pair is met twice */
	}
	return energy;
}

struct costs {
	const double *mean;
	size_t k;
	bool unit;
	double width;                 /* 2 s^2 */
	float *cost;
	double *row;
};

static int costs_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	const struct costs *c = ctx;
	const size_t p = block->n_chan;
	double *x = c->row + (size_t)thread * p;
	for (size_t i = 0; i < block->n_rows; i++) {
		if (block->skip[i])
			continue;
		hs_block_row(block, i, c->unit, x);
		for (size_t k = 0; k < c->k; k++) {
			const double d2 = hs_distance2(x, c->mean + k * p, p), cost = c->width > 0 ? d2 / c->width : d2 > 0 ? INFINITY : 0;
			c->cost[(block->first_row + i) * c->k + k] = cost < (double)FLT_MAX ? (float)cost : FLT_MAX;
		}
	}
	return 0;
}

int hs_potts_costs(struct hs_rowsource *rows, const int32_t *label, size_t k, bool unit, float *cost, struct hs_err *err)
{
	const size_t p = rows->n_chan;
	double *mean = hs_alloc(k * p, sizeof *mean, err), *m2 = mean ? hs_alloc(k * p, sizeof *m2, err) : NULL, within = 0, n = 0;
	size_t *size = m2 ? hs_alloc(k, sizeof *size, err) : NULL;
	struct costs c = { .mean = mean, .k = k, .unit = unit, .cost = cost };
	c.row = size ? hs_alloc((size_t)hs_par_threads() * p, sizeof *c.row, err) : NULL;
	int verdict = c.row ? hs_cluster_moments(rows, label, k, unit, mean, m2, size, err) : -1;
	if (verdict == 0) {
		for (size_t i = 0; i < k * p; i++)
			within += m2[i];
		for (size_t i = 0; i < k; i++)
			n += (double)size[i];
		c.width = n > 0 ? 2 * within / n / (double)p : 0;
		verdict = hs_rows_each(rows, "smoothing", costs_block, &c, err);
	}
	free(mean);
	free(m2);
	free(size);
	free(c.row);
	return verdict;
}
