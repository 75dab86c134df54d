/* test_ward - trees of merges against the plain algorithm. With arguments it is one side of tests/oracle/clusters.py:
 *   test_ward MATRIX N D CONNECTED NY NX K
 * prints the merges (left right height size), then the labels of a cut into K. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/par.h"
#include "cluster/ward.h"
#include "tap.h"

static double *points(size_t n, size_t d, uint64_t seed, double offset, double scale)
{
	double *x = malloc(n * d * sizeof *x);
	for (size_t i = 0; i < n; i++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_TEST, i);
		for (size_t j = 0; j < d; j++)
			x[i * d + j] = offset + scale * (hs_rng_normal(&rng) + (j == i % 3 ? 5 : 0));
	}
	return x;
}

/* Heights of the merges, each found by looking at all pairs. touch: n x n, NULL for all. */
static void slow_heights(const double *x, size_t n, size_t d, const double *weight, uint8_t *touch, double *height)
{
	double *c = malloc(n * d * sizeof *c), *w = malloc(n * sizeof *w), top = 0;
	memcpy(c, x, n * d * sizeof *c);
	for (size_t i = 0; i < n; i++)
		w[i] = weight ? weight[i] : 1;
	for (size_t m = 0; m + 1 < n; m++) {
		double best = INFINITY;
		size_t a = 0, b = 0;
		for (size_t i = 0; i < n; i++)
			for (size_t j = i + 1; j < n && w[i] > 0; j++) {
				double d2 = 0;
				if (!(w[j] > 0) || (touch && !touch[i * n + j]))
					continue;
				for (size_t l = 0; l < d; l++)
					d2 += (c[i * d + l] - c[j * d + l]) * (c[i * d + l] - c[j * d + l]);
				d2 *= 2 * w[i] * w[j] / (w[i] + w[j]);
				if (d2 < best) {
					best = d2;
					a = i;
					b = j;
				}
			}
		height[m] = top = fmax(top, sqrt(best));
		for (size_t l = 0; l < d; l++)
			c[a * d + l] = (w[a] * c[a * d + l] + w[b] * c[b * d + l]) / (w[a] + w[b]);
		w[a] += w[b];
		w[b] = 0;
		for (size_t i = 0; touch && i < n; i++)
			if (touch[b * n + i] || touch[i * n + b])
				touch[a * n + i] = touch[i * n + a] = 1;
	}
	free(c);
	free(w);
}

/* Each node is used once, sizes add up, heights ascend, left < right. */
static bool is_tree(const struct hs_dendrogram *t, const double *weight)
{
	uint8_t *used = calloc(2 * t->n, 1);
	double *size = calloc(2 * t->n, sizeof *size);
	bool good = true;
	for (size_t i = 0; i < t->n; i++)
		size[i] = weight ? weight[i] : 1;
	for (size_t i = 0; i + 1 < t->n; i++) {
		const struct hs_merge *m = t->merge + i;
		good = good && m->left < m->right && m->right < t->n + i && !used[m->left] && !used[m->right];
		if (!good)
			break;
		used[m->left] = used[m->right] = 1;
		size[t->n + i] = size[m->left] + size[m->right];
		good = m->size == size[t->n + i] && (!i || m->height >= t->merge[i - 1].height);
	}
	free(used);
	free(size);
	return good;
}

static double worst_height(const struct hs_dendrogram *t, const double *height)
{
	double worst = 0;
	for (size_t i = 0; i + 1 < t->n; i++)
		worst = fmax(worst, fabs(t->merge[i].height - height[i]) / fmax(height[i], 1e-300));
	return worst;
}

static void test_tree(void)
{
	enum { N = 150, D = 4 };
	double height[N], weight[N];
	const double offset[] = { 0, 1e6, 0, 0 }, scale[] = { 1, 1, 1e-120, 1e120 };
	for (size_t i = 0; i < N; i++)
		weight[i] = 1 + (double)(i % 7);
	for (size_t t = 0; t < 8; t++) {
		double *x = points(N, D, t, offset[t % 4], scale[t % 4]);
		const double *w = t < 4 ? NULL : weight;
		struct hs_err err = { 0 };
		struct hs_dendrogram tree;
		const struct hs_ward_options o = { .weight = w };
		slow_heights(x, N, D, w, NULL, height);
		const int verdict = hs_ward(x, N, D, &o, &tree, &err);
		tap_ok(verdict == 0 && is_tree(&tree, w) && worst_height(&tree, height) < (t % 4 == 1 ? 1e-8 : 1e-10),
			"%s, origin %g, unit %g: heights of all pairs to %.1e", w ? "weighted" : "points", offset[t % 4], scale[t % 4],
			worst_height(&tree, height));
		hs_dendrogram_release(&tree);
		free(x);
	}
}

static void test_weights(void)
{
	/* a point of weight 3 is three points at one place */
	const double one[] = { 0, 1, 5, 7 }, weight[] = { 3, 1, 2, 1 }, all[] = { 0, 0, 0, 1, 5, 5, 7 };
	struct hs_err err = { 0 };
	struct hs_dendrogram a, b;
	const struct hs_ward_options plain = { 0 }, weighted = { .weight = weight };
	hs_ward(one, 4, 1, &weighted, &a, &err);
	hs_ward(all, 7, 1, &plain, &b, &err);
	bool same = b.merge[2].height == 0 && b.merge[3].height > 0;
	for (size_t i = 0; i < 3; i++)
		same = same && fabs(a.merge[i].height - b.merge[3 + i].height) < 1e-14 && a.merge[i].size == b.merge[3 + i].size;
	tap_ok(same, "weights are points at one place: heights %g %g %g", a.merge[0].height, a.merge[1].height, a.merge[2].height);
	tap_ok(fabs(a.merge[0].height - sqrt(1.5)) < 1e-14, "the first by hand");
	hs_dendrogram_release(&a);
	hs_dendrogram_release(&b);
}

static void test_cut(void)
{
	double *x = points(300, 3, 8, 0, 0.1);
	struct hs_err err = { 0 };
	struct hs_dendrogram tree;
	const struct hs_ward_options o = { 0 };
	int32_t label[300];
	for (size_t i = 0; i < 300; i++)
		x[i * 3 + i % 3] += 4;
	hs_ward(x, 300, 3, &o, &tree, &err);
	size_t wrong = hs_dendrogram_cut(&tree, 3, label, &err) != 3;
	for (size_t i = 0; i < 300; i++)
		wrong += label[i] != (int32_t)(i % 3);
	tap_ok(!wrong, "a cut into three: the three groups, numbered by their lowest point");
	tap_ok(hs_dendrogram_cut(&tree, 1, label, &err) == 1 && label[299] == 0 && hs_dendrogram_cut(&tree, 999, label, &err) == 300 &&
			label[299] == 299,
		"into one, and into more than there are points");
	hs_dendrogram_release(&tree);
	free(x);
}

static void test_large(void)
{
	const size_t n = 5000, d = 5;   /* several panels */
	double *x = points(n, d, 3, 0, 1);
	struct hs_err err = { 0 };
	struct hs_dendrogram one, many;
	const struct hs_ward_options o = { 0 };
	for (size_t i = 0; i < n * d; i++)      /* many equal distances */
		x[i] = round(x[i]);
	hs_par_set_threads(1);
	hs_ward(x, n, d, &o, &one, &err);
	hs_par_set_threads(3);
	hs_ward(x, n, d, &o, &many, &err);
	hs_par_set_threads(0);
	tap_ok(is_tree(&one, NULL) && !memcmp(one.merge, many.merge, (n - 1) * sizeof *one.merge),
		"%zu points with ties: the same bytes for 1 and 3 threads", n);
	hs_dendrogram_release(&one);
	hs_dendrogram_release(&many);
	free(x);
}

static void test_connected(void)
{
	enum { NY = 9, NX = 11, N = NY * NX };
	double *x = points(N, 2, 6, 0, 1), height[N];
	size_t point[N], n_edges;
	uint8_t *touch = calloc(N * N, 1);
	struct hs_err err = { 0 };
	struct hs_dendrogram tree;
	const struct hs_ward_options o = { 0 };
	for (size_t i = 0; i < N; i++)
		point[i] = i;
	size_t *edge = hs_grid_edges(point, 1, NY, NX, &n_edges, &err);
	tap_ok(n_edges == NY * (NX - 1) + (NY - 1) * NX, "%zu edges of a grid", n_edges);
	for (size_t e = 0; e < n_edges; e++)
		touch[edge[2 * e] * N + edge[2 * e + 1]] = touch[edge[2 * e + 1] * N + edge[2 * e]] = 1;
	slow_heights(x, N, 2, NULL, touch, height);
	const int verdict = hs_ward_connected(x, N, 2, edge, n_edges, &o, &tree, &err);
	tap_ok(verdict == 0 && is_tree(&tree, NULL) &&
			worst_height(&tree, height) < 1e-10,
		"only neighbours merge: heights of all pairs that touch to %.1e", worst_height(&tree, height));
	free(edge);
	hs_dendrogram_release(&tree);

	/* a wall of missing pixels cuts the map in two, which join last */
	size_t n = 0;
	for (size_t i = 0; i < N; i++)
		point[i] = i % NX == 5 ? HS_NO_POINT : n++;
	edge = hs_grid_edges(point, 1, NY, NX, &n_edges, &err);
	int32_t label[N];
	size_t wrong = hs_ward_connected(x, n, 2, edge, n_edges, &o, &tree, &err) < 0 || !is_tree(&tree, NULL);
	wrong += hs_dendrogram_cut(&tree, 2, label, &err) != 2;
	for (size_t i = 0; i < N; i++)
		if (point[i] != HS_NO_POINT)
			wrong += label[point[i]] != (i % NX > 5);
	tap_ok(!wrong, "two pieces that do not touch join last");
	free(edge);
	hs_dendrogram_release(&tree);
	const size_t bad[] = { 0, N };
	tap_ok(hs_ward_connected(x, N, 2, bad, 1, &o, &tree, &err) < 0 && err.status == HS_BUG, "an edge to nowhere is caught");
	hs_dendrogram_release(&tree);
	free(touch);
	free(x);
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_corners(void)
{
	struct hs_err err = { 0 };
	struct hs_dendrogram tree;
	const struct hs_ward_options o = { 0 }, stopping = { .stop = at_once };
	double same[20] = { 0 }, huge[2] = { -1e300, 1e300 };
	int32_t label[20];
	tap_ok(hs_ward(same, 1, 1, &o, &tree, &err) == 0 && tree.n == 1 && hs_dendrogram_cut(&tree, 3, label, &err) == 1 &&
			label[0] == 0,
		"one point");
	hs_dendrogram_release(&tree);
	tap_ok(hs_ward(same, 10, 2, &o, &tree, &err) == 0 && tree.merge[8].height == 0 && is_tree(&tree, NULL) &&
			hs_dendrogram_cut(&tree, 3, label, &err) == 1,
		"all the same: heights of 0, one cluster however many are asked");
	hs_dendrogram_release(&tree);
	tap_ok(hs_ward(same, 10, 2, &stopping, &tree, &err) == 0 && tree.stopped && !tree.merge, "stopped: no merges");
	hs_dendrogram_release(&tree);
	tap_ok(hs_ward(huge, 2, 1, &o, &tree, &err) < 0 && err.status == HS_BAD_DATA, "squares that overflow are refused");
	hs_dendrogram_release(&tree);
}

static int oracle(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), d = strtoul(argv[3], NULL, 10), k = strtoul(argv[7], NULL, 10);
	double *x = malloc(n * d * sizeof *x);
	size_t *point = malloc(n * sizeof *point), n_edges;
	int32_t *label = malloc(n * sizeof *label);
	FILE *f = fopen(argv[1], "rb");
	struct hs_err err = { 0 };
	struct hs_dendrogram tree;
	const struct hs_ward_options o = { 0 };
	if (!f || fread(x, d * sizeof *x, n, f) != n)
		return 3;
	fclose(f);
	for (size_t i = 0; i < n; i++)
		point[i] = i;
	const size_t n_y = strtoul(argv[5], NULL, 10), n_x = strtoul(argv[6], NULL, 10);
	size_t *edge = atoi(argv[4]) ? hs_grid_edges(point, 1, n_y, n_x, &n_edges, &err) : NULL;
	if ((edge ? hs_ward_connected(x, n, d, edge, n_edges, &o, &tree, &err) : hs_ward(x, n, d, &o, &tree, &err)) < 0)
		return 1;
	for (size_t i = 0; i + 1 < n; i++)
		printf("%zu %zu %.17g %.17g\n", tree.merge[i].left, tree.merge[i].right, tree.merge[i].height, tree.merge[i].size);
	hs_dendrogram_cut(&tree, k, label, &err);
	for (size_t i = 0; i < n; i++)
		printf("%d\n", label[i]);
	hs_dendrogram_release(&tree);
	free(edge);
	free(point);
	free(label);
	free(x);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 7)
		return oracle(argv);
	test_tree();
	test_weights();
	test_cut();
	test_large();
	test_connected();
	test_corners();
	return tap_done();
}
