/* How it works. The bounds of distance.h say for most rows of a block which centre is nearest; the rest are measured in
 * float64. A row whose centre is nearer by more than the centres have moved since keeps its label without being looked at
 * (Hamerly, SDM 2010, 130, with one bound a row: the margin). What a block changes, the rows that moved and their sums, is a
 * partial; partials merge in the fixed tree. */
#include "cluster/lloyd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/distance.h"
#include "math/vector.h"

static const size_t centre_bytes = 16u << 20;

/* ---- starts ---- */

struct hs_start *hs_starts_new(size_t n, size_t k, size_t p, struct hs_err *err)
{
	struct hs_start *starts = hs_alloc(n, sizeof *starts, err);
	for (size_t r = 0; starts && r < n; r++) {
		struct hs_start *s = starts + r;
		*s = (struct hs_start){ .number = r, .k = k };
		if (!(s->centre = hs_alloc(k * p, sizeof(double), err)) || !(s->sum = hs_alloc(k * p, sizeof(double), err)) ||
			!(s->count = hs_alloc(k, sizeof(int64_t), err)) || !(s->absent = hs_alloc(k, 1, err)) ||
			!(s->moved = hs_alloc(k, sizeof(double), err))) {
			hs_starts_free(starts, n);
			return NULL;
		}
		memset(s->absent, 1, k);
	}
	return starts;
}

void hs_start_release(struct hs_start *start)
{
	free(start->centre);
	free(start->sum);
	free(start->count);
	free(start->absent);
	free(start->label);
	free(start->margin);
	free(start->moved);
	free(start->trace);
	*start = (struct hs_start){ 0 };
}

void hs_starts_free(struct hs_start *starts, size_t n)
{
	for (size_t r = 0; starts && r < n; r++)
		hs_start_release(starts + r);
	free(starts);
}

double *hs_start_place(struct hs_start *start, size_t c, size_t p)
{
	start->absent[c] = 0;
	return start->centre + c * p;
}

double hs_start_bytes(size_t p, size_t k)
{
	return 16 * (double)p * (double)k + 17 * (double)k + 16 * HS_TRACE_MOST + sizeof(struct hs_start);
}

/* ---- a pass over blocks ---- */

struct pass {
	const struct hs_view *view;
	struct hs_start **start;      /* n_starts still running, k centres each */
	size_t n_starts, k, p, n_centres;
	bool may_leave;               /* rows out: all centres have members, so nobody looks for the row farthest from its centre */
	float *loss;                  /* a centre: what its members' margin has lost by the last moves */
	struct hs_centres centres;
	struct hs_scratch *scratch;
	struct hs_tree *tree;
};

/* What a block changes. */
struct change {
	int64_t *moved;               /* a start: rows with a new label */
	double *far;                  /* a start: |z - centre|^2 of the row farthest from its centre */
	size_t *far_row;
	double *far_z;                /* n_starts x p: that row */
	int64_t *touched, *count;     /* a centre */
	double *sum;                  /* n_centres x p */
};

static size_t change_bytes(const struct pass *p)
{
	return 8 * (p->n_starts * (3 + p->p) + p->n_centres * (2 + p->p));
}

static struct change change_at(const struct pass *p, void *memory)
{
	struct change c;
	c.moved = memory;
	c.far = (double *)(void *)(c.moved + p->n_starts);
	c.far_row = (size_t *)(void *)(c.far + p->n_starts);
	c.far_z = (double *)(void *)(c.far_row + p->n_starts);
	c.touched = (int64_t *)(void *)(c.far_z + p->n_starts * p->p);
	c.count = c.touched + p->n_centres;
	c.sum = (double *)(void *)(c.count + p->n_centres);
	return c;
}

static void merge_change(void *left, const void *right, const void *ctx)
{
	const struct pass *p = ctx;
	union { const void *in; void *out; } same = { right };
	const struct change a = change_at(p, left), b = change_at(p, same.out);
	for (size_t r = 0; r < p->n_starts; r++) {
		a.moved[r] += b.moved[r];
		if (b.far[r] > a.far[r]) {
			a.far[r] = b.far[r];
			a.far_row[r] = b.far_row[r];
			memcpy(a.far_z + r * p->p, b.far_z + r * p->p, p->p * sizeof(double));
		}
	}
	for (size_t c = 0; c < p->n_centres; c++) {
		if (!b.touched[c])
			continue;
		a.touched[c] += b.touched[c];
		a.count[c] += b.count[c];
		hs_add(a.sum + c * p->p, b.sum + c * p->p, p->p);
	}
}

/* Lower bound of the distance to the second nearest centre less an upper one of that to the nearest; len is good to some
 * roundings, which are taken off. */
static float margin_of(const struct hs_scratch *s, size_t i)
{
	const double len2 = (double)s->len[i] * (double)s->len[i], near = len2 + (double)s->bound[i], far = len2 + (double)s->second[i];
	const double margin = sqrt(far > 0 ? far : 0) - sqrt(near > 0 ? near : 0) - 0x1p-18 * (double)s->len[i];
	return s->rivals[i] == 1 ? (float)margin : -1;
}

/* Margins of n rows from `from` on lose what the centres have moved; rows that keep a margin in all starts need no look. */
static const uint8_t *choose_rows(const struct pass *p, const struct hs_block *block, size_t from, size_t n, uint8_t *leave)
{
	for (size_t i = 0; i < n; i++)
		leave[i] = p->may_leave;
	for (size_t r = 0; r < p->n_starts; r++) {
		const int32_t *label = p->start[r]->label + block->first_row + from;
		float *margin = p->start[r]->margin + block->first_row + from;
		const float *loss = p->loss + r * p->k;
		for (size_t i = 0; i < n; i++) {
			margin[i] -= label[i] >= 0 ? loss[label[i]] : 0;
			leave[i] &= label[i] >= 0 && margin[i] > 0;
		}
	}
	return leave;
}

/* The n rows in scratch to the centres of start number r. */
static void assign_chunk(
	const struct pass *p, struct hs_scratch *s, const struct hs_block *block, size_t n, const struct change *change, size_t r)
{
	int32_t *label = p->start[r]->label + block->first_row;
	const size_t first = r * p->k;
	hs_nearest_bounded(&p->centres, first, p->k, s, n);
	for (size_t i = 0; i < n; i++) {
		const size_t row = s->index[i];
		const int32_t from = label[row];
		p->start[r]->margin[block->first_row + row] = margin_of(s, i);
		const double d = (double)s->len[i] * (double)s->len[i] + (double)s->bound[i];
		const bool sure = s->rivals[i] == 1, farther = d > change->far[r];
		int32_t to = s->nearest[i];
		if (sure && !farther && to == from)
			continue;
		hs_view_row(p->view, block, row, s->z);
		if (!sure)
			to = hs_nearest_exact(&p->centres, first, p->k, s, n, i, s->z);
		if (farther) {
			change->far[r] = d;
			change->far_row[r] = block->first_row + row;
			memcpy(change->far_z + r * p->p, s->z, p->p * sizeof(double));
		}
		if (to == from)
			continue;
		label[row] = to;
		change->moved[r]++;
		const size_t in = first + (size_t)to;
		change->touched[in]++;
		change->count[in]++;
		hs_add(change->sum + in * p->p, s->z, p->p);
		if (from < 0)
			continue;
		const size_t out = first + (size_t)from;
		change->touched[out]++;
		change->count[out]--;
		hs_subtract(change->sum + out * p->p, s->z, p->p);
	}
}

static int assign_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	const struct pass *p = ctx;
	struct hs_scratch *s = p->scratch + thread;
	void *memory = hs_tree_borrow(p->tree, err);
	if (!memory)
		return -1;
	const struct change change = change_at(p, memory);
	const size_t step = s->n_rows;
	for (size_t from = 0; from < block->n_rows; from += step) {
		const size_t left = block->n_rows - from, most = left < step ? left : step,
			     n = hs_view_pack(p->view, block, from, most, choose_rows(p, block, from, most, s->leave), s->y, s->len, s->index);
		if (!n)
			continue;
		hs_products(p->centres.centre, p->n_centres, s->y, n, p->p, s->dot);
		for (size_t r = 0; r < p->n_starts; r++)
			assign_chunk(p, s, block, n, &change, r);
	}
	hs_tree_put(p->tree, block->index, memory);
	return 0;
}

/* ---- between passes ---- */

/* New centre of one cluster from its sum; returns the squared shift. */
static double move_centre(const struct hs_space *s, struct hs_start *start, size_t c, double *fresh)
{
	const double *sum = start->sum + c * s->p, count = (double)start->count[c];
	double *centre = start->centre + c * s->p, norm2 = 0;
	for (size_t j = 0; j < s->p; j++) {
		fresh[j] = s->unit ? sum[j] / s->scale + count * s->shift[j] : sum[j] / count;
		norm2 += fresh[j] * fresh[j];
	}
	if (s->unit && norm2 == 0)
		return 0;             /* members cancel: any direction is as good as the one it has */
	for (size_t j = 0; s->unit && j < s->p; j++)
		fresh[j] = (fresh[j] / sqrt(norm2) - s->shift[j]) * s->scale;
	const double moved = hs_distance2(fresh, centre, s->p);
	memcpy(centre, fresh, s->p * sizeof *centre);
	return moved;
}

/* Inertia about the centres that the sums say. Total minus between: loses 1e-16 of the total, never a pass. */
static double within(const struct hs_view *view, const struct hs_start *start)
{
	const struct hs_space *s = view->space;
	double between = 0, loss = 0;
	for (size_t c = 0; c < start->k; c++) {
		const double *sum = start->sum + c * s->p, count = (double)start->count[c];
		if (!start->count[c])
			continue;
		double norm2 = 0;
		for (size_t j = 0; s->unit && j < s->p; j++)
			norm2 += (sum[j] / s->scale + count * s->shift[j]) * (sum[j] / s->scale + count * s->shift[j]);
		between += s->unit ? 0 : hs_dot(sum, sum, s->p) / count;
		loss += s->unit ? 2 * (count - sqrt(norm2)) : 0;
	}
	return s->unit ? loss * s->scale * s->scale : view->scatter - between;
}

/* The first cluster without rows, k when there is none. */
static size_t first_empty(const struct hs_start *start)
{
	size_t c = 0;
	while (c < start->k && start->count[c])
		c++;
	return c;
}

/* The first empty cluster of a start goes to the row farthest from its centre. */
static bool fill_empty(const struct hs_space *s, struct hs_start *start, size_t row, const double *z)
{
	const size_t c = first_empty(start), from = (size_t)start->label[row];
	start->hopeless = hs_distance2(z, start->centre + from * s->p, s->p) <= s->nothing;
	if (start->hopeless || start->count[from] == 1)
		return false;
	hs_subtract(start->sum + from * s->p, z, s->p);
	start->count[from]--;
	memcpy(start->sum + c * s->p, z, s->p * sizeof *z);
	start->count[c] = 1;
	start->absent[c] = 0;
	start->label[row] = (int32_t)c;
	return true;
}

/* Takes what the pass changed into the starts, and says which of them have ended. */
static int update(struct pass *p, const struct change *change, size_t max_iter, double tol, struct hs_err *err)
{
	const struct hs_space *s = p->view->space;
	double *fresh = hs_alloc(s->p, sizeof *fresh, err);
	if (!fresh)
		return -1;
	for (size_t r = 0; r < p->n_starts; r++) {
		struct hs_start *start = p->start[r];
		for (size_t c = 0; c < p->k; c++) {
			const size_t at = r * p->k + c;
			start->count[c] += change->count[at];
			if (change->touched[at])
				hs_add(start->sum + c * s->p, change->sum + at * s->p, s->p);
			if (!start->count[c])
				memset(start->sum + c * s->p, 0, s->p * sizeof *start->sum);
		}
		bool settled = change->moved[r] == 0;
		const size_t empty = first_empty(start);
		const bool filled = change->far[r] > 0 && !start->hopeless && empty < p->k &&
			fill_empty(s, start, change->far_row[r], change->far_z + r * s->p);
		settled &= !filled;
		double moved = 0;
		for (size_t c = 0; c < p->k; c++) {
			const double shift2 = !settled && start->count[c] ? move_centre(s, start, c, fresh) : 0;
			start->moved[c] = filled && c == empty ? INFINITY : sqrt(shift2);
			moved += shift2;
		}
		start->within = within(p->view, start);
		if ((start->n_iter & (start->n_iter - 1)) == 0)
			start->trace = hs_must_resize(start->trace, 2 * start->n_iter + 1, sizeof *start->trace);
		start->trace[start->n_iter++] = start->within / (s->scale * s->scale);
		const bool still = settled || moved < tol * p->view->scatter / (double)p->view->n_used;
		start->status = still ? HS_KMEANS_CONVERGED : HS_KMEANS_MAXITER;
		start->ended = still || start->n_iter >= max_iter;
	}
	free(fresh);
	return 0;
}

/* What a margin loses for each centre a row may belong to: its own move and the farthest one of the others. */
static void sum_up_moves(struct pass *p)
{
	p->may_leave = true;
	for (size_t r = 0; r < p->n_starts; r++) {
		const struct hs_start *start = p->start[r];
		p->may_leave &= start->n_iter > 0 && first_empty(start) == p->k;
		for (size_t c = 0; c < p->k; c++) {
			double others = 0;
			for (size_t o = 0; o < p->k; o++)
				others = o != c && start->moved[o] > others ? start->moved[o] : others;
			p->loss[r * p->k + c] = nextafterf((float)((start->moved[c] + others) * (1 + 0x1p-20)), INFINITY);
		}
	}
}

static int one_pass(struct pass *p, const char *task, size_t max_iter, double tol, struct hs_err *err)
{
	sum_up_moves(p);
	for (size_t r = 0; r < p->n_starts; r++)
		for (size_t c = 0; c < p->k; c++)
			hs_centres_set(&p->centres, r * p->k + c, p->start[r]->absent[c] ? NULL : p->start[r]->centre + c * p->p);
	p->tree = hs_tree_new(change_bytes(p), merge_change, p, err);
	int verdict = p->tree ? hs_rows_each(p->view->rows, task, assign_block, p, err) : -1;
	void *root = verdict == 0 ? hs_tree_root(p->tree, err) : NULL;
	if (!root)
		verdict = -1;
	else {
		const struct change change = change_at(p, root);
		verdict = update(p, &change, max_iter, tol, err);
	}
	hs_tree_free(p->tree);
	return verdict;
}

/* Runs a group of starts to their ends. */
static int lloyd_group(const struct hs_view *view, struct hs_start *starts, size_t n_starts, const struct hs_kmeans_options *opt,
	const char *task, struct hs_err *err)
{
	struct pass p = { .view = view, .k = starts->k, .p = view->space->p };
	const size_t most = n_starts * starts->k;
	bool stopped = false;
	int verdict = (p.start = hs_alloc(n_starts, sizeof *p.start, err)) && (p.loss = hs_alloc(most, sizeof *p.loss, err)) &&
		(p.scratch = hs_scratch_new(p.p, most, err)) ?
		hs_centres_init(&p.centres, most, p.p, err) : -1;
	while (verdict == 0) {
		p.n_starts = 0;
		for (size_t r = 0; r < n_starts; r++)
			if (!starts[r].ended)
				p.start[p.n_starts++] = starts + r;
		p.n_centres = p.n_starts * p.k;
		if (!p.n_starts || stopped)
			break;
		verdict = one_pass(&p, task, opt->max_iter, opt->tol, err);
		stopped = opt->stop && opt->stop(opt->stop_ctx);
	}
	for (size_t r = 0; r < p.n_starts; r++)
		p.start[r]->status = HS_KMEANS_STOPPED;
	hs_scratch_free(p.scratch);
	hs_centres_release(&p.centres);
	free(p.loss);
	free(p.start);
	return verdict;
}

static size_t starts_at_once(size_t n_starts, size_t p, size_t k)
{
	const size_t fit = centre_bytes / (k * p * sizeof(double)), most = fit ? fit : 1;
	return n_starts < most ? n_starts : most;
}

int hs_lloyd(const struct hs_view *view, struct hs_start *starts, size_t n_starts, const struct hs_kmeans_options *opt,
	const char *task, struct hs_err *err)
{
	const size_t p = view->space->p, at_once = starts_at_once(n_starts, p, starts->k);
	for (size_t r = 0; r < n_starts; r++) {
		free(starts[r].label);
		free(starts[r].margin);
		starts[r].margin = NULL;
		if (!(starts[r].label = hs_alloc(view->rows->n_rows, sizeof(int32_t), err)) ||
			!(starts[r].margin = hs_alloc(view->rows->n_rows, sizeof(float), err)))
			return -1;
		for (size_t i = 0; i < view->rows->n_rows; i++)
			starts[r].label[i] = -1;
		memset(starts[r].moved, 0, starts[r].k * sizeof *starts[r].moved);
		memset(starts[r].sum, 0, starts->k * p * sizeof(double));
		memset(starts[r].count, 0, starts->k * sizeof(int64_t));
		starts[r].n_iter = 0;
		starts[r].ended = starts[r].hopeless = false;
		starts[r].within = INFINITY;
	}
	for (size_t r = 0; r < n_starts; r += at_once) {
		if (r && opt->stop && opt->stop(opt->stop_ctx))
			break;
		if (lloyd_group(view, starts + r, n_starts - r < at_once ? n_starts - r : at_once, opt, task, err) < 0)
			return -1;
	}
	return 0;
}

double hs_lloyd_bytes(double n_rows, size_t p, size_t k, size_t n_starts, int threads)
{
	const size_t starts = starts_at_once(n_starts, p, k), most = starts * k;
	const double width = (double)p, change = 8 * ((double)starts * (3 + width) + (double)most * (2 + width));
	return (double)n_starts * 8 * n_rows + 4 * (double)most + hs_centres_bytes(p, most) + hs_scratch_bytes(p, most, threads) +
		hs_partials_alive(n_rows, p, threads) * change + 8 * (double)starts + 8 * width;
}
