/* Independent components of sources that are known, identities that hold exactly, data that have none, and - with arguments -
 * a driver for tests/oracle/ica.py:
 *   test_ica SAMPLES.f64 N K picard|fastica|deflation|jade|orthomax logcosh|gauss|quartic RESTARTS
 * prints k and whether it converged, then unmix and mix, one row a line, then kurtosis and reliability */
#include "math/ica.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/contrast.h"
#include "math/fold.h"
#include "math/la.h"
#include "math/par.h"
#include "math/turn.h"
#include "math/whiten.h"
#include "tap.h"

static const char *const method_names[] = { "picard", "fastica", "deflation", "jade", "orthomax" };
static const char *const contrast_names[] = { "logcosh", "gauss", "quartic" };

static size_t word(const char *text, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(text, names[i]))
			return i;
	fprintf(stderr, "test_ica: '%s'?\n", text);
	exit(2);
}

static void print(const double *v, size_t rows, size_t columns)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < columns; j++)
			printf("%.17g%c", v[i * columns + j], j + 1 < columns ? ' ' : '\n');
}

static int driver(char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), k = strtoul(argv[3], NULL, 10);
	struct hs_ica_options o = hs_ica_defaults();
	struct hs_err err = { 0 };
	struct hs_ica ica;
	double *t = hs_must_alloc(n * k, sizeof *t);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(t, sizeof *t, n * k, f) != n * k)
		return 2;
	fclose(f);
	o.method = (enum hs_ica_method)word(argv[4], method_names, HS_LEN(method_names));
	o.contrast = (enum hs_contrast_kind)word(argv[5], contrast_names, HS_LEN(contrast_names));
	o.restarts = strtoul(argv[6], NULL, 10);
	if (hs_ica(t, n, k, &o, &ica, &err) < 0) {
		fprintf(stderr, "test_ica: %s\n", err.text);
		return 1;
	}
	printf("%zu %d %zu\n", ica.k, ica.turn.status == HS_TURN_CONVERGED, ica.turn.n_iter);
	print(ica.unmix, ica.k, k);
	print(ica.mix, k, ica.k);
	print(ica.kurtosis, 1, ica.k);
	for (size_t i = 0; i < ica.k; i++)
		printf("%.17g%c", ica.reliability ? ica.reliability[i] : 1, i + 1 < ica.k ? ' ' : '\n');
	hs_ica_release(&ica);
	free(t);
	return 0;
}

/* ------------------------------------------------------------------ known sources */

enum kind { LAPLACE, UNIFORM, GAUSSIAN };

static double draw(struct hs_rng *rng, enum kind kind)
{
	if (kind == LAPLACE)
		return (hs_rng_uniform(rng) < 0.5 ? -1 : 1) * hs_rng_exponential(rng) * M_SQRT1_2;
	return kind == UNIFORM ? sqrt(12) * (hs_rng_uniform(rng) - 0.5) : hs_rng_normal(rng);
}

/* n samples of k sources, of unit variance; the first n_laplace of them are Laplace, the next n_uniform uniform. */
static double *sources(size_t n, size_t k, size_t n_laplace, size_t n_uniform, uint64_t seed)
{
	double *s = hs_must_alloc(n * k, sizeof *s);
	for (size_t j = 0; j < k; j++) {
		struct hs_rng rng;
		hs_rng_init(&rng, seed, HS_STREAM_TEST, j);
		for (size_t i = 0; i < n; i++)
			s[i * k + j] = draw(&rng, j < n_laplace ? LAPLACE : j < n_laplace + n_uniform ? UNIFORM : GAUSSIAN);
	}
	return s;
}

static double *random_mixing(size_t k, uint64_t seed)
{
	double *a = hs_must_alloc(k * k, sizeof *a);
	struct hs_rng rng;
	hs_rng_init(&rng, seed, HS_STREAM_TEST, 1000);
	for (size_t i = 0; i < k * k; i++)
		a[i] = hs_rng_normal(&rng);
	return a;
}

/* t = a s + offset for every sample */
static double *mixed(const double *s, size_t n, size_t k, const double *a, double offset)
{
	double *t = hs_must_alloc(n * k, sizeof *t);
	for (size_t i = 0; i < n; i++)
		for (size_t r = 0; r < k; r++) {
			t[i * k + r] = offset;
			for (size_t c = 0; c < k; c++)
				t[i * k + r] += a[r * k + c] * s[i * k + c];
		}
	return t;
}

/* Amari index of unmix a (k x k each): 0 for a permutation with signs and scales, 1 at most. */
static double amari(const double *unmix, const double *a, size_t k)
{
	double *p = hs_must_alloc(k * k, sizeof *p), index = 0;
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < k; j++)
			for (size_t l = 0; l < k; l++)
				p[i * k + j] += unmix[i * k + l] * a[l * k + j];
	for (size_t i = 0; i < k; i++) {
		double row = 0, row_most = 0, column = 0, column_most = 0;
		for (size_t j = 0; j < k; j++) {
			row += fabs(p[i * k + j]);
			row_most = fmax(row_most, fabs(p[i * k + j]));
			column += fabs(p[j * k + i]);
			column_most = fmax(column_most, fabs(p[j * k + i]));
		}
		index += row / row_most - 1 + column / column_most - 1;
	}
	free(p);
	return index / (2 * (double)k * ((double)k - 1));
}

static struct hs_ica solved(const double *t, size_t n, size_t k, struct hs_ica_options o)
{
	struct hs_ica ica;
	struct hs_err err = { 0 };
	if (hs_ica(t, n, k, &o, &ica, &err) < 0) {
		fprintf(stderr, "test_ica: %s\n", err.text);
		exit(1);
	}
	return ica;
}

static struct hs_ica_options plain(enum hs_ica_method method, size_t restarts)
{
	struct hs_ica_options o = hs_ica_defaults();
	o.method = method;
	o.restarts = restarts;
	return o;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void goal(enum hs_ica_method method, size_t k, size_t seeds, double limit)
{
	enum { N = 10000 };
	double *index = hs_must_alloc(seeds, sizeof *index);
	size_t converged = 0, iterations = 0;
	for (size_t seed = 0; seed < seeds; seed++) {
		double *s = sources(N, k, (k + 1) / 2, k / 2, 100 + seed), *a = random_mixing(k, 100 + seed), *t = mixed(s, N, k, a, 3);
		struct hs_ica ica = solved(t, N, k, plain(method, 1));
		index[seed] = amari(ica.unmix, a, k);
		converged += ica.turn.status == HS_TURN_CONVERGED;
		iterations += ica.turn.n_iter;
		hs_ica_release(&ica);
		free(s);
		free(a);
		free(t);
	}
	qsort(index, seeds, sizeof *index, ascending);
	tap_ok(converged == seeds, "%s, k = %zu: %zu of %zu converged, %.1f iterations", method_names[method], k, converged, seeds,
		(double)iterations / (double)seeds);
	tap_ok(index[seeds / 2] <= limit, "%s, k = %zu: Amari index %.4f median, %.4f largest (at most %.3f median)",
		method_names[method], k, index[seeds / 2], index[seeds - 1], limit);
	free(index);
}

int main(int argc, char **argv)
{
	if (argc == 7)
		return driver(argv);
	const size_t k[] = { 3, 5, 10 };
	for (size_t i = 0; i < HS_LEN(k); i++) {
		goal(HS_ICA_PICARD, k[i], 50, 0.010);
		goal(HS_ICA_FASTICA, k[i], 50, 0.010);
		goal(HS_ICA_DEFLATION, k[i], 50, 0.020);
		goal(HS_ICA_JADE, k[i], 50, 0.020);
	}
	return tap_done();
}
