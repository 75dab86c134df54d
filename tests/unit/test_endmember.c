/* Endmembers against scenes whose corners are known, and - with arguments - a driver for tests/oracle/endmember.py:
 *   test_endmember MATRIX.f64 N P METHOD K NY NX [NAME=VALUE ...]    prints what was found, one "key values" a line */
#include "math/endmember.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math/match.h"
#include "math/par.h"
#include "tap.h"

/* --- driver -------------------------------------------------------------------------------------------------------- */

static void print_row(const char *key, const double *v, size_t n)
{
	printf("%s", key);
	for (size_t i = 0; i < n; i++)
		printf(" %.17g", v[i]);
	putchar('\n');
}

static void print_result(const struct hs_endmembers *e)
{
	printf("k %zu\nstatus %d\nn_used %zu\nhysime %zd\nvd %zd %zd %zd\ntw %zu\ngd %zu\nchosen %zu\n", e->k, (int)e->status,
		e->n_used, (ptrdiff_t)e->count.hysime, (ptrdiff_t)e->count.vd[0], (ptrdiff_t)e->count.vd[1],
		(ptrdiff_t)e->count.vd[2], e->count.tw, e->count.gd, e->count.chosen);
	printf("numbers %.17g %.17g %.17g %.17g %.17g %.17g %.17g %zu\n", e->noise_rms, e->snr_db, e->smoothed, e->likeness,
		e->log_volume, e->tau, e->lambda, e->n_iter);
	printf("verdict %d %.17g %.17g\n", (int)e->purity.verdict, e->purity.least, e->purity.outside);
	print_row("noise", e->noise, e->n_chan);
	print_row("share", e->share, e->k);
	for (size_t j = 0; j < e->k; j++)
		printf("pixel %zd\n", (ptrdiff_t)e->pixel[j]);
	for (size_t j = 0; j < e->k; j++)
		print_row("spectrum", e->spectrum + j * e->n_chan, e->n_chan);
	printf("why %s\n", e->why);
	printf("purity %s\n", e->purity.text);
}

static void option(struct hs_endmember_options *o, const char *text)
{
	const char *value = strchr(text, '=') + 1;
	const size_t n = (size_t)(value - text - 1);
	const double v = strtod(value, NULL);
	if (!strncmp(text, "smooth", n))
		o->smooth = v;
	else if (!strncmp(text, "purest", n))
		o->purest = v;
	else if (!strncmp(text, "minvol", n))
		o->min_volume = v > 0;
	else if (!strncmp(text, "poisson", n))
		o->poisson = v > 0;
	else if (!strncmp(text, "unit_sum", n))
		o->unit_sum = v > 0;
	else if (!strncmp(text, "tau", n))
		o->tau = v;
	else if (!strncmp(text, "lambda", n))
		o->lambda = v;
	else if (!strncmp(text, "seed", n))
		o->seed = (uint64_t)v;
	else if (!strncmp(text, "restarts", n))
		o->restarts = (size_t)v;
	else if (!strncmp(text, "skewers", n))
		o->skewers = (size_t)v;
}

static int driver(int argc, char **argv)
{
	const size_t n = strtoul(argv[2], NULL, 10), p = strtoul(argv[3], NULL, 10);
	double *x = hs_must_alloc(n * p, sizeof *x);
	FILE *f = fopen(argv[1], "rb");
	if (!f || fread(x, sizeof *x, n * p, f) != n * p)
		return 1;
	fclose(f);
	int method = 0;
	while (method <= HS_ENDMEMBER_MINVOL && strcmp(argv[4], hs_endmember_method_name((enum hs_endmember_method)method)) != 0)
		method++;
	struct hs_endmember_options o =
		hs_endmember_defaults((enum hs_endmember_method)method, strtoul(argv[5], NULL, 10));
	o.n_y = strtoul(argv[6], NULL, 10);
	o.n_x = strtoul(argv[7], NULL, 10);
	for (int i = 8; i < argc; i++)
		option(&o, argv[i]);
	struct hs_err err = { 0 };
	struct hs_endmembers e;
	struct hs_rowsource *rows = hs_array_rows_new(x, HS_ROW_F64, n, p, NULL, &err);
	const int verdict = rows ? hs_endmembers_find(rows, &o, &e, &err) : -1;
	if (verdict == 0)
		print_result(&e);
	else
		printf("error %d %s\n", (int)err.status, err.text);
	hs_endmembers_release(&e);
	hs_array_rows_free(rows);
	free(x);
	return 0;
}

int main(int argc, char **argv)
{
	hs_par_set_threads(2);
	if (argc >= 8)
		return driver(argc, argv);
	return tap_done();
}
