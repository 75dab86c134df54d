#include "cli/library.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static bool is_list(const struct hs_signal *s)
{
	return s->rank >= 1 && s->rank <= 2 && s->sig_rank == 1;
}

static int find_list(const struct hs_in *in, size_t *i, struct hs_err *err)
{
	static const char *const names[] = { NULL, "endmembers", "true_endmembers", "components", "sources" };
	for (size_t n = 0; n < HS_LEN(names); n++) {
		struct hs_err none = { 0 };
		if (hs_in_find(in, names[n], i, &none) == 0 && is_list(hs_in_signal(in, *i)))
			return 0;
	}
	return hs_fail(err, HS_USAGE, "'%s' holds no list of spectra", hs_in_name(in));
}

int hs_library_open(struct hs_library *library, const char *path, struct hs_err *err)
{
	struct hs_in *in;
	size_t i;
	*library = (struct hs_library){ .path = path };
	if (hs_in_open(&in, path, err) < 0)
		return -1;
	int verdict = find_list(in, &i, err);
	if (verdict == 0) {
		const struct hs_signal *s = hs_in_signal(in, i);
		library->n_chan = s->axis[s->rank - 1].n;
		library->k = hs_signal_count(s) / library->n_chan;
		library->axis = hs_axis_dup(&s->axis[s->rank - 1]);
		library->spectrum = hs_in_read(in, i, err);
		verdict = library->spectrum ? 0 : -1;
	}
	hs_in_close(in);
	return verdict;
}

void hs_library_release(struct hs_library *library)
{
	free(library->spectrum);
	hs_axis_release(&library->axis);
	*library = (struct hs_library){ 0 };
}

static bool same_channels(const struct hs_axis *a, const struct hs_axis *b)
{
	if (a->n != b->n)
		return false;
	const double slack = 1e-4 * fabs(hs_axis_step(a));
	for (size_t i = 0; i < a->n; i++)
		if (!(fabs(a->value[i] - b->value[i]) <= slack))
			return false;
	return true;
}

/* Value of y, given at the monotonic places of axis, at x; the ends reach a little further. */
static double interpolate(const struct hs_axis *axis, const double *y, double x)
{
	const bool down = hs_axis_descends(axis);
	size_t low = 0, high = axis->n - 1;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;
		if ((axis->value[middle] <= x) != down)
			low = middle;
		else
			high = middle;
	}
	if (low == high)
		return y[low];
	const double at = (x - axis->value[low]) / (axis->value[high] - axis->value[low]), t = fmin(fmax(at, 0), 1);
	return y[low] * (1 - t) + y[high] * t;
}

static int check_reach(const struct hs_library *l, const struct hs_axis *channels, struct hs_err *err)
{
	const struct hs_axis *a = &l->axis;
	if (strcmp(a->units, channels->units) != 0)
		return hs_fail(err, HS_BAD_DATA, "the channels of library '%s' are in %s, those of the data in %s", l->path, a->units,
			channels->units);
	const double slack = 1e-4 * fabs(hs_axis_step(a)), first = fmin(a->value[0], a->value[a->n - 1]) - slack,
		     last = fmax(a->value[0], a->value[a->n - 1]) + slack, low = fmin(channels->value[0], channels->value[channels->n - 1]),
		     high = fmax(channels->value[0], channels->value[channels->n - 1]);
	if (low < first || high > last)
		return hs_fail(err, HS_BAD_DATA, "library '%s' reaches from %g to %g %s, the data from %g to %g", l->path, first + slack,
			last - slack, a->units, low, high);
	return 0;
}

double *hs_library_onto(const struct hs_library *l, const struct hs_pixels *px, struct hs_err *err)
{
	const struct hs_axis *channels = px->n_sig == 1 ? &px->signal->axis[px->sig[0]] : NULL;
	if (!channels && px->n_chan != l->n_chan) {
		hs_fail(err, HS_BAD_DATA, "library '%s' has %zu channels, the data have %zu", l->path, l->n_chan, px->n_chan);
		return NULL;
	}
	const bool other = channels && (!same_channels(channels, &l->axis) || strcmp(channels->units, l->axis.units) != 0);
	if (other && check_reach(l, channels, err) < 0)
		return NULL;
	double *spectra = hs_alloc(l->k * px->n_chan, sizeof *spectra, err);
	for (size_t j = 0; spectra && j < l->k; j++)
		for (size_t c = 0; c < px->n_chan; c++) {
			const double *y = l->spectrum + j * l->n_chan;
			spectra[j * px->n_chan + c] = other ? interpolate(&l->axis, y, channels->value[c]) : y[c];
		}
	if (other && spectra)
		hs_warn("library '%s': spectra of %zu channels are interpolated onto the %zu of the data", l->path, l->n_chan, px->n_chan);
	return spectra;
}
