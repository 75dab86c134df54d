#include "unmix/blu.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unmix/gibbs.h"
#include "math/moments.h"

/* DRAWS of the endmembers are kept, THIN turns apart after BURN, in each of which they are drawn SWEEPS times; a pixel's chain
 * makes STEPS steps at each. Sums over anchors are taken CHUNK at a time, STRIP rows lie between two looks at the clock. */
enum { DRAWS = 200, THIN = 10, BURN = 500, SWEEPS = 3, STEPS = 5, CHUNK = 64, STRIP = 1024, BATCHES = 20 };

/* Items of the random numbers: a pixel's own chain is its row number, anchors and endmembers have what lies beyond. */
static const uint64_t ENDMEMBER_ITEM = UINT64_C(1) << 62, ANCHOR_ITEM = UINT64_C(1) << 63;

/* --- anchors and endmembers together ------------------------------------------------------------------------------ */

struct anchors {
	const struct hs_gibbs_space *s;
	const struct hs_blu_options *o;
	size_t n, wanted;
	double *z, *outside;          /* n x d, n */
	uint8_t *there;
	double *a, *variance;         /* n x k, n */
	double *left;                 /* n x d */
	double *sums;                 /* chunks x (k k + k d + 1): of a a^T / variance, a z^T / variance, 1 / variance */
	double *row;                  /* threads x 2 p */
	double *floor;                /* p: what endmembers do not go below, less the origin; -inf: anything */
	struct hs_gibbs_state draw[DRAWS];
	double *draw_at;              /* memory of DRAWS + 1 states */
	size_t n_draws;
};

static int gather_block(void *ctx, int thread, const struct hs_block *block, struct hs_err *err)
{
	(void)err;
	struct anchors *h = ctx;
	const size_t d = h->s->d, n_rows = h->n;
	double *x = h->row + (size_t)thread * 2 * h->s->p, undo;
	for (size_t i = 0; i < block->n_rows; i++) {
		const __uint128_t here = block->first_row + i;
		const size_t who = (size_t)(here * h->wanted / n_rows);
		if ((size_t)((here + 1) * h->wanted / n_rows) > who)      /* the last row of its share */
			h->there[who] = hs_gibbs_enter(h->s, block, i, x, x + h->s->p, h->z + who * d, h->outside + who, &undo);
	}
	return 0;
}

/* Up to `wanted` rows, evenly spaced, in the subspace. */
static int gather(struct anchors *h, struct hs_rowsource *rows, struct hs_err *err)
{
	const size_t d = h->s->d;
	h->n = rows->n_rows;
	if (hs_rows_each(rows, "anchors", gather_block, h, err) < 0)
		return -1;
	h->n = 0;
	for (size_t i = 0; i < h->wanted; i++)
		if (h->there[i]) {
			memmove(h->z + h->n * d, h->z + i * d, d * sizeof *h->z);
			h->outside[h->n++] = h->outside[i];
		}
	return h->n ? 0 : hs_fail(err, HS_BAD_DATA, "of %zu rows looked at for the endmembers' uncertainty none can be used", h->wanted);
}

static void add_to_sums(const struct anchors *h, size_t i, double *sum)
{
	const size_t k = h->s->k, d = h->s->d;
	const double *a = h->a + i * k, *z = h->z + i * d, precision = 1 / h->variance[i];
	for (size_t j = 0; j < k; j++) {
		for (size_t l = 0; l < k; l++)
			sum[j * k + l] += a[j] * a[l] * precision;
		for (size_t l = 0; l < d; l++)
			sum[k * k + j * d + l] += a[j] * z[l] * precision;
	}
	sum[k * k + k * d] += precision;
}

/* One step of every anchor; the sums that endmembers and psi want end up in the first chunk, added in one order. */
static void step_anchors(struct anchors *h, const struct hs_gibbs_state *now, uint64_t turn)
{
	const struct hs_gibbs_space *s = h->s;
	const size_t k = s->k, d = s->d, width = k * k + k * d + 1, n_chunks = (h->n + CHUNK - 1) / CHUNK;
	memset(h->sums, 0, n_chunks * width * sizeof *h->sums);
#pragma omp parallel for schedule(dynamic) num_threads(hs_par_threads())
	for (size_t chunk = 0; chunk < n_chunks; chunk++)
		for (size_t i = chunk * CHUNK; i < h->n && i < (chunk + 1) * CHUNK; i++) {
			struct hs_rng rng;
			struct hs_gibbs_pixel x = { h->z + i * d, h->outside[i], h->a + i * k, h->left + i * d, 0 };
			hs_rng_init(&rng, h->o->seed, HS_STREAM_POSTERIOR, ANCHOR_ITEM | turn << 40 | i);
			hs_gibbs_step(s, now, &x, &rng);
			h->variance[i] = x.variance;
			add_to_sums(h, i, h->sums + chunk * width);
		}
	for (size_t chunk = 1; chunk < n_chunks; chunk++)
		for (size_t i = 0; i < width; i++)
			h->sums[i] += h->sums[chunk * width + i];
}

/* What the floor leaves to coordinate l of an endmember whose spectrum, less the origin, is e. */
static void coordinate_reach(const struct anchors *h, const double *e, size_t l, double t, double *low, double *high)
{
	const double *u = h->s->basis + l * h->s->p;
	*low = -DBL_MAX;
	*high = DBL_MAX;
	for (size_t c = 0; c < h->s->p; c++) {
		if (!(fabs(u[c]) > 1e-12) || isinf(h->floor[c]))
			continue;
		const double to = t + (h->floor[c] - e[c]) / u[c];
		if (u[c] > 0)
			*low = fmax(*low, to);
		else
			*high = fmin(*high, to);
	}
	*low = fmin(*low, t);                 /* rounding: where it is, it may stay */
	*high = fmax(*high, t);
}

/* Endmembers given the abundances, coordinate by coordinate. */
static void step_endmembers(struct anchors *h, struct hs_gibbs_state *now, struct hs_rng *rng)
{
	const struct hs_gibbs_space *s = h->s;
	const size_t k = s->k, d = s->d, p = s->p;
	const double prior = 1 / (s->apart * s->apart), *precision = h->sums, *pull = h->sums + k * k;
	double *e = h->row;
	for (size_t j = 0; j < k; j++) {
		memset(e, 0, p * sizeof *e);
		for (size_t l = 0; l < d; l++)
			cblas_daxpy((int)p, now->t[j * d + l], s->basis + l * p, 1, e, 1);
		for (size_t l = 0; l < d; l++) {
			double low, high, mean = pull[j * d + l] + prior * s->t[j * d + l], *t = now->t + j * d + l;
			const double all = precision[j * k + j] + prior;
			for (size_t m = 0; m < k; m++)
				mean -= m == j ? 0 : precision[j * k + m] * now->t[m * d + l];
			coordinate_reach(h, e, l, *t, &low, &high);
			const double next = hs_truncated_normal(rng, mean / all, 1 / sqrt(all), low, high);
			cblas_daxpy((int)p, next - *t, s->basis + l * p, 1, e, 1);
			*t = next;
		}
	}
}

/* Endmember j slides along its edge to l while every anchor stays where it is in the subspace: a_j / u, and a_l takes up the
 * change, for t_j = t_l + u (t_j - t_l). Given the positions the density of u is u^-n from where the first a_l vanishes, times
 * that of t_j (interweaving: Yu, Meng, J. Comput. Graph. Stat. 20 (2011) 531): drawn from the power law, accepted by the prior.
 * */
static void slide(struct anchors *h, struct hs_gibbs_state *now, size_t j, size_t l, struct hs_rng *rng)
{
	const struct hs_gibbs_space *s = h->s;
	const size_t k = s->k, d = s->d;
	double least = 0, before = 0, after = 0, *to = h->row + s->p, *e = h->row;
	for (size_t i = 0; i < h->n; i++) {
		const double a = h->a[i * k + j], both = a + h->a[i * k + l];
		least = both > 0 ? fmax(least, a / both) : least;
	}
	if (!(least > 0) || h->n < 2)
		return;
	const double u = least * pow(1 - hs_rng_uniform(rng), -1 / (double)(h->n - 1)), accept = hs_rng_uniform(rng);
	memset(e, 0, s->p * sizeof *e);
	for (size_t m = 0; m < d; m++) {
		const double t = now->t[j * d + m], given = s->t[j * d + m];
		to[m] = now->t[l * d + m] + u * (t - now->t[l * d + m]);
		before += (t - given) * (t - given);
		after += (to[m] - given) * (to[m] - given);
		cblas_daxpy((int)s->p, to[m], s->basis + m * s->p, 1, e, 1);
	}
	if (!(accept < exp((before - after) / (2 * s->apart * s->apart))))
		return;
	for (size_t c = 0; c < s->p; c++)
		if (e[c] < h->floor[c])
			return;
	memcpy(now->t + j * d, to, d * sizeof *to);
	for (size_t i = 0; i < h->n; i++) {
		double *a = h->a + i * k, both = a[j] + a[l];
		a[j] = fmin(a[j] / u, both);
		a[l] = both - a[j];
	}
}

static void set_floor(struct anchors *h)
{
	const struct hs_gibbs_space *s = h->s;
	for (size_t c = 0; c < s->p; c++) {
		double least = 0;             /* of the endmembers as they are in the subspace */
		for (size_t j = 0; j < s->k; j++) {
			double v = s->origin[c];
			for (size_t l = 0; l < s->d; l++)
				v += s->t[j * s->d + l] * s->basis[l * s->p + c];
			least = fmin(least, v);
		}
		const bool bound = h->o->nonnegative && s->weight[c] > 0;
		h->floor[c] = bound ? least - s->origin[c] : -(double)INFINITY;
	}
}

/* The chain: DRAWS states kept, or fewer when it is stopped, but one at least. */
static int sample_endmembers(struct anchors *h, struct hs_err *err)
{
	const struct hs_gibbs_space *s = h->s;
	const size_t k = s->k, d = s->d;
	const bool moving = !h->o->fixed && s->apart > 1e-12;
	const uint64_t burn = moving ? BURN : BURN / 10, thin = moving ? THIN : 1;
	double psi = 0;
	struct hs_gibbs_state now = hs_gibbs_state_at(h->draw_at + DRAWS * hs_gibbs_state_doubles(k, d), k, d);
	memcpy(now.t, s->t, k * d * sizeof *now.t);
	for (size_t i = 0; i < h->n; i++)
		psi += h->outside[i] / (double)h->n / (double)(s->n_live > d ? s->n_live - d : 1);
	now.psi = fmax(psi, HS_GIBBS_LEAST_NOISE);
	if (hs_gibbs_find_ways(&now, k, d, err) < 0)
		return -1;
	for (uint64_t turn = 0; h->n_draws < DRAWS; turn++) {
		const bool over = h->o->stop && h->o->stop(h->o->stop_ctx);
		struct hs_rng rng;
		hs_rng_init(&rng, h->o->seed, HS_STREAM_POSTERIOR, ENDMEMBER_ITEM | turn);
		step_anchors(h, &now, turn);
		for (int sweep = 0; moving && sweep < SWEEPS; sweep++)
			step_endmembers(h, &now, &rng);
		for (size_t j = 0; moving && j < k; j++)
			slide(h, &now, j, (j + 1 + turn % (k - 1)) % k, &rng);
		now.psi = fmax(2 * hs_rng_gamma(&rng, (double)h->n) / h->sums[k * k + k * d], HS_GIBBS_LEAST_NOISE);
		if (moving && hs_gibbs_find_ways(&now, k, d, err) < 0)
			return -1;
		if (over || (turn >= burn && (turn - burn) % thin == 0)) {
			double *at = h->draw_at + h->n_draws * hs_gibbs_state_doubles(k, d);
			memcpy(at, now.t, hs_gibbs_state_doubles(k, d) * sizeof *at);
			struct hs_gibbs_state *kept = &h->draw[h->n_draws++];
			*kept = hs_gibbs_state_at(at, k, d);
			kept->psi = now.psi;
			kept->n_way = now.n_way;
		}
		if (over)
			break;
	}
	return 0;
}

static size_t anchors_wanted(size_t n_rows, const struct hs_blu_options *o)
{
	return n_rows < o->n_anchor ? n_rows : o->n_anchor;
}

static size_t anchor_doubles(size_t n, size_t p, size_t k, size_t d, size_t threads)
{
	const size_t chunks = (n + CHUNK - 1) / CHUNK;
	return n * (2 * d + k + 2) + chunks * (k * k + k * d + 1) + threads * 2 * p + p + (DRAWS + 1) * hs_gibbs_state_doubles(k, d);
}

/* memory: anchor_doubles of it, zero. */
static void lay_anchors(struct anchors *h, double *memory, size_t threads)
{
	const size_t n = h->wanted, p = h->s->p, k = h->s->k, d = h->s->d, chunks = (n + CHUNK - 1) / CHUNK;
	h->z = memory;
	h->left = h->z + n * d;
	h->a = h->left + n * d;
	h->outside = h->a + n * k;
	h->variance = h->outside + n;
	h->sums = h->variance + n;
	h->row = h->sums + chunks * (k * k + k * d + 1);
	h->floor = h->row + threads * 2 * p;
	h->draw_at = h->floor + p;
	for (size_t i = 0; i < n * k; i++)
		h->a[i] = 1 / (double)k;
}

/* --- chains of all pixels ----------------------------------------------------------------------------------------- */

struct chains {
	const struct anchors *h;
	struct hs_blu *out;
	double *scratch;              /* threads x share */
	size_t share, n_keep, n_burn;
	double *rhat, *ess;           /* n_rows */
};

/* The k-th smallest of n; v is rearranged (Hoare, Commun. ACM 4 (1961) 321). */
static double nth(double *v, ptrdiff_t n, ptrdiff_t k)
{
	for (ptrdiff_t left = 0, right = n - 1; left < right;) {
		const double pivot = v[k];
		ptrdiff_t i = left, j = right;
		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (pivot < v[j])
				j--;
			if (i > j)
				break;
			const double t = v[i];
			v[i++] = v[j];
			v[j--] = t;
		}
		if (j < k)
			left = i;
		if (k < i)
			right = j;
	}
	return v[k];
}

/* The value below which the share q of n lies, between the two nearest. */
static double quantile(double *v, size_t n, double q)
{
	const double at = q * (double)(n - 1), below = floor(at);
	const double low = nth(v, (ptrdiff_t)n, (ptrdiff_t)below);
	return at > below ? low + (at - below) * (nth(v, (ptrdiff_t)n, (ptrdiff_t)below + 1) - low) : low;
}

static void spread(const double *v, size_t n, double *mean, double *variance)
{
	double sum = 0, squares = 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i];
	*mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += (v[i] - *mean) * (v[i] - *mean);
	*variance = squares / (double)(n - 1);
}

/* Split potential scale reduction: the halves of a chain against each other (Gelman et al., Bayesian Data Analysis, 3rd ed.,
 * 11.4). */
static double split_rhat(const double *v, size_t n)
{
	const double half = (double)(n / 2);
	double m1, m2, v1, v2;
	spread(v, n / 2, &m1, &v1);
	spread(v + n / 2, n / 2, &m2, &v2);
	const double within = (v1 + v2) / 2, between = (m1 - m2) * (m1 - m2) / 2;
	return within > 0 ? sqrt((half - 1) / half + between / within) : between > 0 ? (double)INFINITY : 1;
}

/* Effective sample size from the means of batches. */
static double batch_ess(const double *v, size_t n, double variance)
{
	const size_t length = n / BATCHES;
	double mean[BATCHES], all, between;
	for (size_t b = 0; b < BATCHES; b++) {
		mean[b] = 0;
		for (size_t i = 0; i < length; i++)
			mean[b] += v[b * length + i] / (double)length;
	}
	spread(mean, BATCHES, &all, &between);
	return between > 0 ? fmin((double)n, (double)n * variance / (between * (double)length)) : (double)n;
}

/* Of the samples of one row (k x n_keep): what is stored. */
static void summarise(const struct chains *q, size_t row, double *samples)
{
	struct hs_blu *out = q->out;
	const size_t k = out->k, n = q->n_keep;
	q->rhat[row] = 1;
	q->ess[row] = (double)n;
	for (size_t j = 0; j < k; j++) {
		double *v = samples + j * n, variance;
		spread(v, n, &out->mean[row * k + j], &variance);
		out->sd[row * k + j] = sqrt(variance);
		q->rhat[row] = fmax(q->rhat[row], split_rhat(v, n));
		q->ess[row] = fmin(q->ess[row], batch_ess(v, n, variance));
		out->low[row * k + j] = quantile(v, n, 0.025);
		out->high[row * k + j] = quantile(v, n, 0.975);
	}
}

static size_t chain_doubles(size_t p, size_t k, size_t d, size_t n_keep)
{
	return 2 * p + 2 * d + k + k * n_keep;
}

static void run_chain(const struct chains *q, const struct hs_block *block, size_t i, double *scratch)
{
	const struct hs_gibbs_space *s = q->h->s;
	const size_t k = s->k, d = s->d, p = s->p, row = block->first_row + i;
	double *x = scratch, *y = x + p, *z = y + p, *left = z + d, *a = left + d, *samples = a + k, undo, square = 0;
	struct hs_gibbs_pixel pixel = { .z = z, .a = a, .left = left };
	struct hs_rng rng;
	if (!hs_gibbs_enter(s, block, i, x, y, z, &pixel.outside, &undo))
		return;
	for (size_t j = 0; j < k; j++)
		a[j] = 1 / (double)k;
	hs_rng_init(&rng, q->h->o->seed, HS_STREAM_POSTERIOR, row);
	for (size_t t = 0; t < q->n_burn + q->n_keep; t++) {
		hs_gibbs_step(s, &q->h->draw[t / STEPS % q->h->n_draws], &pixel, &rng);
		for (size_t j = 0; t >= q->n_burn && j < k; j++)
			samples[j * q->n_keep + t - q->n_burn] = a[j];
	}
	summarise(q, row, samples);
	for (size_t j = 0; j < k; j++)
		cblas_daxpy((int)p, -q->out->mean[row * k + j] * s->scale, q->out->spectrum + j * p, 1, x, 1);
	for (size_t c = 0; c < p; c++)
		square += x[c] * x[c] / (double)p;
	q->out->residual[row] = sqrt(square) * undo;
}

/* Rows of a block in parallel: a chain takes as long as reading thousands of rows. */
static int chain_wave(void *ctx, const struct hs_block *block, size_t n_blocks, struct hs_err *err)
{
	(void)err;
	const struct chains *q = ctx;
	const struct hs_blu_options *o = q->h->o;
	for (size_t b = 0; b < n_blocks; b++)
		for (size_t first = 0; first < block[b].n_rows; first += STRIP) {
			const size_t end = block[b].n_rows - first < STRIP ? block[b].n_rows : first + STRIP;
			q->out->stopped |= o->stop && o->stop(o->stop_ctx);
			if (q->out->stopped)
				return 0;
#pragma omp parallel for schedule(dynamic, 8) num_threads(hs_par_threads())
			for (size_t i = first; i < end; i++)
				run_chain(q, &block[b], i, q->scratch + (size_t)omp_get_thread_num() * q->share);
		}
	return 0;
}

/* --- results ------------------------------------------------------------------------------------------------------ */

/* Mean and standard deviation of the endmembers over the draws, in the unit of the data. */
static int endmember_results(struct hs_blu *out, const struct anchors *h, const double *spectra, struct hs_err *err)
{
	const struct hs_gibbs_space *s = h->s;
	const size_t k = s->k, d = s->d, p = s->p, n = h->n_draws;
	out->endmember_rhat = 1;
	memcpy(out->spectrum, spectra, k * p * sizeof *out->spectrum);
	if (h->o->fixed)
		return 0;
	double *v = hs_alloc(n + 1, sizeof *v, err);
	if (!v)
		return -1;
	for (size_t j = 0; j < k; j++)
		for (size_t c = 0; c < p; c++) {
			const double unit = s->weight[c] > 0 ? 1 / (s->scale * s->weight[c]) : 0;
			double mean, variance = 0;
			for (size_t i = 0; i < n; i++) {
				v[i] = s->origin[c];
				for (size_t l = 0; l < d; l++)
					v[i] += h->draw[i].t[j * d + l] * s->basis[l * p + c];
			}
			if (n > 1)
				spread(v, n, &mean, &variance);
			else
				mean = v[0];
			if (unit > 0)
				out->spectrum[j * p + c] = mean * unit;
			out->spectrum_sd[j * p + c] = sqrt(variance) * unit;
		}
	for (size_t i = 0; n >= 4 && i < k * d; i++) {
		for (size_t t = 0; t < n; t++)
			v[t] = h->draw[t].t[i];
		out->endmember_rhat = fmax(out->endmember_rhat, split_rhat(v, n));
	}
	free(v);
	return 0;
}

/* Sums over rows in their order, and the two numbers that say whether the chains were long enough. */
static void sum_up(struct hs_blu *out, double *rhat, double *ess)
{
	const size_t k = out->k;
	double squares = 0, largest = 0;
	for (size_t i = 0; i < out->n_rows; i++)
		largest = isnan(out->residual[i]) ? largest : fmax(largest, out->residual[i]);
	for (size_t i = 0; i < out->n_rows; i++) {
		if (isnan(out->residual[i]))
			continue;
		rhat[out->n_used] = rhat[i];
		ess[out->n_used++] = ess[i];
		const double r = largest > 0 ? out->residual[i] / largest : 0;
		squares += r * r;
		for (size_t j = 0; j < k; j++)
			out->total[j] += out->mean[i * k + j];
	}
	if (!out->n_used)
		return;
	for (size_t j = 0; j < k; j++)
		out->total[j] /= (double)out->n_used;
	out->rms = sqrt(squares / (double)out->n_used) * largest;
	out->rhat = quantile(rhat, out->n_used, 0.99);
	out->ess = quantile(ess, out->n_used, 0.5);
}

static int make_room(struct hs_blu *out, bool fixed, struct hs_err *err)
{
	const size_t n = out->n_rows, k = out->k, p = out->n_chan;
	double **place[] = { &out->mean, &out->sd, &out->low, &out->high, &out->residual, &out->total, &out->spectrum,
		&out->spectrum_sd };
	const size_t rows[] = { n, n, n, n, n, k, k, fixed ? 0 : k }, width[] = { k, k, k, k, 1, 1, p, p };
	for (size_t i = 0; i < HS_LEN(place); i++) {
		size_t values;
		if (!hs_mul(rows[i], width[i], &values))
			return hs_fail(err, HS_BAD_DATA, "%zu rows of %zu abundances are too many", n, k);
		if (values && !(*place[i] = hs_alloc(values, sizeof(double), err)))
			return -1;
		for (size_t j = 0; i < 5 && j < values; j++)
			(*place[i])[j] = (double)NAN;
	}
	return 0;
}

static int run_chains(struct hs_rowsource *rows, const struct anchors *h, struct hs_blu *out, size_t threads, struct hs_err *err)
{
	struct chains q = { .h = h, .out = out, .n_keep = h->o->n_keep, .n_burn = h->o->n_burn };
	q.share = chain_doubles(out->n_chan, out->k, h->s->d, q.n_keep);
	q.scratch = hs_alloc(threads, q.share * sizeof(double), err);
	q.rhat = q.scratch ? hs_alloc(out->n_rows, sizeof(double), err) : NULL;
	q.ess = q.rhat ? hs_alloc(out->n_rows, sizeof(double), err) : NULL;
	const int verdict = q.ess ? hs_waves_each(rows, "chains", 1, chain_wave, &q, err) : -1;
	if (verdict == 0)
		sum_up(out, q.rhat, q.ess);
	free(q.scratch);
	free(q.rhat);
	free(q.ess);
	return verdict;
}

static int sample(struct hs_rowsource *rows, const struct hs_gibbs_space *s, const double *spectra,
	const struct hs_blu_options *o, struct hs_blu *out, struct hs_err *err)
{
	const size_t threads = (size_t)hs_par_threads(), n = anchors_wanted(rows->n_rows, o);
	struct anchors *h = hs_alloc(1, sizeof *h, err);
	double *memory = h ? hs_alloc(anchor_doubles(n, s->p, s->k, s->d, threads), sizeof *memory, err) : NULL;
	uint8_t *there = memory ? hs_alloc(n, 1, err) : NULL;
	int verdict = -1;
	if (there) {
		*h = (struct anchors){ .s = s, .o = o, .wanted = n, .there = there };
		lay_anchors(h, memory, threads);
		set_floor(h);
		verdict = gather(h, rows, err);
	}
	if (verdict == 0)
		verdict = sample_endmembers(h, err);
	if (verdict == 0)
		verdict = endmember_results(out, h, spectra, err);
	if (verdict == 0)
		verdict = run_chains(rows, h, out, threads, err);
	free(there);
	free(memory);
	free(h);
	return verdict;
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

struct hs_blu_options hs_blu_defaults(void)
{
	return (struct hs_blu_options){ .n_keep = 1000, .n_burn = 200, .n_anchor = 1000, .nonnegative = true };
}

size_t hs_blu_bytes(size_t n_rows, size_t n_chan, size_t k, const struct hs_blu_options *o, int threads)
{
	const size_t t = (size_t)(threads > 0 ? threads : hs_par_threads()), d = k ? k - 1 : 0;
	return (n_rows * (4 * k + 3) + 2 * k * n_chan + (d + 3) * n_chan + anchor_doubles(anchors_wanted(n_rows, o), n_chan, k, d, t) +
		t * chain_doubles(n_chan, k, d, o->n_keep)) * sizeof(double) + sizeof(struct anchors);
}

int hs_blu(struct hs_rowsource *rows, const double *spectra, size_t k, const struct hs_blu_options *options, struct hs_blu *out,
	struct hs_err *err)
{
	struct hs_blu_options o = *options;
	struct hs_gibbs_space s = { 0 };
	*out = (struct hs_blu){ .n_rows = rows->n_rows, .n_chan = rows->n_chan, .k = k, .rhat = (double)NAN, .ess = (double)NAN };
	if (!k || o.n_keep < 2 * BATCHES || !o.n_anchor)
		return hs_fail(err, HS_USAGE, "Bayesian unmixing wants an endmember, %d samples or more, and a pixel", 2 * BATCHES);
	if (k == 1)                           /* the one that makes up everything */
		o.fixed = true;
	if (o.fixed)
		o.mean = o.axes = NULL;
	if (make_room(out, o.fixed, err) < 0)
		return -1;
	int verdict = hs_gibbs_space_init(&s, spectra, k, rows->n_chan, &o, err);
	if (verdict == 0)
		verdict = sample(rows, &s, spectra, &o, out, err);
	hs_gibbs_space_release(&s);
	if (verdict == 0 && !out->n_used && !out->stopped)
		return hs_fail(err, HS_BAD_DATA, "no usable spectrum: all %zu are masked or hold values that are not finite", rows->n_rows);
	return verdict;
}

void hs_blu_release(struct hs_blu *out)
{
	free(out->mean);
	free(out->sd);
	free(out->low);
	free(out->high);
	free(out->residual);
	free(out->spectrum);
	free(out->spectrum_sd);
	free(out->total);
	*out = (struct hs_blu){ 0 };
}
