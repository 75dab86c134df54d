#include "math/rank.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/la.h"

enum { SAMPLE_ROWS = 4096, SAMPLE_ROWS_WIDE = 2048, WIDE_CHANNELS = 2048, ROUNDS = 20, ROUNDS_AT_ONCE = 8, ELBOW_POINTS = 20 };
#define QUANTILE 0.95

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* What the selectors look at. Beyond n_known eigenvalues are only as likely as noise makes them. */
struct spectrum {
	const double *eig;
	size_t n_eig, n_known, n, p;
	double floor;                 /* share of the first below which an eigenvalue is rounding */
};

static struct spectrum whole(const double *eig, size_t n_eig, size_t n, size_t p)
{
	return (struct spectrum){ eig, n_eig, n_eig, n, p, (double)(n > p ? n : p) * DBL_EPSILON };
}

/* Eigenvalues that are more than rounding. */
static size_t count_nonzero(const struct spectrum *s)
{
	const double floor = s->n_eig ? s->eig[0] * s->floor : 0;
	size_t r = 0;
	while (r < least(s->n_eig, least(s->n, s->p)) && s->eig[r] > floor)
		r++;
	return r;
}

/* Most components that an answer can name. */
static size_t nameable(const struct spectrum *s)
{
	return least(count_nonzero(s), s->n_known);
}

static double sum_all(const struct spectrum *s)
{
	double sum = 0;
	for (size_t i = s->n_eig; i-- > 0;)
		sum += s->eig[i];
	return sum;
}

/* --- the law of noise --------------------------------------------------------------------------------------------- */

/* With t = 1 + beta + 2 sqrt(beta) cos(phi) the Marchenko-Pastur law's square-root edges vanish: its density in phi. */
static double density(double phi, double beta)
{
	const double s = sin(phi);
	return s * s / (1 + beta + 2 * sqrt(beta) * cos(phi));
}

/* Its mass above t(phi), by Simpson's rule. */
static double mass_above(double phi, double beta)
{
	enum { STEPS = 256 };
	const double h = phi / STEPS;
	double sum = 0;
	for (int i = 1; i <= STEPS; i++)
		sum += density(i * h, beta) * (i == STEPS ? 1 : i % 2 ? 4 : 2);
	return sum * h / 3 * 2 / M_PI;
}

double hs_marchenko_pastur_median(double beta)
{
	double low = 0, high = M_PI * (1 - 1e-9);
	for (int i = 0; i < 60; i++) {
		const double middle = (low + high) / 2;
		if (mass_above(middle, beta) < 0.5)
			low = middle;
		else
			high = middle;
	}
	return 1 + beta + 2 * sqrt(beta) * cos(low);
}

/* Where eigenvalues first .. first+count-1 (of all, descending) of noise of unit variance lie in the middle: n spectra of q
 * channels. Below aspect 1 by the law, above it by the law of the transposed matrix. */
static void expect_noise(size_t n, size_t q, size_t first, size_t count, double *value)
{
	enum { STEPS = 2000 };
	const double all = (double)least(n, q), beta = all / (double)(n > q ? n : q), scale = q > n ? (double)q / (double)n : 1,
		     h = M_PI / STEPS;
	double above = 0, before = 0;
	size_t i = 0;
	for (int step = 1; step <= STEPS && i < count; step++) {
		before = above;
		above += (density((step - 1) * h, beta) + density(step < STEPS ? step * h : M_PI * (1 - 1e-9), beta)) * h / M_PI;
		for (; i < count && ((double)(first + i) + 0.5) / all <= above; i++) {
			const double part = (((double)(first + i) + 0.5) / all - before) / (above - before);
			value[i] = scale * (1 + beta + 2 * sqrt(beta) * cos((step - 1 + part) * h));
		}
	}
	for (; i < count; i++)
		value[i] = scale * pow(1 - sqrt(beta), 2);
}

/* --- Tracy-Widom -------------------------------------------------------------------------------------------------- */

/* Noise variance when k components are signal. The mean of the rest is too small, because each signal eigenvalue has drawn
 * some noise up with it; Kritchman and Nadler's equation 19 gives that part back, by iteration. */
static double noise_behind(const double *eig, size_t k, double rest, double n, double p)
{
	const double free = p - (double)k, plain = rest / free;
	double noise = plain;
	for (int round = 0; round < 20; round++) {
		double drawn = 0;
		for (size_t j = 0; j < k; j++) {
			const double b = eig[j] + noise - noise * free / n, root = b * b - 4 * eig[j] * noise;
			if (root >= 0 && b > 0)
				drawn += eig[j] - (b + sqrt(root)) / 2;
		}
		const double next = plain + drawn / free, step = fabs(next - noise);
		noise = next;
		if (step <= 1e-10 * noise)
			break;
	}
	return noise;
}

/* How far above its place noise really ends, measured on the eigenvalues behind the first k: the median ratio of the third to
 * those of the upper 5 % to where the law has them. 1 when there are too few. */
static double stretch(const struct spectrum *s, size_t last, size_t k, double noise)
{
	enum { FIRST = 2, MOST = 64 };
	const size_t q = s->p - k, here = least(s->n, q), known = least(last, s->n_known);
	const size_t want = here / 20 < 2 ? 2 : here / 20 < MOST ? here / 20 : MOST;
	double place[MOST], ratio[MOST];
	if (k + FIRST + want > known)
		return 1;
	expect_noise(s->n, q, FIRST, want, place);
	for (size_t i = 0; i < want; i++)
		ratio[i] = s->eig[k + FIRST + i] / (noise * place[i]);
	qsort(ratio, want, sizeof *ratio, ascending);
	return fmax(1, (ratio[want / 2] + ratio[(want - 1) / 2]) / 2);
}

static size_t tracy_widom(const struct spectrum *s, double threshold, bool measured)
{
	const size_t last = count_nonzero(s);
	const double n = (double)s->n;
	double rest = sum_all(s);
	size_t k = 0;
	for (; k < least(last, s->n_known) && s->n > 1; rest -= s->eig[k++]) {
		const double q = (double)(s->p - k), m = sqrt(n - 1) + sqrt(q), spread = m * cbrt(1 / sqrt(n - 1) + 1 / sqrt(q)),
			     noise = noise_behind(s->eig, k, rest, n, (double)s->p), edge = noise * (m * m + threshold * spread);
		if (!(n * s->eig[k] > edge) || (measured && !(n * s->eig[k] > edge * stretch(s, last, k, noise))))
			break;
	}
	return k;
}

size_t hs_rank_tw(const double *eig, size_t n_eig, size_t n, size_t p, double threshold)
{
	const struct spectrum s = whole(eig, n_eig, n, p);
	return tracy_widom(&s, threshold, false);
}

size_t hs_rank_edge(const double *eig, size_t n_eig, size_t n, size_t p, double threshold)
{
	const struct spectrum s = whole(eig, n_eig, n, p);
	return tracy_widom(&s, threshold, true);
}

/* --- Gavish and Donoho -------------------------------------------------------------------------------------------- */

static size_t gavish_donoho(const struct spectrum *s)
{
	const size_t last = count_nonzero(s), all = least(s->n, s->p);
	const double *eig = s->eig;
	if (!last)
		return 0;
	const double beta = (double)all / (double)(s->n > s->p ? s->n : s->p),
		     lambda = sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + sqrt(beta * beta + 14 * beta + 1))),
		     low = all / 2 < last ? sqrt(eig[all / 2]) : 0, high = (all - 1) / 2 < last ? sqrt(eig[(all - 1) / 2]) : 0,
		     cut = lambda / sqrt(hs_marchenko_pastur_median(beta)) * (low + high) / 2;
	size_t k = 0;
	while (k < least(last, s->n_known) && sqrt(eig[k]) > cut)
		k++;
	return k;
}

size_t hs_rank_gd(const double *eig, size_t n_eig, size_t n, size_t p)
{
	const struct spectrum s = whole(eig, n_eig, n, p);
	return gavish_donoho(&s);
}

/* --- probabilistic PCA -------------------------------------------------------------------------------------------- */

static size_t bic(const struct spectrum *s)
{
	const size_t last = nameable(s), n = s->n, p = s->p, n_eig = s->n_eig;
	const double *eig = s->eig;
	if (!last)
		return 0;
	const double floor = eig[0] * s->floor, dn = (double)n, dp = (double)p;
	double rest = 0, logs = 0, best = INFINITY;
	size_t answer = 0;
	for (size_t i = n_eig; i-- > 0;)
		rest += eig[i];
	for (size_t k = 0; k <= last && k < p; k++) {
		const double dk = (double)k, noise = fmax(rest / (dp - dk), floor);
		const double twice_l = -dn * (dp * log(2 * M_PI) + logs + (dp - dk) * log(noise) + dp);
		const double bic = -twice_l + (dp * dk - dk * (dk + 1) / 2 + dk + 1) * log(dn);
		if (bic < best) {
			best = bic;
			answer = k;
		}
		if (k < last) {
			logs += log(eig[k]);
			rest -= eig[k];
		}
	}
	return answer;
}

size_t hs_rank_bic(const double *eig, size_t n_eig, size_t n, size_t p)
{
	const struct spectrum s = whole(eig, n_eig, n, p);
	return bic(&s);
}

/* log(lambda_i - lambda_j), with a floor instead of minus infinity for equal eigenvalues. */
static double log_gap(double a, double b, double floor)
{
	return log(fmax(a - b, floor));
}

/* Minka's equation 30 with its double product kept up from one k to the next: O(p) a step instead of O(p k). */
static size_t minka(const struct spectrum *s)
{
	const size_t last = nameable(s), n = s->n, p = s->p, n_eig = s->n_eig;
	const double *eig = s->eig;
	if (!last)
		return 0;
	const double floor = fmin(1e-15, s->floor) * eig[0], dn = (double)n, dp = (double)p, log_n = log(dn);
	double rest = 0, logs = 0, volume = 0;
	double inside = 0, outside = 0;       /* log |A_Z| over pairs i < j < k, and log(lambda_i - lambda_j) over i < k <= j */
	for (size_t i = n_eig; i-- > 0;)
		rest += eig[i];
	double best = -INFINITY;
	size_t answer = 0;
	for (size_t k = 1; k <= last && k < p; k++) {
		const double dk = (double)k, added = eig[k - 1];
		for (size_t i = 0; i + 1 < k; i++) {
			const double gap = log_gap(eig[i], added, floor);
			inside += gap + log(fmax(1 / added - 1 / eig[i], floor / (eig[0] * eig[0]))) + log_n;
			outside -= gap;
		}
		for (size_t j = k; j < p; j++)
			outside += log_gap(added, j < n_eig ? eig[j] : 0, floor);
		rest -= added;
		logs += log(added);
		volume += -log(2.0) + lgamma((dp - dk + 1) / 2) - log(M_PI) * (dp - dk + 1) / 2;
		const double noise = fmax(rest / (dp - dk), floor), m = dp * dk - dk * (dk + 1) / 2;
		double hessian = inside + outside + (dp - dk) * dk * log_n;
		for (size_t i = 0; i < k; i++)
			hessian += (dp - dk) * log(fmax(1 / noise - 1 / eig[i], floor / (eig[0] * eig[0])));
		const double evidence = volume - logs * dn / 2 - log(noise) * dn * (dp - dk) / 2 + log(2 * M_PI) * (m + dk) / 2 -
					hessian / 2 - dk * log_n / 2;
		if (evidence > best) {
			best = evidence;
			answer = k;
		}
	}
	return answer;
}

size_t hs_rank_minka(const double *eig, size_t n_eig, size_t n, size_t p)
{
	const struct spectrum s = whole(eig, n_eig, n, p);
	return minka(&s);
}

size_t hs_rank_elbow(const double *eig, size_t n_eig)
{
	double total = 0;
	for (size_t i = 0; i < n_eig; i++)
		total += eig[i];
	if (!(total > 0))
		return 0;
	const size_t end = least(ELBOW_POINTS, n_eig - 1);
	const double y0 = log(fmax(eig[0] / total, 1e-30)), slope = end ? log(fmax(eig[end] / total, 1e-30)) - y0 : 0;
	double far = -1;
	size_t elbow = 0;
	for (size_t i = 0; i < end; i++) {
		/* distance from the line, without its constant denominator */
		const double d = fabs((double)end * (y0 - log(fmax(eig[i] / total, 1e-30))) + (double)i * slope);
		if (d > far) {
			far = d;
			elbow = i;
		}
	}
	return elbow + 1;
}

/* --- parallel analysis -------------------------------------------------------------------------------------------- */

struct sample {
	const struct hs_row_frame *frame;
	size_t n_strata, n, p;
	size_t *pick;                 /* the row of each stratum, ascending */
	uint8_t *used;
	double *row;                  /* threads x p */
	double *y;                    /* strata x p while reading */
};

static int take_sample(void *ctx, int thread, const struct hs_block *b, struct hs_err *err)
{
	(void)err;
	struct sample *s = ctx;
	size_t low = 0, high = s->n_strata;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (s->pick[middle] < b->first_row)
			low = middle + 1;
		else
			high = middle;
	}
	const size_t row_bytes = s->p * (b->type == HS_ROW_F32 ? sizeof(float) : sizeof(double));
	for (; low < s->n_strata && s->pick[low] < b->first_row + b->n_rows; low++) {
		const size_t i = s->pick[low] - b->first_row;
		double part, *row = s->row + (size_t)thread * s->p;
		if (b->skip[i] || !hs_row_frame_apply(s->frame, b->type, (const char *)b->x + i * row_bytes, true, row, &part))
			continue;
		memcpy(s->y + low * s->p, row, s->p * sizeof(double));
		s->used[low] = 1;
	}
	return 0;
}

/* Channels become rows (p x n), rows that were not usable go. */
static double *by_channel(struct sample *s, struct hs_err *err)
{
	double *t = hs_alloc(s->n * s->p, sizeof *t, err);
	for (size_t i = 0, at = 0; t && i < s->n_strata; i++) {
		if (!s->used[i])
			continue;
		for (size_t j = 0; j < s->p; j++)
			t[j * s->n + at] = s->y[i * s->p + j];
		at++;
	}
	return t;
}

static double *read_sample(
	struct hs_rowsource *rows, const struct hs_row_frame *frame, uint64_t seed, size_t *n_used, struct hs_err *err)
{
	const size_t p = rows->n_chan, most = p > WIDE_CHANNELS ? SAMPLE_ROWS_WIDE : SAMPLE_ROWS;
	struct sample s = { .frame = frame, .p = p, .n_strata = least(rows->n_rows, most) };
	double *t = NULL;
	s.pick = hs_alloc(s.n_strata, sizeof(size_t), err);
	s.used = s.pick ? hs_alloc(s.n_strata, 1, err) : NULL;
	s.row = s.used ? hs_alloc((size_t)hs_par_threads(), p * sizeof(double), err) : NULL;
	s.y = s.row ? hs_alloc(s.n_strata, p * sizeof(double), err) : NULL;
	for (size_t i = 0; s.y && i < s.n_strata; i++) {
		const size_t each = rows->n_rows / s.n_strata, longer = rows->n_rows % s.n_strata,
			     first = i * each + least(i, longer);
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_SAMPLE, i);
		s.pick[i] = first + hs_rng_below(&rng, each + (i < longer));
	}
	if (s.y && hs_rows_each(rows, "sample", take_sample, &s, err) == 0) {
		for (size_t i = 0; i < s.n_strata; i++)
			s.n += s.used[i];
		t = by_channel(&s, err);
	}
	*n_used = s.n;
	free(s.pick);
	free(s.used);
	free(s.row);
	free(s.y);
	return t;
}

/* Eigenvalues of t t^T, or of t^T t when that is smaller; first, when not NULL, the leading vector of that side. */
static int spectrum(const double *t, size_t n, size_t p, double *value, double *first, struct hs_err *err)
{
	const size_t size = least(n, p);
	double *a = hs_alloc(size * size, sizeof *a, err);
	if (!a)
		return -1;
	cblas_dsyrk(CblasRowMajor, CblasUpper, n < p ? CblasTrans : CblasNoTrans, (int)size, (int)(n < p ? p : n), 1, t, (int)n,
		0, a, (int)size);
	const int verdict = hs_la_eigh(a, size, first ? 1 : 0, value, first, err);
	free(a);
	return verdict;
}

/* Without centring the first component is mostly the mean, and shuffling within channels leaves the mean alone: it is taken for
 * granted, and removed before the comparison. */
static int remove_first(double *t, size_t n, size_t p, struct hs_err *err)
{
	const size_t size = least(n, p), other = n < p ? p : n;
	double *value = hs_alloc(size, sizeof *value, err), *vector = value ? hs_alloc(size, sizeof *vector, err) : NULL,
	       *across = vector ? hs_alloc(other, sizeof *across, err) : NULL;
	const int verdict = across ? spectrum(t, n, p, value, vector, err) : -1;
	if (verdict == 0) {
		cblas_dgemv(
			CblasRowMajor, n < p ? CblasNoTrans : CblasTrans, (int)p, (int)n, 1, t, (int)n, vector, 1, 0, across, 1);
		cblas_dger(CblasRowMajor, (int)p, (int)n, -1, n < p ? across : vector, 1, n < p ? vector : across, 1, t, (int)n);
	}
	free(value);
	free(vector);
	free(across);
	return verdict;
}

static void remove_means(double *t, size_t n, size_t p)
{
	for (size_t j = 0; j < p; j++) {
		double mean = 0;
		for (size_t i = 0; i < n; i++)
			mean += t[j * n + i];
		mean /= (double)n;
		for (size_t i = 0; i < n; i++)
			t[j * n + i] -= mean;
	}
}

static int shuffled_spectrum(const double *t, size_t n, size_t p, uint64_t seed, size_t round, double *value, struct hs_err *err)
{
	double *copy = hs_alloc(n * p, sizeof *copy, err);
	if (!copy)
		return -1;
	memcpy(copy, t, n * p * sizeof *copy);
	for (size_t j = 0; j < p; j++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_PERMUTE, (uint64_t)round << 32 | j);
		for (size_t i = n - 1; i > 0; i--) {
			const size_t other = hs_rng_below(&rng, i + 1);
			const double keep = copy[j * n + i];
			copy[j * n + i] = copy[j * n + other];
			copy[j * n + other] = keep;
		}
	}
	const int verdict = spectrum(copy, n, p, value, NULL, err);
	free(copy);
	return verdict;
}

static size_t compare(const double *own, const double *shuffled, size_t size)
{
	size_t k = 0;
	for (; k < size; k++) {
		double at[ROUNDS];
		for (size_t b = 0; b < ROUNDS; b++)
			at[b] = shuffled[b * size + k];
		qsort(at, ROUNDS, sizeof *at, ascending);
		const double place = QUANTILE * (ROUNDS - 1);
		const size_t below = (size_t)place;
		if (!(own[k] > at[below] + (place - (double)below) * (at[below + 1] - at[below])))
			break;
	}
	return k;
}

static int against_shuffled(const double *t, size_t n, size_t p, uint64_t seed, size_t *rank, struct hs_err *err)
{
	const size_t size = least(n, p);
	double *own = hs_alloc(size, sizeof *own, err), *shuffled = own ? hs_alloc(ROUNDS * size, sizeof *shuffled, err) : NULL;
	int verdict = shuffled ? spectrum(t, n, p, own, NULL, err) : -1;
	struct hs_err round_err[ROUNDS] = { 0 };
	const int threads = (int)least((size_t)hs_par_threads(), ROUNDS_AT_ONCE);
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (verdict == 0)
	for (size_t b = 0; b < (verdict == 0 ? ROUNDS : 0); b++)
		shuffled_spectrum(t, n, p, seed, b, shuffled + b * size, &round_err[b]);
	for (size_t b = 0; b < ROUNDS && verdict == 0; b++)
		if (hs_failed(&round_err[b])) {
			*err = round_err[b];
			verdict = -1;
		}
	if (verdict == 0)
		*rank = compare(own, shuffled, size);
	free(own);
	free(shuffled);
	return verdict;
}

int hs_rank_parallel(struct hs_rowsource *rows, const struct hs_row_frame *frame, uint64_t seed, size_t *rank, struct hs_err *err)
{
	const size_t p = rows->n_chan;
	const bool centred = frame->centre != HS_CENTRE_NONE;
	size_t n;
	if (frame->n_chan != p)
		return hs_fail(err, HS_BAD_DATA, "components have %zu channels, the spectra %zu", frame->n_chan, p);
	double *t = read_sample(rows, frame, seed, &n, err);
	if (!t)
		return -1;
	*rank = 0;
	double largest = 0;
	for (size_t i = 0; i < n * p; i++)
		largest = fmax(largest, fabs(t[i]));
	int verdict = 0;
	if (n > 1 && largest > 0) {
		if (centred)
			remove_means(t, n, p);
		verdict = centred ? 0 : remove_first(t, n, p, err);
		if (verdict == 0)
			verdict = against_shuffled(t, n, p, seed, rank, err);
		*rank += !centred;
	}
	free(t);
	return verdict;
}

/* --- all together ------------------------------------------------------------------------------------------------- */

static void judge(struct hs_ranks *r)
{
	const bool hopeless = r->tw > r->p / 4 && r->tw > 1;
	r->chosen = hopeless ? r->tw : r->edge;
	r->reason[0] = 0;
	if (hopeless)
		snprintf(r->reason, sizeof r->reason,
			"%zu of %zu channels would be signal: the noise differs between channels (counts want "
			"Poisson scaling) or a few spectra are far outside the rest",
			r->tw, r->p);
	else if (r->known != HS_RANK_UNKNOWN && r->chosen >= r->known)
		snprintf(r->reason, sizeof r->reason, "all %zu components that are known stand out of the noise: there may be more", r->known);
	else if (r->chosen == 0)
		snprintf(r->reason, sizeof r->reason, "no component stands out of the noise");
	else if (r->parallel != HS_RANK_UNKNOWN && r->parallel != r->chosen)
		snprintf(r->reason, sizeof r->reason, "the Tracy-Widom test finds %zu components, parallel analysis %zu", r->chosen,
			r->parallel);
	else if (r->chosen != r->gd && r->chosen != r->bic && r->chosen != r->minka)
		snprintf(r->reason, sizeof r->reason,
			"%zu components stand out of the noise; Gavish-Donoho finds %zu, Minka %zu, BIC %zu", r->chosen, r->gd, r->minka,
			r->bic);
	r->disagree = *r->reason != 0;
}

static void ask_all(struct hs_ranks *r, const struct spectrum *s)
{
	*r = (struct hs_ranks){ .tw = tracy_widom(s, HS_TW_1, false),
		.edge = tracy_widom(s, HS_TW_1, true),
		.gd = gavish_donoho(s),
		.minka = minka(s),
		.bic = bic(s),
		.elbow = hs_rank_elbow(s->eig, s->n_known),
		.parallel = HS_RANK_UNKNOWN,
		.p = s->p,
		.known = s->n_known < least(s->n, s->p) ? s->n_known : HS_RANK_UNKNOWN };
	judge(r);
}

void hs_ranks_find(struct hs_ranks *r, const double *eig, size_t n_eig, size_t n, size_t p)
{
	const struct spectrum s = whole(eig, n_eig, n, p);
	ask_all(r, &s);
}

int hs_ranks_find_among(struct hs_ranks *r, const double *eig, size_t n_known, double total, double floor, size_t n, size_t p,
	struct hs_err *err)
{
	const size_t all = n_known > least(n, p) ? n_known : least(n, p);
	double *full = hs_alloc(all + 1, sizeof *full, err), rest = total;
	if (!full)
		return -1;
	for (size_t i = 0; i < n_known; i++)
		rest -= full[i] = eig[i];
	if (all > n_known) {
		double sum = 0, most = n_known ? eig[n_known - 1] : INFINITY;
		expect_noise(n, p, n_known, all - n_known, full + n_known);
		for (size_t i = n_known; i < all; i++)
			sum += full[i];
		for (size_t i = n_known; i < all; i++)
			full[i] = sum > 0 && rest > 0 ? fmin(full[i] * rest / sum, most) : 0;
	}
	const struct spectrum s = { full, all, n_known, n, p, floor };
	ask_all(r, &s);
	free(full);
	return 0;
}

void hs_ranks_set_parallel(struct hs_ranks *r, size_t parallel)
{
	r->parallel = parallel;
	judge(r);
}
