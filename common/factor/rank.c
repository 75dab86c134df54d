#include "factor/rank.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

const char *const hs_rank_names[HS_RANK_TESTS] = { "Tracy-Widom", "Gavish-Donoho", "Minka", "BIC", "elbow", "parallel analysis" };

enum { ELBOW_POINTS = 20 };

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
