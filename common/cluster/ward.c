/* How it works. Clusters live in slots: a merge puts the new one into a slot of its parts. Both ways give raw merges of slots;
 * number_tree sorts them by height and numbers them with a union-find over leaves, as every slot is named by a leaf. */
#include "cluster/ward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/par.h"
#include "math/vector.h"

enum { PANEL = 2048, ASK_EVERY = 256 };   /* slots a thread looks at in one go; merges between two questions to stop */

struct work {
	size_t n, d;                  /* points; alive ones are slots 0 .. n-1 after compaction */
	double *x;                    /* d x n_all: coordinate c of slot j at c n_all + j, so that a loop over slots is wide */
	size_t n_all;
	double *weight;
	size_t *id;                   /* leaf that names the slot */
	size_t *slot;                 /* of the cluster that a leaf names */
	double scale;
};

struct raw {
	size_t a, b;                  /* leaves that name the parts */
	double height2;
	size_t order;
};

static void work_release(struct work *w)
{
	free(w->x);
	free(w->weight);
	free(w->id);
	free(w->slot);
}

/* Points less their mean, divided by a power of two near their spread. */
static int work_init(struct work *w, const double *x, size_t n, size_t d, const double *weight, struct hs_err *err)
{
	size_t values;
	*w = (struct work){ .n = n, .d = d, .n_all = n, .scale = 1 };
	if (!hs_mul(n, d, &values))
		return hs_fail(err, HS_SYSTEM, "%zu points of %zu coordinates are more than memory can hold", n, d);
	if (!(w->x = hs_alloc(values, sizeof *w->x, err)) || !(w->weight = hs_alloc(n, sizeof *w->weight, err)) ||
		!(w->id = hs_alloc(n, sizeof *w->id, err)) || !(w->slot = hs_alloc(n, sizeof *w->slot, err)))
		return -1;
	double top = 0;
	for (size_t c = 0; c < d; c++) {
		double mean = 0;
		for (size_t i = 0; i < n; i++)
			mean += x[i * d + c] / (double)n;
		for (size_t i = 0; i < n; i++) {
			w->x[c * n + i] = x[i * d + c] - mean;
			top = fmax(top, fabs(w->x[c * n + i]));
		}
	}
	if (!isfinite(top) || top > 1e154)
		return hs_fail(err, HS_BAD_DATA, "values are too large: their squares overflow");
	w->scale = top > 1e-300 ? exp2(-rint(log2(top))) : 1;
	for (size_t i = 0; i < values; i++)
		w->x[i] *= w->scale;
	for (size_t i = 0; i < n; i++) {
		w->weight[i] = weight ? weight[i] : 1;
		w->id[i] = w->slot[i] = i;
	}
	return 0;
}

/* ---- numbering ---- */

static int by_height(const void *a, const void *b)
{
	const struct raw *x = a, *y = b;
	return x->height2 != y->height2 ? (x->height2 > y->height2) - (x->height2 < y->height2)
					: (x->order > y->order) - (x->order < y->order);
}

static size_t root_of(size_t *parent, size_t i)
{
	size_t top = i;
	while (parent[top] != top)
		top = parent[top];
	while (parent[i] != top) {
		const size_t next = parent[i];
		parent[i] = top;
		i = next;
	}
	return top;
}

/* Merges in ascending order of height, numbered; parts are found by the leaves that name them. */
static int number_tree(struct raw *raw, size_t n, const double *weight, double scale, struct hs_dendrogram *out,
	struct hs_err *err)
{
	size_t *parent = hs_alloc(2 * n - 1, sizeof *parent, err);
	double *size = parent ? hs_alloc(2 * n - 1, sizeof *size, err) : NULL;
	out->merge = size ? hs_alloc(n - 1, sizeof *out->merge, err) : NULL;
	if (n > 1)
		qsort(raw, n - 1, sizeof *raw, by_height);
	for (size_t i = 0; out->merge && i < 2 * n - 1; i++) {
		parent[i] = i;
		size[i] = i >= n ? 0 : weight ? weight[i] : 1;
	}
	for (size_t i = 0; out->merge && i + 1 < n; i++) {
		const size_t a = root_of(parent, raw[i].a), b = root_of(parent, raw[i].b);
		parent[a] = parent[b] = n + i;
		size[n + i] = size[a] + size[b];
		out->merge[i] = (struct hs_merge){ a < b ? a : b, a < b ? b : a, sqrt(raw[i].height2) / scale, size[n + i] };
	}
	free(parent);
	free(size);
	return out->merge ? 0 : -1;
}

/* ---- the nearest-neighbour chain ---- */

struct near {
	double d2;
	size_t slot;
};

/* d2[j - from] = squared height of the merge of slot `of` with slots from .. to-1. */
HS_WIDE static void heights(const double *x, size_t n_all, size_t d, const double *weight, size_t of, size_t from, size_t to,
	double *d2)
{
	const double own = weight[of];
	for (size_t j = from; j < to; j++)
		d2[j - from] = 0;
	for (size_t c = 0; c < d; c++) {
		const double *row = x + c * n_all, here = row[of];
		for (size_t j = from; j < to; j++)
			d2[j - from] += (row[j] - here) * (row[j] - here);
	}
	for (size_t j = from; j < to; j++)
		d2[j - from] *= 2 * (own * weight[j]) / (own + weight[j]);
}

/* Cheaper, or as cheap and of a lower leaf. */
static bool nearer(const struct work *w, struct near a, struct near b)
{
	return b.slot == SIZE_MAX || a.d2 < b.d2 || (a.d2 == b.d2 && a.slot != SIZE_MAX && w->id[a.slot] < w->id[b.slot]);
}

static struct near nearest_in(const struct work *w, size_t of, size_t from, size_t to)
{
	struct near best = { INFINITY, SIZE_MAX };
	double d2[PANEL];
	heights(w->x, w->n_all, w->d, w->weight, of, from, to, d2);
	for (size_t j = from; j < to; j++)
		if (j != of && d2[j - from] <= best.d2 && nearer(w, (struct near){ d2[j - from], j }, best))
			best = (struct near){ d2[j - from], j };
	return best;
}

static struct near nearest(const struct work *w, size_t of)
{
	struct near best = { INFINITY, SIZE_MAX };
	const size_t panels = (w->n + PANEL - 1) / PANEL;
#pragma omp parallel for schedule(static) num_threads(hs_par_threads()) if (panels > 1)
	for (size_t k = 0; k < panels; k++) {
		const size_t to = (k + 1) * PANEL;
		const struct near own = nearest_in(w, of, k * PANEL, to < w->n ? to : w->n);
#pragma omp critical(hs_ward_nearest)
		if (own.slot != SIZE_MAX && nearer(w, own, best))
			best = own;
	}
	return best;
}

/* Slot a becomes the union, the last slot moves to b. */
static void join(struct work *w, size_t a, size_t b)
{
	const double wa = w->weight[a], wb = w->weight[b], share = wb / (wa + wb);
	const size_t last = w->n - 1;
	for (size_t c = 0; c < w->d; c++) {
		double *row = w->x + c * w->n_all;
		row[a] += (row[b] - row[a]) * share;
		row[b] = row[last];
	}
	w->weight[a] = wa + wb;
	w->weight[b] = w->weight[last];
	w->id[b] = w->id[last];
	w->slot[w->id[b]] = b;
	w->n--;
}

/* All that is alive becomes one; raw receives n - 1 merges. Returns 1 when stopped. */
static int run_chain(struct work *w, const struct hs_ward_options *opt, struct raw *raw, size_t *n_raw, struct hs_err *err)
{
	size_t *chain = hs_alloc(w->n, sizeof *chain, err), length = 0;       /* leaves that name the clusters */
	if (!chain)
		return -1;
	for (size_t asked = 0; w->n > 1; asked++) {
		if (asked % ASK_EVERY == 0 && opt->stop && opt->stop(opt->stop_ctx)) {
			free(chain);
			return 1;
		}
		if (!length)
			chain[length++] = w->id[0];
		const size_t tip = w->slot[chain[length - 1]];
		struct near best = nearest(w, tip);
		if (length > 1) {             /* of equally near ones the one it came from, or the chain would not end */
			const size_t before = w->slot[chain[length - 2]];
			double d2;
			heights(w->x, w->n_all, w->d, w->weight, tip, before, before + 1, &d2);
			if (d2 <= best.d2)
				best = (struct near){ d2, before };
		}
		if (length < 2 || best.slot != w->slot[chain[length - 2]]) {
			chain[length++] = w->id[best.slot];
			continue;
		}
		length -= 2;
		const size_t a = w->id[tip] < w->id[best.slot] ? tip : best.slot, b = a == tip ? best.slot : tip;
		raw[*n_raw] = (struct raw){ w->id[a], w->id[b], best.d2, *n_raw };
		++*n_raw;
		join(w, a, b);
	}
	free(chain);
	return 0;
}

int hs_ward(const double *x, size_t n, size_t d, const struct hs_ward_options *opt, struct hs_dendrogram *out, struct hs_err *err)
{
	struct work w;
	struct raw *raw = NULL;
	size_t n_raw = 0;
	*out = (struct hs_dendrogram){ .n = n };
	if (!n)
		return hs_fail(err, HS_USAGE, "there are no points to merge");
	int verdict = work_init(&w, x, n, d, opt->weight, err);
	if (verdict == 0)
		verdict = (raw = hs_alloc(n - 1, sizeof *raw, err)) ? run_chain(&w, opt, raw, &n_raw, err) : -1;
	out->stopped = verdict == 1;
	if (verdict == 0)
		verdict = number_tree(raw, n, opt->weight, w.scale, out, err);
	work_release(&w);
	free(raw);
	return verdict < 0 ? -1 : 0;
}

/* ---- only what touches ---- */

/* A merge that may come: of clusters a and b, which are numbered anew by every merge, so that an entry whose clusters are gone is
 * known by its numbers. */
struct candidate {
	double d2;
	size_t a, b;                  /* a < b */
};

struct list {
	size_t n, room;
	size_t *at;
};

struct touching {
	struct work *w;
	size_t n_made;                /* clusters so far: leaves and merges */
	size_t *place;                /* 2n - 1: slot of a living cluster; HS_NO_POINT: gone */
	size_t *into;                 /* 2n - 1: what a cluster became, or itself */
	size_t *seen;                 /* 2n - 1: the last merge that met it */
	struct list *near;            /* n: neighbours of the cluster in a slot, by numbers that may be outdated */
	struct candidate *heap;
	size_t n_heap, room;
};

static bool before(const struct candidate *x, const struct candidate *y)
{
	return x->d2 != y->d2 ? x->d2 < y->d2 : x->a != y->a ? x->a < y->a : x->b < y->b;
}

static void sift_down(struct candidate *heap, size_t n, size_t i, struct candidate c)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && before(heap + child + 1, heap + child))
			child++;
		if (!before(heap + child, &c))
			break;
		heap[i] = heap[child];
	}
	heap[i] = c;
}

/* Takes out the candidates whose clusters are gone: what is left are pairs that touch, never more than there were at first. The
 * order in which candidates come out does not depend on it. */
static void sweep(struct touching *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n_heap; i++)
		if (t->place[t->heap[i].a] != HS_NO_POINT && t->place[t->heap[i].b] != HS_NO_POINT)
			t->heap[n++] = t->heap[i];
	t->n_heap = n;
	for (size_t i = n / 2; i-- > 0;)
		sift_down(t->heap, n, i, t->heap[i]);
}

static int push(struct touching *t, struct candidate c, struct hs_err *err)
{
	const bool full = t->n_heap == t->room;
	if (full)
		sweep(t);
	if (full && t->n_heap >= t->room / 3 * 2) {
		const size_t room = t->room ? t->room + t->room / 2 + 16 : 1024;
		struct candidate *grown = realloc(t->heap, room * sizeof *grown);
		if (!grown)
			return hs_fail(err, HS_SYSTEM, "out of memory for %zu pairs of neighbours", room);
		t->heap = grown;
		t->room = room;
	}
	size_t i = t->n_heap++;
	for (; i && before(&c, t->heap + (i - 1) / 2); i = (i - 1) / 2)
		t->heap[i] = t->heap[(i - 1) / 2];
	t->heap[i] = c;
	return 0;
}

static struct candidate pop(struct touching *t)
{
	const struct candidate top = t->heap[0], last = t->heap[--t->n_heap];
	sift_down(t->heap, t->n_heap, 0, last);
	return top;
}

static int list_add(struct list *list, size_t value, struct hs_err *err)
{
	if (list->n == list->room) {
		const size_t room = list->room ? 2 * list->room : 4;
		size_t *grown = realloc(list->at, room * sizeof *grown);
		if (!grown)
			return hs_fail(err, HS_SYSTEM, "out of memory for lists of neighbours");
		list->at = grown;
		list->room = room;
	}
	list->at[list->n++] = value;
	return 0;
}

/* Squared height of the merge of two slots. */
static double cost(const struct work *w, size_t a, size_t b)
{
	double d2 = 0;
	for (size_t c = 0; c < w->d; c++) {
		const double apart = w->x[c * w->n_all + a] - w->x[c * w->n_all + b];
		d2 += apart * apart;
	}
	return d2 * (2 * (w->weight[a] * w->weight[b]) / (w->weight[a] + w->weight[b]));
}

static int add_edge(struct touching *t, size_t a, size_t b, struct hs_err *err)
{
	const struct candidate c = { cost(t->w, t->place[a], t->place[b]), a < b ? a : b, a < b ? b : a };
	return push(t, c, err);
}

/* The neighbours of the new cluster, each once, are those of its parts; it is entered with each of them. */
static int meet(struct touching *t, struct list *of, size_t self, struct list *all, struct hs_err *err)
{
	for (size_t i = 0; i < of->n; i++) {
		const size_t other = root_of(t->into, of->at[i]);
		if (other == self || t->seen[other] == self)
			continue;
		t->seen[other] = self;
		if (list_add(all, other, err) < 0 || add_edge(t, other, self, err) < 0)
			return -1;
	}
	free(of->at);
	*of = (struct list){ 0 };
	return 0;
}

/* Clusters a and b become number n_made, in the slot of a. */
static int unite(struct touching *t, size_t a, size_t b, struct hs_err *err)
{
	struct work *w = t->w;
	const size_t sa = t->place[a], sb = t->place[b], self = t->n_made++;
	const double share = w->weight[sb] / (w->weight[sa] + w->weight[sb]);
	struct list all = { 0 };
	for (size_t c = 0; c < w->d; c++)
		w->x[c * w->n_all + sa] += (w->x[c * w->n_all + sb] - w->x[c * w->n_all + sa]) * share;
	w->weight[sa] += w->weight[sb];
	w->weight[sb] = 0;
	t->place[a] = t->place[b] = HS_NO_POINT;
	t->place[self] = sa;
	t->into[a] = t->into[b] = t->into[self] = self;
	/* the longer list may be long, but its neighbours have a new distance each, so all of them are visited anyway */
	const int verdict = meet(t, t->near + sa, self, &all, err) < 0 ? -1 : meet(t, t->near + sb, self, &all, err);
	t->near[sa] = all;
	return verdict;
}

static int touching_init(struct touching *t, struct work *w, const size_t *edge, size_t n_edges, struct hs_err *err)
{
	const size_t n = w->n;
	*t = (struct touching){ .w = w, .n_made = n };
	if (!(t->place = hs_alloc(2 * n, sizeof *t->place, err)) || !(t->into = hs_alloc(2 * n, sizeof *t->into, err)) ||
		!(t->seen = hs_alloc(2 * n, sizeof *t->seen, err)) || !(t->near = hs_alloc(n, sizeof *t->near, err)))
		return -1;
	for (size_t i = 0; i < 2 * n; i++) {
		t->place[i] = i < n ? i : HS_NO_POINT;
		t->into[i] = i;
	}
	for (size_t e = 0; e < n_edges; e++) {
		const size_t a = edge[2 * e], b = edge[2 * e + 1];
		if (a >= n || b >= n || a == b)
			return hs_fail(err, HS_BUG, "an edge from point %zu to %zu of %zu", a, b, n);
		if (list_add(t->near + a, b, err) < 0 || list_add(t->near + b, a, err) < 0 || add_edge(t, a, b, err) < 0)
			return -1;
	}
	return 0;
}

static void touching_release(struct touching *t, size_t n)
{
	for (size_t i = 0; t->near && i < n; i++)
		free(t->near[i].at);
	free(t->near);
	free(t->place);
	free(t->into);
	free(t->seen);
	free(t->heap);
}

/* The cheapest pair that touches, until none does. Returns 1 when stopped. */
static int run_heap(struct touching *t, const struct hs_ward_options *opt, struct raw *raw, size_t *n_raw, struct hs_err *err)
{
	double height2 = 0;
	while (t->n_heap) {
		const struct candidate c = pop(t);
		if (t->place[c.a] == HS_NO_POINT || t->place[c.b] == HS_NO_POINT)
			continue;
		if (*n_raw % ASK_EVERY == 0 && opt->stop && opt->stop(opt->stop_ctx))
			return 1;
		height2 = fmax(height2, c.d2);
		raw[*n_raw] = (struct raw){ t->place[c.a], t->place[c.b], height2, *n_raw };
		++*n_raw;
		if (unite(t, c.a, c.b, err) < 0)
			return -1;
	}
	return 0;
}

/* Pieces that do not touch: living slots move together, and the chain goes on with them. */
static int join_pieces(struct work *w, const struct hs_ward_options *opt, struct raw *raw, size_t *n_raw, struct hs_err *err)
{
	const size_t from = *n_raw;
	size_t at = 0;
	for (size_t s = 0; s < w->n_all; s++) {
		if (!(w->weight[s] > 0))
			continue;
		for (size_t c = 0; c < w->d; c++)
			w->x[c * w->n_all + at] = w->x[c * w->n_all + s];
		w->weight[at] = w->weight[s];
		w->id[at] = s;
		w->slot[s] = at++;
	}
	w->n = at;
	const int verdict = run_chain(w, opt, raw, n_raw, err);
	if (verdict == 0 && *n_raw > from) {
		qsort(raw + from, *n_raw - from, sizeof *raw, by_height);
		for (size_t i = from; i < *n_raw; i++) {
			raw[i].order = i;
			raw[i].height2 = fmax(raw[i].height2, i ? raw[i - 1].height2 : 0);
		}
	}
	return verdict;
}

int hs_ward_connected(const double *x, size_t n, size_t d, const size_t *edge, size_t n_edges, const struct hs_ward_options *opt,
	struct hs_dendrogram *out, struct hs_err *err)
{
	struct work w;
	struct touching t = { 0 };
	struct raw *raw = NULL;
	size_t n_raw = 0;
	*out = (struct hs_dendrogram){ .n = n };
	if (!n)
		return hs_fail(err, HS_USAGE, "there are no points to merge");
	int verdict = work_init(&w, x, n, d, opt->weight, err);
	if (verdict == 0)
		verdict = (raw = hs_alloc(n - 1, sizeof *raw, err)) ? touching_init(&t, &w, edge, n_edges, err) : -1;
	if (verdict == 0)
		verdict = run_heap(&t, opt, raw, &n_raw, err);
	touching_release(&t, n);
	if (verdict == 0)
		verdict = join_pieces(&w, opt, raw, &n_raw, err);
	out->stopped = verdict == 1;
	if (verdict == 0)
		verdict = number_tree(raw, n, opt->weight, w.scale, out, err);
	work_release(&w);
	free(raw);
	return verdict < 0 ? -1 : 0;
}

void hs_dendrogram_release(struct hs_dendrogram *tree)
{
	free(tree->merge);
	*tree = (struct hs_dendrogram){ 0 };
}

/* ---- what is done with a tree ---- */

size_t hs_dendrogram_cut(const struct hs_dendrogram *tree, size_t k, int32_t *label, struct hs_err *err)
{
	const size_t n = tree->n;
	size_t equal = 0;             /* merges of points that are the same */
	while (equal + 1 < n && !(tree->merge[equal].height > 0))
		equal++;
	k = k < 1 ? 1 : k > n - equal ? n - equal : k;
	size_t *parent = hs_alloc(2 * n, sizeof *parent, err), next = 0;
	int32_t *name = parent ? hs_alloc(2 * n, sizeof *name, err) : NULL;
	for (size_t i = 0; name && i < 2 * n; i++) {
		parent[i] = i;
		name[i] = -1;
	}
	for (size_t i = 0; name && i + k < n; i++)
		parent[tree->merge[i].left] = parent[tree->merge[i].right] = n + i;
	for (size_t i = 0; name && i < n; i++) {
		const size_t root = root_of(parent, i);
		if (name[root] < 0)
			name[root] = (int32_t)next++;
		label[i] = name[root];
	}
	free(parent);
	const bool done = name;
	free(name);
	return done ? k : 0;
}

size_t *hs_grid_edges(const size_t *point, size_t n_maps, size_t n_y, size_t n_x, size_t *n_edges, struct hs_err *err)
{
	size_t *edge = hs_alloc(2 * n_maps * n_y * n_x, 2 * sizeof *edge, err), n = 0;
	for (size_t m = 0; edge && m < n_maps; m++)
		for (size_t y = 0; y < n_y; y++)
			for (size_t x = 0; x < n_x; x++) {
				const size_t *here = point + (m * n_y + y) * n_x + x;
				if (*here == HS_NO_POINT)
					continue;
				if (x + 1 < n_x && here[1] != HS_NO_POINT) {
					edge[2 * n] = here[0];
					edge[2 * n++ + 1] = here[1];
				}
				if (y + 1 < n_y && here[n_x] != HS_NO_POINT) {
					edge[2 * n] = here[0];
					edge[2 * n++ + 1] = here[n_x];
				}
			}
	*n_edges = n;
	return edge;
}

double hs_ward_bytes(double n, size_t d, double n_edges)
{
	const double work = n * (8 * (double)d + 24) + n * sizeof(struct raw), tree = n * sizeof(struct hs_merge);
	/* lists of neighbours in powers of two; the heap, half again as large as it has to be, meets an edge about three times */
	const double lists = n_edges > 0 ? n * (48 + sizeof(struct list) + 64) + 16 * n_edges + 4.5 * n_edges * sizeof(struct candidate)
					 : 8 * n;
	return work + tree + (lists > 32 * n ? lists : 32 * n);
}
