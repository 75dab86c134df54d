/* scene: the truth it claims is the truth of its rows, whatever the order and the number of threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/match.h"
#include "math/par.h"
#include "scene/scene.h"
#include "tap.h"

static struct hs_scene_options usual(const char *name)
{
	return (struct hs_scene_options){ .name = name, .nx = 23, .ny = 17, .n_chan = 61, .counts = 20000, .sigma = 1, .purity = 0.8,
		.separation = 8, .drift_ev = 2, .outliers = 0.1, .value = NAN, .seed = 11 };
}

static struct hs_scene *made(const struct hs_scene_options *o)
{
	struct hs_err err = { 0 };
	struct hs_scene *s = NULL;
	if (hs_scene_new(&s, o, &err) < 0)
		tap_ok(0, "%s: %s", o->name, err.text);
	return s;
}

static size_t truth_called(const struct hs_scene *s, const char *name)
{
	size_t i = 0;
	for (const struct hs_truth *t; (t = hs_scene_truth(s, i)) && strcmp(t->name, name); i++)
		;
	return i;
}

static double *truth(const struct hs_scene *s, const char *name, size_t n_pix, size_t n)
{
	double *x = malloc(n_pix * n * sizeof *x);
	hs_scene_truth_rows(s, truth_called(s, name), 0, n_pix, x);
	return x;
}

/* ---- every scene ---- */

static void any_order(const char *name)
{
	const struct hs_scene_options o = usual(name);
	const size_t n_pix = o.nx * o.ny, n = n_pix * o.n_chan;
	struct hs_scene *s = made(&o), *again = made(&o);
	double *whole = malloc(n * sizeof *whole), *pieces = malloc(n * sizeof *pieces);
	bool finite = true;
	hs_par_set_threads(1);
	hs_scene_rows(s, 0, n_pix, whole);
	hs_par_set_threads(4);
	for (size_t end = n_pix; end > 0;) {          /* from behind, in odd pieces */
		const size_t k = end < 37 ? end : 37;
		hs_scene_rows(again, end - k, k, pieces + (end - k) * o.n_chan);
		end -= k;
	}
	for (size_t i = 0; i < n; i++)
		finite = finite && isfinite(whole[i]);
	tap_ok(finite, "%s: every value is a number", name);
	tap_ok(!memcmp(whole, pieces, n * sizeof *whole), "%s: the same bits in pieces, from behind, by 4 threads", name);
	for (size_t t = 0; hs_scene_truth(s, t); t++) {
		const struct hs_truth *what = hs_scene_truth(s, t);
		if (what->kind == HS_TRUTH_SPECTRA) {
			tap_ok(!memcmp(hs_scene_truth_spectra(s, t), hs_scene_truth_spectra(again, t), hs_scene_n_comp(s) * o.n_chan * sizeof(double)),
				"%s: %s are the same each time", name, what->name);
			continue;
		}
		const size_t k = what->kind == HS_TRUTH_MAPS ? hs_scene_n_comp(s) : 1;
		double *a = malloc(n_pix * k * sizeof *a), *b = malloc(n_pix * k * sizeof *b);
		hs_scene_truth_rows(s, t, 0, n_pix, a);
		for (size_t i = 0; i < n_pix; i++)
			hs_scene_truth_rows(again, t, i, 1, b + i * k);
		tap_ok(!memcmp(a, b, n_pix * k * sizeof *a), "%s: %s are the same row by row", name, what->name);
		free(a);
		free(b);
	}
	struct hs_scene_options other = o;
	other.seed++;
	struct hs_scene *differs = made(&other);
	hs_scene_rows(differs, 0, n_pix, pieces);
	const bool plain = !strcmp(name, "constant") || !strcmp(name, "gradient");
	tap_ok(plain == !memcmp(whole, pieces, n * sizeof *whole), "%s: another seed %s", name,
		plain ? "makes no difference" : "is another scene");
	hs_scene_free(s);
	hs_scene_free(again);
	hs_scene_free(differs);
	free(whole);
	free(pieces);
}

static void small_ones(const char *name)
{
	static const size_t size[][3] = { { 1, 1, 1 }, { 1, 1, 7 }, { 2, 1, 1 }, { 1, 9, 2 }, { 2, 2, 1 } };
	bool fine = true;
	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		struct hs_scene_options o = usual(name);
		struct hs_err err = { 0 };
		struct hs_scene *s = NULL;
		double x[64];
		o.nx = size[i][0];
		o.ny = size[i][1];
		o.n_chan = size[i][2];
		o.n_comp = !strcmp(name, "nopure") ? 2 : !strcmp(name, "constant") || !strcmp(name, "gradient") ? 0 : 1;
		const int verdict = hs_scene_new(&s, &o, &err);
		if (!strcmp(name, "nopure") && o.nx * o.ny < 2) {
			fine = fine && verdict < 0 && err.status == HS_USAGE && !s;
			continue;
		}
		fine = fine && verdict == 0;
		if (verdict < 0)
			continue;
		hs_scene_rows(s, 0, o.nx * o.ny, x);
		for (size_t k = 0; k < o.nx * o.ny * o.n_chan; k++)
			fine = fine && isfinite(x[k]);
		hs_scene_free(s);
	}
	tap_ok(fine, "%s: one pixel, one channel, one line", name);
}

/* ---- mixtures ---- */

static void mixture_is_linear(void)
{
	struct hs_scene_options o = usual("mixture");
	const size_t n_pix = o.nx * o.ny, k = 4;
	o.noise = HS_NOISE_NONE;
	struct hs_scene *s = made(&o);
	double *a = truth(s, "abundances", n_pix, k), *x = malloc(n_pix * o.n_chan * sizeof *x);
	const double *e = hs_scene_truth_spectra(s, truth_called(s, "endmembers"));
	double worst = 0, off_one = 0, lowest = 1, largest = 0;
	size_t pure[4] = { 0 }, mixed = 0;
	hs_scene_rows(s, 0, n_pix, x);
	for (size_t i = 0; i < n_pix; i++) {
		double sum = 0;
		size_t parts = 0;
		for (size_t j = 0; j < k; j++) {
			sum += a[i * k + j];
			lowest = fmin(lowest, a[i * k + j]);
			pure[j] += a[i * k + j] == 1;
			parts += a[i * k + j] > 0;
		}
		mixed += parts > 1;
		off_one = fmax(off_one, fabs(sum - 1));
		for (size_t c = 0; c < o.n_chan; c++) {
			double model = 0;
			for (size_t j = 0; j < k; j++)
				model += a[i * k + j] * e[j * o.n_chan + c];
			worst = fmax(worst, fabs(model - x[i * o.n_chan + c]));
			largest = fmax(largest, model);
		}
	}
	tap_ok(worst <= 1e-12 * largest, "mixture: rows are abundances times endmembers (off by %.1e of %.3g)", worst, largest);
	tap_ok(off_one < 1e-14 && lowest >= 0, "mixture: abundances are not negative and sum to one");
	tap_ok(pure[0] && pure[1] && pure[2] && pure[3] && mixed > n_pix / 4,
		"mixture: %zu %zu %zu %zu pure pixels, %zu mixed of %zu", pure[0], pure[1], pure[2], pure[3], mixed, n_pix);
	double total = 0, least_angle = M_PI;
	for (size_t i = 0; i < k; i++) {
		for (size_t c = 0; c < o.n_chan; c++)
			total += e[i * o.n_chan + c];
		for (size_t j = 0; j < i; j++)
			least_angle = fmin(least_angle, hs_spectral_angle(e + i * o.n_chan, e + j * o.n_chan, o.n_chan));
	}
	tap_ok(fabs(total / (double)k - o.counts) < 1e-9 * o.counts, "mixture: endmembers have --counts on average");
	tap_ok(least_angle > 0.2, "mixture: endmembers are %.2f rad apart or more", least_angle);
	/* smooth in an image with room */
	hs_scene_free(s);
	free(a);
	free(x);
	o.nx = o.ny = 128;
	s = made(&o);
	a = truth(s, "abundances", 128 * 128, k);
	double step = 0;
	for (size_t y = 0; y < 128; y++)
		for (size_t i = 1; i < 128; i++)
			for (size_t j = 0; j < k; j++)
				step = fmax(step, fabs(a[(y * 128 + i) * k + j] - a[(y * 128 + i - 1) * k + j]));
	tap_ok(step < 0.25, "mixture: abundances change by at most %.3f from pixel to pixel", step);
	hs_scene_free(s);
	free(a);
}

static void nopure_is_not(void)
{
	static const double purity[] = { 0.8, 0.5, 0.3, 0.25 };
	for (size_t t = 0; t < 4; t++) {
		struct hs_scene_options o = usual("nopure");
		const size_t n_pix = o.nx * o.ny, k = 4;
		o.purity = purity[t];
		struct hs_scene *s = made(&o);
		double *a = truth(s, "abundances", n_pix, k), off_one = 0, largest = 0, lowest = 1;
		for (size_t i = 0; i < n_pix; i++) {
			double sum = 0;
			for (size_t j = 0; j < k; j++) {
				sum += a[i * k + j];
				largest = fmax(largest, a[i * k + j]);
				lowest = fmin(lowest, a[i * k + j]);
			}
			off_one = fmax(off_one, fabs(sum - 1));
		}
		tap_ok(largest <= purity[t] + 1e-12 && largest > purity[t] - 1e-12 && off_one < 1e-12 && lowest >= 0,
			"nopure: the purest pixel at --purity %g is %.6f", purity[t], largest);
		hs_scene_free(s);
		free(a);
	}
}

static void outliers_are_where_said(void)
{
	struct hs_scene_options o = usual("outliers");
	const size_t n_pix = o.nx * o.ny, n = o.n_chan;
	struct hs_scene *s = made(&o);
	o.name = "mixture";
	struct hs_scene *clean = made(&o);
	double *x = malloc(n_pix * n * sizeof *x), *y = malloc(n_pix * n * sizeof *y), *kind = truth(s, "outliers", n_pix, 1),
	       *where = truth(s, "outlier_channel", n_pix, 1);
	hs_scene_rows(s, 0, n_pix, x);
	hs_scene_rows(clean, 0, n_pix, y);
	bool as_said = true;
	size_t count[3] = { 0 };
	for (size_t i = 0; i < n_pix; i++) {
		size_t changed = 0, last = 0;
		bool brighter = true;
		for (size_t c = 0; c < n; c++)
			if (x[i * n + c] != y[i * n + c]) {
				changed++;
				last = c;
				brighter = brighter && x[i * n + c] > y[i * n + c];
			}
		count[(int)kind[i]]++;
		const bool spike = changed == 1 && (double)last == where[i], hot = changed > 1 && where[i] == -1;
		as_said = as_said && brighter && (kind[i] == 0 ? !changed && where[i] == -1 : kind[i] == 1 ? spike : hot);
	}
	tap_ok(as_said, "outliers: the mixture of the same seed wherever the map is 0, brighter elsewhere");
	/* binomial: 391 pixels at 0.1 are 39 +- 6 */
	tap_ok(count[1] + count[2] > 15 && count[1] + count[2] < 63 && count[1] && count[2],
		"outliers: %zu spikes and %zu hot of %zu", count[1], count[2], n_pix);
	hs_scene_free(s);
	hs_scene_free(clean);
	free(x);
	free(y);
	free(kind);
	free(where);
}

/* A shift by whole channels moves the spectrum by that many; in between, by the first moment. */
static void drift_moves_energies(void)
{
	struct hs_scene_options o = usual("drift");
	o.n_comp = 1;
	o.n_chan = 400;
	o.noise = HS_NOISE_NONE;
	const size_t n_pix = o.nx * o.ny, n = o.n_chan;
	struct hs_scene *s = made(&o);
	double *drift = truth(s, "drift", n_pix, 1), *x = malloc(n_pix * n * sizeof *x);
	const double *e = hs_scene_truth_spectra(s, truth_called(s, "endmembers"));
	double worst = 0, low = INFINITY, high = -INFINITY, offset_ev, step_ev, peak = 0;
	hs_scene_energy(s, &offset_ev, &step_ev);
	hs_scene_rows(s, 0, n_pix, x);
	for (size_t c = 0; c < n; c++)
		peak = fmax(peak, e[c]);
	for (size_t i = 0; i < n_pix; i++) {
		low = fmin(low, drift[i]);
		high = fmax(high, drift[i]);
		for (size_t c = 10; c + 10 < n; c++) {        /* cubic interpolation of the endmember at the shifted energy */
			const double at = (double)c - drift[i] / step_ev, f = at - floor(at);
			const double *p = e + (size_t)floor(at);
			const double slope = p[1] - p[-1], curve = 2 * p[-1] - 5 * p[0] + 4 * p[1] - p[2], twist = 3 * (p[0] - p[1]) + p[2] - p[-1];
			const double v = p[0] + f / 2 * (slope + f * (curve + f * twist));
			worst = fmax(worst, fabs(v - x[i * n + c]));
		}
	}
	tap_ok(worst < 0.01 * peak, "drift: the endmember at energy minus drift (off by %.1e of the peak)", worst / peak);
	tap_ok(low >= -o.drift_ev && high <= o.drift_ev && high - low > o.drift_ev / 2, "drift: %.2f .. %.2f eV, within --drift %g",
		low, high, o.drift_ev);
	hs_scene_free(s);
	free(drift);
	free(x);
}

/* ---- clusters ---- */

static void clusters_are_apart(void)
{
	struct hs_scene_options o = usual("clusters");
	o.sigma = 3;
	const size_t n_pix = o.nx * o.ny, n = o.n_chan, k = 4;
	struct hs_scene *s = made(&o);
	double *label = truth(s, "labels", n_pix, 1), *x = malloc(n_pix * n * sizeof *x), least = INFINITY, sum = 0, sum2 = 0;
	const double *centre = hs_scene_truth_spectra(s, truth_called(s, "centroids"));
	size_t size[4] = { 0 };
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < i; j++) {
			double d2 = 0;
			for (size_t c = 0; c < n; c++)
				d2 += pow(centre[i * n + c] - centre[j * n + c], 2);
			least = fmin(least, sqrt(d2));
		}
	tap_ok(fabs(least - o.separation * o.sigma) < 1e-9, "clusters: the nearest two are %g sigma apart", least / o.sigma);
	hs_scene_rows(s, 0, n_pix, x);
	for (size_t i = 0; i < n_pix; i++) {
		size[(int)label[i]]++;
		for (size_t c = 0; c < n; c++) {
			const double z = (x[i * n + c] - centre[(size_t)label[i] * n + c]) / o.sigma;
			sum += z;
			sum2 += z * z;
		}
	}
	const double m = (double)(n_pix * n);
	tap_ok(size[0] && size[1] && size[2] && size[3], "clusters: every label is there: %zu %zu %zu %zu", size[0], size[1],
		size[2], size[3]);
	/* standard errors of mean and variance: 1/sqrt(m), sqrt(2/m); 5 of them */
	tap_ok(fabs(sum / m) < 5 / sqrt(m) && fabs(sum2 / m - 1) < 5 * sqrt(2 / m),
		"clusters: residuals are normal: mean %.4f, variance %.4f of %g", sum / m, sum2 / m, m);
	hs_scene_free(s);
	free(label);
	free(x);
}

/* ---- noise ---- */

static void noise_is_as_said(enum hs_scene_noise noise, double value, double sigma)
{
	struct hs_scene_options o = usual("constant");
	o.nx = 64;
	o.ny = 32;
	o.n_chan = 100;
	o.noise = noise;
	o.value = value;
	o.sigma = sigma;
	const size_t n = o.nx * o.ny * o.n_chan;
	struct hs_scene *s = made(&o);
	double *x = malloc(n * sizeof *x), sum = 0, sum2 = 0, beside = 0, below = 0;
	bool whole = true;
	hs_scene_rows(s, 0, o.nx * o.ny, x);
	for (size_t i = 0; i < n; i++) {
		const double d = x[i] - value;
		sum += d;
		sum2 += d * d;
		whole = whole && x[i] == floor(x[i]) && x[i] >= 0;
		if (i % o.n_chan)
			beside += d * (x[i - 1] - value);
		if (i >= o.n_chan)
			below += d * (x[i - o.n_chan] - value);
	}
	const double m = (double)n, variance = noise == HS_NOISE_POISSON ? value : sigma * sigma;
	const double fourth = noise == HS_NOISE_POISSON ? 3 * value * value + value : 3 * pow(sigma, 4);
	const double mean_off = sum / m, variance_off = sum2 / m - variance;
	const char *name = noise == HS_NOISE_POISSON ? "poisson" : "gauss";
	tap_ok(fabs(mean_off) < 5 * sqrt(variance / m), "%s at %g: mean off by %.2g", name, value, mean_off);
	tap_ok(fabs(variance_off) < 5 * sqrt((fourth - variance * variance) / m), "%s at %g: variance %.4g, expected %g", name,
		value, sum2 / m, variance);
	tap_ok(fabs(beside / m) < 5 * variance / sqrt(m) && fabs(below / m) < 5 * variance / sqrt(m),
		"%s at %g: neighbours are independent", name, value);
	tap_ok(whole == (noise == HS_NOISE_POISSON), "%s at %g: %s", name, value,
		noise == HS_NOISE_POISSON ? "counts are whole" : "not whole");
	hs_scene_free(s);
	free(x);
}

/* ---- peaks, edges, plain ---- */

static void peaks_are_as_said(void)
{
	for (int profile = HS_PROFILE_LORENTZ; profile <= HS_PROFILE_GAUSS; profile++) {
		struct hs_scene_options o = usual("peaks");
		o.n_chan = 801;
		o.noise = HS_NOISE_NONE;
		o.profile = (enum hs_scene_profile)profile;
		const size_t n_pix = o.nx * o.ny, n = o.n_chan;
		struct hs_scene *s = made(&o);
		double *position = truth(s, "position", n_pix, 1), *width = truth(s, "width", n_pix, 1), *height = truth(s, "height", n_pix, 1),
		       *ground = truth(s, "background", n_pix, 1), *x = malloc(n_pix * n * sizeof *x);
		double offset_ev, step_ev, off_place = 0, off_width = 0, off_height = 0, total = 0;
		hs_scene_energy(s, &offset_ev, &step_ev);
		hs_scene_rows(s, 0, n_pix, x);
		for (size_t i = 0; i < n_pix; i++) {
			const double *row = x + i * n;
			size_t top = 0, left = 0, right = n - 1;
			for (size_t c = 0; c < n; c++) {
				top = row[c] > row[top] ? c : top;
				total += row[c];
			}
			/* where it crosses half of its height, between channels */
			const double half = ground[i] + height[i] / 2;
			while (row[left + 1] < half)
				left++;
			while (row[right - 1] < half)
				right--;
			const double from = (double)left + (half - row[left]) / (row[left + 1] - row[left]),
				     to = (double)right - (half - row[right]) / (row[right - 1] - row[right]);
			off_place = fmax(off_place, fabs(offset_ev + step_ev * (from + to) / 2 - position[i]));
			off_width = fmax(off_width, fabs(step_ev * (to - from) / width[i] - 1));
			off_height = fmax(off_height, fabs((row[top] - ground[i]) / height[i] - 1));
		}
		tap_ok(off_place < 0.1 * step_ev && off_width < 0.01 && off_height < 0.01,
			"peaks: measured on the rows, position is off by %.4f eV, width by %.4f, height by %.4f of it", off_place, off_width,
			off_height);
		tap_ok(fabs(total / (double)n_pix / o.counts - 1) < 0.3, "peaks: %.0f counts a spectrum", total / (double)n_pix);
		hs_scene_free(s);
		free(position);
		free(width);
		free(height);
		free(ground);
		free(x);
	}
}

/* Without drift, compounds are shares of the stored endmembers; with it, those at energy minus drift: a rigid shift keeps what
 * the backgrounds are, so the ratio of neighbouring channels far from edges follows the exponent. */
static void compounds_mix_and_drift(void)
{
	struct hs_scene_options o = usual("compounds");
	o.n_chan = 640;
	o.noise = HS_NOISE_NONE;
	o.drift_ev = 0;
	const size_t n_pix = o.nx * o.ny, n = o.n_chan, k = 3;
	struct hs_scene *still = made(&o);
	o.drift_ev = 1;
	struct hs_scene *moving = made(&o);
	double *share = truth(still, "abundances", n_pix, k), *drift = truth(moving, "drift", n_pix, 1),
	       *x = malloc(n_pix * n * sizeof *x), *y = malloc(n_pix * n * sizeof *y), worst = 0, worst_shift = 0, pure = 0;
	const double *e = hs_scene_truth_spectra(still, truth_called(still, "endmembers"));
	hs_scene_rows(still, 0, n_pix, x);
	hs_scene_rows(moving, 0, n_pix, y);
	for (size_t i = 0; i < n_pix; i++) {
		for (size_t c = 0; c < n; c++) {
			double model = 0;
			for (size_t j = 0; j < k; j++)
				model += share[i * k + j] * e[j * n + c];
			worst = fmax(worst, fabs(x[i * n + c] / model - 1));
		}
		for (size_t c = 150; c < 190; c++) {          /* 350 .. 390 eV: no onset; the channel width is 1 eV */
			const double d = drift[i], x0 = x[i * n + c], slope = (x[i * n + c + 1] - x[i * n + c - 1]) / 2,
				     bend = x[i * n + c + 1] - 2 * x0 + x[i * n + c - 1];
			worst_shift = fmax(worst_shift, fabs(y[i * n + c] / (x0 - d * slope + d * d / 2 * bend) - 1));
		}
		for (size_t j = 0; j < k; j++)
			pure = fmax(pure, share[i * k + j]);
	}
	tap_ok(worst < 1e-12, "compounds: shares of the endmembers (off by %.1e)", worst);
	tap_ok(worst_shift < 1e-5, "compounds: drift shifts spectra along the energy axis (off by %.1e)", worst_shift);
	tap_ok(pure == 1, "compounds: there are pure pixels");
	hs_scene_free(still), hs_scene_free(moving);
	free(share), free(drift), free(x), free(y);
}

static void eels_is_a_power_law_and_edges(void)
{
	struct hs_scene_options o = usual("eels");
	o.n_chan = 640;
	o.noise = HS_NOISE_NONE;
	const size_t n_pix = o.nx * o.ny, n = o.n_chan, k = 3;
	struct hs_scene *s = made(&o);
	double *amount = truth(s, "amounts", n_pix, k), *r = truth(s, "exponent", n_pix, 1), *level = truth(s, "background", n_pix, 1),
	       *x = malloc(n_pix * n * sizeof *x), worst = 0;
	const double *edge = hs_scene_truth_spectra(s, truth_called(s, "edges"));
	hs_scene_rows(s, 0, n_pix, x);
	for (size_t i = 0; i < n_pix; i++)
		for (size_t c = 0; c < n; c++) {
			double model = level[i] * pow((200 + (double)c) / 200, -r[i]);
			for (size_t j = 0; j < k; j++)
				model += amount[i * k + j] * edge[j * n + c];
			worst = fmax(worst, fabs(x[i * n + c] / model - 1));
		}
	tap_ok(worst < 1e-12, "eels: power law plus amounts times edges (off by %.1e)", worst);
	/* carbon: nothing 20 eV below 284, something above */
	tap_ok(edge[64] < 1e-6 * edge[100] && edge[86] > edge[100], "eels: the first edge begins at 284 eV with a white line");
	hs_scene_free(s);
	free(amount);
	free(r);
	free(level);
	free(x);
}

static void plain_numbers(void)
{
	struct hs_scene_options o = usual("gradient");
	o.value = 30;
	const size_t n_pix = o.nx * o.ny, n = o.n_chan;
	struct hs_scene *s = made(&o);
	double *x = malloc(n_pix * n * sizeof *x);
	hs_scene_rows(s, 0, n_pix, x);
	tap_ok(x[0] == 0 && fabs(x[n_pix * n - 1] - 30) < 1e-12 && fabs(x[n - 1] - 10) < 1e-12 && fabs(x[(o.nx - 1) * n] - 10) < 1e-12,
		"gradient: 0 at the first corner, --value at the last, a third along each axis");
	hs_scene_free(s);
	o = usual("constant");
	s = made(&o);
	hs_scene_rows(s, 0, n_pix, x);
	bool zero = true;
	for (size_t i = 0; i < n_pix * n; i++)
		zero = zero && x[i] == 0;
	tap_ok(zero && !hs_scene_truth(s, 0), "constant: 0 everywhere, no truth beside it");
	hs_scene_free(s);
	free(x);
}

/* ---- refusals ---- */

static void refuses(const struct hs_scene_options *o, const char *word)
{
	struct hs_err err = { 0 };
	struct hs_scene *s = NULL;
	const int verdict = hs_scene_new(&s, o, &err);
	tap_ok(verdict == -1 && err.status == HS_USAGE && !s && strstr(err.text, word), "refused: %s", err.text);
	hs_scene_free(s);
}

static void refusals(void)
{
	struct hs_scene_options o = usual("mixed");
	refuses(&o, "no scene 'mixed'");
	o = usual("mixture");
	o.nx = 0;
	refuses(&o, "outside 1");
	o.nx = (size_t)1 << 40;
	refuses(&o, "outside 1");
	o.nx = o.ny = o.n_chan = HS_SCENE_LONGEST;
	refuses(&o, "more than a file");
	o = usual("mixture");
	o.n_comp = HS_SCENE_MOST_COMP + 1;
	refuses(&o, "components");
	o.n_comp = 5;
	o.nx = o.ny = 2;
	refuses(&o, "need as many pixels");
	o = usual("nopure");
	o.purity = 0.2;
	refuses(&o, "too low");
	o = usual("peaks");
	o.n_comp = 3;
	refuses(&o, "1 to 2 components");
	o = usual("constant");
	o.n_comp = 1;
	refuses(&o, "no components");
	o = usual("clusters");
	o.noise = HS_NOISE_POISSON;
	o.separation = 1e4;
	refuses(&o, "too few");
}

int main(void)
{
	const char *what;
	for (size_t i = 0; hs_scene_name(i, &what); i++) {
		any_order(hs_scene_name(i, NULL));
		small_ones(hs_scene_name(i, NULL));
	}
	mixture_is_linear();
	nopure_is_not();
	outliers_are_where_said();
	drift_moves_energies();
	clusters_are_apart();
	noise_is_as_said(HS_NOISE_POISSON, 3, 0);
	noise_is_as_said(HS_NOISE_POISSON, 200, 0);
	noise_is_as_said(HS_NOISE_GAUSS, -5, 2.5);
	peaks_are_as_said();
	eels_is_a_power_law_and_edges();
	compounds_mix_and_drift();
	plain_numbers();
	refusals();
	return tap_done();
}
