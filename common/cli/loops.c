#include "cli/loops.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/maps.h"
#include "physics/project.h"

/* The values of a sweep along the innermost pixel dimension, n of them; NULL where there is none. */
static const double *sweep_of(const struct hs_pixels *px, size_t *n)
{
	if (!px->n_nav)
		return NULL;
	const size_t dim = px->nav[px->n_nav - 1];
	char *name = hs_must_printf("%s_values", px->signal->axis[dim].name);
	const struct hs_coord *coord = hs_signal_find_coord(px->signal, name, dim);
	free(name);
	*n = px->signal->axis[dim].n;
	return coord ? coord->value : NULL;
}

/* Which of the reported quantities has this name, alone or behind that of its model; SIZE_MAX for none, or several. */
static size_t place_of(const struct hs_compound *c, const struct hs_fit *fit, const char *word)
{
	size_t found = SIZE_MAX, n = 0;
	for (size_t i = 0; i < fit->n_params + fit->n_derived; i++)
		if (!strcmp(hs_fit_name(c, i, NULL), word)) {
			found = i;
			n++;
		}
	return n == 1 ? found : SIZE_MAX;
}

int hs_loops_put(struct hs_out *out, const struct hs_pixels *px, const char *name, const struct hs_compound *c,
	const struct hs_fit *fit, struct hs_err *err)
{
	size_t n = 0;
	const size_t re = place_of(c, fit, "in_phase"), im = place_of(c, fit, "quadrature"), width = fit->n_params + fit->n_derived;
	const double *x = sweep_of(px, &n);
	if (!x || re == SIZE_MAX || im == SIZE_MAX)
		return 0;
	double *loop = hs_alloc(px->n_pix, sizeof *loop, err), *part = loop ? hs_alloc(2 * n, sizeof *part, err) : NULL;
	int verdict = part ? 0 : -1;
	for (size_t first = 0; verdict == 0 && first + n <= px->n_pix; first += n) {
		for (size_t i = 0; i < n; i++) {
			part[i] = fit->value[(first + i) * width + re];
			part[n + i] = fit->value[(first + i) * width + im];
		}
		hs_project_sweep(part, part + n, x, n, loop + first);
	}
	char *unit = hs_fit_unit(c, re, NULL, px->signal->units);
	const struct hs_map_of map = { .name = name, .quantity = "response on its principal axis", .unit = unit, .value = loop, .stride = 1,
		.comment = "each sweep turned by its own angle; the falling branch is above the rising one" };
	if (verdict == 0)
		verdict = hs_maps_put(out, px, &map, err);
	free(unit);
	free(part);
	free(loop);
	return verdict;
}
