/* HDBSCAN and its spanning tree. With arguments PATH N D MIN_CLUSTER_SIZE MIN_POINTS CHOICE SINGLE THREADS it is the driver of
 * tests/oracle/density.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cluster/hdbscan.h"
#include "math/match.h"
#include "math/par.h"
#include "cluster/spanning.h"
#include "tap.h"

enum kind { NORMAL, GRID, PILES };
static const char *const kind_name[] = { "normal", "integer grid", "piles" };

static double *points(enum kind kind, size_t n, size_t d)
{
	double *x = malloc(n * d * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 4, HS_STREAM_TEST, i);
		for (size_t c = 0; c < d; c++) {
			const double z = hs_rng_normal(&rng);
			x[i * d + c] = kind == GRID ? floor(2 * z) : kind == PILES && i % 3 ? (double)(i % 5) : z;
		}
	}
	return x;
}

/* Clouds of width 1, 0.2 and 3, far from each other, and every tenth point anywhere. */
static double *clouds(size_t n, size_t d, int32_t *truth)
{
	static const double width[3] = { 1, 0.2, 3 };
	double *x = malloc(n * d * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, 6, HS_STREAM_TEST, i);
		const size_t c = i % 3;
		truth[i] = i % 10 == 0 ? -1 : (int32_t)c;
		for (size_t j = 0; j < d; j++)
			x[i * d + j] = truth[i] < 0 ? (hs_rng_uniform(&rng) - 0.5) * 80 :
				width[c] * hs_rng_normal(&rng) + (j == c % d ? 20 : 0) - (c > 1 && j == 0 ? 20 : 0);
	}
	return x;
}

/* Prim's algorithm on all pairs: the weights of the tree, ascending. */
static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void prim(const double *x, size_t n, size_t d, double scale, const double *reach2, double *weight)
{
	double *near = malloc(n * sizeof *near);
	char *in = calloc(n, 1);
	for (size_t i = 0; i < n; i++)
		near[i] = INFINITY;
	size_t at = 0;
	for (size_t step = 0; step < n; step++) {
		in[at] = 1;
		size_t next = n;
		for (size_t i = 0; i < n; i++) {
			double d2 = 0;
			for (size_t c = 0; c < d; c++) {
				const double t = x[i * d + c] * scale - x[at * d + c] * scale;
				d2 += t * t;
			}
			near[i] = fmin(near[i], fmax(d2, fmax(reach2[i], reach2[at])));
			if (!in[i] && (next == n || near[i] < near[next]))
				next = i;
		}
		if (next < n)
			weight[step] = near[next];
		at = next;
	}
	qsort(weight, n - 1, sizeof *weight, ascending);
	free(near);
	free(in);
}

static void spanning(enum kind kind, size_t n, size_t d, size_t min_points)
{
	struct hs_err err = { 0 };
	double *x = points(kind, n, d), *reach2 = malloc(n * sizeof *reach2), *weight = malloc(n * sizeof *weight);
	struct hs_edge *edge = malloc(n * sizeof *edge);
	struct hs_neighbours *tree = hs_neighbours_new(x, n, d, &err);
	const int done = tree && hs_neighbours_reach(tree, min_points - 1, true, reach2, NULL, NULL, &err) == 0 &&
		hs_spanning_tree(tree, min_points > 1 ? reach2 : NULL, edge, NULL, NULL, &err) == 0;
	size_t differ = 0, *home = malloc(n * sizeof *home), joined = 0;
	prim(x, n, d, tree->scale, reach2, weight);
	for (size_t i = 0; i < n; i++)
		home[i] = i;
	for (size_t e = 0; e + 1 < n && done; e++) {
		differ += edge[e].d2 != weight[e] || edge[e].a >= edge[e].b;
		const size_t a = home[edge[e].a], b = home[edge[e].b];
		joined += a != b;
		for (size_t i = 0; i < n && a != b; i++)
			home[i] = home[i] == a ? b : home[i];
	}
	tap_ok(done && !differ && joined == n - 1, "%s, %zu x %zu, %zu points: a spanning tree with the weights of Prim's (%zu differ)",
		kind_name[kind], n, d, min_points, differ);
	hs_neighbours_free(tree);
	free(x);
	free(reach2);
	free(weight);
	free(edge);
	free(home);
}

static void of_any_density(void)
{
	enum { N = 3000, D = 3 };
	struct hs_err err = { 0 };
	int32_t *truth = malloc(N * sizeof *truth), *found = malloc(N * sizeof *found);
	double *x = clouds(N, D, truth), ari = 0;
	struct hs_hdbscan_options opt = hs_hdbscan_defaults(N);
	struct hs_hdbscan r;
	tap_ok(opt.min_cluster_size == 54 && opt.min_points == 10, "defaults: clusters of %zu, %zu points", opt.min_cluster_size,
		opt.min_points);
	const int verdict = hs_hdbscan(x, N, D, &opt, &r, &err);
	tap_ok(verdict == 0 && r.k == 3, "three densities: %zu clusters", r.k);
	hs_adjusted_rand(truth, r.label, N, &ari, &err);
	double among_noise = 0, among_clouds = 0;
	size_t n_noise = 0, outside = 0, missed = 0;
	for (size_t i = 0; i < N; i++) {
		outside += !(r.strength[i] >= 0 && r.strength[i] <= 1 && r.outlier[i] >= 0 && r.outlier[i] <= 1);
		outside += (r.label[i] < 0) != (r.strength[i] == 0);
		missed += truth[i] >= 0 && r.label[i] < 0;
		n_noise += r.label[i] < 0;
		*(truth[i] < 0 ? &among_noise : &among_clouds) += r.outlier[i];
	}
	among_noise /= N / 10;
	among_clouds /= N - N / 10;
	tap_ok(ari > 0.999 && missed < N / 20 && n_noise > N / 20,
		"as they were made: %.4f, %zu noise, %zu taken for it", ari, n_noise, missed);
	tap_ok(!outside && n_noise == r.n_noise, "strengths and scores are within 0 .. 1, noise has strength 0");
	tap_ok(among_noise > 0.8 && among_noise > 1.5 * among_clouds,
		"outlier scores: %.2f for noise, %.2f for clouds", among_noise, among_clouds);
	/* the condensed tree by its own definition */
	size_t bad = r.branch[0].parent != -1 || r.branch[0].size != N || r.branch[0].birth != 0, chosen = 0;
	for (size_t b = 1; b < r.n_branches; b++) {
		const struct hs_branch *up = &r.branch[r.branch[b].parent];
		bad += r.branch[b].parent >= (int32_t)b || r.branch[b].birth < up->birth || r.branch[b].birth > up->death ||
			r.branch[b].size > up->size || r.branch[b].size < opt.min_cluster_size || r.branch[b].stability < 0;
		if (r.branch[b].label >= 0) {
			chosen++;
			bad += r.size[r.branch[b].label] != r.branch[b].size || r.stability[r.branch[b].label] != r.branch[b].stability;
		}
	}
	tap_ok(!bad && chosen == r.k, "%zu branches: children are born where the parent is, and are smaller", r.n_branches);
	opt.choice = HS_HDBSCAN_LEAF;
	struct hs_hdbscan leaf;
	size_t n_leaves = 0;
	for (size_t b = 0; b < r.n_branches; b++) {
		size_t children = 0;
		for (size_t c = 1; c < r.n_branches; c++)
			children += r.branch[c].parent == (int32_t)b;
		n_leaves += !children;
	}
	tap_ok(hs_hdbscan(x, N, D, &opt, &leaf, &err) == 0 && leaf.k == n_leaves && n_leaves >= 3, "leaves: %zu clusters", n_leaves);
	hs_hdbscan_release(&leaf);
	/* another unit, however small or large: the same clusters, densities in the other unit */
	opt = hs_hdbscan_defaults(N);
	for (int e = -900; e <= 900; e += 1800) {
		struct hs_hdbscan s;
		double *y = malloc(N * D * sizeof *y);
		for (size_t i = 0; i < N * D; i++)
			y[i] = ldexp(x[i], e);
		tap_ok(hs_hdbscan(y, N, D, &opt, &s, &err) == 0 && !memcmp(s.label, r.label, N * sizeof *s.label) &&
				!memcmp(s.strength, r.strength, N * sizeof *s.strength) && s.stability[0] == ldexp(r.stability[0], -e),
			"points x 2^%d: the same, stabilities x 2^%d", e, -e);
		hs_hdbscan_release(&s);
		free(y);
	}
	hs_hdbscan_release(&r);
	free(x);
	free(truth);
	free(found);
}

/* Many equal distances: the order of the points decides nothing. */
static void any_order(enum kind kind, size_t n, size_t d, size_t min_size, size_t min_points)
{
	struct hs_err err = { 0 };
	struct hs_hdbscan_options opt = { .min_cluster_size = min_size, .min_points = min_points };
	struct hs_hdbscan r, s;
	double *x = points(kind, n, d), *y = malloc(n * d * sizeof *y), ari = 0;
	int32_t *back = malloc(n * sizeof *back);
	for (size_t i = 0; i < n; i++)
		memcpy(y + (i * 7919 % n) * d, x + i * d, d * sizeof *y);
	const int done = hs_hdbscan(x, n, d, &opt, &r, &err) == 0 && hs_hdbscan(y, n, d, &opt, &s, &err) == 0;
	size_t differ = 0;
	double worst = 0;
	for (size_t i = 0; i < n && done; i++) {
		const size_t j = i * 7919 % n;
		back[i] = s.label[j];
		differ += (s.label[j] < 0) != (r.label[i] < 0);
		worst = fmax(worst, fmax(fabs(s.strength[j] - r.strength[i]), fabs(s.outlier[j] - r.outlier[i])));
	}
	hs_adjusted_rand(r.label, back, n, &ari, &err);
	tap_ok(done && !differ && ari == 1 && worst == 0 && r.k == s.k && r.n_branches == s.n_branches && r.n_branches > 1,
		"%s: the same clusters (%zu of %zu branches) in another order of the points", kind_name[kind], r.k, r.n_branches);
	hs_hdbscan_release(&r);
	hs_hdbscan_release(&s);
	free(x);
	free(y);
	free(back);
}

static bool at_once(void *ctx)
{
	return ++*(int *)ctx > 0;
}

static void corners(void)
{
	struct hs_err err = { 0 };
	struct hs_hdbscan_options opt = { .min_cluster_size = 3, .min_points = 2 };
	struct hs_hdbscan r;
	double x[400];
	for (size_t i = 0; i < 400; i++)
		x[i] = 2;
	tap_ok(hs_hdbscan(x, 200, 2, &opt, &r, &err) == 0 && r.k == 1 && r.size[0] == 200 && r.strength[7] == 1 && r.outlier[7] == 0,
		"all equal: one cluster");
	hs_hdbscan_release(&r);
	tap_ok(hs_hdbscan(x, 2, 2, &opt, &r, &err) == 0 && r.k == 0 && r.label[1] == -1 && r.n_noise == 2 && !r.stopped,
		"two points, three asked: noise");
	hs_hdbscan_release(&r);
	tap_ok(hs_hdbscan(x, 1, 2, &opt, &r, &err) == 0 && r.k == 0 && r.label[0] == -1, "one point: noise");
	hs_hdbscan_release(&r);
	/* three places with many points each */
	for (size_t i = 0; i < 400; i++)
		x[i] = (double)(i % 40 < 10 ? 0 : i % 40 < 25 ? 1 : 7);
	tap_ok(hs_hdbscan(x, 400, 1, &opt, &r, &err) == 0 && r.k == 3 && r.size[0] == 150 && r.size[2] == 100 && r.n_noise == 0 &&
		r.label[0] == 2 && r.strength[3] == 1, "three piles: three clusters without noise");
	hs_hdbscan_release(&r);
	opt.allow_single = true;
	for (size_t i = 0; i < 400; i++)
		x[i] = (double)i;
	tap_ok(hs_hdbscan(x, 400, 1, &opt, &r, &err) == 0 && r.k == 1 && r.size[0] == 400,
		"an even row, everything allowed: one cluster");
	hs_hdbscan_release(&r);
	opt.allow_single = false;
	tap_ok(hs_hdbscan(x, 400, 1, &opt, &r, &err) == 0 && r.k == 0 && r.n_noise == 400, "not allowed: none");
	hs_hdbscan_release(&r);
	int asked = 0;
	opt.stop = at_once;
	opt.stop_ctx = &asked;
	tap_ok(hs_hdbscan(x, 400, 1, &opt, &r, &err) == 0 && r.stopped && r.k == 0 && r.label[5] == -1,
		"the deadline ends without clusters");
	hs_hdbscan_release(&r);
	opt.stop = NULL;
	opt.min_cluster_size = 1;
	tap_ok(hs_hdbscan(x, 400, 1, &opt, &r, &err) == -1 && err.status == HS_USAGE && !r.label, "clusters of one cannot be asked");
	err = (struct hs_err){ 0 };
	opt.min_cluster_size = 5;
	x[3] = INFINITY;
	tap_ok(hs_hdbscan(x, 400, 1, &opt, &r, &err) == -1 && err.status == HS_BAD_DATA && !r.label, "what is not finite is bad data");
}

static void threads(enum kind kind)
{
	enum { N = 8000, D = 3 };
	struct hs_err err = { 0 };
	double *x = points(kind, N, D);
	struct hs_hdbscan first = { 0 };
	int same = 1;
	for (int j = 1; j <= 8; j = j == 3 ? 8 : j + 1) {
		struct hs_hdbscan_options opt = { .min_cluster_size = 20, .min_points = 4 };
		struct hs_hdbscan r;
		hs_par_set_threads(j);
		same &= hs_hdbscan(x, N, D, &opt, &r, &err) == 0;
		if (!first.label) {
			first = r;
			continue;
		}
		same &= r.k == first.k && !memcmp(first.label, r.label, N * sizeof *r.label) &&
			!memcmp(first.strength, r.strength, N * sizeof *r.strength) && !memcmp(first.outlier, r.outlier, N * sizeof *r.outlier) &&
			r.n_branches == first.n_branches && !memcmp(first.stability, r.stability, r.k * sizeof *r.stability);
		for (size_t b = 0; b < r.n_branches && same; b++)
			same &= r.branch[b].stability == first.branch[b].stability && r.branch[b].parent == first.branch[b].parent;
		hs_hdbscan_release(&r);
	}
	tap_ok(same && first.n_branches > 1,
		"%s, 1, 2, 3 and 8 threads: the same bytes, %zu branches", kind_name[kind], first.n_branches);
	hs_par_set_threads(2);
	hs_hdbscan_release(&first);
	free(x);
}

static int driver(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), d = strtoul(argv[3], NULL, 10);
	struct hs_hdbscan_options opt = { .min_cluster_size = strtoul(argv[4], NULL, 10), .min_points = strtoul(argv[5], NULL, 10),
		.choice = strcmp(argv[6], "leaf") ? HS_HDBSCAN_MASS : HS_HDBSCAN_LEAF, .allow_single = atoi(argv[7]) != 0 };
	struct hs_err err = { 0 };
	struct hs_hdbscan r;
	double *x = malloc(n * d * sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(x, d * sizeof *x, n, f) != n)
		return 4;
	fclose(f);
	hs_par_set_threads(atoi(argv[8]));
	const double t0 = hs_clock_s();
	if (hs_hdbscan(x, n, d, &opt, &r, &err) < 0)
		return fprintf(stderr, "%s\n", err.text), 3;
	fprintf(stderr, "%.3f s, %zu clusters of %zu branches, %zu noise\n", hs_clock_s() - t0, r.k, r.n_branches, r.n_noise);
	fwrite(r.label, sizeof *r.label, n, stdout);
	fwrite(r.strength, sizeof *r.strength, n, stdout);
	fwrite(r.outlier, sizeof *r.outlier, n, stdout);
	fwrite(r.stability, sizeof *r.stability, r.k, stdout);
	hs_hdbscan_release(&r);
	free(x);
	return 0;
}

int main(int argc, char **argv)
{
	hs_par_set_threads(2);
	if (argc == 9)
		return driver(argv);
	for (enum kind kind = NORMAL; kind <= PILES; kind++) {
		spanning(kind, 600, 2, 1);
		spanning(kind, 500, 3, 6);
		spanning(kind, 300, 7, 20);
		spanning(kind, 2, 2, 2);
	}
	of_any_density();
	any_order(NORMAL, 1000, 2, 10, 5);
	any_order(GRID, 1000, 3, 5, 3);
	any_order(PILES, 1000, 3, 15, 4);
	corners();
	threads(NORMAL);
	threads(GRID);
	return tap_done();
}
