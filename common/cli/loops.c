#include "cli/loops.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cli/maps.h"
#include "math/project.h"

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

int hs_loops_put(struct hs_out *out, const struct hs_pixels *px, const char *name, const char *unit, const double *re,
	const double *im, size_t stride, struct hs_err *err)
{
	size_t n = 0;
	const double *x = sweep_of(px, &n);
	if (!x)
		return 0;
	double *loop = hs_alloc(px->n_pix, sizeof *loop, err), *part = loop ? hs_alloc(2 * n, sizeof *part, err) : NULL;
	int verdict = part ? 0 : -1;
	for (size_t first = 0; verdict == 0 && first + n <= px->n_pix; first += n) {
		for (size_t i = 0; i < n; i++) {
			part[i] = re[(first + i) * stride];
			part[n + i] = im[(first + i) * stride];
		}
		hs_project_sweep(part, part + n, x, n, loop + first);
	}
	const struct hs_map_of map = { .name = name, .quantity = "response on its principal axis", .unit = unit, .value = loop,
		.stride = 1, .comment = "each sweep turned by its own angle; the falling branch is above the rising one" };
	if (verdict == 0)
		verdict = hs_maps_put(out, px, &map, err);
	free(part);
	free(loop);
	return verdict;
}
