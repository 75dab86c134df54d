#include "cluster/spectral.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cluster/kmeans.h"
#include "cluster/lanczos.h"
#include "math/par.h"
#include "cluster/parts.h"
#include "cluster/spanning.h"

enum {
	SCALE_NEIGHBOUR = 7,          /* whose distance is the scale of a vertex */
	LANDMARK_STEPS = 4,           /* of k-means: landmarks spread evenly over where points are; more changes little */
	MOST_RESTARTS = 400
};
static const double faintest = 20;    /* edges weigh e^-20 at least */
static const double tolerance = 1e-8;
static const double nothing = 1e-6;   /* an eigenvalue that is as good as zero when gaps are measured */

struct graph {
	size_t n, d;
	double *x;                    /* n x d: the vertices */
	size_t *first;                /* n + 1: where the edges of a vertex begin */
	uint32_t *end;                /* the other end of each edge, every edge in both directions */
	double *weight;               /* of the edges; divided by the roots of both degrees once there are degrees */
	double *root_degree;          /* n */
	uint32_t *part;               /* n: components */
};

struct work {
	const struct hs_spectral_options *opt;
	size_t n, d;
	uint32_t *vertex;             /* n: of each point */
	struct graph g;
	int32_t *label;               /* g.n */
	double *vector;               /* n_eig x g.n, eigenvalues in out */
};

struct hs_spectral_options hs_spectral_defaults(size_t k)
{
	return (struct hs_spectral_options){ .k = k, .k_max = 12, .neighbours = 15, .restarts = 10 };
}

void hs_spectral_release(struct hs_spectral *result)
{
	free(result->label);
	free(result->size);
	free(result->eigenvalue);
	*result = (struct hs_spectral){ 0 };
}

static void work_release(struct work *w)
{
	free(w->vertex);
	free(w->g.x);
	free(w->g.first);
	free(w->g.end);
	free(w->g.weight);
	free(w->g.root_degree);
	free(w->g.part);
	free(w->label);
	free(w->vector);
}

static bool out_of_time(const struct hs_spectral_options *opt)
{
	return opt->stop && opt->stop(opt->stop_ctx);
}

/* ---- vertices ---- */

struct places {
	const double *x;
	size_t d;
};

static int by_place(const void *a, const void *b, void *ctx)
{
	const struct places *p = ctx;
	const uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const double *x = p->x + i * p->d, *y = p->x + j * p->d;
	for (size_t c = 0; c < p->d; c++)
		if (x[c] != y[c])
			return x[c] < y[c] ? -1 : 1;
	return (i > j) - (i < j);
}

/* Equal points become one vertex; vertices are in the order of their first points. */
static int find_vertices(struct work *w, const double *x, struct hs_err *err)
{
	const size_t n = w->n, d = w->d;
	struct places places = { x, d };
	uint32_t *order = hs_alloc(n, sizeof *order, err), *first = order ? hs_alloc(n, sizeof *first, err) : NULL;
	int verdict = -1;
	if (first && (w->vertex = hs_alloc(n, sizeof *w->vertex, err))) {
		for (size_t i = 0; i < n; i++)
			order[i] = (uint32_t)i;
		qsort_r(order, n, sizeof *order, by_place, &places);
		for (size_t i = 0; i < n; i++) {
			bool same = i > 0;
			for (size_t c = 0; c < d && same; c++)
				same = x[order[i] * d + c] == x[order[i - 1] * d + c];
			first[order[i]] = same ? first[order[i - 1]] : order[i];
		}
		for (size_t i = 0; i < n; i++)
			w->vertex[i] = first[i] == i ? (uint32_t)w->g.n++ : w->vertex[first[i]];
		if ((w->g.x = hs_alloc(w->g.n * d, sizeof *w->g.x, err))) {
			for (size_t i = 0; i < n; i++)
				if (first[i] == i)
					memcpy(w->g.x + w->vertex[i] * d, x + i * d, d * sizeof *x);
			verdict = 0;
		}
	}
	free(order);
	free(first);
	return verdict;
}

/* m of n different numbers, by chance, ascending. */
static void draw_sample(uint32_t *all, size_t n, size_t m, uint64_t seed)
{
	struct hs_rng rng;
	size_t kept = 0;
	hs_rng_init(&rng, seed, HS_STREAM_LANDMARK, 0);
	/* selection sampling: each is taken with the chance that is left for it */
	for (size_t i = 0; i < n && kept < m; i++)
		if (hs_rng_below(&rng, n - i) < m - kept)
			all[kept++] = (uint32_t)i;
}

/* The nearest landmark of every vertex. */
static int find_homes(const struct work *w, const double *landmark, size_t m, uint32_t *home, struct hs_err *err)
{
	struct hs_neighbours *tree = hs_neighbours_new(landmark, m, w->d, err);
	const int verdict = tree ?
		hs_neighbours_of(tree, w->g.x, w->g.n, 1, home, NULL, w->opt->stop, w->opt->stop_ctx, err) : -1;
	hs_neighbours_free(tree);
	return verdict;
}

/* Landmarks move to the mean of the vertices they are nearest to; those that are nearest to none stay. */
static void move_landmarks(const struct work *w, const uint32_t *home, double *landmark, size_t *count, size_t m)
{
	const size_t d = w->d;
	memset(count, 0, m * sizeof *count);
	for (size_t v = 0; v < w->g.n; v++) {
		const double part = 1 / (double)++count[home[v]];
		double *at = landmark + home[v] * d;
		for (size_t c = 0; c < d; c++)
			at[c] = count[home[v]] == 1 ? w->g.x[v * d + c] : at[c] + part * (w->g.x[v * d + c] - at[c]);
	}
}

/* The graph goes on with the landmarks that have a vertex. */
static void settle_landmarks(struct work *w, uint32_t *home, double *landmark, uint32_t *name, size_t m)
{
	size_t kept = 0;
	memset(name, 0, m * sizeof *name);
	for (size_t v = 0; v < w->g.n; v++)
		name[home[v]] = 1;
	for (size_t l = 0; l < m; l++)
		if (name[l]) {
			memmove(landmark + kept * w->d, landmark + l * w->d, w->d * sizeof *landmark);
			name[l] = (uint32_t)kept++;
		}
	for (size_t i = 0; i < w->n; i++)
		w->vertex[i] = name[home[w->vertex[i]]];
	free(w->g.x);
	w->g.x = landmark;
	w->g.n = kept;
}

static int take_landmarks(struct work *w, struct hs_err *err)
{
	const size_t m = HS_SPECTRAL_LANDMARKS, d = w->d;
	uint32_t *name = hs_alloc(m, sizeof *name, err), *home = name ? hs_alloc(w->g.n, sizeof *home, err) : NULL;
	size_t *count = home ? hs_alloc(m, sizeof *count, err) : NULL;
	double *landmark = count ? hs_alloc(m * d, sizeof *landmark, err) : NULL;
	int verdict = landmark ? 0 : -1;
	if (landmark) {
		draw_sample(name, w->g.n, m, w->opt->seed);
		for (size_t l = 0; l < m; l++)
			memcpy(landmark + l * d, w->g.x + name[l] * d, d * sizeof *landmark);
	}
	for (int step = 0; step < LANDMARK_STEPS && verdict == 0; step++)
		if ((verdict = find_homes(w, landmark, m, home, err)) == 0)
			move_landmarks(w, home, landmark, count, m);
	if (verdict == 0)
		verdict = find_homes(w, landmark, m, home, err);
	if (verdict == 0) {
		settle_landmarks(w, home, landmark, name, m);
		landmark = NULL;
	}
	free(name);
	free(home);
	free(count);
	free(landmark);
	return verdict;
}

/* ---- the graph ---- */

static bool in_list(const uint32_t *list, size_t k, uint32_t who)
{
	for (size_t j = 0; j < k; j++)
		if (list[j] == who)
			return true;
	return false;
}

/* Quotients before products: the distances may be of any size. */
static double edge_weight(double distance, double scale_a, double scale_b)
{
	const double exponent = scale_a > 0 && scale_b > 0 ? (distance / scale_a) * (distance / scale_b) : distance > 0 ? faintest : 0;
	return exp(-fmin(exponent, faintest));
}

/* Edges from the lists of nearest (n x k), in both directions: a-b when a is near b or b near a. */
static int lay_edges(struct graph *g, const uint32_t *near, const double *distance, size_t k, struct hs_err *err)
{
	const size_t n = g->n, scale = k < SCALE_NEIGHBOUR ? k - 1 : SCALE_NEIGHBOUR - 1;
	size_t *fill = hs_alloc(n, sizeof *fill, err);
	if (!fill || !(g->first = hs_alloc(n + 1, sizeof *g->first, err))) {
		free(fill);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		fill[i] += k;
		for (size_t j = 0; j < k; j++)
			fill[near[i * k + j]] += !in_list(near + near[i * k + j] * k, k, (uint32_t)i);
	}
	for (size_t i = 0; i < n; i++) {
		g->first[i + 1] = g->first[i] + fill[i];
		fill[i] = g->first[i];
	}
	g->end = hs_alloc(g->first[n], sizeof *g->end, err);
	g->weight = g->end ? hs_alloc(g->first[n], sizeof *g->weight, err) : NULL;
	for (size_t i = 0; i < n && g->weight; i++)
		for (size_t j = 0; j < k; j++) {
			const uint32_t to = near[i * k + j];
			const double weight = edge_weight(distance[i * k + j], distance[i * k + scale], distance[to * k + scale]);
			g->end[fill[i]] = to;
			g->weight[fill[i]++] = weight;
			if (in_list(near + to * k, k, (uint32_t)i))
				continue;
			g->end[fill[to]] = (uint32_t)i;
			g->weight[fill[to]++] = weight;
		}
	free(fill);
	return g->weight ? 0 : -1;
}

/* Weights become those of the normalised matrix; components are counted. */
static int normalise(struct graph *g, size_t *n_components, struct hs_err *err)
{
	if (!(g->root_degree = hs_alloc(g->n, sizeof *g->root_degree, err)) || !(g->part = hs_alloc(g->n, sizeof *g->part, err)))
		return -1;
	hs_parts_init(g->part, g->n);
	*n_components = g->n;
	for (size_t i = 0; i < g->n; i++) {
		double degree = 0;
		for (size_t e = g->first[i]; e < g->first[i + 1]; e++) {
			degree += g->weight[e];
			*n_components -= (size_t)hs_parts_join(g->part, (uint32_t)i, g->end[e]);
		}
		g->root_degree[i] = sqrt(degree);
	}
	for (size_t i = 0; i < g->n; i++)
		for (size_t e = g->first[i]; e < g->first[i + 1]; e++)
			g->weight[e] /= g->root_degree[i] * g->root_degree[g->end[e]];
	return 0;
}

/* The neighbour graph of the vertices, of which there are two at least. */
static int make_graph(struct work *w, size_t *n_components, struct hs_err *err)
{
	struct graph *g = &w->g;
	const size_t k = w->opt->neighbours < g->n - 1 ? w->opt->neighbours : g->n - 1;
	struct hs_neighbours *tree = hs_neighbours_new(g->x, g->n, w->d, err);
	uint32_t *near = tree ? hs_alloc(g->n * k, sizeof *near, err) : NULL;
	double *distance = near ? hs_alloc(g->n * k, sizeof *distance, err) : NULL;
	int verdict = -1;
	if (distance)
		verdict = hs_neighbours_nearest(tree, k, near, distance, w->opt->stop, w->opt->stop_ctx, err);
	hs_neighbours_free(tree);
	if (verdict == 0)
		verdict = lay_edges(g, near, distance, k, err);
	free(near);
	free(distance);
	return verdict == 0 ? normalise(g, n_components, err) : verdict;
}

static void apply(const void *ctx, const double *x, size_t m, double *y)
{
	const struct graph *g = ctx;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (g->n * m > 8192)
	for (size_t i = 0; i < g->n; i++) {
		for (size_t v = 0; v < m; v++) {
			const double *from = x + v * g->n;
			double sum = 0;
			for (size_t e = g->first[i]; e < g->first[i + 1]; e++)
				sum += g->weight[e] * from[g->end[e]];
			y[v * g->n + i] = sum;
		}
	}
}

/* ---- when the graph has fallen apart ---- */

/* Components are joined where they are nearest until k are left; the labels are their lowest vertices. */
static int join_components(struct work *w, size_t n_components, size_t k, struct hs_err *err)
{
	struct graph *g = &w->g;
	struct hs_neighbours *tree = n_components > k ? hs_neighbours_new(g->x, g->n, w->d, err) : NULL;
	struct hs_edge *edge = tree ? hs_alloc(g->n, sizeof *edge, err) : NULL;
	int verdict = n_components == k ? 0 : -1;
	if (edge)
		verdict = hs_spanning_tree(tree, NULL, edge, w->opt->stop, w->opt->stop_ctx, err);
	for (size_t e = 0; verdict == 0 && n_components > k; e++)
		n_components -= (size_t)hs_parts_join(g->part, edge[e].a, edge[e].b);
	for (size_t i = 0; i < g->n; i++)
		w->label[i] = (int32_t)hs_parts_root(g->part, (uint32_t)i);
	hs_neighbours_free(tree);
	free(edge);
	return verdict;
}

/* ---- when it has not ---- */

/* The null space of the Laplacian: one vector a component, root_degree there and zero elsewhere, of unit length. */
static int null_vectors(const struct work *w, size_t n_components, struct hs_err *err)
{
	const struct graph *g = &w->g;
	uint32_t *name = hs_alloc(g->n, sizeof *name, err);
	double *square = name ? hs_alloc(n_components, sizeof *square, err) : NULL;
	size_t found = 0;
	for (size_t i = 0; i < g->n && square; i++) {
		const uint32_t root = hs_parts_root(g->part, (uint32_t)i);
		if (root == i)
			name[i] = (uint32_t)found++;
		square[name[root]] += g->root_degree[i] * g->root_degree[i];
	}
	for (size_t i = 0; i < g->n && square; i++) {
		const uint32_t c = name[hs_parts_root(g->part, (uint32_t)i)];
		w->vector[c * g->n + i] = g->root_degree[i] / sqrt(square[c]);
	}
	const int verdict = square ? 0 : -1;
	free(name);
	free(square);
	return verdict;
}

/* Eigenvalues into out, vectors into w, the null space first. */
static int solve(struct work *w, struct hs_spectral *out, struct hs_err *err)
{
	const size_t c = out->n_components, wanted = out->n_eig - c;
	if (!(w->vector = hs_alloc(out->n_eig * w->g.n, sizeof *w->vector, err)) || null_vectors(w, c, err) < 0)
		return -1;
	const struct hs_lanczos p = { .n = w->g.n, .k = wanted, .apply = apply, .ctx = &w->g, .locked = w->vector, .n_locked = c,
		.tol = tolerance, .max_restarts = MOST_RESTARTS, .seed = w->opt->seed, .stop = w->opt->stop,
		.stop_ctx = w->opt->stop_ctx };
	const int verdict = hs_lanczos(&p, out->eigenvalue + c, w->vector + c * w->g.n, NULL, err);
	if (verdict < 0)
		return -1;
	for (size_t i = 0; i < out->n_eig; i++)
		out->eigenvalue[i] = i < c ? 0 : fmax(1 - out->eigenvalue[i], 0);
	if (verdict > 0 && out_of_time(w->opt))
		return 1;
	out->status = verdict ? HS_SPECTRAL_MAXITER : HS_SPECTRAL_CONVERGED;
	return 0;
}

/* Relative gap after eigenvalue k. */
static double gap_after(const struct hs_spectral *out, size_t k)
{
	if (k >= out->n_eig)
		return (double)NAN;
	return (out->eigenvalue[k] - out->eigenvalue[k - 1]) / (out->eigenvalue[k] + nothing);
}

static size_t largest_gap(const struct hs_spectral *out, size_t k_max)
{
	size_t best = 2;
	for (size_t k = 3; k <= k_max && k < out->n_eig; k++)
		if (gap_after(out, k) > gap_after(out, best))
			best = k;
	return best;
}

/* Rows of the first k eigenvectors, brought to unit length, by k-means. */
static int cluster_rows(struct work *w, size_t k, struct hs_spectral *out, struct hs_err *err)
{
	const size_t n = w->g.n;
	double *y = hs_alloc(n * k, sizeof *y, err);
	struct hs_rowsource *rows = NULL;
	struct hs_kmeans found = { 0 };
	int verdict = -1;
	for (size_t i = 0; i < n && y; i++) {
		double square = 0;
		for (size_t j = 0; j < k; j++) {
			y[i * k + j] = w->vector[j * n + i];
			square += y[i * k + j] * y[i * k + j];
		}
		for (size_t j = 0; j < k && square > 0; j++)
			y[i * k + j] /= sqrt(square);
	}
	struct hs_kmeans_options opt = hs_kmeans_defaults(k);
	opt.restarts = w->opt->restarts;
	opt.seed = w->opt->seed;
	opt.stop = w->opt->stop;
	opt.stop_ctx = w->opt->stop_ctx;
	if (y && (rows = hs_array_rows_new(y, HS_ROW_F64, n, k, NULL, err)))
		verdict = hs_kmeans(rows, &opt, &found, err);
	if (verdict == 0) {
		memcpy(w->label, found.label, n * sizeof *w->label);
		if (found.status == HS_KMEANS_STOPPED)
			verdict = 1;
		else if (found.status == HS_KMEANS_MAXITER)
			out->status = HS_SPECTRAL_MAXITER;
	}
	hs_kmeans_release(&found);
	hs_array_rows_free(rows);
	free(y);
	return verdict;
}

/* ---- the whole ---- */

/* Labels of the vertices. */
static int label_vertices(struct work *w, struct hs_spectral *out, struct hs_err *err)
{
	const size_t n = w->g.n, asked = w->opt->k ? w->opt->k : w->opt->k_max;
	if (!(w->label = hs_alloc(n, sizeof *w->label, err)))
		return -1;
	if (n <= asked && (w->opt->k || n <= 2)) {    /* every vertex by itself */
		for (size_t i = 0; i < n; i++)
			w->label[i] = (int32_t)i;
		return 0;
	}
	int verdict = make_graph(w, &out->n_components, err);
	if (verdict)
		return verdict;
	out->n_eig = asked + 1 < n ? asked + 1 : n;
	if (!(out->eigenvalue = hs_alloc(out->n_eig, sizeof *out->eigenvalue, err)))
		return -1;
	for (size_t i = 0; i < out->n_eig; i++)
		out->eigenvalue[i] = (double)NAN;
	if (out->n_components >= asked)
		return join_components(w, out->n_components, asked, err);
	if ((verdict = solve(w, out, err)) != 0)
		return verdict;
	const size_t k = w->opt->k ? w->opt->k : largest_gap(out, w->opt->k_max);
	out->gap = gap_after(out, k);
	return cluster_rows(w, k, out, err);
}

static int cluster(struct work *w, const double *x, struct hs_spectral *out, struct hs_err *err)
{
	int verdict = find_vertices(w, x, err);
	if (verdict == 0 && w->g.n > HS_SPECTRAL_WHOLE) {
		out->landmarks = true;
		verdict = take_landmarks(w, err);
	}
	out->n_vertices = w->g.n;
	if (verdict == 0)
		verdict = label_vertices(w, out, err);
	for (size_t i = 0; i < w->n && verdict >= 0; i++)
		out->label[i] = verdict == 0 ? w->label[w->vertex[i]] : -1;
	if (verdict > 0)
		out->status = HS_SPECTRAL_STOPPED;
	return verdict < 0 ? -1 : hs_parts_settle(out->label, w->n, w->g.n, &out->k, &out->size, NULL, err);
}

int hs_spectral(
	const double *x, size_t n, size_t d, const struct hs_spectral_options *opt, struct hs_spectral *out, struct hs_err *err)
{
	*out = (struct hs_spectral){ .n = n, .gap = (double)NAN };
	if ((!opt->k && opt->k_max < 2) || !opt->neighbours || !opt->restarts)
		return hs_fail(err, HS_USAGE, "spectral clustering needs at least two clusters to choose from, one neighbour and one start");
	size_t n_x;
	if (!n || !d || n >= (size_t)1 << 31 || !hs_mul(n, d, &n_x))
		return hs_fail(err, HS_BAD_DATA, "%zu points of %zu coordinates cannot be searched for neighbours", n, d);
	for (size_t i = 0; i < n_x; i++)
		if (!(fabs(x[i]) <= 0x1p1000))
			return hs_fail(err, HS_BAD_DATA, "points hold values that are not finite or beyond 1e301");
	struct work w = { .opt = opt, .n = n, .d = d, .g.d = d };
	out->label = hs_alloc(n, sizeof *out->label, err);
	const int verdict = out->label ? cluster(&w, x, out, err) : -1;
	work_release(&w);
	if (verdict < 0)
		hs_spectral_release(out);
	return verdict;
}

size_t hs_spectral_bytes(size_t n, size_t d, size_t k, size_t neighbours, int threads)
{
	threads = threads > 0 ? threads : hs_par_threads();
	const double rows = (double)n, width = (double)d, near = (double)neighbours;
	const double v = n < HS_SPECTRAL_WHOLE ? rows : HS_SPECTRAL_WHOLE, n_eig = (double)k + 1;
	/* points: label, vertex, the vertices themselves; then sorting them, or landmarks and who is near them */
	const double held = rows * (4 + 4 + 8 * width);
	const double points = rows * 12 + v * (16 + 8 * width) + hs_neighbours_bytes(v, d) + threads * (16 * near + 8 * width);
	const double edges = v * (near * 2 * 12 + 8 + 8 + 4), lists = v * near * 12 + hs_neighbours_bytes(v, d) + 8 * v;
	const double joining = hs_neighbours_bytes(v, d) + v * sizeof(struct hs_edge) + hs_spanning_bytes(v, d);
	const double solving = v * n_eig * 8 + hs_lanczos_bytes(v, k + 1, k);
	const double kmeans = v * n_eig * 16 + (double)hs_kmeans_bytes((size_t)v, k ? k : 1, k ? k : 1, 10, threads);
	const double graph = edges + fmax(lists, fmax(joining, fmax(solving, kmeans)));
	const double bytes = held + fmax(points, graph) + v * (6 * sizeof(size_t) + 4 + 8) + 0x1p16;
	return bytes < 0x1p62 ? (size_t)bytes : (size_t)1 << 62;
}
